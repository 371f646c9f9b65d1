"""`graphcount check`: configuration, baselines, growth by one, and what is no verdict."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.cli.main import main

Save = Callable[..., str]
Weights = Callable[..., TensorProto]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def project(tmp_path: Path, fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model; the program runs in it."""
    (tmp_path / "cnn.onnx").write_bytes((fixtures / "cnn.onnx").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(project: Path, text: str) -> None:
    (project / "graphcount.toml").write_text(text)


def layers(save: Save, weights: Weights, width: int, *more: str) -> str:
    """A linear layer of 3 x width, and operators after it."""
    nodes = [helper.make_node("MatMul", ["x", "W"], ["y0"], "layer")]
    for index, op_type in enumerate(more):
        nodes.append(helper.make_node(op_type, [f"y{index}"], [f"y{index + 1}"], f"new_{op_type}"))
    return save(nodes, [weights("W", 3, width)], inputs=["x"], outputs=[f"y{len(more)}"])


# ------------------------------------------------------------------------- growth by one


def test_one_parameter_more_fails_and_is_named(run: Run, save: Save, weights: Weights) -> None:
    bias = [weights("W", 3, 4), weights("b", 1)]
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["y"], "layer"),
        helper.make_node("Add", ["y", "b"], ["z"], "shift"),
    ]
    grown = save(nodes, bias, inputs=["x"], outputs=["z"])
    assert run("check", layers(save, weights, 4), "--max", "parameters=12")[0] == 0
    code, out, _ = run("check", grown, "--max", "parameters=12")
    assert code == 1
    assert "parameters 13 is 1 over the maximum 12" in out


def test_one_byte_more_fails_and_is_named(run: Run, project: Path) -> None:
    size = (project / "cnn.onnx").stat().st_size
    assert run("check", "cnn.onnx", "--max", f"file_nbytes={size}")[0] == 0
    data = (project / "cnn.onnx").read_bytes()
    model = data + b"\x32\x00"  # an empty doc_string: two bytes
    (project / "cnn.onnx").write_bytes(model)
    code, out, _ = run("check", "cnn.onnx", "--max", f"file_nbytes={size + 1}")
    assert code == 1
    assert "is 1 byte over the maximum" in out


def test_one_operator_more_fails_and_is_named(
    run: Run, save: Save, weights: Weights, project: Path
) -> None:
    configure(project, '[[checks]]\nname = "edge"\noperators = ["MatMul", "Relu"]\n')
    assert run("check", layers(save, weights, 4, "Relu"))[0] == 0
    code, out, _ = run("check", layers(save, weights, 4, "Relu", "Erf"))
    assert code == 1
    assert "operator Erf is not allowed: node new_Erf" in out
    assert "graphcount.toml:3" in out


# ------------------------------------------------------------------------- configuration


def test_a_configured_check_chooses_models(run: Run, project: Path) -> None:
    configure(
        project,
        '[[checks]]\nname = "cnn"\npaths = ["*.onnx"]\nmax = { parameters = 26_925 }\n'
        '[checks.messages]\nparameters = "ask the edge team"\n',
    )
    code, out, err = run("check")
    assert (code, err) == (1, "")
    assert "1 over the maximum 26,925" in out
    assert "limit at graphcount.toml:4" in out
    assert "ask the edge team" in out
    assert run("check", "--no-config", "cnn.onnx", "--max", "parameters=26926")[0] == 0


