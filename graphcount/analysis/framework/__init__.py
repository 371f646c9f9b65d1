"""What the training framework counted, as far as the file proves it.

Exporters fold, merge, copy, cut and drop parameters; each module here reads one kind of trace.
`totals.parameters` is a fact about the file; this number is a conclusion about the model it came
from, so it always says how it was reached, and `exact` only when the file leaves no other answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from graphcount.analysis.counts import Row
from graphcount.analysis.framework import (
    aliases,
    copies,
    folding,
    keras,
    packed,
    sklearn,
    tables,
    unstored,
)
from graphcount.analysis.framework.declared import size_declared
from graphcount.analysis.framework.evidence import Adjustment, Evidence, listed
from graphcount.analysis.framework.sizes import Sizes
from graphcount.analysis.signature import Signature
from graphcount.analysis.values import Values
from graphcount.graph import ModelGraph
from graphcount.loading import ModelFile


class FrameworkCount(NamedTuple):
    """The training framework's number of parameters.

    Attributes:
        parameters: Best single number; None when only a range is known.
        exact: The file proves it.
        low: Least it can be; None when nothing is known.
        high: Most it can be; None: no upper bound is known.
        evidence: One sentence for each fact.
    """

    parameters: int | None
    exact: bool
    low: int | None
    high: int | None
    evidence: tuple[str, ...]


AdjustmentSource = Callable[[Evidence], Iterable[Adjustment]]

SOURCES: tuple[AdjustmentSource, ...] = (
    unstored.graph_inputs,
    folding.by_rewriter,
    folding.by_optimisers,
    folding.by_legacy_exporter,
    aliases.merged_tensors,
    copies.tied_tables,
    packed.blocked_weights,
    tables.cut_tables,
    tables.free_products,
    tables.named_operands,
    keras.zero_recurrent_bias,
    keras.written_norms,
    sklearn.binary_models,
)
"""Every source of evidence for files without torch.export's signature; their findings add up."""


def recover(
    model: ModelFile, model_graph: ModelGraph, rows: tuple[Row, ...], values: Values
) -> FrameworkCount:
    """Recover the framework's count from the traces exporters and optimisers leave."""
    evidence = Evidence(model, model_graph, rows, values)
    signature = evidence.signature
    if signature is not None and signature.parameters:
        sizes = size_declared(evidence, signature)
        if sizes.proven or sizes.inferred:
            return _declared(sizes, signature, evidence)
    found = [adjustment for source in SOURCES for adjustment in source(evidence)]
    return _adjusted(evidence, found)


def _adjusted(evidence: Evidence, found: list[Adjustment]) -> FrameworkCount:
    """Stored parameters plus what the evidence adds and takes away; never exact."""
    stored = sum(row.elements for row in evidence.parameters)
    low = max(0, stored + sum(adjustment.low for adjustment in found))
    best: int | None = stored
    for adjustment in found:
        known = best is not None and adjustment.best is not None
        best = best + adjustment.best if known else None  # type: ignore[operator]
    sentences = [adjustment.sentence for adjustment in found]
    return FrameworkCount(best, False, low, None, (*sentences, *_blind_spots(evidence)))


def _blind_spots(evidence: Evidence) -> list[str]:
    """What no file of this kind can tell."""
    if evidence.signature is not None:
        return ["The names torch.export declared are no longer those of the tensors."]
    if evidence.is_dynamo:
        return [
            "torch.export's list of parameters is lost (below opset 18, or by an optimiser), so"
            " those that forward does not use leave no trace."
        ]
    if evidence.producer == "pytorch":
        return [
            "The legacy exporter leaves no trace of parameters that forward does not use, and"
            " optimisers remove torch.export's list of them."
        ]
    return ["A file without torch.export's list of parameters cannot show those never used."]


def _declared(sizes: Sizes, signature: Signature, evidence: Evidence) -> FrameworkCount:
    """The sum over torch.export's list."""
    missing = sizes.missing(signature)
    low = sum(sizes.proven.values())
    best = low + sum(sizes.inferred.values())
    settled = not (missing or sizes.inferred or sizes.likely_ties)
    exact = settled and not sizes.doubts
    sentences = [f"torch.export declared {len(signature.parameters)} parameters by name."]
    gone = [name for name in sizes.proven if name not in evidence.by_name]
    if gone:
        names = listed(gone)
        sentences.append(f"Not stored under their own names (folded or merged): {names}.")
    for name, other in (*sizes.ties.items(), *sizes.likely_ties.items()):
        sentences.append(f"{name[:120]} shares the tensor of {other[:120]}.")
    if sizes.inferred:
        names = listed(list(sizes.inferred))
        sentences.append(f"Sizes inferred from neighbouring tensors: {names}.")
    if missing:
        names = listed(missing)
        sentences.append(f"{len(missing)} declared parameters have no size in the file: {names}.")
    sentences.extend(sizes.doubts)
    return FrameworkCount(
        None if missing else best,
        exact,
        low,
        low if exact else None,
        tuple(sentences),
    )


__all__ = ["SOURCES", "FrameworkCount", "recover"]
