"""Where to test next, and how the official 300 tests a month come along: months of each commune, natural tests or campaign.

Does not belong here: gaps that are known (`prioritise.py`), which rows count (`clean.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.tables import checked, typed

TREND_MONTHS = 6  # months that the pace is taken from
FAR_MONTHS = 60  # what is reached later than that is never reached
UNDECIDED = ("insufficient_evidence", "no_data", "borderline")


def measure_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Undecided commune × operator rows → `measure_first`, ordered by population × (1 − information).

    Rows of unknown population come after the others, by 1 − information.
    """
    undecided = rows[rows["status"].isin(UNDECIDED)].copy()
    doubt = 1 - undecided["information"].fillna(0.0)
    undecided["people_without_verdict"] = undecided["population"] * doubt
    undecided["unknown"], undecided["doubt"] = (
        undecided["population"].isna(),
        -undecided["people_without_verdict"].fillna(doubt),
    )
    ordered = undecided.sort_values(["unknown", "doubt", "commune_code", "operator"], ignore_index=True)
    ordered["measure_rank"] = ordered.index + 1
    return checked("measure_first", typed("measure_first", ordered))


def sample_tracker(
    tests: pd.DataFrame,
    duplicates: pd.DataFrame,
    communes: pd.DataFrame,
    months: list[str],
    *,
    official_test_count: int,
    burst_gap_minutes: float,
    burst_min_tests: int,
    one_place_share: float,
    month_end_share: float,
) -> pd.DataFrame:
    """Valid tests → `sample_tracker`: every commune in every month, also with none.

    `tests`: located_code, operator_met, month, local_date, measured_at, hex9_id, device_key, source_file, source_row, of
    the months. `duplicates`: located_code and month of rows that were met before. `communes`: commune_code, commune_name,
    former_district, boundary_vintage. `months`: consecutive, ascending.

    A *sitting* is a device's tests in one finest cell, none more than `burst_gap_minutes` after the one before; one of
    `burst_min_tests` or more is a burst, the other tests are natural. Signs of a campaign: `bursts` (half of the tests or
    more), `one_place` (`one_place_share` or more in one finest cell), `copied_rows` (duplicates make a tenth or more of
    what was delivered), `month_end` (`month_end_share` or more on the last three days). They are asked from 20 tests on.

    `reach`: `reached` (the month has the official count; `reached_on` is the day of the test that made it), else from the
    median slope between the commune's last TREND_MONTHS months (Theil–Sen) `expected` in `expected_month`, or `never`, or
    `unknown` with fewer than two months.
    """
    index = pd.MultiIndex.from_product([communes["commune_code"], months], names=["commune_code", "month"])
    keys = ["located_code", "month"]
    rows = tests.assign(is_burst=is_burst(tests, burst_gap_minutes, burst_min_tests))
    groups = rows.groupby(keys)
    samples = rows.drop_duplicates([*keys, "operator_met", "device_key", "hex9_id", "local_date"]).groupby(keys).size()
    late = rows["local_date"].str[8:].astype("int64") > pd.to_datetime(rows["local_date"]).dt.days_in_month - 3
    table = pd.DataFrame(
        {
            "test_count": groups.size(),
            "sample_count": samples,
            "device_count": groups["device_key"].nunique(),
            "date_count": groups["local_date"].nunique(),
            "operator_count": groups["operator_met"].nunique(),
            "burst_test_count": groups["is_burst"].sum(),
            "one_place": rows.groupby([*keys, "hex9_id"]).size().groupby(keys).max(),
            "late": late.groupby([rows[key] for key in keys]).sum(),
            "copied_row_count": duplicates.groupby(keys).size(),
        }
    )
    table.index.names = index.names
    table = table.reindex(index).fillna(0.0).reset_index()
    count = table["test_count"]
    table["natural_test_count"] = count - table["burst_test_count"]
    table["share_of_official"] = count / official_test_count
    table["trend_test_count"] = count - count.groupby(table["commune_code"]).shift()
    signs = {
        "bursts": table["burst_test_count"] >= 0.5 * count,
        "one_place": table["one_place"] >= one_place_share * count,
        "copied_rows": table["copied_row_count"] >= 0.1 * (count + table["copied_row_count"]),
        "month_end": table["late"] >= month_end_share * count,
    }
    told = [
        ";".join(name for name, holds in signs.items() if n >= _LEAST_FOR_SIGNS and holds.iloc[i])
        for i, n in enumerate(count)
    ]
    table["campaign_signs"] = pd.Series(told, index=table.index, dtype="str")
    table["reached_on"] = _reached_on(rows, keys, index, official_test_count).to_numpy()
    table = pd.concat([table, _reach(table, official_test_count)], axis=1)
    table = table.merge(communes, on="commune_code")
    return checked("sample_tracker", typed("sample_tracker", table))


