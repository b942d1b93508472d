"""The bytes of a delivery: a file, a compressed file, or a member of a zip archive.

Nothing is ever written to disk, so that no name in an archive leads anywhere. Does not belong here:
what the bytes mean.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

import pyarrow as pa

from pipeline.schema.errors import UserFault, fault

TEXT = (".csv", ".tsv", ".txt")
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
PARQUET = (".parquet",)
GEO = (".geojson", ".json", ".gpkg", ".shp", ".kml", ".kmz", ".fgb")
ARCHIVES = (".zip",)
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
SUFFIXES = (*TEXT, *WORKBOOKS, *PARQUET, *GEO, *ARCHIVES)
# files beside a Shapefile or GeoPackage that are part of it
SIDECARS = (
    ".dbf", ".shx", ".prj", ".cpg", ".qpj", ".qmd", ".sbn", ".sbx", ".qix", ".xml", ".gpkg-wal",
    ".gpkg-shm",
)  # fmt: skip
_NOTES = frozenset(
    ["readme", "read me", "readme first", "license", "licence", "copying", "copyright", "changelog",
     "notes", "note", "about", "terms", "attribution", "citation", "documentation", "metadata",
     "data dictionary", "ghi chú", "ghi chu", "hướng dẫn", "huong dan", "đọc tôi", "mô tả", "mo ta"]
)  # fmt: skip
_OF_WINDOWS = ("thumbs.db", "desktop.ini")  # hidden files of its Explorer
OTHER_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz")
WITHIN = " › "  # between a file, its member, its sheet

MAX_MEMBERS = 10_000
MAX_TOTAL = 64 << 30  # bytes of all members
MAX_RATIO = 200  # of large members: text of tests shrinks to a tenth or twentieth
MAX_IN_MEMORY = 2 << 30  # of a member that is no text: it is read as a whole
_RATIO_FROM = 100 << 20


@dataclass(frozen=True)
class Delivery:
    """A raw table: a file, or (`inside`) one sheet, archive member or layer of it.

    The name says file and table as tables name them: as much of the folder as makes it unique, and
    what is `inside` where the file holds several tables. It is never a whole path.
    """

    path: Path
    name: str
    inside: str = ""

    @property
    def sha256(self) -> str:
        """Hash of the file's bytes."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    @property
    def member(self) -> str:
        """The member of a zip archive that holds the table; "" outside archives."""
        is_zip = self.path.suffix.lower() in ARCHIVES
        return self.inside.split(WITHIN, 1)[0] if is_zip else ""

    @property
    def part(self) -> str:
        """The sheet or layer within the file or member."""
        if self.path.suffix.lower() in ARCHIVES:
            return self.inside.partition(WITHIN)[2]
        return self.inside

    @property
    def file_name(self) -> str:
        """The name of the file or archive member that holds the table."""
        return PurePosixPath(self.member).name if self.member else self.path.name


def suffix_of(name: str | Path) -> str:
    """A file's suffix in lower case, without that of a compression.

    >>> suffix_of("A.CSV.gz")
    '.csv'
    """
    lower = Path(name).name.lower()
    for ending in COMPRESSED:
        lower = lower.removesuffix(ending)
    return Path(lower).suffix


def is_scratch(name: str) -> bool:
    """Lock files of Excel and LibreOffice, hidden files, those of Windows too.

    >>> [is_scratch(name) for name in ("~$visits.xlsx", "a/.DS_Store", "Thumbs.db", "visits.xlsx")]
    [True, True, True, False]
    """
    file = PurePosixPath(name).name
    return file.startswith(("~$", ".", ".~lock")) or file.casefold() in _OF_WINDOWS


def is_note(name: str | Path) -> bool:
    """Whether a text file is, by its name, a note on the data and no table.

    >>> [is_note(name) for name in ("a/README.txt", "LICENSE.txt", "readings.csv", "readme.xlsx")]
    [True, True, False, False]
    """
    path = PurePosixPath(str(name).replace("\\", "/"))
    words = " ".join(re.split(r"[\s_.-]+", path.stem.casefold()))
    return suffix_of(path.name) == ".txt" and words in _NOTES


def is_plain(delivery: Delivery) -> bool:
    """Whether the file's bytes are the table's: not compressed, not in an archive."""
    if delivery.member:
        return False
    with delivery.path.open("rb") as stream:
        return _compression(stream.read(6)) is None


def _compression(magic: bytes) -> str | None:
    kinds = {
        b"\x1f\x8b": "gzip",
        b"BZh": "bz2",
        b"\xfd7zXZ": "xz",
        b"\x28\xb5\x2f\xfd": "zstd",
    }  # fmt: skip
    return next((kind for start, kind in kinds.items() if magic.startswith(start)), None)


