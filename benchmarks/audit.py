"""What the verdicts are worth where testers do not resemble the people (`worlds.py`).

    python -m benchmarks.audit                                  # every world, 8, 20 and 60 phones
    python -m benchmarks.audit --worlds control,good_signal --provinces 4 --phones 20

Prints a line per world, mean number of phones by unit, and whether villages are listed or places
are clusters of cells; `--write` renews the table of docs/method.md. Shares are of units (commune ×
operator); a bound is the upper end of a one-sided 95 % Clopper–Pearson interval, which takes units
as independent: where a commune's operators err together, the truth may be worse. Same arguments,
same figures.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from itertools import islice
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks import worlds
from pipeline.config.run_context import RunContext
from pipeline.config.settings import Settings
from pipeline.journey import judge_month
from pipeline.schema.fields import ALL
from pipeline.schema.periods import Period

# ranks do not matter here: the smallest number of draws that the settings allow
SETTINGS = Settings.model_validate({"priority": {"draws": 20}})
PERIOD = Period.parse("2026-10")
UNIT = ["commune_code", "operator"]
BASES = ("clusters", "villages")  # whether the places of the people are listed
Task = tuple[str, int, int, str]  # world, seed, mean number of phones by unit, one of BASES


def judged(task: Task, settings: Settings = SETTINGS) -> pd.DataFrame:
    """Units of one province: truth and verdict.

    Columns of `commune_status` and world, seed, phones, basis, true_mean_mbps, is_gap.
    """
    world, seed, phones, basis = task
    inputs, truth, villages = worlds.draw(world, seed, phones)
    if basis == "villages":
        inputs = replace(inputs, villages=villages)
    status = judge_month(inputs, RunContext(settings, PERIOD)).tables["commune_status"]
    rows = status[status["operator"] != ALL].merge(truth, on=UNIT, validate="one_to_one")
    is_gap = rows["true_mean_mbps"] < settings.target.download_mbps
    return rows.assign(world=world, seed=seed, phones=phones, basis=basis, is_gap=is_gap)


def upper_bound(false: int, of: int) -> float:
    """Upper end of the one-sided 95 % Clopper–Pearson interval of a share; NaN of none.

    >>> round(upper_bound(0, 100), 4), upper_bound(3, 3)  # 1 − 0.05 ** (1 / 100)
    (0.0295, 1.0)
    """
    if of == 0:
        return float("nan")
    return 1.0 if false == of else float(stats.beta.ppf(0.95, false + 1, of - false))


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Figures of the units of `judged`; NaN where a share is of none."""
    is_gap, is_sure = rows["is_gap"], rows["evidence"].eq("confirmed")
    gaps, passes = rows["status"].eq("confirmed_gap"), rows["status"].eq("meets_target")
    known, by_people = rows["lo_mbps"].notna(), rows["weighted_lo_mbps"].notna()
    true = rows["true_mean_mbps"]
    holds = true.between(rows["lo_mbps"], rows["hi_mbps"])
    holds_by_people = true.between(rows["weighted_lo_mbps"], rows["weighted_hi_mbps"])
    borrowed = rows["evidence_basis"].eq("borrowed")
    return {
        **_falses("gaps", gaps, ~is_gap),
        "gaps_found": _share(gaps[is_gap]),
        **_falses("borrowed", gaps & borrowed, ~is_gap),
        "probable_gaps": int(rows["status"].eq("probable_gap").sum()),
        "probable_gaps_right": _share(is_gap[rows["status"].eq("probable_gap")]),
        **_falses("passes", passes & is_sure, is_gap),
        **_falses("borrowed_passes", passes & is_sure & borrowed, is_gap),
        "passes_found": _share((passes & is_sure)[~is_gap]),
        "probable_passes": int((passes & ~is_sure).sum()),
        "probable_passes_false": _share(is_gap[passes & ~is_sure]),
        "covers": _share(holds[known]),
        "people_covers": _share(holds_by_people[by_people]),
        "decided": int((gaps | (passes & is_sure)).sum()),
    }


def _share(part: pd.Series) -> float:
    return float(part.mean()) if len(part) else float("nan")


