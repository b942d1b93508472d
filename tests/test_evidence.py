"""What was found in a file is said in the user's language, with its marks of numbers."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from pipeline.schema import texts
from pipeline.schema.errors import Fault
from pipeline.schema.texts import Said, error_message, joined, said, worded
from pipeline.sources.cells import ids, names, numbers, positions, times, units
from pipeline.sources.cells.operators import OperatorTable
from pipeline.sources.formats.guesses import guess_columns
from pipeline.sources.formats.keep import proposed_conditions
from tests.builders import english_in

ZERO = "00000000-0000-0000-0000-000000000000"
BOX = (103.0, 22.0, 104.0, 23.0)
UTM = "EPSG:32648"


def of_times(*cells: object, heading: str = "Time", **more: object) -> str:
    latest = datetime(2026, 11, 26, tzinfo=UTC)
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    column = pl.Series("Time", cells)
    return times.decide_times([column], heading, zone, latest=latest, **more).evidence


def of_ids(*cells: str) -> str:
    return ids.decide_ids(pl.Series(cells)).evidence


def of_devices(count: int) -> str:
    """Of one id that stands in so many different rows."""
    return ids.whose(pl.Series(["a"] * count), pl.Series(range(count))).evidence


def of_operators(**counts: int) -> str:
    met = {name.replace("_", " "): count for name, count in counts.items()}
    return names.decide_operators(met, {"Viettel": ("VIETTEL",)}, OperatorTable()).evidence


def of_technologies(counts: dict[str, int]) -> str:
    return names.decide_technologies(counts, {}).evidence


def of_units(heading: str, *cells: str, below: str | None = None) -> str:
    return units.decide_unit("download_mbps", heading, pl.Series(cells), below=below).evidence


def of_numbers(*cells: str) -> str:
    return numbers.decide_numbers(pl.Series("x", cells), "download_mbps").evidence


def of_positions(y: Sequence[object], x: Sequence[object], **more: str) -> str:
    columns = pl.Series("lat", y), pl.Series("lon", x)
    return positions.decide_positions(*columns, BOX, **more).evidence


def of_column(ours: str, /, **columns: Sequence[object]) -> str:
    frame = pl.DataFrame({name.replace("_per_", " / "): c for name, c in columns.items()})
    return guess_columns(frame, {}, table=OperatorTable({"viettel": "Viettel"}))[ours].evidence


def of_rows(**columns: Sequence[object]) -> str:
    return proposed_conditions(pl.DataFrame(columns))[0].evidence


@pytest.mark.parametrize(
    ("evidence", "vietnamese"),
    [
        (lambda: of_ids(*[ZERO] * 1200, "a1"), f"1.200 trên 1.201 ô không có mã ({ZERO} 1.200)"),
        (lambda: of_ids(*["8.65E+14"] * 1200), "1.200 trên 1.200 ô: 8.65E+14"),
        (lambda: of_ids(*["phone"] * 1200), "1.200 / 1.200: phone"),
        (
            lambda: of_devices(1200),
            "1 mã trong 1.200 dòng, 1.199 lần lặp lại ở thời điểm hoặc vị trí khác",
        ),
        (lambda: of_times(None), "mọi ô đều trống"),
        (lambda: of_times("2026-10-05 08:00", heading="utc"), "1 trên 1 ô: ISO 8601; tiêu đề: UTC"),
        (
            lambda: of_times("2026-10-05 08:00", format_zone="UTC"),
            "1 trên 1 ô: ISO 8601; định dạng: UTC",
        ),
        (lambda: of_times("5/10/2026", given="%d/%m/%Y"), "1 trên 1 ô: %d/%m/%Y"),
        (
            lambda: of_times(*["13/10/2026"] * 1200, "10/14/2026"),
            (
                "1.201 trên 1.201 ô: %d/%m/%Y; 1.200 trên 1.201 ô có số từ 13 đến 31 "
                "ở vị trí thứ nhất, 1 ô trái với cách đọc này"
            ),
        ),
        (
            lambda: of_times("10/14/2026"),
            "1 trên 1 ô: %m/%d/%Y; 1 trên 1 ô có số từ 13 đến 31 ở vị trí thứ hai",
        ),
        (lambda: of_times("5/5/2026"), "1 trên 1 ô: %d/%m/%Y; ngày và tháng trùng số ở mọi ô"),
        (
            lambda: of_times("05.06.2026"),
            "1 trên 1 ô: %d.%m.%Y; ngày viết bằng dấu chấm thì ngày đứng trước",
        ),
        (
            lambda: of_operators(VIETTEL=1200, no_service=1300, null=1, Local=3),
            "Viettel 1.200 (VIETTEL 1.200), không có sóng 1.300, để trống 1, không hiểu được 3",
        ),
        (lambda: of_technologies({"13": 1200}), "4G 1.200 (13 1.200); các số là mã của Android"),
        (lambda: of_technologies({"4": 1200}), "4G 1.200 (4 1.200); các số là thế hệ mạng"),
        (lambda: of_units("DL (Mbps)", "2 kbps"), '"Mbps" (tiêu đề), 1 × kbit/s'),
        (lambda: of_units("DL", "2", below="Mbps"), '"Mbps" (dòng đơn vị)'),
        (lambda: of_units("DL", *["2 kbps"] * 1200, "3"), "1.200 × kbit/s, 1 –"),
        (lambda: of_numbers(*["2,5"] * 1200), "“,”: “2,5” (1.200 / 1.200)"),
        (
            lambda: of_positions([22.5] * 1200, [103.5] * 1200),
            "1.200 vị trí: độ; 1.200 nằm trong khu vực",
        ),
        (
            lambda: of_positions([22_500_000], [103_500_000]),
            "1 vị trí: độ × 1.000.000; 1 nằm trong khu vực",
        ),
        (
            lambda: of_positions(["22°23.78'"], ["103°23.78'"]),
            "1 vị trí: độ, phút, giây; 1 nằm trong khu vực",
        ),
        (
            lambda: of_positions(["22.500.123.4"], ["103.500.123.4"]),
            "1 vị trí: độ, có dấu phân cách hàng nghìn; 1 nằm trong khu vực",
        ),
        (
            lambda: of_positions([340_000.5], [2_488_000.25], crs=UTM),
            f"1 vị trí: {UTM}; 1 nằm trong khu vực, toạ độ hướng bắc nằm ở cột được coi là kinh độ",
        ),
        (lambda: of_positions(["x"], ["y"]), "không có vị trí"),
        (lambda: of_column("operator", operator=["Viettel"] * 3), "100 % là tên nhà mạng"),
        (lambda: of_column("operator", operator=["A", "B"]), "2 tên"),
        (lambda: of_column("technology", technology=["4G"] * 3), "100 % là tên công nghệ"),
        (
            lambda: of_column("technology", technology=[f"x{n}" for n in range(1300)]),
            "technology: 1.300 giá trị khác nhau",
        ),
        (lambda: of_column("measured_at", time=["2026-10-05 08:00"]), "100 % số ô giống thời gian"),
        (
            lambda: of_column("download_mbps", download=[1234.5, 2.0]),
            "trung vị 618,25, từ 2 đến 1.234,5",
        ),
        (lambda: of_column("download_mbps", download=["a"]), "download: không phải số"),
        (lambda: of_column("download_mbps", download=[None]), "download: trống"),
        (
            lambda: of_column("download_mbps", download_max=[1.5], download_km_per_h=[3.0]),
            (
                "download_max: trung vị 1,5, từ 1,5 đến 1,5: không phải giá trị trung bình; "
                "download_km / h: trung vị 3, từ 3 đến 3: tốc độ của xe"
            ),
        ),
        (
            lambda: of_column("download_mbps", download_speed=[3.5], dl_bitrate=[3.5]),
            "trung vị 3,5, từ 3,5 đến 3,5; cũng có thể là: dl_bitrate",
        ),
        (
            lambda: of_column("signal_dbm", rsrp=[3.0]),
            "rsrp: trung vị 3, từ 3 đến 3: không phải dBm",
        ),
        (
            lambda: of_column("download_mbps", download=[-5.0]),
            "download: trung vị -5, từ -5 đến -5: giá trị âm",
        ),
        (lambda: of_rows(type=["download"] * 1200 + ["upload"]), "download 1.200, upload 1"),
    ],
)
def test_evidence_is_said_in_vietnamese(evidence, vietnamese):
    found = evidence()
    assert isinstance(found, Said)
    assert found.in_lang("vi") == vietnamese
    assert found.in_lang("en") == found
    assert not english_in(found.in_lang("vi"))


def test_a_message_says_its_values_in_its_language():
    count = said("inside", count=1234)
    values = {"found": [count, joined("EPSG:9205", 2.5, by=": ")], "lines": [said("empty")]}
    one = Fault("position_crs", "a.csv", values=values)
    for lang, first, second, line in (
        ("vi", "1.234 nằm trong khu vực", "EPSG:9205: 2,5", "trống"),
        ("en", "1,234 inside the area", "EPSG:9205: 2.5", "empty"),
    ):
        message = error_message(one, lang)
        assert f"{first}, {second}" in message
        assert message.endswith(f"\n    {line}")


def test_a_text_goes_to_workers_and_stands_in_sets():
    once = joined(said("positions", count=1234, form=said("degrees")), worded("reject_bad_time"))
    again = pickle.loads(pickle.dumps(once))
    assert again == once == "1,234 positions: degrees; no readable time"
    assert again.in_lang("vi") == "1.234 vị trí: độ; thời gian không đọc được"
    assert len({once, again, str(once)}) == 1


def test_empty_parts_are_left_out():
    assert joined("", "a", joined(), 0) == "a; 0"
    assert not joined("", "")


@pytest.mark.parametrize("lang", texts.languages())
def test_figures_have_the_digits_that_they_need(lang):
    shown = joined(21_050_000.0, 0.05, 618.25, by=" ").in_lang(lang)
    assert shown == {"vi": "21.050.000 0,05 618,25", "en": "21,050,000 0.05 618.25"}[lang]


def test_english_in_a_vietnamese_message_is_found():
    message = "cột x: 3 positions: degrees; 3 inside the area\n    # the line"
    assert english_in(message) == {"positions", "degrees", "inside", "the", "area"}
