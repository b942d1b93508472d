"""Declared tables → CSV and Parquet.

Parquet keeps every digit and text as it is; CSV is made safe for spreadsheets. Does not belong
here: which rows and columns there are.
"""

from __future__ import annotations

import codecs
import io
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow as pa

from pipeline.publish.about import About
from pipeline.schema.columns import FIELDS, PUBLISHED_AS
from pipeline.schema.month import Month

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_BULK = 20_000  # rows
_DIGITS = 6  # decimals: 0.01 stays right after any sum that readers make


def write(folder: Path, month: Month, about: About) -> None:
    """Write every table, each operator's priorities, the data dictionary and the workbook."""
    from pipeline.publish.datapackage import data_dictionary, write_datapackage
    from pipeline.publish.workbook import write_workbook

    for name, table in month.tables.items():
        write_table(folder, name, table, notice=about.notice, excel_vi=about.excel_vi)
    files = {name: name for name in month.tables if name != "hex_status"}
    rows = month.tables["priorities"]
    for operator, name in about.operator_files.items():
        own = rows[rows["operator"] == operator]
        write_csv(folder, f"priorities_{name}", own, notice=about.notice)
        files[f"priorities_{name}"] = "priorities"
    files["data_dictionary"] = "data_dictionary"
    dictionary = data_dictionary(month.tables, about.lang)
    write_csv(folder, "data_dictionary", dictionary, notice=about.notice)
    write_datapackage(folder, month.tables, files, about)
    write_workbook(folder / "priorities.xlsx", month, about)


def write_table(
    folder: Path, name: str, table: pd.DataFrame, *, notice: str, excel_vi: bool
) -> None:
    """Write `NAME.parquet` (GeoParquet where there is geometry) and, without geometry, `NAME.csv`.

    `notice`, where given, stands in a last column of every row. `excel_vi` adds a copy with `;` and
    decimal comma.
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
    folder: Path,
    name: str,
    table: pd.DataFrame,
    *,
    notice: str,
    separator: str = ",",
    decimal: str = ".",
) -> None:
    """Write `NAME.csv`: UTF-8 with BOM, safe for spreadsheets."""
    plain = spreadsheet_safe(_labelled(table, notice))
    content = _unquoted(plain, separator) if len(plain) > _BULK else None
    if content is None:
        content = plain.to_csv(
            index=False, sep=separator, decimal=decimal, lineterminator="\r\n"
        ).encode()
    (folder / f"{name}.csv").write_bytes(codecs.BOM_UTF8 + content)


def _unquoted(table: pd.DataFrame, separator: str) -> bytes | None:
    """The bytes that pandas writes, ten times as fast; None where floats or quotes are needed."""
    if any(pd.api.types.is_float_dtype(dtype) for dtype in table.dtypes):
        return None
    from pyarrow import csv

    stream = io.BytesIO()
    how = csv.WriteOptions(
        delimiter=separator, eol="\r\n", quoting_style="none", quoting_header="none"
    )
    try:
        csv.write_csv(pa.Table.from_pandas(table, preserve_index=False), stream, how)
    except pa.ArrowInvalid:  # a text holds a quote, a separator or the end of a line
        return None
    return stream.getvalue()


def _labelled(table: pd.DataFrame, notice: str) -> pd.DataFrame:
    table = table.rename(columns=PUBLISHED_AS)
    return table.assign(notice=notice) if notice else table


def spreadsheet_safe(table: pd.DataFrame) -> pd.DataFrame:
    """The table for CSV: counts without `.0`, figures to six decimals, texts that are no formulas.

    A text that a spreadsheet would calculate gets an apostrophe in front.

    >>> table = pd.DataFrame({"operator": ["=1+1", "Viettel"], "test_count": [3.0, 4.0]})
    >>> spreadsheet_safe(table).values.tolist()
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
            counted = name in FIELDS and FIELDS[name].kind in ("count", "difference")
            result[name] = column.astype("Int64") if whole and counted else column.round(_DIGITS)
    return result
