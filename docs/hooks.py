"""Pages of the site that are made from the code, and links as the site needs them (mkdocs)."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from importlib import import_module, resources
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import graphcount
from graphcount.cli.main import COMMANDS
from graphcount.formats.rules import FAMILIES
from graphcount.gates.measures import FAMILIES as MEASURE_FAMILIES
from graphcount.gates.measures import MEASURES
from graphcount.report.finding_rows import RuleInfo

ROOT = Path(__file__).resolve().parent.parent
BESIDE = {"README.md": "index.md"} | {
    name: name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
}
"""Pages that stand beside the folder of the others, and where the site has them."""

LINK = re.compile(r"(?<=\]\()(?P<path>[^)\s:#]+)(?P<anchor>#[^)\s]*)?(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add pages that are made here."""
    for name, text in _pages():
        old = files.get_file_from_path(name)
        if old is not None:
            files.remove(old)
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at pages of the site, or at files of the repository."""
    source = next((old for old, new in BESIDE.items() if new == page.file.src_uri), None)
    folder = "" if source else posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def moved(match: re.Match[str]) -> str:
        anchor = match["anchor"] or ""
        if match["path"].startswith("../../"):  # an address of GitHub's own
            return f"{config.repo_url}/{match['path'].removeprefix('../../')}"
        target = posixpath.normpath(posixpath.join(folder, match["path"]))
        inside = BESIDE.get(target, target.removeprefix("docs/"))
        if inside == "rules.md" and anchor:  # each rule has a page of its own
            inside, anchor = f"rules/{anchor[1:7].upper()}.md", ""
        if files.get_file_from_path(inside) is None:
            return f"{config.repo_url}/blob/main/{target}{anchor}"
        return posixpath.relpath(inside, posixpath.dirname(page.file.src_uri) or ".") + anchor

    return LINK.sub(moved, markdown)


def _pages() -> Iterator[tuple[str, str]]:
    for old, new in BESIDE.items():
        yield new, (ROOT / old).read_text("utf-8")
    rules = graphcount.rules()
    yield "rules.md", _rules(rules)
    for rule in rules:
        yield f"rules/{rule.id}.md", _rule(rule)
    yield "reference/commands.md", _commands()
    yield "reference/measures.md", _measures()
    yield "reference/configuration.md", _configuration()
    yield "reference/python.md", _python()


# ------------------------------------------------------------------------------------------ rules


def _rules(rules: tuple[RuleInfo, ...]) -> str:
    lines = ["# Rules", "", "What `graphcount audit` and `graphcount check` say. A page each."]
    for family in sorted({rule.id[:3] for rule in rules}):
        lines += ["", f"## {FAMILIES[family]}", "", "| rule | severity | |", "|---|---|---|"]
        for rule in rules:
            if rule.id.startswith(family):
                link = f"[{rule.id}](rules/{rule.id}.md) {rule.name}"
                lines.append(f"| {link} | {rule.severity} | {_cell(rule.summary)} |")
    return "\n".join(lines) + "\n"


def _rule(rule: RuleInfo) -> str:
    """Return the page of a rule: its documentation, whose parts stand under headings."""
    parts = re.split(r"^([A-Z][\w ]+):\n", rule.help, flags=re.MULTILINE)
    deep = " Reads tensor data (`--deep`)." if rule.reads_payload else ""
    lines = [f"# {rule.id} {rule.name}", "", f"Severity: **{rule.severity}**.{deep}", "", parts[0]]
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        lines += [f"## {title}", "", re.sub(r"^    ", "", body, flags=re.MULTILINE)]
    return "\n".join(lines)


# -------------------------------------------------------------------------------------- reference


def _commands() -> str:
    """Return every command with its options and examples."""
    lines = ["# Commands", "", "`graphcount MODEL` is `graphcount count MODEL`."]
    for name, (module, summary) in COMMANDS.items():
        command: Any = import_module(module).command
        context = click.Context(command, info_name=f"graphcount {name}")
        usage = " ".join(command.collect_usage_pieces(context))
        lines += ["", f"## {name}", "", summary, "", "```text", f"graphcount {name} {usage}", "```"]
        lines += ["", _paragraphs(command.help or ""), "", "| option | |", "|---|---|"]
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None:
                lines.append(f"| `{record[0]}` | {_cell(record[1])} |")
        examples = "\n".join(f"$ graphcount {line}" for line in command.examples)
        lines += ["", "```console", examples, "```"]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", cleandoc(text.replace("\b", "")))


def _measures() -> str:
    """Return what a limit can be set on."""
    lines = ["# Measures", "", "What `--max`, `--min` and `--max-increase` take.", ""]
    lines += ["| measure | unit | |", "|---|---|---|"]
    lines += [f"| `{row.name}` | {row.unit} | {_cell(row.about)} |" for row in MEASURES.values()]
    lines += [
        f"| `{row.prefix}.{row.argument.upper()}` | | {_cell(row.about)} |"
        for row in MEASURE_FAMILIES.values()
    ]
    return "\n".join(lines) + "\n"


def _configuration() -> str:
    """Return every key of a configuration, table by table."""
    text = resources.files("graphcount.config").joinpath("schema.json").read_text("utf-8")
    schema = json.loads(text)
    lines = ["# Configuration", "", schema["description"], "", "[Budgets in CI](../ci.md) has an"]
    lines += ["example. `graphcount init --schema` prints the JSON Schema.", ""]
    for title, table in (("The file", schema), *sorted(schema["$defs"].items())):
        lines += ["", f"## {title.removesuffix('Keys')}", ""]
        lines += (
            [table["description"], ""] if table is not schema and "description" in table else []
        )
        lines += ["| key | type | |", "|---|---|---|"]
        lines += [
            f"| `{key}` | {_type(row)} | {_cell(row.get('description', ''))} |"
            for key, row in table.get("properties", {}).items()
        ]
    return "\n".join(lines) + "\n"


def _type(row: Mapping[str, Any]) -> str:
    """Return a JSON type in words."""
    if "$ref" in row:
        name = row["$ref"].rpartition("/")[2].removesuffix("Keys")
        return f"[{name}](#{name.lower()})"
    if "enum" in row:
        return " or ".join(f"`{value}`" for value in row["enum"])
    if "anyOf" in row:
        return " or ".join(dict.fromkeys(map(_type, row["anyOf"])))
    if row.get("type") == "array":
        return f"list of {_type(row.get('items', {}))}"
    if "additionalProperties" in row and isinstance(row["additionalProperties"], dict):
        return f"table of {_type(row['additionalProperties'])}"
    return str(row.get("type", "any"))


def _python() -> str:
    """Return the public names, whose documentation mkdocstrings reads."""
    functions = [name for name in graphcount.__all__ if name.islower() and name[0] != "_"]
    classes = [name for name in graphcount.__all__ if not name.islower()]
    errors = [
        name for name in classes if name.endswith("Error") or name in ("TookTooLong", "ProcessLost")
    ]
    records = [name for name in classes if name not in errors]
    lines = ["# Python", ""]
    for title, names in (("Functions", functions), ("Records", records), ("Errors", errors)):
        lines += [f"## {title}", ""]
        for name in names:
            home = getattr(graphcount, name).__module__
            lines += [f"::: {home}.{name}", "    options: {heading_level: 3}", ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Return text for a cell of a table."""
    escaped = re.sub(r"[|\[]", r"\\\g<0>", " ".join(text.split()))
    return escaped.replace("<", "&lt;")
