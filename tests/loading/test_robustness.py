"""Any bytes at all: only GraphcountError escapes, quickly; and what is accepted, onnx accepts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from graphcount.analysis.stored import find_stored
from graphcount.errors import DamagedError, GraphcountError, LimitError, NotOnnxError
from graphcount.loading import ModelFile, read_model, read_source
from graphcount.loading.limits import DEFAULT_LIMITS, WORK, Limits
from graphcount.loading.source import BytesSource

Write = Callable[..., str]
SMALL_WINDOW = Limits(whole_file_nbytes=0, window_nbytes=64, kept_payload_nbytes=16)
PATIENCE = 1.0
"""Seconds one small file may take; thousands of times what it does take."""


@pytest.fixture(scope="module")
def small() -> bytes:
    """A small model with an initializer, a subgraph, a function, external data and metadata."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 3], bytes(range(24)), raw=True)
    ids = helper.make_tensor("ids", TensorProto.INT64, [3], [1, -2, 300])
    side = TensorProto(name="side", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    side.external_data.add(key="location", value="side.bin")
    body = helper.make_graph([helper.make_node("Abs", ["w"], ["b"])], "body", [], [])
    function = helper.make_function(
        "local", "F", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], [], ["alpha"]
    )
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"], name="mm"),
            helper.make_node("If", ["c"], ["i"], then_branch=body, else_branch=body),
            helper.make_node("F", ["h"], ["y"], domain="local", alpha=0.5, axes=[1, -1]),
        ],
        "main",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weight, ids, side],
    )
    model = helper.make_model(graph, functions=[function], producer_name="p", ir_version=10)
    helper.set_model_props(model, {"k": "v"})
    data: bytes = model.SerializeToString()
    return data


def attempt(data: bytes, limits: Limits = DEFAULT_LIMITS) -> ModelFile | GraphcountError:
    """Read bytes; anything but a model or a GraphcountError fails the test by itself."""
    start = time.process_time()
    try:
        file = read_source(BytesSource(data, "model.onnx"), limits)
        find_stored(file.proto, "/nonexistent/model.onnx")
    except GraphcountError as error:
        check_message(error)
        return error
    finally:
        assert time.process_time() - start < PATIENCE
    return file


def check_message(error: GraphcountError) -> None:
    """It says something, in one line."""
    assert error.message
    assert "\n" not in error.message


def shown(texts: Iterable[str | bytes]) -> list[str]:
    """Strings as graphcount shows them; protobuf gives bytes that are not UTF-8 as bytes."""
    return [
        text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
        for text in texts
    ]


def accepted_by_onnx(data: bytes) -> bool:
    try:
        return bool(onnx.load_from_string(data).HasField("graph"))
    except DecodeError:
        return False


# --------------------------------------------------------------------------------------- prefixes


@pytest.mark.parametrize("limits", [DEFAULT_LIMITS, SMALL_WINDOW], ids=["whole", "window"])
def test_prefix_is_an_error_unless_it_is_a_protobuf_with_a_graph(
    limits: Limits, small: bytes
) -> None:
    for length in range(len(small)):
        prefix = small[:length]
        outcome = attempt(prefix, limits)
        assert isinstance(outcome, ModelFile) == accepted_by_onnx(prefix), length


def test_prefix_is_damage_or_no_onnx_and_never_a_limit(small: bytes) -> None:
    errors = [attempt(small[:length]) for length in range(len(small))]
    kinds = {type(error) for error in errors if isinstance(error, GraphcountError)}
    assert kinds == {DamagedError, NotOnnxError}
    last = errors[-1]
    assert isinstance(last, DamagedError)
    assert last.offset is not None


def test_cut_file_on_disk_is_named(small: bytes, write: Write) -> None:
    path = write(small[:-1])
    with pytest.raises(DamagedError) as caught:
        read_model(path)
    assert caught.value.path == path
    assert str(caught.value).startswith(path)


