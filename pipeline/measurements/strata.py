"""Where in a commune devices tested: its villages, or clusters of cells where none are listed.

A verdict is about the people of a commune; tests come from some of its places. Device values are
added up by place (stratum), beside each place's share of the people.
Does not belong here: what is estimated from them (`verdicts/weighted.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

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

CLUSTER_RESOLUTION = 8  # H3: cells that touch are one place
CELL_KM2 = h3.average_hexagon_area(CLUSTER_RESOLUTION, unit="km^2")
EARTH_KM = 6371.0088  # mean radius
MIN_DEVICES = 2  # of any operator, before a cluster counts as a place where people live
SPEEDS = ("download", "capped")
BASES = ("villages", "population", "clusters")
SUMS = tuple(f"{speed}_{of}" for speed in SPEEDS for of in ("log", "log_square", "mbps", "square"))
CELL_COLUMNS = ("stratum", "place_hex_id", "device_count")
c = pl.col


@dataclass(frozen=True)
class Strata:
    """Places, their shares of the people, and device values added up by place.

    `basis`: one of BASES: villages; clusters of cells by the people of a grid; clusters that each
    have as many people. `shares`: commune_code, stratum, share, also of places where nobody tested;
    those of a commune add up to 1. `sums`: commune_code, operator (and `all`), stratum, votes,
    vote_squares and SUMS: a device has one vote, divided between places by its samples there; sums
    of votes, of their squares, of votes × ln(Mbit/s), × its square, × Mbit/s, × its square.
    """

    basis: str
    shares: pd.DataFrame
    sums: pd.DataFrame
    # a cell of CLUSTER_RESOLUTION of each tested cluster: stratum, place_hex_id, device_count
    cells: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame({name: [] for name in CELL_COLUMNS})
    )


def no_strata() -> Strata:
    """No places: of tiles, and where nobody tested."""
    shares = pd.DataFrame({"commune_code": [], "stratum": [], "share": []})
    sums = pd.DataFrame({name: [] for name in ("commune_code", "operator", "stratum")})
    more = ("votes", "vote_squares", *SUMS)
    return Strata("", shares, sums.assign(**{name: [] for name in more}))


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
        stratum = nearest_villages(zone, cell, names, villages, radius_km)
    apart = stratum < 0
    stratum[apart] = village_count + _clusters(zone[apart], parent[apart])
    cells = cells.with_columns(stratum=pl.Series(stratum), parent=pl.Series(parent))
    devices = tested.select("zone", "cell", "device").join(cells, on=["zone", "cell"])
    counts = devices.group_by("zone", "stratum").agg(c("device").n_unique()).to_pandas()
    return Places(cells, counts.set_index(["zone", "stratum"])["device"].sort_index())


def nearest_villages(
    zone: npt.NDArray[np.int32],
    cell: npt.NDArray[np.uint64],
    names: Names,
    villages: pd.DataFrame,
    radius_km: float,
) -> npt.NDArray[np.int64]:
    """Row of the village of its commune nearest to each cell, within the radius; −1: none."""
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


def cells_of_places(places: Places) -> pd.DataFrame:
    """`cells` of `Strata`: of a cluster's cells the one that is nearest to their middle."""
    cells = places.cells.select("stratum", "parent").unique().sort("stratum", "parent").to_pandas()
    if cells.empty:
        return pd.DataFrame({name: [] for name in CELL_COLUMNS})
    cells["place_hex_id"] = texts_of(cells["parent"].to_numpy()).to_numpy()
    at = _on_sphere(np.array([h3.cell_to_latlng(cell) for cell in cells["place_hex_id"]]))
    middle = pd.DataFrame(at).groupby(cells["stratum"]).transform("mean").to_numpy()
    cells["away"] = ((at - middle) ** 2).sum(axis=1).round(18)
    nearest = cells.sort_values(["stratum", "away", "parent"]).drop_duplicates("stratum")
    devices = places.device_counts.groupby(level="stratum").sum()
    nearest["device_count"] = nearest["stratum"].map(devices).astype("float64")
    return nearest[list(CELL_COLUMNS)].reset_index(drop=True)


