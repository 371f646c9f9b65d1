"""Histories: a line longer each time, of one model on one machine, and damage is named."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import parser

import graphcount
from graphcount.api.history import History, changes_of, current_commit, read_history
from graphcount.benchmarking.measure import BenchOptions
from graphcount.errors import DamagedError, NotReadableError, UsageError
from graphcount.report.history import (
    HistoryRow,
    Machine,
    MeasuredModel,
    line_of,
    refuse_others,
    rows_of,
    trend,
)

MODEL = MeasuredModel("a.onnx", "ab", "cd")
MACHINE = Machine("EPYC", 2, "Linux x86_64", "1.32.0", "CPUExecutionProvider", 1, None, "all", 1, 1)
ROW = HistoryRow(
    date="2026-11-30T10:00:00Z",
    commit="3f2a",
    model=MODEL,
    machine=MACHINE,
    inputs={"x": "float32 1x3"},
    runs=100,
    min=0.009,
    p50=0.010,
    low=0.0099,
    high=0.0101,
)


def test_a_line_is_read_as_it_was_written() -> None:
    rows = [ROW, ROW._replace(commit=None, low=None, high=None, versus="b.onnx", ratio=1.5)]
    assert rows_of("".join(map(line_of, rows)), "h") == rows
    assert json.loads(line_of(ROW))["schema"] == "graphcount.history/1"
    assert rows_of("", "h") == []


def changed(*keys: str, value: Any = None) -> str:
    """Return the line with one value changed; without a value: taken out."""
    data = json.loads(line_of(ROW))
    place = data
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "line 2 is not JSON"),
        ("{", "line 2 is not JSON"),
        ("[" * 100_000, "line 2 is not JSON"),
        ("3", "line 2 is not a graphcount.history/1"),
        ('{"schema": "graphcount.bench/1"}', "line 2 is not a graphcount.history/1"),
        ('{"schema": "graphcount.history/1"}', "line 2 is damaged: no 'model'"),
        (changed("model", value="a.onnx"), "line 2 is damaged: MeasuredModel is no object"),
        (changed("machine", "cores", value="2"), 'line 2 is damaged: cores is "2"'),
        (changed("machine", "cpu", value=None), "line 2 is damaged: cpu is null"),
        (changed("p50", value=True), "line 2 is damaged: p50 is true"),
        (changed("p50", value=-1), "line 2 is damaged: a latency is no time in seconds"),
        (changed("min", value=float("nan")), "a latency is no time in seconds"),
        (changed("inputs", value={"x": 3}), "line 2 is damaged: an input is no text"),
        (changed("low", value="1"), 'line 2 is damaged: low is "1"'),
    ],
)
def test_a_damaged_line_is_named(line: str, words: str) -> None:
    with pytest.raises(DamagedError) as error:
        rows_of(f"{line_of(ROW)}{line}\n", "h.jsonl")
    assert words in error.value.message
    assert error.value.path == "h.jsonl"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (line_of(ROW).encode()[:-1], "line 1 is cut"),
        (b"\xff\n", "not UTF-8"),
        (b"\x08\x03\x12\n", "line 1 is not JSON"),
    ],
)
def test_what_is_no_history_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "h.jsonl"
    path.write_bytes(data)
    with pytest.raises(DamagedError, match=words):
        read_history(str(path))
    with pytest.raises(NotReadableError):
        read_history(str(tmp_path / "none.jsonl"))


def test_one_model_and_one_machine() -> None:
    refuse_others([ROW], ROW, "h")
    grown = MODEL._replace(sha256="other", architecture="other")
    refuse_others([ROW], ROW._replace(model=grown), "h")  # the same place, and it is fed the same
    refuse_others([ROW], ROW._replace(model=MODEL._replace(path="moved.onnx")), "h")
    refuse_others([ROW], ROW._replace(inputs={"x": "float32 8x3"}), "h")
    for row, words in (
        (ROW._replace(model=grown._replace(path="b.onnx")), "line 1 is of a.onnx, and this is b"),
        (ROW._replace(model=grown, inputs={"y": "float32 1x3"}), "is of another a.onnx"),
        (ROW._replace(model=grown, inputs={"x": "float32 1x3x8"}), "is of another a.onnx"),
        (ROW._replace(machine=MACHINE._replace(cores=4)), "another machine, cores 2 and here 4"),
        (ROW._replace(machine=MACHINE._replace(onnxruntime="1.33.0")), "onnxruntime 1.32.0 and"),
    ):
        with pytest.raises(UsageError, match=words):
            refuse_others([ROW], row, "h")


def test_a_measurement_stands_beside_those_of_its_sizes() -> None:
    times = (0.010, 0.011, 0.012)
    rows = [ROW._replace(p50=time) for time in times]
    other = ROW._replace(inputs={"x": "float32 8x3"}, p50=1.0)
    stands = trend([other, *rows], ROW._replace(p50=0.0115), "h")
    assert (stands.before, stands.slower_than, stands.latest) == (3, 2, 3)
    assert stands.ratio == pytest.approx(0.0115 / 0.011)
    assert trend([other], ROW, "h")[1:5] == (0, None, None, 0)
    many = [ROW._replace(p50=9.0)] * 30 + [ROW._replace(p50=0.01)] * 20
    assert trend(many, ROW, "h").ratio == 1  # of the latest twenty


def test_a_change_for_good_is_found_and_an_outlier_is_none() -> None:
    pytest.importorskip("ruptures", reason="ruptures is not installed (extra history)")
    wobble = (1.0, 1.004, 0.997, 1.002, 0.995, 1.003, 0.999, 1.001)
    times = [0.01 * wobble[n % 8] * (1.06 if n >= 17 else 1) for n in range(40)]
    times[5] *= 1.5
    times[29] *= 1.5
    rows = [ROW._replace(p50=time, date=f"day {n}", commit=str(n)) for n, time in enumerate(times)]
    (change,) = changes_of(rows)
    assert (change.date, change.commit) == ("day 17", "17")
    assert change.ratio == pytest.approx(1.06, abs=0.005)
    assert changes_of(rows[:17]) == ()
    assert changes_of([]) == ()
    assert changes_of([ROW] * 30) == ()


def test_without_the_library_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ruptures", None)
    with pytest.raises(UsageError, match=r"pip install 'graphcount\[history\]'"):
        History(str(tmp_path / "h.jsonl"), changes=True)


def test_git_says_the_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert current_commit() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert current_commit() is None


# --------------------------------------------------------------------------------- the command

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    for name, op_type in (("a", "Relu"), ("b", "Sin")):
        text = f"g (float[batch, 3] x) => (float[batch, 3] y) {{ y = {op_type} (x) }}"
        model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>{text}')
        onnx.save(model, tmp_path / f"{name}.onnx")

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        fixed = ("--no-profile", "--threads", "1", "--runs", "20")
        line = [sys.executable, "-m", "graphcount", "bench", *map(str, words), *fixed]
        return subprocess.run(line, capture_output=True, text=True, cwd=tmp_path)

    return run


@pytest.fixture
def needs_onnxruntime() -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")


@pytest.mark.usefixtures("needs_onnxruntime")
def test_a_history_grows_and_says_how_today_compares(command: Command, tmp_path: Path) -> None:
    words = ("a.onnx", "--history", "h.jsonl", "--commit", "3f2a")
    first = command(*words, "--dim", "batch=1,2")
    assert (first.returncode, first.stderr) == (0, "")
    second = command(*words, "--dim", "batch=2")
    assert second.returncode == 0
    assert "times the one before in h.jsonl" in second.stdout
    rows = read_history(str(tmp_path / "h.jsonl"))
    assert [row.inputs for row in rows] == [{"x": f"float32 {n}x3"} for n in (1, 2, 2)]
    assert {row.commit for row in rows} == {"3f2a"}
    assert {row.model.path for row in rows} == {"a.onnx"}
    assert all(len(row.model.sha256 or "") == 64 for row in rows)
    kept = (tmp_path / "h.jsonl").read_bytes()
    for line, why in (
        (("b.onnx", "--history", "h.jsonl"), "h.jsonl: line 1 is of a.onnx, and this is b.onnx"),
        (("a.onnx", "--history", "h.jsonl", "--optimization", "none"), "another machine"),
        (("a.onnx", "--history", "a.onnx"), "a.onnx: "),
        (("a.onnx", "--history", "none/h.jsonl"), "there is no folder none"),
        (("a.onnx", "--changes"), "--commit and --changes need --history"),
    ):
        done = command(*line)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert done.stderr.startswith("graphcount: ")
        assert done.stderr.count("\n") == 1
        assert why in done.stderr
    assert (tmp_path / "h.jsonl").read_bytes() == kept


@pytest.mark.usefixtures("needs_onnxruntime")
def test_python_has_it_too(command: Command, tmp_path: Path) -> None:
    path, file = str(tmp_path / "a.onnx"), str(tmp_path / "h.jsonl")
    quick = BenchOptions(runs=10, profile=False)
    for before in (0, 1):
        (result,) = graphcount.benches(path, quick, history=file, commit="c").results
        assert result.history is not None
        assert (result.history.before, result.history.changes) == (before, None)
