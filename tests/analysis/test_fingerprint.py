"""Fingerprints: what leaves them equal, what changes which one."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.analysis.wiring import DEFAULTS, REPEATED_DEFAULTS
from graphcount.report.rows import FingerprintRow

Change = Callable[[onnx.ModelProto], None]


def fingerprint(path: str | Path) -> FingerprintRow:
    found = graphcount.count(str(path), hash_file=True, cost=False).fingerprint
    assert found is not None
    return found


def changed(tmp_path: Path, source: Path, change: Change, **save: Any) -> FingerprintRow:
    """Fingerprint of a model after a change."""
    model = onnx.load(source)
    change(model)
    path = tmp_path / "changed.onnx"
    onnx.save(model, path, **save)
    return fingerprint(path)


def rename_everything(model: onnx.ModelProto) -> None:
    """Other names for every node, value, input, output, dynamic dimension; no metadata left."""
    names: dict[str, str] = {}

    def new(name: str) -> str:
        return names.setdefault(name, f"n{len(names)}") if name else ""

    graph = model.graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = new(value.name)
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = f"d_{dim.dim_param}"
    for tensor in graph.initializer:
        tensor.name = new(tensor.name)
        tensor.doc_string = "other"
    for number, node in enumerate(graph.node):
        node.name = f"op{number}"
        node.doc_string = "other"
        node.input[:] = [new(name) for name in node.input]
        node.output[:] = [new(name) for name in node.output]
        del node.metadata_props[:]
    graph.name = graph.doc_string = model.producer_name = model.producer_version = "other"
    del model.metadata_props[:]
    del graph.value_info[:]


def reorder(model: onnx.ModelProto) -> None:
    """Initializers and attributes in another order; nodes as late as their inputs allow."""
    graph = model.graph
    tensors = list(graph.initializer)
    random.Random(0).shuffle(tensors)
    del graph.initializer[:]
    graph.initializer.extend(tensors)
    for node in graph.node:
        attributes = list(node.attribute)[::-1]
        del node.attribute[:]
        node.attribute.extend(attributes)
    nodes = list(graph.node)
    made = {name for node in nodes for name in node.output}
    del graph.node[:]
    waiting = nodes[::-1]
    while waiting:
        for node in waiting:
            if not made & set(node.input):
                break
        waiting.remove(node)
        made -= set(node.output)
        graph.node.append(node)


def type_payloads(model: onnx.ModelProto) -> None:
    """Every raw tensor in its typed field."""
    for tensor in model.graph.initializer:
        numbers = numpy_helper.to_array(tensor)
        tensor.CopyFrom(
            helper.make_tensor(tensor.name, tensor.data_type, tensor.dims, numbers.flatten())
        )
        assert not tensor.HasField("raw_data") or not numbers.size


def everything(model: onnx.ModelProto) -> None:
    """All of it."""
    for change in (type_payloads, reorder, rename_everything):
        change(model)


SAME: dict[str, Change] = {
    "renamed": rename_everything,
    "reordered": reorder,
    "typed": type_payloads,
    "all at once": everything,
}

MODELS = ("cnn_batchnorm", "cnn_int8", "transformer_block", "lstm_3_2", "tied_language_model")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SAME)
def test_names_order_and_storage_change_nothing(
    model: str, name: str, fixtures: Path, tmp_path: Path
) -> None:
    source = fixtures / f"{model}.onnx"
    before = fingerprint(source)
    assert before.unread == ()
    assert changed(tmp_path, source, SAME[name]) == before


@pytest.mark.parametrize("model", MODELS)
def test_external_storage_changes_nothing(model: str, fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / f"{model}.onnx"
    external: dict[str, Any] = {
        "save_as_external_data": True,
        "location": "side",
        "size_threshold": 0,
    }
    assert changed(tmp_path, source, lambda _: None, **external) == fingerprint(source)


def test_text_forms_change_nothing(fixtures: Path, tmp_path: Path) -> None:
    """Payloads beyond those that are kept while reading lie in the text, not at their offsets."""
    source = fixtures / "mlp_8_16_16_8.onnx"
    path = tmp_path / "model.textproto"
    onnx.save(onnx.load(source), path)
    assert fingerprint(path) == fingerprint(source)


def test_one_changed_weight_changes_the_weights_only(fixtures: Path, tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        (tensor,) = (t for t in model.graph.initializer if t.name == "features.3.weight")
        numbers = numpy_helper.to_array(tensor).copy()
        numbers[-1, -1, -1, -1] += 1
        tensor.raw_data = numbers.tobytes()

    before = fingerprint(fixtures / "cnn.onnx")
    after = changed(tmp_path, fixtures / "cnn.onnx", change)
    assert after.architecture == before.architecture
    assert after.weights != before.weights
    assert after.content != before.content


def test_weights_in_exchanged_places_are_the_same_weights(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "mlp_8_16_16_8.onnx"
    before = fingerprint(source)

    def exchange(model: onnx.ModelProto) -> None:
        biases = [t for t in model.graph.initializer if list(t.dims) == [16]]
        assert biases[0].raw_data != biases[1].raw_data
        biases[0].raw_data, biases[1].raw_data = biases[1].raw_data, biases[0].raw_data

    after = changed(tmp_path, source, exchange)
    assert (after.architecture, after.weights) == (before.architecture, before.weights)
    assert after.content != before.content


def set_stride(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "MaxPool")
    (attribute,) = (a for a in node.attribute if a.name == "strides")
    attribute.ints[:] = [1, 1]


def rewire(model: onnx.ModelProto) -> None:
    """The second pool reads what the activation before it read."""
    nodes = {node.name: node for node in model.graph.node}
    nodes["node_avg_pool2d"].input[0] = nodes["node_relu_1"].input[0]


def replace_operator(model: onnx.ModelProto) -> None:
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Sigmoid"


def widen_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 33


def raise_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version -= 1


def change_shape_constant(model: onnx.ModelProto) -> None:
    """The numbers of a Reshape's shape steer."""
    (tensor,) = (t for t in model.graph.initializer if t.data_type == TensorProto.INT64)
    tensor.CopyFrom(numpy_helper.from_array(np.array([-1, 96], np.int64), tensor.name))


