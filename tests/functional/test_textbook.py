"""The textbook networks: counts by closed form, on the shipped PyTorch exports."""

from __future__ import annotations

import json
from itertools import pairwise
from math import prod
from pathlib import Path

import pytest

import graphcount


def linear(inputs: int, outputs: int) -> int:
    """Weight matrix and bias of a fully connected layer."""
    return inputs * outputs + outputs


def conv(inputs: int, outputs: int, *kernel: int) -> int:
    """Kernels and bias of a convolution."""
    return outputs * (inputs * prod(kernel) + 1)


def mlp(*widths: int) -> int:
    """Fully connected layers one after another."""
    return sum(linear(a, b) for a, b in pairwise(widths))


def recurrent(gates: int, inputs: int, hidden: int, directions: int = 1) -> int:
    """Input and recurrent weights and both of ONNX's biases."""
    return directions * gates * hidden * (inputs + hidden + 2)


CNN = conv(3, 5, 5, 5) + conv(5, 12, 3, 3) + linear(192, 128) + linear(128, 10)

PARAMETERS = {
    "linear_64_32": 2_080,
    "conv2d_3_64_3x3": 1_792,
    "batchnorm1d_64": 128,
    "mlp_4_5_3": 43,
    "mlp_3_5_2": 32,
    "mlp_8_16_16_8": 552,
    "mlp_external": 552,
    "cnn": 26_926,
    "cnn_int8": 26_926,
    "cnn_batchnorm": 27_216,
    "behavior_cloning": 4_392,
    "behavior_cloning_11": 3_112,
    "lstm_3_2": 56,
    "lstm_bidirectional_3_2": 112,
    "gru_3_2": 42,
    "rnn_3_2": 14,
    "conv2d_1_3_2x2": 15,
    "conv2d_2_3_2x2": 27,
    "embedding_50_16": 800,
}
"""What the file holds, as published."""

CLOSED_FORMS = {
    "linear_64_32": linear(64, 32),
    "conv2d_3_64_3x3": conv(3, 64, 3, 3),
    "batchnorm1d_64": 2 * 64,
    "mlp_4_5_3": mlp(4, 5, 3),
    "mlp_3_5_2": mlp(3, 5, 2),
    "mlp_8_16_16_8": mlp(8, 16, 16, 8),
    "mlp_external": mlp(8, 16, 16, 8),
    "cnn": CNN,
    "cnn_int8": CNN,
    "cnn_batchnorm": CNN + 2 * (5 + 12 + 128),
    "behavior_cloning": mlp(31, 64, 32) + 2 * linear(32, 4),
    "behavior_cloning_11": mlp(11, 64, 32) + 2 * linear(32, 4),
    "lstm_3_2": recurrent(4, 3, 2),
    "lstm_bidirectional_3_2": recurrent(4, 3, 2, directions=2),
    "gru_3_2": recurrent(3, 3, 2),
    "rnn_3_2": recurrent(1, 3, 2),
    "conv2d_1_3_2x2": conv(1, 3, 2, 2),
    "conv2d_2_3_2x2": conv(2, 3, 2, 2),
    "embedding_50_16": 50 * 16,
}


def report_of(fixtures: Path, name: str) -> graphcount.Report:
    return graphcount.count(str(fixtures / f"{name}.onnx"))


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_number_and_the_closed_form(fixtures: Path, name: str) -> None:
    report = report_of(fixtures, name)
    assert report.totals.parameters == PARAMETERS[name] == CLOSED_FORMS[name]
    assert report.exact


@pytest.mark.parametrize(
    ("name", "buffers"), [("batchnorm1d_64", 2 * 64), ("cnn_batchnorm", 2 * (5 + 12 + 128))]
)
def test_batchnorm_statistics_are_buffers(fixtures: Path, name: str, buffers: int) -> None:
    assert report_of(fixtures, name).totals.buffers == buffers


def test_every_fixture_has_the_frameworks_own_count(fixtures: Path) -> None:
    truth = json.loads((fixtures / "truth.json").read_text())
    files = sorted(path.name for path in fixtures.glob("*.onnx"))
    assert sorted(truth) == files
    found = {name: graphcount.count(str(fixtures / name)).framework.parameters for name in files}
    assert found == {name: truth[name]["parameters"] for name in files}


def test_an_exact_framework_count_is_never_wrong(fixtures: Path) -> None:
    truth = json.loads((fixtures / "truth.json").read_text())
    for name, expected in truth.items():
        framework = graphcount.count(str(fixtures / name)).framework
        if framework.exact:
            assert framework.parameters == expected["parameters"], name


def test_mlp_counts_every_tensor(fixtures: Path) -> None:
    tensors = report_of(fixtures, "mlp_8_16_16_8").tensors
    counted = [tensor.elements for tensor in tensors if tensor.kind == "parameter"]
    assert sorted(counted) == sorted([128, 16, 256, 16, 128, 8])


def test_cnn_splits_into_features_and_classifier(fixtures: Path) -> None:
    modules = {row.name: row.parameters for row in report_of(fixtures, "cnn").modules}
    assert modules["features"] == conv(3, 5, 5, 5) + conv(5, 12, 3, 3) == 932
    assert modules["classifier"] == mlp(192, 128, 10) == 25_994


def test_cnn_weighs_a_tenth_of_a_megabyte(fixtures: Path) -> None:
    nbytes = report_of(fixtures, "cnn").totals.nbytes.parameters
    assert nbytes == 4 * CNN
    assert f"{nbytes / 1e6:.2f} MB" == "0.11 MB"


def test_lstm_with_one_bias_is_the_textbook_formula() -> None:
    gates, inputs, hidden = 4, 3, 2
    one_bias = gates * ((hidden + inputs) * hidden + hidden)
    assert one_bias == 48
    assert recurrent(gates, inputs, hidden) == one_bias + gates * hidden == 56


def test_tied_model_holds_a_copy_and_says_so(fixtures: Path) -> None:
    report = report_of(fixtures, "tied_language_model")
    copy = 50 * 16
    assert report.totals.parameters - copy == 3_184
    assert report.framework.parameters == 3_184
    assert report.framework.evidence


def test_folded_batchnorm_is_undone_by_the_exporters_traces(fixtures: Path) -> None:
    report = report_of(fixtures, "conv_batchnorm_folded")
    truth = json.loads((fixtures / "truth.json").read_text())["conv_batchnorm_folded.onnx"]
    assert report.framework.parameters == truth["parameters"]
    assert report.totals.parameters < truth["parameters"]
