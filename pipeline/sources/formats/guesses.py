"""Guesses of what unknown columns mean, from their headings and their values together.

A name alone is no evidence: `Speed` beside `km/h` is a vehicle's, `uuid` that repeats is a phone's,
an empty `signal_strength` beside a filled `lte_rsrp` is passed over. Does not belong here: reading
values, units of numbers (`cells/`).
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from pipeline.schema.texts import joined, said
from pipeline.sources.cells import ids
from pipeline.sources.cells.operators import OperatorTable, found_in, operator_table
from pipeline.sources.cells.technologies import TECHNOLOGIES, technology_of
from pipeline.sources.formats.ispeed import ALIASES, bare
from pipeline.sources.rules import OPTIONAL, REQUIRED
from pipeline.sources.values import folded, unit_factor, unit_in

_SAMPLE = 2_000  # rows that values are looked at in
_MOST_NAMES = 200  # distinct values of operators or technologies in a sample
_SOME = 0.02  # filled share from which a column can be proposed

# Which of several figures of one quantity a column is
_MEAN = frozenset(["avg", "average", "mean", "trung binh", "binh quan", "tb"])
_EXTREME = frozenset(
    ["max", "maximum", "min", "minimum", "peak", "lon nhat", "nho nhat", "cao nhat", "thap nhat",
     "stdev", "std", "sd", "stddev", "p5", "p10", "p90", "p95", "median", "p50", "loss", "first",
     "last"]
)  # fmt: skip
_VEHICLE = re.compile(r"km\s*/?\s*h|kmh|kph|mph|m/s\b|van toc|vehicle|xe|gps speed|ground|bearing")
_NO_RATE = re.compile(r"[(\[]\s*(?:s|sec|giây|ms|%|m|km)\s*[)\]]", re.IGNORECASE)
_WORDS_OF = {
    "download_mbps": ("download", "dl", "dn", "down", "downlink", "tai xuong", "tai ve"),
    "upload_mbps": ("upload", "ul", "up", "uplink", "tai len"),
}
_NUMBERS = frozenset(
    ["latitude", "longitude", "location_accuracy_m", "download_mbps", "upload_mbps", "latency_ms",
     "jitter_ms", "signal_dbm"]
)  # fmt: skip
# a date and a time of day: nothing else is written so
_FULL_TIME = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T_,]+\d{1,2}[:.h]\d{2}")
_DATES = frozenset(["date", "ngay"])
_TIME = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d{2}|^\d{10}(?:\d{3})?$|^\d{5}\.\d+$")
_TOLD_BY_VALUES = frozenset(["measured_at", "latitude", "longitude", "operator", "technology"])
_BY_VALUES = 0.9  # share of cells that tells a column whose heading says nothing
Bounds = tuple[float, float, float, float]  # west, south, east, north, degrees
# Either a test's or a phone's: their values tell
_IDS = frozenset(
    ["uuid", "guid", "client uuid", "client id", "user id", "install id", "installation uuid",
     "phone id", "android id", "imei", "session id", "open uuid"]
)  # fmt: skip
_SPEEDS = frozenset(
    ["speed", "data speed", "test speed", "toc do", "toc do du lieu", "throughput", "bitrate",
     "bang thong"]
)  # fmt: skip
Basis = Literal["alias", "likely", "open"]


@dataclass(frozen=True)
class Guess:
    """What a column of ours may be read from, and why.

    `basis`: `alias` (the heading is known and the values agree), `likely` (to be proposed), `open`
    (`column` is None: several fit, and `others` are to be asked about).
    """

    column: str | None
    evidence: str
    basis: Basis = "likely"
    others: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class _Sample:
    """A column's values: how many are filled, which are numbers, what distinct texts there are."""

    heading: str
    filled: float
    numbers: pl.Series  # of the filled cells that are numbers
    number_share: float
    distinct: Mapping[str, int]


@dataclass(frozen=True)
class _Candidate:
    """A column that may be one of ours: how well its name and its values fit, and why."""

    ours: str
    heading: str
    by_name: float
    by_values: float
    why: str

    @property
    def score(self) -> float:
        return self.by_name + self.by_values


