"""Operators a file uses, as it stores them: each node once, with the opset it stands under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from graphcount.auditing.bodies import Body
from graphcount.domains import canonical
from graphcount.loading.model import ModelProto, Node

KNOWN_DOMAINS = frozenset(
    {
        *("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview"),
        *("ai.onnx.preview.training", "ai.onnx.contrib"),
        *("com.microsoft", "com.microsoft.nchwc", "com.microsoft.dml"),
        *("com.microsoft.experimental", "com.microsoft.extensions"),
    }
)
"""Domains of ONNX and of onnxruntime; those that begin with `com.ms.` are known too."""


class Use(NamedTuple):
    """One stored node that is no call of a local function.

    Attributes:
        node: The record.
        body: Where it stands.
        position: Its index there.
        opset: Version of its domain that holds there; None when it is not imported.
    """

    node: Node
    body: Body
    position: int
    opset: int | None

    @property
    def place(self) -> str:
        """Id of the node."""
        return self.body.place(self.position)

    @property
    def key(self) -> tuple[str, str]:
        """Domain and operator."""
        return self.node.domain, self.node.op_type


def uses(proto: ModelProto, bodies: Iterable[Body]) -> Iterator[Use]:
    """Every node that calls an operator, functions' bodies included."""
    functions = {(canonical(function.domain), *function.id[1:]) for function in proto.functions}
    main = opsets(proto.opset_imports)
    for body in bodies:
        imported = main if body.function is None else opsets(body.function.opset_imports)
        for index, node in enumerate(body.nodes):
            if functions and (node.domain, node.op_type, node.overload) in functions:
                continue
            yield Use(node, body, index, imported.get(node.domain))


def opsets(imports: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Imported version by domain; `ai.onnx` is the empty one, and the first entry holds."""
    found: dict[str, int] = {}
    for domain, version in imports:
        found.setdefault(canonical(domain), version)
    return found


def is_known(domain: str) -> bool:
    """Whether a domain is ONNX's or onnxruntime's."""
    return domain in KNOWN_DOMAINS or domain.startswith("com.ms.")
