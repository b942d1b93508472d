"""Where sites may stand, what each operator can do there, and what that costs.

Does not belong here: which are chosen (`choice.py`), how far they reach (`coverage.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from pipeline.actions.sites.coverage import Heights, pairs_within
from pipeline.actions.travel import GEOD, geodesic_km
from pipeline.measurements.strata import on_sphere

Floats = npt.NDArray[np.float64]
ACTIONS = ("new_site", "shared_site", "upgrade", "satellite_site", "terminal")
# what an action does to speeds: key of `demand.Futures.gains`
EFFECTS = {"new_site": "site", "shared_site": "site", "satellite_site": "satellite",
           "terminal": "satellite"}  # fmt: skip
HIGH_KM = 2.0  # how far from a place higher ground is looked for
HIGH_LINES, HIGH_SAMPLES = 12, 21  # a line every 30°, a point every 100 m
HIGH_M = 30.0  # m above the place: less is no high ground
ONE_TOWER_KM = 0.1  # sites no farther apart stand on one tower
LOCATION = (
    "site_id", "latitude", "longitude", "commune_code", "terrain", "place_name", "is_standing",
    "operators_there", "with_4g", "height_m", "band_mhz", "has_grid_power", "is_difficult_zone",
    "payer", "backhaul_km", "for_operator",
)  # fmt: skip


@dataclass(frozen=True)
class Prices:
    """What actions cost, in one currency; what is not there is not known."""

    new_site: Mapping[str, float] = field(default_factory=dict)  # by terrain; "": anywhere
    others: Mapping[str, float] = field(default_factory=dict)  # by ACTIONS but new_site
    solar: float | None = None
    backhaul_km: float | None = None  # to the nearest standing site
    yearly: Mapping[str, float] = field(default_factory=dict)  # by ACTIONS
    years: float = 10.0

    @property
    def is_known(self) -> bool:
        """Whether any action has a price."""
        return bool(self.new_site or self.others)

    def running(self, action: str) -> float:
        """What running it costs over the years; 0 where that is not known."""
        return self.years * self.yearly.get(action, 0.0)


def locations(
    sites: pd.DataFrame | None,
    places: pd.DataFrame,
    communes: pd.DataFrame,
    high_ground: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Where sites stand or may stand, by LOCATION; numbered from 0.

    Standing sites of one tower are one location. Candidates are those of the table `sites`; where
    it has none, every place of `demand.demand_places` is one (P0001 …), and so is `high_ground`
    (latitude, longitude; H0001 …). `operators_there`, `with_4g`:
    tuples of operators; a site whose technology is not known counts as one with 4G.
    `communes`: commune_code, terrain, latitude, longitude (of a point in it).
    """
    standing = _towers(sites)
    listed = pd.DataFrame() if sites is None else sites[sites["is_candidate"]]
    if len(listed):
        made = listed.assign(for_operator=listed["site_operator"])
    else:
        made = places.assign(site_id=[f"P{n + 1:04d}" for n in range(len(places))])
        if high_ground is not None and len(high_ground):
            names = [f"H{n + 1:04d}" for n in range(len(high_ground))]
            made = pd.concat([made, high_ground.assign(site_id=names)], ignore_index=True)
    parts = [standing.assign(is_standing=True), made.assign(is_standing=False)]
    some = [part for part in parts if len(part)]
    table = pd.concat(some, ignore_index=True) if some else standing
    table = table.reindex(columns=list(LOCATION))
    for name in ("operators_there", "with_4g"):
        table[name] = [one if isinstance(one, tuple) else () for one in table[name]]
    table = _with_surroundings(table, places, communes)
    spots = table[["latitude", "longitude"]].to_numpy(dtype="float64")
    table["backhaul_km"] = np.nan
    if len(standing):
        here = standing[["latitude", "longitude"]].to_numpy(dtype="float64")
        table["backhaul_km"] = _nearest(spots, here)[1].round(2)
    return table


