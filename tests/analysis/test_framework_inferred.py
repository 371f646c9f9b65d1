"""Sizes that no tensor of the file states: those that follow from others, and estimates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper

from graphcount.analysis.counts import SIGNATURE
from tests.analysis.test_framework import Builder, call, recovered, signature


def linear(model: Builder, source: str, name: str, rows: int, columns: int) -> str:
    """Add a Linear without a bias under its declared name; return its result."""
    fx = call("linear", f"%{source}", f"%p_{name.replace('.', '_')}")
    weight = model.tensor(name, rows, columns)
    return model.node("Gemm", [source, weight], f"{name}_y", fx=fx, transB=1)


def test_another_block_has_the_size(tmp_path: Path) -> None:
    """Block 1 lost its gate of 5, which block 0 has: 2 gates of 5 and a weight of 4·4."""
    model = Builder()
    model.metadata[SIGNATURE] = signature("h.0.gate", "h.1.gate", "fc.weight")
    source = model.input("x", 4, 4)
    model.node("PRelu", [source, model.tensor("h.0.gate", 5)], "g")
    found = recovered(model.save(tmp_path / "m.onnx", linear(model, "g", "fc.weight", 4, 4)))
    assert found[:3] == (5 + 5 + 16, False, 5 + 16)
    assert found.evidence[0].startswith("The sizes of 1 tensor (5 elements) follow from neighbours")


def test_the_pooler_of_a_model_without_its_output(tmp_path: Path) -> None:
    """Norms of 6 say that the pooler forward does not use has 6·6 weights and 6 biases."""
    model = Builder()
    names = ("norm.weight", "pooler.dense.weight", "pooler.dense.bias")
    model.metadata[SIGNATURE] = signature(*names)
    inputs = [model.input("x", 2, 6), model.tensor("norm.weight", 6)]
    model.node("LayerNormalization", inputs, "y")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:4] == (6 + 36 + 6, False, 6, None)
    assert found.evidence[0].startswith("42 elements are estimated, of 2 tensors")


def test_the_positions_of_a_window(tmp_path: Path) -> None:
    """A window of 3x3 and 2 heads: folding keeps 2·9·9 gathered numbers of 5·5 rows of 2."""
    model = Builder()
    model.metadata[SIGNATURE] = signature("attn.relative_position_bias_table", "fc.weight")
    source = linear(model, model.input("x", 1, 2, 9, 9), "fc.weight", 9, 9)
    gathered = model.tensor("unsqueeze", 1, 2, 9, 9)
    model.node("Add", [source, gathered], "y", scope="['', 'attn', 'add']")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:3] == (81 + 25 * 2, False, 81)


def test_the_rows_that_are_left_of_a_table(tmp_path: Path) -> None:
    """Of a position table of unknown length, folding kept 7 rows of 4: the least it had."""
    model = Builder()
    model.metadata[SIGNATURE] = signature("wte.weight", "wpe.weight")
    inputs = [model.tensor("wte.weight", 9, 4), model.input("i", 1, 7, kind=7)]
    model.node("Gather", inputs, "e", fx=call("embedding", "%p_wte_weight", "%i"))
    model.node("Add", ["e", model.tensor("embedding_1", 1, 7, 4)], "y")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:3] == (36 + 28, False, 36)


@pytest.mark.parametrize(
    ("biased", "best"), [(True, 6 + 3 + 6 + 3 + 3 + 6), (False, 6 + 6 + 3 + 6)]
)
def test_a_norm_that_was_left_says_what_was_before_the_others(
    tmp_path: Path, biased: bool, best: int
) -> None:
    """One of two convolutions lost its norm: it most likely had a bias if the other one has.

    3·2 weights (a bias of 3), a scale and a shift of 3; the other: 3·1 weights (a bias of 3), a
    scale and a shift of 3.
    """
    model = Builder()
    folded = [model.tensor("onnx::Conv_88", 3, 2, 1, 1), model.tensor("onnx::Conv_89", 3)]
    model.node("Conv", [model.input("x", 1, 2, 5, 5), *folded], "h", name="/0/Conv")
    inputs = ["h", model.tensor("b.weight", 3, 1, 1, 1)]
    inputs += [model.tensor("b.bias", 3)] if biased else []
    model.node("Conv", inputs, "i", name="/1/Conv", group=3)
    norm = [model.tensor(f"n.{word}", 3) for word in ("weight", "bias")]
    norm += [model.tensor(f"n.running_{word}", 3) for word in ("mean", "var")]
    model.node("BatchNormalization", ["i", *norm], "y", name="/2/BatchNormalization")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found.parameters == best


def test_blocks_are_filled_up_with_zeros(tmp_path: Path) -> None:
    """5 channels of 2·3·3 weights in blocks of 8: 90 weights and 5 biases, none of them zero."""
    model = Builder()
    weight = np.zeros((8, 2, 3, 3))
    weight[:5] = 1 + model.random.random((5, 2, 3, 3))
    bias = np.zeros(8)
    bias[:5] = 1
    inputs = [
        model.input("x", 1, 2, 8, 8),
        model.tensor("reorder", values=weight),
        model.tensor("reorder_token_0", values=bias),
    ]
    model.node("Conv", inputs, "y", domain="com.microsoft.nchwc")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:3] == (95, False, 0)


def test_a_copy_sizes_no_table(tmp_path: Path) -> None:
    """The head's copy of the token table is not the position table: that counts as none."""
    model = Builder()
    model.metadata[SIGNATURE] = signature("wte.weight", "head.weight", "other")
    table = model.random.standard_normal((9, 4))
    model.node(
        "Gather",
        [model.tensor("head.weight", values=table), model.input("i", 1, 2, kind=7)],
        "e",
        fx=call("embedding", "%p_head_weight", "%i"),
        scope="['', 'wte', 'embedding']",
        owner="['m.LM', 'torch.nn.modules.sparse.Embedding', 'aten.embedding.default']",
    )
    model.tensors.append(numpy_helper.from_array(table.T.astype(np.float32), "val_1"))
    model.node("MatMul", ["e", "val_1"], "y")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:3] == (36, False, 36)
