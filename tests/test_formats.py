"""Source formats: found out by their headings, read by their declarations.

Files are of the formats' genuine shape, rows invented.
"""

from __future__ import annotations

import io
import itertools
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from pipeline.schema.texts import catalogue
from pipeline.sources.cells.operators import operator_table
from pipeline.sources.formats import FORMATS, fitting, found_out, guesses, trace
from pipeline.sources.formats import ispeed as aliases
from pipeline.sources.formats.declaration import Column, Condition, Format
from pipeline.sources.formats.keep import proposed_conditions
from pipeline.sources.rules import OPTIONAL, REQUIRED, Rule
from pipeline.sources.values import unit_factor
from tests.builders import write_world

RTR = (
    "open_uuid,open_test_uuid,time_utc,cat_technology,network_type,lat,long,loc_src,loc_accuracy,gkz,"
    "zip_code,country_location,download_kbit,upload_kbit,ping_ms,lte_rsrp,lte_rsrq,server_name,"
    "test_duration,num_threads,platform,model,client_version,network_mcc_mnc,network_name,sim_mcc_mnc,"
    "nat_type,asn,ip_anonym,ndt_download_kbit,ndt_upload_kbit,implausible,signal_strength,pinned\n"
    "P1,O1,2026-10-01 00:00:01,4G,LTE,22.1,103.1,gps,10.0,,,VN,21004,10000,30.5,-95,-10,x,7,"
    "3,Android,m,1,452-04,Viettel,452-04,na,,,,,False,,True\n"
    "P1,O2,2026-10-01 01:00:01,WLAN,WLAN,22.1,103.1,network,40.0,,,VN,90000,9000,12.0,,,x,7,"
    "3,Android,m,1,,,,na,,,,,True,-55,True\n"
)
NETMETR = RTR.replace("time_utc", "time").replace(" 00:00:01", " 00:00")
GNETTRACK = (
    "Timestamp\tLongitude\tLatitude\tOperatorname\tNode\tCellID\tLAC\tNetworkTech\tLevel\tQual\tSNR\tCQI\t"
    "LTERSSI\tPINGAVG\tPINGMIN\tPINGMAX\tPINGSTDEV\tPINGLOSS\tTESTDOWNLINK\tTESTUPLINK\tTESTDOWNLINKMAX\t"
    "TESTUPLINKMAX\n"
    "2025.07.18_22.12.09\t103.1\t22.1\tVIETTEL\t51021\t3\t11\t4G\t-98\t-11\t8\t10\t-65\t32\t28\t40\t3\t0\t"
    "35400\t8100\t61000\t9000\n"
    "2025.07.18_22.13.09\t103.1\t22.1\t\t51021\t3\t11\t4G\t-118\t-\t-\t-\t-\t-\t-\t-\t-\t-\t0\t0\t-\t-\n"
)
TRAI = (
    "Service Provider,Technology,Test_type,Data Speed(Mbps),Signal_strength,LSA\n"
    "JIO,4G,download,21.004,-95,Kerala\nJIO,4G,upload,5.2,na,Kerala\n"
)
TRAI_2020 = (
    "Service_provider,Technology,Download_Upload,Data_Speed(Kbps),signal_strength,Service_Area\n"
    "AIRTEL,4G,Download,21004,-95,Kerala\nAIRTEL,4G,Upload,5200,na,Kerala\n"
)
UCC = (
    "Timestamp,Longitude,Latitude,Speed,Operatorname,CellID,NetworkMode,RSRP,RSRQ,SNR,CQI,RSSI,DL_bitrate,"
    "UL_bitrate,State,PINGAVG,PINGMIN,PINGMAX,PINGSTDEV,PINGLOSS,CELLHEX,NODEHEX,LACHEX,RAWCELLID,NRxRSRP,"
    "NRxRSRQ\n"
    "2026.10.01_07.00.01,103.1,22.1,57,Viettel,3,5G,-95,-11,8,10,-65,21004,400,D,-,-,-,-,-,3,C7,B,51,-,-\n"
    "2026.10.01_07.00.02,103.1,22.1,57,Viettel,3,5G,-95,-11,8,10,-65,0,0,I,-,-,-,-,-,3,C7,B,51,-,-\n"
)
FULL_LOG = (
    "Timestamp\tLatitude\tLongitude\tAccuracy\tAltitude\tSpeed\tOperatorname\tOperator\tCGI\tCellID\tLAC\t"
    "NetworkTech\tNetworkMode\tLevel\tQual\tSNR\tCQI\tLTERSSI\tARFCN\tBAND\tBANDWIDTH\tDL_bitrate\t"
    "UL_bitrate\tDistance\tEVENT\tEVENTDETAILS\tPINGAVG\tPINGMIN\tPINGMAX\tPINGSTDEV\tPINGLOSS\t"
    "TESTDOWNLINK\tTESTUPLINK\tTESTDOWNLINKMAX\tTESTUPLINKMAX\n"
)
OOKLA = (
    "quadkey,tile,avg_d_kbps,avg_u_kbps,avg_lat_ms,avg_lat_down_ms,avg_lat_up_ms,tests,devices\n"
)
MLAB = (
    "date,client.Geo.Subdivision1ISOCode,a.MeanThroughputMbps,a.MinRTT,a.LossRate\n"
    "2026-10-01,71,40.3,35,0\n"
)
COVERAGE = (
    "uid,open_test_uuid,fence_id,technology_id,technology,avg_ping_ms,offset_ms,duration_ms,radius,"
    "longitude,latitude,fence_time,signal,accuracy,provider,open_uuid,network_name,sim_mcc_mnc\n"
    "7,O3,1,13,LTE,31.5,0,2100,20,103.1,22.1,2026-10-01 08:00:01.321 +0700,-101,4,gps,P1,Viettel,\n"
    "8,O3,2,1000,NoNetwork,,2100,2100,20,103.1002,22.1,2026-10-01 08:00:03.421 +0700,,4,gps,P1,,\n"
)
VIETNAMESE = "Thời gian đo,Vĩ độ,Kinh độ,Nhà mạng,Công nghệ,Tốc độ tải xuống (Mbps)\n"


