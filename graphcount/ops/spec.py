"""The record every table of operators is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal[
    "weight",
    "recurrent weight",
    "peephole weight",
    "bias",
    "scale",
    "shift",
    "slope",
    "embedding",
    "initial state",
    "running mean",
    "running variance",
    "rotary table",
    "mask",
    "window",
    "quantized weight",
    "quantized bias",
    "quantization scale",
    "zero point",
    "shape",
    "axes",
    "index",
    "scalar",
    "literal",
    "statistic",
    "table",
    "operand",
    "threshold",
    "leaf value",
    "output",
    "state",
    "data",
]
"""What a tensor is to the node that uses it."""


SCALE: tuple[Role, ...] = ("quantization scale", "zero point")
"""How a quantized result, or what precedes it, is scaled."""

SCALED_DATA: tuple[Role, ...] = ("data", *SCALE)
"""Quantized data with its scale and zero point, as three inputs."""

SCALED_WEIGHT: tuple[Role, ...] = ("quantized weight", *SCALE)
"""A quantized weight with its scale and zero point, as three inputs."""


@dataclass(frozen=True, slots=True)
class OpSpec:
    """What is known of one operator.

    Attributes:
        roles: Role of each input by index; None where a stored tensor has no role of its own.
        passes: Inputs whose numbers come out unchanged or merely moved, converted or dequantized:
            attribution looks through them to the operator that really uses the tensor.
        rest: Role of the inputs behind `roles`, for variadic operators.
        attributes: Role of tensors and number lists kept in attributes.
    """

    roles: tuple[Role | None, ...] = ()
    passes: frozenset[int] = frozenset()
    rest: Role | None = None
    attributes: dict[str, Role] = field(default_factory=dict)

    def role(self, index: int) -> Role | None:
        """Role of a stored tensor at input `index`."""
        return self.roles[index] if index < len(self.roles) else self.rest
