"""A one-page report on a boundary file, and whether a run would take it.

The same reading as the run's decides, so that the report never disagrees with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import shapely

from pipeline.config.settings import Boundaries
from pipeline.schema import texts
from pipeline.schema.errors import Fault, UserFault
from pipeline.sources.boundaries import alignment, communes, crs, repair
from pipeline.sources.boundaries.reading import Raw, layers_of, read_raw, shapes_of

_PARQUET = (".parquet", ".geoparquet")
_LISTED = 6


@dataclass(frozen=True)
class Lint:
    """What is to be said of a file: lines of the report, warnings, and faults that stop a run."""

    lines: list[str]
    warnings: list[Fault]
    faults: list[Fault] = field(default_factory=list)


def info(paths: Path | Sequence[Path], settings: Boundaries, lang: texts.Lang) -> list[str]:
    """A few lines: files, layers, columns, count, CRS and extent, whatever state they are in.

    Raises `UserFault` where the files cannot be opened.
    """
    raw = _raw(paths, settings)
    return [*_about_files(raw, lang), *_about_columns(raw, settings, lang)]


def lint(
    paths: Path | Sequence[Path],
    settings: Boundaries,
    lang: texts.Lang,
    against: Path | None = None,
) -> Lint:
    """The report on files read as `[boundaries]` of the settings says.

    `against`: a second file, of the same communes or of neighbours, whose edges show a shift.
    """
    try:
        raw = _raw(paths, settings)
    except UserFault as error:
        return Lint([], [], list(error.faults))
    lines = [*_about_files(raw, lang), *_about_columns(raw, settings, lang)]
    warnings: list[Fault] = list(raw.notes)
    faults: list[Fault] = []
    frame: gpd.GeoDataFrame | None = None
    try:
        frame, warnings = communes.read_communes(paths, settings)
    except UserFault as error:
        faults = list(error.faults)
    lines += _about_shapes(raw, settings, lang)
    if frame is not None:
        lines += _about_communes(frame, lang)
        if against is not None:
            lines += _about_shift(frame, against, settings, lang)
    return Lint(lines, warnings, faults)


def _raw(paths: Path | Sequence[Path], settings: Boundaries) -> Raw:
    return read_raw(paths, layer=settings.layer, encoding=settings.encoding)


def _about_files(raw: Raw, lang: texts.Lang) -> list[str]:
    parts = raw.parts
    names = repair.first_of([part.file for part in parts], _LISTED)
    lines = [texts.line("lint_files", lang, files=names, count=len(parts))]
    if len(raw.files) == 1 and not parts[0].source.lower().endswith(_PARQUET):
        layers = [str(one) for one in layers_of(parts[0].source, parts[0].file)]
        lines.append(texts.line("lint_layers", lang, layers="; ".join(layers)))
    stated = sorted({_crs_name(part.frame.crs) for part in parts})
    shapes = shapes_of(parts)
    bounds = shapely.total_bounds(shapes)
    extent = "–"
    if np.isfinite(bounds).all():
        west, south, east, north = bounds.tolist()
        digits = 4 if max(map(abs, bounds.tolist())) <= 1000 else 0
        extent = f"{west:.{digits}f} – {east:.{digits}f}, {south:.{digits}f} – {north:.{digits}f}"
    lines.append(texts.line("lint_crs", lang, crs=", ".join(stated), extent=extent))
    kinds = Counter("–" if shape is None else str(shape.geom_type) for shape in shapes)
    counted = ", ".join(f"{number} × {kind}" for kind, number in sorted(kinds.items()))
    lines.append(texts.line("lint_rows", lang, count=len(shapes), kinds=counted))
    return lines


def _crs_name(stated: pyproj.CRS | None) -> str:
    if stated is None:
        return "–"
    code = stated.to_epsg()
    return f"EPSG:{code} ({stated.name})" if code else str(stated.name)


def _about_columns(raw: Raw, settings: Boundaries, lang: texts.Lang) -> list[str]:
    table = raw.attributes
    columns = [str(column) for column in table.columns]
    code = settings.code_column or communes.usual_column(columns, communes.CODE_COLUMNS)
    name = settings.name_column or communes.usual_column(columns, communes.NAME_COLUMNS)
    lines = [texts.line("lint_columns", lang, columns=", ".join(columns))]
    for key, column in (("lint_code", code), ("lint_name", name)):
        known = column in columns
        examples = table[column].dropna().astype("str").tolist() if known else []
        shown = repair.first_of(examples, 3) if examples else "–"
        repeated = int(table[column].dropna().duplicated().sum()) if known else 0
        blank = int(table[column].isna().sum()) if known else 0
        values = {"column": column or "–", "example": shown, "repeated": repeated, "blank": blank}
        lines.append(texts.line(key, lang, **values))
    return lines


def _about_shapes(raw: Raw, settings: Boundaries, lang: texts.Lang) -> list[str]:
    """Faults of the rings as they stand in the file, slivers too, where the file can be placed."""
    where, _, _ = crs.placed(raw.parts, settings.crs, swap_axes=settings.swap_axes, codes=None)
    if where is None:
        return []
    shapes = where.shapes
    key = "lint_placed_file" if where.basis == "file" else "lint_placed_settings"
    lines = [texts.line(key, lang, crs=where.name)]
    empty = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    invalid = ~shapely.is_valid(shapes) & ~empty
    counts = {"empty": int(empty.sum()), "invalid": int(invalid.sum())}
    lines.append(texts.line("lint_rings", lang, **counts))
    return lines


def _about_communes(frame: gpd.GeoDataFrame, lang: texts.Lang) -> list[str]:
    km2 = frame["area_km2"]
    areas = {
        name: texts.number(float(value), lang, 2)
        for name, value in (("low", km2.min()), ("median", km2.median()), ("high", km2.max()))
    }
    lines = [
        texts.line("lint_areas", lang, count=len(frame), total=round(float(km2.sum())), **areas)
    ]
    outlines = frame.geometry.to_numpy()
    names = frame["commune_code"].to_numpy()
    first, second, common = repair.overlapping(outlines, share=0.0)
    size = repair.areas_km2(common)
    real = size * 1e6 >= 1.0  # below a square metre lies the rounding of coordinates
    order = np.argsort(-size[real], kind="stable")
    items = [
        f"{names[first[real][i]]} – {names[second[real][i]]} ({size[real][i] * 1e6:.0f} m²)"
        for i in order.tolist()
    ]
    lines.append(
        texts.line("lint_overlaps", lang, count=len(items), places=repair.first_of(items) or "–")
    )
    holes, size = repair.gaps_between(outlines, share=0.0)
    real = size * 1e6 >= 1.0
    middle = shapely.point_on_surface(holes[real])
    items = [
        f"{point.y:.5f}, {point.x:.5f} ({one * 1e6:.0f} m²)"
        for point, one in zip(middle, size[real], strict=True)
    ]
    lines.append(
        texts.line("lint_gaps", lang, count=len(items), places=repair.first_of(items) or "–")
    )
    return lines


def _about_shift(
    frame: gpd.GeoDataFrame, against: Path, settings: Boundaries, lang: texts.Lang
) -> list[str]:
    other = read_raw(against)
    where, _, faults = crs.placed(other.parts, None, swap_axes=False, codes=None)
    if where is None:
        raise UserFault(faults)
    theirs = repair.polygonal(where.shapes)
    theirs = theirs[~shapely.is_empty(theirs)]
    shift = alignment.shift_between(frame.geometry.to_numpy(), theirs)
    if shift is None:
        return [texts.line("lint_no_common_edge", lang, file=against.name)]
    values: dict[str, Any] = {
        "file": against.name,
        "points": shift.points,
        "east": texts.number(shift.east_m, lang),
        "north": texts.number(shift.north_m, lang),
        "before": texts.number(shift.before_m, lang, 1),
        "after": texts.number(shift.after_m, lang, 1),
    }
    lines = [texts.line("lint_shift", lang, **values)]
    if shift.is_datum:
        stated = settings.crs or "–"
        length = texts.number(shift.length_m, lang)
        lines.append(texts.line("lint_datum", lang, length=length, crs=stated))
    return lines
