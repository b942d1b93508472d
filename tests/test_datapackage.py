"""The description of the tables is valid, and the files are as described.

The package `frictionless` judges that.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pipeline.publish.about import operator_files
from pipeline.publish.datapackage import write_datapackage
from pipeline.schema.columns import FIELDS, TABLES
from tests.builders import about

pytestmark = pytest.mark.slow  # whole months are run

# in a process of its own: the package warns of its own future at import
VALIDATE = """
import json, sys, frictionless
report = frictionless.validate(sys.argv[1])
faults = report.flatten(["type", "message"])[:5]
print(json.dumps([report.valid, faults, len(report.tasks)]))
"""


def validated(path) -> list:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", VALIDATE, path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def csv_only(package: dict) -> dict:
    return package | {"resources": [r for r in package["resources"] if r["format"] == "csv"]}


def test_every_csv_of_the_demo_is_as_described(demo_outputs, tmp_path):
    folder = demo_outputs / "tables"
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    described = {r["path"] for r in package["resources"]}
    assert described == {p.name for p in folder.iterdir() if p.suffix in (".csv", ".parquet")}
    for path in folder.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "datapackage.json").write_text(json.dumps(csv_only(package)), encoding="utf-8")
    valid, faults, tasks = validated(tmp_path / "datapackage.json")
    assert valid, faults
    assert tasks == len(list(folder.glob("*.csv")))


def test_a_wrong_value_is_seen(demo_outputs, tmp_path):
    folder = demo_outputs / "tables"
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    text = (
        (folder / "commune_summary.csv")
        .read_text(encoding="utf-8-sig")
        .replace("total_gap", "some_gap")
    )
    (tmp_path / "commune_summary.csv").write_text(text, encoding="utf-8-sig")
    one = [r for r in package["resources"] if r["path"] == "commune_summary.csv"]
    (tmp_path / "datapackage.json").write_text(
        json.dumps(package | {"resources": one}), encoding="utf-8"
    )
    valid, faults, _ = validated(tmp_path / "datapackage.json")
    assert not valid
    assert "some_gap" in str(faults)


def test_units_and_meanings_are_the_declared_ones(demo_outputs):
    package = json.loads((demo_outputs / "tables/datapackage.json").read_text(encoding="utf-8"))
    status = next(r for r in package["resources"] if r["path"] == "commune_status.csv")
    fields = {f["name"]: f for f in status["schema"]["fields"]}
    assert list(fields) == [*TABLES["commune_status"], "notice"]
    assert fields["mean_mbps"]["unit"] == "Mbit/s"
    assert all(
        (fields[name]["title"], fields[name]["description"]) == FIELDS[name].vi
        for name in TABLES["commune_status"]
    )
    assert status["schema"]["primaryKey"] == [
        "commune_code",
        "boundary_vintage",
        "operator",
        "period",
    ]


def test_a_licence_that_forbids_business_writes_no_operators_files():
    both = ["A", "B"]
    assert operator_files(both, ["CC BY-NC-SA 4.0"], allow_noncommercial=False) == {}
    named = {"A": "A", "B": "B"}
    assert operator_files(both, ["CC BY-NC-SA 4.0"], allow_noncommercial=True) == named
    assert operator_files(both, [], allow_noncommercial=False) == named


def test_a_run_on_tiles_says_why_there_are_no_operators_files(lomsong, shared, tmp_path):
    settings = tmp_path / "settings.toml"
    provinces = json.dumps(str(shared / "boundaries/armenia_provinces.geojson"))
    tiles = json.dumps(str(shared / "measurements/ookla_mobile_tiles_armenia.csv"))
    settings.write_text(
        f"[boundaries]\npath = {provinces}\ncode_column = 'iso_3166_2'\nname_column = 'name'\n"
        f"[sources.ookla]\npath = {tiles}\nformat = 'ookla'\n"
    )
    parts = ("--publish", "tables,map,gis")  # what packs are made from
    code, text = lomsong(
        "run", "--settings", settings, *parts, "--period", "2024Q3", "--lang", "en"
    )
    assert code == 0, text
    assert "no operators' files are written" in text
    assert "allow_noncommercial" in text
    assert not (tmp_path / "outputs/2024Q3/packs").exists()
    assert not list((tmp_path / "outputs/2024Q3/tables").glob("priorities_*"))


def test_the_provinces_code_is_stated_where_the_settings_have_one(demo_outputs, tmp_path):
    def described(folder) -> dict:
        return json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))

    assert described(demo_outputs / "tables")["province_code"] == "12"
    write_datapackage(tmp_path, {}, {}, about("2026-10"))
    assert "province_code" not in described(tmp_path)


def test_operators_that_differ_by_an_accent_have_resources_of_their_own(tmp_path):
    files = {f"priorities_{name}": "priorities" for name in ("Mạng_A", "Mảng_A", "MANG_A")}
    write_datapackage(tmp_path, {}, files, about("2026-10"))
    package = json.loads((tmp_path / "datapackage.json").read_text(encoding="utf-8"))
    assert [(r["name"], r["path"]) for r in package["resources"]] == [
        ("priorities_mang_a", "priorities_Mạng_A.csv"),
        ("priorities_mang_a_2", "priorities_Mảng_A.csv"),
        ("priorities_mang_a_3", "priorities_MANG_A.csv"),
    ]
