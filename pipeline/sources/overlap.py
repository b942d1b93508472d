"""Whether two sources hold the same tests, exported twice: by sketches that travel with accounts.

Repeats are looked for within a source, by exact values. The same tests from two exports differ in
ids, seconds and digits, so they are compared coarsely here, and a finding stops the run instead of
removing rows. Does not belong here: repeats within a source (`samples.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

KEPT = 4_096  # marks of a sketch: a share of 20 % is known to 0.6 points (standard error)
_MINUTE_US = 60_000_000
_MBPS = 1_000_000  # bit/s
Sketch = npt.NDArray[np.uint64]  # ascending, distinct
c = pl.col


@dataclass(frozen=True)
class Overlap:
    """Two sources that share tests. `shared`, `of`: marks of the smaller one that were compared."""

    smaller: str
    larger: str
    shared: int
    of: int


def sketch(rows: pl.DataFrame) -> Sketch:
    """The KEPT smallest marks of the rows: a sample that is the same for the same tests.

    `rows`: time (µs), latitude, longitude, operator, bits. A mark is the hash of minute, place to a
    thousandth of a degree, operator and whole Mbit/s; failed tests and rows without a time or place
    have none. Source: E. Cohen, H. Kaplan, "Summarizing data using bottom-k sketches", PODC 2007.
    """
    sound = rows.filter(
        (c("bits") > 0) & c("time").is_not_null() & c("latitude").is_finite()
        & c("longitude").is_finite() & c("operator").is_not_null()
    )  # fmt: skip
    marks = sound.select(
        c("time") // _MINUTE_US,
        (c("latitude") * 1_000).round().cast(pl.Int32),
        (c("longitude") * 1_000).round().cast(pl.Int32),
        "operator",
        c("bits") // _MBPS,
    ).hash_rows()
    return union(marks.to_numpy())


def union(*sketches: Sketch) -> Sketch:
    """The sketch of the rows of all."""
    return np.unique(np.concatenate(sketches))[:KEPT]


def overlaps(sketches: Mapping[str, Sketch]) -> list[Overlap]:
    """Every pair of sources that shares a mark. `sketches`: by source.

    Up to the lower of both sketches' last marks each holds all marks of its source, so that what
    they share there is an unbiased sample of what the sources share.

    >>> first, second = np.arange(0, 50, dtype=np.uint64), np.arange(40, 60, dtype=np.uint64)
    >>> overlaps({"a": first, "b": second})
    [Overlap(smaller='b', larger='a', shared=10, of=20)]
    """
    found = []
    names = sorted(sketches)
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            pair = {
                one: _within(sketches[one], sketches[name], sketches[other])
                for one in (name, other)
            }
            smaller, larger = sorted(pair, key=lambda one: (len(pair[one]), one))
            shared = len(np.intersect1d(pair[smaller], pair[larger], assume_unique=True))
            if shared:
                found.append(Overlap(smaller, larger, shared, len(pair[smaller])))
    return found


def _within(one: Sketch, *both: Sketch) -> Sketch:
    """The marks up to the lowest last mark of the full sketches among `both`."""
    last = [sketched[-1] for sketched in both if len(sketched) == KEPT]
    return one[one <= min(last)] if last else one
