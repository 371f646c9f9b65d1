"""Several models in Python, as `graphcount count` reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import graphcount
from graphcount.report.serial import dumps, to_dict
from tests.api.conftest import Command

BOTH = ("cnn.onnx", "mlp_3_5_2.onnx")


def test_reports_are_those_of_the_command_line(folder: Path, command: Command) -> None:
    counted = graphcount.counts(BOTH, dims={"batch": 3})
    done = command(*BOTH, "--dim", "batch=3", "--format", "json")
    assert [json.loads(dumps(to_dict(report))) for report in counted.reports] == json.loads(
        done.out
    )
    assert (
        (counted.exit_code, counted.errors, counted.findings) == (done.code, (), ()) == (0, (), ())
    )


def test_an_expectation_that_is_not_met_is_1(folder: Path, command: Command) -> None:
    """An MLP of 3, 5 and 2 has 3 x 5 + 5 + 5 x 2 + 2 = 32 parameters."""
    counted = graphcount.counts(BOTH, expect_parameters=32)
    done = command(*BOTH, "--expect-parameters", 32)
    assert counted.exit_code == done.code == 1
    assert counted.complaints == ("cnn.onnx: 26,926 parameters, expected 32 (26,894 more)",)
    assert done.err == f"graphcount: {counted.complaints[0]}\n"
    assert graphcount.counts(BOTH[1:], expect_parameters=32).exit_code == 0
    assert graphcount.counts(BOTH[1], expect_parameters=32).exit_code == 0


def test_what_cannot_be_read_is_raised_or_told(folder: Path, command: Command) -> None:
    models = ("bad/cut.onnx", *BOTH)
    with pytest.raises(graphcount.DamagedError):
        graphcount.counts(models)
    heard: list[graphcount.GraphcountError] = []
    counted = graphcount.counts(models, expect_parameters=32, on_error=heard.append)
    done = command(*models, "--expect-parameters", 32)
    assert counted.exit_code == done.code == 2
    assert counted.errors == tuple(heard)
    assert [error.path for error in heard] == ["bad/cut.onnx"]
    assert done.err.splitlines() == [
        f"graphcount: {line}" for line in (str(heard[0]), *counted.complaints)
    ]
    assert [report.model.path for report in counted.reports] == list(BOTH)
