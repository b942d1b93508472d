"""Open data of RTR-NetTest (Austria) and its sisters, such as NetMetr (Czechia)."""

from __future__ import annotations

from pipeline.sources.formats.declaration import Column, Condition, Format

FORMAT = Format(
    "rtr",
    "RTR-NetTest open data",
    distinctive=(("open_uuid", "open_test_uuid", "cat_technology", "download_kbit"),),
    columns={
        "test_id": (Column("open_test_uuid"),),
        "measured_at": (
            Column("time_utc", format="%Y-%m-%d %H:%M:%S", zone="UTC"),
            Column("time", format="%Y-%m-%d %H:%M", zone="UTC"),
        ),
        "latitude": (Column("lat"),),
        "longitude": (Column("long"),),
        "location_accuracy_m": (Column("loc_accuracy", unit="m"),),
        "operator": (Column("network_name"), Column("network_mcc_mnc"), Column("sim_mcc_mnc")),
        "technology": (Column("cat_technology"), Column("network_type")),
        "download_mbps": (Column("download_kbit", unit="kbit/s"),),
        "upload_mbps": (Column("upload_kbit", unit="kbit/s"),),
        "latency_ms": (Column("ping_ms", unit="ms"),),
        "signal_dbm": (Column("lte_rsrp", unit="dBm"),),
        "device_id": (Column("open_uuid"),),
    },
    keep={"implausible": Condition(none_of=("true", "t", "1", "yes"))},
    zone="UTC",
    notes=(
        "Positions are empty where they are off by 10 km or more.",
        "`cat_technology` of a test that changed its network (`2G/4G`) is no single technology.",
        "`signal_strength` is of 2G, 3G and Wi-Fi; the signal of 4G is `lte_rsrp`.",
    ),
    documentation="https://www.netztest.at/en/OpenDataSpecification.html",
)
