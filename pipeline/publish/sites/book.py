"""`site_plan.xlsx`: the plan of sites; what a smaller budget builds is computed in it by formulas.

The figures are the tables'; every formula carries its result for readers that compute nothing. Does
not belong here: which sites are chosen (`actions/sites/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.publish.gap_map import palette
from pipeline.publish.sites.about import SitesAbout, phrase
from pipeline.publish.sites.curve import has_costs
from pipeline.publish.workbook import BOOK_OPTIONS, WIDTHS, Pages, kind_of
from pipeline.schema import texts
from pipeline.schema.column_labels import heading, meaning

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

WITHIN = "within_budget"  # the only column that no table has
# what is read and printed first; all other columns of `site_plan` follow behind a [+]
FIRST = (
    "site_rank", WITHIN, "site_id", "operator", "site_action", "commune_name", "place_name",
    "people_in_reach", "people_short", "person_gap_closed", "person_gap_closed_lo",
    "person_gap_closed_hi", "cost", "cumulative_cost", "cumulative_closed", "cumulative_closed_lo",
    "cumulative_closed_hi",
)  # fmt: skip
HEAD = 8  # row of the headings; machine names below
BODY = HEAD + 2
INPUT_ROWS = {"budget": 3, "most": 4}
INPUT_COLUMN, LABEL_COLUMN, SUM_COLUMN = 3, 5, 8
SUMS = (("sum_reach", "people_in_reach"), ("sum_short", "people_short"),
        ("sum_closed", "person_gap_closed"))  # fmt: skip
# column of `sharing` → paint of an operator that it lists
LISTED = {"operators_good": "meets_confirmed", "operators_short": "partial_gap",
          "operators_open": "unknown"}  # fmt: skip


def write_site_book(path: Path, tables: Mapping[str, pd.DataFrame], about: SitesAbout) -> None:
    """Write the workbook: plan, reach, questions, sharing, assumptions."""
    import xlsxwriter

    lang = about.lang
    with xlsxwriter.Workbook(path, BOOK_OPTIONS) as book:
        properties = {"title": about.title, "created": about.period.end, "author": ""}
        book.set_properties(properties | {"comments": about.notice})
        pages = Pages(book, about.title, about.notice, lang)
        _PlanSheet.of(pages, tables["site_plan"], about).write()
        pages.table(phrase("sheet_reach", lang), tables["site_reach"])
        pages.table(phrase("sheet_questions", lang), tables["site_questions"])
        sharing_sheet(pages, tables["sharing"])
        _assumptions_sheet(pages, tables, about)


@dataclass(frozen=True)
class _PlanSheet:
    """The first sheet: cells to type a limit in, sums, the plan with what is within the limit."""

    pages: Pages
    sheet: Worksheet
    rows: pd.DataFrame  # chosen sites by rank, then runners-up
    columns: list[str]
    about: SitesAbout

    @classmethod
    def of(cls, pages: Pages, plan: pd.DataFrame, about: SitesAbout) -> _PlanSheet:
        columns = [*FIRST, *(name for name in plan.columns if name not in FIRST)]
        sheet = pages.sheet(phrase("sheet_plan", about.lang))
        return cls(pages, sheet, plan.reset_index(drop=True), columns, about)

    @property
    def count(self) -> int:
        """Rows of chosen sites."""
        return int((self.rows["site_state"] == "chosen").sum())

    def cell(self, row: int, column: str) -> str:
        """A cell of the table, such as `$A11`."""
        return f"${_column_name(self.columns.index(column))}{row + 1}"

    def range(self, column: str) -> str:
        """A column of the chosen sites, such as `$A$11:$A$30`."""
        name = _column_name(self.columns.index(column))
        return f"${name}${BODY + 1}:${name}${BODY + max(1, self.count)}"

    def limit(self, name: str) -> str:
        """The cell in which a limit stands, such as `$D$4`."""
        return f"${_column_name(INPUT_COLUMN)}${INPUT_ROWS[name] + 1}"

    def write(self) -> None:
        sheet, lang, pages = self.sheet, self.about.lang, self.pages
        sheet.set_row(0, 24)
        sheet.write_string(0, 0, self.about.title, pages.title)
        if self.about.notice:
            sheet.write_string(1, 0, self.about.notice, pages.notice)
        sheet.write_string(2, 0, phrase("modelled", lang), pages.plain)
        sheet.write_string(7, 0, phrase("how", lang), pages.plain)
        self._limits()
        self._sums()
        for position, column in enumerate(self.columns):
            named = phrase("within", lang) if column == WITHIN else heading(column, lang)
            sheet.write_string(HEAD, position, named, pages.head)
            sheet.write_string(HEAD + 1, position, column, pages.machine)
            width = WIDTHS.get(column, 11 if kind_of(column) == "text" else 10)
            folded = {} if column in FIRST else {"level": 1, "hidden": True}
            sheet.set_column(position, position, width, None, folded)
            self._column(position, column)
        sheet.set_column(len(self.columns), len(self.columns), 4, None, {"collapsed": True})
        sheet.set_row(HEAD, 42)
        sheet.freeze_panes(BODY, 3)
        sheet.repeat_rows(HEAD, HEAD + 1)
        last = BODY + self.count - 1
        if self.count:
            grey = pages.book.add_format({"font_color": "#999999"})
            rule = {"type": "formula", "criteria": f"={self.cell(BODY, WITHIN)}=0", "format": grey}
            sheet.conditional_format(BODY, 0, last, len(self.columns) - 1, rule)
        else:
            sheet.write_string(BODY, 0, texts.word("sheet_nothing", lang), pages.plain)

    def _limits(self) -> None:
        """Cells to type in, filled with this plan's own."""
        lang, pages = self.about.lang, self.pages
        chosen = self.rows.head(self.count)
        sites = int(chosen["site_rank"].max()) if self.count else 0
        limits: dict[str, float] = {"most": sites}
        if has_costs(self.rows):
            total = float(chosen["cost"].sum())
            limits = {"budget": total if self.about.budget is None else self.about.budget} | limits
        for name, value in limits.items():
            currency = self.about.currency if name == "budget" else ""
            label = phrase(name, lang) + (f" ({currency})" if currency else "")
            row = INPUT_ROWS[name]
            self.sheet.write_string(row, 0, label, pages.plain)
            form = _input(pages.book, "tenth" if name == "budget" else "whole")
            self.sheet.write_number(row, INPUT_COLUMN, value, form)
            check = {"validate": "decimal", "criteria": ">=", "value": 0}
            self.sheet.data_validation(row, INPUT_COLUMN, row, INPUT_COLUMN, check)

    def _sums(self) -> None:
        """Sums of what is within the limits, and the range of what it closes."""
        lang, chosen, within = self.about.lang, self.rows.head(self.count), self.range(WITHIN)
        sites = f"=SUMPRODUCT(MAX({within}*{self.range('site_rank')}))"
        found = [("sum_sites", sites, float(chosen["site_rank"].max()) if self.count else 0.0)]
        if has_costs(self.rows):
            found.append(("sum_cost", self._sum_of("cost"), float(chosen["cost"].sum())))
        found += [(key, self._sum_of(name), float(chosen[name].sum())) for key, name in SUMS]
        for row, (key, formula, value) in enumerate(found, start=2):
            self._sum(row, SUM_COLUMN, formula, value, is_money=key == "sum_cost")
            self.sheet.write_string(row, LABEL_COLUMN, phrase(key, lang), self.pages.plain)
        row = 1 + len(found)
        count = f"${_column_name(SUM_COLUMN)}$3"
        for position, name in enumerate(("cumulative_closed_lo", "cumulative_closed_hi"), start=1):
            value = float(chosen[name].iloc[-1]) if self.count else 0.0
            formula = (
                f"=IF({count}<1,0,LOOKUP({count},{self.range('site_rank')},{self.range(name)}))"
            )
            self._sum(row, SUM_COLUMN + position, formula, value)
            label = heading(name.replace("cumulative", "person_gap"), lang)
            self.sheet.write_string(row - 1, SUM_COLUMN + position, label, self.pages.plain)

    def _sum_of(self, column: str) -> str:
        return f"=SUMIF({self.range(WITHIN)},1,{self.range(column)})"

    def _sum(
        self, row: int, column: int, formula: str, value: float, *, is_money: bool = False
    ) -> None:
        form = self.pages.formats["tenth" if is_money else "whole"]
        if self.count:
            self.sheet.write_formula(row, column, formula, form, value)
        else:
            self.sheet.write_number(row, column, value, form)

    def _column(self, position: int, column: str) -> None:
        """A column's cells; of the chosen sites some are formulas, and the cost can be typed."""
        pages, kind = self.pages, "whole" if column == WITHIN else kind_of(column)
        made: dict[str, Callable[[int], str]] = {
            WITHIN: self._within, "cumulative_cost": partial(self._so_far, column="cost"),
                "cumulative_closed": partial(self._so_far, column="person_gap_closed")}  # fmt: skip
        form = pages.formats[kind]
        if column == WITHIN:
            yes, no = (texts.word(word, self.about.lang) for word in ("yes", "no"))
            form = _plain(pages.book, f'[=1]"{yes}";[=0]"{no}";General')
        values = [1] * self.count if column == WITHIN else self.rows[column].tolist()
        for number, value in enumerate(values):
            row = BODY + number
            is_chosen = number < self.count
            if column in made and is_chosen and not pd.isna(value):
                self.sheet.write_formula(row, position, made[column](row), form, value)
            elif column == "cost" and is_chosen and not pd.isna(value):
                self.sheet.write_number(row, position, value, _input(pages.book, "tenth"))
            else:
                pages.cell(self.sheet, row, position, column, value)

    def _within(self, row: int) -> str:
        """1 where the site is within both limits; an empty cell is no limit."""
        limits = [(self.limit("most"), f"{self.cell(row, 'site_rank')}<={self.limit('most')}")]
        if has_costs(self.rows):
            budget = self.limit("budget")
            # the solver keeps the budget to one part in a million
            least = f"{self.cell(row, 'cumulative_cost')}<={budget}*1.000001"
            limits.append((budget, least))
        tests = ",".join(f'OR({cell}="",{test})' for cell, test in limits)
        return f"=IF(AND({tests}),1,0)"

    def _so_far(self, row: int, column: str) -> str:
        rank = self.cell(row, "site_rank")
        return f'=SUMIF({self.range("site_rank")},"<="&{rank},{self.range(column)})'


