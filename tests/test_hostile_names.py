"""Names that are code elsewhere stand as text in every output: nothing runs, nothing stops."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import zipfile
from contextlib import closing
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import docx
import geopandas as gpd
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from pipeline.schema import texts
from pipeline.schema.errors import Fault
from pipeline.sources.cells.spellings import tidy
from tests.builders import centre, read_page, run_lomsong, squares, write_boundaries
from tests.map_page import Seen
from tests.test_outputs import everything_in

RAN = "ran"  # what a name that runs as code leaves behind
HOSTILE = [
    "{{ cycler.__init__.__globals__.os.mkdir('ran') }}",
    "{{ 7*7 }}{# ",
    "{% raw %}{% endraw %}{% for",
    "</script><script>window.ran = 1</script>",
    '<img src=x onerror="window.ran = 1">&amp;',
    "\"'&<>`${window.ran=1}\\",
    '=HYPERLINK("http://x","y")',
    "@SUM(1+1)",
    "a\u2028b\u2029c\u202ed\u202c",
    (
        "$\\frac{1}{0}$ {0} {name} {0.__class__} %s %(a)s %n "
        "\\N{BULLET} \\u0041 _x0041_ &#65; [% 7*7 %]"
    ),
    "../../../ran|layername=x",
    "__proto__",
    "a\x07b\x1b[2Jc",
    "CON",
    "A; B: C | all",
    "Mạng " * 60,
]


def as_read(name: str) -> str:
    """A name as a run keeps it: control characters are blanks, stray blanks are gone."""
    return "".join(" " if c < " " or c in "\u2028\u2029" else c for c in name).strip()


NAMES = [as_read(name) for name in HOSTILE]
# operators that the data name come without characters that are drawn as nothing
MET = {"hostile": [tidy(name) for name in NAMES], "declared": NAMES}


ALIAS = " {{ 7*7 }} {0} %s"  # what the data call an operator, behind its name


def write_hostile_world(folder: Path, *, declared: bool = False) -> Path:
    """Inputs and settings in which every text is one of HOSTILE.

    Operators are named by the data or, where `declared`, by settings that list their aliases.
    """
    communes = squares()
    codes = communes["commune_code"].tolist()
    communes["commune_name"] = HOSTILE
    path = write_boundaries(folder / "boundaries.geojson", communes)
    features = json.loads(path.read_text(encoding="utf-8"))
    for number, feature in enumerate(features["features"]):
        feature["properties"] |= {
            "district": HOSTILE[-1 - number],
            "province": HOSTILE[number % 8],
            "old": HOSTILE[3 - number],
        }
    path.write_text(json.dumps(features), encoding="utf-8")
    frame = pd.DataFrame(
        {"new_ward_code": codes, "old_ward_name": HOSTILE, "old_district_name": HOSTILE}
    )
    frame.to_csv(folder / "crosswalk.csv", index=False)
    (folder / "raw").mkdir()
    with (folder / "raw/{{ 7*7 }}{# '<b>.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(
            [
                "measured_at",
                "latitude",
                "longitude",
                "operator",
                "technology",
                "download_mbps",
                "device_id",
                "test_id",
                "{{ 7*7 }}{#",
            ]
        )
        for number, operator in enumerate(HOSTILE):
            latitude, longitude = centre(codes[number], communes)
            for device in range(14):
                for day in range(3):
                    hour = 8 + 12 * (device % 2)
                    time = f"2026-10-{day + 1:02d} {hour:02d}:{number:02d}:{device:02d}"
                    ids = (f"{operator}/device-{device:02d}", f"{operator}{device} {day}")
                    speed = 10 + device / 9
                    met = f"{as_read(operator)}{ALIAS}" if declared else operator
                    table.writerow((time, latitude, longitude, met, "4G", speed, *ids, operator))
        for number, technology in enumerate(HOSTILE):
            table.writerow(
                ("2026-10-04", 22.05, 103.05, "V", technology, 9, f"d{number}", number, "")
            )
    text = json.dumps(" ".join(as_read(name) for name in HOSTILE[:-1]))  # JSON strings are TOML's
    listed = json.dumps(NAMES)
    labels = [f"{{name = {json.dumps(n)}, latitude = 22.2, longitude = 103.2}}" for n in NAMES]
    keys = ("area_title", "parent_authority", "authority", "number", "sign", "place", "date")
    letterhead = [f"{key} = {text}\n" for key in (*keys, "signer_title", "signer_name")]
    aliases = "".join(f"{json.dumps(n)} = [{json.dumps(n + ALIAS)}]\n" for n in NAMES)
    operators = f"[operators]\n{aliases}" if declared else ""
    file = folder / "settings.toml"
    file.write_text(
        f"""[area]
