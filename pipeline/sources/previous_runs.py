"""Finished runs, read back.

The gap ledger that a run continues, and the tables that `explain` and `diff` speak of.

Does not belong here: deliveries (`inputs.py`), what follows from the ledger (`gaps.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.schema.columns import TABLES
from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.schema.month import Input
from pipeline.schema.periods import Period
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.schema.vintages import vintage_of

LEDGER, STATUS = "tables/gap_ledger.parquet", "tables/commune_status.parquet"
# of a window earlier: what `look_count` goes on from
LOOKED = ["commune_code", "boundary_vintage", "operator", "status", "evidence", "look_count"]


def no_ledger() -> pd.DataFrame:
    """A ledger in which no gap is known."""
    return with_declared_dtypes(
        "gap_ledger", pd.DataFrame({name: [] for name in TABLES["gap_ledger"]})
    )


@dataclass(frozen=True)
class Previous:
    """What a run continues: the ledger of gaps, the status before, and the files of these."""

    ledger: pd.DataFrame  # gap_ledger
    status: pd.DataFrame | None  # commune_status of the period just before
    inputs: list[Input]
    warnings: list[Fault] = field(default_factory=list)
    earlier: pd.DataFrame | None = None  # columns LOOKED of the period one window earlier


NOTHING = Previous(no_ledger(), None, [])


def previous_runs(
    out: Path, period: Period, vintage: str, window_months: int, target: Mapping[str, Any]
) -> Previous:
    """What the runs under `out` left for a period on boundaries of a vintage.

    `window_months`: of the window that the period's evidence is taken from. `target`: of the
    settings; looks at another target do not count.

    Where the run before was made on boundaries of another vintage, its status is left out and a
    warning says so: equal codes may be two communes. The ledger goes on, since a gap is known by
    its cells. Raises `UserFault` for a file of another kind.
    """
    ledger, ledger_file = read_ledger(out, period)
    broken = _series_broken(out, period, vintage)
    status, status_file = (None, []) if broken else read_former_status(out, period)
    earlier, earlier_file = read_earlier_status(out, period, vintage, window_months, target)
    files = [*ledger_file, *status_file, *earlier_file]
    return Previous(ledger, status, files, broken, earlier)


def _series_broken(out: Path, period: Period, vintage: str) -> list[Fault]:
    """A warning where the latest earlier run was made on boundaries of another vintage.

    Of a vintage that is not stated nobody knows whether it is the same: it counts as another.
    """
    path = _latest_before(out, period, STATUS)
    if path is None:
        return []
    try:
        former = vintage_of(pd.read_parquet(path, columns=["boundary_vintage"]))
    except (OSError, ValueError, KeyError):
        return []  # of another kind: said where its rows are needed
    name, found = path.parents[1].name, {"found": former, "expected": vintage}
    return [] if former == vintage else [Fault("series_broken", values={"former": name, **found})]


def read_ledger(out: Path, period: Period) -> tuple[pd.DataFrame, list[Input]]:
    """(ledger of the latest earlier period under `out`, the file as an input).

    The earlier period has the same length; empty where there is none.

    Later periods are never looked at, so that a past period rebuilt gives the same ledger. Raises
    `UserFault` for a file that is no ledger.
    """
    path = _latest_before(out, period, LEDGER)
    if path is None:
        return no_ledger(), []
    try:
        table = pd.read_parquet(path).drop(columns="notice", errors="ignore")
        # ledgers of before events were read
        added = {name: None for name in ("event_date", "event_kind") if name not in table}
        ledger = validated("gap_ledger", with_declared_dtypes("gap_ledger", table.assign(**added)))
    except (OSError, ValueError, KeyError, AssertionError, TypeError) as error:
        raise fault("bad_ledger", path, found=type(error).__name__) from None
    name = path.relative_to(out).as_posix()
    return ledger, [
        Input("gap ledger", name, hashlib.sha256(path.read_bytes()).hexdigest(), len(ledger))
    ]


def read_former_status(out: Path, period: Period) -> tuple[pd.DataFrame | None, list[Input]]:
    """(`commune_status` of the period before this one under `out`, the file as an input).

    The period before has the same length; (None, []) where there is none.

    Only the period just before: over a longer time "since the former period" would say too much.
    Raises `UserFault` where another version made the file.
    """
    path = _status_file(out, period.before())
    if path is None:
        return None, []
    table = _read_status(path)
    if missing := [name for name in TABLES["commune_status"] if name not in table.columns]:
        raise fault("old_run", path.parents[1], found=missing)
    return table, [_status_input("former period", path, table)]


def read_earlier_status(
    out: Path, period: Period, vintage: str, window_months: int, target: Mapping[str, Any]
) -> tuple[pd.DataFrame | None, list[Input]]:
    """(Columns LOOKED of `commune_status` one window earlier under `out`, the file as an input).

    It is of the period `Period.earlier` and shares no test with this one's window of
    `window_months`. (None, []) where there is none, it was judged by another speed or technology
    than the `target`'s, is of another vintage, or a version without these columns made it. Raises
    `UserFault` for a file that cannot be read.
    """
    path = _status_file(out, period.earlier(window_months))
    if path is None or not _is_judged_by(path.parents[1], target):
        return None, []
    table = _read_status(path)
    if not set(LOOKED) <= set(table.columns) or vintage_of(table) != vintage:
        return None, []
    return table[LOOKED], [_status_input("one window earlier", path, table)]


def _is_judged_by(run: Path, target: Mapping[str, Any]) -> bool:
    """Whether a run's manifest names the speed and technology of the target."""
    try:
        then = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["settings"]["target"]
    except (OSError, ValueError, KeyError):
        return False
    return all(then.get(key) == target[key] for key in ("download_mbps", "technology"))


