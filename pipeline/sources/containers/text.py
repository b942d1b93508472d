"""Delimited text as Polars frames, in stretches that are read side by side.

A file is cut at ends of rows (an end of line within quotes is none), so that one large file keeps
all cores or workers busy. A compressed file, a member of an archive and a file in UTF-16 are read
from their start, in blocks of the same kind. A block that Polars does not read in one go, with too
many fields in a row or quotes at odd places, is read by Python's reader; both give the same rows.
Does not belong here: where the headings stand (`head.py`), what the columns mean (`table.py`).
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest
from typing import IO, Any

import numpy as np
import polars as pl

from pipeline.schema.errors import Fault, fault
from pipeline.sources.containers import encodings, head
from pipeline.sources.containers.archives import Delivery, first_line, is_plain, opened, suffix_of
from pipeline.sources.containers.rows import (
    OVERFLOW,
    OVERFLOW_COUNT,
    marked,
    numbered,
    without_blank,
)

STRETCH_BYTES = 64_000_000  # of a text file: some 600,000 rows
_BLOCK = 1 << 18  # bytes that are looked through at once: they stay in the processor's cache
_HEAD = 1 << 20  # bytes in which the headings are looked for
_TAIL = 1 << 14  # bytes in which footers are looked for
_SAMPLES = 16  # places of a file at which its encoding is looked at
_LONGEST_CELL = 16 << 20  # a quote that is open for longer was not meant
_DELIMITERS = (",", ";", "\t", "|", "^", "~")
_SEP = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)


@dataclass(frozen=True)
class Form:
    r"""How a text file is written and where its rows begin.

    `width`: columns, nameless ones at the end included. `start`: where the rows begin, in bytes of
    the file, or of its text in UTF-8 with `\n` where the file is read from its start.
    """

    encoding: str
    delimiter: str
    names: tuple[str, ...]
    width: int
    start: int
    first_row: int
    is_plain: bool


@dataclass(frozen=True)
class Stretch:
    """Rows [start, stop) of a Parquet file, or bytes [start, stop) of a text file.

    Of text: how it is written, whether a careful reader must read it, whether quoted cells hold
    ends of lines, and whether it is the file's last stretch, which may end in footers.
    """

    start: int
    stop: int
    first_row: int
    row_count: int
    form: Form | None = None
    is_careful: bool = False
    has_breaks: bool = False
    is_last: bool = False


# ── how the file is written ──────────────────────────────────────────────────────────────────────


def described(delivery: Delivery, how: dict[str, Any]) -> tuple[Form, head.Layout]:
    """How a text file is written, and its headings. Raises `UserFault`."""
    status = delivery.path.stat()
    asked = tuple(how.get(key) for key in ("delimiter", "encoding", "heading_row"))
    return _described(delivery, asked, (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=64)
def _described(
    delivery: Delivery,
    asked: tuple[Any, ...],
    status: tuple[int, int],  # noqa: ARG001 – a file that changed is read again
) -> tuple[Form, head.Layout]:
    delimiter, encoding, heading_row = asked
    found = _encoding(delivery, encoding)
    plain = is_plain(delivery) and not encodings.is_wide(found.encoding)
    if plain:
        with delivery.path.open("rb") as stream:
            start = _whole_lines(stream.read(_HEAD), stream)
        plain = b"\r" not in start.replace(b"\r\n", b"")  # another line end: read from the start
    if not plain:
        with opened(delivery) as stream:
            start = next(_utf8_blocks(stream, found.encoding, delivery, _HEAD), b"")
    known = found.encoding if plain else "utf-8"
    form, layout = _headings(delivery, start, known, delimiter, heading_row)
    notes = [*_encoding_notes(found, encoding), *layout.notes]
    if plain:
        notes += _footer_notes(delivery, found.encoding, form.delimiter)
    form = replace(form, encoding=found.encoding, is_plain=plain)
    return form, replace(layout, notes=tuple(notes))


def _whole_lines(block: bytes, stream: IO[bytes]) -> bytes:
    return block if block.endswith(b"\n") else block + stream.readline(_LONGEST_CELL)


def _encoding(delivery: Delivery, encoding: str | None) -> encodings.Found:
    if encoding:
        if name := encodings.normal_name(encoding):
            return encodings.Found(name)
        raise fault("unknown_encoding", delivery.name, found=encoding)
    if not is_plain(delivery):
        return _encoding_of_stream(delivery)
    with delivery.path.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        start = stream.read(400)
        samples = []
        for number in range(_SAMPLES):
            stream.seek(max(0, size * number // _SAMPLES - 1))
            if number:
                stream.readline(_HEAD)
            samples.append(_whole_lines(stream.read(_HEAD // 8), stream))
    return encodings.detected(start, samples)


def _encoding_of_stream(delivery: Delivery) -> encodings.Found:
    """Of what has to be read from its start every block is looked at."""
    samples: list[bytes] = []
    with opened(delivery) as stream:
        start = block = stream.read(_HEAD)
        utf8 = codecs.getincrementaldecoder("utf-8")()
        found = encodings.detected(start, [])
        if found.encoding != "utf-8":
            return found
        while block:
            try:
                utf8.decode(block)
            except UnicodeDecodeError:
                utf8.reset()
                samples.append(block[block.find(b"\n") + 1 : block.rfind(b"\n") + 1] or block)
            if len(samples) < 2 and not block.isascii():
                samples.append(block[block.find(b"\n") + 1 : block.rfind(b"\n") + 1] or block)
            if len(samples) >= _SAMPLES:
                break
            block = stream.read(_HEAD)
    return encodings.detected(start, samples)


def _encoding_notes(found: encodings.Found, asked: str | None) -> list[Fault]:
    if asked or not found.of:
        return []
    code = "encoding_found" if found.is_sure else "encoding_unsure"
    name = "utf-8" if found.encoding == encodings.LENIENT else found.encoding
    values: dict[str, object] = {
        "found": name, "count": found.count, "of": found.of, "examples": found.examples,
    }  # fmt: skip
    return [Fault(code, values=values)]


def _headings(
    delivery: Delivery, start: bytes, encoding: str, delimiter: str | None, heading_row: int | None
) -> tuple[Form, head.Layout]:
    try:
        text = encodings.decode(start, encoding)
    except UnicodeDecodeError:
        raise fault("bad_encoding", delivery.name, found=encoding) from None
    skipped = 1 if (sep := _SEP.match(text.removeprefix("\ufeff"))) else 0
    mark = (
        delimiter or (sep[1] if sep else None) or delimiter_of(text, suffix_of(delivery.file_name))
    )
    if len(mark) != 1 or not mark.isascii():
        raise fault("bad_delimiter", delivery.name, found=mark)
    spans = list(_records(start, mark.encode()))
    records = [_fields(encodings.decode(start[a:b], encoding), mark) for a, b in spans]
    if records:
        records[0] = [cell.removeprefix("\ufeff") for cell in records[0]]
    if skipped:
        records[0] = []
    layout = head.find(records, heading_row)
    if layout is None:
        raise fault("empty_file", delivery.name)
    body = [row for row in records[layout.first_row - 1 :] if any(row)]
    if _has_row_names(body, len(layout.names)):
        layout = replace(layout, names=("row_name", *layout.names))
    names = list(layout.names)
    width = max((len(row) for row in body if not any(row[len(names) :])), default=0)
    width = min(max(width, len(names)), len(names) + OVERFLOW_COUNT)
    before = layout.first_row - 1
    offset = spans[before][0] if before < len(spans) else (spans[-1][1] if spans else 0)
    return Form(encoding, mark, tuple(names), width, offset, layout.first_row, True), layout


def _has_row_names(body: list[list[str]], width: int) -> bool:
    """Whether rows begin with a number that has no heading, as R writes them."""
    starts = [row[0] for row in body if len(row) == width + 1 and row[-1]]
    counted = all(start.isdigit() for start in starts) and len(set(starts)) == len(starts)
    return len(starts) > 1 and len(starts) == len(body) and counted


def delimiter_of(text: str, suffix: str = "") -> str:
    r"""The separator under which most lines have as many fields; of several, the one with the most.

    >>> delimiter_of("a;b;c\n1,5;2,5;3\n1,5;2,5;3\n")
    ';'
    """
    lines = [f"{line}\n" for line in text[: _HEAD // 4].split("\n")[: 4 * head.HEAD_ROWS]]
    scores = {}
    for mark in _DELIMITERS:
        rows = []
        for row in _read(lines, mark):
            if any(cell.strip() for cell in row):
                rows.append(len(row))
            if len(rows) >= head.HEAD_ROWS:
                break
        width, count = max(Counter(rows).items(), key=lambda one: (one[1], one[0]), default=(0, 0))
        if width > 1:
            scores[mark] = (round(20 * count / len(rows)), width)
    if suffix == ".tsv" and "\t" in scores:
        return "\t"
    return max(scores, key=lambda mark: scores[mark], default=_by_first_line(lines))


def _by_first_line(lines: list[str]) -> str:
    first = next((line for line in lines if line.strip()), "")
    bare = "".join(part for i, part in enumerate(first.split('"')) if i % 2 == 0)
    return max(_DELIMITERS, key=bare.count)


def _read(lines: Iterable[str], mark: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines, delimiter=mark, skipinitialspace=True)
    except csv.Error:  # a cell without end
        return


def _fields(text: str, mark: str) -> list[str]:
    rows = list(_read(io.StringIO(text.rstrip("\r\n"), newline=""), mark))
    return [cell.strip() for cell in rows[0]] if rows else []


def _records(block: bytes, mark: bytes) -> Iterator[tuple[int, int]]:
    """(start, stop) of the first rows of a text, ends of lines within quotes passed over."""
    start = 0
    for _ in range(head.HEAD_ROWS):
        if start >= len(block):
            return
        stop, is_open = start, False
        while stop < len(block):
            end = block.find(b"\n", stop) + 1 or len(block)
            is_open = _is_open(block[stop:end], mark, is_open=is_open)
            stop = end
            if not is_open:
                break
        yield start, stop
        start = stop


def _is_open(line: bytes, mark: bytes, *, is_open: bool) -> bool:
    """Whether a quoted cell goes on after a line; `is_open`: whether one does before it.

    A quote opens a cell where it is its first sign, and ends it unless another follows.
    """
    place = 0
    while True:
        if is_open:
            place = line.find(b'"', place)
            if place < 0:
                return True
            if line[place + 1 : place + 2] == b'"':
                place += 2
                continue
            is_open = False
            place = line.find(mark, place + 1) + 1
            if not place:
                return False
        while line[place : place + 1] == b" ":
            place += 1
        if line[place : place + 1] == b'"':
            is_open, place = True, place + 1
            continue
        place = line.find(mark, place) + 1
        if not place:
            return False


def _footer_notes(delivery: Delivery, encoding: str, mark: str) -> list[Fault]:
    with delivery.path.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(max(0, size - _TAIL))
        if size > _TAIL:
            stream.readline()
        tail = stream.read()
    try:
        text = encodings.decode(tail, encoding)
    except UnicodeDecodeError:
        return []
    rows = [_fields(line, mark) for line in text.split("\n")]
    return footer_notes(rows)


def footer_notes(rows: list[list[str]]) -> list[Fault]:
    """A note on the rows at the end of a table that are no data; they become rejects."""
    count = head.footer_count(rows)
    texts = [" ".join(cell for cell in row if cell) for row in rows[len(rows) - count :]]
    return [Fault("footer_rows", values={"found": texts, "count": count})] if count else []


# ── cutting a file ───────────────────────────────────────────────────────────────────────────────


class _NotInEncoding(Exception):
    """Bytes that the encoding does not know, somewhere in the file."""


def stretches(delivery: Delivery, how: dict[str, Any]) -> list[Stretch] | None:
    """Stretches of whole rows; None of a file that is read from its start. Raises `UserFault`."""
    form, _ = described(delivery, how)
    if not form.is_plain:
        return None
    try:
        return _cut(delivery, form)
    except _NotInEncoding:
        if how.get("encoding"):
            raise fault("bad_encoding", delivery.name, found=form.encoding) from None
    # a stray sign that no sample held
    if form.encoding == "utf-8":
        return _cut(delivery, replace(form, encoding=encodings.LENIENT))
    raise fault("bad_encoding", delivery.name, found=form.encoding)


def _cut(delivery: Delivery, form: Form) -> list[Stretch]:
    found: list[Stretch] = []
    start = end = form.start
    first, count, is_careful, has_breaks = form.first_row, 0, False, False
    with delivery.path.open("rb") as stream:
        stream.seek(start)
        while block := stream.read(_BLOCK):
            block = _whole_lines(block, stream)
            block, looked = _complete(block, stream, form, delivery, first + count)
            count += looked.row_count
            end += len(block)
            is_careful |= looked.is_careful
            has_breaks |= looked.has_breaks
            if end - start >= STRETCH_BYTES:
                found.append(Stretch(start, end, first, count, form, is_careful, has_breaks))
                start, first, count = end, first + count, 0
                is_careful = has_breaks = False
    if count or not found:
        found.append(Stretch(start, end, first, count, form, is_careful, has_breaks))
    return [*found[:-1], replace(found[-1], is_last=True)]


@dataclass(frozen=True)
class _Looked:
    row_count: int
    is_careful: bool = False
    has_breaks: bool = False


def _complete(
    block: bytes, stream: IO[bytes], form: Form, delivery: Delivery, first_row: int
) -> tuple[bytes, _Looked]:
    """A block of whole rows that begins with `block`, and what is to be known of it.

    Raises `UserFault` where a quote is never closed.
    """
    if not block.isascii() and not encodings.fits(block, form.encoding):
        raise _NotInEncoding
    returns = block.count(b"\r")
    is_careful = b"\x00" in block or (returns > 0 and returns != block.count(b"\r\n"))
    if b'"' not in block and not is_careful:
        return block, _Looked(block.count(b"\n") + (block[-1:] != b"\n"))
    mark = form.delimiter.encode()
    block, joined = _joined_lines(block, stream, mark, delivery, first_row)
    if is_careful:  # ends of lines of another kind: counted by the reader that will read them
        text = _normal(block).replace(b"\x00", b"").decode("latin-1")
        rows = sum(1 for _ in _read(io.StringIO(text, newline=""), form.delimiter))
        return block, _Looked(rows, is_careful, joined > 0)
    count = block.count(b"\n") + (block[-1:] != b"\n") - joined
    return block, _Looked(count, _has_odd_quotes(block, mark), joined > 0)


def _joined_lines(
    block: bytes, stream: IO[bytes], mark: bytes, delivery: Delivery, first_row: int
) -> tuple[bytes, int]:
    """The block, completed to whole rows, and how many of its ends of lines are within cells."""
    held = np.frombuffer(block, dtype=np.uint8)
    starts = np.flatnonzero(np.r_[np.uint8(10), held[:-1]] == 10)
    odd = np.flatnonzero(np.add.reduceat(held == 34, starts) % 2)
    if not len(odd):
        return block, 0
    joined, after = 0, -1
    ends = np.r_[starts[1:], len(block)]
    for number in odd.tolist():
        if number <= after:  # within a cell that began above
            continue
        is_open = _is_open(block[starts[number] : ends[number]], mark, is_open=False)
        after, before = number, joined
        while is_open:
            after += 1
            if after >= len(starts):
                break
            joined += 1
            is_open = _is_open(block[starts[after] : ends[after]], mark, is_open=True)
        if is_open:
            opened_in = first_row + number - before
            more, count = _rest_of_cell(stream, mark, len(block) - int(starts[number]))
            if not count:
                why = f'" ({opened_in})'
                raise fault(
                    "unreadable_file", delivery.name, row=opened_in, found=why, expected='"…"'
                )
            return block + more, joined + count
    return block, joined


def _rest_of_cell(stream: IO[bytes], mark: bytes, size: int) -> tuple[bytes, int]:
    """The lines up to the one in which a cell ends, and how many; none where it never does."""
    lines: list[bytes] = []
    while line := stream.readline():
        lines.append(line)
        size += len(line)
        if not _is_open(line, mark, is_open=True):
            return b"".join(lines), len(lines)
        if size > _LONGEST_CELL:
            break
    return b"", 0


@lru_cache(maxsize=8)
def _odd_quotes(mark: bytes) -> re.Pattern[bytes]:
    """Spaces between a quote and the end of its field: Polars takes them for the field's own."""
    sign = re.escape(mark)
    return re.compile(rb' "(?![",\r\n])(?!' + sign + rb')|(?<![",\n])(?<!' + sign + rb')" ')


