"""Published tables → the data block that the page draws from.

Names and short lists are JSON; figures are columns of one block (`columns.py`): commune × operator
row by row (`s.`), cells operator by operator (`c.`), priorities (`p.`), measure first (`m.`),
outlines of cells (`h.`) and gap areas (`g.`), villages (`v.`) and, operator by operator, what is
said of them (`v.1.`). Which columns it carries, their declarations say.
Does not belong here: HTML, colours, anything that was suppressed (these tables lack it already).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.publish.about import About
from pipeline.publish.gap_map import palette
from pipeline.publish.gap_map.columns import (
    classed,
    counted,
    encoded,
    marked,
    places,
    scaled,
    zigzag,
)
from pipeline.publish.gap_map.page_columns import carried_columns
from pipeline.publish.gap_map.page_texts import page_texts
from pipeline.publish.outlines import gap_outlines, rings
from pipeline.schema import texts
from pipeline.schema.columns import FIELDS
from pipeline.schema.fields import (
    ALL,
    CHANGES,
    FLAGS,
    GAP_STATES,
    GATES,
    NO_DATA_REASONS,
    OFFICIAL_CLASSES,
    VILLAGE_GROUNDS,
    Field,
)

# digits kept, by kind: what `explain` writes, cut one digit later
SCALES = {"speed": 1000, "latency": 1000, "signal": 1000, "hours": 1000, "share": 1_000_000}
SCALES |= {"ratio": 1_000_000, "figure": 10}
CELL_SCALES = {"speed": 10, "latency": 1}  # what the page writes of a cell
_DEG = 100_000  # 1e-5°, about a metre
_DIGITS_DEG = 5
SIMPLIFY_DEG = 0.0012  # about 130 m: below a pixel at province zoom
SIMPLIFY_SHARE = 2000  # of a larger area's extent: below a pixel of a screen
UNDECIDED = FIELDS["devices_to_decide_reason"].among or ()
CAUSES = FIELDS["likely_cause"].among or ()
ACTIONS = FIELDS["suggested_action"].among or ()


def page_data(
    communes: gpd.GeoDataFrame,
    tables: Mapping[str, pd.DataFrame],
    operators: list[str],
    about: About,
) -> dict[str, Any]:
    """Everything the page shows: what `about` says, communes, gaps, paints, words, the block."""
    lang, named = about.lang, [ALL, *operators]
    codes = [str(code) for code in tables["commune_summary"]["commune_code"]]
    hexes, areas = gpd.GeoDataFrame(tables["hex_status"]), tables["gap_areas"]
    changes = tables.get("changes")
    columns = (
        _status(tables["commune_status"], changes, codes, named)
        | _cells(hexes, codes, named)
        | _outlines("g", gap_outlines(areas, hexes).to_numpy())
        | _priorities(tables["priorities"], areas, codes, named)
        | _measure_first(tables["measure_first"], codes, named)
    )
    villages, shown = tables.get("village_status"), {}
    if villages is not None and operators:
        shown = _village_lists(villages)
        columns |= _villages(villages, codes, named)
    sites = {}
    if "site_plan" in tables and operators:
        sites = _sites(tables["site_plan"], codes, named)
    return {
        "schema": "lomsong-map/2",
        **about.page(),
        "former": None if changes is None else str(changes["former_period"].iloc[0]),
        "views": _views(tables),
        "lang": lang,
        "operators": named,
        "communes": _communes(communes, tables["commune_summary"]),
        "gaps": _gaps(areas, codes, named),
        "lists": {
            "verdicts": list(palette.STATUS_PAINT),
            "classes": list(palette.CLASS_PAINT),
            "flags": FLAGS,
            "gates": GATES,
            "reasons": NO_DATA_REASONS,
            "undecided": UNDECIDED,
            "changes": CHANGES,
            "causes": CAUSES,
            "actions": ACTIONS,
            **shown.get("lists", {}),
        },
        **{key: held for key, held in shown.items() if key != "lists"},
        **sites,
        "paint": {
            key: {"fill": p.fill, "pattern": p.pattern}
            for key, p in (
                palette.STATUS_PAINT
                | palette.CLASS_PAINT
                | palette.CHANGE_PAINT
                | palette.KNOWN_PAINT
            ).items()
        },
        "scales": {
            key: {"breaks": s.breaks, "fills": s.fills, "unit": s.unit}
            for key, s in palette.SCALES.items()
        },
        "text": {
            one: page_texts(one, with_villages=bool(shown), with_sites=bool(sites))
            for one in texts.languages()
        },
        "block": encoded(columns),
    }


def _views(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """What the map can show: months only of tests, change only where there is a former period."""
    views = ["verdict", "mean", "median", "upload", "latency", "tests"]
    return (
        views
        + ["month"] * ("sample_tracker" in tables)
        + ["evidence", "age"]
        + ["change"] * ("changes" in tables)
    )


def simplified(communes: gpd.GeoDataFrame) -> dict[str, Any]:
    """The communes as GeoJSON with their codes, simplified so that shared edges stay shared."""
    shapes = communes.geometry.to_numpy()
    west, south, east, north = communes.total_bounds
    tolerance = max(SIMPLIFY_DEG, max(east - west, north - south) / SIMPLIFY_SHARE)
    # overlaps or gaps in the file: each by itself, finer, so that the seams stay thin
    is_coverage = shapely.coverage_is_valid(shapes)
    shapes = (
        shapely.coverage_simplify(shapes, tolerance)
        if is_coverage
        else shapely.simplify(shapes, tolerance / 3)
    )
    features = [
        {"type": "Feature", "properties": {"code": code}, "geometry": _rounded(shape)}
        for code, shape in zip(communes["commune_code"], shapes, strict=True)
    ]
    return {"type": "FeatureCollection", "features": features}


def _rounded(shape: shapely.Geometry) -> dict[str, Any]:
    def ring(coordinates: Iterable[Sequence[float]]) -> list[list[float]]:
        return [[round(x, _DIGITS_DEG), round(y, _DIGITS_DEG)] for x, y in coordinates]

    whole = shapely.MultiPolygon(shapely.get_parts([shape]).tolist())
    return {
        "type": "MultiPolygon",
        "coordinates": [
            [ring(r) for r in part] for part in shapely.geometry.mapping(whole)["coordinates"]
        ],
    }


def _number(value: float | None, digits: int) -> float | None:
    return round(float(value), digits) if pd.notna(value) and math.isfinite(value) else None


def _text(value: str | float | None) -> str:
    return "" if pd.isna(value) else str(value)


def _communes(communes: gpd.GeoDataFrame, summary: pd.DataFrame) -> list[dict[str, Any]]:
    about = communes.set_index("commune_code")
    shapes = gpd.GeoSeries(about.geometry.reindex(summary["commune_code"]))
    inside = shapely.point_on_surface(shapes.to_numpy())
    return [
        {
            "id": row["commune_code"],
            "name": row["commune_name"],
            "class": row["gap_class"],
            "everywhere": row["every_operator_meets"],
            "district": _text(row["former_district"]),
            "formers": _text(about["former_communes"][row["commune_code"]]),
            "people": _number(row["population"], 0),
            "tests_month": _number(row["month_test_count"], 0),
            "at": [round(point.y, 4), round(point.x, 4)],
        }
        for row, point in zip(summary.to_dict("records"), inside, strict=True)
    ]


def _status(
    status: pd.DataFrame, changes: pd.DataFrame | None, codes: list[str], named: list[str]
) -> dict[str, np.ndarray]:
    """Every commune × operator, in the order of `codes` and within it of `named`."""
    order = pd.MultiIndex.from_product([codes, named])
    rows = status.set_index(["commune_code", "operator"]).reindex(order)
    assert rows["status"].notna().all()
    verdicts = pd.Series(
        [palette.verdict(s, e) for s, e in zip(rows["status"], rows["evidence"], strict=True)]
    )
    columns = {
        "s.verdict": places(verdicts, list(palette.STATUS_PAINT)),
        "s.borrowed": rows["evidence_basis"].eq("borrowed").to_numpy(dtype="int64"),
    } | _carried("commune_status", rows)
    if changes is not None:
        since = changes.set_index(["commune_code", "operator"]).reindex(order)
        columns |= _carried("changes", since)
    return columns


def _carried(table: str, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns that the page carries, as whole numbers."""
    return {
        name: _whole(rows[column], FIELDS[column], name)
        for column, name in carried_columns(table).items()
    }