def _column_name(column: int) -> str:
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(column))


def _plain(book: Workbook, number_format: str, **more: object) -> Format:
    base = {"font_name": "Arial", "font_size": 10, "valign": "top", "num_format": number_format}
    return book.add_format(base | more)


def _input(book: Workbook, kind: str) -> Format:
    """A cell to type in."""
    marks = {"whole": "#,##0", "tenth": "#,##0.0"}
    return _plain(book, marks[kind], bg_color="#fff8dc", border=1, border_color="#bdbab2")


def sharing_sheet(pages: Pages, sharing: pd.DataFrame) -> None:
    """Commune × operator and the class of each commune, in the map's colours."""
    lang = pages.lang
    sheet = pages.sheet(phrase("sheet_sharing", lang))
    operators = sorted(
        {one for name in LISTED for text in sharing[name].dropna() for one in text.split(";")}
    )
    before = ["commune_code", "commune_name", "population"]
    after = ["sharing_class", "sharing_action", "host_operator", "host_site_id", "host_km"]
    heads = [(heading(name, lang), name) for name in before]
    heads += [(name, "") for name in operators]
    heads += [(heading(name, lang), name) for name in after]
    for position, (named, machine) in enumerate(heads):
        sheet.write_string(0, position, named, pages.head)
        sheet.write_string(1, position, machine, pages.machine)
        sheet.set_column(position, position, WIDTHS.get(machine, 16))
    for row, commune in enumerate(sharing.to_dict("records"), start=2):
        for position, name in enumerate(before):
            pages.cell(sheet, row, position, name, commune[name])
        for position, name in enumerate(operators, start=len(before)):
            kinds = [kind for kind in LISTED if name in str(commune[kind]).split(";")]
            for kind in kinds:
                word, paint = phrase(kind, lang), pages.painted[LISTED[kind]]
                sheet.write_string(row, position, word, paint)
        for position, name in enumerate(after, start=len(before) + len(operators)):
            if name == "sharing_class":
                paint = pages.painted[palette.SHARING_KEYS[commune[name]]]
                sheet.write_string(row, position, texts.word(commune[name], lang), paint)
            else:
                pages.cell(sheet, row, position, name, commune[name])
    sheet.set_row(0, 42)
    sheet.freeze_panes(2, 2)
    sheet.repeat_rows(0, 1)
    if len(sharing):
        sheet.autofilter(1, 0, 1 + len(sharing), len(heads) - 1)


