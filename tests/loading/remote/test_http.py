"""Models behind HTTP: the same report as from a file, for few requests and few bytes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

import graphcount
import graphcount.loading.remote as remote
import graphcount.loading.transfer as transfer
from graphcount.errors import GraphcountError, LimitError, NotReadableError
from graphcount.report.serial import to_dict

Save = Callable[..., str]


def same(url: str, path: Path | str, **options: Any) -> graphcount.Report:
    """Count both; everything but the path has to be equal."""
    options = {"deep": False, **options}
    far, near = graphcount.count(url, **options), graphcount.count(str(path), **options)
    expected = to_dict(near)
    expected["model"]["path"] = url
    assert to_dict(far) == expected
    return far


def sparse_model(path: Path, tensors: int, nbytes: int, first: str = "nodes") -> int:
    """A chain of MatMul whose weights are holes in the file; returns its parameters.

    The file is laid out by hand, so that nodes can stand behind their weights.
    """
    side = int((nbytes // 4) ** 0.5)
    nodes = [
        helper.make_node("MatMul", [f"v{i}", f"layers.{i}.weight"], [f"v{i + 1}"])
        for i in range(tensors)
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, side])
        for name in ("v0", f"v{tensors}")
    ]
    graph = helper.make_graph(nodes if first == "nodes" else [], "g", values[:1], values[1:])
    weights = []
    for i in range(tensors):
        tensor = TensorProto(name=f"layers.{i}.weight", data_type=1, dims=[side, side])
        head = tensor.SerializeToString() + b"\x4a" + varint(4 * side * side)
        weights.append(b"\x2a" + varint(len(head) + 4 * side * side) + head)
    behind = b"" if first == "nodes" else helper.make_graph(nodes, "", [], []).SerializeToString()
    front = graph.SerializeToString()
    size = len(front) + len(behind) + sum(len(head) + 4 * side * side for head in weights)
    model = helper.make_model(helper.make_graph([], "", [], []), ir_version=10)
    model.ClearField("graph")
    with path.open("wb") as file:
        file.write(model.SerializeToString() + b"\x3a" + varint(size) + front)
        for head in weights:
            file.write(head)
            file.seek(4 * side * side, os.SEEK_CUR)
        file.write(behind)
        file.truncate()
    return tensors * side * side


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


# ------------------------------------------------------------------------------ well-behaved


@pytest.mark.parametrize("first", ["nodes", "weights"])
def test_a_model_of_1_9_gb_costs_a_few_round_trips(server: Any, first: str) -> None:
    path = server.folder / "large.onnx"
    parameters = sparse_model(path, 29, 64 * 2**20, first)
    size = path.stat().st_size
    assert size > 1.9e9
    report = same(f"{server.url}/plain/large.onnx", path, deep=None)
    assert report.totals.parameters == parameters
    asked = server.asked()
    assert sum(request.nbytes for request in asked) < size / 100
    assert len(asked) <= 40
    assert {request.status for request in asked} == {206}


def test_round_trips_are_fewer_than_tensors(double: Any) -> None:
    path = double.folder / "many.onnx"
    sparse_model(path, 120, 4 * 2**20)
    source = remote.open_remote(f"{double.url}/plain/many.onnx")
    model = graphcount.loading.read_source(source)
    assert len(model.proto.graph.initializers) == 120
    assert source.round_trips < 20
    source.close()


def test_a_small_model_is_one_request(server: Any, fixtures: Path) -> None:
    shutil.copy(fixtures / "mlp_8_16_16_8.onnx", server.folder / "small.onnx")
    same(f"{server.url}/plain/small.onnx", fixtures / "mlp_8_16_16_8.onnx")
    assert len(server.asked()) == 1


def test_redirects_are_followed(server: Any, fixtures: Path) -> None:
    shutil.copy(fixtures / "cnn.onnx", server.folder / "a.onnx")
    same(f"{server.url}/redirect/a.onnx", fixtures / "cnn.onnx")
    assert [r.status for r in server.asked()].count(302) >= 1


def test_hash_and_payload_come_by_the_same_road(server: Any, fixtures: Path) -> None:
    shutil.copy(fixtures / "tied_language_model.onnx", server.folder / "a.onnx")
    report = same(
        f"{server.url}/plain/a.onnx",
        fixtures / "tied_language_model.onnx",
        deep=True,
        hash_file=True,
    )
    assert len(report.model.sha256 or "") == 64


def test_a_server_without_ranges_is_read_whole_up_to_a_limit(server: Any, fixtures: Path) -> None:
    shutil.copy(fixtures / "cnn.onnx", server.folder / "a.onnx")
    same(f"{server.url}/unranged/a.onnx", fixtures / "cnn.onnx")
    sparse_model(server.folder / "large.onnx", 2, 64 * 2**20)
    with pytest.raises(LimitError, match="does not serve ranges, and a file of 134,"):
        graphcount.count(f"{server.url}/unranged/large.onnx")
    assert len(server.asked()) == 2


# ------------------------------------------------------------------------------ external data


def external(save: Save, location: str) -> str:
    """A MatMul of [2, 3] whose weight lies at a location."""
    weight = TensorProto(name="w", data_type=1, dims=[2, 3], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value=location)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return save([node], [weight], inputs=[("x", [1, 2])], outputs=[("y", [1, 3])])


def test_external_data_is_sized_beside_the_model(server: Any, save: Save) -> None:
    path = external(save, "part/w b#1.bin")
    (server.folder / "part").mkdir()
    (server.folder / "part" / "w b#1.bin").write_bytes(bytes(24))
    report = same(f"{server.url}/plain/{Path(path).name}", path)
    assert report.exact
    assert report.model.external_nbytes == 24
    side = [request for request in server.asked() if "part" in request.path]
    assert [request.nbytes for request in side] == [1]  # looked at, not read


@pytest.mark.parametrize(
    "location",
    [
        "../w.bin",
        "a/../../w.bin",
        "/etc/passwd",
        "http://127.0.0.1:1/w.bin",
        "//127.0.0.1:1/w.bin",
        "..\\w.bin",
    ],
)
def test_external_data_elsewhere_is_not_asked_for(double: Any, save: Save, location: str) -> None:
    path = external(save, location)
    report = same(f"{double.url}/plain/{Path(path).name}", path)
    assert not report.exact
    assert len(double.asked()) == 1


def test_a_location_is_quoted(double: Any, save: Save) -> None:
    path = external(save, "%2e%2e/w.bin?x=1")
    graphcount.count(f"{double.url}/plain/{Path(path).name}")
    assert double.asked()[-1].path == "/plain/%252e%252e/w.bin%3Fx=1"


def test_side_files_asked_for_are_bounded(double: Any, save: Save, monkeypatch: Any) -> None:
    import graphcount.loading.external as module

    monkeypatch.setattr(module, "REMOTE_FILES", 3)
    tensors = []
    for i in range(6):
        tensor = TensorProto(
            name=f"w{i}", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL
        )
        tensor.external_data.add(key="location", value=f"w{i}.bin")
        (double.folder / f"w{i}.bin").write_bytes(bytes(4))
        tensors.append(tensor)
    path = Path(save([helper.make_node("Sum", [t.name for t in tensors], ["y"])], tensors))
    report = graphcount.count(f"{double.url}/plain/{path.name}")
    assert len(double.asked()) == 4
    assert sum("external data files" in unknown.why for unknown in report.unknown) == 3


# -------------------------------------------------------------------------------- misbehaviour


def failure(url: str) -> GraphcountError:
    with pytest.raises(GraphcountError) as caught:
        graphcount.count(url)
    return caught.value


@pytest.mark.parametrize(
    ("mode", "kind", "words"),
    [
        ("401", NotReadableError, "asks for credentials"),
        ("403", NotReadableError, "refuses access"),
        ("404", NotReadableError, "no such file"),
        ("500", NotReadableError, "status 500"),
        ("short", NotReadableError, "the answer ends too early"),
        ("changing", NotReadableError, "changed while it was read"),
        ("lying", NotReadableError, "other bytes than were asked for"),
    ],
)
def test_each_misbehaviour_has_its_line(double: Any, mode: str, kind: type, words: str) -> None:
    sparse_model(double.folder / "m.onnx", 3, 2**21)
    error = failure(f"{double.url}/{mode}/m.onnx")
    assert isinstance(error, kind)
    assert words in error.message
    assert "secret" not in str(error)


def test_what_fails_for_a_moment_is_asked_again(double: Any) -> None:
    sparse_model(double.folder / "m.onnx", 3, 2**21)
    same(f"{double.url}/flaky/m.onnx", double.folder / "m.onnx")
    assert [request.status for request in double.asked()[:3]] == [503, 503, 206]


def test_no_more_is_taken_than_was_asked_for(double: Any) -> None:
    sparse_model(double.folder / "m.onnx", 3, 2**21)
    same(f"{double.url}/endless/m.onnx", double.folder / "m.onnx")


def test_a_server_that_does_not_answer_is_given_up(double: Any, monkeypatch: Any) -> None:
    sparse_model(double.folder / "m.onnx", 3, 2**21)
    monkeypatch.setattr("graphcount.loading.http.TIMEOUT_S", 0.1)
    assert "no answer within" in failure(f"{double.url}/silent/m.onnx").message


def test_no_server_is_a_line(monkeypatch: Any) -> None:
    monkeypatch.setattr(transfer, "PAUSES_S", (0.0,))
    assert "cannot be reached" in failure("http://127.0.0.1:9/m.onnx").message


def test_secrets_of_a_url_are_not_shown(double: Any, fixtures: Path) -> None:
    shutil.copy(fixtures / "cnn.onnx", double.folder / "a.onnx")
    host = double.url.removeprefix("http://")
    query = "X-Amz-Signature=5ecre7&revision=main#5ecre7"
    report = graphcount.count(f"http://user:5ecre7@{host}/plain/a.onnx?{query}")
    shown = f"http://{host}/plain/a.onnx?X-Amz-Signature=***&revision=main"
    assert report.model.path == shown
    error = failure(f"http://user:5ecre7@{host}/404/a.onnx?{query}")
    assert str(error) == f"{shown.replace('plain', '404')}: no such file (404)"
    assert "5ecre7" not in repr(graphcount.load(f"http://user:5ecre7@{host}/plain/a.onnx"))
