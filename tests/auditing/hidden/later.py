"""More ways, written when the rules were finished: the second list, for a blind look."""

from __future__ import annotations

import base64
from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.auditing.hidden.host import Model, external, host, move, weights
from tests.auditing.hidden.ways import (
    Way,
    backwards,
    between,
    changed,
    documented,
    extra,
    gaps,
    groups,
    in_bits,
    noise,
    pieces,
    plain,
    put,
    swapped,
    wire_field,
    xored,
)


def dealt(count: int, bits: int, first: int = 0) -> Callable[[bytes], Model]:
    """Return a maker that deals groups of bits out to tensors in turn."""

    def make(payload: bytes) -> Model:
        words = weights("float32")
        numbers = groups(payload, bits)
        for i in range(count):
            own = numbers[i::count]
            put(words[first + i], np.arange(len(own)), own, 0, bits)
        return plain(host("float32", words))

    return make


def one_after_another(payload: bytes) -> Model:
    """Begin in the last low bytes of a layer and go on in the next layer."""
    words = weights("float32")
    half = len(payload) // 2
    put(words[0], words[0].size - half + np.arange(half), groups(payload[:half], 8), 0, 8)
    rest = groups(payload[half:], 8)
    put(words[1], np.arange(len(rest)), rest, 0, 8)
    return plain(host("float32", words))


def by_columns(bits: int, layer: int) -> Callable[[bytes], Model]:
    """Return a maker that writes some low bits column by column."""

    def make(payload: bytes) -> Model:
        words = weights("float32")
        turned = np.ascontiguousarray(words[layer].T)
        numbers = groups(payload, bits)
        put(turned, np.arange(len(numbers)), numbers, 0, bits)
        words[layer] = np.ascontiguousarray(turned.T)
        return plain(host("float32", words))

    return make


def last_elements(bits: int) -> Callable[[bytes], Model]:
    """Return a maker that ends with the layer's last element."""

    def make(payload: bytes) -> Model:
        words = weights("float32")
        numbers = groups(payload, bits)
        put(words[1], words[1].size - len(numbers) + np.arange(len(numbers)), numbers, 0, bits)
        return plain(host("float32", words))

    return make


def many_gaps(size: int) -> Callable[[bytes], Model]:
    """Return a maker with many small external tensors and a few bytes between them."""

    def make(payload: bytes) -> Model:
        model, data = host("float32"), bytearray()
        parts = [payload[at : at + size] for at in range(0, len(payload), size)]
        for i, part in enumerate(parts):
            raw = noise(64, i)
            tensor = TensorProto(name=f"c{i}", data_type=1, dims=[16])
            move(tensor, "c.bin", len(data), 64)
            model.graph.initializer.append(tensor)
            data += raw + part
        return Model(model.SerializeToString(), {"c.bin": bytes(data)})

    return make


def int8_plus_128(payload: bytes) -> Model:
    """Store bytes as signed numbers: each less 128."""
    model = host("float32")
    raw = (np.frombuffer(payload, np.uint8).astype(np.int16) - 128).astype(np.int8).tobytes()
    whole = noise(1001) + raw
    model.graph.initializer.append(
        TensorProto(name="t", data_type=3, dims=[len(whole)], raw_data=whole)
    )
    return plain(model)


def typed(field: str, code: int) -> Callable[[bytes], Model]:
    """Return a maker of a tensor whose bytes stand in a typed field, one an element."""

    def make(payload: bytes) -> Model:
        model = host("float32")
        tensor = TensorProto(name="t", data_type=code, dims=[len(payload) + 40])
        values = [i % 7 for i in range(40)] + list(payload)
        getattr(tensor, field).extend(values)
        model.graph.initializer.append(tensor)
        return plain(model)

    return make


def as_bits(payload: bytes) -> Model:
    """Store each bit as a boolean."""
    model = host("float32")
    raw = np.unpackbits(np.frombuffer(payload, np.uint8)).tobytes()
    model.graph.initializer.append(
        TensorProto(name="mask", data_type=9, dims=[len(raw)], raw_data=raw)
    )
    return plain(model)


def as_signs(payload: bytes) -> Model:
    """Store each bit as the sign of an element of a table that is not used."""
    model = host("float32")
    words = np.frombuffer(noise(4 * 8 * len(payload)), "<u4").copy()
    put(words, np.arange(len(words)), groups(payload, 1, little=True), 31, 1)
    model.graph.initializer.append(
        TensorProto(name="codes", data_type=1, dims=[len(words)], raw_data=words.tobytes())
    )
    return plain(model)


def renamed(model: onnx.ModelProto, payload: bytes) -> None:
    """Spread hexadecimal digits over the names of unused values, behind a prefix."""
    for i, piece in enumerate(pieces(payload.hex(), 30)):
        model.graph.value_info.append(helper.make_tensor_value_info(f"block{i}.{piece}", 1, [1]))


def metadata_parts(model: onnx.ModelProto, payload: bytes) -> None:
    """Spread base64 over metadata values."""
    for i, piece in enumerate(pieces(base64.urlsafe_b64encode(payload).decode(), 9)):
        model.metadata_props.add(key=f"part{i}", value=piece)


def node_doc(model: onnx.ModelProto, payload: bytes) -> None:
    """Write base32 into the documentation of a node."""
    model.graph.node[0].doc_string = base64.b32encode(payload).decode()


