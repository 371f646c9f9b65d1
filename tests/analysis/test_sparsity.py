"""Sparsity of models: zeros, 2:4 and MACs without zeros, beside sums over the weights in numpy."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import graphcount
from graphcount.loading.tensor_data import TensorReader
from graphcount.report.records import Report
from graphcount.report.sparsity import TensorSparsityRow
from tests.conftest import Save

F = TensorProto.FLOAT
Array = np.ndarray[Any, Any]


def pruned(*shape: int, share: float = 0.5, seed: int = 0) -> Array:
    made = np.random.default_rng(seed)
    array = made.normal(size=shape).astype(np.float32)
    array[made.random(shape) < share] = 0
    array.reshape(-1)[0] = -0.0
    return array


def nonzero(array: Array) -> int:
    return int(np.count_nonzero(array))


def held(array: Array, name: str = "w") -> TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(array), name)


value = helper.make_tensor_value_info


def node(op: str, inputs: str, output: str = "y", **more: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], **more)


def of(report: Report, name: str = "w") -> TensorSparsityRow:
    assert report.sparsity is not None
    names = [tensor.name for tensor in report.tensors]
    return report.sparsity.tensors[names.index(name)]


def macs(report: Report) -> tuple[int | None, bool]:
    assert report.sparsity is not None
    return report.sparsity.macs_nonzero, report.sparsity.macs_exact


def counted(path: str, **options: Any) -> Report:
    return graphcount.count(path, sparsity=True, **options)


# ------------------------------------------------------------------------------ MACs without zeros


def test_a_product_does_one_mac_a_row_and_weight(save: Save) -> None:
    w = pruned(8, 5)
    path = save(
        [node("MatMul", "x w")], [held(w)], inputs=[value("x", F, (3, 7, 8))], outputs=["y"]
    )
    report = counted(path)
    assert of(report).zeros == (w == 0).sum()
    assert report.totals.macs == 3 * 7 * 8 * 5
    assert macs(report) == (3 * 7 * nonzero(w), True)


@pytest.mark.parametrize("group", [1, 2])
def test_a_convolution_does_one_mac_a_position_and_weight(save: Save, group: int) -> None:
    w = pruned(4, 8 // group, 3, 2)
    conv = node("Conv", "x w", group=group, strides=[2, 1], pads=[1, 0, 1, 0])
    path = save([conv], [held(w)], inputs=[value("x", F, (2, 8, 9, 6))], outputs=["y"])
    positions = 2 * 5 * 5  # (9 + 2 - 3) // 2 + 1, 6 - 2 + 1
    assert macs(counted(path)) == (positions * nonzero(w), True)


def test_a_transposed_convolution_does_one_mac_an_input_position_and_weight(save: Save) -> None:
    w = pruned(8, 3, 2, 2)
    path = save(
        [node("ConvTranspose", "x w")],
        [held(w)],
        inputs=[value("x", F, (2, 8, 5, 6))],
        outputs=["y"],
    )
    assert macs(counted(path)) == (2 * 5 * 6 * nonzero(w), True)


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_w_and_r_of_a_layer_have_their_own_zeros(save: Save, op: str, gates: int) -> None:
    w, r = pruned(2, gates * 6, 5, share=0.3), pruned(2, gates * 6, 6, share=0.8)
    layer = node(op, "x w r", hidden_size=6, direction="bidirectional")
    path = save([layer], [held(w), held(r, "r")], inputs=[value("x", F, (7, 3, 5))], outputs=["y"])
    report = counted(path)
    assert report.totals.macs == 7 * 3 * (w.size + r.size)
    assert macs(report) == (7 * 3 * (nonzero(w) + nonzero(r)), True)


def test_a_weight_in_a_loop_counts_once_a_trip(save: Save) -> None:
    w = pruned(4, 4)
    body = helper.make_graph(
        [node("MatMul", "s w", "t"), node("Identity", "c", "d")],
        "body",
        [
            value("i", TensorProto.INT64, []),
            value("c", TensorProto.BOOL, []),
            value("s", F, [2, 4]),
        ],
        [
            value("d", TensorProto.BOOL, []),
            value("t", F, [2, 4]),
        ],
    )
    trips = held(np.array(5, np.int64), "m")
    always = held(np.array(True), "true")
    path = save(
        [node("Loop", "m true x", body=body)],
        [held(w), trips, always],
        inputs=[value("x", F, (2, 4))],
        outputs=["y"],
    )
    report = counted(path)
    assert report.totals.macs == 5 * 2 * 16
    assert macs(report) == (5 * 2 * nonzero(w), True)


def test_one_weight_used_twice_loses_its_macs_twice(save: Save) -> None:
    w = pruned(6, 6)
    nodes = [node("MatMul", "x w", "h"), node("Gemm", "h w", transB=1)]
    report = counted(save(nodes, [held(w)], inputs=[value("x", F, (3, 6))], outputs=["y"]))
    assert macs(report) == (2 * 3 * nonzero(w), True)


def test_what_holds_no_zero_changes_nothing(save: Save) -> None:
    w = np.ones((2, 6, 6), np.float32)
    path = save(
        [node("Einsum", "x w", equation="bi,bij->bj")],
        [held(w)],
        inputs=[value("x", F, (2, 6))],
        outputs=["y"],
    )
    report = counted(path)
    assert macs(report) == (report.totals.macs, True)


def test_of_branches_the_dense_one_may_run(save: Save) -> None:
    """Both do 32 MACs; whichever the condition takes, no more are left than the dense one does."""
    dense, sparse = np.ones((8, 4), np.float32), np.zeros((8, 4), np.float32)
    for then, other in ((dense, sparse), (sparse, dense)):
        branches = {
            name: helper.make_graph(
                [node("MatMul", "x w", "z")], name, [], [value("z", F, [1, 4])], [held(weight)]
            )
            for name, weight in (("then_branch", then), ("else_branch", other))
        }
        inputs = [value("c", TensorProto.BOOL, []), value("x", F, (1, 8))]
        report = counted(save([node("If", "c", **branches)], inputs=inputs, outputs=["y"]))
        assert report.totals.macs == 32
        assert macs(report) == (32, False)


@pytest.mark.parametrize("second", ["stored", "sliced", "einsum"])
def test_where_elements_may_differ_macs_are_an_upper_bound(save: Save, second: str) -> None:
    w = pruned(6, 6)
    inputs, values = [value("x", F, (6, 6))], [held(w)]
    if second == "stored":
        nodes, inputs, values = [node("MatMul", "w v")], [], [held(w), held(w + w.T, "v")]
    elif second == "sliced":
        nodes = [
            helper.make_node("Split", ["w"], ["a", "b"], axis=1, num_outputs=2),
            node("MatMul", "x a"),
        ]
    else:
        nodes = [node("Einsum", "x w", equation="bi,ij->bj")]
    report = counted(save(nodes, values, inputs=inputs, outputs=["y"]))
    assert report.sparsity is not None
    assert report.totals.macs is not None
    assert report.sparsity.macs_exact is False
    assert [row.node for row in report.sparsity.nodes if row.why] == [report.nodes[-1].id]
    assert 0 < (report.sparsity.macs_nonzero or 0) <= report.totals.macs


def test_dynamic_dimensions_have_macs_at_the_assumed_sizes(save: Save) -> None:
    w = pruned(8, 5)
    path = save([node("MatMul", "x w")], [held(w)], inputs=[value("x", F, ("n", 8))], outputs=["y"])
    assert macs(counted(path)) == (None, True)
    report = counted(path, assume={"n": 11})
    assert macs(report) == (None, True)
    assert macs(report.in_numbers) == (11 * nonzero(w), True)
    assert macs(counted(path, dims={"n": 4})) == (4 * nonzero(w), True)


def test_torchinfos_macs_have_additions_that_no_weight_does(save: Save) -> None:
    path = save([node("MatMul", "x w")], [held(pruned(4, 4))], inputs=[value("x", F, (1, 4))])
    with pytest.raises(graphcount.GraphcountError, match="torchinfo"):
        counted(path, macs_convention="torchinfo")


# ------------------------------------------------------------------------------------------- 2:4


def two_four(array: Array, axis: int, seed: int = 3) -> Array:
    """Return a copy with two zeros in each group of four along an axis."""
    made = np.random.default_rng(seed)
    lines = np.moveaxis(np.where(array == 0, 1, array), axis, -1)
    groups = lines.reshape(*lines.shape[:-1], -1, 4).copy()
    places = made.permuted(np.broadcast_to(np.arange(4), groups.shape).copy(), axis=-1)
    groups[places < 2] = 0
    return np.ascontiguousarray(np.moveaxis(groups.reshape(lines.shape), -1, axis))


def tensorrt(weights: Array) -> bool:
    """Return what the check of TensorRT's developer guide says of a convolution (K, C, R, S)."""
    k, c, r, s = weights.shape
    return all(
        nonzero(weights[a, 4 * b : 4 * b + 4, i, j]) <= 2
        for a, b, i, j in itertools.product(range(k), range(c // 4), range(r), range(s))
    )


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_groups_of_a_convolution_are_input_channels(save: Save, axis: int) -> None:
    w = two_four(pruned(8, 8, 4, 4), axis)
    path = save(
        [node("Conv", "x w")], [held(w)], inputs=[value("x", F, (1, 8, 9, 9))], outputs=["y"]
    )
    assert of(counted(path)).two_four is tensorrt(w) is (axis == 1)


PRODUCTS: list[tuple[str, str, dict[str, Any], int]] = [
    ("MatMul", "x w", {}, 0),
    ("Gemm", "x w", {}, 0),
    ("Gemm", "x w", {"transB": 1}, 1),
    ("MatMul", "w x", {}, 1),
    ("Gemm", "w x", {"transA": 1}, 0),
]


@pytest.mark.parametrize(("op", "inputs", "more", "along"), PRODUCTS)
@pytest.mark.parametrize("axis", [0, 1])
def test_groups_of_a_product_lie_along_its_sums(
    save: Save, op: str, inputs: str, more: dict[str, Any], along: int, axis: int
) -> None:
    w = two_four(pruned(8, 8), axis)
    path = save(
        [node(op, inputs, **more)], [held(w)], inputs=[value("x", F, (8, 8))], outputs=["y"]
    )
    assert of(counted(path)).two_four is (axis == along)


@pytest.mark.parametrize("axis", [0, 1])
def test_groups_follow_a_weight_through_transpose_and_dequantize(save: Save, axis: int) -> None:
    w = (two_four(pruned(8, 8), axis) * 100).astype(np.int8)
    nodes = [
        node("DequantizeLinear", "w s", "d"),
        node("Transpose", "d", "t", perm=[1, 0]),
        node("MatMul", "x t"),
    ]
    scale = held(np.array(0.01, np.float32), "s")
    report = counted(save(nodes, [held(w), scale], inputs=[value("x", F, (1, 8))], outputs=["y"]))
    assert of(report).two_four is (axis == 1)
    assert macs(report) == (nonzero(w), True)


def test_a_weight_must_be_so_at_every_use(save: Save) -> None:
    w = two_four(pruned(8, 8), 0)
    once = save([node("MatMul", "x w")], [held(w)], inputs=[value("x", F, (1, 8))], outputs=["y"])
    nodes = [node("MatMul", "x w", "h"), node("Gemm", "h w", transB=1)]
    twice = save(nodes, [held(w)], inputs=[value("x", F, (1, 8))], outputs=["y"])
    assert (of(counted(once)).two_four, of(counted(twice)).two_four) == (True, False)


def test_what_is_in_no_sum_or_no_multiple_of_four(save: Save) -> None:
    w, b = np.zeros((6, 8), np.float32), np.zeros(8, np.float32)
    nodes = [node("MatMul", "x w", "h"), node("Add", "h b")]
    report = counted(
        save(nodes, [held(w), held(b, "b")], inputs=[value("x", F, (1, 6))], outputs=["y"])
    )
    assert (of(report).two_four, of(report, "b").two_four) == (False, None)


# --------------------------------------------------------------------------------- zero points


def integers(*shape: int, dtype: Any = np.uint8, seed: int = 5) -> Array:
    return np.random.default_rng(seed).integers(120, 136, shape).astype(dtype)


def floats_of(path: str, name: str) -> Array:
    """Return what the reference implementation of onnx makes of a model's stored tensors."""
    model = onnx.load(path)
    del model.graph.output[:]
    model.graph.output.append(value(name, F, None))
    feeds: dict[str, Array] = {
        str(one.name): np.zeros(
            [dim.dim_value for dim in one.type.tensor_type.shape.dim], np.float32
        )
        for one in model.graph.input
    }
    results: Any = ReferenceEvaluator(model).run(None, feeds)
    return np.asarray(results[0])


ZERO_POINTS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((), {}),
    ((8,), {"axis": 0}),
    ((6,), {"axis": 1}),
    ((6,), {"axis": -1}),
    ((3, 6), {"axis": 0, "block_size": 3}),
    ((8, 2), {"axis": 1, "block_size": 3}),
]


@pytest.mark.parametrize(("shape", "more"), ZERO_POINTS)
def test_zero_is_what_dequantizes_to_zero(
    save: Save, shape: tuple[int, ...], more: dict[str, Any]
) -> None:
    w, z = integers(8, 6), integers(*shape, seed=6)
    s = np.full(shape, 0.5, np.float32)
    nodes = [node("DequantizeLinear", "w s z", "d", **more), node("MatMul", "x d")]
    values = [held(w), held(s, "s"), held(np.asarray(z), "z")]
    path = save(nodes, values, inputs=[value("x", F, (1, 8))], outputs=["y"], opsets=[("", 21)])
    zeros = int((floats_of(path, "d") == 0).sum())
    report = counted(path)
    assert 0 < zeros == of(report).zeros
    assert macs(report) == (w.size - zeros, True)


def test_zeros_follow_zero_points_to_a_transposed_axis(save: Save) -> None:
    w, z, s = integers(8, 6), integers(8, seed=6), np.full(8, 0.5, np.float32)
    nodes = [
        node("Transpose", "w", "t", perm=[1, 0]),
        node("DequantizeLinear", "t s z", "d", axis=1),
        node("MatMul", "x d"),
    ]
    values = [held(w), held(s, "s"), held(z, "z")]
    path = save(nodes, values, inputs=[value("x", F, (1, 6))], outputs=["y"])
    assert of(counted(path)).zeros == (floats_of(path, "d") == 0).sum() > 0


@pytest.mark.parametrize("per", ["tensor", "filter"])
def test_qlinearconv_has_a_zero_point_a_filter(save: Save, per: str) -> None:
    w = integers(4, 3, 2, 2)
    z = integers(4, seed=7) if per == "filter" else np.array(127, np.uint8)
    values = [held(w), held(np.asarray(z), "z"), held(np.array(1, np.float32), "s")]
    values += [held(np.full(z.shape, 1, np.float32), "ws"), held(np.array(0, np.uint8), "xz")]
    path = save(
        [node("QLinearConv", "x s xz w ws z s xz")],
        values,
        inputs=[value("x", TensorProto.UINT8, (1, 3, 5, 5))],
        outputs=["y"],
    )
    zeros = int((w == (z.reshape(-1, 1, 1, 1) if z.ndim else z)).sum())
    report = counted(path)
    assert of(report).zeros == zeros
    assert macs(report) == (16 * (w.size - zeros), True)


@pytest.mark.parametrize("shape", [(), (6,)])
def test_matmulinteger_has_a_zero_point_a_column(save: Save, shape: tuple[int, ...]) -> None:
    w, z = integers(8, 6), integers(*shape, seed=8)
    values = [held(w), held(np.asarray(z), "z"), held(np.array(3, np.uint8), "xz")]
    path = save(
        [node("MatMulInteger", "x w xz z")],
        values,
        inputs=[value("x", TensorProto.UINT8, (2, 8))],
        outputs=["y"],
    )
    zeros = int((w == z).sum())
    report = counted(path)
    assert of(report).zeros == zeros
    assert macs(report) == (2 * (w.size - zeros), True)


def test_integers_are_zero_at_what_is_subtracted(save: Save) -> None:
    w, z = integers(8, 6), np.array(127, np.float32)
    nodes = [
        node("Cast", "w", "c", to=F),
        node("Sub", "c z", "d"),
        node("Mul", "d s", "f"),
        node("MatMul", "x f"),
    ]
    values = [held(w), held(z, "z"), held(np.array(0.1, np.float32), "s")]
    path = save(nodes, values, inputs=[value("x", F, (1, 8))], outputs=["y"])
    assert of(counted(path)).zeros == (floats_of(path, "f") == 0).sum() > 0


def test_rows_that_are_looked_up_are_zero_at_what_is_subtracted(save: Save) -> None:
    w, z = integers(8, 6), np.array(127, np.uint8)
    nodes = [
        node("Gather", "w i", "g"),
        node("Cast", "g", "c", to=F),
        node("Cast", "z", "zf", to=F),
        node("Sub", "c zf", "d"),
        node("Mul", "d s"),
    ]
    values = [held(w), held(z, "z"), held(np.array(0.1, np.float32), "s")]
    path = save(nodes, values, inputs=[value("i", TensorProto.INT64, (3,))], outputs=["y"])
    assert of(counted(path)).zeros == (w == 127).sum() > 0


def test_a_zero_point_that_is_not_stored_leaves_zeros_unknown(save: Save) -> None:
    values = [held(integers(8, 6)), held(np.array(1, np.float32), "s")]
    nodes = [node("DequantizeLinear", "w s z", "d"), node("MatMul", "x d")]
    inputs = [value("x", F, (1, 8)), value("z", TensorProto.UINT8, ())]
    report = counted(save(nodes, values, inputs=inputs, outputs=["y"]))
    assert of(report).zeros is None
    assert "zero point" in of(report).why
    assert macs(report) == (report.totals.macs, False)


def test_four_bits_of_integers_have_zero_points_of_four_bits(save: Save) -> None:
    w = helper.make_tensor("w", TensorProto.UINT4, [3, 5], [7, 8, 9] * 5)
    z = helper.make_tensor("z", TensorProto.UINT4, [], [8])
    nodes = [node("DequantizeLinear", "w s z", "d"), node("MatMul", "x d")]
    values = [w, z, held(np.array(1, np.float32), "s")]
    path = save(nodes, values, inputs=[value("x", F, (1, 3))], outputs=["y"], opsets=[("", 21)])
    assert of(counted(path)).zeros == 5


# ------------------------------------------------------------------------- where the data lies


def test_typed_fields_and_external_data_have_the_same_zeros(save: Save, tmp_path: Path) -> None:
    w = pruned(300, 1000)
    listed = helper.make_tensor("w", F, w.shape, w.reshape(-1).tolist())
    outside = held(w)
    (tmp_path / "w.bin").write_bytes(b"0123" + outside.raw_data)
    outside.ClearField("raw_data")
    outside.data_location = TensorProto.EXTERNAL
    for key, text in (("location", "w.bin"), ("offset", "4"), ("length", str(w.nbytes))):
        outside.external_data.add(key=key, value=text)
    for tensor in (held(w), listed, outside):
        path = save(
            [node("MatMul", "x w")], [tensor], inputs=[value("x", F, (1, 300))], outputs=["y"]
        )
        assert of(counted(path)).zeros == (w == 0).sum()


def test_missing_data_is_not_known_and_never_zero(save: Save) -> None:
    lost = held(pruned(4, 4))
    lost.ClearField("raw_data")
    lost.data_location = TensorProto.EXTERNAL
    lost.external_data.add(key="location", value="gone.bin")
    b = np.array([0, 1, 0, 2], np.float32)
    nodes = [node("MatMul", "x w", "h"), node("Add", "h b")]
    report = counted(
        save(nodes, [lost, held(b, "b")], inputs=[value("x", F, (1, 4))], outputs=["y"])
    )
    assert report.sparsity is not None
    assert of(report).zeros is None
    assert "gone.bin" in of(report).why
    assert (report.sparsity.parameters, report.sparsity.parameter_zeros) == (4, 2)
    assert report.sparsity.unread == 1
    assert macs(report) == (16, False)


def test_cells_that_a_sparse_tensor_does_not_store_are_zeros(save: Save) -> None:
    values = helper.make_tensor("w", F, [3], [1.0, 0.0, 2.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [3], [1, 5, 9])
    sparse = helper.make_sparse_tensor(values, indices, [4, 5])
    path = save(
        [node("MatMul", "x w")],
        inputs=[value("x", F, (1, 4))],
        outputs=["y"],
        sparse_initializer=[sparse],
    )
    report = counted(path)
    assert of(report).zeros == 18
    assert macs(report) == (2, True)


def test_lists_of_a_constant_and_strings(save: Save) -> None:
    nodes = [
        helper.make_node("Constant", [], ["w"], value_floats=[0.0, -0.0, 1.0]),
        node("Add", "x w"),
        helper.make_node("Constant", [], ["t"], value_strings=["", "a"]),
    ]
    report = counted(save(nodes, inputs=[value("x", F, (3,))], outputs=["y", "t"]))
    assert (of(report).zeros, of(report, "t").zeros) == (2, 0)


def test_thresholds_of_trees_are_fewer_than_their_list(save: Save) -> None:
    """Leaves have an entry in the list, too: of two nodes one has a threshold (Operators-ml.md)."""
    attributes: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [0.0, 2.0],
        "n_targets": 1,
    }
    tree = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], "trees", domain="ai.onnx.ml", **attributes
    )
    opsets = [("", 17), ("ai.onnx.ml", 3)]
    report = counted(save([tree], inputs=[value("x", F, (1, 1))], outputs=["y"], opsets=opsets))
    for tensor in report.tensors:
        zeros = of(report, tensor.name).zeros
        assert zeros is None or zeros <= tensor.elements
    assert of(report, "trees.nodes_values").zeros is None
    assert of(report, "trees.target_weights").zeros == 1
    assert report.sparsity is not None
    assert (report.sparsity.parameters, report.sparsity.parameter_zeros) == (2, 1)


