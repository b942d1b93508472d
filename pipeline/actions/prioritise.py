"""The priority score of gaps, and how stable its ranks are (METHOD §6).

Every part of the score has its own column. Does not belong here: reading population and facilities
(`sources/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.config.rules import PriorityRules, Weights
from pipeline.schema.tables import validated, with_declared_dtypes

Floats = npt.NDArray[np.float64]
# (operator, number of devices, mean of their log values) → (eb_mean_mbps, gap_probability), with
# the prior held fixed
Estimator = Callable[[str, Floats, Floats], tuple[Floats, Floats]]


def depth(mean_mbps: pd.Series, target: float) -> pd.Series:
    """Share of the target that is missing: clip((T − mean)/T, 0, 1)."""
    return ((target - mean_mbps) / target).clip(0, 1)


def weight(rows: pd.DataFrame, excess: Floats, cap: int) -> Floats:
    """Product of the factors 1 + excess; unknown facilities and roads weigh 1.

    `excess`: of total gaps, facilities and roads in the last axis; the result has one weight per
    row for each of the other axes.
    """
    of_rows = (
        rows["gap_class"].eq("total_gap"),
        rows["facility_count"].fillna(0).clip(upper=cap),
        rows["has_main_road"].fillna(False),
    )
    counts = np.column_stack([column.to_numpy(dtype="float64") for column in of_rows])
    weights: Floats = np.prod(1 + excess[..., np.newaxis, :] * counts, axis=-1)
    return weights


def score(gaps: pd.DataFrame, target: float, weights: Weights) -> pd.DataFrame:
    """Confirmed and probable gaps with their score.

    Adds depth, expected_person_gap, priority_index, need_rank, efficiency_rank. Needs:
    commune_code, operator, gap_class, population, eb_mean_mbps, mean_mbps, gap_probability, p_gap,
    facility_count, has_main_road, terrain. Where the posterior is empty, 1 − p_gap and the mean
    replace it. Rows of unknown population rank after the others, by depth × P_gap; where no
    population is known at all, that is the whole ranking.
    """
    gap_probability = gaps["gap_probability"].fillna(1 - gaps["p_gap"])
    rows = gaps.assign(
        depth=depth(gaps["eb_mean_mbps"].fillna(gaps["mean_mbps"]), target),
        gap_probability=gap_probability,
    )
    rows["expected_person_gap"] = rows["population"] * rows["depth"] * rows["gap_probability"]
    base = rows["expected_person_gap"].fillna(rows["depth"] * rows["gap_probability"])
    rows["priority_index"] = base * weight(rows, _excess(weights), weights.facility_cap)
    efficiency = rows["priority_index"] / terrain_costs(rows, weights)
    rows["need_rank"] = rank(rows, rows["priority_index"])
    rows["efficiency_rank"] = rank(rows, efficiency)
    return rows


def _excess(weights: Weights) -> Floats:
    return np.array([weights.total_gap_weight, weights.facility_weight, weights.road_weight])


def terrain_costs(rows: pd.DataFrame, weights: Weights) -> pd.Series:
    """Cost factor of each row's terrain; unknown counts as flat."""
    return rows["terrain"].map(dict(weights.terrain_cost)).astype("float64").fillna(1.0)


def rank(rows: pd.DataFrame, index: pd.Series) -> pd.Series:
    """Ranks by `index`, 1 = largest; rows of unknown population last, ties by code and operator."""
    ordered = pd.DataFrame(
        {
            "unknown": rows["population"].isna(),
            "index": -index,
            "code": rows["commune_code"],
            "operator": rows["operator"],
        }
    )
    position = ordered.sort_values(["unknown", "index", "code", "operator"]).index
    ranks = pd.Series(np.arange(1, len(rows) + 1), index=position)
    return ranks.reindex(rows.index).astype("int64")


def rank_spread(
    rows: pd.DataFrame,
    log_values: Mapping[tuple[str, str], Floats],
    estimator: Estimator,
    rules: PriorityRules,
) -> pd.DataFrame:
    """5th and 95th percentile of the need rank: columns rank_lo, rank_hi.

    From `rules.draws` seeded joint draws of each excess weight × U(0.5, 1.5) and of each row's
    device values, resampled with replacement; the prior and the set of gaps stay fixed.
    `log_values`: natural logs of the device values by (commune_code, operator).
    """
    if rows.empty:
        return pd.DataFrame(
            {"rank_lo": pd.Series(dtype="int64"), "rank_hi": pd.Series(dtype="int64")},
            index=rows.index,
        )
    target, weights, draws = rules.target_mbps, rules.weights, rules.draws
    generator = np.random.default_rng(rules.seed)
    factor = generator.uniform(0.5, 1.5, size=(draws, 3))
    base = np.empty((draws, len(rows)))
    for i, (code, operator, people) in enumerate(
        zip(rows["commune_code"], rows["operator"], rows["population"], strict=True)
    ):
        logs = log_values[code, operator]
        drawn = generator.choice(logs, size=(draws, len(logs)))
        sizes = np.full(draws, float(len(logs)))
        mean, gap_probability = estimator(operator, sizes, drawn.mean(axis=1))
        if not np.isfinite(mean).all():  # no prior: the mean varies, the row's own p-value is kept
            mean = np.exp(drawn).mean(axis=1)
            gap_probability = np.full(draws, rows["gap_probability"].iloc[i])
        base[:, i] = np.clip((target - mean) / target, 0, 1) * gap_probability
        base[:, i] *= 1.0 if pd.isna(people) else people
    ranks = np.empty_like(base)
    unknown = rows["population"].isna().to_numpy()
    weighted = base * weight(rows, _excess(weights) * factor, weights.facility_cap)
    for d in range(draws):
        ranks[d, np.lexsort((-weighted[d], unknown))] = np.arange(1, len(rows) + 1)
    lo, hi = np.percentile(ranks, [5, 95], axis=0)
    return pd.DataFrame(
        {"rank_lo": np.floor(lo).astype("int64"), "rank_hi": np.ceil(hi).astype("int64")},
        index=rows.index,
    )


def bands(rows: pd.DataFrame) -> pd.Series:
    """Bands of near-ties, 1, 2, … by need rank.

    A row begins a new band where even its 5th percentile is behind the band's first row. Within a
    band the order means nothing: each row could as well come first.

    >>> bands(pd.DataFrame({"need_rank": [1, 2, 3, 4], "rank_lo": [1, 1, 3, 2]})).tolist()
    [1, 1, 2, 2]
    """
    band, leader = 0, 0
    found = {}
    ordered = rows.sort_values("need_rank")[["need_rank", "rank_lo"]]
    for index, need_rank, lowest in ordered.itertuples():
        if band == 0 or lowest > leader:
            band, leader = band + 1, need_rank
        found[index] = band
    return pd.Series(found, dtype="int64").reindex(rows.index)


def priorities(scored: pd.DataFrame) -> pd.DataFrame:
    """The scored rows as the table `priorities`, by need rank."""
    ordered = scored.sort_values("need_rank", ignore_index=True)
    return validated("priorities", with_declared_dtypes("priorities", ordered))
