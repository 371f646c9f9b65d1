"""Make the models that `run.py` measures.

    python tests/benchmarks/models.py FOLDER [--models tiny nodes-1000]

The files are written straight in the protobuf wire format, payload by seeking over it, so making
8 GiB takes neither memory nor disk. Each payload begins with 64 bytes of its own, so that no two
tensors are equal. What was made is listed in `FOLDER/models.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple

MIB = 2**20
FLOAT = 1


class Payload(NamedTuple):
    """Bytes of a tensor that are written late and never held.

    Attributes:
        nbytes: How many.
        seed: Makes them different from all others.
        dense: Random to the end; otherwise a hole in the file follows the first 64 bytes.
    """

    nbytes: int
    seed: int
    dense: bool = False


Pieces = list[bytes | Payload]


class Shape(NamedTuple):
    """A weight by name and dimensions (float32)."""

    name: str
    dims: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        product = 1
        for dim in self.dims:
            product *= dim
        return product


# ------------------------------------------------------------------------------- wire format


def varint(number: int) -> bytes:
    """Encode an unsigned number."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """Encode a varint field."""
    return varint(field << 3) + varint(value)


def text(field: int, value: str) -> bytes:
    """Encode a string field."""
    raw = value.encode()
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def message(field: int, pieces: Pieces) -> Pieces:
    """Wrap pieces as a length-delimited field; runs of bytes are joined."""
    total = sum(len(p) if isinstance(p, bytes) else p.nbytes for p in pieces)
    out: Pieces = []
    run = [varint(field << 3 | 2) + varint(total)]
    for piece in pieces:
        if isinstance(piece, bytes):
            run.append(piece)
        else:
            out += [b"".join(run), piece]
            run = []
    if run:
        out.append(b"".join(run))
    return out


def flat(pieces: Pieces) -> bytes:
    """Join pieces that hold no payload."""
    return b"".join(piece for piece in pieces if isinstance(piece, bytes))


def pattern(seed: int) -> bytes:
    """64 bytes that belong to one tensor; as float32 they are finite."""
    digest = hashlib.sha512(str(seed).encode()).digest()
    return struct.pack("<16f", *(word / 2**32 - 0.5 for word in struct.unpack("<16I", digest)))


def write(path: Path, pieces: Pieces) -> None:
    """Write a file; payload becomes a hole after its first bytes unless it is dense."""
    with path.open("wb") as file:
        for piece in pieces:
            if isinstance(piece, bytes):
                file.write(piece)
            else:
                write_payload(file, piece)
        file.truncate()


def write_payload(file: IO[bytes], payload: Payload) -> None:
    """Write one payload."""
    start = file.tell()
    file.write(pattern(payload.seed)[: payload.nbytes])
    left = payload.nbytes - 64
    if not payload.dense:
        file.seek(start + payload.nbytes)
        return
    source = random.Random(payload.seed)
    while left > 0:
        file.write(source.randbytes(min(left, MIB)))
        left -= MIB


# ------------------------------------------------------------------------------ ONNX messages


def tensor(weight: Shape, payload: Payload | None, outside: str = "", offset: int = 0) -> Pieces:
    """Make a float32 initializer (GraphProto field 5), its payload inside or in another file."""
    pieces: Pieces = [number(1, dim) for dim in weight.dims]
    pieces += [number(2, FLOAT), text(8, weight.name)]
    if payload is not None:
        pieces += message(9, [payload])
    else:
        entries = {"location": outside, "offset": offset, "length": 4 * weight.size}
        for key, value in entries.items():
            pieces += message(13, [text(1, key), text(2, str(value))])
        pieces.append(number(14, 1))
    return message(5, pieces)


def node(op_type: str, name: str, inputs: list[str], outputs: list[str]) -> bytes:
    """Make a NodeProto (GraphProto field 1)."""
    pieces: Pieces = [text(1, value) for value in inputs]
    pieces += [text(2, value) for value in outputs]
    pieces += [text(3, name), text(4, op_type)]
    return flat(message(1, pieces))


def value_info(field: int, name: str, dims: tuple[int, ...]) -> bytes:
    """Make a graph input (field 11) or output (12) of float32."""
    shape: Pieces = [flat(message(1, [number(1, dim)])) for dim in dims]
    of_tensor: Pieces = [number(1, FLOAT), flat(message(2, shape))]
    return flat(message(field, [text(1, name), flat(message(2, message(1, of_tensor)))]))


def model(
    nodes: list[bytes],
    initializers: Pieces,
    given: tuple[int, ...],
    last: str,
    made: tuple[int, ...],
) -> Pieces:
    """Make a ModelProto: IR version 8, opset 17, one input, one output."""
    graph: Pieces = [b"".join(nodes), text(2, "benchmark"), *initializers]
    graph += [value_info(11, "input", given), value_info(12, last, made)]
    opset = flat(message(8, [number(2, 17)]))
    return [number(1, 8), text(2, "graphcount benchmarks"), *message(7, graph), opset]


# ------------------------------------------------------------------------------------ models


class Made(NamedTuple):
    """What was made.

    Attributes:
        parameters: Elements of all weights.
        nodes: Operators.
    """

    parameters: int
    nodes: int


def resnet50() -> Iterator[Shape]:
    """Weights of ResNet-50's 53 convolutions and its last layer, batch normalisation folded."""
    yield Shape("conv1.weight", (64, 3, 7, 7))
    width = 64
    for stage, (blocks, inner) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 1):
        for block in range(blocks):
            path = f"layer{stage}.{block}"
            yield Shape(f"{path}.conv1.weight", (inner, width, 1, 1))
            yield Shape(f"{path}.conv2.weight", (inner, inner, 3, 3))
            yield Shape(f"{path}.conv3.weight", (4 * inner, inner, 1, 1))
            if block == 0:
                yield Shape(f"{path}.downsample.0.weight", (4 * inner, width, 1, 1))
            width = 4 * inner
    yield Shape("fc.weight", (1000, 2048))


