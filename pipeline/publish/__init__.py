"""Tables → files, written aside and then swapped in. These rooms decide nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.publish.manifest import (
    Journal,
    settings_without_paths,
    versions_of_rules,
    write_manifest,
)
from pipeline.publish.names import file_names
from pipeline.publish.swap import replacing
from pipeline.schema import texts

if TYPE_CHECKING:
    from pipeline.config.settings import Settings
    from pipeline.publish.maps import Maps
    from pipeline.schema.month import Month
    from pipeline.sources.inputs import Input, Inputs


def publish_month(
    month: Month,
    inputs: Inputs,
    read: list[Input],
    settings: Settings,
    out: Path,
    parts: Collection[str],
    journal: Journal,
    tell: Callable[..., None],
    progress: Callable[[str, float], None],
) -> Path:
    """Write `out/PERIOD` as a whole: tables, map, manifest; examined for privacy before it replaces
    the former one.
    """
    from pipeline.publish import guard
    from pipeline.publish.datapackage import write_datapackage
    from pipeline.publish.maps import Maps
    from pipeline.publish.revisions import revision_of
    from pipeline.publish.tables import write_csv, write_table
    from pipeline.publish.workbook import write_workbook

    lang, notice = settings.publish.lang, settings.publish.notice
    period = str(month.period)
    if inputs.licences and not settings.publish.allow_noncommercial:
        tell("licence_guard", licences=inputs.licences)
    maps = Maps(month, settings, _about(month, settings, inputs.licences), inputs.licences)
    account: dict[str, Any] = {
        "inputs": [asdict(item) for item in read],
        "settings": settings_without_paths(settings),
    }
    with replacing(out, period) as folder:
        what = versions_of_rules() | account | {"period": period, "window_months": month.window}
        revision = revision_of(out / period, what, month.tables["commune_status"])
        if revision["revision"] > 1:
            last = revision["revisions"][-1]
            tell(
                "revision",
                number=revision["revision"],
                causes=list(last["differs"]),
                count=last["changed_count"] or 0,
            )
        if "tables" in parts:
            with journal.step("publish tables"):
                for number, (name, table) in enumerate(month.tables.items()):
                    progress("tables", 0.85 + 0.05 * number / len(month.tables))
                    write_table(
                        folder / "tables",
                        name,
                        table,
                        notice=notice,
                        excel_vi=settings.publish.csv_dialect == "excel-vi",
                    )
                rows = month.tables["priorities"]
                files = {name: name for name in month.tables if name != "hex_status"}
                for operator, name in _operators_with_files(month, inputs, settings).items():
                    table = rows[rows["operator"] == operator]
                    write_csv(folder / "tables", f"priorities_{name}", table, notice=notice)
                    files[f"priorities_{name}"] = "priorities"
                about = _about(month, settings, inputs.licences)
                write_datapackage(folder / "tables", month.tables, files, about)
                write_workbook(
                    folder / "tables" / "priorities.xlsx",
                    month.tables,
                    month.operators,
                    about,
                    lang,
                    month.period.end,
                )
        if "map" in parts:
            with journal.step("publish map"):
                progress("map", 0.92)
                maps.write_all(folder / "maps")
        if "gis" in parts:
            from pipeline.publish.gis import write_gis

            with journal.step("publish gis"):
                progress("gis", 0.94)
                about = _about(month, settings, inputs.licences)
                write_gis(
                    folder / "gis",
                    month.tables,
                    month.communes,
                    month.operators,
                    about,
                    lang,
                    month.period.end,
                )
        if {"tables", "map", "gis"} <= set(parts):
            with journal.step("publish packs"):
                progress("packs", 0.95)
                _write_packs(folder / "packs", month, inputs, settings, maps)
        if "report" in parts and "sample_tracker" in month.tables:
            with journal.step("publish report"):
                progress("report", 0.96)
                _write_report(folder / "report", month, settings, inputs.licences, maps, revision)
        with journal.step("privacy check"):
            progress("privacy", 0.97)
            examined = guard.examine(
                folder, device_prints=month.device_prints, min_devices=settings.privacy.min_devices
            )
        tell("guard", files=examined)
        write_manifest(
            folder,
            journal,
            period=period,
            window=month.window,
            **account,
            revision=revision,
            results=month.results,
            warnings=[texts.letter(w, lang) for w in month.warnings],
            licences=inputs.licences,
            notice=notice,
        )
    return out / period


def _write_packs(
    folder: Path, month: Month, inputs: Inputs, settings: Settings, maps: Maps
) -> None:
    from pipeline.publish.packs import write_pack

    about, lang = _about(month, settings, inputs.licences), settings.publish.lang
    for operator, name in _operators_with_files(month, inputs, settings).items():
        folder.mkdir(parents=True, exist_ok=True)
        write_map = partial(maps.write, start=operator)
        tables, communes = month.tables, month.communes
        write_pack(
            folder / f"{name}.zip",
            operator,
            tables,
            communes,
            about,
            lang,
            month.period.end,
            write_map,
        )


def _write_report(
    folder: Path,
    month: Month,
    settings: Settings,
    licences: list[str],
    maps: Maps,
    revision: dict[str, Any],
) -> None:
    from pipeline.publish.report import write_report
    from pipeline.publish.report.letterhead import area_title, letterhead
    from pipeline.publish.report.words import said

    lang = settings.publish.lang
    about = _about(month, settings, licences) | {
        "official": settings.evidence.official_test_count,
        "source": settings.target.source,
        "labels": maps.about["labels"],
        **revision,
    }
    head = letterhead(settings.report, month.period, about, month.operators, lang)
    area = area_title(settings.report, settings.area.name, lang)
    opening = said("opening", lang, authority=head.authority, area=area)
    write_report(
        folder,
        month.communes,
        month.tables,
        month.operators,
        about,
        head,
        opening,
        month.period.end,
        lang,
        pdf=settings.report.pdf,
    )


def _about(month: Month, settings: Settings, licences: list[str]) -> dict[str, Any]:
    """What every output for people says of itself: area, period, target, notice, sources, headline
    figures.
    """
    lang = settings.publish.lang
    vintage = month.communes["boundary_vintage"].iloc[0]
    return {
        "area": settings.area.name,
        "period": str(month.period),
        "period_label": month.period.label(),
        "window_label": f"{month.window[0]} – {month.window[-1]}",
        "technology": settings.target.technology if month.operators else "mobile",
        "target_mbps": settings.target.download_mbps,
        "notice": settings.publish.notice,
        "results": month.results,
        "sources": [
            f"{texts.word('boundaries', lang)}: {vintage}",
            f"{texts.word('sheet_target', lang)}: {settings.target.source}",
            *licences,
            f"lomsong {__version__}",
        ],
    }


def _operators_with_files(month: Month, inputs: Inputs, settings: Settings) -> dict[str, str]:
    """Operators that get files of their own; none where a licence forbids it (CC BY-NC-SA: an
    operator is a business).
    """
    forbidden = inputs.licences and not settings.publish.allow_noncommercial
    return {} if forbidden else file_names(month.operators)
