"""`graphcount.diff` judges growth, as `graphcount diff` does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import graphcount
from graphcount.report.diff import diff_dict
from graphcount.report.serial import dumps
from tests.api.conftest import Command

OLD, NEW = "cnn.onnx", "cnn_batchnorm.onnx"


@pytest.fixture(autouse=True)
def new(folder: Path, fixtures: Path) -> None:
    shutil.copy(fixtures / NEW, folder)


@pytest.mark.parametrize(("growth", "kept"), [(290, True), (289, False)])
def test_growth_is_judged(growth: int, kept: bool, command: Command) -> None:
    """Batch normalisation adds scale and bias: 2 x (5 + 12 + 128) = 290 parameters."""
    found = graphcount.diff(OLD, NEW, max_increase={"parameters": growth})
    line = ("diff", OLD, NEW, "--max-increase", f"parameters={growth}", "--format", "json")
    done = command(*line)
    assert (found.findings == ()) == kept
    assert done.code == int(not kept)
    said = json.loads(done.out)
    for finding in said["findings"]:  # the option, where Python has a keyword
        finding["where"]["limit"]["option"] = "max_increase"
    assert json.loads(dumps(diff_dict(found))) == said


def test_a_limit_on_cost_has_it_worked_out(command: Command) -> None:
    for growth, dims in (({"macs": "50%"}, {"batch": 1}), ({"macs": "0%"}, {"batch": 1})):
        found = graphcount.diff(OLD, NEW, max_increase=growth, dims=dims)
        limit = f"macs={growth['macs']}"
        done = command("diff", OLD, NEW, "--max-increase", limit, "--dim", "batch=1")
        assert bool(found.findings) == (done.code == 1)
    (unknown,) = graphcount.diff(OLD, NEW, max_increase={"macs": "50%"}).findings
    assert unknown.rule == "BUD002"  # the batch is dynamic


def test_saved_reports_are_compared_and_judged(folder: Path, command: Command) -> None:
    (folder / "old.json").write_text(command(OLD, "--format", "json").out)
    found = graphcount.diff("old.json", NEW, max_increase={"parameters": 289})
    assert [finding.rule for finding in found.findings] == ["BUD003"]
    assert (found.old.source, found.new.source) == ("report", "model")


def test_what_is_no_limit_is_refused() -> None:
    with pytest.raises(graphcount.UsageError, match="no measure"):
        graphcount.diff(OLD, NEW, max_increase={"parametres": 1})
    with pytest.raises(ValueError, match="many"):
        graphcount.diff(OLD, NEW, max_increase={"parameters": "many"})
