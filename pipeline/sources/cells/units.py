"""The unit of a column of numbers, which is stated somewhere and never chosen by magnitude.

The settings, the heading, a row below the headings or the cells state it, or a program documents it
for its heading.
Magnitude only contradicts (`contradiction`): the figures of a column in another unit than stated
are far outside what such tests measure, and the question names the units that would fit.
Does not belong here: decimal and grouping marks (`numbers.py`), what becomes of a value
(`prepare.py`).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from pipeline.schema.errors import Fault
from pipeline.schema.texts import Said, joined, said
from pipeline.sources.cells.decision import Basis, Decision
from pipeline.sources.cells.missing import MISSING

Kind = Literal["rate", "time", "length", "power", "angle", "count"]
KINDS: Mapping[str, Kind] = {
    "download_mbps": "rate",
    "upload_mbps": "rate",
    "latency_ms": "time",
    "jitter_ms": "time",
    "location_accuracy_m": "length",
    "signal_dbm": "power",
    "latitude": "angle",
    "longitude": "angle",
    "count": "count",
    "distance": "length",  # of other tables, as `count` is
}
# A median outside these contradicts the unit (in our units, both ends are usual). 4G tests: below
# 0.5 Mbit/s or above 300 Mbit/s no month of a commune was seen; the other bounds are as wide.
USUAL: Mapping[str, tuple[float, float]] = {
    "download_mbps": (0.5, 300),
    "upload_mbps": (0.05, 150),
    "latency_ms": (1, 2000),
    "jitter_ms": (0.05, 500),
    "location_accuracy_m": (0.5, 5000),
    "signal_dbm": (-140, -30),
}
FEW = 10  # the median of fewer values may be this many times outside the usual bounds …
WIDER = 4.0  # … without a contradiction


@dataclass(frozen=True)
class Unit:
    """A unit, its `name` as settings write it. Ours = figure × factor + offset."""

    name: str
    factor: float = 1.0
    offset: float = 0.0

    def in_ours(self, values: pl.Series) -> pl.Series:
        """Figures in this unit → in our unit, float64."""
        found = values if self.factor == 1 else values * self.factor
        return found + self.offset if self.offset else found


_UNITS: Mapping[Kind, tuple[Unit, ...]] = {  # ours first
    "rate": (
        Unit("Mbit/s"),
        Unit("kbit/s", 1e-3),
        Unit("bit/s", 1e-6),
        Unit("Gbit/s", 1e3),
        Unit("MB/s", 8.0),
        Unit("kB/s", 8e-3),
        Unit("B/s", 8e-6),
        Unit("GB/s", 8e3),
        Unit("Kibit/s", 1.024e-3),
        Unit("Mibit/s", 1.048576),
        Unit("Gibit/s", 1073.741824),
        Unit("KiB/s", 8.192e-3),
        Unit("MiB/s", 8.388608),
        Unit("GiB/s", 8589.934592),
    ),
    "time": (Unit("ms"), Unit("s", 1e3), Unit("us", 1e-3), Unit("ns", 1e-6)),
    "length": (Unit("m"), Unit("km", 1e3), Unit("cm", 1e-2), Unit("mm", 1e-3), Unit("ft", 0.3048)),
    # LTE: RSRP in dBm is the ASU figure less 140 (3GPP TS 27.007, +CESQ, less its half step)
    "power": (Unit("dBm"), Unit("-dBm", -1.0), Unit("ASU", 1.0, -140.0)),
    "angle": (Unit("deg"),),
    "count": (Unit("1"), Unit("1000", 1e3), Unit("1000000", 1e6)),
}
_NAMES: Mapping[Kind, Mapping[str, Unit]] = {
    kind: {unit.name: unit for unit in units} for kind, units in _UNITS.items()
}
_SPELLED: Mapping[Kind, Mapping[str, str]] = {
    "rate": {},  # by _RATE
    "time": {
        "ms": "ms msec msecs millis millisecond milliseconds miligiây miligiay",
        "s": "s sec secs second seconds giây giay",
        "us": "us μs usec usecs microsecond microseconds microgiây",
        "ns": "ns nsec nanosecond nanoseconds",
    },
    "length": {
        "m": "m meter meters metre metres mét",
        "km": "km kilometer kilometers kilometre kilometres kilômét",
        "cm": "cm",
        "mm": "mm",
        "ft": "ft feet foot",
    },
    "power": {"dBm": "dbm", "-dBm": "-dbm"},
    "angle": {"deg": "deg degs degree degrees ° độ"},
    "count": {
        "1": "1 người nguoi people person persons inhabitants hộ households",
        "1000": "1000 1.000 1,000 '000 000s x1000 nghìn ngàn nghin ngan thousand thousands "
        "nghìnngười ngànngười 1000người 1.000người 1,000người",
        "1000000": "1000000 triệu trieu million millions triệungười",
    },
}
_BY_SPELLING: Mapping[Kind, Mapping[str, Unit]] = {
    kind: {met: _NAMES[kind][name] for name, all_met in names.items() for met in all_met.split()}
    for kind, names in _SPELLED.items()
}
# Units of what none of our columns holds, or not in this spelling: km/h is a vehicle's speed, MB an
# amount of data, dB a ratio.
_OTHER_WORDS = (
    "km/h km/giờ kmh kph kmph mph m/s knots pps db % °c hz khz mhz ghz kb mb gb kbyte mbyte "
    "gbyte kbytes mbytes gbytes byte bytes mah mw người/km2 người/km² people/km2 persons/km2 asu"
)
_OTHER = frozenset(_OTHER_WORDS.split())
_OF_HEADINGS = frozenset(("độ",))  # degrees in brackets, but Độ trễ and Độ chính xác are headings
_RATE = re.compile(
    r"(?P<prefix>kibi|mebi|gibi|kilo|mega|giga|ki|mi|gi|k|m|g|)(?P<what>bits?|bytes?|b)"
    r"(?P<per>/(?:s|sec|second|seconds|giây|giay)|ps|)",
    re.IGNORECASE,
)
_PREFIX = {"kibi": "Ki", "mebi": "Mi", "gibi": "Gi", "ki": "Ki", "mi": "Mi", "gi": "Gi"}
_PREFIX |= {"kilo": "k", "mega": "M", "giga": "G", "k": "k", "m": "M", "g": "G", "": ""}
# Single words in brackets of a heading that are no units.
_WORDS = (
    "avg average mean median max min maximum minimum p5 p10 p50 p90 p95 tb dl ul download "
    "upload downlink uplink down up tải xuống lên 2g 3g 4g 5g lte nr nsa sa umts gsm "
    "wcdma wifi rsrp rsrq rssi sinr snr gps gnss wgs84 wgs wgs-84 network mạng icmp tcp "
    "udp http https ping rtt test speedtest ookla nperf ispeed i-speed opensignal viettel "
    "vinaphone mobifone vietnamobile vnpt raw optional required float double int integer "
    "number numeric text string value values result rate speed tốc độ trung bình trễ idle "
    "loaded ss ssb csi primary serving cell horizontal vertical ngang network-based"
)
_NO_UNIT = frozenset(_WORDS.split())
_LIKE_RATE = re.compile(
    r"[^\W\d_]{0,6}(?:bps|bits?|bytes?|bs|yte|yt)(?:/\w+)?|\S+/(?:s|sec|secs|second|seconds|giây|giay|h|hour|giờ|"
    r"min|minute|phút)",
    re.IGNORECASE,
)
_NOT_LIKE_RATE = frozenset(
    {"bit", "obs", "jobs", "tabs", "orbit", "habit", "limit", "dbs", "submit", "exhibit"}
)
_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_BREAKS = re.compile(r"[\s_,;:|]+|\.(?!\d)|-(?=\w+/|\w{3})")
_CAMEL = re.compile(r"(?<=[a-z]{2}[a-z])(?=[A-Z])")
# Headings whose unit their program documents (folded): G-NetTrack's logs are in kbit/s, also in the
# data sets made with it.
UNITS_OF_HEADINGS: Mapping[str, str] = {
    "testdownlink": "kbit/s",
    "testuplink": "kbit/s",
    "testdownlinkmax": "kbit/s",
    "testuplinkmax": "kbit/s",
    "dl_bitrate": "kbit/s",
    "ul_bitrate": "kbit/s",
    "pingavg": "ms",
    "pingmin": "ms",
    "pingmax": "ms",
}
_SUFFIX = r"^\s*[<>~≈]?\s*[-+−]?\d[\d.,'’\s]*(?:[eE][-+]?\d+)?\s*([^\d\s.,'’+\-−%][^\d]*?)\s*$"


class _Problem(Exception):
    """A word that stands where a unit does and cannot be used."""

    def __init__(self, code: str, word: str) -> None:
        self.code, self.word = code, word
        super().__init__(code, word)


def names_of(ours: str) -> list[str]:
    """The units that a column of ours may come in, as to be written in the settings."""
    return list(_NAMES[KINDS[ours]]) if ours in KINDS else []


def unit_of(ours: str, text: str) -> Unit | None:
    """The unit that a text names, in one of its usual spellings; None of any other text.

    Raises ValueError where it may be bits or bytes. `b` is bit and `B` is byte; beside that case
    says nothing. A bit alone is short for bit/s (`kbit`, as RTR writes), a byte alone is an amount.

    >>> [unit_of("download_mbps", text).name for text in ("Mb/giây", "MB/s", "kbits/sec", "KiB/s")]
    ['Mbit/s', 'MB/s', 'kbit/s', 'KiB/s']
    >>> unit_of("latency_ms", "s").factor, unit_of("download_mbps", "km/h")
    (1000.0, None)
    """
    kind = KINDS.get(ours)
    if kind is None:
        return None
    word = "".join(unicodedata.normalize("NFKC", text).split()).strip("()[]{}.")
    if kind != "rate":
        if word.casefold() in ("asu", "-dbm") and kind == "power":
            return _NAMES["power"]["ASU" if word.casefold() == "asu" else "-dBm"]
        return _BY_SPELLING[kind].get(word.casefold())
    match = _RATE.fullmatch(word)
    if match is None:
        return None
    prefix, what, per = _PREFIX[match["prefix"].casefold()], match["what"], match["per"]
    is_letter, is_byte = what in "bB", what.casefold().startswith("by") or what == "B"
    if not per and (is_letter or is_byte):
        return None
    if what == "B" and word.isupper():
        if not word.endswith("PS"):
            raise ValueError(text)
        is_byte = False  # MBPS is Mbps in capitals
    return _NAMES["rate"][f"{prefix}{'B/s' if is_byte else 'bit/s'}"]


def settings_line(ours: str, column: str, **more: str) -> str:
    """The settings line of one column, to be pasted below `[sources.NAME.columns]`.

    >>> settings_line("download_mbps", "Download", unit="bit/s")
    'download_mbps = { column = "Download", unit = "bit/s" }'
    """
    stated = "".join(f", {key} = {_quoted(value)}" for key, value in more.items())
    if ours in ("count", "distance"):  # other tables have no column map
        return stated.removeprefix(", ")
    return f"{ours} = {{ column = {_quoted(column)}{stated} }}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a TOML basic string is written as JSON's


def stated_in(ours: str, heading: str) -> tuple[str, Unit] | None:
    """The unit that a heading states, as written there and as understood; else None.

    Raises ValueError where a word that stands like a unit can be none of this column.
    """
    try:
        found = _stated(ours, heading)
    except _Problem as problem:
        raise ValueError(problem.word) from None
    return found[0] if found else None


def _words(heading: str) -> tuple[list[str], list[str]]:
    """The words outside brackets, in order, and the texts in brackets."""
    text = unicodedata.normalize("NFKC", heading)
    text = re.sub(r"\s*/\s*", "/", text)
    text = re.sub(
        r"(?<=[^\W_])[\s_]+(?:per|mỗi)[\s_]+(?=s|giây|min|h)", "/", text, flags=re.IGNORECASE
    )
    text = re.sub(
        r"\b(mili|micro|kilo|mega|giga)[\s-]+(?=giây|bit|byte)", r"\1", text, flags=re.IGNORECASE
    )
    inside = [found.strip() for found in _BRACKETS.findall(text)]
    outside = [word for word in _BREAKS.split(_BRACKETS.sub(" ", text)) if word]
    parted = [part for word in outside for part in _parts(word)]
    if len(parted) > 1 and parted[-1].casefold() in ("s", "sec") and _RATE.fullmatch(parted[-2]):
        parted[-2:] = [f"{parted[-2]}/{parted[-1]}"]  # download_mbit_s
    return parted, inside


def _parts(word: str) -> list[str]:
    """`downloadKbps` → download, Kbps; other words whole."""
    return [word] if "/" in word or _RATE.fullmatch(word) else _CAMEL.split(word)


def _stated(ours: str, heading: str) -> list[tuple[str, Unit]]:
    """All units that a heading states.

    Raises `_Problem` where a word that stands like a unit is none of this column.
    """
    kind = KINDS.get(ours)
    if kind is None:
        return []
    words, inside = _words(heading)
    found: list[tuple[str, Unit]] = []
    problems: list[_Problem] = []
    for text in inside:
        before = len(found) + len(problems)
        _judge(ours, text, found, problems, is_alone=True)
        if len(found) + len(problems) == before:  # several words, (trung bình, Mbps)
            for word in _BREAKS.split(text):
                if len(word) > 1 and word != text:
                    _judge(ours, word, found, problems, is_alone=False)
    for place, word in enumerate(words):
        if _may_be_unit(kind, word, is_last=place == len(words) - 1, is_only=len(words) == 1):
            _judge(ours, word, found, problems, is_alone=False)
    ambiguous = [problem for problem in problems if problem.code == "unit_bits_or_bytes"]
    if ambiguous or (problems and not found):
        raise (ambiguous or problems)[0]
    return found


def _may_be_unit(kind: Kind, word: str, *, is_last: bool, is_only: bool) -> bool:
    """Whether a word outside brackets stands where units do: short ones at the end only."""
    is_short = len(word) < 2 or word.casefold() in ("bit", "bits", "byte", "bytes")
    if is_short and (not is_last or is_only):
        return False
    if len(word) == 1 and (kind not in ("time", "length") or not word.islower()):
        return False
    return kind != "count" or (is_last and not word.isdigit())


def _judge(
    ours: str, word: str, found: list[tuple[str, Unit]], problems: list[_Problem], *, is_alone: bool
) -> None:
    """Add a word's unit to `found`, or what is wrong with it to `problems`."""
    kind, plain = KINDS[ours], word.casefold()
    try:
        unit = unit_of(ours, word)
    except ValueError:
        problems.append(_Problem("unit_bits_or_bytes", word))
        return
    if unit is not None:
        found.append((word, unit))
    elif not is_alone and plain in _OF_HEADINGS:
        return
    elif plain in _OTHER or (len(plain) > 1 and _is_of_another_kind(kind, word)):
        problems.append(_Problem("unit_of_another_kind", word))
    elif kind in ("angle", "count"):
        return  # years, datums and the like stand in their brackets
    elif (_LIKE_RATE.fullmatch(word) and plain not in _NOT_LIKE_RATE) or (
        is_alone
        and re.fullmatch(r"[^\W\d_]{1,10}\.?(?:/[^\W\d_]+)?", word)
        and plain not in _NO_UNIT
    ):
        problems.append(_Problem("unit_not_known", word))


