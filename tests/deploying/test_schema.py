"""The JSON of a deployment keeps to its schema, and the page about it to the table."""

from __future__ import annotations

import json
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import jsonschema_rs
import pytest

import graphcount
from graphcount.deploying.layouts import LAYOUTS
from graphcount.formats.deployment import render
from graphcount.formats.view import View
from graphcount.report.deployment import DEPLOYMENT_SCHEMA, Deployment
from tests.deploying import builders
from tests.deploying.test_package import authored
from tests.test_readme import ROOT

SCALARS: dict[type, str] = {str: "string", int: "integer", bool: "boolean", type(None): "null"}


def schema_of() -> dict[str, Any]:
    """The schema that follows from the records."""
    keys = {"schema": {"const": DEPLOYMENT_SCHEMA}, "graphcount": {"type": "string"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": DEPLOYMENT_SCHEMA,
        "title": "graphcount deployment, version 1",
        "description": "Several models that run as one. Keys may be added within a version, never"
        " renamed. Numbers are exact integers; null means not known.",
        **record(Deployment, keys),
    }


def record(kind: type, keys: dict[str, Any] | None = None) -> dict[str, Any]:
    """The schema of a record: every field is there."""
    hints = get_type_hints(kind).items()
    fields = {name: schema(hint) for name, hint in hints if get_origin(hint) is not ClassVar}
    properties = {**(keys or {}), **fields}
    return {"type": "object", "properties": properties, "required": list(properties)}


def schema(hint: Any) -> dict[str, Any]:
    """The schema of a type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in SCALARS:
        return {"type": SCALARS[hint]}
    if hint is object:
        return {}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, UnionType):
        return {"anyOf": [schema(part) for part in arguments]}
    if origin is tuple:
        return {"type": "array", "items": schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema(arguments[1])}
    return record(hint)


SCHEMA = ROOT / "graphcount" / "report" / "deployment.schema.json"
PAGE = ROOT / "docs" / "deploy.md"


def test_the_schema_is_that_of_the_records() -> None:
    """`python -m tests.deploying.test_schema` writes it anew."""
    assert json.loads(SCHEMA.read_text("utf-8")) == schema_of()


@pytest.mark.parametrize("name", ["whisper_like", "merged", "vision_language", "package"])
@pytest.mark.parametrize("deep", [False, True])
def test_json_keeps_to_the_schema(name: str, deep: bool, tmp_path: Path) -> None:
    folder = authored(tmp_path) if name == "package" else getattr(builders, name)(tmp_path)
    made = graphcount.deployment(str(folder), deep=deep)
    data = json.loads(render("json", made, View()))
    jsonschema_rs.validator_for(schema_of()).validate(data)
    assert data["totals"]["disk_nbytes"] == made.totals.disk_nbytes


def table() -> str:
    """The table of layouts, as Markdown."""
    rows = [f"| {row.name} | {row.mark} | {row.parts} |" for row in LAYOUTS]
    return "\n".join(["| layout | its mark | components and variants |", "|---|---|---|", *rows])


def test_the_page_has_the_table() -> None:
    assert f"<!-- layouts -->\n{table()}\n<!-- end -->" in PAGE.read_text("utf-8")


def main() -> None:
    """Write the schema, and the table into the page."""
    SCHEMA.write_text(json.dumps(schema_of(), indent=1) + "\n", "utf-8")
    head, _, rest = PAGE.read_text("utf-8").partition("<!-- layouts -->\n")
    tail = rest.partition("<!-- end -->")[2]
    PAGE.write_text(f"{head}<!-- layouts -->\n{table()}\n<!-- end -->{tail}", "utf-8")


if __name__ == "__main__":
    main()