# ---------------------------------------------------------------------------------- random damage


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A copy with one to four random changes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(changed))
        kind = rng.randrange(6)
        if kind == 0:
            changed[at] = rng.randrange(256)
        elif kind == 1:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            changed[at:at] = rng.randbytes(rng.randrange(1, 12))
        elif kind == 3:
            del changed[at : at + rng.randrange(1, 12)]
        elif kind == 4:
            changed[at : at + 1] = rng.choice(
                (b"\xff" * 10, b"\x80" * 9 + b"\x01", b"\x00", b"\xff")
            )
        else:
            start = rng.randrange(len(changed))
            changed[at:at] = changed[start : start + rng.randrange(1, 40)]
        if not changed:
            changed = bytearray(b"\x08")
    return bytes(changed)


@pytest.mark.parametrize("seed", range(2))
def test_damage_is_an_error_or_a_model_and_windows_agree(seed: int, small: bytes) -> None:
    rng = random.Random(seed)
    models = errors = 0
    for _ in range(1500):
        data = damaged(small, rng)
        whole = attempt(data)
        window = attempt(data, SMALL_WINDOW)
        if isinstance(whole, ModelFile):
            models += 1
            assert isinstance(window, ModelFile)
            assert window.proto.graph.nodes == whole.proto.graph.nodes
            assert len(window.proto.unknown_fields) == len(whole.proto.unknown_fields)
        else:
            errors += 1
            assert isinstance(window, GraphcountError)
    assert models > 100
    assert errors > 100


@pytest.mark.parametrize("seed", range(2))
def test_what_onnx_reads_is_read_with_the_same_content(seed: int, small: bytes) -> None:
    rng = random.Random(1000 + seed)
    compared = 0
    for _ in range(1500):
        data = damaged(small, rng)
        if not accepted_by_onnx(data):
            continue
        ours = attempt(data)
        if isinstance(ours, LimitError | NotOnnxError):
            continue  # more dimensions than a runtime takes, or a magic number made by chance
        if isinstance(ours, DamagedError):
            assert "wire type 3" in ours.message  # protobuf skips groups, ONNX has none
            continue
        assert isinstance(ours, ModelFile)
        theirs = onnx.load_from_string(data)
        graph = ours.proto.graph
        op_types = shown(node.op_type for node in theirs.graph.node)
        assert [node.op_type for node in graph.nodes] == op_types
        assert [tensor.dims for tensor in graph.initializers] == [
            tuple(tensor.dims) for tensor in theirs.graph.initializer
        ]
        assert [len(node.inputs) for node in graph.nodes] == [
            len(node.input) for node in theirs.graph.node
        ]
        assert len(ours.proto.functions) == len(theirs.functions)
        compared += 1
    assert compared > 100


@given(data=st.binary(max_size=400))
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_random_bytes_are_never_a_crash(data: bytes) -> None:
    attempt(data)
    attempt(data, SMALL_WINDOW)


@given(
    text=st.text('aA1 :=\n"#<>(){}[],.-\u0661\u202e', max_size=60),
    head=st.sampled_from(["{", "graph {", "<ir_version: 8", "ag"]),
)
@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_random_text_is_never_a_crash(head: str, text: str) -> None:
    attempt((head + text).encode("utf-8", "replace"))


@pytest.mark.parametrize("seed", range(2))
def test_damaged_text_is_never_a_crash(seed: int, small: bytes) -> None:
    model = onnx.load_from_string(small)
    rng = random.Random(seed)
    text = onnx.printer.to_text(model).encode()
    for _ in range(300):
        data = damaged(text, rng)
        try:
            read_source(BytesSource(data, "model.onnxtxt"))
        except GraphcountError as error:
            check_message(error)


# ------------------------------------------------------------------------------ hand-made monsters


