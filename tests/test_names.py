"""Names of operators and technologies: spellings, network codes, brands, words of no service."""

from __future__ import annotations

import csv
import pickle
import tomllib
import unicodedata
from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.schema.errors import UserFault
from pipeline.schema.texts import error_message
from pipeline.sources.cells import names, technologies
from pipeline.sources.cells.operators import SHIPPED, Brand, network_code, operator_table
from pipeline.sources.cells.spellings import name_key, tidy

TABLE = operator_table()
VIET = "Viễn thông Quân đội"


def operators(counts, given=None):
    return names.decide_operators(counts, given or {}, TABLE)


def ours(counts, given=None):
    return dict(operators(counts, given).form.names)


# --- operators


@pytest.mark.parametrize(
    "spellings",
    [
        ["Digi", "DIGI", " digi ", "digi"],
        [unicodedata.normalize(form, "Mạng Của Tôi") for form in ("NFC", "NFD", "NFKC", "NFKD")],
        ["Digi\u200b", "\ufeffDigi", "Di\u00adgi", "Digi\u00a0", "Digi\ufe0f"],
        ["Three Sea", "Three  Sea", "Three\u2009Sea", "ThreeSea", "Three\tSea"],
        ["\uff24\uff49\uff47\uff49", "Digi"],
        ["Tele\u2011One", "Tele-One", "Tele–One"],
        ["283-05", "28305", "283.05", "283 05", "283/05", "28305.0", "283005"],
    ],
    ids=["case", "unicode form", "invisible", "spaces", "full width", "dashes", "network codes"],
)
def test_spellings_that_differ_in_nothing_people_see_are_one_operator(spellings):
    found = ours(dict.fromkeys(spellings[1:], 2) | {spellings[0]: 5})
    assert set(found.values()) == {tidy(spellings[0])}


def test_the_most_frequent_spelling_is_shown_and_the_first_by_code_point_on_a_tie():
    assert set(ours({"digi": 3, "Digi": 3, "DIGI": 2}).values()) == {"Digi"}
    assert set(ours({"digi": 3, "digi ": 1, "Digi": 3}).values()) == {"digi"}  # shown alike: 4
    assert ours({"Alpha": 1, "Beta": 1}) == {"Alpha": "Alpha", "Beta": "Beta"}


@pytest.mark.parametrize(
    ("met", "operator"),
    [
        *[(code, "Viettel") for code in ("452-04", "45204", "452.04", "452 04", "452/04")],
        *[(code, "Viettel") for code in ("45204.0", "452004", "452-4", "(452, 4)", "45,204")],
        *[(code, "Viettel") for code in ("MCC=452 MNC=04", "mcc:452,mnc:4", "452_04", "452|04")],
        ("VN VINAPHONE", "VinaPhone"), ("vnpt", "VinaPhone"), ("VNPT-VinaPhone", "VinaPhone"),
        ("VN Mobiphone", "MobiFone"), ("Mobi Fone", "MobiFone"), ("VIETTEL MOBILE", "Viettel"),
        ("Viettel Telecom", "Viettel"), (VIET, "Viettel"), ("Viettel 4G", "Viettel"),
        (unicodedata.normalize("NFD", VIET), "Viettel"), ("Vina-Phone.", "VinaPhone"),
        ("G-Mobile", "Gmobile"), ("VNMOBILE", "Vietnamobile"), ("Viettel/VIETTEL", "Viettel"),
        ("Viettel (452-04)", "Viettel"), ("MobiFone 45201", "MobiFone"),
        ("My Viettel", "My Viettel"),
    ],
)  # fmt: skip
def test_vietnams_operators_without_settings(met, operator):
    assert ours({met: 3}) == {met: operator}


@pytest.mark.parametrize(
    ("met", "host", "brand"),
    [
        ("iTel", "VinaPhone", "iTel"),
        ("I-TELECOM", "VinaPhone", "iTel"),
        ("Reddi", "VinaPhone", "Wintel"),
        ("FPT Retail", "MobiFone", "FPT"),
    ],
)
def test_a_virtual_operator_counts_for_its_host_and_its_brand_is_kept(met, host, brand):
    for given_names, ours_host in (
        ({}, host),
        (
            {"Vina": ("VNPT",), "Mobi": ("mobifone",)},
            {"VinaPhone": "Vina", "MobiFone": "Mobi"}[host],
        ),
    ):
        form = operators({met: 3}, given_names).form
        assert (form.names[met], form.brands[met]) == (ours_host, brand)
    column = pl.Series(["VIETTEL", met])
    assert names.read_brands(column, operators({}).form).to_list() == [None, brand]


