"""One walk over ordered rows: samples (METHOD §2.2) and what they add up to by device, cell, place,
day and month.

Plain loops over arrays, for `groups.compiled`. Does not belong here: which rows count (`clean.py`),
what is made of the sums.
"""

from __future__ import annotations

from typing import Any, NamedTuple

VALID, MOBILE, NEWER, IS_CLOSE, IS_ACCURATE = 1, 2, 4, 8, 16  # bits of `Walked.kind`
# by device in commune × operator and window; sums over tests, or over samples' means
FIGURES = (
    "tests", "raw_total", "accurate", "month_tests", "samples", "download_total", "upload_total", "upload_samples",
    "latency_total", "latency_samples", "month_samples", "month_total", "busy_samples", "busy_total", "calm_samples",
    "calm_total", "mobile_tests", "mobile_total", "newer_tests", "newer_raw_total", "newer_samples",
    "newer_download_total", "newer_upload_total", "newer_upload_samples", "newer_latency_total",
    "newer_latency_samples", "slow_samples",
)  # fmt: skip
(
    TESTS, RAW, ACCURATE, MONTH_TESTS, SAMPLES, DOWNLOAD, UPLOAD, UPLOADS, LATENCY, LATENCIES, MONTH_SAMPLES, MONTH, BUSY_SAMPLES,
    BUSY, CALM_SAMPLES, CALM, MOBILES, MOBILE_RAW, NEWERS, NEWER_RAW, NEWER_SAMPLES, NEWER_DOWNLOAD, NEWER_UPLOAD, NEWER_UPLOADS,
    NEWER_LATENCY, NEWER_LATENCIES, SLOW,
) = range(len(FIGURES))  # fmt: skip
CLOSE_FIGURES = (
    "tests",
    "samples",
    "total",
    "upload_total",
    "upload_samples",
    "latency_total",
    "latency_samples",
)


class Walked(NamedTuple):
    """Rows, a value each, ordered by group, cell and time; and groups (a device in a commune ×
    operator), a value each.
    """

    # ascending: the same for a device's rows in one commune × operator × technology × cell × date
    key: Any
    group: Any
    cell: Any
    month: Any
    day: Any
    second: Any  # of the local day
    time: Any  # µs
    kind: Any
    download: Any
    upload: Any
    latency: Any
    unit_of: Any  # commune × operator
    zone_of: Any
    phone_of: Any  # number of the device in the commune
    is_alone: Any  # the device is in no other group


class Asked(NamedTuple):
    """What is asked for; months are (first, last)."""

    windows: Any
    spans: Any
    months: Any  # of the tracker
    first_month: int  # of the slow samples
    month_count: int
    report_month: int
    busy_from_s: float
    busy_to_s: float
    target: float
    burst_gap: float  # µs
    burst_tests: int


class Found(NamedTuple):
    """Arrays that the walk fills; of `dates` and those after it as many rows as it gives back."""

    figures: Any  # group × window × FIGURES
    month_samples: Any  # zone × month
    month_devices: Any
    bursts: Any  # tests of sittings with many tests, of devices that stand alone
    span_devices: Any  # zone × span
    dates: Any  # of samples: unit, day, tests
    slow: Any  # of slow samples: unit · month_count + month, second of the day
    cell_group: (
        Any  # of tests in the base window whose position is good enough: group, cell, CLOSE_FIGURES
    )
    cell_id: Any
    cell_figures: Any
    place: Any  # group, month, first row, tests and samples of a group's stay in a cell


