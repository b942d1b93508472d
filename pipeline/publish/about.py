"""What every output states about itself, as one record for all writers.

Does not belong here: the results of a month (`schema/month.py`), how an output looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from pipeline import __version__
from pipeline.publish.names import file_names
from pipeline.schema import texts
from pipeline.schema.fields import ALL

if TYPE_CHECKING:
    from pipeline.config.output_settings import Report
    from pipeline.config.settings import Settings
    from pipeline.schema.month import Month
    from pipeline.schema.periods import Period

_WEIGHTS = {"total_gap_weight", "facility_weight", "facility_cap", "road_weight"}


class MapLabel(TypedDict):
    """A name that maps write; degrees WGS 84."""

    name: str
    latitude: float
    longitude: float


@dataclass(frozen=True)
class About:
    """Area, period, target, notice, sources and rules of one month's outputs."""

    period: Period
    window: list[str]  # months that the evidence is from
    area: str
    technology: str
    target_mbps: float
    target_source: str
    notice: str  # shown on every output, such as that data are invented
    lang: texts.Lang
    vintage: str  # of the boundaries
    licences: list[str]  # that must be named
    results: Mapping[str, Any]  # headline figures
    rules: Mapping[str, Any]  # settings that sentences name
    min_devices: int  # smaller groups are not shown
    labels: Sequence[MapLabel]
    operator_files: Mapping[str, str]  # operators that get files, and their names in file names
    excel_vi: bool  # CSV with `;` and decimal comma too
    letterhead: Report
    official_test_count: int
    revision: int
    revisions: Sequence[Mapping[str, Any]]
    start: str = ALL  # operator that the map opens on
    province_code: str = ""
    crosswalk: str = ""  # the resolution that the crosswalk of old communes follows
    currency: str = ""  # of costs
    index: str = ""  # page that links a nation's provinces, from the map's folder

    @property
    def period_label(self) -> str:
        """The period as people write it."""
        return self.period.label()

    @property
    def window_label(self) -> str:
        """First and last month of the window."""
        return f"{self.window[0]} – {self.window[-1]}"

    @property
    def created(self) -> datetime:
        """The only time in the outputs: the period's end, so that equal runs give equal bytes."""
        return self.period.end

    @property
    def sources(self) -> list[str]:
        """Boundaries, target, licences and version, a line each."""
        return [
            f"{texts.word('boundaries', self.lang)}: {self.vintage}",
            *(
                [f"{texts.word('crosswalk', self.lang)}: {self.crosswalk}"]
                if self.crosswalk
                else []
            ),
            f"{texts.word('sheet_target', self.lang)}: {self.target_source}",
            *self.licences,
            f"lomsong {__version__}",
        ]

    @property
    def method_note(self) -> list[str]:
        """How to read a table of verdicts, a paragraph each."""
        return texts.method_note(self.lang, self.rules, self.technology, self.min_devices)

    def licence_lines(self, lang: texts.Lang) -> list[str]:
        """Licences and boundaries, as a map shows them below itself."""
        return [*self.licences, f"{texts.word('boundaries', lang)} {self.vintage}"]

    @property
    def credits(self) -> list[str]:
        """Libraries that the map is made with, and their licences."""
        return ["folium (MIT)", "Leaflet (BSD-2)", "H3 (Apache-2.0)"]

    def page(self) -> dict[str, Any]:
        """The parts that the map's page shows, for its JSON."""
        return {
            "area": self.area,
            "period": str(self.period),
            "period_label": self.period_label,
            "window_label": self.window_label,
            "technology": self.technology,
            "target_mbps": self.target_mbps,
            "notice": self.notice,
            "window_months": len(self.window),
            "min_devices": self.min_devices,
            "rules": self.rules,
            "labels": list(self.labels),
            "index": self.index,
            "licences": {lang: self.licence_lines(lang) for lang in texts.languages()},
            "credits": self.credits,
            "start": self.start,
        }


def about_of(month: Month, settings: Settings, revision: Mapping[str, Any]) -> About:
    """The record of a month. `revision`: of `revision_of`."""
    priority = settings.priority.model_dump(include=_WEIGHTS)
    return About(
        period=month.period,
        window=month.window,
        area=settings.area.name,
        province_code=settings.area.province_code,
        crosswalk=settings.crosswalk.citation,
        currency=settings.costs.currency,
        technology=settings.target.technology if month.operators else "mobile",
        target_mbps=settings.target.download_mbps,
        target_source=settings.target.source,
        notice=settings.publish.notice,
        lang=settings.publish.lang,
        vintage=str(month.communes["boundary_vintage"].iloc[0]),
        licences=month.licences,
        results=month.results,
        rules={**settings.evidence.model_dump(), "priority": priority},
        min_devices=settings.privacy.min_devices,
        labels=[
            MapLabel(name=one.name, latitude=one.latitude, longitude=one.longitude)
            for one in settings.publish.labels
        ],
        operator_files=operator_files(
            month.operators,
            month.licences,
            allow_noncommercial=settings.publish.allow_noncommercial,
        ),
        excel_vi=settings.publish.csv_dialect == "excel-vi",
        letterhead=settings.report,
        official_test_count=settings.evidence.official_test_count,
        revision=revision["revision"],
        revisions=revision["revisions"],
    )


def operator_files(
    operators: list[str], licences: list[str], *, allow_noncommercial: bool
) -> dict[str, str]:
    """Operators that get files of their own, and their names as parts of file names.

    None where a licence forbids it: CC BY-NC-SA, and an operator is a business.
    """
    return {} if licences and not allow_noncommercial else file_names(operators)
