"""Ways to hide a payload in a model that still runs: the list that rules were made with."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.auditing.hidden.host import CODES, WORDS, Array, Model, external, host, weights


class Way(NamedTuple):
    """One way.

    Attributes:
        name: What it is.
        make: From a payload to a model.
        dtype: Element type of the host's weights.
        tolerance: How far answers may move, as a share of the largest.
        deep: Tensor data must be read to see it.
        text: Only text can go this way.
        runs: onnxruntime loads it.
    """

    name: str
    make: Callable[[bytes], Model]
    dtype: str = "float32"
    tolerance: float = 0.0
    deep: bool = True
    text: bool = False
    runs: bool = True


def plain(model: onnx.ModelProto) -> Model:
    """Return a model without external data."""
    return Model(model.SerializeToString())


# ------------------------------------------------------------------------- in the bits of elements


def groups(payload: bytes, count: int, *, msb: bool = True, little: bool = False) -> Array:
    """Return a payload as numbers of `count` bits.

    Args:
        payload: The bytes.
        count: Bits of a number.
        msb: The first bit of a number is its most significant one.
        little: The first bit of a byte is its least significant one.
    """
    bits: Array = np.unpackbits(
        np.frombuffer(payload, np.uint8), bitorder="little" if little else "big"
    )
    bits = np.pad(bits, (0, -len(bits) % count)).reshape(-1, count)
    weight = np.arange(count)[::-1] if msb else np.arange(count)
    numbers: Array = (bits.astype(np.uint64) << weight.astype(np.uint64)).sum(1, dtype=np.uint64)
    return numbers


def put(words: Array, places: Array, numbers: Array, low: int, count: int) -> None:
    """Write numbers into bits low..low+count of the words at some places."""
    flat = words.reshape(-1)
    kind = flat.dtype.type
    mask = kind(((1 << count) - 1) << low)
    flat[places] = flat[places] & ~mask | numbers.astype(flat.dtype) << kind(low)


def in_bits(
    low: int, count: int, dtype: str = "float32", *, begin: int = 0, step: int = 1,
    msb: bool = True, little: bool = False, change: Callable[[bytes], bytes] = bytes,
    layer: int = 1,
) -> Callable[[bytes], Model]:  # fmt: skip
    """Return a maker that writes into some bits of every `step`-th element of a layer."""

    def make(payload: bytes) -> Model:
        words = weights(dtype)
        numbers = groups(change(payload), count, msb=msb, little=little)
        put(words[layer], begin + step * np.arange(len(numbers)), numbers, low, count)
        return plain(host(dtype, words))

    return make


def interleaved(count: int) -> Callable[[bytes], Model]:
    """Return a maker that deals low bytes out to several tensors."""

    def make(payload: bytes) -> Model:
        words = weights("float32")
        for i in range(count):
            numbers = groups(payload[i::count], 8)
            put(words[i], np.arange(len(numbers)), numbers, 0, 8)
        return plain(host("float32", words))

    return make


def by_columns(payload: bytes) -> Model:
    """Write low bytes column by column."""
    words = weights("float32")
    turned = np.ascontiguousarray(words[1].T)
    numbers = groups(payload, 8)
    put(turned, np.arange(len(numbers)), numbers, 0, 8)
    words[1] = np.ascontiguousarray(turned.T)
    return plain(host("float32", words))


# ------------------------------------------------------------------------------ as whole elements


def extra(
    dtype: str,
    change: Callable[[bytes], bytes] = bytes,
    place: Callable[[bytes], bytes] = bytes,
) -> Callable[[bytes], Model]:
    """Return a maker of an initializer that nothing reads, of some element type."""
    bits = {"uint4": 4, "int4": 4}.get(dtype) or 8 * np.dtype(WORDS.get(dtype, dtype)).itemsize

    def make(payload: bytes) -> Model:
        model = host("float32")
        raw = place(change(payload))
        raw += bytes(-len(raw) % 8)
        code = {"uint4": 21, "int4": 22, "uint8": 2, "int32": 6, "int64": 7}.get(dtype)
        tensor = TensorProto(
            name="table", data_type=code or CODES[dtype], dims=[len(raw) * 8 // bits], raw_data=raw
        )
        model.graph.initializer.append(tensor)
        return plain(model)

    return make


def swapped(width: int) -> Callable[[bytes], bytes]:
    """Return a change that turns the bytes of each word round."""
    return lambda data: (
        np.frombuffer(data + bytes(-len(data) % width), f">u{width}").astype(f"<u{width}").tobytes()
    )


def xored(key: int) -> Callable[[bytes], bytes]:
    """Return a change that combines each byte with a constant."""
    return lambda data: bytes(byte ^ key for byte in data)


def backwards(data: bytes) -> bytes:
    """Return bytes from the last to the first."""
    return data[::-1]


def nibbles(data: bytes) -> bytes:
    """Return bytes with their halves exchanged."""
    return bytes(byte >> 4 | byte << 4 & 0xF0 for byte in data)


def noise(nbytes: int, seed: int = 3) -> bytes:
    """Return bytes of ordinary weights."""
    return np.random.default_rng(seed).normal(size=nbytes // 4 + 1).astype("<f4").tobytes()[:nbytes]


def between(before: int, after: int) -> Callable[[bytes], bytes]:
    """Return a place in the middle of ordinary weights."""
    return lambda data: noise(before) + data + noise(after)


def special(exponent: int, bits: int) -> Callable[[bytes], Model]:
    """Return a maker of a table whose elements are subnormal or not a number."""

    def make(payload: bytes) -> Model:
        model = host("float32")
        base = exponent | (1 << 22 if exponent else 0)
        words = groups(payload, bits).astype("<u4") | np.uint32(base)
        table = np.frombuffer(noise(4000), "<u4").copy()
        places = np.sort(
            np.random.default_rng(2).permutation(len(table) + len(words))[: len(words)]
        )
        whole = np.insert(table, places - np.arange(len(words)), words).astype("<u4")
        model.graph.initializer.append(
            TensorProto(name="mask", data_type=1, dims=[len(whole)], raw_data=whole.tobytes())
        )
        return plain(model)

    return make


def as_numbers(scale: float, dtype: str = "float32") -> Callable[[bytes], Model]:
    """Return a maker of a table of floats, each a byte's value divided by a number."""

    def make(payload: bytes) -> Model:
        model = host("float32")
        numbers = np.frombuffer(payload, np.uint8).astype(dtype) / np.dtype(dtype).type(scale)
        raw = numbers.astype(np.dtype(dtype).newbyteorder("<")).tobytes()
        model.graph.initializer.append(
            TensorProto(name="lut", data_type=CODES[dtype], dims=[len(numbers)], raw_data=raw)
        )
        return plain(model)

    return make


