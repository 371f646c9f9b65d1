"""Ranges that are none, in every place where one can be given: one line, exit 2, never a pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import graphcount

NONE = "is no size and no range; write 8 or 1:8"
HUGE = "99999999999999999999"
BEYOND = f"{HUGE} is beyond the largest size, 9223372036854775807"

TEXTS = {
    "": f"'' {NONE}",
    "8:": f"'8:' {NONE}",
    ":8": f"':8' {NONE}",
    "8:1": "'8:1': the first size is the larger one",
    "1:2:3": f"'1:2:3' {NONE}",
    "-1": f"'-1' {NONE}",
    "-8:-1": f"'-8:-1' {NONE}",
    "few:many": f"'few:many' {NONE}",
    "1:1.5": f"'1:1.5' {NONE}",
    HUGE: BEYOND,
    f"1:{HUGE}": BEYOND,
}
"""What is said of each."""


def program(*arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "graphcount", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def model(fixtures: Path) -> str:
    return str(fixtures / "cnn.onnx")


@pytest.mark.parametrize("text", ["8:", "8:1", f"1:{HUGE}"])
@pytest.mark.parametrize("command", ["check", "init", "count"])
def test_options(text: str, command: str, model: str, tmp_path: Path) -> None:
    demands = {"check": ("--max", "macs=1G"), "init": ("-o", str(tmp_path / "new.toml"))}
    arguments = (command, model, *demands.get(command, ()), "--dim", f"batch={text}")
    assert program(*arguments) == (2, "", f"graphcount: --dim: batch: {TEXTS[text]}\n")
    assert not list(tmp_path.iterdir())


def test_a_configuration(model: str, tmp_path: Path) -> None:
    """Every one is named, with its line."""
    lines = ["[checks.dims]", *(f'd{number} = "{text}"' for number, text in enumerate(TEXTS))]
    numbers = ("-1", HUGE, "1.5")
    lines += [f"n{number} = {text}" for number, text in enumerate(numbers)]
    demand = "[checks.max]\nmacs = 1_000_000_000\n"
    head = f"[[checks]]\nname = 'x'\npaths = ['{model}']\n"
    file = tmp_path / "graphcount.toml"
    file.write_text(f"{head}{chr(10).join(lines)}\n{demand}")
    code, out, err = program("check", "--config", str(file))
    assert (code, out) == (2, "")
    for number, why in enumerate(TEXTS.values()):
        assert f"{file}:{number + 5}: checks[0].dims.d{number}: {why}\n" in err
    for number in range(len(numbers)):
        name = f"{number + 5 + len(TEXTS)}: checks[0].dims.n{number}"
        assert f"{file}:{name}: must be a whole number" in err
    file.write_text(f"{head}dims = {{ batch = '8:1' }}\n{demand}")
    why = TEXTS["8:1"]
    line = f"graphcount: {file}:4: checks[0].dims.batch: {why}\n"
    assert program("check", "--config", str(file)) == (2, "", line)


@pytest.mark.parametrize(
    "ends",
    [(), (8,), (8, 1), (1, 2, 3), 8, "1:8", None, (1, 2**63), (-1, 8), (1.0, 8), (True, 8), {1: 8}],
    ids=repr,
)
def test_python(ends: Any, model: str) -> None:
    with pytest.raises(graphcount.UsageError, match=r"^dimension batch: .* is no range of sizes"):
        graphcount.check(model, max={"macs": "1G"}, ranges={"batch": ends})


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        (["batsh=1:8"], "the model has no dimension batsh; there is batch"),
        (["batch=8", "batch=1:8"], "--dim: batch is given two sizes: 8 and (1, 8)"),
        (["batch=1:8", "x[0]=1:4"], "dimension batch has two ranges: 1:8 and 1:4"),
    ],
)
def test_ranges_that_a_model_has_no_use_for(sizes: list[str], why: str, model: str) -> None:
    (name,) = (row.name for row in graphcount.count(model).model.inputs)
    options = [part for size in sizes for part in ("--dim", size.replace("x[", f"{name}["))]
    code, out, err = program("check", model, "--max", "macs=1G", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert why in err


def test_what_cannot_be_decided_is_no_pass(model: str) -> None:
    """The most up to the largest size is a number, and traffic has none over ranges."""
    most = f"batch=1:{2**63 - 1}"
    code, out, _ = program("check", model, "--max", "macs=9223372036854775807", "--dim", most)
    assert code == 1
    assert f"- macs {373_856 * (2**63 - 1):,} " in out
    code, out, _ = program(
        "check", model, "--max", "macs=1G", "--max", "traffic_nbytes=1T", "--dim", "batch=1:8"
    )
    assert code == 1
    assert "traffic_nbytes is not known over these ranges (limit 1,000,000,000,000 bytes" in out
