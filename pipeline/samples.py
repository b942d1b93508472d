"""Tests → representative samples → device values: one device, one vote (METHOD §2.2–2.4).

Does not belong here: intervals and probabilities (`statistics.py`), verdicts (`judge.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.tables import ALL, checked, typed

UNIT = ["commune_code", "operator"]


def keyed_devices(tests: pd.DataFrame) -> pd.DataFrame:
    """+ `device_key`, `is_pseudo`: a device as its source names it, else a pseudo-device (finest cell × date)."""
    pseudo = tests["device_id"].isna()
    known = tests["source"] + "/" + tests["device_id"]
    made = tests["source"] + "/~" + tests["hex9_id"] + "/" + tests["local_date"]
    return tests.assign(device_key=known.where(~pseudo, made), is_pseudo=pseudo)


def representative_samples(tests: pd.DataFrame) -> pd.DataFrame:
    """Valid tests → `samples`: means over one device's tests in one commune × operator × finest cell × local date.

    `local_hour` is the first test's time of day.
    """
    keys = [*UNIT, "device_key", "hex9_id", "local_date"]
    grouped = tests.sort_values([*keys, "measured_at", "source_file", "source_row"]).groupby(keys, sort=True)
    samples = grouped.agg(
        is_pseudo=("is_pseudo", "any"),
        local_hour=("local_hour", "first"),
        test_count=("download_mbps", "size"),
        download_mbps=("download_mbps", "mean"),
        upload_mbps=("upload_mbps", "mean"),
        latency_ms=("latency_ms", "mean"),
    ).reset_index()
    return checked("samples", typed("samples", samples))


def device_values(samples: pd.DataFrame) -> pd.DataFrame:
    """`samples` → `device_values`: x_i = mean of a device's samples in commune × operator.

    Rows of operator `all` follow: the same values, pooled over operators. A phone with two operators' SIM cards measures
    two networks and gives two values.
    """
    keys = [*UNIT, "device_key"]
    devices = (
        samples.groupby(keys, sort=True)
        .agg(
            download_mbps=("download_mbps", "mean"),
            upload_mbps=("upload_mbps", "mean"),
            latency_ms=("latency_ms", "mean"),
            test_count=("test_count", "sum"),
            sample_count=("download_mbps", "size"),
            is_pseudo=("is_pseudo", "any"),
        )
        .reset_index()
    )
    pooled = devices.assign(device_key=devices["operator"] + "/" + devices["device_key"], operator=ALL)
    return checked("device_values", typed("device_values", pd.concat([devices, pooled], ignore_index=True)))


def with_all(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, and once more under operator `all`."""
    return pd.concat([rows, rows.assign(operator=ALL)], ignore_index=True)


def evidence_counts(
    tests: pd.DataFrame, samples: pd.DataFrame, *, report_month: str, max_hex_accuracy_m: float
) -> pd.DataFrame:
    """By commune × operator (and `all`): counts and raw figures that no inference is made on, index `UNIT`.

    `device_count` counts devices, of `all` too, where a phone with two operators' SIM cards has two values (m).
    Columns: test_count, device_count, raw_mean_mbps, date_count, sample_count, largest_device_tests, largest_cell_samples, accurate_count,
    pseudo_count, month_test_count, month_device_count, month_mean_mbps.
    """
    tests, samples = with_all(tests), with_all(samples)
    # phones write 0 or −1 where they do not know their accuracy
    accurate = tests["location_accuracy_m"].gt(0) & tests["location_accuracy_m"].le(max_hex_accuracy_m)
    by_test = tests.assign(accurate=accurate).groupby(UNIT)
    by_sample = samples.groupby(UNIT)
    month_tests = tests[tests["month"] == report_month].groupby(UNIT)
    month_samples = samples[samples["local_date"].str.startswith(report_month)].groupby(UNIT)
    return pd.DataFrame(
        {
            "test_count": by_test.size(),
            "device_count": by_test["device_key"].nunique(),
            "raw_mean_mbps": by_test["download_mbps"].mean(),
            "date_count": by_test["local_date"].nunique(),
            "accurate_count": by_test["accurate"].sum(),
            "pseudo_count": by_test["is_pseudo"].sum(),
            "largest_device_tests": tests.groupby([*UNIT, "device_key"]).size().groupby(UNIT).max(),
            "sample_count": by_sample.size(),
            "largest_cell_samples": samples.groupby([*UNIT, "hex9_id"]).size().groupby(UNIT).max(),
            "month_test_count": month_tests.size(),
            "month_device_count": month_tests["device_key"].nunique(),
            "month_mean_mbps": month_samples["download_mbps"].mean(),
        }
    )


