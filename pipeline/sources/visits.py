"""Visits of villages: filled sheets of `lomsong plan` → the declared table `visits`, and its file.

A visit says that phones of an operator tested in a village, or that none found a signal there. It
is never a speed. Does not belong here: the form (`publish/plan/`), what follows from a visit
(`verdicts/villages.py`).
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import pandas as pd
import polars as pl

from pipeline.schema import texts
from pipeline.schema.columns import KEYS, TABLES
from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.fields import VISIT_RESULTS
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.sources import commune_names, other_tables, values
from pipeline.sources.cells import operators as operator_names
from pipeline.sources.commune_names import Key, Register
from pipeline.sources.containers import ROW
from pipeline.sources.other_tables import FILE, Table, heading_key

NAME = "visits.csv"
COLUMNS = (
    "visit_date", "commune_code", "commune_name", "village_name", "operator", "visit_result",
    "devices_tested",
)  # fmt: skip
NEEDED = ("visit_date", "village_name", "operator", "visit_result")
# usual headings beside those of the form in every language and our own names of columns
HEADINGS: dict[str, tuple[str, ...]] = {
    "visit_date": ("ngay", "date", "ngaydo", "ngaykiemtra"),
    "commune_code": ("maphuongxa", "madvhc"),
    "commune_name": ("xa", "phuong", "tenxa", "commune"),
    "village_name": ("thon", "ban", "tenthon", "tenban", "tenthonban", "village"),
    "operator": ("mang", "tennhamang"),
    "visit_result": ("result",),
    "devices_tested": ("somay", "sothietbi", "devices", "phones"),
}
# usual words for a result beside those of the form, folded
RESULTS = {
    "measured": ("da do", "do duoc", "co song", "co", "tested", "signal", "yes"),
    "no_signal": (
        "khong co song", "khong song", "mat song", "khong bat duoc song", "no signal", "none",
        "khong co song o day", "no signal here",
    ),
}  # fmt: skip
_DAY_FIRST = re.compile(r"(\d{1,2})\s*[/.-]\s*(\d{1,2})\s*[/.-]\s*(\d{4})")
_YEAR_FIRST = re.compile(r"(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})")
_HOUR = re.compile(r"[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?$")
_SERIAL = re.compile(r"(\d{5})(?:[.,]0+)?")  # days of Excel: 2009 to 2064
_YEARS = range(2009, 2065)
_EXCEL_ZERO = date(1899, 12, 30)
_ESCAPED = re.compile(r"^'(?='*[=+\-@])")  # the apostrophe that keeps a text from being a formula
_LISTED = 5  # places that a warning names
_OUTDATED = {"visit_commune", "visit_village", "visit_operator"}  # what changes after a visit
_PASSED = ("sheets_passed_over", "hidden_sheets")  # notes on the form's own other sheets


@dataclass(frozen=True)
class Asked:
    """What is known beside the communes and villages.

    `operators`: those that may be named; none: any. `latest`: the last day that a visit may have.
    """

    operators: Sequence[str] = ()
    latest: date | None = None


class Visit(NamedTuple):
    """A filled row, and where it stands."""

    visit_date: str
    commune_code: str
    village_name: str
    operator: str
    visit_result: str
    devices_tested: float
    file: str
    row: int


def read_visits(
    paths: Iterable[Path],
    communes: gpd.GeoDataFrame,
    villages: pd.DataFrame | None,
    asked: Asked | None = None,
) -> tuple[pd.DataFrame, list[Fault]]:
    """The declared table `visits` of filled sheets, sorted by its key; warnings.

    A row without date, result and number of phones was not visited and is left out. Rows of one
    village, operator and day with one result are one visit, with the largest number of phones.
    `villages`: the declared table; None: names of villages are taken as they are. Visits of a file
    of `keep_visits` whose commune, village or operator is not known any more (merged, renamed) are
    left out with a warning: they were right when they were kept. Raises
    `UserFault` with what is wrong in all files: columns that lack, communes, villages, operators,
    dates and results that are not understood, half filled rows, and results that contradict each
    other.
    """
    reader = _Reader(communes, villages, asked or Asked())
    for path in sorted(set(paths)):
        try:
            own = _own_table(path)
            reader.read(own or _form(path), is_kept=own is not None)
        except UserFault as error:
            reader.faults += error.faults
    reader.compare()
    if reader.faults:
        raise UserFault(reader.faults)
    return reader.table(), reader.warnings()


def _table(visits: pd.DataFrame) -> pd.DataFrame:
    """Visits in the order of their key; of one that is there twice, that of most phones."""
    found = visits.sort_values([*KEYS["visits"], "devices_tested"], na_position="first")
    found = found.drop_duplicates(list(KEYS["visits"]), keep="last").reset_index(drop=True)
    return validated("visits", with_declared_dtypes("visits", found[list(TABLES["visits"])]))


def keep_visits(folder: Path, visits: pd.DataFrame) -> tuple[Path, int]:
    """Add visits to `visits.csv` in `folder`; gives (the file, number of new rows).

    What stands there already is not added again. Raises `UserFault` where a result contradicts the
    one that was kept; nothing is written then.
    """
    path = folder / NAME
    kept = _kept(path) if path.is_file() else visits.iloc[:0]
    key = list(KEYS["visits"])
    both = kept.merge(visits, on=key, suffixes=("_kept", ""))
    differing = both[both["visit_result_kept"] != both["visit_result"]]
    if len(differing):
        rows = differing.astype("str").to_dict("records")
        raise UserFault(_against_kept(path, row) for row in rows)
    table = _table(pd.concat([kept, visits], ignore_index=True))
    folder.mkdir(parents=True, exist_ok=True)
    written = table.assign(devices_tested=table["devices_tested"].astype("Int64"))
    for name in ("village_name", "operator"):
        unsafe = written[name].str.match(r"'*[=+\-@]")
        written[name] = written[name].mask(unsafe, "'" + written[name])
    aside = path.with_suffix(".new")
    aside.write_bytes(written.to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig"))
    aside.replace(path)
    return path, len(table) - len(kept)


def _kept(path: Path) -> pd.DataFrame:
    """The kept file as it was written; a file of another form is a fault."""
    reader = _Reader(None, None, Asked())
    reader.read(_own_table(path) or _form(path))
    reader.compare()
    if reader.faults:
        raise UserFault(reader.faults)
    return reader.table()


def _form(path: Path) -> Table:
    """A form's rows: of a workbook the sheets that have its headings."""
    return other_tables.read_table(path, "visits", {}, _is_form)


