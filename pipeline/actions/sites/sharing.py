"""Who could share with whom: commune by commune, from the operators' verdicts.

Rule: nobody meets the target and somebody falls short: a new site together; one meets: roam on it
or share with it; several meet: the failing operators upgrade their own; nothing known: measure
first. Precedent: the United Kingdom's total and partial not-spots (Shared Rural Network), Germany's
white and grey spots. An unknown operator never counts as one that falls short. Does not belong
here: sites that are chosen by a budget (`plan.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.actions.travel import geodesic_km
from pipeline.schema.fields import ALL
from pipeline.schema.tables import validated, with_declared_dtypes

GAPS = ("confirmed_gap", "probable_gap")


def sharing(
    status: pd.DataFrame, summary: pd.DataFrame, places: pd.DataFrame, sites: pd.DataFrame | None
) -> pd.DataFrame:
    """The declared table `sharing`: every commune, what its operators' verdicts suggest.

    `status`, `summary`: the tables of communes; `places`: of `demand.demand_places`; `sites`: the
    table `sites`. The host is the operator that meets whose site is nearest to the middle of the
    commune's people; empty without sites.
    """
    named = status[status["operator"] != ALL]
    lists = {
        "operators_good": named["status"].eq("meets_target"),
        "operators_short": named["status"].isin(GAPS),
        "operators_open": ~named["status"].isin([*GAPS, "meets_target"]),
    }
    table = summary[["commune_code", "commune_name", "boundary_vintage", "period", "population"]]
    for name, of in lists.items():
        joined = named[of].groupby("commune_code")["operator"].agg(lambda x: ";".join(sorted(x)))
        texts = [joined.get(code) for code in table["commune_code"]]
        table = table.assign(**{name: pd.Series(texts, index=table.index, dtype="str")})
    counts = named.loc[lists["operators_good"], "commune_code"].value_counts()
    good = table["commune_code"].map(counts).fillna(0).to_numpy()
    is_short = table["operators_short"].notna().to_numpy()
    is_open = table["operators_open"].notna().to_numpy()
    table["sharing_class"] = np.select(
        [good > 1, good == 1, is_short], ["several_meet", "one_meets", "nobody_meets"],
        default="nothing_known",
    )  # fmt: skip
    table["sharing_action"] = np.select(
        [
            is_short & (good > 1),
            is_short & (good == 1),
            is_short & ~is_open,
            is_short | is_open | (good == 0),
        ],
        ["own_upgrade", "roam_or_share", "new_site_shared", "measure_more"],
        default="nothing_needed",
    )
    table = table.merge(_hosts(table, places, sites), how="left", on="commune_code")
    table = table.sort_values("commune_code", ignore_index=True)
    return validated("sharing", with_declared_dtypes("sharing", table))


def _hosts(table: pd.DataFrame, places: pd.DataFrame, sites: pd.DataFrame | None) -> pd.DataFrame:
    """host_operator, host_site_id, host_km by commune where somebody could share."""
    columns = ["commune_code", "host_operator", "host_site_id", "host_km"]
    standing = None if sites is None else sites[~sites["is_candidate"]]
    if standing is None or not len(standing) or not len(places):
        return pd.DataFrame({name: pd.Series(dtype="object") for name in columns})
    weighted = places.assign(
        y=places["latitude"] * places["people"], x=places["longitude"] * places["people"]
    )
    sums = weighted.groupby("commune_code")[["y", "x", "people"]].sum()
    found = []
    for row in table[table["sharing_action"] == "roam_or_share"].to_dict("records"):
        own = standing[standing["site_operator"] == row["operators_good"]]
        if not len(own) or row["commune_code"] not in sums.index:
            continue
        y, x, people = sums.loc[row["commune_code"]]
        here = own[["latitude", "longitude"]].to_numpy(dtype="float64")
        km = geodesic_km(np.array([[y / people, x / people]]), here)[0]
        best = int(km.argmin())
        host = (row["operators_good"], own["site_id"].iloc[best], round(float(km[best]), 2))
        found.append((row["commune_code"], *host))
    return pd.DataFrame(found, columns=columns)
