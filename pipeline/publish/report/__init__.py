"""The monthly report: `report/monthly_report.docx`, its PDF where LibreOffice is present, one page
as a picture for chat.

Does not belong here: what is said (`content.py`), how it looks (`document.py`, `charts.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from pipeline.publish.report.blocks import Paragraph, Picture
from pipeline.publish.report.charts import evidence_map, status_map, summary_page, trend_chart
from pipeline.publish.report.content import Content
from pipeline.publish.report.document import Letterhead, document_bytes
from pipeline.publish.report.office import write_pdf
from pipeline.publish.report.words import said
from pipeline.schema import texts

NAME = "monthly_report"


def write_report(
    folder: Path,
    communes: gpd.GeoDataFrame,
    tables: Mapping[str, pd.DataFrame],
    operators: list[str],
    about: Mapping[str, Any],
    head: Letterhead,
    opening: str,
    created: datetime,
    lang: texts.Lang,
    *,
    pdf: bool,
) -> bool:
    """Write the report into `folder`; gives whether a PDF was made. `about`: as `Content`, with
    `labels`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = Content(tables, operators, about, lang)
    data, results = content.data(), content.results()
    maps = [
        Picture(status_map(communes, tables, about, lang), said("f_status", lang), 13.0),
        Picture(evidence_map(communes, tables, about, lang), said("f_evidence", lang), 13.0),
    ]
    people = content.people()
    trend = Picture(trend_chart(tables, lang), said("f_trend", lang), 14.5)
    blocks = [
        *data, *results, *maps, content.matrix(), *content.gaps(), *content.undecided(), *content.changes(), *people, trend,
        *content.requests(), *content.method(),
    ]  # fmt: skip
    path = folder / f"{NAME}.docx"
    path.write_bytes(document_bytes(head, opening, blocks, created, lang))
    chosen = [*data[1:], *results[-3:], content.gaps()[1], content.changes()[1]]
    lines = [block.text for block in chosen if isinstance(block, Paragraph)]
    (folder / "summary.png").write_bytes(summary_page(communes, tables, about, lines, lang))
    return write_pdf(path, created) if pdf else False
