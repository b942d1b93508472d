"""Gap areas hang together, keep their ids, and the ledger says what became of them.

A gap is repaired only where it was measured.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import h3
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.actions import gaps
from pipeline.actions.gap_events import _explains, _Gap
from pipeline.actions.gap_tables import Gaps, _retested, gap_tables
from pipeline.config.rules import rules_of
from pipeline.config.settings import Settings
from pipeline.hexgrid import hexes
from pipeline.measurements.evidence import Evidence
from pipeline.measurements.scope import Event, Names
from pipeline.schema.month import AreaPeriod
from pipeline.schema.periods import Period
from pipeline.sources.previous_runs import no_ledger
from pipeline.verdicts import statistics
from tests.builders import month_of_tests, run_lomsong, squares, write_world

pytestmark = pytest.mark.slow  # whole months are run

CELL = "87416e6e6ffffff"  # resolution 7
AROUND = sorted(set(h3.grid_disk(CELL, 1)) - {CELL})


# --- contiguity


def test_cells_of_different_resolutions_touch_through_their_descendants():
    neighbour = AROUND[0]
    touching = [
        c
        for c in h3.cell_to_children(neighbour, 9)
        if any(h3.cell_to_parent(n, 7) == CELL for n in h3.grid_disk(c, 1))
    ]
    apart = [c for c in h3.cell_to_children(neighbour, 9) if c not in touching]
    assert touching
    assert apart
    pairs = hexes.neighbour_pairs([CELL, touching[0], apart[0]])
    assert pairs.to_numpy().tolist() == [[touching[0], CELL]]


def test_contiguous_cells_share_a_number_and_distant_ones_do_not():
    far = h3.latlng_to_cell(22.9, 104.9, 7)
    cells = pd.Series([far, AROUND[0], CELL, AROUND[3]])
    numbers = gaps.contiguous(cells, hexes.neighbour_pairs(cells.tolist()))
    assert numbers[1] == numbers[2] == numbers[3] != numbers[0]


@settings(max_examples=30, deadline=None)
@given(
    st.sets(st.sampled_from(sorted(h3.grid_disk(CELL, 4))), min_size=1, max_size=25),
    st.randoms(use_true_random=False),
)
def test_components_equal_a_walk_from_cell_to_cell_in_any_order(met, random):
    listed = sorted(met)
    random.shuffle(listed)
    cells = pd.Series(listed)
    numbers = dict(zip(cells, gaps.contiguous(cells, hexes.neighbour_pairs(listed)), strict=True))
    for start in met:
        seen, todo = {start}, [start]
        while todo:
            for other in set(h3.grid_disk(todo.pop(), 1)) & met - seen:
                seen.add(other)
                todo.append(other)
        assert {c for c in met if numbers[c] == numbers[start]} == seen
    assert sorted(set(numbers.values())) == list(range(len(set(numbers.values()))))


def test_a_pentagon_has_neighbours_too():
    pentagon = h3.get_pentagons(5)[0]
    other = next(c for c in h3.grid_disk(pentagon, 1) if c != pentagon)
    assert len(hexes.neighbour_pairs([pentagon, other])) == 2


def test_descendants_are_every_finest_cell_once():
    rows = hexes.descendants(pd.DataFrame({"hex_id": [CELL, AROUND[0]], "gap_id": ["x", "y"]}), 9)
    assert rows.groupby("gap_id").size().to_dict() == {"x": 49, "y": 49}
    assert rows["hex9_id"].is_unique
    assert hexes.descendants(pd.DataFrame({"hex_id": [], "gap_id": []}, dtype="str"), 9).empty


def test_cells_of_a_finer_ledger_are_stood_for_by_their_parents():
    fine = sorted(h3.cell_to_children(CELL, 9))[:3]
    rows = hexes.descendants(pd.DataFrame({"hex_id": fine, "gap_id": "x"}), 8)
    assert set(rows["hex9_id"]) == {h3.cell_to_parent(cell, 8) for cell in fine}
    assert rows["hex9_id"].is_unique


def test_the_largest_overlap_continues_a_gap_and_each_goes_on_once():
    overlaps = pd.DataFrame(
        {"area": [0, 1, 1, 2], "gap_id": ["x", "x", "y", "y"], "weight": [5, 9, 8, 1]}
    )
    assert gaps.matched(overlaps) == {1: "x", 2: "y"}
    assert gaps.matched(overlaps.iloc[::-1]) == {1: "x", 2: "y"}
    assert gaps.matched(overlaps.head(0)) == {}


# --- the states, as a decision table

NAN = float("nan")
STATES = [
    # former state, weak now, retested, meets again, p of no faster → state
    (None, True, False, False, NAN, "new"),
    ("new", True, False, False, NAN, "persisting"),
    ("new", True, True, False, 0.5, "persisting"),
    ("new", True, True, False, 0.05, "improving"),
    ("new", True, True, False, 0.051, "persisting"),
    ("persisting", True, False, False, 0.001, "persisting"),  # too few new tests to say so
    ("persisting", True, True, True, NAN, "improving"),  # still weak over the window: not yet fixed
    ("persisting", False, True, True, 0.001, "fixed"),
    ("persisting", False, True, False, 0.001, "improving"),
    ("persisting", False, True, False, 0.9, "persisting"),
    ("persisting", False, False, False, NAN, "not_retested"),
    ("persisting", False, False, True, 0.001, "not_retested"),  # fewer tests than E1 fix nothing
    ("not_retested", False, False, False, NAN, "not_retested"),
    ("not_retested", True, True, False, 0.5, "persisting"),
    ("fixed", False, False, False, NAN, "fixed"),
    ("fixed", False, True, False, 0.5, "fixed"),
    ("fixed", True, True, False, 0.5, "returned"),
    ("returned", True, True, False, 0.5, "persisting"),
]


@pytest.mark.parametrize(("former", "weak", "retested", "meets", "p", "state"), STATES)
def test_state(former, weak, retested, meets, p, state):
    row = pd.DataFrame({"former_state": pd.Series([former], dtype="str"), "is_weak": weak,
                        "is_retested": retested, "meets_again": meets, "faster_p": p})  # fmt: skip
    assert gaps.states(row, 0.05).tolist() == [state]


def test_welch_by_hand():
    now, then = [30.0, 34.0, 29.0, 36.0, 31.0], [12.0, 20.0, 15.0, 11.0]

    def figures(x):
        return pd.DataFrame(
            {"mean_mbps": [np.mean(x)], "sd_mbps": [np.std(x, ddof=1)], "m": [float(len(x))]}
        )

    from scipy import stats

    expected = stats.ttest_ind(now, then, equal_var=False, alternative="greater").pvalue
    assert gaps.faster(figures(now), figures(then)).iloc[0] == pytest.approx(expected)
    one = pd.DataFrame({"mean_mbps": [30.0], "sd_mbps": [np.nan], "m": [1.0]})
    assert gaps.faster(one, figures(then)).isna().all()
    assert gaps.faster(figures(now), one).isna().all()


# --- areas that grow together and part again


def devices_in(cells: list[str], commune: str = "r0c0") -> pd.DataFrame:
    """Nine phones in each cell, three samples each."""
    rows = [
        {"commune_code": commune, "operator": "A", "device_key": np.uint64(n + 100 * c),
         "hex9_id": cell, "test_count": 3.0,
         "sample_count": 3.0, "download_total": 3 * (9.0 + n), "upload_total": 9.0,
         "upload_count": 3.0, "latency_total": 120.0,
         "latency_count": 3.0}
        for c, cell in enumerate(cells) for n in range(9)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def samples_in(cells: list[str], month: str, commune: str = "r0c0") -> pd.DataFrame:
    """The same as samples, on three days."""
    rows = [
        {"commune_code": commune, "operator": "A", "device_key": np.uint64(n + 100 * c),
         "hex9_id": cell, "local_date": f"{month}-{day:02d}",
         "is_pseudo": False, "test_count": 1.0, "download_mbps": 9.0 + n, "upload_mbps": 3.0,
         "latency_ms": 40.0}
        for c, cell in enumerate(cells) for n in range(9) for day in (1, 2, 3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def gaps_of(
    cells: list[str],
    month: str,
    former: pd.DataFrame,
    commune: str = "r0c0",
    events: tuple[Event, ...] = (),
) -> Gaps:
    weak = pd.DataFrame({"hex_id": cells, "operator": "A"})
    prior = statistics.Prior(3.6, 0.2, 0.3, 0.01)
    nothing = pd.DataFrame()
    evidence = Evidence(
        nothing,
        nothing,
        devices_in(cells, commune),
        samples_in(cells, month, commune),
        operators=["A"],
        present=set(),
        window_months=1,
        is_tiles=False,
        sample_count=0,
        device_count=0,
        last_date=None,
        network_events=events,
        first_day=date.fromisoformat(f"{month}-01"),
        names=Names(squares()["commune_code"].to_numpy(dtype=object), ["A"]),
    )
    area = AreaPeriod(squares(), Period.parse(month))
    return gap_tables(weak, evidence, former, {"A": prior}, area, rules_of(Settings()))


def test_areas_that_grow_together_and_part_again_keep_their_ids():
    line = h3.grid_path_cells(
        h3.latlng_to_cell(22.05, 103.04, 9), h3.latlng_to_cell(22.05, 103.06, 9)
    )
    left, bridge, right = [line[0]], [line[1]], [line[2]]
    first = gaps_of([*left, *right], "2026-08", no_ledger())
    ids = dict(zip(first.of_cells["hex_id"], first.of_cells["gap_id"], strict=True))
    assert set(ids.values()) == {"r0c0/test/A/1", "r0c0/test/A/2"}
    joined = gaps_of([*left, *bridge, *right], "2026-09", first.ledger)
    assert joined.of_cells["gap_id"].unique().tolist() == ["r0c0/test/A/1"]
    now = joined.ledger[joined.ledger["period"] == "2026-09"].set_index("gap_id")
    assert pd.isna(now.loc["r0c0/test/A/1", "part_of"])
    assert now.loc["r0c0/test/A/2", ["part_of", "state"]].tolist() == [
        "r0c0/test/A/1",
        "persisting",
    ]
    assert joined.areas["cell_count"].tolist() == [3]
    apart = gaps_of([*left, *right], "2026-10", joined.ledger)
    assert dict(zip(apart.of_cells["hex_id"], apart.of_cells["gap_id"], strict=True)) == ids
    assert apart.ledger.loc[apart.ledger["period"] == "2026-10", "state"].tolist() == [
        "persisting",
        "persisting",
    ]


def test_a_gap_that_moves_over_a_border_keeps_the_id_of_where_it_was_first_seen():
    cell = h3.latlng_to_cell(22.05, 103.05, 9)
    first = gaps_of([cell], "2026-08", no_ledger())
    moved = gaps_of([cell], "2026-09", first.ledger, commune="r0c1")
    assert moved.areas["gap_id"].tolist() == first.areas["gap_id"].tolist() == ["r0c0/test/A/1"]
    # another gap of that commune takes the next number, never one that was used
    elsewhere = gaps_of([h3.latlng_to_cell(22.09, 103.09, 9)], "2026-10", moved.ledger)
    assert elsewhere.areas["gap_id"].tolist() == ["r0c0/test/A/2"]


def test_figures_of_an_area_are_those_of_its_devices():
    line = h3.grid_path_cells(
        h3.latlng_to_cell(22.05, 103.04, 9), h3.latlng_to_cell(22.05, 103.06, 9)
    )[:2]
    area = gaps_of(line, "2026-08", no_ledger()).areas.iloc[0]
    assert (area["device_count"], area["test_count"], area["cell_count"]) == (18, 54, 2)
    assert area["mean_mbps"] == pytest.approx(13.0)
    assert area["share_devices_below_target"] == 1
    assert area["area_km2"] == pytest.approx(
        sum(h3.cell_area(c, unit="km^2") for c in line), rel=0.01
    )
    assert area["lo_mbps"] < 13 < area["hi_mbps"]


# --- events

CODES = squares()["commune_code"].tolist()
GONE = Event(date(2026, 10, 5), "switch_off", None, date(2026, 10, 4))


@pytest.mark.parametrize(
    ("area", "is_named"),
    [
        ({"zone": CODES.index("r0c0")}, True),
        ({"zone": CODES.index("r0c1")}, True),
        ({"zone": CODES.index("r0c2")}, False),
        ({"zone": CODES.index("r0c1"), "operator": 1}, False),
        ({"zone": CODES.index("r0c1"), "circle": (22.05, 103.103, 0.5)}, True),  # over the border
        ({"zone": CODES.index("r0c1"), "circle": (22.05, 103.15, 0.5)}, False),
    ],
)
def test_an_event_in_the_commune_beside_is_that_of_a_gap_across_the_border(area, is_named):
    """The gap's cells reach from r0c0, where all of its tests are, to r0c1 (from 103.1 east)."""
    across = h3.grid_path_cells(
        h3.latlng_to_cell(22.05, 103.096, 9), h3.latlng_to_cell(22.05, 103.104, 9)
    )
    found = gaps_of(across, "2026-10", no_ledger(), events=(replace(GONE, **area),))
    assert found.areas["commune_code"].tolist() == ["r0c0"]
    assert found.ledger["event_kind"].eq("switch_off").tolist() == [is_named]