def _has_odd_quotes(block: bytes, mark: bytes) -> bool:
    if b' "' not in block and b'" ' not in block:
        return False
    return _odd_quotes(mark).search(block) is not None


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def frames(
    delivery: Delivery, stretch: Stretch | None, how: dict[str, Any]
) -> Iterator[pl.DataFrame]:
    """Rows under the headings and ROW, all as text; at least one frame. Raises `UserFault`."""
    if stretch is not None:
        yield _rows(delivery, stretch)
        return
    form, _ = described(delivery, how)
    if form.is_plain:
        for one in stretches(delivery, how) or []:
            yield _rows(delivery, one)
        return
    first, waiting = form.first_row, None
    for part in _whole_blocks(delivery, form, first):
        if waiting is not None:
            yield parsed(delivery, *waiting)
        waiting = part
    block, last = waiting or (b"", Stretch(0, 0, first, 0, form))
    yield parsed(delivery, block, replace(last, is_last=True))


def first_rows(delivery: Delivery, stretch: Stretch, size: int) -> pl.DataFrame:
    """The rows in the first `size` bytes of a stretch."""
    if stretch.stop - stretch.start <= size:
        return _rows(delivery, stretch)
    form = stretch.form
    assert form is not None
    with delivery.path.open("rb") as stream:
        stream.seek(stretch.start)
        block = stream.read(size)
    block = block[: _last_row_end(block[: block.rfind(b"\n") + 1], form.delimiter.encode())]
    if not block:  # one very long row
        return _rows(delivery, stretch)
    whole = replace(stretch, stop=stretch.start + len(block), row_count=-1, is_last=False)
    if not stretch.has_breaks:
        whole = replace(whole, row_count=block.count(b"\n"))
    return _rows(delivery, whole)