def test_the_configuration_beside_a_strangers_model_is_not_read(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project / "stranger"
    folder.mkdir()
    (project / "cnn.onnx").rename(folder / "cnn.onnx")
    configure(folder, "[[[nonsense")
    configure(project, "[[checks]]\nmax = { parameters = 26_926 }\n")
    assert run("check", "stranger/cnn.onnx")[0] == 0


def test_several_checks_read_a_model_once(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphcount.api import checking, load

    configure(
        project,
        "[[checks]]\nmax = { nodes = 11 }\n[[checks]]\nmax = { parameters = 26_926 }\n"
        "[[checks]]\ndims = { batch = 2 }\nmax = { macs = 747_712 }\n",  # 2 x 373,856
    )
    read: list[str] = []

    def counted(path: str, **options: object) -> graphcount.Model:
        read.append(path)
        return load(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(checking, "load", counted)
    code, out, _ = run("check", "cnn.onnx")
    assert (code, read) == (0, ["cnn.onnx"])
    assert "1 model, 3 limits: all kept" in out


def test_sizes_of_the_configuration_count(run: Run, project: Path) -> None:
    """373,856 MACs for one picture; fixtures/make.py has the network."""
    check = "[[checks]]\nmax = { macs = 2_990_847 }\n"  # 8 x 373,856 - 1
    for text, code, said in (
        (check, 1, "give sizes or ranges of batch (--dim batch=N, --dim batch=1:N)"),
        (f'dims = {{ batch = "1:8" }}\n{check}', 1, "is 1 over the maximum"),
        (f'dims = {{ batch = "1:7" }}\n{check}', 0, "macs 2,616,992 <= 2,990,847 at batch=7"),
        (f'{check}dims = {{ batch = "1:8" }}\n', 1, "at batch=8"),
        (f'dims = {{ batch = "1:8" }}\n{check}dims = {{ batch = 2 }}\n', 0, "at batch=2"),
        (f"dims = {{ batch = 9 }}\n{check}dims = {{ batch = '1:4' }}\n", 0, "at batch=4"),
        (f"dims = {{ batch = 4, other = 3 }}\n{check}", 0, "at batch=4"),  # where a model has it
    ):
        configure(project, text)
        got, out, _ = run("check", "cnn.onnx")
        assert (got, said in re.sub(r"\n? +", " ", out)) == (code, True), out
    configure(project, f'dims = {{ batch = "1:8" }}\n{check}')
    assert run("check", "cnn.onnx", "--dim", "batch=3")[0] == 0  # an option wins
    assert run("check", "cnn.onnx", "--dim", "batch=1:3")[0] == 0


def test_limits_of_the_configuration_count(run: Run, project: Path) -> None:
    configure(project, "[limits]\nwork = 3\n")
    code, _, err = run("check", "cnn.onnx", "--max", "parameters=1M")
    assert code == 2
    assert "units of work" in err


def test_costs_of_ones_own_operators_count(
    run: Run, project: Path, save: Save, weights: Weights
) -> None:
    node = helper.make_node("Foo", ["x", "W"], ["y"], domain="com.acme")
    opsets = [("", 20), ("com.acme", 1)]
    shapes = {"inputs": [("x", [2, 3])], "outputs": [("y", [2, 4])]}
    model = save([node], [weights("W", 3, 4)], opsets=opsets, **shapes)
    configure(project, '[operators."com.acme::Foo"]\nmacs = "prod(outputs[0]) * inputs[1][0]"\n')
    assert json.loads(run(model, "--format", "json")[1])["totals"]["macs"] == 2 * 4 * 3
    assert run("check", model, "--max", "macs=24")[0] == 0
    assert run("check", model, "--max", "macs=23")[0] == 1
    assert run("check", model, "--max", "macs=24", "--no-config")[0] == 1  # not known


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("", [], "nothing to check"),
        ("[limits]\nwork = 99\n", ["cnn.onnx"], "nothing to check"),
        ("[[checks]]\npaths=['no*.onnx']\nmax={nodes=1}\n", [], "matches no file"),
        ("[[checks]]\nmax_increase={nodes=1}\n", ["cnn.onnx"], "needs a baseline"),
        ("[[checks]]\nbaseline='b.json'\nmax_increase={nodes=1}\n", ["cnn.onnx"], "no such file"),
        ("[[checks]]\ndims={bach=1}\nmax={nodes=1}\n", ["cnn.onnx"], "no dimension bach"),
        ("", ["cnn.onnx", "--max", "nodes=1", "--config", "none.toml"], "no such file"),
        ("", ["cnn.onnx", "--max", "nodes=1", "--bench", "none.json"], "no such file"),
        ("", ["cnn.onnx", "--max", "nodes=1", "--also", "pdf=x"], "FORMAT=FILE"),
        ("", ["empty", "--max", "nodes=1"], "no .onnx file in it"),
    ],
)
def test_what_checks_nothing_is_one_line_and_exit_2(
    run: Run, project: Path, text: str, arguments: list[str], said: str
) -> None:
    (project / "empty").mkdir()
    configure(project, text)
    code, out, err = run("check", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_every_mistake_of_a_configuration_is_a_line(run: Run, project: Path) -> None:
    configure(project, "[[checks]]\nmax = {paramters = 1}\n\n[limts]\n")
    code, out, err = run("check", "cnn.onnx")
    assert (code, out) == (2, "")
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        "graphcount.toml:2",
        "graphcount.toml:4",
    ]


# ------------------------------------------------------------------------- baselines


def test_a_baseline_is_written_and_kept(run: Run, project: Path) -> None:
    code, _, _ = run("check", "cnn.onnx", "--write-baseline", "base.json", "--dim", "batch=1")
    assert code == 0
    again = (project / "base.json").read_text()
    assert json.loads(again)["models"][0]["measures"]["macs"] == 373_856
    run("check", "cnn.onnx", "--write-baseline", "base.json", "--dim", "batch=1")
    assert (project / "base.json").read_text() == again
    growth = ["--max-increase", "parameters=0", "--max-increase", "macs=0%", "--dim", "batch=1"]
    assert run("check", "cnn.onnx", "--baseline", "base.json", *growth)[0] == 0


def test_growth_beyond_the_baseline_fails(
    run: Run, project: Path, save: Save, weights: Weights
) -> None:
    model = project / "model.onnx"
    model.write_bytes(Path(layers(save, weights, 4)).read_bytes())
    run("check", model, "--write-baseline", "base.json")
    model.write_bytes(Path(layers(save, weights, 5)).read_bytes())  # 15 parameters, not 12
    arguments = ["check", model, "--baseline", "base.json", "--max-increase"]
    assert run(*arguments, "parameters=25%")[0] == 0
    code, out, _ = run(*arguments, "parameters=20%")
    assert code == 1
    assert "parameters 15 is 1 over 14 (baseline 12 + 20%)" in out
    assert "BUD003" in out


@pytest.mark.parametrize("how", ["--in-place", "--macs-convention=torchinfo"])
def test_numbers_of_another_convention_are_no_baseline(run: Run, project: Path, how: str) -> None:
    """Counted in place, today's peak is far below that of the baseline, so anything would pass."""
    sized = ["check", "cnn.onnx", "--dim", "batch=1"]
    grown = ["--max-increase", "peak_activation_nbytes=0", "--max-increase", "macs=0"]
    run(*sized, "--write-baseline", "base.json")
    code, out, err = run(*sized, "--baseline", "base.json", *grown, how)
    assert (code, out) == (2, "")
    assert (
        f"with batch=1, not with batch=1, {how[2:].replace('-', '_', 1).partition('=')[0]}=" in err
    )
    run(*sized, "--write-baseline", "base.json", how)
    assert run(*sized, "--baseline", "base.json", *grown, how)[0] == 0
    assert run(*sized, "--baseline", "base.json", *grown)[0] == 2


@pytest.mark.parametrize("inputs", [[], ["x"]])
def test_a_model_of_nothing_is_no_pass(run: Run, save: Save, inputs: list[str]) -> None:
    """It keeps every budget: a file that is cut behind the beginning of its graph."""
    code, out, _ = run("check", save([], inputs=inputs, outputs=[]), "--max", "parameters=12")
    assert code == 1
    assert "no nodes, no outputs and no tensors" in " ".join(out.split())


@pytest.mark.parametrize(
    ("op_type", "domain", "opsets", "said"),
    [
        ("Relv", "", [("", 20)], "ai.onnx has no operator 'Relv' (1 node)"),
        ("Relv", "com.acme", [("", 20), ("com.acme", 1)], ""),
        ("Affine", "", [("", 8)], ""),  # experimental once; onnxruntime still runs it
        ("Relu", "", [("", 0)], "opset ai.onnx 0 does not exist"),
    ],
)
def test_what_onnx_does_not_have_is_no_pass(
    run: Run, save: Save, weights: Weights, op_type: str, domain: str, opsets: Any, said: str
) -> None:
    """A flipped bit makes another operator; what it does with its tensors nobody knows."""
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"]),
        helper.make_node(op_type, ["h"], ["y"], domain=domain),
    ]
    model = save(nodes, [weights("W", 3, 4)], inputs=["x"], outputs=["y"], opsets=opsets)
    code, out, _ = run("check", model, "--max", "parameters=12")
    assert code == (1 if said else 0)
    assert said in " ".join(out.split())


