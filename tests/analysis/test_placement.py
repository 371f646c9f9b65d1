"""Places in an arena: checked value against value, and against lifetimes read from the file."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

import graphcount
from graphcount.analysis import placement
from graphcount.analysis.placement import ALIGNMENT, Lifetime, placed
from graphcount.cli.main import main
from graphcount.report.pass_rows import ArenaRow

Save = Callable[..., str]
N: Any = helper.make_node

LIFETIMES = st.lists(
    st.builds(
        lambda nbytes, first, length: Lifetime(nbytes, first, first + length),
        st.integers(0, 300),
        st.integers(0, 200),
        st.one_of(st.integers(0, 3), st.integers(0, 150)),
    ),
    max_size=40,
)


def overlaps(lifetimes: Sequence[Lifetime], offsets: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs that share a byte at a step, by comparing each with each."""
    rows = list(zip(lifetimes, offsets, strict=True))
    return [
        (i, j)
        for i, (a, at) in enumerate(rows)
        for j, (b, other) in enumerate(rows[:i])
        if max(a.first, b.first) <= min(a.last, b.last)
        and max(at, other) < min(at + a.nbytes, other + b.nbytes)
    ]


def most_alive(lifetimes: Sequence[Lifetime]) -> int:
    steps = {one.first for one in lifetimes}
    return max(
        (sum(a.nbytes for a in lifetimes if a.first <= step <= a.last) for step in steps), default=0
    )


