"""What records say beside their rules, compared with definitions: schemas, and onnx's reference.

onnx.reference computes what Operators.md defines, so a trait is tried on numbers where it can be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from graphcount.ops import NEWEST_OPSET, Operator, lookup, operators
from graphcount.ops.call import Call
from graphcount.ops.schemas import schema, versions
from tests.ops.cost.conftest import make

WEIGHTS = {"weight", "recurrent weight", "quantized weight"}
WITHOUT_CHANNELS = {
    ("com.microsoft", name)
    for name in ("MatMulFpQ4", "MatMulNBitsQkv", "HyperConnectionLowRankMix")
}
INT8, INT32 = 3, 6


def standard() -> dict[str, Operator]:
    """Records of ONNX's own operators."""
    return {op_type: row for (_, op_type), row in operators("").items()}


def named(*traits: str) -> set[str]:
    """Operators of ONNX with one of these traits."""
    return {op_type for op_type, row in standard().items() if not row.traits.isdisjoint(traits)}


def computed(
    op_type: str,
    *values: np.ndarray,
    opset: int = 23,
    outputs: Sequence[str] = ("y",),
    **attributes: Any,
) -> np.ndarray | None:
    """First result of an operator by onnx's reference; None where it has none for such inputs."""
    names = [f"x{number}" for number in range(len(values))]
    node = helper.make_node(op_type, names, outputs, **attributes)
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), None)
        for name, value in zip(names, values, strict=True)
    ]
    graph = helper.make_graph([node], "g", infos, [onnx.ValueInfoProto(name="y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        with np.errstate(all="ignore"):
            (found,) = ReferenceEvaluator(model).run(None, dict(zip(names, values, strict=True)))
    except Exception:  # whatever it raises: the operator takes something else
        return None
    return found if isinstance(found, np.ndarray) else None


def places(op_type: str) -> tuple[int, str]:
    """Fewest inputs, and a letter for each."""
    found = schema("", op_type, NEWEST_OPSET[""])
    return (found.inputs.fewest, found.inputs.letters) if found else (0, "")


ELEMENTWISE = [op_type for op_type, row in standard().items() if row.family == "elementwise"]
UNARY = [name for name in ELEMENTWISE if places(name)[0] == 1 and "v" not in places(name)[1]]
BINARY = [name for name in ELEMENTWISE if places(name) == (2, "rr")]
A = np.array([0.5, 1.5, 3.0, 3.5, 5.0], np.float32)
B = np.array([2.0, 4.0, 2.5, 3.5, 0.25], np.float32)


def of_two(op_type: str, a: np.ndarray = A, b: np.ndarray = B) -> np.ndarray | None:
    return computed(op_type, a, b)


# -------------------------------------------------------------------------------- element-wise


def test_arithmetic_is_that_of_numpy() -> None:
    functions = (np.add, np.subtract, np.multiply, np.divide, np.power)
    found = {
        op_type
        for op_type in BINARY
        if (result := of_two(op_type)) is not None
        and any(np.allclose(result, function(A, B)) for function in functions)
    }
    assert found == named("arithmetic")
    assert len(found) == len(functions)


def test_what_scales_is_odd_and_grows_with_its_first_operand() -> None:
    found = set()
    for op_type in BINARY:
        once, twice, other = of_two(op_type), of_two(op_type, 2 * A), of_two(op_type, -A)
        if once is None or twice is None or other is None or once.dtype == bool:
            continue
        if np.allclose(twice, 2 * once) and np.allclose(other, -once):
            found.add(op_type)
    assert found == named("scales")


def test_what_compares_makes_truths_of_floats() -> None:
    """And of both kinds: And, Or and Xor say the same of all floats that are not 0."""
    results = {name: of_two(name) for name in BINARY}
    found = {
        name
        for name, result in results.items()
        if result is not None and result.dtype.kind == "b" and 0 < result.mean() < 1
    }
    assert found == named("compares")


def test_what_constrains_keeps_the_order_of_all_numbers_in_a_narrower_range() -> None:
    """On one side at least nothing changes any more from -1e6 to -1e30, or from 1e6 to 1e30."""
    grid = np.linspace(-3, 3, 61, dtype=np.float32)
    far = np.array([[-1e6, 1e6], [-1e30, 1e30]], np.float32)
    found = set()
    for op_type in UNARY:
        near, ends = computed(op_type, grid), computed(op_type, far)
        if near is None or ends is None or near.dtype != np.float32:
            continue
        settled = np.isclose(ends[0], ends[1]) & np.isfinite(ends[1])
        if (np.diff(near) > 0).all() and settled.any():
            found.add(op_type)
    assert found == named("constrains") - {"Softmax"}
    softmax = computed("Softmax", grid)
    assert softmax is not None
    assert (np.diff(softmax) > 0).all()
    assert 0 < softmax.max() < 1


# ------------------------------------------------------------------------------------ movement

NUMBERS = np.arange(1, 25, dtype=np.float32).reshape(2, 12, 1, 1)


def index(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


MOVED: dict[str, tuple[tuple[np.ndarray, ...], dict[str, Any]]] = {
    "Identity": ((), {}),
    "Transpose": ((), {}),
    "Flatten": ((), {}),
    "Reshape": ((index(4, 6),), {}),
    "Expand": ((index(2, 12, 3, 2),), {}),
    "Squeeze": ((index(3),), {}),
    "Unsqueeze": ((index(0),), {}),
    "Split": ((), {"num_outputs": 1}),
    "Tile": ((index(2, 1, 1, 1),), {}),
    "Concat": ((NUMBERS,), {"axis": 1}),
    "ReverseSequence": ((index(*[2] * 12),), {}),
    "Gather": ((index(1, 0, 1),), {}),
    "GatherElements": ((np.zeros((1, 12, 1, 1), np.int64),), {}),
    "GatherND": ((index(1, 3),), {}),
    "Compress": ((np.array([False, True]),), {"axis": 0}),
    "Slice": ((index(1), index(5), index(1)), {}),
    "DepthToSpace": ((), {"blocksize": 2}),
    "SpaceToDepth": ((), {"blocksize": 1}),
}
"""Inputs behind the first and attributes, for each operator that keeps values."""


def test_features_of_an_array_are_elements_of_it() -> None:
    """ArrayFeatureExtractor, the one operator of ai.onnx.ml that only picks."""
    node = helper.make_node("ArrayFeatureExtractor", ["x", "at"], ["y"], domain="ai.onnx.ml")
    infos = [
        helper.make_tensor_value_info("x", 1, None),
        helper.make_tensor_value_info("at", 7, None),
    ]
    graph = helper.make_graph([node], "g", infos, [onnx.ValueInfoProto(name="y")])
    domains = [helper.make_opsetid("ai.onnx.ml", 1), helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=domains)
    feeds = {"x": np.arange(1, 9, dtype=np.float32).reshape(2, 4), "at": np.array([3, 0])}
    (features,) = ReferenceEvaluator(model).run(None, feeds)
    assert isinstance(features, np.ndarray)
    assert set(features.ravel()) < set(feeds["x"].ravel())
    rows = operators("ai.onnx.ml")
    for trait in ("keeps values", "picks"):
        assert {key[1] for key, row in rows.items() if trait in row.traits} == {node.op_type}


def test_operators_of_one_name_move_elements_alike() -> None:
    """onnxruntime's own GatherND, Pad and others are what ONNX made standard later."""
    moves = {"keeps values", "picks", "renames"}
    for (_, op_type), row in operators("com.microsoft").items():
        named = lookup("", op_type)
        if named is not None:
            assert row.traits & moves == named.traits & moves, op_type


def test_scales_stand_beside_zero_points_by_the_names_of_operators() -> None:
    """In QuantizeLinear, DequantizeLinear and QLinear...: each pair of such inputs is compared."""
    for (domain, op_type), row in operators("", "com.microsoft").items():
        if op_type == "QLinearConcat" or not op_type.startswith(("QLinear", "QuantizeL", "Dequ")):
            continue
        pairs = [
            (index, index + 1)
            for index, role in enumerate(row.roles)
            if role == "quantization scale" and row.role(index + 1) == "zero point"
        ]
        if op_type not in ("DequantizeWithOrder", "DequantizeBFP"):
            assert pairs, op_type
        assert [(one.scale, one.zero) for one in row.scaled] == pairs, (domain, op_type)


def test_every_operator_that_keeps_values_is_tried() -> None:
    assert set(MOVED) == named("keeps values")


@pytest.mark.parametrize("op_type", MOVED)
def test_what_keeps_values_makes_no_new_ones(op_type: str) -> None:
    more, attributes = MOVED[op_type]
    found = computed(op_type, NUMBERS, *more, **attributes)
    assert found is not None
    assert found.size
    assert set(found.ravel().tolist()) <= set(NUMBERS.ravel().tolist())


AXES: dict[str, tuple[tuple[np.ndarray, ...], dict[str, Any]]] = {
    "Identity": ((), {}),
    "Cast": ((), {"to": 11}),
    "CastLike": ((np.zeros(1),), {}),
    "Transpose": ((), {"perm": [2, 0, 3, 1]}),
    "Squeeze": ((index(-2),), {}),
    "Unsqueeze": ((index(0, -1),), {}),
    "Gather": ((index(1),), {"axis": -1}),
    "Split": ((index(2),), {}),
}


def test_every_rule_for_axes_is_tried() -> None:
    assert {op_type for op_type, row in standard().items() if row.axes is not None} == set(AXES)


@pytest.mark.parametrize("op_type", AXES)
def test_axes_go_where_the_reference_moves_them(op_type: str) -> None:
    """Axes of 2, 3, 1 and 7: each length tells which one it is."""
    more, attributes = AXES[op_type]
    data = np.zeros((2, 3, 1, 7), np.float32)
    found, rule = computed(op_type, data, *more, **attributes), standard()[op_type].axes
    assert found is not None
    assert rule is not None
    shapes = [one.shape for one in (data, *more)]
    values = [None, *(tuple(one.tolist()) if one.dtype == np.int64 else None for one in more)]
    axes = rule(make(op_type, shapes, values=values, **attributes), (0, 1, 2, 3))
    assert axes is not None
    assert len(axes) == found.ndim
    kept = [(axis, size) for axis, size in zip(axes, found.shape, strict=True) if axis is not None]
    assert all(data.shape[axis] == size for axis, size in kept)
    assert len(kept) == 4 - (op_type in ["Squeeze", "Gather"])


PARTS: dict[str, tuple[tuple[np.ndarray, ...], dict[str, Any]]] = {
    **{name: MOVED[name] for name in ("Compress", "Slice")},
    "Gather": ((index(1),), {}),
    "GatherElements": ((np.zeros((1, 12, 1, 1), np.int64),), {}),
    "GatherND": ((index(1, 2).reshape(1, 2),), {}),
    "Split": ((), {"num_outputs": 2}),
}
"""Inputs and attributes by which an operator returns a part of the first input."""


def test_what_picks_returns_a_part_and_all_else_that_keeps_values_returns_all() -> None:
    for op_type, (more, attributes) in {**MOVED, **PARTS}.items():
        node_outputs = ["y", ""][: attributes.get("num_outputs", 1)]
        found = computed(op_type, NUMBERS, *more, outputs=node_outputs, **attributes)
        assert found is not None, op_type
        whole = set(found.ravel().tolist()) == set(NUMBERS.ravel().tolist())
        assert whole == (op_type not in PARTS), op_type
    of_sequences = {"SequenceAt"}
    assert named("picks") == PARTS.keys() | of_sequences


def test_what_falls_falls_with_its_first_operand() -> None:
    grids = {
        "tensor(float)": np.linspace(-1, 1, 20, dtype=np.float32),
        "tensor(bool)": np.array([False, True]),
        "tensor(int64)": np.arange(-3, 4),
    }
    found = set()
    for op_type in (*UNARY, *BINARY):
        types = onnx.defs.get_schema(op_type).inputs[0].types
        for grid in [grid for name, grid in grids.items() if name in types]:
            seconds = [()] if op_type in UNARY else [(np.full_like(grid, k),) for k in (0, 0.5)]
            results = [computed(op_type, grid, *second) for second in seconds]
            steps = [
                np.diff(result.astype(np.float64))
                for result in results
                if result is not None and result.dtype.kind in "bfi" and np.isfinite(result).all()
            ]
            falling = [(step <= 0).all() and (step < 0).any() for step in steps]
            if falling and all(falling):
                found.add(op_type)
    assert found == named("falls")


FOLDED = np.arange(1, 25, dtype=np.float32).reshape(1, 1, 4, 6)
KERNEL = {"kernel_shape": [4, 6]}
FOLDING: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), KERNEL),
    **{name: {"axis": 3} for name in ("ArgMax", "ArgMin")},
}
"""Attributes of operators that fold, where they have to be given."""


def test_what_folds_makes_fewer_elements_and_each_of_the_input_can_matter() -> None:
    found = set()
    for op_type, row in standard().items():
        if row.family not in ("reduction", "pool"):
            continue
        attributes = FOLDING.get(op_type, {})
        plain = computed(op_type, FOLDED, **attributes)
        if plain is None or plain.size >= FOLDED.size:
            continue
        for place in range(FOLDED.size):
            results = []
            for extreme in (-1000, 1000):
                changed = FOLDED.copy()
                changed.flat[place] = extreme
                results.append(computed(op_type, changed, **attributes))
            same = [result is not None and np.array_equal(result, plain) for result in results]
            assert not all(same), op_type
        found.add(op_type)
    otherwise = {"GlobalLpPool", "Size", "TopK", "Loop", "Scan"}  # these the reference lacks here
    assert found | otherwise == named("folds")


def test_what_is_random_has_a_seed_but_for_dropout() -> None:
    seeded = {item.name for item in onnx.defs.get_all_schemas() if "seed" in item.attributes}
    assert named("random") == seeded - {"Dropout"}


ONE_INPUT = [op_type for op_type in standard() if places(op_type)[0] == 1]
SEED: dict[str, Any] = {"seed": 1.0}


def test_what_depends_on_shapes_only_says_the_same_of_other_elements() -> None:
    """Of operators that have a result for a matrix without any attribute but a seed."""
    one = np.array([[np.nan, -1, 0], [np.inf, 2, 3]], np.float32)
    two, longer = np.array([[1, 9, 9], [2, 3, 4]], np.float32), np.ones((4, 5), np.float32)
    found = set()
    for op_type in ONE_INPUT:
        seed = SEED if op_type in named("random") else NOTHING
        first, second, third = (computed(op_type, x, **seed) for x in (one, two, longer))
        if first is None or second is None or third is None or op_type == "Bernoulli":
            continue
        if np.array_equal(first, second) and not np.array_equal(first, third):
            found.add(op_type)
    assert found == named("shape only")


NOTHING: dict[str, Any] = {}


def boxes(score: float) -> tuple[np.ndarray, ...]:
    """Return the inputs of NonMaxSuppression for one box with a score; 0.5 is wanted."""
    corners = np.array([[[0, 0, 1, 1]]], np.float32)
    limits = (index(2), np.array([1.0], np.float32), np.array([0.5], np.float32))
    return corners, np.array([[[score]]], np.float32), *limits


SIZED: dict[str, tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]] = {
    "NonZero": ((index(0, 1),), (index(1, 1),)),
    "Unique": ((index(0, 1),), (index(1, 1),)),
    "Compress": ((A, np.array([True])), (A, np.array([False]))),
    "StringSplit": ((np.array(["a b"], object),), (np.array(["a"], object),)),
    "NonMaxSuppression": (boxes(0), boxes(1)),
}
"""Two calls with inputs of the same shapes, by operator whose result they size."""


