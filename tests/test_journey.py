"""The whole month on small and on real files.

Golden tables, balanced books, equal bytes, figures by hand.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from pipeline.demo.province import write_demo
from pipeline.publish.finished_files import ZIPPED, contents
from pipeline.publish.gap_map.columns import decoded
from pipeline.publish.manifest import TIMES
from pipeline.schema import columns, fields, tables
from tests.builders import (
    accept,
    golden_world,
    month_of_tests,
    page_table,
    read_page,
    run_lomsong,
    squares,
    write_boundaries,
    write_world,
)

pytestmark = pytest.mark.slow  # whole months are run

GOLDEN = Path(__file__).parent / "golden"


def run(lomsong, settings: Path, out: Path, *more: str) -> tuple[Path, str]:
    code, text = lomsong("run", "--settings", settings, "--out", out, "--lang", "en", *more)
    assert code == 0, text
    return next(p for p in out.iterdir() if not p.name.startswith(".")), text


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


# --- golden month


def test_golden_month(golden_tables):
    """The tables of the golden month equal the kept ones.

    To renew them after a change that is meant: `GOLDEN=renew make test`, then read the difference
    in git.
    """
    folder = golden_tables / "outputs/2026-10"
    for name in ("commune_status", "commune_summary", "priorities", "measure_first"):
        made, kept = folder / "tables" / f"{name}.csv", GOLDEN / f"{name}.csv"
        if os.environ.get("GOLDEN") == "renew":
            kept.write_bytes(made.read_bytes())
        expected = pd.read_csv(kept)  # it may lack columns that are newer
        pd.testing.assert_frame_equal(pd.read_csv(made)[list(expected)], expected, rtol=1e-6)
    statuses = set(pd.read_csv(folder / "tables/commune_status.csv")["status"])
    assert statuses == set(fields.STATUSES), "the golden month holds every status"


def test_published_columns_are_the_declared_ones(demo_outputs):
    for name in (
        "commune_status",
        "commune_summary",
        "priorities",
        "measure_first",
        "rejects",
        "rejects_summary",
    ):
        declared = [columns.PUBLISHED_AS.get(c, c) for c in tables.TABLES[name]]
        assert list(pd.read_csv(demo_outputs / f"tables/{name}.csv").columns) == [
            *declared,
            "notice",
        ]
        assert list(pd.read_parquet(demo_outputs / f"tables/{name}.parquet").columns) == [
            *declared,
            "notice",
        ]


INTERFACE_STATUS = [
    "commune_code",
    "commune_name",
    "boundary_vintage",
    "operator",
    "period",
    "window_months",
    "status",
    "evidence",
    "evidence_basis",
    "no_data_reason",
    "flags",
    "look_count",
    "test_count",
    "sample_count",
    "device_count",
    "date_count",
    "failed_test_count",
    "month_test_count",
    "month_mean_mbps",
    "mean_mbps",
    "median_mbps",
    "p10_mbps",
    "raw_mean_mbps",
    "lo_mbps",
    "hi_mbps",
    "eb_mean_mbps",
    "gap_probability",
    "p_gap",
    "q_gap",
    "q_meets",
    "share_below_10_mbps",
    "devices_to_decide",
    "devices_to_decide_reason",
    "upload_mean_mbps",
    "latency_median_ms",
]


def test_the_columns_that_others_rely_on_are_there():
    assert set(INTERFACE_STATUS) <= set(tables.TABLES["commune_status"])


# --- the demo


def test_every_commune_and_operator_has_a_row_and_all_figures_agree(demo_outputs):
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str})
    assert len(status) == 38 * 5
    manifest = json.loads((demo_outputs / "manifest.json").read_text(encoding="utf-8"))
    named = status[status["operator"] != "all"]
    books = manifest["rows_by_step"]["clean"]["ispeed"]
    assert (
        named["test_count"].sum()
        == status[status["operator"] == "all"]["test_count"].sum()
        == books["valid_count"]
    )
    assert named["failed_test_count"].sum() == books["failed_count"]
    rejects = pd.read_csv(demo_outputs / "tables/rejects.csv")
    assert len(rejects) == books["reject_count"]
    assert (
        books["read_count"]
        == 30_000
        == books["valid_count"] + books["failed_count"] + books["reject_count"]
    )
    assert not rejects.duplicated(["source_file", "source_row"]).any()
    summary = pd.read_csv(demo_outputs / "tables/rejects_summary.csv")
    assert summary["reject_count"].sum() == len(rejects)
    page = read_page(demo_outputs / "maps/coverage_gaps.html")
    shown = page_table(page, "status")
    rows = status.set_index(["commune_code", "operator"]).reindex(shown.index)
    assert (shown["tests"] == rows["test_count"]).all()
    assert (shown["devices"] == rows["device_count"]).all()
    pd.testing.assert_series_equal(
        shown["mean"], rows["mean_mbps"], check_names=False, rtol=0, atol=0.001
    )
    priorities = pd.read_csv(demo_outputs / "tables/priorities.csv", dtype={"commune_code": str})
    gaps = named[named["status"].isin(["confirmed_gap", "probable_gap"])]
    assert set(zip(priorities["commune_code"], priorities["operator"], strict=True)) == set(
        zip(gaps["commune_code"], gaps["operator"], strict=True)
    )
    assert (
        (decoded(page["block"])["p.rank"] - 1).tolist()
        == priorities["need_rank"].tolist()
        == list(range(1, len(gaps) + 1))
    )
    by_operator = [
        pd.read_csv(p) for p in sorted((demo_outputs / "tables").glob("priorities_*.csv"))
    ]
    assert sum(map(len, by_operator)) == len(priorities)


def test_the_demo_is_labelled_as_invented_everywhere(demo, demo_outputs):
    notice = "SỐ LIỆU GIẢ LẬP"
    paths = [*demo_outputs.rglob("*"), *demo.rglob("*")]
    expected = {".csv", ".parquet", ".json", ".html", ".gpkg", ".kml", ".xlsx", ".docx", ".zip"}
    assert expected <= {path.suffix for path in paths}
    for path in paths:
        if path.suffix == ".parquet":
            assert pd.read_parquet(path, columns=["notice"])["notice"].str.startswith(notice).all()
        elif path.suffix == ".gpkg":
            assert notice.encode() in path.read_bytes()
        elif (
            path.is_file()
            and "raw" not in path.parts
            and path.suffix not in (*ZIPPED, ".png", ".pdf")
        ):
            assert notice in path.read_text(encoding="utf-8-sig"), path.name
        elif path.suffix in ZIPPED:
            held = [content for _, content in contents(path.name, path.read_bytes())]
            found = [text.encode() for content in held for text in content.cells]
            found += [text for content in held for text in content.running]
            assert any(notice.encode() in text for text in found), path.name


def test_the_demos_rows_are_what_was_promised(demo):
    rows = pd.concat(
        [
            pd.read_csv(p, sep=None, engine="python", dtype=str)
            for p in sorted((demo / "raw").rglob("*.csv"))
        ]
    )
    assert len(rows) == 30_000
    assert 3500 <= rows["Mã thiết bị"].nunique() <= 4500
    assert rows.duplicated().sum() > 100, "copied rows"
    truth = pd.read_csv(demo / "truth/commune_operator.csv")
    assert len(truth) == 38 * 4


def test_confirmed_verdicts_agree_with_the_truth_they_were_drawn_from(demo, demo_outputs):
    truth = pd.read_csv(demo / "truth/commune_operator.csv", dtype={"commune_code": str})
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str})
    both = status.merge(truth, on=["commune_code", "operator"])
    confirmed = both[both["evidence"] == "confirmed"]
    assert len(confirmed) > 20
    wrong = confirmed["status"].eq("confirmed_gap") != confirmed["is_gap"]
    assert wrong.mean() <= 0.05
    known = both["weighted_lo_mbps"].notna()
    # testers live in other villages than the people: the plain interval promises nothing of them
    holds = both[known].eval("weighted_lo_mbps <= true_mean_mbps <= weighted_hi_mbps")
    assert holds.mean() >= 0.94


def test_the_demos_villages_are_an_input_that_raises_no_question(demo, demo_outputs):
    manifest = json.loads((demo_outputs / "manifest.json").read_text(encoding="utf-8"))
    listed = pd.read_csv(demo / "villages.csv", dtype={"commune_code": str})
    assert listed["village_name"].str.fullmatch(r"(Thôn|Tổ dân phố) \d+").all()
    assert listed.groupby("commune_code").size().between(4, 12).all()
    assert listed["commune_code"].nunique() == 38
    counts = {one["name"]: one["row_count"] for one in manifest["inputs"]}
    assert counts["villages.csv"] == len(listed)
    # what was said before there was a list: names and cells of the tests
    about = [re.match(r"[^:,]+", one).group() for one in manifest["warnings"]]
    assert about == ["2026-08/ispeed.csv", "2026-10/ispeed.csv", "2026-10/ispeed.csv"]


def test_the_demos_villages_have_the_communes_people_as_the_truth_has_them(demo):
    keys = ["commune_code", "village_name"]
    listed = pd.read_csv(demo / "villages.csv", dtype={"commune_code": str}).set_index(keys)
    communes = gpd.read_file(demo / "boundaries/communes.geojson").set_index("commune_code")
    total = listed["people"].groupby("commune_code").sum()
    # each village is rounded to whole people
    assert (total - communes["population"]).abs().max() <= 12
    places = pd.read_csv(demo / "truth/places.csv", dtype={"commune_code": str})
    of = communes["population"].loc[places["commune_code"]].to_numpy()
    people = listed.loc[list(zip(*(places[key] for key in keys), strict=True)), "people"].to_numpy()
    # whole people, 1 or more, of shares with four decimals
    assert (np.abs(people - places["share"] * of) <= 1 + 0.00005 * of).all()


def test_verdicts_of_the_demo_rest_on_the_people_too(demo_outputs):
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str})
    published = status[status["mean_mbps"].notna()]
    assert len(published) > 100
    names = ["weighted_mean_mbps", "weighted_lo_mbps", "weighted_hi_mbps"]
    assert published[names].notna().all(axis=None)
    # nobody's village resembles the other's exactly
    assert (published["weighted_mean_mbps"] - published["mean_mbps"]).abs().gt(0.01).mean() > 0.9


@pytest.mark.slow
def test_the_same_run_twice_gives_equal_bytes(tmp_path, demo, demo_outputs):
    """Tables, workbook, map, picture, GIS files, packs, report: every file that a run publishes."""
    code, text = run_lomsong("run", "--settings", demo / "settings.toml", "--out", tmp_path)
    assert code == 0, text
    again = tmp_path / "2026-10"
    one, two = files_of(demo_outputs), files_of(again)
    manifests = [json.loads(f.pop("manifest.json")) for f in (one, two)]
    assert one == two
    for manifest in manifests:
        for clock in TIMES:
            del manifest[clock]
    assert manifests[0] == manifests[1]
    assert {path.split("/")[0] for path in one} == {"tables", "maps", "gis", "packs", "report"}


@pytest.mark.slow
def test_the_same_demo_twice_gives_equal_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_demo(tmp_path / name, test_count=800, seed=seed)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b") != files_of(tmp_path / "c")


def test_no_path_of_the_machine_and_no_device_leaves(demo, demo_outputs):
    rows = pd.read_csv(demo / "raw/2026-09/ispeed.csv", dtype=str)
    text = "".join(content.decode(errors="replace") for content in files_of(demo_outputs).values())
    assert str(demo) not in text
    assert not any(device in text for device in rows["Mã thiết bị"].unique()[:300])


# --- other shapes of data


def test_sources_without_device_ids_end_at_probable(lomsong, tmp_path):
    plan = {("r0c0", "V"): [10.0, 12.0, 14.0, 9.0, 11.0] * 4}
    text = (
        "\n".join(
            line.rsplit(",", 1)[0]
            for line in month_of_tests("2026-10", plan, per_device=6).splitlines()
        )
        + "\n"
    )
    folder, _ = run(lomsong, write_world(tmp_path, {"2026-10": text}), tmp_path / "out")
    row = (
        pd.read_csv(folder / "tables/commune_status.csv")
        .query("commune_code == 'r0c0' and operator == 'V'")
        .iloc[0]
    )
    assert "no_device_id" in row["flags"]
    assert row["evidence"] != "confirmed"
    with_ids, _ = run(
        lomsong,
        write_world(tmp_path / "ids", {"2026-10": month_of_tests("2026-10", plan, per_device=6)}),
        tmp_path / "out2",
    )
    assert pd.read_csv(with_ids / "tables/commune_status.csv").query(
        "commune_code == 'r0c0' and operator == 'V'"
    )["status"].tolist() == ["confirmed_gap"]


def test_5g_beside_4g_is_flagged_and_never_averaged_in(lomsong, tmp_path):
    text = month_of_tests("2026-10", {("r0c0", "V"): [30.0] * 3 + [28.0] * 4})
    nr = month_of_tests("2026-10", {("r0c0", "V"): [400.0] * 5}, technology="5G").replace(
        "device-", "nr-"
    )
    folder, _ = run(
        lomsong,
        write_world(tmp_path, {"2026-10": text + "\n".join(nr.splitlines()[1:]) + "\n"}),
        tmp_path / "out",
    )
    row = (
        pd.read_csv(folder / "tables/commune_status.csv")
        .query("commune_code == 'r0c0' and operator == 'V'")
        .iloc[0]
    )
    assert row["mean_mbps"] == pytest.approx((90 + 112) / 7)
    assert "5g_masks_4g" in row["flags"]
    summary = (
        pd.read_csv(folder / "tables/commune_summary.csv").query("commune_code == 'r0c0'").iloc[0]
    )
    assert summary["all_mobile_mean_mbps"] == pytest.approx((90 + 112 + 2000) / 12)


def test_one_or_two_5g_phones_cannot_be_had_by_subtraction(lomsong, tmp_path):
    text = month_of_tests("2026-10", {("r0c0", "V"): [30.0] * 7})
    nr = month_of_tests("2026-10", {("r0c0", "V"): [400.0] * 2}, technology="5G").replace(
        "device-", "nr-"
    )
    folder, _ = run(
        lomsong,
        write_world(tmp_path, {"2026-10": text + "\n".join(nr.splitlines()[1:]) + "\n"}),
        tmp_path / "out",
    )
    summary = (
        pd.read_csv(folder / "tables/commune_summary.csv").query("commune_code == 'r0c0'").iloc[0]
    )
    assert summary["mean_mbps"] == pytest.approx(30)
    assert pd.isna(summary["all_mobile_mean_mbps"])


@pytest.mark.parametrize(("earlier", "is_shown"), [(1, False), (2, False), (3, True), (0, True)])
def test_few_earlier_devices_cannot_be_had_from_the_months_mean(
    lomsong, tmp_path, earlier, is_shown
):
    """7 × the window's mean − 6 × the month's is the speed of the one that tested before it."""
    before = {("r0c0", "V"): [10.0] * earlier, ("r0c0", "W"): [10.0] * 4}
    months = {
        "2026-09": month_of_tests("2026-09", before).replace("device-", "earlier-"),
        "2026-10": month_of_tests("2026-10", {("r0c0", one): [30.0] * 6 for one in "VW"}),
    }
    folder, _ = run(lomsong, write_world(tmp_path, months), tmp_path / "out")
    status = pd.read_csv(folder / "tables/commune_status.csv", dtype={"commune_code": str})
    mean = status.query("commune_code == 'r0c0'").set_index("operator")["month_mean_mbps"]
    assert mean["W"] == 30
    # of one operator hidden, `all` less the other would be its mean
    assert mean[["V", "all"]].notna().tolist() == [is_shown, is_shown]


def test_a_hostile_name_is_text_everywhere(lomsong, tmp_path):
    evil = "</script><img src=x onerror=alert(1)>"
    settings = golden_world(tmp_path)
    path = tmp_path / "boundaries.geojson"
    document = json.loads(path.read_text())
    for feature, name in zip(document["features"], (evil, "=1+1"), strict=False):
        feature["properties"]["name"] = name
    path.write_text(json.dumps(document), encoding="utf-8")
    text = settings.read_text(encoding="utf-8").replace("A = []", f'"{evil}" = ["A"]')
    settings.write_text(text, encoding="utf-8")
    folder, _ = run(lomsong, settings, tmp_path / "out", "--publish", "tables,map")
    page = (folder / "maps/coverage_gaps.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert read_page(folder / "maps/coverage_gaps.html")["communes"][0]["name"] == evil
    assert "'=1+1" in (folder / "tables/commune_status.csv").read_text(encoding="utf-8-sig")


def test_many_months_may_lie_there_and_the_latest_is_taken(lomsong, tmp_path):
    months = {
        m: month_of_tests(m, {("r0c0", "V"): [10.0] * 6})
        for m in ("2025-11", "2026-01", "2026-02", "2026-03")
    }
    folder, text = run(lomsong, write_world(tmp_path, months), tmp_path / "out")
    assert folder.name == "2026-03"
    assert "72 read = 54 valid + 0 failed + 18 set aside" in text
    rejects = pd.read_csv(folder / "tables/rejects.csv")
    assert set(rejects["reject_reason"]) == {"outside_window"}
    assert set(rejects["source_file"]) == {"2025-11/tests.csv"}


# --- real files


@pytest.fixture(scope="module")
def armenia(shared, tmp_path_factory) -> Path:
    """The example of docs/examples with the real files' places."""
    example = (Path(__file__).resolve().parents[1] / "docs/examples/armenia_ookla.toml").read_text(
        encoding="utf-8"
    )
    text = example.replace("../../data/boundaries", (shared / "boundaries").as_posix()).replace(
        "../../data/raw", (shared / "measurements").as_posix()
    )
    path = tmp_path_factory.mktemp("armenia") / "armenia.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.slow
