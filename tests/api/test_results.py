"""What functions return prints as the command does, and converts to its JSON."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graphcount
from graphcount.report.printable import PrintableResult
from tests.api.conftest import Command
from tests.deploying import builders

MADE: dict[str, tuple[Callable[[], PrintableResult], tuple[str, ...]]] = {
    "count": (
        lambda: graphcount.count("cnn.onnx", assume=True),
        ("count", "cnn.onnx"),
    ),
    "audit": (
        lambda: graphcount.audit("cnn.onnx"),
        ("audit", "cnn.onnx"),
    ),
    "diff": (
        lambda: graphcount.diff("cnn.onnx", "mlp_3_5_2.onnx"),
        ("diff", "cnn.onnx", "mlp_3_5_2.onnx"),
    ),
    "plan": (
        lambda: graphcount.plan("cnn.onnx"),
        ("plan", "cnn.onnx"),
    ),
    "explain": (
        lambda: graphcount.explain("cnn.onnx", ["node_conv2d"]),
        ("explain", "cnn.onnx", "node_conv2d"),
    ),
    "deployment": (
        lambda: graphcount.deployment("."),
        ("deploy", "."),
    ),
}
"""Calls, and commands that print the same."""


@pytest.mark.parametrize("name", MADE)
def test_a_result_prints_and_converts_as_its_command(
    name: str, folder: Path, command: Command
) -> None:
    make, line = MADE[name]
    (folder / "bad" / "cut.onnx").unlink()
    result = make()
    assert str(result) == command(*line).out.rstrip("\n") == repr(result)
    printed = json.loads(command(*line, "--format", "json").out)
    assert result.to_dict() == json.loads(result.to_json()) == printed
    assert "<script" not in result._repr_html_()


def test_a_check_prints_its_verdicts_and_converts(folder: Path, command: Command) -> None:
    models = ["cnn.onnx", "mlp_3_5_2.onnx"]
    checked = graphcount.check(models, max={"parameters": "1k"}, fail_on="low")
    done = command("check", *models, "--max", "parameters=1k", "--fail-on", "low")
    assert str(checked) == repr(checked) == done.out.rstrip("\n").replace("--max", "max")
    assert "BUD001" in checked._repr_html_()
    data = checked.to_dict()
    assert data["exit_code"] == checked.exit_code == done.code == 1
    paths = [row["model"]["path"] for row in data["models"]]
    assert paths == models
    assert data["models"][0]["findings"][0]["rule"] == "BUD001"


def test_what_cannot_be_read_is_in_the_object(folder: Path) -> None:
    errors: list[graphcount.GraphcountError] = []
    judged = graphcount.counts(["cnn.onnx", "bad/cut.onnx"], on_error=errors.append)
    data = judged.to_dict()
    assert data["exit_code"] == 2
    assert [row["schema"] for row in data["models"]] == [
        "graphcount.report/2",
        "graphcount.error/1",
    ]


def test_a_configuration_prints_as_its_text(folder: Path) -> None:
    started = graphcount.init("mlp_3_5_2.onnx")
    assert str(started) == started.text.rstrip("\n") != ""


def test_a_report_without_the_api_says_what_it_is(folder: Path) -> None:
    """Where only the records are loaded, as in a worker that unpickles one."""
    (folder / "report.pickle").write_bytes(pickle.dumps(graphcount.count("cnn.onnx")))
    code = "import pickle; print(pickle.load(open('report.pickle', 'rb')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Report\n"


def test_a_deployment_is_held_against_limits_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    folder = builders.vision_language(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    made = graphcount.deployment(str(folder))
    limit = {"parameters": made.totals.parameters}
    for checked in (
        graphcount.check(made, max=limit),
        graphcount.check(deployment=str(folder), max=limit),
    ):
        assert checked.exit_code == 0
        assert [report.model.path for report in checked.reports] == [str(folder)]
    below = made.totals.parameters - 1
    assert graphcount.check(made, max={"parameters": below}).exit_code == 1
    line = ("check", "--deployment", folder)
    assert command(*line, "--max", f"parameters={made.totals.parameters}").code == 0
    assert command(*line, "--max", f"parameters={below}").code == 1
    assert command("check", "--deployment", tmp_path / "none", "--max", "nodes=1").code == 2


def test_configured_checks_apply_to_a_deployment_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    folder = builders.vision_language(tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    name = folder.relative_to(tmp_path).as_posix()
    config = tmp_path / "graphcount.toml"
    config.write_text(f'[[checks]]\ndeployment = "{name}"\nmax = {{ parameters = 1 }}\n')
    assert command("check", "--deployment", name).code == 1
    config.write_text('[[checks]]\npaths = ["models/*"]\nmax = { parameters = 1 }\n')
    done = command("check", "--deployment", name)
    assert done.code == 1
    assert "BUD004" in done.out


def test_a_deployment_keeps_its_variant(tmp_path: Path) -> None:
    folder = str(builders.merged(tmp_path))
    usual, half = graphcount.deployment(folder), graphcount.deployment(folder, variant="fp16")
    assert half.totals.nbytes < usual.totals.nbytes
    limit = {"nbytes": half.totals.nbytes}
    assert graphcount.check(half, max=limit).exit_code == 0
    assert graphcount.check(usual, max=limit).exit_code == 1


def test_a_measurement_prints_and_converts(folder: Path) -> None:
    how = graphcount.BenchOptions(runs=10, profile=False)
    benched = graphcount.benches("mlp_3_5_2.onnx", how)
    assert "mlp_3_5_2.onnx" in str(benched) == repr(benched) == f"{benched.results[0]}"
    data = benched.to_dict()
    assert (data["exit_code"], len(data["results"])) == (0, 1)
    assert benched.results[0].to_dict() == data["results"][0]
    assert data["results"][0]["schema"] == "graphcount.bench/1"


def test_a_report_is_tables_of_pandas(
    folder: Path, fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install .[pandas]")
    report = graphcount.count("cnn.onnx", assume=True)
    tensors = report.to_pandas()
    assert list(tensors.columns) == list(report.tensors[0]._fields)
    assert tensors[tensors.kind == "parameter"].elements.sum() == report.totals.parameters
    assert report.in_numbers.to_pandas("nodes").macs.sum() == 373_856
    findings = graphcount.audit(fixtures / "mlp_external.onnx").to_pandas("findings")
    assert list(findings.rule) == ["EXT011"]
    assert isinstance(findings, pandas.DataFrame)
    assert "message" in report.to_pandas("findings").columns  # there is none, and still a table
    wrong: Any = "rows"
    with pytest.raises(graphcount.UsageError, match="'rows' is none of tensors, nodes"):
        report.to_pandas(wrong)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(graphcount.UsageError, match=r"pip install 'graphcount\[pandas\]'"):
        report.to_pandas()