def _is_of_another_kind(kind: Kind, word: str) -> bool:
    for ours, other in KINDS.items():
        if other in (kind, "count"):
            continue
        try:
            if unit_of(ours, word) is not None:
                return True
        except ValueError:
            return True
    return False


def suffixes(cells: pl.Series) -> pl.Series:
    """What stands behind the number in each text cell, null where nothing does.

    >>> suffixes(pl.Series(["20,5 Mbps", "30ms", "1.2E+4", "7", "x"])).to_list()
    ['Mbps', 'ms', None, None, None]
    """
    return cells.str.extract(_SUFFIX)


def decide_unit(
    ours: str,
    heading: str,
    cells: pl.Series,
    *,
    given: str | None = None,
    below: str | None = None,
    alias: str | None = None,
) -> Decision[Unit]:
    """The unit of a column that becomes our column `ours`, or a question.

    `given`: the settings' unit, which decides alone. `below`: the column's cell in a row of units
    under the headings. `alias`: the unit that is documented for a heading without one; absent, it
    is looked up in UNITS_OF_HEADINGS. `cells` is a sample; units behind its numbers count as
    stated, and cells of several units are read cell by cell (`numbers.read_numbers`).

    What heading, units row and cells state must be one unit. Nothing stated: our unit, basis
    `default`, which `contradiction` then holds against the values.
    """
    lines = tuple(settings_line(ours, heading, unit=name) for name in names_of(ours)[:4])
    try:
        if given is not None:
            return Decision(_named(ours, given), "settings", f"unit = {_quoted(given)}")
        stated = _statements(ours, heading, below)
        in_cells, bare = _in_cells(ours, cells)
    except _Problem as problem:
        return _asked(problem.code, _quoted(problem.word), lines)
    if stated:
        return _by_statements(ours, heading, stated, in_cells)
    if in_cells:
        return _by_cells(ours, heading, in_cells, bare)
    documented = alias or UNITS_OF_HEADINGS.get(heading.strip().casefold())
    unit = unit_of(ours, documented) if documented else None
    if unit is not None:
        return Decision(unit, "format", f"{heading.strip()}: {unit.name}")
    return Decision(_default(ours), "default")


