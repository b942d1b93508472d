"""The monthly report: `report/monthly_report.docx`.

Its PDF where LibreOffice is present, and one page as a picture for chat.

Does not belong here: what is said (`content.py`), how it looks (`document.py`, `charts.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.publish.about import About
from pipeline.publish.report.blocks import Block, Heading, Paragraph, Picture
from pipeline.publish.report.charts import evidence_map, status_map, summary_page, trend_chart
from pipeline.publish.report.content import Content
from pipeline.publish.report.document import document_bytes
from pipeline.publish.report.letterhead import area_title, letterhead
from pipeline.publish.report.office import write_pdf
from pipeline.publish.report.sites import site_blocks
from pipeline.publish.report.villages import village_annex, village_blocks
from pipeline.publish.report.words import said
from pipeline.schema.month import Month

NAME = "monthly_report"


_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")


def numbered(blocks: Sequence[Block]) -> list[Block]:
    """The blocks with their headings numbered in order: some reports lack a section.

    >>> [one.text for one in numbered([Heading("I. DATA"), Heading("III. GAPS")])]
    ['I. DATA', 'II. GAPS']
    """
    numbers = iter(_ROMAN)
    return [
        Heading(f"{next(numbers)}. {one.text.partition('. ')[2]}")
        if isinstance(one, Heading)
        else one
        for one in blocks
    ]


def write(folder: Path, month: Month, about: About) -> None:
    """Write the report into `folder`; nothing for tiles, which have no sample tracker."""
    tables, communes, lang = month.tables, month.communes, about.lang
    if "sample_tracker" not in tables:
        return
    folder.mkdir(parents=True, exist_ok=True)
    head = letterhead(about.letterhead, about, month.operators)
    area = area_title(about.letterhead, about.area, lang)
    opening = said("opening", lang, authority=head.authority, area=area)
    content = Content(tables, month.operators, about)
    data, results, people = content.data(), content.results(), content.people()
    maps = [
        Picture(status_map(communes, tables, about), said("f_status", lang), 13.0),
        Picture(evidence_map(communes, tables, about), said("f_evidence", lang), 13.0),
    ]
    trend = Picture(trend_chart(tables, lang), said("f_trend", lang), 14.5)
    villages = tables.get("village_status")
    of_villages = [] if villages is None else village_blocks(content, villages)
    of_sites = site_blocks(content, tables) if "site_plan" in tables else []
    blocks = [
        *data, *results, *maps, content.matrix(), *content.gaps(), *content.undecided(),
        *content.changes(), *of_villages, *people, trend, *of_sites, *content.requests(),
        *content.method(),
    ]  # fmt: skip
    path = folder / f"{NAME}.docx"
    annex = None if villages is None else village_annex(content, villages)
    written = document_bytes(head, opening, numbered(blocks), about.created, lang, annex)
    path.write_bytes(written)
    chosen = [*data[1:], *results[-3:], content.gaps()[1], content.changes()[1]]
    lines = [block.text for block in chosen if isinstance(block, Paragraph)]
    (folder / "summary.png").write_bytes(summary_page(communes, tables, about, lines))
    if about.letterhead.pdf:
        write_pdf(path, about.created)
