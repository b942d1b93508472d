"""What changed between two runs, and whether by data, other inputs, rule, boundary or settings.

Does not belong here: reading the runs (`previous_runs.py`), printing (`cli.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.schema.vintages import UNSTATED, are_apart, vintage_of

KEY = ["commune_code", "operator"]
# a row's own evidence: if it is equal in both runs, the verdict changed by what it is judged by
OWN = [
    "window_months",
    "test_count",
    "sample_count",
    "device_count",
    "date_count",
    "failed_test_count",
    "mean_mbps",
]
VERDICT = ["status", "evidence", "evidence_basis"]
BOUNDARIES = "boundaries"
# results of runs before, inputs of what compares with them
FORMER = ("gap ledger", "former period", "one window earlier")
ROLES = (
    BOUNDARIES, "population", *FORMER, "crosswalk",
    "installs", "facilities", "villages", "visits", "events", "roads", "terrain",
    "sites",
)  # fmt: skip
JUDGED_BY = ("target", "evidence")  # settings that change a verdict and no figure
# settings that change neither
WITHOUT_EFFECT = (
    "publish", "priority", "report", "tracker", "installs", "crosswalk", "sites", "costs",
    "site_plan",
)  # fmt: skip


def causes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    """Differences of two manifests by `data`, `inputs`, `boundary`, `settings` and `rule`.

    `data`: deliveries of tests. `inputs`: all other files but boundaries, by role; results of
    former runs only of one period run twice, since those of two periods always differ.
    """
    files = {role: _files(before, role) ^ _files(after, role) for role in (BOUNDARIES, None)}
    data = sorted({name for name, _ in files[None]})
    same_period = before["period"] == after["period"]
    others = [role for role in ROLES if role != BOUNDARIES and (same_period or role not in FORMER)]
    inputs = {name for one in others for name, _ in _files(before, one) ^ _files(after, one)}
    if before["window_months"] != after["window_months"]:
        data.insert(0, f"{before['period']} → {after['period']}")
    boundary = sorted({name for name, _ in files[BOUNDARIES]})
    keys = sorted(_differing(before["settings"], after["settings"]))
    boundary += [key for key in keys if key.startswith("boundaries.")]
    settings = [key for key in keys if key.split(".")[0] not in ("boundaries", *WITHOUT_EFFECT)]
    rule = [
        f"{before.get(name)} → {after.get(name)}"
        for name in ("lomsong", "rules_sha256")
        if before.get(name) != after.get(name)
    ]
    return {
        "data": data, "inputs": sorted(inputs), "boundary": boundary, "settings": settings,
        "rule": rule,
    }  # fmt: skip


def _files(manifest: Mapping[str, Any], role: str | None) -> set[tuple[str, str]]:
    """(name, hash) of the inputs of a role, or of the deliveries where `role` is None."""
    return {
        (item["name"], item["sha256"])
        for item in manifest["inputs"]
        if (_is_delivery(item) if role is None else item["role"] == role and not _is_delivery(item))
    }


def _is_delivery(item: Mapping[str, Any]) -> bool:
    # manifests before 0.1.0 lack the field: the role of a delivery is its source's name
    return bool(item.get("is_delivery", item["role"] not in ROLES))


def _differing(before: object, after: object, path: str = "") -> list[str]:
    """Dotted names of the settings that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            name
            for key in sorted({*before, *after})
            for name in _differing(
                before.get(key), after.get(key), f"{path}.{key}" if path else key
            )
        ]
    return [] if before == after else [path]


def vintages(before: pd.DataFrame, after: pd.DataFrame) -> tuple[str, str]:
    """The boundary vintages of two `commune_status`."""
    return vintage_of(before), vintage_of(after)


def is_comparable(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Whether the rows of two `commune_status` may be joined by code."""
    return not are_apart(*vintages(before, after))


def is_vintage_open(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Whether one of two `commune_status` states its vintage and the other does not."""
    one, other = vintages(before, after)
    return one != other and UNSTATED in (one, other)


def changed_rows(
    before: pd.DataFrame, after: pd.DataFrame, why: Mapping[str, list[str]]
) -> pd.DataFrame:
    """Rows of two `commune_status` whose verdict differs: KEY, commune_name, before, after, cause.

    Rows are joined by code, so both must be of one boundary vintage (`is_comparable`): an
    `AssertionError` otherwise.

    `why`: of `causes`. A row whose own evidence is equal changed by other inputs (people, by whom
    places weigh), settings or rule, or else through the data of others (prior, q-values:
    `others`). A row whose evidence differs changed by its data, other inputs (events), its
    boundary, or the settings that choose tests. Several possible causes are joined by
    `+`. `appeared`, `gone`: the commune or operator is in one of the runs only.
    """
    assert is_comparable(before, after), "codes of two vintages are never joined"
    both = before.merge(after, how="outer", on=KEY, suffixes=("_before", "_after"), indicator=True)
    by_evidence, by_rules = _possible_causes(why)
    cause = pd.Series(by_evidence, index=both.index, dtype="str")
    cause = cause.mask(_has_same_evidence(both), by_rules)
    cause = cause.mask(both["_merge"].eq("left_only"), "gone")
    table = both[KEY].assign(
        commune_name=both["commune_name_after"].fillna(both["commune_name_before"]),
        before=_verdict_text(both, "before"),
        after=_verdict_text(both, "after"),
        cause=cause.mask(both["_merge"].eq("right_only"), "appeared"),
    )
    return table[table["before"] != table["after"]].sort_values(KEY, ignore_index=True)


def _possible_causes(why: Mapping[str, list[str]]) -> tuple[str, str]:
    """(causes of a row whose evidence differs, of a row whose evidence is equal), joined by `+`."""
    settings = why["settings"]
    choosing = [k for k in settings if k.split(".")[0] not in JUDGED_BY or k.endswith("_months")]
    judging = [key for key in settings if key not in choosing]
    chosen = {"settings": choosing}
    evidence = {name: why[name] for name in ("data", "inputs", "boundary")} | chosen
    rules = {"inputs": why["inputs"], "settings": judging, "rule": why["rule"]}
    by_evidence = "+".join(name for name, found in evidence.items() if found)
    by_rules = "+".join(name for name, found in rules.items() if found)
    return by_evidence or ("rule" if why["rule"] else "data"), by_rules or "others"


def _has_same_evidence(both: pd.DataFrame) -> pd.Series:
    """Whether each row's own evidence is equal in both runs, to 1e-9."""
    same = pd.Series(True, index=both.index)
    for name in OWN:
        left, right = both[f"{name}_before"], both[f"{name}_after"]
        is_close = (left - right).abs() <= 1e-9 * left.abs().clip(lower=1.0)
        same &= (left.isna() & right.isna()) | is_close
    return same


def _verdict_text(both: pd.DataFrame, side: str) -> pd.Series:
    """Status, evidence and basis of each row, joined by `/`."""
    columns = both[[f"{name}_{side}" for name in VERDICT]].fillna("")
    return columns.agg("/".join, axis=1).str.rstrip("/")
