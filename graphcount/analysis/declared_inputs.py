"""Parameters that are inputs of the graph: torch.onnx.export(export_params=False).

The legacy exporter then lists every parameter and buffer as a graph input under its own name, or,
when constant folding made it, as `onnx::Conv_38`, and stores none. They are counted as parameters
of the model with no bytes in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod

from graphcount.analysis.attribution import Attributed, Use
from graphcount.analysis.names import is_buffer
from graphcount.analysis.stored import Stored
from graphcount.analysis.verdict import Verdict
from graphcount.dtypes import dtype_name
from graphcount.graph import ModelGraph, Tables
from graphcount.loading.model import ValueInfo
from graphcount.ops import lookup

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
    """Static float inputs with a parameter's name that reach a weight's place."""
    graph = model_graph.tables
    inputs = [
        (node, data["value_info"])
        for node, data in graph.nodes.items()
        if data["kind"] == "input" and not data["scope"]
    ]
    for position, (node, info) in enumerate(inputs):
        if info.data_type not in FLOATS or not info.shape:
            continue
        dims = tuple(dim for dim in info.shape if isinstance(dim, int) and dim > 0)
        folded = FOLDED.match(info.name)
        # the exporter numbers the inputs first, so a folded tensor's number is past theirs
        named = NAME.match(info.name) or (folded and int(folded[1]) >= len(inputs))
        if not named or len(dims) != len(info.shape):
            continue
        use = _weight_use(graph, node)
        if use is not None:
            yield _row(info, dims, node, use, position)


def _row(
    info: ValueInfo, dims: tuple[int, ...], node: str, use: Use, position: int
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
        absent_nbytes=0,
        where="input",
        in_function=False,
        in_training=False,
        constant=False,
        tensor=None,
        sparse=None,
        numbers=None,
        external=None,
        problems=(),
    )
    buffer = use.role in STATISTICS or is_buffer(info.name)
    role = use.role or "operand"
    reason = f"graph input named like a {role}: the model was exported without its parameters"
    verdict = Verdict("buffer" if buffer else "parameter", role, reason)
    return Attributed(stored, (node,), (use,), live=True), verdict


def _weight_use(graph: Tables, node: str) -> Use | None:
    """Where a value is used as a weight, seen through operators that move numbers."""
    stack: list[tuple[str, tuple[str, ...]]] = [(node, ())]
    for _ in range(MAX_STEPS):
        if not stack:
            return None
        at, via = stack.pop()
        for consumer, keyed in graph.succ[at].items():
            data = graph.nodes[consumer]
            if data["kind"] != "operator":
                continue
            spec = lookup(data["domain"], data["op_type"])
            for edge in keyed.values():
                index = edge["index"]
                if spec is None or index is None:
                    continue
                role = spec.role(index)
                learned = role in WEIGHT_ROLES and (index > 0 or role == "embedding")
                if learned or role in STATISTICS:
                    return Use(consumer, index, role, via)
                if index in spec.passes or data["op_type"] == "Concat":
                    stack.append((consumer, (*via, data["op_type"])))
                elif data["op_type"] == "Add":
                    return Use(consumer, index, "bias", via)
    return None
