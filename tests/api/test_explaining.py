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
    with pytest.raises(graphcount.UsageError, match="no node 'nothing'"):
        graphcount.explain("cnn.onnx", "nothing")
