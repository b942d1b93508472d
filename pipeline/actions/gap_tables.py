"""Gap areas and the ledger, joined from weak hexes, samples and the former ledger.

Nothing is decided here. Does not belong here: what is weak (`weak_hexes.py`), contiguous or fixed
(`gaps.py`), formulas (`statistics.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline.actions import gaps
from pipeline.actions.gap_events import event_of_gaps
from pipeline.config.rules import Rules
from pipeline.hexgrid import hexes
from pipeline.measurements import tile_values
from pipeline.measurements.evidence import Evidence
from pipeline.schema.columns import FIELDS
from pipeline.schema.fields import ALL, GAP_STATES
from pipeline.schema.month import AreaPeriod
from pipeline.schema.periods import Period
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.schema.vintages import vintage_of
from pipeline.verdicts import judge, statistics, weighted
from pipeline.verdicts.checks import checks

Priors = Mapping[str, statistics.Prior | None]
AREA = ["gap_id", "operator"]
GAP_KEY = ["commune_code", "boundary_vintage", "operator", "gap_number"]


@dataclass(frozen=True)
class Gaps:
    """The gap of each weak cell, the period's gap areas, and the ledger up to the period."""

    of_cells: pd.DataFrame  # hex_id, operator, gap_id
    areas: pd.DataFrame  # gap_areas
    ledger: pd.DataFrame  # gap_ledger

    def states(self, period: Period) -> list[str]:
        """The number of gaps in each state, for the log."""
        counts = self.ledger.loc[self.ledger["period"] == str(period), "state"].value_counts()
        return [f"{name} {counts[name]}" for name in GAP_STATES if name in counts.index]


def gap_tables(
    weak_cells: pd.DataFrame,
    evidence: Evidence,
    former: pd.DataFrame,
    priors: Priors,
    area: AreaPeriod,
    rules: Rules,
) -> Gaps:
    """The period's gaps, from weak cells × operators, devices by cell and the former ledger.

    `weak_cells`: hex_id, operator of the weak adaptive cells. `former`: the `gap_ledger` before
    the period.
    """
    cells, revisited = evidence.cells, evidence.revisited
    communes, period = area.communes, area.period
    finest = rules.finest_resolution
    known = _latest(former)
    weak = weak_cells[weak_cells["operator"] != ALL][["hex_id", "operator"]]
    weak = weak.sort_values(["operator", "hex_id"])
    shown = hexes.descendants(weak[["hex_id"]].drop_duplicates(), finest)["hex9_id"]
    texts = dict.fromkeys(("commune_code", "operator", "hex9_id"), "str")
    drawn = cells[cells["hex9_id"].isin(shown)].astype(texts)
    of_cells, register = _identified(weak, drawn, known, communes, finest)
    areas = _figures(of_cells, drawn, rules)
    old = hexes.descendants(_cells_of(known), finest)
    new_tests = (
        revisited.merge(old, on=["hex9_id", "operator"])
        if len(old)
        else revisited.head(0).assign(gap_id="")
    )
    last_seen = new_tests["gap_id"].map(known.set_index("gap_id")["last_seen"]).map(_last_month)
    retested = _retested(new_tests[new_tests["local_date"].str[:7] > last_seen], priors, rules)
    history = _rows(known, areas, retested, period, rules)
    history = history.merge(register, on="gap_id")
    history = history.join(event_of_gaps(history, former, evidence, communes, finest))
    ledger = pd.concat([former, history], ignore_index=True).sort_values(
        ["gap_id", "period"], ignore_index=True
    )
    ledger = validated("gap_ledger", with_declared_dtypes("gap_ledger", ledger))
    table = areas.merge(
        history[["gap_id", "commune_code", "boundary_vintage", "state", "first_seen"]], on="gap_id"
    )
    table = _in_communes_of_today(table, of_cells, drawn, communes, finest)
    table = table.merge(communes[["commune_code", "commune_name"]], how="left", on="commune_code")
    table = table.assign(
        period=str(period),
        window_months=float(evidence.window_months),
        population=np.nan,
        # a code that the boundaries no longer have
        commune_name=table["commune_name"].fillna(table["commune_code"]),
    ).sort_values("gap_id", ignore_index=True)
    return Gaps(of_cells, validated("gap_areas", with_declared_dtypes("gap_areas", table)), ledger)


