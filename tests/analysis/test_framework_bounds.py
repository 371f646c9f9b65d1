"""Bounds and best numbers of the framework's count, where traces say less than they seem to."""

from __future__ import annotations

from pathlib import Path

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
