"""Vietnam's official list of communes (package `vietnamadminunits`, MIT): codes, names, places.

It serves as evidence on a boundary file: that codes lost a zero, which CRS puts communes where they
are. Nothing is taken from it into results.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from pipeline.schema.errors import fault
from pipeline.sources.values import folded

CODE_LENGTH = 5  # digits, Decision 124/2004/QĐ-TTg
# degrees: west, south, east, north of the mainland and of the islands
LAND = (102.0, 8.0, 110.0, 23.6)
COUNTRY = (102.0, 6.0, 118.0, 23.6)


@cache
def communes() -> pd.DataFrame:
    """Columns code, name (folded), latitude, longitude; before and since July 2025.

    A code may occur twice: codes were re-used in July 2025.
    """
    from vietnamadminunits.database import get_data

    wanted = [
        "wardCode",
        "ward",
        "wardShort",
        "wardLat",
        "wardLon",
        "provinceCode",
        "provinceShort",
    ]
    tables = [
        pd.DataFrame(get_data(wanted, table=t)) for t in ("admin_units", "admin_units_legacy")
    ]
    both = pd.concat(tables, ignore_index=True).dropna(subset=["wardCode", "ward"])
    return pd.DataFrame(
        {
            "code": both["wardCode"].astype("str"),
            "name": both["ward"].map(folded),
            "short": both["wardShort"].map(folded),
            "latitude": pd.to_numeric(both["wardLat"]),
            "longitude": pd.to_numeric(both["wardLon"]),
        }
    )


def named_alike(codes: pd.Series, names: pd.Series) -> int:
    """How many of these pairs of a code and a name are in the official list."""
    listed = communes()
    known = set(zip(listed["code"], listed["name"], strict=True))
    known |= set(zip(listed["code"], listed["short"], strict=True))
    met = zip(codes, names.fillna("").astype("str").map(folded), strict=True)
    return sum(pair in known for pair in met)


def distance_km(codes: pd.Series, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Distances to the official place of each code's commune, km; NaN for unknown codes.

    Of a code that was re-used, the nearer place counts. On a sphere; a few per mille off.
    """
    listed = communes().dropna(subset=["latitude", "longitude"])
    points = pd.DataFrame({"code": codes.to_numpy(), "lon": longitude, "lat": latitude})
    pairs = points.reset_index().merge(listed, on="code", how="left")
    lat, lon = np.radians(pairs["lat"]), np.radians(pairs["lon"])
    lat0, lon0 = np.radians(pairs["latitude"]), np.radians(pairs["longitude"])
    half = np.sin((lat - lat0) / 2) ** 2
    half += np.cos(lat) * np.cos(lat0) * np.sin((lon - lon0) / 2) ** 2
    pairs["km"] = 2 * 6371.0 * np.arcsin(np.sqrt(half.clip(0, 1)))
    return pairs.groupby("index", sort=True)["km"].min().to_numpy(dtype="float64")


def units_of(province: str) -> tuple[str, list[str]]:
    """(the province, its communes) as `CODE_name_without_accents`, sorted; since July 2025.

    `province`: official code or name. Raises `UserFault` for an unknown one.
    """
    from vietnamadminunits.database import get_data

    wanted = ["provinceCode", "province", "provinceShort", "wardCode", "wardShort"]
    units = pd.DataFrame(get_data(wanted))
    asked = folded(province)
    met = units[
        units["provinceCode"].eq(province)
        | units["province"].map(folded).eq(asked)
        | units["provinceShort"].map(folded).eq(asked)
    ].dropna(subset="wardCode")
    if met.empty:
        raise fault(
            "unknown_province", found=province, expected=sorted(units["provinceShort"].unique())
        )

    def slug(code: str, name: str) -> str:
        return f"{code}_{folded(name).replace(' ', '_')}"

    first = met.iloc[0]
    pairs = zip(met["wardCode"], met["wardShort"], strict=True)
    return slug(first["provinceCode"], first["provinceShort"]), sorted(
        slug(code, name) for code, name in pairs
    )
