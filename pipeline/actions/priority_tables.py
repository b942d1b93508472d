"""The priorities and the list of where to measure first, joined from the steps' results.

Nothing is decided here. Does not belong here: the score (`prioritise.py`), causes and actions
(`diagnose.py`), what is undecided (`fieldwork.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.actions import diagnose, fieldwork, prioritise
from pipeline.actions.gap_tables import Gaps
from pipeline.config.rules import PriorityRules
from pipeline.hexgrid import hexes
from pipeline.measurements.evidence import Evidence
from pipeline.schema import privacy
from pipeline.schema.fields import ALL
from pipeline.sources import context_layers
from pipeline.verdicts import statistics
from pipeline.verdicts.result_tables import Verdicts

Floats = statistics.Floats
UNIT = statistics.UNIT


@dataclass(frozen=True)
class Context:
    """The communes and what files say of their surroundings: None means not known."""

    communes: gpd.GeoDataFrame
    facility_count: pd.Series | None  # by commune_code
    roads: npt.NDArray[np.object_] | None  # lines of main roads, EPSG:4326


def ranked(
    verdicts: Verdicts, gaps: Gaps, evidence: Evidence, context: Context, rules: PriorityRules
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(priorities, measure_first): gaps by need, and undecided units by doubt.

    Gaps carry their cause, a suggested action and their worst gap area.
    """
    rows, suppressed, summary = verdicts.rows, verdicts.suppressed, verdicts.summary
    about = context.communes[["commune_code", "former_district", "population", "terrain"]]
    found = summary[["commune_code", "gap_class", "operators_meeting", "operators_gap"]]
    named = rows if not evidence.operators else rows[rows["operator"] != ALL]
    named = named.merge(about, on="commune_code").merge(found, on="commune_code")
    found_gaps = named[named["status"].isin(["confirmed_gap", "probable_gap"])]
    found_gaps = found_gaps.reset_index(drop=True)
    found_gaps = found_gaps.assign(
        facility_count=_facilities(found_gaps, context),
        has_main_road=_on_main_road(found_gaps, gaps.of_cells, context),
    )
    found_gaps = _diagnosed(found_gaps.join(_others(found_gaps, named)), rules)
    found_gaps = found_gaps.merge(_worst_areas(gaps.areas), how="left", on=UNIT)
    scored = _scored(found_gaps, evidence, verdicts.priors, rules)
    shown = privacy.without(scored, _looked_up(suppressed, scored))
    measure = privacy.without(named, _looked_up(suppressed, named))
    return prioritise.priorities(shown), fieldwork.measure_first(measure)


def _scored(
    gaps: pd.DataFrame,
    evidence: Evidence,
    priors: Mapping[str, statistics.Prior | None],
    rules: PriorityRules,
) -> pd.DataFrame:
    """The gaps with their score, the spread of their ranks, and bands."""
    scored = prioritise.score(gaps, rules.target_mbps, rules.weights)

    def estimator(operator: str, m: Floats, log_mean: Floats) -> tuple[Floats, Floats]:
        prior = priors.get(operator)
        if prior is None:
            return np.full_like(m, np.nan), np.full_like(m, np.nan)
        mean, gap_probability, _ = statistics.posterior(m, log_mean, prior, rules.target_mbps)
        return mean, gap_probability

    units = evidence.devices.groupby(UNIT)["download_mbps"]
    wanted = set(zip(gaps["commune_code"], gaps["operator"], strict=True))
    # ascending: which value a draw picks must not depend on the devices' names
    log_values = {
        (str(code), str(operator)): np.log(np.sort(x.to_numpy()))
        for (code, operator), x in units
        if (code, operator) in wanted
    }
    scored = scored.join(prioritise.rank_spread(scored, log_values, estimator, rules))
    return scored.assign(need_band=prioritise.bands(scored))


def _facilities(rows: pd.DataFrame, context: Context) -> pd.Series:
    """Facilities of each row's commune; empty where no file has them: they weigh nothing then."""
    if context.facility_count is None:
        return pd.Series(np.nan, index=rows.index)
    return rows["commune_code"].map(context.facility_count).astype("float64")


