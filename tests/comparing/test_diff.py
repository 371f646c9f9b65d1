"""Diffs of copies whose difference is known because the test made it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.comparing.side import family
from graphcount.report.diff import Diff, NodeChange, TensorChange

Change = Callable[[onnx.ModelProto], None]
Altered = Callable[..., str]


@pytest.fixture
def altered(tmp_path: Path, fixtures: Path) -> Altered:
    """Path of a changed copy of a fixture: `altered("cnn", change)`."""

    def make(name: str, *changes: Change) -> str:
        model = onnx.load(fixtures / f"{name}.onnx")
        for change in changes:
            change(model)
        path = tmp_path / f"{name}.changed.onnx"
        onnx.save(model, path)
        return str(path)

    return make


def changes(rows: tuple[TensorChange, ...] | tuple[NodeChange, ...]) -> Counter[str]:
    return Counter(" ".join(row.changes) or row.status for row in rows)


def rename(model: onnx.ModelProto) -> None:
    """Every name another one, in an order that has nothing to do with the old one."""
    graph = model.graph
    every = {name for node in graph.node for name in (*node.input, *node.output) if name}
    every |= {value.name for value in (*graph.input, *graph.output)}
    numbers = list(range(len(every)))
    random.Random(0).shuffle(numbers)
    names = {name: f"v{number}" for name, number in zip(sorted(every), numbers, strict=True)}
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names[value.name]
    for number, node in enumerate(graph.node):
        node.name = f"op{(7 * number) % 1009}"
        node.input[:] = [names.get(name, "") for name in node.input]
        node.output[:] = [names.get(name, "") for name in node.output]
        del node.metadata_props[:]
    del graph.value_info[:]


RENAMED = ("cnn_batchnorm", "cnn_int8", "transformer_block", "tied_language_model", "lstm_3_2")


@pytest.mark.parametrize("name", RENAMED)
def test_a_renamed_copy_is_renamed_and_nothing_else(
    name: str, fixtures: Path, altered: Altered
) -> None:
    """Stored tensors match by their numbers: the test knows which is which by their bytes."""
    source = str(fixtures / f"{name}.onnx")
    found = graphcount.diff(source, altered(name, rename), values=True)
    assert found.relation == "names"
    assert set(changes(found.tensors)) == {"renamed"}
    assert set(changes(found.nodes)) == {"renamed"}
    assert found.same_nodes == found.same_tensors == 0
    for row in found.tensors:
        assert row.old is not None
        assert row.new is not None
        assert row.old.sha256 == row.new.sha256
    assert not [
        row
        for row in found.totals
        if row.delta
        and "overhead" not in row.name
        and row.name not in ("file_nbytes", "disk_nbytes", "framework_parameters")
    ]


def drop_channels(model: onnx.ModelProto) -> None:
    """Half of the filters of the second convolution, and what reads them."""
    keep = 6
    for tensor in model.graph.initializer:
        numbers = numpy_helper.to_array(tensor)
        if tensor.name in ("features.3.weight", "features.3.bias"):
            numbers = numbers[:keep]
        elif tensor.name == "classifier.0.weight":
            numbers = numbers[:, : keep * 16]
        elif tensor.data_type == TensorProto.INT64:
            numbers = np.array([-1, keep * 16], np.int64)
        tensor.CopyFrom(numpy_helper.from_array(numbers.copy(), tensor.name))
    del model.graph.value_info[:]


def test_a_pruned_copy_is_reshaped(fixtures: Path, altered: Altered) -> None:
    found = graphcount.diff(str(fixtures / "cnn.onnx"), altered("cnn", drop_channels))
    lost = 6 * 5 * 3 * 3 + 6 + 128 * 6 * 16
    assert changes(found.tensors) == {"reshaped": 3}
    assert found.total("parameters").delta == -lost
    assert found.total("nbytes").delta == -4 * lost
    assert found.tensors[0].delta.nbytes == -4 * 128 * 6 * 16
    assert not {row.status for row in found.nodes} - {"changed"}
    assert found.relation == "different"


def quantize_weights(model: onnx.ModelProto) -> None:
    """What a static quantizer writes: int8 weights behind DequantizeLinear, under other names."""
    graph = model.graph
    added = []
    for tensor in list(graph.initializer):
        if not tensor.name.endswith(".weight"):
            continue
        numbers = numpy_helper.to_array(tensor)
        name = f"{tensor.name}_quantized"
        small = np.round(numbers / np.abs(numbers).max() * 127).astype(np.int8)
        scale, zero = f"{tensor.name}_scale", f"{tensor.name}_zero_point"
        output = f"{tensor.name}_DequantizeLinear_Output"
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(small, name))
        graph.initializer.append(numpy_helper.from_array(np.array(0.1, np.float32), scale))
        graph.initializer.append(numpy_helper.from_array(np.array(0, np.int8), zero))
        added.append(helper.make_node("DequantizeLinear", [name, scale, zero], [output]))
        for node in graph.node:
            node.input[:] = [output if value == tensor.name else value for value in node.input]
    nodes = [*added, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def test_a_quantized_copy_is_retyped_with_scales_added(fixtures: Path, altered: Altered) -> None:
    found = graphcount.diff(str(fixtures / "cnn.onnx"), altered("cnn", quantize_weights))
    assert changes(found.tensors) == {"renamed retyped": 4, "added": 8}
    retyped = [row for row in found.tensors if "retyped" in row.changes]
    for row in retyped:
        assert row.old is not None
        assert row.new is not None
        assert row.new.name == f"{row.old.name}_quantized"
        assert (row.old.dtype, row.new.dtype) == ("float32", "int8")
        assert row.delta.nbytes == -3 * row.old.elements
    assert changes(found.nodes) == {"added": 4, "rewired": 4}
    assert found.total("parameters").delta == 0


def integer_products(model: onnx.ModelProto) -> None:
    """What a dynamic quantizer writes: MatMulInteger in the place of MatMul."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        weight = tensors.get(node.input[1]) if node.op_type == "MatMul" else None
        if weight is None:
            nodes.append(node)
            continue
        numbers = numpy_helper.to_array(weight).astype(np.int8)
        model.graph.initializer.remove(weight)
        name = f"{weight.name}_quantized"
        model.graph.initializer.append(numpy_helper.from_array(numbers, name))
        x, y = node.input[0], node.output[0]
        parts = [f"{y}_{part}" for part in ("q", "s", "z", "i")]
        nodes += [
            helper.make_node("DynamicQuantizeLinear", [x], parts[:3]),
            helper.make_node("MatMulInteger", [parts[0], name], [parts[3]], f"{node.name}_quant"),
            helper.make_node("Cast", [parts[3]], [y], to=TensorProto.FLOAT),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def test_a_dynamically_quantized_copy_has_other_operators(fixtures: Path, altered: Altered) -> None:
    source = str(fixtures / "transformer_block.onnx")
    replaced = 12  # four projections and two layers of the perceptron, in each of two blocks
    found = graphcount.diff(source, altered("transformer_block", integer_products))
    pairs = [
        (row.old.op_type, row.new.op_type)
        for row in found.nodes
        if row.old is not None and row.new is not None and "operator" in row.changes
    ]
    assert Counter(pairs) == {("MatMul", "MatMulInteger"): replaced}
    assert changes(found.tensors) == {"renamed retyped": replaced}
    assert Counter(row.status for row in found.nodes)["added"] == 2 * replaced
    assert Counter(row.status for row in found.nodes)["removed"] == 0


def test_one_changed_number_is_seen_with_values_only(fixtures: Path, altered: Altered) -> None:
    def change(model: onnx.ModelProto) -> None:
        (tensor,) = (t for t in model.graph.initializer if t.name == "classifier.2.bias")
        numbers = numpy_helper.to_array(tensor).copy()
        numbers[3] += 1
        tensor.raw_data = numbers.tobytes()

    source, other = str(fixtures / "cnn.onnx"), altered("cnn", change)
    assert graphcount.diff(source, other).empty
    found = graphcount.diff(source, other, values=True)
    assert found.relation == "weights"
    assert [(row.new and row.new.name, row.changes) for row in found.tensors] == [
        ("classifier.2.bias", ("values",))
    ]
    assert not found.nodes
    assert not found.empty


def test_a_changed_attribute_is_named(fixtures: Path, altered: Altered) -> None:
    def change(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == "MaxPool")
        (attribute,) = (a for a in node.attribute if a.name == "strides")
        attribute.ints[:] = [3, 3]

    source = str(fixtures / "cnn.onnx")
    found = graphcount.diff(source, altered("cnn", change), values=True)
    assert found.relation == "graph"
    (row,) = (row for row in found.nodes if row.attributes)
    assert row.old is not None
    assert row.old.op_type == "MaxPool"
    assert row.attributes == (("strides", "[2, 2]", "[3, 3]"),)


def test_a_replaced_operator_is_changed_not_removed_and_added(
    fixtures: Path, altered: Altered
) -> None:
    def change(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == "Relu")
        node.op_type, node.name = "Sigmoid", "other"

    found = graphcount.diff(str(fixtures / "cnn.onnx"), altered("cnn", change))
    (row,) = found.nodes
    assert row.status == "changed"
    assert "operator" in row.changes
    names = {(group.old_name, group.new_name, group.delta.nodes) for group in found.op_types}
    assert names == {("Relu", "Relu", -1), (None, "Sigmoid", 1)}


def chain(blocks: int, prefix: str, extra_after: int | None = None) -> list[onnx.NodeProto]:
    """Blocks that all look alike, without weights; one more operator after one of them."""
    nodes: list[onnx.NodeProto] = []
    value = "x"
    for block in range(blocks):
        for op_type in ("Relu", "Exp", "Neg"):
            output = f"{prefix}{block}_{op_type}"
            nodes.append(helper.make_node(op_type, [value], [output], f"{prefix}{len(nodes)}"))
            value = output
        if block == extra_after:
            nodes.append(helper.make_node("Tanh", [value], [f"{prefix}t"], f"{prefix}{len(nodes)}"))
            value = f"{prefix}t"
    nodes[-1].output[0] = "z"
    return nodes


@pytest.mark.parametrize("blocks", [30, 400])
def test_an_operator_inserted_into_equal_blocks_is_the_only_one_added(
    blocks: int, save: Callable[..., str]
) -> None:
    """All names differ, too; 400 blocks are more than the best alignment is tried on."""
    ports = {"inputs": [("x", [1])], "outputs": [("z", [1])]}
    old = save(chain(blocks, "a"), **ports)
    new = save(chain(blocks, "b", blocks // 2), **ports)
    found = graphcount.diff(old, new)
    statuses = Counter(row.status for row in found.nodes)
    assert statuses == {"added": 1, "changed": 3 * blocks}
    (added,) = (row.new for row in found.nodes if row.status == "added")
    assert added is not None
    assert added.op_type == "Tanh"


def test_counted_names_do_not_mislead(save: Callable[..., str], weights: Any) -> None:
    """After an insertion `Gemm_1` is another node than before; its weight's name says which."""

    def layers(names: list[str]) -> str:
        nodes, value = [], "x"
        for index, name in enumerate(names):
            output = "z" if index == len(names) - 1 else f"v{index}"
            nodes.append(helper.make_node("MatMul", [value, name], [output], f"MatMul_{index}"))
            value = output
        tensors = [weights(name, 4, 4) for name in names]
        return save(nodes, tensors, inputs=[("x", [1, 4])], outputs=[("z", [1, 4])])

    found = graphcount.diff(
        layers(["enc.0.weight", "enc.1.weight"]),
        layers(["stem.weight", "enc.0.weight", "enc.1.weight"]),
    )
    (added,) = (row.new for row in found.nodes if row.status == "added")
    assert added is not None
    assert added.id == "MatMul_0"
    assert [(row.status, row.new and row.new.name) for row in found.tensors] == [
        ("added", "stem.weight")
    ]


def test_modules_that_were_renamed_are_paired(fixtures: Path, altered: Altered) -> None:
    def change(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            old = tensor.name
            tensor.name = old.replace("classifier.", "head.")
            for node in model.graph.node:
                node.input[:] = [tensor.name if name == old else name for name in node.input]
        for node in model.graph.node:
            for entry in node.metadata_props:
                entry.value = entry.value.replace("classifier", "head")
        del model.metadata_props[:]

    found = graphcount.diff(str(fixtures / "cnn.onnx"), altered("cnn", change))
    paired = {(row.old_name, row.new_name) for row in found.modules}
    assert ("classifier.0", "head.0") in paired
    assert all(not any(row.delta[:-1]) for row in found.modules)
    assert not [row for row in found.nodes if "moved" in row.changes]


# --------------------------------------------------------------------------------------- sides


def test_a_saved_report_stands_for_its_model(fixtures: Path, tmp_path: Path) -> None:
    from graphcount.report.serial import dumps, to_dict

    source, other = (str(fixtures / name) for name in ("cnn.onnx", "cnn_batchnorm.onnx"))
    saved = tmp_path / "saved.json"
    saved.write_text(dumps(to_dict(graphcount.count(source, assume=True))))
    assert graphcount.diff(source, str(saved)).empty
    assert graphcount.diff(str(saved), str(saved)).empty
    whole, partly = graphcount.diff(source, other), graphcount.diff(str(saved), other)
    assert partly.old.source == "report"
    assert any("saved report" in note for note in partly.notes)
    assert partly.totals == whole.totals
    assert learned(partly) == learned(whole)
    assert partly.op_types == whole.op_types
    report = graphcount.count(source)
    assert learned(graphcount.diff(report, other)) == learned(whole)


def learned(found: Diff) -> list[TensorChange]:
    """Rows of parameters and buffers."""
    kinds = ("parameter", "buffer")
    return [row for row in found.tensors if (row.new or row.old or row).kind in kinds]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": "graphcount.report/2"}', "not a complete"),
        ('{"schema": "graphcount.report/9"}', "not a graphcount.report/2"),
        ('{"schema": "graphcount.report/2"', "not one JSON object"),
        ('[{"schema": "graphcount.report/2"}, {}]', "2 reports"),
        ('{"schema": "graphcount.report/2", "a": ' + "[" * 200_000, "not one JSON object"),
    ],
)
def test_a_broken_report_is_refused(
    text: str, message: str, tmp_path: Path, fixtures: Path
) -> None:
    saved = tmp_path / "saved.json"
    saved.write_text(text)
    with pytest.raises(graphcount.DamagedError, match=message):
        graphcount.diff(str(saved), str(fixtures / "cnn.onnx"))


def test_dims_belong_to_the_count(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    with pytest.raises(graphcount.UsageError):
        graphcount.diff(report, report, dims={"batch": 1})
    with pytest.raises(graphcount.UsageError):
        graphcount.diff("-", "-")


def test_costs_are_subtracted_as_formulas(fixtures: Path) -> None:
    """373,856 MACs a sample (README); of 31 inputs to 64 units 20 are gone: 1,280."""
    names = "behavior_cloning.onnx", "behavior_cloning_11.onnx"
    old, new = (str(fixtures / name) for name in names)
    row = graphcount.diff(old, new).total("macs")
    assert (row.delta, row.delta_expression) == (-1280, "-1280*batch")
    row = graphcount.diff(old, new, assume=False).total("macs")
    assert (row.delta, row.delta_expression) == (None, "-1280*batch")
    row = graphcount.diff(old, new, dims={"batch": 3}).total("macs")
    assert (row.delta, row.delta_expression) == (-3840, None)


def test_relations_need_weights_to_compare(save: Callable[..., str]) -> None:
    """Two graphs without a single weight do not have the same weights."""
    ports = {"inputs": ["x"], "outputs": ["z"]}
    old = save([helper.make_node("Exp", ["x"], ["z"])], **ports)
    new = save([helper.make_node("Log", ["x"], ["z"])], **ports)
    assert graphcount.diff(old, new, values=True).relation == "different"


def assert_sums(found: Diff) -> None:
    """Rows of a grouping add up to the change of the totals."""
    for rows in (found.modules, found.op_types, found.dtypes, found.kinds):
        for column, name in (("parameters", "parameters"), ("nbytes", "nbytes")):
            total = sum(getattr(row.delta, column) for row in rows)
            assert total == found.total(name).delta
    for column, name in (("elements", "elements"), ("nbytes", "nbytes")):
        total = sum(getattr(row.delta, column) for row in found.tensors)
        assert total == found.total(name).delta


def test_rows_sum_to_the_totals(fixtures: Path) -> None:
    paths = sorted(fixtures.glob("*.onnx"))
    for old, new in pairwise(paths):
        assert_sums(graphcount.diff(str(old), str(new)))


@pytest.mark.parametrize(
    ("domain", "op_type", "kin"),
    [
        ("", "Gemm", "MatMul"),
        ("", "ConvInteger", "Conv"),
        ("", "RMSNormalization", "LayerNormalization"),
        ("", "ConvTranspose", "ConvTranspose"),
        ("com.microsoft", "MatMulNBits", "MatMul"),
        ("com.microsoft", "NhwcFusedConv", "Conv"),
        ("com.microsoft", "GatherBlockQuantized", "Gather"),
        ("com.microsoft", "DynamicQuantizeLSTM", "LSTM"),
        ("com.microsoft", "QAttention", "Attention"),
        ("com.microsoft", "SkipSimplifiedLayerNormalization", "LayerNormalization"),
        ("com.microsoft", "BiasGelu", "Gelu"),
        ("com.microsoft", "QLinearAveragePool", "AveragePool"),
        ("com.microsoft", "MultiHeadAttention", "MultiHeadAttention"),
        ("acme", "QLinearAdd", "Add"),
        ("com.microsoft", "QOrderedAttention", "Attention"),
        ("com.microsoft", "QGather", "Gather"),
        ("acme", "QuickGelu", "QuickGelu"),
        ("acme", "Q", "Q"),
    ],
)
def test_operators_that_stand_for_each_other_are_one_family(
    domain: str, op_type: str, kin: str
) -> None:
    assert family(domain, op_type) == kin
