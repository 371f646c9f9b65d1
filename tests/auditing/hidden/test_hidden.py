"""Payloads are seen way by way, clean hosts are not, and views are what numpy says they are.

The models are not run here: `rates.py` proves each way with onnxruntime, by hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.auditing.hidden import search
from graphcount.auditing.planes import transposed
from graphcount.auditing.views import BitView, ViewBytes, down
from graphcount.loading.source import BytesSource
from tests.auditing.hidden.host import external, host, problem, weights
from tests.auditing.hidden.payloads import PAYLOADS
from tests.auditing.hidden.rates import goes, rules
from tests.auditing.hidden.ways import WAYS, Way, groups, plain, wire_field
from tests.conftest import FIXTURES

NAMES = list(PAYLOADS)
CHOSEN = [(way, NAMES[i % len(NAMES)]) for i, way in enumerate(WAYS) if goes(way, NAMES[i % 19])]
"""Each way with one payload, in turn; what text can go, where only text does."""
LIMITS = {"tar", "secrets", "python", "html", "script", "pe"}
"""What has no sign at its beginning: in odd numbers of bits it is seen at beginnings only."""


@pytest.mark.parametrize(("way", "payload"), CHOSEN, ids=lambda one: getattr(one, "name", one))
def test_a_payload_is_seen(way: Way, payload: str, tmp_path: Path) -> None:
    if "element 77" in way.name and payload in LIMITS:
        payload = "zip"
    assert rules(way.make(PAYLOADS[payload]()).save(tmp_path), deep=way.deep)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64", "int8"])
def test_a_clean_host_is_not(dtype: str, tmp_path: Path) -> None:
    assert rules(plain(host(dtype)).save(tmp_path), deep=True) == ()


def test_gaps_of_alignment_are_not(tmp_path: Path) -> None:
    assert rules(external(weights("float32"), bytes(4000)).save(tmp_path), deep=True) == ()


@pytest.mark.parametrize("path", sorted(FIXTURES.rglob("*.onnx")), ids=lambda path: path.stem)
def test_fixtures_are_clean(path: Path) -> None:
    assert rules(str(path), deep=True) == ()


def test_a_proof_fails_where_anything_is_changed() -> None:
    words = weights("float32")
    assert problem(plain(host("float32", words)), "float32", 0) == ""
    words[3] = words[3] ^ np.uint32(1 << 31)
    assert "answers moved" in problem(plain(host("float32", words)), "float32", 0.01)


@pytest.mark.parametrize("count", [1, 3, 4, 7, 8, 11, 16, 23])
@pytest.mark.parametrize("msb", [True, False])
@pytest.mark.parametrize("little", [True, False])
def test_a_view_reads_what_was_written(count: int, msb: bool, little: bool) -> None:
    payload = bytes(range(7, 250, 3))
    words = groups(payload, count, msb=msb, little=little).astype("<u4")
    noise = np.random.default_rng(1).integers(0, 1 << 32, len(words), np.uint64).astype("<u4")
    data = (words | noise >> np.uint32(count) << np.uint32(count)).astype("<u4").tobytes()
    order = down(count) if msb else down(count)[::-1]
    view = ViewBytes(BytesSource(data, ""), BitView("", order, 4, 4, little), 0)
    assert view.read(0, len(payload)) == payload
    assert view.read(5, 20) == payload[5:25]


def test_blocks_of_bits_are_transposed() -> None:
    data = np.random.default_rng(2).integers(0, 256, 64, np.uint8)
    bits = np.unpackbits(data.reshape(8, 8), axis=1, bitorder="little").reshape(8, 8, 8)
    turned = np.packbits(bits.transpose(0, 2, 1), axis=2, bitorder="little")
    assert (transposed(data) == turned.ravel()).all()


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_chance_makes_few_signs(width: int) -> None:
    """32 bits of about 70 signs in about 100 views of a million places: fewer than 100."""
    noise = np.random.default_rng(width).integers(0, 256, 1 << 20, np.uint8)
    assert len(list(search(noise, width))) < 300


def test_signs_everywhere_end(tmp_path: Path) -> None:
    """A tensor full of signs is given up, and the audit says so."""
    from graphcount import api
    from tests.auditing.hidden.ways import extra

    model = extra("uint8")(b"PK\3\4 not a zip archive " * 4000)
    report = api.audit(model.save(tmp_path), select=("HID",), deep=True)
    (finding,) = report.findings
    assert (finding.rule, finding.severity) == ("HID004", "low")


def test_a_field_that_only_begins_alike_is_not(tmp_path: Path) -> None:
    data = host("float32").SerializeToString() + wire_field(1999, b"PK\3\4" + bytes(200))
    (path := tmp_path / "m.onnx").write_bytes(data)
    assert rules(str(path), deep=True) == ()


def test_it_is_slow_so_large_models_are_searched_when_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    tensor = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[65 * 10**6])
    tensor.raw_data = bytes(65 * 10**6)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["y"])],
        "g",
        [],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [65 * 10**6])],
        [tensor],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    unasked = graphcount.audit(path, select="HID").audit
    assert unasked is not None
    assert [row.rule for row in unasked.skipped] == ["HID004"]
    assert "--deep runs it" in unasked.skipped[0].why
    asked = graphcount.audit(path, select="HID004", deep=True).audit
    assert asked is not None
    assert (asked.rules, asked.skipped) == (("HID004",), ())


def test_signalling_nan_are_numbers_like_others(tmp_path: Path) -> None:
    """numpy warns where it converts them, and warnings are errors here."""
    words = np.full(256, 0x7F800001, "<u4")
    tensor = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[256], raw_data=words.tobytes()
    )
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [256])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["y"])], "g", [], [output], [tensor]
    )
    path = tmp_path / "nan.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    report = graphcount.audit(path, select=("HID", "INT"), deep=True)
    assert report.findings == ()


def test_so_are_many_small_tensors(tmp_path: Path) -> None:
    path = tmp_path / "many.onnx"
    tensors = [
        TensorProto(name=f"w{i}", data_type=TensorProto.UINT8, dims=[4], raw_data=bytes(4))
        for i in range(1100)
    ]
    names = [tensor.name for tensor in tensors]
    output = helper.make_tensor_value_info("y", TensorProto.UINT8, [4400])
    node = helper.make_node("Concat", names, ["y"], axis=0)
    graph = helper.make_graph([node], "g", [], [output], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    unasked = graphcount.audit(path, select="HID").audit
    assert unasked is not None
    assert [row.rule for row in unasked.skipped] == ["HID004"]
