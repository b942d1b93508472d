"""The rows of a plan as places to go to, and what its files say of themselves.

Does not belong here: how a file looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from pipeline.schema import texts
from pipeline.schema.periods import Period
from pipeline.sources.values import printable

# the key of a visit, in the order of the sheets
PLACE = ["commune_code", "trip", "visit_order", "is_replacement", "village_name"]
STATES = ("test", "decided", "near_target", "out_of_devices")


class PlanAbout(Protocol):
    """What the files of a plan state: `period` of the evidence, area, language, notice."""

    @property
    def period(self) -> Period:
        """The period that the evidence is of; the tests are for the month after it."""

    @property
    def area(self) -> str:
        """The province's name."""

    @property
    def lang(self) -> texts.Lang:
        """The language of the files."""

    @property
    def notice(self) -> str:
        """What stands on every output, such as that data are invented."""


def phrase(key: str, lang: texts.Lang, **values: object) -> str:
    """A text of the sheets with its placeholders filled."""
    return texts.text("field_sheets", key, lang, **values)


def month_of(about: PlanAbout) -> Period:
    """The month that the plan is for: the one after the evidence."""
    return Period(about.period.last + 1, 1)


def months_line(about: PlanAbout) -> str:
    """The months of the plan and of its evidence, as a subtitle."""
    month, period = month_of(about).label(), about.period.label()
    return phrase("months", about.lang, month=month, period=period)


@dataclass(frozen=True)
class Stop:
    """A visit of a place. `needs`: phones by operator; `windows`: hours of the day by operator.

    `label`: its number in the trip, as maps and tables write it; a replacement's ends with `*`.
    Latitude, longitude (degrees WGS 84) and people are NaN where they are not known.
    """

    commune_code: str
    commune_name: str
    village_name: str
    latitude: float
    longitude: float
    people: float
    trip: int
    label: str
    is_replacement: bool
    needs: Mapping[str, int]
    windows: Mapping[str, str]

    @property
    def is_placed(self) -> bool:
        """Whether its position is known."""
        return not (pd.isna(self.latitude) or pd.isna(self.longitude))


def stops_of(plan: pd.DataFrame) -> list[Stop]:
    """The places of a plan by commune, trip and order; a replacement behind its main place.

    In a commune of several trips the trip stands in the label, `2-5`.
    """
    named = plan["village_name"].map(lambda name: name if isinstance(name, str) else "")
    trip_count = plan.groupby("commune_code")["trip"].nunique()
    rows = plan.assign(village_name=named, is_replacement=plan["visit_role"] != "main")
    rows = rows.sort_values([*PLACE, "operator"])
    found = []
    for _, place in rows.groupby(PLACE, sort=True):
        is_numbered = trip_count[place["commune_code"].iloc[0]] > 1
        found.append(_stop(place, is_numbered=is_numbered))
    return found


def _stop(place: pd.DataFrame, *, is_numbered: bool) -> Stop:
    """The place of some rows, one per operator. `is_numbered`: the label has the trip too."""
    first = place.to_dict("records")[0]
    trip, order = int(first["trip"]), int(first["visit_order"])
    label = f"{trip}-{order}" if is_numbered else f"{order}"
    operators = place["operator"].map(printable).tolist()
    windows = [text if isinstance(text, str) else "" for text in place["time_windows"]]
    return Stop(
        commune_code=str(first["commune_code"]),
        commune_name=printable(str(first["commune_name"])),
        village_name=printable(first["village_name"]),
        latitude=float(first["place_latitude"]),
        longitude=float(first["place_longitude"]),
        people=float(first["people"]),
        trip=trip,
        label=f"{label}*" if first["is_replacement"] else label,
        is_replacement=bool(first["is_replacement"]),
        needs=dict(zip(operators, place["devices_wanted"].astype(int).tolist(), strict=True)),
        windows=dict(zip(operators, windows, strict=True)),
    )


def hours(windows: str, lang: texts.Lang) -> str:
    """`07-09;17-21` as people write it: `7–9 h, 17–21 h`.

    >>> hours("07-09;17-21", "vi"), hours("", "en")
    ('7–9 giờ, 17–21 giờ', '')
    """
    shown = []
    for one in filter(None, (part.strip() for part in windows.split(";"))):
        span = "–".join(part.lstrip("0") or "0" for part in one.split("-"))
        shown.append(phrase("hours", lang, span=span))
    return ", ".join(shown)


def name_of(stop: Stop, lang: texts.Lang) -> str:
    """The village's name; of a place without one, what it is."""
    return stop.village_name or phrase("unnamed" if stop.is_placed else "unplaced", lang)


def position_of(stop: Stop) -> str:
    """Latitude and longitude as maps on phones take them; empty where they are not known."""
    return f"{stop.latitude:.5f}, {stop.longitude:.5f}" if stop.is_placed else ""


def operators_in(tables: Iterable[pd.DataFrame]) -> list[str]:
    """All operators of the tables, in order."""
    return sorted({name for table in tables for name in table["operator"].dropna()})


def shortened(names: Sequence[str], most: int, lang: texts.Lang) -> str:
    """A list of names, of which only the first `most` are written."""
    rest = len(names) - most
    more = [phrase("and_more", lang, count=rest)] if rest > 0 else []
    return ", ".join([*names[:most], *more])
