"""Findings that make the figures of a period doubtful: `run` stops until the settings accept them.

An empty or absurd result must not replace a good one. Each finding is by source, with its counts,
and the line that lets it pass. Does not belong here: faults of files (`sources/`), warnings about
verdicts (`verdicts/result_tables.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from pipeline.measurements.prepare import SPEED_CLASSES
from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.periods import Period
from pipeline.schema.texts import Said, worded
from pipeline.sources.formats.declaration import quoted
from pipeline.sources.overlap import Overlap

FEWEST_ROWS = 100  # of a source, before shares of its rows are looked at
MOST_REJECTS = 0.2  # share of the rows that may go to one reason
PLAUSIBLE_MBPS = (0.5, 300.0)  # of the median of sound tests of 4G
MOST_OF_FILE = 0.5  # share of a file's rows that may go to one reason, beside other files
LARGEST_DEVICE = 0.4  # share of the rows with a device id that one id may have
FEWEST_SHARED = 10  # tests that two sources share by chance in one minute, place and Mbit/s
MOST_SHARED = 0.2  # share of a source's tests that may stand in another one
THIN_MONTH = 0.01  # share of a year's rows
# reasons that say what a row is, not that reading it may have gone wrong
UNDERSTOOD = ("outside_window", "other_technology", "not_kept", "coverage_only", "no_service")
PLACES = ("bad_position", "outside_area")


class Copies(NamedTuple):
    """Rows that repeat another. Fences of coverage runs are no tests, and no alarm."""

    tests: int = 0  # of their own file: files may overlap, and an overlap is no alarm
    fences: int = 0  # of any file


def alarms(
    rejects: pd.DataFrame,
    books: pd.DataFrame,
    copies: Mapping[str, Copies],
    speeds: Mapping[str, Counter[Any]],
    devices: pd.DataFrame,
) -> list[Fault]:
    """A fault for each finding; its `file` is the source.

    `rejects`: source, reject_reason. `books`, `copies`: by source. `speeds`: rows by source and
    `prepare.speed_class`. `devices`: source, rows of each device id.
    """
    return [
        *_of_rejects(rejects, books, copies),
        *_of_speeds(speeds),
        *_of_devices(devices),
        *nothing_valid(books),
    ]


def lost_files(rejects: pd.DataFrame, files: Mapping[tuple[str, str], int]) -> list[Fault]:
    """A finding for each file, of several in its source, whose rows mostly go to one reason.

    It may be in another unit or order than the others, which hide it. `rejects`: source,
    source_file, reject_reason. `files`: rows by source and file.
    """
    of_source = Counter(source for source, _ in files)
    several = rejects[
        rejects["source"].map(of_source).gt(1)
        & ~rejects["reject_reason"].isin([*UNDERSTOOD, "duplicate"])
    ]
    keys = ["source", "source_file", "reject_reason"]
    counts = several.groupby(keys, observed=True).size().rename("count").reset_index()
    return [
        _fault(
            source, "lost_file", name=name, reason=_why(reason), count=count, of=files[source, name]
        )
        for source, name, reason, count in counts.itertuples(index=False)
        if (source, name) in files
        and files[source, name] >= FEWEST_ROWS
        and count > MOST_OF_FILE * files[source, name]
    ]


def same_tests(pairs: Iterable[Overlap]) -> list[Fault]:
    """A finding for each source of which a fifth of the tests or more stand in a larger one too."""
    return [
        _fault(
            one.smaller, "same_tests", other=one.larger, count=one.shared, of=one.of,
            share=round(100 * one.shared / one.of),
        )
        for one in pairs
        if one.shared >= FEWEST_SHARED and one.shared >= MOST_SHARED * one.of
    ]  # fmt: skip


def thin_month(months: Counter[str], period: Period) -> list[Fault]:
    """A finding where hardly a row of the year that ends with the period lies in it."""
    year = sum(months[month] for month in period.window(12))
    count = sum(months[month] for month in period.months)
    if year < FEWEST_ROWS or count >= THIN_MONTH * year:
        return []
    return [_fault("", "thin_month", period=str(period), count=count, of=year)]


def passed(found: list[Fault], accepted: Mapping[str, tuple[str, ...]]) -> list[Fault]:
    """The findings that may pass, as warnings. Raises `UserFault` with those that may not.

    `accepted`: alarms by source that the settings accept; sources that it lacks, of tests that are
    in memory, accept all. A finding about no source in particular needs one that accepts it.
    """

    def may_pass(fault: Fault) -> bool:
        if not fault.file:
            return not accepted or any(fault.code in one for one in accepted.values())
        return fault.file not in accepted or fault.code in accepted[fault.file]

    if stopping := [fault for fault in found if not may_pass(fault)]:
        codes = {source: sorted({one.code for one in stopping if one.file == source})
                 for source in {one.file for one in stopping}}  # fmt: skip
        lines = {
            source: _line(sorted({*accepted.get(source, ()), *mine}))
            for source, mine in codes.items()
        }
        raise UserFault(
            replace(one, values={**one.values, "line": lines[one.file]}) for one in stopping
        )
    return found


def _line(accepted: list[str]) -> str:
    """The settings line that accepts findings: a source has one such line."""
    return f"accept = [{', '.join(quoted(one) for one in accepted)}]"


def _fault(source: str, alarm: str, **values: object) -> Fault:
    return Fault(alarm, source, values=values | {"line": _line([alarm])})


def _why(reason: str) -> Said:
    return worded(f"reject_{reason}")


def _of_rejects(
    rejects: pd.DataFrame, books: pd.DataFrame, copies: Mapping[str, Copies]
) -> Iterable[Fault]:
    for source, book in books.iterrows():
        reasons = rejects.loc[rejects["source"] == source, "reject_reason"]
        of_source = {str(reason): int(n) for reason, n in reasons.value_counts().items()}
        copied = copies.get(str(source), Copies())
        within = int(book["read_count"]) - sum(of_source.get(one, 0) for one in UNDERSTOOD)
        within -= copied.fences  # the first of each is one of UNDERSTOOD
        if within < FEWEST_ROWS:
            continue
        of_source["duplicate"] = copied.tests
        astray = sum(of_source.pop(reason, 0) for reason in PLACES)
        if astray > MOST_REJECTS * within:
            share = round(100 * astray / within)
            yield _fault(str(source), "mostly_outside", count=astray, of=within, share=share)
        for reason, count in of_source.items():
            if reason not in UNDERSTOOD and count > MOST_REJECTS * within:
                alarm = "many_duplicates" if reason == "duplicate" else "many_rejects"
                share, why = round(100 * count / within), _why(reason)
                yield _fault(str(source), alarm, reason=why, count=count, of=within, share=share)


def _of_speeds(speeds: Mapping[str, Counter[Any]]) -> Iterable[Fault]:
    for source, classes in speeds.items():
        if classes.total() >= FEWEST_ROWS:
            median = median_mbps(classes)
            low, high = PLAUSIBLE_MBPS
            if not low <= median <= high:
                found = float(f"{median:.2g}")
                yield _fault(source, "odd_speeds", found=found, low=low, high=high)


def median_mbps(classes: Counter[Any]) -> float:
    """The median of speeds by class, Mbit/s, to the width of a class; NaN of none."""
    below, half = 0, classes.total() / 2
    for number, count in sorted(classes.items()):
        below += count
        if below >= half:
            return float(10 ** (number / SPEED_CLASSES) / 1e6)
    return float("nan")


def _of_devices(devices: pd.DataFrame) -> Iterable[Fault]:
    for source, rows in devices.groupby("source", observed=True)["rows"]:
        total, largest = int(rows.sum()), int(rows.max())
        is_asked = len(rows) == 1  # one id in all rows is asked about before they are read
        if not is_asked and total >= FEWEST_ROWS and largest > LARGEST_DEVICE * total:
            share = round(100 * largest / total)
            yield _fault(
                str(source), "shared_devices", count=len(rows), rows=largest, of=total, share=share
            )


def nothing_valid(books: pd.DataFrame) -> Iterable[Fault]:
    """A finding for each source where no source has a valid test. `books`: by source."""
    if len(books) and not books["valid_count"].sum():
        for source, book in books.iterrows():
            yield _fault(str(source), "no_valid_test", of=int(book["read_count"]))