def _statements(ours: str, heading: str, below: str | None) -> list[tuple[Basis, str, Unit]]:
    """What the heading and the row of units below it state."""
    stated: list[tuple[Basis, str, Unit]] = [
        ("heading", word, unit) for word, unit in _stated(ours, heading)
    ]
    row = (below or "").strip()
    if ours in KINDS and row.casefold() not in MISSING:
        stated.append(("unit_row", row, _named(ours, row)))
    return stated


def _by_statements(
    ours: str, heading: str, stated: list[tuple[Basis, str, Unit]], in_cells: Mapping[Unit, int]
) -> Decision[Unit]:
    """The unit of heading and units row, or the question of those that contradict each other.

    One unit in all cells is a statement about the column too; several are read cell by cell.
    """
    named = [said(f"in_{basis}", unit=_quoted(word)) for basis, word, _ in stated]
    found = joined(*named, *_counted(in_cells), by=", ")
    all_stated = {unit for *_, unit in stated} | (set(in_cells) if len(in_cells) == 1 else set())
    if len(all_stated) > 1:
        lines = tuple(settings_line(ours, heading, unit=u.name) for u in _in_order(all_stated))
        return _asked("units_contradict", found, lines)
    return Decision(stated[0][2], stated[0][0], found)


def _by_cells(ours: str, heading: str, in_cells: Mapping[Unit, int], bare: int) -> Decision[Unit]:
    """The most frequent unit of the cells, or the question what cells without a unit are in."""
    found = joined(*_counted(in_cells), by=", ")
    if bare:
        lines = tuple(settings_line(ours, heading, unit=u.name) for u in _in_order(in_cells))
        found = joined(found, joined(bare, "–", by=" "), by=", ")
        return _asked("unit_in_some_cells", found, lines)
    main = max(_in_order(in_cells), key=lambda unit: in_cells[unit])
    return Decision(main, "cells", found)


