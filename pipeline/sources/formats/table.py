"""Any table with a column map in the settings."""

from __future__ import annotations

from pipeline.sources.formats.declaration import Format

FORMAT = Format(
    "table",
    "Any table",
    notes=("Columns are named under [sources.NAME.columns]; nothing is guessed.",),
)
