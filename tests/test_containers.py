"""Delivered bytes → raw tables: which tables, where their headings stand, their rows."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import lzma
import struct
import unicodedata
import zipfile
from decimal import Decimal

import geopandas as gpd
import openpyxl
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from pipeline.schema.errors import UserFault
from pipeline.sources import containers
from pipeline.sources.containers import encodings, head, text
from pipeline.sources.containers.encodings import decode, detected

HEADINGS = ["time", "lat", "lon", "operator", "download"]
ROWS = [[f"2026-10-0{i} 08:00", f"22.{i}", f"103.{i}", "Viettel", f"{i}.5"] for i in range(1, 7)]
VIETNAMESE = (
    "Thời gian đo;Vĩ độ;Kinh độ;Nhà mạng;Tốc độ tải xuống\n"
    "2026-10-01 08:00;22,1;103,1;Mạng đô;5\n2026-10-02 08:00;22,2;103,2;Điện Biên Phủ;6\n"
)


def lines(*rows, mark=",") -> str:
    return "".join(mark.join(row) + "\n" for row in rows)


def file(path, content) -> containers.Delivery:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return containers.Delivery(path, path.name)


def rows(delivery, how=None, columns=None) -> pl.DataFrame:
    """All rows, by stretches where the file is cut."""
    listed = containers.stretches(delivery, how) or [None]
    parts = [
        frame for stretch in listed for frame in containers.frames(delivery, stretch, how, columns)
    ]
    return pl.concat(parts, how="diagonal")


def numbers(frame: pl.DataFrame) -> list[int]:
    return frame[containers.ROW].to_list()


def broken(frame: pl.DataFrame) -> list[int]:
    """Numbers of the rows that are set aside."""
    names = [name for name in frame.columns if name.startswith(containers.OVERFLOW)]
    marks = [pl.col(name).is_not_null() for name in names]
    return numbers(frame.filter(pl.any_horizontal(marks))) if marks else []


def codes(notes) -> list[str]:
    return [note.code for note in notes]


def workbook(path, *sheets, **about) -> containers.Delivery:
    """A workbook of (name, rows); `about`: what else to do to it, by sheet name."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, cells in sheets:
        sheet = book.create_sheet(name)
        for row in cells:
            sheet.append(row)
        about.get(name, lambda _: None)(sheet)
    book.save(path)
    return containers.Delivery(path, path.name)


# ── headings ─────────────────────────────────────────────────────────────────────────────────────


def found(table: str) -> head.Layout:
    layout = head.find([[cell.strip() for cell in line.split("|")] for line in table.split("\n")])
    assert layout is not None
    return layout


@pytest.mark.parametrize(
    ("table", "names", "first_row"),
    [
        ("time|lat|op\n2026-10-01|22.1|V\n2026-10-02|22.2|V", ["time", "lat", "op"], 2),
        ("Báo cáo||\n||\ntime|lat|op\n2026-10-01|22.1|V", ["time", "lat", "op"], 4),
        ("Đơn vị: X|Kỳ 10|||\nt|lat|lon|op|dl\n2026-10-01|22.1|103|V|5",
         ["t", "lat", "lon", "op", "dl"], 3),
        ("time|lat|op\n||\n2026-10-01|22.1|V", ["time", "lat", "op"], 2),
        ("name|operator\nx|V\ny|M", ["name", "operator"], 2),
        ("time|lat|op", ["time", "lat", "op"], 2),
        ("time|4G|5G\n2026-10-01|22.1|5", ["time", "4G", "5G"], 2),
        ("time|lat|op\n-|-|V\n2026-10-01|22.1|V\n2026-10-02|22.1|V", ["time", "lat", "op"], 2),
        ("|Time|\n1|2026-10-01|5", ["column_1", "Time", "column_3"], 2),
    ],
)  # fmt: skip
def test_headings_are_found_by_what_the_columns_below_hold(table, names, first_row):
    layout = found(table)
    assert list(layout.names)[: len(names)] == [n for n in names if n in layout.names]
    assert layout.first_row == first_row
    assert layout.heading_row is not None


@pytest.mark.parametrize(
    "table",
    [
        "T00001|2026-10-01 07:00|22.1|103.1|Viettel\nT00002|2026-10-01 08:00|22.2|103.1|Viettel",
        "2026-10-01 07:00|22,1|103,1|Viettel|4G\n2026-10-01 07:00|22,2|103,1|VinaPhone|4G",
        "1|01/10/2026|22°06'18\"|V\n2|02/10/2026|22°06'19\"|V",
        "Báo cáo tháng||\n2026-10-01|22.1|V\n2026-10-02|22.1|V",
        "5|22.1|103.1",
    ],
)
def test_without_headings_columns_are_named_by_position_and_it_is_said(table):
    layout = found(table)
    assert layout.heading_row is None
    assert layout.names[:2] == ("column_1", "column_2")
    assert "no_heading_row" in codes(layout.notes)
    assert layout.first_row == (2 if table.startswith("Báo") else 1)


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("t|Download||Upload|\n|Mbps|max|Mbps|max\n1|2.5|3|4|5\n2|3|4|5|6",
         ["t", "Download / Mbps", "Download / max", "Upload / Mbps", "Upload / max"]),
        ("||Download||Upload|\nt|lat|avg|max|avg|max\n1|2|3|4|5|6\n1|2|3|4|5|6",
         ["t", "lat", "Download / avg", "Download / max", "Upload / avg", "Upload / max"]),
        ("t|Tốc độ||Ghi chú\n|xuống|lên|\n1|2|3|x\n1|2|3|y",
         ["t", "Tốc độ / xuống", "Tốc độ / lên", "Ghi chú"]),
    ],
)  # fmt: skip
def test_headings_on_two_levels_are_joined(table, names):
    assert list(found(table).names) == names


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("|deg||kbps", {"lat": "deg", "download": "kbps"}),
        ("UTC|||(Mbps)", {"time": "UTC", "download": "Mbps"}),
        ("|°|string|[kbit/s]", {"lat": "°", "download": "kbit/s"}),
        ("timestamp|double|varchar(20)|float", {}),
    ],
)
def test_a_row_of_units_or_types_is_no_data(units, expected):
    layout = found(f"time|lat|op|download\n{units}\n2026-10-01|22.1|V|500\n2026-10-02|22.1|V|500")
    assert layout.unit_row == expected
    assert (layout.heading_row, layout.first_row) == (1, 3)


