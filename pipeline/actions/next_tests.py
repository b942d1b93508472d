"""Where to test next month: which communes, places and operators, how many new devices, when.

The aim is the expected number of commune × operator units that reach a confirmed verdict, weighted
by people. P(verdict | n more devices) is of `verdicts/prospects.py`; it is not concave in n (the
first devices decide nothing), so units are compared by their best gain per device over
1 … MOST further ones, and the best block is taken first: a greedy choice along the concave hull,
which is optimal but for the last block (Dantzig, Operations Research 5(2), 1957, knapsack).

Privacy: figures of a unit that is too small to be published never enter: it is planned as a unit
where nobody tested, by what the model knows of the commune's other operators and of the operator
elsewhere, and its devices are drawn like new ones. So neither `expected_verdicts` nor the number of
devices or the state can tell how fast its one or two devices were. Does not belong here: files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.actions.places import Placed, placed, places_of_communes
from pipeline.actions.travel import Travel, geodesic_km, nearest_first
from pipeline.config.rules import Rules
from pipeline.measurements.strata import Strata
from pipeline.schema.fields import ALL
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.verdicts import borrowing, weighted
from pipeline.verdicts.prospects import MOST, chances, q_limits

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
UNIT = ["commune_code", "operator"]
LEAST_CHANCE = 0.2  # of a verdict with MOST further devices: below it devices are better elsewhere
NEAR_KM = 15.0  # trips of communes whose places are no farther apart may be one
UNKNOWN_LEVEL_SD = 0.5  # of log means around the target, where the crossed model says nothing
UNKNOWN_SPREAD = 0.5  # variance of log device values there
EARLIEST, LATEST = 7, 21  # hours in which a team may ask people to test
WINDOW_HOURS = 2
POOLED = -2  # the stratum of votes whose place may not show: no place, it tells of the mean alone
_ROUNDING = 1e-9  # of votes, sums of shares


@dataclass(frozen=True)
class Known:
    """What is known of a period, for the plan.

    `rows`: of `result_tables.Verdicts`; `suppressed`: bool by unit. `communes`: commune_code,
    commune_name, population. `villages`: the table `villages`; None: not known.
    """

    rows: pd.DataFrame
    suppressed: pd.Series
    strata: Strata
    communes: pd.DataFrame
    villages: pd.DataFrame | None = None


@dataclass(frozen=True)
class Wanted:
    """What may be used: new devices in all, by operator, and by trip of a team (None: no limit)."""

    devices: int
    per_team: int | None = None
    quotas: Mapping[str, int] | None = None  # most devices of an operator; others have no limit
    busy_hours: tuple[float, float] = (19.0, 22.0)


def next_tests(
    known: Known, wanted: Wanted, rules: Rules, travel: Travel | None = None
) -> dict[str, pd.DataFrame]:
    """The tables `plan` and `plan_communes`.

    No more than the wanted devices are placed; a unit that is decided, or that no sensible number
    of devices decides, gets none. `travel`: distances for trips; geodesic if None.
    """
    units = plan_units(known, rules)
    places = places_of_communes(
        known.strata, known.villages, known.communes, rules.shown_min_devices
    )
    shown = _shown_sums(known)  # where one or two devices tested must not show in the places
    least = rules.shown_min_devices
    spread = placed(
        pd.MultiIndex.from_frame(units[UNIT]), places, pooled(shown, least),
        weighted.shares_between(shown), MOST,
    )  # fmt: skip
    chance = chances_of_units(units, spread, rules)
    asked = pd.Series(wanted.quotas or {}, dtype="float64")
    quotas = np.asarray(units["operator"].map(asked), dtype=np.float64)
    weight = people_weights(units["population"])
    devices = allotted(
        chance, weight, units["operator"].to_numpy(dtype=object), quotas, wanted.devices
    )
    units = units.assign(devices_wanted=devices.astype("float64"))
    units["gain"] = chance[np.arange(len(units)), devices]
    units["weighted_gain"] = units["gain"] * weight
    units["time_windows"] = time_windows(units, wanted.busy_hours, rules.gates.min_hours_apart)
    units["plan_state"] = np.select(
        [units["is_decided"], devices > 0, chance.max(axis=1) < LEAST_CHANCE],
        ["decided", "test", "near_target"],
        default="out_of_devices",
    )
    visits = _visits(units, places, spread)
    visits = _in_trips(visits, wanted.per_team, travel or Travel())
    visits = _with_replacements(visits, places)
    return {"plan": _plan_table(visits), "plan_communes": _communes_table(units)}


def plan_units(known: Known, rules: Rules) -> pd.DataFrame:
    """Named operators' units with the figures that the plan may use.

    A suppressed unit has the count of its devices (`hidden`) and no figure of theirs; `m` is 0.
    """
    rows = known.rows[(known.rows["operator"] != ALL) & ~known.rows["is_tiles"].astype(bool)]
    rows = rows.sort_values(UNIT, ignore_index=True)
    rows = rows.drop(columns="population", errors="ignore").merge(
        known.communes[["commune_code", "population"]], how="left", on="commune_code"
    )
    index = pd.MultiIndex.from_frame(rows[UNIT])
    is_hidden = known.suppressed.reindex(index).eq(True).to_numpy() & rows["m"].gt(0).to_numpy()
    rows["is_decided"] = rows["evidence"].eq("confirmed")
    rows["hidden"] = np.where(is_hidden, rows["m"], 0.0).astype(np.int64)
    rows["m"] = rows["m"].where(~is_hidden, 0.0)
    units = rows.assign(
        log_mean=rows["people_log_mean"],
        log_var=rows["people_log_var"],
        error_factor=rows["people_error_factor"],
    ).set_index(UNIT)
    operators = sorted(rows["operator"].unique())
    codes = pd.Index(sorted(rows["commune_code"].unique()))
    columns = ["m", "log_mean", "log_var", "error_factor", "exp_residuals"]
    model = units.loc[units["m"] > 0, columns]
    levels = borrowing.posterior_levels(model, codes, operators, rules.eb_min_communes)
    rows = rows.join(levels, on=UNIT)
    ratio = (rows["capped_mean_mbps"] / rows["mean_mbps"]).where(rows["m"] > 0)
    rows["capped_ratio"] = ratio.clip(0.05, 1.0).fillna(ratio.median()).fillna(1.0)
    for name in ("weighted_mean_mbps", "people_log_mean"):
        rows[name] = rows[name].fillna(rows[name.replace("weighted_", "").replace("people_", "")])
    rows["people_effective"] = (1 / rows["people_error_factor"]).where(rows["m"] > 0).fillna(0.0)
    rows["max_p_gap"], rows["max_p_meets"] = q_limits(rows, rules.gates.max_q)
    return _with_usual_levels(rows, rules)


def _shown_sums(known: Known) -> pd.DataFrame:
    """The sums by place without those of suppressed units."""
    units = pd.MultiIndex.from_frame(known.strata.sums[UNIT])
    return known.strata.sums[~known.suppressed.reindex(units).eq(True).to_numpy()]


def pooled(sums: pd.DataFrame, least: int) -> pd.DataFrame:
    """Votes by unit and place; of places with fewer than `least` votes in one stratum, POOLED.

    A unit of many devices may have one or two in a village: which village that is would show in
    the places that a plan leaves out. A device has one vote at most, so `least` votes are of as
    many devices.
    """
    stratum = sums["stratum"].mask(sums["votes"] < least - _ROUNDING, POOLED)
    table = sums[[*UNIT, "votes"]].assign(stratum=stratum)
    return table.groupby([*UNIT, "stratum"], as_index=False).sum()


def _with_usual_levels(rows: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Units that the crossed model says nothing of: a wide prior around the target."""
    empty = rows["log_level"].isna()
    prior = UNKNOWN_LEVEL_SD**2
    sw2 = rows["log_var"].where(rows["m"] >= 5).fillna(UNKNOWN_SPREAD)
    precision = rows["people_effective"] / sw2
    variance = 1 / (1 / prior + precision)
    start = np.log(rules.target_mbps) - sw2 / 2
    level = variance * (start / prior + precision * rows["people_log_mean"].fillna(0.0))
    usual = {
        "log_level": level, "level_var": variance, "spread": sw2, "low_spread": sw2,
        "high_spread": sw2, "sw2": sw2, "doubt": 0.0,
    }  # fmt: skip
    return rows.assign(**{name: rows[name].where(~empty, value) for name, value in usual.items()})


