"""Parameters that are inputs of the graph: torch.onnx.export(export_params=False).

The legacy exporter then lists every parameter and buffer as a graph input under its own name, or,
when constant folding made it, as `onnx::Conv_38`, and stores none. They are counted as parameters
of the model with no bytes in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod

from graphcount.analysis.attribution import Attributed, TensorUse
from graphcount.analysis.names import is_buffer
from graphcount.analysis.stored import Stored
from graphcount.analysis.verdict import Verdict
from graphcount.dtypes import dtype_name
from graphcount.graph import ModelGraph
from graphcount.loading.model import ValueInfo

FLOATS = frozenset({1, 10, 11, 16})
NAME = re.compile(
    r"[^/:]{1,400}\.(weight|bias|weight_[ihr]{2}_l\d+(_reverse)?|bias_[ih]{2}_l\d+(_reverse)?"
    r"|in_proj_weight|in_proj_bias|gamma|beta|running_mean|running_var)\Z"
)
"""Names torch gives to parameters and buffers of its own modules."""

FOLDED = re.compile(r"onnx::\w+_(\d{1,12})\Z")
"""Names the legacy exporter gives to what constant folding made."""

WEIGHT_ROLES = frozenset({"weight", "bias", "scale", "slope", "embedding", "recurrent weight"})
STATISTICS = frozenset({"running mean", "running variance"})
MAX_STEPS = 64


def declared_inputs(model_graph: ModelGraph) -> Iterator[tuple[Attributed, Verdict]]:
    """Yield static float inputs with a parameter's name that reach a weight's place."""
    inputs = model_graph.inputs
    ways = _Ways(model_graph)
    for position, node in enumerate(inputs):
        info = node.info
        if info.data_type not in FLOATS or not info.shape:
            continue
        dims = tuple(dim for dim in info.shape if isinstance(dim, int) and dim > 0)
        folded = FOLDED.match(info.name)
        # the exporter numbers the inputs first, so a folded tensor's number is past theirs
        named = NAME.match(info.name) or (folded and int(folded[1]) >= len(inputs))
        if not named or len(dims) != len(info.shape):
            continue
        use = ways.weight_use(node.id)
        if use is not None:
            yield _row(info, dims, node.id, use, position)


def _row(
    info: ValueInfo, dims: tuple[int, ...], node: str, use: TensorUse, position: int
) -> tuple[Attributed, Verdict]:
    stored = Stored(
        key=-1 - position,
        name=info.name,
        dtype=dtype_name(info.data_type),
        shape=dims,
        elements=prod(dims),
        stored_elements=0,
        nbytes=0,
        in_file_nbytes=0,
        referenced_nbytes=0,
        absent_nbytes=0,
        where="input",
        in_function=False,
        in_training=False,
        constant=False,
        tensor=None,
        sparse=None,
        numbers=None,
        externals=(),
        problems=(),
    )
    buffer = use.role in STATISTICS or is_buffer(info.name)
    role = use.role or "operand"
    reason = f"graph input named like a {role}: the model was exported without its parameters"
    verdict = Verdict("buffer" if buffer else "parameter", role, reason, "declared-input")
    return Attributed(stored, (node,), (use,), live=True), verdict


class _Ways:
    """Where values go through operators that move them; a node's readers are kept."""

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self._known: dict[str, TensorUse | tuple[str, ...]] = {}

    def weight_use(self, node: str) -> TensorUse | None:
        """Return where a value is used as a weight."""
        stack: list[tuple[str, tuple[str, ...]]] = [(node, ())]
        for _ in range(MAX_STEPS):
            if not stack:
                return None
            at, via = stack.pop()
            if at not in self._known:
                self._known[at] = self.readers(at)
            readers = self._known[at]
            if isinstance(readers, TensorUse):
                return readers._replace(via=via)
            op_types = (self.graph.nodes[reader].op_type for reader in readers)
            stack += zip(readers, ((*via, op_type) for op_type in op_types), strict=True)
        return None

    def readers(self, node: str) -> TensorUse | tuple[str, ...]:
        """Return the first reader that takes a value as a weight, else the last that pass it on."""
        passing: list[str] = []
        for edge in self.graph.readers(node):
            reader, index = self.graph.nodes[edge.node], edge.index
            operator = reader.operator
            if operator is None or index is None:
                continue
            role = operator.role(index)
            learned = role in WEIGHT_ROLES and (index > 0 or role == "embedding")
            if learned or role in STATISTICS:
                return TensorUse(reader.id, index, role, ())
            if index in operator.passes or reader.op_type == "Concat":
                passing.append(reader.id)
            elif reader.op_type == "Add":
                return TensorUse(reader.id, index, "bias", ())
        return tuple(passing[-MAX_STEPS:])
