"""The page in a browser: what a person does with it, and that a hostile model does nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.formats.page import render
from graphcount.formats.page.bench import times
from graphcount.formats.page.changes import changes
from graphcount.report.finding_rows import AuditRow, Finding, RuleInfo
from graphcount.units import count, nbytes
from tests.conftest import Save
from tests.formats.page.conftest import scripts

Open = Callable[..., Any]


# ------------------------------------------------------------------------------- it is harmless


def test_hostile_names_do_nothing(opened: Open, hostile: graphcount.Report) -> None:
    audited = replace(
        hostile,
        findings=tuple(
            Finding(node.id, node.id, node.id, {node.id: node.id}, {node.id: node.id})
            for node in hostile.nodes
        ),
        audit=AuditRow((), (), (), True),
    )
    names = [node.id for node in hostile.nodes]
    rules = {name: RuleInfo(name, name, name, name, name) for name in names}
    watched = opened(render(audited, rules=rules))
    page = watched.page
    page.mouse.wheel(0, 4_000)
    for key in ("kind", "dtype", "op_type", "module", "icicle", "treemap"):
        page.click(f"#map-tools button[data-key={key}]")
    for tile in page.locator(".tile").all()[:6]:
        tile.focus()
    for summary in page.locator("summary").all()[:8]:
        summary.click()
    for search in page.locator("input[type=search]").all():
        search.fill("<script>")
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#tensors .row[data-place]").first.click()
    assert watched.events == []
    assert page.evaluate("window.hacked") is None
    elements = page.evaluate("[...document.querySelectorAll('script, img, iframe, svg')].length")
    assert elements == len(page.query_selector_all("#data, body > script, svg.plot"))


def test_hostile_names_are_shown_as_they_are(opened: Open, hostile: graphcount.Report) -> None:
    watched = opened(render(hostile))
    shown = watched.page.locator("#tensors .rows-body").inner_text()
    assert "</script><script>window.hacked=1;alert(1)</script>.weight0" in shown
    assert "\\u202eevil\\u202c\\u200b.weight8" in shown
    assert "\\x1b[31mred" in shown
    assert "\u202e" not in watched.page.locator("body").inner_text()


def test_the_policy_stops_what_would_slip_through(opened: Open, bound: graphcount.Report) -> None:
    """Markup that did get into the page: with the policy it is dead, without it alive."""
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    page = render(bound).replace("<main", attack + "<main")
    stopped = opened(page).events
    assert not [event for event in stopped if event.startswith("dialog")]
    assert any("Content Security Policy" in event for event in stopped)
    free = page.replace("Content-Security-Policy", "x-policy")
    assert [event for event in opened(free).events if event.startswith("dialog")]


# ---------------------------------------------------------------------------------- what it says


def test_the_header_has_the_totals(opened: Open, bound: graphcount.Report) -> None:
    watched = opened(render(bound))
    assert watched.text("h1") == "cnn.onnx"
    stats = watched.text("#stats")
    for text in ("26.9k", "26,926", "107.72 kB", "6.0M", "5,981,696", "501.76 kB"):
        assert text in stats
    assert not watched.page.is_visible("#doubts")
    assert watched.events == []


def test_doubts_are_said_first(opened: Open, hostile: graphcount.Report) -> None:
    watched = opened(render(hostile))
    assert hostile.unknown
    assert "at least" in watched.text("#doubts")
    assert "at least" in watched.text("#stats")
    assert watched.page.locator("#unknown .row[data-place]").count() >= 1


def test_the_map_has_all_bytes_and_its_table_too(opened: Open, bound: graphcount.Report) -> None:
    watched = opened(render(bound))
    assert "107.72 kB" in watched.text(".crumb-size")
    watched.page.click("text=The same as a table")
    cells = watched.page.locator("#map-table td:nth-child(3)").all_inner_texts()
    assert sum(int(text.replace(",", "")) for text in cells) == bound.totals.nbytes.total


def test_zoom_by_mouse_and_back_by_breadcrumb(opened: Open, bound: graphcount.Report) -> None:
    page = opened(render(bound)).page
    page.locator(".tile", has_text="classifier").first.locator(".tile-name").click()
    assert "classifier" in page.locator("#map-crumbs [aria-current]").inner_text()
    assert "103.98 kB" in page.locator(".crumb-size").inner_text()
    page.click("#map-crumbs button >> text=model")
    assert "107.72 kB" in page.locator(".crumb-size").inner_text()


def test_zoom_by_keyboard(opened: Open, transformer: graphcount.Report) -> None:
    page = opened(render(transformer)).page
    page.focus(".tile[tabindex='0']")
    page.keyboard.press("ArrowRight")  # into layers: to layers.0
    first = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert first.startswith("0, module")
    assert "layers.0" in page.locator("#map-readout").inner_text()
    page.keyboard.press("Enter")
    assert page.locator("#map-crumbs [aria-current]").inner_text() == "0"
    assert page.evaluate("document.activeElement.classList.contains('tile')")
    page.keyboard.press("Escape")
    assert page.locator("#map-crumbs [aria-current]").inner_text() == "layers"


def test_measure_colour_and_layout_switch(opened: Open, bound: graphcount.Report) -> None:
    page = opened(render(bound)).page
    page.click("#map-tools button[data-key=parameters]")
    assert "26.9k parameters" in page.locator(".crumb-size").inner_text()
    page.click("#map-tools button[data-key=macs]")
    assert "6.0M MACs" in page.locator(".crumb-size").inner_text()
    assert "MACs by operator" in page.locator("#bars").inner_text()
    page.click("#map-tools button[data-key=op_type]")
    assert page.locator("#map-legend").inner_text().split() == ["Conv", "Gemm"]
    before = page.locator(".tile").first.get_attribute("style")
    page.click("#map-tools button[data-key=icicle]")
    assert page.locator(".tile").first.get_attribute("style") != before
    assert page.locator("button[data-key=icicle]").get_attribute("aria-pressed") == "true"


def test_absurd_sizes_are_shown(opened: Open, save: Save) -> None:
    """No double holds 2**60 + 1."""
    size = 2**60 + 1
    nodes = [helper.make_node("Relu", ["z"], ["r"])]
    path = save(nodes, inputs=[("z", [size])], outputs=["r"], opsets=[("", 20), ("far", size)])
    page = opened(render(graphcount.count(path))).page
    assert page.locator("#values").inner_text().count(f"[{size}]") == 2
    assert f"far {size}" in page.locator("#facts").inner_text()


def test_tables_search_and_sort(opened: Open, transformer: graphcount.Report) -> None:
    page = opened(render(transformer)).page
    page.fill("#tensors input[type=search]", "ATTENTION bias")
    rows = [t.name for t in transformer.tensors if "attention" in t.name and "bias" in t.name]
    status = page.locator("#tensors .rows-status").inner_text()
    assert status == f"{len(rows)} of {len(transformer.tensors)} rows"
    page.fill("#tensors input[type=search]", "")
    assert page.locator("#tensors [data-key=nbytes]").get_attribute("aria-sort") == "descending"
    top = page.locator("#tensors .row[data-place='0']").inner_text()
    assert nbytes(max(tensor.nbytes for tensor in transformer.tensors)) in top
    page.click("#tensors [data-key=nbytes] button")
    assert page.locator("#tensors [data-key=nbytes]").get_attribute("aria-sort") == "ascending"
    page.click("#tensors [data-key=name] button")
    first = min(tensor.name for tensor in transformer.tensors)
    assert page.locator("#tensors .row[data-place='0'] .name").inner_text() == first
    page.locator("#tensors .row[data-place='0']").click()
    assert "used by" in page.locator("#tensors .rows-details").inner_text()


def test_zeros_stand_beside_tensors(opened: Open, save: Save) -> None:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 2], [0.0, 1.0, 0.0] + [1.0] * 4 + [0.0])
    rows = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = save([product], [weight], inputs=[rows], outputs=["y"])
    page = opened(render(graphcount.count(path, sparsity=True))).page
    card = page.locator(".stat", has_text="Zeros")
    assert card.locator("dd").inner_text().split() == ["37.5%", "of", "parameters"]
    table = page.locator("#tensors")
    table.locator(".row[data-place]").first.click()
    assert "37.5%" in table.locator(".row[data-place]").first.inner_text()
    assert "3 zeros; not 2:4 sparse" in table.locator(".rows-details").inner_text()


def test_a_long_table_draws_only_what_is_in_sight(opened: Open, bound: graphcount.Report) -> None:
    node = bound.nodes[0]
    many = tuple(node._replace(id=f"node{n}", name=f"node{n}") for n in range(30_000))
    page = opened(render(replace(bound, nodes=many, tensors=()))).page
    body = page.locator("#nodes .rows-body")
    assert body.locator(".row").count() < 60
    page.evaluate("document.querySelector('#nodes .rows-scroll').scrollTop = 1e9")
    page.wait_for_selector("#nodes .row[data-place='29999']")
    assert "node29999" in body.inner_text()
    took = page.evaluate(
        """() => {
        const input = document.querySelector("#nodes input");
        const start = performance.now();
        input.value = "node17777";
        input.dispatchEvent(new Event("input"));
        return performance.now() - start; }"""
    )
    assert page.locator("#nodes .rows-status").inner_text() == "1 of 30,000 rows"
    assert took < 4_000  # milliseconds; about 50 on a quiet machine


def test_memory_over_the_run_marks_its_peak(opened: Open, bound: graphcount.Report) -> None:
    watched = opened(render(bound))
    assert "501.76 kB" in watched.text("#memory .note")
    plot = watched.page.locator("#memory svg")
    assert "node_relu" in plot.locator(".peak-text").text_content()
    plot.scroll_into_view_if_needed()
    plot.hover(position={"x": plot.bounding_box()["width"] - 30, "y": 50})
    tip = watched.text("#tip").split("\n")
    assert tip[0] == bound.nodes[-1].id
    assert tip[2] == f"step {len(bound.nodes)} of {len(bound.nodes)}"
    watched.page.keyboard.press("Escape")
    assert not watched.page.is_visible("#tip")


def test_a_run_without_activations_is_drawn_without_a_plot(opened: Open, save: Save) -> None:
    """Results that nothing reads and that are no outputs are never kept."""
    path = save([helper.make_node("Relu", ["x"], ["y"])], inputs=[("x", [1, 4])])
    report = graphcount.count(path, timeline=True)
    assert [moment.nbytes for moment in report.timeline or ()] == [0]
    watched = opened(render(report))
    assert watched.page.locator("#memory svg").count() == 0
    assert watched.events == []


def test_findings_have_rule_and_remedy(opened: Open, bound: graphcount.Report) -> None:
    finding = Finding("EXT002", "critical", "leaves the folder", {"tensor": "w"}, {"path": "../x"})
    rule = RuleInfo("EXT002", "traversal", "critical", "A path escapes.", "Ask for another file.")
    audited = replace(bound, findings=(finding,), audit=AuditRow(("EXT002",), (), (), True))
    page = opened(render(audited, rules={"EXT002": rule})).page
    page.click("#findings .finding summary")
    assert not page.is_visible("text=Ask for another file.")
    page.click("#findings .finding a")
    text = page.locator("#findings").inner_text()
    for words in ("1 finding; 1 rule ran", "critical", "traversal", "tensor w", "path ../x"):
        assert words in text
    assert "Ask for another file." in text


def test_times_stand_beside_costs(opened: Open, bound: graphcount.Report) -> None:
    rows = [
        {"sources": [node.id], "op_type": node.op_type, "time_s": 1e-5 * (at + 1)}
        for at, node in enumerate(bound.nodes)
    ]
    bench = times({"schema": "graphcount.bench/1", "nodes": rows})
    page = opened(render(bound, bench=bench)).page
    assert page.locator("#bench circle.dot").count() == 4  # two Conv, two Gemm have MACs
    widths = page.evaluate(
        "[...document.querySelectorAll('#bench .bars i')].map((bar) => parseFloat(bar.style.width))"
    )
    relu, gemm = 20 + 50 + 70 + 100, 90 + 110  # the two that take longest
    assert widths[:2] == pytest.approx([100, 100 * gemm / relu], rel=1e-3)
    assert "660.0 µs in 11 measured nodes" in page.locator("#bench .note").inner_text()


def test_latency_over_time_is_drawn(opened: Open, bound: graphcount.Report) -> None:
    points = [
        {"date": f"2026-11-{day:02d}T10:00:00Z", "commit": None, "p50": 1e-3 + day * 1e-5}
        | ({"low": 1e-3, "high": 2e-3} if day % 2 else {"low": None, "high": None})
        for day in (1, 2, 3)
    ]
    history = {"points": points, "note": "x float32 1x3; <b>EPYC</b>"}
    page = opened(render(bound, history=history)).page
    assert page.locator("#history circle.trend-dot").count() == 3
    assert page.locator("#history line.interval").count() == 2
    heights = page.evaluate(
        "[...document.querySelectorAll('#history circle')].map((dot) => dot.cy.baseVal.value)"
    )
    assert heights[0] > heights[1] > heights[2]  # slower is higher
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2])
    note = page.locator("#history .note").inner_text()
    assert "1.03 ms on 2026-11-03, 1.015 times the median of the 2 before" in note
    assert "<b>EPYC</b>" in note
    one = opened(render(bound, history={**history, "points": points[:1]})).page
    assert one.locator("#history circle.trend-dot").count() == 1


def test_two_models_show_what_grew(opened: Open, bound: graphcount.Report) -> None:
    name = bound.nodes[-2].id
    old = replace(bound, totals=bound.totals._replace(parameters=20_000))
    grown = {"parameters": 6_926, "elements": 6_926, "nbytes": 27_704, "macs": 0}
    diff = {
        "modules": [{"old_name": "classifier.0", "new_name": "classifier.0", "delta": grown}],
        "nodes": [],
        "tensors": [
            {
                "status": "changed",
                "changes": ["reshaped"],
                "old": {"name": "classifier.0.weight", "dtype": "float32", "shape": [92, 192]},
                "new": {"name": "classifier.0.weight", "dtype": "float32", "shape": [128, 192]},
                "delta": grown,
            }
        ],
    }
    page = opened(render(bound, against=old, changes=changes(diff))).page
    assert name
    assert "+6,926, +34.6%" in page.locator("#stats").inner_text()
    assert "reshaped: [92, 192] to [128, 192]" in page.locator("#changes").inner_text()
    page.locator("#changes .row[data-place='0']").click()
    colours = page.evaluate(
        "[...new Set([...document.querySelectorAll('.tile:not(.inner)')]"
        ".map((tile) => getComputedStyle(tile).backgroundColor))].length"
    )
    assert colours >= 2  # what grew, and what did not
    assert page.locator("#map-legend").inner_text().split() == [
        "smaller", "as", "before", "larger", "new",
    ]  # fmt: skip


# ----------------------------------------------------------------------------------- how it looks


def test_the_theme_follows_the_system_and_the_button(
    opened: Open, bound: graphcount.Report
) -> None:
    def background(page: Any) -> Any:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    html = render(bound)
    light, dark = opened(html).page, opened(html, dark=True).page
    assert background(light) != background(dark)
    light.click("#theme")
    assert background(light) == background(dark)


def test_nothing_is_wider_than_the_screen(
    opened: Open, hostile: graphcount.Report, transformer: graphcount.Report
) -> None:
    for report in (hostile, transformer):
        page = opened(render(report), width=1440).page
        for width in (1440, 768, 390):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_everything_that_can_be_used_has_a_name(
    opened: Open, transformer: graphcount.Report
) -> None:
    page = opened(render(transformer)).page
    nameless = page.evaluate(
        """(selector) => [...document.querySelectorAll(selector)].filter((element) =>
        !(element.textContent.trim() || element.getAttribute("aria-label") ||
        element.closest("label")?.textContent.trim())).map((element) => element.outerHTML)""",
        "button, input, a, [role=treeitem], [role=img], [role=tree], [role=table], [role=region]",
    )
    assert nameless == []
    landmarks = page.evaluate(
        "['header','nav','main','footer'].map((tag) => document.querySelectorAll(tag).length)"
    )
    assert landmarks == [1, 1, 1, 1]


# ----------------------------------------------------------------------------------- its own code


def test_numbers_read_as_in_the_terminal(chromium: Any) -> None:
    page = chromium.new_page()
    numbers = [0, 7, 999, 1_000, 9_999, 10_000, 26_926, 999_949, 999_950, 1_234_567, 5 * 10**9,
               2 * 10**12]  # fmt: skip
    code = f"const PAGE = {{}}; {scripts('data.js')}; numbers.map((n) => [human(n), bytes(n)])"
    found = page.evaluate(f"(numbers) => eval({code!r})", numbers)
    assert found == [[count(number), nbytes(number)] for number in numbers]
    page.close()
