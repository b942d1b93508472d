"""Files that people receive: safe, private, swapped in as a whole."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from filelock import FileLock

from pipeline.measurements.fingerprints import of_texts
from pipeline.publish import guard, tables
from pipeline.publish.gap_map.columns import counted, encoded, scaled
from pipeline.publish.guard import PrivacyBreach, examine
from pipeline.publish.names import file_names
from pipeline.publish.swap import finish_or_undo, replacing
from pipeline.publish.tables import write_csv
from pipeline.schema import privacy
from pipeline.schema.errors import UserFault
from tests.builders import month_of_tests, write_world

pytestmark = pytest.mark.slow  # whole months are run

# --- CSV


def prints(*device_ids: str) -> np.ndarray:
    """What the pipeline keeps of device ids."""
    return np.sort(of_texts(pd.Series(device_ids, dtype="str")))


@pytest.mark.parametrize("odd", ["plain", "a,b", 'say "no"', "two\nlines", "=1+1", "Phú Thọ"])
def test_a_large_table_has_the_bytes_of_a_small_one(tmp_path, monkeypatch, odd):
    table = pd.DataFrame(
        {"source_file": pd.Series(["f.csv", odd, None] * 20, dtype="str"), "source_row": range(60)}
    )
    write_csv(tmp_path, "small", table, notice="")
    asked = []
    fast = tables._unquoted
    monkeypatch.setattr(tables, "_BULK", 10)
    monkeypatch.setattr(tables, "_unquoted", lambda *given: asked.append(fast(*given)) or asked[-1])
    write_csv(tmp_path, "large", table, notice="")
    assert (tmp_path / "large.csv").read_bytes() == (tmp_path / "small.csv").read_bytes()
    assert (asked == [None]) == (odd in ("a,b", 'say "no"', "two\nlines"))
    write_csv(tmp_path, "figures", table.assign(mean_mbps=0.1), notice="")
    assert asked[1:] == [None]  # how a float is spelled is left to pandas


def test_texts_that_a_spreadsheet_would_calculate_are_quoted_in_csv_and_raw_in_parquet(tmp_path):
    from pipeline.publish.tables import write_table

    table = pd.DataFrame(
        {
            "operator": ["=HYPERLINK(1)", "+84", "-x", "@a", "Viettel", None],
            "mean_mbps": [1.5, 2.0, -3.0, 4.0, 5.0, 6.0],
        }
    )
    write_table(tmp_path, "t", table, notice="", excel_vi=True)
    raw = (tmp_path / "t.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    read = pd.read_csv(tmp_path / "t.csv")
    assert read["operator"].tolist()[:5] == ["'=HYPERLINK(1)", "'+84", "'-x", "'@a", "Viettel"]
    assert read["mean_mbps"].tolist() == [1.5, 2.0, -3.0, 4.0, 5.0, 6.0], "numbers are not texts"
    assert pd.read_parquet(tmp_path / "t.parquet")["operator"].tolist()[0] == "=HYPERLINK(1)"
    assert "1,5" in (tmp_path / "excel-vi" / "t.csv").read_text(encoding="utf-8-sig")


def test_counts_have_no_decimals_codes_stay_text_and_the_notice_stands_in_every_row(tmp_path):
    table = pd.DataFrame(
        {
            "commune_code": ["03388"],
            "test_count": [12.0],
            "devices_to_decide": [float("nan")],
            "mean_mbps": [1 / 3],
        }
    )
    write_csv(tmp_path, "t", table, notice="INVENTED")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8-sig").splitlines()[
        1
    ] == "03388,12,,0.333333,INVENTED"


# --- privacy


def suppressed(counts: dict[str, int]) -> dict[str, bool]:
    rows = pd.DataFrame(
        {"commune_code": "a", "operator": list(counts), "device_count": list(counts.values())}
    )
    return dict(
        zip(counts, privacy.is_suppressed(rows, "commune_code", "device_count", 3), strict=True)
    )


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ({"x": 5, "y": 4, "all": 9}, set()),
        ({"x": 5, "y": 2, "all": 7}, {"y", "all"}),
        ({"x": 5, "y": 1, "z": 2, "all": 8}, {"y", "z"}),
        ({"x": 5, "y": 0, "all": 5}, set()),
        ({"x": 2, "all": 2}, {"x", "all"}),
        ({"x": 0, "all": 0}, set()),
    ],
)
def test_who_is_suppressed(counts, hidden):
    assert {name for name, flag in suppressed(counts).items() if flag} == hidden


def published(tmp_path: Path, **change) -> Path:
    table = pd.DataFrame(
        {
            "commune_code": ["a", "a"],
            "operator": ["x", "all"],
            "device_count": [5, 5],
            "mean_mbps": [10.0, 10.0],
        }
    )
    (tmp_path / "tables").mkdir(exist_ok=True)
    table.assign(**change).to_csv(tmp_path / "tables" / "t.csv", index=False)
    return tmp_path


def test_the_guard_passes_clean_files(tmp_path):
    assert examine(published(tmp_path), device_prints=prints("7f5906464aaa"), min_devices=3) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"device_count": [2, 5]},
        {"device_count": [2, 5], "mean_mbps": [float("nan"), 10.0]},  # by subtraction
        {"latitude": 22.1},
        {"device_key": "x"},
        {"flags": "seen 7f5906464aaa there"},
    ],
)
def test_the_guard_fires_on_finished_files(tmp_path, change):
    with pytest.raises(PrivacyBreach):
        examine(published(tmp_path, **change), device_prints=prints("7f5906464aaa"), min_devices=3)


@pytest.mark.parametrize("depth", [1, 2])
def test_the_guard_reads_what_is_zipped(tmp_path, depth):
    content = (
        b"seen 7f5906464aaa there " * 50
    )  # compressed, the id is no longer in the file's bytes
    for _ in range(depth):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner.zip" if depth > 1 and _ else "notes.txt", content)
        content = stream.getvalue()
    (tmp_path / "t.zip").write_bytes(content)
    assert b"7f5906464aaa" not in content
    with pytest.raises(PrivacyBreach, match="7f5906464aaa"):
        examine(tmp_path, device_prints=prints("7f5906464aaa"), min_devices=3)
    assert examine(tmp_path, device_prints=prints("0123456789ab"), min_devices=3) == 1


def page(tmp_path: Path, kind: str, devices: int, mean: float | None) -> Path:
    nothing, one = scaled(np.array([np.nan]), 1), {"devices": counted(np.array([devices]))}
    some = {"mean": scaled(np.array([np.nan if mean is None else mean]), 10)}
    figures_of = {
        "s": guard.page_figures("commune_status"),
        "c": [*guard.page_figures("hex_status"), "weak", "fast"],
    }
    blank = dict.fromkeys(figures_of[kind], nothing)
    other = "c.0" if kind == "s" else "s"
    columns = {
        f"{'c.0' if kind == 'c' else 's'}.{key}": v for key, v in (blank | some | one).items()
    }
    columns |= {
        f"{other}.{key}": nothing for key in ("devices", *figures_of["c" if kind == "s" else "s"])
    }
    data = {"operators": ["all"], "block": encoded(columns)}
    (tmp_path / "m.html").write_text(
        f'<script type="application/json" id="lomsong-data">{json.dumps(data)}</script>'
    )
    return tmp_path


@pytest.mark.parametrize("kind", ["s", "c"])
def test_the_guard_reads_the_map(tmp_path, kind):
    assert examine(page(tmp_path, kind, 2, None), device_prints=prints(), min_devices=3) == 1
    assert examine(page(tmp_path, kind, 3, 10.0), device_prints=prints(), min_devices=3) == 1
    with pytest.raises(PrivacyBreach, match="fewer than 3 devices"):
        examine(page(tmp_path, kind, 2, 10.0), device_prints=prints(), min_devices=3)
    (tmp_path / "m.html").write_text("<html></html>")
    with pytest.raises(PrivacyBreach):
        examine(tmp_path, device_prints=prints(), min_devices=3)


def test_a_breach_leaves_the_former_outputs(tmp_path, lomsong, monkeypatch):
    settings = write_world(
        tmp_path, {"2026-10": month_of_tests("2026-10", {("r0c0", "V"): [10.0] * 4})}
    )
    assert lomsong("run", "--settings", settings)[0] == 0
    before = (tmp_path / "outputs/2026-10/manifest.json").read_bytes()
    monkeypatch.setattr(
        "pipeline.schema.privacy.is_suppressed", lambda rows, *_: rows["device_count"].lt(0)
    )
    settings.write_text(settings.read_text() + "[privacy]\nmin_devices = 5\n")
    with pytest.raises(PrivacyBreach):
        lomsong("run", "--settings", settings)
    assert (tmp_path / "outputs/2026-10/manifest.json").read_bytes() == before


def everything_in(folder: Path) -> dict[str, bytes]:
    """Content by name of all files of a folder, those in archives (XLSX, DOCX, ZIP …) too."""
    found = {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }
    packed = [name for name, content in found.items() if content.startswith(b"PK")]
    while packed:
        archive = zipfile.ZipFile(io.BytesIO(found[outer := packed.pop()]))
        inside = {f"{outer}/{name}": archive.read(name) for name in archive.namelist()}
        found |= inside
        packed += [name for name, content in inside.items() if content.startswith(b"PK")]
    return found


def test_no_output_holds_a_folder_of_the_machine(tmp_path, lomsong):
    (tmp_path / "elsewhere").mkdir()
    cells = np.full((1, 40, 40), 10.0)
    with rasterio.open(
        tmp_path / "elsewhere/people.tif",
        "w",
        driver="GTiff",
        height=40,
        width=40,
        count=1,
        dtype="float64",
        crs="EPSG:4326",
        transform=rasterio.Affine(0.01, 0, 103, 0, -0.01, 22.4),
    ) as raster:
        raster.write(cells)  # fmt: skip
    (tmp_path / "elsewhere/installs.csv").write_text("commune_code,installs\nr0c0,5\n")
    settings = write_world(
        tmp_path,
        {"2026-10": month_of_tests("2026-10", {("r0c0", "V"): [12.5] * 14})},
        f"""[population]
