"""Which rows of a table of communes are of the boundaries' vintage.

A code is joined within its vintage only; the rest is refused or counted.

Does not belong here: moving figures from one vintage to another (`crosswalk.py`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import polars as pl

from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.schema.vintages import UNSTATED, are_apart
from pipeline.sources import other_tables
from pipeline.sources.other_tables import Table

USUAL_COLUMN = "boundary_vintage"  # as our own tables call it


@dataclass(frozen=True)
class Stated:
    """What the settings say of the vintage of a table's codes."""

    vintage: str = UNSTATED  # of all rows, where no column states it
    column: str | None = None  # None: `USUAL_COLUMN`, where the table has it


NOTHING_STATED = Stated()


def checked(file: str, found: str, communes: str) -> None:
    """Raise `UserFault` where a table's codes are of another vintage than the communes'."""
    if are_apart(found, communes):
        raise fault("other_vintage", file, found=found, expected=communes)


def rows_of_vintage(table: Table, stated: Stated, communes: str) -> tuple[Table, list[Fault]]:
    """The table with the rows that are of the communes' vintage, and warnings.

    Where a column states each row's vintage, rows of others are left out and counted; where the
    communes' vintage is not stated, a column of one vintage is taken to be theirs, with a warning.
    Raises `UserFault` where no row is of the communes' vintage, or where that is open.
    """
    file = table.file
    column = stated.column or (USUAL_COLUMN if USUAL_COLUMN in table.names else None)
    if column is None:
        checked(file, stated.vintage, communes)
        return table, []
    if faults := other_tables.given_column(table, column, "vintage_column"):
        raise UserFault(faults)
    texts = table.texts(column)
    met = Counter(text for text in texts if text)
    if communes == UNSTATED:
        if len(met) > 1:
            raise fault("vintage_open", file, column=column, found=sorted(met))
        return table, [Fault("vintage_unstated", file, values={"found": sorted(met)})]
    if communes not in met:
        raise fault("other_vintage", file, column=column, found=sorted(met), expected=communes)
    is_here = [text == communes for text in texts]
    if all(is_here):
        return table, []
    listed = [f"{text} ({count})" for text, count in sorted(met.items()) if text != communes]
    blank = len(texts) - met.total()
    found = [*listed, *([f"– ({blank})"] if blank else [])]
    count = len(texts) - met[communes]
    values: dict[str, object] = {"found": found, "expected": communes, "count": count}
    kept = replace(table, rows=table.rows.filter(pl.Series(is_here)))
    return kept, [Fault("rows_of_other_vintage", file, values=values)]
