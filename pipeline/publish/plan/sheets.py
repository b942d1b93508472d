"""`communes.docx`: a page for the province and an A4 page per commune, to print and take along.

Does not belong here: maps (`pictures.py`), which places there are (`stops.py`).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd
from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from pipeline.publish.plan.pictures import commune_map, province_map, shades_of
from pipeline.publish.plan.stops import (
    PlanAbout,
    Stop,
    hours,
    month_of,
    months_line,
    name_of,
    phrase,
    position_of,
    shortened,
)
from pipeline.publish.report.document import (
    add_page_number,
    fill_cell,
    keep_whole,
    set_widths,
    without_clock,
)
from pipeline.schema import texts
from pipeline.sources.values import printable

if TYPE_CHECKING:
    from docx.document import Document as Docx
    from docx.table import Table, _Cell, _Row
    from docx.text.paragraph import Paragraph

FONT, MARGIN_CM, WIDTH_CM, HEIGHT_CM = "Arial", 1.5, 18.0, 28.0
MAP_CM = (5.0, 12.0)  # least and most height of a map
GUIDE = ("guide_phones", "guide_install", "guide_measure", "guide_none", "guide_send")
HEAD, WANTED = "#ece9e1", "#fff8dc"
_NAMES = 40  # of communes in a paragraph
_MOST_IN_PROPERTY = 255  # characters; Word takes no more


def sheets_bytes(
    stops: Sequence[Stop], plan_communes: pd.DataFrame, about: PlanAbout, communes: gpd.GeoDataFrame
) -> bytes:
    """The DOCX. A commune has a page where it needs phones; the only time is the period's end."""
    document = Document()
    _set_up(document, about)
    rows = plan_communes.assign(
        commune_name=plan_communes["commune_name"].map(printable),
        operator=plan_communes["operator"].map(printable),
    )
    wanted = rows.groupby("commune_code", sort=True)["devices_wanted"].sum()
    _province_page(document, stops, rows, about, communes)
    for code in wanted.index[wanted > 0]:
        own = [stop for stop in stops if stop.commune_code == code]
        _commune_page(document, own, rows[rows["commune_code"] == code], about, communes)
    written = io.BytesIO()
    document.save(written)
    return without_clock(written.getvalue())


def _set_up(document: Docx, about: PlanAbout) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21.0), Cm(29.7)
    section.left_margin = section.right_margin = Cm(MARGIN_CM)
    section.top_margin, section.bottom_margin = Cm(1.3), Cm(1.6)
    section.header_distance, section.footer_distance = Cm(0.6), Cm(0.7)
    style = document.styles["Normal"]
    style.font.name, style.font.size = FONT, Pt(9)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), FONT)
    style.paragraph_format.space_after = style.paragraph_format.space_before = Pt(0)
    parts = (phrase("title", about.lang), printable(about.area), month_of(about).label())
    title = " – ".join(part for part in parts if part)
    notice = printable(about.notice)
    foot = section.footer.paragraphs[0]
    foot.alignment = ALIGN.CENTER
    shown = " · ".join(part for part in (title, notice) if part)
    foot.add_run(f"{shown} · ").font.size = Pt(7.5)
    add_page_number(foot, 7.5)
    properties = document.core_properties
    properties.title, properties.comments = title[:_MOST_IN_PROPERTY], notice[:_MOST_IN_PROPERTY]
    properties.author = properties.last_modified_by = ""
    properties.created = properties.modified = about.period.end
    properties.revision = 1


def _text(
    document: Docx, text: str, size: float, *, bold: bool = False, before: float = 0.0
) -> Paragraph:
    paragraph = document.add_paragraph()
    paragraph.paragraph_format.space_before = Pt(before)
    run = paragraph.add_run(text)
    run.font.size, run.bold = Pt(size), bold
    return paragraph


def _picture(document: Docx, png: bytes) -> None:
    paragraph = document.add_paragraph()
    paragraph.paragraph_format.space_before = paragraph.paragraph_format.space_after = Pt(4)
    paragraph.alignment = ALIGN.CENTER
    picture = paragraph.add_run().add_picture(io.BytesIO(png), width=Cm(WIDTH_CM))
    for side in ("distL", "distR"):
        picture._inline.set(side, "0")


def _grid(document: Docx, headings: Sequence[str], widths_cm: Sequence[float]) -> Table:
    """A table with its row of headings, which every page repeats."""
    table: Table = document.add_table(rows=1, cols=len(headings))
    table.style, table.alignment, table.autofit = "Table Grid", WD_TABLE_ALIGNMENT.CENTER, False
    set_widths(table, widths_cm)
    keep_whole(table.rows[0], is_heading=True)
    for cell, text in zip(table.rows[0].cells, headings, strict=True):
        _write(cell, text, 8, bold=True, align=ALIGN.CENTER)
        fill_cell(cell, HEAD)
    return table


