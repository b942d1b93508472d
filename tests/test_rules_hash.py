"""The hash of the rules changes with every module that can change a verdict, and with no other."""

from __future__ import annotations

import shutil

import pytest

from pipeline.publish.rules_hash import PACKAGE, imported_modules, judging_modules, rules_sha256
from tests.test_house import MODULES, imported

pytestmark = pytest.mark.slow  # every module is touched in turn

MODULES_THAT_JUDGE = sorted(judging_modules(PACKAGE))


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules") / "pipeline"
    return shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))


def fresh(package) -> str:
    rules_sha256.cache_clear()
    return rules_sha256(package)


@pytest.fixture
def touched(copied):
    """What the hash is with a line added to a file of the copy."""

    def hash_with(name: str) -> str:
        path = copied / name
        before = path.read_bytes()
        try:
            path.write_bytes(before + b"\n# touched\n")
            return fresh(copied)
        finally:
            path.write_bytes(before)

    return hash_with


@pytest.mark.parametrize("name", MODULES_THAT_JUDGE)
def test_each_module_of_the_rules_changes_the_hash(name, touched):
    assert touched(name) != fresh(PACKAGE)


@pytest.mark.parametrize(
    "name",
    [
        "publish/workbook.py",
        "schema/catalogues/en.toml",
        "cli.py",
        "run_log.py",
        "demo/simulate.py",
    ],
)
def test_what_only_presents_does_not(name, touched):
    assert touched(name) == fresh(PACKAGE)


def test_the_rules_reach_from_samples_to_the_ranking():
    assert {
        "measurements/samples.py",
        "measurements/aggregates.py",
        "hexgrid/bulk_index.py",
        "verdicts/judge.py",
        "verdicts/statistics.py",
        "actions/prioritise.py",
        "config/rules.py",
        "schema/tables.py",
    } <= set(MODULES_THAT_JUDGE)


def test_a_module_that_a_judging_module_begins_to_import_counts(copied):
    before = (copied / "verdicts/judge.py").read_bytes()
    (copied / "verdicts/new_rule.py").write_text("LEAST = 1\n", encoding="utf-8")
    late = b"\ndef f():\n    from pipeline.verdicts import (  # late\n        new_rule,\n    )\n"
    try:
        (copied / "verdicts/judge.py").write_bytes(before + late)
        assert "verdicts/new_rule.py" in judging_modules(copied)
    finally:
        (copied / "verdicts/judge.py").write_bytes(before)
        (copied / "verdicts/new_rule.py").unlink()


def test_line_ends_do_not_count(copied):
    texts = {path: path.read_bytes() for path in copied.rglob("*.py")}
    try:
        for path, text in texts.items():
            path.write_bytes(text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        assert fresh(copied) == fresh(PACKAGE)
    finally:
        for path, text in texts.items():
            path.write_bytes(text)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_the_quick_search_for_imports_finds_what_the_parser_finds(path):
    text = path.read_text(encoding="utf-8")
    names = imported(text) | {name.rpartition(".")[0] for name in imported(text)}
    files = {PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py") for name in names}
    assert imported_modules(PACKAGE, text) == {file for file in files if file.is_file()}