def test_a_first_row_of_failed_values_is_no_row_of_units():
    layout = found("id|op|download\nT00001|m|-\nT00002|m|5")
    assert (layout.unit_row, layout.first_row) == ({}, 2)


def test_repeated_headings_are_numbered_and_a_fault_only_where_they_are_used(tmp_path):
    one = file(tmp_path / "a.csv", "dl,op,dl,dl (2)\n1,V,3,4\n")
    layout = containers.layout(one)
    assert layout.names == ("dl", "op", "dl (3)", "dl (2)")
    assert codes(layout.notes) == ["headings_numbered"]
    assert containers.repeated_faults(one, layout, ["op", "dl (3)"]) == []
    assert codes(containers.repeated_faults(one, layout, ["op", "dl"])) == ["repeated_heading"]


def test_what_the_settings_say_of_the_heading_row_holds(tmp_path):
    one = file(tmp_path / "a.csv", "x,y\nname,text\na,b\n")
    assert containers.layout(one, {"heading_row": 2}).names == ("name", "text")
    none = containers.layout(one, {"heading_row": 0})
    assert (none.names, none.heading_row, none.first_row) == (("column_1", "column_2"), None, 1)
    with pytest.raises(UserFault, match="empty_file"):
        containers.layout(one, {"heading_row": 9})


# ── text ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("start", ["sep=;\n", "SEP=;\r\n", "\ufeffsep=;\n"])
def test_a_line_that_names_the_separator_is_no_heading(tmp_path, start):
    one = file(tmp_path / "a.csv", start + lines(HEADINGS, *ROWS, mark=";"))
    frame = rows(one)
    assert list(frame.columns) == [*HEADINGS, containers.ROW]
    assert numbers(frame) == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("title", ["", "Báo cáo, tháng 10; quý IV | 2026\n"])
def test_the_separator_is_found_over_several_lines(tmp_path, mark, title):
    body = [[cell.replace(".", ",") if mark != "," else cell for cell in row] for row in ROWS]
    frame = rows(file(tmp_path / "a.txt", title + lines(HEADINGS, *body, mark=mark)))
    assert frame.columns[:5] == HEADINGS
    assert frame["operator"].to_list() == ["Viettel"] * 6


def test_a_heading_over_two_lines_in_quotes(tmp_path):
    content = 'time,"Tốc độ\n(Mbps)",lat\n' + lines(*[row[:3] for row in ROWS])
    frame = rows(file(tmp_path / "a.csv", content))
    assert frame.columns[:3] == ["time", "Tốc độ (Mbps)", "lat"]
    assert numbers(frame)[0] == 2


@pytest.mark.parametrize(
    "note", ["Tổng cộng,,,,21.0", "Ghi chú: số liệu tạm thời", "Total,,,,21", "\n\nNguồn: VNPT"]
)
def test_totals_and_notes_below_are_set_aside_and_counted(tmp_path, note):
    one = file(tmp_path / "a.csv", lines(HEADINGS, *ROWS) + note + "\n")
    frame = rows(one)
    assert frame.height == 7, "every row is in the books"
    assert broken(frame) == [numbers(frame)[-1]]
    assert [n.values["count"] for n in containers.layout(one).notes if n.code == "footer_rows"]


def test_a_last_row_of_data_is_no_footer(tmp_path):
    content = lines(HEADINGS, *ROWS, ["2026-10-09 08:00", "22.1", "103", "Viettel", ""])
    one = file(tmp_path / "a.csv", content)
    assert broken(rows(one)) == []
    assert containers.layout(one).notes == ()


def large(breaks: dict[int, str]) -> tuple[str, list[str]]:
    """(a file of 4,000 rows, its notes); `breaks`: notes of some rows."""
    notes = [breaks.get(i, "x") for i in range(4000)]
    body = [
        f'2026-10-01 08:00,22.1,{i},"{note}"'
        if "\n" in note
        else f"2026-10-01 08:00,22.1,{i},{note}"
        for i, note in enumerate(notes)
    ]
    return "time,lat,number,note\n" + "\n".join(body) + "\n", notes


@pytest.mark.parametrize("every", [1, 7, 1000])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_breaks_in_cells_are_read_in_stretches(tmp_path, monkeypatch, every, ending):
    monkeypatch.setattr(text, "STRETCH_BYTES", 20_000)
    monkeypatch.setattr(text, "_BLOCK", 3_000)
    content, notes = large({i: f"a\nb\n{i}" for i in range(0, 4000, every)})
    one = file(tmp_path / "a.csv", content.replace("\n", ending))
    assert len(containers.stretches(one)) > 5
    frame = rows(one)
    assert [cell.replace("\r\n", "\n") for cell in frame["note"]] == notes
    assert frame["number"].to_list() == [str(i) for i in range(4000)]
    assert numbers(frame) == list(range(2, 4002))
    assert broken(frame) == []


