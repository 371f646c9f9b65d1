"""An arena: one block with a place for every activation, for runtimes that have no allocator.

Two values overlap in it only where no step needs both. The least block is an NP-hard problem
(dynamic storage allocation; Garey and Johnson, SR2), so the best of a few orders is taken: largest
first, longest alive first, and what is alive at the fullest steps first, each value at the lowest
offset that is free while it lives (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural
Net Inference", 2020: greedy by size, greedy by breadth). No block is smaller than the peak.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from graphcount.analysis.lifetimes import results, sizes
from graphcount.analysis.memory import buffers
from graphcount.analysis.runtime_plan import runtime_plan
from graphcount.analysis.shapes import ValueShapes
from graphcount.graph import ModelGraph
from graphcount.report.pass_rows import ArenaRow, PlaceRow

ALIGNMENT = 8
"""Bytes of which every offset is a multiple: the width of the widest element that is no complex."""

STEPS = 64
"""Steps of a section: values are compared with those of their sections alone."""

WORK = 5_000_000
"""Comparisons of values; beyond them a value goes on top of all others."""


class Lifetime(NamedTuple):
    """Memory that is needed for a time.

    Attributes:
        nbytes: How much.
        first: First step at which it is needed.
        last: Last one.
    """

    nbytes: int
    first: int
    last: int


def arena(graph: ModelGraph, shapes: ValueShapes, *, in_place: bool) -> ArenaRow | None:
    """Return a place for each activation; None while sizes are dynamic.

    Args:
        graph: The graph.
        shapes: Shapes and types of its values.
        in_place: Results take over the memory of inputs where they can; see `memory`.
    """
    made = results(graph, graph.order, sizes(shapes), shapes.dead).activations
    homes = buffers(graph, made, in_place=in_place)
    of_buffers = list({id(buffer): buffer for buffer in homes.values()}.values())
    lifetimes = []
    for buffer in of_buffers:
        if not isinstance(buffer.nbytes, int):
            return None
        lifetimes.append(Lifetime(buffer.nbytes, buffer.first, buffer.last))
    places = placed(lifetimes)
    offsets = {id(buffer): place for buffer, place in zip(of_buffers, places, strict=True)}
    rows = [
        PlaceRow(value, node, offsets[id(homes[node, value])], nbytes, first, last)
        for value, nbytes, first, last, node in made
        if (node, value) in homes and isinstance(nbytes, int)
    ]
    return ArenaRow(
        nbytes=_top(lifetimes, places),
        lower_bound=max(_alive(lifetimes), default=0),
        values=tuple(rows),
        unplaced=len(made) - len(rows),
        onnxruntime_nbytes=runtime_plan(graph, shapes).blocks[""],
    )


def placed(lifetimes: Sequence[Lifetime]) -> list[int]:
    """Return an offset for each: those of the smallest block that was come to."""
    alive = _alive(lifetimes)
    fullest = sorted(range(len(alive)), key=lambda step: -alive[step])
    rank = {step: place for place, step in enumerate(fullest)}
    order = range(len(lifetimes))
    orders = (
        sorted(order, key=lambda i: (-lifetimes[i].nbytes, lifetimes[i].first)),
        sorted(order, key=lambda i: (lifetimes[i].first - lifetimes[i].last, -lifetimes[i].nbytes)),
        sorted(
            order,
            key=lambda i: (
                min(map(rank.__getitem__, _some(lifetimes[i]))),
                -lifetimes[i].nbytes,
            ),
        ),
        list(order),
    )
    least = max(alive, default=0)
    best: list[int] | None = None
    for each in orders:
        offsets = _in_order(lifetimes, each)
        if best is None or _top(lifetimes, offsets) < _top(lifetimes, best):
            best = offsets
        if _top(lifetimes, best) <= least:
            break
    return best or []


def _some(one: Lifetime) -> Sequence[int]:
    """Return steps of a lifetime: all of a short one, and as many of a long one."""
    length = one.last - one.first
    return range(one.first, one.last + 1, max(1, length // STEPS))


def _in_order(lifetimes: Sequence[Lifetime], order: Sequence[int]) -> list[int]:
    """Place one after another, each at the lowest offset that is free while it lives."""
    offsets = [0] * len(lifetimes)
    sections: dict[int, list[tuple[int, int, int, int]]] = {}
    work = top = 0
    for index in order:
        nbytes, first, last = lifetimes[index]
        if not nbytes:
            continue
        nbytes = -(-nbytes // ALIGNMENT) * ALIGNMENT
        mine = range(first // STEPS, last // STEPS + 1)
        near = [sections[section] for section in mine if section in sections]
        work += sum(map(len, near)) + len(mine)
        if work > WORK:
            offsets[index], top = top, top + nbytes
            continue
        rows = near[0] if len(near) == 1 else sorted({row for rows in near for row in rows})
        offset = offsets[index] = _lowest(rows, nbytes, first, last)
        top = max(top, offset + nbytes)
        for section in mine:
            insort(sections.setdefault(section, []), (offset, offset + nbytes, first, last))
    return offsets


def _lowest(rows: Sequence[tuple[int, int, int, int]], nbytes: int, first: int, last: int) -> int:
    """Return the lowest offset with so much room, beside what lives at the same time."""
    end = 0
    for start, stop, begins, ends in rows:
        if begins <= last and first <= ends:
            if start - end >= nbytes:
                break
            end = max(end, stop)
    return end


def _alive(lifetimes: Sequence[Lifetime]) -> list[int]:
    """Return the bytes that are needed at each step."""
    changes = [0] * (max((one.last for one in lifetimes), default=-1) + 2)
    for nbytes, first, last in lifetimes:
        changes[first] += nbytes
        changes[last + 1] -= nbytes
    return list(accumulate(changes[:-1]))


def _top(lifetimes: Sequence[Lifetime], offsets: Sequence[int]) -> int:
    ends = (offset + one.nbytes for one, offset in zip(lifetimes, offsets, strict=True))
    return max(ends, default=0)
