"""Delivered bytes as raw tables: files, sheets, archive members and layers, under their headings.

`deliveries` lists a source's raw tables, `layout` says where the headings of one stand, `frames`
reads its rows, `stretches` cuts a large file so that parts of it are read side by side.
"""

from pipeline.sources.containers.archives import SUFFIXES, Delivery, content, first_line, suffix_of
from pipeline.sources.containers.geodata import features
from pipeline.sources.containers.head import Layout
from pipeline.sources.containers.kinds import kind_of
from pipeline.sources.containers.listing import (
    Survey,
    broken_links,
    deliveries,
    named_again,
    notes,
    passed_over,
    paths_of,
    survey,
    unique_names,
)
from pipeline.sources.containers.rows import OVERFLOW, PSEUDO, ROW
from pipeline.sources.containers.tables import (
    HOW,
    frames,
    headings,
    is_typed,
    layout,
    read_rows,
    repeated_faults,
    sample,
    stretches,
)
from pipeline.sources.containers.text import Form, Stretch

__all__ = [
    "HOW", "OVERFLOW", "PSEUDO", "ROW", "SUFFIXES", "Delivery", "Form", "Layout", "Stretch",
    "Survey", "broken_links", "content", "deliveries", "features", "first_line", "frames",
    "headings", "is_typed", "kind_of", "layout", "named_again", "notes", "passed_over", "paths_of",
    "read_rows", "repeated_faults", "sample", "stretches", "suffix_of", "survey", "unique_names",
]  # fmt: skip
