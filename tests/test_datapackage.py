"""The description of the tables is valid by the `frictionless` package, and the files are as described."""

from __future__ import annotations

import json
import subprocess
import sys

from pipeline import publish, texts
from pipeline.tables import FIELDS, TABLES

# in a process of its own: the package warns of its own future at import
VALIDATE = "import json, sys, frictionless as f; r = f.validate(sys.argv[1]); print(json.dumps([r.valid, r.flatten(['type', 'message'])[:5], len(r.tasks)]))"


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
    text = (folder / "commune_summary.csv").read_text(encoding="utf-8-sig").replace("total_gap", "some_gap")
    (tmp_path / "commune_summary.csv").write_text(text, encoding="utf-8-sig")
    one = [r for r in package["resources"] if r["path"] == "commune_summary.csv"]
    (tmp_path / "datapackage.json").write_text(json.dumps(package | {"resources": one}), encoding="utf-8")
    valid, faults, _ = validated(tmp_path / "datapackage.json")
    assert not valid
    assert "some_gap" in str(faults)


def test_units_and_meanings_are_the_declared_ones(demo_outputs):
    package = json.loads((demo_outputs / "tables/datapackage.json").read_text(encoding="utf-8"))
    status = next(r for r in package["resources"] if r["path"] == "commune_status.csv")
    fields = {f["name"]: f for f in status["schema"]["fields"]}
    assert list(fields) == [*TABLES["commune_status"], "notice"]
    assert fields["mean_mbps"]["unit"] == "Mbit/s"
    assert all(fields[name]["description"] == FIELDS[name].meaning for name in TABLES["commune_status"])
    assert status["schema"]["primaryKey"] == ["commune_code", "boundary_vintage", "operator", "period"]


def test_a_licence_that_forbids_business_writes_no_operators_files():
    class Things:
        def __init__(self, **values):
            self.__dict__.update(values)

    said = []
    month, inputs = Things(operators=["A", "B"]), Things(licences=["CC BY-NC-SA 4.0"])

    def tell(key, **values):
        said.append(texts.line(key, "en", **values))

    def files(allowed: bool, licences: list[str]):
        settings = Things(publish=Things(allow_noncommercial=allowed))
        return publish._operator_files(month, Things(licences=licences), settings, tell)

    assert files(False, inputs.licences) == {}
    assert "CC BY-NC-SA 4.0" in said[0]
    assert "allow_noncommercial" in said[0]
    assert files(True, inputs.licences) == files(False, []) == {"A": "A", "B": "B"}
    assert len(said) == 1
