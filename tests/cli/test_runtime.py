"""`graphcount check --runtime`: exit codes, words and formats, by subprocess."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from onnx import parser

import graphcount
from graphcount.errors import UsageError

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
LOADS = HEAD + "g (float[2] x) => (float[2] z) { z = Relu(x) }"
REFUSED = HEAD + "g (double[2] x) => (double[2] z) { y = Relu(x) z = Tan(y) }"
NOT_KNOWN = HEAD + (
    'g (string[2] x) => (string[n] z) { z = StringNormalizer <case_change_action = "LOWER"> (x) }'
)
WHY = "refuses it at Tan_1: no kernel for Tan of opset 7 with tensor(double)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("loads", LOADS), ("refused", REFUSED), ("unknown", NOT_KNOWN)):
        model = parser.parse_model(text)
        (tmp_path / f"{name}.onnx").write_bytes(model.SerializeToString())
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "graphcount", "check", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_model_that_loads_passes(folder: Path) -> None:
    done = run(folder, "loads.onnx", "--runtime", "onnxruntime:1.32/cpu")
    assert done.returncode == 0
    assert "onnxruntime:1.32.0/cpu loads it" in done.stdout


def test_a_model_that_is_refused_fails_with_its_node(folder: Path) -> None:
    done = run(folder, "refused.onnx", "--runtime", "onnxruntime")
    assert done.returncode == 1
    assert WHY in " ".join(done.stdout.split())
    assert "BUD014" in done.stdout


def test_what_is_not_known_fails_too(folder: Path) -> None:
    done = run(folder, "unknown.onnx", "--runtime", "onnxruntime")
    assert done.returncode == 1
    assert "BUD002" in done.stdout
    assert "is not known at StringNormalizer_0: it needs the locale en_US" in " ".join(
        done.stdout.split()
    )


@pytest.mark.parametrize("name", ["tensorrt", "onnxruntime:9.9", "onnxruntime/cuda", "../x", ""])
def test_a_runtime_without_a_table_is_one_line(folder: Path, name: str) -> None:
    done = run(folder, "loads.onnx", "--runtime", name)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_several_runtimes(folder: Path) -> None:
    text = LOADS.replace(": 17", ": 25").replace("n: 8", "n: 12")
    (folder / "new.onnx").write_bytes(parser.parse_model(text).SerializeToString())
    names = ("onnxruntime:1.32", "onnxruntime:1.20")
    done = run(folder, "new.onnx", "--runtime", names[0], "--runtime", names[1])
    assert done.returncode == 1
    assert "onnxruntime:1.20.1/cpu refuses it: IR version 12 is newer than 10" in done.stdout


def test_standard_input_is_not_known(folder: Path) -> None:
    command = [sys.executable, "-m", "graphcount", "check", "-", "--runtime", "onnxruntime"]
    data = (folder / "loads.onnx").read_bytes()
    done = subprocess.run(command, input=data, capture_output=True)
    assert done.returncode == 1
    assert b"standard input and memory cannot be" in done.stdout


def test_a_key_of_a_check(folder: Path) -> None:
    (folder / "graphcount.toml").write_text(
        '[[checks]]\nname = "device"\npaths = ["*s.onnx", "r*.onnx"]\n'
        'runtime = "onnxruntime:1.32"\n'
    )
    done = run(folder)
    assert done.returncode == 1
    assert "loads.onnx  device: onnxruntime:1.32.0/cpu loads it" in done.stdout
    assert "graphcount.toml:4" in done.stdout


def test_a_wrong_key_has_its_line(folder: Path) -> None:
    text = '[[checks]]\nruntime = ["onnxruntime:1.32", "tensorrt"]\n'
    (folder / "graphcount.toml").write_text(text)
    done = run(folder, "loads.onnx")
    assert done.returncode == 2
    assert "graphcount.toml:2" in done.stderr
    assert "'tensorrt' is not known" in done.stderr


@pytest.mark.parametrize("form", ["json", "junit", "sarif", "markdown", "github", "gitlab"])
def test_every_format_says_it(folder: Path, form: str) -> None:
    done = run(folder, "refused.onnx", "--runtime", "onnxruntime", "--format", form)
    assert done.returncode == 1
    assert "no kernel for Tan of opset 7" in done.stdout


def test_json_has_the_cause_and_the_node(folder: Path) -> None:
    done = run(folder, "refused.onnx", "--runtime", "onnxruntime", "--format", "json")
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["rule"] == "BUD014"
    assert finding["where"]["cause"] == "kernel"
    assert finding["where"]["node"] == "Tan_1"


def test_python_has_the_same(folder: Path) -> None:
    path = str(folder / "refused.onnx")
    checked = graphcount.check(path, runtime="onnxruntime:1.32/cpu")
    assert checked.exit_code == 1
    (report,) = checked.reports
    assert WHY in report.findings[0].message
    several = graphcount.check(str(folder / "loads.onnx"), runtime=["onnxruntime:1.24"])
    assert several.exit_code == 0
    with pytest.raises(UsageError, match="has no table"):
        graphcount.check(path, runtime="onnxruntime:9.9")
