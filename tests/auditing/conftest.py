"""Helpers of the audit tests: run it, keep one rule's findings, and bytes by hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphcount import api
from graphcount.report.finding_rows import Finding

Audit = Callable[..., list[Finding]]


@pytest.fixture
def audit() -> Audit:
    """Audit a path and return the findings, of one rule when it is named."""

    def run(path: str, rule: str = "", **options: Any) -> list[Finding]:
        report = api.audit(path, **{"deep": True, **options})
        assert report.audit is not None
        assert report.audit.complete, report.findings
        return [finding for finding in report.findings if finding.rule.startswith(rule)]

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write a model or its bytes to a file and return the path."""

    def make(model: onnx.ModelProto | bytes, name: str = "model.onnx") -> str:
        path = tmp_path / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return str(path)

    return make


@pytest.fixture
def plain() -> Callable[..., onnx.ModelProto]:
    """A small sound model: y = Relu(x W), W of 4 x 3 different numbers."""

    def make(change: Callable[[onnx.ModelProto], object] | None = None) -> onnx.ModelProto:
        weight = helper.make_tensor("W", TensorProto.FLOAT, [4, 3], [i / 7 for i in range(12)])
        graph = helper.make_graph(
            [
                helper.make_node("MatMul", ["x", "W"], ["h"], name="matmul"),
                helper.make_node("Relu", ["h"], ["y"], name="relu"),
            ],
            "main",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
            [weight],
        )
        opsets = [helper.make_opsetid("", 20)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        if change is not None:
            change(model)
        return model

    return make


@pytest.fixture
def side(tmp_path: Path) -> Callable[..., str]:
    """A model whose W [4, 3] lies in `w.bin` (48 bytes); entries replace or add keys."""

    def make(*entries: tuple[str, str], content: bytes | None = b"", **fields: Any) -> str:
        if content is not None:
            (tmp_path / "w.bin").write_bytes(content or bytes(range(48)))
        tensor = TensorProto(name="W", data_type=1, dims=[4, 3], **fields)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in entries or (("location", "w.bin"),):
            tensor.external_data.add(key=key, value=value)
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "W"], ["y"])],
            "main",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
            [tensor],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return str(path)

    return make


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


class Raw:
    """The protobuf encoding, by hand."""

    varint = staticmethod(varint)
    field = staticmethod(field)


@pytest.fixture(scope="session")
def raw() -> type[Raw]:
    return Raw


@pytest.fixture
def add() -> Callable[..., Callable[[onnx.ModelProto], object]]:
    """A change that adds an initializer which an Identity node gives out."""

    def make(tensor: Any, name: str = "extra") -> Callable[[onnx.ModelProto], object]:
        proto = tensor if isinstance(tensor, TensorProto) else numpy_helper.from_array(tensor, name)

        def change(model: onnx.ModelProto) -> None:
            model.graph.initializer.append(proto)
            model.graph.node.append(helper.make_node("Identity", [proto.name], ["extra out"]))
            model.graph.output.append(onnx.ValueInfoProto(name="extra out"))

        return change

    return make


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every path that os.open is given from now on."""
    paths: list[str] = []
    real = os.open

    def record(path: Any, *rest: Any, **more: Any) -> int:
        paths.append(str(path))
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", record)
    return paths
