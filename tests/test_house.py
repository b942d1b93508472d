"""The house keeps its order: who may import whom, sizes, words, no addresses."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
from pathlib import Path

import pytest

from pipeline.schema import tables

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))

# packages along the data's way: each imports only those before it, for types too
WAY = [
    "__init__",
    "schema",
    "config",
    "engine",
    "hexgrid",
    "sources",
    "measurements",
    "demo",
    "verdicts",
    "actions",
]
WAY += [
    "publish",
    "run_log",
    "measure",
    "site_planning",
    "profile_screen",
    "journey",
    "console",
    "commands",
]
WAY += ["cli", "__main__"]


def package(name: str) -> str:
    """The package of a dotted module name of ours; `__init__` for modules of `pipeline` itself."""
    part = name.split(".")[1] if "." in name else ""
    return part if part in WAY else "__init__"


def imported(text: str) -> set[str]:
    """Dotted names of ours that a source text imports, late and for types only included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pipeline":
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "pipeline"}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_package_imports_only_packages_before_it(path):
    own = path.relative_to(ROOT / "pipeline").parts[0].removesuffix(".py")
    after = set(WAY[WAY.index(own) + 1 :])
    assert {
        name for name in imported(path.read_text(encoding="utf-8")) if package(name) in after
    } == set()


def test_no_module_imports_itself_round_a_corner():
    names = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
        for p in MODULES
    }
    arrows = {}
    for name, path in names.items():
        found = imported(path.read_text(encoding="utf-8"))
        arrows[name] = {one if one in names else one.rpartition(".")[0] for one in found} & set(
            names
        )
    assert tuple(graphlib.TopologicalSorter(arrows).static_order())


def test_the_rule_on_imports_sees_late_imports_and_types():
    late = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
    late += "    from pipeline.schema.month import Month\n"
    late += "def f():\n    from pipeline.measurements.locate import x\n"
    assert imported(late) == {"pipeline.schema.month.Month", "pipeline.measurements.locate.x"}
    assert {package(name) for name in imported("from pipeline import __version__, journey")} == {
        "__init__",
        "journey",
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_only_the_command_prints():
    printing = [
        p.relative_to(ROOT / "pipeline").as_posix()
        for p in MODULES
        if re.search(r"^\s*print\(|typer\.echo\(", p.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    commands = [f"commands/{name}.py" for name in ("boundaries", "plan", "sites")]
    assert printing == ["cli.py", *commands, "console.py"]


def test_every_declared_table_uses_declared_columns_and_has_a_key():
    for name, columns in tables.TABLES.items():
        assert set(columns) <= set(tables.FIELDS), name
        assert set(tables.KEYS[name]) <= set(columns), name
        assert len(set(columns)) == len(columns), name


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_library_file_and_no_address_of_a_package_index_is_committed():
    paths = tracked()
    assert [p for p in paths if p.name.endswith((".whl", ".map", ".min.js"))] == []
    kinds = (".txt", ".toml", ".md", ".py", ".sh")
    files = [p for p in paths if p.suffix in kinds and p.is_file() and p != Path(__file__)]
    assert len(files) > 100
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"--(?:extra-)?index-url|files\.pythonhosted", text), path


def test_modules_that_texts_name_are_there():
    names = ["/" + path.relative_to(ROOT).as_posix() for path in tracked()]
    folders = ("pipeline/", "docs/", "benchmarks/", "notebooks/", "README.md", "CONTRIBUTING.md")
    told = [n for n in names if n[1:].startswith(folders) and not n.startswith("/docs/decisions/")]
    texts = [n for n in told if n.endswith((".py", ".md", ".toml", ".js", ".css", ".ipynb"))]
    missing = [
        (name, mention)
        for name in texts
        for mention in re.findall(r"[\w/]*\w\.py\b", (ROOT / name[1:]).read_text(encoding="utf-8"))
        if not any(one.endswith("/" + mention.lstrip("/")) for one in names)
    ]
    assert len(texts) > 100
    assert missing == []


def test_nothing_of_the_first_province_is_in_the_code():
    for path in (*MODULES, *(ROOT / "pipeline/schema").rglob("*.toml")):
        text = path.read_text(encoding="utf-8")
        words = ("Lai Châu", "03388", "Mường Tè")
        assert not any(word in text for word in words), path.name


def test_the_guards_on_tables_fire():
    import pandas as pd

    good = pd.DataFrame({"source_file": ["a"], "source_row": [2], "reject_reason": ["duplicate"]})
    assert len(tables.validated("rejects", tables.with_declared_dtypes("rejects", good))) == 1
    with pytest.raises(AssertionError, match="lacks"):
        tables.validated("rejects", good.drop(columns="reject_reason"))
    for bad in (
        good.assign(reject_reason="because"),
        good.assign(source_row=0),
        pd.concat([good, good], ignore_index=True),
        good.assign(source_row="2"),
    ):
        with pytest.raises(Exception, match=r"(?i)schema|isin|greater|unique|dtype"):
            tables.validated("rejects", bad)
