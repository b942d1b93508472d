"""Simulated provinces in which those who test do not resemble the people, with the truth.

speed of a test = unit · village · phone · noise, each factor of mean 1. The truth of a unit
(commune × operator) is the mean over its people in the report month, one phone one vote:

    Σ over villages of people's share × E[speed of a phone there],

computed, never drawn. `control` is the plain world: who tests is a fair sample of the people. Every
other world changes one thing. Does not belong here: what the verdicts make of it (`audit.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from benchmarks.provinces import communes, inputs_of
from pipeline.demo.simulate import EVENING_HOUR, EVENING_SD_H, EVENING_SHARE, SCATTER_DEG
from pipeline.sources.inputs import Inputs
from pipeline.sources.villages import with_nothing_further

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEVELS = {"V": 1.15, "P": 1.0, "M": 0.85, "N": 0.65}  # of the operators, against the commune's
FIRST, DAYS = pd.Timestamp("2026-08-01"), 90  # the last day is 2026-10-29
LIFE, MONTHLY = 6, 0.8  # months that a phone tests, sittings in each of them: means
WINDOW = 3  # months that a look judges
FEWEST, MOST = 5, 10  # villages of a commune
SIDE, MARGIN, APART = 0.15, 0.01, 0.016  # degrees: a commune; its border; 1.6 km between villages
GRID = 4  # cells in a row of a commune; each holds at most one village


@dataclass(frozen=True)
class World:
    """How speeds, people and tests are drawn; log-sds are of natural logarithms.

    Phones by unit are a geometric number from 0. A phone tests in one sitting and a geometric
    number (from 0) of further ones, on days drawn evenly from 90; a sitting is one test. Over
    months phones come and leave instead: see `phones_of_months` and `sittings_of_months`.
    """

    meaning: str
    median_mbps: float = 42.0  # of units of an operator of level 1
    commune_log_sd: float = 0.45  # shared by the commune's operators
    unit_log_sd: float = 0.20
    bounds_mbps: tuple[float, float] | None = None  # true means even between these, instead
    village_log_sd: float = 0.30
    village_shared: float = 0.60  # share of the villages' variance that all operators have
    people_alpha: float = 2.0  # Dirichlet parameter of the people's shares of villages
    # Dirichlet parameter of the testers' shares of villages, one draw for all operators of a
    # commune; None: testers live where the people live
    tester_alpha: float | None = None
    roaming_share: float = 0.0  # of tests that are made in any village of the commune
    tester_tilt: float = 0.0  # those shares × exp(tilt · z), z the shared village effect in sds
    phone_log_sd: float = 0.50
    phone_log_sd_range: tuple[float, float] | None = None  # the unit's own, even between these
    noise_log_sd: float = 0.30  # of tests
    further_sittings: float = 3.0  # mean number beside the first
    # so many times the phones are drawn; those that test are drawn from them without replacement
    # with weight speed ** tester_power
    drawn_times: int = 1
    tester_power: float = 0.0
    # units that are repaired, and by what factor, from this day on (0: the first)
    repaired_share: float = 0.0
    repaired_factor: float = 1.5
    repaired_day: int = 60
    # tests of another technology that are called 4G; no part of the truth
    mislabelled_row_share: float = 0.0
    mislabelled_row_mbps: tuple[float, float] = (200.0, 600.0)  # even between these
    mislabelled_phone_share: float = 0.0
    mislabelled_test_share: float = 0.6  # of such a phone's tests
    mislabelled_mean_mbps: float = 250.0  # log-normal, of phone_log_sd
    # speeds of two kinds of phones; the share of the fast ones gives the village its mean, as far
    # as a share can
    modes_mbps: tuple[float, float] | None = None
    mode_log_sd: float = 0.25  # of phones of a kind; in place of phone_log_sd
    ids_per_phone: int = 1  # each sitting goes by one of them
    ids_restart: bool = False  # a phone has another id in each month
    plans: tuple[tuple[float, float], ...] = ()  # (share of phones, Mbit/s no test exceeds)
    whole_mbps: bool = False  # tests are rounded, to 1 at least
    fast_phone_share: float = 0.0  # units of whose phones one reads `fast_phone_mbps` in all tests
    fast_phone_mbps: float = 480.0


CONTROL = World("testers are a fair sample of the people")
WORLDS = {
    "control": CONTROL,
    "few_villages": replace(
        CONTROL,
        meaning="tests come from few villages, whoever lives there",
        village_log_sd=0.60,
        tester_alpha=0.3,
    ),
    "good_signal": replace(
        CONTROL,
        meaning="people test where the signal is good",
        village_log_sd=0.60,
        tester_alpha=1.0,
        tester_tilt=0.7,
    ),
    "slow_test_more": replace(
        CONTROL, meaning="owners of slow phones test more often", drawn_times=6, tester_power=-0.5
    ),
    "repaired": replace(
        CONTROL, meaning="40 % of units became 1.5 times as fast", repaired_share=0.4
    ),
    "mislabelled_rows": replace(
        CONTROL, meaning="5 % of tests are of 5G, called 4G", mislabelled_row_share=0.05
    ),
    "mislabelled_phones": replace(
        CONTROL,
        meaning="60 % of the tests of 15 % of phones are of 5G, called 4G",
        mislabelled_phone_share=0.15,
    ),
    "bimodal_15_90": replace(
        CONTROL, meaning="phones of 15 and of 90 Mbit/s", modes_mbps=(15.0, 90.0)
    ),
    "aggregation_25_200": replace(
        CONTROL, meaning="phones without and with carrier aggregation", modes_mbps=(25.0, 200.0)
    ),
    "several_ids": replace(
        CONTROL, meaning="a phone goes by six ids", further_sittings=11.0, ids_per_phone=6
    ),
    "ids_restart": replace(CONTROL, meaning="ids begin anew every month", ids_restart=True),
    "plan_caps": replace(
        CONTROL,
        meaning="40 % of plans end at 100 Mbit/s, 20 % at 30; whole Mbit/s",
        median_mbps=55.0,
        plans=((0.4, 100.0), (0.2, 30.0)),
        whole_mbps=True,
    ),
    "one_fast_phone": replace(
        CONTROL, meaning="one phone of 480 Mbit/s in half of the units", fast_phone_share=0.5
    ),
    "near_target": replace(
        CONTROL,
        meaning="true means within 36–44 Mbit/s, units differ in the spread of phones",
        bounds_mbps=(36.0, 44.0),
        phone_log_sd_range=(0.25, 1.1),
    ),
    "roaming": replace(
        CONTROL,
        meaning="as few villages, and a quarter of the tests are made in any village",
        village_log_sd=0.60,
        tester_alpha=0.3,
        roaming_share=0.25,
    ),
}


@dataclass(frozen=True)
class Villages:
    """Villages of all communes; arrays of communes × MOST, `mean` by operator too.

    A commune with fewer villages has nobody in the last ones.
    """

    latitude: Floats
    longitude: Floats
    people: Ints
    testers: Floats  # shares of the commune's testers
    mean: Floats  # communes × operators × MOST: E[speed] of phones before plans and repairs, Mbit/s


@dataclass(frozen=True)
class Drawn:
    """Tests and what they were drawn from.

    `tests`: measured_at (local), latitude, longitude, location_accuracy_m, operator, technology,
    download_mbps, device_id, and the number of the `phone`. `truth`: commune_code, operator,
    true_mean_mbps. `villages`: village_name, commune_code, latitude, longitude, people.
    """

    tests: pd.DataFrame
    truth: pd.DataFrame
    villages: pd.DataFrame


def draw(name: str, seed: int, phones: int) -> tuple[Inputs, pd.DataFrame, pd.DataFrame]:
    """(inputs of a run, truth, villages) of one province of a world, as in `Drawn`.

    `phones`: mean number by unit. Equal arguments give equal tables.
    """
    return _inputs(name, seed, phones, None)


def draw_months(
    name: str, seed: int, phones: int, months: int = 26
) -> tuple[Inputs, pd.DataFrame, pd.DataFrame]:
    """(inputs of a run, truth, villages) of one province of a world, tested for months on end.

    Villages, units and truth are those of `draw` by the same arguments, and stay so from the third
    month on: a repaired unit is so before that month ends. `phones`: mean number by unit of phones
    that test within three months; as in `draw` that number is geometric, from 0.
    """
    return _inputs(name, seed, phones, months)


def _inputs(
    name: str, seed: int, phones: int, months: int | None
) -> tuple[Inputs, pd.DataFrame, pd.DataFrame]:
    number = list(WORLDS).index(name)
    drawn = draw_world(WORLDS[name], phones, np.random.default_rng((number, seed, phones)), months)
    area = communes(side=SIDE)
    people = drawn.villages.groupby("commune_code")["people"].sum()
    area["population"] = area["commune_code"].map(people).astype("float64")
    return inputs_of(area, drawn.tests), drawn.truth, drawn.villages


def draw_world(
    world: World, phones: float, generator: np.random.Generator, months: int | None = None
) -> Drawn:
    """Draw a province, over so many months of phones that come and leave, or over 90 days.

    Worlds that differ in one thing share the draws of all the others, given equal generators.
    """
    for_villages, for_units, for_phones, for_tests, for_errors = generator.spawn(5)
    area = communes(side=SIDE)
    codes, operators = area["commune_code"].to_numpy(dtype=object), np.array(list(LEVELS), object)
    villages = _villages(world, area.bounds[["minx", "miny"]].to_numpy(), for_villages)
    villages, phone_log_sd = _with_units(world, villages, for_units)
    is_repaired = for_units.random(villages.mean.shape[:2]) < world.repaired_share
    now = np.where(is_repaired, world.repaired_factor, 1.0)  # in the report month
    if months is None:
        counts = for_phones.geometric(1 / (1 + phones), is_repaired.shape) - 1
    else:
        counts = phones_of_months(phones, months, is_repaired.shape, for_phones)
    unit, home, speed = _phones(world, counts, villages, phone_log_sd, for_phones)
    if months is None:
        sittings = _sittings(world, len(unit), for_tests)
    else:
        sittings = sittings_of_months(len(unit), months, for_tests)
    tests = _tests(world, unit, speed, is_repaired.ravel(), sittings, for_tests)
    phone = tests["phone"].to_numpy()
    place, operator = np.divmod(unit[phone], len(operators))
    village = _whereabouts(world, villages.people[place] > 0, home[phone], for_tests)
    mean = villages.mean[place, operator]
    rows = np.arange(len(phone))
    tests["download_mbps"] *= mean[rows, village] / mean[rows, home[phone]]
    at = place, village
    # tests stay near their village, and so in its commune
    around = SCATTER_DEG * for_tests.normal(0, 1, (2, len(tests))).clip(-2.5, 2.5)
    tests = tests.assign(
        latitude=villages.latitude[at] + around[0],
        longitude=villages.longitude[at] + around[1],
        location_accuracy_m=20.0,
        operator=operators[operator],
        technology="4G",
        download_mbps=_with_errors(world, tests, unit, for_errors),
        device_id=_ids(world, tests, for_errors),
    )
    truth = pd.DataFrame(
        {
            "commune_code": np.repeat(codes, len(operators)),
            "operator": np.tile(operators, len(codes)),
            "true_mean_mbps": true_means(
                world, villages.people[:, None, :], villages.mean * now[:, :, None], phone_log_sd
            ).ravel(),
        }
    )
    place, number = np.nonzero(villages.people)
    listed = pd.DataFrame(
        {
            "village_name": [f"{codes[i]}-{n + 1}" for i, n in zip(place, number, strict=True)],
            "commune_code": codes[place],
            "latitude": villages.latitude[place, number],
            "longitude": villages.longitude[place, number],
            "people": villages.people[place, number].astype("float64"),
        }
    )
    return Drawn(tests, truth, with_nothing_further(listed))


@dataclass(frozen=True)
class Asked:
    """New phones that test: numbers of commune, operator (by `LEVELS`) and village, arrays."""

    commune: Ints
    operator: Ints
    village: Ints


def draw_villages(name: str, seed: int, phones: int) -> Villages:
    """The villages of the province of `draw` by the same arguments."""
    return _ground(name, seed, phones)[0]


def place_means(name: str, seed: int, phones: int) -> pd.DataFrame:
    """True mean of each village and operator in the report month, of the province of `draw`.

    village_name (as `draw` has it), commune_code, operator, true_mean_mbps.
    """
    villages, phone_log_sd, is_repaired = _ground(name, seed, phones)
    world = WORLDS[name]
    now = np.where(is_repaired, world.repaired_factor, 1.0).reshape(phone_log_sd.shape)
    mean = phone_mean(world, villages.mean * now[:, :, None], phone_log_sd[:, :, None])
    codes = communes(side=SIDE)["commune_code"].to_numpy(dtype=object)
    place, operator, number = np.nonzero(np.broadcast_to(villages.people[:, None], mean.shape))
    return pd.DataFrame(
        {
            "village_name": [f"{codes[i]}-{n + 1}" for i, n in zip(place, number, strict=True)],
            "commune_code": codes[place],
            "operator": np.array(list(LEVELS), object)[operator],
            "true_mean_mbps": mean[place, operator, number],
        }
    )


def _ground(name: str, seed: int, phones: int) -> tuple[Villages, Floats, Floats]:
    """(villages, log-sd of phones, factor of repairs by unit) of the province of `draw`."""
    world, number = WORLDS[name], list(WORLDS).index(name)
    for_villages, for_units, *_ = np.random.default_rng((number, seed, phones)).spawn(5)
    corners = communes(side=SIDE).bounds[["minx", "miny"]].to_numpy()
    villages = _villages(world, corners, for_villages)
    villages, phone_log_sd = _with_units(world, villages, for_units)
    is_repaired = for_units.random(villages.mean.shape[:2]) < world.repaired_share
    return villages, phone_log_sd, is_repaired.ravel()


def draw_new_phones(
    name: str, seed: int, phones: int, asked: Asked, turn: int, first_day: int = 60
) -> pd.DataFrame:
    """Tests of new phones in the province of `draw` by the same arguments, as its `tests`.

    They test at home, from `first_day` on, as often as other phones do. `turn`: of several such
    draws; their ids differ.
    """
    world = WORLDS[name]
    villages, phone_log_sd, is_repaired = _ground(name, seed, phones)
    generator = np.random.default_rng((list(WORLDS).index(name), seed, phones, turn))
    for_phones, for_tests, for_errors = generator.spawn(3)
    unit = asked.commune * len(LEVELS) + asked.operator
    order = np.lexsort((asked.village, unit))
    unit, home = unit[order], asked.village[order]
    speed, cap = _speeds(world, unit, home, villages, phone_log_sd, for_phones)
    sittings = for_tests.geometric(1 / (1 + world.further_sittings), len(unit))
    phone = np.repeat(np.arange(len(unit)), sittings)
    days = for_tests.integers(first_day, DAYS, len(phone))
    table = pd.DataFrame({"mean_mbps": speed, "cap_mbps": cap})
    tests = _tests(world, unit, table, is_repaired, (phone, days), for_tests)
    at = unit[phone] // len(LEVELS), home[phone]
    around = SCATTER_DEG * for_tests.normal(0, 1, (2, len(tests))).clip(-2.5, 2.5)
    ids = _ids(world, tests, for_errors)
    return tests.assign(
        latitude=villages.latitude[at] + around[0],
        longitude=villages.longitude[at] + around[1],
        location_accuracy_m=20.0,
        operator=np.array(list(LEVELS), object)[unit[phone] % len(LEVELS)],
        technology="4G",
        download_mbps=_with_errors(world, tests, unit, for_errors),
        device_id=[f"{turn + 1:02d}-{one}" for one in ids],
    )


def _whereabouts(
    world: World, exists: npt.NDArray[np.bool_], home: Ints, generator: np.random.Generator
) -> Ints:
    """The village of each test: its phone's own, or any of the commune's. `exists`: by test."""
    if not world.roaming_share:
        return home
    (own,) = generator.spawn(1)
    anywhere = (own.random(exists.shape) * exists).argmax(axis=1)
    return np.where(own.random(len(home)) < world.roaming_share, anywhere, home)


def testing_share() -> float:
    """Mean number of phones that test within a window, where one phone comes in every month.

    Of a phone that is there for k of the window's months 1 − exp(−0.8 k) tests at all. Six are
    there in the first month, and one comes in each of the others; each leaves after every month
    with a chance of 1/6.
    """
    stays = 1 - 1 / LIFE
    found = 0.0
    for first in range(WINDOW):
        left = WINDOW - first  # months of the window from the phone's first in it
        there = np.arange(1, left + 1)
        chance = stays ** (there - 1) * np.where(there < left, 1 / LIFE, 1.0)
        found += (LIFE if first == 0 else 1) * (chance * -np.expm1(-MONTHLY * there)).sum()
    return float(found)


def phones_of_months(
    phones: float, months: int, shape: tuple[int, ...], generator: np.random.Generator
) -> Ints:
    """Numbers by unit of all phones that are there in some month.

    Each unit has its own rate, exponential, at which phones come: those that test within a window
    are then a Poisson number of exponential mean, which is geometric. `phones`: its mean.
    """
    monthly = generator.exponential(phones / testing_share(), shape)
    return generator.poisson(monthly * (LIFE + months - 1))


def months_there(count: int, months: int, generator: np.random.Generator) -> tuple[Ints, Ints]:
    """(phone, month) for each month, numbered from 0, in which each of so many phones is there.

    As many are there at first as later: six times those that come in a month. A geometric life,
    from 1, does not remember how long it has lasted.
    """
    came = generator.integers(1 - LIFE, months, count).clip(0)
    left = np.minimum(came + generator.geometric(1 / LIFE, count), months)
    phone = np.repeat(np.arange(count), left - came)
    return phone, came[phone] + np.arange(len(phone)) - np.searchsorted(phone, phone)


def sittings_of_months(
    count: int, months: int, generator: np.random.Generator
) -> tuple[Ints, Ints]:
    """(phone, day from `FIRST`) of the sittings of so many phones that come and leave.

    In each month that a phone is there it has a Poisson number of sittings, mean 0.8, on days drawn
    evenly from the month; so a phone may have none.
    """
    phone, month = months_there(count, months, generator)
    sittings = generator.poisson(MONTHLY, len(phone))
    phone, month = np.repeat(phone, sittings), np.repeat(month, sittings)
    starts = (pd.date_range(FIRST, periods=months + 1, freq="MS") - FIRST).days.to_numpy()
    return phone, generator.integers(starts[month], starts[month + 1])


def true_means(world: World, people: npt.ArrayLike, mean: Floats, phone_log_sd: Floats) -> Floats:
    """Mean over people of units, one phone one vote, Mbit/s.

    `people`, `mean` (E[speed] of a phone before plans): … × villages. `phone_log_sd`: … .
    """
    share = np.asarray(people) / np.sum(people, axis=-1, keepdims=True)
    return np.asarray((share * phone_mean(world, mean, phone_log_sd[..., None])).sum(axis=-1))


def phone_mean(world: World, mean: Floats, phone_log_sd: Floats) -> Floats:
    """E[speed] over a village's phones and their tests, given its mean before plans, Mbit/s.

    With plans: E[min(X, cap)] = mean · Φ((ln cap − μ − σ²)/σ) + cap · (1 − Φ((ln cap − μ)/σ)) for
    log-normal X of this mean, σ² that of phones and noise. Rounding is taken to average out.
    """
    variance = phone_log_sd**2 + world.noise_log_sd**2
    sd = np.sqrt(variance)
    middle = np.log(mean) - variance / 2
    found = mean * (1 - sum(share for share, _ in world.plans))
    for share, cap in world.plans:
        z = (np.log(cap) - middle) / sd
        found = found + share * (mean * special.ndtr(z - sd) + cap * special.ndtr(-z))
    return np.asarray(found)


def _unit_mean(generator: np.random.Generator, log_sd: float | Floats, size: int) -> Floats:
    """Log-normal factors of mean 1."""
    return np.exp(log_sd * generator.normal(0, 1, size) - np.square(log_sd) / 2)


def _dirichlet(generator: np.random.Generator, alpha: float, exists: npt.NDArray) -> Floats:
    drawn = np.where(exists, generator.gamma(alpha, 1, exists.shape), 0.0)
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def _villages(world: World, corners: Floats, generator: np.random.Generator) -> Villages:
    """Where villages are, who lives and who tests there, and their speeds against the unit's.

    `corners`: west, south of each commune. Villages are in cells of their own, at least half of
    `APART` from their edges.
    """
    size = len(corners), MOST
    count = generator.integers(FEWEST, MOST + 1, len(corners))
    exists = np.arange(MOST) < count[:, None]
    cell = generator.permuted(np.tile(np.arange(GRID**2), (len(corners), 1)), axis=1)[:, :MOST]
    width = (SIDE - 2 * MARGIN) / GRID
    within = APART / 2 + (width - APART) * generator.random((2, *size))
    longitude = corners[:, :1] + MARGIN + width * (cell % GRID) + within[0]
    latitude = corners[:, 1:] + MARGIN + width * (cell // GRID) + within[1]
    share = _dirichlet(generator, world.people_alpha, exists)
    people = np.where(exists, np.maximum(1, np.round(5000 * share)), 0).astype("int64")
    z = generator.normal(0, 1, size)
    own = generator.normal(0, 1, (len(corners), len(LEVELS), MOST))
    effect = world.village_log_sd * (
        np.sqrt(world.village_shared) * z[:, None, :] + np.sqrt(1 - world.village_shared) * own
    )
    factor = np.exp(effect - world.village_log_sd**2 / 2)
    testers = people / people.sum(axis=1, keepdims=True)
    if world.tester_alpha is not None:
        testers = _dirichlet(generator, world.tester_alpha, exists) * np.exp(world.tester_tilt * z)
        testers = testers / testers.sum(axis=1, keepdims=True)
    return Villages(latitude, longitude, people, testers, factor)


def _with_units(
    world: World, villages: Villages, generator: np.random.Generator
) -> tuple[Villages, Floats]:
    """The villages with their mean speeds, and the phones' log-sd: communes × operators."""
    shape = villages.mean.shape[:2]
    commune = world.commune_log_sd * generator.normal(0, 1, (shape[0], 1))
    unit = world.unit_log_sd * generator.normal(0, 1, shape)
    level = world.median_mbps * np.exp(commune + unit) * np.array(list(LEVELS.values()))
    phone_log_sd = np.full(shape, world.phone_log_sd)
    if world.phone_log_sd_range is not None:
        phone_log_sd = generator.uniform(*world.phone_log_sd_range, shape)
    mean = level[:, :, None] * villages.mean
    if world.bounds_mbps is not None:
        wanted = generator.uniform(*world.bounds_mbps, shape)
        now = true_means(world, villages.people[:, None, :], mean, phone_log_sd)
        mean = mean * (wanted / now)[:, :, None]
    if world.modes_mbps is not None:
        mean = mean.clip(*world.modes_mbps)  # no share of fast phones gives less or more
    return replace(villages, mean=mean), phone_log_sd


