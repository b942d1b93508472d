"""Of which kind a file is, by its first bytes before its name.

Exports are often named `.xls` and hold text, or `.csv` and hold a workbook.
"""

from __future__ import annotations

from typing import Literal

from pipeline.schema.errors import fault
from pipeline.sources.containers.archives import (
    GEO,
    PARQUET,
    SUFFIXES,
    TEXT,
    WORKBOOKS,
    Delivery,
    opened,
    suffix_of,
)

Kind = Literal["text", "workbook", "parquet", "geodata"]


def kind_of(delivery: Delivery) -> Kind:  # noqa: PLR0911 – a kind a line
    """The kind. Raises `UserFault`: an empty file, a type that is not read."""
    suffix = suffix_of(delivery.file_name)
    if suffix not in SUFFIXES:
        found = suffix or delivery.file_name
        raise fault("unknown_suffix", delivery.name, found=found, expected=" ".join(SUFFIXES))
    with opened(delivery) as stream:
        start = stream.read(512)
    if not start:
        raise fault("empty_file", delivery.name)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"SQLite format 3\x00"):
        return "geodata"
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "geodata" if suffix in GEO else "workbook"
    if suffix in PARQUET:
        return "parquet"
    if suffix in GEO:
        return "geodata"
    if suffix in WORKBOOKS and not _is_table_of_text(start):
        return "workbook"
    return "text" if suffix in (*TEXT, *WORKBOOKS) else "workbook"


def _is_table_of_text(start: bytes) -> bool:
    line = start.replace(b"\x00", b"").splitlines()[0]
    return not line.lstrip().startswith(b"<") and max(map(line.count, (b"\t", b";", b","))) > 1
