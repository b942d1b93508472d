"""Official classes of coverage in a list of villages: of all operators in one column, or of each.

Does not belong here: the list's other columns (`village_facts.py`), which class the data propose
(`verdicts/villages.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from pipeline.schema import texts
from pipeline.schema.errors import Fault
from pipeline.schema.fields import ALL, OFFICIAL_CLASSES
from pipeline.sources import other_tables, values
from pipeline.sources.cells import operators as operator_names
from pipeline.sources.other_tables import Table, asked

KEY = "class_columns"
# usual headings, as `heading_key` writes them
CLASSES = (
    "officialclass", "officialclasses", "coverageclass", "loailomsong", "phanloailomsong",
    "phanloaichinhthuc", "phanloaisong", "phanloaiphusong", "tinhtrangsong", "hientrangsong",
    "tinhtrangphusong", "hientrangphusong", "tinhtrangsongdidong", "hientrangsongdidong",
)  # fmt: skip
OTHER_CLASSES = ("phanloai", "loai", "class")  # of what, is not said: their cells must be classes
# words beside an operator's name in the heading of its classes, folded; the longest first
_BESIDE = (
    "tinh trang phu song", "hien trang phu song", "phan loai lom song", "tinh trang song",
    "hien trang song", "official class", "loai lom song", "phan loai", "nha mang", "phu song",
    "coverage", "class", "song", "mang",
)  # fmt: skip
# folded words of a cell by the official class, beside ours
_WORDS = {
    "no_signal": (
        "trang song", "trang", "khong co song", "khong song", "chua co song", "mat song",
        "no signal", "no coverage", "0",
    ),
    "weak": ("lom song", "lom", "song yeu", "yeu", "weak", "weak signal", "partial"),
    "covered": ("co song", "da co song", "du song", "tot", "song tot", "da phu song", "covered",
                "good", "ok"),
}  # fmt: skip
# what a fault lists: words that people know in both languages
_EXPECTED = "trắng sóng, lõm sóng, có sóng, no_signal, weak, covered"


@dataclass(frozen=True)
class Asked:
    """What the settings say: one heading for all operators, or headings by operator.

    None: headings are looked for. `operators`: listed spellings by name; none: any that is known.
    """

    columns: str | Mapping[str, str] | None = None
    operators: Mapping[str, Sequence[str]] = field(default_factory=dict)


# ── which columns ────────────────────────────────────────────────────────────────────────────────


def class_columns(
    table: Table, about: Asked, used: set[str], faults: list[Fault], notes: list[Fault]
) -> dict[str, str]:
    """Headings of official classes by operator, or `all`.

    `used`: columns that are something else. `faults` gets what is open or wrong, `notes` the
    columns whose heading would do and whose cells hold no class.
    """
    if about.columns is not None:
        return _given(table, about, faults)
    likely = [one for one in other_tables.usual_columns(table, CLASSES) if one not in used]
    loose = [] if likely else other_tables.usual_columns(table, OTHER_CLASSES)
    likely += _holding(table, [one for one in loose if one not in used], notes)
    if len(likely) > 1:
        faults.append(other_tables.several(table, likely, KEY))
    found = {ALL: likely[0]} if len(likely) == 1 else {}
    by_operator: dict[str, list[str]] = {}
    for column in table.names:
        operator = _of_heading(column, about.operators)
        if operator is not None and column not in (*used, *likely):
            by_operator.setdefault(operator, []).append(column)
    for operator, columns in by_operator.items():
        holding = _holding(table, columns, notes)
        if len(holding) > 1:
            faults.append(_which(table, operator, holding))
        found |= dict.fromkeys([operator] if holding else [], "".join(holding[:1]))
    return found


def _holding(table: Table, columns: Sequence[str], notes: list[Fault]) -> list[str]:
    """The columns that hold a word for a class; 0 alone is none: it may be a number of sites."""
    found = []
    for column in columns:
        cells = [one for one in table.words(column) if one]
        if any(class_of(one) is not None for one in cells if not one.isdigit()):
            found.append(column)
        elif cells:
            notes.append(other_tables.passed_over(table, column, KEY))
    return found


def _which(table: Table, operator: str, columns: Sequence[str]) -> Fault:
    """The question which of several columns has an operator's classes."""
    name = operator if re.fullmatch(r"[\w-]+", operator, re.ASCII) else f'"{operator}"'
    lines = [f"{KEY} = {{ {asked(name, one)} }}" for one in columns]
    return table.question("which_column", lines=lines, found=list(columns), ours=KEY)


