"""What the files of a plan of sites state about themselves, and their phrases.

Does not belong here: how a file looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.schema import texts
from pipeline.schema.periods import Period


@dataclass(frozen=True)
class SitesAbout:
    """What the files of a plan of sites state."""

    period: Period  # that the evidence is of
    area: str
    lang: texts.Lang
    notice: str  # shown on every output, such as that data are invented
    currency: str
    budget: float | None  # that was asked for
    assumptions: Mapping[str, object]  # option or `section.key` of the settings → value
    min_devices: int  # smaller groups are not shown
    device_prints: npt.NDArray[np.uint64]  # fingerprints of device ids: the privacy check's

    @property
    def title(self) -> str:
        """The title of all files."""
        parts = (phrase("title", self.lang), self.area, self.period.label())
        return " – ".join(part for part in parts if part)


def phrase(key: str, lang: texts.Lang, **values: object) -> str:
    """A text of the files with its placeholders filled."""
    return texts.text("site_sheets", key, lang, **values)
