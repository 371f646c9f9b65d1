"""A rule on symbols, evaluated, is the rule on numbers; closed forms where there are some."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcount.loading.model import Attribute, AttributeValues, Node
from graphcount.ops import Key, lookup, operators
from graphcount.ops.call import DataRule, Facts, Ratio, Shape, ShapeRule
from graphcount.ops.inference import CANNOT, at_least, broadcast, larger, result_dtypes, smaller
from graphcount.ops.slicing import FAR, slice_length
from graphcount.symbolic import Dim, evaluate, minimum, symbol

A, B = symbol("a"), symbol("b")
SIZES = st.fixed_dictionaries({"a": st.integers(1, 12), "b": st.integers(1, 12)})
DIMS = st.sampled_from([1, 2, 3, 7, A, B, A + B, 2 * A, A * B, A + 1, 3 * A + 2 * B])


def attribute(name: str, value: Any) -> Attribute:
    if isinstance(value, str):
        return Attribute(
            name, 0, "", AttributeValues("string", (value.encode(),), 0, False), (), (), (), 0
        )
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    kind = "float" if any(isinstance(number, float) for number in values) else "int"
    held = AttributeValues(kind, values, 0, isinstance(value, list | tuple))
    return Attribute(name, 0, "", held, (), (), (), 0)


def node(op_type: str, inputs: int, outputs: int = 1, **attributes: Any) -> Node:
    names = tuple(f"x{index}" for index in range(inputs))
    made = tuple(f"y{index}" for index in range(outputs))
    given = tuple(attribute(name, value) for name, value in attributes.items())
    return Node(op_type, "", "", names, made, given, "", {}, 0)


def shape_rule(key: Key) -> ShapeRule:
    row = lookup(*key)
    assert row is not None
    assert row.shape is not None
    return row.shape


def data_rule(key: Key) -> DataRule:
    row = lookup(*key)
    assert row is not None
    assert row.data is not None
    return row.data


def rule(op_type: str, shapes: list[Shape | None], numbers: Any = None, **attributes: Any) -> Any:
    known = tuple(numbers) if numbers is not None else (None,) * len(shapes)
    values = tuple(
        None if row is None or any(n is None or isinstance(n, Ratio) for n in row) else row
        for row in known
    )
    facts = Facts(
        node(op_type, len(shapes), **attributes), 21, tuple(shapes), values, (), (), known
    )
    return shape_rule(("", op_type))(facts)[0]


def at(shape: Shape | None, sizes: dict[str, int]) -> tuple[Dim | None, ...] | None:
    if shape is None:
        return None
    return tuple(evaluate(dim, sizes) if dim is not None else None for dim in shape)


@given(DIMS, DIMS, SIZES)
def test_larger_and_smaller(a: Dim, b: Dim, sizes: dict[str, int]) -> None:
    x, y = evaluate(a, sizes), evaluate(b, sizes)
    assert isinstance(x, int)
    assert isinstance(y, int)
    assert evaluate(larger(a, b), sizes) == max(x, y)
    assert evaluate(smaller(a, b), sizes) == min(x, y)
    low = at_least(a)
    assert low is not None
    assert low <= x


@given(
    DIMS,
    st.integers(-15, 15) | st.sampled_from([FAR, -FAR, 2**63 - 1, -(2**63)]),
    st.integers(-15, 15) | st.sampled_from([FAR, -FAR, 2**63 - 1, -(2**63)]),
    st.integers(1, 4),
    SIZES,
)
@settings(max_examples=400)
def test_slice_is_what_python_takes(
    size: Dim, start: int, end: int, step: int, sizes: dict[str, int]
) -> None:
    number = evaluate(size, sizes)
    assert isinstance(number, int)
    length = slice_length(size, start, end, step)
    assert length is not None
    assert evaluate(length, sizes) == len(range(number)[start:end:step])


@given(st.integers(0, 12), st.integers(-15, 15), st.integers(-15, 15), st.integers(-4, -1))
def test_slice_backwards(size: int, start: int, end: int, step: int) -> None:
    if -size <= start and size:  # before that, ONNX starts at 0 and Python nowhere
        assert slice_length(size, start, end, step) == len(range(size)[start:end:step])


def test_slices_between_symbols() -> None:
    assert slice_length(A + B, B, A + B, 1) == A
    assert slice_length(A, 0, A, 1) == A
    rows = minimum(A + B, 1024) - minimum(A, 1024)  # of a stored table, at the positions in use
    assert slice_length(1024, A, A + B, 1) == rows
    assert slice_length(A + B, -B, FAR, 1) == B
    assert slice_length(A, -1, FAR, 1) == 1


@given(DIMS, st.integers(1, 5), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3), SIZES)
@settings(max_examples=300)
def test_windows_are_counted(
    size: Dim, kernel: int, stride: int, pad: int, dilation: int, sizes: dict[str, int]
) -> None:
    attributes = {"strides": [stride], "pads": [pad, pad], "dilations": [dilation]}
    shape = rule("Conv", [(2, 3, size), (8, 3, kernel)], **attributes)
    number = evaluate(size, sizes)
    assert isinstance(number, int)
    reach = dilation * (kernel - 1) + 1
    padded = number + 2 * pad
    if padded >= reach:
        wanted = sum(1 for start in range(0, padded, stride) if start + reach <= padded)
        assert at(shape, sizes) == (2, 8, wanted)


@given(DIMS, st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), SIZES)
@settings(max_examples=300)
def test_windows_rounded_up_start_inside(
    size: Dim, kernel: int, stride: int, pad: int, sizes: dict[str, int]
) -> None:
    pad = min(pad, kernel - 1)
    attributes = {"kernel_shape": [kernel], "strides": [stride], "pads": [pad, pad]}
    shape = rule("MaxPool", [(1, 1, size)], **attributes, ceil_mode=1)
    number = evaluate(size, sizes)
    assert isinstance(number, int)
    if number + 2 * pad < kernel:
        return
    count = -((kernel - number - 2 * pad) // stride) + 1
    if (count - 1) * stride >= number + pad:
        count -= 1
    assert at(shape, sizes) == (1, 1, count)


@given(st.lists(st.sampled_from([1, 4, A, B]), max_size=4), SIZES)
def test_broadcasting(dims: list[Dim], sizes: dict[str, int]) -> None:
    sizes = {"a": 4, "b": 1} if sizes["a"] % 2 else {"a": 1, "b": 4}
    shape = tuple(dims)
    numbers = at(shape, sizes)
    for other in ((A,), (4, 1), (B, A)):
        symbolic = broadcast([shape, other])
        assert at(symbolic, sizes) == broadcast([numbers, at(other, sizes)])


def test_what_does_not_broadcast_is_refused() -> None:
    with pytest.raises(ValueError, match="2 and 4 do not broadcast"):
        broadcast([(2, 3), (4, 3)])
    assert broadcast([(2, 3), (None, 3)]) == (2, 3)
    assert broadcast([(2,), None]) is None


@pytest.mark.parametrize(
    ("data", "target", "wanted"),
    [
        ((A, 12, 64), (0, -1), (A, 768)),
        ((A, B, 768), (0, 0, 12, 64), (A, B, 12, 64)),
        ((A, A + B, 768), (A, A + B, 12, -1), (A, A + B, 12, 64)),
        ((A, A + B, 768), (-1, 768), (A * A + A * B, 768)),
        ((A, 4), (None, 2), (2 * A, 2)),
        ((2, 3), (2, None, None), (2, None, None)),
    ],
)
def test_reshape(data: Shape, target: Any, wanted: Shape) -> None:
    assert rule("Reshape", [data, (len(target),)], [None, target]) == wanted


def test_resize_by_a_fraction() -> None:
    scales = (1, 1, Ratio(1, 2), Ratio(3, 2))
    shape = rule("Resize", [(1, 3, A, 2 * A), None, (4,)], [None, None, scales])
    assert at(shape, {"a": 7}) == (1, 3, 3, 21)


# ------------------------------------------------------------------------------------ robustness

NAMES = [
    "axis",
    "axes",
    "perm",
    "shape",
    "kernel_shape",
    "strides",
    "pads",
    "dilations",
    "group",
    "auto_pad",
    "ceil_mode",
    "equation",
    "keepdims",
    "num_heads",
    "kv_num_heads",
    "q_num_heads",
    "split",
    "num_outputs",
    "blocksize",
    "batch_dims",
    "layout",
    "hidden_size",
    "direction",
    "output_shape",
    "output_padding",
    "output_height",
    "scales",
    "starts",
    "ends",
    "start",
    "end",
    "k",
    "to",
    "dtype",
    "N",
    "transA",
    "transB",
    "depth",
    "tiles",
    "inputdimensions",
    "ngram_indexes",
    "n_targets",
    "channels",
    "qkv_hidden_sizes",
    "num_scan_inputs",
    "exclusive",
    "keep_aspect_ratio_policy",
    "onesided",
    "sample_size",
]
ODD = [0, 1, -1, 2, 3, -7, 2**31, -(2**31), 2**62, 2**63 - 1, -(2**63)]
TEXTS = ["", "SAME_UPPER", "VALID", "ij,jk->ik", "...i,...j", "->", "bidirectional", "not_larger"]


def odd_dim(rng: random.Random) -> Any:
    return rng.choice([None, A, A + B, A * B - 3, *ODD, 4, 5])


def odd_facts(rng: random.Random, op_type: str) -> Facts:
    count = rng.randrange(7)
    made = {
        name: rng.choice(
            [
                rng.choice(ODD),
                [rng.choice(ODD) for _ in range(rng.randrange(6))],
                rng.choice(TEXTS),
                rng.choice([0.5, float("nan"), float("inf")]),
            ]
        )
        for name in rng.sample(NAMES, 12)
    }
    shapes = tuple(
        rng.choice([None, tuple(odd_dim(rng) for _ in range(rng.randrange(6)))])
        for _ in range(count)
    )
    numbers = tuple(
        rng.choice([None, tuple(odd_dim(rng) for _ in range(rng.randrange(5)))])
        for _ in range(count)
    )
    values = tuple(None if row is None or None in row else row for row in numbers)
    types = tuple(rng.choice([0, 1, 2, 6, 7, 9, 99]) for _ in range(count))
    made_node = node(op_type, count, rng.randrange(5), **made)
    return Facts(made_node, rng.choice([1, 6, 9, 13, 21]), shapes, values, types, (), numbers)


def test_odd_attributes_raise_nothing_else() -> None:
    for key, row in operators().items():
        rng = random.Random(f"{key}")
        for _ in range(25 if row.shape else 0):
            assert row.shape is not None
            facts = odd_facts(rng, key[1])
            outputs: tuple[Shape | None, ...] = ()
            try:
                outputs = tuple(row.shape(facts))
                result_dtypes(row.dtypes, facts)
                if row.data is not None:
                    row.data(facts, outputs)
            except CANNOT:
                continue
            assert all(shape is None or len(shape) <= 140 for shape in outputs), key


def test_odd_attributes_are_no_trouble_to_a_check() -> None:
    for key, row in operators().items():
        rng = random.Random(f"{key}")
        for _ in range(100 if row.check else 0):
            assert row.check is not None
            assert isinstance(row.check(odd_facts(rng, key[1])), str), key


@pytest.mark.parametrize(("op_type", "wanted"), [("Abs", (3, 0, 2, A)), ("Relu", (0, 0, 2, A))])
def test_a_negative_number_has_a_size(op_type: str, wanted: tuple[Dim, ...]) -> None:
    numbers = (-3, 0, 2, A)
    facts = Facts(node(op_type, 1), 21, ((4,),), (numbers,), (7,), (), (numbers,))
    assert data_rule(("", op_type))(facts, ((4,),)) == [wanted]


@pytest.mark.parametrize(("fmod", "wanted"), [(0, (1, -1, 3, -3)), (1, (-3, 3, 3, -3))])
def test_a_remainder_has_the_sign_of_one_operand(fmod: int, wanted: tuple[int, ...]) -> None:
    numbers = (-7, 7, 7, -7), (4, -4, 4, -4)
    facts = Facts(node("Mod", 2, fmod=fmod), 21, ((4,), (4,)), numbers, (7, 7), (), numbers)
    assert data_rule(("", "Mod"))(facts, ((4,),)) == [wanted]
