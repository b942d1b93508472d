"""The map without a mouse, and whose card a hex opens, in a real browser."""

from __future__ import annotations

import h3
import pandas as pd
import pytest

from pipeline.schema import texts
from tests.map_page import choose
from tests.test_map_uncertainty import status_of

pytestmark = pytest.mark.browser
FOCUS = """() => {
  const one = document.activeElement;
  return one === document.body ? 'body' : one.id || one.tagName + ' ' + one.textContent;
}"""
KEYS = ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown")


def arrive(page, code: str) -> None:
    page.evaluate("code => { location.hash = '#commune=' + code; }", code)
    page.wait_for_function(
        "code => document.querySelector('#card p').textContent.includes(' ' + code + ' ')", arg=code
    )


def test_arrow_keys_reach_every_commune_from_every_other(opened, demo_outputs):
    page = opened.page
    summary = pd.read_csv(demo_outputs / "tables/commune_summary.csv", dtype={"commune_code": str})
    code_of = dict(zip(summary["commune_name"], summary["commune_code"], strict=True))
    ways: dict[str, set[str]] = {}
    for code in summary["commune_code"]:
        found = set()
        for key in KEYS:
            arrive(page, code)
            page.focus("#search")
            page.focus(".map")
            page.keyboard.press(key)
            found |= {code_of[one.inner_text()] for one in page.query_selector_all(".tip strong")}
        ways[code] = found
    for start in ways:
        met, ahead = {start}, [start]
        while ahead:
            ahead += (new := ways[ahead.pop()] - met)
            met |= new
        assert met == set(ways)


def test_enter_opens_the_card_of_the_commune_that_the_arrows_reached(opened):
    page = opened.page
    page.focus(".map")
    before = page.evaluate("() => { const c = map_lomsong.getCenter(); return [c.lat, c.lng]; }")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    name = page.inner_text(".tip strong")
    assert name in page.text_content("#said")
    page.keyboard.press("Enter")
    assert page.inner_text("#card h2 span") == name
    assert page.evaluate(FOCUS) == "SPAN " + name
    after = page.evaluate("() => { const c = map_lomsong.getCenter(); return [c.lat, c.lng]; }")
    assert after == before, "arrows go from commune to commune, the map stays"


def test_the_focus_never_falls_to_the_body(opened):
    page, seen = opened.page, []

    def press(selector: str, key: str) -> None:
        page.focus(selector)
        page.keyboard.press(key)
        seen.append(page.evaluate(FOCUS))

    press('#legend li[data-key="unknown"] input', "Space")
    assert page.evaluate("document.activeElement.closest('li').dataset.key") == "unknown"
    press("#top-gaps li:nth-child(3) button", "Enter")
    assert page.evaluate("document.activeElement.closest('#top-gaps') !== null")
    press("#close-card", "Enter")
    assert page.evaluate("document.activeElement.classList.contains('map')")
    page.fill("#search", "muong te")
    press("#search", "Enter")
    press("#search-results button", "Enter")
    press("#card summary", "Enter")
    press("#card summary", "Escape")
    press("#show-table", "Enter")
    press("#table [data-sort=people]", "Enter")
    press("#table tbody button", "Enter")
    press("#language", "Enter")
    assert "body" not in seen


def test_a_hex_opens_the_commune_that_holds_its_centre(opened, demo_outputs):
    """Clicked at corners that lie in another commune, or outside the area."""
    page = opened.page
    choose(page, "Viettel")
    table = pd.read_parquet(demo_outputs / "tables/hex_status.parquet")
    rows = table[(table["operator"] == "Viettel") & table["commune_code"].notna()]
    rows = rows[rows["h3_resolution"] == rows["h3_resolution"].min()]
    owner = rows.set_index("hex_id")["commune_code"]
    crossed = 0
    for hex_id in owner.index[:14]:
        middle = h3.cell_to_latlng(hex_id)
        page.evaluate("at => { map_lomsong.setView(at, 12, {animate: false}); }", list(middle))
        for corner in h3.cell_to_boundary(hex_id)[::2]:
            spot = [m + 0.85 * (c - m) for m, c in zip(middle, corner, strict=True)]
            x, y, under = page.evaluate(
                """at => {
                  const p = map_lomsong.latLngToContainerPoint(at);
                  const box = map_lomsong.getContainer().getBoundingClientRect();
                  const hit = document.elementFromPoint(box.left + p.x, box.top + p.y);
                  let under = null;
                  geo_json_communes.eachLayer(layer => {
                    if (layer.getElement() === hit) under = layer.feature.properties.code;
                  });
                  return [box.left + p.x, box.top + p.y, under];
                }""",
                spot,
            )
            page.mouse.click(x, y)
            shown = page.inner_text("#card-cell").split()[-1]
            code = page.evaluate("location.hash.match(/commune=([^&]*)/)[1]")
            expected = table.loc[table["hex_id"] == shown, "commune_code"].iloc[0]
            assert code == expected
            crossed += under != code
    assert crossed >= 5, "communes under the pointer were other ones"


def test_the_map_speaks_the_words_of_the_issue(opened, demo_outputs):
    page = opened.page
    assert page.inner_text("#take h2") == "Tải xuống và chia sẻ"
    priorities = pd.read_csv(demo_outputs / "tables/priorities.csv", dtype={"commune_code": str})
    assert len(status_of(demo_outputs, "Viettel")) == 38
    sure = priorities[priorities["gap_probability"] > 0.9995].iloc[0]
    less = priorities[priorities["gap_probability"] < 0.99].iloc[0]
    for row, said in ((sure, ">99,9 %"), (less, f"{100 * less['gap_probability']:.1f} %")):
        arrive(page, row["commune_code"])
        line = page.inner_text(f'#card tr[data-operator="{row["operator"]}"] + tr .rank')
        assert f"xác suất lõm {said.replace('.', ',')}" in line
        assert f"có thể từ hạng {row['rank_lo']:.0f} đến {row['rank_hi']:.0f}" in line
        assert "số người thiếu tốc độ (ước tính)" in line
        assert "100,0 %" not in line
    assert texts.text("page", "fly", "vi") == "Đến vị trí này"
