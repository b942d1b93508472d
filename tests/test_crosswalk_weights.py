"""Weights of an n-to-n crosswalk: they sum to 1, nobody is lost, and what is not known is said."""

from __future__ import annotations

import json
import math

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.settings import Crosswalk, read_settings
from pipeline.schema.errors import UserFault
from pipeline.sources.crosswalk import (
    PairColumns,
    distinguished,
    moved,
    named,
    of_communes,
    overlaps_of,
    read_pairs,
    split_communes,
    weighted,
)
from pipeline.sources.former_communes import named_communes
from pipeline.sources.inputs import read_inputs
from tests.builders import about, month_of_tests, squares, write_boundaries, write_world

COLUMNS = PairColumns("new", "old_name", "old", "district", "people_share", "area_share")
HEAD = "old,old_name,district,new,people_share,area_share\n"


def pairs_of(folder, text: str, columns: PairColumns = COLUMNS, **more):
    path = folder / "c.csv"
    path.write_text(text, encoding="utf-8-sig")
    return read_pairs(path, columns, **more)


def faults_of(call, *arguments, **more) -> list[str]:
    with pytest.raises(UserFault) as raised:
        call(*arguments, **more)
    return [one.code for one in raised.value.faults]


def plain(*rows: tuple[str, str, float | None, float | None]) -> pd.DataFrame:
    """Pairs: former_code, code, share of people, share of area."""
    table = pd.DataFrame(rows, columns=["former_code", "code", "population_weight", "area_weight"])
    return table.astype({"population_weight": "float64", "area_weight": "float64"})


def weights_of(table: pd.DataFrame) -> dict[tuple[str, str], tuple[float, str]]:
    keys = zip(table["former_code"], table["code"], strict=True)
    return dict(zip(keys, zip(table["weight"], table["basis"], strict=True), strict=True))


def test_the_first_basis_that_is_known_is_taken():
    pairs = plain(
        ("1", "8", None, None),
        ("2", "8", 0.2, 0.5), ("2", "9", 0.8, 0.5),
        ("3", "8", None, 0.25), ("3", "9", None, 0.75),
        ("4", "8", None, None), ("4", "9", None, None),
        ("5", "8", None, None), ("5", "9", None, None),
    )  # fmt: skip
    overlaps = pd.Series({("4", "8"): 1.0, ("4", "9"): 3.0, ("2", "8"): 9.0})
    assert weights_of(weighted(pairs, overlaps)) == {
        ("1", "8"): (1.0, "whole"),
        ("2", "8"): (0.2, "population"), ("2", "9"): (0.8, "population"),
        ("3", "8"): (0.25, "area"), ("3", "9"): (0.75, "area"),
        ("4", "8"): (0.25, "intersection"), ("4", "9"): (0.75, "intersection"),
        ("5", "8"): (0.5, "unknown"), ("5", "9"): (0.5, "unknown"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([("1", "8", 0.5, None), ("1", "9", 0.4, None)], "weight_sum"),
        ([("1", "8", 0.5, None), ("1", "9", 0.500002, None)], "weight_sum"),
        ([("1", "8", 0.9, None)], "weight_sum"),  # a part went elsewhere
        ([("1", "8", None, 0.0), ("1", "9", None, 0.0)], "weight_sum"),
        ([("1", "8", 1.0, None), ("1", "9", None, None)], "weight_missing"),
        ([("1", "8", None, 0.4), ("1", "9", None, None)], "weight_missing"),
    ],
)
def test_weights_that_are_incomplete_are_refused(rows, code):
    assert faults_of(weighted, plain(*rows)) == [code]


def test_rounded_weights_pass_and_sum_to_one_all_the_same():
    third = 0.3333333
    found = weighted(plain(*[("1", code, third, None) for code in "789"]))
    assert math.isclose(found["weight"].sum(), 1.0, abs_tol=1e-15)


shares = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(shares, st.sampled_from(["people", "area", "none"])), max_size=8, min_size=1
    ),
    st.data(),
)
def test_the_weights_of_an_old_commune_sum_to_one_and_nobody_is_lost(communes, data):
    rows = []
    for number, (parts, basis) in enumerate(communes):
        total = sum(parts)
        for place, part in enumerate(parts):
            share = {basis: part / total}
            code = f"n{(number + place) % 6}"
            rows.append((f"o{number}", code, share.get("people"), share.get("area")))
    weights = weighted(plain(*rows))
    sums = weights.groupby("former_code")["weight"].sum()
    assert np.allclose(sums, 1.0, atol=1e-12)
    counts = data.draw(
        st.lists(st.integers(0, 100_000), min_size=len(communes), max_size=len(communes))
    )
    people = pd.Series(counts, index=[f"o{n}" for n in range(len(communes))], dtype="float64")
    assert math.isclose(moved(people, weights).sum(), sum(counts), abs_tol=1e-6)


