"""Former districts as subtotals: they add up, and reveal nothing that communes do not show."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema.columns import FIELDS, TABLES
from pipeline.schema.fields import STATUSES
from pipeline.verdicts.former_districts import former_districts
from tests.builders import month_of_tests, write_world

COUNTS = [f"{name}_count" for name in STATUSES]
OPERATORS = ("A", "B", "all")


def tables_of(communes: list[tuple[str | None, float, list[tuple[str, int, int]]]]):
    """commune_status and commune_summary of communes: district, people, verdicts by operator."""
    status = [
        (f"c{n}", "v", operator, "2026-10", *verdict)
        for n, (_, _, verdicts) in enumerate(communes)
        for operator, verdict in zip(OPERATORS, verdicts, strict=True)
    ]
    columns = ["commune_code", "boundary_vintage", "operator", "period", "status", "test_count"]
    summary = {
        "commune_code": [f"c{n}" for n in range(len(communes))],
        "former_district": pd.Series([district for district, *_ in communes], dtype="str"),
        "population": [float(people) for _, people, _ in communes],
    }
    return pd.DataFrame(status, columns=[*columns, "device_count"]), pd.DataFrame(summary)


verdict = st.tuples(st.sampled_from(STATUSES), st.integers(0, 500), st.integers(0, 50))
commune = st.tuples(
    st.sampled_from(["Huyện A", "Huyện B", "Huyện A; Huyện B", None]),
    st.integers(0, 9000) | st.just(float("nan")),
    st.tuples(verdict, verdict, verdict).map(list),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(commune, min_size=1, max_size=12))
def test_the_rows_of_an_operator_add_up_to_all_communes(communes):
    communes = [("Huyện A", 10, communes[0][2]), *communes]
    status, summary = tables_of(communes)
    found = former_districts(status, summary)
    assert set(found["former_district"].dropna()) == {d for d, *_ in communes if d}
    for operator, rows in status.groupby("operator"):
        mine = found[found["operator"] == operator]
        assert mine["commune_count"].sum() == len(communes)
        assert (mine[COUNTS].sum(axis=1) == mine["commune_count"]).all()
        for name in STATUSES:
            assert mine[f"{name}_count"].sum() == rows["status"].eq(name).sum()
        assert mine["test_count"].sum() == rows["test_count"].sum()
        assert mine["summed_device_count"].sum() == rows["device_count"].sum()
        for district, people in zip(mine["former_district"], mine["population"], strict=True):
            here = [p for d, p, _ in communes if d == district or (d is None and pd.isna(district))]
            assert np.isnan(people) if np.isnan(here).any() else people == sum(here)


def test_a_commune_of_two_districts_is_named_apart():
    row = [("no_data", 0, 0)] * 3
    status, summary = tables_of([("A", 1, row), ("A; B", 2, row), ("B", 4, row), (None, 8, row)])
    found = former_districts(status, summary).query("operator == 'all'")
    assert found["former_district"].fillna("").tolist() == ["A", "A; B", "B", ""]
    assert found["population"].tolist() == [1, 2, 4, 8]


def test_without_districts_there_is_no_table():
    status, summary = tables_of([(None, 1, [("no_data", 0, 0)] * 3)])
    assert former_districts(status, summary).empty


@pytest.mark.parametrize("name", TABLES["former_districts"])
def test_no_column_tells_a_speed(name):
    """A subtotal less its communes must reveal nothing: sums of what is published, and texts."""
    field = FIELDS[name]
    assert not field.is_private
    assert field.kind in ("text", "count")
    published = {*TABLES["commune_status"], *TABLES["commune_summary"], "commune_count"}
    counted = {*COUNTS, "summed_device_count"}  # of statuses and of device_count
    assert name in published | counted


def test_a_run_publishes_the_subtotals_of_its_communes(tmp_path, lomsong):
    plan = {("r0c0", "V"): [10.0], ("r0c1", "V"): [10.0 + i for i in range(14)]}
    settings_file = write_world(
        tmp_path, {"2026-10": month_of_tests("2026-10", plan)}, '[crosswalk]\npath = "c.csv"\n'
    )
    (tmp_path / "c.csv").write_text(
        "new_ward_code,old_ward_name,old_district_name\nr0c0,Một,Huyện A\nr0c1,Hai,Huyện A\n"
    )
    assert lomsong("run", "--settings", settings_file)[0] == 0
    folder = tmp_path / "outputs/2026-10/tables"
    found = pd.read_csv(folder / "former_districts.csv")
    mine = found[found["operator"] == "V"].fillna({"former_district": ""})
    mine = mine.set_index("former_district")
    assert mine["commune_count"].to_dict() == {"Huyện A": 2, "": 14}
    assert mine["test_count"].to_dict() == {"Huyện A": 45, "": 0}
    assert mine["summed_device_count"].to_dict() == {"Huyện A": 15, "": 0}
    assert mine["no_data_count"].to_dict() == {"Huyện A": 0, "": 14}
    dictionary = pd.read_csv(folder / "data_dictionary.csv")
    listed = dictionary[dictionary["table_name"] == "former_districts"]["column_name"]
    assert listed.tolist() == list(TABLES["former_districts"])
