"""Tables of months: sample tracker, participation, operators' figures of the whole area.

Joins of the steps' results. Does not belong here: verdicts (`result_tables.py`), what is a
campaign's sign (`fieldwork.py`).
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from pipeline.actions import fieldwork
from pipeline.config.rules import TrackerRules
from pipeline.measurements.aggregates import Aggregates
from pipeline.measurements.samples import PER_UNIT, UNIT_CODES, mean_of
from pipeline.measurements.scope import Names, Question
from pipeline.schema import privacy
from pipeline.schema.fields import ALL
from pipeline.schema.month import AreaPeriod
from pipeline.schema.periods import Period
from pipeline.schema.tables import decode_labels, validated, with_declared_dtypes

c = pl.col
NOISE = 2.0  # standard deviations of a Poisson difference: less is no change


def month_tables(
    found: Aggregates,
    question: Question,
    area: AreaPeriod,
    installs: pd.Series | None,
    held: set[str],
    rules: TrackerRules,
) -> dict[str, pd.DataFrame]:
    """`sample_tracker`, `participation` and `operator_summary`.

    `held`: months that were delivered; before the first of them nothing is reported.
    """
    communes, period = area.communes, area.period
    asked = period.window(rules.months)
    months = [month for month in asked if month >= min(held, default=asked[-1])]
    about = pd.DataFrame(
        communes[["commune_code", "commune_name", "former_district", "boundary_vintage"]]
    )
    dates = _dates(found, question.names)
    tracker = fieldwork.sample_tracker(
        _by_month(found, question.names, dates),
        dates.groupby(["commune_code", "local_date"])["test_count"].sum().reset_index(),
        about,
        months,
        rules,
    )
    before = period.before().months
    now, then = (
        _taking_part(found[f"spans {number}"], question.names, dates, list_)
        for number, list_ in enumerate((period.months, before))
    )
    is_delivered = bool(set(before) & held)
    return {
        "sample_tracker": tracker,
        "participation": participation(
            now, then if is_delivered else None, communes, installs, period
        ),
        "operator_summary": operator_summary(found, question, period, rules),
    }


def _dates(found: Aggregates, names: Names) -> pd.DataFrame:
    """Valid tests by commune_code, operator, local_date, month."""
    rows = (
        found["dates"].group_by(*UNIT_CODES, "day").agg(c("tests").sum()).sort(*UNIT_CODES, "day")
    )
    day = rows["day"].cast(pl.String)
    return pd.DataFrame(
        {
            "commune_code": decode_labels(rows["zone"].to_numpy(), names.communes),
            "operator": rows["operator"].to_numpy(),
            "local_date": day.to_pandas().astype("str"),
            "month": day.str.head(7).to_pandas().astype("str"),
            "test_count": rows["tests"].to_numpy().astype(np.float64),
        }
    )


def _by_month(found: Aggregates, names: Names, dates: pd.DataFrame) -> pd.DataFrame:
    """What the tracker is made of, by commune_code and month."""
    keys = ["commune_code", "month"]

    def placed(table: pl.DataFrame) -> pd.DataFrame:
        codes = decode_labels(table["zone"].to_numpy(), names.communes)
        month = table["month"].cast(pl.String).str.head(7).to_pandas().astype("str")
        figures = table.drop("zone", "month").cast(pl.Float64).to_pandas()
        return figures.assign(commune_code=codes, month=month).groupby(keys).sum()

    counted = dates.groupby(keys)
    late = (
        dates["local_date"].str[8:].astype("int64")
        > pd.to_datetime(dates["local_date"]).dt.days_in_month - 3
    )
    months = placed(found["commune_months"])
    cells = found["places"].group_by("zone", "month", "cell").agg(c("tests").sum())
    largest = placed(cells.group_by("zone", "month").agg(c("tests").max()))
    return pd.DataFrame(
        {
            "test_count": counted["test_count"].sum(),
            "sample_count": months["samples"],
            "device_count": months["devices"],
            "date_count": counted["local_date"].nunique(),
            "operator_count": counted["operator"].nunique(),
            "burst_test_count": placed(found["bursts"])["bursts"],
            "one_place": largest["tests"],
            "late": dates["test_count"]
            .where(late, 0.0)
            .groupby([dates[key] for key in keys])
            .sum(),
            "copied_row_count": placed(found["repeats"])["repeats"],
        }
    )


def _taking_part(
    span: pl.DataFrame, names: Names, dates: pd.DataFrame, months: list[str]
) -> pd.DataFrame:
    """test_count and device_count by commune_code over a span."""
    zones, here = span["zone"].to_numpy(), span["devices"].to_numpy()
    devices = np.bincount(zones, weights=here, minlength=len(names.communes))
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
    """`participation`, a row per commune, from tests and devices of two periods.

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
    found: Aggregates, question: Question, period: Period, rules: TrackerRules
) -> pd.DataFrame:
    """`operator_summary`: operator (and `all`) × technology × span, over the whole area.

    Small groups' speeds are emptied.

    One device, one vote: the mean of its samples anywhere in the area. The target's technology as
    it is judged; 5G, where the target is 4G, from sound rows that were set aside for their
    technology.
    """
    target, spans = rules.technology, question.window_of_span
    technologies = {target: "area"} | ({"5G": "newer area"} if target == "4G" else {})
    parts = [
        _span(found[f"{table} {window}"], question.names).assign(
            technology_used=technology, span=span
        )
        for technology, table in technologies.items()
        for span, window in spans.items()
    ]
    table = pd.concat(parts, ignore_index=True).assign(period=str(period))
    least = rules.shown_min_devices
    place = table["technology_used"] + "/" + table["span"]
    few = privacy.is_suppressed(table.assign(place=place), "place", "device_count", least)
    # the longer span less the shorter would be the few devices that only the longer one has
    order = table["span"].map({name: number for number, name in enumerate(spans)})
    ordered = table.assign(order=order).sort_values("order")
    added = ordered.groupby(["operator", "technology_used"])["device_count"].diff()
    few |= (added.gt(0) & added.lt(least)).reindex(table.index)
    table = privacy.without(table, few).assign(order=order)
    table = table.sort_values(["technology_used", "order", "operator"], ignore_index=True)
    return validated("operator_summary", with_declared_dtypes("operator_summary", table))


def _span(values: pl.DataFrame, names: Names) -> pd.DataFrame:
    """Figures by operator, and of `all`, over one window. `values`: `devices.area_values`."""
    rows = []
    for number, operator in enumerate([*names.operators, ALL]):
        of = values if operator == ALL else values.filter(c("operator") == number)
        speed, upload, latency = (
            _middle(mean_of(of, total, count))
            for total, count in (
                ("download", "samples"),
                ("upload_total", "uploads"),
                ("latency_total", "latencies"),
            )
        )
        rows.append(
            {
                "operator": operator, "test_count": float(of["tests"].sum()),
                "sample_count": float(of["samples"].sum()),
                "device_count": float(of["device"].n_unique()),
                "mean_mbps": speed[0], "median_mbps": speed[1],
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
    whole = np.rint(known * PER_UNIT).astype(np.int64).sum()
    return float(whole) / PER_UNIT / len(known), float(np.median(known))