def _whole(values: pd.Series, field: Field, name: str) -> np.ndarray:
    """A column as whole numbers, in the way of its kind. `name`: in the page's data."""
    if field.among:
        return places(values, list(field.among))
    if field.known:
        return marked(values, field.known)
    if field.kind == "flag":
        return np.asarray(values.eq(True).fillna(False).to_numpy(dtype="int64"))
    if field.kind in ("count", "rank") or field.dtype == "Int64":
        return counted(values)
    block, short = name.split(".")
    if block == "c" and field.kind in CELL_SCALES:
        return classed(values, CELL_SCALES[field.kind], palette.SCALES[short].breaks)
    return scaled(values, SCALES[field.kind])


def _cells(hexes: gpd.GeoDataFrame, codes: list[str], named: list[str]) -> dict[str, np.ndarray]:
    """Cells in the order of their ids; for each operator a column of each figure, 0 = nothing."""
    cells = hexes.drop_duplicates("hex_id").sort_values("hex_id")
    ids = np.array([int(cell, 16) for cell in cells["hex_id"]], dtype="uint64")
    commune = places(cells["hex_commune_code"], codes)
    columns = {
        "h.id_high": ids >> np.uint64(32),
        "h.id_low": ids & np.uint64(0xFFFFFFFF),
        "h.commune": commune,
    }
    columns |= _outlines("h", cells.geometry.to_numpy())
    for number, operator in enumerate(named):
        rows = hexes[hexes["operator"] == operator].set_index("hex_id").reindex(cells["hex_id"])
        carried = _carried("hex_status", rows)
        columns |= {f"c.{number}.{name[2:]}": values for name, values in carried.items()}
    return columns