@pytest.mark.parametrize("op_type", SIZED)
def test_what_is_sized_by_data_has_results_of_several_sizes(op_type: str) -> None:
    one, two = (computed(op_type, *values) for values in SIZED[op_type])
    assert one is not None
    assert two is not None
    assert one.shape != two.shape


def test_every_operator_that_is_sized_by_data_is_tried() -> None:
    assert named("sized by data") == SIZED.keys()


def test_what_writes_changes_one_place_of_its_first_input() -> None:
    zeros, one = np.zeros((1, 1, 4, 1), np.float32), np.ones((1, 1, 1, 1), np.float32)
    at = index(2).reshape(1, 1, 1, 1)
    calls: dict[str, tuple[np.ndarray, ...]] = {
        "ScatterElements": (zeros, at, one),
        "ScatterND": (zeros, index(0, 0, 2, 0).reshape(1, 4), one.ravel()),
        "TensorScatter": (zeros, one, index(2)),
    }
    for op_type, values in calls.items():
        opset = 24 if op_type == "TensorScatter" else 23
        attributes: dict[str, Any] = {"axis": 2} if op_type == "ScatterElements" else {}
        found = computed(op_type, *values, opset=opset, **attributes)
        assert found is not None, op_type
        assert found.ravel().tolist() == [0, 0, 1, 0], op_type
    assert named("writes") == calls.keys() | {"Scatter"}  # which ScatterElements replaced


