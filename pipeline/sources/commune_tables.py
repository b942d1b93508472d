"""Figures by commune from any table: people, installations, and what else is counted by commune.

Codes or names say which commune a row is of; the whole column says how its figures are written.
Does not belong here: rasters, what the figures weigh (`population.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl

from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.schema.texts import joined
from pipeline.schema.vintages import vintage_of
from pipeline.sources import commune_names, other_tables
from pipeline.sources.cells import numbers, units
from pipeline.sources.cells.missing import is_missing
from pipeline.sources.commune_names import Key, Meeting, Register
from pipeline.sources.containers import ROW
from pipeline.sources.other_tables import FILE, Table, asked
from pipeline.sources.vintages import NOTHING_STATED, Stated, rows_of_vintage

CODES = (
    "communecode", "code", "maxa", "maphuongxa", "maxaphuong", "madvhc", "madonvi", "maso",
    "madonvihanhchinh", "madvhcxa", "wardcode", "ma", "mahc", "mahanhchinh", "magso", "gsocode",
    "matctk", "maxamoi", "newwardcode", "adm3pcode", "gid3", "idxa", "xaid", "communeid", "wardid",
)  # fmt: skip
NAMES = (
    "communename", "commune", "ward", "wardname", "tenxa", "xa", "phuong", "xaphuong", "phuongxa",
    "tenxaphuong", "tenphuongxa", "xaphuongthitran", "phuongxathitran", "tenxaphuongthitran",
    "xaphuongdackhu", "tenxaphuongdackhu", "tendonvihanhchinh", "donvihanhchinh", "tendvhc", "dvhc",
    "tendonvi", "donvi", "diaphuong", "tendiaphuong", "diaban", "tendiaban", "ten", "name",
    "fullname", "newwardname", "adm3name", "communeward", "communesward", "tenxamoi",
)  # fmt: skip
DISTRICTS = (
    "huyen", "tenhuyen", "quanhuyen", "tenquanhuyen", "huyencu", "formerdistrict", "district",
    "districtname", "quanhuyenthixathanhpho", "huyenthixathanhpho", "huyenthanhpho", "adm2name",
    "huyenthixa", "quan", "olddistrictname",
)  # fmt: skip
PROVINCES = (
    "tinh", "tentinh", "tinhthanhpho", "tentinhthanhpho", "tinhthanh", "province", "provincename",
    "thanhphotinh", "adm1name",
)  # fmt: skip
PEOPLE = (
    "population", "populationtotal", "totalpopulation", "pop", "poptotal", "totpop", "people",
    "persons", "inhabitants", "residents", "danso", "sodan", "tongdanso", "dansotong",
    "dansotongso", "dansotongcong", "tongsodan", "dansotrungbinh", "nhankhau", "sonhankhau",
    "tongnhankhau", "tongsonhankhau", "songuoi", "tongsonguoi", "quymodanso", "dansothuongtru",
    "dansothucte", "dansotoandiaban", "populationcount", "totalpop",
)  # fmt: skip
INSTALLS = (
    "installs", "installcount", "installation", "installations", "appinstalls", "caidat",
    "soluotcaidat", "luotcaidat", "socaidat", "somaycaidat", "sothietbicaidat", "soluongcaidat",
    "soluotcaidatungdung", "soluotcaidatispeed",
)  # fmt: skip
_UNIT_TITLE = re.compile(
    r"(?:đơn\s*vị(?:\s*tính)?|đ\.?v\.?t\.?|unit)\s*[:\uff1a]\s*([^;.\n)]+)", re.IGNORECASE
)
_NOTHING = r"^[\s.…·–—-]*$"  # statistical tables write `…` and `..` where there is no figure
_OTHER_NAMES = 0.5  # of the codes meet a commune of another name: codes of another vintage
_LIKELY = 0.5  # of a column's cells that are communes' codes or names: it is proposed
_THOUSAND = 1000.0
ROW_NAMES = "row_name"  # `containers` names so a first column without a heading


@dataclass(frozen=True)
class Asked:
    """What is read of a table by commune, and what the settings say of it.

    `section`, `figure_key`: the settings' names. `usual`: keys of headings of figures. `area`: the
    province's name, where the boundaries name none.
    """

    section: str
    figure_key: str
    usual: tuple[str, ...]
    figure: str | None = None
    code: str | None = None
    name: str | None = None
    district: str | None = None
    province: str | None = None
    unit: str | None = None
    decimal: str | None = None
    code_length: int | None = None
    stated: Stated = NOTHING_STATED
    area: str = ""
    how: Mapping[str, object] | None = None


@dataclass(frozen=True)
class _Columns:
    figure: str
    code: str | None
    name: str | None
    district: str | None
    province: str | None


def figures_by_commune(
    communes: gpd.GeoDataFrame, path: Path, about: Asked
) -> tuple[pd.Series, list[Fault]]:
    """Figures by `commune_code` (float64, NaN where the table has none), and warnings.

    Warnings list every name that differs from its commune's, codes that got zeros back, totals and
    rows that meet no commune. Raises `UserFault`: a file that cannot be read, columns or a form of
    numbers that are open, codes of another vintage, two rows for one commune, bad figures.
    """
    table = other_tables.read_table(path, about.section, about.how or {})
    table, others = rows_of_vintage(table, about.stated, vintage_of(communes))
    register = Register(communes, about.area)
    columns = _columns(table, register, about)
    keys, totals = _keys(table, columns)
    by_code = columns.code is not None
    meeting = commune_names.met(register, keys, by_code=by_code, code_length=about.code_length)
    used = sorted(meeting.commune)
    figures, warnings = read_figures(table, columns.figure, about)
    faults = [
        *_row_faults(table, columns, keys, meeting, figures),
        *_meeting_faults(table, columns, register, keys, meeting),
    ]
    if faults:
        raise UserFault(sorted(faults, key=_by_row))
    if not used:
        raise _nothing_met(table, columns, register, keys, by_code=by_code)
    if question := _other_vintage(table, columns, register, keys, meeting, about):
        raise UserFault([question])
    warnings += meeting_warnings(table, columns.code, columns.name, register, keys, meeting)
    warnings += _left_said(table, keys, meeting)
    warnings += _totals_said(table, columns, totals)
    by_place = np.full(len(communes), np.nan)
    by_place[[meeting.commune[row] for row in used]] = figures[used]
    found = pd.Series(by_place, index=pd.Index(communes["commune_code"]))
    return found, [*table.notes, *others, *warnings]


def _by_row(one: Fault) -> int:
    return one.row or 0


# ── which columns ────────────────────────────────────────────────────────────────────────────────


def _columns(table: Table, register: Register, about: Asked) -> _Columns:
    faults: list[Fault] = []
    for key, column in (
        ("code_column", about.code), (about.figure_key, about.figure), ("name_column", about.name),
        ("district_column", about.district), ("province_column", about.province),
    ):  # fmt: skip
        faults += other_tables.given_column(table, column, key)
    if faults:
        raise UserFault(faults)
    name = about.name or other_tables.usual_column(table, NAMES, "name_column", faults)
    code = about.code
    if code is None and about.name is None:
        code = _code_column(table, register, has_name=name is not None)
    figure = about.figure or _figure_column(table, register, about, faults, {code, name})
    if code is None and name is None:
        faults.append(_no_key(table, register))
    district = about.district or other_tables.usual_column(
        table, DISTRICTS, "district_column", faults
    )
    province = about.province or other_tables.usual_column(
        table, PROVINCES, "province_column", faults
    )
    if faults or figure is None:
        raise UserFault(faults)
    return _Columns(figure, code, name, district, province)


def _code_column(table: Table, register: Register, *, has_name: bool) -> str | None:
    """The column under a usual heading whose cells are communes' codes more than any other's."""
    found = other_tables.usual_columns(table, CODES)
    shares = {name: commune_names.share_met(register, _codes(table, name)) for name in found}
    best = max(found, key=lambda name: shares[name], default=None)
    if best is not None and has_name and not shares[best]:
        return None  # codes of another list: the names say which commune is meant
    return best


def _codes(table: Table, column: str) -> set[str]:
    return set(commune_names.codes_of(table.rows[column].to_pandas())) - {""}


def _figure_column(
    table: Table, register: Register, about: Asked, faults: list[Fault], taken: set[str | None]
) -> str | None:
    found = [one for one in other_tables.usual_columns(table, about.usual) if one not in taken]
    if len(found) == 1:
        return found[0]
    if found:
        faults.append(other_tables.several(table, found, about.figure_key))
        return None
    likely = [
        name
        for name in table.names
        if name not in taken
        and holds_numbers(table, name)
        and commune_names.share_met(register, _codes(table, name)) < _LIKELY
    ]
    lines = [asked(about.figure_key, name) for name in likely] or [asked(about.figure_key, "…")]
    question = table.question(
        "no_usual_heading", lines=lines, found=list(table.names), ours=about.figure_key
    )
    faults.append(question)
    return None


def holds_numbers(table: Table, name: str) -> bool:
    """Whether more than half of a column's cells are numbers."""
    cells = table.rows[name]
    if cells.dtype.is_numeric():
        return True
    if cells.dtype != pl.String:
        return False
    held = cells.filter(~is_missing(cells))
    read = numbers.read_numbers(held, numbers.BOTH_GROUP)
    return bool(len(held)) and 2 * (len(read) - read.null_count()) > len(held)


