"""Element types of ONNX tensors: one row each (TensorProto.DataType, onnx.proto of onnx 1.23)."""

from __future__ import annotations

from typing import Literal, NamedTuple

Family = Literal["float", "int", "bool", "complex", "string"]


class DType(NamedTuple):
    """One element type.

    Attributes:
        code: Value of TensorProto.DataType.
        name: Lower-case numpy / ml_dtypes name.
        bits: Bits of one element in raw_data; 0 for strings, which have no fixed size.
        family: What kind of number it is.
        typed_field: The TensorProto field that holds it when raw_data is not used.
    """

    code: int
    name: str
    bits: int
    family: Family
    typed_field: str

    def nbytes(self, elements: int) -> int:
        """Return the bytes of elements as raw_data packs them: ceil(elements * bits / 8)."""
        return (elements * self.bits + 7) // 8

    def entries(self, elements: int) -> int:
        """Numbers a typed field of integers holds for `elements`: those of 2 and 4 bits share."""
        return elements if self.bits >= 8 or self.bits == 6 else self.nbytes(elements)

    @property
    def zero_mask(self) -> int | None:
        """Bits that are clear in every zero; None for a type that has no zero.

        All of them, or all but the sign where the type has a zero with a sign: IEEE 754 and its
        short forms, but not the types that end in `uz` (onnx/docs/docsgen/source/technical:
        float8.md, float4.md; OCP Microscaling Formats 1.0 for float6 and e8m0). Of a complex
        number: the bits of one part.
        """
        if self.family == "string" or self.name in NO_ZERO:
            return None
        bits = self.bits // 2 if self.family == "complex" else self.bits
        signed = self.family in ("float", "complex") and self.name not in ONE_ZERO
        return (1 << (bits - signed)) - 1


ONE_ZERO = frozenset({"float8_e4m3fnuz", "float8_e5m2fnuz"})
"""Floating point types with one zero: the sign alone is not a number."""

NO_ZERO = frozenset({"float8_e8m0fnu"})
"""Types of powers of two, without a zero."""


DTYPES: dict[int, DType] = {
    row.code: row
    for row in (
        DType(1, "float32", 32, "float", "float_data"),
        DType(2, "uint8", 8, "int", "int32_data"),
        DType(3, "int8", 8, "int", "int32_data"),
        DType(4, "uint16", 16, "int", "int32_data"),
        DType(5, "int16", 16, "int", "int32_data"),
        DType(6, "int32", 32, "int", "int32_data"),
        DType(7, "int64", 64, "int", "int64_data"),
        DType(8, "string", 0, "string", "string_data"),
        DType(9, "bool", 8, "bool", "int32_data"),
        DType(10, "float16", 16, "float", "int32_data"),
        DType(11, "float64", 64, "float", "double_data"),
        DType(12, "uint32", 32, "int", "uint64_data"),
        DType(13, "uint64", 64, "int", "uint64_data"),
        DType(14, "complex64", 64, "complex", "float_data"),
        DType(15, "complex128", 128, "complex", "double_data"),
        DType(16, "bfloat16", 16, "float", "int32_data"),
        DType(17, "float8_e4m3fn", 8, "float", "int32_data"),
        DType(18, "float8_e4m3fnuz", 8, "float", "int32_data"),
        DType(19, "float8_e5m2", 8, "float", "int32_data"),
        DType(20, "float8_e5m2fnuz", 8, "float", "int32_data"),
        DType(21, "uint4", 4, "int", "int32_data"),
        DType(22, "int4", 4, "int", "int32_data"),
        DType(23, "float4_e2m1fn", 4, "float", "int32_data"),
        DType(24, "float8_e8m0fnu", 8, "float", "int32_data"),
        DType(25, "uint2", 2, "int", "int32_data"),
        DType(26, "int2", 2, "int", "int32_data"),
        DType(27, "float6_e2m3fn", 6, "float", "int32_data"),
        DType(28, "float6_e3m2fn", 6, "float", "int32_data"),
    )
}


class Precision(NamedTuple):
    """What one number is, of a type of ONNX or of another: `int3`, `nf4`.

    Attributes:
        name: As in the table of types, or in its manner.
        bits: Bits of one number; 0 where that is not known.
    """

    name: str
    bits: int


UNKNOWN_PRECISION = Precision("undefined", 0)


def precision_of(code: int) -> Precision:
    """Return the precision of a TensorProto.DataType."""
    row = DTYPES.get(code)
    return UNKNOWN_PRECISION if row is None else Precision(row.name, row.bits)


BY_NAME: dict[str, DType] = {row.name: row for row in DTYPES.values()}


def dtype_name(code: int) -> str:
    """Name of a TensorProto.DataType; `undefined` for 0, `unknown(N)` for one not in the table."""
    row = DTYPES.get(code)
    if row is not None:
        return row.name
    return "undefined" if code == 0 else f"unknown({code})"
