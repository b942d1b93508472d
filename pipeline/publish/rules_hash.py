"""One hash of every module that can change a verdict, so that `diff` separates rules from data.

Does not belong here: the manifest that carries it (`manifest.py`).
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
JUDGING = ("measurements", "verdicts", "actions")  # packages that the journey takes its steps from
# a regular expression, because parsing all modules takes 0.3 s; the test compares with `ast`
_IMPORT = re.compile(r"^[ \t]*from (pipeline[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)


@cache
def rules_sha256(package: Path = PACKAGE) -> str:
    """SHA-256 over names and texts of `judging_modules`, equal for LF and CRLF line ends."""
    lines = (
        f"{name} {hashlib.sha256(text.encode()).hexdigest()}\n"
        for name, text in sorted(judging_modules(package).items())
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def judging_modules(package: Path) -> dict[str, str]:
    """Path in the package → text: the steps that the journey imports and all that they import."""
    steps = imported_modules(package, _text(package / "journey.py"))
    waiting = [path for path in steps if path.relative_to(package).parts[0] in JUDGING]
    found: dict[str, str] = {}
    while waiting:
        path = waiting.pop()
        name = path.relative_to(package).as_posix()
        if name not in found:
            found[name] = _text(path)
            waiting += imported_modules(package, found[name])
    return found


def imported_modules(package: Path, text: str) -> set[Path]:
    """Files of the package that a source text imports, `__init__.py` left out."""
    asked = set()
    for module, names in _IMPORT.findall(text):
        path = module.replace(".", "/")
        asked |= {path, *(f"{path}/{name}" for name in re.findall(r"\w+", names))}
    files = (package.parent / f"{name}.py" for name in asked)
    return {file for file in files if file.is_file()}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")  # any line end is read as LF
