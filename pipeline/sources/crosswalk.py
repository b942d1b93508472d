"""Old communes and districts → the communes they went into.

People still ask for the names of before the 2025 reform.

Does not belong here: boundaries; moving figures between vintages (a code means nothing without its
vintage).
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd

from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.sources import values

_SEPARATOR = "; "


def named(
    communes: gpd.GeoDataFrame,
    path: Path,
    *,
    code_column: str,
    former_commune_column: str,
    former_district_column: str | None,
) -> gpd.GeoDataFrame:
    """`communes` with the names of a crosswalk CSV.

    `former_communes`, and `former_district` where the boundaries name none.

    The crosswalk is n to n: a row per pair of an old and a new commune, any number of other columns
    and other provinces' rows. Raises `UserFault` for an unreadable file, absent columns, or codes
    of which none is a commune's.
    """
    try:
        table = pd.read_csv(path, dtype="str", encoding="utf-8-sig")
    except FileNotFoundError:
        raise fault("missing_file", path) from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise fault(
            "unreadable_file", path.name, found=str(error)[:160], expected="CSV, UTF-8"
        ) from None
    asked = [
        c for c in (code_column, former_commune_column, former_district_column) if c is not None
    ]
    if missing := [c for c in asked if c not in table.columns]:
        raise UserFault(
            Fault(
                "missing_column",
                path.name,
                1,
                c,
                {"found": list(table.columns), "ours": "[crosswalk]"},
            )
            for c in missing
        )
    codes = table[code_column].str.strip()
    if not codes.isin(communes["commune_code"]).any():
        expected = list(communes["commune_code"][:3])
        raise fault(
            "no_code_met",
            path.name,
            column=code_column,
            found=list(codes.dropna()[:3]),
            expected=expected,
        )
    listed = communes.assign(former_communes=_joined(table[former_commune_column], codes, communes))
    if former_district_column is not None and communes["former_district"].isna().all():
        listed = listed.assign(
            former_district=_joined(table[former_district_column], codes, communes)
        )
    return listed


def _joined(names: pd.Series, codes: pd.Series, communes: gpd.GeoDataFrame) -> pd.Series:
    """Names by commune, in alphabetical order, each once."""
    known = (
        pd.DataFrame({"code": codes, "name": values.by_distinct(names, values.printable)})
        .dropna()
        .drop_duplicates()
    )
    joined = known.sort_values("name").groupby("code")["name"].agg(_SEPARATOR.join)
    return pd.Series(communes["commune_code"].map(joined).to_numpy(), index=communes.index).astype(
        "str"
    )
