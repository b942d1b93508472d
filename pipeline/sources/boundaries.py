"""Communes: read, examine, repair.

Key = (code, vintage): codes were re-used in the 2025 reform (METHOD §8).

Assume the file valid, try to falsify it, collect every reason, raise once. A CRS is never guessed.
Does not belong here: people (`population.py`), which commune holds a point (`locate.py`).
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from pipeline.config.settings import Boundaries
from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.sources import values

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
_SLIVER_SHARE = 1e-4  # overlaps below this share of the smaller commune are digitising noise


def read_communes(path: Path, about: Boundaries) -> tuple[gpd.GeoDataFrame, list[Fault]]:
    """The boundary file → `communes` (EPSG:4326, sorted by code) and the things worth a warning.

    Invalid rings are repaired and said so; areas are geodesic. Raises `UserFault` with everything
    at once: no CRS, absent columns, empty or repeated codes, rows without an area, another count
    than expected, absurd populations.
    """
    raw = _read(path, about.layer)
    file = path.name
    code, name = _key_columns(raw, about, file)
    codes = _codes(raw[code], about.code_length)
    population = _numbers(raw, about.population_column)
    faults = _row_faults(raw, file, code, codes, about.population_column, population)
    if raw.crs is None and about.crs is not None:
        try:
            raw = raw.set_crs(about.crs)
        except (pyproj.exceptions.CRSError, ValueError):
            faults.append(Fault("bad_crs", file, values={"found": about.crs}))
    if faults:
        raise UserFault(faults)

    outlines, warnings = _sound(raw.to_crs("EPSG:4326").geometry.to_numpy(), codes, file)
    communes = gpd.GeoDataFrame(
        {
            "commune_code": codes,
            "commune_name": _texts(raw, name).fillna(codes),
            "former_district": _texts(raw, about.former_district_column),
            "former_communes": _texts(raw, about.former_communes_column),
            "province_name": _texts(raw, about.province_column),
            "boundary_vintage": about.vintage,
            "population": population,
            "terrain": _texts(raw, about.terrain_column),
            "area_km2": _areas_km2(outlines),
        },
        geometry=outlines,
        crs="EPSG:4326",
    ).sort_values("commune_code", ignore_index=True)
    return gpd.GeoDataFrame(
        validated("communes", with_declared_dtypes("communes", communes)), crs="EPSG:4326"
    ), warnings


def _key_columns(raw: gpd.GeoDataFrame, about: Boundaries, file: str) -> tuple[str, str]:
    """(column of codes, column of names), once the file has what the settings name."""
    faults: list[Fault] = []
    columns = [str(c) for c in raw.columns if c != raw.geometry.name]
    if raw.crs is None and about.crs is None:
        faults.append(Fault("no_crs", file))
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
    expected = about.expected_count
    if expected is not None and len(raw) != expected:
        faults.append(
            Fault("commune_count", file, values={"found": len(raw), "expected": expected})
        )
    if faults or code is None or name is None:
        raise UserFault(faults)
    return code, name


def _read(path: Path, layer: str | None) -> gpd.GeoDataFrame:
    if not path.exists():
        raise fault("missing_file", path)
    if path.is_file() and path.stat().st_size == 0:
        raise fault("empty_file", path.name)
    try:
        if path.suffix.lower() == ".parquet":
            raw = gpd.read_parquet(path)
        else:
            raw = gpd.read_file(path, layer=layer) if layer else gpd.read_file(path)
    except Exception as error:  # noqa: BLE001 - whatever GDAL and pyarrow raise
        found = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise fault(
            "unreadable_file",
            path.name,
            found=found,
            expected="GeoJSON, GeoPackage, Shapefile, GeoParquet",
        ) from None
    if not isinstance(raw, gpd.GeoDataFrame) or not len(raw):
        raise fault("empty_file", path.name)
    return raw.set_geometry(shapely.force_2d(raw.geometry.to_numpy()), crs=raw.crs)


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
    lower = {c.casefold(): c for c in reversed(columns)}
    for candidate in usual:
        if candidate in lower:
            return lower[candidate]
    faults.append(
        Fault("no_usual_column", file, None, setting, {"found": columns, "expected": list(usual)})
    )
    return None


def _codes(column: pd.Series, length: int | None) -> pd.Series:
    """Codes as text; numbers lose their `.0`, and `length` gives back leading zeros."""
    if pd.api.types.is_numeric_dtype(column):
        text = column.astype("Int64").astype("str")
    else:
        text = values.by_distinct(column, values.printable).str.replace(r"\.0$", "", regex=True)
    return text.str.zfill(length) if length else text


def _texts(raw: gpd.GeoDataFrame, column: str | None) -> pd.Series:
    return (
        pd.Series(None, index=raw.index, dtype="str")
        if column is None
        else values.by_distinct(raw[column], values.printable)
    )


def _numbers(raw: gpd.GeoDataFrame, column: str | None) -> pd.Series:
    if column is None:
        return pd.Series(np.nan, index=raw.index)
    return values.counts(raw[column])


def _row_faults(
    raw: gpd.GeoDataFrame,
    file: str,
    code: str,
    codes: pd.Series,
    population_column: str | None,
    population: pd.Series,
) -> list[Fault]:
    faults = []
    blank = codes.isna() | codes.eq("")
    repeated = codes.duplicated(keep=False) & ~blank
    shapeless = (
        raw.geometry.isna()
        | raw.geometry.is_empty
        | ~raw.geometry.geom_type.isin(["Polygon", "MultiPolygon"])
    )
    rows = range(1, len(raw) + 1)
    for row, is_blank, is_repeated, is_shapeless, text in zip(
        rows, blank, repeated, shapeless, codes, strict=True
    ):
        if is_blank:
            faults.append(Fault("blank_code", file, row, code))
        if is_repeated:
            faults.append(Fault("repeated_code", file, row, code, {"found": text}))
        if is_shapeless:
            faults.append(Fault("no_polygon", file, row, "geometry", {"found": text}))
    if population_column is not None:
        met = raw[population_column]
        for row, people, text in zip(rows, population, met, strict=True):
            if people < 0 or (pd.isna(people) and not pd.isna(text)):
                faults.append(
                    Fault("bad_population", file, row, population_column, {"found": text})
                )
    return faults


def _sound(outlines: np.ndarray, codes: pd.Series, file: str) -> tuple[np.ndarray, list[Fault]]:
    """Repaired outlines, and warnings.

    Warnings say what was repaired and which communes overlap by more than slivers.
    """
    warnings = []
    faulty = ~shapely.is_valid(outlines)
    if faulty.any():
        warnings.append(Fault("repaired_outline", file, values={"found": list(codes[faulty])}))
        outlines = np.where(faulty, _polygonal(shapely.make_valid(outlines)), outlines)
    first, second = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    pairs = first < second
    shared = shapely.area(shapely.intersection(outlines[first[pairs]], outlines[second[pairs]]))
    smaller = np.minimum(
        shapely.area(outlines[first[pairs]]), shapely.area(outlines[second[pairs]])
    )
    for one, other in zip(
        first[pairs][shared > _SLIVER_SHARE * smaller],
        second[pairs][shared > _SLIVER_SHARE * smaller],
        strict=True,
    ):
        warnings.append(
            Fault("overlap", file, values={"found": f"{codes.iloc[one]}, {codes.iloc[other]}"})
        )
    return outlines, warnings


def _areas_km2(outlines: np.ndarray) -> np.ndarray:
    """Geodesic areas on WGS 84: of every outer ring, less those of its holes.

    Source: Karney, J. Geodesy 87, 2013 (pyproj).
    """
    geod = pyproj.Geod(ellps="WGS84")
    parts, of_part = shapely.get_parts(outlines, return_index=True)
    rings, of_ring = shapely.get_rings(parts, return_index=True)
    points = (shapely.get_coordinates(ring).T for ring in rings)
    areas = np.array([abs(geod.polygon_area_perimeter(lon, lat)[0]) / 1e6 for lon, lat in points])
    is_outer = np.r_[True, np.diff(of_ring) > 0]  # a part's rings begin with it
    return np.bincount(
        of_part[of_ring], weights=np.where(is_outer, areas, -areas), minlength=len(outlines)
    )


def _polygonal(shapes: np.ndarray) -> np.ndarray:
    """The polygon parts of repaired shapes.

    `make_valid` may add points and lines where rings collapse.
    """
    return np.array(
        [
            shapely.union_all([p for p in shapely.get_parts(s) if p.geom_type.endswith("Polygon")])
            for s in shapes
        ],
        dtype=object,
    )
