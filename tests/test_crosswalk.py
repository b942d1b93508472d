"""Old names for the new communes: n to n, and error messages where the file is not one."""

from __future__ import annotations

import pytest

from pipeline.config.settings import Crosswalk
from pipeline.schema.errors import UserFault
from pipeline.sources.former_communes import named_communes
from tests.builders import read_page, squares, write_world
from tests.test_cli import ONE_MONTH

TEXT = """new_ward_code,old_ward_name,old_district_name
r0c0,Xã Cũ Hai,Huyện B
r0c0,Xã Cũ Một,Huyện A
r0c1,Xã Cũ Hai,Huyện B
r0c0,Xã Cũ Một,Huyện A
elsewhere,Xã Xa,Huyện Z
"""


def named(communes, path):
    return named_communes(communes, Crosswalk(path=path))[0]


def test_names_are_joined_each_once_in_order(tmp_path):
    (tmp_path / "c.csv").write_text(TEXT, encoding="utf-8-sig")
    found = named(squares(), tmp_path / "c.csv").set_index("commune_code")
    assert found.loc["r0c0", ["former_communes", "former_district"]].tolist() == [
        "Xã Cũ Hai; Xã Cũ Một",
        "Huyện A; Huyện B",
    ]
    assert found.loc["r0c1", "former_communes"] == "Xã Cũ Hai"
    assert found["former_communes"].isna().sum() == 14


def test_the_boundaries_own_districts_stand(tmp_path):
    (tmp_path / "c.csv").write_text(TEXT, encoding="utf-8")
    found = named(squares().assign(former_district="Huyện thật"), tmp_path / "c.csv")
    assert set(found["former_district"]) == {"Huyện thật"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "missing_file"),
        ("", "unreadable_file"),
        ("a,b\n1,2\n", "missing_column"),
        ("new_ward_code,old_ward_name,old_district_name\n99,X,Y\n", "no_code_met"),
    ],
)
def test_a_file_that_is_no_crosswalk_is_an_error_message(tmp_path, text, code):
    if text is not None:
        (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UserFault) as raised:
        named(squares(), tmp_path / "c.csv")
    assert {fault.code for fault in raised.value.faults} == {code}


def test_the_page_knows_the_old_names(tmp_path, lomsong):
    settings = write_world(tmp_path, ONE_MONTH, '[crosswalk]\npath = "c.csv"\n')
    (tmp_path / "c.csv").write_text(TEXT, encoding="utf-8")
    assert lomsong("run", "--settings", settings, "--publish", "map")[0] == 0
    communes = {
        c["id"]: c
        for c in read_page(tmp_path / "outputs/2026-10/maps/coverage_gaps.html")["communes"]
    }
    assert communes["r0c0"]["formers"] == "Xã Cũ Hai; Xã Cũ Một"
    assert communes["r0c0"]["district"] == "Huyện A; Huyện B"
