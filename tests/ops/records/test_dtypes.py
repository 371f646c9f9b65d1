"""Element types against the type constraints of the definitions.

An output whose type variable an input has gets that input's type; one that can be of one type only
has it. What an attribute decides stands in `STATED`, by the text of the definition.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from onnx import TensorProto

from graphcount.ops import lookup
from graphcount.ops.inference import result_dtypes, unknown
from tests.ops.cost.conftest import make
from tests.ops.records.definitions import Definition, newest

CODES = {
    f"tensor({name.lower()})": code
    for name, code in TensorProto.DataType.items()
    if name != "UNDEFINED"
}
FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL, HALF, DOUBLE, UINT32, BFLOAT16 = (
    *(1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 16),
)

Types = list[int]


def inferred(key: tuple[str, str], types: Types, outputs: int, **attributes: Any) -> Types:
    """Return the types of the outputs of a call with these types of inputs."""
    row = lookup(*key)
    assert row is not None
    left_out = [index for index, code in enumerate(types) if not code]
    call = make(
        key[1],
        [None] * len(types),
        [None] * outputs,
        domain=key[0],
        left_out=left_out,
        **attributes,
    )
    return result_dtypes(row.dtypes, replace(call, opset=23, dtypes=tuple(types)))


def chosen(one: Definition) -> dict[str, int]:
    """Return a type for each type variable, as different as they may be."""
    found: dict[str, int] = {}
    for parameter in one.inputs:
        if parameter.type not in found:
            codes = sorted(CODES[name] for name in parameter.types if name in CODES)
            new = [code for code in codes if code not in found.values()]
            other = [code for code in codes if code != next(iter(found.values()), 0)]
            found[parameter.type] = (new or other or codes or [0])[-1]
    return found


def test_outputs_have_the_type_that_the_definition_says() -> None:
    wrong, seen = [], 0
    for key, one in newest().items():
        row = lookup(*key)
        if row is None or row.shape in (None, unknown):
            continue
        types = chosen(one)
        found = inferred(key, [types[p.type] for p in one.inputs], len(one.outputs))
        for index, output in enumerate(one.outputs):
            fixed = sorted(CODES[name] for name in output.types if name in CODES)
            if output.type in types:
                wanted = types[output.type]
            elif len(output.types) == 1:
                wanted = fixed[0]
            else:
                continue
            seen += 1
            if found[index] != wanted:
                wrong.append((*key, output.name, found[index], wanted))
    assert not wrong, "\n".join(map(str, wrong))
    assert seen > 250


def test_an_output_of_one_type_has_it_whatever_the_inputs_are() -> None:
    wrong = []
    for key, one in newest().items():
        row = lookup(*key)
        if row is None or row.shape in (None, unknown):
            continue
        found = inferred(key, [0] * len(one.inputs), len(one.outputs))
        for index, output in enumerate(one.outputs):
            fixed = sorted(CODES[name] for name in output.types if name in CODES)
            shared = bool(one.inputs) and output.type == one.inputs[0].type
            if len(output.types) == 1 and not shared and found[index] != fixed[0]:
                wrong.append((*key, output.name, found[index], fixed))
    assert not wrong, "\n".join(map(str, wrong))


ML, MS = "ai.onnx.ml", "com.microsoft"
Case = tuple[str, str, Types, dict[str, Any], Types]
STATED: list[Case] = [
    ("", "Cast", [FLOAT], {"to": HALF}, [HALF]),
    ("", "BitCast", [FLOAT], {"to": INT32}, [INT32]),
    ("", "RandomNormal", [], {"dtype": DOUBLE}, [DOUBLE]),
    ("", "RandomNormal", [], {}, [FLOAT]),
    ("", "RandomUniform", [], {"dtype": HALF}, [HALF]),
    ("", "RandomNormalLike", [INT32], {"dtype": DOUBLE}, [DOUBLE]),
    ("", "RandomNormalLike", [HALF], {}, [HALF]),
    ("", "RandomUniformLike", [INT32], {"dtype": DOUBLE}, [DOUBLE]),
    ("", "Bernoulli", [DOUBLE], {}, [DOUBLE]),
    ("", "Bernoulli", [DOUBLE], {"dtype": BOOL}, [BOOL]),
    ("", "EyeLike", [INT32], {}, [INT32]),
    ("", "EyeLike", [INT32], {"dtype": FLOAT}, [FLOAT]),
    ("", "Multinomial", [FLOAT], {}, [INT32]),
    ("", "Multinomial", [FLOAT], {"dtype": INT64}, [INT64]),
    *[("", f"{name}Window", [INT64], {}, [FLOAT]) for name in ("Blackman", "Hamming", "Hann")],
    *[
        ("", f"{name}Window", [INT64], {"output_datatype": HALF}, [HALF])
        for name in ("Blackman", "Hamming", "Hann")
    ],
    ("", "MelWeightMatrix", [INT64] * 3 + [FLOAT] * 2, {}, [FLOAT]),
    ("", "MelWeightMatrix", [INT64] * 3 + [FLOAT] * 2, {"output_datatype": DOUBLE}, [DOUBLE]),
    ("", "Constant", [], {"value_int": 3}, [INT64]),
    ("", "Constant", [], {"value_ints": [3]}, [INT64]),
    ("", "Constant", [], {"value_float": 3.0}, [FLOAT]),
    ("", "Constant", [], {"value_string": "a"}, [STRING]),
    ("", "ConstantOfShape", [INT64], {}, [FLOAT]),
    ("", "LayerNormalization", [HALF, HALF], {}, [HALF, FLOAT, FLOAT]),
    ("", "QuantizeLinear", [FLOAT, FLOAT], {}, [UINT8]),
    ("", "QuantizeLinear", [FLOAT, FLOAT, INT8], {}, [INT8]),
    ("", "QuantizeLinear", [FLOAT, FLOAT], {"output_dtype": INT8}, [INT8]),
    ("", "DequantizeLinear", [INT8, HALF, INT8], {}, [HALF]),
    (MS, "QuantizeLinear", [FLOAT, FLOAT], {}, [UINT8]),
    (MS, "DequantizeLinear", [INT8, HALF, INT8], {}, [HALF]),
    (MS, "MatMulInteger16", [INT32, INT32], {}, [INT32]),
    (MS, "DequantizeWithOrder", [INT8, FLOAT], {"to": HALF}, [HALF]),
    (MS, "GemmFloat8", [17, 17], {}, [FLOAT]),
    (MS, "GemmFloat8", [17, 17], {"dtype": HALF}, [HALF]),
    (MS, "QGemm", [UINT8, FLOAT, UINT8, INT8, FLOAT, INT8], {}, [FLOAT]),
    (MS, "QGemm", [UINT8, FLOAT, UINT8, INT8, FLOAT, INT8, 0, FLOAT, INT8], {}, [INT8]),
    (MS, "RMSNormRotary", [HALF, FLOAT], {}, [BFLOAT16, FLOAT]),
    (MS, "RMSNormRotary", [BFLOAT16, FLOAT], {"output_fp16": 1}, [HALF, FLOAT]),
    (MS, "MurmurHash3", [STRING], {}, [UINT32]),
    (MS, "MurmurHash3", [STRING], {"positive": 0}, [INT32]),
    (MS, "ReduceSumInteger", [INT8], {}, [INT32]),
    (MS, "ReduceSumInteger", [UINT8], {}, [UINT32]),
    (MS, "DequantizeBFP", [UINT8], {"dtype": HALF}, [HALF]),
    (MS, "GatherPacked", [UINT8, INT64], {}, [BFLOAT16]),
    (MS, "GatherPacked", [UINT8, INT64], {"output_dtype": HALF}, [HALF]),
    (ML, "LinearClassifier", [DOUBLE], {"classlabels_ints": [1, 2]}, [INT64, FLOAT]),
    (ML, "LinearClassifier", [DOUBLE], {"classlabels_strings": ["a", "b"]}, [STRING, FLOAT]),
    (ML, "SVMClassifier", [DOUBLE], {"classlabels_ints": [1, 2]}, [INT64, FLOAT]),
    (ML, "SVMClassifier", [DOUBLE], {"classlabels_strings": ["a", "b"]}, [STRING, FLOAT]),
    (ML, "TreeEnsembleClassifier", [DOUBLE], {"classlabels_int64s": [1, 2]}, [INT64, FLOAT]),
    (ML, "TreeEnsembleClassifier", [DOUBLE], {"classlabels_strings": ["a"]}, [STRING, FLOAT]),
    (ML, "LabelEncoder", [STRING], {"keys_strings": ["a"], "values_int64s": [1]}, [INT64]),
    (ML, "LabelEncoder", [INT64], {"keys_int64s": [1], "values_strings": ["a"]}, [STRING]),
    (ML, "LabelEncoder", [INT64], {"keys_int64s": [1], "values_floats": [1.0]}, [FLOAT]),
    (ML, "CategoryMapper", [STRING], {}, [INT64]),
    (ML, "CategoryMapper", [INT64], {}, [STRING]),
    (ML, "CastMap", [0], {}, [FLOAT]),
    (ML, "CastMap", [0], {"cast_to": "TO_INT64"}, [INT64]),
    (ML, "CastMap", [0], {"cast_to": "TO_STRING"}, [STRING]),
]


def test_attributes_decide() -> None:
    for domain, op_type, types, attributes, wanted in STATED:
        found = inferred((domain, op_type), types, len(wanted), **attributes)
        assert found == wanted, (domain, op_type, attributes)


def test_what_no_owner_defines_has_the_type_of_its_data() -> None:
    for name in ("Quant", "IntQuant", "BipolarQuant", "Trunc", "FloatQuant"):
        assert inferred(("qonnx.custom_op.general", name), [FLOAT, FLOAT], 1) == [FLOAT]
