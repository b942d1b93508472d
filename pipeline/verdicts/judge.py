"""The status rule as a decision table (METHOD §4): figures and gates → status.

Does not belong here: statistics, priorities, files.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.config.rules import Gates
from pipeline.measurements.id_signs import IdLife
from pipeline.schema.fields import ALL


def passes_first_gate(rows: pd.DataFrame, gates: Gates) -> pd.Series:
    """E1: enough devices, samples and dates for any verdict.

    Tiles have no dates: `is_tiles` waives that gate.
    """
    return (
        (rows["m"] >= gates.min_devices)
        & (rows["sample_count"] >= gates.min_samples)
        & ((rows["date_count"] >= gates.min_dates) | rows["is_tiles"])
    )


# gates before a verdict confirmed by a row's own devices, in the order in which they are listed
SIZE_GATES = ("min_devices", "min_samples", "min_dates")
CONFIRMING_SIZES = ("confirmed_min_devices", "confirmed_min_samples", "confirmed_min_dates")
GAP_GATES = (
    *CONFIRMING_SIZES,
    "min_hours_apart",
    "interval",
    "people",
    "q_value",
    "leave_one_out",
    "crossed",
    "recent_month",
    "device_ids",
)
PASS_GATES = (
    *CONFIRMING_SIZES,
    "interval",
    "people",
    "q_value",
    "posterior",
    "capped",
    "recent_month",
    "device_ids",
)


def gates_passed(rows: pd.DataFrame, target: float, gates: Gates) -> pd.DataFrame:
    """Whether each row passes each gate of METHOD §4, on its mean's side of the target."""
    below = rows["mean_mbps"] < target
    tiles = rows["is_tiles"]
    posterior = rows["gap_probability"].where(rows["has_spread_between"])
    return pd.DataFrame(
        {
            "min_devices": rows["m"] >= gates.min_devices,
            "min_samples": rows["sample_count"] >= gates.min_samples,
            "min_dates": (rows["date_count"] >= gates.min_dates) | tiles,
            "confirmed_min_devices": rows["m"] >= gates.confirmed_min_devices,
            "confirmed_min_samples": rows["sample_count"] >= gates.confirmed_min_samples,
            "confirmed_min_dates": (rows["date_count"] >= gates.confirmed_min_dates) | tiles,
            "min_hours_apart": (rows["slow_hours_apart"] >= gates.min_hours_apart) | tiles,
            "interval": (below & (rows["hi_mbps"] < target))
            | (~below & (rows["lo_mbps"] >= target)),
            "people": (below & ~(rows["weighted_hi_mbps"] >= target))
            | (~below & ~(rows["weighted_lo_mbps"] < target)),
            "q_value": rows["q_gap"].where(below, rows["q_meets"]) <= gates.max_q,
            "leave_one_out": rows["worst_hi_mbps"] < target,
            "posterior": ~(posterior > gates.meets_gap_probability),
            "crossed": ~(rows["borrowed_gap_probability"] < gates.crossed_min_probability),
            "capped": holds_capped(rows, target)
            & (rows["capped_lo_mbps"] >= gates.capped_margin * target)
            & ~(rows["capped_gap_probability"] > gates.capped_max_miss),
            "recent_month": ~is_contrary_lately(rows, target, gates),
            "device_ids": ~rows["is_capped"],
        },
        index=rows.index,
    )


def margin(rows: pd.DataFrame, status: pd.Series, target: float) -> pd.Series:
    """How far from the limit untested people must be to overturn a verdict, as a share of it.

    Of a gap: how much faster than the upper limit, target / limit − 1; of a pass: how much slower
    than the lower, 1 − target / limit. The limit is the worse of the plain interval's and the one
    by people. NaN without a verdict, and where the limit lies on the target's other side.
    """
    hi = rows["hi_mbps"].clip(lower=rows["weighted_hi_mbps"])
    lo = rows["lo_mbps"].clip(upper=rows["weighted_lo_mbps"])
    is_gap = status.isin(["confirmed_gap", "probable_gap"]) & (hi < target)
    is_pass = status.eq("meets_target") & (lo > target)
    return (target / hi - 1).where(is_gap, (1 - target / lo).where(is_pass))


