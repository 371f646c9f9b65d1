"""A program or archive is appended to the model.

What it does:
    Looks at unknown fields of the model itself and says which hold a program, an archive, a pickle
    or a script, at any place of their first 64 MiB.

Why it matters:
    Bytes appended as an unknown field travel with a model that still loads and runs. It is how a
    model carries a second file.

Example:
    A zip archive behind the graph, as field 2000 of ModelProto.

What to do:
    Do not load the model. Cut the field out and look at it apart from everything else.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.magic import identify
from graphcount.auditing.rule import Rule
from graphcount.auditing.signs import within
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT006", "appended-payload", "high")

SEARCHED_NBYTES = 1 << 26
"""So many bytes of a field are searched."""


def check(context: Context) -> Iterable[Finding]:
    """Yield fields of the model itself; HID001 looks everywhere else."""
    for field in context.strings.unknown:
        content = context.files.field(field) if field.frame == 0 else None
        kind = identify(content) if content else None
        seen = within(content.read(0, SEARCHED_NBYTES)) if content and not kind else None
        if kind or seen:
            what = f"begins as {kind}" if seen is None else f"holds {seen.kind}"
            kind = kind or (seen.kind if seen else None)
            yield RULE.finding(
                f"unknown field {field.number} of the model {what}, {field.nbytes:,} bytes",
                {"field": field.number, "offset": field.offset},
                nbytes=field.nbytes,
                looks_like=kind,
            )
