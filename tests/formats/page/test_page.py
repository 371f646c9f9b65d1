"""The page as text: it is valid HTML, carries its report whole, and can do nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import runpy
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import html5lib
import pytest

import graphcount
from graphcount.errors import DamagedError
from graphcount.formats.page import render
from graphcount.formats.page.bench import times
from graphcount.formats.page.changes import changes
from graphcount.formats.page.data import PLAIN_NBYTES, embed, pack, read, unpack
from graphcount.report.finding_rows import Finding, RuleInfo
from graphcount.report.serial import to_dict

DataOf = Callable[[str], Any]


def plain_json(report: graphcount.Report) -> Any:
    """The report's JSON as another program reads it."""
    return json.loads(json.dumps(to_dict(report)))


def test_the_page_is_valid_html(hostile: graphcount.Report, transformer: graphcount.Report) -> None:
    for report in (hostile, transformer):
        parser = html5lib.HTMLParser(strict=True)  # raises at the first error
        tree = parser.parse(render(report))
        assert tree is not None


def test_a_parser_that_finds_errors_would_say_so(hostile: graphcount.Report) -> None:
    broken = render(hostile).replace("</header>", "</section></header>")
    with pytest.raises(html5lib.html5parser.ParseError):
        html5lib.HTMLParser(strict=True).parse(broken)


def test_the_data_is_the_report(
    data_of: DataOf,
    hostile: graphcount.Report,
    transformer: graphcount.Report,
    bound: graphcount.Report,
) -> None:
    for report in (hostile, transformer, bound):
        assert unpack(data_of(render(report))["report"]) == plain_json(report)


def test_every_fixture_survives_the_page(fixtures: Path) -> None:
    for path in sorted(fixtures.glob("*.onnx")):
        report = graphcount.count(str(path), assume=True, sparsity=True)
        text, encoding = embed(pack(report))
        assert unpack(read(text, encoding)) == plain_json(report), path.name


def test_integers_beyond_a_double_stay_exact(bound: graphcount.Report) -> None:
    huge = 2**64 + 1  # a double would make it 2**64
    report = replace(
        bound,
        totals=bound.totals._replace(macs=huge),
        nodes=(bound.nodes[0]._replace(macs=huge), *bound.nodes[1:]),
    )
    text, encoding = embed(pack(report))
    assert str(huge) in text
    assert json.loads(text, parse_int=float)  # as JavaScript reads numbers
    found = unpack(read(text, encoding))
    assert found["totals"]["macs"] == huge
    assert found["nodes"][0]["macs"] == huge


def test_no_character_of_the_data_is_markup() -> None:
    text, encoding = embed({"name": "</script><!--<script>&\u2028\u2029]]>\ud800"})
    assert encoding == "json"
    assert not set(text) & set("<>&\u2028\u2029")
    assert text.isascii()
    assert read(text, encoding)["name"] == "</script><!--<script>&\u2028\u2029]]>\ud800"


def test_long_data_is_deflated() -> None:
    data = {"names": [f"layer.{number}" for number in range(100_000)]}
    assert len(json.dumps(data)) > PLAIN_NBYTES
    text, encoding = embed(data)
    assert encoding == "deflate"
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", text)
    assert len(text) < PLAIN_NBYTES
    assert read(text, encoding) == data


def test_secrets_are_masked_and_the_data_stays_json(bound: graphcount.Report) -> None:
    token = "ghp_" + "a" * 36
    key = "-----BEGIN PRIVATE KEY-----"  # without its end: a greedy mask would eat the page
    info = bound.model._replace(metadata={token: key}, producer=token)
    html = render(replace(bound, model=info))
    assert token not in html
    found = html5lib.parse(html, namespaceHTMLElements=False)
    (element,) = [item for item in found.iter("script") if item.get("id") == "data"]
    model = read(element.text, element.get("data-encoding"))["report"]["model"]
    assert model["producer"] == "ghp_***(40)"