def walk(rows: Any, asked: Any, found: Any) -> Any:
    """Fill `found`; gives how many samples, slow samples, cells and places there are.

    Tests of one key make one sample, their mean; upload and latency over those that have them.
    """
    windows, months = asked.windows, asked.months
    samples = slow = cells = places = 0
    marked_months = [-1] * (months[1] - months[0] + 1)  # the last phone that was met in the month
    marked_spans = [-1] * len(asked.spans)
    last, first_valid, group, day, month = len(rows.key), 0, 0, 0, 0
    tests = uploads = latencies = mobile = newer = accurate = 0
    total = upload = latency = mobile_total = newer_total = newer_upload = newer_latency = 0.0
    newer_uploads = newer_latencies = close = close_uploads = close_latencies = 0
    close_total = close_upload = close_latency = 0.0
    for row in range(last + 1):
        if row == last or row == 0 or rows.key[row] != rows.key[row - 1]:
            if mobile > 0:  # what counts is mobile
                in_month = month == asked.report_month
                for number in range(len(windows)):
                    if windows[number][0] <= month <= windows[number][1]:
                        at = found.figures[group, number]
                        at[MOBILES] += mobile
                        at[MOBILE_RAW] += mobile_total
                        if newer > 0:
                            at[NEWERS] += newer
                            at[NEWER_RAW] += newer_total
                            at[NEWER_SAMPLES] += 1
                            at[NEWER_DOWNLOAD] += newer_total / newer
                            if newer_uploads > 0:
                                at[NEWER_UPLOAD] += newer_upload / newer_uploads
                                at[NEWER_UPLOADS] += 1
                            if newer_latencies > 0:
                                at[NEWER_LATENCY] += newer_latency / newer_latencies
                                at[NEWER_LATENCIES] += 1
                        if tests > 0:
                            mean = total / tests
                            at[TESTS] += tests
                            at[RAW] += total
                            at[ACCURATE] += accurate
                            at[SAMPLES] += 1
                            at[DOWNLOAD] += mean
                            if uploads > 0:
                                at[UPLOAD] += upload / uploads
                                at[UPLOADS] += 1
                            if latencies > 0:
                                at[LATENCY] += latency / latencies
                                at[LATENCIES] += 1
                            if mean < asked.target:
                                at[SLOW] += 1
                            if in_month:
                                at[MONTH_TESTS] += tests
                                at[MONTH_SAMPLES] += 1
                                at[MONTH] += mean
                            if asked.busy_from_s <= rows.second[first_valid] < asked.busy_to_s:
                                at[BUSY_SAMPLES] += 1
                                at[BUSY] += mean
                            else:
                                at[CALM_SAMPLES] += 1
                                at[CALM] += mean
            if tests > 0:
                unit, zone, phone = rows.unit_of[group], rows.zone_of[group], rows.phone_of[group]
                cell = rows.cell[first_valid]
                found.dates[samples, 0], found.dates[samples, 1], found.dates[samples, 2] = (
                    unit,
                    day,
                    tests,
                )
                samples += 1
                if (
                    total / tests < asked.target
                    and 0 <= month - asked.first_month < asked.month_count
                ):
                    found.slow[slow, 0] = unit * asked.month_count + month - asked.first_month
                    found.slow[slow, 1] = rows.second[first_valid]
                    slow += 1
                if months[0] <= month <= months[1]:
                    found.month_samples[zone, month - months[0]] += 1
                    if marked_months[month - months[0]] != phone:
                        marked_months[month - months[0]] = phone
                        found.month_devices[zone, month - months[0]] += 1
                for number in range(len(asked.spans)):
                    span = asked.spans[number]
                    if span[0] <= month <= span[1] and marked_spans[number] != phone:
                        marked_spans[number] = phone
                        found.span_devices[zone, number] += 1
                if close > 0 and windows[0][0] <= month <= windows[0][1]:
                    if (
                        cells == 0
                        or found.cell_group[cells - 1] != group
                        or found.cell_id[cells - 1] != cell
                    ):
                        found.cell_group[cells], found.cell_id[cells] = group, cell
                        found.cell_figures[cells, :] = 0.0
                        cells += 1
                    here = found.cell_figures[cells - 1]
                    here[0] += close
                    here[1] += 1
                    here[2] += close_total / close
                    if close_uploads > 0:
                        here[3] += close_upload / close_uploads
                        here[4] += 1
                    if close_latencies > 0:
                        here[5] += close_latency / close_latencies
                        here[6] += 1
                stay = found.place[places - 1]
                if (
                    places == 0
                    or stay[0] != group
                    or stay[1] != month
                    or rows.cell[stay[2]] != cell
                ):
                    stay = found.place[places]
                    stay[0], stay[1], stay[2], stay[3], stay[4] = group, month, first_valid, 0, 0
                    places += 1
                stay[3] += tests
                stay[4] += 1
            if row == last:
                break
            group, day, month = rows.group[row], rows.day[row], rows.month[row]
            tests = uploads = latencies = mobile = newer = accurate = 0
            total = upload = latency = mobile_total = newer_total = newer_upload = newer_latency = (
                0.0
            )
            newer_uploads = newer_latencies = close = close_uploads = close_latencies = 0
            close_total = close_upload = close_latency = 0.0
        kind = rows.kind[row]
        if not kind & MOBILE:
            continue
        speed, sent, delay = rows.download[row], rows.upload[row], rows.latency[row]
        mobile += 1
        mobile_total += speed
        if kind & NEWER:
            newer += 1
            newer_total += speed
            if sent == sent:  # not NaN
                newer_uploads += 1
                newer_upload += sent
            if delay == delay:
                newer_latencies += 1
                newer_latency += delay
        if kind & VALID:
            if tests == 0:
                first_valid = row
            tests += 1
            total += speed
            if kind & IS_ACCURATE:
                accurate += 1
            if sent == sent:
                uploads += 1
                upload += sent
            if delay == delay:
                latencies += 1
                latency += delay
            if kind & IS_CLOSE:
                close += 1
                close_total += speed
                if sent == sent:
                    close_uploads += 1
                    close_upload += sent
                if delay == delay:
                    close_latencies += 1
                    close_latency += delay
    return samples, slow, cells, places


def count_bursts(rows: Any, asked: Any, found: Any) -> None:
    """Fill `found.bursts`: tests of sittings of at least `burst_tests`, of devices that stand
    alone.

    A sitting is a device's valid tests in one cell, none longer than `burst_gap` after the one
    before.
    """
    first = former = held = 0  # of the sitting: its first row, its last so far, how many
    last, months = len(rows.key), asked.months
    for row in range(last + 1):
        if row < last:
            if not rows.kind[row] & VALID or not rows.is_alone[rows.group[row]]:
                continue
            if not months[0] <= rows.month[row] <= months[1]:
                continue
            is_next = (
                held > 0
                and rows.group[row] == rows.group[former]
                and rows.cell[row] == rows.cell[former]
            )
            if is_next and rows.time[row] - rows.time[former] <= asked.burst_gap:
                former = row
                held += 1
                continue
        if held >= asked.burst_tests:
            for one in range(first, former + 1):
                if rows.kind[one] & VALID and months[0] <= rows.month[one] <= months[1]:
                    found.bursts[rows.zone_of[rows.group[one]], rows.month[one] - months[0]] += 1
        first, former, held = row, row, 1
