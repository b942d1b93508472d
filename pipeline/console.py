"""What the command line shows while it works, and where it lets the work be done.

Does not belong here: commands and exit codes (`cli.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from pipeline.schema import texts
from pipeline.schema.errors import fault


@contextmanager
def progress_shown(lang: texts.Lang) -> Iterator[tuple[Any, Any]]:
    """(tell, progress): log lines on stderr; a bar there too when it is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=1.0)

        def tell(key: str, **values: object) -> None:
            if key == "warning":
                text = (
                    f"{texts.line('warning', lang)}: {texts.error_message(values['fault'], lang)}"  # type: ignore[arg-type]
                )
            else:
                text = texts.line(key, lang, **values)
            if bar.disable:
                typer.echo(text, err=True)
            else:
                bar.console.print(text, markup=False)

        yield tell, lambda what, share: bar.update(task, completed=share, description=what)


@contextmanager
def engine_of(name: str, scheduler: str | None, tell: Any) -> Iterator[Any]:
    """The engine of that name; a cluster tells its dashboard's address and is left in the end."""
    if scheduler is not None and name != "dask":
        raise fault("scheduler_alone", "--scheduler", found=scheduler)
    if name == "local":
        yield None
        return
    from pipeline.engine.dask_cluster import Cluster

    cluster = Cluster(scheduler)
    try:
        tell("dashboard", address=cluster.dashboard)
        yield cluster
    finally:
        cluster.close()
