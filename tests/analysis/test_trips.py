"""How often a Loop runs, beside onnxruntime: counters, comparisons, limits, first conditions."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount

N = helper.make_node
INFO = helper.make_tensor_value_info
TRUTH: dict[str, Callable[[float, float], bool]] = {
    "Less": lambda a, b: a < b,
    "LessOrEqual": lambda a, b: a <= b,
    "Greater": lambda a, b: a > b,
    "GreaterOrEqual": lambda a, b: a >= b,
    "Equal": lambda a, b: a == b,
}
TYPES = {"int64": TensorProto.INT64, "int32": TensorProto.INT32, "float32": TensorProto.FLOAT}
PATIENCE = 100
"""Trips after which a loop is taken for endless: no counter below gets so far."""

MACS = 1 * 2 * 3
"""Of the product in each body."""

SEED, LOOPS = 5, 120


@dataclass(frozen=True)
class Counter:
    """A loop that counts: `while compare(i, bound): i += step`, in one of many forms."""

    start: int
    step: int
    bound: int
    compare: Literal["Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"]
    negated: bool
    swapped: bool
    counter: Literal["after", "before", "iteration"]
    dtype: Literal["int64", "int32", "float32"]
    cast: Literal["", "float32", "int32"]
    limit: int | None
    first: Literal["", "true", "false", "same"]
    bound_is: Literal["constant", "state", "size"]
    also: Literal["", "condition", "limit"]

    def holds(self, number: int, bound: int) -> bool:
        a, b = (bound, number) if self.swapped else (number, bound)
        return TRUTH[self.compare](a, b) != self.negated

    def trips(self, bound: int) -> int | None:
        """Trips by the loop that Operators.md writes; None: endless."""
        i, trip = self.start, 0
        going = self.holds(i, bound) if self.first == "same" else self.first != "false"
        while going and (self.limit is None or trip < self.limit):
            if trip > PATIENCE:
                return None
            number = {"after": i + self.step, "before": i, "iteration": trip}[self.counter]
            going = self.holds(number, bound) and (self.also != "limit" or trip <= 3)
            i += self.step
            trip += 1
        return trip


def counters() -> list[Counter]:
    draw = random.Random(SEED)
    pick = draw.choice
    made = []
    for _ in range(LOOPS):
        counter: Any = pick(("after", "after", "before", "iteration"))
        made.append(
            Counter(
                start=draw.randint(-4, 4),
                step=pick((-3, -2, -1, 0, 1, 1, 1, 2, 3)),
                bound=draw.randint(-6, 12),
                compare=pick(tuple(TRUTH)),  # type: ignore[arg-type]
                negated=draw.random() < 0.35,
                swapped=draw.random() < 0.3,
                counter=counter,
                dtype="int64" if counter == "iteration" else pick(("int64", "int32", "float32")),
                cast=pick(("", "float32", "int32")),
                limit=None if draw.random() < 0.35 else draw.randint(-2, 8),
                first=pick(("", "true", "false", "same", "same")),
                bound_is=pick(("constant", "state", "size")),
                also=pick(("", "", "condition", "limit")),
            )
        )
    return made


def constant(name: str, number: Any, dtype: str) -> onnx.NodeProto:
    return N("Constant", [], [name], value=numpy_helper.from_array(np.array(number, dtype), name))


def compared(case: Counter, number: str, bound: str, out: str) -> list[onnx.NodeProto]:
    nodes, names = [], [number, bound]
    if case.cast:
        names = [f"{out}_a", f"{out}_b"]
        for source, name in zip((number, bound), names, strict=True):
            nodes.append(N("Cast", [source], [name], to=TYPES[case.cast]))
    raw = f"{out}_raw" if case.negated else out
    nodes.append(N(case.compare, names[::-1] if case.swapped else names, [raw]))
    return nodes + ([N("Not", [raw], [out])] if case.negated else [])


def body(case: Counter) -> onnx.GraphProto:
    number = {"after": "i_out", "before": "i", "iteration": "trip"}[case.counter]
    bound = "b" if case.bound_is == "state" else "bound"
    nodes = [constant("step", case.step, case.dtype), N("Add", ["i", "step"], ["i_out"])]
    nodes += [N("MatMul", ["row", "w"], ["product"]), *compared(case, number, bound, "k")]
    last = "k"
    if case.also == "condition":
        nodes, last = [*nodes, N("And", ["going", "k"], ["both"])], "both"
    if case.also == "limit":
        nodes += [constant("three", 3, "int64"), N("LessOrEqual", ["trip", "three"], ["early"])]
        nodes, last = [*nodes, N("And", ["early", "k"], ["both"])], "both"
    nodes += [N("Identity", [last], ["still"]), N("Identity", [bound], ["b_out"])]
    kind = TYPES[case.dtype]
    inputs = [INFO("trip", TensorProto.INT64, []), INFO("going", TensorProto.BOOL, [])]
    outputs = [INFO("still", TensorProto.BOOL, []), INFO("i_out", kind, [])]
    return helper.make_graph(
        nodes,
        "body",
        [*inputs, INFO("i", kind, []), INFO("b", kind, [])],
        [*outputs, INFO("b_out", kind, []), INFO("product", TensorProto.FLOAT, [1, 3])],
    )


def model(case: Counter) -> onnx.ModelProto:
    nodes = [constant("start", case.start, case.dtype)]
    if case.bound_is == "size":
        nodes += [N("Shape", ["x"], ["shape"]), constant("zero", 0, "int64")]
        nodes += [N("Gather", ["shape", "zero"], ["size"])]
        nodes += [N("Cast", ["size"], ["bound"], to=TYPES[case.dtype])]
    else:
        nodes.append(constant("bound", case.bound, case.dtype))
    if case.limit is not None:
        nodes.append(constant("limit", case.limit, "int64"))
    if case.first == "same":
        nodes += compared(case, "start", "bound", "first")
    elif case.first:
        nodes.append(constant("first", case.first == "true", "bool"))
    optional = ["limit" if case.limit is not None else "", "first" if case.first else ""]
    loop = N("Loop", [*optional, "start", "bound"], ["i_end", "b_end", "y"], body=body(case))
    graph = helper.make_graph(
        [*nodes, loop],
        "g",
        [INFO("x", TensorProto.FLOAT, ["n", 2]), INFO("row", TensorProto.FLOAT, [1, 2])],
        [INFO("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ones((2, 3), np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def shown(path: Path, size: int) -> int:
    """Trips of a run: rows of the scan output."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options)
    feeds = {"x": np.ones((size, 2), np.float32), "row": np.ones((1, 2), np.float32)}
    return len(session.run(None, feeds)[0])


