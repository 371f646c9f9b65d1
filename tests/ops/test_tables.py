"""The tables of operators against onnx's own schemas, for every version of every operator."""

from __future__ import annotations

import onnx
import pytest
from onnx import IR_VERSION, defs

from graphcount.ops import NEWEST_IR, NEWEST_OPSET, OPERATORS, lookup
from graphcount.ops.shape import SHAPE_RULES
from graphcount.ops.spec import OpSpec
from graphcount.ops.tables import merge

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
    assert known - set(OPERATORS) == set()


@pytest.mark.skipif(
    tuple(map(int, onnx.__version__.split(".")[:2])) < (1, 23),
    reason="the installed onnx is older than the tables",
)
def test_the_tables_name_no_operator_that_onnx_does_not_have() -> None:
    known = {(schema.domain, schema.name) for schema in SCHEMAS}
    extra = {key for key in OPERATORS if key[0] in ("", "ai.onnx.ml")} - known
    assert extra == {("", "SimplifiedLayerNormalization")}  # onnxruntime's, in the default domain


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


def test_ml_attributes_exist_in_the_schemas() -> None:
    for (domain, op_type), spec in OPERATORS.items():
        if domain == "ai.onnx.ml":
            known: set[str] = set()
            for schema in SCHEMAS:
                if schema.name == op_type and schema.domain == domain:
                    known |= set(schema.attributes)
            names = set(spec.attributes)
            assert not names or names & known, op_type


def test_the_newest_versions_are_those_of_the_installed_onnx_or_later() -> None:
    for domain, known in NEWEST_OPSET.items():
        assert known >= max(s.since_version for s in SCHEMAS if s.domain == domain)
    assert NEWEST_IR >= IR_VERSION


def test_an_operator_without_a_shape_is_one_on_purpose() -> None:
    bodies = {("", "If"), ("", "Loop"), ("", "Scan")}  # graphcount.analysis.shapes.control
    open_ones = "AttnLSTM ConvTransposeWithDynamicPads GemmaRotaryEmbedding NGramRepeatBlock"
    unknown = {("com.microsoft", name) for name in f"{open_ones} WordConvEmbedding".split()}
    assert set(OPERATORS) - set(SHAPE_RULES) == bodies | unknown


def test_an_operator_in_two_tables_is_refused() -> None:
    row = {("", "Conv"): OpSpec()}
    with pytest.raises(ValueError, match="Conv"):
        merge([row, row])
