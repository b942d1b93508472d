"""What was decided about a column: how it is written, how that is known, or what to ask.

A form that is sure is used, one that is likely is used only where its evidence stands beside it,
and one that is open is a question: `run` stops, and the question shows the settings line to paste.
Does not belong here: how a kind of column is decided (its own module).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pipeline.schema.errors import Fault, UserFault

Form = TypeVar("Form", covariant=True)  # noqa: PLC0105

# How a form is known. `settings`: the user says so; `format`: the source's format documents it;
# `heading`, `unit_row`, `cells`: stated in the file; `values`: the values allow no other reading;
# `default`: nothing in the column speaks against the usual reading.
Basis = Literal["settings", "format", "heading", "unit_row", "cells", "values", "default"]


@dataclass(frozen=True)
class Decision(Generic[Form]):
    """How a column is written (`form`), or the question that only the user can answer.

    `evidence` is a short text of counts and examples, for example `2,016 of 2,016 cells have
    13 to 31 in the second place`: a `texts.Said` where it has words. `question` has the code of its
    sentence and, in `values`, `found` (the evidence) and `lines` (settings lines to paste); the
    caller adds file and column.
    """

    form: Form | None
    basis: Basis
    evidence: str = ""
    question: Fault | None = None

    def sure(self) -> Form:
        """The form. Raises `UserFault` with the question where it is open."""
        if self.question is not None or self.form is None:
            raise UserFault([self.question] if self.question else [])
        return self.form