def _no_key(table: Table, register: Register) -> Fault:
    """The question which column says the commune; columns whose cells do are proposed."""
    lines = []
    for name in table.names:
        texts = set(table.texts(name)) - {""}
        if commune_names.share_met(register, _codes(table, name)) >= _LIKELY:
            lines.append(asked("code_column", name))
        elif commune_names.share_named(register, texts) >= _LIKELY:
            lines.append(asked("name_column", name))
    return table.question(
        "no_usual_heading",
        lines=lines or [asked("code_column", "…")],
        found=list(table.names),
        ours="code_column, name_column",
    )


# ── which communes ───────────────────────────────────────────────────────────────────────────────


def _keys(table: Table, columns: _Columns) -> tuple[dict[int, Key], list[int]]:
    """(what each row says of its commune, rows of totals).

    Rows that hold neither a key nor a figure are left out. Where no column says the district, a row
    with the name of a district and no code is a heading or subtotal of those below it.
    """
    codes = [""] * table.rows.height
    if columns.code is not None:
        codes = commune_names.codes_of(table.rows[columns.code].to_pandas()).tolist()
    texts = (columns.name, columns.district, columns.province)
    names, districts, provinces = (table.texts(column) for column in texts)
    held = [text != "" for text in table.texts(columns.figure)]
    keys: dict[int, Key] = {}
    totals: list[int] = []
    section = ""
    for row, (code, name) in enumerate(zip(codes, names, strict=True)):
        label = name or (code if not code.isdigit() else "")
        if label and commune_names.is_total(label):
            totals.append(row)
        elif columns.district is None and name and not code and commune_names.is_section(name):
            section = commune_names.without_numbering(name)
            totals.append(row)
        elif code or name or held[row]:
            keys[row] = Key(code, name, districts[row] or section, provinces[row])
    return keys, totals