def holds_capped(rows: pd.DataFrame, target: float) -> pd.Series:
    """Whether a mean at the target or above stays there with capped tests and no fastest device.

    Tiles have no devices to leave out.
    """
    without = (rows["mean_without_fastest_mbps"] >= target) | rows["is_tiles"]
    return (rows["capped_mean_mbps"] >= target) & without


def is_contrary_lately(rows: pd.DataFrame, target: float, gates: Gates) -> pd.Series:
    """Whether the devices of the report month alone, if there are enough, are on the other side.

    A site that was repaired, or broke, last month leaves the tests of the months before.
    """
    changed_side = (rows["mean_mbps"] < target) != (rows["recent_mean_mbps"] < target)
    return (rows["recent_device_count"] >= gates.recent_min_devices) & changed_side


def failed_gates(rows: pd.DataFrame, passed: pd.DataFrame, target: float) -> pd.Series:
    """`;`-separated gates that keep each row from a confirmed verdict by its own devices.

    A row that fails E1 lists only these gates: its other figures mean nothing yet, and may not be
    published.
    """
    first = passed[list(SIZE_GATES)].all(axis=1)
    below = rows["mean_mbps"] < target
    asked = pd.DataFrame(False, index=rows.index, columns=passed.columns)
    asked[list(SIZE_GATES)] = True
    asked.loc[first & below, list(GAP_GATES)] = True
    asked.loc[first & ~below, list(PASS_GATES)] = True
    asked[rows["test_count"].eq(0)] = False
    names = np.array(passed.columns)
    failed = (asked & ~passed).to_numpy()
    return pd.Series([";".join(names[row]) for row in failed], index=rows.index, dtype="str")


OWN_GATES = (*SIZE_GATES, "confirmed_min_dates", "recent_month", "device_ids")


def may_borrow(rows: pd.DataFrame, target: float, gates: Gates) -> pd.DataFrame:
    """Rows that may borrow for a `gap` or a `pass`: only the number of their devices is too small.

    Own evidence needed: E1, three dates, device ids, the report month on the same side, and a
    one-sided p-value of at most `borrowed_max_p` (docs/decisions/0002: it keeps false gaps within
    5 % where every true mean lies within 35–45 Mbit/s), by devices and by people. A gap: slow at
    times of day apart, mean below the target, the modelled mean by `borrowed_gap_margin` times
    (slow phones may test more than others). A pass: mean at the target or above, also with capped
    tests and without the fastest device; with capped tests a mean of `borrowed_capped_margin`
    times the target and P(mean < target) below `borrowed_max_miss`. Rows that are confirmed by
    their own devices do not borrow: they would carry the rate of those that do.
    """
    passed = gates_passed(rows, target, gates)
    own = passed[list(OWN_GATES)].all(axis=1) & ~rows["is_tiles"]
    below = rows["mean_mbps"] < target
    p_gap = rows["p_gap"].clip(lower=rows["weighted_p_gap"])
    p_meets = rows["p_meets"].clip(lower=rows["weighted_p_meets"])
    gap = own & below & passed["min_hours_apart"] & (p_gap <= gates.borrowed_max_p)
    gap &= rows["borrowed_mean_mbps"] * gates.borrowed_gap_margin <= target
    gap &= ~(rows["weighted_mean_mbps"] >= target)
    meets = own & ~below & holds_capped(rows, target) & (p_meets <= gates.borrowed_max_p)
    meets &= ~(rows["weighted_mean_mbps"] < target)
    meets &= rows["capped_gap_probability"] < gates.borrowed_max_miss
    meets &= rows["capped_mean_mbps"] >= gates.borrowed_capped_margin * target
    return pd.DataFrame(
        {"gap": gap & ~confirmed_gap(passed, below), "pass": meets & ~confirmed_pass(passed, below)}
    )


