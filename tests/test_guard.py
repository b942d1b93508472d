"""The last look at finished files, seen to fire in every container of the demo's outputs.

A copy of a file that a run wrote gets one thing that must not be there: a device id, a column that
tells a device, a figure of a small group.
"""

from __future__ import annotations

import io
import json
import re
import sqlite3
import warnings
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import docx
import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely

from pipeline.measurements.fingerprints import of_texts
from pipeline.publish.guard import PrivacyBreach, examine
from pipeline.schema import columns, privacy
from pipeline.schema.column_labels import heading
from tests.builders import HEADINGS, centre, squares, write_boundaries, write_world

pytestmark = pytest.mark.slow  # finished months are looked through

ID = "7f5906464aaa"
ODD_ID = "điện thoại 12/A & B"  # no word by itself
IDS = (ID, ODD_ID, "356938035643809")
GPKG, KML = "gis/coverage_gaps.gpkg", "gis/coverage_gaps.kml"
XLSX, DOCX = "tables/priorities.xlsx", "report/monthly_report.docx"
PAGE, PARQUET = "maps/coverage_gaps.html", "tables/hex_status.parquet"
CSV, VILLAGES = "tables/commune_status.csv", "tables/village_status.parquet"
PACKAGE, MANIFEST, README = "tables/datapackage.json", "manifest.json", "README.txt"
Change = Callable[[bytes], bytes]


def prints(*ids: str) -> np.ndarray:
    return np.sort(of_texts(pd.Series(ids, dtype="str")))


def look(folder: Path, **options) -> int:
    return examine(folder, **{"device_prints": prints(*IDS), "min_devices": 3} | options)