SEPTEMBER = (date(2026, 9, 1), date(2026, 9, 30))
OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))
AUGUST = date(2026, 8, 1)  # the window is August to October
NO_DAYS: frozenset[date] = frozenset()


@pytest.mark.parametrize(
    ("state", "kind", "day", "explains"),
    [
        ("fixed", "on_air", "2026-10-02", True),
        ("fixed", "on_air", "2026-09-30", True),  # no test from then to the end of September
        ("fixed", "on_air", "2026-09-08", False),  # weak by a test of that day
        ("fixed", "on_air", "2026-08-30", False),
        ("fixed", "switch_off", "2026-10-02", False),
        ("fixed", "outage", "2026-10-02", False),
        ("improving", "on_air", "2026-10-02", True),
        ("improving", "outage", "2026-10-02", False),
        ("new", "on_air", "2026-10-02", False),
        ("new", "switch_off", "2026-10-02", True),
        ("new", "outage", "2026-08-01", True),
        ("new", "switch_off", "2026-07-31", False),  # before the window
        ("returned", "switch_off", "2026-10-02", True),
        ("returned", "on_air", "2026-10-02", False),
        ("not_retested", "on_air", "2026-10-02", True),
        ("not_retested", "on_air", "2026-09-07", True),
        ("not_retested", "on_air", "2026-08-31", False),
        ("not_retested", "switch_off", "2026-09-07", True),
        ("not_retested", "outage", "2026-09-07", True),
        ("not_retested", "outage", "2026-10-02", False),  # its tests were no part of the gap
    ],
)
def test_which_events_explain_a_state(state, kind, day, explains):
    """Weak in September, by tests until the 8th; of `new` nothing was known."""
    at = date.fromisoformat(day)
    event = Event(at, kind, at if kind == "outage" else None, at)
    weak = None if state == "new" else SEPTEMBER
    fixed = OCTOBER if state == "fixed" else None
    gap = _Gap(state, weak, fixed, frozenset({date(2026, 9, 6), date(2026, 9, 8)}), AUGUST)
    assert _explains(event, gap) == explains


