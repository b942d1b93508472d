"""`village_status`: classes and grounds as a decision table, privacy, visits, the official list."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from pipeline.config.rules import priority_rules_of, rules_of
from pipeline.config.settings import Settings
from pipeline.measurements.scope import Event, Names
from pipeline.measurements.village_counts import COUNTS, VillageCounts
from pipeline.schema.month import AreaPeriod
from pipeline.schema.periods import Period
from pipeline.schema.tables import with_declared_dtypes
from pipeline.sources.villages import with_nothing_further
from pipeline.verdicts.village_visits import lasting_visits
from pipeline.verdicts.villages import HIDDEN, Asked, village_status
from tests.builders import squares, write_world
from tests.event_worlds import EVENTS, happen, others, rows, run, text, with_villages
from tests.event_worlds import SLOW as SLOW_TESTS

AREA = AreaPeriod(squares(columns=2, rows=1), Period.parse("2026-10"))
SETTINGS = Settings.model_validate({})
ASKED = Asked(rules_of(SETTINGS), priority_rules_of(SETTINGS).signs, 3)
FAST, SLOW = np.linspace(75, 95, 12), np.linspace(8, 16, 12)


def listed(count: int = 10, **more: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "village_name": [f"Bản {i}" for i in range(count)],
            "commune_code": ["r0c0"] * (count // 2) + ["r0c1"] * (count - count // 2),
            "latitude": 22.05, "longitude": 103.05, "people": 100.0,
        }
    ).assign(**more)  # fmt: skip
    return with_declared_dtypes("villages", with_nothing_further(table))


def tried(units: dict[tuple[int, str], dict | list], between: int = 0) -> VillageCounts:
    """Counts by (village, operator): a list is devices' speeds, each with three samples."""
    rows, values = [], []
    for (village, operator), one in units.items():
        speeds = list(one) if not isinstance(one, dict) else []
        n = len(speeds)
        count = dict.fromkeys(COUNTS, 0.0) | {
            "test_count": 4.0 * n, "sample_count": 3.0 * n, "device_count": n,
            "date_count": 3.0 * bool(n), "usable_device_count": n,
        }  # fmt: skip
        count |= {"signal_median_dbm": np.nan, "last_test_date": "2026-10-20" if n else None}
        if isinstance(one, dict):
            count |= one
        rows.append({"village": village, "operator": operator, **count})
        values += [
            {"village": village, "operator": operator, "download_mbps": x, "capped_mbps": x}
            for x in speeds
        ]
    columns = ["village", "operator", "download_mbps", "capped_mbps"]
    return VillageCounts(pd.DataFrame(rows), pd.DataFrame(values, columns=columns), between)


def usual(**changes: object) -> dict[tuple[int, str], object]:
    """Ten villages in which five devices of each operator tested, all near the target."""
    near = [30.0, 35.0, 40.0, 45.0, 50.0]
    return dict.fromkeys(itertools.product(range(10), ("V", "W")), near)


def status(units, villages=None, visits=None) -> pd.DataFrame:
    villages = listed() if villages is None else villages
    table = village_status(villages, tried(units), ["W", "V"], visits, AREA, ASKED)
    return table.set_index(["village_name", "operator"])


def one(change, village: int = 9, operator: str = "V", **more) -> pd.Series:
    return status(usual() | {(village, operator): change}, **more).loc[f"Bản {village}", operator]


NOTHING: dict = {}
FAILED = {"failed_test_count": 4.0, "failed_device_count": 4.0}
LOST = {"no_service_count": 5.0, "failed_device_count": 3.0}


@pytest.mark.parametrize(
    ("change", "village_class", "grounds"),
    [
        (FAST, "meets", "interval"),
        (SLOW, "below_target", "interval"),
        (FAST[:2], "not_known", "few_devices"),
        (FAST[:4], "not_known", "undecided"),
        # four tried, two of them had a valid test
        (
            {
                "test_count": 9.0,
                "sample_count": 6.0,
                "device_count": 2.0,
                "date_count": 3.0,
                "usable_device_count": 2.0,
                "failed_device_count": 2.0,
                "failed_test_count": 2.0,
            },
            "not_known",
            "few_devices",
        ),
        ([38.0, 42.0, 39.0, 44.0, 36.0, 45.0, 30.0, 52.0], "not_known", "undecided"),
        ({"failed_test_count": 2.0, "failed_device_count": 2.0}, "not_known", "few_devices"),
        (FAILED, "no_signal", "unreached;failed_tests"),
        (LOST, "no_signal", "unreached;no_service"),
    ],
)
def test_classes_by_what_was_measured(change, village_class, grounds):
    found = one(change)
    assert (found["village_class"], found["class_grounds"]) == (village_class, grounds)


