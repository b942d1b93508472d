"""The declared tables of communes, joined from the steps' results. Nothing is decided here.

Does not belong here: the order of steps (`journey.py`), rules (`judge.py`), formulas
(`statistics.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline.config.rules import Gates, Rules
from pipeline.measurements.evidence import Evidence
from pipeline.measurements.strata import Strata
from pipeline.schema import privacy
from pipeline.schema.errors import Fault
from pipeline.schema.fields import ALL, GAP_CLASSES, STATUSES
from pipeline.schema.month import AreaPeriod
from pipeline.schema.periods import Period
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.verdicts import borrowing, judge, statistics, weighted
from pipeline.verdicts.checks import checks
from pipeline.verdicts.looks import look_count

UNIT = statistics.UNIT

_ZERO = (
    "test_count",
    "sample_count",
    "device_count",
    "date_count",
    "failed_test_count",
    "newer_test_count",
    "test_count_4g",
    "older_test_count",
    "accurate_count",
    "pseudo_count",
    "fast_test_count",
    "recent_device_count",
    "month_test_count",
    "month_device_count",
    "earlier_device_count",
    "dropped_device_count",
    "other_device_count",
    "mobile_device_count",
    "device_count_5g",
    "signal_device_count",
    "busy_device_count",
    "calm_device_count",
    "two_places_device_count",
    "crowd_device_count",
    "small_operator_count",
    "small_5g_operator_count",
    "m",
)
_EMPTY = (
    "largest_device_tests",
    "largest_cell_samples",
    "month_mean_mbps",
    "all_mobile_mean_mbps",
    "mean_5g_mbps",
    "last_day",
    "slow_hours_apart",
    "signal_median_dbm",
    "busy_mean_mbps",
    "calm_mean_mbps",
)


@dataclass(frozen=True)
class Verdicts:
    """A period's verdicts, before and after small groups are suppressed."""

    rows: pd.DataFrame  # of `judged`: for steps that go on from here, never published
    suppressed: pd.Series  # bool by (commune_code, operator)
    status: pd.DataFrame  # commune_status
    summary: pd.DataFrame  # commune_summary
    priors: Mapping[str, statistics.Prior | None]  # by operator


def verdicts(
    evidence: Evidence, area: AreaPeriod, rules: Rules, earlier: pd.DataFrame | None = None
) -> Verdicts:
    """Estimate, judge and suppress: device values and counts → the tables of communes.

    `earlier`: of `looks.look_count`.
    """
    units, priors = estimated(evidence.devices, evidence.strata, rules)
    rows = judged(evidence, units, area, rules)
    rows["look_count"] = look_count(rows, earlier)
    status, suppressed = commune_status(rows, rules.shown_min_devices)
    summary = commune_summary(rows, suppressed, area, rules)
    return Verdicts(rows, suppressed, status, summary, priors)


def estimated(
    devices: pd.DataFrame, strata: Strata, rules: Rules
) -> tuple[pd.DataFrame, dict[str, statistics.Prior | None]]:
    """`device_values` → every figure of METHOD §3 by unit, and the priors by operator.

    `weighted_`: the mean over the commune's people, of `strata`; the plain mean's where none are
    known. Probabilities and limits that verdicts must hold on rest on it.
    """
    target, confidence, least = rules.target_mbps, rules.confidence, rules.eb_min_communes
    units, priors = statistics.estimate(
        devices, target=target, confidence=confidence, min_units=least
    )
    further = statistics.devices_to_decide(
        units,
        priors,
        target=target,
        confidence=confidence,
        probability=rules.decide_probability,
        between=(rules.gates.confirmed_min_devices, rules.max_devices_to_decide),
    )
    also = checks(devices, units, target=target, confidence=confidence)
    given = {"target": target, "confidence": confidence}
    by_people, capped_by_people = (
        weighted.people_weighted(strata.sums, strata.shares, speed=speed, **given)
        for speed in ("download", "capped")
    )
    plain = units.assign(exp_residuals=also["exp_residuals"], error_factor=1 / units["m"])
    logs = {name: also[f"capped_{name}"] for name in ("log_mean", "log_var")}
    by_model = weighted.preferred(plain, by_people)
    borrowed = borrowing.borrow(by_model, target=target, min_units=least)
    capped = borrowing.borrow(
        weighted.preferred(plain.assign(**logs), capped_by_people), target=target, min_units=least
    )
    borrowed["capped_gap_probability"] = capped["borrowed_gap_probability"]
    for name in ("mean_mbps", "lo_mbps"):  # the worse of both
        of_people = capped_by_people[name].reindex(units.index)
        also[f"capped_{name}"] = also[f"capped_{name}"].clip(upper=of_people)
    figures = by_people[list(weighted.FIGURES)].add_prefix("weighted_")
    modelled = by_model[["log_mean", "log_var", "error_factor"]].add_prefix("people_")
    units = units.join(further).join(also).join(borrowed).join(figures).join(modelled)
    return units, priors


