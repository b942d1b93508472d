"""`plan.xlsx` to read, and `visits.xlsx` to fill in where a team has been.

Does not belong here: reading the form back (`sources/visits.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.publish.plan.stops import STATES, PlanAbout, Stop, month_of, months_line, phrase
from pipeline.publish.workbook import BOOK_OPTIONS, Pages
from pipeline.schema import texts
from pipeline.schema.column_labels import heading, meaning

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

NOTES = (
    "note_devices", "note_main", "note_orders", "note_windows", "note_states", "note_people",
)  # fmt: skip
# column of the form → width in characters
FORM = {
    "visit_date": 13, "commune_code": 10, "commune_name": 24, "village_name": 28, "operator": 16,
    "visit_result": 18, "devices_tested": 11, "visit_note": 34,
}  # fmt: skip
FILLED = ("visit_date", "visit_result", "devices_tested", "visit_note")
HELP = ("form_fill", "form_add", "form_none", "form_back")
MORE_ROWS = 200  # empty rows of the form that have the lists too


def _titled(book: Workbook, about: PlanAbout) -> str:
    """The title for the margins; also goes into the file's properties, with the only time."""
    parts = (phrase("title", about.lang), about.area, month_of(about).label())
    title = " – ".join(part for part in parts if part)
    about_file = {"title": title, "created": about.period.end, "author": ""}
    book.set_properties({**about_file, "comments": about.notice})
    return title


def write_plan_book(
    path: Path, plan: pd.DataFrame, plan_communes: pd.DataFrame, about: PlanAbout
) -> None:
    """Write the workbook: the plan, the communes, how to read them."""
    import xlsxwriter

    lang = about.lang
    with xlsxwriter.Workbook(path, BOOK_OPTIONS) as book:
        pages = Pages(book, _titled(book, about), about.notice, lang)
        pages.table(phrase("sheet_plan", lang), plan)
        pages.table(phrase("sheet_communes", lang), _with_states(plan_communes, lang))
        columns = dict.fromkeys([*plan.columns, *plan_communes.columns])
        meanings = [
            f"{heading(name, lang)} ({name}): {meaning(name, lang)}"
            for name in columns
            if meaning(name, lang)
        ]
        notes = [phrase(key, lang) for key in NOTES]
        notice = [about.notice] if about.notice else []
        lines = [*notice, months_line(about), *notes, "", *meanings]
        pages.notes(phrase("sheet_notes", lang), lines)


def _with_states(plan_communes: pd.DataFrame, lang: texts.Lang) -> pd.DataFrame:
    names = {state: phrase(state, lang) for state in STATES}
    return plan_communes.assign(plan_state=plan_communes["plan_state"].map(names).astype("str"))


def write_form(
    path: Path, stops: Sequence[Stop], operators: Sequence[str], about: PlanAbout
) -> None:
    """Write the form: a row per village × operator, with lists to choose from, and how to fill it.

    Places without a name are not in it: nobody could say of which village a result is.
    """
    import xlsxwriter

    lang = about.lang
    with xlsxwriter.Workbook(path, BOOK_OPTIONS) as book:
        pages = Pages(book, _titled(book, about), about.notice, lang)
        rows = form_rows(stops)
        _form_sheet(pages, rows, operators, about)
        keys = HELP if rows else ("form_no_villages", *HELP)
        pages.notes(phrase("sheet_notes", lang), [phrase(key, lang) for key in keys])
        lists = book.add_worksheet(phrase("sheet_lists", lang))
        for row, operator in enumerate(operators):
            lists.write_string(row, 0, operator)
        lists.hide()


def form_rows(stops: Sequence[Stop]) -> list[dict[str, str]]:
    """Village × operator, once each, in the order of the visits."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for stop in stops:
        for operator in stop.needs:
            key = (stop.commune_code, stop.village_name, operator)
            row = (stop.commune_code, stop.commune_name, stop.village_name, operator)
            names = ("commune_code", "commune_name", "village_name", "operator")
            if stop.village_name:
                found.setdefault(key, dict(zip(names, row, strict=True)))
    return list(found.values())


def _form_sheet(
    pages: Pages, rows: Sequence[dict[str, str]], operators: Sequence[str], about: PlanAbout
) -> None:
    lang, sheet = about.lang, pages.sheet(phrase("sheet_form", about.lang))
    base = {"font_name": "Arial", "font_size": 10, "valign": "top", "border": 1}
    base |= {"border_color": "#bdbab2"}
    known = pages.book.add_format(base | {"num_format": "@"})
    asked = {"bg_color": "#fff8dc"}
    to_fill = pages.book.add_format(base | asked | {"num_format": "@", "text_wrap": True})
    day = pages.book.add_format(base | asked | {"num_format": "dd/mm/yyyy", "align": "left"})
    whole = pages.book.add_format(base | asked | {"num_format": "0"})
    formats = {"visit_date": day, "devices_tested": whole, "visit_note": to_fill}
    last = len(rows) + MORE_ROWS
    for position, (column, width) in enumerate(FORM.items()):
        form = formats.get(column, to_fill if column in FILLED else known)
        sheet.set_column(position, position, width)
        sheet.write_string(0, position, phrase(column, lang), pages.head)
        for row in range(1, last + 1):
            text = rows[row - 1].get(column, "") if row <= len(rows) else ""
            if text:
                sheet.write_string(row, position, text, form)
            else:
                sheet.write_blank(row, position, None, form)
    sheet.set_row(0, 30)
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    sheet.print_area(0, 0, len(rows) + 10, len(FORM) - 1)
    _validations(sheet, last, operators, about)


def _validations(sheet: Worksheet, last: int, operators: Sequence[str], about: PlanAbout) -> None:
    """Lists and checks of the cells to fill; a value that is not expected may be kept."""
    lang, columns = about.lang, list(FORM)
    results = [phrase("measured", lang), phrase("no_signal", lang)]
    first = datetime(about.period.first // 12, about.period.first % 12 + 1, 1)  # noqa: DTZ001 - a date
    example = f"05/{month_of(about).label()}"
    checks: dict[str, dict[str, Any]] = {
        "visit_date": {
            "validate": "date", "criteria": ">=", "value": first,
            "input_message": phrase("help_date", lang, example=example),
        },
        "visit_result": {
            "validate": "list", "source": results,
            "input_message": phrase("help_result", lang, measured=results[0], no_signal=results[1]),
        },
        "devices_tested": {
            "validate": "integer", "criteria": "between", "minimum": 0, "maximum": 9999,
            "input_message": phrase("help_devices", lang),
        },
    }  # fmt: skip
    if operators:
        name = phrase("sheet_lists", lang)
        checks["operator"] = {"validate": "list", "source": f"='{name}'!$A$1:$A${len(operators)}"}
    for column, check in checks.items():
        message = check.get("input_message", "")
        own = {"error_type": "warning", "error_message": message} if message else {}
        position = columns.index(column)
        sheet.data_validation(1, position, last, position, check | own)
