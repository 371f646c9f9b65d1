"""`graphcount page` and `graphcount export`, as programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import helper

from graphcount.cli.main import main
from graphcount.gates.baseline import relative
from graphcount.report.history import HistoryRow, Machine, MeasuredModel, line_of


def test_a_page_is_written_whole(
    fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "cnn.html"
    code = main(["page", str(fixtures / "cnn.onnx"), "-o", str(target), "--dim", "batch=1"])
    assert code == 0
    html = target.read_text("utf-8")
    assert html.startswith("<!doctype html>")
    assert html.endswith("</html>\n")
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith(f"graphcount: {target}: ")
    assert main(["page", str(fixtures / "cnn.onnx"), "-o", str(target), "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_the_command_has_its_old_name_too(
    fixtures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = []
    for name in ("page", "report"):
        assert main([name, str(fixtures / "cnn.onnx")]) == 0
        pages.append(capsys.readouterr().out)
    assert pages[0] == pages[1]
    assert main(["report", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: graphcount page ")


def test_a_page_goes_to_a_pipe(fixtures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["page", str(fixtures / "cnn.onnx"), "--no-audit"]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")


@pytest.mark.parametrize("saved", [False, True])
def test_a_page_of_two_models_says_what_grew(
    saved: bool, fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Batch normalisation adds scale and bias: 2 x (5 + 12 + 128) parameters."""
    old = str(fixtures / "cnn.onnx")
    if saved:
        report = tmp_path / "old.json"
        assert main([old, "--format", "json", "-o", str(report)]) == 0
        old = str(report)
    new = str(fixtures / "cnn_batchnorm.onnx")
    assert main(["page", new, "--against", old, "--no-audit"]) == 0
    html = capsys.readouterr().out
    (text,) = re.findall(r'id="data" data-encoding="json">(.*?)</script>', html)
    data = json.loads(text)
    assert data["old"]["totals"]["parameters"] == 26_926
    assert data["report"]["totals"]["parameters"] == 26_926 + 2 * (5 + 12 + 128)
    rows = {(row["level"], row["name"]): row for row in data["changes"]["rows"]}
    assert rows["tensor", "classifier.1.weight"]["status"] == "added"
    assert rows["module", "classifier.1"]["delta"]["parameters"] == 2 * 128
    assert rows["module", "classifier"]["delta"]["parameters"] == 2 * 128


def test_costs_from_the_configuration_are_on_the_page(
    save: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = helper.make_node("Foo", ["x"], ["y"], "foo", domain="com.acme")
    path = save([node], inputs=[("x", [2, 8])], outputs=[("y", [2, 4])], opsets=[("com.acme", 1)])
    config = tmp_path / "costs.toml"
    config.write_text('[operators."com.acme::Foo"]\nmacs = "prod(inputs[0]) * outputs[0][-1]"\n')
    for options, macs in ((["--config", str(config)], 2 * 8 * 4), (["--no-config"], 0)):
        assert main(["page", path, "--no-audit", *options]) == 0
        (text,) = re.findall(
            r'id="data" data-encoding="json">(.*?)</script>', capsys.readouterr().out
        )
        assert json.loads(text)["report"]["totals"]["macs"] == macs


def test_a_terminal_is_spared(
    fixtures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["page", str(fixtures / "cnn.onnx")]) == 2
    assert "-o model.html" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "not a graphcount.bench/1"),
        ('{"schema": "graphcount.bench/1", "nodes": []}', "no node was timed"),
        (None, "no such file"),
    ],
)
def test_times_that_are_none_are_refused_in_one_line(
    content: str | None,
    words: str,
    fixtures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "bench.json"
    if content is not None:
        path.write_text(content)
    assert main(["page", str(fixtures / "cnn.onnx"), "--bench", str(path)]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert words in streams.err
    assert "bench.json" in streams.err
    assert streams.err.count("\n") == 1


def test_times_of_another_model_are_refused(
    fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"name": "node_conv2d", "op_type": "Conv", "sources": ["node_conv2d"], "time_s": 1e-3}]
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"schema": "graphcount.bench/1", "nodes": rows}))
    page = tmp_path / "page.html"
    options = ["--bench", str(path), "-o", str(page), "--quiet"]
    assert main(["page", str(fixtures / "cnn.onnx"), *options]) == 0
    page.unlink()
    assert main(["page", str(fixtures / "mlp_4_5_3.onnx"), *options]) == 2
    assert "benchmark of another model" in capsys.readouterr().err
    assert not page.exists()


def test_a_history_of_another_model_is_refused(
    fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, file, page = fixtures / "mlp_4_5_3.onnx", tmp_path / "h.jsonl", tmp_path / "page.html"
    machine = Machine("EPYC", 2, "Linux", "1.32.0", "CPU", None, None, "all", 1, 1)
    inputs = {"x": "float32 1x4"}
    own = MeasuredModel(relative(str(file), str(model)), None, None)
    row = HistoryRow("2026-11-30T10:00:00Z", None, own, machine, inputs, 9, 1e-3, 2e-3)
    options = ["--history", str(file), "-o", str(page), "--quiet"]
    file.write_text(line_of(row) + line_of(row._replace(inputs={"x": "float32 8x4"})))
    assert main(["page", str(model), *options]) == 0
    assert page.read_text().count("2026-11-30T10:00:00Z") == 1  # at the sizes of the last line
    first = page.read_bytes()
    assert main(["page", str(model), *options]) == 0
    assert page.read_bytes() == first
    page.unlink()
    for path, words in (
        (fixtures / "cnn.onnx", "a history of "),
        (fixtures / "vision_language", "a history is of one model, and this is a folder"),
    ):
        assert main(["page", str(path), *options]) == 2
        err = capsys.readouterr().err
        assert words in err
        assert err.count("\n") == 1
    file.write_text("{\n")
    assert main(["page", str(model), *options]) == 2
    assert "h.jsonl: line 1 is not JSON" in capsys.readouterr().err
    assert not page.exists()


def test_a_model_that_cannot_be_read_makes_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "no.onnx"
    path.write_bytes(b"PK\x03\x04")
    target = tmp_path / "no.html"
    assert main(["page", str(path), "-o", str(target)]) == 2
    assert not target.exists()
    assert capsys.readouterr().err.count("\n") == 1


def test_exports_go_to_stdout_or_a_file(
    fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(fixtures / "cnn.onnx")
    assert main(["export", path, "--dim", "batch=1"]) == 0
    assert capsys.readouterr().out.startswith("flowchart TD\n")
    target = tmp_path / "cnn.json"
    assert main(["export", path, "--format", "netron", "-o", str(target)]) == 0
    assert json.loads(target.read_text("utf-8"))["signature"] == "netron:attachment"
    assert main(["export", path, "--format", "visio"]) == 2


def test_help_says_what_each_export_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    from graphcount.formats.graphs import EXPORTS

    assert main(["export", "--help"]) == 0
    shown = capsys.readouterr().out
    for name, (_, _, text) in EXPORTS.items():
        assert f"  {name} " in shown
        assert text in shown
