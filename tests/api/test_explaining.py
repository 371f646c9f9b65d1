"""`graphcount.explain` says what `graphcount explain` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import graphcount
from graphcount.formats.explain import to_json
from tests.api.conftest import Command


def test_nodes_are_those_of_the_command_line(folder: Path, command: Command) -> None:
    for nodes in ((), ("node_linear_1",), ("node_linear_1", "node_conv2d")):
        done = command("explain", "cnn.onnx", *nodes, "--dim", "batch=3", "--format", "json")
        explained = graphcount.explain("cnn.onnx", nodes, dims={"batch": 3})
        assert json.loads(to_json(explained)) == json.loads(done.out)
        assert {row.node.id for row in explained.nodes} >= set(nodes)
    with pytest.raises(graphcount.UsageError, match="or tensor 'nothing'; nearest"):
        graphcount.explain("cnn.onnx", "nothing")


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("classifier", ["node_linear", "node_relu_3", "node_linear_1"]),
        ("features.0", ["node_conv2d"]),
        ("Conv", ["node_conv2d", "node_conv2d_1"]),
        ("classifier.2.bias", ["node_linear_1"]),
    ],
    ids=["module", "module below", "operator", "tensor"],
)
def test_what_tables_show_is_explained(name: str, nodes: list[str], folder: Path) -> None:
    assert [row.node.id for row in graphcount.explain("cnn.onnx", name).nodes] == nodes


def test_several_nodes_are_summed(folder: Path) -> None:
    text = str(graphcount.explain("cnn.onnx", "classifier", dims={"batch": 2}))
    parameters = (192 + 1) * 128 + (128 + 1) * 10
    macs = 2 * (192 * 128 + 128 * 10)
    nbytes = f"{parameters * 4 / 1000:.2f} kB"
    assert text.splitlines()[-1].split(maxsplit=1) == [
        "together",
        f"3 nodes, {parameters:,} parameters, {nbytes}, MACs {macs:,}",
    ]
