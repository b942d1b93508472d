"""Tables → files of one period, which replace earlier ones as a whole. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.publish.about import about_of
from pipeline.publish.manifest import settings_without_paths, versions_of_rules, write_manifest
from pipeline.publish.swap import COMPLETE, replacing
from pipeline.schema import texts

if TYPE_CHECKING:
    from pipeline.config.run_context import RunContext
    from pipeline.schema.month import Month


@dataclass(frozen=True)
class Outputs:
    """Where a run publishes, and which parts."""

    folder: Path  # OUT: each period gets a folder in it
    parts: Collection[str] = ("tables", "map", "gis", "report")


@dataclass(frozen=True)
class Writer:
    """One folder of outputs: the module of its name has `write(folder, month, about)`."""

    folder: str
    step: str  # its name in progress and in the manifest's seconds
    share: float  # of the run that is done before it
    needs: frozenset[str]  # it writes only if all these parts are published


WRITERS = (
    Writer("tables", "tables", 0.85, frozenset({"tables"})),
    Writer("maps", "map", 0.92, frozenset({"map"})),
    Writer("gis", "gis", 0.94, frozenset({"gis"})),
    Writer("packs", "packs", 0.95, frozenset({"tables", "map", "gis"})),
    Writer("report", "report", 0.96, frozenset({"report"})),
)


def publish_month(month: Month, context: RunContext, outputs: Outputs) -> Path:
    """Write `OUT/PERIOD` as a whole and return it.

    The files are examined for privacy before they replace those of an earlier run.
    """
    from pipeline.publish import guard
    from pipeline.publish.revisions import revision_of

    settings, log, timer = context.settings, context.log, context.timer
    period, target = str(month.period), outputs.folder / str(month.period)
    if month.licences and not settings.publish.allow_noncommercial:
        log("licence_guard", licences=month.licences)
    account: dict[str, Any] = {
        "inputs": [asdict(item) for item in month.inputs],
        "settings": settings_without_paths(settings),
    }
    with replacing(outputs.folder, period) as folder:
        rules = versions_of_rules() | account | {"period": period, "window_months": month.window}
        revision = revision_of(target, rules, month.tables["commune_status"])
        if revision["revision"] > 1:
            last = revision["revisions"][-1]
            number, causes, count = (
                revision["revision"],
                texts.joined(*map(texts.worded, last["differs"]), by=", "),
                last["changed_count"],
            )
            if count is None:
                log("revision_uncompared", number=number, causes=causes)
            else:
                log("revision", number=number, causes=causes, count=count)
        about = about_of(month, settings, revision)
        for writer in WRITERS:
            if writer.needs <= set(outputs.parts):
                context.progress(writer.step, writer.share)
                with timer.step(f"publish {writer.step}"):
                    module = import_module(f"pipeline.publish.{writer.folder}")
                    module.write(folder / writer.folder, month, about)
        context.progress("privacy", 0.97)
        examine = partial(
            guard.examine,
            folder,
            device_prints=month.device_prints,
            min_devices=about.min_devices,
            ours=lambda: guard.own_texts(month, account["settings"]),
        )
        with timer.step("privacy check"):
            examined = examine()
        log("guard", files=examined)
        said = [texts.error_message(warning, about.lang) for warning in month.warnings]
        warnings = [guard.masked(text, month.device_prints) for text in said]
        write_manifest(folder, month, about, timer, {**account, "warnings": warnings})
        examine(pattern=COMPLETE)
    return target