def test_a_repair_has_no_event_of_after_it_nor_of_days_that_are_not_at_hand():
    def repair(day: date, window: date) -> bool:
        event = Event(day, "on_air", None, day)
        return _explains(event, _Gap("fixed", SEPTEMBER, OCTOBER, NO_DAYS, window))

    assert repair(date(2026, 10, 31), AUGUST)
    assert not repair(date(2026, 11, 1), AUGUST)
    assert repair(date(2026, 9, 20), AUGUST)
    assert not repair(date(2026, 9, 20), date(2026, 10, 1))
    # a later event leaves out the tests that would say that it was weak still
    first, later = (
        Event(day, "on_air", None, day) for day in (date(2026, 9, 20), date(2026, 10, 9))
    )
    gap = _Gap("fixed", SEPTEMBER, OCTOBER, NO_DAYS, AUGUST)
    assert [_explains(one, gap, [first, later]) for one in (first, later)] == [False, True]
    again = _Gap("returned", SEPTEMBER, SEPTEMBER, NO_DAYS, AUGUST)
    assert not _explains(Event(date(2026, 8, 20), "switch_off", None, AUGUST), again)


# --- months in a row

MIXED = [22.0, 75.0, 35.0, 60.0, 28.0, 90.0, 41.0, 55.0, 30.0, 66.0]
SLOW = [6.0, 7.5, 9.0, 8.0, 11.0, 10.0, 7.0, 12.0, 9.5, 6.5, 8.5, 10.5]
BETTER = [3.2 * x for x in SLOW]  # 19–38: faster, and still below
FAST = [60.0, 75.0, 58.0, 66.0, 81.0, 70.0, 90.0, 55.0, 73.0, 62.0, 68.0, 77.0]
OTHERS = {
    (f"r{r}c{c}", "A"): [x * (1 + 0.1 * r - 0.1 * c) for x in MIXED]
    for r in range(3)
    for c in range(4)
    if (r, c) != (0, 0)
}
ONE_MONTH = "[evidence]\nwindow_months = 1\nwidened_months = []\n[operators]\nA = []\n"
HERE = "r0c0/unstated/A/1"