def test_armenia_every_quarter_is_a_period_of_its_own(armenia, shared, tmp_path, lomsong):
    """The first and last two of the 14 quarters: those of 2019 lack columns."""
    tiles = pd.read_csv(shared / "measurements/ookla_mobile_tiles_armenia.csv", dtype=str)
    kept = tiles[tiles["quarter"].isin(["2019Q2", "2019Q3", "2024Q2", "2024Q3"])]
    kept.to_csv(tmp_path / "tiles.csv", index=False)
    own = armenia.read_text(encoding="utf-8").replace(
        (shared / "measurements/ookla_mobile_tiles_armenia.csv").as_posix(), "tiles.csv"
    )
    assert "tiles.csv" in own
    settings = tmp_path / "armenia.toml"
    settings.write_text(own, encoding="utf-8")
    out = ("--out", tmp_path / "out")
    code, text = lomsong("run", "--settings", settings, "--period", "all", *out)
    assert code == 0, text
    quarters = sorted(p.name for p in (tmp_path / "out").iterdir() if not p.name.startswith("."))
    counts = kept["quarter"].value_counts().sort_index()
    assert quarters == list(counts.index)
    assert len(quarters) == 4
    for quarter in quarters:
        manifest = json.loads(
            (tmp_path / "out" / quarter / "manifest.json").read_text(encoding="utf-8")
        )
        books = manifest["rows_by_step"]["clean"]["ookla"]
        assert books["read_count"] == len(kept) == books["valid_count"] + books["reject_count"]
        rejects = pd.read_csv(tmp_path / "out" / quarter / "tables/rejects.csv")[
            "reject_reason"
        ].value_counts()
        assert rejects["outside_window"] == len(kept) - counts[quarter]
        assert manifest["licences"] == [
            "Speedtest® by Ookla® Global Fixed and Mobile Network Performance Maps, CC BY-NC-SA 4.0"
        ]
        status = pd.read_csv(tmp_path / "out" / quarter / "tables/commune_status.csv")
        assert set(status["operator"]) == {"all"}
        assert "confirmed" not in set(status["evidence"])


