"""Network events (a site on air, a switch-off, an outage) from any table → the table `events`.

Does not belong here: which samples they leave out (`measurements/events.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path

import geopandas as gpd
import h3
import numpy as np
import pandas as pd

from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.fields import ALL, EVENT_KINDS
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.sources import commune_names, other_tables, values
from pipeline.sources.cells import operators as operator_names
from pipeline.sources.cells.positions import Bounds
from pipeline.sources.cells.technologies import technology_of
from pipeline.sources.commune_names import Key, Register
from pipeline.sources.containers import ROW
from pipeline.sources.context_layers import bounds_of
from pipeline.sources.other_tables import FILE, Table, heading_key
from pipeline.sources.visits import date_of

# usual headings beside our own names of columns, by `heading_key`
HEADINGS: dict[str, tuple[str, ...]] = {
    "date": ("ngay", "ngaysukien", "ngayphatsong", "ngaytatsong", "onairdate", "eventdate"),
    "kind": ("loai", "loaisukien", "sukien", "event", "eventkind", "type"),
    "operator": ("nhamang", "mang", "doanhnghiep", "tennhamang", "eventoperator"),
    "end_date": ("ngayketthuc", "denngay", "ketthuc", "enddate", "eventenddate", "until"),
    "technology": ("congnghe", "loaimang"),
    "commune_code": ("maxa", "maphuongxa", "madvhc", "communecode"),
    "commune_name": ("xa", "phuong", "tenxa", "xaphuong", "commune", "communename"),
    "village_name": ("thon", "ban", "thonban", "tenthon", "tenban", "tenthonban", "villagename"),
    "hex_id": ("oh3", "h3", "hexid", "hex"),
    "latitude": ("vido", "lat"),
    "longitude": ("kinhdo", "lon", "long", "lng"),
    "radius_km": ("bankinh", "bankinhkm", "radius", "radiuskm"),
}
NEEDED = ("date", "kind", "operator")
AREAS = "commune_code, village_name, hex_id, latitude + longitude + radius_km"
# usual words for a kind beside ours, folded
KINDS = {
    "on_air": ("phat song", "len song", "tram moi", "nang cap", "on air", "onair", "new site",
               "upgrade"),
    "switch_off": ("tat song", "tat mang", "dung phat song", "ngung phat song", "switch off",
                   "switchoff", "shutdown"),
    "outage": ("su co", "mat lien lac", "hong tram", "mat dien", "outage", "fault", "failure"),
}  # fmt: skip
Wrong = Callable[..., None]
EVERY = ("all", "tat ca", "moi nha mang", "tat ca nha mang")
# LTE's timing advance ends here (3GPP TS 36.213, section 4.2.3: 1,282 steps of 16 Ts, 0.67 ms), so
# no site reaches farther; a larger number is one of metres
MAX_RADIUS_KM = 100
# H3 children stick out of their parent: descendants lie within 1.06 times its farthest corner
_REACH = 1.1
_LISTED = 3  # communes that a message proposes


@dataclass(frozen=True)
class Asked:
    """What is known beside the communes: operators (none: any), the target's technology.

    `radius_km`: of the circle around a village's centre. `finest_resolution`: H3, of the cells that
    tests are kept by; a finer cell is the parent of none of them.
    """

    operators: Sequence[str] = ()
    technology: str = "4G"
    radius_km: float = 1.5
    finest_resolution: int = 9


def read_events(
    path: Path, communes: gpd.GeoDataFrame, villages: pd.DataFrame | None, asked: Asked
) -> tuple[pd.DataFrame, list[Fault]]:
    """The declared table `events`, sorted by date; warnings.

    An event concerns one of: a commune (code or name), a village of it (a circle of `radius_km`
    around its centre), an H3 cell, a circle. Events of another technology than the target's are
    left out with a warning. Raises `UserFault` with what is wrong in all rows: areas that do not
    meet the bounds of the communes too.
    """
    table = other_tables.read_table(path, "events", {}, _is_list)
    reader = _Reader(table, Register(communes), bounds_of(communes), villages, asked)
    rows = reader.rows()
    if reader.faults:
        raise UserFault(reader.faults)
    columns = (
        "event_date", "event_kind", "event_operator", "event_end_date", "event_commune_code",
        "event_village_name", "event_hex_id", "event_latitude", "event_longitude",
        "event_radius_km",
    )  # fmt: skip
    found = pd.DataFrame(rows, columns=list(columns))
    found = found.sort_values(list(columns), ignore_index=True, na_position="first")
    found = found.drop_duplicates(ignore_index=True)
    warnings = list(table.notes)
    if reader.others:
        about: dict[str, object] = {"found": sorted(reader.others), "count": reader.other_count}
        warnings.append(Fault("events_of_others", table.file, values=about))
    elif not rows:
        warnings.append(Fault("no_events", table.file))
    return validated("events", with_declared_dtypes("events", found)), warnings


def _usual(name: str) -> tuple[str, ...]:
    """Keys of the headings of a column."""
    return (heading_key(name.replace("_", " ")), *HEADINGS[name])


def _is_list(names: Sequence[str]) -> bool:
    """Whether headings are those of a list of events."""
    return all(other_tables.usual_names(names, _usual(name)) for name in NEEDED)


@cache
def _kind_words() -> dict[str, str]:
    words = {}
    for kind in EVENT_KINDS:
        for text in (kind.replace("_", " "), *KINDS[kind]):
            words[values.folded(text)] = kind
    return words


@dataclass
class _Reader:
    """Rows of a file → events and faults."""

    table: Table
    register: Register
    bounds: Bounds
    villages: pd.DataFrame | None
    asked: Asked
    faults: list[Fault] = field(default_factory=list)
    others: set[str] = field(default_factory=set)  # technologies that are not the target's
    other_count: int = 0

    def __post_init__(self) -> None:
        """Find the headings and the operators."""
        self.headings = {
            name: other_tables.usual_column(self.table, _usual(name), name, self.faults)
            for name in HEADINGS
        }
        lacking = [name for name in NEEDED if self.headings[name] is None]
        if lacking:
            about: dict[str, object] = {"ours": lacking, "found": list(self.table.names)}
            self.faults.append(Fault("event_columns", self.table.file, values=about))
        self.known = {values.name_key(name): name for name in self.asked.operators}
        self.shipped = operator_names.operator_table()

    def rows(self) -> list[dict[str, object]]:
        """The events; none where a column lacks."""
        if self.faults:
            return []
        columns = {name: self.table.texts(column) for name, column in self.headings.items()}
        files, numbers = self.table.rows[FILE].to_list(), self.table.rows[ROW].to_list()
        found = []
        for place, (file, number) in enumerate(zip(files, numbers, strict=True)):
            cells = {name: texts[place].strip() for name, texts in columns.items()}
            if any(cells.values()) and (row := self._row(file, number, cells)) is not None:
                found.append(row)
        return found

    def _row(self, file: str, row: int, cells: Mapping[str, str]) -> dict[str, object] | None:
        before = len(self.faults)

        def wrong(code: str, column: str, **found: object) -> None:
            self.faults.append(Fault(code, file, row, self.headings[column] or "", found))

        if (other := self._other_technology(cells["technology"])) is not None:
            self.others.add(other)
            self.other_count += 1
            return None
        at = date_of(cells["date"])
        if at is None:
            wrong("event_date", "date", found=cells["date"] or "–", expected="05/11/2026")
        kind = _kind_words().get(values.folded(cells["kind"].replace("_", " ")))
        if kind is None:
            wrong("event_kind", "kind", found=cells["kind"] or "–", expected=list(EVENT_KINDS))
        operator = self._operator(cells["operator"])
        if operator is None and not self.known:
            wrong("event_no_operator", "operator", found=cells["operator"] or "–")
        elif operator is None:
            expected = [*self.asked.operators, ALL]
            wrong("event_operator", "operator", found=cells["operator"] or "–", expected=expected)
        end = date_of(cells["end_date"])
        if kind == "outage" and at is not None and (end is None or end < at):
            found = _shown(end) if end else cells["end_date"] or "–"
            wrong("event_end", "end_date", found=found, expected=_shown(at))
        area = self._area(cells, wrong)
        if len(self.faults) > before or at is None or kind is None:
            return None
        is_outage = kind == "outage" and end is not None
        return {
            "event_date": at.isoformat(),
            "event_kind": kind,
            "event_operator": operator,
            "event_end_date": end.isoformat() if is_outage and end is not None else None,
            **area,
        }

    def _other_technology(self, text: str) -> str | None:
        """A technology that is not the target's; None of the target's and of no text."""
        found = technology_of(text) if text else None
        return found if found not in (None, self.asked.technology) else None

    def _operator(self, text: str) -> str | None:
        if values.folded(text) in EVERY:
            return ALL
        if not text:
            return None
        if (known := self.known.get(values.name_key(text))) is not None:
            return known
        listed = operator_names.found_in(self.shipped, text)
        name = listed if isinstance(listed, str) else listed.host if listed else ""
        if self.known:
            return name if name in self.asked.operators else None
        return name or text

    def _area(self, cells: Mapping[str, str], wrong: Wrong) -> dict[str, object]:
        """The columns of the area; a fault where none or several are given."""
        nothing = dict.fromkeys(("event_commune_code", "event_village_name", "event_hex_id"))
        circle = dict.fromkeys(("event_latitude", "event_longitude", "event_radius_km"), np.nan)
        spots = [cells[name] for name in ("latitude", "longitude", "radius_km")]
        given = [bool(cells["village_name"]), bool(cells["hex_id"]), any(spots)]
        has_commune = bool(cells["commune_code"] or cells["commune_name"])
        if sum(given) > 1 or not (any(given) or has_commune):
            found = [name for name in HEADINGS if name in AREAS and cells[name]]
            wrong("event_area", "commune_code", found=found or "–", expected=AREAS)
            return nothing | circle
        code = self._commune(cells, wrong) if has_commune else None
        if cells["hex_id"]:
            cell = self._cell(cells["hex_id"], wrong)
            return nothing | circle | {"event_commune_code": code, "event_hex_id": cell}
        if any(spots):
            numbers = [_number(text) for text in spots]
            self._look_at_circle(spots, numbers, wrong)
            return nothing | dict(zip(circle, numbers, strict=True)) | {"event_commune_code": code}
        if cells["village_name"]:
            place = self._village(cells["village_name"], code, wrong)
            spot = (*place, self.asked.radius_km)
            about = {"event_commune_code": code, "event_village_name": cells["village_name"]}
            return nothing | dict(zip(circle, spot, strict=True)) | about
        return nothing | circle | {"event_commune_code": code}

    def _cell(self, text: str, wrong: Wrong) -> str | None:
        """An H3 cell; a fault of none at all, one finer than the tests' cells, one elsewhere."""
        cell = _h3_cell(text)
        if cell is None:
            wrong("event_hex", "hex_id", found=text)
            return None
        resolution, finest = h3.get_resolution(cell), self.asked.finest_resolution
        if resolution > finest:
            parent = h3.cell_to_parent(cell, finest)
            about = {"found": text, "resolution": resolution, "finest": finest, "expected": parent}
            wrong("event_hex_fine", "hex_id", **about)
        latitude, longitude = h3.cell_to_latlng(cell)
        corners = h3.cell_to_boundary(cell)
        km = max(h3.great_circle_distance((latitude, longitude), one) for one in corners)
        if not _meets(latitude, longitude, _REACH * km, self.bounds):
            wrong("event_outside", "hex_id", found=text, expected=_bounds_shown(self.bounds))
        return cell

    def _look_at_circle(self, texts: list[str], numbers: list[float], wrong: Wrong) -> None:
        """Faults of a circle: no numbers, off the globe, swapped, outside the area, too large."""
        latitude, longitude, km = numbers
        if any(np.isnan(one) for one in numbers) or km <= 0:
            wrong("event_circle", "latitude", found=" ".join(texts).strip())
            return
        if km > MAX_RADIUS_KM:
            wrong("event_radius", "radius_km", found=texts[2], most=MAX_RADIUS_KM)
        reach, found = min(km, MAX_RADIUS_KM), f"{texts[0]} {texts[1]}"
        if _meets(latitude, longitude, reach, self.bounds):
            return
        if _meets(longitude, latitude, reach, self.bounds):
            wrong("event_swapped", "latitude", found=found, expected=f"{texts[1]} {texts[0]}")
        elif not _is_on_globe(latitude, longitude):
            wrong("event_position", "latitude", found=found)
        else:
            wrong("event_outside", "latitude", found=found, expected=_bounds_shown(self.bounds))

    def _commune(self, cells: Mapping[str, str], wrong: Wrong) -> str | None:
        code, name = cells["commune_code"], cells["commune_name"]
        code = commune_names.codes_of(pd.Series([code], dtype="str"))[0]
        is_known = self.register.place_of_code(code) is not None
        key = Key(code, name) if is_known else Key() if code else Key("", name)
        met = commune_names.met(self.register, {0: key}, by_code=True)
        if 0 in met.commune and 0 not in met.differing:
            return self.register.codes[met.commune[0]]
        column = "commune_code" if code else "commune_name"
        near = [*met.commune.values(), *self.register.near(code, name)]
        likely = met.several.get(0) or tuple(dict.fromkeys(near))[:_LISTED]
        about: dict[str, object] = {"found": f"{code} {name}".strip()}
        if likely:
            wrong("event_commune", column, **about, expected=list(map(self.register.shown, likely)))
        else:
            wrong("event_commune_unlike", column, **about, expected=self.register.shown(0))
        return None

    def _village(self, text: str, code: str | None, wrong: Wrong) -> tuple[float, float]:
        """The centre of the village of a commune; NaN, with a fault, where it is not known."""
        listed = self.villages if self.villages is not None else pd.DataFrame()
        if len(listed) and code is not None:
            here = listed[listed["commune_code"] == code]
            same = here[here["village_name"].map(values.folded) == values.folded(text)]
            if len(same) == 1:
                return float(same["latitude"].iloc[0]), float(same["longitude"].iloc[0])
        count = 0 if not len(listed) or code is None else len(same)
        wrong("event_village", "village_name", found=text, commune=code or "–", count=count)
        return np.nan, np.nan


def _number(text: str) -> float:
    """A number with a point or a comma; NaN of any other text."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return np.nan


def _shown(day: date) -> str:
    return f"{day:%d/%m/%Y}"


def _h3_cell(text: str) -> str | None:
    """An H3 cell as the library writes it; None of any other text."""
    try:
        number = h3.str_to_int(text)
    except (ValueError, OverflowError):  # the latter of more digits than a cell has
        return None
    cell = str(h3.int_to_str(number))
    return cell if h3.is_valid_cell(cell) else None


def _is_on_globe(latitude: float, longitude: float) -> bool:
    return abs(latitude) <= 90 and abs(longitude) <= 180


def _meets(latitude: float, longitude: float, km: float, bounds: Bounds) -> bool:
    """Whether a circle on the globe meets a box: the box's point next to its centre is in it."""
    if not _is_on_globe(latitude, longitude):
        return False
    west, south, east, north = bounds
    nearest = (min(max(latitude, south), north), min(max(longitude, west), east))
    return bool(h3.great_circle_distance((latitude, longitude), nearest) <= km)


def _bounds_shown(bounds: Bounds) -> str:
    west, south, east, north = (f"{one:.3f}" for one in bounds)
    return f"{south}–{north}, {west}–{east}"