def _add_row(table: Table, widths_cm: Sequence[float]) -> list[_Cell]:
    row: _Row = table.add_row()  # type: ignore[no-untyped-call]
    keep_whole(row, is_heading=False)
    cells = list(row.cells)
    for cell, width in zip(cells, widths_cm, strict=True):
        cell.width = Cm(width)
    return cells


def _write(
    cell: _Cell, text: str, size: float, *, bold: bool = False, align: ALIGN = ALIGN.LEFT
) -> None:
    """Add a line to a cell; the first one fills the paragraph that is there."""
    first = cell.paragraphs[0]
    paragraph = first if not first.runs else cell.add_paragraph()
    paragraph.alignment = align
    run = paragraph.add_run(text)
    run.font.size, run.bold = Pt(size), bold


def _clamped(height: float) -> float:
    return round(min(max(height, MAP_CM[0]), MAP_CM[1]), 1)


# ── the province ─────────────────────────────────────────────────────────────────────────────────


def _province_page(
    document: Docx,
    stops: Sequence[Stop],
    rows: pd.DataFrame,
    about: PlanAbout,
    communes: gpd.GeoDataFrame,
) -> None:
    lang = about.lang
    wanted = rows.groupby("commune_code", sort=True)["devices_wanted"].sum().astype(int)
    by_commune = rows.groupby("commune_code")["plan_state"]
    done = by_commune.agg(lambda states: bool(states.eq("decided").all()))
    decided = frozenset(done.index[done])
    title = " – ".join(part for part in (phrase("title", lang), printable(about.area)) if part)
    _text(document, title, 16, bold=True)
    _text(document, months_line(about), 10)
    if about.notice:
        _notice(document, about.notice)
    listed = _listed(stops, rows, wanted)
    operators = sorted(rows["operator"].unique())
    paragraphs = _paragraphs(rows, decided, lang)
    used = 2.6 + 0.5 * (len(operators) + 2) + 0.46 * (math.ceil(len(listed) / 2) + 2)
    used += sum(0.3 + 0.37 * math.ceil(len(text) / 115) for text in paragraphs)
    codes = communes["commune_code"].tolist()
    shades = shades_of(dict(zip(wanted.index, wanted, strict=True)), decided, codes, lang)
    height = _clamped(HEIGHT_CM - used)
    _picture(document, province_map(communes, shades, (WIDTH_CM, height), lang))
    if not (wanted > 0).any():
        _text(document, phrase("nothing", lang), 10, bold=True, before=4)
    _totals(document, rows, operators, lang)
    if listed:
        _commune_list(document, listed, lang)
    for text in paragraphs:
        _text(document, text, 8.5, before=4)


def _notice(document: Docx, notice: str) -> None:
    run = _text(document, printable(notice), 9, bold=True).runs[0]
    run.font.color.rgb = RGBColor(0x5C, 0x1A, 0x06)


def _totals(document: Docx, rows: pd.DataFrame, operators: Sequence[str], lang: texts.Lang) -> None:
    """Communes, phones and expected verdicts by operator, and their sums."""
    _text(document, phrase("totals", lang), 10, bold=True, before=2)
    widths = (5.4, 4.2, 4.2, 4.2)
    keys = ("operator", "communes", "devices", "verdicts")
    table = _grid(document, [phrase(key, lang) for key in keys], widths)
    gain = rows["verdict_probability_after"] - rows["verdict_probability_now"]
    rows = rows.assign(gain=gain.where(rows["devices_wanted"] > 0, 0.0).fillna(0.0))
    groups = [(name, rows[rows["operator"] == name]) for name in operators]
    for name, own in [*groups, (phrase("sum", lang), rows)]:
        needs = own[own["devices_wanted"] > 0]
        figures = (
            needs["commune_code"].nunique(), int(own["devices_wanted"].sum()),
        )  # fmt: skip
        shown = [*(texts.number(one, lang) for one in figures)]
        shown.append(texts.number(float(own["gain"].sum()), lang, 1))
        cells, is_sum = _add_row(table, widths), own is rows
        _write(cells[0], name, 9, bold=is_sum)
        for cell, text in zip(cells[1:], shown, strict=True):
            _write(cell, text, 9, bold=is_sum, align=ALIGN.RIGHT)


@dataclass(frozen=True)
class _Line:
    """A commune of the list."""

    name: str
    people: float
    trips: str
    devices: int