# ------------------------------------------------------------------------------- beside the tensors


def gaps(pieces: int, size: int) -> Callable[[bytes], Model]:
    """Return a maker that splits a payload over the gaps between external tensors."""

    def make(payload: bytes) -> Model:
        words = weights("float32")
        model, data = host("float32"), bytearray()
        parts = [payload[at : at + size] for at in range(0, len(payload), size)]
        rest = b"".join(parts[pieces - 1 :])
        for number, tensor in enumerate(model.graph.initializer):
            data += parts[number] if number < min(len(parts), pieces - 1) else b""
            raw = words[number].tobytes()
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "w.bin"), ("offset", len(data)), ("length", len(raw))):
                tensor.external_data.add(key=key, value=str(value))
            data += raw
        return Model(model.SerializeToString(), {"w.bin": bytes(data) + rest})

    return make


def external_first(payload: bytes) -> Model:
    """Put a payload before the first tensor of an external data file."""
    model, data = host("float32"), bytearray(payload + bytes(-len(payload) % 4096))
    for tensor in model.graph.initializer:
        raw = tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "w.bin"), ("offset", len(data)), ("length", len(raw))):
            tensor.external_data.add(key=key, value=str(value))
        data += raw
    return Model(model.SerializeToString(), {"w.bin": bytes(data)})


def changed(change: Callable[[onnx.ModelProto, bytes], object]) -> Callable[[bytes], Model]:
    """Return a maker that changes the float32 host."""

    def make(payload: bytes) -> Model:
        model = host("float32")
        change(model, payload)
        return plain(model)

    return make


def pieces(text: str, count: int) -> Iterable[str]:
    """Split a text into so many pieces."""
    size = math.ceil(len(text) / count)
    return (text[at : at + size] for at in range(0, len(text), size))


def node_names(model: onnx.ModelProto, payload: bytes) -> None:
    """Spread base64 over the names of nodes that pass a value on."""
    text = base64.b64encode(payload).decode()
    last = model.graph.output[0].name
    for i, piece in enumerate(pieces(text, 12)):
        node = helper.make_node("Identity", [last], [f"unused{i}"], name=piece)
        model.graph.node.append(node)


def constant_list(form: str) -> Callable[[onnx.ModelProto, bytes], None]:
    """Return a change that adds a Constant nobody reads, with the payload as its list."""

    def change(model: onnx.ModelProto, payload: bytes) -> None:
        key, code = form.split()
        raw = payload + bytes(-len(payload) % 8)
        values: Any = np.frombuffer(raw, code).tolist()
        if key == "value_strings":
            values = [payload[at : at + 16] for at in range(0, len(payload), 16)]
        node = helper.make_node("Constant", [], ["spare"], name="spare", **{key: values})
        model.graph.node.append(node)

    return change