def guess_columns(
    frame: pl.DataFrame,
    known: Mapping[str, object],
    *,
    table: OperatorTable | None = None,
    bounds: Bounds | None = None,
) -> dict[str, Guess]:
    """Ours → the column that it may be read from, for all of ours that `known` lacks.

    `frame`: a sample of rows under the file's headings; `known`: ours → anything with `column`, or
    a heading; `bounds`: of the communes. Of several figures of one quantity the mean is taken,
    never a peak. Operators, technologies, times with their date and positions within the bounds
    are known by values alone too; where several columns are so, they are asked about.
    """
    candidates = _candidates(frame, known, table or operator_table(), bounds)
    fitting = [one for one in candidates if one.by_values > 0]
    refused = [one for one in candidates if one.by_values <= 0 and one.by_name >= 2]
    order = {heading: n for n, heading in enumerate(frame.columns)}
    result: dict[str, Guess] = {}
    used: set[str] = set()
    for one in sorted(fitting, key=lambda one: (-one.score, order[one.heading])):
        if one.ours in result or one.heading in used:
            continue
        guess = _guess(one, [other for other in fitting if other.heading not in used], refused)
        result[one.ours] = guess
        if guess.column is not None:
            used.add(guess.column)
    for ours in {one.ours for one in refused} - set(result):
        named = [one for one in refused if one.ours == ours and one.heading not in used]
        if named:
            why = joined(*(joined(one.heading, one.why, by=": ") for one in named))
            result[ours] = Guess(None, why, "open", tuple(one.heading for one in named))
    return {ours: result[ours] for ours in (*REQUIRED, *OPTIONAL) if ours in result}


def _candidates(
    frame: pl.DataFrame, known: Mapping[str, object], table: OperatorTable, bounds: Bounds | None
) -> list[_Candidate]:
    """All that may be one of ours by name, and what their values say of it."""
    taken = {_heading_of(rule) for rule in known.values()}
    columns = {h: _sampled(h, frame[h].head(_SAMPLE)) for h in frame.columns if h not in taken}
    result = []
    for ours in (*REQUIRED, *OPTIONAL):
        for heading, column in columns.items() if ours not in known else ():
            by_name = _name_score(ours, heading) or _dates_score(ours, column)
            if not by_name and ours not in _TOLD_BY_VALUES:
                continue  # thousands of columns are looked at by their headings only
            by_values, why = _value_fit(ours, column, frame, table)
            is_told = by_values >= _BY_VALUES and _is_told_by_values(ours, column, bounds)
            if by_name or is_told:
                result.append(_Candidate(ours, heading, by_name, by_values, why))
    return result


def _guess(best: _Candidate, fitting: Sequence[_Candidate], refused: Sequence[_Candidate]) -> Guess:
    """The guess that is `best` among `fitting`; open where others of its quantity fit as well."""
    rivals = [
        one.heading
        for one in fitting
        if one.ours == best.ours
        and one.heading != best.heading
        and abs(one.score - best.score) < 0.01
    ]
    is_same = _quantity(best.heading) in {_quantity(rival) for rival in rivals}
    is_unnamed = best.score <= 1.0  # its heading says nothing
    if rivals and (is_same or is_unnamed or _are_known(best.ours, best.heading, *rivals)):
        why = joined(best.why, said("as_likely", others=rivals))
        return Guess(None, why, "open", (best.heading, *rivals))
    passed = [joined(one.heading, one.why, by=": ") for one in refused if one.ours == best.ours]
    basis: Basis = "alias" if best.by_name >= 3 else "likely"
    return Guess(best.heading, joined(best.why, *passed), basis)


def _are_known(ours: str, *headings: str) -> bool:
    """Whether all are usual headings of the speed that verdicts are made from, so none is taken."""
    return ours == "download_mbps" and all(_name_score(ours, one) >= 3 for one in headings)


def _heading_of(rule: object) -> object:
    return rule.column if hasattr(rule, "column") else rule


def _sampled(heading: str, column: pl.Series) -> _Sample:
    text = column.cast(pl.String, strict=False).str.strip_chars()
    text = text.set(
        text.str.to_lowercase().is_in(["", "-", "na", "n/a", "null", "nan", "none"]), None
    )
    filled = text.drop_nulls()
    numbers = filled.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False).drop_nulls()
    distinct: Counter[str] = Counter(filled.to_list())
    share = len(numbers) / len(filled) if len(filled) else 0.0
    return _Sample(heading, len(filled) / max(1, len(column)), numbers, share, distinct)


# --- names


def _name_score(ours: str, heading: str) -> float:
    """3: a known alias; 2: an alias inside the heading or its mean; 1: similar; 0: nothing."""
    plain = bare(_spaced(heading))
    aliases = {bare(alias) for alias in (folded(ours), *ALIASES[ours])}
    if plain in aliases or bare(heading) in aliases:
        return 3.0
    quantity, figure = _quantity(heading), _figure(heading)
    if figure == "mean" and quantity in aliases:
        return 2.5
    inside = [a for a in aliases if len(a) > 2 and f" {a} " in f" {plain} "]
    inside += [w for w in _WORDS_OF.get(ours, ()) if f" {w} " in f" {plain} "]
    if inside:
        return 2.0
    if plain in _SPEEDS:
        return 1.5 if ours == "download_mbps" else 0.0
    if plain in _IDS and ours in ("device_id", "test_id"):
        return 2.0
    return 1.0 if difflib.get_close_matches(plain, aliases, n=1, cutoff=0.8) else 0.0


