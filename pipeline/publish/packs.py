"""`packs/OPERATOR.zip`: what the department attaches to its letter to one operator.

The map opened on that operator, its priorities as CSV and workbook, its GIS layers, and a page on
method and licence. Does not belong here: which operators may have one (the licence guard of
`publish`).
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from pipeline.publish.gis import write_gis
from pipeline.publish.tables import write_csv
from pipeline.publish.workbook import write_workbook
from pipeline.schema import texts

NO_CLOCK = (1980, 1, 1, 0, 0, 0)


def write_pack(
    path: Path,
    operator: str,
    tables: Mapping[str, pd.DataFrame],
    communes: gpd.GeoDataFrame,
    about: Mapping[str, Any],
    lang: texts.Lang,
    created: datetime,
    write_map: Callable[[Path], None],
) -> None:
    """Write one operator's pack. `write_map` writes the map, opened on the operator, to the path it
    is given.
    """
    mine = only(tables, operator)
    folder = path.parent / f".{path.stem}"
    folder.mkdir(parents=True)
    try:
        write_map(folder / "coverage_gaps.html")
        write_csv(folder, "priorities", mine["priorities"], notice=about["notice"])
        write_csv(folder, "measure_first", mine["measure_first"], notice=about["notice"])
        write_workbook(folder / "priorities.xlsx", mine, [operator], about, lang, created)
        write_gis(folder / "gis", mine, communes, [operator], about, lang, created)
        note = texts.word("pack_note", lang).format(
            operator=operator, area=about["area"], period=about["period_label"]
        )
        lines = [note, about["notice"], "", *texts.method_note(lang), "", *about["sources"]]
        (folder / "README.txt").write_text(
            "\r\n".join(lines) + "\r\n", encoding="utf-8-sig", newline=""
        )
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                member = zipfile.ZipInfo(file.relative_to(folder).as_posix(), NO_CLOCK)
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, file.read_bytes())
    finally:
        shutil.rmtree(folder)


def only(tables: Mapping[str, pd.DataFrame], operator: str) -> dict[str, pd.DataFrame]:
    """The tables with only this operator's rows, where rows are an operator's."""
    return {
        name: table[table["operator"] == operator].reset_index(drop=True)
        if "operator" in table.columns
        else table
        for name, table in tables.items()
    }