def confirmed_gap(passed: pd.DataFrame, below: pd.Series) -> pd.Series:
    """Gaps by their own devices. `passed`: of `gates_passed`."""
    return below & passed[[*SIZE_GATES, *GAP_GATES]].all(axis=1)


def confirmed_pass(passed: pd.DataFrame, below: pd.Series) -> pd.Series:
    """Passes by their own devices. `passed`: of `gates_passed`."""
    return ~below & passed[[*SIZE_GATES, *PASS_GATES]].all(axis=1)


def probable(
    rows: pd.DataFrame, passed: pd.DataFrame, target: float, gates: Gates
) -> tuple[pd.Series, pd.Series]:
    """(rows that are at least a probable gap, rows that are at least a probable pass).

    E1, the report month not on the other side. A gap: `probable_gap_probability` by empirical Bayes
    or confirmed but for missing device ids, and by the crossed model, whose mean is below the
    target by `probable_gap_margin` times; the mean by people below the target. A pass: that mean at
    the target or above, holds capped and without the fastest device, its
    capped mean `capped_margin` times the target, and no model gives a gap more than
    `meets_gap_probability`. `passed`: of `gates_passed`.
    """
    first = passed[[*SIZE_GATES, "recent_month"]].all(axis=1)
    below = rows["mean_mbps"] < target
    with_ids = passed.assign(device_ids=True)
    own_gap, own_pass = confirmed_gap(with_ids, below), confirmed_pass(with_ids, below)
    posterior = rows["gap_probability"].where(rows["has_spread_between"])
    gap = first & below & ((posterior >= gates.probable_gap_probability) | own_gap)
    gap &= ~(rows["borrowed_gap_probability"] < gates.probable_gap_probability)
    gap &= ~(rows["borrowed_mean_mbps"] * gates.probable_gap_margin > target)
    gap &= ~(rows["weighted_mean_mbps"] >= target)
    meets = first & ~below & holds_capped(rows, target)
    meets &= rows["capped_mean_mbps"] >= gates.capped_margin * target
    meets &= ~(rows["weighted_mean_mbps"] < target)
    meets &= ~(rows["capped_gap_probability"] > gates.meets_gap_probability)
    meets &= (posterior <= gates.meets_gap_probability) | (own_pass & posterior.isna())
    return gap, meets


def assign_status(rows: pd.DataFrame, target: float, gates: Gates) -> pd.DataFrame:
    """`status`, `evidence`, `evidence_basis` and `failed_gates` of each row, in METHOD §4's order.

    Needs: m, sample_count, date_count, test_count, is_tiles, is_capped (no device ids, or tiles: at
    best probable), mean_mbps, lo_mbps, hi_mbps, worst_hi_mbps, q_gap, q_meets, gap_probability,
    has_spread_between, slow_hours_apart, the figures of `checks`, the crossed model's
    probabilities, is_borrowed_gap and is_borrowed_pass (rows that `may_borrow` and that the crossed
    model selects). No verdict rests on a posterior that is empty or has tau² = 0; direct evidence
    still counts then. A pass that does not hold with capped tests and without the fastest device
    is `borderline`.
    """
    passed = gates_passed(rows, target, gates)
    first = passed[list(SIZE_GATES)].all(axis=1)
    below = rows["mean_mbps"] < target
    direct_gap, direct_pass = confirmed_gap(passed, below), confirmed_pass(passed, below)
    borrowed_gap = rows["is_borrowed_gap"] & ~direct_gap
    borrowed_pass = rows["is_borrowed_pass"] & ~direct_pass
    likely_gap, likely_pass = probable(rows, passed, target, gates)
    status = np.select(
        [
            rows["test_count"] == 0,
            ~first,
            direct_gap | borrowed_gap,
            likely_gap,
            likely_pass | borrowed_pass,
        ],
        ["no_data", "insufficient_evidence", "confirmed_gap", "probable_gap", "meets_target"],
        default="borderline",
    )
    is_pass = status == "meets_target"
    confirmed = (status == "confirmed_gap") | (is_pass & (direct_pass | borrowed_pass))
    is_probable = (status == "probable_gap") | (is_pass & ~confirmed)
    borrowed = borrowed_gap | (is_pass & borrowed_pass)
    basis = np.select([rows["m"] == 0, borrowed], ["", "borrowed"], default="direct")
    return pd.DataFrame(
        {
            "status": pd.Series(status, index=rows.index, dtype="str"),
            "evidence": pd.Series(
                np.select([confirmed, is_probable], ["confirmed", "probable"], default="none"),
                index=rows.index,
                dtype="str",
            ),
            "evidence_basis": pd.Series(basis, index=rows.index, dtype="str").replace("", np.nan),
            "failed_gates": failed_gates(rows, passed, target),
        }
    )


