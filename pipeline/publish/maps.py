"""`maps/`: the page, its picture, and for a nation a page by province with an index of them.

Does not belong here: the page itself (`gap_map`), drawing the picture (`picture.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd

from pipeline.publish.gap_map.index_page import index_page
from pipeline.publish.gap_map.page import write_map
from pipeline.publish.names import file_names
from pipeline.publish.picture import verdict_picture

if TYPE_CHECKING:
    from pipeline.publish.about import About
    from pipeline.schema.month import Month

NAME = "coverage_gaps"


def write(folder: Path, month: Month, about: About) -> None:
    """Write coverage_gaps.html and .png; for a nation index.html and provinces/NAME.html and .png.

    A nation is an area with too many cells for one map: its own map shows coarser cells.
    """
    provinces = file_names(provinces_of(month))
    about = replace(about, index="index.html" if provinces else "")
    picture = verdict_picture(month.communes, month.tables, about)
    write_page(folder / f"{NAME}.html", month, about, picture)
    (folder / f"{NAME}.png").write_bytes(picture)
    for province, name in provinces.items():
        _write_province(folder / "provinces" / f"{name}.html", province, month, about)
    if provinces:
        communes, summary = month.communes, month.tables["commune_summary"]
        named = communes.set_index("commune_code")["province_name"]
        counts = pd.crosstab(summary["commune_code"].map(named), summary["gap_class"])
        text = index_page(counts, provinces, f"{NAME}.html", about)
        (folder / "index.html").write_text(text, encoding="utf-8", newline="\n")


def write_page(path: Path, month: Month, about: About, picture: bytes) -> None:
    """Write the whole area's page. `picture`: a PNG for readers that run no script."""
    tables = dict(month.tables)
    if (
        month.coarser_cells is not None
    ):  # a province's map has the finer cells, gap areas and villages
        tables["hex_status"] = month.coarser_cells
        tables["gap_areas"] = tables["gap_areas"].head(0)
        tables.pop("village_status", None)
    write_map(path, month.communes, tables, month.operators, about, picture)


def provinces_of(month: Month) -> list[str]:
    """Provinces that get their own map: none unless the area has too many cells for one."""
    named = month.communes["province_name"].dropna()
    return [] if month.coarser_cells is None else sorted(named.unique())


def _write_province(path: Path, province: str, month: Month, about: About) -> None:
    """Write the page and the picture of one province."""
    whole = month.communes
    rows = whole[whole["province_name"] == province].reset_index(drop=True)
    communes = gpd.GeoDataFrame(rows, crs=whole.crs)
    tables = within(month.tables, set(communes["commune_code"]))
    about = replace(about, area=province, labels=[], index="../index.html")
    picture = verdict_picture(communes, tables, about)
    write_map(path, communes, tables, month.operators, about, picture)
    path.with_suffix(".png").write_bytes(picture)


def within(tables: Mapping[str, pd.DataFrame], codes: set[str]) -> dict[str, pd.DataFrame]:
    """The tables with only the rows of the given communes.

    A cell belongs to the commune that holds its centre.
    """
    kept = {}
    for name, table in tables.items():
        column = "hex_commune_code" if name == "hex_status" else "commune_code"
        rows = table[table[column].isin(codes)] if column in table.columns else table
        kept[name] = rows.reset_index(drop=True)
    cells = set(kept["hex_status"]["hex_id"])
    of_gaps = {cell for listed in kept["gap_areas"]["cells"] for cell in listed.split(";")}
    if not of_gaps <= cells:  # the cells of a gap area across the border are kept too
        every = tables["hex_status"]
        kept["hex_status"] = every[every["hex_id"].isin(of_gaps | cells)].reset_index(drop=True)
    return kept
