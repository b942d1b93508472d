"""A column's unit is stated somewhere or asked about; its magnitude contradicts, never chooses."""

from __future__ import annotations

import tomllib

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema.texts import error_message, languages
from pipeline.sources.cells import units
from pipeline.sources.cells.units import contradiction, decide_unit, names_of, unit_of

DOWNLOAD = "download_mbps"
PLAIN = pl.Series(["20.5", "7"])


def asked(decision):
    assert decision.form is None
    for lang in languages():
        error_message(decision.question, lang)
    return decision.question.code


@pytest.mark.parametrize(
    ("ours", "heading", "unit"),
    [
        (DOWNLOAD, "Download (Mb/s)", "Mbit/s"),
        (DOWNLOAD, "Download (MB/s)", "MB/s"),
        (DOWNLOAD, "Download (MBps)", "MB/s"),
        (DOWNLOAD, "Download (Mbps)", "Mbit/s"),
        (DOWNLOAD, "DOWNLOAD (MBPS)", "Mbit/s"),
        (DOWNLOAD, "Download (mbps)", "Mbit/s"),
        (DOWNLOAD, "Download kbps", "kbit/s"),
        (DOWNLOAD, "DL_bitrate_kbps", "kbit/s"),
        (DOWNLOAD, "Download speed (kbits/s)", "kbit/s"),
        (DOWNLOAD, "[Mb/s] Download", "Mbit/s"),
        (DOWNLOAD, "kbps download", "kbit/s"),
        (DOWNLOAD, "tốc độ tải xuống, Mb/giây", "Mbit/s"),
        (DOWNLOAD, "Tốc độ tải xuống Mbit/giây", "Mbit/s"),
        (DOWNLOAD, "download_kbit", "kbit/s"),
        (DOWNLOAD, "Download (Bytes/s)", "B/s"),
        (DOWNLOAD, "Download (bits/s)", "bit/s"),
        (DOWNLOAD, "Download KiB/s", "KiB/s"),
        (DOWNLOAD, "Download (Mibit/s)", "Mibit/s"),
        (DOWNLOAD, "Download bit rate (Mbps)", "Mbit/s"),
        (DOWNLOAD, "downloadKbps", "kbit/s"),
        (DOWNLOAD, "downloadMBps", "MB/s"),
        (DOWNLOAD, "download_mbit_s", "Mbit/s"),
        (DOWNLOAD, "Download..Mbps.", "Mbit/s"),
        (DOWNLOAD, "Download-Mbps", "Mbit/s"),
        (DOWNLOAD, "Download speed (Mbit / s)", "Mbit/s"),
        (DOWNLOAD, "Download [kbit per second]", "kbit/s"),
        (DOWNLOAD, "Tốc độ tải xuống\n(Mbps)", "Mbit/s"),
        (DOWNLOAD, "Tải xuống (trung bình, Mbps)", "Mbit/s"),
        (DOWNLOAD, "Throughput DL kbyte/s", "kB/s"),
        (DOWNLOAD, "Tốc độ (megabit/giây)", "Mbit/s"),
        (DOWNLOAD, "bps_received", "bit/s"),
        (DOWNLOAD, "Mbit/giây", "Mbit/s"),
        ("latency_ms", "ping_ms", "ms"),
        ("latency_ms", "Độ trễ (mili giây)", "ms"),
        ("latency_ms", "Độ trễ, giây", "s"),
        ("latency_ms", "Latency (s)", "s"),
        ("latency_ms", "latency_s", "s"),
        ("jitter_ms", "Jitter (µs)", "us"),
        ("location_accuracy_m", "accuracy_m", "m"),
        ("location_accuracy_m", "Độ chính xác (m)", "m"),
        ("location_accuracy_m", "Sai số (km)", "km"),
        ("location_accuracy_m", "accuracy feet", "ft"),
        ("signal_dbm", "RSRP (dBm)", "dBm"),
        ("signal_dbm", "signal_asu", "ASU"),
        ("count", "Dân số (người)", "1"),
        ("count", "Dân số (nghìn người)", "1000"),
        ("count", "Dân số 2024 (1.000 người)", "1000"),
        ("count", "Population (millions)", "1000000"),
        ("latitude", "Vĩ độ (độ)", "deg"),
    ],
)  # fmt: skip
def test_a_heading_states_the_unit(ours, heading, unit):
    decision = decide_unit(ours, heading, PLAIN)
    assert (decision.form, decision.basis) == (unit_of(ours, unit), "heading")
    assert decision.form.name == unit