def no_data_reason(rows: pd.DataFrame) -> pd.Series:
    """NO_DATA_REASONS of rows without a valid test, empty for the others."""
    empty = rows["test_count"] == 0
    reason = np.select(
        [
            empty & (rows["left_out_device_count"] > 0),
            empty & (rows["failed_test_count"] > 0),
            empty & (rows["newer_test_count"] > 0),
            empty & (rows["test_count_4g"] > 0),
            empty & (rows["older_test_count"] > 0),
            empty,
        ],
        ["only_before_event", "only_failed", "only_5g", "only_4g", "only_3g_2g", "no_test"],
        default="",
    )
    return pd.Series(reason, index=rows.index, dtype="str").replace("", np.nan)


def flags(rows: pd.DataFrame, target: float, gates: Gates) -> pd.Series:
    """`;`-separated flags of each row. They never change a status."""
    tests = rows["test_count"].where(rows["test_count"] > 0)
    mean = rows["mean_mbps"]
    holds = {
        "official_300": rows["month_test_count"] >= gates.official_test_count,
        "heavy_tester": (rows["largest_device_tests"] / tests > gates.heavy_tester_share)
        & ((rows["raw_mean_mbps"] - mean).abs() > gates.heavy_tester_shift * mean),
        "mean_median_conflict": ((mean >= target) & (rows["median_mbps"] < target))
        | ((mean < target) & (rows["median_mbps"] >= target)),
        "low_tail": rows["share_below_10_mbps"] >= gates.low_tail_share,
        "window_widened": rows["is_widened"],
        "no_device_id": rows["pseudo_count"] > 0,
        "one_place": rows["largest_cell_samples"]
        / rows["sample_count"].where(rows["sample_count"] > 0)
        > gates.one_place_share,
        "5g_masks_4g": (mean < target) & (rows["all_mobile_mean_mbps"] >= target),
        "few_accurate_positions": (rows["accurate_count"] < 0.5 * tests) & ~rows["is_tiles"],
        "no_spread": (rows["m"] >= 2) & (rows["sd_mbps"] == 0),
        # of few devices the flag would tell how fast one is
        "fast_rows": (mean >= target)
        & ~holds_capped(rows, target)
        & (rows["fast_test_count"] > 0)
        & (rows["m"] >= gates.min_devices),
        "recent_change": is_contrary_lately(rows, target, gates) & mean.notna(),
        "straddles_event": rows["left_out_device_count"] > 0,
        "testers_differ": (rows["m"] >= gates.min_devices)
        & ((rows["weighted_mean_mbps"] / mean - 1).abs() > gates.testers_differ_share),
        "ids_restart": rows["ids_restart"] & (rows["m"] > 0),
        "id_in_two_places": _is_marked(rows, "two_places_device_count", gates),
        "many_ids_at_once": _is_marked(rows, "crowd_device_count", gates),
    }
    table = pd.DataFrame(
        {name: held.fillna(False).astype(bool) for name, held in holds.items()}, index=rows.index
    )
    names = np.array(list(table.columns))
    return pd.Series(
        [";".join(names[row]) for row in table.to_numpy()], index=rows.index, dtype="str"
    )


def _is_marked(rows: pd.DataFrame, count: str, gates: Gates) -> pd.Series:
    """Whether a sign concerns more of a row's devices than a few; of few devices it is not said."""
    return (rows["m"] >= gates.min_devices) & (
        rows[count] > gates.marked_ids_share * rows["device_count"]
    )