def chances_of_units(units: pd.DataFrame, spread: Placed, rules: Rules) -> Floats:
    """P(verdict | 1 … MOST more devices) of undecided units; 0 of those that are decided."""
    found = np.zeros((len(units), MOST + 1))
    is_open = ~units["is_decided"].to_numpy()
    some = units[is_open]
    found[is_open] = chances(some, spread.effective[is_open], some["hidden"].to_numpy(), rules)
    return found


def people_weights(population: pd.Series) -> Floats:
    """Population over the mean population of units; 1 where it is not known."""
    mean = population.mean()
    return (population / (mean if mean > 0 else np.nan)).fillna(1.0).to_numpy(dtype="float64")


def allotted(
    chance: Floats, weight: Floats, operator: npt.NDArray[np.object_], quota: Floats, budget: int
) -> Ints:
    """Devices by unit: the block with the largest weighted gain per device first.

    `chance`: units × (MOST + 1). `quota`: most devices of each unit's operator, NaN: no limit. Ties
    go to the larger weight, then to the first unit. Units whose chance never reaches LEAST_CHANCE
    get none.
    """
    devices = np.zeros(len(chance), dtype=np.int64)
    is_worth = chance.max(axis=1, initial=0.0) >= LEAST_CHANCE
    names, of = np.unique(operator.astype(str), return_inverse=True)
    left_of = np.full(len(names), np.inf)
    left_of[of] = np.where(np.isnan(quota), np.inf, quota)
    gain, block = np.zeros(len(chance)), np.zeros(len(chance), dtype=np.int64)

    def renew(rows: Ints, limit: float) -> None:
        steps = np.arange(1, MOST + 1)
        total = devices[rows, None] + steps
        is_allowed = (total <= MOST) & (steps <= limit) & (steps <= left_of[of[rows]][:, None])
        after = np.take_along_axis(chance[rows], np.minimum(total, MOST), axis=1)
        now = chance[rows, devices[rows]][:, None]
        rate = np.where(is_allowed, (after - now) * weight[rows, None] / steps, 0.0).round(9)
        best = rate.argmax(axis=1)
        gain[rows] = np.where(is_worth[rows], rate[np.arange(len(rows)), best], 0.0)
        block[rows] = best + 1

    everyone, budget_left = np.arange(len(chance)), budget
    renew(everyone, budget_left)
    while budget_left > 0 and len(chance):
        best = gain.max()
        if best <= 0:
            break
        tied = np.flatnonzero(gain == best)
        one = int(tied[weight[tied].argmax()])
        devices[one] += block[one]
        budget_left -= int(block[one])
        left_of[of[one]] -= block[one]
        is_short = budget_left < MOST or left_of[of[one]] < MOST
        renew(everyone if is_short else np.array([one]), budget_left)
    return devices


