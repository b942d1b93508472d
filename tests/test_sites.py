"""Sites: read from tables, vector files and OpenCellID's cells; costs and assumptions of a plan."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.settings import Settings, read_settings
from pipeline.schema.columns import INNER, TABLES
from pipeline.schema.errors import UserFault
from pipeline.schema.texts import error_message
from pipeline.sources.inputs import read_inputs
from pipeline.sources.site_cells import BANDS, band_of, is_candidate, technologies_of
from pipeline.sources.sites import Asked, read_sites
from tests.builders import month_of_tests, squares, write_world

ROOT = Path(__file__).resolve().parents[1]
COMMUNES = squares(columns=2, rows=1, side=0.5)  # 103–104° E, 22–22.5° N
HEAD = "site_id,operator,latitude,longitude,technology,band,height,candidate"
CELLS = "radio,mcc,net,area,cell,unit,lon,lat,range,samples,changeable,created,updated,signal"
LISTED = Asked(operators={"Viettel": ("VTL",), "VinaPhone": ()})


def read(tmp_path, *rows: str, head: str | None = HEAD, asked: Asked = LISTED):
    path = tmp_path / "sites.csv"
    lines = rows if head is None else (head, *rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_sites(path, COMMUNES, asked)


def cell(radio: str, net: int, metres_east: float, mcc: int = 452, latitude: float = 22.0) -> str:
    """A row of OpenCellID so far east of 103.1° E (at 22° N a degree is 103,103 m)."""
    longitude = 103.1 + metres_east / 103_102.6
    return f"{radio},{mcc},{net},1,2,0,{longitude:.7f},{latitude},900,9,1,1600000000,1700000000,0"


# --- lists of sites


def test_a_vietnamese_list(tmp_path):
    table, warnings = read(
        tmp_path,
        'LC1,VTL,"22,1","103,1",2G/4G,L1800;L900,"42,5",',
        "LC2,VNPT,22.2,103.2,LTE,B3,36 m,không",
        ",,22.3,103.3,,,,dự kiến",
        head="Mã trạm,Nhà mạng,Vĩ độ,Kinh độ,Công nghệ,Băng tần,Độ cao cột (m),Trạm dự kiến",
    )
    assert not warnings
    assert list(table) == list(TABLES["sites"])
    assert "sites" in INNER
    assert table["site_id"].tolist() == ["LC1", "LC2", "S003"]
    assert table["site_operator"].fillna("").tolist() == ["Viettel", "VinaPhone", ""]
    assert table["site_technology"].fillna("").tolist() == ["2G;4G", "4G", ""]
    assert table["band_mhz"].tolist() == pytest.approx([900, 1800, np.nan], nan_ok=True)
    assert table["height_m"].tolist() == pytest.approx([42.5, 36, np.nan], nan_ok=True)
    assert table["is_candidate"].tolist() == [False, False, True]
    assert table["latitude"].tolist() == [22.1, 22.2, 22.3]


def test_positions_alone_are_sites(tmp_path):
    table, _ = read(tmp_path, "22.1,103.1", "22.2,103.2", head="lat,lon")
    assert table["site_id"].tolist() == ["S001", "S002"]
    assert table["site_operator"].isna().all()
    assert not table["is_candidate"].any()


def test_columns_that_the_settings_name_and_the_antenna_before_the_tower(tmp_path):
    named = replace(LISTED, columns={"site_id": "Z", "site_operator": "Q"})
    table, _ = read(
        tmp_path,
        "a,Viettel,22.1,103.1,30,45",
        head="Z,Q,lat,lon,Độ cao anten,Độ cao cột",
        asked=named,
    )
    assert table[["site_id", "site_operator", "height_m"]].values.tolist() == [["a", "Viettel", 30]]
    with pytest.raises(UserFault) as raised:
        read(tmp_path, "22.1,103.1", head="lat,lon", asked=named)
    assert [one.code for one in raised.value.faults] == ["missing_column", "missing_column"]


def test_a_vector_file(tmp_path):
    path = tmp_path / "sites.gpkg"
    points = [shapely.Point(103.1, 22.1), shapely.Point(103.2, 22.2)]
    frame = gpd.GeoDataFrame({"site_id": ["a", "b"], "band": ["B28", "900"]}, geometry=points)
    frame.set_crs(4326).to_crs(32648).to_file(path)
    table, _ = read_sites(path, COMMUNES, LISTED)
    assert table["band_mhz"].tolist() == [700, 900]
    assert table["longitude"].tolist() == pytest.approx([103.1, 103.2])


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ("b,MobiFone,22.1,103.2,4G,B3,42,", "site_operator", "operator"),  # not in [operators]
        ("b,Viettel,22.1,103.2,6G,B3,42,", "site_technology", "technology"),
        ("b,Viettel,22.1,103.2,wifi,B3,42,", "site_technology", "technology"),
        ("b,Viettel,22.1,103.2,4G,VHF,42,", "site_band", "band"),
        ("b,Viettel,22.1,103.2,4G,399,42,", "site_band", "band"),
        ("b,Viettel,22.1,103.2,4G,6001,42,", "site_band", "band"),
        ("b,Viettel,22.1,103.2,4G,B3,2.9,", "site_height", "height"),
        ("b,Viettel,22.1,103.2,4G,B3,300.1,", "site_height", "height"),
        ("b,Viettel,22.1,103.2,4G,B3,high,", "site_height", "height"),
        ("b,Viettel,22.1,103.2,4G,B3,42,perhaps", "site_candidate", "candidate"),
        ("b,Viettel,,103.2,4G,B3,42,", "site_unplaced", "latitude"),
        ("a,Viettel,22.1,103.2,4G,B3,42,", "site_repeated", "site_id"),
    ],
)
def test_faults_name_row_and_column(tmp_path, row, code, column):
    with pytest.raises(UserFault) as raised:
        read(tmp_path, "a,Viettel,22.1,103.1,4G,B3,42,", row)
    assert [(one.code, one.row, one.column) for one in raised.value.faults] == [(code, 3, column)]
    for lang in ("vi", "en"):
        assert "{" not in error_message(raised.value.faults[0], lang)


@pytest.mark.parametrize("height", ["3", "300"])
@pytest.mark.parametrize("band", ["400", "6000"])
def test_the_limits_themselves_are_no_faults(tmp_path, height, band):
    table, _ = read(tmp_path, f"b,Viettel,22.1,103.2,4G,{band},{height},")
    assert table[["band_mhz", "height_m"]].values.tolist() == [[float(band), float(height)]]


def test_all_faults_at_once(tmp_path):
    with pytest.raises(UserFault) as raised:
        read(tmp_path, "a,Q,22.1,103.1,6G,x,1,?", "a,,22.1,103.1,,,,")
    assert [one.code for one in raised.value.faults] == [
        "site_operator", "site_technology", "site_band", "site_height", "site_candidate",
        "site_repeated",
    ]  # fmt: skip


def test_without_operators_in_the_settings_any_name_counts(tmp_path):
    row = "a,Unitel,22.1,103.1,4G,B3,42,"
    table, _ = read(tmp_path, row, "b,VNPT,22.1,103.2,,,,", asked=Asked())
    assert table["site_operator"].tolist() == ["Unitel", "VinaPhone"]


def test_columns_under_doubtful_headings_are_passed_over_where_they_do_not_fit(tmp_path):
    """Names that repeat are no ids; a status without candidates is one of something else."""
    rows = ("Trạm 1,22.1,103.1,tốt", "Trạm 1,22.2,103.2,hỏng")
    table, warnings = read(tmp_path, *rows, head="Tên trạm,lat,lon,Tình trạng")
    assert table["site_id"].tolist() == ["S001", "S002"]
    assert not table["is_candidate"].any()
    found = [(one.code, one.column, one.values["found"]) for one in warnings]
    code = "site_column_passed_over"
    assert found == [(code, "Tên trạm", "Trạm 1"), (code, "Tình trạng", "tốt")]


@pytest.mark.parametrize(
    ("head", "columns", "code"),
    [
        ("Mã trạm,lat,lon,Tình trạng", {}, "site_repeated"),
        ("Tên trạm,lat,lon,Dự kiến", {"site_id": "Tên trạm"}, "site_repeated"),
        ("Tên trạm,lat,lon,Dự kiến", {}, "site_candidate"),
        ("Q,lat,lon,Tình trạng", {"is_candidate": "Tình trạng"}, "site_candidate"),
    ],
)
def test_columns_that_are_surely_meant_must_fit(tmp_path, head, columns, code):
    with pytest.raises(UserFault) as raised:
        read(
            tmp_path, "a,22.1,103.1,tốt", "a,22.2,103.2,hỏng", head=head,
            asked=replace(LISTED, columns=columns),
        )  # fmt: skip
    assert code in [one.code for one in raised.value.faults]


def test_a_status_that_names_a_candidate_must_be_understood_everywhere(tmp_path):
    rows = ("a,22.1,103.1,dự kiến", "b,22.2,103.2,hỏng")
    with pytest.raises(UserFault) as raised:
        read(tmp_path, *rows, head="Mã trạm,lat,lon,Trạng thái")
    assert [(one.code, one.row) for one in raised.value.faults] == [("site_candidate", 3)]
    table, _ = read(tmp_path, rows[0], "b,22.2,103.2,", head="Mã trạm,lat,lon,Trạng thái")
    assert table["is_candidate"].tolist() == [True, False]


def test_sites_across_the_border_stay_up_to_20_km(tmp_path):
    """A degree of latitude is 111.2 km: 0.179° is 19.9 km, 0.181° is 20.1 km."""
    table, warnings = read(
        tmp_path, "near,,22.679,103.1,,,,", "far,,22.681,103.1,,,,", "in,,22.2,103.2,,,,"
    )
    assert table["site_id"].tolist() == ["near", "in"]
    assert [(one.code, one.values["found"]) for one in warnings] == [("sites_outside", ["far"])]


def test_the_corner_is_as_far_as_its_straight_distance(tmp_path):
    """0.13° north and 0.14° east of the corner: 14.5 and 14.4 km, together 20.4 km."""
    table, warnings = read(tmp_path, "far,,22.63,104.14,,,,", "in,,22.2,103.2,,,,")
    assert table["site_id"].tolist() == ["in"]
    assert [one.code for one in warnings] == ["sites_outside"]


# --- cells of OpenCellID


def test_cells_of_one_operator_within_100_m_are_one_site(tmp_path):
    table, warnings = read(
        tmp_path,
        cell("LTE", 4, 0), cell("GSM", 4, 90), cell("NR", 2, 50), cell("UMTS", 4, 300),
        cell("LTE", 0, 0, mcc=460),
        head=CELLS,
    )  # fmt: skip
    assert table["site_operator"].tolist() == ["Viettel", "VinaPhone", "Viettel"]
    assert table["site_technology"].tolist() == ["2G;4G", "5G", "3G"]
    assert table["site_id"].tolist() == ["S001", "S002", "S003"]
    assert table["longitude"][0] == pytest.approx(103.1 + 45 / 103_102.6, abs=1e-6)
    assert [(one.code, one.values["found"]) for one in warnings] == [
        ("site_cells_of_others", ["460-0"])
    ]


def test_a_street_of_cells_is_several_sites(tmp_path):
    """At 0, 60, 120, 180 m: the first takes what is within 100 m of it, the third the rest."""
    rows = [cell("LTE", 4, metres) for metres in (0, 60, 120, 180)]
    table, _ = read(tmp_path, *rows, head=CELLS)
    metres = (table["longitude"] - 103.1) * 103_102.6
    assert metres.tolist() == pytest.approx([30, 150], abs=0.1)


def test_operators_of_cells_that_are_not_listed_are_left_out(tmp_path):
    table, warnings = read(tmp_path, cell("LTE", 1, 0), cell("LTE", 4, 0), head=CELLS)
    assert table["site_operator"].tolist() == ["Viettel"]
    assert [one.code for one in warnings] == ["site_cells_of_others"]


def test_files_by_country_have_no_headings(tmp_path):
    with_headings, _ = read(tmp_path, cell("LTE", 4, 0), cell("GSM", 2, 500), head=CELLS)
    without, warnings = read(tmp_path, cell("LTE", 4, 0), cell("GSM", 2, 500), head=None)
    pd.testing.assert_frame_equal(without, with_headings)
    assert [one.code for one in warnings] == ["site_cells_unnamed"]


def test_a_column_of_operators_goes_before_network_codes(tmp_path):
    asked = replace(LISTED, columns={"site_operator": "who"})
    table, _ = read(
        tmp_path, "VTL,452,2,22.1,103.1", "VTL,452,2,22.1,103.1", head="who,mcc,net,lat,lon",
        asked=asked,
    )  # fmt: skip
    assert table["site_operator"].tolist() == ["Viettel", "Viettel"]


# --- what one cell says


@pytest.mark.parametrize(
    ("text", "mhz"),
    [
        ("B3", 1800), ("b1", 2100), ("B5", 850), ("B7", 2600), ("B8", 900), ("B28", 700),
        ("B20", 800), ("B40", 2300), ("B41", 2500), ("3", 1800), ("1800 MHz", 1800),
        ("1.800", 1800), ("1,800", 1800), ("LTE1800", 1800), ("2.1GHz", 2100), ("Band 8", 900),
        ("L1800/L2100", 1800), ("900 + 1800", 900), ("G900/L1800", 1800), ("U2100;G900", 900),
        ("B2.5", None), ("B300", None), ("0", None), ("L1800;x", None), ("2.1 THz", None),
    ],
)  # fmt: skip
def test_bands(text, mhz):
    assert band_of(text) == mhz


@given(st.lists(st.sampled_from(sorted(BANDS)), min_size=1, max_size=4))
def test_the_lowest_of_several_bands_counts(numbers):
    assert band_of("; ".join(f"B{one}" for one in numbers)) == min(BANDS[one] for one in numbers)


@pytest.mark.parametrize(
    ("text", "found"),
    [("4G", "4G"), ("4G;2G", "2G;4G"), ("2G và 4G", "2G;4G"), ("2G 3G 4G", "2G;3G;4G"),
     ("2G-3G-4G", "2G;3G;4G"), ("LTE-A", "4G"), ("4G/6G", None), (";", None)],
)  # fmt: skip
def test_technologies(text, found):
    assert technologies_of(text) == found


def test_words_for_candidates_are_of_one_kind_each():
    said = {text: is_candidate(text) for text in ("Có", "ĐỀ XUẤT", "0", "bỏ")}
    assert said == {"Có": True, "ĐỀ XUẤT": True, "0": False, "bỏ": None}


# --- settings


def settings_of(text: str) -> Settings:
    return Settings.model_validate(tomllib.loads(text))


def faults_of(tmp_path, text: str) -> str:
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UserFault) as raised:
        read_settings(tmp_path / "s.toml")
    return "\n".join(error_message(one, "en") for one in raised.value.faults)


def test_costs_have_no_default_and_numbers_hold_everywhere():
    assert not settings_of("").costs.is_given
    assert not settings_of("[costs]\ncurrency = 'VND'\nyears = 5").costs.is_given
    assert settings_of("[costs]\nterminal = 0").costs.is_given
    about = settings_of("[costs]\nnew_site = 900\nyearly = 3").costs
    assert about.new_site is not None
    assert {about.new_site.of(one) for one in ("flat", "hilly", "mountainous", None)} == {900}
    assert about.yearly is not None
    assert (about.yearly.new_site, about.yearly.terminal) == (3, 3)
    table = settings_of("[costs.new_site]\nflat = 1\nhilly = 2\nmountainous = 3").costs.new_site
    assert table is not None
    assert [table.of(one) for one in ("flat", "hilly", "mountainous", None)] == [1, 2, 3, 2]
    yearly = settings_of("[costs.yearly]\nupgrade = 7").costs.yearly
    assert yearly is not None
    assert (yearly.upgrade, yearly.new_site) == (7, 0)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[costs]\nupgrade = -1", "row 2, column costs.upgrade"),
        ("[costs]\nsolar = inf", "costs.solar"),
        ("[costs]\nnew_site = -5", "costs.new_site.flat"),
        ("[costs]\nnew_site = { flat = 1 }", "costs.new_site.hilly"),
        ("[costs]\nyearly = { towers = 1 }", "no such setting"),
        ("[costs]\nnew_sites = 1", "did you mean new_site?"),
        ("[site_plan]\nspectral_efficiency = [2, 1]", "the low one first"),
        ("[site_plan]\nsites = 2\nbudget = 9", "sites or budget, one of the two"),
        ("[site_plan]\nupgrade_factor = [0.9, 2]", "at least 1"),
        ("[site_plan]\nshares = { V = 0.7, W = 0.4 }", "at most 1"),
        ("[site_plan]\nshares = { V = 55 }", "from 0 to 1"),
        ("[operators]\nV = []\n[site_plan]\nshares = { W = 0.4 }", "not in [operators]: W"),
        ("[site_plan]\nmin_rsrp_dbm = 31", "below eirp_dbm"),
        ("[site_plan]\nband_mhz = 3500", "site_plan.band_mhz"),
        ("[sites]\nband = 'x'", "no such setting"),
    ],
)
def test_each_guard_of_the_settings_fires(tmp_path, text, part):
    assert part in faults_of(tmp_path, text)


def test_shares_with_rounding_are_taken():
    shares = settings_of("[site_plan]\nshares = { A = 0.3333334, B = 0.3333334, C = 0.3333334 }")
    assert len(shares.site_plan.shares) == 3


def test_the_example_states_the_defaults_and_names_every_key():
    text = (ROOT / "settings.toml").read_text(encoding="utf-8")
    example = Settings.model_validate(tomllib.loads(text))
    assert example.site_plan == Settings().site_plan
    assert example.costs == Settings().costs
    block = text[text.index("[sites]") : text.index("# One section per kind of delivery")]
    for name in ("sites", "costs", "site_plan"):
        for key in type(getattr(example, name)).model_fields:
            assert key in block, key
    lines = "\n".join(
        line.removeprefix("# ")
        for line in block.splitlines()
        if not line.startswith("# budget")  # instead of `sites`
    )
    paid = Settings.model_validate(tomllib.loads(lines))
    assert paid.costs.is_given
    assert paid.site_plan.sites == 20


def test_a_run_reads_the_sites_and_says_so(tmp_path):
    tests = {"2026-10": month_of_tests("2026-10", {("r0c0", "V"): [12.5] * 6})}
    settings = write_world(tmp_path, tests, '[sites]\npath = "sites.csv"\n')
    (tmp_path / "sites.csv").write_text("lat,lon,mạng\n22.05,103.05,V\n", encoding="utf-8")
    found = read_inputs(read_settings(settings)).inputs
    assert found is not None
    assert found.sites is not None
    assert found.sites["site_operator"].tolist() == ["V"]
    assert [(one.role, one.row_count) for one in found.read if one.role == "sites"] == [
        ("sites", 1)
    ]
