"""Where to test next, and how far each commune is from its official 300 tests a month.

Does not belong here: gaps that are known (`prioritise.py`), which rows count (`measurements/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.config.rules import TrackerRules
from pipeline.schema.tables import validated, with_declared_dtypes

TREND_MONTHS = 6  # months that the pace is taken from
FAR_MONTHS = 60  # what is reached later than that is never reached
UNDECIDED = ("insufficient_evidence", "no_data", "borderline")
_MIN_TESTS_FOR_SIGNS = 20


def measure_first(rows: pd.DataFrame) -> pd.DataFrame:
    """`measure_first`: undecided commune × operator rows by population × (1 − information).

    Rows of unknown population come after the others, by 1 − information.
    """
    undecided = rows[rows["status"].isin(UNDECIDED)].copy()
    doubt = 1 - undecided["information"].fillna(0.0)
    undecided["people_without_verdict"] = undecided["population"] * doubt
    undecided["unknown"] = undecided["population"].isna()
    undecided["order"] = -undecided["people_without_verdict"].fillna(doubt)
    ordered = undecided.sort_values(
        ["unknown", "order", "commune_code", "operator"], ignore_index=True
    )
    ordered["measure_rank"] = ordered.index + 1
    return validated("measure_first", with_declared_dtypes("measure_first", ordered))


def sample_tracker(
    counts: pd.DataFrame,
    dates: pd.DataFrame,
    communes: pd.DataFrame,
    months: list[str],
    rules: TrackerRules,
) -> pd.DataFrame:
    """`sample_tracker`: every commune in every month, also those without a valid test.

    `counts`: by commune_code and month: test_count, sample_count, device_count, date_count,
    operator_count, burst_test_count (tests in bursts), one_place (tests of the finest cell that has
    most), late (tests of the month's last three days), copied_row_count (repeated rows).
    `dates`: commune_code, local_date, test_count. `communes`: commune_code, commune_name,
    former_district, boundary_vintage. `months`: consecutive, ascending.

    A *sitting* is a device's tests in one finest cell, none long after the one before. A sitting of
    many tests is a burst; all other tests are natural. Signs of a campaign: `bursts` (half of the
    tests or more), `one_place` (`one_place_share` or more in one finest cell), `copied_rows` (a
    tenth or more of the delivered rows are repeats), `month_end` (`month_end_share` or more on the
    last three days). Months with fewer than 20 tests show no signs.

    `reach`: `reached` (the month has the official count; `reached_on` is the day of the test that
    made it); otherwise, from the median slope between the commune's last TREND_MONTHS months
    (Theil–Sen), `expected` in `expected_month`, `never`, or `unknown` (fewer than two months).
    """
    index = pd.MultiIndex.from_product(
        [communes["commune_code"], months], names=["commune_code", "month"]
    )
    table = counts.reindex(index).fillna(0.0).reset_index()
    count, official = table["test_count"], rules.official_test_count
    table["natural_test_count"] = count - table["burst_test_count"]
    table["share_of_official"] = count / official
    table["trend_test_count"] = count - count.groupby(table["commune_code"]).shift()
    signs = {
        "bursts": table["burst_test_count"] >= 0.5 * count,
        "one_place": table["one_place"] >= rules.one_place_share * count,
        "copied_rows": table["copied_row_count"] >= 0.1 * (count + table["copied_row_count"]),
        "month_end": table["late"] >= rules.month_end_share * count,
    }
    is_asked = count >= _MIN_TESTS_FOR_SIGNS
    table["campaign_signs"] = _joined({name: holds & is_asked for name, holds in signs.items()})
    table["reached_on"] = _reached_on(dates, index, official).to_numpy()
    monthly = count.to_numpy().reshape(-1, len(months))
    reach, expected = _expectations(monthly, months, official)
    table["reach"] = pd.Series(reach.ravel(), dtype="str").mask(count >= official, "reached")
    table["expected_month"] = pd.Series(expected.ravel(), dtype="str").where(
        table["reach"] == "expected"
    )
    table = table.merge(communes, on="commune_code")
    return validated("sample_tracker", with_declared_dtypes("sample_tracker", table))


def _reached_on(dates: pd.DataFrame, index: pd.MultiIndex, official: int) -> pd.Series:
    """Local date of the test that reached the official count; empty where none did."""
    ordered = dates.assign(month=dates["local_date"].str[:7]).sort_values(
        ["commune_code", "local_date"]
    )
    keys = ["commune_code", "month"]
    made = ordered[ordered.groupby(keys)["test_count"].cumsum() >= official]
    return made.drop_duplicates(keys).set_index(keys)["local_date"].reindex(index).astype("str")


def _joined(signs: Mapping[str, pd.Series]) -> pd.Series:
    """`;`-separated names of the signs that hold, by row."""
    sets = product(*(("", name) for name in signs))
    texts = np.array([";".join(filter(None, chosen)) for chosen in sets], dtype=object)
    number = sum(holds.to_numpy() * 2**i for i, holds in enumerate(reversed(list(signs.values()))))
    return pd.Series(texts[number], dtype="str")


def _expectations(
    counts: npt.NDArray[np.float64], months: list[str], official: int
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """(`expected`, `never` or `unknown`, the month or "") by commune × month.

    `counts`: tests by commune × month. Each month looks at itself and up to TREND_MONTHS − 1
    before.

    >>> [x.tolist() for x in _expectations(np.array([[100.0, 150.0]]), ["2026-10", "2026-11"], 300)]
    [[['unknown', 'expected']], [['', '2027-02']]]
    >>> [x.tolist() for x in _expectations(np.array([[200.0, 150.0]]), ["2026-10", "2026-11"], 300)]
    [[['unknown', 'never']], [['', '']]]
    """
    reach = np.full(counts.shape, "unknown", dtype=object)
    expected = np.full(counts.shape, "", dtype=object)
    for month in range(1, len(months)):
        ahead = _months_ahead(counts[:, max(0, month + 1 - TREND_MONTHS) : month + 1], official)
        is_near = ahead <= FAR_MONTHS
        reach[:, month] = np.where(is_near, "expected", "never")
        later = pd.period_range(months[month], periods=FAR_MONTHS + 1, freq="M").astype("str")
        expected[is_near, month] = later.to_numpy()[ahead[is_near].astype(np.int64)]
    return reach, expected


def _months_ahead(counts: npt.NDArray[np.float64], official: int) -> npt.NDArray[np.float64]:
    """Months until the line through each row's counts makes the official count, inf if it does not.

    The line has the median slope between months (Theil 1950, Sen 1968); at least one month.
    """
    places = np.arange(counts.shape[1])
    i, j = np.triu_indices(len(places), 1)
    slope = np.median((counts[:, j] - counts[:, i]) / (j - i), axis=1)
    level = np.median(counts - slope[:, None] * places, axis=1) + slope * places[-1]
    rises = slope > 0
    ahead = np.full(len(counts), np.inf)
    ahead[rises] = np.ceil((official - level[rises]) / slope[rises] - 1e-9)
    return np.asarray(np.maximum(ahead, 1.0))
