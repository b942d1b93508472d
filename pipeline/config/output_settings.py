"""Sections of the settings that say what people receive.

Publishing, the sample tracker, installations, the report.

Does not belong here: reading the file (`settings.py`), what decides a verdict.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.schema import texts
from pipeline.schema.vintages import UNSTATED


class Section(BaseModel):
    """A closed section.

    A key that is not declared is a fault; values cannot be changed afterwards.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @field_validator("*")
    @classmethod
    def _printable(cls, value: object) -> object:
        """Texts stand in XML and on terminals, which cannot take control characters."""
        if isinstance(value, str) and any(c < " " and c not in "\n\t" for c in value):
            raise ValueError("a text without control characters")
        return value


class Label(Section):
    """A name that every map of the area writes and reaches, such as far islands of a nation."""

    name: str
    latitude: float = Field(ge=-90, le=90)  # ° WGS 84
    longitude: float = Field(ge=-180, le=180)


class Publish(Section):
    """What people receive."""

    lang: str = "vi"  # one of the catalogues of texts
    notice: str = ""  # e.g. "SỐ LIỆU GIẢ LẬP": stands on every output
    allow_noncommercial: bool = (
        False  # operators' files from data whose licence forbids commercial use (Ookla's tiles)
    )
    csv_dialect: Literal["standard", "excel-vi"] = "standard"
    max_map_cells: int = Field(
        40_000, ge=1
    )  # with more, the map shows coarser cells, and a map is written by province
    labels: tuple[Label, ...] = ()

    @field_validator("lang")
    @classmethod
    def _with_catalogue(cls, value: str) -> str:
        if value not in texts.languages():
            raise ValueError(f"one of {', '.join(texts.languages())}")
        return value


class Tracker(Section):
    """When tests look like a campaign's; chosen, and signs only: no test is set aside for them."""

    months: int = Field(12, ge=1, le=36)  # that end with the period
    burst_gap_minutes: float = Field(
        10.0, gt=0
    )  # min; a device's next test in the same cell belongs to the same sitting
    burst_min_tests: int = Field(5, ge=2)  # of a sitting
    one_place_share: float = Field(0.8, gt=0, le=1)  # of a month's tests in one finest cell
    month_end_share: float = Field(0.5, gt=0, le=1)  # of a month's tests on its last three days


class CommuneTable(Section):
    """How a table of figures by commune is read. What is absent is found by the table itself."""

    path: Path | None = None
    sheet: str | int | None = None  # name, or number from 0
    layer: str | None = None  # of a GIS file
    delimiter: str | None = None
    encoding: str | None = None
    heading_row: int | None = Field(None, ge=0)  # 0: there are no headings
    decimal: Literal[".", ","] | None = None
    unit: str | None = None  # 1, 1000 or 1000000
    code_column: str | None = None
    code_length: int | None = Field(None, ge=1)  # pads codes that lost leading zeros
    name_column: str | None = None  # without code_column: communes are met by name
    district_column: str | None = None  # tells communes of one name apart
    province_column: str | None = None
    vintage: str = UNSTATED  # of all rows, where no column states it
    vintage_column: str | None = None  # absent: `boundary_vintage`, where the table has it


class Installs(CommuneTable):
    """The app's installations per commune, where the province has them: a table or a raster."""

    count_column: str | None = None


class Report(Section):
    """The monthly report's letterhead.

    What is left empty: the authorities of the period's time; number and signer stay blank.
    """

    area_title: str = ""  # as sentences call the area; default: tỉnh NAME
    parent_authority: str = ""  # default: Ủy ban nhân dân AREA_TITLE
    authority: str = (
        ""  # default: Sở Khoa học và Công nghệ; before March 2025 Sở Thông tin và Truyền thông
    )
    number: str = ""
    sign: str = ""  # default: BC-SKHCN
    place: str = ""  # default: the area's name
    date: str = ""  # default: the 15th of the month after the period
    addressees: tuple[str, ...] = ()  # default: the People's Committee and the ministry
    recipients: tuple[str, ...] = ()  # default: as above, the operators, archive
    signer_title: str = ""  # default: Giám đốc
    signer_name: str = ""
    pdf: bool = True  # where LibreOffice is present
