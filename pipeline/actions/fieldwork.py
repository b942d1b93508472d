"""Where to test next, and how the official 300 tests a month come along: months of each commune,
natural tests or campaign.

Does not belong here: gaps that are known (`prioritise.py`), which rows count (`prepare.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.schema.tables import validated, with_declared_dtypes

TREND_MONTHS = 6  # months that the pace is taken from
FAR_MONTHS = 60  # what is reached later than that is never reached
UNDECIDED = ("insufficient_evidence", "no_data", "borderline")


def measure_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Undecided commune × operator rows → `measure_first`, ordered by population × (1 −
    information).

    Rows of unknown population come after the others, by 1 − information.
    """
    undecided = rows[rows["status"].isin(UNDECIDED)].copy()
    doubt = 1 - undecided["information"].fillna(0.0)
    undecided["people_without_verdict"] = undecided["population"] * doubt
    undecided["unknown"], undecided["doubt"] = (
        undecided["population"].isna(),
        -undecided["people_without_verdict"].fillna(doubt),
    )
    ordered = undecided.sort_values(
        ["unknown", "doubt", "commune_code", "operator"], ignore_index=True
    )
    ordered["measure_rank"] = ordered.index + 1
    return validated("measure_first", with_declared_dtypes("measure_first", ordered))


def sample_tracker(
    counts: pd.DataFrame,
    dates: pd.DataFrame,
    communes: pd.DataFrame,
    months: list[str],
    *,
    official_test_count: int,
    one_place_share: float,
    month_end_share: float,
) -> pd.DataFrame:
    """Counts of valid tests → `sample_tracker`: every commune in every month, also with none.

    `counts`: by commune_code and month: test_count, sample_count, device_count, date_count,
    operator_count, burst_test_count (tests in bursts), one_place (tests of the finest cell that has
    most), late (tests of the month's last three days), copied_row_count (rows that were met
    before). `dates`: commune_code, local_date, test_count. `communes`: commune_code, commune_name,
    former_district, boundary_vintage. `months`: consecutive, ascending.

    A *sitting* is a device's tests in one finest cell, none long after the one before; one of many
    tests is a burst, the other tests are natural. Signs of a campaign: `bursts` (half of the tests
    or more), `one_place` (`one_place_share` or more in one finest cell), `copied_rows` (repeats
    make a tenth or more of what was delivered), `month_end` (`month_end_share` or more on the last
    three days). They are asked from 20 tests on.

    `reach`: `reached` (the month has the official count; `reached_on` is the day of the test that
    made it), else from the median slope between the commune's last TREND_MONTHS months (Theil–Sen)
    `expected` in `expected_month`, or `never`, or `unknown` with fewer than two months.
    """
    index = pd.MultiIndex.from_product(
        [communes["commune_code"], months], names=["commune_code", "month"]
    )
    table = counts.reindex(index).fillna(0.0).reset_index()
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
    table["reached_on"] = _reached_on(dates, index, official_test_count).to_numpy()
    table = pd.concat([table, _reach(table, official_test_count)], axis=1)
    table = table.merge(communes, on="commune_code")
    return validated("sample_tracker", with_declared_dtypes("sample_tracker", table))


_LEAST_FOR_SIGNS = 20


def _reached_on(dates: pd.DataFrame, index: pd.MultiIndex, official: int) -> pd.Series:
    """Local date of the test that made the official count, empty where it was not made."""
    ordered = dates.assign(month=dates["local_date"].str[:7]).sort_values(
        ["commune_code", "local_date"]
    )
    keys = ["commune_code", "month"]
    made = ordered[ordered.groupby(keys)["test_count"].cumsum() >= official]
    return made.drop_duplicates(keys).set_index(keys)["local_date"].reindex(index).astype("str")


def _reach(table: pd.DataFrame, official: int) -> pd.DataFrame:
    """`reach` and `expected_month` of every row, from the rows of its commune up to its month."""
    reach, expected = [], []
    for _, rows in table.groupby("commune_code", sort=False):
        counts, months = rows["test_count"].to_numpy(), rows["month"].tolist()
        for i, count in enumerate(counts):
            kind, month = _expectation(
                counts[max(0, i + 1 - TREND_MONTHS) : i + 1], months[i], official
            )
            reach.append("reached" if count >= official else kind)
            expected.append("" if count >= official else month)
    found = pd.DataFrame(
        {"reach": reach, "expected_month": expected}, index=table.index, dtype="str"
    )
    return found.assign(expected_month=found["expected_month"].replace("", np.nan).astype("str"))


def _expectation(counts: np.ndarray, month: str, official: int) -> tuple[str, str]:
    """(`expected`, the month), (`never`, "") or (`unknown`, "") from monthly counts that end with
    `month`.

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
