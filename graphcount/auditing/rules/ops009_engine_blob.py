"""Compiled engines, and operators that load files.

What it does:
    Reports nodes that carry a program compiled for an accelerator or name a file with one
    (EPContext, TensorRT engines and the like), and nodes of other domains with a path in an
    attribute. A path is high, a blob medium.

Why it matters:
    A compiled engine is native code that no tool can read here. A path in an attribute lets the
    model choose a file that the runtime opens.

Example:
    `com.microsoft::EPContext` with `embed_mode: 0` and `ep_cache_context: "../../engine.bin"`.

What to do:
    Compile the engine yourself from a model without it.

References:
    onnxruntime, "EP context design".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.loading.model import Attribute, Node
from graphcount.report.finding_rows import Finding

RULE = Rule("OPS009", "engine-blob", "medium")
ENGINES = frozenset(
    {
        *("EPContext", "TRTEngine", "TRTEngineOp", "TRT_EngineOp", "TensorRTEngine", "Snpe"),
        *("TvmModule", "TVMRuntime", "OpenVINOBlob", "RknnOp", "QnnContext", "VitisAIContext"),
    }
)
"""Policy: what carries a compiled engine, whatever its domain; most of them have no definition."""

FILE_ATTRIBUTE = re.compile(r"(^|_)(file|path|filename|filepath|library|dll|so)(_?name)?$", re.I)
PATH = re.compile(
    r"^~?[/\\]|^[A-Za-z]:[/\\]|\.\.[/\\]"  # absolute, on a drive, above
    r"|[^/\\\s]+[/\\][^/\\]+\.\w{1,8}$"  # folder/file.ext
    r"|\.(so|dll|dylib|bin|engine|plan|onnx)$"
)
LONGEST_PATH = 4096


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a node that names a file; one an operator for blobs."""
    blobs: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for use in context.uses:
        node = use.node
        if node.op_type in ENGINES:
            path = _engine_path(node)
            if not path:
                blobs.setdefault(use.key, []).append((use.place, _nbytes(node)))
        elif node.domain and not node.domain.startswith("ai.onnx.ml"):
            path = _named_path(node)
        else:
            continue
        if path:
            attribute, text = path
            yield RULE.finding(
                f"{node.domain or 'ai.onnx'}::{node.op_type} loads the file {text[:200]!r}",
                {"node": use.place, "attribute": attribute},
                severity="high",
                path=text[:LONGEST_PATH],
            )
    for (domain, op_type), carriers in blobs.items():
        nbytes = sum(size for _, size in carriers)
        yield RULE.finding(
            f"{domain or 'ai.onnx'}::{op_type} carries compiled code of {nbytes:,} bytes"
            f" ({len(carriers)} nodes)",
            {"node": carriers[0][0]},
            nodes=len(carriers),
            nbytes=nbytes,
        )


def _engine_path(node: Node) -> tuple[str, str] | None:
    """Return the file an engine node names: EPContext says by embed_mode that it is one."""
    if node.op_type == "EPContext" and node.integer("embed_mode", 1) == 0:
        return "ep_cache_context", node.text("ep_cache_context")
    return _named_path(node)


def _named_path(node: Node) -> tuple[str, str] | None:
    for attribute in node.attributes:
        text = _text(attribute)
        if text and FILE_ATTRIBUTE.search(attribute.name) and PATH.search(text):
            return attribute.name, text
    return None


def _text(attribute: Attribute) -> str:
    numbers = attribute.numbers
    if numbers is None or numbers.kind != "string" or not numbers.values:
        return ""
    first = numbers.values[0]
    if not isinstance(first, bytes) or len(first) > LONGEST_PATH:
        return ""
    return first.decode("utf-8", "backslashreplace")


def _nbytes(node: Node) -> int:
    total = 0
    for attribute in node.attributes:
        if attribute.numbers is not None and attribute.numbers.kind == "string":
            total += attribute.numbers.nbytes
        total += sum(
            payload.nbytes for tensor in attribute.tensors for payload in tensor.data_fields
        )
    return total