name = {text}
[target]
source = {text}
[boundaries]
path = "boundaries.geojson"
population_column = "population"
former_district_column = "district"
former_communes_column = "old"
province_column = "province"
vintage = {text}
[crosswalk]
path = "crosswalk.csv"
[sources.{json.dumps(NAMES[0])}]
path = "raw"
{operators}[publish]
notice = {text}
max_map_cells = 1
csv_dialect = "excel-vi"
labels = [{", ".join(labels)}]
[report]
pdf = false
addressees = {listed}
recipients = {listed}
{"".join(letterhead)}""",
        encoding="utf-8",
    )
    return file


def outputs_of_hostile_world(folder: Path, *, declared: bool) -> None:
    """Check and run in `folder`; nothing of it may run as code."""
    settings = write_hostile_world(folder, declared=declared)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in ("check", "run"):
            code, said = run_lomsong(command, "--settings", settings)
            assert code == 0, said
            assert "\x1b" not in said
    assert [p for p in folder.rglob("*") if p.name.startswith(RAN)] == []


@pytest.fixture(scope="module")
def hostile(made_once) -> Path:
    """Outputs of a run in which the data name the operators."""
    folder = made_once("hostile", lambda folder: outputs_of_hostile_world(folder, declared=False))
    return folder / "outputs/2026-10"


@pytest.fixture(scope="module")
def declared(made_once) -> Path:
    """Outputs of a run in which the settings name the operators, and the data their aliases."""
    folder = made_once("declared", lambda folder: outputs_of_hostile_world(folder, declared=True))
    return folder / "outputs/2026-10"


@pytest.mark.slow
def test_tables_hold_the_names_as_they_are(hostile):
    status = pd.read_parquet(hostile / "tables/commune_status.parquet")
    assert set(status["operator"]) == {*MET["hostile"], "all"}
    assert set(status["commune_name"]) == set(NAMES)
    summary = pd.read_parquet(hostile / "tables/commune_summary.parquet")
    assert set(summary["former_district"]) == set(NAMES)


@pytest.mark.slow
def test_no_cell_of_a_csv_is_a_formula(hostile):
    for path in hostile.rglob("*.csv"):
        separator = ";" if path.parent.name == "excel-vi" else ","
        with path.open(encoding="utf-8-sig", newline="") as stream:
            cells = [cell for row in csv.reader(stream, delimiter=separator) for cell in row]
        assert cells
        texts = [
            c for c in cells if not c.replace(",", ".").lstrip("+-").replace(".", "").isdigit()
        ]
        assert [cell for cell in texts if cell.startswith(("=", "+", "-", "@"))] == [], path.name


@pytest.mark.slow
def test_no_cell_of_a_workbook_is_a_formula_and_every_xml_is_well_formed(hostile):
    found = everything_in(hostile)
    parsed = {
        name: ElementTree.fromstring(content)
        for name, content in found.items()
        if name.endswith((".xml", ".rels", ".kml", ".qgs"))
    }
    sheets = [tree for name, tree in parsed.items() if "/worksheets/" in name]
    assert len(sheets) >= 4 * (1 + len(NAMES)), "the workbook, and that of each operator's pack"
    assert all(tree.findall(".//{*}c") for tree in sheets)
    assert not any(tree.findall(".//{*}f") for tree in sheets)
    assert not any("hyperlink" in name for name in parsed)


@pytest.mark.slow
def test_geographic_files_hold_the_names(hostile):
    communes = gpd.read_file(hostile / "gis/coverage_gaps.gpkg", layer="communes")
    assert set(communes["commune_name"]) == set(NAMES)
    assert set(communes["operator"]) == {*MET["hostile"], "all"}
    with closing(sqlite3.connect(hostile / "gis/coverage_gaps.gpkg")) as base:
        for (style,) in base.execute("SELECT styleQML FROM layer_styles"):
            ElementTree.fromstring(style.split("\n", 1)[1])
    areas = ElementTree.parse(hostile / "gis/coverage_gaps.kml").getroot()
    said = [element.text for element in areas.findall(".//{*}description")]
    assert said
    assert not any("<" in text for text in said), "Google Earth shows it as HTML"


def test_what_is_printed_is_text():
    found = Fault(
        "operators_not_understood",
        "a\x1b[2J",
        None,
        None,
        {"found": "{expected}\x07", "lines": ["x = 1"]},
    )
    assert texts.error_message(found, "en").startswith("a [2J: operators")
    assert "understood: {expected} ; their rows" in texts.error_message(found, "en")
    assert texts.line("read", "en", source="{files}\x1b", count=1, files=2).startswith(
        "read {files} :"
    )


@pytest.mark.slow
def test_files_and_resources_have_names_of_their_own(hostile):
    packs = {p.name for p in (hostile / "packs").iterdir()}
    assert len(packs) == len(NAMES)
    assert all(len(name.encode()) < 200 for name in packs)
    assert "CON.zip" not in packs, "no file of Windows may be called so"
    package = json.loads((hostile / "tables/datapackage.json").read_text(encoding="utf-8"))
    names = [resource["name"] for resource in package["resources"]]
    assert len(set(names)) == len(names)
    paths = [resource["path"] for resource in package["resources"]]
    assert all((hostile / "tables" / path).is_file() for path in paths)


@pytest.mark.slow
def test_the_report_says_the_names(hostile):
    document = docx.Document(str(hostile / "report/monthly_report.docx"))
    cells = [c.text for table in document.tables for row in table.rows for c in row.cells]
    text = "\n".join([p.text for p in document.paragraphs] + cells)
    assert all(name in text for name in NAMES[:-1] if "\u2028" not in name)


def texts_of_tables(folder: Path) -> dict[str, pd.DataFrame]:
    return {path.stem: pd.read_parquet(path) for path in folder.glob("tables/*.parquet")}


def cells_of(data: bytes) -> dict[str, set[str]]:
    """The texts of a workbook by sheet, as a spreadsheet shows them."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return {
        sheet: {str(c) for row in book.get_sheet_by_name(sheet).to_python() for c in row}
        for sheet in book.sheet_names
    }


