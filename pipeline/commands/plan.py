"""`lomsong plan`: where new devices should test next month."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from pipeline.console import LangName, language_of, progress_shown, settings_file, user_faults_shown
from pipeline.schema import texts
from pipeline.schema.errors import fault

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.actions.next_tests import Known
    from pipeline.config.run_context import RunContext
    from pipeline.sources.inputs import Inputs

Quotas = Annotated[
    list[str] | None,
    typer.Option(
        "--quota", help="OPERATOR=NUMBER: most new devices of an operator; may be repeated."
    ),
]


def plan(  # noqa: PLR0913, PLR0917 - options of a command
    devices: Annotated[
        int | None,
        typer.Option("--devices", help="New devices that can test in the month, in all."),
    ] = None,
    read: Annotated[
        list[Path] | None,
        typer.Option(
            "--read",
            help="Filled forms (visits.xlsx, CSV) of a plan: kept in data/visits beside the "
            "settings; later runs take them as evidence of silence. May be repeated.",
        ),
    ] = None,
    per_team: Annotated[
        int | None,
        typer.Option("--per-team", help="Devices that a team takes through tests in one trip."),
    ] = None,
    month: Annotated[
        str | None,
        typer.Option(
            "--month",
            help="Month YYYY-MM of the tests; the evidence is that of the month before. "
            "Default: the month after the latest in the data.",
        ),
    ] = None,
    quota: Quotas = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            "--settings", help="Settings file (TOML); default: ./settings.toml where there is one."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for outputs; the plan is in OUT/PERIOD/plan.")
    ] = Path("outputs"),
    lang: LangName = None,
) -> None:
    """Plan next month's tests: communes, villages, operators, new devices, times of day.

    One more test of a phone that has tested is worth nothing: devices go where most people get a
    verdict by them. `plan_communes.csv` names communes that are decided: go on elsewhere.

    Lập kế hoạch đo tháng tới: xã, thôn bản, nhà mạng, số thiết bị mới, khung giờ.
    """
    language = language_of(settings, lang)
    with user_faults_shown(language):
        if read:
            _read(read, settings, language)
            return
        if devices is None:
            raise fault("plan_number", "--devices", found="–")
        for name, number in (("--devices", devices), ("--per-team", per_team)):
            if number is not None and number < 1:
                raise fault("plan_number", name, found=number)
        from pipeline import journey
        from pipeline.actions.next_tests import Wanted, next_tests
        from pipeline.actions.travel import Travel
        from pipeline.config.run_context import RunContext
        from pipeline.config.settings import read_settings
        from pipeline.publish.plan_files import PlanAbout, publish_plan
        from pipeline.schema.periods import Period
        from pipeline.sources.inputs import chosen_period

        chosen = read_settings(settings_file(settings))
        evidence_of = None if month is None else Period.parse(month).before()
        first = chosen if evidence_of is None else chosen.as_of(evidence_of)
        with progress_shown(language) as (log, progress), journey.read(first, progress) as inputs:
            if len(inputs.tiles):
                raise fault("plan_of_tiles")
            period = chosen_period(inputs, first, str(evidence_of) if evidence_of else None)
            context = RunContext(first.as_of(period), period, log, progress)
            known, prints = _known(inputs, context)
            wanted = Wanted(
                devices,
                per_team,
                _quotas(quota or [], sorted(known.rows["operator"].unique())),
                context.settings.diagnosis.busy_hours,
            )
            travel = Travel(inputs.roads)
            with context.step("plan", 0.8):
                tables = next_tests(known, wanted, context.rules, travel)
            if travel.on_road_count:
                log("plan_roads", count=travel.on_road_count, of=travel.asked_count)
            else:
                log("plan_straight")
            about = PlanAbout(
                period, Period(period.last + 1, 1), chosen.area.name, language,
                chosen.publish.notice, devices, per_team, travel.on_road_count > 0,
                context.settings.privacy.min_devices, prints,
            )  # fmt: skip
            folder = out / str(period) / "plan"
            paths = publish_plan(folder, tables, about, inputs.communes)
            main = tables["plan"][tables["plan"]["visit_role"] == "main"]
            log(
                "plan_done",
                devices=int(main["devices_wanted"].sum()),
                of=devices,
                communes=main["commune_code"].nunique(),
                trips=main["trip"].nunique(),
                verdicts=round(float(main["expected_verdicts"].sum()), 1),
            )
    typer.echo(f"{texts.line('outputs', language)}: {paths[0].parent}")
    for path in paths:
        typer.echo(f"  {path}")


def _read(files: list[Path], settings: Path | None, language: texts.Lang) -> None:
    """Read filled forms and keep what they say beside the settings."""
    from pipeline.config.settings import USUAL_VISITS, read_settings
    from pipeline.schema.errors import UserFault
    from pipeline.sources.inputs import read_inputs
    from pipeline.sources.visits import Asked, keep_visits, read_visits

    path = settings_file(settings)
    chosen = read_settings(path)
    delivered = read_inputs(chosen)
    if delivered.faults or delivered.inputs is None:
        raise UserFault(delivered.faults)
    known = delivered.inputs
    # a visit may be made after the plan's period, but not after today
    asked = Asked(tuple(chosen.operators), datetime.now(ZoneInfo(chosen.area.timezone)).date())
    visits, warnings = read_visits(files, known.communes, known.villages, asked)
    base = Path.cwd() if path is None else path.parent
    kept, added = keep_visits(base / USUAL_VISITS, visits)
    for warning in warnings:
        typer.echo(f"{texts.line('warning', language)}: {texts.error_message(warning, language)}")
    said = {"count": len(visits), "added": added, "kept": kept}
    typer.echo(texts.line("visits_kept", language, **said))


def _known(inputs: Inputs, context: RunContext) -> tuple[Known, npt.NDArray[np.uint64]]:
    """What the evidence of the period shows, judged in memory; fingerprints of device ids."""
    from pipeline import journey
    from pipeline.actions.next_tests import Known

    measured, verdicts = journey.judged(inputs, context)
    strata = measured.evidence.strata
    known = Known(verdicts.rows, verdicts.suppressed, strata, inputs.communes, inputs.villages)
    return known, measured.device_prints


def _quotas(given: list[str], operators: list[str]) -> dict[str, int]:
    """Most devices by operator. Raises `UserFault` for an operator or number that is none."""
    found = {}
    for text in given:
        name, _, number = text.rpartition("=")
        if name not in operators or not number.strip().isdigit():
            raise fault("plan_quota", "--quota", found=text, expected=operators)
        found[name] = int(number)
    return found
