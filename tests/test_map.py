"""The map in a real browser without a network: what a person sees equals the tables."""

from __future__ import annotations

import io
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path

import axe_playwright_python
import numpy as np
import pandas as pd
import pypdfium2
import pytest

from pipeline.publish.gap_map import palette
from pipeline.schema import texts
from pipeline.schema.fields import CHANGES
from pipeline.sources.previous_runs import read_run
from pipeline.verdicts.explain import explanation
from tests.builders import golden_world, page_table, read_page
from tests.map_page import Seen, choose, legend, named

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")


@pytest.mark.browser
def test_the_legend_counts_what_the_tables_say_for_every_operator(opened, demo_outputs):
    status = pd.read_csv(
        demo_outputs / "tables/commune_status.csv",
        dtype={"commune_code": str},
        keep_default_na=False,
    )
    summary = pd.read_csv(demo_outputs / "tables/commune_summary.csv")
    values = [
        r.get_attribute("value") for r in opened.page.query_selector_all("input[name=operator]")
    ]
    assert values == ["all", *sorted(set(status["operator"]) - {"all"})]
    found = {key: n for key, n in legend(opened.page).items() if n}
    assert found == summary["gap_class"].value_counts().to_dict()
    for operator in values[1:]:
        choose(opened.page, operator)
        rows = status[status["operator"] == operator]
        expected = (
            pd.Series(
                [
                    palette.verdict(s, e)
                    for s, e in zip(rows["status"], rows["evidence"], strict=True)
                ]
            )
            .value_counts()
            .to_dict()
        )
        assert {key: n for key, n in legend(opened.page).items() if n} == expected


COUNTS = {  # of one operator: which verdicts the headline counts together
    "meets": ["meets_target"],
    "gap": ["confirmed_gap", "probable_gap"],
    "borderline": ["borderline"],
    "insufficient_evidence": ["insufficient_evidence"],
    "no_data": ["no_data"],
}


def headline_of(counts: dict[str, int], lang: str) -> str:
    said = [f"{texts.text('page', f'count_{key}', lang)} {n}" for key, n in counts.items()]
    tail = texts.text("page", "of_communes", lang, all=38)
    return " · ".join(["4G", "10/2026", "40 Mbps", *said]) + " " + tail


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_headline_says_what_the_tables_say(browser, demo_outputs, lang):
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", keep_default_na=False)
    summary = pd.read_csv(demo_outputs / "tables/commune_summary.csv")
    path = demo_outputs / "maps/coverage_gaps.html"
    seen = Seen(browser, path, f"#lang={lang}").ready()
    classes, meets = summary["gap_class"], summary["every_operator_meets"]
    has_gap = int(classes.str.contains("gap").sum() - classes.eq("no_gap_found").sum())
    counts = {"no_gap": int(classes.eq("no_gap_found").sum()), "has_gap": has_gap}
    counts["not_known"] = 38 - sum(counts.values())
    assert seen.page.inner_text("#headline") == headline_of(counts, lang)
    low, high = summary[meets.eq("yes")], summary[meets.ne("no")]
    mark = {"vi": ".", "en": ","}[lang]
    people = [f"{int(one['population'].sum()):,}".replace(",", mark) for one in (low, high)]
    assert len(low) < len(high)
    assert seen.page.inner_text("#everywhere") == texts.text(
        "page", "everywhere", lang, n=f"{len(low)} – {len(high)}", all=38
    ) + texts.text("page", "everywhere_people", lang, n=" – ".join(people))
    for operator in ("Viettel", "Vietnamobile"):
        choose(seen.page, operator)
        rows = status.loc[status["operator"] == operator, "status"]
        counts = {key: int(rows.isin(among).sum()) for key, among in COUNTS.items()}
        assert sum(counts.values()) == 38
        assert seen.page.inner_text("#headline") == headline_of(counts, lang)
        assert not seen.page.is_visible("#everywhere"), "of all operators together"
    seen.context.close()


