"""Our columns of a test, and the rule that says what one of them is read from.

Does not belong here: how the cells are written (`cells/`).
"""

from __future__ import annotations

from dataclasses import dataclass

REQUIRED = ("measured_at", "latitude", "longitude", "operator", "technology", "download_mbps")
OPTIONAL = (
    "test_id", "location_accuracy_m", "upload_mbps", "latency_ms", "jitter_ms", "signal_dbm",
    "device_id",
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """Source of one of our columns: a foreign column or a constant, its unit, form and zone.

    `columns`: a date and a time of day in two columns. `decimal`: the decimal mark of its numbers.
    `failed`: numbers that stand for a failed test. `zone`: of times without an offset. `is_given`:
    by the settings, not by a format or an alias.
    """

    column: str | None = None
    value: str | None = None
    unit: str | None = None
    format: str | None = None
    columns: tuple[str, str] | None = None
    decimal: str | None = None
    failed: tuple[float, ...] | None = None
    zone: str | None = None
    is_given: bool = False

    @property
    def headings(self) -> tuple[str, ...]:
        """The foreign columns."""
        return self.columns or ((self.column,) if self.column is not None else ())
