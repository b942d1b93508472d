"""Delivered files as rows of text: which files, which encoding, which delimiter, which row is which.

Does not belong here: what the columns mean (`table.py`, `ispeed.py`, `ookla.py`).
"""

from __future__ import annotations

import csv
import glob
import gzip
import hashlib
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import Fault, UserFault, fault

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".parquet")
OVERFLOW = "__beyond_heading_"  # a row with more fields than the heading is set aside, not read askew
_OVERFLOW_COUNT = 8


@dataclass(frozen=True)
class Delivery:
    """A file and the name it goes by in tables: as much of its folder as makes it unique, never a whole path."""

    path: Path
    name: str

    @property
    def sha256(self) -> str:
        """Hash of the file's bytes."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def deliveries(patterns: tuple[str, ...]) -> list[Delivery]:
    """The files of a source, sorted by path. Raises `UserFault` for every pattern that meets none."""
    paths: set[Path] = set()
    faults = []
    for pattern in patterns:
        found = _expand(pattern)
        if not found:
            faults.append(Fault("missing_file" if not glob.has_magic(pattern) else "empty_glob", pattern))
        paths.update(found)
    if faults:
        raise UserFault(faults)
    ordered = sorted(path.resolve() for path in paths)
    return [Delivery(path, name) for path, name in zip(ordered, _unique_names(ordered), strict=True)]


def _expand(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        return [p for p in path.rglob("*") if p.is_file() and _suffix(p) in SUFFIXES and not _is_scratch(p)]
    return [Path(p) for p in glob.glob(pattern, recursive=True) if Path(p).is_file() and not _is_scratch(Path(p))]


def _is_scratch(path: Path) -> bool:
    """Lock files of Excel and LibreOffice, hidden files."""
    return path.name.startswith(("~$", ".", ".~lock"))


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def _unique_names(paths: list[Path]) -> list[str]:
    depth = 1
    while True:
        names = ["/".join(p.parts[-depth:]) for p in paths]
        counts = Counter(names)
        if max(counts.values(), default=1) == 1:
            break
        depth += 1
    # only names that clash carry their folder
    short = Counter(p.name for p in paths)
    return [p.name if short[p.name] == 1 else name for p, name in zip(paths, names, strict=True)]


def read_rows(
    delivery: Delivery, *, delimiter: str | None = None, encoding: str | None = None, sheet: str | int = 0
) -> pd.DataFrame:
    """The file's rows under its own headings, indexed by `source_row` (heading = 1).

    CSV, TSV, TXT and XLSX come as text (missing = null); Parquet keeps its types. Fields beyond the heading stand in
    columns that start with `OVERFLOW`. Raises `UserFault`: unknown suffix, empty file, unreadable content.
    """
    path, suffix = delivery.path, _suffix(delivery.path)
    if suffix not in SUFFIXES:
        raise fault("unknown_suffix", delivery.name, found=suffix or path.name, expected=" ".join(SUFFIXES))
    if path.stat().st_size == 0:
        raise fault("empty_file", delivery.name)
    if suffix == ".parquet":
        frame = _parquet(delivery)
    elif suffix == ".xlsx":
        frame = _xlsx(delivery, sheet)
    else:
        frame = _delimited(delivery, delimiter or ("\t" if suffix == ".tsv" else None), encoding)
    frame.columns = [str(c).strip() for c in frame.columns]
    if repeated := [name for name, n in Counter(frame.columns).items() if n > 1]:
        raise fault("repeated_heading", delivery.name, row=1, found=", ".join(repeated))
    frame.index = pd.RangeIndex(2, 2 + len(frame), name="source_row")
    return frame


def _parquet(delivery: Delivery) -> pd.DataFrame:
    import pyarrow.parquet as pq

    try:
        # not `filters`/hive folders: a delivery is one file, its folder's name is not a column
        return pq.ParquetFile(delivery.path).read().to_pandas()
    except Exception as error:
        raise fault("unreadable_file", delivery.name, found=_first_line(error), expected="Parquet") from None


def _xlsx(delivery: Delivery, sheet: str | int) -> pd.DataFrame:
    source: Any = delivery.path
    try:
        if delivery.path.name.lower().endswith(".gz"):
            source = io.BytesIO(gzip.decompress(delivery.path.read_bytes()))
        frame = pd.read_excel(source, sheet_name=sheet, engine="calamine", dtype=object)
    except Exception as error:
        raise fault("unreadable_file", delivery.name, found=_first_line(error), expected="XLSX") from None
    if not len(frame.columns):
        raise fault("empty_file", delivery.name)
    return pd.DataFrame({name: _excel_text(frame[name]) for name in frame.columns})


def _excel_text(column: pd.Series) -> pd.Series:
    """Cells as text: a date cell as ISO 8601, a whole number without `.0`."""

    def text(cell: Any) -> str | None:
        if cell is None or cell is pd.NaT or (isinstance(cell, float) and pd.isna(cell)):
            return None
        if isinstance(cell, float) and cell.is_integer():
            return str(int(cell))
        return str(cell.isoformat(sep=" ") if hasattr(cell, "hour") and hasattr(cell, "year") else cell).strip() or None

    return column.map(text).astype("str")


def _delimited(delivery: Delivery, delimiter: str | None, encoding: str | None) -> pd.DataFrame:
    content = delivery.path.read_bytes()
    if delivery.path.name.lower().endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise fault("unreadable_file", delivery.name, found=_first_line(error), expected="gzip") from None
    text = _decoded(content, encoding, delivery)
    heading = text.lstrip("\r\n").split("\n", 1)[0].rstrip("\r")
    if not heading.strip():
        raise fault("empty_file", delivery.name)
    delimiter = delimiter or _delimiter(heading)
    names = next(csv.reader([heading], delimiter=delimiter))
    names = [name if name.strip() else f"column_{i}" for i, name in enumerate(names, start=1)]
    if repeated := [name for name, n in Counter(name.strip() for name in names).items() if n > 1]:
        raise fault("repeated_heading", delivery.name, row=1, found=", ".join(repeated))
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            names=[*names, *(f"{OVERFLOW}{i}" for i in range(_OVERFLOW_COUNT))],
            skiprows=1,
            dtype="str",
            na_values=[""],
            keep_default_na=False,
            index_col=False,
            skipinitialspace=True,
        )
    except pd.errors.ParserError as error:
        raise fault(
            "unreadable_file", delivery.name, found=_first_line(error), expected=f"{len(names)} fields"
        ) from None
    return frame.drop(columns=[c for c in frame if str(c).startswith(OVERFLOW) and frame[c].isna().all()])


def _decoded(content: bytes, encoding: str | None, delivery: Delivery) -> str:
    if encoding:
        candidates = [encoding]
    elif content.startswith((b"\xff\xfe", b"\xfe\xff")):
        candidates = ["utf-16"]
    elif b"\x00" in content[:200]:
        candidates = ["utf-16-le" if content[1:2] == b"\x00" else "utf-16-be"]
    else:
        candidates = ["utf-8-sig", "cp1258"]
    for candidate in candidates:
        try:
            return content.decode(candidate).lstrip("\ufeff")
        except (UnicodeDecodeError, LookupError):
            continue
    raise fault("bad_encoding", delivery.name, found=", ".join(candidates))


def _delimiter(heading: str) -> str:
    """The separator that the heading holds most often outside quotes; a comma when it holds none."""
    bare = "".join(part for i, part in enumerate(heading.split('"')) if i % 2 == 0)
    counts = {mark: bare.count(mark) for mark in (",", ";", "\t", "|")}
    return max(counts, key=lambda mark: counts[mark])


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
