"""Models that no check applies to, or that are excluded: nothing passes or stops by accident."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import graphcount
from graphcount.cli.main import main
from graphcount.config import load_config

Run = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).resolve().parent.parent.parent
CHECKS = '[[checks]]\nname = "edge"\npaths = ["edge/*.onnx"]\nmax = {parameters = "1M"}\n'


@pytest.fixture
def run(
    tmp_path: Path,
    fixtures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Run the program in a folder with edge/cnn.onnx, server/new.onnx and server/old.onnx."""
    for name in ("edge/cnn.onnx", "server/new.onnx", "server/old.onnx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((fixtures / "cnn.onnx").read_bytes())
    monkeypatch.chdir(tmp_path)

    def call(text: str, *arguments: object) -> tuple[int, str, str]:
        Path("graphcount.toml").write_text(text + CHECKS)
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.mark.parametrize("text", ["", 'uncovered = "fail"\n'])
def test_an_uncovered_model_fails_and_the_others_are_checked(run: Run, text: str) -> None:
    code, out, err = run(text, "check", "server/new.onnx", "edge/cnn.onnx")
    assert (code, err) == (1, "")
    assert "FAIL  server/new.onnx  uncovered\n    - no check applies to it\n" in out
    assert "pass  edge/cnn.onnx  edge: parameters 26,926 <= 1M\n" in out
    assert out.endswith("\n1 model, 1 limit: all kept; 1 uncovered, which fails\n")
    assert ("limit at graphcount.toml:1" in out) == bool(text)


def test_a_broken_limit_beside_it_is_found(run: Run) -> None:
    Path("edge/cnn.onnx").write_bytes(Path("edge/cnn.onnx").read_bytes()[:100])
    code, out, err = run("", "check", "server/new.onnx", "edge/cnn.onnx")
    assert code == 2  # what cannot be read wins
    assert err.startswith("graphcount: edge/cnn.onnx: ")
    assert "server/new.onnx  uncovered" in out


def test_a_warning_lists_it_and_passes(run: Run) -> None:
    text = 'uncovered = "warn"\n'
    code, out, err = run(text, "check", "server/new.onnx", "edge/cnn.onnx")
    assert (code, err) == (0, "")
    assert "warn  server/new.onnx  uncovered\n" in out
    assert out.endswith("\n1 model, 1 limit: all kept; 1 uncovered\n")
    assert run(text, "check", "server/new.onnx")[0] == 0
    assert run(text, "check", "server/new.onnx", "--fail-on", "low")[0] == 1


def test_what_is_ignored_is_not_read_but_counted(run: Run) -> None:
    Path("server/new.onnx").write_bytes(b"no model")
    text = 'uncovered = "ignore"\n'
    code, out, err = run(text, "check", "server/new.onnx", "edge/cnn.onnx")
    assert (code, err) == (0, "")
    assert "server" not in out
    assert out.endswith("\n1 model, 1 limit: all kept; 1 uncovered\n")
    alone = run(text, "check", "server/new.onnx")
    assert alone == (0, "0 models, 0 limits: nothing held; 1 uncovered\n", "")


def test_a_limit_given_as_an_option_covers_every_model(run: Run) -> None:
    code, out, _ = run("", "check", "server/new.onnx", "--max", "parameters=1M")
    assert (code, "uncovered" in out) == (0, False)


def test_every_format_says_it(run: Run) -> None:
    models = ("server/new.onnx", "edge/cnn.onnx")
    for name in ("json", "jsonl", "markdown", "junit", "sarif", "github", "gitlab"):
        code, out, _ = run("", "check", *models, "--format", name)
        assert code == 1
        assert "no check applies to it" in out
    sarif = json.loads(run("", "check", *models, "--format", "sarif")[1])["runs"][0]
    assert [row["ruleId"] for row in sarif["results"]] == ["BUD004"]
    assert "no `paths`" in run("", "rules", "BUD004")[1].replace("\n", " ")


@pytest.mark.parametrize("action", ["fail", "warn", "ignore"])
def test_the_hook_checks_what_it_is_given(run: Run, action: str) -> None:
    """pre-commit adds the names of changed models to the entry of the hook."""
    hooks = {
        hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    }
    program, *words = hooks["graphcount"]["entry"].split()
    assert program == "graphcount"
    text = f'uncovered = "{action}"\nexclude = ["server/old.*"]\n'
    names = ("server/old.onnx", "server/new.onnx", "edge/cnn.onnx")
    code, out, err = run(text, *words, *names)
    assert (code, err) == (int(action == "fail"), "")
    assert "pass  edge/cnn.onnx" in out
    assert "server/old.onnx" not in out
    assert out.rstrip().endswith(" 1 excluded")


@pytest.mark.parametrize("glob", ["server", "server/", "server/*.onnx", "s*", "*/old.onnx"])
def test_excluded_at_the_top(run: Run, glob: str) -> None:
    """Also where a check or an option would apply; paths are relative to the configuration."""
    text = f'exclude = ["{glob}"]\n'
    code, out, err = run(text, "check", "server/old.onnx", "--max", "parameters=1")
    assert (code, out, err) == (0, "0 models, 0 limits: nothing held; 1 excluded\n", "")
    other = text + '[[checks]]\npaths = ["*/*.onnx"]\nmax = {nodes = 99}\n'
    code, out, err = run(other, "check")
    assert (code, err) == (0, "")
    assert "server/old.onnx" not in out
    assert "edge/cnn.onnx" in out


def test_a_check_all_of_whose_models_are_excluded_is_an_error(run: Run) -> None:
    code, out, err = run('exclude = ["edge"]\n', "check")
    assert (code, out) == (2, "")
    assert err == "graphcount: graphcount.toml:2: check edge excludes every file\n"


def test_what_passed_may_be_hidden(run: Run) -> None:
    text = '[[checks]]\npaths = ["*/*.onnx"]\nmax = {nodes = 1, parameters = "1M"}\n'
    _, out, _ = run(text, "check", "edge/cnn.onnx", "--hide-passed")
    assert "pass" not in out
    assert "kept:" not in out
    assert "FAIL  edge/cnn.onnx  check 1" in out
    assert out.endswith("\n1 model, 3 limits: 1 failed\n")
    also = ("--also", "markdown=x.md", "--also", "json=x.json")
    run(text, "check", "edge/cnn.onnx", "--hide-passed", *also)
    comment = Path("x.md").read_text("utf-8")
    assert ("nodes" in comment, "<details>" in comment) == (True, False)
    report = json.loads(Path("x.json").read_text("utf-8"))
    assert sum(len(check["verdicts"]) for check in report["checks"]) == 3


def test_what_is_not_known_is_counted(run: Run) -> None:
    text = '[[checks]]\npaths = ["*/*.onnx"]\nmax = {macs = "1G"}\n'
    code, out, _ = run(text, "check", "edge/cnn.onnx")
    assert code == 1
    assert out.endswith("\n1 model, 2 limits: 1 failed, 1 limit not known\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            'dims = {batch = 1}\nuncovered = "wran"\n',
            "graphcount.toml:2: uncovered: 'wran' is none of fail, warn, ignore;"
            " did you mean warn?",
        ),
        ("uncovered = 1\n", "graphcount.toml:1: uncovered: 1 is none of fail, warn, ignore"),
        (
            'uncoverd = "warn"\n',
            "graphcount.toml:1: uncoverd: unknown key; did you mean uncovered?",
        ),
        ('exclude = "server"\n', "graphcount.toml:1: exclude: must be a list, not 'server'"),
        ("exclude = [1]\n", "graphcount.toml:1: exclude[0]: must be a text, not 1"),
    ],
)
def test_bad_values(run: Run, text: str, complaint: str) -> None:
    assert run(text, "check") == (2, "", f"graphcount: {complaint}\n")


def test_python_has_it_too(run: Run) -> None:
    run('uncovered = "ignore"\nexclude = ["*/old.onnx"]\n', "--version")
    checked = graphcount.check(["server", "edge"], config=load_config())
    assert (checked.exit_code, len(checked.reports)) == (0, 1)
    assert checked.ignored == ("server/new.onnx",)
    assert checked.excluded == ("server/old.onnx",)