def shares_of(
    places: Places,
    names: Names,
    villages: pd.DataFrame | None,
    people: pd.Series,
    communes: pd.DataFrame,
) -> tuple[str, pd.DataFrame]:
    """(`basis`, `shares` of `Strata`).

    `people`: by commune_code and cell of `cells_with_people`, NaN where not known. `communes`:
    population and area_km2 by commune_code.
    Villages: by their people; a village whose people are not known counts as the mean of its
    commune's others, all as equal where none are known. Clusters: by the grid's people, where the
    commune's are known; those who live elsewhere are spread over untested places of the tested
    ones' mean size. Else, and in communes of which neither is known, equal shares for clusters
    where MIN_DEVICES devices or more tested; a commune with fewer of them than half of the communes
    has untested ones too (`_alike`).
    """
    counts = places.device_counts.reset_index()
    counts["commune_code"] = names.communes[counts["zone"].to_numpy()]
    first_free = int(counts["stratum"].max()) + 1 if len(counts) else 0
    counts = counts[counts["device"] >= MIN_DEVICES]
    alike = _alike(counts[["commune_code", "stratum"]], communes["area_km2"], first_free)
    if villages is not None and len(villages):
        basis, known = "villages", _by_village(villages)
    else:
        basis, known = "population", _by_people(places, names, people, communes, first_free)
    if known.empty:
        return "clusters", alike
    rest = alike[~alike["commune_code"].isin(known["commune_code"])]
    return basis, pd.concat([known, rest], ignore_index=True)


def _by_village(villages: pd.DataFrame) -> pd.DataFrame:
    known = villages["people"].groupby(villages["commune_code"]).transform("mean")
    of = villages["people"].fillna(known).fillna(1.0).clip(lower=1e-9)
    share = of / of.groupby(villages["commune_code"]).transform("sum")
    table = villages[["commune_code"]].assign(stratum=np.arange(len(villages)), share=share)
    return table.reset_index(drop=True)


def _by_people(
    places: Places, names: Names, people: pd.Series, communes: pd.DataFrame, first_free: int
) -> pd.DataFrame:
    """Shares of clusters, and of untested places for all other people.

    Of communes whose people are known and of whom some live in the clusters. A commune has no more
    untested places than cells of CLUSTER_RESOLUTION.
    """
    cells = places.cells.select("zone", "stratum", "parent").unique().to_pandas()
    code = names.communes[cells["zone"].to_numpy()]
    at = pd.MultiIndex.from_arrays([code, texts_of(cells["parent"].to_numpy())])
    here = people.reindex(at) if len(people) else pd.Series(np.nan, index=at)
    total = communes["population"].reindex(code).to_numpy(dtype="float64")
    cells["share"] = here.to_numpy(dtype="float64") / np.where(total > 0, total, np.nan)
    by_place = cells.groupby([code, "stratum"])["share"].sum(min_count=1).dropna()
    found = [pd.DataFrame({"commune_code": [], "stratum": [], "share": []})]
    for commune, counted in by_place.groupby(level=0):
        tested = float(counted.sum())
        if tested <= 0:
            continue
        # people are counted by grid and by census: they need not agree
        share, elsewhere = counted / max(1.0, tested), max(0.0, 1 - tested)
        most = communes["area_km2"].reindex([commune]).fillna(0.0).item() / CELL_KM2
        count = int(min(np.ceil(elsewhere / share.mean()), max(1.0, most))) if elsewhere else 0
        numbers = [*share.index.get_level_values("stratum"), *(first_free + np.arange(count))]
        shares = [*share, *([elsewhere / count] * count if count else [])]
        found.append(pd.DataFrame({"commune_code": commune, "stratum": numbers, "share": shares}))
        first_free += count
    return pd.concat(found[1:] or found, ignore_index=True)


def _alike(places: pd.DataFrame, area_km2: pd.Series, first_free: int) -> pd.DataFrame:
    """Equal shares; a commune has as many places as half of the communes, tested or not.

    No more than its area holds by half of the communes' area per place: a small town is one place.
    `first_free`: number of the first untested place.
    """
    count = places.groupby("commune_code").size()
    area = area_km2.reindex(count.index)
    held = np.floor(area / (area / count).median())
    usual = np.minimum(held.fillna(0.0), np.floor(count.median()) if len(count) else 0.0)
    missing = np.maximum(usual - count, 0).astype("int64").to_numpy()
    untested = pd.DataFrame(
        {
            "commune_code": np.repeat(count.index.to_numpy(), missing),
            "stratum": first_free + np.arange(missing.sum()),
        }
    )
    table = pd.concat([places, untested], ignore_index=True)
    return table.assign(share=1 / table.groupby("commune_code")["stratum"].transform("size"))


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
    table = {"votes": votes, "vote_squares": votes**2}
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
