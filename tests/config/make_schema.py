"""Makes `graphcount/config/schema.json` and the list of keys in docs/ci.md from the types of keys.

`python -m tests.config.make_schema` writes both.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path
from typing import Any

from msgspec.json import schema as schema_of

from graphcount.config.keys import ConfigKeys
from graphcount.gates.measures import FAMILIES, MEASURES
from graphcount.loading.limits import Limits
from graphcount.units import FACTORS, Unit

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = ROOT / "graphcount" / "config" / "schema.json"
PAGE = ROOT / "docs" / "ci.md"

Schema = dict[str, Any]


def schema() -> Schema:
    """The JSON Schema of a configuration."""
    made = schema_of(ConfigKeys)
    tables = made.pop("$defs")
    top = tables.pop("ConfigKeys")
    for row in (top, *tables.values()):
        row.pop("title")
    limits = tables["LimitKeys"]
    limits["description"] = top["properties"]["limits"]["description"]
    for name, text in documented(Limits).items():
        limits["properties"][name]["description"] = text
    for name in ("OpsetKeys", "OperatorKeys"):
        tables[name]["minProperties"] = 1
    checks = tables["CheckKeys"]["properties"]
    for bound in ("max", "min", "max_increase"):
        checks[bound] = {"description": checks[bound]["description"], **table_of_measures(bound)}
    message: Schema = {"type": "string", "minLength": 1}
    parts: Schema = {"texts": nested("texts", message)}
    checks["messages"]["additionalProperties"] = parts["texts"]["additionalProperties"]
    for growth in ("", "-growth"):
        parts |= {f"{unit}{growth}": quantity(unit, bool(growth)) for unit in FACTORS}
        parts[f"counts{growth}"] = nested(f"counts{growth}", {"$ref": f"#/$defs/count{growth}"})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:graphcount:config:1",  # editors want an absolute one
        "title": "Configuration of graphcount, version 1",
        **top,
        "$defs": tables | parts,
    }


def documented(kind: type) -> dict[str, str]:
    """The docstring of each attribute of a class."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    texts = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(text.value, ast.Constant)
            texts[field.target.id] = " ".join(str(text.value.value).split())
    return texts


# ---------------------------------------------------------------------------------- measures


def quantity(unit: Unit, growth: bool) -> Schema:
    """A number of a unit, as `graphcount.units.parse` reads it, or a share of what there was."""
    suffixes = "|".join("".join(map(either, name)) for name in FACTORS[unit] if name)
    some = "?" if "" in FACTORS[unit] else ""
    patterns = [rf"[0-9][0-9_,]*(\.[0-9]+)?\s*({suffixes}){some}"]
    if growth:
        percent = r"[0-9]{1,9}(\.[0-9]{1,9})?\s*%"
        patterns = [percent] if unit == "share" else [*patterns, percent]
    text: Schema = {"type": "string", "pattern": rf"^\s*({'|'.join(patterns)})\s*$"}
    return {"anyOf": [{"type": "integer", "minimum": 0}, text]} if some else text


def either(letter: str) -> str:
    """A letter in both cases."""
    return f"[{letter}{letter.upper()}]" if letter.isascii() and letter.isalpha() else letter


def nested(name: str, leaf: Schema) -> Schema:
    """Tables in tables: without quotes, `nodes.Conv` is the key of a table `nodes`."""
    return table(additionalProperties={"anyOf": [leaf, {"$ref": f"#/$defs/{name}"}]})


def table(**what: Any) -> Schema:
    return {"type": "object", "minProperties": 1, **what}


def table_of_measures(bound: str) -> Schema:
    """Limits by measure."""
    growth = "-growth" if bound == "max_increase" else ""
    properties: Schema = {
        row.name: {"description": row.about, "$ref": f"#/$defs/{row.unit}{growth}"}
        for row in MEASURES.values()
    }
    patterns: Schema = {}
    for family in FAMILIES.values():
        leaf: Schema = {"$ref": f"#/$defs/{family.make('x').unit}{growth}"}
        names = list(family.known)
        if family.closed:
            inner: Schema = table(properties=dict.fromkeys(names, leaf), additionalProperties=False)
            pattern, row = rf"^{family.prefix}\.({'|'.join(names)})$", leaf
        else:
            inner = {"$ref": f"#/$defs/counts{growth}"}
            pattern, row = rf"^{family.prefix}\..", {"anyOf": [leaf, inner]}
        patterns[pattern] = {"description": family.about, **row}
        plain = properties[family.prefix]
        properties[family.prefix] = {
            "description": plain["description"],
            "anyOf": [{"$ref": plain["$ref"]}, inner],
        }
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": False,
    }


# ------------------------------------------------------------------------------ docs/ci.md

TABLES = {
    "at the top": "",
    "`[[checks]]`": "CheckKeys",
    "`opset` of a check": "OpsetKeys",
    "`ignore` of a check": "IgnoreKeys",
    "`[operators.NAME]`": "OperatorKeys",
    "`[audit]`; `[audit.models.GLOB]` without `models`": "AuditKeys",
    "`ignore` of the audit": "AuditIgnoreKeys",
    "`[limits]`": "LimitKeys",
}
"""Tables of a configuration, and the definition of each."""


def keys(whole: Schema) -> str:
    """The list of keys in docs/ci.md."""
    lines = []
    for title, name in TABLES.items():
        row = whole["$defs"][name] if name else whole
        lines += ["", f"| {title} | value | |", "|---|---|---|"]
        for key, what in row["properties"].items():
            default = f"; `{what['default']}` by default" if "default" in what else ""
            needed = "; needed" if key in row["required"] else ""
            first = (
                re.split(r"[.:] ", what["description"])[0]
                if name == "LimitKeys"
                else (what["description"])
            )
            value = words(what).replace("|", "\\|")
            lines.append(f"| `{key}` | {value}{default}{needed} | {first} |")
    return "\n".join(lines[1:])


def words(row: Schema) -> str:
    """A schema in TOML's words."""
    if "anyOf" in row:
        return " or ".join(dict.fromkeys(words(part) for part in row["anyOf"]))
    if "enum" in row:
        names = row["enum"]
        return ", ".join(f"`{name}`" for name in names) if len(names) < 9 else "name"
    if row.get("type") == "array":
        return f"list of {words(row['items'])}s".replace("`s", "`")
    if isinstance(row.get("additionalProperties"), dict) and "patternProperties" not in row:
        each = words(row["additionalProperties"])
        return "table" if "table" in each else f"table, each {each}"
    kind = {"string": "text", "integer": "whole number"}.get(row.get("type", ""), "table")
    examples = row.get("examples")
    return f"{kind} like `{examples[0]}`" if examples else kind


def page(text: str) -> str:
    """The page with its list made anew."""
    block = f"<!-- keys -->\n{keys(schema())}\n<!-- end -->"
    return re.sub(r"<!-- keys -->\n.*?<!-- end -->", lambda match: block, text, flags=re.DOTALL)


def text() -> str:
    """The schema as it is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text(), "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
