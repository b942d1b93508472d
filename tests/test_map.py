"""The map in a real browser without a network: what a person sees equals the tables."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pandas as pd
import pytest

from pipeline.publish.gap_map import offline_map, palette
from pipeline.publish.gap_map.offline_map import OfflineMap, RemoteReference
from tests.builders import read_page

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


class Seen:
    """A page with everything it asked for and complained about."""

    def __init__(self, browser, path: Path, hash_text: str = "", **context) -> None:
        self.context = browser.new_context(offline=True, **context)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on("console", lambda m: self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.url = path.resolve().as_uri()
        self.page.goto(self.url + hash_text)

    def ready(self) -> Seen:
        self.page.wait_for_selector("html[data-ready=true]")
        return self


@pytest.fixture
def opened(browser, demo_outputs):
    seen = Seen(browser, demo_outputs / "maps/coverage_gaps.html", viewport={"width": 1366, "height": 768}).ready()
    yield seen
    assert seen.complaints == []
    assert [r for r in seen.requests if not r.startswith(seen.url)] == []
    seen.context.close()


def legend(page) -> dict[str, int]:
    return {
        li.get_attribute("data-key"): int(li.query_selector(".count").inner_text())
        for li in page.query_selector_all("#legend li")
    }


def choose(page, operator: str) -> None:
    page.check(f'input[name=operator][value="{operator}"]', force=True)


@pytest.mark.browser
def test_the_legend_counts_what_the_tables_say_for_every_operator(opened, demo_outputs):
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str}, keep_default_na=False)
    summary = pd.read_csv(demo_outputs / "tables/commune_summary.csv")
    values = [r.get_attribute("value") for r in opened.page.query_selector_all("input[name=operator]")]
    assert values == ["all", *sorted(set(status["operator"]) - {"all"})]
    found = {key: n for key, n in legend(opened.page).items() if n}
    assert found == summary["gap_class"].value_counts().to_dict()
    for operator in values[1:]:
        choose(opened.page, operator)
        rows = status[status["operator"] == operator]
        expected = (
            pd.Series([palette.verdict(s, e) for s, e in zip(rows["status"], rows["evidence"], strict=True)])
            .value_counts()
            .to_dict()
        )
        assert {key: n for key, n in legend(opened.page).items() if n} == expected
        headline = opened.page.inner_text("#headline")
        good = int(rows["status"].eq("meets_target").sum())
        bad = int(rows["status"].isin(["confirmed_gap", "probable_gap"]).sum())
        assert (
            headline == f"4G · 10/2026 · 40 Mbps · đạt {good} · chưa đạt {bad} · chưa đủ bằng chứng {38 - good - bad}"
        )


@pytest.mark.browser
def test_each_commune_has_the_colour_of_its_verdict(opened, demo_outputs):
    data = read_page(demo_outputs / "maps/coverage_gaps.html")
    choose(opened.page, "Viettel")
    fills = opened.page.evaluate(
        "() => { const out = {}; geo_json_communes.eachLayer(l => { out[l.feature.properties.code] = l.getElement().getAttribute('fill'); }); return out; }"
    )
    for commune in data["communes"]:
        paint = palette.STATUS_PAINT[commune["by"]["Viettel"]["verdict"]]
        key = commune["by"]["Viettel"]["verdict"]
        assert fills[commune["id"]] == (f"url(#p-{key})" if paint.pattern else paint.fill)


@pytest.mark.browser
def test_a_click_on_a_commune_opens_its_card_with_the_tables_figures(opened, demo_outputs):
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str})
    code = "03549"
    where = opened.page.evaluate(
        """code => { let at; geo_json_communes.eachLayer(l => { if (l.feature.properties.code === code) at = map_lomsong.latLngToContainerPoint(l.getCenter()); });
        const box = document.querySelector('.map').getBoundingClientRect(); return [box.left + at.x, box.top + at.y]; }""",
        code,
    )
    opened.page.mouse.click(*where)
    assert f"commune={code}" in opened.page.evaluate("location.hash")
    for _, row in status[status["commune_code"] == code].iterrows():
        text = opened.page.inner_text(f'#card tr[data-operator="{row["operator"]}"]')
        if pd.notna(row["mean_mbps"]):
            assert f"{row['mean_mbps']:.1f}".replace(".", ",") in text
        assert f"{int(row['device_count'])}" in text
    wide = opened.page.evaluate(
        "(() => { const p = document.getElementById('panel'); return p.scrollWidth - p.clientWidth; })()"
    )
    assert wide == 0, "the card fits its panel"


def written(value: float, digits: int) -> str:
    """As a Vietnamese reader expects it: rounded once from the table's figure, half up."""
    if pd.isna(value):
        return "–"
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{rounded:,}".translate(str.maketrans(",.", ".,"))