def monsters(wire: Any) -> dict[str, bytes]:
    graph = wire.len(2, b"g")
    many = 20_000
    deep = b""
    for _ in range(1000):
        deep = wire.len(99, deep)
    return {
        "huge dims": wire.len(5, b"".join(wire.int(1, 2**63 - 1) for _ in range(64))),
        "negative dims": wire.len(5, wire.int(1, -1) + wire.int(1, -(2**63)) + wire.int(2, 1)),
        "huge data_type": wire.len(5, wire.int(2, 2**64 - 1)),
        "unpacked int64 flood": wire.len(5, wire.int(7, 1) * many),
        "unpacked float flood": wire.len(5, (wire.tag(4, 5) + bytes(4)) * many),
        "packed pieces": wire.len(5, wire.len(7, b"\x01") * many),
        "empty strings": wire.len(5, wire.len(6, b"") * many),
        "empty nodes": wire.len(1, b"") * many,
        "empty tensors": wire.len(5, b"") * many,
        "empty inputs": wire.len(1, wire.len(1, b"") * many),
        "empty attributes": wire.len(1, wire.len(5, b"") * many),
        "raw data again and again": wire.len(5, wire.len(9, b"x") * many),
        "external entries": wire.len(5, wire.int(14, 1) + wire.len(13, b"") * many),
        "names that are not UTF-8": wire.len(1, wire.len(1, b"\xff") * many),
        "unknown fields": wire.int(500, 1) * many,
        "unknown nesting": deep,
        "long name": wire.len(2, b"n" * 2**20),
        "long bad name": wire.len(2, b"\xff" * 2**20),
        "graph": graph,
    }


NAMES = sorted(
    [
        *("huge dims", "negative dims", "huge data_type", "unpacked int64 flood", "graph"),
        *("unpacked float flood", "packed pieces", "empty strings", "empty nodes"),
        *("empty tensors", "empty inputs", "empty attributes", "raw data again and again"),
        *("external entries", "names that are not UTF-8", "unknown fields", "unknown nesting"),
        *("long name", "long bad name"),
    ]
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "limits", [DEFAULT_LIMITS, Limits(whole_file_nbytes=0)], ids=["all", "win"]
)
def test_monster_is_read_or_refused(name: str, limits: Limits, wire: Any) -> None:
    data = wire.model(monsters(wire)[name])
    start = time.process_time()
    try:
        file = read_source(BytesSource(data, "model.onnx"), limits)
        found = find_stored(file.proto, "/nonexistent/model.onnx")
    except GraphcountError as error:
        pytest.fail(f"{name} is valid protobuf: {error}")
    assert time.process_time() - start < 2  # 20,000 records; linear work takes a tenth of it
    assert len(file.proto.issues) <= 1002
    assert len(file.proto.unknown_fields) <= 1000
    if name == "huge dims":
        assert found[0].elements == (2**63 - 1) ** 64
        assert found[0].unknowns
    if name == "negative dims":
        assert found[0].elements == 0
        assert found[0].unknowns


def test_graphs_again_and_again_are_joined_once(wire: Any) -> None:
    data = wire.model(b"") + wire.len(7, wire.len(1, b"")) * 20_000
    start = time.process_time()
    proto = read_source(BytesSource(data, "model.onnx")).proto
    assert time.process_time() - start < 1  # linear work takes a tenth of it
    assert len(proto.graph.nodes) == 20_000


def test_second_long_value_does_not_hide_the_rest(wire: Any) -> None:
    """Fields of one message are all looked at, whatever stands before them."""
    graph = wire.len(2, b"n" * 5000) + wire.len(1, wire.len(4, b"Relu"))
    file = attempt(wire.model(graph), SMALL_WINDOW)
    assert isinstance(file, ModelFile)
    assert [node.op_type for node in file.proto.graph.nodes] == ["Relu"]


@pytest.mark.parametrize(
    ("number", "what"), [(1, "NodeProto"), (5, "TensorProto"), (11, "ValueInfoProto")]
)
def test_more_messages_than_allowed_are_refused(number: int, what: str, tmp_path: Path) -> None:
    def record(content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    graph = record(b"") * 11
    path = tmp_path / "many.onnx"
    path.write_bytes(bytes([8, 8, 58, len(graph)]) + graph)
    enough = WORK["GraphProto"] + 11 * WORK[what]
    with pytest.raises(LimitError, match=f"more than {enough - 1:,} units .* 11 times {what};"):
        read_model(str(path), Limits(work=enough - 1))
    assert read_model(str(path), Limits(work=enough)).file_nbytes == 26
