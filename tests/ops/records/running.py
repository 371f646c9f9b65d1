"""One operator in onnxruntime, and the same call as the records of operators see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator

from graphcount.ops.call import Call, Facts
from tests.ops.cost.conftest import make

Array = np.ndarray[Any, Any]
Inputs = Sequence[Any]


def arrays(inputs: Inputs) -> list[Array | None]:
    """Return inputs as arrays: a tuple of sizes stands for floats, a list for int64."""
    return [
        None
        if one is None
        else np.linspace(0.1, 0.9, int(np.prod(one)), dtype=np.float32).reshape(one)
        if isinstance(one, tuple)
        else np.array(one, np.int64 if isinstance(one, int | list) else None)
        for one in inputs
    ]


def built(
    domain: str,
    op_type: str,
    inputs: Inputs,
    outputs: int,
    opset: int,
    attributes: dict[str, Any],
) -> tuple[ModelProto, list[str], dict[str, Array]]:
    """Return a model of one node, the names of its outputs, and what is fed."""
    given = arrays(inputs)
    names = ["" if one is None else f"x{index}" for index, one in enumerate(given)]
    made = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(op_type, names, made, domain=domain, **attributes)
    fed = {name: one for name, one in zip(names, given, strict=True) if one is not None}
    infos = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(one.dtype), list(one.shape)
        )
        for name, one in fed.items()
    ]
    wanted = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in made]
    for info in wanted:
        info.ClearField("type")
    graph = helper.make_graph([node], "g", infos, wanted)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return model, made, fed


def evaluated(op_type: str, inputs: Inputs, **attributes: Any) -> list[Array]:
    """Return what the reference of onnx computes."""
    model, made, fed = built("", op_type, inputs, 1, 21, attributes)
    return [np.asarray(one) for one in ReferenceEvaluator(model).run(made, dict(fed))]


def run(
    domain: str, op_type: str, inputs: Inputs, outputs: int = 1, opset: int = 21, **attributes: Any
) -> list[Array]:
    """Return what onnxruntime computes; raises where it refuses the model."""
    model, made, fed = built(domain, op_type, inputs, outputs, opset, attributes)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [np.asarray(one) for one in session.run(made, fed)]


def call(
    domain: str, op_type: str, inputs: Inputs, outputs: int = 1, opset: int = 21, **attributes: Any
) -> Call:
    """Return the same call for a record's rules: shapes, types, and small integers."""
    given = arrays(inputs)
    plain = make(
        op_type,
        [None if one is None else one.shape for one in given],
        [None] * outputs,
        domain=domain,
        values=[
            tuple(one.ravel().tolist())
            if one is not None and one.dtype.kind in "iub" and one.size < 99
            else None
            for one in given
        ],
        left_out=[index for index, one in enumerate(given) if one is None],
        **attributes,
    )
    codes = tuple(0 if one is None else helper.np_dtype_to_tensor_dtype(one.dtype) for one in given)
    return replace(plain, opset=opset, dtypes=codes, outputs=())


def facts(one: Call) -> Facts:
    """Return a call with the elements of its inputs."""
    return Facts(
        one.node, one.opset, one.inputs, one.values, one.dtypes, (), tuple(one.values), None
    )
