"""Coverage runs of RTR-NetTest: a row per fence, some 20 m that one phone went through.

A fence has pings and the phone's technology, no speed: it is never a test, neither valid nor
failed, and only says whether an operator was heard there (`measurements/counts.py`, `tries`). Names
are those of the table `fences` of Open-RMBT and of `speed_curve.fences` in the statistics server's
answers, beside columns of the fence's test that name phone and operator.
"""

from __future__ import annotations

from pipeline.sources.formats.declaration import Column, Format

FORMAT = Format(
    "rtr_coverage",
    "RTR-NetTest coverage run",
    kind="fences",
    distinctive=(
        ("technology", "avg_ping_ms", "fence_id"),
        ("technology", "avg_ping_ms", "fence_time"),
        ("technology", "avg_ping_ms", "offset_ms", "duration_ms"),
    ),
    never=("download_kbit",),  # a row of a test
    columns={
        "measured_at": (Column("fence_time", zone="UTC"), Column("time_utc", zone="UTC"),
                        Column("time", zone="UTC")),
        "latitude": (Column("latitude"), Column("lat")),
        "longitude": (Column("longitude"), Column("long")),
        "location_accuracy_m": (Column("accuracy", unit="m"), Column("loc_accuracy", unit="m")),
        "operator": (Column("operator"), Column("network_name"), Column("provider_name"),
                     Column("network_mcc_mnc"), Column("sim_mcc_mnc")),
        "technology": (Column("technology"),),
        "download_mbps": (Column(value="0", unit="Mbit/s"),),
        "latency_ms": (Column("avg_ping_ms", unit="ms"),),
        "device_id": (Column("open_uuid"), Column("client_uuid"), Column("loop_uuid"),
                      Column("open_test_uuid"), Column(value="phone")),
    },
    zone="UTC",
    notes=(
        "A fence names no operator and no phone: they are those of its test, by `open_test_uuid`.",
        "0 in `avg_ping_ms` is no answer: the statistics server writes it for an empty value.",
        "`signal` is of whatever technology and is not read; nor is `technology_id`.",
    ),
    documentation="https://github.com/rtr-nettest/open-rmbt-database",
)  # fmt: skip
