"""Small worlds whose figures can be checked in one's head."""

from __future__ import annotations

import json
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from typer.testing import CliRunner

from pipeline import cli
from pipeline.config.output_settings import Report
from pipeline.config.rules import cleaning_rules_of, scope_rules_of
from pipeline.config.settings import Evidence, Settings
from pipeline.engine.local import Local
from pipeline.measurements.aggregates import aggregates_in
from pipeline.measurements.events import with_events
from pipeline.measurements.prepare import prepared_tests
from pipeline.measurements.scope import Holdings, question_of
from pipeline.publish.about import About
from pipeline.publish.gap_map.columns import decoded
from pipeline.schema import texts
from pipeline.schema.periods import Period
from pipeline.schema.tables import validated, with_declared_dtypes
from pipeline.sources.deliveries import Part

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
HEADINGS = (
    "measured_at,latitude,longitude,location_accuracy_m,operator,technology,"
    "download_mbps,upload_mbps,latency_ms,device_id"
)


def squares(
    columns: int = 4, rows: int = 4, side: float = 0.1, west: float = 103.0, south: float = 22.0
) -> gpd.GeoDataFrame:
    """A box of equal squares, coded `r<row>c<column>` from the south-west."""
    shapes, codes = [], []
    for r in range(rows):
        for c in range(columns):
            x, y = west + c * side, south + r * side
            shapes.append(
                shapely.box(round(x, 6), round(y, 6), round(x + side, 6), round(y + side, 6))
            )
            codes.append(f"r{r}c{c}")
    frame = pd.DataFrame(
        {
            "commune_code": codes,
            "commune_name": [f"Xã {code}" for code in codes],
            "former_district": None,
            "former_communes": None,
            "province_name": None,
            "boundary_vintage": "test",
            "population": 1000.0,
            "terrain": None,
            "area_km2": 114.0,
            "geometry": shapes,
        }
    )
    return gpd.GeoDataFrame(
        validated("communes", with_declared_dtypes("communes", frame)),
        geometry="geometry",
        crs="EPSG:4326",
    )


