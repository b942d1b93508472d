"""Why a commune × operator has its status: the figures of `commune_status` in sentences.

It reads a finished row and the settings it was judged with, and computes nothing. Does not belong
here: the sentences themselves (`texts.py`), the rules (`judge.py`), printing (`cli.py`).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Hashable, Mapping
from typing import Any, Protocol

import pandas as pd

from pipeline.schema import texts
from pipeline.schema.errors import fault
from pipeline.schema.fields import ALL

Row = Mapping[Hashable, Any]  # a row of `commune_status`: cells of several types


class Sentence(Protocol):
    """Gives the sentence of a key, with the row's figures and the given values in its places."""

    def __call__(self, key: str, /, **values: object) -> str:
        """The sentence."""


def plain(name: str) -> str:
    """A name as people type it: without accents, đ as d, lower case.

    >>> plain("Xã  Đồng Tâm")
    'xa dong tam'
    """
    stripped = unicodedata.normalize("NFD", name.replace("đ", "d").replace("Đ", "D"))
    return " ".join("".join(c for c in stripped if not unicodedata.combining(c)).casefold().split())


def rows_of(status: pd.DataFrame, commune: str, operator: str | None) -> pd.DataFrame:
    """The rows of a commune (code, name or part of a name, without accents too) and operator.

    `operator`: None for all. Raises `UserFault` where none or several communes match.
    """
    names = status["commune_name"].map(plain)
    found = status[status["commune_code"].eq(commune) | names.eq(plain(commune))]
    if found.empty:  # part of a name is enough where only one commune has it
        found = status[names.str.contains(plain(commune), regex=False)]
    communes = found[["commune_code", "commune_name"]].drop_duplicates()
    if len(communes) != 1:
        rows = found if len(communes) else status
        listed = rows[["commune_code", "commune_name"]].drop_duplicates()
        known = [f"{code} {name}" for code, name in listed.itertuples(index=False)]
        raise fault("which_commune", found=commune, expected=known)
    if operator is None:
        return found
    chosen = found[found["operator"].map(plain) == plain(operator)]
    if chosen.empty:
        raise fault("unknown_operator_name", found=operator, expected=list(found["operator"]))
    return chosen


def explanation(
    row: Row, settings: Mapping[str, Any], gap_ids: list[str], lang: texts.Lang
) -> list[str]:
    """Sentences on one row: verdict, data, figures, reasons, flags, what would decide it.

    `settings`: the run's, as in its manifest. `gap_ids`: the unit's gap areas.
    """
    rules, target = settings["evidence"], settings["target"]["download_mbps"]
    least = settings["privacy"]["min_devices"]
    say = _sentences_of(row, lang)
    verdict = texts.word(row["status"], lang)
    if row["status"] == "meets_target":
        verdict = texts.word(f"meets_{row['evidence']}", lang)
    operator = texts.word(ALL, lang) if row["operator"] == ALL else row["operator"]
    lines = [
        f"{row['commune_name']} ({row['commune_code']}) · {operator} · {row['period']}: {verdict}"
    ]
    lines.append(say("explain_data", months=int(row["window_months"])))
    if row["failed_test_count"] > 0:
        lines.append(say("explain_failed", share=_percent(row["failure_rate"])))
    if row["device_count"] > 0:
        if pd.isna(row["mean_mbps"]):
            lines.append(say("explain_private", asked=least))
        else:
            lines.append(
                say("explain_mean", target=target, low=_percent(row["share_below_10_mbps"]))
            )
            if pd.notna(row["lo_mbps"]):
                lines.append(say("explain_interval", confidence=_percent(rules["confidence"])))
            lines += _by_people(row, say)
            if pd.notna(row["gap_probability"]):
                lines.append(say("explain_probability", chance=_percent(row["gap_probability"])))
    lines += _reasons(row, rules, target, say, lang)
    if row["flags"]:
        named = [texts.word(flag, lang) for flag in row["flags"].split(";")]
        lines.append(say("explain_flags", flags=named))
    is_sure = row["evidence"] == "confirmed"
    lines.append(_looks(row, say) if is_sure else _what_decides(row, rules, say))
    if gap_ids:
        lines.append(say("explain_gaps", gaps=gap_ids))
    return lines


def _by_people(row: Row, say: Sentence) -> list[str]:
    """The mean by people, and how far those who did not test must differ from them."""
    has_figures = pd.notna(row["weighted_lo_mbps"])
    lines: list[str] = [say("explain_people")] if has_figures else []
    if pd.notna(row["margin"]):
        key = "explain_margin_pass" if row["status"] == "meets_target" else "explain_margin_gap"
        lines.append(say(key, share=_percent(row["margin"])))
    return lines


