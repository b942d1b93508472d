"""The encoding of names in a boundary file, found by Vietnamese spelling, or asked.

A .dbf without .cpg says nothing of its encoding, and a .cpg may be wrong. Whether a reading is
right shows in its words: Vietnamese syllables follow strict rules, misread ones break them.
Does not belong here: opening files (`reading.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from pipeline.schema.errors import Fault, fault
from pipeline.sources.containers import encodings

_SURE_SHARE = 0.8  # of words that must be spelled correctly
_SURE_WORDS = 3  # fewer words prove nothing
_LIKELY_SHARE = 0.5
_MORE_MISSPELT = 2  # words that every other reading must misspell beyond the right one
_MORE_SHARE = 0.2  # the same as a share of all words
_EXAMPLES = 3
_ONSET = re.compile(
    r"(?:ngh|ng|nh|ch|gh|gi|kh|kr|br|dr|đr|pl|ph|qu|th|tr|[bcdđghklmnprstvx])?(.+)", re.DOTALL
)
_RIMES = frozenset(
    """
    a ac ach ai ak am an ang anh ao ap at au ay ă ăc ăk ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây
    e ec ek em en eng eo ep et ê êc êch êk êm ên êng ênh êp êt êu i ia ich iêc iêm iên iêng iêp iêt
    iêu ik im in inh ip it iu o oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng
    oăt oc oe oen oeo oet oi ok om on ong ooc oong op ot ô ôc ôi ôk ôm ôn ông ôp ôt ơ ơi ơm ơn ơng
    ơp ơt u ua uân uâng uât uây uc uê uêch uênh ui uk um un ung uơ uôc uôi uôm uôn uông uôt up ut uy
    uya uych uyên uyêt uynh uyt uyu ư ưa ưc ưi ưm ưn ưng ươc ươi ươm ươn ương ươp ươt ươu ưt ưu
    y ych yêm yên yêng yêt yêu ym yn ynh yt
    """.split()  # noqa: SIM905 - a list of 150 quoted words is not readable
)
_TONES = dict.fromkeys(map(ord, "\u0300\u0301\u0303\u0309\u0323"))
_BETWEEN_WORDS = re.compile(r"[\s\d!-/:-@\[-`{-~\u2013\u2014\u2018\u2019\u201c\u201d]+")


@dataclass(frozen=True)
class Reading:
    """How texts were read: the encoding's name and the texts, one for one."""

    name: str
    texts: tuple[str, ...]
    words: int  # with a letter beyond ASCII
    well_spelt: int

    @property
    def share(self) -> float:
        """Well-spelt words over words; 0 where there are none."""
        return self.well_spelt / self.words if self.words else 0.0

    @property
    def misspelt(self) -> int:
        """Words that are not Vietnamese syllables."""
        return self.words - self.well_spelt


def is_syllable(word: str) -> bool:
    """Whether a word follows the spelling of Vietnamese syllables.

    >>> [is_syllable(word) for word in ("Đoàn", "Phường", "Đắk", "PhýõÌng", "Káº¿t")]
    [True, True, True, False, False]
    """
    bare = unicodedata.normalize("NFD", word).translate(_TONES)
    lower = unicodedata.normalize("NFC", bare).lower()
    if lower in _RIMES or (
        lower[:1] == "g" and lower[1:] in _RIMES
    ):  # `giêng`: the i is of the rime
        return True
    rime = _ONSET.fullmatch(lower)
    return rime is not None and rime[1] in _RIMES


def spelling(texts: Iterable[str]) -> tuple[int, int]:
    """(words with a letter beyond ASCII, how many of them are spelled correctly).

    >>> spelling(["Phường Đoàn Kết", "Tam Son"])
    (3, 3)
    """
    words = [
        word
        for text in texts
        for word in _BETWEEN_WORDS.split(unicodedata.normalize("NFC", text))
        if not word.isascii()
    ]
    return len(words), sum(map(is_syllable, words))


def names() -> list[str]:
    """Encodings that the setting `encoding` takes, beside all that Python knows."""
    return ["utf-8", "cp1258", "tcvn3", "vni", "cp1252"]


def decoded(raw: Sequence[bytes], encoding: str) -> list[str]:
    """Texts of bytes, in Unicode's composed form.

    A character that the field's width cut off at the end of a UTF-8 text is dropped. Raises
    `UserFault` for an unknown encoding, `UnicodeDecodeError` for bytes that it does not have.
    """
    decode = _decoder(encoding)
    return [unicodedata.normalize("NFC", decode(value)) for value in raw]


def _decoder(encoding: str) -> Callable[[bytes], str]:
    name = encodings.normal_name(encoding)
    if name is None:
        raise fault("bad_boundary_encoding", found=encoding, expected=names())
    return _utf8 if name == "utf-8" else partial(encodings.decode, encoding=name)


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.start >= len(raw) - 3 > 0:
            return raw[: error.start].decode("utf-8")
        raise


