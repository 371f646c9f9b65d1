"""Formats of checks: each is read by its own reader, and hostile names stay inert in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema_rs
import pytest
from junitparser import Error, Failure, JUnitXml
from onnx import TensorProto, helper
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from pydantic import BaseModel
from sarif_pydantic import Sarif

import graphcount
from graphcount.errors import DamagedError, GraphcountError
from graphcount.formats import CHECK_FORMATS, render
from graphcount.formats.comment import MAX_LENGTH
from graphcount.formats.sarif import message
from graphcount.formats.view import View
from graphcount.gates.budgets import parse_budget
from graphcount.gates.checks import Check, findings, run
from graphcount.gates.rules import RULES
from graphcount.gates.subject import Subject
from graphcount.report.finding_rows import CheckRow, Finding
from graphcount.report.records import Report
from graphcount.report.serial import loads, schema

Save = Callable[..., str]
Weights = Callable[..., TensorProto]
Outcome = Report | GraphcountError

HOSTILE = [
    "fc\x1b[2K\x1b[1A\x1b[32mPASS\x1b[0m",
    "n\n::error::forged\n",
    "::set-output name=gate::pass",
    "  ::stop-commands::x",
    "##[error]forged",
    "[red]x[/red]",
    "<script>alert(1)</script>",
    "--><img src=x onerror=alert(1)>",
    "a|b|c",
    "]]>",
    "=cmd|' /C calc'!A0",
    "[link](javascript:alert(1))",
    "`x`%0A::error::y",
    '"} 1\n# EOF\n',
    "@everyone #1 !2",
    "\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "tag\U000e0041",
    "\ufffe\uffff",
    "ghp_" + "a" * 36,
    "x" * 5000,
]
RAW = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u2069\ufeff\ufffe\U000e0000-\U000e007f]"
)


def examined(report: Report, *texts: str) -> Report:
    from dataclasses import replace

    check = Check("c", budgets=tuple(parse_budget(text, "max") for text in texts))
    rows = (run(check, Subject(report)),)
    return replace(report, checks=rows, findings=findings(rows))


@pytest.fixture
def hostile(save: Save, weights: Weights) -> Report:
    """A chain of layers whose every name is an attack; three of them are in a message."""
    from dataclasses import replace

    nodes, tensors, value = [], [], "x"
    for index, name in enumerate(HOSTILE):
        tensors.append(weights(f"{name}.weight{index}", 3, 3))
        nodes.append(helper.make_node("MatMul", [value, tensors[-1].name], [f"{index}"], name))
        value = f"{index}"
    report = graphcount.count(save(nodes, tensors, inputs=["x"], outputs=[value]))
    rows = []
    for name in HOSTILE:
        moved = replace(report, nodes=tuple(n for n in report.nodes if n.name == name))
        row = run(Check(name, budgets=(parse_budget("nodes=0", "max"),)), Subject(moved))
        verdict = row.verdicts[0]
        forged = verdict._replace(message=f"{name} in {name}", note=name, origin=name)
        forged = forged._replace(where={**verdict.where, "node": name, "tensor": name})
        rows.append(CheckRow(name, name, (forged,)))
        kept = forged._replace(kept=True)
        rows.append(CheckRow(name, name, (kept,)))
    model = report.model._replace(path=f"models/{HOSTILE[6]}.onnx")
    return replace(report, model=model, checks=tuple(rows), findings=findings(rows))


@pytest.fixture
def outcomes(fixtures: Path) -> list[Outcome]:
    """One that fails, one that passes, one that cannot be read."""
    failing = examined(graphcount.count(str(fixtures / "cnn.onnx")), "parameters=26k", "nodes=99")
    passing = examined(graphcount.count(str(fixtures / "mlp_4_5_3.onnx")), "parameters=43")
    return [failing, passing, DamagedError("cut at byte 9", "broken.onnx", 9)]


def shown(name: str, items: list[Outcome], **view: Any) -> str:
    return render(name, items, View(rules=RULES, width=80, **view), CHECK_FORMATS)


@pytest.mark.parametrize("name", CHECK_FORMATS)
def test_no_format_lets_a_raw_control_character_through(hostile: Report, name: str) -> None:
    error = DamagedError(HOSTILE[0] + HOSTILE[15], HOSTILE[1])
    text = shown(name, [hostile, error])
    assert RAW.search(text) is None
    assert text.isprintable() or "\n" in text


@pytest.mark.parametrize("name", [name for name in CHECK_FORMATS if not name.startswith("json")])
def test_no_format_prints_credentials(hostile: Report, name: str) -> None:
    assert "ghp_aaaa" not in shown(name, [hostile])


@pytest.mark.parametrize("name", CHECK_FORMATS)
def test_every_format_takes_nothing_but_errors(name: str) -> None:
    assert shown(name, [DamagedError("cut", "a.onnx")]).endswith("\n")


@pytest.mark.parametrize("name", CHECK_FORMATS)
def test_only_ci_commands_of_ours_begin_a_line(hostile: Report, name: str) -> None:
    """The runner of GitHub trims a line and looks for `::`; it finds `##[` anywhere in it."""
    for line in shown(name, [hostile]).split("\n"):
        if name in ("json", "jsonl"):
            continue  # quoted
        assert "##[" not in line
        if name != "github":
            assert not line.strip().startswith("::")


# ------------------------------------------------------------------------------------- JSON


def test_json_keeps_checks_and_reads_back(outcomes: list[Outcome]) -> None:
    text = shown("json", outcomes[:1])
    data = json.loads(text)
    jsonschema_rs.validate(schema(), data)
    assert [row["kept"] for row in data["checks"][0]["verdicts"]] == [False, True]
    assert loads(text).checks == outcomes[0].checks  # type: ignore[union-attr]
    assert loads(text).findings == outcomes[0].findings  # type: ignore[union-attr]


def test_json_of_an_older_program_has_no_checks(outcomes: list[Outcome]) -> None:
    data = json.loads(shown("json", outcomes[:1]))
    del data["checks"]
    assert loads(json.dumps(data)).checks == ()


# ------------------------------------------------------------------------------------- JUnit

JENKINS = {
    "testsuites": ({"name"}, {"tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors"}, {"skipped", "time"}, {"testcase"}),
    "testcase": ({"name"}, {"classname", "time"}, {"failure", "error", "skipped"}),
    "failure": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
}
"""Jenkins' junit-10.xsd on the elements we use: attributes it requires, others, children."""