def write_boundaries(path: Path, communes: gpd.GeoDataFrame | None = None) -> Path:
    """The squares as a GeoJSON file with the columns `code`, `name`, `population`."""
    communes = squares() if communes is None else communes
    plain = gpd.GeoDataFrame(
        {
            "code": communes["commune_code"],
            "name": communes["commune_name"],
            "population": communes["population"].astype(int),
        },
        geometry=communes.geometry.to_numpy(),
        crs="EPSG:4326",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(plain.to_json(drop_id=True), encoding="utf-8")
    return path


def centre(code: str, communes: gpd.GeoDataFrame | None = None) -> tuple[float, float]:
    """(latitude, longitude) of a square's centre."""
    communes = squares() if communes is None else communes
    point = communes.set_index("commune_code").geometry[code].centroid
    return point.y, point.x


def month_of_tests(
    month: str,
    plan: dict[tuple[str, str], list[float]],
    *,
    per_device: int = 3,
    technology: str = "4G",
) -> str:
    """CSV text with one device per speed for each (commune, operator).

    A device tests on `per_device` days, at alternating hours.
    """
    lines = [HEADINGS]
    for (code, operator), speeds in plan.items():
        latitude, longitude = centre(code)
        for number, speed in enumerate(speeds):
            for day in range(per_device):
                hour = 8 if (number + day) % 2 else 20
                lines.append(
                    f"{month}-{day + 1:02d} {hour:02d}:{number % 60:02d}:00,"
                    f"{latitude + number * 1e-4:.6f},{longitude:.6f},10,"
                    f"{operator},{technology},{speed},{speed / 3:.2f},40,"
                    f"device-{code}-{operator}-{number:03d}"
                )
    return "\n".join(lines) + "\n"


def write_world(folder: Path, months: dict[str, str], settings: str = "") -> Path:
    """Boundaries, one delivery per month, and a settings file, as a user keeps them.

    Gives the settings file.
    """
    write_boundaries(folder / "boundaries.geojson")
    for month, text in months.items():
        path = folder / "raw" / month / "tests.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    file = folder / "settings.toml"
    file.write_text(
        f"""[area]
name = "Bốn ô"
[boundaries]
path = "boundaries.geojson"
population_column = "population"
[sources.ispeed]
path = "raw"
{settings}""",
        encoding="utf-8",
    )
    return file


def accept(settings: Path, *alarms: str) -> Path:
    """Let findings of a world's only source pass. Gives the settings file."""
    text = settings.read_text(encoding="utf-8")
    listed = ", ".join(f'"{alarm}"' for alarm in alarms)
    settings.write_text(
        text.replace("[sources.ispeed]\n", f"[sources.ispeed]\naccept = [{listed}]\n"),
        encoding="utf-8",
    )
    return settings


def golden_world(folder: Path) -> Path:
    """A box of sixteen squares, two operators, every status. Gives the settings file."""
    slow = [8.1, 12.4, 15.0, 17.2, 18.8, 20.5, 22.3, 24.0, 26.9, 29.5, 33.0, 38.6]
    fast = [44.0, 47.5, 51.2, 55.0, 57.3, 60.1, 62.8, 66.4, 70.9, 75.5, 81.2, 88.0]
    mixed = [9.5, 14.2, 18.0, 21.7, 24.9, 27.3, 31.8, 52.0]
    plan = {("r0c0", "A"): slow, ("r0c0", "B"): fast, ("r0c1", "A"): slow, ("r0c1", "B"): slow[:10],
            ("r0c2", "A"): mixed, ("r0c2", "B"): [20.0],
            ("r1c0", "A"): fast, ("r1c1", "A"): [35.0, 38.0, 44.0, 39.0, 52.0, 41.0, 36.0],
            ("r1c2", "B"): [10.0, 12.0], ("r1c3", "A"): fast[:7],
            ("r2c0", "B"): [30.0, 70.0, 20.0, 90.0, 45.0, 15.0, 33.0], ("r2c1", "B"): mixed,
            ("r2c2", "A"): fast[:6], ("r2c2", "B"): mixed}  # fmt: skip
    return write_world(
        folder,
        {m: month_of_tests(m, plan, per_device=2) for m in ("2026-09", "2026-10")},
        "[operators]\nA = []\nB = []\n",
    )


def run_lomsong(*arguments: object) -> tuple[int, str]:
    """Run the command in this process; gives (exit code, everything it printed)."""
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


SLOW, FAST = [10.0 + i / 9 for i in range(14)], [60.0 + i for i in range(14)]


def months_run(folder: Path, window_months: int, *periods: str) -> Path:
    """The folder of outputs after runs of some months, from July on.

    r0c0 is slow in all of them, r1c1 fast; r2c2 is slow until August and fast from September on.
    """
    plans = {
        f"2026-{month:02d}": {
            ("r0c0", "V"): SLOW,
            ("r1c1", "V"): FAST,
            ("r2c2", "V"): SLOW if month < 9 else FAST,
            ("r3c3", "V"): SLOW[:2],
        }
        for month in range(5, 11)
    }
    deliveries = {month: month_of_tests(month, plan) for month, plan in plans.items()}
    rules = f"[evidence]\nwindow_months = {window_months}\nwidened_months = []\n"
    settings = write_world(folder, deliveries, rules)
    for period in periods:
        run = ("run", "--settings", settings, "--out", folder / "outputs", "--period", period)
        code, text = run_lomsong(*run, "--publish", "tables,map")
        assert code == 0, text
    return folder / "outputs"


def device_frame(groups: dict[tuple[str, str], list[float]]) -> pd.DataFrame:
    """`device_values` with the given speeds by (commune, operator)."""
    rows = [
        (code, operator, f"{code}{operator}{i}", speed, np.nan, np.nan, 3.0, 3.0, 1.0, False)
        for (code, operator), speeds in groups.items()
        for i, speed in enumerate(speeds)
    ]
    columns = [
        "commune_code",
        "operator",
        "device_key",
        "download_mbps",
        "upload_mbps",
        "latency_ms",
        "test_count",
        "sample_count",
        "device_weight",
        "is_pseudo",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(capped_mbps=frame["download_mbps"], month_mbps=np.nan)


def read_page(path: Path) -> dict:
    """The data block of a map."""
    text = path.read_text(encoding="utf-8")
    start = text.index('id="lomsong-data">') + len('id="lomsong-data">')
    return json.loads(text[start : text.index("</script>", start)])


RULES = Evidence.model_validate({})


def page_table(data: dict, kind: str) -> pd.DataFrame:
    """What a map's block holds, as a table.

    `status` by (commune_code, operator), `cells` by (hex_id, operator).
    """
    columns, operators = decoded(data["block"]), data["operators"]

    def figures(name: str, scale: float) -> np.ndarray:
        stored = columns[name].astype("float64")
        return np.where(stored > 0, (stored - 1) / scale, np.nan)

    if kind == "status":
        index = pd.MultiIndex.from_product([[c["id"] for c in data["communes"]], operators])
        verdict = [data["lists"]["verdicts"][int(v) - 1] for v in columns["s.verdict"]]
        speeds = {
            name: figures(f"s.{name}", 1000)
            for name in ("mean", "median", "lo", "hi", "upload", "latency")
        }
        counts = {
            name: figures(f"s.{name}", 1)
            for name in ("tests", "devices", "samples", "month", "looks")
        }
        return pd.DataFrame({"verdict": verdict, **speeds, **counts}, index=index)
    ids = [
        f"{(int(h) << 32) | int(low):x}"
        for h, low in zip(columns["h.id_high"], columns["h.id_low"], strict=True)
    ]
    parts = []
    for number, operator in enumerate(operators):
        scales = {"devices": 1, "tests": 1, "mean": 10, "median": 10, "upload": 10, "latency": 1}
        part = pd.DataFrame(
            {name: figures(f"c.{number}.{name}", scale) for name, scale in scales.items()}
        )
        part["weak"], part["fast"] = (
            columns[f"c.{number}.{name}"] == 1 for name in ("weak", "fast")
        )
        parts.append(part.assign(hex_id=ids, operator=operator).dropna(subset="devices"))
    return pd.concat(parts).set_index(["hex_id", "operator"]).sort_index()


def aggregates_of_tests(
    tests: pd.DataFrame,
    communes: gpd.GeoDataFrame | None = None,
    period: str = "2026-10",
    *,
    has_villages: bool = False,
    events: pd.DataFrame | None = None,
    **rules,
):
    """(aggregates, question, prepared) of `tests` in memory, as the journey asks for them."""
    settings, when = Settings.model_validate(rules), Period.parse(period)
    communes = squares() if communes is None else communes
    prepared, _ = prepared_tests(
        [Part(tests=tests)], communes, cleaning_rules_of(settings), Local(1)
    )
    months = prepared.account.months
    operators = prepared.account.operators
    delivered = Holdings(set(months), min(months, default=""), operators, has_villages)
    window = when.window(max(settings.evidence.window_months, when.length))
    codes, nowhere = prepared.how.zones.codes, np.zeros(0, dtype=np.uint64)
    question = question_of(codes, delivered, when, window, nowhere, scope_rules_of(settings))
    question = with_events(question, events)
    return aggregates_in(prepared, question.scope), question, prepared


def about(period: str, **changes: object) -> About:
    """What outputs of a small month say of themselves."""
    plain = {
        "period": Period.parse(period),
        "window": [period],
        "area": "Lai Châu",
        "technology": "4G",
        "target_mbps": 40.0,
        "target_source": "",
        "notice": "",
        "lang": "vi",
        "vintage": "test",
        "licences": [],
        "results": {},
        "rules": {},
        "min_devices": 3,
        "labels": [],
        "operator_files": {},
        "excel_vi": False,
        "letterhead": Report(),
        "official_test_count": 300,
        "revision": 1,
        "revisions": [],
    }
    return About(**{**plain, **changes})


def english_in(message: str) -> set[str]:
    """Words of the English evidence in a Vietnamese message, but for lines to paste.

    Words that Vietnamese texts have too, such as `ping`, and those of headings are none.
    """
    known = [" ".join(texts.catalogue("vi")[section].values()) for section in texts.catalogue("vi")]
    english = _words(" ".join(texts.catalogue("en")["evidence"].values()))
    said = _words(message.partition("\n")[0])
    return (english - _words(" ".join(known)) - {"longitude", "row"}) & said


def _words(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w{])[a-z]{3,}(?![\w}])", text))