def _place(table: Table, row: int) -> tuple[str, int]:
    return str(table.rows[FILE][row]), int(table.rows[ROW][row])


def _row_faults(
    table: Table, columns: _Columns, keys: Mapping[int, Key], meeting: Meeting, figures: np.ndarray
) -> list[Fault]:
    """Figures that are none, rows without a code or name, two rows for one commune."""
    faults = []
    texts = table.texts(columns.figure)
    key_column = columns.code or columns.name or ""
    first: dict[int, int] = {}
    for row, key in keys.items():
        file, number = _place(table, row)
        is_nobody = not key.code and not key.name
        if is_nobody:
            faults.append(Fault("blank_code", file, number, key_column))
            continue
        commune = meeting.commune.get(row)
        if commune is None:
            continue
        if is_no_figure(texts[row], figures[row]):
            faults.append(
                Fault("bad_population", file, number, columns.figure, {"found": texts[row]})
            )
        if commune in first:
            faults.append(_repeated(table, key, columns, row, first[commune]))
        first.setdefault(commune, row)
    return faults


def is_no_figure(text: str, figure: float) -> bool:
    """Whether a cell that is not empty was not read as a number, or as a negative one."""
    is_blank = not text or re.fullmatch(_NOTHING, text) is not None
    return bool(figure < 0 or (np.isnan(figure) and not is_blank))


