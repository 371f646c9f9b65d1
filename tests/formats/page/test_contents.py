"""What the page says: the numbers of the terminal, both sides of a diff, facts about the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import graphcount
from graphcount.cli.main import main
from graphcount.formats.page import render

Open = Callable[..., Any]
Terminal = Callable[..., str]

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?: [kMG]?B|[kMBT])?(?![\w.*])")
"""A number as people read it: `26,926`, `26.9k`, `107.72 kB`."""

HEADLINES = ("parameters", "quantization", "MACs", "element-wise", "activations", "weights")


def headlines(text: str) -> dict[str, list[str]]:
    """Numbers of the first screen by their label, without formulas and what follows a colon."""
    rows = re.findall(rf"^  ({'|'.join(HEADLINES)})\s+([^;:\n]*)", text, re.MULTILINE)
    return {label: NUMBER.findall(words.partition(" in ")[0]) for label, words in rows}


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 0
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("name", ["cnn_int8", "gpt2_like", "mlp_external", "tied_language_model"])
def test_no_number_differs_from_the_terminal(
    opened: Open, terminal: Terminal, fixtures: Path, name: str
) -> None:
    path = str(fixtures / f"{name}.onnx")
    rows = headlines(terminal(path))
    assert {"parameters", "weights", "MACs", "activations"} <= set(rows)
    page = opened(graphcount.page(path, audit=False)).page
    stats = page.locator("#stats").inner_text()
    for label, numbers in rows.items():
        assert numbers, label
        for number in numbers:
            assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d,.]*\d)", stats), (
                label,
                number,
            )


def test_no_number_of_a_deployment_differs(
    opened: Open, terminal: Terminal, fixtures: Path
) -> None:
    path = str(fixtures / "vision_language")
    (row,) = re.findall(r"^ together .*$", terminal("deploy", path), re.MULTILINE)
    parameters, _, weights, _, peak = NUMBER.findall(row)
    stats = opened(graphcount.page(path, audit=False)).page.locator("#stats").inner_text()
    for number in (parameters, weights, peak):
        assert number in stats


def test_a_diff_names_both_sides_and_what_is_gone(opened: Open, fixtures: Path) -> None:
    old, new = str(fixtures / "cnn.onnx"), str(fixtures / "cnn_batchnorm.onnx")
    watched = opened(graphcount.page(new, against=old, audit=False))
    page = watched.page
    assert page.locator("h1").inner_text() == "cnn.onnx → cnn_batchnorm.onnx"
    assert page.title() == "cnn.onnx → cnn_batchnorm.onnx - graphcount"
    before, after = graphcount.count(old), graphcount.count(new)
    for card in page.locator(".stat").all():
        text = card.inner_text()
        assert " from " in text or "unchanged" in text, text
    sign = f"+{after.totals.parameters - before.totals.parameters}"
    assert sign in page.locator(".stat", has_text="Parameters").inner_text()
    only = {tensor.name for tensor in before.tensors} - {tensor.name for tensor in after.tensors}
    (gone,) = page.locator(".gone code").all_inner_texts()
    assert gone in only
    page.click("#changes button[data-key=removed]")
    assert page.locator("#changes .row[data-place]").count() == 1
    assert gone in page.locator("#changes .rows-body").inner_text()
    assert watched.events == []


def test_sides_of_one_name_are_told_apart(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    paths = ("a/v1/model.onnx", "a/v2/model.onnx")
    old, new = (replace(report, model=report.model._replace(path=path)) for path in paths)
    changes: dict[str, Any] = {"rows": [], "notes": []}
    assert "<h1>v1/model.onnx → v2/model.onnx</h1>" in render(new, against=old, changes=changes)
    assert "<h1>model.onnx → model.onnx</h1>" in render(new, against=new, changes=changes)


def test_the_file_has_its_licence_and_digests(opened: Open, bound: graphcount.Report) -> None:
    token = "ghp_" + "a" * 36
    metadata = {"zoo": "x" * 1_000, "license": "MIT", "author": "A. Author", "secret": token}
    info = bound.model._replace(metadata=metadata, sha256="ab" * 32, graph_name="main <graph>")
    page = opened(render(replace(bound, model=info))).page
    keys = page.locator("#about tbody th").all_inner_texts()
    assert keys[-4:] == ["author", "license", "zoo", "secret"]
    text = page.locator("#about").inner_text()
    for words in ("MIT", "A. Author", "ab" * 32, "main <graph>", "ai.onnx 20", "ghp_***(40)"):
        assert words in text
    assert "x" * 241 not in text
    page.click("text=show all 1,000 characters")
    assert "x" * 1_000 in page.locator("#about").inner_text()


def test_colours_of_modules_name_modules_only(opened: Open, fixtures: Path) -> None:
    page = opened(graphcount.page(str(fixtures / "gpt2_like.onnx"), audit=False)).page
    modules = {node.module for node in graphcount.count(str(fixtures / "gpt2_like.onnx")).nodes}
    inner = {name.rsplit(".", depth)[0] for name in modules for depth in range(3)}
    names = page.locator("#map-legend li").all_inner_texts()
    assert len(names) > 2
    assert {name for name in names if name != "outside these modules"} <= inner


def test_every_page_fits_a_phone(
    opened: Open, terminal: Terminal, fixtures: Path, tmp_path: Path
) -> None:
    cnn, other = str(fixtures / "cnn.onnx"), str(fixtures / "cnn_batchnorm.onnx")
    inventory = tmp_path / "scan.html"
    terminal("scan", cnn, other, "--jobs", "1", "-q", "-o", str(inventory))
    pages = (
        graphcount.page(other, against=cnn, audit=False),
        graphcount.page(str(fixtures / "vision_language"), audit=False),
        inventory.read_text("utf-8"),
    )
    for html in pages:
        watched = opened(html, width=390, ready=html is not pages[2])
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert watched.page.evaluate("getComputedStyle(document.body).fontFamily.slice(0, 9)") == (
            "system-ui"
        )
        assert watched.events == []
    rows = watched.page.locator("tbody tr").all_inner_texts()
    assert "cnn_batchnorm" in rows[0]  # the largest first
