"""The house keeps its order: who may import whom, sizes, words, no addresses."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from pipeline.schema import tables, texts

ROOT = Path(__file__).resolve().parents[1]
ROOMS = sorted((ROOT / "pipeline").rglob("*.py"))

# what a room may import of this package, beside its own parts
BELOW = {"tables", "errors"}
MAY = {
    "errors": set(),
    "periods": {"errors"},
    "texts": {"errors"},
    "fields": set(),
    "tables": {"fields"},
    "settings": {"errors", "output_settings"},
    "output_settings": set(),
    "monthly": {"evidence", "facts", "fieldwork", "groups", "periods", "privacy", "rows", "sample_facts", "settings", "tables"},
    "sources": {"tables", "errors", "periods"},
    "inputs": {"boundaries", "crosswalk", "deliveries", "demand", "surroundings", "errors", "periods", "settings", "sources", "tables"},
    "deliveries": {"errors", "settings", "sources"},
    "engine": set(),
    "cluster": {"engine", "errors"},
    "fingerprints": set(),
    "groups": {"order_kernels"},
    "order_kernels": set(),
    "samples": {"fingerprints", "tables"},
    "rows": {"fingerprints", "clean", "groups"},
    "sample_facts": {"clean", "groups", "rows", "walk"},
    "walk": set(),
    "facts": {"clean", "groups", "rows", "sample_facts"},
    "tiles": {"evidence", "hexes", "periods", "samples", "settings", "tables"},
    "prepare": {"clean", "deliveries", "engine", "errors", "facts", "fingerprints", "hexes", "locate", "rows", "settings", "tables"},
    "scope": {"evidence", "rows", "fingerprints", "hexes", "periods", "prepare", "settings", "tables"},
    "assemble_gaps": {"evidence", "gaps", "hexes", "judge", "periods", "samples", "settings", "statistics", "tables"},
    "explain": {"errors", "tables", "texts"},
    "compare": set(),
    "assemble_priorities": {"assemble_gaps", "hexes", "inputs", "surroundings", "diagnose", "evidence", "fieldwork", "prioritise", "privacy", "settings", "statistics", "tables"},
    "demand": {"errors", "rasters", "tables"},
    "surroundings": {"errors", "rasters"},
    "former": {"errors", "inputs", "periods", "tables"},
    "evidence": {"facts", "fingerprints", "groups", "judge", "hexes", "periods", "rows", "sample_facts", "samples", "settings", "tables"},
    "assemble": {"borrowing", "errors", "evidence", "gaps", "hexes", "judge", "locate", "periods", "privacy", "settings", "statistics", "tables"},
    "headings": {"texts"},
    "hexes": {"groups", "lattice", "tables"},
    "lattice": {"lattice_kernels"},
    "lattice_kernels": set(),
    "demo": {"contaminate", "schematic", "simulate", "errors", "sources"},
    "publish": {"compare", "fingerprints", "headings", "tables", "errors", "texts", "__version__"},
    "journey": {"assemble", "assemble_gaps", "assemble_priorities", "borrowing", "changes", "deliveries", "demand", "engine", "errors", "evidence", "facts", "former", "hexes", "inputs", "locate", "monthly", "periods", "prepare", "publish", "scope", "settings", "sources", "statistics", "tables", "tiles"},
    "console": {"cluster", "errors", "texts"},
    "cli": {"compare", "console", "deliveries", "errors", "explain", "former", "settings", "texts", "journey", "inputs", "demo", "__version__"},
    "__main__": {"cli"},
    "__init__": set(),
}  # fmt: skip


def imported(text: str) -> set[str]:
    """Rooms that a source text imports when it runs; what it names for types only is no import."""
    found: set[str] = set()
    tree = ast.parse(text)
    shapes = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    for_types_only = {inner for n in shapes for inner in ast.walk(n)}
    for node in ast.walk(tree):
        if node in for_types_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "pipeline":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("pipeline.")}
    return found


@pytest.mark.parametrize("path", ROOMS, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_only_what_lies_below(path):
    room = path.relative_to(ROOT / "pipeline").parts[0].removesuffix(".py")
    assert imported(path.read_text(encoding="utf-8")) - {room} <= MAY.get(room, BELOW)


def test_the_rule_on_imports_sees_late_imports_and_not_types():
    late = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pipeline.journey import Month\ndef f():\n    from pipeline.measurements.clean import x\n"
    assert imported(late) == {"clean"}
    assert imported("import pipeline.hexgrid.hexes\nfrom pipeline import gaps, judge\n") == {"hexes", "gaps", "judge"}


@pytest.mark.parametrize("path", ROOMS, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_readable(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    assert ast.get_docstring(ast.parse(text)), "a room says what it is for"


def test_only_the_command_prints():
    printing = [
        p.name for p in ROOMS if re.search(r"^\s*print\(|typer\.echo\(", p.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert printing == ["cli.py", "console.py"]


def test_every_fault_has_words_in_both_languages_and_every_word_a_use():
    code = "\n".join(p.read_text(encoding="utf-8") for p in ROOMS if p.name != "texts.py")
    used = set(re.findall(r"""(?:Fault|fault)\(\s*["'](\w+)["']""", code)) | {
        "missing_file",
        "empty_glob",
        "empty_folder",
        "unknown_names",
        "unknown_technologies",
    }
    assert used == set(texts.FAULTS)
    for vietnamese, english in texts.FAULTS.values():
        holes = re.compile(r"\{(\w+)\}")
        assert set(holes.findall(vietnamese)) == set(holes.findall(english))
        assert vietnamese != english
    lines = set(re.findall(r"""(?:tell|texts\.line)\(\s*["'](\w+)["']""", code))
    assert lines <= set(texts.LINES)


def test_every_status_flag_and_class_has_a_name():
    for key in (*tables.STATUSES, *tables.GAP_CLASSES, *tables.GAP_STATES, *tables.FLAGS, *tables.NO_DATA_REASONS):
        assert texts.word(key, "vi") != texts.word(key, "en")


def test_every_declared_table_uses_declared_columns_and_has_a_key():
    for name, columns in tables.TABLES.items():
        assert set(columns) <= set(tables.FIELDS), name
        assert set(tables.KEYS[name]) <= set(columns), name
        assert len(set(columns)) == len(columns), name


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_library_file_and_no_address_of_a_package_index_is_committed():
    for path in tracked():
        assert not path.name.endswith((".whl", ".map", ".min.js")), path
        if path.suffix in (".txt", ".toml", ".md", ".py", ".sh") and path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not re.search(
                r"--(?:extra-)?index-url|files\.pythonhosted",
                text.replace("|files\\.pythonhosted", "").replace("(?:extra-)?index-url", ""),
            ), path


def test_nothing_of_the_first_province_is_in_the_code():
    for path in ROOMS:
        text = path.read_text(encoding="utf-8")
        words = ("Lai Châu", "03388", "Mường Tè")
        if path.name != "texts.py":  # a letter names the province's CRS as its example
            assert not any(word in text for word in words), path.name


def test_the_guards_on_tables_fire():
    import pandas as pd

    good = pd.DataFrame({"source_file": ["a"], "source_row": [2], "reject_reason": ["duplicate"]})
    assert len(tables.checked("rejects", tables.typed("rejects", good))) == 1
    with pytest.raises(AssertionError, match="lacks"):
        tables.checked("rejects", good.drop(columns="reject_reason"))
    for bad in (
        good.assign(reject_reason="because"),
        good.assign(source_row=0),
        pd.concat([good, good], ignore_index=True),
        good.assign(source_row="2"),
    ):
        with pytest.raises(Exception, match=r"(?i)schema|isin|greater|unique|dtype"):
            tables.checked("rejects", bad)