def _repeated(table: Table, key: Key, columns: _Columns, row: int, other: int) -> Fault:
    file, number = _place(table, row)
    if key.code and columns.code is not None:
        return Fault("repeated_code", file, number, columns.code, {"found": key.code})
    found: dict[str, object] = {"found": key.name, "row_of_other": _place(table, other)[1]}
    return Fault("repeated_commune", file, number, columns.name or "", found)


def _meeting_faults(
    table: Table, columns: _Columns, register: Register, keys: Mapping[int, Key], meeting: Meeting
) -> list[Fault]:
    """Names that may be one of several communes."""
    faults = []
    for row, places in meeting.several.items():
        file, number = _place(table, row)
        found: dict[str, object] = {
            "found": keys[row].name,
            "expected": [register.shown(place) for place in places],
        }
        faults.append(Fault("name_of_several", file, number, columns.name or "", found))
    return faults


def _nothing_met(
    table: Table, columns: _Columns, register: Register, keys: Mapping[int, Key], *, by_code: bool
) -> UserFault:
    if ROW_NAMES in table.names and commune_names.share_met(register, _codes(table, ROW_NAMES)):
        # `01234,12,345` under two headings: a thousands mark that is the delimiter
        first = [str(table.rows[column][0]) for column in table.names]
        return fault("too_many_fields", table.file, row=_place(table, 0)[1], found=first)
    met = [key.code if by_code else key.name for key in keys.values()]
    expected = register.codes if by_code else register.names
    column = columns.code if by_code else columns.name
    return fault(
        "no_code_met" if by_code else "no_name_met",
        table.file,
        column=column or "",
        found=[one for one in met if one][:3],
        expected=expected[:3],
    )


def _other_vintage(
    table: Table,
    columns: _Columns,
    register: Register,
    keys: Mapping[int, Key],
    meeting: Meeting,
    about: Asked,
) -> Fault | None:
    """The question where most codes meet communes of other names than the table's.

    Codes were re-used in July 2025. The settings' `code_column` says that they are right.
    """
    named = [row for row in meeting.commune if keys[row].code and keys[row].name]
    differing = [row for row in named if row in meeting.differing]
    is_said = about.code is not None
    if is_said or not differing or len(differing) < _OTHER_NAMES * len(named):
        return None
    lines = [asked("name_column", columns.name), f"# {asked('code_column', columns.code)}"]
    shown = [_differing(register, keys[row], meeting.differing[row]) for row in differing]
    return table.question(
        "codes_of_other_names",
        columns.code or "",
        lines=lines,
        found=shown[:3],
        count=len(differing),
        of=len(named),
    )


def _differing(register: Register, key: Key, place: int) -> str:
    return f"{key.code} {key.name} → {register.shown(place)}"


def meeting_warnings(
    table: Table,
    code: str | None,
    name: str | None,
    register: Register,
    keys: Mapping[int, Key],
    meeting: Meeting,
) -> list[Fault]:
    """A warning for each name and code that was not matched exactly. `code`, `name`: columns."""
    found: list[Fault] = []
    code, name = code or "", name or ""
    if meeting.zeros:
        shown = [
            f"{met} → {register.codes[meeting.commune[r]]}" for r, met in meeting.zeros.items()
        ]
        values: dict[str, object] = {"found": "; ".join(shown), "count": len(shown)}
        found.append(Fault("zeros_given_back", table.file, None, code, values))
    if meeting.fuzzy:
        shown = [f"{keys[row].name} → {register.shown(p)}" for row, p in meeting.fuzzy.items()]
        values = {"found": "; ".join(shown), "count": len(shown)}
        found.append(Fault("names_met", table.file, None, name, values))
    if meeting.differing:
        shown = [_differing(register, keys[row], p) for row, p in meeting.differing.items()]
        values = {"found": "; ".join(shown), "count": len(shown)}
        found.append(Fault("names_differ", table.file, None, name, values))
    return found


