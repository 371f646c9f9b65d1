"""What the fields of a message hold, and which numbers an attribute keeps itself."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

from graphcount.loading.model import AttributeValues
from graphcount.loading.varints import len_varint

Found: TypeAlias = dict[str, list[Any]]
"""What the fields of a message hold, in file order."""

Value = TypeVar("Value")


LIST_IN_TUPLE = 1024
"""Attribute lists longer than this are kept in an `array` (8 bytes a number instead of 40)."""

ONE_MESSAGE = (4, 5, 11)
"""AttributeProto.AttributeType of TENSOR, GRAPH and SPARSE_TENSOR: one message each."""

UNSTATED = {
    1: AttributeValues("float", (0.0,), 0, False),
    2: AttributeValues("int", (0,), 0, False),
    3: AttributeValues("string", (b"",), 0, False),
    6: AttributeValues("float", (), 0, True),
    7: AttributeValues("int", (), 0, True),
    8: AttributeValues("string", (), 0, True),
}
"""What an attribute holds that states its type only: proto3 writers leave out zeros, and an empty
list has no field at all."""


def last(found: Found, slot: str, default: Value) -> Value:
    """The value of a singular field: of several the last one, as protobuf takes it."""
    values = found.get(slot)
    return values[-1] if values else default


def values_held(found: Found, integers: Sequence[int]) -> int:
    """How many of an attribute's kinds of value are there: a list, a single one, messages."""
    messages = not found.keys().isdisjoint(("tensors", "sparse", "graphs"))
    lists = sum(slot in found for slot in ("floats", "strings", "single"))
    return messages + lists + bool(integers)


def numbers_held(found: Found, integers: Sequence[int]) -> AttributeValues | None:
    """The numbers of an attribute: those of a list, else the last single value."""
    if integers:
        kept = tuple(integers) if len(integers) <= LIST_IN_TUPLE else array("q", integers)
        return AttributeValues("int", kept, sum(map(len_varint, integers)), True)
    if "floats" in found:
        packed = b"".join(found["floats"])
        floats: Sequence[float] = array("f", packed)
        if len(floats) <= LIST_IN_TUPLE:
            floats = tuple(floats)
        return AttributeValues("float", floats, len(packed), True)
    if "strings" in found:
        return AttributeValues(
            "string", tuple(found["strings"]), sum(map(len, found["strings"])), True
        )
    single = found.get("single")
    return single[-1] if single else None
