"""Files of `lomsong sites`: tables, a workbook that computes with another budget, points, a curve.

Does not belong here: which sites are chosen (`actions/sites/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.publish.sites.about import SitesAbout
from pipeline.publish.sites.book import write_site_book
from pipeline.publish.sites.curve import site_curve
from pipeline.publish.sites.points import site_kml, write_site_package
from pipeline.publish.tables import write_csv

TABLES = ("site_plan", "site_reach", "site_questions", "sharing")
FILES = (
    *(f"{name}.csv" for name in TABLES),
    "site_plan.xlsx", "sites.gpkg", "sites.kml", "site_curve.png",
)  # fmt: skip


def write_sites(folder: Path, tables: Mapping[str, pd.DataFrame], about: SitesAbout) -> list[Path]:
    """Write FILES to `folder`; gives their paths. `tables`: TABLES by name.

    All times in the files are the period's end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        write_csv(folder, name, tables[name], notice=about.notice)
    plan = tables["site_plan"]
    write_site_book(folder / "site_plan.xlsx", tables, about)
    write_site_package(folder / "sites.gpkg", plan, about)
    text = site_kml(plan, about.lang, title=about.title, notice=about.notice)
    (folder / "sites.kml").write_text(text, encoding="utf-8", newline="\n")
    (folder / "site_curve.png").write_bytes(site_curve(plan, about.lang, about.currency))
    return [folder / name for name in FILES]
