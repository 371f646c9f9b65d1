"""sniff and text: what a file is when it is not an ONNX protobuf, and ONNX's text forms."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf import json_format, text_format
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from graphcount.errors import GraphcountError, LimitError, NotOnnxError
from graphcount.loading import read_model
from graphcount.loading.limits import DEFAULT_LIMITS
from graphcount.loading.sniff import FORMATS, identify, text_form

Write = Callable[..., str]


def made(build: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    build(buffer)
    return buffer.getvalue()


def zipped(buffer: io.BytesIO) -> None:
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"x")


def tarred(buffer: io.BytesIO, form: int = tarfile.PAX_FORMAT) -> None:
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        archive.addfile(tarfile.TarInfo("model.onnx"), io.BytesIO())


def safetensors(indent: int | None = None) -> bytes:
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    head = json.dumps({"weight": tensor}, indent=indent).encode()
    return len(head).to_bytes(8, "little") + head + bytes(4)


SAMPLES: list[tuple[str, bytes]] = [
    ("Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
    ("ORT flatbuffer", b"\x1c\x00\x00\x00ORTM" + bytes(40)),
    ("TensorFlow Lite", b"\x1c\x00\x00\x00TFL3" + bytes(40)),
    ("GGUF", b"GGUF\x03\x00\x00\x00"),
    ("zip archive", made(zipped)),
    ("zip archive", made(lambda buffer: zipfile.ZipFile(buffer, "w").close())),  # an empty one
    ("gzip", gzip.compress(b"onnx")),
    ("Zstandard", b"\x28\xb5\x2f\xfd\x24\x00"),
    ("xz", lzma.compress(b"onnx")),
    ("bzip2", bz2.compress(b"onnx")),
    ("7z", b"7z\xbc\xaf\x27\x1c\x00\x04"),
    ("tar", made(tarred)),
    ("tar", made(lambda buffer: tarred(buffer, tarfile.GNU_FORMAT))),
    ("tar", made(lambda buffer: tarred(buffer, tarfile.USTAR_FORMAT))),
    ("HDF5", b"\x89HDF\r\n\x1a\n" + bytes(8)),
    *(("pickle", pickle.dumps({"weight": [1.0]}, protocol)) for protocol in (2, 3, 4, 5)),
    ("safetensors", safetensors()),
    ("safetensors", safetensors(indent=1)),
    ("NumPy", made(lambda buffer: np.save(buffer, np.zeros(3)))),
    ("picture", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"),
    ("picture", b"\xff\xd8\xff\xe0\x00\x10JFIF"),
    ("picture", b"GIF89a"),
    ("PDF", b"%PDF-1.7\n"),
    ("ELF", b"\x7fELF\x02\x01\x01"),
    ("Windows", b"MZ\x90\x00\x03"),
    ("HTML", b"<!DOCTYPE html><html>"),
    ("HTML", b"\n <HTML lang=en>"),
    ("HTML", b"<head>"),
    ("HTML", b"<body>"),
    ("XML", b'<?xml version="1.0"?>'),
    ("saved report", b'{\n  "schema": "graphcount.report/2",\n'),
    ("saved report", b'[\n{"schema":"graphcount.report/2"}]'),
    ("JSON that graphcount wrote", b'{"schema": "graphcount.baseline/1"}'),
    ("JSON that graphcount wrote", b'[{"schema": "graphcount.bench/1"}]'),
    ("empty", b""),
]


@pytest.mark.parametrize(
    ("word", "data"), SAMPLES, ids=[f"{w}-{i}" for i, (w, _) in enumerate(SAMPLES)]
)
def test_other_format_is_named(word: str, data: bytes, write: Write) -> None:
    with pytest.raises(NotOnnxError, match=f"looks like .*{word}"):
        read_model(write(data))


def test_json_of_others_names_its_key(write: Write) -> None:
    with pytest.raises(NotOnnxError) as caught:
        read_model(write(b'{"bomFormat": "CycloneDX"}', "m.json"))
    assert caught.value.message == (  # and not the twenty keys it might have had
        'not an ONNX model: JSON that onnx refuses: Message type "onnx.ModelProto" has no field'
        ' named "bomFormat" at "ModelProto"'
    )


def test_every_row_has_a_sample() -> None:
    recognised = {identify(data, len(data)) for _, data in SAMPLES}
    assert {row.looks_like for row in FORMATS} <= recognised


@pytest.mark.parametrize("word", ["ORTM", "TFL3", "ORTM 1.2", "TFL32ONNX", "GGUF", "PK\x03\x04"])
def test_producer_that_spells_a_magic_is_still_onnx(word: str, write: Write) -> None:
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [])
    model = helper.make_model(graph, producer_name=word, ir_version=8)
    assert read_model(write(model.SerializeToString())).proto.producer_name == word


def test_name_at_the_place_of_the_tar_magic_is_still_onnx(write: Write) -> None:
    for padding in range(200, 260):
        graph = helper.make_graph([], "ustar layer", [], [])
        model = helper.make_model(graph, producer_name="x" * padding, ir_version=8)
        data = model.SerializeToString()
        if data[257:262] == b"ustar":
            assert read_model(write(data)).proto.graph.name == "ustar layer"
            return
    pytest.fail("no padding puts the name at byte 257")


def test_no_leading_byte_of_a_producer_is_mistaken() -> None:
    for first in range(256):
        for length in (1, 4, 8, 60):
            head = b"\x08\x0a\x12" + bytes([length]) + bytes([first]) * length
            assert identify(head, len(head)) is None
            assert text_form(head) is None


def test_shared_models_are_not_mistaken(shared_models: list[Path]) -> None:
    for path in shared_models:
        with path.open("rb") as file:
            head = file.read(4096)
        if len(head) > 60 and head[:1] == b"\x08":
            assert identify(head, len(head)) is None, path
            assert text_form(head) is None, path


# -------------------------------------------------------------------------------- near misses


@pytest.mark.parametrize(
    "tensor",
    [
        helper.make_tensor("input", TensorProto.FLOAT, [2, 3], list(range(6))),
        helper.make_tensor("", TensorProto.FLOAT, [2], bytes(8), raw=True),
        helper.make_tensor("x", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("", TensorProto.INT64, [2], [10, 0]),
        helper.make_tensor("scalar", TensorProto.FLOAT, [], bytes(4), raw=True),
        onnx.numpy_helper.from_array(np.zeros((100, 100), np.float32), "large"),
    ],
    ids=["float_data", "raw_data", "int64_data", "int64 that reads as a graph", "scalar", "large"],
)
def test_tensor_saved_alone_is_named(tensor: TensorProto, write: Write) -> None:
    with pytest.raises(NotOnnxError, match="single TensorProto"):
        read_model(write(tensor.SerializeToString(), "input_0.pb"))


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\xff" * 100,
        bytes(range(256)),
        bytes(4096),
        b"hello, world\n",
        b"\n",
        "größe".encode("latin-1"),
        "{".encode("utf-16"),
        np.random.default_rng(1).bytes(10_000),
    ],
    ids=range(9),
)
def test_garbage_is_not_onnx(data: bytes, write: Write) -> None:
    with pytest.raises(NotOnnxError):
        read_model(write(data))


# --------------------------------------------------------------------------------- text forms


@pytest.fixture(scope="module")
def plain() -> onnx.ModelProto:
    """A model each text form can hold."""
    model: onnx.ModelProto = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17, "local": 1], producer_name: "p(a[r{en\\"#">
        main (float[N, 4] x) => (float[N, 3] y)
        <float[4, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}> {
            # a comment with ( and "
            h = MatMul (x, w)
            y = local.Act <alpha = 0.5> (h)
        }
        <domain: "local", opset_import: ["": 17]>
        Act <alpha> (a) => (b) { b = LeakyRelu <alpha : float = @alpha> (a) }"""
    )
    return model


