"""JUnit XML as Jenkins, GitLab and GitHub actions read it: a suite a model, a case a limit.

Written with the standard library: the format is one element deep, and ElementTree escapes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from graphcount.errors import GraphcountError
from graphcount.formats.text import safe
from graphcount.formats.verdict_sentences import contributors_sentence
from graphcount.formats.view import View
from graphcount.report.finding_rows import Finding, VerdictRow
from graphcount.report.records import Report

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Case:
    """A test case: its name, and what became of it."""

    def __init__(self, check: str, name: str, outcome: str = "", kind: str = "") -> None:
        self.check, self.name = check, name
        self.outcome, self.kind = outcome, kind
        self.message = ""
        self.text = ""


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render one document; a model that could not be read is an error, not a failure."""
    root = ElementTree.Element("testsuites", name="graphcount")
    sums = [0, 0, 0]
    for outcome in outcomes:
        cases = list(_cases(outcome))
        counts = (
            len(cases),
            sum(case.outcome == "failure" for case in cases),
            sum(case.outcome == "error" for case in cases),
        )
        path = outcome.model.path if isinstance(outcome, Report) else outcome.path or ""
        _suite(root, path, cases, counts)
        sums = [a + b for a, b in zip(sums, counts, strict=True)]
    for key, number in zip(("tests", "failures", "errors"), sums, strict=True):
        root.set(key, str(number))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, "unicode")}\n'


def _suite(
    root: ElementTree.Element, path: str, cases: list[_Case], counts: tuple[int, int, int]
) -> None:
    tests, failures, errors = map(str, counts)
    suite = ElementTree.SubElement(
        root, "testsuite", name=_text(path), tests=tests, failures=failures, errors=errors
    )
    for case in cases:
        row = ElementTree.SubElement(
            suite, "testcase", classname=_text(case.check), name=_text(case.name), time="0"
        )
        if case.outcome:
            kind, message = _text(case.kind), _text(case.message)
            element = ElementTree.SubElement(row, case.outcome, type=kind, message=message)
            element.text = "\n".join(_text(line) for line in case.text.split("\n"))


def _cases(outcome: Report | GraphcountError) -> Iterator[_Case]:
    if not isinstance(outcome, Report):
        case = _Case("graphcount", "read", "error", outcome.slug)
        case.message = case.text = outcome.message.replace("\n", " ")
        yield case
    elif outcome.checks:
        for check in outcome.checks:
            yield from (_verdict(check.name, verdict) for verdict in check.verdicts)
    else:
        yield from map(_finding, outcome.findings)


def _verdict(check: str, verdict: VerdictRow) -> _Case:
    name = verdict.measure if verdict.bound == "allowed" else f"{verdict.measure} {verdict.bound}"
    if verdict.kept:
        return _Case(check, name)
    if verdict.bound == "allowed" and "name" in verdict.where:
        name = f"{name} {verdict.where['name']}"
    case = _Case(check, name, "failure", verdict.rule)
    case.message = verdict.message
    lines = [verdict.message, contributors_sentence(verdict)]
    lines += [f"limit at {verdict.origin}" if verdict.origin else "", verdict.note]
    case.text = "\n".join(line.replace("\n", " ") for line in lines if line)
    return case


def _finding(finding: Finding) -> _Case:
    case = _Case("findings", finding.rule, "failure", finding.rule)
    case.message = case.text = finding.message.replace("\n", " ")
    return case


def _text(text: str) -> str:
    """Return a visible text without credentials, of characters that XML 1.0 allows."""
    return _NOT_XML.sub("\ufffd", safe(text, None))
