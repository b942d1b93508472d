"""The months beside the verdicts: sample tracker, participation, figures of the whole area by
operator and technology.

Joins of the steps' results. Does not belong here: verdicts (`assemble.py`), what is a campaign's
sign (`fieldwork.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.actions import fieldwork
from pipeline.config.rules import tracker_rules_of
from pipeline.config.settings import Settings
from pipeline.hexgrid.groups import changes, sequence, sums
from pipeline.measurements.evidence import Names
from pipeline.measurements.facts import Facts
from pipeline.measurements.sample_facts import PER_UNIT, added_places, area_over, whole
from pipeline.schema import privacy
from pipeline.schema.periods import Period
from pipeline.schema.tables import ALL, PRIVATE, decode_labels, validated, with_declared_dtypes

NOISE = 2.0  # standard deviations of a Poisson difference: less is no change


def month_tables(
    facts: Facts,
    names: Names,
    spans: Mapping[str, int],
    communes: gpd.GeoDataFrame,
    installs: pd.Series | None,
    held: set[str],
    period: Period,
    settings: Settings,
) -> dict[str, pd.DataFrame]:
    """`sample_tracker`, `participation` and `operator_summary`.

    `spans`: names of spans of `operator_summary` → the scope's window. The scope's spans are the
    period and the one before.
    `held`: months that were delivered: before the first of these nothing is said.
    """
    rules = settings.tracker
    asked = period.window(rules.months)
    months = [month for month in asked if month >= min(held, default=asked[-1])]
    about = pd.DataFrame(
        communes[["commune_code", "commune_name", "former_district", "boundary_vintage"]]
    )
    dates = _dates(facts, names)
    tracker = fieldwork.sample_tracker(
        _by_month(facts, names, dates),
        dates.groupby(["commune_code", "local_date"], as_index=False)["test_count"].sum(),
        about,
        months,
        tracker_rules_of(settings),
    )
    before = period.before().months
    now, then = (
        _taking_part(facts, names, dates, number, list_)
        for number, list_ in enumerate((period.months, before))
    )
    return {
        "sample_tracker": tracker,
        "participation": participation(
            now, then if set(before) & held else None, communes, installs, period
        ),
        "operator_summary": operator_summary(facts, names, spans, period, settings),
    }


def _dates(facts: Facts, names: Names) -> pd.DataFrame:
    """Valid tests by commune_code, operator, local_date, month."""
    found = facts["dates"]
    order = sequence((found["zone"], found["operator"], found["day"] - found["day"].min(initial=0)))
    rows = {name: values[order] for name, values in found.items()}
    starts = changes(rows["zone"], rows["operator"], rows["day"])
    day = rows["day"][starts].astype("datetime64[D]")
    return pd.DataFrame(
        {
            "commune_code": decode_labels(rows["zone"][starts], names.communes),
            "operator": rows["operator"][starts],
            "local_date": pd.Series(day.astype(str), dtype="str"),
            "month": pd.Series(day.astype("datetime64[M]").astype(str), dtype="str"),
            "test_count": sums(rows["tests"], starts),
        }
    )


def _text_of_months(month: npt.NDArray[Any]) -> pd.Series:
    return pd.Series((month - 1970 * 12).astype("datetime64[M]").astype(str), dtype="str")


def _by_month(facts: Facts, names: Names, dates: pd.DataFrame) -> pd.DataFrame:
    """What the tracker is made of, by commune_code and month."""
    keys = ["commune_code", "month"]

    def placed(table: str, *columns: str) -> pd.DataFrame:
        found = facts[table]
        codes = decode_labels(found["zone"], names.communes)
        about = {"commune_code": codes, "month": _text_of_months(found["month"])}
        return pd.DataFrame(about | {c: found[c] for c in columns})

    counted = dates.groupby(keys)
    late = (
        dates["local_date"].str[8:].astype("int64")
        > pd.to_datetime(dates["local_date"]).dt.days_in_month - 3
    )
    months = placed("months", "samples", "devices", "bursts").groupby(keys).sum()
    places = facts["places"] | {"zone": facts["places"]["unit"] // max(len(names.operators), 1)}
    place = pd.DataFrame(added_places(places, ("zone", "month", "cell")))
    place = place.groupby(["zone", "month"])["tests"].max().reset_index()
    largest = place.assign(
        commune_code=names.communes[place["zone"].to_numpy(dtype=np.int64)],
        month=_text_of_months(place["month"].to_numpy()),
    ).set_index(keys)["tests"]
    return pd.DataFrame(
        {
            "test_count": counted["test_count"].sum(),
            "sample_count": months["samples"],
            "device_count": months["devices"],
            "date_count": counted["local_date"].nunique(),
            "operator_count": counted["operator"].nunique(),
            "burst_test_count": months["bursts"],
            "one_place": largest,
            "late": dates["test_count"]
            .where(late, 0.0)
            .groupby([dates[key] for key in keys])
            .sum(),
            "copied_row_count": placed("copies", "copies").groupby(keys)["copies"].sum(),
        }
    )


def _taking_part(
    facts: Facts, names: Names, dates: pd.DataFrame, span: int, months: list[str]
) -> pd.DataFrame:
    """test_count and device_count by commune_code over a span."""
    found = facts["spans"]
    here = found["span"] == span
    devices = np.bincount(
        found["zone"][here], weights=found["devices"][here], minlength=len(names.communes)
    )
    tests = dates[dates["month"].isin(months)].groupby("commune_code")["test_count"].sum()
    counts = pd.DataFrame(
        {"device_count": devices}, index=pd.Index(names.communes, name="commune_code")
    )
    return counts.assign(test_count=tests).fillna(0.0)


def participation(
    now: pd.DataFrame,
    before: pd.DataFrame | None,
    communes: gpd.GeoDataFrame,
    installs: pd.Series | None,
    period: Period,
) -> pd.DataFrame:
    """Valid tests and devices of the period and of the one before (None: not delivered) →
    `participation`, a row per commune.

    `now`, `before`: test_count and device_count by commune_code. `more` and `fewer`: the devices
    differ by more than NOISE standard deviations of the difference of two Poisson counts, sqrt(n +
    m); else `unchanged`; `unknown` without a period before. `installs`: by commune_code.
    """
    codes = communes["commune_code"]

    def counted(counts: pd.DataFrame | None, what: str) -> pd.Series:
        if counts is None:
            return pd.Series(np.nan, index=codes.index)
        return codes.map(counts[what]).fillna(0.0).astype("float64")

    table = pd.DataFrame(communes.drop(columns="geometry")).assign(
        period=str(period),
        test_count=counted(now, "test_count"),
        device_count=counted(now, "device_count"),
        former_test_count=counted(before, "test_count"),
        former_device_count=counted(before, "device_count"),
        install_count=np.nan if installs is None else codes.map(installs).astype("float64"),
    )
    people = table["population"].where(table["population"] > 0)
    table["devices_per_1000"] = 1000 * table["device_count"] / people
    step = table["device_count"] - table["former_device_count"]
    noise = NOISE * np.sqrt(table["device_count"] + table["former_device_count"])
    kind = np.select(
        [step.isna(), step > noise, step < -noise],
        ["unknown", "more", "fewer"],
        default="unchanged",
    )
    return validated(
        "participation", with_declared_dtypes("participation", table.assign(participation=kind))
    )


def operator_summary(
    facts: Facts, names: Names, spans: Mapping[str, int], period: Period, settings: Settings
) -> pd.DataFrame:
    """Device values over the whole area: operator (and `all`) × technology × span, small groups'
    speeds emptied.

    One device, one vote: the mean of its samples anywhere in the area. The target's technology as
    it is judged; 5G, where the target is 4G, from sound rows that were set aside for their
    technology.
    """
    target = settings.target.technology
    technologies = {target: False} | ({"5G": True} if target == "4G" else {})
    parts = [
        _span(facts, names, window, is_newer).assign(technology_used=technology, span=span)
        for technology, is_newer in technologies.items()
        for span, window in spans.items()
    ]
    table = pd.concat(parts, ignore_index=True).assign(period=str(period))
    least = settings.privacy.min_devices
    place = table["technology_used"] + "/" + table["span"]
    few = privacy.is_suppressed(table.assign(place=place), "place", "device_count", least)
    # the longer span less the shorter would be the few devices that only the longer one has
    order = table["span"].map({name: number for number, name in enumerate(spans)})
    ordered = table.assign(order=order).sort_values("order")
    added = ordered.groupby(["operator", "technology_used"])["device_count"].diff()
    few |= (added.gt(0) & added.lt(least)).reindex(table.index)
    table = privacy.without(table, few, PRIVATE).assign(order=order)
    table = table.sort_values(["technology_used", "order", "operator"], ignore_index=True)
    return validated("operator_summary", with_declared_dtypes("operator_summary", table))


def _span(facts: Facts, names: Names, window: int, is_newer: bool) -> pd.DataFrame:
    """Figures by operator, and of `all`, over one window."""
    values, counts = facts[area_over(window)], facts["area"]
    here = (counts["window"] == window) & (counts["is_newer"] == is_newer)
    size = len(names.operators)
    total = {
        name: np.bincount(counts["operator"][here], weights=counts[name][here], minlength=size + 1)
        for name in ("tests", "samples", "devices")
    }
    chosen = values["is_newer"] == is_newer
    rows = []
    for number, operator in enumerate([*names.operators, ALL]):
        of = chosen if operator == ALL else chosen & (values["operator"] == number)
        speed, upload, latency = (
            _middle(values[name][of]) for name in ("download", "upload", "latency")
        )
        rows.append(
            {
                "operator": operator, "test_count": total["tests"][number], "sample_count": total["samples"][number],
                "device_count": total["devices"][number], "mean_mbps": speed[0], "median_mbps": speed[1],
                "upload_mean_mbps": upload[0], "median_upload_mbps": upload[1],
                "latency_mean_ms": latency[0], "latency_median_ms": latency[1],
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    return table[table["device_count"] > 0].sort_values("operator", ignore_index=True)


def _middle(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """(mean to a bit/s or ns, median) of the known values: whatever order they come in."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan
    return float(whole(known).astype(np.int64).sum()) / PER_UNIT / len(known), float(
        np.median(known)
    )
