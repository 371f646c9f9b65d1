"""FMT: what is wrong with the file as such."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from graphcount import api
from graphcount.auditing.rules import load_rules
from graphcount.auditing.rules.fmt004_two_gigabytes import PROTOBUF_NBYTES
from graphcount.errors import DamagedError, GraphcountError, LimitError, NotOnnxError

Plain = Callable[..., onnx.ModelProto]
Write = Callable[..., str]


def test_a_sound_model_has_no_finding_of_any_kind(audit: Any, plain: Plain, write: Write) -> None:
    assert audit(write(plain())) == []


# ------------------------------------------------------------------------- errors and their rules


@pytest.mark.parametrize(
    ("content", "rule", "kind"),
    [
        (b"", "FMT001", NotOnnxError),
        (b"version https://git-lfs.github.com/spec/v1\n", "FMT001", NotOnnxError),
        (b"\x80\x04\x95\x00\x00.", "FMT001", NotOnnxError),
        (b"PK\x03\x04" + bytes(40), "FMT001", NotOnnxError),
        (b"\x08\x0a\x3a\xff\x01abc", "FMT002", DamagedError),
        (b"\x08\x0a\x12\x01a", "FMT010", NotOnnxError),
    ],
)
def test_an_error_names_the_rule_that_documents_it(
    content: bytes, rule: str, kind: type[GraphcountError], write: Write
) -> None:
    with pytest.raises(kind) as caught:
        api.audit(write(content))
    assert caught.value.rule == rule


def nested(depth: int) -> onnx.ModelProto:
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [], [])
    for _ in range(depth):
        graph = helper.make_graph(
            [helper.make_node("If", ["c"], ["y"], then_branch=graph)], "g", [], []
        )
    return helper.make_model(graph)


def test_nesting_is_its_own_rule(write: Write, audit: Any) -> None:
    with pytest.raises(LimitError) as caught:
        api.audit(write(nested(33)))
    assert caught.value.rule == "FMT003"
    assert audit(write(nested(20)), "FMT003") == []


def test_types_nested_too_deep_are_refused(
    write: Write, audit: Any, raw: Any, plain: Plain
) -> None:
    def value(depth: int) -> bytes:
        type_ = raw.field(1, b"\x08\x01")
        for _ in range(depth):
            type_ = raw.field(4, raw.field(1, type_))
        return bytes(raw.field(7, raw.field(13, raw.field(1, b"v") + raw.field(2, type_))))

    data = plain().SerializeToString()
    with pytest.raises(LimitError) as caught:
        api.audit(write(data + value(200)))
    assert caught.value.rule == "FMT003"
    assert audit(write(data + value(5)), "FMT003") == []


def test_missing_paths_folders_and_devices_have_a_rule(tmp_path: Path) -> None:
    paths = [tmp_path / "none.onnx", tmp_path, tmp_path / "none" / "m.onnx"]
    if os.path.exists("/dev/zero"):
        paths.append(Path("/dev/zero"))
    for path in paths:
        with pytest.raises(GraphcountError) as caught:
            api.audit(str(path))
        assert caught.value.rule == "FMT011"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_refused_without_opening_it(tmp_path: Path, side: Callable[..., str]) -> None:
    """A writer that waits for a reader would go on as soon as someone opens the FIFO."""
    model = tmp_path / "fifo.onnx"
    data = tmp_path / "w.bin"
    os.mkfifo(model)
    os.mkfifo(data)
    met = []
    for path in (model, data):
        thread = threading.Thread(target=lambda p=path: met.append(os.open(p, os.O_WRONLY)))
        thread.daemon = True
        thread.start()
    with pytest.raises(GraphcountError, match="FIFO"):
        api.audit(str(model))
    report = api.audit(side(content=None), deep=True, hash_file=True)
    assert [f.rule for f in report.findings if f.severity == "high"] == ["EXT005"]
    assert met == []
    for path in (model, data):  # let the writers go
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))


def test_every_error_of_a_file_names_a_rule_that_exists() -> None:
    known = {module.RULE.id for module in load_rules()}
    for kind in GraphcountError.__subclasses__():
        assert kind.rule == "" or kind.rule in known


def test_the_rule_of_an_error_survives_a_pickle_and_a_path() -> None:
    import pickle

    error = LimitError("deep", offset=7, rule="FMT003").at("m.onnx")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.offset, again.rule) == ("m.onnx: deep", 7, "FMT003")


# --------------------------------------------------------------------------------------- findings


def test_damage_in_a_part_that_counting_skips(
    audit: Any, plain: Plain, write: Write, raw: Any
) -> None:
    model = plain()
    graph = model.graph.SerializeToString()
    model.ClearField("graph")
    head = model.SerializeToString()
    data = head + raw.field(7, graph + raw.field(14, b"\x0a\x7fx"))
    (finding,) = audit(write(data), "FMT002")
    assert finding.severity == "high"
    assert finding.where["path"] == 'graph"main"/quantization_annotation[0]'
    assert finding.where["offset"] == len(data) - 3
    sound = head + raw.field(7, graph + raw.field(14, raw.field(1, b"x")))
    assert audit(write(sound), "FMT002") == []


def test_a_file_beyond_two_gigabytes(audit: Any, plain: Plain, tmp_path: Path, raw: Any) -> None:
    """A sparse file: one unknown field covers the hole."""
    data = plain().SerializeToString()
    for size, expected in ((PROTOBUF_NBYTES + 1, ["high"]), (PROTOBUF_NBYTES - 1024, [])):
        path = tmp_path / f"{size}.onnx"
        head = data + raw.varint(1000 << 3 | 2)
        hole = size - len(head) - 5
        with open(path, "wb") as file:
            file.write(head + raw.varint(hole))
            file.truncate(len(head) + len(raw.varint(hole)) + hole)
        found = audit(str(path), "FMT004", deep=False, select=["FMT004"])
        assert [finding.severity for finding in found] == expected
        path.unlink()


@pytest.mark.parametrize(("nbytes", "severity"), [(1, "low"), (64, "low"), (65, "medium")])
def test_unknown_fields_by_their_bytes(
    nbytes: int, severity: str, audit: Any, plain: Plain, write: Write, raw: Any
) -> None:
    data = plain().SerializeToString() + raw.field(1000, b"x" * nbytes)
    (finding,) = audit(write(data))
    assert (finding.rule, finding.severity) == ("FMT005", severity)
    assert finding.where == {"path": "", "field": 1000, "offset": len(data) - nbytes}
    assert finding.evidence["nbytes"] == nbytes


def test_a_known_field_with_another_wire_type(audit: Any, plain: Plain, write: Write) -> None:
    node = onnx.NodeProto.FromString(b"")
    node.MergeFromString(b"\x19" + bytes(8))  # name (3) as a fixed 64-bit number
    path = write(plain(lambda m: m.graph.node[0].MergeFrom(node)))
    (finding,) = audit(path, "FMT013")
    assert finding.severity == "high"
    assert finding.where["path"] == 'graph"main"/node[0]"matmul"'
    assert finding.message.startswith("name of NodeProto has wire type 1")
    assert audit(path, "FMT005") == []


@pytest.mark.parametrize(
    ("wire_field", "field"),
    [
        ((2, (1 << 32) + 1), "data_type"),
        ((2, (1 << 32) - 1), "data_type"),  # -1 takes ten bytes
        ((14, (1 << 32) + 1), "data_location"),
        ((14, 7), "data_location"),
    ],
)
def test_numbers_that_their_type_does_not_have(
    wire_field: tuple[int, int], field: str, audit: Any, plain: Plain, write: Write, raw: Any
) -> None:
    number, value = wire_field
    tensor = raw.field(8, b"t") + raw.varint(number << 3) + raw.varint(value)
    model = plain()
    graph = model.graph.SerializeToString() + raw.field(5, tensor)
    model.ClearField("graph")
    (finding,) = audit(write(model.SerializeToString() + raw.field(7, graph)), "FMT013")
    assert (finding.severity, finding.where["field"]) == ("high", field)


def test_a_negative_element_type_is_written_as_it_should(
    audit: Any, plain: Plain, write: Write
) -> None:
    path = write(plain(lambda model: model.graph.initializer.add(name="t", data_type=-1)))
    assert audit(path, "FMT013") == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"type": 7, "ints": [1]}, ""),
        ({"type": 7}, ""),
        ({"ints": [1]}, "not stated"),
        ({"type": 7, "ints": [1], "f": 2.0}, "more than one"),
        ({"type": 1, "ints": [1]}, "holds a value in ints"),
        ({"type": 4, "tensors": [onnx.TensorProto()]}, "holds a value in tensors"),
    ],
)
def test_attributes_whose_type_is_not_that_of_their_value(
    fields: dict[str, Any], why: str, audit: Any, plain: Plain, write: Write
) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[1].attribute.add(name="a", **fields)

    findings = audit(write(plain(change)), "FMT014")
    assert [(finding.severity, why in finding.message) for finding in findings] == (
        [("high", True)] if why else []
    )


def test_attributes_had_no_type_in_ir_version_1(audit: Any, plain: Plain, write: Write) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.ir_version = 1
        model.graph.node[1].attribute.add(name="a", ints=[1])

    assert audit(write(plain(change)), "FMT014") == []


def test_many_unknown_fields_are_one_finding(
    audit: Any, plain: Plain, write: Write, raw: Any
) -> None:
    data = plain().SerializeToString() + raw.field(999, b"") * 5000
    (finding,) = audit(write(data), "FMT")
    assert finding.evidence["fields"] == 5000
    assert finding.severity == "low"


def test_an_appended_archive(audit: Any, plain: Plain, write: Write, raw: Any) -> None:
    import io
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("payload.txt", "hello")
    data = plain().SerializeToString()
    (finding,) = audit(write(data + raw.field(2000, archive.getvalue())), "FMT006")
    assert finding.severity == "high"
    assert finding.evidence["looks_like"] == "a zip archive"
    begins_alike = b"PK\x03\x04" + bytes(range(200))
    assert audit(write(data + raw.field(2000, begins_alike)), "FMT006") == []


def test_a_model_that_begins_as_text(audit: Any, plain: Plain, write: Write) -> None:
    """A line feed, a blank and "z©" with a tab are fields of 32 and 152,770 bytes to protobuf."""
    text = b"\n " + b"<ir_version: 10 #".ljust(32) + "z©\t".encode() + b"-" * 152_770
    (finding,) = audit(write(text + plain().SerializeToString()), "FMT015")
    assert (finding.severity, finding.evidence["looks_like"]) == ("high", "onnxtxt")
    assert audit(write(plain()), "FMT015") == []


def test_another_member_of_a_oneof(audit: Any, plain: Plain, write: Write, raw: Any) -> None:
    model = plain()
    dim = model.graph.input[0].type.tensor_type.shape.dim[0]
    dim.MergeFromString(dim.SerializeToString())
    assert audit(write(model), "FMT007") == []
    shape = raw.field(1, raw.field(2, b"n") + b"\x08\x05")
    tensor = b"\x08\x01" + raw.field(2, shape)
    info = raw.field(1, b"v") + raw.field(2, raw.field(1, tensor))
    graph = model.graph.SerializeToString() + raw.field(13, info)
    model.ClearField("graph")
    (finding,) = audit(write(model.SerializeToString() + raw.field(7, graph)), "FMT007")
    assert (finding.severity, finding.where["field"]) == ("high", "dim_value")


def test_a_second_graph_is_high_and_a_second_name_medium(
    audit: Any, plain: Plain, write: Write, raw: Any
) -> None:
    data = plain().SerializeToString()
    graph = onnx.GraphProto(name="other").SerializeToString()
    (finding,) = audit(write(data + raw.field(7, graph)), "FMT007")
    assert (finding.severity, finding.where["offset"]) == ("high", len(data) + 2)
    twice = data + raw.field(2, b"one") + raw.field(2, b"two")
    (finding,) = audit(write(twice), "FMT007")
    assert (finding.severity, finding.where["field"]) == ("medium", "producer_name")
    assert audit(write(data + raw.field(2, b"one")), "FMT007") == []


def test_raw_data_twice_in_a_large_file(audit: Any, write: Write, raw: Any) -> None:
    """The reader of large files leaves payload out; what was given twice is told all the same."""
    tensor = raw.field(8, b"W") + b"\x10\x01" + raw.field(1, raw.varint(1000))
    tensor += raw.field(9, bytes(4000)) + raw.field(9, bytes(4000))
    graph = raw.field(2, b"g") + raw.field(5, tensor)
    data = b"\x08\x0a" + raw.field(7, graph) + raw.field(8, b"\x10\x14")
    doc = raw.field(6, b"d" * (33 * 2**20))
    for content in (data, data + doc):
        (finding,) = audit(write(content), "FMT007", select=["FMT007"])
        assert finding.message == "raw_data of TensorProto is given again"


@pytest.mark.parametrize("bad", [b"\xff", b"a\xed\xa0\x80b", b"\xc3"])
def test_names_that_are_not_utf8(
    bad: bytes, audit: Any, plain: Plain, write: Write, raw: Any
) -> None:
    data = plain().SerializeToString()
    (finding,) = audit(write(data + raw.field(7, raw.field(1, raw.field(3, bad)))), "FMT009")
    assert finding.severity == "medium"
    assert finding.where["offset"] == len(data) + 6
    assert finding.evidence["found"] == bad.hex()
    good = "größe \U0001f600".encode()
    assert audit(write(data + raw.field(2, good)), "FMT009") == []


def test_duplicate_metadata_keys(audit: Any, plain: Plain, write: Write) -> None:
    def add(*keys: str) -> Callable[[onnx.ModelProto], None]:
        def change(model: onnx.ModelProto) -> None:
            for key in keys:
                model.metadata_props.add(key=key, value="v")
            model.graph.metadata_props.add(key="k", value="another holder")

        return change

    (finding,) = audit(write(plain(add("k", "j", "k", "k"))), "FMT012")
    assert (finding.severity, finding.evidence["entries"]) == ("low", 2)
    assert finding.where["path"] == 'metadata_props[2]"k"/key'
    assert audit(write(plain(add("k", "j", "K"))), "FMT012") == []
