"""`graphcount.plan` works out what `graphcount plan` prints."""

from __future__ import annotations

import json
from pathlib import Path

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
    assert graphcount.plan(graphcount.load("mlp_3_5_2.onnx")) == graphcount.plan("mlp_3_5_2.onnx")