def test_a_host_that_is_not_certain_is_a_question_never_a_guess():
    decided = operators({"Viettel": 20, "VNSKY": 30, "Local": 4})
    assert decided.form.names["VNSKY"] is None
    assert decided.question.code == "ask_operators"
    assert decided.question.values["found"] == "VNSKY (30), Local (4)"
    pasted = tomllib.loads("\n".join(decided.question.values["lines"]))["operators"]
    assert pasted == {"MobiFone": ["VNSKY", "Local"], "Viettel": []}
    again = operators({"Viettel": 20, "VNSKY": 30, "Local": 4}, pasted)
    assert again.question is None
    assert again.form.names == {"Viettel": "Viettel", "VNSKY": "MobiFone", "Local": "MobiFone"}
    assert again.form.brands == {"VNSKY": "VNSKY", "Local": "Local"}


def test_the_settings_decide_which_operators_count():
    given_names = {"Viettel": ("452-04",), "Vina": ("gphone",)}
    decided = operators(
        {"VIETTEL MOBILE": 50, "45204": 9, "vnpt": 50, "Digi": 2, "DIGI": 1}, given_names
    )
    assert decided.form.names == {
        "VIETTEL MOBILE": "Viettel", "45204": "Viettel", "vnpt": "Vina", "Digi": None, "DIGI": None,
    }  # fmt: skip
    assert decided.question is None  # 3 of 112 rows: a warning is enough
    warned = names.unknown_names(decided.form, {"Digi": 2, "DIGI": 1})
    assert warned.code == "operators_not_understood"
    assert warned.values["found"] == "Digi (2), DIGI (1)"
    pasted = tomllib.loads("\n".join(warned.values["lines"]))["operators"]
    assert pasted == {"Viettel": ["452-04"], "Vina": ["gphone"], "Digi": ["Digi"]}
    for lang in ("vi", "en"):
        assert "Digi (2)" in error_message(warned, lang)


def test_the_settings_overrule_the_table():
    assert ours({"iTel": 3, "VNPT": 3}, {"iTel": (), "VinaPhone": ("vnpt",)}) == {
        "iTel": "iTel",
        "VNPT": "VinaPhone",
    }


def test_a_name_and_a_code_of_two_operators_are_not_understood():
    decided = operators({"VinaPhone (452-04)": 5, "VinaPhone (452-02)": 90})
    assert decided.form.names == {"VinaPhone (452-04)": None, "VinaPhone (452-02)": "VinaPhone"}
    assert decided.form.reasons == {"VinaPhone (452-04)": "contradiction"}


@pytest.mark.parametrize(
    "word",
    [
        "No service", "NO SERVICE", "Emergency calls only", "Không có dịch vụ", "khong co dich vu",
        "No SIM", "Chỉ cuộc gọi khẩn cấp", "Searching...", "No\u00a0service ", "Không có SIM",
    ],
)  # fmt: skip
def test_words_of_no_service_are_their_own_result(word):
    for given_names in ({}, {"Viettel": ()}):
        decided = operators({word: 40, "Viettel": 2}, given_names)
        assert decided.form.no_service == {word}
        assert decided.form.names[word] is None
        assert decided.form.reasons == {}
        assert decided.question is None
        assert "no service 40" in decided.evidence
    column = pl.Series([word, "Viettel", None, f" {word}"])
    found = names.is_without_service(column, decided.form)
    assert found.to_list() == [True, False, False, True]


def test_words_for_nothing_and_the_name_of_the_pooled_rows_are_no_operators():
    decided = operators({"-": 9, "N/A": 3, "": 5, "all": 2, "không xác định": 1})
    assert set(decided.form.names.values()) == {None}
    assert len(decided.form.missing) == 5
    assert (decided.form.reasons, decided.question) == ({}, None)


def test_names_that_the_sample_lacked_are_read_by_the_same_rules():
    form = pickle.loads(pickle.dumps(operators({"Digi": 4, "Viettel": 1}).form))
    column = pl.Series("op", ["DIGI", "45204", "Nova", "NOVA ", None, "No SIM", "iTel"])
    read = names.read_names(column, form)
    assert read.to_list() == ["Digi", "Viettel", "NOVA", "NOVA", None, None, "VinaPhone"]
    assert read.dtype == pl.Enum(["Digi", "NOVA", "Viettel", "VinaPhone"])
    numbers = pl.Series("op", [45204, 45201], dtype=pl.Int64)
    assert names.read_names(numbers, form).to_list() == ["Viettel", "MobiFone"]
    assert names.read_names(numbers.cast(pl.Float64), form).to_list() == ["Viettel", "MobiFone"]


