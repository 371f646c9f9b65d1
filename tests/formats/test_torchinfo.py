"""`--style torchinfo`: its numbers from closed forms, its table, and names that attack."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.cli.main import main
from graphcount.errors import UsageError
from graphcount.formats import render
from graphcount.formats.layers import summarize
from graphcount.formats.view import View

Save = Callable[..., str]
Weights = Callable[..., TensorProto]

RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u2069\ufeff]")
HOSTILE = ["a\x1b[2K\x1b[31m", "b\nTotal params: 1", "[red]c[/red]", "\u202ed", "e" * 3000]

CONV1, CONV2 = 5 * (3 * 5 * 5 + 1), 12 * (5 * 3 * 3 + 1)
FC1, FC2 = 128 * (192 + 1), 10 * (128 + 1)
MAP1, MAP2 = 28 * 28, 10 * 10
NORMS = 2 * (5 + 12 + 128)


def report(path: object, **dims: int) -> graphcount.Report:
    return graphcount.count(str(path), dims=dims, macs_convention="torchinfo")


def column(text: str) -> list[int]:
    """The numbers of the last column, row by row."""
    table = text.split("=\n")[2]
    last = [line.split()[-1] for line in table.splitlines()]
    return [int(cell.replace(",", "")) for cell in last if cell[0].isdigit()]


def test_the_cnn_as_torchinfo_counts_it(fixtures: Path) -> None:
    found = summarize(report(fixtures / "cnn.onnx", batch=16))
    assert found.parameters == CONV1 + CONV2 + FC1 + FC2 == 26_926
    assert found.mult_adds == 16 * (CONV1 * MAP1 + CONV2 * MAP2 + FC1 + FC2) == 6_065_824
    assert found.input_nbytes == 16 * 3 * 32 * 32 * 4
    assert found.pass_nbytes == 2 * 4 * 16 * (5 * MAP1 + 12 * MAP2 + 128 + 10) == 673_024
    assert found.parameter_nbytes == 4 * 26_926


def test_batch_norm_is_a_layer_and_its_buffers_are_no_parameters(fixtures: Path) -> None:
    found = summarize(report(fixtures / "cnn_batchnorm.onnx", batch=16))
    assert found.parameters == 26_926 + NORMS == 27_216
    assert found.mult_adds == 6_065_824 + 16 * NORMS
    outputs = 2 * (5 * MAP1 + 12 * MAP2 + 128) + 10
    assert found.pass_nbytes == 2 * 4 * 16 * outputs
    assert found.parameter_nbytes == 4 * 27_216


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("cnn", ["26,926", "6.07", "0.20", "0.67", "0.11", "0.98"]),
        ("cnn_batchnorm", ["27,216", "6.07", "0.20", "1.34", "0.11", "1.65"]),
    ],
)
def test_the_printed_numbers(
    capfd: pytest.CaptureFixture[str], fixtures: Path, name: str, lines: list[str]
) -> None:
    path = str(fixtures / f"{name}.onnx")
    assert main([path, "--dim", "batch=16", "--style", "torchinfo"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    divider = "=" * 90
    tail = [
        f"Total params: {lines[0]}",
        f"Trainable params: {lines[0]}",
        "Non-trainable params: 0",
        f"Total mult-adds (Units.MEGABYTES): {lines[1]}",
        divider,
        f"Input size (MB): {lines[2]}",
        f"Forward/backward pass size (MB): {lines[3]}",
        f"Params size (MB): {lines[4]}",
        f"Estimated Total Size (MB): {lines[5]}",
        divider,
    ]
    assert out.splitlines()[-len(tail) :] == tail
    assert out.splitlines()[:3] == [
        divider,
        f"{'Layer (type:depth-idx)':<40} {'Output Shape':<25} Param #",
        divider,
    ]
    assert f"{'│    └─Conv: 2-1':<40} {'[16, 5, 28, 28]':<25} 380" in out


def test_the_rows_of_the_cnn(fixtures: Path) -> None:
    rows = summarize(report(fixtures / "cnn.onnx", batch=16)).rows
    assert [row.label for row in rows if row.depth == 1] == ["features", "classifier"]
    assert [row.below for row in rows if row.depth == 1] == [932, 25_994]
    assert rows[1].shape == (16, 12, 4, 4)
    assert rows[0].shape == (16, 10)


ALL = [
    ("cnn", {"batch": 16}),
    ("cnn_int8", {"batch": 1}),
    ("lstm_bidirectional_3_2", {"batch": 4}),
    ("gru_3_2", {"batch": 4}),
    ("mlp_8_16_16_8", {"batch": 4}),
    ("embedding_50_16", {"batch": 4}),
    ("behavior_cloning", {"batch": 4}),
    ("tied_language_model", {"batch": 2}),
    ("transformer_block", {"batch": 2, "sequence": 7}),
]


@pytest.mark.parametrize(("name", "dims"), ALL)
@pytest.mark.parametrize("depth", [1, 2, None, 9])
def test_the_column_sums_to_the_total(
    fixtures: Path, name: str, dims: dict[str, int], depth: int | None
) -> None:
    found = report(fixtures / f"{name}.onnx", **dims)
    text = render("torchinfo", [found], View(depth=depth, width=100))
    assert sum(column(text)) == found.totals.parameters
    assert max(map(len, text.splitlines())) <= 100


def test_eighty_columns_are_enough(fixtures: Path) -> None:
    found = report(fixtures / "transformer_block.onnx", batch=2, sequence=7)
    text = render("torchinfo", [found], View(depth=9, width=80))
    assert max(map(len, text.splitlines())) <= 80


def test_a_linear_on_a_sequence_is_one_layer_and_counts_once_a_batch(fixtures: Path) -> None:
    batch, steps, width = 2, 7, 32
    found = report(fixtures / "transformer_block.onnx", batch=batch, sequence=steps)
    summary = summarize(found)
    assert summary.mult_adds == batch * 17_152
    outputs = 2 * (7 * width + 2 * width) + width  # linears and norms; one of them has 64 units
    assert summary.pass_nbytes == 2 * 4 * batch * steps * outputs
    assert f"all are {found.totals.macs:,}" in render("torchinfo", [found], View()).replace(
        "\n", " "
    )


@pytest.mark.parametrize(("name", "ways"), [("lstm_3_2", 1), ("lstm_bidirectional_3_2", 2)])
def test_recurrent_parameters_are_used_at_every_step(fixtures: Path, name: str, ways: int) -> None:
    (layer,) = summarize(report(fixtures / f"{name}.onnx", batch=4)).layers
    assert layer.mult_adds == 4 * 5 * ways * 56
    assert layer.nbytes == 4 * 5 * ways * 2 * 4


def test_a_tensor_used_twice_counts_once(save: Save, weights: Weights) -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["h"]),
        helper.make_node("Gemm", ["h", "w"], ["y"]),
    ]
    path = save(nodes, [weights("w", 3, 3)], inputs=[("x", [2, 3])], outputs=["y"])
    found = report(path)
    summary = summarize(found)
    assert summary.parameters == 9
    assert summary.mult_adds == 2 * 2 * 9
    text = render("torchinfo", [found], View())
    assert "(recursive)" in text
    assert sum(column(text)) == 9


def test_half_precision_outputs_take_two_bytes(save: Save, weights: Weights) -> None:
    import numpy as np

    path = save(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [weights("w", 3, 5, dtype=np.float16)],
        inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT16, [2, 3])],
        outputs=[helper.make_tensor_value_info("y", TensorProto.FLOAT16, [2, 5])],
    )
    found = summarize(report(path))
    assert (found.input_nbytes, found.pass_nbytes, found.parameter_nbytes) == (12, 40, 30)


def test_sizes_that_are_assumed_are_said(capfd: pytest.CaptureFixture[str], fixtures: Path) -> None:
    path = str(fixtures / "cnn.onnx")
    assert main([path, "--style", "torchinfo"]) == 0
    assumed = capfd.readouterr().out
    assert main([path, "--style", "torchinfo", "--dim", "batch=1"]) == 0
    at_one = capfd.readouterr().out
    assert assumed == f"{at_one}sizes assumed: batch 1; --dim batch=N or '*=N' sets them\n"


def test_dynamic_dimensions_are_asked_for(fixtures: Path, save: Save) -> None:
    with pytest.raises(UsageError, match="--dim batch=1"):
        summarize(report(fixtures / "cnn.onnx"))
    path = save([helper.make_node("Relu", ["x"], ["y"])], inputs=["x"], outputs=["y"])
    with pytest.raises(UsageError, match="--shape x="):
        summarize(report(path))


@pytest.mark.parametrize(
    "options", [("--format", "json"), ("--by", "op_type"), ("--top", "3"), ("--no-cost",)]
)
def test_what_does_not_go_with_the_style(
    capfd: pytest.CaptureFixture[str], fixtures: Path, options: tuple[str, ...]
) -> None:
    path = str(fixtures / "linear_64_32.onnx")
    shape = [] if "--no-cost" in options else ["--dim", "batch=1"]
    assert main([path, "--style", "torchinfo", *shape, *options]) == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_hostile_names_do_no_harm(save: Save, weights: Weights) -> None:
    nodes, tensors, value = [], [], "x"
    for index, name in enumerate(HOSTILE):
        tensors.append(weights(f"{name}.{name}.weight", 3, 3))
        nodes.append(helper.make_node("MatMul", [value, tensors[-1].name], [f"{name}{index}"]))
        value = f"{name}{index}"

    def rename(model: object) -> None:
        model.graph.name = HOSTILE[0]  # type: ignore[attr-defined]

    path = save(nodes, tensors, inputs=[("x", [2, 3])], outputs=[value], change=rename)
    text = render("torchinfo", [report(path)], View(width=90))
    assert not RAW.search(text)
    assert text.count("Total params: 1\n") == 0
    assert max(map(len, text.splitlines())) <= 90


def test_sizes_beyond_floats_are_whole(save: Save, weights: Weights) -> None:
    """2**62 in 27 dimensions is a product that no float holds."""
    x = ("x", [2**62, 3, *[2**62] * 25])
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    found = report(save([node], [weights("w", 5, 3, *[1] * 25)], inputs=[x], outputs=["y"]))
    text = render("torchinfo", [found], View())
    elements = 2 ** (62 * 26)
    assert f"Input size (MB): {elements * 3 * 4 // 10**6}\n" in text
    assert f"Forward/backward pass size (MB): {2 * elements * 5 * 4 // 10**6}\n" in text
    assert f"Total mult-adds (Units.TERABYTES): {elements * 15 // 10**12:,}\n" in text
