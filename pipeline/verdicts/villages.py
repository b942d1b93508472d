"""Villages × operators → `village_status`: what is known of each village, and a class proposed.

Verdicts of villages follow the rule of communes where it can be asked (devices, samples, dates,
interval, q-value, leave-one-out, capped tests) and are never confirmed. No speed of a village is
published. Does not belong here: who tested where (`measurements/village_counts.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.config.rules import Rules, Signs
from pipeline.measurements.village_counts import COUNTS, VillageCounts
from pipeline.schema.fields import ALL
from pipeline.schema.month import AreaPeriod
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.verdicts import statistics
from pipeline.verdicts.checks import checks
from pipeline.verdicts.silence import VISIT, Attempts, silence

UNIT = ["village", "operator"]
PUBLISHED = {
    "test_count": "village_test_count", "device_count": "village_device_count",
    "date_count": "village_date_count", "failed_test_count": "village_failed_count",
}  # fmt: skip
HIDDEN = (
    *PUBLISHED.values(),
    "last_test_date",
    "fallback_test_count",
    "no_service_count",
    "no_signal_probability",
)
NO_SIGNAL = 0.8  # probability from which `no_signal` is proposed
VISITED_FROM = 0.2  # probability from which a visit is proposed
# the official class → proposed classes that contradict it
CONTRADICTIONS = {
    "no_signal": ("weak", "below_target", "meets"),
    "weak": ("no_signal", "meets"),
    "covered": ("no_signal", "weak"),
}


@dataclass(frozen=True)
class Asked:
    """What villages are judged by. `window_months`: of the evidence."""

    rules: Rules
    signs: Signs
    window_months: int


def village_status(
    villages: pd.DataFrame,
    found: VillageCounts,
    operators: Iterable[str],
    visits: pd.DataFrame | None,
    area: AreaPeriod,
    asked: Asked,
) -> pd.DataFrame:
    """The declared table `village_status`: every village × operator.

    `visits`: the declared table `visits`; None: nobody visited. Of a village where 1 to
    `shown_min_devices` − 1 devices of an operator tried, nothing of the operator is published;
    where that leaves one place of a commune hidden, counts of a second one are left out too.
    """
    numbers = villages.groupby("commune_code").cumcount() + 1
    ids = villages["commune_code"] + "-" + numbers.map("{:03d}".format)
    rows = _all_rows(villages.assign(village_id=ids), found, sorted(operators))
    rows["official_class"] = _official(rows["official_classes"], rows["operator"])
    rows = rows.join(_judged(found, rows, asked.rules))
    rows["status"] = rows["status"].fillna("no_data")
    rows["visited"] = _visited(rows, villages, visits)
    rows["no_signal_probability"] = _probabilities(rows, villages, area)
    rows["is_hidden"] = _is_few(rows, asked)
    rows = rows.join(_classes(rows, asked))
    rows["status"] = rows["status"].mask(rows["is_hidden"], "insufficient_evidence")
    rows = rows.assign(village_latitude=rows["latitude"], village_longitude=rows["longitude"])
    return _published("village_status", rows, area, asked)


def inhabited_hexes(
    cells: pd.DataFrame,
    found: VillageCounts,
    operators: Iterable[str],
    area: AreaPeriod,
    asked: Asked,
) -> pd.DataFrame:
    """The declared table `inhabited_hexes`: what silence says of every cell × operator.

    `cells`: of `population.inhabited_cells`. Small groups are hidden as in `village_status`.
    """
    rows = _all_rows(cells.assign(village_id=cells["hex_id"]), found, sorted(operators))
    rows["visited"] = pd.Series(None, index=rows.index, dtype="str")
    rows["no_signal_probability"] = _probabilities(rows, cells, area)
    rows["is_hidden"] = _is_few(rows, asked)
    rows["hex_commune_code"] = rows["commune_code"]
    return _published("inhabited_hexes", rows, area, asked)


def _is_few(rows: pd.DataFrame, asked: Asked) -> pd.Series:
    """Rows of which nothing is published: few devices tried, or few of them had a valid test."""
    most = asked.rules.shown_min_devices - 1
    tried = rows["usable_device_count"] + rows["failed_device_count"]
    return tried.between(1, most) | rows["device_count"].between(1, most)


def _is_needed_to_hide(rows: pd.DataFrame, least: int) -> pd.Series:
    """Rows whose counts are left out so that those of hidden rows do not follow from the commune's.

    The commune's counts less those shown are the hidden ones'. Where these are of one place, or of
    fewer than `least` devices, the place with the next fewest devices joins them.
    """
    found = pd.Series(False, index=rows.index)
    size = rows["device_count"] + rows["failed_device_count"]
    keys = ["commune_code", "operator"]
    some = rows[rows["is_hidden"].groupby([rows[key] for key in keys]).transform("any")]
    for _, unit in some.groupby(keys):
        hidden = unit["is_hidden"]
        place_count, devices = int(hidden.sum()), float(size[unit.index][hidden].sum())
        order = unit.index[~hidden & (size[unit.index] > 0)]
        for place in size[order].sort_values(kind="stable").index:
            if not place_count or (place_count > 1 and devices >= least):
                break
            found[place] = True
            place_count, devices = place_count + 1, devices + float(size[place])
    return found


def _published(name: str, rows: pd.DataFrame, area: AreaPeriod, asked: Asked) -> pd.DataFrame:
    """The declared table, with what may not be published of small groups emptied."""
    also = _is_needed_to_hide(rows, asked.rules.shown_min_devices)
    rows = rows.assign(visit_rank=_visit_ranks(rows).mask(also)).rename(columns=PUBLISHED)
    hidden = [column for column in HIDDEN if column in rows]
    rows[hidden] = rows[hidden].where(~(rows["is_hidden"] | also))
    named = rows.reset_index(drop=True).merge(
        area.communes[["commune_code", "commune_name", "boundary_vintage"]], on="commune_code"
    )
    table = named.assign(period=str(area.period), window_months=float(asked.window_months))
    table = table.sort_values(["village_id", "operator"], ignore_index=True)
    return validated(name, with_declared_dtypes(name, table))


def _all_rows(villages: pd.DataFrame, found: VillageCounts, operators: list[str]) -> pd.DataFrame:
    """Every village × operator (index UNIT) with its counts and what the list says of it."""
    listed = villages.assign(village=np.arange(len(villages)))
    rows = listed.merge(pd.DataFrame({"operator": pd.Series(operators, dtype="str")}), how="cross")
    rows = rows.merge(found.counts, on=UNIT, how="left")
    rows[list(COUNTS)] = rows[list(COUNTS)].fillna(0.0)
    return rows.set_index(UNIT, drop=False).rename_axis([None, None])


def _official(listed: pd.Series, operators: pd.Series) -> pd.Series:
    """The class of each row's operator in texts such as `Viettel=weak;all=covered`."""
    found = []
    for text, operator in zip(listed.fillna(""), operators, strict=True):
        classes = dict(one.rsplit("=", 1) for one in text.split(";") if "=" in one)
        found.append(classes.get(operator, classes.get(ALL)))
    return pd.Series(found, index=listed.index, dtype="str")