def _in_communes_of_today(
    areas: pd.DataFrame,
    of_cells: pd.DataFrame,
    drawn: pd.DataFrame,
    communes: gpd.GeoDataFrame,
    finest: int,
) -> pd.DataFrame:
    """The areas of gaps that older boundaries named, with the commune that they lie in today.

    Its code in the ledger may belong to another place now. The commune is the one that holds most
    of the area's devices.
    """
    vintage = vintage_of(communes)
    is_older = areas["boundary_vintage"].ne(vintage)
    if not is_older.any():
        return areas
    cells = of_cells[of_cells["gap_id"].isin(areas.loc[is_older, "gap_id"])]
    fine = hexes.descendants(cells, finest).rename(columns={"gap_id": "area"})
    homes = _homes(drawn.merge(fine, on=["hex9_id", "operator"])).set_index("area")["commune_code"]
    today = areas["gap_id"].map(homes)
    return areas.assign(
        commune_code=areas["commune_code"].mask(is_older, today).astype("str"),
        boundary_vintage=areas["boundary_vintage"].mask(is_older, vintage),
    )


def with_people(gaps: Gaps, people: pd.Series) -> Gaps:
    """The gaps with the population of each area. `people`: by hex_id, empty where not known."""
    listed = gaps.of_cells.assign(people=gaps.of_cells["hex_id"].map(people).astype("float64"))
    sums = listed.groupby("gap_id")["people"].sum(min_count=1)
    areas = gaps.areas.assign(population=gaps.areas["gap_id"].map(sums).astype("float64"))
    return replace(gaps, areas=areas)


def _last_month(period: str) -> str:
    return Period.parse(period).months[-1]


def _latest(ledger: pd.DataFrame) -> pd.DataFrame:
    """Each gap's last row."""
    return ledger.sort_values(["gap_id", "period"]).drop_duplicates(
        "gap_id", keep="last", ignore_index=True
    )


def _cells_of(rows: pd.DataFrame) -> pd.DataFrame:
    """gap_id, operator, hex_id: the cells of gaps, one to a row."""
    split = rows[["gap_id", "operator"]].assign(hex_id=rows["cells"].str.split(";"))
    return split.explode("hex_id").astype("str").reset_index(drop=True)


