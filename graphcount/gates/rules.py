"""Every rule a gate can find broken: one row each."""

from __future__ import annotations

from graphcount.report.rows import RuleInfo

RULES: dict[str, RuleInfo] = {
    rule.id: rule
    for rule in (
        RuleInfo(
            "BUD001",
            "over-budget",
            "high",
            "A measure is beyond its limit.",
            "Make the model smaller where the message says most of it lies, or raise the limit.",
        ),
        RuleInfo(
            "BUD002",
            "not-known",
            "high",
            "A measure with a limit is not known, or not exactly.",
            "Give what is missing: sizes of free dimensions with --dim, the side file, the result"
            " of a benchmark; or remove the limit.",
        ),
        RuleInfo(
            "BUD003",
            "grew-too-much",
            "high",
            "A measure grew more than allowed since the baseline was written.",
            "Undo the growth, or accept it by writing the baseline again (--write-baseline).",
        ),
        RuleInfo(
            "BUD010",
            "dtype-not-allowed",
            "high",
            "Stored tensors have an element type outside the allow list.",
            "Convert these tensors, or add the type to `dtypes`.",
        ),
        RuleInfo(
            "BUD011",
            "operator-not-allowed",
            "high",
            "Nodes use an operator that is not allowed.",
            "Export without this operator, or change `operators` or `forbidden_operators`.",
        ),
        RuleInfo(
            "BUD012",
            "domain-not-allowed",
            "high",
            "Nodes use a domain that is not allowed.",
            "Export with standard operators only, or add the domain to `domains`.",
        ),
        RuleInfo(
            "BUD013",
            "opset-out-of-range",
            "high",
            "The opset of the standard operators is outside the range.",
            "Export for another opset, or change `opset`.",
        ),
    )
}
"""Rules by id."""
