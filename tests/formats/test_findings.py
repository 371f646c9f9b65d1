"""Findings as text, Markdown, CSV and CycloneDX; rules as pages. Everything is read back."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import graphcount
from graphcount import api
from graphcount.formats import AUDIT_FORMATS, CHECK_FORMATS, FORMATS, render
from graphcount.formats import rules as pages
from graphcount.formats.findings import COLORS, headline, place
from graphcount.formats.findings import render as render_text
from graphcount.formats.view import View
from graphcount.report.finding_rows import SEVERITIES, AuditRow, Finding, SkippedRow
from graphcount.report.records import Report
from graphcount.report.rows import FileRow

RULES = {rule.id: rule for rule in api.rules()}
ROW = AuditRow(("EXT002", "TEN012"), (SkippedRow("TEN008", "not read"),), (), True)
HOSTILE = "a\x1b[31m|`b`\u202e<b>\n::set-output::"


@pytest.fixture
def report(fixtures: Path) -> Report:
    """A report with findings of three severities, one with a name made to deceive."""
    counted = api.count(str(fixtures / "mlp_external.onnx"), cost=False, hash_file=True)
    findings = (
        Finding("EXT002", "critical", "W: leaves", {"path": 'g/i[0]"W"', "offset": 1234}, {}),
        Finding("EXT002", "critical", f"{HOSTILE}: leaves", {"tensor": HOSTILE}, {"n": 1}),
        Finding("TEN012", "low", "2 tensors " + "of the same data " * 12, {}, {}),
    )
    return replace(counted, findings=findings, audit=ROW)


@pytest.mark.parametrize("width", [50, 80, 120, 300])
def test_text_says_it_once_and_fits(width: int, report: Report) -> None:
    text = render_text([report], View(rules=RULES, width=width))
    lines = text.splitlines()
    assert lines[0].endswith("mlp_external.onnx: 3 findings: 2 critical, 1 low")
    assert all(len(line) <= min(width, 120) for line in lines[1:])
    assert text.count("What to do:") == 2
    assert text.count("critical  EXT002  external-data-traversal") == 1
    joined = " ".join(text.split())
    assert 'at g/i[0]"W", byte 1,234' in joined
    assert "1 rule did not run: not read" in joined
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_colours_go_by_severity_and_only_on_request(report: Report) -> None:
    colored = render_text([report], View(rules=RULES, color=True))
    assert f"{COLORS['critical']}critical  EXT002" in colored
    assert f"{COLORS['low']}low  TEN012" in colored
    plain = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert plain == render_text([report], View(rules=RULES))
    assert set(COLORS) == set(SEVERITIES)


def test_no_findings_is_said_with_care(report: Report) -> None:
    clean = replace(report, findings=())
    assert headline(clean) == "no findings"
    assert "does not prove a model safe" in render_text([clean], View())
    broken = replace(report, audit=ROW._replace(complete=False))
    assert "not complete" in render_text([broken], View())


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, ""),
        (
            {"tensor": "W", "path": "graph/initializer[0]", "offset": 9},
            "graph/initializer[0], byte 9",
        ),
        ({"tensor": "W", "offset": 0}, "tensor W, byte 0"),
        ({"node": "n", "value": "v"}, "node n, value v"),
        ({"path": "", "field": 7}, "field 7"),
    ],
)
def test_places(where: dict[str, Any], expected: str) -> None:
    assert place(where) == expected


def test_markdown_has_one_row_a_finding(report: Report) -> None:
    text = render("markdown", [report], View(rules=RULES))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 4
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)
    assert text.count("- **EXT002**") == 1
    assert "<b>" not in text


def test_csv_has_one_row_a_finding(report: Report) -> None:
    rows = list(csv.reader(io.StringIO(render("csv", [report], View()))))
    assert rows[0] == ["model", "severity", "rule", "message", "where"]
    assert [row[1:3] for row in rows[1:]] == [
        ["critical", "EXT002"],
        ["critical", "EXT002"],
        ["low", "TEN012"],
    ]


# ---------------------------------------------------------------------------------------- CycloneDX


def test_cyclonedx_is_valid_and_whole(report: Report, fixtures: Path) -> None:
    import hashlib

    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = render("cyclonedx", [report, replace(report, findings=())], View(rules=RULES))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    assert [part["bom-ref"] for part in document["components"]] == ["model-1", "model-2"]
    model = document["components"][0]
    assert model["type"] == "machine-learning-model"

    def digest(name: str) -> str:
        return hashlib.sha256((fixtures / name).read_bytes()).hexdigest()

    assert model["hashes"] == [{"alg": "SHA-256", "content": digest("mlp_external.onnx")}]
    (file,) = model["components"]
    assert file["name"] == "mlp_external.onnx.data"
    assert file["hashes"][0]["content"] == digest("mlp_external.onnx.data")
    properties = {row["name"]: row["value"] for row in model["properties"]}
    assert properties["graphcount:parameters"] == str(report.totals.parameters)
    found = document["vulnerabilities"]
    assert [item["id"] for item in found] == ["EXT002", "EXT002", "TEN012"]
    assert {item["affects"][0]["ref"] for item in found} == {"model-1"}
    assert found[0]["ratings"][0]["severity"] == "critical"
    assert "CVE-2022-25882" in [row["id"] for row in found[0]["references"]]
    assert "references" not in found[2]
    assert text == render("cyclonedx", [report, replace(report, findings=())], View(rules=RULES))


def test_published_vulnerabilities_stand_where_programs_look(report: Report) -> None:
    """Of rules whose documentation refers to some; SARIF has them in the properties of rules."""
    view = View(rules=RULES)
    run = json.loads(render("sarif", [report], view, AUDIT_FORMATS))["runs"][0]
    rules = {rule["id"]: rule["properties"] for rule in run["tool"]["driver"]["rules"]}
    assert rules["EXT002"]["cve"] == ["CVE-2022-25882", "CVE-2024-27318"]
    assert "cve" not in rules["TEN012"]


def test_cyclonedx_without_an_audit_and_with_odd_side_files(report: Report) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    files = (FileRow("", None, None), FileRow("../x\x1b", None, None))
    odd = replace(report, audit=None, findings=(), model=report.model._replace(side_files=files))
    text = render("cyclonedx", [odd], View())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert "vulnerabilities" not in json.loads(text)


@pytest.mark.parametrize("name", ["cyclonedx", "gitlab-metrics", "csv"])
def test_documents_for_machines_have_no_assumed_number(fixtures: Path, name: str) -> None:
    """What has one name there is one number: MACs of a dynamic model have none."""
    path = str(fixtures / "cnn.onnx")
    formats = {**FORMATS, **CHECK_FORMATS}
    plain, assumed = (
        render(name, [graphcount.count(path, assume=assume)], View(), formats)
        for assume in (False, True)
    )
    assert plain == assumed
    assert "373856" not in plain


# -------------------------------------------------------------------------------------------- rules


def test_the_page_of_rules_is_current(fixtures: Path) -> None:
    """Write it anew with `graphcount rules --format markdown -o docs/rules.md`."""
    page = (fixtures.parent / "docs" / "rules.md").read_text("utf-8")
    assert page == pages.markdown(api.rules(), View())


def test_every_link_of_the_page_leads_somewhere() -> None:
    page = pages.markdown(api.rules(), View())
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lower().lstrip("# ")).replace(" ", "-")
        for line in page.splitlines()
        if line.startswith("#")
    }
    links = re.findall(r"\]\(#([^)]*)\)", page)
    assert len(links) == len(RULES)
    assert set(links) <= headings


def test_every_family_has_a_name() -> None:
    assert {rule.id[:3] for rule in api.rules()} <= set(pages.FAMILIES)


def test_pages_and_list_fit_and_say_everything() -> None:
    rules = api.rules()
    listing = pages.listing(rules, View())
    assert all(rule.id in listing and rule.summary in listing for rule in rules)
    for width in (60, 80):
        page = pages.pages(rules, View(width=width))
        assert max(map(len, page.splitlines())) <= max(width, 95)  # first lines are not wrapped
        assert page.count("What to do:") == len(rules)
    assert [row["id"] for row in json.loads(pages.to_json(rules, View()))] == [r.id for r in rules]
    assert all(rule.remedy for rule in rules)