def test_armenia_2024q3_places_99_67_per_cent_of_the_tests(armenia, tmp_path, lomsong):
    folder, text = run(lomsong, armenia, tmp_path / "out", "--period", "2024Q3")
    books = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["rows_by_step"][
        "clean"
    ]["ookla"]
    assert round(100 * books["placed_share"], 2) == 99.67
    status = pd.read_csv(folder / "tables/commune_status.csv")
    assert status["test_count"].sum() == pytest.approx(books["placed_tests"])
    assert (
        "split tiles: 34,492 tiles = 2,243 used + 32,249 set aside; 99.67 % of their tests placed"
        in text
    )


def test_tiles_want_a_quarter(armenia, tmp_path, lomsong):
    for period, part in (
        ("2024-09", "expected a period YYYYQn"),
        ("2021Q1", "the data hold nothing of 2021Q1"),
    ):
        code, text = lomsong(
            "run", "--settings", armenia, "--period", period, "--out", tmp_path / "out"
        )
        assert code == 2
        assert part in text


@pytest.mark.slow
def test_real_communes_with_the_demos_measurements(shared, demo, tmp_path, lomsong):
    settings = tmp_path / "real.toml"
    text = (demo / "settings.toml").read_text(encoding="utf-8")
    text = text.replace(
        'path = "boundaries/communes.geojson"',
        f'path = "{(shared / "boundaries/laichau_communes_2025.geojson").as_posix()}"',
    )
    text = text.replace('path = "raw"', f'path = "{(demo / "raw").as_posix()}"')
    crosswalk = (shared / "crosswalk/laichau_communes_106_to_38.csv").as_posix()
    text = text.replace('path = "boundaries/crosswalk.csv"', f'path = "{crosswalk}"')
    # the invented villages lie in the drawn communes
    text = re.sub(r"\[villages\][^\[]*", "", text)
    text = "\n".join(line for line in text.splitlines() if "_column" not in line)
    people = (shared / "population/laichau_worldpop_2020_1km.tif").as_posix()
    text += f'\n[population]\npath = "{people}"\ntotal = 460196\n'
    settings.write_text(text, encoding="utf-8")
    folder, log = run(lomsong, settings, tmp_path / "out")
    books = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["rows_by_step"][
        "clean"
    ]["ispeed"]
    status = pd.read_csv(folder / "tables/commune_status.csv", dtype={"commune_code": str})
    assert status["commune_code"].nunique() == 38
    assert status[status["operator"] != "all"]["test_count"].sum() == books["valid_count"]
    assert f"{books['valid_count']:,} valid tests = {books['valid_count']:,} in 38 communes" in log
    summary = pd.read_csv(folder / "tables/commune_summary.csv")
    assert summary["population"].sum() == pytest.approx(460_196, abs=1)
    assert summary["population"].gt(0).all()


