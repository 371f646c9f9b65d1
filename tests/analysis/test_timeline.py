"""Activations over the run, against bytes counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx import helper

import graphcount
from graphcount.analysis.memory import MOMENTS
from graphcount.report.serial import dumps, loads, to_dict


def test_each_step_has_what_is_alive_then(save: Any) -> None:
    """x → a → b → c, and a is read again by the last: it lives all the time."""
    path = save(
        [
            helper.make_node("Relu", ["x"], ["a"], "first"),
            helper.make_node("ReduceSum", ["a"], ["b"], "second", keepdims=0),
            helper.make_node("Neg", ["b"], ["c"], "third"),
            helper.make_node("Add", ["a", "c"], ["y"], "fourth"),
        ],
        inputs=[("x", [10])],
        outputs=[("y", [10])],
    )
    report = graphcount.count(path, timeline=True)
    assert report.timeline is not None
    alive = [(row.step, row.node, row.nbytes) for row in report.timeline]
    a, scalar, y = 40, 4, 40
    assert alive == [
        (0, "first", a),
        (1, "second", a + scalar),
        (2, "third", a + scalar + scalar),
        (3, "fourth", a + scalar + y),
    ]
    assert report.peak is not None
    assert max(row.nbytes for row in report.timeline) == report.peak.nbytes == 84


def test_it_is_there_only_when_asked_for_and_known(fixtures: Path) -> None:
    path = str(fixtures / "cnn.onnx")
    assert graphcount.count(path, dims={"batch": 1}).timeline is None
    assert graphcount.count(path, timeline=True).timeline is None  # batch is free
    assert graphcount.count(path, timeline=True, dims={"batch": 1}).timeline


@pytest.mark.parametrize("steps", [MOMENTS, MOMENTS + 1, 3 * MOMENTS + 7])
def test_a_long_run_keeps_its_highest_moments(save: Any, steps: int) -> None:
    highest = steps // 2 + 1
    nodes = []
    for step in range(steps):
        wide = step == highest
        nodes.append(
            helper.make_node(
                "Expand" if wide else "ReduceMax" if step == highest + 1 else "Relu",
                [f"v{step}", "shape"] if wide else [f"v{step}"],
                [f"v{step + 1}"],
                f"n{step}",
            )
        )
    import numpy as np
    from onnx import numpy_helper

    shape = numpy_helper.from_array(np.array([1000], np.int64), "shape")
    path = save(nodes, [shape], inputs=[("v0", [1])], outputs=[f"v{steps}"])
    report = graphcount.count(path, timeline=True)
    assert report.timeline is not None
    assert len(report.timeline) <= MOMENTS
    most = max(report.timeline, key=lambda row: row.nbytes)
    assert (most.node, most.nbytes) == (f"n{highest}", 4000 + 4)
    assert [row.step for row in report.timeline] == sorted({row.step for row in report.timeline})


def test_it_survives_json(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"), timeline=True, dims={"batch": 1})
    assert loads(dumps(to_dict(report))).timeline == report.timeline