def high_ground(places: pd.DataFrame, along: Heights) -> pd.DataFrame:
    """The highest point near each place: latitude, longitude, in the order of the places.

    Of HIGH_LINES lines of HIGH_KM from the place, at HIGH_SAMPLES points each; left out where it is
    less than HIGH_M above the place, or nearer than half a kilometre to one that is taken already.
    `along`: heights in metres along lines between positions, of the elevation raster.
    """
    here = places[["latitude", "longitude"]].to_numpy(dtype="float64")
    turns = np.arange(HIGH_LINES) * 360 / HIGH_LINES
    start, turn = np.repeat(here, HIGH_LINES, axis=0), np.tile(turns, len(here))
    x, y, _ = GEOD.fwd(start[:, 1], start[:, 0], turn, np.full(len(turn), HIGH_KM * 1000))
    there = np.column_stack([y, x])
    metres = along(start, there, HIGH_SAMPLES).reshape(len(here), HIGH_LINES * HIGH_SAMPLES)
    found: list[Floats] = []
    for number, row in enumerate(np.asarray(metres, dtype="float64")):
        if not np.isfinite(row[0]) or np.nanmax(row) < row[0] + HIGH_M:
            continue
        line, sample = divmod(int(np.nanargmax(row)), HIGH_SAMPLES)
        share = sample / (HIGH_SAMPLES - 1)
        end = there[number * HIGH_LINES + line]
        spot = here[number] + (end - here[number]) * share
        if not found or geodesic_km(spot[None, :], np.array(found)).min() >= HIGH_KM / 4:
            found.append(spot)
    return pd.DataFrame(np.array(found).reshape(-1, 2), columns=["latitude", "longitude"])


def _towers(sites: pd.DataFrame | None) -> pd.DataFrame:
    """Standing sites, those within ONE_TOWER_KM as one; in the order of the first of each."""
    if sites is None or not (~sites["is_candidate"]).any():
        return pd.DataFrame(columns=list(LOCATION))
    rows = sites[~sites["is_candidate"]].reset_index(drop=True)
    spots = rows[["latitude", "longitude"]].to_numpy(dtype="float64")
    site, near, _ = pairs_within(spots, spots, np.full(len(spots), ONE_TOWER_KM))
    _, first = np.unique(site, return_index=True)
    rows["tower"] = near[first]  # the first site that is near
    is_4g = rows["site_technology"].fillna("4G").str.contains("4G")
    rows["with_4g"] = rows["site_operator"].where(is_4g)
    return rows.groupby("tower", as_index=False).agg(
        site_id=("site_id", "first"), latitude=("latitude", "first"),
        longitude=("longitude", "first"), height_m=("height_m", "max"),
        band_mhz=("band_mhz", "min"), operators_there=("site_operator", _names),
        with_4g=("with_4g", _names),
    )  # fmt: skip


