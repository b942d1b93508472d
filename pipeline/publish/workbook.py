"""`priorities.xlsx`: what planners read, sort, print and sign.

The figures are the tables'; here they are only laid out.

Does not belong here: what stands in a table, colours (`gap_map/palette.py`), words (`texts.py`,
`column_labels.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.publish.about import About
from pipeline.publish.gap_map import palette
from pipeline.publish.village_lists import shown_villages
from pipeline.schema import texts
from pipeline.schema.column_labels import heading
from pipeline.schema.columns import FIELDS, PUBLISHED_AS
from pipeline.schema.fields import ALL
from pipeline.schema.month import Month

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

HEAD_ROWS = 2  # people's headings over machine names
# in characters; what is not named: by kind
WIDTHS = {"commune_code": 8, "commune_name": 20, "status": 17, "gap_class": 21,
          "evidence_basis": 13, "likely_cause": 24, "suggested_action": 20, "priority_index": 11,
          "cause_grounds": 26, "other_operators": 46, "gap_id": 40, "operators_meeting": 22,
          "operators_gap": 22, "people_without_verdict": 12,
          "devices_to_decide_reason": 17, "village_name": 24, "village_class": 17,
          "class_grounds": 34, "no_signal_probability": 11, "official_class": 17, "visit_rank": 9,
          "village_latitude": 10, "village_longitude": 10,
          "plan_state": 24, "site_id": 12, "site_action": 17, "place_name": 22,
          "sharing_class": 22, "sharing_action": 30}  # fmt: skip
KIND_WIDTHS = {"whole": 8, "tenth": 9, "share": 8, "degree": 10, "text": 12, "wrapped": 26}
# what fits on a printed page; the other columns of `priorities` follow behind a [+], and stay out
# of the print
FIRST = ("need_rank", "rank_lo", "rank_hi", "need_band", "efficiency_rank", "commune_code",
         "commune_name", "status", "evidence_basis", "gap_class", "population", "mean_mbps",
         "lo_mbps", "hi_mbps", "device_count", "priority_index", "likely_cause",
         "suggested_action")  # fmt: skip
# before the other columns of villages
VILLAGE_FIRST = ("visit_rank", "village_name", "commune_name", "operator", "village_class",
                 "class_grounds", "no_signal_probability", "official_class", "class_differs",
                 "people", "households", "has_grid_power", "is_difficult_zone")  # fmt: skip
# the plan of sites, where there is one: table → key of the sheet's name
SITE_SHEETS = {"site_plan": "sheet_plan", "sharing": "sheet_sharing"}
DARK = ("confirmed_gap", "total_gap", "gap_rest_borderline")
BARS = ("priority_index", "people_without_verdict", "share_of_official", "devices_per_1000")
# data is never a formula or a link, whatever it begins with
BOOK_OPTIONS = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
}
_MOST_IN_MARGIN = 120
_BAD_IN_SHEET_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\'", "_"))


def write_workbook(path: Path, month: Month, about: About) -> None:
    """Write the workbook.

    `about`: area, period_label, target_mbps, technology, window_label, notice, sources, results.

    `created` goes into the file's properties: the period's end, so that equal runs give equal
    bytes.
    """
    import xlsxwriter

    tables, operators, lang = month.tables, month.operators, about.lang
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(path, BOOK_OPTIONS) as book:
        book.set_properties(
            {
                "title": _title(about, lang),
                "created": about.created,
                "author": "",
                "comments": about.notice,
            }
        )
        sheets = Sheets(book, about, lang)
        sheets.summary(tables, operators)
        priorities = tables["priorities"]
        for operator in operators or [ALL]:
            rows = priorities[priorities["operator"] == operator]
            sheets.table(texts.word(ALL, lang) if operator == ALL else operator, rows)
        sheets.table(texts.word("sheet_measure", lang), tables["measure_first"])
        if "village_status" in tables:
            rows = shown_villages(tables["village_status"])
            sheets.table(texts.word("sheet_villages", lang), village_columns(rows))
        if "sample_tracker" in tables:
            sheets.table(texts.word("sheet_tracker", lang), tables["sample_tracker"])
            sheets.table(texts.word("sheet_participation", lang), tables["participation"])
        for name, key in SITE_SHEETS.items():
            if name in tables:
                sheets.table(texts.text("site_sheets", key, lang), tables[name])
        sheets.sharing(tables, operators)
        sheets.method()


def village_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """`village_status` with its published names, what is read first in front."""
    rows = rows.rename(columns=PUBLISHED_AS)
    return rows[[*VILLAGE_FIRST, *(c for c in rows.columns if c not in VILLAGE_FIRST)]]


def _title(about: About, lang: texts.Lang) -> str:
    return f"{texts.word('sheet_title', lang)} – {about.area} – {about.period_label}"


class Pages:
    """Sheets for print, with their formats. `title`, `notice`: in the margins of every page."""

    def __init__(self, book: Workbook, title: str, notice: str, lang: texts.Lang) -> None:
        self.book, self.lang = book, lang
        self.margins = f"&L{_in_margin(title)}&R{_in_margin(notice)}"
        self.names: set[str] = set()
        base = {"font_name": "Arial", "font_size": 10, "valign": "top"}
        add = book.add_format
        self.plain, self.wrapped = add(base), add(base | {"text_wrap": True})
        self.title = add(base | {"bold": True, "font_size": 14})
        self.notice = add(base | {"bold": True, "font_color": "#ffffff", "bg_color": "#5c1a06"})
        self.head = add(
            base | {"bold": True, "text_wrap": True, "bg_color": "#ece9e1", "bottom": 1}
        )
        self.machine = add(
            base | {"font_size": 8, "font_color": "#666666", "bg_color": "#ece9e1", "bottom": 1}
        )
        self.formats = {
            "whole": add(base | {"num_format": "#,##0"}),
            "tenth": add(base | {"num_format": "#,##0.0"}),
            "share": add(base | {"num_format": "0.0%"}),
            "degree": add(base | {"num_format": "0.0000"}),
            "text": add(base | {"num_format": "@", "indent": 1}),
            "wrapped": self.wrapped,
        }
        # the map's colours, white letters on the dark ones: as rules (which may not name a font),
        # and as cells
        colours = {
            key: {"bg_color": paint.fill, "font_color": "#ffffff" if key in DARK else "#1c1c1c"}
            for key, paint in (palette.STATUS_PAINT | palette.CLASS_PAINT).items()
        }
        self.paints = {key: add(colour) for key, colour in colours.items()}
        self.painted = {key: add(base | colour) for key, colour in colours.items()}

    def sheet(self, name: str) -> Worksheet:
        """A new sheet: A4 landscape, one page wide, notice and page number in the margins."""
        plain = name.translate(_BAD_IN_SHEET_NAMES)[:28] or "_"
        taken = {"history", *(n.casefold() for n in self.names)}  # Excel keeps History for itself
        numbered = (plain, *(f"{plain} {i}" for i in range(2, 3 + len(taken))))
        chosen = next(n for n in numbered if n.casefold() not in taken)
        self.names.add(chosen)
        sheet = self.book.add_worksheet(chosen)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.set_margins(0.5, 0.5, 0.6, 0.6)
        sheet.fit_to_pages(1, 0)
        sheet.set_header(self.margins)
        sheet.set_footer("&L&A&R&P / &N")
        return sheet

    def table(self, name: str, rows: pd.DataFrame) -> None:
        """A sheet with a table.

        People's headings over machine names, filter, frozen panes, repeated headings, the map's
        colours.
        """
        sheet = self.sheet(name)
        columns = [c for c in rows.columns if c != "notice"]
        later = [c for c in columns if c not in FIRST] if "need_rank" in columns else []
        columns = [*(c for c in FIRST if c in columns), *later] if later else columns
        for position, column in enumerate(columns):
            sheet.write_string(0, position, heading(column, self.lang), self.head)
            sheet.write_string(1, position, column, self.machine)
            kind = kind_of(column)
            folded = {"level": 1, "hidden": True} if column in later else {}
            width = WIDTHS.get(column, KIND_WIDTHS[kind])
            sheet.set_column(position, position, width, self.formats[kind], folded)
            for row, value in enumerate(rows[column].tolist(), start=HEAD_ROWS):
                self.cell(sheet, row, position, column, value)
        if later:
            sheet.set_column(len(columns), len(columns), 4, None, {"collapsed": True})
        last = HEAD_ROWS + len(rows) - 1
        sheet.set_row(0, 42)
        sheet.freeze_panes(
            HEAD_ROWS, columns.index("commune_name") + 1 if "commune_name" in columns else 0
        )
        sheet.repeat_rows(0, HEAD_ROWS - 1)
        if len(rows):
            sheet.autofilter(HEAD_ROWS - 1, 0, last, len(columns) - 1)
            for position, column in enumerate(columns):
                if column in ("status", "gap_class"):
                    self._coloured(sheet, HEAD_ROWS, position, last, position)
                if column == "sharing_class":
                    self._classes(sheet, HEAD_ROWS, position, last)
                if column in BARS and rows[column].notna().any():
                    bar = {"type": "data_bar", "bar_color": "#97c3e5", "bar_solid": True}
                    sheet.conditional_format(HEAD_ROWS, position, last, position, bar)
        else:
            sheet.write_string(HEAD_ROWS, 0, texts.word("sheet_nothing", self.lang), self.plain)

    def cell(self, sheet: Worksheet, row: int, column: int, name: str, value: object) -> None:
        """Write a value of the column `name`: numbers as numbers, keys as words."""
        kind = self.formats[kind_of(name)]
        if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
            sheet.write_blank(row, column, None, kind)
        elif isinstance(value, bool):
            sheet.write_string(row, column, texts.word("yes" if value else "no", self.lang), kind)
        elif isinstance(value, (int, float)):
            sheet.write_number(row, column, value, kind)
        elif name in FIELDS and FIELDS[name].values:
            sheet.write_string(row, column, self._words(str(value)), kind)
        elif name == "other_operators":
            # `operator: status` each; an operator's name may hold the same marks
            worded = re.sub(
                r"(?<=: )\w+(?=; |$)", lambda status: self._words(status[0]), str(value)
            )
            sheet.write_string(row, column, worded, kind)
        else:
            sheet.write_string(row, column, str(value), kind)

    def _words(self, keys: str) -> str:
        # a terrain class of the settings' own has no word of ours
        return "; ".join(texts.word_or_own(key, self.lang) for key in keys.split(";") if key)

    def _coloured(
        self, sheet: Worksheet, row: int, column: int, last_row: int, last_column: int
    ) -> None:
        for key, paint in self.paints.items():
            if key in ("meets_probable", "meets_confirmed"):
                continue
            rule = {
                "type": "cell",
                "criteria": "==",
                "value": f'"{texts.word(key, self.lang)}"',
                "format": paint,
            }
            sheet.conditional_format(row, column, last_row, last_column, rule)
        meets = {
            "type": "cell",
            "criteria": "==",
            "value": f'"{texts.word("meets_target", self.lang)}"',
        }
        sheet.conditional_format(
            row, column, last_row, last_column, meets | {"format": self.paints["meets_confirmed"]}
        )

    def _classes(self, sheet: Worksheet, row: int, column: int, last_row: int) -> None:
        for key, paint in palette.SHARING_KEYS.items():
            rule = {"type": "cell", "criteria": "==", "value": f'"{texts.word(key, self.lang)}"'}
            rule |= {"format": self.paints[paint]}
            sheet.conditional_format(row, column, last_row, column, rule)

    def notes(self, name: str, lines: Sequence[str]) -> None:
        """A sheet of paragraphs under its own name."""
        sheet = self.sheet(name)
        sheet.set_column(0, 0, 105, self.wrapped)
        sheet.write_string(0, 0, name, self.title)
        for row, line in enumerate(lines, start=2):
            sheet.set_row(row, 14 * (1 + len(line) // 100))
            sheet.write_string(row, 0, line, self.wrapped)


class Sheets(Pages):
    """The sheets of `priorities.xlsx`."""

    def __init__(self, book: Workbook, about: About, lang: texts.Lang) -> None:
        super().__init__(book, _title(about, lang), str(about.notice), lang)
        self.about = about

    def summary(self, tables: Mapping[str, pd.DataFrame], operators: list[str]) -> None:
        """What the period says: headline, gap classes, verdicts by operator."""
        sheet, about, lang = (
            self.sheet(texts.word("sheet_summary", self.lang)),
            self.about,
            self.lang,
        )
        sheet.set_column(0, 0, 38)
        sheet.set_column(1, 12, 16)
        sheet.set_row(0, 24)
        sheet.write_string(0, 0, _title(about, lang), self.title)
        if about.notice:
            sheet.write_string(1, 0, about.notice, self.notice)
        low, high = about.results["everywhere_bounds"]
        lines = [
            (
                "sheet_target",
                f"{texts.number(about.target_mbps, lang, 0)} Mbps, {about.technology}",
            ),
            ("sheet_window", about.window_label),
            (
                "sheet_everywhere",
                f"{texts.number(100 * low, lang, 1)} – {texts.number(100 * high, lang, 1)} %",
            ),
        ]
        for row, (key, value) in enumerate(lines, start=3):
            sheet.write_string(row, 0, texts.word(key, lang), self.plain)
            sheet.write_string(row, 1, value, self.plain)
        row = 8
        sheet.write_string(row - 1, 0, heading("gap_class", lang), self.head)
        sheet.write_string(row - 1, 1, texts.word("sheet_communes", lang), self.head)
        counts = tables["commune_summary"]["gap_class"].value_counts()
        for key in palette.CLASS_PAINT:
            sheet.write_string(row, 0, texts.word(key, lang), self.painted[key])
            sheet.write_number(row, 1, int(counts.get(key, 0)), self.formats["whole"])
            row += 1
        row += 2
        status = tables["commune_status"]
        shown = operators or [ALL]
        sheet.write_string(row - 1, 0, heading("status", lang), self.head)
        for position, operator in enumerate(shown, start=1):
            sheet.write_string(
                row - 1, position, texts.word(ALL, lang) if operator == ALL else operator, self.head
            )
        verdicts = [
            palette.verdict(s, e) for s, e in zip(status["status"], status["evidence"], strict=True)
        ]
        for key in palette.STATUS_PAINT:
            sheet.write_string(row, 0, texts.word(key, lang), self.painted[key])
            for position, operator in enumerate(shown, start=1):
                count = sum(
                    v == key
                    for v, o in zip(verdicts, status["operator"], strict=True)
                    if o == operator
                )
                sheet.write_number(row, position, count, self.formats["whole"])
            row += 1

    def sharing(self, tables: Mapping[str, pd.DataFrame], operators: list[str]) -> None:
        """Commune × operator, and how many are good: whom sharing or roaming could help."""
        sheet, lang = self.sheet(texts.word("sheet_sharing", self.lang)), self.lang
        status = tables["commune_status"]
        communes = tables["commune_summary"]
        heads = ["commune_code", "commune_name"]
        for position, column in enumerate(heads):
            sheet.write_string(0, position, heading(column, lang), self.head)
            sheet.write_string(1, position, column, self.machine)
        for position, operator in enumerate(operators, start=2):
            sheet.write_string(0, position, operator, self.head)
            sheet.write_string(1, position, "status", self.machine)
        sheet.write_string(0, 2 + len(operators), texts.word("sheet_sharing", lang), self.head)
        sheet.write_string(1, 2 + len(operators), "good_operator_count", self.machine)
        by_unit = dict(
            zip(
                zip(status["commune_code"], status["operator"], strict=True),
                status["status"],
                strict=True,
            )
        )
        for row, commune in enumerate(communes.to_dict("records"), start=HEAD_ROWS):
            sheet.write_string(row, 0, commune["commune_code"], self.formats["text"])
            sheet.write_string(row, 1, commune["commune_name"], self.formats["text"])
            good = 0
            for position, operator in enumerate(operators, start=2):
                found = by_unit[commune["commune_code"], operator]
                good += found == "meets_target"
                sheet.write_string(row, position, texts.word(found, lang), self.plain)
            key = ("nobody_good", "one_good", "several_good")[min(good, 2)]
            sheet.write_string(row, 2 + len(operators), texts.word(key, lang), self.plain)
        sheet.set_column(0, 0, 11)
        sheet.set_column(1, 1, 24)
        sheet.set_column(2, 1 + len(operators), 20)
        sheet.set_column(2 + len(operators), 2 + len(operators), 36)
        sheet.freeze_panes(HEAD_ROWS, 2)
        sheet.repeat_rows(0, HEAD_ROWS - 1)
        last = HEAD_ROWS + len(communes) - 1
        if operators:
            self._coloured(sheet, HEAD_ROWS, 2, last, 1 + len(operators))
        sheet.autofilter(HEAD_ROWS - 1, 0, last, 2 + len(operators))

    def method(self) -> None:
        """How to read it, and where it comes from."""
        lines = [*self.about.method_note, "", *self.about.sources]
        self.notes(texts.word("sheet_method", self.lang), lines)


def kind_of(column: str) -> str:
    """Which of the sheets' formats a column has."""
    field = FIELDS.get(column)
    return field.shown if field and field.shown else "text"


def _in_margin(text: str) -> str:
    """Text for headers, in which `&` begins a code and which Excel limits to 255 characters."""
    shown = text if len(text) <= _MOST_IN_MARGIN else f"{text[: _MOST_IN_MARGIN - 1]}…"
    while len(escaped := shown.replace("&", "&&")) > _MOST_IN_MARGIN:
        shown = f"{shown[:-2]}…"
    return escaped
