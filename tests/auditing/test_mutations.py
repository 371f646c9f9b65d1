"""Any bytes at all: an error or a report, quickly; and no prefix of a model passes as whole."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from graphcount import api
from graphcount.errors import GraphcountError
from graphcount.formats import FORMATS, render
from graphcount.formats.findings import render as render_text
from graphcount.formats.view import View
from graphcount.ops import operators
from graphcount.report.finding_rows import SEVERITIES
from graphcount.report.records import Report

PATIENCE = 3.0
"""Processor seconds one small file may take: a hundred times what it does."""

CASES = int(os.environ.get("GRAPHCOUNT_MUTATIONS", "400"))
"""Mutated files per seed; more of them when there is time."""


@pytest.fixture(scope="module")
def small() -> bytes:
    """A small model with everything that rules look at."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 3], bytes(range(24)), raw=True)
    side = TensorProto(name="side", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "side.bin"), ("offset", "8"), ("length", "16")):
        side.external_data.add(key=key, value=value)
    values = helper.make_tensor("sparse", TensorProto.FLOAT, [2], [1.0, 2.0])
    indices = helper.make_tensor("", TensorProto.INT64, [2], [0, 4])
    body = helper.make_graph([helper.make_node("Abs", ["w"], ["b"])], "body", [], [])
    function = helper.make_function(
        "local", "F", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], [], ["alpha"]
    )
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"], name="mm", doc_string="a doc"),
            helper.make_node("If", ["c"], ["i"], then_branch=body, else_branch=body),
            helper.make_node("F", ["h"], ["y"], domain="local", alpha=0.5, axes=[1, -1], s="text"),
        ],
        "main",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weight, side, TensorProto(name="t", data_type=8, dims=[1], string_data=[b"label"])],
        sparse_initializer=[helper.make_sparse_tensor(values, indices, [2, 3])],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    model = helper.make_model(
        graph, functions=[function], producer_name="p", ir_version=10, opset_imports=opsets
    )
    helper.set_model_props(model, {"author": "me"})
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a model is put, with its side file."""
    (tmp_path / "side.bin").write_bytes(bytes(range(24)))
    return tmp_path / "model.onnx"


def attempt(path: Path, data: bytes) -> Report | GraphcountError:
    """Audit bytes; anything but a report or a GraphcountError fails the test by itself."""
    path.write_bytes(data)
    start = time.process_time()
    try:
        report = api.audit(str(path), deep=True)
    except GraphcountError as error:
        return error
    finally:
        assert time.process_time() - start < PATIENCE
    assert report.audit is not None
    assert report.audit.complete, [f.message for f in report.findings]
    return report


def loud(report: Report) -> bool:
    """Whether a report has more than a hint."""
    levels = [SEVERITIES.index(finding.severity) for finding in report.findings]
    return max(levels, default=0) >= SEVERITIES.index("medium")


def test_the_model_itself_is_clean(small: bytes, place: Path) -> None:
    report = attempt(place, small)
    assert isinstance(report, Report)
    own = ("FMT", "EXT", "TEN", "TXT", "PRV", "HID", "VER")
    mild = [f for f in report.findings if f.rule.startswith(own) and f.severity != "info"]
    assert mild == []


def test_every_prefix_is_an_error_or_has_a_finding(small: bytes, place: Path) -> None:
    """Beyond the opset imports a cut at the border of a field cannot be seen in a protobuf."""
    opset = helper.make_opsetid("", 20).SerializeToString()
    whole = small.index(bytes([8 << 3 | 2, len(opset)]) + opset) + 2 + len(opset)
    for length in range(len(small)):
        outcome = attempt(place, small[:length])
        if isinstance(outcome, Report) and length < whole:
            assert loud(outcome), length


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A copy with one to four changes of bytes, fields or lengths."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(changed))
        match rng.randrange(7):
            case 0:
                changed[at] = rng.randrange(256)
            case 1:
                changed[at] ^= 1 << rng.randrange(8)
            case 2:
                changed[at:at] = rng.randbytes(rng.randrange(1, 12))
            case 3:
                del changed[at : at + rng.randrange(1, 12)]
            case 4:
                changed[at : at + 1] = rng.choice((b"\xff" * 10, b"\x80" * 9 + b"\x01", b"\x00"))
            case 5:
                start = rng.randrange(len(changed))
                changed[at:at] = changed[start : start + rng.randrange(1, 40)]
            case _:
                changed[at:at] = rng.choice(STRINGS)
        changed = changed or bytearray(b"\x08")
    return bytes(changed)


STRINGS = (
    b"\x1b[2K",
    b"\xe2\x80\xae",
    b"\xff\xfe",
    b"../",
    b"/etc/passwd",
    b"-1",
    b"9" * 30,
    b"\x7fELF\x02\x01\x01",
    b"| <b> `x` $y$\r\n",
)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_files(seed: int, small: bytes, place: Path) -> None:
    rng = random.Random(seed)
    reports = 0
    for _ in range(CASES):
        outcome = attempt(place, mutated(small, rng))
        if isinstance(outcome, Report):
            reports += 1
        else:
            assert outcome.message
            assert "\n" not in outcome.message
            assert outcome.rule
    assert 0 < reports < CASES


def fields(message: Any, rng: random.Random) -> Iterator[None]:
    """Change one scalar somewhere below a message, chosen at random."""
    present = message.ListFields()
    for field, value in rng.sample(present, len(present)):
        if field.message_type:
            items = list(value) if field.is_repeated else [value]
            for item in rng.sample(items, len(items)):
                yield from fields(item, rng)
        else:
            yield
            change(message, field, rng)


def change(message: Any, field: Any, rng: random.Random) -> None:
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        new: Any = rng.choice(("", "a\x1b[1m", "x" * 3000, "../x", "\u202e", "9" * 25, "w"))
        new = new if field.type == field.TYPE_STRING else new.encode()
    elif kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        new = rng.choice((float("nan"), float("inf"), -1.0, 0.0))
    elif kind == field.CPPTYPE_ENUM:
        new = rng.choice([value.number for value in field.enum_type.values])
    elif kind in (field.CPPTYPE_INT32, field.CPPTYPE_UINT64):
        new = rng.choice((0, 1, 2, 8, 22))
    else:
        new = rng.choice((0, -1, 1, 2**40, 2**63 - 1, -(2**63), 99))
    if field.is_repeated:
        values = getattr(message, field.name)
        values[rng.randrange(len(values))] = new
    else:
        setattr(message, field.name, new)


@pytest.mark.parametrize("seed", range(2))
def test_files_with_other_values_in_their_fields(seed: int, small: bytes, place: Path) -> None:
    rng = random.Random(1000 + seed)
    reports = 0
    for _ in range(CASES // 2):
        model = onnx.ModelProto.FromString(small)
        steps = fields(model, rng)
        for _ in range(rng.randrange(1, 30)):
            next(steps, None)
        next(steps, None)
        reports += isinstance(attempt(place, model.SerializeToString()), Report)
    assert reports > CASES // 8


@pytest.mark.parametrize("seed", range(2))
def test_every_format_shows_what_hostile_files_give(seed: int, small: bytes, place: Path) -> None:
    import json
    import re

    bad = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff]")
    rng = random.Random(2000 + seed)
    view = View(rules={rule.id: rule for rule in api.rules()})
    shown = 0
    while shown < 25:
        outcome = attempt(place, mutated(small, rng))
        if not isinstance(outcome, Report):
            continue
        shown += 1
        for name in FORMATS:
            if name == "table":
                continue
            text = render(name, [outcome], view)
            assert not bad.search(text), name
            if name in ("json", "cyclonedx"):
                json.loads(text)
        assert not bad.search(render_text([outcome], view))


@pytest.mark.parametrize("given", [0, 1, 3])
def test_operators_without_results(given: int, tmp_path: Path) -> None:
    """Every operator there is, with some operands or none, and nothing that it makes."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 3], [0.5] * 6)
    domains = ("", "ai.onnx.ml", "com.microsoft")
    nodes = [
        helper.make_node(op_type, ["w"] * given, [], domain=domain)
        for domain in domains
        for _, op_type in operators(domain)
    ]
    assert len(nodes) > 300
    opsets = [helper.make_opsetid(domain, 20) for domain in domains]
    graph = helper.make_graph(nodes, "main", [], [], [weight])
    path = tmp_path / "none.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())
    report = api.audit(str(path), deep=True)
    assert report.audit is not None
    assert not [finding for finding in report.findings if finding.rule == "INT001"]
    assert api.count(str(path), deep=True).totals.elements == 6
