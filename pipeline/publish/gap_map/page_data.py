"""Published tables → the one JSON block that the page draws from. It takes what is published and adds nothing.

Does not belong here: HTML, colours' choice, anything that was suppressed (it is gone from these tables already).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from pipeline import texts
from pipeline.publish.gap_map import palette
from pipeline.tables import ALL, FLAGS, NO_DATA_REASONS

_DIGITS_DEG = 5  # about a metre
FIGURE_DIGITS = 6  # as the CSV files: the page rounds once, when it writes; rounded twice, 39.8478 would read 39.9
TOP = 10
SIMPLIFY_DEG = 0.0012  # about 130 m: below a pixel at province zoom
_PAGE_TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("Vùng lõm sóng di động", "Mobile coverage gaps"),
    "operator": ("Nhà mạng", "Operator"),
    "search": ("Tìm xã, phường", "Find a commune"),
    "search_hint": ("Ví dụ: muong te", "e.g. muong te"),
    "legend": ("Chú giải", "Legend"),
    "legend_cells": ("Ô lục giác (phóng to)", "Hexes (zoomed in)"),
    "top": ("Ưu tiên đầu tư", "Investment priorities"),
    "top_none": ("Không có vùng lõm được xác nhận hoặc nhiều khả năng.", "No confirmed or probable gap."),
    "card_hint": ("Chọn một xã trên bản đồ hoặc trong danh sách.", "Choose a commune on the map or in a list."),
    "close": ("Đóng", "Close"),
    "code": ("Mã", "Code"),
    "people": ("Dân số", "People"),
    "tests_month": ("Phép đo trong tháng", "Tests in the month"),
    "status": ("Kết luận", "Verdict"),
    "mean": ("Trung bình", "Mean"),
    "median": ("Trung vị", "Median"),
    "interval": ("Khoảng 95 %", "95 % interval"),
    "tests": ("Phép đo", "Tests"),
    "devices": ("Thiết bị", "Devices"),
    "borrowed": ("chắc chắn nhờ bằng chứng của các nhà mạng khác trong xã; khoảng 95 % chỉ từ thiết bị của chính nó",
                 "confirmed with the evidence of the commune's other operators; the 95 % interval is from its own devices alone"),
    "further": ("Cần thêm thiết bị", "Further devices needed"),
    "few": ("ít hơn {n} thiết bị: không công bố tốc độ", "fewer than {n} devices: no speed is published"),
    "good": ("đạt", "met"),
    "bad": ("chưa đạt", "not met"),
    "open": ("chưa đủ bằng chứng", "not enough evidence"),
    "weak_some": ("Yếu ở ít nhất một nhà mạng", "Weak for at least one operator"),
    "weak_none": ("Có đo, không yếu rõ rệt", "Tested, not clearly weak"),
    "cell": ("Ô", "Hex"),
    "weak": ("yếu", "weak"),
    "rank": ("hạng", "rank"),
    "window": ("Bằng chứng", "Evidence"),
    "months": ("tháng", "months"),
    "method": ("Một thiết bị một phiếu; kết luận theo xã từ các phép đo trong xã. Ô lục giác chỉ cho thấy phân bố.",
               "One device, one vote; the commune's verdict comes from its own tests. Hexes show the pattern only."),
    "sources": ("Nguồn và giấy phép", "Sources and licences"),
    "map_label": ("Bản đồ các xã", "Map of the communes"),
    "no_script": ("Trang này cần JavaScript để vẽ bản đồ; bảng dưới đây có các ưu tiên đầu tiên.",
                  "This page needs JavaScript to draw the map; the first priorities stand in the table below."),
    "commune": ("Xã, phường", "Commune"),
}  # fmt: skip


def page_texts(lang: texts.Lang) -> dict[str, str]:
    """The page's own words and the names of statuses, classes, flags and reasons."""
    words = (*palette.STATUS_PAINT, *palette.CLASS_PAINT, *FLAGS, *NO_DATA_REASONS, ALL)
    return {key: pair[lang == "en"] for key, pair in _PAGE_TEXTS.items()} | {
        key: texts.word(key, lang) for key in words
    }


def page_data(
    communes: gpd.GeoDataFrame,
    tables: Mapping[str, pd.DataFrame],
    operators: list[str],
    about: Mapping[str, Any],
    lang: texts.Lang,
) -> dict[str, Any]:
    """Everything the page shows: `about` (period, target, notice …), communes, cells, top gaps, paints, texts."""
    return {
        "schema": "lomsong-map/1",
        "start": ALL,  # an operator's own pack opens on that operator
        **about,
        "lang": lang,
        "operators": [ALL, *operators],
        "communes": _communes(communes, tables["commune_status"], tables["commune_summary"]),
        "cells": _cells(tables["hex_status"]),
        "top": _top(tables["priorities"]),
        "paint": {
            key: {"fill": p.fill, "pattern": p.pattern}
            for key, p in (palette.STATUS_PAINT | palette.CLASS_PAINT).items()
        },
        "statuses": list(palette.STATUS_PAINT),
        "classes": list(palette.CLASS_PAINT),
        "speed_breaks": palette.SPEED_BREAKS_MBPS,
        "speed_fills": palette.SPEED_FILLS,
        "text": page_texts(lang),
    }