def _is_form(names: Sequence[str]) -> bool:
    usual = _headings()
    met = {name for name in COLUMNS if other_tables.usual_names(names, usual[name])}
    return met >= set(NEEDED) and bool(met & {"commune_code", "commune_name"})


def _own_table(path: Path) -> Table | None:
    """A file as `keep_visits` writes it, read without guessing; None of any other."""
    head = ",".join(TABLES["visits"])
    if not path.is_file() or not path.read_bytes().startswith(f"\ufeff{head}\r\n".encode()):
        return None
    rows = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8-sig")
    names = tuple(rows.columns)
    rows[ROW], rows[FILE] = range(2, 2 + len(rows)), path.name
    return Table(path.name, "visits", names, pl.from_pandas(rows), (), [])


def _against_kept(path: Path, row: Mapping[Hashable, str]) -> Fault:
    place = f"{row['village_name']} ({row['commune_code']}), {row['operator']}"
    found: dict[str, object] = {
        "place": place,
        "date": _shown(row["visit_date"]),
        "found": texts.worded(row["visit_result"]),
        "other": path.name,
        "expected": texts.worded(row["visit_result_kept"]),
    }
    return Fault("visit_contradicts", values=found)


def visits_until(visits: pd.DataFrame, last: date) -> pd.DataFrame:
    """Visits up to a day: those after a period's end say nothing of the period."""
    return visits[visits["visit_date"] <= last.isoformat()].reset_index(drop=True)


