"""Models written as ONNX text, and the findings of one rule on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper, parser

import graphcount
from graphcount.auditing.context import Context
from graphcount.auditing.trigger.flow import Flow
from graphcount.auditing.trigger.widths import Widths
from graphcount.graph import build_graph
from graphcount.loading import read_model
from graphcount.report.finding_rows import Finding

Write = Callable[..., str]
Find = Callable[..., list[Finding]]


@pytest.fixture
def write(tmp_path: Any) -> Write:
    """Save a model written as text: `write("(float[N] x) => (float[N] y) { y = Relu(x) }")`."""
    made = 0

    def make(
        text: str,
        tensors: Mapping[str, Any] | None = None,
        *,
        functions: Sequence[str] = (),
        opsets: Mapping[str, int] | None = None,
        ir: int = 10,
        change: Callable[[onnx.ModelProto], None] | None = None,
    ) -> str:
        nonlocal made
        made += 1
        imports = ", ".join(
            f'"{domain}" : {version}' for domain, version in (opsets or {"": 20}).items()
        )
        head = f"<ir_version: {ir}, opset_import: [{imports}]>\nmodel "
        model = parser.parse_model(head + text + "\n" + "\n".join(functions))
        for name, numbers in (tensors or {}).items():
            tensor = numbers if isinstance(numbers, TensorProto) else _tensor(name, numbers)
            model.graph.initializer.append(tensor)
        if change is not None:
            change(model)
        path = tmp_path / f"model{made}.onnx"
        path.write_bytes(model.SerializeToString())
        return str(path)

    return make


def _tensor(name: str, numbers: Any) -> TensorProto:
    return numpy_helper.from_array(np.asarray(numbers), name)


@pytest.fixture
def find() -> Find:
    """Findings of some rules on a file: `find(path, "GRF001")`."""

    def run(path: str, *rules: str, **options: Any) -> list[Finding]:
        from graphcount.api import audit

        report = audit(path, select=rules, **options)
        assert report.audit is not None
        assert report.audit.complete
        return list(report.findings)

    return run


@pytest.fixture
def context(write: Write) -> Iterator[Callable[..., Context]]:
    """A model written as text, under audit: `context("(…) => (…) {…}", tensors)`."""
    made = []

    def make(text: str, tensors: Mapping[str, Any] | None = None) -> Context:
        file = read_model(write(text, tensors), keep_thin=True)
        made.append(Context(file, build_graph(file.proto), deep=True))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def flow(context: Callable[..., Context]) -> Callable[..., Flow]:
    """How values flow through a model written as text."""
    return lambda text, tensors=None: Flow(context(text, tensors))


@pytest.fixture
def widths(flow: Callable[..., Flow]) -> Callable[..., Widths]:
    """Through how few elements values of a model written as text depend on its inputs."""
    return lambda text, tensors=None: Widths(flow(text, tensors))


__all__ = ["graphcount"]