def _judged(found: VillageCounts, rows: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Status by UNIT: probable_gap, meets_target, borderline, insufficient_evidence, no_data."""
    gates, target, confidence = rules.gates, rules.target_mbps, rules.confidence
    values = found.values.rename(columns={"village": "commune_code"})
    values = values.assign(upload_mbps=np.nan, latency_ms=np.nan, month_mbps=np.nan)
    units = statistics.direct(values, target=target, confidence=confidence)
    units = units.join(checks(values, units, target=target, confidence=confidence))
    units = units.rename_axis([None, None])
    sizes = rows[["sample_count", "date_count"]].reindex(units.index)
    enough = (
        (units["m"] >= gates.min_devices)
        & (sizes["sample_count"] >= gates.min_samples)
        & (sizes["date_count"] >= gates.min_dates)
    )
    q_gap = statistics.q_values(units["p_gap"], enough)
    q_meets = statistics.q_values(units["p_meets"], enough)
    gap = enough & (units["hi_mbps"] < target) & (units["worst_hi_mbps"] < target)
    gap &= q_gap <= gates.max_q
    meets = enough & (units["lo_mbps"] >= target) & (q_meets <= gates.max_q)
    meets &= (units["capped_lo_mbps"] >= target) & (units["mean_without_fastest_mbps"] >= target)
    status = np.select(
        [gap, meets, enough],
        ["probable_gap", "meets_target", "borderline"],
        default="insufficient_evidence",
    )
    return pd.DataFrame({"status": pd.Series(status, index=units.index, dtype="str")})


def _visited(rows: pd.DataFrame, villages: pd.DataFrame, visits: pd.DataFrame | None) -> pd.Series:
    """What the last visit found, `measured` or `no_signal`; empty without one.

    A village whose name another of its commune has takes no visit: nobody knows which is meant.
    """
    nothing = pd.Series(None, index=rows.index, dtype="str")
    if visits is None or not len(visits):
        return nothing
    keys = ["commune_code", "village_name"]
    is_alone = ~villages.duplicated(keys, keep=False)
    last = visits.sort_values(["visit_date", "visit_result"]).drop_duplicates(
        [*keys, "operator"], keep="last"
    )
    result = last.set_index([*keys, "operator"])["visit_result"]
    asked = pd.MultiIndex.from_frame(rows[[*keys, "operator"]])
    met = pd.Series(result.reindex(asked).to_numpy(), index=rows.index, dtype="str")
    return met.where(is_alone.to_numpy()[rows["village"].to_numpy()])


def _probabilities(rows: pd.DataFrame, villages: pd.DataFrame, area: AreaPeriod) -> pd.Series:
    """P(no usable signal) by row of `rows`, whose villages and operators are in order."""
    shape = (len(villages), -1)
    works, dead = np.ones((2, len(rows)))
    for result, (if_works, if_dead) in VISIT.items():
        is_met = rows["visited"].eq(result).to_numpy()
        works[is_met], dead[is_met] = if_works, if_dead
    code = pd.Index(area.communes["commune_code"])
    known = Attempts(
        commune=np.asarray(code.get_indexer(villages["commune_code"]), dtype=np.int64),
        people=villages["people"].to_numpy(dtype="float64"),
        usable=rows["usable_device_count"].to_numpy().reshape(shape),
        failed=rows["failed_device_count"].to_numpy().reshape(shape),
        visit_works=works.reshape(shape),
        visit_dead=dead.reshape(shape),
    )
    return pd.Series(silence(known).ravel(), index=rows.index)


def _classes(rows: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """`village_class`, `class_grounds` and `class_differs` by row, in the order of the rule.

    visited without signal, and no usable test: `no_signal`; interval above the target: `meets`;
    P(no signal) of NO_SIGNAL or more: `no_signal`; signs of a weak signal: `weak`; interval below
    the target: `below_target`; else `not_known`.
    """
    signs = asked.signs
    least = asked.rules.shown_min_devices
    tests, failed, fallback = (
        rows[name] for name in ("test_count", "failed_test_count", "fallback_test_count")
    )
    tried = (tests + failed + fallback + rows["no_service_count"]).replace(0, np.nan)
    enough = rows["usable_device_count"] + rows["failed_device_count"] >= least
    weak_signs = {
        "weak_signal": (rows["signal_device_count"] >= least)
        & (rows["signal_median_dbm"] <= signs.weak_signal_dbm),
        "fallback_3g_2g": enough & (fallback / tried >= signs.fallback_share),
        "failed_tests": enough & (failed / tried >= signs.failure_rate),
        "no_service": enough & (rows["no_service_count"] / tried >= signs.failure_rate),
    }
    is_weak = np.logical_or.reduce([sign.to_numpy() for sign in weak_signs.values()])
    visited = rows["visited"].eq("no_signal") & rows["usable_device_count"].eq(0)
    silent = rows["no_signal_probability"].ge(NO_SIGNAL) & rows["visited"].ne("measured")
    hidden, none = rows["is_hidden"], tried.isna()
    order: list[tuple[pd.Series, str, str]] = [
        (visited, "no_signal", "visited"),
        (hidden, "not_known", "few_devices"),
        (rows["status"].eq("meets_target"), "meets", "interval"),
        (silent, "no_signal", "silence"),
        (pd.Series(is_weak, index=rows.index), "weak", ""),
        (rows["status"].eq("probable_gap"), "below_target", "interval"),
        (none, "not_known", "no_tests"),
    ]
    holds = [one.to_numpy(dtype=bool) for one, _, _ in order]
    classes = np.select(holds, [name for _, name, _ in order], "not_known").astype(object)
    grounds = np.select(holds, [why for _, _, why in order], "undecided").astype(object)
    also = _listed({name: sign.to_numpy() for name, sign in weak_signs.items()})
    grounds[classes == "weak"] = also[classes == "weak"]
    tries = {
        "failed_tests": (failed > 0).to_numpy(),
        "no_service": (rows["no_service_count"] > 0).to_numpy(),
    }
    # "nobody tested" is said only where nobody did
    did_try = (rows["usable_device_count"] + rows["failed_device_count"] > 0).to_numpy()
    is_silence, more = grounds == "silence", _listed(tries)
    grounds[is_silence & did_try] = "unreached"
    grounds[is_silence] += [f";{one}" if one else "" for one in more[is_silence]]
    official = rows["official_class"].fillna("").to_numpy()
    differs = [
        name in CONTRADICTIONS.get(listed, ())
        for name, listed in zip(classes, official, strict=True)
    ]
    return pd.DataFrame(
        {"village_class": classes, "class_grounds": grounds, "class_differs": differs},
        index=rows.index,
    )


def _listed(signs: dict[str, npt.NDArray[np.bool_]]) -> npt.NDArray[np.object_]:
    """`;`-separated names of the signs that hold, by row."""
    names = np.array(list(signs))
    table = np.column_stack(list(signs.values()))
    return np.array([";".join(names[row]) for row in table], dtype=object)


def _visit_ranks(rows: pd.DataFrame) -> pd.Series:
    """1, 2, …: by P(no signal) × people; villages of unknown people count as the mean."""
    people = rows["people"].fillna(rows["people"].mean()).fillna(1.0)
    wanted = (
        rows["no_signal_probability"].ge(VISITED_FROM) & rows["visited"].isna() & ~rows["is_hidden"]
    )
    expected = (rows["no_signal_probability"] * people).where(wanted)
    keys = pd.DataFrame({"expected": -expected, "village_id": rows["village_id"]})
    keys = keys.assign(operator=rows["operator"]).reset_index(drop=True)
    keys = keys.sort_values(["expected", "village_id", "operator"])
    ranks = pd.Series(np.arange(1.0, len(keys) + 1), index=keys.index).sort_index()
    return pd.Series(ranks.where(wanted.to_numpy()).to_numpy(), rows.index).astype("Int64")
