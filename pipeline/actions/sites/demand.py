"""How many people an operator leaves short of the target, place by place, and how sure that is.

Only what is published enters: the population, a verdict's gap probability and its estimated mean. A
unit without a verdict has no demand: nobody knows, so no site is built for it. Does not belong
here: where sites may stand (`candidates.py`), which are chosen (`choice.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.special import ndtr, ndtri

from pipeline.schema.fields import ALL

Floats = npt.NDArray[np.float64]
UNIT = ["commune_code", "operator"]
KNOWN = ("confirmed_gap", "probable_gap", "borderline")  # one that meets the target lacks nothing
LEAST_SD, MOST_SD = 0.05, 0.8  # of the log mean: no verdict is surer, none less sure
PLACE = (
    "commune_code", "place_name", "latitude", "longitude", "people", "has_grid_power",
    "is_difficult_zone", "payer",
)  # fmt: skip


def demand_places(
    communes: gpd.GeoDataFrame, villages: pd.DataFrame | None, cells: pd.DataFrame | None
) -> pd.DataFrame:
    """Where the people of each commune live, by PLACE; people of a commune add up to its own.

    The commune's villages, by their people (equal parts where a village's are not known); without
    villages its inhabited cells (`cells`: of `population.inhabited_cells`); without them one place
    in its middle. A commune whose people are not known has those of its villages, or is left out.
    """
    listed = pd.DataFrame() if villages is None else villages
    found = []
    grids = {} if cells is None else dict(tuple(cells.groupby("commune_code")))
    lists = dict(tuple(listed.groupby("commune_code"))) if len(listed) else {}
    for commune in communes.to_dict("records"):
        code, total = commune["commune_code"], commune["population"]
        if code in lists:
            rows = _villages(lists[code], total)
        elif code in grids:
            rows = grids[code].assign(place_name="")
            rows["people"] = _scaled(rows["people"], total)
        else:
            point = shapely.point_on_surface(commune["geometry"])
            about = {"place_name": "", "latitude": point.y, "longitude": point.x, "people": total}
            rows = pd.DataFrame([about | {"commune_code": code}])
        found.append(rows)
    table = pd.concat(found, ignore_index=True).reindex(columns=list(PLACE))
    table = table[table["people"] > 0]
    return table.sort_values(["commune_code", "place_name", "latitude", "longitude"],
                             ignore_index=True)  # fmt: skip


def _villages(rows: pd.DataFrame, total: float) -> pd.DataFrame:
    people = rows["people"].astype("float64")
    people = people.fillna(people.mean() if people.notna().any() else 1.0)
    if not np.isfinite(total) and rows["people"].isna().all():
        people = people * np.nan
    elif np.isfinite(total) and not people.sum() > 0:  # a list that has nobody anywhere
        people = people * 0 + 1.0
    return rows.rename(columns={"village_name": "place_name"}).assign(people=_scaled(people, total))


def _scaled(people: pd.Series, total: float) -> pd.Series:
    """The people with the commune's total; as they are where it is not known."""
    return people * (total / people.sum()) if np.isfinite(total) and people.sum() > 0 else people


def demand_units(rows: pd.DataFrame, suppressed: pd.Series, target_mbps: float) -> pd.DataFrame:
    """What is known of each commune × named operator: by UNIT, of `result_tables.Verdicts`.

    A unit whose figures are not published (`suppressed`) counts as one without a verdict.
    gap_probability and mean_mbps as the priorities use them (`prioritise.score`), is_known,
    is_confirmed (a confirmed gap); log_mean, log_sd: a log-normal distribution of the unit's mean
    M with E M = mean_mbps and P(M < T) = gap_probability. With z = Φ⁻¹(gap_probability), s
    solves s² / 2 − z s + ln(T / mean) = 0; where it has no real root, s = |z|, and only the
    probability is kept. Units without a verdict and those that meet the target have none.
    """
    named = rows[rows["operator"] != ALL].sort_values(UNIT)
    chance = named["gap_probability"].fillna(1 - named["p_gap"])
    mean = named["eb_mean_mbps"].fillna(named["mean_mbps"])
    hidden = suppressed.reindex(pd.MultiIndex.from_frame(named[UNIT])).eq(True).to_numpy()
    is_known = named["status"].isin(KNOWN) & chance.notna() & mean.gt(0) & ~hidden
    table = pd.DataFrame(
        {
            "commune_code": named["commune_code"], "operator": named["operator"],
            "status": named["status"], "device_count": named["device_count"],
            "is_known": is_known,
            "is_confirmed": named["status"].eq("confirmed_gap"),
            "gap_probability": chance.where(is_known), "mean_mbps": mean.where(is_known),
        }
    )  # fmt: skip
    z = ndtri(table["gap_probability"].clip(1e-4, 1 - 1e-4).to_numpy())
    short = np.log(target_mbps / table["mean_mbps"].to_numpy())
    sd = _solved(z, short).clip(LEAST_SD, MOST_SD)
    table["log_sd"] = sd
    table["log_mean"] = np.log(target_mbps) - z * sd
    return table.set_index(UNIT, drop=False).rename_axis([None, None])


