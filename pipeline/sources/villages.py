"""The villages of a province, their communes and people, from a table or any vector file.

Does not belong here: where the points of a file lie (`shapes.py`), which commune a code or name
means (`commune_names.py`), what else a list says (`village_facts.py`), what villages are used for.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.tables import TABLES, validated, with_declared_dtypes
from pipeline.schema.vintages import vintage_of
from pipeline.sources import (
    commune_names,
    commune_tables,
    other_tables,
    shapes,
    values,
    village_facts,
)
from pipeline.sources.commune_names import Key, Register
from pipeline.sources.commune_tables import holds_numbers
from pipeline.sources.containers import ROW
from pipeline.sources.context_layers import bounds_of, commune_of_points
from pipeline.sources.other_tables import FILE, Table, asked, usual_column
from pipeline.sources.shapes import Places
from pipeline.sources.village_facts import NOTHING_ASKED, FactColumns
from pipeline.sources.vintages import NOTHING_STATED, Stated, rows_of_vintage

NAMES = (
    "villagename", "village", "hamlet", "hamletname", "tenthon", "thon", "tenban", "ban",
    "thonban", "tenthonban", "tenthonbantodanpho", "thonbantodanpho", "tenthonbantdp",
    "thonbantdp", "tenthontodanpho", "thontodanpho", "tenthonto", "thonto", "tenthonxom",
    "thonxom", "thonap", "tenthonap", "tenap", "ap", "apkhupho", "tenxom", "xom", "tenlang", "lang",
    "tenbuon", "buon", "thonbuon", "tenthonbuon", "tenkhupho", "khupho", "tentodanpho",
    "todanpho", "tdp", "tentdp", "diemdancu", "tendiemdancu", "khudancu", "tenkhudancu",
)  # fmt: skip
OTHER_NAMES = ("ten", "name", "fullname", "tengoi", "diaban", "tendiaban")  # of what, is not said
CODES = (
    "communecode", "maxa", "maphuongxa", "maxaphuong", "madvhcxa", "wardcode", "maxamoi",
    "newwardcode", "idxa", "xaid", "communeid", "wardid",
)  # fmt: skip
COMMUNES = (
    "communename", "commune", "ward", "wardname", "tenxa", "xa", "phuong", "xaphuong", "phuongxa",
    "tenxaphuong", "tenphuongxa", "xaphuongthitran", "phuongxathitran", "tenxaphuongthitran",
    "xaphuongdackhu", "tenxaphuongdackhu", "newwardname", "communeward", "tenxamoi", "xamoi",
    "thuocxa", "thuocxaphuong",
)  # fmt: skip
PEOPLE = (*commune_tables.PEOPLE, "khau", "sokhau", "tongsokhau")
PLACES = shapes.Asked("villages", "", "", (), takes_tables=True)
_PLACE = "__place"  # in the file's points
_SAME_PLACE = 4  # decimals of a degree, about 10 m


@dataclass(frozen=True)
class Asked:
    """What the settings say of the file of villages.

    `radius_km`: a village that lies farther outside its commune is left out.
    """

    name: str | None = None
    commune: str | None = None
    people: str | None = None
    stated: Stated = NOTHING_STATED
    radius_km: float = 1.5
    places: shapes.Asked = PLACES
    facts: village_facts.Asked = NOTHING_ASKED


@dataclass(frozen=True)
class _Columns:
    name: str
    code: str | None
    commune: str | None
    people: str | None
    facts: FactColumns


def villages_of(
    communes: gpd.GeoDataFrame, path: Path, about: Asked
) -> tuple[pd.DataFrame, list[Fault]]:
    """The declared table `villages` (positions in EPSG:4326, empty where not known); warnings.

    A village belongs to the commune that its row names, else to the one that it lies in. Left out
    with a warning: villages in no commune, and those farther than `radius_km` outside theirs.
    Raises `UserFault` with all rows that have no name or position, a commune that is not known,
    a cell that cannot be read, or a village that is there twice.
    """
    places, warnings = shapes.read_places(path, bounds_of(communes), about.places)
    columns = _columns(places, about)
    table = replace(places.table, rows=places.table.rows.with_row_index(_PLACE))
    if columns.code or columns.commune:
        table, found = rows_of_vintage(table, about.stated, vintage_of(communes))
        warnings += found
    points = places.points[table.rows[_PLACE].to_numpy()]
    people, found = _people(table, columns, about)
    warnings += found
    names = [unicodedata.normalize("NFC", one) for one in table.texts(columns.name)]
    rows = pd.DataFrame(
        {
            "village_name": pd.Series(names, dtype="str").map(values.printable),
            "latitude": shapely.get_y(points), "longitude": shapely.get_x(points),
            "people": people, "file": table.rows[FILE].to_list(), "row": table.rows[ROW].to_list(),
            "inside": commune_of_points(communes, points).reindex(range(len(points))),
        }
    )  # fmt: skip
    register = Register(communes)
    rows["commune_code"], rows["named"], faults, found = _homes(register, table, columns, rows)
    warnings += found
    faults += _row_faults(table, columns, places.position, rows)
    facts, wrong, found = village_facts.read_facts(table, columns.facts, about.facts)
    faults, warnings = faults + wrong, warnings + found
    if faults:
        raise UserFault(sorted(faults, key=lambda one: one.row or 0))
    rows["km"] = _km_outside(communes, points, rows)
    kept = rows[rows["km"] <= about.radius_km]
    warnings += _said(table.file, register, rows, kept, about.radius_km)
    kept = kept.sort_values(["commune_code", "village_name", "latitude", "longitude"])
    kept = kept.join(facts)
    listed = with_declared_dtypes("villages", kept.reset_index(drop=True))
    return validated("villages", listed), warnings


def with_nothing_further(villages: pd.DataFrame) -> pd.DataFrame:
    """Villages of which no more is known than the columns that are there."""
    unknown = {name: None for name in TABLES["villages"] if name not in villages}
    return villages.assign(**unknown)


def _columns(places: Places, about: Asked) -> _Columns:
    table, faults = places.table, []
    for key, column in (
        ("name_column", about.name), ("commune_column", about.commune),
        ("people_column", about.people),
    ):  # fmt: skip
        faults += other_tables.given_column(table, column, key)
    code = about.commune or usual_column(table, CODES, "commune_column", faults)
    commune = about.commune or usual_column(table, COMMUNES, "commune_column", faults)
    people = about.people or usual_column(table, PEOPLE, "people_column", faults)
    name = about.name or usual_column(table, NAMES, "name_column", faults)
    name = name or usual_column(table, OTHER_NAMES, "name_column", faults)
    if name is None:
        taken = (code, commune, people, *places.position)
        likely = [
            one for one in table.names if one not in taken and not holds_numbers(table, one)
        ] or ["…"]
        lines = [asked("name_column", one) for one in likely]
        found = list(table.names)
        faults.append(
            table.question("no_usual_heading", lines=lines, found=found, ours="name_column")
        )
    taken = (name, code, commune, people, *places.position)
    facts = village_facts.fact_columns(table, about.facts, taken, faults)
    if faults or name is None:
        raise UserFault(faults)
    return _Columns(name, code, commune, people, facts)


def _people(table: Table, columns: _Columns, about: Asked) -> tuple[np.ndarray, list[Fault]]:
    if columns.people is None:
        return np.full(table.rows.height, np.nan), []
    decimal = about.places.decimal
    how = commune_tables.Asked("villages", "people_column", PEOPLE, unit="1", decimal=decimal)
    return commune_tables.read_figures(table, columns.people, how)


# ── which commune ────────────────────────────────────────────────────────────────────────────────


def _homes(
    register: Register, table: Table, columns: _Columns, rows: pd.DataFrame
) -> tuple[list[str | None], list[str], list[Fault], list[Fault]]:
    """(commune codes, None of none; communes as the rows name them; faults; warnings)."""
    keys = _keys(register, table, columns)
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    asked_once = {row: key for key, row in first.items()}
    meeting = commune_names.met(register, asked_once, by_code=True)
    homes: list[str | None] = []
    unknown: dict[Key, list[int]] = {}
    for row, (key, inside) in enumerate(zip(keys, rows["inside"], strict=True)):
        here = inside if isinstance(inside, str) else None
        place = meeting.commune.get(first[key])
        several = [register.codes[one] for one in meeting.several.get(first[key], ())]
        is_open = place is None and key != Key() and here not in several
        if is_open and here is not None:  # outside the area other communes are meant
            unknown.setdefault(key, []).append(row)
        stated = None if place is None else register.codes[place]
        homes.append(None if is_open else stated or here)
    files, numbers, column = rows["file"].tolist(), rows["row"].tolist(), columns.commune
    faults = []
    for key, (row, *more) in unknown.items():
        inside = register.codes.index(str(rows["inside"][row]))
        found: dict[str, object] = {
            "found": key.name or key.code,
            "count": 1 + len(more),
            "expected": register.shown(inside),
        }
        at = (files[row], numbers[row], column or columns.code or "")
        faults.append(Fault("village_commune", *at, found))
    warnings = commune_tables.meeting_warnings(
        table, columns.code, columns.commune, register, asked_once, meeting
    )
    return homes, [key.name or key.code for key in keys], faults, warnings


def _keys(register: Register, table: Table, columns: _Columns) -> list[Key]:
    """What each row says of its commune; a code that is no commune's leaves it to the name."""
    names = table.texts(columns.commune)
    if columns.code is None:
        return [Key(name=name) for name in names]
    codes = commune_names.codes_of(table.rows[columns.code].to_pandas())
    is_one = columns.code == columns.commune
    found = []
    for code, name in zip(codes, names, strict=True):
        is_code = register.place_of_code(code) is not None
        found.append(Key(code, "" if is_one else name) if is_code else Key("", name or code))
    return found


