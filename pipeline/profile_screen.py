"""The screen of `lomsong check`: a source in lines of text, before anything is judged.

Does not belong here: what is counted (`sources/profile.py`, `measurements/prepare.py`).
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from pipeline.measurements.prepare import Prepared
from pipeline.schema.texts import Lang, line, number, short_number, word
from pipeline.sources.deliveries import Listed
from pipeline.sources.formats import FORMATS
from pipeline.sources.inputs import Delivered
from pipeline.sources.plan import Plan
from pipeline.sources.profile import EXAMPLES, ColumnProfile
from pipeline.sources.rules import REQUIRED

_MOST_NAMES = 12  # spellings and months that a line names
_MOST_COMMUNES = 5
_FEW = 3  # files
_WIDEST = 24  # characters of a heading or cell
c = pl.col


def screens(delivered: Delivered, prepared: Prepared, lang: Lang) -> Iterator[str]:
    """A block of lines for each source of tests, a line for each of tiles."""
    for source in dict.fromkeys(one.source for one in delivered.listed):
        if any(one.parts for one in delivered.listed if one.source == source):
            yield "\n".join(_source(source, delivered, prepared, lang))
        elif delivered.inputs is not None:
            yield from _tiles(source, delivered.inputs.tiles, lang)


def lines_to_paste(
    delivered: Delivered, sources: Mapping[str, Mapping[str, Any]], lang: Lang
) -> list[str]:
    """Settings lines that would settle what is open about columns and rows; none where nothing is.

    `sources`: path and format of sources that stand in no settings file.
    """
    found: list[str] = []
    for source in dict.fromkeys(one.source for one in delivered.plans):
        plans = [one for one in delivered.plans if one.source == source]
        if not any(lines for one in plans for lines in one.lines.values()):
            continue
        if source in sources:
            found.append(f"[sources.{source}]")
            found += [f"{key} = {json.dumps(v)}" for key, v in sources[source].items() if v]
        for section in ("columns", "keep", "failed", "nr"):
            lines = dict.fromkeys(text for one in plans for text in one.lines.get(section, ()))
            if lines:
                found += [f"[sources.{source}.{section}]", *lines]
    return [line("profile_paste", lang), *(f"  {text}" for text in found)] if found else []


def _source(source: str, delivered: Delivered, prepared: Prepared, lang: Lang) -> Iterator[str]:
    tables = [one for one in delivered.listed if one.source == source]
    account, plans = prepared.account, _plans(tables)
    count = account.reasons.get(source, Counter()).total()
    about = [one for one in delivered.plans if one.source == source]
    # a table that is known by nothing is read by the aliases
    is_open = all(FORMATS[plan.format].has_aliases for plan in plans)
    is_open &= any(one.lines.get("columns") for one in about)
    formats = line("profile_format_open", lang) if is_open else _formats(plans)
    named = [one.delivery.name for one in tables[:_FEW]]
    named += [f"… ({number(len(tables), lang)})"] if len(tables) > _FEW else []
    yield line("profile_source", lang, source=source, count=count, names=named, format=formats)
    if all(FORMATS[plan.format].refused for plan in plans):
        return  # the fault says why; nothing is read from its columns
    yield from _counts("profile_months", account.source_months.get(source), lang)
    profile = account.profiles.get(source, {})
    for ours in ("operator", "technology"):
        if ours in profile:
            yield f"  {_heading(ours, lang)}: {_names(profile[ours].met, lang)}"
    yield from _columns(plans, profile, lang)
    signs = dict.fromkeys(_cut(name) for plan in plans for name in plan.nr)
    if signs:
        yield "  " + line("profile_nr", lang, found=list(signs))
    unused = [name for one in about for name in one.unused]
    if unused:
        found = [_cut(name) for name in dict.fromkeys(unused)]
        yield "  " + line("profile_unused", lang, found=found)
    missing = [ours for ours in REQUIRED if any(ours not in plan.columns for plan in plans)]
    if missing:  # every row would lack it: counts would say nothing of the file
        yield "  " + line("profile_rows_open", lang, found=missing)
        return
    yield from _rows(account.reasons.get(source), account.speeds.get(source), lang)
    yield from _places(account.zones.get(source), delivered, prepared, lang)
    yield from _devices(source, prepared, lang)


def _formats(plans: Sequence[Plan]) -> str:
    return ", ".join(dict.fromkeys(plan.format for plan in plans))


def _tiles(source: str, tiles: pd.DataFrame, lang: Lang) -> Iterator[str]:
    """What a source of tiles holds, where it has readable ones."""
    if not len(tiles):
        return
    own = tiles[(tiles["source"] == source) & (tiles["unreadable"] == "")]
    if len(own):
        yield line(
            "profile_tiles",
            lang,
            source=source,
            count=len(own),
            tests=int(own["test_count"].sum()),
            devices=int(own["device_count"].sum()),
            mean=float(np.average(own["download_mbps"], weights=own["device_count"])),
            found=sorted(own["tile_period"].unique())[-_MOST_NAMES:],
        )


def _plans(tables: Sequence[Listed]) -> list[Plan]:
    found = [part.plan for one in tables for part in one.parts[:1] if part.plan is not None]
    return list({id(plan): plan for plan in found}.values())


def _heading(ours: str, lang: Lang) -> str:
    return line(f"profile_{ours}", lang)


def _counts(key: str, counts: Mapping[Any, int] | None, lang: Lang) -> Iterator[str]:
    known = {name: n for name, n in (counts or {}).items() if name is not None}
    if known:
        ordered = sorted(known)[-_MOST_NAMES:]
        more = "… " if len(known) > len(ordered) else ""
        shown = " · ".join(f"{name} {number(known[name], lang)}" for name in ordered)
        yield f"  {line(key, lang)}: {more}{shown}"


def _names(met: Counter[tuple[str, str]], lang: Lang) -> str:
    """`Viettel 72 (VIETTEL 24, Viettel 48) · …`, the most frequent first."""
    by_ours: dict[str, Counter[str]] = {}
    for (ours, as_met), n in met.items():
        by_ours.setdefault(ours, Counter())[as_met] += n
    parts = []
    for ours, spellings in sorted(by_ours.items(), key=lambda one: (-one[1].total(), one[0])):
        shown = [f"{name} {number(n, lang)}" for name, n in spellings.most_common(4)]
        shown += ["…"] if len(spellings) > 4 else []
        other = f" ({', '.join(shown)})" if list(spellings) != [ours] else ""
        parts.append(f"{ours} {number(spellings.total(), lang)}{other}")
    return " · ".join(parts[:_MOST_NAMES]) + (" · …" if len(parts) > _MOST_NAMES else "")


def _columns(
    plans: Sequence[Plan], profile: Mapping[str, ColumnProfile], lang: Lang
) -> Iterator[str]:
    """One line for each column: heading, ours, unit and how it is known, figures.

    Below it examples of what could not be read. Lines fit a terminal of 100 columns.
    """
    keys = ("theirs", "ours", "unit", "values", "readable")
    rows = [(*(line(f"profile_head_{key}", lang) for key in keys), "")]
    for plan in plans:
        for ours, about in plan.columns.items():
            one = profile.get(ours, ColumnProfile())
            theirs = " + ".join(about.columns) or f"= {about.value}"
            unit = about.unit.name if about.unit is not None else ""
            known = line(f"basis_{about.basis}", lang)
            cells = (_cut(theirs), ours, f"{unit} ({known})".strip(), _range(one, lang))
            rows.append((*cells, _share(one, lang), _examples(one)))
    if len(rows) == 1:
        return
    widths = [max(len(row[n]) for row in rows) for n in range(len(keys))]
    for *row, examples in dict.fromkeys(rows):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(padded)}".rstrip()
        if examples:
            yield "    " + line("profile_head_examples", lang, found=examples)


def _cut(text: str) -> str:
    """A text on one line in Unicode form NFC, cut off at its end where it is long."""
    plain = unicodedata.normalize("NFC", " ".join(text.split()))
    return plain if len(plain) <= _WIDEST else plain[: _WIDEST - 1] + "…"


def _range(one: ColumnProfile, lang: Lang) -> str:
    if one.median is None or one.low is None or one.high is None:
        return ""
    low, middle, high = (_figure(value, lang) for value in (one.low, one.median, one.high))
    return f"{middle} ({low} – {high})"


def _figure(value: float, lang: Lang) -> str:
    """A number with four digits, or more where it is larger."""
    if not math.isfinite(value):
        return str(value)
    digits = 3 - math.floor(math.log10(abs(value))) if value else 0
    return short_number(round(value, max(0, digits)), lang)


def _share(one: ColumnProfile, lang: Lang) -> str:
    if not one.filled:
        return line("profile_empty", lang)
    share = 100 * one.readable / one.filled
    digits = 1 if one.readable < one.filled else 0
    shown = number(np.floor(share * 10) / 10, lang, digits)
    return line("profile_readable", lang, share=shown, count=one.filled)


def _examples(one: ColumnProfile) -> str:
    return ", ".join(f"“{_cut(text)}”" for text, _ in one.unreadable.most_common(EXAMPLES))


def _rows(reasons: Counter[Any] | None, speeds: Counter[Any] | None, lang: Lang) -> Iterator[str]:
    counts = Counter(reasons or {})
    sound, valid = counts.pop(None, 0), (speeds or Counter()).total()
    named = [(word(f"reject_{reason}", lang), n) for reason, n in counts.most_common()]
    aside = [f"{name} {number(n, lang)}" for name, n in named]
    yield "  " + line("profile_rows", lang, valid=valid, failed=sound - valid, aside=aside or ["0"])


def _places(
    zones: Counter[Any] | None, delivered: Delivered, prepared: Prepared, lang: Lang
) -> Iterator[str]:
    counts, codes = Counter(zones or {}), prepared.how.zones.codes
    if not len(codes):
        return  # the boundaries could not be read
    communes = None if delivered.inputs is None else delivered.inputs.communes
    names = {} if communes is None else communes.set_index("commune_code")["commune_name"].to_dict()
    most = [(str(codes[zone]), n) for zone, n in counts.most_common(_MOST_COMMUNES)]
    named = [f"{code} {names.get(code, '')}".strip() + f": {number(n, lang)}" for code, n in most]
    named = (named or ["–"]) + (["…"] if len(counts) > _MOST_COMMUNES else [])
    yield "  " + line("profile_places", lang, count=len(counts), of=len(codes), named=named)


def _devices(source: str, prepared: Prepared, lang: Lang) -> Iterator[str]:
    if source not in prepared.how.sources:
        return
    place = prepared.how.sources.index(source)

    def counted(rows: pl.DataFrame) -> pl.DataFrame:
        ours = rows.filter((c("source") == place) & ~c("is_pseudo"))
        return ours.group_by("device").len()

    parts = prepared.rows.gather("tests", counted)
    sizes = np.concatenate([np.zeros(0), *(part["len"].to_numpy() for part in parts)])
    if len(sizes):
        yield "  " + line(
            "profile_devices",
            lang,
            count=len(sizes),
            median=short_number(float(np.median(sizes)), lang),
            most=int(sizes.max()),
        )
    else:
        yield "  " + line("profile_no_devices", lang)
