"""The run's own account: what went in, what came out, with which settings and versions.

The only place with a clock.

Does not belong here: paths of the machine; files go by their names.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.config.settings import Settings
from pipeline.publish.rules_hash import rules_sha256

if TYPE_CHECKING:
    from pipeline.config.run_context import Timer
    from pipeline.publish.about import About
    from pipeline.schema.month import Month

PACKAGES = ("geopandas", "shapely", "h3", "folium", "pyproj", "pandas", "numpy", "scipy", "pyarrow",
            "pydantic", "pandera", "django-js-lib-leaflet", "exactextract", "rasterio")  # fmt: skip
TIMES = (
    "started_at",
    "finished_at",
    "seconds_by_step",
    "seconds",
)  # what may differ between two equal runs


def write_manifest(
    folder: Path, month: Month, about: About, timer: Timer, account: Mapping[str, Any]
) -> None:
    """`manifest.json`, written last: it holds the hashes of all other files of the run.

    `account`: inputs, settings (without paths), warnings as texts.
    """
    outputs = {
        p.relative_to(folder).as_posix(): _sha256(p)
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
    content = {
        "notice": about.notice,
        **versions_of_rules(),
        "period": str(about.period),
        "revision": about.revision,
        "revisions": about.revisions,
        "window_months": about.window,
        "inputs": account["inputs"],
        "licences": about.licences,
        "rows_by_step": month.row_counts,
        "results": {key: value for key, value in month.results.items() if key != "books"},
        "warnings": account["warnings"],
        "settings": account["settings"],
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in PACKAGES},
        },
        "outputs": outputs,
        "seconds_by_step": timer.seconds,
        "seconds": round(timer.elapsed, 3),
        "started_at": timer.started_at.isoformat(timespec="seconds"),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    text = json.dumps(content, ensure_ascii=False, indent=2, default=str)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8", newline="")


def settings_without_paths(settings: Settings) -> dict[str, Any]:
    """The settings as JSON, with files and patterns by their last part.

    No folder of the machine is in it.
    """
    held = settings.model_dump()
    for source in held["sources"].values():
        source["path"] = [Path(pattern) for pattern in source["path"]]
    return {section: _as_json(value) for section, value in held.items()}


def _as_json(value: object) -> object:
    if isinstance(value, dict):
        return {key: _as_json(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(held) for held in value]
    if isinstance(value, Path):
        return value.name
    return value.isoformat() if isinstance(value, date) else value


def versions_of_rules() -> dict[str, str]:
    """What tells two versions' verdicts apart: `lomsong`, `rules_sha256`."""
    return {"lomsong": __version__, "rules_sha256": rules_sha256()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
