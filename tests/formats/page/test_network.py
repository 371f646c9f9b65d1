"""The network on the page: folded as exports are, and what a person does with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from onnx import helper

import graphcount
from graphcount.analysis.drawing import flows
from graphcount.api.deploying import CONTEXT, deployed, flows_of_whole, whole_of
from graphcount.formats.page import render
from graphcount.formats.page.data import pack
from graphcount.formats.page.network import network
from graphcount.loading.limits import DEFAULT_LIMITS
from tests.conftest import Save
from tests.formats.page.conftest import HOSTILE, scripts

Open = Callable[..., Any]

FOLDED = """
([data, networks]) => {
  const folds = new Folds({ ...data, nodes: new Columns(data.nodes) }, networks);
  const name = (item) => item.path;
  return Array.from({ length: 6 }, (_, depth) => {
    folds.openTo(depth + 1);
    const rows = [];
    for (const [item] of folds.all()) {
      if (!item.open) continue;
      for (const edge of folds.edges(item)) {
        if (edge.source && edge.target && !edge.source.open && !edge.target.open)
          rows.push([name(edge.source), name(edge.target), edge.values]);
      }
    }
    return rows;
  });
}
"""


def test_the_library_is_the_published_file() -> None:
    """Dagre 3.1.3 as npm has it; see docs/page.md."""
    folder = resources.files("graphcount.formats.page").joinpath("assets")
    library = folder.joinpath("dagre.min.js").read_bytes()
    digest = hashlib.sha256(library).hexdigest()
    assert digest == "54a503e346f93ca0bb10abe7999587e037262935687aca45eb4e4b0f64bbb578"
    assert b"eval(" not in library
    assert b"Function(" not in library
    assert "Chris Pettitt" in folder.joinpath("dagre.LICENSE").read_text("utf-8")


@pytest.mark.parametrize("name", ["cnn", "transformer_block", "gpt2_like", "tied_language_model"])
def test_folds_are_those_of_exports(chromium: Any, fixtures: Path, name: str) -> None:
    """Between what both draw as one box, the page has the edges of `export --depth`."""
    model = graphcount.load(str(fixtures / f"{name}.onnx"))
    report = model.report()
    page = chromium.new_page()
    code = scripts("data.js", "formulas.js", "tree.js", "sizes.js", "folds.js")
    data = json.loads(json.dumps([pack(report), network(report, model.flows(report))]))
    folded = page.evaluate(f"(data) => eval({code + ';(' + FOLDED + ')'!r})(data)", data)
    page.close()
    for depth, rows in enumerate(folded, 1):
        drawing = model.drawing(report, depth)
        names = [node.id.removeprefix("input:").removeprefix("output:") for node in drawing.nodes]
        modules = [node.module for node in drawing.nodes]
        expected = {
            (names[edge.source], names[edge.target], edge.values)
            for edge in drawing.edges
            if modules[edge.source] == modules[edge.target]
        }
        assert {tuple(row) for row in rows} == expected
        assert rows or depth > 1


def test_flows_lead_through_bodies_and_name_the_output(save: Save) -> None:
    """A body's own input is passed through; the second output of Split is named as such."""
    shape = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Relu", ["b"], ["r"], "relu")], "body", [], [shape("r", 1, [2])]
    )
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b"], "split", num_outputs=2),
        helper.make_node("If", ["c"], ["y"], "if", then_branch=body, else_branch=body),
    ]
    inputs = [shape("x", 1, [4]), shape("c", 9, [])]
    model = graphcount.load(save(nodes, inputs=inputs, outputs=["y"]))
    report = model.report()
    ids = [node.id for node in report.nodes] + ["x", "c", "y"]
    found = {
        (ids[flow.source], ids[flow.target]): flow for flow in flows(model.model_graph, report)
    }
    inner = [name for name in ids if "relu" in name]
    assert len(inner) == 2
    assert set(found) == {
        ("x", "split"), ("c", "if"), ("if", "y"),
        *(("split", name) for name in inner), *((name, "if") for name in inner),
    }  # fmt: skip
    assert [found["split", name].output for name in inner] == [1, 1]


