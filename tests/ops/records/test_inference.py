"""Shapes and element types against the inference of onnxruntime's own definitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphcount.ops import lookup
from graphcount.ops.call import Shape
from tests.ops.records.inferring import complaint
from tests.ops.records.running import call
from tests.ops.records.test_runs import MS, Case, i32, rows

F = np.float32


def f16(*shape: int) -> Any:
    """Return half-precision floats of a shape."""
    return np.zeros(shape, np.float16)


INFERRED: list[Case] = [
    # op_types, inputs, outputs, attributes
    (f"{MS}::CausalConvWithState", [(2, 13, 9), (13, 1, 5)], 2),
    (f"{MS}::CausalConvWithState", [(2, 13, 9), (13, 1, 5)], 2, {"dilation": 3}),
    (f"{MS}::CausalConvWithState", [(2, 9, 13), (13, 1, 5)], 2, {"channels_last": 1}),
    (f"{MS}::CausalConvWithState", [(2, 9, 4, 3), (12, 1, 5)], 2, {"channels_last": 1}),
    (f"{MS}::CausalConvWithState", [(2, 13, 9), (13, 1, 5)], 2, {"state_window": 3}),
    (
        f"{MS}::CausalConvWithState",
        [(2, 9, 13), (13, 1, 5)],
        3,
        {"channels_last": 1, "state_update_capacity": 4},
    ),
    (
        f"{MS}::CausalConvWithState",
        [(2, 9, 13), (8, 1, 5)],
        2,
        {"channels_last": 1, "input_channels": 8, "state_channels_last": 0, "state_length": 6},
    ),
    (
        f"{MS}::VarlenCausalConvWithState",
        [(10, 13), (13, 1, 5), i32(0, 4, 10), (13,), (2, 13, 4), i32(1, 1)],
        3,
        {"state_update_capacity": 3},
    ),
    (f"{MS}::ConvStateReplay", [(99,), (99,), (77,), [0] * 8]),
]
"""Calls that the CPU has no kernel for, or only for a part of the attributes."""


SILENT = """
"""
"""Outputs of which the definition infers nothing."""


def test_the_definitions_of_onnxruntime_infer_the_same() -> None:
    for domain, op_type, inputs, outputs, attributes in rows(INFERRED):
        shapes = ours(domain, op_type, inputs, outputs, attributes)
        said = complaint(domain, op_type, inputs, shapes, **attributes)
        assert said == "", (op_type, shapes)


def ours(
    domain: str, op_type: str, inputs: list[Any], outputs: int, attributes: dict[str, Any]
) -> list[Shape | None]:
    """Return the shapes that a record's rule says, whole ones."""
    row = lookup(domain, op_type)
    assert row is not None
    assert row.shape is not None
    shapes = row.shape(call(domain, op_type, inputs, outputs, **attributes))[:outputs]
    assert len(shapes) == outputs, op_type
    assert all(shape is not None and None not in shape for shape in shapes), (op_type, shapes)
    return shapes


def test_another_rank_is_refused_wherever_a_definition_infers() -> None:
    silent = set()
    for domain, op_type, inputs, outputs, attributes in rows(INFERRED):
        shapes = ours(domain, op_type, inputs, outputs, attributes)
        for index, shape in enumerate(shapes):
            wrong = [*shapes[:index], (*(shape or ()), 9), *shapes[index + 1 :]]
            if not complaint(domain, op_type, inputs, wrong, **attributes):
                silent.add(f"{op_type}:{index}")
    assert silent == set(SILENT.split())
