"""The monthly report read back.

Every figure is a table's, the layout is the decree's, thin provinces give sensible pages.
"""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime
from pathlib import Path

import docx
import pandas as pd
import pytest
from docx.enum.text import WD_ALIGN_PARAGRAPH

from pipeline.config.output_settings import Report
from pipeline.publish.gap_map import palette
from pipeline.publish.report import office
from pipeline.publish.report.content import Content
from pipeline.publish.report.letterhead import area_title, letterhead
from pipeline.schema import texts
from pipeline.schema.fields import CHANGES
from tests.builders import about, accept, month_of_tests, squares, write_boundaries, write_world
from tests.test_cli import ONE_MONTH

pytestmark = pytest.mark.slow  # documents are written and drawn


def report_of(folder: Path):
    return docx.Document(str(folder / "report/monthly_report.docx"))


def table_after(document, caption: str):
    """The table below the caption that begins so."""
    body = list(document.element.body)
    for i, element in enumerate(body):
        if element.tag.endswith("}p") and "".join(element.itertext()).startswith(caption):
            return docx.table.Table(body[i + 1], document)
    raise AssertionError(f"no table {caption!r}")


def cells(table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def body_text(document) -> str:
    return "\n".join(p.text for p in document.paragraphs)


def number(value: float, digits: int = 0) -> str:
    if pd.isna(value):
        return "–"
    if digits == 1 and (value < 40) != (float(f"{value + 1e-9:.1f}") < 40):
        return texts.number(int(value * 100) / 100, "vi", 2)
    return texts.number(value, "vi", digits)


def compared(folder: Path) -> int:
    """How many figures of the report's tables and sentences were compared.

    Each is compared with the published tables.
    """
    tables, count = folder / "tables", 0
    document = report_of(folder)
    status = pd.read_parquet(tables / "commune_status.parquet")
    operators = sorted(set(status["operator"]) - {"all"})
    shown = cells(table_after(document, "Bảng 2."))
    assert shown[0][1:] == operators
    by = status.set_index(["commune_code", "operator"])
    codes = sorted(status["commune_code"].unique())
    assert len(shown) - 1 == len(codes)
    for code, row in zip(codes, shown[1:], strict=True):
        assert row[0] == by.loc[(code, "all"), "commune_name"]
        for operator, cell in zip(operators, row[1:], strict=True):
            unit = by.loc[(code, operator)]
            verdict = palette.verdict(unit["status"], unit["evidence"])
            mark = " *" if unit["evidence_basis"] == "borrowed" else ""
            assert cell == f"{texts.word(verdict, 'vi')}{mark}\n{number(unit['mean_mbps'], 1)}"
            count += 1
    whole = pd.read_parquet(tables / "operator_summary.parquet").set_index(
        ["technology_used", "operator", "span"]
    )
    for technology, name, tests, devices, down, up, latency, rolling in cells(
        table_after(document, "Bảng 1.")
    )[1:]:
        operator = "all" if name == "Tất cả nhà mạng" else name
        row = whole.loc[(technology, operator, "period")]
        assert (tests, devices) == (number(row["test_count"]), number(row["device_count"]))
        assert down == f"{number(row['mean_mbps'], 1)} / {number(row['median_mbps'], 1)}"
        assert (
            up == f"{number(row['upload_mean_mbps'], 1)} / {number(row['median_upload_mbps'], 1)}"
        )
        assert latency == f"{number(row['latency_mean_ms'])} / {number(row['latency_median_ms'])}"
        assert rolling == number(whole.loc[(technology, operator, "rolling_12"), "mean_mbps"], 1)
        count += 8
    gaps = pd.read_parquet(tables / "priorities.parquet").sort_values("need_rank")
    assert len(gaps) > 0
    for row, (_, gap) in zip(
        cells(table_after(document, "Bảng 3."))[1:], gaps.head(30).iterrows(), strict=True
    ):
        assert row[:3] == [number(gap["need_rank"]), gap["commune_name"], gap["operator"]]
        assert row[3].endswith(" *") == (gap["evidence_basis"] == "borrowed")
        assert row[4:7] == [
            number(gap["mean_mbps"], 1),
            number(gap["population"]),
            number(gap["expected_person_gap"]),
        ]
        count += 6
    ask = pd.read_parquet(tables / "measure_first.parquet")
    for row, (_, unit) in zip(
        cells(table_after(document, "Bảng 4."))[1:], ask.head(20).iterrows(), strict=True
    ):
        assert row[1:3] == [unit["commune_name"], unit["operator"]]
        assert row[4:] == [
            number(unit["device_count"]),
            number(unit["devices_to_decide"])
            if pd.isna(unit["devices_to_decide_reason"])
            else texts.word(unit["devices_to_decide_reason"], "vi"),
            number(unit["population"]),
        ]
        count += 5
    text = body_text(document)
    month = pd.read_parquet(tables / "sample_tracker.parquet").query("month == '2026-10'")[
        "test_count"
    ]
    sizes = (
        int((month >= 300).sum()),
        int(((month > 0) & (month < 300)).sum()),
        int((month == 0).sum()),
    )
    assert (
        "trong tháng 10/2026: {}; từ 1 đến 299: {}; chưa có phép đo nào: {}; tổng {}.".format(
            *sizes, len(month)
        )
        in text
    )
    sure, likely = gaps[gaps["status"] == "confirmed_gap"], gaps[gaps["status"] == "probable_gap"]
    communes = sure.drop_duplicates("commune_code")["population"]
    place = f"tại {len(communes)} xã, phường ({number(communes.sum())} dân)"
    assert f"Lõm chắc chắn: {len(sure)} trường hợp xã × nhà mạng {place}" in text
    assert f"Lõm nhiều khả năng: {len(likely)} tại" in text
    statuses = status[status["operator"] != "all"]["status"].value_counts()
    assert f"lõm – chắc chắn {statuses.get('confirmed_gap', 0)}; " in text
    return count


def test_the_demos_figures_are_the_tables(demo_outputs):
    assert compared(demo_outputs) > 400


@pytest.mark.slow
@pytest.mark.parametrize(("province", "seed"), [("Đà Nẵng", 3)])
def test_other_simulated_provinces_too(tmp_path, lomsong, province, seed):
    assert (
        lomsong(
            "demo",
            "--out",
            tmp_path / "d",
            "--province",
            province,
            "--seed",
            seed,
            "--tests",
            5_000,
        )[0]
        == 0
    )
    settings = tmp_path / "d/settings.toml"
    settings.write_text(
        settings.read_text(encoding="utf-8") + "[report]\npdf = false\n", encoding="utf-8"
    )
    code, text = lomsong(
        "run", "--settings", settings, "--out", tmp_path / "o", "--publish", "tables,report"
    )
    assert code == 0, text
    assert compared(tmp_path / "o/2026-10") > 300
    assert (
        f"ỦY BAN NHÂN DÂN TỈNH {province.upper()}"
        in report_of(tmp_path / "o/2026-10").tables[0].cell(0, 0).text
    )


def test_borrowed_verdicts_are_marked_and_the_mark_is_explained(demo_outputs):
    document = report_of(demo_outputs)
    status = pd.read_parquet(demo_outputs / "tables/commune_status.parquet")
    named = status[status["operator"] != "all"]
    expected = int(named["evidence_basis"].eq("borrowed").sum())
    assert expected > 0
    shown = [cell for row in cells(table_after(document, "Bảng 2."))[1:] for cell in row]
    assert sum(" *" in cell for cell in shown) == expected
    note = "* kết luận chắc chắn nhờ bằng chứng của các nhà mạng khác trong xã"
    assert body_text(document).count(note) == 2, "below both tables"


def test_support_is_asked_only_where_every_operator_present_misses_the_target(demo_outputs):
    status = pd.read_parquet(demo_outputs / "tables/commune_status.parquet")
    named = status[status["operator"] != "all"].groupby("commune_code")["status"].agg(set)
    summary = pd.read_parquet(demo_outputs / "tables/commune_summary.parquet")
    no_pass = summary[summary["gap_class"].isin(["total_gap", "gap_rest_borderline"])]
    total = [c for c in no_pass["commune_code"] if "borderline" not in named[c]]
    assert 0 < len(total) < len(no_pass), "the demo has both classes"
    asked = f"tại {number(len(total))} xã, phường lõm ở mọi nhà mạng có mặt."
    assert asked in body_text(report_of(demo_outputs))


def test_the_layout_is_the_decrees(demo_outputs):
    """Decree 30/2020/NĐ-CP, annex I."""
    document = report_of(demo_outputs)
    page = document.sections[0]
    found = [
        page.page_width,
        page.page_height,
        page.top_margin,
        page.bottom_margin,
        page.left_margin,
        page.right_margin,
    ]
    assert [round(length.cm, 2) for length in found] == [21.0, 29.7, 2.0, 2.0, 3.0, 2.0]
    assert document.styles["Normal"].font.name == "Times New Roman"
    assert 13 <= document.styles["Normal"].font.size.pt <= 14
    assert page.different_first_page_header_footer, "no number on the first page"
    assert "PAGE" in page.header.paragraphs[0]._p.xml
    head = document.tables[0]
    assert head.cell(0, 0).text.split("\n")[:2] == [
        "ỦY BAN NHÂN DÂN TỈNH LAI CHÂU",
        "SỞ KHOA HỌC VÀ CÔNG NGHỆ",
    ]
    assert head.cell(0, 1).text.split("\n")[:2] == [
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "Độc lập - Tự do - Hạnh phúc",
    ]
    assert head.cell(1, 0).text == "Số: [số văn bản]/BC-SKHCN"
    assert head.cell(1, 1).text == "Lai Châu, ngày 15 tháng 11 năm 2026"
    assert head.cell(1, 1).paragraphs[0].runs[0].italic
    lines = [p.text for p in document.paragraphs]
    assert "BÁO CÁO" in lines
    assert any(
        line.startswith("Kính gửi: ") and "Ủy ban nhân dân tỉnh Lai Châu" in line for line in lines
    )
    assert any("Cục Viễn thông" in line for line in lines)
    last = next(t for t in document.tables if t.cell(0, 0).text.startswith("Nơi nhận:"))
    assert "Lưu: VT" in last.cell(0, 0).text
    assert last.cell(0, 1).text.startswith("GIÁM ĐỐC")
    assert last.cell(0, 1).text.endswith("[họ và tên người ký]")
    body = next(p for p in document.paragraphs if p.text.startswith("Kỳ báo cáo"))
    assert body.alignment == WD_ALIGN_PARAGRAPH.JUSTIFY
    assert round(body.paragraph_format.first_line_indent.cm, 2) == 1.0
    headings = [p for p in document.paragraphs if re.match(r"[IVX]+\. ", p.text)]
    assert [p.text.split(".")[0] for p in headings] == [
        "I",
        "II",
        "III",
        "IV",
        "V",
        "VI",
        "VII",
        "VIII",
        "IX",
    ]
    assert all(p.paragraph_format.keep_with_next and p.runs[0].bold for p in headings)
    tables = [t for t in document.tables[1:] if t._tbl is not last._tbl]
    assert len(tables) == 7, "with villages by class, visits and the annex"
    for table in tables:
        assert "w:tblHeader" in table.rows[0]._tr.xml, "headings are repeated on every page"


def test_authorities_are_those_of_the_time_and_the_settings_have_the_last_word():
    now = letterhead(Report(), about("2025-03"), ["V"])
    before = letterhead(Report(), about("2025-02"), ["V"])
    assert (now.authority, before.authority) == (
        "Sở Khoa học và Công nghệ",
        "Sở Thông tin và Truyền thông",
    )
    assert "Bộ Thông tin và Truyền thông" in before.addressees[1]
    assert before.date_text == "ngày 15 tháng 03 năm 2025"
    assert letterhead(Report(), about("2026-12"), []).date_text == "ngày 15 tháng 01 năm 2027"
    given = Report(
        authority="Sở X",
        number="12",
        sign="BC-X",
        signer_name="Nguyễn Văn A",
        addressees=("Ông B",),
        date="hôm nay",
        place="Y",
    )
    head = letterhead(given, about("2026-10"), [])
    assert (head.authority, head.number, head.sign, head.signer_name) == (
        "Sở X",
        "12",
        "BC-X",
        "Nguyễn Văn A",
    )
    assert (head.addressees, head.date_text, head.place) == (("Ông B",), "hôm nay", "Y")
    assert area_title(Report(), "Huế", "en") == "Huế province"
    assert area_title(Report(area_title="thành phố Huế"), "Huế", "vi") == "thành phố Huế"


def test_the_document_carries_the_periods_end(demo_outputs):
    document = report_of(demo_outputs)
    assert document.core_properties.created.replace(tzinfo=None) == datetime(2026, 10, 31)


def test_pictures_are_whole_and_the_summary_is_one_page(demo_outputs):
    from PIL import Image

    with zipfile.ZipFile(demo_outputs / "report/monthly_report.docx") as archive:
        pictures = [archive.read(n) for n in archive.namelist() if n.endswith(".png")]
    assert len(pictures) == 3
    for content in pictures:
        picture = Image.open(io.BytesIO(content)).convert("RGB")
        edge = {
            picture.getpixel((x, y)) for x in (0, picture.width - 1) for y in range(picture.height)
        }
        assert edge == {(255, 255, 255)}, "nothing is cut off at the edges"
    with Image.open(demo_outputs / "report/summary.png") as summary:
        assert summary.size == (1400, 1980)


def world(tmp_path: Path, count: int, plan: dict, settings: str = "") -> Path:
    file = write_world(
        tmp_path, {"2026-10": month_of_tests("2026-10", plan)}, "[report]\npdf = false\n" + settings
    )
    side = {1: (1, 1), 200: (20, 10)}[count]
    write_boundaries(tmp_path / "boundaries.geojson", squares(*side))
    return file


@pytest.mark.slow
def test_one_commune_gives_a_report(tmp_path, lomsong):
    file = world(tmp_path, 1, {("r0c0", "V"): [10.0 + i / 3 for i in range(14)]})
    code, text = lomsong("run", "--settings", file, "--publish", "report")
    assert code == 0, text
    document = report_of(tmp_path / "outputs/2026-10")
    assert len(cells(table_after(document, "Bảng 2."))) == 2
    assert "Chưa có kết quả của kỳ trước để so sánh." in body_text(document)


@pytest.mark.slow
def test_two_hundred_communes_give_a_report(tmp_path, lomsong):
    codes = [f"r{r}c{c}" for r in range(4) for c in range(4)]
    file = world(tmp_path, 200, {(code, "V"): [10.0 + i for i in range(12)] for code in codes})
    assert lomsong("run", "--settings", file, "--publish", "report")[0] == 0
    assert len(cells(table_after(report_of(tmp_path / "outputs/2026-10"), "Bảng 2."))) == 201


@pytest.mark.slow
def test_no_usable_test_at_all_gives_a_report(tmp_path, lomsong):
    tests = month_of_tests("2026-10", {("r0c0", "V"): [10.0] * 3}, technology="3G")
    more = "[operators]\nV = []\n[report]\npdf = false\n"
    file = accept(write_world(tmp_path, {"2026-10": tests}, more), "no_valid_test")
    code, text = lomsong("run", "--settings", file, "--publish", "report")
    assert code == 0, text
    document = report_of(tmp_path / "outputs/2026-10")
    text = body_text(document)
    assert "không có phép đo 4G hợp lệ nào" in text
    assert "Kỳ này không có vùng lõm" in text
    assert "chưa có phép đo nào: 16; tổng 16" in text
    lengths = [len(table.rows) for table in document.tables[1:-1]]
    assert min(lengths) > 1, "no empty table"


def test_english_on_request(tmp_path, lomsong):
    file = write_world(tmp_path, ONE_MONTH, "[report]\npdf = false\n")
    assert lomsong("run", "--settings", file, "--lang", "en", "--publish", "report")[0] == 0
    text = body_text(report_of(tmp_path / "outputs/2026-10"))
    assert "VIII. METHOD AND SOURCES" in text
    assert "{" not in text, "every sentence has its figures"


def test_no_sentence_of_the_demos_report_misses_a_figure(demo_outputs):
    text = body_text(report_of(demo_outputs))
    assert "{" not in text
    assert "nan" not in text.casefold().split()


def test_without_libreoffice_there_is_no_pdf_and_no_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(office.shutil, "which", lambda _: None)
    assert office.write_pdf(tmp_path / "a.docx", datetime(2026, 10, 31)) is False


def test_a_libreoffice_that_fails_leaves_the_report(tmp_path, monkeypatch):
    monkeypatch.setattr(office, "libreoffice", lambda: "/bin/false")
    assert office.write_pdf(tmp_path / "a.docx", datetime(2026, 10, 31)) is False


def test_a_pdfs_clock_and_random_ids_are_settled_without_moving_a_byte():
    """What LibreOffice 7.4 writes at the end of a file; this needs no LibreOffice."""
    ends = [
        b"<</CreationDate(D:2026112222423%bZ')>>\ntrailer\n/ID [ <%b>\n<%b> ]\n/DocChecksum /%b"
        % (one, one * 32, one * 32, one * 32)
        for one in (b"6", b"9")
    ]
    found = {office.settled(end, b"docx", datetime(2026, 10, 31)) for end in ends}
    assert len(found) == 1
    assert len(found.pop()) == len(ends[0])
    end = datetime(2026, 10, 31)
    assert office.settled(ends[0], b"a", end) != office.settled(ends[0], b"b", end)


@pytest.mark.skipif(
    office.libreoffice() is None,
    reason="no LibreOffice here: the PDF is made where it is installed",
)
def test_the_pdf_is_the_report(demo_outputs, tmp_path):
    pdf = demo_outputs / "report/monthly_report.pdf"
    assert pdf.read_bytes().startswith(b"%PDF")
    copy = tmp_path / "monthly_report.docx"
    copy.write_bytes((demo_outputs / "report/monthly_report.docx").read_bytes())
    assert office.write_pdf(copy, datetime(2026, 10, 31))
    assert copy.with_suffix(".pdf").read_bytes() == pdf.read_bytes(), "equal reports, equal bytes"


def test_changes_of_speed_are_listed_and_other_verdicts_only_counted():
    counts = {"new_gap": 1, "closed_gap": 2, "better": 3, "worse": 4, "decided": 5,
              "no_change": 6, "not_comparable": 7}  # fmt: skip
    said = [change for change, count in counts.items() for _ in range(count)]
    rows = {"commune_name": "Xã A", "operator": "V", "former_period": "2026-09",
            "former_mean_mbps": 30.0, "mean_mbps": 35.0}  # fmt: skip
    table = pd.DataFrame([rows | {"change": change} for change in said])
    pooled = table.head(1).assign(operator="all")  # another unit: not counted
    tables = {"changes": pd.concat([table, pooled])}
    _, sentence, sheet = Content(tables, ["V"], about("2026-10", lang="en")).changes()
    assert sentence.text == (
        "Verdicts of commune × operator since 09/2026. Clearly changed (the two intervals lie "
        "apart): new gaps 1; closed gaps 2; otherwise better 3; otherwise worse 4. Only the "
        "verdict differs, the speed may be the same: 5. No detectable change: 6; not comparable: 7."
    )
    assert len(sheet.rows) == 1 + 2 + 3 + 4
    assert set(counts) == set(CHANGES)
