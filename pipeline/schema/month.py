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
class Month:
    """Everything that a period's run finds out, before it is published."""

    period: Period
    window: list[str]
    communes: gpd.GeoDataFrame
    operators: list[str]
    tables: Mapping[str, pd.DataFrame]  # declared tables by name
    results: Mapping[str, Any]  # headline figures and the books
    warnings: list[Fault]
    device_prints: npt.NDArray[
        np.uint64
    ]  # fingerprints of device ids, ascending: the privacy check looks for them
    coarser_cells: gpd.GeoDataFrame | None = None  # `hex_status` for a map that has too many cells
