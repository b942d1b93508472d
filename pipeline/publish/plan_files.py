"""The plan of where to test next → files. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.publish.parts import Examined, replace_part
from pipeline.publish.plan import FILES, write_plan
from pipeline.schema import texts
from pipeline.schema.periods import Period

# the form is empty; waypoints have the places of plan.csv
EXAMINED = ("*.csv", "plan.xlsx", "*.docx")


@dataclass(frozen=True)
class PlanAbout:
    """What the files of a plan state about themselves."""

    period: Period  # that the evidence is of
    month: Period  # that the plan is for
    area: str
    lang: texts.Lang
    notice: str  # shown on every output, such as that data are invented
    device_count: int  # that could be used
    per_team: int | None
    on_roads: bool  # whether distances run along roads
    min_devices: int  # smaller groups are not shown
    device_prints: npt.NDArray[np.uint64]  # fingerprints of device ids: the privacy check's


def publish_plan(
    folder: Path, tables: Mapping[str, pd.DataFrame], about: PlanAbout, communes: gpd.GeoDataFrame
) -> list[Path]:
    """Write the files of `publish.plan` to `folder` (OUT/PERIOD/plan) and return them.

    They are examined for privacy, and replace a former plan as a whole. Raises `UserFault` where
    another run writes there, or the system refuses.
    """
    replace_part(
        folder,
        lambda aside: write_plan(aside, tables["plan"], tables["plan_communes"], about, communes),
        Examined(EXAMINED, about.device_prints, about.min_devices),
    )
    return [folder / name for name in FILES]