@pytest.mark.browser
def test_each_commune_has_the_colour_of_its_verdict(opened, demo_outputs):
    data = read_page(demo_outputs / "maps/coverage_gaps.html")
    choose(opened.page, "Viettel")
    fills = opened.page.evaluate(
        """() => {
          const out = {};
          geo_json_communes.eachLayer(l => {
            out[l.feature.properties.code] = l.getElement().getAttribute('fill');
          });
          return out;
        }"""
    )
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str})
    basis = status[status["operator"] == "Viettel"].set_index("commune_code")["evidence_basis"]
    for code, key in page_table(data, "status").xs("Viettel", level=1)["verdict"].items():
        paint = palette.STATUS_PAINT[key]
        expected = f"url(#p-{key})" if paint.pattern else paint.fill
        thin = f"url(#p-{key}-borrowed)"
        assert fills[code] == {"borrowed": thin}.get(basis[code], expected)


@pytest.mark.browser
def test_a_click_on_a_commune_opens_its_card_with_the_tables_figures(opened, demo_outputs):
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str})
    code = "03549"
    where = opened.page.evaluate(
        """code => {
          let at;
          geo_json_communes.eachLayer(l => {
            if (l.feature.properties.code === code)
              at = map_lomsong.latLngToContainerPoint(l.getCenter());
          });
          const box = document.querySelector('.map').getBoundingClientRect();
          return [box.left + at.x, box.top + at.y];
        }""",
        code,
    )
    opened.page.mouse.click(*where)
    assert f"commune={code}" in opened.page.evaluate("location.hash")
    for _, row in named(status[status["commune_code"] == code]).iterrows():
        text = opened.page.inner_text(f'#card tr[data-operator="{row["operator"]}"]')
        assert written(row["mean_mbps"], 1) in text
        assert f"{int(row['device_count'])}" in text
    wide = opened.page.eval_on_selector("#panel", "p => p.scrollWidth - p.clientWidth")
    assert wide == 0, "the card fits its panel"


def written(value: float, digits: int) -> str:
    """The value as a Vietnamese reader expects it, rounded once, half up.

    A speed that rounding would carry over the target is cut to two digits.
    """
    if pd.isna(value):
        return "–"
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    if digits and (value < 40) != (rounded < 40):
        rounded = Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_DOWN)
    return f"{rounded:,}".translate(str.maketrans(",.", ".,"))


@pytest.mark.browser
def test_every_card_of_every_commune_shows_the_tables_figures(opened, demo_outputs):
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str})
    shown = opened.page.evaluate(
        """codes => codes.map(code => {
          const out = {};
          location.hash = '#commune=' + code;
          window.dispatchEvent(new Event('hashchange'));
          document.querySelectorAll('#card tr[data-operator]').forEach(r => {
            out[r.dataset.operator] = [...r.cells].slice(1).map(c => c.textContent);
          });
          return out;
        })""",
        sorted(status["commune_code"].unique()),
    )
    compared = 0
    for (_, rows), cards in zip(status.groupby("commune_code"), shown, strict=True):
        assert sorted(cards) == sorted(named(rows)["operator"]), "no pooled mean is printed"
        for _, row in named(rows).iterrows():
            lo, hi = written(row["lo_mbps"], 1), written(row["hi_mbps"], 1)
            interval = lo if lo == "–" else f"{lo} – {hi}"
            assert cards[row["operator"]] == [
                written(row["mean_mbps"], 1),
                interval,
                written(float(row["device_count"]), 0),
            ]
            compared += 1
    assert compared == 38 * 4


@pytest.mark.slow
def test_cells_are_written_and_coloured_as_in_the_table(demo_outputs):
    """Rounded to what the page writes, and never into another class: 39.96 stays below 40."""
    table = (
        pd.read_parquet(demo_outputs / "tables/hex_status.parquet")
        .set_index(["hex_id", "operator"])
        .sort_index()
    )
    shown = page_table(read_page(demo_outputs / "maps/coverage_gaps.html"), "cells")
    assert shown.index.equals(table.index)
    assert (shown["devices"] == table["device_count"]).all()
    assert (shown["weak"] == table["is_weak"]).all()
    assert (shown["fast"] == table["is_fast_enough"]).all()
    for name, column, digit in (("mean", "mean_mbps", 0.1), ("median", "median_mbps", 0.1),
                                ("upload", "upload_mean_mbps", 0.1),
                                ("latency", "latency_median_ms", 1.0)):  # fmt: skip
        known = table[column].notna()
        assert (shown[name].notna() == known).all(), name
        assert (shown[name] - table[column])[known].abs().max() <= digit, name
        breaks = [-1.0, *palette.SCALES[name].breaks, 1e9]
        classes = [
            pd.cut(values[known], breaks, right=False, labels=False)
            for values in (shown[name], table[column])
        ]
        assert (classes[0] == classes[1]).all(), name


