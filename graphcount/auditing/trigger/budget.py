"""How much work the trigger rule may do: counted in nodes visited, not in seconds."""

from __future__ import annotations

from graphcount.errors import LimitError

MOST_STEPS = 2_000_000
"""Nodes visited for one model, one or two microseconds each. A model of 100,000 nodes takes a tenth
of it; only thousands of choices between inputs, one upon the other, take more."""


class Budget:
    """Counts work and ends it.

    Attributes:
        left: Steps that may still be done.
    """

    def __init__(self, steps: int = MOST_STEPS) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Note work that was done.

        Raises:
            LimitError: It was too much.
        """
        self.left -= steps
        if self.left < 0:
            raise LimitError("its branches are too entangled to follow them all")