def time_windows(
    units: pd.DataFrame, busy_hours: tuple[float, float], min_hours_apart: float
) -> pd.Series:
    """Hours in which each unit's evidence lacks.

    A confirmed gap needs slow samples at times of day `min_hours_apart` apart: where there are none
    yet, a calm window so far from the busy hours and these; else the busy hours alone, in which
    capacity shows.
    """
    busy = _hours(*busy_hours)
    start = calm_start(busy_hours, min_hours_apart)
    both = ";".join(sorted([_hours(start, start + WINDOW_HOURS), busy]))
    apart = units["slow_hours_apart"].where(units["m"] > 0)  # hidden figures say nothing
    return pd.Series(np.where(apart >= min_hours_apart, busy, both), index=units.index, dtype="str")


def calm_start(busy_hours: tuple[float, float], min_hours_apart: float) -> int:
    """The earliest hour of a window of WINDOW_HOURS that lies so far from the busy hours.

    >>> calm_start((19.0, 22.0), 4.0), calm_start((7.0, 9.0), 4.0)
    (7, 13)
    """

    def distance(start: int) -> float:
        end = start + WINDOW_HOURS
        if start < busy_hours[1] and busy_hours[0] < end:
            return 0.0
        return min((busy_hours[0] - end) % 24, (start - busy_hours[1]) % 24)

    hours = range(EARLIEST, LATEST - WINDOW_HOURS + 1)
    far = [hour for hour in hours if distance(hour) >= min_hours_apart]
    return far[0] if far else max(hours, key=distance)