def _phones(
    world: World,
    counts: Ints,
    villages: Villages,
    phone_log_sd: Floats,
    generator: np.random.Generator,
) -> tuple[Ints, Ints, pd.DataFrame]:
    """(unit, village, speed) of the phones that test, ordered by unit.

    `speed`: mean_mbps, before its plan; cap_mbps of its plan.
    """
    unit = np.repeat(np.arange(counts.size), world.drawn_times * counts.ravel())
    commune = unit // counts.shape[1]
    edges = np.cumsum(villages.testers, axis=1)[commune]
    chance = generator.random(len(unit))[:, None] * edges[:, -1:]
    home = (chance >= edges).sum(axis=1)
    speed, cap = _speeds(world, unit, home, villages, phone_log_sd, generator)
    if world.drawn_times > 1:
        # the largest log weight + Gumbel: a draw without replacement (Yellott 1977)
        key = world.tester_power * np.log(speed) + generator.gumbel(0, 1, len(unit))
        order = np.lexsort((-key, unit))
        turn = np.arange(len(unit)) - np.searchsorted(unit, unit)
        kept = order[turn < counts.ravel()[unit]]
        unit, home, speed, cap = unit[kept], home[kept], speed[kept], cap[kept]
    return unit, home, pd.DataFrame({"mean_mbps": speed, "cap_mbps": cap})


