"""The command `lomsong`: options, printed results and exit codes.

Exit 0: done. Exit 2: faults that the user can fix, one line each. Exit 1: an error of this program,
with a traceback. Large modules are imported inside the commands, so that `--help` is fast.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import __version__
from pipeline.commands import boundaries as boundary_commands
from pipeline.commands import plan as plan_command
from pipeline.commands import sites as sites_command
from pipeline.console import (
    LangName,
    engine_of,
    language_of,
    progress_shown,
    settings_file,
    user_faults_shown,
)
from pipeline.schema import texts
from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.schema.fields import ALL

if TYPE_CHECKING:
    from pipeline.config.settings import Settings
    from pipeline.measurements.prepare import Prepared
    from pipeline.sources.inputs import Delivered

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Where is 4G too slow, how sure are we, and where should operators invest first?\n\n"
    "4G chậm ở đâu, chắc chắn đến mức nào, và nhà mạng nên đầu tư vào đâu trước?",
)


SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings", help="Settings file (TOML); default: ./settings.toml where there is one."
    ),
]
PeriodText = Annotated[
    str | None,
    typer.Option(
        "--period",
        help="Month YYYY-MM or quarter YYYYQn; default: the latest in the data. `all`: every one.",
    ),
]
Measurements = Annotated[
    list[str] | None,
    typer.Option("--measurements", help="File, folder or glob of speed tests; may be repeated."),
]
More = Annotated[
    list[str] | None, typer.Argument(help="More measurement files.", show_default=False)
]
FormatName = Annotated[
    str | None,
    typer.Option("--format", help="Format of --measurements; default: found out by the headings."),
]
BoundaryFile = Annotated[
    Path | None,
    typer.Option("--boundaries", help="Commune polygons: GeoJSON, GeoPackage, Shapefile …"),
]
PopulationFile = Annotated[
    Path | None,
    typer.Option("--population", help="Population: GeoTIFF, or CSV commune_code,population."),
]
OutFolder = Annotated[
    Path, typer.Option("--out", help="Folder for outputs; each period gets a folder in it.")
]
EngineName = Annotated[
    str, typer.Option("--engine", help="Where rows are processed: local (all cores) or dask.")
]
SchedulerAddress = Annotated[
    str | None,
    typer.Option(
        "--scheduler", help="Dask scheduler tcp://HOST:8786; default: workers on this machine."
    ),
]
Parts = Annotated[
    str, typer.Option("--publish", help="What to publish, with commas: tables,map,gis,report.")
]


app.add_typer(boundary_commands.app, name="boundaries")
app.command(epilog="Example: [bold]lomsong plan --devices 500 --per-team 12[/bold]")(
    plan_command.plan
)
app.command(
    epilog="Examples: [bold]lomsong sites --sites 20 --shared[/bold]; "
    "[bold]lomsong sites --budget 50000 --operator Viettel[/bold] needs \\[costs]."
)(sites_command.sites)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[  # noqa: FBT002 - an option is a flag
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)
    ] = False,
) -> None:
    """Print the version where it is asked for."""
    if version:
        typer.echo(f"lomsong {__version__}")
        raise typer.Exit


@app.command(epilog="Example: [bold]lomsong run --settings settings.toml --period 2026-10[/bold]")
def run(  # noqa: PLR0913, PLR0917 - options of a command
    settings: SettingsFile = None,
    period: PeriodText = None,
    measurements: Measurements = None,
    more: More = None,
    format: FormatName = None,  # noqa: A002 - the option's name is the interface
    boundaries: BoundaryFile = None,
    population: PopulationFile = None,
    out: OutFolder = Path("outputs"),
    engine: EngineName = "local",
    scheduler: SchedulerAddress = None,
    lang: LangName = None,
    publish: Parts = "tables,map,gis,report",
) -> None:
    """Run the whole job: speed tests and boundaries in; map, tables, GIS files and report out.

    Cả tháng trong một lệnh: đọc, làm sạch, kết luận, xuất bản đồ và bảng ưu tiên vào OUT/KỲ/.
    """
    language = language_of(settings, lang)
    with user_faults_shown(language):
        paths = [*(measurements or ()), *(more or ())]
        chosen = _settings(settings, paths, format, boundaries, population, lang)
        parts = _parts(publish, engine)
        from pipeline import journey
        from pipeline.publish import Outputs

        with (
            progress_shown(language) as (log, progress),
            engine_of(engine, scheduler, log) as where,
        ):
            folders = journey.run(
                chosen, Outputs(out, parts), period=period, log=log, progress=progress, engine=where
            )
    for folder in folders:
        typer.echo(f"{texts.line('outputs', language)}: {folder}")
        for name in (
            "maps/coverage_gaps.html",
            "maps/coverage_gaps.png",
            "tables",
            "gis",
            "report",
            "manifest.json",
        ):
            if (folder / name).exists():
                typer.echo(f"  {folder / name}")


@app.command(
    epilog="Examples: [bold]lomsong check --measurements export.xlsx "
    "--boundaries communes.gpkg[/bold] needs no settings file; "
    "[bold]lomsong check --period 2026-09[/bold] looks at one month of settings.toml."
)
def check(  # noqa: PLR0913, PLR0917 - options of a command
    settings: SettingsFile = None,
    period: PeriodText = None,
    measurements: Measurements = None,
    more: More = None,
    format: FormatName = None,  # noqa: A002
    boundaries: BoundaryFile = None,
    population: PopulationFile = None,
    out: OutFolder = Path("outputs"),  # noqa: ARG001 - the command line of `run` works here too
    engine: EngineName = "local",
    lang: LangName = None,
    publish: Parts = "tables,map,gis,report",
) -> None:
    """Show what the sources hold and how they are read, and list every fault, without results.

    What is open is a question, with the settings lines to paste.

    Cho xem các nguồn có gì và được đọc thế nào, liệt kê mọi lỗi, không tính kết quả; điều chưa rõ
    là câu hỏi kèm các dòng cài đặt cần dán.
    """
    language = language_of(settings, lang)
    with user_faults_shown(language):
        paths = [*(measurements or ()), *(more or ())]
        chosen = _settings(settings, paths, format, boundaries, population, lang)
        _parts(publish, engine)
        from pipeline import journey, profile_screen
        from pipeline.config.settings import read_settings

        in_file = read_settings(settings_file(settings)).sources
        others = {
            name: {"path": list(source.path), "format": source.format}
            for name, source in chosen.sources.items()
            if name not in in_file
        }

        def look(delivered: Delivered, prepared: Prepared) -> None:
            for screen in profile_screen.screens(delivered, prepared, language):
                typer.echo(screen)
            for text in profile_screen.lines_to_paste(delivered, others, language):
                typer.echo(text)

        asked = None if period == "all" else period
        with progress_shown(language) as (log, progress):
            journey.check(chosen, period=asked, log=log, progress=progress, look=look)
        typer.echo(texts.line("check_ok", language))


@app.command(
    epilog="Example: [bold]lomsong demo --out data/demo && "
    "lomsong run --settings data/demo/settings.toml[/bold]"
)
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the demo's files.")] = Path(
        "data/demo"
    ),
    tests: Annotated[int, typer.Option("--tests", min=100, help="Rows to draw.")] = 30_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, another province.")] = 1,
    province: Annotated[
        str | None,
        typer.Option("--province", help="Names and areas of another Vietnamese province."),
    ] = None,
    lang: LangName = None,
) -> None:
    """Write an invented province: measurements, schematic boundaries, settings, and the truth.

    Tạo một tỉnh giả lập: số liệu đo, ranh giới sơ đồ, cài đặt, và sự thật đứng sau.
    """
    language = lang or texts.languages()[0]
    with user_faults_shown(language):
        from pipeline.demo.province import write_demo

        for path in write_demo(out, test_count=tests, seed=seed, province=province):
            typer.echo(str(path))


@app.command(
    epilog="Example: [bold]lomsong explain 'dong tam' --operator Viettel --period 2026-10[/bold]"
)
def explain(
    commune: Annotated[str, typer.Argument(help="Code or name; accents are not needed.")],
    operator: Annotated[
        str | None, typer.Option("--operator", help="One operator; default: each, and all.")
    ] = None,
    out: OutFolder = Path("outputs"),
    period: Annotated[
        str | None, typer.Option("--period", help="Period; default: the latest under --out.")
    ] = None,
    lang: LangName = None,
) -> None:
    """Explain a commune's status: its figures, which gate failed, and what would decide it.

    Giải thích vì sao xã có kết luận này: số liệu, khoảng tin cậy, điều kiện chưa đạt, cần gì để
    quyết định.
    """
    language = lang or texts.languages()[0]
    with user_faults_shown(language):
        from pipeline.sources.previous_runs import latest_run, read_run
        from pipeline.verdicts import explain as explaining

        done = read_run(latest_run(out, period))
        rows = explaining.rows_of(done.status, commune, operator)
        for row in rows.to_dict("records"):
            areas = done.gap_areas
            here = areas["commune_code"].eq(row["commune_code"])
            here &= areas["operator"].eq(row["operator"])
            gap_ids = [
                f"{gap} ({texts.word(state, language)})"
                for gap, state in areas.loc[here, ["gap_id", "state"]].to_numpy()
            ]
            lines = explaining.explanation(row, done.manifest["settings"], gap_ids, language)
            typer.echo("\n".join(lines) + "\n")
        about = done.summary[done.summary["commune_code"] == rows["commune_code"].iloc[0]].iloc[0]
        lists = {
            n: about[f"operators_{n}"].replace(";", ", ") or texts.word("nobody", language)
            for n in ("gap", "meeting", "unknown")
        }
        here = done.status[done.status["commune_code"] == about["commune_code"]]
        is_borderline = here["status"].eq("borderline") & here["operator"].ne(ALL)
        borderline = here.loc[is_borderline, "operator"]
        lists["borderline"] = ", ".join(borderline) or texts.word("nobody", language)
        gap_class = texts.word(about["gap_class"], language)
        typer.echo(texts.line("explain_commune", language, gap_class=gap_class, **lists))


@app.command(epilog="Example: [bold]lomsong diff outputs/2026-09 outputs/2026-10[/bold]")
def diff(
    run_a: Annotated[Path, typer.Argument(help="Folder of the earlier run: OUT/PERIOD.")],
    run_b: Annotated[Path, typer.Argument(help="Folder of the later run.")],
    lang: LangName = None,
) -> None:
    """List verdicts that changed between two runs, and why: data, inputs, rule, boundary, settings.

    So hai lần chạy: xã nào đổi kết luận, và vì dữ liệu, đầu vào, quy tắc,
    ranh giới, cài đặt.
    """
    language = lang or texts.languages()[0]
    with user_faults_shown(language):
        from pipeline.sources.previous_runs import read_run
        from pipeline.verdicts import compare

        before, after = read_run(run_a), read_run(run_b)
        one, other = compare.vintages(before.status, after.status)
        if not compare.is_comparable(before.status, after.status):
            raise fault("vintages_apart", run_b, found=one, expected=other)
        if compare.is_vintage_open(before.status, after.status):
            typer.echo(texts.line("diff_vintage_open", language, found=one, expected=other))
        why = compare.causes(before.manifest, after.manifest)
        for cause, found in why.items():
            if found:
                word = texts.word(cause, language)
                typer.echo(texts.line("diff_cause", language, cause=word, found=found))
        if not any(why.values()):
            typer.echo(texts.line("diff_same", language))
        rows = compare.changed_rows(before.status, after.status, why)
        typer.echo(texts.line("diff_count", language, count=len(rows), rows=len(after.status)))
        named = rows.assign(
            cause=[
                " + ".join(texts.word(c, language) for c in cause.split("+"))
                for cause in rows["cause"]
            ]
        )
        for words, count in named["cause"].value_counts(sort=False).items():
            typer.echo(texts.line("diff_by", language, cause=words, count=int(count)))
        for row in named.to_dict("records"):
            unit = f"{row['commune_code']} {row['commune_name']} · {row['operator']}"
            typer.echo(f"{unit}: {row['before']} → {row['after']} ({row['cause']})")


def main() -> None:
    """The command `lomsong`."""
    for stream in (sys.stdout, sys.stderr):  # a Windows console may have an old code page
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    app()


def _settings(
    path: Path | None,
    measurements: list[str],
    format_name: str | None,
    boundaries: Path | None,
    population: Path | None,
    lang: texts.Lang | None,
) -> Settings:
    """The settings of the file, with the options' values in place of the file's."""
    from pipeline.config.settings import Source, read_settings

    chosen = read_settings(settings_file(path))
    update: dict[str, Any] = {}
    if paths := tuple(measurements):
        single = next(iter(chosen.sources.items())) if len(chosen.sources) == 1 else None
        name, former = single or ("measurements", Source(path=paths))
        changes: dict[str, Any] = {"path": paths} | ({"format": format_name} if format_name else {})
        update["sources"] = {name: former.model_copy(update=changes)}
    elif format_name:
        update["sources"] = {
            n: s.model_copy(update={"format": format_name}) for n, s in chosen.sources.items()
        }
    if boundaries:
        update["boundaries"] = chosen.boundaries.model_copy(update={"path": boundaries})
    if population:
        update["population"] = chosen.population.model_copy(update={"path": population})
    if lang:
        update["publish"] = chosen.publish.model_copy(update={"lang": lang})
    return chosen.model_copy(update=update)


def _parts(publish: str, engine: str) -> tuple[str, ...]:
    """The parts to publish. Raises `UserFault` for an unknown part or engine."""
    from pipeline.config.settings import ENGINES, PARTS

    if engine not in ENGINES:
        raise fault("bad_engine", "--engine", found=engine, expected=ENGINES)

    parts = tuple(part.strip() for part in publish.split(",") if part.strip())
    if wrong := [part for part in parts if part not in PARTS]:
        raise UserFault(
            Fault("bad_part", "--publish", values={"found": part, "expected": list(PARTS)})
            for part in wrong
        )
    if not parts:
        raise fault("bad_part", "--publish", found="", expected=list(PARTS))
    return parts
