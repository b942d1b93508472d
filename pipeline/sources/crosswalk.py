"""Old communes and districts → the communes they went into, n to n, with their weights.

People still ask for the names of before the 2025 reform, and figures of old communes are moved to
the new ones by weights; a figure is never joined by code, which means nothing without its vintage.

Does not belong here: boundaries; which tables may be joined (`vintages.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.schema.texts import joined
from pipeline.sources import values

TOLERANCE = 1e-6  # of the sum of an old commune's weights, which is 1
BASES = ("whole", "population", "area", "intersection", "unknown")  # what a weight rests on
_SEPARATOR = "; "
_LISTED = 5  # examples in a message
_EQUAL_AREA = "EPSG:6933"


@dataclass(frozen=True)
class PairColumns:
    """Columns of a crosswalk CSV. What may be absent: the old code, the district, weights."""

    code: str
    former_commune: str
    former_code: str | None = None
    former_district: str | None = None
    population_weight: str | None = None
    area_weight: str | None = None


def read_pairs(
    path: Path, columns: PairColumns, *, code_length: int | None = None
) -> tuple[pd.DataFrame, list[Fault]]:
    """The pairs of a crosswalk file, a row per old and new commune, and warnings.

    CSV by its columns, any number of others beside them; or JSON: `data`, a list of provinces with
    `level3s`, a list of old communes (`level3_id`, `name`) with `splits` (`new_id`, `name`).

    Columns: code, former_code, former_name, former_district (texts; an old commune without a code
    goes by its name and district), population_weight, area_weight (0–1, empty where not given).
    `code_length` gives codes back the zeros that they lost. Raises `UserFault` for an unreadable
    file, absent columns, weights that are none, and a pair that is listed twice with two weights.
    """
    if not path.is_file():
        raise fault("missing_file", path)
    is_json = path.suffix.lower() == ".json"
    raw = _json_table(path) if is_json else _csv_table(path, columns)
    pairs = pd.DataFrame(
        {
            name: values.by_distinct(raw[name], values.printable).replace("", None)
            for name in ("code", "former_code", "former_name", "former_district")
        }
    )
    for name in ("code", "former_code"):
        pairs[name] = padded(pairs[name].str.replace(r"\.0$", "", regex=True), code_length)
    named = pairs["former_name"].str.cat(pairs["former_district"], sep=", ", na_rep="")
    pairs["former_code"] = pairs["former_code"].fillna(named.str.removesuffix(", "))
    faults: list[Fault] = []
    for name in ("population_weight", "area_weight"):
        pairs[name] = _weights_read(raw[name], path, getattr(columns, name), faults)
    blank = pairs["code"].isna() | pairs["former_name"].isna()
    is_empty = blank & pairs[["code", "former_name"]].isna().all(axis=1)
    warnings = []
    if count := int((blank & ~is_empty).sum()):
        warnings.append(Fault("blank_pairs", path.name, values={"count": count}))
    pairs = pairs[~blank].drop_duplicates(ignore_index=True)
    repeated = pairs.duplicated(["former_code", "code"]) & (
        pairs[["population_weight", "area_weight"]].notna().any(axis=1)
    )
    if repeated.any():
        found = _some(pairs.loc[repeated, "former_code"] + " → " + pairs.loc[repeated, "code"])
        faults.append(Fault("repeated_pairs", path.name, values={"found": found}))
    if faults:
        raise UserFault(faults)
    return pairs, warnings


def padded(codes: pd.Series, length: int | None) -> pd.Series:
    """Codes of digits with the leading zeros that spreadsheets take away.

    >>> padded(pd.Series(["107", "00108", None, "A1"], dtype="str"), 5).tolist()
    ['00107', '00108', nan, 'A1']
    """
    if length is None:
        return codes
    return codes.mask(codes.str.fullmatch(r"\d+").eq(True), codes.str.zfill(length))


def of_communes(
    pairs: pd.DataFrame, communes: gpd.GeoDataFrame, file: str, column: str
) -> pd.DataFrame:
    """All pairs of old communes of which some part went into the communes.

    Codes that lost their leading zeros get them back where the communes' codes are digits of one
    length. Raises `UserFault` where no code is a commune's.
    """
    own = communes["commune_code"]
    if own.str.fullmatch(r"\d+").all() and len(set(own.str.len())) == 1:
        length = len(str(own.iloc[0]))
        pairs = pairs.assign(
            code=padded(pairs["code"], length), former_code=padded(pairs["former_code"], length)
        )
    is_here = pairs["code"].isin(communes["commune_code"])
    if not is_here.any():
        expected = list(communes["commune_code"][:3])
        raise fault(
            "no_code_met", file, column=column, found=list(pairs["code"][:3]), expected=expected
        )
    here = pairs.loc[is_here, "former_code"]
    return pairs[pairs["former_code"].isin(here)].reset_index(drop=True)


def named(communes: gpd.GeoDataFrame, pairs: pd.DataFrame) -> gpd.GeoDataFrame:
    """`communes` with `former_communes`, and `former_district` where the boundaries name none.

    Old communes that share a name are distinguished by district, or else by code.
    """
    listed = communes.assign(former_communes=_joined(distinguished(pairs), pairs["code"], communes))
    districts = pairs["former_district"]
    if districts.notna().any() and communes["former_district"].isna().all():
        listed = listed.assign(former_district=_joined(districts, pairs["code"], communes))
    return listed


def former_communes(pairs: pd.DataFrame, vintage: str) -> gpd.GeoDataFrame:
    """The old communes of the pairs as `communes` without outlines: tables are held against them.

    Columns: commune_code, commune_name, former_district, province_name, boundary_vintage.
    """
    old = pairs.drop_duplicates("former_code").sort_values("former_code", ignore_index=True)
    none = pd.Series(None, index=old.index, dtype="str")
    return gpd.GeoDataFrame(
        {
            "commune_code": old["former_code"],
            "commune_name": old["former_name"],
            "former_district": old["former_district"],
            "province_name": none,
            "boundary_vintage": vintage,
        }
    )


def split_communes(pairs: pd.DataFrame) -> pd.DataFrame:
    """Old communes that went into several new ones: former_code, former_name, codes (`; `)."""
    found = pairs.drop_duplicates(["former_code", "code"]).sort_values(["former_code", "code"])
    found = found[found["former_code"].duplicated(keep=False)]
    by_commune = found.groupby("former_code", sort=True)
    return by_commune.agg(former_name=("former_name", "first"), codes=("code", _SEPARATOR.join))[
        ["former_name", "codes"]
    ].reset_index()


def weighted(
    pairs: pd.DataFrame, overlaps: pd.Series | None = None, *, file: str = ""
) -> pd.DataFrame:
    """former_code, code, weight, basis: the share of each old commune in each new one.

    The weights of an old commune sum to 1. They rest, by old commune, on the first of `BASES` that
    there is: the whole commune went into one; shares of people; shares of area; areas of
    intersection (`overlaps`, of `overlaps_of`); else nothing is known and the shares are equal
    (`unknown`). Raises `UserFault` where given weights are incomplete or do not sum to 1 within
    `TOLERANCE`. `file`: the crosswalk's name, for these.
    """
    pairs = pairs.drop_duplicates(["former_code", "code"], ignore_index=True)
    former = pairs["former_code"]
    count = former.groupby(former).transform("size")
    weight = pd.Series(1.0 / count, index=pairs.index)
    basis = pd.Series("unknown", index=pairs.index, dtype="str").mask(count.eq(1), "whole")
    faults: list[Fault] = []
    if overlaps is not None:
        keys = pd.MultiIndex.from_frame(pairs[["former_code", "code"]])
        shared = pd.Series(overlaps.reindex(keys).fillna(0.0).to_numpy(), index=pairs.index)
        total = shared.groupby(former).transform("sum")
        is_met = total.gt(0) & count.gt(1)
        weight = weight.mask(is_met, shared / total.where(is_met))
        basis = basis.mask(is_met, "intersection")
    for name in ("area", "population"):  # the later goes first
        given = pairs[f"{name}_weight"]
        known = given.notna().groupby(former).transform("sum")
        if (is_partial := known.gt(0) & known.lt(count)).any():
            found = _some(former[is_partial & given.isna()] + " → " + pairs["code"])
            faults.append(Fault("weight_missing", file, column=name, values={"found": found}))
        total = given.groupby(former).transform("sum")
        is_given = known.eq(count)
        if (is_wrong := is_given & (total - 1.0).abs().gt(TOLERANCE)).any():
            sums = total[is_wrong].groupby(former[is_wrong]).first()
            shown = [
                joined(code, " (", float(f"{value:.6g}"), ")", by="")
                for code, value in sums[:_LISTED].items()
            ]
            values_of = {"found": shown, "count": len(sums)}
            faults.append(Fault("weight_sum", file, column=name, values=values_of))
        weight = weight.mask(is_given, given / total.where(total > 0))
        basis = basis.mask(is_given & count.gt(1), name)
    if faults:
        raise UserFault(faults)
    return pairs[["former_code", "code"]].assign(weight=weight, basis=basis)


def overlaps_of(
    former: gpd.GeoDataFrame, communes: gpd.GeoDataFrame, pairs: pd.DataFrame
) -> pd.Series:
    """km² that each pair's communes have in common, by (former_code, code); 0 where nothing.

    Measured in an equal-area projection (EPSG:6933). `former`, `communes`: tables of communes of
    the two vintages.
    """
    keys = pairs[["former_code", "code"]].drop_duplicates()
    old = former.to_crs(_EQUAL_AREA).set_index("commune_code").geometry
    new = communes.to_crs(_EQUAL_AREA).set_index("commune_code").geometry
    listed = keys[keys["former_code"].isin(old.index) & keys["code"].isin(new.index)]
    common = shapely.intersection(
        np.asarray(old.reindex(listed["former_code"])), np.asarray(new.reindex(listed["code"]))
    )
    areas = pd.Series(shapely.area(common) / 1e6, index=pd.MultiIndex.from_frame(listed))
    return areas.reindex(pd.MultiIndex.from_frame(keys), fill_value=0.0)


def moved(figures: pd.Series, weights: pd.DataFrame) -> pd.Series:
    """Sums of old communes' figures by the new communes' code: figure × weight, added up.

    Nothing is lost: over all codes of `weights` the sum stays. A new commune is empty where a part
    of it comes from an old commune without a figure. `figures`: by former_code. `weights`: of
    `weighted`.

    >>> weights = pd.DataFrame(
    ...     {"former_code": ["1", "1", "2"], "code": ["8", "9", "9"], "weight": [0.25, 0.75, 1.0]}
    ... )
    >>> moved(pd.Series({"1": 400.0, "2": 100.0}), weights).to_dict()
    {'8': 100.0, '9': 400.0}
    """
    parts = weights["former_code"].map(figures).astype("float64") * weights["weight"]
    is_known = parts.notna() | weights["weight"].eq(0)
    by_code = parts.fillna(0.0).groupby(weights["code"]).sum()
    return by_code.where(is_known.groupby(weights["code"]).all())


def _csv_table(path: Path, columns: PairColumns) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype="str", encoding="utf-8-sig", keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise fault(
            "unreadable_file", path.name, found=str(error)[:160], expected="CSV, UTF-8"
        ) from None
    theirs = {
        "code": columns.code,
        "former_name": columns.former_commune,
        "former_district": columns.former_district,
        "population_weight": columns.population_weight,
        "area_weight": columns.area_weight,
    }
    if missing := [c for c in theirs.values() if c is not None and c not in table.columns]:
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
    # the file of names alone has no old codes
    theirs["former_code"] = columns.former_code if columns.former_code in table.columns else None
    absent = pd.Series(None, index=table.index, dtype="str")
    return pd.DataFrame(
        {ours: absent if name is None else table[name] for ours, name in theirs.items()}
    )


def _json_table(path: Path) -> pd.DataFrame:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        rows = [
            (str(split["new_id"]), str(old["level3_id"]), str(old["name"]))
            for province in content["data"]
            for old in province["level3s"]
            for split in old["splits"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise fault(
            "unreadable_file",
            path.name,
            found=f"{type(error).__name__} {error}"[:160],
            expected="JSON: data[].level3s[] (level3_id, name, splits[] (new_id))",
        ) from None
    table = pd.DataFrame(rows, columns=["code", "former_code", "former_name"], dtype="str")
    absent: Any = pd.Series(None, index=table.index, dtype="str")
    return table.assign(former_district=absent, population_weight=absent, area_weight=absent)


def _weights_read(
    column: pd.Series, path: Path, name: str | None, faults: list[Fault]
) -> pd.Series:
    """Shares between 0 and 1, empty where not given."""
    texts = column.str.strip().str.replace(",", ".", regex=False)
    found = pd.to_numeric(texts, errors="coerce").astype("float64")
    is_wrong = values.present(column) & ~found.between(0, 1 + TOLERANCE)
    faults += [
        Fault("bad_weight", path.name, int(row) + 2, name or "", {"found": column[row]})
        for row in column.index[is_wrong]
    ]
    return found


def distinguished(pairs: pd.DataFrame) -> pd.Series:
    """Names of old communes; those of several communes with their district, or else their code."""
    name, district = pairs["former_name"], pairs["former_district"]
    is_shared = pairs["former_code"].groupby(name).transform("nunique").gt(1)
    beside = district.fillna(pairs["former_code"])
    of_one_district = pairs["former_code"].groupby([name, beside]).transform("nunique").gt(1)
    beside = beside.mask(of_one_district, pairs["former_code"])
    return name.mask(is_shared, name + " (" + beside + ")")


def _joined(names: pd.Series, codes: pd.Series, communes: gpd.GeoDataFrame) -> pd.Series:
    """Names by commune, in alphabetical order, each once."""
    known = pd.DataFrame({"code": codes, "name": names}).dropna().drop_duplicates()
    names = known.sort_values("name").groupby("code")["name"].agg(_SEPARATOR.join)
    return pd.Series(communes["commune_code"].map(names).to_numpy(), index=communes.index).astype(
        "str"
    )


def _some(texts: pd.Series) -> list[str]:
    """The first few different texts."""
    return sorted(texts.dropna().unique())[:_LISTED]
