"""The map's page without a browser: its guards, its data, its bytes, its picture."""

from __future__ import annotations

import itertools
import re
import zlib
from pathlib import Path

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publish.gap_map import offline_map, palette
from pipeline.publish.gap_map.columns import classed, decoded, encoded, scaled, zigzag
from pipeline.publish.gap_map.offline_map import OfflineMap, RemoteReference
from pipeline.publish.gap_map.page_data import _outlines, simplified
from pipeline.publish.gap_map.page_texts import page_texts
from pipeline.schema.fields import CHANGES, GAP_CLASSES, STATUSES
from tests.builders import read_page

FOLDER = Path(palette.__file__).parent


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
    page = (demo_outputs / "maps/coverage_gaps.html").read_bytes()
    assert len(page) <= 1.5e6
    assert len(zlib.compress(page)) <= 0.7e6


# --- columns


@given(st.lists(st.lists(st.integers(0, 2**48 - 1), max_size=40), max_size=5))
def test_columns_come_back_as_they_went(listed):
    columns = {str(i): np.array(values, dtype="int64") for i, values in enumerate(listed)}
    found = decoded(encoded(columns))
    assert {name: values.tolist() for name, values in found.items()} == {
        n: v.tolist() for n, v in columns.items()
    }


@given(st.lists(st.integers(-(2**30), 2**30), max_size=50))
def test_folded_steps_lead_back(values):
    steps = zigzag(np.array(values, dtype="int64"))
    assert (steps >= 0).all()
    signed = np.where(steps % 2 == 1, -(steps + 1) // 2, steps // 2)
    assert np.cumsum(signed).tolist() == values


@given(st.lists(st.floats(0, 5000), min_size=1, max_size=50))
def test_a_stored_figure_is_of_the_figures_class_and_near_it(values):
    breaks = palette.SPEED_BREAKS_MBPS
    exact = np.array(values)
    kept = (classed(exact, 10, breaks) - 1) / 10
    assert np.abs(kept - exact).max() <= 0.1 + 1e-9
    # a millionth of a millionth below a limit is the limit itself, as in the table's printed digits
    clear = np.abs(exact[:, None] - np.array(breaks)).min(axis=1) > 1e-6
    assert (np.searchsorted(breaks, kept, "right") == np.searchsorted(breaks, exact, "right"))[
        clear
    ].all()


def test_what_has_no_figure_is_missing_and_what_cannot_be_fails():
    assert scaled(pd.Series([np.nan, np.inf, 1e30]), 1000).tolist() == [0, 0, 0]
    with pytest.raises(AssertionError):
        scaled(pd.Series([-1.0]), 10)
    with pytest.raises(AssertionError, match="53 bits"):
        encoded({"a": np.array([2**50])})


def rings_of(
    columns: dict[str, np.ndarray], prefix: str
) -> list[tuple[int, list[tuple[float, float]]]]:
    """(shape, ring) as the page's script puts them together."""

    def unfolded(name: str) -> np.ndarray:
        steps = columns[f"{prefix}.{name}"].astype("int64")
        return np.cumsum(np.where(steps % 2 == 1, -(steps + 1) // 2, steps // 2))

    x, y, shapes = unfolded("x") / 1e5, unfolded("y") / 1e5, unfolded("ring_shape")
    newest, corners = 0, []
    for steps in columns[f"{prefix}.back"].astype("int64"):
        corners.append(newest - steps)
        newest += steps == 0
    found, at = [], 0
    for shape, size in zip(shapes, columns[f"{prefix}.ring_size"].astype("int64"), strict=True):
        found.append((int(shape), [(x[c], y[c]) for c in corners[at : at + size]]))
        at += size
    return found


def test_outlines_are_the_cells_to_a_metre(demo_outputs):
    columns = decoded(read_page(demo_outputs / "maps/coverage_gaps.html")["block"])
    ids = [
        f"{(int(h) << 32) | int(low):x}"
        for h, low in zip(columns["h.id_high"], columns["h.id_low"], strict=True)
    ]
    assert ids == sorted(ids)
    rings = rings_of(columns, "h")
    assert [shape for shape, _ in rings] == list(range(len(ids)))
    for shape, ring in rings:
        corners = [(lon, lat) for lat, lon in h3.cell_to_boundary(ids[shape])]
        assert len(ring) == len(corners)
        assert np.abs(np.array(ring) - np.array(corners)).max() <= 0.51e-5


def test_shapes_with_several_rings_and_no_shape_at_all():
    shapes = np.array(
        [
            shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)]),
            shapely.box(1, 0, 2, 1),
        ]
    )
    columns = _outlines("g", shapes)
    found = rings_of(columns, "g")
    assert [shape for shape, _ in found] == [0, 0, 1]
    assert len(columns["g.x"]) == 8, "corners that shapes share are sent once"
    assert [shapely.Polygon(ring).area for _, ring in found] == [1, 1, 1]
    assert rings_of(decoded(encoded(_outlines("g", np.array([], dtype=object)))), "g") == []