@settings(max_examples=300, deadline=None)
@given(LIFETIMES)
def test_nothing_overlaps(lifetimes: list[Lifetime]) -> None:
    offsets = placed(lifetimes)
    assert not overlaps(lifetimes, offsets)
    assert all(offset % ALIGNMENT == 0 for offset in offsets)
    top = max((at + one.nbytes for at, one in zip(offsets, lifetimes, strict=True)), default=0)
    everything = sum(-(-one.nbytes // ALIGNMENT) * ALIGNMENT for one in lifetimes)
    assert most_alive(lifetimes) <= top <= everything


def test_too_many_to_compare_go_on_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "WORK", 50)
    draw = random.Random(0)
    starts = [draw.randrange(100) for _ in range(60)]
    lifetimes = [Lifetime(draw.randrange(1, 99), at, at + draw.randrange(30)) for at in starts]
    assert not overlaps(lifetimes, placed(lifetimes))


@pytest.mark.parametrize(
    ("lifetimes", "least"),
    [
        # a chain: two of them at a time
        ([Lifetime(8, 0, 1), Lifetime(16, 1, 2), Lifetime(8, 2, 3), Lifetime(16, 3, 4)], 24),
        # in the order of time the second would lie on the first, and the third above both
        ([Lifetime(8, 0, 1), Lifetime(8, 0, 2), Lifetime(16, 2, 3)], 24),
        ([], 0),
    ],
)
def test_small_blocks_are_the_least(lifetimes: list[Lifetime], least: int) -> None:
    offsets = placed(lifetimes)
    tops = [at + one.nbytes for at, one in zip(offsets, lifetimes, strict=True)]
    assert max(tops, default=0) == least == most_alive(lifetimes)


# ----------------------------------------------------------------------------------- whole models


def drawn(seed: int) -> tuple[list[onnx.NodeProto], list[str]]:
    """A graph of random operators on vectors, and what it returns."""
    draw = random.Random(seed)
    lengths = {"x": 8}
    nodes = []
    for place in range(draw.randrange(3, 25)):
        first, second = draw.choice(list(lengths)), draw.choice(list(lengths))
        name = f"v{place}"
        op_type = draw.choice(["Relu", "Neg", "Identity", "Concat", "Add"])
        if op_type == "Add" and lengths[first] != lengths[second]:
            op_type = "Concat"
        if op_type == "Concat":
            nodes.append(N(op_type, [first, second], [name], axis=0))
            lengths[name] = lengths[first] + lengths[second]
        else:
            nodes.append(N(op_type, [first, second][: 1 + (op_type == "Add")], [name]))
            lengths[name] = lengths[first]
        if lengths[name] > 4096:
            break
    return nodes, draw.sample([node.output[0] for node in nodes], min(2, len(nodes)))


def arena_of(path: str, **options: Any) -> ArenaRow:
    report = graphcount.count(path, arena=True, **options)
    assert report.arena is not None
    assert report.arena.lower_bound == report.totals.peak_activation_nbytes
    return report.arena


@pytest.mark.parametrize("seed", range(20))
def test_values_of_a_graph_have_a_place_while_they_live(save: Save, seed: int) -> None:
    """Lifetimes from the file: from the node that makes a value to the last that reads it."""
    nodes, outputs = drawn(seed)
    arena = arena_of(save(nodes, inputs=[("x", [8])], outputs=outputs))
    made = {node.output[0]: step for step, node in enumerate(nodes)}
    last = {name: step for step, node in enumerate(nodes) for name in node.input}
    last |= dict.fromkeys(outputs, len(nodes))
    wanted = {name for name in made if name in last}
    places = {row.value: row for row in arena.values}
    assert places.keys() == wanted
    assert arena.unplaced == 0
    lifetimes = [Lifetime(places[name].nbytes, made[name], last[name]) for name in wanted]
    offsets = [places[name].offset for name in wanted]
    assert not overlaps(lifetimes, offsets)
    assert most_alive(lifetimes) == arena.lower_bound <= arena.nbytes
    assert arena.nbytes == max(at + one.nbytes for at, one in zip(offsets, lifetimes, strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_in_place_a_run_through_one_block_gives_the_right_results(save: Save, seed: int) -> None:
    """numpy runs the graph in one array of bytes, by the offsets alone."""
    nodes, outputs = drawn(seed)
    path = save(nodes, inputs=[("x", [8])], outputs=outputs)
    arena = arena_of(path, in_place=True)
    block = np.zeros(arena.nbytes, np.uint8)
    views = {
        row.value: block[row.offset : row.offset + row.nbytes].view(np.float32)
        for row in arena.values
    }
    does: dict[str, Callable[..., Any]] = {
        "Relu": lambda a: np.maximum(a, 0),
        "Neg": np.negative,
        "Identity": np.array,
        "Add": np.add,
        "Concat": lambda a, b: np.concatenate([a, b]),
    }
    x = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    values = {"x": x}
    for node in nodes:
        (name,) = node.output
        values[name] = does[node.op_type](*[values[each] for each in node.input])
        if name in views:
            taken = [views.get(each, x) if each == "x" else views[each] for each in node.input]
            views[name][:] = does[node.op_type](*taken)
    for name in outputs:
        assert np.array_equal(views[name], values[name])


def test_dynamic_sizes_have_places_at_assumed_ones(save: Save) -> None:
    path = save([N("Neg", ["x"], ["y"])], inputs=[("x", ["batch", 8])], outputs=["y"])
    report = graphcount.count(path, arena=True, assume={"batch": 3})
    assert report.arena is None
    assert report.in_numbers.arena is not None
    assert report.in_numbers.arena.nbytes == 3 * 8 * 4


def test_what_has_no_known_bytes_is_said(save: Save) -> None:
    """Nobody knows what the operator makes."""
    nodes = [N("Acme", ["x"], ["z"], domain="com.acme"), N("Neg", ["x"], ["y"])]
    opsets = [("", 20), ("com.acme", 1)]
    path = save(nodes, inputs=[("x", [8])], outputs=["y", "z"], opsets=opsets)
    arena = graphcount.count(path, arena=True).arena
    assert arena is not None
    assert (arena.unplaced, [row.value for row in arena.values]) == (1, ["y"])
    assert arena.onnxruntime_nbytes == 0  # outputs have memory of their own


def test_the_command_prints_and_writes_it(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    weight = numpy_helper.from_array(np.ones((8, 8), np.float32), "w")
    nodes = [N("MatMul", ["x", "w"], ["a"]), N("Relu", ["a"], ["y"])]
    path = save(nodes, [weight], inputs=[("x", [1, 8])], outputs=["y"])
    assert main([path, "--arena"]) == 0
    assert "arena" in capsys.readouterr().out
    assert main([path, "--arena", "--format", "json"]) == 0
    arena = json.loads(capsys.readouterr().out)["arena"]
    assert [row["offset"] for row in arena["values"]] in ([0, 32], [32, 0])
    assert (arena["nbytes"], arena["lower_bound"], arena["onnxruntime_nbytes"]) == (64, 64, 256)
    assert main([path, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["arena"] is None
