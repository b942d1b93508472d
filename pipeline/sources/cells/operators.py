"""Mobile operators: the table of their spellings, network codes and virtual operators.

The table is `operators.toml`, or a file of the user's own in the same form. Does not belong here:
what a column of names means as a whole (`names.py`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.schema.errors import Fault, UserFault
from pipeline.sources.cells.spellings import name_key, spaced_key
from pipeline.sources.values import folded

SHIPPED = Path(__file__).parents[1] / "operators.toml"
Code = tuple[int, int]  # mobile country code, mobile network code

# `452-04`, `452.04`, `452 04`, `452/04`, `45204`, `4524`, `452004`, `45204.0`
_CODE = re.compile(r"(\d{3})(?: ?[-./_,:;|\s] ?(\d{1,3})|(\d{1,3}))(?:[.,]0+)?")
_GROUPED = re.compile(r"(\d{2,3})[.,](\d{3})")  # 45204 with a mark before its thousands
_AROUND_CODE = re.compile(r"(?:m[cn]c|plmn|hni) ?[:=]?|[='\"(){}\[\]]")
_NAME_AND_CODE = re.compile(r"(.*?\S)[\s([,;/|-]+(\d{3}[-./ ]?\d{2,3})[)\]]?")
_LAST_WORD = re.compile(r"[\s_-]+\(?(?:[2345]g\+?|lte(?:-a)?|gsm|umts|nr)\)?$")
_PUNCTUATION = re.compile(r"[\s.,;:_'\"()\[\]/-]+")

# What phones write where they have no network. Compared without accents too.
# the phone looked for its network and found none
_NO_COVERAGE = (
    "no service", "noservice", "out of service", "no network", "nonetwork", "no signal",
    "no coverage",
    "limited service", "emergency calls only", "emergency call only", "emergency only",
    "searching", "searching for service", "không có dịch vụ", "không dịch vụ",
    "ngoài vùng phủ sóng", "không có sóng", "mất sóng", "không có mạng", "không có tín hiệu",
    "chỉ cuộc gọi khẩn cấp", "cuộc gọi khẩn cấp", "chỉ gọi khẩn cấp", "đang tìm kiếm",
    "đang tìm mạng",
)  # fmt: skip
# the phone did not look for one: nothing is known of the place
_SWITCHED_OFF = (
    "not registered", "unregistered", "radio off", "airplane mode", "flight mode", "no sim",
    "no sim card", "sim absent", "sim not inserted", "chế độ máy bay", "không có sim",
    "không có thẻ sim", "không sim", "chưa lắp sim", "chưa có sim",
)  # fmt: skip


@dataclass(frozen=True)
class Brand:
    """A name under which a network is sold.

    `host`: the network; empty where it is not certain, only `likely`.
    """

    name: str
    host: str = ""
    likely: str = ""


@dataclass(frozen=True)
class OperatorTable:
    """Operators and brands by the keys of their spellings (`name_key`), operators by code."""

    names: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[Code, str] = field(default_factory=dict)
    brands: Mapping[str, Brand] = field(default_factory=dict)


def operator_table(path: Path | None = None) -> OperatorTable:
    """The table of operators: the shipped one, or the file at `path`.

    Raises `UserFault` with everything that is wrong with the file.
    """
    file = path or SHIPPED
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError:
        raise UserFault([Fault("missing_file", str(file))]) from None
    except UnicodeDecodeError as error:
        raise UserFault(
            [Fault("bad_encoding", str(file), values={"found": error.encoding})]
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UserFault(
            [Fault("settings_syntax", str(file), values={"found": str(error)})]
        ) from None
    draft = _Draft(str(file))
    draft.add(content)
    if draft.faults:
        raise UserFault(draft.faults)
    return OperatorTable(draft.names, draft.codes, draft.brands)


@dataclass
class _Draft:
    """An operator table as its file is read, and everything that is wrong with the file."""

    file: str
    faults: list[Fault] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    codes: dict[Code, str] = field(default_factory=dict)
    brands: dict[str, Brand] = field(default_factory=dict)

    def add(self, content: Mapping[str, Any]) -> None:
        for other in sorted(set(content) - {"operators", "brands"}):
            self.wrong(other, "[operators.NAME], [brands.NAME]")
        for operator, entry in self.entries(content, "operators", {"names", "codes", "source"}):
            self.add_operator(operator, entry)
        for brand, entry in self.entries(content, "brands", {"names", "host", "likely", "source"}):
            self.add_brand(brand, entry)

    def entries(
        self, content: Mapping[str, Any], name: str, keys: set[str]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The entries of a section that are well formed."""
        section = content.get(name, {})
        if not isinstance(section, dict):
            self.wrong(name, f"[{name}.NAME]")
            return
        for key, entry in section.items():
            if not isinstance(entry, dict) or set(entry) - keys:
                self.wrong(f"{name}.{key}", ", ".join(sorted(keys)))
            elif not all(_is_list_of_texts(entry.get(one, [])) for one in ("names", "codes")):
                self.wrong(f"{name}.{key}", 'names = ["…"], codes = ["452-04"]')
            else:
                yield key, entry

    def add_operator(self, operator: str, entry: Mapping[str, Any]) -> None:
        for spelling in (operator, *entry.get("names", ())):
            if not self.is_taken(spelling, operator):
                self.names[name_key(spelling)] = operator
        for text in entry.get("codes", ()):
            code = network_code(text)
            if code is None or self.codes.get(code, operator) != operator:
                self.wrong(text, "MCC-MNC, 452-04")
            else:
                self.codes[code] = operator

    def add_brand(self, brand: str, entry: Mapping[str, Any]) -> None:
        one = Brand(brand, str(entry.get("host", "")), str(entry.get("likely", "")))
        for network in (one.host, one.likely):
            if network and network not in self.names.values():
                self.wrong(network, ", ".join(sorted(set(self.names.values()))))
        for spelling in (brand, *entry.get("names", ())):
            if not self.is_taken(spelling, brand):
                self.brands[name_key(spelling)] = one

    def is_taken(self, spelling: str, by: str) -> bool:
        """Whether a spelling is another's already, which is a fault."""
        key = name_key(spelling)
        former = self.names.get(key) or (self.brands[key].name if key in self.brands else by)
        if former != by:
            self.wrong(spelling, f"{former} | {by}")
        return former != by

    def wrong(self, found: object, expected: str) -> None:
        values = {"found": found, "expected": expected}
        self.faults.append(Fault("bad_operator_table", self.file, values=values))


