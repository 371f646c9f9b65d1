"""The file asks for more work than is allowed.

What it does:
    Refuses files that ask for more work than `graphcount.loading.limits.Limits` allows a file of
    their size (each node, tensor, name, ... costs so many units), tensors with too many dimensions,
    archives that inflate to far more than they are, and files whose names, repeated in the ids of
    all nodes inside, take more than 64 MB. The program says which and exits with 2.

Why it matters:
    Every reader has such a limit; where it is not stated it is the memory of the machine.

Example:
    A tensor with 65 dimensions; a million nodes in 5 MB.

What to do:
    Where the model is trusted raise the limit: `--limit NAME=N`, as the message says, `[limits]` in
    graphcount.toml, `limits` in Python.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("RES001", "limits", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield nothing: the error itself says it."""
    return ()
