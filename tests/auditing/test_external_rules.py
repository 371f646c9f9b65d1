"""EXT: where external data leads, and what lies there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

POSIX = pytest.mark.skipif(os.name != "posix", reason="links and FIFOs of POSIX")
Side = Callable[..., str]
W = ("location", "w.bin")


def rules(findings: list[Any]) -> list[tuple[str, str]]:
    """Rules and severities, without what every model with external data gets."""
    return [(f.rule, f.severity) for f in findings if f.rule != "EXT011"]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([W], []),
        ([("location", "./w.bin")], []),
        ([W, ("offset", "0"), ("length", "48")], []),
        ([("location", "/etc/passwd")], [("EXT001", "critical")]),
        ([("location", "C:\\w.bin")], [("EXT001", "critical")]),
        ([("location", "\\\\server\\share\\w.bin")], [("EXT001", "critical")]),
        ([("location", "../w.bin")], [("EXT002", "critical")]),
        ([("location", "a/../w.bin")], [("EXT002", "critical")]),
        ([("location", "..w.bin")], [("EXT006", "high")]),
        ([("location", "/a/../w.bin")], [("EXT001", "critical"), ("EXT002", "critical")]),
        ([("location", "none.bin")], [("EXT006", "high")]),
        ([W, ("offset", "1")], [("EXT007", "high")]),
        ([W, ("length", "49")], [("EXT007", "high"), ("EXT014", "high")]),
        ([W, ("length", "47")], [("EXT014", "high")]),
        ([W, ("offset", "0x0")], [("EXT008", "high")]),
        ([W, ("length", "-48")], [("EXT008", "high")]),
        ([W, ("offset", "\u0660")], [("EXT008", "high")]),
        ([("location", "")], [("EXT009", "high")]),
        ([("offset", "0")], [("EXT009", "high")]),
        ([("location", "w\n.bin")], [("EXT009", "high")]),
        ([("location", "sub\\w.bin")], [("EXT009", "high")]),
        ([("location", "https://host/w.bin")], [("EXT009", "high")]),
        ([W, W], [("EXT013", "high")]),
        ([W, ("path", "w.bin")], [("EXT013", "medium")]),
        ([("location", "*/_ORT_MEM_ADDR_/*")], [("EXT016", "critical")]),
        ([W, ("checksum", "abc")], [("EXT010", "medium")]),
    ],
)
def test_entries(
    entries: list[tuple[str, str]], expected: list[tuple[str, str]], side: Side, audit: Any
) -> None:
    found = rules(audit(side(*entries), "EXT"))
    assert sorted(found) == sorted(expected)


def test_one_finding_a_cause_not_one_a_tensor(tmp_path: Path, audit: Any) -> None:
    def tensor(index: int) -> TensorProto:
        made = TensorProto(name=f"w{index}", data_type=1, dims=[4])
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key="location", value=f"none{index % 2}.bin")
        return made

    model = helper.make_model(helper.make_graph([], "g", [], [], [tensor(i) for i in range(50)]))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    (finding,) = audit(str(path), "EXT006")
    assert finding.evidence["tensors"] == 50
    assert len(finding.evidence["names"]) == 10
    assert finding.where["tensor"] == "w0"
    assert "2 external data files" in finding.message


@POSIX
def test_links_out_inside_and_in_circles(side: Side, audit: Any, tmp_path: Path) -> None:
    path = side(("location", "link"))
    (tmp_path / "link").symlink_to("w.bin")
    assert rules(audit(path, "EXT")) == [("EXT003", "info")]
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert rules(audit(path, "EXT")) == [("EXT003", "critical")]
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("link")
    assert rules(audit(path, "EXT")) == [("EXT003", "critical")]


@POSIX
def test_a_hard_link_is_told_and_not_read(
    side: Side, audit: Any, tmp_path: Path, opened: list[str]
) -> None:
    path = side(("location", "again.bin"), ("checksum", "0" * 40))
    os.link(tmp_path / "w.bin", tmp_path / "again.bin")
    assert rules(audit(path, "EXT")) == [("EXT004", "medium")]
    assert not [name for name in opened if name.endswith(".bin")]


@POSIX
@pytest.mark.parametrize("what", ["folder", "fifo"])
def test_what_is_no_regular_file(what: str, side: Side, audit: Any, tmp_path: Path) -> None:
    os.mkdir(tmp_path / "w.bin") if what == "folder" else os.mkfifo(tmp_path / "w.bin")
    assert rules(audit(side(content=None), "EXT")) == [("EXT005", "high")]


def test_the_model_itself_as_a_side_file(side: Side, audit: Any) -> None:
    found = rules(audit(side(("location", "model.onnx")), "EXT019"))
    assert found == [("EXT019", "medium")]


@pytest.mark.parametrize("content", [bytes(range(48)), bytes(48)])
def test_the_checksum_of_the_file(content: bytes, side: Side, audit: Any) -> None:
    right = hashlib.sha1(content).hexdigest()
    for text, expected in ((right, []), (right.upper(), []), ("0" * 40, [("EXT010", "high")])):
        path = side(W, ("checksum", text), content=content)
        assert rules(audit(path, "EXT")) == expected
    assert audit(path, "EXT011") == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [(148, [("EXT010", "high")]), (500 - 48, [("EXT010", "high")]), (453, [("EXT010", "info")])],
)
def test_side_files_with_a_checksum_count_for_what_is_read_unasked(
    size: int, expected: Any, side: Side, audit: Any, monkeypatch: Any
) -> None:
    """48 bytes are those of the tensor; with the file they may be 500."""
    monkeypatch.setattr("graphcount.api.auditing.DEEP_AUDIT_NBYTES", 500)
    path = side(W, ("checksum", "0" * 40), content=bytes(range(48)).ljust(size, b"."))
    assert rules(audit(path, "EXT010", deep=None)) == expected
    assert rules(audit(path, "EXT010", deep=True)) == [("EXT010", "high")]
    assert audit(path, "EXT010", deep=False) == []


def test_a_checksum_of_a_terabyte_is_not_computed_unasked(
    side: Side, audit: Any, tmp_path: Path
) -> None:
    path = side(W, ("checksum", "0" * 40))
    os.truncate(tmp_path / "w.bin", 10**12)  # of holes
    (finding,) = audit(path, "EXT010", deep=None)
    assert finding.severity == "info"
    assert finding.evidence["nbytes"] == 10**12


def test_external_data_without_a_checksum_is_said_once(side: Side, audit: Any) -> None:
    (finding,) = audit(side(), "EXT011")
    assert finding.severity == "info"
    assert audit(side(("location", "/etc/passwd")), "EXT011") == []


# --------------------------------------------------------------------------------- several tensors


def two(tmp_path: Path, first: int, second: int, size: int, content: bytes | None = None) -> str:
    """Two tensors of 48 bytes at these offsets of a file of that size."""
    tensors = []
    for name, offset in (("A", first), ("B", second)):
        tensor = TensorProto(name=name, data_type=1, dims=[12])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "two.bin"), ("offset", str(offset)), ("length", "48")):
            tensor.external_data.add(key=key, value=value)
        tensors.append(tensor)
    graph = helper.make_graph(
        [helper.make_node("Add", ["A", "B"], ["y"])],
        "g",
        [],
        [helper.make_tensor_value_info("y", 1, [12])],
        tensors,
    )
    path = tmp_path / "two.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    (tmp_path / "two.bin").write_bytes(content or bytes(i % 251 for i in range(size)))
    return str(path)


@pytest.mark.parametrize(
    ("first", "second", "size", "expected"),
    [
        (0, 48, 96, []),
        (48, 0, 96, []),
        (0, 4096, 4144, []),
        (0, 24, 96, [("EXT012", "medium")]),
        (24, 0, 96, [("EXT012", "medium")]),
        (0, 0, 48, [("EXT012", "info")]),
        (0, 48, 96 + 65536, []),
        (0, 48, 96 + 65537, [("EXT015", "medium")]),
        (0, 70_000, 70_048, [("EXT015", "medium")]),
    ],
)
def test_ranges(
    first: int,
    second: int,
    size: int,
    expected: list[tuple[str, str]],
    tmp_path: Path,
    audit: Any,
) -> None:
    assert rules(audit(two(tmp_path, first, second, size), "EXT")) == expected


def test_an_archive_in_a_gap_that_alignment_would_explain(tmp_path: Path, audit: Any) -> None:
    program = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00\x01\x00\x00\x00" + bytes(40)
    content = bytes(range(96)) + program
    path = two(tmp_path, 0, 48, len(content), content)
    (finding,) = [f for f in audit(path) if f.rule == "EXT015"]
    assert (finding.severity, finding.where["offset"]) == ("high", 96)
    assert "ELF" in finding.message
    assert audit(path, "EXT015", deep=False) == []


# ------------------------------------------------------------------------------------ other holders


def external_tensor() -> TensorProto:
    tensor = TensorProto(name="V", data_type=1, dims=[4, 3])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    return tensor


def in_constant(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["V"], value=external_tensor()))


def in_function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Constant", [], ["V"], value=external_tensor())
    opsets = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("local", "F", [], ["V"], [node], opsets))


def in_training(model: onnx.ModelProto) -> None:
    model.training_info.add().algorithm.initializer.append(external_tensor())


def in_sparse(model: onnx.ModelProto) -> None:
    indices = helper.make_tensor("", TensorProto.INT64, [12], list(range(12)))
    values = external_tensor()
    values.ClearField("dims")
    values.dims.append(12)
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [30]))


def in_subgraph(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "b", [], [], [external_tensor()])
    model.graph.node.append(helper.make_node("If", ["c"], [], then_branch=body))


@pytest.mark.parametrize(
    ("change", "count"),
    [(in_constant, 1), (in_function, 1), (in_training, 1), (in_sparse, 1), (in_subgraph, 0)],
)
def test_holders_other_than_initializers(
    change: Any, count: int, plain: Any, write: Any, audit: Any, tmp_path: Path
) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(range(48)))
    found = audit(write(plain(change)), "EXT017")
    assert [f.severity for f in found] == ["medium"] * count


def test_external_data_that_is_not_declared(plain: Any, write: Any, audit: Any) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].external_data.add(key="location", value="w.bin")

    (finding,) = audit(write(plain(change)), "EXT")
    assert (finding.rule, finding.severity) == ("EXT018", "medium")
    assert finding.where["path"] == 'graph"main"/initializer[0]"W"'


def test_nothing_outside_the_folder_is_opened(
    side: Side, audit: Any, tmp_path: Path, opened: list[str]
) -> None:
    secret = tmp_path.parent / "secret.bin"
    secret.write_bytes(bytes(48))
    path = side(("location", "../secret.bin"))
    audit(path)  # imports what it needs
    opened.clear()
    audit(path, hash_file=True)
    assert opened
    assert set(opened) == {path}