def test_the_policy_names_the_page_s_own_script_and_style(hostile: graphcount.Report) -> None:
    html = render(hostile)
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    (policy,) = [
        item.get("content")
        for item in tree.iter("meta")
        if item.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    scripts = [item.text for item in tree.iter("script") if item.get("type") is None]
    styles = [item.text for item in tree.iter("style")]
    for texts, rule in ((scripts, "script-src"), (styles, "style-src")):
        (text,) = texts
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_nothing_is_loaded_and_nothing_is_inline(hostile: graphcount.Report) -> None:
    tree = html5lib.parse(render(hostile), namespaceHTMLElements=False)
    for element in tree.iter():
        names = set(element.attrib)
        assert not any(name.startswith("on") for name in names), element.tag
        assert not names & {"src", "style", "srcset", "action", "formaction", "ping"}, element.tag
        assert element.tag not in {"iframe", "object", "embed", "link", "base", "form"}
        assert element.get("href", "#").startswith("#")


def test_the_library_is_the_published_file() -> None:
    """d3-hierarchy 3.1.3 as npm has it; see docs/page.md."""
    folder = resources.files("graphcount.formats.page").joinpath("assets")
    digest = hashlib.sha256(folder.joinpath("d3-hierarchy.min.js").read_bytes()).hexdigest()
    assert digest == "971f374ce9fdbec711eb2358003e2bb755bff22ec6852dc5ebd59f987270db64"
    assert "Mike Bostock" in folder.joinpath("d3-hierarchy.LICENSE").read_text("utf-8")


def test_a_page_of_5000_nodes_is_small(tmp_path: Path) -> None:
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    write_nodes = runpy.run_path(str(folder / "models.py"))["write_nodes"]
    write_nodes(tmp_path / "m.onnx", 5_000)
    report = graphcount.count(str(tmp_path / "m.onnx"), cost=False, deep=False)
    html = render(report)
    assert len(report.nodes) == 5_000
    assert len(html.encode()) < 1_500_000  # the issue allows 6 MB


def test_only_rules_with_findings_are_carried(bound: graphcount.Report, data_of: DataOf) -> None:
    finding = Finding("EXT002", "critical", "a path that escapes", {"tensor": "w"}, {})
    rules = {
        name: RuleInfo(name, "a-rule", "high", "one line", "help") for name in ("EXT002", "FMT001")
    }
    found = data_of(render(replace(bound, findings=(finding,)), rules=rules))
    assert list(found["rules"]) == ["EXT002"]


# ------------------------------------------------------------------------------------- inputs


def test_times_of_nodes_are_read() -> None:
    result = {
        "schema": "graphcount.bench/1",
        "provider": {"requested": "CPUExecutionProvider"},
        "environment": {"cpu": "a processor"},
        "nodes": [
            {"name": "k", "op_type": "FusedConv", "sources": ["conv", "relu"], "time_s": 2e-3},
            {"op_type": "Gemm", "sources": ["fc"], "time_s": 1e-3},
            {"op_type": "Bad", "sources": ["x"], "time_s": float("nan")},
            {"op_type": "Bad", "sources": ["x"]},
            "not a row",
        ],
        "dims": {"batch": 2, "huge": 2**60},
        "assumed": {"sequence": 8, "odd": "8", "less": -1},
    }
    assert times([{"schema": "graphcount.bench/1", "nodes": []}, result]) == {
        "nodes": [
            {"ids": ["conv", "relu"], "op_type": "FusedConv", "seconds": 2e-3},
            {"ids": ["fc"], "op_type": "Gemm", "seconds": 1e-3},
        ],
        "note": "CPUExecutionProvider, a processor",
        "sizes": {"batch": 2, "sequence": 8},
    }


def test_times_are_those_of_the_model() -> None:
    """Of several results the one that timed its nodes; of none, no picture is drawn."""
    results = [
        {"schema": "graphcount.bench/1", "nodes": [{"sources": names, "time_s": 1}]}
        for names in (["other"], ["conv", "relu"], ["gemm"])
    ]
    assert times(results, {"conv"})["nodes"] == [
        {"ids": ["conv", "relu"], "op_type": "", "seconds": 1.0}
    ]
    with pytest.raises(DamagedError, match="another model"):
        times(results, {"relu6"})


@pytest.mark.parametrize(
    "data",
    [None, 3, [], {}, {"schema": "graphcount.report/2"}, {"schema": "graphcount.bench/1"}],
)
def test_what_is_no_benchmark_is_refused(data: Any) -> None:
    with pytest.raises(DamagedError):
        times(data)


def delta(**numbers: int) -> dict[str, int | None]:
    """A delta of a diff."""
    return {"parameters": 0, "elements": 0, "nbytes": 0, "macs": None, **numbers}


DIFF: dict[str, Any] = {
    "modules": [
        {"old_name": "a.b", "new_name": "a.b", "delta": delta(parameters=10, nbytes=40)},
        {"old_name": None, "new_name": "a.c", "delta": delta(parameters=5, nbytes=20)},
    ],
    "nodes": [
        {
            "status": "changed",
            "changes": ["renamed", "operator"],
            "old": {"id": "r", "op_type": "Relu", "domain": ""},
            "new": {"id": "g", "op_type": "Gelu", "domain": "com.microsoft"},
            "delta": delta(),
        }
    ],
    "tensors": [
        {
            "status": "removed",
            "changes": [],
            "old": {"name": "w", "dtype": "float32", "shape": [2, 3]},
            "new": None,
            "delta": delta(parameters=-6, nbytes=-24),
        }
    ],
    "notes": ["numbers were not compared"],
}


def test_changes_are_rows_and_modules_have_what_is_below_them() -> None:
    found = changes(DIFF)
    rows = {(row["level"], row["name"]): row for row in found["rows"]}
    assert rows["tensor", "w"]["what"] == "float32 [2, 3]"
    assert rows["node", "g"]["before"] == "r"
    assert rows["node", "g"]["what"] == "renamed; operator: Relu to com.microsoft::Gelu"
    assert rows["module", "a"]["delta"] == {"parameters": 15, "nbytes": 60, "macs": 0}
    assert rows["module", "a.c"]["status"] == "added"
    assert found["notes"] == ["numbers were not compared"]
