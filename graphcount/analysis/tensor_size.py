"""Numbers and bytes of one tensor: what its dimensions and type ask for, and what is there."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from graphcount.dtypes import DType, dtype_name
from graphcount.errors import Problem
from graphcount.loading.model import DataField, Tensor

if TYPE_CHECKING:
    from graphcount.loading.external import ExternalData


class Size(NamedTuple):
    """Numbers and bytes of one TensorProto; see `Stored`."""

    elements: int
    nbytes: int
    in_file_nbytes: int
    referenced_nbytes: int
    absent_nbytes: int
    problems: tuple[Problem, ...]


def element_count(dims: tuple[int, ...]) -> tuple[int, Problem | None]:
    """Return the product of the dims, exact, and what is wrong with them."""
    if any(dim < 0 for dim in dims):
        why = f"a dimension is negative: {list(dims)}"
        return 0, Problem("TEN001", "tensor size", why, {"dims": list(dims)})
    elements = prod(dims)
    if elements >= 1 << 63:
        why = f"the dims {list(dims)} multiply to {elements}, beyond 64 bits"
        return elements, Problem("TEN002", "tensor size", why, {"dims": list(dims)})
    return elements, None


def measure(tensor: Tensor, external: ExternalData | None) -> Size:
    """Count the elements of a tensor and check that its data is as large as its dims say.

    Sizes follow onnx.proto: raw_data holds ceil(elements * bits / 8) bytes; typed fields hold one
    entry an element, two of a complex number, and pack small integers as raw_data does.
    """
    elements, problem = element_count(tensor.dims)
    problems = [problem] if problem else []
    dtype = tensor.dtype
    present = sum(data.nbytes for data in tensor.data_fields)
    if dtype is None:
        why = f"element type {dtype_name(tensor.data_type)} is not defined"
        problems.append(Problem("TEN004", "element type", why))
        return Size(elements, present, present, 0, 0, tuple(problems))
    if tensor.segmented:
        problems.append(_data_problem("TEN014", "it is split into segments (obsolete)"))
    expected = dtype.nbytes(elements)
    if external is not None:
        problems += _external_problems(external, dtype, present)
        return Size(elements, expected, 0, expected, 0, tuple(problems))
    if tensor.external:
        why = "external_data is given but data_location is not EXTERNAL"
        problems.append(_data_problem("EXT018", why))
    if len(tensor.data_fields) > 1:
        names = " and ".join(data.field for data in tensor.data_fields)
        problems.append(_data_problem("TEN005", f"more than one data field: {names}"))
    if not any(data.nbytes or data.field == "string_data" for data in tensor.data_fields):
        if elements and not problem:
            why = f"no tensor data: {expected or elements} bytes are missing"
            problems.append(_data_problem("TEN007", why, expected=expected, found=0))
        return Size(elements, expected, 0, 0, expected, tuple(problems))
    data = tensor.data_fields[0]
    if data.field == "raw_data" and dtype.family != "string":
        in_file = min(present, expected)
        if data.nbytes != expected and not problem:
            why = f"raw_data has {data.nbytes} bytes, dims and type ask for {expected}"
            problems.append(_data_problem("TEN003", why, expected=expected, found=data.nbytes))
        return Size(elements, expected, in_file, 0, expected - in_file, tuple(problems))
    if data.field != dtype.typed_field:
        problems.append(_data_problem("TEN006", f"{dtype.name} elements in {data.field}"))
    elif not problem and not _fits(dtype, elements, data):
        why = f"{data.field} ({data.nbytes} bytes) does not hold {elements} {dtype.name}"
        problems.append(_data_problem("TEN003", why, elements=elements, found=data.nbytes))
    nbytes = expected if dtype.bits else present
    return Size(elements, nbytes, present, 0, 0, tuple(problems))


def _data_problem(rule: str, why: str, **evidence: int) -> Problem:
    return Problem(rule, "tensor data", why, evidence)


def _external_problems(external: ExternalData, dtype: DType, present: int) -> list[Problem]:
    """Return what is wrong with a tensor with external data."""
    problems = [*external.problems]
    if dtype.family == "string":
        problems.append(Problem("TEN006", "external data", "strings cannot be external"))
    if present:
        why = f"external data and {present} bytes in the file as well"
        problems.append(_data_problem("TEN005", why))
    return problems


def _fits(dtype: DType, elements: int, field: DataField) -> bool:
    """Return whether a typed field can hold that many elements.

    Fixed-width fields are checked exactly, string_data by its count, varints one by one when they
    were kept, else by their bounds: an entry takes 1 to 10 bytes.
    """
    if dtype.typed_field == "string_data":
        return field.occurrences == elements
    if dtype.typed_field == "float_data" or dtype.typed_field == "double_data":
        return field.nbytes == dtype.nbytes(elements)
    entries = dtype.entries(elements)
    if field.data is not None:  # the last byte of a varint is below 128
        return len(field.data.translate(None, _CONTINUED)) == entries
    return entries <= field.nbytes <= 10 * entries


_CONTINUED = bytes(range(128, 256))