def _rows(delivery: Delivery, stretch: Stretch) -> pl.DataFrame:
    """The rows of a stretch of a file that is cut."""
    assert stretch.form is not None
    with delivery.path.open("rb") as stream:
        stream.seek(stretch.start)
        block = stream.read(stretch.stop - stretch.start)
    if stretch.form.encoding != "utf-8":
        block = encodings.decode(block, stretch.form.encoding).encode()
    return parsed(delivery, block, stretch)


def _whole_blocks(delivery: Delivery, form: Form, first: int) -> Iterator[tuple[bytes, Stretch]]:
    """Blocks of whole rows in UTF-8, and what is to be known of each, of a file from its start."""
    utf8 = replace(form, encoding="utf-8")
    with opened(delivery) as stream:
        blocks = _utf8_blocks(stream, form.encoding, delivery, STRETCH_BYTES)
        pending, skipped = b"", form.start
        for read in blocks:
            block = pending + read[skipped:]
            skipped = max(0, skipped - len(read))
            cut = _last_row_end(block, form.delimiter.encode())
            block, pending = block[:cut], block[cut:]
            if len(pending) > _LONGEST_CELL:
                break
            if block:
                block, looked = _complete(block, io.BytesIO(), utf8, delivery, first)
                yield block, _stretch(block, looked, utf8, first)
                first += looked.row_count
        if pending:  # with the fault of a quote that is never closed
            block, looked = _complete(pending, io.BytesIO(), utf8, delivery, first)
            yield block, _stretch(block, looked, utf8, first)


