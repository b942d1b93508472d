"""Uncertainty in every pixel of the map, in a real browser: colours, hatches and their legend."""

from __future__ import annotations

import io
import itertools
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.publish.gap_map import palette
from tests.map_page import choose
from tests.test_map_first_view import zoom_by

pytestmark = pytest.mark.browser
OUTSIDE, INK = (0xDD, 0xDA, 0xD2), (0x1C, 0x1C, 0x1C)

# fills of hexes as they go onto the canvas: a colour, or "hatch" for a pattern, by cell's middle
FILLED = """() => {
  const pen = CanvasRenderingContext2D.prototype, plain = pen.fill, found = [];
  pen.fill = function (path) {
    found.push(typeof this.fillStyle === 'string' ? this.fillStyle : 'hatch');
    return plain.apply(this, arguments);
  };
  map_lomsong.fire('moveend');
  pen.fill = plain;
  return found;
}"""
FILLS = """() => {
  const out = {};
  geo_json_communes.eachLayer(l => {
    out[l.feature.properties.code] = l.getElement().getAttribute('fill');
  });
  return out;
}"""


def pick(page, view: str) -> None:
    page.check(f'input[name=view][value="{view}"]', force=True)


def picture(element) -> np.ndarray:
    shot = Image.open(io.BytesIO(element.screenshot())).convert("RGB")
    return np.asarray(shot)


def status_of(outputs, operator: str) -> pd.DataFrame:
    table = pd.read_csv(
        outputs / "tables/commune_status.csv", dtype={"commune_code": str}, keep_default_na=False
    )
    return table[table["operator"] == operator].set_index("commune_code")


def swatches(page) -> np.ndarray:
    """Darkest and lightest colour of both halves of every swatch."""
    found = []
    for swatch in page.query_selector_all("#legend .swatch, #legend-cells .swatch"):
        swatch.scroll_into_view_if_needed()
        shot = picture(swatch).astype(int)
        for half in (shot[2:-2, 2:12], shot[2:-2, 14:-2]):
            pixels = half.reshape(-1, 3)
            order = pixels.sum(axis=1).argsort()
            found.append((pixels[order[0]], pixels[order[-1]]))
    return np.array(found)


def away(colour: tuple[int, ...], pairs: np.ndarray) -> float:
    """How far a colour is from the nearest mixture of a swatch's two: a hatch has soft edges."""
    dark, light = pairs[:, 0], pairs[:, 1]
    step = light - dark
    length = np.maximum((step**2).sum(axis=1), 1)
    share = np.clip(((np.array(colour) - dark) * step).sum(axis=1) / length, 0, 1)
    return float(np.abs(dark + share[:, None] * step - np.array(colour)).max(axis=1).min())


@pytest.mark.parametrize("operator", ["all", "Viettel", "VinaPhone"])
@pytest.mark.parametrize("steps", [0, 1.5, 3.5])
def test_every_large_colour_of_the_map_is_a_colour_of_the_legend(opened, operator, steps):
    page = opened.page
    choose(page, operator)
    page.evaluate("() => document.getElementById('villages').checked = false")
    zoom_by(page, steps)
    pixels = picture(page.query_selector(".map")).reshape(-1, 3)
    counts = Counter(tuple(pixel) for pixel in pixels[::3].tolist())
    large = {colour for colour, count in counts.items() if count > 0.005 * len(pixels) / 3}
    listed = swatches(page)
    assert len(large) > 3
    for colour in large - {OUTSIDE, INK, (255, 255, 255)}:  # names and their rims
        assert away(colour, listed) <= 2, colour


@pytest.mark.parametrize("operator", ["all", "MobiFone", "Viettel"])
def test_a_class_of_the_legend_has_its_colour_on_the_map(opened, demo_outputs, operator):
    """The other way round, at the first view: what the legend counts is painted so."""
    page = opened.page
    choose(page, operator)
    painted = {tuple(one) for one in picture(page.query_selector(".map")).reshape(-1, 3).tolist()}
    compared = 0
    for item in page.query_selector_all("#legend li"):
        count = int(item.query_selector(".count").inner_text())
        middle = picture(item.query_selector(".swatch"))[8, 6].astype(int)
        near = min(np.abs(np.array(colour) - middle).max() for colour in painted)
        assert near <= 3 or count == 0
        compared += count
    assert compared == 38


@pytest.mark.parametrize("view", ["mean", "median", "upload", "latency"])
def test_what_is_not_decided_is_hatched_in_every_view_of_figures(opened, demo_outputs, view):
    page = opened.page
    choose(page, "Viettel")
    pick(page, view)
    status = status_of(demo_outputs, "Viettel")
    fills = page.evaluate(FILLS)
    is_open = status["status"].isin(["borderline", "insufficient_evidence"])
    known = status[{"mean": "mean_mbps", "median": "median_mbps", "upload": "upload_mean_mbps",
                    "latency": "latency_median_ms"}[view]] != ""  # fmt: skip
    hatched = {code for code, fill in fills.items() if fill.endswith("unsure)")}
    assert hatched == set(status.index[is_open & known])
    assert {"borderline", "insufficient_evidence"} == set(status["status"][sorted(hatched)])
    assert page.inner_text("#legend-note .count") == str(len(hatched))


