"""Weak hexes → gap areas with stable ids, and what became of the gaps known before (METHOD §5).

A hex is weak where an operator has more devices below the target than chance explains. Contiguous
weak hexes of one operator make one gap area. The ledger keeps each gap's id and state from period
to period. Does not belong here: H3 itself (`hexes.py`), the verdict on a commune (`judge.py`),
joining figures (`assemble_gaps.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse


def contiguous(cells: pd.Series, pairs: pd.DataFrame) -> pd.Series:
    """A number for each cell, the same for cells that hang together. `pairs`: neighbouring cells
    `left`, `right`.

    Numbers go by each area's first cell in order of id, so that the order of rows does not matter.

    >>> contiguous(pd.Series(["b", "a", "c"]), pd.DataFrame({"left": ["a"], "right": ["c"]})).tolist()
    [1, 0, 0]
    """
    names = np.sort(cells.unique())
    known = pairs[pairs["left"].isin(names) & pairs["right"].isin(names)]
    left, right = np.searchsorted(names, known["left"]), np.searchsorted(names, known["right"])
    links = sparse.coo_matrix((np.ones(len(known)), (left, right)), shape=(len(names), len(names)))
    _, component = sparse.csgraph.connected_components(links, directed=False)
    first = pd.Series(component).drop_duplicates()
    rank = pd.Series(np.arange(len(first)), index=first.to_numpy())
    return cells.map(dict(zip(names, rank.reindex(component).to_numpy(), strict=True))).astype(
        "int64"
    )


def matched(overlaps: pd.DataFrame) -> dict[int, str]:
    """Area → the gap known before that it continues: the largest overlap first, each area and each
    gap once.

    `overlaps`: area, gap_id, weight (cells in common). An area that splits off or a gap that is
    swallowed goes without.

    >>> matched(pd.DataFrame({"area": [0, 1, 1], "gap_id": ["x", "x", "y"], "weight": [3, 7, 1]}))
    {1: 'x'}
    """
    found: dict[int, str] = {}
    ordered = overlaps.sort_values(["weight", "gap_id", "area"], ascending=[False, True, True])
    for area, gap_id in zip(ordered["area"], ordered["gap_id"], strict=True):
        if area not in found and gap_id not in found.values():
            found[area] = gap_id
    return found


def gap_id(commune_code: str, boundary_vintage: str, operator: str, number: int) -> str:
    """The id that a gap keeps for good: of the commune in which most of its devices were when it
    was first seen.

    >>> gap_id("00001", "2025-07-01", "Viettel", 2)
    '00001/2025-07-01/Viettel/2'
    """
    return f"{commune_code}/{boundary_vintage}/{operator}/{number}"


def faster(now: pd.DataFrame, then: pd.DataFrame) -> pd.Series:
    """One-sided p-value of "the mean is no higher than it was": Welch's t-test on device values.

    Both: mean_mbps, sd_mbps, m, by the same index; empty where either has fewer than two devices or
    no spread at all.
    Source: Welch, Biometrika 34, 1947.
    """
    known = now["m"].ge(2) & then["m"].ge(2)
    columns = ("mean_mbps", "sd_mbps", "m")
    if not known.any():
        return pd.Series(np.nan, index=now.index)
    from scipy import stats

    with np.errstate(invalid="ignore", divide="ignore"):
        p = stats.ttest_ind_from_stats(
            *(now.loc[known, c].to_numpy() for c in columns),
            *(then.loc[known, c].to_numpy() for c in columns),
            equal_var=False,
            alternative="greater",
        ).pvalue
    return pd.Series(p, index=now.index[known]).reindex(now.index)


def states(rows: pd.DataFrame, significance: float) -> pd.Series:
    """What became of each gap, as a decision table.

    Needs: former_state (empty: not known before), is_weak (it has an area now), is_retested (new
    tests at its places pass E1), meets_again (they meet the target by METHOD §4), faster_p (of the
    new tests against what it was).

    fixed is said only of enough *new* tests at the same places that meet the target; a gap without
    an area and without enough new tests is not_retested: silence is no repair.
    """
    former = rows["former_state"]
    better = rows["is_retested"] & (rows["meets_again"] | (rows["faster_p"] <= significance))
    return pd.Series(
        np.select(
            [
                former.isna(),
                rows["is_weak"] & former.eq("fixed"),
                former.eq("fixed"),
                ~rows["is_weak"] & ~rows["is_retested"],
                ~rows["is_weak"] & rows["meets_again"],
                better,
            ],
            ["new", "returned", "fixed", "not_retested", "fixed", "improving"],
            default="persisting",
        ),
        index=rows.index,
        dtype="str",
    )