def test_a_cell_with_line_breaks_beside_row_ends_of_excel(tmp_path):
    content = b'time,lat,note\r\n2026-10-01,22.1,"a\nb"\r\n2026-10-02,22.2,c\r\n'
    frame = rows(file(tmp_path / "a.csv", content))
    assert frame["note"].to_list() == ["a\nb", "c"]
    assert numbers(frame) == [2, 3]


def test_an_open_quote_that_swallows_rows_is_set_aside_alone(tmp_path):
    content = lines(HEADINGS, *ROWS[:2])
    content += '2026-10-01 08:00,22.1,103.1,"V,5\n2026-10-01 08:00,22.1,103.1,V",5\n'
    content += lines(*ROWS[2:])
    frame = rows(file(tmp_path / "a.csv", content))
    assert broken(frame) == [4]
    assert frame.height == 7


def test_a_quote_that_is_never_closed_is_a_fault_that_says_where(tmp_path):
    content = lines(HEADINGS, *ROWS) + '2026-10-01 08:00,22.1,103.1,"V,5\n' + lines(*ROWS)
    with pytest.raises(UserFault) as caught:
        rows(file(tmp_path / "a.csv", content))
    assert [(f.code, f.row) for f in caught.value.faults] == [("unreadable_file", 8)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.sampled_from('ab ,;"\n\rạ1'), max_size=6), min_size=3, max_size=3),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([",", ";"]),
)
def test_what_a_writer_quotes_is_read_as_it_was(tmp_path_factory, cells, mark):
    import csv

    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=mark, quoting=csv.QUOTE_ALL)
    writer.writerow(["one", "two", "three"])
    writer.writerows(cells)
    one = file(tmp_path_factory.mktemp("law") / "a.csv", stream.getvalue())
    frame = rows(one, {"delimiter": mark, "heading_row": 1})

    def plain(cell):
        return (cell or "").replace("\r\n", "\n").replace("\r", "\n")

    def known(row):
        return [plain(cell) for cell in row]

    kept = [(i, known(row)) for i, row in enumerate(cells, start=2)]
    met = dict(
        zip(numbers(frame), map(known, frame.select("one", "two", "three").rows()), strict=True)
    )
    for number, row in kept:
        assert met.get(number, ["", "", ""]) == row


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_ends_of_lines_of_every_system(tmp_path, end):
    frame = rows(file(tmp_path / "a.csv", lines(HEADINGS, *ROWS).replace("\n", end)))
    assert frame["download"].to_list() == [row[4] for row in ROWS]
    assert numbers(frame) == [2, 3, 4, 5, 6, 7]


def test_a_row_with_far_too_many_fields_is_one_bad_row(tmp_path):
    content = lines(HEADINGS, *ROWS[:3], [*ROWS[3], *"abcdefghijklmnop"], *ROWS[4:])
    frame = rows(file(tmp_path / "a.csv", content))
    assert broken(frame) == [5]
    assert frame.height == 6


def test_a_separator_at_the_end_of_every_row_is_no_field(tmp_path):
    content = lines(HEADINGS) + "".join(",".join(row) + ",\n" for row in ROWS)
    frame = rows(file(tmp_path / "a.csv", content))
    assert broken(frame) == []
    assert frame.columns == [*HEADINGS, containers.ROW]


def test_a_comment_above_the_headings_and_rows_that_begin_with_a_number_of_r(tmp_path):
    content = "# time, place, speed, of the network, all\n" + lines(HEADINGS)
    content += "".join(f"{i},{','.join(row)}\n" for i, row in enumerate(ROWS, start=1))
    frame = rows(file(tmp_path / "a.csv", content))
    assert frame.columns[:6] == ["row_name", *HEADINGS]
    assert frame["download"].to_list() == [row[4] for row in ROWS]
    assert broken(frame) == []


@pytest.mark.parametrize(
    ("ending", "pack"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress),
     (".zst", lambda content: pa.compress(content, "zstd", asbytes=True))],
)  # fmt: skip
def test_compressed_text_is_read_in_blocks(tmp_path, monkeypatch, ending, pack):
    monkeypatch.setattr(text, "STRETCH_BYTES", 20_000)
    content, notes = large({7: "a\nb", 3999: "c\nd"})
    frame = rows(file(tmp_path / f"a.csv{ending}", pack(content.encode())))
    assert frame["note"].to_list() == notes
    assert numbers(frame) == list(range(2, 4002))


# ── encodings ────────────────────────────────────────────────────────────────────────────────────


def written(content: str, encoding: str) -> bytes:
    """A text in an encoding that Python cannot write."""
    if encoding == "tcvn3":
        back = {letter: bytes([byte]) for byte, letter in encodings._TCVN3_LETTERS.items()}
        return b"".join(back.get(c) or back.get(c.lower()) or c.encode("ascii") for c in content)
    if encoding == "vni":
        back_vni = {letter: marks for marks, letter in reversed(encodings._VNI_LETTERS.items())}
        return "".join(back_vni.get(c, c) for c in content).encode("cp1252")
    if encoding == "cp1258":
        return b"".join(_cp1258(c) for c in content)
    return content.encode(encoding)


