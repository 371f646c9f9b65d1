"""onnxruntime's profile becomes times of operators.

A profile is a list of Chrome trace events in the order in which they ended, times in microseconds.
Events of category `Node` are executions of operators; what runs in the body of an If, Loop or Scan
ends before that operator does. `model_run` ends a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from typing import NamedTuple, TypedDict

from graphcount import ops

SUFFIX = "_kernel_time"
EXECUTOR = "SequentialExecutor::Execute"

OrtNode = tuple[str, str, int]
"""Name, op type and index of a node, as onnxruntime has them."""


class Event(TypedDict, total=False):
    """An event of a profile, as far as it is read (Chrome's Trace Event Format)."""

    cat: str
    name: str
    ts: int
    dur: int
    args: dict[str, object]


class Execution(NamedTuple):
    """One execution of an operator.

    Attributes:
        path: Steps from the outermost control-flow operator to this one.
        micros: Its own time, without what ran inside.
        elapsed_micros: From its start until the next one starts: with what onnxruntime does
            between them (it allocates, schedules, and writes the profile).
        moved_nbytes: Activations read and results written.
    """

    path: tuple[OrtNode, ...]
    provider: str
    micros: int
    elapsed_micros: int
    moved_nbytes: int


class Run(NamedTuple):
    """One run of the model: its time and everything that ran in it.

    Attributes:
        micros: The call into onnxruntime.
        graph_micros: The executor in it, which runs the operators; the call's where none is told.
    """

    micros: int
    graph_micros: int
    executions: tuple[Execution, ...]


class OperatorTime(NamedTuple):
    """An operator over the runs that were kept: means for one run."""

    path: tuple[OrtNode, ...]
    provider: str
    calls: float
    seconds: float
    elapsed_seconds: float
    moved_nbytes: float


def runs(events: Iterable[Event]) -> Iterator[Run]:
    """Cut a profile into runs."""
    waiting: list[tuple[int, int, Execution]] = []
    graph: tuple[int, int] | None = None
    for event in events:
        if event.get("cat") == "Session" and event.get("name") == "model_run":
            micros = int(event["dur"])
            start, lasted = graph or (int(event["ts"]), micros)
            yield Run(micros, lasted, _elapsed(waiting, start + lasted))
            waiting, graph = [], None
        elif event.get("cat") == "Session" and event.get("name") == EXECUTOR:
            graph = int(event["ts"]), int(event["dur"])  # those of bodies end before the graph's
        elif event.get("cat") == "Node" and str(event.get("name", "")).endswith(SUFFIX):
            _add(waiting, event)


def _add(waiting: list[tuple[int, int, Execution]], event: Event) -> None:
    """Put an execution behind those before; control flow takes what ran inside under its path."""
    args = event.get("args", {})
    start, micros = int(event["ts"]), int(event["dur"])
    op_type = str(args.get("op_name", ""))
    name = str(event["name"]).removesuffix(SUFFIX)
    step: OrtNode = (name, op_type, _number(args.get("node_index"), -1))
    inside = 0
    if op_type in _runs_bodies():
        for position in range(len(waiting) - 1, -1, -1):
            begun, lasted, held = waiting[position]
            if begun < start:
                break
            waiting[position] = (begun, 0, held._replace(path=(step, *held.path)))
            inside += lasted  # 0 for what control flow inside has taken
    moved = _number(args.get("activation_size"), 0) + _number(args.get("output_size"), 0)
    provider = str(args.get("provider", ""))
    own = Execution((step,), provider, max(0, micros - inside), micros, moved)
    waiting.append((start, micros, own))


def _elapsed(waiting: list[tuple[int, int, Execution]], end: int) -> tuple[Execution, ...]:
    """Return executions in the order they ended, each with the time until the next start.

    Profiles count whole microseconds, and onnxruntime's own work after a small operator takes as
    long as the operator: starts are what adds up to a run. The last one goes on to the `end`.
    """
    order = sorted(range(len(waiting)), key=lambda at: waiting[at][0])
    executions = [item for _, _, item in waiting]
    for at, after in pairwise(order):
        executions[at] = executions[at]._replace(elapsed_micros=waiting[after][0] - waiting[at][0])
    if order:
        last = order[-1]
        executions[last] = executions[last]._replace(elapsed_micros=end - waiting[last][0])
    return tuple(executions)


def _number(text: object, default: int) -> int:
    try:
        return int(str(text))
    except ValueError:
        return default


def faster_half(runs: list[Run]) -> list[Run]:
    """Return the faster half of runs: what other processes disturbed is left out."""
    ordered = sorted(runs, key=lambda run: run.micros)
    return ordered[: (len(ordered) + 1) // 2]


def operators(kept: list[Run]) -> list[OperatorTime]:
    """Return mean times of operators, in the order in which they first ran."""
    sums: dict[tuple[tuple[OrtNode, ...], str], list[int]] = {}
    for run in kept:
        for item in run.executions:
            total = sums.setdefault((item.path, item.provider), [0, 0, 0, 0])
            total[0] += 1
            total[1] += item.micros
            total[2] += item.elapsed_micros
            total[3] += item.moved_nbytes
    count = len(kept)
    return [
        OperatorTime(
            path,
            provider,
            calls / count,
            micros / count / 1e6,
            elapsed / count / 1e6,
            moved / count,
        )
        for (path, provider), (calls, micros, elapsed, moved) in sums.items()
    ]


@cache
def _runs_bodies() -> frozenset[str]:
    """Return operators whose event covers those of others; a profile does not say their domain."""
    known = ops.operators("", "com.microsoft").items()
    return frozenset(op_type for (_, op_type), row in known if "runs bodies" in row.traits)