def test_unions_of_sources_and_their_mixture_with_tiles(lomsong, tmp_path):
    settings = write_world(
        tmp_path, {"2026-10": month_of_tests("2026-10", {("r0c0", "V"): [10.0] * 6})}
    )
    (tmp_path / "log").mkdir()
    (tmp_path / "log/x_datatest.txt").write_text(
        "Timestamp\tLongitude\tLatitude\tOperatorname\tNetworkTech\tTESTDOWNLINK\n"
        "2026.10.05_09.00.00\t103.05\t22.05\tV\t4G\t25000\n"
    )
    drive = """[sources.drive]
path = "log"
format = "table"
[sources.drive.columns]
measured_at = { column = "Timestamp", format = "%Y.%m.%d_%H.%M.%S" }
latitude = "Latitude"
longitude = "Longitude"
operator = "Operatorname"
technology = "NetworkTech"
download_mbps = { column = "TESTDOWNLINK", unit = "kbps" }
"""
    settings.write_text(settings.read_text() + drive)
    folder, text = run(lomsong, settings, tmp_path / "out")
    assert "clean drive: 1 read = 1 valid" in text
    assert "clean ispeed: 18 read = 18 valid" in text
    (tmp_path / "tiles.csv").write_text(
        "quadkey,avg_d_kbps,tests,devices,quarter\n1323,1,1,1,2026Q4\n"
    )
    settings.write_text(
        settings.read_text() + '[sources.o]\npath = "tiles.csv"\nformat = "ookla"\n'
    )
    code, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert code == 2
    assert "tests and Ookla tiles cannot be mixed" in text
    assert folder.is_dir()


