"""Columns that say that NR (5G) carried a test whose technology is named LTE.

Most phones report 5G non-standalone as LTE. What a known heading with known values says is sure;
numbers that only a phone near NR has, and values that are not known, are proposed.
Does not belong here: names of technologies (`cells/technologies.py`), reading rows (`table.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from pipeline.schema.texts import Said, joined, said
from pipeline.sources.cells.operators import is_no_service
from pipeline.sources.cells.spellings import is_missing, name_key, spaced_key
from pipeline.sources.cells.technologies import MIXED, technology_of
from pipeline.sources.formats.declaration import Condition
from pipeline.sources.formats.ispeed import bare
from pipeline.sources.formats.keep import FALSE, TRUE, Proposal
from pipeline.sources.values import folded

Kind = Literal["state", "icon", "override", "endc", "band"]
_SHOWN = 5  # values that a warning or question names

# Headings without accents, case, spaces and marks
_KINDS: dict[Kind, tuple[str, ...]] = {
    "state": (
        "nrstate", "datanrstate", "nrstatus", "nrconnectionstate", "nrconnectionstatus", "5gstate",
        "5gstatus", "5gconnectionstate", "5gconnectionstatus", "trangthai5g", "trangthainr",
        "trangthaimang5g", "trangthaiketnoi5g", "tinhtrang5g",
    ),
    "icon": (
        "icon", "networkicon", "networktypeicon", "datanetworkicon", "displaynetworktype",
        "networkdisplaytype", "bieutuong", "bieutuongmang", "iconmang",
    ),
    "override": (
        "overridenetworktype", "networktypeoverride", "networkoverride", "overridetype",
        "displayoverridenetworktype",
    ),
    "endc": (
        "endc", "isendc", "endcactive", "isendcactive", "endcinuse", "endcconnected", "nsa",
        "isnsa", "nsaactive", "isnsaactive", "5gnsa", "is5gnsa", "nrnsa", "isnrnsa", "la5gnsa",
    ),
    "band": (
        "band", "bandname", "servingband", "cellband", "networkband", "radioband", "frequencyband",
        "nrband", "5gband", "bangtan", "bangtannr", "bangtan5g",
    ),
}  # fmt: skip
_KIND_OF = {heading: kind for kind, headings in _KINDS.items() for heading in headings}
_ANDROID_STATE = frozenset(["nrstate", "datanrstate"])  # its numbers are Android's
# Of these columns only values that look like NR are asked about: they hold much else
_LOOSE = frozenset(["icon", "bieutuong", *_KINDS["band"]])
_LOOKS_LIKE_NR = re.compile(r"5g|nr|(?<![a-z])n\d|(?<!\d)(?:7[789]|25[789]|26[0-2]|3[3-9]00)(?!\d)")
# Whether true means 5G in use, or a phone or cell that could: only the file's maker knows
_FLAGS = frozenset(["is5g", "5g", "on5g", "using5g", "5gactive", "5gconnected", "co5g", "dung5g"])

# Android: ServiceState.NR_STATE_*, TelephonyDisplayInfo.OVERRIDE_NETWORK_TYPE_*
_STATE_NUMBERS = {-1: False, 0: False, 1: False, 2: False, 3: True}
_OVERRIDE_NUMBERS = {0: False, 1: False, 2: False, 3: True, 4: True, 5: True}
_CONNECTED = frozenset(["connected", "nrconnected", "daketnoi", "dangketnoi", "coketnoi"])
_NOT_CONNECTED = frozenset(
    ["none", "restricted", "notrestricted", "disconnected", "notconnected", "unknown", "no",
     "khong", "khongco", "khongketnoi", "chuaketnoi", "matketnoi", "bihanche", "khongbihanche"]
)  # fmt: skip
_NUMBER = re.compile(r"-?\d{1,3}(?:\.0+)?")
_NR_BAND = re.compile(r"n\d{1,3}[a-z]?")
# Numbers of NR bands that LTE has not, and MHz that in most countries only NR has
_LIKELY_NR_BAND = re.compile(r"b?(?:7[789]|25[789]|26[0-2])|3[3-9]00")
_NOT_NR_BAND = re.compile(r"[blugw]?\d{1,4}[a-z]?|mhz|dc|ca|band|lte|fdd|tdd|eutra|\+")

_ANDROID_NONE = 2_147_483_647  # CellInfo.UNAVAILABLE
# What only a phone that receives NR can measure: inclusive bounds of its values. Others, such as
# Android's for nothing, count as empty; so does a 0 of a number. SS-RSRP: 3GPP TS 38.133; ARFCN
# and bands: TS 38.104 and 38.101; cell ids: TS 38.211.
_MEASURED = {
    **dict.fromkeys(("nrrsrp", "rsrpnr", "ssrsrp", "nrssrsrp", "5grsrp"), (-156.0, -31.0)),
    **dict.fromkeys(("nrarfcn", "arfcnnr", "5garfcn"), (1.0, 3_279_165.0)),
    **dict.fromkeys(("nrpci", "pcinr", "5gpci"), (1.0, 1007.0)),
    **dict.fromkeys(("nrband", "5gband", "bangtannr", "bangtan5g"), (1.0, 512.0)),
}
_BANDWIDTH = re.compile(
    r"(?:(?:channel|ch|cell|carrier) )?(?:bandwidth|bw)|bang thong kenh|do rong kenh"
)
_PER_MHZ = {"mhz": 1.0, "khz": 1e3, "hz": 1e6}
_WIDEST_LTE_MHZ = 20.0  # of one carrier; 3GPP TS 36.104
_WIDEST_NR_MHZ = 400.0
_NARROW_MHZ = (1.4, 3.0)  # the channels that are no multiple of 5 MHz


@dataclass(frozen=True)
class Sign:
    """A column of a known kind; its values are read by that kind, also ones the sample lacked."""

    kind: Kind

    def holds(self, cells: pl.Series) -> pl.Series:
        """Which cells say that NR carried the test, boolean without nulls.

        >>> Sign("band").holds(pl.Series(["n78", "B3", "3", None])).to_list()
        [True, False, False, False]
        """
        texts = cells.cast(pl.String)
        met = texts.unique().drop_nulls()
        wanted = [text for text in met.to_list() if reading(self.kind, text)]
        return texts.is_in(wanted).fill_null(value=False)


@dataclass
class NrColumns:
    """How the columns of a table say that NR carried a test.

    `sure`: heading → how it is read. `proposals`: lines for `[sources.NAME.nr]`.
    """

    sure: dict[str, Sign] = field(default_factory=dict)
    proposals: list[Proposal] = field(default_factory=list)


def reading(kind: Kind, text: str) -> bool | None:
    """Whether a value says that NR carried the test; None where it is not known.

    >>> reading("state", "CONNECTED"), reading("state", "NOT_RESTRICTED"), reading("state", "7")
    (True, False, None)
    """
    key = name_key(text)
    number = int(float(key)) if _NUMBER.fullmatch(key) else None
    if number is None and is_missing(text):
        return False
    if kind == "band":
        return _of_band(spaced_key(text))
    if kind == "state":
        return _STATE_NUMBERS.get(number) if number is not None else _of_state(text)
    if kind == "endc":
        return _of_flag(text, number)
    if number is not None:
        return _OVERRIDE_NUMBERS.get(number) if kind == "override" else None
    return _of_icon(text)


def _of_state(text: str) -> bool | None:
    key = folded(spaced_key(text)).replace(" ", "").removeprefix("nrstate")
    if key in _CONNECTED:
        return True
    is_other = technology_of(text) in ("2G", "3G", "4G", "wifi") or is_no_service(text)
    return False if key in _NOT_CONNECTED or is_other else None


def _of_flag(text: str, number: int | None) -> bool | None:
    if number is not None:  # -1 may be "true" or "not known"
        return {0: False, 1: True}.get(number)
    key = folded(spaced_key(text))
    return True if key in TRUE else False if key in FALSE else None


def _of_icon(text: str) -> bool | None:
    key = spaced_key(text).removeprefix("override_network_type_")
    if is_missing(key) or is_no_service(key):
        return False
    read = technology_of(key)
    return None if read in (None, MIXED) else read == "5G"


def _of_band(text: str) -> bool | None:
    """`n78`, `B3+n78`, `DC_3A_n78A` name an NR band; `B3`, `3`, `1800 MHz`, `L1800` do not."""
    parts = [part for part in re.split(r"[^a-z0-9.]+", text) if part]
    if any(_NR_BAND.fullmatch(part) or technology_of(part) == "5G" for part in parts):
        return True
    if any(_LIKELY_NR_BAND.fullmatch(part) for part in parts):
        return None
    if all(_NOT_NR_BAND.fullmatch(part) for part in parts):
        return False
    return None if _LOOKS_LIKE_NR.search(text) else False


def is_of_nr(heading: str) -> bool:
    """Whether a heading is of a column that says something of NR, not of which rows are tests.

    An icon may say both (`WiFi`).

    >>> is_of_nr("NR state"), is_of_nr("network_icon"), is_of_nr("endc_available")
    (True, False, False)
    """
    keys = _keys(heading)
    kind = _kind(heading)
    return (kind is not None and kind != "icon") or bool(keys & {*_MEASURED, *_FLAGS})


def nr_columns(frame: pl.DataFrame, is_4g: pl.Series) -> NrColumns:
    """What the columns say of NR.

    `frame`: a sample of the columns that no column of ours is read from, under the file's headings.
    `is_4g`: which of its rows are named 4G; only their values can be asked about. A heading that
    says what a phone or cell could use (`endc_available`) is none of these.

    >>> found = nr_columns(pl.DataFrame({"nr_state": ["NONE", "CONNECTED"]}), pl.Series([True] * 2))
    >>> found.sure, found.proposals
    ({'nr_state': Sign(kind='state')}, [])
    """
    result = NrColumns()
    for heading in frame.columns:
        cells = frame[heading]
        if not _is_known(heading) or cells.dtype.is_temporal() or cells.dtype.is_nested():
            continue
        counts = value_counts(cells.filter(is_4g))
        proposal = _of_numbers(heading, counts, int(is_4g.sum())) or _of_open_flag(heading, counts)
        kind = _kind(heading)
        if proposal is None and kind is not None:
            proposal = _of_kind(heading, kind, counts)
            if proposal is None:
                result.sure[heading] = Sign(kind)
        if proposal is not None:
            result.proposals.append(proposal)
    return result


def value_counts(cells: pl.Series) -> dict[str, int]:
    """Cells by value, the most frequent first; without words for nothing."""
    counts = cells.cast(pl.String).alias("value").drop_nulls().value_counts()
    ordered = counts.sort("count", "value", descending=[True, False]).iter_rows()
    return {str(value): int(count) for value, count in ordered if not is_missing(str(value))}


def shown(counts: Mapping[str, int], values: Iterable[str]) -> Said:
    """The first of some values with their counts: `CONNECTED 30, 3 2`."""
    named = list(values)
    parts: list[object] = [joined(value, counts[value], by=" ") for value in named[:_SHOWN]]
    return joined(*parts, *(["…"] if len(named) > _SHOWN else []), by=", ")


def _keys(heading: str) -> set[str]:
    """The heading, and the lower of two levels (`Vô tuyến / Băng tần`), as they are compared."""
    return {bare(one).replace(" ", "") for one in (heading, heading.rpartition(" / ")[2])}


def _kind(heading: str) -> Kind | None:
    return next((_KIND_OF[key] for key in sorted(_keys(heading)) if key in _KIND_OF), None)


def _is_known(heading: str) -> bool:
    return _kind(heading) is not None or is_of_nr(heading) or _width_unit(heading) is not None


def _of_kind(heading: str, kind: Kind, counts: Mapping[str, int]) -> Proposal | None:
    """The question about values that are not known; None where all are."""
    met = {value: reading(kind, value) for value in counts}
    keys = _keys(heading)
    is_loose = bool(keys & _LOOSE)
    unknown = [
        value
        for value, read in met.items()
        if read is None and not (is_loose and not _LOOKS_LIKE_NR.search(spaced_key(value)))
    ]
    if kind == "state" and not keys & _ANDROID_STATE:
        numbers = {name_key(one).removesuffix(".0"): one for one in met}
        if "1" in numbers and not {"2", "3"} & set(numbers):  # a flag, or Android's "restricted"
            unknown.append(numbers["1"])
    if not unknown:
        return None
    sure = tuple(value for value, read in met.items() if read and value not in unknown)
    asked = Condition(one_of=tuple(unknown[:_SHOWN]))
    evidence = shown(counts, [*unknown, *sure])
    return Proposal(heading, asked, evidence, "nr", is_open=True, beside=sure)


def _of_open_flag(heading: str, counts: Mapping[str, int]) -> Proposal | None:
    """The question about `is_5g`: 5G in use, or a phone that could use it."""
    read = {value: reading("endc", value) for value in counts}
    yes = tuple(value for value, one in read.items() if one)
    if not _keys(heading) & _FLAGS or not yes or None in read.values():
        return None
    return Proposal(heading, Condition(one_of=yes), shown(counts, counts), "nr")


def _of_numbers(heading: str, counts: Mapping[str, int], row_count: int) -> Proposal | None:
    """The question about numbers of NR's own, or about channels wider than LTE's.

    `row_count`: rows named 4G.
    """
    numbers = {text: _number(text) for text in counts}
    if any(number is None for number in numbers.values()):
        return None
    known = {text: number for text, number in numbers.items() if number is not None}
    bounds = next((_MEASURED[key] for key in sorted(_keys(heading)) if key in _MEASURED), None)
    condition = Condition(low=bounds[0], high=bounds[1]) if bounds else _wide(heading, known)
    if condition is None:
        return None
    low = condition.low if condition.low is not None else float("-inf")
    high = condition.high if condition.high is not None else float("inf")
    wanted = [text for text, number in known.items() if low <= number <= high]
    if not wanted:
        return None
    wanted.sort(key=known.__getitem__)
    found = joined(*dict.fromkeys((wanted[0], wanted[-1])), by=" – ")
    count = sum(counts[text] for text in wanted)
    evidence = said("cells", count=count, of=row_count, found=found)
    return Proposal(heading, condition, evidence, "nr")


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _wide(heading: str, numbers: Mapping[str, float]) -> Condition | None:
    """Channels wider than 20 MHz, in the column's unit; None where they are no channels at all.

    A throughput under the same heading has other values than 5, 10, 15 …
    """
    unit = _width_unit(heading)
    widths = [number for number in numbers.values() if 0 < number < _ANDROID_NONE]
    if not widths or unit is None:
        return None
    widest = max(widths)
    per_mhz = _PER_MHZ[unit or ("hz" if widest >= 1e6 else "khz" if widest >= 1e3 else "mhz")]
    in_mhz = [width / per_mhz for width in widths]
    are_channels = all(
        one <= _WIDEST_NR_MHZ and (one in _NARROW_MHZ or one % 5 == 0) for one in in_mhz
    )
    least = (_WIDEST_LTE_MHZ + 1) * per_mhz  # the next wider channels are 25 MHz
    is_wide = are_channels and widest >= least
    return Condition(low=least, high=_WIDEST_NR_MHZ * per_mhz) if is_wide else None


def _width_unit(heading: str) -> str | None:
    """The unit that a heading of channel bandwidths states, `""` without one; None: another."""
    words = folded(heading.rpartition(" / ")[2]).split()
    unit = words.pop() if words and words[-1] in _PER_MHZ else ""
    return unit if _BANDWIDTH.fullmatch(" ".join(words)) else None
