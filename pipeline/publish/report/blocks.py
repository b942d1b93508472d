"""What a document is made of, before anybody knows of Word.

Does not belong here: fonts and margins (`document.py`), sentences (`content.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Heading:
    """A numbered heading; it stays with what follows."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of the body."""

    text: str


@dataclass(frozen=True)
class Sheet:
    """A table: caption above, headings repeated on every page.

    `fills`: (row, column) → colour of the cell.
    """

    name: str
    caption: str
    headings: list[str]
    rows: list[list[str]]
    widths_cm: list[float]
    numbers: frozenset[int] = frozenset()  # columns that are aligned right
    fills: dict[tuple[int, int], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A PNG with its caption below."""

    png: bytes
    caption: str
    width_cm: float


Block = Heading | Paragraph | Sheet | Picture


@dataclass(frozen=True)
class Annex:
    """What follows the signature, on pages of its own across the sheet's length."""

    title: str
    blocks: list[Block]