def frame(text: str) -> pl.DataFrame:
    separator = "\t" if "\t" in text.split("\n", maxsplit=1)[0] else ","
    return pl.read_csv(io.StringIO(text), separator=separator, infer_schema_length=0)


FILES = {
    "rtr": (RTR, "rtr"), "netmetr": (NETMETR, "rtr"), "gnettrack": (GNETTRACK, "gnettrack"),
    "trai 2018": (TRAI, "trai"), "trai 2020": (TRAI_2020, "trai"), "ucc": (UCC, "trace"),
    "gnettrack full log": (FULL_LOG, "trace"), "ookla": (OOKLA, "ookla"), "mlab": (MLAB, "mlab"),
    "i-Speed": (VIETNAMESE, "ispeed"), "unknown": ("a,b,c\n", None),
    "coverage run": (COVERAGE, "rtr_coverage"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "name"), FILES.values(), ids=FILES)
def test_a_file_is_found_out_by_its_headings(text, name):
    headings = frame(text).columns
    assert found_out(headings) == name
    assert found_out([heading.upper() for heading in headings]) == name
    assert found_out(headings[::-1]) == name


@pytest.mark.parametrize(
    "key", [key for key, (_, name) in FILES.items() if name not in (None, "ispeed")]
)
def test_a_file_without_one_of_the_distinctive_headings_is_not(key):
    text, name = FILES[key]
    headings = frame(text).columns
    for distinctive in {one for all_of in FORMATS[name].distinctive for one in all_of}:
        left = [heading for heading in headings if heading.lower() != distinctive.lower()]
        if len(left) < len(headings) and not FORMATS[name].recognises(left):
            assert name not in fitting(left)
            break
    else:
        pytest.fail("no heading is distinctive")


def test_two_formats_that_fit_are_none():
    both = [*frame(RTR).columns, *frame(OOKLA).columns]
    assert found_out(both) is None
    assert fitting(both) == ["ookla", "rtr"]