def test_help_starts_without_the_heavy_packages():
    """Late imports keep the command quick: no pandas behind --help."""
    import subprocess
    import sys

    heavy = ("pandas", "geopandas", "scipy", "folium", "numpy")
    code = f"import sys, pipeline.cli; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_operator_called_all_is_not_taken_for_the_pooled_rows(lomsong, tmp_path):
    text = month_of_tests("2026-10", {("r0c0", "V"): [10.0] * 4, ("r0c1", "All"): [10.0] * 4})
    folder, log = run(lomsong, write_world(tmp_path, {"2026-10": text}), tmp_path / "out")
    assert "24 read = 12 valid + 0 failed + 12 set aside" in log
    assert set(pd.read_csv(folder / "tables/rejects.csv")["reject_reason"]) == {"unknown_operator"}


def test_swapped_coordinates_are_pointed_out(lomsong, tmp_path):
    text = month_of_tests("2026-10", {("r0c0", "V"): [10.0] * 48}).replace(
        "latitude,longitude", "longitude,latitude"
    )
    settings = write_world(tmp_path, {"2026-10": text})
    code, log = lomsong("run", "--settings", settings, "--out", tmp_path / "out", "--lang", "en")
    assert code == 2
    assert "positions lie in the area only with latitude and longitude swapped" in log
    assert 'latitude = "longitude"' in log


