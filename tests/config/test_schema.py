"""The schema that ships: made from the keys, and of one mind with what reads a configuration."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcount.config import read_config, schema_text
from graphcount.config.keys import ListRuleValue
from graphcount.config.meaning import AuditSettings
from graphcount.errors import ConfigError
from graphcount.gates.allow import LISTS
from graphcount.gates.checks import Check, Uncovered
from graphcount.gates.measures import FAMILIES, MEASURES
from graphcount.loading.limits import DEFAULT_LIMITS
from tests.config import make_schema

SCHEMA = json.loads(schema_text())
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)


def test_what_is_made_from_the_keys_is_current() -> None:
    """`python -m tests.config.make_schema` writes both anew."""
    assert schema_text() == make_schema.text()
    page = make_schema.PAGE.read_text("utf-8")
    assert page.count("<!-- keys -->\n") == 1
    assert make_schema.page(page) == page


def test_a_command_prints_it() -> None:
    command = [sys.executable, "-m", "graphcount", "init", "--schema"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == SCHEMA


def keys_of(row: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key that the schema names, and what it says of it."""
    for name, part in row.get("properties", {}).items():
        yield f"{path}.{name}", part
    for name, part in row.get("$defs", {}).items():
        yield from keys_of(part, name)
    for name, part in row.get("properties", {}).items():
        yield from keys_of(part, f"{path}.{name}")


def test_every_key_says_something() -> None:
    dtypes = r"\.(nbytes|elements)\."
    silent = [name for name, part in keys_of(SCHEMA) if not part.get("description")]
    assert [name for name in silent if not re.search(dtypes, name)] == []
    assert SCHEMA["description"]
    assert SCHEMA["additionalProperties"] is False


@pytest.mark.parametrize("bound", ["max", "min", "max_increase"])
def test_every_measure_is_a_key(bound: str) -> None:
    table = SCHEMA["$defs"]["CheckKeys"]["properties"][bound]
    assert table["properties"].keys() == MEASURES.keys()
    for family in FAMILIES:
        assert any(pattern.startswith(rf"^{family}\.") for pattern in table["patternProperties"])


def test_defaults_are_those_that_count() -> None:
    assert SCHEMA["properties"]["uncovered"]["default"] == Uncovered().action
    assert SCHEMA["$defs"]["CheckKeys"]["properties"]["severity"]["default"] == Check("").severity
    assert AuditSettings() == (None, (), (), {})
    for name, row in SCHEMA["$defs"]["LimitKeys"]["properties"].items():
        assert row.get("default") == getattr(DEFAULT_LIMITS, name)


def test_rules_of_lists_are_those_there_are() -> None:
    (enum,) = (m.extra_json_schema["enum"] for m in get_args(ListRuleValue)[1:] if m.extra)
    assert set(enum) == {row.rule for row in LISTS.values()}


def test_a_limit_that_is_given_twice_is_a_mistake() -> None:
    """One of them would not count."""
    (line,) = mistakes({"checks": [{"max": {"nodes.Conv": 3, "nodes": {"Conv": 5}}}]})
    assert line == "graphcount.toml:1: checks[0].max.nodes.Conv: is given twice"


def test_the_example_is_valid() -> None:
    """And every key in it is one that the schema names."""
    import tomllib

    for text in re.findall(r"```toml\n(.*?)```", make_schema.PAGE.read_text("utf-8"), re.DOTALL):
        assert list(VALIDATOR.iter_errors(tomllib.loads(text))) == []


# ------------------------------------------------------------------- generated configurations

