"""Numbers that do not lie in one place: split lists, sparse tensors, lists of attributes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphcount.auditing import files

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 3, 62, 1) + bytes(4000)
INITIALIZER, FLOAT_DATA, NAME = 5, 4, 8

Write = Callable[..., str]


def with_tensor(plain: Any, raw: Any, fields: bytes, elements: int) -> bytes:
    """The plain model and one more initializer, its payload fields by hand."""
    dims = raw.varint(1 << 3) + raw.varint(elements)
    kind = raw.varint(2 << 3) + raw.varint(TensorProto.FLOAT)
    tensor = dims + kind + fields + raw.field(NAME, b"extra")
    model = plain()
    graph = model.graph.SerializeToString() + raw.field(INITIALIZER, tensor)
    model.ClearField("graph")
    data: bytes = model.SerializeToString() + raw.field(7, graph)
    return data


def split(raw: Any, data: bytes, *sizes: int) -> bytes:
    """float_data in several packed pieces."""
    out, at = b"", 0
    for size in (*sizes, len(data) - sum(sizes)):
        out += raw.field(FLOAT_DATA, data[at : at + size])
        at += size
    return out


def one_by_one(raw: Any, data: bytes) -> bytes:
    """float_data as a writer that does not pack has it: a tag of its own for each number."""
    tag: bytes = raw.varint(FLOAT_DATA << 3 | 5)
    return b"".join(tag + data[at : at + 4] for at in range(0, len(data), 4))


@pytest.mark.parametrize("sizes", [(4,), (2048,), (2000, 4, 0, 16)])
def test_a_program_in_pieces_of_a_list(
    sizes: tuple[int, ...], audit: Any, plain: Any, write: Write, raw: Any
) -> None:
    data = with_tensor(plain, raw, split(raw, ELF, *sizes), len(ELF) // 4)
    (finding,) = audit(write(data), "HID001")
    assert finding.severity == "high"
    assert finding.evidence["payload_offset"] == data.index(ELF[:4])


@pytest.mark.parametrize("packed", [True, False])
def test_numbers_in_pieces_are_counted(
    packed: bool, audit: Any, plain: Any, write: Write, raw: Any
) -> None:
    numbers = np.arange(3000, dtype=np.float32)
    numbers[[1, 1499, 1500, 2999]] = np.nan
    content = numbers.tobytes()
    fields = split(raw, content, 6000) if packed else one_by_one(raw, content)
    (finding,) = audit(write(with_tensor(plain, raw, fields, 3000)), "TEN008")
    assert (finding.severity, finding.evidence["nan"]) == ("medium", 4)


def test_too_many_pieces_are_said(
    audit: Any, plain: Any, write: Write, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(with_tensor(plain, raw, one_by_one(raw, ELF), len(ELF) // 4))
    assert audit(path, "RES004") == []
    monkeypatch.setattr(files, "MOST_PIECES", 1000)
    (finding,) = audit(path, "RES004")
    assert (finding.severity, finding.evidence["names"]) == ("medium", ["extra"])
    assert audit(path, "RES004", deep=False) == []


# ------------------------------------------------------------------------------------------- sparse


def sparse(values: Any) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        numbers = numpy_helper.from_array(values, "s")
        indices = numpy_helper.from_array(np.arange(len(values), dtype=np.int64))
        made = helper.make_sparse_tensor(numbers, indices, [1 << 20])
        model.graph.sparse_initializer.append(made)

    return change


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_program_in_the_values_of_a_sparse_tensor(
    dtype: Any, audit: Any, plain: Any, write: Write
) -> None:
    path = write(plain(sparse(np.frombuffer(ELF, dtype))))
    (finding,) = audit(path, "HID001")
    assert finding.severity == "high"
    with open(path, "rb") as file:
        assert file.read()[finding.evidence["payload_offset"] :].startswith(ELF)


def test_values_of_a_sparse_tensor_that_are_not_finite(
    audit: Any, plain: Any, write: Write
) -> None:
    values = np.array([0.5, np.nan, 2, np.inf], np.float32)
    (finding,) = audit(write(plain(sparse(values))), "TEN008")
    assert (finding.severity, finding.evidence["nan"], finding.evidence["infinite"]) == (
        "medium",
        1,
        1,
    )


def test_sparse_tensors_are_not_constant_or_identical_by_their_values(
    audit: Any, plain: Any, write: Write
) -> None:
    """The same values at other indices are another tensor."""

    def two(model: onnx.ModelProto) -> None:
        for change in (sparse(np.ones(2000, np.float32)), sparse(np.ones(2000, np.float32))):
            change(model)
        model.graph.sparse_initializer[1].values.name = "t"

    assert audit(write(plain(two)), "TEN011") == []
    assert audit(write(plain(two)), "TEN012") == []


# ------------------------------------------------------------------------------ lists in attributes


@pytest.mark.parametrize("form", ["<f", "B", "<I", "<q"])
@pytest.mark.parametrize("in_body", [False, True])
def test_a_program_in_a_list_of_an_attribute(
    form: str, in_body: bool, audit: Any, plain: Any, write: Write
) -> None:
    numbers = [value for (value,) in struct.iter_unpack(form, ELF)]

    def change(model: onnx.ModelProto) -> None:
        node = helper.make_node("Keep", ["h"], ["k"], "keep", domain="acme", a=numbers)
        if in_body:
            body = helper.make_graph([node], "b", [], [])
            node = helper.make_node("Run", ["h"], ["r"], "run", domain="acme", body=body)
        model.graph.node.append(node)

    path = write(plain(change))
    for deep in (True, False):
        (finding,) = audit(path, "HID001", deep=deep)
        assert (finding.severity, finding.where["attribute"]) == ("high", "a")
        assert finding.where["node"].endswith("keep")


def test_lists_of_numbers_are_no_programs(audit: Any, plain: Any, write: Write) -> None:
    rng = np.random.default_rng(1)

    def change(model: onnx.ModelProto) -> None:
        for index, numbers in enumerate(
            [
                *[[0x4D, 0x5A, *rng.integers(0, 256, 400).tolist()] for _ in range(20)],
                [0x7F, *b"ELF", *rng.integers(0, 256, 400).tolist()],
                rng.normal(size=400).tolist(),
                [2**40, -1, *range(400)],
            ]
        ):
            model.graph.node.append(
                helper.make_node("Keep", ["h"], [f"k{index}"], domain="acme", a=numbers)
            )

    assert audit(write(plain(change)), "HID001") == []
