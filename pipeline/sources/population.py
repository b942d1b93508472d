"""People per commune: from a raster (exact zonal sums), a CSV, or the boundary file's own column.

Does not belong here: what people weigh in a priority (`prioritise.py`).
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline.hexgrid import hexes
from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.sources import values
from pipeline.sources.rasters import zones_on

RASTERS = (".tif", ".tiff", ".vrt")


def people_per_commune(
    communes: gpd.GeoDataFrame,
    path: Path,
    *,
    code_column: str,
    people_column: str,
    total: float | None,
) -> tuple[pd.Series, list[Fault]]:
    """People by `commune_code` (float, NaN where unknown) and warnings.

    Raster: sums of cells weighted by the part of each cell inside the commune (exactextract),
    nodata left out; `total` rescales the weights to an official figure. CSV: `code_column`,
    `people_column`. Raises `UserFault`.
    """
    if not path.is_file():
        raise fault("missing_file", path)
    people = (
        _from_raster(communes, path)
        if path.suffix.lower() in RASTERS
        else _from_table(communes, path, code_column, people_column)
    )
    if total is not None and people.sum() > 0:
        people = people * (total / people.sum())
    unknown = people.index[people.isna()]
    warnings = (
        [Fault("no_population", path.name, values={"found": list(unknown)})] if len(unknown) else []
    )
    return people, warnings


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


def count_per_commune(
    communes: gpd.GeoDataFrame, path: Path, *, code_column: str, count_column: str
) -> pd.Series:
    """Any count by `commune_code` from a CSV, NaN where it names none. Raises `UserFault`."""
    if not path.is_file():
        raise fault("missing_file", path)
    return _from_table(communes, path, code_column, count_column)


def _from_table(
    communes: gpd.GeoDataFrame, path: Path, code_column: str, people_column: str
) -> pd.Series:
    try:
        table = pd.read_csv(path, dtype="str", encoding="utf-8-sig", skip_blank_lines=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise fault(
            "unreadable_file", path.name, found=str(error)[:160], expected="CSV, UTF-8"
        ) from None
    missing = [c for c in (code_column, people_column) if c not in table.columns]
    if missing:
        raise UserFault(
            Fault(
                "missing_column",
                path.name,
                1,
                c,
                {
                    "found": list(table.columns),
                    "ours": "code_column" if c == code_column else "people_column, count_column",
                },
            )
            for c in missing
        )
    codes = table[code_column].str.strip().replace("", None)
    is_used = codes.notna() | values.present(table[people_column])  # other rows are blank
    table, codes = table[is_used], codes[is_used]
    people = values.counts(table[people_column])
    unreadable = people.isna() & values.present(table[people_column])
    row = table.index.to_numpy() + 2
    bad, blank, repeated = (
        (people < 0) | unreadable,
        codes.isna(),
        codes.duplicated() & codes.notna(),
    )
    faults = [
        Fault("bad_population", path.name, int(line), people_column, {"found": met})
        for line, met in zip(row[bad], table.loc[bad, people_column], strict=True)
    ]
    faults += [Fault("blank_code", path.name, int(line), code_column) for line in row[blank]]
    faults += [
        Fault("repeated_code", path.name, int(line), code_column, {"found": code})
        for line, code in zip(row[repeated], codes[repeated], strict=True)
    ]
    if faults:
        raise UserFault(faults)
    result = pd.Series(people.to_numpy(dtype="float64"), index=codes).reindex(
        communes["commune_code"]
    )
    if result.isna().all():
        raise fault(
            "no_code_met",
            path.name,
            column=code_column,
            found=list(codes[:3]),
            expected=list(communes["commune_code"][:3]),
        )
    return result


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
    if path is None or names.empty:
        return pd.Series(np.nan, index=names, dtype="float64")
    outlines = hexes.outlines(names)
    outlines.index = pd.Index(names)
    return people_of_cells(outlines, communes, path)


def people_of_cells(cells: gpd.GeoSeries, communes: gpd.GeoDataFrame, path: Path) -> pd.Series:
    """People by cell (index of `cells`, EPSG:4326).

    The raster's spread inside each commune, scaled to the commune's people.

    A cell over a border takes part of both communes; outside every commune nobody is counted. NaN
    where no commune's people are known. Formula: sum over pieces of (raster sum of the piece /
    raster sum of the commune) × people of the commune.
    """
    from exactextract import exact_extract

    zones = zones_on(communes, path)
    pieces = gpd.overlay(
        gpd.GeoDataFrame({"cell": cells.index}, geometry=cells.to_numpy(), crs=4326),
        communes[["commune_code", "geometry"]],
        how="intersection",
    )
    result = pd.Series(np.nan, index=cells.index, dtype="float64")
    if pieces.empty:
        return result
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
    counted = pd.Series(share * codes.map(people).to_numpy(), index=of_piece["cell"])
    result.update(counted.groupby(level=0).sum(min_count=1))
    return result