def in_function(model: onnx.ModelProto, payload: bytes) -> None:
    """Add a function that nothing calls, with a Constant in its body."""
    raw = noise(64) + payload
    tensor = TensorProto(name="t", data_type=2, dims=[len(raw)], raw_data=raw)
    body = [helper.make_node("Constant", [], ["y"], value=tensor)]
    opsets = [helper.make_opsetid("", 21)]
    model.functions.append(helper.make_function("local", "Spare", [], ["y"], body, opsets))
    model.opset_import.append(helper.make_opsetid("local", 1))


def in_training(model: onnx.ModelProto, payload: bytes) -> None:
    """Put the payload into the initialization graph of training_info."""
    tensor = TensorProto(name="t", data_type=2, dims=[len(payload)], raw_data=payload)
    model.training_info.add().initialization.initializer.append(tensor)


def sparse(part: str) -> Callable[[onnx.ModelProto, bytes], None]:
    """Return a change that adds a sparse initializer whose values or indices are the payload."""

    def change(model: onnx.ModelProto, payload: bytes) -> None:
        if part == "values":
            numbers = np.frombuffer(payload + bytes(-len(payload) % 4), "<f4")
            at = np.arange(len(numbers), dtype=np.int64)
        else:
            at = np.cumsum(np.frombuffer(payload, np.uint8).astype(np.int64) + (1 << 8))
            at = (np.arange(len(payload)) << 8) + np.frombuffer(payload, np.uint8)
            numbers = np.ones(len(at), np.float32)
        one = model.graph.sparse_initializer.add()
        one.values.CopyFrom(onnx.numpy_helper.from_array(numbers, "spare"))
        one.indices.CopyFrom(onnx.numpy_helper.from_array(at.astype(np.int64)))
        one.dims.append(1 << 22)

    return change


def value_info_dims(model: onnx.ModelProto, payload: bytes) -> None:
    """Write four bytes a dimension into the shapes of values that nobody makes."""
    numbers = np.frombuffer(payload + bytes(-len(payload) % 4), "<u4").tolist()
    for i in range(0, len(numbers), 8):
        shape = [int(number) for number in numbers[i : i + 8]]
        model.graph.value_info.append(helper.make_tensor_value_info(f"v{i}", 1, shape))


def annotation(model: onnx.ModelProto, payload: bytes) -> None:
    """Write base64 into quantization annotations."""
    for i, piece in enumerate(pieces(base64.b64encode(payload).decode(), 6)):
        note = model.graph.quantization_annotation.add()
        note.tensor_name = f"w{i % 4}"
        note.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value=piece)


def documented(encode: Callable[[bytes], str]) -> Callable[[onnx.ModelProto, bytes], None]:
    """Return a change that puts encoded bytes into a doc string, behind a sentence."""

    def change(model: onnx.ModelProto, payload: bytes) -> None:
        model.doc_string = "Trained on public data. " + encode(payload)

    return change


def in_metadata(encode: Callable[[bytes], str]) -> Callable[[onnx.ModelProto, bytes], None]:
    """Return a change that adds metadata."""

    def change(model: onnx.ModelProto, payload: bytes) -> None:
        model.metadata_props.add(key="calibration", value=encode(payload))

    return change


