"""The months beside the verdicts: sample tracker, participation, figures of the whole area by operator and technology.

Joins of the steps' results. Does not belong here: verdicts (`assemble.py`), what is a campaign's sign (`fieldwork.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline import clean, fieldwork, privacy, samples
from pipeline.periods import Period
from pipeline.settings import Settings
from pipeline.tables import PRIVATE, checked, typed

NOISE = 2.0  # standard deviations of a Poisson difference: less is no change


def month_tables(
    marked: pd.DataFrame,
    communes: gpd.GeoDataFrame,
    installs: pd.Series | None,
    held: set[str],
    period: Period,
    window: list[str],
    settings: Settings,
) -> dict[str, pd.DataFrame]:
    """`sample_tracker`, `participation` and `operator_summary`.

    `marked`: tests marked for all months of the tracker, with hex9_id and located_code. `held`: months that were delivered:
    before the first of these nothing is said.
    """
    keyed = samples.keyed_devices(marked)
    valid = keyed[keyed["reject_reason"].isna() & ~keyed["is_failed"]]
    rules = settings.tracker
    asked = period.window(rules.months)
    months = [month for month in asked if month >= min(held, default=asked[-1])]
    duplicates = keyed[keyed["reject_reason"].eq("duplicate") & keyed["located_code"].notna()]
    about = pd.DataFrame(communes[["commune_code", "commune_name", "former_district", "boundary_vintage"]])
    tracker = fieldwork.sample_tracker(
        valid[valid["month"].isin(months)],
        duplicates[duplicates["month"].isin(months)],
        about,
        months,
        official_test_count=settings.evidence.official_test_count,
        burst_gap_minutes=rules.burst_gap_minutes,
        burst_min_tests=rules.burst_min_tests,
        one_place_share=rules.one_place_share,
        month_end_share=rules.month_end_share,
    )
    spans = {"period": period.months, "window": window, "rolling_12": period.window(12)}
    before = period.before().months
    return {
        "sample_tracker": tracker,
        "participation": participation(
            valid[valid["month"].isin(period.months)],
            valid[valid["month"].isin(before)] if set(before) & held else None,
            communes,
            installs,
            period,
        ),
        "operator_summary": operator_summary(keyed, spans, period, settings),
    }


def participation(
    now: pd.DataFrame,
    before: pd.DataFrame | None,
    communes: gpd.GeoDataFrame,
    installs: pd.Series | None,
    period: Period,
) -> pd.DataFrame:
    """Valid tests of the period and of the one before (None: not delivered) → `participation`, a row per commune.

    `more` and `fewer`: the devices differ by more than NOISE standard deviations of the difference of two Poisson counts,
    sqrt(n + m); else `unchanged`; `unknown` without a period before. `installs`: by commune_code.
    """
    codes = communes["commune_code"]

    def counted(tests: pd.DataFrame | None, what: str) -> pd.Series:
        if tests is None:
            return pd.Series(np.nan, index=codes.index)
        groups = tests.groupby("located_code")
        counts = groups.size() if what == "tests" else groups["device_key"].nunique()
        return codes.map(counts).fillna(0.0).astype("float64")

    table = pd.DataFrame(communes.drop(columns="geometry")).assign(
        period=str(period),
        test_count=counted(now, "tests"),
        device_count=counted(now, "devices"),
        former_test_count=counted(before, "tests"),
        former_device_count=counted(before, "devices"),
        install_count=np.nan if installs is None else codes.map(installs).astype("float64"),
    )
    people = table["population"].where(table["population"] > 0)
    table["devices_per_1000"] = 1000 * table["device_count"] / people
    step = table["device_count"] - table["former_device_count"]
    noise = NOISE * np.sqrt(table["device_count"] + table["former_device_count"])
    kind = np.select([step.isna(), step > noise, step < -noise], ["unknown", "more", "fewer"], default="unchanged")
    return checked("participation", typed("participation", table.assign(participation=kind)))


def operator_summary(
    keyed: pd.DataFrame, spans: Mapping[str, list[str]], period: Period, settings: Settings
) -> pd.DataFrame:
    """Device values over the whole area: operator (and `all`) × technology × span, small groups' speeds emptied.

    One device, one vote: the mean of its samples anywhere in the area. The target's technology as it is judged; 5G, where
    the target is 4G, from sound rows that were set aside for their technology.
    """
    target = settings.target.technology
    rows = keyed.assign(commune_code=keyed["located_code"], operator=keyed["operator_met"])
    judged = rows[rows["reject_reason"].isna() & ~rows["is_failed"]]
    newer = rows[clean.is_mobile(rows, settings.quality.max_download_mbps) & rows["technology"].eq("5G")]
    parts = [
        _spans_of(tests, spans).assign(technology_used=technology)
        for technology, tests in ([(target, judged)] + ([("5G", newer)] if target == "4G" else []))
    ]
    table = pd.concat(parts, ignore_index=True).assign(period=str(period))
    least = settings.privacy.min_devices
    place = table["technology_used"] + "/" + table["span"]
    few = privacy.is_suppressed(table.assign(place=place), "place", "device_count", least)
    # the longer span less the shorter would be the few devices that only the longer one has
    order = table["span"].map({name: number for number, name in enumerate(spans)})
    ordered = table.assign(order=order).sort_values("order")
    added = ordered.groupby(["operator", "technology_used"])["device_count"].diff()
    few |= (added.gt(0) & added.lt(least)).reindex(table.index)
    table = privacy.without(table, few, PRIVATE).assign(order=order)
    table = table.sort_values(["technology_used", "order", "operator"], ignore_index=True)
    return checked("operator_summary", typed("operator_summary", table))


def _spans_of(tests: pd.DataFrame, spans: Mapping[str, list[str]]) -> pd.DataFrame:
    found = []
    for name, months in spans.items():
        drawn = samples.representative_samples(tests[tests["month"].isin(months)])
        keys = ["operator", "device_key"]
        devices = drawn.groupby(keys)[["download_mbps", "upload_mbps", "latency_ms"]].mean().reset_index()
        devices = samples.with_all(devices.assign(device=devices["device_key"]))
        groups = devices.groupby("operator")
        counts = samples.with_all(drawn).groupby("operator")
        found.append(
            pd.DataFrame(
                {
                    "test_count": counts["test_count"].sum(),
                    "sample_count": counts.size(),
                    "device_count": groups["device"].nunique(),
                    "mean_mbps": groups["download_mbps"].mean(),
                    "median_mbps": groups["download_mbps"].median(),
                    "upload_mean_mbps": groups["upload_mbps"].mean(),
                    "median_upload_mbps": groups["upload_mbps"].median(),
                    "latency_mean_ms": groups["latency_ms"].mean(),
                    "latency_median_ms": groups["latency_ms"].median(),
                }
            )
            .rename_axis("operator")
            .reset_index()
            .assign(span=name)
        )
    return pd.concat(found, ignore_index=True)
