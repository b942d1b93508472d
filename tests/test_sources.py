"""Foreign files → our tables: encodings, separators, numbers, times, names.

Every row comes through.
"""

from __future__ import annotations

import gzip
import json
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
import shapely

from pipeline.schema.columns import INNER, TABLES
from pipeline.schema.errors import UserFault
from pipeline.sources import containers, ookla, planning, table, values
from pipeline.sources.cells.names import decide_operators
from pipeline.sources.cells.operators import operator_table
from pipeline.sources.formats import ispeed
from pipeline.sources.plan import Plan
from pipeline.sources.rules import Rule
from tests.builders import month_of_tests, write_world

ONE_MONTH = {"2026-10": month_of_tests("2026-10", {("r0c0", "V"): [12.5] * 24})}
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
VIETNAMESE = "Thời gian đo,Vĩ độ,Kinh độ,Nhà mạng,Công nghệ,Tốc độ tải xuống (Mbps)\n"
ENGLISH = "time,lat,lon,operator,technology,download"
CSV = VIETNAMESE + '2026-10-01 08:00:00,22.1,103.1,Viettel,4G,"12,5"\n'
SEMICOLONS = VIETNAMESE.replace(",", ";") + "2026-10-01 08:00:00;22,1;103,1;Viettel;4G;12,5\n"


def delivery(path, content: bytes) -> containers.Delivery:
    path.write_bytes(content)
    return containers.Delivery(path, path.name)


def read(path, content: bytes, **how) -> pd.DataFrame:
    """`tests` of a file, whichever way it is read; a plain file is read the careful way too."""
    found, careful = delivery(path, content), containers.read_rows(delivery(path, content), **how)
    layout = containers.layout(found, how)
    plan = plan_of(as_frame(careful), path.name, layout=layout)
    parts = [
        table.read_tests("s", path.name, rows, plan)
        for stretch in containers.stretches(found, how) or [None]
        for rows in containers.frames(found, stretch, how, plan.headings())
    ]
    tests = as_pandas(pl.concat(parts))
    same = as_pandas(table.read_tests("s", path.name, as_frame(careful), plan))
    pd.testing.assert_frame_equal(tests, same)
    return tests


def plan_of(rows: pl.DataFrame, file="f", rules=None, layout=None, **about) -> Plan:
    """The plan of a table by these rows; raises `UserFault` with what is open."""
    names = tuple(table.headings_in(rows))
    raw = planning.Table(file, layout or containers.Layout(names, 1, 2, {}), rows)
    asked = planning.About("s", rules=rules or {}, **{"timezone": HANOI, **about})
    mapped = planning.mapped(raw, asked)
    counts = planning.operator_counts(raw, mapped.rules)
    operators = decide_operators(counts, asked.operators, operator_table())
    found = planning.planned(raw, asked, mapped, operators)
    questions = [*found.questions, *([operators.question] if operators.question else [])]
    if questions:
        raise UserFault(questions)
    return found.plan


def as_pandas(tests: pl.DataFrame) -> pd.DataFrame:
    return tests.with_columns(pl.col("operator_met", "technology").cast(pl.String)).to_pandas()


def read_tests(source, file, rows: pd.DataFrame, rules=None, **about) -> pd.DataFrame:
    """Pandas rows indexed by source_row, by the plan for them, to a pandas table."""
    frame = as_frame(rows)
    return as_pandas(table.read_tests(source, file, frame, plan_of(frame, file, rules, **about)))


def as_frame(rows: pd.DataFrame) -> pl.DataFrame:
    numbers = pl.Series(containers.ROW, rows.index.to_numpy(), dtype=pl.UInt32)
    return pl.from_pandas(rows.reset_index(drop=True)).with_columns(numbers)


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(),
        CSV.encode("utf-8-sig"),
        CSV.encode("utf-16"),
        CSV.encode("utf-16-le"),
        CSV.replace("\n", "\r\n").encode(),
        SEMICOLONS.encode(),
        CSV.replace(",", "\t").replace('"12\t5"', "12.5").encode(),
    ],
    ids=["utf-8", "bom", "utf-16", "utf-16-le without bom", "crlf", "semicolons", "tabs"],
)  # fmt: skip
def test_encodings_and_separators_give_the_same_test(tmp_path, content):
    tests = read(tmp_path / "a.csv", content)
    assert len(tests) == 1
    row = tests.iloc[0]
    assert (row["latitude"], row["longitude"], row["download_mbps"], row["operator_met"]) == (
        22.1,
        103.1,
        12.5,
        "Viettel",
    )
    assert str(row["measured_at"]) == "2026-10-01 01:00:00+00:00"
    assert row["source_row"] == 2


