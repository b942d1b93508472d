"""`lomsong sites` and the files of a plan of sites: figures, formulas, faults, privacy, bytes."""

from __future__ import annotations

import json
import re
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import replace
from xml.etree import ElementTree

import docx
import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
from PIL import Image

from pipeline.measurements.fingerprints import of_texts
from pipeline.publish.gap_map import palette
from pipeline.publish.guard import PrivacyBreach
from pipeline.publish.report.blocks import Paragraph, Sheet
from pipeline.publish.report.content import Content
from pipeline.publish.report.sites import site_blocks
from pipeline.publish.site_files import publish_sites
from pipeline.publish.sites import FILES, TABLES, points, write_sites
from pipeline.publish.sites.about import SitesAbout, phrase
from pipeline.publish.sites.curve import curve_points
from pipeline.schema import texts
from pipeline.schema.column_labels import heading
from pipeline.schema.columns import TABLES as COLUMNS
from pipeline.schema.periods import Period
from pipeline.schema.tables import validated, with_declared_dtypes
from tests.builders import about, month_of_tests, read_page, run_lomsong, write_world
from tests.map_page import Seen

FORMULA, SCRIPT = "=1+1", "<script>alert('&')</script>"
ABOUT = SitesAbout(
    Period.parse("2026-10"), "Bốn ô", "vi", "", "triệu đồng", 30.0,
    {"--budget": 30.0, "--shared": True, "site_plan.spectral_efficiency": (1.1, 2.2),
     "costs.solar": None},
    5, np.zeros(0, dtype=np.uint64),
)  # fmt: skip


def table(name: str, rows: list[dict]) -> pd.DataFrame:
    """A declared table of some columns; the others are empty."""
    frame = pd.DataFrame(rows).reindex(columns=list(COLUMNS[name]))
    return validated(name, with_declared_dtypes(name, frame))


def a_plan(*, is_priced: bool = True) -> pd.DataFrame:
    """Three sites for 10, 5 + 5 (two operators on one tower) and 8, and a runner-up."""
    rows = [
        # rank, site, operator, action, latitude, longitude, closed, cost
        (1, "S001", "A", "upgrade", 22.05, 103.05, 90.0, 10.0),
        (2, FORMULA, "A", "new_site", 22.06, 103.15, 40.0, 5.0),
        (2, FORMULA, SCRIPT, "new_site", 22.06, 103.15, 20.0, 5.0),
        (3, "P0007", SCRIPT, "new_site", 22.25, 103.123457, 12.5, 8.0),
        (None, "P0009", "A", "new_site", 22.35, 103.35, 7.0, 9.0),
    ]
    names = ("site_rank", "site_id", "operator", "site_action", "site_latitude", "site_longitude",
             "person_gap_closed", "cost")  # fmt: skip
    plan = pd.DataFrame(rows, columns=list(names))
    is_chosen = plan["site_rank"].notna()
    sums = plan[is_chosen].groupby("site_rank")[["cost", "person_gap_closed"]].sum().cumsum()
    plan = plan.assign(
        site_state=np.where(is_chosen, "chosen", "runner_up"),
        commune_code="r0c0",
        commune_name="Xã r0c0",
        people_in_reach=4 * plan["person_gap_closed"],
        people_short=2 * plan["person_gap_closed"],
        person_gap_closed_lo=plan["person_gap_closed"] / 2,
        person_gap_closed_hi=plan["person_gap_closed"] * 2,
        cumulative_cost=plan["site_rank"].map(sums["cost"]),
        cumulative_closed=plan["site_rank"].map(sums["person_gap_closed"]),
    )
    plan["cumulative_closed_lo"] = plan["cumulative_closed"] * 0.75
    plan["cumulative_closed_hi"] = plan["cumulative_closed"] * 1.5
    if not is_priced:
        plan[["cost", "cumulative_cost"]] = np.nan
    return table("site_plan", plan.to_dict("records"))


