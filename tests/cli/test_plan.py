"""`graphcount plan` as people call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import graphcount
from graphcount.cli import plan as command
from graphcount.cli.main import main
from graphcount.planning import DTYPES, OPTIMIZERS
from graphcount.units import nbytes

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["plan", *(str(argument) for argument in arguments)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_the_screen(run: Run, fixtures: Path) -> None:
    model = fixtures / "mlp_8_16_16_8.onnx"
    code, out, err = run(model, "--dim", "batch=1", "--samples", 10_000)
    assert (code, err) == (0, "")
    for words in (
        "552 parameters, batch = 1",
        "687 B",
        "(4 weights + 4 gradients + 8 moments) x 552 parameters",
        "10,000 samples are 18.1 a parameter: enough for the 10x rule",
        "8-16-16-8",
        "2·d² + 19·d + 8",
    ):
        assert words in out
    assert "?" not in out


def test_dynamic_dimensions_are_said(run: Run, fixtures: Path) -> None:
    code, out, _ = run(fixtures / "cnn.onnx", "--mixed-precision", "--optimizer", "adam")
    assert code == 0
    assert "sizes assumed for activations: batch 1; --dim sets them" in out
    assert "478.02 kB" in out  # 26,926 x 16 bytes of training, and 47,208 of activations
    assert "not a plain multilayer perceptron: node_conv2d is Conv" in out


@pytest.mark.parametrize("columns", [50, 60, 72, 80, 100])
def test_numbers_are_never_cut(
    run: Run, fixtures: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    sizes = ("--dim", "batch=1", "--dim", "sequence=8", "--mixed-precision")
    _, out, _ = run(fixtures / "gpt2_like.onnx", *sizes)
    report = graphcount.count(str(fixtures / "gpt2_like.onnx"))
    # weights and gradients of 2 bytes, masters and two moments of 4
    total = 26_048 * (2 + 2 + 4 + 8) + report.activation_nbytes(batch=1, sequence=8)
    (line,) = (line for line in out.splitlines() if line.startswith(" adam") and "w " not in line)
    assert line.endswith(f" {nbytes(total)}")
    assert columns < 72 or max(map(len, out.splitlines())) <= columns
    assert "…" not in "".join(line[10:] for line in out.splitlines())


def test_json(run: Run, fixtures: Path) -> None:
    model = fixtures / "mlp_8_16_16_8.onnx"
    options = ("--dtype", "int8", "--optimizer", "sgd", "--layers", "3", "--format", "json")
    code, out, _ = run(model, *options)
    data = json.loads(out)
    assert code == 0
    assert data["schema"] == "graphcount.plan/1"
    assert [row["dtype"] for row in data["sizes"]] == ["int8"]
    assert data["sizes"][0]["total_nbytes"] == 687
    assert [row["state_nbytes"] for row in data["training"]] == [8 * 552]
    assert [n["parameters"] for n in data["mlp"]["widths"][0]["neighbours"]] == [524, 593]
    assert data["options"]["layers"] == [3]


def test_a_file_is_written(run: Run, fixtures: Path, tmp_path: Path) -> None:
    target = tmp_path / "plan.json"
    assert run(fixtures / "cnn.onnx", "--format", "json", "-o", target) == (0, "", "")
    assert json.loads(target.read_text())["parameters"] == 26_926


@pytest.mark.parametrize(
    "arguments",
    [("--block", "24"), ("--dtype", "int3"), ("--dim", "no_such=3"), ("--layers", "0")],
)
def test_mistakes_are_one_line(run: Run, fixtures: Path, arguments: tuple[str, ...]) -> None:
    code, out, err = run(fixtures / "cnn.onnx", *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_a_missing_model(run: Run) -> None:
    code, _, err = run("no_such.onnx")
    assert code == 2
    assert "no_such.onnx" in err


def test_choices_are_those_of_the_analysis() -> None:
    assert (command.DTYPES, command.OPTIMIZERS) == (DTYPES, OPTIMIZERS)