def attribute_tensor(model: onnx.ModelProto, payload: bytes) -> None:
    """Put the payload into the tensor of a Constant inside a branch."""
    raw = noise(80) + payload
    tensor = TensorProto(name="t", data_type=2, dims=[len(raw)], raw_data=raw)
    body = helper.make_graph(
        [helper.make_node("Constant", [], ["b"], value=tensor)],
        "branch",
        [],
        [helper.make_tensor_value_info("b", 2, [len(raw)])],
    )
    yes = TensorProto(name="yes", data_type=9, dims=[], raw_data=b"\1")
    model.graph.initializer.append(yes)
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["spare"], then_branch=body, else_branch=body)
    )


def unknown_in_node(payload: bytes) -> Model:
    """Put the payload, behind other bytes, into an unknown field of a tensor's message."""
    empty = b"\x08\0\x10\x01" + wire_field(8, b"spare") + wire_field(9, b"")
    inner = wire_field(5, empty + wire_field(700, b"\1\2\3" * 50 + payload))
    return Model(host("float32").SerializeToString() + wire_field(7, inner))


def external_polyglot(payload: bytes) -> Model:
    """Begin an external file with the payload, and let a tensor own it."""
    model = host("float32")
    raw = payload + bytes(-len(payload) % 4)
    tensor = TensorProto(name="first", data_type=1, dims=[len(raw) // 4])
    move(tensor, "p.bin", 0, len(raw))
    model.graph.initializer.append(tensor)
    return Model(model.SerializeToString(), {"p.bin": raw})


LATER = (
    *(Way(f"{bits} bits dealt out to {count} tensors", dealt(count, bits), tolerance=0.02)
      for bits, count in ((1, 2), (4, 3), (8, 2), (16, 3))),
    Way("from the end of one layer into the next", one_after_another, tolerance=0.001),
    *(Way(f"lowest {bits} bits, column by column", by_columns(bits, layer), tolerance=0.02)
      for bits, layer in ((1, 1), (2, 0), (8, 2), (16, 1))),
    *(Way(f"lowest {bits} bits of the last elements", last_elements(bits), tolerance=0.02)
      for bits in (1, 2, 3, 4, 5, 8, 9, 12, 16)),
    *(Way(f"lowest {bits} bits, lsb first, little-endian bits, at element 4,321",
          in_bits(0, bits, begin=4321, msb=False, little=True), tolerance=0.02)
      for bits in (1, 2, 4, 6, 7, 8, 10, 15, 16)),
    *(Way(f"bits {low} to {low + bits}", in_bits(low, bits, begin=9), tolerance=0.3)
      for low, bits in ((4, 4), (8, 4), (3, 8), (1, 7), (12, 8), (5, 3))),
    *(Way(f"lowest 4 bits of every {step}th element", in_bits(0, 4, step=step), tolerance=0.001)
      for step in (2, 7, 16)),
    Way("lowest byte of every 60th element", in_bits(0, 8, step=60), tolerance=0.001),
    Way("lowest 8 bits, xor with a constant", in_bits(0, 8, change=xored(0x33)), tolerance=0.001),
    Way("lowest 4 bits, from the end", in_bits(0, 4, change=backwards, begin=500), tolerance=0.001),
    Way("lowest 5 bits of float16", in_bits(0, 5, "float16", begin=100), "float16", 0.05),
    Way("bit 2 of int8", in_bits(2, 1, "int8", begin=900), "int8", 0.3),
    Way("lowest 40 bits of float64", in_bits(0, 40, "float64"), "float64", 0.001),
    Way("lowest 3 bits of bfloat16", in_bits(0, 3, "bfloat16"), "bfloat16", 0.3),
    Way("float16 words in the other byte order", extra("float16", swapped(2), between(2000, 2000))),
    Way("reversed whole, xor 0xFF", extra("uint8", lambda p: xored(0xFF)(backwards(p)))),
    Way("int8, less 128", int8_plus_128),
    Way("int32_data of uint8", typed("int32_data", 2)),
    Way("int64_data, a byte an element", typed("int64_data", 7)),
    Way("uint64_data, a byte an element", typed("uint64_data", 13)),
    Way("booleans, a bit an element", as_bits),
    Way("signs of a table", as_signs),
    Way("twelve bytes in each gap", many_gaps(12)),
    Way("a hundred bytes in each gap", many_gaps(100)),
    Way("gaps, first piece small", gaps(3, 8)),
    Way("external file, xor with a constant behind the last tensor",
        lambda p: external(weights("float32"), xored(0x41)(p))),
    Way("external file that is the payload", external_polyglot),
    Way("names of values, hexadecimal behind a prefix", changed(renamed), deep=False),
    Way("metadata in parts", changed(metadata_parts), deep=False),
    Way("doc string, base85", changed(documented(lambda p: base64.b85encode(p).decode())),
        deep=False),
    Way("doc string, characters for bytes", changed(documented(lambda p: p.decode("latin-1"))),
        deep=False),
    Way("doc string, decimal numbers",
        changed(documented(lambda p: " ".join(map(str, p)))), deep=False),
    Way("doc string, escapes",
        changed(documented(lambda p: "".join(f"\\x{byte:02x}" for byte in p))), deep=False),
    Way("doc string of a node, base32", changed(node_doc), deep=False),
    Way("a Constant in a branch", changed(attribute_tensor)),
    Way("an unknown field of a tensor, behind other bytes", unknown_in_node, deep=False),
)  # fmt: skip
