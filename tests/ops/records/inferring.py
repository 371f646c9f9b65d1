"""What the definitions of onnxruntime infer of shapes, also where the CPU has no kernel.

A file declares shapes; onnxruntime, told to be strict, refuses what its own inference contradicts.
That happens before it looks for a kernel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import onnxruntime
from onnx import helper

from graphcount.ops import lookup
from graphcount.ops.inference import result_dtypes
from tests.ops.records.running import Inputs, arrays, call

NO_KERNEL = re.compile(
    r"Could not find an implementation|Failed to find kernel|during initialization"
)


def complaint(
    domain: str,
    op_type: str,
    inputs: Inputs,
    declared: Sequence[Sequence[Any] | None],
    **attributes: Any,
) -> str:
    """Return what onnxruntime says of a node whose outputs are declared so; empty for nothing."""
    given = arrays(inputs)
    names = ["" if one is None else f"x{index}" for index, one in enumerate(given)]
    made = [f"y{index}" for index in range(len(declared))]
    node = helper.make_node(op_type, names, made, domain=domain, **attributes)
    infos, held = [], []
    for name, one, wanted in zip(names, given, inputs, strict=True):
        if one is None:
            continue
        code = helper.np_dtype_to_tensor_dtype(one.dtype)
        if isinstance(wanted, list | int):
            held.append(helper.make_tensor(name, code, one.shape, one.ravel().tolist()))
        else:
            infos.append(helper.make_tensor_value_info(name, code, list(one.shape)))
    row = lookup(domain, op_type)
    assert row is not None
    codes = result_dtypes(row.dtypes, call(domain, op_type, inputs, len(made), **attributes))
    outs = [
        helper.make_tensor_value_info(name, code or 1, None if shape is None else list(shape))
        for name, code, shape in zip(made, codes, declared, strict=True)
    ]
    graph = helper.make_graph([node], "g", infos, outs, held)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.strict_shape_type_inference", "1")
    try:
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's exceptions have no common class
        return "" if NO_KERNEL.search(str(error)) else str(error)
    return ""
