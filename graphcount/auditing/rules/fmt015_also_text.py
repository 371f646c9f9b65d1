"""A binary model that begins as a text form does.

What it does:
    Reports a binary model whose first 4,096 bytes are text that begins as one of ONNX's text forms.

Why it matters:
    Tools that look at the content take such a file for text, onnx and onnxruntime for the binary
    model that it is: a reviewer sees one network, and another one runs.

Example:
    `model.onnx` that is ONNX text up to a NUL, and a model from there on.

What to do:
    Do not load it. No exporter makes such a file.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.loading.sniff import text_form
from graphcount.loading.text import NAMES
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT015", "also-text", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield a finding where the file begins as text."""
    form = text_form(context.strings.thin.data[:4096]) if context.file.format == "onnx" else None
    if form:
        yield RULE.finding(f"the model begins as {NAMES[form]} does", {}, looks_like=form)
