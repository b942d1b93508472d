"""The GIS pack read back.

Figures and outlines are the tables', styles are inside, the project finds its package.
"""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from xml.etree import ElementTree

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest

from pipeline.publish.gap_map import palette
from pipeline.publish.gap_map.columns import decoded
from pipeline.publish.gis import _write_styles
from pipeline.publish.gis_package import write_layers
from pipeline.schema import texts
from pipeline.schema.columns import FIELDS
from tests.builders import month_of_tests, page_table, read_page, write_world
from tests.test_workbook import opened, sheet_of

LAYERS = {"communes", "hexes", "gap_areas", "priorities", "measure_first", "villages"}
TABLES = {"communes": "commune_status", "hexes": "hex_status", "gap_areas": "gap_areas",
          "priorities": "priorities", "measure_first": "measure_first",
          "villages": "village_status"}  # fmt: skip
KEYS = {"hexes": ["hex_id", "operator"], "gap_areas": ["gap_id"],
        "villages": ["village_id", "operator"]}  # fmt: skip


@pytest.fixture(scope="module")
def pack(demo_outputs):
    return demo_outputs / "gis"


def layer_of(pack, name: str) -> gpd.GeoDataFrame:
    return gpd.read_file(pack / "coverage_gaps.gpkg", layer=name)


def test_the_layers_are_there_in_wgs84_and_valid(pack):
    listed = {
        name for name, geometry in pyogrio.list_layers(pack / "coverage_gaps.gpkg") if geometry
    }
    assert listed == LAYERS
    for name in LAYERS:
        layer = layer_of(pack, name)
        assert layer.crs.to_epsg() == 4326
        assert layer.geometry.is_valid.all()
        shape = "Point" if name == "villages" else "MultiPolygon"
        assert layer.geometry.geom_type.eq(shape).all()


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_figures_are_the_tables(pack, demo_outputs, name):
    kept = pd.read_parquet(demo_outputs / f"tables/{TABLES[name]}.parquet").drop(
        columns=["notice", "geometry"], errors="ignore"
    )
    found = layer_of(pack, name)
    key = KEYS.get(name, ["commune_code", "operator"])
    found, kept = found.set_index(key).sort_index(), kept.set_index(key).sort_index()
    assert found.index.equals(kept.index)
    for column in kept.columns:
        left, right = found[column], kept[column]
        if FIELDS[column].dtype in ("float64", "int64", "Int64"):
            pd.testing.assert_series_equal(
                left.astype("float64"), right.astype("float64"), check_names=False
            )
        else:
            both = [[str(v) for v in side[side.notna()]] for side in (left, right)]
            assert both[0] == both[1], column


def test_one_commune_has_the_same_figures_in_all_five_outputs(pack, demo_outputs):
    """Every figure of `priorities` in Parquet, CSV, workbook and GeoPackage.

    Of the map: what its cards show.
    """
    tables = demo_outputs / "tables"
    book = opened(tables / "priorities.xlsx")
    page = read_page(demo_outputs / "maps/coverage_gaps.html")
    key = ["commune_code", "operator"]
    by_parquet = pd.read_parquet(tables / "priorities.parquet").set_index(key)
    by_csv = pd.read_csv(tables / "priorities.csv", dtype={"commune_code": str}).set_index(key)
    sheets = [
        sheet_of(book, name) for name in by_parquet.index.get_level_values("operator").unique()
    ]
    by_sheet = pd.concat(sheets).set_index(key)
    by_layer = layer_of(pack, "priorities").set_index(key)
    cards, people = page_table(page, "status"), {c["id"]: c["people"] for c in page["communes"]}
    assert (
        len(by_parquet)
        == len(by_csv)
        == len(by_sheet)
        == len(by_layer)
        == len(decoded(page["block"])["p.rank"])
        > 30
    )
    numbers = [
        c for c in by_parquet.columns if c in FIELDS and FIELDS[c].dtype in ("float64", "int64")
    ]
    assert len(numbers) > 20
    for column in numbers:
        kept = by_parquet[column].astype("float64")
        for other in (by_csv, by_sheet, by_layer):
            found = pd.to_numeric(other[column]).astype("float64").reindex(kept.index)
            pd.testing.assert_series_equal(found, kept, check_names=False, rtol=1e-9, atol=1e-6)
    for unit, row in by_parquet.iterrows():
        for column, shown in (
            ("mean_mbps", cards.loc[unit, "mean"]),
            ("hi_mbps", cards.loc[unit, "hi"]),
            ("population", people[unit[0]]),
        ):
            values = [
                row[column],
                by_csv.loc[unit, column],
                by_sheet.loc[unit, column],
                by_layer.loc[unit, column],
                shown,
            ]
            assert max(values) - min(values) < 1e-3, (unit, column, values)
        assert (
            by_csv.loc[unit, "need_rank"]
            == by_sheet.loc[unit, "need_rank"]
            == by_layer.loc[unit, "need_rank"]
            == row["need_rank"]
        )


def test_outlines_of_gap_areas_are_their_cells(pack, demo_outputs):
    cells = (
        gpd.read_parquet(demo_outputs / "tables/hex_status.parquet")
        .drop_duplicates("hex_id")
        .set_index("hex_id")
        .geometry
    )
    areas = layer_of(pack, "gap_areas")
    assert len(areas) > 20
    for row in areas.itertuples():
        union = cells[row.cells.split(";")].union_all()
        assert row.geometry.symmetric_difference(union).area < 1e-9


