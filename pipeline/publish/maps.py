"""Every map of a period: the page, its picture, and for a nation one page by province with an index
that links them.

Does not belong here: the page itself (`gap_map`), drawing the picture (`picture.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd

from pipeline.publish.names import file_names
from pipeline.schema import texts
from pipeline.schema.tables import ALL

if TYPE_CHECKING:
    from pipeline.config.settings import Settings
    from pipeline.schema.month import Month

NAME = "coverage_gaps"
_LANGS: tuple[texts.Lang, texts.Lang] = ("vi", "en")
_CREDITS = ("folium (MIT)", "Leaflet (BSD-2)", "H3 (Apache-2.0)")


class Maps:
    """Writes a month's maps; what all of them share is made once.

    `told`: what every output says of itself (area, period, target, notice …).
    """

    def __init__(
        self, month: Month, settings: Settings, told: Mapping[str, Any], licences: list[str]
    ) -> None:
        self.month, self.settings, self.told, self.licences = month, settings, told, licences
        self.lang: texts.Lang = settings.publish.lang

    @cached_property
    def about(self) -> dict[str, Any]:
        """What the page says of itself, and the rules that its sentences name."""
        kept = (
            "area",
            "period",
            "period_label",
            "window_label",
            "technology",
            "target_mbps",
            "notice",
        )
        vintage = self.month.communes["boundary_vintage"].iloc[0]
        weights = {"total_gap_weight", "facility_weight", "facility_cap", "road_weight"}
        return {
            **{name: self.told[name] for name in kept},
            "window_months": len(self.month.window),
            "min_devices": self.settings.privacy.min_devices,
            "rules": {
                **self.settings.evidence.model_dump(),
                "priority": self.settings.priority.model_dump(include=weights),
            },
            "labels": [label.model_dump() for label in self.settings.publish.labels],
            "index": "index.html" if self.provinces else "",
            "licences": {
                lang: [*self.licences, f"{texts.word('boundaries', lang)} {vintage}"]
                for lang in _LANGS
            },
            "credits": list(_CREDITS),
        }

    @cached_property
    def provinces(self) -> list[str]:
        """Names of the provinces that get a map of their own: none unless the area has too many
        cells for one.
        """
        named = self.month.communes["province_name"].dropna()
        return [] if self.month.coarser_cells is None else sorted(named.unique())

    @cached_property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The tables of the whole area's map: coarser cells and no gap areas where a province's map
        has them.
        """
        if self.month.coarser_cells is None:
            return self.month.tables
        areas = self.month.tables["gap_areas"]
        return {
            **self.month.tables,
            "hex_status": self.month.coarser_cells,
            "gap_areas": areas.head(0),
        }

    @cached_property
    def picture(self) -> bytes:
        """PNG of the whole area."""
        from pipeline.publish.picture import verdict_picture

        return verdict_picture(self.month.communes, self.month.tables, self.about, self.lang)

    def write_all(self, folder: Path) -> None:
        """Write coverage_gaps.html and .png into `folder`; for a nation index.html and
        provinces/NAME.html and .png too.
        """
        self.write(folder / f"{NAME}.html")
        (folder / f"{NAME}.png").write_bytes(self.picture)
        names = file_names(self.provinces)
        for province, name in names.items():
            self._write_province(folder / "provinces" / f"{name}.html", province)
        if names:
            self._write_index(folder / "index.html", names)

    def write(self, path: Path, start: str = ALL) -> None:
        """Write the whole area's page, opened on an operator."""
        from pipeline.publish.gap_map.page import write_map

        month = self.month
        about = self.about | {"start": start} | ({"index": ""} if start != ALL else {})
        write_map(
            path, month.communes, self.tables, month.operators, about, self.lang, self.picture
        )

    def _write_province(self, path: Path, province: str) -> None:
        from pipeline.publish.gap_map.page import write_map
        from pipeline.publish.picture import verdict_picture

        whole = self.month.communes
        communes = gpd.GeoDataFrame(
            whole[whole["province_name"] == province].reset_index(drop=True), crs=whole.crs
        )
        tables = within(self.month.tables, set(communes["commune_code"]))
        about = self.about | {"area": province, "labels": [], "index": "../index.html"}
        picture = verdict_picture(communes, tables, about, self.lang)
        write_map(path, communes, tables, self.month.operators, about, self.lang, picture)
        path.with_suffix(".png").write_bytes(picture)

    def _write_index(self, path: Path, names: Mapping[str, str]) -> None:
        from pipeline.publish.gap_map.index_page import index_page

        communes, summary = self.month.communes, self.month.tables["commune_summary"]
        province = summary["commune_code"].map(communes.set_index("commune_code")["province_name"])
        counts = pd.crosstab(province, summary["gap_class"])
        path.write_text(
            index_page(counts, names, f"{NAME}.html", self.about, self.lang),
            encoding="utf-8",
            newline="\n",
        )


def within(tables: Mapping[str, pd.DataFrame], codes: set[str]) -> dict[str, pd.DataFrame]:
    """The tables with only the rows of the given communes; cells count for the commune that holds
    their centre.
    """
    kept = {}
    for name, table in tables.items():
        column = "hex_commune_code" if name == "hex_status" else "commune_code"
        rows = table[table[column].isin(codes)] if column in table.columns else table
        kept[name] = rows.reset_index(drop=True)
    cells = set(kept["hex_status"]["hex_id"])
    whole = (
        kept["gap_areas"]["cells"].map(lambda listed: set(listed.split(";")) <= cells).astype(bool)
    )
    if not whole.all():  # an area may reach over the province's border: its cells come along
        needed = {
            cell for listed in kept["gap_areas"]["cells"] for cell in listed.split(";")
        } | cells
        every = tables["hex_status"]
        kept["hex_status"] = every[every["hex_id"].isin(needed)].reset_index(drop=True)
    return kept
