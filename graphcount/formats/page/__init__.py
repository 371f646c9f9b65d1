"""One self-contained HTML page: what is in a model, to look at.

The page holds its report as data, its script and its style; it loads nothing, and its policy lets
nothing else run. Names from a model reach it as data and are text on it, so markup in them stays
text. It starts at the sizes that the report assumes for dynamic dimensions, and works out others
itself. d3-hierarchy lays out the map, dagre the network; docs/page.md says how the page is made.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from string import Template
from typing import Any

from graphcount.formats.page.data import embed, formulas, pack
from graphcount.formats.page.network import network
from graphcount.formats.sentences import cause_words, causes, framework_sentence, headline
from graphcount.formats.text import safe
from graphcount.report.deployment import Deployment
from graphcount.report.drawing import FlowRow
from graphcount.report.finding_rows import RuleInfo
from graphcount.report.records import Report
from graphcount.report.serial import plain

SCRIPTS = (
    "d3-hierarchy.min.js",
    "dagre.min.js",
    "data.js",
    "dom.js",
    "links.js",
    "tip.js",
    "formulas.js",
    "sizes.js",
    "words.js",
    "tree.js",
    "growth.js",
    "map.js",
    "rows.js",
    "folds.js",
    "layers.js",
    "network.js",
    "charts.js",
    "history.js",
    "deployment.js",
    "about.js",
    "main.js",
)
"""Parts of the page's script, in order: libraries as they were published, then our own."""

LIBRARIES = 2

CAUSES = 5
"""Causes of what is not known that the head of the page names; its table has all."""


def render(
    report: Report,
    *,
    rules: Mapping[str, RuleInfo] | None = None,
    against: Report | None = None,
    changes: Mapping[str, Any] | None = None,
    bench: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | None = None,
    deployment: Deployment | None = None,
    flows: Sequence[FlowRow] | None = None,
    binary: bool = False,
) -> str:
    """Make the page of a report.

    Args:
        report: The report; with `timeline`, the page shows activations over the run, with
            `assume`, it starts at assumed sizes.
        rules: Documentation of the rules of its findings, by id.
        against: The report of another model that this one is compared with.
        changes: What differs from it; see `graphcount.formats.page.changes`.
        bench: Measured times; see `graphcount.formats.page.bench`.
        history: Measured times over time; see `graphcount.formats.page.history`.
        deployment: The deployment that the report is of.
        flows: What flows between its nodes; None: the page has no view of the network.
        binary: Sizes in KiB, MiB, GiB.
    """
    measured = {"bench": bench, "history": history}
    data = {**_data(report, rules or {}), "binary": binary}
    data |= {key: value for key, value in measured.items() if value is not None}
    if against is not None:
        data["old"] = _old(against, report)
        data["changes"] = changes
    if deployment is not None:
        from graphcount.formats.page.deployment import sections

        data["deployment"] = sections(deployment, binary)
    if flows is not None:
        data["network"] = network(report, flows)
    names = [row.model.path for row in (against, report) if row is not None]
    return _filled(report, data, names, binary)


def _filled(report: Report, data: dict[str, Any], paths: Sequence[str], binary: bool) -> str:
    """Return the page with its data, style and script; it is called by the paths it is of."""
    from graphcount.version import __version__

    text, encoding = embed(data)
    style, program = page_parts()
    heading = " → ".join(_short_names(paths))
    summary = ", ".join(f"{label} {value}" for label, value in headline(report, binary))
    return Template(_asset("page.html")).substitute(
        policy=policy(style, program),
        version=html.escape(__version__),
        title=html.escape(f"{heading} - graphcount"),
        heading=html.escape(heading),
        facts=html.escape(safe(report.model.path, 200)),
        summary=html.escape(safe(summary, 2_000)) + ".",
        style=style,
        data=text,
        encoding=encoding,
        program=program,
    )


def _short_names(paths: Sequence[str]) -> list[str]:
    """Return the last part of each path, and more of it where two would have one name."""
    parts = [safe(path, 200).rstrip("/").split("/") for path in paths]
    count = 1
    while len({tuple(row[-count:]) for row in parts}) < len(set(map(tuple, parts))):
        count += 1
    return ["/".join(row[-count:]) for row in parts]


def _data(report: Report, rules: Mapping[str, RuleInfo]) -> dict[str, Any]:
    """Return what the page says of one report."""
    broken = {finding.rule for finding in report.findings}
    return {
        "report": pack(report),
        "formulas": formulas(report),
        "sentence": framework_sentence(report),
        "causes": {"assumed": _causes(report.in_numbers), "formulas": _causes(report)},
        "rules": {key: plain(rule) for key, rule in rules.items() if key in broken},
    }


def _causes(report: Report) -> list[str]:
    """Return a sentence a cause of what is not known, of many the first."""
    return [cause_words(cause) for cause in causes(report)[:CAUSES]]


def _old(against: Report, report: Report) -> dict[str, Any]:
    """Return the totals of the other model, in numbers where these are of the same sizes."""
    before = against.in_numbers
    old = pack(replace(before, nodes=(), tensors=()))
    return {
        "path": old["model"]["path"],
        "node_count": old["model"]["node_count"],
        "totals": old["totals"],
        "states": old["states"]["nbytes"] if old["states"] is not None else 0,
        "sparsity": old["sparsity"] and {**old["sparsity"], "tensors": []},
        "same_sizes": before.dims == report.in_numbers.dims,
    }


def _asset(name: str) -> str:
    return resources.files("graphcount.formats.page").joinpath("assets", name).read_text("utf-8")


def page_style() -> str:
    """Return the style of every page."""
    return _asset("page.css")


def page_parts() -> tuple[str, str]:
    """Return the style and the script that every page has.

    The script is the libraries, then the page's own parts in a scope of their own. HTML has no
    control characters: in strings of a library they are escaped.
    """
    parts = [_asset(name) for name in SCRIPTS]
    libraries, body = "\n".join(parts[:LIBRARIES]), "\n".join(parts[LIBRARIES:])
    libraries = libraries.replace("\x01", "\\x01")
    return page_style(), f'{libraries}\n(() => {{\n"use strict";\n{body}\n}})();'


def policy(style: str, program: str) -> str:
    """Return the page's policy: this script and this style by digest, and no other source.

    Content Security Policy Level 3; Trusted Types make markup out of strings impossible.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_digest(program)}",
            f"style-src {_digest(style)}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _digest(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