def test_borrowed_verdicts_carry_thin_lines_and_the_legend_and_card_say_so(opened, demo_outputs):
    page = opened.page
    for operator in ("MobiFone", "Vietnamobile", "Viettel", "VinaPhone"):
        choose(page, operator)
        status = status_of(demo_outputs, operator)
        borrowed = set(status.index[status["evidence_basis"] == "borrowed"])
        fills = page.evaluate(FILLS)
        thin = {code for code, fill in fills.items() if "borrowed" in fill}
        assert thin == borrowed
        assert thin
        assert page.inner_text("#legend-note .count") == str(len(thin))
    page.evaluate("code => { location.hash = '#operator=VinaPhone&commune=' + code; }", min(thin))
    page.wait_for_selector("#card table")
    notes = page.inner_text('#card tr[data-operator="VinaPhone"] + tr')
    assert "bằng chứng của các nhà mạng khác" in notes
    assert page.query_selector('#card .swatch rect[fill*="borrowed"]')


def test_known_is_never_the_colour_of_good(opened):
    page = opened.page
    pick(page, "evidence")
    good = {palette.STATUS_PAINT[key].fill for key in ("meets_confirmed", "meets_probable")}
    good |= {palette.CLASS_PAINT["no_gap_found"].fill}
    fills = set(page.evaluate(FILLS).values())
    assert fills & {paint.fill for paint in palette.KNOWN_PAINT.values()}
    assert not fills & good
    assert not {paint.fill for paint in palette.KNOWN_PAINT.values()} & good


@pytest.mark.parametrize("operator", ["MobiFone", "Viettel", "VinaPhone"])
@pytest.mark.parametrize("view", ["verdict", "median", "upload"])
def test_a_hex_is_plain_only_where_the_rule_holds(opened, demo_outputs, operator, view):
    """Recomputed from the table: the legend's counts of plain and hatched, class by class."""
    page = opened.page
    choose(page, operator)
    pick(page, view)
    zoom_by(page, 1)
    table = pd.read_parquet(demo_outputs / "tables/hex_status.parquet")
    rows = table[(table["operator"] == operator)]
    column = {"verdict": "mean_mbps", "median": "median_mbps", "upload": "upload_mean_mbps"}[view]
    rows = rows[rows[column].notna()]
    if_above = rows["is_fast_enough"] & (rows[column] >= 40)
    sure = if_above | (rows["is_weak"] & (rows[column] < 40))
    sure = {"upload": rows["is_weak"] | rows["is_fast_enough"]}.get(view, sure)
    assert page.inner_text("#legend-cells-note .count") == str(int((~sure).sum()))
    assert sure.any()
    plain = page.evaluate(FILLED)
    # six classes at most, in batches of sixteen: a plain fill only of a class that has a sure hex
    scale = palette.SCALES["mean" if view == "verdict" else view]
    places = np.searchsorted(scale.breaks, rows[column][sure], "right")
    allowed = {scale.fills[place] for place in places}
    assert {fill for fill in plain if fill in scale.fills} <= allowed
    assert "hatch" in plain


def test_no_hex_is_plain_that_is_neither_weak_nor_clearly_above(demo_outputs):
    table = pd.read_parquet(demo_outputs / "tables/hex_status.parquet")
    weak, fast = table["is_weak"], table["is_fast_enough"]
    assert not (weak & fast).any()
    assert table.loc[weak | fast, "device_count"].min() >= 8
    assert fast.sum() > 0
    share = table["share_devices_below_target"]
    assert share[fast].max() < share[weak].min()


def test_the_view_of_all_operators_prints_no_pooled_speed(opened, demo_outputs):
    page = opened.page
    table = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str})
    page.evaluate("() => { location.hash = '#commune=03549'; }")
    page.wait_for_selector("#card table")
    shown = [
        row.get_attribute("data-operator")
        for row in page.query_selector_all("#card tbody tr[data-operator]")
    ]
    assert sorted(shown) == sorted(set(table["operator"]) - {"all"})
    zoom_by(page, 1.5)
    box = page.query_selector(".map").bounding_box()
    cells = 0
    for across, down in itertools.product(range(2, 100, 4), (0.3, 0.5, 0.7)):
        page.mouse.move(box["x"] + box["width"] * across / 100, box["y"] + box["height"] * down)
        tips = [one.inner_text() for one in page.query_selector_all(".leaflet-tooltip")]
        cells += sum("Ô:" in tip for tip in tips)
        assert not [tip for tip in tips if re.search("Mbps", tip)]
    assert cells > 3
    strokes = page.evaluate(
        """() => {
          const pen = CanvasRenderingContext2D.prototype, plain = pen.stroke, found = [];
          pen.stroke = function () {
            found.push(this.lineWidth + ' ' + this.strokeStyle + ' ' + this.getLineDash().length);
            return plain.apply(this, arguments);
          };
          map_lomsong.fire('moveend');
          pen.stroke = plain;
          return found;
        }"""
    )
    assert "2 #4a4a4a 0" not in strokes, "outlines of weak cells are one operator's"