def test_what_is_said_of_a_column_has_counts_and_spellings():
    said = operators({"VIETTEL": 12, "Viettel": 12, "452-02": 3, "-": 2}).evidence
    assert said == "Viettel 24 (VIETTEL 12, Viettel 12), VinaPhone 3 (452-02 3), missing 2"


INVISIBLE = st.sampled_from(["", "\u200b", "\ufeff", "\u00ad", "\u2060", "\u00a0", " ", "  "])


@given(
    st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12),
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
    st.lists(INVISIBLE, min_size=13, max_size=13),
)
def test_law_a_spelling_meets_its_name(name, form, between):
    other = "".join(
        gap + letter
        for gap, letter in zip(between, unicodedata.normalize(form, name), strict=False)
    )
    other += unicodedata.normalize(form, name)[len(between) :]
    assert name_key(other) == name_key(name)
    assert name_key(tidy(other)) == name_key(other)


@given(
    st.integers(200, 799),
    st.integers(0, 99),
    st.sampled_from(["-", ".", "_", "/", "|", ":", " ", ""]),
)
def test_law_a_network_code_in_every_spelling(mcc, mnc, between):
    assert network_code(f"{mcc}{between}{mnc:02}") == (mcc, mnc)
    assert network_code(f"{mcc}{mnc:02}.0") == (mcc, mnc)
    assert network_code(f"{mcc}{between}{mnc:03}") == (mcc, mnc)


# --- the table of operators


def test_every_line_of_the_shipped_table_has_a_source_and_a_code_or_host():
    content = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    for entry in (*content["operators"].values(), *content["brands"].values()):
        assert entry["source"]
        assert ("codes" in entry) + ("host" in entry) + ("likely" in entry) == 1
    assert TABLE.codes[(452, 4)] == "Viettel"
    assert TABLE.brands["vnsky"] == Brand("VNSKY", "", "MobiFone")


def test_a_table_of_ones_own(tmp_path):
    own = tmp_path / "operators.toml"
    own.write_text('[operators.Ucom]\ncodes = ["283-10"]\nnames = ["Юлия"]\n', encoding="utf-8")
    found = names.decide_operators({"28310": 1, "юЛИЯ": 2, "452-04": 1}, {}, operator_table(own))
    assert found.form.names == {"28310": "Ucom", "юЛИЯ": "Ucom", "452-04": "452-04"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[operators.A]\nnames = 3", "bad_operator_table"),
        ("[operators.A]\nname = ['x']", "bad_operator_table"),
        ("[operators.A]\nnames = ['x']\n[operators.B]\nnames = ['X ']", "bad_operator_table"),
        ("[operators.A]\ncodes = ['45']", "bad_operator_table"),
        ("[brands.A]\nhost = 'nobody'", "bad_operator_table"),
        ("operators = 3", "bad_operator_table"),
        ("[operator.A]", "bad_operator_table"),
        ("[operators", "settings_syntax"),
        (None, "missing_file"),
    ],
)
def test_faults_of_a_table(tmp_path, text, code):
    own = tmp_path / "operators.toml"
    if text is not None:
        own.write_text(text, encoding="utf-8")
    with pytest.raises(UserFault) as caught:
        operator_table(own)
    assert [fault.code for fault in caught.value.faults] == [code]
    assert error_message(caught.value.faults[0], "vi")


# --- technologies

FOUR = (
    "LTE", "lte ", "4G", "4G+", "4.5G", "LTE-A", "LTE_CA", "LTE-CA", "LTE-Advanced",
    "LTE Advanced Pro", "TD-LTE", "FDD LTE", "4G (LTE)", "LTE (4G)", "4G/LTE", "NETWORK_TYPE_LTE",
    "NETWORK_TYPE_LTE_CA", "E-UTRAN", "EUTRA", "VoLTE", "CTRadioAccessTechnologyLTE", "LTE+",
    "4G LTE-A", "LTE/CA", "mạng 4G", "LTE cat 6", "LTE B3 1800", "4G only",
)  # fmt: skip
FIVE = (
    "5G", "NR", "NR NSA", "5G NSA", "5G (NSA)", "ENDC", "EN-DC", "LTE/NR", "LTE+NR", "5G SA", "5G+",
    "NETWORK_TYPE_NR", "CTRadioAccessTechnologyNRNSA", "CTRadioAccessTechnologyNR", "5G NSA (LTE)",
)  # fmt: skip
THREE = (
    "3G", "HSPA+", "HSPA", "WCDMA", "UMTS", "DC-HSPA+", "TD-SCDMA", "3.5G", "NETWORK_TYPE_HSPAP",
    "H+", "CTRadioAccessTechnologyWCDMA", "CTRadioAccessTechnologyeHRPD",
    "CTRadioAccessTechnologyCDMAEVDORev0",
)  # fmt: skip
TWO = ("2G", "GSM", "EDGE", "GPRS", "CTRadioAccessTechnologyEdge", "1xRTT", "E")
WIFI = (
    "WLAN",
    "LAN",
    "Wi-Fi",
    "Wi\u2011Fi",
    "WIFI",
    "wifi 6",
    "Wi-Fi 5GHz",
    "IWLAN",
    "Ethernet",
    "FTTH",
)
READ = [
    *[(name, "4G") for name in FOUR], *[(name, "5G") for name in FIVE],
    *[(name, "2G") for name in TWO], *[(name, "3G") for name in THREE],
    *[(name, "wifi") for name in WIFI],
]  # fmt: skip