def simplified(communes: gpd.GeoDataFrame) -> dict[str, Any]:
    """The communes as GeoJSON with only their codes, simplified as a coverage so that shared edges stay shared."""
    shapes = communes.geometry.to_numpy()
    if shapely.coverage_is_valid(shapes):
        shapes = shapely.coverage_simplify(shapes, SIMPLIFY_DEG)
    else:  # overlaps or gaps in the file: each by itself, finer, so that the seams stay thin
        shapes = shapely.simplify(shapes, SIMPLIFY_DEG / 3)
    features = [
        {"type": "Feature", "properties": {"code": code}, "geometry": _rounded(shape)}
        for code, shape in zip(communes["commune_code"], shapes, strict=True)
    ]
    return {"type": "FeatureCollection", "features": features}


def _rounded(shape: shapely.Geometry) -> dict[str, Any]:
    def ring(coordinates: Any) -> list[list[float]]:
        return [[round(x, _DIGITS_DEG), round(y, _DIGITS_DEG)] for x, y in coordinates]

    polygons = [
        [ring(r) for r in polygon]
        for polygon in shapely.geometry.mapping(shapely.MultiPolygon(shapely.get_parts([shape]).tolist()))[
            "coordinates"
        ]
    ]
    return {"type": "MultiPolygon", "coordinates": polygons}


def _number(value: Any, digits: int = FIGURE_DIGITS) -> float | None:
    # an interval of very few, very unlike values may have no upper end
    return round(float(value), digits) if pd.notna(value) and math.isfinite(value) else None


def _communes(communes: gpd.GeoDataFrame, status: pd.DataFrame, summary: pd.DataFrame) -> list[dict[str, Any]]:
    figures: dict[str, dict[str, Any]] = {}
    for row in status.to_dict("records"):
        figures.setdefault(row["commune_code"], {})[row["operator"]] = {
            "verdict": palette.verdict(row["status"], row["evidence"]),
            "mean": _number(row["mean_mbps"]),
            "median": _number(row["median_mbps"]),
            "lo": _number(row["lo_mbps"]),
            "hi": _number(row["hi_mbps"]),
            "tests": _number(row["test_count"], 1),
            "devices": _number(row["device_count"], 1),
            "further": _number(row["devices_to_decide"], 0),
            "borrowed": row["evidence_basis"] == "borrowed",
            "flags": row["flags"].split(";") if row["flags"] else [],
            "reason": None if pd.isna(row["no_data_reason"]) else row["no_data_reason"],
        }
    points = dict(zip(communes["commune_code"], shapely.point_on_surface(communes.geometry.to_numpy()), strict=True))
    return [
        {
            "id": row["commune_code"],
            "name": row["commune_name"],
            "class": row["gap_class"],
            "people": _number(row["population"], 0),
            "tests_month": _number(row["month_test_count"], 0),
            "at": [round(points[row["commune_code"]].y, 4), round(points[row["commune_code"]].x, 4)],
            "by": figures[row["commune_code"]],
        }
        for row in summary.to_dict("records")
    ]


def _cells(hex_status: pd.DataFrame) -> list[dict[str, Any]]:
    cells: dict[str, dict[str, Any]] = {}
    for row in hex_status.to_dict("records"):
        cell = cells.setdefault(
            row["hex_id"],
            {"id": row["hex_id"], "res": row["h3_resolution"], "rings": _rings(row["geometry"]), "by": {}},
        )
        cell["by"][row["operator"]] = {
            "devices": _number(row["device_count"], 1),
            "tests": _number(row["test_count"], 1),
            "mean": _number(row["mean_mbps"]),
            "median": _number(row["median_mbps"]),
            "weak": bool(row["is_weak"]),
        }
    return list(cells.values())


def _rings(shape: shapely.Geometry) -> list[list[list[float]]]:
    return [
        [[round(y, _DIGITS_DEG), round(x, _DIGITS_DEG)] for x, y in part.exterior.coords[:-1]]
        for part in shapely.get_parts([shape])
    ]


def _top(priorities: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "rank": int(row["need_rank"]),
            "id": row["commune_code"],
            "name": row["commune_name"],
            "operator": row["operator"],
            "verdict": row["status"],
            "mean": _number(row["mean_mbps"]),
            "people": _number(row["population"], 0),
        }
        for row in priorities.to_dict("records")
    ]