def all_tables(plan: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    unit = {"commune_code": "r0c0", "commune_name": "Xã r0c0", "operator": "A"}
    reach = unit | {
        "site_rank": 1, "site_id": "S001", "site_action": "upgrade", "status": "confirmed_gap",
        "device_count": 12, "gap_probability": 0.99, "mean_mbps": 20.0, "short_share": 0.5,
        "place_count": 2, "people_in_reach": 450.0, "coverage_probability": 0.8,
        "closed_share": 0.25, "person_gap_closed": 90.0,
    }  # fmt: skip
    question = unit | {"status": "probable_gap", "gap_chance": 0.9, "value_of_knowing": 3.0,
                       "changes_plan": True}  # fmt: skip
    shared = {
        "commune_code": "r0c0", "commune_name": "Xã r0c0", "boundary_vintage": "test",
        "period": "2026-10", "population": 1000.0,
    }  # fmt: skip
    sharing = [
        shared | {"sharing_class": "one_meets", "sharing_action": "roam_or_share",
                  "operators_good": "B", "operators_short": "A", "operators_open": SCRIPT,
                  "host_operator": "B", "host_site_id": "S002", "host_km": 2.5},
        shared | {"commune_code": "r0c1", "sharing_class": "nothing_known",
                  "sharing_action": "measure_more", "operators_open": f"{SCRIPT};A;B"},
    ]  # fmt: skip
    return {
        "site_plan": a_plan() if plan is None else plan,
        "site_reach": table("site_reach", [reach]),
        "site_questions": table("site_questions", [question]),
        "sharing": table("sharing", sharing),
    }


# --- the workbook's formulas, computed once more by hand of Python


class Book:
    """The first sheet, with limits typed into it."""

    def __init__(self, path, **typed: float | None) -> None:
        self.sheet = openpyxl.load_workbook(path).worksheets[0]
        self.cached = openpyxl.load_workbook(path, data_only=True).worksheets[0]
        for cell, value in typed.items():
            self.sheet[cell] = value

    def cell(self, name: str) -> object:
        value = self.sheet[name].value
        if not (isinstance(value, str) and value.startswith("=") and self.is_formula(name)):
            return "" if value is None else value
        text = re.sub(r"\$([A-Z]+)\$(\d+):\$([A-Z]+)\$(\d+)", r'rng("\1\2","\3\4")', value[1:])
        text = re.sub(r"\$([A-Z]+)\$?(\d+)", r'one("\1\2")', text)
        text = text.replace('=""', '==""').replace('"<="&', '"<=",')
        text = re.sub(r"SUMIF\((rng\([^)]*\)),1,", r'SUMIF(\1,"==",1,', text)
        names = {
            "rng": self.range, "one": self.cell, "SUMIF": sum_if, "LOOKUP": look_up,
            "SUMPRODUCT": lambda array: float(np.sum(array)), "MAX": np.max,
            "IF": lambda test, yes, no: yes if test else no,
            "AND": lambda *tests: all(tests), "OR": lambda *tests: any(tests),
        }  # fmt: skip
        # a limit that is empty compares with nothing: OR decides before it
        text = re.sub(r'OR\((one\("\w+"\)==""),', r"OR(\1 or ", text)
        return eval(text, {"__builtins__": {}}, names)  # noqa: S307 - a formula that we wrote

    def is_formula(self, name: str) -> bool:
        return self.sheet[name].data_type == "f"

    def range(self, first: str, last: str) -> np.ndarray:
        return np.array([self.cell(one.coordinate) for (one,) in self.sheet[f"{first}:{last}"]])

    def formulas(self) -> list[str]:
        return [c.coordinate for row in self.sheet.iter_rows() for c in row if c.data_type == "f"]

    def sums(self) -> dict[str, float]:
        """Sums by their labels, in the order of the sheet."""
        rows = range(3, 8)
        return {str(self.sheet[f"F{r}"].value): self.cell(f"I{r}") for r in rows
                if self.sheet[f"F{r}"].value}  # fmt: skip


def sum_if(values: np.ndarray, sign: str, limit: float, summed: np.ndarray) -> float:
    kept = values <= limit if sign == "<=" else values == limit
    return float(summed[kept].sum())


def look_up(value: float, values: np.ndarray, found: np.ndarray) -> float:
    at = np.flatnonzero(values <= value)
    return float(found[at[-1]]) if len(at) else np.nan  # Excel's IF does not ask then


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites")
    write_sites(folder, all_tables(), ABOUT)
    return folder


def test_every_formulas_kept_result_is_what_it_computes(written):
    book = Book(written / "site_plan.xlsx")
    cells = book.formulas()
    assert len(cells) == 4 * 3 + 5 + 2
    for name in cells:
        assert book.cell(name) == pytest.approx(book.cached[name].value), name


@pytest.mark.parametrize(
    ("limits", "built"),
    [
        ((30, 3), (3, 28, 162.5, 121.875)), ((28, 3), (3, 28, 162.5, 121.875)),
        ((27, 3), (2, 20, 150, 112.5)), ((19.99, 3), (1, 10, 90, 67.5)),
        ((10, None), (1, 10, 90, 67.5)), ((None, 2), (2, 20, 150, 112.5)),
        ((None, None), (3, 28, 162.5, 121.875)), ((9, 3), (0, 0, 0, 0)), ((30, 0), (0, 0, 0, 0)),
    ],
)  # fmt: skip
def test_another_budget_builds_the_first_sites_that_it_pays(written, limits, built):
    sites, cost, closed, low = built
    book = Book(written / "site_plan.xlsx", D4=limits[0], D5=limits[1])
    assert list(book.sums().values()) == pytest.approx(
        [sites, cost, 4 * closed, 2 * closed, closed]
    )
    assert book.cell("J7") == pytest.approx(low)
    assert list(book.sums()) == [
        phrase(key, "vi")
        for key in ("sum_sites", "sum_cost", "sum_reach", "sum_short", "sum_closed")
    ]


def test_a_cost_that_is_typed_moves_the_sums(written):
    book = Book(written / "site_plan.xlsx", M11=25.0)
    assert list(book.sums().values())[:2] == [1, 25]


def test_without_costs_the_number_of_sites_is_the_only_limit(tmp_path):
    plan = a_plan(is_priced=False)
    write_sites(tmp_path, all_tables(plan), replace(ABOUT, budget=None))
    book = Book(tmp_path / "site_plan.xlsx", D5=2)
    assert book.sheet["A4"].value is None
    assert list(book.sums().values()) == pytest.approx([2, 600, 300, 150])
    assert curve_points(plan)["at"].tolist() == [0, 1, 2, 3]


def test_an_empty_plan_has_its_files_too(tmp_path):
    tables = all_tables(a_plan().head(0)) | {
        name: all_tables()[name].head(0) for name in ("site_reach", "site_questions")
    }
    write_sites(tmp_path, tables, ABOUT)
    book = Book(tmp_path / "site_plan.xlsx")
    assert list(book.sums().values()) == [0, 0, 0, 0]
    assert len(gpd.read_file(tmp_path / "sites.gpkg")) == 0
    with Image.open(tmp_path / "site_curve.png") as picture:
        assert picture.size[0] > 1000


# --- all files say the same


def placemarks(path) -> list[dict[str, str]]:
    """Lines `heading: value` of the descriptions."""
    marks = [e for e in ElementTree.parse(path).iter() if e.tag.endswith("}Placemark")]
    lines = [e.text or "" for mark in marks for e in mark if e.tag.endswith("}description")]
    return [dict(one.split(": ", 1) for one in text.splitlines() if ": " in one) for text in lines]


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_csv_workbook_geopackage_and_kml_have_the_same_figures(tmp_path, lang):
    write_sites(tmp_path, all_tables(), replace(ABOUT, lang=lang))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    csv = pd.read_csv(tmp_path / "site_plan.csv", encoding="utf-8-sig")
    sheet = openpyxl.load_workbook(tmp_path / "site_plan.xlsx", data_only=True).worksheets[0]
    rows = list(sheet.iter_rows(min_row=10, values_only=True))
    book = pd.DataFrame(rows[1:], columns=rows[0])
    layer = gpd.read_file(tmp_path / "sites.gpkg", layer="sites")
    marks = placemarks(tmp_path / "sites.kml")
    names = ["people_in_reach", "people_short", "person_gap_closed", "person_gap_closed_lo",
             "person_gap_closed_hi", "cost", "cumulative_closed", "cumulative_cost"]  # fmt: skip
    for name in names:
        own = csv[name].to_numpy()
        assert pd.to_numeric(book[name]).to_numpy() == pytest.approx(own, nan_ok=True), name
        assert layer[name].to_numpy() == pytest.approx(own, nan_ok=True), name
        digits = 1 if "cost" in name else 0
        shown = ["–" if pd.isna(one) else texts.number(one, lang, digits) for one in own]
        assert [mark[heading(name, lang)] for mark in marks] == shown, name
    assert set(book.columns) == {*csv.columns, "within_budget"}
    assert layer.geometry.x.tolist() == csv["site_longitude"].tolist()
    assert layer["site_id"].tolist() == ["S001", FORMULA, FORMULA, "P0007", "P0009"]
    assert csv["site_id"].tolist()[1] == "'" + FORMULA, "spreadsheets must not compute it"
    assert "<script>" not in (tmp_path / "sites.kml").read_text(encoding="utf-8")
    title = sheet["A1"].value
    assert title.startswith(phrase("title", lang))
    assert sheet["A3"].value == phrase("modelled", lang)


def test_the_curve_ends_where_the_plan_does():
    points = curve_points(a_plan())
    assert points.to_numpy().tolist() == [
        [0, 0, 0, 0], [10, 90, 67.5, 135], [20, 150, 112.5, 225], [28, 162.5, 121.875, 243.75],
    ]  # fmt: skip


def test_sharing_and_assumptions_are_in_the_workbook(written):
    book = openpyxl.load_workbook(written / "site_plan.xlsx")
    assert book.sheetnames == [
        phrase(f"sheet_{name}", "vi")
        for name in ("plan", "reach", "questions", "sharing", "assumptions")
    ]
    sheet = book.worksheets[3]
    assert [c.value for c in sheet[1]][3:6] == [SCRIPT, "A", "B"]
    cells = [c.value for c in sheet[3]][3:7]
    assert cells == ["chưa rõ", "lõm", "đạt", "Một mạng đạt"]
    fills = [sheet.cell(3, column).fill.fgColor.rgb for column in (4, 5, 6)]
    assert len(set(fills)) == 3
    said = {row[0].value: row[1].value for row in book.worksheets[4].iter_rows()}
    assert said["site_plan.spectral_efficiency"] == "1,1 – 2,2"
    assert (said["--shared"], said["costs.solar"]) == ("có", "–")
    assert phrase("modelled", "vi") in said


def test_the_same_plan_gives_the_same_bytes(tmp_path):
    for name in ("first", "second"):
        write_sites(tmp_path / name, all_tables(), replace(ABOUT, notice="Số liệu minh họa"))
    for name in FILES:
        first, second = ((tmp_path / f / name).read_bytes() for f in ("first", "second"))
        assert first == second, name


def test_a_device_among_the_names_is_not_published_and_the_former_plan_stays(tmp_path):
    device = "356938035643809"
    about = replace(ABOUT, device_prints=np.sort(of_texts(pd.Series([device], dtype="str"))))
    folder = tmp_path / "2026-10" / "sites"
    assert publish_sites(folder, all_tables(), about) == [folder / name for name in FILES]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    plan = a_plan().assign(place_name=pd.array([device] * 5, dtype="str"))
    with pytest.raises(PrivacyBreach, match=device):
        publish_sites(folder, all_tables(plan), about)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    # a site that is called so is the list's, not a test's
    publish_sites(folder, all_tables(a_plan().assign(site_id=device)), about)


def test_a_point_elsewhere_than_its_row_says_is_not_published(tmp_path, monkeypatch):
    def moved(plan):
        layer = gpd.GeoDataFrame(plan, geometry=gpd.points_from_xy(*2 * [plan["site_latitude"]]))
        return layer.set_crs("EPSG:4326")

    monkeypatch.setattr(points, "site_layer", moved)
    with pytest.raises(PrivacyBreach, match="POINT"):
        publish_sites(tmp_path / "2026-10" / "sites", all_tables(), ABOUT)


def blocks_of(**tables: pd.DataFrame) -> list:
    held = Content(tables, ["A", SCRIPT], about("2026-10", lang="en", currency="USD"))
    return site_blocks(held, tables)


def test_the_reports_section_stands_without_what_a_run_leaves_out_when_empty():
    said = [b.text for b in blocks_of(site_plan=a_plan().tail(1)) if isinstance(b, Paragraph)]
    assert said[1].startswith("No site closes")
    assert said[2].endswith("would not change the plan.")
    tables = {name: all_tables()[name] for name in ("site_plan", "site_reach")}
    blocks = blocks_of(**tables)
    said = [block.text for block in blocks if isinstance(block, Paragraph)]
    assert "3 sites" in said[1]
    assert "163 people, equivalent (122 to 244: 5th" in said[1]
    assert said[2].endswith(": 28.0 USD.")
    assert said[3].startswith("Of the person gap closed, 90 people")
    sheet = next(block for block in blocks if isinstance(block, Sheet))
    assert [row[0] for row in sheet.rows] == ["1", "2", "2", "3"]
    assert sheet.rows[3][6:] == ["13 (6–25)", "8.0", "163"]
    assert sum(sheet.widths_cm) == pytest.approx(16.0), "between the margins"
    tables["site_plan"] = a_plan(is_priced=False)
    blocks = blocks_of(**tables)
    assert not any("USD" in block.text for block in blocks if isinstance(block, Paragraph))
    sheet = next(block for block in blocks if isinstance(block, Sheet))
    assert [len(sheet.headings), len(sheet.rows[0]), len(sheet.widths_cm)] == [8, 8, 8]


# --- the command

SLOW = [8.1, 12.4, 15.0, 17.2, 18.8, 20.5, 22.3, 24.0, 26.9, 29.5, 33.0, 38.6]
FAST = [44.0, 47.5, 51.2, 55.0, 57.3, 60.1, 62.8, 66.4, 70.9, 75.5, 81.2, 88.0]
SETTINGS = """[operators]
A = []
B = []
[sites]
path = "sites.csv"
[costs]
currency = "triệu đồng"
new_site = 900
upgrade = 300
shared_site = 200
[report]
pdf = false
"""
SITES = """site_id,operator,latitude,longitude,technology,band,height,candidate
S1,A,22.05,103.05,4G,1800,42,
S2,B,22.051,103.06,4G,1800,42,
S3,B,22.05,103.16,2G,1800,42,
N1,,22.06,103.15,,,,x
N2,,22.25,103.15,,,,x
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    plan = {("r0c0", "A"): SLOW, ("r0c0", "B"): FAST, ("r0c1", "A"): SLOW, ("r0c1", "B"): SLOW[:10],
            ("r1c0", "A"): FAST}  # fmt: skip
    (folder / "sites.csv").write_text(SITES, encoding="utf-8")
    return write_world(folder, {"2026-10": month_of_tests("2026-10", plan)}, SETTINGS)


@pytest.mark.slow
def test_the_command_plans_and_says_what_it_found(lomsong, world):
    run = ("sites", "--settings", world, "--out", world.parent / "outputs", "--budget", 1300)
    code, text = lomsong(*run, "--shared", "--lang", "en")
    assert code == 0, text
    folder = world.parent / "outputs/2026-10/sites"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert all(str(folder / name) in text for name in FILES)
    assert "modelled (docs/investment.md), not measured" in text
    plan = pd.read_csv(folder / "site_plan.csv", encoding="utf-8-sig")
    chosen = plan[plan["site_state"] == "chosen"]
    closed, cost = chosen["person_gap_closed"].sum(), chosen["cost"].sum()
    assert 0 < cost <= 1300
    said = f"{chosen['site_rank'].nunique()} sites; person gap closed {closed:,.0f} ("
    assert said in text
    assert f"; cost {cost:,.1f}; distance to the optimum 0 %" in text
    assert "if only confirmed gaps are real" in text
    reach = pd.read_csv(folder / "site_reach.csv", encoding="utf-8-sig")
    assert reach["person_gap_closed"].sum() == pytest.approx(closed)
    assert set(chosen["site_action"]) <= {"new_site", "shared_site", "upgrade"}
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert lomsong(*run, "--shared", "--lang", "en", "--period", "2026-10")[0] == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.slow
def test_a_radius_replaces_the_model_and_one_operator_builds_alone(lomsong, world, tmp_path):
    run = ("sites", "--settings", world, "--out", tmp_path, "--sites", 5, "--operator", "A")
    found = {}
    for radius in (0.5, 20.0):
        assert lomsong(*run, "--radius-km", radius)[0] == 0
        folder = tmp_path / "2026-10/sites"
        found[radius] = pd.read_csv(folder / "site_reach.csv", encoding="utf-8-sig")
        assert set(found[radius]["operator"]) <= {"A"}
        assert set(found[radius]["coverage_probability"]) <= {1.0}
    assert set(found[0.5]["commune_code"]) == {"r0c0"}
    assert set(found[20.0]["commune_code"]) == {"r0c0", "r0c1"}


def planned(world, folder, parts: str):
    """Outputs of a run whose settings ask for two sites."""
    settings = world.with_name("planned.toml")
    text = world.read_text(encoding="utf-8")
    settings.write_text(f"{text}[site_plan]\nsites = 2\nshared = true\n", encoding="utf-8")
    run = ("run", "--settings", settings, "--out", folder, "--lang", "en")
    code, text = run_lomsong(*run, "--publish", parts)
    assert code == 0, text
    return folder / "2026-10"


@pytest.fixture(scope="module")
def month(world, tmp_path_factory):
    return planned(world, tmp_path_factory.mktemp("month"), "tables,gis,report")


@pytest.fixture(scope="module")
def with_map(world, tmp_path_factory):
    return planned(world, tmp_path_factory.mktemp("map"), "tables,map")


def read(path) -> pd.DataFrame:
    return pd.read_csv(path, encoding="utf-8-sig", dtype={"site_rank": "Int64"})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*xtension is not supported:UserWarning")  # bars
def test_a_run_takes_the_plan_along(month):
    for name in TABLES:
        csv, parquet = (month / f"tables/{name}.{end}" for end in ("csv", "parquet"))
        assert len(read(csv)) == len(pd.read_parquet(parquet)), name
    package = json.loads((month / "tables/datapackage.json").read_text(encoding="utf-8"))
    assert {f"{name}.csv" for name in TABLES} <= {one["path"] for one in package["resources"]}
    dictionary = read(month / "tables/data_dictionary.csv")
    assert set(TABLES) <= set(dictionary["table_name"])
    plan = read(month / "tables/site_plan.csv")
    book = openpyxl.load_workbook(month / "tables/priorities.xlsx")
    for name, sheet in (("site_plan", "plan"), ("sharing", "sharing")):
        rows = list(book[phrase(f"sheet_{sheet}", "en")].iter_rows(min_row=2, values_only=True))
        assert len(rows) - 1 == len(read(month / f"tables/{name}.csv")), name
        assert set(rows[0]) == set(COLUMNS[name])
    sheet = book[phrase("sheet_plan", "en")]
    at = [cell.value for cell in sheet[2]].index("person_gap_closed") + 1
    shown = [sheet.cell(row, at).value for row in range(3, 3 + len(plan))]
    assert shown == pytest.approx(plan["person_gap_closed"].tolist())


@pytest.mark.slow
def test_a_runs_maps_for_gis_have_the_sites(month):
    plan = read(month / "tables/site_plan.csv")
    layer = gpd.read_file(month / "gis/coverage_gaps.gpkg", layer="sites")
    assert layer["person_gap_closed"].tolist() == pytest.approx(plan["person_gap_closed"].tolist())
    with closing(sqlite3.connect(month / "gis/coverage_gaps.gpkg")) as base:
        found = base.execute("SELECT styleQML FROM layer_styles WHERE f_table_name = 'sites'")
        style = found.fetchone()[0]
    assert style.count('value="star"') == 2
    assert 'label="Runner-up"' in style
    with zipfile.ZipFile(month / "gis/coverage_gaps.qgz") as project:
        assert (
            "Planned sites (modelled, not measured)" in project.read("coverage_gaps.qgs").decode()
        )
    assert len(placemarks(month / "gis/sites.kml")) == len(plan)


@pytest.mark.slow
def test_the_report_says_what_the_tables_say(month):
    document = docx.Document(month / "report/monthly_report.docx")
    said = [paragraph.text for paragraph in document.paragraphs]
    plan, reach, questions = (
        read(month / f"tables/{name}.csv") for name in ("site_plan", "site_reach", "site_questions")
    )
    chosen = plan[plan["site_state"] == "chosen"]
    last = chosen.iloc[-1]
    at = next(n for n, text in enumerate(said) if text.endswith("PLAN OF SITES"))
    assert "modelled in this section, not measured" in said[at + 1]
    figures = (last[f"cumulative_closed{end}"] for end in ("", "_lo", "_hi"))
    closed, low, high = (texts.number(one, "en") for one in figures)
    assert f"{last['site_rank']} sites" in said[at + 2]
    assert f"{closed} people, equivalent ({low} to {high}: 5th" in said[at + 2]
    assert f"{last['cumulative_cost']:,.1f} triệu đồng" in said[at + 3]
    sure = reach.loc[reach["status"] == "confirmed_gap", "person_gap_closed"].sum()
    assert f"Of the person gap closed, {texts.number(sure, 'en')} people" in said[at + 4]
    named = questions.loc[questions["changes_plan"], "commune_name"].head(5)
    assert all(name in said[at + 5] for name in named)
    headings = [[cell.text for cell in table.rows[0].cells] for table in document.tables]
    table = document.tables[headings.index(next(h for h in headings if "Action" in h))]
    assert len(table.rows) == 1 + len(chosen)
    assert table.rows[1].cells[1].text == chosen["site_id"].iloc[0]


@pytest.mark.slow
def test_the_page_holds_the_sites_of_the_table(with_map):
    data, plan = (
        read_page(with_map / "maps/coverage_gaps.html"),
        read(with_map / "tables/site_plan.csv"),
    )
    held = {
        (site["name"], data["operators"][row["operator"]], site["state"]): row["closed"]
        for site in data["sites"] for row in site["rows"]
    }  # fmt: skip
    keys = zip(plan["site_id"], plan["operator"], plan["site_state"], strict=True)
    assert held == pytest.approx(dict(zip(keys, plan["person_gap_closed"], strict=True)))
    codes = [commune["id"] for commune in data["communes"]]
    found = {site["name"]: codes[site["commune"]] for site in data["sites"]}
    assert found == dict(zip(plan["site_id"], plan["commune_code"], strict=True))
    shapes = [mark.shape for mark in palette.VILLAGE_MARKS.values()]
    assert {mark["shape"] for mark in data["site_marks"].values()}.isdisjoint(shapes)


@pytest.mark.slow
@pytest.mark.browser
def test_the_map_shows_them_as_modelled_and_takes_them_off(with_map, browser):
    plan = read(with_map / "tables/site_plan.csv")
    chosen = plan[plan["site_state"] == "chosen"]
    seen = Seen(
        browser, with_map / "maps/coverage_gaps.html", reduced_motion="reduce",
        viewport={"width": 1366, "height": 768},
    ).ready()  # fmt: skip
    page = seen.page
    items = {li.get_attribute("data-key"): li.query_selector(".count").inner_text()
             for li in page.query_selector_all("#legend-sites li")}  # fmt: skip
    counts = plan.groupby("site_state")["site_id"].nunique()
    assert items == {key: str(counts.get(key, 0)) for key in ("chosen", "runner_up")}
    assert "modelled, not measured" in page.inner_text("#legend-sites-unit")
    first = chosen.iloc[0]
    at = [first["site_latitude"], first["site_longitude"]]
    page.evaluate("at => map_lomsong.setView(at, 12, {animate: false})", at)
    with_star = page.screenshot()
    box = page.query_selector(".map").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    line = page.inner_text(f'#card-sites li[data-site="{first["site_id"]}"]')
    assert line.startswith(f"1. {first['site_id']}")
    assert f"closes a person gap of {texts.number(first['person_gap_closed'], 'en')} (" in line
    assert "modelled" in page.inner_text(".tip")
    page.keyboard.press("Escape")
    page.evaluate("at => map_lomsong.setView(at, 12, {animate: false})", at)
    page.uncheck("#sites", force=True)
    assert page.query_selector_all("#legend-sites li") == []
    assert page.screenshot() != with_star
    assert "sites=0" in page.url
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    assert not page.is_checked("#sites")
    assert seen.complaints == []
    seen.context.close()


@pytest.mark.slow
def test_without_a_plan_nothing_of_it_is_published(lomsong, world, tmp_path):
    run = ("run", "--settings", world, "--out", tmp_path, "--lang", "en")
    code, text = lomsong(*run, "--publish", "tables,gis,report")
    assert code == 0, text
    folder = tmp_path / "2026-10"
    assert (folder / "tables/sharing.csv").is_file(), "who may share needs no plan"
    assert not (folder / "tables/site_plan.csv").exists()
    assert not (folder / "gis/sites.kml").exists()
    said = [p.text for p in docx.Document(folder / "report/monthly_report.docx").paragraphs]
    assert not any("PLAN OF SITES" in text for text in said)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((), "found –"),
        (("--sites", 3, "--budget", 5), "found --sites 3 --budget 5.0"),
        (("--sites", 0), "found --sites 0"),
        (("--budget", -1), "found --budget -1.0"),
        (("--budget", "inf"), "found --budget inf"),
        (("--sites", 3, "--operator", "A", "--shared"), "--operator A and --shared exclude"),
        (("--sites", 3, "--radius-km", 0), "--radius-km: found 0.0"),
        (("--sites", 3, "--payer", "me"), "me: fund | operators"),
        (("--sites", 3, "--operator", "X"), "no tests of operator “X”; expected one of: A, B"),
        (("--sites", 3, "--payer", "fund"), "--payer: no village is listed"),
        (("--sites", 3, "--period", "soon"), "soon"),
    ],
)  # fmt: skip
def test_faults_are_named_and_end_with_2(lomsong, world, tmp_path, given, words):
    code, text = lomsong("sites", "--settings", world, "--out", tmp_path, "--lang", "en", *given)
    assert code == 2, text
    assert words in " ".join(text.replace("│", " ").split())
    assert not (tmp_path / "2026-10").exists()


def test_a_budget_without_costs_is_a_fault(lomsong, tmp_path):
    tests = month_of_tests("2026-10", {("r0c0", "A"): SLOW[:3]})
    settings = write_world(tmp_path, {"2026-10": tests})
    run = ("sites", "--settings", settings, "--out", tmp_path / "outputs", "--lang", "en")
    code, text = lomsong(*run, "--budget", 5)
    assert code == 2, text
    assert "fill in [costs]" in text


def test_the_help_has_an_example():
    from typer.testing import CliRunner

    from pipeline import cli

    text = CliRunner().invoke(cli.app, ["sites", "--help"]).output
    assert "lomsong sites --sites 20" in text
    assert "Lập kế hoạch đầu tư trạm" in text
