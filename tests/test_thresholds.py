"""What a run says of its thresholds is what its settings ask for, in every output and language."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import docx
import pytest

from pipeline.publish.finished_files import contents
from pipeline.schema import texts
from tests.builders import golden_world, read_page, run_lomsong
from tests.test_workbook import opened

pytestmark = pytest.mark.slow  # whole months are run

SETTINGS = """
[evidence]
min_devices = 6
min_samples = 7
confirmed_min_devices = 13
confirmed_min_samples = 31
confirmed_min_dates = 4
confidence = 0.9
official_test_count = 450
[privacy]
min_devices = 4
[report]
pdf = false
"""
SAID = {
    "vi": [
        "ít nhất 13 thiết bị, 31 mẫu, 4 ngày",
        "ít nhất 6 thiết bị, 7 mẫu",
        "khoảng 90 %",
        "nhóm dưới 4 thiết bị",
    ],
    "en": [
        "at least 13 devices, 31 samples, 4 dates",
        "at least 6 devices, 7 samples",
        "90 % interval",
        "fewer than 4 devices",
    ],
}
# thresholds that this run does not have
DEFAULTS = re.compile(
    r"\b(?:10 thiết bị|10 devices|30 mẫu|30 samples|3 ngày|3 dates|5 thiết bị,|5 devices,|20 mẫu"
    r"|20 samples|dưới 3 thiết bị|fewer than 3 devices|300 phép đo|300 tests|official 300|95 %)"
)


@pytest.fixture(scope="module", params=texts.languages())
def run(request, tmp_path_factory) -> tuple[str, Path]:
    """(language, outputs) of the golden month with other thresholds."""
    folder = tmp_path_factory.mktemp("thresholds")
    settings = golden_world(folder)
    with settings.open("a", encoding="utf-8") as file:
        file.write(SETTINGS)
    outputs = folder / "outputs"
    code, said = run_lomsong(
        "run", "--settings", settings, "--out", outputs, "--lang", request.param
    )
    assert code == 0, said
    return request.param, outputs / "2026-10"


def texts_of(name: str, data: bytes) -> list[str]:
    """Every text of a file and of the files in it; no code of a page."""
    found = []
    for _, content in contents(name, data):
        found += content.cells
        if content.page is None:
            found += [text.decode(errors="replace") for text in content.running]
    return found


def test_the_workbook_states_the_thresholds_in_use(run):
    lang, folder = run
    sheet = opened(folder / "tables/priorities.xlsx")[texts.word("sheet_method", lang)]
    note = "\n".join(str(cell.value) for row in sheet for cell in row if cell.value)
    assert [part for part in SAID[lang] if part not in note] == []


def test_the_report_states_the_thresholds_in_use(run):
    lang, folder = run
    document = docx.Document(str(folder / "report/monthly_report.docx"))
    note = "\n".join(paragraph.text for paragraph in document.paragraphs)
    assert [part for part in SAID[lang] if part not in note] == []
    assert " 450 " in note


def test_a_packs_readme_states_the_thresholds_in_use(run):
    lang, folder = run
    with zipfile.ZipFile(io.BytesIO((folder / "packs/A.zip").read_bytes())) as pack:
        note = pack.read("README.txt").decode("utf-8-sig")
    assert [part for part in SAID[lang] if part not in note] == []


def test_the_page_has_the_thresholds_in_use(run):
    page = read_page(run[1] / "maps/coverage_gaps.html")
    rules = page["rules"]
    assert (rules["confirmed_min_devices"], rules["confidence"], page["min_devices"]) == (
        13,
        0.9,
        4,
    )
    assert all("{confidence} %" in said["interval"] for said in page["text"].values())


def test_no_output_states_a_threshold_that_the_run_does_not_have(run):
    _, folder = run
    found = {
        (path.name, text)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".png", ".pdf")
        for text in texts_of(path.name, path.read_bytes())
        if DEFAULTS.search(text)
    }
    assert found == set()


@pytest.mark.parametrize("lang", texts.languages())
def test_no_text_of_a_catalogue_or_a_column_states_a_threshold(lang):
    from pipeline.schema.column_labels import heading, meaning
    from pipeline.schema.columns import FIELDS

    said = [text for section in texts.catalogue(lang).values() for text in section.values()]
    said += [part(name, lang) for name in FIELDS for part in (heading, meaning)]
    stating = re.compile(r"\b(?:300|95 %)|\b\d+ (?:thiết bị|mẫu|devices|samples)\b")
    assert len(said) > 500
    assert [text for text in said if stating.search(text)] == []