_LEAST_FOR_SIGNS = 20


def is_burst(tests: pd.DataFrame, gap_minutes: float, min_tests: int) -> pd.Series:
    """Tests of sittings with `min_tests` or more; index as `tests`."""
    keys = ["device_key", "hex9_id"]
    rows = tests.sort_values([*keys, "measured_at", "source_file", "source_row"])
    apart = rows.groupby(keys)["measured_at"].diff() > pd.Timedelta(minutes=gap_minutes)
    first = rows[keys].ne(rows[keys].shift()).any(axis=1)
    sitting = (apart | first).cumsum()
    return (sitting.map(sitting.value_counts()) >= min_tests).reindex(tests.index)


def _reached_on(rows: pd.DataFrame, keys: list[str], index: pd.MultiIndex, official: int) -> pd.Series:
    """Local date of the test that made the official count, empty where it was not made."""
    ordered = rows.sort_values(["measured_at", "source_file", "source_row"])
    making = ordered[ordered.groupby(keys).cumcount() == official - 1]
    return making.set_index(keys)["local_date"].reindex(index).astype("str")


def _reach(table: pd.DataFrame, official: int) -> pd.DataFrame:
    """`reach` and `expected_month` of every row, from the rows of its commune up to its month."""
    reach, expected = [], []
    for _, rows in table.groupby("commune_code", sort=False):
        counts, months = rows["test_count"].to_numpy(), rows["month"].tolist()
        for i, count in enumerate(counts):
            kind, month = _expectation(counts[max(0, i + 1 - TREND_MONTHS) : i + 1], months[i], official)
            reach.append("reached" if count >= official else kind)
            expected.append("" if count >= official else month)
    found = pd.DataFrame({"reach": reach, "expected_month": expected}, index=table.index, dtype="str")
    return found.assign(expected_month=found["expected_month"].replace("", np.nan).astype("str"))


def _expectation(counts: np.ndarray, month: str, official: int) -> tuple[str, str]:
    """(`expected`, the month), (`never`, "") or (`unknown`, "") from monthly counts that end with `month`.

    >>> _expectation(np.array([100.0, 150.0, 200.0]), "2026-11", 300)
    ('expected', '2027-01')
    >>> _expectation(np.array([200.0, 150.0]), "2026-11", 300), _expectation(np.array([5.0]), "2026-11", 300)
    (('never', ''), ('unknown', ''))
    """
    if len(counts) < 2:
        return "unknown", ""
    places = np.arange(len(counts))
    i, j = np.triu_indices(len(counts), 1)
    slope = float(np.median((counts[j] - counts[i]) / (j - i)))  # Theil (1950), Sen (1968)
    if slope <= 0:
        return "never", ""
    level = float(np.median(counts - slope * places)) + slope * places[-1]
    ahead = max(1, int(np.ceil((official - level) / slope - 1e-9)))
    if ahead > FAR_MONTHS:
        return "never", ""
    number = int(month[:4]) * 12 + int(month[5:]) - 1 + ahead
    return "expected", f"{number // 12}-{number % 12 + 1:02d}"
