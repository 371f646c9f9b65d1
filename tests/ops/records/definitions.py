"""What onnx and onnxruntime say of their operators: names and types of inputs and outputs."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from onnx import defs


class Parameter(NamedTuple):
    """An input or output of an operator.

    Attributes:
        name: Its name, in small letters.
        type: The type variable, or the one type.
        types: The types that it can have.
    """

    name: str
    type: str
    types: frozenset[str]


class Definition(NamedTuple):
    """One version of an operator as its owner defines it.

    Attributes:
        domain: Its domain.
        name: Its op_type.
        since: The opset version it came with.
        inputs: Its inputs, in order.
        outputs: Its outputs, in order.
        variadic: Its last input may be given any number of times.
        folder: Where its owner's source defines it.
        attributes: Type of each attribute by name, as onnx.proto calls it.
    """

    domain: str
    name: str
    since: int
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]
    variadic: bool
    folder: str
    attributes: dict[str, str]

    @property
    def key(self) -> tuple[str, str]:
        """Return domain and op_type."""
        return self.domain, self.name


def _last(value: Any) -> str:
    return str(value).rpartition(".")[2]


def _parameters(schema: Any, places: Any) -> tuple[Parameter, ...]:
    allowed = {
        one.type_param_str: frozenset(one.allowed_type_strs) for one in schema.type_constraints
    }
    written = [(one.name.lower(), getattr(one, "type_str", "") or one.typeStr) for one in places]
    return tuple(
        Parameter(name, kind, allowed.get(kind, frozenset({kind}))) for name, kind in written
    )


def _folder(path: str) -> str:
    path = path.replace("\\", "/")
    return path.rpartition("/onnx/defs/")[2] if "/onnx/defs/" in path else path.rpartition("/")[2]


def _definition(schema: Any) -> Definition:
    inputs = list(schema.inputs)
    return Definition(
        schema.domain,
        schema.name,
        schema.since_version,
        _parameters(schema, inputs),
        _parameters(schema, schema.outputs),
        bool(inputs) and "Variadic" in str(inputs[-1].option),
        _folder(schema.file),
        {name: _last(one.type) for name, one in schema.attributes.items()},
    )


PUBLISHED = """
    SimplifiedLayerNormalization x scale
    com.microsoft::SimplifiedLayerNormalization x scale
    com.microsoft::LayerNormalization x scale b
    {0}::Quant x x_scale x_zero_point ratio
    {0}::IntQuant x x_scale x_zero_point ratio
    {0}::BipolarQuant x x_scale
    {0}::Trunc x x_scale x_zero_point ratio ratio
    {0}::FloatQuant x x_scale ratio ratio ratio ratio
"""
"""Inputs of operators that neither package defines, by the names that others have for the same:
onnxruntime/docs/OperatorKernels.md, qonnx/docs/qonnx-custom-ops (bit widths are plain numbers)."""


FLOATS = frozenset({"tensor(float)", "tensor(float16)", "tensor(double)"})


def _variable(op_type: str, parameter: str) -> str:
    """Return the type variable: results of simplified norms have the type of the scale."""
    return "V" if (op_type, parameter) == ("SimplifiedLayerNormalization", "scale") else "T"


def _published() -> list[Definition]:
    rows = [
        line.format(domain).split()
        for line in PUBLISHED.strip().splitlines()
        for domain in ("finn.custom_op.general", "onnx.brevitas", "qonnx.custom_op.general")
    ]
    keys = [row[0].rpartition("::") for row in rows]
    return [
        Definition(
            domain,
            name,
            1,
            tuple(Parameter(word, _variable(name, word), FLOATS) for word in row[1:]),
            (Parameter("y", _variable(name, "scale"), FLOATS),),
            False,
            "quantization" if "." in domain and "microsoft" not in domain else "nn",
            {},
        )
        for (domain, _, name), row in zip(keys, rows, strict=True)
    ]


@cache
def definitions() -> tuple[Definition, ...]:
    """Return every version of onnx's operators, and those of onnxruntime's own domains."""
    from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

    own = [one for one in get_all_operator_schema() if one.domain.startswith("com.microsoft")]
    read = [_definition(one) for one in (*defs.get_all_schemas_with_history(), *own)]
    return (*read, *_published())


@cache
def newest() -> dict[tuple[str, str], Definition]:
    """Return the newest version of each operator by domain and op_type."""
    return {one.key: one for one in sorted(definitions(), key=lambda one: one.since)}