def test_data_is_read_only_when_asked_for(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    w = pruned(500, 500)
    path = save([node("MatMul", "x w")], [held(w)], inputs=[value("x", F, (1, 500))], outputs=["y"])
    read: list[str] = []
    chunks = TensorReader.chunks

    def watched(self: TensorReader, tensor: Any, external: Any = None) -> Any:
        read.append(tensor.name)
        return chunks(self, tensor, external)

    monkeypatch.setattr(TensorReader, "chunks", watched)
    assert graphcount.count(path).sparsity is None
    assert "w" not in read
    counted(path)
    assert read.count("w") == 1


def test_progress_says_how_far_it_is(save: Save) -> None:
    values = [held(pruned(600, 600, seed=seed), f"w{seed}") for seed in range(4)]
    nodes = [node("MatMul", f"x w{at}", f"y{at}") for at in range(4)]
    path = save(
        nodes, values, inputs=[value("x", F, (1, 600))], outputs=[f"y{at}" for at in range(4)]
    )
    said: list[str] = []
    graphcount.count(path, sparsity=said.append)
    assert said == [f"counting zeros: {share} %" for share in (0, 25, 50, 75)]


def test_weights_of_a_quantized_layer_have_zero_points_of_their_own(save: Save) -> None:
    w, r = integers(1, 5, 24), integers(1, 6, 24, seed=9)  # (directions, input, 4 · hidden)
    layer = helper.make_node(
        "DynamicQuantizeLSTM",
        ["x", "w", "r", "", "", "", "", "", "s", "wz", "s", "rz"],
        ["y"],
        domain="com.microsoft",
        hidden_size=6,
    )
    values = [held(w), held(r, "r"), held(np.ones(1, np.float32), "s")]
    values += [held(np.array([127], np.uint8), "wz"), held(np.array([130], np.uint8), "rz")]
    inputs = [value("x", F, (7, 3, 5))]
    opsets = [("", 20), ("com.microsoft", 1)]
    report = counted(save([layer], values, inputs=inputs, outputs=["y"], opsets=opsets))
    left = nonzero(w != 127) + nonzero(r != 130)
    assert left < w.size + r.size
    assert report.totals.macs == 7 * 3 * (w.size + r.size)
    assert macs(report) == (7 * 3 * left, True)


def test_an_initial_state_is_no_weight(save: Save) -> None:
    w, state = np.ones((4, 4), np.float32), np.zeros((2, 4), np.float32)
    body = helper.make_graph(
        [node("MatMul", "s w", "t"), node("Identity", "c", "d")],
        "body",
        [
            value("i", TensorProto.INT64, []),
            value("c", TensorProto.BOOL, []),
            value("s", F, [2, 4]),
        ],
        [value("d", TensorProto.BOOL, []), value("t", F, [2, 4])],
    )
    values = [held(w), held(state, "state"), held(np.array(5), "m"), held(np.array(True), "on")]
    path = save([node("Loop", "m on state", body=body)], values, outputs=["y"])
    assert macs(counted(path)) == (5 * 2 * 16, True)