def _on_main_road(rows: pd.DataFrame, weak_cells: pd.DataFrame, context: Context) -> pd.Series:
    """Whether a main road crosses a weak hex of the row's operator inside the row's commune.

    Empty where no roads are known.
    """
    if context.roads is None:
        return pd.Series(pd.array([None] * len(rows), dtype="boolean"), index=rows.index)
    outlines = hexes.outlines(weak_cells["hex_id"])
    cells = gpd.GeoDataFrame(
        {"operator": weak_cells["operator"]}, geometry=outlines.to_numpy(), crs="EPSG:4326"
    )
    pieces = gpd.overlay(cells, context.communes[["commune_code", "geometry"]], how="intersection")
    crossed = pieces[context_layers.crossed_by(context.roads, pieces.geometry.to_numpy())]
    units = set(zip(crossed["commune_code"], crossed["operator"], strict=True))
    held = [unit in units for unit in zip(rows["commune_code"], rows["operator"], strict=True)]
    return pd.Series(held, index=rows.index, dtype="boolean")


def _others(gaps: pd.DataFrame, named: pd.DataFrame) -> pd.DataFrame:
    """What the commune's other operators have at each gap: a text and two counts."""
    listed: dict[str, list[tuple[str, str, bool]]] = {}
    for code, operator, status, counts in zip(
        named["commune_code"], named["operator"], named["status"], named["counts_here"], strict=True
    ):
        listed.setdefault(code, []).append((operator, status, counts))
    rows = []
    for code, operator in zip(gaps["commune_code"], gaps["operator"], strict=True):
        others = [(o, s, c) for o, s, c in listed[code] if o != operator]
        rows.append(
            {
                "other_operators": "; ".join(f"{o}: {s}" for o, s, _ in others),
                "good_operator_count": sum(s == "meets_target" for _, s, _ in others),
                "unknown_operator_count": sum(
                    c and s in ("insufficient_evidence", "no_data") for _, s, c in others
                ),
            }
        )
    columns = ["other_operators", "good_operator_count", "unknown_operator_count"]
    return pd.DataFrame(rows, columns=columns, index=gaps.index)


def _diagnosed(gaps: pd.DataFrame, rules: PriorityRules) -> pd.DataFrame:
    """The gaps with the figures that causes are read from, the causes and suggested actions."""
    target, signs = rules.target_mbps, rules.signs
    least = max(signs.min_devices, rules.shown_min_devices)
    both = gaps[["busy_device_count", "calm_device_count"]].ge(least).all(axis=1)
    tried = gaps["older_test_count"] + gaps["test_count"] + gaps["failed_test_count"]
    gaps = gaps.assign(
        busy_mean_mbps=gaps["busy_mean_mbps"].where(both),
        calm_mean_mbps=gaps["calm_mean_mbps"].where(both),
        signal_median_dbm=gaps["signal_median_dbm"].where(gaps["signal_device_count"] >= least),
        fallback_share=(gaps["older_test_count"] / tried.where(tried > 0)).where(
            ~gaps["is_tiles"].astype(bool)
        ),
    )
    gaps = gaps.join(diagnose.likely_cause(gaps, target, signs))
    return gaps.assign(suggested_action=diagnose.suggested_action(gaps, target, signs))


def _worst_areas(areas: pd.DataFrame) -> pd.DataFrame:
    """The gap area with most devices below the target of each commune × operator."""
    below = areas["device_count"] * areas["share_devices_below_target"]
    ordered = areas.assign(below=below).sort_values(["below", "gap_id"], ascending=[False, True])
    worst = ordered.drop_duplicates(UNIT)
    named = {
        "area_km2": "gap_area_km2",
        "device_count": "gap_device_count",
        "population": "gap_population",
    }
    return worst.rename(columns=named)[
        [*UNIT, "gap_id", "gap_latitude", "gap_longitude", *named.values()]
    ]


def _looked_up(by_unit: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """The value of each row, looked up by (commune_code, operator)."""
    units = pd.MultiIndex.from_frame(rows[UNIT])
    return pd.Series(by_unit.reindex(units).to_numpy(dtype=bool), index=rows.index)
