"""Verdicts and counts added up by former district: people still speak of districts.

Numbers of communes, people and tests only, each the sum of a published one; never a speed, so that
a subtotal less its communes reveals nothing.

Does not belong here: which communes a district has (`sources/`), verdicts (`judge.py`).
"""

from __future__ import annotations

import pandas as pd

from pipeline.schema.columns import TABLES
from pipeline.schema.fields import STATUSES
from pipeline.schema.tables import validated, with_declared_dtypes


def former_districts(status: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """`former_districts`: a row per former district × operator (and `all`).

    A commune that went together from several districts is in the row of them all (`A; B`), in none
    of theirs; communes without a district are in the row without one: the rows of an operator add
    up to all communes. `population` is empty where a commune's people are not known;
    `summed_device_count` counts a device in each commune that it tested in. No row where no commune
    has a district. `status`, `summary`: `commune_status`, `commune_summary`.
    """
    about = summary[["commune_code", "former_district", "population"]]
    if about["former_district"].isna().all():
        none = pd.DataFrame({name: [] for name in TABLES["former_districts"]})
        return with_declared_dtypes("former_districts", none)
    rows = status.merge(about, on="commune_code", validate="many_to_one")
    is_status = {f"{name}_count": rows["status"].eq(name).astype("float64") for name in STATUSES}
    rows = rows.assign(commune_count=1.0, **is_status)
    keys = ["former_district", "boundary_vintage", "operator", "period"]
    grouped = rows.groupby(keys, dropna=False, sort=False)
    table = grouped[["commune_count", *is_status, "test_count", "device_count"]].sum()
    table["population"] = grouped["population"].agg(lambda people: people.sum(skipna=False))
    table = table.rename(columns={"device_count": "summed_device_count"}).reset_index()
    order = {name: number for number, name in enumerate(status["operator"].unique())}
    table = table.assign(order=table["operator"].map(order))
    table = table.sort_values(["former_district", "order"], ignore_index=True)
    return validated("former_districts", with_declared_dtypes("former_districts", table))