def _hours(start: float, end: float) -> str:
    def text(hour: float) -> str:
        whole, minute = divmod(round(hour * 60), 60)
        return f"{whole:02d}" if minute == 0 else f"{whole:02d}:{minute:02d}"

    return f"{text(start)}-{text(end)}"


def _visits(units: pd.DataFrame, places: pd.DataFrame, spread: Placed) -> pd.DataFrame:
    """One row per place × operator with its devices and its part of the unit's gain."""
    count = units["devices_wanted"].to_numpy(dtype=np.int64)
    unit = np.repeat(np.arange(len(units)), count)
    turn = np.arange(len(unit)) - np.repeat(np.cumsum(count) - count, count)
    rows = pd.DataFrame({"unit": unit, "place": spread.order[unit, turn]})
    rows = rows.groupby(["unit", "place"]).size().rename("devices_wanted").reset_index()
    rows["devices_wanted"] = rows["devices_wanted"].astype(np.int64)
    of = units.iloc[rows["unit"]].reset_index(drop=True)
    share = rows["devices_wanted"] / of["devices_wanted"]
    rows["expected_verdicts"] = of["gain"] * share
    rows["weighted_gain"] = of["weighted_gain"] * share
    for name in ("commune_code", "commune_name", "operator", "time_windows"):
        rows[name] = of[name]
    at = places.iloc[rows["place"]].reset_index(drop=True)
    names = ["village_name", "place_hex_id", "place_latitude", "place_longitude", "people"]
    return rows.assign(**{name: at[name] for name in names})


def _in_trips(visits: pd.DataFrame, per_team: int | None, travel: Travel) -> pd.DataFrame:
    """The visits with `trip` and `visit_order`; a place is split where it asks for too many.

    Inside a commune places are visited nearest first, from the one with most devices; a trip is
    full at `per_team` devices. What is left of two communes is one trip where it fits and places
    lie within NEAR_KM. Trips are numbered by their weighted expected verdicts.
    """
    if visits.empty:
        return visits.assign(trip=0, visit_order=0)
    parts, number = [], 0
    for _, rows in visits.groupby("commune_code", sort=True):
        stops = rows.groupby("place").agg(
            devices=("devices_wanted", "sum"),
            latitude=("place_latitude", "first"),
            longitude=("place_longitude", "first"),
        )
        km = travel.km(stops[["latitude", "longitude"]].to_numpy(dtype="float64"))
        order = nearest_first(km, int(stops["devices"].to_numpy().argmax()))
        ordered = [rows[rows["place"] == stops.index[stop]] for stop in order]
        found, number = _filled(ordered, per_team, number)
        parts.append(found)
    table = pd.concat(parts, ignore_index=True)
    if per_team is not None:
        table["trip"] = _merged(table, per_team, travel)
    gain = table.groupby("trip")["weighted_gain"].sum().round(9)
    ranked = gain.reset_index().sort_values(["weighted_gain", "trip"], ascending=[False, True])
    rank = pd.Series(np.arange(1, len(ranked) + 1), index=ranked["trip"])
    table["trip"] = table["trip"].map(rank)
    table = table.sort_values(["trip", "commune_code", "stop", "operator"], ignore_index=True)
    stop = table["commune_code"] + "/" + table["stop"].astype("str")
    first = ~(table["trip"].astype("str") + "/" + stop).duplicated()
    table["visit_order"] = first.groupby(table["trip"]).cumsum().astype(np.int64)
    return table


