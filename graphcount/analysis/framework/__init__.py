"""What the training framework counted, as far as the file proves it.

Exporters fold, merge, copy, cut and drop parameters; each module here reads one kind of trace.
`totals.parameters` is a fact about the file; this number is a conclusion about the model it came
from, so it always says how it was reached, and `exact` only when the file leaves no other answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import NamedTuple

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import (
    BLOCKED,
    Adjustment,
    Evidence,
    FrameworkCount,
)
from graphcount.analysis.values import Values
from graphcount.analysis.verdict import KNOWN_BY_NAME, ROWS_OF_TABLES
from graphcount.graph import ModelGraph
from graphcount.loading import ModelFile


class AdjustmentSource(NamedTuple):
    """One kind of trace.

    Attributes:
        module: The module that reads it, which is imported when there is something to read.
        function: The function there, from `Evidence` to `Adjustment`s.
        is_left: Whether a file may have this trace; cheap, and false for most files.
    """

    module: str
    function: str
    is_left: Callable[[Evidence], bool]

    def read(self, evidence: Evidence) -> Iterable[Adjustment]:
        """Return what this trace says; nothing where there is none."""
        if not self.is_left(evidence):
            return ()
        adjustments: Iterable[Adjustment] = getattr(import_module(self.module), self.function)(
            evidence
        )
        return adjustments


FOLDING = "graphcount.analysis.framework.folding"
COPIES = "graphcount.analysis.framework.copies"
TIES = "graphcount.analysis.framework.ties"
TABLES = "graphcount.analysis.framework.tables"
FILTERS = "graphcount.analysis.framework.filters"
CONVERTERS = "graphcount.analysis.framework.converters"

SOURCES: tuple[AdjustmentSource, ...] = (
    AdjustmentSource(CONVERTERS, "graph_inputs", lambda seen: seen.has_inputs),
    AdjustmentSource(FOLDING, "by_rewriter", lambda seen: seen.has_products),
    AdjustmentSource(FOLDING, "by_optimisers", lambda seen: seen.has_products),
    AdjustmentSource(FOLDING, "by_legacy_exporter", lambda seen: seen.has_products),
    AdjustmentSource(COPIES, "merged_tensors", lambda seen: "Identity" in seen.by_op_type),
    AdjustmentSource(TIES, "tied_tensors", lambda seen: seen.has_equal_sizes),
    AdjustmentSource(CONVERTERS, "blocked_weights", lambda seen: BLOCKED in seen.domains),
    AdjustmentSource(TABLES, "cut_tables", lambda seen: bool(seen.rules & ROWS_OF_TABLES)),
    AdjustmentSource(TABLES, "free_products", lambda seen: seen.has_generated_names),
    AdjustmentSource(FILTERS, "fixed_filters", lambda seen: seen.has_products),
    AdjustmentSource(FILTERS, "named_as_buffers", lambda seen: seen.has_weights),
    AdjustmentSource(TABLES, "named_operands", lambda seen: bool(seen.rules & KNOWN_BY_NAME)),
    AdjustmentSource(CONVERTERS, "zero_recurrent_bias", lambda seen: seen.is_recurrent),
    AdjustmentSource(CONVERTERS, "written_norms", lambda seen: "written-norm-factor" in seen.rules),
    AdjustmentSource(CONVERTERS, "binary_models", lambda seen: seen.is_linear_model),
)
"""Every trace in files without torch.export's signature; what they say adds up."""


def recover(
    model: ModelFile, model_graph: ModelGraph, rows: tuple[Row, ...], values: Values
) -> FrameworkCount:
    """Recover the framework's count from the traces exporters and optimisers leave."""
    evidence = Evidence(model, model_graph, rows, values)
    signature = evidence.signature
    if signature is not None and signature.parameters:
        from graphcount.analysis.framework.declared import count_declared

        count = count_declared(evidence, signature)
        if count is not None:
            return count
    return _adjusted(evidence, [made for source in SOURCES for made in source.read(evidence)])


def _adjusted(evidence: Evidence, adjustments: list[Adjustment]) -> FrameworkCount:
    """Return stored parameters plus what the evidence adds and takes away; never exact."""
    stored = sum(row.elements for row in evidence.parameters)
    certain = sum(adjustment.low for adjustment in adjustments if not adjustment.doubted)
    doubted = {key for adjustment in adjustments for key in adjustment.doubted}
    doubts = sum(row.elements for row in evidence.parameters if row.stored.key in doubted)
    low = max(0, stored + certain - doubts)
    best = max(low, stored + sum(adjustment.best for adjustment in adjustments))
    weighty = sorted(adjustments, key=lambda made: (-abs(made.best), made.low))
    sentences = [adjustment.sentence for adjustment in weighty]
    return FrameworkCount(best, False, low, None, (*sentences, *_blind_spots(evidence)))


def _blind_spots(evidence: Evidence) -> list[str]:
    """Return what no file of this kind can tell."""
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


__all__ = ["SOURCES", "FrameworkCount", "recover"]
