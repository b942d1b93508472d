"""Monthly looks at one truth: phones come and leave as said, and a look goes on from the last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import looks, worlds
from benchmarks.audit import SETTINGS, UNIT
from pipeline.config.run_context import RunContext
from pipeline.journey import judge_month
from pipeline.schema.periods import Period
from pipeline.sources.previous_runs import previous_runs

TARGET = {"download_mbps": 40.0, "technology": "4G"}
MANY = 40_000


def test_equal_arguments_give_equal_draws_of_the_truth_that_90_days_have():
    (one, truth, villages), (same, same_truth, _) = (
        worlds.draw_months("control", 3, 4, months=3) for _ in range(2)
    )
    pd.testing.assert_frame_equal(one.tests, same.tests)
    pd.testing.assert_frame_equal(truth, same_truth)
    short, short_truth, short_villages = worlds.draw("control", 3, 4)
    pd.testing.assert_frame_equal(truth, short_truth)
    pd.testing.assert_frame_equal(villages, short_villages)
    pd.testing.assert_frame_equal(pd.DataFrame(one.communes), pd.DataFrame(short.communes))
    assert not worlds.draw_months("control", 4, 4, months=3)[0].tests.equals(one.tests)


def test_phones_live_six_months_and_as_many_are_there_in_every_month():
    phone, month = worlds.months_there(MANY, 600, np.random.default_rng(1))
    lives = np.bincount(phone, minlength=MANY)
    assert lives.min() >= 1
    # sd of a geometric life: sqrt(30) = 5.5; five standard errors, and lives cut at the end
    assert lives.mean() == pytest.approx(6, abs=0.2)
    assert (lives == 1).mean() == pytest.approx(1 / 6, abs=0.01)
    assert lives.std() == pytest.approx(np.sqrt(30), rel=0.05)
    assert (np.diff(month)[np.diff(phone) == 0] == 1).all(), "no month is left out"
    phone, month = worlds.months_there(MANY, 26, np.random.default_rng(1))
    there = np.bincount(month)
    assert len(there) == 26
    assert there / MANY == pytest.approx(6 / 31, rel=0.05)


def test_sittings_are_poisson_on_even_days_of_the_months_in_which_a_phone_is_there():
    phone, month = worlds.months_there(MANY, 26, np.random.default_rng(2))
    tested, day = worlds.sittings_of_months(MANY, 26, np.random.default_rng(2))
    date = worlds.FIRST + pd.to_timedelta(day, unit="D")
    assert (str(date.min())[:10], str(date.max())[:10]) == ("2026-08-01", "2028-09-30")
    since = 12 * (date.year - 2026) + date.month - 8
    there = pd.MultiIndex.from_arrays([phone, month])
    sittings = pd.Series(1, index=pd.MultiIndex.from_arrays([tested, since]))
    counts = sittings.groupby(level=[0, 1]).sum()
    assert counts.index.isin(there).all()
    counts = counts.reindex(there, fill_value=0)
    assert counts.mean() == pytest.approx(0.8, abs=0.01)
    assert counts.var() == pytest.approx(0.8, abs=0.02)
    assert counts.eq(0).mean() == pytest.approx(np.exp(-0.8), abs=0.005)
    share = (date.day - 0.5) / date.days_in_month
    assert share.to_numpy().mean() == pytest.approx(0.5, abs=0.005)
    assert share.to_numpy().std() == pytest.approx(np.sqrt(1 / 12), abs=0.005)


def test_phones_that_test_within_a_window_have_the_mean_asked_for_and_are_geometric():
    # 1 − exp(−.8 k) of phones there for k months: .5507, .7981, .9093. Six are there at first:
    # 6 (1/6 · .5507 + 5/36 · .7981 + 25/36 · .9093) + (1/6 · .5507 + 5/6 · .7981) + .5507
    assert worlds.testing_share() == pytest.approx(6.312, abs=0.001)
    units, generator = 4000, np.random.default_rng(3)
    counts = worlds.phones_of_months(8, 12, (units,), generator)
    phone, day = worlds.sittings_of_months(counts.sum(), 12, generator)
    unit = np.repeat(np.arange(units), counts)
    for first, last in ((0, 92), (273, 365)):  # August to October, May to July
        testing = np.unique(phone[(day >= first) & (day < last)])
        number = np.bincount(unit[testing], minlength=units)
        assert number.mean() == pytest.approx(8, rel=0.07)  # four standard errors
        assert number.std() == pytest.approx(np.sqrt(8 * 9), rel=0.1)
        assert (number == 0).mean() == pytest.approx(1 / 9, abs=0.02)


def test_ids_that_restart_are_of_one_month_of_one_year():
    world = worlds.WORLDS["ids_restart"]
    tests = worlds.draw_world(world, 2, np.random.default_rng(4), months=26).tests
    month = tests["measured_at"].dt.strftime("%Y-%m")
    assert month.nunique() == 26
    assert month.groupby(tests["device_id"]).nunique().eq(1).all()


def test_a_look_knows_no_later_month_and_goes_on_as_a_run_that_reads_files(tmp_path):
    inputs, _, _ = worlds.draw_months("control", 0, 8, months=4)
    area = inputs.communes.head(7)
    tests = inputs.tests[inputs.tests["latitude"] < 21.65]  # the first row of seven communes
    inputs = replace(inputs, communes=area, tests=tests.reset_index(drop=True))
    first, second = looks.monthly(inputs, SETTINGS, 4)
    assert first["commune_status"]["period"].eq("2026-10").all()
    assert "changes" not in first
    before_november = inputs.tests["measured_at"] < pd.Timestamp("2026-11-01", tz="Asia/Bangkok")
    alone = judge_month(
        replace(inputs, tests=inputs.tests[before_november]),
        RunContext(SETTINGS, Period.parse("2026-10")),
    ).tables
    for name in ("commune_status", "gap_ledger"):
        pd.testing.assert_frame_equal(first[name], alone[name])
        path = tmp_path / "2026-10" / "tables" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        alone[name].to_parquet(path)
    november = Period.parse("2026-11")
    previous = previous_runs(tmp_path, november, "simulated", 3, TARGET)
    after = judge_month(inputs, RunContext(SETTINGS, november), previous).tables
    for name in ("commune_status", "gap_ledger", "gap_areas", "changes"):
        pd.testing.assert_frame_equal(second[name], after[name])
    assert set(second["gap_ledger"]["period"]) == {"2026-10", "2026-11"}


def test_looks_come_with_the_truth_and_what_the_tables_say():
    verdicts, signals = looks.looked(("control", 0, 8), months=4)
    assert len(verdicts) == 2 * 38 * 4
    assert verdicts.groupby(UNIT)["true_mean_mbps"].nunique().eq(1).all()
    assert verdicts["distance_mbps"].equals(verdicts["true_mean_mbps"] - 40)
    assert verdicts.loc[verdicts["is_gap_found"], "distance_mbps"].lt(0).mean() > 0.9
    assert verdicts.loc[verdicts["is_pass_found"], "distance_mbps"].ge(0).mean() > 0.9
    assert signals["period"].tolist() == ["2026-11"]
    assert signals["new_gap"].item() == 0
    assert signals["decided"].item() > 0


def test_figures_of_looks_by_hand():
    verdicts = pd.DataFrame(
        [  # two looks at five units, true means 41, 60, 40, 38, 20
            ("1", 1.0, False, True), ("1", 1.0, True, False),  # once a gap: wrong
            ("2", 20.0, True, False), ("2", 20.0, True, False),  # twice a gap: one unit is wrong
            ("3", 0.0, False, False), ("3", 0.0, False, True),  # the target itself is a pass
            ("4", -2.0, False, True), ("4", -2.0, True, False),  # once a pass: wrong
            ("5", -20.0, True, False), ("5", -20.0, True, False),
        ],
        columns=["commune_code", "distance_mbps", "is_gap_found", "is_pass_found"],
    ).assign(seed=0, operator="V", period=["2026-10", "2026-11"] * 5)  # fmt: skip
    signals = pd.DataFrame(
        {"new_gap": [2, 4], "better": [0, 1], "decided": [1, 6], "improving": [0, 0]}
    )
    found = looks.summary(verdicts, signals)
    assert (found["gaps_ever"], found["gaps_units"]) == (2, 3)
    assert found["gaps_share"] == pytest.approx(2 / 3)
    assert found["gaps_bound"] == pytest.approx(0.95 ** (1 / 3))  # 1 − p³ = 0.05
    assert (found["gaps_near_ever"], found["gaps_near_units"]) == (1, 2)
    assert found["gaps_found"] == pytest.approx(3 / 4)
    assert found["gaps_monthly"] == pytest.approx(3 / 2)
    assert (found["passes_ever"], found["passes_units"]) == (1, 2)
    assert (found["passes_near_ever"], found["passes_near_units"]) == (1, 1)
    assert found["passes_found"] == pytest.approx(2 / 6)
    assert found["passes_monthly"] == pytest.approx(2 / 2)
    assert [found[name] for name in looks.SIGNALS] == [3.0, 0.5, 3.5, 0.0]
    # equal codes of two provinces are two units
    both = pd.concat([verdicts, verdicts.assign(seed=1)])
    assert looks.summary(both, signals)["gaps_units"] == 6
    assert looks.summary(both, signals)["gaps_monthly"] == pytest.approx(3 / 2)
    passes = verdicts[verdicts["distance_mbps"] >= 0]
    assert np.isnan(looks.summary(passes, signals)["passes_share"])
    width = len(looks.HEADING)
    assert len(looks.line("control", 20, verdicts, signals)) == width
    assert len(looks.line("control", 8, passes, signals)) == width