def _cp1258(letter: str) -> bytes:
    parts = unicodedata.normalize("NFD", letter)
    tones = [mark for mark in parts if mark in encodings._TONES]
    base = unicodedata.normalize("NFC", "".join(c for c in parts if c not in tones))
    return (base + "".join(tones)).encode("cp1258")


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1258", "tcvn3", "vni"],
)
def test_the_encoding_is_found_by_the_letters_it_makes(tmp_path, encoding):
    one = file(tmp_path / "a.csv", written(VIETNAMESE, encoding))
    frame = rows(one)
    assert frame.columns[:5] == VIETNAMESE.split("\n", maxsplit=1)[0].split(";")
    assert frame["Nhà mạng"].to_list() == ["Mạng đô", "Điện Biên Phủ"] or encoding == "tcvn3"
    assert frame["Nhà mạng"][0] == "Mạng đô"
    old = encoding in ("cp1258", "tcvn3", "vni")
    notes = [note for note in containers.layout(one).notes if note.code == "encoding_found"]
    assert [note.values["found"] for note in notes] == ([encoding] if old else [])


@pytest.mark.parametrize("encoding", ["cp1258", "tcvn3", "vni", "utf-16", "cp1252"])
def test_the_encoding_may_be_named(tmp_path, encoding):
    content = VIETNAMESE if encoding != "cp1252" else "a;b\n1;é\n"
    one = file(tmp_path / "a.csv", written(content, encoding))
    frame = rows(one, {"encoding": encoding.upper()})
    assert "Nhà mạng" in frame.columns or frame["b"].to_list() == ["é"]
    assert codes(containers.layout(one, {"encoding": encoding}).notes) == []


def test_every_letter_comes_back_from_the_old_encodings():
    letters = encodings._LETTERS + encodings._LETTERS.upper() + "đĐ"
    assert decode(written(letters, "vni"), "vni") == letters
    small = encodings._LETTERS + "đĂÂÊÔƠƯĐ"
    assert decode(written(small, "tcvn3"), "tcvn3") == small
    assert len(set(encodings._TCVN3_LETTERS.values())) == len(encodings._TCVN3_LETTERS) == 74


@given(
    st.lists(
        st.sampled_from(
            [
                "Mạng",
                "Viettel",
                "Điện",
                "Biên",
                "Phủ",
                "Sìn",
                "Hồ",
                "Nậm",
                "Nhùn",
                "Tốc",
                "độ",
                "xuống",
                "lên",
            ]
        ),
        min_size=8,
    )
)
def test_a_text_of_vietnamese_words_is_found_in_every_encoding(words):
    content = " ".join(["Nhà mạng", "Tốc độ", *words])
    for encoding in ("utf-8", "vni", "cp1258", "tcvn3"):
        raw = written(content, encoding)
        assert decode(raw, detected(raw, [raw]).encoding).casefold() == content.casefold()


def test_a_few_damaged_bytes_do_not_turn_a_file_into_another_encoding(tmp_path):
    content = ("time;Nhà mạng\n" + "2026-10-01;Mạng đô\n" * 200).encode() + b"2026-10-01;M\xff\n"
    one = file(tmp_path / "a.csv", content)
    frame = rows(one)
    assert frame["Nhà mạng"].to_list()[:200] == ["Mạng đô"] * 200
    assert frame["Nhà mạng"][200] == "M\ufffd"
    assert codes(containers.layout(one).notes) == ["encoding_unsure"]


def test_an_unknown_encoding_is_a_fault(tmp_path):
    with pytest.raises(UserFault, match="unknown_encoding"):
        rows(file(tmp_path / "a.csv", "a,b\n"), {"encoding": "klingon"})


# ── workbooks ────────────────────────────────────────────────────────────────────────────────────


def table(operator="Viettel", count=6):
    return [HEADINGS, *[[*row[:3], operator, row[4]] for row in ROWS[:count]]]


def test_sheets_of_the_same_table_are_all_read_others_are_said(tmp_path):
    def hide(sheet):
        sheet.sheet_state = "hidden"

    cover = [["Báo cáo đo kiểm"], ["Sở KH&CN Lai Châu"]]
    one = workbook(
        tmp_path / "a.xlsx", ("Bìa", cover), ("Viettel", table()), ("Trống", []),
        ("VinaPhone", table("VinaPhone")), ("Nháp", table("X", 2)), Nháp=hide,
    )  # fmt: skip
    found = containers.survey([str(one.path)])
    assert [d.name for d in found.deliveries] == ["a.xlsx › Viettel", "a.xlsx › VinaPhone"]
    assert [d.inside for d in found.deliveries] == ["Viettel", "VinaPhone"]
    said = {note.code: note.values["found"] for note in found.notes}
    assert said == {"hidden_sheets": ["Nháp (3)"], "sheets_passed_over": ["Bìa (1)", "Trống (0)"]}
    frame = rows(found.deliveries[1], None, [*HEADINGS, *containers.PSEUDO])
    assert frame["operator"].to_list() == ["VinaPhone"] * 6
    assert frame.select("(sheet)", "(file)", "(folder)").row(0) == (
        "VinaPhone",
        "a.xlsx",
        tmp_path.name,
    )


def test_sheets_that_differ_are_a_question_until_one_is_chosen(tmp_path):
    other = [["site", "height", "owner"], *[[f"S{i}", i, "V"] for i in range(5)]]
    one = workbook(tmp_path / "a.xlsx", ("Đo", table()), ("Trạm", other))
    found = containers.survey([str(one.path)])
    assert [(f.code, f.values["found"]) for f in found.faults] == [
        ("which_sheet", ["Đo (6)", "Trạm (5)"])
    ]
    chosen = containers.survey([str(one.path)], {"sheet": "Đo"})
    assert [d.inside for d in chosen.deliveries] == ["Đo"]
    assert codes(chosen.notes) == ["sheets_passed_over"]
    assert codes(containers.survey([str(one.path)], {"sheet": "X"}).faults) == ["no_such_sheet"]


