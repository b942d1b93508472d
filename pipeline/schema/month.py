"""What a run finds out about one period, before anything is published.

Does not belong here: how it is found out (`journey.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.schema.errors import Fault
from pipeline.schema.periods import Period


@dataclass(frozen=True)
class Input:
    """A file that was read: its role (of a delivery: its source), name, hash and rows.

    A source may be called like a role (`boundaries`): `is_delivery` tells them apart.
    """

    role: str
    name: str
    sha256: str
    row_count: int
    is_delivery: bool = False


@dataclass(frozen=True)
class AreaPeriod:
    """The communes and the period that tables are about."""

    communes: gpd.GeoDataFrame
    period: Period


@dataclass(frozen=True)
class Month:
    """Everything that a period's run finds out, before it is published."""

    period: Period
    window: list[str]
    communes: gpd.GeoDataFrame
    operators: list[str]
    tables: Mapping[str, pd.DataFrame]  # declared tables by name
    results: Mapping[str, Any]  # headline figures and the books
    row_counts: Mapping[str, Any]  # by step and table
    warnings: list[Fault]
    inputs: list[Input]
    licences: list[str]  # of inputs that must be named wherever they are shown
    # fingerprints of device ids, ascending: the privacy check looks for them
    device_prints: npt.NDArray[np.uint64]
    coarser_cells: gpd.GeoDataFrame | None = None  # `hex_status` for a map with too many cells