@pytest.mark.parametrize(
    "change",
    [set_stride, rewire, replace_operator, widen_input, raise_opset, change_shape_constant],
)
def test_a_changed_graph_changes_the_architecture_only(
    change: Change, fixtures: Path, tmp_path: Path
) -> None:
    before = fingerprint(fixtures / "cnn.onnx")
    after = changed(tmp_path, fixtures / "cnn.onnx", change)
    assert after.architecture != before.architecture
    assert after.weights == before.weights


def node(op_type: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs.split(), [output], **attributes)


PAIRS: dict[str, tuple[list[onnx.NodeProto], list[onnx.NodeProto]]] = {
    "input positions": ([node("Sub", "x y", "z")], [node("Sub", "y x", "z")]),
    "one value or two equal ones": (
        [node("Exp", "x", "a"), node("Exp", "x", "b"), node("Add", "a b", "z")],
        [node("Exp", "x", "a"), node("Exp", "x", "b"), node("Add", "a a", "z")],
    ),
    # each of four values is read once as first and once as second operand, in both graphs
    "two rings of two or one ring of four": (
        [
            *(node("Exp", "x", f"a{i}") for i in range(4)),
            *(node("Sub", f"a{i} a{i ^ 1}", f"b{i}") for i in range(4)),
            node("Sum", "b0 b1 b2 b3", "z"),
        ],
        [
            *(node("Exp", "x", f"a{i}") for i in range(4)),
            *(node("Sub", f"a{i} a{(i + 1) % 4}", f"b{i}") for i in range(4)),
            node("Sum", "b0 b1 b2 b3", "z"),
        ],
    ),
    "a node that nothing reads": (
        [node("Exp", "x", "z")],
        [node("Exp", "x", "z"), node("Exp", "y", "dead")],
    ),
    "a number and its text": (
        [node("Mine", "x", "z", domain="d", a=1)],
        [node("Mine", "x", "z", domain="d", a="1")],
    ),
    "a name with a line of its own": (
        [node("Exp\n'd'::'Log'", "x", "z", domain="d")],
        [node("Exp", "x", "z", domain="d")],
    ),
    "attribute values": (
        [node("Softmax", "x", "z", axis=0)],
        [node("Softmax", "x", "z", axis=1)],
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_different_graphs_differ(name: str, save: Callable[..., str]) -> None:
    first, second = (
        fingerprint(save(nodes, inputs=["x", "y"], outputs=["z"])) for nodes in PAIRS[name]
    )
    assert first.architecture != second.architecture


def body(op_type: str) -> onnx.GraphProto:
    return helper.make_graph(
        [node(op_type, "x", "inner")],
        "body",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
    )


def test_bodies_and_functions_count(save: Callable[..., str]) -> None:
    condition = helper.make_tensor("c", TensorProto.BOOL, [], [True])

    def branched(other: str) -> str:
        branches = {"then_branch": body("Exp"), "else_branch": body(other)}
        holder = helper.make_node("If", ["c"], ["z"], **branches)
        return save([holder], [condition], inputs=["x"], outputs=["z"])

    def called(inner: str, name: str) -> str:
        opsets = [helper.make_opsetid("", 20)]
        function = helper.make_function(
            "local", name, ["a"], ["b"], [node(inner, "a", "b")], opsets
        )
        call = helper.make_node(name, ["x"], ["z"], domain="local")
        opsets_of_model = (("", 20), ("local", 1))
        return save(
            [call], inputs=["x"], outputs=["z"], functions=[function], opsets=opsets_of_model
        )

    assert fingerprint(branched("Exp")) == fingerprint(branched("Exp"))
    assert fingerprint(branched("Exp")).architecture != fingerprint(branched("Log")).architecture
    first, renamed, other = (
        fingerprint(called(*args)) for args in (("Exp", "F"), ("Exp", "G"), ("Log", "F"))
    )
    assert first == renamed
    assert first.architecture != other.architecture


def test_what_cannot_be_read_is_said(fixtures: Path, tmp_path: Path) -> None:
    model = onnx.load(fixtures / "mlp_8_16_16_8.onnx")
    onnx.save(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="side", size_threshold=512
    )
    (tmp_path / "side").unlink()
    found = fingerprint(tmp_path / "m.onnx")
    assert found.weights is found.content is None
    assert found.architecture == fingerprint(fixtures / "mlp_8_16_16_8.onnx").architecture
    assert all("side is missing" in text for text in found.unread)
    assert found.unread


@pytest.mark.parametrize(
    "code",
    [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 17, 21, 22],
    ids=TensorProto.DataType.Name,
)
@pytest.mark.parametrize("packed", [True, False])
def test_every_type_has_one_digest_raw_and_typed(
    code: int, packed: bool, save: Callable[..., str]
) -> None:
    """Raw bytes come from numpy, typed fields are written as onnx.proto says, packed or not."""
    dtype = helper.tensor_dtype_to_np_dtype(code)
    numbers = np.arange(600).astype(dtype) if code != 9 else np.arange(600) % 2 == 1
    if code in (3, 5, 6, 7, 22):
        numbers = (numbers.astype(np.int64) - 3).astype(dtype)
    raw = numpy_helper.from_array(numbers, "w")
    typed = helper.make_tensor("w", code, [600], numbers.flatten())
    assert raw.HasField("raw_data")
    assert not typed.HasField("raw_data")
    nodes = [node("Identity", "w", "z")]

    def loosened(model: onnx.ModelProto) -> None:
        """Each number as a field of its own, as proto2 writers do."""
        if not packed:
            tensor = model.graph.initializer[0]
            data = unpacked(tensor)
            tensor.Clear()
            tensor.MergeFromString(data)

    first = fingerprint(save(nodes, [raw], outputs=["z"]))
    second = fingerprint(save(nodes, [typed], outputs=["z"], change=loosened))
    assert first.unread == second.unread == ()
    assert first == second


def unpacked(tensor: TensorProto) -> bytes:
    """The message with name, type and dims first and every number as a field of its own."""
    import struct

    head = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    out = bytearray(head.SerializeToString())
    for field, number, wire_type in (
        ("float_data", 4, 5),
        ("int32_data", 5, 0),
        ("int64_data", 7, 0),
        ("double_data", 10, 1),
        ("uint64_data", 11, 0),
    ):
        for value in getattr(tensor, field):
            out.append(number << 3 | wire_type)
            if wire_type == 0:
                rest = value & (1 << 64) - 1
                while rest > 127:
                    out.append(rest & 127 | 128)
                    rest >>= 7
                out.append(rest)
            else:
                out += struct.pack("<f" if wire_type == 5 else "<d", value)
    return bytes(out)


def test_strings_are_framed(save: Callable[..., str]) -> None:
    """["ab", "c"] and ["a", "bc"] are different strings."""
    found = [
        fingerprint(
            save(
                [node("Identity", "w", "z")],
                [TensorProto(name="w", data_type=TensorProto.STRING, dims=[2], string_data=texts)],
                outputs=["z"],
            )
        )
        for texts in ([b"ab", b"c"], [b"a", b"bc"], [b"ab", b"c"])
    ]
    assert found[0] == found[2]
    assert found[0].architecture != found[1].architecture


def test_memory_does_not_grow_with_the_weights(tmp_path: Path) -> None:
    """400 MB of side file are hashed in a process that may use far less."""
    import subprocess
    import sys

    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process that was forked is only told by /proc")
    nbytes = 400_000_000
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[nbytes // 4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="side")
    graph = helper.make_graph(
        [node("Relu", "w", "z")],
        "g",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
        [tensor],
    )
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    with (tmp_path / "side").open("wb") as file:
        file.truncate(nbytes)
    code = (
        "import graphcount, sys\n"
        "r = graphcount.count(sys.argv[1], hash_file=True)\n"
        "assert r.fingerprint.weights\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "m.onnx")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) * 1024 < 120_000_000


def test_the_table_of_defaults_is_that_of_onnx() -> None:
    """Every standard operator of every version that has the attribute has that default."""
    seen = set()
    for schema in onnx.defs.get_all_schemas_with_history():
        for name, attribute in schema.attributes.items():
            if name not in DEFAULTS or schema.domain != "":
                continue
            value = attribute.default_value
            if value.type == onnx.AttributeProto.UNDEFINED:
                continue
            text = value.s.decode() if value.type == onnx.AttributeProto.STRING else str(value.i)
            assert text == DEFAULTS[name], f"{schema.name} {schema.since_version} {name}"
            seen.add(name)
    assert seen == set(DEFAULTS)
    assert set(REPEATED_DEFAULTS) == {"dilations", "strides", "pads"}