@pytest.mark.browser
@pytest.mark.parametrize("typed", ["phong tho", "Phong Thổ", "PHONG THO", "03549"])
def test_search_needs_no_accents(opened, typed):
    opened.page.fill("input[type=search]", typed)
    results = opened.page.query_selector_all("#search-results li")
    assert results[0].inner_text() == "Xã Phong Thổ"
    assert all("←" in r.inner_text() for r in results[1:]), "others were found by their old names"
    results[0].query_selector("button").click()
    assert opened.page.inner_text("#card h2 span") == "Xã Phong Thổ"


@pytest.mark.browser
def test_dd_is_found_as_d(opened):
    opened.page.fill("input[type=search]", "doan ket")
    assert opened.page.inner_text("#search-results li") == "Phường Đoàn Kết"


@pytest.mark.browser
def test_the_top_list_follows_the_operator_and_the_priorities(opened, demo_outputs):
    priorities = pd.read_csv(demo_outputs / "tables/priorities.csv")
    for operator, rows in (
        ("all", priorities),
        ("MobiFone", priorities[priorities["operator"] == "MobiFone"]),
    ):
        choose(opened.page, operator)
        shown = [li.inner_text() for li in opened.page.query_selector_all("#top-gaps li")]
        assert len(shown) == 10
        for text, (_, row) in zip(shown, rows.head(10).iterrows(), strict=True):
            assert text.startswith(f"{row['need_rank']}.")
            assert row["commune_name"] in text
            assert row["operator"] in text


@pytest.mark.browser
def test_the_hash_keeps_the_choice(browser, demo_outputs):
    seen = Seen(
        browser, demo_outputs / "maps/coverage_gaps.html", "#operator=VinaPhone&commune=03434"
    ).ready()
    assert seen.page.is_checked('input[value="VinaPhone"]')
    assert seen.page.inner_text("#card h2 span") == "Xã Nậm Hàng"
    assert seen.complaints == []
    seen.context.close()


@pytest.mark.browser
def test_a_broken_link_still_opens_the_map(browser, demo_outputs):
    seen = Seen(
        browser, demo_outputs / "maps/coverage_gaps.html", "#operator=%E0%A4%A&commune=nowhere&&="
    ).ready()
    assert seen.page.is_checked('input[value="all"]')
    assert seen.complaints == []
    seen.context.close()


def painted(page) -> int:
    """Pixels of the cells' canvas that are not transparent."""
    return page.evaluate(
        """() => {
          const c = document.querySelector('canvas');
          const k = document.createElement('canvas');
          k.width = c.width;
          k.height = c.height;
          const p = k.getContext('2d', {willReadFrequently: true});
          p.drawImage(c, 0, 0);
          const d = p.getImageData(0, 0, c.width, c.height).data;
          let n = 0;
          for (let i = 3; i < d.length; i += 4) if (d[i]) n += 1;
          return n;
        }"""
    )


@pytest.mark.browser
def test_cells_appear_closer_in_and_small_groups_have_no_colour_of_speed(opened, demo_outputs):
    names = painted(opened.page)
    opened.page.evaluate("() => { map_lomsong.setView([22.35, 103.4], 11, {animate: false}); }")
    assert painted(opened.page) > 5 * names
    small = page_table(read_page(demo_outputs / "maps/coverage_gaps.html"), "cells").query(
        "devices < 3"
    )
    assert len(small)
    assert small[["mean", "median", "upload", "latency"]].isna().all(axis=None)
    assert not small["weak"].any()