# ------------------------------------------------------------------------ products and their forms


def is_by_element(row: Operator) -> bool:
    plain = lookup("", row.form_of)
    return plain is not None and plain.family == "elementwise"


OF_OPERANDS = """
    HyperConnectionPreMix HyperConnectionPostMix EngramGate GatedAdd GatedDeltaNetStateReplay
"""
"""Operators that multiply computed operands (ContribOperators.md)."""


def test_what_takes_weights_multiplies() -> None:
    """By their roles; what looks rows up, passes on, or computes element by element does not."""
    takes = {
        key
        for key, row in operators().items()
        if WEIGHTS & {*row.roles, row.rest, *row.attributes.values()}
        and not (row.lookups or row.passes or is_by_element(row))
    }
    takes |= {key for key, row in operators().items() if row.lookups and "weight" in row.roles}
    takes |= {key for key in operators() if re.search("Attention(?!Gate|IndexerMerge)", key[1])}
    takes |= {key for key, row in operators().items() if row.form_of == "MatMul"}
    takes |= {("com.microsoft", op_type) for op_type in OF_OPERANDS.split()}
    assert takes == {key for key, row in operators().items() if row.multiplies}


def test_a_form_is_one_of_an_operator_of_onnx() -> None:
    for key, row in operators().items():
        if not row.form_of:
            continue
        plain = lookup("", row.form_of)
        assert plain is not None, key
        assert not plain.form_of or key[1] == row.form_of
        assert row.multiplies == plain.multiplies, key
        assert row.is_convolution == plain.is_convolution, key
        assert row.is_recurrent == plain.is_recurrent, key
        if "QLinear" in key[1]:
            assert key[1] == f"QLinear{row.form_of}"
            assert row.traits >= plain.traits & {"arithmetic", "scales"}, key