def written(model: onnx.ModelProto, form: str) -> bytes:
    if form == "json":
        return str(json_format.MessageToJson(model)).encode()
    if form == "textproto":
        return str(text_format.MessageToString(model)).encode()
    return onnx.printer.to_text(model).encode()


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("json", "m.json"),
        ("json", "m.ONNXJSON"),
        ("textproto", "m.textproto"),
        ("textproto", "m.pbtxt"),
        ("onnxtxt", "m.onnxtxt"),
        ("onnxtxt", "m.onnx.txt"),
    ],
)
def test_text_form_reads_as_its_binary(
    form: str, name: str, plain: onnx.ModelProto, write: Write
) -> None:
    text = written(plain, form)
    file = read_model(write(text, name))
    assert (file.format, file.file_nbytes) == (form, len(text))
    parsed = onnx.parser.parse_model(text.decode()) if form == "onnxtxt" else plain
    binary = read_model(write(parsed.SerializeToString(), "binary.onnx"))
    assert file.proto == binary.proto
    assert binary.format == "onnx"


@pytest.mark.parametrize("form", ["json", "textproto", "onnxtxt"])
@pytest.mark.parametrize("lead", [b"\n", b"  \n\t", b"\r\n"])
def test_text_form_may_begin_with_blanks(
    form: str, lead: bytes, plain: onnx.ModelProto, write: Write
) -> None:
    assert read_model(write(lead + written(plain, form), "m.txt")).format == form


