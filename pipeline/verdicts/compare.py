"""What changed between two runs, and whether by data, rule, boundary or settings.

Does not belong here: reading the runs (`former.py`), printing (`cli.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

KEY = ["commune_code", "operator"]
# a row's own evidence: equal in both runs, and the row changed only through what it is judged by
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
ROLES = (
    BOUNDARIES, "population", "gap ledger", "former period", "crosswalk", "installs", "facilities",
    "roads", "terrain",
)  # fmt: skip
JUDGED_BY = ("target", "evidence")  # settings that change a verdict and no figure
UNHEARD = (
    "publish",
    "priority",
    "report",
    "tracker",
    "installs",
    "crosswalk",
)  # settings that change neither


def causes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    """What differs between two manifests: `data`, `boundary`, `settings`, `rule` → what exactly,
    nothing where nothing does.
    """
    files = {role: _files(before, role) ^ _files(after, role) for role in (BOUNDARIES, None)}
    data = sorted({name for name, _ in files[None]})
    if before["window_months"] != after["window_months"]:
        data.insert(0, f"{before['period']} → {after['period']}")
    boundary = sorted({name for name, _ in files[BOUNDARIES]})
    keys = sorted(_differing(before["settings"], after["settings"]))
    boundary += [key for key in keys if key.startswith("boundaries.")]
    settings = [key for key in keys if key.split(".")[0] not in ("boundaries", *UNHEARD)]
    rule = [
        f"{before.get(name)} → {after.get(name)}"
        for name in ("lomsong", "rules_sha256")
        if before.get(name) != after.get(name)
    ]
    return {"data": data, "boundary": boundary, "settings": settings, "rule": rule}


def _files(manifest: Mapping[str, Any], role: str | None) -> set[tuple[str, str]]:
    """(name, hash) of the inputs of a role; None: of the deliveries."""
    return {
        (item["name"], item["sha256"])
        for item in manifest["inputs"]
        if (_is_delivery(item) if role is None else item["role"] == role and not _is_delivery(item))
    }


def _is_delivery(item: Mapping[str, Any]) -> bool:
    # manifests of before 0.1.0 do not state it: a delivery has its source's name for a role
    return bool(item.get("is_delivery", item["role"] not in ROLES))


def _differing(before: Any, after: Any, path: str = "") -> list[str]:
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


def changed_rows(
    before: pd.DataFrame, after: pd.DataFrame, why: Mapping[str, list[str]]
) -> pd.DataFrame:
    """Rows of two `commune_status` whose verdict differs: KEY, commune_name, status_before,
    status_after, `cause`.

    A row whose own evidence is equal changed by settings or rule, or else through the others' data
    (prior, q-values: `others`). One whose evidence differs changed by its data, its boundary, or
    the settings that choose tests. Several causes that cannot be told apart are joined by `+`.
    `appeared`, `gone`: a commune or operator only in one of the runs.
    """
    both = before.merge(after, how="outer", on=KEY, suffixes=("_before", "_after"), indicator=True)
    verdicts = pd.DataFrame(
        {
            side: both[[f"{name}_{side}" for name in VERDICT]]
            .fillna("")
            .agg("/".join, axis=1)
            .str.rstrip("/")
            for side in ("before", "after")
        }
    )
    own = pd.Series(True, index=both.index)
    for name in OWN:
        left, right = both[f"{name}_before"], both[f"{name}_after"]
        own &= (left.isna() & right.isna()) | (
            (left - right).abs() <= 1e-9 * left.abs().clip(lower=1.0)
        )
    chosen = [
        key
        for key in why["settings"]
        if key.split(".")[0] not in JUDGED_BY or key.endswith("_months")
    ]
    judged = [key for key in why["settings"] if key not in chosen]
    by_evidence = [
        name
        for name, found in (
            ("data", why["data"]),
            ("boundary", why["boundary"]),
            ("settings", chosen),
        )
        if found
    ]
    by_rules = [name for name, found in (("settings", judged), ("rule", why["rule"])) if found]
    cause = pd.Series(
        "+".join(by_evidence or (["rule"] if why["rule"] else ["data"])),
        index=both.index,
        dtype="str",
    )
    cause = cause.mask(own, "+".join(by_rules) or "others")
    cause = cause.mask(both["_merge"].eq("left_only"), "gone").mask(
        both["_merge"].eq("right_only"), "appeared"
    )
    table = both[KEY].assign(
        commune_name=both["commune_name_after"].fillna(both["commune_name_before"]),
        before=verdicts["before"],
        after=verdicts["after"],
        cause=cause,
    )
    return table[table["before"] != table["after"]].sort_values(KEY, ignore_index=True)
