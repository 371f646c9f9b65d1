"""Long lists of attributes: decoded in bulk as protobuf reads them, whatever stands between."""

from __future__ import annotations

import struct
import time
from array import array
from collections.abc import Sequence
from typing import Any

import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graphcount.errors import DamagedError, GraphcountError
from graphcount.loading import decode_graphs, lists, packed_lists, read_source, window
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.model import Attribute, PackedStrings
from graphcount.loading.packed_lists import element_bytes, equal
from graphcount.loading.source import BytesSource
from graphcount.loading.wire import len_varint
from tests.loading.conftest import Wire

WINDOW = Limits(whole_file_nbytes=0, window_nbytes=64, kept_payload_nbytes=16)
HOW = {"one by one": 1 << 40, "in bulk": 0}

INT64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 300)
FLOAT = st.floats(width=32, allow_nan=False)


def padded(number: int) -> bytes:
    """A varint that is longer than it must be, which readers take."""
    coded = bytearray(Wire.varint(number))
    if len(coded) < 9:
        coded[-1] |= 0x80
        coded.append(0)
    return bytes(coded)


def ints(values: Sequence[int]) -> bytes:
    return b"".join(Wire.int(8, value) for value in values)


def floats(values: Sequence[float]) -> bytes:
    return b"".join(Wire.tag(7, 5) + struct.pack("<f", value) for value in values)


def strings(values: Sequence[bytes]) -> bytes:
    return b"".join(Wire.len(9, value) for value in values)