def _default(ours: str) -> Unit:
    return next(iter(_NAMES[KINDS[ours]].values())) if ours in KINDS else Unit("1")


def _named(ours: str, text: str) -> Unit:
    try:
        unit = unit_of(ours, text)
    except ValueError:
        raise _Problem("unit_bits_or_bytes", text) from None
    if unit is None:
        is_other = text.casefold() in _OTHER or _is_of_another_kind(KINDS[ours], text)
        raise _Problem("unit_of_another_kind" if is_other else "unit_not_known", text)
    return unit


def _in_cells(ours: str, cells: pl.Series) -> tuple[dict[Unit, int], int]:
    """The units behind the numbers of a column with their counts, and how many numbers have none.

    Raises `_Problem` where a word that is no unit stands behind at least 5 % of the numbers; behind
    fewer, their cells cannot be read.
    """
    if cells.dtype in (pl.Categorical, pl.Enum):
        cells = cells.cast(pl.String)
    if cells.dtype != pl.String or KINDS.get(ours) in (None, "angle"):
        return {}, 0
    left = cells.filter(cells.cast(pl.Float64, strict=False).is_null() & cells.is_not_null())
    met = suffixes(left).drop_nulls().alias("met").value_counts()
    counted: dict[Unit, int] = {}
    for word, count in sorted(met.iter_rows()):
        try:
            unit = _named(ours, str(word))
        except _Problem:
            if count >= max(min(3, 0.1 * len(cells)), 0.05 * len(cells)):
                raise
            continue
        counted[unit] = counted.get(unit, 0) + int(count)
    if not counted:
        return {}, 0
    bare = int(cells.str.contains(r"^\s*[-+−]?\d[\d.,'’\s]*(?:[eE][-+]?\d+)?\s*$").sum())
    return counted, bare


