"""The file carries training information.

What it does:
    Reports `training_info`: graphs that initialise and update weights, with the bytes of their
    tensors.

Why it matters:
    An inference model does not need it. Few tools look there, and runtimes that train run these
    graphs.

Example:
    A model with an `algorithm` graph and optimizer states of 400 MB.

What to do:
    Remove it for inference; look at its graphs before training with them.

References:
    onnx.proto, TrainingInfoProto.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("TRN001", "training-info", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield at most one finding."""
    graphs = context.proto.training_graphs
    if graphs:
        tensors = [row.stored for row in context.rows if row.stored.in_training]
        nodes = sum(len(graph.nodes) for graph in graphs)
        nbytes = sum(tensor.nbytes for tensor in tensors)
        yield RULE.finding(
            f"training_info holds {nodes} nodes and {len(tensors)} tensors of {nbytes:,} bytes",
            {"field": "training_info"},
            graphs=len(graphs),
            nodes=nodes,
            nbytes=nbytes,
        )