def judged(evidence: Evidence, units: pd.DataFrame, area: AreaPeriod, rules: Rules) -> pd.DataFrame:
    """Judge every commune × operator (and `all`); nothing is suppressed yet.

    Columns: the units' figures and counts, q-values, status, evidence, flags, `counts_here`.
    """
    communes, period = area.communes, area.period
    operators = [*evidence.operators, ALL]
    index = pd.MultiIndex.from_product([communes["commune_code"], operators], names=UNIT)
    rows = units.join(evidence.counts, how="outer").reindex(index)
    rows = rows.join(evidence.events)
    for name in (*_ZERO, *_EMPTY):
        if name not in rows:
            rows[name] = np.nan
    if evidence.is_tiles:
        rows["month_test_count"] = np.nan
    zero = [name for name in _ZERO if not (evidence.is_tiles and name == "month_test_count")]
    rows[zero] = rows[zero].fillna(0.0)
    rows["has_spread_between"] = rows["has_spread_between"].eq(True)
    rows["information"] = rows["information"].fillna(0.0)
    rows["is_tiles"] = evidence.is_tiles
    rows["window_months"] = rows["window_months"].fillna(float(evidence.window_months))
    rows["is_widened"] = rows["window_months"] > evidence.window_months
    target, gates = rules.target_mbps, rules.gates
    life = evidence.id_life
    rows["ids_restart"] = life is not None and judge.do_ids_restart(life, gates)
    rows["is_capped"] = evidence.is_tiles | rows["pseudo_count"].gt(0) | rows["ids_restart"]
    first = judge.passes_first_gate(rows, gates)
    pooled = pd.Series(rows.index.get_level_values("operator") == ALL, index=rows.index)
    for p, q in (("p_gap", "q_gap"), ("p_meets", "q_meets")):
        worse = rows[p].clip(lower=rows[f"weighted_{p}"])
        families = [statistics.q_values(worse, first & family) for family in (pooled, ~pooled)]
        rows[q] = families[0].fillna(families[1])
    may = judge.may_borrow(rows, target, gates)
    chances = {
        "gap": rows["borrowed_gap_probability"],
        "pass": 1 - rows["borrowed_miss_probability"],
    }
    for kind, chance in chances.items():
        rows[f"is_borrowed_{kind}"] = borrowing.selected(
            chance, may[kind], rules.borrowed_false_discovery_rate, rules.borrowed_min_probability
        )
    rows = rows.join(judge.assign_status(rows, target, gates))
    rows["last_test_date"] = _dates(rows["last_day"])
    rows["evidence_age_days"] = evidence_age(rows["last_test_date"], period)
    rows["margin"] = judge.margin(rows, rows["status"], target)
    tried = rows["failed_test_count"] + rows["test_count"]
    rows["failure_rate"] = (rows["failed_test_count"] / tried.where(tried > 0)).where(
        ~rows["is_tiles"]
    )
    rows["no_data_reason"] = judge.no_data_reason(rows)
    rows["flags"] = judge.flags(rows, target, gates)
    # of a tile's average one cannot ask for more devices
    undecided = rows["evidence"].ne("confirmed") & ~rows["is_tiles"]
    for name in ("devices_to_decide", "devices_to_decide_reason"):
        rows[name] = rows[name].where(undecided)
    rows["counts_here"] = [unit in evidence.present for unit in rows.index]
    return (
        rows.reset_index()
        .merge(communes[["commune_code", "commune_name", "boundary_vintage"]], on="commune_code")
        .assign(period=str(period))
    )


