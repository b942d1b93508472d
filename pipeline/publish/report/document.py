"""Blocks → DOCX, laid out as Decree 30/2020/NĐ-CP (annex I) wants an administrative report.

A4; margins top and bottom 20 mm, left 30 mm, right 20 mm; Times New Roman 13; authority left,
country and motto right, number below the one and place and date below the other; title; addressees;
body, justified, first lines 1 cm in; recipients left, signature right; page number in the top
margin from page 2. Does not belong here: what is said (`content.py`).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from docx import Document
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from pipeline.publish.report.blocks import Annex, Block, Heading, Paragraph, Picture, Sheet
from pipeline.publish.report.words import said
from pipeline.schema.texts import Lang

if TYPE_CHECKING:
    from docx.document import Document as Docx
    from docx.table import Table, _Cell, _Row
    from docx.text.paragraph import Paragraph as DocxParagraph

FONT, BODY_PT, TABLE_PT = "Times New Roman", 13, 10
DARK = ("#a83c08", "#5c1a06")


@dataclass(frozen=True)
class Letterhead:
    """What stands around the body.

    An empty number, place or signer leaves a blank with its name.
    """

    parent_authority: str
    authority: str
    number: str
    sign: str
    place: str
    date_text: str
    subject: str
    addressees: tuple[str, ...]
    recipients: tuple[str, ...]
    signer_title: str
    signer_name: str
    notice: str


_MOST_IN_PROPERTY = 255  # characters; Word takes no more


def document_bytes(
    head: Letterhead,
    opening: str,
    blocks: Sequence[Block],
    created: datetime,
    lang: Lang,
    annex: Annex | None = None,
) -> bytes:
    """The DOCX.

    `created`: the only time inside, the period's end; equal input gives equal bytes.
    """
    document = Document()
    _page(document)
    _letterhead(document, head, lang)
    _paragraph(document, opening)
    for block in blocks:
        _block(document, block)
    _signature(document, head, lang)
    if annex is not None:
        _annex(document, annex, head, lang)
    properties = document.core_properties
    properties.title, properties.author, properties.comments = (
        text[:_MOST_IN_PROPERTY] for text in (head.subject, head.authority, head.notice)
    )
    properties.created = properties.modified = created
    properties.last_modified_by, properties.revision = "", 1
    written = io.BytesIO()
    document.save(written)
    return without_clock(written.getvalue())


def _annex(document: Docx, annex: Annex, head: Letterhead, lang: Lang) -> None:
    """Pages across, headed as Decree 30 wants an annex: word, title, to which report it belongs."""
    section = document.add_section(WD_SECTION.NEW_PAGE)
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = Cm(29.7), Cm(21.0)
    section.different_first_page_header_footer = False
    _centred(document, said("annex", lang), 14)
    _centred(document, annex.title.upper(), 14)
    number = said("number", lang, number=head.number or said("blank_number", lang), sign=head.sign)
    belongs = _centred(document, said("annex_of", lang, number=number), 13)
    belongs.runs[0].bold, belongs.runs[0].italic = False, True
    if head.notice:
        _centred(document, head.notice, 12, before=6, colour="5C1A06")
    for block in annex.blocks:
        _block(document, block)


def without_clock(content: bytes) -> bytes:
    """The package with the times of its members set to one value."""
    import zipfile

    written = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as read,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in read.namelist():
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, read.read(name))
    return written.getvalue()


def _page(document: Docx) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21.0), Cm(29.7)
    section.top_margin = section.bottom_margin = section.right_margin = Cm(2.0)
    section.left_margin = Cm(3.0)
    section.header_distance = Cm(1.0)
    section.different_first_page_header_footer = True
    style = document.styles["Normal"]
    style.font.name, style.font.size = FONT, Pt(BODY_PT)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), FONT)
    style.paragraph_format.space_after, style.paragraph_format.space_before = Pt(0), Pt(0)
    number = section.header.paragraphs[0]
    number.alignment = ALIGN.CENTER
    add_page_number(number, BODY_PT)


def add_page_number(paragraph: DocxParagraph, size: float) -> None:
    """Add the number of the page. `size`: pt."""
    for kind, text in (("begin", None), (None, "PAGE"), ("end", None)):
        run = paragraph.add_run()
        run.font.size = Pt(size)
        if kind:
            field = OxmlElement("w:fldChar")
            field.set(qn("w:fldCharType"), kind)
        else:
            field = OxmlElement("w:instrText")
            field.text = text
        run._r.append(field)


def _line(
    cell: _Cell,
    text: str,
    size: float,
    *,
    bold: bool = False,
    italic: bool = False,
    rule: float = 0.0,
) -> None:
    """A centred line in a cell; `rule`: a line below it, as a share of the cell's width."""
    first = cell.paragraphs[0]
    paragraph = first if not first.runs and len(cell.paragraphs) == 1 else cell.add_paragraph()
    paragraph.alignment = ALIGN.CENTER
    run = paragraph.add_run(text)
    run.bold, run.italic, run.font.size = bold, italic, Pt(size)
    if rule:
        _rule(cell.add_paragraph(), cell.width, rule)