@pytest.mark.browser
@pytest.mark.parametrize("operator", ["Viettel", "VinaPhone", "MobiFone", "Vietnamobile"])
def test_a_click_on_a_cell_shows_its_row_of_the_table(opened, demo_outputs, operator):
    """The pixel that is clicked, the cell that answers, and the table agree.

    Small cells and large ones are clicked.
    """
    cells = pd.read_parquet(demo_outputs / "tables/hex_status.parquet").set_index(
        ["hex_id", "operator"]
    )
    choose(opened.page, operator)
    here = cells.xs(operator, level="operator")
    import h3

    inside = here[here["commune_code"].notna()]  # the centre, which is clicked, is in a commune
    chosen = [inside.index[inside["h3_resolution"] == size][:3] for size in (6, 9)]
    assert [len(ids) for ids in chosen] == [3, 3]
    for hex_id in chosen[0].append(chosen[1]):
        place = h3.cell_to_latlng(hex_id)
        zoom = 11 if h3.get_resolution(hex_id) == 6 else 14
        opened.page.evaluate(
            "([at, zoom]) => { map_lomsong.setView(at, zoom, {animate: false}); }", [place, zoom]
        )
        box = opened.page.query_selector(".map").bounding_box()
        opened.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        shown = opened.page.inner_text("#card-cell").split()[-1]
        assert h3.get_resolution(shown) >= h3.get_resolution(hex_id), (
            "the finest cell drawn there answers"
        )
        assert h3.cell_to_parent(shown, h3.get_resolution(hex_id)) == hex_id
        rows = opened.page.query_selector_all("tr[data-cell-operator]")
        assert operator in [row.get_attribute("data-cell-operator") for row in rows]
        for row in rows:
            figures = cells.loc[(shown, row.get_attribute("data-cell-operator"))]
            texts = [cell.inner_text() for cell in row.query_selector_all("td")]
            assert texts[2:] == [
                written(float(figures["device_count"]), 0),
                written(float(figures["test_count"]), 0),
            ]
            mean = float(texts[0].replace("–", "nan").replace(",", "."))
            assert mean == pytest.approx(figures["mean_mbps"], abs=0.1, nan_ok=True)
        assert hex_id[:4] in opened.page.evaluate("location.hash")


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_why_says_what_explain_says(opened, demo_outputs, lang):
    """152 cards, word for word."""
    run = read_run(demo_outputs)
    codes = sorted(run.status["commune_code"].unique())
    shown = opened.page.evaluate(
        """([codes, lang]) => codes.map(code => {
          location.hash = '#commune=' + code + '&lang=' + lang;
          window.dispatchEvent(new Event('hashchange'));
          const out = {};
          document.querySelectorAll('[data-why]').forEach(list => {
            out[list.dataset.why] = [...list.children].map(line => line.textContent);
          });
          return out;
        })""",
        [codes, lang],
    )
    compared = 0
    for code, cards in zip(codes, shown, strict=True):
        for row in named(run.status[run.status["commune_code"] == code]).to_dict("records"):
            areas = run.gap_areas
            gaps = list(
                areas.loc[
                    areas["commune_code"].eq(code) & areas["operator"].eq(row["operator"]), "gap_id"
                ]
            )
            expected = explanation(row, run.manifest["settings"], gaps, lang)[1:]
            assert cards[row["operator"]] == [line.strip() for line in expected]
            compared += 1
    assert compared == 152


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_card_and_the_headline_of_a_later_month(browser, four_months, lang):
    """The card says in how many windows; the headline counts what changed and what did not."""
    run = read_run(four_months / "2026-10")
    judged = run.status[run.status["operator"] == "V"].set_index("commune_code")
    changes = pd.read_csv(four_months / "2026-10/tables/changes.csv").query("operator == 'V'")
    path = four_months / "2026-10/maps/coverage_gaps.html"
    for code in ("r0c0", "r2c2"):
        seen = Seen(browser, path, f"#commune={code}&lang={lang}").ready()
        lines = seen.page.query_selector_all('[data-why="V"] li')
        gaps = run.gap_areas.query("commune_code == @code and operator == 'V'")["gap_id"]
        row = judged.reset_index().set_index("commune_code", drop=False).loc[code].to_dict()
        expected = explanation(row, run.manifest["settings"], list(gaps), lang)[1:]
        assert [one.text_content() for one in lines] == [line.strip() for line in expected]
        counts = changes["change"].value_counts().to_dict()
        since = texts.text(
            "page", "since", lang, period="09/2026", **dict.fromkeys(CHANGES, 0) | counts
        )
        assert seen.page.inner_text("#since") == since
        assert seen.complaints == []
        seen.context.close()
    assert judged["look_count"][["r0c0", "r1c1"]].tolist() == [2, 2]