# ── what a cell means ────────────────────────────────────────────────────────────────────────────


def date_of(text: str) -> date | None:
    """A date as people and workbooks write it, day before month; None of any other text.

    >>> [str(date_of(text)) for text in ("5/11/2026", "2026-11-05 00:00:00", "46331", "11/25/2026")]
    ['2026-11-05', '2026-11-05', '2026-11-05', 'None']
    """
    plain = _HOUR.sub("", text.strip())
    if found := _DAY_FIRST.fullmatch(plain):
        parts = (int(found[3]), int(found[2]), int(found[1]))
    elif found := _YEAR_FIRST.fullmatch(plain):
        parts = (int(found[1]), int(found[2]), int(found[3]))
    elif found := _SERIAL.fullmatch(plain):
        return _EXCEL_ZERO + timedelta(days=int(found[1]))
    else:
        return None
    try:
        return date(*parts) if parts[0] in _YEARS else None
    except ValueError:
        return None


@cache
def _result_words() -> dict[str, str]:
    """Folded words for a result → the result."""
    words = {}
    for result in VISIT_RESULTS:
        own = [texts.text("field_sheets", result, lang) for lang in texts.languages()]
        for text in (result, *own, *RESULTS[result]):
            words[values.folded(text.replace("_", " "))] = result
    return words


@cache
def _headings() -> dict[str, frozenset[str]]:
    """Heading keys by our column: the form's in every language, our names, and usual ones."""
    found = {}
    for column in COLUMNS:
        own = [column.replace("_", " ")]
        if column in ("commune_name", "operator"):
            own.append(column)
        own += [texts.text("field_sheets", column, lang) for lang in texts.languages()]
        found[column] = frozenset(map(heading_key, own)) | set(HEADINGS[column])
    return found


def _shown(day: str) -> str:
    return f"{datetime.fromisoformat(day):%d/%m/%Y}"


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Cells:
    """The cells of a row by our columns, with the file's headings, and what is wrong in it."""

    file: str
    row: int
    headings: Mapping[str, str | None]
    texts: Mapping[str, str]
    faults: list[Fault]

    def wrong(self, code: str, column: str, **found: object) -> None:
        heading = self.headings.get(column) or ""
        self.faults.append(Fault(code, self.file, self.row, heading, found))