def test_a_stale_baseline_is_no_verdict(run: Run, project: Path) -> None:
    run("check", "cnn.onnx", "--write-baseline", "base.json")
    arguments = ["check", "cnn.onnx", "--baseline", "base.json", "--max-increase", "nodes=0"]
    code, out, err = run(*arguments, "--dim", "batch=1")
    assert (code, out) == (2, "")
    assert "stale" in err
    text = (project / "base.json").read_text()
    (project / "base.json").write_text(text.replace(graphcount.__version__, "0.0.1"))
    code, _, err = run(*arguments)
    assert code == 0
    assert "written by graphcount 0.0.1" in err


def test_a_baseline_of_what_was_not_all_read_is_not_written(run: Run, project: Path) -> None:
    code, _, err = run("check", "cnn.onnx", "none.onnx", "--write-baseline", "base.json")
    assert code == 2
    assert "not written" in err
    assert not (project / "base.json").exists()


# ------------------------------------------------------------------------- the rest


def test_latency_comes_from_a_benchmark(run: Run, project: Path) -> None:
    result = {"schema": "graphcount.bench/1", "latency": {"p50": 0.0115, "p95": 0.02}}
    (project / "bench.json").write_text(json.dumps(result))
    arguments = ["check", "cnn.onnx", "--bench", "bench.json", "--max"]
    assert run(*arguments, "latency_p50=11.5ms")[0] == 0
    code, out, _ = run(*arguments, "latency_p50=11ms")
    assert code == 1
    assert "latency_p50 11.5 ms is 500 us over the maximum 11 ms" in out
    assert run(*arguments, "latency_p99=1s")[0] == 1  # not measured
    result["model"] = {"path": "other.onnx"}
    (project / "bench.json").write_text(json.dumps(result))
    assert run(*arguments, "latency_p50=1s")[0] == 1  # of another model