def world(folder, here: dict[str, list[float] | None]):
    """A file of settings and months in which commune r0c0 tests as given (None: nobody tests)."""
    plans = {month: OTHERS | ({("r0c0", "A"): x} if x else {}) for month, x in here.items()}
    return write_world(folder, {m: month_of_tests(m, plan) for m, plan in plans.items()}, ONE_MONTH)


def ledger_of(folder, period: str) -> pd.DataFrame:
    return pd.read_csv(folder / "outputs" / period / "tables/gap_ledger.csv", encoding="utf-8-sig")


@pytest.fixture
def story(made_once, tmp_path):
    """A copy of the ledger over six months, in their order.

    Slow, slow, faster, nobody tests, good, slow again.
    """

    def publish(folder: Path) -> None:
        months = [SLOW, SLOW, BETTER, None, FAST, SLOW]
        settings = world(folder, {f"2026-{n:02d}": x for n, x in enumerate(months, start=5)})
        run = ("run", "--settings", settings, "--out", folder / "outputs", "--period", "all")
        code, text = run_lomsong(*run, "--publish", "tables", "--lang", "en")
        assert code == 0, text

    shutil.copytree(made_once("gap-story", publish), tmp_path, dirs_exist_ok=True)
    return tmp_path / "settings.toml", tmp_path