NAMES = st.sampled_from(["batch", "x", "a b", "models/*"])
TEXTS = st.lists(st.sampled_from(["models/*.onnx", "b"]), max_size=2)
SIZES = st.dictionaries(NAMES, st.sampled_from([0, 8, "1:8", "4:4"]), max_size=2)
COUNTS = st.sampled_from([0, 7, "30M", "1.5k", " 26_926 ", "2g"])
BYTES = st.sampled_from([4096, "100 MB", "64MiB", "1,000 kB", "7 bytes"])
LIMITS = st.fixed_dictionaries(
    {"unknown": COUNTS},
    optional={
        "nodes": COUNTS | st.just({"Conv": 3, "com": {"acme::Foo": "1k"}}),
        "macs": COUNTS,
        "disk_nbytes": BYTES,
        "latency_p95": st.sampled_from(["12 ms", "1.5s", "800us"]),
        "sparsity": st.sampled_from(["50%", "12.5 %"]),
        "nbytes": BYTES | st.just({"float32": "1MB"}),
        "elements.int8": COUNTS,
        "nodes.Loop": COUNTS,
        "parameters.encoder.layer.0": COUNTS,
        "parameters": COUNTS | st.just({"encoder": {"layer": 3}}),
    },
)
GROWTH = st.fixed_dictionaries(
    {"nodes": COUNTS}, optional={"macs": st.sampled_from(["5%", "0.5 %", "1k"]), "nbytes": BYTES}
)
SEVERITIES = st.sampled_from(["info", "low", "medium", "high", "critical"])
OPERATORS = st.lists(st.sampled_from(["Conv", "com.acme::Foo"]), max_size=2)
IGNORED = st.fixed_dictionaries(
    {"rule": st.sampled_from(["BUD010", "BUD012"]), "where": NAMES, "reason": NAMES}
)
CHECKS = st.fixed_dictionaries(
    {"max": LIMITS},
    optional={
        "name": NAMES,
        "paths": TEXTS,
        "exclude": TEXTS,
        "dims": SIZES,
        "shapes": st.dictionaries(
            NAMES, st.sampled_from(["1x3x?", "[1, 3]", "", [1, "?", 3], []]), max_size=2
        ),
        "min": LIMITS,
        "max_increase": GROWTH,
        "messages": st.sampled_from([{"unknown": "ask"}, {}]),
        "severity": SEVERITIES,
        "dtypes": st.lists(st.sampled_from(["float32", "int8"]), max_size=2),
        "operators": OPERATORS,
        "forbidden_operators": OPERATORS,
        "domains": TEXTS,
        "opset": st.sampled_from([17, {"min": 13}, {"min": 13, "max": 21}]),
        "ignore": st.lists(IGNORED, max_size=2),
        "baseline": NAMES,
    },
)
RULES = st.sampled_from(["EXT", "EXT002", "TXT"])
AUDIT_IGNORE = st.fixed_dictionaries({"rule": RULES, "reason": NAMES}, optional={"models": TEXTS})
MODEL_AUDIT = {
    "fail_on": SEVERITIES,
    "select": st.lists(RULES, max_size=2),
    "ignore": st.lists(AUDIT_IGNORE, max_size=2),
}
AUDIT = st.fixed_dictionaries(
    {},
    optional={
        **MODEL_AUDIT,
        "models": st.dictionaries(
            NAMES, st.fixed_dictionaries({}, optional=MODEL_AUDIT), max_size=2
        ),
    },
)
FORMULAS = st.just("2 * prod(inputs[0])")
COSTS = st.fixed_dictionaries({"macs": FORMULAS}, optional={"elementwise": FORMULAS})
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "uncovered": st.sampled_from(["fail", "warn", "ignore"]),
        "exclude": TEXTS,
        "dims": SIZES,
        "checks": st.lists(CHECKS, min_size=1, max_size=2),
        "operators": st.dictionaries(st.sampled_from(["com.acme::Foo", "Foo"]), COSTS, max_size=2),
        "audit": AUDIT,
        "limits": st.fixed_dictionaries({}, optional={"work": st.integers(0, 2**80)}),
    },
)
WRONG = [True, -1, 3, 1.5, "", "no such", {}, {"a": 1}, {"macs": "x"}, [], [3], ["x"], [[]], [{}]]

ONLY_MEANT = re.compile(
    r"asks for nothing|no limit|is given twice|goes with neither|formula: |no measure"
    r"|its cost is known|is no operator|is no rule; did|is no rule$"
)
"""Mistakes in what is meant; the schema knows of types, words and forms."""


def toml(value: Any) -> str:
    """A value of TOML, on one line."""
    if isinstance(value, dict):
        rows = (f"{json.dumps(key)} = {toml(item)}" for key, item in value.items())
        return f"{{ {', '.join(rows)} }}"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else json.dumps(value)


def mistakes(document: dict[str, Any]) -> list[str]:
    lines = [f"{json.dumps(key)} = {toml(value)}" for key, value in document.items()]
    try:
        read_config("\n".join(lines), "graphcount.toml")
    except ConfigError as error:
        return str(error).split("\n")
    return []


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a document, with a key of it."""
    rows = value.items() if isinstance(value, dict) else enumerate(value)
    return [
        place
        for key, item in rows
        for place in ((value, key), *(places(item) if isinstance(item, dict | list) else ()))
    ]


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS)
def test_what_is_right_is_right_to_both(document: dict[str, Any]) -> None:
    assert mistakes(document) == []
    assert [str(error) for error in VALIDATOR.iter_errors(document)] == []


@settings(max_examples=250, deadline=None)
@given(DOCUMENTS.filter(bool), st.data())
def test_what_is_wrong_is_wrong_to_both(document: dict[str, Any], data: st.DataObject) -> None:
    document = json.loads(json.dumps(document))  # one that may be changed
    container, key = data.draw(st.sampled_from(places(document)))
    what = data.draw(st.sampled_from(["change", "add", "drop"]))
    if what == "drop":
        del container[key]
    elif what == "add" and isinstance(container, dict):
        container["another"] = data.draw(st.sampled_from(WRONG))
    else:
        container[key] = data.draw(st.sampled_from(WRONG))
    complaints = mistakes(document)
    if VALIDATOR.is_valid(document):
        assert [line for line in complaints if not ONLY_MEANT.search(line)] == []
    else:
        assert complaints
