"""Files of measurements as Polars frames, in stretches that are read side by side.

A Parquet file is cut by rows. A plain text file (UTF-8, a row a line) is cut at ends of lines, so
that one large file keeps all cores or workers busy; any other file is read as a whole, by the
careful reader of `files.py`. All give the same rows under the file's own headings.
Does not belong here: what the columns mean (`table.py`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from pipeline.schema.errors import fault
from pipeline.sources.containers import listing as files

ROW = "__source_row"  # a row's number as a spreadsheet counts, beside the file's own columns
STRETCH_ROWS = 1_000_000  # row groups of a Parquet file are read together up to as many
STRETCH_BYTES = 64_000_000  # of a text file: some 600,000 rows
_BLOCK = 1 << 18  # bytes that are looked through at once: they stay in the processor's cache


@dataclass(frozen=True)
class Stretch:
    """Rows [start, stop) of a Parquet file, or bytes [start, stop) of a plain text file."""

    start: int
    stop: int
    first_row: int
    row_count: int


def stretches(delivery: files.Delivery, how: dict[str, Any]) -> list[Stretch] | None:
    """The stretches of a file, in order; None of a file that is read as a whole.

    `how`: delimiter, encoding, sheet, heading_row, decimal, as `files.batches` takes them. Raises
    `UserFault` for a Parquet file that cannot be opened.
    """
    sizes = files.row_group_sizes(delivery)
    if sizes is None:
        return _lines(delivery, how)
    found, start, held = [], 0, 0
    for number, size in enumerate(sizes, start=1):
        held += size
        if held >= STRETCH_ROWS or number == len(sizes):
            found.append(Stretch(start, start + held, start + 2, held))
            start, held = start + held, 0
    return found or [Stretch(0, 0, 2, 0)]


def frames(
    delivery: files.Delivery, stretch: Stretch | None, how: dict[str, Any], columns: list[str]
) -> Iterator[pl.DataFrame]:
    """Rows under the file's own headings and ROW; blank rows of text are no rows.

    Text comes as text, Parquet keeps its types, of it `columns` are read. At least one frame, of a
    stretch exactly one unless it has rows with too many fields. Raises `UserFault`.
    """
    if stretch is None:
        for frame in files.batches(delivery, **how):
            yield _as_polars(frame)
    elif files.suffix_of(delivery.path) == ".parquet":
        yield _parquet(delivery, stretch, columns)
    else:
        yield from _text(delivery, stretch, how)


def _as_polars(rows: pd.DataFrame) -> pl.DataFrame:
    numbers = pl.Series(ROW, rows.index.to_numpy(), dtype=pl.UInt32)
    found: pl.DataFrame = pl.from_pandas(rows.reset_index(drop=True).rename(columns=str))
    return found.with_columns(numbers)


def _parquet(delivery: files.Delivery, stretch: Stretch, columns: list[str]) -> pl.DataFrame:
    try:
        rows = pl.scan_parquet(delivery.path, hive_partitioning=False).select(columns)
        found = rows.slice(stretch.start, stretch.row_count).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        why = files.first_line(error)
        raise fault("unreadable_file", delivery.name, found=why, expected="Parquet") from None
    return _numbered(found, stretch)


def _numbered(rows: pl.DataFrame, stretch: Stretch) -> pl.DataFrame:
    first = stretch.first_row
    return rows.with_columns(pl.int_range(first, first + pl.len(), dtype=pl.UInt32).alias(ROW))


# ── plain text ───────────────────────────────────────────────────────────────────────────────────


def _heading(delivery: files.Delivery, how: dict[str, Any]) -> tuple[list[str], str, int]:
    """(headings, delimiter, where the rows begin); no headings where the file is not plain."""
    with delivery.path.open("rb") as stream:
        line = stream.readline()
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        return [], "", 0
    mark = "\t" if files.suffix_of(delivery.path) == ".tsv" else None
    mark = how["delimiter"] or mark or files.delimiter_of(text)
    if not text.strip() or "\r" in text or "\x00" in text or text.count('"') % 2:
        return [], mark, 0
    names = files.headings_of(next(csv.reader([text], delimiter=mark)))
    return (names if len(set(names)) == len(names) else []), mark, len(line)


def _lines(delivery: files.Delivery, how: dict[str, Any]) -> list[Stretch] | None:
    """Stretches of whole lines, where every line is a row; None otherwise."""
    is_text = delivery.path.name.lower().endswith((".csv", ".tsv", ".txt"))
    if (
        not is_text
        or how["encoding"]
        or how["heading_row"] != 1
        or not delivery.path.stat().st_size
    ):
        return None
    names, _, start = _heading(delivery, how)
    if not names:
        return None
    found, first, count, end = [], 2, 0, start
    with delivery.path.open("rb") as stream:
        stream.seek(start)
        while block := stream.read(_BLOCK):
            block += stream.readline()
            rows = _row_count(block)
            if rows is None:
                return None
            count, end = count + rows, end + len(block)
            if end - start >= STRETCH_BYTES:
                found.append(Stretch(start, end, first, count))
                start, first, count = end, first + count, 0
    return [*found, Stretch(start, end, first, count)] if count or not found else found


def _row_count(block: bytes) -> int | None:
    """How many rows the lines are; None where a line may not be a row, or the text not UTF-8."""
    ends, returns = block.count(b"\n"), block.count(b"\r")
    if returns not in (0, ends) or b"\x00" in block:
        return None
    if not block.isascii():
        try:
            block.decode()
        except UnicodeDecodeError:
            return None
    if b'"' in block:
        held = np.frombuffer(block, dtype=np.uint8)
        starts = np.flatnonzero(np.r_[np.uint8(10), held[:-1]] == 10)
        if (np.add.reduceat(held == 34, starts) % 2).any() or b' "' in block or b'" ' in block:
            return None  # a quote may hold an end of line
    return ends + (block[-1:] != b"\n")


def _text(
    delivery: files.Delivery, stretch: Stretch, how: dict[str, Any]
) -> Iterator[pl.DataFrame]:
    names, mark, _ = _heading(delivery, how)
    with delivery.path.open("rb") as stream:
        stream.seek(stretch.start)
        block = stream.read(stretch.stop - stretch.start)
    schema = dict.fromkeys(names, pl.String())
    try:
        rows = (
            pl.read_csv(block, separator=mark, has_header=False, schema=schema) if block else None
        )
    except pl.exceptions.PolarsError:  # a row with too many fields: which one, and why
        rows = None
    if rows is not None and rows.height == stretch.row_count:
        rows = _numbered(rows, stretch)
        first = pl.col(names[0])
        if rows.select((first.is_null() | (first == "")).any()).item():
            blank = [pl.col(name).is_null() | (pl.col(name) == "") for name in names]
            rows = rows.filter(~pl.all_horizontal(blank))
        yield rows
        return
    for frame in files.lines(delivery, block, names, mark, stretch.first_row):
        yield _as_polars(frame)
