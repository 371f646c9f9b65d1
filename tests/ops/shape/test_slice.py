"""Slice: lengths of dynamic axes are those that onnxruntime gives when they are bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from graphcount.loading.model import Node
from graphcount.ops.call import Facts, Number
from graphcount.ops.inference import joined
from graphcount.ops.slicing import slice_, slice_length, sliced
from graphcount.symbolic import Dim, Expr, TooComplexError, evaluate, floordiv, minimum, symbol

Cut: TypeAlias = "Callable[[int, int, int, int], list[int]]"

N, M = symbol("n"), symbol("m")

BOUNDS: list[Dim] = [
    *(0, 1, 2, 7, -1, -2, -9, 10**9, 2**31 - 1, 2**63 - 1, -(2**31), -(2**63)),
    *(N, M, N - 1, N - M, M - 2, -M, 2 * N, floordiv(N, 2), 600 * N + 20, minimum(N, 5), N * M),
]

bounds = st.one_of(st.sampled_from(BOUNDS), st.integers(-15, 15))


@pytest.fixture(scope="module")
def cut() -> Cut:
    """Run a Slice of one axis of 0, 1, 2, … and return what it takes."""
    runtime = pytest.importorskip("onnxruntime")
    names = ("data", "starts", "ends", "axes", "steps")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, [None]) for name in names]
    output = helper.make_tensor_value_info("out", TensorProto.INT64, [None])
    graph = helper.make_graph([helper.make_node("Slice", names, ["out"])], "g", inputs, [output])
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=runtime.get_available_providers()[-1:]
    )

    def run(size: int, start: int, end: int, step: int) -> list[int]:
        values = (np.arange(size), *(np.array([number]) for number in (start, end, 0, step)))
        (out,) = session.run(None, dict(zip(names, values, strict=True)))
        return out.tolist()  # type: ignore[no-any-return]

    return run


def at(number: Dim, n: int, m: int) -> int:
    value = evaluate(number, {"n": n, "m": m})
    assert isinstance(value, int)
    return value


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from([N, N + 3, 2 * M, 1, 4, 20]),
    bounds,
    bounds,
    st.sampled_from([1, 1, 2, 3, -1, -2, 100, -100]),
    st.integers(1, 30),
    st.integers(1, 30),
)
@example(20, 0, 600 * N + 20, 1, 3, 1)
@example(N, 0, 10**9, 1, 3, 1)
@example(N, -1, -(2**63), -1, 3, 1)
@example(8, M, M + N, 1, 4, 9)
def test_a_length_is_that_of_onnxruntime(
    cut: Cut,
    size: Dim,
    start: Dim,
    end: Dim,
    step: int,
    n: int,
    m: int,
) -> None:
    try:
        dim = slice_length(size, start, end, step)
    except TooComplexError:
        return
    assert dim is not None
    assert at(dim, n, m) == len(cut(at(size, n, m), at(start, n, m), at(end, n, m), step))


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 12),
    st.integers(-15, 15) | st.sampled_from([10**9, 2**63 - 1, -(2**63)]),
    st.integers(-15, 15) | st.sampled_from([10**9, 2**31 - 1, 2**63 - 1, -(2**63)]),
    st.sampled_from([1, 2, -1, -2, 100, -100]),
)
def test_elements_are_those_of_onnxruntime(
    cut: Cut, size: int, start: int, end: int, step: int
) -> None:
    elements = tuple(range(size))
    operands = ("data", "starts", "ends", "axes", "steps")
    node = Node("Slice", "", "", operands, ("out",), (), "", {}, 0)
    facts = Facts(
        node=node,
        opset=13,
        inputs=((size,), (1,), (1,), (1,), (1,)),
        numbers=(elements, (start,), (end,), (0,), (step,)),
    )
    (length,) = slice_(facts)
    taken = cut(size, start, end, step)
    assert length == (len(taken),)
    assert sliced(facts, (length,)) == [tuple(taken)]


@pytest.mark.parametrize(
    ("size", "start", "end", "step", "text"),
    [
        (N, 0, 10**9, 1, "n"),
        (N, 1, 2**63 - 1, 1, "n - 1"),
        (N, 0, -1, 1, "n - 1"),
        (N, -1, 2**31 - 1, 1, "1"),
        (N, -1, -(2**63), -1, "n"),
        (N, 0, 2**63 - 1, 2, "ceil(n/2)"),
        (N, 0, 512, 1, "min(n, 512)"),
        (N, 0, -3, 1, "max(n - 3, 0)"),
        (512, 0, N, 1, "min(n, 512)"),
        (20, 0, 600 * N + 20, 1, "20"),
        (1024, M, M + N, 1, "min(m + n, 1024) - min(m, 1024)"),
        (M + N, M, M + N, 1, "n"),
        (M + N, -N, 2**63 - 1, 1, "n"),
    ],
)
def test_lengths_are_short_formulas(
    size: Dim, start: Number, end: Number, step: int, text: str
) -> None:
    assert str(slice_length(size, start, end, step)) == text


def test_a_table_cut_to_the_length_of_a_sequence_broadcasts_to_it() -> None:
    rows = slice_length(1024, M, M + N, 1)
    assert joined(rows, N) == N
    assert joined(slice_length(512, 0, N, 1), N) == N


def test_a_size_that_is_known_is_no_end() -> None:
    """10^9 is to the end of what is dynamic; of 2 * 10^9 rows it is half."""
    assert slice_length(2 * 10**9, 0, 10**9, 1) == 10**9
    assert isinstance(slice_length(N, 0, 10**9 - 1, 1), Expr)