def _outlines(prefix: str, shapes: np.ndarray) -> dict[str, np.ndarray]:
    """Rings over shared corners: corners as steps from one to the next.

    A ring's corners are counted back from the newest.
    """
    points, ring_of_point, shape_of_ring = rings(shapes)
    whole = np.round(points * _DEG).astype("int64").reshape(-1, 2)
    corners, first, at = np.unique(whole, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")  # corners in the order in which the rings meet them
    number = np.empty(len(order), dtype="int64")
    number[order] = np.arange(len(order))
    met = number[at.reshape(-1)]
    newest = np.concatenate([[0], np.maximum.accumulate(met)[:-1] + 1]) if len(met) else met
    return {
        f"{prefix}.x": zigzag(corners[order, 0]),
        f"{prefix}.y": zigzag(corners[order, 1]),
        f"{prefix}.back": newest - met,
        f"{prefix}.ring_size": np.bincount(ring_of_point, minlength=len(shape_of_ring)),
        f"{prefix}.ring_shape": zigzag(shape_of_ring),
    }


def _gaps(areas: pd.DataFrame, codes: list[str], named: list[str]) -> list[dict[str, Any]]:
    commune, operator = (
        places(areas["commune_code"], codes) - 1,
        places(areas["operator"], named) - 1,
    )
    return [
        {
            "id": row["gap_id"],
            "commune": int(c),
            "operator": int(o),
            "state": row["state"],
            "since": row["first_seen"],
            "devices": _number(row["device_count"], 0),
            "mean": _number(row["mean_mbps"], 3),
            "people": _number(row["population"], 0),
            "km2": _number(row["area_km2"], 1),
            "at": [_number(row["gap_latitude"], 5), _number(row["gap_longitude"], 5)],
        }
        for row, c, o in zip(areas.to_dict("records"), commune, operator, strict=True)
    ]


def _priorities(
    priorities: pd.DataFrame, areas: pd.DataFrame, codes: list[str], named: list[str]
) -> dict[str, np.ndarray]:
    rows = priorities.sort_values("need_rank")
    states = dict(zip(areas["gap_id"], areas["state"], strict=True))
    assert set(states.values()) <= set(GAP_STATES)
    return {
        "p.commune": places(rows["commune_code"], codes),
        "p.operator": places(rows["operator"], named),
        "p.gap": places(rows["gap_id"], list(areas["gap_id"])),
    } | _carried("priorities", rows)


def _village_lists(villages: pd.DataFrame) -> dict[str, Any]:
    """Names in the order of ids, marks and lists, where there are villages."""
    marks = {key: {"shape": m.shape, "fill": m.fill} for key, m in palette.VILLAGE_MARKS.items()}
    lists = {
        "village_classes": list(palette.VILLAGE_MARKS),
        "grounds": VILLAGE_GROUNDS,
        "official": OFFICIAL_CLASSES,
    }
    names = villages.drop_duplicates("village_id").sort_values("village_id")["village_name"]
    return {"villages": names.tolist(), "marks": marks, "lists": lists}


def _villages(villages: pd.DataFrame, codes: list[str], named: list[str]) -> dict[str, np.ndarray]:
    """Villages in the order of their ids; for each operator but all what is said of them."""
    listed = villages.drop_duplicates("village_id").sort_values("village_id")
    at = listed[["village_longitude", "village_latitude"]].to_numpy() * _DEG
    x, y = np.round(at).astype("int64").T
    columns = {
        "v.commune": places(listed["commune_code"], codes),
        "v.people": counted(listed["people"]),
        "v.x": zigzag(x),
        "v.y": zigzag(y),
    }
    assert (columns["v.commune"] > 0).all()
    for number, operator in enumerate(named[1:], start=1):
        own = villages[villages["operator"] == operator].set_index("village_id")
        carried = _carried("village_status", own.reindex(listed["village_id"]))
        columns |= {f"v.{number}.{name[2:]}": values for name, values in carried.items()}
    return columns


def _sites(plan: pd.DataFrame, codes: list[str], named: list[str]) -> dict[str, Any]:
    """Sites of a plan with a row for each operator, chosen ones in order, then runners-up."""
    marks = {key: {"shape": m.shape, "fill": m.fill} for key, m in palette.SITE_MARKS.items()}
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for row in plan.to_dict("records"):
        rank, code = row["site_rank"], str(row["commune_code"])
        site = {
            "name": str(row["site_id"]),
            "at": [round(float(row["site_latitude"]), 5), round(float(row["site_longitude"]), 5)],
            "commune": codes.index(code) if code in codes else -1,
            "state": str(row["site_state"]),
            "rank": None if pd.isna(rank) else int(rank),
            "rows": [],
        }
        held = found.setdefault((site["state"], site["name"], site["rank"]), site)
        closed = [float(row[f"person_gap_closed{end}"]) for end in ("", "_lo", "_hi")]
        figures = dict(zip(("closed", "lo", "hi"), closed, strict=True))
        about = {"operator": named.index(row["operator"]), "action": str(row["site_action"])}
        held["rows"].append(about | figures)
    return {"sites": list(found.values()), "site_marks": marks}


def _measure_first(rows: pd.DataFrame, codes: list[str], named: list[str]) -> dict[str, np.ndarray]:
    return {
        "m.commune": places(rows["commune_code"], codes),
        "m.operator": places(rows["operator"], named),
    }