def read(text: str, **how) -> pl.DataFrame:
    """The file's rows that count, read by its format's declaration."""
    rows = frame(text)
    form = FORMATS[found_out(rows.columns)]
    for heading, condition in form.kept_by(rows.columns).items():
        rows = rows.filter(condition.holds(rows[heading]))
    found = {}
    for ours, column in form.column_map(rows.columns).items():
        if column.column is None:
            found[ours] = pl.repeat(column.value, rows.height, eager=True)
            continue
        cells = rows[column.column]
        if ours.endswith(("_mbps", "_ms", "_dbm", "_m")):
            factor = unit_factor(ours, column.unit) if column.unit else 1.0
            cells = cells.cast(pl.Float64, strict=False) * factor
        if ours == "measured_at":
            zone = column.zone or "Asia/Ho_Chi_Minh"
            cells = (
                cells.str.to_datetime(column.format)
                .dt.replace_time_zone(zone)
                .dt.convert_time_zone("UTC")
            )
        found[ours] = cells
    return pl.DataFrame(found)


def test_rtr_is_utc_kbit_and_lte_rsrp_and_leaves_out_what_is_implausible():
    tests = read(RTR).to_dicts()
    assert len(tests) == 1
    assert str(tests[0].pop("measured_at")) == "2026-10-01 00:00:01+00:00"
    assert tests[0] == {
        "test_id": "O1", "latitude": "22.1", "longitude": "103.1", "location_accuracy_m": 10.0,
        "operator": "Viettel", "technology": "4G", "download_mbps": 21.004, "upload_mbps": 10.0,
        "latency_ms": 30.5, "signal_dbm": -95.0, "device_id": "P1",
    }  # fmt: skip


def test_gnettrack_is_kbit_local_and_its_zero_is_a_failed_test():
    tests = read(GNETTRACK)
    assert tests["download_mbps"].to_list() == [35.4, 0.0]
    assert tests["latency_ms"].to_list() == [32.0, None]
    assert tests["signal_dbm"].to_list() == [-98.0, -118.0]
    assert str(tests["measured_at"][0]) == "2025-07-18 15:12:09+00:00"
    assert tests["device_id"].to_list() == ["phone", "phone"]


@pytest.mark.parametrize("text", [TRAI, TRAI_2020])
def test_trai_keeps_downloads_and_has_neither_time_nor_place(text):
    tests = read(text)
    assert tests["download_mbps"].to_list() == [21.004]
    assert not set(REQUIRED) <= set(tests.columns)


def test_a_trace_is_kept_where_it_downloads_and_is_refused_as_tests():
    tests = read(UCC)
    assert tests["download_mbps"].to_list() == [21.004]
    assert tests["technology"].to_list() == ["5G"]
    assert FORMATS["trace"].refused == "trace_not_tests"
    assert FORMATS["mlab"].refused == "totals_not_tests"


def test_every_format_is_declared_in_full():
    for name, form in FORMATS.items():
        assert form.name == name
        assert form.title
        assert form.notes
        assert not form.refused or form.refused in catalogue("vi")["faults"]
        for ours, candidates in form.columns.items():
            assert form.kind == "tiles" or ours in (*REQUIRED, *OPTIONAL)
            for one in candidates:
                assert (one.column is None) != (one.value is None)
                assert one.unit is None or unit_factor(ours, one.unit) is not None


def test_a_format_is_one_declaration():
    own = Format("own", "Own", distinctive=(("Giờ", "Tải"),), never=("Lên",))
    assert own.recognises(["giờ", "TẢI", "x"])
    assert not own.recognises(["giờ"])
    assert not own.recognises(["giờ", "tải", "lên"])


@pytest.mark.parametrize(
    ("condition", "kept", "toml"),
    [
        (Condition(one_of=("Download",)), [True, True, False, False], '"Download"'),
        (Condition(one_of=("download", "5")), [True, True, True, False], '["download", "5"]'),
        (Condition(none_of=("download",)), [False, False, True, True], '{ not = ["download"] }'),
        (Condition(low=1, high=9), [False, False, True, False], "{ min = 1, max = 9 }"),
        (Condition(low=6), [False, False, False, False], "{ min = 6 }"),
    ],
)
def test_conditions(condition, kept, toml):
    assert condition.holds(pl.Series(["download", " DOWNLOAD ", "5", None])).to_list() == kept
    assert condition.toml() == toml


def test_aliases_carry_the_unit_that_their_program_writes():
    rules = aliases.column_map(["TESTDOWNLINK", "DL_bitrate (Mbps)"], {})
    assert (rules["download_mbps"].column, rules["download_mbps"].unit) == (
        "TESTDOWNLINK",
        "kbit/s",
    )
    assert aliases.column_map(["DL_bitrate (Mbps)"], {})["download_mbps"].unit is None
    assert aliases.column_map(["DL_bitrate"], {})["download_mbps"].unit == "kbit/s"


