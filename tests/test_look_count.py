"""In how many windows that share no test a verdict was confirmed.

A decision table, and months one after the other, end to end.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.schema import texts
from pipeline.schema.periods import Period
from pipeline.sources.previous_runs import LOOKED, previous_runs
from pipeline.verdicts.looks import look_count
from tests.builders import months_run, page_table, read_page, run_lomsong

GAP, PASS = ("confirmed_gap", "confirmed"), ("meets_target", "confirmed")
LIKELY_GAP, LIKELY_PASS = ("probable_gap", "probable"), ("meets_target", "probable")
OPEN = ("borderline", "none")


TARGET = {"download_mbps": 40.0, "technology": "4G"}


def rows_of(*verdicts: tuple[str, str], **columns: object) -> pd.DataFrame:
    """A row of operator V for each (status, evidence), of the communes 0, 1 and so on."""
    status, evidence = zip(*verdicts, strict=True)
    codes = [str(number) for number in range(len(verdicts))]
    about = {"commune_code": codes, "boundary_vintage": "v", "operator": "V", "is_widened": False}
    return pd.DataFrame(about | {"status": status, "evidence": evidence} | columns)


@pytest.mark.parametrize(
    ("then", "count_then", "now", "is_widened", "count"),
    [
        (GAP, 1, GAP, False, 2),
        (GAP, 4, GAP, False, 5),
        (PASS, 1, PASS, False, 2),
        (GAP, 2, PASS, False, 1),  # confirmed, but as the opposite
        (PASS, 2, GAP, False, 1),
        (LIKELY_GAP, 0, GAP, False, 1),
        (LIKELY_PASS, 0, PASS, False, 1),
        (OPEN, 0, GAP, False, 1),
        (GAP, 3, LIKELY_GAP, False, 0),
        (PASS, 3, LIKELY_PASS, False, 0),
        (GAP, 3, OPEN, False, 0),
        (OPEN, 0, OPEN, False, 0),
        (GAP, 3, GAP, True, 1),  # a widened window shares tests with the earlier one
        (GAP, 3, OPEN, True, 0),
    ],
)
def test_a_count_goes_on_from_the_same_confirmed_verdict(then, count_then, now, is_widened, count):
    earlier = rows_of(then, look_count=float(count_then))
    assert look_count(rows_of(now, is_widened=is_widened), earlier).tolist() == [count]


def test_without_an_earlier_period_a_confirmed_verdict_is_at_first_look():
    rows = rows_of(GAP, PASS, LIKELY_GAP, OPEN)
    assert look_count(rows, None).tolist() == [1, 1, 0, 0]
    assert look_count(rows, rows_of(GAP, look_count=2.0).head(0)).tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("other", ["commune_code", "boundary_vintage", "operator"])
def test_only_the_same_row_counts(other):
    earlier = rows_of(GAP, GAP, look_count=1.0)
    earlier.loc[0, other] = "another"
    rows = rows_of(GAP, GAP).set_index(pd.Index([7, 3]))
    assert look_count(rows, earlier.iloc[::-1]).to_dict() == {7: 1, 3: 2}


@pytest.mark.parametrize(
    ("period", "months", "earlier"),
    [
        ("2026-10", 1, "2026-09"), ("2026-10", 3, "2026-07"), ("2027-01", 3, "2026-10"),
        ("2026-10", 12, "2025-10"), ("2026Q4", 3, "2026Q3"), ("2026Q4", 4, "2026Q2"),
        ("2026Q4", 6, "2026Q2"), ("2026Q1", 12, "2025Q1"),
    ],
)  # fmt: skip
def test_the_windows_of_two_looks_touch_and_share_no_month(period, months, earlier):
    now, then = Period.parse(period), Period.parse(earlier)
    assert now.earlier(months) == then
    assert not set(now.window(months)) & set(then.window(months))
    nearer = Period(then.first + then.length, then.length)  # is too near
    assert set(now.window(months)) & set(nearer.window(months))


# --- end to end


def counts_in(out: Path, period: str) -> list[float]:
    """`look_count` of r0c0, r1c1, r2c2, r3c3."""
    status = pd.read_csv(out / period / "tables/commune_status.csv").query("operator == 'V'")
    named = status.set_index("commune_code")["look_count"]
    return named[["r0c0", "r1c1", "r2c2", "r3c3"]].tolist()


def role(out: Path, period: str) -> list[str]:
    manifest = json.loads((out / period / "manifest.json").read_text(encoding="utf-8"))
    return [one["name"] for one in manifest["inputs"] if one["role"] == "one window earlier"]


@pytest.mark.slow
def test_four_months_with_windows_of_one(tmp_path):
    months = ("2026-07", "2026-08", "2026-09", "2026-10")
    out = months_run(tmp_path, 1, *months)
    found = {month: counts_in(out, month) for month in months}
    assert found == {
        "2026-07": [1, 1, 1, 0],
        "2026-08": [2, 2, 2, 0],
        "2026-09": [3, 3, 1, 0],  # r2c2 was a gap, is a pass
        "2026-10": [4, 4, 2, 0],
    }
    assert role(out, "2026-07") == []
    assert role(out, "2026-10") == ["2026-09/tables/commune_status.parquet"]


@pytest.mark.slow
def test_with_windows_of_three_months_only_the_fourth_month_shares_no_test(four_months):
    assert counts_in(four_months, "2026-07") == [1, 1, 1, 0]
    assert counts_in(four_months, "2026-08") == [1, 1, 1, 0]
    assert counts_in(four_months, "2026-09")[:2] == [1, 1]
    assert counts_in(four_months, "2026-10")[:2] == [2, 2]
    assert role(four_months, "2026-09") == []
    assert role(four_months, "2026-10") == ["2026-07/tables/commune_status.parquet"]
    table = pd.read_parquet(four_months / "2026-10/tables/commune_status.parquet")
    assert table["look_count"].eq(0).equals(table["evidence"].ne("confirmed"))


@pytest.mark.slow
def test_explain_and_the_maps_data_say_in_how_many_windows(four_months):
    page = read_page(four_months / "2026-10/maps/coverage_gaps.html")
    shown = page_table(page, "status")["looks"]
    table = pd.read_parquet(four_months / "2026-10/tables/commune_status.parquet")
    table = table.set_index(["commune_code", "operator"])["look_count"]
    pd.testing.assert_series_equal(
        shown.astype("float64").sort_index(), table.sort_index(), check_names=False
    )
    for period, sentence in (
        ("2026-10", "Confirmed in 2 windows, one after the other, that share no test."),
        ("2026-09", "Confirmed at first look: no earlier result"),
    ):
        asked = ("explain", "r0c0", "--operator", "V", "--lang", "en", "--period", period)
        code, text = run_lomsong(*asked, "--out", four_months)
        assert code == 0
        assert sentence in " ".join(text.split())
    _, text = run_lomsong("explain", "r3c3", "--out", four_months, "--lang", "en")
    assert "Confirmed" not in text


def write_status(out: Path, period: str, **columns: object) -> Path:
    """A `commune_status` with one confirmed gap, and what `columns` say otherwise."""
    path = out / period / "tables/commune_status.parquet"
    path.parent.mkdir(parents=True)
    rows_of(GAP, look_count=1.0, **columns)[LOOKED].to_parquet(path)
    manifest = json.dumps({"settings": {"target": TARGET | {"source": "s"}}})
    (out / period / "manifest.json").write_text(manifest, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("target", "is_read"),
    [
        ({"source": "another decree"}, True),
        ({"download_mbps": 50.0}, False),
        ({"technology": "5G"}, False),
    ],
)
def test_looks_at_another_target_do_not_count(tmp_path, target, is_read):
    write_status(tmp_path, "2026-07")
    found = previous_runs(tmp_path, Period.parse("2026-10"), "v", 3, TARGET | target)
    assert (found.earlier is not None) == is_read


def test_a_run_without_its_manifest_does_not_count(tmp_path):
    write_status(tmp_path, "2026-07")
    (tmp_path / "2026-07/manifest.json").unlink()
    assert previous_runs(tmp_path, Period.parse("2026-10"), "v", 3, TARGET).earlier is None


def test_the_status_a_window_earlier_is_read_and_named(tmp_path):
    path = write_status(tmp_path, "2026-07")
    found = previous_runs(tmp_path, Period.parse("2026-10"), "v", 3, TARGET)
    assert found.earlier["look_count"].tolist() == [1]
    assert [(one.role, one.name) for one in found.inputs] == [
        ("one window earlier", path.relative_to(tmp_path).as_posix())
    ]


@pytest.mark.parametrize(
    ("period", "window_months", "vintage"),
    [
        ("2026-10", 2, "v"),  # the period looked for is August
        ("2026-09", 3, "v"),  # June
        ("2026Q4", 3, "v"),  # a quarter
        ("2026-10", 3, "another"),
    ],
)
def test_no_other_period_and_no_other_vintage_is_read(tmp_path, period, window_months, vintage):
    write_status(tmp_path, "2026-07")
    found = previous_runs(tmp_path, Period.parse(period), vintage, window_months, TARGET)
    assert found.earlier is None
    assert found.inputs == []


def test_a_version_without_the_column_begins_the_count(tmp_path):
    path = write_status(tmp_path, "2026-07")
    pd.read_parquet(path).drop(columns="look_count").to_parquet(path)
    found = previous_runs(tmp_path, Period.parse("2026-10"), "v", 3, TARGET)
    assert (found.earlier, found.inputs) == (None, [])


@pytest.mark.parametrize("lang", texts.languages())
def test_both_sentences_stand_in_every_language(lang):
    assert "4" in texts.line("explain_looks", lang, look_count=4)
    assert texts.line("explain_first_look", lang) != texts.line("explain_looks", lang, look_count=1)


def test_counts_are_whole_and_never_empty():
    earlier = rows_of(GAP, OPEN, PASS, look_count=[2.0, 0.0, 1.0])
    found = look_count(rows_of(GAP, GAP, OPEN, PASS), earlier)
    assert found.dtype == np.float64
    assert found.tolist() == [3, 1, 0, 1]