def _identified(
    weak: pd.DataFrame,
    drawn: pd.DataFrame,
    known: pd.DataFrame,
    communes: gpd.GeoDataFrame,
    finest: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(weak cells with the id of their gap, register of all gaps).

    An area keeps the id of the known gap that it continues, else it gets a new one. The register
    has what each gap_id consists of, and `part_of`: the gap that has absorbed it.
    """
    vintage = vintage_of(communes)
    register = known[["gap_id", *GAP_KEY]]
    taken = register.groupby(GAP_KEY[:3])["gap_number"].max().to_dict()
    found, added = [], []
    absorbed: dict[str, str] = {}
    for operator, rows in weak.groupby("operator"):
        pairs = hexes.neighbour_pairs(rows["hex_id"].tolist())
        areas = rows.assign(area=gaps.contiguous(rows["hex_id"], pairs))
        fine = hexes.descendants(areas[["hex_id", "area"]], finest)
        common = _overlaps(fine, known[known["operator"] == operator], finest)
        names = gaps.matched(common)
        homes = _homes(drawn[drawn["operator"] == operator].merge(fine, on="hex9_id"))
        homes = homes[~homes["area"].isin(names)]
        for area, commune in zip(homes["area"], homes["commune_code"], strict=True):
            key = (str(commune), vintage, str(operator))
            taken[key] = int(taken.get(key, 0)) + 1
            names[int(area)] = gaps.gap_id(*key, taken[key])
            added.append((names[int(area)], *key, taken[key]))
        for area, gap in zip(common["area"], common["gap_id"], strict=True):
            if gap not in names.values():
                absorbed.setdefault(str(gap), names[int(area)])
        ids = areas.assign(gap_id=areas["area"].map(names))
        found.append(ids[["hex_id", "operator", "gap_id"]])
    if added:
        new = pd.DataFrame(added, columns=["gap_id", *GAP_KEY])
        register = pd.concat([register, new], ignore_index=True)
    register = register.assign(part_of=register["gap_id"].map(absorbed))
    of_cells = pd.concat(found, ignore_index=True) if found else weak.assign(gap_id="")
    return of_cells.astype("str"), register.drop(columns="operator")


def _overlaps(fine: pd.DataFrame, known: pd.DataFrame, finest: int) -> pd.DataFrame:
    """area, gap_id, weight: finest cells that areas and known gaps have in common, most first.

    `fine`: hex9_id, area.
    """
    old = hexes.descendants(_cells_of(known), finest)[["hex9_id", "gap_id"]]
    common = fine.merge(old, on="hex9_id").groupby(["area", "gap_id"]).size()
    counted = common.rename("weight").reset_index()
    return counted.sort_values(["weight", "area"], ascending=[False, True])


def _homes(devices: pd.DataFrame) -> pd.DataFrame:
    """area, commune_code: the commune with most of an area's devices, the largest area first.

    In that order new gaps of a commune get their numbers. `devices`: area, commune_code,
    device_key.
    """
    counts = devices.groupby(["area", "commune_code"])["device_key"].nunique()
    rows = counts.rename("count").reset_index()
    rows = rows.sort_values(["area", "count", "commune_code"], ascending=[True, False, True])
    return rows.drop_duplicates("area").sort_values(["count", "area"], ascending=[False, True])


def known_cells(ledger: pd.DataFrame, finest: int) -> pd.Series:
    """Finest cells of all gaps of a ledger, ascending: `gap_tables` needs their new samples."""
    cells = hexes.descendants(_cells_of(_latest(ledger)), finest)["hex9_id"]
    return cells.drop_duplicates().sort_values(ignore_index=True)


def _device_values(rows: pd.DataFrame) -> pd.DataFrame:
    """One value per device and gap, as `statistics` expects them: gap_id as commune_code.

    `rows`: devices by cell, with a gap_id.
    """
    named = [f"{what}_{kind}" for what in ("upload", "latency") for kind in ("total", "count")]
    named = ["download_total", "sample_count", "test_count", *named]
    by_device = rows.groupby([*AREA, "device_key"])
    sums = by_device[named].sum()
    if "device_weight" in rows:  # a tile's devices, however many cells it touches
        sums["device_weight"] = by_device["device_weight"].max()
    sums = sums.reset_index()
    counts = sums[["upload_count", "latency_count"]].where(lambda count: count > 0)
    return sums.rename(columns={"gap_id": "commune_code"}).assign(
        download_mbps=sums["download_total"] / sums["sample_count"],
        upload_mbps=sums["upload_total"] / counts["upload_count"],
        latency_ms=sums["latency_total"] / counts["latency_count"],
    )


def _as_totals(samples_of_gaps: pd.DataFrame) -> pd.DataFrame:
    """Samples, one to a row, in the form of devices by cell."""
    return samples_of_gaps.assign(
        sample_count=1.0,
        device_weight=1.0,
        download_total=samples_of_gaps["download_mbps"],
        upload_total=samples_of_gaps["upload_mbps"].fillna(0.0),
        upload_count=samples_of_gaps["upload_mbps"].notna().astype("float64"),
        latency_total=samples_of_gaps["latency_ms"].fillna(0.0),
        latency_count=samples_of_gaps["latency_ms"].notna().astype("float64"),
    )


def _described(rows: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Figures by gap and operator: those of `statistics.describe`, the envelope, counts.

    `rows`: devices by cell, with a gap_id.
    """
    values = _device_values(rows)
    target = rules.target_mbps
    units = statistics.describe(values)
    units = statistics.with_limits(units, target=target, confidence=rules.confidence)
    grouped = values.groupby(tile_values.UNIT)
    return units.assign(
        device_count=grouped.size().astype("float64"),
        test_count=grouped["test_count"].sum().astype("float64"),
        sample_count=grouped["sample_count"].sum().astype("float64"),
        share_devices_below_target=grouped["download_mbps"].agg(lambda x: (x < target).mean()),
    )


def _figures(of_cells: pd.DataFrame, drawn: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Gap areas with their figures, cells, area and position (the centroid of their cells)."""
    if of_cells.empty:
        columns = (*AREA, "cells", "cell_count", "area_km2", "gap_latitude", "gap_longitude", *KEPT)
        return pd.DataFrame({name: pd.Series(dtype=FIELDS[name].dtype) for name in columns})
    fine = hexes.descendants(of_cells, rules.finest_resolution)
    figures = _described(drawn.merge(fine, on=["hex9_id", "operator"]), rules)
    outlines = of_cells.assign(geometry=hexes.outlines(of_cells["hex_id"]).to_numpy())
    cells = gpd.GeoDataFrame(outlines.sort_values("hex_id"), geometry="geometry", crs="EPSG:4326")
    shapes = cells.dissolve(AREA, aggfunc={"hex_id": ";".join}, sort=True)
    flat = shapes.geometry.to_crs(6933)  # equal-area; only for sums and centroids of cells
    centre = flat.centroid.to_crs(4326)
    about = pd.DataFrame(
        {
            "cells": shapes["hex_id"],
            "cell_count": shapes["hex_id"].str.count(";") + 1.0,
            "area_km2": (flat.area / 1e6).round(3),
            "gap_latitude": centre.y.round(4),
            "gap_longitude": centre.x.round(4),
        }
    )
    return about.join(figures.rename_axis(index=AREA)).reset_index()


# figures of a gap's area that the ledger keeps, to compare the next period's new tests with
KEPT = (
    "device_count", "test_count", "mean_mbps", "sd_mbps", "median_mbps", "lo_mbps", "hi_mbps",
    "share_devices_below_target",
)  # fmt: skip


def _retested(rows: pd.DataFrame, priors: Priors, rules: Rules) -> pd.DataFrame:
    """By gap: m, mean and sd of new tests, `is_retested` (E1), `meets_again` (METHOD §4).

    `rows`: new samples at the places of known gaps.
    """
    if rows.empty:
        return pd.DataFrame(
            {name: [] for name in ("m", "mean_mbps", "sd_mbps", "is_retested", "meets_again")}
        )
    dates = (
        rows.assign(commune_code=rows["gap_id"]).groupby(tile_values.UNIT)["local_date"].nunique()
    )
    target, gates = rules.target_mbps, rules.gates
    units = _described(_as_totals(rows), rules).assign(date_count=dates.astype("float64"))
    units = units.join(_checked(rows, units, rules))
    units[["gap_probability", "has_spread_between"]] = np.nan, False
    for name, prior in priors.items():
        here = units.index.get_level_values("operator") == name
        if prior is not None and here.any():
            m, log_mean = units.loc[here, "m"].to_numpy(), units.loc[here, "log_mean"].to_numpy()
            units.loc[here, "gap_probability"] = statistics.posterior(m, log_mean, prior, target)[1]
            units.loc[here, "has_spread_between"] = prior.tau2 > 0
    pseudo = rows.groupby(AREA)["is_pseudo"].any().rename_axis(index=tile_values.UNIT)
    asked = units.assign(
        has_spread_between=units["has_spread_between"].astype(bool),
        is_tiles=False,
        is_capped=pseudo.reindex(units.index),
        is_borrowed_gap=False,
        is_borrowed_pass=False,
        q_gap=units["p_gap"],
        q_meets=units["p_meets"],
        worst_hi_mbps=np.nan,
        slow_hours_apart=np.nan,
        borrowed_gap_probability=np.nan,
        borrowed_mean_mbps=np.nan,
        borrowed_miss_probability=np.nan,
        capped_gap_probability=np.nan,
        **{f"weighted_{name}": np.nan for name in weighted.FIGURES},  # of a gap's own cells
    )
    verdict = judge.assign_status(asked, target, gates)["status"]
    found = units[["m", "mean_mbps", "sd_mbps"]].assign(
        is_retested=judge.passes_first_gate(asked, gates), meets_again=verdict.eq("meets_target")
    )
    return found.reset_index("operator", drop=True).rename_axis("gap_id")


def _checked(rows: pd.DataFrame, units: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """`checks` of new samples by gap, whose figures are `units`.

    5G that is reported as 4G must not repair a gap.
    """
    devices = _device_values(_as_totals(rows))
    slow = rows["download_mbps"].clip(upper=rules.fast_test_mbps)
    capped = _device_values(_as_totals(rows.assign(download_mbps=slow)))  # in the same order
    devices = devices.assign(capped_mbps=capped["download_mbps"], month_mbps=np.nan)
    return checks(devices, units, target=rules.target_mbps, confidence=rules.confidence)


def _rows(
    known: pd.DataFrame, areas: pd.DataFrame, retested: pd.DataFrame, period: Period, rules: Rules
) -> pd.DataFrame:
    """The period's rows of the ledger: every gap that is weak now or was known before."""
    names = pd.Index(sorted({*known["gap_id"], *areas["gap_id"]}), name="gap_id", dtype="str")
    then = known.set_index("gap_id").reindex(names)
    now = areas.set_index("gap_id").reindex(names)
    again = retested.reindex(names)
    figures = ["mean_mbps", "sd_mbps", "m"]
    before = then.rename(columns={"device_count": "m"})[figures].astype("float64")
    rows = pd.DataFrame(
        {
            "former_state": then["state"],
            "is_weak": names.isin(areas["gap_id"]),
            "is_retested": again["is_retested"].eq(True),
            "meets_again": again["meets_again"].eq(True),
            "faster_p": gaps.faster(again[figures].astype("float64"), before),
        },
        index=names,
    )
    is_private = again["m"].fillna(0.0) < rules.shown_min_devices
    state = gaps.states(rows, rules.weak_significance)
    kept = {
        name: now[name].where(rows["is_weak"], then[name])
        for name in ("operator", "cells", "cell_count", "area_km2", *KEPT)
    }
    return pd.DataFrame(
        {
            **kept,
            "period": str(period),
            "state": state,
            "first_seen": then["first_seen"].fillna(str(period)),
            "last_seen": then["last_seen"].where(~rows["is_weak"], str(period)),
            "fixed_in": then["fixed_in"].fillna(str(period)).where(state.eq("fixed")),
            "new_device_count": again["m"].fillna(0.0),
            "new_mean_mbps": again["mean_mbps"].where(~is_private),
            "faster_p": rows["faster_p"].where(~is_private),
        },
        index=names,
    ).reset_index()