def _listed(stops: Sequence[Stop], rows: pd.DataFrame, wanted: pd.Series) -> list[_Line]:
    first = rows.drop_duplicates("commune_code")
    columns = (first[name] for name in ("commune_code", "commune_name", "population"))
    found = []
    for code, name, people in zip(*columns, strict=True):
        trips = sorted({stop.trip for stop in stops if stop.commune_code == code})
        if wanted[code] > 0:
            line = _Line(f"{name} ({code})", float(people), _spans(trips), int(wanted[code]))
            found.append(line)
    return sorted(found, key=lambda one: (-one.devices, one.name))


def _spans(numbers: Iterable[int]) -> str:
    """Whole numbers in spans.

    >>> _spans([1, 2, 3, 7])
    '1–3, 7'
    """
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{low}" if low == high else f"{low}–{high}" for low, high in spans)


def _commune_list(document: Docx, listed: Sequence[_Line], lang: texts.Lang) -> None:
    """Communes with phones, people and trips, in two columns."""
    _text(document, phrase("list", lang), 10, bold=True, before=4)
    keys, half = ("commune", "people", "trips", "devices"), math.ceil(len(listed) / 2)
    widths = (4.3, 1.5, 1.6, 1.6) * 2
    table = _grid(document, [phrase(key, lang) for key in keys] * 2, widths)
    for number in range(half):
        cells = _add_row(table, widths)
        for side, line in enumerate(listed[number::half]):
            people = "" if math.isnan(line.people) else texts.number(line.people, lang)
            shown = (line.name, people, line.trips, texts.number(line.devices, lang))
            for place, text in enumerate(shown):
                align = ALIGN.RIGHT if place in (1, 3) else ALIGN.LEFT
                _write(cells[4 * side + place], text, 8, bold=place == 3, align=align)


def _paragraphs(rows: pd.DataFrame, decided: frozenset[str], lang: texts.Lang) -> list[str]:
    """Communes that need no tests: decided, too near the target, without phones."""
    found = []
    names = rows.drop_duplicates("commune_code").sort_values(["commune_name", "commune_code"])
    done = names.loc[names["commune_code"].isin(decided), "commune_name"].tolist()
    if done:
        shown = shortened(done, _NAMES, lang)
        found.append(phrase("go_on", lang, count=len(done), names=shown))
    for key, state in (("near", "near_target"), ("out", "out_of_devices")):
        own = rows[(rows["plan_state"] == state) & (rows["devices_wanted"] == 0)]
        own = own.sort_values(["commune_name", "commune_code"])
        listed = [
            f"{operator}: {shortened(held.tolist(), _NAMES, lang)}"
            for operator, held in own.groupby("operator", sort=True)["commune_name"]
        ]
        if listed:
            found.append(phrase(key, lang, count=len(own), names="; ".join(listed)))
    return found


# ── a commune ────────────────────────────────────────────────────────────────────────────────────


def _commune_page(
    document: Docx,
    stops: Sequence[Stop],
    rows: pd.DataFrame,
    about: PlanAbout,
    communes: gpd.GeoDataFrame,
) -> None:
    lang, first = about.lang, rows.iloc[0]
    wanted = rows[rows["devices_wanted"] > 0].sort_values("operator")
    needs = dict(zip(wanted["operator"], wanted["devices_wanted"].astype(int), strict=True))
    head = _text(document, str(first["commune_name"]), 16, bold=True)
    head.paragraph_format.page_break_before = True
    trips = sorted({stop.trip for stop in stops})
    parts = [phrase("code", lang, code=str(first["commune_code"]))]
    if trips:
        parts.append(phrase("trip", lang, trips=_spans(trips)))
    if pd.notna(first["population"]):
        parts.append(phrase("people_count", lang, count=int(first["population"])))
    head.add_run("   " + " · ".join(parts)).font.size = Pt(10)
    each = ", ".join(f"{name} {texts.number(count, lang)}" for name, count in needs.items())
    line = phrase(
        "commune_line", lang, month=month_of(about).label(), devices=sum(needs.values()),
        operators=each,
    )  # fmt: skip
    _text(document, line, 11, bold=True)
    if about.notice:
        _notice(document, about.notice)
    operators = sorted({name for stop in stops for name in stop.needs} | set(needs))
    windows = _windows(stops, lang)
    height = _clamped(HEIGHT_CM - _used(stops, len(operators), windows, about))
    code = str(first["commune_code"])
    _picture(document, commune_map(communes, code, stops, (WIDTH_CM, height), lang))
    _stop_table(document, stops, operators, lang)
    if windows:
        _text(document, windows, 9.5, bold=True, before=4)
    _guide(document, lang)
    _text(document, phrase("date_blank", lang), 9, before=8)
    line = f"LOMSONG-PLAN commune={printable(code)} period={about.period} "
    line += f"month={month_of(about)} devices={sum(needs.values())}"
    run = _text(document, line, 7.5, before=5).runs[0]
    run.font.name = "Courier New"


