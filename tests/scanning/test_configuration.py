"""A scan reads the configuration as other commands do, and says what it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import graphcount
from graphcount.config import load_config
from tests.scanning.conftest import Run


@pytest.fixture
def project(tmp_path: Path, fixtures: Path) -> Path:
    """A folder with cnn.onnx, whose batch is dynamic, and old/cnn.onnx."""
    for name in ("cnn.onnx", "old/cnn.onnx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((fixtures / "cnn.onnx").read_bytes())
    return tmp_path


def macs(text: str) -> list[int | None]:
    return [json.loads(line)["macs"] for line in text.splitlines()]


def test_dims_of_the_configuration(scan: Run, project: Path) -> None:
    """MACs are batch x those of one sample; that no model has a dimension is no error here."""
    one = scan("cnn.onnx", "--dim", "batch=1", "--format", "jsonl")
    (expected,) = macs(one.stdout)
    assert expected
    assert macs(scan("cnn.onnx", "--format", "jsonl").stdout) == [None]
    (project / "graphcount.toml").write_text('dims = {batch = 3, other = 5, range = "1:8"}\n')
    done = scan("cnn.onnx", "--format", "jsonl")
    assert (done.returncode, macs(done.stdout), done.stderr) == (0, [3 * expected], "")
    given = scan("cnn.onnx", "--dim", "batch=2", "--format", "jsonl")
    assert macs(given.stdout) == [2 * expected]
    without = scan("cnn.onnx", "--no-config", "--format", "jsonl")
    assert macs(without.stdout) == [None]
    wrong = scan("cnn.onnx", "--dim", "other=5", "--dim", "batch=1")
    assert wrong.returncode == 2
    assert "other" in wrong.stderr


def test_limits_of_the_configuration(scan: Run, project: Path) -> None:
    (project / "graphcount.toml").write_text("[limits]\nwork = 3\n")
    assert scan("cnn.onnx").returncode == 2
    assert scan("cnn.onnx", "--limit", "work=99k").returncode == 0
    (project / "graphcount.toml").write_text("[limts]\nnodes = 3\n")
    done = scan("cnn.onnx")
    complaint = "graphcount: graphcount.toml:1: limts: unknown key; did you mean limits?\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", complaint)


def test_excluded_models_are_no_rows_and_are_counted(scan: Run, project: Path) -> None:
    (project / "other.toml").write_text('exclude = ["old"]\n')
    done = scan(".", "--config", "other.toml", "-o", "i.jsonl", "-o", "i.sqlite")
    assert done.returncode == 0
    assert done.stderr == "graphcount: i.jsonl, i.sqlite: 1 model written; 1 excluded\n"
    rows = (project / "i.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(row)["path"] for row in rows] == ["cnn.onnx"]
    done = scan(".", "--config", "other.toml")
    assert done.stderr == "graphcount: 1 excluded\n"
    done = scan(".", "--config", "other.toml", "-o", "q.csv", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    all_of_it = scan("old", "--config", "other.toml")
    assert all_of_it.returncode == 2
    assert "no model" in all_of_it.stderr


def test_python_has_it_too(scan: Callable[..., object], project: Path) -> None:
    (project / "other.toml").write_text('exclude = ["old"]\n')
    exclude = load_config(str(project / "other.toml")).excludes
    with graphcount.inventory([str(project)], exclude=exclude, jobs=1) as scanned:
        assert (scanned.models, scanned.excluded) == (1, 1)


def test_the_audit_of_the_configuration(scan: Run, fixtures: Path, tmp_path: Path) -> None:
    """mlp_external has one finding of severity info: EXT011."""
    for name in ("mlp_external.onnx", "mlp_external.onnx.data"):
        (tmp_path / name).write_bytes((fixtures / name).read_bytes())

    def rules(*options: str) -> tuple[int, dict[str, int]]:
        done = scan("mlp_external.onnx", "--audit", "--format", "jsonl", *options)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)["rules"]

    config = tmp_path / "graphcount.toml"
    assert rules() == (0, {"EXT011": 1})
    config.write_text('[audit]\nfail_on = "info"\n')
    assert rules() == (1, {"EXT011": 1})
    assert rules("--fail-on", "low") == (0, {"EXT011": 1})
    assert rules("--no-config") == (0, {"EXT011": 1})
    config.write_text('[audit.models."mlp*"]\nfail_on = "info"\nselect = ["FMT"]\n')
    assert rules() == (0, {})
    assert rules("--select", "EXT") == (1, {"EXT011": 1})
    config.write_text('[audit]\nfail_on = "info"\nignore = [{rule = "EXT011", reason = "kept"}]\n')
    assert rules() == (0, {})
    config.write_text('[audit]\nfail_on = "info"\n[[checks]]\nmax = {nodes = 1}\n')
    assert scan("mlp_external.onnx").returncode == 0  # no audit is asked for