def wire_field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field of a message."""

    def varint(value: int) -> bytes:
        return bytes([value & 0x7F | 0x80]) + varint(value >> 7) if value > 0x7F else bytes([value])

    return varint(number << 3 | 2) + varint(len(content)) + content


def at_the_front(payload: bytes) -> Model:
    """Begin the file with a doc string that is the payload: a polyglot within the first bytes."""
    return Model(wire_field(6, payload) + host("float32").SerializeToString())


def behind_everything(payload: bytes) -> Model:
    """Append the payload as an unknown field at the end of the file."""
    return Model(host("float32").SerializeToString() + wire_field(1999, payload))


def text(payload: bytes) -> str:
    """Return a payload as a text: a character a byte."""
    return payload.decode("latin-1")


def base64_of(payload: bytes) -> str:
    """Return base64."""
    return base64.b64encode(payload).decode()


LOW = [
    Way(f"lowest {k} bits", in_bits(0, k), tolerance=0.02) for k in range(1, 17)
] + [
    Way(f"lowest {k} bits, lsb first, at element 77", in_bits(0, k, begin=77, msb=False),
        tolerance=0.02)
    for k in (2, 3, 4, 6, 8, 11, 13, 16)
]  # fmt: skip
PLANES = [
    Way(f"bit {bit} of every element", in_bits(bit, 1, little=bool(bit % 2)), tolerance=9.0,
        runs=bit < 23)
    for bit in range(32)
]  # fmt: skip
SHORT = [
    Way("lowest 3 bits of float16", in_bits(0, 3, "float16"), "float16", 0.05),
    Way("lowest 2 bits of bfloat16", in_bits(0, 2, "bfloat16", begin=500), "bfloat16", 0.2),
    Way("lowest 24 bits of float64", in_bits(0, 24, "float64"), "float64", 0.001),
    Way("lowest byte of float64", in_bits(0, 8, "float64", begin=33), "float64", 0.001),
    Way("lowest 4 bits of int8", in_bits(0, 4, "int8", begin=129), "int8", 0.3),
    Way("lowest bit of int8", in_bits(0, 1, "int8", begin=1029), "int8", 0.1),
    Way("middle byte", in_bits(8, 8, begin=1001), tolerance=0.05),
    Way("lowest byte, bits turned round", in_bits(0, 8, little=True, begin=9), tolerance=0.001),
    Way("every third element's lowest byte", in_bits(0, 8, step=3), tolerance=0.001),
    Way("every fifth element's lowest 4 bits", in_bits(0, 4, step=5), tolerance=0.001),
    Way("lowest 16 bits, words reversed", in_bits(0, 16, change=swapped(2)), tolerance=0.02),
    Way("lowest byte, from the end", in_bits(0, 8, change=backwards, begin=50), tolerance=0.001),
    Way("lowest bytes of three tensors in turn", interleaved(3), tolerance=0.001),
    Way("lowest bytes, column by column", by_columns, tolerance=0.001),
]
WHOLE = [
    Way("a tensor of bytes", extra("uint8")),
    *(Way(f"a tensor of {dtype}", extra(dtype)) for dtype in ("float32", "float16", "bfloat16")),
    *(Way(f"a tensor of {dtype}", extra(dtype)) for dtype in ("float64", "int8", "int64", "uint4")),
    Way("uint4, halves exchanged", extra("uint4", nibbles)),
    *(Way(f"byte order reversed, {width} bytes", extra("float32", swapped(width)))
      for width in (2, 4)),
    Way("byte order reversed, 8 bytes", extra("float64", swapped(8), between(4096, 800))),
    Way("reversed whole", extra("float32", backwards, between(4000, 4000))),
    Way("at the tail of true weights", extra("float32", place=between(40_000, 0))),
    Way("in the middle at an odd offset", extra("float32", place=between(33_333, 9_999))),
    Way("in the middle, xor with a constant", extra("int8", xored(0x5A), between(10_001, 10_001))),
    Way("subnormal numbers among others", special(0, 16)),
    Way("not-a-number bits among others", special(0x7F800000, 22)),
    Way("bytes as floats", as_numbers(1.0)),
    Way("bytes as floats below one", as_numbers(255.0)),
]  # fmt: skip
FILES = [
    Way("before the first external tensor", external_first),
    Way("behind the last external tensor", lambda p: external(weights("float32"), p)),
    Way("split over gaps between external tensors", gaps(4, 48)),
]
STRUCTURE = [
    Way("names of nodes", changed(node_names), deep=False),
    Way("doc string as it is", changed(documented(text)), deep=False, text=True),
    Way("doc string, base64", changed(documented(base64_of)), deep=False),
    Way("metadata as it is", changed(in_metadata(text)), deep=False, text=True),
    Way("metadata, base64", changed(in_metadata(base64_of)), deep=False),
    Way("metadata, hexadecimal", changed(in_metadata(bytes.hex)), deep=False),
    *(Way(f"a list, {form}", changed(constant_list(form)), deep=False)
      for form in ("value_ints <u1", "value_ints <i8", "value_ints <u4", "value_strings <u1")),
    Way("a list of floats", changed(constant_list("value_floats <f4")), deep=False),
    Way("a function nobody calls", changed(in_function)),
    Way("training information", changed(in_training)),
    Way("values of a sparse tensor", changed(sparse("values"))),
    Way("indices of a sparse tensor", changed(sparse("indices")), runs=False),
    Way("dimensions of value_info", changed(value_info_dims), deep=False),
    Way("quantization annotations", changed(annotation), deep=False),
    Way("an unknown field at the end", behind_everything, deep=False),
    Way("an unknown field of the graph",
        lambda p: Model(host("float32").SerializeToString() + wire_field(7, wire_field(900, p))),
        deep=False, runs=True),
    Way("the first field of the file", at_the_front, deep=False, text=True),
]  # fmt: skip
WAYS = (*LOW, *PLANES, *SHORT, *WHOLE, *FILES, *STRUCTURE)