@pytest.mark.slow
def test_settings_may_name_operators_whatever_data_call_them(declared):
    status = pd.read_parquet(declared / "tables/commune_status.parquet")
    assert set(status["operator"]) == {*NAMES, "all"}
    manifest = json.loads((declared / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["settings"]["operators"] == {name: [as_read(name + ALIAS)] for name in NAMES}


@pytest.mark.slow
@pytest.mark.parametrize("world", ["hostile", "declared"])
def test_layers_hold_the_texts_of_the_tables(world, request):
    folder = request.getfixturevalue(world)
    tables = texts_of_tables(folder)
    areas = gpd.read_file(folder / "gis/coverage_gaps.gpkg", layer="gap_areas")
    for layer, table in (("gap_areas", "gap_areas"), ("priorities", "priorities")):
        held = gpd.read_file(folder / "gis/coverage_gaps.gpkg", layer=layer)
        for column in ("commune_name", "operator", "gap_id", "notice"):
            assert held[column].fillna("").tolist() == tables[table][column].fillna("").tolist()
    marks = ElementTree.parse(folder / "gis/coverage_gaps.kml").getroot().findall(".//{*}Placemark")
    assert [mark.findtext("{*}name") for mark in marks] == [
        f"{name} · {gap}" for name, gap in zip(areas["commune_name"], areas["gap_id"], strict=True)
    ]
    said = [unescape(mark.findtext("{*}description") or "").split("\n")[0] for mark in marks]
    assert said == [f"Nhà mạng: {operator}" for operator in areas["operator"]]
    assert len(said) == len(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("world", ["hostile", "declared"])
def test_sheets_hold_the_texts_of_the_tables(world, request):
    folder = request.getfixturevalue(world)
    sheets = cells_of((folder / "tables/priorities.xlsx").read_bytes())
    summary, *operators = sheets
    assert set(MET[world]) <= sheets[summary], "operators in the heading"
    measured = sheets["Theo dõi phép đo quy định"]
    assert set(NAMES) <= measured, "communes and former districts"
    shown = set().union(*(sheets[name] for name in operators[: len(NAMES)]))
    tables = texts_of_tables(folder)
    for column in ("commune_name", "former_district", "operator", "gap_id"):
        assert set(tables["priorities"][column].dropna()) <= shown, column
    assert {
        part for part in sheets["Phương pháp và nguồn"] if NAMES[0] in part and NAMES[8] in part
    }


@pytest.mark.slow
@pytest.mark.parametrize("world", ["hostile", "declared"])
def test_packs_hold_the_texts_of_their_operator(world, request, tmp_path):
    folder = request.getfixturevalue(world)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    area, notice = manifest["settings"]["area"]["name"], manifest["settings"]["publish"]["notice"]
    met = set()
    for path in sorted((folder / "packs").iterdir()):
        with zipfile.ZipFile(path) as pack:
            held = {name: pack.read(name) for name in pack.namelist()}
        assert len(held) == 8
        assert all(name.isascii() and ".." not in name for name in held)
        rows = pd.read_csv(io.BytesIO(held["priorities.csv"]))
        (operator,) = {text.removeprefix("'") for text in rows["operator"]}
        met.add(operator)
        assert rows["notice"].str.removeprefix("'").eq(notice).all()
        note = held["README.txt"].decode("utf-8-sig")
        assert all(text in note for text in (operator, area, notice))
        (tmp_path / "pack.gpkg").write_bytes(held["gis/coverage_gaps.gpkg"])
        layer = gpd.read_file(tmp_path / "pack.gpkg", layer="gap_areas")
        assert set(layer["operator"]) == {operator}
        assert operator in set().union(*cells_of(held["priorities.xlsx"]).values())
        page = held["coverage_gaps.html"].decode()
        start = page.index('id="lomsong-data">') + len('id="lomsong-data">')
        assert json.loads(page[start : page.index("</script>", start)])["start"] == operator
    assert met == set(MET[world])


@pytest.mark.slow
def test_the_manifest_and_the_datapackage_hold_the_settings_texts(hostile):
    manifest = json.loads((hostile / "manifest.json").read_text(encoding="utf-8"))
    given = as_read(" ".join(as_read(name) for name in HOSTILE[:-1]))
    settings = manifest["settings"]
    assert manifest["notice"] == settings["area"]["name"] == settings["target"]["source"] == given
    assert list(settings["sources"]) == [NAMES[0]]
    assert settings["report"]["addressees"] == NAMES
    package = json.loads((hostile / "tables/datapackage.json").read_text(encoding="utf-8"))
    assert given in json.dumps(package, ensure_ascii=False).replace("\\\\", "\\").replace(
        '\\"', '"'
    )


@pytest.mark.slow
def test_the_report_says_the_settings_texts(hostile):
    document = docx.Document(str(hostile / "report/monthly_report.docx"))
    cells = [c.text for table in document.tables for row in table.rows for c in row.cells]
    lines = [
        line
        for text in [*(p.text for p in document.paragraphs), *cells]
        for line in text.split("\n")
    ]
    given = as_read(" ".join(as_read(name) for name in HOSTILE[:-1]))
    assert given in lines, "the signer's name"
    assert given.upper() in lines, "authority and signer's title"
    assert any(given in line and line != given for line in lines), "place and date, number"
    for name in NAMES[:-1]:
        assert any(name in line for line in lines), "addressees and recipients"
    comments = document.core_properties.comments
    assert comments
    assert given.startswith(comments), "the notice, as far as Word keeps it"


@pytest.mark.slow
@pytest.mark.browser
def test_nothing_runs_on_the_pages_and_names_are_shown_as_text(hostile, browser):
    pages = [hostile / "maps/coverage_gaps.html", *sorted(hostile.glob("maps/provinces/*.html"))]
    assert len(pages) == 1 + 8
    for path in pages:
        data = read_page(path)
        seen = Seen(browser, path, viewport={"width": 1366, "height": 768}).ready()
        page = seen.page
        values = [r.get_attribute("value") for r in page.query_selector_all("input[name=operator]")]
        assert values == ["all", *sorted(MET["hostile"])] == data["operators"]
        for operator in values[1:] if path is pages[0] else values[-1:]:
            page.locator("input[name=operator]").nth(values.index(operator)).check(force=True)
        page.click("#show-table")
        table = page.inner_text("#table")
        for commune in data["communes"]:
            assert " ".join(commune["name"].split()) in " ".join(table.split())
        page.click("#close-table")
        page.fill("#search", "img src")
        page.click("#language")
        assert page.evaluate("window.ran") is None
        assert page.query_selector_all("img:not(#picture), script[src]") == []
        assert seen.complaints == []
        assert [r for r in seen.requests if not r.startswith(seen.url)] == []
        seen.context.close()
    index = Seen(browser, hostile / "maps/index.html").ready()
    shown = {" ".join(th.inner_text().split()) for th in index.page.query_selector_all("tbody th")}
    assert shown == {" ".join(name.split()) for name in NAMES[:8]}
    assert index.page.evaluate("window.ran") is None
    index.context.close()