def do_ids_restart(life: IdLife, gates: Gates) -> bool:
    """Whether device ids begin anew from month to month: hardly one is seen in two months.

    False where too few ids may be asked, or one month holds nearly all samples.
    """
    full_months = sum(share >= gates.restart_min_month_share for share in life.month_shares)
    return (
        life.device_count >= gates.restart_min_devices
        and full_months >= 2
        and life.stayed_count < gates.restart_max_share * life.device_count
    )


def summarise(status: pd.DataFrame) -> pd.DataFrame:
    """`gap_class` and lists of operators by commune.

    `status`: `commune_status` with `counts_here` (a device in the commune within 12 months).
    insufficient_evidence is unknown; borderline is neither gap nor meets, so that a total gap is a
    gap of every operator that counts here. Without named operators (tiles) the pooled row counts:
    a pooled gap means that at least one operator misses the target, and leaves the others unknown.
    """
    named = status[status["operator"] != ALL]
    pooled_only = named.empty
    rows = (status if pooled_only else named).sort_values(["commune_code", "operator"])
    is_gap = rows["status"].isin(["confirmed_gap", "probable_gap"])
    meets = rows["status"].eq("meets_target")
    unknown = rows["counts_here"] & rows["status"].isin(["insufficient_evidence", "no_data"])
    borderline = rows["counts_here"] & rows["status"].eq("borderline")
    communes = pd.Index(status["commune_code"].unique(), name="commune_code").sort_values()

    def listed(mask: pd.Series) -> pd.Series:
        names = rows[mask].groupby("commune_code")["operator"].agg(";".join)
        return names.reindex(communes).fillna("").astype("str")

    def count(mask: pd.Series) -> pd.Series:
        return rows[mask].groupby("commune_code").size().reindex(communes, fill_value=0)

    gaps, passes, unknowns = count(is_gap), count(meets), count(unknown)
    if pooled_only:
        unknowns = unknowns + gaps
    has_gap = gaps > 0
    gap_class = np.select(
        [
            has_gap & (passes > 0),
            has_gap & (unknowns > 0),
            has_gap & (count(borderline) > 0),
            has_gap,
            passes > 0,
        ],
        ["partial_gap", "gap_rest_unknown", "gap_rest_borderline", "total_gap", "no_gap_found"],
        default="unknown",
    )
    return pd.DataFrame(
        {
            "gap_class": pd.Series(gap_class, index=communes, dtype="str"),
            "operators_gap": listed(is_gap),
            "operators_meeting": listed(meets),
            "operators_unknown": listed(unknown),
        }
    )


def everywhere_bounds(rows: pd.DataFrame) -> tuple[float, float]:
    """(lower, upper) bound of the share of communes in which no operator misses the target.

    Lower: communes where every operator that counts there surely meets the target. Upper: one
    minus those where some operator has a confirmed gap. Always published as a pair, never as one
    percentage (METHOD §4). `rows`: commune_code, operator, status, evidence, counts_here; the `all`
    rows count only where there are no others.
    """
    meets = every_operator_meets(rows)
    return float(meets.eq("yes").mean()), 1 - float(meets.eq("no").mean())


def every_operator_meets(rows: pd.DataFrame) -> pd.Series:
    """Whether every operator meets the target, by commune_code.

    `yes` where every one that counts there surely meets it, `no` where some operator has a
    confirmed gap, else `unknown`. `rows`: as for `everywhere_bounds`.
    """
    named = rows[rows["operator"] != ALL]
    rows = rows if named.empty else named
    sure = rows["status"].eq("meets_target") & rows["evidence"].eq("confirmed")
    commune = rows["commune_code"]
    good = (sure | ~rows["counts_here"]).groupby(commune).all() & sure.groupby(commune).any()
    has_gap = rows["status"].eq("confirmed_gap").groupby(commune).any()
    found = np.select([good, has_gap], ["yes", "no"], default="unknown")
    return pd.Series(found, index=good.index, dtype="str")