def test_components_of_a_deployment_feed_each_other(fixtures: Path) -> None:
    made = deployed(str(fixtures / "vision_language"), None, CONTEXT, None, DEFAULT_LIMITS, {})
    report = whole_of(made)
    found = flows_of_whole(made, DEFAULT_LIMITS)
    ends = [row.name for row in (*report.model.inputs, *report.model.outputs)]
    names = [node.module.partition(".")[0] for node in report.nodes] + ends
    across = {(names[flow.source], names[flow.target]) for flow in found}
    assert {(a, b) for a, b in across if a != b and "/" not in a + b} == {
        ("vision", "embedding"), ("embedding", "decoder"),
    }  # fmt: skip
    assert {a for a, _ in across if "/" in a} == {row.name for row in report.model.inputs}
    assert {b for _, b in across if "/" in b} == {row.name for row in report.model.outputs}


# ------------------------------------------------------------------------------- in the browser


def page_of(path: Path | str) -> str:
    return graphcount.page(str(path), audit=False)


def test_boxes_unfold_and_fold_by_mouse_and_keyboard(opened: Open, fixtures: Path) -> None:
    watched = opened(page_of(fixtures / "transformer_block.onnx"))
    page = watched.page
    attention = page.locator(".box[aria-label^='layers.0.attention,']")
    assert attention.get_attribute("aria-expanded") == "false"
    attention.click()
    assert attention.get_attribute("aria-expanded") == "true"
    readout = page.locator("#network-readout").inner_text()
    assert readout.startswith("layers.0.attention · module of 32 nodes")
    rows = graphcount.count(str(fixtures / "transformer_block.onnx")).nodes
    inner = {node.module for node in rows if node.module.startswith("layers.0.attention.")}
    assert page.locator(".box[aria-label^='layers.0.attention.']").count() == len(inner)
    assert page.locator("#network-crumbs").inner_text().split("\n") == [
        "model", "layers", "layers.0", "attention",
    ]  # fmt: skip
    page.keyboard.press("Enter")
    assert attention.get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowDown")
    label = "document.activeElement.getAttribute('aria-label')"
    assert "Add" in page.evaluate(label)
    page.keyboard.press("Escape")
    assert page.evaluate(label).startswith("layers.0,")
    assert page.evaluate("document.activeElement.ariaExpanded") == "false"
    page.click("#network-table")
    count = sum(node.module.startswith("layers.0") for node in rows)
    assert page.locator("#nodes .rows-status").inner_text().startswith(f"{count} of ")
    assert watched.events == []


def test_a_tip_says_what_a_box_and_a_line_are(opened: Open, fixtures: Path) -> None:
    page = opened(page_of(fixtures / "cnn.onnx")).page
    page.locator(".box.holding").first.hover()
    tip = page.locator("#tip").inner_text()
    for words in ("Conv", "[1, 5, 28, 28]", "380 parameters, 1.52 kB", "from x", "to node_relu"):
        assert words in tip
    x, y = page.evaluate(
        """() => { const line = document.querySelector(".hit");
        const { x, y } = line.getPointAtLength(line.getTotalLength() / 2);
        const point = new DOMPoint(x, y).matrixTransform(line.getScreenCTM());
        return [point.x, point.y]; }"""
    )
    page.mouse.move(x, y)
    assert "→" in page.locator("#tip").inner_text()
    assert "[1, " in page.locator("#tip").inner_text()


def test_lines_and_boxes_stay_on_their_paper(opened: Open, fixtures: Path) -> None:
    """Where modules feed each other, a line leads back beside all boxes."""
    page = opened(page_of(fixtures / "gpt2_like.onnx")).page
    outside = page.evaluate(
        """() => { const paper = document.getElementById("network-paper").getBoundingClientRect();
        return [...document.querySelectorAll(".box, .edge")].filter((element) => {
          const { left, right, top, bottom } = element.getBoundingClientRect();
          return left < paper.left || right > paper.right
            || top < paper.top || bottom > paper.bottom;
        }).length; }"""
    )
    assert outside == 0
    assert page.locator(".edge").count() > 20


