"""Every command that counts reads the same configuration, so their numbers agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from graphcount.cli.main import main

Save = Callable[..., str]
Weights = Callable[..., TensorProto]

FOO = '[operators."com.acme::Foo"]\nmacs = "prod(outputs[0]) * inputs[1][0]"\n'
MACS = 2 * 4 * 3

LIMITED = {
    "count": [],
    "audit": [],
    "bench": [],
    "check": ["--max", "parameters=1M"],
    "explain": ["node_relu"],
    "export": [],
    "plan": [],
    "page": ["--no-audit"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def custom(save: Save, weights: Weights) -> str:
    """A model of one operator that only the configuration knows."""
    node = helper.make_node("Foo", ["x", "W"], ["y"], "foo", domain="com.acme")
    shapes = {"inputs": [("x", [2, 3])], "outputs": [("y", [2, 4])]}
    return save([node], [weights("W", 3, 4)], opsets=[("", 20), ("com.acme", 1)], **shapes)


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(list(arguments)) == 0
    return json.loads(capsys.readouterr().out)


def test_costs_agree(custom: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "graphcount.toml").write_text(FOO)
    assert output(capsys, "count", custom, "--format", "json")["totals"]["macs"] == MACS
    compared = output(capsys, "diff", custom, custom, "--format", "json")
    (macs,) = (row for row in compared["totals"] if row["name"] == "macs")
    assert (macs["old"], macs["new"]) == (MACS, MACS)
    drawn = output(capsys, "export", custom, "--format", "node-link")["nodes"]
    assert [node["macs"] for node in drawn if node["label"] == "foo"] == [MACS]
    assert output(capsys, "scan", custom, "--format", "jsonl")["macs"] == MACS
    without = output(capsys, "diff", custom, custom, "--format", "json", "--no-config")
    assert [row["old"] for row in without["totals"] if row["name"] == "macs"] == [0]


@pytest.mark.parametrize("command", LIMITED)
def test_limits_hold(
    command: str, folder: Path, fixtures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "graphcount.toml").write_text("[limits]\nwork = 3\n")
    model = str(fixtures / "cnn.onnx")
    assert main([command, model, *LIMITED[command]]) == 2
    assert "units of work" in capsys.readouterr().err
    assert main([command, model, *LIMITED[command], "--no-config", "--help"]) == 0


def test_limits_hold_for_both_sides_of_a_diff(
    folder: Path, fixtures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "graphcount.toml").write_text("[limits]\nwork = 3\n")
    model = str(fixtures / "cnn.onnx")
    assert main(["diff", model, model]) == 2
    assert "units of work" in capsys.readouterr().err


def test_a_diff_counts_by_the_convention_that_is_asked_for(
    fixtures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """torchinfo adds the biases of convolutions and linear layers."""
    model = str(fixtures / "cnn.onnx")
    found = []
    for how in ("graphcount", "torchinfo"):
        convention = ["--macs-convention", how, "--dim", "batch=1"]
        compared = output(capsys, "diff", model, model, *convention, "--format", "json")
        counted = output(capsys, "count", model, *convention, "--format", "json")
        (macs,) = (row["new"] for row in compared["totals"] if row["name"] == "macs")
        assert macs == counted["totals"]["macs"]
        found.append(macs)
    assert found[0] < found[1]
