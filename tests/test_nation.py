"""A nation's map: coarser cells that give no small group away.

A page by province, and an index that links them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import pytest

from pipeline.config.rules import rules_of
from pipeline.config.settings import Settings
from pipeline.hexgrid.hexes import cells_of_points
from pipeline.measurements.evidence import Evidence
from pipeline.schema.month import AreaPeriod
from pipeline.schema.periods import Period
from pipeline.verdicts import hex_tables, statistics
from tests.builders import HEADINGS, page_table, read_page, run_lomsong, squares, write_boundaries

pytestmark = pytest.mark.slow  # whole months are run

SPEEDS = [
    "mean_mbps",
    "median_mbps",
    "upload_mean_mbps",
    "latency_median_ms",
    "share_devices_below_target",
]


def spread_tests(seed: int = 4, count: int = 4000) -> str:
    """Tests all over the squares: 300 phones of two operators, some places with very few."""
    draw = np.random.default_rng(seed)
    lines = [HEADINGS]
    for i in range(count):
        phone = int(draw.integers(0, 300))
        y, x = 22.0 + 0.4 * draw.beta(1, 4), 103.0 + 0.4 * draw.beta(1, 4)
        lines.append(
            f"2026-10-{1 + i % 28:02d} {8 + i % 12:02d}:{i % 60:02d}:{i % 59:02d},"
            f"{y:.6f},{x:.6f},10,{'VW'[phone % 2]},4G,"
            f"{20 + phone % 50},{5 + phone % 9},40,phone-number-{phone:04d}"
        )
    return "\n".join(lines) + "\n"


def write_nation(tmp_path: Path) -> Path:
    communes = squares()
    write_boundaries(tmp_path / "b.geojson", communes)
    document = json.loads((tmp_path / "b.geojson").read_text(encoding="utf-8"))
    for feature in document["features"]:
        feature["properties"]["province"] = (
            "Tỉnh <Đông>" if feature["properties"]["code"] > "r2" else "Tỉnh Tây"
        )
    (tmp_path / "b.geojson").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/t.csv").write_text(spread_tests(), encoding="utf-8")
    (tmp_path / "s.toml").write_text(
        """[area]
