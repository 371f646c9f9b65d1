"""Profiles, written by hand as onnxruntime writes them."""

from __future__ import annotations

import pytest

from graphcount.benchmarking import trace


def node(name: str, op: str, ts: int, dur: int, index: int = 0, **args: object) -> trace.Event:
    rest = {"op_name": op, "node_index": str(index), "provider": "P", **args}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": rest}


def end(ts: int, dur: int) -> trace.Event:
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": dur, "args": {}}


def test_runs_are_cut_where_they_end() -> None:
    events: list[trace.Event] = [
        {"cat": "Session", "name": "session_initialization", "ts": 0, "dur": 9, "args": {}},
        node("a", "Relu", 10, 4),
        end(9, 7),
        node("a", "Relu", 20, 6),
        end(19, 8),
    ]
    first, second = trace.runs(events)
    assert (first.micros, second.micros) == (7, 8)
    assert [item.micros for item in second.executions] == [6]


def test_a_holder_loses_the_time_of_what_runs_inside() -> None:
    events: list[trace.Event] = [
        node("before", "Relu", 8, 1),
        node("x", "Sin", 12, 3, 1),
        node("x", "Sin", 20, 4, 1),
        node("inner", "If", 18, 8, 0),  # 8 - 4
        node("outer", "Loop", 10, 20, 5),  # 20 - 3 - 4 - 4
        end(7, 30),
    ]
    (run,) = trace.runs(events)
    outer, inner = ("outer", "Loop", 5), ("inner", "If", 0)
    own: dict[tuple[trace.OrtNode, ...], int] = {}
    for item in run.executions:
        own[item.path] = own.get(item.path, 0) + item.micros
    assert own == {
        (("before", "Relu", 0),): 1,
        (outer, ("x", "Sin", 1)): 3,
        (outer, inner, ("x", "Sin", 1)): 4,
        (outer, inner): 4,
        (outer,): 9,
    }
    assert sum(own.values()) == 1 + 20


@pytest.mark.parametrize("op_type", ["If", "SequenceMap", "BeamSearch", "WhisperBeamSearch"])
def test_whatever_runs_bodies_covers_what_runs_in_them(op_type: str) -> None:
    events: list[trace.Event] = [
        node("x", "Sin", 12, 3, 1),
        node("outer", op_type, 10, 20, 5),
        end(7, 30),
    ]
    (run,) = trace.runs(events)
    assert [(len(item.path), item.micros) for item in run.executions] == [(2, 3), (1, 17)]


def test_the_executor_is_told_from_the_call() -> None:
    executor: trace.Event = {"cat": "Session", "name": trace.EXECUTOR, "args": {}}
    events: list[trace.Event] = [
        node("x", "Sin", 12, 3, 1),
        {**executor, "ts": 11, "dur": 5},  # of the body
        node("loop", "Loop", 10, 8),
        {**executor, "ts": 9, "dur": 10},
        end(5, 20),
        node("a", "Relu", 30, 4),
        end(29, 7),  # none is told
    ]
    first, second = trace.runs(events)
    assert (first.micros, first.graph_micros) == (20, 10)
    assert (second.micros, second.graph_micros) == (7, 7)


def test_elapsed_times_reach_from_start_to_start() -> None:
    events: list[trace.Event] = [
        node("a", "Relu", 10, 4),
        node("x", "Sin", 20, 3),
        node("loop", "Loop", 17, 8),  # it starts before what it holds, and ends after
        node("b", "Relu", 30, 5),
        end(9, 28),
    ]
    (run,) = trace.runs(events)
    elapsed = {item.path[-1][0]: item.elapsed_micros for item in run.executions}
    assert elapsed == {"a": 17 - 10, "loop": 20 - 17, "x": 30 - 20, "b": 37 - 30}
    assert sum(elapsed.values()) == 9 + 28 - 10


def test_means_are_taken_over_the_faster_half() -> None:
    events: list[trace.Event] = []
    for start, lasted in ((0, 10), (100, 90), (200, 20), (300, 80)):
        events += [
            node("a", "Relu", start, lasted, activation_size="8", output_size="4"),
            end(start, lasted + 1),
        ]
    kept = trace.faster_half(list(trace.runs(events)))
    assert [run.micros for run in kept] == [11, 21]
    (row,) = trace.operators(kept)
    assert (row.calls, row.seconds, row.moved_nbytes) == (1, 15e-6, 12)
    assert row.elapsed_seconds == 16e-6  # the run ends a microsecond later


def test_events_of_other_kinds_and_odd_numbers_do_no_harm() -> None:
    events: list[trace.Event] = [
        {"cat": "Kernel", "name": "gpu"},
        node("a", "Relu", 0, 1, node_index="?"),
        end(0, 2),
    ]
    (run,) = trace.runs(events)
    assert run.executions[0].path == (("a", "Relu", -1),)
