"""Times of operators beside what they cost: parameters, bytes, MACs, and the roofline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphcount.benchmarking.attribute import Attribution, attribute
from graphcount.benchmarking.messages import OperatorRow, Profiled
from graphcount.benchmarking.trace import OperatorTime, OrtNode
from graphcount.graph import ModelGraph
from graphcount.report.bench import Ceiling, NodeTime, Profile
from graphcount.report.rows import NodeRow

FIRST = ("node", "fused", "part", "inserted")
"""Costs of a node count at the operator that is the most certain to compute it."""


def join(
    profile: Profiled,
    rows: Mapping[str, NodeRow],
    original: ModelGraph,
    optimized: ModelGraph | None,
) -> tuple[Profile, tuple[NodeTime, ...]]:
    """Return the profile and the operators of it, each beside its cost.

    Args:
        profile: As `graphcount.benchmarking.worker` answers.
        rows: Nodes of the report by id.
        original: The graph of the file.
        optimized: The graph onnxruntime made of it, or None.

    Returns:
        What was profiled, and every operator, slowest first.
    """
    times = [_time(row) for row in profile["operators"]]
    attributions = attribute((time.path for time in times), original, optimized)
    ceiling = Ceiling(*profile["ceiling"]) if profile["ceiling"] else None
    whole = sum(time.seconds for time in times)
    counted: set[str] = set()
    nodes = [
        _row(time, attributions[time.path], rows, counted, whole, ceiling)
        for time in sorted(times, key=lambda time: FIRST.index(attributions[time.path].kind))
    ]
    ran = {source for item in attributions.values() for source in item.sources}
    operators = {node.id for node in original.operators}
    summary = Profile(
        runs=profile["runs"],
        run_s=profile["run_s"],
        graph_s=profile["graph_s"],
        operators_s=whole,
        elapsed_s=sum(time.elapsed_seconds for time in times),
        overhead_s=profile["run_s"] - whole,
        not_run=len(operators - ran),
        ceiling=ceiling,
        notes=tuple(profile["notes"]),
    )
    return summary, tuple(sorted(nodes, key=lambda node: (-node.time_s, node.name)))


def _time(row: OperatorRow) -> OperatorTime:
    path: tuple[OrtNode, ...] = tuple((step[0], step[1], step[2]) for step in row[0])
    return OperatorTime(path, *row[1:])


def _row(
    time: OperatorTime,
    attribution: Attribution,
    rows: Mapping[str, NodeRow],
    counted: set[str],
    whole: float,
    ceiling: Ceiling | None,
) -> NodeTime:
    """Return one operator; a node that several compute costs at the first of them."""
    mine = () if attribution.kind == "inserted" else attribution.sources
    costs = [rows[source] for source in mine if source in rows and source not in counted]
    kind = "part" if mine and not set(mine) - counted else attribution.kind
    counted.update(mine)
    macs = _sum(row.macs for row in costs)
    moved = round(time.moved_nbytes) + sum(row.nbytes for row in costs)
    seconds = time.seconds or None
    flops = 2 * macs / seconds if macs and seconds else None
    stream = moved / seconds if seconds else 0.0
    roofline, bound = _roofline(macs, moved, seconds, ceiling)
    return NodeTime(
        name=time.path[-1][0],
        op_type=time.path[-1][1],
        provider=time.provider,
        sources=attribution.sources,
        attribution=kind,
        calls=time.calls,
        time_s=time.seconds,
        elapsed_s=time.elapsed_seconds,
        share=time.seconds / whole if whole else 0.0,
        parameters=sum(row.parameters for row in costs),
        nbytes=moved,
        macs=macs,
        flops_per_s=flops,
        bytes_per_s=stream,
        roofline=roofline,
        bound=bound,
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    """Return the sum; None when one is not known."""
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total


def _roofline(
    macs: int | None, moved: int, seconds: float | None, ceiling: Ceiling | None
) -> tuple[float | None, str | None]:
    """Return the share of the lower ceiling that was reached, and which one that is.

    The fastest an operator can be is the longer of computing at the peak of arithmetic and moving
    its operands once at the peak of memory.
    """
    if ceiling is None or macs is None or not seconds:
        return None, None
    compute = 2 * macs / ceiling.flops_per_s
    memory = moved / ceiling.bytes_per_s
    if compute == memory == 0:
        return None, None
    return max(compute, memory) / seconds, "compute" if compute >= memory else "memory"