def test_textproto_may_begin_with_comments(plain: onnx.ModelProto, write: Write) -> None:
    text = b"# proto-file: onnx.proto\n# a model\n\n" + written(plain, "textproto")
    assert read_model(write(text, "m.pbtxt")).format == "textproto"


def test_text_with_a_character_cut_at_the_end_of_the_look_is_text(write: Write) -> None:
    for padding in range(4060, 4097):
        text = '{"docString": "' + "x" * padding + 'ä", "graph": {"name": "g"}}'
        assert read_model(write(text.encode(), "m.json")).format == "json"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{}", "m.json"),
        ('{"a": 1}', "m.json"),
        ("{", "m.json"),
        ("[1, 2]", "m.json"),
        ('{"graph": 3}', "m.json"),
        ('{"graph": {"initializer": [{"dims": ["x"]}]}}', "m.json"),
        ('{"irVersion": 99999999999999999999999}', "m.json"),
        ('{"graph": {"initializer": [{"rawData": 5}]}}', "m.json"),
        ("ir_version: x", "m.textproto"),
        ("ir_version: 8", "m.textproto"),
        ("graph { no_such_field: 1 }", "m.textproto"),
        ("graph {", "m.textproto"),
        ("<ir_version: 8>", "m.onnxtxt"),
        ("<ir_version: 99999999999999999999999>", "m.onnxtxt"),
        ('<ir_version: 8, opset_import: ["": 17]> g (float x) => (float y) { y = ', "m.onnxtxt"),
        ("<ir_version: 8> g (float[1e999] x) => () { y = A <a = 1e999> () }", "m.onnxtxt"),
        ("agraph", "m.onnxtxt"),
        ("agraph (float", "m.onnx.txt"),
    ],
)
def test_text_that_is_no_model_is_refused_in_one_line(text: str, name: str, write: Write) -> None:
    with pytest.raises(NotOnnxError) as caught:
        read_model(write(text.encode(), name))
    assert "\n" not in str(caught.value)
    assert len(caught.value.message) < 300


def test_binary_payload_in_a_text_name_is_binary(plain: onnx.ModelProto, write: Write) -> None:
    assert read_model(write(plain.SerializeToString(), "model.onnxtxt")).format == "onnx"


@pytest.mark.parametrize("form", ["json", "textproto", "onnxtxt"])
def test_text_form_size_is_limited(form: str, plain: onnx.ModelProto, write: Write) -> None:
    text = written(plain, form)
    path = write(text, "m.txt")
    read_model(path, replace(DEFAULT_LIMITS, text_form_nbytes=len(text)))
    with pytest.raises(LimitError, match="text forms"):
        read_model(path, replace(DEFAULT_LIMITS, text_form_nbytes=len(text) - 1))


HEAD = '<ir_version: 8, opset_import: ["": 17]>\ng '