FORMS = {
    "MatMul": "Gemm MatMulInteger QLinearMatMul FusedMatMul TransposeMatMul FusedMatMulActivation"
    " FusedGemm GemmFastGelu GemmFloat8 MatMulNBits MatMulBnb4 MatMulFpQ4 DynamicQuantizeMatMul"
    " MatMulIntegerToFloat MatMulInteger16 QGemm SparseToDenseMatMul"
    " MatMulNBitsQLoRA MatMulPacked MatMulBlockQuantizedFp4Weight MatMulBlockQuantizedFp8Weight"
    " QOrderedMatMul RouterGateUpProj",
    "Conv": "ConvInteger QLinearConv FusedConv NhwcConv NhwcFusedConv",
    "ConvTranspose": "ConvTransposeWithDynamicPads",
    "LayerNormalization": "RMSNormalization SimplifiedLayerNormalization SkipLayerNormalization"
    " SkipSimplifiedLayerNormalization QOrderedLayerNormalization",
    "Gelu": "BiasGelu FastGelu Gelu QuickGelu QOrderedGelu",
    "Swish": "ScaledSiLU",
    "Mul": "MulInteger",
    "ReduceSum": "ReduceSumInteger",
    "Gather": "GatherBlockQuantized TorchEmbedding GatherPacked",
    "LSTM": "DynamicQuantizeLSTM",
    "Attention": "QAttention QOrderedAttention",
    "MaxPool": "NhwcMaxPool MaxpoolWithMask",
}
"""Forms of operators beside QLinearX of X (ContribOperators.md)."""