def _given(table: Table, about: Asked, faults: list[Fault]) -> dict[str, str]:
    """The settings' columns of classes, by operator or `all`."""
    named = {ALL: about.columns} if isinstance(about.columns, str) else dict(about.columns or {})
    found: dict[str, str] = {}
    for text, column in named.items():
        faults += other_tables.given_column(table, column, KEY)
        operator = ALL if text == ALL else operator_of(text, about.operators)
        if operator is None and about.operators:
            values_of: dict[str, object] = {"found": text, "expected": [*about.operators, ALL]}
            faults.append(Fault("village_class_operator", table.file, None, column, values_of))
        found[operator or text] = column
    return found


def _of_heading(heading: str, operators: Mapping[str, Sequence[str]]) -> str | None:
    """The operator whose classes a heading announces: `Viettel`, `Tình trạng sóng / Viettel`."""
    text = values.folded(heading)
    for words in _BESIDE:
        rest = text.removeprefix(f"{words} ").removesuffix(f" {words}")
        if rest != text:
            return operator_of(rest, operators)
    return operator_of(text, operators)


def operator_of(text: str, operators: Mapping[str, Sequence[str]]) -> str | None:
    """The operator of a spelling, without accents; None of any other text.

    >>> operator_of("VNPT", {"VinaPhone": []}), operator_of("V T", {"VTL": ["V-T"]})
    ('VinaPhone', 'VTL')
    >>> operator_of("VNPT", {"Viettel": []}), operator_of("thôn", {})
    (None, None)
    """
    wanted = values.folded(text)
    for name, listed in operators.items():
        if wanted in {values.folded(one) for one in (name, *listed)}:
            return name
    known = _shipped().get(wanted.replace(" ", ""))
    return known if known is not None and (not operators or known in operators) else None


@cache
def _shipped() -> dict[str, str]:
    """Names of operators by their folded spellings without spaces."""
    names = operator_names.operator_table().names
    return {values.folded(spelled).replace(" ", ""): name for spelled, name in names.items()}


# ── what the cells say ───────────────────────────────────────────────────────────────────────────


def class_of(text: str) -> str | None:
    """The official class of a word, without accents and case; None of any other text.

    >>> [class_of(text) for text in ("Lõm sóng", "no_signal", "ĐÃ CÓ SÓNG", "loại 2")]
    ['weak', 'no_signal', 'covered', None]
    """
    return _classes_by_word().get(values.folded(text.replace("_", " ")))


@cache
def _classes_by_word() -> dict[str, str]:
    words = {}
    for name in OFFICIAL_CLASSES:
        own = [texts.word(name, lang) for lang in texts.languages()]
        for text in (name.replace("_", " "), *own, *_WORDS[name]):
            words[values.folded(text)] = name
    return words


def read_classes(
    table: Table, columns: Mapping[str, str], about: Asked
) -> tuple[list[str | None], list[Fault]]:
    """(`operator=class;…` by row, `all` last, None where nothing is said; cells that are none).

    A cell may list operators too: `Viettel=weak; VinaPhone: có sóng`. An operator's own column
    goes before such a list.
    """
    found: list[dict[str, str]] = [{} for _ in range(table.rows.height)]
    faults: list[Fault] = []
    for operator, column in sorted(columns.items(), key=lambda one: (one[0] != ALL, one[0])):
        bad = {}
        for place, text in enumerate(table.words(column)):
            classes = _classes_in(text, operator, about) if text else {}
            if classes is None:
                bad[place] = text
            else:
                found[place] |= classes
        faults += other_tables.wrong_cells("village_class", table, column, bad, _EXPECTED)
    shown = [";".join(f"{name}={one[name]}" for name in sorted(one, key=_order)) for one in found]
    return [one or None for one in shown], faults


def _order(operator: str) -> tuple[bool, str]:
    return operator == ALL, operator


def _classes_in(text: str, operator: str, about: Asked) -> dict[str, str] | None:
    """Classes by operator of a cell: one word, or a list of operators; None of any other text."""
    if (one := class_of(text)) is not None:
        return {operator: one}
    found = {}
    for part in re.split(r"[;\n]", text):
        name, mark, word = part.replace(":", "=").partition("=")
        of = ALL if name.strip() == ALL else operator_of(name, about.operators)
        known = class_of(word)
        if not mark or of is None or known is None:
            return None
        found[of] = known
    return found
