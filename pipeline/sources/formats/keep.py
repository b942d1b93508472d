"""Columns whose values say that a row is of another kind: uploads, idle seconds, implausible tests.

Does not belong here: keeping rows (`Condition.holds`), columns that a format documents.
"""

from __future__ import annotations

import re
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
        "get",
    ]
)
_OTHER_TESTS = frozenset(
    ["upload", "ul", "up", "uplink", "tai len", "upload test", "u l", "uploads", "ping", "latency",
     "do tre", "web", "browsing", "web browsing", "http", "video", "youtube", "streaming", "voice",
     "call", "sms", "dns", "traceroute", "iperf", "idle", "both", "put", "post"]
)  # fmt: skip
# A test of speed, both ways: a download where nothing else in the column is called one
_SPEED_TESTS = frozenset(
    ["speed", "speedtest", "speed test", "throughput", "toc do", "do toc do", "bandwidth"]
)
_SIDES = {"d": "download", "u": "upload"}  # in a column of directions
_ARROWS = {"\u2193": "download", "\u2b07": "download", "\u2191": "upload", "\u2b06": "upload"}
# Headings of kinds of tests; numbers under them are codes that only the file's maker knows
_KINDS = frozenset(
    ["test type", "testtype", "direction", "dir", "test direction", "transfer direction",
     "loai do", "loai phep do", "loai bai do", "loai test", "kieu do", "chieu", "chieu do",
     "chieu truyen", "huong truyen"]
)  # fmt: skip
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
# Words of a flag
TRUE = frozenset(["true", "t", "1", "1 0", "yes", "y", "co", "dung", "x"])
FALSE = frozenset(["false", "f", "0", "0 0", "no", "n", "khong", "sai"])
# Words of headings by what their true values say of a row
_BAD = (
    "implausible", "invalid", "outlier", "is mock", "mock location", "mocked", "fake", "spoof",
    "bat thuong", "khong hop le", "is wifi", "wifi", "roaming", "is test user", "suspicious",
    "deleted", "da xoa", "bi xoa", "excluded", "exclude", "bi loai", "loai bo", "ignored", "ignore",
    "duplicate", "is duplicate", "trung lap", "vpn", "emulator", "simulated", "gia lap", "gia mao",
)  # fmt: skip
_GOOD = (
    "plausible", "valid", "is valid", "hop le", "is mobile", "is cellular", "completed",
    "is complete", "finished", "hoan thanh", "hoan tat",
)  # fmt: skip
# Headings of an error's number, name or text: it stands where a test failed
_ERRORS = frozenset(
    ["error", "errors", "err", "error code", "errorcode", "err code", "error no", "error message",
     "error msg", "error type", "error reason", "has error", "is error", "failure", "failed",
     "is failed", "has failed", "fail reason", "failure reason", "failure cause", "fail cause",
     "exception", "loi", "ma loi", "bi loi", "that bai", "ly do loi", "ly do that bai",
     "nguyen nhan loi", "nguyen nhan that bai", "thong bao loi", "mo ta loi", "chi tiet loi"]
)  # fmt: skip
_NO_ERROR = FALSE | {"ok", "no error", "none", "success", "khong loi", "thanh cong", "khong co loi"}
_HTTP = ("http", "status code", "response code")
_STATES = ("state", "status", "trang thai", "activity")


@dataclass(frozen=True)
class Proposal:
    """A line for `[sources.NAME.keep]`, `.failed` or `.nr`, and the values that call for it.

    `is_open`: only the user knows which of the values the condition is to name. `beside`: values
    that it names in any case.
    """

    heading: str
    condition: Condition
    evidence: str
    section: Literal["keep", "failed", "nr"] = "keep"
    is_open: bool = False
    beside: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The line to paste."""
        return f"{bare_key(self.heading)} = {self.condition.toml()}"

    @property
    def lines(self) -> list[str]:
        """The line to paste; of an open proposal a line for each value, all behind a #."""
        if not self.is_open:
            return [self.line]
        alone = [Condition(one_of=self.beside)] if self.beside else []
        each = [Condition(one_of=(*self.beside, value)) for value in self.condition.one_of]
        return [f"# {bare_key(self.heading)} = {one.toml()}" for one in (*alone, *each)]


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
    plain = {value: _ARROWS.get(value.strip(), folded(spaced_key(value))) for value in met}
    is_partly = sum(met.values()) < len(column)
    if has_speed is not None and (failed := _failed_values(heading, plain, is_partly=is_partly)):
        beside = Condition(one_of=failed)
        if count := int((beside.holds(column) & has_speed).sum()):
            evidence = joined(_counts(met, failed), joined(count, "> 0", by=" "))
            return Proposal(heading, beside, evidence, "failed")
    condition = (
        _by_state(heading, plain)
        or _by_test(heading, plain)
        or _by_result(heading, plain)
        or _by_flag(heading, plain, is_partly=is_partly)
        or _by_connection(plain)
    )
    if condition is None:
        return None
    is_open = set(condition.one_of) == set(met) and all(value.isdigit() for value in met)
    return Proposal(heading, condition, _counts(met, met), is_open=is_open and len(met) > 1)