def _status_file(out: Path, period: Period) -> Path | None:
    """The `commune_status` of a period under `out`, if any."""
    paths = [out / name / STATUS for found, name in _periods(out) if found == period]
    return max((path for path in paths if path.is_file()), default=None)


def _read_status(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError):
        raise fault("no_run", path.parents[1]) from None


def _status_input(role: str, path: Path, table: pd.DataFrame) -> Input:
    name = f"{path.parents[1].name}/{STATUS}"
    return Input(role, name, hashlib.sha256(path.read_bytes()).hexdigest(), len(table))


def _latest_before(out: Path, period: Period, file: str) -> Path | None:
    """`file` of the latest earlier period of the same length under `out`, if any."""
    before = [(earlier, name) for earlier, name in _periods(out) if earlier.length == period.length]
    before = [
        (earlier, name)
        for earlier, name in before
        if earlier < period and (out / name / file).is_file()
    ]
    return out / max(before)[1] / file if before else None


def _periods(out: Path) -> list[tuple[Period, str]]:
    found = []
    for folder in out.iterdir() if out.is_dir() else []:
        try:
            found.append((Period.parse(folder.name), folder.name))
        except UserFault:
            continue
    return found


@dataclass(frozen=True)
class Run:
    """A finished run: its folder's name, manifest, and the tables that are asked of it."""

    name: str
    manifest: dict[str, Any]
    status: pd.DataFrame
    summary: pd.DataFrame
    gap_areas: pd.DataFrame


def latest_run(out: Path, period: str | None) -> Path:
    """The folder of a period under `out`; of the latest where none is named.

    Raises `UserFault` where there is none.
    """
    held = sorted(
        (p for p in _periods(out) if (out / p[1] / "manifest.json").is_file()),
        key=lambda p: (p[0].last, p[0]),
    )
    if period is not None:
        wanted = Period.parse(period)
        held = [p for p in held if p[0] == wanted]
    if not held:
        raise fault("no_run", out if period is None else out / period)
    return out / held[-1][1]


def read_run(folder: Path) -> Run:
    """A finished run from its folder `OUT/PERIOD`.

    Raises `UserFault` where the folder holds none.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        tables = [pd.read_parquet(folder / "tables" / f"{name}.parquet") for name in RUN_TABLES]
        missing = [
            n
            for n, t in zip(RUN_TABLES, tables, strict=True)
            if not set(TABLES[n]) <= set(t.columns)
        ]
    except (OSError, ValueError):
        raise fault("no_run", folder) from None
    if missing or "settings" not in manifest:
        raise fault("old_run", folder, found=missing or ["manifest.json"])
    return Run(folder.as_posix(), manifest, *tables)


RUN_TABLES = ("commune_status", "commune_summary", "gap_areas")
