"""The file is larger than protobuf reads.

What it does:
    Compares the size of the model file with 2 GiB - 1. Such a file is counted here, since its
    tensor data is not read, but standard input and ONNX's text forms are read up to a size only (an
    error).

Why it matters:
    protobuf, and with it onnx and onnxruntime, refuse a message of 2 GiB or more: nobody can run
    the model.

Example:
    A 3 GB model with its weights inside.

What to do:
    Save it again with external data (`onnx.save(model, path, save_as_external_data=True)`).

References:
    protobuf.dev/programming-guides/proto-limits.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT004", "beyond-two-gigabytes", "high")


PROTOBUF_NBYTES = 2**31 - 1


def check(context: Context) -> Iterable[Finding]:
    """Yield a finding where the file is too large."""
    size = context.file.file_nbytes
    if context.file.format == "onnx" and size > PROTOBUF_NBYTES:
        yield RULE.finding(
            f"the file has {size:,} bytes; protobuf reads up to {PROTOBUF_NBYTES:,}",
            {},
            expected=PROTOBUF_NBYTES,
            found=size,
        )
