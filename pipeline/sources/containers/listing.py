"""Delivered files as rows of text: which files, encoding, delimiter, row numbers.

Does not belong here: what the columns mean (`table.py`, `ispeed.py`, `ookla.py`), the quick way for
large files (`frames.py`).
"""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pandas as pd
import pyarrow as pa

from pipeline.schema.errors import Fault, UserFault, fault

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".parquet")
OVERFLOW = (
    "__beyond_heading_"  # a row with more fields than the heading is set aside, not read askew
)
_OVERFLOW_COUNT = 8
BATCH = 524_288  # rows that are read at once


@dataclass(frozen=True)
class Delivery:
    """A file and its name in tables.

    The name has as much of the folder as makes it unique, and is never a whole path.
    """

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
    ordered = sorted({path.resolve() for path in paths})  # a file by two paths is read once
    return [
        Delivery(path, name) for path, name in zip(ordered, _unique_names(ordered), strict=True)
    ]


def named_again(patterns: tuple[str, ...]) -> list[str]:
    """Names of files that a source names more than once: by two patterns, or by a link too."""
    met = Counter(path.resolve() for pattern in patterns for path in _expand(pattern))
    return sorted(path.name for path, count in met.items() if count > 1)


def passed_over(patterns: tuple[str, ...]) -> list[str]:
    """Names of files in a source's folders that are of no readable type, to be reported."""
    folders = [Path(p) for p in patterns if Path(p).is_dir()]
    files = [
        p for folder in folders for p in folder.rglob("*") if p.is_file() and not _is_scratch(p)
    ]
    return sorted(p.name for p in files if suffix_of(p) not in (*SUFFIXES, ".md"))


def _expand(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        return [
            p
            for p in path.rglob("*")
            if p.is_file() and suffix_of(p) in SUFFIXES and not _is_scratch(p)
        ]
    return [
        Path(p)
        for p in glob.glob(pattern, recursive=True)
        if Path(p).is_file() and not _is_scratch(Path(p))
    ]


def _is_scratch(path: Path) -> bool:
    """Lock files of Excel and LibreOffice, hidden files."""
    return path.name.startswith(("~$", ".", ".~lock"))


def suffix_of(path: Path) -> str:
    """A file's suffix in lower case, without `.gz`."""
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


def read_rows(delivery: Delivery, **how: Any) -> pd.DataFrame:
    """All rows of a file at once, as `batches` gives them."""
    parts = list(batches(delivery, **how))
    return parts[0] if len(parts) == 1 else pd.concat(parts)


def batches(
    delivery: Delivery,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: str | int = 0,
    heading_row: int = 1,
    decimal: str | None = None,
) -> Generator[pd.DataFrame]:
    """The file's rows under its own headings, numbered as a spreadsheet counts them.

    Blank rows are no rows.

    At least one batch of at most BATCH rows, so that memory is bounded by the batch (a workbook is
    read as a whole).
    `heading_row`: where the headings stand (exports may begin with a title). `decimal`: the mark in
    the text cells of a workbook, in which its numbers are then given too. CSV, TSV, TXT and XLSX
    come as text (missing = null); Parquet keeps its types. Fields beyond the heading stand in
    columns that start with `OVERFLOW`. Raises `UserFault`: unknown suffix, empty file, repeated
    headings, unreadable content.
    """
    path, suffix = delivery.path, suffix_of(delivery.path)
    if suffix not in SUFFIXES:
        raise fault(
            "unknown_suffix", delivery.name, found=suffix or path.name, expected=" ".join(SUFFIXES)
        )
    if path.stat().st_size == 0:
        raise fault("empty_file", delivery.name)
    if suffix == ".parquet":
        yield from _parquet(delivery)
        return
    if suffix == ".xlsx":
        names, frame = _xlsx(delivery, sheet, heading_row, decimal)
        frames = iter([frame])
    else:
        names, frames = _delimited(
            delivery, delimiter or ("\t" if suffix == ".tsv" else None), encoding, heading_row
        )
    if repeated := [name for name, n in Counter(names).items() if n > 1]:
        raise fault("repeated_heading", delivery.name, row=heading_row, found=", ".join(repeated))
    yield from _named(names, frames, heading_row + 1)


def lines(
    delivery: Delivery, block: bytes, names: list[str], delimiter: str, first_row: int
) -> Generator[pd.DataFrame]:
    """Some lines of a UTF-8 text file as `batches` gives them; `first_row`: the first one's number."""

    def body() -> io.TextIOWrapper:
        return io.TextIOWrapper(io.BytesIO(block), encoding="utf-8", newline=None)

    return _named(names, _fields(delivery, body, delimiter, len(names)), first_row)


def _named(names: list[str], frames: Iterator[pd.DataFrame], first: int) -> Generator[pd.DataFrame]:
    for frame in frames:
        beyond = [f"{OVERFLOW}{i}" for i in range(frame.shape[1] - len(names))]
        frame.columns = pd.Index([*names, *beyond])
        frame = _numbered(frame.drop(columns=[c for c in beyond if frame[c].isna().all()]), first)
        first += len(frame)
        yield frame[frame.notna().any(axis=1)]


def headings(delivery: Delivery, **how: Any) -> list[str]:
    """A file's headings, without those of `OVERFLOW`."""
    if suffix_of(delivery.path) == ".parquet" and delivery.path.stat().st_size:
        with _open_parquet(delivery) as file:
            return list(file.schema_arrow.names)
    with closing(batches(delivery, **how)) as parts:
        return [str(c) for c in next(parts).columns if not str(c).startswith(OVERFLOW)]


def row_group_sizes(delivery: Delivery) -> list[int] | None:
    """Rows of each row group of a Parquet file.

    None for other files, which are read from their start.
    """
    if suffix_of(delivery.path) != ".parquet" or not delivery.path.stat().st_size:
        return None
    with _open_parquet(delivery) as file:
        metadata = file.metadata
    return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]


