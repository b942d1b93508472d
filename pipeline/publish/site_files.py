"""The plan of sites → files. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from pipeline.publish.parts import Examined, replace_part
from pipeline.publish.sites import FILES, write_sites
from pipeline.publish.sites.about import SitesAbout

EXAMINED = ("*.csv", "*.xlsx", "*.gpkg", "*.kml")


def publish_sites(
    folder: Path, tables: Mapping[str, pd.DataFrame], about: SitesAbout
) -> list[Path]:
    """Write the files of `publish.sites` to `folder` (OUT/PERIOD/sites) and return them.

    They are examined for privacy, and replace a former plan as a whole. Raises `UserFault` where
    another run writes there, or the system refuses.
    """
    replace_part(
        folder,
        lambda aside: write_sites(aside, tables, about),
        Examined(EXAMINED, about.device_prints, about.min_devices, partial(_own_texts, tables)),
    )
    return [folder / name for name in FILES]


def _own_texts(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """Texts of the list of sites and of the boundaries: they do not come from rows of tests."""
    yield from tables["site_plan"]["site_id"].astype("str").unique()
    yield from tables["sharing"]["host_site_id"].dropna().astype("str").unique()
    for name in ("commune_code", "commune_name", "boundary_vintage", "period"):
        yield from tables["sharing"][name].astype("str").unique()
