"""Drive-test logs of G-NetTrack: one phone, one row per test (`*_datatest.txt`)."""

from __future__ import annotations

from pipeline.sources.formats.declaration import Column, Format

FORMAT = Format(
    "gnettrack",
    "G-NetTrack drive-test log",
    distinctive=(("Timestamp", "Operatorname", "NetworkTech", "TESTDOWNLINK"),),
    never=("DL_bitrate",),  # the log by the second: `trace`
    columns={
        "measured_at": (Column("Timestamp", format="%Y.%m.%d_%H.%M.%S"),),
        "latitude": (Column("Latitude"),),
        "longitude": (Column("Longitude"),),
        "location_accuracy_m": (Column("Accuracy", unit="m"),),
        "operator": (Column("Operatorname"), Column("Operator")),
        "technology": (Column("NetworkTech"), Column("NetworkMode")),
        "download_mbps": (Column("TESTDOWNLINK", unit="kbit/s"),),
        "upload_mbps": (Column("TESTUPLINK", unit="kbit/s"),),
        "latency_ms": (Column("PINGAVG", unit="ms"),),
        "signal_dbm": (Column("Level", unit="dBm"),),
        "device_id": (Column(value="phone"),),
    },
    notes=(
        "Tab-separated text; times are local. `-` is missing; 0 in TESTDOWNLINK is a failed test.",
        "TESTDOWNLINKMAX and TESTUPLINKMAX are peaks and are not read.",
        (
            "The log does not name its phone: a source counts as one phone, one vote. Where each "
            'file is of another phone, write `device_id = { value = "{file}" }`.'
        ),
    ),
    documentation="https://gyokovsolutions.com/manual-g-nettrack/",
)
