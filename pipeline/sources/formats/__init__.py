"""Source formats: one file each, registered here."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.sources.formats import (
    gnettrack,
    ispeed,
    mlab,
    ookla,
    rtr,
    rtr_coverage,
    table,
    trace,
    trai,
)
from pipeline.sources.formats.declaration import Format

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        ispeed.FORMAT,
        table.FORMAT,
        ookla.FORMAT,
        rtr.FORMAT,
        rtr_coverage.FORMAT,
        gnettrack.FORMAT,
        trai.FORMAT,
        mlab.FORMAT,
        trace.FORMAT,
    )
}


def fitting(headings: Sequence[str]) -> list[str]:
    """Names of all formats whose distinctive headings are there."""
    return [name for name, one in FORMATS.items() if one.recognises(headings)]


def found_out(headings: Sequence[str]) -> str | None:
    """The format that the headings are of; None where none or several fit (`fitting` names them).

    Headings that the aliases of `ispeed` understand are `ispeed` where no other format fits.

    >>> found_out(["quadkey", "tile", "avg_d_kbps", "avg_u_kbps", "avg_lat_ms", "tests", "devices"])
    'ookla'
    """
    found = fitting(headings)
    if len(found) == 1:
        return found[0]
    return None if found or not ispeed.understands(headings) else "ispeed"
