"""Invented files of every kind that was once read wrongly: true figures come out, or a question.

The truth of all: 2 communes × 2 operators, each with 12 devices × 3 tests in October 2026, Viettel
20.00 Mbit/s and VinaPhone 60.00 in both communes. Each case writes it in another way.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import openpyxl
import polars as pl
import pyproj
import pytest
import shapely

from pipeline import journey
from pipeline.actions import monthly
from pipeline.config.run_context import RunContext, Timer, silent
from pipeline.config.settings import read_settings
from pipeline.engine.local import Local
from pipeline.measure import measure
from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.texts import error_message
from pipeline.sources.inputs import chosen_period
from pipeline.sources.previous_runs import NOTHING
from tests.builders import centre, english_in, squares, write_boundaries
from tests.test_containers import written

pytestmark = pytest.mark.slow  # hundreds of files are read

CODES = ("r0c0", "r0c1")
SPEEDS = {"Viettel": 20.0, "VinaPhone": 60.0}
RIGHT = {(code, operator): speed for code in CODES for operator, speed in SPEEDS.items()}
Frame = pl.DataFrame
T = "[sources.t]\npath = 'data.*'\n"
COLUMNS = "[sources.t.columns]\n"


def truth(frame_of: str = "text") -> Frame:
    """The rows, all cells texts; `frame_of` = "values": with times, numbers and texts."""
    rows: list[dict[str, object]] = []
    for code in CODES:
        latitude, longitude = centre(code)
        for operator, speed in SPEEDS.items():
            for device in range(12):
                for test in range(3):
                    n = len(rows)
                    day, hour = 1 + (device * 3 + test * 5) % 28, (8, 14, 20)[(device + test) % 3]
                    share = 1 + (device - 5.5) * 0.02 + (test - 1) * 0.013
                    rows.append(
                        {
                            "test_id": f"T{n:05d}",
                            "time": dt.datetime(2026, 10, day, hour, n % 60, device),
                            "latitude": round(latitude + device * 1e-3 + 0.000123, 6),
                            "longitude": round(longitude - device * 1e-3 - 0.000321, 6),
                            "accuracy": 10.0,
                            "operator": operator,
                            "technology": "4G",
                            "download": round(speed * share, 3),
                            "upload": round(speed * share / 3, 3),
                            "latency": 30.0 + device,
                            "device_id": f"phone-{code}-{operator}-{device:02d}",
                        }
                    )
    frame = pl.DataFrame(rows)
    if frame_of == "values":
        return frame
    return frame.with_columns(
        pl.col("time").dt.strftime("%Y-%m-%d %H:%M:%S"), pl.exclude("time").cast(pl.String)
    )


TEXTS, VALUES = truth(), truth("values")


@dataclass(frozen=True)
class Case:
    """Files that `write(folder)` makes, what the settings say of them, and what must come out.

    `right`: faults by code that are asked; none: the true figures, with `valid` and `failed` tests.
    """

    name: str
    write: Callable[[Path], object]
    asked: tuple[str, ...] = ()
    settings: str = T
    head: str = ""
    valid: int = 144
    failed: int = 0
    said: tuple[str, ...] = ()  # warnings
    within: float = 0.02  # Mbit/s
    boundaries: str = "path = 'communes.geojson'"


def outcome(folder: Path, case: Case) -> tuple[list[Fault], dict, dict[str, int], list[Fault]]:
    """(faults, mean by commune and operator, counts, warnings)."""
    write_boundaries(folder / "communes.geojson", squares(2, 1))
    case.write(folder)
    file = folder / "settings.toml"
    file.write_text(f"{case.head}\n[boundaries]\n{case.boundaries}\n{case.settings}", "utf-8")
    try:
        settings = read_settings(file)
        with journey.read(settings, engine=Local(1)) as inputs:
            period = chosen_period(inputs, settings, None)
            context = RunContext(settings, period, silent, silent, Timer())
            with pytest.MonkeyPatch.context() as patch:  # tables of the months are not looked at
                patch.setattr(monthly, "month_tables", lambda *_: {})
                measured = measure(inputs, context, NOTHING.ledger)
            evidence = measured.evidence
            warnings = [*inputs.warnings, *measured.warnings]
    except UserFault as error:
        return list(error.faults), {}, {}, []
    unit = ["commune_code", "operator"]
    devices = evidence.devices[evidence.devices["operator"].isin(list(evidence.operators))]
    means = devices.groupby(unit, observed=True)["download_mbps"].mean().to_dict()
    counted = evidence.counts.reset_index()
    one = counted[counted["operator"].isin(list(evidence.operators))]
    counts = {
        "valid": int(measured.books["valid_count"].sum()),
        "failed": int(one["failed_test_count"].sum()),
    }
    assert str(period) == "2026-10"
    return [], means, counts, warnings


def text(frame: Frame, mark: str = ",") -> str:
    return frame.write_csv(separator=mark)


def csv(
    frame: Frame, name: str = "data.csv", mark: str = ",", encoding: str = "utf-8"
) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(text(frame, mark).encode(encoding))


def raw(content: str | bytes, name: str = "data.csv") -> Callable[[Path], object]:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def files(**tables: tuple[Frame, str]) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        for name, (frame, mark) in tables.items():
            (folder / f"{name.replace('_', '.')}.csv").write_text(text(frame, mark), "utf-8")

    return write


def named(frame: Frame = TEXTS, /, **headings: str) -> Frame:
    return frame.rename(headings)


def mapped(frame: Frame = TEXTS, /, **columns: Callable[[str], str]) -> Frame:
    """The frame, each cell of some columns through a function."""
    return frame.with_columns(
        [
            pl.Series(name, [change(cell) for cell in frame[name]], pl.String)
            for name, change in columns.items()
        ]
    )


def times(factor: float, digits: int = 3, suffix: str = "") -> Callable[[str], str]:
    return lambda cell: f"{float(cell) * factor:.{digits}f}{suffix}"


def speed(heading: str, factor: float = 1.0, digits: int = 3, suffix: str = "") -> Frame:
    """The truth with its download under another heading, in another unit."""
    return named(mapped(download=times(factor, digits, suffix)), download=heading)


def clock(pattern: str) -> Callable[[str], str]:
    def change(cell: str) -> str:
        time = dt.datetime.fromisoformat(cell)
        half = "SA" if time.hour < 12 else "CH"
        return time.strftime(pattern.replace("{half}", half))

    return change


def every(n: int, change: Callable[[str], str], start: int = 0) -> Callable[[str], str]:
    """Changes every n-th cell."""
    count = iter(range(start, 10**9))
    return lambda cell: change(cell) if next(count) % n == 0 else cell


def with_row_below(frame: Frame, **units: str) -> str:
    head, body = text(frame).split("\n", 1)
    return f"{head}\n{','.join(units.get(name, '') for name in frame.columns)}\n{body}"


def beside(frame: Frame = TEXTS, /, **columns: list[str]) -> Frame:
    """The frame with further columns, their values in turn."""
    return frame.with_columns(
        [
            pl.Series(name, [cells[n % len(cells)] for n in range(frame.height)])
            for name, cells in columns.items()
        ]
    )


def doubled(column: str, own: str, other: str, **changes: Callable[[str], str]) -> Frame:
    """The truth, and rows of another kind beside: `column` says which."""
    extra = mapped(TEXTS, test_id=lambda cell: cell + "x", **changes)
    parts = [
        TEXTS.with_columns(pl.lit(own).alias(column)),
        extra.with_columns(pl.lit(other).alias(column)),
    ]
    return pl.concat(parts).sort("test_id")


def more(**changes: Callable[[str], str]) -> Frame:
    """The truth, and 48 rows more that are changed."""
    extra = mapped(TEXTS[::3], test_id=lambda cell: cell + "x", **changes)
    return pl.concat([TEXTS, extra]).sort("test_id")


def always(value: str) -> Callable[[str], str]:
    return lambda _: value


UNITS = [
    Case("kbit_in_square_brackets", csv(speed("Download speed [kbit/s]", 1000))),
    Case("kb_with_a_vietnamese_heading", csv(speed("Tốc độ tải xuống (Kb/giây)", 1000))),
    Case(
        "suffix_kilobytes",
        csv(speed("dl_kBps", 125)),
        settings=T + COLUMNS + "download_mbps = 'dl_kBps'",
    ),
    Case("megabytes", csv(speed("Download (MB/s)", 1 / 8, 6))),
    Case("suffix_bps", csv(speed("download_bps", 1e6, 0))),
    Case("in_capitals", csv(speed("DOWNLOAD (MBPS)"))),
    Case("bits_alone", csv(speed("Download (Mbit)"))),
    Case("in_the_cells", csv(speed("Download", 1, 3, " Mbps"))),
    Case(
        "two_units_in_the_cells",
        csv(
            mapped(
                download=lambda c: f"{c} Mbps" if float(c) > 40 else f"{1000 * float(c):.0f} Kbps"
            )
        ),
    ),
    Case(
        "some_cells_with_a_unit",
        csv(mapped(download=every(3, lambda c: f"{c} Mbps"))),
        ("unit_in_some_cells",),
    ),
    Case("kbit_unsaid", csv(speed("Download", 1000)), ("magnitude_contradicts",)),
    Case("gbit_unsaid", csv(speed("Download", 0.001, 6)), ("magnitude_contradicts",)),
    Case("of_a_vehicle", csv(speed("Download (km/h)")), ("proposed_column",)),
    Case("in_french", csv(speed("Download (Mo/s)", 1 / 8, 6)), ("proposed_column",)),
    Case(
        "in_french_named",
        csv(speed("Download (Mo/s)", 1 / 8, 6)),
        ("unit_not_known",),
        T + COLUMNS + "download_mbps = 'Download (Mo/s)'",
    ),
    Case(
        "row_of_units",
        raw(
            with_row_below(
                mapped(download=times(1000)), download="Kbit/s", latency="ms", accuracy="m"
            )
        ),
    ),
    Case(
        "row_against_heading",
        raw(with_row_below(speed("Download (Mbps)", 1000), **{"Download (Mbps)": "kbps"})),
        ("units_contradict",),
    ),
    Case("kbit_said_to_be_mbit", csv(speed("Download (Mbps)", 1000)), ("magnitude_contradicts",)),
    Case(
        "camel_case",
        csv(speed("downloadKbps", 1000)),
        settings=T + COLUMNS + "download_mbps = 'downloadKbps'",
    ),
    *[
        Case(
            f"{heading}_as_proposed",
            csv(speed(heading, factor, 0)),
            settings=T + COLUMNS + f"download_mbps = '{heading}'",
        )
        for heading, factor in (
            ("download_bytes_per_second", 125_000),
            ("download_bits_per_second", 1e6),
        )
    ],
    Case("octets", csv(speed("Download (ko/s)", 125)), ("proposed_column",)),
    Case(
        "octets_as_proposed",
        csv(speed("Download (ko/s)", 125)),
        ("unit_not_known",),
        T + COLUMNS + "download_mbps = 'Download (ko/s)'",
    ),
    Case("camel_case_found", csv(speed("downloadSpeedKbps", 1000))),
    Case("percent_in_cells", csv(mapped(download=lambda c: f"{c}%")), ("unit_of_another_kind",)),
    Case("latency_in_seconds", csv(named(mapped(latency=times(0.001, 4)), latency="Latency (s)"))),
]


def by_second(rows: int) -> Frame:
    """A log of one phone: a row a second, 12 m apart."""
    start, (latitude, longitude) = dt.datetime(2026, 10, 5, 8), centre(CODES[0])
    frame = pl.concat([TEXTS] * (rows // TEXTS.height + 1))[:rows].with_row_index("n")
    return mapped(
        frame.cast({"n": pl.String}).with_columns(
            latitude=pl.col("n"), longitude=pl.col("n"), time=pl.col("n")
        ),
        time=lambda n: str(start + dt.timedelta(seconds=int(n))),
        latitude=lambda n: f"{latitude + int(n) * 1e-4:.6f}",
        longitude=always(f"{longitude:.6f}"),
        test_id=always(""),
        device_id=always("phone"),
        operator=always("Viettel"),
    ).drop("n")


SECONDS = by_second(300)
KINDS_OF_ROWS = [
    Case("direction", csv(doubled("Direction", "D", "U", download=times(0.2))), ("which_rows",)),
    Case(
        "direction_in_vietnamese",
        csv(doubled("Chiều", "Tải xuống", "Tải lên", download=times(0.2))),
        ("which_rows",),
    ),
    Case(
        "direction_settled",
        csv(doubled("Chiều", "Tải xuống", "Tải lên", download=times(0.2))),
        settings=T + "[sources.t.keep]\n'Chiều' = 'Tải xuống'",
    ),
    Case(
        "direction_left_out",
        csv(doubled("kind", "DL", "UL", download=times(0.2))),
        settings=T + "[sources.t.keep]\nkind = { not = 'UL' }",
    ),
    Case(
        "direction_all",
        csv(doubled("kind", "DL", "UL")),
        settings=T + "[sources.t.keep]\nkind = '*'",
        valid=288,
    ),
    Case(
        "range",
        csv(doubled("attempt", "1", "7", download=times(0.2))),
        settings=T + "[sources.t.keep]\nattempt = { max = 1 }",
    ),
    Case(
        "web",
        csv(doubled("Test type", "HTTP download", "Web browsing", download=times(0.1))),
        ("which_rows",),
    ),
    Case(
        "status",
        csv(doubled("Status", "Completed", "Aborted", download=times(0.1))),
        ("which_rows",),
    ),
    Case(
        "result", csv(doubled("Kết quả", "Thành công", "Hủy", download=times(0.1))), ("which_rows",)
    ),
    Case("is_valid", csv(doubled("is_valid", "true", "false", download=times(9))), ("which_rows",)),
    Case("outlier_flag", csv(doubled("Outlier", "0", "1", download=times(9))), ("which_rows",)),
    Case("wifi", csv(doubled("Connection", "Mobile", "WiFi", download=times(4))), ("which_rows",)),
    Case(
        "home_wifi_in_technology",
        csv(
            pl.concat(
                [
                    TEXTS,
                    mapped(
                        test_id=lambda c: c + "x", technology=always("Wi-Fi"), download=times(4)
                    ),
                ]
            )
        ),
    ),
    Case(
        "keep_keeps_nothing",
        csv(doubled("kind", "DL", "UL")),
        ("no_row_left",),
        T + "[sources.t.keep]\nkind = 'Download'",
    ),
    Case(
        "keep_of_a_missing_column",
        csv(TEXTS),
        ("missing_column",),
        T + "[sources.t.keep]\nkind = 'D'",
    ),
    Case("arrows", csv(doubled("Hướng", "↓", "↑", download=times(0.2))), ("which_rows",)),
    Case(
        "numbers_of_kinds",
        csv(doubled("Test_type", "1", "2", download=times(0.2))),
        ("which_rows",),
    ),
    Case(
        "numbers_of_kinds_settled",
        csv(doubled("Test_type", "1", "2", download=times(0.2))),
        settings=T + "[sources.t.keep]\nTest_type = '1'",
    ),
    Case("methods", csv(doubled("method", "GET", "PUT", download=times(0.2))), ("which_rows",)),
    Case(
        "ping_without_speed",
        csv(doubled("Test", "Speed test", "Ping test", download=always(""))),
        ("which_rows",),
    ),
    Case("valid_or_nothing", csv(doubled("Hợp lệ", "x", "", download=times(9))), ("which_rows",)),
    Case(
        "valid_or_nothing_settled",
        csv(doubled("Hợp lệ", "x", "", download=times(9))),
        settings=T + "[sources.t.keep]\n'Hợp lệ' = 'x'",
    ),
    Case("deleted", csv(doubled("is_deleted", "0", "1", download=times(9))), ("which_rows",)),
    Case(
        "completed",
        csv(doubled("completed", "TRUE", "FALSE", download=times(0.1))),
        ("which_rows",),
    ),
    Case("sides_of_a_phone", csv(beside(orientation=["1", "2"], loai_may=["1", "2"]))),
    Case("errors_in_metres", csv(beside(gps_error=["5", "10", "0"]))),
    Case("idle_seconds", csv(doubled("State", "D", "I", download=always("0"))), ("which_rows",)),
    Case(
        "direction_word_in_a_name",
        csv(doubled("Service", "FTP DL", "FTP UL", download=times(0.2))),
        ("which_rows",),
    ),
]
EARLY = TEXTS.filter(pl.col("time").str.slice(8, 2).cast(pl.Int32) <= 12)
BY_COLUMN = [
    Case("month_first_by_hour", csv(mapped(time=clock("%m/%d/%Y %I:%M:%S %p")))),
    Case("day_first_two_digit_years", csv(mapped(time=clock("%d-%m-%y %H:%M")))),
    Case(
        "only_days_up_to_12",
        csv(mapped(EARLY, time=clock("%m/%d/%Y %H:%M:%S"))),
        ("time_order_likely",),
    ),
    Case("kbit_without_mark", csv(speed("Download (kbps)", 1000, 0), mark=";")),
    Case(
        "thousands_comma",
        csv(named(mapped(download=lambda c: f"{float(c) * 1000:,.0f}"), download="Download kbps")),
        ("number_mark_open",),
    ),
    Case(
        "thousands_dot",
        csv(
            named(
                mapped(download=lambda c: f"{float(c) * 1000:,.0f}".replace(",", ".")),
                download="Download kbps",
            )
        ),
        ("number_mark_open",),
    ),
    Case(
        "thousands_space",
        csv(
            named(
                mapped(download=lambda c: f"{float(c) * 1000:,.0f}".replace(",", "\u202f")),
                download="Download kbps",
            )
        ),
    ),
    Case(
        "thousands_apostrophe",
        csv(
            named(
                mapped(download=lambda c: f"{float(c) * 1000:,.1f}".replace(",", "’")),
                download="Download kbps",
            )
        ),
    ),
    Case(
        "decimal_comma",
        csv(
            mapped(
                download=lambda c: c.replace(".", ","),
                latitude=lambda c: c.replace(".", ","),
                longitude=lambda c: c.replace(".", ","),
            ),
            mark=";",
        ),
    ),
    Case(
        "three_digits_behind_a_comma",
        csv(mapped(download=lambda c: f"{float(c):.3f}".replace(".", ",")), mark=";"),
    ),
    Case("three_digits_behind_a_point", csv(mapped(download=lambda c: f"{float(c):.3f}"))),
    Case(
        "both_marks",
        csv(
            named(
                mapped(
                    download=lambda c: (
                        f"{float(c) * 1000:,.2f}".replace(",", "x")
                        .replace(".", ",")
                        .replace("x", ".")
                    )
                ),
                download="Download kbps",
            ),
            mark=";",
        ),
    ),
    Case(
        "decimal_by_column",
        csv(
            named(
                mapped(
                    latitude=lambda c: c.replace(".", ","),
                    download=lambda c: f"{float(c) * 1000:,.1f}",
                ),
                download="Download kbps",
            ),
            mark=";",
        ),
    ),
    Case(
        "scientific",
        csv(named(mapped(download=lambda c: f"{float(c) * 1e6:.6E}"), download="Download (bit/s)")),
    ),
    Case(
        "unix_milliseconds",
        csv(
            mapped(
                time=lambda c: str(int(dt.datetime.fromisoformat(c + "+07:00").timestamp() * 1000))
            )
        ),
    ),
    Case(
        "unix_seconds_in_text",
        csv(mapped(time=lambda c: str(int(dt.datetime.fromisoformat(c + "+07:00").timestamp())))),
    ),
    Case(
        "excel_serials",
        csv(
            mapped(
                time=lambda c: (
                    f"{(dt.datetime.fromisoformat(c) - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1):.6f}"
                )
            )
        ),
    ),
]


def book(
    *sheets: tuple[str, list[list[object]]], name: str = "data.xlsx", change=None
) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        made = openpyxl.Workbook()
        made.remove(made.active)
        for title, rows in sheets:
            sheet = made.create_sheet(title)
            for row in rows:
                sheet.append(row)
            if change is not None:
                change(sheet)
        made.save(folder / name)

    return write


def cells(frame: Frame = VALUES, *, headings: bool = True) -> list[list[object]]:
    return [*([list(frame.columns)] if headings else []), *(list(row) for row in frame.iter_rows())]


def of(operator: str, frame: Frame = VALUES) -> Frame:
    return frame.filter(pl.col("operator") == operator)


COVER = ("Bìa", [["Báo cáo đo kiểm"], ["Tháng 10/2026"]])


def in_2036(cell: str) -> str:
    return f"2036{cell[4:]}"


SILENT = [
    Case(
        "sheet_per_operator_without_its_column",
        book(*[(o, cells(of(o).drop("operator"))) for o in SPEEDS]),
        ("unmapped_column",),
    ),
    Case("three_sheets", book(COVER, *[(o, cells(of(o))) for o in SPEEDS])),
    Case(
        "sheet_of_other_columns",
        book(("a", cells()), ("b", cells(named(VALUES, download="Upload speed", upload="x")))),
        ("proposed_column",),
    ),
    Case(
        "max_and_mean",
        csv(
            beside(
                named(download="Download avg (Mbps)"),
                **{"Download max (Mbps)": ["200", "300", "250"]},
            )
        ),
        ("proposed_column",),
    ),
    Case(
        "min_and_max",
        csv(
            beside(
                named(download="Download min (Mbps)"),
                **{"Download max (Mbps)": ["200", "300", "250"]},
            )
        ),
        ("proposed_column",),
    ),
    Case(
        "stray_clock",
        csv(
            pl.concat(
                [TEXTS]
                + [
                    mapped(
                        TEXTS[n : n + 1],
                        test_id=always(f"s{n}"),
                        time=always(f"2036-01-0{n + 1} 08:00:00"),
                    )
                    for n in range(2)
                ]
            )
        ),
    ),
    Case("clocks_of_a_third_in_2036", csv(more(time=in_2036)), ("which_period",)),
    Case(
        "buddhist_years",
        csv(mapped(time=lambda cell: f"{int(cell[:4]) + 543}{cell[4:]}")),
        ("no_time_at_all",),
    ),
    Case("a_few_buddhist_years", csv(more(time=lambda cell: f"2569{cell[4:]}")), ("many_rejects",)),
    Case(
        "next_month_has_one_row",
        csv(
            pl.concat(
                [TEXTS, mapped(TEXTS[:1], test_id=always("s"), time=always("2026-11-01 00:10:00"))]
            )
        ),
    ),
    Case("two_downloads", csv(beside(download_speed=["1", "2", "3"])), ("proposed_column",)),
]

GUESSES = [
    Case(
        "vehicle",
        csv(beside(named(download="DL throughput"), **{"Speed (km/h)": ["31", "45", "52"]})),
        ("proposed_column",),
    ),
    Case(
        "location_provider",
        csv(beside(named(operator="carrier"), provider=["gps", "network", "fused"])),
    ),
    Case(
        "network_is_the_technology",
        csv(beside(named(technology="Network"), x=["1"])),
        ("proposed_column",),
    ),
    Case(
        "axes_swapped",
        csv(named(latitude="longitude", longitude="latitude")),
        ("position_swapped",),
    ),
    Case("uuid_of_the_phone", csv(named(TEXTS.drop("test_id"), device_id="uuid"))),
    Case("id_that_counts_rows", csv(beside(named(test_id="stt"), x=["1"]))),
    Case("ping_as_upload", csv(TEXTS.drop("upload"))),
    Case("signal_empty", csv(beside(signal_strength=[""], lte_rsrp=["-95", "-101"]))),
    Case(
        "download_size",
        csv(beside(named(download="Download speed"), **{"Download size (MB)": ["30", "25"]})),
    ),
    Case(
        "download_time",
        csv(beside(named(download="DL speed"), **{"Download (s)": ["10", "11"]})),
        ("proposed_column",),
    ),
    Case(
        "wrong_headings_of_a_table",
        csv(TEXTS),
        ("missing_column",),
        T
        + "format = 'table'\n"
        + COLUMNS
        + "download_mbps = 'Downlaod'\nmeasured_at = 'time'\nlatitude = 'latitude'\nlongitude = 'longitude'\noperator = 'operator'\ntechnology = 'technology'",
    ),
    Case("a_table_without_columns", csv(TEXTS), ("unmapped_column",), T + "format = 'table'"),
    Case(
        "settings_name_a_text",
        csv(TEXTS),
        ("column_doubted", "numbers_unreadable"),
        T + COLUMNS + "download_mbps = 'operator'",
    ),
]


def far(cell: str) -> str:
    return f"{float(cell) + 5:.6f}"


EMPTY = [
    Case("all_elsewhere", csv(mapped(longitude=far)), ("mostly_outside", "no_valid_test")),
    Case("all_wifi", csv(mapped(technology=always("WIFI"))), ("no_valid_test",)),
    Case("all_3g", csv(mapped(technology=always("UMTS"))), ("no_valid_test",)),
    Case("all_inaccurate", csv(mapped(accuracy=always("5000"))), ("many_rejects", "no_valid_test")),
    Case("headings_only", csv(TEXTS[:0]), ("no_row_left",)),
    Case("no_byte", raw(b""), ("empty_file",)),
    Case("no_speed", csv(mapped(download=always(""))), ("no_valid_test",)),
    Case("all_failed", csv(mapped(download=always("0"))), ("no_valid_test",)),
    Case(
        "a_third_elsewhere",
        csv(pl.concat([TEXTS, mapped(TEXTS[:72], test_id=lambda c: c + "x", longitude=far)])),
        ("mostly_outside",),
    ),
    Case(
        "a_third_elsewhere_accepted",
        csv(pl.concat([TEXTS, mapped(TEXTS[:72], test_id=lambda c: c + "x", longitude=far)])),
        settings=T + "accept = ['mostly_outside']",
    ),
    Case("no_file", files(), ("empty_glob",)),
]


def in_turn(*spellings: str) -> Callable[[str], str]:
    count = iter(range(10**9))
    return lambda cell: spellings[next(count) % len(spellings)] if cell == "Viettel" else cell


PHONE = mapped(device_id=always("phone"))


def phone_by_phone(folder: Path) -> None:
    """A file for each phone, without its id."""
    for number, ((phone,), rows) in enumerate(TEXTS.group_by("device_id", maintain_order=True)):
        assert isinstance(phone, str)
        rows.drop("device_id").write_csv(folder / f"data.{number}.csv")


IDENTITY = [
    Case(
        "case_and_spaces",
        csv(
            mapped(
                operator=in_turn(
                    "VIETTEL", " viettel ", "Viettel\u00a0", "Vi\u200bettel", "Viettel"
                )
            )
        ),
    ),
    Case(
        "normal_forms_met",
        csv(
            mapped(
                operator=in_turn(
                    "Viễn thông Quân đội", unicodedata.normalize("NFD", "Viễn thông Quân đội")
                )
            )
        ),
        head="[operators]\nViettel = ['Viễn thông Quân đội']\nVinaPhone = []",
    ),
    Case("operators_in_part", csv(TEXTS), ("ask_operators",), head="[operators]\nViettel = []"),
    Case(
        "network_codes",
        csv(mapped(operator=lambda c: {"Viettel": "45204", "VinaPhone": "452-02"}[c])),
    ),
    Case(
        "network_codes_as_numbers",
        csv(mapped(operator=lambda c: {"Viettel": "452.04", "VinaPhone": "452.02"}[c])),
    ),
    Case(
        "network_codes_short",
        csv(mapped(operator=lambda c: {"Viettel": "4524", "VinaPhone": "4522"}[c])),
    ),
    Case(
        "network_codes_float",
        csv(mapped(operator=lambda c: {"Viettel": "45204.0", "VinaPhone": "45202.0"}[c])),
    ),
    Case(
        "brands",
        csv(
            mapped(
                operator=in_turn("Viettel Mobile", "VIETTEL TELECOM", "Viettel 4G", "VN VIETTEL")
            )
        ),
    ),
    Case(
        "vinaphone_spelled",
        csv(mapped(operator=lambda c: {"Viettel": c, "VinaPhone": "VN VINAPHONE"}[c])),
    ),
    Case(
        "zero_phones",
        csv(mapped(device_id=every(2, always("00000000-0000-0000-0000-000000000000")))),
        said=("ids_of_none",),
        within=0.5,
    ),
    Case(
        "codes_without_their_country",
        csv(mapped(operator=lambda c: {"Viettel": "04", "VinaPhone": "02"}[c])),
        ("ask_operators",),
    ),
    Case(
        "codes_without_their_country_settled",
        csv(mapped(operator=lambda c: {"Viettel": "4", "VinaPhone": "2"}[c])),
        head="[operators]\nViettel = ['4']\nVinaPhone = ['2']",
    ),
    Case("rounded_phones", csv(mapped(device_id=always("8.65E+14"))), ("ask_rounded_ids",)),
    Case("one_phone", csv(mapped(device_id=always("phone"))), ("ask_one_id",)),
    Case("one_id_by_another_name", csv(named(PHONE, device_id="Mã thiết bị")), ("ask_one_id",)),
    Case("one_id_beside_none", csv(mapped(PHONE, device_id=every(9, always("")))), ("ask_one_id",)),
    Case(
        "one_id_of_no_phone",
        csv(PHONE),
        settings=T + COLUMNS + "device_id = { value = '' }",
        within=0.5,
    ),
    Case(
        "one_phone_settled",
        csv(PHONE),
        settings=T + COLUMNS + "device_id = { value = 'phone' }",
        within=0.5,
    ),
    Case(
        "each_file_a_phone",
        phone_by_phone,
        settings=T + COLUMNS + "device_id = { value = '{file}' }",
    ),
    Case("unknown_phones", csv(mapped(device_id=every(5, always("unknown")))), within=0.5),
    Case(
        "test_id_is_the_phone",
        csv(TEXTS.with_columns(test_id=pl.col("device_id")).drop("device_id")),
        ("many_duplicates",),
    ),
    Case("technologies", csv(mapped(technology=every(2, always("LTE-A"))))),
    Case("technologies_spelled", csv(mapped(technology=every(2, always("4G (LTE)"))))),
]


def outcomes(
    heading: str, good: str, bad: str, download: Callable[[str], str] = lambda cell: cell[:1]
) -> Frame:
    """The truth, and 48 tests that failed, whatever their download says; `heading` says which."""
    rows = more(download=download, time=lambda cell: cell[:-2] + "59")
    is_bad = pl.col("test_id").str.ends_with("x")
    return rows.with_columns(
        pl.when(is_bad).then(pl.lit(bad)).otherwise(pl.lit(good)).alias(heading)
    )


FAILED = [
    Case("minus_one", csv(more(download=always("-1"))), failed=48),
    Case(
        "minus_one_settled",
        csv(more(download=always("-99"))),
        settings=T + COLUMNS + "download_mbps = { column = 'download', failed = [-99] }",
        failed=48,
    ),
    Case("minus_999", csv(more(download=always("-999"))), ("failed_mark_open",)),
    Case("zero", csv(more(download=always("0"))), failed=48),
    Case("absent", csv(more(download=always(""))), failed=48),
    Case("words_of_failure", csv(more(download=always("timeout"))), failed=48),
    Case("failed_in_vietnamese", csv(more(download=always("Thất bại"))), failed=48),
    *[
        Case(f"word_{number}", csv(more(download=always(word))), failed=48)
        for number, word in enumerate(("Lỗi", "error", "mất sóng", "Không đo được", "No signal"))
    ],
    *[
        Case(f"failed_by_{heading}", csv(outcomes(heading, good, bad)), ("failed_with_speed",))
        for heading, good, bad in (
            ("error_code", "0", "408"),
            ("fail_reason", "", "timeout"),
            ("Mã lỗi", "", "E12"),
            ("http_status", "200", "503"),
            ("has_error", "false", "true"),
        )
    ],
    Case("http_all_well", csv(beside(http_status=["200", "204"], error_code=["0", ""]))),
    Case("errors_of_a_sheet", csv(more(download=always("#DIV/0!"))), ("many_rejects",)),
    Case(
        "few_errors",
        csv(
            pl.concat(
                [TEXTS, mapped(TEXTS[:9], test_id=lambda c: c + "x", download=always("#N/A"))]
            )
        ),
    ),
    Case("nan", csv(more(download=always("NaN"))), failed=48),
    Case(
        "infinite",
        csv(
            pl.concat([TEXTS, mapped(TEXTS[:9], test_id=lambda c: c + "x", download=always("inf"))])
        ),
    ),
    Case("failed_with_speed", csv(outcomes("Status", "Success", "Failed")), ("failed_with_speed",)),
    Case(
        "failed_with_speed_in_vietnamese",
        csv(outcomes("Kết quả", "Thành công", "Không thành công")),
        ("failed_with_speed",),
    ),
    Case("success_flag", csv(outcomes("is_success", "true", "false")), ("failed_with_speed",)),
    Case(
        "failed_without_speed",
        csv(outcomes("Status", "Success", "Failed", download=always(""))),
        failed=48,
    ),
    Case(
        "failed_with_speed_settled",
        csv(outcomes("Status", "Success", "Failed")),
        settings=T + "[sources.t.failed]\nStatus = 'failed'",
        failed=48,
    ),
    Case(
        "failed_beside_text",
        csv(outcomes("Status", "OK", "Timeout", download=always("n.v."))),
        settings=T + "[sources.t.failed]\nStatus = ['timeout']",
        failed=48,
    ),
    Case(
        "failed_with_speed_taken_as_it_is",
        csv(outcomes("Status", "Success", "Failed", download=lambda cell: cell)),
        settings=T + "[sources.t.keep]\nStatus = '*'",
        valid=192,
    ),
    Case(
        "failed_of_a_missing_column",
        csv(TEXTS),
        ("missing_column",),
        T + "[sources.t.failed]\nStatus = 'failed'",
    ),
    Case(
        "no_service_as_technology",
        csv(
            pl.concat(
                [
                    TEXTS,
                    mapped(
                        TEXTS[:9],
                        test_id=lambda c: c + "x",
                        technology=always("NO_SERVICE"),
                        download=always("0"),
                    ),
                ]
            )
        ),
    ),
    Case("no_service", csv(more(operator=always("No service"), download=always("0")))),
]


def offset(zone: str) -> Callable[[str], str]:
    return lambda cell: cell + zone


BREAKS = [
    *[
        Case(f"offset_{zone}", csv(mapped(time=offset(zone))))
        for zone in (
            "+07",
            "+0700",
            "+07:00",
            " +07:00",
            ".123456+07",
            " ICT",
            " GMT+7",
            " Asia/Ho_Chi_Minh",
        )
    ],
    Case("mixed_offsets", csv(mapped(time=every(2, offset("+07:00"))))),
    Case(
        "utc",
        csv(
            mapped(
                time=lambda c: (dt.datetime.fromisoformat(c) - dt.timedelta(hours=7)).strftime(
                    "%Y-%m-%dT%H:%M:%SZ"
                )
            )
        ),
    ),
    *[
        Case(
            f"odd_cell_{column}_{n}",
            csv(
                pl.concat([TEXTS, mapped(TEXTS[:1], test_id=always("x"), **{column: always(cell)})])
            ),
        )
        for column, odd in {
            "latitude": ("91", "-1e400", "nan", "inf", "1.2.3", "N/A"),
            "longitude": ("181", "east"),
            "time": (
                "9999-12-31 23:59:59",
                "0001-01-01 00:00:00",
                "2026-02-30 08:00:00",
                "24:00",
                "1e400",
            ),
            "download": ("1e400", "-5", "1.2.3,4", "😀"),
            "technology": ("😀",),
        }.items()
        for n, cell in enumerate(odd)
    ],
    *[
        Case(
            f"odd_cell_that_counts_{column}",
            csv(
                pl.concat([TEXTS, mapped(TEXTS[:1], test_id=always("x"), **{column: always(cell)})])
            ),
            valid=145,
        )
        for column, cell in (
            ("accuracy", "-1"),
            ("accuracy", "x"),
            ("latency", "1e300"),
            ("upload", "-1e308"),
        )
    ],
    Case("a_null_byte", raw(text(TEXTS).replace("T00007", "T0\0007").encode())),
    Case(
        "repeated_heading", raw(text(TEXTS).replace("upload", "download", 1)), ("repeated_heading",)
    ),
    Case(
        "not_a_table",
        raw(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "data.csv"),
        ("bad_encoding",),
    ),
    Case("a_broken_zip", raw(b"PK\x03\x04" + bytes(200), "data.xlsx"), ("unreadable_file",)),
    Case(
        "a_broken_gzip",
        raw(gzip.compress(text(TEXTS).encode())[:-200], "data.csv.gz"),
        ("unreadable_file",),
    ),
    Case("html", raw("<html><body>Đăng nhập</body></html>", "data.csv"), ("unmapped_column",)),
    Case(
        "json",
        raw(
            json.dumps(VALUES.with_columns(pl.col("time").cast(pl.String)).to_dicts()), "data.json"
        ),
        ("no_geojson",),
    ),
]


def degrees(cell: str) -> str:
    value = abs(float(cell))
    whole, minutes = divmod(value * 60, 60)[0], value * 60 % 60
    return f"{int(whole)}°{int(minutes):02d}'{(minutes % 1) * 60:06.3f}\""


def projected(epsg: int) -> Frame:
    change = pyproj.Transformer.from_crs(4326, epsg, always_xy=True)
    x, y = change.transform(VALUES["longitude"].to_list(), VALUES["latitude"].to_list())
    return TEXTS.with_columns(
        longitude=pl.Series([f"{one:.2f}" for one in x]),
        latitude=pl.Series([f"{one:.2f}" for one in y]),
    )


PARTS = TEXTS.with_columns(
    day=pl.col("time").str.slice(0, 10), hour=pl.col("time").str.slice(11)
).drop("time")
HALVES = mapped(time=clock("%d/%m/%Y %I:%M:%S {half}"))
JOINED = TEXTS.with_columns(place=pl.col("latitude") + ", " + pl.col("longitude")).drop(
    "latitude", "longitude"
)


def apart(day: str, hour: str, date: str = "%d/%m/%Y", time: str = "%H:%M:%S") -> Frame:
    """The truth, its dates and times of day in two columns."""
    both = mapped(
        TEXTS.with_columns(time_of_day=pl.col("time")), time=clock(date), time_of_day=clock(time)
    )
    return named(both, time=day, time_of_day=hour)


def wkt(cell: str) -> str:
    latitude, longitude = cell.split()
    return f"POINT ({longitude} {latitude})"


def joined_place(heading: str, mark: str = ", ") -> Frame:
    place = pl.col("latitude") + mark + pl.col("longitude")
    return TEXTS.with_columns(place.alias(heading)).drop("latitude", "longitude")


def points_as(form: str) -> Frame:
    """The truth, its positions as WKT in a column `geom`."""
    place = pl.format(form, "longitude", "latitude").alias("geom")
    return TEXTS.with_columns(place).drop("latitude", "longitude")


TOGETHER = [
    Case("day_and_hour_in_vietnamese", csv(apart("Ngày đo", "Giờ đo"))),
    Case("day_and_hour_of_a_test", csv(apart("Test date", "Test time", "%Y-%m-%d"))),
    Case("day_and_halves_of_it", csv(apart("Ngày", "Thời gian", time="%I:%M:%S {half}"))),
    Case("day_and_whole_hours", csv(apart("NGAY_THUC_HIEN", "GIO_THUC_HIEN", time="%H"))),
    Case("compact_day", csv(apart("date", "hour", "%Y%m%d", "%H:%M"))),
    Case("day_and_hour_of_access", csv(apart("Ngày", "Giờ", time="1899-12-30 %H:%M:%S"))),
    Case("day_and_hour_without_words", csv(apart("A", "B")), ("proposed_column",)),
    Case(
        "two_hours",
        csv(beside(apart("Ngày", "Giờ đến"), **{"Giờ đi": ["07:00"]})),
        ("proposed_column",),
    ),
    Case("time_beside_day_and_hour", csv(beside(Ngày=["01/10/2026"], Giờ=["03:00"]))),
    Case("place_in_vietnamese", csv(joined_place("Tọa độ"))),
    Case("place_with_a_semicolon", csv(joined_place("Vị trí", "; "))),
    Case("place_as_wkt", csv(mapped(joined_place("geometry", " "), geometry=wkt))),
    *[
        Case(f"place_as_{name}", csv(points_as(form)))
        for name, form in (
            ("wkt_with_height", "POINT Z ({} {} 520)"),
            ("wkt_with_its_crs", "SRID=4326;POINT({} {})"),
        )
    ],
    Case("place_in_brackets", csv(mapped(joined_place("latlng"), latlng="({})".format))),
    Case("place_without_a_word", csv(joined_place("where")), ("proposed_column",)),
    Case("two_places", csv(joined_place("Location").with_columns(Server=pl.lit("21.02, 105.85")))),
    Case(
        "two_places_without_words",
        csv(joined_place("from").with_columns(to=pl.lit("21.02, 105.85"))),
        ("proposed_column",),
    ),
]
SETTINGS = [
    Case("date_and_hour", csv(PARTS), settings=T + COLUMNS + "measured_at = ['day', 'hour']"),
    Case("date_and_hour_found", csv(named(PARTS, day="Ngày", hour="Giờ"))),
    Case("halves_of_the_day", csv(HALVES)),
    Case("halves_before", csv(mapped(time=clock("{half} %I:%M:%S %d/%m/%Y")))),
    Case(
        "degrees_minutes",
        csv(mapped(latitude=lambda c: degrees(c) + "N", longitude=lambda c: degrees(c) + "E")),
    ),
    Case("microdegrees", csv(mapped(latitude=times(1e6, 0), longitude=times(1e6, 0)))),
    Case(
        "joined_place",
        csv(JOINED),
        settings=T + COLUMNS + "latitude = 'place'\nlongitude = 'place'",
    ),
    Case("joined_place_found", csv(JOINED)),
    Case("utm", csv(projected(32648)), settings=T + "crs = 'EPSG:32648'"),
    Case("utm_unsaid", csv(projected(32648)), ("position_crs",)),
    Case("vn2000", csv(projected(9210)), settings=T + "crs = 'EPSG:9210'"),
    Case(
        "decimal_by_column_given",
        csv(
            named(
                mapped(download=lambda c: f"{float(c) * 1000:,.0f}".replace(",", ".")),
                download="Download",
            ),
            mark=";",
        ),
        settings=T
        + COLUMNS
        + "download_mbps = { column = 'Download', unit = 'kbit/s', decimal = ',' }",
    ),
    Case("no_headings", raw(text(TEXTS).split("\n", 1)[1]), ("proposed_column",)),
    Case(
        "no_headings_named",
        raw(text(TEXTS).split("\n", 1)[1]),
        settings=T
        + "heading_row = 0\n"
        + COLUMNS
        + "".join(
            f"{ours} = 'column_{n}'\n"
            for n, ours in enumerate(
                (
                    "test_id",
                    "measured_at",
                    "latitude",
                    "longitude",
                    "location_accuracy_m",
                    "operator",
                    "technology",
                    "download_mbps",
                    "upload_mbps",
                    "latency_ms",
                    "device_id",
                ),
                1,
            )
        ),
    ),
    Case(
        "a_constant_technology",
        csv(TEXTS.drop("technology")),
        settings=T + COLUMNS + "technology = { value = '4G' }",
    ),
    Case("no_technology", csv(TEXTS.drop("technology")), ("unmapped_column",)),
    Case(
        "zone_named",
        csv(mapped(time=lambda c: str(dt.datetime.fromisoformat(c) - dt.timedelta(hours=7)))),
        settings=T + "timezone = 'UTC'",
    ),
]


def packed(name: str, **members: bytes) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member, content in members.items():
                archive.writestr(member.replace("__", "."), content)

    return write


def parquet(frame: Frame, name: str = "data.parquet") -> Callable[[Path], object]:
    return lambda folder: frame.write_parquet(folder / name)


def shapes(name: str, crs: int = 4326, **how: str) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        frame = VALUES.with_columns(pl.col("time").dt.strftime("%Y-%m-%d %H:%M:%S")).to_pandas()
        where = gpd.points_from_xy(frame["longitude"], frame["latitude"], crs=4326)
        found = gpd.GeoDataFrame(frame.drop(columns=["latitude", "longitude"]), geometry=where)
        found.to_crs(crs).to_file(folder / name, **how)

    return write


def geoparquet(crs: int = 4326) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        where = gpd.points_from_xy(VALUES["longitude"], VALUES["latitude"], crs=4326)
        plain = VALUES.drop("latitude", "longitude").to_pandas()
        gpd.GeoDataFrame(plain, geometry=where).to_crs(crs).to_parquet(folder / "data.parquet")

    return write


def two_headings(speeds: str = "Tốc độ (Mbps)") -> list[list[object]]:
    first = ["", "", "Vị trí", "", "", "", "", speeds, "", "", ""]
    second = [
        "Mã phép đo",
        "Thời gian",
        "Vĩ độ",
        "Kinh độ",
        "Độ chính xác",
        "Nhà mạng",
        "Công nghệ",
        "Tải xuống",
        "Tải lên",
        "Độ trễ (ms)",
        "Mã thiết bị",
    ]
    return [["BÁO CÁO ĐO KIỂM"], ["Tháng 10/2026"], [], first, second, *cells(headings=False)]


HEADINGS_VI = dict(zip(TEXTS.columns, two_headings()[4], strict=True))
VIETNAMESE = named(mapped(operator=lambda c: c), **HEADINGS_VI)
CONTAINERS = [
    Case("xlsx_with_titles", book(("Dữ liệu", [["BÁO CÁO"], [], *cells()]))),
    Case(
        "xlsx_headings_on_two_levels",
        book(("Dữ liệu", two_headings()), change=lambda s: s.merge_cells("H4:I4")),
    ),
    Case(
        "xlsx_latency_on_two_levels",
        book(("Dữ liệu", two_headings("Độ trễ (ms)")), change=lambda s: s.merge_cells("H4:I4")),
        ("proposed_column",),
    ),
    Case("xlsx_times_as_texts", book(("a", cells(TEXTS)))),
    Case(
        "xlsx_footer",
        book(("a", [*cells(), ["Tổng số", None, None, None, None, None, None, 40.0]])),
    ),
    Case("gzip", lambda f: (f / "data.csv.gz").write_bytes(gzip.compress(text(TEXTS).encode()))),
    Case(
        "zip_of_two",
        packed(
            "data.zip",
            a__csv=text(of("Viettel", TEXTS)).encode(),
            b__csv=text(of("VinaPhone", TEXTS)).encode(),
        ),
    ),
    Case(
        "zip_with_a_note",
        packed("data.zip", a__csv=text(TEXTS).encode(), readme__txt=b"Notes on the data.\n"),
        said=("passed_over",),
    ),
    Case(
        "zip_with_a_licence",
        packed("data.zip", a__csv=text(TEXTS).encode(), LICENSE__txt=b"CC BY 4.0\nAll\n"),
        said=("passed_over",),
    ),
    Case(
        "zip_with_another_text",
        packed("data.zip", a__csv=text(TEXTS).encode(), results__txt=b"Notes on the data.\n"),
        ("unmapped_column",),
    ),
    Case("parquet", parquet(VALUES)),
    Case(
        "parquet_decimals",
        parquet(
            VALUES.with_columns(
                pl.col("download").cast(pl.Decimal(12, 3)),
                pl.col("latitude").cast(pl.Decimal(12, 6)),
            )
        ),
    ),
    Case(
        "parquet_dictionaries",
        parquet(
            VALUES.with_columns(pl.col("operator", "technology", "device_id").cast(pl.Categorical))
        ),
    ),
    Case(
        "parquet_nanoseconds_in_utc",
        parquet(
            VALUES.with_columns(
                pl.col("time")
                .dt.replace_time_zone("Asia/Ho_Chi_Minh")
                .dt.convert_time_zone("UTC")
                .cast(pl.Datetime("ns", "UTC"))
            )
        ),
    ),
    Case("parquet_of_texts", parquet(TEXTS)),
    Case("geoparquet", geoparquet()),
    Case("geoparquet_in_metres", geoparquet(32648)),
    Case(
        "parquet_with_points_as_bytes",
        parquet(
            VALUES.with_columns(
                geometry=pl.Series(
                    shapely.to_wkb(shapely.points(VALUES["longitude"], VALUES["latitude"]))
                )
            ).drop("latitude", "longitude")
        ),
    ),
    Case(
        "parquet_with_lists_beside",
        parquet(
            VALUES.with_columns(
                xy=pl.concat_list("download", "upload"),
                about=pl.struct("technology", "operator"),
                raw=pl.lit(b"\xff\x00"),
            )
        ),
        said=("nested_columns",),
    ),
    Case(
        "parquet_of_places_in_a_struct",
        parquet(
            VALUES.with_columns(location=pl.struct("latitude", "longitude")).drop(
                "latitude", "longitude"
            )
        ),
        ("unmapped_column",),
    ),
    Case("geojson", shapes("data.geojson", driver="GeoJSON")),
    Case("geopackage_in_metres", shapes("data.gpkg", 32648, driver="GPKG")),
    Case("tcvn3", raw(written(text(VIETNAMESE), "tcvn3"))),
    Case("utf_16", csv(VIETNAMESE, encoding="utf-16")),
    Case("windows_1258", raw(written(text(VIETNAMESE), "cp1258"))),
    Case("vni", raw(written(text(VIETNAMESE), "vni"))),
    Case("line_breaks_in_quotes", csv(beside(note=["một\nhai", "ba, bốn", 'năm "sáu"']))),
    Case("sep_line", raw("sep=;\n" + text(TEXTS, ";"))),
    Case("title_lines", raw("Báo cáo đo kiểm\nTháng 10/2026\n\n" + text(TEXTS))),
    Case(
        "signature_with_a_date",
        raw(text(TEXTS) + "\nGhi chú:\n- Người lập: A, ngày 01/11/2026\n"),
        said=("footer_rows",),
    ),
    Case("nul_in_cells", raw(text(TEXTS).replace("Viettel", "Viet\0tel", 5))),
    Case("nul_behind", raw(text(TEXTS).encode() + b"\0" * 512)),
    Case("utf_16_without_mark", csv(VIETNAMESE, encoding="utf-16-le")),
    Case(
        "lines_in_quotes",
        raw("\n".join(f'"{line}"' for line in text(TEXTS).split("\n"))),
        ("single_column",),
    ),
    Case(
        "blanks_between", csv(mapped(time=clock("%Y-%m-%dT%H:%M:%S")), mark=" "), ("single_column",)
    ),
    Case(
        "blanks_between_settled",
        csv(mapped(time=clock("%Y-%m-%dT%H:%M:%S")), mark=" "),
        settings=T + "delimiter = ' '",
    ),
    Case("carets", csv(TEXTS, mark="^")),
    Case("tildes", csv(TEXTS, mark="~")),
    Case(
        "numbers_kept_as_texts",
        csv(
            mapped(
                download=lambda c: f"'{c}", latitude=lambda c: f"'{c}", longitude=lambda c: f"'{c}"
            )
        ),
    ),
    Case("total_line", raw(text(TEXTS) + "Tổng cộng: 144 phép đo\n")),
    Case("tabs", csv(TEXTS, "data.tsv", "\t")),
    Case("pipes", csv(TEXTS, "data.txt", "|")),
]


def copies(count: int, **changes: Callable[[str], str]) -> Frame:
    """Tests and devices `count` times."""
    return pl.concat(
        [mapped(**{**changes, "test_id": suffix(n), "device_id": suffix(n)}) for n in range(count)]
    )


def suffix(n: int) -> Callable[[str], str]:
    return lambda cell: f"{cell}-{n}"


VIETTEL, VINAPHONE = of("Viettel", TEXTS), of("VinaPhone", TEXTS)
COMMA = {name: lambda c: c.replace(".", ",") for name in ("latitude", "longitude", "download")}
SWAPPED = TEXTS.with_columns(latitude=pl.col("longitude"), longitude=pl.col("latitude"))
DAY_FIRST, MONTH_FIRST = clock("%d/%m/%Y %H:%M:%S"), clock("%m/%d/%Y %H:%M:%S")
# the same tests as another program exports them: own ids, whole minutes, one decimal
EXPORT = mapped(
    test_id=lambda cell: f"E{cell}",
    device_id=lambda cell: f"other-{cell}",
    time=lambda cell: cell[:-2] + "00",
    download=times(1, 1),
)
AB = "[sources.a]\npath = 'a.csv'\n[sources.b]\npath = 'b.csv'\n"
HALF_SHARED = mapped(device_id=every(2, always("9a8b7c6d5e4f")))
SEVERAL = [
    Case(
        "of_two_units_by_heading",
        files(
            data_1=(VIETTEL, ","),
            data_2=(
                named(mapped(VINAPHONE, download=times(1000)), download="Download (kbps)"),
                ",",
            ),
        ),
    ),
    Case(
        "of_two_units_unsaid",
        files(data_1=(VIETTEL, ","), data_2=(mapped(VINAPHONE, download=times(1000)), ",")),
        ("magnitude_contradicts",),
    ),
    Case(
        "columns_in_another_order",
        files(data_1=(VIETTEL, ","), data_2=(VINAPHONE.select(VINAPHONE.columns[::-1]), ",")),
    ),
    Case(
        "in_two_languages",
        files(
            data_1=(VIETTEL, ","),
            data_2=(named(mapped(VINAPHONE, download=COMMA["download"]), **HEADINGS_VI), ";"),
        ),
    ),
    Case(
        "decimal_comma_in_one",
        files(data_1=(VIETTEL, ","), data_2=(mapped(VINAPHONE, **COMMA), ";")),
    ),
    Case(
        "month_first_in_one",
        files(
            data_1=(mapped(VIETTEL, time=DAY_FIRST), ","),
            data_2=(mapped(VINAPHONE, time=MONTH_FIRST), ","),
        ),
        ("time_order_mixed",),
    ),
    Case(
        "month_first_in_one_of_other_headings",
        files(
            data_1=(mapped(VIETTEL, time=DAY_FIRST), ","),
            data_2=(named(mapped(VINAPHONE, time=MONTH_FIRST), time="timestamp"), ","),
        ),
    ),
    Case(
        "one_of_eight_in_kbit",
        files(
            data_1=(copies(7), ","), data_2=(mapped(test_id=suffix(9), download=times(1000)), ",")
        ),
        ("lost_file",),
    ),
    Case(
        "one_of_eight_swapped",
        files(
            data_1=(copies(7), ","),
            data_2=(SWAPPED.with_columns(test_id=pl.col("test_id") + "s"), ","),
        ),
        ("lost_file",),
    ),
    Case(
        "one_of_eight_accepted",
        files(
            data_1=(copies(7), ","), data_2=(mapped(test_id=suffix(9), download=times(1000)), ",")
        ),
        settings=T + "accept = ['lost_file']",
        valid=1008,
    ),
    Case("overlapping", files(data_1=(TEXTS[:100], ","), data_2=(TEXTS[50:], ","))),
    Case("the_same_twice", files(data_1=(TEXTS, ","), data_2=(TEXTS, ",")), said=("same_content",)),
    Case("the_same_in_two_sources", files(a=(TEXTS, ","), b=(TEXTS, ",")), ("read_twice",), AB),
    Case("two_exports", files(a=(TEXTS, ","), b=(EXPORT, ";")), ("same_tests",), AB),
    Case(
        "half_in_another_export", files(a=(TEXTS, ","), b=(EXPORT[::2], ",")), ("same_tests",), AB
    ),
    Case(
        "a_few_in_another_export",
        files(a=(TEXTS[:80], ","), b=(EXPORT[72:], ",")),
        settings=AB,
        valid=152,
        within=0.5,
    ),
    Case(
        "two_exports_accepted",
        files(a=(TEXTS, ","), b=(EXPORT, ",")),
        settings=AB.replace("[sources.b]", "accept = ['same_tests']\n[sources.b]"),
        valid=288,
        within=0.5,
    ),
    Case(
        "other_tests_at_the_same_minute",
        files(a=(TEXTS, ","), b=(mapped(EXPORT, download=times(1.15)), ",")),
        settings=AB,
        valid=288,
        within=5,
    ),
    Case(
        "two_sources_of_two_units",
        files(a=(VIETTEL, ","), b=(mapped(VINAPHONE, download=times(1000)), ",")),
        ("magnitude_contradicts",),
        AB,
    ),
    Case(
        "operators_spelled_in_two_sources",
        files(
            a=(mapped(TEXTS[::2], operator=str.upper), ","),
            b=(mapped(TEXTS[1::2], operator=str.lower), ","),
        ),
        settings=AB,
        within=0.5,
    ),
]
BY_SECOND = [
    Case("seconds_of_a_drive", csv(SECONDS), ("rows_by_second", "ask_one_id")),
    Case("seconds_without_phones", csv(SECONDS.drop("device_id")), ("rows_by_second",)),
    Case(
        "seconds_standing",
        csv(mapped(SECONDS, latitude=always("22.05"))),
        ("rows_by_second", "ask_one_id"),
    ),
    Case("two_seconds", csv(SECONDS[::2]), ("rows_by_second", "ask_one_id")),
    Case("seconds_confirmed", csv(SECONDS), ("ask_one_id",), T + "format = 'ispeed'"),
]
ALARMS = [
    Case("many_rejects", csv(more(accuracy=always("9999"))), ("many_rejects",)),
    Case(
        "many_rejects_accepted",
        csv(more(accuracy=always("9999"))),
        settings=T + "accept = ['many_rejects']",
    ),
    Case("many_duplicates", csv(pl.concat([TEXTS] * 2)), ("many_duplicates",)),
    Case(
        "many_duplicates_accepted",
        csv(pl.concat([TEXTS] * 2)),
        settings=T + "accept = ['many_duplicates']",
    ),
    Case("shared_devices", csv(HALF_SHARED), ("shared_devices",)),
    Case(
        "shared_devices_accepted",
        csv(HALF_SHARED),
        settings=T + "accept = ['shared_devices']",
        within=1,
    ),
    Case(
        "unit_stated_but_odd",
        csv(speed("Download", 1000)),
        ("many_rejects", "no_valid_test"),
        T + COLUMNS + "download_mbps = { column = 'Download', unit = 'Mbit/s' }",
    ),
    Case(
        "unit_stated_but_slow",
        csv(mapped(download=times(0.01, 5))),
        ("odd_speeds",),
        T + COLUMNS + "download_mbps = { column = 'download', unit = 'Mbit/s' }",
    ),
]

ALL = {
    "several": SEVERAL,
    "together": TOGETHER,
    "by_second": BY_SECOND,
    "alarms": ALARMS,
    "units": UNITS,
    "rows": KINDS_OF_ROWS,
    "by_column": BY_COLUMN,
    "silent": SILENT,
    "guesses": GUESSES,
    "empty": EMPTY,
    "identity": IDENTITY,
    "failed": FAILED,
    "breaks": BREAKS,
    "settings": SETTINGS,
    "containers": CONTAINERS,
}


# faults that quote headings, or the words of a reader of files, whatever their language
QUOTING = ("unmapped_column", "single_column", "unreadable_file")


@pytest.mark.parametrize(
    "case",
    [pytest.param(one, id=f"{kind}-{one.name}") for kind, listed in ALL.items() for one in listed],
)
def test_a_case_is_read_rightly_or_asked(tmp_path, case):
    faults, means, counts, warnings = outcome(tmp_path, case)
    assert {one.code for one in faults} == set(case.asked)
    for one in [*faults, *warnings]:
        assert one.code in QUOTING or not english_in(error_message(one, "vi")), one
    if not case.asked:
        assert means == pytest.approx(RIGHT, abs=case.within)
        assert counts == {"valid": case.valid, "failed": case.failed}
        assert set(case.said) <= {one.code for one in warnings}