def test_a_mild_check_warns(run: Run, project: Path) -> None:
    configure(project, "[[checks]]\nseverity = 'medium'\nmax = { nodes = 1 }\n")
    code, out, _ = run("check", "cnn.onnx")
    assert code == 0
    assert out.startswith("warn ")
    assert run("check", "cnn.onnx", "--fail-on", "medium")[0] == 1


def test_2_wins_over_1(run: Run, project: Path) -> None:
    assert run("check", "cnn.onnx", "none.onnx", "--max", "nodes=1")[0] == 2


def test_measures_are_listed(run: Run) -> None:
    code, out, _ = run("check", "--list-measures")
    assert code == 0
    assert "peak_activation_nbytes" in out
    assert "nbytes.DTYPE" in out


def test_other_formats_are_written_too(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "summary.md"))
    (project / "summary.md").write_text("before\n")
    also = ["--also", "sarif=out.sarif", "--also", "markdown=comment.md", "--marker", "edge"]
    code, out, _ = run("check", "cnn.onnx", "--max", "nodes=1", "--format", "github", *also)
    assert code == 1
    assert out.startswith("::error file=cnn.onnx,")
    assert json.loads((project / "out.sarif").read_text())["version"] == "2.1.0"
    comment = (project / "comment.md").read_text()
    assert comment.startswith("<!-- graphcount:edge -->")
    assert (project / "summary.md").read_text() == f"before\n{comment}\n"


def test_a_folder_is_walked_and_shows_progress_on_a_terminal(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(5):
        (project / f"m{index}.onnx").write_bytes((project / "cnn.onnx").read_bytes())
    code, out, err = run("check", ".", "--max", "nodes=11")
    assert (code, err) == (0, "")
    assert "6 models, 6 limits: all kept" in out

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for arguments, expected in ((["."], True), ([".", "--quiet"], False), (["cnn.onnx"], False)):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        assert main(["check", *arguments, "--max", "nodes=11"]) == 0
        assert ("6/6" in terminal.getvalue()) is expected


def test_check_imports_no_more_than_it_needs(project: Path) -> None:
    program = (
        "import sys; from graphcount.cli.main import main\n"
        "code = main(['check', 'cnn.onnx', '--max', 'nodes=11', '--format', 'junit'])\n"
        "print(code, *sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=project
    )
    code, *modules = done.stdout.splitlines()[-1].split()
    assert code == "0"
    assert not set(modules) & {"onnx", "networkx", "numpy", "rich", "onnxruntime", "tomllib"}


def test_the_api_checks_too(project: Path) -> None:
    checked = graphcount.check("cnn.onnx", max={"parameters": "26k", "nodes.Loop": 0})
    assert [finding.rule for finding in checked.findings] == ["BUD001"]
    assert graphcount.check("cnn.onnx", max={"parameters": 26_926}).findings == ()
    with pytest.raises(graphcount.UsageError, match="nothing to check"):
        graphcount.check("cnn.onnx")
