"""`packs/OPERATOR.zip`: what the department attaches when it writes to one operator.

The map opened on that operator, its priorities as CSV and workbook, its GIS layers, and a page on
method and licence. Does not belong here: which operators may have one (the licence guard of
`publish`).
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pipeline.publish import gis, maps
from pipeline.publish.about import About
from pipeline.publish.tables import write_csv
from pipeline.publish.workbook import write_workbook
from pipeline.schema import texts
from pipeline.schema.month import Month

NO_CLOCK = (1980, 1, 1, 0, 0, 0)


def write(folder: Path, month: Month, about: About) -> None:
    """Write a pack for every operator that gets files; the picture is the one in `maps/`."""
    picture = (folder.parent / "maps" / f"{maps.NAME}.png").read_bytes()
    for operator, name in about.operator_files.items():
        tables = only(month.tables, operator)
        own = replace(month, tables=tables, operators=[operator])
        aside = folder / f".{name}"
        aside.mkdir(parents=True)
        try:
            opened = replace(about, start=operator)
            maps.write_page(aside / f"{maps.NAME}.html", month, opened, picture)
            _write_files(aside, own, about, operator)
            _zip(folder / f"{name}.zip", aside)
        finally:
            shutil.rmtree(aside)


def _write_files(folder: Path, own: Month, about: About, operator: str) -> None:
    """Tables, workbook, GIS layers and README of one operator."""
    for name in ("priorities", "measure_first"):
        write_csv(folder, name, own.tables[name], notice=about.notice)
    if "village_status" in own.tables:
        name = f"villages_{about.operator_files[operator]}"
        write_csv(folder, name, own.tables["village_status"], notice=about.notice)
    write_workbook(folder / "priorities.xlsx", own, about)
    gis.write(folder / "gis", own, about)
    note = texts.text(
        "words",
        "pack_note",
        about.lang,
        operator=operator,
        area=about.area,
        period=about.period_label,
    )
    lines = [note, about.notice, "", *about.method_note, "", *about.sources]
    (folder / "README.txt").write_text(
        "\r\n".join(lines) + "\r\n", encoding="utf-8-sig", newline=""
    )


def _zip(path: Path, folder: Path) -> None:
    """Zip a folder's files in order of name and without times: equal files give equal bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            member = zipfile.ZipInfo(file.relative_to(folder).as_posix(), NO_CLOCK)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, file.read_bytes())


def only(tables: Mapping[str, pd.DataFrame], operator: str) -> dict[str, pd.DataFrame]:
    """The tables with only this operator's rows, where rows are an operator's."""
    return {
        name: table[table["operator"] == operator].reset_index(drop=True)
        if "operator" in table.columns
        else table
        for name, table in tables.items()
    }
