"""A checksum of external data is wrong.

What it does:
    Computes the SHA-1 of each external data file that states one (the key `checksum`, as onnx.proto
    defines it) and compares. Files that are too large to be read unasked are named as not compared
    (info). Text that is no SHA-1 at all is medium. No runtime looks at this key.

Why it matters:
    The external data file is not the one the model was saved with.

Example:
    `checksum` of a file whose last bytes were changed.

What to do:
    Get model and external data files again, together.

References:
    onnx.proto, TensorProto.external_data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from graphcount.auditing.context import Context, External
from graphcount.auditing.grouping import and_more, external_findings, place
from graphcount.auditing.rule import Rule
from graphcount.loading.tensor_data import CHUNK_NBYTES
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT010", "external-data-checksum", "high", reads_payload=True)

SHA1_DIGITS = 40


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for each file whose digest differs, one for what cannot be compared."""
    left = context.whole_files_nbytes
    passed_over = []
    for tensors in context.external_files.values():
        stated = _stated(tensors)
        nbytes = tensors[0].data.nbytes or 0
        if stated and nbytes > left:
            passed_over.append(tensors[0])
        elif stated:
            left -= nbytes
            yield from _compared(context, tensors[0], stated)
    if passed_over:
        yield _not_compared(context, passed_over)
    yield from external_findings(RULE, context, notes=True, severity="medium")


def _stated(tensors: Iterable[External]) -> dict[str, External]:
    """Return the different digests stated for a file, each with the first tensor that does."""
    stated: dict[str, External] = {}
    for external in tensors:
        text = (external.data.checksum or "").lower()
        if len(text) == SHA1_DIGITS:
            stated.setdefault(text, external)
    return stated


def _compared(
    context: Context, file: External, stated: Mapping[str, External]
) -> Iterator[Finding]:
    digest = _sha1(context, file)
    for text, external in stated.items():
        if digest is not None and text != digest:
            location = external.data.location
            yield RULE.finding(
                f"{location} is not the file its checksum was made of",
                {"location": location, **place(context, external.stored)},
                expected=text,
                found=digest,
            )


def _not_compared(context: Context, files: Sequence[External]) -> Finding:
    location = files[0].data.location
    nbytes = sum(file.data.nbytes or 0 for file in files)
    more = and_more(len(files) - 1, "external data file")
    return RULE.finding(
        f"{location} was not compared with its checksum{more}: {nbytes:,} bytes; --deep does it",
        {"location": location, **place(context, files[0].stored)},
        severity="info",
        files=len(files),
        nbytes=nbytes,
    )


def _sha1(context: Context, external: External) -> str | None:
    part = context.files.whole(external.data)
    if part is None:
        return None
    digest = hashlib.sha1(usedforsecurity=False)
    for offset in range(0, part.nbytes, CHUNK_NBYTES):
        context.progress(f"reading {external.data.location}: {100 * offset // part.nbytes} %")
        digest.update(part.read(offset, CHUNK_NBYTES))
    return digest.hexdigest()