def _numbered(frame: pd.DataFrame, first: int) -> pd.DataFrame:
    frame.index = pd.RangeIndex(first, first + len(frame), name="source_row")
    return frame


def headings_of(cells: list[Any]) -> list[str]:
    """Headings as text; nameless columns get a name, nameless ones at the end are none."""
    texts = [
        "" if cell is None or (isinstance(cell, float) and pd.isna(cell)) else str(cell).strip()
        for cell in cells
    ]
    while texts and not texts[-1]:
        texts.pop()
    return [text or f"column_{i}" for i, text in enumerate(texts, start=1)]


def _open_parquet(delivery: Delivery) -> Any:
    import pyarrow.parquet as pq

    try:
        # not `filters`/hive folders: a delivery is one file, its folder's name is not a column
        return pq.ParquetFile(delivery.path)
    except Exception as error:
        raise fault(
            "unreadable_file", delivery.name, found=first_line(error), expected="Parquet"
        ) from None


def _parquet(delivery: Delivery) -> Iterator[pd.DataFrame]:
    with _open_parquet(delivery) as file:
        first = 2
        try:
            for batch in file.iter_batches(BATCH):
                yield _numbered(batch.to_pandas(), first)
                first += batch.num_rows
            if first == 2:
                yield _numbered(file.schema_arrow.empty_table().to_pandas(), first)
        except (pa.ArrowException, OSError) as error:
            raise fault(
                "unreadable_file", delivery.name, found=first_line(error), expected="Parquet"
            ) from None


def _xlsx(
    delivery: Delivery, sheet: str | int, heading_row: int, decimal: str | None
) -> tuple[list[str], pd.DataFrame]:
    source: Any = delivery.path
    try:
        if delivery.path.name.lower().endswith(".gz"):
            source = io.BytesIO(gzip.decompress(delivery.path.read_bytes()))
        cells = pd.read_excel(
            source, sheet_name=sheet, engine="calamine", dtype=object, header=None
        )
    except Exception as error:
        raise fault(
            "unreadable_file", delivery.name, found=first_line(error), expected="XLSX"
        ) from None
    if len(cells) < heading_row or not (names := headings_of(cells.iloc[heading_row - 1].tolist())):
        raise fault("empty_file", delivery.name)
    body = cells.iloc[heading_row:].reset_index(drop=True)
    return names, pd.DataFrame(
        {name: _excel_text(body[name], decimal) for name in body.columns}, index=body.index
    )