def test_two_phones_with_two_sim_cards_each_are_two_devices_and_show_no_speed(lomsong, tmp_path):
    both = month_of_tests("2026-10", {("r0c0", "V"): [10.0, 12.0], ("r0c0", "M"): [20.0, 22.0]})
    text = both.replace("device-r0c0-V-", "phone-").replace("device-r0c0-M-", "phone-")
    folder, _ = run(lomsong, write_world(tmp_path, {"2026-10": text}), tmp_path / "out")
    row = (
        pd.read_csv(folder / "tables/commune_status.csv")
        .query("commune_code == 'r0c0' and operator == 'all'")
        .iloc[0]
    )
    assert row["device_count"] == 2
    assert pd.isna(row["mean_mbps"])
    cells = pd.read_parquet(folder / "tables/hex_status.parquet")
    assert cells["device_count"].eq(2).all()
    assert cells["mean_mbps"].isna().all()


def test_tiles_that_all_lie_elsewhere_give_no_data(lomsong, tmp_path):
    settings = write_world(tmp_path, {"2026-10": ""})
    (tmp_path / "tiles.csv").write_text(
        "quadkey,avg_d_kbps,tests,devices,quarter\n0230102122203301,9000,1,1,2026Q3\n"
    )
    tiles = ("run", "--settings", settings, "--measurements", "tiles.csv", "--format", "ookla")
    code, text = lomsong(*tiles, "--lang", "en")
    assert code == 2, text
    assert "none of 1 rows is a valid test" in text
    accept(settings, "no_valid_test")
    code, text = lomsong(*tiles)
    assert code == 0, text
    status = pd.read_csv(tmp_path / "outputs/2026Q3/tables/commune_status.csv")
    assert set(status["status"]) == {"no_data"}
    assert set(status["operator"]) == {"all"}


