"""Where the numbers of single nodes come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

from graphcount.api.arguments import several
from graphcount.api.model import CountOptions, load
from graphcount.loading.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from graphcount.api.arguments import ModelLike
    from graphcount.report.explanation import Explained


def explain(
    path: ModelLike,
    nodes: Sequence[str] = (),
    *,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> Explained:
    """Explain nodes: what goes in and out, what they own, and the formulas of their numbers.

    Args:
        path: The model, as `load` takes it.
        nodes: What tables show: ids and names of nodes, modules, operators, tensors; or a part of a
            name that only one node has. Empty for every node that owns parameters or has MACs.
        limits: What the file may ask of us.
        options: How the model is counted, with its cost unless `cost=False`, and at assumed sizes,
            too, unless `assume=False`; see `CountOptions`.

    Returns:
        The report, and for each node its inputs, outputs, tensors and formula.

    Raises:
        GraphcountError: The model cannot be read, or a name fits nothing, or several nodes.
    """
    from graphcount.analysis.explanation import explain as explained

    if options.get("cost") is None:
        options["cost"] = True
    options["assume"] = options.get("assume", True)
    model = load(path, limits=limits)
    report = model.report(**options)
    return explained(report, model.model_graph, several(nodes))