@pytest.mark.parametrize(("met", "technology"), READ)
def test_technologies(met, technology):
    decided = names.decide_technologies({met: 7}, {})
    assert decided.form.names == {met: technology}
    assert decided.question is None


@pytest.mark.parametrize(
    ("met", "reason"),
    [
        *[(met, "mixed") for met in ("2G/4G", "3G/4G", "2G/3G/4G", "4G→3G", "LTE -> NR", "4G/5G")],
        *[(met, "mobile") for met in ("MOBILE", "Di động", "Cellular", "dữ liệu di động")],
        *[(met, "unknown") for met in ("6G", "LTX", "Starlink", "GLTE")],
    ],
)
def test_what_is_no_single_technology_is_set_aside_with_its_reason(met, reason):
    decided = names.decide_technologies({met: 7, "LTE": 7}, {})
    assert decided.form.names[met] is None
    assert decided.form.reasons == {met: reason}
    assert (decided.question is None) == (reason == "mixed")
    assert names.unknown_names(decided.form, {met: 7}).code == "technologies_not_understood"


@pytest.mark.parametrize(
    ("met", "read"),
    [
        (["13", "20", "19", "3", "15"], ["4G", "5G", "4G", "3G", "3G"]),
        (["13.0", "16.0"], ["4G", "2G"]),
        (["2", "3", "4", "5"], ["2G", "3G", "4G", "5G"]),
        (["4"], ["4G"]),
        (["4", "13"], ["2G", "4G"]),
        (["18", "13", "LTE"], ["wifi", "4G", "4G"]),
        (["0", "13", "99"], [None, "4G", None]),
    ],
)
def test_numbers_are_read_by_the_whole_column(met, read):
    form = names.decide_technologies(dict.fromkeys(met, 9), {}).form
    assert [form.names[name] for name in met] == read


def test_the_settings_name_a_technology_and_the_lines_paste():
    counts = {"MOBILE": 40, "LTE": 30, "2G/4G": 5}
    decided = names.decide_technologies(counts, {})
    assert decided.question.code == "ask_technologies"
    section, line = decided.question.values["lines"]
    assert tomllib.loads(f"{section}\n{line}") == {"technologies": {}}  # nothing chosen by pasting
    pasted = tomllib.loads(line.removeprefix("# "))
    assert pasted == {"4G": ["MOBILE"]}
    again = names.decide_technologies(counts, pasted)
    assert (again.form.names["MOBILE"], again.question, again.basis) == ("4G", None, "settings")
    assert names.decide_technologies({"LTE": 1}, {"5G": ("lte",)}).form.names == {"LTE": "5G"}


def test_technologies_of_a_column_with_names_that_the_sample_lacked():
    form = names.decide_technologies({"13": 4, "LTE": 1}, {}).form
    column = pl.Series(["lte", "13", "EN-DC", "?", "LTX", None])
    assert names.read_names(column, form).to_list() == ["4G", "4G", "5G", None, None, None]


def test_every_name_of_the_case_has_its_count(shared):
    with (shared.parent / "cases/technology_spellings/data.csv").open(encoding="utf-8") as file:
        counts = Counter(row["technology"] for row in csv.DictReader(file))
    decided = names.decide_technologies(counts, {})
    assert decided.evidence.startswith("4G 96 (")
    assert decided.evidence.endswith("not understood 12; numbers are Android numbers")
    assert set(decided.form.reasons) == {"Cellular", "Di động", "MOBILE"}


@given(st.sampled_from(READ), st.sampled_from([str.lower, str.upper, str.title, str.swapcase]))
def test_law_case_and_spaces_do_not_matter(pair, change):
    met, technology = pair
    assert technologies.technology_of(f" {change(met)}\u200b") == technology