def _speeds(
    world: World,
    unit: Ints,
    home: Ints,
    villages: Villages,
    phone_log_sd: Floats,
    generator: np.random.Generator,
) -> tuple[Floats, Floats]:
    """(mean speed before its plan, cap of its plan) of phones by unit and village, Mbit/s."""
    commune, operator = np.divmod(unit, len(LEVELS))
    mean = villages.mean[commune, operator, home]
    if world.modes_mbps is None:
        speed = mean * _unit_mean(generator, phone_log_sd[commune, operator], len(unit))
    else:
        slow, fast = world.modes_mbps
        is_fast = generator.random(len(unit)) < (mean - slow) / (fast - slow)
        speed = np.where(is_fast, fast, slow)
        speed = speed * _unit_mean(generator, world.mode_log_sd, len(unit))
    bounds = np.cumsum([share for share, _ in world.plans])
    caps = np.array([*(cap for _, cap in world.plans), np.inf])
    return speed, caps[np.searchsorted(bounds, generator.random(len(unit)), side="right")]


def _sittings(world: World, count: int, generator: np.random.Generator) -> tuple[Ints, Ints]:
    """(phone, day from `FIRST`) of the sittings of so many phones."""
    sittings = generator.geometric(1 / (1 + world.further_sittings), count)
    phone = np.repeat(np.arange(count), sittings)
    return phone, generator.integers(0, DAYS, len(phone))