def test_what_becomes_of_a_gap(story):
    _, folder = story
    ledger = ledger_of(folder, "2026-10")
    mine = ledger[ledger["gap_id"] == HERE].set_index("period")
    assert mine["state"].to_dict() == {
        "2026-05": "new", "2026-06": "persisting", "2026-07": "improving",
        "2026-08": "not_retested",
        "2026-09": "fixed", "2026-10": "returned",
    }  # fmt: skip
    assert set(mine["first_seen"]) == {"2026-05"}
    assert mine["last_seen"].tolist() == [
        "2026-05",
        "2026-06",
        "2026-07",
        "2026-07",
        "2026-07",
        "2026-10",
    ]
    assert mine.loc["2026-09", "fixed_in"] == "2026-09"
    assert pd.isna(mine.loc["2026-10", "fixed_in"])
    assert mine.loc["2026-09", "new_device_count"] == 12
    assert mine.loc["2026-09", "new_mean_mbps"] == pytest.approx(np.mean(FAST))
    # what was known of the area stays known while nobody tests there
    assert (
        mine.loc["2026-08", "mean_mbps"]
        == mine.loc["2026-07", "mean_mbps"]
        == pytest.approx(np.mean(BETTER))
    )
    areas = pd.read_csv(folder / "outputs/2026-10/tables/gap_areas.csv", encoding="utf-8-sig")
    assert areas.loc[
        areas["gap_id"] == HERE, ["commune_code", "state", "first_seen"]
    ].to_numpy().tolist() == [["r0c0", "returned", "2026-05"]]
    cells = pd.read_parquet(folder / "outputs/2026-10/tables/hex_status.parquet")
    assert set(cells.loc[cells["is_weak"] & cells["operator"].eq("A"), "gap_id"]) == set(
        areas["gap_id"]
    )
    assert cells.loc[~cells["is_weak"] | cells["operator"].eq("all"), "gap_id"].isna().all()