def test_windows_1258(tmp_path):
    text = "time,lat,lon,operator,technology,download\n2026-10-01 08:00,22,103,Mạng đô,4G,5\n"
    decomposed = text.replace("ạ", "a\u0323").encode("cp1258")
    assert read(tmp_path / "a.csv", decomposed)["operator_met"].iloc[0].startswith("M")


def test_gzip_xlsx_and_parquet_give_the_same_test(tmp_path):
    frame = pd.DataFrame(
        {
            "Time": [pd.Timestamp("2026-10-01 08:00:00")],
            "Lat": [22.1],
            "Lon": [103.1],
            "Operator": ["Viettel"],
            "Technology": ["LTE"],
            "Download (kbps)": [12500],
            "Test ID": [77.0],
        }
    )
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    for name in ("a.xlsx", "a.parquet", "a.csv.gz"):
        found = read(tmp_path / name, (tmp_path / name).read_bytes())
        row = found.iloc[0]
        assert (row["download_mbps"], row["technology"], str(row["measured_at"])) == (
            12.5,
            "4G",
            "2026-10-01 01:00:00+00:00",
        ), name


def test_a_row_with_more_fields_than_the_heading_is_marked_not_shifted(tmp_path):
    row = "2026-10-01 08:00,22,103,V,4G,5"
    content = f"{ENGLISH}\n{row}\n{row},6\n"
    tests = read(tmp_path / "a.csv", content.encode())
    assert tests["unreadable"].tolist() == ["", "row"]
    assert len(tests) == 2


def test_an_open_quote_that_swallows_lines_is_marked(tmp_path):
    rows = '2026-10-01 08:00,22,103,"V,4G,5\n2026-10-01 09:00,22,103,V",4G,5\n'
    content = f"{ENGLISH}\n{rows}"
    assert read(tmp_path / "a.csv", content.encode())["unreadable"].str.contains(
        "row"
    ).tolist() == [True]


def test_unreadable_values_are_named_and_empty_ones_are_not(tmp_path):
    start = "2026-10-01 08:00,22,103,V,4G"
    rows = f"{start},abc,xyz\n{start},-,\n{start},20,5\n{start},#N/A,5\n"
    content = f"{ENGLISH},upload\n{rows}"
    tests = read(tmp_path / "a.csv", content.encode())
    unreadable = ["download_mbps;upload_mbps", "", "", "download_mbps"]
    assert tests["unreadable"].tolist() == unreadable
    assert tests["download_mbps"].isna().tolist() == [True, True, False, True]


def test_rows_are_numbered_as_a_spreadsheet_counts_past_titles_and_blank_lines(tmp_path):
    first, last = "2026-10-01 08:00,22,103,V,4G,5", "2026-10-01 09:00,22,103,V,4G,6"
    text = f"Báo cáo i-Speed\n\n{ENGLISH}\n{first}\n\n{last}\n,,,,,\n"
    rows = containers.read_rows(delivery(tmp_path / "a.csv", text.encode()), heading_row=3)
    assert rows.index.tolist() == [4, 6]
    frame = pd.read_csv(tmp_path / "a.csv", header=None, names=range(6), skip_blank_lines=False)
    frame.to_excel(tmp_path / "a.xlsx", header=False, index=False)
    same = containers.read_rows(
        delivery(tmp_path / "a.xlsx", (tmp_path / "a.xlsx").read_bytes()), heading_row=3
    )
    assert same.index.tolist() == [4, 6]
    assert list(same.columns) == list(rows.columns)