@pytest.mark.browser
def test_views_of_one_operator_show_its_figures_and_no_view_pools_means(opened, demo_outputs):
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str})
    for view in ("mean", "median", "upload", "latency"):
        assert opened.page.is_disabled(f'input[name=view][value="{view}"]')
    choose(opened.page, "Viettel")
    rows = status[status["operator"] == "Viettel"]
    columns = {"mean": "mean_mbps", "median": "median_mbps", "upload": "upload_mean_mbps",
               "latency": "latency_median_ms", "tests": "test_count",
               "month": "month_test_count", "age": "evidence_age_days"}  # fmt: skip
    for view, column in columns.items():
        opened.page.check(f'input[name=view][value="{view}"]', force=True)
        breaks = [-1.0, *palette.SCALES[view].breaks, 1e9]
        expected = pd.cut(rows[column].dropna(), breaks, right=False, labels=False).value_counts()
        found = legend(opened.page)
        assert {k: n for k, n in found.items() if n and k != "none"} == {
            f"{view}:{i}": n for i, n in expected.items()
        }
        assert found.get("none", 0) == rows[column].isna().sum()
    opened.page.check('input[name=view][value="evidence"]', force=True)
    assert legend(opened.page)["confirmed"] == rows["evidence"].eq("confirmed").sum()
    opened.page.check('input[name=view][value="mean"]', force=True)
    choose(opened.page, "all")
    assert opened.page.is_checked('input[name=view][value="verdict"]'), (
        "operators are never pooled into one mean"
    )


@pytest.mark.browser
def test_the_legend_filters_map_table_and_csv_and_the_address_keeps_it(opened):
    choose(opened.page, "Viettel")
    before = legend(opened.page)
    opened.page.uncheck('#legend li[data-key="confirmed_gap"] input')
    assert legend(opened.page) == before, "counts stay"
    fills = opened.page.evaluate(
        """() => {
          const out = [];
          geo_json_communes.eachLayer(l => out.push(l.getElement().getAttribute('fill')));
          return out;
        }"""
    )
    assert fills.count("#e9e6df") == before["confirmed_gap"]
    assert palette.STATUS_PAINT["confirmed_gap"].fill not in fills
    opened.page.click("#show-table")
    assert len(opened.page.query_selector_all("#table tbody tr")) == 38 - before["confirmed_gap"]
    opened.page.reload()
    opened.page.wait_for_selector("html[data-ready=true]")
    assert not opened.page.is_checked('#legend li[data-key="confirmed_gap"] input')
    assert opened.page.is_visible("#table-view")


@pytest.mark.browser
def test_the_table_sorts_and_the_csv_is_the_table(opened, demo_outputs):
    status = pd.read_csv(demo_outputs / "tables/commune_status.csv", dtype={"commune_code": str})
    rows = status[status["operator"] == "VinaPhone"].set_index("commune_code")
    choose(opened.page, "VinaPhone")
    opened.page.click("#show-table")
    opened.page.click("[data-sort=mean]")
    assert opened.page.get_attribute("th:has([data-sort=mean])", "aria-sort") == "descending"
    codes = [
        r.query_selector("td").inner_text()
        for r in opened.page.query_selector_all("#table tbody tr")
    ]
    means = rows["mean_mbps"].reindex(codes)
    assert means.dropna().is_monotonic_decreasing
    assert means.isna().to_numpy()[-means.isna().sum() :].all(), "what is missing stands last"
    opened.page.click("[data-sort=mean]")
    codes = [
        r.query_selector("td").inner_text()
        for r in opened.page.query_selector_all("#table tbody tr")
    ]
    assert rows["mean_mbps"].reindex(codes).dropna().is_monotonic_increasing
    with opened.page.expect_download() as waiting:
        opened.page.click("#save-csv")
    content = Path(waiting.value.path()).read_bytes()
    assert content.startswith("\ufeff".encode())
    assert waiting.value.suggested_filename == "coverage_gaps_2026-10_VinaPhone_verdict.csv"
    saved = pd.read_csv(io.BytesIO(content), dtype={"Mã": str}).set_index("Mã")
    assert saved.index.tolist() == codes
    pd.testing.assert_series_equal(
        saved["Trung bình"],
        rows["mean_mbps"].reindex(codes),
        check_names=False,
        check_index=False,
        rtol=0,
        atol=0.001,
    )
    assert (saved["Thiết bị"] == rows["device_count"].reindex(codes).to_numpy()).all()
    assert set(saved["Ghi chú"]) == {"SỐ LIỆU GIẢ LẬP – INVENTED DATA"}


