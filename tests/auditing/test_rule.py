"""Rules: what a finding carries, and what the documentation of one is made of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from graphcount.auditing.rule import HEADINGS, SECURITY, Rule, info, sections
from graphcount.auditing.rules import load_rules

TOKEN = "ghp_" + "a1B2" * 9
RULE = Rule("EXT999", "of-a-test", "low", reads_payload=True)


def test_credentials_are_masked_wherever_a_finding_has_them() -> None:
    nested: dict[str, Any] = {"list": [TOKEN, {"deep": TOKEN}], "number": 3}
    finding = RULE.finding(f"key {TOKEN}", {"node": TOKEN}, nested=nested)
    assert TOKEN not in repr(finding)
    masked = finding.evidence["nested"]
    assert isinstance(masked, dict)
    assert masked["number"] == 3


@pytest.mark.parametrize(("severity", "expected"), [(None, "low"), ("critical", "critical")])
def test_the_severity_is_the_rules_unless_a_finding_says_otherwise(
    severity: Any, expected: str
) -> None:
    assert RULE.finding("x", {}, severity=severity).severity == expected


def test_documentation_is_split_by_its_headings() -> None:
    what, remedy = "Looks.\n      Closely.", "Nothing\n    at all."
    text = f"First line.\n\nWhat it does:\n    {what}\n\nWhat to do:\n    {remedy}\n"
    assert sections(text) == {
        "What it does": "Looks.\n  Closely.",
        "What to do": "Nothing\nat all.",
    }
    module: Any = SimpleNamespace(RULE=RULE, __doc__=text)
    about = info(module)
    assert (about.summary, about.remedy) == ("First line", "Nothing at all.")
    assert about.tags == ("security",)
    assert about.reads_payload


def test_every_rule_has_all_sections_in_order() -> None:
    for module in load_rules():
        found = list(sections(module.__doc__ or ""))
        assert found == [heading for heading in HEADINGS if heading in found], module.RULE.id
        assert set(HEADINGS) - set(found) <= {"References"}, module.RULE.id
    assert {module.RULE.id[:3] for module in load_rules()} > SECURITY
