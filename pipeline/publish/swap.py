"""Outputs replace earlier ones as a whole: a stopped or failed run leaves the former outputs.

They are written to a folder aside, which two renames put in place. Does not belong here: what is
written.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.schema.errors import fault

COMPLETE = "manifest.json"  # written last: a folder that has it is complete
KEPT = ("plan", "sites")  # of other commands; forms in them may have been filled in


@contextmanager
def replacing(out: Path, name: str) -> Iterator[Path]:
    """Give an empty folder; without an error in the block it then becomes `out/name`.

    Raises `UserFault` where another run writes there, or the system refuses (a file open on
    Windows, no permission).
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / f".{name}.lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise fault("output_busy", out / name) from None
    except OSError as error:
        raise fault("output_held", out / name, found=error.strerror or str(error)) from None
    try:
        finish_or_undo(out, name)
        aside = _aside(out, name)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            yield aside
            assert (aside / COMPLETE).is_file()
            for kept in KEPT:
                if (out / name / kept).is_dir():
                    shutil.copytree(out / name / kept, aside / kept)
            _swap(out, name)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
    finally:
        lock.release()


def finish_or_undo(out: Path, name: str) -> None:
    """Finish or undo the swap of a killed run, so that `out/name` is complete."""
    target, aside, former = out / name, _aside(out, name), _former(out, name)
    if former.exists() and not target.exists():
        if (aside / COMPLETE).is_file():
            aside.rename(target)
        else:
            former.rename(target)
    shutil.rmtree(former, ignore_errors=True)


def _swap(out: Path, name: str) -> None:
    """Put the new folder in place of the former one. Raises `UserFault` and leaves the former."""
    target, aside, former = out / name, _aside(out, name), _former(out, name)
    try:
        if target.exists():
            target.rename(former)
        aside.rename(target)
    except OSError as error:
        if former.exists() and not target.exists():
            former.rename(target)
        raise fault("output_held", target, found=error.strerror or str(error)) from None
    shutil.rmtree(former, ignore_errors=True)


def _aside(out: Path, name: str) -> Path:
    return out / f".{name}.new"


def _former(out: Path, name: str) -> Path:
    return out / f".{name}.former"