def _nearest(here: Floats, there: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """(row of the nearest of `there`, how far, km) of each position: latitude, longitude.

    By a tree: of a nation all pairs would be hundreds of millions. Of equally near ones the first.
    """
    tree = cKDTree(on_sphere(there))
    apart, row = tree.query(on_sphere(here))
    equal = tree.query_ball_point(on_sphere(here), apart * (1 + 1e-9) + 1e-12)
    row = np.array([min([*rows, one]) for rows, one in zip(equal, row, strict=True)], dtype="int64")
    _, _, metres = GEOD.inv(here[:, 1], here[:, 0], there[row, 1], there[row, 0])
    return row, np.asarray(metres) / 1000


def _names(column: pd.Series) -> tuple[str, ...]:
    return tuple(sorted(column.dropna().unique()))


def _with_surroundings(
    table: pd.DataFrame, places: pd.DataFrame, communes: pd.DataFrame
) -> pd.DataFrame:
    """What the nearest place says of a location: commune, zone, power, payer; its terrain."""
    if not len(table) or not len(places):
        return table
    spots = table[["latitude", "longitude"]].to_numpy(dtype="float64")
    nearest, _ = _nearest(spots, places[["latitude", "longitude"]].to_numpy(dtype="float64"))
    for name in ("commune_code", "place_name", "has_grid_power", "is_difficult_zone", "payer"):
        table[name] = places[name].to_numpy(dtype=object)[nearest]
    terrain = communes.set_index("commune_code")["terrain"]
    return table.assign(terrain=table["commune_code"].map(terrain))


@dataclass(frozen=True)
class Offers:
    """Actions that may be chosen, and the sites that they stand at.

    `actions`: location (number), operator, action, effect (key of `Futures.gains`), site (number),
    action_cost. `sites`: location, site_cost (tower, power, backhaul, running; once). Costs are 0
    where none are known.
    """

    actions: pd.DataFrame
    sites: pd.DataFrame


def offers(
    places: pd.DataFrame, operators: list[str], prices: Prices, *, is_shared: bool
) -> Offers:
    """What every operator may do at every location of `locations`.

    Where an operator stands: an upgrade (of a site without 4G: a site's effect). Elsewhere a new
    site; shared: on towers of others and new ones together, a further operator for the price of
    `shared_site`. A candidate that is listed for an operator is its own, unless shared. Where a
    satellite site or a terminal has a price the cheaper of the two: they do the same. With prices
    an action without one is not offered.
    """
    small = min(
        (one for one in ("satellite_site", "terminal") if one in prices.others),
        key=lambda one: prices.others[one] + prices.running(one),
        default=None,
    )
    found = []
    for number, row in enumerate(places.to_dict("records")):
        there, with_4g = row["operators_there"], row["with_4g"]
        for operator in operators:
            if operator in there:
                effect = "upgrade" if operator in with_4g else "site"
                found.append((number, operator, "upgrade", effect, f"{number}"))
            elif row["is_standing"]:
                if is_shared:
                    found.append((number, operator, "shared_site", "site", f"{number}"))
            elif is_shared or row["for_operator"] == operator or pd.isna(row["for_operator"]):
                at = f"{number}" if is_shared else f"{number} {operator}"
                found.append((number, operator, "new_site", "site", at))
                if small is not None:
                    own = f"{number} {operator} {small}"
                    found.append((number, operator, small, EFFECTS[small], own))
    table = pd.DataFrame(found, columns=["location", "operator", "action", "effect", "at"])
    if not len(table):
        table = table.astype({"location": "int64"})
    rows = places.to_dict("records")
    costs = [
        _costs(rows[location], action, prices, is_shared=is_shared)
        for location, action in zip(table["location"], table["action"], strict=True)
    ]
    table[["site_cost", "action_cost"]] = np.array(costs, dtype="float64").reshape(-1, 2)
    if prices.is_known:
        table = table[table[["site_cost", "action_cost"]].notna().all(axis=1)]
    table = table.reset_index(drop=True)
    table["site"], names = pd.factorize(table["at"])
    sites = table.groupby("site").agg(
        location=("location", "first"), site_cost=("site_cost", "max")
    )
    columns = ["location", "operator", "action", "effect", "site", "action_cost"]
    return Offers(table[columns], sites.reindex(range(len(names))).reset_index(drop=True))


def _costs(
    place: Mapping[Any, Any], action: str, prices: Prices, *, is_shared: bool
) -> tuple[float, float]:
    """(cost of the site, cost of the operator's action at it); NaN where the price is not known.

    A new site's price holds one operator's equipment, so a shared one costs that less the price of
    a further operator, and every operator pays the latter.
    """
    if not prices.is_known:
        return 0.0, 0.0
    running = prices.running(action)
    if action != "new_site":
        return 0.0, prices.others.get(action, np.nan) + running
    terrain = place["terrain"] if isinstance(place["terrain"], str) else ""
    tower = prices.new_site.get(terrain, prices.new_site.get("", np.nan)) + running
    if prices.backhaul_km is not None and np.isfinite(place["backhaul_km"]):
        tower += prices.backhaul_km * place["backhaul_km"]
    power = place["has_grid_power"]
    if prices.solar is not None and isinstance(power, bool | np.bool_) and not power:
        tower += prices.solar
    further = prices.others.get("shared_site")
    if not is_shared or further is None:
        return tower, 0.0
    further += prices.running("shared_site")
    return max(0.0, tower - further), further
