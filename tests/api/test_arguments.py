"""What callers in Python write: taken as they mean it, or refused in words that name it."""

from __future__ import annotations

import hashlib
import io
import re
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
def test_a_model_is_taken_as_people_hold_it(path: str, call: Callable[..., Any]) -> None:
    """Everything but the name of the model is what it is by its path."""
    data = Path(path).read_bytes()
    by_path = _told(call(path))
    with open(path, "rb") as file:
        assert _told(call(file)) == by_path
    for kept in (Path(path), data, bytearray(data), onnx.load(path)):
        assert _told(call(kept)) == by_path


def _told(result: Any) -> str:
    """Return what a result says, without names and digests of files."""
    if isinstance(result, graphcount.Model):
        result = result.report()
    text = result if isinstance(result, str) else repr(result)
    names = re.compile(
        r"<\w+ [0-9a-f]{8}>|(&lt;|\\u003c)\w+ [0-9a-f]{8}(&gt;|\\u003e)|[\w/.-]*cnn\.onnx"
    )
    return re.sub(r"\s+", " ", names.sub("MODEL", text))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_is_no_model_is_refused(call: Callable[..., Any]) -> None:
    nothing: tuple[Any, ...] = (None, 3, {})
    for wrong in nothing:
        with pytest.raises(UsageError, match=r"a path, bytes, an open file or an onnx\.ModelProto"):
            call(wrong)
    with pytest.raises(UsageError, match="opened in binary mode"):
        call(io.StringIO("ir_version: 10"))
    with pytest.raises(UsageError, match="nothing is left to read"):
        call(io.BytesIO())
    with pytest.raises(graphcount.NotOnnxError, match="not an ONNX model"):
        call(b"model.onnx")


def test_a_stream_is_read_from_where_it_stands(path: str, tmp_path: Path) -> None:
    data = Path(path).read_bytes()
    joined = tmp_path / "joined.bin"
    joined.write_bytes(b"head" + data)
    with joined.open("rb") as file:
        file.seek(4)
        assert graphcount.count(file).totals.parameters == 26_926
    assert graphcount.count(io.BytesIO(data), hash_file=True).model.sha256 == (
        hashlib.sha256(data).hexdigest()
    )


def test_a_model_in_memory_has_no_folder(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its external data is not looked for in the current folder."""
    monkeypatch.chdir(fixtures)
    with open("mlp_external.onnx", "rb") as file:
        assert graphcount.count(file).exact
    report = graphcount.count(Path("mlp_external.onnx").read_bytes())
    assert not report.exact
    assert any("which has no folder" in row.why for row in report.unknown)


def test_several_models_in_memory_stay_apart(fixtures: Path) -> None:
    models = [(fixtures / f"{name}.onnx").read_bytes() for name in ("cnn", "mlp_4_5_3")]
    checked = graphcount.check(models, max={"parameters": 1000})
    assert [len(report.findings) for report in checked.reports] == [1, 0]
    assert graphcount.diff(*models).totals


@pytest.mark.parametrize("call", [graphcount.bench, graphcount.init], ids=["bench", "init"])
def test_what_has_to_be_a_file(path: str, call: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match=r"needs a path, not <bytes [0-9a-f]{8}>; name a file"):
        call(Path(path).read_bytes())


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
