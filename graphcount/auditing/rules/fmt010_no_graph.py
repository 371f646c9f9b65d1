"""A protobuf without a graph.

What it does:
    Refuses a file whose fields could be those of a ModelProto but which holds no graph. The program
    says so and exits with 2.

Why it matters:
    It is another kind of protobuf, or a model that was cut before its graph. Zero parameters would
    be the wrong answer.

Example:
    Another program's protobuf that was given the name `model.onnx`.

What to do:
    Look for the right file, or get it again.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT010", "no-graph", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield nothing: the error itself says it."""
    return ()