def test_forms_by_what_they_are_forms_of() -> None:
    for key, row in operators().items():
        plain = next((name for name, forms in FORMS.items() if key[1] in forms.split()), "")
        if key == ("", "Gelu"):
            plain = ""
        assert row.form_of == (plain or key[1].partition("QLinear")[2]), key


def test_integer_products_are_unscaled_where_int32_comes_out() -> None:
    for key, row in operators().items():
        found = schema(*key, NEWEST_OPSET.get(key[0], 1))
        if not row.multiplies or found is None:
            continue
        count = len(found.inputs.letters)
        call = Call(make(key[1], [None] * count).node, 23, (None,) * count, dtypes=(INT8,) * count)
        dtypes = row.dtypes(call) if row.dtypes is not None else [INT8]
        assert ("unscaled" in row.traits) == (dtypes == [INT32]), key


def test_norms_are_called_so() -> None:
    called = {key for key in operators() if re.search(r"Norm(alization|Rotary)?$|^LRN$", key[1])}
    assert called == {key for key, row in operators().items() if row.normalises}


WEIGHT_SHAPES: dict[str, tuple[dict[str, Any], tuple[int, ...], int]] = {
    "MatMul": ({}, (4, 6), 6),
    "Gemm": ({"transB": 1}, (6, 4), 6),
    "FusedMatMul": ({"transB": 1}, (6, 4), 6),
    "Conv": ({"group": 2}, (6, 2, 3, 3), 6),
    "ConvTranspose": ({"group": 2}, (4, 3, 3, 3), 6),
    "NhwcConv": ({}, (6, 3, 3, 4), 6),
    "MatMulNBits": ({"N": 6, "K": 4}, (6, 1, 2), 6),
}


