"""`tables/datapackage.json` (Frictionless, v1) and the data dictionary, from the declarations.

Does not belong here: the tables themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from pipeline.publish.about import About
from pipeline.publish.names import identifiers
from pipeline.schema import texts
from pipeline.schema.column_labels import heading, meaning
from pipeline.schema.columns import FIELDS, KEYS, PUBLISHED_AS, TABLES
from pipeline.schema.tables import validated
from pipeline.schema.texts import Lang

TYPES = {"float64": "number", "int64": "integer", "bool": "boolean", "boolean": "boolean"}


def write_datapackage(
    folder: Path, tables: Mapping[str, pd.DataFrame], files: Mapping[str, str], about: About
) -> None:
    """Describe the CSV and Parquet files of `folder`.

    `files`: CSV file → the declared table that it holds.
    """
    names = identifiers([*files, *(f"{name}_parquet" for name in tables)])
    resources = [{"name": names[file], **_csv(file, table, about)} for file, table in files.items()]
    resources += [
        {
            "name": names[f"{name}_parquet"],
            "path": f"{name}.parquet",
            "format": "parquet",
            "mediatype": "application/vnd.apache.parquet",
            "description": "GeoParquet 1.1, EPSG:4326"
            if isinstance(table, gpd.GeoDataFrame)
            else "the CSV's rows with types",
        }
        for name, table in tables.items()
    ]
    package = {
        "profile": "data-package",
        "name": "lomsong",
        "title": f"{about.area} {about.period}".strip(),
        "description": about.notice,
        "version": str(about.period),
        **({"province_code": about.province_code} if about.province_code else {}),
        "sources": [{"title": text} for text in about.sources],
        "resources": resources,
    }
    text = json.dumps(package, ensure_ascii=False, indent=1)
    (folder / "datapackage.json").write_text(text + "\n", encoding="utf-8", newline="")


def _csv(file: str, table: str, about: About) -> dict[str, Any]:
    columns = [c for c in TABLES[table] if c != "geometry"]
    fields = [_field(name, about.lang) for name in [*columns, *["notice"] * bool(about.notice)]]
    return {
        "profile": "tabular-data-resource",
        "path": f"{file}.csv",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8-sig",
        "dialect": {"delimiter": ",", "lineTerminator": "\r\n"},
        "schema": {
            "fields": fields,
            "primaryKey": [PUBLISHED_AS.get(name, name) for name in KEYS[table]],
            "missingValues": [""],
        },
    }


def _field(name: str, lang: Lang) -> dict[str, Any]:
    field = FIELDS[name]
    constraints: dict[str, Any] = {}
    # an empty text is written like no text
    if not field.nullable and field.dtype != "str":
        constraints["required"] = True
    if field.low is not None:
        constraints["minimum"] = field.low
    if field.high is not None:
        constraints["maximum"] = field.high
    if field.among is not None:
        constraints["enum"] = list(field.among)
    described = {
        "name": PUBLISHED_AS.get(name, name),
        "type": TYPES.get(field.dtype, "string"),
        "title": heading(name, lang),
        "description": meaning(name, lang),
    }
    unit = {"unit": field.unit} if field.unit else {}
    return described | unit | ({"constraints": constraints} if constraints else {})


def data_dictionary(tables: Iterable[str], lang: Lang) -> pd.DataFrame:
    """Every column of the named tables, a row each: `data_dictionary`."""
    rows = []
    for table in tables:
        for name in TABLES[table]:
            field = FIELDS[name]
            rows.append(
                {
                    "table_name": table,
                    "column_name": PUBLISHED_AS.get(name, name),
                    "heading": heading(name, lang),
                    "meaning": meaning(name, lang),
                    "unit": field.unit,
                    "data_type": TYPES.get(field.dtype, "string"),
                    "allowed_values": "; ".join(_named(value, lang) for value in field.values),
                    "empty_means": texts.word(f"missing_{field.missing}", lang),
                    "is_private": field.is_private,
                }
            )
    return validated("data_dictionary", pd.DataFrame(rows))


def _named(value: str, lang: Lang) -> str:
    word = texts.word_or_own(value, lang)
    return value if word == value else f"{value} = {word}"
