"""i-Speed / speedtest.vn exports: headings are met by Vietnamese and English aliases.

No public export format exists. The first real file needs a few lines of settings at most:
`guesses` gives those lines for headings that are not known. Does not belong here: reading values
(`table.py` does, once the headings have their meaning).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.sources.formats.declaration import Format
from pipeline.sources.rules import OPTIONAL, REQUIRED, Rule
from pipeline.sources.values import folded, unit_in

FORMAT = Format(
    "ispeed",
    "i-Speed, speedtest.vn and other exports",
    has_aliases=True,
    notes=(
        "No public export format exists: Vietnamese and English headings are met by aliases.",
        "Units stand in the heading, in a row below it, in the cells or in the settings.",
    ),
    documentation="https://i-speed.vn",
)

# What may mean a phone's model (`device`, `thiết bị`) or a row's number (`id`) is not among them:
# one device is one vote. In folded form (no accents, no case, no punctuation); units in headings
# are dropped before comparing.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "test_id": (
        "test id", "testid", "ma phep do", "ma do", "ma mau", "id phep do", "uuid",
        "open test uuid", "ma ket qua",
    ),
    "measured_at": (
        "measured at", "thoi gian", "thoi gian do", "thoi diem", "thoi diem do", "ngay gio",
        "ngay do", "ngay gio do", "time", "timestamp", "datetime", "date time", "test time",
        "test date", "created at", "time utc", "start time",
    ),
    "latitude": ("latitude", "lat", "vi do", "vido", "toa do vi do", "y"),
    "longitude": ("longitude", "lon", "long", "lng", "kinh do", "kinhdo", "toa do kinh do", "x"),
    "location_accuracy_m": (
        "location accuracy", "accuracy", "do chinh xac", "do chinh xac vi tri", "sai so vi tri",
        "sai so", "gps accuracy", "loc accuracy", "horizontal accuracy",
    ),
    "operator": (
        "operator", "nha mang", "mang", "doanh nghiep", "nha cung cap", "nha cung cap dich vu",
        "isp", "carrier", "provider", "operatorname", "operator name", "network operator",
        "network name", "ten nha mang", "mang di dong",
    ),
    "technology": (
        "technology", "cong nghe", "loai mang", "cong nghe mang", "cong nghe truy nhap",
        "loai ket noi", "network type", "networktech", "network tech", "connection type",
        "connection", "rat", "cat technology", "loai hinh ket noi",
    ),
    "download_mbps": (
        "download", "toc do tai xuong", "tai xuong", "toc do tai ve", "tai ve", "toc do download",
        "download speed", "dl", "downlink", "testdownlink", "dl bitrate", "download throughput",
        "bang thong tai xuong", "toc do tai xuong trung binh",
    ),
    "upload_mbps": (
        "upload", "toc do tai len", "tai len", "toc do upload", "upload speed", "ul", "uplink",
        "testuplink", "ul bitrate", "upload throughput", "bang thong tai len",
    ),
    "latency_ms": (
        "latency", "do tre", "ping", "rtt", "thoi gian tre", "tre", "do tre ping", "pingavg",
    ),
    "jitter_ms": (
        "jitter", "do bien dong tre", "bien dong tre", "do rung pha", "bien thien do tre",
    ),
    "signal_dbm": (
        "signal", "rsrp", "muc tin hieu", "cuong do tin hieu", "signal strength", "level",
        "lte rsrp", "muc thu",
    ),
    "device_id": (
        "device id", "deviceid", "ma thiet bi", "id thiet bi", "installation id", "open uuid",
        "imei hash",
    ),
}  # fmt: skip
# Columns that their programs always write in kbit/s, whatever the heading says.
_UNITS = {
    "testdownlink": "kbit/s",
    "testuplink": "kbit/s",
    "dl bitrate": "kbit/s",
    "ul bitrate": "kbit/s",
}
_UNIT_WORDS = frozenset(
    f"{prefix}{unit}"
    for prefix in ("", "k", "m", "g")
    for unit in ("b", "bps", "bit", "bits", "byte", "bytes")
) | {"s", "sec", "giay", "ms", "m", "km", "dbm", "gps", "wgs84", "wgs", "84"}


def bare(heading: str) -> str:
    """A heading in the form in which aliases are compared: no accents, case, marks and units."""
    words = folded(heading).split()
    while len(words) > 1 and words[-1] in _UNIT_WORDS:
        words.pop()
    return " ".join(words)


def _lower_levels(headings: Sequence[str]) -> dict[str, str]:
    """The lower of two levels of headings, where only one column has it: `Vị trí / Vĩ độ`.

    `Độ trễ / Tải xuống` is a latency: an upper level that is itself one of our columns decides.
    """
    known = {bare(alias) for aliases in ALIASES.values() for alias in aliases}
    split = [(heading, heading.rpartition(" / ")) for heading in headings]
    pairs = [(heading, bare(upper), bare(lower)) for heading, (upper, _, lower) in split if upper]
    met = Counter(lower for _, _, lower in pairs)
    return {
        lower: heading for heading, upper, lower in pairs if met[lower] == 1 and upper not in known
    }


def understands(headings: Sequence[str]) -> bool:
    """Whether the aliases find every column that a test must have."""
    found = column_map(headings, {})
    return all(ours in found for ours in REQUIRED)


def column_map(headings: Sequence[str], given: Mapping[str, Rule]) -> dict[str, Rule]:
    """Our columns → the headings that mean them.

    The settings' rules come first, then aliases, the more usual alias first.

    >>> column_map(["Thời gian đo", "Tốc độ tải xuống (Mbps)"], {})["download_mbps"].column
    'Tốc độ tải xuống (Mbps)'
    """
    rules = dict(given)
    taken = {rule.column for rule in given.values()}
    left = [heading for heading in headings if heading not in taken]
    free = _lower_levels(left) | {bare(heading): heading for heading in reversed(left)}
    for ours in (*REQUIRED, *OPTIONAL):
        if ours in rules:
            continue
        for alias in (folded(ours), *ALIASES[ours]):
            key = bare(alias)
            if key in free:
                heading = free.pop(key)
                unit = None if unit_in(ours, heading) else _UNITS.get(key)
                rules[ours] = Rule(column=heading, unit=unit)
                break
    return rules
