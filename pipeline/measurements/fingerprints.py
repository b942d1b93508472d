"""64-bit fingerprints of texts and figures: they stand for devices and tests in all comparisons.

Two different texts share a fingerprint with a chance of 2**-64: among 3 million devices any two do
with one of 2.4e-7.
Mixing: SplitMix64 (Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators).
Does not belong here: what is a device, a repeat (`samples.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

Prints = npt.NDArray[np.uint64]
_STEP = np.uint64(0x9E3779B97F4A7C15)
# values at once: what is made of them on the way stays in the cache (22 ns a text against 52)
_CACHED = 65_536
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mixed(values: Prints) -> Prints:
    """Every bit of the result depends on every bit of the value; one to one."""
    found = values + _STEP
    for start in range(0, len(found), _CACHED):
        z = found[start : start + _CACHED]
        z ^= z >> np.uint64(30)
        z *= _FIRST
        z ^= z >> np.uint64(27)
        z *= _SECOND
        z ^= z >> np.uint64(31)
    return found


def combined(*columns: npt.NDArray[Any]) -> Prints:
    """One fingerprint per row of several columns of 64-bit values; their order matters.

    Floats count by their bits, −0 as 0.
    """
    result: Prints | None = None
    for column in columns:
        bits = column + 0.0 if column.dtype.kind == "f" else column
        word = bits.astype("float64" if column.dtype.kind == "f" else "uint64", copy=False).view(
            "uint64"
        )
        result = mixed(word) if result is None else mixed(result ^ word)
    assert result is not None
    return result


def of_texts(column: pd.Series, seed: int = 0) -> Prints:
    """Fingerprint of each text, 0 for null.

    >>> a, none, again, b = of_texts(pd.Series(["a", None, "a", "b"], dtype="str")).tolist()
    >>> a == again, none, a == b
    (True, 0, False)
    """
    texts = pa.array(column, type=pa.large_string(), from_pandas=True)
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    parts = [
        _of_array(texts.slice(start, _CACHED), seed) for start in range(0, len(texts), _CACHED)
    ]
    return np.concatenate([np.zeros(0, np.uint64), *parts])


def _of_array(texts: pa.LargeStringArray, seed: int) -> Prints:
    result = np.zeros(len(texts), dtype=np.uint64)
    if not len(texts) or texts.null_count == len(texts):
        return result
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)[
        texts.offset : texts.offset + len(texts) + 1
    ]
    data = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)
    lengths = np.diff(offsets)
    known = texts.is_valid().to_numpy(zero_copy_only=False)
    sizes = np.flatnonzero(np.bincount(lengths[known]))
    for size in sizes.tolist():
        rows = (
            None if len(sizes) == 1 and known.all() else np.flatnonzero(known & (lengths == size))
        )
        result[slice(None) if rows is None else rows] = _of_equal_lengths(
            data, offsets, rows, size, seed
        )
    return result


def _of_equal_lengths(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64] | None,
    size: int,
    seed: int,
) -> Prints:
    count = len(offsets) - 1 if rows is None else len(rows)
    padded = np.zeros((count, -(-max(size, 1) // 8) * 8), dtype=np.uint8)
    if rows is None:
        padded[:, :size] = data[offsets[0] : offsets[0] + count * size].reshape(count, size)
    else:
        padded[:, :size] = data[offsets[rows, None] + np.arange(size)]
    words = padded.view(np.uint64)
    result = np.full(count, (size + (seed << 32)) & 0xFFFFFFFFFFFFFFFF, dtype=np.uint64)
    for place in range(words.shape[1]):
        result = mixed(result ^ words[:, place])
    result[result == 0] = 1  # 0 stands for null
    return result


def operator_prints(names: list[str]) -> npt.NDArray[np.uint32]:
    """32 bits of each operator's fingerprint: names are few enough for that, which is asserted."""
    prints = (of_texts(pd.Series(names, dtype="str")) >> np.uint64(32)).astype(np.uint32)
    assert len(np.unique(prints)) == len(set(names))
    return prints
