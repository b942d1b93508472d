"""Columns whose values say that a row is of another kind: uploads, idle seconds, implausible tests.

Does not belong here: keeping rows (`Condition.holds`), columns that a format documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from pipeline.schema.texts import Said, joined
from pipeline.sources.cells.spellings import is_missing, spaced_key
from pipeline.sources.cells.technologies import technology_of
from pipeline.sources.formats.declaration import Condition, bare_key
from pipeline.sources.values import folded

_MOST_VALUES = 20  # a column of kinds has few values
_DOWNLOAD = frozenset(
    [
        "download",
        "dl",
        "down",
        "downlink",
        "tai xuong",
        "tai ve",
        "download test",
        "d l",
        "downloads",
    ]
)
_OTHER_TESTS = frozenset(
    ["upload", "ul", "up", "uplink", "tai len", "upload test", "u l", "uploads", "ping", "latency",
     "do tre", "web", "browsing", "web browsing", "http", "video", "youtube", "streaming", "voice",
     "call", "sms", "dns", "traceroute", "iperf", "idle", "both"]
)  # fmt: skip
_SIDES = {"d": "download", "u": "upload"}  # in a column of directions
_DIRECTION = ("direction", "dir", "chieu", "huong", "link", "test type", "type", "loai")
_CANCELLED = frozenset(
    ["aborted", "abort", "cancelled", "canceled", "cancel", "interrupted", "incomplete",
     "unfinished", "partial", "huy", "da huy", "huy bo", "bi huy", "dung", "gian doan",
     "dang do", "chua xong"]
)  # fmt: skip
_FAILED = frozenset(
    ["failed", "fail", "failure", "test failed", "error", "err", "ko", "nok", "not ok",
     "unsuccessful", "timeout", "time out", "timed out", "no connection", "that bai",
     "khong thanh cong", "loi",
     "bi loi", "mat ket noi", "hong", "khong dat", "het thoi gian cho"]
)  # fmt: skip
_SUCCESS = ("success", "succeeded", "successful", "thanh cong", "ok")
_RESULTS = ("status", "state", "result", "outcome", "trang thai", "tinh trang", "ket qua")
_IDLE = frozenset(["i", "idle", "ranh", "roi", "inactive", "none", "stopped"])
_BUSY = frozenset(["d", "download", "downloading", "dl", "dang tai", "active"])
_TRUE = frozenset(["true", "t", "1", "1 0", "yes", "y", "co", "dung", "x"])
_FALSE = frozenset(["false", "f", "0", "0 0", "no", "n", "khong", "sai"])
# Words of headings by what their true values say of a row
_BAD = (
    "implausible", "invalid", "outlier", "is mock", "mock location", "mocked", "fake", "spoof",
    "bat thuong", "khong hop le", "is wifi", "wifi", "roaming", "is test user", "suspicious",
)  # fmt: skip
_GOOD = ("plausible", "valid", "is valid", "hop le", "is mobile", "is cellular")
_STATES = ("state", "status", "trang thai", "activity")


@dataclass(frozen=True)
class Proposal:
    """A line for `[sources.NAME.keep]`, or `.failed`, and the values that call for it."""

    heading: str
    condition: Condition
    evidence: str
    section: Literal["keep", "failed"] = "keep"

    @property
    def line(self) -> str:
        """The line to paste."""
        return f"{bare_key(self.heading)} = {self.condition.toml()}"


def proposed_conditions(frame: pl.DataFrame, has_speed: pl.Series | None = None) -> list[Proposal]:
    """Lines that would keep only rows of downloads over a mobile network, and name failed tests.

    `frame`: a sample of the columns that are not read for anything else, under the file's headings.
    `has_speed`: which of its rows have a speed above zero. A column whose values all say the same
    calls for no line, unless they say that no row counts. A test that failed is named where a speed
    stands beside: without one it is known to have failed.

    >>> [p.line for p in proposed_conditions(pl.DataFrame({"Test_type": ["download", "upload"]}))]
    ['Test_type = "download"']
    """
    found = [_proposal(heading, frame[heading], has_speed) for heading in frame.columns]
    return [one for one in found if one is not None]


def _proposal(heading: str, column: pl.Series, has_speed: pl.Series | None) -> Proposal | None:
    if column.dtype.is_float() or column.dtype.is_temporal() or column.dtype.is_nested():
        return None
    counts = column.cast(pl.String).alias("value").drop_nulls().value_counts()
    if not 0 < counts.height <= _MOST_VALUES:
        return None
    ordered = counts.sort("count", "value", descending=[True, False]).iter_rows()
    met = {str(value): int(count) for value, count in ordered if not is_missing(str(value))}
    plain = {value: folded(spaced_key(value)) for value in met}
    if has_speed is not None and (failed := _failed_values(heading, plain)):
        beside = Condition(one_of=failed)
        if count := int((beside.holds(column) & has_speed).sum()):
            evidence = joined(_counts(met, failed), joined(count, "> 0", by=" "))
            return Proposal(heading, beside, evidence, "failed")
    condition = (
        _by_state(heading, plain)
        or _by_test(heading, plain)
        or _by_result(heading, plain)
        or _by_flag(heading, plain)
        or _by_connection(plain)
    )
    if condition is None:
        return None
    return Proposal(heading, condition, _counts(met, met))


def _counts(met: Mapping[str, int], values: Iterable[str]) -> Said:
    return joined(*(joined(value, met[value], by=" ") for value in values), by=", ")


def _by_test(heading: str, plain: dict[str, str]) -> Condition | None:
    if _says(heading, _DIRECTION) and set(plain.values()) == set(_SIDES):
        plain = {value: _SIDES[key] for value, key in plain.items()}
    kinds = {value: _kind_of_test(key) for value, key in plain.items()}
    download = [value for value, kind in kinds.items() if kind == "download"]
    other = [value for value, kind in kinds.items() if kind == "other"]
    if not other or len(download) + len(other) < len(plain):
        return None
    if download:
        return Condition(one_of=tuple(download))
    # no download at all: the line keeps nothing, and says so
    return Condition(none_of=tuple(other)) if len(other) == len(plain) > 0 else None


def _kind_of_test(key: str) -> str:
    """`download`, `other` or nothing, by the whole text or by a word in it that only one has."""
    if key in _DOWNLOAD:
        return "download"
    if key in _OTHER_TESTS:
        return "other"
    words = f" {key} "
    has_download = any(f" {word} " in words for word in _DOWNLOAD)
    has_other = any(f" {word} " in words for word in _OTHER_TESTS - {"http", "both", "call"})
    if has_download == has_other:
        return ""
    return "download" if has_download else "other"


def _says(heading: str, words: tuple[str, ...]) -> bool:
    return any(f" {word} " in f" {folded(spaced_key(heading))} " for word in words)


def _by_result(heading: str, plain: dict[str, str]) -> Condition | None:
    """Leaves out tests that were broken off: their speed is of a part. Failed ones are evidence."""
    broken_off = tuple(value for value, key in plain.items() if key in _CANCELLED)
    if not broken_off or len(broken_off) == len(plain) or not _says(heading, _RESULTS):
        return None
    return Condition(none_of=broken_off)


def _failed_values(heading: str, plain: dict[str, str]) -> tuple[str, ...]:
    """The values that say that a test failed, of a column of results or of a flag of success."""
    if _says(heading, _SUCCESS) and set(plain.values()) <= _TRUE | _FALSE:
        return tuple(value for value, key in plain.items() if key in _FALSE)
    if not _says(heading, _RESULTS):
        return ()
    return tuple(value for value, key in plain.items() if key in _FAILED)


def _by_state(heading: str, plain: dict[str, str]) -> Condition | None:
    if not any(word in folded(heading).split() for word in _STATES):
        return None
    idle = [value for value, key in plain.items() if key in _IDLE]
    busy = [value for value, key in plain.items() if key in _BUSY]
    is_known = len(idle) + len(busy) == len(plain)
    return Condition(one_of=tuple(busy)) if idle and busy and is_known else None


def _by_flag(heading: str, plain: dict[str, str]) -> Condition | None:
    yes = [value for value, key in plain.items() if key in _TRUE]
    no = [value for value, key in plain.items() if key in _FALSE]
    if len(yes) + len(no) < len(plain):
        return None
    words = f" {folded(heading)} "
    if any(f" {word} " in words for word in _BAD):
        return Condition(none_of=tuple(yes)) if yes else None
    if any(f" {word} " in words for word in _GOOD):
        return Condition(none_of=tuple(no)) if no else None
    return None


def _by_connection(plain: dict[str, str]) -> Condition | None:
    read = {value: technology_of(value) for value in plain}
    fixed = [value for value, technology in read.items() if technology == "wifi"]
    others = [value for value, technology in read.items() if technology not in (None, "wifi")]
    if fixed and len(fixed) + len(others) == len(read):
        return Condition(none_of=tuple(sorted(fixed)))
    return None
