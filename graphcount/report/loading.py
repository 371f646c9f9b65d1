"""Whether a runtime loads a model, in the words of verdicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

LoadState = Literal["loads", "refused", "not known"]

CAUSES = {
    "file": "no binary ONNX model, or larger than protobuf reads",
    "version": "an IR version or opset that is missing, or newer than it takes",
    "domain": "a domain that is not imported",
    "operator": "an operator that it does not know at this opset",
    "arguments": "inputs, outputs or attributes that the definition does not have, or lacks",
    "type": "types that the definition of an operator does not allow",
    "shape": "shapes that contradict each other",
    "kernel": "a node without a kernel for its version and its types",
    "unsupported": "attributes that the kernel refuses",
    "graph": "names, order or types of values",
    "data": "tensor data that are missing, of another size, or outside of the folder",
    "limit": "more than is looked at here",
}
"""Why a model is refused, or why that is not known."""


class Answer(NamedTuple):
    """Whether a runtime loads a model.

    Attributes:
        state: What is known.
        runtime: The table that decided: `onnxruntime:1.32.0/cpu`.
        cause: A key of `CAUSES`; empty when it loads.
        node: The node it is about; empty when it is about none.
        why: One sentence, without its point.
    """

    state: LoadState
    runtime: str
    cause: str = ""
    node: str = ""
    why: str = ""


Ask: TypeAlias = Callable[[str], Answer]
"""Returns whether the runtime of a name loads a model."""


def nobody(name: str) -> Answer:
    """Return that it is not known whether a runtime loads a model."""
    return Answer("not known", name, "limit", "", "it was not asked")