def test_a_commune_with_a_part_that_nobody_counted_is_empty():
    weights = weighted(plain(("1", "8", 0.5, None), ("1", "9", 0.5, None), ("2", "9", None, None)))
    found = moved(pd.Series({"1": 100.0}), weights)
    assert found["8"] == 50
    assert np.isnan(found["9"])


def test_overlaps_are_measured_between_the_pairs_communes():
    """An old commune of four squares: one went to the new west, three to the new east."""
    old = gpd.GeoDataFrame(
        {"commune_code": ["1"]}, geometry=[shapely.box(103, 22, 103.4, 22.1)], crs=4326
    )
    new = gpd.GeoDataFrame(
        {"commune_code": ["8", "9"]},
        geometry=[shapely.box(103, 22, 103.1, 22.1), shapely.box(103.1, 22, 103.4, 22.1)],
        crs=4326,
    )
    pairs = plain(("1", "8", None, None), ("1", "9", None, None), ("2", "9", None, None))
    found = overlaps_of(old, new, pairs)
    assert found["2", "9"] == 0
    assert 110 < found["1", "8"] < 118  # km², a tenth of a degree each way
    weights = weights_of(weighted(pairs, found))
    assert weights["1", "8"] == (pytest.approx(0.25), "intersection")


# --- reading


def test_pairs_are_read_with_codes_that_lost_their_zeros(tmp_path):
    text = HEAD + '107,Xã A,Huyện X,108,"0,25",\n00107,Xã A,Huyện X,00109,0.75,\n1,Xã B,,109.0,,\n'
    pairs, warnings = pairs_of(tmp_path, text, code_length=5)
    assert warnings == []
    assert pairs["former_code"].tolist() == ["00107", "00107", "00001"]
    assert pairs["code"].tolist() == ["00108", "00109", "00109"]
    assert pairs["population_weight"].tolist()[:2] == [0.25, 0.75]
    assert pairs["former_district"].isna().tolist() == [False, False, True]


def test_the_communes_show_how_long_codes_are(tmp_path):
    communes = squares(2, 1).assign(commune_code=["00108", "00109"])
    pairs, _ = pairs_of(tmp_path, HEAD + "107,Xã A,,108,,\n1,Xã B,,109,,\n")
    here = of_communes(pairs, communes, "c.csv", "new")
    assert here["code"].tolist() == ["00108", "00109"]
    assert here["former_code"].tolist() == ["00107", "00001"]
    letters = communes.assign(commune_code=["A1", "109"])
    assert of_communes(pairs, letters, "c.csv", "new")["code"].tolist() == ["109"]


def test_all_parts_of_an_old_commune_of_the_area_are_kept(tmp_path):
    """A part that went to another province must not be lost: weights would not sum to 1."""
    pairs, _ = pairs_of(tmp_path, HEAD + "1,A,,r0c0,0.5,\n1,A,,elsewhere,0.5,\n2,B,,elsewhere,,\n")
    here = of_communes(pairs, squares(), "c.csv", "new")
    assert here["former_code"].tolist() == ["1", "1"]
    assert weighted(here)["weight"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (HEAD + "1,A,,8,1.2,\n", "bad_weight"),
        (HEAD + "1,A,,8,-0.1,\n", "bad_weight"),
        (HEAD + "1,A,,8,50 %,\n", "bad_weight"),
        (HEAD + "1,A,,8,0.5,\n1,A,,8,0.4,\n", "repeated_pairs"),
        ("old,old_name,district,new,people_share\n1,A,,8,1\n", "missing_column"),
    ],
)
def test_weights_that_are_none_are_refused(tmp_path, text, code):
    assert faults_of(pairs_of, tmp_path, text) == [code]


def test_rows_without_a_commune_are_counted(tmp_path):
    pairs, warnings = pairs_of(tmp_path, HEAD + "1,A,,8,,\n2,,,8,,\n3,C,,,,\n,,,,,\n")
    assert len(pairs) == 1
    assert [(one.code, one.values["count"]) for one in warnings] == [("blank_pairs", 2)]