def planted(folder: Path, source: bytes, name: str, change: Change) -> Path:
    """A folder with one file, changed."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(change(source))
    return folder


def in_layer(statement: str, *values: object) -> Change:
    def change(data: bytes) -> bytes:
        with closing(sqlite3.connect(":memory:")) as base:
            base.deserialize(data)
            # GDAL's triggers ask for functions that SQLite alone does not have
            for (trigger,) in base.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                base.execute(f'DROP TRIGGER "{trigger}"')
            base.execute(statement, values)
            base.commit()
            return base.serialize()

    return change


def in_sheet(row: int, value: object, column: int = 3) -> Change:
    def change(data: bytes) -> bytes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl drops data bars
            book = openpyxl.load_workbook(io.BytesIO(data))
        book.worksheets[1].cell(row, column).value = value
        stream = io.BytesIO()
        book.save(stream)
        return stream.getvalue()

    return change


def in_document(write: Callable[[docx.document.Document], object]) -> Change:
    def change(data: bytes) -> bytes:
        document = docx.Document(io.BytesIO(data))
        write(document)
        stream = io.BytesIO()
        document.save(stream)
        return stream.getvalue()

    return change


def add_runs(document: docx.document.Document, *runs: str) -> None:
    paragraph = document.add_paragraph()
    for run in runs:
        paragraph.add_run(run).bold = run == runs[0]


def add_table(document: docx.document.Document, *rows: tuple[str, ...]) -> None:
    table = document.add_table(len(rows), len(rows[0]))
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text


def instead(old: str, new: str) -> Change:
    def change(data: bytes) -> bytes:
        text = data.decode()
        assert re.search(old, text)
        return re.sub(old, lambda _: new, text, count=1).encode()

    return change


def in_json(write: Callable[[dict], object]) -> Change:
    def change(data: bytes) -> bytes:
        held = json.loads(data)
        write(held)
        return json.dumps(held, ensure_ascii=False).encode()

    return change


def hidden_too(column: str) -> Change:
    """A figure in the rows that are hidden, where it is shown of others."""

    def change(data: bytes) -> bytes:
        rows = pd.read_parquet(io.BytesIO(data))
        rows.loc[rows["device_count"].isna(), column] = rows[column].dropna().iloc[0]
        stream = io.BytesIO()
        rows.to_parquet(stream)
        return stream.getvalue()

    return change


def in_frame(**more: object) -> Change:
    def change(data: bytes) -> bytes:
        stream = io.BytesIO()
        gpd.read_parquet(io.BytesIO(data)).assign(**more).to_parquet(stream)
        return stream.getvalue()

    return change


def in_member(suffix: str, change: Change) -> Change:
    """The change in one file of a pack."""

    def changed(data: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
            found = [name for name in old.namelist() if name.endswith(suffix)]
            for name in old.namelist():
                held = old.read(name)
                new.writestr(name, change(held) if name == found[0] else held)
        return stream.getvalue()

    return changed


def headings(*names: str) -> tuple[str, ...]:
    return tuple(heading(name, "vi") for name in names)


PACK = "packs/Viettel.zip"
EMPTY_ROW = "device_count = 1, mean_mbps = 9.5"
AS_POINTS = "UPDATE gpkg_geometry_columns SET geometry_type_name = 'POINT'"
KML_DATA = '<ExtendedData><Data name="device_id"><value>x</value></Data></ExtendedData></Placemark>'
ID_TABLE = (headings("operator", "device_id"), ("V", "a"))
SMALL_TABLE = (
    headings("operator", "device_count", "mean_mbps"),
    ("V", "1.204", "9,5"),
    ("W", "2", "7,1"),
)
PLANTED = {
    "layer, id": (GPKG, in_layer("UPDATE communes SET flags = ?", f"low_tail;{ODD_ID}"), "id"),
    "layer, number": (GPKG, in_layer("UPDATE hexes SET test_count = 356938035643809"), "id"),
    "layer's style, id": (
        GPKG,
        in_layer("UPDATE layer_styles SET styleQML = ?", f"<a {ID}>"),
        "id",
    ),
    "layer, column": (
        GPKG,
        in_layer("ALTER TABLE hexes ADD device_id TEXT"),
        "hexes: column device_id",
    ),
    "layer, other column": (
        GPKG,
        in_layer("ALTER TABLE hexes ADD phone TEXT DEFAULT 'x'"),
        "column phone is not declared",
    ),
    "layer, small group": (
        GPKG,
        in_layer(f"UPDATE communes SET {EMPTY_ROW}"),
        "mean_mbps of fewer than 3",
    ),
    "layer of points": (GPKG, in_layer(AS_POINTS), "holds POINT"),
    "layer of villages, another point": (
        GPKG,
        in_layer("UPDATE villages SET village_latitude = village_latitude + 1e-6 WHERE fid = 9"),
        "villages holds POINT",
    ),
    "layer of villages, hidden probability": (
        GPKG,
        in_layer("UPDATE villages SET no_signal_probability = 0 WHERE device_count IS NULL"),
        "no_signal_probability of a village of few devices",
    ),
    "villages, hidden count": (
        VILLAGES,
        hidden_too("test_count"),
        "test_count of a village of few devices",
    ),
    "villages, hidden date": (
        VILLAGES,
        hidden_too("last_test_date"),
        "last_test_date of a village of few devices",
    ),
    "kml of villages, another point": (
        "gis/villages.kml",
        instead("<coordinates>[^<]*", "<coordinates>103.381995,22.460486"),
        "holds Point",
    ),
    "sheet, id": (XLSX, in_sheet(5, f"x; {ODD_ID}"), "id"),
    "sheet, number": (XLSX, in_sheet(5, 356938035643809), "id"),
    "sheet, name": (XLSX, in_sheet(2, "device_key"), "column device_key"),
    "sheet, heading": (XLSX, in_sheet(1, headings("measured_at")[0]), "column measured_at"),
    "paragraph, id in two runs": (DOCX, in_document(lambda d: add_runs(d, ID[:5], ID[5:])), "id"),
    "paragraph, odd id": (DOCX, in_document(lambda d: add_runs(d, ODD_ID)), "id"),
    "table of a document, heading": (
        DOCX,
        in_document(lambda d: add_table(d, *ID_TABLE)),
        "column device_id",
    ),
    "table of a document, small group": (
        DOCX,
        in_document(lambda d: add_table(d, *SMALL_TABLE)),
        "mean_mbps of fewer than 3",
    ),
    "kml, id": (KML, instead("<name>Xã[^<]*", f"<name>{ODD_ID.replace('&', '&amp;')}"), "id"),
    "kml, data": (KML, instead("</Placemark>", KML_DATA), "column device_id"),
    "kml, small group": (
        KML,
        instead("Thiết bị: [0-9.]+", "Thiết bị: 2"),
        "mean_mbps of fewer than 3",
    ),
    "kml, point": (
        KML,
        instead("<Polygon>", "<Point><coordinates>103,22</coordinates></Point><Polygon>"),
        "holds Point",
    ),
    "csv, id": (CSV, instead("low_tail", f'"low_tail;{ODD_ID}"'), "id"),
    "csv, column": (CSV, instead("flags", "latitude"), "column latitude"),
    "csv, other column": (CSV, instead("flags", "phone"), "column phone is not declared"),
    "parquet, id": (PARQUET, in_frame(gap_id=ODD_ID), "id"),
    "parquet, column": (PARQUET, in_frame(test_id="x"), "column test_id"),
    "parquet, points": (
        PARQUET,
        in_frame(geometry=lambda g: [shapely.Point(103, 22)] * len(g)),
        "holds Point",
    ),
    "manifest, id": (MANIFEST, in_json(lambda m: m["warnings"].append(f"of {ID}, row 3")), "id"),
    "manifest, odd id": (MANIFEST, in_json(lambda m: m["inputs"][0].update(name=ODD_ID)), "id"),
    "manifest, key": (
        MANIFEST,
        in_json(lambda m: m["results"].update(first={"device_id": "x"})),
        "key results.first.device_id",
    ),
    "datapackage, id": (PACKAGE, in_json(lambda p: p.update(title=ID)), "id"),
    "page, id": (PAGE, instead('"communes": ?\\[', f'"communes":["{ID}",'), "id"),
    "page, key": (
        PAGE,
        instead('"communes": ?\\[', '"communes":[{"device_id":"x"},'),
        "key communes.device_id",
    ),
}
IN_PACKS = {
    "layer, id": (".gpkg", "gpkg"),
    "sheet, id": (".xlsx", "xlsx"),
    "kml, small group": (".kml", "kml"),
    "page, key": (".html", "html"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_the_guard_fires_for_what_is_planted(demo_outputs, tmp_path, what):
    name, change, said = PLANTED[what]
    source = (demo_outputs / name).read_bytes()
    planted(tmp_path, source, name, lambda data: data)
    assert look(tmp_path) == 1
    planted(tmp_path, source, name, change)
    said = "of a device" if said == "id" else said
    with pytest.raises(PrivacyBreach, match=rf"{re.escape(name)}: .*{re.escape(said)}"):
        look(tmp_path)


@pytest.mark.parametrize("what", IN_PACKS)
def test_the_guard_reads_every_file_of_a_pack(demo_outputs, tmp_path, what):
    _, change, said = PLANTED[what]
    suffix = IN_PACKS[what][0]
    source = (demo_outputs / PACK).read_bytes()
    planted(tmp_path, source, PACK, in_member(suffix, change))
    said = "of a device" if said == "id" else said
    place = rf"{re.escape(PACK)}/\S*{re.escape(suffix)}"
    with pytest.raises(PrivacyBreach, match=rf"{place}: .*{re.escape(said)}"):
        look(tmp_path)


def test_the_guard_reads_a_packs_readme(demo_outputs, tmp_path):
    source = (demo_outputs / PACK).read_bytes()
    planted(tmp_path, source, PACK, in_member(README, lambda data: data + ID.encode()))
    with pytest.raises(PrivacyBreach, match=r"README\.txt: id '7f5906464aaa' of a device"):
        look(tmp_path)


@pytest.mark.parametrize("kind", ["gpkg", "xlsx", "docx", "kml", "json", "parquet", "zip"])
def test_what_cannot_be_read_is_not_published(tmp_path, kind):
    name = f"a.{kind}"
    (tmp_path / name).write_bytes(b"\x00 broken" * 300)
    with pytest.raises(PrivacyBreach, match=f"{name}: cannot be read"):
        look(tmp_path)


def test_the_demos_outputs_pass(demo_outputs):
    assert look(demo_outputs) == len([p for p in demo_outputs.rglob("*") if p.is_file()])


def test_columns_are_forbidden_by_their_declarations(monkeypatch, tmp_path):
    published = {c for t in columns.TABLES if t not in columns.INNER for c in columns.TABLES[t]}
    assert privacy.identifying_columns() >= {"device_id", "device_key", "test_id", "measured_at"}
    assert not privacy.identifying_columns() & published
    # a column of tests that a table publishes is nothing to hide, unless it tells a device
    more = (*columns.TABLES["changes"], "technology", "device_id")
    monkeypatch.setitem(columns.TABLES, "changes", more)
    assert "technology" not in privacy.forbidden_columns()
    (tmp_path / "changes.csv").write_text("technology,device_id\n4G,x\n")
    with pytest.raises(PrivacyBreach, match=r"^changes\.csv: column device_id$"):
        look(tmp_path)


def test_ids_that_say_nothing_are_no_false_alarm(tmp_path, lomsong):
    """Devices called like a vintage, a date, a cell, a commune or a file's own word."""
    cell = "8841a6cb5dfffff"
    ids = [
        "nen-2025-07-01",
        "2026-10-01",
        "2026-10",
        "103.1234567",
        cell,
        "xa-so-0001",
        "Hàng-0001",
    ]
    latitude, longitude = centre("r0c0")
    rows = [
        f"2026-10-0{day} {hour}:0{number}:00,{latitude},{longitude},10,Hàng-0001,4G,"
        f"{20 + number},9,40,{one}"
        for number, one in enumerate(ids)
        for day, hour in ((1, "08"), (2, "20"), (3, "09"))
    ]
    text = "\n".join([HEADINGS, *rows]) + "\n"
    extra = '[operators]\n"Hàng-0001" = []\n'
    settings = write_world(tmp_path, {"2026-10": text}, extra)
    toml = settings.read_text(encoding="utf-8").replace(
        "[boundaries]", '[boundaries]\nvintage = "nen-2025-07-01"'
    )
    settings.write_text(toml, encoding="utf-8")
    communes = squares()
    communes["commune_name"] = ["xa-so-0001", *communes["commune_name"][1:]]
    write_boundaries(tmp_path / "boundaries.geojson", communes)
    code, said = lomsong("run", "--settings", settings, "--publish", "tables,gis,map")
    assert code == 0, said
    status = pd.read_csv(tmp_path / "outputs/2026-10/tables/commune_status.csv")
    assert status.loc[status["operator"].eq("all"), "device_count"].max() == len(ids)
    # the same words are ids again where the run has not said that they are its own
    with pytest.raises(PrivacyBreach, match="nen-2025-07-01"):
        look(tmp_path / "outputs/2026-10", device_prints=prints(*ids))


