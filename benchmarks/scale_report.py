"""Write what `scale` measured to docs/performance.md and its picture.

Nothing is written that was not measured.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PLOT = "performance.png"
STEPS = {"read": "read, clean, bin, locate", "clean": "samples and facts", "judge": "judge",
         "hexes": "hexes and gaps",
         "priorities": "priorities", "publish tables": "tables",
         "privacy check": "privacy check"}  # fmt: skip
_TEXT = """# How fast, how large

Measured by `make bench` on {cores} cores and {memory_gb} GB ({system}, Python {python}), over
{communes} communes with {vertices:,} vertices. Contestants ran by turns in one process (the whole
job: each in its own); a ratio is that of the medians, in brackets the lowest and highest that any
two rounds give. Results were compared before anything was timed.

![Seconds and memory by rows]({plot})

## What everybody waits for
| | seconds | peak memory, MB |
|---|---|---|
{demo}

## Points → H3 cells (10 million, resolution 9)
| | seconds | million/s | lomsong is … times as fast |
|---|---|---|---|
{binning}

Points whose cell differs from the library's: {differences}.

## Points → communes (10 million, the grid's making included)
| | seconds | million/s | lomsong is … times as fast |
|---|---|---|---|
{locating}

Points whose commune differs: {located}.

## The whole job (10 million tests from Parquet to all tables, the process's start included)
| | seconds | lomsong is … times as fast | peak memory, MB |
|---|---|---|---|
{job}

The same tests from CSV:

| | seconds | lomsong is … times as fast | peak memory, MB |
|---|---|---|---|
{csv}

The naive script (`benchmarks/naive.py`) has its rows in memory when its clock starts, and stops at
samples, device values and figures of communes and hexes; the job goes on to intervals, verdicts,
gaps, priorities, months, rejects and files.

## Growth
| rows | seconds | thousand rows/s | processor s | peak memory, MB | {step_names} |
|---|---|---|---|---|{step_rule}
{growth}

Seconds grow with rows to the power {exponent:.2f} from a million rows on.
"""


def write_report(folder: Path, found: dict[str, Any], exponent: float) -> None:
    """Renew `performance.md` and its picture in the folder."""
    about, growth = found["machine"], found["growth"]
    timings, more = found["binning"]
    steps = [step for step in STEPS if step in growth]
    text = _TEXT.format(
        **about,
        plot=PLOT,
        demo="\n".join(
            f"| {one['what']} | {one['seconds']:.1f} | {one['peak_mb']:,.0f} |"
            for one in found["demo"]
        ),
        binning="\n".join(_row(one, timings[0], rate=True) for one in timings),
        differences="; ".join(f"{name}: {count}" for name, count in more["differences"].items()),
        locating="\n".join(
            _row(one, found["locating"][0][0], rate=True) for one in found["locating"][0]
        ),
        located=found["locating"][1]["differences"],
        job=_jobs(*found["job"]),
        csv=_jobs(*found["csv"]),
        step_names=" | ".join(f"{STEPS[step]}, s" for step in steps),
        step_rule="---|" * len(steps),
        growth="\n".join(_grown(row, steps) for row in growth.to_dict("records")),
        exponent=exponent,
    )
    (folder / "performance.md").write_text(text, encoding="utf-8")
    _plot(folder / PLOT, growth)


def _jobs(timings: list[Any], more: dict[str, Any]) -> str:
    peaks = {"lomsong": more["peak_mb"], "naive script": more["naive_peak_mb"]}
    return "\n".join(
        f"{_row(one, timings[0], rate=False)} {peaks[one.name]:,.0f} |" for one in timings
    )


def _row(one: Any, ours: Any, *, rate: bool) -> str:
    middle = f" {10 / one.median:.1f} |" if rate else ""
    ratio = "" if one is ours else "{:.1f} ({:.1f}–{:.1f})".format(*ours.ratio(one))
    seconds = f"{one.median:.2f} ({min(one.seconds):.2f}–{max(one.seconds):.2f})"
    return f"| {one.name} | {seconds} |{middle} {ratio} |"


def _grown(row: dict[str, Any], steps: list[str]) -> str:
    shown = " | ".join(f"{row[step]:.1f}" for step in steps)
    rate = row["rows"] / row["seconds"] / 1000
    cost = f"{row['seconds']:.1f} | {rate:,.0f} | {row['processor_s']:.0f} | {row['peak_mb']:,.0f}"
    return f"| {row['rows']:,} | {cost} | {shown} |"


def _plot(path: Path, growth: pd.DataFrame) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = growth["rows"].to_numpy(dtype="float64")
    left.loglog(rows, growth["seconds"], "o-", color="#0b5394", label="the whole job")
    last = float(growth["seconds"].iloc[-1])
    left.loglog(rows, last * rows / rows[-1], ":", color="#888888", label="in proportion to rows")
    left.set(xlabel="tests", ylabel="seconds", title="Seconds, start included")
    left.legend(frameon=False)
    right.loglog(rows, growth["peak_mb"] / 1000, "o-", color="#b45f06")
    right.set(xlabel="tests", ylabel="GB", title="Peak resident memory")
    for axes in (left, right):
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.set_xticks(rows)
    figure.savefig(path, metadata={"Software": None})


if __name__ == "__main__":  # renew the report from what a run of `scale --folder` kept
    kept = pickle.loads(Path(sys.argv[1]).read_bytes())  # noqa: S301 - our own file
    large = kept["growth"][kept["growth"]["rows"] >= 10**6]
    slope = float(np.polyfit(np.log(large["rows"]), np.log(large["seconds"]), 1)[0])
    write_report(Path(__file__).resolve().parents[1] / "docs", kept, slope)