def _falses(name: str, verdict: pd.Series, is_false: pd.Series) -> dict[str, float]:
    """Number of verdicts, how many and what share of them are false, and the share's bound."""
    n, false = int(verdict.sum()), int((verdict & is_false).sum())
    return {
        name: n,
        f"{name}_wrong": false,
        f"{name}_false": false / n if n else float("nan"),
        f"{name}_bound": upper_bound(false, n),
    }


def line(world: str, phones: int, rows: pd.DataFrame, basis: str = BASES[0]) -> str:
    """A row of the table, in the order of `HEADINGS`."""
    f = summary(rows)

    def falses(name: str) -> str:
        """How many of how many are false, and the upper bound of their share."""
        if not f[name]:
            return "–"
        bound = _percent(f[f"{name}_bound"])
        return f"{f[f'{name}_wrong']} of {f[name]}: {_percent(f[f'{name}_false'])}, ≤ {bound}"

    cells = [
        f"{world.replace('_', ' ')}, {phones}",
        basis,
        falses("gaps"),
        _percent(f["gaps_found"]),
        falses("borrowed"),
        f"{_percent(f['probable_gaps_right'])} of {f['probable_gaps']}",
        falses("passes"),
        _percent(f["passes_found"]),
        falses("borrowed_passes"),
        f"{_percent(f['probable_passes_false'])} of {f['probable_passes']}",
        _percent(f["covers"]),
        _percent(f["people_covers"]),
        f"{100 * f['decided'] / len(rows):.1f} %",
    ]
    return f"| {' | '.join(cells)} |"


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f} %"


HEADINGS = (
    "world, phones by unit", "places", "confirmed gaps: false", "gaps found",
    "of them borrowed: false", "probable gaps: right", "confirmed passes: false", "passes found",
    "of them borrowed: false", "probable passes: false", "plain interval holds",
    "interval by people holds", "units with a confirmed verdict",
)  # fmt: skip
HEADING = f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}"
MARKS = "<!-- audit: begin -->", "<!-- audit: end -->"
METHOD = Path(__file__).resolve().parent.parent / "docs" / "method.md"


def written(text: str, table: str, marks: tuple[str, str] = MARKS) -> str:
    r"""The document with the table between its marks.

    >>> written("a <b>old<e> c", "new", ("<b>", "<e>"))
    'a <b>\nnew\n<e> c'
    """
    before, rest = text.split(marks[0])
    return f"{before}{marks[0]}\n{table}\n{marks[1]}{rest.split(marks[1])[1]}"


def asked(
    about: str, names: str = ",".join(worlds.WORLDS), provinces: int = 10, phones: str = "8,20,60"
) -> tuple[list[tuple[str, int]], range, bool]:
    """([(world, mean number of phones)], seeds, --write) as the command line asks, or the defaults.

    `about`: the help. A world that there is not ends the program.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", default=names, help="names, by commas")
    parser.add_argument("--provinces", type=int, default=provinces, help="of each world")
    parser.add_argument("--phones", default=phones, help="mean numbers by unit")
    parser.add_argument("--first", type=int, default=0, help="first seed (default 0)")
    parser.add_argument("--write", action="store_true", help="renew the table of docs/method.md")
    chosen = parser.parse_args()
    wanted = chosen.worlds.split(",")
    if unknown := sorted(set(wanted) - set(worlds.WORLDS)):
        parser.error(f"no such world: {', '.join(unknown)}; there are {', '.join(worlds.WORLDS)}")
    groups = [(name, int(phones)) for name in wanted for phones in chosen.phones.split(",")]
    return groups, range(chosen.first, chosen.first + chosen.provinces), chosen.write


def main() -> int:
    """Judge and print."""
    groups, seeds, is_written = asked(__doc__)
    lines = [(name, phones, basis) for name, phones in groups for basis in BASES]
    tasks = [(name, seed, phones, basis) for name, phones, basis in lines for seed in seeds]
    table = [HEADING]
    print(HEADING, flush=True)
    with Pool(os.cpu_count()) as pool:
        found = pool.imap(judged, tasks)
        for name, phones, basis in lines:
            rows = pd.concat(islice(found, len(seeds)), ignore_index=True)
            table.append(line(name, phones, rows, basis))
            print(table[-1], flush=True)
    if is_written:
        about = f"{len(seeds)} provinces of each world, seeds {seeds.start}–{seeds.stop - 1}."
        text = METHOD.read_text(encoding="utf-8")
        METHOD.write_text(written(text, "\n".join([about, "", *table])), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
