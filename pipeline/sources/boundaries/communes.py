"""Communes: read, examine, repair.

Key = (code, vintage): codes were re-used in the 2025 reform (METHOD §8).

Assume the file valid, try to falsify it, collect every reason, raise once. A CRS is never guessed.
Does not belong here: people (`population.py`), which commune holds a point (`locate.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.config.settings import Boundaries
from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.sources import values
from pipeline.sources.boundaries import codes as commune_codes
from pipeline.sources.boundaries import crs as crs_checks
from pipeline.sources.boundaries import official, repair
from pipeline.sources.boundaries.reading import Raw, read_raw, shapes_of

CODE_COLUMNS = (
    "commune_code",
    "code",
    "ma_xa",
    "maxa",
    "ma_dvhc",
    "madvhc",
    "ward_code",
    "wardcode",
    "ma",
    "gid_3",
    "iso_3166_2",
)
NAME_COLUMNS = (
    "commune_name",
    "fullname",
    "full_name",
    "ten_xa",
    "tenxa",
    "ten",
    "name",
    "ward",
    "ward_name",
)
_MAX_KM2 = 100_000.0  # a larger commune means wrong coordinates
_MIN_KM2 = 1e-3  # no commune of a file is larger: wrong coordinates too
_NO_KM2 = 1e-6  # 1 m²: nothing


def read_communes(
    path: Path | Sequence[Path], about: Boundaries
) -> tuple[gpd.GeoDataFrame, list[Fault]]:
    """The boundary files → `communes` (EPSG:4326, sorted by code) and the things worth a warning.

    `path`: a file, a folder, a glob or an archive, or several of these. Outlines are repaired and
    every change is reported in m²; areas are geodesic. Raises `UserFault` with everything at once:
    absent columns, a CRS that is absent or contradicts the numbers, an open choice of layer,
    encoding or code length, empty or repeated codes, rows without an area, absurd areas, another
    count than expected, absurd populations.
    """
    raw = read_raw(path, layer=about.layer, encoding=about.encoding)
    table, file = raw.attributes, raw.name
    faults: list[Fault] = []
    code, name = _key_columns(table, about, file, faults)
    codes = None if code is None else commune_codes.as_text(table[code])
    where, warnings, found = crs_checks.placed(
        raw.parts,
        about.crs,
        swap_axes=about.swap_axes,
        codes=None if codes is None else codes.str.zfill(official.CODE_LENGTH),
    )
    warnings = [*raw.notes, *warnings]
    faults += found
    if codes is None or code is None or name is None or where is None:
        shapeless = _shape_faults(raw, shapes_of(raw.parts), codes, dissolve=about.dissolve)
        raise UserFault([*faults, *shapeless])

    names = _texts(table, name)
    inside = _in_vietnam(where.shapes)
    codes, said, found = commune_codes.with_zeros(
        codes, names, about.code_length, in_vietnam=inside, file=file, column=code
    )
    warnings += said
    faults += found
    population = _numbers(table, about.population_column)
    faults += _code_faults(raw, code, codes, names, dissolve=about.dissolve)
    faults += _population_faults(raw, table, about.population_column, population)
    shapes = repair.polygonal(where.shapes)
    faults += _shape_faults(raw, shapes, codes, dissolve=about.dissolve)
    if faults:
        raise UserFault(faults)
    warnings += _collections(where.shapes, shapes, codes, file)

    communes = _attributes(table, about, codes, names, population)
    if about.dissolve:
        communes, shapes, said = _dissolved(communes, shapes, about.expected_count, file)
        warnings += said
    outlines, said, faults = repair.sound(shapes, communes["commune_code"], file)
    warnings += said + _repeated_names(communes, file)
    communes["area_km2"] = repair.areas_km2(outlines)
    faults += _area_faults(communes, outlines, where.name, file)
    if faults:
        raise UserFault(faults)
    frame = gpd.GeoDataFrame(communes, geometry=outlines, crs="EPSG:4326").sort_values(
        "commune_code", ignore_index=True
    )
    return gpd.GeoDataFrame(
        validated("communes", with_declared_dtypes("communes", frame)), crs="EPSG:4326"
    ), warnings


def _attributes(
    table: pd.DataFrame, about: Boundaries, codes: pd.Series, names: pd.Series, people: pd.Series
) -> pd.DataFrame:
    """The columns of `communes` that are not geometry, a row for each row of the file."""
    return pd.DataFrame(
        {
            "commune_code": codes,
            "commune_name": names.fillna(codes),
            "former_district": _texts(table, about.former_district_column),
            "former_communes": _texts(table, about.former_communes_column),
            "province_name": _texts(table, about.province_column),
            "boundary_vintage": about.vintage,
            "population": people,
            "terrain": _texts(table, about.terrain_column),
        }
    )


def _key_columns(
    table: pd.DataFrame, about: Boundaries, file: str, faults: list[Fault]
) -> tuple[str | None, str | None]:
    """(column of codes, column of names); what the file lacks of the settings is a fault."""
    columns = [str(c) for c in table.columns]
    code = _chosen(columns, about.code_column, CODE_COLUMNS, "code_column", file, faults)
    name = _chosen(columns, about.name_column, NAME_COLUMNS, "name_column", file, faults)
    for setting, column in (
        ("former_district_column", about.former_district_column),
        ("former_communes_column", about.former_communes_column),
        ("province_column", about.province_column),
        ("population_column", about.population_column),
        ("terrain_column", about.terrain_column),
    ):
        if column is not None and column not in columns:
            faults.append(
                Fault("missing_column", file, None, column, {"found": columns, "ours": setting})
            )
    if not about.dissolve:
        faults += _count_fault(len(table), about.expected_count, file)
    return code, name


def _collections(
    before: np.ndarray, polygons: np.ndarray, codes: pd.Series, file: str
) -> list[Fault]:
    """A warning on collections of which the polygons were kept."""
    reduced = shapely.get_type_id(before) == shapely.GeometryType.GEOMETRYCOLLECTION
    reduced &= ~shapely.is_empty(polygons)
    if not reduced.any():
        return []
    places = repair.first_of(codes[reduced].tolist())
    return [Fault("collections", file, values={"count": int(reduced.sum()), "places": places})]


def _chosen(
    columns: list[str],
    given: str | None,
    usual: tuple[str, ...],
    setting: str,
    file: str,
    faults: list[Fault],
) -> str | None:
    if given is not None:
        if given not in columns:
            faults.append(
                Fault("missing_column", file, None, given, {"found": columns, "ours": setting})
            )
            return None
        return given
    found = usual_column(columns, usual)
    if found is None:
        faults.append(
            Fault(
                "no_usual_column", file, None, setting, {"found": columns, "expected": list(usual)}
            )
        )
    return found


def usual_column(columns: Sequence[str], usual: Sequence[str]) -> str | None:
    """The column that bears the first of the usual names; case does not matter."""
    lower = {c.casefold(): c for c in reversed(columns)}
    return next((lower[name] for name in usual if name in lower), None)


def _count_fault(count: int, expected: int | None, file: str) -> list[Fault]:
    if expected is None or count == expected:
        return []
    return [Fault("commune_count", file, values={"found": count, "expected": expected})]


def _texts(table: pd.DataFrame, column: str | None) -> pd.Series:
    return (
        pd.Series(None, index=table.index, dtype="str")
        if column is None
        else values.by_distinct(table[column], values.printable)
    )


def _numbers(table: pd.DataFrame, column: str | None) -> pd.Series:
    if column is None:
        return pd.Series(np.nan, index=table.index)
    return values.counts(table[column])


def _in_vietnam(shapes: np.ndarray) -> bool:
    """Whether the shapes lie in a box round Vietnam's land and islands."""
    bounds = shapely.total_bounds(shapes)
    west, south, east, north = official.COUNTRY
    return bool(
        np.isfinite(bounds).all()
        and bounds[0] >= west
        and bounds[1] >= south
        and bounds[2] <= east
        and bounds[3] <= north
    )