def _counts(met: Mapping[str, int], values: Iterable[str]) -> Said:
    return joined(*(joined(value, met[value], by=" ") for value in values), by=", ")


def _by_test(heading: str, plain: dict[str, str]) -> Condition | None:
    if _says(heading, _DIRECTION) and set(plain.values()) == set(_SIDES):
        plain = {value: _SIDES[key] for value, key in plain.items()}
    kinds = {value: _kind_of_test(key) for value, key in plain.items()}
    if (
        folded(heading) in _KINDS
        and len(plain) > 1
        and all(key.isdigit() for key in plain.values())
    ):
        return Condition(one_of=tuple(sorted(plain)))  # which are downloads is open
    download = [value for value, kind in kinds.items() if kind == "download"]
    download = download or [value for value, kind in kinds.items() if kind == "speed"]
    other = [value for value, kind in kinds.items() if kind == "other"]
    if not other or len(download) + len(other) < len(plain):
        return None
    if download:
        return Condition(one_of=tuple(download))
    # no download at all: the line keeps nothing, and says so
    return Condition(none_of=tuple(other)) if len(other) == len(plain) > 0 else None


def _kind_of_test(key: str) -> str:
    """`download`, `other`, `speed` or nothing, by the whole text or by a word that only one has."""
    if key in _DOWNLOAD:
        return "download"
    if key in _OTHER_TESTS:
        return "other"
    words = f" {key} "
    has_download = any(f" {word} " in words for word in _DOWNLOAD)
    has_other = any(f" {word} " in words for word in _OTHER_TESTS - {"http", "both", "call"})
    if has_download == has_other:
        is_speed = not has_other and any(f" {word} " in words for word in _SPEED_TESTS)
        return "speed" if is_speed else ""
    return "download" if has_download else "other"


def _says(heading: str, words: tuple[str, ...]) -> bool:
    return any(f" {word} " in f" {folded(spaced_key(heading))} " for word in words)


def _by_result(heading: str, plain: dict[str, str]) -> Condition | None:
    """Leaves out tests that were broken off: their speed is of a part. Failed ones are evidence."""
    broken_off = tuple(value for value, key in plain.items() if key in _CANCELLED)
    if not broken_off or len(broken_off) == len(plain) or not _says(heading, _RESULTS):
        return None
    return Condition(none_of=broken_off)


def _failed_values(heading: str, plain: dict[str, str], *, is_partly: bool) -> tuple[str, ...]:
    """The values that say that a test failed: of results, errors, HTTP or a flag of success.

    `is_partly`: some cells hold nothing.
    """
    if _says(heading, _SUCCESS) and set(plain.values()) <= TRUE | FALSE:
        return tuple(value for value, key in plain.items() if key in FALSE)
    if folded(heading) in _ERRORS:
        errors = tuple(value for value, key in plain.items() if key not in _NO_ERROR)
        return errors if is_partly or len(errors) < len(plain) else ()
    if _says(heading, _HTTP) and all(
        re.fullmatch("[0-5][0-9]{2}|0", key) for key in plain.values()
    ):
        failed = tuple(value for value, key in plain.items() if not 200 <= int(key) < 400)
        return failed if len(failed) < len(plain) else ()
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


def _by_flag(heading: str, plain: dict[str, str], *, is_partly: bool) -> Condition | None:
    yes = [value for value, key in plain.items() if key in TRUE]
    no = [value for value, key in plain.items() if key in FALSE]
    if len(yes) + len(no) < len(plain):
        return None
    words = f" {folded(heading)} "
    if any(f" {word} " in words for word in _BAD):
        return Condition(none_of=tuple(yes)) if yes else None
    if any(f" {word} " in words for word in _GOOD):
        if yes and not no and is_partly:  # a cross, or nothing
            return Condition(one_of=tuple(yes))
        return Condition(none_of=tuple(no)) if no else None
    return None


def _by_connection(plain: dict[str, str]) -> Condition | None:
    read = {value: technology_of(value) for value in plain}
    fixed = [value for value, technology in read.items() if technology == "wifi"]
    others = [value for value, technology in read.items() if technology not in (None, "wifi")]
    if fixed and len(fixed) + len(others) == len(read):
        return Condition(none_of=tuple(sorted(fixed)))
    return None
