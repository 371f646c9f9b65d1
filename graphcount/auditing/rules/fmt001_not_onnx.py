"""The file is something else than an ONNX model.

What it does:
    Recognises what else was given a model's name: a Git LFS pointer, a pickle, a zip archive,
    safetensors, GGUF, HDF5, a picture, a web page, a lone TensorProto, an empty file. The program
    says what it looks like and exits with 2.

Why it matters:
    Nothing about such a file can be counted, and a tool that answers zero would let it pass every
    gate. A pickle runs code when it is loaded; it is not unpickled here.

Example:
    `model.onnx` that begins with `version https://git-lfs.github.com/spec/v1`.

What to do:
    Follow the message: `git lfs pull`, download again, or export the checkpoint to ONNX.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT001", "not-onnx", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield nothing: the error itself says it."""
    return ()