@pytest.mark.browser
def test_the_picture_of_the_view_is_a_png_with_the_map_in_it(opened):
    from PIL import Image

    choose(opened.page, "Viettel")
    with opened.page.expect_download() as waiting:
        opened.page.click("#save-png")
    picture = Image.open(waiting.value.path())
    assert picture.format == "PNG"
    assert picture.width > 2000
    colours = {colour for count, colour in picture.convert("RGB").getcolors(2**24) if count > 2000}
    assert {(0xA8, 0x3C, 0x08), (0x68, 0xA6, 0xD6), (0xDD, 0xDA, 0xD2)} <= colours


@pytest.mark.browser
def test_a_place_and_ids_can_be_copied(opened):
    opened.page.evaluate("() => { location.hash = '#operator=MobiFone&commune=03434'; }")
    opened.page.wait_for_selector("#card li[data-gap]")
    opened.page.click("#card li[data-gap] button:has-text('Chép mã')")
    gap = opened.page.get_attribute("#card li[data-gap]", "data-gap")
    opened.page.wait_for_selector("#said:not(:empty)", state="attached")
    assert opened.page.text_content("#said") == f"Đã chép: {gap}"
    opened.page.focus("#search")
    opened.page.keyboard.press("Control+V")
    assert opened.page.input_value("#search") == gap


@pytest.mark.browser
def test_gap_areas_are_drawn_named_and_flown_to(opened, demo_outputs):
    areas = pd.read_csv(demo_outputs / "tables/gap_areas.csv", dtype={"commune_code": str})
    area = areas[(areas["operator"] == "MobiFone") & (areas["commune_code"] == "03434")].iloc[0]
    opened.page.evaluate("() => { location.hash = '#operator=MobiFone&commune=03434'; }")
    opened.page.wait_for_selector("#card li[data-gap]")
    lines = opened.page.query_selector_all("#card li[data-gap]")
    here = areas[(areas["operator"] == "MobiFone") & (areas["commune_code"] == "03434")]
    assert [line.get_attribute("data-gap") for line in lines] == here["gap_id"].tolist()
    assert written(float(area["mean_mbps"]), 1) + " Mbps" in lines[0].inner_text()
    opened.page.emulate_media(reduced_motion="reduce")
    lines[0].query_selector("button").click()
    centre = opened.page.evaluate(
        "() => { const c = map_lomsong.getCenter(); return [c.lat, c.lng, map_lomsong.getZoom()]; }"
    )
    assert abs(centre[0] - area["gap_latitude"]) < 0.01
    assert abs(centre[1] - area["gap_longitude"]) < 0.01
    assert centre[2] == 12


@pytest.mark.browser
@pytest.mark.parametrize("typed", ["quyet thang", "huyen tam duong"])
def test_old_names_are_found(opened, demo, typed):
    from pipeline.verdicts.explain import plain

    old = pd.read_csv(demo / "boundaries/crosswalk.csv", dtype=str)
    found = old[
        old["old_ward_name"].map(plain).str.contains(typed)
        | old["old_district_name"].map(plain).eq(typed)
    ]
    opened.page.fill("input[type=search]", typed)
    results = [r.inner_text() for r in opened.page.query_selector_all("#search-results li")]
    assert len(results) == found["new_ward_code"].nunique() > 0
    assert all("←" in text for text in results)


@pytest.mark.browser
def test_the_language_switches_every_word_and_number(opened):
    choose(opened.page, "Viettel")
    opened.page.click("#language")
    assert opened.page.get_attribute("html", "lang") == "en"
    assert opened.page.inner_text("#headline").startswith("4G · 10/2026 · 40 Mbps · Meets ")
    assert opened.page.title().startswith("Mobile coverage gaps – Lai Châu")
    words = set(
        opened.page.evaluate(
            "[...document.querySelectorAll('[data-t]')].map(e => e.dataset.t + '=' + e.textContent)"
        )
    )
    opened.page.click("#language")
    again = set(
        opened.page.evaluate(
            "[...document.querySelectorAll('[data-t]')].map(e => e.dataset.t + '=' + e.textContent)"
        )
    )
    assert not words & again, "no word stays as it was"


