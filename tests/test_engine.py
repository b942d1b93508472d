"""The contract of every engine: the tables are the same.

Neither the parts that rows come in nor the place where they are added up may matter.
"""

from __future__ import annotations

import contextlib
import itertools
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
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import crowd, naive
from pipeline import journey
from pipeline.config.run_context import RunContext
from pipeline.config.settings import Settings, read_settings
from pipeline.engine.dask_cluster import Cluster
from pipeline.engine.local import Local, LocalRows, pieces_of, together
from pipeline.measurements import prepare
from pipeline.publish import Outputs
from pipeline.schema.errors import UserFault
from pipeline.schema.month import Month
from pipeline.schema.periods import Period
from pipeline.sources.inputs import read_inputs
from tests.builders import squares, write_boundaries

pytestmark = pytest.mark.slow  # whole months are run

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
        '[boundaries]\npath = "communes.geojson"\npopulation_column = "population"\n'
        '[sources.crowd]\npath = "raw"\n'
        "[evidence]\nwidened_months = []\n[tracker]\nmonths = 3\n",
        encoding="utf-8",
    )
    return read_settings(folder / "settings.toml")


def judged(chosen: Settings, engine) -> Month:
    inputs = journey.read(chosen, engine=engine)
    month = journey.judge_month(inputs, RunContext(chosen, Period.parse("2026-10")))
    inputs.rows.close()
    return month


@pytest.fixture(scope="module")
def one_part(rows, tmp_path_factory) -> Month:
    return judged(written(tmp_path_factory.mktemp("one"), rows, 1), Local(1))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    found = Cluster()
    yield found
    found.close()


def assert_same(month: Month, other: Month) -> None:
    assert set(month.tables) == set(other.tables)
    by_file = {"rejects", "rejects_summary"}  # the same rows lie in other files
    for name in sorted(set(month.tables) - by_file):
        one, two = (pd.DataFrame(side.tables[name]) for side in (month, other))
        pd.testing.assert_frame_equal(one, two, check_exact=True, obj=name)
    reasons = [side.tables["rejects"]["reject_reason"].value_counts() for side in (month, other)]
    assert reasons[0].to_dict() == reasons[1].to_dict()
    for side, found in zip((month, other), reasons, strict=True):
        summed = side.tables["rejects_summary"].groupby("reject_reason")["reject_count"].sum()
        assert summed[summed > 0].to_dict() == found.to_dict()
    assert month.results == other.results
    assert (month.device_prints == other.device_prints).all()


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 7])
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
def test_the_tables_do_not_depend_on_where_shards_begin(rows, one_part, tmp_path, monkeypatch):
    chosen = written(tmp_path, rows, 2)
    for least in (100, 1000, 5000):
        monkeypatch.setattr(prepare, "SHARD_ROWS", least)
        inputs = journey.read(chosen, engine=Local(2))
        count = inputs.rows.how.shard_count
        assert count == min(prepare.MOST_SHARDS, -(-TESTS // least))
        assert len(inputs.rows.rows.pieces["tests"]) == pytest.approx(count, rel=0.2)
        inputs.rows.close()
        assert_same(judged(chosen, Local(2)), one_part)


def test_copies_of_a_test_id_count_once_wherever_their_devices_are(rows, tmp_path, monkeypatch):
    """Every test is sent by two phones under one id: the copies lie in different shards."""
    named = rows.head(500).assign(test_id=[f"t{n}" for n in range(500)])
    copies = named.assign(device_id="copy of " + named["device_id"])
    chosen = written(tmp_path, pd.concat([named, copies]), 3)
    months = []
    for least in (10_000, 50):
        monkeypatch.setattr(prepare, "SHARD_ROWS", least)
        months.append(judged(chosen, Local(2)))
    assert_same(*months)
    assert months[0].tables["rejects"]["reject_reason"].eq("duplicate").sum() == 500


def test_text_files_give_what_parquet_gives(rows, one_part, tmp_path, monkeypatch):
    chosen = written(tmp_path, rows, 3, "csv")
    assert_same(judged(chosen, Local(2)), one_part)
    # many stretches to a file, and row numbers that go on
    monkeypatch.setattr("pipeline.sources.containers.text.STRETCH_BYTES", 50_000)
    monkeypatch.setattr("pipeline.sources.containers.text._BLOCK", 50_000)
    month = judged(chosen, Local(2))
    assert_same(month, one_part)
    assert month.tables["rejects"]["source_row"].max() > 3000
    assert len(read_inputs(chosen).parts) > 20


def test_a_plain_file_and_one_with_quotes_over_lines_give_the_same(rows, tmp_path, monkeypatch):
    """A line break within quotes is part of its cell, whatever stretch it stands in."""
    monkeypatch.setattr("pipeline.sources.containers.text.STRETCH_BYTES", 50_000)
    monkeypatch.setattr("pipeline.sources.containers.text._BLOCK", 50_000)
    months = []
    for name, note in (("plain", "a"), ("quoted", '"a\nb"')):
        (tmp_path / name).mkdir()
        chosen = written(tmp_path / name, rows.head(2000), 1, "csv")
        path = tmp_path / name / "raw" / "p0.csv"
        lines = path.read_text().splitlines()
        head, last = lines[0] + ",note\n", lines[-1] + f",{note}\n"
        body = "".join(f"{line},\n" for line in lines[1:-1])
        path.write_text(head + body + ("" if name == "quoted" else "\n") + last)
        months.append(judged(chosen, Local(2)))
    assert_same(*months)
    assert months[1].tables["rejects"]["reject_reason"].eq("bad_row").sum() == 0


def test_progress_moves_while_one_large_file_is_read(rows, tmp_path, monkeypatch):
    chosen = written(tmp_path, rows, 1, "csv")
    monkeypatch.setattr("pipeline.sources.containers.text.STRETCH_BYTES", 50_000)
    monkeypatch.setattr("pipeline.sources.containers.text._BLOCK", 50_000)
    shown = []
    journey.read(chosen, lambda what, share: shown.append((what, share)), Local(1)).rows.close()
    shares = [share for what, share in shown if what == "read"]
    assert len(shares) > 20
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.05
    assert shares[-1] == pytest.approx(0.2)


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
    ours = plain["communes"].rename({"VNPT": "VinaPhone"}, level="operator")
    expected = ours.reindex(named.index)
    assert len(plain["communes"]) == len(named)
    assert (named["test_count"] == expected["test_count"]).all()
    assert (named["device_count"] == expected["size"]).all()
    shown = named["mean_mbps"].notna()
    for ours, theirs in (("mean_mbps", "mean"), ("median_mbps", "median"), ("p10_mbps", "p10")):
        np.testing.assert_allclose(
            named.loc[shown, ours], expected.loc[shown, theirs], rtol=0, atol=1e-9
        )
    assert int(named["sample_count"].sum()) == len(plain["samples"])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=64), st.integers(1, 500))