def check_junit(element: ElementTree.Element) -> None:
    required, optional, children = JENKINS[element.tag]
    assert required <= set(element.keys()) <= required | optional
    for child in element:
        assert child.tag in children
        check_junit(child)


def test_junit_is_read_by_a_reader(outcomes: list[Outcome]) -> None:
    text = shown("junit", outcomes)
    check_junit(ElementTree.fromstring(text))
    found = JUnitXml.fromstring(text.encode())
    suites = list(found)
    assert [(s.tests, s.failures, s.errors) for s in suites] == [(2, 1, 0), (1, 0, 0), (1, 0, 1)]
    assert (found.tests, found.failures, found.errors) == (4, 1, 1)
    (failure,) = next(iter(suites[0])).result
    assert isinstance(failure, Failure)
    assert failure.type == "BUD001"
    assert "926 over" in failure.message
    (error,) = next(iter(suites[2])).result
    assert isinstance(error, Error)


def test_hostile_names_stay_text_in_junit(hostile: Report) -> None:
    text = shown("junit", [hostile])
    root = ElementTree.fromstring(text)
    check_junit(root)
    assert len(root.findall(".//failure")) == len(HOSTILE)
    assert "<script" not in text


def test_junit_of_findings_without_checks(outcomes: list[Outcome]) -> None:
    from dataclasses import replace

    report = outcomes[0]
    assert isinstance(report, Report)
    finding = Finding("EXT002", "critical", "escapes", {}, {})
    root = ElementTree.fromstring(shown("junit", [replace(report, checks=(), findings=(finding,))]))
    assert [row.get("type") for row in root.findall(".//failure")] == ["EXT002"]


# ------------------------------------------------------------------------------------- SARIF


NOT_IN_THE_READER = {"$schema", "toolExecutionNotifications"}
"""Keys of SARIF 2.1.0 (3.13.3, 3.20.21) that the reader has no field for."""


def extras(model: BaseModel) -> Iterator[str]:
    """Keys that the format does not have: its schema forbids them everywhere."""
    yield from model.model_extra or {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseModel):
                yield from extras(item)


