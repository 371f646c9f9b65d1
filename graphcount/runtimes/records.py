"""Reasons to stop: the runtime refuses a model, or the tables do not say what it does."""

from __future__ import annotations

from graphcount.report.loading import LoadState


class Stop(Exception):
    """A reason not to load, or not to know.

    Attributes:
        cause: A key of `graphcount.report.loading.CAUSES`.
        why: One sentence.
        node: The node it is about, once that is known.
    """

    state: LoadState = "refused"

    def __init__(self, cause: str, why: str, node: str = "") -> None:
        super().__init__(cause, why, node)
        self.cause = cause
        self.why = why
        self.node = node


class Refused(Stop):
    """The runtime refuses the model."""


class Undecided(Stop):
    """The tables do not say what the runtime does."""

    state: LoadState = "not known"
