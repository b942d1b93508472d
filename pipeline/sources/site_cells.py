"""What a cell of a list of sites says: operator, technologies, band, height, candidate or not.

Does not belong here: which column is which, and where the sites lie (`sites.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.sources import values
from pipeline.sources.cells import operators as operator_names
from pipeline.sources.cells.operators import OperatorTable
from pipeline.sources.cells.technologies import technology_of

TECHNOLOGIES = ("2G", "3G", "4G", "5G")
HEIGHTS_M = (3.0, 300.0)
BANDS_MHZ = (400.0, 6000.0)
# downlink, MHz, by number of the band: 3GPP TS 36.101 and TS 38.101-1
BANDS: Mapping[int, float] = {
    1: 2100, 2: 1900, 3: 1800, 4: 2100, 5: 850, 7: 2600, 8: 900, 12: 700, 13: 700, 14: 700,
    17: 700, 18: 850, 19: 850, 20: 800, 25: 1900, 26: 850, 28: 700, 31: 450, 32: 1500, 34: 2000,
    38: 2600, 39: 1900, 40: 2300, 41: 2500, 42: 3500, 43: 3700, 46: 5200, 48: 3600, 65: 2100,
    66: 2100, 71: 600, 72: 450, 75: 1500, 77: 3700, 78: 3500, 79: 4700,
}  # fmt: skip
_SEPARATORS = re.compile(r"\s*(?:[;,/|&+]|\bvà\b|\band\b)\s*", re.IGNORECASE)
_BAND = re.compile(
    r"(?P<kind>lte|nr|gsm|umts|wcdma|dcs|egsm|band|b|l|u|w|g|n|e)?[\s._-]*"
    r"(?P<number>\d+(?:[.,]\d+)?)\s*(?P<unit>mhz|ghz|m)?"
)
# 2,1 GHz and 1,800 are one number each, 900,1800 are two
_COMMA_IN_NUMBER = re.compile(r"(?<=\d),(?=\d+\s*ghz)|(?<=\b\d),(?=\d{3}\b)")
_OTHER_RADIO = ("gsm", "dcs", "egsm", "g", "e", "umts", "wcdma", "u", "w", "nr", "n")
_HIGHEST_NUMBER = 261  # of the bands; larger numbers are MHz
_METRES = re.compile(r"\s*(?:m|mét|met|metres?|meters?)\.?\s*$", re.IGNORECASE)
# folded words
_CANDIDATE = frozenset({
    "co", "x", "1", "yes", "y", "true", "t", "dung", "du kien", "de xuat", "ung vien",
    "quy hoach", "ke hoach", "chua xay", "chua xay dung", "chua phat song", "chua lap dat",
    "tram du kien", "tram de xuat", "tram quy hoach", "candidate", "planned", "proposed",
    "moi", "xay moi", "du kien xay dung", "new",
})  # fmt: skip
_EXISTING = frozenset({
    "khong", "0", "no", "n", "false", "f", "sai", "hien co", "hien huu", "dang hoat dong",
    "hoat dong", "dang phat song", "da phat song", "phat song", "da co", "ton tai", "tram hien co",
    "tram hien huu", "existing", "on air", "onair", "active", "in service", "operational", "live",
})  # fmt: skip


@dataclass(frozen=True)
class Operators:
    """Names of operators as met → ours. `known`: ours by keys of spellings; empty: any name."""

    known: Mapping[str, str]
    shipped: OperatorTable

    @classmethod
    def of(cls, listed: Mapping[str, Sequence[str]]) -> Operators:
        """The operators of the settings, none: all that the shipped table knows, and any other."""
        known = {
            values.name_key(spelling): name
            for name, spellings in listed.items()
            for spelling in (*spellings, name)
        }
        return cls(known, operator_names.operator_table())

    def name_of(self, text: str) -> str | None:
        """Our name of an operator; None where [operators] are listed and it is none of them.

        >>> Operators.of({}).name_of("VNPT"), Operators.of({}).name_of("Unitel")
        ('VinaPhone', 'Unitel')
        >>> here = Operators.of({"Viettel": ["VTL"]})
        >>> here.name_of("vtl"), here.name_of("452-04"), here.name_of("VNPT")
        ('Viettel', 'Viettel', None)
        """
        found = self._listed(text)
        return found or (None if self.known else values.printable(text))

    def name_of_code(self, code: str) -> str | None:
        """Our name of a network code such as 452-4; None of one that is not known or not listed."""
        return self._listed(code)

    def _listed(self, text: str) -> str | None:
        if (known := self.known.get(values.name_key(text))) is not None:
            return known
        found = operator_names.found_in(self.shipped, text)
        name = found if isinstance(found, str) else found.host if found else ""
        return name if name and (not self.known or name in self.known.values()) else None


def technologies_of(text: str) -> str | None:
    """The technologies of a cell, `;`-joined; None where a part of it is not understood.

    >>> [technologies_of(one) for one in ("2G/3G/4G", "LTE, GSM", "4G+", "4G-2G", "NR", "Wi-Fi")]
    ['2G;3G;4G', '2G;4G', '4G', '2G;4G', '5G', None]
    """
    parts = [part for part in _SEPARATORS.split(text) if part]
    found: set[str] = set()
    for part in parts:
        words = [part] if technology_of(part) in TECHNOLOGIES else re.split(r"[\s-]+", part)
        for word in words:
            name = technology_of(word)
            if name not in TECHNOLOGIES:
                return None
            found.add(name)
    return ";".join(sorted(found)) or None


def band_of(text: str) -> float | None:
    """The lowest band of a cell, MHz; None where a part of it is no band from 400 to 6000 MHz.

    A band of another radio than LTE (G900, U2100) counts where no other is named.

    >>> [band_of(one) for one in ("B3", "1800", "L1800;L900", "G900/L1800", "G900", "2,1 GHz")]
    [1800.0, 1800.0, 900.0, 1800.0, 900.0, 2100.0]
    >>> [band_of(one) for one in ("1,800", "900,1800", "L2100, U900", "B3 B8", "1800MHz")]
    [1800.0, 900.0, 2100.0, 900.0, 1800.0]
    >>> [band_of(one) for one in ("n78", "Band 28", "1.800 MHz", "B99", "300", "VHF")]
    [3500.0, 700.0, 1800.0, None, None, None]
    """
    found: dict[bool, list[float]] = {False: [], True: []}  # by whether it is another radio's
    whole = _COMMA_IN_NUMBER.sub(".", text.casefold())
    parts = [part for part in _SEPARATORS.split(whole) if part]
    for part in (word for one in parts for word in _words_of_band(one)):
        match = _BAND.fullmatch(part)
        mhz = None if match is None else _mhz(match)
        if match is None or mhz is None:
            return None
        found[match["kind"] in _OTHER_RADIO].append(mhz)
    return min(found[False] or found[True], default=None)


def _words_of_band(part: str) -> list[str]:
    """`B3 B8` are two bands, `Band 3` and `1800 MHz` are one."""
    return [part] if _BAND.fullmatch(part) else part.split()


def _mhz(match: re.Match[str]) -> float | None:
    number = match["number"].replace(",", ".")
    unit = match["unit"] or ""
    figure = float(number)
    if unit != "ghz" and re.fullmatch(r"\d\.\d{3}", number):
        figure *= 1000  # 1.800: the mark separates thousands
    if unit == "ghz":
        figure = round(figure * 1000, 6)
    elif not unit and figure <= _HIGHEST_NUMBER:
        band = BANDS.get(int(figure)) if figure.is_integer() else None
        return None if band is None else float(band)
    low, high = BANDS_MHZ
    return figure if low <= figure <= high else None


def height_of(text: str, decimal: str | None = None) -> float | None:
    """A height in metres; None where it is no number within HEIGHTS_M.

    >>> [height_of(one) for one in ("42", "42 m", "36,5", "2", "high")]
    [42.0, 42.0, 36.5, None, None]
    """
    figure = float(values.numbers(pd.Series([_METRES.sub("", text)], dtype="str"), decimal).iloc[0])
    low, high = HEIGHTS_M
    return figure if low <= figure <= high else None


def is_candidate(text: str) -> bool | None:
    """Whether a cell says that no site stands there yet; None where it is not understood.

    >>> [is_candidate(one) for one in ("x", "Dự kiến", "không", "on air", "bảo trì")]
    [True, True, False, False, None]
    """
    key = " ".join(values.folded(text).replace("_", " ").replace("-", " ").split())
    return True if key in _CANDIDATE else False if key in _EXISTING else None