def _reasons(
    row: Row, rules: Mapping[str, Any], target: float, say: Sentence, lang: texts.Lang
) -> list[str]:
    """Which gates were passed or failed, each with its figure and its threshold."""
    if row["status"] == "no_data":
        return [say("explain_no_data", reason=texts.word(row["no_data_reason"], lang))]
    gates = [gate for gate in row["failed_gates"].split(";") if gate]
    asked = {**rules, "q_value": rules["max_q"]}
    asked |= dict.fromkeys(("interval", "people", "leave_one_out"), target)
    asked |= {
        "posterior": rules["meets_gap_probability"], "capped": rules["fast_test_mbps"],
        "crossed": _percent(rules["crossed_min_probability"]),
        "recent_month": rules["recent_min_devices"],
    }  # fmt: skip
    figures = {
        "min_devices": "device_count", "min_samples": "sample_count", "min_dates": "date_count",
        "confirmed_min_devices": "device_count", "confirmed_min_samples": "sample_count",
        "confirmed_min_dates": "date_count", "min_hours_apart": "slow_hours_apart",
        "leave_one_out": "worst_hi_mbps", "posterior": "gap_probability",
    }  # fmt: skip
    below = bool(pd.notna(row["mean_mbps"]) and row["mean_mbps"] < target)
    figures |= {
        "interval": "hi_mbps" if below else "lo_mbps",
        "people": "weighted_hi_mbps" if below else "weighted_lo_mbps",
        "q_value": "q_gap" if below else "q_meets",
    }
    failed = []
    limits = {"margin": rules["capped_margin"], "ratio": rules["fast_test_ratio"]}
    for gate in gates:
        value = row[figures[gate]] if gate in figures else None
        if gate == "crossed":
            value = _percent(row["borrowed_gap_probability"])
        known = value is None or pd.notna(value)
        key = f"gate_{gate}" if known else "gate_unknown"
        failed.append(say(key, found=value, asked=asked.get(gate), gate=gate, **limits))
    if row["evidence_basis"] == "borrowed":
        is_gap = row["status"] == "confirmed_gap"
        name = "borrowed_gap_probability" if is_gap else "borrowed_miss_probability"
        key = "explain_borrowed" if is_gap else "explain_borrowed_pass"
        rate = _percent(rules["borrowed_false_discovery_rate"])
        return [say(key, chance=_percent(row[name]), rate=rate), *failed]
    lines = [say("explain_open")] if row["status"] == "borderline" else []
    if row["evidence"] == "confirmed":
        return [*lines, say("explain_passed")]
    return [*lines, say("explain_failed_gates"), *failed] if failed else lines


def _looks(row: Row, say: Sentence) -> str:
    """In how many windows that share no test the verdict was confirmed."""
    return say("explain_first_look") if row["look_count"] == 1 else say("explain_looks")


def _what_decides(row: Row, rules: Mapping[str, Any], say: Sentence) -> str:
    """How many further devices would decide, or why more devices would not."""
    if pd.notna(row["devices_to_decide"]):
        share = _percent(rules["decide_probability"])
        return say("explain_decide", count=int(row["devices_to_decide"]), share=share)
    if pd.notna(row["devices_to_decide_reason"]):
        return say(f"explain_{row['devices_to_decide_reason']}")
    missing = int(rules["confirmed_min_devices"] - row["device_count"])
    return say("explain_at_least", count=max(1, missing))


def _percent(share: float) -> float:
    return math.floor(1000 * float(share) + 0.5) / 10


def _sentences_of(row: Row, lang: texts.Lang) -> Sentence:
    """Sentences with the row's figures and the given values, rounded for people."""

    def shown(value: object, *, is_speed: bool) -> object:
        if not isinstance(value, float) or not math.isfinite(value):
            return value
        value = round(value, 6)  # a median of two is 28.285 but for the last bit
        if (value == 0 or value >= 0.1) and texts.half_up(value, 2) % 1 == 0:
            return round(value)
        if 0 < value < 0.1 and not is_speed:  # speeds: the map's page keeps three decimals
            return texts.short_number(float(f"{value:.2g}"), lang)
        return value

    def say(key: str, /, **values: object) -> str:
        figures = {str(name): value for name, value in row.items()} | values
        of_speed = values.get("gate") in ("interval", "people")
        words = {
            name: shown(value, is_speed=of_speed or name.endswith("_mbps"))
            for name, value in figures.items()
        }
        return texts.line(key, lang, **words)

    return say
