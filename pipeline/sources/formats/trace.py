"""Logs of one phone's traffic by the second: seconds are not tests.

G-NetTrack and the 5G data set of UCC write such logs. In a second without a download the rate says
nothing of the network. `sessions` cuts a log into downloads that lasted; a log without them is
refused.
"""

from __future__ import annotations

import polars as pl

from pipeline.sources.formats.declaration import Column, Condition, Format

LONGEST_GAP_S = 5.0  # between two rows of one session
SHORTEST_S = 5.0  # from the first to the last row of a session
_STEP_S = 2.0  # median distance of rows of a log by the second

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
    one_device=True,
    refused="trace_not_tests",
    notes=(
        "`Speed` is the vehicle's, in km/h. `State`: D = downloading, I = idle.",
        (
            "A session is a run of D rows with gaps of 5 s at most that lasts 5 s or longer: one "
            "test, its mean rate, at its first position and time."
        ),
    ),
    documentation="https://github.com/uccmisl/5Gdataset",
)


def is_trace(times: pl.Series) -> bool:
    """Whether rows follow each other by the second: half of the steps are 2 s or less.

    `times`: Datetime, in the file's order. Tests of many phones, sorted or not, lie further apart.
    """
    steps = times.drop_nulls().diff().drop_nulls().dt.total_milliseconds().abs()
    median = steps.median()
    return len(steps) >= 10 and isinstance(median, (int, float)) and median <= _STEP_S * 1000


def sessions(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per download session: columns of `rows`, rates as means, the rest of the first row.

    `rows`: in the file's order, with `measured_at` (Datetime), `is_download` (whether the phone was
    downloading) and `download_mbps`; `upload_mbps`, `operator` and `technology` may be there. A
    session is a run of downloading rows of one operator and technology without a row of another
    kind in between, with gaps of at most 5 s; it lasts 5 s or longer. Adds `session_rows` and
    `session_s`.
    """
    c = pl.col
    if rows.is_empty():
        return rows.with_columns(session_rows=pl.lit(0, pl.UInt32), session_s=pl.lit(0.0))
    changed = [
        c(name).ne_missing(c(name).shift())
        for name in ("operator", "technology")
        if name in rows.columns
    ]
    took = c("measured_at").diff().dt.total_milliseconds() / 1000
    downloading = c("is_download").fill_null(False)
    starts = pl.any_horizontal(
        downloading != downloading.shift(), took.is_null(), took > LONGEST_GAP_S, took < 0, *changed
    )
    cut = rows.with_columns(session=starts.fill_null(True).cum_sum())
    kept = cut.filter(downloading & c("download_mbps").is_not_null())
    rates = [name for name in ("download_mbps", "upload_mbps") if name in rows.columns]
    others = [c(name).first() for name in rows.columns if name not in rates]
    lasted = (c("measured_at").last() - c("measured_at").first()).dt.total_milliseconds() / 1000
    found = kept.group_by("session", maintain_order=True).agg(
        *others, *[c(name).mean() for name in rates], session_rows=pl.len(), session_s=lasted
    )
    return found.filter(c("session_s") >= SHORTEST_S).select(
        *rows.columns, "session_rows", "session_s"
    )
