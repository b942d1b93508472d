"""Declared tables → CSV and Parquet. Parquet keeps every digit and text as it is; CSV is made safe for spreadsheets.

Does not belong here: which rows and columns there are.
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd

from pipeline.tables import FIELDS, PUBLISHED_AS

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_DIGITS = 6  # decimals: 0.01 stays right after any sum that readers make


def write_table(folder: Path, name: str, table: pd.DataFrame, *, notice: str, excel_vi: bool) -> None:
    """Write `NAME.parquet` (GeoParquet where there is geometry) and, without geometry, `NAME.csv`.

    `notice`, where given, stands in a last column of every row. `excel_vi` adds a copy with `;` and decimal comma.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labelled = _labelled(table, notice)
    if isinstance(table, gpd.GeoDataFrame):
        labelled.to_parquet(folder / f"{name}.parquet", index=False, schema_version="1.1.0")
    else:
        labelled.to_parquet(folder / f"{name}.parquet", index=False)
        write_csv(folder, name, table, notice=notice)
        if excel_vi:
            (folder / "excel-vi").mkdir(exist_ok=True)
            write_csv(folder / "excel-vi", name, table, notice=notice, separator=";", decimal=",")


def write_csv(
    folder: Path, name: str, table: pd.DataFrame, *, notice: str, separator: str = ",", decimal: str = "."
) -> None:
    """Write `NAME.csv`: UTF-8 with BOM, safe for spreadsheets."""
    plain = spreadsheet_safe(_labelled(table, notice))
    text = plain.to_csv(index=False, sep=separator, decimal=decimal, lineterminator="\r\n")
    (folder / f"{name}.csv").write_text(text, encoding="utf-8-sig", newline="")


def _labelled(table: pd.DataFrame, notice: str) -> pd.DataFrame:
    table = table.rename(columns=PUBLISHED_AS)
    return table.assign(notice=notice) if notice else table


def spreadsheet_safe(table: pd.DataFrame) -> pd.DataFrame:
    """Counts without `.0`, figures to six decimals, and an apostrophe before texts that a spreadsheet would calculate.

    >>> spreadsheet_safe(pd.DataFrame({"operator": ["=1+1", "Viettel"], "test_count": [3.0, 4.0]})).values.tolist()
    [["'=1+1", 3], ['Viettel', 4]]
    """
    result = table.copy()
    for name in table.columns:
        column = table[name]
        if isinstance(column.dtype, pd.StringDtype):
            unsafe = column.str.startswith(_FORMULA_STARTS).fillna(False)
            if unsafe.any():
                result[name] = column.where(~unsafe, "'" + column.fillna(""))
        elif pd.api.types.is_float_dtype(column):
            whole = column.dropna().mod(1).eq(0).all() and not column.isna().all()
            counted = (
                name in FIELDS
                and FIELDS[name].unit in ("1", "months", "people")
                and name.endswith(("_count", "_months", "population", "_decide"))
            )
            result[name] = column.astype("Int64") if whole and counted else column.round(_DIGITS)
    return result
