"""Small models of operators that real exports hold, by their known numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import graphcount

CASES = """
    cdist_knn fourbit_llm gqa_window linear_attention_ms linear_attention_std qlinear_contrib
    qlinearconv_channels_last qonnx_quant sequence_equal_split
"""


@pytest.mark.parametrize("name", CASES.split())
def test_operators_cost_what_is_known_of_them(shared: Path, name: str) -> None:
    expected = json.loads((shared / "field" / "truth.json").read_text())[name]
    words = [word for word in expected.get("args", []) if word != "--dim"]
    dims = {key: int(size) for key, size in (word.split("=") for word in words)}
    report = graphcount.count(str(shared / "field" / "models" / f"{name}.onnx"), dims=dims)
    for key in ("macs", "parameters", "quantization"):
        if key in expected:
            assert getattr(report.totals, key) == expected[key], key
    assert not [unknown for unknown in report.unknown if unknown.affects == "cost"]
