"""`plan --memory`: by closed forms of a small decoder, at the answer and at one more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.cli.main import main
from graphcount.errors import UsageError
from tests.deploying import builders

Save = Callable[..., str]


def info(name: str, shape: list[Any], dtype: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def decoder(save: Save, length: str = "total_len") -> str:
    """A step of two heads of size 4, and a mask as long as the past and the new token.

    Live while the scores are made: the query, 32 bytes a sequence; all keys, moved keys and scores,
    32 + 32 + 8 bytes a token; nothing later is more.
    """
    nodes: list[tuple[str, str, str, dict[str, Any]]] = [
        ("MatMul", "x w", "q", {}),
        ("Relu", "x", "k", {}),
        ("Concat", "past_key k", "present_key", {"axis": 2}),
        ("Transpose", "present_key", "t", {"perm": [0, 1, 3, 2]}),
        ("MatMul", "q t", "s", {}),
        ("Cast", "mask", "m", {"to": TensorProto.FLOAT}),
        ("Add", "s m", "y", {}),
    ]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 4], [0.5] * 16)
    return save(
        [helper.make_node(op, a.split(), [b], f"{op}_{b}", **more) for op, a, b, more in nodes],
        [weight],
        inputs=[
            info("x", ["n", 2, 1, 4]),
            info("mask", ["n", 1, 1, length], TensorProto.INT64),
            info("past_key", ["n", 2, "past", 4]),
        ],
        outputs=["y", "present_key"],
    )


def taken(batch: int, context: int) -> dict[str, int]:
    """Return the bytes of a step, tensor by tensor."""
    weights, query = 16 * 4, 32 * batch
    keys = moved = 32 * batch * context
    scores, mask = 8 * batch * context, 8 * batch * context
    inputs = query + 32 * batch * (context - 1) + mask
    peak = query + keys + moved + scores
    return {
        "weight_nbytes": weights,
        "input_nbytes": inputs,
        "peak_nbytes": peak,
        "state_nbytes": keys,
        "total_nbytes": weights + inputs + peak,
    }


def parts(fit: Any) -> dict[str, int]:
    return {key: value for key, value in fit._asdict().items() if key in taken(1, 1)}


@pytest.mark.parametrize("length", ["total_len", "past_len + new_len", "past + 1"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("memory", [1_000, 123_456, 8 * 10**9])
def test_the_longest_context(save: Save, length: str, batch: int, memory: int) -> None:
    """Bytes are 64 + 32 batch + 112 batch x context."""
    planned = graphcount.plan(decoder(save, length), memory=memory, dims={"n": batch}).memory
    assert planned is not None
    fit = planned.longest
    assert fit is not None
    assert (fit.batch, fit.context) == (batch, (memory - 64 - 32 * batch) // (112 * batch))
    assert parts(fit) == taken(batch, fit.context)
    assert fit.total_nbytes <= memory < taken(batch, fit.context + 1)["total_nbytes"]
    assert fit.next_nbytes == taken(batch, fit.context + 1)["total_nbytes"]
    assert fit.dims["past"] == fit.context - 1


@pytest.mark.parametrize(("dims", "context"), [({}, 2048), ({"past": 9}, 10), ({"past": 0}, 1)])
def test_the_largest_batch(save: Save, dims: dict[str, int], context: int) -> None:
    memory = 10**7
    planned = graphcount.plan(decoder(save), memory=memory, dims=dims).memory
    assert planned is not None
    fit = planned.largest
    assert fit is not None
    assert (fit.batch, fit.context) == ((memory - 64) // (32 + 112 * context), context)
    assert parts(fit) == taken(fit.batch, context)
    assert fit.next_nbytes == taken(fit.batch + 1, context)["total_nbytes"] > memory
    assert planned.states == "32*n*past + 32*n"


def test_what_does_not_fit_is_said_with_its_bytes(save: Save) -> None:
    planned = graphcount.plan(decoder(save), memory="200B").memory
    assert planned is not None
    assert (planned.longest, planned.largest) == (None, None)
    context, batch = planned.reasons
    assert context.startswith("context: not even the least fits: 208 B at ")
    assert batch.startswith("batch: not even the least fits: 229.47 kB at ")


def test_a_model_without_what_grows_has_a_largest_batch_alone(save: Save) -> None:
    """An LSTM of one step: 5 + 5 hidden numbers in and out, 5 returned, 4 taken."""
    weights = [
        helper.make_tensor(name, TensorProto.FLOAT, [1, 20, size], [0.5] * 20 * size)
        for name, size in (("w", 4), ("r", 5))
    ]
    path = save(
        [
            helper.make_node(
                "LSTM", ["x", "w", "r", "", "", "h", "c"], ["y", "p", "q"], hidden_size=5
            )
        ],
        weights,
        inputs=[info("x", [1, "n", 4]), info("h", [1, "n", 5]), info("c", [1, "n", 5])],
        outputs=["y", "p", "q"],
    )
    planned = graphcount.plan(path, memory=10_000).memory
    assert planned is not None
    assert planned.longest is None
    assert planned.reasons == ("context: no state grows with a dynamic dimension",)
    assert planned.largest is not None
    assert planned.largest.batch == (10_000 - 20 * 9 * 4) // (4 * (4 + 5 + 5 + 15))


def test_refusals(save: Save, fixtures: Path) -> None:
    with pytest.raises(UsageError, match="hands nothing from one step to the next"):
        graphcount.plan(str(fixtures / "cnn.onnx"), memory="8GB")
    with pytest.raises(UsageError, match="is not"):
        graphcount.plan(decoder(save), memory="a lot")
    unknown = save(
        [
            helper.make_node("Mystery", ["x"], ["k"], domain="own"),
            helper.make_node("Concat", ["past_key", "k"], ["present_key"], axis=2),
            helper.make_node("Identity", ["k"], ["y"]),
        ],
        inputs=[info("x", ["n", 2, 1, 4]), info("past_key", ["n", 2, "past", 4])],
        outputs=["y", "present_key"],
        opsets=[("", 20), ("own", 1)],
    )
    with pytest.raises(UsageError, match="not all bytes"):
        graphcount.plan(unknown, memory="8GB")


def test_the_screen_and_the_json(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    path = decoder(save)
    assert main(["plan", path, "--memory", "1MB", "--dim", "n=2"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    context = (10**6 - 64 - 64) // 224
    assert f"longest context {context:,} 2" in out
    assert "weights + inputs (states taken in among them) + peak" in out
    assert "states handed on: 32*n*past + 32*n bytes" in out
    assert main(["plan", path, "--memory", "1MB", "--dim", "n=2", "--format", "json"]) == 0
    planned = json.loads(capsys.readouterr().out)["memory"]
    assert planned["longest"]["context"] == context
    assert main(["plan", path, "--memory", "much"]) == 2
    assert main(["plan", path, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["memory"] is None


def test_what_is_made_at_load_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = builders.decoder(tmp_path / "tied.onnx", cross=False, tied=True)
    table = builders.VOCABULARY * builders.WIDTH * 4  # turned once
    planned = graphcount.plan(str(path), memory="1MB").memory
    assert planned is not None
    assert planned.load_nbytes == table
    assert main(["plan", str(path), "--memory", "1MB"]) == 0
    assert "at load, in no sum: 6.14 kB" in capsys.readouterr().out
    other = builders.decoder(tmp_path / "apart.onnx", cross=False)
    assert main(["plan", str(other), "--memory", "1MB"]) == 0
    assert "at load" not in capsys.readouterr().out