@pytest.mark.browser
def test_the_map_can_be_used_by_keyboard(opened):
    page = opened.page
    page.focus("#search")
    page.keyboard.type("muong te")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('#search-results') !== null")
    page.keyboard.press("Enter")
    assert page.inner_text("#card h2 span") == "Xã Mường Tè"
    page.keyboard.press("Escape")
    assert page.query_selector("#card h2") is None
    page.focus('input[name=operator][value="all"]')
    page.keyboard.press("ArrowRight")
    assert page.is_checked('input[name=operator][value="MobiFone"]')
    page.focus(".map")
    before = page.evaluate(
        """() => {
          window.zoomed = new Promise(done =>
            map_lomsong.once('zoomend', () => done(map_lomsong.getZoom())));
          return map_lomsong.getZoom();
        }"""
    )
    page.keyboard.press("+")
    assert page.evaluate("window.zoomed") > before
    page.focus("#show-table")
    page.keyboard.press("Enter")
    assert page.is_visible("#table-view")
    page.keyboard.press("Escape")
    assert not page.is_visible("#table-view")
    assert page.evaluate("document.activeElement.id") == "show-table"


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1366, 768), (390, 844)])
@pytest.mark.parametrize(
    "choice",
    ["", "#operator=Viettel&view=mean&commune=03390", "#operator=MobiFone&table=1&lang=en"],
)
def test_axe_finds_no_barrier(browser, demo_outputs, size, choice):
    """axe: WCAG 2 A and AA (2.0 to 2.2) and its best practices."""
    seen = Seen(
        browser,
        demo_outputs / "maps/coverage_gaps.html",
        choice,
        viewport={"width": size[0], "height": size[1]},
    )
    seen.ready().page.evaluate(AXE.read_text(encoding="utf-8"))
    found = seen.page.evaluate(
        "rules => axe.run(document, {runOnly: rules})",
        ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    )
    assert len(found["passes"]) > 30
    assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
    seen.context.close()


@pytest.mark.browser
def test_it_prints_on_one_a4_page(browser, demo_outputs):
    for choice, fill in (
        ("", palette.CLASS_PAINT["partial_gap"].fill),
        ("#operator=Viettel", palette.STATUS_PAINT["confirmed_gap"].fill),
        ("#operator=Viettel&commune=03390", palette.OUTSIDE),
    ):
        seen = Seen(
            browser,
            demo_outputs / "maps/coverage_gaps.html",
            choice,
            viewport={"width": 1366, "height": 768},
        ).ready()
        before = seen.page.evaluate("[map_lomsong.getZoom(), map_lomsong.getSize().x]")
        content = seen.page.pdf(prefer_css_page_size=True, print_background=True)
        assert (
            content.count(b"/Type /Page\n")
            + content.count(b"/Type/Page/")
            + content.count(b"/Type /Page ")
            == 1
        )
        box = content.split(b"/MediaBox [")[1].split(b"]")[0].split()
        assert [round(float(v)) for v in box] == [0, 0, 842, 595]
        page = pypdfium2.PdfDocument(content)[0]
        pixels = np.asarray(page.render(scale=1.0).to_pil().convert("RGB"))
        assert (pixels < 250).any(axis=2).mean() > 0.2
        printed = {tuple(pixel) for pixel in pixels.reshape(-1, 3)}
        assert tuple(int(fill[i : i + 2], 16) for i in (1, 3, 5)) in printed, "communes are drawn"
        text = " ".join(page.get_textpage().get_text_bounded().split())
        for item in seen.page.query_selector_all("#legend .name"):
            assert item.inner_text() in text
        assert seen.page.evaluate("[map_lomsong.getZoom(), map_lomsong.getSize().x]") == before, (
            "the view is as before"
        )
        assert seen.page.query_selector("canvas.leaflet-zoom-hide"), "the canvas is back"
        seen.context.close()


