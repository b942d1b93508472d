"""Files of `lomsong plan`: tables, workbook, printed sheets, waypoints, and the form to fill in.

Does not belong here: where to test (`actions/`), reading filled forms (`sources/visits.py`).
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd

from pipeline.publish.plan.books import write_form, write_plan_book
from pipeline.publish.plan.sheets import sheets_bytes
from pipeline.publish.plan.stops import PlanAbout, operators_in, stops_of
from pipeline.publish.plan.waypoints import write_gpx, write_kml
from pipeline.publish.tables import write_csv

FILES = (
    "plan.csv", "plan_communes.csv", "plan.xlsx", "visits.xlsx", "communes.docx", "plan.gpx",
    "plan.kml",
)  # fmt: skip


def write_plan(
    folder: Path,
    plan: pd.DataFrame,
    plan_communes: pd.DataFrame,
    about: PlanAbout,
    communes: gpd.GeoDataFrame,
) -> list[Path]:
    """Write FILES to `folder`; gives their paths.

    `plan`: a row per place × operator; `plan_communes`: a row per commune × operator; `communes`:
    outlines in EPSG:4326. All times in the files are the period's end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("plan", plan), ("plan_communes", plan_communes)):
        write_csv(folder, name, table, notice=about.notice)
    stops = stops_of(plan)
    write_plan_book(folder / "plan.xlsx", plan, plan_communes, about)
    write_form(folder / "visits.xlsx", stops, operators_in([plan, plan_communes]), about)
    (folder / "communes.docx").write_bytes(sheets_bytes(stops, plan_communes, about, communes))
    write_gpx(folder / "plan.gpx", stops, about)
    write_kml(folder / "plan.kml", stops, about)
    return [folder / name for name in FILES]
