"""The tables of operators against onnx's own schemas, for every version of every operator."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import get_args

import onnx
import pytest
from onnx import IR_VERSION, defs

from graphcount import ops
from graphcount.ops import NEWEST_IR, NEWEST_OPSET, Operator, Role, lookup, operators
from graphcount.ops.operator import merge

SCHEMAS = defs.get_all_schemas_with_history()
TRAINING = "ai.onnx.preview"

WEIGHT_NAMES = {
    "Conv": {"W": "weight", "w": "weight", "B": "bias", "b": "bias"},
    "ConvTranspose": {"W": "weight", "B": "bias"},
    "DeformConv": {"W": "weight", "B": "bias"},
    "ConvInteger": {"w": "quantized weight", "x_zero_point": "zero point"},
    "QLinearConv": {
        "w": "quantized weight",
        "B": "quantized bias",
        "x_scale": "quantization scale",
        "w_scale": "quantization scale",
        "y_scale": "quantization scale",
        "x_zero_point": "zero point",
        "w_zero_point": "zero point",
        "y_zero_point": "zero point",
    },
    "QLinearMatMul": {
        "a_scale": "quantization scale",
        "b_scale": "quantization scale",
        "y_scale": "quantization scale",
        "a_zero_point": "zero point",
        "b_zero_point": "zero point",
        "y_zero_point": "zero point",
    },
    "Gemm": {"C": "bias"},
    "BatchNormalization": {
        "scale": "scale",
        "B": "bias",
        "bias": "bias",
        "mean": "running mean",
        "input_mean": "running mean",
        "var": "running variance",
        "input_var": "running variance",
    },
    "LayerNormalization": {"Scale": "scale", "B": "bias"},
    "GroupNormalization": {"scale": "scale", "bias": "bias"},
    "InstanceNormalization": {"scale": "scale", "B": "bias"},
    "RMSNormalization": {"scale": "scale"},
    "LSTM": {"W": "weight", "R": "recurrent weight", "B": "bias", "P": "peephole weight"},
    "GRU": {"W": "weight", "R": "recurrent weight", "B": "bias"},
    "RNN": {"W": "weight", "R": "recurrent weight", "B": "bias"},
    "PRelu": {"slope": "slope"},
    "Gather": {"data": "embedding", "indices": "index"},
    "DequantizeLinear": {"x_scale": "quantization scale", "x_zero_point": "zero point"},
    "QuantizeLinear": {"y_scale": "quantization scale", "y_zero_point": "zero point"},
    "Reshape": {"shape": "shape"},
    "ConstantOfShape": {"input": "shape"},
    "Slice": {"axes": "axes"},
}
"""Names of inputs in onnx's schemas and the role each must have, in every version."""


def test_every_operator_of_onnx_is_known() -> None:
    known = {
        (schema.domain, schema.name) for schema in SCHEMAS if not schema.domain.startswith(TRAINING)
    }
    assert known - set(operators()) == set()


def test_every_operator_of_onnx_that_has_inputs_has_roles() -> None:
    for schema in SCHEMAS:
        row = lookup(schema.domain, schema.name)
        if row is not None and schema.max_input and schema.domain != "ai.onnx.preview":
            assert row.role(0) is not None, schema.name


def test_roles_are_roles() -> None:
    for key, row in operators().items():
        named = {*row.roles, row.rest, *row.attributes.values()} - {None}
        assert named <= set(get_args(Role)), key


@pytest.mark.skipif(
    tuple(map(int, onnx.__version__.split(".")[:2])) < (1, 23),
    reason="the installed onnx is older than the tables",
)
def test_the_tables_name_no_operator_that_onnx_does_not_have() -> None:
    known = {(schema.domain, schema.name) for schema in SCHEMAS}
    extra = {key for key in operators() if key[0] in ("", "ai.onnx.ml")} - known
    of_2018 = {("", name) for name in ["ImageScaler", "ParametricSoftplus", "Scale", "ScaledTanh"]}
    assert extra == {("", "SimplifiedLayerNormalization"), *of_2018}  # the first is onnxruntime's


@pytest.mark.parametrize("op_type", WEIGHT_NAMES)
def test_roles_follow_the_schemas_in_every_version(op_type: str) -> None:
    versions = [s for s in SCHEMAS if s.name == op_type and s.domain == ""]
    spec = lookup("", op_type)
    assert versions
    assert spec is not None
    checked = set()
    for schema in versions:
        for index, parameter in enumerate(schema.inputs):
            role = WEIGHT_NAMES[op_type].get(parameter.name)
            if role is not None:
                assert spec.role(index) == role, (schema.since_version, parameter.name)
                checked.add(parameter.name)
    assert checked


