"""The rules of audits and checks, as a list and as pages."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from graphcount.formats.findings import COLORS, DEFAULT_WIDTH, WIDEST
from graphcount.formats.view import View
from graphcount.report.finding_rows import RuleInfo
from graphcount.report.serial import dumps, plain

FAMILIES = {
    "BKD": "Backdoors",
    "BUD": "Budgets",
    "DEP": "Deployments",
    "EXT": "External data",
    "FMT": "File format",
    "FUN": "Local functions",
    "GRF": "Graph",
    "HID": "Hidden bytes",
    "INT": "The audit itself",
    "OPS": "Operators",
    "PRV": "Privacy",
    "QNT": "Quantization",
    "RES": "Resources",
    "SIG": "Signatures",
    "TEN": "Stored tensors",
    "TRN": "Training",
    "TXT": "Text",
    "VER": "Versions",
}
"""Families of rules, by the beginning of their ids."""

INTRODUCTION = """\
# Rules

`graphcount audit MODEL` looks for what stands below; budgets are held by `graphcount check MODEL`.
`graphcount rules ID` prints one of them. `--select` and `--ignore` of an audit take ids and their
beginnings (`EXT`, `EXT002`). A finding at or above `--fail-on` (high by default) makes the program
exit with 1. Rules marked *deep* read tensor data or external data files and run by default up to
512 MB of them, or with `--deep`.

This page is made from the documentation of the rules: `graphcount rules --format markdown`.
"""


def listing(rules: Sequence[RuleInfo], view: View) -> str:
    """Return one line a rule, by family."""
    lines = []
    for family, members in groupby(rules, key=_family):
        lines += ["", FAMILIES.get(family, family)]
        lines += [f"  {rule.id}  {_severity(rule, view)}  {rule.summary}" for rule in members]
    return "\n".join(lines[1:]) + "\n"


def pages(rules: Sequence[RuleInfo], view: View) -> str:
    """Return the whole documentation of each rule."""
    return "\n".join("\n".join(_page(rule, view)) + "\n" for rule in rules)


def markdown(rules: Sequence[RuleInfo], view: View) -> str:
    """Return all rules as one Markdown page: a table, then a section each."""
    lines = [INTRODUCTION]
    for family, members in groupby(rules, key=_family):
        lines += [f"## {FAMILIES.get(family, family)}", ""]
        lines += ["| rule | name | severity | looks for |", "|---|---|---|---|"]
        listed = list(members)
        for rule in listed:
            deep = ", *deep*" if rule.reads_payload else ""
            link = f"[{rule.id}](#{rule.id.lower()}-{rule.name})"
            lines.append(f"| {link} | {rule.name} | {rule.severity}{deep} | {rule.summary} |")
        for rule in listed:
            lines += ["", f"### {rule.id} {rule.name}", "", *_markdown_section(rule)]
        lines.append("")
    return "\n".join(lines)


def to_json(rules: Sequence[RuleInfo], view: View) -> str:
    """Return the records of the rules."""
    return dumps([plain(rule) for rule in rules]) + "\n"


RENDERERS: dict[str, Callable[[Sequence[RuleInfo], View], str]] = {
    "text": pages,
    "json": to_json,
    "markdown": markdown,
}
"""By the name of the format."""


def _family(rule: RuleInfo) -> str:
    return rule.id[:3]


def _severity(rule: RuleInfo, view: View) -> str:
    text = f"{rule.severity:8}"
    return f"{COLORS[rule.severity]}{text}\x1b[0m" if view.color else text


def _page(rule: RuleInfo, view: View) -> Iterator[str]:
    width = min(view.width or DEFAULT_WIDTH, WIDEST)
    yield f"{rule.id}  {_severity(rule, view).strip()}  {rule.name}"
    yield f"{rule.summary}."
    for heading, body in _parts(rule):
        yield ""
        yield f"{heading}:"
        yield from textwrap.wrap(body, width, initial_indent="  ", subsequent_indent="  ")


def _markdown_section(rule: RuleInfo) -> Iterator[str]:
    yield f"{rule.summary}. Severity: {rule.severity}{', deep' if rule.reads_payload else ''}."
    for heading, body in _parts(rule):
        yield ""
        yield f"**{heading}.** {body}"


def _parts(rule: RuleInfo) -> Iterator[tuple[str, str]]:
    """Yield headings of a rule's documentation with their text as one line."""
    parts = re.split(r"^([A-Z][a-z ]+):\n", rule.help, flags=re.MULTILINE)
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        yield heading, " ".join(body.split())
