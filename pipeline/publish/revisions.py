"""A period that is run again: its revision number, and what changed since the run that it replaces.

Late deliveries, other inputs (events, villages, people, …), new boundaries, other settings or
rules make a revision; the same inputs give the same one again. Does not belong here: telling causes
apart (`compare.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.schema.columns import TABLES
from pipeline.verdicts.compare import VERDICT, causes, changed_rows, is_comparable

MOST_ROWS = 200  # changed verdicts that the manifest lists


def revision_of(former: Path, account: Mapping[str, Any], status: pd.DataFrame) -> dict[str, Any]:
    """`revision` (from 1) and `revisions`: one entry for each that replaced another.

    `former`: the folder that will be replaced; one that is absent or no finished run counts as
    none. `account`: the new manifest's lomsong, rules_sha256, period, window_months, inputs,
    settings. `status`: the new `commune_status`. `changed_count` is None where the verdicts cannot
    be compared: another version or boundaries of another vintage made them.
    """
    try:
        before = json.loads((former / "manifest.json").read_text(encoding="utf-8"))
        why = causes(before, account)
    except (OSError, ValueError, KeyError, TypeError):
        return {"revision": 1, "revisions": []}
    number, listed = int(before.get("revision", 1)), list(before.get("revisions", []))
    differing = {cause: found for cause, found in why.items() if found}
    if not differing:
        return {"revision": number, "revisions": listed}
    entry: dict[str, Any] = {
        "revision": number + 1,
        "differs": differing,
        "changed_count": None,
        "changed": [],
    }
    old = _status_of(former)
    if old is not None and is_comparable(old, status):
        changed = changed_rows(old, status, why)
        lines = [
            f"{row['commune_code']} {row['commune_name']} · {row['operator']}: "
            f"{row['before']} → {row['after']} ({row['cause']})"
            for row in changed.head(MOST_ROWS).to_dict("records")
        ]
        entry |= {"changed_count": len(changed), "changed": lines}
    return {"revision": number + 1, "revisions": [*listed, entry]}


def _status_of(folder: Path) -> pd.DataFrame | None:
    """The `commune_status` of a finished run.

    None where a version with other columns published it.
    """
    try:
        table = pd.read_parquet(folder / "tables" / "commune_status.parquet")
    except (OSError, ValueError):
        return None
    return table if {*TABLES["commune_status"], *VERDICT} <= set(table.columns) else None
