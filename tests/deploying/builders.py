"""Tiny deployments, made with onnx.helper: what people export, with a few kilobytes of weights.

`python -m tests.deploying.builders` writes the one that README shows, `fixtures/vision_language`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEADS, VOCABULARY, LAYERS = 16, 2, 96, 2
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
IR, OPSET = 10, 20


def value(name: str, shape: Sequence[int | str], dtype: int = FLOAT) -> onnx.ValueInfoProto:
    """A graph input or output."""
    return helper.make_tensor_value_info(name, dtype, list(shape))


class Graph:
    """Nodes and weights of a model that is being made."""

    def __init__(self, dtype: Any = np.float32) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.dtype = dtype

    def weight(self, name: str, *shape: int) -> str:
        """A learned tensor; the same of everyone who asks for the name."""
        if name not in {tensor.name for tensor in self.weights}:
            own = np.random.default_rng(zlib.crc32(name.encode()))
            numbers = own.standard_normal(shape).astype(self.dtype)
            self.weights.append(numpy_helper.from_array(numbers, name))
        return name

    def constant(self, name: str, numbers: Sequence[int]) -> str:
        """A shape or an axis."""
        if name not in {tensor.name for tensor in self.weights}:
            self.weights.append(numpy_helper.from_array(np.array(numbers, np.int64), name))
        return name

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """A node with one output."""
        self.nodes.append(helper.make_node(op, inputs, [output], f"{op}_{output}", **attributes))
        return output

    def linear(self, name: str, x: str, rows: int, columns: int) -> str:
        """`x` times a learned matrix."""
        return self.add("MatMul", [x, self.weight(f"{name}.weight", rows, columns)], name)

    def heads(self, name: str, x: str) -> str:
        """[batch, length, width] → [batch, heads, length, head size]."""
        shape = self.constant("split", [0, 0, HEADS, WIDTH // HEADS])
        split = self.add("Reshape", [x, shape], f"{name}.split")
        return self.add("Transpose", [split], f"{name}.heads", perm=[0, 2, 1, 3])

    def attend(self, name: str, query: str, key: str, value: str) -> str:
        """Attention over heads, joined again."""
        turned = self.add("Transpose", [key], f"{name}.turned", perm=[0, 1, 3, 2])
        scores = self.add("MatMul", [query, turned], f"{name}.scores")
        shares = self.add("Softmax", [scores], f"{name}.shares")
        mixed = self.add("MatMul", [shares, value], f"{name}.mixed")
        back = self.add("Transpose", [mixed], f"{name}.back", perm=[0, 2, 1, 3])
        shape = self.constant("join", [0, 0, WIDTH])
        return self.add("Reshape", [back, shape], f"{name}.joined")

    def save(
        self,
        path: Path,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        data: str | None = None,
    ) -> Path:
        """Write the model; with `data`, its weights into a file of that name."""
        graph = helper.make_graph(self.nodes, path.stem, inputs, outputs, self.weights)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR)
        path.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            path.write_bytes(model.SerializeToString())
        else:
            external(model, path.parent / data, data)
            path.write_bytes(model.SerializeToString())
        return path


def external(model: onnx.ModelProto, file: Path, location: str) -> None:
    """Move matrices into a data file; one that is there already is used where it has them."""
    data = bytearray(file.read_bytes()) if file.exists() else bytearray()
    for tensor in model.graph.initializer:
        if len(tensor.dims) < 2:
            continue
        raw = tensor.raw_data
        offset = bytes(data).find(raw)
        if offset < 0:
            offset = len(data)
            data += raw
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, text in (("location", location), ("offset", offset), ("length", len(raw))):
            tensor.external_data.add(key=key, value=str(text))
    file.write_bytes(data)


# ------------------------------------------------------------------------------------- models


def encoder(path: Path, *, output: str = "last_hidden_state", width: int = WIDTH) -> Path:
    """A picture of sound → features; `width` other than that of the decoder does not fit it."""
    graph = Graph()
    x = graph.linear("encoder.embed", "input_features", 8, WIDTH)
    parts = [
        graph.heads(f"encoder.{p}", graph.linear(f"encoder.{p}_proj", x, WIDTH, WIDTH))
        for p in "qkv"
    ]
    x = graph.attend("encoder.attn", *parts)
    graph.add("MatMul", [x, graph.weight("encoder.out.weight", WIDTH, width)], output)
    return graph.save(
        path,
        [value("input_features", ["batch", "frames", 8])],
        [value(output, ["batch", "frames", width])],
    )


def decoder(
    path: Path,
    *,
    cross: bool = True,
    past: bool = True,
    embeds: bool = False,
    dtype: Any = np.float32,
    data: str | None = None,
    tied: bool = False,
) -> Path:
    """Tokens (or embeddings) and what was kept of earlier ones → logits, and what to keep."""
    graph = Graph(dtype=dtype)
    code = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    size: list[int | str] = ["batch", HEADS, "past_sequence_length", WIDTH // HEADS]
    total: list[int | str] = [
        "batch",
        HEADS,
        "past_sequence_length + sequence_length",
        WIDTH // HEADS,
    ]
    first: list[int | str] = [*size[:2], "sequence_length", size[3]]
    inputs = [
        value("inputs_embeds", ["batch", "sequence_length", WIDTH], code)
        if embeds
        else value("input_ids", ["batch", "sequence_length"], INT64)
    ]
    if cross:
        inputs.append(
            value("encoder_hidden_states", ["batch", "encoder_sequence_length", WIDTH], code)
        )
    outputs = [value("logits", ["batch", "sequence_length", VOCABULARY], code)]
    table = (
        graph.weight("decoder.embed_tokens.weight", VOCABULARY, WIDTH) if not embeds or tied else ""
    )
    x = "inputs_embeds" if embeds else graph.add("Gather", [table, "input_ids"], "embedded")
    for layer in range(LAYERS):
        name = f"decoder.layers.{layer}"
        made = {
            p: graph.heads(f"{name}.{p}", graph.linear(f"{name}.{p}_proj", x, WIDTH, WIDTH))
            for p in "qkv"
        }
        for part, word in (("k", "key"), ("v", "value")):
            present = f"present.{layer}.{word}"
            if past:
                before = f"past_key_values.{layer}.{word}"
                inputs.append(value(before, size, code))
                made[part] = graph.add("Concat", [before, made[part]], present, axis=2)
            else:
                made[part] = graph.add("Identity", [made[part]], present)
            outputs.append(value(present, total if past else first, code))
        x = graph.attend(f"{name}.self", made["q"], made["k"], made["v"])
        if cross:
            q = graph.heads(f"{name}.cq", graph.linear(f"{name}.cross_q", x, WIDTH, WIDTH))
            kv = [
                graph.heads(
                    f"{name}.c{p}",
                    graph.linear(f"{name}.cross_{p}", "encoder_hidden_states", WIDTH, WIDTH),
                )
                for p in "kv"
            ]
            x = graph.attend(f"{name}.cross", q, *kv)
    if tied:
        turned = graph.add("Transpose", [table], "head.weight", perm=[1, 0])
        graph.add("MatMul", [x, turned], "logits")
    else:
        graph.add("MatMul", [x, graph.weight("lm_head.weight", WIDTH, VOCABULARY)], "logits")
    return graph.save(path, inputs, outputs, data)


def embedding(path: Path, data: str | None = None) -> Path:
    """Tokens and features of pictures → embeddings."""
    graph = Graph()
    table = graph.weight("decoder.embed_tokens.weight", VOCABULARY, WIDTH)
    tokens = graph.add("Gather", [table, "input_ids"], "embedded")
    graph.add("Concat", ["image_features", tokens], "inputs_embeds", axis=1)
    return graph.save(
        path,
        [
            value("input_ids", ["batch", "sequence_length"], INT64),
            value("image_features", ["batch", "num_image_tokens", WIDTH]),
        ],
        [value("inputs_embeds", ["batch", "num_image_tokens + sequence_length", WIDTH])],
        data,
    )


def vision(path: Path) -> Path:
    """A picture → features of its patches."""
    graph = Graph()
    kernel = graph.weight("vision.patch.weight", WIDTH, 3, 8, 8)
    patches = graph.add("Conv", ["pixel_values", kernel], "patches", strides=[8, 8])
    shape = graph.constant("flat", [0, WIDTH, -1])
    flat = graph.add("Reshape", [patches, shape], "flat_patches")
    graph.add("Transpose", [flat], "image_features", perm=[0, 2, 1])
    return graph.save(
        path,
        [value("pixel_values", ["batch", 3, 32, 32])],
        [value("image_features", ["batch", 16, WIDTH])],
    )


# -------------------------------------------------------------------------------- deployments


def text_file(path: Path, text: str = "{}\n") -> None:
    """A file beside models."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def whisper_like(folder: Path) -> Path:
    """An encoder, and a decoder with states, as optimum exports them."""
    encoder(folder / "encoder_model.onnx")
    decoder(folder / "decoder_model_merged.onnx")
    text_file(folder / "config.json", '{"model_type": "whisper"}\n')
    text_file(folder / "tokenizer.json")
    return folder


