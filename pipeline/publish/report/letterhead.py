"""Who reports to whom: the letterhead from the settings, with the authorities of the report's time
where they are left open.

Since 1 March 2025 the departments of science and technology and their ministry have the duties of
the former departments and ministry of information and communications (resolution 176/2025/QH15).
Does not belong here: how it looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.publish.about import About
from pipeline.publish.report.document import Letterhead
from pipeline.publish.report.words import said
from pipeline.schema.texts import Lang

if TYPE_CHECKING:
    from pipeline.config.output_settings import Report

_SINCE = 2025 * 12 + 2  # March 2025, as `Period` counts months
REPORT_DAY = 15  # of the month after the period
# (before, since) in (Vietnamese, English)
_DEFAULTS: Mapping[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "authority": (
        ("Sở Thông tin và Truyền thông", "Department of Information and Communications"),
        ("Sở Khoa học và Công nghệ", "Department of Science and Technology"),
    ),
    "sign": (("BC-STTTT", "BC-STTTT"), ("BC-SKHCN", "BC-SKHCN")),
    "ministry": (
        ("Bộ Thông tin và Truyền thông (Cục Viễn thông)", "Ministry of Information and Communications (Authority of Telecommunications)"),
        ("Bộ Khoa học và Công nghệ (Cục Viễn thông)", "Ministry of Science and Technology (Authority of Telecommunications)"),
    ),
}  # fmt: skip
_COMMITTEE = ("Ủy ban nhân dân {area}", "People's Committee of {area}")
_AREA = ("tỉnh {name}", "{name} province")
_DATE = ("ngày {day} tháng {month} năm {year}", "{day}/{month}/{year}")
_DIRECTOR = ("Giám đốc", "Director")


def area_title(given: Report, name: str, lang: Lang) -> str:
    """The area as sentences call it: `tỉnh NAME`, unless the settings say otherwise."""
    return given.area_title or (_AREA[lang == "en"].replace("{name}", name) if name else "")


def letterhead(given: Report, about: About, operators: list[str]) -> Letterhead:
    """The settings' letterhead; what they leave open by the authorities of the period's end, the
    number and signer blank.
    """
    lang, period = about.lang, about.period
    english, recent = lang == "en", period.last >= _SINCE
    area = area_title(given, about.area, lang)
    committee = _COMMITTEE[english].replace("{area}", area).strip()
    default = {key: pair[recent][english] for key, pair in _DEFAULTS.items()}
    month = period.last + 1
    date = (
        _DATE[english].replace("{day}", str(REPORT_DAY)).replace("{month}", f"{month % 12 + 1:02d}")
    )
    subject = said("subject", lang, technology=about.technology, period=about.period_label)
    recipients = [said("as_above", lang)]
    if operators:
        recipients.append(said("operators", lang, names=", ".join(operators)))
    return Letterhead(
        parent_authority=given.parent_authority or committee,
        authority=given.authority or default["authority"],
        number=given.number,
        sign=given.sign or default["sign"],
        place=given.place or about.area,
        date_text=given.date or date.replace("{year}", str(month // 12)),
        subject=subject,
        addressees=given.addressees or (committee, default["ministry"]),
        recipients=given.recipients or (*recipients, said("file", lang)),
        signer_title=given.signer_title or _DIRECTOR[english],
        signer_name=given.signer_name,
        notice=about.notice,
    )