def _excel_text(column: pd.Series, decimal: str | None) -> pd.Series:
    """Cells as text: a date cell as ISO 8601, a whole number without `.0`.

    A number has the decimal mark of the source, in which its text cells are written.
    """

    def text(cell: Any) -> str | None:
        if cell is None or cell is pd.NaT or (isinstance(cell, float) and pd.isna(cell)):
            return None
        if isinstance(cell, float):
            return str(int(cell)) if cell.is_integer() else str(cell).replace(".", decimal or ".")
        if hasattr(cell, "hour") and hasattr(cell, "year"):
            return str(cell.isoformat(sep=" "))
        return str(cell).strip() or None

    return column.map(text).astype("str")


def _delimited(
    delivery: Delivery, delimiter: str | None, encoding: str | None, heading_row: int
) -> tuple[list[str], Iterator[pd.DataFrame]]:
    known = _encoding(delivery, encoding)
    with io.TextIOWrapper(_opened(delivery), encoding=known, newline=None) as stream:
        heading = [stream.readline() for _ in range(heading_row)][-1].rstrip("\n").lstrip("\ufeff")
    if not heading.strip():
        raise fault("empty_file", delivery.name)
    delimiter = delimiter or delimiter_of(heading)
    names = headings_of(next(csv.reader([heading], delimiter=delimiter)))

    def body() -> io.TextIOWrapper:
        stream = io.TextIOWrapper(_opened(delivery), encoding=known, newline=None)
        for _ in range(heading_row):
            stream.readline()
        return stream

    return names, _fields(delivery, body, delimiter, len(names))


def _fields(
    delivery: Delivery, body: Callable[[], io.TextIOWrapper], delimiter: str, count: int
) -> Iterator[pd.DataFrame]:
    is_empty = True
    try:
        # not pyarrow's reader: it passes over blank lines and rows with too many fields, of which
        # we say which they are
        with (
            body() as stream,
            pd.read_csv(
                stream,
                sep=delimiter,
                names=range(count + _OVERFLOW_COUNT),
                header=None,
                dtype="str",
                na_values=[""],
                keep_default_na=False,
                index_col=False,
                skipinitialspace=True,
                skip_blank_lines=False,  # row numbers count them
                chunksize=BATCH,
            ) as reader,
        ):
            for frame in reader:
                is_empty = False
                yield frame
    except pd.errors.EmptyDataError:
        pass
    except pd.errors.ParserError as error:
        raise fault(
            "unreadable_file", delivery.name, found=first_line(error), expected=f"{count} fields"
        ) from None
    if is_empty:
        yield pd.DataFrame({i: pd.Series(dtype="str") for i in range(count)})


def _opened(delivery: Delivery) -> IO[bytes]:
    if delivery.path.name.lower().endswith(".gz"):
        return cast("IO[bytes]", gzip.open(delivery.path))
    return delivery.path.open("rb")


def _encoding(delivery: Delivery, encoding: str | None) -> str:
    """The first candidate that reads the whole file."""
    try:
        with _opened(delivery) as stream:
            content = stream.read(200)
            if encoding:
                candidates = [encoding]
            elif content.startswith((b"\xff\xfe", b"\xfe\xff")):
                candidates = ["utf-16"]
            elif b"\x00" in content:
                candidates = ["utf-16-le" if content[1:2] == b"\x00" else "utf-16-be"]
            else:
                candidates = ["utf-8-sig", "cp1258"]
            for candidate in candidates:
                stream.seek(0)
                if _reads(stream, candidate):
                    return candidate
    except (OSError, EOFError, zlib.error) as error:
        raise fault(
            "unreadable_file", delivery.name, found=first_line(error), expected="gzip"
        ) from None
    raise fault("bad_encoding", delivery.name, found=", ".join(candidates))


def _reads(stream: IO[bytes], encoding: str) -> bool:
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        while block := stream.read(1 << 24):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def delimiter_of(heading: str) -> str:
    """The separator that the heading holds most often outside quotes; a comma when it holds none."""
    bare = "".join(part for i, part in enumerate(heading.split('"')) if i % 2 == 0)
    counts = {mark: bare.count(mark) for mark in (",", ";", "\t", "|")}
    return max(counts, key=lambda mark: counts[mark])


def first_line(error: BaseException) -> str:
    """The first line of an exception's text, or its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
