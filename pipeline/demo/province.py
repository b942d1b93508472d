"""`lomsong demo`: an invented province as files – deliveries, boundaries, settings, the truth.

Does not belong here: how speeds are drawn (`simulate.py`), how outlines are drawn (`schematic.py`).
"""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline.demo import schematic, simulate
from pipeline.demo.inject_errors import ErrorShares, inject_errors
from pipeline.schema.errors import fault

PEOPLE_OF_HOUSEHOLD = 4  # chosen, near the mean of the 2019 census in mountains
HEADINGS = {
    "test_id": "Mã phép đo",
    "measured_at": "Thời gian đo",
    "latitude": "Vĩ độ",
    "longitude": "Kinh độ",
    "location_accuracy_m": "Độ chính xác vị trí (m)",
    "operator": "Nhà mạng",
    "technology": "Công nghệ",
    "download_mbps": "Tốc độ tải xuống (Mbps)",
    "upload_mbps": "Tốc độ tải lên (Mbps)",
    "latency_ms": "Độ trễ (ms)",
    "jitter_ms": "Jitter (ms)",
    "signal_dbm": "RSRP (dBm)",
    "device_id": "Mã thiết bị",
}


def write_demo(out: Path, *, test_count: int, seed: int, province: str | None = None) -> list[Path]:
    """Write the demo's files under `out` and return their paths.

    raw/MONTH/ispeed.csv, boundaries/*, villages.csv, settings.toml and truth/*.csv. Equal arguments
    give equal bytes. Raises `UserFault` for an unknown province.
    """
    about = tomllib.loads(files("pipeline").joinpath("demo.toml").read_text(encoding="utf-8"))
    name, communes = invented_communes(province or about["province"], seed)
    operators = {
        n: simulate.Operator(o["share"], o["level"], tuple(o["names"]))
        for n, o in about["operators"].items()
    }
    drawn = simulate.draw_province(
        communes, operators, about["months"], test_count=test_count, seed=seed
    )
    names_met = {name: operator.names for name, operator in operators.items()}
    delivered = inject_errors(
        drawn.tests, communes, names_met, np.random.default_rng([seed, 2]), ErrorShares()
    )
    written = [
        _write_boundaries(out / "boundaries" / "communes.geojson", communes, about["notice"])
    ]
    names = former_names(communes["commune_code"]).assign(notice=about["notice"])
    text = names.to_csv(index=False, lineterminator="\n")
    written.append(_write_text(out / "boundaries" / "crosswalk.csv", text))
    places = drawn.places.assign(village_name=village_names(drawn.places, communes))
    text = (
        village_list(places, communes)
        .assign(notice=about["notice"])
        .to_csv(index=False, lineterminator="\n", float_format="%.6f")
    )
    written.append(_write_text(out / "villages.csv", text))
    for number, month in enumerate(about["months"]):
        rows = delivered[delivered["measured_at"].dt.strftime("%Y-%m") == month]
        # offices differ: the last delivery is written as a Vietnamese Excel would write it
        vietnamese = number == len(about["months"]) - 1
        written.append(_write_rows(out / "raw" / month / "ispeed.csv", rows, vietnamese=vietnamese))
    truth = drawn.truth.assign(
        is_gap=drawn.truth["true_mean_mbps"] < about["target_mbps"], notice=about["notice"]
    )
    places = places.assign(notice=about["notice"])
    for file, table in (("commune_operator.csv", truth), ("places.csv", places)):
        text = table.to_csv(index=False, lineterminator="\n", float_format="%.4f")
        written.append(_write_text(out / "truth" / file, text))
    written.append(_write_text(out / "settings.toml", _settings(name, communes, operators, about)))
    return written


def invented_communes(province: str, seed: int) -> tuple[str, gpd.GeoDataFrame]:
    """(name of the province, its communes).

    Names, codes and areas are real, outlines schematic, population and terrain invented.
    """
    from vietnamadminunits.database import get_data

    from pipeline.sources.values import folded

    province_columns = ["province", "provinceShort", "provinceCode"]
    ward_columns = ["ward", "wardCode", "wardLat", "wardLon", "wardAreaKm2"]
    units = pd.DataFrame(get_data([*province_columns, *ward_columns]))
    wanted = folded(province)
    met = units[
        units["province"].map(folded).eq(wanted)
        | units["provinceShort"].map(folded).eq(wanted)
        | units["provinceCode"].eq(province)
    ]
    met = met[met["wardCode"].notna()].sort_values("wardCode", ignore_index=True)
    if met.empty:
        raise fault(
            "unknown_province", found=province, expected=sorted(units["provinceShort"].unique())
        )
    generator = np.random.default_rng([seed, 1])
    # the package has no area of small islands: a square kilometre makes them visible
    area = met["wardAreaKm2"].astype("float64").fillna(1.0).clip(lower=1.0)
    people = 90 * np.sqrt(area) * np.exp(generator.normal(2.0, 0.5, len(met)))
    communes = gpd.GeoDataFrame(
        {
            "commune_code": met["wardCode"].astype("str"),
            "commune_name": met["ward"].astype("str"),
            "province_code": met["provinceCode"].astype("str"),
            "area_km2": area,
            "population": people.round(-1).astype("int64"),
            "terrain": generator.choice(
                ["flat", "hilly", "mountainous"], len(met), p=[0.15, 0.45, 0.4]
            ),
        },
        geometry=schematic.power_diagram(met["wardLat"], met["wardLon"], area).to_numpy(),
        crs="EPSG:4326",
    )
    return str(met["provinceShort"].iloc[0]), communes