def _km_outside(communes: gpd.GeoDataFrame, points: np.ndarray, rows: pd.DataFrame) -> pd.Series:
    """How far each village lies outside its commune, km; infinite where it has none.

    In the UTM zone of the area's middle, which is right to 1 % where a village may be kept.
    """
    km = pd.Series(0.0, rows.index).mask(rows["commune_code"].isna(), np.inf)
    apart = rows["commune_code"].notna() & (rows["commune_code"] != rows["inside"])
    if apart.any():
        crs = communes.estimate_utm_crs()
        own = pd.Index(communes["commune_code"]).get_indexer(rows.loc[apart, "commune_code"])
        outlines = communes.geometry.to_crs(crs).to_numpy()[own]
        found = gpd.GeoSeries(points[apart], crs=4326).to_crs(crs).to_numpy()
        km[apart] = shapely.distance(found, outlines) / 1000
    return km


# ── what is wrong ────────────────────────────────────────────────────────────────────────────────


def _row_faults(
    table: Table, columns: _Columns, position: tuple[str, ...], rows: pd.DataFrame
) -> list[Fault]:
    """Villages without a name or position, figures that are none, villages that are there twice."""
    faults = []
    figures, *cells = (table.texts(one) for one in (columns.people, *position))
    spot = _spot(rows)
    firsts = spot.assign(place=rows.index).groupby(list(spot))["place"].transform("first").tolist()
    read = (rows[one].tolist() for one in ("file", "row", "village_name", "latitude", "people"))
    for place, (file, row, name, latitude, people) in enumerate(zip(*read, strict=True)):
        if not name:
            faults.append(Fault("village_unnamed", file, row, columns.name))
        if np.isnan(latitude):
            found = " ".join(texts[place] for texts in cells).strip()
            column = position[0] if position else ""
            faults.append(Fault("village_unplaced", file, row, column, {"found": found or "–"}))
        if commune_tables.is_no_figure(figures[place], people):
            bad: dict[str, object] = {"found": figures[place]}
            faults.append(Fault("bad_population", file, row, columns.people or "", bad))
        if name and firsts[place] < place:
            other = int(rows["row"][int(firsts[place])])
            twice: dict[str, object] = {"found": name, "row_of_other": other}
            faults.append(Fault("village_repeated", file, row, columns.name, twice))
    return faults


