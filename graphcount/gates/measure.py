"""What a measure is: one row of `graphcount.gates.measures`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from graphcount.gates.contributors import Parts
from graphcount.gates.subject import Subject
from graphcount.units import Unit

DependsOn = Literal[
    "file",
    "counts",
    "generated",
    "operands",
    "macs",
    "elementwise",
    "traffic",
    "activation",
    "peak",
    "shapes",
]


class Measure(NamedTuple):
    """One number of a model.

    Attributes:
        name: As written in a demand.
        unit: What it is a number of.
        read: Takes it; None when it is not known or was not computed.
        depends_on: What must be known for it to be exact: nothing but the `file`, the `counts` of
            stored elements, or these and what is `generated`, or how many numbers the `operands`
            have, or a sum over a forward pass (a measure of `Totals.at_least`; `shapes` alone).
        about: One line of documentation.
        parts: Where it lies.
        missing: Why it may not be known.
        reads_data: Tensor data must be read for it (`Report.sparsity`).
        is_most: Whether its number is an upper bound, which keeps a maximum and no minimum.
        least: The lower bound beside an upper one; None when it is not known.
    """

    name: str
    unit: Unit
    read: Callable[[Subject], int | None]
    depends_on: DependsOn
    about: str
    parts: Parts
    missing: str = ""
    reads_data: bool = False
    is_most: Callable[[Subject], bool] = lambda subject: False
    least: Callable[[Subject], int | None] = lambda subject: None

    @property
    def is_cost(self) -> bool:
        """Whether it is a sum over a forward pass, or a size that such a pass has."""
        return self.depends_on not in ("file", "counts", "generated", "operands")

    @property
    def needs_cost(self) -> bool:
        """Whether shapes and costs must be worked out for it."""
        return self.is_cost or self.depends_on == "operands"


class MeasureFamily(NamedTuple):
    """Measures with an argument: `nbytes.float32`, `nodes.Conv`.

    Attributes:
        prefix: What stands before the first dot.
        argument: What the argument is, in one word.
        make: The measure of an argument.
        present: Arguments a model has; baselines remember these.
        known: Arguments that are known beforehand; a near miss of one is refused.
        closed: Whether nothing else than these exists.
        absent: What it is worth in a model that does not have it; None: not known.
    """

    prefix: str
    argument: str
    make: Callable[[str], Measure]
    present: Callable[[Subject], Iterable[str]]
    known: Iterable[str]
    closed: bool
    absent: int | None
    about: str
