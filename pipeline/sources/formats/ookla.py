"""Ookla's open data: the declaration of its tiles; `sources/ookla.py` reads them."""

from __future__ import annotations

from pipeline.sources.formats.declaration import Column, Format

FORMAT = Format(
    "ookla",
    "Ookla open data, mobile tiles",
    kind="tiles",
    distinctive=(("quadkey", "avg_d_kbps", "tests", "devices"),),
    columns={
        "quadkey": (Column("quadkey"),),
        "tile_period": (Column("quarter"),),
        "download_mbps": (Column("avg_d_kbps", unit="kbit/s"),),
        "upload_mbps": (Column("avg_u_kbps", unit="kbit/s"),),
        "latency_ms": (Column("avg_lat_ms", unit="ms"),),
        "test_count": (Column("tests"),),
        "device_count": (Column("devices"),),
    },
    notes=(
        "CSV, Parquet, GeoJSON and Shapefile have the same columns; `quadkey` gives the outline.",
        "The quarter is a `quarter` column or stands in the file's name.",
        "Fixed tiles (`performance_fixed_tiles`, `type=fixed`) are refused.",
        "No operator, no technology: rows are `all` and at best probable.",
        "A tile counts by its devices.",
    ),
    documentation="https://github.com/teamookla/ookla-open-data",
)
