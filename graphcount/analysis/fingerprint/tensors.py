"""Digests of stored tensors: type, shape and data, however the file keeps them."""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Iterator

from graphcount.analysis.stored import Stored
from graphcount.loading.external import ExternalData
from graphcount.loading.model import AttributeValues, Tensor
from graphcount.loading.packed_lists import element_bytes
from graphcount.loading.tensor_data import TensorReader, UnreadError


def digest(stored: Stored, reader: TensorReader) -> str:
    """Return SHA-256 of a tensor's element type, shape and data, in hexadecimal.

    Raises:
        UnreadError: Its data is missing, damaged or must not be read.
    """
    if stored.unknowns:
        raise UnreadError.of("damaged", stored.unknowns[0].why)
    hashed = hashlib.sha256(f"{stored.dtype}[{','.join(map(str, stored.shape))}]".encode())
    for part in _parts(stored, reader):
        hashed.update(part)
    return hashed.hexdigest()


def _parts(stored: Stored, reader: TensorReader) -> Iterator[bytes]:
    if stored.numbers is not None:
        is_array = isinstance(stored.numbers.values, array)
        yield from element_bytes(stored.numbers) if is_array else _listed(stored.numbers)
    elif stored.tensor is not None:
        yield from _dense(stored.tensor, reader, stored.external)
    elif stored.sparse is not None:
        yield from _dense(stored.sparse.values, reader)
        yield b"indices"
        yield from _dense(stored.sparse.indices, reader)
    else:
        raise UnreadError.of("absent", "the file declares it and does not hold it")


def _listed(numbers: AttributeValues) -> Iterator[bytes]:
    """Yield the values of an attribute, as the tensor that a Constant makes of them."""
    if numbers.kind == "string":
        yield from map(_framed, _texts(numbers))
        return
    code = "f" if numbers.kind == "float" else "q"
    yield struct.pack(f"<{len(numbers.values)}{code}", *numbers.values)


def _texts(numbers: AttributeValues) -> Iterator[bytes]:
    for value in numbers.values:
        yield value if isinstance(value, bytes) else str(value).encode()


def _framed(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def _dense(
    tensor: Tensor, reader: TensorReader, external: ExternalData | None = None
) -> Iterator[bytes]:
    six = tensor.dtype is not None and tensor.dtype.bits == 6
    if six and any(field.field == "int32_data" for field in tensor.data_fields):
        raise UnreadError.of("type", "6-bit elements in int32_data have no raw form here")
    yield from reader.chunks(tensor, external)
