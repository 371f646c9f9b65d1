"""Modules from names: what each exporter leaves, and names that are meant to hurt."""

from __future__ import annotations

import pytest

from graphcount.analysis.names import MAX_DEPTH, Modules
from graphcount.loading.model import Node

SCOPES = "pkg.torch.onnx.name_scopes"


def node(name: str, scopes: str | None = None) -> Node:
    metadata = {} if scopes is None else {SCOPES: scopes}
    return Node("MatMul", "", name, (), (), (), "", metadata, 0)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("/features/features.0/Conv", "features.0"),
        ("/layer1/layer1.0/conv1/Conv", "layer1.0.conv1"),
        ("/encoder/layer.0/attention/self/query/MatMul", "encoder.layer.0.attention.self.query"),
        ("/encoder/layer.0/attention/self/Add", "encoder.layer.0.attention.self"),
        ("/a/b/b.0/Relu", "a.b.0"),
        ("/Relu", ""),
        ("Relu_7", ""),
        ("", ""),
        ("StatefulPartitionedCall/model/dense/MatMul", "dense"),
        ("model_1/lstm/scan/MatMul", "lstm.scan"),
    ],
)
def test_names_of_nodes(name: str, module: str) -> None:
    assert Modules().of(node(name)) == module


def test_paths_that_are_remembered_stay_right() -> None:
    modules = Modules()
    names = ["/a/a.0/x/Op", "/a/a.0/Op", "/a/Op", "/a/a.0/x/y/Op", "/a/a.1/x/Op"]
    found = [modules.of(node(name)) for name in names]
    assert found == ["a.0.x", "a.0", "a", "a.0.x.y", "a.1.x"]
    assert found == [Modules().of(node(name)) for name in names]


def test_a_parameters_dotted_name_says_most() -> None:
    assert Modules().of(node("/x/Op"), ["val_3", "encoder.0.weight"]) == "encoder.0"


def test_scopes_of_torch_export() -> None:
    scopes = "['', 'layers', 'layers.0', 'layers.0.norm', 'layer_norm']"
    assert Modules().of(node("node_1", scopes)) == "layers.0.norm"
    assert Modules().of(node("node_1", "['']")) == ""
    assert Modules().of(node("node_1", "garbage [[[")) == ""


@pytest.mark.parametrize(
    "name", ["/a" * 20_000 + "/Op", "/" * 50_000, "a.b" * 30_000, "/" + "a." * 900]
)
def test_paths_are_bounded(name: str) -> None:
    for owned in ((), (name,)):
        path = Modules().of(node(name), owned)
        assert path.count(".") < MAX_DEPTH
        assert len(path) <= 1024