def measured(speeds, **more) -> VillageCounts:
    counts = tried({(0, "V"): speeds}).counts.iloc[0].to_dict()
    return {name: counts[name] for name in counts if name not in ("village", "operator")} | more


@pytest.mark.parametrize(
    ("more", "grounds"),
    [
        ({"signal_median_dbm": -112.0, "signal_device_count": 5.0}, "weak_signal"),
        ({"signal_median_dbm": -110.0, "signal_device_count": 3.0}, "weak_signal"),
        ({"fallback_test_count": 5.0}, "fallback_3g_2g"),
        ({"failed_test_count": 3.0}, "failed_tests"),
        ({"no_service_count": 4.0}, "no_service"),
        ({"failed_test_count": 6.0, "fallback_test_count": 8.0}, "fallback_3g_2g;failed_tests"),
    ],
)
def test_signs_of_a_weak_signal(more, grounds):
    found = one(measured(SLOW[:5], **more))
    assert (found["village_class"], found["class_grounds"]) == ("weak", grounds)


@pytest.mark.parametrize(
    "more",
    [
        {"signal_median_dbm": -109.0, "signal_device_count": 5.0},
        {"signal_median_dbm": -120.0, "signal_device_count": 2.0},  # of too few devices
        {"fallback_test_count": 4.0},  # 4 of 24 tests
        {"failed_test_count": 2.0},  # 2 of 22
    ],
)
def test_neighbours_that_are_no_signs(more):
    assert one(measured(SLOW[:5], **more))["village_class"] == "not_known"


def test_a_silent_operator_where_the_other_is_tested_much():
    units = {key: value for key, value in usual().items() if key != (9, "V")}
    units[9, "W"] = [40.0] * 30
    found = status(units)
    silent = found.loc["Bản 9", "V"]
    assert silent["no_signal_probability"] > 0.5
    assert silent["village_test_count"] == 0
    assert silent["visit_rank"] == 1
    assert found["visit_rank"].notna().sum() == 1


def test_that_nobody_tested_is_said_only_where_nobody_tried():
    units = {key: value for key, value in usual().items() if key != (9, "V")}
    units |= {(place, "W"): [40.0] * 60 for place in range(10)}
    units |= {(place, "V"): [40.0] * 30 for place in range(9)}
    silent = status(units).loc["Bản 9", "V"]
    assert (silent["village_class"], silent["class_grounds"]) == ("no_signal", "silence")
    tried_in_vain = status(units | {(9, "V"): LOST}).loc["Bản 9", "V"]
    assert tried_in_vain["class_grounds"] == "unreached;no_service"


@pytest.mark.parametrize(
    ("result", "village_class", "grounds"),
    [("no_signal", "no_signal", "visited"), ("measured", "not_known", "no_tests")],
)
def test_visits_come_before_silence_and_ask_for_no_second_visit(result, village_class, grounds):
    units = {key: value for key, value in usual().items() if key != (9, "V")}
    units[9, "W"] = [40.0] * 30
    visit = {
        "visit_date": "2026-10-09", "commune_code": "r0c1", "village_name": "Bản 9",
        "operator": "V", "visit_result": result, "devices_tested": 1.0,
    }  # fmt: skip
    found = status(units, visits=pd.DataFrame([visit])).loc["Bản 9", "V"]
    assert (found["village_class"], found["class_grounds"]) == (village_class, grounds)
    assert pd.isna(found["visit_rank"])
    assert (found["no_signal_probability"] > 0.9) == (result == "no_signal")


def test_the_last_visit_counts_and_a_test_since_contradicts_it():
    visits = pd.DataFrame(
        {
            "visit_date": ["2026-10-09", "2026-10-12"], "commune_code": "r0c1",
            "village_name": "Bản 9", "operator": "V",
            "visit_result": ["measured", "no_signal"], "devices_tested": 1.0,
        }
    )  # fmt: skip
    assert one({}, visits=visits)["class_grounds"] == "visited"
    assert one({}, visits=visits.iloc[::-1])["class_grounds"] == "visited"
    assert one(FAST, visits=visits)["village_class"] == "meets"