def _stretch(block: bytes, looked: _Looked, form: Form, first: int) -> Stretch:
    return Stretch(
        0, len(block), first, looked.row_count, form, looked.is_careful, looked.has_breaks
    )


def _last_row_end(block: bytes, mark: bytes) -> int:
    """Where the last whole row of a block of lines ends: before a cell that goes on below."""
    if b'"' not in block:
        return len(block)
    held = np.frombuffer(block, dtype=np.uint8)
    starts = np.flatnonzero(np.r_[np.uint8(10), held[:-1]] == 10)
    odd = np.flatnonzero(np.add.reduceat(held == 34, starts) % 2).tolist()
    ends = np.r_[starts[1:], len(block)]
    after = -1
    for number in odd:
        if number <= after:
            continue
        is_open = _is_open(block[starts[number] : ends[number]], mark, is_open=False)
        after = number
        while is_open and after + 1 < len(starts):
            after += 1
            is_open = _is_open(block[starts[after] : ends[after]], mark, is_open=True)
        if is_open:
            return int(starts[number])
    return len(block)


def _utf8_blocks(
    stream: IO[bytes], encoding: str, delivery: Delivery, size: int
) -> Iterator[bytes]:
    r"""A text in UTF-8 with `\n` at the ends of lines, in blocks of whole lines."""
    wide = codecs.getincrementaldecoder(encoding)() if encodings.is_wide(encoding) else None
    pending, is_start, last = b"", True, False
    while not last:
        raw = stream.read(size)
        last = not raw
        try:
            text = raw if wide is None else wide.decode(raw, final=last).encode()
            found = pending + text
            held = found[-1:] == b"\r" and not last  # the other half of \r\n may follow
            whole = found[:-1] if held else found
            whole = _normal(whole)
            cut = len(whole) if last else whole.rfind(b"\n") + 1
            pending = whole[cut:] + (b"\r" if held else b"")
            block = whole[:cut]
            if wide is None and encoding != "utf-8":
                block = encodings.decode(block, encoding).encode()
            elif encoding == "utf-8" and not block.isascii():
                block.decode()
        except UnicodeDecodeError:
            if encoding == "utf-8":
                block = block.decode(errors="replace").encode()
            else:
                raise fault("bad_encoding", delivery.name, found=encoding) from None
        if is_start and block:
            block = block.removeprefix(codecs.BOM_UTF8)
            is_start = False
        if block:
            yield block


