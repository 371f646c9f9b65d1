"""What of a model is trained as a network is: the weights that have a gradient."""

from __future__ import annotations

from graphcount.report.records import Report

CLASSICAL = "ai.onnx.ml"
"""Domain of models that are fitted otherwise: trees, support vectors, scalers."""


def trained_parameters(report: Report) -> int:
    """Return the parameters of a model, but for those of ai.onnx.ml's operators."""
    return report.totals.parameters - sum(_fitted(report).values())


def not_trained(report: Report) -> str:
    """Say why there is nothing to train; empty when there is."""
    fitted = _fitted(report)
    if report.totals.parameters == 0:
        return "nothing is learned here: the file holds no parameters"
    if trained_parameters(report):
        return ""
    names = sorted(fitted, key=lambda name: (-fitted[name], name))
    others = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return (
        f"what is learned is that of {', '.join(names[:2])}{others} ({CLASSICAL}),"
        " not the weights of a network"
    )


def _fitted(report: Report) -> dict[str, int]:
    """Return parameters of ai.onnx.ml's operators, by operator."""
    nodes = {node.id: node.op_type for node in report.nodes if node.domain == CLASSICAL}
    sums: dict[str, int] = {}
    for tensor in report.tensors if nodes else ():
        name = nodes.get(tensor.owner or "")
        if tensor.kind == "parameter" and name is not None:
            sums[name] = sums.get(name, 0) + tensor.elements
    return sums