@pytest.mark.parametrize(
    ("ours", "heading", "code"),
    [
        (DOWNLOAD, "Download (MB/S)", "unit_bits_or_bytes"),
        (DOWNLOAD, "Download KB/S", "unit_bits_or_bytes"),
        (DOWNLOAD, "Speed (km/h)", "unit_of_another_kind"),
        (DOWNLOAD, "Speed km/h", "unit_of_another_kind"),
        (DOWNLOAD, "speed_kmh", "unit_of_another_kind"),
        (DOWNLOAD, "Speed in m/s", "unit_of_another_kind"),
        (DOWNLOAD, "Download (MB)", "unit_of_another_kind"),
        (DOWNLOAD, "download_bytes", "unit_of_another_kind"),
        (DOWNLOAD, "Download (ms)", "unit_of_another_kind"),
        (DOWNLOAD, "Download (furlong)", "unit_not_known"),
        (DOWNLOAD, "Download (Mbyt/s)", "unit_not_known"),
        (DOWNLOAD, "download_mbs", "unit_not_known"),
        (DOWNLOAD, "Download Mbit/h", "unit_not_known"),
        (DOWNLOAD, "Download (Tbps)", "unit_not_known"),
        (DOWNLOAD, "download (kb/s) Mbps", "units_contradict"),
        ("latency_ms", "Latency kbps", "unit_of_another_kind"),
        ("latency_ms", "Latency (ticks)", "unit_not_known"),
        ("signal_dbm", "RSRQ (dB)", "unit_of_another_kind"),
        ("signal_dbm", "Signal (%)", "unit_of_another_kind"),
        ("count", "Mật độ (người/km2)", "unit_of_another_kind"),
    ],
)
def test_a_word_that_stands_like_a_unit_and_is_none_is_asked_about(ours, heading, code):
    assert asked(decide_unit(ours, heading, PLAIN)) == code


@pytest.mark.parametrize(
    ("ours", "heading"),
    [
        (DOWNLOAD, "Download"),
        (DOWNLOAD, "Speed"),
        (DOWNLOAD, "Download (avg)"),
        (DOWNLOAD, "Download (4G)"),
        (DOWNLOAD, "Download bit rate"),
        (DOWNLOAD, "Tải xuống (trung bình)"),
        ("latency_ms", "Ping (8.8.8.8)"),
        ("latency_ms", "Ping (avg)"),
        ("signal_dbm", "lte_rsrp"),
        ("signal_dbm", "Signal (RSRP)"),
        ("location_accuracy_m", "Accuracy (GPS)"),
        ("latitude", "Latitude (WGS84)"),
        ("count", "Population (2019)"),
        ("count", "pop_1000"),
        ("device_id", "device (id)"),
    ],
)
def test_other_words_state_no_unit(ours, heading):
    decision = decide_unit(ours, heading, PLAIN)
    assert decision.basis == "default"
    assert decision.form.factor == 1
    assert decision.question is None


def test_the_settings_decide_alone():
    decision = decide_unit(DOWNLOAD, "Speed (km/h)", PLAIN, given="kbps", below="Mbps")
    assert (decision.form.name, decision.basis) == ("kbit/s", "settings")
    for given_unit, code in (
        ("furlong", "unit_not_known"),
        ("MB/S", "unit_bits_or_bytes"),
        ("km/h", "unit_of_another_kind"),
    ):
        assert asked(decide_unit(DOWNLOAD, "Download (Mbps)", PLAIN, given=given_unit)) == code


