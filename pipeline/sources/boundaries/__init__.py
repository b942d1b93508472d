"""Boundary files of any vector format → communes; reports on such files; public sources."""

from pipeline.sources.boundaries.communes import read_communes
from pipeline.sources.boundaries.reading import boundary_files

__all__ = ["boundary_files", "read_communes"]