# --- words, picture, bytes


def test_both_languages_have_every_word():
    vietnamese, english = (
        page_texts(one, with_villages=True, with_sites=True) for one in ("vi", "en")
    )
    assert set(vietnamese) == set(english)
    assert all(vietnamese.values())
    scripts = "".join(p.read_text(encoding="utf-8") for p in FOLDER.glob("scripts/*.js"))
    used = set(re.findall(r"""\bt\('(\w+)'""", scripts))
    assert used
    starts = {"key_", "view_", "explain_", "gate_", "village_", "ground_", "official_", "count_"}
    starts.add("site_")
    assert used - starts <= set(vietnamese)


def test_the_picture_is_small_and_has_the_verdicts_colours(demo_outputs):
    from PIL import Image

    path = demo_outputs / "maps/coverage_gaps.png"
    assert path.stat().st_size < 150_000
    picture = Image.open(path).convert("RGB")
    assert picture.size == (1600, 1000)
    counts = {colour: n for n, colour in picture.getcolors(2**24)}
    classes = pd.read_csv(demo_outputs / "tables/commune_summary.csv")["gap_class"].value_counts()
    for key, count in classes.items():
        fill = palette.CLASS_PAINT[key].fill
        rgb = tuple(int(fill[i : i + 2], 16) for i in (1, 3, 5))
        near = sum(
            n
            for colour, n in counts.items()
            if max(abs(a - b) for a, b in zip(colour, rgb, strict=True)) <= 3
        )
        assert near > 1000 * count, key


# Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB; grey print: luminance
SEEN_AS = {
    "full colour": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    "grey print": np.tile([0.2126, 0.7152, 0.0722], (3, 1)),
}


def lab(fill: str, seen_as: str) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour as it is seen."""
    rgb = np.array([int(fill[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    seen = np.clip(SEEN_AS[seen_as] @ linear, 0, 1)
    share = to_xyz @ seen / to_xyz.sum(axis=1)
    x, y, z = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("seen_as", SEEN_AS)
def test_gap_classes_are_told_apart_by_everyone_and_in_grey_print(seen_as):
    seen = {key: lab(paint.fill, seen_as) for key, paint in palette.CLASS_PAINT.items()}
    for one, other in itertools.combinations(seen, 2):
        if {one, other} != {"partial_gap", "gap_rest_unknown"}:  # these differ by their pattern
            assert np.linalg.norm(seen[one] - seen[other]) > 10, (one, other)
    patterns = {key: paint.pattern for key, paint in palette.CLASS_PAINT.items()}
    assert patterns["partial_gap"] != patterns["gap_rest_unknown"]
    assert patterns["total_gap"] != patterns["gap_rest_borderline"]


@pytest.mark.parametrize("seen_as", SEEN_AS)
def test_another_verdict_is_told_apart_from_every_change_of_speed_and_from_none(seen_as):
    seen = {key: lab(paint.fill, seen_as) for key, paint in palette.CHANGE_PAINT.items()}
    decided = seen.pop("decided")
    assert min(np.linalg.norm(decided - other) for other in seen.values()) > 9
    assert set(palette.CHANGE_PAINT) == set(CHANGES)


def test_the_more_operators_miss_the_target_the_darker_the_commune():
    order = ["total_gap", "gap_rest_borderline", "partial_gap", "no_gap_found", "unknown"]
    lightness = [lab(palette.CLASS_PAINT[key].fill, "grey print")[0] for key in order]
    assert np.diff(lightness).min() > 10
    assert list(palette.CLASS_PAINT) == list(GAP_CLASSES), "the legend's order is the tables'"


def test_the_headline_counts_every_class_with_a_gap_as_not_met():
    script = (FOLDER / "scripts/4_view.js").read_text(encoding="utf-8")
    good, bad = (
        set(re.findall(r"'(\w+)'", re.search(rf"const {name} = (.+);", script)[1]))
        for name in ("GOOD", "BAD")
    )
    assert bad == {key for key in (*GAP_CLASSES, *STATUSES) if "gap" in key} - good
    assert good & set(GAP_CLASSES) == {"no_gap_found"}


def test_scripts_stay_small():
    scripts = list(FOLDER.glob("scripts/*.js"))
    assert len(scripts) == 12
    assert all(
        p.stat().st_size < 60_000 and p.read_text(encoding="utf-8").count("\n") <= 400
        for p in scripts
    )
    assert not any(
        "http" in p.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        for p in scripts
    )


def test_the_simplified_communes_stay_a_coverage(demo):
    communes = gpd.read_file(demo / "boundaries/communes.geojson").rename(
        columns={"commune_code": "commune_code"}
    )
    shapes = [shapely.geometry.shape(f["geometry"]) for f in simplified(communes)["features"]]
    assert len(shapes) == len(communes)
    union = shapely.union_all(np.array(shapes))
    assert abs(sum(s.area for s in shapes) - union.area) < 1e-6 * union.area
