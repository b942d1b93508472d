"""A province with villages whose months are written row by row: tests of operator V by device."""

from __future__ import annotations

from pathlib import Path

from tests.builders import HEADINGS, centre

SLOW = [8.1, 12.4, 15.0, 17.2, 18.8, 20.5, 22.3, 24.0, 26.9, 29.5, 33.0, 38.6]
FAST = [44.0, 47.5, 51.2, 55.0, 57.3, 60.1, 62.8, 66.4, 70.9, 75.5, 81.2, 88.0]
MIXED = [9.5, 14.2, 18.0, 21.7, 24.9, 27.3, 31.8, 52.0, 60.0, 70.0]
OTHERS = ["r1c1", "r1c2", "r1c3", "r2c0", "r2c1", "r2c2", "r2c3", "r3c0", "r3c1", "r3c2"]
ALL_COMMUNES = [f"r{row}c{column}" for row in range(4) for column in range(4)]
RULES = "[operators]\nV = []\n[evidence]\nwindow_months = 3\nwidened_months = []\n"


def rows(month: str, code: str, speeds: list[float], tag: str, north: float = 0.0) -> list[str]:
    """A device per speed, on the 6th, 7th and 8th."""
    latitude, longitude = centre(code)
    return [
        f"{month}-{day:02d} {8 if (number + day) % 2 else 20:02d}:{number:02d}:00,"
        f"{latitude + north + number * 1e-4:.6f},{longitude:.6f},10,V,4G,{speed},1,40,"
        f"{tag}-{number:03d}"
        for number, speed in enumerate(speeds)
        for day in (6, 7, 8)
    ]


def others(month: str) -> list[str]:
    """Tests in OTHERS, near the target and above it."""
    return [
        line
        for number, code in enumerate(OTHERS)
        for line in rows(month, code, FAST if number % 3 else MIXED, f"ok{code}")
    ]


def text(*parts: list[str]) -> str:
    """A delivery of rows."""
    return "\n".join([HEADINGS, *(line for part in parts for line in part)]) + "\n"


def with_villages(folder: Path, *names: str) -> str:
    """Villages of every commune, in its middle, 3 km north and south. Gives the settings' lines.

    `names`: of the three, before the commune's code.
    """
    lines = ["name,commune_code,latitude,longitude,people"]
    named = names or ("A", "B", "C")
    for code in ALL_COMMUNES:
        latitude, longitude = centre(code)
        lines += [
            f"Bản {name} {code},{code},{latitude + north:.5f},{longitude:.5f},300"
            for name, north in zip(named, (0.0, 0.03, -0.03), strict=True)
        ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "villages.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return '[villages]\npath = "villages.csv"\n'