def test_a_row_of_units_below_the_headings():
    for below in ("kbps", " (kbit/s) ", "[kb/s]"):
        decision = decide_unit(DOWNLOAD, "download", PLAIN, below=below)
        assert (decision.form.name, decision.basis) == ("kbit/s", "unit_row")
    for below in (None, "", "-", "n/a"):
        assert decide_unit(DOWNLOAD, "download", PLAIN, below=below).basis == "default"
    assert asked(decide_unit(DOWNLOAD, "download", PLAIN, below="xyz")) == "unit_not_known"
    assert decide_unit(DOWNLOAD, "download (kbps)", PLAIN, below="kbit/s").basis == "heading"
    contradicting = decide_unit(DOWNLOAD, "download (Mbps)", PLAIN, below="kbps")
    assert asked(contradicting) == "units_contradict"
    assert contradicting.question.values["lines"] == tuple(
        f'download_mbps = {{ column = "download (Mbps)", unit = "{unit}" }}'
        for unit in ("kbit/s", "Mbit/s")
    )


def test_units_behind_the_numbers():
    def of(cells, heading="Download", ours=DOWNLOAD):
        return decide_unit(ours, heading, pl.Series(heading, cells))

    one = of(["20,5 Mbps", "7 Mb/s", "-"])
    assert (one.form.name, one.basis, one.evidence) == ("Mbit/s", "cells", "2 × Mbit/s")
    mixed = of(["20,5 Mbps", "20500 kbps", "850kbps"])
    assert (mixed.form.name, mixed.evidence) == ("kbit/s", "2 × kbit/s, 1 × Mbit/s")
    assert of(["20500", "20.5 Mbps", "850 kbps"], "Download kbps").basis == "heading"
    assert of(["30 ms", "0,2 s"], "Ping", "latency_ms").form.name == "ms"
    assert asked(of(["20,5 Mbps", "7"])) == "unit_in_some_cells"
    assert asked(of(["20,5 Mbps", "7 Mbps"], "Download (kbps)")) == "units_contradict"
    assert asked(of(["20 MB/S", "7 MB/S"])) == "unit_bits_or_bytes"
    assert asked(of(["57 km/h"])) == "unit_of_another_kind"
    assert asked(of(["20 furlong"])) == "unit_not_known"
    assert of(["20.5"] * 200 + ["7 furlong"]).basis == "default"  # counted as unreadable


@pytest.mark.parametrize(
    ("heading", "ours", "unit"),
    [
        ("TESTDOWNLINK", DOWNLOAD, "kbit/s"),
        ("DL_bitrate", DOWNLOAD, "kbit/s"),
        ("UL_bitrate", "upload_mbps", "kbit/s"),
        ("PINGAVG", "latency_ms", "ms"),
    ],
)
def test_a_heading_whose_program_documents_its_unit(heading, ours, unit):
    decision = decide_unit(ours, heading, PLAIN)
    assert (decision.form.name, decision.basis) == (unit, "format")
    assert decide_unit(ours, "x", PLAIN, alias=unit).form.name == unit


