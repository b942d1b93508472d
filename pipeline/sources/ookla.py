"""Ookla open data: tiles of zoom 16 with quarterly averages → `tiles`.

Areas with averages, not tests (METHOD §2.6).

Speeds come in kbit/s, without operator and technology; the quadkey is text. The schema drifts over
the quarters: only the columns that this project needs are asked for. Data © Ookla, CC BY-NC-SA 4.0.
Does not belong here: splitting a tile over communes (`locate.py`).
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import shapely

from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.periods import Period
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.sources import values

LICENCE = "Speedtest® by Ookla® Global Fixed and Mobile Network Performance Maps, CC BY-NC-SA 4.0"
REQUIRED = ("quadkey", "avg_d_kbps", "tests", "devices")
# Columns that may say of what network a tile is; the published files have none.
_KINDS = ("type", "service_type", "network", "network_type", "connection_type")
_FIXED = re.compile(r"performance_fixed_tiles|(?:type|service_type)=fixed", re.IGNORECASE)
_FIXED_FILE = re.compile(r"(?:^|[^a-z])fixed(?:[^a-z]|$)", re.IGNORECASE)
_IN_NAME = (
    # as published: 2024-07-01_performance_mobile_tiles.parquet
    re.compile(r"(\d{4})-(01|04|07|10)-01_performance"),
    re.compile(r"year[=_](\d{4}).*quarter[=_]([1-4])"),
    re.compile(r"(\d{4})[-_ ]?[qQ]([1-4])"),
)


def fixed_by(path: str, rows: pd.DataFrame | None = None) -> str | None:
    """What says that tiles are of fixed lines: part of the path, a column and its count, or None.

    >>> fixed_by("raw/2026-07-01_performance_fixed_tiles.parquet")
    'performance_fixed_tiles'
    >>> fixed_by("raw/2026-07-01_performance_mobile_tiles.parquet") is None
    True
    """
    path = path.replace("\\", "/")
    found = _FIXED.search(path) or _FIXED_FILE.search(path.rpartition("/")[2])
    if found:
        return found[0].strip("/_-. ")
    if rows is None:
        return None
    for name in rows.columns:
        if str(name).strip().casefold() in _KINDS:
            count = int(rows[name].astype("str").str.strip().str.casefold().eq("fixed").sum())
            if count:
                return f"{name} = fixed: {count:,}"
    return None


def read_tiles(source: str, file: str, path: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one file → `tiles`. The quarter is a `quarter` column or stands in the file's name.

    Raises `UserFault`: columns that are missing, a quarter that is nowhere to be found, tiles of
    fixed lines.
    """
    headings = [str(c) for c in rows.columns]
    faults = [
        Fault("missing_column", file, 1, name, {"found": headings, "ours": name})
        for name in REQUIRED
        if name not in rows
    ]
    if fixed := fixed_by(path, rows):
        faults.append(Fault("fixed_tiles", file, values={"found": fixed}))
    period = _from_name(path)
    if "quarter" not in rows and period is None:
        faults.append(Fault("no_quarter", file))
    if faults:
        raise UserFault(faults)
    quarter = (
        rows["quarter"].astype("str").str.strip()
        if "quarter" in rows
        else pd.Series(period, index=rows.index, dtype="str")
    )
    quadkey = rows["quadkey"].astype("str").str.strip()
    figures = {
        "download_mbps": values.numbers(rows["avg_d_kbps"], ".") / 1000,
        "upload_mbps": _optional(rows, "avg_u_kbps") / 1000,
        "latency_ms": _optional(rows, "avg_lat_ms"),
        "test_count": values.numbers(rows["tests"], "."),
        "device_count": values.numbers(rows["devices"], "."),
    }
    tiles = pd.DataFrame(figures, index=rows.index)
    faulty = {
        "quadkey": ~quadkey.str.fullmatch(r"[0-3]{1,23}").fillna(False),
        "quarter": ~quarter.str.fullmatch(r"\d{4}Q[1-4]").fillna(False),
        "tests": ~(tiles["test_count"] > 0),
        "devices": ~(tiles["device_count"] > 0),
        "avg_d_kbps": ~(tiles["download_mbps"] > 0),
    }
    unreadable = pd.Series("", index=rows.index, dtype="str")
    for name, bad in faulty.items():
        unreadable = unreadable.where(~bad, unreadable + f";{name}")
    tiles = tiles.assign(
        source=source,
        source_file=file,
        source_row=rows.index,
        quadkey=quadkey.fillna(""),
        tile_period=quarter.fillna(""),
        unreadable=unreadable.str.removeprefix(";"),
    )
    tiles[["test_count", "device_count"]] = (
        tiles[["test_count", "device_count"]].clip(lower=0).fillna(0.0)
    )
    return validated("tiles", with_declared_dtypes("tiles", tiles.reset_index(drop=True)))


def tile_outlines(quadkeys: pd.Series) -> np.ndarray:
    """Outlines of Bing tiles, EPSG:4326, as an array of shapely boxes.

    An unreadable quadkey gives an empty polygon.

    Source: Bing Maps tile system (Web Mercator; digit = 1 for east + 2 for south, most significant
    first).

    >>> [round(edge, 4) for edge in tile_outlines(pd.Series(["0", "3"]))[1].bounds]
    [0.0, -85.0511, 180.0, 0.0]
    """
    result = np.full(len(quadkeys), shapely.Polygon(), dtype=object)
    readable = quadkeys.str.fullmatch(r"[0-3]{1,23}").fillna(False).to_numpy()
    keys = quadkeys[readable]
    if not len(keys):
        return result
    level = keys.str.len().to_numpy(dtype="int64")
    x = np.zeros(len(keys), dtype="int64")
    y = np.zeros(len(keys), dtype="int64")
    for position in range(int(level.max())):
        digit = pd.to_numeric(keys.str.slice(position, position + 1).replace("", "0")).to_numpy(
            dtype="int64"
        )
        within = position < level
        x = np.where(within, 2 * x + (digit & 1), x)
        y = np.where(within, 2 * y + (digit >> 1), y)
    size = 2.0**level

    def latitude(row: np.ndarray) -> np.ndarray:
        return np.asarray(np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * row / size)))))

    west, east = x / size * 360 - 180, (x + 1) / size * 360 - 180
    result[readable] = shapely.box(west, latitude(y + 1), east, latitude(y))
    return result


def _from_name(path: str) -> str | None:
    for number, pattern in enumerate(_IN_NAME):
        if match := pattern.search(path.replace("\\", "/")):
            quarter = (int(match[2]) - 1) // 3 + 1 if number == 0 else int(match[2])
            return str(Period.parse(f"{match[1]}Q{quarter}"))
    return None


def _optional(rows: pd.DataFrame, name: str) -> pd.Series:
    return values.numbers(rows[name], ".") if name in rows else pd.Series(np.nan, index=rows.index)
