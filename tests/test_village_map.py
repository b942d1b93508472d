"""Villages on the map in a real browser: what a person sees equals the table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.publish.gap_map import palette
from pipeline.publish.gap_map.columns import decoded, encoded
from pipeline.publish.guard import PrivacyBreach, examine
from pipeline.publish.village_lists import percent
from pipeline.schema import texts
from pipeline.schema.fields import VILLAGE_CLASSES, VILLAGE_GROUNDS
from tests.builders import read_page
from tests.map_page import Seen, choose
from tests.test_map import AXE
from tests.test_village_outputs import FORMULA, SCRIPT, outputs, table, without  # noqa: F401  the fixtures

pytestmark = pytest.mark.slow
PAGE = "maps/coverage_gaps.html"
VIEW = {"width": 1366, "height": 768}


@pytest.fixture
def seen(browser, outputs):  # noqa: F811
    one = Seen(browser, outputs / PAGE, viewport=VIEW, reduced_motion="reduce").ready()
    yield one
    assert one.complaints == []
    assert [r for r in one.requests if not r.startswith(one.url)] == []
    one.context.close()


def zoom_to(page, at: tuple[float, float], zoom: float) -> None:
    page.evaluate(
        "([at, zoom]) => { map_lomsong.setView(at, zoom, {animate: false}); }", [list(at), zoom]
    )


def counts(page) -> dict[str, int]:
    return {
        li.get_attribute("data-key"): int(li.query_selector(".count").inner_text())
        for li in page.query_selector_all("#legend-villages li")
    }


def place(rows: pd.DataFrame, name: str) -> tuple[float, float]:
    row = rows[rows["village_name"] == name].iloc[0]
    return row["village_latitude"], row["village_longitude"]


def at_middle(page) -> tuple[float, float]:
    box = page.query_selector(".map").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


# --- the page's data


def test_the_page_holds_the_table_and_nothing_of_hidden_rows(outputs, table):  # noqa: F811
    data = read_page(outputs / PAGE)
    block = decoded(data["block"])
    assert data["villages"] == table.drop_duplicates("village_id")["village_name"].tolist()
    for number, operator in enumerate(data["operators"][1:], start=1):
        rows = table[table["operator"] == operator].reset_index(drop=True)
        names = ("class", "grounds", "chance", "devices", "rank")
        held = {name: block[f"v.{number}.{name}"].astype("int64") for name in names}
        classes = [VILLAGE_CLASSES[one - 1] for one in held["class"]]
        assert classes == rows["village_class"].tolist()
        grounds = [{VILLAGE_GROUNDS[bit] for bit in range(11) if (one - 1) >> bit & 1}
                   for one in held["grounds"]]  # fmt: skip
        assert grounds == [set(one.split(";")) for one in rows["class_grounds"]]
        hidden = rows["device_count"].isna().to_numpy()
        assert hidden.sum() == {"A": 1, "B": 2}[operator]
        for name in ("chance", "devices", "rank"):
            assert (held[name][hidden] == 0).all(), name
        shown = np.where(held["chance"] > 0, (held["chance"] - 1) / 1e6, np.nan)
        np.testing.assert_allclose(shown, rows["no_signal_probability"], atol=1e-6)
        ranks = rows["visit_rank"].astype("float64")
        np.testing.assert_array_equal(np.where(held["rank"] > 0, held["rank"] - 1.0, np.nan), ranks)


def test_without_a_list_of_villages_the_page_has_none(without):  # noqa: F811
    data, page = read_page(without / PAGE), (without / PAGE).read_text(encoding="utf-8")
    assert not {"villages", "marks"} & set(data)
    assert not any(name.startswith("v.") for name in decoded(data["block"]))
    assert "village_classes" not in data["lists"]
    assert not any(key.startswith(("ground_", "village_no_signal")) for key in data["text"]["vi"])
    assert 'id="villages"' not in page


@pytest.mark.parametrize("name", ["chance", "rank"])
def test_the_guard_fires_for_a_figure_of_a_hidden_village(outputs, tmp_path, name):  # noqa: F811
    text = (outputs / PAGE).read_text(encoding="utf-8")
    data = read_page(outputs / PAGE)
    block = {key: values.astype("int64") for key, values in decoded(data["block"]).items()}
    options = {"device_prints": np.array([], dtype="uint64"), "min_devices": 3}
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    assert examine(tmp_path, **options) == 1
    block[f"v.2.{name}"][block["v.2.devices"] == 0] = 7
    planted = re.sub(
        r'(?<=id="lomsong-data">).*?(?=</script>)',
        lambda _: json.dumps({**data, "block": encoded(block)}).replace("<", "\\u003c"),
        text,
        flags=re.DOTALL,
    )
    path.write_text(planted, encoding="utf-8")
    with pytest.raises(PrivacyBreach, match=f"{name} of B in 2 villages of few devices"):
        examine(tmp_path, **options)


# --- what a person sees


@pytest.mark.browser
def test_the_legend_counts_the_tables_classes_for_every_operator(seen, table):  # noqa: F811
    seen.page.check("#villages")
    worst = table.assign(place=table["village_class"].map(VILLAGE_CLASSES.index))
    worst = worst.sort_values("place").drop_duplicates("village_id")
    of_one = [(one, table[table["operator"] == one]) for one in ("A", "B")]
    for operator, rows in [("all", worst), *of_one]:
        choose(seen.page, operator)
        found = counts(seen.page)
        assert list(found) == list(VILLAGE_CLASSES)
        assert {key: n for key, n in found.items() if n} == rows[
            "village_class"
        ].value_counts().to_dict()
        assert sum(found.values()) == 6


@pytest.mark.browser
def test_villages_are_off_until_one_zooms_in_or_ticks_the_box(seen, table):  # noqa: F811
    page = seen.page
    zoom_to(page, (22.2, 103.2), 10)
    assert not page.is_checked("#villages")
    assert counts(page) == {}
    zoom_to(page, place(table, "Bản Hai"), 13)
    assert page.is_checked("#villages")
    assert len(counts(page)) == 5
    page.uncheck("#villages")
    zoom_to(page, place(table, "Bản Hai"), 14)
    assert not page.is_checked("#villages"), "the box has the last word"
    assert "villages=0" in page.evaluate("location.hash")
    page.check("#villages")
    zoom_to(page, (22.2, 103.2), 9)
    assert page.is_checked("#villages")
    assert "villages=1" in page.evaluate("location.hash")


MIDDLE = """() => {
  const canvas = document.querySelector('canvas'), copy = document.createElement('canvas');
  const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width;
  const map = document.querySelector('.map').getBoundingClientRect();
  copy.width = canvas.width; copy.height = canvas.height;
  const pen = copy.getContext('2d', {willReadFrequently: true});
  pen.drawImage(canvas, 0, 0);
  const x = Math.round((map.left + map.width / 2 - box.left) * ratio);
  const y = Math.round((map.top + map.height / 2 - box.top) * ratio);
  const held = pen.getImageData(x - 1, y - 1, 3, 3).data, found = [];
  for (let i = 0; i < held.length; i += 4) {
    found.push('#' + [...held.slice(i, i + 3)].map(v => v.toString(16).padStart(2, '0')).join(''));
  }
  return found;
}"""


@pytest.mark.browser
@pytest.mark.parametrize("operator", ["A", "B"])
def test_each_village_is_drawn_in_its_classs_colour(seen, table, operator):  # noqa: F811
    choose(seen.page, operator)
    for row in table[table["operator"] == operator].to_dict("records"):
        zoom_to(seen.page, (row["village_latitude"], row["village_longitude"]), 14)
        fill = palette.VILLAGE_MARKS[row["village_class"]].fill
        assert fill in seen.page.evaluate(MIDDLE), row["village_name"]


def test_shapes_tell_the_classes_apart_without_colour():
    shapes = [mark.shape for key, mark in palette.VILLAGE_MARKS.items() if key != "not_known"]
    assert len(set(shapes)) == len(shapes) == 4
    assert list(palette.VILLAGE_MARKS) == list(VILLAGE_CLASSES)


@pytest.mark.browser
def test_a_class_that_is_unticked_is_not_drawn(seen, table):  # noqa: F811
    choose(seen.page, "A")
    zoom_to(seen.page, place(table, "Bản Hai"), 14)
    assert "#1c1c1c" in seen.page.evaluate(MIDDLE)
    seen.page.uncheck('#legend-villages li[data-key="no_signal"] input')
    assert "#1c1c1c" not in seen.page.evaluate(MIDDLE)
    assert "village.no_signal" in seen.page.evaluate("decodeURIComponent(location.hash)")


@pytest.mark.browser
@pytest.mark.parametrize("name", ["Bản Hai", SCRIPT, FORMULA])
def test_the_pointers_box_and_the_card_say_what_the_table_says(seen, table, name):  # noqa: F811
    page, rows = seen.page, table[table["village_name"] == name]
    choose(page, "A")
    zoom_to(page, place(table, name), 13)
    x, y = at_middle(page)
    page.mouse.move(x + 3, y)
    page.mouse.move(x + 1, y)
    own = rows[rows["operator"] == "A"].iloc[0]
    grounds = "; ".join(texts.word(key, "vi") for key in VILLAGE_GROUNDS
                        if key in own["class_grounds"].split(";"))  # fmt: skip
    box = page.inner_text(".leaflet-tooltip").split("\n")
    assert box[0] == name
    assert [line.strip() for line in box[1:] if line.strip()][:3] == [
        texts.word(own["village_class"], "vi"),
        f"Căn cứ: {grounds}",
        f"Xác suất không có sóng: {percent(own['no_signal_probability'], 'vi')}",
    ]
    page.mouse.click(x, y)
    assert page.inner_text("#card-village") == name
    for row in rows.to_dict("records"):
        line = page.inner_text(f'tr[data-village-operator="{row["operator"]}"]')
        assert texts.word(row["village_class"], "vi") in line
        assert line.rstrip().endswith(percent(row["no_signal_probability"], "vi"))
    assert page.evaluate("window.ran") is None
    wide = page.eval_on_selector("#panel", "p => p.scrollWidth - p.clientWidth")
    assert wide == 0, "the card fits its panel"


@pytest.mark.browser
def test_the_keyboard_reaches_the_box_and_every_village(seen):
    page = seen.page
    zoom_to(page, (22.2, 103.2), 9)
    page.focus("#villages")
    page.keyboard.press("Space")
    assert page.is_checked("#villages")
    page.evaluate("() => { location.hash = '#operator=A&commune=r0c0&villages=0'; }")
    page.wait_for_selector("#card-villages")
    page.focus("#card-villages summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Bản Một"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "card-village"
    assert page.inner_text("#card-village") == "Bản Một"
    assert page.is_checked("#villages"), "what was chosen is shown"


@pytest.mark.browser
def test_it_reads_in_english(seen):
    seen.page.check("#villages")
    choose(seen.page, "A")
    seen.page.click("#language")
    assert seen.page.inner_text("#village-switch") == "Show villages"
    names = [one.inner_text() for one in seen.page.query_selector_all("#legend-villages .name")]
    assert names == [texts.word(key, "en") for key in VILLAGE_CLASSES]


@pytest.mark.browser
def test_no_accessibility_violation_with_villages_and_a_card(seen, table):  # noqa: F811
    choose(seen.page, "A")
    zoom_to(seen.page, place(table, "Bản Hai"), 13)
    seen.page.mouse.click(*at_middle(seen.page))
    seen.page.wait_for_selector("#card-village")
    seen.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = seen.page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']})")
    assert [(v["id"], v["nodes"][0]["html"][:90]) for v in found["violations"]] == []


@pytest.mark.browser
@pytest.mark.parametrize("is_on", [True, False])
def test_a_print_shows_villages_if_they_are_on_and_stays_one_page(seen, is_on):
    page = seen.page
    page.set_checked("#villages", is_on)
    zoom = page.evaluate("map_lomsong.getZoom()")
    content = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type ?/Page[\n/ ]", content)) == 1
    page.evaluate("() => { window.dispatchEvent(new Event('beforeprint')); }")
    assert page.is_visible("#legend-villages li") == is_on
    assert not page.is_visible("#village-switch")
    foot = page.evaluate("""() => {
      const panel = document.querySelector('#panel').getBoundingClientRect();
      return document.querySelector('#sources').getBoundingClientRect().bottom - panel.bottom;
    }""")
    assert foot <= 1, "the sources are on the page"
    page.evaluate("() => { window.dispatchEvent(new Event('afterprint')); }")
    assert page.evaluate("map_lomsong.getZoom()") == zoom
    assert page.is_checked("#villages") == is_on


@pytest.mark.browser
def test_a_phone_shows_the_map_first_and_needs_no_sideways_scroll(browser, outputs):  # noqa: F811
    phone = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
    one = Seen(browser, outputs / PAGE, "#operator=A&commune=r0c0", **phone).ready()
    assert one.page.evaluate("document.documentElement.scrollWidth") == 390
    one.page.click("#card-villages summary")
    one.page.click("#card-villages button >> nth=1")
    assert one.page.inner_text("#card-village") == "Bản Hai"
    assert one.page.eval_on_selector("#panel", "p => p.scrollWidth - p.clientWidth") == 0
    assert one.complaints == []
    one.context.close()


@pytest.mark.browser
def test_a_broken_link_of_villages_opens_the_map(browser, outputs: Path):  # noqa: F811
    one = Seen(
        browser, outputs / PAGE, "#villages=x&hide=village.nothing,village.__proto__"
    ).ready()
    zoom_to(one.page, (22.2, 103.2), 9)
    assert not one.page.is_checked("#villages"), "by the zoom, as without the link"
    one.page.check("#villages")
    assert "hide" not in one.page.evaluate("location.hash")
    assert one.complaints == []
    one.context.close()
