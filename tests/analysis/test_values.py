"""What is read to decide a kind does not depend on how deep a model is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.analysis.counts import count
from graphcount.analysis.stored import find_stored
from graphcount.analysis.values import HEAD_ELEMENTS, HEADS_NBYTES, Values
from graphcount.cli.main import main
from graphcount.errors import GraphcountError
from graphcount.graph import build_graph
from graphcount.loading import read_model

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
RANDOM = np.random.default_rng(3)
WIDTH = 1500
N = helper.make_node

# Each is larger than what is kept of a file while it is read.
STORED: dict[str, tuple[np.ndarray, str]] = {
    "emb.weight": (RANDOM.standard_normal((9, WIDTH)), "parameter"),
    "pe": (
        np.stack([f(np.arange(40)[:, None] / 1e4 ** (np.arange(WIDTH // 2) / (WIDTH // 2)))
                  for f in (np.sin, np.cos)], -1).reshape(40, WIDTH),
        "buffer",
    ),
    "onnx::Scale_1": (np.ones(WIDTH), "constant"),
    "onnx::Bias_2": (np.zeros(WIDTH), "constant"),
    "h.attn.bias": (np.tril(np.ones((40, WIDTH))), "buffer"),
    "fc.weight": (RANDOM.standard_normal((WIDTH, 3)), "parameter"),
    "fc.weight_q": (RANDOM.integers(2, 99, (WIDTH, 3)), "parameter"),
    "fc.weight_s": (RANDOM.random((WIDTH, 1)), "quantization"),
    "onnx::Add_9": (np.where(np.tril(np.ones((40, WIDTH))) == 1, 0, -np.inf), "constant"),
}  # fmt: skip
PARAMETERS = 9 * WIDTH + 2 * 3 * WIDTH
NODES = [
    N("Gather", ["emb.weight", "i"], ["e"]),
    N("Add", ["e", "pe"], ["p"]),
    N("LayerNormalization", ["p", "onnx::Scale_1", "onnx::Bias_2"], ["n"]),
    N("Mul", ["n", "h.attn.bias"], ["m"]),
    N("Add", ["m", "onnx::Add_9"], ["a"]),
    N("MatMul", ["a", "fc.weight"], ["y1"]),
    N("Cast", ["fc.weight_q"], ["c"], to=1),
    N("Mul", ["c", "fc.weight_s"], ["d"]),
    N("MatMul", ["a", "d"], ["y2"]),
    N("Add", ["y1", "y2"], ["y"]),
]


@pytest.fixture(params=["in the file", "as varints", "external"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Path of a model whose kinds want values of tensors that are not kept."""
    values = []
    for name, (array, _) in STORED.items():
        typed = array.astype(np.int8 if name.endswith("_q") else np.float32)
        tensor = numpy_helper.from_array(typed, name)
        if request.param == "as varints" and name.endswith("_q"):
            tensor = helper.make_tensor(name, TensorProto.INT8, typed.shape, typed.ravel())
        if request.param == "external":
            onnx.external_data_helper.set_external_data(tensor, "m.data")
        values.append(tensor)
    inputs = [helper.make_tensor_value_info("i", TensorProto.INT64, [40])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [40, 3])]
    graph = helper.make_graph(NODES, "g", inputs, outputs, values)
    path = str(tmp_path / "m.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
    return path


@pytest.mark.parametrize("deep", [None, True, False])
def test_a_kind_is_the_same_however_deep(path: str, deep: bool | None) -> None:
    options: dict[str, Any] = {} if deep is None else {"deep": deep}
    report = graphcount.count(path, **options)
    assert {row.name: row.kind for row in report.tensors} == {
        name: kind for name, (_, kind) in STORED.items()
    }
    assert report.totals.parameters == PARAMETERS


def test_commands_agree_to_the_element(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, Any]:
        code = main(list(arguments))
        return code, json.loads(capsys.readouterr().out)

    for deep in ([], ["--deep"], ["--no-deep"]):
        assert run("count", path, *deep, "--format", "json")[1]["totals"]["parameters"] == (
            PARAMETERS
        )
    code, report = run("check", path, "--max", f"parameters={PARAMETERS}", "--format", "json")
    assert code == 0
    code, report = run("check", path, "--max", f"parameters={PARAMETERS - 1}", "--format", "json")
    assert code == 1
    code, report = run("diff", path, path, "--format", "json")
    assert code == 0
    assert f'"old": {PARAMETERS}, "new": {PARAMETERS}' in json.dumps(report)
    assert main(["scan", str(tmp_path), "--format", "jsonl"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["parameters"] == PARAMETERS
    assert main(["scan", str(tmp_path), "--max", f"parameters={PARAMETERS - 1}"]) == 1


def models() -> Iterator[str]:
    """Yield every model of the stored sets."""
    yield from sorted(str(path) for path in SHARED.rglob("*.onnx"))


def counted(path: str, budget: int) -> list[tuple[str, str, str, int]]:
    model = read_model(path)
    with closing(Values(path, budget)) as values:
        rows = count(model, build_graph(model.proto), values).rows
    return [(row.stored.name, row.verdict.kind, row.verdict.reason, row.elements) for row in rows]


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not there")
def test_kinds_are_the_same_in_all_models_however_deep() -> None:
    compared = 0
    for path in models():
        try:
            rows = counted(path, 0)
        except GraphcountError:
            continue
        assert rows == counted(path, 1 << 62), path
        compared += 1
    assert compared > 700


# ------------------------------------------------------------------------------------- the reader

Save = Callable[..., str]


def heads(path: str, budget: int = 0) -> dict[str, Any]:
    model = read_model(path)
    with closing(Values(path, budget)) as values:
        return {one.name: values.head(one) for one in find_stored(model.proto, path)}


def test_the_first_elements_are_those_of_the_tensor(path: str) -> None:
    for name, head in heads(path).items():
        wanted = STORED[name][0].ravel()[:HEAD_ELEMENTS]
        dtype = np.int8 if name.endswith("_q") else np.float32
        assert np.array_equal(np.array(head), wanted.astype(dtype).astype(float)), name


def test_what_is_read_of_a_model_is_limited(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit counts bytes read, so the same tensors are looked at with every budget."""
    monkeypatch.setattr("graphcount.analysis.values.HEADS_NBYTES", 20_000)
    seen = [[name for name, head in heads(path, budget).items() if head] for budget in (0, 1 << 62)]
    assert seen[0] == seen[1]
    assert 0 < len(seen[0]) < len(STORED)
    assert HEADS_NBYTES >= 4096 * 4 * HEAD_ELEMENTS


def test_what_cannot_be_read_again_has_no_first_elements(save: Save) -> None:
    kept = numpy_helper.from_array(np.arange(4, dtype=np.float32), "kept")
    large = numpy_helper.from_array(np.zeros(WIDTH, np.float32), "large")
    path = save([N("Add", ["x", "kept"], ["y"])], [kept, large], inputs=[("x", [4])], outputs=["y"])
    model = read_model(path)
    with closing(Values("-", 1 << 62)) as values:
        read = {one.name: values.head(one) for one in find_stored(model.proto, path)}
    assert read == {"kept": (0, 1, 2, 3), "large": None}