def of(element: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(element, max_size=40)


PIECES = st.one_of(
    of(INT64).map(ints),
    of(INT64).map(lambda values: Wire.len(8, b"".join(map(Wire.varint, values)))),
    INT64.map(lambda value: b"\x40" + padded(value)),
    INT64.map(lambda value: b"\xc0\x00" + Wire.varint(value)),  # a tag of two bytes
    of(FLOAT).map(floats),
    of(FLOAT).map(lambda values: Wire.len(7, struct.pack(f"<{len(values)}f", *values))),
    of(st.binary(max_size=9) | st.just(b"LEAF") | st.just(b"J" * 74)).map(strings),
    st.binary(min_size=120, max_size=140).map(lambda value: Wire.len(9, value)),
    st.just(Wire.len(1, b"name")),
    st.just(Wire.int(99, 7)),
    st.just(Wire.len(13, b"d" * 50)),
)


def attribute_of(content: bytes, how: str, limits: Limits) -> Attribute:
    """Read an attribute of these bytes: in a model with one node, and a tensor beside it."""
    inner = Wire.len(5, content) + Wire.len(5, Wire.len(1, b"after") + Wire.int(3, 7))
    data = Wire.model(Wire.len(1, inner) + Wire.len(5, Wire.int(1, 4) + Wire.len(9, b"w" * 64)))
    with pytest.MonkeyPatch.context() as patch:
        for module in (decode_graphs, lists, window):
            patch.setattr(module, "LONG_NBYTES", HOW[how])
        for module in (lists, window):
            patch.setattr(module, "SAME", 2)
        patch.setattr(lists, "FIRST_NBYTES", 24)
        patch.setattr(lists, "MOST_NBYTES", 200)
        patch.setattr(packed_lists, "PART", 7)
        proto = read_source(BytesSource(data, "model.onnx"), limits).proto
    node = proto.graph.nodes[0]
    assert node.integer("after", 0) == 7
    assert proto.graph.initializers[0].dims == (4,)
    assert data[node.attributes[0].offset :][: len(content)] == content
    return node.attributes[0]


def expected_of(content: bytes) -> tuple[str, list[Any]]:
    """What protobuf reads of the first kind of list that has elements."""
    proto = onnx.AttributeProto.FromString(content)
    for kind, values in (
        ("int", proto.ints),
        ("float", proto.floats),
        ("string", proto.strings),
    ):
        if values:
            return kind, list(values)
    return "", []


@pytest.mark.parametrize("limits", [DEFAULT_LIMITS, WINDOW], ids=["whole", "window"])
@pytest.mark.parametrize("how", HOW)
@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(PIECES, max_size=12))
def test_lists_are_those_that_protobuf_reads(how: str, limits: Limits, pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    kind, values = expected_of(content)
    if not values:
        numbers = attribute_of(content, how, limits).numbers
        assert numbers is None or not len(numbers.values)
        return
    content += Wire.int(20, {"int": 7, "float": 6, "string": 8}[kind])
    numbers = attribute_of(content, how, limits).numbers
    assert numbers is not None
    assert (numbers.kind, list(numbers.values)) == (kind, values)
    nbytes = {"int": len_varint, "float": lambda _: 4, "string": len}[kind]
    assert numbers.nbytes == sum(map(nbytes, values))


@settings(max_examples=100, deadline=None)
@example(pieces=[ints([1] * 20), b":\x00"], cut=2)  # two members, and no type that says which
@given(pieces=st.lists(PIECES, min_size=1, max_size=6), cut=st.integers(1, 200))
def test_damage_is_refused_alike(pieces: list[bytes], cut: int) -> None:
    """A list that ends too early, or that goes on as something else."""
    content = b"".join(pieces)
    for broken in (content[: len(content) - cut], content[cut:]):
        outcomes = set()
        for how in HOW:
            for limits in (DEFAULT_LIMITS, WINDOW):
                try:
                    numbers = attribute_of(broken, how, limits).numbers
                    outcomes.add(repr(numbers and (numbers.kind, list(numbers.values))))
                except GraphcountError as error:
                    outcomes.add(type(error).__name__)
        assert len(outcomes) == 1


@pytest.mark.parametrize("limits", [DEFAULT_LIMITS, WINDOW], ids=["whole", "window"])
@pytest.mark.parametrize(
    "packed",
    [
        Wire.len(8, b"\x80" * 10 + b"\x01"),
        Wire.len(8, b"\x01" * 300 + b"\x80"),
        Wire.len(7, b"f" * 401),
    ],
    ids=["too long", "cut", "not whole"],
)
def test_packed_damage_is_refused(packed: bytes, limits: Limits) -> None:
    with pytest.raises(DamagedError, match="damaged"):
        attribute_of(ints(range(50)) + packed, "in bulk", limits)


def test_a_list_takes_few_bytes_for_each_element() -> None:
    numbers = attribute_of(ints([*range(100), -128] * 100), "in bulk", WINDOW).numbers
    assert numbers is not None
    assert isinstance(numbers.values, array)
    assert numbers.values.itemsize == 1
    assert b"".join(element_bytes(numbers)) == struct.pack("<10100q", *numbers.values)


@given(values=of(st.sampled_from([b"", b"LEAF", b"LEAP", b"BRANCH_LEQ", b"LEAFLEAF"])))
@settings(deadline=None)
def test_packed_strings_are_a_sequence(values: list[bytes]) -> None:
    total, ends = 0, array("I")
    for value in values:
        total += len(value)
        ends.append(total)
    kept = PackedStrings(bytearray(b"".join(values)), ends)
    assert list(kept) == values
    assert kept[1:] == tuple(values[1:])
    assert kept[::-2] == tuple(values[::-2])
    for word in (b"LEAF", b"", b"BRANCH_LEQ"):
        assert kept.count(word) == values.count(word)
        assert list(equal(kept, word)) == list(equal(values, word)) == [v == word for v in values]
    if values:
        assert kept[-1] == values[-1]
    with pytest.raises(IndexError):
        kept[len(values)]


def test_lists_that_alternate_take_linear_work() -> None:
    """Runs that end at once, and runs that are just long enough to be looked at in bulk."""
    word = b"J" * 74  # each of its bytes is the tag of a string, and its size
    for period in (
        ints([1]) + floats([1.0]),
        ints([1] * 257) + floats([1.0]),
        strings([word] * 257) + ints([-1]),
        floats([1.0] * 300) + Wire.len(9, b"s" * 200),
    ):
        data = period * (200_000 // len(period))
        model = Wire.model(Wire.len(1, Wire.len(5, data)))
        for limits in (DEFAULT_LIMITS, Limits(whole_file_nbytes=0)):
            start = time.process_time()
            read_source(BytesSource(model, "model.onnx"), limits)
            assert time.process_time() - start < 2  # a tenth of that at most
