"""`lomsong sites`: where sites would close most of the person gap, for a number or a budget."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.console import LangName, language_of, progress_shown, settings_file, user_faults_shown
from pipeline.schema import texts
from pipeline.schema.errors import fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.run_context import Log
    from pipeline.config.settings import Settings
    from pipeline.site_planning import Asked

PAYERS = ("fund", "operators")


def _known_payer(payer: str | None) -> str | None:
    if payer not in (None, *PAYERS):
        raise typer.BadParameter(f"{payer}: {' | '.join(PAYERS)}")
    return payer


def sites(  # noqa: PLR0913, PLR0917 - options of a command
    most: Annotated[
        int | None, typer.Option("--sites", help="Most sites that can be built.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option("--budget", help="Money for all sites, in the currency of \\[costs]."),
    ] = None,
    operator: Annotated[
        str | None,
        typer.Option("--operator", help="Only this operator builds; default: every one its own."),
    ] = None,
    shared: Annotated[  # noqa: FBT002 - an option is a flag
        bool, typer.Option("--shared", help="Operators stand on common towers.")
    ] = False,
    payer: Annotated[
        str | None,
        typer.Option(
            "--payer",
            metavar=f"[{'|'.join(PAYERS)}]",
            callback=_known_payer,
            help="`fund`: only places in difficult zones with grid power count; `operators`: all "
            "others. Default: all.",
        ),
    ] = None,
    radius_km: Annotated[
        float | None,
        typer.Option("--radius-km", help="Every site reaches so far, instead of the model."),
    ] = None,
    period: Annotated[
        str | None,
        typer.Option("--period", help="Month YYYY-MM or quarter YYYYQn; default: the latest."),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            "--settings", help="Settings file (TOML); default: ./settings.toml where there is one."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for outputs; the plan is in OUT/PERIOD/sites.")
    ] = Path("outputs"),
    lang: LangName = None,
) -> None:
    """Plan sites: which sites close most of the person gap, for a number or a budget.

    What a site covers is modelled, not measured. `site_plan.xlsx` computes sums again for another
    budget; `site_questions.csv` says what to measure before building.

    Lập kế hoạch đầu tư trạm: xây, nâng cấp, dùng chung ở đâu
    để bù được nhiều nhất.
    """
    language = language_of(settings, lang)
    with user_faults_shown(language):
        _check(most, budget, radius_km)
        if operator is not None and shared:
            raise fault("sites_shared_by_one", "--operator", found=operator)
        from pipeline.config.settings import read_settings
        from pipeline.site_planning import Asked

        chosen = read_settings(settings_file(settings))
        if radius_km is not None:
            about = chosen.site_plan.model_copy(update={"radius_km": radius_km})
            chosen = chosen.model_copy(update={"site_plan": about})
        is_shared = shared or (chosen.site_plan.shared and operator is None)
        asked = Asked(most, budget, operator, is_shared, payer)
        paths = _planned(chosen, asked, period, out, language)
    typer.echo(f"{texts.line('outputs', language)}: {paths[0].parent}")
    for path in paths:
        typer.echo(f"  {path}")


def _check(most: int | None, budget: float | None, radius_km: float | None) -> None:
    """Raise `UserFault` where not one of the numbers is given, or one is no such number."""
    given = {"--sites": most, "--budget": budget}
    named = " ".join(f"{name} {value}" for name, value in given.items() if value is not None)
    is_whole = most is not None and budget is None and most >= 1
    is_money = budget is not None and most is None and budget > 0 and math.isfinite(budget)
    if not is_whole and not is_money:
        raise fault("sites_number", found=named or "–")
    if radius_km is not None and not (radius_km > 0 and math.isfinite(radius_km)):
        raise fault("sites_radius", "--radius-km", found=str(radius_km))


def _planned(
    chosen: Settings, asked: Asked, wanted: str | None, out: Path, language: texts.Lang
) -> list[Path]:
    """Read, judge, plan and write; gives the files."""
    from pipeline import journey
    from pipeline.config.run_context import RunContext
    from pipeline.publish.site_files import publish_sites
    from pipeline.publish.sites.about import SitesAbout
    from pipeline.schema.periods import Period
    from pipeline.site_planning import Judged, sharing_table, site_tables
    from pipeline.sources.inputs import chosen_period

    first = chosen if wanted is None else chosen.as_of(Period.parse(wanted))
    with progress_shown(language) as (log, progress), journey.read(first, progress) as inputs:
        if len(inputs.tiles):
            raise fault("sites_without_operators")
        period = chosen_period(inputs, first, wanted)
        context = RunContext(first.as_of(period), period, log, progress)
        used = context.settings
        measured, verdicts = journey.judged(inputs, context)
        log("sites_modelled")
        with context.step("sites", 0.7):
            found = site_tables(inputs, Judged(verdicts, measured.evidence.strata), used, asked)
            tables = found.tables | {"sharing": sharing_table(inputs, verdicts)}
        about = SitesAbout(
            period, used.area.name, language, used.publish.notice, used.costs.currency,
            asked.budget, _assumptions(used, asked), used.privacy.min_devices,
            measured.device_prints,
        )  # fmt: skip
        paths = publish_sites(out / str(period) / "sites", tables, about)
        _log_results(log, found.results, language)
    return paths


def _assumptions(settings: Settings, asked: Asked) -> dict[str, object]:
    """What the plan was asked for and rests on: option, or `section.key` of the settings → value.

    Tables of the settings are flat: `costs.new_site.flat`. What is not set is None.
    """
    options: dict[str, object] = {
        "--sites": asked.most, "--budget": asked.budget, "--operator": asked.operator,
        "--shared": asked.is_shared, "--payer": asked.payer,
        "target.download_mbps": settings.target.download_mbps,
    }  # fmt: skip
    sections = {
        "costs": settings.costs.model_dump(),
        "site_plan": settings.site_plan.model_dump(exclude={"sites", "budget", "shared"}),
    }
    return options | _flat(sections)


def _flat(section: Mapping[str, object], before: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in section.items():
        found |= (
            _flat(value, f"{before}{key}.")
            if isinstance(value, dict)
            else {f"{before}{key}": value}
        )
    return found


def _log_results(log: Log, results: Mapping[str, float], lang: texts.Lang) -> None:
    def whole(name: str) -> str:
        return texts.number(results[name], lang)

    log(
        "sites_done",
        count=whole("site_count"),
        closed=whole("closed"),
        lo=whole("closed_lo"),
        hi=whole("closed_hi"),
        gap=whole("person_gap"),
        cost=texts.number(results["cost"], lang, 1) if results["cost"] > 0 else "–",
        mip_gap=f"{texts.short_number(100 * results['mip_gap'], lang, 2)} %",
    )
    log("sites_regret", ours=whole("confirmed_closed"), best=whole("confirmed_best"))
