"""Names: who made them up."""

from __future__ import annotations

import pytest

from graphcount.analysis.names import is_buffer, maker, original_name


@pytest.mark.parametrize(
    "name",
    [
        "val_12",
        "onnx::Add_7",
        "/x/Constant_output_0",
        "_v_3",
        "embedding_1",
        "linear_1",
        "clamp_min",
        "tmp",
        "reorder_token_2",
        "17",
        "",
    ],
)
def test_exporters_names(name: str) -> None:
    assert maker(name) == "exporter"


@pytest.mark.parametrize(
    "name", ["conv1.weight", "wpe", "A_log", "dense/kernel:0", "conv1_w_0", "logit_scale"]
)
def test_authors_names(name: str) -> None:
    assert maker(name) == "author"


@pytest.mark.parametrize("name", ["bn.running_mean", "a/moving_variance", "x.position_ids"])
def test_buffers(name: str) -> None:
    assert is_buffer(name)


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("a.weight_quantized", "a.weight"),
        ("val_1_Q4", "val_1"),
        ("val_1_DQ_Q4", "val_1"),
        ("a.weight", "a.weight"),
    ],
)
def test_quantizers_endings(name: str, original: str) -> None:
    assert original_name(name) == original