def _in_order(units: Iterable[Unit]) -> list[Unit]:
    return sorted(units, key=lambda unit: (unit.factor, unit.name))


def _counted(in_cells: Mapping[Unit, int]) -> list[Said]:
    return [joined(in_cells[unit], unit.name, by=" × ") for unit in _in_order(in_cells)]


def _asked(code: str, found: str, lines: tuple[str, ...]) -> Decision[Unit]:
    fault = Fault(code, values={"found": found, "lines": lines})
    return Decision(None, "default", found, fault)


def usual_distance(ours: str, median: float) -> float:
    """How many times a median (our unit) is outside the usual bounds; 1 inside them.

    Of decibels, which are no ratio scale, 1 or infinity.
    """
    if ours not in USUAL:
        return 1.0
    low, high = USUAL[ours]
    if low <= median <= high:
        return 1.0
    if low < 0 or median <= 0:
        return float("inf")
    return max(low / median, median / high)


def contradiction(ours: str, unit: Unit, values: pl.Series) -> Fault | None:
    """The question to ask where a column's magnitude contradicts its unit; None where it does not.

    `values`: the column as read, still in `unit`, its name the heading. The median of its positive
    values (of signals: of all but zero) lies in USUAL, or the question names the units that would
    bring it there, and last the line that confirms `unit`. Do not ask where the settings state it.
    """
    if ours not in USUAL:
        return None
    known = values.drop_nulls().cast(pl.Float64)
    known = known.filter(known != 0 if ours == "signal_dbm" else known > 0)
    if not len(known):
        return None
    median = float(known.median() or 0.0)  # type: ignore[arg-type]
    allowed = WIDER if len(known) < FEW else 1.0
    if usual_distance(ours, median * unit.factor + unit.offset) <= allowed:
        return None
    fitting = [
        other.name
        for other in _NAMES[KINDS[ours]].values()
        if other != unit
        and "i" not in other.name.replace("bit", "")
        and usual_distance(ours, median * other.factor + other.offset) == 1
    ]
    lines = tuple(settings_line(ours, values.name, unit=name) for name in (*fitting, unit.name))
    low, high = USUAL[ours]
    return Fault(
        "magnitude_contradicts",
        column=values.name,
        values={
            "found": joined(median, " ", unit.name, " (", len(known), ")", by=""),
            "expected": joined(low, "–", high, " ", _default(ours).name, by=""),
            "lines": lines,
        },
    )
