"""Faults that the user can fix. A fault of this program stays an exception with its traceback.

Does not belong here: the words of a fault (`texts.py` has them in Vietnamese and English),
printing, exit codes (`cli.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """One thing that a user can fix: where it stands, what was found, what was expected.

    `code` names the sentence in the catalogues' `faults`; `values` fill that sentence in. `file` is
    a name or path as the user wrote it; `row` counts as a spreadsheet does (the heading is row 1).
    """

    code: str
    file: str = ""
    row: int | None = None
    column: str = ""
    values: dict[str, object] = field(default_factory=dict)


class UserFault(Exception):
    """Raised once with every fault that was found, so that the user fixes them in one go."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{f.code} {f.file} {f.column} {f.values}" for f in self.faults))


def fault(
    code: str, file: object = "", *, row: int | None = None, column: str = "", **values: object
) -> UserFault:
    """A `UserFault` that holds a single fault, ready to be raised.

    >>> fault("missing_file", "tests.csv").faults[0].code
    'missing_file'
    """
    return UserFault([Fault(code, str(file), row, column, values)])