def _rule(paragraph: DocxParagraph, width: int, share: float) -> None:
    """A thin line, `share` of the width, centred."""
    paragraph.alignment = ALIGN.CENTER
    inset = int(width * (1 - share) / 2)
    paragraph.paragraph_format.left_indent = paragraph.paragraph_format.right_indent = inset
    paragraph.paragraph_format.line_spacing = Pt(4)
    borders = OxmlElement("w:pBdr")
    top = OxmlElement("w:top")
    for name, value in (("val", "single"), ("sz", "6"), ("space", "1"), ("color", "000000")):
        top.set(qn(f"w:{name}"), value)
    borders.append(top)
    paragraph._p.get_or_add_pPr().append(borders)


def _letterhead(document: Docx, head: Letterhead, lang: Lang) -> None:
    table = document.add_table(rows=2, cols=2)
    table.alignment, table.autofit = WD_TABLE_ALIGNMENT.CENTER, False
    set_widths(table, [7.8, 9.3])
    left, right = table.rows[0].cells
    _line(left, head.parent_authority.upper(), 12)
    _line(left, head.authority.upper(), 12, bold=True, rule=0.4)
    _line(right, said("republic", lang), 12, bold=True)
    _line(right, said("motto", lang), 13, bold=True, rule=0.62)
    number, place = (
        head.number or said("blank_number", lang),
        head.place or said("blank_place", lang),
    )
    _line(table.rows[1].cells[0], said("number", lang, number=number, sign=head.sign), 13)
    _line(table.rows[1].cells[1], f"{place}, {head.date_text}", 13, italic=True)
    if head.notice:
        _centred(document, head.notice, 12, before=6, colour="5C1A06")
    _centred(document, said("title", lang), 14, before=12)
    subject = _centred(document, head.subject, 14)
    rule = document.add_paragraph()
    _rule(rule, Cm(16.0), 0.3)
    subject.paragraph_format.keep_with_next = True
    for i, name in enumerate(head.addressees):
        lead = said("to", lang) + " " if i == 0 else ""
        paragraph = _centred(
            document,
            f"{lead}{'- ' if len(head.addressees) > 1 else ''}{name}",
            13,
            before=6 if i == 0 else 0,
        )
        paragraph.runs[0].bold = False
    document.add_paragraph().paragraph_format.line_spacing = Pt(6)


def _centred(
    document: Docx, text: str, size: float, before: float = 0, colour: str = ""
) -> DocxParagraph:
    paragraph = document.add_paragraph()
    paragraph.alignment = ALIGN.CENTER
    paragraph.paragraph_format.space_before = Pt(before)
    run = paragraph.add_run(text)
    run.bold, run.font.size = True, Pt(size)
    if colour:
        run.font.color.rgb = RGBColor.from_string(colour)
    return paragraph


def _paragraph(document: Docx, text: str) -> DocxParagraph:
    paragraph = document.add_paragraph(text)
    paragraph.alignment = ALIGN.JUSTIFY
    shape = paragraph.paragraph_format
    shape.first_line_indent, shape.space_before, shape.line_spacing = Cm(1.0), Pt(6), 1.1
    shape.widow_control = True
    return paragraph


