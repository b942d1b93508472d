"""The former period's finished tables, which a run continues: the gap ledger.

Does not belong here: deliveries (`inputs.py`), what follows from the ledger (`gaps.py`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from pipeline.errors import UserFault, fault
from pipeline.inputs import Input
from pipeline.periods import Period
from pipeline.tables import TABLES, checked, typed

LEDGER = "tables/gap_ledger.parquet"


def no_ledger() -> pd.DataFrame:
    """A ledger in which no gap is known."""
    return typed("gap_ledger", pd.DataFrame({name: [] for name in TABLES["gap_ledger"]}))


def read_ledger(out: Path, period: Period) -> tuple[pd.DataFrame, list[Input]]:
    """(ledger of the latest earlier period of the same length under `out`, the file as an input); empty where there is none.

    Later periods are never looked at, so that a past period rebuilt gives the same ledger. Raises `UserFault` for a file
    that is no ledger.
    """
    before = [(earlier, name) for earlier, name in _periods(out) if earlier.length == period.length]
    before = [(earlier, name) for earlier, name in before if earlier < period and (out / name / LEDGER).is_file()]
    if not before:
        return no_ledger(), []
    path = out / max(before)[1] / LEDGER
    try:
        table = pd.read_parquet(path)
        ledger = checked("gap_ledger", typed("gap_ledger", table.drop(columns="notice", errors="ignore")))
    except (OSError, ValueError, KeyError, AssertionError, TypeError) as error:
        raise fault("bad_ledger", path, found=type(error).__name__) from None
    name = path.relative_to(out).as_posix()
    return ledger, [Input("gap ledger", name, hashlib.sha256(path.read_bytes()).hexdigest(), len(ledger))]


def _periods(out: Path) -> list[tuple[Period, str]]:
    found = []
    for folder in out.iterdir() if out.is_dir() else []:
        try:
            found.append((Period.parse(folder.name), folder.name))
        except UserFault:
            continue
    return found