@pytest.mark.parametrize("op_type", WEIGHT_SHAPES)
def test_output_channels_of_a_weight(op_type: str) -> None:
    attributes, shape, channels = WEIGHT_SHAPES[op_type]
    domain = "" if op_type in standard() else "com.microsoft"
    row = operators()[domain, op_type]
    assert row.channels is not None
    assert row.channels(make(op_type, [], **attributes).node, shape) == channels


def test_weights_of_layers_have_output_channels() -> None:
    """All with a place for one but MatMulFpQ4, whose sizes are an input; some have several."""
    layers = {
        key
        for key, row in operators().items()
        if row.family in ("conv", "linear") and WEIGHTS & {*row.roles}
    }
    assert {key for key, row in operators().items() if row.channels} == layers - WITHOUT_CHANNELS


# ----------------------------------------------------------------------- inputs of a kind


def test_indices_look_up_tables() -> None:
    for key, row in operators().items():
        for index, table in row.lookups:
            assert row.role(index) == "index", key
            assert row.role(table) in ("embedding", "quantized weight"), key
        tables = {index for index, role in enumerate(row.roles) if role == "embedding"}
        looked_up = {table for _, table in row.lookups}
        assert not row.lookups or tables <= looked_up, key


HANDED_ON = (("past", "present"), ("initial", "Y"), ("initial", "final"))
"""How inputs with what an earlier step left are named, and the outputs for the next one."""

LENGTHS = re.compile("past_(sequence_lengths?|seqlens)|initial_state_and_scan_inputs")
"""Inputs that begin so and hold lengths, or have no fixed place."""

OTHERWISE_NAMED = {
    "DecoderAttention": {"key_cache": "new_key_cache", "value_cache": "new_value_cache"},
    "PagedAttention": {"key_cache": "key_cache_out", "value_cache": "value_cache_out"},
    "SparsePagedAttention": {"key_cache": "key_cache_out", "value_cache": "value_cache_out"},
    "Mamba2Verify": {"conv_state": "conv_snapshots", "ssm_state": "ssm_snapshots"},
    "ConvStateReplay": {"destination_backing": "destination_out"},
    "GatedDeltaNetStateReplay": {"destination_backing": "destination_out"},
    "QOrderedAttention": {"past": ""},
}
"""Operators whose states have other names, or do not come out again."""


def handed_on(inputs: list[str], outputs: list[str]) -> dict[str, str]:
    """Return which output is for which input, by their names."""
    return {
        name: after
        for name in inputs
        for old, new in HANDED_ON
        if name.startswith(old) and not LENGTHS.fullmatch(name)
        if (after := name.replace(old, new, 1)) in outputs
    }


def test_states_are_the_inputs_and_outputs_of_these_names() -> None:
    """By onnx.defs and the schemas of onnxruntime."""
    state = pytest.importorskip("onnxruntime.capi.onnxruntime_pybind11_state")
    schemas = {("", one.name): one for one in onnx.defs.get_all_schemas()}
    for one in state.get_all_operator_schema():
        if one.domain == "com.microsoft":
            schemas[one.domain, one.name] = one
    for key, row in operators("", "com.microsoft").items():
        if key not in schemas:
            continue
        inputs, outputs = (
            [one.name for one in values] for values in (schemas[key].inputs, schemas[key].outputs)
        )
        states = {
            inputs[at]: "" if state.output is None else outputs[state.output]
            for at, state in row.states.items()
        }
        assert states == (handed_on(inputs, outputs) or OTHERWISE_NAMED.get(key[1], {})), key


def test_what_holds_graphs_runs_bodies() -> None:
    """By the types of attributes: GRAPH is 5, GRAPHS 10."""
    holds = {
        key
        for key in operators()
        if any({5, 10} & set(one.attributes.values()) for one in versions(*key))
    }
    assert holds == {key for key, row in operators().items() if "runs bodies" in row.traits}


def test_control_flow_runs_a_body_at_will() -> None:
    assert {op_type for op_type, row in standard().items() if row.is_control_flow} == {
        name for name in named("runs bodies") if name != "SequenceMap"
    }