@pytest.mark.parametrize("case", counters(), ids=str)
def test_trips_are_those_of_a_run(case: Counter, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(model(case), path)
    formula = graphcount.count(str(path))
    for size in (1, 2, 3, 7) if case.bound_is == "size" else (2,):
        report = graphcount.count(str(path), dims={"n": size})
        trips = case.trips(size if case.bound_is == "size" else case.bound)
        if trips is None:
            assert "macs" in report.totals.at_least
            continue
        assert shown(path, size) == trips
        assert (report.totals.macs, report.totals.at_least) == (trips * MACS, ())
        if not formula.totals.at_least:
            assert formula.macs(n=size) == trips * MACS


def test_the_loops_differ() -> None:
    """Each form is among them with each trip count that matters."""
    cases = counters()
    for field in fields(Counter):
        assert len({getattr(case, field.name) for case in cases}) > 1
    trips = [case.trips(case.bound) for case in cases if case.bound_is != "size"]
    assert {None, 0, 1, 2, 3} <= set(trips)


def counting(**changes: Any) -> Counter:
    """The loop of TensorFlow's recurrent layers by tf2onnx: no limit, casts to float."""
    plain: dict[str, Any] = {
        "start": 0,
        "step": 1,
        "bound": 0,
        "compare": "Less",
        "negated": False,
        "swapped": False,
        "counter": "after",
        "dtype": "int32",
        "cast": "float32",
        "limit": None,
        "first": "same",
        "bound_is": "size",
        "also": "",
    }
    return Counter(**{**plain, **changes})


@pytest.mark.parametrize(
    ("changes", "macs"),
    [
        ({}, "6*n"),
        ({"bound_is": "state", "bound": -3}, 0),
        ({"start": 2}, "6*max(n - 2, 0)"),
        ({"start": 2, "step": 3, "also": "condition"}, "6*floor(n/3)"),
        ({"limit": 4}, "6*min(n, 4)"),
        ({"compare": "Equal", "negated": True}, "6*n"),
    ],
    ids=str,
)
def test_trips_over_a_size_are_a_formula(
    changes: dict[str, Any], macs: str | int, tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(model(counting(**changes)), path)
    totals = graphcount.count(str(path)).totals
    assert (totals.macs if isinstance(macs, int) else totals.macs_expression) == macs
    assert totals.at_least == ()


@pytest.mark.parametrize(
    ("name", "dims", "macs"),
    [("loop_early_exit", {}, 3 * 128), ("loop_over_time", {"t": 9, "b": 2}, 2160)],
)
def test_loops_of_exporters(shared: Path, name: str, dims: dict[str, int], macs: int) -> None:
    """A body that ends at i = 2 of 5 trips, and a cell that steps through time."""
    report = graphcount.count(str(shared / "field" / "models" / f"{name}.onnx"), dims=dims)
    assert (report.totals.macs, report.totals.at_least) == (macs, ())


def test_a_condition_with_data_in_it_has_the_bound_of_the_rest(tmp_path: Path) -> None:
    """`trip <= 3 and x[0] > 0`: 5 trips at most, the first one surely."""
    made = model(counting(first="", bound_is="state", also="limit", counter="iteration", cast=""))
    inside = made.graph.node[-1].attribute[0].g
    for node in inside.node:
        if node.output[0] == "k":
            node.CopyFrom(N("Greater", ["first", "nothing"], ["k"]))
    made.graph.node.insert(0, constant("nothing", 0, "float32"))
    made.graph.node.insert(0, N("ReduceMax", ["x"], ["first"], keepdims=0))
    path = tmp_path / "m.onnx"
    onnx.save(made, path)
    totals = graphcount.count(str(path)).totals
    assert (totals.macs, totals.macs_at_most) == (MACS, 5 * MACS)
    for sign, trips in ((-1, 1), (1, 5)):
        session = onnxruntime.InferenceSession(str(path))
        feeds = {"x": sign * np.ones((2, 2), np.float32), "row": np.ones((1, 2), np.float32)}
        assert len(session.run(None, feeds)[0]) == trips


def test_trips_beyond_64_bits_are_not_known(tmp_path: Path) -> None:
    case = counting(dtype="int64", cast="", start=-(2**63), bound=2**63 - 1, bound_is="state")
    path = tmp_path / "m.onnx"
    onnx.save(model(case), path)
    totals = graphcount.count(str(path)).totals
    assert (totals.macs_at_most, "macs" in totals.at_least) == (None, True)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_a_counter_that_its_type_cannot_hold_is_not_followed(dtype: Any, tmp_path: Path) -> None:
    """2^24 + 1 is 2^24 in float32: such a loop never ends; of 32 bits, it is one of 2^24 trips."""
    case = counting(bound=2**24 + 1, dtype=dtype, cast="", bound_is="state")
    path = tmp_path / "m.onnx"
    onnx.save(model(case), path)
    totals = graphcount.count(str(path)).totals
    if dtype == "int32":
        assert (totals.macs, totals.at_least) == ((2**24 + 1) * MACS, ())
    else:
        assert (totals.macs, totals.macs_at_most) == (MACS, None)
        assert "macs" in totals.at_least