def write_tiny(path: Path) -> Made:
    """Make an MLP of three layers with biases."""
    sizes = (784, 128, 64, 10)
    weights, nodes, value = [], [], "input"
    for layer, (rows, columns) in enumerate(pairwise(sizes), 1):
        weight, bias = (
            Shape(f"fc{layer}.weight", (rows, columns)),
            Shape(f"fc{layer}.bias", (columns,)),
        )
        weights += [weight, bias]
        result = f"/fc{layer}/Gemm_output_0"
        nodes.append(node("Gemm", f"/fc{layer}/Gemm", [value, weight.name, bias.name], [result]))
        value = result
        if layer < 3:
            value = f"/relu{layer}/Relu_output_0"
            nodes.append(node("Relu", f"/relu{layer}/Relu", [result], [value]))
    initializers: Pieces = []
    for seed, shape in enumerate(weights):
        initializers += tensor(shape, Payload(4 * shape.size, seed, dense=True))
    write(path, model(nodes, initializers, (1, 784), value, (1, 10)))
    return Made(sum(weight.size for weight in weights), len(nodes))


def write_resnet50(path: Path) -> Made:
    """Make ResNet-50's weights in a chain of convolutions: 102 MB of random bytes.

    The chain does not compute anything meaningful, nor do its shapes fit; weights are what counts.
    """
    weights = list(resnet50())
    nodes, value = [], "input"
    initializers: Pieces = []
    for seed, shape in enumerate(weights):
        initializers += tensor(shape, Payload(4 * shape.size, seed, dense=True))
        name = "/" + shape.name.removesuffix(".weight").replace(".", "/")
        op_type = "Conv" if len(shape.dims) == 4 else "Gemm"
        result = f"{name}/{op_type}_output_0"
        nodes.append(node(op_type, f"{name}/{op_type}", [value, shape.name], [result]))
        value = f"{name}/Relu_output_0"
        nodes.append(node("Relu", f"{name}/Relu", [result], [value]))
    write(path, model(nodes, initializers, (1, 3, 224, 224), value, (1, 1000)))
    return Made(sum(weight.size for weight in weights), len(nodes))