def _dates(days: pd.Series) -> pd.Series:
    """Days since 1970 as YYYY-MM-DD; empty where there is none."""
    dates = pd.to_datetime(days, unit="D").dt.strftime("%Y-%m-%d")
    return dates.astype("str").where(days.notna())


def evidence_age(dates: pd.Series, period: Period) -> pd.Series:
    """Days from dates (YYYY-MM-DD, missing where there is none) to the period's last day.

    >>> evidence_age(pd.Series(["2026-10-30", None]), Period.parse("2026-10")).tolist()
    [1.0, nan]
    """
    last = pd.Timestamp(period.end.date())
    return (last - pd.to_datetime(dates, format="%Y-%m-%d")).dt.days.astype("float64")


def id_warnings(evidence: Evidence, gates: Gates) -> list[Fault]:
    """The warning that device ids begin anew every month; none where they do not."""
    life = evidence.id_life
    if life is None or not judge.do_ids_restart(life, gates):
        return []
    return [Fault("ids_restart", values={"count": life.stayed_count, "of": life.device_count})]


def below_first_gate(
    evidence: Evidence, communes: gpd.GeoDataFrame, gates: Gates
) -> list[tuple[str, str]]:
    """Commune × operator (and `all`) that fail E1 over their window and need a longer one.

    See METHOD §2.5.
    """
    index = pd.MultiIndex.from_product(
        [communes["commune_code"], [*evidence.operators, ALL]], names=UNIT
    )
    sizes = evidence.counts.reindex(index)[["sample_count", "date_count"]].fillna(0.0)
    rows = sizes.assign(
        m=evidence.devices.groupby(UNIT).size().reindex(index, fill_value=0), is_tiles=False
    )
    return list(index[~judge.passes_first_gate(rows, gates).to_numpy()])


def commune_status(rows: pd.DataFrame, min_devices: int) -> tuple[pd.DataFrame, pd.Series]:
    """(`commune_status` with small groups' figures emptied, what was suppressed by unit)."""
    hidden = privacy.is_suppressed(rows, "commune_code", "device_count", min_devices)
    # an operator's row over a longer window may show its speeds: `all` over the short window would
    # reveal the operator's speeds of the short one
    pooled = rows["operator"].eq(ALL)
    hidden |= pooled & rows["small_operator_count"].eq(1) & rows["device_count"].gt(0)
    hidden_month = privacy.is_suppressed(rows, "commune_code", "month_device_count", min_devices)
    # less the window's mean, the month's would be that of the few devices that are in one of them
    for apart in ("earlier_device_count", "dropped_device_count"):
        hidden_month |= rows[apart].between(1, min_devices - 1)
    hidden_month = privacy.with_total(hidden_month, rows, "commune_code")
    hidden_5g = privacy.is_suppressed(rows, "commune_code", "device_count_5g", min_devices)
    hidden_5g |= pooled & rows["small_5g_operator_count"].eq(1)
    shown = privacy.without(rows, hidden)
    shown = privacy.without(shown, hidden_month | hidden, "month_device_count")
    shown = privacy.without(shown, hidden_5g, "device_count_5g")
    shown = _without_small_sides(shown, min_devices)
    dates = ["last_test_date", "evidence_age_days"]  # of one or two devices
    shown[dates] = shown[dates].where(~hidden)
    shown["operator_order"] = shown["operator"].eq(ALL)
    shown = shown.sort_values(["commune_code", "operator_order", "operator"], ignore_index=True)
    suppressed = pd.Series(hidden.to_numpy(), index=pd.MultiIndex.from_frame(rows[UNIT]))
    return validated("commune_status", with_declared_dtypes("commune_status", shown)), suppressed


