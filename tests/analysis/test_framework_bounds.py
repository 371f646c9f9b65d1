"""Bounds and best numbers of the framework's count, where traces say less than they seem to."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphcount.analysis.signature import KEY
from tests.analysis.test_framework import Builder, call, recovered, signature


def test_a_tensor_that_sizes_one_name_sizes_no_other(tmp_path: Path) -> None:
    """The table's 3·4·5 numbers are w; cls was folded into something that is not stored."""
    model = Builder()
    model.metadata[KEY] = signature("w", "cls", "o.weight")
    model.node(
        "GatherND",
        [model.tensor("val_0", 3, 4, 5), model.input("k", 2, 1, kind=7)],
        "chosen",
        fx=call("index", "%p_w", "[%k]"),
    )
    fx = call("linear", "%chosen", "%p_o_weight")
    model.node("MatMul", ["chosen", model.tensor("o.weight", 5, 2)], "y", fx=fx)
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert (found.parameters, found.exact, found.low) == (None, False, 10)
    assert any("1 declared parameters have no size" in sentence for sentence in found.evidence)


@pytest.mark.parametrize(("fused", "says"), [(False, True), (True, False)])
def test_fused_nodes_disturb_the_numbering_of_values(
    tmp_path: Path, fused: bool, says: bool
) -> None:
    """Conv without bias, BatchNormalization, Relu: x, 1 weight, 5 of the norm, 3 results are 0..9.

    So the folded weight is 11 (two behind 9). When Conv and Relu are one node, a result is missing,
    which looks as if the convolution had had a bias. 3·2 weights and a scale and a shift of 3.
    """
    model = Builder()
    folded = [model.tensor("onnx::Conv_11", 3, 2, 1, 1), model.tensor("onnx::Conv_12", 3)]
    inputs = [model.input("x", 1, 2, 5, 5), *folded]
    if fused:
        model.node("FusedConv", inputs, "y", name="/0/Conv", domain="com.microsoft")
    else:
        model.node("Conv", inputs, "h", name="/0/Conv")
        model.node("Relu", ["h"], "y", name="/2/Relu")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found.parameters == 3 * 2 + 3 + 3
    assert any("numbering of values" in sentence for sentence in found.evidence) == says
