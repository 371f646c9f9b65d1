"""`graphcount audit` and `graphcount rules`: exit codes, streams, formats."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from graphcount import api
from graphcount.cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def missing(fixtures: Path, tmp_path: Path) -> Path:
    """A model whose side file is not there: one high and no critical finding."""
    path = tmp_path / "m.onnx"
    path.write_bytes((fixtures / "mlp_external.onnx").read_bytes())
    return path


def test_exit_codes(run: Run, fixtures: Path, missing: Path, tmp_path: Path) -> None:
    assert run("audit", fixtures / "cnn.onnx")[0] == 0
    assert run("audit", missing)[0] == 1
    assert run("audit", missing, "--fail-on", "critical")[0] == 0
    assert run("audit", missing, "--ignore", "EXT006=side files come later")[0] == 0
    assert run("audit", fixtures / "mlp_external.onnx")[0] == 0
    assert run("audit", fixtures / "mlp_external.onnx", "--fail-on", "info")[0] == 1
    assert run("audit", missing, tmp_path / "none.onnx")[0] == 2
    assert run("audit", missing, "--select", "NONE")[0] == 2
    assert run("audit", missing, "--ignore", "EXT006")[0] == 2


def test_an_error_line_names_its_rule(run: Run, tmp_path: Path, fixtures: Path) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes((fixtures / "cnn.onnx").read_bytes()[:5000])
    code, out, err = run("audit", cut)
    assert (code, out) == (2, "")
    assert err.startswith(f"graphcount: {cut}: FMT002 damaged: ")
    assert err.count("\n") == 1
    assert "FMT" not in run("count", cut)[2]
    _, out, _ = run("audit", cut, "--format", "jsonl")
    assert json.loads(out)["error"]["rule"] == "FMT002"
    assert run("rules", "FMT002")[0] == 0


def test_formats(run: Run, missing: Path) -> None:
    _, text, _ = run("audit", missing)
    assert "EXT006  external-data-missing" in text
    report = json.loads(run("audit", missing, "--format", "json")[1])
    assert [finding["rule"] for finding in report["findings"]] == ["EXT006"]
    assert report["audit"]["complete"]
    assert "| high | EXT006 |" in run("audit", missing, "--format", "markdown")[1]
    bom = json.loads(run("audit", missing, "--format", "cyclonedx")[1])
    assert bom["vulnerabilities"][0]["id"] == "EXT006"
    assert len(bom["components"][0]["hashes"][0]["content"]) == 64


@pytest.mark.parametrize("name", ["table", "json", "jsonl", "markdown", "sarif"])
def test_a_reason_is_repeated(run: Run, missing: Path, name: str) -> None:
    code, out, _ = run("audit", missing, "--ignore", "EXT006=later", "--format", name)
    assert code == 0
    assert "later" in out


def test_sarif_says_what_was_not_looked_at(run: Run, missing: Path) -> None:
    _, out, _ = run("audit", missing, "--ignore", "EXT006=later", "--no-deep", "--format", "sarif")
    (invocation,) = json.loads(out)["runs"][0]["invocations"]
    notes = invocation["toolExecutionNotifications"]
    assert invocation["executionSuccessful"] is True
    assert {note["level"] for note in notes} == {"note"}
    deep = sum(rule.reads_payload for rule in api.rules())
    assert [note["message"]["text"] for note in notes][1:] == [
        f"{deep} rules did not run: tensors were not read; --deep reads them",
        "1 of EXT006 suppressed: later",
    ]


def test_a_model_that_cannot_be_read_is_in_every_format_for_programs(
    run: Run, tmp_path: Path
) -> None:
    """Alone or beside others: a job that reads no output must not find an old file, or none."""
    missed = tmp_path / "none.onnx"
    for name in ("json", "jsonl", "sarif", "github", "gitlab"):
        code, out, _ = run("audit", missed, "--format", name)
        assert code == 2
        assert "no such file" in out
    assert json.loads(run("count", missed, "--format", "json")[1])["error"]["slug"]


def test_hash_names_every_file(run: Run, fixtures: Path) -> None:
    out = run("audit", fixtures / "mlp_external.onnx", "--format", "json", "--hash")[1]
    model = json.loads(out)["model"]
    assert len(model["sha256"]) == 64
    assert [len(file["sha256"]) for file in model["side_files"]] == [64]
    out = run("audit", fixtures / "mlp_external.onnx", "--format", "json")[1]
    assert json.loads(out)["model"]["side_files"] == [
        {"location": "mlp_external.onnx.data", "nbytes": 2048, "sha256": None, "host": ""}
    ]


def test_what_was_not_read_is_said(run: Run, fixtures: Path) -> None:
    _, out, _ = run("audit", fixtures / "cnn.onnx", "--no-deep")
    deep = sum(rule.reads_payload for rule in api.rules())
    assert f"{deep} rules did not run: tensors were not read; --deep reads them" in out


def test_standard_input_is_audited_whole(
    run: Run, fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(fixtures / "cnn.onnx") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        code, out, _ = run("audit", "-")
    assert code == 0
    assert "did not run" not in out


@pytest.mark.parametrize("name", ["EXT002", "ext002"])
def test_one_rule_is_explained(name: str, run: Run) -> None:
    code, out, err = run("rules", name)
    assert (code, err) == (0, "")
    assert out.startswith("EXT002  critical  external-data-traversal\n")
    assert "CVE-2022-25882" in out


def test_rules_are_listed_and_unknown_ones_refused(run: Run) -> None:
    code, out, _ = run("rules")
    assert code == 0
    assert len([line for line in out.splitlines() if line.startswith("  ")]) == len(api.rules())
    code, out, err = run("rules", "EXT", "NOPE")
    assert (code, out) == (2, "")
    assert "NOPE" in err
    code, out, _ = run("rules", "EXT", "--format", "json")
    assert {row["id"][:3] for row in json.loads(out)} == {"EXT"}


def test_annotations_of_an_audit_end_with_findings_not_limits(
    fixtures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = {
        "cnn.onnx": "1 model, 0 findings: no known sign",
        "mlp_external.onnx": "1 model, 1 finding: 1 with warnings",
    }
    for name, end in ends.items():
        assert main(["audit", str(fixtures / name), "--format", "github"]) == 0
        assert capsys.readouterr().out.endswith(f"graphcount: {end}\n")
