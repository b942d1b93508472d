"""In which places of a commune further devices tell most of its people's mean.

A device goes where the variance of the people's mean (`verdicts/weighted.py`) falls most: to places
where many people live and nobody tested. Places that are about as good are ordered by distance:
the one farthest from all that were tested or chosen comes first, so that a commune is covered
evenly. Tests that exist keep their weight. Does not belong here: which communes get devices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h3
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.measurements.strata import CLUSTER_RESOLUTION, EARTH_KM, Strata

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAST_BETWEEN = 0.1  # ρ for the choice of places: devices are spread even where places seem alike
_ALIKE = 0.02  # of the best gain: places within it are ordered by distance
COLUMNS = (
    "commune_code", "stratum", "share", "village_name", "place_hex_id", "place_latitude",
    "place_longitude", "people",
)  # fmt: skip


def places_of_communes(
    strata: Strata, villages: pd.DataFrame | None, communes: pd.DataFrame, min_devices: int
) -> pd.DataFrame:
    """Places of every commune by COLUMNS, one at least; shares of a commune add up to 1.

    `communes`: commune_code, population. A cluster where fewer than `min_devices` devices tested
    has no cell: that would say where a few people live. A commune of which no place is known is one
    place without a name (stratum −1).
    """
    table = strata.shares.astype({"share": "float64"}).copy()
    tested = strata.sums[["commune_code", "stratum"]].drop_duplicates()
    lacking = tested[~tested["commune_code"].isin(table["commune_code"])]
    none = communes.loc[
        ~communes["commune_code"].isin([*table["commune_code"], *lacking["commune_code"]]),
        ["commune_code"],
    ].assign(stratum=-1)
    more = pd.concat([lacking, none], ignore_index=True)
    more["share"] = 1 / more.groupby("commune_code")["stratum"].transform("size")
    table = pd.concat([table, more], ignore_index=True)
    table = table[table["commune_code"].isin(communes["commune_code"])]
    table["stratum"] = table["stratum"].astype("int64")
    shown = strata.cells[strata.cells["device_count"] >= min_devices].set_index("stratum")
    table["place_hex_id"] = table["stratum"].map(shown["place_hex_id"]).astype("object")
    at = [h3.cell_to_latlng(x) if isinstance(x, str) else (np.nan, np.nan)
          for x in table["place_hex_id"]]  # fmt: skip
    table[["place_latitude", "place_longitude"]] = np.array(at, dtype="float64").reshape(-1, 2)
    table["village_name"], table["people"] = "", np.nan
    if strata.basis == "population":
        population = communes.set_index("commune_code")["population"]
        table["people"] = (table["share"] * table["commune_code"].map(population)).round()
    if villages is not None and len(villages):
        listed = villages.reset_index(drop=True)
        is_village = table["stratum"].between(0, len(listed) - 1)
        of = listed.iloc[table.loc[is_village, "stratum"]]
        named = {"latitude": "place_latitude", "longitude": "place_longitude"}
        for name in ("village_name", "latitude", "longitude", "people"):
            table.loc[is_village, named.get(name, name)] = of[name].to_numpy()
        table.loc[is_village, "place_hex_id"] = [
            h3.latlng_to_cell(*point, CLUSTER_RESOLUTION)
            for point in of[["latitude", "longitude"]].to_numpy()
        ]
    return table.sort_values(["commune_code", "stratum"], ignore_index=True)[list(COLUMNS)]


@dataclass(frozen=True)
class Placed:
    """Where further devices of each unit go, in order, and what they are worth."""

    order: Ints  # units × most: row of `places`
    effective: Floats  # units × (most + 1): devices of a simple mean that would be as sure


def placed(
    units: pd.MultiIndex, places: pd.DataFrame, sums: pd.DataFrame, rho: pd.Series, most: int
) -> Placed:
    """The best places for `most` further devices of each unit, one after the other.

    `places`: of `places_of_communes`. `sums`: of `Strata`. `rho`: by operator, of
    `weighted.shares_between`. The variance of the people's mean is σ² · f, f of `weighted.py`;
    effective devices are (1 − ρ Σ share²) / f.
    """
    grid = _Grid.of(units, places, sums)
    r = rho.reindex(units.get_level_values(1)).fillna(0.0).to_numpy()[:, None]
    chosen_by = _Variance(grid, np.maximum(r, LEAST_BETWEEN))
    judged_by = _Variance(grid, r)
    size = len(units)
    order, effective = np.zeros((size, most), dtype=np.int64), np.zeros((size, most + 1))
    rows = np.arange(size)
    near = grid.nearest_tested()
    effective[:, 0] = judged_by.effective()
    for step in range(most):
        factor = np.where(grid.can_choose, chosen_by.with_one_more(), np.inf)
        now = chosen_by.factor()
        gain = np.where(np.isfinite(now)[:, None], now[:, None], factor.max(
            axis=1, keepdims=True, where=grid.can_choose, initial=0.0)) - factor  # fmt: skip
        best = gain.max(axis=1, keepdims=True)
        alike = gain >= best - _ALIKE * np.abs(best)
        # the farthest; then most people; then the first
        score = np.where(alike, np.minimum(near, 1e4) + grid.share, -np.inf)
        pick = score.argmax(axis=1)
        order[:, step] = grid.row[grid.commune, pick]
        for one in (chosen_by, judged_by):
            one.add(rows, pick)
        near = np.minimum(near, grid.km[grid.commune, pick])
        effective[:, step + 1] = judged_by.effective()
    return Placed(order, effective)


@dataclass(frozen=True)
class _Grid:
    """Units × places of the commune with the most places; a place that is not there has no share.

    Strata where devices tested but that have no share of the people (outside all villages) stand
    after the places: they tell of the mean, and no device is sent there.
    """

    commune: Ints  # of each unit: number of the commune
    row: Ints  # communes × places: row of `places`
    km: Floats  # communes × places × places
    share: Floats  # units × places
    votes: Floats  # units × places
    can_choose: npt.NDArray[np.bool_]  # units × places

    @classmethod
    def of(cls, units: pd.MultiIndex, places: pd.DataFrame, sums: pd.DataFrame) -> _Grid:
        tested = sums[["commune_code", "stratum"]].drop_duplicates()
        table = places.reset_index(names="row").merge(
            tested, how="outer", on=["commune_code", "stratum"]
        )
        table["is_place"] = table["share"].notna()
        table = table.sort_values(["commune_code", "is_place", "stratum"],
                                  ascending=[True, False, True], ignore_index=True)  # fmt: skip
        codes = pd.Index(table["commune_code"].unique())
        table["number"] = codes.get_indexer(table["commune_code"])
        table["place"] = table.groupby("number").cumcount()
        shape = (len(codes), int(table["place"].max()) + 1)
        at = table["number"].to_numpy(), table["place"].to_numpy()

        def matrix(values: npt.NDArray[Any], empty: float) -> npt.NDArray[Any]:
            filled = np.full(shape, empty, dtype=values.dtype)
            filled[at] = values
            return filled

        row = matrix(table["row"].fillna(-1).to_numpy().astype(np.int64), -1)
        share = matrix(table["share"].fillna(0.0).to_numpy(), 0.0)
        angles = np.radians(table[["place_latitude", "place_longitude"]].to_numpy(dtype="float64"))
        latitude, longitude = (matrix(angles[:, n], np.nan) for n in (0, 1))
        # small distances on the sphere: they only tell near places from far ones
        north = latitude[:, :, None] - latitude[:, None, :]
        east = (longitude[:, :, None] - longitude[:, None, :]) * np.cos(latitude)[:, :, None]
        km = np.nan_to_num(EARTH_KM * np.hypot(north, east)).round(3)
        commune = codes.get_indexer(units.get_level_values(0))
        votes = np.zeros((len(units), shape[1]))
        keys = table.set_index(["commune_code", "stratum"])["place"]
        unit = units.get_indexer(pd.MultiIndex.from_frame(sums[["commune_code", "operator"]]))
        place = keys.reindex(pd.MultiIndex.from_frame(sums[["commune_code", "stratum"]])).to_numpy()
        is_named = unit >= 0
        votes[unit[is_named], place[is_named].astype(np.int64)] = sums["votes"].to_numpy()[is_named]
        can_choose = (row >= 0)[commune]
        return cls(commune, row, km, share[commune], votes, can_choose)

    def nearest_tested(self) -> Floats:
        """Distance in km of each place to the nearest tested one; 1e4 where none is tested.

        Strata that are no place lie nowhere and are near to none.
        """
        near = np.full(self.votes.shape, 1e4)
        for place in range(self.votes.shape[1]):
            to = self.km[self.commune, place]
            is_tested = (self.votes[:, [place]] > 0) & self.can_choose[:, [place]]
            near = np.where(is_tested, np.minimum(near, to), near)
        return near


class _Variance:
    """f of `weighted.py` by unit, kept up to date while devices are added."""

    def __init__(self, grid: _Grid, r: Floats) -> None:
        self.r, self.share, self.votes = r, grid.share, grid.votes.copy()
        self._sum_up()

    def _pull(self, votes: Floats) -> tuple[Floats, Floats]:
        with np.errstate(divide="ignore"):
            precision = np.where(votes > 0, 1 / (self.r + (1 - self.r) / votes), 0.0)
        return precision, self.r * precision

    def _sum_up(self) -> None:
        precision, pull = self._pull(self.votes)
        self.own = (self.share**2 * self.r * (1 - pull)).sum(axis=1)
        self.kept = (self.share * pull).sum(axis=1)
        self.precision = precision.sum(axis=1)

    def factor(self) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(self.own + (1 - self.kept) ** 2 / self.precision)

    def effective(self) -> Floats:
        squares = (self.share**2).sum(axis=1)
        return np.asarray((1 - self.r[:, 0] * squares) / self.factor())

    def with_one_more(self) -> Floats:
        """The factor f with a further device in each place."""
        (now, pull), (then, pull_then) = self._pull(self.votes), self._pull(self.votes + 1)
        kept = self.kept[:, None] + self.share * (pull_then - pull)
        own = self.own[:, None] + self.share**2 * self.r * (pull - pull_then)
        return np.asarray(own + (1 - kept) ** 2 / (self.precision[:, None] + then - now))

    def add(self, rows: Ints, pick: Ints) -> None:
        self.votes[rows, pick] += 1
        self._sum_up()
