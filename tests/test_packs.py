"""An operator's pack holds that operator's files and opens on it.

Nobody else's rows are in its tables.
"""

from __future__ import annotations

import sqlite3
import zipfile

import pandas as pd
import pytest
from playwright.sync_api import sync_playwright

from tests.test_workbook import opened


@pytest.fixture(scope="module")
def pack(demo_outputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    with zipfile.ZipFile(demo_outputs / "packs/MobiFone.zip") as archive:
        archive.extractall(folder)
    return folder


def test_there_is_a_pack_for_each_operator_with_its_files(demo_outputs, pack):
    assert {p.name for p in (demo_outputs / "packs").iterdir()} == {
        f"{n}.zip" for n in ("MobiFone", "Vietnamobile", "Viettel", "VinaPhone")
    }
    assert {p.relative_to(pack).as_posix() for p in pack.rglob("*") if p.is_file()} == {
        "README.txt", "coverage_gaps.html", "priorities.csv", "priorities.xlsx",
        "measure_first.csv",
        "gis/coverage_gaps.gpkg", "gis/coverage_gaps.qgz", "gis/coverage_gaps.kml",
        "gis/villages.kml", "villages_MobiFone.csv",
    }  # fmt: skip
    note = (pack / "README.txt").read_text(encoding="utf-8-sig")
    assert note.startswith("Vùng lõm sóng và ưu tiên đầu tư của MobiFone – Lai Châu, kỳ 10/2026")
    assert "SỐ LIỆU GIẢ LẬP" in note
    assert "1110/QĐ-BTTTT" in note


def test_its_tables_hold_its_rows_only(demo_outputs, pack):
    kept = pd.read_csv(demo_outputs / "tables/priorities.csv", dtype={"commune_code": str})
    mine = pd.read_csv(pack / "priorities.csv", dtype={"commune_code": str})
    pd.testing.assert_frame_equal(
        mine, kept[kept["operator"] == "MobiFone"].reset_index(drop=True), check_dtype=False
    )
    book = opened(pack / "priorities.xlsx")
    assert [
        name
        for name in book.sheetnames
        if name in ("MobiFone", "Viettel", "VinaPhone", "Vietnamobile")
    ] == ["MobiFone"]
    with sqlite3.connect(pack / "gis/coverage_gaps.gpkg") as base:
        for layer in ("communes", "hexes", "gap_areas", "priorities", "measure_first"):
            assert base.execute(f"SELECT DISTINCT operator FROM {layer}").fetchall() == [
                ("MobiFone",)
            ], layer


@pytest.mark.browser
def test_its_map_opens_on_it(pack, chromium):
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=chromium,
            args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_context(offline=True).new_page()
        page.goto((pack / "coverage_gaps.html").as_uri())
        page.wait_for_selector("html[data-ready=true]")
        assert (
            page.evaluate("document.querySelector('input[name=operator]:checked').value")
            == "MobiFone"
        )
        browser.close()


def test_its_readme_says_that_the_map_holds_every_operator(pack):
    """Tables and layers are its own."""
    text = (pack / "README.txt").read_text(encoding="utf-8-sig")
    assert "bản đồ có mọi nhà mạng" in text
