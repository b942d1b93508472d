"""Who reports to whom: the letterhead from the settings.

Where they leave it open, with the authorities of the report's time.

Since 1 March 2025 the departments of science and technology and their ministry have the duties of
the former departments and ministry of information and communications (resolution 176/2025/QH15).
Does not belong here: how it looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.publish.about import About
from pipeline.publish.report.document import Letterhead
from pipeline.publish.report.words import said
from pipeline.schema.texts import Lang

if TYPE_CHECKING:
    from pipeline.config.output_settings import Report

_SINCE = 2025 * 12 + 2  # March 2025, as `Period` counts months
REPORT_DAY = 15  # of the month after the period


def area_title(given: Report, name: str, lang: Lang) -> str:
    """The area as sentences call it: `tỉnh NAME`, unless the settings say otherwise."""
    return given.area_title or (said("area", lang, name=name) if name else "")


def letterhead(given: Report, about: About, operators: list[str]) -> Letterhead:
    """The settings' letterhead.

    What they leave open: the authorities of the period's end; number and signer stay blank.
    """
    lang, period = about.lang, about.period
    area = area_title(given, about.area, lang)
    committee = said("committee", lang, area=area).strip()
    suffix = "" if period.last >= _SINCE else "_before_march_2025"
    default = {key: said(key + suffix, lang) for key in ("authority", "sign", "ministry")}
    year, month = divmod(period.last + 1, 12)
    date = said("date", lang, day=str(REPORT_DAY), month=f"{month + 1:02d}", year=str(year))
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
        date_text=given.date or date,
        subject=subject,
        addressees=given.addressees or (committee, default["ministry"]),
        recipients=given.recipients or (*recipients, said("file", lang)),
        signer_title=given.signer_title or said("director", lang),
        signer_name=given.signer_name,
        notice=about.notice,
    )
