"""A short part of `attack_cost.py`: every repeated field is paid for, the worst files end soon."""

from __future__ import annotations

import time
from pathlib import Path

import onnx
import pytest

import graphcount
from graphcount.cli.main import main
from graphcount.errors import LimitError
from graphcount.graph import build_graph
from graphcount.loading import read_model
from graphcount.loading.limits import Limits
from tests.fuzz import shapes
from tests.fuzz.floods import Flood, field_floods

FLOODS = {flood.name: flood for flood in field_floods()}

IN_BULK = ("ints", "floats", "strings", "dims", "dim")
"""Elements that are taken in bulk, or that the rank bounds."""


def repeated_fields() -> set[tuple[str, str]]:
    """Messages and repeated fields of onnx.proto, by onnx itself."""
    pairs, waiting, seen = set(), [onnx.ModelProto.DESCRIPTOR], set()
    while waiting:
        message = waiting.pop()
        for field in message.fields:
            if field.is_repeated:
                pairs.add((message.name, field.name))
            inner = field.message_type
            if inner is not None and inner.full_name not in seen:
                seen.add(inner.full_name)
                waiting.append(inner)
    return pairs


def test_every_repeated_field_of_onnx_has_a_flood() -> None:
    names = {name.split(" ")[0].rpartition(".")[2] for name in FLOODS}
    assert names == {field for _, field in repeated_fields()}
    assert len(FLOODS) > 4 * len(repeated_fields())


@pytest.mark.parametrize("name", FLOODS)
def test_every_repeated_field_is_paid_for(name: str, tmp_path: Path) -> None:
    """What a thousand elements cost, the budget without that refuses."""
    path = tmp_path / "model.onnx"
    path.write_bytes(FLOODS[name].make(30_000))
    assert onnx.load(str(path), load_external_data=False).HasField("graph")
    field = name.split(" ")[0].rpartition(".")[2]
    if field in IN_BULK or (field.endswith("_data") and field != "external_data"):
        return
    with pytest.raises(LimitError, match="more than 1,700 units of work"):
        read_model(str(path), Limits(work=1_700))


WORST = {
    "escaped quotes": (Flood("", shapes.escaped_quotes, ".onnxtxt"), 80_000),
    "open quote": (Flood("", shapes.open_quote, ".onnxtxt"), 80_000),
    "calls with inputs": (Flood("", shapes.calls_with_inputs), 200_000),
    "bought": (Flood("", shapes.bought), 570_000),
    "sums": (Flood("", shapes.sums), 60_000),
    "digits": (Flood("", shapes.digits), 0),
}


@pytest.mark.parametrize("name", WORST)
def test_the_worst_files_end_soon(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each took 40 s or more, gigabytes, or ended with 70."""
    flood, nbytes = WORST[name]
    path = tmp_path / f"model{flood.suffix}"
    path.write_bytes(flood.make(nbytes))
    started = time.process_time()
    assert main(["count", str(path)]) in (0, 2)
    assert main(["audit", str(path), "--no-deep"]) in (0, 1, 2)
    assert time.process_time() - started < 20
    assert "internal error" not in capsys.readouterr().err


def test_values_of_calls_count_when_functions_are_expanded(tmp_path: Path) -> None:
    """100 calls of one node with 5,000 inputs make half a million uses, as 31,250 nodes do."""
    path = tmp_path / "model.onnx"
    inputs = [f"i{at}" for at in range(5000)]
    body = shapes.function("f", inputs, ["y"], shapes.node("Sum", inputs, ["y"]))
    calls = b"".join(shapes.node("f", ["x"], [f"{at}"], domain="l") for at in range(100))
    path.write_bytes(shapes.model(shapes.graph(calls, [shapes.X], [shapes.value("0", [1])]), body))
    graph = build_graph(read_model(str(path)).proto)
    assert {problem.code for problem in graph.problems} >= {"functions large"}
    assert sum(len(graph.operands(node)) for node in graph.nodes) < 20_000
    assert graphcount.count(str(path), limits=Limits(expanded_nodes=10**6)).nodes