def test_villages_of_one_name_take_no_visit():
    villages = listed().assign(village_name=[f"Bản {min(i, 8)}" for i in range(10)])
    visit = pd.DataFrame(
        {
            "visit_date": ["2026-10-09"], "commune_code": "r0c1", "village_name": "Bản 8",
            "operator": "V", "visit_result": "no_signal", "devices_tested": 1.0,
        }
    )  # fmt: skip
    units = usual() | {(8, "V"): NOTHING, (9, "V"): NOTHING}
    found = village_status(villages, tried(units), ["V", "W"], visit, AREA, ASKED)
    assert not found["class_grounds"].eq("visited").any()
    assert found["village_id"].nunique() == 10


def test_nothing_of_fewer_devices_than_the_privacy_gate_is_published():
    for tried_by in ([55.0], [55.0, 60.0], {"failed_device_count": 1.0, "failed_test_count": 1.0}):
        found = one(tried_by)
        assert found[list(HIDDEN)].isna().all()
        assert found["class_grounds"] == "few_devices"
        assert found["status"] == "insufficient_evidence"
        assert pd.isna(found["visit_rank"])
    assert one([55.0, 60.0, 65.0])["village_device_count"] == 3


def test_counts_of_one_hidden_village_do_not_follow_from_the_communes():
    """Of five villages of a commune one has two devices: the smallest other one shows no counts."""
    found = status(usual() | {(9, "V"): FAST[:2], (7, "V"): FAST[:4]})
    counts = found.xs("V", level="operator")["village_test_count"]
    assert counts[["Bản 7", "Bản 9"]].isna().all()
    assert counts.notna().sum() == 8
    assert found.loc["Bản 7", "V"]["village_class"] == "not_known"
    assert found.xs("W", level="operator")["village_test_count"].notna().all()
    two = status(usual() | {(9, "V"): FAST[:2], (8, "V"): FAST[:2]})
    assert two.xs("V", level="operator")["village_test_count"].isna().sum() == 2
    few = status(usual() | {(9, "V"): FAST[:1], (8, "V"): FAST[:1]})
    assert few.xs("V", level="operator")["village_test_count"].isna().sum() == 3


@pytest.mark.parametrize(
    ("classes", "change", "official", "differs"),
    [
        ("V=no_signal", FAST, "no_signal", True),
        ("V=weak", FAST, "weak", True),
        ("V=covered", FAST, "covered", False),
        ("V=covered", FAILED, "covered", True),
        ("W=covered;V=no_signal", FAILED, "no_signal", False),
        ("all=weak", SLOW, "weak", False),
        ("all=weak;V=covered", FAILED, "covered", True),
        ("W=weak", FAST, None, False),
        (None, FAST, None, False),
        ("V=no_signal", FAST[:2], "no_signal", False),  # what is not known contradicts nothing
    ],
)
def test_the_official_class_stands_beside_it(classes, change, official, differs):
    villages = listed(official_classes=[None] * 9 + [classes])
    found = one(change, villages=villages)
    assert found["official_class"] == official or pd.isna(found["official_class"])
    assert pd.isna(found["official_class"]) == (official is None)
    assert found["class_differs"] == differs


def test_visits_are_ordered_by_people_who_may_have_no_signal():
    units = {key: value for key, value in usual().items() if key not in ((8, "V"), (9, "V"))}
    units |= {(8, "W"): [40.0] * 30, (9, "W"): [40.0] * 30}
    people = [100.0] * 8 + [500.0, 90.0]
    found = status(units, villages=listed(people=people))
    ranks = found["visit_rank"].dropna()
    assert ranks.loc["Bản 8", "V"] == 1
    assert ranks.loc["Bản 9", "V"] == 2


def test_the_order_of_villages_does_not_matter():
    units = usual() | {(9, "V"): SLOW, (3, "W"): FAILED, (2, "V"): FAST}
    order = [4, 3, 2, 1, 0, 9, 8, 7, 6, 5]
    place = {village: position for position, village in enumerate(order)}
    moved = {(place[village], operator): value for (village, operator), value in units.items()}
    first, again = status(units), status(moved, villages=listed().iloc[order])
    columns = ["village_class", "class_grounds", "village_test_count", "status", "visit_rank"]
    pd.testing.assert_frame_equal(again.loc[first.index, columns], first[columns])
    np.testing.assert_allclose(
        again.loc[first.index, "no_signal_probability"], first["no_signal_probability"], atol=1e-9
    )


# --- visits that no longer count

UP, GONE, FAULT = "on_air", "switch_off", "outage"


