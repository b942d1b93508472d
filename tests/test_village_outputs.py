"""Villages in every output: what a person sees equals the table, and what is hidden is nowhere.

A small month whose table of villages is written by hand.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import docx
import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from docx.enum.section import WD_ORIENT

from pipeline import journey
from pipeline.config.run_context import RunContext
from pipeline.config.settings import read_settings
from pipeline.publish import Outputs, publish_month
from pipeline.publish.gap_map import palette
from pipeline.publish.report import villages as village_report
from pipeline.publish.report.blocks import Paragraph
from pipeline.publish.report.content import Content
from pipeline.publish.report.villages import village_annex, village_blocks
from pipeline.publish.village_lists import percent, shown_villages
from pipeline.schema import texts
from pipeline.schema.columns import PUBLISHED_AS
from pipeline.schema.fields import VILLAGE_CLASSES
from pipeline.schema.periods import Period
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.verdicts.villages import HIDDEN, PUBLISHED
from tests.builders import about, centre, golden_world, run_lomsong, squares, write_world
from tests.test_report import body_text, cells, table_after
from tests.test_workbook import opened, sheet_of
from tests.village_world import RULES, text, with_villages

pytestmark = pytest.mark.slow  # months are published

SCRIPT, FORMULA = "<script>window.ran = 1</script>", "=1+1"
# name, commune, people, households, grid power, difficult zone
PLACES = [
    ("Bản Một", "r0c0", 500.0, 100.0, True, False),
    ("Bản Hai", "r0c0", 300.0, 60.0, False, True),
    (SCRIPT, "r0c1", 200.0, 40.0, False, True),
    (FORMULA, "r1c0", 100.0, None, None, None),
    ("Bản Năm", "r2c2", None, None, True, False),
    ("Bản Sáu", "r3c3", 50.0, 10.0, True, True),
]
# by village: class, grounds, probability, devices, order of visits, official class, differs
OF_A = [
    ("meets", "interval", 0.0, 20.0, None, "covered", False),
    ("no_signal", "silence;no_service", 0.9312, 0.0, 1, "weak", True),
    ("weak", "fallback_3g_2g;failed_tests", 0.0421, 5.0, None, "weak", False),
    ("not_known", "few_devices", None, None, None, "no_signal", False),
    ("not_known", "no_tests", 0.7964, 0.0, 3, None, False),
    ("not_known", "undecided", 0.004, 4.0, None, None, False),
]
OF_B = [
    ("below_target", "interval", 0.0, 12.0, None, "covered", False),
    ("not_known", "few_devices", None, None, None, None, False),
    ("no_signal", "silence", 0.8, 0.0, 2, "covered", True),
    ("no_signal", "visited", None, None, None, None, False),
    ("not_known", "no_tests", 0.2, 0.0, None, None, False),
    ("meets", "interval", 0.0, 9.0, None, "no_signal", True),
]
CLASS = [
    "village_class", "class_grounds", "no_signal_probability", "village_device_count",
    "visit_rank", "official_class", "class_differs",
]  # fmt: skip


def village_table(communes: gpd.GeoDataFrame) -> pd.DataFrame:
    """The declared table of PLACES; counts are multiples of the devices."""
    names = ["village_name", "commune_code", "people", "households", "has_grid_power",
             "is_difficult_zone"]  # fmt: skip
    places = pd.DataFrame(PLACES, columns=names)
    places["village_id"] = places["commune_code"] + "-" + places.index.map("{:03d}".format)
    places["village_latitude"] = [22.041, 22.063, 22.052, 22.152, 22.253, 22.354]
    places["village_longitude"] = [103.041, 103.063, 103.152, 103.053, 103.254, 103.355]
    parts = [
        places.assign(operator=operator).join(pd.DataFrame(rows, columns=CLASS))
        for operator, rows in (("A", OF_A), ("B", OF_B))
    ]
    table = pd.concat(parts).merge(communes[["commune_code", "commune_name", "boundary_vintage"]])
    devices = table["village_device_count"]
    for name, each in zip(HIDDEN, (3.0, 1.0, 2.0, 1.0, None, 0.5, 0.25, None), strict=True):
        if each is not None:
            table[name] = devices * each
    table["last_test_date"] = devices.map(lambda n: "2026-10-02" if n > 0 else None)
    table = table.assign(period="2026-10", window_months=2.0, status="insufficient_evidence")
    for name in ("site_plan", "on_air_date", "payer", "nearest_site_km"):
        table[name] = None
    table = table.sort_values(["village_id", "operator"], ignore_index=True)
    return validated("village_status", with_declared_dtypes("village_status", table))


def published(folder: Path, *, with_villages: bool) -> None:
    """The golden month with everything that a run publishes."""
    settings = read_settings(golden_world(folder / "inputs"))
    with journey.read(settings) as inputs:
        context = RunContext(settings, Period.parse("2026-10"))
        month = journey.judge_month(inputs, context)
        assert "village_status" not in month.tables
        if with_villages:
            villages = village_table(inputs.communes)
            month = replace(month, tables={**month.tables, "village_status": villages})
        publish_month(month, context, Outputs(folder))


@pytest.fixture(scope="module")
def outputs(made_once) -> Path:
    return made_once("villages", lambda one: published(one, with_villages=True)) / "2026-10"


@pytest.fixture(scope="module")
def without(made_once) -> Path:
    return made_once("no_villages", lambda one: published(one, with_villages=False)) / "2026-10"


@pytest.fixture(scope="module")
def table(outputs) -> pd.DataFrame:
    return pd.read_parquet(outputs / "tables/village_status.parquet")


def as_text(column: pd.Series) -> list[str]:
    """Cells as texts, numbers without a point; empty where there is nothing."""
    return ["" if pd.isna(one) else f"{one:g}" if isinstance(one, float) else str(one)
            for one in column]  # fmt: skip


def test_the_rows_that_say_something_in_order_of_visits():
    rows = shown_villages(village_table(squares()))
    found = list(zip(rows["village_name"], rows["operator"], strict=True))
    visits = [("Bản Hai", "A"), (SCRIPT, "B"), ("Bản Năm", "A")]
    others = [("Bản Một", "A"), ("Bản Một", "B"), (SCRIPT, "A"), (FORMULA, "A"), (FORMULA, "B"),
              ("Bản Sáu", "B")]  # fmt: skip
    assert found == visits + others, "neither hidden nor unknown rows without an official class"


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (0.7999, "79 %"), (0.8, "80 %"), (0.29, "29 %"), (0.989, "98 %"), (0.99, "≥ 99 %"),
        (1.0, "≥ 99 %"), (0.01, "1 %"), (0.0, "≤ 1 %"), (None, "–"), (float("nan"), "–"),
    ],
)  # fmt: skip
def test_probabilities_are_cut_and_are_never_certain(share, written):
    assert percent(share, "vi") == written


# --- GIS


def test_the_layer_holds_the_table_at_the_villages_places(outputs, table):
    layer = gpd.read_file(outputs / "gis/coverage_gaps.gpkg", layer="villages")
    assert layer.geometry.geom_type.eq("Point").all()
    assert layer.crs.to_epsg() == 4326
    assert layer.geometry.x.tolist() == table["village_longitude"].tolist()
    assert layer.geometry.y.tolist() == table["village_latitude"].tolist()
    assert list(layer.columns) == [*table.columns, "geometry"]
    for name in table.columns.drop(["has_grid_power", "is_difficult_zone"]):
        is_number = pd.api.types.is_numeric_dtype(table[name])
        left, right = (
            one[name].astype("float64") if is_number else one[name] for one in (layer, table)
        )
        assert as_text(left) == as_text(right), name


def test_hidden_rows_carry_no_figure_in_the_layer(outputs):
    layer = gpd.read_file(outputs / "gis/coverage_gaps.gpkg", layer="villages")
    hidden = layer[layer["device_count"].isna()]
    assert len(hidden) == 3
    names = [PUBLISHED_AS.get(name, name) for name in HIDDEN]
    assert set(PUBLISHED.values()) < set(HIDDEN)
    assert hidden[names].isna().all(axis=None)


def project_of(folder: Path) -> ElementTree.Element:
    with zipfile.ZipFile(folder / "gis/coverage_gaps.qgz") as archive:
        text = archive.read("coverage_gaps.qgs").decode()
    return ElementTree.fromstring(text.split("\n", 1)[1])


def test_the_project_draws_villages_on_top_with_a_symbol_for_each_class(outputs):
    project = project_of(outputs)
    first = next(project.iter("layer-tree-layer"))
    assert first.get("id") == "lomsong_villages"
    assert first.get("checked") == "Qt::Checked"
    assert first.get("source").endswith("|layername=villages|subset=\"operator\" = 'A'")
    layer = next(one for one in project.iter("maplayer") if one.findtext("id") == first.get("id"))
    assert (layer.get("geometry"), layer.get("wkbType")) == ("Point", "Point")
    categories = {one.get("value"): one.get("label") for one in layer.iter("category")}
    assert categories == {key: texts.word(key, "vi") for key in palette.VILLAGE_MARKS}
    shapes = [
        option.get("value") for option in layer.iter("Option") if option.get("name") == "name"
    ]
    assert shapes == [mark.shape for mark in palette.VILLAGE_MARKS.values()]
    aliases = {one.get("field"): one.get("name") for one in layer.iter("alias")}
    assert aliases["device_count"] == "Thiết bị"


def test_no_list_of_villages_no_layer_and_no_file(without):
    layers = {name for name, _ in pyogrio.list_layers(without / "gis/coverage_gaps.gpkg")}
    assert layers == {"communes", "hexes", "gap_areas", "priorities", "measure_first",
                      "layer_styles"}  # fmt: skip
    assert not (without / "gis/villages.kml").exists()
    assert "lomsong_villages" not in ElementTree.tostring(project_of(without), "unicode")


def test_kml_holds_the_rows_that_say_something_by_operator(outputs, table):
    listed = pyogrio.list_layers(outputs / "gis/villages.kml")
    assert [name for name, _ in listed] == ["A", "B"]
    tree = ElementTree.parse(outputs / "gis/villages.kml")
    folders = tree.findall(".//{*}Folder")
    assert [one.findtext("{*}visibility") for one in folders] == ["1", "0"]
    for folder in folders:
        rows = shown_villages(table[table["operator"] == folder.findtext("{*}name")])
        marks = folder.findall("{*}Placemark")
        assert len(marks) == len(rows) > 0
        for mark, row in zip(marks, rows.to_dict("records"), strict=True):
            named = texts.word(row["village_class"], "vi")
            assert (
                mark.findtext("{*}name")
                == f"{row['village_name']} (Xã {row['commune_code']}) – {named}"
            )
            assert mark.findtext("{*}styleUrl") == f"#{row['village_class']}"
            said = dict(
                line.split(": ", 1)
                for line in unescape(mark.findtext("{*}description")).split("\n")
            )
            assert said["Xác suất không có sóng"] == percent(row["no_signal_probability"], "vi")
            grounds = "; ".join(texts.word(key, "vi") for key in row["class_grounds"].split(";"))
            assert said["Căn cứ phân loại"] == grounds
            at = [float(part) for part in mark.findtext(".//{*}coordinates").split(",")]
            assert at == [row["village_longitude"], row["village_latitude"]]
    text = (outputs / "gis/villages.kml").read_text(encoding="utf-8")
    assert "http" not in text.replace("http://www.opengis.net/kml/2.2", ""), "no picture elsewhere"
    said = [one.text for one in tree.findall(".//{*}description")]
    assert not any("<" in one for one in said), "Google Earth shows it as HTML"


# --- workbook


def test_the_sheet_holds_the_rows_that_say_something(outputs, table):
    book = opened(outputs / "tables/priorities.xlsx")
    found, rows = sheet_of(book, "Thôn, bản"), shown_villages(table)
    assert list(found.columns)[:3] == ["visit_rank", "village_name", "commune_name"]
    assert set(found.columns) == set(table.columns)
    assert len(found) == len(rows) == 9
    for name in ("village_id", "operator", "village_name"):
        assert found[name].tolist() == rows[name].tolist()
    for name in ("visit_rank", "no_signal_probability", "people", "households", "test_count",
                 "device_count", "failed_test_count", "no_service_count"):  # fmt: skip
        assert as_text(pd.to_numeric(found[name]).astype("float64")) == as_text(
            rows[name].astype("float64")
        ), name
    assert found["village_class"].tolist() == [texts.word(c, "vi") for c in rows["village_class"]]
    assert found["class_differs"].tolist() == [
        texts.word("yes" if one else "no", "vi") for one in rows["class_differs"]
    ]
    sheet = book["Thôn, bản"]
    assert sheet.auto_filter.ref.startswith("A2:")
    formulas = [c for row in sheet.iter_rows() for c in row if c.data_type == "f"]
    assert formulas == []
    assert FORMULA in found["village_name"].tolist()


def test_hidden_rows_carry_no_figure_in_the_sheet(outputs):
    found = sheet_of(opened(outputs / "tables/priorities.xlsx"), "Thôn, bản")
    hidden = found[found["device_count"].isna()]
    assert hidden["village_name"].tolist() == [FORMULA, FORMULA]
    assert hidden[[PUBLISHED_AS.get(name, name) for name in HIDDEN]].isna().all(axis=None)


def test_no_list_of_villages_no_sheet(without):
    assert "Thôn, bản" not in opened(without / "tables/priorities.xlsx").sheetnames


# --- packs


@pytest.mark.parametrize("operator", ["A", "B"])
def test_an_operators_pack_holds_its_villages(outputs, without, table, operator, tmp_path):
    name = f"villages_{operator}.csv"
    with zipfile.ZipFile(outputs / f"packs/{operator}.zip") as pack:
        pack.extract(name, tmp_path)
        assert "gis/villages.kml" in pack.namelist()
    found = pd.read_csv(tmp_path / name, dtype={"commune_code": str})
    own = table[table["operator"] == operator]
    assert found["village_id"].tolist() == own["village_id"].tolist()
    assert found["operator"].eq(operator).all()
    assert as_text(found["device_count"].astype("float64")) == as_text(own["device_count"])
    assert f"'{FORMULA}" in found["village_name"].tolist(), "a spreadsheet would calculate it"
    with zipfile.ZipFile(without / f"packs/{operator}.zip") as pack:
        assert name not in pack.namelist()


# --- report


def blocks_of(outputs: Path):
    return docx.Document(str(outputs / "report/monthly_report.docx"))


def test_the_report_counts_villages_by_class_and_operator(outputs, table):
    shown = cells(table_after(blocks_of(outputs), "Bảng 6."))
    assert shown[0][1:] == ["A", "B"]
    for row, name in zip(shown[1:], VILLAGE_CLASSES, strict=True):
        of_class = table[table["village_class"] == name]
        assert row[0] == texts.word(name, "vi")
        assert row[1:] == [str(int(of_class["operator"].eq(one).sum())) for one in ("A", "B")]
    assert sum(int(cell) for row in shown[1:] for cell in row[1:]) == len(table) == 12


@pytest.mark.parametrize(
    "sentence",
    [
        "Danh sách có 6 thôn, bản",
        # Bản Một below the target for B; Bản Năm, Bản Sáu without a gap; Bản Hai, the script's
        "Theo điện lưới: 3 thôn, bản có điện lưới, trong đó 1 được đề xuất",
        "2 chưa có điện lưới (2); 1 chưa rõ (1).",
        "Theo vùng: 3 thôn, bản đặc biệt khó khăn, trong đó 2 được đề xuất",
        "2 không thuộc diện này (1); 1 chưa rõ (1).",
        "Cần đến kiểm tra 3 thôn, bản (3 trường hợp thôn, bản × nhà mạng)",
        "Có 7 trường hợp thôn, bản × nhà mạng đã có phân loại chính thức",
        "phân loại đề xuất khác với danh sách ở 3 trường hợp.",
        "không phải là kết luận đã được xác nhận và không nói gì về tốc độ",
        "máy của nhà mạng thử đo nhưng dưới 3 thiết bị thì không nêu số liệu; ở nơi không có",
    ],
)
def test_the_reports_sentences_say_the_figures_counted_by_hand(outputs, sentence):
    assert sentence in body_text(blocks_of(outputs))


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize(("chance", "key"), [(None, "v_visits_unknown"), (0.1, "v_no_visits")])
def test_without_visits_the_report_says_whether_they_are_known(table, lang, chance, key):
    rows = table.assign(visit_rank=None, no_signal_probability=np.nan)
    rows.loc[rows.index[:1], "no_signal_probability"] = chance
    content = SimpleNamespace(lang=lang, say=lambda key: key)
    assert village_report._visits(content, rows) == [key]
    assert texts.text("report", key, lang)


@pytest.mark.slow
def test_where_no_village_has_a_usable_test_no_visit_is_known(tmp_path):
    """The report does not say that no village needs a visit."""
    latitude, longitude = centre("r0c0")
    away = [
        f"2026-10-{day:02d} 08:00:00,{latitude + 0.045:.6f},{longitude:.6f},10,V,4G,50,9,40,d"
        for day in (6, 7, 8)
    ]
    settings = write_world(tmp_path, {"2026-10": text(away)}, with_villages(tmp_path) + RULES)
    out = tmp_path / "out"
    asked = ("run", "--settings", settings, "--out", out, "--publish", "tables,report")
    code, said = run_lomsong(*asked, "--lang", "en")
    assert code == 0, said
    found = pd.read_parquet(out / "2026-10/tables/village_status.parquet")
    assert found["no_signal_probability"].isna().all()
    report = docx.Document(str(out / "2026-10/report/monthly_report.docx"))
    words = " ".join(one.text for one in report.paragraphs)
    assert "No village needs a visit" not in words
    assert "Which villages need a visit is not known" in words


def test_the_first_visits_and_the_differences_are_the_tables(outputs, table):
    document = blocks_of(outputs)
    visits = table[table["visit_rank"].notna()].sort_values("visit_rank")
    found = cells(table_after(document, "Bảng 7."))[1:]
    assert [row[:4] for row in found] == [
        ["1", "Bản Hai", "Xã r0c0", "A"],
        ["2", SCRIPT, "Xã r0c1", "B"],
        ["3", "Bản Năm", "Xã r2c2", "A"],
    ]
    assert [row[4] for row in found] == [
        percent(one, "vi") for one in visits["no_signal_probability"]
    ]
    assert [row[5] for row in found] == ["300", "200", "–"]
    found = cells(table_after(document, "Bảng 8."))[1:]
    assert [row[:5] for row in found] == [
        ["Bản Hai", "Xã r0c0", "A", "không có sóng", "sóng yếu hoặc chỉ có ở một phần"],
        [SCRIPT, "Xã r0c1", "B", "không có sóng", "có sóng"],
        ["Bản Sáu", "Xã r3c3", "B", "đạt mục tiêu", "không có sóng"],
    ]


def test_the_annex_lists_gaps_proposed_or_official(outputs):
    document = blocks_of(outputs)
    assert [one.orientation for one in document.sections] == [
        WD_ORIENT.PORTRAIT,
        WD_ORIENT.LANDSCAPE,
    ]
    assert "DANH SÁCH THÔN, BẢN TRẮNG SÓNG, LÕM SÓNG (ĐỀ XUẤT)" in body_text(document)
    found = cells(table_after(document, "Thôn, bản × nhà mạng: 7 trong 7"))
    assert found[0] == ["TT", "Thôn, bản", "Xã, phường", "Số hộ", "Số dân", "Điện lưới", "ĐBKK",
                        "Nhà mạng", "Phân loại đề xuất", "Căn cứ", "Phân loại chính thức",
                        "Ghi chú"]  # fmt: skip
    assert [(row[0], row[1], row[7]) for row in found[1:]] == [
        ("1", "Bản Một", "B"), ("2", "Bản Hai", "A"), ("3", SCRIPT, "A"), ("4", SCRIPT, "B"),
        ("5", FORMULA, "A"), ("6", FORMULA, "B"), ("7", "Bản Sáu", "B"),
    ]  # fmt: skip
    assert found[2][3:7] == ["60", "300", "không", "có"]
    assert found[2][11] == "xác suất không có sóng 93 %; đến kiểm tra thứ 1; khác danh sách"
    assert found[5] == ["5", FORMULA, "Xã r1c0", "–", "100", "–", "–", "A", "chưa biết",
                        "quá ít thiết bị", "không có sóng", ""]  # fmt: skip


def test_headings_are_numbered_in_order_with_villages_and_without(outputs, without):
    for folder, count in ((outputs, 9), (without, 8)):
        heads = re.findall(r"^([IVX]+)\. ([^\n]*)$", body_text(blocks_of(folder)), re.MULTILINE)
        assert [roman for roman, _ in heads] == ["I", "II", "III", "IV", "V", "VI", "VII", "VIII",
                                                 "IX"][:count]  # fmt: skip
        assert ("THÔN, BẢN" in [name for _, name in heads]) == (count == 9)


def test_no_list_of_villages_no_section_and_no_annex(without):
    document = blocks_of(without)
    assert "thôn, bản" not in body_text(document).casefold()
    assert len(document.sections) == 1


def test_a_list_that_states_no_official_class_and_no_electricity(outputs):
    said = about("2026-10", min_devices=3)
    rows = village_table(squares()).assign(
        official_class=None, class_differs=False, has_grid_power=None, is_difficult_zone=None,
        visit_rank=pd.Series([None] * 12, dtype="Int64"), village_class="meets",
    )  # fmt: skip
    content = Content({}, ["A", "B"], said)
    said = [one.text for one in village_blocks(content, rows) if isinstance(one, Paragraph)]
    assert any("không ghi phân loại chính thức" in text for text in said)
    assert any("Không có thôn, bản nào cần đến kiểm tra" in text for text in said)
    assert not any(text.startswith(("Theo điện lưới", "Theo vùng")) for text in said)
    last = village_annex(content, rows).blocks[-1]
    assert isinstance(last, Paragraph)
    assert last.text.startswith("Không có thôn, bản nào được đề xuất")