def _tests(
    world: World,
    unit: Ints,
    speed: pd.DataFrame,
    is_repaired: npt.NDArray[np.bool_],
    sittings: tuple[Ints, Ints],
    generator: np.random.Generator,
) -> pd.DataFrame:
    """Sound tests: phone, measured_at, download_mbps. `is_repaired`: by unit."""
    phone, day = sittings
    evening = generator.normal(EVENING_HOUR, EVENING_SD_H, len(phone)).clip(0, 23.99)
    is_evening = generator.random(len(phone)) < EVENING_SHARE
    hour = np.where(is_evening, evening, generator.uniform(6, 22, len(phone)))
    after = is_repaired[unit[phone]] & (day >= world.repaired_day)
    mbps = speed["mean_mbps"].to_numpy()[phone] * np.where(after, world.repaired_factor, 1.0)
    mbps = mbps * _unit_mean(generator, world.noise_log_sd, len(phone))
    mbps = np.minimum(mbps, speed["cap_mbps"].to_numpy()[phone])
    if world.whole_mbps:
        mbps = np.round(mbps).clip(1)
    time = FIRST + pd.to_timedelta(day, unit="D") + pd.to_timedelta(np.floor(hour * 3600), unit="s")
    return pd.DataFrame({"phone": phone, "measured_at": time, "download_mbps": mbps})


