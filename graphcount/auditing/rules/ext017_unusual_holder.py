"""External data outside of initializers.

What it does:
    Reports external data of tensors in attributes, functions, sparse tensors and training
    information.

Why it matters:
    Many tools check and pack the external data files of initializers only; the others are loaded
    without a check, or get lost.

Example:
    A Constant node whose value lies in an external data file.

What to do:
    Turn the tensors into initializers, or put their data into the model.

References:
    onnxruntime pull requests 26776, 29011.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.stored import UNNAMED
from graphcount.auditing.context import Context
from graphcount.auditing.grouping import about_tensors, and_more
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT017", "external-data-unusual-holder", "medium")


INITIALIZER = 5
"""Field number in GraphProto."""


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all."""
    if not context.external:
        return
    strings = context.strings
    frames = strings.frames_at(external.tensor.offset for external in context.external)
    unusual = []
    for external in context.external:
        frame = frames.get(external.tensor.offset)
        owner, number = strings.parent(frame) if frame is not None else (0, 0)
        is_initializer = strings.message(owner) == "GraphProto" and number == INITIALIZER
        stored = external.stored
        if not is_initializer or stored.in_function or stored.in_training:
            unusual.append(stored)
    if unusual:
        first = unusual[0].name or UNNAMED
        more = and_more(len(unusual) - 1, "tensor")
        message = f"{first} is no initializer and lies in an external data file{more}"
        yield about_tensors(RULE, context, unusual, message)
