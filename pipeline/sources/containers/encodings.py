"""Which encoding a text file is in, found by the letters that its bytes make, and its decoding.

Beside Python's encodings: `tcvn3` (the ABC fonts' code) and `vni` (VNI Windows), which Vietnamese
offices wrote before Unicode. Does not belong here: lines and fields (`text.py`).
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

# ── two tables ───────────────────────────────────────────────────────────────────────────────────
# TCVN 5712:1993 VN3: one byte a letter; runs of letters by their first byte
_TCVN3_BYTES = {
    0xA1: "ĂÂÊÔƠƯĐăâêôơưđ",
    0xB5: "àảãáạ",
    0xBB: "ằẳẵắ",
    0xC6: "ặầẩẫấậè",
    0xCE: "ẻẽéẹềểễếệìỉ",
    0xDC: "ĩíịò",
    0xE1: "ỏõóọồổỗốộờởỡớợù",
    0xF1: "ủũúụừửữứựỳỷỹýỵ",
}
# VNI Windows: a base letter and the mark that follows it; a few letters stand alone
_VNI_MARKS = {
    "a": {"ù": "á", "ø": "à", "û": "ả", "õ": "ã", "ï": "ạ", "â": "â", "á": "ấ", "à": "ầ", "å": "ẩ",
          "ã": "ẫ", "ä": "ậ", "ê": "ă", "é": "ắ", "è": "ằ", "ú": "ẳ", "ü": "ẵ", "ë": "ặ"},
    "e": {"ù": "é", "ø": "è", "û": "ẻ", "õ": "ẽ", "ï": "ẹ", "â": "ê", "á": "ế", "à": "ề", "å": "ể",
          "ã": "ễ", "ä": "ệ"},
    "o": {"ù": "ó", "ø": "ò", "û": "ỏ", "õ": "õ", "ï": "ọ", "â": "ô", "á": "ố", "à": "ồ", "å": "ổ",
          "ã": "ỗ", "ä": "ộ"},
    "u": {"ù": "ú", "ø": "ù", "û": "ủ", "õ": "ũ", "ï": "ụ"},
    "y": {"ù": "ý", "ø": "ỳ", "û": "ỷ", "õ": "ỹ"},
    "ô": {"ù": "ớ", "ø": "ờ", "û": "ở", "õ": "ỡ", "ï": "ợ"},
    "ö": {"ù": "ứ", "ø": "ừ", "û": "ử", "õ": "ữ", "ï": "ự"},
}  # fmt: skip
_VNI_ALONE = {"ô": "ơ", "ö": "ư", "ñ": "đ", "î": "ỵ", "æ": "ỉ", "ó": "ĩ", "ò": "ị"}


def _tcvn3() -> dict[int, str]:
    return {
        start + i: letter
        for start, letters in _TCVN3_BYTES.items()
        for i, letter in enumerate(letters)
    }


def _vni() -> dict[str, str]:
    """What VNI writes (in Windows-1252) → the letter, in both cases."""
    lower = {
        base + mark: letter for base, marks in _VNI_MARKS.items() for mark, letter in marks.items()
    }
    lower |= _VNI_ALONE
    upper = {written.upper(): letter.upper() for written, letter in lower.items()}
    mixed = {  # a capital before a small mark
        base.upper() + mark: letter.upper()
        for base, marks in _VNI_MARKS.items()
        for mark, letter in marks.items()
    }
    return lower | mixed | upper


_TCVN3_LETTERS = _tcvn3()
_VNI_LETTERS = _vni()
_TCVN3_TABLE = "".join(_TCVN3_LETTERS.get(byte, chr(byte)) for byte in range(256))
_VNI_PATTERN = re.compile(
    "|".join(
        f"{base}[{''.join(marks)}{''.join(marks).upper() if base.isupper() else ''}]"
        for lower, marks in _VNI_MARKS.items()
        for base in (lower, lower.upper())
    )
    + r"|[^\x00-\x7f]"
)
OWN = {
    "tcvn3": "tcvn3",
    "tcvn-3": "tcvn3",
    "tcvn": "tcvn3",
    "abc": "tcvn3",
    "vni": "vni",
    "vni-windows": "vni",
}
LENIENT = "utf-8 replace"  # UTF-8 with a few damaged bytes


def normal_name(encoding: str) -> str | None:
    """The name under which `decode` knows an encoding; None where nobody knows it."""
    if encoding == LENIENT:
        return encoding
    if own := OWN.get(encoding.strip().lower().replace("_", "-")):
        return own
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        return None
    return "utf-8" if name in ("utf-8-sig", "utf-8", "ascii") and encoding != "ascii" else name


def is_wide(encoding: str) -> bool:
    """Whether a line's end is more than one byte."""
    return encoding.startswith(("utf-16", "utf-32"))


