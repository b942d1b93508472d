"""One declaration per column: privacy is closed by default, and every output takes a new column."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from pipeline.publish.gap_map.columns import decoded
from pipeline.publish.guard import PrivacyBreach, examine
from pipeline.schema import columns, privacy, tables, texts
from pipeline.schema.column_labels import heading, meaning
from pipeline.schema.fields import KINDS, Field
from tests.builders import month_of_tests, read_page, write_world
from tests.test_texts import with_lao  # noqa: F401 - a fixture
from tests.test_workbook import opened

PUBLISHED = [name for name in columns.TABLES if name not in columns.INNER]
NOBODY = np.array([], dtype="uint64")
P25 = Field(
    "speed",
    vi=("Phân vị 25 (Mbps)", "phân vị thứ 25 của giá trị thiết bị"),
    en=("25th percentile (Mbps)", "25th percentile of device values"),
    page=("s.p25",),
)


def tells_speeds(name: str, field: Field) -> bool:
    is_share = field.high == 1 or name.startswith("share_") or name.endswith(("_share", "_rate"))
    return is_share or field.unit in ("Mbit/s", "ms", "dBm", "h")


@pytest.mark.parametrize("name", [n for n, f in columns.FIELDS.items() if tells_speeds(n, f)])
def test_what_tells_speeds_is_private_unless_the_declaration_says_why_not(name):
    field = columns.FIELDS[name]
    assert field.is_private or len(field.public) > 10


def test_only_kinds_without_speeds_are_open():
    assert {name for name, kind in KINDS.items() if kind.is_open} == {
        "text", "flag", "plain", "count", "difference", "rank", "area", "degree",
    }  # fmt: skip
    with pytest.raises(AssertionError, match="no reason"):
        Field("count", vi=("a", "b"), en=("a", "b"), public="of tests")


@pytest.mark.parametrize("table", PUBLISHED)
def test_every_published_column_has_a_heading_and_a_meaning_in_both_languages(table):
    for name in columns.TABLES[table]:
        for part in (heading, meaning):
            assert part(name, "vi")
            assert part(name, "en")
        assert heading(name, "vi") != name
        assert columns.FIELDS[name].vi != columns.FIELDS[name].en


@pytest.mark.usefixtures("with_lao")
def test_another_language_names_columns_in_its_one_file():
    with (texts.CATALOGUES / "lo.toml").open("a", encoding="utf-8") as file:
        file.write('\n[headings]\nmean_mbps = "ສະເລ່ຍ"\n')
    assert heading("mean_mbps", "lo") == "ສະເລ່ຍ"
    assert heading("hi_mbps", "lo") == heading("hi_mbps", "en")


def test_every_private_column_is_emptied_where_its_group_is_small():
    for of in {field.of for field in columns.FIELDS.values() if field.is_private}:
        names = privacy.private_columns(of)
        rows = pd.DataFrame({name: [1.0, 2.0] for name in names} | {"test_count": [3.0, 4.0]})
        shown = privacy.without(rows, pd.Series([True, False]), of)
        assert shown[list(names)].isna().to_numpy().tolist() == [
            [True] * len(names),
            [False] * len(names),
        ]
        assert shown["test_count"].tolist() == [3.0, 4.0]


def written(folder, **more) -> None:
    table = {"commune_code": ["a", "a"], "operator": ["x", "all"], "device_count": [1, 9]} | more
    pd.DataFrame(table).to_csv(folder / "t.csv", index=False)


def test_the_guard_fires_for_a_new_speed_that_nobody_listed(tmp_path, monkeypatch):
    # declared or not
    for is_declared in (False, True):
        if is_declared:
            monkeypatch.setitem(columns.FIELDS, "p25_mbps", P25)
        written(tmp_path, p25_mbps=[12.5, None])
        with pytest.raises(PrivacyBreach, match="p25_mbps of fewer than 3 devices"):
            examine(tmp_path, device_prints=NOBODY, min_devices=3)
        written(tmp_path, p25_mbps=[None, None])
        assert examine(tmp_path, device_prints=NOBODY, min_devices=3) == 1


def test_the_guard_counts_the_devices_that_a_figure_is_of(tmp_path):
    written(tmp_path, mean_5g_mbps=[80.0, None], device_count_5g=[4, 4])
    assert examine(tmp_path, device_prints=NOBODY, min_devices=3) == 1
    written(tmp_path, mean_5g_mbps=[None, 80.0], device_count_5g=[9, 2])
    with pytest.raises(PrivacyBreach, match="mean_5g_mbps"):
        examine(tmp_path, device_prints=NOBODY, min_devices=3)


@pytest.fixture
def with_p25(monkeypatch):
    """`p25_mbps` declared in two tables, and computed."""
    from pipeline.verdicts import statistics

    def estimate(*arguments, **options):
        units, priors = estimated(*arguments, **options)
        return units.assign(p25_mbps=units["median_mbps"] * 0.75), priors

    estimated = statistics.estimate
    monkeypatch.setattr(statistics, "estimate", estimate)
    monkeypatch.setitem(columns.FIELDS, "p25_mbps", P25)
    for table in ("commune_status", "priorities"):
        monkeypatch.setitem(columns.TABLES, table, (*columns.TABLES[table], "p25_mbps"))


WORLD = {("r0c0", "V"): [10.0 + i / 9 for i in range(14)], ("r1c1", "V"): [20.0]}


@pytest.mark.usefixtures("with_p25")
def test_every_output_carries_a_new_column(tmp_path, lomsong):
    settings = write_world(tmp_path, {"2026-10": month_of_tests("2026-10", WORLD)})
    code, text = lomsong("run", "--settings", settings, "--publish", "tables,gis,map")
    assert code == 0, text
    folder = tmp_path / "outputs/2026-10"
    rows = pd.read_csv(folder / "tables/commune_status.csv").set_index(["commune_code", "operator"])
    assert rows.loc[("r0c0", "V"), "p25_mbps"] > 0
    assert rows.loc[("r1c1", "V"), "device_count"] == 1
    assert pd.isna(rows.loc[("r1c1", "V"), "p25_mbps"])
    dictionary = pd.read_csv(folder / "tables/data_dictionary.csv")
    found = dictionary[dictionary["column_name"] == "p25_mbps"]
    assert found["table_name"].tolist() == ["commune_status", "priorities"]
    assert found["is_private"].all()
    package = json.loads((folder / "tables/datapackage.json").read_text(encoding="utf-8"))
    described = {r["path"]: r["schema"]["fields"] for r in package["resources"] if "schema" in r}
    fields = {field["name"]: field for field in described["commune_status.csv"]}
    assert (fields["p25_mbps"]["title"], fields["p25_mbps"]["unit"]) == (P25.vi[0], "Mbit/s")
    sheet = opened(folder / "tables/priorities.xlsx")["V"]
    column = next(cell.column for cell in sheet[2] if cell.value == "p25_mbps")
    assert sheet.cell(1, column).value == P25.vi[0]
    assert sheet.cell(3, column).number_format == "#,##0.0"
    with closing(sqlite3.connect(folder / "gis/coverage_gaps.gpkg")) as base:
        comments = base.execute(
            "SELECT table_name, title, description FROM gpkg_data_columns "
            "WHERE column_name = 'p25_mbps' ORDER BY table_name"
        ).fetchall()
        assert comments == [("communes", *P25.vi), ("priorities", *P25.vi)]
        assert base.execute("SELECT max(p25_mbps) FROM communes").fetchone()[0] > 0
    page = read_page(folder / "maps/coverage_gaps.html")
    carried = decoded(page["block"])["s.p25"]
    assert (carried > 0).sum() == rows["p25_mbps"].notna().sum()


@pytest.mark.usefixtures("with_p25")
def test_a_leak_of_a_new_column_stops_the_run(tmp_path, lomsong, monkeypatch):
    settings = write_world(tmp_path, {"2026-10": month_of_tests("2026-10", WORLD)})
    private = privacy.private_columns
    monkeypatch.setattr(
        privacy, "private_columns", lambda of="device_count": tuple(set(private(of)) - {"p25_mbps"})
    )
    with pytest.raises(PrivacyBreach, match="p25_mbps of fewer than 3 devices"):
        lomsong("run", "--settings", settings, "--publish", "tables")


def test_schemas_are_built_once_and_follow_the_declaration(monkeypatch):
    assert tables.schema("rejects") is tables.schema("rejects")
    before = tables.schema("commune_status")
    monkeypatch.setitem(columns.FIELDS, "mean_mbps", P25)
    assert tables.schema("commune_status") is not before