def _left_said(table: Table, keys: Mapping[int, Key], meeting: Meeting) -> list[Fault]:
    """A warning that lists the rows that meet no commune."""
    left = [row for row in keys if row not in meeting.commune]
    if not left:
        return []
    shown = [" ".join(one for one in (keys[r].code, keys[r].name) if one) for r in left]
    values: dict[str, object] = {"found": shown, "count": len(left), "of": len(keys)}
    return [Fault("rows_of_no_commune", table.file, values=values)]


def _totals_said(table: Table, columns: _Columns, totals: list[int]) -> list[Fault]:
    if not totals:
        return []
    labels, figures = table.texts(columns.name or columns.code), table.texts(columns.figure)
    shown = [f"{labels[row]} ({figures[row] or '–'})" for row in totals]
    values: dict[str, object] = {"found": shown, "count": len(totals)}
    return [Fault("totals_set_aside", table.file, values=values)]


# ── which figures ────────────────────────────────────────────────────────────────────────────────


def read_figures(table: Table, column: str, about: Asked) -> tuple[np.ndarray, list[Fault]]:
    """(figures by row, NaN where there is none; warnings). Raises `UserFault` with a question."""
    cells = table.rows[column].alias(column)
    if cells.dtype == pl.String:
        cells = cells.set(cells.str.contains(_NOTHING).fill_null(value=False), None)
    unit = units.decide_unit(
        "count", column, cells, given=about.unit, below=_unit_stated(table, column)
    )
    if unit.form is None:
        raise UserFault(_asked_again(table, column, about, unit.question))
    form = numbers.decide_numbers(cells, "count", about.decimal, unit=unit.form)
    is_guess = form.basis == "values" and unit.form.factor != 1  # 12.345 thousand may be 12,345
    if form.form is None or is_guess:
        question = form.question
        if question is None:
            lines = (asked("decimal", "."), asked("decimal", ","))
            values: dict[str, object] = {"found": form.evidence, "lines": lines}
            question = Fault("number_mark_open", values=values)
        raise UserFault(_asked_again(table, column, about, question))
    read = unit.form.in_ours(numbers.read_numbers(cells, form.form))
    figures: np.ndarray = read.cast(pl.Float64).fill_null(np.nan).to_numpy()
    if unit.basis == "default" and about.decimal is None and _are_thousands(figures):
        shown = joined(*figures[~np.isnan(figures)][:3].tolist())
        lines = (asked("unit", "1000"), asked("unit", "1"))
        raise UserFault([table.question("fractions_of_people", column, lines=lines, found=shown)])
    warnings = []
    if unit.form.factor != 1 and unit.basis != "settings":
        values = {"found": unit.evidence, "factor": int(unit.form.factor)}
        warnings.append(Fault("figures_in_unit", table.file, None, column, values))
    return figures, warnings


def _unit_stated(table: Table, column: str) -> str | None:
    """The unit that stands below the heading, or in a title such as `Đơn vị tính: nghìn người`."""
    for layout in table.layouts:
        if unit := layout.unit_row.get(column):
            return unit
        for note in layout.notes:
            if note.code != "rows_above_heading":
                continue
            for text in note.values["found"]:  # type: ignore[attr-defined]
                stated = _UNIT_TITLE.search(text)
                if stated and units.unit_of("count", stated[1]) is not None:
                    return stated[1].strip()
    return None


def _are_thousands(figures: np.ndarray) -> bool:
    """Whether figures are rather thousands: all below 1,000, and most with a fraction."""
    known = figures[figures > 0]
    fractions = int(np.count_nonzero(known % 1))
    return len(known) > 0 and float(known.max()) < _THOUSAND and 2 * fractions > len(known)


def _asked_again(table: Table, column: str, about: Asked, question: Fault | None) -> list[Fault]:
    """A question on cells with the lines of this section."""
    if question is None:
        return []
    raw = question.values.get("lines", ())
    lines = [raw] if isinstance(raw, str) else list(raw)  # type: ignore[call-overload]
    lines = [one for one in lines if not one.startswith("count = ")]
    lines = lines or [asked(about.figure_key, "…")]
    values = {**question.values, "lines": (f"[{about.section}]", *lines)}
    return [replace(question, file=table.file, column=column, values=values)]