def test_one_commune_alone_is_a_province_too(lomsong, tmp_path):
    settings = write_world(
        tmp_path,
        {"2026-10": month_of_tests("2026-10", {("r0c0", "V"): [10.0, 14.0, 12.0, 9.0] * 4})},
    )
    write_boundaries(tmp_path / "boundaries.geojson", squares(1, 1))
    folder, _ = run(lomsong, settings, tmp_path / "out")
    status = pd.read_csv(folder / "tables/commune_status.csv").set_index("operator")
    assert status.loc["V", "status"] == "confirmed_gap"
    assert pd.isna(status.loc["V", "gap_probability"]), (
        "no prior from one commune: direct evidence decides"
    )
    priorities = pd.read_csv(folder / "tables/priorities.csv")
    assert priorities["depth"].iloc[0] == pytest.approx((40 - 11.25) / 40)


def test_a_name_met_only_under_wifi_is_no_operator_there(lomsong, tmp_path):
    slow = month_of_tests(
        "2026-10", {("r0c0", "V"): [10.0, 14.0, 12.0, 9.0] * 4, ("r0c1", "M"): [50.0] * 4}
    )
    fixed = month_of_tests("2026-10", {("r0c0", "M"): [90.0]}, technology="wifi")
    folder, _ = run(
        lomsong,
        write_world(tmp_path, {"2026-10": slow + "\n".join(fixed.splitlines()[1:]) + "\n"}),
        tmp_path / "out",
    )
    summary = pd.read_csv(folder / "tables/commune_summary.csv").set_index("commune_code")
    assert summary.loc["r0c0", "gap_class"] == "total_gap"
    nr = fixed.replace(",wifi,", ",5G,")
    folder, _ = run(
        lomsong,
        write_world(tmp_path, {"2026-10": slow + "\n".join(nr.splitlines()[1:]) + "\n"}),
        tmp_path / "out2",
    )
    summary = pd.read_csv(folder / "tables/commune_summary.csv").set_index("commune_code")
    assert summary.loc["r0c0", "gap_class"] == "gap_rest_unknown"


