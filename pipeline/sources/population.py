"""People per commune: from a raster (exact zonal sums), a table, or the boundary file's own column.

Does not belong here: what people weigh in a priority (`prioritise.py`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import shapely

from pipeline.hexgrid import hexes
from pipeline.schema.errors import Fault, fault
from pipeline.sources import commune_tables, context_layers
from pipeline.sources.commune_tables import Asked, figures_by_commune
from pipeline.sources.rasters import zones_on

RASTERS = (".tif", ".tiff", ".vrt")
PEOPLE = Asked("population", "people_column", commune_tables.PEOPLE)
INSTALLS = Asked("installs", "count_column", commune_tables.INSTALLS)


def people_per_commune(
    communes: gpd.GeoDataFrame,
    path: Path,
    *,
    code_column: str | None,
    people_column: str | None,
    total: float | None,
    more: Asked | None = None,
) -> tuple[pd.Series, list[Fault]]:
    """People by `commune_code` (float, NaN where unknown) and warnings.

    Raster: sums of cells weighted by the part of each cell inside the commune (exactextract),
    nodata left out; `total` rescales the weights to an official figure. Any table: its columns of
    codes or names and of people, found by usual headings where they are not given. Raises
    `UserFault`.
    """
    asked = replace(more or PEOPLE, code=code_column, figure=people_column)
    people, warnings = _figures(communes, path, asked)
    if total is not None and people.sum() > 0:
        people = people * (total / people.sum())
    unknown = people.index[people.isna()]
    if len(unknown):
        warnings.append(Fault("no_population", path.name, values={"found": list(unknown)}))
    return people, warnings


def count_per_commune(
    communes: gpd.GeoDataFrame, path: Path, asked: Asked
) -> tuple[pd.Series, list[Fault]]:
    """Any count by `commune_code`, NaN where the file has none, and warnings.

    Of a raster or a table, as `people_per_commune`. Raises `UserFault`.
    """
    return _figures(communes, path, asked)


def _figures(communes: gpd.GeoDataFrame, path: Path, asked: Asked) -> tuple[pd.Series, list[Fault]]:
    if not path.is_file():
        raise fault("missing_file", path)
    if path.suffix.lower() in RASTERS:
        return _from_raster(communes, path), []
    return figures_by_commune(communes, path, asked)


def _from_raster(communes: gpd.GeoDataFrame, path: Path) -> pd.Series:
    from exactextract import exact_extract

    zones = zones_on(communes, path)
    # `count`: cells with a value; a commune that the raster does not reach has no figure, which is
    # not zero people
    sums = exact_extract(
        path, zones, ["sum", "count"], include_cols="commune_code", output="pandas"
    )
    people = pd.Series(
        np.where(sums["count"] > 0, sums["sum"], np.nan),
        index=sums["commune_code"].astype("str"),
        dtype="float64",
    )
    if (people < 0).any():
        raise fault("bad_population", path.name, found=f"{people.min():.1f} ({people.idxmin()})")
    return people.reindex(communes["commune_code"])


CROWDED_PER_KM2 = 50_000.0  # people; few quarters of any city are denser


def crowded(communes: gpd.GeoDataFrame) -> list[str]:
    """Communes with more people per km² than is believed: their figure is questioned, and used."""
    density = communes["population"] / communes["area_km2"].where(communes["area_km2"] > 0)
    found = communes[density > CROWDED_PER_KM2]
    return [
        f"{code} ({round(d):,}/km²)"
        for code, d in zip(found["commune_code"], density[found.index], strict=True)
    ]


def raster_path(path: Path | None) -> Path | None:
    """The path, where it is a raster's."""
    return path if path is not None and path.suffix.lower() in RASTERS else None


def people_of_hexes(hex_ids: pd.Series, communes: gpd.GeoDataFrame, path: Path | None) -> pd.Series:
    """People by hex_id; empty without a raster that shows where in a commune they live."""
    names = pd.Series(np.sort(hex_ids.unique()), dtype="str")
    result = pd.Series(np.nan, index=names, dtype="float64")
    if path is not None and len(names):
        result.update(people_of_cells(_outlines(names), communes, path))
    return result


