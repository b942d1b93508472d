"""Months of tests in a small grid of communes in which events happen, written and run.

V's tests of r0c0 are slow or fast by month; the other communes' are the same every month.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.builders import HEADINGS, centre, run_lomsong, write_world

SLOW = [8.1, 12.4, 15.0, 17.2, 18.8, 20.5, 22.3, 24.0, 26.9, 29.5, 33.0, 38.6]
FAST = [44.0, 47.5, 51.2, 55.0, 57.3, 60.1, 62.8, 66.4, 70.9, 75.5, 81.2, 88.0]
MIXED = [9.5, 14.2, 18.0, 21.7, 24.9, 27.3, 31.8, 52.0, 60.0, 70.0]
OTHERS = ["r1c1", "r1c2", "r1c3", "r2c0", "r2c1", "r2c2", "r2c3", "r3c0", "r3c1", "r3c2"]
ALL_COMMUNES = [f"r{row}c{column}" for row in range(4) for column in range(4)]
DAYS = (6, 7, 8)
RULES = "[operators]\nV = []\n[evidence]\nwindow_months = 3\nwidened_months = []\n"
EVENTS = RULES + '[events]\npath = "events.csv"\n'


def rows(
    month: str,
    code: str,
    speeds: list[float],
    tag: str,
    days: tuple[int, ...] = DAYS,
    at: tuple[float, float] | None = None,
) -> list[str]:
    """A device per speed, on each of the days, in the commune's middle or beside `at`."""
    latitude, longitude = centre(code) if at is None else at
    return [
        f"{month}-{day:02d} {8 if (number + day) % 2 else 20:02d}:{number:02d}:00,"
        f"{latitude + number * 1e-4:.6f},{longitude:.6f},10,V,4G,{speed},1,40,{tag}-{number:03d}"
        for number, speed in enumerate(speeds)
        for day in days
    ]


def others(month: str) -> list[str]:
    return [
        line
        for number, code in enumerate(OTHERS)
        for line in rows(month, code, FAST if number % 3 else MIXED, f"ok{code}")
    ]


def text(*parts: list[str]) -> str:
    return "\n".join([HEADINGS, *(line for part in parts for line in part)]) + "\n"


def with_villages(folder: Path) -> str:
    """Three villages in every commune, some 3 km apart. Gives the settings' lines."""
    lines = ["name,commune_code,latitude,longitude,people"]
    for code in ALL_COMMUNES:
        latitude, longitude = centre(code)
        lines += [
            f"Bản {name} {code},{code},{latitude + north:.5f},{longitude:.5f},300"
            for name, north in (("A", 0.0), ("B", 0.03), ("C", -0.03))
        ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "villages.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return '[villages]\npath = "villages.csv"\n'


def happen(folder: Path, *events: str) -> None:
    lines = ["date,kind,operator,end_date,commune_code,latitude,longitude,radius_km", *events]
    (folder / "events.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(settings: Path, period: str) -> Path:
    out = settings.parent / "out"
    code, said = run_lomsong(
        "run", "--settings", settings, "--out", out, "--period", period, "--publish", "tables"
    )
    assert code == 0, said
    return out / period


def ledger(folder: Path) -> pd.DataFrame:
    """The ledger of a period's folder by gap_id and period."""
    table = pd.read_parquet(folder / "tables/gap_ledger.parquet")
    return table.set_index(["gap_id", "period"]).sort_index()


def story(
    folder: Path, speeds: dict[str, tuple[list[float], tuple[int, ...]]], *events: str
) -> Path:
    """The settings of a world where V's tests of r0c0 have speeds and days by month."""
    months = {
        month: text(rows(month, "r0c0", values, "a", days), others(month))
        for month, (values, days) in speeds.items()
    }
    settings = write_world(folder, months, EVENTS)
    happen(folder, *events)
    return settings