@dataclass
class _Reader:
    """Rows of several files → visits and faults. `communes` None: a file that was kept."""

    communes: gpd.GeoDataFrame | None
    villages: pd.DataFrame | None
    asked: Asked
    visits: list[Visit] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    respelled: dict[str, None] = field(default_factory=dict)
    shared: dict[str, None] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)  # places by kept file

    def __post_init__(self) -> None:
        self.register = None if self.communes is None else Register(self.communes)
        self.names: dict[str, list[str]] = {}
        if self.villages is not None:
            listed = self.villages.sort_values(["commune_code", "village_name"])
            for code, names in listed.groupby("commune_code")["village_name"]:
                self.names[str(code)] = names.tolist()
        self.operators = {values.name_key(name): name for name in self.asked.operators}
        self.shipped = operator_names.operator_table()

    def read(self, table: Table, *, is_kept: bool = False) -> None:
        """Add a file's visits and faults; of a kept one no fault of names that changed since."""
        self.notes += [one for one in table.notes if one.code not in _PASSED]
        headings = self._headings(table)
        if headings is None:
            return
        columns = {name: table.texts(column) for name, column in headings.items()}
        files, rows = table.rows[FILE].to_list(), table.rows[ROW].to_list()
        for place, (file, row) in enumerate(zip(files, rows, strict=True)):
            cells = {name: _ESCAPED.sub("", texts[place]) for name, texts in columns.items()}
            found = _Cells(file, row, headings, cells, self.faults)
            if not any(cells[name] for name in ("visit_date", "visit_result", "devices_tested")):
                continue
            before = len(self.faults)
            self._row(found)
            wrong = {one.code for one in self.faults[before:]}
            if is_kept and wrong and wrong <= _OUTDATED:
                del self.faults[before:]
                where = f"{cells['village_name']} ({cells['commune_code']}), {cells['operator']}"
                self.left_out.setdefault(table.file, []).append(where)

    def _headings(self, table: Table) -> dict[str, str | None] | None:
        found: dict[str, str | None] = {}
        faults: list[Fault] = []
        for column, usual in _headings().items():
            met = other_tables.usual_columns(table, usual)
            if len(met) > 1:
                values_: dict[str, object] = {"found": ", ".join(met)}
                row = table.layouts[0].heading_row
                faults.append(Fault("repeated_heading", table.file, row, "", values_))
            found[column] = met[0] if met else None
        lacking = [name for name in NEEDED if found[name] is None]
        if found["commune_code"] is None and found["commune_name"] is None:
            lacking.append("commune_code")
        for name in lacking:
            ours = texts.Said(_Heading(name))
            about: dict[str, object] = {"ours": ours, "found": list(table.names)}
            faults.append(Fault("visit_columns", table.file, values=about))
        self.faults += faults
        return None if faults else found

    def _row(self, cells: _Cells) -> None:
        before = len(self.faults)
        day, result = self._date(cells), self._result(cells)
        code = self._commune(cells)
        village = "" if code is None else self._village(cells, code)
        operator = self._operator(cells)
        devices = self._devices(cells, result)
        if len(self.faults) > before or day is None or result is None or code is None:
            return
        visit = Visit(
            day.isoformat(), code, village, operator, result, devices, cells.file, cells.row
        )
        self.visits.append(visit)

    def _date(self, cells: _Cells) -> date | None:
        text, result = cells.texts["visit_date"], cells.texts["visit_result"]
        lacking = [name for name in ("visit_date", "visit_result") if not cells.texts[name]]
        if lacking:
            has = next(one for one in (text, result, cells.texts["devices_tested"]) if one)
            wanted = texts.joined(*(texts.Said(_Heading(name)) for name in lacking), by=", ")
            cells.wrong("visit_incomplete", lacking[0], found=has, expected=wanted)
        if not text:
            return None
        found = date_of(text)
        if found is None:
            cells.wrong("visit_date", "visit_date", found=text, expected="05/11/2026")
        elif self.asked.latest is not None and found > self.asked.latest:
            at = (f"{found:%d/%m/%Y}", f"{self.asked.latest:%d/%m/%Y}")
            cells.wrong("visit_later", "visit_date", found=at[0], expected=at[1])
        return found

    def _result(self, cells: _Cells) -> str | None:
        text = cells.texts["visit_result"]
        found = _result_words().get(values.folded(text.replace("_", " ").strip("☐☑☒✓✔ ")))
        if text and found is None:
            wanted = texts.joined(*map(texts.worded, VISIT_RESULTS), by=", ")
            cells.wrong("visit_result", "visit_result", found=text, expected=wanted)
        return found

    def _devices(self, cells: _Cells, result: str | None) -> float:
        text = cells.texts["devices_tested"]
        if not text:
            return float("nan")
        if not re.fullmatch(r"\d{1,4}(?:[.,]0+)?", text):
            cells.wrong("visit_devices", "devices_tested", found=text)
            return float("nan")
        count = float(text.replace(",", "."))
        if result == "measured" and count == 0:
            found = texts.worded("measured")
            cells.wrong("visit_no_device", "devices_tested", found=found)
        return count

    def _commune(self, cells: _Cells) -> str | None:
        code, name = cells.texts["commune_code"], cells.texts["commune_name"]
        if self.register is None:
            return code
        code = commune_names.codes_of(pd.Series([code], dtype="str"))[0]
        key = Key(code, name) if self.register.place_of_code(code) is not None else Key("", name)
        column = "commune_code" if code or not name else "commune_name"
        if code and not key.code:
            key = Key()  # a code that is no commune's is not overruled by a name
        met = commune_names.met(self.register, {0: key}, by_code=True)
        if 0 in met.differing:
            found = f"{code}: {self.register.shown(met.commune[0])}; {name}"
            cells.wrong("visit_commune_differs", column, found=found)
            return None
        if 0 not in met.commune:
            several = met.several.get(0, (0,))
            wanted = [self.register.shown(place) for place in several]
            cells.wrong("visit_commune", column, found=code or name, expected=wanted)
            return None
        return self.register.codes[met.commune[0]]

    def _village(self, cells: _Cells, code: str) -> str:
        text = values.printable(unicodedata.normalize("NFC", cells.texts["village_name"]))
        if not text:
            cells.wrong("visit_no_village", "village_name")
            return ""
        if self.villages is None:
            return text
        names = self.names.get(code, [])
        same = [name for name in names if values.name_key(name) == values.name_key(text)]
        if not same:
            alike = [name for name in names if values.folded(name) == values.folded(text)]
            same = alike if len(set(alike)) == 1 else []
            if same:
                self.respelled[f"{text} → {same[0]} ({code})"] = None
        if not same:
            near = difflib.get_close_matches(text, names, n=1)
            commune = code if self.register is None else self._commune_shown(code)
            about = {"found": text, "commune": commune, "near": near[0] if near else ""}
            cells.wrong("visit_village", "village_name", **about)
            return ""
        if len(same) > 1:
            self.shared[f"{same[0]} ({code})"] = None
        return same[0]

    def _commune_shown(self, code: str) -> str:
        assert self.register is not None
        return self.register.shown(self.register.codes.index(code))

    def _operator(self, cells: _Cells) -> str:
        text = cells.texts["operator"]
        if self.register is None:
            return text
        known = self.operators.get(values.name_key(text))
        if known is None and text:
            listed = operator_names.found_in(self.shipped, text)
            name = listed if isinstance(listed, str) else listed.host if listed else ""
            known = name if name in self.asked.operators or not self.operators else None
        if known is None or not text:
            wanted = list(self.asked.operators) or "Viettel, VinaPhone, MobiFone"
            cells.wrong("visit_operator", "operator", found=text or "–", expected=wanted)
            return ""
        return known or text  # without a list of operators any name may be one

    def compare(self) -> None:
        """Add a fault for every visit whose result another of its place and day contradicts."""
        first: dict[tuple[str, ...], Visit] = {}
        for visit in self.visits:
            other = first.setdefault(tuple(visit[:4]), visit)
            if other.visit_result != visit.visit_result:
                values_: dict[str, object] = {
                    "place": f"{visit.village_name} ({visit.commune_code}), {visit.operator}",
                    "date": _shown(visit.visit_date),
                    "found": texts.worded(visit.visit_result),
                    "other": texts.Said(_Row(other.file, other.row)),
                    "expected": texts.worded(other.visit_result),
                }
                self.faults.append(Fault("visit_contradicts", visit.file, visit.row, "", values_))

    def table(self) -> pd.DataFrame:
        """The declared table."""
        return _table(pd.DataFrame(self.visits, columns=list(Visit._fields)))

    def warnings(self) -> list[Fault]:
        """What was read otherwise than written, and what cannot be used."""
        found = list(self.notes)
        for code, names in (
            ("visits_respelled", self.respelled), ("visits_shared_name", self.shared)
        ):  # fmt: skip
            if names:
                found.append(Fault(code, values={"found": list(names)}))
        for file, places in self.left_out.items():
            first = list(dict.fromkeys(places))[:_LISTED]
            about: dict[str, object] = {"count": len(places), "found": first}
            found.append(Fault("visits_left_out", file, values=about))
        return found


@dataclass(frozen=True)
class _Heading:
    """A column as the form of a language calls it."""

    column: str

    def __call__(self, lang: texts.Lang) -> str:
        return texts.text("field_sheets", self.column, lang)


@dataclass(frozen=True)
class _Row:
    """A row of a file in a language."""

    file: str
    row: int

    def __call__(self, lang: texts.Lang) -> str:
        return f"{self.file}, {texts.line('row', lang)} {self.row}"
