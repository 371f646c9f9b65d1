"""Floats in the arithmetic of sizes: what a formula gives is what float arithmetic gives."""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from graphcount.ops import arithmetic
from graphcount.ops.call import Number, Ratio
from graphcount.ops.floats import SHORT, short
from graphcount.symbolic import Dim, evaluate, symbol

H = symbol("h")
FLOATS = [np.float32, np.float64]


def stored(value: Any) -> Number:
    """A float of a tensor as the arithmetic gets it."""
    return arithmetic.ratio(*float(value).as_integer_ratio())


@pytest.mark.parametrize("kind", FLOATS)
def test_a_short_fraction_rounds_as_the_float_does(kind: Any) -> None:
    """Every float that is taken for a fraction, times and over sizes up to 65,535."""
    random = np.random.default_rng(1)
    sizes = np.unique(np.concatenate([np.arange(1, 1500), random.integers(1, 65536, 500)]))
    taken = 0
    for q in range(1, SHORT + 1, 2):
        for p in range(1, SHORT + 1, 3):
            number = stored(kind(p / q))
            if not isinstance(number, Ratio) or short(number) == number:
                continue
            assert short(number) == Ratio(*Fraction(p, q).as_integer_ratio())
            taken += 1
            product, quotient = sizes.astype(kind) * kind(p / q), sizes.astype(kind) / kind(p / q)
            assert (np.floor(product) == sizes * p // q).all(), (p, q)
            assert (np.ceil(product) == -(-sizes * p // q)).all(), (p, q)
            assert (np.floor(quotient) == sizes * q // p).all(), (p, q)
            assert (np.ceil(quotient) == -(-sizes * q // p)).all(), (p, q)
    assert taken > 1000


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(st.integers(1, 4096).map(lambda n: n / 128), st.floats(0.01, 16), st.integers(1, 99)),
    st.sampled_from([3, 6, 7, 10, 12, 100]),
    st.integers(1, 5000),
    st.sampled_from(FLOATS),
)
def test_numbers_are_multiplied_as_floats(value: float, by: int, size: int, kind: Any) -> None:
    scale = kind(value / by)
    product, quotient = kind(size) * scale, kind(size) / scale
    number = stored(scale)
    for result, truth in (
        (arithmetic.multiplied(size, number), product),
        (arithmetic.quotient(size, number), quotient),
    ):
        assert arithmetic.rounded_down(result) == floor(truth)
        assert arithmetic.rounded_up(result) == ceil(truth)
        assert arithmetic.rounded(result) == round(float(truth))


@settings(max_examples=300, deadline=None)
@given(st.fractions(0, 20, max_denominator=40), st.integers(-9, 9), st.integers(1, 400))
def test_rounding_of_formulas(by: Fraction, plus: int, size: int) -> None:
    number = arithmetic.plus(arithmetic.multiplied(H, Ratio(*by.as_integer_ratio())), plus)
    exact = size * by + plus

    def at(dim: Number) -> Dim:
        assert dim is not None
        assert not isinstance(dim, Ratio)
        return evaluate(dim, {"h": size})

    assert at(arithmetic.rounded_down(number)) == floor(exact)
    assert at(arithmetic.rounded_up(number)) == ceil(exact)
    assert at(arithmetic.rounded(number)) == round(exact)
    assert at(arithmetic.truncated(number)) == int(exact)


@pytest.mark.parametrize(
    ("scale", "text"),
    [
        (0.1, "floor(h/10)"),
        (1 / 3, "floor(h/3)"),
        (0.3, "floor((3*h)/10)"),
        (0.6, "floor((3*h)/5)"),
        (2 / 3, "floor((2*h)/3)"),
        (0.5, "floor(h/2)"),
        (2.0, "2*h"),
        (1.1, "floor(h/10) + h"),
    ],
)
def test_scales_are_short_fractions(scale: float, text: str) -> None:
    assert str(arithmetic.scaled(H, stored(np.float32(scale)))) == text


def test_resize_has_the_sizes_of_onnxruntime() -> None:
    """0.7 as a float32 is below 7/10, and yet 10 pixels become 7; 1.3 is not that near to 13/10."""
    runtime = pytest.importorskip("onnxruntime")
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [None]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [1]),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")
    graph = helper.make_graph([node], "g", inputs, [output])
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    formulas = 0
    for scale in (0.1, 0.3, 0.35, 0.6, 0.7, 0.9, 1.1, 1.3, 1.7, 1 / 3, 2 / 3, 0.123, 1.234567):
        number = stored(np.float32(scale))
        formula = arithmetic.scaled(H, number)
        assert formula is not None
        known = max(map(int, re.findall(r"\d+", str(formula)))) <= SHORT
        formulas += known
        for size in (*range(10, 130), 200, 320, 1000):
            feeds = {"x": np.zeros(size, np.float32), "scales": np.array([scale], np.float32)}
            length = len(session.run(None, feeds)[0])
            assert arithmetic.scaled(size, number) == length, (scale, size)
            assert not known or evaluate(formula, {"h": size}) == length, (scale, size)
    assert formulas == 10


def test_integers_are_divided_towards_zero() -> None:
    a, b = symbol("a"), symbol("b")
    for divisor in (3, -3, b):
        quotient = arithmetic.whole_quotient(a - b, divisor)
        remainder = arithmetic.fmod(a - b, divisor)
        for x, y in ((1, 9), (9, 1), (4, 4), (2, 9)):
            by = y if divisor == b else divisor
            truth = int(Fraction(x - y, by))  # type: ignore[arg-type]
            values = {"a": x, "b": y}
            assert evaluate(quotient, values) == truth  # type: ignore[arg-type]
            assert evaluate(remainder, values) == x - y - truth * by  # type: ignore[arg-type]
    assert arithmetic.whole_quotient(a, a - b) is None
