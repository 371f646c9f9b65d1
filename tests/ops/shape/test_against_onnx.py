"""Shape rules against onnx.shape_inference, operator by operator, with numbers in every place."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphcount.analysis.counts import count
from graphcount.analysis.shapes import ValueShapes, infer_shapes
from graphcount.analysis.values import Values
from graphcount.api import load
from graphcount.ops import lookup
from tests.conftest import Save

F, I64, U8, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8, TensorProto.BOOL

Case = tuple[Any, ...]


def i64(*numbers: int) -> Any:
    """A constant vector."""
    return np.array(numbers, np.int64)


def scales(*numbers: float) -> Any:
    return np.array(numbers, np.float32)


def typed(dtype: int, *shape: int) -> tuple[int, tuple[int, ...]]:
    return dtype, shape


X4 = (2, 3, 16, 15)

CASES: dict[str, Case] = {
    # op_type, inputs, attributes, outputs (default 1), opset (default 21)
    "add": ("Add", [(2, 1, 4), (3, 1)], {}),
    "where": ("Where", [typed(BOOL, 4), (2, 1, 4), (3, 1)], {}),
    "sum of three": ("Sum", [(4,), (3, 1), (2, 1, 1)], {}),
    "prelu": ("PRelu", [(2, 3, 4), (3, 1)], {}),
    "dropout": ("Dropout", [(2, 3)], {}, 2),
    "cast": ("Cast", [(2, 3)], {"to": I64}),
    "not": ("Not", [typed(BOOL, 3)], {}),
    "cumsum": ("CumSum", [(2, 3), np.array(1)], {}),
    "reshape": ("Reshape", [(2, 3, 4), i64(0, -1, 2)], {}),
    "reshape allowzero": ("Reshape", [(0, 3), i64(3, 0)], {"allowzero": 1}),
    "reshape to scalar": ("Reshape", [(1, 1), i64()], {}),
    "transpose": ("Transpose", [(2, 3, 4)], {"perm": [2, 0, 1]}),
    "transpose reversed": ("Transpose", [(2, 3, 4)], {}),
    "squeeze": ("Squeeze", [(1, 3, 1, 4), i64(0, -2)], {}),
    "squeeze all": ("Squeeze", [(1, 3, 1, 4)], {}),
    "squeeze attribute": ("Squeeze", [(1, 3)], {"axes": [0]}, 1, 11),
    "unsqueeze": ("Unsqueeze", [(3, 4), i64(0, -1)], {}),
    "unsqueeze attribute": ("Unsqueeze", [(3, 4)], {"axes": [1]}, 1, 11),
    "flatten": ("Flatten", [(2, 3, 4)], {"axis": 2}),
    "flatten negative": ("Flatten", [(2, 3, 4)], {"axis": -1}),
    "flatten zero": ("Flatten", [(2, 3, 4)], {"axis": 0}),
    "expand": ("Expand", [(3, 1), i64(2, 1, 4)], {}),
    "expand narrower": ("Expand", [(2, 3), i64(1)], {}),
    "concat": ("Concat", [(2, 3), (2, 5)], {"axis": -1}),
    "split": ("Split", [(2, 7), i64(3, 4)], {"axis": 1}, 2),
    "split equal": ("Split", [(6, 2)], {"axis": 0}, 3, 13),
    "split num_outputs": ("Split", [(7, 2)], {"axis": 0, "num_outputs": 3}, 3),
    "split attribute": ("Split", [(6, 2)], {"axis": 0, "split": [1, 5]}, 2, 11),
    "tile": ("Tile", [(2, 3), i64(2, 0)], {}),
    "pad": ("Pad", [(2, 3), i64(1, 0, 2, 4)], {}),
    "pad axes": ("Pad", [(2, 3, 4), i64(1, 2), None, i64(-1)], {}),
    "pad negative": ("Pad", [(5, 5), i64(0, -1, 0, -2)], {}),
    "pad attribute": ("Pad", [(2, 3)], {"pads": [0, 1, 0, 1]}, 1, 10),
    "depth to space": ("DepthToSpace", [(1, 8, 3, 4)], {"blocksize": 2}),
    "space to depth": ("SpaceToDepth", [(1, 2, 6, 4)], {"blocksize": 2}),
    "center crop pad": ("CenterCropPad", [(5, 6, 7), i64(8, 2)], {"axes": [0, 2]}),
    "slice": ("Slice", [(10, 9), i64(1, -3), i64(8, 100), i64(0, 1), i64(3, 1)], {}),
    "slice backwards": ("Slice", [(10,), i64(-1), i64(-(2**63)), i64(0), i64(-2)], {}),
    "slice backwards part": ("Slice", [(10,), i64(8), i64(2), i64(0), i64(-4)], {}),
    "slice attributes": ("Slice", [(10, 9)], {"starts": [2], "ends": [-1], "axes": [1]}, 1, 9),
    "slice empty": ("Slice", [(10,), i64(7), i64(3)], {}),
    "gather": ("Gather", [(4, 5, 6), typed(I64, 2, 3)], {"axis": 1}),
    "gather scalar": ("Gather", [(4, 5), np.array(1)], {"axis": -1}),
    "gather elements": ("GatherElements", [(4, 5), typed(I64, 2, 5)], {"axis": 0}),
    "gather nd": ("GatherND", [(2, 3, 4, 5), typed(I64, 2, 7, 2)], {"batch_dims": 1}),
    "scatter nd": ("ScatterND", [(4, 5), typed(I64, 2, 1), (2, 5)], {}),
    "topk": ("TopK", [(3, 9), i64(4)], {"axis": 1}, 2),
    "one hot": ("OneHot", [typed(I64, 2, 3), np.array(7), scales(0, 1)], {"axis": 1}),
    "unique": ("Unique", [(4, 5)], {}, 4),
    "shape part": ("Shape", [(2, 3, 4, 5)], {"start": 1, "end": -1}),
    "size": ("Size", [(2, 3)], {}),
    "constant of shape": ("ConstantOfShape", [i64(2, 0, 3)], {}),
    "range": ("Range", [np.array(3), np.array(20), np.array(4)], {}),
    "range float": ("Range", [np.float32(0), np.float32(1), np.float32(0.25)], {}),
    "range backwards": ("Range", [np.array(9), np.array(0), np.array(-2)], {}),
    "eye like": ("EyeLike", [(3, 4)], {}),
    "random normal": ("RandomNormal", [], {"shape": [2, 3]}),
    "multinomial": ("Multinomial", [(2, 9)], {"sample_size": 5}),
    "hann window": ("HannWindow", [np.array(12)], {}),
    "dft": ("DFT", [(2, 16, 1), None, np.array(-2)], {"onesided": 1}),
    "stft": ("STFT", [(1, 128, 1), np.array(8), None, np.array(16)], {}),
    "conv": ("Conv", [X4, (8, 3, 3, 5)], {"pads": [1, 2, 0, 1], "strides": [2, 3]}),
    "conv dilated": ("Conv", [X4, (8, 1, 3, 3)], {"dilations": [2, 4], "group": 3}),
    "conv same": ("Conv", [X4, (8, 3, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [3, 2]}),
    "conv valid": ("Conv", [X4, (8, 3, 3, 3)], {"auto_pad": "VALID", "strides": [3, 2]}),
    "conv 1d": ("Conv", [(2, 3, 16), (8, 3, 4)], {}),
    "conv transpose": (
        "ConvTranspose",
        [X4, (3, 4, 3, 2)],
        {"group": 3, "strides": [2, 3], "pads": [1, 0, 1, 0], "output_padding": [1, 2]},
    ),
    "conv transpose shape": ("ConvTranspose", [X4, (3, 4, 3, 3)], {"output_shape": [33, 31]}),
    "conv transpose same": (
        "ConvTranspose",
        [X4, (3, 4, 3, 3)],
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    ),
    "max pool": ("MaxPool", [X4], {"kernel_shape": [3, 3], "strides": [2, 2]}, 2),
    "max pool up": (
        "MaxPool",
        [(1, 1, 7, 9)],
        {"kernel_shape": [2, 3], "strides": [3, 4], "ceil_mode": 1},
        1,
        22,
    ),
    "average pool up": (
        "AveragePool",
        [(1, 1, 8, 10)],
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
        1,
        22,
    ),
    "global pool": ("GlobalAveragePool", [X4], {}),
    "roi align": (
        "RoiAlign",
        [X4, (5, 4), typed(I64, 5)],
        {"output_height": 3, "output_width": 4},
    ),
    "max unpool": (
        "MaxUnpool",
        [(1, 1, 4, 4), typed(I64, 1, 1, 4, 4)],
        {"kernel_shape": [2, 2], "strides": [2, 2]},
    ),
    "col2im": ("Col2Im", [(1, 5, 5), i64(5, 5), i64(1, 5)], {}),
    "resize scales": ("Resize", [X4, None, scales(1, 1, 2.5, 0.5)], {}),
    "resize sizes": ("Resize", [X4, None, None, i64(2, 3, 7, 9)], {}),
    "resize axes": ("Resize", [X4, None, None, i64(7, 9)], {"axes": [3, 2]}),
    "resize not larger": (
        "Resize",
        [X4, None, None, i64(7, 9)],
        {"axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"},
    ),
    "resize 10": ("Resize", [X4, scales(1, 1, 2, 2)], {}, 1, 10),
    "upsample": ("Upsample", [X4, scales(1, 1, 2, 3)], {}, 1, 9),
    "grid sample": ("GridSample", [X4, (2, 5, 6, 2)], {}),
    "affine grid": ("AffineGrid", [(2, 2, 3), i64(2, 3, 5, 6)], {}),
    "matmul": ("MatMul", [(2, 1, 3, 4), (5, 4, 6)], {}),
    "matmul vectors": ("MatMul", [(4,), (4,)], {}),
    "matmul vector left": ("MatMul", [(4,), (2, 4, 3)], {}),
    "matmul vector right": ("MatMul", [(2, 3, 4), (4,)], {}),
    "gemm": ("Gemm", [(3, 2), (5, 3)], {"transA": 1, "transB": 1}),
    "einsum": ("Einsum", [(2, 3, 4), (2, 4, 5)], {"equation": "bij,bjk->bik"}),
    "einsum trace": ("Einsum", [(3, 3)], {"equation": "ii"}),
    "einsum implicit": ("Einsum", [(2, 3), (3, 4)], {"equation": "ij, jk"}),
    "einsum dots": ("Einsum", [(5, 1, 2, 3), (4, 3, 6)], {"equation": "...ij,...jk->...ik"}),
    "det": ("Det", [(2, 3, 3)], {}),
    "batch norm": ("BatchNormalization", [X4, (3,), (3,), (3,), (3,)], {}),
    "layer norm": ("LayerNormalization", [(2, 3, 4), (3, 4)], {"axis": 1}, 3),
    "lstm": (
        "LSTM",
        [(5, 2, 3), (2, 16, 3), (2, 16, 4)],
        _LSTM := {"hidden_size": 4, "direction": "bidirectional"},
        3,
    ),
    "lstm batch first": ("LSTM", [(5, 2, 3), (2, 16, 3), (2, 16, 4)], {**_LSTM, "layout": 1}, 3),
    "gru": ("GRU", [(5, 2, 3), (1, 12, 3), (1, 12, 4)], {"hidden_size": 4}, 2),
    "reduce": ("ReduceSum", [(2, 3, 4), i64(0, -1)], {"keepdims": 0}),
    "reduce all": ("ReduceMean", [(2, 3)], {}),
    "reduce nothing": ("ReduceMax", [(2, 3)], {"noop_with_empty_axes": 1}),
    "reduce attribute": ("ReduceMean", [(2, 3)], {"axes": [1]}, 1, 13),
    "arg max": ("ArgMax", [(2, 3)], {"axis": 1, "keepdims": 0}),
    "loss": ("SoftmaxCrossEntropyLoss", [(2, 3, 4), typed(I64, 2, 4)], {"reduction": "none"}, 2),
    "quantize": ("QuantizeLinear", [(2, 3), scales(1)], {}),
    "dynamic quantize": ("DynamicQuantizeLinear", [(2, 3)], {}, 3),
    "matmul integer": ("MatMulInteger", [typed(U8, 2, 3), typed(U8, 3, 4)], {}),
    "attention": ("Attention", [(2, 4, 5, 8), (2, 2, 7, 8), (2, 2, 7, 6)], {}, 1, 23),
    "attention flat": (
        "Attention",
        [(2, 5, 32), (2, 7, 16), (2, 7, 16)],
        {"q_num_heads": 4, "kv_num_heads": 2},
        1,
        23,
    ),
    "attention past": (
        "Attention",
        [(2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 6), None, (2, 4, 3, 8), (2, 4, 3, 6)],
        {},
        4,
        23,
    ),
    "tf-idf": (
        "TfIdfVectorizer",
        [typed(I64, 2, 9)],
        {
            "mode": "TF",
            "min_gram_length": 1,
            "max_gram_length": 1,
            "max_skip_count": 0,
            "ngram_counts": [0],
            "ngram_indexes": [0, 4],
            "pool_int64s": [1, 2],
        },
    ),
}

NOT_INFERRED_BY_ONNX: dict[str, list[tuple[int | None, ...]]] = {
    "einsum trace": [()],
    "range float": [(4,)],
    "tf-idf": [(2, 5)],
    "lstm batch first": [(5, 2, 2, 4), (5, 2, 4), (5, 2, 4)],
    "max unpool": [(1, 1, 8, 8)],
    "einsum dots": [(5, 4, 2, 6)],
    "stft": [(1, 15, 9, 2)],
}
"""Where onnx gives no shape, or a wrong one (bins of STFT): what onnx.reference returns."""


def build(case: Case) -> onnx.ModelProto:
    """A model of one node."""
    op_type, given, attributes, outputs, opset = (*case, *(1, 21)[len(case) - 3 :])[:5]
    inputs, names, constants = [], [], []
    for index, value in enumerate(given):
        names.append(f"x{index}" if value is not None else "")
        if isinstance(value, tuple):
            dtype, shape = value if value[1:] and isinstance(value[1], tuple) else (F, value)
            inputs.append(helper.make_tensor_value_info(names[-1], dtype, shape))
        elif value is not None:
            constants.append(numpy_helper.from_array(np.asarray(value), names[-1]))
    made = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(op_type, names, made, **attributes)
    empty = [onnx.ValueInfoProto(name=name) for name in made]
    graph = helper.make_graph([node], "g", inputs, empty, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def infer(path: str) -> ValueShapes:
    model = load(path)
    values = Values(path, 1 << 20)
    try:
        rows = count(model.file, model.model_graph, values).rows
        return infer_shapes(model.proto, model.model_graph, rows, values)
    finally:
        values.close()


@pytest.mark.parametrize("name", CASES)
def test_numbers(name: str, save: Save, tmp_path: Any) -> None:
    model = build(CASES[name])
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    ours = infer(str(path))
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    infos = {info.name: info for info in (*inferred.graph.value_info, *inferred.graph.output)}
    made = list(model.graph.node[0].output)
    found = {
        value: (shape, ours.dtypes[n, value])
        for (n, value), shape in ours.shapes.items()
        if value in made
    }
    for index, value in enumerate(made):
        tensor = infos[value].type.tensor_type
        wanted: list[int | None] | None = None
        if name in NOT_INFERRED_BY_ONNX:
            wanted = list(NOT_INFERRED_BY_ONNX[name][index])
        elif tensor.HasField("shape"):
            wanted = [
                dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim
            ]
        assert wanted is not None, "onnx does not tell"
        assert len(found[value][0]) == len(wanted)
        for dim, known in zip(found[value][0], wanted, strict=True):
            assert known is None or dim == known
        assert tensor.elem_type in (0, found[value][1])


def test_every_operator_of_onnx_has_a_rule() -> None:
    control = {("", "If"), ("", "Loop"), ("", "Scan")}
    training = "ai.onnx.preview.training"
    for schema in onnx.defs.get_all_schemas_with_history():
        key = (schema.domain, schema.name)
        if schema.domain != training and not schema.deprecated:
            row = lookup(*key)
            assert (row is not None and row.shape is not None) or key in control, key