def _rows(raw: Raw, met: pd.Series | np.ndarray, shown: pd.Series | None = None) -> str:
    """The first rows that are met: file where there are several, row, and what stands there."""
    several = len(raw.parts) > 1
    places = raw.places
    items = []
    for i in np.flatnonzero(np.asarray(met)).tolist():
        file, row = places[i]
        place = f"{file} {row}" if several else str(row)
        items.append(f"{shown.iloc[i]} ({place})" if shown is not None else place)
    return repair.first_of(items)


def _code_faults(
    raw: Raw, code: str, codes: pd.Series, names: pd.Series, *, dissolve: bool
) -> list[Fault]:
    faults = []
    blank = codes.isna() | codes.eq("")
    if blank.any():
        found: dict[str, object] = {"count": int(blank.sum()), "places": _rows(raw, blank)}
        faults.append(Fault("blank_codes", raw.name, None, code, found))
    repeated = codes.duplicated(keep=False) & ~blank
    if repeated.any() and not dissolve:
        found = {"count": int(codes[repeated].nunique()), "places": _rows(raw, repeated, codes)}
        one_name = names[repeated].groupby(codes[repeated]).nunique().le(1).all()
        kind = "repeated_codes_of_parts" if one_name else "repeated_codes"
        faults.append(Fault(kind, raw.name, None, code, found))
    return faults


