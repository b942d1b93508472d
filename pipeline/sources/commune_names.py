"""Codes and names as tables write them → the communes that they mean.

A name that differs from the commune's is met only where one commune can be meant, and says so.
Does not belong here: reading the table (`commune_tables.py`).
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import geopandas as gpd
import pandas as pd

from pipeline.sources import values

# folded words for a kind of commune → one of them
_KINDS = {
    "xa": "xa", "x": "xa", "commune": "xa",
    "phuong": "phuong", "p": "phuong", "f": "phuong", "ward": "phuong",
    "thi tran": "thi tran", "tt": "thi tran", "town": "thi tran", "township": "thi tran",
    "dac khu": "dac khu", "special zone": "dac khu",
}  # fmt: skip
_WORDS = "|".join(sorted(_KINDS, key=len, reverse=True))
_BEFORE = re.compile(rf"({_WORDS}) (\S.*)|(p|f)(\d+)")
_BEHIND = re.compile(r"(\S.*) (commune|ward|town|township|special zone)")
_DISTRICT = re.compile(
    r"(?:huyen dao|huyen|quan|thi xa|thanh pho thuoc tinh|thanh pho|tp|tx|district|city|town|h|q)"
    r" (\S.*)|(\S.*) (?:district|city|town)"
)
_SECTION = re.compile(r"(?:huyen dao|huyen|quan|thi xa|thanh pho|tp|tx)(?: .*)|\S.* (?:district)")
_PROVINCE = re.compile(r"(?:tinh|thanh pho|tp|province|city) (\S.*)|(\S.*) (?:province|city)")
# not `X.`, which is short for `xã`
_NUMBERING = re.compile(r"\s*(?:\d{1,4}(?:\.\d{1,3})*|(?!X\b)[IVXL]+|[A-H])\s*[.)/]\s+")
_TOTAL = re.compile(
    r"(?:tong|tong so|tong cong|tong chung|cong|cong chung|tong so dan"
    r"|toan (?:tinh|huyen|quoc|xa|thanh pho|bo)|ca (?:nuoc|tinh|huyen)"
    r"|tong (?:toan )?(?:tinh|huyen)"
    r"|tong cong .{0,20}|tong so .{0,20}"
    r"|(?:grand |sub ?)?totals?|sum|whole (?:province|country)|(?:province|country) total)"
)
_ALIKE = 0.75  # of `difflib`: one character of four may differ


def is_total(text: str) -> bool:
    """Whether a name stands for all rows together.

    >>> [is_total(text) for text in ("TỔNG CỘNG:", "Tổng", "Total", "Xã Cộng Hòa", "Tổng Đội")]
    [True, True, True, False, False]
    """
    return _TOTAL.fullmatch(values.folded(without_numbering(text))) is not None


def is_section(text: str) -> bool:
    """Whether a name is that of a district, above its communes in a table.

    >>> [is_section(text) for text in ("II. Huyện Tam Đường", "TP. Hội An", "Xã Tam Đường")]
    [True, True, False]
    """
    return _SECTION.fullmatch(values.folded(without_numbering(text))) is not None


def without_numbering(text: str) -> str:
    """A name without the number of its row: `12. Xã Bình Lư`."""
    found = _NUMBERING.match(text)
    return text[found.end() :] if found and text[found.end() :].strip() else text.strip()


def parts_of(name: str) -> tuple[str, str]:
    """(kind, rest without accents, spaces and case) of a commune's name; kind "" where unsaid.

    >>> [parts_of(name) for name in ("TT. Tam Đường", "P.05", "Binh Lu", "Doan Ket ward")]
    [('thi tran', 'tamduong'), ('phuong', '5'), ('', 'binhlu'), ('phuong', 'doanket')]
    """
    text = values.folded(name)
    kind = ""
    if found := _BEFORE.fullmatch(text):
        kind, text = found[1] or found[3], found[2] or found[4]
    elif found := _BEHIND.fullmatch(text):
        text, kind = found[1], found[2]
    rest = text.replace(" ", "")
    return _KINDS.get(kind, ""), rest.lstrip("0") or rest if rest.isdigit() else rest


def district_key(name: str) -> str:
    """What spellings of one district have in common.

    >>> district_key("TP Hội An") == district_key("Thành phố Hội An") == "hoian"
    True
    """
    return _bare(name, _DISTRICT)


def province_key(name: str) -> str:
    """What spellings of one province have in common."""
    return _bare(name, _PROVINCE)


def _bare(name: str, words: re.Pattern[str]) -> str:
    text = values.folded(name)
    if found := words.fullmatch(text):
        text = found[1] or found[2]
    return text.replace(" ", "")


@dataclass(frozen=True)
class Key:
    """What a row says of its commune; "" where it does not say."""

    code: str = ""
    name: str = ""
    district: str = ""
    province: str = ""


@dataclass
class Meeting:
    """Rows of a table → communes, and how each was met.

    `commune`: place in `communes` by row. `zeros`: codes that got lost zeros back. `fuzzy`: names
    that differ from their commune's. `several`: rows whose name may be one of several communes.
    `differing`: rows met by code that name another commune.
    """

    commune: dict[int, int] = field(default_factory=dict)
    zeros: dict[int, str] = field(default_factory=dict)
    fuzzy: dict[int, int] = field(default_factory=dict)
    several: dict[int, tuple[int, ...]] = field(default_factory=dict)
    differing: dict[int, int] = field(default_factory=dict)


class Register:
    """The communes by code and by the spellings of their names.

    `area`: the province's name, where the communes name none.
    """

    def __init__(self, communes: gpd.GeoDataFrame, area: str = "") -> None:
        self.codes = communes["commune_code"].astype("str").tolist()
        self.names = communes["commune_name"].astype("str").tolist()
        self._by_code = {code: place for place, code in enumerate(self.codes)}
        self._districts = [
            {district_key(one) for one in text.split(";")} - {""}
            for text in communes["former_district"].fillna("").astype("str")
        ]
        provinces = communes["province_name"].fillna("").astype("str")
        self._provinces = [{province_key(text or area)} - {""} for text in provinces]
        self._spelt: dict[str, list[int]] = defaultdict(list)
        self._same_kind: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._bare: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(self.names):
            kind, rest = parts_of(name)
            self._spelt[values.name_key(name)].append(place)
            self._same_kind[kind, rest].append(place)
            self._bare[rest].append(place)
        lengths = {len(code) for code in self.codes}
        is_fixed = len(lengths) == 1 and all(code.isdigit() for code in self.codes)
        self._length = lengths.pop() if is_fixed else 0

    def shown(self, place: int) -> str:
        """A commune as messages name it."""
        return f"{self.names[place]} ({self.codes[place]})"

    def place_of_code(self, code: str) -> int | None:
        """The commune of a code, lost zeros given back; None of any other code."""
        if code in self._by_code:
            return self._by_code[code]
        if code.isdigit() and len(code) < self._length:
            return self._by_code.get(code.zfill(self._length))
        return None

    def is_same_name(self, place: int, name: str) -> bool:
        """Whether a name may be the commune's, or the commune's is not known."""
        own = self.names[place]
        return own == self.codes[place] or parts_of(own)[1] == parts_of(name)[1]

    def near(self, code: str, name: str) -> list[int]:
        """Communes that a code or name that is not known may mean, for messages.

        Those of the name come first, then those of names spelt almost alike, then those of codes.
        """
        places = list(self.places_of_name(Key(name=name))[0]) if name else []
        if name:
            rest = parts_of(without_numbering(name))[1]
            for alike in difflib.get_close_matches(rest, list(self._bare), n=3, cutoff=_ALIKE):
                places += self._bare[alike]
        alike_codes = difflib.get_close_matches(code, self.codes, n=3, cutoff=_ALIKE)
        places += [self._by_code[alike] for alike in alike_codes]
        return list(dict.fromkeys(places))

    def places_of_name(self, key: Key) -> tuple[tuple[int, ...], bool]:
        """(communes that a row's name may mean, whether it is spelt as theirs)."""
        name = without_numbering(key.name)
        met = self._places(name, key)
        if met[0]:
            return met
        first, *more = [part.strip(" )") for part in re.split(r"[,(]|\s[-–]\s", name)]
        if not more or not first:
            return (), False
        within = Key(key.code, first, key.district or more[0], key.province or "".join(more[1:2]))
        return self._places(first, within)[0], False

    def _places(self, name: str, key: Key) -> tuple[tuple[int, ...], bool]:
        kind, rest = parts_of(name)
        if not rest:
            return (), False
        tried: Sequence[tuple[list[int], bool]] = (
            (self._spelt.get(values.name_key(name), []), True),
            (self._same_kind.get((kind, rest), []), False),
            (self._bare.get(rest, []), False),
        )
        for found, is_spelt in tried:
            if kept := self._within(found, key):
                return tuple(kept), is_spelt
        return (), False

    def _within(self, places: list[int], key: Key) -> list[int]:
        """The communes that lie in the row's district and province, as far as that is known."""
        wanted = (
            (self._districts, district_key(key.district)),
            (self._provinces, province_key(key.province)),
        )
        kept = places
        for known, said in wanted:
            if not said:
                continue
            inside = [place for place in kept if said in known[place]]
            kept = inside or [place for place in kept if not known[place]]
        return kept


def met(
    register: Register, keys: Mapping[int, Key], *, by_code: bool, code_length: int | None = None
) -> Meeting:
    """The communes that rows mean.

    `by_code`: rows with a code are met by it alone; others, and all rows without it, by name.
    `code_length`: pads codes without a word.
    """
    result = Meeting()
    for row, key in keys.items():
        if by_code and key.code:
            code = key.code.zfill(code_length) if code_length else key.code
            place = register.place_of_code(code)
            if place is None:
                continue
            result.commune[row] = place
            if register.codes[place] != code:
                result.zeros[row] = key.code
            if key.name and not register.is_same_name(place, without_numbering(key.name)):
                result.differing[row] = place
        elif key.name:
            places, is_spelt = register.places_of_name(key)
            if len(places) > 1:
                result.several[row] = places
            elif places:
                result.commune[row] = places[0]
                if not is_spelt:
                    result.fuzzy[row] = places[0]
    return result


def share_met(register: Register, codes: Collection[str]) -> float:
    """The share of codes that are communes'; 0 of none."""
    return _share(register.place_of_code(code) is not None for code in codes)


def share_named(register: Register, names: Collection[str]) -> float:
    """The share of names that may be communes'; 0 of none."""
    return _share(bool(register.places_of_name(Key(name=name))[0]) for name in names)


def _share(found: Iterable[bool]) -> float:
    results = list(found)
    return sum(results) / len(results) if results else 0.0


def codes_of(column: pd.Series) -> pd.Series:
    """Codes as text, "" where there is none; numbers, and texts of numbers, lose their `.0`.

    >>> codes_of(pd.Series(["01234", "1234.0", " - ", "1234,0"])).tolist()
    ['01234', '1234', '', '1234']
    """
    text = values.names(column).fillna("").astype("str")
    return text.str.replace(r"^['’]?(\d+)(?:[.,]0+)?$", r"\1", regex=True)