# --- sessions of a trace


def steps(seconds: float, metres: float, rows: int = 30, *, skipped=()) -> trace.Steps:
    """Steps of rows that go on by so many seconds and metres north."""
    numbers = [n for n in range(rows) if n not in skipped]
    times = pl.Series([round(1000 * seconds * n) for n in numbers], dtype=pl.Int64)
    north = pl.Series([22 + metres * n / 111_195 for n in numbers])
    return trace.steps_of(times.cast(pl.Datetime("ms")), north, north * 0 + 103)


@pytest.mark.parametrize(
    ("seconds", "metres", "is_trace"),
    [
        (1, 15, True), (2, 15, True), (0.1, 3, True), (1, 0, True), (2.1, 15, False),
        (1, 300, False), (0, 0, False), (300, 0, False), (-1, 15, True),
    ],
)  # fmt: skip
def test_a_log_by_the_second_is_known_by_its_steps(seconds, metres, is_trace):
    assert steps(seconds, metres).is_trace is is_trace


def test_medians_of_steps_bear_gaps_and_need_ten():
    assert steps(1, 15, skipped=(3, 4, 20)).is_trace
    assert steps(1, 15, rows=11).is_trace
    assert not steps(1, 15, rows=10).is_trace
    found = steps(1, 15)
    assert (found.seconds, round(found.metres, 6)) == (1, 15)


# --- guesses by names and values


def speed_tests(**columns) -> pl.DataFrame:
    """36 tests of 6 phones, as text; a column given as None is left out."""
    n = range(36)
    base = {
        "Giờ": [f"2026-10-{1 + k % 28:02} 08:{k:02}:00" for k in n],
        "vido": [f"{22 + k / 1000}" for k in n], "kinhdo": [f"{103 + k / 1000}" for k in n],
        "operator": ["Viettel", "VinaPhone"] * 18, "technology": ["4G"] * 36,
        "download": [f"{20 + k}" for k in n],
    }  # fmt: skip
    return pl.DataFrame({k: list(v) for k, v in (base | columns).items() if v is not None})


def guessed(ours, **columns):
    return guesses.guess_columns(speed_tests(**columns), {}).get(ours)


KMH = [str(40 + k % 30) for k in range(36)]
RATE = [str(20000 + k) for k in range(36)]
LOW = ["1.5"] * 36


@pytest.mark.parametrize(
    "heading", ["Speed", "Speed (km/h)", "GPS speed", "Vehicle speed", "Tốc độ xe", "speed_kmh"]
)
def test_the_speed_of_a_vehicle_is_no_download(heading):
    found = guessed("download_mbps", download=None, **{heading: KMH, "DL_bitrate": RATE})
    assert found.column == "DL_bitrate"
    alone = guessed("download_mbps", download=None, **{heading: KMH})
    assert alone is None or alone.column is None


def test_a_speed_with_a_unit_of_data_is_one():
    for heading in ("Speed (Mbps)", "Data Speed(Mbps)", "speed_mbps", "Throughput"):
        assert guessed("download_mbps", download=None, **{heading: KMH}).column == heading


@pytest.mark.parametrize(
    ("headings", "column"),
    [
        (["Download max", "Download min", "Download avg"], "Download avg"),
        (["DL_max", "DL_mean"], "DL_mean"),
        (["Tải xuống lớn nhất", "Tải xuống trung bình"], "Tải xuống trung bình"),
        (["download_peak", "download"], "download"),
        (["Download max", "Download min"], None),
        (["Download p95"], None),
    ],
)
def test_of_several_figures_the_mean_is_taken_and_a_peak_never(headings, column):
    columns = dict.fromkeys(headings, KMH)
    found = guessed("download_mbps", **({"download": None} | columns))
    assert found.column == column
    if column is None:
        assert (found.basis, found.others) == ("open", tuple(headings))