@pytest.mark.browser
def test_a_phone_needs_no_sideways_scroll_and_can_zoom(browser, demo_outputs):
    seen = Seen(
        browser,
        demo_outputs / "maps/coverage_gaps.html",
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
    ).ready()
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 390
    assert seen.page.is_visible("#headline")
    seen.page.emulate_media(reduced_motion="reduce")
    panel = seen.page.query_selector("#panel")
    closed = panel.bounding_box()["y"]
    seen.page.click("#sheet")
    assert seen.page.get_attribute("#sheet", "aria-expanded") == "true"
    assert panel.bounding_box()["y"] < closed - 200
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 390
    assert "user-scalable" not in seen.page.get_attribute("meta[name=viewport]", "content")
    seen.context.close()


@pytest.mark.browser
def test_without_script_the_first_priorities_stand_in_a_table(browser, demo_outputs):
    seen = Seen(browser, demo_outputs / "maps/coverage_gaps.html", java_script_enabled=False)
    rows = seen.page.query_selector_all("noscript tbody tr")
    assert len(rows) == 10
    picture = seen.page.query_selector("noscript img")
    assert picture.evaluate("i => [i.complete, i.naturalWidth]") == [True, 1600]
    seen.context.close()


@pytest.mark.browser
def test_hostile_names_run_nothing(browser, tmp_path, lomsong):
    """Names of the area, a commune, an operator and the notice that are markup stay text.

    On the map, in table, card, tooltip, title and CSV.
    """
    import json

    evil = "</script><img src=x onerror=\"document.title='owned'\">"
    settings = golden_world(tmp_path)
    path = tmp_path / "boundaries.geojson"
    document = json.loads(path.read_text())
    document["features"][0]["properties"]["name"] = evil
    path.write_text(json.dumps(document))
    text = settings.read_text(encoding="utf-8").replace("Bốn ô", evil.replace('"', "'"))
    text = text.replace("A = []", f'{json.dumps("=" + evil)} = ["A"]')
    settings.write_text(text + f"\n[publish]\nnotice = {json.dumps(evil)}\n", encoding="utf-8")
    assert lomsong("run", "--settings", settings, "--publish", "map")[0] == 0
    operator = "=" + evil
    seen = Seen(
        browser,
        tmp_path / "outputs/2026-10/maps/coverage_gaps.html",
        "#commune=r0c0",
        accept_downloads=True,
    ).ready()
    page = seen.page
    assert operator in [
        r.get_attribute("value") for r in page.query_selector_all("input[name=operator]")
    ]
    page.evaluate(
        """name => {
          const all = [...document.querySelectorAll('input[name=operator]')];
          all.find(r => r.value === name).click();
        }""",
        operator,
    )
    assert page.inner_text("#card h2 span") == evil
    assert operator in page.inner_text("#card table")
    page.evaluate("() => { map_lomsong.setView([22.05, 103.05], 11, {animate: false}); }")
    box = page.query_selector(".map").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2)
    assert page.inner_text(".leaflet-tooltip strong") == evil
    with page.expect_download() as waiting:
        page.click("#save-csv")
    saved = pd.read_csv(waiting.value.path(), encoding="utf-8-sig")
    assert evil in set(saved["Xã, phường"])
    assert set(saved["Nhà mạng"]) == {"'" + operator}, (
        "a spreadsheet would run a text that begins with ="
    )
    page.click("#show-table")
    assert evil in page.inner_text("#table")
    page.click("#language")
    assert page.query_selector_all("img") == []
    assert "owned" not in page.title().split("'")[0]
    assert seen.complaints == []
    seen.context.close()


@pytest.mark.browser
def test_english_and_tiles(browser, shared, tmp_path, lomsong):
    example = (Path(__file__).resolve().parents[1] / "docs/examples/armenia_ookla.toml").read_text(
        encoding="utf-8"
    )
    text = example.replace("../../data/boundaries", (shared / "boundaries").as_posix()).replace(
        "../../data/raw", (shared / "measurements").as_posix()
    )
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    assert lomsong("run", "--settings", tmp_path / "a.toml", "--publish", "map")[0] == 0
    seen = Seen(browser, tmp_path / "outputs/2024Q3/maps/coverage_gaps.html").ready()
    assert seen.page.get_attribute("html", "lang") == "en"
    assert seen.page.inner_text("#headline").startswith("mobile · Q3/2024 · 40 Mbps · Meets ")
    assert sum(legend(seen.page).values()) == 11
    assert "CC BY-NC-SA" in seen.page.inner_text("footer")
    seen.context.close()
