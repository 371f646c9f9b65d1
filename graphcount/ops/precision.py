"""What operators multiply: which of their operands, and what the numbers in these are worth.

A float may stand for an integer: DequantizeLinear makes it of one, and QONNX's Quant rounds it to
one of n bits. Rules follow this through operators that hand elements on, and say nothing of others.

Sources: ONNX Operators.md; onnxruntime/docs/ContribOperators.md; the qonnx operator definitions
(Quant: 1 bit with a sign is bipolar; FloatQuant: sign, exponent and mantissa).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graphcount.dtypes import BY_NAME, UNKNOWN_PRECISION, Precision, precision_of
from graphcount.ops.call import Call, PrecisionRule
from graphcount.ops.operator import Operator, Role

FLOAT32 = precision_of(BY_NAME["float32"].code)
UINT8 = precision_of(BY_NAME["uint8"].code)
BIPOLAR = Precision("bipolar", 1)

MOST_BITS = 64
"""Bits that a stated width may have."""

ACTIVATIONS: frozenset[Role] = frozenset({"data", "operand", "embedding", "state"})
WEIGHTS: frozenset[Role] = frozenset({"weight", "recurrent weight", "quantized weight"})


class OperandTypes(NamedTuple):
    """What the two operands of a product are: activation and weight, or both activations."""

    first: Precision
    second: Precision


# ------------------------------------------------------------------------- what floats are worth


def kept(call: Call, first: Precision | None) -> Precision | None:
    """Elements of the first input, chosen or moved, and zeros beside them."""
    del call
    return first


def kept_by_copies(call: Call, first: Precision | None) -> Precision | None:
    """Resize, Upsample: the mode `nearest`, the default, copies elements."""
    return first if call.node.text("mode", "nearest") == "nearest" else None


def dequantized(call: Call, first: Precision | None) -> Precision | None:
    """DequantizeLinear: the integers that it takes."""
    del first
    return precision_of(call.dtype(0))


def integers_of(*places: int) -> PrecisionRule:
    """Return the rule of integers whose bits the last of these inputs that is given holds."""

    def rule(call: Call, first: Precision | None) -> Precision | None:
        del first
        bits = _stated(call, max((at for at in places if call.has(at)), default=places[0]))
        signed = call.node.integer("signed", 1)
        if bits == 1 and signed:
            return BIPOLAR
        return Precision(f"{'' if signed else 'u'}int{bits}", bits) if bits else UNKNOWN_PRECISION

    return rule


def bipolar(call: Call, first: Precision | None) -> Precision | None:
    """BipolarQuant: -1 and 1."""
    del call, first
    return BIPOLAR


def small_floats(call: Call, first: Precision | None) -> Precision | None:
    """FloatQuant: exponent at input 2, mantissa at input 3."""
    del first
    exponent, mantissa = _stated(call, 2), _stated(call, 3)
    if not exponent or not call.value(3):
        return UNKNOWN_PRECISION
    bits = 1 + exponent + mantissa
    return Precision(f"float{bits}_e{exponent}m{mantissa}", bits)


def _stated(call: Call, index: int) -> int:
    """Return a number of bits that an input holds; 0 where it is not known, or none."""
    value = call.value(index)
    if value is None or len(value) != 1 or not isinstance(value[0], int):
        return 0
    return value[0] if 0 < value[0] <= MOST_BITS else 0


# ---------------------------------------------------------------------------- what is multiplied


def operand_types(
    call: Call, operator: Operator, worth: Callable[[int], Precision | None]
) -> OperandTypes | None:
    """Return what a node multiplies; None where it is not known, or differs within the node.

    Attention makes several products, of which none stands for the others: all of its operands are
    of one type, or it has none.

    Args:
        call: The node.
        operator: What is known of it.
        worth: What the floats at an input are worth; None: what their type says.
    """
    given = [(at, operator.role(at)) for at in range(len(call.node.inputs)) if call.has(at)]
    activations = [_type(call, operator, at, worth) for at, role in given if role in ACTIVATIONS]
    weights = [_type(call, operator, at, worth) for at, role in given if role in WEIGHTS]
    if WEIGHTS.intersection(operator.attributes.values()):
        weights.append(FLOAT32)  # lists of numbers in attributes
    if operator.family == "attention":
        activations = weights = activations + weights
    operands = activations or weights
    first = operands[:1]
    rest = weights if activations and weights else operands[1:] or operands
    if any(len(set(side)) != 1 or not side[0].bits for side in (first, rest)):
        return None
    return OperandTypes(first[0], rest[0])


def _type(
    call: Call, operator: Operator, index: int, worth: Callable[[int], Precision | None]
) -> Precision:
    """Return what is multiplied of an input."""
    packed = operator.packing.precision(call, index) if operator.packing is not None else None
    made = packed or worth(index)
    if made is not None:
        return made
    if "quantizes" in operator.traits and operator.role(index) in ACTIVATIONS:
        return UINT8
    return precision_of(call.dtype(index))
