"""`graphcount.plan` works out what `graphcount plan` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import graphcount
from graphcount.formats.plan import render
from graphcount.formats.view import View
from tests.api.conftest import Command


def test_a_plan_is_that_of_the_command_line(folder: Path, command: Command) -> None:
    line = ("--dtype", "int8", "--per-channel", "--optimizer", "adamw", "--samples", 100)
    done = command("plan", "mlp_3_5_2.onnx", *line, "--layers", 2, "--format", "json")
    planned = graphcount.plan(
        "mlp_3_5_2.onnx",
        dtypes=("int8",),
        per_channel=True,
        optimizers=("adamw",),
        samples=100,
        layers=(2,),
    )
    assert json.loads(render("json", planned, View())) == json.loads(done.out)
    assert graphcount.plan(graphcount.count("mlp_3_5_2.onnx", assume=True)) == graphcount.plan(
        "mlp_3_5_2.onnx"
    )
    with pytest.raises(graphcount.UsageError, match="belong to the count"):
        graphcount.plan(graphcount.count("mlp_3_5_2.onnx"), dims={"batch": 1})