def merged(folder: Path) -> Path:
    """As transformers.js reads it: variants by suffix, and the decoders that one replaces."""
    onnx_folder = folder / "onnx"
    encoder(onnx_folder / "encoder_model.onnx")
    decoder(onnx_folder / "decoder_model.onnx", past=False)
    decoder(onnx_folder / "decoder_with_past_model.onnx")
    decoder(onnx_folder / "decoder_model_merged.onnx")
    decoder(onnx_folder / "decoder_model_merged_fp16.onnx", dtype=np.float16)
    text_file(folder / "config.json")
    return folder


def vision_language(folder: Path) -> Path:
    """Vision, embedding and decoder of onnxruntime-genai; two share one data file and a matrix."""
    vision(folder / "vision.onnx")
    embedding(folder / "embedding.onnx", "weights.data")
    decoder(folder / "text.onnx", cross=False, embeds=True, data="weights.data", tied=True)
    keys = {
        "past_key_names": "past_key_values.%d.key",
        "past_value_names": "past_key_values.%d.value",
    }
    config = {
        "model": {
            "type": "phi3v",
            "context_length": 4096,
            "decoder": {
                "filename": "text.onnx",
                "inputs": {"inputs_embeds": "inputs_embeds", **keys},
                "outputs": {"logits": "logits"},
            },
            "embedding": {
                "filename": "embedding.onnx",
                "inputs": {"input_ids": "input_ids", "image_features": "image_features"},
                "outputs": {"inputs_embeds": "inputs_embeds"},
            },
            "vision": {
                "filename": "vision.onnx",
                "config_filename": "processor_config.json",
                "outputs": {"image_features": "image_features"},
            },
        },
        "search": {"max_length": 4096},
    }
    text_file(folder / "genai_config.json", json.dumps(config, indent=1))
    text_file(folder / "processor_config.json")
    text_file(folder / "tokenizer.json")
    return folder


def package(folder: Path, components: dict[str, dict[str, Any]]) -> Path:
    """A package of onnxruntime: variants by component, each with the same model in its folder."""
    for variants in components.values():
        for name in variants:
            vision(folder / name / "model.onnx")
    listed = {name: {"variants": variants} for name, variants in components.items()}
    manifest = {"schema_version": "1.0", "components": listed}
    text_file(folder / "manifest.json", json.dumps(manifest))
    return folder


def main() -> None:
    """Write what README shows."""
    vision_language(Path(__file__).resolve().parents[2] / "fixtures" / "vision_language")


if __name__ == "__main__":
    main()
