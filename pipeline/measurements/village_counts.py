"""Who tested in which village, with which result: counts and device values by village × operator.

A test belongs to the village of its commune whose centre is nearest to its cell's, within the
radius; the others lie between villages and count for the commune alone. Where no villages are
listed, hexes where people live take their place. Does not belong here: how
probable it is that a village has no signal (`verdicts/silence.py`), the table (`villages.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from pipeline.hexgrid.hexes import indexes, parent_indexes
from pipeline.measurements.aggregates import Aggregates
from pipeline.measurements.fingerprints import mixed
from pipeline.measurements.samples import mean_of
from pipeline.measurements.scope import Names, Question
from pipeline.measurements.strata import nearest_villages

VILLAGE_UNIT = ["village", "operator"]  # numbers of the village's row and of the operator
COUNTS = (
    "test_count", "sample_count", "device_count", "date_count", "failed_test_count",
    "fallback_test_count", "no_service_count", "usable_device_count", "failed_device_count",
    "signal_device_count",
)  # fmt: skip
PlaceOf = Callable[[npt.NDArray[np.int32], npt.NDArray[np.uint64]], npt.NDArray[np.int64]]
c = pl.col


@dataclass(frozen=True)
class VillageCounts:
    """What the phones in villages tried and measured.

    `counts`: by village (row in `villages`) and operator, of pairs where anybody tried: COUNTS over
    the base window, signal_median_dbm, last_test_date (text). `values`:
    village, operator, download_mbps, capped_mbps: a row per device with valid tests.
    """

    counts: pd.DataFrame
    values: pd.DataFrame
    between_count: int  # valid tests of the base window


def village_counts(found: Aggregates, question: Question, place_of: PlaceOf) -> VillageCounts:
    """Counts and device values by village, of aggregates that were asked for with villages.

    `place_of`: of zones and cells, the village's row or −1.
    """
    names = ["strata 0", "attempts", "usable", "cell days", "cell signals"]
    cells = pl.concat([found[name].select("zone", "cell") for name in names]).unique()
    cells = cells.sort("zone", "cell")
    village = place_of(cells["zone"].to_numpy(), cells["cell"].to_numpy())
    homes = cells.with_columns(village=pl.Series(village))

    def placed(name: str) -> pl.DataFrame:
        return found[name].join(homes, on=["zone", "cell"]).filter(c("village") >= 0)

    tested = placed("strata 0")
    between = sum(found["strata 0"]["tests"].to_list()) - sum(tested["tests"].to_list())
    devices = _devices_of(tested, placed("attempts"), placed("usable"))
    counts = devices.group_by(VILLAGE_UNIT).agg(
        test_count=c("tests").sum(), sample_count=c("samples").sum(),
        device_count=(c("tests") > 0).sum(), failed_test_count=c("failed").sum(),
        fallback_test_count=c("older").sum(), no_service_count=c("no_service").sum(),
        usable_device_count=c("is_usable").sum(), failed_device_count=(~c("is_usable")).sum(),
    )  # fmt: skip
    days = placed("cell days").group_by(VILLAGE_UNIT).agg(date_count=c("day").n_unique())
    heard = placed("cell signals").group_by(*VILLAGE_UNIT, "device").agg(c("signal").median())
    heard = heard.group_by(VILLAGE_UNIT).agg(
        signal_median_dbm=c("signal").median(), signal_device_count=pl.len()
    )
    last = tested.group_by(VILLAGE_UNIT).agg(last_test_date=c("last").max().cast(pl.String))
    for table in (days, heard, last):
        counts = counts.join(table, on=VILLAGE_UNIT, how="full", coalesce=True)
    counts = counts.with_columns(c(COUNTS).fill_null(0).cast(pl.Float64)).sort(VILLAGE_UNIT)
    return VillageCounts(_named(counts, question), _values(tested, question), between)


def in_villages(villages: pd.DataFrame, names: Names, radius_km: float) -> PlaceOf:
    """The village of its commune that is nearest to a cell, within the radius."""

    def place_of(
        zone: npt.NDArray[np.int32], cell: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.int64]:
        return nearest_villages(zone, cell, names, villages, radius_km)

    return place_of


def in_hexes(hexes: pd.DataFrame, names: Names, resolution: int) -> PlaceOf:
    """The inhabited hex (row of `hexes`: commune_code, hex_id) that holds a cell of its commune."""
    number = {code: zone for zone, code in enumerate(names.communes.tolist())}
    keys = pl.DataFrame(
        {
            "zone": hexes["commune_code"].map(number).to_numpy(dtype=np.int32),
            "parent": indexes(hexes["hex_id"]),
            "place": np.arange(len(hexes)),
        }
    )

    def place_of(
        zone: npt.NDArray[np.int32], cell: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.int64]:
        parent = parent_indexes(cell, resolution)
        asked = pl.DataFrame({"zone": zone, "parent": parent})
        met = asked.join(keys, on=["zone", "parent"], how="left", maintain_order="left")
        return met["place"].fill_null(-1).to_numpy()

    return place_of


def _devices_of(tested: pl.DataFrame, attempts: pl.DataFrame, usable: pl.DataFrame) -> pl.DataFrame:
    """Devices by village and operator: tests, samples, kinds of `counts.attempts`, is_usable."""
    keys = [*VILLAGE_UNIT, "device"]
    good = tested.group_by(keys).agg(c("tests", "samples").sum())
    bad = attempts.group_by(keys).agg(c("failed", "older", "newer", "no_service").sum())
    works = usable.select(keys).unique().with_columns(is_usable=pl.lit(value=True))
    both = good.join(bad, on=keys, how="full", coalesce=True)
    both = both.join(works, on=keys, how="full", coalesce=True)
    is_usable = c("is_usable").fill_null(False)
    return both.with_columns(pl.all().exclude(*keys, "is_usable").fill_null(0), is_usable)


def _values(tested: pl.DataFrame, question: Question) -> pd.DataFrame:
    """A device's mean of samples in the village, Mbit/s: in an order that names no device."""
    sums = tested.group_by(*VILLAGE_UNIT, "device").agg(c("samples", "download", "capped").sum())
    order = pl.Series("order", mixed(sums["device"].to_numpy()))
    sums = sums.with_columns(order).sort(*VILLAGE_UNIT, "order")
    table = sums.select(VILLAGE_UNIT)
    speeds = {
        f"{name}_mbps": pl.Series(mean_of(sums, name, "samples")) for name in ("download", "capped")
    }
    return _named(table.with_columns(**speeds), question)


def _named(table: pl.DataFrame, question: Question) -> pd.DataFrame:
    """The table in pandas, operators by name."""
    operators = np.array(question.names.operators, dtype=object)
    named = table.to_pandas()
    named["operator"] = pd.Series(operators[named["operator"].to_numpy()], dtype="str")
    return named