def test_an_id_that_repeats_is_a_phones_and_one_that_does_not_a_tests():
    repeats = [f"phone{k % 6}" for k in range(36)]
    own = [f"t{k}" for k in range(36)]
    assert guessed("device_id", uuid=repeats).column == "uuid"
    assert guessed("test_id", uuid=repeats) is None
    assert guessed("test_id", uuid=own).column == "uuid"
    assert guessed("device_id", uuid=own) is None
    both = guesses.guess_columns(speed_tests(guid=own, open_uuid=repeats), {})
    assert (both["test_id"].column, both["device_id"].column) == ("guid", "open_uuid")
    wrong = guessed("device_id", device_id=own)
    assert (wrong.column, wrong.basis) == (None, "open")
    assert "36 ids in 36 rows" in wrong.evidence


def test_an_empty_column_is_passed_over_for_a_filled_one():
    found = guessed("signal_dbm", signal_strength=[""] * 36, lte_rsrp=["-95"] * 36)
    assert found.column == "lte_rsrp"
    assert "signal_strength: empty" in found.evidence
    assert (
        guessed("signal_dbm", signal_strength=["-95"] * 36, lte_rsrp=["-"] * 36).column
        == "signal_strength"
    )
    assert guessed("signal_dbm", rsrp=["-95"] * 36, signal_strength=["-70"] * 36).column == "rsrp"
    assert guessed("signal_dbm", signal=["4"] * 36).column is None  # bars


def test_operators_and_technologies_are_known_by_their_values():
    found = guesses.guess_columns(
        speed_tests(
            operator=None, technology=None, a=["45204", "452-02"] * 18, b=["LTE", "NR"] * 18
        ),
        {},
    )
    assert (found["operator"].column, found["technology"].column) == ("a", "b")
    assert found["operator"].evidence == "100% are operators"


def test_columns_that_the_settings_name_are_not_guessed_again():
    known = {"download_mbps": Rule("other"), "operator": "operator"}
    found = guesses.guess_columns(speed_tests(other=KMH), known, table=operator_table())
    assert not set(known) & set(found)
    assert "other" not in {guess.column for guess in found.values()}
    left = guesses.unmapped(speed_tests(other=KMH, more=LOW), found, known)
    assert "more" in left
    assert "other" not in left


# --- which rows count


@pytest.mark.parametrize(
    ("heading", "values", "line"),
    [
        ("Test_type", ["download", "upload"], 'Test_type = "download"'),
        ("type", ["dl", "ul"], 'type = "dl"'),
        ("Loại phép đo", ["Tải xuống", "Tải lên"], '"Loại phép đo" = "Tải xuống"'),
        ("kind", ["Download", "Web", "Ping"], 'kind = "Download"'),
        ("direction", ["DOWN", "UP"], 'direction = "DOWN"'),
        ("dir", ["upload", "upload"], 'dir = { not = ["upload"] }'),
        ("State", ["D", "I"], 'State = "D"'),
        ("implausible", ["True", "False"], 'implausible = { not = ["True"] }'),
        ("is_valid", ["1", "0"], 'is_valid = { not = ["0"] }'),
        ("is_mock", ["t", "f"], 'is_mock = { not = ["t"] }'),
        ("connection", ["WIFI", "MOBILE"], 'connection = { not = ["WIFI"] }'),
        ("Loại kết nối", ["Wi-Fi", "4G"], '"Loại kết nối" = { not = ["Wi-Fi"] }'),
    ],
)
def test_values_that_call_for_a_line(heading, values, line):
    found = proposed_conditions(
        pl.DataFrame({heading: values * 20, "note": [str(n) for n in range(20 * len(values))]})
    )
    assert [one.line for one in found] == [line]
    counts = sorted(Counter(values * 20).items(), key=lambda one: (-one[1], one[0]))
    assert found[0].evidence == ", ".join(f"{value} {count}" for value, count in counts)


def test_codes_of_kinds_are_offered_one_by_one_and_none_is_chosen():
    [found] = proposed_conditions(pl.DataFrame({"Test_type": ["1", "2", "1"]}))
    assert found.lines == ['# Test_type = "1"', '# Test_type = "2"']


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("Test_type", ["download", "download"]), ("implausible", ["False", "False"]),
        ("State", ["D", "D"]), ("province", ["Kon Tum", "Cà Mau"]), ("State", ["Kerala", "Assam"]),
        ("pinned", ["True", "False"]), ("download", ["12.5", "30.1"]),
        ("platform", ["Android", "iOS"]), ("network", ["4G", "5G"]),
    ],
)  # fmt: skip
def test_values_that_call_for_none(heading, values):
    assert proposed_conditions(pl.DataFrame({heading: values * 20})) == []


