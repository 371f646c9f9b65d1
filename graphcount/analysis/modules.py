"""Which module of the network a node belongs to, from what exporters leave in the file.

| trace | who leaves it |
|---|---|
| dotted name of a parameter the node owns (`features.0.weight`) | every torch exporter |
| metadata `pkg.torch.onnx.name_scopes` | torch.onnx with dynamo |
| node name `/encoder/layer.0/attention/MatMul` | torch.onnx, TorchScript |
| node name `model/dense/MatMul` | tf2onnx, Keras |
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphcount.analysis.names import is_dotted
from graphcount.loading.model import Node

SCOPES = "pkg.torch.onnx.name_scopes"

MAX_DEPTH = 32
"""Deeper paths are cut: a name is untrusted and every prefix of it becomes a row."""

MAX_LENGTH = 1024
"""Longer names are no module paths."""

_NO_STACK = "_empty_nn_module_stack"
"""What torch.export writes for nodes that its own passes inserted."""

_QUOTED = re.compile(r"'([^']*)'")
_TF_WRAPPERS = ("StatefulPartitionedCall", "PartitionedCall", "functional", "model")


class Modules:
    """Finds the module of nodes; paths are remembered, since neighbours share them."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {"": ""}

    def of(self, node: Node, owned: Sequence[str] = ()) -> str:
        """Dotted path of the module a node belongs to; empty when nothing tells.

        Args:
            node: The node.
            owned: Names of the parameters and buffers it owns.
        """
        for name in owned:
            if is_dotted(name):
                return _cut(name.rpartition(".")[0])
        if node.metadata:
            scopes = node.metadata.get(SCOPES)
            if scopes is not None:
                path = [part for part in _QUOTED.findall(scopes) if not part.startswith(_NO_STACK)]
                return _cut(path[-2]) if len(path) > 1 else ""
        if len(node.name) > 2 * MAX_LENGTH:
            return ""
        prefix = node.name.rpartition("/")[0]
        found = self._paths.get(prefix)
        if found is None:
            parts = _torchscript(prefix[1:]) if prefix[0] == "/" else _tensorflow(prefix)
            found = self._paths[prefix] = _cut(".".join(parts))
        return found


def _torchscript(prefix: str) -> list[str]:
    """`features/features.0` → `features.0`: children of a Sequential repeat its path."""
    parts: list[str] = []
    for part in prefix.split("/"):
        if parts and part.startswith(f"{parts[-1]}."):
            parts[-1] = part
        else:
            parts.append(part)
    return parts


def _tensorflow(prefix: str) -> list[str]:
    """`model_1/dense` → `dense`: the wrappers around a network are no modules of it."""
    parts = prefix.split("/")
    while parts and re.sub(r"_\d+$", "", parts[0]) in _TF_WRAPPERS:
        del parts[0]
    return parts


def _cut(path: str) -> str:
    """A path of bounded length and depth: names are untrusted."""
    if len(path) > MAX_LENGTH:
        return ""
    if path.count(".") < MAX_DEPTH:
        return path
    return ".".join(path.split(".", MAX_DEPTH)[:MAX_DEPTH])
