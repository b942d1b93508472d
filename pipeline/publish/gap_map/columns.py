"""Columns of whole numbers → one block of text that a page decodes without a library, and back.

A column is cut into byte planes (all lowest bytes, then the next …), which compress well; the
planes are deflated (RFC 1951) and written as base64. Missing is 0, every value is stored plus one.
Does not belong here: what the columns mean.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

_LARGEST = 2.0**47  # six bytes
_EPSILON = 1e-6  # 39.85 × 1000 is 39849.99… in binary


def scaled(values: pd.Series | np.ndarray, scale: float) -> np.ndarray:
    """Figures → whole numbers, 0 = missing, else floor(value × scale) + 1.

    Cut off, not rounded: a speed of 39.996 stays below 40 in its class, and the page, which writes
    fewer digits than `scale` keeps, rounds once. An interval without an upper end, or with one
    beyond all sense, counts as missing. Values are not negative.

    >>> scaled(pd.Series([39.996, 40.0, None, float("inf"), 0.0]), 100).tolist()
    [4000, 4001, 0, 0, 1]
    """
    numbers = np.asarray(values, dtype="float64")
    known = np.isfinite(numbers) & (np.abs(numbers) * scale < _LARGEST)
    assert (numbers[known] >= 0).all()
    return np.where(
        known, np.floor(np.where(known, numbers, 0.0) * scale + _EPSILON) + 1, 0
    ).astype("int64")


def classed(values: pd.Series | np.ndarray, scale: float, breaks: tuple[float, ...]) -> np.ndarray:
    """Figures → whole numbers: 0 = missing, else value × scale plus one.

    Rounded half up, but cut where that would change the class.

    >>> classed(pd.Series([39.94, 39.96, 40.04, 12.25, None]), 10, (10, 20, 40)).tolist()
    [400, 400, 401, 124, 0]
    """
    numbers = np.asarray(values, dtype="float64")
    rounded, cut = scaled(numbers + 0.5 / scale, scale), scaled(numbers, scale)
    limits = np.asarray(breaks) * scale
    kept = np.searchsorted(limits, rounded - 1, side="right") == np.searchsorted(
        limits, cut - 1, side="right"
    )
    return np.where(kept, rounded, cut)


def counted(values: pd.Series | np.ndarray) -> np.ndarray:
    """Counts → whole numbers plus one, 0 = missing; shares of a tile's counts are rounded.

    >>> counted(pd.Series([0.0, 2.5, None])).tolist()
    [1, 4, 0]
    """
    return scaled(np.asarray(values, dtype="float64") + 0.5, 1)


def places(values: pd.Series, among: list[str]) -> np.ndarray:
    """Texts → their place in a list plus one, 0 = missing or not in it.

    >>> places(pd.Series(["b", None, "c"]), ["a", "b"]).tolist()
    [2, 0, 0]
    """
    place = pd.Index(among, dtype="str").get_indexer(pd.Index(values, dtype="str"))
    return np.asarray(place, dtype="int64") + 1


def marked(values: pd.Series, among: tuple[str, ...]) -> np.ndarray:
    """`;`-separated texts → one bit for each text of a list, plus one.

    >>> marked(pd.Series(["", "c;a"]), ("a", "b", "c")).tolist()
    [1, 6]
    """
    held = [set(text.split(";")) for text in values.fillna("")]
    return np.array(
        [1 + sum(1 << bit for bit, name in enumerate(among) if name in have) for have in held],
        "int64",
    )


def zigzag(values: np.ndarray) -> np.ndarray:
    """Differences of whole numbers, signs folded in: 0, −1, 1, −2 become 0, 1, 2, 3.

    >>> zigzag(np.array([5, 4, 6])).tolist()
    [10, 1, 4]
    """
    steps = np.diff(np.asarray(values, dtype="int64"), prepend=0)
    return np.where(steps < 0, -2 * steps - 1, 2 * steps)


def encoded(columns: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The columns as one deflated block.

    Keys: `columns` [[name, count, bytes a value]], `size` of the planes, their `sha256`, and the
    deflated planes as `base64`.
    """
    listed, planes = [], []
    for name, values in columns.items():
        numbers = np.ascontiguousarray(values, dtype="uint64")
        width = max(1, (int(numbers.max(initial=0)).bit_length() + 7) // 8)
        assert width <= 6, f"{name}: a page's numbers hold 53 bits"
        listed.append([name, len(numbers), width])
        planes.append(numbers.view("uint8").reshape(-1, 8)[:, :width].T.tobytes())
    raw = b"".join(planes)
    packer = zlib.compressobj(
        6, zlib.DEFLATED, -15
    )  # higher levels: 2 % smaller, seven times slower
    packed = packer.compress(raw) + packer.flush()
    return {
        "columns": listed,
        "size": len(raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "base64": base64.b64encode(packed).decode(),
    }


def decoded(block: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The columns of a block, as the page decodes them.

    >>> decoded(encoded({"a": np.array([1, 300]), "b": np.array([], "int64")}))["a"].tolist()
    [1, 300]
    """
    raw = np.frombuffer(zlib.decompress(base64.b64decode(block["base64"]), -15), "uint8")
    assert hashlib.sha256(raw.tobytes()).hexdigest() == block["sha256"]
    columns, at = {}, 0
    for name, count, width in block["columns"]:
        planes = raw[at : at + count * width].reshape(width, count).astype("uint64")
        columns[name] = (planes << (8 * np.arange(width, dtype="uint64"))[:, None]).sum(
            axis=0, dtype="uint64"
        )
        at += count * width
    return columns
