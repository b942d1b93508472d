"""Logs of one phone's traffic by the second: seconds are not tests.

G-NetTrack and the 5G data set of UCC write such logs. In a second without a download the rate says
nothing of the network, and the seconds of one download are no tests of their own, so that such
logs are refused; rows of unknown tables that look like one are asked about.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.sources.formats.declaration import Column, Condition, Format

_STEP_S = 2.0  # a test of a speed takes 10 s and more
_STEP_M = 200.0  # 2 s at 360 km/h
_FEWEST_STEPS = 10
_METRES_PER_DEGREE = 111_195.0  # of latitude

FORMAT = Format(
    "trace",
    "Traffic log of one phone, by the second",
    kind="trace",
    distinctive=(
        ("Timestamp", "DL_bitrate", "UL_bitrate", "State"),
        ("Timestamp", "DL_bitrate", "UL_bitrate", "NetworkMode", "EVENT"),
    ),
    columns={
        "measured_at": (Column("Timestamp", format="%Y.%m.%d_%H.%M.%S"),),
        "latitude": (Column("Latitude"),),
        "longitude": (Column("Longitude"),),
        "location_accuracy_m": (Column("Accuracy", unit="m"),),
        "operator": (Column("Operatorname"), Column("Operator")),
        "technology": (Column("NetworkMode"), Column("NetworkTech")),
        "download_mbps": (Column("DL_bitrate", unit="kbit/s"),),
        "upload_mbps": (Column("UL_bitrate", unit="kbit/s"),),
        "latency_ms": (Column("PINGAVG", unit="ms"),),
        "signal_dbm": (Column("RSRP", unit="dBm"), Column("Level", unit="dBm")),
    },
    keep={"State": Condition(one_of=("D",))},
    refused="trace_not_tests",
    notes=("`Speed` is the vehicle's, in km/h. `State`: D = downloading, I = idle.",),
    documentation="https://github.com/uccmisl/5Gdataset",
)


@dataclass(frozen=True)
class Steps:
    """Medians of what lies between neighbouring rows; NaN of fewer than 10 steps."""

    seconds: float
    metres: float

    @property
    def is_trace(self) -> bool:
        """Whether the rows follow one phone: a test takes longer, other phones are elsewhere."""
        return 0 < self.seconds <= _STEP_S and self.metres <= _STEP_M


def steps_of(times: pl.Series, latitudes: pl.Series, longitudes: pl.Series) -> Steps:
    """Medians of the steps from row to row. Times as Datetime, positions in degrees, file order."""
    east = latitudes.radians().cos()
    rows = pl.DataFrame({"t": times, "y": latitudes, "x": longitudes, "east": east}).drop_nulls()
    if rows.height <= _FEWEST_STEPS:
        return Steps(float("nan"), float("nan"))
    seconds = rows["t"].diff().dt.total_milliseconds().abs().median()
    north, across = rows["y"].diff(), rows["x"].diff() * rows["east"]
    metres = ((north**2 + across**2).sqrt() * _METRES_PER_DEGREE).median()
    return Steps(float(seconds) / 1000, float(metres))  # type: ignore[arg-type]
