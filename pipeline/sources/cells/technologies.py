"""Names and numbers of radio technologies → 2G, 3G, 4G, 5G, wifi.

EN-DC (LTE anchor with NR) counts as 5G (NSA). A test during which the phone changed its technology
is not of one technology. Does not belong here: a column of them as a whole (`names.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.sources.cells.spellings import name_key, spaced_key
from pipeline.sources.values import folded

TECHNOLOGIES = ("2G", "3G", "4G", "5G", "wifi")
MIXED = "mixed"  # more than one technology in one test
MOBILE = "mobile"  # some mobile network; which generation is not said

# Android's TelephonyManager.NETWORK_TYPE_*; 0 is unknown
ANDROID = {
    1: "2G", 2: "2G", 3: "3G", 4: "2G", 5: "3G", 6: "3G", 7: "2G", 8: "3G", 9: "3G", 10: "3G",
    11: "2G", 12: "3G", 13: "4G", 14: "3G", 15: "3G", 16: "2G", 17: "3G", 18: "wifi", 19: "4G",
    20: "5G",
}  # fmt: skip
GENERATIONS = {2: "2G", 3: "3G", 4: "4G", 5: "5G"}

_WORDS = {
    "2G": "2g 2.5g 2.75g gsm gprs egprs edge cdma cdma1x cdma2000 1xrtt 1x iden e g",
    "3G": "3g 3.5g 3.75g 3g+ umts wcdma w-cdma hspa hspa+ hspap hspaplus dc-hspa dc-hspa+ dchspa "
    "dchspa+ hsdpa hsupa hsdpa+ dc-hsdpa dchsdpa td-scdma tdscdma td_scdma evdo ev-do ehrpd utra "
    "utran h h+ cdmaevdorev0 cdmaevdoreva cdmaevdorevb",
    "4G": "4g 4g+ 4.5g 4.5g+ 4.9g 4gx lte lte+ lte-a lte_a ltea lte-ca lte_ca lteca lte-pro ltepro "
    "e-utra e-utran eutra eutran volte vowlte-lte td-lte tdlte tdd-lte fdd-lte fddlte lte-fdd "
    "lte-tdd ltem lte-m 5ge ltenravail",  # RTR-NetTest's `LTE NR avail`: LTE that might use NR
    "wifi": "wifi wi-fi wlan iwlan ethernet lan fttx ftth fixed wireless wired adsl vdsl dsl cable "
    "fibre fiber broadband",
}


def _listed(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


# EN-DC and NSA name both radios: LTE beside them says nothing new
_NR_WORDS = _listed(
    "nr nrnsa nr-nsa nr_nsa nrsa nr-sa 5gnr nr5g nsa 5gnsa 5g-nsa 5g_nsa endc en-dc en_dc nr-dc",
    "nrdc ng-ran ngran",
)
_PLAIN_5G = _listed("5g 5g+ 5ga 5g-a 5gsa 5g-sa 5g_sa 5guw 5guc")
_FILLERS = _listed(
    "mang network net technology type mode only radio mobile cellular di dong data fdd tdd td sa",
    "advanced adv pro plus a ca mimo mmwave uw uc preferred connected registered rat access",
)
_NAMES = {word: ours for ours, words in _WORDS.items() for word in words.split()}
_MOBILE = _listed(
    "mobile cellular cell wwan mobiledata cellulardata didong mangdidong dulieudidong"
)
_PREFIX = re.compile(
    r"^(?:(?:override_)?network_type_|networktype|ctradioaccesstechnology|radio_tech(?:nology)?_|rat_)"
)
_SWITCH = re.compile(r"->|=>|→|⇒|>|\bto\b|\bsang\b")
_SEPARATORS = re.compile(r"[\s/|,;:()\[\]&]+")
_GENERATION_OF_WIFI = re.compile(r"wi-?fi ?[4567]e?\b|wi-?fi 5 ?ghz")
_CATEGORY = re.compile(r"\bcat(?:egory)?[-. ]?\d+")
_DETAIL = re.compile(r"[bn]\d{1,3}|\d{3,4}|\d+(?:\.\d+)?m?hz|[2-8]x[2-8]|rel-?\d+")
_NUMBER = re.compile(r"\d{1,2}(?:\.0+)?")


def technology_of(text: str) -> str | None:
    """The technology that a name means; `MIXED`, `MOBILE`, or None where it is not understood.

    >>> [technology_of(t) for t in ("LTE Advanced Pro", "4G (LTE)", "NETWORK_TYPE_LTE", "E-UTRAN")]
    ['4G', '4G', '4G', '4G']
    >>> [technology_of(t) for t in ("EN-DC", "LTE/NR", "5G (NSA)", "HSPA+", "2G/4G", "Wi-Fi", "6G")]
    ['5G', '5G', '5G', '3G', 'mixed', 'wifi', None]
    """
    text = _GENERATION_OF_WIFI.sub("wifi", spaced_key(text))
    text = _CATEGORY.sub(" ", _PREFIX.sub("", text)).strip()
    if name_key(folded(text)) in _MOBILE:
        return MOBILE
    is_switch = _SWITCH.search(text) is not None
    # a whole name first: `DC-HSPA+`, `TD-LTE`
    if (whole := _of_word(name_key(text))) is not None:
        return whole[0]
    found: set[tuple[str, bool]] = set()
    for word in _SEPARATORS.split(_SWITCH.sub(" ", text)):
        readings = _of_words(word)
        if readings is None:
            return None
        found |= readings
    return _one_of(found, is_switch=is_switch)


def _one_of(found: set[tuple[str, bool]], *, is_switch: bool) -> str | None:
    """The one technology of all that a text names: (technology, whether it is NR beside LTE)."""
    names = {ours for ours, _ in found}
    is_dual = names == {"4G", "5G"} and ("5G", True) in found
    if is_dual and not is_switch:
        return "5G"
    if len(names) > 1:
        return MIXED
    return names.pop() if names else None


def _of_word(word: str) -> tuple[str, bool] | None:
    if word in _NAMES:
        return _NAMES[word], False
    if word in _NR_WORDS:
        return "5G", True
    return ("5G", False) if word in _PLAIN_5G else None


def _of_words(word: str) -> set[tuple[str, bool]] | None:
    """What a word without blanks names, else its parts at `-`, `_` and `+`.

    None: not understood.
    """
    word = word.strip(".-_")
    if word in ("", "+"):
        return set()
    if (known := _of_word(word)) is not None:
        return {known}
    if folded(word) in _FILLERS or _DETAIL.fullmatch(word):
        return set()
    parts = [part for part in re.split(r"[-_+]", word) if part]
    if len(parts) < 2:
        return None
    found: set[tuple[str, bool]] = set()
    for part in parts:
        readings = _of_words(part)
        if readings is None:
            return None
        found |= readings
    return found


def numbered(texts: Iterable[str]) -> tuple[dict[str, str], str]:
    """(technologies of the texts that are numbers, how the numbers were read).

    Numbers are Android's where one of them is no generation (13 = LTE, 20 = NR …); where all are 2
    to 5 they are generations: a file of Android's numbers has 13.

    >>> numbered(["13", "20", "3"])[0], numbered(["3", "4"])[0]
    ({'13': '4G', '20': '5G', '3': '3G'}, {'3': '3G', '4': '4G'})
    """
    numbers = {text: int(float(key)) for text in texts if _NUMBER.fullmatch(key := name_key(text))}
    is_generation = set(numbers.values()) <= set(GENERATIONS)
    known, how = (GENERATIONS, "generations") if is_generation else (ANDROID, "android")
    return {text: known[n] for text, n in numbers.items() if n in known}, how if numbers else ""