def circumstances(tests: pd.DataFrame, samples: pd.DataFrame, busy_hours: tuple[float, float]) -> pd.DataFrame:
    """By commune × operator (and `all`): signal, and speeds at busy and at other hours; one device, one vote.

    Columns: signal_median_dbm (median of device medians), signal_device_count, busy_mean_mbps, busy_device_count,
    calm_mean_mbps, calm_device_count. `busy_hours`: [from, to) of the local day.
    """
    keys = [*UNIT, "device_key"]
    signal = with_all(tests[tests["signal_dbm"].notna()]).groupby(keys)["signal_dbm"].median().groupby(UNIT)
    rows = with_all(samples)
    is_busy = rows["local_hour"].ge(busy_hours[0]) & rows["local_hour"].lt(busy_hours[1])
    busy, calm = (part.groupby(keys)["download_mbps"].mean().groupby(UNIT) for part in (rows[is_busy], rows[~is_busy]))
    return pd.DataFrame(
        {
            "signal_median_dbm": signal.median(),
            "signal_device_count": signal.size(),
            "busy_mean_mbps": busy.mean(),
            "busy_device_count": busy.size(),
            "calm_mean_mbps": calm.mean(),
            "calm_device_count": calm.size(),
        }
    )


def slow_hours_apart(samples: pd.DataFrame, target_mbps: float) -> pd.Series:
    """By commune × operator (and `all`): the widest distance in hours between two below-target samples, on the 24-hour circle.

    Empty where fewer than two are below the target. Two times 23:00 and 01:00 are 2 h apart; 12 h is the most there is.
    """
    slow = with_all(samples[samples["download_mbps"] < target_mbps])
    widest = {unit: _widest(hours.to_numpy()) for unit, hours in slow.groupby(UNIT)["local_hour"] if len(hours) > 1}
    index = (
        pd.MultiIndex.from_tuples(list(widest), names=UNIT)
        if widest
        else pd.MultiIndex.from_arrays([[], []], names=UNIT)
    )
    return pd.Series(list(widest.values()), index=index, dtype="float64")


def _widest(hours: np.ndarray) -> float:
    """The widest circular distance: for each hour the one nearest to its opposite point decides.

    >>> float(_widest(np.array([23.0, 1.0]))), float(_widest(np.array([0.0, 5.0, 18.0])))
    (2.0, 11.0)
    """
    ordered = np.sort(hours)
    opposite = np.searchsorted(ordered, (ordered + 12) % 24)
    best = 0.0
    for shift in (-1, 0):
        gap = np.abs(ordered - ordered[(opposite + shift) % len(ordered)])
        best = max(best, float(np.minimum(gap, 24 - gap).max()))
    return best


def mobile_device_values(tests: pd.DataFrame) -> pd.DataFrame:
    """Sound tests of any mobile technology → by commune × operator (and `all`): mean of device values, devices, others.

    Columns: all_mobile_mean_mbps, mobile_device_count, other_device_count (devices with a test of another technology),
    device_count_5g, mean_5g_mbps (mean of device values of 5G tests).
    Index `UNIT`. What hides a failing 4G commune behind a 5G town centre is seen by comparing it with the 4G mean.
    """
    tests = with_all(tests)
    devices = tests.groupby([*UNIT, "device_key"])["download_mbps"].mean().groupby(UNIT)
    others = tests[tests["is_other"]].groupby(UNIT)["device_key"].nunique()
    newest = tests[tests["technology"] == "5G"].groupby([*UNIT, "device_key"])["download_mbps"].mean().groupby(UNIT)
    figures = pd.DataFrame(
        {
            "all_mobile_mean_mbps": devices.mean(),
            "mobile_device_count": devices.size(),
            "device_count_5g": newest.size(),
            "mean_5g_mbps": newest.mean(),
        }
    )
    return figures.assign(other_device_count=others.reindex(figures.index, fill_value=0))


def tile_values(parts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tiles split over communes → device values (one value per tile) and counts by commune, operator `all` (METHOD §2.6).

    `parts`: quadkey, commune_code, tile_share, test_count, device_count (of the whole tile), speeds. Counts are sums of
    count × share (decimals). A tile's value goes to the commune with the larger part, on a tie the smaller code.
    """
    shared = parts.assign(
        operator=ALL,
        test_part=parts["test_count"] * parts["tile_share"],
        device_part=parts["device_count"] * parts["tile_share"],
    )
    shared["weighted"] = shared["test_part"] * shared["download_mbps"]
    sums = shared.groupby(UNIT)[["test_part", "device_part", "weighted"]].sum()
    home = shared.sort_values(["quadkey", "tile_share", "commune_code"], ascending=[True, False, True]).drop_duplicates(
        "quadkey"
    )
    devices = home.rename(columns={"quadkey": "device_key"}).assign(sample_count=1.0, is_pseudo=True)
    devices = devices.sort_values([*UNIT, "device_key"], ignore_index=True)
    counts = pd.DataFrame(
        {
            "test_count": sums["test_part"],
            "device_count": sums["device_part"],
            "raw_mean_mbps": sums["weighted"] / sums["test_part"],
            "sample_count": home.groupby(UNIT).size().reindex(sums.index, fill_value=0),
        }
    )
    return checked("device_values", typed("device_values", devices)), counts
