"""Bars and the sparkline: lengths by hand, no line too wide, nothing garbled."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

import graphcount
from graphcount.cli.main import main
from graphcount.formats import render
from graphcount.formats.bars import bar
from graphcount.formats.text import ascii_only, sparkline
from graphcount.formats.view import View
from graphcount.report.pass_rows import MomentRow


@pytest.mark.parametrize(
    ("value", "most", "width", "drawn"),
    [
        (8, 8, 4, "████"),
        (4, 8, 4, "██"),
        (5, 8, 4, "██▌"),
        (1, 1000, 4, "▏"),  # little is not nothing
        (0, 8, 4, ""),
        (0, 0, 4, ""),
    ],
)
def test_a_bar_is_as_long_as_its_share(value: int, most: int, width: int, drawn: str) -> None:
    assert bar(value, most, width) == drawn


def moments(*sizes: int) -> list[MomentRow]:
    return [MomentRow(step, f"n{step}", size) for step, size in enumerate(sizes)]


def test_a_sparkline_keeps_the_peak() -> None:
    assert sparkline(moments(0, 1, 2, 3, 4, 5, 6, 7, 8), 9) == "▁▂▃▄▅▆▇██"
    assert sparkline(moments(*[1] * 500, 8, *[1] * 499), 10) == "▂▂▂▂▂█▂▂▂▂"
    assert sparkline(moments(5), 40) == "█"
    assert sparkline([], 40) == ""
    assert sparkline(moments(0, 0), 40) == ""


def run(*arguments: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(list(arguments)) == 0
    return out.getvalue()


def test_macs_at_assumed_sizes_say_so(fixtures: Path) -> None:
    lines = run(str(fixtures / "cnn.onnx"), "--bars").splitlines()
    assert lines[2] == "  sizes assumed: batch 1; --dim batch=N or '*=N' sets them"
    conv = lines[lines.index(" MACs by operator") + 1].split()
    assert (conv[0], conv[-2]) == ("Conv", "348.0k")  # 5*28*28 * 3*5*5 + 12*10*10 * 5*3*3
    assert "assumed" not in run(str(fixtures / "cnn.onnx"), "--bars", "--dim", "batch=1")


def test_the_largest_come_first_with_their_share(fixtures: Path) -> None:
    text = run(str(fixtures / "cnn.onnx"), "--bars", "--dim", "batch=16")
    lines = text.splitlines()
    first = lines[lines.index(" bytes by module") + 1]
    assert first.split()[0] == "classifier.0"
    assert first.endswith("98.82 kB   91.7%")  # 4·(192·128 + 128) of 107,720 bytes
    conv = next(line for line in lines if line.startswith("  Conv"))
    assert conv.endswith("93.1%")  # 16·(294,000 + 54,000) of 5,981,696 MACs
    assert "peak 501.76 kB, at node_relu" in text


def test_what_is_left_out_is_summed(fixtures: Path) -> None:
    text = run(str(fixtures / "transformer_block.onnx"), "--bars", "--by", "tensor", "--top", "3")
    shares = [float(share) for share in re.findall(r"([0-9.]+)%$", text, re.MULTILINE)]
    assert "others)" in text
    for start in range(0, len(shares), 4):
        assert sum(shares[start : start + 4]) == pytest.approx(100, abs=0.3)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(
    width: int, fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for model in ("transformer_block.onnx", "cnn.onnx"):
        text = run(str(fixtures / model), "--bars", "--dim", "batch=1")
        assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("options", [[], ["--bars"]])
def test_ascii_terminals_get_ascii(
    options: list[str], fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = run(str(fixtures / "cnn.onnx"), "--dim", "batch=4", *options)
    assert not wide.isascii()

    class Terminal(io.StringIO):
        encoding = "ascii"

    out = Terminal()
    with contextlib.redirect_stdout(out):
        assert main([str(fixtures / "cnn.onnx"), "--dim", "batch=4", *options]) == 0
    text = out.getvalue()
    assert text.isascii()
    assert "\\u" not in text
    assert list(map(len, text.splitlines())) == list(map(len, wide.splitlines()))


def test_the_c_locale_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import SimpleNamespace

    from graphcount.cli.output import _speaks_unicode

    monkeypatch.setattr(sys, "stdout", SimpleNamespace(encoding="utf-8"))
    for name in ("LC_ALL", "LANG", "PYTHONUTF8"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "flags", SimpleNamespace(utf8_mode=1))
    assert _speaks_unicode()  # nothing is said: what is common
    monkeypatch.setenv("LANG", "C")
    assert not _speaks_unicode()
    monkeypatch.setenv("PYTHONUTF8", "1")
    assert _speaks_unicode()


def test_names_are_escaped_and_not_translated_away() -> None:
    assert ascii_only("█▌ · é\u2028") == "## * \\xe9\\u2028"


def test_the_table_has_the_run_when_it_is_known(fixtures: Path) -> None:
    path = str(fixtures / "cnn.onnx")
    spark = re.compile(r"^\s+[▁▂▃▄▅▆▇█]{11}$", re.MULTILINE)
    assert spark.search(run(path, "--dim", "batch=4"))
    assert not spark.search(run(path))
    assert '"timeline": null' in run(path, "--dim", "batch=4", "--format", "json")


def test_colour_only_where_it_is_allowed(fixtures: Path) -> None:
    report: Any = graphcount.count(str(fixtures / "cnn.onnx"))
    assert "\x1b[" not in render("bars", [report], View())
    assert "\x1b[34m" in render("bars", [report], View(color=True))


def test_bars_are_a_table_not_a_format(fixtures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(fixtures / "cnn.onnx"), "--bars", "--format", "json"]) == 2
    assert "exclude each other" in capsys.readouterr().err
