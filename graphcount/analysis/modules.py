"""Which module a node belongs to: what exporters leave of it in names, and what follows from those.

| trace, the strongest first | who leaves it |
|---|---|
| dotted name of a parameter the node owns (`features.0.weight`) | torch's exporters, Paddle |
| metadata `pkg.torch.onnx.name_scopes` | torch.onnx with dynamo |
| node name `/encoder/layer.0/attention/MatMul` | torch.onnx, TorchScript, onnxruntime-genai |
| node name `model/dense/MatMul`; of several joined by `;` that of the operator | tf2onnx, Keras |
| name of an owned parameter `dense/kernel:0` | Keras |
| name of an owned parameter `conv1_weights`, when its layer has a product so | MXNet, Paddle |
| name of a value it makes: a path; `conv2d_0.tmp_1` of a layer with parameters | tf2onnx, Paddle |
| it multiplies by weights, and only the bias of one module is added to it | TorchScript |
| it adds a bias to such a product | TorchScript |
| all it reads is stored, and only one module reads it: constants and what is made of them | |
| it stands in the body of an operator that belongs to one | |

Where nothing tells, a node belongs to no module: being beside a module says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from graphcount.analysis.names import is_dotted, maker, original_name
from graphcount.graph import ModelGraph
from graphcount.loading.model import Node

SCOPES = "pkg.torch.onnx.name_scopes"

MAX_DEPTH = 32
"""Deeper paths are cut: a name is untrusted and every prefix of it becomes a row."""

MAX_LENGTH = 1024
"""Longer names are no module paths."""

_NO_STACK = "_empty_nn_module_stack"
"""What torch.export writes for nodes that its own passes inserted."""

_NUMBERED = re.compile(r"(p2o\..+|helper\.constant|auto\.cast)\.\d+\Z")
"""Dotted names that paddle2onnx makes up."""

_KERAS = re.compile(
    r"(?P<module>.+)/(kernel|bias(es)?|weights?|gamma|beta|alpha|embeddings|moving_mean"
    r"|moving_variance|(recurrent|depthwise|pointwise)_kernel)(/ReadVariableOp)?(:\d+)?(__\d+)?\Z"
)
_WORDS = frozenset(
    (
        *("weight", "weights", "kernel", "bias", "biases", "gamma", "beta"),
        *("scale", "offset", "mean", "var", "variance"),
    )
)
"""Ends of names of parameters, behind an underscore."""

_PRODUCTS = frozenset(("weight", "weights", "kernel"))
"""Words that only parameters of a layer have; two of the others say the same."""

_PADDLE_VALUE = re.compile(r"(?P<layer>\w+_\d+)\.tmp_\d+\Z")

_QUOTED = re.compile(r"'([^']*)'")
_WRAPPERS = ("StatefulPartitionedCall", "PartitionedCall", "functional", "model", "gpu", "cpu")
"""What stands around a whole network: calls of TensorFlow, a model of Keras, a device of Caffe2."""


class Modules:
    """Finds the module of nodes by names; remembers paths of parents, which neighbours share."""

    def __init__(self, owned: Iterable[Sequence[str]] = (), outputs: Collection[str] = ()) -> None:
        """Take the names that must be known together.

        Args:
            owned: Names of the parameters and buffers of every node.
            outputs: Outputs of the model: whoever named them did not mean a module.
        """
        self._parents: dict[str, tuple[str, str]] = {}
        self._owned = owned
        self._outputs = outputs
        self._known: frozenset[str] | None = None

    def of(self, node: Node, owned: Sequence[str] = ()) -> str:
        """Return the dotted path of the module a node belongs to; empty when nothing tells.

        Args:
            node: The node.
            owned: Names of the parameters and buffers it owns.
        """
        for name in owned:
            if is_dotted(name) and not _NUMBERED.match(name):
                return _cut(name.rpartition(".")[0])
        if node.metadata:
            scopes = node.metadata.get(SCOPES)
            if scopes is not None:
                path = [part for part in _QUOTED.findall(scopes) if not part.startswith(_NO_STACK)]
                return _cut(path[-2]) if len(path) > 1 else ""
        if "/" in node.name:
            module = self._path(node.name, node.op_type)
            if module:
                return module
        return (self._layer(owned) if owned else "") or self._made(node)

    def _path(self, name: str, op_type: str) -> str:
        """Return the module in a name that is a path, or in one of several that were joined."""
        if len(name) > 2 * MAX_LENGTH:
            return ""
        if ";" in name:
            name = _of_operator(name.split(";"), op_type)
        prefix = name.rpartition("/")[0]
        if not prefix:
            return ""
        return self._torchscript(prefix) if prefix[0] == "/" else _cut(_tensorflow(prefix))

    def _layer(self, owned: Sequence[str]) -> str:
        """Return the layer that names of parameters begin with."""
        for name in map(original_name, owned):
            match = _KERAS.match(name) if "/" in name else None
            if match:
                return _cut(_tensorflow(match["module"]))
            layer = _layer(name)[0]
            if layer and layer in self._layers():
                return _cut(layer)
        return ""

    def _made(self, node: Node) -> str:
        """Return the module that the name of a value gives away."""
        for name in node.outputs:
            if ("/" not in name and ".tmp_" not in name) or name in self._outputs:
                continue
            if "/" in name:
                return self._path(name, node.op_type)
            match = _PADDLE_VALUE.match(name)
            if match and match["layer"] in self._layers():
                return match["layer"]
        return ""

    def _layers(self) -> frozenset[str]:
        """Return layers that parameters are named after, worked out when somebody asks."""
        if self._known is None:
            words: dict[str, set[str]] = {}
            dotted = set()
            for name in (original_name(name) for names in self._owned for name in names):
                layer, word = _layer(name)
                if layer:
                    words.setdefault(layer, set()).add(word)
                elif is_dotted(name):
                    dotted.add(name.rpartition(".")[0])
            named = {layer for layer, of in words.items() if len(of) > 1 or of & _PRODUCTS}
            self._known = frozenset(named | dotted)
        return self._known

    def _torchscript(self, prefix: str) -> str:
        """Return `features.0` of `/features/features.0`: Sequential repeats the path."""
        parent, _, last = prefix.rpartition("/")
        if not parent:
            return _cut(last)
        above = self._parents.get(parent)
        if above is None:
            above = self._parents[parent] = _torchscript(parent[1:])
        head, before = above
        return _cut(head + last if last.startswith(before) else head + before + last)


def _torchscript(prefix: str) -> tuple[str, str]:
    """Return the path of a parent up to its last part, and this part, which a child may repeat.

    Each ends in a dot, as what follows it needs.
    """
    parts: list[str] = []
    for part in prefix.split("/"):
        if parts and part.startswith(f"{parts[-1]}."):
            parts[-1] = part
        else:
            parts.append(part)
    return "".join([f"{part}." for part in parts[:-1]]), f"{parts[-1]}."


def _tensorflow(prefix: str) -> str:
    """Return `dense` of `model_1/dense`: the wrappers around a network are no modules of it."""
    parts = prefix.split("/")
    while parts and re.sub(r"_\d+$", "", parts[0]) in _WRAPPERS:
        del parts[0]
    return ".".join(parts)


def _cut(path: str) -> str:
    """Return a path of bounded length and depth: names are untrusted."""
    if len(path) > MAX_LENGTH:
        return ""
    if path.count(".") < MAX_DEPTH:
        return path
    return ".".join(path.split(".", MAX_DEPTH)[:MAX_DEPTH])


def _of_operator(names: Sequence[str], op_type: str) -> str:
    """Return the name of an operator among those of what was joined with it (TensorFlow Lite)."""
    return next((name for name in names if op_type in name.rpartition("/")[2]), names[0])


def _layer(name: str) -> tuple[str, str]:
    """Return `conv1` and `weights` of `conv1_weights`; empty texts for other names."""
    layer, _, word = name.rpartition("_")
    if word not in _WORDS or len(name) > MAX_LENGTH or not _PLAIN.isdisjoint(name):
        return "", ""
    layer = layer.removesuffix("_running").removesuffix("_moving").rstrip("_")
    return (layer, word) if layer and maker(name) == "author" else ("", "")


_PLAIN = frozenset("./:")
"""Signs that a name of one word does not have."""


# ------------------------------------------------------------------- what follows from neighbours


class Owned(NamedTuple):
    """What is asked of the stored tensors of a node.

    Attributes:
        weighs: It owns parameters.
        biases: It owns a bias.
    """

    weighs: bool
    biases: bool


def spread(
    modules: Mapping[str, str], graph: ModelGraph, owned: Mapping[str, Owned]
) -> dict[str, str]:
    """Return modules of nodes that no name tells, where their neighbours leave one answer.

    Args:
        modules: Module of each operator, empty where no name tells it.
        graph: The graph.
        owned: What nodes own.
    """
    if not any(modules.values()):
        return {}
    missing = [
        node for node, module in modules.items() if not module and not _is_outermost(node, graph)
    ]
    more: dict[str, str] = {}
    stored: set[str] = set()
    for node in missing:
        module = _beside_bias(node, modules, graph, owned) or _around(node, modules, more, graph)
        if module:
            more[node] = module
        elif _is_stored(node, graph, stored):
            stored.add(node)
    for node in reversed(missing):
        if node in stored:
            readers = {
                more.get(reader) or modules.get(reader, "") for reader in graph.consumers(node)
            }
            if len(readers) == 1 and "" not in readers:
                more[node] = readers.pop()
    return more


def _beside_bias(
    node: str, modules: Mapping[str, str], graph: ModelGraph, owned: Mapping[str, Owned]
) -> str:
    """Return the module of a product by the bias added to it, or of the bias by the product."""
    own = owned.get(node)
    if own is None or not own.weighs:
        return ""
    if own.biases and not _multiplies(node, graph):
        products = [other for other in graph.producers(node) if _multiplies(other, graph)]
        is_one = len(products) == 1 and products[0] in owned
        return modules.get(products[0], "") if is_one and _is_only(products[0], graph) else ""
    readers = graph.consumers(node)
    if len(readers) != 1 or not _multiplies(node, graph) or not _is_only(node, graph):
        return ""
    reader = owned.get(readers[0])
    adds = reader is not None and reader.biases and not _multiplies(readers[0], graph)
    return modules.get(readers[0], "") if adds else ""


def _around(
    node: str, modules: Mapping[str, str], more: Mapping[str, str], graph: ModelGraph
) -> str:
    """Return the module of the operator in whose body a node stands."""
    body = graph.body_at.get(graph.nodes[node].scope)
    return "" if body is None else modules.get(body.node.id) or more.get(body.node.id, "")


def _is_outermost(node: str, graph: ModelGraph) -> bool:
    """Return whether an exporter says that a node stands outside all modules: `/Add`."""
    record = graph.nodes[node].record
    return record is not None and (record.name.startswith("/") or SCOPES in record.metadata)


def _multiplies(node: str, graph: ModelGraph) -> bool:
    operator = graph.nodes[node].operator
    return operator is not None and operator.multiplies


def _is_only(node: str, graph: ModelGraph) -> bool:
    """Return whether a value of a node is read once."""
    return len(graph.readers(node)) == 1


def _is_stored(node: str, graph: ModelGraph, stored: Collection[str]) -> bool:
    """Return whether all a node reads is stored, or made of what is stored."""
    return all(
        producer in stored or graph.nodes[producer].kind == "initializer"
        for producer in graph.producers(node)
    )
