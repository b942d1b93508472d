"""Names from data as parts of file names and identifiers, unique and the same in every run."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

_MOST_BYTES = 120  # of a part of a file name: file systems allow 255, and more is put around it
# what Windows keeps for devices, with any suffix
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Names as parts of file names: letters and digits of any script, the rest `_`.

    A number follows where two would clash.

    >>> file_names(["Viettel", "A/B", "../A B", "CON"])
    {'Viettel': 'Viettel', 'A/B': 'A_B', '../A B': '_A_B', 'CON': 'CON_'}
    >>> file_names(["A/B", "A B"])
    {'A/B': 'A_B', 'A B': 'A_B_2'}
    """
    return _distinct(names, _file_name)


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Names as identifiers of lower-case ASCII letters, digits, `_`, `-` and `.`.

    >>> identifiers(["Mạng A", "Mảng A", "priorities_Đô"])
    {'Mạng A': 'mang_a', 'Mảng A': 'mang_a_2', 'priorities_Đô': 'priorities_do'}
    """
    return _distinct(names, _identifier)


def _file_name(name: str) -> str:
    plain = re.sub(r"[\W_]+", "_", unicodedata.normalize("NFC", name))
    plain = plain.encode()[:_MOST_BYTES].decode(errors="ignore")
    return f"{plain}_" if _RESERVED.fullmatch(plain) else plain


def _identifier(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("đ", "d").replace("Đ", "D"))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9_.-]", "_", plain.lower())


def _distinct(names: Iterable[str], short: Callable[[str], str]) -> dict[str, str]:
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain, number = short(name), 1
        while (candidate := plain if number == 1 else f"{plain}_{number}").casefold() in taken:
            number += 1
        taken.add(candidate.casefold())
        found[name] = candidate
    return found