def test_no_role_stands_behind_the_last_input() -> None:
    most: dict[tuple[str, str], int] = {}
    for schema in SCHEMAS:
        key = (schema.domain, schema.name)
        most[key] = max(most.get(key, 0), schema.max_input)
    for (domain, op_type), inputs in most.items():
        spec = lookup(domain, op_type)
        if spec is not None:
            assert len(spec.roles) <= inputs, op_type
            assert all(index < inputs for index in spec.passes), op_type


def test_the_newest_versions_are_those_of_the_installed_onnx_or_later() -> None:
    for domain, known in NEWEST_OPSET.items():
        assert known >= max(s.since_version for s in SCHEMAS if s.domain == domain)
    assert NEWEST_IR >= IR_VERSION


def test_an_operator_without_a_shape_is_one_on_purpose() -> None:
    bodies = {("", "If"), ("", "Loop"), ("", "Scan")}  # graphcount.analysis.shapes.control
    assert {key for key, row in operators().items() if row.shape is None} == bodies


UNKNOWABLE = """
    com.microsoft::BeamSearch com.microsoft::EPContext com.microsoft::GreedySearch
    com.microsoft::Recv com.microsoft::Sampling com.microsoft::Send com.microsoft::Snpe
    com.microsoft::Wait com.microsoft::WhisperBeamSearch
"""
"""Operators of which no file tells what they cost."""


def test_a_record_is_whole_or_says_why_not() -> None:
    names = [name.rpartition("::") for name in UNKNOWABLE.split()]
    keys = {(domain, op_type) for domain, _, op_type in names}
    assert {key for key, row in operators().items() if row.cost is None} == keys
    assert {key for key, row in operators().items() if row.unknowable} == keys


def test_what_computes_elements_has_a_shape() -> None:
    computing = {key: row for key, row in operators().items() if row.data is not None}
    assert all(row.shape is not None for row in computing.values())
    picking = {name for (_, name), row in computing.items() if row.reads == "picked"}
    assert picking == {"Slice", "Gather", "Split"}
    assert {name for (_, name), row in computing.items() if row.reads == "none"} == {
        *("Shape", "Size", "Constant", "ConstantOfShape")
    }


def test_an_operator_in_two_tables_is_refused() -> None:
    row = {"Conv": Operator()}
    with pytest.raises(ValueError, match="Conv"):
        merge([row, row])


FAMILIES = sorted(Path(ops.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: path.name)
def test_a_family_names_no_operator_twice(path: Path) -> None:
    """Neither as a key nor in the text of `each`: the later row would hide the earlier one."""
    for call in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        if call.func.id == "family" and isinstance(call.args[1], ast.Dict):
            names: list[str] = []
            for key, value in zip(call.args[1].keys, call.args[1].values, strict=True):
                names += ast.literal_eval(key or value.args[0]).split()  # type: ignore[attr-defined]
            assert sorted(names) == sorted(set(names))


def test_a_plain_model_loads_no_table_of_another_domain() -> None:
    program = (
        "import sys; from graphcount.ops import lookup;"
        "lookup('', 'Conv'); lookup('com.acme', 'X');"
        "print(*[name for name in sys.modules if name.startswith('graphcount.ops')])"
    )
    run = [sys.executable, "-c", program]
    loaded = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    assert "graphcount.ops.conv" in loaded
    assert not [name for name in loaded if "microsoft" in name or name == "graphcount.ops.ml"]


def test_a_family_is_loaded_when_an_operator_needs_it() -> None:
    program = (
        "import sys; from graphcount.ops import lookup; lookup('', 'Gemm');"
        "print(*[name for name in sys.modules if name.startswith('graphcount.ops.')])"
    )
    run = [sys.executable, "-c", program]
    loaded = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    assert {name.removeprefix("graphcount.ops.") for name in loaded} == {
        *("call", "formulas", "inference", "linear", "operator")
    }


def test_every_file_with_a_table_is_a_family() -> None:
    named = {module for rows in ops.FAMILIES.values() for module, _ in rows}
    root = Path(ops.__file__).parent
    holding = {
        "graphcount.ops." + ".".join(path.relative_to(root).with_suffix("").parts)
        for path in root.rglob("*.py")
        if "\nTABLE = " in path.read_text("utf-8")
    }
    assert named == holding
