"""Names from data as parts of file names."""

from __future__ import annotations

import re


def file_names(operators: list[str]) -> dict[str, str]:
    """Operators' names as parts of file names: letters and digits of any script, the rest `_`; a
    number where two would clash.

    >>> file_names(["Viettel", "A/B", "../A B"])
    {'Viettel': 'Viettel', 'A/B': 'A_B', '../A B': '_A_B'}
    >>> file_names(["A/B", "A B"])
    {'A/B': 'A_B', 'A B': 'A_B_2'}
    """
    names: dict[str, str] = {}
    for operator in operators:
        plain = re.sub(r"[\W_]+", "_", operator)
        taken = {name.casefold() for name in names.values()}
        numbered = (plain if n == 1 else f"{plain}_{n}" for n in range(1, len(operators) + 2))
        names[operator] = next(name for name in numbered if name.casefold() not in taken)
    return names