@contextmanager
def opened(delivery: Delivery) -> Iterator[IO[bytes]]:
    """The table's bytes, decompressed on the way.

    Raises `UserFault` where an archive or compressed file is damaged, `OSError` as `open` does.
    """
    with as_fault(delivery, "gzip / zip" if delivery.member else suffix_of(delivery.path)):
        if delivery.member:
            with (
                zipfile.ZipFile(delivery.path) as archive,
                archive.open(delivery.member) as inner,
                _decompressed(cast("IO[bytes]", io.BufferedReader(inner)), delivery) as stream,
            ):
                yield stream
        else:
            with delivery.path.open("rb") as outer, _decompressed(outer, delivery) as stream:
                yield stream


@contextmanager
def as_fault(delivery: Delivery, expected: str) -> Iterator[None]:
    """Turn what a library says of damaged bytes into a `UserFault`.

    A panic of a library in Rust is no `Exception`, only a `BaseException`.
    """
    try:
        yield
    except (UserFault, KeyboardInterrupt, SystemExit, GeneratorExit, AssertionError):
        raise
    except BaseException as error:  # noqa: BLE001
        kind = expected.removeprefix(".").upper()
        found = first_line(error)
        raise fault("unreadable_file", delivery.name, found=found, expected=kind) from None


@contextmanager
def _decompressed(stream: IO[bytes], delivery: Delivery) -> Iterator[IO[bytes]]:
    magic = stream.peek(6)[:6] if isinstance(stream, io.BufferedReader) else b""
    kind = _compression(magic)
    ending = Path(delivery.member or delivery.path.name).suffix.lower()
    if kind is None and ending in COMPRESSED and magic:
        raise gzip.BadGzipFile(f"no {ending.removeprefix('.')} data")
    if kind == "gzip":
        with gzip.GzipFile(fileobj=stream) as inner:
            yield cast("IO[bytes]", inner)
    elif kind == "bz2":
        with bz2.BZ2File(stream) as inner_bz2:
            yield cast("IO[bytes]", inner_bz2)
    elif kind == "xz":
        with lzma.LZMAFile(stream) as inner_xz:
            yield cast("IO[bytes]", inner_xz)
    elif kind == "zstd":
        yield cast("IO[bytes]", pa.CompressedInputStream(stream, "zstd"))
    else:
        yield stream


def content(delivery: Delivery) -> bytes:
    """All bytes of a table that cannot be read as a stream. Raises `UserFault` above a limit."""
    with opened(delivery) as stream:
        found = stream.read(MAX_IN_MEMORY + 1)
    if len(found) > MAX_IN_MEMORY:
        raise fault("unsafe_archive", delivery.name, found=f"> {MAX_IN_MEMORY >> 30} GB")
    return found


def members(path: Path, name: str) -> tuple[list[str], list[str]]:
    """(members that are tables, members passed over) of a zip archive, sorted.

    Raises `UserFault`: not a zip, a password, a name that leads out of the archive, an archive
    within, more than MAX_MEMBERS members, MAX_TOTAL bytes or a ratio of MAX_RATIO.
    """
    with as_fault(Delivery(path, name), "ZIP"), zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
    infos = [
        info
        for info in infos
        if not is_scratch(info.filename) and not info.filename.startswith("__MACOSX/")
    ]
    if len(infos) > MAX_MEMBERS or sum(info.file_size for info in infos) > MAX_TOTAL:
        total = sum(info.file_size for info in infos)
        raise fault("unsafe_archive", name, found=f"{len(infos)} / {total >> 20} MB")
    for info in infos:
        place = PurePosixPath(info.filename.replace("\\", "/"))
        ratio = info.file_size / max(info.compress_size, 1)
        if place.is_absolute() or ".." in place.parts or ":" in place.parts[0]:
            raise fault("unsafe_archive", name, found=info.filename)
        if info.file_size > _RATIO_FROM and ratio > MAX_RATIO:
            raise fault("unsafe_archive", name, found=f"{info.filename}: 1 : {ratio:.0f}")
        if suffix_of(info.filename) in OTHER_ARCHIVES:
            raise fault("unsafe_archive", name, found=info.filename)
        if info.flag_bits & 1:
            raise fault("locked_file", name, found=info.filename)
    named = sorted(i.filename for i in infos if suffix_of(i.filename) not in (*SIDECARS, ".md"))
    known = [one for one in named if suffix_of(one) in SUFFIXES and not is_note(one)]
    return known, [one for one in named if one not in set(known)]


def first_line(error: BaseException) -> str:
    """The first line of an exception's text, or its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