def _with_errors(
    world: World, tests: pd.DataFrame, unit: Ints, generator: np.random.Generator
) -> Floats:
    """Speeds of the tests with mislabelled ones and extreme phones, Mbit/s."""
    mbps, phone = tests["download_mbps"].to_numpy(), tests["phone"].to_numpy()
    is_row = generator.random(len(tests)) < world.mislabelled_row_share
    mbps = np.where(is_row, generator.uniform(*world.mislabelled_row_mbps, len(tests)), mbps)
    is_phone = (generator.random(len(unit)) < world.mislabelled_phone_share)[phone]
    is_phone &= generator.random(len(tests)) < world.mislabelled_test_share
    other = world.mislabelled_mean_mbps * _unit_mean(generator, world.phone_log_sd, len(tests))
    mbps = np.where(is_phone, other, mbps)
    is_first = np.r_[True, unit[1:] != unit[:-1]][: len(unit)]
    has_fast = generator.random(int(unit.max(initial=0)) + 1) < world.fast_phone_share
    return np.where((is_first & has_fast[unit])[phone], world.fast_phone_mbps, mbps)


def _ids(world: World, tests: pd.DataFrame, generator: np.random.Generator) -> list[str]:
    phone = tests["phone"].to_numpy()
    number = phone * world.ids_per_phone + generator.integers(0, world.ids_per_phone, len(tests))
    at = tests["measured_at"].dt
    since = 12 * (at.year - FIRST.year) + at.month  # 8 in August of the first year
    month = since.to_numpy() if world.ids_restart else 0 * phone
    return [f"{m:02x}{n:010x}" for m, n in zip(month, number, strict=True)]
