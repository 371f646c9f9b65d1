"""What onnxruntime allocates, node by node, beside what it is said to do."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from tests.packages.runtime_memory import compared

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MODELS = ("cnn_int8", "gpt2_like", "lstm_3_2", "tied_language_model", "transformer_block")


@pytest.mark.parametrize("name", MODELS)
def test_nodes_and_block_are_those_of_onnxruntime(name: str) -> None:
    """With the shapes of all values declared: of some it would not know them."""
    one = compared(FIXTURES / f"{name}.onnx", (), with_shapes=True)
    assert one.differ == []
    assert one.equal >= 5
    assert one.ours == one.theirs > 0