def _block(document: Docx, block: Block) -> None:
    if isinstance(block, Paragraph):
        _paragraph(document, block.text)
    elif isinstance(block, Heading):
        paragraph = _paragraph(document, block.text)
        paragraph.runs[0].bold = True
        paragraph.paragraph_format.keep_with_next = True
        paragraph.paragraph_format.space_before = Pt(10)
    elif isinstance(block, Picture):
        paragraph = document.add_paragraph()
        paragraph.alignment = ALIGN.CENTER
        paragraph.paragraph_format.space_before = Pt(6)
        paragraph.paragraph_format.keep_with_next = True
        paragraph.add_run().add_picture(io.BytesIO(block.png), width=Cm(block.width_cm))
        _centred(document, block.caption, 12).runs[0].italic = True
    else:
        _sheet(document, block)


def _sheet(document: Docx, sheet: Sheet) -> None:
    caption = _centred(document, sheet.caption, 12, before=8)
    caption.paragraph_format.keep_with_next = True
    table = document.add_table(rows=1 + len(sheet.rows), cols=len(sheet.headings))
    table.style, table.alignment, table.autofit = "Table Grid", WD_TABLE_ALIGNMENT.CENTER, False
    set_widths(table, sheet.widths_cm)
    for i, row in enumerate(table.rows):
        keep_whole(row, is_heading=i == 0)
        texts = sheet.headings if i == 0 else sheet.rows[i - 1]
        for k, (cell, text) in enumerate(zip(row.cells, texts, strict=True)):
            paragraph = cell.paragraphs[0]
            run = paragraph.add_run(text)
            run.font.size, run.bold = Pt(TABLE_PT), i == 0
            paragraph.alignment = (
                ALIGN.CENTER if i == 0 else ALIGN.RIGHT if k in sheet.numbers else ALIGN.LEFT
            )
            paragraph.paragraph_format.keep_with_next = i == 0 or (i == 1 and len(sheet.rows) > 1)
            fill = sheet.fills.get((i - 1, k)) if i else "#ece9e1"
            if fill:
                fill_cell(cell, fill)
                if fill in DARK:
                    run.font.color.rgb = RGBColor(0xFF, 0xFF, 0xFF)


def set_widths(table: Table, widths_cm: Sequence[float]) -> None:
    """Word reads the cells' widths, LibreOffice the grid's."""
    for column, width in zip(table.columns, widths_cm, strict=True):
        column.width = Cm(width)
    for row in table.rows:  # `column.cells` reads the whole table for each column
        for cell, width in zip(row.cells, widths_cm, strict=True):
            cell.width = Cm(width)


def keep_whole(row: _Row, *, is_heading: bool) -> None:
    """Keep a row on one page; a heading is repeated on every page."""
    properties = row._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    if is_heading:
        properties.append(OxmlElement("w:tblHeader"))


def fill_cell(cell: _Cell, fill: str) -> None:
    """Colour a cell. `fill`: `#rrggbb`."""
    shade = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", fill[1:].upper())):
        shade.set(qn(f"w:{name}"), value)
    cell._tc.get_or_add_tcPr().append(shade)


def _signature(document: Docx, head: Letterhead, lang: Lang) -> None:
    document.add_paragraph()
    table = document.add_table(rows=1, cols=2)
    table.autofit = False
    keep_whole(table.rows[0], is_heading=False)
    set_widths(table, [8.0, 8.0])
    left, right = table.rows[0].cells
    first = left.paragraphs[0].add_run(said("recipients", lang))
    first.bold = first.italic = True
    first.font.size = Pt(12)
    for name in head.recipients:
        left.add_paragraph().add_run(name).font.size = Pt(11)
    _line(right, head.signer_title.upper(), 13, bold=True)
    for _ in range(4):
        right.add_paragraph()
    _line(right, head.signer_name or said("blank_signer", lang), 13, bold=True)