def test_numbers_of_devices_are_the_same_text_in_every_format(tmp_path):
    frame = pd.DataFrame(
        {
            "time": ["2026-10-01", "2026-10-02"],
            "lat": 22.0,
            "lon": 103.0,
            "operator": "V",
            "technology": "4G",
            "download": 5.0,
            "device_id": [77, None],
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    frame.astype({"device_id": "Int64"}).to_csv(tmp_path / "a.csv", index=False)
    for name in ("a.parquet", "a.xlsx", "a.csv"):
        assert (
            read(tmp_path / name, (tmp_path / name).read_bytes())["device_id"].tolist()[0] == "77"
        ), name


def test_a_phones_model_and_a_rows_number_are_not_taken_for_ids():
    rules = ispeed.column_map(["ID", "Thiết bị", "Device", "Mã thiết bị"], {})
    assert rules["device_id"].column == "Mã thiết bị"
    assert "test_id" not in rules


def test_minus_one_is_not_a_latency(tmp_path):
    content = f"{ENGLISH},upload,ping\n2026-10-01 08:00,22,103,V,4G,-5,-1,-1\n"
    row = read(tmp_path / "a.csv", content.encode()).iloc[0]
    assert row["download_mbps"] == -5, "clean judges it"
    assert row[["upload_mbps", "latency_ms"]].isna().all()
    assert row["unreadable"] == "upload_mbps;latency_ms"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"", "empty_file"),
        ("a.csv", b"\n\n", "empty_file"),
        ("a.pdf", b"x", "unknown_suffix"),
        ("a.parquet", b"not parquet", "unreadable_file"),
        ("a.xlsx", b"not xlsx", "unreadable_file"),
        ("a.csv.gz", b"not gzip", "unreadable_file"),
        ("a.csv", b'a,b\n"1,2\n', "unreadable_file"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, code):
    with pytest.raises(UserFault) as caught:
        containers.read_rows(delivery(tmp_path / name, content))
    assert [f.code for f in caught.value.faults] == [code]
    assert caught.value.faults[0].file == name


def test_wrong_encoding_is_a_fault(tmp_path):
    with pytest.raises(UserFault, match="bad_encoding"):
        containers.read_rows(delivery(tmp_path / "a.csv", "ạ".encode()), encoding="ascii")


def test_deliveries_carry_as_much_of_their_folder_as_makes_them_unique(tmp_path):
    for name in (
        "2026-09/a.csv",
        "2026-10/a.csv",
        "2026-10/b.csv",
        "2026-10/~$a.xlsx",
        "2026-10/note.pdf",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [d.name for d in containers.deliveries((str(tmp_path),))] == [
        "2026-09/a.csv",
        "2026-10/a.csv",
        "b.csv",
    ]
    assert [d.name for d in containers.deliveries((str(tmp_path / "*" / "a.csv"),))] == [
        "2026-09/a.csv",
        "2026-10/a.csv",
    ]
    with pytest.raises(UserFault) as caught:
        containers.deliveries((str(tmp_path / "absent.csv"), str(tmp_path / "*.xyz")))
    assert [f.code for f in caught.value.faults] == ["missing_file", "empty_glob"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserFault, match="empty_folder"):
        containers.deliveries((str(tmp_path / "empty"),))


def test_a_file_by_two_paths_or_beside_a_link_to_it_is_read_once_and_said(tmp_path, lomsong):
    settings = write_world(tmp_path, ONE_MONTH)
    raw = tmp_path / "raw"
    (raw / "link.csv").symlink_to(raw / "2026-10/tests.csv")
    (raw / "again").symlink_to(raw, target_is_directory=True)
    (raw / "broken.csv").symlink_to(raw / "absent.csv")
    patterns = (str(raw), str(raw / "2026-10/../2026-10/*.csv"), str(raw / "**/*.csv"))
    assert [d.name for d in containers.deliveries(patterns)] == ["tests.csv"]
    code, text = lomsong("check", "--settings", settings, "--lang", "en")
    assert code == 0, text
    assert "file tests.csv (ispeed): 72 rows" in text
    assert "files that several paths or links lead to are read once: tests.csv" in text
    assert "ispeed: symbolic links that lead to no file: broken.csv; nothing is read" in text
    assert containers.named_again((str(raw / "2026-10"), str(raw / "2026-10/*.csv"))) == [
        "tests.csv"
    ]
    assert containers.named_again((str(raw / "2026-10"),)) == []


def test_links_to_nothing_are_named_whichever_way_a_source_is_given(tmp_path):
    (tmp_path / "2026-10").mkdir()
    for name in ("2026-10/a.csv", "b.parquet", ".#c.csv"):  # an editor's lock is such a link too
        (tmp_path / name).symlink_to(tmp_path / "absent")
    (tmp_path / "2026-10/self.csv").symlink_to(tmp_path / "2026-10/self.csv")
    below = ["2026-10/a.csv", "2026-10/self.csv", "b.parquet"]
    given = {"": below, "2026-10/*.csv": ["a.csv", "self.csv"], "b.parquet": ["b.parquet"]}
    for pattern, names in given.items():
        path = str(tmp_path / pattern)
        assert containers.broken_links((path,)) == names
        with pytest.raises(UserFault) as caught:
            containers.deliveries((path,))
        assert [(f.code, f.values) for f in caught.value.faults] == [
            ("broken_links", {"found": names})
        ]


def test_files_of_one_name_are_distinguished(tmp_path, lomsong):
    head, first, *rows = ONE_MONTH["2026-10"].splitlines()
    wrong = first.replace(",22.05", ",99.05")
    settings = write_world(
        tmp_path,
        {"2026-10": "\n".join([head, wrong, *rows])},
        '[sources.other]\npath = "other"\naccept = ["same_tests"]\n'
        '[population]\npath = "people/tests.csv"\n'
        '[installs]\npath = "installs/tests.csv"\n',
    )
    others = "\n".join([head, wrong, *rows[18:]]).replace("device", "other")
    people, installs = "commune_code,population\nr0c0,9\n", "commune_code,installs\nr0c0,9\n"
    for name, text in (("other", others), ("people", people), ("installs", installs)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tests.csv").write_text(text)
    code, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert code == 0, text
    folder = tmp_path / "outputs/2026-10"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["rows_by_step"]["read"] == {
        "boundaries.geojson": 16,
        "tests.csv (population)": 16,
        "tests.csv (installs)": 1,
        "2026-10/tests.csv": 72,
        "other/tests.csv": 54,
    }
    rejects = pd.read_csv(folder / "tables/rejects.csv")
    assert rejects.to_numpy().tolist() == [
        ["2026-10/tests.csv", 2, "bad_position"],
        ["other/tests.csv", 2, "bad_position"],
    ]


def test_jitter_is_read_and_checked_and_in_no_table(tmp_path, lomsong):
    head, *rows = ONE_MONTH["2026-10"].splitlines()
    found = {}
    for jitter in ("5", "soon"):
        lines = [f"{head},jitter (s)", *(f"{row},{jitter}" for row in rows)]
        (tmp_path / jitter).mkdir()
        settings = write_world(tmp_path / jitter, {"2026-10": "\n".join(lines)})
        code, text = lomsong("run", "--settings", settings, "--out", jitter, "--lang", "en")
        assert code == 0, text
        tables = sorted((tmp_path / jitter / "2026-10/tables").iterdir())
        found[jitter] = text, {path.name: path.read_bytes() for path in tables}
    assert found["5"][1] == found["soon"][1]
    note = "tests.csv, column jitter (s): no cell can be read as a number"
    assert note not in found["5"][0]
    assert note in found["soon"][0]
    published = [names for table, names in TABLES.items() if table not in INNER]
    assert not any("jitter_ms" in names for names in published)


def test_numbers_in_cells_of_a_workbook_stand_beside_texts_with_a_comma(tmp_path):
    pd.DataFrame(
        {
            "time": [pd.Timestamp("2026-10-01 08:00")] * 4,
            "lat": [22.4, "22,4", 22, "22,4"],
            "lon": [103.25, "103,25", "103,25", 103.25],
            "operator": "V",
            "technology": "4G",
            "download": [1.5, "1,5", "1.234,5", 1e-5],
        }
    ).to_excel(tmp_path / "a.xlsx", index=False)
    rows = containers.read_rows(containers.Delivery(tmp_path / "a.xlsx", "a.xlsx"), decimal=",")
    tests = read_tests("s", "a.xlsx", rows, decimal=",")
    assert tests["latitude"].tolist() == [22.4, 22.4, 22.0, 22.4]
    assert tests["longitude"].tolist() == [103.25] * 4
    assert tests["download_mbps"].tolist() == [1.5, 1.5, 1234.5, 1e-5]


def test_the_settings_decimal_comma_reaches_the_workbook(tmp_path, lomsong):
    settings = write_world(tmp_path, ONE_MONTH, 'decimal = ","\n')
    frame = pd.read_csv(tmp_path / "raw/2026-10/tests.csv")
    (tmp_path / "raw/2026-10/tests.csv").unlink()
    frame.to_excel(tmp_path / "raw/2026-10/tests.xlsx", index=False)
    code, text = lomsong("run", "--settings", settings, "--lang", "en", "--publish", "tables")
    assert code == 0, text
    assert "72 read = 72 valid + 0 failed + 0 set aside" in text


@pytest.mark.parametrize(
    ("text", "form", "utc"),
    [
        ("2026-10-01T08:00:00+07:00", None, "2026-10-01 01:00:00+00:00"),
        ("2026-10-01T01:00:00Z", None, "2026-10-01 01:00:00+00:00"),
        ("2026-10-01 08:00:00.250", None, "2026-10-01 01:00:00.250000+00:00"),
        ("2026-10-01", None, "2026-09-30 17:00:00+00:00"),
        ("01/10/2026 08:00:00", None, "2026-10-01 01:00:00+00:00"),
        ("08:00 01/10/2026", None, "2026-10-01 01:00:00+00:00"),
        ("2025.07.18_22.12.09", "%Y.%m.%d_%H.%M.%S", "2025-07-18 15:12:09+00:00"),
        ("1790816400", "unix_s", "2026-10-01 01:00:00+00:00"),
        ("1790816400000", "unix_ms", "2026-10-01 01:00:00+00:00"),
        ("31/02/2026 08:00", None, "NaT"),
        ("yesterday", None, "NaT"),
    ],
)
def test_times(text, form, utc):
    assert str(values.times(pd.Series([text]), HANOI, form)[0]) == utc


@pytest.mark.parametrize(
    ("text", "form"),
    [
        *[(f"2026-10-01 08:00:00{offset}", None) for offset in ("+07", "+0700", "+07:00", " +07")],
        *[(f"2026-10-01 01:00:00{offset}", None) for offset in ("Z", "z", "+00", " UTC", "-00:00")],
        ("2026-09-30 20:00:00.000-05", None),
        ("20261001T080000+07", None),
        ("2026-10-01T08+07", None),
        ("01/10/2026 08:00:00+07", None),
        ("01/10/2026 01:00 Z", None),
        ("01/10/2026 08:00:00 +07", "%d/%m/%Y %H:%M:%S %z"),
        ("01/10/2026 08:00:00+07", "%d/%m/%Y %H:%M:%S%z"),
        ("2026-10-01 08:00:00+07", "ISO8601"),
    ],
)
def test_times_with_an_offset_beside_naive_ones(text, form):
    naive = "01/10/2026 08:00:00" if form and "%d" in form else "2026-10-01 08:00:00"
    for column in ([text, text], [naive, text], [text, naive, None]):
        read = values.times(pd.Series(column), HANOI, form).dropna().astype("str")
        assert read.tolist() == ["2026-10-01 01:00:00+00:00"] * 2, column


def test_mixed_times_in_one_column_are_each_read():
    mixed = pd.Series(["2026-10-01T08:00:00+07:00", "2026-10-01 08:00", "01/10/2026 08:00", None])
    assert (
        values.times(mixed, HANOI).astype("str").tolist()[:3] == ["2026-10-01 01:00:00+00:00"] * 3
    )


def test_a_time_that_only_looks_like_one_is_unreadable_not_a_traceback():
    odd = ["1900-01-01 00:00:00+07:06:30", "08:00 01-10", "2026-10-01 25:00+07", "T08+07", "::Z"]
    assert values.times(pd.Series([*odd, "2026-10-01 08:00"]), HANOI).isna().tolist() == [
        *[True] * 5,
        False,
    ]


def test_column_map_of_the_drive_test_log():
    given = {
        "measured_at": Rule("Timestamp", format="%Y.%m.%d_%H.%M.%S", is_given=True),
        "download_mbps": Rule("TESTDOWNLINK", unit="kbps", is_given=True),
    }
    rows = pd.DataFrame(
        {
            "Timestamp": ["2025.07.18_22.12.09"],
            "Longitude": ["103.4"],
            "Latitude": ["22.4"],
            "Operatorname": ["VIETTEL"],
            "NetworkTech": ["4G"],
            "Level": ["-98"],
            "TESTDOWNLINK": ["35400"],
            "PINGAVG": ["-"],
        },
        index=pd.RangeIndex(2, 3),
    )
    for rules in (given, {}):  # the format is found out by itself
        row = read_tests("log", "x.txt", rows, rules).iloc[0]
        assert (row["download_mbps"], row["signal_dbm"], row["technology"]) == (35.4, -98.0, "4G")
        assert pd.isna(row["latency_ms"])
        assert row["unreadable"] == ""


FLOOR = "time,lat,lon,operator,technology,download,rsrp,test_type\n"


@pytest.mark.parametrize(
    ("cells", "signal", "unreadable"),
    [
        ('4G,"0",-140', None, "no_coverage"),
        ('4G,"",-141', None, "no_coverage"),
        ('LTE,"timeout",-199', None, "no_coverage"),
        ('4G,"0",-200', None, "no_coverage"),
        ('4G,"0",-139.9', -139.9, ""),
        ('4G,"0",-200.1', None, "signal_dbm"),  # a marker for nothing known
        ('4G,"0",2147483647', None, "signal_dbm"),  # Android's UNAVAILABLE
        ('4G,"0",0', None, "signal_dbm"),
        ('4G,"0",', None, ""),
        ('4G,"12.5",-140', None, "signal_dbm"),  # a valid test stays one
        ('4G,"12.5",2147483647', None, "signal_dbm"),
        ('4G,"12.5",-43', -43, ""),
        ('4G,"0.01",-141', None, "signal_dbm"),
        ('4G,"1.2.3,4",-141', None, "download_mbps;signal_dbm"),  # who knows its speed
        (',"0",-141', None, "no_service;no_coverage"),
        ('2G/4G,"",-141', None, "no_service;no_coverage"),
        (',"12.5",-141', None, "signal_dbm"),
        ('3G,"0",-141', None, "signal_dbm"),  # RSRP is LTE's, NR's floor is another one
        ('5G,"0",-141', None, "signal_dbm"),
        ('Flight mode,"0",-141', None, "no_service;signal_dbm"),
        ('NO_COVERAGE,"0",-141', None, "no_service;no_coverage;signal_dbm"),
    ],
)
def test_a_signal_at_the_floor_is_no_network_where_there_is_no_speed(
    tmp_path, cells, signal, unreadable
):
    usual = "2026-10-01 08:00:00,22.1,103.1,Viettel,4G,12.5,-95,\n" * 40
    line = f"2026-10-02 08:00:00,22.1,103.1,Viettel,{cells},\n"
    tests = read(tmp_path / "a.csv", (FLOOR + usual + line).encode())
    one = tests.iloc[-1]
    assert set(one["unreadable"].split(";")) == set(unreadable.split(";"))
    assert (None if pd.isna(one["signal_dbm"]) else one["signal_dbm"]) == signal
    assert set(tests["unreadable"][:-1]) == {""}, "the neighbours are as they were"
    assert set(tests["signal_dbm"][:-1]) == {-95.0}


@pytest.mark.parametrize("mark", ["-140", "-141", "-999", "2147483647", "-2147483648"])
def test_marks_for_no_signal_in_most_cells_raise_no_question(tmp_path, mark):
    lines = [
        f"2026-10-{day:02d} 08:00:00,22.1,103.1,Viettel,4G,0,{mark},\n" for day in range(1, 29)
    ]
    lines.append("2026-10-29 08:00:00,22.1,103.1,Viettel,4G,12.5,-95,\n")
    tests = read(tmp_path / "a.csv", (FLOOR + "".join(lines)).encode())
    assert tests["signal_dbm"].dropna().to_list() == [-95.0]
    is_floor = mark in ("-140", "-141")
    assert set(tests["unreadable"]) == {"no_coverage" if is_floor else "signal_dbm", ""}


def test_signals_without_their_sign_are_still_asked_about(tmp_path):
    lines = [f"2026-10-{day:02d} 08:00:00,22.1,103.1,Viettel,4G,12.5,95,\n" for day in range(1, 29)]
    with pytest.raises(UserFault) as caught:
        read(tmp_path / "a.csv", (FLOOR + "".join(lines)).encode())
    assert [fault.code for fault in caught.value.faults] == ["magnitude_contradicts"]


FENCES = (
    "fence_id,technology,avg_ping_ms,latitude,longitude,fence_time,open_test_uuid,sim_mcc_mnc\n"
)


@pytest.mark.parametrize(
    ("cells", "download", "latency", "unreadable"),
    [
        ("LTE,31.5", None, 31.5, ""),
        ("LTE,", 0.0, None, ""),
        ("LTE,0.0", 0.0, None, ""),  # the server writes 0 for an empty value
        ("LTE,-1", None, None, "latency_ms"),
        ("LTE,abc", None, None, "latency_ms"),
        ("LTE NR avail,", 0.0, None, ""),
        ("UMTS,80", None, 80.0, ""),
        ("NoNetwork,", 0.0, None, "no_coverage"),
        ("NO_COVERAGE,0", 0.0, None, "no_coverage"),
        ("NoNetwork,31.5", None, 31.5, ""),  # it answered before the network was lost
        ("none,", 0.0, None, ""),
        ("UNKNOWN,", 0.0, None, ""),
        (",", 0.0, None, ""),
        ("MOBILE,", None, None, ""),  # a network of whatever generation
        ("6G,", None, None, ""),
    ],
)
@pytest.mark.parametrize("time", ["1790818200000", "2026-10-01 08:30:00.000 +0700"])
def test_a_fence_is_heard_or_not_and_never_a_test(
    tmp_path, cells, download, latency, unreadable, time
):
    lines = "".join(
        f"{n},{one},22.1,103.1,{time},O1,45204\n"
        for n, one in enumerate(["LTE,30", "LTE,30", "LTE,30", cells])
    )
    tests = read(tmp_path / "fences.csv", (FENCES + lines).encode())
    one = tests.iloc[-1]
    found = [None if pd.isna(one[name]) else one[name] for name in ("download_mbps", "latency_ms")]
    assert found == [download, latency]
    wanted = {"coverage_only", *filter(None, unreadable.split(";"))}
    assert set(one["unreadable"].split(";")) == wanted
    assert not (tests["download_mbps"] > 0).any()
    assert (one["operator_met"], one["device_id"]) == ("Viettel", "O1")
    assert str(one["measured_at"]) == "2026-10-01 01:30:00+00:00"


def test_every_fault_of_a_column_map_at_once():
    rows = pd.DataFrame({"a": ["1"]}, index=[2])
    rules = {
        "download_mbps": Rule("b"),
        "upload_mbps": Rule("a", unit="furlong", is_given=True),
        "speed": Rule("a"),
        "operator": Rule(value="V"),
    }
    with pytest.raises(UserFault) as caught:
        read_tests("s", "x.csv", rows, rules, format="table")
    codes = [f.code for f in caught.value.faults]
    assert codes == ["missing_column", "unknown_our_column", "unmapped_column", "unit_not_known"]


@pytest.mark.parametrize(
    ("unit", "mbps"),
    [
        *[(unit, 1.0) for unit in ("Mb/s", "mb/s", "Mbit/s", "Mbits/s", "Mbps", "mbps", "MBPS")],
        *[(unit, 1e-3) for unit in ("kb/s", "Kb/s", "Kbps", "kbit/s", "kbits/s", "KBIT/S")],
        *[(unit, 1e3) for unit in ("Gb/s", "gbps", "Gbit/s")],
        *[(unit, 1e-6) for unit in ("b/s", "bps", "bit/s")],
        *[(unit, 8.0) for unit in ("MB/s", "MBps", "MByte/s", "Mbytes/s")],
        *[(unit, 8e-3) for unit in ("kB/s", "KB/s")],
        *[(unit, None) for unit in ("MB/S", "KB/S")],
    ],
)
def test_a_small_b_is_a_bit_a_large_one_a_byte_and_capitals_are_asked_about(unit, mbps):
    rows = pd.DataFrame(
        {
            "time": ["2026-10-01"], "lat": "22", "lon": "103", "operator": "V", "technology": "4G",
            f"Download ({unit})": f"{7 / (mbps or 1):g}",
            f"upload {unit}": f"{7 / (mbps or 1):g}",
        },
        index=[2],
    )  # fmt: skip
    given = {
        "download_mbps": Rule(f"Download ({unit})", unit=unit, is_given=True),
        "upload_mbps": Rule(f"upload {unit}", unit=unit, is_given=True),
    }
    for rules in ({}, given):
        if mbps is None:
            with pytest.raises(UserFault) as caught:
                read_tests("s", "f", rows, rules)
            assert [f.code for f in caught.value.faults] == ["unit_bits_or_bytes"] * 2
        else:
            row = read_tests("s", "f", rows, rules).iloc[0]
            assert (row["download_mbps"], row["upload_mbps"]) == pytest.approx((7,) * 2)


@pytest.mark.parametrize("unit", ["MB", "Mb", "b", "bogus", "Mbps/s", "m/s", "kmbps"])
def test_a_unit_that_is_none_of_speed(unit):
    assert values.unit_factor("download_mbps", unit) is None


def test_operators_as_met_without_settings_and_ours_with_them():
    rows = pd.DataFrame(
        {
            "time": ["2026-10-01"] * 3,
            "lat": "22",
            "lon": "103",
            "operator": ["VIETTEL ", "452-04", "Digi"],
            "technology": "4G",
            "download": "5",
        },
        index=[2, 3, 4],
    )
    assert read_tests("s", "f", rows)["operator_met"].tolist() == ["Viettel", "Viettel", "Digi"]
    with pytest.raises(UserFault) as caught:  # a third of the rows is not understood
        plan_of(as_frame(rows), operators={"Viettel": ("452-04",)})
    (question,) = caught.value.faults
    assert question.code == "ask_operators"
    assert "Digi (1)" in str(question.values["found"])


# --- Ookla tiles


def tile_rows(**columns) -> pd.DataFrame:
    base = {"quadkey": ["0230", "123"], "avg_d_kbps": ["5634", "2176"], "avg_u_kbps": ["1", "2"],
            "avg_lat_ms": ["27", "22"],
            "tests": ["2", "3"], "devices": ["1", "2"], "quarter": ["2019Q2",
                                                                    "2019Q2"]}  # fmt: skip
    return pd.DataFrame({k: v for k, v in (base | columns).items() if v is not None}, index=[2, 3])


def test_tiles_are_read_with_text_quadkeys_and_megabits():
    tiles = ookla.read_tiles("o", "t.csv", "t.csv", tile_rows())
    assert tiles["quadkey"].tolist() == ["0230", "123"]
    assert tiles["download_mbps"].tolist() == [5.634, 2.176]
    assert tiles["unreadable"].tolist() == ["", ""]


def test_columns_that_this_project_does_not_need_may_drift_away():
    tiles = ookla.read_tiles("o", "t.csv", "t.csv", tile_rows(avg_u_kbps=None, avg_lat_ms=None))
    assert tiles[["upload_mbps", "latency_ms"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("path", "quarter"),
    [
        ("raw/2024-07-01_performance_mobile_tiles.parquet", "2024Q3"),
        ("raw/type=mobile/year=2023/quarter=4/x.parquet", "2023Q4"),
        ("raw/mobile_2022Q1.csv", "2022Q1"),
    ],
)
def test_the_quarter_may_stand_in_the_files_name(path, quarter):
    assert (
        ookla.read_tiles("o", "t", path, tile_rows(quarter=None))["tile_period"].tolist()
        == [quarter] * 2
    )


def test_tile_faults():
    with pytest.raises(UserFault) as caught:
        ookla.read_tiles("o", "t.csv", "t.csv", tile_rows(quarter=None, devices=None))
    assert [f.code for f in caught.value.faults] == ["missing_column", "no_quarter"]
    bad = ookla.read_tiles(
        "o",
        "t",
        "t",
        tile_rows(
            quadkey=["4", "123"], tests=["2", "0"], avg_d_kbps=["x", "0"], quarter=["Q2", "2019Q2"]
        ),
    )
    assert bad["unreadable"].tolist() == ["quadkey;quarter;avg_d_kbps", "tests;avg_d_kbps"]


@pytest.mark.parametrize(
    ("path", "columns", "found"),
    [
        ("raw/2026-07-01_performance_fixed_tiles.parquet", {}, "performance_fixed_tiles"),
        ("s3/performance/type=fixed/year=2026/quarter=3/x.parquet", {}, "type=fixed"),
        ("raw/gps_fixed_tiles.shp", {}, "fixed"),
        ("raw/fixed_2026Q3.csv", {}, "fixed"),
        ("t.csv", {"type": ["fixed", "mobile"]}, "type = fixed: 1"),
        ("t.csv", {"Type": [" Fixed", "FIXED"]}, "Type = fixed: 2"),
    ],
)
def test_tiles_of_fixed_lines_are_refused(path, columns, found):
    with pytest.raises(UserFault) as caught:
        ookla.read_tiles("o", "t", path, tile_rows(**columns))
    assert [(f.code, f.values["found"]) for f in caught.value.faults] == [("fixed_tiles", found)]


@pytest.mark.parametrize(
    ("path", "columns"),
    [
        ("raw/2026-07-01_performance_mobile_tiles.parquet", {}),
        ("fixed it/type=mobile/year=2026/quarter=3/x.parquet", {}),
        ("prefixed_2026Q3.csv", {"type": ["mobile", "mobile"]}),
    ],
)
def test_mobile_tiles_are_read_wherever_they_lie(path, columns):
    assert len(ookla.read_tiles("o", "t", path, tile_rows(**columns))) == 2


def test_tile_outlines_against_the_published_centres(shared):
    rows = pd.read_csv(shared / "measurements/ookla_mobile_tiles_armenia.csv", dtype=str).dropna(
        subset=["tile_x"]
    )
    centres = shapely.centroid(ookla.tile_outlines(rows["quadkey"]))
    assert np.abs(shapely.get_x(centres) - rows["tile_x"].astype(float)).max() < 1e-4
    assert np.abs(shapely.get_y(centres) - rows["tile_y"].astype(float)).max() < 1e-4


def test_outlines_of_the_four_quarters_of_the_world_tile_it():
    boxes = ookla.tile_outlines(pd.Series(["0", "1", "2", "3"]))
    assert shapely.union_all(boxes).bounds == pytest.approx(
        (-180, -85.0511287798, 180, 85.0511287798)
    )
    assert boxes[0].bounds[0] == -180
    assert boxes[0].bounds[1] == pytest.approx(0, abs=1e-9)
    assert boxes[3].bounds[2] == 180