# --- docs/sources.md says what the declarations say

ROOT = Path(__file__).resolve().parents[1]
CELLS = {
    "time": ("measured_at", "tile_period"),
    "place": ("latitude", "longitude", "location_accuracy_m", "quadkey"),
    "operator, technology": ("operator", "technology"),
    "download, upload": ("download_mbps", "upload_mbps"),
    "latency, signal": ("latency_ms", "signal_dbm"),
    "device, test id": ("device_id", "test_id", "device_count", "test_count"),
}  # fmt: skip


def page_rows() -> dict[str, dict[str, str]]:
    """Format → heading of the page's first table → cell."""
    lines = (ROOT / "docs/sources.md").read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| format |"))
    table = itertools.takewhile(lambda line: line.startswith("|"), lines[start:])
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table)
    return {row[0].strip("`"): dict(zip(head, row, strict=True)) for row in rows}


def test_the_page_has_a_row_for_every_format():
    assert sorted(page_rows()) == sorted(FORMATS)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_cell_of_the_page_names_what_the_format_reads(name, cell):
    form, said = FORMATS[name], page_rows()[name][cell]
    named = set(re.findall(r"`([^`]+)`", said))
    read = [one for ours in CELLS[cell] for one in form.columns.get(ours, ())]
    read = [one for one in read if one.column is not None]  # constants stand in no file
    if form.refused:  # nothing is read from its columns
        assert said == "–"
        return
    if name == "table":
        assert said == "as set"
        return
    forms = {one.format for one in read if one.format}
    assert named - {"avg_lat_ms"} <= {one.column for one in read} | forms
    assert {one.column for one in read} | forms <= named
    assert {one.unit for one in read if one.unit} <= set(re.split(r"[ ,;]+", said))
    assert all(one.zone in said for one in read if one.zone)


@pytest.mark.parametrize("name", FORMATS)
def test_the_page_names_the_headings_that_tell_a_format_and_the_rows_that_count(name):
    form, row = FORMATS[name], page_rows()[name]
    named = set(re.findall(r"`([^`]+)`", row["recognised by"])) - {"[sources.NAME.columns]"}
    telling = {heading for all_of in form.distinctive for heading in all_of}
    assert named <= telling | set(form.never)
    assert telling <= named or "and the like" in row["recognised by"]
    assert set(form.never) <= named
    kept = set(re.findall(r"`([^`]+)`", row["rows that count"]))
    assert kept == (set() if form.refused else set(form.keep))
    assert ("refused" in row["rows that count"]) == bool(form.refused) or name == "ookla"


# --- a new format, as CONTRIBUTING.md says: a declaration, its line in FORMATS, a file


def test_a_new_format_is_a_declaration_and_a_line(monkeypatch, lomsong, tmp_path):
    own = Format(
        "netz",
        "An invented program",
        distinctive=(("when", "what_net", "kbit_down"),),
        columns={
            "measured_at": (Column("when", format="%Y%m%d %H%M", zone="UTC"),),
            "latitude": (Column("lat"),),
            "longitude": (Column("lon"),),
            "operator": (Column("who"),),
            "technology": (Column("what_net"),),
            "download_mbps": (Column("kbit_down", unit="kbit/s"),),
        },
        keep={"direction": Condition(one_of=("down",))},
    )
    monkeypatch.setitem(FORMATS, "netz", own)
    rows = [
        f"202610{day:02d} 0{hour}30,22.05,103.05,Viettel,4G,{speed},{direction}"
        for day in range(1, 29)
        for hour, speed, direction in ((1, 40000, "down"), (2, 400, "up"))
    ]
    text = "\n".join(["when,lat,lon,who,what_net,kbit_down,direction", *rows]) + "\n"
    settings = write_world(tmp_path, {"2026-10": text})
    code, said = lomsong("check", "--settings", settings, "--lang", "en")
    assert code == 0, said
    assert "56 rows; format netz" in said
    assert "28 valid tests and 0 failed ones" in said
    assert "another kind of row 28" in said
    assert re.search(r"kbit_down +download_mbps +kbit/s \((format|heading)\) +40 \(40 – 40\)", said)
