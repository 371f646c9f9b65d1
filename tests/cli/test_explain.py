"""`graphcount explain`: every family says how its numbers come about."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.cli.main import main

Save = Callable[..., str]
Weights = Callable[..., TensorProto]
Run = Callable[..., tuple[int, str, str]]

RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u2069\ufeff]")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `explain`: exit code, stdout with its line breaks folded, stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["explain", *(str(argument) for argument in arguments)])
        out, err = capfd.readouterr()
        return code, re.sub(r"\n {16,}", " ", out), err

    return call


def test_conv(run: Run, fixtures: Path) -> None:
    code, out, err = run(fixtures / "cnn.onnx", "node_conv2d", "--dim", "batch=16")
    assert (code, err) == (0, "")
    lines = {re.sub(" +", " ", line.strip()) for line in out.splitlines()}
    assert lines >= {
        "node_conv2d",
        "operator Conv",
        "module features.0",
        "input x [16, 3, 32, 32]",
        "input features.0.weight [5, 3, 5, 5]",
        "output conv2d [16, 5, 28, 28]",
        "owns features.0.bias float32 [5], 5: parameter, bias"
        " (declared a parameter by torch.export, used by Conv)",
        f"MACs {16 * 5 * 28 * 28 * 3 * 5 * 5:,}",
        "element-wise 0",
    }
    assert "3·5·5 weights x 5 filters + 5 biases = 380" in out


def test_gemm_with_a_dynamic_batch(run: Run, fixtures: Path) -> None:
    _, out, _ = run(fixtures / "cnn.onnx", "node_linear_1")
    assert "128·10 weights + 10 biases = 1,290" in out
    assert "1280*batch\n" in out


def test_dynamic_sizes_are_assumed_and_said(run: Run, fixtures: Path) -> None:
    _, out, _ = run(fixtures / "cnn.onnx", "node_conv2d")
    assert out.startswith(
        "sizes assumed: batch 1; --dim batch=N or '*=N' sets them\n\nnode_conv2d\n"
    )
    lines = {re.sub(" +", " ", line.strip()) for line in out.splitlines()}
    macs = 5 * 28 * 28 * 3 * 5 * 5
    assert lines >= {"input x [1, 3, 32, 32]", f"MACs {macs:,} at these sizes; {macs}*batch"}
    _, out, _ = run(fixtures / "cnn.onnx", "node_conv2d", "--dim", "batch=4")
    assert "assumed" not in out


def test_batch_norm_says_why_mean_and_variance_are_no_parameters(run: Run, fixtures: Path) -> None:
    _, out, _ = run(fixtures / "cnn_batchnorm.onnx", "no_training_1__0", "--dim", "batch=2")
    assert "12 scales + 12 shifts = 24 parameters" in out
    assert "not learned by gradient: buffers, not counted as parameters" in out
    assert out.count(": buffer, ") == 2


def test_lstm_shows_the_textbook_and_the_two_biases(run: Run, fixtures: Path) -> None:
    _, out, _ = run(fixtures / "lstm_3_2.onnx", "lstm__2", "--dim", "batch=1")
    assert "4·((2 + 3)·2 + 2) = 48 parameters with one bias a gate" in out
    assert "ONNX keeps two (input and recurrent half), so 4·((2 + 3)·2 + 2·2) = 56" in out
    assert f"{5 * 4 * 2 * (3 + 2)}\n" in out


def test_matmul(run: Run, fixtures: Path) -> None:
    path = fixtures / "transformer_block.onnx"
    _, out, _ = run(path, "node_MatMul_54", "--dim", "batch=2", "--dim", "sequence=7")
    assert "8 multiply-accumulates for each of 2·4·7·7 = 392 outputs: 3,136 MACs" in out
    assert "owns          nothing" in out


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ("node_Reshape_7", "moves or converts values: no MACs"),
        ("node_relu_1", "works on values one by one: no MACs"),
    ],
)
def test_operators_without_macs(run: Run, fixtures: Path, node: str, words: str) -> None:
    code, out, _ = run(fixtures / "cnn.onnx", node, "--dim", "batch=1")
    assert code == 0
    assert words in out


def test_an_operator_nobody_described(run: Run, save: Save) -> None:
    node = helper.make_node("Strange", ["x"], ["y"], name="s", domain="my.ops")
    path = save([node], inputs=[("x", [2])], outputs=["y"], opsets=[("", 20), ("my.ops", 1)])
    code, out, _ = run(path, "s")
    assert code == 0
    assert "my.ops::Strange" in out
    assert "not known: no formula for this operator" in out
    assert "not worked out (--cost)" in run(path, "s", "--no-cost")[1]


def test_without_a_node_all_that_matter(run: Run, fixtures: Path) -> None:
    _, out, _ = run(fixtures / "cnn.onnx", "--format", "json", "--dim", "batch=16")
    rows = json.loads(out)["nodes"]
    assert [row["op_type"] for row in rows] == ["Conv", "Conv", "Gemm", "Gemm"]
    assert sum(row["parameters"] for row in rows) == 26_926
    assert sum(row["macs"] for row in rows) == 16 * 373_856


def test_json(run: Run, fixtures: Path) -> None:
    _, out, _ = run(fixtures / "cnn.onnx", "node_conv2d", "--format", "json")
    found = json.loads(out)
    assert found["schema"] == "graphcount.explain/1"
    (row,) = found["nodes"]
    assert row["inputs"][0] == {"name": "x", "shape": ["batch", 3, 32, 32]}
    assert row["outputs"] == [{"name": "conv2d", "shape": ["batch", 5, 28, 28]}]
    assert [tensor["role"] for tensor in row["tensors"]] == ["weight", "bias"]
    assert (row["macs"], row["macs_expression"]) == (None, "294000*batch")
    assert found["assumed"] == {"batch": 1}
    assert row["assumed"]["macs"] == 294_000 == 5 * 28 * 28 * 3 * 5 * 5
    assert row["assumed"]["outputs"] == [{"name": "conv2d", "shape": [1, 5, 28, 28]}]


def test_json_at_given_sizes_assumes_nothing(run: Run, fixtures: Path) -> None:
    command = (fixtures / "cnn.onnx", "node_conv2d", "--format", "json", "--dim", "batch=2")
    found = json.loads(run(*command)[1])
    assert (found["dims"], found["assumed"]) == ({"batch": 2}, {})
    assert found["nodes"][0]["assumed"] is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("node_conv2e", ["no node, module, operator or tensor 'node_conv2e'", "node_conv2d"]),
        ("\x1b[31mzzz", ["no node", "nearest: node_conv2d"]),
        ("conv2", ["fits 2 nodes: node_conv2d, node_conv2d_1"]),
        ("", ["or tensor ''"]),
    ],
)
def test_unknown_nodes(run: Run, fixtures: Path, text: str, words: list[str]) -> None:
    code, out, err = run(fixtures / "cnn.onnx", text)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert not RAW.search(err)
    assert all(word in err for word in words)


def test_a_part_that_is_a_whole_id_is_that_node(run: Run, fixtures: Path) -> None:
    _, out, _ = run(fixtures / "cnn.onnx", "node_relu", "node_relu", "max_pool")
    assert [line for line in out.splitlines()[1:] if line[:1].strip()] == [
        "node_relu",
        "node_max_pool2d",
        "together      2 nodes, 0 parameters, 0 B, MACs 0",
    ]


def test_hostile_names_do_no_harm(run: Run, save: Save, weights: Weights) -> None:
    evil = "fc\x1b[2K\n[red]x[/red]\u202e" + "y" * 500
    node = helper.make_node("MatMul", ["x", f"{evil}.weight"], ["y"], name=evil)
    path = save([node], [weights(f"{evil}.weight", 3, 3)], inputs=[("x", [2, 3])], outputs=["y"])
    code, out, _ = run(path, "fc")
    assert code == 0
    assert not RAW.search(out)
    assert "[red]x[/red]" in out
    _, out, _ = run(path, "--format", "json")
    assert json.loads(out)["nodes"][0]["name"] == evil
    assert out.isascii()


def test_bodies_and_functions(run: Run, save: Save, weights: Weights) -> None:
    body = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["out"], name="inner")],
        "then",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [2, 3])],
    )
    node = helper.make_node("If", ["c"], ["y"], name="if", then_branch=body, else_branch=body)
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    path = save([node], [weights("w", 3, 3)], inputs=[("x", [2, 3]), condition], outputs=["y"])
    code, out, _ = run(path, "then_branch/inner")
    assert code == 0
    assert "x [2, 3]" in out
    assert "w [3, 3]" in out


def test_a_custom_operators_cost_comes_from_the_configuration(
    run: Run, save: Save, tmp_path: Path
) -> None:
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])
    path = save(
        [helper.make_node("Foo", ["x"], ["y"], "foo", domain="com.acme")],
        inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 5])],
        outputs=[value],
        opsets=(("", 20), ("com.acme", 1)),
    )
    config = tmp_path / "graphcount.toml"
    config.write_text('[operators."com.acme::Foo"]\nmacs = "prod(outputs[0]) * inputs[0][1]"\n')
    code, out, _ = run(path, "foo", "--config", config)
    assert code == 0
    assert f"MACs {2 * 3 * 5}\n" in re.sub(" +", " ", out)
    _, out, _ = run(path, "foo", "--no-config")
    assert "MACs not known" in re.sub(" +", " ", out)


def test_the_function_of_the_library(fixtures: Path) -> None:
    found = graphcount.explain(str(fixtures / "cnn.onnx"), ["node_conv2d"], dims={"batch": 16})
    (node,) = found.nodes
    assert node.node.macs == 16 * 5 * 28 * 28 * 3 * 5 * 5
    assert [value.shape for value in node.inputs] == [(16, 3, 32, 32), (5, 3, 5, 5), (5,)]
    assert sum(tensor.elements for tensor in node.tensors) == 3 * 5 * 5 * 5 + 5 == 380
    assert found.report.totals.parameters == 26_926
    with pytest.raises(graphcount.UsageError, match="or tensor 'nothing'; nearest"):
        graphcount.explain(str(fixtures / "cnn.onnx"), ["nothing"])
