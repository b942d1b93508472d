"""Tables → the report's blocks.

Every figure is a table's; here it is only rounded and put into a sentence.

Does not belong here: the letterhead (`document.py`), pictures (`charts.py`), words (`words.py`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import pandas as pd

from pipeline.publish.about import About
from pipeline.publish.gap_map import palette
from pipeline.publish.report.blocks import Block, Heading, Paragraph, Sheet
from pipeline.publish.report.words import said
from pipeline.schema import texts
from pipeline.schema.column_labels import heading
from pipeline.schema.fields import ALL, CHANGES, GAP_CLASSES, GAP_STATES, STATUSES

MOST_GAPS, MOST_UNDECIDED, MOST_NAMES = 30, 20, 5
DETECTED = ("new_gap", "closed_gap", "better", "worse")
_TEXT_CM = 16.0  # between the margins


class Content:
    """The report's parts, from a month's tables."""

    def __init__(
        self, tables: Mapping[str, pd.DataFrame], operators: list[str], about: About
    ) -> None:
        self.tables, self.operators, self.about = tables, operators, about
        self.lang = about.lang

    def say(self, key: str, **values: object) -> Paragraph:
        """A paragraph of `words.py`; numbers are written as people read them."""
        shown = {
            name: self.number(v) if isinstance(v, int | float) else v for name, v in values.items()
        }
        return Paragraph(said(key, self.lang, **shown))

    def number(self, value: float, digits: int = 0) -> str:
        """A figure, or – where there is none.

        With two digits where one would carry it over the target.
        """
        if pd.isna(value):
            return "–"
        target = float(self.about.target_mbps)
        if digits == 1 and (value < target) != (round(value + 1e-9, 1) < target):
            return texts.number(int(value * 100) / 100, self.lang, 2)
        return texts.number(float(value), self.lang, digits)

    def data(self) -> list[Block]:
        """Period, cut-off, tests, samples, devices, communes by the official count."""
        about, lang = self.about, self.lang
        until = about.results.get("data_until") or said("unknown_date", lang)
        blocks: list[Block] = [
            Heading(said("h_data", lang)),
            self.say(
                "scope",
                period=about.period_label,
                window=about.window_label,
                cut_off=until,
                technology=about.technology,
                target=float(about.target_mbps),
                source=about.target_source,
            ),
        ]
        if about.revision > 1:
            newest = about.revisions[-1]
            named = ", ".join(texts.word(cause, lang) for cause in newest["differs"])
            count, number = newest["changed_count"], about.revision
            blocks.append(
                self.say("revision_uncompared", number=number, causes=named)
                if count is None
                else self.say("revision", number=number, causes=named, count=count)
            )
        spans = self._whole()
        if spans.empty:
            blocks.append(self.say("no_tests", technology=about.technology))
        else:
            now, window = (spans.reindex(["period", "window"]).fillna(0.0).iloc[i] for i in (0, 1))
            blocks.append(
                self.say(
                    "counts",
                    technology=about.technology,
                    tests=float(now["test_count"]),
                    samples=float(now["sample_count"]),
                    devices=float(now["device_count"]),
                    all_tests=float(window["test_count"]),
                    all_devices=float(window["device_count"]),
                )
            )
        installs = self.tables["participation"]["install_count"]
        if installs.notna().any():
            blocks.append(self.say("installs", count=float(installs.sum())))
        last = self._last_month()
        official, count = int(about.official_test_count), last["test_count"]
        blocks.append(
            self.say(
                "official",
                official=official,
                below=official - 1,
                month=_month(self._month_name()),
                reached=int((count >= official).sum()),
                some=int(((count > 0) & (count < official)).sum()),
                none=int((count == 0).sum()),
                all=len(last),
            )
        )
        return blocks

    def _whole(self) -> pd.DataFrame:
        rows = self.tables["operator_summary"]
        rows = rows[rows["operator"].eq(ALL) & rows["technology_used"].eq(self.about.technology)]
        return rows.set_index("span")

    def _month_name(self) -> str:
        return str(self.tables["sample_tracker"]["month"].max())

    def _last_month(self) -> pd.DataFrame:
        tracker = self.tables["sample_tracker"]
        return tracker[tracker["month"] == self._month_name()]

    def results(self) -> list[Block]:
        """Speeds by operator and technology, the bounds, classes and statuses."""
        lang, results = self.lang, self.about.results
        low, high = (100 * share for share in results["everywhere_bounds"])
        blocks: list[Block] = [Heading(said("h_results", lang))]
        if len(self.tables["operator_summary"]):
            blocks.append(self.operators_sheet())
        blocks.append(self.say("bounds", low=self.number(low, 1), high=self.number(high, 1)))
        for key, names, counts in (
            ("classes", GAP_CLASSES, results["gap_classes"]),
            ("statuses", STATUSES, results["statuses"]),
        ):
            listed = [
                f"{texts.word(name, lang).lower()} {self.number(counts[name])}" for name in names
            ]
            blocks.append(self.say(key, counts="; ".join(listed)))
        return blocks

    def operators_sheet(self) -> Sheet:
        """Table 1: figures by technology and operator, the rolling mean beside them."""
        lang, table = self.lang, self.tables["operator_summary"]
        rows = []
        rolling = table[table["span"] == "rolling_12"].set_index(["technology_used", "operator"])[
            "mean_mbps"
        ]
        now = table[table["span"] == "period"].assign(last=lambda t: t["operator"].eq(ALL))
        for row in now.sort_values(["technology_used", "last", "operator"]).to_dict("records"):
            pairs = (
                ("mean_mbps", "median_mbps", 1), ("upload_mean_mbps", "median_upload_mbps", 1),
                ("latency_mean_ms", "latency_median_ms", 0),
            )  # fmt: skip
            rows.append(
                [
                    row["technology_used"],
                    texts.word(ALL, lang) if row["operator"] == ALL else row["operator"],
                    self.number(row["test_count"]),
                    self.number(row["device_count"]),
                    *(
                        f"{self.number(row[a], digits)} / {self.number(row[b], digits)}"
                        for a, b, digits in pairs
                    ),
                    self.number(
                        rolling.get((row["technology_used"], row["operator"]), float("nan")), 1
                    ),
                ]
            )
        named = ("c_tests", "c_devices", "c_down", "c_up", "c_latency", "c_rolling")
        heads = [heading(n, lang) for n in ("technology_used", "operator")] + [
            said(n, lang) for n in named
        ]
        widths = [1.4, 2.7, 1.5, 1.4, 2.7, 2.3, 2.2, 1.8]
        return Sheet(
            "operators", said("t_operators", lang), heads, rows, widths, frozenset(range(2, 8))
        )

    def matrix(self) -> Sheet:
        """Table 2: every commune and operator, in the map's colours."""
        status, lang = self.tables["commune_status"], self.lang
        columns = self.operators or [ALL]
        rows, fills = [], {}
        for i, (name, group) in enumerate(
            status.groupby(["commune_code", "commune_name"], sort=True)
        ):
            by = group.set_index("operator").to_dict("index")
            cells = []
            for k, operator in enumerate(columns):
                row = by[operator]
                verdict = palette.verdict(row["status"], row["evidence"])
                fills[i, k + 1] = palette.STATUS_PAINT[verdict].fill
                named = f"{texts.word(verdict, lang)}{borrowed_mark(row)}"
                cells.append(f"{named}\n{self.number(row['mean_mbps'], 1)}")
            rows.append([f"{name[1]}", *cells])
        width = (_TEXT_CM - 3.4) / len(columns)
        heads = [
            heading("commune_name", lang),
            *(texts.word(ALL, lang) if c == ALL else c for c in columns),
        ]
        return Sheet(
            "matrix",
            said("t_matrix", lang),
            heads,
            rows,
            [3.4, *[width] * len(columns)],
            fills=fills,
        )

    def gaps(self) -> list[Block]:
        """Confirmed and probable gaps with people, the first priorities, gap areas by state."""
        lang, gaps = self.lang, self.tables["priorities"]
        blocks: list[Block] = [Heading(said("h_gaps", lang))]
        if gaps.empty:
            blocks.append(self.say("no_gaps"))
        else:
            figures: dict[str, object] = {}
            for kind in ("confirmed", "probable"):
                mine = gaps[gaps["status"] == f"{kind}_gap"]
                places = mine.drop_duplicates("commune_code")
                people = places["population"]
                figures |= {
                    kind: len(mine),
                    f"{kind}_communes": len(places),
                    f"{kind}_people": self.number(people.sum()) if people.notna().all() else "–",
                }
            blocks += [self.say("gaps", **figures), self._gaps_sheet(gaps)]
        areas = self.tables["gap_areas"]
        ledger = self.tables["gap_ledger"]
        states = ledger.loc[ledger["period"] == str(self.about.period), "state"].value_counts()
        listed = [
            f"{texts.word(s, lang)} {self.number(int(states[s]))}"
            for s in GAP_STATES
            if s in states
        ]
        blocks.append(
            self.say("areas", states="; ".join(listed))
            if listed or len(areas)
            else self.say("no_areas")
        )
        return blocks

    def _gaps_sheet(self, gaps: pd.DataFrame) -> Sheet:
        lang, shown = self.lang, gaps.sort_values("need_rank").head(MOST_GAPS)
        rows, fills = [], {}
        for i, row in enumerate(shown.to_dict("records")):
            fills[i, 3] = palette.STATUS_PAINT[row["status"]].fill
            rows.append(
                [
                    self.number(row["need_rank"]),
                    row["commune_name"],
                    texts.word(ALL, lang) if row["operator"] == ALL else row["operator"],
                    texts.word(row["status"], lang) + borrowed_mark(row),
                    self.number(row["mean_mbps"], 1),
                    self.number(row["population"]),
                    self.number(row["expected_person_gap"]),
                    texts.word(row["suggested_action"], lang),
                ]
            )
        names = [
            "need_rank", "commune_name", "operator", "status", "mean_mbps", "population",
            "expected_person_gap", "suggested_action",
        ]  # fmt: skip
        caption = said("t_gaps", lang, shown=self.number(len(shown)), all=self.number(len(gaps)))
        widths = [1.3, 2.6, 2.55, 2.9, 1.55, 1.4, 1.6, 2.1]
        return Sheet(
            "gaps",
            caption,
            [heading(n, lang) for n in names],
            rows,
            widths,
            frozenset({0, 4, 5, 6}),
            fills,
        )

    def undecided(self) -> list[Block]:
        """What lacks evidence, and what it needs."""
        lang, table = self.lang, self.tables["measure_first"]
        blocks: list[Block] = [Heading(said("h_undecided", lang))]
        if table.empty:
            return [*blocks, self.say("all_decided")]
        shown = table.head(MOST_UNDECIDED)
        rows = [
            [
                self.number(row["measure_rank"]),
                row["commune_name"],
                texts.word(ALL, lang) if row["operator"] == ALL else row["operator"],
                texts.word(row["status"], lang),
                self.number(row["device_count"]),
                texts.word(row["devices_to_decide_reason"], lang)
                if pd.notna(row["devices_to_decide_reason"])
                else self.number(row["devices_to_decide"]),
                self.number(row["population"]),
            ]
            for row in shown.to_dict("records")
        ]
        names = [
            "measure_rank", "commune_name", "operator", "status", "device_count",
            "devices_to_decide", "population",
        ]  # fmt: skip
        caption = said(
            "t_undecided", lang, shown=self.number(len(shown)), all=self.number(len(table))
        )
        heads, widths = [heading(n, lang) for n in names], [1.4, 3.1, 2.5, 3.6, 1.7, 1.9, 1.8]
        sheet = Sheet("undecided", caption, heads, rows, widths, frozenset({0, 4, 5, 6}))
        return [*blocks, self.say("undecided", count=len(table)), sheet]

    def changes(self) -> list[Block]:
        """What became of the verdicts since the former period, less what chance explains."""
        lang, table = self.lang, self.tables.get("changes")
        blocks: list[Block] = [Heading(said("h_changes", lang))]
        if table is None:
            broken = self.about.results.get("series_broken")
            return [
                *blocks,
                self.say("series_broken", **broken) if broken else self.say("no_former"),
            ]
        table = table[table["operator"] != ALL] if self.operators else table
        counts = table["change"].value_counts()
        found = {name: int(counts.get(name, 0)) for name in CHANGES}
        blocks.append(
            self.say("changes", former=_month(str(table["former_period"].iloc[0])), **found)
        )
        seen = table[table["change"].isin(DETECTED)]
        if seen.empty:
            return [*blocks, self.say("no_change")]
        rows = [
            [
                row["commune_name"],
                texts.word(ALL, lang) if row["operator"] == ALL else row["operator"],
                said(row["change"], lang),
                f"{self.number(row['former_mean_mbps'], 1)} → {self.number(row['mean_mbps'], 1)}",
            ]
            for row in seen.to_dict("records")
        ]
        heads = [heading(n, lang) for n in ("commune_name", "operator")]
        heads += [said("c_change", lang), said("c_before_after", lang)]
        return [
            *blocks,
            Sheet(
                "changes",
                said("t_changes", lang),
                heads,
                rows,
                [5.0, 3.6, 3.8, 3.6],
                frozenset({3}),
            ),
        ]

    def people(self) -> list[Block]:
        """Participation: more, fewer, unchanged; best and worst; signs of a campaign."""
        lang, table, last = self.lang, self.tables["participation"], self._last_month()
        blocks: list[Block] = [Heading(said("h_people", lang))]
        counts = table["participation"].value_counts()
        if table["participation"].ne("unknown").any():
            kinds = {name: int(counts.get(name, 0)) for name in ("more", "fewer", "unchanged")}
            blocks.append(self.say("people", **kinds))
        ranked = table[table["devices_per_1000"].notna()].sort_values(
            ["devices_per_1000", "commune_code"], ascending=[False, True]
        )
        for key, rows in (
            ("best", ranked.head(MOST_NAMES)),
            ("worst", ranked.tail(MOST_NAMES).iloc[::-1]),
        ):
            if len(ranked) > MOST_NAMES:
                pairs = zip(rows["commune_name"], rows["devices_per_1000"], strict=True)
                blocks.append(
                    self.say(
                        key, names="; ".join(f"{name} ({self.number(n, 1)})" for name, n in pairs)
                    )
                )
        signed = last[last["campaign_signs"] != ""]
        month = _month(self._month_name())
        if signed.empty:
            return [*blocks, self.say("no_signs", month=month)]
        shown = [
            f"{row['commune_name']} ({_words(row['campaign_signs'], lang)})"
            for row in signed.head(MOST_NAMES).to_dict("records")
        ]
        return [*blocks, self.say("signs", month=month, count=len(signed), names="; ".join(shown))]

    def requests(self) -> list[Block]:
        """What is asked of the People's Committee, the ministry, the operators."""
        last, gaps = self._last_month(), self.tables["priorities"]
        official = int(self.about.official_test_count)
        below = int((last["test_count"] < official).sum())
        nobody = int(self.tables["commune_summary"]["gap_class"].eq("total_gap").sum())
        per_operator = gaps["operator"].value_counts()
        named = "; ".join(
            f"{name} {self.number(int(n))}" for name, n in per_operator.items() if name != ALL
        )
        last_line = (
            self.say("ask_operators", names=named) if named else self.say("ask_operators_none")
        )
        return [
            Heading(said("h_requests", self.lang)),
            self.say("ask_committee", count=below, official=official),
            self.say("ask_ministry", count=nobody),
            last_line,
        ]

    def method(self) -> list[Block]:
        """How to read it; boundaries, sources, licences."""
        notes = [Paragraph(line) for line in self.about.method_note]
        return [
            Heading(said("h_method", self.lang)),
            *notes,
            self.say("sources", sources="; ".join(self.about.sources)),
        ]


def borrowed_mark(row: Mapping[Hashable, object]) -> str:
    """` *` after a verdict that rests on the commune's other operators too, else nothing."""
    return " *" if row["evidence_basis"] == "borrowed" else ""


def _words(keys: str, lang: texts.Lang) -> str:
    return ", ".join(texts.word(key, lang) for key in keys.split(";"))


def _month(text: str) -> str:
    """`2026-10` as people write it: 10/2026.

    >>> _month("2026-10"), _month("2024Q3")
    ('10/2026', 'Q3/2024')
    """
    return f"{text[-2:]}/{text[:4]}"
