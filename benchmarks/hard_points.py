"""Points where binning is hard: cells' edges and corners, poles, pentagons, face centres."""

from __future__ import annotations

import h3.api.basic_int as h3
import numpy as np
import numpy.typing as npt

from pipeline.hexgrid import bulk_index

Floats = npt.NDArray[np.float64]
METRE_DEG = 1 / 111_195


def by_the_library(latitude: Floats, longitude: Floats, resolution: int) -> npt.NDArray[np.uint64]:
    """The library's cells, point by point."""
    return np.array(
        [
            h3.latlng_to_cell(a, b, resolution)
            for a, b in zip(latitude.tolist(), longitude.tolist(), strict=True)
        ],
        dtype="uint64",
    )


def spread_over_the_world(count: int, seed: int) -> tuple[Floats, Floats]:
    """Points spread evenly by area."""
    generator = np.random.default_rng(seed)
    latitude = np.degrees(np.arcsin(generator.uniform(-1, 1, count)))
    return latitude, generator.uniform(-180, 180, count)


def clouds(
    centres: list[tuple[float, float]], sizes: Floats, count: int, seed: int
) -> tuple[Floats, Floats]:
    """Normal clouds of each size, in degrees, around each centre."""
    generator = np.random.default_rng(seed)
    points = [
        np.column_stack(
            [lat + generator.normal(0, size, count), lon + generator.normal(0, size, count)]
        )
        for lat, lon in centres
        for size in sizes
    ]
    lat, lon = np.concatenate(points).T
    return np.clip(lat, -90, 90), (lon + 180) % 360 - 180


def points_on_edges(resolution: int, seed: int, count: int = 60) -> tuple[Floats, Floats]:
    """Points on the edges and corners of cells, and from an ulp to a metre off them."""
    generator = np.random.default_rng(seed)
    found = []
    cells = by_the_library(*spread_over_the_world(count, seed), resolution)
    for ring in (np.array(h3.cell_to_boundary(int(cell))) for cell in cells):
        phi, lam = np.radians(ring).T
        corner = np.column_stack(
            [np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)]
        )
        share = generator.uniform(0, 1, (3, len(corner), 1))
        between = (1 - share) * corner + share * np.roll(corner, -1, axis=0)
        v = np.concatenate([corner, *between])
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        on = np.column_stack(
            [np.degrees(np.arcsin(v[:, 2])), np.degrees(np.arctan2(v[:, 1], v[:, 0]))]
        )
        for off in (0, 1e-16, 1e-15, 1e-14, 1e-13, 1e-11, 1e-9, METRE_DEG / 10, METRE_DEG):
            found.append(on + generator.normal(0, 1, on.shape) * off)
            found.append(np.nextafter(on, generator.choice([-np.inf, np.inf], on.shape)))
    lat, lon = np.concatenate(found).T
    return np.clip(lat, -90, 90), np.clip(lon, -180, 180)


def poles_and_pentagons(resolution: int, seed: int, count: int = 12) -> tuple[Floats, Floats]:
    """Points around poles, pentagons of several resolutions and the icosahedron's face centres."""
    faces = bulk_index.faces()[0]
    latitude = np.degrees(np.arcsin(faces[:, 2]))
    longitude = np.degrees(np.arctan2(faces[:, 1], faces[:, 0]))
    centres = list(zip(latitude.tolist(), longitude.tolist(), strict=True))
    pentagons = [
        h3.cell_to_latlng(cell) for r in (0, 3, resolution) for cell in h3.get_pentagons(r)
    ]
    others = [(90.0, 0.0), (-90.0, 0.0), (0.0, 180.0), (0.0, 0.0)]
    return clouds([*centres, *pentagons, *others], 10.0 ** np.arange(-12, 2), count, seed)
