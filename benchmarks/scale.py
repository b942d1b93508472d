"""How fast, how large: binning, locating and the whole job beside their peers, in one run.

How the cost grows with the rows is measured too.

`python -m benchmarks.scale [--largest ROWS] [--boundaries FILE] [--write]`. Results are compared
before a time is printed. Ratios are medians of the rounds with their spread. Does not belong here:
whether figures are right (tests).
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl

from benchmarks import crowd, hard_points
from pipeline.hexgrid import bulk_index
from pipeline.measurements import locate

ROOT = Path(__file__).resolve().parents[1]
POINTS, RESOLUTION, DEVICE_SHARE = 10_000_000, 9, 0.03


@dataclass
class Timing:
    """Seconds of one contestant over the rounds."""

    name: str
    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def ratio(self, to: Timing) -> tuple[float, float, float]:
        """How many times as fast as `to`: (median, lowest, highest)."""
        return (
            to.median / self.median,
            min(to.seconds) / max(self.seconds),
            max(to.seconds) / min(self.seconds),
        )


def timed(contestants: dict[str, Callable[[], Any]], rounds: dict[str, int]) -> list[Timing]:
    """All contestants by turns, each as many times as `rounds` says."""
    found = {name: Timing(name, []) for name in contestants}
    for number in range(max(rounds.values())):
        for name, run in contestants.items():
            if number < rounds[name]:
                start = time.perf_counter()
                run()
                found[name].seconds.append(time.perf_counter() - start)
    return list(found.values())


def binning(area: gpd.GeoDataFrame) -> tuple[list[Timing], dict[str, Any]]:
    """Points over the area's box → cells; and on hard points how many differ from the library."""
    from h3ronpy.vector import coordinates_to_cells

    generator = np.random.default_rng(1)
    west, south, east, north = area.total_bounds
    lat, lon = generator.uniform(south, north, POINTS), generator.uniform(west, east, POINTS)
    ours = _binned(lat, lon)
    theirs = np.asarray(coordinates_to_cells(lat, lon, RESOLUTION))
    world = hard_points.spread_over_the_world(POINTS, 2)
    differences = {
        "over the area, from h3ronpy": int((ours != theirs).sum()),
        "10 million over the world, from h3-py": _differing(world, RESOLUTION),
        "poles, pentagons, face centres, resolutions 0–15": sum(
            _differing(hard_points.poles_and_pentagons(r, r, 40), r) for r in range(16)
        ),
        "edges and corners, an ulp to a metre off, resolutions 0–12": sum(
            _differing(hard_points.points_on_edges(r, r, 600), r) for r in range(13)
        ),
    }
    if any(differences.values()):
        raise SystemExit(f"cells differ: {differences}")
    contestants = {
        "lomsong": lambda: _binned(lat, lon),
        "h3ronpy": lambda: coordinates_to_cells(lat, lon, RESOLUTION),
        "h3-py": lambda: hard_points.by_the_library(lat, lon, RESOLUTION),
    }
    return timed(contestants, {"lomsong": 9, "h3ronpy": 3, "h3-py": 3}), {
        "differences": differences
    }


