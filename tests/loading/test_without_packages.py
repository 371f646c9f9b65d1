"""Without packages, as in a browser: long lists come to the same numbers, text is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import helper

from graphcount.ops.trees import FEW_NODES
from tests.conftest import Save

COUNT = """
import sys
if {without}:
    for name in ("numpy", "networkx", "onnx", "click", "rich", "msgspec"):
        sys.modules[name] = None
import graphcount
print(graphcount.count(sys.argv[1]).to_json())
"""

STEPS = FEW_NODES + 10_000


def unpacked(model: onnx.ModelProto) -> None:
    """A tree that is a chain: each comparison has a leaf and the next comparison."""
    branch, leaf = b"BRANCH_LEQ", b"LEAF"
    count = 2 * STEPS + 1
    below = range(1, count, 2)
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0] * count,
        nodes_nodeids=list(range(count)),
        nodes_featureids=[0] * count,
        nodes_values=[0.5] * count,
        nodes_modes=[branch, leaf] * STEPS + [leaf],
        nodes_truenodeids=[n for at in below for n in (at, 0)] + [0],
        nodes_falsenodeids=[n for at in below for n in (at + 1, 0)] + [0],
        target_ids=[0],
        target_nodeids=[count - 1],
        target_treeids=[0],
        target_weights=[1.0],
    )
    model.graph.node.append(node)
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))


def packed(model: onnx.ModelProto) -> None:
    """A list in one field: varints of one, two and ten bytes."""
    numbers = [1, 300, -1] * STEPS
    node = helper.make_node("Constant", [], ["y"], value_ints=[0])
    data = b"".join(varint(number) for number in numbers)
    raw = node.attribute[0].SerializeToString()
    attribute = raw.replace(b"\x40\x00", b"\x42" + varint(len(data)) + data)
    assert attribute != raw
    body = onnx.NodeProto(output=["y"], op_type="Constant").SerializeToString()
    model.graph.node.add().ParseFromString(body + b"\x2a" + varint(len(attribute)) + attribute)


def varint(number: int) -> bytes:
    """An integer as protobuf writes it."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize(
    ("add", "expected"),
    [(unpacked, ("elementwise", STEPS)), (packed, ("elements", 3 * STEPS))],
    ids=["unpacked", "packed"],
)
def test_long_lists(
    save: Save, add: Callable[[onnx.ModelProto], None], expected: tuple[str, int]
) -> None:
    inputs = [("x", [1, 1])] if add is unpacked else []
    path = save([], inputs=inputs, outputs=["y"], change=add)
    outputs = []
    for without in (True, False):
        code = COUNT.format(without=without)
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-500:]
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    measure, number = expected
    assert json.loads(outputs[0])["totals"][measure] == number


def test_text_forms_need_onnx(tmp_path: Path) -> None:
    path = tmp_path / "model.onnxtxt"
    path.write_text('<ir_version: 10, opset_import: ["": 20]> g (float[1] x) => (float[1] y) {}')
    code = COUNT.format(without=True)
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    line = done.stderr.splitlines()[-1]
    assert "NotReadableError" in line
    assert "which the package onnx reads, and it is not installed" in line
