"""`graphcount.scan` and `inventory` do in Python what `graphcount scan` does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphcount
from graphcount.api import Interrupted, scanning
from graphcount.scanning.work import Analysis
from tests.api.conftest import Command


def test_rows_are_those_of_the_command_line(folder: Path, command: Command) -> None:
    done = command("scan", ".", "--jobs", 1, "--format", "jsonl")
    with graphcount.inventory(["."], jobs=1) as scanned:
        rows = list(scanned.rows())
        assert scanned.exit_code == done.code == 2
        assert (scanned.models, scanned.errors, scanned.failed, scanned.bugs) == (3, 1, 0, 0)
        assert scanned.summary().status == {"ok": 2, "error": 1}
    said = [json.loads(line) for line in done.out.splitlines()]
    assert said == rows
    assert [row["path"] for row in rows] == ["bad/cut.onnx", "cnn.onnx", "mlp_3_5_2.onnx"]


def test_outcomes_are_the_reports(folder: Path) -> None:
    outcomes = list(graphcount.scan("."))
    assert [type(item) for item in outcomes] == [
        graphcount.DamagedError, graphcount.Report, graphcount.Report,
    ]  # fmt: skip
    assert outcomes[1] == graphcount.count("cnn.onnx")


def test_budgets_and_what_is_unknown_decide(folder: Path, command: Command) -> None:
    models = ["cnn.onnx", "mlp_3_5_2.onnx"]
    for limit, code in ((26_926, 0), (26_925, 1)):
        analysis = Analysis(maxima=(f"parameters={limit}",))
        with graphcount.inventory(models, jobs=1, analysis=analysis) as scanned:
            assert (scanned.exit_code, scanned.failed) == (code, code)
        assert command("scan", *models, "--jobs", 1, "--max", f"parameters={limit}").code == code


def test_an_inventory_is_gone_on_with(folder: Path, command: Command) -> None:
    outputs = ["found.sqlite", "found.csv"]
    with graphcount.inventory(["cnn.onnx"], outputs, jobs=1) as scanned:
        assert scanned.exit_code == 0
    again = graphcount.inventory(["cnn.onnx"], outputs, jobs=1)
    with pytest.raises(graphcount.NotReadableError, match="is there already"), again:
        pytest.fail("it was refused")
    with graphcount.inventory(["cnn.onnx", "mlp_3_5_2.onnx"], outputs, jobs=1, resume=True) as two:
        assert two.models == 2
    done = command("scan", ".", "--glob", "*_2.onnx", "--jobs", 1, "-o", "other.csv")
    assert done.code == 0
    lines = (folder / "found.csv").read_text().splitlines()
    assert lines[2:] == (folder / "other.csv").read_text().splitlines()[1:]


def test_what_makes_no_sense_is_refused_before_anything_is_read(folder: Path) -> None:
    for analysis, why in (
        (Analysis(select=("EXT",)), "--select and --ignore need --audit"),
        (Analysis(maxima=("latency_p50=3ms",)), "a scan runs no model"),
        (Analysis(maxima=("parametres=3",)), "no measure"),
    ):
        with pytest.raises(graphcount.UsageError, match=why):
            list(graphcount.scan("cnn.onnx", analysis=analysis))
        kept = graphcount.inventory("cnn.onnx", analysis=analysis)
        with pytest.raises(graphcount.UsageError, match=why), kept:
            pytest.fail("it was refused")


def test_ctrl_c_keeps_what_is_done(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphcount.scanning import run

    work = run.work

    def interrupted(*arguments: object) -> Iterator[object]:
        yield from list(work(*arguments))[:1]  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "work", interrupted)
    models = ["cnn.onnx", "mlp_3_5_2.onnx"]
    kept = graphcount.inventory(models, ["kept.sqlite", "kept.jsonl"], jobs=1)
    with pytest.raises(Interrupted) as caught, kept:
        pytest.fail("it was interrupted")
    assert (caught.value.done, caught.value.kept) == (1, True)
    assert len((folder / "kept.jsonl").read_text().splitlines()) == 1
    done = command("scan", *models, "--jobs", 1)
    assert (done.code, done.out) == (130, "")
    assert done.err == "graphcount: interrupted: 1 models are done\n"


def test_cores_are_those_of_the_process() -> None:
    assert scanning._cores() >= 1
