"""Modelled coverage: how likely a place receives a site's signal.

Median loss by the Extended Hata model, diffraction by the ground between, log-normal shadowing.
Sources, assumptions and limits: `docs/investment.md`. Coverage is modelled and never mixed with
what was measured. Does not belong here: which sites are built, reading the raster
(`sources/elevation.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree
from scipy.special import ndtr

from pipeline.config.rules import Radio
from pipeline.measurements.strata import EARTH_KM, on_sphere

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Numbers = float | Floats
Texts = str | npt.NDArray[np.object_]
# heights along lines: (from, to, both n × 2 latitude and longitude; samples) → n × samples
Heights = Callable[[Floats, Floats, int], npt.NDArray[np.floating]]

PHONE_M = 1.5  # m above ground
OPEN, SUBURBAN, URBAN = "open", "suburban", "urban"
ENVIRONMENTS = {"flat": OPEN, "hilly": SUBURBAN, "mountainous": URBAN}  # an assumption
NEAREST_KM, FARTHEST_KM = 0.001, 100.0  # Extended Hata: up to 100 km
EFFECTIVE_EARTH_KM = 4 / 3 * 6371.0  # the usual refraction, ITU-R P.526
SAMPLES = 65  # of a profile: every 200 m at 12.8 km
LEAST = 0.01  # a smaller probability is none: such pairs are left out
_CHUNK = 20_000  # profiles at a time


@dataclass(frozen=True)
class Pairs:
    """Pairs of a site and a place that it may reach, by site, then place.

    `site`, `place`: row numbers. `probability`: that the place receives the site, LEAST to 1.
    `unknown_profiles`: pairs whose ground is not known, computed without diffraction.
    """

    site: Ints
    place: Ints
    km: Floats
    probability: Floats
    unknown_profiles: int = 0

    def frame(self) -> pd.DataFrame:
        """The pairs as a table: site, place, km, probability."""
        return pd.DataFrame(
            {"site": self.site, "place": self.place, "km": self.km, "probability": self.probability}
        )


# --- loss over distance


def path_loss_db(km: Numbers, band_mhz: Numbers, height_m: Numbers, terrain: Texts) -> Floats:
    """Median loss (dB) between an antenna and a phone 1.5 m above ground, Extended Hata.

    `terrain`: flat (open area), hilly (suburban), mountainous (urban); any other as hilly. Valid
    from 30 MHz to 3 GHz and up to 100 km; never less than in free space. Sources: ERC Report 68
    (2002), annex A; Rep. ITU-R SM.2028; Hata, IEEE Trans. VT-29(3), 1980. All arguments broadcast.

    >>> [round(float(path_loss_db(2.0, 900.0, 30.0, one)), 1) for one in ENVIRONMENTS]
    [108.7, 127.2, 137.2]
    """
    d, f, h = (np.asarray(one, dtype="float64") for one in (km, band_mhz, height_m))
    far = np.maximum(
        _hata(np.maximum(d, 0.1), f, h, terrain), _free_space(np.maximum(d, 0.1), f, h)
    )
    near = _free_space(np.minimum(d, 0.04), f, h)
    between = np.clip(np.log(np.maximum(d, 0.04) / 0.04) / np.log(0.1 / 0.04), 0, 1)
    return np.asarray(near + between * (far - near))


def _free_space(d: Floats, f: Floats, h: Floats) -> Floats:
    apart = d**2 + ((h - PHONE_M) / 1000) ** 2
    return np.asarray(32.4 + 20 * np.log10(f) + 10 * np.log10(apart))


def _hata(d: Floats, f: Floats, h: Floats, terrain: Texts) -> Floats:
    """Extended Hata from 0.1 km on; heights below 30 m lose 20 log(30 / h) more."""
    log_f, tall = np.log10(f), np.log10(np.maximum(h, 30))
    phone = (1.1 * log_f - 0.7) * PHONE_M - (1.56 * log_f - 0.8)
    phone = phone + max(0.0, 20 * np.log10(PHONE_M / 10))
    low = np.minimum(0, 20 * np.log10(h / 30))
    at_1_km = np.select(
        [f <= 150, f <= 1500, f <= 2000],
        [
            69.6 + 26.2 * np.log10(150) - 20 * np.log10(150 / f),
            69.6 + 26.2 * log_f,
            46.3 + 33.9 * log_f,
        ],
        46.3 + 33.9 * np.log10(2000) + 10 * np.log10(f / 2000),
    )
    beyond = np.log10(np.maximum(d / 20, 1)) ** 0.8
    power = 1 + (0.14 + 1.87e-4 * f + 1.07e-3 * h) * beyond
    log_d = np.log10(d)
    powered = np.where(d > 20, np.abs(log_d) ** power, log_d)
    urban = at_1_km - 13.82 * tall + (44.9 - 6.55 * tall) * powered - phone - low
    return np.asarray(urban - _less_than_urban(f, terrain))


def _less_than_urban(f: Floats, terrain: Texts) -> Floats:
    """By how much less an open or suburban area loses than an urban one, dB."""
    held = np.log10(np.clip(f, 150, 2000))
    suburban = 2 * (held - np.log10(28)) ** 2 + 5.4
    open_area = 4.78 * held**2 - 18.33 * held + 40.94
    kinds = np.asarray(terrain, dtype=object)
    is_open, is_urban = kinds == "flat", kinds == "mountainous"
    return np.asarray(np.where(is_open, open_area, np.where(is_urban, 0.0, suburban)))


def radius_km(band_mhz: Numbers, height_m: Numbers, terrain: Texts, about: Radio) -> Floats:
    """The distance (km) at which the median level is `min_rsrp_dbm`: there P = 0.5.

    By bisection, right to 1 m, between NEAREST_KM and FARTHEST_KM; 0 where even the nearest is too
    far. With a fixed `radius_km` in the settings that one.

    >>> radio = Radio(1800, 42, 30, -110, 0, 8, None)
    >>> [round(float(radius_km(1800, 42, one, radio)), 1) for one in ENVIRONMENTS]
    [12.6, 3.3, 1.5]
    """
    f, h = (np.asarray(one, dtype="float64") for one in (band_mhz, height_m))
    shape = np.broadcast_shapes(f.shape, h.shape, np.shape(terrain))
    if about.radius_km is not None:
        return np.full(shape, about.radius_km)
    allowed = about.eirp_dbm - about.indoor_loss_db - about.min_rsrp_dbm
    low, high = np.full(shape, NEAREST_KM), np.full(shape, FARTHEST_KM)
    for _ in range(40):
        middle = np.sqrt(low * high)
        reaches = path_loss_db(middle, f, h, terrain) <= allowed
        low, high = np.where(reaches, middle, low), np.where(reaches, high, middle)
    return np.where(path_loss_db(NEAREST_KM, f, h, terrain) <= allowed, low, 0.0)


# --- ground between


def knife_edge_db(v: Numbers) -> Floats:
    """Loss (dB) behind one knife edge, J(v) of ITU-R P.526: 0 up to v = −0.78.

    >>> [round(float(knife_edge_db(v)), 1) for v in (-0.78, 0.0, 1.0, 2.4)]
    [0.0, 6.0, 13.9, 20.5]
    """
    apart = np.maximum(np.asarray(v, dtype="float64"), -0.78) - 0.1
    loss = 6.9 + 20 * np.log10(np.sqrt(apart**2 + 1) + apart)
    return np.asarray(np.maximum(loss, 0))


def diffraction_db(
    heights_m: npt.NDArray[np.floating], km: Floats, height_tx_m: Floats, band_mhz: Floats
) -> Floats:
    """Loss (dB) by the ground of each profile beyond that of smooth ground, at least 0.

    `heights_m`: profiles × equally spaced samples, from the site's foot to the phone's. One knife
    edge at Bullington's point (where the horizons of both ends meet), or, with line of sight, at
    the sample that reaches farthest into the first Fresnel zone; 4/3 earth (ITU-R P.526). The same
    of smooth ground is taken off, as P.526's delta method does: Hata's measurements have it
    already. NaN where a height is not known; 0 below 100 m.
    """
    if heights_m.shape[1] < 3:
        return np.where(np.isnan(heights_m).any(axis=1), np.nan, 0.0)
    smooth = np.zeros((1, heights_m.shape[1]), dtype=heights_m.dtype)
    loss = _bullington_db(heights_m, km, height_tx_m, band_mhz)
    loss -= _bullington_db(smooth, km, height_tx_m, band_mhz)
    return np.where(np.asarray(km) < 0.1, 0.0 * loss, np.maximum(loss, 0))


def _bullington_db(
    ground: npt.NDArray[np.floating], km: Floats, height_tx_m: Floats, band_mhz: Floats
) -> Floats:
    """J(v) at Bullington's point of each profile. `ground`: profiles × samples, or 1 × samples.

    Profiles are computed with their own precision: float32 halves the time and is right to 1 mm.
    """
    kind = ground.dtype
    share = np.linspace(0, 1, ground.shape[1])[1:-1].astype(kind)
    d = np.maximum(np.asarray(km, dtype="float64"), 0.1)
    wave_m = 299.792458 / np.asarray(band_mhz, dtype="float64")
    tx, rx = ground[:, 0] + np.float64(height_tx_m), ground[:, -1] + np.float64(PHONE_M)
    tx, rx = np.broadcast_arrays(tx, rx)
    near, far, bulge = (
        one.astype(kind)[:, None] for one in (tx, rx, 500 / EFFECTIVE_EARTH_KM * d**2)
    )
    tops = ground[:, 1:-1] + bulge * (share * (1 - share))
    from_tx = ((tops - near) / share).max(axis=1) / d  # m/km
    from_rx = ((tops - far) / (1 - share)).max(axis=1) / d
    # above the straight line, weighted: the deepest into the Fresnel zone
    tops -= near + (far - near) * share
    tops /= np.sqrt(share * (1 - share))
    in_sight = tops.max(axis=1) * np.sqrt(0.002 / (wave_m * d))
    slopes = from_tx + from_rx
    is_hidden = from_tx >= (rx - tx) / d
    at = np.where(is_hidden, (rx - tx + from_rx * d) / np.where(slopes > 0, slopes, 1), d / 2)
    at = np.clip(at, 1e-6 * d, (1 - 1e-6) * d)
    above = tx + from_tx * at - (tx * (d - at) + rx * at) / d
    hidden = above * np.sqrt(0.002 * d / (wave_m * at * (d - at)))
    return knife_edge_db(np.where(is_hidden, hidden, in_sight))


# --- sites and places


def coverage_probability(
    sites: pd.DataFrame, places: pd.DataFrame, about: Radio, heights: Heights | None = None
) -> Pairs:
    """How likely each place receives each site: Φ((eirp − losses − min_rsrp) / shadowing).

    `sites`: latitude, longitude, height_m, band_mhz, terrain; a height or band that is missing is
    that of `about`. `places`: latitude, longitude. Pairs farther than the radius of the site over
    open ground are left out, and those below LEAST. With `heights` the ground between counts: then
    mountainous ground loses as hilly does, because the ridges are counted by themselves. Where the
    ground is not known there is no diffraction. With `radius_km` in `about`: 1 within, 0 beyond.
    """
    height = sites["height_m"].fillna(about.height_m).to_numpy(dtype="float64")
    band = sites["band_mhz"].fillna(about.band_mhz).to_numpy(dtype="float64")
    terrain = sites["terrain"].to_numpy(dtype=object)
    here = sites[["latitude", "longitude"]].to_numpy(dtype="float64")
    there = places[["latitude", "longitude"]].to_numpy(dtype="float64")
    reach = radius_km(band, height, np.full(len(sites), "flat", dtype=object), about)
    site, place, km = pairs_within(here, there, reach)
    if about.radius_km is not None:
        return Pairs(site, place, km, np.ones(len(site)))
    ground = np.where(terrain == "mountainous", "hilly", terrain) if heights else terrain
    margin = _margin_db(km, band[site], height[site], ground[site], about)
    lost, unknown = np.zeros(len(site)), np.zeros(len(site), dtype=bool)
    if heights is not None:
        asked = np.flatnonzero(ndtr(margin / about.shadowing_sd_db) >= LEAST)
        for part in np.array_split(asked, max(1, -(-len(asked) // _CHUNK))):
            profiles = heights(here[site[part]], there[place[part]], SAMPLES)
            lost[part] = diffraction_db(profiles, km[part], height[site[part]], band[site[part]])
        unknown = np.isnan(lost)
        plain = _margin_db(km, band[site], height[site], terrain[site], about)
        margin, lost = np.where(unknown, plain, margin), np.where(unknown, 0.0, lost)
    probability = ndtr((margin - lost) / about.shadowing_sd_db)
    kept = probability >= LEAST
    return Pairs(site[kept], place[kept], km[kept], probability[kept], int((unknown & kept).sum()))


def _margin_db(km: Floats, band: Floats, height: Floats, terrain: Texts, about: Radio) -> Floats:
    """By how much the median level, without diffraction, exceeds the least that is asked, dB."""
    allowed = about.eirp_dbm - about.indoor_loss_db - about.min_rsrp_dbm
    return np.asarray(allowed - path_loss_db(km, band, height, terrain))


def pairs_within(here: Floats, there: Floats, reach_km: Floats) -> tuple[Ints, Ints, Floats]:
    """(row of here, row of there, km) of all pairs at most `reach_km` (of here) apart, in order.

    Positions are n × 2: latitude, longitude. Great circles on the sphere, up to 0.5 % from WGS 84.
    """
    if not len(here) or not len(there):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    from_here, from_there = on_sphere(here), on_sphere(there)
    chord = 2 * np.sin(np.minimum(reach_km / EARTH_KM, np.pi) / 2)
    found = cKDTree(from_there).query_ball_point(from_here, chord * (1 + 1e-9), return_sorted=True)
    site = np.repeat(np.arange(len(here)), [len(one) for one in found])
    place = np.concatenate([np.asarray(one, dtype=np.int64) for one in found])
    apart = np.linalg.norm(from_here[site] - from_there[place], axis=1)
    km = 2 * EARTH_KM * np.arcsin(np.minimum(apart / 2, 1))
    kept = km <= reach_km[site]
    return site[kept], place[kept], km[kept]
