"""What a list of villages says beside names, communes, positions and people.

Households, grid electricity, difficult zone, nearest site, plan, on-air date, who pays; every one
may be absent. Does not belong here: which villages there are and where they lie (`villages.py`),
official classes of coverage (`village_classes.py`), what facts are used for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np
import pandas as pd
import polars as pl

from pipeline.schema.errors import Fault, UserFault
from pipeline.sources import commune_tables, other_tables, values, village_classes
from pipeline.sources.cells import numbers, time_texts, units
from pipeline.sources.other_tables import Table, asked, wrong_cells
from pipeline.sources.visits import date_of

# usual headings by our column, as `heading_key` writes them
HEADINGS: Mapping[str, tuple[str, ...]] = {
    "households": (
        "households", "household", "householdcount", "numberofhouseholds", "soho", "ho", "tongsoho",
        "tongho", "sohodan", "hodan", "sohogiadinh", "hogiadinh",
    ),
    "has_grid_power": (
        "hasgridpower", "gridpower", "gridelectricity", "hasgridelectricity", "dienluoi", "codien",
        "dienluoiquocgia", "codienluoi", "codienluoiquocgia", "dacodien", "dacodienluoi",
        "dacodienluoiquocgia", "dienquocgia", "tinhtrangdien", "tinhtrangdienluoi",
        "hientrangdien", "hientrangdienluoi",
    ),
    "is_difficult_zone": (
        "isdifficultzone", "difficultzone", "extremelydifficult", "dacbietkhokhan", "dbkk",
        "vungdacbietkhokhan", "vungdbkk", "vungiii", "vung3", "khuvuciii", "khuvuc3", "thondbkk",
        "bandbkk", "thonbandbkk", "thondacbietkhokhan", "bandacbietkhokhan",
        "thonbandacbietkhokhan", "thuocvungdbkk", "thuocvungdacbietkhokhan", "thuocdiendbkk",
        "thuocdiendacbietkhokhan",
    ),
    "nearest_site_km": (
        "nearestsite", "nearestsitekm", "nearestsitem", "distancetonearestsite",
        "nearestsitedistance", "distancetosite", "khoangcachtramgannhat", "tramgannhat",
        "khoangcachdentramgannhat",
        "khoangcachtoitramgannhat", "khoangcachtrambtsgannhat", "khoangcachdentrambtsgannhat",
        "khoangcachtoitrambtsgannhat", "khoangcachbtsgannhat", "khoangcachdentram",
        "khoangcachtoitram", "cachtramgannhat",
    ),
    "site_plan": (
        "siteplan", "plan", "kehoachphusong", "kehoach", "phuongan", "phuonganphusong",
        "giaiphapphusong", "kehoachxaytram", "kehoachlapdattram", "kehoachdautu",
    ),
    "on_air_date": (
        "onairdate", "onair", "plannedonairdate", "ngayphatsong", "dukienphatsong",
        "ngayphatsongdukien", "ngaydukienphatsong", "thoigianphatsong", "dukienthoigianphatsong",
        "thoigiandukienphatsong", "thoigianphatsongdukien", "thoidiemphatsong",
    ),
    "payer": (
        "payer", "paidby", "funding", "fundingsource", "nguonvon", "kinhphi", "nguonkinhphi",
        "nguonvondautu", "benchitra", "donvichitra", "chudautu",
    ),
}  # fmt: skip
KEYS = {
    "households": "households_column", "has_grid_power": "grid_power_column",
    "is_difficult_zone": "difficult_zone_column", "nearest_site_km": "site_km_column",
    "site_plan": "plan_column", "on_air_date": "on_air_column", "payer": "payer_column",
}  # fmt: skip
TEXTS = ("site_plan", "payer")
_YES = ("co", "da co", "dung", "roi", "yes", "y", "true", "t", "1", "x")
_NO = ("khong", "khong co", "chua", "chua co", "sai", "no", "n", "false", "f", "0")
# what villages are said to have, or to be: folded words after `có`, `không`, `đã có`, `chưa có`
_THINGS = {
    "has_grid_power": ("dien", "dien luoi", "dien luoi quoc gia", "dien quoc gia"),
    "is_difficult_zone": ("dbkk", "dac biet kho khan", "thuoc vung dbkk", "thuoc dbkk",
                          "thuoc vung dac biet kho khan"),
}  # fmt: skip
_MARKS = frozenset("xX×✓✔√☑vV")  # what stands in a column that is ticked
_NOTHING = r"^[\s.…·–—-]*$"
_NOT_YET = frozenset(("chua", "chua co", "chua xac dinh", "chua co ke hoach", "chua ro"))
_BEFORE_MONTH = re.compile(r"^(?:du kien |trong |thang |t ?(?=\d))+")
_MONTH = re.compile(r"(0?[1-9]|1[0-2]) (?:nam )?(20\d\d)")
_YEAR_MONTH = re.compile(r"(20\d\d)\s*[-/]\s*(0?[1-9]|1[0-2])")
_QUARTER = re.compile(r"(?:(?:quy |qui |q ?)([1-4])|(?:quy |qui )?(iv|i{1,3})) (?:nam )?(20\d\d)")
_YEAR_QUARTER = re.compile(r"(20\d\d) ?q ?([1-4])")
_NAMED_MONTH = re.compile(r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* (20\d\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4}
_DATES = "05/11/2026, 12/2026, Quý IV/2026"
Read = tuple[list[object], list[Fault], list[Fault]]  # values by row, faults, warnings


@dataclass(frozen=True)
class Asked:
    """What the settings say of these columns: a heading by our column.

    `decimal`: the mark of numbers.
    """

    columns: Mapping[str, str | None] = field(default_factory=dict)
    classes: village_classes.Asked = field(default_factory=village_classes.Asked)
    decimal: str | None = None


NOTHING_ASKED = Asked()


@dataclass(frozen=True)
class FactColumns:
    """Headings by our column, headings of classes by operator (or `all`), what was passed over."""

    single: Mapping[str, str]
    classes: Mapping[str, str]
    notes: tuple[Fault, ...]


# ── which columns ────────────────────────────────────────────────────────────────────────────────


def fact_columns(
    table: Table, about: Asked, taken: Iterable[str | None], faults: list[Fault]
) -> FactColumns:
    """The columns that hold facts, by the settings or a usual heading; `faults` gets questions.

    `taken`: columns that are something else. A column of numbers is no text, and one without any
    word for a class holds no classes, whatever a heading of several meanings says: both are noted.
    """
    used = {one for one in (*taken, *about.columns.values()) if one}
    single: dict[str, str] = {}
    notes: list[Fault] = []
    for name, usual in HEADINGS.items():
        given = about.columns.get(name)
        faults += other_tables.given_column(table, given, KEYS[name])
        found = [one for one in other_tables.usual_columns(table, usual) if one not in used]
        if given is None and name in TEXTS:
            numeric = [one for one in found if commune_tables.holds_numbers(table, one)]
            notes += [other_tables.passed_over(table, one, KEYS[name]) for one in numeric]
            found = [one for one in found if one not in numeric]
        if given is None and len(found) > 1:
            faults.append(other_tables.several(table, found, KEYS[name]))
        if given is not None or len(found) == 1:
            single[name] = given or found[0]
    used |= {one for one in single.values() if one}
    classes = village_classes.class_columns(table, about.classes, used, faults, notes)
    return FactColumns(single, classes, tuple(notes))


# ── what the cells say ───────────────────────────────────────────────────────────────────────────


def read_facts(
    table: Table, columns: FactColumns, about: Asked
) -> tuple[pd.DataFrame, list[Fault], list[Fault]]:
    """(the declared columns of facts by row, empty where nothing is known; faults; warnings).

    nearest_site_km is in km, on_air_date YYYY-MM-DD (YYYY-MM or YYYYQN where no day is given),
    official_classes `operator=class;…`. Warnings name what was read under another heading than
    ours, and columns in which an empty cell means no.
    """
    readers: dict[str, Callable[[Table, str, Asked], Read]] = {
        "households": _households,
        "has_grid_power": partial(_flags, "has_grid_power"),
        "is_difficult_zone": partial(_flags, "is_difficult_zone"),
        "nearest_site_km": _distances,
        "site_plan": _plain_texts,
        "on_air_date": _dates,
        "payer": _plain_texts,
    }
    faults: list[Fault] = []
    warnings = [*columns.notes, *_said(table, columns, about)]
    found: dict[str, list[object]] = {}
    for name, heading in columns.single.items():
        try:
            found[name], wrong, said = readers[name](table, heading, about)
        except UserFault as question:
            faults += question.faults
            continue
        faults += wrong
        warnings += said
    if columns.classes:
        classes, wrong = village_classes.read_classes(table, columns.classes, about.classes)
        found["official_classes"] = list(classes)
        faults += wrong
    names = (*HEADINGS, "official_classes")
    nothing = [None] * table.rows.height
    rows = pd.DataFrame(
        {name: pd.Series(found.get(name, nothing), dtype="object") for name in names}
    )
    return rows, faults, warnings


def _said(table: Table, columns: FactColumns, about: Asked) -> list[Fault]:
    """The warning that says what was read from which heading, where the heading is not our name."""
    read = [
        f"{name} ← {heading}"
        for name, heading in columns.single.items()
        if about.columns.get(name) is None and heading != name
    ]
    if about.classes.columns is None:
        read += [
            f"official_class {operator} ← {heading}"
            for operator, heading in columns.classes.items()
            if heading not in ("official_class", "official_classes")
        ]
    return (
        [Fault("village_facts_read", table.file, values={"found": "; ".join(read)})] if read else []
    )


def _households(table: Table, column: str, about: Asked) -> Read:
    how = commune_tables.Asked(
        "villages", KEYS["households"], HEADINGS["households"], unit="1", decimal=about.decimal
    )
    figures, warnings = commune_tables.read_figures(table, column, how)
    cells = table.texts(column)
    is_bad = [
        commune_tables.is_no_figure(text, figure) or bool(figure % 1 > 0)
        for text, figure in zip(cells, figures, strict=True)
    ]
    bad = {place: cells[place] for place in np.flatnonzero(is_bad).tolist()}
    read: list[object] = [None if np.isnan(one) else float(one) for one in figures]
    return read, wrong_cells("village_households", table, column, bad), warnings


@cache
def _yes_no(name: str) -> dict[str, bool]:
    """Folded words of a column of yes and no."""
    found = dict.fromkeys(_YES, True) | dict.fromkeys(_NO, False)
    for thing in _THINGS[name]:
        found |= {thing: True, f"co {thing}": True, f"da co {thing}": True}
        found |= {f"khong {thing}": False, f"khong co {thing}": False, f"chua co {thing}": False}
    return found


def _flags(name: str, table: Table, column: str, _about: Asked) -> Read:
    """Yes, no or unknown; in a column that is only ticked, an empty cell means no."""
    cells = table.words(column)
    held = [one for one in cells if one]
    is_ticked = bool(held) and all(one in _MARKS for one in held) and len(held) < len(cells)
    words = _yes_no(name)
    read: list[object] = []
    bad: dict[int, str] = {}
    for place, text in enumerate(cells):
        found = True if text in _MARKS else words.get(values.folded(text))
        if text and found is None:
            bad[place] = text
        read.append(False if is_ticked and not text else found)
    warnings = []
    if is_ticked:
        counts: dict[str, object] = {"found": held[0], "count": len(held), "of": len(cells)}
        warnings.append(Fault("village_ticked", table.file, None, column, counts))
    expected = "có, không, x, yes, no, y, n, true, false, 1, 0"
    return read, wrong_cells("village_yes_no", table, column, bad, expected), warnings


def _distances(table: Table, column: str, about: Asked) -> Read:
    """Kilometres. Raises `UserFault` with the question of a unit or decimal mark that is open."""
    cells = table.rows[column].alias(column)
    if cells.dtype == pl.String:
        is_nothing = cells.str.contains(_NOTHING).fill_null(value=False)
        cells = cells.set(is_nothing, None)
    below = next((one.unit_row[column] for one in table.layouts if column in one.unit_row), None)
    unit = units.decide_unit("distance", column, cells, below=below)
    is_given = about.columns.get("nearest_site_km") is not None  # the settings' key says km
    if is_given and (unit.form is None or unit.basis == "default"):
        unit = units.decide_unit("distance", column, cells, given="km")
    if unit.form is None or unit.basis == "default":
        lines = [asked(KEYS["nearest_site_km"], column)]
        question = table.question("village_distance_unit", column, lines=lines, found=unit.evidence)
        raise UserFault([question])
    form = numbers.decide_numbers(cells, "distance", about.decimal, unit=unit.form)
    if form.form is None:
        lines = [asked("decimal", "."), asked("decimal", ",")]
        code = form.question.code if form.question else "number_mark_open"
        raise UserFault([table.question(code, column, lines=lines, found=form.evidence)])
    metres = unit.form.in_ours(numbers.read_numbers(cells, form.form).cast(pl.Float64))
    km = (metres / 1000).fill_null(np.nan).to_numpy()
    texts_of = table.texts(column)
    is_bad = [
        commune_tables.is_no_figure(text, one) for text, one in zip(texts_of, km, strict=True)
    ]
    bad = {place: texts_of[place] for place in np.flatnonzero(is_bad).tolist()}
    read: list[object] = [None if np.isnan(one) else round(float(one), 6) for one in km]
    return read, wrong_cells("village_distance", table, column, bad), []


def _plain_texts(table: Table, column: str, _about: Asked) -> Read:
    return [values.printable(one) or None for one in table.texts(column)], [], []


def _dates(table: Table, column: str, _about: Asked) -> Read:
    cells = table.words(column)
    met = {text: on_air_date(text) for text in dict.fromkeys(cells)}
    is_none = {text for text in met if not text or values.folded(text) in _NOT_YET}
    bad = {
        place: text for place, text in enumerate(cells) if met[text] is None and text not in is_none
    }
    return (
        [met[one] for one in cells],
        wrong_cells("village_on_air", table, column, bad, _DATES),
        [],
    )


def on_air_date(text: str) -> str | None:
    """YYYY-MM-DD of a date, day first; YYYY-MM or YYYYQN of a month or quarter; None of others.

    >>> [on_air_date(one) for one in ("5/11/2026", "tháng 12/2026", "Quý IV/2026", "2026")]
    ['2026-11-05', '2026-12', '2026Q4', None]
    """
    plain = values.folded(text)
    plain = _BEFORE_MONTH.sub("", plain)
    if found := _MONTH.fullmatch(plain):
        return f"{found[2]}-{int(found[1]):02}"
    if found := _YEAR_MONTH.fullmatch(text.strip()):
        return f"{found[1]}-{int(found[2]):02}"
    if found := _NAMED_MONTH.fullmatch(plain):
        return f"{found[2]}-{_MONTHS.index(found[1]) + 1:02}"
    if found := _QUARTER.fullmatch(plain):
        return f"{found[3]}Q{found[1] or _ROMAN[found[2]]}"
    if found := _YEAR_QUARTER.fullmatch(plain):
        return f"{found[1]}Q{found[2]}"
    day = date_of(text)
    return day.isoformat() if day is not None else _written_date(text)


def _written_date(text: str) -> str | None:
    """The date of spellings that times of tests have too (`05 tháng 11, 2026`), day first."""
    cells, _ = time_texts.without_offset(time_texts.plain(pl.Series([text])))
    shape = time_texts.shape(cells)[0]
    if time_texts.is_iso(shape):
        at = time_texts.naive_iso(cells)[0]
    else:
        formats = time_texts.formats_of(shape)
        form = formats.get("") or formats.get("dmy")
        at = time_texts.parsed(cells, form)[0] if form else None
    return at.date().isoformat() if at is not None else None
