"""`graphcount check --base`: models as they were, in a folder or in a baseline."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import graphcount
from graphcount.cli.main import main

Run = Callable[..., tuple[int, str, str]]
CONFIG = "[[checks]]\nname = 'all'\npaths = ['m/*.onnx']\nmax = { nodes = 3 }\n"
GROWTH = f"{CONFIG}max_increase = {{ parameters = '10%' }}\n"


def write_model(path: Path, width: int, batch: Sequence[int | str] = ("n",)) -> None:
    """A linear layer of 10 x width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "g",
        [value("x", 1, [*batch, 10])],
        [value("y", 1, [*batch, width])],
        [numpy_helper.from_array(np.ones((10, width), np.float32), "W")],
    )
    path.write_bytes(helper.make_model(graph).SerializeToString())


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout beside the current one; m/a.onnx has 100 parameters there."""
    head, base = tmp_path / "head dir", tmp_path / "base dir"
    write_model(base / "m" / "a.onnx", 10)
    write_model(head / "m" / "a.onnx", 11)
    (head / "graphcount.toml").write_text(GROWTH)
    monkeypatch.chdir(head)
    return base


def verdicts(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    reports = json.loads(text)
    rows = reports if isinstance(reports, list) else [reports]
    return {
        (row["model"]["path"], verdict["bound"]): verdict
        for row in rows
        for check in row["checks"]
        for verdict in check["verdicts"]
    }


def test_growth_is_held_against_the_folder(run: Run, base: Path) -> None:
    assert run("check", "--base", base)[0] == 0  # 110 of 100 + 10 %
    write_model(Path("m/a.onnx"), 12)
    code, out, _ = run("check", "--base", base)
    assert code == 1
    assert "parameters 120 is 10 over 110 (baseline 100 + 10%)" in " ".join(out.split())
    assert not list(Path().rglob("*.json"))  # nothing is written


def test_every_limit_says_what_was(run: Run, base: Path) -> None:
    rows = verdicts(run("check", "--base", base, "--format", "json")[1])
    assert rows["m/a.onnx", "max_increase"]["base"] == 100
    assert rows["m/a.onnx", "max"]["base"] == 1
    comment = run("check", "--base", base, "--format", "markdown")[1]
    assert r"| \+10 \(\+10\.0%\) |" in comment
    assert "| nodes 1 &lt;= 3 | 0 |" in comment
    Path("graphcount.toml").write_text(CONFIG.replace("nodes = 3", "nodes = 0, parameters = 9"))
    comment = run("check", "--base", base, "--format", "markdown")[1]
    assert r"<br>change\: \+10 \(\+10\.0%\)" in comment
    assert "change" not in run("check", "--format", "markdown")[1]


def test_a_model_that_the_base_lacks_is_new_and_said(run: Run, base: Path) -> None:
    write_model(Path("m/b.onnx"), 9)
    code, out, _ = run("check", "--base", base)
    assert code == 0
    assert "2 models, 4 limits: all kept; 1 new" in out
    row = verdicts(run("check", "--base", base, "--format", "json")[1])["m/b.onnx", "max_increase"]
    assert (row["kept"], row["limit"], row["base"], row["value"]) == (True, None, None, 90)
    assert row["message"] == "parameters 90: a new model, of which no growth is known"
    for name in ("table", "json", "jsonl", "markdown", "junit", "sarif", "github", "gitlab"):
        assert run("check", "--base", base, "--format", name)[0] == 0
    (Path("graphcount.toml")).write_text(GROWTH.replace("nodes = 3", "parameters = 89"))
    assert run("check", "--base", base)[0] == 1  # its other limits hold


def test_a_model_that_is_gone_is_no_matter(run: Run, base: Path) -> None:
    write_model(base / "m" / "gone.onnx", 500)
    code, out, _ = run("check", "--base", base)
    assert (code, "new" in out) == (0, False)


@pytest.mark.parametrize("text", ["version https://git-lfs.github.com/spec/v1\n", "damaged"])
def test_what_the_base_cannot_tell_is_no_pass(run: Run, base: Path, text: str) -> None:
    (base / "m" / "a.onnx").write_text(text)
    code, _, err = run("check", "--base", base)
    assert code == 2
    assert str(base / "m" / "a.onnx") in err
    Path("graphcount.toml").write_text(CONFIG)  # without a limit on growth
    code, out, err = run("check", "--base", base)
    assert (code, "all kept" in out) == (0, True)
    assert "m/a.onnx: not compared: " in err


def test_sizes_are_those_of_the_check(run: Run, base: Path) -> None:
    """MACs at the check's batch, in both; 5 x 10 x 11 of 5 x 10 x 10."""
    text = GROWTH.replace("parameters", "macs") + "dims = { n = 5 }\n"
    Path("graphcount.toml").write_text(text)
    row = verdicts(run("check", "--base", base, "--format", "json")[1])["m/a.onnx", "max_increase"]
    assert (row["value"], row["base"]) == (550, 500)
    write_model(base / "m" / "a.onnx", 10, ["other"])  # a dimension that has no size there
    code, _, err = run("check", "--base", base)
    assert code == 2
    assert "macs of " in err
    Path("graphcount.toml").write_text(GROWTH + "dims = { n = 5 }\n")
    assert run("check", "--base", base)[0] == 0  # parameters need none