def _normal(block: bytes) -> bytes:
    r"""All ends of lines as `\n`."""
    if b"\r" not in block:
        return block
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def parsed(delivery: Delivery, block: bytes, stretch: Stretch) -> pl.DataFrame:
    """The rows of a block in UTF-8. Raises `UserFault`."""
    form = stretch.form
    assert form is not None
    names = list(form.names)
    beyond = [f"{OVERFLOW}{i}" for i in range(form.width - len(names))]
    rows = None if stretch.is_careful else _by_polars(block, form, [*names, *beyond])
    is_careful = rows is None or rows.height != stretch.row_count
    if rows is None or is_careful:
        rows = _by_python(delivery, _normal(block), form)
    empty = [name for name in rows.columns if name.startswith(OVERFLOW)]
    if empty:
        rows = rows.with_columns(
            pl.when(pl.col(empty).str.strip_chars() != "").then(pl.col(empty)).name.keep()
        )
        rows = rows.drop([name for name in empty if rows[name].null_count() == rows.height])
    if rows.height and (stretch.has_breaks or is_careful):
        rows = _swallowed(rows, names, form.delimiter)
    rows = numbered(rows, stretch.first_row)
    if stretch.is_last and rows.height:
        rows = with_footers(rows, names)
    return without_blank(rows, names)