def _spot(rows: pd.DataFrame) -> pd.DataFrame:
    """What a village that is there twice has in common."""
    return pd.DataFrame(
        {
            "commune_code": rows["commune_code"],
            "name": rows["village_name"].map(values.name_key),
            "latitude": rows["latitude"].round(_SAME_PLACE),
            "longitude": rows["longitude"].round(_SAME_PLACE),
        }
    )


def _said(
    file: str, register: Register, rows: pd.DataFrame, kept: pd.DataFrame, radius_km: float
) -> list[Fault]:
    """Warnings that list the villages left out, those kept though outside, and names of several."""
    names = dict(zip(register.codes, register.names, strict=True))
    communes = rows["commune_code"].map(names).fillna(rows["named"])
    shown = rows["village_name"] + communes.map(lambda one: f" ({one})" if one else "")
    ids = [kept["commune_code"], kept["village_name"].map(values.name_key)]
    is_shared = kept.groupby(ids)["row"].transform("size") > 1
    listed = {
        "villages_left_out": shown[rows.index.difference(kept.index)].tolist(),
        "villages_outside": shown[kept.index[kept["km"] > 0]].tolist(),
        "villages_of_one_name": shown[kept.index[is_shared]].drop_duplicates().tolist(),
    }
    about = {"of": len(rows), "radius": radius_km}
    return [
        Fault(code, file, values={"found": found, "count": len(found), **about})
        for code, found in listed.items()
        if found
    ]
