"""Texts that people read, from one catalogue per language: `catalogues/LANGUAGE.toml`.

A catalogue has a section for each use: `faults`, `evidence` (what was found in a file), `log`,
`words` (statuses, flags …), `method`, `report`, `page`, and `language` (its name and how it writes
numbers). A new file in the folder is a
new language. Code elsewhere names a text by its key. Does not belong here: headings and meanings of
columns in Vietnamese and English, which stand with their declarations (`columns/`).
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, partial
from pathlib import Path
from typing import Self

from pipeline.schema.errors import Fault

Lang = str  # a key of `languages()`
CATALOGUES = Path(__file__).with_name("catalogues")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")  # braces with a space inside are of TOML examples
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")  # a terminal would obey them
_PASTED = "⏎"  # where lines to paste stand in a message
_LISTED = 12  # items of a list that a sentence names


@cache
def languages() -> tuple[Lang, ...]:
    """Languages that have a catalogue, Vietnamese first: the default."""
    names = {path.stem for path in CATALOGUES.glob("*.toml")}
    return ("vi", *sorted(names - {"vi"}))


@cache
def catalogue(lang: Lang) -> Mapping[str, Mapping[str, str]]:
    """All texts of a language, by section and key."""
    return tomllib.loads((CATALOGUES / f"{lang}.toml").read_text(encoding="utf-8"))


def text(section: str, key: str, lang: Lang, **values: object) -> str:
    """A text with its placeholders filled; raises KeyError where a value is missing.

    >>> text("report", "sources", "en", sources="a, b")
    'Sources: a, b.'
    """
    template = catalogue(lang)[section][key]
    return _PLACEHOLDER.sub(lambda found: _plain(values[found[1]], lang), template)


def line(key: str, lang: Lang, **values: object) -> str:
    """A sentence of the log.

    >>> line("check_ok", "en")
    'inputs and settings can be used'
    """
    return text("log", key, lang, **values)


def word(key: str, lang: Lang) -> str:
    """The name of a status, class, flag or reason."""
    return catalogue(lang)["words"][key]


def word_or_own(key: str, lang: Lang) -> str:
    """The name of a key; of a value that the settings or data brought, the value itself.

    >>> word_or_own("flat", "en"), word_or_own("karst", "en")
    ('flat', 'karst')
    """
    return catalogue(lang)["words"].get(key, key)


class Said(str):
    """What was found in a file: English as a `str`, and by `in_lang` in every language.

    Made by `said`, `joined` and `worded`. Texts made from it (`f"{…}"`, `"; ".join(…)`) are
    English only: join with `joined`.
    """

    __slots__ = ("in_lang",)
    in_lang: Callable[[Lang], str]

    def __new__(cls, in_lang: Callable[[Lang], str]) -> Self:
        """The text that `in_lang` gives; picklable where `in_lang` is."""
        text = super().__new__(cls, in_lang("en"))
        text.in_lang = in_lang
        return text

    def __getnewargs__(self) -> tuple[Callable[[Lang], str]]:  # type: ignore[override]
        """What pickle makes the text from."""
        return (self.in_lang,)


def said(key: str, **values: object) -> Said:
    """A text of the catalogues' `evidence` with its placeholders filled.

    >>> inside = said("inside", count=1234)
    >>> inside, inside.in_lang("vi")
    ('1,234 inside the area', '1.234 nằm trong khu vực')
    """
    return Said(partial(_said, key, values))


def _said(key: str, values: Mapping[str, object], lang: Lang) -> str:
    return text("evidence", key, lang, **{name: _figure(one, lang) for name, one in values.items()})


def joined(*parts: object, by: str = "; ") -> Said:
    """Texts, examples and numbers in one text; empty ones are left out.

    >>> counts = joined("Viettel", 2400, by=" ")
    >>> counts, counts.in_lang("vi")
    ('Viettel 2,400', 'Viettel 2.400')
    """
    return Said(partial(_joined, tuple(one for one in parts if one != ""), by))


def _joined(parts: tuple[object, ...], by: str, lang: Lang) -> str:
    return by.join(_plain(_figure(one, lang), lang) for one in parts)


def worded(key: str) -> Said:
    """The name of a status, class, flag or reason."""
    return Said(partial(word, key))


def _figure(value: object, lang: Lang) -> object:
    """A number that is no count with the digits that it needs, ten at most; others as they are."""
    return short_number(value, lang, 10) if isinstance(value, float) else value


def method_note(
    lang: Lang, rules: Mapping[str, float], technology: str, shown_min_devices: int
) -> list[str]:
    """How to read a table of verdicts, a paragraph each, with the thresholds in use.

    `rules`: the run's `[evidence]`. `shown_min_devices`: a smaller group's speeds are not shown.
    """
    notes = dict(catalogue(lang)["method"])
    borrowed = notes.pop("borrowed") if rules["borrowed_false_discovery_rate"] else ""
    percents = {name: 100 * rules[name] for name in ("confidence", "probable_gap_probability")}
    figures = {**rules, **percents, "shown_min_devices": shown_min_devices}
    shown = {
        name: short_number(value, lang)
        for name, value in figures.items()
        if isinstance(value, int | float)
    }
    shown |= {"technology": technology, "borrowed": borrowed}
    return [text("method", key, lang, **shown) for key in notes if key != "borrowed"]


def error_message(fault: Fault, lang: Lang) -> str:
    """A fault on one line: file, row, column, what was found and expected, how to fix it.

    Settings lines to paste (`lines`) follow, each on a line of its own.

    >>> repeated = Fault("repeated_code", "communes.gpkg", 4, "code", {"found": "00001"})
    >>> error_message(repeated, "en")[:62]
    'communes.gpkg, row 4, column code: code 00001 is repeated; one'
    """
    place = [fault.file] if fault.file else []
    if fault.row is not None:
        place.append(f"{line('row', lang)} {fault.row}")
    if fault.column:
        place.append(f"{line('column', lang)} {fault.column}")
    values = dict(fault.values)
    if near := values.get("near"):
        values["near"] = line("near", lang, name=near)
    lines = values.get("lines", ())
    pasted = [lines] if isinstance(lines, str) else list(lines)  # type: ignore[call-overload]
    values["lines"] = _PASTED
    sentence = text("faults", fault.code, lang, **values)
    message = f"{', '.join(place)}: {sentence}" if place else sentence
    block = "".join(f"\n    {_text(one, lang)}" for one in pasted)
    return _CONTROL.sub(" ", message).replace(f" {_PASTED}", block).replace(_PASTED, block)


def number(value: float, lang: Lang, digits: int = 0) -> str:
    """A number for people: 1.234,5 in Vietnamese, 1,234.5 in English.

    Rounded half up, as one rounds by hand and as the map's page does.

    >>> number(1234.5, "vi", 1), number(1234.5, "en", 1), number(28.285, "en", 2)
    ('1.234,5', '1,234.5', '28.29')
    """
    if not math.isfinite(value):
        return str(value)
    return _with_marks(f"{half_up(value, digits):,}", lang)


def half_up(value: float, digits: int) -> Decimal:
    """A finite number rounded half up to so many decimals, as it is written.

    >>> half_up(61.495, 2), round(61.495, 2)
    (Decimal('61.50'), 61.49)
    """
    return Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def short_number(value: float, lang: Lang, digits: int = 6) -> str:
    """A number with the digits that it needs, at most `digits`.

    >>> short_number(4.0, "vi"), short_number(0.05, "vi"), short_number(300, "en")
    ('4', '0,05', '300')
    """
    return _with_marks(f"{value:,.{digits}g}", lang)


def _with_marks(english: str, lang: Lang) -> str:
    """A number in the form 1,234.5 with the marks of the language."""
    marks = catalogue(lang)["language"]
    return english.translate(str.maketrans(",.", marks["thousands"] + marks["decimal"]))


def _plain(value: object, lang: Lang) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        return number(value, lang)
    if isinstance(value, float):
        is_short = math.isfinite(value) and half_up(value, 1) == half_up(value, 2)
        return number(value, lang, 1 if is_short else 2)
    if isinstance(value, str):
        return _text(value, lang)
    if isinstance(value, Iterable):
        items = [_text(item, lang) for item in value]
        rest = f" … ({len(items)})" if len(items) > _LISTED else ""
        return ", ".join(items[:_LISTED]) + rest
    return str(value)


def _text(value: object, lang: Lang) -> str:
    """A text in the language, without characters that a terminal would obey."""
    shown = value.in_lang(lang) if isinstance(value, Said) else str(value)
    return _CONTROL.sub(" ", shown)
