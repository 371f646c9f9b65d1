"""What operators of onnxruntime stand for, on optimized graphs as it writes them."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import parser

from graphcount.benchmarking.attribute import Attribution, attribute
from graphcount.graph import ModelGraph, build_graph
from graphcount.loading import read_model

HEAD = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1, "com.microsoft.nchwc" : 1]>'


@pytest.fixture
def graph_of(tmp_path: Path) -> object:
    def make(text: str) -> ModelGraph:
        path = tmp_path / "model.onnx"
        onnx.save(parser.parse_model(text), path)
        return build_graph(read_model(str(path)).proto)

    return make


def test_a_fused_operator_is_everything_back_to_other_values(graph_of: object) -> None:
    original = graph_of(  # type: ignore[operator]
        HEAD + "g (float[1,4] x, float[4,4] w) => (float[1,4] r)"
        "{ m = MatMul (x, w) a = Add (m, x) g = Gelu (a) r = Relu (g) }"
    )
    optimized = graph_of(  # type: ignore[operator]
        HEAD + "g (float[1,4] x, float[4,4] w) => (float[1,4] r)"
        "{ m = MatMul (x, w) r = com.microsoft.Something (m, x) }"
    )
    paths = [(("MatMul_0", "MatMul", 0),), (("Something_9", "Something", 9),)]
    assert attribute(paths, original, optimized) == {
        paths[0]: Attribution(("MatMul#0",), "node"),
        paths[1]: Attribution(("Add#1", "Gelu#2", "Relu#3"), "fused"),
    }


def test_blocked_convolutions_are_called_after_their_value_and_take_in_what_follows(
    graph_of: object,
) -> None:
    original = graph_of(  # type: ignore[operator]
        HEAD + "g (float[1,8,4,4] x, float[8,8,1,1] w) => (float[1,8,4,4] z)"
        "{ c = Conv (x, w) r = Relu (c) d = Conv (r, w) s = Add (d, x) t = Relu (s)"
        " e = Conv (t, w) z = Abs (e) }"
    )
    optimized = graph_of(  # type: ignore[operator]
        HEAD + "g (float[1,8,4,4] x, float[8,8,1,1] w) => (float[1,8,4,4] z)"
        "{ [i] k = com.microsoft.nchwc.ReorderInput (x)"
        ' [r_nchwc] k1 = com.microsoft.nchwc.Conv <activation: string = "Relu"> (k, w)'
        ' [d_nchwc] k2 = com.microsoft.nchwc.Conv <activation: string = "Relu"> (k1, w, , k)'
        " [e_nchwc] k3 = com.microsoft.nchwc.Conv (k2, w)"
        " [o] e = com.microsoft.nchwc.ReorderOutput (k3) z = Abs (e) }"
    )
    ran = [
        ("i", "ReorderInput", 20),
        ("r_nchwc", "Conv", 21),
        ("d_nchwc", "Conv", 22),
        ("e_nchwc", "Conv", 23),
        ("o", "ReorderOutput", 24),
        ("Abs_6", "Abs", 6),
    ]
    found = attribute([(step,) for step in ran], original, optimized)
    assert [found[(step,)] for step in ran] == [
        Attribution(("Conv#0", "Relu#1"), "inserted"),
        Attribution(("Conv#0", "Relu#1"), "fused"),
        Attribution(("Conv#2", "Add#3", "Relu#4"), "fused"),
        Attribution(("Conv#5",), "node"),
        Attribution(("Abs#6",), "inserted"),
        Attribution(("Abs#6",), "node"),
    ]


def test_bodies_are_followed_into_and_same_names_in_both_branches_kept_apart(
    graph_of: object,
) -> None:
    text = (
        HEAD + "g (float[4] x, bool c) => (float[4] y)"
        "{ y = If (c) <then_branch = t () => (float[4] a) { q = Exp (x) a = Tanh (q) },"
        " else_branch = e () => (float[4] b) { q = Exp (x) b = Sin (q) }> }"
    )
    graph = graph_of(text)  # type: ignore[operator]
    holder = ("If_0", "If", 0)
    paths = [(holder,), (holder, ("Exp_0", "Exp", 0)), (holder, ("Sin_1", "Sin", 1))]
    found = attribute(paths, graph, graph)
    assert found[paths[0]] == Attribution(("If#0",), "node")
    assert found[paths[2]] == Attribution(("If#0/else_branch/Sin#1",), "node")
    assert found[paths[1]].kind == "node"


def test_without_an_optimized_graph_names_and_indices_serve(graph_of: object) -> None:
    original = graph_of(  # type: ignore[operator]
        HEAD + "g (float[4] x) => (float[4] z) { [first] y = Relu (x) z = Abs (y) }"
    )
    paths = [(("first", "Relu", 7),), (("Abs_1", "Abs", 1),), (("TRT_kernel", "TRT", 9),)]
    assert attribute(paths, original, None) == {
        paths[0]: Attribution(("first",), "node"),
        paths[1]: Attribution(("Abs#1",), "node"),
        paths[2]: Attribution((), "inserted"),
    }