@pytest.mark.parametrize("levels", [40, 200, 2000, 100_000])
@pytest.mark.parametrize("form", ["json", "textproto", "graphs", "sequences", "optionals", "types"])
def test_deep_text_is_refused_not_a_crash(form: str, levels: int, write: Write) -> None:
    open_, inner, close = {
        "json": ('{"node":[{"attribute":[{"g":', "{}", "}]}]}"),
        "textproto": ("node { attribute { g {", "", "} } }"),
        "graphs": ("y = If (x) <then_branch = g () => (float y) {", "", "}>"),
        "sequences": ("seq(", "float", ")"),
        "optionals": ("optional(", "float", ")"),
        "types": ("map(int64, ", "float", ")"),
    }[form]
    body = open_ * levels + inner + close * levels
    text = {
        "json": f'{{"graph": {body}}}',
        "textproto": f"graph {{ {body} }}",
        "graphs": HEAD + f"(float x) => (float y) {{ {body} }}",
    }.get(form, HEAD + f"({body} x) => (float y) {{ y = Abs(x) }}")
    if form in ("sequences", "optionals", "types") and levels == 40:
        assert read_model(write(text.encode(), "m.txt")).proto.graph.nodes[0].op_type == "Abs"
    else:
        with pytest.raises(GraphcountError):
            read_model(write(text.encode(), "m.txt"))


@pytest.mark.parametrize("levels", [101, 100_000])
@pytest.mark.parametrize("trick", ['"))))))"', "# ))))\n", '"\\"))))"', '"#" '])
def test_closers_in_strings_and_comments_do_not_hide_depth(
    levels: int, trick: str, write: Write
) -> None:
    text = HEAD + f"(float x) => (float y) {{ {trick} " + f"{trick} {{ {trick} " * levels
    with pytest.raises(LimitError, match="nested deeper"):
        read_model(write(text.encode(), "m.txt"))


def test_openers_in_strings_and_comments_are_not_depth(write: Write) -> None:
    text = HEAD + "(float x) => (float y) { # " + "({[" * 200 + "\n y = Op <a = "
    text += '"' + "({[" * 200 + '"> (x) }'
    assert read_model(write(text.encode(), "m.txt")).proto.graph.nodes[0].text("a") == "({[" * 200


def test_wide_text_is_not_deep(write: Write) -> None:
    nodes = "\n".join(f"v{i} = Abs (x)" for i in range(500))
    file = read_model(write(f"{HEAD}(float x) => (float v0) {{ {nodes} }}".encode(), "m.txt"))
    assert len(file.proto.graph.nodes) == 500


def test_bytes_of_a_model_are_not_text(wire: Any) -> None:
    assert text_form(b"58: 1") is None
    assert text_form(wire.model(b"")) is None


@pytest.mark.parametrize("form", ["json", "textproto", "onnxtxt"])
def test_text_under_the_name_of_a_binary_is_refused(
    form: str, plain: onnx.ModelProto, write: Write
) -> None:
    """onnx and onnxruntime refuse it as well: they take what has that name for protobuf."""
    path = write(written(plain, form), "model.onnx")
    with pytest.raises(DecodeError):
        onnx.load(path)
    with pytest.raises(NotOnnxError, match="a name that ends with"):
        read_model(path)


def test_a_model_that_begins_as_text_is_the_one_that_onnx_reads(
    plain: onnx.ModelProto, write: Write
) -> None:
    """A line feed and a blank are a field of 32 bytes to protobuf, and nothing to a text form."""
    text = b"\n " + b"graph { name: 'text' } #".ljust(31) + b"#"
    data = text + plain.SerializeToString()
    assert text_form(text) == "textproto"
    assert onnx.load_from_string(data).graph.name == "main"
    for name in ("model.onnx", "model.pbtxt"):
        file = read_model(write(data, name))
        assert (file.format, file.proto.graph.name) == ("onnx", "main")


def test_a_flatbuffer_that_is_also_a_model(plain: onnx.ModelProto) -> None:
    """Of a file that is both, onnxruntime reads the flatbuffer if its root is within the file."""
    head = b"\x08\x08\x12\x04ORTM" + plain.SerializeToString()[2:]
    root = int.from_bytes(head[:4], "little")
    assert identify(head, root) is None
    assert "ORT flatbuffer" in str(identify(head, root + 1))
