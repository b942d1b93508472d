"""A province whose truth is known at three levels (commune, operator, place), drawn from one seed.

speed of a test = commune × operator mean · place · phone · hour · noise, each factor of mean 1, so
that the true mean is known exactly: what an operator's customers would measure where they live, one
phone one vote, over the day. Those who test need not live where the people live. Throttled plans,
dead spots, campaign bursts and heavy testers are added. Does not belong here: names and outlines
(`province.py`, `schematic.py`), errors of deliveries (`inject_errors.py`), writing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy import stats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# of sittings; the rest evenly from 6 to 22 h
EVENING_SHARE, EVENING_HOUR, EVENING_SD_H = 0.45, 20.3, 1.2
BUSY_HOURS = (19.0, 22.0)
SCATTER_DEG = 0.0025  # of tests around their village's centre


@dataclass(frozen=True)
class Spread:
    """How the invented province varies; log-sds are of natural logarithms.

    Sources: docs/method.md, "The simulated provinces".
    """

    # truth; the median of national fixed and mobile tests was 40.3 in October 2025 (M-Lab)
    median_mbps: float = 40.0
    # shared by the commune's operators; METHOD §4's examples use tau 0.45 in all
    commune_log_sd: float = 0.45
    unit_log_sd: float = 0.20  # commune × operator beside the two main effects
    unit_tail_df: float | None = None  # Student-t degrees of freedom of that effect; none: normal
    # true means are drawn evenly between these, instead of all of the above
    bounds_mbps: tuple[float, float] | None = None
    place_log_sd: float = 0.30  # villages of one commune
    place_shared: float = 0.60  # share of the villages' variance that all operators have
    # the testers' share of a village is the people's × a log-normal factor of this log-sd ×
    # exp(tester_tilt · z), z the village's shared effect in sds; 0: testers live as the people do
    tester_log_sd: float = 0.80
    tester_tilt: float = 0.0
    # places without signal and so without tests, by operator; never the commune's office
    dead_share: float = 0.04
    # phones; with the places they make the log-sd of device values, METHOD §3: 0.7–0.95
    device_log_sd: float = 0.50
    device_tail_share: float = 0.0  # phones whose log-sd is `device_tail_factor` times as wide
    device_tail_factor: float = 2.5
    throttled_share: float = 0.05  # phones on a plan whose fast volume is used up
    throttled_mbps: float = 5.0  # what such a plan still gives
    nr_phone_share: float = 0.25  # phones with 5G
    # tests of one phone: intra-device correlation 0.5 or more (METHOD §2)
    noise_log_sd: float = 0.35
    evening_factor: float = 0.75  # 19–22 h against the rest of the day
    tests_per_device: float = 7.0
    devices_per_unit: float = 8.0  # mean number, where no number of tests is given
    repeat_share: float = 0.35  # tests that follow another of the same sitting
    heavy_share: float = 0.004  # phones that test a hundred times
    heavy_tests: int = 0  # further sittings of one phone in every commune × operator
    # sittings at the commune's office on the campaign's days, by people from all over the commune
    campaign_share: float = 0.10


@dataclass(frozen=True)
class Operator:
    """A simulated operator."""

    share: float  # of devices
    level: float  # against the commune's mean
    names: tuple[str, ...]  # in files


@dataclass(frozen=True)
class Province:
    """Sound tests (without errors), and the truth behind them by unit and by place.

    `truth`: commune_code, operator, true_mean_mbps, dead_share, drawn_device_count. `places`: the
    commune's villages for each operator: commune_code, operator, place, latitude, longitude, share
    (of the people), tester_share (both add up to 1 in a commune × operator), true_mean_mbps,
    is_dead.
    """

    tests: pd.DataFrame
    truth: pd.DataFrame
    places: pd.DataFrame


def draw_province(
    communes: gpd.GeoDataFrame,
    operators: Mapping[str, Operator],
    months: Sequence[str],
    *,
    seed: int,
    test_count: int | None = None,
    spread: Spread | None = None,
) -> Province:
    """Draw a province over `months`. `communes`: commune_code, population, geometry (EPSG:4326).

    Either `test_count` tests of phones that are spread by population, operator share and keenness;
    or, without it, in each commune × operator a geometric number of phones with mean
    `spread.devices_per_unit`.
    """
    spread = spread or Spread()
    generator = np.random.default_rng(seed)
    places = _places(communes, list(operators), generator, spread)
    places = _with_truth(places, communes, operators, generator, spread)
    if test_count is None:
        mean, size = spread.devices_per_unit, (len(communes), len(operators))
        counts = generator.geometric(1 / (1 + mean), size) - 1
    else:
        phones = max(8, int(test_count / (spread.tests_per_device + 0.5)))
        keen = communes["population"].to_numpy() * np.exp(generator.normal(0, 1.0, len(communes)))
        share = keen[:, None] * np.array([o.share for o in operators.values()])
        counts = generator.multinomial(phones, (share / share.sum()).ravel()).reshape(share.shape)
    devices = _devices(counts, places, list(operators), communes, generator, spread)
    wanted = test_count if test_count is not None else round(len(devices) * spread.tests_per_device)
    tests = draw_tests(devices, places, months, wanted, generator, spread)
    truth = _by_unit(places)
    keys = ["commune_code", "operator"]
    drawn = devices.groupby(keys).size().rename("drawn_device_count").reset_index()
    truth = truth.merge(drawn, how="left", on=keys).fillna({"drawn_device_count": 0})
    return Province(tests, truth.astype({"drawn_device_count": "int64"}), places)


def _unit_mean(
    generator: np.random.Generator, log_sd: float | Floats, size: int | tuple[int, ...]
) -> Floats:
    """Log-normal factors of mean 1."""
    return np.exp(generator.normal(-(np.asarray(log_sd) ** 2) / 2, log_sd, size))


def _places(
    communes: gpd.GeoDataFrame,
    operators: Sequence[str],
    generator: np.random.Generator,
    spread: Spread,
) -> pd.DataFrame:
    """Villages: 4 to 12 places in each commune, the same for all operators.

    The first, at the commune's office, is the largest on average and never dead. Which others are
    dead, and a part of their speeds, is the operator's own.
    """
    found = []
    for code, shape in zip(communes["commune_code"], communes.geometry, strict=True):
        count = int(generator.integers(4, 13))
        centre = shape.representative_point()
        # villages are not at the border, so that a commune's phones test in it
        inside_border = shape.buffer(-3 * SCATTER_DEG)
        inner = shape if inside_border.is_empty else inside_border
        west, south, east, north = inner.bounds
        x = generator.uniform(west, east, 60 * count)
        y = generator.uniform(south, north, 60 * count)
        inside = np.flatnonzero(shapely.contains_xy(inner, x, y))[: count - 1]
        share = generator.dirichlet(np.r_[3.0, np.ones(len(inside))])
        shared = generator.normal(0, 1, len(share))
        log_factor = generator.normal(0, spread.tester_log_sd, len(share))
        testers = share * np.exp(log_factor + spread.tester_tilt * shared)
        spots = pd.DataFrame(
            {
                "commune_code": code,
                "place": np.arange(len(share)),
                "latitude": np.r_[centre.y, y[inside]],
                "longitude": np.r_[centre.x, x[inside]],
                "share": share,
                "tester_share": testers / testers.sum(),
            }
        )
        for operator in operators:
            own = generator.normal(0, 1, len(share))
            z = np.sqrt(spread.place_shared) * shared + np.sqrt(1 - spread.place_shared) * own
            factor = np.exp(spread.place_log_sd * z - spread.place_log_sd**2 / 2)
            dead = (generator.random(len(spots)) < spread.dead_share) & (spots["place"] > 0)
            found.append(spots.assign(factor=factor, operator=operator, is_dead=dead))
    return pd.concat(found, ignore_index=True)


def _with_truth(
    places: pd.DataFrame,
    communes: gpd.GeoDataFrame,
    operators: Mapping[str, Operator],
    generator: np.random.Generator,
    spread: Spread,
) -> pd.DataFrame:
    """The places with their speeds.

    Adds base_mbps (the mean of an unthrottled phone) and true_mean_mbps (with throttled plans;
    empty in a dead spot).
    """
    codes, names = communes["commune_code"].to_numpy(), list(operators)
    shape = (len(codes), len(names))
    if spread.unit_tail_df is None:
        unit = generator.normal(0, spread.unit_log_sd, shape)
    else:
        unit = spread.unit_log_sd * generator.standard_t(spread.unit_tail_df, shape).clip(-4, 4)
    level = generator.normal(np.log(spread.median_mbps), spread.commune_log_sd, len(codes))
    means = np.exp(level[:, None] + unit) * np.array([o.level for o in operators.values()])
    wanted = generator.uniform(*spread.bounds_mbps, shape) if spread.bounds_mbps else None
    unit_of = places.groupby(["commune_code", "operator"]).ngroup().to_numpy()
    index = pd.MultiIndex.from_product([codes, names], names=["commune_code", "operator"])
    mean = pd.Series(means.ravel(), index=index)
    of_places = list(zip(places["commune_code"], places["operator"], strict=True))
    base = mean.loc[of_places].to_numpy() * places["factor"]
    if wanted is not None:  # scaled so that the true mean itself is what was drawn
        live = places["share"].where(~places["is_dead"], 0.0)
        now = np.bincount(unit_of, live * base) / np.bincount(unit_of, live)
        aim = pd.Series(wanted.ravel(), index=index).sort_index().to_numpy()
        base = base * (aim / now)[unit_of]
    slow = np.minimum(base, spread.throttled_mbps)
    true = (1 - spread.throttled_share) * base + spread.throttled_share * slow
    return places.assign(base_mbps=base, true_mean_mbps=true.where(~places["is_dead"]))


def _by_unit(places: pd.DataFrame) -> pd.DataFrame:
    """True mean of each commune × operator over people with a signal, and the share without."""
    live = places["share"].where(~places["is_dead"], 0.0)
    sums = pd.DataFrame(
        {
            "commune_code": places["commune_code"],
            "operator": places["operator"],
            "weighted": live * places["true_mean_mbps"].fillna(0.0),
            "live": live,
        }
    )
    units = sums.groupby(["commune_code", "operator"], sort=False).sum()
    return pd.DataFrame(
        {
            "true_mean_mbps": units["weighted"] / units["live"],
            "dead_share": (1 - units["live"]).clip(0, 1).round(12),
        }
    ).reset_index()


def _devices(
    counts: npt.NDArray[np.int64],
    places: pd.DataFrame,
    operators: Sequence[str],
    communes: gpd.GeoDataFrame,
    generator: np.random.Generator,
    spread: Spread,
) -> pd.DataFrame:
    """Phones: commune, operator, home place (never a dead spot), speed factor, eagerness, plan."""
    total = int(counts.sum())
    unit = np.repeat(np.arange(counts.size), counts.ravel())
    codes = communes["commune_code"].to_numpy()[unit // len(operators)]
    operator = np.array(operators)[unit % len(operators)]
    live = places[~places["is_dead"]]
    homes = np.empty(total, dtype=np.int64)
    chance = generator.random(total)
    for (code, name), spots in live.groupby(["commune_code", "operator"]):
        here = (codes == code) & (operator == name)
        edges = np.cumsum(spots["tester_share"].to_numpy())
        homes[here] = spots.index.to_numpy()[
            np.searchsorted(edges / edges[-1], chance[here], side="right")
        ]
    eager = generator.gamma(0.8, 1 / 0.8, total)
    eager[generator.random(total) < spread.heavy_share] *= 15
    wide = generator.random(total) < spread.device_tail_share
    log_sd = np.where(wide, spread.device_tail_factor, 1.0) * spread.device_log_sd
    return pd.DataFrame(
        {
            "device_id": [f"{number:012x}" for number in generator.integers(0, 2**48, total)],
            "commune_code": codes,
            "operator": operator,
            "home": homes,
            "factor": _unit_mean(generator, log_sd, total),
            "eager": eager,
            "is_throttled": generator.random(total) < spread.throttled_share,
            "is_5g": generator.random(total) < spread.nr_phone_share,
            "is_heavy": np.r_[True, unit[1:] != unit[:-1]][:total]
            if spread.heavy_tests
            else np.zeros(total, bool),
        }
    )


def evening_load(hours: Floats, factor: float) -> Floats:
    """Speed factor by time of day: `factor` in the busy hours against the rest.

    Its mean over the hours that people test at is 1.
    """
    evening = stats.norm(EVENING_HOUR, EVENING_SD_H)
    busy = (
        EVENING_SHARE * (evening.cdf(BUSY_HOURS[1]) - evening.cdf(BUSY_HOURS[0]))
        + (1 - EVENING_SHARE) * 3 / 16
    )
    load = np.where((hours >= BUSY_HOURS[0]) & (hours < BUSY_HOURS[1]), factor, 1.0)
    return np.asarray(load / (1 + busy * (factor - 1)))


def draw_tests(
    devices: pd.DataFrame,
    places: pd.DataFrame,
    months: Sequence[str],
    count: int,
    generator: np.random.Generator,
    spread: Spread,
) -> pd.DataFrame:
    """Sound 4G tests of the phones: `count`, and the further tests of heavy testers.

    Every phone tests at least once if `count` allows.
    """
    sitting, tester = _sittings(devices, count, generator, spread)
    turn = np.arange(len(sitting)) - np.searchsorted(sitting, sitting)
    count, sittings = len(sitting), len(tester)
    rows = devices.iloc[tester[sitting]].reset_index(drop=True)
    # a campaign calls people to the commune's office on two mornings of the month
    is_heavy = devices["is_heavy"].to_numpy()[tester]
    campaign = (generator.random(sittings) < spread.campaign_share) & ~is_heavy
    spots = places.loc[np.where(campaign[sitting], _offices(rows, places), rows["home"])]
    date, start = _beginnings(campaign, months, generator)
    hour = np.minimum(start[sitting] + turn * 0.06, 23.99)
    load = evening_load(hour, spread.evening_factor)
    base = spots["base_mbps"].to_numpy()
    mean = np.where(
        rows["is_throttled"], np.minimum(base, spread.throttled_mbps), base * rows["factor"] * load
    )
    speed = mean * _unit_mean(generator, spread.noise_log_sd, count)
    accuracy = np.clip(generator.lognormal(2.9, 0.9, count), 3, 900)
    scatter = np.where(campaign, 0.0003, SCATTER_DEG)
    north = (scatter * generator.normal(0, 1, sittings))[sitting]
    east = (scatter * generator.normal(0, 1, sittings))[sitting]
    is_unknown = generator.random(count) < 0.06
    return pd.DataFrame(
        {
            "measured_at": date[sitting] + pd.to_timedelta(np.floor(hour * 3600), unit="s"),
            "latitude": spots["latitude"].to_numpy() + north,
            "longitude": spots["longitude"].to_numpy() + east,
            "location_accuracy_m": np.where(is_unknown, np.nan, accuracy.round(1)),
            "operator": rows["operator"],
            "technology": "4G",
            "download_mbps": speed.clip(0.05, 590),
            "upload_mbps": (speed * 0.32 * _unit_mean(generator, 0.4, count)).clip(0.02, 150),
            "latency_ms": 28 + 600 / (speed + 8) + generator.gamma(2, 6, count),
            "jitter_ms": generator.gamma(1.5, 5, count),
            "signal_dbm": np.clip(
                -112 + 7 * np.log(base) + generator.normal(0, 6, count), -125, -65
            ).round(),
            "device_id": rows["device_id"],
            "is_5g": rows["is_5g"],
        }
    )


def _sittings(
    devices: pd.DataFrame, count: int, generator: np.random.Generator, spread: Spread
) -> tuple[Ints, Ints]:
    """(sitting of each test, phone of each sitting), those of heavy testers last."""
    follows = generator.random(count) < spread.repeat_share  # of the sitting before, minutes later
    follows[:1] = False
    sitting = np.cumsum(~follows) - 1
    sittings = int(sitting[-1]) + 1 if count else 0
    eager = devices["eager"].to_numpy()
    others = generator.choice(len(devices), max(0, sittings - len(devices)), p=eager / eager.sum())
    tester = np.r_[np.arange(len(devices)), others][:sittings]
    heavy = np.repeat(np.flatnonzero(devices["is_heavy"]), spread.heavy_tests)
    return np.r_[sitting, sittings + np.arange(len(heavy))], np.r_[tester, heavy]


def _offices(rows: pd.DataFrame, places: pd.DataFrame) -> Ints:
    """Index into `places` of the commune's office of each row's operator."""
    keys = ["commune_code", "operator"]
    offices = places[places["place"] == 0].reset_index().set_index(keys)["index"]
    of_rows = list(zip(rows["commune_code"], rows["operator"], strict=True))
    return np.asarray(offices.loc[of_rows])


def _beginnings(
    campaign: npt.NDArray[np.bool_], months: Sequence[str], generator: np.random.Generator
) -> tuple[pd.DatetimeIndex, Floats]:
    """(date, hour of the day) at which each sitting begins. `campaign`: whether it is one's."""
    sittings = len(campaign)
    day = np.where(
        campaign,
        generator.integers(13, 15, sittings),
        generator.integers(0, 28, sittings) + (generator.random(sittings) < 0.9),
    )
    weight = np.arange(2, 2 + len(months))  # campaigns grow
    month = generator.choice(len(months), sittings, p=weight / weight.sum())
    is_evening = generator.random(sittings) < EVENING_SHARE
    evening = generator.normal(EVENING_HOUR, EVENING_SD_H, sittings)
    hour = np.where(is_evening, evening, generator.uniform(6, 22, sittings)) % 24
    hour = np.where(campaign, generator.uniform(8, 11, sittings), hour)
    first = pd.to_datetime([f"{months[m]}-01" for m in month])
    return first + pd.to_timedelta(day - (day > 27), unit="D"), hour