def _solved(z: Floats, short: Floats) -> Floats:
    """The positive root s of s² / 2 − z s + short = 0 nearest to certainty; |z| without one."""
    inner = z**2 - 2 * short
    root = np.sqrt(np.maximum(inner, 0.0))
    smaller, larger = z - root, z + root
    found = np.where(smaller > 0, smaller, larger)
    return np.where((inner > 0) & (found > 0), found, np.abs(z))


def short_share(units: pd.DataFrame, target_mbps: float, place_log_sd: float = 0.0) -> pd.Series:
    """E max(0, 1 − X / T), the share of the target that an inhabitant lacks; 0 if unknown.

    X is the mean where the inhabitant lives: the unit's mean M times a log-normal factor of mean 1
    and `place_log_sd`; without that M itself. Closed form (Black 1976, a put on a log-normal):
    Φ(d) − E M / T · Φ(d − s), with s² = log_sd² + place_log_sd² and
    d = ln(T / E M) / s + s / 2.
    """
    mean = units["log_mean"].to_numpy() + units["log_sd"].to_numpy() ** 2 / 2
    sd = np.hypot(units["log_sd"].to_numpy(), place_log_sd)
    share = _lacking(np.exp(mean), target_mbps, sd) / target_mbps
    return pd.Series(share, index=units.index).where(units["is_known"], 0.0).clip(0, 1)


def short_chance(units: pd.DataFrame, target_mbps: float, place_log_sd: float = 0.0) -> pd.Series:
    """P(X < T), that the mean where an inhabitant lives is below the target; 0 if unknown.

    X as in `short_share`: Φ(d).
    """
    sd = np.hypot(units["log_sd"].to_numpy(), place_log_sd)
    mean = units["log_mean"].to_numpy() + units["log_sd"].to_numpy() ** 2 / 2
    chance = ndtr((np.log(target_mbps) - mean) / sd + sd / 2)
    return pd.Series(chance, index=units.index).where(units["is_known"], 0.0)


def _lacking(mean: Floats, level: float | Floats, log_sd: Floats) -> Floats:
    """E max(0, level − X), X log-normal with this mean; `log_sd` 0: max(0, level − mean)."""
    sd = np.where(log_sd > 0, log_sd, 1.0)
    d = np.log(level / mean) / sd + sd / 2
    spread = level * ndtr(d) - mean * ndtr(d - sd)
    return np.asarray(np.where(log_sd > 0, spread, np.maximum(0.0, level - mean)))


@dataclass(frozen=True)
class Effects:
    """What an action may do to a place's mean download: ranges (low, high), Mbit/s or times.

    `place_log_sd`: how places' means spread around their unit's, log-sd; 0: all equal.
    """

    site_mbps: tuple[float, float]
    satellite_mbps: tuple[float, float]
    upgrade_factor: tuple[float, float]
    place_log_sd: float = 0.0


@dataclass(frozen=True)
class Futures:
    """Draws of how it is and what actions do: units × draws, shares of the target.

    `short`: what lacks now, mean over a unit's places. `gains`: by kind of action (`site`,
    `satellite`, `upgrade`), how much less lacks afterwards. `is_gap`: the unit's mean is below the
    target.
    """

    short: Floats
    gains: Mapping[str, Floats]
    is_gap: npt.NDArray[np.bool_]


def futures(units: pd.DataFrame, effects: Effects, target_mbps: float, draws: int) -> Futures:
    """`draws` futures of `demand_units`, stratified in probability, the same at every call.

    The unit's mean is drawn from its distribution, each unit by itself; an action's effect is one
    draw from its range (uniform) for all its sites, so that ranges are not too narrow. Places
    spread around the mean (`Effects.place_log_sd`); their mean is taken, not drawn.
    """
    generator = np.random.default_rng(20)  # any number: the same figures at every run
    levels = (np.arange(draws) + 0.5) / draws
    ranks = np.array([generator.permutation(levels) for _ in range(len(units))])
    ranks = ranks.reshape(len(units), draws)
    mean = units[["log_mean"]].to_numpy() + units[["log_sd"]].to_numpy() * ndtri(ranks)
    is_known = units[["is_known"]].to_numpy()
    speed = np.exp(np.where(is_known, mean, np.log(target_mbps)))
    spread = np.asarray(effects.place_log_sd)

    def below(level: float | Floats, mbps: Floats) -> Floats:
        """What places lack of a level, as a share of the target; nothing where nothing is known."""
        return np.where(is_known, _lacking(mbps, level, spread) / target_mbps, 0.0)

    def drawn(low: float, high: float) -> Floats:
        return np.asarray(low + (high - low) * generator.permutation(levels))

    now = below(target_mbps, speed)
    # a site lifts the places that are slower than it to its own speed
    gains = {
        "site": below(np.minimum(drawn(*effects.site_mbps), target_mbps), speed),
        "satellite": below(np.minimum(drawn(*effects.satellite_mbps), target_mbps), speed),
        "upgrade": now - below(target_mbps, speed * drawn(*effects.upgrade_factor)),
    }
    return Futures(now, gains, is_known & (speed < target_mbps))