def _by_polars(block: bytes, form: Form, columns: list[str]) -> pl.DataFrame | None:
    schema = dict.fromkeys(columns, pl.String())
    if not block:
        return pl.DataFrame(schema=schema)
    try:
        return pl.read_csv(block, separator=form.delimiter, has_header=False, schema=schema)
    except pl.exceptions.PolarsError:  # a row with too many fields: which one, and why
        return None


def _by_python(delivery: Delivery, block: bytes, form: Form) -> pl.DataFrame:
    names = list(form.names)
    text = block.decode().replace("\x00", "")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=form.delimiter, skipinitialspace=True
    )
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        cells = list(reader)
    except csv.Error as error:
        found = first_line(error)
        expected = f"{len(names)} ×"
        raise fault("unreadable_file", delivery.name, found=found, expected=expected) from None
    finally:
        csv.field_size_limit(before)
    most = len(names) + OVERFLOW_COUNT
    columns = list(zip_longest(*(row[:most] for row in cells)))
    columns += [(None,) * len(cells)] * (len(names) - len(columns))
    titles = [*names, *(f"{OVERFLOW}{i}" for i in range(len(columns) - len(names)))]
    series = [
        pl.Series(title, column, dtype=pl.String())
        for title, column in zip(titles, columns, strict=True)
    ]
    found_rows = pl.DataFrame(series)
    return found_rows.with_columns(pl.when(pl.col(titles) != "").then(pl.col(titles)).name.keep())


def _swallowed(rows: pl.DataFrame, names: list[str], mark: str) -> pl.DataFrame:
    """Rows marked where a quote swallowed rows below: a cell with as many fields as rows have."""
    if len(names) < 2:
        return rows
    least = len(names) - 1
    signs = [
        (pl.col(name).str.count_matches("\n", literal=True) > 0)
        & (
            pl.col(name).str.count_matches(mark, literal=True)
            >= pl.col(name).str.count_matches("\n", literal=True) * least
        )
        for name in names
    ]
    is_swallowed = pl.any_horizontal(signs)
    if not rows.select(is_swallowed.any()).item():
        return rows
    return marked(rows, is_swallowed, '"')


def with_footers(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Rows marked at the end of a table that are totals or notes."""
    overflow = [name for name in rows.columns if name.startswith(OVERFLOW)]
    tail = rows.tail(5 * head.FOOTER_ROWS).select(*names, *overflow)
    cells = [["" if cell is None else str(cell).strip() for cell in row] for row in tail.rows()]
    count = head.footer_count(cells)
    if not count:
        return rows
    place = pl.int_range(pl.len()) >= rows.height - count
    blank = pl.all_horizontal(
        [pl.col(name).is_null() | (pl.col(name).cast(pl.String) == "") for name in names]
    )
    return marked(rows, place & ~blank, "footer")
