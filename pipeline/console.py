"""What the command line shows while it works, and where it lets the work be done.

Does not belong here: commands and exit codes (`cli.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from pipeline.schema import texts
from pipeline.schema.errors import fault

if TYPE_CHECKING:
    from pipeline.config.run_context import Log, Progress


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
                text = (
                    f"{texts.line('warning', lang)}: {texts.error_message(values['fault'], lang)}"  # type: ignore[arg-type]
                )
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
def engine_of(name: str, scheduler: str | None, log: Log) -> Iterator[Any]:
    """The engine of that name; a cluster logs its dashboard's address and is left in the end."""
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