def test_a_line_break_in_a_cell_breaks_no_row(tmp_path):
    cells = [[*HEADINGS, "note"], *[[*row, "dòng 1\ndòng 2,,,,,"] for row in ROWS]]
    frame = rows(workbook(tmp_path / "a.xlsx", ("D", cells)))
    assert broken(frame) == []
    assert frame["note"].to_list() == ["dòng 1\ndòng 2,,,,,"] * 6


def test_error_cells_and_formulas_without_value_are_unreadable_not_missing(tmp_path):
    cells = table()
    cells[1] = [*cells[1][:4], "#DIV/0!"]
    cells[2] = [*cells[2][:4], "=1/B2"]
    cells[3] = [*cells[3][:4], None]
    cells[4] = ["#N/A", *cells[4][1:]]
    one = workbook(tmp_path / "a.xlsx", ("D", cells))
    frame = rows(one)
    assert frame["download"].to_list() == ["#DIV/0!", "=1/B2", None, "4.5", "5.5", "6.5"]
    assert frame["time"][3] == "#N/A"
    notes = {note.code: note.values["count"] for note in containers.layout(one).notes}
    assert notes == {"error_cells": 2, "formulas_without_value": 1}


def test_titles_and_merged_headings_on_two_levels(tmp_path):
    cells = [
        ["BÁO CÁO", None, None, None], [None] * 4,
        ["Thời gian", "Nhà mạng", "Tốc độ", None], [None, None, "Mbps", "max"],
        ["2026-10-01", "Viettel", 5.5, 9], ["2026-10-02", None, 6.5, 9],
    ]  # fmt: skip

    def merge(sheet):
        for place in ("A1:D1", "A3:A4", "B3:B4", "C3:D3", "B5:B6"):
            sheet.merge_cells(place)

    one = workbook(tmp_path / "a.xlsx", ("D", cells), D=merge)
    layout = containers.layout(one)
    assert layout.names == ("Thời gian", "Nhà mạng", "Tốc độ / Mbps", "Tốc độ / max")
    assert (layout.heading_row, layout.first_row) == (4, 5)
    frame = rows(one)
    assert frame["Nhà mạng"].to_list() == ["Viettel", "Viettel"], "a merged cell says both rows"
    assert frame["Tốc độ / Mbps"].to_list() == ["5.5", "6.5"]


def test_hidden_rows_and_columns_are_read_and_said(tmp_path):
    def hide(sheet):
        sheet.row_dimensions[3].hidden = True
        sheet.row_dimensions[4].hidden = True
        sheet.column_dimensions["B"].hidden = True

    one = workbook(tmp_path / "a.xlsx", ("D", table()), D=hide)
    assert rows(one).height == 6
    notes = [note.values for note in containers.layout(one).notes if note.code == "hidden_cells"]
    assert notes == [{"rows": 2, "columns": 1}]


@pytest.mark.parametrize("is_1904", [False, True])
def test_dates_of_both_epochs_and_durations(tmp_path, is_1904):
    book = openpyxl.Workbook()
    if is_1904:
        book.epoch = CALENDAR_MAC_1904
    sheet = book.active
    sheet.append(["time", "day", "span", "download"])
    sheet.append(
        [dt.datetime(2026, 10, 1, 7, 0, 1), dt.date(2026, 10, 1), dt.timedelta(hours=30), 5]
    )
    sheet["C2"].number_format = "[h]:mm:ss"
    book.save(tmp_path / "a.xlsx")
    frame = rows(containers.Delivery(tmp_path / "a.xlsx", "a.xlsx"))
    assert frame.row(0) == ("2026-10-01 07:00:01", "2026-10-01 00:00:00", "30:00:00", "5", 2)


def test_a_file_is_what_its_bytes_are_not_what_its_name_says(tmp_path):
    assert rows(file(tmp_path / "a.xls", lines(HEADINGS, *ROWS, mark="\t"))).height == 6
    book = workbook(tmp_path / "b.xlsx", ("D", table())).path.read_bytes()
    assert rows(file(tmp_path / "b.csv", book)).height == 6
    assert (
        rows(file(tmp_path / "c.csv", gzip.compress(lines(HEADINGS, *ROWS).encode()))).height == 6
    )
    assert rows(file(tmp_path / "d.xlsx.gz", gzip.compress(book))).height == 6
    with pytest.raises(UserFault, match="unreadable_file"):
        rows(file(tmp_path / "e.xls", "<html><table><tr><td>a</td></tr></table></html>"))


ODS = """<?xml version="1.0" encoding="UTF-8"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>
 <table:table table:name="Đo">{rows}</table:table>
 </office:spreadsheet></office:body></office:document-content>"""


def ods(path, cells) -> containers.Delivery:
    def cell(value):
        if isinstance(value, float):
            return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
        if value.startswith("#"):
            return (
                '<table:table-cell table:formula="of:=1/0" office:value-type="string"'
                f' office:string-value=""><text:p>{value}</text:p></table:table-cell>'
            )
        return (
            '<table:table-cell office:value-type="string">'
            f"<text:p>{value}</text:p></table:table-cell>"
        )

    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in cells)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", ODS.format(rows=body))
        archive.writestr(
            "META-INF/manifest.xml",
            '<?xml version="1.0"?><manifest:manifest '
            'xmlns:manifest="urn:oasis:names:tc:opendocument:'
            'xmlns:manifest:1.0"><manifest:file-entry manifest:full-path="/" manifest:media-type='
            '"application/vnd.oasis.opendocument.spreadsheet"/></manifest:manifest>',
        )
    return containers.Delivery(path, path.name)


