"""A checksum of external data is wrong.

What it does:
    Computes the SHA-1 of each side file that states one (the key `checksum`, as onnx.proto defines
    it) and compares. Text that is no SHA-1 at all is medium. No runtime looks at this key.

Why it matters:
    The side file is not the one the model was saved with.

Example:
    `checksum` of a file whose last bytes were changed.

What to do:
    Get model and side files again, together.

References:
    onnx.proto, TensorProto.external_data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from graphcount.auditing.context import Context, External
from graphcount.auditing.grouping import external_findings, place
from graphcount.auditing.payload import CHUNK_NBYTES
from graphcount.auditing.rule import Rule
from graphcount.report.rows import Finding

RULE = Rule("EXT010", "external-data-checksum", "high", reads_payload=True)


def check(context: Context) -> Iterable[Finding]:
    """One finding for each file whose digest differs, one for what is no digest."""
    for tensors in context.side_files.values():
        stated = {}
        for external in tensors:
            text = (external.data.checksum or "").lower()
            if len(text) == 40 and text not in stated:
                stated[text] = external
        digest = _sha1(context, tensors[0]) if stated else None
        for text, external in stated.items():
            if digest is not None and text != digest:
                location = external.data.location
                yield RULE.finding(
                    f"{location} is not the file its checksum was made of",
                    {"location": location, **place(context, external.stored)},
                    expected=text,
                    found=digest,
                )
    yield from external_findings(RULE, context, notes=True, severity="medium")


def _sha1(context: Context, external: External) -> str | None:
    part = context.files.side(external.data)
    if part is None:
        return None
    digest = hashlib.sha1(usedforsecurity=False)
    for offset in range(0, part.nbytes, CHUNK_NBYTES):
        context.progress(f"reading {external.data.location}: {100 * offset // part.nbytes} %")
        digest.update(part.read(offset, CHUNK_NBYTES))
    return digest.hexdigest()
