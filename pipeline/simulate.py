"""A province whose truth is known: places, devices, tests and realistic dirt, drawn from one seed.

speed of a test = commune × operator mean · place · device · hour · noise, each factor of mean 1 (log-normal), so that the
true mean of a commune × operator is known exactly: its mean times the devices' shares of its places.
Does not belong here: names and outlines (`demo.py`, `schematic.py`), writing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """How the invented province varies. Log-sds are of natural logarithms; shares are of all rows.

    The level and spreads are chosen, not measured: they put the province around the target (METHOD §4's examples use
    mu = ln 38, tau 0.45, sw 0.70) so that every status occurs.
    """

    median_mbps: float = 40.0
    commune_log_sd: float = 0.45
    unit_log_sd: float = 0.20  # commune × operator beside the two main effects
    place_log_sd: float = 0.30
    device_log_sd: float = 0.50
    noise_log_sd: float = 0.35
    evening_factor: float = 0.75  # 19–22 h against the rest of the day
    tests_per_device: float = 7.0
    repeat_share: float = 0.35  # tests that follow another of the same sitting
    heavy_share: float = 0.004  # devices that test a hundred times
    copied_share: float = 0.012
    failed_share: float = 0.015
    wifi_share: float = 0.035
    nr_share: float = 0.05  # 5G, in town
    older_share: float = 0.02  # 3G, 2G
    no_fix_share: float = 0.004  # position 0, 0 or missing
    coarse_share: float = 0.02  # accuracy worse than 1 km
    foreign_share: float = 0.006  # tests made outside the province
    unknown_operator_share: float = 0.004
    wrong_unit_share: float = 0.002  # kbit/s under a Mbit/s heading
    unreadable_share: float = 0.001


@dataclass(frozen=True)
class Operator:
    """An operator's share of devices, its level against the commune's mean, and the names it goes by in files."""

    share: float
    level: float
    names: tuple[str, ...]


@dataclass(frozen=True)
class Province:
    """What was drawn: the delivered rows (our names, foreign texts) and the truth behind them."""

    rows: pd.DataFrame
    truth: pd.DataFrame  # commune_code, operator, true_mean_mbps, drawn_device_count
    places: pd.DataFrame  # commune_code, place, latitude, longitude, share, factor


def draw_province(
    communes: gpd.GeoDataFrame,
    operators: Mapping[str, Operator],
    months: Sequence[str],
    *,
    test_count: int,
    seed: int,
    spread: Spread | None = None,
) -> Province:
    """Draw `test_count` rows over `months`. `communes`: commune_code, population, geometry (EPSG:4326)."""
    spread = spread or Spread()
    generator = np.random.default_rng(seed)
    places = _places(communes, generator, spread)
    truth, means = _truth(communes, operators, places, generator, spread)
    devices = _devices(
        communes, operators, places, generator, max(8, int(test_count / (spread.tests_per_device + 0.5))), spread
    )
    rows = _tests(devices, places, means, months, test_count, generator, spread)
    rows = _dirtied(rows, communes, operators, generator, spread)
    drawn = devices.groupby(["commune_code", "operator"]).size().rename("drawn_device_count")
    truth = truth.merge(drawn, how="left", on=["commune_code", "operator"]).fillna({"drawn_device_count": 0})
    return Province(rows, truth.astype({"drawn_device_count": "int64"}), places)


def _unit_mean(generator: np.random.Generator, log_sd: float, size: int | tuple[int, ...]) -> Floats:
    """Log-normal factors of mean 1."""
    return np.exp(generator.normal(-(log_sd**2) / 2, log_sd, size))


def _places(communes: gpd.GeoDataFrame, generator: np.random.Generator, spread: Spread) -> pd.DataFrame:
    """Villages: 4 to 12 spots in each commune, the first (around the commune's office) the largest."""
    found = []
    for code, shape in zip(communes["commune_code"], communes.geometry, strict=True):
        count = int(generator.integers(4, 13))
        centre = shape.representative_point()
        west, south, east, north = shape.bounds
        x, y = generator.uniform(west, east, 60 * count), generator.uniform(south, north, 60 * count)
        inside = np.flatnonzero(shapely.contains_xy(shape, x, y))[: count - 1]
        share = generator.dirichlet(np.r_[3.0, np.ones(len(inside))])
        found.append(
            pd.DataFrame(
                {
                    "commune_code": code,
                    "place": np.arange(len(inside) + 1),
                    "latitude": np.r_[centre.y, y[inside]],
                    "longitude": np.r_[centre.x, x[inside]],
                    "share": share,
                    "factor": _unit_mean(generator, spread.place_log_sd, len(inside) + 1),
                }
            )
        )
    return pd.concat(found, ignore_index=True)


def _truth(
    communes: gpd.GeoDataFrame,
    operators: Mapping[str, Operator],
    places: pd.DataFrame,
    generator: np.random.Generator,
    spread: Spread,
) -> tuple[pd.DataFrame, pd.Series]:
    codes = communes["commune_code"].to_numpy()
    level = np.exp(generator.normal(np.log(spread.median_mbps), spread.commune_log_sd, len(codes)))
    unit = _unit_mean(generator, spread.unit_log_sd, (len(codes), len(operators)))
    means = level[:, None] * unit * np.array([o.level for o in operators.values()])
    index = pd.MultiIndex.from_product([codes, list(operators)], names=["commune_code", "operator"])
    mean = pd.Series(means.ravel(), index=index)
    shared = (places["share"] * places["factor"]).groupby(places["commune_code"]).sum()
    truth = mean * index.get_level_values("commune_code").map(shared).to_numpy()
    return truth.rename("true_mean_mbps").reset_index(), mean


def _devices(
    communes: gpd.GeoDataFrame,
    operators: Mapping[str, Operator],
    places: pd.DataFrame,
    generator: np.random.Generator,
    count: int,
    spread: Spread,
) -> pd.DataFrame:
    """Phones: home commune (people × how keen the commune was to test), operator, home place, speed factor, eagerness."""
    keen = communes["population"].to_numpy() * np.exp(generator.normal(0, 1.0, len(communes)))
    commune = generator.choice(len(communes), size=count, p=keen / keen.sum())
    share = np.array([o.share for o in operators.values()])
    operator = generator.choice(len(operators), size=count, p=share / share.sum())
    by_commune = dict(iter(places.groupby("commune_code")))
    codes = communes["commune_code"].to_numpy()[commune]
    place = np.array([generator.choice(len(by_commune[c]), p=by_commune[c]["share"].to_numpy()) for c in codes])
    eager = generator.gamma(0.8, 1 / 0.8, count)
    eager[generator.random(count) < spread.heavy_share] *= 15
    digits = generator.integers(0, 2**48, count)
    return pd.DataFrame(
        {
            "device_id": [f"{number:012x}" for number in digits],
            "commune_code": codes,
            "operator": np.array(list(operators))[operator],
            "place": place,
            "factor": _unit_mean(generator, spread.device_log_sd, count),
            "eager": eager,
            "is_5g": generator.random(count) < 0.25,
        }
    )


def _tests(
    devices: pd.DataFrame,
    places: pd.DataFrame,
    means: pd.Series,
    months: Sequence[str],
    count: int,
    generator: np.random.Generator,
    spread: Spread,
) -> pd.DataFrame:
    follows = generator.random(count) < spread.repeat_share  # a further test of the same sitting, minutes later
    follows[0] = False
    sitting = np.cumsum(~follows) - 1
    sittings = int(sitting[-1]) + 1
    eager = devices["eager"].to_numpy()
    # every phone tests once, the rest falls on the eager ones
    tester = np.r_[
        np.arange(len(devices)), generator.choice(len(devices), max(0, sittings - len(devices)), p=eager / eager.sum())
    ][:sittings]
    rows = devices.iloc[tester[sitting]].reset_index(drop=True)
    away = generator.random(sittings) < 0.15  # tests made at the commune's first place instead of at home
    place = np.where(away[sitting], 0, rows["place"])
    spots = places.set_index(["commune_code", "place"]).loc[list(zip(rows["commune_code"], place, strict=True))]
    day = (generator.integers(0, 28, sittings) + np.where(generator.random(sittings) < 0.1, 0, 1))[sitting]
    month = generator.choice(
        len(months), sittings, p=np.arange(2, 2 + len(months)) / np.arange(2, 2 + len(months)).sum()
    )[sitting]
    start_hour = (
        np.where(
            generator.random(sittings) < 0.45, generator.normal(20.3, 1.2, sittings), generator.uniform(6, 22, sittings)
        )
        % 24
    )
    turn = np.arange(count) - np.flatnonzero(~follows)[sitting]
    hour = np.minimum(start_hour[sitting] + turn * 0.06, 23.99)
    busy = (hour >= 19) & (hour < 22)
    load = np.where(busy, spread.evening_factor, 1.0)
    load = load / load.mean()
    mean = means.loc[list(zip(rows["commune_code"], rows["operator"], strict=True))].to_numpy()
    speed = (
        mean * spots["factor"].to_numpy() * rows["factor"] * load * _unit_mean(generator, spread.noise_log_sd, count)
    )
    start = pd.to_datetime([f"{months[m]}-01" for m in month]) + pd.to_timedelta(day - (day > 27), unit="D")
    accuracy = np.clip(generator.lognormal(2.9, 0.9, count), 3, 900)
    return pd.DataFrame(
        {
            "measured_at": start + pd.to_timedelta(np.floor(hour * 3600), unit="s"),
            "latitude": spots["latitude"].to_numpy() + generator.normal(0, 0.0025, sittings)[sitting],
            "longitude": spots["longitude"].to_numpy() + generator.normal(0, 0.0025, sittings)[sitting],
            "location_accuracy_m": np.where(generator.random(count) < 0.06, np.nan, accuracy.round(1)),
            "operator": rows["operator"],
            "technology": "4G",
            "download_mbps": speed.clip(0.05, 590),
            "upload_mbps": (speed * 0.32 * _unit_mean(generator, 0.4, count)).clip(0.02, 150),
            "latency_ms": 28 + 600 / (speed + 8) + generator.gamma(2, 6, count),
            "jitter_ms": generator.gamma(1.5, 5, count),
            "signal_dbm": np.clip(
                -112 + 7 * np.log(spots["factor"].to_numpy() * mean) + generator.normal(0, 6, count), -125, -65
            ).round(),
            "device_id": rows["device_id"],
            "is_5g": rows["is_5g"],
        }
    )


def _dirtied(
    rows: pd.DataFrame,
    communes: gpd.GeoDataFrame,
    operators: Mapping[str, Operator],
    generator: np.random.Generator,
    spread: Spread,
) -> pd.DataFrame:
    """What real deliveries hold: other technologies, failures, bad positions, foreign names, copies, wrong units."""
    count = len(rows)

    def some(share: float) -> npt.NDArray[np.bool_]:
        return generator.random(count) < share

    names = [operators[o].names for o in rows["operator"]]
    pick = generator.random(count)
    rows["operator"] = [n[0] if p < 0.7 else n[int((p - 0.7) / 0.3 * len(n))] for n, p in zip(names, pick, strict=True)]
    fast = rows["is_5g"] & some(spread.nr_share * 4)
    rows.loc[fast, "technology"], rows.loc[fast, "download_mbps"] = (
        "5G",
        (rows.loc[fast, "download_mbps"] * 6).clip(upper=900),
    )
    older = some(spread.older_share)
    rows.loc[older, "technology"] = np.where(generator.random(int(older.sum())) < 0.8, "3G", "2G")
    rows.loc[older, "download_mbps"] *= 0.15
    wifi = some(spread.wifi_share)
    rows.loc[wifi, "technology"] = "WiFi"
    rows.loc[(rows["technology"] == "4G") & some(0.3), "technology"] = "LTE"
    rows.loc[some(spread.failed_share), "download_mbps"] = 0.0
    rows.loc[some(spread.no_fix_share), ["latitude", "longitude"]] = 0.0
    rows.loc[some(spread.coarse_share), "location_accuracy_m"] = 2500.0
    west, south, east, north = communes.total_bounds
    abroad = some(spread.foreign_share)
    rows.loc[abroad, "latitude"] = south - generator.uniform(0.3, 2.0, int(abroad.sum()))
    rows.loc[some(spread.unknown_operator_share), "operator"] = "Roaming"
    wrong = some(spread.wrong_unit_share)
    rows.loc[wrong, "download_mbps"] *= 1000
    texts = rows.drop(columns="is_5g").round(
        {"latitude": 6, "longitude": 6, "download_mbps": 2, "upload_mbps": 2, "latency_ms": 1, "jitter_ms": 1}
    )
    texts["download_mbps"] = texts["download_mbps"].astype("object")  # as a file holds it: numbers and words
    texts.loc[some(spread.unreadable_share), "download_mbps"] = "lỗi"
    copies = np.flatnonzero(some(spread.copied_share))[: count // 4]
    kept = np.setdiff1d(
        np.arange(count), generator.choice(np.setdiff1d(np.arange(count), copies), len(copies), replace=False)
    )
    texts = texts.iloc[np.sort(np.r_[kept, copies])]
    ordered = texts.sort_values(["measured_at", "device_id"], kind="stable", ignore_index=True)
    # a copied row is the row again, its id too
    identity = ordered.groupby(["device_id", "measured_at", "latitude", "longitude"], sort=False).ngroup()
    ordered.insert(0, "test_id", [f"VN{number:07d}" for number in identity + 1])
    return ordered
