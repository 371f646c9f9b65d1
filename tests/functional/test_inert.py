"""No line of any output is a command of a CI runner, wherever a long name is wrapped.

GitHub's runner trims a line and looks for `::` at its beginning; it and Azure's find `##[` and
`##vso[` anywhere in a line, in letters of either case.
"""

from __future__ import annotations

import re
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from graphcount.cli.main import main

ATTACK = "layer word ::error::forged ##vso[task.complete result=Succeeded] ##[error]x ##VSO[a]b"
NAMES = [f"{'w ' * pad}{ATTACK}" for pad in range(0, 40, 3)] + ["x" * 74 + "::error::forged"]
COMMAND = re.compile(r"^\s*::|##(?:vso)?\[", re.IGNORECASE | re.MULTILINE)

LINES = [
    "count M",
    "count M --by node --all",
    "count M --by tensor --all --format csv",
    "count M --by module --depth 9",
    "count M --format markdown",
    "count M --format json",
    "count M --format jsonl",
    "count M --format csv",
    "count M --format cyclonedx",
    "count M --format spdx",
    "count M --style bars",
    "count M --style torchinfo",
    "audit M",
    "audit M --format json",
    "audit M --format markdown",
    "audit M --format sarif",
    "audit M --format gitlab",
    "audit M --format csv",
    "check M --max parameters=1",
    "check M --max parameters=1 --max macs=1 --format json",
    "check M --max parameters=1 --format markdown",
    "check M --max parameters=1 --format junit",
    "check M --max parameters=1 --format sarif",
    "check M --max parameters=1 --format gitlab",
    "check M --max parameters=1 --format gitlab-metrics",
    "diff M N",
    "diff M N --by node",
    "diff M N --format json",
    "diff M N --format csv",
    "diff M N --format markdown",
    "plan M",
    "plan M --format json",
    "explain M N0",
    "export M --format mermaid",
    "export M --format dot",
    "export M --format graphml",
    "export M --format gexf",
    "export M --format node-link",
    "export M --format netron",
    "export M --format mermaid-state",
    "init M -o -",
    "scan D",
    "deploy D",
    "deploy D --format json",
    "deploy D --format markdown",
]


def model(path: Path, names: list[str]) -> None:
    """A chain of products; every name is an attack."""
    nodes, tensors, value = [], [], names[0]
    for index, name in enumerate(names):
        weight = f"{name}.weight{index}"
        tensors.append(helper.make_tensor(weight, TensorProto.FLOAT, [3, 3], [float(index)] * 9))
        nodes.append(helper.make_node("MatMul", [value, weight], [f"{name}/{index}"], f"{name}"))
        value = f"{name}/{index}"
    nodes.append(helper.make_node(ATTACK, [value], ["y"], domain=ATTACK, doc_string=ATTACK))
    rows = [helper.make_tensor_value_info(row, 1, [ATTACK, 3]) for row in (names[0], "y")]
    graph = helper.make_graph(nodes, ATTACK, rows[:1], rows[1:], tensors, doc_string=ATTACK)
    made = helper.make_model(graph, producer_name=ATTACK, doc_string=ATTACK)
    helper.set_model_props(made, {ATTACK: ATTACK})
    made.opset_import.append(helper.make_opsetid(ATTACK, 1))
    onnx.save(made, path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inert")
    model(folder / "m.onnx", NAMES)
    model(folder / "n.onnx", NAMES[3:])
    return folder


@pytest.mark.parametrize("line", LINES)
def test_no_line_is_a_command(
    line: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    words = {"M": "m.onnx", "N": "n.onnx", "D": ".", "N0": NAMES[5]}
    for width in (100, 41, 67):
        monkeypatch.setenv("COLUMNS", str(width))
        main([words.get(word, word) for word in line.split()])
        out, err = capsys.readouterr()
        assert out
        assert (width, COMMAND.findall(out), COMMAND.findall(err)) == (width, [], [])
