"""What became of the rows that were read: the books by source, the rejects, the devices met.

Does not belong here: why a row is set aside (`prepare.py`, `counts.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from pipeline.measurements import fingerprints
from pipeline.measurements.aggregates import Aggregates
from pipeline.measurements.alarms import Copies
from pipeline.measurements.prepare import Preparation
from pipeline.schema.tables import decode_labels


def books_of(found: Aggregates, how: Preparation) -> pd.DataFrame:
    """By source: rows read = valid tests + failed tests + rejects; asserted here."""
    books = found["books"].to_pandas().groupby("source").sum().astype("int64")
    books = books.set_axis(pd.Index([how.sources[n] for n in books.index], name="source"))
    parts = books[["valid_count", "failed_count", "reject_count"]].sum(axis=1)
    assert (books["read_count"] == parts).all()
    return books.sort_index()


def rejects_of(found: Aggregates, how: Preparation) -> pd.DataFrame:
    """Rows that are set aside, in the order of files and rows.

    source, source_file, source_row, reject_reason.
    """
    rows = found["rejects"].sort("file", "row")
    names = {"source": how.sources, "file": how.files}
    texts = {name: decode_labels(rows[name].to_numpy(), of) for name, of in names.items()}
    reasons = rows["reason"].cast(pl.String).to_pandas().astype("str")
    numbers = pd.Series(rows["row"].to_numpy(), dtype="int64")
    return pd.DataFrame(
        {
            "source": texts["source"], "source_file": texts["file"], "reject_reason": reasons,
            "source_row": numbers,
        }
    )  # fmt: skip


def copies_of(found: Aggregates, how: Preparation) -> dict[str, Copies]:
    """By source: rows of the window that repeat another."""
    counts = {
        name: dict(found[name].group_by("source").agg(pl.col("repeats").sum()).iter_rows())
        for name in ("repeats in file", "repeated fences")
    }
    tests, fences = counts.values()
    return {
        how.sources[number]: Copies(tests.get(number, 0), fences.get(number, 0))
        for number in {*tests, *fences}
    }


def devices_of(found: Aggregates, how: Preparation) -> pd.DataFrame:
    """Rows of each device id: source, rows."""
    phones = found["phones"]
    sources = decode_labels(phones["source"].to_numpy(), how.sources)
    return pd.DataFrame({"source": sources, "rows": phones["rows"].to_numpy().astype(np.int64)})


def prints_of(found: Aggregates, how: Preparation) -> npt.NDArray[np.uint64]:
    """Fingerprints of the device ids as texts, ascending: for the last look at the outputs."""
    salt = fingerprints.of_texts(pd.Series(how.sources, dtype="str"))
    phones = found["phones"]
    return np.unique(phones["device"].to_numpy() ^ salt[phones["source"].to_numpy()])