def test_ods_is_read_with_its_errors(tmp_path):
    cells = [
        ["time", "operator", "download"],
        ["2026-10-01", "Viettel", 5.5],
        ["2026-10-02", "Viettel", "#DIV/0!"],
    ]
    frame = rows(ods(tmp_path / "a.ods", cells))
    assert frame["download"].to_list() == ["5.5", "#DIV/0!"]


BIFF_ERRORS = {"#DIV/0!": 7, "#N/A": 42}


def xls(path, cells) -> containers.Delivery:
    """A workbook of 1997: records of one sheet within a compound file."""

    def record(kind, content=b""):
        return struct.pack("<HH", kind, len(content)) + content

    def cell(row, column, value):
        place = struct.pack("<HHH", row, column, 0)
        if isinstance(value, float):
            return record(0x203, place + struct.pack("<d", value))
        if value in BIFF_ERRORS:
            return record(0x205, place + bytes((BIFF_ERRORS[value], 1)))
        return record(0x204, place + struct.pack("<HB", len(value), 0) + value.encode("latin-1"))

    def start(kind):
        return record(0x809, struct.pack("<HHHHII", 0x600, kind, 0, 1997, 0, 6))

    sheet = start(0x10) + b"".join(
        cell(i, j, value) for i, row in enumerate(cells) for j, value in enumerate(row)
    ) + record(0x0A)  # fmt: skip
    head_size = len(start(5)) + 4 + 8 + 2 + 4
    book = (
        start(5) + record(0x85, struct.pack("<IBBBB", head_size, 0, 0, 2, 0) + b"Do") + record(0x0A)
    )
    assert len(book) == head_size
    stream = (book + sheet).ljust(8192, b"\0")
    count = len(stream) // 512
    end, free = 0xFFFFFFFE, 0xFFFFFFFF
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, end, 0, end, 0)
    header += struct.pack("<I", 0) + struct.pack("<I", free) * 108
    chain = [0xFFFFFFFD, end, *range(3, 2 + count), end]
    table = struct.pack("<128I", *chain, *[free] * (128 - len(chain)))

    def entry(name, kind, first, size, child=free):
        raw = name.encode("utf-16-le")
        return (
            raw.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(raw) + 2 if name else 0, kind, 1, free, free, child)
            + bytes(36) + struct.pack("<IQ", first, size)
        )  # fmt: skip

    directory = entry("Root Entry", 5, end, 0, 1) + entry("Workbook", 2, 2, len(stream))
    directory += entry("", 0, 0, 0) * 2
    return file(path, header + table + directory + stream)


def xlsb(path, cells) -> containers.Delivery:
    """A binary workbook: the records of one sheet."""

    def record(kind, content=b""):
        first = bytes((kind,)) if kind < 128 else bytes((kind & 0x7F | 0x80, kind >> 7))
        size, length = len(content), b""
        while size > 127:
            length, size = length + bytes((size & 0x7F | 0x80,)), size >> 7
        return first + length + bytes((size,)) + content

    def wide(value):
        return struct.pack("<I", len(value)) + value.encode("utf-16-le")

    def cell(column, value):
        place = struct.pack("<II", column, 0)
        if isinstance(value, float):
            return record(5, place + struct.pack("<d", value))
        if value in BIFF_ERRORS:
            return record(3, place + bytes((BIFF_ERRORS[value],)))
        return record(6, place + wide(value))

    body = (
        record(129)
        + record(148, struct.pack("<IIII", 0, len(cells), 0, len(cells[0])))
        + record(145)
    )
    for i, row in enumerate(cells):
        body += record(0, struct.pack("<I", i) + bytes(21)) + b"".join(
            map(cell, range(len(row)), row)
        )
    body += record(146) + record(130)
    book = record(131) + record(143)
    book += (
        record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("Do"))
        + record(144)
        + record(132)
    )
    links = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships/worksheet" Target="worksheets/sheet1.bin"/></Relationships>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/_rels/workbook.bin.rels", links)
        archive.writestr("xl/worksheets/sheet1.bin", body)
    return containers.Delivery(path, path.name)


@pytest.mark.parametrize(("name", "write"), [("a.xls", xls), ("a.xlsb", xlsb), ("a.ods", ods)])
def test_older_and_binary_workbooks_are_read_with_their_errors(tmp_path, name, write):
    cells = [["time", "operator", "download"], ["2026-10-01", "Viettel", 5.5]]
    cells += [["2026-10-02", "Viettel", "#DIV/0!"], ["2026-10-03", "#N/A", 7.0]]
    one = write(tmp_path / name, cells)
    frame = rows(one)
    assert frame["download"].to_list() == ["5.5", "#DIV/0!", "7"]
    assert frame["operator"].to_list() == ["Viettel", "Viettel", "#N/A"]
    notes = [note.values for note in containers.layout(one).notes if note.code == "error_cells"]
    assert notes == [{"found": ["#DIV/0!", "#N/A"], "count": 2}]


# ── archives, folders ────────────────────────────────────────────────────────────────────────────


def zipped(path, members: dict[str, bytes], **how) -> containers.Delivery:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return containers.Delivery(path, path.name)


