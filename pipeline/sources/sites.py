"""Existing and candidate sites of mobile networks → the table `sites`.

From a table of places, a vector file, or cells as OpenCellID lists them. Does not belong here:
where the rows of a file lie (`shapes.py`), bands, technologies and operators of one cell's text
(`site_cells.py`), what a site covers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from pipeline.schema.columns import FIELDS
from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.sources import other_tables, shapes, site_cells, values
from pipeline.sources.cells.positions import Bounds
from pipeline.sources.containers import ROW
from pipeline.sources.context_layers import bounds_of
from pipeline.sources.other_tables import FILE, Table, usual_column, wrong_cells

PLACES = shapes.Asked("sites", "", "", (), takes_tables=True)
KEYS = {
    "site_id": "id_column", "site_operator": "operator_column",
    "site_technology": "technology_column", "band_mhz": "band_column",
    "height_m": "height_column", "is_candidate": "candidate_column",
}  # fmt: skip
# usual headings by our column, as `heading_key` writes them; those of a later line are looked for
# where none of an earlier line is met
HEADINGS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "site_id": (
        ("siteid", "site_id", "sitecode", "site", "matram", "matrambts", "idtram", "sohieutram",
         "mabts", "btsid", "enodebid", "enbid", "enodeb"),
        ("sitename", "tentram", "trambts", "tram", "name", "ten", "id", "ma", "code"),
    ),
    "site_operator": (
        ("siteoperator", "operator", "nhamang", "mang", "tennhamang", "doanhnghiep", "provider",
         "mno", "carrier"),
    ),
    "site_technology": (
        ("sitetechnology", "technology", "technologies", "tech", "congnghe", "loaimang", "rat",
         "radio", "congnghephatsong"),
    ),
    "band_mhz": (
        ("bandmhz", "band", "bands", "bangtan", "bangtanmhz", "tanso", "tansomhz", "dotan",
         "frequency", "frequencymhz", "frequencyband"),
    ),
    "height_m": (
        ("antennaheight", "antennaheightm", "docaoanten", "docaoangten", "chieucaoanten",
         "chieucaoangten", "docaotreoanten", "docaotreoangten"),
        ("heightm", "height", "towerheight", "towerheightm", "docaocot", "chieucaocot",
         "docaocotanten", "docaocotangten", "chieucaocotanten", "chieucaocotangten",
         "caocot", "docaothap", "chieucao"),
    ),
    "is_candidate": (
        ("iscandidate", "candidate", "tramdukien", "dukien", "tramdexuat", "dexuat", "ungvien",
         "tramungvien", "vitridexuat", "vitridukien", "planned", "proposed", "tramquyhoach"),
        ("status", "sitestatus", "trangthai", "tinhtrang", "hientrang", "trangthaitram",
         "tinhtrangtram", "hientrangtram"),
    ),
}  # fmt: skip
MCC = ("mcc",)
NET = ("net", "mnc")
# columns of OpenCellID's files, which have no headings where they are downloaded by country
OPENCELLID = (
    "radio", "mcc", "net", "area", "cell", "unit", "lon", "lat", "range", "samples", "changeable",
    "created", "updated", "averageSignal",
)  # fmt: skip
RADIOS = ("GSM", "UMTS", "LTE", "NR", "CDMA")
MAX_KM = 20.0  # outside the communes' bounds: a site farther away covers nobody inside
SITE_M = 100.0  # cells of one operator so near to its first one are one site
_EARTH_KM = 6371.0088  # mean radius (IUGG)


@dataclass(frozen=True)
class Asked:
    """What the settings say of the file of sites.

    `columns`: headings by our column. `operators`: of [operators], with their spellings; none: any.
    """

    columns: Mapping[str, str | None] = field(default_factory=dict)
    operators: Mapping[str, Sequence[str]] = field(default_factory=dict)
    places: shapes.Asked = PLACES


def read_sites(
    path: Path, communes: gpd.GeoDataFrame, about: Asked
) -> tuple[pd.DataFrame, list[Fault]]:
    """The declared table `sites` in the order of the file; warnings.

    Sites more than MAX_KM outside the communes' bounds are left out with a warning; nearer ones
    stay, because a site across the border covers people too. Where a file has network codes (mcc
    and net), its rows are cells: those of one operator within SITE_M of its first one are a site,
    at their mean position. Raises `UserFault` with what is wrong in all rows.
    """
    bounds = bounds_of(communes)
    places, warnings = _read_places(path, bounds, about.places)
    table = places.table
    faults: list[Fault] = []
    is_cells, columns = _columns(table, about, faults)
    if faults:
        raise UserFault(faults)
    warnings += _without_doubtful(table, columns, about)
    rows = _rows(table, columns, about, faults)
    rows["latitude"] = shapely.get_y(places.points)
    rows["longitude"] = shapely.get_x(places.points)
    faults += _unplaced(places, rows)
    if is_cells:
        rows, found = _own_cells(table, rows, about)
        warnings += found
    faults += [] if is_cells else _repeated(table, columns["site_id"], rows)
    if faults:
        raise UserFault(sorted(faults, key=lambda one: one.row or 0))
    is_near = _km_outside(rows, bounds) <= MAX_KM
    if not is_near.all():
        about_far: dict[str, object] = {
            "count": int((~is_near).sum()), "of": len(rows), "km": MAX_KM,
            "found": [one for one in rows.loc[~is_near, "site_id"] if one][:10] or "–",
        }  # fmt: skip
        warnings.append(Fault("sites_outside", table.file, values=about_far))
    rows = rows[is_near]
    if is_cells:
        rows = sites_of_cells(rows)
    rows = rows.assign(site_id=_numbered(rows["site_id"].tolist())).reset_index(drop=True)
    return validated("sites", with_declared_dtypes("sites", rows)), warnings


# --- columns


def _read_places(
    path: Path, bounds: Bounds, about: shapes.Asked
) -> tuple[shapes.Places, list[Fault]]:
    """`shapes.read_places`, and cells of OpenCellID in a file without headings."""
    unnamed = [f"column_{number}" for number in range(1, len(OPENCELLID) + 1)]
    try:
        places, warnings = shapes.read_places(path, bounds, about)
    except UserFault as error:
        found = error.faults[0].values.get("found")
        if error.faults[0].code != "no_usual_heading" or found != unnamed:
            raise
        latitude, longitude = (unnamed[OPENCELLID.index(one)] for one in ("lat", "lon"))
        about = replace(about, latitude=latitude, longitude=longitude)
        places, warnings = shapes.read_places(path, bounds, about)
        if not set(places.table.rows[unnamed[0]].unique()) <= set(RADIOS):
            raise
    if list(places.table.names) != unnamed:
        return places, warnings
    names = dict(zip(unnamed, OPENCELLID, strict=True))
    table = replace(places.table, names=OPENCELLID, rows=places.table.rows.rename(names))
    said: dict[str, object] = {"found": list(OPENCELLID)}
    warnings = [
        *(one for one in warnings if one.code != "no_heading_row"),
        Fault("site_cells_unnamed", table.file, values=said),
    ]
    return shapes.Places(table, places.points, ("lat", "lon")), warnings


def _columns(table: Table, about: Asked, faults: list[Fault]) -> tuple[bool, dict[str, str | None]]:
    """(whether the rows are cells, headings by our column); questions go into `faults`."""
    for ours, column in about.columns.items():
        faults += other_tables.given_column(table, column, KEYS[ours])
    is_named = about.columns.get("site_operator") is not None
    codes = [other_tables.usual_columns(table, usual) for usual in (MCC, NET)]
    is_cells = all(len(one) == 1 for one in codes) and not is_named
    columns: dict[str, str | None] = {}
    for ours, lines in HEADINGS.items():
        column = about.columns.get(ours)
        if column is None and not (is_cells and ours in ("site_id", "site_operator")):
            found = (usual_column(table, usual, KEYS[ours], faults) for usual in lines)
            column = next((one for one in found if one is not None), None)
        columns[ours] = column
    return is_cells, columns


def _without_doubtful(table: Table, columns: dict[str, str | None], about: Asked) -> list[Fault]:
    """Take names that repeat from the ids, and other statuses from the candidates; notes on both.

    Only of columns under a heading that may mean something else (the second line of HEADINGS): an
    id that the settings or a plain heading name must be one.
    """

    def is_doubtful(ours: str) -> bool:
        column = columns[ours]
        usual = other_tables.usual_columns(table, HEADINGS[ours][1])
        return column is not None and about.columns.get(ours) is None and column in usual

    passed_over = {}
    ids = [one for one in table.texts(columns["site_id"]) if one]
    if is_doubtful("site_id") and len(set(ids)) < len(ids):
        passed_over["site_id"] = max(ids, key=ids.count)
    said = {one: site_cells.is_candidate(one) for one in table.texts(columns["is_candidate"])}
    unknown = [text for text, meaning in said.items() if text and meaning is None]
    if is_doubtful("is_candidate") and unknown and True not in said.values():
        passed_over["is_candidate"] = unknown[0]
    notes = []
    for ours, found in passed_over.items():
        about_it: dict[str, object] = {"found": found, "ours": KEYS[ours]}
        column, columns[ours] = columns[ours] or "", None
        notes.append(Fault("site_column_passed_over", table.file, None, column, about_it))
    return notes


# --- cells of the table


def _rows(
    table: Table, columns: Mapping[str, str | None], about: Asked, faults: list[Fault]
) -> pd.DataFrame:
    """The columns beside the position; what cannot be read goes into `faults`."""
    operators = site_cells.Operators.of(about.operators)
    height = partial(site_cells.height_of, decimal=about.places.decimal)
    low, high = site_cells.HEIGHTS_M
    reading: tuple[tuple[str, str, Callable[[str], object], object, object], ...] = (
        ("site_operator", "site_operator", operators.name_of, None, list(about.operators)),
        ("site_technology", "site_technology", site_cells.technologies_of, None, ""),
        ("band_mhz", "site_band", site_cells.band_of, np.nan, ""),
        ("height_m", "site_height", height, np.nan, f"{low:g}–{high:g}"),
        ("is_candidate", "site_candidate", site_cells.is_candidate, False, ""),
    )
    ids = [values.printable(one) for one in table.texts(columns["site_id"])]
    rows = pd.DataFrame({"site_id": pd.Series(ids, dtype="str")})
    for ours, code, read_one, nothing, expected in reading:
        column = columns[ours]
        texts = table.texts(column)
        known = {text: read_one(text) if text else nothing for text in dict.fromkeys(texts)}
        bad = {place: text for place, text in enumerate(texts) if text and known[text] is None}
        if column is not None:
            faults += wrong_cells(code, table, column, bad, expected)
        rows[ours] = pd.Series([known[text] for text in texts], dtype=FIELDS[ours].dtype)
    return rows


def _unplaced(places: shapes.Places, rows: pd.DataFrame) -> list[Fault]:
    """Rows without a position that can be read."""
    table, faults = places.table, []
    cells = [table.texts(one) for one in places.position]
    column = places.position[0] if places.position else ""
    for place in np.flatnonzero(rows["latitude"].isna()).tolist():
        found = " ".join(texts[place] for texts in cells).strip() or "–"
        at = (str(table.rows[FILE][place]), int(table.rows[ROW][place]), column)
        faults.append(Fault("site_unplaced", *at, {"found": found}))
    return faults


def _repeated(table: Table, column: str | None, rows: pd.DataFrame) -> list[Fault]:
    """Ids that an earlier row has; a row without an id is never one."""
    first: dict[str, int] = {}
    faults = []
    for place, one in enumerate(rows["site_id"].tolist()):
        if not one:
            continue
        if one in first:
            other = int(table.rows[ROW][first[one]])
            at = (str(table.rows[FILE][place]), int(table.rows[ROW][place]), column or "")
            faults.append(Fault("site_repeated", *at, {"found": one, "row_of_other": other}))
        first.setdefault(one, place)
    return faults


# --- cells of OpenCellID


def _own_cells(table: Table, rows: pd.DataFrame, about: Asked) -> tuple[pd.DataFrame, list[Fault]]:
    """The cells of operators that are known, by their network codes; a warning on the others.

    Others are those of neighbour countries, and of networks that have closed or are not listed.
    """
    mcc, net = (table.texts(other_tables.usual_columns(table, one)[0]) for one in (MCC, NET))
    operators = site_cells.Operators.of(about.operators)
    codes = pd.Series([f"{country}-{network}" for country, network in zip(mcc, net, strict=True)])
    known = {code: operators.name_of_code(code) for code in codes.unique().tolist()}
    rows = rows.assign(site_operator=pd.Series(codes.map(known), dtype="str"))
    is_other = rows["site_operator"].isna()
    if not is_other.any():
        return rows, []
    said: dict[str, object] = {
        "count": int(is_other.sum()),
        "of": len(rows),
        "found": sorted(codes[is_other].unique().tolist()),
    }
    warning = Fault("site_cells_of_others", table.file, values=said)
    return rows[~is_other].reset_index(drop=True), [warning]


def sites_of_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """A row per site: cells of one operator within SITE_M of its first one, in order of the table.

    Position: the cells' mean. Technologies: of all. Band and height: the lowest band, the greatest
    height. Measured from its first cell, a site cannot grow along a street of cells.
    """
    cells = cells.reset_index(drop=True)
    site = np.full(len(cells), -1)
    operator, names = pd.factorize(cells["site_operator"], use_na_sentinel=False)
    spots = _on_sphere(cells["latitude"].to_numpy(), cells["longitude"].to_numpy())
    for number in range(len(names)):
        own = np.flatnonzero(operator == number)
        near = cKDTree(spots[own])
        for one, around in enumerate(near.query_ball_point(near.data, _chord_km(SITE_M / 1000))):
            if site[own[one]] < 0:
                neighbours = own[np.asarray(around)]
                site[neighbours[site[neighbours] < 0]] = own[one]
    groups = cells.groupby(site, sort=True)
    found = groups.agg(
        {
            "site_id": "first", "site_operator": "first", "latitude": "mean", "longitude": "mean",
            "band_mhz": "min", "height_m": "max", "is_candidate": "all",
        }
    )  # fmt: skip
    spoken: dict[int, set[str]] = {}
    for one, texts in zip(site.tolist(), cells["site_technology"].fillna(""), strict=True):
        spoken.setdefault(one, set()).update(text for text in texts.split(";") if text)
    found["site_technology"] = [";".join(sorted(spoken[one])) or None for one in found.index]
    return found.reset_index(drop=True)


# --- where and which


def _on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Points (km, from the Earth's middle) of positions in degrees: rows of x, y, z."""
    y, x = np.radians(latitude), np.radians(longitude)
    unit = np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])
    return np.asarray(_EARTH_KM * unit)


def _chord_km(km: float) -> float:
    """The straight distance between two points that are `km` apart on the sphere."""
    return float(2 * _EARTH_KM * np.sin(km / (2 * _EARTH_KM)))


def _km_outside(rows: pd.DataFrame, bounds: Bounds) -> pd.Series:
    """How far each row lies outside the bounds, km; right to 1 % near them."""
    west, south, east, north = bounds
    up = (rows["latitude"] - rows["latitude"].clip(south, north)).abs()
    right = (rows["longitude"] - rows["longitude"].clip(west, east)).abs()
    right *= np.cos(np.radians(rows["latitude"]))
    km: pd.Series = np.radians(np.hypot(up, right)) * _EARTH_KM
    return km


def _numbered(ids: Sequence[str]) -> list[str]:
    """The ids, S001 … by place where there is none; a number that is taken is passed over.

    >>> _numbered(["", "S002", ""])
    ['S001', 'S002', 'S003']
    """
    taken, number, found = set(ids), 0, []
    for one in ids:
        number += 1
        while not one and f"S{number:03d}" in taken:
            number += 1
        found.append(one or f"S{number:03d}")
    return found
