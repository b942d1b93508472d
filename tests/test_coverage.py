"""Modelled coverage: loss, diffraction, heights along lines, pairs of sites and places."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from scipy.special import fresnel

from pipeline.actions.sites.coverage import (
    LEAST,
    coverage_probability,
    diffraction_db,
    knife_edge_db,
    pairs_within,
    path_loss_db,
    radius_km,
)
from pipeline.config.rules import Radio, radio_of
from pipeline.config.settings import Settings
from pipeline.schema.errors import UserFault
from pipeline.sources import elevation
from pipeline.sources.elevation import heights_along, read_elevation

RADIO = radio_of(Settings())
TERRAINS = ("flat", "hilly", "mountainous")
bands, masts = st.floats(400, 3000), st.floats(3, 200)
terrains = st.sampled_from((*TERRAINS, None))


def radio(**changes: float) -> Radio:
    return radio_of(Settings.model_validate({"site_plan": changes}))


def one(found) -> float:
    return float(np.asarray(found).ravel()[0])


# --- loss over distance


@pytest.mark.parametrize("km", [1.0, 2.0, 5.0, 20.0])
@pytest.mark.parametrize(
    ("band", "height", "terrain", "at_1_km", "slope"),
    [
        (900, 45, "flat", 95.5, 34.1),  # 3GPP TR 36.942, 4.5.3: rural area, 900 MHz, 45 m
        # Holma and Toskala, WCDMA for UMTS, 8.2: urban macro cell, 1950 MHz, 30 m, phone 1.5 m
        (1950, 30, "mountainous", 137.4, 35.2),
    ],
)
def test_published_formulas_of_hata(km, band, height, terrain, at_1_km, slope):
    expected = at_1_km + slope * np.log10(km)
    assert one(path_loss_db(km, band, height, terrain)) == pytest.approx(expected, abs=0.25)


@pytest.mark.parametrize(
    ("terrain", "expected"), [("mountainous", 137.88), ("hilly", 128.03), ("flat", 109.66)]
)
def test_reference_values_of_ns_3(terrain, expected):
    """ns-3, okumura-hata test suite: 869 MHz, 2 km, 30 m, phone at 1 m.

    A phone at 1.5 m loses half of 1.1 log f − 0.7 less; Extended Hata rounds Hata's constants.
    """
    phone = 0.5 * (1.1 * np.log10(869) - 0.7)
    assert one(path_loss_db(2.0, 869, 30, terrain)) == pytest.approx(expected - phone, abs=0.2)


def test_low_masts_lose_more_and_nothing_loses_less_than_free_space():
    at_30, at_15 = (one(path_loss_db(2.0, 900, h, "hilly")) for h in (30, 15))
    assert at_15 - at_30 == pytest.approx(20 * np.log10(2))
    free = 32.4 + 20 * np.log10(900) + 20 * np.log10(np.hypot(0.1, 0.0985))
    assert one(path_loss_db(0.1, 900, 100, "flat")) == pytest.approx(free)


def test_terrain_that_is_not_known_loses_as_hilly():
    assert one(path_loss_db(3, 900, 30, None)) == one(path_loss_db(3, 900, 30, "hilly"))


def test_far_paths_have_the_exponent_of_sm_2028():
    """At 100 km, 900 MHz, 50 m: 1 + (0.14 + 0.1683 + 0.0535) · 0.6990^0.8 = 1.2717."""
    urban = 69.6 + 26.2 * np.log10(900) - 13.82 * np.log10(50) - 0.0163
    urban += (44.9 - 6.55 * np.log10(50)) * 2**1.2717
    assert one(path_loss_db(100, 900, 50, "mountainous")) == pytest.approx(urban, abs=0.01)


@given(st.floats(0.001, 99), st.floats(1, 1.5), bands, masts, terrains)
def test_farther_never_loses_less(km, times, band, height, terrain):
    near, far = (one(path_loss_db(d, band, height, terrain)) for d in (km, km * times))
    assert far >= near - 1e-9


@given(st.floats(0.1, 20), st.floats(1, 2), bands, masts, terrains)
def test_higher_masts_never_lose_more_than_free_space_adds(km, times, band, height, terrain):
    """Up to 20 km; a path of free space is a little longer from a higher mast."""
    low, high = (one(path_loss_db(km, band, h, terrain)) for h in (height, height * times))
    longer = 10 * np.log10(1 + (height * times / 1000 / km) ** 2)
    assert high <= low + longer + 1e-9


@given(st.floats(0.001, 100), st.floats(1, 2), st.floats(400, 1500), masts, terrains)
def test_higher_bands_never_lose_less(km, times, band, height, terrain):
    low, high = (one(path_loss_db(km, f, height, terrain)) for f in (band, band * times))
    assert high >= low - 1e-9


@given(bands, masts, terrains)
def test_at_the_radius_the_median_level_is_the_least_one(band, height, terrain):
    found = one(radius_km(band, height, terrain, RADIO))
    level = RADIO.eirp_dbm - one(path_loss_db(found, band, height, terrain))
    assert level == pytest.approx(RADIO.min_rsrp_dbm, abs=0.01)


def test_radii_of_the_defaults():
    """Out of doors on 1800 MHz; in traditional houses on 900 MHz (P.2109: 12.5 dB) about as far."""
    found = radius_km(1800.0, 42.0, np.array(TERRAINS, dtype=object), RADIO)
    assert found.tolist() == pytest.approx([12.6, 3.3, 1.5], abs=0.05)
    indoors = radius_km(900.0, 42.0, np.array(TERRAINS, dtype=object), radio(indoor_loss_db=12.5))
    assert indoors.tolist() == pytest.approx([8.3, 2.4, 1.2], abs=0.1)


def test_radii_at_their_limits():
    assert one(radius_km(900.0, 42.0, "flat", radio(min_rsrp_dbm=29.9))) == 0
    assert one(radius_km(900.0, 42.0, "flat", radio(min_rsrp_dbm=-300))) == pytest.approx(100)
    assert one(radius_km(900.0, 42.0, "flat", radio(radius_km=3.5))) == 3.5


# --- ground between


def test_one_knife_edge():
    assert one(knife_edge_db(0.0)) == pytest.approx(6.0, abs=0.05)
    assert one(knife_edge_db(-0.78)) == pytest.approx(0, abs=0.02)
    assert one(knife_edge_db(-3.0)) == pytest.approx(0, abs=0.02)


@given(st.floats(-0.7, 8))
def test_the_knife_edge_is_fresnels_to_a_fifth_of_a_decibel(v):
    s, c = fresnel(v)
    exact = -20 * np.log10(np.hypot(1 - c - s, c - s) / 2)
    assert one(knife_edge_db(v)) == pytest.approx(exact, abs=0.2)


def ridge(height: float, at: int = 32, samples: int = 65) -> np.ndarray:
    profile = np.zeros((1, samples))
    profile[0, at] = height
    return profile


def lost(profile: np.ndarray, km: float = 10.0, height: float = 40.0, band: float = 900.0) -> float:
    return one(diffraction_db(profile, np.array([km]), np.array([height]), np.array([band])))


def test_a_ridge_by_hand():
    """10 km, 900 MHz, antenna 40 m, ridge of 200 m in the middle, 4/3 earth.

    The earth rises 1.47 m there; the ridge stands 180.7 m above the line; v = 8.857, J = 31.8 dB.
    Smooth ground comes nearest at sample 61: v = −0.353, J = 3.1 dB.
    """
    assert lost(ridge(200)) == pytest.approx(31.8 - 3.1, abs=0.05)
    assert lost(ridge(200).astype("float32")) == pytest.approx(lost(ridge(200)), abs=0.01)


def test_two_ridges_meet_in_bullingtons_point():
    """Ridges of 200 m at 2.5 and 7.5 km: the horizons meet near the middle, higher than both."""
    both = ridge(200, at=16) + ridge(200, at=48)
    assert lost(both) > lost(ridge(200, at=16))
    middle = (40 + (200 + 1.1 - 40) * 2 + 1.5 + (200 + 1.1 - 1.5) * 2) / 2  # of the two horizons
    assert lost(both) == pytest.approx(lost(ridge(middle - 1.47)), abs=0.4)


def test_smooth_ground_loses_nothing_more_at_any_height_above_the_sea():
    assert lost(ridge(0)) == 0
    assert lost(ridge(0) + 1500) == pytest.approx(0, abs=1e-9)
    assert lost(ridge(0).astype("float32") + np.float32(1500)) == pytest.approx(0, abs=0.01)
    assert lost(-np.abs(ridge(300))) == 0  # a valley


def test_a_profile_with_a_gap_is_not_known_and_near_phones_lose_nothing():
    broken = ridge(200)
    broken[0, 3] = np.nan
    assert np.isnan(lost(broken))
    assert np.isnan(lost(broken, km=0.05))
    assert lost(ridge(200), km=0.05) == 0
    assert lost(np.zeros((1, 2))) == 0


@given(st.floats(0, 500), st.floats(0, 500), st.integers(1, 63), bands, masts)
def test_a_higher_ridge_never_loses_less(low, more, at, band, height):
    smaller, taller = (lost(ridge(h, at), 5.0, height, band) for h in (low, low + more))
    assert taller >= smaller - 1e-6


@given(st.floats(30, 500), st.integers(1, 63), st.floats(400, 1500), masts)
def test_ridges_lose_more_on_higher_bands(ridge_m, at, band, height):
    """Of one edge above the line of sight; smooth ground, which is taken off, loses less then."""
    low, high = (lost(ridge(ridge_m + 200, at), 5.0, height, f) for f in (band, 2 * band))
    assert high >= low - 1e-6


# --- elevation


def write_raster(path, crs: str = "EPSG:4326", nodata: float | None = -9999):
    """103–103.2° E, 22–22.1° N in cells of 0.001°: a plain of 500 m, a wall at 103.1°."""
    if crs == "EPSG:4326":
        west, north, size, shape = 103.0, 22.1, 0.001, (100, 200)
    else:  # metres, 100 m
        x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(103.0, 22.1)
        west, north, size, shape = x, y, 100.0, (110, 206)
    metres = np.full(shape, 500.0, dtype="float32")
    middle = shape[1] // 2
    metres[:, middle - 1 : middle + 1] = 900
    metres[:5, :5] = -9999
    transform = rasterio.Affine(size, 0, west, 0, -size, north)
    with rasterio.open(
        path, "w", driver="GTiff", height=shape[0], width=shape[1], count=1, dtype="float32",
        crs=crs, transform=transform, nodata=nodata,
    ) as file:  # fmt: skip
        file.write(metres, 1)
    return path


WEST, EAST = np.array([[22.05, 103.02]]), np.array([[22.05, 103.18]])


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32648"])
def test_heights_along_a_line_across_the_wall(tmp_path, crs):
    path = write_raster(tmp_path / "e.tif", crs)
    found = heights_along(path, WEST, EAST, 161)[0]
    assert set(np.unique(found)) == {500.0, 900.0}
    walls = np.flatnonzero(found == 900)
    assert walls.min() == pytest.approx(79, abs=2)
    assert walls.max() == pytest.approx(80, abs=2)


def test_heights_are_those_of_the_cells(tmp_path):
    path = tmp_path / "e.tif"
    values = np.arange(12, dtype="float32").reshape(3, 4)
    with rasterio.open(
        path, "w", driver="GTiff", height=3, width=4, count=1, dtype="float32", crs="EPSG:4326",
        transform=rasterio.Affine(0.1, 0, 103, 0, -0.1, 22.3),
    ) as file:  # fmt: skip
        file.write(values, 1)
    here, there = np.array([[22.25, 103.05], [22.05, 103.35]]), np.array([[22.25, 103.35]] * 2)
    assert heights_along(path, here, there, 4).tolist() == [[0, 1, 2, 3], [11, 7, 7, 3]]
    assert heights_along(path, here[:1], there[:1], 4).tolist() == [[0, 1, 2, 3]]


def test_no_data_and_beyond_the_raster_are_not_known(tmp_path):
    path = write_raster(tmp_path / "e.tif")
    corner = np.array([[22.098, 103.002]])
    assert np.isnan(heights_along(path, corner, EAST, 9)[0, 0])
    beyond = heights_along(path, WEST, np.array([[22.05, 103.21]]), 9)[0]
    assert beyond[0] == 500
    assert np.isnan(beyond[-1])
    just_outside = heights_along(path, np.array([[22.05, 102.9995]]), EAST, 9)[0]
    assert np.isnan(just_outside[0])


def test_voids_that_the_file_does_not_declare_are_not_known(tmp_path):
    path = write_raster(tmp_path / "e.tif", nodata=None)
    with rasterio.open(path, "r+") as raster:
        heights = raster.read(1)
        heights[:, 0] = -32768
        raster.write(heights, 1)
    assert np.isnan(heights_along(path, np.array([[22.05, 103.0005]]), EAST, 9)[0, 0])


def test_a_large_window_is_read_coarser(tmp_path, monkeypatch):
    path = write_raster(tmp_path / "e.tif")
    monkeypatch.setattr(elevation, "MAX_CELLS", 2_000)
    window = read_elevation(path, np.concatenate([WEST - 0.04, EAST + 0.01]))
    assert window.metres.size <= 2_200
    found = window.along(WEST, np.array([[22.05, 103.09]]), 9)
    assert found.tolist() == [[500.0] * 9]


def test_rasters_that_cannot_be_used(tmp_path):
    with pytest.raises(UserFault) as raised:
        heights_along(tmp_path / "none.tif", WEST, EAST, 9)
    assert raised.value.faults[0].code == "missing_file"
    (tmp_path / "text.tif").write_text("no raster")
    with pytest.raises(UserFault) as raised:
        heights_along(tmp_path / "text.tif", WEST, EAST, 9)
    assert raised.value.faults[0].code == "unreadable_file"


# --- sites and places


def sites_at(*spots: tuple[float, float], terrain: str = "hilly", height: float = np.nan):
    frame = pd.DataFrame(spots, columns=["latitude", "longitude"])
    return frame.assign(height_m=height, band_mhz=np.nan, terrain=terrain)


def places_at(*spots: tuple[float, float]) -> pd.DataFrame:
    return pd.DataFrame(spots, columns=["latitude", "longitude"])


def haversine_km(here, there) -> float:
    (a, b), (c, d) = np.radians(here), np.radians(there)
    half = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return float(2 * 6371.0088 * np.arcsin(np.sqrt(half)))


@pytest.mark.parametrize("seed", range(5))
def test_pairs_against_brute_force(seed):
    rng = np.random.default_rng(seed)
    here = np.column_stack([rng.uniform(22, 22.5, 20), rng.uniform(103, 103.5, 20)])
    there = np.column_stack([rng.uniform(22, 22.5, 30), rng.uniform(103, 103.5, 30)])
    reach = rng.uniform(0, 30, 20)
    expected = [
        (i, j, km)
        for i in range(20)
        for j in range(30)
        if (km := haversine_km(here[i], there[j])) <= reach[i]
    ]
    site, place, km = pairs_within(here, there, reach)
    assert list(zip(site, place, strict=True)) == [(i, j) for i, j, _ in expected]
    assert km.tolist() == pytest.approx([km for *_, km in expected], abs=1e-9)


def test_probabilities_against_the_formula_pair_by_pair():
    sites = sites_at((22.0, 103.0), (22.02, 103.0), terrain="hilly")
    sites.loc[1, ["height_m", "band_mhz", "terrain"]] = [20.0, 900.0, "mountainous"]
    places = places_at((22.0, 103.0), (22.01, 103.0), (22.03, 103.0), (22.5, 103.0))
    found = coverage_probability(sites, places, RADIO).frame().set_index(["site", "place"])
    assert found.index.tolist() == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    for site, (f, h, terrain) in enumerate([(1800, 42, "hilly"), (900, 20, "mountainous")]):
        for place, spot in enumerate([22.0, 22.01, 22.03]):
            km = haversine_km((22.0 + 0.02 * site, 103.0), (spot, 103.0))
            margin = 30 + 110 - one(path_loss_db(km, f, h, terrain))
            expected = pd.Series([margin / 8]).map(normal_share).iloc[0]
            assert found["probability"][(site, place)] == pytest.approx(expected)


def normal_share(z: float) -> float:
    return NormalDist().cdf(z)


def test_half_of_the_places_at_the_radius_are_covered():
    degrees = np.degrees(one(radius_km(1800.0, 42.0, "hilly", RADIO)) / 6371.0088)
    found = coverage_probability(sites_at((22.0, 103.0)), places_at((22.0 + degrees, 103.0)), RADIO)
    assert found.probability.tolist() == pytest.approx([0.5], abs=1e-3)


def test_houses_and_shadowing_count():
    here, there = sites_at((22.0, 103.0)), places_at((22.02, 103.0))
    plain, indoors, even = (
        one(coverage_probability(here, there, about).probability)
        for about in (RADIO, radio(indoor_loss_db=5), radio(shadowing_sd_db=4))
    )
    assert indoors < plain < even


def test_negligible_pairs_are_left_out():
    """A mountainous site over 2.2 to 12 km: the open radius takes them in, the loss out again."""
    places = places_at(*((22.0 + 0.02 * step, 103.0) for step in range(1, 6)))
    found = coverage_probability(sites_at((22.0, 103.0), terrain="mountainous"), places, RADIO)
    assert found.probability.min() >= LEAST
    assert len(found.km) < 5


def test_a_fixed_radius_covers_all_within_and_nothing_beyond():
    places = places_at((22.0, 103.0), (22.026, 103.0), (22.028, 103.0))  # 0, 2.89, 3.11 km
    found = coverage_probability(sites_at((22.0, 103.0)), places, radio(radius_km=3.0))
    assert found.frame()[["place", "probability"]].values.tolist() == [[0, 1], [1, 1]]


def test_nothing_covers_nothing():
    assert coverage_probability(sites_at(), places_at((22.0, 103.0)), RADIO).frame().empty
    assert coverage_probability(sites_at((22.0, 103.0)), places_at(), RADIO).frame().empty


def test_a_wall_hides_the_place_behind_it(tmp_path):
    """Two places 4.1 km from the site at 103.06°: one before the wall, one behind it."""
    window = read_elevation(write_raster(tmp_path / "e.tif"), np.concatenate([WEST, EAST]))
    here, there = sites_at((22.05, 103.06)), places_at((22.05, 103.02), (22.05, 103.12))
    plain = coverage_probability(here, there, RADIO)
    found = coverage_probability(here, there, RADIO, window.along)
    assert found.place.tolist() == [0]
    assert found.probability[0] == pytest.approx(plain.probability[0])
    assert found.unknown_profiles == 0
    assert plain.place.tolist() == [0, 1]


def test_ground_that_is_not_known_is_counted_and_loses_as_without_a_raster(tmp_path):
    window = read_elevation(write_raster(tmp_path / "e.tif"), np.concatenate([WEST - 0.02, EAST]))
    here = sites_at((22.05, 103.005), terrain="mountainous")
    there = places_at((22.05, 102.995), (22.05, 103.015))  # the first lies beyond the raster
    plain = coverage_probability(here, there, RADIO)
    found = coverage_probability(here, there, RADIO, window.along)
    assert found.unknown_profiles == 1
    assert found.probability[0] == pytest.approx(plain.probability[0])
    hilly = coverage_probability(here.assign(terrain="hilly"), there, RADIO)
    assert found.probability[1] == pytest.approx(hilly.probability[1])