def test_twelve_centres_of_armenias_tiles_lie_outside_and_their_area_is_not_lost(shared):
    """2024Q3: by centre 12 of 2,253 tiles are lost, by area 10.

    The other two give the part that lies in a province.
    """
    import geopandas as gpd
    import shapely

    from pipeline.measurements import locate
    from pipeline.sources import ookla

    rows = pd.read_csv(shared / "measurements/ookla_mobile_tiles_armenia.csv", dtype=str)
    outlines = ookla.tile_outlines(rows.loc[rows["quarter"] == "2024Q3", "quadkey"])
    provinces = gpd.read_file(shared / "boundaries/armenia_provinces.geojson").rename(
        columns={"iso_3166_2": "commune_code"}
    )
    centre = shapely.centroid(outlines)
    held = locate.communes_of_points(
        pd.Series(shapely.get_y(centre)), pd.Series(shapely.get_x(centre)), provinces
    )
    assert (len(held), int(held.isna().sum())) == (2253, 12)
    assert 2253 - locate.tile_shares(outlines, provinces)["tile"].nunique() == 10


def test_a_tile_whose_first_copy_cannot_be_read_is_still_counted_once(lomsong, tmp_path):
    import shapely

    from pipeline.sources import ookla

    key = "132230001123"  # somewhere; the communes are drawn around it
    tile = ookla.tile_outlines(pd.Series([key]))[0]
    settings = write_world(tmp_path, {"2026-10": ""})
    west, south, east, north = tile.bounds
    communes = squares(1, 1)
    write_boundaries(
        tmp_path / "boundaries.geojson",
        communes.assign(geometry=[shapely.box(west - 1, south - 1, east + 1, north + 1)]),
    )
    (tmp_path / "t.csv").write_text(
        f"quadkey,avg_d_kbps,tests,devices,quarter\n{key},x,5,5,2026Q3\n"
        + f"{key},9000,5,5,2026Q3\n" * 2
    )
    folder, text = run(
        lomsong,
        settings,
        tmp_path / "out",
        "--measurements",
        str(tmp_path / "t.csv"),
        "--format",
        "ookla",
    )
    assert "3 tiles = 1 used + 2 set aside; 100.0 % of their tests placed" in text
    assert pd.read_csv(folder / "tables/commune_status.csv")["test_count"].tolist() == [5]
    assert pd.read_csv(folder / "tables/rejects.csv")["reject_reason"].tolist() == [
        "bad_value",
        "duplicate",
    ]


def test_a_stricter_privacy_gate_empties_priorities_too(lomsong, tmp_path):
    """Gaps of 6 devices under a gate of 10 show no speed.

    The row and its rank stay, what could be turned into a mean goes.
    """
    speeds = [10.0, 14.0, 12.0, 9.0, 11.0, 13.0]
    plan = {("r0c0", "V"): speeds * 2} | {
        (f"r{r}c{c}", "V"): [s * (r + c) for s in speeds] for r in range(1, 4) for c in range(4)
    }
    settings = write_world(
        tmp_path,
        {"2026-10": month_of_tests("2026-10", plan, per_device=4)},
        "[privacy]\nmin_devices = 10\n",
    )
    folder, _ = run(lomsong, settings, tmp_path / "out")
    priorities = pd.read_csv(folder / "tables/priorities.csv")
    few = priorities[priorities["device_count"] < 10]
    assert len(few)
    assert len(few) < len(priorities)
    private = [
        "mean_mbps",
        "lo_mbps",
        "hi_mbps",
        "eb_mean_mbps",
        "gap_probability",
        "depth",
        "expected_person_gap",
        "priority_index",
    ]
    assert few[private].isna().all(axis=None)
    assert priorities[priorities["device_count"] >= 10][private].notna().all(axis=None)
    assert priorities["need_rank"].tolist() == list(range(1, len(priorities) + 1))


def test_tiles_are_never_widened(armenia, tmp_path, lomsong):
    wide = tmp_path / "wide.toml"
    wide.write_text(
        armenia.read_text(encoding="utf-8") + "\n[evidence]\nwindow_months = 6\n", encoding="utf-8"
    )
    folder, text = run(lomsong, wide, tmp_path / "out", "--period", "2024Q3")
    assert "period 2024Q3, evidence window 2024-07 – 2024-09" in text
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["window_months"] == [
        "2024-07",
        "2024-08",
        "2024-09",
    ]
    assert set(pd.read_csv(folder / "tables/commune_status.csv")["window_months"]) == {3}