def _assumptions_sheet(pages: Pages, tables: Mapping[str, pd.DataFrame], about: SitesAbout) -> None:
    """What the plan rests on: sentences, settings with their values, meanings of the columns."""
    lang = about.lang
    sheet = pages.sheet(phrase("sheet_assumptions", lang))
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 1, 70)
    sheet.write_string(0, 0, phrase("sheet_assumptions", lang), pages.title)
    notes = [phrase(key, lang) for key in ("modelled", "note_gap", "note_range", "note_smaller")]
    row = 2
    for note in [*([about.notice] if about.notice else []), *notes]:
        sheet.merge_range(row, 0, row, 1, "", pages.wrapped)
        sheet.write_string(row, 0, note, pages.wrapped)
        sheet.set_row(row, 14 * (1 + len(note) // 105))
        row += 1
    heads = [phrase("setting", lang), phrase("value", lang)]
    rows = [(name, _worded(value, lang)) for name, value in about.assumptions.items()]
    row = _two_columns(pages, sheet, row + 1, heads, rows)
    columns = dict.fromkeys(name for table in tables.values() for name in table.columns)
    meanings = [(f"{heading(name, lang)} ({name})", meaning(name, lang)) for name in columns]
    _two_columns(pages, sheet, row + 1, [phrase("column", lang), phrase("meaning", lang)], meanings)


def _two_columns(
    pages: Pages, sheet: Worksheet, row: int, heads: Sequence[str], rows: Sequence[tuple[str, str]]
) -> int:
    """Write two columns of texts with their headings; gives the row after them."""
    for position, text in enumerate(heads):
        sheet.write_string(row, position, text, pages.head)
    for number, line in enumerate(rows, start=row + 1):
        for position, text in enumerate(line):
            sheet.write_string(number, position, text, pages.wrapped)
    return row + 1 + len(rows)


def _worded(value: object, lang: texts.Lang) -> str:
    """A setting's value; – where it is not set."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return texts.word("yes" if value else "no", lang)
    if isinstance(value, int | float):
        return texts.short_number(value, lang, 10)
    if isinstance(value, tuple | list):
        return " – ".join(_worded(one, lang) for one in value)
    return str(value)
