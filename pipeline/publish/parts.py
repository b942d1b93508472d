"""A part of a period's outputs that a command of its own writes: OUT/PERIOD/NAME.

It is written aside, examined for privacy, and replaces a former one as a whole. Does not belong
here: what is written; the month itself (`swap.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from pipeline.publish import guard
from pipeline.schema.errors import fault


@dataclass(frozen=True)
class Examined:
    """Which files are examined, and for what."""

    patterns: tuple[str, ...]
    device_prints: npt.NDArray[np.uint64]  # fingerprints of device ids
    min_devices: int  # smaller groups are not shown
    ours: Callable[[], Iterable[str]] = tuple  # texts that do not come from rows of tests


def replace_part(folder: Path, write: Callable[[Path], object], examined: Examined) -> None:
    """Let `write` fill a folder aside; where that passes the privacy check it becomes `folder`.

    Raises `UserFault` where another run writes in the period's folder, or the system refuses.
    """
    out, period = folder.parent.parent, folder.parent.name
    aside = folder.with_name(f".{folder.name}.new")
    former = folder.with_name(f".{folder.name}.former")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(out / f".{period}.lock", timeout=0):
            for left in (aside, former):
                shutil.rmtree(left, ignore_errors=True)
            aside.mkdir()
            write(aside)
            for pattern in examined.patterns:
                guard.examine(
                    aside,
                    device_prints=examined.device_prints,
                    min_devices=examined.min_devices,
                    ours=examined.ours,
                    pattern=pattern,
                )
            if folder.exists():
                folder.rename(former)
            aside.rename(folder)
            shutil.rmtree(former, ignore_errors=True)
    except Timeout:
        raise fault("output_busy", folder.parent) from None
    except OSError as error:
        if former.exists() and not folder.exists():
            former.rename(folder)
        raise fault("output_held", folder, found=error.strerror or str(error)) from None