def _binned(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Cells of all points, in parts on all cores: as the job bins its parts."""
    cuts = np.linspace(0, len(lat), 10 + 1).astype(int)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(
            lambda n: bulk_index.cells_of_points(
                lat[cuts[n] : cuts[n + 1]], lon[cuts[n] : cuts[n + 1]], RESOLUTION
            ),
            range(10),
        )
        return np.concatenate(list(parts))


def _differing(points: tuple[np.ndarray, np.ndarray], resolution: int) -> int:
    lat, lon = points
    return int(
        (
            bulk_index.cells_of_points(lat, lon, resolution)
            != hard_points.by_the_library(lat, lon, resolution)
        ).sum()
    )


def locating(area: gpd.GeoDataFrame) -> tuple[list[Timing], dict[str, Any]]:
    """Points over the area's box → communes, the grid's making included."""
    generator = np.random.default_rng(2)
    west, south, east, north = area.total_bounds
    lat, lon = generator.uniform(south, north, POINTS), generator.uniform(west, east, POINTS)
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), crs="EPSG:4326")
    held: list[Any] = []

    def ours() -> None:
        zones = locate.zones_of(area, POINTS)
        held[:] = [zones.codes, locate.zone_numbers(lat, lon, zones)]

    joined: list[pd.DataFrame] = []
    found = timed(
        {
            "lomsong": ours,
            "geopandas sjoin": lambda: joined.append(gpd.sjoin(points, area, predicate="within")),
        },
        {"lomsong": 7, "geopandas sjoin": 2},
    )
    theirs = joined[0].sort_values("commune_code")["commune_code"]
    theirs = (
        theirs[~theirs.index.duplicated()].reindex(range(POINTS)).fillna("").to_numpy(dtype=object)
    )
    different = int((np.r_[held[0], [""]][held[1]] != theirs).sum())
    if different:
        raise SystemExit(f"communes of {different} points differ")
    return found, {"differences": different}


SETTINGS = """[area]
name = "Benchmark"
[boundaries]
path = "{boundaries}"
[sources.crowd]
path = "{file}"
[operators]
{operators}
"""
NAIVE = """
import json, sys, time
from pathlib import Path
from benchmarks import crowd, naive
rows, area = naive.read(Path(sys.argv[1])), crowd.communes(Path(sys.argv[2]))
start = time.perf_counter()
found = naive.figures(rows, area)
seconds = time.perf_counter() - start
found["communes"].reset_index().to_parquet(sys.argv[3])
print(json.dumps({"seconds": seconds, "samples": len(found["samples"])}))
"""


def month_of(folder: Path, area: gpd.GeoDataFrame, rows: int, file: str = "t.parquet") -> Path:
    """A folder with a month of `rows` tests and its settings.

    `file`: t.parquet or t.csv, the one that is read.
    """
    place = folder / (str(rows) if file == "t.parquet" else f"{rows}-csv")
    if not (place / "settings.toml").exists():
        crowd.write(place / "t.parquet", area, rows, max(200, int(rows * DEVICE_SHARE)))
        area.to_file(place / "communes.gpkg")
        operators = "\n".join(f"{name} = []" for name in crowd.OPERATORS)
        if file == "t.csv":
            pl.scan_parquet(place / "t.parquet").sink_csv(
                place / file, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00:00"
            )
        text = SETTINGS.format(boundaries="communes.gpkg", operators=operators, file=file)
        (place / "settings.toml").write_text(text, encoding="utf-8")
    return place


# A process's peak counts what its parent held when it was forked: a small process in between has
# nothing to hand down.
LAUNCH = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"seconds": time.perf_counter() - start,
                  "processor_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024,
                  "code": done.returncode, "output": done.stdout}))
"""


def measured(command: list[str]) -> dict[str, Any]:
    """Wall seconds, processor seconds and peak resident memory of a process.

    What it printed is there too, if that is JSON.
    """
    launched = subprocess.run(
        [sys.executable, "-c", LAUNCH, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(launched.stdout)
    output = found.pop("output")
    if found.pop("code"):
        raise SystemExit(output)
    return found | (json.loads(output) if output.startswith("{") else {})


def job(place: Path) -> dict[str, Any]:
    """`lomsong run --publish tables`, the process's start included."""
    out = place / "out"
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "run",
        "--settings",
        str(place / "settings.toml"),
        "--out",
        str(out),
        "--publish",
        "tables",
    ]
    found: dict[str, Any] = measured(command)
    manifest = json.loads(next(out.glob("*/manifest.json")).read_text(encoding="utf-8"))
    return found | {"steps": manifest["seconds_by_step"]}


def whole_job(place: Path, rounds: int) -> tuple[list[Timing], dict[str, Any]]:
    """The job beside the naive script; both tables of communes are compared."""
    plain = place / "naive.parquet"
    peer = measured(
        [
            sys.executable,
            "-c",
            NAIVE,
            str(place / "t.parquet"),
            str(place / "communes.gpkg"),
            str(plain),
        ]
    )
    ours = [job(place) for _ in range(rounds)]
    _assert_agree(place, pd.read_parquet(plain))
    about = {
        "peak_mb": max(one["peak_mb"] for one in ours),
        "naive_peak_mb": peer["peak_mb"],
        "steps": ours[-1]["steps"],
    }
    return [
        Timing("lomsong", [one["seconds"] for one in ours]),
        Timing("naive script", [peer["seconds"]]),
    ], about


def _assert_agree(place: Path, plain: pd.DataFrame) -> None:
    status = pd.read_parquet(next((place / "out").glob("*/tables/commune_status.parquet")))
    both = status.merge(plain, on=["commune_code", "operator"], suffixes=("", "_plain"))
    counted = (both["test_count"] == both["test_count_plain"]) & (
        both["device_count"] == both["size"]
    )
    shown = both["mean_mbps"].notna()
    close = np.isclose(both["mean_mbps"], both["mean"], rtol=1e-12) & np.isclose(
        both["median_mbps"], both["median"], rtol=1e-12
    )
    if len(both) != len(plain) or not counted.all() or not close[shown].all():
        raise SystemExit("the job and the naive script disagree")


def growth(folder: Path, area: gpd.GeoDataFrame, largest: int) -> pd.DataFrame:
    """The job at powers of ten: rows, seconds, rows_per_s, peak_mb, and seconds by step."""
    found = []
    for rows in [10**power for power in range(5, 9) if 10**power <= largest]:
        place = month_of(folder, area, rows)
        runs = [job(place) for _ in range(3 if rows < 10**8 else 1)]
        one = sorted(runs, key=lambda run: run["seconds"])[len(runs) // 2]
        found.append(
            {
                "rows": rows,
                **{k: one[k] for k in ("seconds", "processor_s", "peak_mb")},
                **one["steps"],
            }
        )
        print(f"{rows:>11,} rows: {one['seconds']:.1f} s, {one['peak_mb']:,.0f} MB", flush=True)
    return pd.DataFrame(found)


def exponent(table: pd.DataFrame) -> float:
    """Slope of log seconds over log rows from a million on."""
    large = table[table["rows"] >= 10**6]
    return (
        float(np.polyfit(np.log(large["rows"]), np.log(large["seconds"]), 1)[0])
        if len(large) > 1
        else float("nan")
    )


def demo(folder: Path) -> list[dict[str, Any]]:
    """What everybody waits for: the help, and the demo province with and without the report."""
    run = [sys.executable, "-m", "pipeline"]
    measured([*run, "demo", "--out", str(folder / "demo")])
    settings = ["--settings", str(folder / "demo/settings.toml"), "--out", str(folder / "out")]
    asked = {
        "`lomsong --help`": [*run, "--help"],
        "demo run, without the report": [*run, "run", *settings, "--publish", "tables,map,gis"],
        "demo run, every output": [*run, "run", *settings],
    }
    found = []
    for name, command in asked.items():
        runs = sorted((measured(command) for _ in range(3)), key=lambda one: one["seconds"])
        found.append(
            {
                "what": name,
                "seconds": runs[1]["seconds"],
                "peak_mb": max(one["peak_mb"] for one in runs),
            }
        )
        print(f"{name}: {runs[1]['seconds']:.1f} s, {found[-1]['peak_mb']:,.0f} MB", flush=True)
    return found


def main() -> None:
    """Measure, print, and with --write renew docs/performance.md and its picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--largest",
        type=int,
        default=10**7,
        help="rows of the largest month (100000000 needs 15 GB of disk)",
    )
    parser.add_argument(
        "--boundaries", type=Path, help="communes; default: those of the demo province"
    )
    parser.add_argument("--folder", type=Path, help="where months are kept between runs")
    parser.add_argument("--write", action="store_true", help="renew docs/performance.md")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        first = demo(folder)
        area = crowd.communes(asked.boundaries or next((folder / "demo/boundaries").glob("*.g*")))
        found: dict[str, Any] = {"machine": _machine(area), "demo": first}
        found["binning"] = binning(area)
        _print("binning", found["binning"])
        found["locating"] = locating(area)
        _print("locating", found["locating"])
        found["job"] = whole_job(month_of(folder, area, min(POINTS, asked.largest)), 3)
        _print("whole job", found["job"])
        found["csv"] = whole_job(month_of(folder, area, min(POINTS, asked.largest), "t.csv"), 3)
        _print("whole job from CSV", found["csv"])
        found["growth"] = growth(folder, area, asked.largest)
        print(f"exponent from a million rows on: {exponent(found['growth']):.2f}")
        if asked.folder:
            (folder / "found.pickle").write_bytes(pickle.dumps(found))
    if asked.write:
        from benchmarks.scale_report import write_report

        write_report(ROOT / "docs", found, exponent(found["growth"]))


def _machine(area: gpd.GeoDataFrame) -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "cores": os.cpu_count(), "memory_gb": round(memory), "python": platform.python_version(),
        "system": platform.system(),
        "communes": len(area), "vertices": int(area.geometry.count_coordinates().sum()),
    }  # fmt: skip


def _print(what: str, found: tuple[list[Timing], dict[str, Any]]) -> None:
    timings, about = found
    for one in timings:
        times = (
            ""
            if one is timings[0]
            else "lomsong is {:.1f} ({:.1f}–{:.1f}) times as fast".format(*timings[0].ratio(one))
        )
        rate = POINTS / one.median / 1e6
        print(f"{what}: {one.name} {one.median:.3f} s ({rate:.2f} million/s) {times}", flush=True)
    print(f"{what}: {about}", flush=True)


if __name__ == "__main__":
    main()
