"""Where in a commune devices tested: its villages, or clusters of cells where none are listed.

A verdict is about the people of a commune; tests come from some of its places. Device values are
added up by place (stratum), beside each place's share of the people.
Does not belong here: what is estimated from them (`verdicts/weighted.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import h3
import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from pipeline.hexgrid.hexes import names as texts_of
from pipeline.hexgrid.hexes import parent_indexes
from pipeline.measurements.fingerprints import mixed
from pipeline.measurements.samples import UNIT_CODES, mean_of
from pipeline.measurements.scope import Names
from pipeline.schema.fields import ALL

CLUSTER_RESOLUTION = 8  # H3: cells of some 0.7 km² that touch are one place
EARTH_KM = 6371.0088  # mean radius
MIN_DEVICES = 2  # of any operator, before a cluster counts as a place where people live
SPEEDS = ("download", "capped")
BASES = ("villages", "population", "clusters")
SUMS = tuple(f"{speed}_{of}" for speed in SPEEDS for of in ("log", "log_square", "mbps", "square"))
c = pl.col


@dataclass(frozen=True)
class Strata:
    """Places, their shares of the people, and device values added up by place.

    `basis`: one of BASES: villages; clusters of cells by the people of a grid; clusters that each
    have as many people. `shares`: commune_code, stratum, share (NaN: nobody's home is known
    there); places where nobody tested too. `sums`: commune_code, operator (and `all`), stratum,
    votes and SUMS: a device has one vote, divided between places by its samples there; sums of
    votes × ln(Mbit/s), × its square, × Mbit/s, × its square.
    """

    basis: str
    shares: pd.DataFrame
    sums: pd.DataFrame


def no_strata() -> Strata:
    """No places: of tiles, and where nobody tested."""
    shares = pd.DataFrame({"commune_code": [], "stratum": [], "share": []})
    sums = pd.DataFrame({name: [] for name in ("commune_code", "operator", "stratum")})
    return Strata("", shares, sums.assign(**{name: [] for name in ("votes", *SUMS)}))


@dataclass(frozen=True)
class Places:
    """Which place each cell belongs to, before shares are known.

    `cells`: zone, cell, stratum, parent (cell of CLUSTER_RESOLUTION). `device_counts`: by zone and
    stratum.
    """

    cells: pl.DataFrame
    device_counts: pd.Series


def places_of(
    tested: pl.DataFrame, names: Names, villages: pd.DataFrame | None, radius_km: float
) -> Places:
    """The place of every tested cell.

    `tested`: `strata` of the longest window. A cell belongs to the village of its commune whose
    centre is nearest to the cell's, if it is within `radius_km`; all others are joined into
    clusters of touching cells. Villages have their row's number in `villages`, clusters the numbers
    after.
    """
    cells = tested.select("zone", "cell").unique().sort("zone", "cell")
    zone, cell = cells["zone"].to_numpy(), cells["cell"].to_numpy()
    finest = h3.get_resolution(h3.int_to_str(int(cell[0]))) if len(cell) else CLUSTER_RESOLUTION
    parent = parent_indexes(cell, min(finest, CLUSTER_RESOLUTION))
    stratum = np.full(len(cell), -1, dtype=np.int64)
    village_count = 0
    if villages is not None and len(villages):
        village_count = len(villages)
        stratum = _nearest_villages(zone, cell, names, villages, radius_km)
    apart = stratum < 0
    stratum[apart] = village_count + _clusters(zone[apart], parent[apart])
    cells = cells.with_columns(stratum=pl.Series(stratum), parent=pl.Series(parent))
    devices = tested.select("zone", "cell", "device").join(cells, on=["zone", "cell"])
    counts = devices.group_by("zone", "stratum").agg(c("device").n_unique()).to_pandas()
    return Places(cells, counts.set_index(["zone", "stratum"])["device"].sort_index())


def _nearest_villages(
    zone: npt.NDArray[np.int32],
    cell: npt.NDArray[np.uint64],
    names: Names,
    villages: pd.DataFrame,
    radius_km: float,
) -> npt.NDArray[np.int64]:
    """Number of the nearest village of the cell's commune within the radius; −1 where none is."""
    centres = np.array([h3.cell_to_latlng(h3.int_to_str(one)) for one in cell.tolist()])
    here, there = _on_sphere(centres), _on_sphere(villages[["latitude", "longitude"]].to_numpy())
    number = {code: place for place, code in enumerate(names.communes.tolist())}
    village_zone = villages["commune_code"].map(number).to_numpy()
    found = np.full(len(cell), -1, dtype=np.int64)
    # a chord and its arc: 2 sin(angle / 2)
    longest = 2 * np.sin(radius_km / EARTH_KM / 2)
    for one in np.unique(zone):
        rows, own = np.flatnonzero(zone == one), np.flatnonzero(village_zone == one)
        if len(own):
            distance, nearest = cKDTree(there[own]).query(here[rows])
            is_near = distance <= longest
            found[rows[is_near]] = own[nearest[is_near]]
    return found


