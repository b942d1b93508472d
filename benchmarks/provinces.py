"""Simulated provinces under several regimes, as inputs of the pipeline and with their truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.demo.province import village_list, village_names
from pipeline.demo.simulate import Operator, Province, Spread, draw_province
from pipeline.schema.columns import TABLES
from pipeline.schema.tables import with_declared_dtypes
from pipeline.sources.inputs import Inputs
from pipeline.sources.villages import with_nothing_further

MONTHS = ("2026-08", "2026-09", "2026-10")
OPERATORS = {
    "V": Operator(0.25, 1.15, ("V",)),
    "P": Operator(0.25, 1.05, ("P",)),
    "M": Operator(0.25, 0.95, ("M",)),
    "N": Operator(0.25, 0.80, ("N",)),
}
# regimes differ in one thing: the plain province has no throttled plans, dead spots, campaigns or
# heavy testers, and testers live where the people live
PLAIN = Spread(
    throttled_share=0.0, dead_share=0.0, campaign_share=0.0, heavy_share=0.0, tester_log_sd=0.0
)


@dataclass(frozen=True)
class Regime:
    """How a kind of province differs from the plain one."""

    meaning: str
    devices_per_unit: float
    spread: Spread
    is_log_normal: bool = False  # as the method assumes
    has_village_list: bool = False  # as an input of the run


REGIMES = {
    "sparse": Regime(
        "about 8 devices per commune × operator, as in reality", 8, PLAIN, is_log_normal=True
    ),
    "rich": Regime("about 60 devices", 60, PLAIN, is_log_normal=True),
    "skewed": Regime(
        "device values of log-sd 1.0; about 25 devices",
        25,
        replace(PLAIN, device_log_sd=0.93),
        is_log_normal=True,
    ),
    "throttled": Regime(
        "30 % of phones on a throttled plan (5 Mbit/s); about 25 devices",
        25,
        replace(PLAIN, throttled_share=0.30),
    ),
    "near": Regime(
        "all true means within 35–45 Mbit/s; about 60 devices",
        60,
        replace(PLAIN, bounds_mbps=(35.0, 45.0)),
        is_log_normal=True,
    ),
    "heavy": Regime(
        "one phone with 150 further tests in every commune × operator; about 20 devices",
        20,
        replace(PLAIN, heavy_tests=150),
        is_log_normal=True,
    ),
    "foreign": Regime(
        "not the model's: no shared commune effect, commune × operator effects with Student-t "
        "tails (3 df), a tenth of the phones 2.5 times as spread; about 25 devices",
        25,
        replace(
            PLAIN, commune_log_sd=0.0, unit_log_sd=0.45, unit_tail_df=3.0, device_tail_share=0.10
        ),
    ),
    "campaign": Regime(
        "half of the sittings at the commune's office on campaign mornings: a bias that no "
        "statistics sees; about 25 devices",
        25,
        replace(PLAIN, campaign_share=0.50),
    ),
    "uneven": Regime(
        "testers live in other villages than the people, more of them in fast ones; the villages "
        "are listed; about 25 devices",
        25,
        replace(PLAIN, tester_log_sd=0.8, tester_tilt=0.3),
        has_village_list=True,
    ),
}


def communes(count: int = 38, columns: int = 7, side: float = 0.15) -> gpd.GeoDataFrame:
    """Equal squares in rows; columns that the verdicts do not use have plain values."""
    corners = [(103.0 + side * (i % columns), 21.5 + side * (i // columns)) for i in range(count)]
    shapes = [shapely.box(*(round(v, 6) for v in (x, y, x + side, y + side))) for x, y in corners]
    codes = [f"{i + 1:05d}" for i in range(count)]
    frame = pd.DataFrame(
        {
            "commune_code": codes,
            "commune_name": codes,
            "former_district": None,
            "former_communes": None,
            "province_name": None,
            "boundary_vintage": "simulated",
            "population": 5000.0,
            "terrain": None,
            "area_km2": 250.0,
            "geometry": shapes,
        }
    )
    return gpd.GeoDataFrame(
        with_declared_dtypes("communes", frame), geometry="geometry", crs="EPSG:4326"
    )


def draw(name: str, seed: int) -> tuple[Inputs, Province]:
    """(inputs of a run, what they were drawn from) of one province of a regime."""
    regime = REGIMES[name]
    area = communes()
    number = list(REGIMES).index(name)
    province = draw_province(
        area,
        OPERATORS,
        MONTHS,
        seed=1_000_000 * (number + 1) + seed,
        spread=replace(regime.spread, devices_per_unit=regime.devices_per_unit),
    )
    inputs = inputs_of(area, province.tests)
    if regime.has_village_list:
        inputs = replace(inputs, villages=village_table(area, province.places))
    return inputs, province


def village_table(area: gpd.GeoDataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """The table `villages` of a drawn province, as if a list had been read."""
    named = places.assign(village_name=village_names(places, area))
    return with_declared_dtypes("villages", with_nothing_further(village_list(named, area)))


def inputs_of(area: gpd.GeoDataFrame, drawn: pd.DataFrame) -> Inputs:
    """Drawn tests as if a source had been read."""
    rows = drawn.assign(
        source="simulated",
        source_file="tests",
        source_row=np.arange(2, len(drawn) + 2),
        test_id=[f"{i}" for i in range(len(drawn))],
        measured_at=drawn["measured_at"].dt.tz_localize("Asia/Ho_Chi_Minh").dt.tz_convert("UTC"),
        operator_met=drawn["operator"],
        unreadable="",
    )
    tests = with_declared_dtypes("tests", rows.reindex(columns=list(TABLES["tests"])))
    tiles = with_declared_dtypes("tiles", pd.DataFrame({c: [] for c in TABLES["tiles"]}))
    return Inputs(area, tests, tiles, [], [], [], {"simulated": 1})