def test_sarif_is_read_by_a_reader(outcomes: list[Outcome]) -> None:
    text = shown("sarif", outcomes)
    log = Sarif.model_validate_json(text)
    assert set(extras(log)) <= NOT_IN_THE_READER
    data = json.loads(text)
    assert data["version"] == "2.1.0"
    (run_,) = data["runs"]
    (result,) = run_["results"]
    rules = run_["tool"]["driver"]["rules"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "BUD001"
    assert rules[0]["help"]["text"]
    assert result["level"] == "error"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert run_["invocations"][0]["executionSuccessful"] is False
    assert run_["invocations"][0]["toolExecutionNotifications"][0]["level"] == "error"


SARIF_RULES: dict[str, Any] = {
    "required": ["version", "runs"],
    "properties": {
        "runs": {
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "results": {
                        "items": {
                            "required": ["message", "ruleId", "ruleIndex"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"required": ["text"]},
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                                "locations": {
                                    "items": {
                                        "properties": {
                                            "physicalLocation": {
                                                "properties": {
                                                    "artifactLocation": {
                                                        "properties": {
                                                            "uri": {"format": "uri-reference"}
                                                        }
                                                    },
                                                    "region": {
                                                        "properties": {
                                                            "startLine": {"minimum": 1},
                                                            "byteOffset": {"minimum": 0},
                                                        }
                                                    },
                                                }
                                            }
                                        }
                                    }
                                },
                            },
                        }
                    },
                    "artifacts": {"uniqueItems": True},
                },
            }
        }
    },
}
"""Constraints of SARIF 2.1.0 on what we write, beyond the shape that the reader checks."""


def test_hostile_names_stay_text_in_sarif(hostile: Report) -> None:
    text = shown("sarif", [hostile])
    data = json.loads(text)
    jsonschema_rs.Draft7Validator(SARIF_RULES, validate_formats=True).validate(data)
    assert set(extras(Sarif.model_validate(data))) <= NOT_IN_THE_READER
    results = data["runs"][0]["results"]
    assert len(results) == len(HOSTILE)
    for result in results:
        assert re.search(r"(?<!\\)(\\\\)*\[[^\]]*(?<!\\)\]\(", result["message"]["text"]) is None
    uri = results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"[A-Za-z0-9/._~%-]+", uri)


def test_brackets_make_no_links_in_sarif() -> None:
    assert message("[x](http://y) \\")["text"] == "\\[x\\](http://y) \\\\"


def test_fingerprints_stay_when_numbers_change(outcomes: list[Outcome]) -> None:
    report = outcomes[0]
    assert isinstance(report, Report)
    marks = set()
    for limit in ("26k", "25k"):
        data = json.loads(shown("sarif", [examined(report, f"parameters={limit}")]))
        marks.add(data["runs"][0]["results"][0]["partialFingerprints"]["graphcount/v1"])
    assert len(marks) == 1
    other = json.loads(shown("sarif", [examined(report, "nbytes=1")]))
    assert other["runs"][0]["results"][0]["partialFingerprints"]["graphcount/v1"] not in marks


# ------------------------------------------------------------------------------------- GitHub

COMMAND = re.compile(r"::(?P<name>[a-z-]+)(?: (?P<properties>[^:\r\n]*))?::(?P<message>[^\r\n]*)")