def _dates_score(ours: str, column: _Sample) -> float:
    """3 for a column `Date` with times of day in it: it is the time of the tests."""
    is_dates = ours == "measured_at" and bare(column.heading) in _DATES
    return 3.0 if is_dates and _full_time_share(column) >= _BY_VALUES else 0.0


def _full_time_share(column: _Sample) -> float:
    total = sum(column.distinct.values())
    full = sum(n for text, n in column.distinct.items() if _FULL_TIME.search(text))
    return full / total if total else 0.0


def _is_told_by_values(ours: str, column: _Sample, bounds: Bounds | None) -> bool:
    if ours == "measured_at":
        return _full_time_share(column) >= _BY_VALUES
    if ours in ("latitude", "longitude") and bounds is not None and len(column.numbers):
        west, south, east, north = bounds
        low, high = (south, north) if ours == "latitude" else (west, east)
        inside = column.numbers.is_between(low, high).mean()
        is_fine = (column.numbers != column.numbers.round()).mean()
        return min(float(inside or 0), float(is_fine or 0)) >= _BY_VALUES  # type: ignore[arg-type]
    return ours in _TOLD_BY_VALUES - {"measured_at", "latitude", "longitude"}


def _spaced(heading: str) -> str:
    """`downloadSpeed` and `DL_bitrate` with blanks between words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", heading)


def _words(heading: str) -> str:
    return f" {folded(_spaced(heading))} "


def _figure(heading: str) -> str:
    words = _words(heading)
    if any(f" {word} " in words for word in _MEAN):
        return "mean"
    return "extreme" if any(f" {word} " in words for word in _EXTREME) else ""


def _quantity(heading: str) -> str:
    """The heading without the word that says which figure of the quantity it is."""
    words = _words(bare(_spaced(heading)))
    for word in (*_MEAN, *_EXTREME):
        words = words.replace(f" {word} ", " ")
    return words.strip()


# --- values


def _value_fit(
    ours: str, column: _Sample, frame: pl.DataFrame, table: OperatorTable
) -> tuple[float, str]:
    """(how well the values fit, 0 to 1; what of them speaks for or against it)."""
    if column.filled < _SOME:
        return 0.0, said("empty")
    if ours in _NUMBERS:
        return _number_fit(ours, column)
    if ours == "measured_at":
        return _time_fit(column)
    if ours == "operator":
        return _operator_fit(column, table)
    if ours == "technology":
        return _technology_fit(column)
    return _id_fit(ours, column, frame)


def _time_fit(column: _Sample) -> tuple[float, str]:
    like = sum(n for text, n in column.distinct.items() if _TIME.search(text))
    share = like / sum(column.distinct.values())
    return (share if share > 0.5 else 0.0), said("like_times", share=_percent(share))


def _technology_fit(column: _Sample) -> tuple[float, str]:
    if len(column.distinct) > _MOST_NAMES:
        return 0.0, said("distinct", count=len(column.distinct))
    read = {text: technology_of(text) for text in column.distinct}
    total = sum(column.distinct.values())
    good = sum(column.distinct[text] for text, one in read.items() if one in TECHNOLOGIES)
    share = good / total
    return (share if share > 0.2 else 0.0), said("technologies", share=_percent(share))


def _number_fit(ours: str, column: _Sample) -> tuple[float, str]:
    if column.number_share < 0.5 or not len(column.numbers):
        return 0.0, said("no_numbers")
    values = column.numbers.to_numpy()
    low, high, middle = float(values.min()), float(values.max()), float(np.median(values))
    why: str = said("span", median=_short(middle), low=_short(low), high=_short(high))
    if ours in ("latitude", "longitude"):
        most = 90 if ours == "latitude" else 180
        inside = float((np.abs(values) <= most).mean())
        return (inside if inside > 0.5 else 0.0), why
    if ours == "signal_dbm":
        return _signal_fit(column, why)
    if ours in ("download_mbps", "upload_mbps"):
        return _speed_fit(ours, column, middle, why)
    is_rate = ours in ("latency_ms", "jitter_ms") and "bitrate" in _words(column.heading)
    fit, why = _mean_fit(column.heading, why)
    return (0.0 if low < -1 or is_rate else fit), why


def _signal_fit(column: _Sample, why: str) -> tuple[float, str]:
    values = column.numbers.to_numpy()
    negative = float(((values < -20) & (values > -160)).mean())
    if negative < 0.5:
        return 0.0, _but(why, "no_dbm")
    is_rsrp = 0.2 if "rsrp" in _words(column.heading) else 0.0
    return min(1.0, 0.5 * column.filled + 0.3 * negative) + is_rsrp, why


def _mean_fit(heading: str, why: str) -> tuple[float, str]:
    """The fit of a figure that may be a mean or, by its heading, a peak."""
    figure = _figure(heading)
    if figure == "extreme":
        return 0.0, _but(why, "not_mean")
    return 0.8 + (0.1 if figure == "mean" else 0.0), why


def _speed_fit(ours: str, column: _Sample, middle: float, why: str) -> tuple[float, str]:
    heading = column.heading
    words = _words(heading)
    has_unit = unit_in(ours, heading) is not None or any(
        unit_factor(ours, part) is not None for part in re.split(r"[\s()\[\]_]+", heading) if part
    )
    names_direction = any(f" {word} " in words for word in _WORDS_OF[ours])
    if _VEHICLE.search(heading.casefold()) or _VEHICLE.search(words):
        return 0.0, _but(why, "vehicle")
    if _NO_RATE.search(heading):
        return 0.0, _but(why, "no_speed")
    if "speed" in words.split() and not names_direction and not has_unit:
        return 0.0, _but(why, "may_be_vehicle")
    others = _WORDS_OF["upload_mbps" if ours == "download_mbps" else "download_mbps"]
    if not names_direction and any(f" {word} " in words for word in others):
        return 0.0, said("other_direction")
    if middle < 0:
        return 0.0, _but(why, "negative")
    return _mean_fit(heading, why)


def _operator_fit(column: _Sample, table: OperatorTable) -> tuple[float, str]:
    total = sum(column.distinct.values())
    if len(column.distinct) > _MOST_NAMES:
        return 0.0, said("distinct", count=len(column.distinct))
    good = sum(n for text, n in column.distinct.items() if found_in(table, text) is not None)
    share = good / total
    if share > 0.5:
        return share, said("operators", share=_percent(share))
    if column.number_share > 0.5 or len(column.distinct) > 50:
        return 0.0, said("distinct", count=len(column.distinct))
    return 0.5, said("names", count=len(column.distinct))


def _but(why: str, key: str) -> str:
    """What speaks against a column, behind its figures."""
    return joined(why, said(key), by=": ")


def _percent(share: float) -> int:
    return round(100 * share)


def _short(value: float) -> float:
    """The number with six digits."""
    return float(f"{value:.6g}")


def _id_fit(ours: str, column: _Sample, frame: pl.DataFrame) -> tuple[float, str]:
    rows = frame[column.heading].cast(pl.String, strict=False)
    decided = ids.decide_ids(rows, column.heading, ours=ours)
    if decided.question is not None or decided.form is None:
        return 0.0, decided.evidence
    read = ids.read_ids(rows, decided.form)
    # at other times or places: in rows that differ in anything else
    others = frame.drop(column.heading)
    marks = others.hash_rows() if others.width else pl.repeat(0, len(read), eager=True)
    found = ids.whose(read, marks)
    wanted = "device" if ours == "device_id" else "test"
    if found.is_of == wanted:
        return 1.0, found.evidence
    if found.is_of == "copies" and wanted == "test":
        return 0.8, found.evidence
    return 0.0, found.evidence


def unmapped(
    frame: pl.DataFrame, guessed: Mapping[str, Guess], known: Mapping[str, object]
) -> list[str]:
    """Headings that nothing is read from: what `proposed_conditions` looks at."""
    used: set[object] = {guess.column for guess in guessed.values()}
    used |= {_heading_of(rule) for rule in known.values()}
    return [heading for heading in frame.columns if heading not in used]


def doubts(
    ours: str, heading: str, frame: pl.DataFrame, *, table: OperatorTable | None = None
) -> Guess | None:
    """Why a column that the settings name for `ours` is hardly that, and which others are likelier.

    None where its values do not speak against it, or no other column fits. `frame`: a sample.
    """
    known = table or operator_table()
    fit, why = _value_fit(ours, _sampled(heading, frame[heading].head(_SAMPLE)), frame, known)
    if fit > 0:
        return None
    others = [
        other
        for other in frame.columns
        if other != heading
        and _name_score(ours, other) >= 2
        and _value_fit(ours, _sampled(other, frame[other].head(_SAMPLE)), frame, known)[0] > 0
    ]
    return Guess(None, joined(heading, why, by=": "), "open", tuple(others)) if others else None
