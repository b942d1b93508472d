"""Fixtures of all tests. What many tests only read is made once per test run, by one worker."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.demo.province import write_demo
from tests.builders import SHARED, golden_world, months_run, run_lomsong
from tests.map_page import Seen

# tests make many short-lived tables: looking for cycles less often saves a tenth of the time
gc.set_threshold(100_000, 50, 50)


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file in `folder`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            about = path.stat()
            found[path.relative_to(folder).as_posix()] = (about.st_size, about.st_mtime_ns)
    return found


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Iterator[Callable[[str, Callable[[Path], object]], Path]]:
    """`made_once(name, make)`: the folder that `make(folder)` fills, the same for all workers.

    The first worker that asks fills it, the others wait. Tests only read it: whatever they change
    there fails the run at its end.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    listings: dict[Path, dict[str, tuple[int, int]]] = {}

    def folder_of(name: str, make: Callable[[Path], object]) -> Path:
        folder, whole = base / "shared" / name, base / "shared" / f"{name}.whole"
        folder.parent.mkdir(exist_ok=True)
        with FileLock(folder.with_name(f"{name}.lock")):
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                whole.touch()
        listings.setdefault(folder, listing(folder))
        return folder

    yield folder_of
    for folder, before in listings.items():
        assert listing(folder) == before, f"a test changed {folder}, which all tests share"


@pytest.fixture(scope="session")
def demo(made_once) -> Path:
    """The demo's inputs as `lomsong demo` writes them."""
    return made_once("demo", lambda folder: write_demo(folder, test_count=30_000, seed=1))


@pytest.fixture(scope="session")
def demo_outputs(demo, made_once) -> Path:
    """The demo's period with everything that a run publishes by default."""

    def publish(folder: Path) -> None:
        code, text = run_lomsong("run", "--settings", demo / "settings.toml", "--out", folder)
        assert code == 0, text

    return made_once("outputs", publish) / "2026-10"


@pytest.fixture(scope="session")
def golden_tables(made_once) -> Path:
    """The golden month: its inputs, and its tables under `outputs/2026-10`."""

    def publish(folder: Path) -> None:
        run = ("run", "--settings", golden_world(folder), "--out", folder / "outputs")
        code, text = run_lomsong(*run, "--publish", "tables")
        assert code == 0, text

    return made_once("golden", publish)


@pytest.fixture(scope="session")
def four_months(made_once) -> Path:
    """The outputs of four months one after the other, tables and map, with windows of three."""
    months = ("2026-07", "2026-08", "2026-09", "2026-10")
    return made_once("four_months", lambda folder: months_run(folder, 3, *months)) / "outputs"


@pytest.fixture
def lomsong(tmp_path, monkeypatch):
    """Run the command in an empty folder; gives (exit code, everything it printed).

    `run` publishes the tables only, three times as fast, where `--publish` is not given.
    """
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str]:
        if arguments[0] == "run" and "--publish" not in arguments:
            arguments = (*arguments, "--publish", "tables")
        return run_lomsong(*arguments)

    return call


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data that is not part of the project."""
    if not SHARED.is_dir():
        pytest.skip(
            "the real data of ../shared/data are not here; they are not part of the project"
        )
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium that Playwright can start."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("CI"):
        pytest.fail(
            "no Chromium on a CI machine: tools/install_browser.sh should have installed it"
        )
    pytest.skip("no Chromium here: tools/install_browser.sh installs it as root on Debian")


FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def opened(browser, demo_outputs):
    seen = Seen(
        browser,
        demo_outputs / "maps/coverage_gaps.html",
        viewport={"width": 1366, "height": 768},
        reduced_motion="reduce",
    ).ready()
    yield seen
    assert seen.complaints == []
    assert [r for r in seen.requests if not r.startswith(seen.url)] == []
    seen.context.close()
