"""Aliases of i-Speed exports: a thin name for `formats/ispeed.py`."""

from __future__ import annotations

from pipeline.sources.formats.ispeed import ALIASES, column_map, guesses, settings_lines

__all__ = ["ALIASES", "column_map", "guesses", "settings_lines"]