def test_a_link_shows_the_same(opened: Open, fixtures: Path) -> None:
    page = opened(page_of(fixtures / "transformer_block.onnx")).page
    page.locator(".box[aria-label^='layers.0.attention,']").click()
    page.click("#map-tools button[data-key=macs]")
    page.locator(".tile", has_text="layers").first.locator(".tile-name").first.click()
    page.fill("#tensors input[type=search]", "weight")
    page.click("#tensors [data-key=name] button")
    page.fill("#sizes input[data-dim=batch]", "3")
    page.wait_for_url("**dim.batch=3**")
    seen = ("#map-crumbs", "#network-crumbs", "#tensors .rows-body", "#stats")
    before = [page.locator(name).inner_text() for name in seen]
    boxes = page.locator(".box").count()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("html[data-ready=true]")
    assert [page.locator(name).inner_text() for name in seen] == before
    assert page.locator(".box").count() == boxes
    page.goto(address.partition("#")[0] + "#%zz&folds=%E0%A4%A&level=x&dim.batch=-1&zoom=a:b")
    page.wait_for_selector("html[data-ready=true]")
    assert page.locator("#stats").inner_text() != before[-1]


def test_a_frame_without_an_origin_has_no_address(opened: Open, fixtures: Path) -> None:
    """In a sandboxed frame neither history nor storage may be used: nothing may fail for it."""
    inner = page_of(fixtures / "transformer_block.onnx")
    frame = f"const page = {json.dumps(inner).replace('<', chr(92) + 'u003c')};"
    code = f"""{frame} const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts"; frame.width = 1000; frame.height = 800;
    frame.src = URL.createObjectURL(new Blob([page], {{ type: "text/html" }}));
    document.body.append(frame);"""
    watched = opened(f"<!doctype html><body><script>{code}</script>", ready=False)
    frame = watched.page.frame_locator("iframe")
    frame.locator("html[data-ready=true]").wait_for()
    frame.locator(".box.folded").first.click()
    frame.locator("nav a", has_text="Tensors").click()
    frame.locator("#tensors [data-key=name] button").click()
    watched.page.wait_for_timeout(300)
    assert [event for event in watched.events if not event.startswith("request: blob:")] == []


def test_many_nodes_are_folded_in_runs(opened: Open, save: Save) -> None:
    """3,000 nodes without modules: few boxes at first, each run unfolds to at most 100."""
    nodes = [helper.make_node("Relu", [f"x{at}"], [f"x{at + 1}"], f"n{at}") for at in range(3_000)]
    shape = helper.make_tensor_value_info("x0", 1, [1])
    path = save(nodes, inputs=[shape], outputs=["x3000"])
    watched = opened(page_of(path))
    page = watched.page
    assert page.locator(".box").count() <= 62
    assert "3,000 nodes" in page.locator("#network-note").inner_text()
    before = page.locator(".box").count()
    page.locator(".box.folded").nth(3).click()
    assert page.locator(".box").count() == before + 50
    lines = page.locator("path.edge").count()
    assert lines == page.locator(".box").count()  # a chain, with the line into and out of the run
    assert watched.events == []


def test_hostile_modules_are_text(opened: Open, save: Save) -> None:
    names = [f"/{name.replace('/', '_')}/op" for name in HOSTILE if name]
    nodes = [
        helper.make_node("Relu", [before], [after], name)
        for name, (before, after) in zip(names, pairwise(map(str, range(20))), strict=False)
    ]
    shape = helper.make_tensor_value_info("0", 1, [1])
    watched = opened(page_of(save(nodes, inputs=[shape], outputs=[str(len(names))])))
    page = watched.page
    for _ in range(3):
        page.click("text=Unfold a level")
    page.locator(".box").first.focus()
    for key in ("ArrowDown", "Enter", "ArrowDown", "Escape", "+", "0", "End"):
        page.keyboard.press(key)
    assert watched.events == []
    assert page.locator(".box *:not(span)").count() == 0


def test_half_a_surrogate_pair_breaks_no_address(opened: Open, fixtures: Path) -> None:
    model = graphcount.load(str(fixtures / "cnn.onnx"))
    report = model.report()
    nodes = tuple(node._replace(module=f"\ud800.{node.module}") for node in report.nodes)
    html = render(replace(report, nodes=nodes, tensors=()), flows=model.flows(report))
    watched = opened(html)
    watched.page.locator(".box.open").first.click(position={"x": 5, "y": 5})
    watched.page.wait_for_url("**box=module**")
    assert watched.events == []