def command(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner reads it."""
    match = COMMAND.fullmatch(line)
    assert match, line
    properties = {}
    for pair in (match["properties"] or "").split(","):
        key, equals, value = pair.partition("=")
        assert equals, line
        for code, letter in (
            ("%2C", ","),
            ("%3A", ":"),
            ("%0A", "\n"),
            ("%0D", "\r"),
            ("%25", "%"),
        ):
            value = value.replace(code, letter)
        properties[key] = value
    message = match["message"].replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
    return match["name"], properties, message


def test_github_commands_are_read_by_a_reader(outcomes: list[Outcome]) -> None:
    *lines, last = shown("github", outcomes).splitlines()
    rows = [command(line) for line in lines]
    assert [name for name, _, _ in rows] == ["error", "error"]
    assert rows[0][1]["title"] == "BUD001 over-budget"
    assert rows[0][2].endswith("926 over the maximum 26,000 (26k)")
    assert rows[1] == (
        "error",
        {"file": "broken.onnx", "title": "could not be read"},
        "cut at byte 9",
    )
    assert last == "graphcount: 3 models, 3 limits: 1 failed, 1 could not be read"


def test_hostile_names_stay_text_in_github(hostile: Report) -> None:
    *lines, last = shown("github", [hostile]).splitlines()
    assert len(lines) == len(HOSTILE)
    for line in lines:
        name, properties, said = command(line)
        assert name == "error"
        assert set(properties) <= {"file", "line", "title"}
        assert "\n" not in said
    assert last.startswith("graphcount: ")


def test_severity_decides_the_command(outcomes: list[Outcome]) -> None:
    from dataclasses import replace

    report = outcomes[0]
    assert isinstance(report, Report)
    wanted = {"info": "notice", "low": "notice", "medium": "warning", "critical": "error"}
    for severity, name in wanted.items():
        mild = replace(report, findings=(report.findings[0]._replace(severity=severity),))
        assert shown("github", [mild]).startswith(f"::{name} ")


# ------------------------------------------------------------------------------------- GitLab

CODE_QUALITY: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "additionalProperties": False,
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^[^/.]"},
                    "lines": {"properties": {"begin": {"type": "integer", "minimum": 1}}},
                },
            },
        },
    },
}
"""GitLab's documented Code Quality format: a path has no leading `./`."""


def test_gitlab_follows_its_schema(hostile: Report, outcomes: list[Outcome]) -> None:
    rows = json.loads(shown("gitlab", [hostile, DamagedError("cut", "broken.onnx")]))
    jsonschema_rs.validate(CODE_QUALITY, rows)
    assert len({row["fingerprint"] for row in rows}) == len(HOSTILE) + 1
    assert rows[-1]["severity"] == "blocker"
    assert json.loads(shown("gitlab", outcomes[1:2])) == []


def test_metrics_are_read_by_prometheus(hostile: Report, outcomes: list[Outcome]) -> None:
    text = shown("gitlab-metrics", [*outcomes, hostile])
    families = {
        family.name: family.samples
        for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    }
    values = [sample.value for sample in families["graphcount_parameters"]]
    assert values == [26_926, 43, 9 * len(HOSTILE)]
    assert [s.value for s in families["graphcount_readable"]] == [1, 1, 0, 1]
    assert "graphcount_macs" in families  # the MLP's; the others' are formulas
    assert len(families["graphcount_macs"]) < 3


# ------------------------------------------------------------------------------------- Markdown


class Tags(HTMLParser):
    """Tags and comments a browser would find in raw Markdown."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.comments: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def test_the_comment_can_be_found_again(outcomes: list[Outcome]) -> None:
    text = shown("markdown", outcomes, marker="edge models --> <b>")
    assert text.startswith("<!-- graphcount:edge-models-b -->\n### graphcount: 3 models")
    reader = Tags()
    reader.feed(text)
    assert reader.comments == [" graphcount:edge-models-b "]


def test_hostile_names_stay_text_in_the_comment(hostile: Report) -> None:
    text = shown("markdown", [hostile])
    reader = Tags()
    reader.feed(text)
    assert reader.tags <= {"br", "details", "summary"}
    assert len(reader.comments) == 1
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == 4
    assert "](" not in text
    assert "@everyone" not in text.replace("\\@", "")


def test_the_comment_is_cut_politely(hostile: Report) -> None:
    text = shown("markdown", [hostile] * 60)
    assert len(text) <= MAX_LENGTH
    assert "more; the job's log has all" in text


# ------------------------------------------------------------------------------------- table


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_table_is_no_wider_than_the_terminal(
    hostile: Report, outcomes: list[Outcome], width: int
) -> None:
    text = render("table", [hostile, *outcomes], View(width=width), CHECK_FORMATS)
    assert max(map(len, text.splitlines())) <= width


def test_the_table_has_a_block_a_failure_and_a_line_a_pass(outcomes: list[Outcome]) -> None:
    text = shown("table", outcomes)
    assert text.count("FAIL ") == 1
    assert text.count("pass ") == 1
    assert "926 over the maximum 26,000 (26k)" in text
    assert "largest: classifier.0 24,704" in text
    assert "BUD001, limit at --max" in text
    assert text.endswith("3 models, 3 limits: 1 failed, 1 could not be read\n")


def test_a_mild_finding_is_a_warning(outcomes: list[Outcome]) -> None:
    from dataclasses import replace

    report = outcomes[0]
    assert isinstance(report, Report)
    check = Check("c", severity="medium", budgets=(parse_budget("parameters=1", "max"),))
    rows = (run(check, Subject(report)),)
    mild = replace(report, checks=rows, findings=findings(rows))
    assert shown("table", [mild]).startswith("warn ")
    assert shown("table", [mild], fail_on="medium").startswith("FAIL ")