def test_all_rows_of_a_key_meet_in_one_shard_and_shards_ascend(keys, count):
    rows = pl.DataFrame({"key": pl.Series(keys, dtype=pl.UInt64), "n": range(len(keys))})
    pieces = pieces_of(rows.with_columns(shard=prepare._shard(rows["key"], count)))
    assert max(pieces) < count
    assert sorted(n for piece in pieces.values() for n in piece["n"]) == list(range(len(keys)))
    bounds = [(piece["key"].min(), piece["key"].max()) for _, piece in sorted(pieces.items())]
    assert all(last < first for (_, last), (first, _) in itertools.pairwise(bounds))


def test_a_column_that_a_part_lacks_is_empty_there():
    both = together([pl.DataFrame({"a": [1.0], "signal": [-90.0]}), pl.DataFrame({"a": [2.0]})])
    assert both.rows() == [(1.0, -90.0), (2.0, None)]


def test_all_threads_wait_in_one_folder(monkeypatch, tmp_path):
    made, gate = [], threading.Barrier(2, timeout=0.2)
    folder = tempfile.TemporaryDirectory

    def slow(prefix: str):
        with contextlib.suppress(threading.BrokenBarrierError):
            gate.wait()  # a second thread that comes this far meets the first one here
        made.append(folder(prefix=prefix, dir=tmp_path))
        return made[-1]

    monkeypatch.setattr("pipeline.engine.local.tempfile.TemporaryDirectory", slow)
    rows = LocalRows(0)
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(rows._written, pl.DataFrame({"a": [n]})) for n in range(2)]
        assert {pl.read_ipc(one.result())["a"][0] for one in found} == {0, 1}
    assert len(made) == 1
    rows.close()
    assert not list(tmp_path.iterdir())


def test_what_waits_on_disk_is_removed(rows, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    chosen = written(tmp_path, rows, 2)
    inputs = journey.read(chosen, engine=Local(2, memory_bytes=1000))
    assert list((tmp_path / "scratch").rglob("*.arrow"))
    inputs.rows.close()
    assert not list((tmp_path / "scratch").iterdir())


def test_what_waits_on_disk_is_removed_after_an_error(rows, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    chosen = written(tmp_path, rows, 2)
    rows.drop(columns="operator").to_parquet(tmp_path / "raw" / "z.parquet", index=False)
    with pytest.raises(UserFault):
        journey.read(chosen, engine=Local(1, memory_bytes=0))
    assert not list((tmp_path / "scratch").iterdir())
    (tmp_path / "raw" / "z.parquet").unlink()

    def fails(*_: object) -> None:
        assert list((tmp_path / "scratch").rglob("*.arrow"))
        raise ZeroDivisionError

    monkeypatch.setattr(journey, "judge_month", fails)
    outputs, local = Outputs(tmp_path / "out"), Local(1, memory_bytes=0)
    with pytest.raises(ZeroDivisionError):
        journey.run(chosen, outputs, period="2026-10", engine=local)
    assert not list((tmp_path / "scratch").iterdir())


def test_faults_of_engines_are_letters(lomsong, tmp_path, rows):
    written(tmp_path, rows.head(50), 1)
    ended = lomsong(
        "run", "--settings", tmp_path / "settings.toml", "--scheduler", "tcp://x:1", "--lang", "en"
    )
    assert ended[0] == 2
    assert "goes with --engine dask only" in ended[1]
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
    command = [sys.executable, "-m", "pipeline", "run", "--settings", tmp_path / "settings.toml",
               "--out", tmp_path / "out", "--publish", "tables", "--engine", "dask",
               "--scheduler", cluster.client.scheduler.address, "--lang", "en"]  # fmt: skip
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
