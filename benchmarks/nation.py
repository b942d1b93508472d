"""Seconds and peak memory of publishing a simulated nation: 3,321 communes × 4 operators.

    python -m benchmarks.nation                # about eight devices per commune × operator

Publishing is measured in its own process, which reads the judged tables from a file.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks import peak_mb, provinces
from pipeline.config.run_context import RunContext
from pipeline.config.settings import Settings
from pipeline.journey import judge_month
from pipeline.publish import Outputs, publish_month
from pipeline.schema.periods import Period

PARTS = {
    "tables and workbook": ("tables",),
    "tables, map, GIS and operators' packs": ("tables", "map", "gis"),
}


def main() -> int:
    """Draw a nation, judge it, publish it twice, and print the seconds and memory of each."""
    area = provinces.communes(3321, 60)
    drawn = provinces.draw_province(
        area, provinces.OPERATORS, provinces.MONTHS, seed=5, spread=provinces.PLAIN
    )
    inputs = provinces.inputs_of(area, drawn.tests)
    settings = Settings.model_validate({"area": {"name": "simulated"}})
    units = f"{len(area):,} communes × {len(provinces.OPERATORS)} operators"
    print(f"{len(inputs.tests):,} tests, {units}")
    began = perf_counter()
    month = judge_month(inputs, RunContext(settings, Period.parse("2026-10")))
    print(f"judged in {perf_counter() - began:.1f} s")
    with tempfile.TemporaryDirectory() as folder:
        judged = Path(folder) / "judged"
        judged.write_bytes(pickle.dumps((month, settings)))
        for what in PARTS:
            subprocess.run(
                [sys.executable, "-m", "benchmarks.nation", str(judged), what], check=True
            )
    return 0


def published(judged: Path, what: str) -> int:
    """Publish what was judged, in this process alone."""
    month, settings = pickle.loads(judged.read_bytes())  # noqa: S301 - written a moment ago, above
    context, began = RunContext(settings, month.period), perf_counter()
    publish_month(month, context, Outputs(judged.parent, PARTS[what]))
    print(f"{what}: {perf_counter() - began:.1f} s, {peak_mb():.0f} MB; {context.timer.seconds}")
    return 0


if __name__ == "__main__":
    sys.exit(published(Path(sys.argv[1]), sys.argv[2]) if len(sys.argv) == 3 else main())