def decode(content: bytes, encoding: str) -> str:
    """Text of whole lines. Raises `UnicodeDecodeError`."""
    if encoding == "tcvn3":
        return codecs.charmap_decode(content, "strict", _TCVN3_TABLE)[0]
    if encoding == "vni":
        text = content.decode("cp1252", errors="replace")
        return _VNI_PATTERN.sub(lambda found: _VNI_LETTERS.get(found[0], found[0]), text)
    if encoding == LENIENT:
        return content.decode("utf-8", errors="replace")
    text = content.decode(encoding)
    return unicodedata.normalize("NFC", text) if encoding == "cp1258" else text


def fits(content: bytes, encoding: str) -> bool:
    """Whether all bytes can be decoded."""
    if encoding in ("tcvn3", "vni", LENIENT):
        return True
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


# ── which one ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Found:
    """An encoding, and how it is known: of `of` words with special letters, `count` make sense."""

    encoding: str
    is_sure: bool = True
    count: int = 0
    of: int = 0
    examples: tuple[str, ...] = ()


_LETTERS = "aàảãáạăằẳẵắặâầẩẫấậeèẻẽéẹêềểễếệiìỉĩíịoòỏõóọôồổỗốộơờởỡớợuùủũúụưừửữứựyỳỷỹýỵ"
_SYLLABLE = re.compile(
    r"(?:ngh|ch|gh|gi|kh|ng|nh|ph|qu|th|tr|[bcdđghklmnpqrstvx])?"
    rf"[{_LETTERS}]{{1,3}}(?:ch|ng|nh|[cmnpt])?"
)
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
_WORD = re.compile(r"[^\W\d_]+(?:[^\w\s,;|\t\"'().:/\-–]+[^\W\d_]*)*")
_CONTROL = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]")
_LEGACY = ("cp1258", "tcvn3", "vni", "cp1252")


def detected(head: bytes, samples: Iterable[bytes]) -> Found:
    """The encoding of a file that begins with `head`; `samples`: whole lines from all over it."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return Found("utf-32")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Found("utf-16")
    if b"\x00" in head[:400]:
        evens, odds = head[:400:2].count(0), head[1:400:2].count(0)
        is_wide = max(evens, odds) > 3 * min(evens, odds) + len(head[:400]) // 10
        if is_wide or _CONTROL.search(head[:400]):  # else stray NULs
            return Found("utf-16-be" if evens > odds else "utf-16-le")
    lines = [line for sample in samples for line in sample.splitlines() if not line.isascii()]
    broken = [line for line in lines if not _is_utf8(line)]
    if not broken:
        return Found("utf-8")
    if len(broken) * 20 < len(lines):  # some damaged bytes among lines that are UTF-8
        examples = tuple(decode(line, LENIENT)[:60] for line in broken[:3])
        return Found(LENIENT, False, len(lines) - len(broken), len(lines), examples)
    return max(
        (_scored(lines[:2000], encoding) for encoding in _LEGACY),
        key=lambda found: (found.count, -_LEGACY.index(found.encoding)),
    )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _scored(lines: list[bytes], encoding: str) -> Found:
    """How many of the words with special letters are Vietnamese in this encoding."""
    good, of = 0, 0
    examples: list[str] = []
    for line in lines:
        try:
            text = unicodedata.normalize("NFC", decode(line, encoding))
        except UnicodeDecodeError:
            return Found(encoding, False, -1, len(lines))
        for word in _WORD.findall(text):
            if word.isascii():
                continue
            of += 1
            if is_vietnamese(word):
                good += 1
                if word not in examples and len(examples) < 5:
                    examples.append(word)
    return Found(encoding, good * 10 >= of * 8 and good >= 3, good, of, tuple(examples))


def is_vietnamese(word: str) -> bool:
    """Whether a word can be a Vietnamese syllable: letters, one tone, one case or a capital first.

    >>> is_vietnamese("Mạng"), is_vietnamese("M¹ng"), is_vietnamese("Maïng")
    (True, False, False)
    """
    if not (word.islower() or word.isupper() or word[1:].islower()):
        return False
    lower = word.lower()
    tones = sum(mark in _TONES for mark in unicodedata.normalize("NFD", lower))
    return tones <= 1 and _SYLLABLE.fullmatch(lower) is not None
