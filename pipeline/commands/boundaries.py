"""`lomsong boundaries`: look at boundary files, test them, fetch public ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.console import LangName, language_of, user_faults_shown
from pipeline.schema import texts
from pipeline.schema.errors import fault

if TYPE_CHECKING:
    from pipeline.config.settings import Boundaries

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Examine boundary files, or fetch public ones.\n\n"
    "Kiểm tra tệp ranh giới, hoặc tải ranh giới công khai.",
)

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Files, folders, globs; default: those of the settings.", show_default=False
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="Settings whose [boundaries] say how to read the file."),
]
LayerName = Annotated[str | None, typer.Option("--layer", help="Layer of the communes.")]
CrsName = Annotated[str | None, typer.Option("--crs", help="CRS, e.g. EPSG:9205.")]
EncodingName = Annotated[str | None, typer.Option("--encoding", help="Encoding of names.")]


@app.command(epilog="Example: [bold]lomsong boundaries lint communes.gpkg[/bold]")
def lint(  # noqa: PLR0913, PLR0917 - options of a command
    files: Files = None,
    settings: SettingsFile = None,
    layer: LayerName = None,
    crs: CrsName = None,
    encoding: EncodingName = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", help="A second file, of the same communes or neighbours: shows a shift."
        ),
    ] = None,
    lang: LangName = None,
) -> None:
    """Report on boundary files on one page; exit 2 where a run would refuse them.

    Báo cáo một trang về tệp ranh giới; thoát với mã 2 nếu lần chạy sẽ từ chối tệp.
    """
    language = language_of(settings, lang)
    with user_faults_shown(language):
        from pipeline.schema.errors import UserFault
        from pipeline.sources.boundaries import lint as report

        paths, how = _chosen(files, settings, layer, crs, encoding)
        done = report.lint(paths, how, language, against)
        for line in done.lines:
            typer.echo(line)
        for warning in done.warnings:
            note = texts.error_message(warning, language)
            typer.echo(f"{texts.line('warning', language)}: {note}")
        if done.faults:
            raise UserFault(done.faults)
        typer.echo(texts.line("lint_ok", language))


@app.command(epilog="Example: [bold]lomsong boundaries info data/boundaries[/bold]")
def info(
    files: Files = None,
    settings: SettingsFile = None,
    layer: LayerName = None,
    encoding: EncodingName = None,
    lang: LangName = None,
) -> None:
    """List what boundary files hold: layers, columns, CRS, extent.

    Liệt kê nội dung tệp ranh giới: lớp, cột, hệ toạ độ, phạm vi.
    """
    language = language_of(settings, lang)
    with user_faults_shown(language):
        from pipeline.sources.boundaries import lint as report

        paths, how = _chosen(files, settings, layer, None, encoding)
        for line in report.info(paths, how, language):
            typer.echo(line)


@app.command(
    epilog="Example: [bold]lomsong boundaries fetch --province 12 --out data/boundaries[/bold]"
)
def fetch(
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    source: Annotated[
        str | None, typer.Option("--source", help="Public source; default: the first one.")
    ] = None,
    province: Annotated[
        str | None, typer.Option("--province", help="Official code or name of a province.")
    ] = None,
    sources: Annotated[
        Path | None,
        typer.Option("--sources", help="A list of sources (TOML) instead of the program's own."),
    ] = None,
    lang: LangName = None,
) -> None:
    """Fetch boundaries from a public source, with their hash and licence noted beside them.

    Tải ranh giới từ nguồn công khai, ghi mã băm và giấy phép ở tệp bên cạnh.
    """
    language = language_of(None, lang)
    with user_faults_shown(language):
        from pipeline.sources.boundaries.fetch import fetched, public_sources

        listed = public_sources(sources)
        name = source or next(iter(listed))
        if name not in listed:
            raise fault("unknown_boundary_source", "--source", found=name, expected=list(listed))
        done = fetched(listed[name], out, province=province)
        known = {"licence": listed[name].licence, "note": done.note}
        typer.echo(texts.line("fetched", language, count=len(done.files), new=done.new, **known))
        typer.echo(f"{texts.line('outputs', language)}: {done.folder}")


def _chosen(
    files: list[Path] | None,
    settings: Path | None,
    layer: str | None,
    crs: str | None,
    encoding: str | None,
) -> tuple[tuple[Path, ...], Boundaries]:
    """(paths, how to read them): of the settings, with the options' values in place of theirs."""
    from pipeline.config.settings import Boundaries, read_settings

    usual = Path("settings.toml")
    about = Boundaries()
    if settings is not None or (not files and usual.is_file()):
        about = read_settings(settings or usual).boundaries
    given = {"layer": layer, "crs": crs, "encoding": encoding}
    about = about.model_copy(update={k: v for k, v in given.items() if v is not None})
    paths = tuple(files or ())
    if not paths and about.path is not None:
        paths = about.path if isinstance(about.path, tuple) else (about.path,)
    if not paths:
        raise fault("no_settings", expected="[boundaries] path", option="FILE")
    return paths, about
