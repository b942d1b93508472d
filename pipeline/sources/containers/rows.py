"""What all containers share about rows: their number, the marks of rows that are no data."""

from __future__ import annotations

import polars as pl

ROW = "__source_row"  # a row's number as a spreadsheet counts, beside the file's own columns
OVERFLOW = "__beyond_heading_"  # not null: the row is set aside, not read askew
OVERFLOW_COUNT = 8
PSEUDO = ("(file)", "(folder)", "(sheet)")  # columns that every table has


def numbered(rows: pl.DataFrame, first: int) -> pl.DataFrame:
    """Rows beside their numbers from `first` on."""
    return rows.with_columns(pl.int_range(first, first + pl.len(), dtype=pl.UInt32).alias(ROW))


def without_blank(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Rows of text that hold something; blank rows are no rows."""
    first = pl.col(names[0])
    if not rows.select((first.is_null() | (first == "")).any()).item():
        return rows
    overflow = [name for name in rows.columns if name.startswith(OVERFLOW)]
    blank = [pl.col(name).is_null() | (pl.col(name) == "") for name in (*names, *overflow)]
    return rows.filter(~pl.all_horizontal(blank))


def marked(rows: pl.DataFrame, is_marked: pl.Expr, text: str) -> pl.DataFrame:
    """The rows with `text` in a column of OVERFLOW where `is_marked` holds."""
    name = f"{OVERFLOW}{0}"
    there = pl.col(name) if name in rows.columns else pl.lit(None, pl.String())
    return rows.with_columns(
        pl.when(is_marked.fill_null(value=False)).then(pl.lit(text)).otherwise(there).alias(name)
    )