def test_a_committed_baseline_wins(run: Run, base: Path) -> None:
    """Small steps, each within the growth since the base: the baseline remembers the first."""
    write_model(base / "m" / "a.onnx", 11)
    write_model(Path("m/a.onnx"), 10)
    assert run("check", "--base", base, "--write-baseline", "then.json")[0] == 0
    write_model(Path("m/a.onnx"), 12)
    assert run("check", "--base", base)[0] == 0
    Path("graphcount.toml").write_text(GROWTH + "baseline = 'then.json'\n")
    assert run("check", "--base", base)[0] == 1
    write_model(Path("m/b.onnx"), 1)
    code, _, err = run("check", "--base", base)
    assert code == 2
    assert "stale: does not have m/b.onnx" in err


def test_the_base_may_be_a_file(run: Run, base: Path) -> None:
    write_model(Path("m/a.onnx"), 10)
    write_model(Path("m/gone.onnx"), 10)
    run("check", "m/a.onnx", "m/gone.onnx", "--write-baseline", "then.json", "--base", base)
    Path("m/gone.onnx").unlink()
    write_model(Path("m/b.onnx"), 1)
    code, out, _ = run("check", "--base", "then.json")
    assert (code, "1 new" in out) == (0, True)
    write_model(Path("m/a.onnx"), 12)
    assert run("check", "--base", "then.json")[0] == 1
    Path("graphcount.toml").write_text(GROWTH + "dims = { n = 5 }\n")
    code, _, err = run("check", "--base", "then.json")
    assert (code, "stale: has m/a.onnx with no sizes, not with n=5" in err) == (2, True)


def test_a_base_that_is_not_there_is_an_error(run: Run, base: Path) -> None:
    for text in (GROWTH, CONFIG):
        Path("graphcount.toml").write_text(text)
        code, _, err = run("check", "--base", "none.json")
        assert (code, "none.json: no such file" in err) == (2, True)


def test_a_model_elsewhere_has_no_place_in_the_base(run: Run, base: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "b.onnx", 5)
    growth = ("--max-increase", "parameters=0")
    code, _, err = run("check", tmp_path / "b.onnx", "--base", base, *growth)
    assert code == 2
    assert "not below the current folder" in err


def test_a_deployment_is_compared_whole(run: Run, base: Path) -> None:
    for folder, width in ((Path("m"), 12), (base / "m", 10)):
        for name in ("encoder_model.onnx", "decoder_model.onnx"):
            write_model(folder / name, width)
        (folder / "a.onnx").unlink()
    text = "[[checks]]\ndeployment = 'm'\nmax_increase = {{ parameters = {} }}\n"
    Path("graphcount.toml").write_text(text.format(40))
    assert run("check", "--base", base)[0] == 0
    Path("graphcount.toml").write_text(text.format(39))
    code, out, _ = run("check", "--base", base)
    assert (code, "parameters 240 is 1 over 239" in out) == (1, True)


def test_python_has_the_same_word(base: Path) -> None:
    checked = graphcount.check("m/a.onnx", max_increase={"parameters": 9}, base=str(base))
    assert checked.exit_code == 1
    assert checked.findings[0].message.startswith("parameters 110 is 1 over 109")
    assert onnx.load("m/a.onnx").graph.node[0].op_type == "MatMul"