def bytes_of(text: str) -> bytes | None:
    """The bytes that were misread as Windows-1252 or Latin-1 into this text; None: they were not.

    >>> bytes_of("Æ°").hex(), bytes_of("ư")
    ('c6b0', None)
    """
    made = bytearray()
    for character in text:
        try:
            made += character.encode("cp1252")
        except UnicodeEncodeError:
            if ord(character) > 0xFF:
                return None
            made.append(ord(character))
    return bytes(made)


def decide(
    raw: Sequence[bytes], stated: Sequence[str] | None, file: str
) -> tuple[Reading, list[Fault], list[Fault]]:
    """(reading, warnings, questions) of texts that hold letters beyond ASCII.

    `raw`: their bytes. `stated`: the same texts as the file's own statement reads them; None where
    that fails. UTF-8 that decodes is right, since other encodings do not decode as UTF-8 by chance.
    Another reading must show by its words: sure where 80 % of at least three words are spelled
    correctly and every other reading misspells at least two words (and a fifth of all) more;
    otherwise asked, with both readings. Of official names, 0.4 % of the words look misspelt to
    `is_syllable`.
    """
    readings = _readings(raw, stated)
    as_stated = readings.get("stated")
    if "utf-8" in readings:
        best = readings["utf-8"]
        is_new = as_stated is None or as_stated.texts != best.texts
        return best, [_found(file, best, as_stated)] if is_new else [], []
    best = max(readings.values(), key=lambda one: one.share)
    if as_stated is not None and as_stated.share >= min(_SURE_SHARE, best.share):
        said = [] if as_stated.share >= _LIKELY_SHARE else [_unproven(file, as_stated)]
        return as_stated, said, []
    others = [one for one in readings.values() if one.texts != best.texts]
    rival = max(others, key=lambda one: one.share, default=None)
    if best.share < _LIKELY_SHARE:
        kept = as_stated or best
        return kept, [_unproven(file, kept)], []
    more = max(_MORE_MISSPELT, _MORE_SHARE * best.words)
    clear = all(one.misspelt - best.misspelt >= more for one in others)
    if best.share >= _SURE_SHARE and best.words >= _SURE_WORDS and clear:
        return best, [_found(file, best, as_stated)], []
    second = as_stated or rival or best
    return best, [], [_question(file, best, second)]


def _readings(raw: Sequence[bytes], stated: Sequence[str] | None) -> dict[str, Reading]:
    readings = {}
    if stated is not None:
        texts = [unicodedata.normalize("NFC", text) for text in stated]
        readings["stated"] = Reading("stated", tuple(texts), *spelling(texts))
    for name in names():
        try:
            texts = decoded(raw, name)
        except UnicodeDecodeError:
            continue
        readings[name] = Reading(name, tuple(texts), *spelling(texts))
    return readings


def undone(texts: Sequence[str], file: str) -> tuple[list[str], list[Fault], list[Fault]]:
    """(texts, warnings, questions) of a format that states its encoding, such as GeoJSON.

    Texts that were misread before they were written there are read again from their former bytes.
    """
    words, well_spelt = spelling(texts)
    former = [bytes_of(text) for text in texts]
    known = [i for i, value in enumerate(former) if value is not None]
    if not words or well_spelt >= _LIKELY_SHARE * words or not known:
        return list(texts), [], []
    raw = [value for value in former if value is not None]
    met = [texts[i] for i in known]
    reading, warnings, questions = decide(raw, met, file)
    if questions or reading.name == "stated":
        return list(texts), [], questions
    if reading.share < _SURE_SHARE and reading.name != "utf-8":
        return list(texts), [], []
    right = dict(zip(known, reading.texts, strict=True))
    return [right.get(i, text) for i, text in enumerate(texts)], warnings, []


def _examples(reading: Reading) -> str:
    shown = [text for text in reading.texts if not text.isascii()] or list(reading.texts)
    return "; ".join(list(dict.fromkeys(shown))[:_EXAMPLES])


def _found(file: str, reading: Reading, stated: Reading | None) -> Fault:
    before = _examples(stated) if stated else "–"
    return Fault(
        "names_encoding_found",
        file,
        values={
            "found": reading.name,
            "right": reading.well_spelt,
            "words": reading.words,
            "example": _examples(reading),
            "before": before,
        },
    )


def _unproven(file: str, reading: Reading) -> Fault:
    return Fault(
        "encoding_unproven", file, values={"example": _examples(reading), "expected": names()}
    )


def _question(file: str, best: Reading, second: Reading) -> Fault:
    return Fault(
        "which_encoding",
        file,
        values={
            "found": f"{best.name}: {_examples(best)}",
            "other": f"{second.name}: {_examples(second)}",
            "right": best.well_spelt,
            "words": best.words,
            "lines": f'encoding = "{best.name}"',
        },
    )