def write_large(path: Path, tensors: int, outside: bool = False) -> Made:
    """Make a chain of MatMul with weights of 64 MiB each.

    Args:
        path: The model; with `outside`, its weights lie beside it in `weights.bin`.
        tensors: How many.
        outside: External data.
    """
    nodes, value = [], "input"
    initializers: Pieces = []
    payloads: Pieces = []
    parameters = 0
    for index in range(tensors):
        weight = Shape(f"layers.{index}.proj.weight", (4096, 4096))
        payload = Payload(4 * weight.size, index)
        if outside:
            data = "weights-" + path.stem + ".bin"
            initializers += tensor(weight, None, data, index * payload.nbytes)
            payloads.append(payload)
        else:
            initializers += tensor(weight, payload)
        result = f"/layers.{index}/proj/MatMul_output_0"
        name = f"/layers.{index}/proj/MatMul"
        nodes.append(node("MatMul", name, [value, weight.name], [result]))
        value = result
        parameters += weight.size
    write(path, model(nodes, initializers, (1, 4096), value, (1, 4096)))
    if outside:
        write(path.with_name("weights-" + path.stem + ".bin"), payloads)
    return Made(parameters, tensors)


def write_nodes(path: Path, count: int) -> Made:
    """Make a chain of `count` small operators, every fourth with a weight of its own.

    Names are as PyTorch's exporter writes them: layers of 10 blocks of four operators.
    """
    nodes, value = [], "input"
    initializers: Pieces = []
    for block in range(count // 4):
        module = f"layers.{block // 10}/blocks.{block % 10}"
        weight = Shape(module.replace("/", ".") + ".proj.weight", (8, 8))
        initializers += tensor(weight, Payload(4 * weight.size, block, dense=True))
        before = value
        for op_type, part in (
            ("MatMul", "proj/"),
            ("Relu", "act/"),
            ("Sigmoid", "gate/"),
            ("Add", ""),
        ):
            inputs = [value]
            if op_type == "MatMul":
                inputs.append(weight.name)
            elif op_type == "Add":
                inputs.append(before)
            value = f"/{module}/{part}{op_type}_output_0"
            nodes.append(node(op_type, f"/{module}/{part}{op_type}", inputs, [value]))
    write(path, model(nodes, initializers, (1, 8), value, (1, 8)))
    return Made(count // 4 * 64, len(nodes))


MODELS: dict[str, tuple[str, Callable[[Path], Made]]] = {
    "tiny": ("MLP of 3 layers", write_tiny),
    "resnet50": ("ResNet-50's weights, 102 MB", write_resnet50),
    "single-1.9GB": ("one file, 1.9 GB", lambda path: write_large(path, 29)),
    "single-2.7GiB": ("one file, 2.7 GiB", lambda path: write_large(path, 43)),
    "external-8GiB": ("external data, 8 GiB", lambda path: write_large(path, 128, True)),
    "nodes-1000": ("1,000 nodes, 250 weights", lambda path: write_nodes(path, 1_000)),
    "nodes-10000": ("10,000 nodes, 2,500 weights", lambda path: write_nodes(path, 10_000)),
    "nodes-100000": ("100,000 nodes, 25,000 weights", lambda path: write_nodes(path, 100_000)),
}
"""Models by name: what each is, and what writes it."""


def main() -> None:
    """Write the models that were asked for, and the list of them."""
    parser = argparse.ArgumentParser(description="Make the models that run.py measures.")
    parser.add_argument("folder", type=Path, help="made if missing; needs 200 MB of disk")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    listing = folder / "models.json"
    made = json.loads(listing.read_text()) if listing.exists() else {}
    for name in options.models:
        label, writer = MODELS[name]
        path = folder / f"{name}.onnx"
        result = writer(path)
        made[name] = {"label": label, "file": path.name, **result._asdict()}
        listing.write_text(json.dumps(made, indent=2) + "\n")
        print(f"{name}: {path.stat().st_size:,} bytes, {result.parameters:,} parameters")


if __name__ == "__main__":
    main()
