"""M-Lab's NDT: positions are those of the provider's equipment, so totals of provinces at most."""

from __future__ import annotations

from pipeline.sources.formats.declaration import Format

FORMAT = Format(
    "mlab",
    "M-Lab NDT",
    kind="totals",
    distinctive=(
        ("a.MeanThroughputMbps", "a.MinRTT"),
        ("MeanThroughputMbps", "MinRTT"),
        ("metrics.download_throughput_mbps.p50",),
        ("download_throughput_mbps", "packet_loss", "sample_counts"),
        ("download_p50", "subdivision1_iso_code"),
        ("client.Geo.Subdivision1ISOCode", "a.MeanThroughputMbps"),
    ),
    refused="totals_not_tests",
    notes=(
        "Positions are looked up from IP addresses: they are the provider's, not the phone's.",
        "All access types are mixed. Figures speak of a province, never of a commune.",
    ),
    documentation="https://www.measurementlab.net/tests/ndt/",
)