def _is_list_of_texts(entry: object) -> bool:
    return isinstance(entry, list) and all(isinstance(text, str) for text in entry)


def network_code(text: str) -> Code | None:
    """The network code (MCC, MNC) that a text holds and nothing else; None of any other text.

    >>> [network_code(t) for t in ("452-04", "45204", "452.04", "452 4", "452004", "45204.0")]
    [(452, 4), (452, 4), (452, 4), (452, 4), (452, 4), (452, 4)]
    >>> network_code("MCC=452, MNC=04"), network_code("Viettel"), network_code("4G")
    ((452, 4), None, None)
    """
    bare = spaced_key(_AROUND_CODE.sub(" ", spaced_key(text)).replace(", ", " "))
    if found := _GROUPED.fullmatch(bare):
        joined = found[1] + found[2]
        if len(joined) == 5:
            return int(joined[:3]), int(joined[3:])
    found = _CODE.fullmatch(bare)
    return (int(found[1]), int(found[2] or found[3])) if found else None


def is_no_service(text: str) -> bool:
    """Whether a text says that the phone had no network.

    >>> is_no_service("Emergency calls only"), is_no_service("Khong co dich vu"), is_no_service("V")
    (True, True, False)
    """
    return _words(text) in _NO_SERVICE_KEYS


def is_no_coverage(text: str) -> bool:
    """Whether a text says that the phone looked for its network and found none.

    >>> is_no_coverage("NO_COVERAGE"), is_no_coverage("Mất sóng"), is_no_coverage("Flight mode")
    (True, True, False)
    """
    return _words(text) in _NO_COVERAGE_KEYS


def _words(text: str) -> str:
    return folded(spaced_key(text.replace("_", " ")))


def spellings(text: str) -> Iterator[str]:
    """Keys under which a name may be listed, the likeliest first.

    As it is, without a technology behind it (`Viettel 4G`), without punctuation, one half of
    `Viettel / Viettel`.
    """
    spaced = spaced_key(text)
    shorter = _LAST_WORD.sub("", spaced)
    yield name_key(spaced)
    yield name_key(shorter)
    yield _PUNCTUATION.sub("", spaced)
    yield _PUNCTUATION.sub("", shorter)
    halves = {name_key(half) for half in re.split(r"\s*[/|,;]\s*", spaced)}
    if len(halves) == 1:
        yield halves.pop()


def name_and_code(text: str) -> tuple[str, Code] | None:
    """Both halves of `Viettel (452-04)`."""
    found = _NAME_AND_CODE.fullmatch(spaced_key(text))
    code = network_code(found[2]) if found else None
    return (found[1], code) if found and code else None


def found_in(table: OperatorTable, text: str) -> str | Brand | None:
    """The table's operator or brand of a name as met; None where it has none.

    A name and a code that contradict each other give None.
    """
    code = network_code(text)
    if code is not None:
        return table.codes.get(code)
    both = name_and_code(text)
    if both is not None:
        named, coded = found_in(table, both[0]), table.codes.get(both[1])
        if isinstance(named, Brand):
            return named if named.host in ("", coded) else None
        return coded if named in (None, coded) else None
    for key in spellings(text):
        if key in table.names:
            return table.names[key]
        if key in table.brands:
            return table.brands[key]
    return None


def contradicts(table: OperatorTable, text: str) -> bool:
    """Whether name and code of `Viettel (452-01)` are of two operators."""
    both = name_and_code(text)
    if both is None or found_in(table, text) is not None:
        return False
    return found_in(table, both[0]) is not None and both[1] in table.codes


# technologies are written NO_COVERAGE and NoService
_NO_COVERAGE_KEYS = frozenset(folded(word) for word in _NO_COVERAGE)
_NO_SERVICE_KEYS = _NO_COVERAGE_KEYS | frozenset(folded(word) for word in _SWITCHED_OFF)