def _filled(
    stops: list[pd.DataFrame], per_team: int | None, number: int
) -> tuple[pd.DataFrame, int]:
    """(the stops' rows with `trip`, from `number`, and `stop`; the next trip's number)."""
    limit = per_team or np.inf
    rows: list[dict[Any, Any]] = []
    used, trip = 0, number
    for place, stop in enumerate(stops):
        total = int(stop["devices_wanted"].sum())
        if used and used + total > limit and total <= limit:
            trip, used = trip + 1, 0  # rather another trip than a place that is visited twice
        for row in stop.to_dict("records"):
            left = row["devices_wanted"]
            while left > 0:
                if used >= limit:
                    trip, used = trip + 1, 0
                some = int(min(left, limit - used))
                share = some / row["devices_wanted"]
                part = dict(row)  # keys are names of columns
                part |= {n: row[n] * share for n in ("expected_verdicts", "weighted_gain")}
                rows.append(part | {"devices_wanted": some, "trip": trip, "stop": place})
                left, used = left - some, used + some
    return pd.DataFrame(rows), trip + 1


def _merged(table: pd.DataFrame, per_team: int, travel: Travel) -> pd.Series:
    """The trips' numbers, those that fit together and lie near each other being one."""
    about = table.groupby("trip").agg(
        devices=("devices_wanted", "sum"),
        latitude=("place_latitude", "mean"),
        longitude=("place_longitude", "mean"),
    )
    open_trips = about[(about["devices"] < per_team) & about["latitude"].notna()]
    at = open_trips[["latitude", "longitude"]].to_numpy(dtype="float64")
    if len(open_trips) < 2:
        return table["trip"]
    near = geodesic_km(at, at) <= NEAR_KM
    size = open_trips["devices"].to_numpy().copy()
    into = np.arange(len(size))
    for one in range(len(size)):
        others = [o for o in range(one) if into[o] == o and near[one, o]]
        fitting = [o for o in others if size[o] + size[one] <= per_team]
        if fitting:
            km = travel.km(at[[one, *fitting]])[0, 1:]
            chosen = fitting[int(km.argmin())]
            if km.min() <= NEAR_KM:
                into[one] = chosen
                size[chosen] += size[one]
    names = open_trips.index.to_numpy()
    return table["trip"].map(pd.Series(names[into], index=names)).fillna(table["trip"]).astype(int)


def _with_replacements(visits: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """The visits and, for each, the nearest place of its commune that nobody is sent to.

    A place replaces one main place of an operator; where every place is visited there is none.
    """
    visits = visits.assign(visit_role="main")
    listed = dict(iter(places.groupby("commune_code")))
    found: list[dict[Any, Any]] = []
    for (code, _), rows in visits.groupby(UNIT, sort=True):
        near = listed[str(code)]
        free = near[near["place_latitude"].notna() & ~near.index.isin(rows["place"])]
        is_visited = free.index.isin(visits.loc[visits["commune_code"] == code, "place"])
        free = free.assign(is_visited=is_visited)
        for row in rows.sort_values(["trip", "visit_order"]).to_dict("records"):
            if free.empty or not np.isfinite(row["place_latitude"]):
                continue
            here = np.array([[row["place_latitude"], row["place_longitude"]]])
            km = geodesic_km(here, free[["place_latitude", "place_longitude"]].to_numpy(float))[0]
            place = free.assign(km=km.round(3)).sort_values(["is_visited", "km"]).iloc[0]
            names = ["village_name", "place_hex_id", "place_latitude", "place_longitude", "people"]
            role = {"visit_role": "replacement", "expected_verdicts": np.nan, "place": place.name}
            found.append(dict(row) | {name: place[name] for name in names} | role)
            free = free.drop(index=place.name)
    return pd.concat([visits, pd.DataFrame(found, columns=visits.columns)], ignore_index=True)


def _plan_table(visits: pd.DataFrame) -> pd.DataFrame:
    table = visits.sort_values(["trip", "visit_order", "operator", "visit_role"], ignore_index=True)
    table["expected_verdicts"] = table["expected_verdicts"].astype("float64").round(4)
    return validated("plan", with_declared_dtypes("plan", table))


def _communes_table(units: pd.DataFrame) -> pd.DataFrame:
    now = units["is_decided"].astype("float64")
    table = units.assign(
        verdict_probability_now=now,
        verdict_probability_after=np.maximum(now, units["gain"]).round(4),
    )
    table = table.sort_values(UNIT, ignore_index=True)
    return validated("plan_communes", with_declared_dtypes("plan_communes", table))
