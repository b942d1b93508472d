"""Settings are closed and typed; every fault of the file at once, each with its line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from pipeline.config.settings import Alarm, ColumnRule, Kept, Settings, Source, read_settings
from pipeline.schema.errors import UserFault
from pipeline.schema.periods import Period
from pipeline.schema.texts import error_message
from pipeline.sources.formats import FORMATS

ROOT = Path(__file__).resolve().parents[1]


def faults_of(tmp_path, text: str) -> list[str]:
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UserFault) as caught:
        read_settings(tmp_path / "s.toml")
    return [error_message(f, "en") for f in caught.value.faults]


def test_every_fault_at_once_with_its_line(tmp_path):
    lines = faults_of(
        tmp_path,
        '[area]\nnmae = "x"\ntimezone = "Asia/Hanoi"\n\n[target]\ndownload_mbps = -3\n\n'
        '[sources.a]\npath = "x"\nformt = "ispeed"\n'
        '[sources.a.columns]\noperator = { colum = "y" }\n[evidnce]\n',
    )
    joined = "\n".join(lines)
    assert "s.toml, row 2, column area.nmae: no such setting (did you mean name?)" in joined
    assert "row 3, column area.timezone" in joined
    assert "row 6, column target.download_mbps: value -3" in joined
    assert "row 10, column sources.a.formt: no such setting (did you mean format?)" in joined
    assert "row 13, column evidnce: no such setting (did you mean evidence?)" in joined


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[area\n", "not valid TOML"),
        ("[hexes]\ncoarsest_resolution = 10\n", "coarsest_resolution must not exceed"),
        ("[evidence]\nmax_q = 'x'\n", "max_q"),
        ("[sources.a]\n", "sources.a.path"),
        (
            "[sources.a.columns]\noperator = { column = 'a', value = 'b' }\n",
            "one of `column`, `columns` and `value`",
        ),
    ],
)
def test_each_guard_fires(tmp_path, text, part):
    assert any(part in line for line in faults_of(tmp_path, text))


def test_the_commented_example_states_the_defaults():
    """settings.toml at the root shows every default; what differs is marked as having none."""
    example = tomllib.loads((ROOT / "settings.toml").read_text(encoding="utf-8"))
    read, defaults = Settings.model_validate(example), Settings()
    for section in (
        "target",
        "quality",
        "hexes",
        "evidence",
        "priority",
        "privacy",
        "publish",
        "tracker",
        "report",
    ):
        assert getattr(read, section) == getattr(defaults, section), section
        declared = set(type(getattr(defaults, section)).model_fields)
        assert declared - set(example[section]) <= {"valid_from", "valid_to"}, section


def commented_source() -> str:
    """The example's source with its commented lines in force."""
    text = (ROOT / "settings.toml").read_text(encoding="utf-8")
    block = text[text.index("[sources.ispeed]") : text.index("[operators]")]
    return "\n".join(line.removeprefix("# ") for line in block.splitlines())


def test_the_commented_example_names_every_key_of_a_source_with_its_meaning():
    block = commented_source()
    for model in (Source, ColumnRule, Kept):
        for field in model.model_fields:
            key = {"excludes": "not"}.get(field, field)
            assert re.search(
                rf"(^|[{{,] *){key} = |^.sources.ispeed.{key}\]", block, re.MULTILINE
            ), key
    for line in block.splitlines():
        assert "#" in line or not line or line.startswith(("[", "operator = ")), line
    for alarm in get_args(Alarm):
        assert alarm in block


def test_the_commented_lines_of_a_source_are_valid():
    lines = commented_source().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("measured_at"))
    for left_out in (first, first + 1):  # two ways to say one thing
        text = "\n".join(line for n, line in enumerate(lines) if n != left_out)
        source = Settings.model_validate(tomllib.loads(text)).sources["ispeed"]
        assert source.keep["implausible"].excludes == ("true",)
        assert source.columns["download_mbps"].failed == (-1.0,)
        assert source.format in FORMATS


def test_relative_paths_start_at_the_settings_file(tmp_path):
    (tmp_path / "s.toml").write_text(
        '[boundaries]\npath = "b.gpkg"\n[sources.a]\npath = ["raw", "/x/y.csv"]\n'
    )
    read = read_settings(tmp_path / "s.toml")
    assert read.boundaries.path == tmp_path / "b.gpkg"
    assert read.sources["a"].path == (str(tmp_path / "raw"), "/x/y.csv")


def test_the_example_of_armenia_is_valid():
    assert (
        read_settings(ROOT / "docs/examples/armenia_ookla.toml").sources["ookla"].format == "ookla"
    )


@pytest.mark.parametrize("text", ["2026-13", "2026", "2026Q5", "october", "2026-1"])
def test_periods_that_are_none(text):
    with pytest.raises(UserFault, match="bad_period"):
        Period.parse(text)


def test_windows_reach_over_the_turn_of_the_year():
    assert Period.parse("2026-01").window(3) == ["2025-11", "2025-12", "2026-01"]
    assert Period.parse("2024Q1").window(6)[0] == "2023-10"
    assert Period.parse("2026-12").window(12)[0] == "2026-01"
