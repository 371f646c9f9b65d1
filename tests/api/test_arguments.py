"""What callers in Python write: taken as they mean it, or refused in words that name it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import graphcount
from graphcount.errors import UsageError

CALLS: dict[str, Callable[..., Any]] = {
    "load": graphcount.load,
    "count": graphcount.count,
    "audit": graphcount.audit,
    "explain": graphcount.explain,
    "page": graphcount.page,
    "plan": graphcount.plan,
    "check": lambda path: graphcount.check(path, max={"nodes": 99}),
    "export": lambda path: graphcount.export(path, "dot"),
    "diff": lambda path: graphcount.diff(path, path),
}
"""Functions of a path."""


@pytest.fixture
def path(fixtures: Path) -> str:
    return str(fixtures / "cnn.onnx")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_model_is_named_by_its_path(path: str, call: Callable[..., Any]) -> None:
    for wrong in (None, 3, b"model.onnx", io.BytesIO(), onnx.load(path)):
        with pytest.raises(UsageError) as caught:
            call(wrong)
        kind = type(wrong).__name__
        assert caught.value.message == (
            f"a model is named by its path, not by {kind}; save it to a file first"
        )
    call(Path(path))


@pytest.mark.parametrize("wrong", [{"dim": {"batch": 1}}, {"runs": 3}], ids=["dim", "runs"])
def test_an_option_that_is_none_is_refused(path: str, wrong: dict[str, Any]) -> None:
    for call in (graphcount.count, graphcount.check, graphcount.bench, graphcount.plan):
        limits: dict[str, Any] = {"max": {"macs": 1}} if call is graphcount.check else {}
        with pytest.raises(TypeError, match=r"there is no option '(dim|runs)'"):
            call(path, **limits, **wrong)


def test_one_name_is_one_name(path: str) -> None:
    assert [row.node.id for row in graphcount.explain(path, "node_linear_1").nodes] == [
        "node_linear_1"
    ]
    audited = graphcount.audit(path, select="EXT").audit
    assert audited is not None
    assert {rule[:3] for rule in audited.rules} == {"EXT"}
    wanted: Any = "int8"
    assert [row.dtype for row in graphcount.plan(path, dtypes=wanted).sizes] == ["int8"]


def test_integers_of_numpy_are_sizes(path: str) -> None:
    shape: Any = np.array([2, 3, 32, 32])
    batch: Any = np.int64(2)
    expected = 2 * 373_856
    report = graphcount.count(path, dims={"batch": batch})
    assert (report.totals.macs, type(report.dims["batch"])) == (expected, int)
    assert graphcount.count(path, shapes={"x": shape}).totals.macs == expected
    assert graphcount.count(path).macs(batch=batch) == expected


@pytest.mark.parametrize("size", ["2", 2.0, True, -1, None])
def test_what_is_no_size_is_shown_as_it_was_written(path: str, size: Any) -> None:
    with pytest.raises(UsageError, match=f"batch: {size!r} is no size"):
        graphcount.count(path, dims={"batch": size})
    with pytest.raises(UsageError, match=f"batch: {size!r} is no size"):
        graphcount.count(path).macs(batch=size)


def test_a_convention_that_is_none_is_refused(path: str) -> None:
    wrong: Any = "pytorch"
    with pytest.raises(UsageError, match="'pytorch' is none of graphcount, torchinfo"):
        graphcount.count(path, macs_convention=wrong)


def test_findings_are_set_aside_for_a_reason(path: str) -> None:
    with pytest.raises(UsageError, match="EXT011: give a reason"):
        graphcount.audit(path, ignore={"EXT011": " "})


def test_growth_needs_a_baseline(path: str) -> None:
    with pytest.raises(UsageError) as caught:
        graphcount.check(path, max_increase={"nodes": "5%"})
    assert caught.value.message.startswith("max_increase needs a baseline; ")