def test_the_json_of_a_nation_is_read(tmp_path):
    old = [
        {"level3_id": "00107", "name": "Xã A",
         "splits": [{"new_id": "00108", "name": "Xã M "}, {"new_id": "00109", "name": "Xã N"}]},
        {"level3_id": "00110", "name": "Xã B\n", "splits": [{"new_id": "00108", "name": "Xã M"}]},
    ]  # fmt: skip
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"data": [{"level1_id": "01", "level3s": old}]}), encoding="utf-8")
    pairs, _ = read_pairs(path, COLUMNS)
    assert pairs[["former_code", "former_name", "code"]].to_numpy().tolist() == [
        ["00107", "Xã A", "00108"], ["00107", "Xã A", "00109"], ["00110", "Xã B", "00108"],
    ]  # fmt: skip
    assert split_communes(pairs).to_dict("records") == [
        {"former_code": "00107", "former_name": "Xã A", "codes": "00108; 00109"}
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"data": [{"level3s": [{"name": "A"}]}]}', "1"])
def test_another_json_is_an_error_message(tmp_path, text):
    path = tmp_path / "c.json"
    path.write_text(text, encoding="utf-8")
    assert faults_of(read_pairs, path, COLUMNS) == ["unreadable_file"]


def test_communes_of_one_name_are_distinguished(tmp_path):
    """By district; by code where the district is the same or not known."""
    text = HEAD + (
        "1,Xã Một,Huyện A,r0c0,,\n2,Xã Một,Huyện B,r0c0,,\n"
        "3,Xã Hai,,r0c0,,\n4,Xã Hai,,r0c1,,\n5,Xã Ba,Huyện A,r0c1,,\n6,Xã Ba,Huyện A,r0c1,,\n"
        "7,Xã Bốn,Huyện A,r0c0,,\n7,Xã Bốn,Huyện A,r0c1,,\n"
    )
    pairs, _ = pairs_of(tmp_path, text)
    found = named(squares(), pairs).set_index("commune_code")["former_communes"]
    assert found["r0c0"] == "Xã Bốn; Xã Hai (3); Xã Một (Huyện A); Xã Một (Huyện B)"
    assert found["r0c1"] == "Xã Ba (5); Xã Ba (6); Xã Bốn; Xã Hai (4)"


def test_split_communes_are_listed_in_a_warning(tmp_path):
    (tmp_path / "c.csv").write_text(HEAD + "1,A,,r0c0,,\n1,A,,r0c1,,\n2,B,,r0c1,,\n")
    settled = Crosswalk(
        path=tmp_path / "c.csv", code_column="new", former_code_column="old",
        former_commune_column="old_name", former_district_column="district",
    )  # fmt: skip
    _, warnings = named_communes(squares(), settled)
    assert [one.code for one in warnings] == ["split_communes"]
    assert warnings[0].values == {"found": ["A (1) → r0c0; r0c1"], "count": 1}


def test_a_crosswalk_to_another_vintage_is_refused(tmp_path):
    (tmp_path / "c.csv").write_text(HEAD + "1,A,,r0c0,,\n")
    settled = Crosswalk(
        path=tmp_path / "c.csv", code_column="new", former_commune_column="old_name",
        former_district_column=None, vintage="2030",
    )  # fmt: skip
    here = squares().assign(boundary_vintage="2025-07-01")
    assert faults_of(named_communes, here, settled) == ["other_vintage"]
    assert named_communes(here.assign(boundary_vintage="2030"), settled)[1] == []


# --- people of old communes, through a whole run

WORLD = """[crosswalk]
path = "c.csv"
code_column = "new"
former_code_column = "old"
former_commune_column = "old_name"
former_district_column = "district"
former_vintage = "2024"
citation = "Nghị quyết số 1/NQ"
{more}
[population]
path = "p.csv"
vintage = "2024"
"""
TEXT = HEAD + "1,A,X,r0c0,0.25,\n1,A,X,r0c1,0.75,\n2,B,Y,r0c1,,\n"


def world(folder, more: str = "", population: str = "1,400\n2,100\n3,7\n"):
    plan = {("r0c0", "V"): [60.0, 61.0, 62.0]}
    file = write_world(folder, {"2025-07": month_of_tests("2025-07", plan)}, WORLD)
    text = file.read_text(encoding="utf-8").replace("{more}", more)
    text = text.replace("[boundaries]\n", '[boundaries]\nvintage = "2025-07-01"\n')
    file.write_text(text.replace('population_column = "population"\n', ""), encoding="utf-8")
    (folder / "c.csv").write_text(TEXT, encoding="utf-8")
    (folder / "p.csv").write_text(f"commune_code,population\n{population}", encoding="utf-8")
    return file


