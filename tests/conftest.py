from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import cli
from pipeline.demo.province import write_demo
from tests.builders import SHARED


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Path:
    """The demo's inputs as `lomsong demo` writes them."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder, test_count=30_000, seed=1)
    return folder


@pytest.fixture(scope="session")
def demo_outputs(demo, tmp_path_factory) -> Path:
    """The demo's published period."""
    out = tmp_path_factory.mktemp("outputs")
    result = CliRunner().invoke(
        cli.app, ["run", "--settings", str(demo / "settings.toml"), "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    return out / "2026-10"


@pytest.fixture
def lomsong(tmp_path, monkeypatch):
    """Run the command in an empty folder; gives (exit code, everything it printed)."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str]:
        result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

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