def village_names(places: pd.DataFrame, communes: gpd.GeoDataFrame) -> pd.Series:
    """Invented names by row of `places`: "Thôn 3", of a ward "Tổ dân phố 3"."""
    name = places["commune_code"].map(communes.set_index("commune_code")["commune_name"])
    is_ward = name.str.startswith("Phường")
    return is_ward.map({True: "Tổ dân phố ", False: "Thôn "}) + (places["place"] + 1).astype("str")


def village_list(places: pd.DataFrame, communes: gpd.GeoDataFrame) -> pd.DataFrame:
    """One row per village, with the names of columns that lists of villages are read by.

    village_name, commune_code, latitude, longitude (degrees), people, households (whole numbers, 1
    or more), has_grid_power, is_difficult_zone. `places`: of `Province`, with village_name. The
    last three follow from the village's number and people, so that no draw of speeds depends on
    them.
    """
    listed = places.drop_duplicates(["commune_code", "place"]).reset_index(drop=True)
    total = listed["commune_code"].map(communes.set_index("commune_code")["population"])
    people = (listed["share"] * total).round().clip(lower=1).astype("int64")
    columns = ["village_name", "commune_code", "latitude", "longitude"]
    is_remote = ~listed["village_name"].str.startswith("Tổ dân phố")
    return listed[columns].assign(
        people=people,
        households=(people / PEOPLE_OF_HOUSEHOLD).round().clip(lower=1).astype("int64"),
        has_grid_power=~(is_remote & (listed["place"] % 6 == 4)),
        is_difficult_zone=is_remote & (listed["place"] % 3 == 1),
    )


def former_names(codes: pd.Series) -> pd.DataFrame:
    """Crosswalk of real names, n to n, sorted.

    Columns new_ward_code, old_ward_code, old_ward_name, old_district_name.
    """
    from vietnamadminunits.database import get_data

    mapped = json.loads(
        files("vietnamadminunits").joinpath("data/converter_2025.json").read_text(encoding="utf-8")
    )
    new = pd.DataFrame(get_data(["provinceKey", "wardKey", "wardCode"]))
    code_of = {
        (p, w): c for p, w, c in new[new["wardCode"].isin(set(codes))].itertuples(index=False)
    }
    whole = [
        (province, ward, key)
        for province, wards in mapped["DICT_PROVINCE_WARD_NO_DIVIDED"].items()
        for ward, keys in wards.items()
        for key in keys
    ]
    divided = [
        (province, part["newWardKey"], key)
        for province, wards in mapped["DICT_PROVINCE_WARD_DIVIDED"].items()
        for key, parts in wards.items()
        for part in parts
    ]
    pairs = pd.DataFrame(
        [(code_of[p, w], key) for p, w, key in whole + divided if (p, w) in code_of],
        columns=["new_ward_code", "key"],
    )
    columns = ["provinceKey", "districtKey", "wardKey", "wardCode", "ward", "district"]
    old = pd.DataFrame(get_data(columns, "admin_units_legacy")).rename(
        columns={
            "wardCode": "old_ward_code",
            "ward": "old_ward_name",
            "district": "old_district_name",
        }
    )
    old["key"] = old["provinceKey"] + "_" + old["districtKey"] + "_" + old["wardKey"].fillna("")
    joined = pairs.merge(old, on="key").dropna(subset="old_ward_name")
    kept = joined[["new_ward_code", "old_ward_code", "old_ward_name", "old_district_name"]]
    return kept.drop_duplicates().sort_values(["new_ward_code", "old_ward_code"], ignore_index=True)


def _write_boundaries(path: Path, communes: gpd.GeoDataFrame, notice: str) -> Path:
    document = {"type": "FeatureCollection", "name": "communes_schematic", "notice": notice}
    document |= json.loads(communes.to_json(drop_id=True))
    return _write_text(path, json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")


def _write_rows(path: Path, rows: pd.DataFrame, *, vietnamese: bool) -> Path:
    table = rows.assign(
        measured_at=rows["measured_at"].dt.strftime(
            "%d/%m/%Y %H:%M:%S" if vietnamese else "%Y-%m-%d %H:%M:%S"
        )
    )
    if vietnamese:
        for name in table.columns.drop(
            ["test_id", "measured_at", "operator", "technology", "device_id"]
        ):
            table[name] = table[name].map(
                lambda cell: "" if pd.isna(cell) else str(cell).replace(".", ",")
            )
    text = table.rename(columns=HEADINGS).to_csv(
        index=False, sep=";" if vietnamese else ",", lineterminator="\r\n" if vietnamese else "\n"
    )
    return _write_text(path, ("\ufeff" if vietnamese else "") + text)


def _write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def _settings(
    name: str,
    communes: gpd.GeoDataFrame,
    operators: dict[str, simulate.Operator],
    about: dict[str, Any],
) -> str:
    # strings and lists of TOML are written as in JSON
    names = "\n".join(
        f"{operator} = {json.dumps(o.names, ensure_ascii=False)}"
        for operator, o in operators.items()
    )
    return f"""# Settings of the demo province: every speed, person and outline in it is invented.
[area]
name = "{name}"
province_code = "{communes["province_code"].iloc[0]}"
timezone = "{about["timezone"]}"

[target]
download_mbps = {about["target_mbps"]}               # Mbit/s

[boundaries]
path = "boundaries/communes.geojson"
vintage = "{about["vintage"]}"
expected_count = {len(communes)}
population_column = "population"   # people, invented
terrain_column = "terrain"         # invented

[crosswalk]
path = "boundaries/crosswalk.csv"  # real names of before July 2025

[villages]
path = "villages.csv"              # invented; verdicts must hold for their people too
vintage = "{about["vintage"]}"

[sources.ispeed]
path = "raw"                       # every month's folder; the window reaches back over them
format = "ispeed"

[operators]
{names}

[publish]
notice = "{about["notice"]}"
"""
