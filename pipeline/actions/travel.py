"""Distances between places: along roads where lines that connect are given, else geodesic.

Does not belong here: which places are visited (`next_tests.py`), reading roads (`sources/`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Geod
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
GEOD = Geod(ellps="WGS84")
ACCESS_KM = 3.0  # a place farther from every road is not on the roads
_DECIMALS = 5  # of a degree: ends that lie within a metre or so are one crossing


def geodesic_km(here: Floats, there: Floats) -> Floats:
    """Distances on WGS 84 of all pairs; both n × 2: latitude, longitude. NaN where not known.

    Source: Karney, J. Geodesy 87, 2013 (pyproj).
    """
    i, j = (index.ravel() for index in np.indices((len(here), len(there))))
    _, _, metres = GEOD.inv(here[i, 1], here[i, 0], there[j, 1], there[j, 0])
    return np.asarray(metres, dtype="float64").reshape(len(here), len(there)) / 1000


@dataclass
class Travel:
    """Distances between places; counts how many of them ran along roads.

    `roads`: lines, EPSG:4326; None: not known. Lines that share a vertex connect.
    """

    roads: npt.NDArray[np.object_] | None = None
    asked_count: int = 0
    on_road_count: int = 0

    @cached_property
    def _graph(self) -> tuple[Floats, sparse.csr_array] | None:
        """(vertices: latitude, longitude; lengths in km between those that a line joins)."""
        if self.roads is None or not len(self.roads):
            return None
        lines = [part for line in self.roads for part in shapely.get_parts(line)]
        lines = [line for line in lines if line.geom_type == "LineString"]
        if not lines:
            return None
        points, number = shapely.get_coordinates(lines, return_index=True)
        nodes, node = np.unique(points.round(_DECIMALS), axis=0, return_inverse=True)
        node = node.ravel()
        here = np.flatnonzero((number[:-1] == number[1:]) & (node[:-1] != node[1:]))
        a, b = node[here], node[here + 1]
        pairs = np.unique(np.sort(np.column_stack([a, b]), axis=1), axis=0)
        if not len(pairs):
            return None
        ends = nodes[pairs[:, 0]], nodes[pairs[:, 1]]
        _, _, metres = GEOD.inv(ends[0][:, 0], ends[0][:, 1], ends[1][:, 0], ends[1][:, 1])
        size = (len(nodes), len(nodes))
        graph = sparse.csr_array((metres / 1000, (pairs[:, 0], pairs[:, 1])), shape=size)
        return nodes[:, ::-1], graph

    @cached_property
    def _tree(self) -> cKDTree:
        assert self._graph is not None
        return cKDTree(_on_sphere(self._graph[0]))

    def km(self, places: Floats) -> Floats:
        """Distances of all pairs of places, n × n; unknown positions are 0 km from all others.

        Along roads: from the place to the nearest vertex of a road, by the shortest way to the
        vertex of the other place, and to it (Dijkstra). Geodesic where a place has no road within
        ACCESS_KM, or none leads from one to the other.
        """
        straight = np.nan_to_num(geodesic_km(places, places))
        known = np.flatnonzero(np.isfinite(places).all(axis=1))
        count = len(known) * (len(known) - 1) // 2
        self.asked_count += count
        if self._graph is None or count == 0:
            return straight
        nodes, graph = self._graph
        _, nearest = self._tree.query(_on_sphere(places[known]))
        at = nodes[nearest]
        _, _, metres = GEOD.inv(places[known, 1], places[known, 0], at[:, 1], at[:, 0])
        access = np.asarray(metres) / 1000
        way = csgraph.dijkstra(graph, directed=False, indices=nearest)[:, nearest]
        whole = way + access[:, None] + access[None, :]
        near = access <= ACCESS_KM
        usable = np.isfinite(whole) & near[:, None] & near[None, :]
        # two places beside one vertex: the way over it may be longer than the straight one
        found = straight.copy()
        block = np.ix_(known, known)
        found[block] = np.where(usable, np.maximum(whole, straight[block]), straight[block])
        np.fill_diagonal(found, 0.0)
        self.on_road_count += int(np.triu(usable, 1).sum())
        return found


def _on_sphere(degrees: Floats) -> Floats:
    latitude, longitude = np.radians(degrees).T
    flat = np.cos(latitude)
    return np.column_stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)])


def nearest_first(km: Floats, first: int) -> list[int]:
    """The order in which places are visited: each time the nearest that is left.

    >>> nearest_first(np.array([[0.0, 5, 1], [5, 0, 2], [1, 2, 0]]), 0)
    [0, 2, 1]
    """
    order, left = [first], [one for one in range(len(km)) if one != first]
    while left:
        order.append(min(left, key=lambda one: (km[order[-1], one], one)))
        left.remove(order[-1])
    return order