def _used(stops: Sequence[Stop], operator_count: int, windows: str, about: PlanAbout) -> float:
    """Height of a commune's page that the map must leave, cm: an estimate on the safe side."""
    lang, width = about.lang, 12.3 / max(operator_count, 1)
    size = _box_size(width)
    boxes = _line_count(phrase("tick_none", lang), width, size)
    boxes += _line_count(_first_line(10, lang), width, size)
    rows = 0.0
    for stop in stops:
        village = 1 + _line_count(name_of(stop, lang), 4.4, 10) + stop.is_replacement
        rows += 0.1 + 0.32 * max(boxes, village)
    guide = sum(_line_count(phrase(key, lang), WIDTH_CM, 8.5) for key in GUIDE)
    return (
        2.9 + 0.5 * bool(about.notice) + 0.5 + rows + 0.42 * _line_count(windows, WIDTH_CM, 10)
        + 0.6 + 0.37 * guide + 1.4
    )  # fmt: skip


def _box_size(width_cm: float) -> float:
    """Size of the text in an operator's column, pt."""
    return 8 if width_cm > 3.5 else 7


def _line_count(text: str, width_cm: float, size: float) -> int:
    """Lines that a text of `size` pt takes: an estimate on the safe side."""
    return math.ceil(len(text) * size * 0.0185 / max(width_cm - 0.4, 0.5))


def _first_line(count: int, lang: texts.Lang) -> str:
    return phrase("phones", lang, count=count) + "  " + phrase("tick_measured", lang)


def _stop_table(
    document: Docx, stops: Sequence[Stop], operators: Sequence[str], lang: texts.Lang
) -> None:
    """Place × operator: phones needed, and boxes to tick."""
    widths = (1.3, 4.4, *(12.3 / max(len(operators), 1) for _ in operators))
    headings = [phrase("number", lang), phrase("village", lang), *operators]
    table = _grid(document, headings, widths)
    size = _box_size(widths[-1])
    for stop in stops:
        number, village, *boxes = _add_row(table, widths)
        _write(number, stop.label, 11 if len(stop.label) < 5 else 8, bold=True, align=ALIGN.CENTER)
        _write(village, name_of(stop, lang), 9, bold=True)
        if stop.is_replacement:
            _write(village, phrase("for_place", lang, place=stop.label.rstrip("*")), 7.5)
        people = "" if math.isnan(stop.people) else (
            phrase("people_count", lang, count=round(stop.people)))  # fmt: skip
        below = " · ".join(part for part in (position_of(stop), people) if part)
        if below:
            _write(village, below, 7)
        for cell, operator in zip(boxes, operators, strict=True):
            _boxes(cell, stop.needs.get(operator, 0), lang, size)
            if not stop.is_replacement and stop.needs.get(operator, 0):
                fill_cell(cell, WANTED)


def _boxes(cell: _Cell, count: int, lang: texts.Lang, size: float) -> None:
    if not count:
        _write(cell, "–", size, align=ALIGN.CENTER)
        return
    paragraph = cell.paragraphs[0]
    run = paragraph.add_run(phrase("phones", lang, count=count))
    run.font.size, run.bold = Pt(size + 1), True
    paragraph.add_run("  " + phrase("tick_measured", lang)).font.size = Pt(size)
    _write(cell, phrase("tick_none", lang), size)


def _windows(stops: Sequence[Stop], lang: texts.Lang) -> str:
    """When to test: once where it is the same everywhere, else by operator, and place by place."""
    by_operator: dict[str, dict[str, list[str]]] = {}
    for stop in stops:
        for operator, text in stop.windows.items():
            if shown := hours(text, lang):
                by_operator.setdefault(operator, {}).setdefault(shown, []).append(stop.label)
    same: dict[str, list[str]] = {}
    for operator in sorted(by_operator):
        found = by_operator[operator]
        parts = [f"{shown} ({', '.join(labels)})" for shown, labels in found.items()]
        same.setdefault("; ".join(parts) if len(found) > 1 else next(iter(found)), []).append(
            operator
        )
    if len(same) < 2:
        return "".join(phrase("windows", lang, text=shown) for shown in same)
    each = [f"{', '.join(names)} {shown}" for shown, names in same.items()]
    return phrase("windows", lang, text=" · ".join(each))


def _guide(document: Docx, lang: texts.Lang) -> None:
    _text(document, phrase("guide", lang), 10, bold=True, before=6)
    for number, key in enumerate(GUIDE, start=1):
        paragraph = _text(document, f"{number}. {phrase(key, lang)}", 8.5)
        paragraph.paragraph_format.left_indent = Cm(0.45)
        paragraph.paragraph_format.first_line_indent = Cm(-0.45)
