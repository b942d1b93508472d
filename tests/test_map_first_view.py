"""The map's first view on every screen, in a real browser: the province, its names, its legend."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from tests.map_page import Seen, legend

pytestmark = pytest.mark.browser
PAGE = "maps/coverage_gaps.html"
SCREENS = {(1366, 768): 38, (1920, 1080): 38, (3840, 2160): 38, (390, 844): 25}  # names at least

# what is written on the canvas while it is drawn once more: text, middle, half width
WRITTEN = """() => {
  const pen = CanvasRenderingContext2D.prototype, plain = pen.fillText, found = [];
  pen.fillText = function (text, x, y) {
    found.push([text, x, y, this.measureText(text).width / 2]);
    return plain.apply(this, arguments);
  };
  map_lomsong.fire('moveend');
  pen.fillText = plain;
  return found;
}"""


def screen(browser, outputs, size: tuple[int, int], hash_text: str = "") -> Seen:
    return Seen(
        browser,
        outputs / PAGE,
        hash_text,
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=2 if size[0] < 500 else 1,
        reduced_motion="reduce",
    ).ready()


def zoom_by(page, steps: float) -> None:
    """From the first view."""
    page.evaluate(
        """steps => {
          window.home = window.home || map_lomsong.getZoom();
          map_lomsong.setZoom(window.home + steps, {animate: false});
        }""",
        steps,
    )


def short(name: str) -> str:
    return name.removeprefix("Xã ").removeprefix("Phường ")


def names_of(lines: list[list], known: set[str]) -> list[str]:
    """Names in the order in which they were written; one in two lines is put together."""
    found, texts = [], [text for text, *_ in lines]
    while texts:
        size = 1 if texts[0] in known else 2
        found.append(" ".join(texts[:size]))
        texts = texts[size:]
    return found


@pytest.mark.parametrize("size", SCREENS)
def test_every_screen_begins_with_the_provinces_verdicts_and_their_legend(
    browser, demo_outputs, size
):
    seen = screen(browser, demo_outputs, size)
    page = seen.page
    view, panel = (page.query_selector(one).bounding_box() for one in (".map", "#panel"))
    beside = panel["x"] + panel["width"] <= view["x"]  # else it lies over the map's lower end
    bottom = min(view["y"] + view["height"], panel["y"] + 10_000 * beside)
    boxes = page.evaluate(
        """() => [...document.querySelectorAll('.leaflet-overlay-pane path')].map(path => {
          const box = path.getBoundingClientRect();
          return [box.left, box.top, box.right, box.bottom];
        })"""
    )
    assert len(boxes) == 38
    assert min(box[0] for box in boxes) >= view["x"]
    assert min(box[1] for box in boxes) >= view["y"]
    assert max(box[2] for box in boxes) <= view["x"] + view["width"]
    assert max(box[3] for box in boxes) <= bottom
    across = max(box[2] for box in boxes) - min(box[0] for box in boxes)
    along = max(box[3] for box in boxes) - min(box[1] for box in boxes)
    assert max(across / view["width"], along / (bottom - view["y"])) > 0.75, "it fills the map"
    for item in page.query_selector_all("#legend li"):
        box = item.bounding_box()
        assert panel["y"] <= box["y"]
        assert box["y"] + box["height"] <= size[1], "the legend needs no scrolling"
    assert page.query_selector_all("#legend-cells li") == []
    assert sum(legend(page).values()) == 38
    seen.context.close()


@pytest.mark.parametrize("size", SCREENS)
def test_names_stand_apart_and_the_largest_communes_come_first(browser, demo_outputs, size):
    summary = pd.read_csv(demo_outputs / "tables/commune_summary.csv")
    by_people = summary.sort_values("population", ascending=False, kind="stable")["commune_name"]
    expected = [short(name) for name in by_people]
    seen = screen(browser, demo_outputs, size)
    lines = seen.page.evaluate(WRITTEN)
    names = names_of(lines, set(expected))
    assert names == [name for name in expected if name in names]
    assert names[0] == expected[0]
    assert len(names) >= SCREENS[size]
    high = 5  # px from a line's middle to its edges
    for (_, x, y, half), (_, other_x, other_y, other) in itertools.combinations(lines, 2):
        assert abs(x - other_x) >= half + other or abs(y - other_y) >= 2 * high
    zoom_by(seen.page, 2)
    close = {text for text, *_ in seen.page.evaluate(WRITTEN)}
    assert {one.split()[0] for one in close} & {"Xã", "Phường"}, "whole names closer in"
    seen.context.close()


@pytest.mark.parametrize("size", SCREENS)
def test_hexes_begin_one_zoom_above_the_first_view_on_every_screen(browser, demo_outputs, size):
    seen = screen(browser, demo_outputs, size)
    counts = []
    for steps in (0, 0.75, 1, 0.75):
        zoom_by(seen.page, steps)
        counts.append(len(seen.page.query_selector_all("#legend-cells li")))
    assert [count > 0 for count in counts] == [False, False, True, False]
    seen.context.close()


def test_a_phone_keeps_the_province_in_sight_when_the_sheet_opens(browser, demo_outputs):
    seen = screen(browser, demo_outputs, (390, 844))
    for state in ("true", "false"):
        seen.page.click("#sheet")
        assert seen.page.get_attribute("#sheet", "aria-expanded") == state
        top = seen.page.query_selector("#panel").bounding_box()["y"]
        boxes = seen.page.query_selector_all(".leaflet-overlay-pane path")
        edges = [box.bounding_box() for box in boxes]
        assert max(edge["y"] + edge["height"] for edge in edges) <= top
        assert min(edge["x"] for edge in edges) >= 0
        assert max(edge["x"] + edge["width"] for edge in edges) <= 390
    seen.context.close()


def test_a_window_of_another_size_shows_the_province_again_until_one_moves(opened):
    page = opened.page
    first = page.evaluate("map_lomsong.getZoom()")
    page.set_viewport_size({"width": 2560, "height": 1440})
    page.wait_for_function("zoom => map_lomsong.getZoom() > zoom", arg=first)
    page.set_viewport_size({"width": 1366, "height": 768})
    page.wait_for_function("zoom => map_lomsong.getZoom() === zoom", arg=first)
    zoom_by(page, 2)
    resized = """() => { window.resized = new Promise(done =>
      map_lomsong.once('resize', () => done(map_lomsong.getZoom()))); }"""
    page.evaluate(resized)
    page.set_viewport_size({"width": 1400, "height": 800})
    assert page.evaluate("window.resized") == first + 2


@pytest.mark.parametrize("size", [(1366, 768), (390, 844)])
def test_an_open_card_stands_above_the_legend_and_its_head_is_in_sight(browser, demo_outputs, size):
    seen = screen(browser, demo_outputs, size, "#operator=Viettel&commune=03390")
    for selector in ("#card h2 span", "#close-card", '#card tr[data-operator="MobiFone"]'):
        box = seen.page.query_selector(selector).bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= size[1]
    order = "[...document.querySelectorAll('#panel > section')].map(one => one.id).filter(Boolean)"
    assert seen.page.evaluate(order)[:2] == ["card", "legends"]
    seen.page.focus("#close-card")
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate(order)[:2] == ["legends", "card"]
    seen.context.close()