def _shape_faults(
    raw: Raw, shapes: np.ndarray, codes: pd.Series | None, *, dissolve: bool
) -> list[Fault]:
    """Rows without a polygon; when parts are dissolved, codes without one."""
    without = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    without |= shapely.get_dimensions(shapes) < 2
    if dissolve and codes is not None:
        without = (
            pd.Series(without).groupby(codes.to_numpy(), dropna=False).transform("all").to_numpy()
        )
    if not without.any():
        return []
    found = {"count": int(without.sum()), "places": _rows(raw, without, codes)}
    return [Fault("no_polygons", raw.name, None, "geometry", found)]


def _population_faults(
    raw: Raw, table: pd.DataFrame, column: str | None, population: pd.Series
) -> list[Fault]:
    if column is None:
        return []
    bad = population.lt(0) | (population.isna() & table[column].notna())
    if not bad.any():
        return []
    found: dict[str, object] = {"found": _rows(raw, bad, table[column])}
    return [Fault("bad_population", raw.name, None, column, found)]


def _dissolved(
    communes: pd.DataFrame, shapes: np.ndarray, expected: int | None, file: str
) -> tuple[pd.DataFrame, np.ndarray, list[Fault]]:
    """(communes, shapes, warnings): the parts of one code as one commune.

    Raises `UserFault` where rows of a code differ in a column that both fill in, or the number of
    communes is not the expected one.
    """
    faults = []
    by_code = communes.groupby("commune_code", sort=False, dropna=False)
    for column in communes.columns.drop(["commune_code", "boundary_vintage"]):
        unlike = by_code[column].nunique()
        if (unlike > 1).any():
            found: dict[str, object] = {
                "found": column,
                "places": repair.first_of(unlike[unlike > 1].index.tolist()),
            }
            faults.append(Fault("parts_unlike", file, values=found))
    faults += _count_fault(by_code.ngroups, expected, file)
    if faults:
        raise UserFault(faults)
    merged = by_code.first().reset_index()[list(communes.columns)]
    numbers = by_code.ngroup().to_numpy()
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(numbers[order]) > 0])
    groups = np.split(shapes[order], starts[1:])
    joined = np.array(
        [group[0] if len(group) == 1 else _joined(group) for group in groups], dtype=object
    )
    said = []
    if len(merged) < len(communes):
        sizes: dict[str, object] = {"found": len(communes), "count": len(merged)}
        said.append(Fault("dissolved", file, values=sizes))
    return merged, joined, said


def _joined(group: np.ndarray) -> object:
    valid = np.where(shapely.is_valid(group), group, shapely.make_valid(group))
    return repair.polygonal(np.array([shapely.union_all(valid)], dtype=object))[0]


def _repeated_names(communes: pd.DataFrame, file: str) -> list[Fault]:
    key = ["commune_name", "former_district", "province_name"]
    again = communes.duplicated(key, keep=False)
    if not again.any():
        return []
    names = sorted(communes.loc[again, "commune_name"].unique())
    found = {"count": len(names), "places": repair.first_of(names)}
    return [Fault("repeated_names", file, values=found)]


def _area_faults(communes: pd.DataFrame, outlines: np.ndarray, crs: str, file: str) -> list[Fault]:
    """Areas that no commune has: the coordinates are not what the CRS says."""
    km2 = communes["area_km2"]
    bounds = shapely.total_bounds(outlines)
    values: dict[str, object] = {"crs": crs}
    values["extent"] = " – ".join(f"{number:.3f}" for number in bounds)
    if km2.lt(_MIN_KM2).all() or km2.gt(_MAX_KM2).any():
        low, high = f"{km2.min():.6f}", f"{km2.max():.0f}" if km2.max() > 1 else f"{km2.max():.6f}"
        return [Fault("absurd_area", file, values=values | {"found": f"{low} – {high}"})]
    none = km2.lt(_NO_KM2)
    if none.any():
        places = repair.first_of(communes.loc[none, "commune_code"].tolist())
        found = {"count": int(none.sum()), "places": places}
        return [Fault("no_area", file, values=found)]
    return []
