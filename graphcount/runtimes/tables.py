"""What releases of a runtime know: versions, definitions of operators, kernels.

`onnxruntime.txt` is made by `tests/runtimes/make_tables.py` out of the wheels: from the kernels
that each release registers (`get_all_opkernel_def`) and the schemas it has. A line a fact, with the
releases in which it holds (`-` for all, `1.24-`, `-1.22`):

    release 1.32.0 {"ir": 14, "ai.onnx": 28, ...}
    types 21 tensor(double) tensor(float)
    op - ai.onnx Clip 13 1:rT=5,oT=5,oT=5 1:rT=5 -
    kernel - cpu ai.onnx Clip 13- T=21

A release: newest IR version, newest opset of each domain (100: any). An operator: domain, name,
version it came with (`13!` where it is withdrawn), fewest inputs and for each its letter (`r`
required, `o` optional, `v` any number, `h` any number of any types), the name of its type and the
set of permitted types; the same for outputs; attributes as in `graphcount/ops/schemas.txt`, and `*`
where others are allowed. A kernel: provider, domain, name, first and last version it is for (none:
the first one only), types by their name in the definition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from graphcount.domains import canonical
from graphcount.errors import UsageError
from graphcount.ops.schemas import ATTRIBUTE_TYPES

ANY_VERSION = 100
"""The newest opset of a domain whose versions are not limited."""

_ASKED = re.compile(r"(?P<name>[a-z]+)(:(?P<release>[0-9.]+))?(/(?P<provider>[a-z]+))?")


class Formal(NamedTuple):
    """A formal input or output.

    Attributes:
        letter: `r`, `o`, `v` or `h`, see above.
        type: Name of its type: those of one name are the same type.
        types: Permitted types, as onnxruntime writes them: `tensor(float)`.
    """

    letter: str
    type: str
    types: frozenset[str]


class Definition(NamedTuple):
    """One version of an operator.

    Attributes:
        since: The opset version it came with.
        withdrawn: It says that the operator is no more.
        fewest: How many inputs have to be there, and how many outputs.
        inputs: Its inputs.
        outputs: Its outputs.
        attributes: AttributeProto.AttributeType code by name.
        required: Names of attributes that have to be there.
        takes_any: Attributes beside these are allowed.
    """

    since: int
    withdrawn: bool
    fewest: tuple[int, int]
    inputs: tuple[Formal, ...]
    outputs: tuple[Formal, ...]
    attributes: dict[str, int]
    required: frozenset[str]
    takes_any: bool


class Kernel(NamedTuple):
    """What one implementation is for.

    Attributes:
        first: Version of the operator it came with.
        last: Last one it is for; None: the first one only.
        types: Permitted types by the name of a type or an input; others may be any.
    """

    first: int
    last: int | None
    types: dict[str, frozenset[str]]

    def covers(self, since: int) -> bool:
        """Return whether it is for the version of an operator that came with an opset."""
        return since == self.first if self.last is None else self.first <= since <= self.last


class RuntimeTable(NamedTuple):
    """What one release knows, with one provider.

    Attributes:
        name: `onnxruntime`.
        release: `1.32.0`.
        provider: `cpu`.
        newest_ir: Newest IR version it takes.
        newest_opsets: Newest version of each domain that it takes.
        definitions: Versions of each operator, oldest first, by domain and name.
        kernels: By domain and name.
    """

    name: str
    release: str
    provider: str
    newest_ir: int
    newest_opsets: dict[str, int]
    definitions: dict[tuple[str, str], tuple[Definition, ...]]
    kernels: dict[tuple[str, str], tuple[Kernel, ...]]

    @property
    def text(self) -> str:
        """How a user asks for it: `onnxruntime:1.32.0/cpu`."""
        return f"{self.name}:{self.release}/{self.provider}"

    def definition(self, domain: str, op_type: str, opset: int) -> Definition | None:
        """Return the definition that holds at an opset version; None when there is none (yet)."""
        rows = [row for row in self.definitions.get((domain, op_type), ()) if row.since <= opset]
        return rows[-1] if rows else None


class RuntimeName(NamedTuple):
    """A runtime that was asked for, and is in the tables."""

    name: str
    release: str
    provider: str

    @property
    def text(self) -> str:
        """How a user asks for it: `onnxruntime:1.32.0/cpu`."""
        return f"{self.name}:{self.release}/{self.provider}"


RUNTIMES = ("onnxruntime",)
"""Runtimes that have a table, each in a file of its name."""


def target(asked: str) -> RuntimeName:
    """Return the runtime that `onnxruntime`, `onnxruntime:1.32` or `onnxruntime:1.32/cpu` names.

    Without a release it is the newest one in the table, without a provider the first one.

    Raises:
        UsageError: No table has it; the message says what there is.
    """
    match = _ASKED.fullmatch(asked)
    if match is None or match["name"] not in RUNTIMES:
        raise UsageError(
            f"runtime {asked[:60]!r} is not known; there is {', '.join(RUNTIMES)},"
            " also as onnxruntime:RELEASE/PROVIDER"
        )
    name = match["name"]
    releases = [line.split(" ")[1] for line in _lines(name) if line.startswith("release ")]
    wanted = match["release"] or releases[-1]
    for release in releases:
        if wanted in (release, release.rpartition(".")[0]):
            break
    else:
        raise UsageError(f"{name} {wanted} has no table; there are {', '.join(releases)}")
    providers = sorted({line.split(" ")[2] for line in _lines(name) if line.startswith("kernel ")})
    provider = match["provider"] or providers[0]
    if provider not in providers:
        raise UsageError(
            f"{name} {release} has no table of {provider}; there is {', '.join(providers)}"
        )
    return RuntimeName(name, release, provider)


@cache
def read_table(asked: RuntimeName) -> RuntimeTable:
    """Return what a release knows."""
    releases = [line.split(" ")[1] for line in _lines(asked.name) if line.startswith("release ")]
    minors = [release.rpartition(".")[0] for release in releases]
    position = releases.index(asked.release)
    limits: dict[str, int] = {}
    types: dict[str, frozenset[str]] = {}
    definitions: dict[tuple[str, str], list[Definition]] = {}
    kernels: dict[tuple[str, str], list[Kernel]] = {}
    for line in _lines(asked.name):
        kind, first, rest = line.split(" ", 2)
        if kind == "release" and first == asked.release:
            limits = json.loads(rest)
        elif kind == "types":
            types[first] = frozenset(rest.split(" "))
        elif kind in ("op", "kernel") and _holds(first, minors, position):
            columns = rest.split(" ")
            if kind == "op":
                key = (canonical(columns[0]), columns[1])
                definitions.setdefault(key, []).append(_definition(columns[2:], types))
            elif columns[0] == asked.provider:
                key = (canonical(columns[1]), columns[2])
                kernels.setdefault(key, []).append(_kernel(columns[3:], types))
    newest_ir = limits.pop("ir")
    return RuntimeTable(
        *asked,
        newest_ir,
        {canonical(domain): version for domain, version in limits.items()},
        {key: tuple(sorted(rows)) for key, rows in definitions.items()},
        {key: tuple(rows) for key, rows in kernels.items()},
    )


@cache
def _lines(name: str) -> tuple[str, ...]:
    text = files("graphcount.runtimes").joinpath(f"{name}.txt").read_text("ascii")
    return tuple(text.splitlines())


def _holds(spans: str, minors: list[str], position: int) -> bool:
    """Return whether a release is in `-1.22,1.24-`."""
    for span in spans.split(","):
        low, _, high = span.partition("-")
        first = minors.index(low) if low else 0
        last = minors.index(high) if high else len(minors) - 1
        if first <= position <= last:
            return True
    return False


def _definition(columns: list[str], types: dict[str, frozenset[str]]) -> Definition:
    since, inputs, outputs, *named = columns
    fewest_inputs, _, formal_inputs = inputs.partition(":")
    fewest_outputs, _, formal_outputs = outputs.partition(":")
    attributes, required = {}, set()
    for item in named if named != ["-"] else ():
        if item == "*":
            continue
        name, _, letter = item.rpartition(":")
        attributes[name] = ATTRIBUTE_TYPES[letter[0]]
        if letter.endswith("*"):
            required.add(name)
    return Definition(
        int(since.rstrip("!")),
        since.endswith("!"),
        (int(fewest_inputs), int(fewest_outputs)),
        tuple(_formals(formal_inputs, types)),
        tuple(_formals(formal_outputs, types)),
        attributes,
        frozenset(required),
        "*" in named,
    )


def _formals(text: str, types: dict[str, frozenset[str]]) -> Iterator[Formal]:
    for item in filter(None, re.split(r",(?=[rovh])", text)):
        name, _, number = item[1:].rpartition("=")
        yield Formal(item[0], name, types[number])


def _kernel(columns: list[str], types: dict[str, frozenset[str]]) -> Kernel:
    span, constraints = columns
    first, _, last = span.partition("-")
    rows = [item.rpartition("=") for item in constraints.split(",")] if constraints != "-" else []
    return Kernel(
        int(first),
        int(last) if last else None,
        {name: types[number] for name, _, number in rows},
    )