@pytest.mark.browser
def test_every_card_of_every_commune_shows_the_tables_figures(opened, demo_outputs):
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str})
    shown = opened.page.evaluate(
        """codes => codes.map(code => { const out = {}; location.hash = '#commune=' + code; window.dispatchEvent(new Event('hashchange'));
        document.querySelectorAll('#card tr[data-operator]').forEach(r => { out[r.dataset.operator] = [...r.cells].slice(1).map(c => c.textContent); });
        return out; })""",
        sorted(status["commune_code"].unique()),
    )
    compared = 0
    for (_, rows), cards in zip(status.groupby("commune_code"), shown, strict=True):
        for _, row in rows.iterrows():
            lo, hi = written(row["lo_mbps"], 1), written(row["hi_mbps"], 1)
            interval = lo if lo == "–" else f"{lo} – {hi}"
            assert cards[row["operator"]] == [
                written(row["mean_mbps"], 1),
                interval,
                written(float(row["device_count"]), 0),
            ]
            compared += 1
    assert compared == 38 * 5


def test_the_pages_figures_are_the_tables_to_every_printed_digit(demo_outputs):
    """What the page colours by is not rounded first: 39.996 is below 40."""
    cells = pd.read_parquet(demo_outputs / "tables/hex_status.parquet").set_index(["hex_id", "operator"])["mean_mbps"]
    for cell in read_page(demo_outputs / "maps/coverage_gaps.html")["cells"]:
        for operator, figures in cell["by"].items():
            exact = cells[cell["id"], operator]
            assert figures["mean"] is None if pd.isna(exact) else abs(figures["mean"] - exact) < 1e-6


@pytest.mark.browser
@pytest.mark.parametrize("typed", ["phong tho", "Phong Thổ", "PHONG THO", "03549"])
def test_search_needs_no_accents(opened, typed):
    opened.page.fill("input[type=search]", typed)
    results = opened.page.query_selector_all("#search-results li")
    assert [r.inner_text() for r in results] == ["Xã Phong Thổ"]
    results[0].query_selector("button").click()
    assert opened.page.inner_text("#card h2 span") == "Xã Phong Thổ"


@pytest.mark.browser
def test_dd_is_found_as_d(opened):
    opened.page.fill("input[type=search]", "doan ket")
    assert opened.page.inner_text("#search-results li") == "Phường Đoàn Kết"


@pytest.mark.browser
def test_the_top_list_follows_the_operator_and_the_priorities(opened, demo_outputs):
    priorities = pd.read_csv(demo_outputs / "tables/priorities.csv")
    for operator, rows in (("all", priorities), ("MobiFone", priorities[priorities["operator"] == "MobiFone"])):
        choose(opened.page, operator)
        shown = [li.inner_text() for li in opened.page.query_selector_all("#top-gaps li")]
        assert len(shown) == 10
        for text, (_, row) in zip(shown, rows.head(10).iterrows(), strict=True):
            assert text.startswith(f"{row['need_rank']}.")
            assert row["commune_name"] in text
            assert row["operator"] in text


@pytest.mark.browser
def test_the_hash_keeps_the_choice(browser, demo_outputs):
    seen = Seen(browser, demo_outputs / "maps/coverage_gaps.html", "#operator=VinaPhone&commune=03434").ready()
    assert seen.page.is_checked('input[value="VinaPhone"]')
    assert seen.page.inner_text("#card h2 span") == "Xã Nậm Hàng"
    assert seen.complaints == []
    seen.context.close()


@pytest.mark.browser
def test_a_broken_link_still_opens_the_map(browser, demo_outputs):
    seen = Seen(browser, demo_outputs / "maps/coverage_gaps.html", "#operator=%E0%A4%A&commune=nowhere&&=").ready()
    assert seen.page.is_checked('input[value="all"]')
    assert seen.complaints == []
    seen.context.close()


@pytest.mark.browser
def test_cells_appear_closer_in_and_small_groups_have_no_colour_of_speed(opened, demo_outputs):
    def painted() -> int:
        return opened.page.evaluate(
            "() => { const c = document.querySelector('canvas'); const k = document.createElement('canvas'); k.width = c.width; k.height = c.height; const p = k.getContext('2d', {willReadFrequently: true}); p.drawImage(c, 0, 0); const d = p.getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4) if (d[i]) n += 1; return n; }"
        )

    assert painted() == 0
    opened.page.evaluate("() => map_lomsong.setView([22.35, 103.4], 11, {animate: false})")
    assert painted() > 10_000
    data = read_page(demo_outputs / "maps/coverage_gaps.html")
    small = [f for cell in data["cells"] for f in cell["by"].values() if f["devices"] < 3]
    assert small
    assert all(f["mean"] is None and f["median"] is None and not f["weak"] for f in small)


