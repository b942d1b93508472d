"""Names that are code elsewhere stand as text in every output: nothing runs, nothing stops."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import docx
import geopandas as gpd
import pandas as pd
import pytest

from pipeline.schema import texts
from pipeline.schema.errors import Fault
from tests.builders import centre, read_page, squares, write_boundaries
from tests.test_map import Seen, browser  # noqa: F401  the fixture
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
    "$\\frac{1}{0}$ {0} {name} %s %(a)s",
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


def write_hostile_world(folder: Path) -> Path:
    """Inputs and settings in which every text is one of HOSTILE."""
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
                    ids = (f"{operator}{device}", f"{operator}{device} {day}")
                    speed = 10 + device / 9
                    table.writerow(
                        (time, latitude, longitude, operator, "4G", speed, *ids, operator)
                    )
        for number, technology in enumerate(HOSTILE):
            table.writerow(
                ("2026-10-04", 22.05, 103.05, "V", technology, 9, f"d{number}", number, "")
            )
    text = json.dumps(" ".join(as_read(name) for name in HOSTILE[:-1]))  # JSON strings are TOML's
    listed = json.dumps(NAMES)
    labels = [f"{{name = {json.dumps(n)}, latitude = 22.2, longitude = 103.2}}" for n in NAMES]
    keys = ("area_title", "parent_authority", "authority", "number", "sign", "place", "date")
    letterhead = [f"{key} = {text}\n" for key in (*keys, "signer_title", "signer_name")]
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
[publish]
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


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The finished run of the hostile world."""
    from typer.testing import CliRunner

    from pipeline import cli

    folder = tmp_path_factory.mktemp("hostile")
    settings = write_hostile_world(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in ("check", "run"):
            result = CliRunner().invoke(
                cli.app, [command, "--settings", str(settings)], catch_exceptions=False
            )
            assert result.exit_code == 0, result.output
            assert "\x1b" not in result.output
    assert [p for p in folder.rglob("*") if p.name.startswith(RAN)] == []
    return folder / "outputs/2026-10"


def test_tables_hold_the_names_as_they_are(hostile):
    status = pd.read_parquet(hostile / "tables/commune_status.parquet")
    assert set(status["operator"]) == {*NAMES, "all"}
    assert set(status["commune_name"]) == set(NAMES)
    summary = pd.read_parquet(hostile / "tables/commune_summary.parquet")
    assert set(summary["former_district"]) == set(NAMES)


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


def test_geographic_files_hold_the_names(hostile):
    communes = gpd.read_file(hostile / "gis/coverage_gaps.gpkg", layer="communes")
    assert set(communes["commune_name"]) == set(NAMES)
    assert set(communes["operator"]) == {*NAMES, "all"}
    with closing(sqlite3.connect(hostile / "gis/coverage_gaps.gpkg")) as base:
        for (style,) in base.execute("SELECT styleQML FROM layer_styles"):
            ElementTree.fromstring(style.split("\n", 1)[1])
    areas = ElementTree.parse(hostile / "gis/coverage_gaps.kml").getroot()
    said = [element.text for element in areas.findall(".//{*}description")]
    assert said
    assert not any("<" in text for text in said), "Google Earth shows it as HTML"


def test_what_is_printed_is_text():
    found = Fault(
        "unknown_names", "a\x1b[2J", None, None, {"found": "{expected}\x07", "expected": 1}
    )
    assert texts.error_message(found, "en").startswith("a [2J: operators")
    assert "list: {expected} ; their rows" in texts.error_message(found, "en")
    assert texts.line("read", "en", source="{files}\x1b", count=1, files=2).startswith(
        "read {files} :"
    )


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


def test_the_report_says_the_names(hostile):
    document = docx.Document(str(hostile / "report/monthly_report.docx"))
    cells = [c.text for table in document.tables for row in table.rows for c in row.cells]
    text = "\n".join([p.text for p in document.paragraphs] + cells)
    assert all(name in text for name in NAMES[:-1] if "\u2028" not in name)


@pytest.mark.browser
def test_nothing_runs_on_the_pages_and_names_are_shown_as_text(hostile, browser):  # noqa: F811
    pages = [hostile / "maps/coverage_gaps.html", *sorted(hostile.glob("maps/provinces/*.html"))]
    assert len(pages) == 1 + 8
    for path in pages:
        data = read_page(path)
        seen = Seen(browser, path, viewport={"width": 1366, "height": 768}).ready()
        page = seen.page
        values = [r.get_attribute("value") for r in page.query_selector_all("input[name=operator]")]
        assert values == ["all", *sorted(NAMES)] == data["operators"]
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