def lasting(found: list[tuple[str, str]], *events: tuple[str, str], **area: object) -> list[str]:
    """Days of the visits of V in Bản 9 (day, result) that count after events (day, kind).

    An outage lasts a day. `area`: of all events; the commune of the village if none is given.
    """
    visits = pd.DataFrame(
        [
            {"visit_date": day, "commune_code": "r0c1", "village_name": "Bản 9", "operator": "V",
             "visit_result": result, "devices_tested": 3.0}
            for day, result in found
        ]
    )  # fmt: skip
    happened = tuple(
        Event(
            at := date.fromisoformat(day),
            kind,
            at if kind == FAULT else None,
            at if kind == FAULT else at - timedelta(days=1),
            **({"zone": 1} | area),
        )
        for day, kind in events
    )
    names = Names(np.array(["r0c0", "r0c1"], dtype=object), ["V", "W"])
    kept = lasting_visits(visits, listed(), happened, names, AREA.period)
    assert list(kept.columns) == list(visits.columns)
    return kept["visit_date"].tolist()


@pytest.mark.parametrize(
    ("result", "kind", "day", "counts"),
    [
        ("no_signal", UP, "2026-09-20", False),
        ("no_signal", UP, "2026-09-06", False),
        ("no_signal", UP, "2026-09-05", True),  # the day itself is one of after it
        ("measured", UP, "2026-09-20", True),  # there was a signal already
        ("measured", GONE, "2026-09-20", False),
        ("measured", GONE, "2026-09-05", True),
        ("no_signal", GONE, "2026-09-20", True),  # there was none already
        ("no_signal", FAULT, "2026-09-05", False),
        ("no_signal", FAULT, "2026-09-06", True),
        ("measured", FAULT, "2026-09-20", True),
    ],
)
def test_visits_that_an_event_overtakes_do_not_count(result, kind, day, counts):
    visits = [("2026-09-05", result)]
    assert lasting(visits, (day, kind)) == (["2026-09-05"] if counts else [])


@pytest.mark.parametrize(
    ("area", "counts"),
    [
        ({"operator": 0}, False),
        ({"operator": 1}, True),
        ({"zone": 0}, True),
        ({"circle": (22.05, 103.05, 0.01)}, False),
        ({"circle": (22.06, 103.05, 1.0)}, True),  # 1.1 km away
        ({"circle": (22.06, 103.05, 1.2)}, False),
    ],
)
def test_an_event_elsewhere_overtakes_no_visit(area, counts):
    found = lasting([("2026-09-05", "no_signal")], ("2026-09-20", UP), **area)
    assert bool(found) == counts


def test_a_visit_since_the_event_counts_and_one_before_takes_no_other_ones_place():
    before, later = ("2026-09-05", "no_signal"), ("2026-09-25", "no_signal")
    assert lasting([before, later], ("2026-09-20", UP)) == ["2026-09-25"]
    first = ("2026-09-01", "measured")  # contradicted on the 5th: it does not come back
    assert lasting([first, before], ("2026-09-20", UP)) == []
    assert lasting([first, before], ("2026-09-05", FAULT)) == ["2026-09-01"]  # a passing fault


def test_a_visit_counts_for_twelve_months():
    assert lasting([("2025-10-31", "no_signal"), ("2025-11-01", "no_signal")]) == ["2025-11-01"]


@pytest.mark.slow
@pytest.mark.parametrize(("event", "result"), [("on_air", "no_signal"), ("switch_off", "measured")])
def test_a_visit_before_an_event_no_longer_says_how_it_is(tmp_path, event, result):
    months = {"2026-10": text(rows("2026-10", "r0c0", SLOW_TESTS, "a"), others("2026-10"))}
    lines = with_villages(tmp_path) + '[visits]\npath = "visits.csv"\n' + EVENTS
    settings = write_world(tmp_path, months, lines)
    head = "visit_date,commune_code,village_name,operator,visit_result,devices_tested"
    visit = f"2026-09-05,r0c1,Bản A r0c1,V,{result},3"
    (tmp_path / "visits.csv").write_text(f"{head}\n{visit}\n", encoding="utf-8")
    happen(tmp_path, f"2026-09-20,{event},V,,r0c1,,,")
    table = pd.read_parquet(run(settings, "2026-10") / "tables/village_status.parquet")
    row = table.set_index("village_name").loc["Bản A r0c1"]
    assert row["class_grounds"] != "visited"
    assert pd.notna(row["visit_rank"]), "somebody has to go there again"
    assert 0.1 < row["no_signal_probability"] < 0.9
