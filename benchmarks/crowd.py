"""Millions of tests inside communes, fast: people test at home and around it, some very often.

People live in villages, 25 to a commune and some 400 m wide. How many tests a phone makes is
log-normal (log-sd 1.2); two thirds of the sittings are at home, the others in another village of
the commune; a sitting has 1 to 4 tests minutes apart. Errors: 2 % 5G, 1 % Wi-Fi, 1 % failed, 1 %
inaccurate, 0.5 % sent twice. Does not belong here: a province whose truth is known
(`pipeline/demo/simulate.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

Floats = npt.NDArray[np.float64]
OPERATORS = ("Viettel", "VNPT", "MobiFone", "Vietnamobile")
SHARES = (0.5, 0.25, 0.2, 0.05)
FIRST, DAYS = pd.Timestamp("2026-08-01", tz="Asia/Ho_Chi_Minh"), 92
CHUNK = 1_000_000
VILLAGES = 25


def communes(path: Path) -> gpd.GeoDataFrame:
    """Communes of a boundary file: commune_code, commune_name (the code once more), geometry."""
    shapes = gpd.read_file(path).to_crs(4326)
    code = next(name for name in ("commune_code", "code") if name in shapes)
    return shapes.assign(commune_code=shapes[code], commune_name=shapes[code])[
        ["commune_code", "commune_name", "geometry"]
    ]


@dataclass(frozen=True)
class Phones:
    """Phones, by number."""

    bounds: Floats  # cumulated shares of tests
    home: Floats  # (phones, latitude and longitude)
    around: Floats  # villages of its commune: (phones, VILLAGES, latitude and longitude)
    operator: npt.NDArray[np.int64]
    level: Floats  # mean of its log speeds
    names: pa.Array


def villages(area: gpd.GeoDataFrame, generator: np.random.Generator) -> Floats:
    """(communes, VILLAGES, latitude and longitude) of places inside the communes."""
    found = np.empty((len(area), VILLAGES, 2))
    for number, shape in enumerate(area.geometry):
        shapely.prepare(shape)
        west, south, east, north = shape.bounds
        lon, lat = generator.uniform(west, east, 4000), generator.uniform(south, north, 4000)
        inside = np.flatnonzero(shapely.contains_xy(shape, lon, lat))[:VILLAGES]
        found[number] = np.column_stack([lat[inside], lon[inside]])[
            np.arange(VILLAGES) % len(inside)
        ]
    return found


def write(
    path: Path, area: gpd.GeoDataFrame, test_count: int, device_count: int, seed: int = 1
) -> Path:
    """`test_count` tests of `device_count` phones as Parquet, row groups of a million, shuffled."""
    generator = np.random.default_rng(seed)
    places = villages(area, generator)
    share = generator.lognormal(0, 0.7, len(area))
    commune = generator.choice(len(area), device_count, p=share / share.sum())
    home = places[commune, generator.integers(0, VILLAGES, device_count)] + generator.normal(
        0, 2e-3, (device_count, 2)
    )
    operator = generator.choice(len(OPERATORS), device_count, p=SHARES)
    level = generator.normal(np.log(38), 0.75, device_count)
    keen = generator.lognormal(0, 1.2, device_count)
    bounds = np.cumsum(keen) / keen.sum()
    names = pa.array([f"{value:012x}" for value in generator.integers(0, 1 << 48, device_count)])
    phones = Phones(bounds, home, places[commune], operator, level, names)
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = [min(CHUNK, test_count - start) for start in range(0, test_count, CHUNK)]
    tables = (_tests(generator, size, phones) for size in sizes)
    first = next(tables)
    with pq.ParquetWriter(path, first.schema) as writer:
        for table in chain([first], tables):
            writer.write_table(table)
    return path


def _tests(generator: np.random.Generator, size: int, phones: Phones) -> pa.Table:
    """`size` tests in random order."""
    sittings = max(1, size // 2)
    bounds = phones.bounds
    device = np.searchsorted(bounds, generator.random(sittings)).clip(max=len(bounds) - 1)
    at_home = generator.random(sittings) < 0.67
    visited = phones.around[device, generator.integers(0, VILLAGES, sittings)]
    visited = visited + generator.normal(0, 2e-3, (sittings, 2))
    home = phones.home[device] + generator.normal(0, 1e-4, (sittings, 2))
    place = np.where(at_home[:, None], home, visited).T
    hour = np.where(
        generator.random(sittings) < 0.45,
        generator.normal(20.3, 1.2, sittings),
        generator.uniform(6, 22, sittings),
    )
    begin = (generator.integers(0, DAYS, sittings) + np.clip(hour, 0, 23.9) / 24) * 86_400
    sitting = np.sort(np.r_[np.arange(sittings), generator.integers(0, sittings, size - sittings)])
    later = np.arange(size) - np.searchsorted(sitting, sitting)
    phone = device[sitting]
    evening = np.where(np.abs(hour - 20.5) < 1.5, 0.75, 1.0)[sitting]
    noise = generator.normal(0, 0.35, size)
    download = np.clip(np.exp(phones.level[phone] + noise) * evening, 0.05, 590)
    chance = generator.random(size)  # of each kind of error
    copied = np.flatnonzero(chance > 0.995)
    order = np.arange(size)
    order[copied] = np.maximum(copied - 1, 0)  # sent twice
    start = (
        FIRST.tz_convert("UTC")
        .tz_localize(None)
        .to_datetime64()
        .astype("datetime64[us]")
        .astype("int64")
    )
    time = start + (begin[sitting] * 1e6).astype("int64") + later * 70_000_000
    accuracy = np.where(
        (chance > 0.04) & (chance < 0.05), 1500.0, np.round(generator.gamma(2, 8, size), 1)
    )
    technology = np.where(chance < 0.02, 2, np.where(chance < 0.03, 1, 0))
    columns = {
        "measured_at": pa.array(time[order], pa.timestamp("us", "UTC")),
        "latitude": place[0][sitting][order],  # not rounded: no point lies on a border
        "longitude": place[1][sitting][order],
        "location_accuracy_m": accuracy[order],
        "operator": pa.array(list(OPERATORS)).take(pa.array(phones.operator[phone][order])),
        "technology": pa.array(["4G", "wifi", "5G"]).take(pa.array(technology[order])),
        "download_mbps": np.where((chance > 0.03) & (chance < 0.04), 0.0, np.round(download, 2))[
            order
        ],
        "upload_mbps": np.round(download * generator.lognormal(-1.1, 0.3, size), 2)[order],
        "latency_ms": np.round(generator.gamma(4, 10, size), 1)[order],
        "device_id": phones.names.take(pa.array(phone[order])),
    }
    return pa.table(columns).take(pa.array(generator.permutation(size)))
