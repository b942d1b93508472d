"""What the settings' crosswalk adds to the communes: old names, and people of old communes.

Does not belong here: the crosswalk itself (`crosswalk.py`).
"""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

from pipeline.config.settings import Crosswalk, Settings
from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.vintages import are_apart, vintage_of
from pipeline.sources import boundaries, crosswalk, population
from pipeline.sources.commune_tables import Asked
from pipeline.sources.vintages import checked

EXAMPLES = 5  # in a message


def named_communes(
    communes: gpd.GeoDataFrame, about: Crosswalk
) -> tuple[gpd.GeoDataFrame, list[Fault]]:
    """`communes` with the names of the old ones, and warnings; split communes are one."""
    assert about.path is not None, "asked before"
    pairs, warnings = pairs_of(communes, about)
    split = crosswalk.split_communes(pairs)
    if len(split):
        examples = split["former_name"] + " (" + split["former_code"] + ") → " + split["codes"]
        found = {"found": list(examples[:EXAMPLES]), "count": len(split)}
        warnings.append(Fault("split_communes", about.path.name, values=found))
    return crosswalk.named(communes, pairs), warnings


def is_moved(settings: Settings) -> bool:
    """Whether people by old codes are to be moved to the communes by the crosswalk's weights."""
    about, people = settings.crosswalk, settings.population
    return (
        about.path is not None
        and population.raster_path(people.path) is None
        and are_apart(people.vintage, settings.boundaries.vintage)
        and people.vintage == about.former_vintage
    )


def moved_people(
    communes: gpd.GeoDataFrame, settings: Settings, asked: Asked
) -> tuple[pd.Series, list[Fault]]:
    """People by `commune_code` from those of old communes, and warnings.

    `asked`: of the table of people by old communes. Raises `UserFault` where the weights of a split
    commune are not known.
    """
    people, about, former = settings.population, settings.crosswalk, settings.former_boundaries
    assert people.path is not None, "asked by is_moved"
    assert about.path is not None, "asked by is_moved"
    pairs, warnings = pairs_of(communes, about)
    old = crosswalk.former_communes(pairs, about.former_vintage)
    figures, found = population.count_per_commune(old, people.path, asked)
    warnings += found
    overlaps = None
    if former.path is not None and former.vintage == about.former_vintage:
        outlines, found = boundaries.read_communes(former.path, former)
        warnings += found
        overlaps = crosswalk.overlaps_of(outlines, communes, pairs)
    weights = crosswalk.weighted(pairs, overlaps, file=about.path.name)
    unknown = weights.loc[weights["basis"].eq("unknown"), "former_code"].unique()
    if len(unknown):
        found_values = {"found": sorted(unknown)[:EXAMPLES], "count": len(unknown)}
        raise UserFault([Fault("weights_unknown", about.path.name, values=found_values)])
    moved = crosswalk.moved(figures, weights).reindex(communes["commune_code"])
    if people.total is not None and moved.sum() > 0:
        moved = moved * (people.total / moved.sum())
    bases = weights.drop_duplicates("former_code")["basis"].value_counts()
    told = {name: int(bases.get(name, 0)) for name in crosswalk.BASES[:-1]}
    told["found"] = round(float(moved.sum()))
    warnings.append(Fault("people_moved", people.path.name, values=dict(told)))
    if lacking := list(moved.index[moved.isna()]):
        warnings.append(Fault("no_population", people.path.name, values={"found": lacking}))
    return moved, warnings


def pairs_of(communes: gpd.GeoDataFrame, about: Crosswalk) -> tuple[pd.DataFrame, list[Fault]]:
    """The crosswalk's pairs for the communes, and warnings."""
    assert about.path is not None, "asked before"
    checked(about.path.name, about.vintage, vintage_of(communes))
    columns = crosswalk.PairColumns(
        about.code_column,
        about.former_commune_column,
        about.former_code_column,
        about.former_district_column,
        about.population_weight_column,
        about.area_weight_column,
    )
    pairs, warnings = crosswalk.read_pairs(about.path, columns, code_length=about.code_length)
    here = crosswalk.of_communes(pairs, communes, about.path.name, about.code_column)
    return here, warnings