def test_people_of_old_communes_are_moved_by_the_given_weights(tmp_path, lomsong):
    settings = world(tmp_path, 'population_weight_column = "people_share"')
    code, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert code == 0, text
    assert "p.csv: people of old communes were moved to the new ones, 500 in all" in text
    assert "1 communes went into one; shared out by people 1" in text
    summary = pd.read_csv(tmp_path / "outputs/2025-07/tables/commune_summary.csv")
    found = summary.set_index("commune_code")["population"]
    assert found[["r0c0", "r0c1"]].tolist() == [100, 400]
    assert found.notna().sum() == 2


def test_people_are_not_moved_by_weights_that_nobody_knows(tmp_path):
    found = read_inputs(read_settings(world(tmp_path)))
    assert [(one.code, one.file) for one in found.faults] == [("weights_unknown", "c.csv")]
    assert found.faults[0].values == {"found": ["1"], "count": 1}


def test_old_outlines_give_the_weights_by_intersection(tmp_path):
    former = '[former_boundaries]\npath = "old.geojson"\nvintage = "2024"\nvalid_to = 2025-06-30\n'
    settings = world(tmp_path, former)
    old = squares(2, 1).assign(commune_code=["1", "2"])
    shapes = [shapely.box(103.05, 22, 103.2, 22.1), shapely.box(103.1, 22, 103.2, 22.1)]
    write_boundaries(tmp_path / "old.geojson", old.set_geometry(shapes, crs=4326))
    found = read_inputs(read_settings(settings))
    assert found.faults == []
    people = found.inputs.communes.set_index("commune_code")["population"]
    assert people[["r0c0", "r0c1"]].tolist() == pytest.approx([400 / 3, 800 / 3 + 100], rel=1e-3)
    told = next(one.values for one in found.inputs.warnings if one.code == "people_moved")
    assert told == {"whole": 1, "population": 0, "area": 0, "intersection": 1, "found": 500}


def test_an_official_total_rescales_what_was_moved(tmp_path):
    settings = world(tmp_path, 'population_weight_column = "people_share"')
    with settings.open("a", encoding="utf-8") as file:
        file.write("total = 1000\n")
    people = read_inputs(read_settings(settings)).inputs.communes["population"]
    assert people.dropna().tolist() == [200.0, 800.0]


def test_people_of_no_old_commune_of_the_area_are_a_fault(tmp_path):
    settings = world(tmp_path, 'population_weight_column = "people_share"', "77,1\n78,2\n")
    found = read_inputs(read_settings(settings))
    assert [(one.code, one.file) for one in found.faults] == [("no_code_met", "p.csv")]


def test_the_resolution_stands_among_the_sources():
    sources = about("2025-07", crosswalk="Nghị quyết số 1/NQ").sources
    assert "xã cũ và xã mới: Nghị quyết số 1/NQ" in sources
    assert len(sources) == len(about("2025-07").sources) + 1


# --- the real crosswalks


def test_a_whole_province(shared):
    path = shared / "crosswalk/laichau_communes_106_to_38.csv"
    columns = PairColumns("new_ward_code", "old_ward_name", "old_ward_code", "old_district_name")
    pairs, warnings = read_pairs(path, columns)
    assert warnings == []
    assert (len(pairs), pairs["former_code"].nunique(), pairs["code"].nunique()) == (106, 106, 38)
    assert set(weighted(pairs)["basis"]) == {"whole"}
    assert split_communes(pairs).empty
    people = pd.Series(np.arange(106.0), index=pairs["former_code"])
    assert moved(people, weighted(pairs)).sum() == people.sum()
    # every code of today was one of before
    assert pairs["code"].isin(pairs["former_code"]).all()


def test_a_whole_nation(shared):
    pairs, warnings = read_pairs(shared / "crosswalk/vn_communes_2025_splits.json", COLUMNS)
    assert warnings == []
    assert (len(pairs), pairs["former_code"].nunique()) == (10_599, 10_047)
    assert len(split_communes(pairs)) == 460
    weights = weighted(pairs)
    assert (weights.loc[weights["basis"] == "unknown", "former_code"].nunique()) == 460
    assert np.allclose(weights.groupby("former_code")["weight"].sum(), 1.0, atol=1e-12)
    people = pd.Series(5000.0, index=pairs["former_code"].unique())
    assert moved(people, weights).sum() == pytest.approx(people.sum())
    names = distinguished(pairs).groupby(pairs["former_code"]).first()
    assert names.duplicated().sum() == 0