grid = "{tmp_path / "elsewhere/people.tif"}"
[installs]
path = "{tmp_path / "elsewhere/installs.csv"}"
[target]
valid_from = 2026-01-01
""",
    )
    for _ in range(2):
        code, text = lomsong(
            "run", "--settings", settings, "--measurements", tmp_path / "raw/*/*.csv"
        )
        assert code == 0, text
    found = everything_in(tmp_path / "outputs/2026-10")
    assert [name for name, content in found.items() if str(tmp_path).encode() in content] == []
    manifest = json.loads(found["manifest.json"])
    assert manifest["settings"]["population"]["grid"] == "people.tif"
    assert [s["path"] for s in manifest["settings"]["sources"].values()] == [["*.csv"]]
    assert manifest["revision"] == 1, "settings that went through JSON are the same settings"
    assert file_names(["../../x"]) == {"../../x": "_x"}


# --- swapping


def write(out: Path, text: str) -> None:
    with replacing(out, "2026-10") as folder:
        (folder / "a.txt").write_text(text)
        (folder / "manifest.json").write_text("{}")


def content(out: Path) -> str:
    return (out / "2026-10" / "a.txt").read_text()


def test_a_run_replaces_the_folder_as_a_whole(tmp_path):
    write(tmp_path, "one")
    (tmp_path / "2026-10" / "stale.txt").write_text("x")
    write(tmp_path, "two")
    assert content(tmp_path) == "two"
    assert sorted(p.name for p in (tmp_path / "2026-10").iterdir()) == ["a.txt", "manifest.json"]
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")] == ["2026-10"]


def test_a_failed_run_leaves_the_former_outputs_and_nothing_aside(tmp_path):
    write(tmp_path, "one")

    def fail_half_way() -> None:
        with replacing(tmp_path, "2026-10") as folder:
            (folder / "a.txt").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert content(tmp_path) == "one"
    assert not (tmp_path / ".2026-10.new").exists()


def broken(out: Path, *, whole: bool) -> None:
    """What a run killed between its two renames leaves."""
    write(out, "former")
    (out / "2026-10").rename(out / ".2026-10.former")
    (out / ".2026-10.new").mkdir()
    (out / ".2026-10.new" / "a.txt").write_text("new")
    if whole:
        (out / ".2026-10.new" / "manifest.json").write_text("{}")


def test_the_next_start_finishes_a_swap_whose_new_folder_is_whole(tmp_path):
    broken(tmp_path, whole=True)
    finish_or_undo(tmp_path, "2026-10")
    assert content(tmp_path) == "new"
    assert not (tmp_path / ".2026-10.former").exists()


def test_the_next_start_undoes_a_swap_whose_new_folder_is_not_whole(tmp_path):
    broken(tmp_path, whole=False)
    finish_or_undo(tmp_path, "2026-10")
    assert content(tmp_path) == "former"


def test_two_runs_at_once_are_a_fault(tmp_path):
    with FileLock(tmp_path / ".2026-10.lock"), pytest.raises(UserFault, match="output_busy"):
        write(tmp_path, "x")


def test_a_folder_that_the_system_holds_is_a_fault_and_stays(tmp_path, monkeypatch):
    write(tmp_path, "one")
    rename = Path.rename

    def refuse(self, target):
        if self.name == ".2026-10.new":
            raise PermissionError(13, "in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(UserFault, match="output_held"):
        write(tmp_path, "two")
    assert content(tmp_path) == "one"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a matter of Unix")
def test_a_run_killed_half_way_leaves_the_former_outputs_whole(tmp_path, lomsong):
    """A real process, killed by itself with SIGKILL right after the map was written.

    No handler of the program can run.
    """
    settings = write_world(
        tmp_path, {"2026-10": month_of_tests("2026-10", {("r0c0", "V"): [10.0] * 4})}
    )
    run = ["run", "--settings", "settings.toml", "--publish", "tables,map"]
    code = (
        "import os, signal, pipeline.publish.guard as g\n"
        "g.examine = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"from pipeline.cli import app; app({run})"
    )
    assert lomsong(*run)[0] == 0
    before = {
        p.relative_to(tmp_path): p.read_bytes()
        for p in (tmp_path / "outputs/2026-10").rglob("*")
        if p.is_file()
    }
    settings.write_text(settings.read_text().replace("Bốn ô", "Khác"))
    killed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    after = {
        p.relative_to(tmp_path): p.read_bytes()
        for p in (tmp_path / "outputs/2026-10").rglob("*")
        if p.is_file()
    }
    assert after == before
    assert (tmp_path / "outputs/.2026-10.new/maps").is_dir(), "the killed run had come that far"
    assert lomsong(*run)[0] == 0
    assert "Khác" in (tmp_path / "outputs/2026-10/maps/coverage_gaps.html").read_text(
        encoding="utf-8"
    )
    assert not (tmp_path / "outputs/.2026-10.new").exists()


@pytest.mark.parametrize("part", ["plan", "sites"])
def test_a_plan_and_its_filled_forms_stay_when_the_month_is_run_again(tmp_path, part):
    for run in ("first", "second"):
        with replacing(tmp_path, "2026-10") as folder:
            (folder / "manifest.json").write_text(run, encoding="utf-8")
        form = tmp_path / "2026-10" / part / "visits.csv"
        if run == "first":
            form.parent.mkdir()
            form.write_text("filled", encoding="utf-8")
    assert form.read_text(encoding="utf-8") == "filled"
    assert (tmp_path / "2026-10" / "manifest.json").read_text(encoding="utf-8") == "second"
