"""What all commands share: log lines and progress bars, the language, faults and exit codes.

Does not belong here: the commands (`cli.py`, `commands/`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.schema import texts
from pipeline.schema.errors import Fault, UserFault, fault

if TYPE_CHECKING:
    from pipeline.config.run_context import Log, Progress
    from pipeline.engine.local import Engine

# errors of the system that the user can fix
USER_ERRNOS = (
    errno.EACCES,
    errno.EPERM,
    errno.ENOSPC,
    errno.EROFS,
    errno.EDQUOT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
)


def _known_language(lang: texts.Lang | None) -> texts.Lang | None:
    if lang not in (None, *texts.languages()):
        raise typer.BadParameter(f"{lang}: {' | '.join(texts.languages())}")
    return lang


LangName = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar=f"[{'|'.join(texts.languages())}]",
        callback=_known_language,
        help="Language of outputs and messages; default: vi.",
    ),
]


def settings_file(path: Path | None) -> Path | None:
    """The settings file of the option, else `settings.toml` here where there is one."""
    usual = Path("settings.toml")
    return path if path is not None else usual if usual.is_file() else None


def language_of(path: Path | None, lang: texts.Lang | None) -> texts.Lang:
    """The language of the option, else of the settings, else Vietnamese.

    It is needed before the settings are known to be valid.
    """
    if lang:
        return lang
    from pipeline.config.settings import read_settings

    try:
        return read_settings(settings_file(path)).publish.lang
    except UserFault:
        return texts.languages()[0]


@contextmanager
def user_faults_shown(lang: texts.Lang) -> Iterator[None]:
    """Print faults of the user, one line each on stderr, and exit 2; leave other errors alone."""
    try:
        yield
    except UserFault as error:
        faults = error.faults
    except OSError as error:
        if error.errno not in USER_ERRNOS:
            raise
        faults = (Fault("system", str(error.filename or ""), values={"found": error.strerror}),)
    else:
        return
    for one in faults:
        typer.echo(f"{texts.line('fault', lang)}: {texts.error_message(one, lang)}", err=True)
    typer.echo(texts.line("faults_left", lang, count=len(faults)), err=True)
    raise typer.Exit(2)


@contextmanager
def progress_shown(lang: texts.Lang) -> Iterator[tuple[Log, Progress]]:
    """(log, progress): log lines on stderr; a bar there too when it is a terminal."""
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (
        bars.BarColumn(),
        bars.TextColumn("{task.percentage:3.0f} %"),
        bars.TimeElapsedColumn(),
        bars.TextColumn("{task.description}"),
    )
    with bars.Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=1.0)

        def log(line: str, /, **values: object) -> None:
            if line == "warning":
                warning = values["fault"]
                assert isinstance(warning, Fault)
                text = f"{texts.line('warning', lang)}: {texts.error_message(warning, lang)}"
            else:
                text = texts.line(line, lang, **values)
            if bar.disable:
                typer.echo(text, err=True)
            else:
                bar.console.print(text, markup=False)

        def show(step: str, share: float, /) -> None:
            bar.update(task, completed=share, description=step)

        yield log, show


@contextmanager
def engine_of(name: str, scheduler: str | None, log: Log) -> Iterator[Engine | None]:
    """The engine of a name, None for the default; a cluster logs its address and is closed."""
    if scheduler is not None and name != "dask":
        raise fault("scheduler_alone", "--scheduler", found=scheduler)
    if name == "local":
        yield None
        return
    from pipeline.engine.dask_cluster import Cluster

    cluster = Cluster(scheduler)
    try:
        log("dashboard", address=cluster.dashboard)
        yield cluster
    finally:
        cluster.close()