def _without_small_sides(rows: pd.DataFrame, min_devices: int) -> pd.DataFrame:
    """The rows with the means before and after an event emptied where few devices made them.

    The mean after it and the row's mean would also reveal the few devices that the event does not
    touch; of an outage the row rests on both sides, and either mean would.
    """
    all_of, before, after = (
        rows[name] for name in ("device_count", "device_count_before", "device_count_after")
    )
    is_few = {
        name: (all_of - count).between(1, min_devices - 1)
        for name, count in (
            ("before", before), ("after", after), ("touched", rows["touched_device_count"])
        )
    }  # fmt: skip
    of_outage = rows["event_kind"].eq("outage") & (is_few["before"] | is_few["touched"])
    rows = privacy.without(rows, (before < min_devices) | of_outage, "device_count_before")
    return privacy.without(rows, (after < min_devices) | is_few["after"], "device_count_after")


def commune_summary(
    rows: pd.DataFrame, suppressed: pd.Series, area: AreaPeriod, rules: Rules
) -> pd.DataFrame:
    """One row per commune: `commune_summary`.

    `rows`, `suppressed`: of `judged` and `commune_status`.
    """
    communes, period = area.communes, area.period
    verdicts = judge.summarise(rows)
    verdicts["every_operator_meets"] = judge.every_operator_meets(rows)
    pooled = rows[rows["operator"] == ALL].set_index("commune_code")
    hidden = suppressed.xs(ALL, level="operator").reindex(pooled.index)
    least = rules.shown_min_devices
    # the all-mobile mean and the 4G mean would reveal one or two devices of another technology
    lone = pooled["other_device_count"].gt(0) & pooled["other_device_count"].lt(least)
    is_shown = ~hidden & ~lone & pooled["mobile_device_count"].ge(least)
    counts = ["window_months", "month_test_count", "test_count", "device_count"]
    figures = pooled[counts].assign(
        mean_mbps=pooled["mean_mbps"].where(~hidden),
        all_mobile_mean_mbps=pooled["all_mobile_mean_mbps"].where(is_shown),
        meets_300=pooled["month_test_count"].ge(rules.gates.official_test_count),
    )
    named = pd.DataFrame(communes).set_index("commune_code").join(verdicts).join(figures)
    table = named.reset_index().assign(period=str(period))
    table = table.sort_values("commune_code", ignore_index=True)
    return validated("commune_summary", with_declared_dtypes("commune_summary", table))


def rejects_tables(rejects: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`rejects`, a row per row that is set aside, and `rejects_summary`."""
    listed = rejects[["source_file", "source_row", "reject_reason"]]
    return {"rejects": listed, "rejects_summary": rejects_summary(rejects)}


def rejects_summary(rejects: pd.DataFrame) -> pd.DataFrame:
    """Rows set aside, by source, file and reason."""
    keys = ["source", "source_file", "reject_reason"]
    table = (
        rejects.groupby(keys).size().rename("reject_count").reset_index()
        if len(rejects)
        else pd.DataFrame({k: [] for k in [*keys, "reject_count"]})
    )
    return validated("rejects_summary", with_declared_dtypes("rejects_summary", table))


def results(
    verdicts: Verdicts, hex_status: pd.DataFrame, books: pd.DataFrame, last_date: str | None
) -> dict[str, Any]:
    """Headline figures: counts of statuses and gap classes, bounds, cells, books, `data_until`.

    Statuses are those of named operators' rows, of `all` where there are none. `last_date`: of
    the last sample, YYYY-MM-DD; `data_until` is dd/mm/yyyy, empty without one.
    """
    judged_rows, summary = verdicts.rows, verdicts.summary
    named = judged_rows[judged_rows["operator"] != ALL]
    rows = judged_rows if named.empty else named
    low, high = judge.everywhere_bounds(judged_rows)
    statuses, classes = rows["status"].value_counts(), summary["gap_class"].value_counts()
    return {
        "statuses": {name: int(statuses.get(name, 0)) for name in STATUSES},
        "gap_classes": {name: int(classes.get(name, 0)) for name in GAP_CLASSES},
        "everywhere_bounds": [low, high],
        "cells": int(hex_status["hex_id"].nunique()),
        "books": {
            str(source): {str(k): v for k, v in row.items()}
            for source, row in books.to_dict("index").items()
        },
        "data_until": "/".join(reversed(last_date.split("-"))) if last_date else "",
    }
