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
            code = (
                "empty_folder"
                if Path(pattern).is_dir()
                else "empty_glob"
                if glob.has_magic(pattern)
                else "missing_file"
            )
            faults.append(Fault(code, pattern, values={"expected": SUFFIXES}))
        paths.update(found)
    if faults:
        raise UserFault(faults)
    ordered = sorted(path.resolve() for path in paths)
    return [Delivery(path, name) for path, name in zip(ordered, _unique_names(ordered), strict=True)]


def passed_over(patterns: tuple[str, ...]) -> list[str]:
    """Names of files in a source's folders that are of no readable type: nothing is passed over in silence."""
    folders = [Path(p) for p in patterns if Path(p).is_dir()]
    files = [p for folder in folders for p in folder.rglob("*") if p.is_file() and not _is_scratch(p)]
    return sorted(p.name for p in files if _suffix(p) not in (*SUFFIXES, ".md"))


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
    delivery: Delivery,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: str | int = 0,
    heading_row: int = 1,
) -> pd.DataFrame:
    """The file's rows under its own headings, indexed by `source_row` as a spreadsheet counts; blank rows are no rows.

    `heading_row`: where the headings stand (exports may begin with a title). CSV, TSV, TXT and XLSX come as text (missing =
    null); Parquet keeps its types. Fields beyond the heading stand in columns that start with `OVERFLOW`.
    Raises `UserFault`: unknown suffix, empty file, repeated headings, unreadable content.
    """
    path, suffix = delivery.path, _suffix(delivery.path)
    if suffix not in SUFFIXES:
        raise fault("unknown_suffix", delivery.name, found=suffix or path.name, expected=" ".join(SUFFIXES))
    if path.stat().st_size == 0:
        raise fault("empty_file", delivery.name)
    if suffix == ".parquet":
        return _numbered(_parquet(delivery), 2)
    if suffix == ".xlsx":
        names, frame = _xlsx(delivery, sheet, heading_row)
    else:
        names, frame = _delimited(delivery, delimiter or ("\t" if suffix == ".tsv" else None), encoding, heading_row)
    if repeated := [name for name, n in Counter(names).items() if n > 1]:
        raise fault("repeated_heading", delivery.name, row=heading_row, found=", ".join(repeated))
    beyond = [f"{OVERFLOW}{i}" for i in range(frame.shape[1] - len(names))]
    frame.columns = pd.Index([*names, *beyond])
    frame = _numbered(frame.drop(columns=[c for c in beyond if frame[c].isna().all()]), heading_row + 1)
    return frame[frame.notna().any(axis=1)]


def _numbered(frame: pd.DataFrame, first: int) -> pd.DataFrame:
    frame.index = pd.RangeIndex(first, first + len(frame), name="source_row")
    return frame


def _headings(cells: list[Any]) -> list[str]:
    """Headings as text; nameless columns get a name, nameless ones at the end are none."""
    texts = ["" if cell is None or (isinstance(cell, float) and pd.isna(cell)) else str(cell).strip() for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    return [text or f"column_{i}" for i, text in enumerate(texts, start=1)]


def _parquet(delivery: Delivery) -> pd.DataFrame:
    import pyarrow.parquet as pq

    try:
        # not `filters`/hive folders: a delivery is one file, its folder's name is not a column
        return pq.ParquetFile(delivery.path).read().to_pandas()
    except Exception as error:
        raise fault("unreadable_file", delivery.name, found=_first_line(error), expected="Parquet") from None


def _xlsx(delivery: Delivery, sheet: str | int, heading_row: int) -> tuple[list[str], pd.DataFrame]:
    source: Any = delivery.path
    try:
        if delivery.path.name.lower().endswith(".gz"):
            source = io.BytesIO(gzip.decompress(delivery.path.read_bytes()))
        cells = pd.read_excel(source, sheet_name=sheet, engine="calamine", dtype=object, header=None)
    except Exception as error:
        raise fault("unreadable_file", delivery.name, found=_first_line(error), expected="XLSX") from None
    if len(cells) < heading_row or not (names := _headings(cells.iloc[heading_row - 1].tolist())):
        raise fault("empty_file", delivery.name)
    body = cells.iloc[heading_row:].reset_index(drop=True)
    return names, pd.DataFrame({name: _excel_text(body[name]) for name in body.columns}, index=body.index)


def _excel_text(column: pd.Series) -> pd.Series:
    """Cells as text: a date cell as ISO 8601, a whole number without `.0`."""

    def text(cell: Any) -> str | None:
        if cell is None or cell is pd.NaT or (isinstance(cell, float) and pd.isna(cell)):
            return None
        if isinstance(cell, float) and cell.is_integer():
            return str(int(cell))
        return str(cell.isoformat(sep=" ") if hasattr(cell, "hour") and hasattr(cell, "year") else cell).strip() or None

    return column.map(text).astype("str")


def _delimited(
    delivery: Delivery, delimiter: str | None, encoding: str | None, heading_row: int
) -> tuple[list[str], pd.DataFrame]:
    content = delivery.path.read_bytes()
    if delivery.path.name.lower().endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise fault("unreadable_file", delivery.name, found=_first_line(error), expected="gzip") from None
    text = _decoded(content, encoding, delivery).replace("\r\n", "\n").replace("\r", "\n")
    above = text.split("\n", heading_row)
    if len(above) <= heading_row - 1 or not above[heading_row - 1].strip():
        raise fault("empty_file", delivery.name)
    heading, body = above[heading_row - 1], above[heading_row] if len(above) > heading_row else ""
    delimiter = delimiter or _delimiter(heading)
    names = _headings(next(csv.reader([heading], delimiter=delimiter)))
    try:
        frame = pd.read_csv(
            io.StringIO(body),
            sep=delimiter,
            names=range(len(names) + _OVERFLOW_COUNT),
            header=None,
            dtype="str",
            na_values=[""],
            keep_default_na=False,
            index_col=False,
            skipinitialspace=True,
            skip_blank_lines=False,  # row numbers count them
        )
    except pd.errors.EmptyDataError:
        return names, pd.DataFrame({i: pd.Series(dtype="str") for i in range(len(names))})
    except pd.errors.ParserError as error:
        raise fault(
            "unreadable_file", delivery.name, found=_first_line(error), expected=f"{len(names)} fields"
        ) from None
    return names, frame


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
