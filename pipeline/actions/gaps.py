"""Weak hexes → gap areas with stable ids, and what became of the gaps known before (METHOD §5).

A hex is weak where an operator has more devices below the target than chance explains. Contiguous
weak hexes of one operator make one gap area. The ledger keeps each gap's id and state from period
to period. Does not belong here: H3 itself (`hexgrid/`), the verdict on a commune (`judge.py`),
joining figures (`gap_tables.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse


def contiguous(cells: pd.Series, pairs: pd.DataFrame) -> pd.Series:
    """Number of each cell's area: cells that are connected have the same number.

    `pairs`: neighbouring cells `left`, `right`. Areas are numbered in the order of their first
    cell's id, so that the order of rows does not matter.

    >>> pairs = pd.DataFrame({"left": ["a"], "right": ["c"]})
    >>> contiguous(pd.Series(["b", "a", "c"]), pairs).tolist()
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
    """Area → the known gap that it continues.

    `overlaps`: area, gap_id, weight (cells in common). The largest overlap is matched first, each
    area and each gap once: an area that splits off and a gap that is absorbed get no match.

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
    """The permanent id of a gap.

    The commune is the one that held most of the gap's devices when it was first seen.

    >>> gap_id("00001", "2025-07-01", "Viettel", 2)
    '00001/2025-07-01/Viettel/2'
    """
    return f"{commune_code}/{boundary_vintage}/{operator}/{number}"


def faster(now: pd.DataFrame, then: pd.DataFrame) -> pd.Series:
    """One-sided p-value of "the mean is no higher than it was": Welch's t-test on device values.

    Both tables: mean_mbps, sd_mbps, m, with the same index. Empty where either has fewer than two
    devices or no spread at all. Source: Welch, Biometrika 34, 1947.
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
    new tests against the former ones).

    `fixed` needs enough *new* tests at the same places that meet the target. A gap without an area
    and without enough new tests is `not_retested`: missing tests do not show a repair.
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
