"""Log lines and progress bars of the command line, and the engine that it chooses.

Does not belong here: commands and exit codes (`cli.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from pipeline.schema import texts
from pipeline.schema.errors import Fault, fault

if TYPE_CHECKING:
    from pipeline.config.run_context import Log, Progress
    from pipeline.engine.local import Engine


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