@pytest.mark.parametrize(
    ("ours", "unit", "value", "fitting"),
    [
        (DOWNLOAD, "Mbit/s", 21e6, ["bit/s", "B/s"]),
        (DOWNLOAD, "Mbit/s", 21004, ["kbit/s", "kB/s"]),
        (DOWNLOAD, "kbit/s", 21, ["Mbit/s", "MB/s"]),
        (DOWNLOAD, "kbit/s", 21e6, ["bit/s", "B/s"]),
        ("upload_mbps", "Mbit/s", 4000, ["kbit/s", "kB/s"]),
        ("latency_ms", "ms", 0.03, ["s"]),
        ("latency_ms", "ms", 30000, ["us"]),
        ("signal_dbm", "dBm", 95, ["-dBm", "ASU"]),
        ("signal_dbm", "dBm", 20, ["ASU"]),
        ("location_accuracy_m", "m", 0.01, ["km"]),
    ],
)
def test_a_median_that_contradicts_the_unit_is_asked_about(ours, unit, value, fitting):
    values = pl.Series('Cột "x"', [value, value * 1.1, value * 0.9, 0.0, None] * 20, strict=False)
    fault = contradiction(ours, unit_of(ours, unit), values)
    for lang in languages():
        assert fault.values["lines"][0] in error_message(fault, lang)
    pasted = [tomllib.loads(line)[ours] for line in fault.values["lines"]]
    assert [line["unit"] for line in pasted] == [*fitting, unit]
    assert {line["column"] for line in pasted} == {'Cột "x"'}
    for name in fitting:
        assert contradiction(ours, unit_of(ours, name), values) is None


@pytest.mark.parametrize(
    ("ours", "unit", "values"),
    [
        (DOWNLOAD, "Mbit/s", [0.5, 300.0]),
        (DOWNLOAD, "kbit/s", [20105.0]),
        (DOWNLOAD, "Mbit/s", [400.0] * 3),  # few values may be of one good place
        (DOWNLOAD, "Mbit/s", [20.0] * 3 + [-1.0] * 30 + [0.0] * 30),
        (DOWNLOAD, "Mbit/s", []),
        ("signal_dbm", "dBm", [-95.0] * 20 + [0.0] * 30),
        ("latitude", "deg", [2_400_000.0]),
        ("count", "1", [5.0]),
    ],
)
def test_a_usual_median_contradicts_nothing(ours, unit, values):
    column = pl.Series("x", values, dtype=pl.Float64)
    assert contradiction(ours, unit_of(ours, unit), column) is None


def test_figures_in_our_unit():
    for ours, unit, figure, value in (
        (DOWNLOAD, "kB/s", 1000.0, 8.0),
        (DOWNLOAD, "MiB/s", 1.0, 8.388608),
        ("latency_ms", "s", 0.03, 30.0),
        ("signal_dbm", "ASU", 45.0, -95.0),
        ("signal_dbm", "-dBm", 95.0, -95.0),
    ):
        found = unit_of(ours, unit).in_ours(pl.Series([figure, None]))
        assert found.to_list() == [pytest.approx(value), None]


def test_every_name_is_read_as_written_in_settings_headings_and_cells():
    for ours in units.KINDS:
        for name in names_of(ours):
            assert unit_of(ours, name).name == name
            assert decide_unit(ours, "x", PLAIN, given=name).form.name == name
    for name in names_of(DOWNLOAD):
        assert decide_unit(DOWNLOAD, f"Download ({name})", PLAIN).form.name == name
        assert decide_unit(DOWNLOAD, "x", pl.Series([f"20,5 {name}"])).form.name == name


@settings(deadline=None)
@given(st.text(max_size=24), st.sampled_from([*units.KINDS, "operator"]))
def test_no_heading_stops_the_decision(heading, ours):
    decision = decide_unit(ours, heading, PLAIN, below=heading[:6])
    assert (decision.form is None) == (decision.question is not None)


@settings(deadline=None)
@given(
    st.sampled_from(names_of(DOWNLOAD)),
    st.sampled_from(["{} ({})", "{} [{}]", "{}_{}", "{}, {}", "{} {}", "{}-{}", "{} ({}, 4G)"]),
    st.sampled_from(["Download", "Tốc độ tải xuống", "DL", "avg_d"]),
)
def test_a_unit_is_found_wherever_it_stands_in_the_heading(name, form, word):
    assert decide_unit(DOWNLOAD, form.format(word, name), PLAIN).form.name == name