def test_members_of_an_archive_are_tables(tmp_path):
    csv = lines(HEADINGS, *ROWS).encode()
    book = workbook(tmp_path / "b.xlsx", ("V", table()), ("W", table("W"))).path.read_bytes()
    one = zipped(
        tmp_path / "a.zip",
        {"x/t.csv": csv, "b.xlsx": book, "read.pdf": b"x", "__MACOSX/t.csv": b"x"},
    )
    found = containers.survey([str(one.path)])
    assert [d.name for d in found.deliveries] == [
        "a.zip › b.xlsx › V",
        "a.zip › b.xlsx › W",
        "a.zip › x/t.csv",
    ]
    assert [rows(d).height for d in found.deliveries] == [6, 6, 6]
    assert [(n.code, n.values["found"]) for n in found.notes] == [("passed_over", ["read.pdf"])]
    frame = rows(found.deliveries[0], None, ["operator", "(file)", "(sheet)"])
    assert frame.select("(file)", "(sheet)").row(0) == ("b.xlsx", "V")
    alone = zipped(tmp_path / "c.zip", {"t.csv": csv})
    assert [d.name for d in containers.deliveries([str(alone.path)])] == ["c.zip"]


@pytest.mark.parametrize(
    "members",
    [{"../t.csv": b"a,b\n"}, {"/etc/t.csv": b"a,b\n"}, {"inner.zip": b"PK"},
     {"t.csv": b"\x00" * (101 << 20)}],
    ids=["out", "absolute", "nested", "bomb"],
)  # fmt: skip
def test_an_archive_that_is_not_safe_is_refused(tmp_path, members):
    one = zipped(tmp_path / "a.zip", members)
    with pytest.raises(UserFault, match="unsafe_archive"):
        containers.deliveries([str(one.path)])


def test_an_archive_with_a_password_or_of_damaged_bytes_is_a_fault(tmp_path):
    one = zipped(tmp_path / "a.zip", {"t.csv": b"a,b\n1,2\n"})
    raw = bytearray(one.path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    raw[6] |= 1
    one.path.write_bytes(bytes(raw))
    with pytest.raises(UserFault, match="locked_file"):
        containers.deliveries([str(one.path)])
    with pytest.raises(UserFault, match="unreadable_file"):
        containers.deliveries([str(file(tmp_path / "b.zip", b"PK\x03\x04 no").path)])


def test_a_folder_of_everything(tmp_path):
    (tmp_path / "d").mkdir()
    file(tmp_path / "d/a.csv", lines(HEADINGS, *ROWS))
    workbook(tmp_path / "d/b.xlsx", ("V", table()))
    zipped(tmp_path / "d/c.zip", {"t.tsv": lines(HEADINGS, *ROWS, mark="\t").encode()})
    points(2).to_file(tmp_path / "d/e.shp")
    file(tmp_path / "d/f.pdf", "x")
    for hidden in ("~$b.xlsx", ".DS_Store", "Thumbs.db", "desktop.ini"):
        file(tmp_path / "d" / hidden, "x")
    (tmp_path / "d/g.csv").symlink_to(tmp_path / "absent.csv")
    found = containers.survey([str(tmp_path / "d")])
    assert [d.name for d in found.deliveries] == ["a.csv", "b.xlsx", "c.zip", "e.shp"]
    assert {n.code: n.values["found"] for n in found.notes} == {
        "passed_over": ["f.pdf"],
        "broken_links": ["g.csv"],
    }
    assert found.faults == []


# ── typed files ──────────────────────────────────────────────────────────────────────────────────


def points(count, crs="EPSG:4326") -> gpd.GeoDataFrame:
    shapes = [shapely.Point(103 + i / 10, 22 + i / 10) for i in range(count)]
    frame = gpd.GeoDataFrame(
        {"operator": ["V"] * count, "kbps": range(count)}, geometry=shapes, crs="EPSG:4326"
    )
    return frame.to_crs(crs)


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.shp", "a.kml", "a.fgb"])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32648"])
def test_points_of_gis_files_are_positions(tmp_path, name, crs):
    frame = points(3, "EPSG:4326" if name.endswith(("geojson", "kml")) else crs)
    frame.to_file(tmp_path / name, driver="KML" if name.endswith("kml") else None)
    [one] = containers.deliveries([str(tmp_path / name)])
    assert {"operator", "kbps", "latitude", "longitude"} <= set(containers.layout(one).names)
    found = rows(one)
    found = found.sort("kbps")  # FlatGeobuf has its own order
    assert found["latitude"].to_list() == pytest.approx([22.0, 22.1, 22.2], abs=1e-6)
    assert found["longitude"].to_list() == pytest.approx([103.0, 103.1, 103.2], abs=1e-6)
    assert sorted(numbers(found)) == [2, 3, 4]
    some = rows(one, None, ["kbps", "latitude"])
    assert sorted(some["kbps"].cast(pl.Int64)) == [0, 1, 2], "KML holds text alone"


def test_kmz_and_a_zipped_shapefile(tmp_path):
    points(3).to_file(tmp_path / "doc.kml", driver="KML")
    zipped(tmp_path / "a.kmz", {"doc.kml": (tmp_path / "doc.kml").read_bytes()})
    (tmp_path / "s").mkdir()
    points(3).to_file(tmp_path / "s/a.shp")
    zipped(tmp_path / "b.zip", {p.name: p.read_bytes() for p in (tmp_path / "s").iterdir()})
    for name in ("a.kmz", "b.zip"):
        [one] = containers.deliveries([str(tmp_path / name)])
        assert rows(one)["latitude"].to_list() == pytest.approx([22.0, 22.1, 22.2])


