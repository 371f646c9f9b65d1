"""A clean model that runs, in each element type, and the proof that it still does."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]

SHAPES = ((64, 384), (384, 256), (256, 40), (40, 10))
WORDS = {"float32": "<u4", "float16": "<u2", "bfloat16": "<u2", "float64": "<u8", "int8": "<u1"}
CODES = {"float32": 1, "float16": 10, "bfloat16": 16, "float64": 11, "int8": 3}


class Model(NamedTuple):
    """A model and its external data files, by name."""

    proto: bytes
    files: Mapping[str, bytes] = {}

    def save(self, folder: Path) -> str:
        """Write everything into a folder and return the path of the model."""
        for name, data in self.files.items():
            (folder / name).write_bytes(data)
        path = folder / "model.onnx"
        path.write_bytes(self.proto)
        return str(path)


def weights(dtype: str) -> list[Array]:
    """Return trained-looking weights as words: the bits of elements as unsigned integers."""
    chance = np.random.default_rng(29)
    made = []
    for rows, columns in SHAPES:
        numbers = chance.normal(0, rows**-0.5, (rows, columns))
        if dtype == "bfloat16":
            words = (numbers.astype("<f4").view("<u4") >> 16).astype("<u2")
        elif dtype == "int8":
            words = (numbers * rows**0.5 * 40).clip(-127, 127).astype("<i1").view("<u1")
        else:
            words = numbers.astype("<f" + WORDS[dtype][-1]).view(WORDS[dtype])
        made.append(words)
    return made


def host(dtype: str, words: list[Array] | None = None) -> onnx.ModelProto:
    """Return the model: four layers, weights in an element type, computed in float32."""
    tensors, nodes, value = [], [], "x"
    for i, layer in enumerate(words or weights(dtype)):
        rows = SHAPES[i][0]
        raw = np.ascontiguousarray(layer).tobytes()
        tensors.append(
            TensorProto(name=f"w{i}", data_type=CODES[dtype], dims=SHAPES[i], raw_data=raw)
        )
        weight = f"w{i}"
        if dtype == "int8":
            tensors.append(numpy_helper.from_array(np.array(rows**-0.5 / 40, np.float32), f"s{i}"))
            nodes.append(helper.make_node("DequantizeLinear", [f"w{i}", f"s{i}"], [f"f{i}"]))
            weight = f"f{i}"
        elif dtype != "float32":
            nodes.append(helper.make_node("Cast", [f"w{i}"], [f"f{i}"], to=1))
            weight = f"f{i}"
        nodes.append(helper.make_node("MatMul", [value, weight], [f"m{i}"], name=f"layer{i}"))
        value = f"m{i}" if i == len(SHAPES) - 1 else f"r{i}"
        if i < len(SHAPES) - 1:
            nodes.append(helper.make_node("Relu", [f"m{i}"], [value], name=f"relu{i}"))
    graph = helper.make_graph(
        nodes,
        "host",
        [helper.make_tensor_value_info("x", 1, [1, SHAPES[0][0]])],
        [helper.make_tensor_value_info(value, 1, [1, SHAPES[-1][1]])],
        tensors,
    )
    opsets = [helper.make_opsetid("", 21)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def external(words: list[Array], gap: bytes = b"", name: str = "weights.bin") -> Model:
    """Return the float32 model with its weights in one file, each behind a multiple of 64 bytes."""
    model, data = host("float32", words), bytearray()
    for tensor in model.graph.initializer:
        data += bytes(-len(data) % 64)
        raw = tensor.raw_data
        tensor.ClearField("raw_data")
        move(tensor, name, len(data), len(raw))
        data += raw
    return Model(model.SerializeToString(), {name: bytes(data) + gap})


def move(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    """Say that the data of a tensor lies in a file."""
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))


def answers(path: str) -> Array:
    """Return what onnxruntime computes for four inputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    chance = np.random.default_rng(5)
    inputs = chance.normal(size=(4, 1, SHAPES[0][0])).astype(np.float32)
    return np.concatenate([session.run(None, {"x": one})[0] for one in inputs])


def problem(model: Model, dtype: str, tolerance: float) -> str:
    """Return why a model is no proof: the checker, the session, other answers; empty for none."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = model.save(Path(folder))
            onnx.checker.check_model(path)
            ours = answers(path)
            clean = Path(folder, "clean.onnx")
            clean.write_bytes(host(dtype).SerializeToString())
            theirs = answers(str(clean))
        except Exception as error:
            return f"{type(error).__name__}: {str(error)[:200]}"
    moved = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return "" if moved <= tolerance else f"answers moved by {moved:.3f}"
