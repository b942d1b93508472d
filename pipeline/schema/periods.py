"""Months and quarters as people write them: `2026-10`, `2024Q3`.

Does not belong here: the clock. A period is always an argument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.schema.errors import fault

_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$")
_QUARTER = re.compile(r"^(\d{4})-?Q([1-4])$", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class Period:
    """A run of whole calendar months.

    First month (years × 12 + month − 1) and their number (1 or 3).

    >>> Period.parse("2026-10").window(3)
    ['2026-08', '2026-09', '2026-10']
    >>> str(Period.parse("2024q3")), Period.parse("2024Q3").months
    ('2024Q3', ['2024-07', '2024-08', '2024-09'])
    """

    first: int
    length: int

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read `YYYY-MM` or `YYYYQn`; anything else is a fault."""
        if month := _MONTH.match(text.strip()):
            return cls(int(month[1]) * 12 + int(month[2]) - 1, 1)
        if quarter := _QUARTER.match(text.strip()):
            return cls(int(quarter[1]) * 12 + 3 * (int(quarter[2]) - 1), 3)
        raise fault("bad_period", found=text)

    def __str__(self) -> str:
        """As in names of folders: 2026-10, 2026Q4."""
        if self.length == 3:
            return f"{self.first // 12}Q{self.first % 12 // 3 + 1}"
        return _month(self.first)

    @property
    def last(self) -> int:
        """The last month's number."""
        return self.first + self.length - 1

    @property
    def months(self) -> list[str]:
        """The months of the period, `YYYY-MM`, ascending."""
        return [_month(n) for n in range(self.first, self.first + self.length)]

    def window(self, month_count: int) -> list[str]:
        """The `month_count` months that end with the period.

        A quarter is its own window when 3 are asked for.
        """
        return [_month(n) for n in range(self.last - month_count + 1, self.last + 1)]

    def before(self) -> Period:
        """The period of the same length that ends where this one begins.

        >>> str(Period.parse("2026-01").before()), str(Period.parse("2024Q1").before())
        ('2025-12', '2023Q4')
        """
        return Period(self.first - self.length, self.length)

    def earlier(self, month_count: int) -> Period:
        """The latest period of the same length that ends `month_count` months before, or more.

        A window of that many months that ends with it has no month in common with this one's.

        >>> str(Period.parse("2026-01").earlier(3)), str(Period.parse("2024Q4").earlier(4))
        ('2025-10', '2024Q2')
        """
        steps = -(-month_count // self.length)
        return Period(self.first - steps * self.length, self.length)

    @property
    def end(self) -> datetime:
        """The period's last day, midnight: the time that goes into files which carry one."""
        return datetime((self.last + 1) // 12, (self.last + 1) % 12 + 1, 1) - timedelta(days=1)  # noqa: DTZ001 - a date

    def label(self) -> str:
        """As the map and the report write it: `10/2026`, `Q3/2024`."""
        if self.length == 3:
            return f"Q{self.first % 12 // 3 + 1}/{self.first // 12}"
        return f"{self.first % 12 + 1:02d}/{self.first // 12}"


def _month(number: int) -> str:
    return f"{number // 12}-{number % 12 + 1:02d}"
