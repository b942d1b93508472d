"""Monthly CSV of TRAI MySpeed (India): one row per direction, without time and place.

Exports that add time and position are read; the published ones are refused with that reason.
"""

from __future__ import annotations

from pipeline.sources.formats.declaration import Column, Condition, Format

FORMAT = Format(
    "trai",
    "TRAI MySpeed",
    distinctive=(
        ("Service Provider", "Technology", "Test_type", "Data Speed(Mbps)"),
        ("Service_provider", "Technology", "Download_Upload", "Data_Speed(Kbps)"),
        ("Service_provider", "Technology", "Test_type", "Data_Speed(Kbps)"),
    ),
    columns={
        "operator": (Column("Service Provider"), Column("Service_provider")),
        "technology": (Column("Technology"),),
        "download_mbps": (
            Column("Data Speed(Mbps)", unit="Mbit/s"),
            Column("Data_Speed(Kbps)", unit="kbit/s"),
        ),
        "signal_dbm": (Column("Signal_strength", unit="dBm"),),
    },
    keep={
        "Test_type": Condition(one_of=("download",)),
        "Download_Upload": Condition(one_of=("download",)),
    },
    has_aliases=True,
    lacking="no_time_or_place",
    notes=(
        "`na` is missing. `LSA`, `Service_Area`: the licence area, larger than a commune.",
        "The published months have neither time nor position: they cannot be placed in communes.",
    ),
    documentation="https://myspeed.trai.gov.in",
)
