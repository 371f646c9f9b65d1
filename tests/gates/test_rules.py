"""Rules of gates: their ids are those of the documentation, and each says what to do."""

from __future__ import annotations

import re
from pathlib import Path

from graphcount.auditing.rule import HEADINGS, sections
from graphcount.gates.rules import RULES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "ci.md"


def test_the_rules_are_those_of_the_documentation() -> None:
    rows = re.findall(r"^\| BUD(\d+)(?: to BUD(\d+))? \|", DOCS.read_text("utf-8"), re.MULTILINE)
    documented = [number for low, high in rows for number in range(int(low), int(high or low) + 1)]
    assert sorted(RULES) == [f"BUD{number:03}" for number in documented]
    assert {id: (rule.id, rule.name, rule.severity) for id, rule in RULES.items()} == {
        "BUD001": ("BUD001", "over-budget", "high"),
        "BUD002": ("BUD002", "not-known", "high"),
        "BUD003": ("BUD003", "grew-too-much", "high"),
        "BUD004": ("BUD004", "not-covered", "high"),
        "BUD010": ("BUD010", "dtype-not-allowed", "high"),
        "BUD011": ("BUD011", "operator-not-allowed", "high"),
        "BUD012": ("BUD012", "domain-not-allowed", "high"),
        "BUD013": ("BUD013", "opset-out-of-range", "high"),
        "BUD014": ("BUD014", "runtime-refuses", "high"),
    }


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    for rule in RULES.values():
        assert re.fullmatch(r"[A-Z][^.]+[^.]", rule.summary)
        assert re.fullmatch(r"[A-Z].+\.", rule.remedy)
        assert list(sections(rule.help)) == list(HEADINGS[:4])
        assert all(sections(rule.help).values())
    assert len({rule.remedy for rule in RULES.values()}) == len(RULES)