def people_of_parts(hex_ids: pd.Series, communes: gpd.GeoDataFrame, path: Path | None) -> pd.Series:
    """People by commune_code and hex_id: of the part of a hex that lies in the commune.

    Empty without a raster.
    """
    if path is None or hex_ids.empty:
        return pd.Series(dtype="float64")
    names = pd.Series(np.sort(hex_ids.unique()), dtype="str")
    return _people_of_parts(_outlines(names), communes, path)


def inhabited_cells(
    communes: gpd.GeoDataFrame, path: Path, resolution: int, least: float
) -> pd.DataFrame:
    """Cells whose centre lies in a commune and where `least` of its people or more live.

    commune_code, hex_id, people (of the part of the cell that lies in the commune), latitude,
    longitude (of the centre, degrees), by commune and cell.
    """
    cells = pd.Series(
        sorted(set().union(*(h3.geo_to_cells(one, resolution) for one in communes.geometry)))
    )
    latitude, longitude = hexes.centres(cells)
    centres = np.asarray(shapely.points(longitude, latitude))
    home = context_layers.commune_of_points(communes, centres)
    table = pd.DataFrame(
        {
            "commune_code": home.reindex(range(len(cells))), "hex_id": cells,
            "latitude": latitude, "longitude": longitude,
        }
    ).dropna(subset="commune_code")  # fmt: skip
    people = people_of_parts(table["hex_id"], communes, path)
    at = pd.MultiIndex.from_frame(table[["commune_code", "hex_id"]])
    table["people"] = people.reindex(at).to_numpy() if len(people) else np.nan
    table = table[table["people"] >= least]
    return table.sort_values(["commune_code", "hex_id"], ignore_index=True)


def _outlines(names: pd.Series) -> gpd.GeoSeries:
    outlines = hexes.outlines(names)
    outlines.index = pd.Index(names)
    return outlines


def people_of_cells(cells: gpd.GeoSeries, communes: gpd.GeoDataFrame, path: Path) -> pd.Series:
    """People by cell (index of `cells`, EPSG:4326).

    The raster's spread inside each commune, scaled to the commune's people.

    A cell over a border takes part of both communes; outside every commune nobody is counted. NaN
    where no commune's people are known. Formula: sum over pieces of (raster sum of the piece /
    raster sum of the commune) × people of the commune.
    """
    result = pd.Series(np.nan, index=cells.index, dtype="float64")
    parts = _people_of_parts(cells, communes, path)
    result.update(parts.groupby(level=1).sum(min_count=1))
    return result


def _people_of_parts(cells: gpd.GeoSeries, communes: gpd.GeoDataFrame, path: Path) -> pd.Series:
    """People by commune_code and cell, as in `people_of_cells`."""
    from exactextract import exact_extract

    zones = zones_on(communes, path)
    pieces = gpd.overlay(
        gpd.GeoDataFrame({"cell": cells.index}, geometry=cells.to_numpy(), crs=4326),
        communes[["commune_code", "geometry"]],
        how="intersection",
    )
    if pieces.empty:
        none = pd.MultiIndex.from_arrays([[], []], names=["commune_code", "cell"])
        return pd.Series(dtype="float64", index=none)
    assert zones.crs is not None, "zones_on refuses a raster without one"
    of_commune = exact_extract(path, zones, ["sum"], include_cols="commune_code", output="pandas")
    of_piece = exact_extract(
        path,
        pieces.to_crs(zones.crs),
        ["sum"],
        include_cols=["cell", "commune_code"],
        output="pandas",
    )
    weight = of_commune.set_index("commune_code")["sum"]
    people = communes.set_index("commune_code")["population"]
    codes = of_piece["commune_code"]
    share = of_piece["sum"].to_numpy() / codes.map(weight.where(weight > 0)).to_numpy()
    index = pd.MultiIndex.from_frame(of_piece[["commune_code", "cell"]])
    counted = pd.Series(share * codes.map(people).to_numpy(), index=index)
    return counted.groupby(level=[0, 1]).sum(min_count=1)