def test_a_past_period_rebuilt_gives_the_same_ledger_and_names_its_input(story, lomsong):
    settings, folder = story
    before = (folder / "outputs/2026-07/tables/gap_ledger.parquet").read_bytes()
    code, _ = lomsong("run", "--settings", settings, "--period", "2026-07", "--publish", "tables")
    assert code == 0
    assert (folder / "outputs/2026-07/tables/gap_ledger.parquet").read_bytes() == before
    manifest = json.loads((folder / "outputs/2026-07/manifest.json").read_text(encoding="utf-8"))
    former = [item for item in manifest["inputs"] if item["role"] == "gap ledger"]
    june = json.loads((folder / "outputs/2026-06/manifest.json").read_text(encoding="utf-8"))
    assert [item["name"] for item in former] == ["2026-06/tables/gap_ledger.parquet"]
    assert former[0]["sha256"] == june["outputs"]["tables/gap_ledger.parquet"]


def test_a_ledger_that_is_none_is_an_error_message(story, lomsong):
    settings, folder = story
    (folder / "outputs/2026-09/tables/gap_ledger.parquet").write_bytes(b"PAR1 not really")
    code, text = lomsong("run", "--settings", settings, "--period", "2026-10", "--lang", "en")
    assert code == 2
    assert "gap_ledger.parquet" in text
    assert "not a valid gap ledger" in text


def test_a_month_without_gaps_has_empty_tables_with_their_columns(lomsong, tmp_path):
    settings = world(tmp_path, {"2026-10": FAST})
    assert lomsong("run", "--settings", settings, "--publish", "tables")[0] == 0
    for name in ("gap_areas", "gap_ledger"):
        table = pd.read_parquet(tmp_path / f"outputs/2026-10/tables/{name}.parquet")
        assert table.empty
        assert {"gap_id", "state", "cells"} <= set(table.columns)


@pytest.mark.parametrize(
    ("speeds", "meets"),
    [
        ([60.0] * 12, True),
        ([30.0] * 11 + [500.0], False),  # a mean of 69: one phone on 5G
        ([36.0] * 11 + [140.0], False),  # 44.7, but 36 without the fastest
        ([60.0] * 11 + [500.0], True),
    ],
)
def test_5g_reported_as_4g_does_not_repair_a_gap(speeds, meets):
    new = pd.DataFrame(
        {
            "gap_id": "r0c0/test/V/1", "operator": "V", "device_key": range(len(speeds)),
            "hex9_id": "", "is_pseudo": False, "test_count": 1.0, "download_mbps": speeds,
            "upload_mbps": np.nan, "latency_ms": np.nan,
        }
    )  # fmt: skip
    dates = [new.assign(local_date=f"2026-10-{day:02d}") for day in (3, 9, 21)]
    prior = statistics.Prior(mu=3.6, tau2=0.2, sw2=0.3, var_mu=0.01)
    rules = rules_of(Settings())
    found = _retested(pd.concat(dates, ignore_index=True), {"V": prior}, rules)
    assert found["is_retested"].tolist() == [True]
    assert found["meets_again"].tolist() == [meets]
