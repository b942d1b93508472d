"""The contract of every engine: whatever parts rows come in, and wherever they are added up, the
tables are the same.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import crowd, naive
from pipeline import journey
from pipeline.config.run_context import RunContext
from pipeline.config.settings import Settings, read_settings
from pipeline.engine.dask_cluster import Cluster
from pipeline.engine.local import BUCKETS, Local, LocalRows, by_bucket, shards_of, stacked
from pipeline.schema.periods import Period
from tests.builders import squares, write_boundaries

COMMUNES = squares(columns=3, rows=2, side=0.15)
TESTS = 12_000


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("crowd") / "t.parquet"
    return pd.read_parquet(
        crowd.write(path, COMMUNES[["commune_code", "geometry"]], TESTS, 400, seed=3)
    )


def written(folder: Path, rows: pd.DataFrame, count: int, suffix: str = "parquet") -> Settings:
    """The rows shuffled over `count` files, and settings that read them."""
    write_boundaries(folder / "communes.geojson", COMMUNES)
    (folder / "raw").mkdir()
    shuffled = rows.sample(frac=1, random_state=count)
    for number in range(count):
        part = shuffled.iloc[number::count]
        if suffix == "parquet":
            part.to_parquet(folder / "raw" / f"p{number}.parquet", index=False, row_group_size=1000)
        else:
            part.to_csv(folder / "raw" / f"p{number}.csv", index=False)
    (folder / "settings.toml").write_text(
        '[boundaries]\npath = "communes.geojson"\npopulation_column = "population"\n[sources.crowd]\npath = "raw"\n'
        "[evidence]\nwidened_months = []\n[tracker]\nmonths = 3\n",
        encoding="utf-8",
    )
    return read_settings(folder / "settings.toml")


def judged(chosen: Settings, engine) -> journey.Month:
    inputs = journey.read(chosen, engine=engine)
    month = journey.judge_month(inputs, RunContext(chosen, Period.parse("2026-10")))
    inputs.rows.close()
    return month


@pytest.fixture(scope="module")
def one_part(rows, tmp_path_factory) -> journey.Month:
    return judged(written(tmp_path_factory.mktemp("one"), rows, 1), Local(1))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    found = Cluster()
    yield found
    found.close()


def assert_same(month: journey.Month, other: journey.Month) -> None:
    for name, table in month.tables.items():
        if name in ("rejects", "rejects_summary"):  # they tell of files
            assert len(table) == len(other.tables[name]) or name == "rejects_summary"
            continue
        pd.testing.assert_frame_equal(
            pd.DataFrame(table), pd.DataFrame(other.tables[name]), check_exact=True, obj=name
        )
    assert month.results == other.results
    assert (month.device_prints == other.device_prints).all()


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_tables_are_the_same_for_shuffled_parts_on_every_engine(
    rows, one_part, cluster, tmp_path, count
):
    chosen = written(tmp_path, rows, count)
    for engine in (
        Local(2),
        Local(2, memory_bytes=100_000),
        cluster,
    ):  # the second keeps most rows on disk
        assert_same(judged(chosen, engine), one_part)


@pytest.mark.slow
def test_the_tables_do_not_hang_on_where_shards_begin(rows, one_part, tmp_path, monkeypatch):
    chosen = written(tmp_path, rows, 2)
    sizes = []
    for least in (1, 500, 4000):
        monkeypatch.setattr("pipeline.engine.local.SHARD_ROWS", least)
        monkeypatch.setattr(
            "pipeline.engine.local.shards_of",
            lambda counts: sizes.append(len(found := shards_of(counts))) or found,
        )
        assert_same(judged(chosen, Local(2)), one_part)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 100 > sizes[1] > 10 > sizes[2] > 1


@pytest.mark.slow
def test_text_files_give_what_parquet_gives(rows, one_part, tmp_path, monkeypatch):
    chosen = written(tmp_path, rows, 3, "csv")
    assert_same(judged(chosen, Local(2)), one_part)
    monkeypatch.setattr(
        "pipeline.sources.files.BATCH", 700
    )  # many batches to a file, and row numbers that go on
    month = judged(chosen, Local(2))
    assert_same(month, one_part)
    assert month.tables["rejects"]["source_row"].max() > 3000


def test_one_large_file_is_told_of_as_it_is_read(rows, tmp_path, monkeypatch):
    chosen = written(tmp_path, rows, 1, "csv")
    monkeypatch.setattr("pipeline.sources.files.BATCH", 700)
    told = []
    journey.read(chosen, lambda what, share: told.append((what, share)), Local(1)).rows.close()
    shares = [share for what, share in told if what == "read"]
    assert len(shares) == -(-TESTS // 700)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.05 < shares[-1] <= 0.2


def test_the_books_balance_and_the_figures_are_those_of_a_plain_script(rows, one_part):
    books = one_part.results["books"]["crowd"]
    assert (
        books["read_count"]
        == TESTS
        == books["valid_count"] + books["failed_count"] + books["reject_count"]
    )
    assert len(one_part.tables["rejects"]) == books["reject_count"]
    plain = naive.figures(rows, COMMUNES)
    status = one_part.tables["commune_status"].set_index(["commune_code", "operator"])
    named = status[
        status["test_count"].gt(0) & (status.index.get_level_values("operator") != "all")
    ]
    expected = plain["communes"].reindex(named.index)
    assert len(plain["communes"]) == len(named)
    assert (named["test_count"] == expected["test_count"]).all()
    assert (named["device_count"] == expected["size"]).all()
    shown = named["mean_mbps"].notna()
    for ours, theirs in (("mean_mbps", "mean"), ("median_mbps", "median"), ("p10_mbps", "p10")):
        np.testing.assert_allclose(named.loc[shown, ours], expected.loc[shown, theirs], rtol=1e-12)
    assert int(named["sample_count"].sum()) == len(plain["samples"])


def test_all_rows_of_a_device_meet_in_one_shard():
    generator = np.random.default_rng(1)
    key = generator.integers(0, 1 << 63, 5000, dtype=np.uint64) << np.uint64(1)
    bounds, columns = by_bucket(key, {"n": np.arange(5000), "key": key})
    assert sorted(columns["n"]) == list(range(5000))
    for bucket in range(BUCKETS):
        assert (
            columns["key"][bounds[bucket] : bounds[bucket + 1]] // np.uint64(2**64 // BUCKETS)
            == bucket
        ).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=64), st.integers(1, 200))
def test_shards_hold_every_bucket_with_rows_once(counts, least):
    shards = shards_of(np.array(counts), least)
    held = [bucket for first, last in shards for bucket in range(first, last)]
    assert held == sorted(set(held))
    assert sum(counts[bucket] for bucket in held) == sum(counts)
    assert all(sum(counts[first:last]) >= least for first, last in shards[:-1])


def test_a_column_that_a_part_lacks_is_empty_there():
    both = stacked([{"a": np.array([1.0]), "signal": np.array([-90.0])}, {"a": np.array([2.0])}])
    assert both["a"].tolist() == [1.0, 2.0]
    assert both["signal"][0] == -90.0
    assert np.isnan(both["signal"][1])


def test_all_threads_wait_in_one_folder(monkeypatch, tmp_path):
    made, gate = [], threading.Barrier(2, timeout=0.2)
    folder = tempfile.TemporaryDirectory

    def slow(prefix: str):
        with contextlib.suppress(threading.BrokenBarrierError):
            gate.wait()  # a second thread that comes this far meets the first one here
        made.append(folder(prefix=prefix, dir=tmp_path))
        return made[-1]

    monkeypatch.setattr("pipeline.engine.local.tempfile.TemporaryDirectory", slow)
    rows = LocalRows(2, 1)
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(rows._scratch) for _ in range(2)]
        assert found[0].result() == found[1].result()
    assert len(made) == 1
    rows.close()
    assert not list(tmp_path.iterdir())


def test_what_waits_on_disk_is_removed(rows, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    chosen = written(tmp_path, rows, 2)
    inputs = journey.read(chosen, engine=Local(2, memory_bytes=1000))
    assert list((tmp_path / "scratch").rglob("*.npy"))
    inputs.rows.close()
    assert not list((tmp_path / "scratch").iterdir())


def test_faults_of_engines_are_letters(lomsong, tmp_path, rows):
    written(tmp_path, rows.head(50), 1)
    told = lomsong(
        "run", "--settings", tmp_path / "settings.toml", "--scheduler", "tcp://x:1", "--lang", "en"
    )
    assert told[0] == 2
    assert "goes with --engine dask only" in told[1]
    absent = lomsong(
        "run",
        "--settings",
        tmp_path / "settings.toml",
        "--engine",
        "dask",
        "--scheduler",
        "nonsense",
        "--lang",
        "en",
    )
    assert absent[0] == 2
    assert "no Dask scheduler answers at “nonsense”" in absent[1]


def test_without_dask_the_letter_says_what_to_install(lomsong, tmp_path, rows, monkeypatch):
    written(tmp_path, rows.head(50), 1)
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, text = lomsong(
        "run", "--settings", tmp_path / "settings.toml", "--engine", "dask", "--lang", "en"
    )
    assert code == 2
    assert 'pip install "lomsong[dask]"' in text


@pytest.mark.slow
def test_the_command_runs_on_a_scheduler_and_tells_its_dashboard(rows, tmp_path, cluster):
    """A process of its own joins the running scheduler, as an analyst would."""
    written(tmp_path, rows, 3)
    command = [sys.executable, "-m", "pipeline", "run", "--settings", tmp_path / "settings.toml", "--out", tmp_path / "out",
               "--publish", "tables", "--engine", "dask", "--scheduler", cluster.client.scheduler.address, "--lang", "en"]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONUTF8": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert "Dask dashboard: http" in done.stderr
    assert (tmp_path / "out/2026-10/tables/commune_status.parquet").is_file()


def test_a_fault_of_one_file_among_many_parts_is_told_once(tmp_path, lomsong, rows):
    written(tmp_path, rows, 2)
    rows.drop(columns="operator").to_parquet(
        tmp_path / "raw" / "bad.parquet", index=False, row_group_size=1000
    )
    code, text = lomsong("run", "--settings", tmp_path / "settings.toml", "--lang", "en")
    assert code == 2
    assert text.count("bad.parquet") == 1