@pytest.mark.parametrize("encoding", ["utf-8", "cp1258", "tcvn3", "vni"])
def test_names_in_a_shapefile_of_an_old_encoding(tmp_path, encoding):
    words = "Mạng đô"
    points(2).assign(operator="x" * 12).to_file(tmp_path / "a.shp")
    raw = (tmp_path / "a.dbf").read_bytes()
    (tmp_path / "a.dbf").write_bytes(raw.replace(b"x" * 12, written(words, encoding).ljust(12)))
    [one] = containers.deliveries([str(tmp_path / "a.shp")])
    met = rows(one, {"encoding": encoding})["operator"].to_list()
    assert [unicodedata.normalize("NFC", cell) for cell in met] == [words] * 2
    if encoding != "utf-8":  # the file says UTF-8
        with pytest.raises(UserFault, match="bad_encoding"):
            rows(one)


def test_layers_of_one_table_are_read_others_are_asked(tmp_path):
    for layer in ("V", "W"):
        points(3).to_file(tmp_path / "a.gpkg", layer=layer)
    assert [d.name for d in containers.deliveries([str(tmp_path / "a.gpkg")])] == [
        "a.gpkg › V",
        "a.gpkg › W",
    ]
    points(4)[["geometry"]].assign(a=1, b=2, c=3).to_file(tmp_path / "a.gpkg", layer="sites")
    found = containers.survey([str(tmp_path / "a.gpkg")])
    assert codes(found.faults) == ["which_layer"]
    assert found.faults[0].values["found"] == ["V (3)", "W (3)", "sites (4)"]
    [one] = containers.deliveries([str(tmp_path / "a.gpkg")], {"layer": "W"})
    assert rows(one, {"layer": "W"}).height == 3


def test_areas_give_no_position_and_it_is_said(tmp_path):
    frame = points(2)
    frame.set_geometry(shapely.buffer(frame.geometry.array, 0.1), crs=4326).to_file(
        tmp_path / "a.geojson"
    )
    [one] = containers.deliveries([str(tmp_path / "a.geojson")])
    layout = containers.layout(one)
    assert layout.names == ("operator", "kbps")
    assert codes(layout.notes) == ["not_points"]
    assert rows(one).height == 2


def test_a_position_among_the_attributes_keeps_its_name(tmp_path):
    points(2).assign(latitude=1.5).to_file(tmp_path / "a.geojson")
    found = rows(containers.Delivery(tmp_path / "a.geojson", "a.geojson"))
    assert found["latitude"].to_list() == [1.5, 1.5]
    assert found["(latitude)"].to_list() == pytest.approx([22.0, 22.1])


def test_a_geojson_without_features_and_one_that_is_none(tmp_path):
    one = file(tmp_path / "a.geojson", '{"type": "FeatureCollection", "features": []}')
    assert rows(one).height == 0
    with pytest.raises(UserFault, match="unreadable_file"):
        rows(file(tmp_path / "b.geojson", "{"))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet_of_every_type(tmp_path, unit):
    when = [dt.datetime(2026, 10, 1, 8), None]
    columns = {
        "time": pa.array(when, pa.timestamp(unit)),
        "zoned": pa.array(when, pa.timestamp(unit, "Asia/Ho_Chi_Minh")),
        "speed": pa.array([Decimal("5.50"), None], pa.decimal128(9, 2)),
        "operator": pa.array(["V", "V"]).dictionary_encode(),
        "day": pa.array([dt.date(2026, 10, 1), None]),
        "cells": pa.array([[1, 2], None]),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    one = containers.Delivery(tmp_path / "a.parquet", "a.parquet")
    assert codes(containers.layout(one).notes) == ["nested_columns"]
    found = rows(one)
    assert found.columns == ["time", "zoned", "speed", "operator", "day", containers.ROW]
    assert found["speed"][0] == Decimal("5.50")
    assert found["time"][0] == dt.datetime(2026, 10, 1, 8)
    assert found["operator"].cast(pl.String).to_list() == ["V", "V"]
    with pytest.raises(UserFault, match="nested_column"):
        rows(one, None, ["time", "cells"])


def test_geometry_in_parquet_is_a_position(tmp_path):
    frame = points(3, "EPSG:32648")
    frame.to_parquet(tmp_path / "geo.parquet")
    plain = points(3)
    wkb = pl.DataFrame({"operator": ["V"] * 3, "geom": list(plain.geometry.to_wkb())})
    wkb.write_parquet(tmp_path / "wkb.parquet")
    wkt = pl.DataFrame({"operator": ["V"] * 3, "geometry": list(plain.geometry.to_wkt())})
    wkt.write_parquet(tmp_path / "wkt.parquet")
    for name in ("geo.parquet", "wkb.parquet", "wkt.parquet"):
        one = containers.Delivery(tmp_path / name, name)
        assert set(containers.layout(one).names) >= {"operator", "latitude", "longitude"}, name
        found = rows(one, None, ["operator", "latitude", "longitude"])
        assert found["latitude"].to_list() == pytest.approx([22.0, 22.1, 22.2], abs=1e-6), name
        assert found["longitude"].to_list() == pytest.approx([103.0, 103.1, 103.2], abs=1e-6), name


def test_the_outlines_of_tiles_are_no_positions(tmp_path):
    tiles = pl.DataFrame({"quadkey": ["0"], "tile": ["POLYGON((0 0, 1 0, 1 1, 0 0))"]})
    tiles.write_parquet(tmp_path / "a.parquet")
    layout = containers.layout(containers.Delivery(tmp_path / "a.parquet", "a.parquet"))
    assert (layout.names, layout.notes) == (("quadkey", "tile"), ())