def test_the_manifest_is_looked_at_before_outputs_are_swapped_in(tmp_path, lomsong):
    """A file called like a device: its name stands in the manifest."""
    latitude, longitude = centre("r0c0")
    row = f"2026-10-01 08:00:00,{latitude},{longitude},10,V,4G,20,9,40,{ID}"
    settings = write_world(tmp_path, {"2026-10": f"{HEADINGS}\n{row}\n"})
    path = tmp_path / "raw/2026-10"
    (path / "tests.csv").rename(path / f"{ID}.csv")
    with pytest.raises(PrivacyBreach, match=rf"manifest\.json: id '{ID}"):
        lomsong("run", "--settings", settings, "--publish", "gis")
    assert not (tmp_path / "outputs/2026-10").exists()


def test_a_device_id_that_slipped_among_the_names_is_masked_in_the_manifest(tmp_path, lomsong):
    latitude, longitude = centre("r0c0")
    rows = [
        f"2026-10-{day:02d} 08:00:00,{latitude},{longitude},10,V,4G,20,9,40,{ID}"
        for day in range(1, 15)
    ]
    slipped = f"2026-10-20 08:00:00,{latitude},{longitude},10,{ID},4G,20,9,40,other-device-77"
    settings = write_world(tmp_path, {"2026-10": "\n".join([HEADINGS, *rows, slipped, ""])})
    settings.write_text(settings.read_text() + "[operators]\nV = []\n", encoding="utf-8")
    code, text = lomsong("run", "--settings", settings, "--publish", "gis", "--lang", "en")
    assert code == 0, text
    written = (tmp_path / "outputs/2026-10/manifest.json").read_text(encoding="utf-8")
    assert "operators that are not understood: … (1)" in written
    assert ID not in written
