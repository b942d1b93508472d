"""A language is one file: all have the same keys and placeholders, and every text is used."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import get_args

import pytest

from pipeline.config.settings import Settings
from pipeline.measurements.strata import BASES
from pipeline.publish.gap_map import palette
from pipeline.publish.gap_map.page_texts import page_texts
from pipeline.schema import fields, tables, texts
from pipeline.sources.cells.decision import Basis
from pipeline.verdicts.judge import GAP_GATES, PASS_GATES, SIZE_GATES

ROOT = Path(__file__).resolve().parents[1] / "pipeline"


def code_of(folder: Path) -> str:
    return "\n".join(p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*.py")))


CODE, REPORT = code_of(ROOT), code_of(ROOT / "publish/report")
PAGE = "\n".join(
    p.read_text(encoding="utf-8")
    for p in sorted((ROOT / "publish/gap_map").rglob("*"))
    if p.suffix in (".js", ".html")
)
HOLES = re.compile(r"\{(\w+)\}")
OTHERS = [lang for lang in texts.languages() if lang != "vi"]
# texts that say the same in both languages
SAME = {
    ("log", "diff_by"), ("report", "sign_before_march_2025"), ("report", "sign"),
    ("report", "number"),
}  # fmt: skip


@pytest.mark.parametrize("lang", OTHERS)
def test_languages_have_the_same_keys_and_placeholders(lang):
    vietnamese, other = texts.catalogue("vi"), texts.catalogue(lang)
    assert list(vietnamese) == list(other)
    for section, found in vietnamese.items():
        assert list(found) == list(other[section]), section
        for key, text in found.items():
            assert set(HOLES.findall(text)) == set(HOLES.findall(other[section][key])), key
            assert other[section][key], key


def test_languages_differ():
    same = {
        (section, key)
        for section, found in texts.catalogue("vi").items()
        for key, text in found.items()
        if text == texts.catalogue("en")[section][key]
    }
    assert same <= SAME


def named(text: str) -> set[str]:
    """Words in quotes of a source text: keys that it may name."""
    return set(re.findall(r"""["'`](\w+)["'`]""", text))


def test_every_text_is_used_and_every_used_one_is_there():
    catalogue = texts.catalogue("vi")
    faults = set(re.findall(r"""(?:Fault|fault)\(\s*["'](\w+)["']""", CODE))
    assert faults <= set(catalogue["faults"])
    assert set(catalogue["faults"]) <= named(CODE)
    lines = set(re.findall(r"""(?:log|texts\.line)\(\s*["'](\w+)["']""", CODE))
    assert lines <= set(catalogue["log"])
    gates = {f"gate_{gate}" for gate in (*SIZE_GATES, *GAP_GATES, *PASS_GATES)}
    undecided = {f"explain_{key}" for key in tables.FIELDS["devices_to_decide_reason"].among}
    assert gates | undecided <= set(catalogue["log"])
    basis = {f"basis_{basis}" for basis in get_args(Basis)}
    places = {f"places_{basis}" for basis in BASES}
    assert places <= set(catalogue["log"])
    heads = {f"profile_head_{key}" for key in ("theirs", "ours", "unit", "values", "readable")}
    screen = basis | places | heads | {"profile_operator", "profile_technology"}
    assert screen <= set(catalogue["log"])
    assert set(catalogue["log"]) <= named(CODE) | gates | undecided | screen | {"near"}
    said = r"""(?:said|self\.say)\(\s*["'](\w+)["']"""
    assert set(re.findall(said, REPORT)) <= set(catalogue["report"])
    found = set(re.findall(said, CODE.replace(REPORT, "")))
    assert found <= set(catalogue["evidence"])
    parts = {"in_heading", "in_unit_row", "numbers_of_generations", "numbers_of_android"}
    assert set(catalogue["evidence"]) <= named(CODE) | parts
    assert set(catalogue["report"]) <= named(CODE) | {
        f"{key}_before_march_2025" for key in ("authority", "sign", "ministry")
    }
    assert set(catalogue["field_sheets"]) <= named(CODE)
    assert set(catalogue["site_sheets"]) <= named(CODE)
    layers = {f"layer_{name}" for name in ("gap_areas", "hexes", "priorities", "measure_first",
                                           "communes", "villages", "sites")}  # fmt: skip
    verdicts = {"meets_confirmed", "meets_probable"}
    rejects = {f"reject_{reason}" for reason in tables.REJECT_REASONS}
    empty = {f"missing_{field.missing}" for field in tables.FIELDS.values()}
    assert set(catalogue["words"]) <= named(CODE) | layers | verdicts | empty | rejects
    assert set(HOLES.findall(" ".join(catalogue["method"].values()))) <= {
        *Settings().evidence.model_dump(), "technology", "shown_min_devices", "borrowed",
    }  # fmt: skip


def test_every_text_of_the_page_is_used():
    keys = set(texts.catalogue("vi")["page"])
    used = named(PAGE) | named(CODE)
    used |= set(re.findall(r"\bt\.(\w+)", PAGE)) | set(
        re.findall(r'data-t(?:-label)?="(\w+)"', PAGE)
    )
    views = {f"view_{view}" for view in (*palette.SCALES, "verdict", "evidence", "change")}
    legends = {f"key_{key}" for key in ("none", "confirmed", "probable", "weak_some", "fast_some",
                                        "weak_none",
                                        *palette.KNOWN_PAINT)}  # fmt: skip
    said = ("no_gap", "has_gap", "not_known", "meets", "gap", "borderline", "no_data",
            "insufficient_evidence")  # fmt: skip
    counts = {f"count_{key}" for key in said}
    assert keys <= used | views | legends | counts
    starts = {"key_", "view_", "explain_", "gate_", "village_", "ground_", "official_"}
    starts |= {"site_", "count_"}
    called = set(re.findall(r"""\bt\('(\w+)'""", PAGE)) - starts
    assert called <= set(page_texts("vi", with_villages=True, with_sites=True))


def test_every_status_flag_and_class_has_a_name():
    for key in (
        *fields.STATUSES, *fields.GAP_CLASSES, *fields.GAP_STATES, *fields.FLAGS,
        *fields.NO_DATA_REASONS,
    ):  # fmt: skip
        assert texts.word(key, "vi") != texts.word(key, "en")


def test_a_missing_value_is_an_error():
    with pytest.raises(KeyError, match="count"):
        texts.line("diff_count", "en", rows=3)


@pytest.fixture
def with_lao(tmp_path, monkeypatch):
    """A third language: one new file in the folder of catalogues."""
    folder = tmp_path / "catalogues"
    shutil.copytree(texts.CATALOGUES, folder)
    english = (folder / "en.toml").read_text(encoding="utf-8")
    (folder / "lo.toml").write_text(
        english.replace('name = "English"', 'name = "ລາວ"').replace(
            "inputs and settings can be used", "ໃຊ້ໄດ້"
        ),
        encoding="utf-8",
    )
    monkeypatch.setattr(texts, "CATALOGUES", folder)
    texts.languages.cache_clear()
    texts.catalogue.cache_clear()
    yield
    texts.languages.cache_clear()
    texts.catalogue.cache_clear()


@pytest.mark.usefixtures("with_lao")
def test_a_language_is_one_file():
    assert texts.languages() == ("vi", "en", "lo")
    assert Settings.model_validate({"publish": {"lang": "lo"}}).publish.lang == "lo"
    assert texts.line("check_ok", "lo") == "ໃຊ້ໄດ້"
    assert page_texts("lo")["language"] == "ລາວ"


def test_the_method_note_has_the_thresholds_in_use():
    rules = Settings.model_validate(
        {"evidence": {"confirmed_min_devices": 17, "max_q": 0.025, "confidence": 0.9}}
    ).evidence.model_dump()
    note = " ".join(texts.method_note("vi", rules, "5G", 4))
    for part in ("ít nhất 17 thiết bị", "q ≤ 0,025", "khoảng 90 %", "chỉ tính 5G",
                 "dưới 4 thiết bị", "vay mượn"):  # fmt: skip
        assert part in note
    alone = texts.method_note("en", rules | {"borrowed_false_discovery_rate": 0.0}, "4G", 3)
    assert not any("borrowed" in paragraph for paragraph in alone)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(61.495, "61.5"), (61.485, "61.49"), (61.46, "61.46"), (61.5, "61.5"), (1.005, "1.01"),
     (2.675, "2.68"), (61.0, "61.0"), (float("inf"), "inf")],
)  # fmt: skip
def test_figures_in_sentences_are_rounded_half_up_and_have_no_second_digit_of_nought(value, shown):
    text = texts.line("explain_at_least", "en", count=value)
    assert re.search(r"[\d.]+|inf", text).group() == shown