def _on_sphere(degrees: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(latitude, longitude) as points of the unit sphere."""
    latitude, longitude = np.radians(degrees.reshape(-1, 2)).T
    flat = np.cos(latitude)
    return np.column_stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)])


def _clusters(zone: npt.NDArray[np.int32], parent: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Number of each cell's cluster: cells that touch, of one commune."""
    keys = list(zip(zone.tolist(), parent.tolist(), strict=True))
    number = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    pairs = [
        (place, number[key])
        for (one, cell), place in number.items()
        for near in h3.grid_disk(h3.int_to_str(cell), 1)
        if (key := (one, h3.str_to_int(near))) in number
    ]
    if not pairs:
        return np.zeros(0, dtype=np.int64)
    here, there = np.array(pairs).T
    graph = sparse.coo_array((np.ones(len(here)), (here, there)), shape=(len(number),) * 2)
    _, cluster = csgraph.connected_components(graph, directed=False)
    return np.asarray(cluster[[number[key] for key in keys]], dtype=np.int64)


def cells_with_people(places: Places) -> pd.Series:
    """Cells of CLUSTER_RESOLUTION as texts: those whose people give the clusters' shares."""
    return texts_of(np.unique(places.cells["parent"].to_numpy()))


def shares_of(
    places: Places,
    names: Names,
    villages: pd.DataFrame | None,
    people: pd.Series,
    communes: pd.DataFrame,
) -> tuple[str, pd.DataFrame]:
    """(`basis`, `shares` of `Strata`).

    `people`: by cell of `cells_with_people`, NaN where not known. `communes`: population and
    area_km2 by commune_code.
    Villages: by their people; a village whose people are not known counts as the mean of its
    commune's others, all as equal where none are known. Clusters: by the grid's people, where the
    commune's are known; those who live elsewhere are spread over untested places of the tested
    ones' mean size. Else equal shares for clusters where MIN_DEVICES devices or more tested; a
    commune with fewer of them than half of the communes has untested ones too (`_alike`).
    """
    if villages is not None and len(villages):
        known = villages["people"].groupby(villages["commune_code"]).transform("mean")
        of = villages["people"].fillna(known).fillna(1.0).clip(lower=1e-9)
        share = of / of.groupby(villages["commune_code"]).transform("sum")
        table = villages[["commune_code"]].assign(stratum=np.arange(len(villages)), share=share)
        return "villages", table.reset_index(drop=True)
    cells = places.cells.select("zone", "stratum", "parent").unique().to_pandas()
    cells["commune_code"] = names.communes[cells["zone"].to_numpy()]
    cells["people"] = texts_of(cells["parent"].to_numpy()).map(people).to_numpy()
    by_place = cells.groupby(["commune_code", "stratum"])["people"].sum(min_count=1)
    total = (
        communes["population"].reindex(by_place.index.get_level_values("commune_code")).to_numpy()
    )
    if (by_place / total).notna().any():
        return "population", _by_people((by_place / total).clip(upper=1.0))
    counts = places.device_counts.reset_index()
    counts["commune_code"] = names.communes[counts["zone"].to_numpy()]
    counts = counts[counts["device"] >= MIN_DEVICES]
    return "clusters", _alike(counts[["commune_code", "stratum"]], communes["area_km2"])


def _alike(places: pd.DataFrame, area_km2: pd.Series) -> pd.DataFrame:
    """Equal shares; a commune has as many places as half of the communes, tested or not.

    No more than its area holds by half of the communes' area per place: a small town is one place.
    """
    count = places.groupby("commune_code").size()
    area = area_km2.reindex(count.index)
    held = np.floor(area / (area / count).median())
    usual = np.minimum(held.fillna(0.0), np.floor(count.median()) if len(count) else 0.0)
    missing = np.maximum(usual - count, 0).astype("int64").to_numpy()
    number = int(places["stratum"].max()) + 1 if len(places) else 0
    untested = pd.DataFrame(
        {
            "commune_code": np.repeat(count.index.to_numpy(), missing),
            "stratum": number + np.arange(missing.sum()),
        }
    )
    table = pd.concat([places, untested], ignore_index=True)
    return table.assign(share=1 / table.groupby("commune_code")["stratum"].transform("size"))


def _by_people(share: pd.Series) -> pd.DataFrame:
    """Shares of tested places, and untested places of their mean size for all other people."""
    rows = [share.rename("share").reset_index()]
    number = int(rows[0]["stratum"].max()) + 1
    for code, of_commune in share.dropna().groupby(level="commune_code"):
        elsewhere, mean = 1 - float(of_commune.sum()), float(of_commune.mean())
        if elsewhere > 0 and mean > 0:
            count = int(np.ceil(elsewhere / mean))
            rows.append(
                pd.DataFrame(
                    {
                        "commune_code": code,
                        "stratum": np.arange(number, number + count),
                        "share": elsewhere / count,
                    }
                )
            )
            number += count
    return pd.concat(rows, ignore_index=True)


def stratum_sums(tested: pl.DataFrame, places: Places, names: Names) -> pd.DataFrame:
    """`sums` of `Strata` over a window. `tested`: its `strata`.

    Whole numbers are added up by place first, then figures of devices in one order: the same
    whatever the shards.
    """
    placed = places.cells.select("zone", "cell", "stratum")
    keys = [*UNIT_CODES, "device"]
    rows = tested.join(placed, on=["zone", "cell"]).group_by(*keys, "stratum").agg(
        c("samples", *SPEEDS).sum()
    )  # fmt: skip
    rows = rows.with_columns(of=c("samples").sum().over(keys), own=c("operator"))
    rows = pl.concat([rows, rows.with_columns(operator=pl.lit(names.pooled, pl.Int8))])
    order = pl.Series("order", mixed(rows["device"].to_numpy()))
    rows = rows.with_columns(order).sort(*UNIT_CODES, "stratum", "order", "own")
    votes = rows["samples"].to_numpy() / rows["of"].to_numpy()
    table = {"votes": votes}
    for speed in SPEEDS:
        mbps = mean_of(rows, speed, "samples")
        log = np.log(mbps)
        table |= dict(
            zip(
                [one for one in SUMS if one.startswith(speed)],
                (votes * log, votes * log**2, votes * mbps, votes * mbps**2),
                strict=True,
            )
        )
    group = rows.select(*UNIT_CODES, "stratum")
    first = np.flatnonzero(group.with_columns(new=pl.struct(pl.all()).is_first_distinct())["new"])
    at = group[first]
    operators = np.array([*names.operators, ALL], dtype=object)
    return pd.DataFrame(
        {
            "commune_code": names.communes[at["zone"].to_numpy()],
            "operator": operators[at["operator"].to_numpy()],
            "stratum": at["stratum"].to_numpy(),
        }
        | {
            name: np.add.reduceat(column, first) if len(first) else column
            for name, column in table.items()
        }
    )