@pytest.mark.browser
def test_a_phone_needs_no_sideways_scroll_and_can_zoom(browser, demo_outputs):
    seen = Seen(
        browser, demo_outputs / "maps/coverage_gaps.html", viewport={"width": 390, "height": 844}, device_scale_factor=2
    ).ready()
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 390
    assert "user-scalable" not in seen.page.get_attribute("meta[name=viewport]", "content")
    seen.context.close()


@pytest.mark.browser
def test_without_script_the_first_priorities_stand_in_a_table(browser, demo_outputs):
    seen = Seen(browser, demo_outputs / "maps/coverage_gaps.html", java_script_enabled=False)
    rows = seen.page.query_selector_all("noscript tbody tr")
    assert len(rows) == 10
    seen.context.close()


@pytest.mark.browser
def test_hostile_names_run_nothing(browser, tmp_path, lomsong):
    import json

    from tests.test_journey import golden_world

    evil = "</script><img src=x onerror=\"document.title='owned'\">"
    settings = golden_world(tmp_path)
    path = tmp_path / "boundaries.geojson"
    document = json.loads(path.read_text())
    document["features"][0]["properties"]["name"] = evil
    path.write_text(json.dumps(document))
    settings.write_text(settings.read_text(encoding="utf-8").replace("Bốn ô", evil.replace('"', "'")), encoding="utf-8")
    assert lomsong("run", "--settings", settings)[0] == 0
    seen = Seen(browser, tmp_path / "outputs/2026-10/maps/coverage_gaps.html", "#commune=r0c0").ready()
    assert seen.page.inner_text("#card h2 span") == evil
    assert seen.page.query_selector_all("img") == []
    assert "owned" not in seen.page.title().split("'")[0]
    assert seen.complaints == []
    seen.context.close()


@pytest.mark.browser
def test_english_and_tiles(browser, shared, tmp_path, lomsong):
    from tests.builders import SHARED

    example = (Path(__file__).resolve().parents[1] / "docs/examples/armenia_ookla.toml").read_text(encoding="utf-8")
    text = example.replace("../../data/boundaries", (SHARED / "boundaries").as_posix()).replace(
        "../../data/raw", (SHARED / "measurements").as_posix()
    )
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    assert lomsong("run", "--settings", tmp_path / "a.toml", "--out", tmp_path / "o")[0] == 0
    seen = Seen(browser, tmp_path / "o/2024Q3/maps/coverage_gaps.html").ready()
    assert seen.page.get_attribute("html", "lang") == "en"
    assert seen.page.inner_text("#headline").startswith("mobile · Q3/2024 · 40 Mbps · met ")
    assert sum(legend(seen.page).values()) == 11
    assert "CC BY-NC-SA" in seen.page.inner_text("footer")
    seen.context.close()


# --- the guards of the page, without a browser


def offline() -> OfflineMap:
    return OfflineMap([[22, 103], [23, 104]], lang="vi", title="t", label="l")


def test_the_page_asks_for_nothing_and_its_ids_are_fixed():
    one, two = offline().text(), offline().text()
    assert one == two
    assert "leaflet.js.map" not in one
    assert offline_map.CSP in one
    assert "Redistribution and use in source and binary forms" in one, "Leaflet's licence text"


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://x/y.js"></script>',
        "<link rel=stylesheet href=x.css>",
        '<img src="a.png">',
        "<style>a{background:url(b.png)}</style>",
        "<style>@import 'x';</style>",
    ],
)
def test_anything_from_elsewhere_is_refused(markup):
    from branca.element import Element

    page = offline()
    page.get_root().html.add_child(Element(markup))
    with pytest.raises(RemoteReference):
        page.text()


def test_another_leaflet_is_refused(monkeypatch):
    monkeypatch.setattr(offline_map, "LEAFLET_SHA256", "0")
    with pytest.raises(AssertionError, match="another hash"):
        offline_map.leaflet()


def test_the_map_is_within_its_budget(demo_outputs):
    import zlib

    page = (demo_outputs / "maps/coverage_gaps.html").read_bytes()
    assert len(page) <= 1.5e6
    assert len(zlib.compress(page)) <= 0.7e6