name = "Nước"
[boundaries]
path = "b.geojson"
province_column = "province"
[sources.ispeed]
path = "raw"
[publish]
max_map_cells = 60
[[publish.labels]]
name = "Quần đảo Xa"
latitude = 21.0
longitude = 106.5
""",
        encoding="utf-8",
    )
    return tmp_path / "s.toml"


@pytest.fixture(scope="module")
def nation(made_once) -> Path:
    """Tables and maps of two provinces with more cells than one page may hold."""

    def publish(folder: Path) -> None:
        run = ("run", "--settings", write_nation(folder), "--out", folder / "outputs")
        code, text = run_lomsong(*run, "--publish", "tables,map")
        assert code == 0, text

    return made_once("nation", publish) / "outputs/2026-10"


def test_the_whole_shows_coarser_cells_and_provinces_the_fine_ones(nation):
    fine = pd.read_parquet(nation / "tables/hex_status.parquet")
    assert fine["hex_id"].nunique() > 60
    whole = page_table(read_page(nation / "maps/coverage_gaps.html"), "cells")
    cells = whole.index.get_level_values("hex_id").unique()
    assert 1 < len(cells) <= 60
    assert len({h3.get_resolution(c) for c in cells}) == 1
    assert (
        whole.xs("all", level="operator")["tests"].sum()
        == fine.loc[fine["operator"] == "all", "test_count"].sum()
    )
    assert {p.name for p in (nation / "maps").rglob("*") if p.is_file()} == {
        "coverage_gaps.html", "coverage_gaps.png", "index.html", "Tỉnh_Đông_.html",
        "Tỉnh_Đông_.png", "Tỉnh_Tây.html", "Tỉnh_Tây.png",
    }  # fmt: skip
    found = []
    for name, codes in (("Tỉnh_Đông_", {"r2", "r3"}), ("Tỉnh_Tây", {"r0", "r1"})):
        page = read_page(nation / f"maps/provinces/{name}.html")
        assert {c["id"][:2] for c in page["communes"]} == codes
        found.append(page_table(page, "cells"))
    held = fine[fine["commune_code"].notna()]
    shown = set(pd.concat(found).index.get_level_values("hex_id"))
    assert set(held["hex_id"]) <= shown <= set(fine["hex_id"])


def test_the_index_links_every_province_and_counts_its_communes(nation):
    page = (nation / "maps/index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="([^"]+)"', page)
    assert links == ["coverage_gaps.html", "provinces/Tỉnh_Đông_.html", "provinces/Tỉnh_Tây.html"]
    assert all((nation / "maps" / link).is_file() for link in links)
    assert "Tỉnh &lt;Đông&gt;" in page
    assert "<Đông>" not in page
    counts = [int(n) for n in re.findall(r'<td class="number">(\d+)</td>', page)]
    assert sum(counts) == 16
    assert 'href="index.html"' in (nation / "maps/coverage_gaps.html").read_text(encoding="utf-8")
    assert 'href="../index.html"' in (nation / "maps/provinces/Tỉnh_Tây.html").read_text(
        encoding="utf-8"
    )


def test_far_labels_belong_to_the_whole_and_its_extent(nation):
    whole, part = (
        read_page(nation / "maps/coverage_gaps.html"),
        read_page(nation / "maps/provinces/Tỉnh_Tây.html"),
    )
    assert whole["labels"] == [{"name": "Quần đảo Xa", "latitude": 21.0, "longitude": 106.5}]
    assert part["labels"] == []
    assert "[[21.0, 103.0], [22.4, 106.5]]" in (nation / "maps/coverage_gaps.html").read_text(
        encoding="utf-8"
    )


def hand_made(rows: list[tuple[str, str, str, float]]) -> Evidence:
    """Evidence of (hex9_id, operator, device, Mbps) rows: only what the cells are made of."""
    table = pd.DataFrame(rows, columns=["hex9_id", "operator", "device_key", "download_mbps"])
    devices = table.rename(columns={"download_mbps": "download_total"}).assign(
        commune_code="r0c0", device_weight=1.0, test_count=1.0, sample_count=1.0, upload_total=1.0,
        upload_count=1.0,
        latency_total=9.0, latency_count=1.0,
    )  # fmt: skip
    nothing = pd.DataFrame()
    return Evidence(
        nothing, nothing, devices, nothing, ["V", "W"], set(), 3, False, len(rows), len(rows), None
    )


@pytest.mark.parametrize("small", [0, 1, 2])
def test_a_coarse_cell_does_not_give_away_a_small_group_among_its_finer_cells(small):
    """V has 5 phones in one fine cell and `small` in another.

    The coarse cell less the fine one would be those few phones' mean.
    """
    parent = h3.latlng_to_cell(22.05, 103.05, 5)
    a, b = (min(h3.cell_to_children(c, 9)) for c in sorted(h3.cell_to_children(parent, 6))[:2])
    rows = [(a, "V", f"v{i}", 50.0) for i in range(5)] + [
        (b, "V", f"x{i}", 5.0) for i in range(small)
    ]
    rows += [(cell, "W", f"w{cell}{i}", 30.0) for cell in (a, b) for i in range(4)]
    rules = rules_of(Settings.model_validate({"publish": {"max_map_cells": 1}}))
    evidence, area = hand_made(rows), AreaPeriod(squares(), Period.parse("2026-10"))
    figures = hex_tables.hex_figures(evidence, {}, rules)
    nothing = pd.DataFrame({"hex_id": [], "operator": [], "gap_id": []}, dtype="str")
    people = pd.Series(np.nan, index=pd.Index([], dtype="str"))
    fine = hex_tables.hex_status(figures, nothing, people, area, 3, 3)
    coarse = hex_tables.coarser_cells(evidence, {}, fine, area, rules)
    assert isinstance(coarse, gpd.GeoDataFrame)
    assert set(coarse["h3_resolution"]) == {5}
    found = coarse.set_index("operator")[SPEEDS]
    assert found.loc["W"].notna().all(), "nothing of W is small"
    assert found.loc["V"].notna().all() == (small == 0)
    assert found.loc["all"].notna().all() == (small == 0), "V is all less W"
    assert coarse.set_index("operator")["device_count"].to_dict() == {
        "V": 5 + small,
        "W": 8,
        "all": 13 + small,
    }


def test_few_cells_need_no_coarser_ones():
    evidence = hand_made(
        [
            (cells_of_points(pd.Series([22.05]), pd.Series([103.05]), 9)[0], "V", f"v{i}", 5.0)
            for i in range(4)
        ]
    )
    area, rules = AreaPeriod(squares(), Period.parse("2026-10")), rules_of(Settings())
    figures = hex_tables.hex_figures(evidence, {}, rules)
    nothing = pd.DataFrame({"hex_id": [], "operator": [], "gap_id": []}, dtype="str")
    people = pd.Series(np.nan, index=pd.Index([], dtype="str"))
    fine = hex_tables.hex_status(figures, nothing, people, area, 3, 3)
    assert hex_tables.coarser_cells(evidence, {}, fine, area, rules) is None


@pytest.mark.parametrize(("phones", "is_weak"), [(2, False), (3, True)])
def test_a_group_too_small_to_be_shown_is_never_weak_whatever_the_settings(phones, is_weak):
    cell = cells_of_points(pd.Series([22.05]), pd.Series([103.05]), 9)[0]
    evidence = hand_made([(cell, "V", f"v{i}", 5.0) for i in range(phones)])
    lax = {"hexes": {"weak_min_devices": 1, "weak_significance": 0.9}}
    priors = {"V": statistics.Prior(3.6, 0.2, 0.3, 0.01)}
    figures = hex_tables.hex_figures(evidence, priors, rules_of(Settings.model_validate(lax)))
    assert figures.loc[figures["operator"] == "V", "is_weak"].tolist() == [is_weak]