def test_styles_are_inside_with_the_maps_colours_and_aliases(pack):
    with sqlite3.connect(pack / "coverage_gaps.gpkg") as base:
        rows = base.execute(
            "SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles"
        ).fetchall()
        columns = {
            name: [c[1] for c in base.execute(f"PRAGMA table_info({name})")] for name in LAYERS
        }
        mode = base.execute("PRAGMA journal_mode").fetchone()[0]
        assert base.execute(
            "SELECT count(*) FROM gpkg_contents WHERE table_name = 'layer_styles'"
        ).fetchone() == (1,)
    assert mode == "delete", "the rollback journal: no -wal file beside the package"
    assert {row[0] for row in rows} == LAYERS
    for name, geometry, qml, default in rows:
        assert (geometry, default) == ("geom", 1)
        tree = ElementTree.fromstring(qml.split("\n", 1)[1])
        aliases = {a.get("field"): a.get("name") for a in tree.iter("alias")}
        assert set(aliases) == set(columns[name]) - {"fid", "geom"}
        assert aliases["operator"] == "Nhà mạng"
    communes = next(qml for name, _, qml, _ in rows if name == "communes")
    for key, paint in palette.STATUS_PAINT.items():
        assert f'value="{key}"' in communes
        assert texts.word(key, "vi") in communes
        red, green, blue = (int(paint.fill[i : i + 2], 16) for i in (1, 3, 5))
        assert f"{red},{green},{blue},255" in communes


def test_the_project_opens_its_package_by_a_relative_path(pack):
    with zipfile.ZipFile(pack / "coverage_gaps.qgz") as archive:
        assert archive.namelist() == ["coverage_gaps.qgs"]
        tree = ElementTree.fromstring(archive.read("coverage_gaps.qgs").decode().split("\n", 1)[1])
    sources = [node.text for node in tree.iter("datasource")]
    assert {s.split("layername=")[1].split("|")[0] for s in sources} == LAYERS
    assert all(s.startswith("./coverage_gaps.gpkg|") for s in sources)
    assert tree.find("title").text.endswith("Lai Châu – 10/2026 – SỐ LIỆU GIẢ LẬP – INVENTED DATA")
    assert [n.get("id") for n in tree.iter("layer-tree-layer")] == [n.text for n in tree.iter("id")]


def test_kml_holds_every_gap_area_with_its_figures(pack, demo_outputs):
    areas = pd.read_parquet(demo_outputs / "tables/gap_areas.parquet")
    tree = ElementTree.parse(pack / "coverage_gaps.kml")
    space = {"k": "http://www.opengis.net/kml/2.2"}
    marks = tree.findall(".//k:Placemark", space)
    assert len(marks) == len(areas)
    shown = {
        m.find("k:name", space).text.split(" · ")[1]: m.find("k:description", space).text
        for m in marks
    }
    for row in areas.itertuples():
        assert f"Trung bình (Mbps): {texts.number(row.mean_mbps, 'vi', 2)}" in shown[row.gap_id]
        assert texts.word(row.state, "vi") in shown[row.gap_id]


def test_geoparquet_is_of_version_1_1(demo_outputs):
    import pyarrow.parquet as pq

    about = json.loads(pq.read_schema(demo_outputs / "tables/hex_status.parquet").metadata[b"geo"])
    assert about["version"] == "1.1.0"
    # what the schema of 1.1 requires: version, primary column, and of each column encoding and
    # geometry types; crs as PROJJSON
    assert about["primary_column"] == "geometry"
    assert set(about["columns"]) == {"geometry"}
    assert about["columns"]["geometry"]["encoding"] == "WKB"
    assert about["columns"]["geometry"]["crs"]["id"] == {"authority": "EPSG", "code": 4326}
    assert about["columns"]["geometry"]["crs"]["$schema"].startswith("https://proj.org/schemas/")
    assert set(about["columns"]["geometry"]["geometry_types"]) <= {"Polygon", "MultiPolygon"}


def test_times_in_the_package_are_the_periods_end_and_gdals_options_stay_as_they_are(
    pack, tmp_path
):
    (hexes, areas), created = (
        (layer_of(pack, n) for n in ("hexes", "gap_areas")),
        datetime(2026, 10, 31, tzinfo=UTC),
    )
    layers = dict.fromkeys(LAYERS - {"villages"}, areas) | {"hexes": hexes}
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2001-01-01T00:00:00.000Z"})
    try:
        write_layers(tmp_path / "a.gpkg", layers)
        _write_styles(tmp_path / "a.gpkg", dict.fromkeys(layers, "<qgis/>"), created)
        assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") == "2001-01-01T00:00:00.000Z"
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    assert b"2001-01-01" not in (tmp_path / "a.gpkg").read_bytes()
    with closing(sqlite3.connect(tmp_path / "a.gpkg")) as base:
        times = base.execute("SELECT DISTINCT last_change FROM gpkg_contents").fetchall()
    assert times == [("2026-10-31T00:00:00.000Z",)]


NASTY = 'O\'Brien & <Sons> "Tel"'


def test_an_operators_name_is_only_text(lomsong, tmp_path):
    csv = month_of_tests("2026-10", {("r0c0", "V"): [10.0, 12.0, 14.0, 9.0, 11.0] * 3})
    settings = write_world(
        tmp_path, {"2026-10": csv}, f"[operators]\n{json.dumps(NASTY)} = ['V']\n"
    )
    assert lomsong("run", "--settings", settings, "--publish", "gis")[0] == 0
    folder = tmp_path / "outputs/2026-10/gis"
    with zipfile.ZipFile(folder / "coverage_gaps.qgz") as archive:
        tree = ElementTree.fromstring(archive.read("coverage_gaps.qgs").decode().split("\n", 1)[1])
    assert next(tree.iter("datasource")).text.endswith("\"operator\" = 'O''Brien & <Sons> \"Tel\"'")
    communes = layer_of(folder, "communes")
    assert NASTY in set(communes["operator"])
    assert (folder / "coverage_gaps.kml").stat().st_size > 100, "no gap area, still a file"
