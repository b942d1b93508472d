"""Devices by cell → `hex_status`: adaptive hexes, and coarser ones where a map would have too many.

Does not belong here: H3 itself (`hexgrid/`), whether a hex is weak (`weak_hexes.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline.config.rules import Rules
from pipeline.hexgrid import hexes
from pipeline.measurements import locate
from pipeline.measurements.evidence import Evidence
from pipeline.schema import privacy
from pipeline.schema.fields import ALL
from pipeline.schema.month import AreaPeriod
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.verdicts import statistics, weak_hexes
from pipeline.verdicts.result_tables import evidence_age


def hex_figures(
    evidence: Evidence,
    priors: Mapping[str, statistics.Prior | None],
    rules: Rules,
    resolution: int | None = None,
) -> pd.DataFrame:
    """Cells × operators with figures, `is_weak`, `is_fast_enough`; nothing is suppressed yet.

    `resolution`: of all cells; without it the cells are adaptive (METHOD §5).
    """
    shown = hexes.adaptive_cells(
        evidence.cells,
        coarsest=rules.coarsest_resolution,
        finest=rules.finest_resolution,
        min_devices=rules.shown_min_devices,
    )
    if resolution is not None:
        shown = hexes.parents(pd.Series(shown.index, index=shown.index, dtype="str"), resolution)
    figures = hexes.cell_figures(evidence.cells, shown, rules.target_mbps)
    figures = figures.merge(_dates_of(evidence, shown), how="left", on=["hex_id", "operator"])
    spreads = {name: np.sqrt(prior.sw2) for name, prior in priors.items() if prior}
    log_sd = figures["operator"].map(spreads).astype("float64")
    count, least = figures["value_count"], max(rules.weak_min_devices, rules.shown_min_devices)
    level = rules.weak_significance
    weak = weak_hexes.is_weak(
        figures["below_count"], count, log_sd, min_devices=least, significance=level
    )
    fast = weak_hexes.is_fast_enough(
        count - figures["below_count"], count, log_sd, min_devices=least, significance=level
    )
    # a tile is an average, not a device: counting tiles below the target tests nothing
    is_of_devices = not evidence.is_tiles
    return figures.assign(is_weak=weak & is_of_devices, is_fast_enough=fast & is_of_devices)


def _dates_of(evidence: Evidence, shown: pd.Series) -> pd.DataFrame:
    """hex_id, operator (and `all`), hex_failed_count, last_test_date of shown cells."""
    rows = evidence.cell_dates
    rows = rows[rows["hex9_id"].isin(shown.index)]
    rows = rows.assign(hex_id=shown.reindex(rows["hex9_id"]).astype("str").to_numpy())
    rows = pd.concat([rows, rows.assign(operator=ALL)], ignore_index=True)
    found = rows.groupby(["hex_id", "operator"], as_index=False).agg(
        hex_failed_count=("hex_failed_count", "sum"), last_test_date=("last_test_date", "max")
    )
    return found.astype({"hex_id": "str", "operator": "str"})


def hex_status(
    figures: pd.DataFrame,
    gap_of_cells: pd.DataFrame,
    people: pd.Series,
    area: AreaPeriod,
    window_months: int,
    min_devices: int,
) -> gpd.GeoDataFrame:
    """`hex_figures` → `hex_status` with outlines, people and gaps, small groups' speeds emptied.

    `gap_of_cells`: hex_id, operator, gap_id of weak cells. `people`: by hex_id, empty where not
    known. `min_devices`: the speeds of smaller groups are not shown.
    """
    figures = figures.merge(gap_of_cells, how="left", on=["hex_id", "operator"])
    hidden = privacy.is_suppressed(figures, "hex_id", "device_count", min_devices)
    figures = privacy.without(figures, hidden)
    figures["evidence_age_days"] = evidence_age(figures["last_test_date"], area.period)
    # of one device they would say when it was here
    dates = ["hex_failed_count", "last_test_date", "evidence_age_days"]
    figures[dates] = figures[dates].where(~hidden)
    cells = pd.Series(figures["hex_id"].unique(), dtype="str")
    about = pd.DataFrame(
        {
            "hex_id": cells,
            "h3_resolution": hexes.resolutions(cells),
            "hex_commune_code": locate.communes_of_points(*hexes.centres(cells), area.communes),
            "population": cells.map(people).astype("float64"),
            "geometry": hexes.outlines(cells).to_numpy(),
        }
    )
    table = figures.merge(about, on="hex_id").assign(
        period=str(area.period), window_months=float(window_months)
    )
    table = table.sort_values(["hex_id", "operator"], ignore_index=True)
    return gpd.GeoDataFrame(
        validated("hex_status", with_declared_dtypes("hex_status", table)),
        geometry="geometry",
        crs="EPSG:4326",
    )


def coarser_cells(
    evidence: Evidence,
    priors: Mapping[str, statistics.Prior | None],
    published: gpd.GeoDataFrame,
    area: AreaPeriod,
    rules: Rules,
) -> gpd.GeoDataFrame | None:
    """`hex_status` with at most `max_map_cells` coarser cells; None where adaptive cells fit.

    `published`: the adaptive `hex_status`. The difference between a coarse cell and its published
    finer cells would reveal a small group that was suppressed there. So where an operator's
    suppressed finer cells have fewer devices than the privacy gate asks, the coarse cell's row is
    suppressed too, and its `all` row with it.
    """
    least = rules.shown_min_devices
    if published["hex_id"].nunique() <= rules.max_map_cells:
        return None
    resolution = rules.finest_resolution - 1
    fine = pd.Series(evidence.cells["hex9_id"].unique()).astype("str")
    while resolution > 0 and hexes.parents(fine, resolution).nunique() > rules.max_map_cells:
        resolution -= 1
    figures = hex_figures(evidence, priors, rules, resolution)
    small = published.loc[published["device_count"] < least, ["hex_id", "operator", "device_count"]]
    small = small[hexes.resolutions(small["hex_id"]) > resolution]
    small = small.assign(hex_id=hexes.parents(small["hex_id"], resolution))
    hidden = small.groupby(["hex_id", "operator"]).sum()
    row = pd.MultiIndex.from_frame(figures[["hex_id", "operator"]])
    count = pd.Series(hidden["device_count"].reindex(row).to_numpy(), index=figures.index)
    at_risk = count.gt(0) & count.lt(least)
    at_risk |= at_risk.groupby(figures["hex_id"]).transform("any") & figures["operator"].eq(ALL)
    figures = privacy.without(figures, at_risk)
    for name in ("is_weak", "is_fast_enough"):
        figures[name] &= ~at_risk
    nothing = pd.DataFrame({"hex_id": [], "operator": [], "gap_id": []}, dtype="str")
    people = pd.Series(np.nan, index=pd.Index([], dtype="str"))
    return hex_status(figures, nothing, people, area, evidence.window_months, least)
