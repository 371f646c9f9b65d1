"""What a valid model cannot have, as the builder met it: a code, a place, and what it is about.

One place decides; the report's `Unknown` and the findings of an audit are both made from this.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from graphcount.errors import Unknown

Code = Literal[
    "empty",
    "cycle",
    "value undefined",
    "value twice",
    "function twice",
    "function recursive",
    "function deep",
    "function large",
    "function callee",
    "functions large",
]

_TEXTS: dict[Code, tuple[str, str]] = {
    "empty": ("graph", "the graph has no nodes, no outputs and no tensors: the file may be cut"),
    "cycle": ("order", "the graph has a cycle"),
    "value undefined": ("value", "input {name} is never defined"),
    "value twice": (
        "value",
        "the value is defined twice; readers differ in which one they use",
    ),
    "function twice": (
        "function",
        "the function is defined twice; the first definition is used",
    ),
    "function recursive": ("function", "not expanded: it calls itself"),
    "function deep": (
        "function",
        "not expanded: functions call each other deeper than {limit:,}",
    ),
    "function large": (
        "function",
        "not expanded: expanding it makes {found:,} nodes and calls, more than {limit:,}",
    ),
    "function callee": ("function", "not expanded: a function it calls is not expanded"),
    "functions large": (
        "function",
        "not expanded: expanding all makes {found:,} nodes and calls, more than {limit:,}",
    ),
}
"""What is not known, and why, by code."""


class GraphProblem(NamedTuple):
    """One thing that a valid model cannot have, or that asks for more than the limits allow.

    Attributes:
        code: What it is.
        where: Node id, path of a value, or label of a function.
        name: The value's or function's name.
        kinds: Of a value defined twice: what defines it, first to last: `operator`, `input`,
            `initializer`, or `argument` (of a function, or what its call returns). Of
            one not defined: `result` where a body returns it.
        found: Nodes and calls of functions that expansion goes through, or depth of calls.
        limit: What `found` may be.
    """

    code: Code
    where: str
    name: str = ""
    kinds: tuple[str, ...] = ()
    found: int = 0
    limit: int = 0

    @property
    def unknown(self) -> Unknown:
        """What the report says of it."""
        what, text = _TEXTS[self.code]
        why = text.format(name=self.name[:120], found=self.found, limit=self.limit)
        return Unknown(self.where, what, why)
