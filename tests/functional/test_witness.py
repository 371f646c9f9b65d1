"""The most over ranges is what onnxruntime makes at the sizes that are said to give it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from tests.conftest import Save

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

N: Any = helper.make_node
RANGES = {"batch": (1, 3), "seq": (1, 5), "past": (0, 4)}


def stored(name: str, numbers: Any, dtype: Any = np.int64) -> TensorProto:
    return numpy_helper.from_array(np.array(numbers, dtype), name)


def attention(save: Save) -> str:
    """Of what is new and what was before, with a mask that a slice takes from the end."""
    ones = np.ones((8, 8), np.float32)
    nodes = [
        N("Concat", ["before", "x"], ["k"], axis=1),
        N("MatMul", ["x", "w"], ["q"]),
        N("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        N("MatMul", ["q", "kt"], ["scores"]),
        N("Shape", ["x"], ["taken"], start=1, end=2),
        N("Neg", ["taken"], ["start"]),
        N("Add", ["mask", "mask"], ["squares"]),
        N("Slice", ["squares", "start", "end", "axis"], ["rows"]),
        N("Add", ["scores", "rows"], ["masked"]),
        N("Softmax", ["masked"], ["weights"]),
        N("MatMul", ["weights", "k"], ["y"]),
    ]
    return save(
        nodes,
        [stored("w", ones, np.float32), stored("end", [9999]), stored("axis", [0])],
        inputs=[
            ("x", ["batch", "seq", 8]),
            ("before", ["batch", "past", 8]),
            ("mask", ["past + seq", "past + seq"]),
        ],
        outputs=["y"],
    )


def padded(save: Save) -> str:
    """To a multiple of 4: neither MACs nor bytes grow with every step, and past does nothing."""
    nodes = [
        N("Shape", ["x"], ["s"], start=1, end=2),
        N("Neg", ["s"], ["negative"]),
        N("Mod", ["negative", "four"], ["rest"]),
        N("Concat", ["zeros", "rest", "zero"], ["pads"], axis=0),
        N("Pad", ["x", "pads"], ["p"]),
        N("MatMul", ["p", "w"], ["m"]),
        N("Concat", ["m", "before"], ["y"], axis=1),
    ]
    ones = np.ones((8, 8), np.float32)
    tensors = [stored("w", ones, np.float32), stored("four", [4])]
    return save(
        nodes,
        [*tensors, stored("zeros", [0, 0, 0, 0]), stored("zero", [0])],
        inputs=[("x", ["batch", "seq", 8]), ("before", ["batch", "past", 8])],
        outputs=["y"],
    )


@pytest.mark.parametrize("make", [attention, padded])
def test_the_most_is_what_runs_come_to(make: Callable[[Save], str], save: Save) -> None:
    from tests.packages.witnesses import measured

    path = make(save)
    model = onnx.load(path)
    over = graphcount.count(path, ranges=RANGES).ranges
    assert over is not None
    rows = {row.measure: row for row in over.measures}
    runs = {
        point: measured(model, dict(zip(RANGES, point, strict=True)))
        for point in product(*(range(low, high + 1) for low, high in RANGES.values()))
    }
    assert len(runs) == 3 * 5 * 5
    for measure, field in (("macs", "macs"), ("peak_activation_nbytes", "peak")):
        row = rows[measure]
        made = {point: getattr(run, field) for point, run in runs.items()}
        assert row.most_exact
        assert row.most == max(made.values()) > 0
        at = tuple(row.most_at.get(name, low) for name, (low, _) in RANGES.items())
        assert made[at] == row.most
        if row.least_exact:
            assert row.least == min(made.values())
