"""Every rule a gate can find broken: one row each, documented as an audit's rules are."""

from __future__ import annotations

from graphcount.report.finding_rows import RuleInfo
from graphcount.report.rows import UNCOVERED

RULES: dict[str, RuleInfo] = {
    rule.id: rule
    for rule in (
        RuleInfo.of(
            "BUD001",
            "over-budget",
            "high",
            "A measure is beyond its limit",
            "Compares a measure of the model (parameters, bytes, MACs, memory, latency) with the"
            " maximum or minimum of a check. Says by how much it is beyond, and where most of it"
            " lies.",
            "A model that is too large or too slow for its place is otherwise noticed there.",
            "`--max parameters=26k` and a model of 26,926 parameters.",
            "Make the model smaller where the message says most of it lies, or raise the limit.",
        ),
        RuleInfo.of(
            "BUD002",
            "not-known",
            "high",
            "A measure or list with a limit is not known, or not exactly",
            "Reports a limit on what could not be counted: a dynamic dimension, a missing external"
            " data file, an operator without a formula, a damaged field, a benchmark or baseline"
            " that does not name the model.",
            "A lower bound below a limit proves nothing: a gate that passes what it does not"
            " understand is none.",
            "`--max macs=1G` and a model whose batch is dynamic.",
            "Give what is missing: sizes or ranges of dynamic dimensions with --dim, the external"
            " data file, the result of a benchmark; or remove the limit.",
        ),
        RuleInfo.of(
            "BUD003",
            "grew-too-much",
            "high",
            "A measure grew more than allowed since the baseline was written",
            "Compares a measure with that of the baseline, and the growth with `max_increase`: an"
            " amount or a percentage.",
            "Models grow by little steps, each below the limit.",
            "`--max-increase parameters=2%` and a model that has 3 % more than its baseline.",
            "Undo the growth, or accept it by writing the baseline again (--write-baseline).",
        ),
        RuleInfo.of(
            UNCOVERED,
            "not-covered",
            "high",
            "No check applies to a model that was named",
            "Reports a model that was given to a check while no `paths` of a configured check match"
            " it and no limit is given as an option. `uncovered` at the top of the configuration"
            " says whether that fails, warns or is ignored.",
            "A model in a new folder, or renamed, otherwise goes by its limits unseen.",
            '`paths = ["edge/*.onnx"]` and a commit that adds `server/large.onnx`.',
            "Add its path to a check, exclude it (`exclude` at the top), or change `uncovered`.",
        ),
        RuleInfo.of(
            "BUD010",
            "dtype-not-allowed",
            "high",
            "Stored tensors have an element type outside the allow list",
            "Reports tensors whose element type is not in the `dtypes` of a check.",
            "Weights that were meant to be quantized and are not take four times the room; a type"
            " that a device does not know runs slowly or not at all.",
            '`dtypes = ["int8", "float32"]` and a float64 weight.',
            "Convert these tensors, or add the type to `dtypes`.",
        ),
        RuleInfo.of(
            "BUD011",
            "operator-not-allowed",
            "high",
            "Nodes use an operator that is not allowed",
            "Reports nodes whose operator is not in the `operators` of a check, or is in its"
            " `forbidden_operators`; those in subgraphs and functions, too.",
            "Accelerators run the operators they know and leave the others to a slow path, or"
            " refuse the model.",
            '`forbidden_operators = ["Loop"]` and a decoder exported with a Loop.',
            "Export without this operator, or change `operators` or `forbidden_operators`.",
        ),
        RuleInfo.of(
            "BUD012",
            "domain-not-allowed",
            "high",
            "Nodes use a domain that is not allowed",
            "Reports nodes whose domain is not in the `domains` of a check.",
            "Operators outside ONNX's own domains need a library, which is code that the model"
            " brings along.",
            '`domains = ["ai.onnx"]` and a node of `com.microsoft`.',
            "Export with standard operators only, or add the domain to `domains`.",
        ),
        RuleInfo.of(
            "BUD013",
            "opset-out-of-range",
            "high",
            "The opset of the standard operators is outside the range",
            "Compares the version that the model imports for `ai.onnx` with the `opset` of a"
            " check.",
            "A runtime refuses opsets newer than its own, and converters lose what is older than"
            " they know.",
            "`opset = { max = 17 }` and a model of opset 18.",
            "Export for another opset, or change `opset`.",
        ),
        RuleInfo.of(
            "BUD014",
            "runtime-refuses",
            "high",
            "A runtime does not load the model",
            "Holds the versions, operators, types, shapes, attributes, names and external data of"
            " the model against what a release of a runtime knows: its newest IR version and"
            " opsets, its definitions of operators, and for which versions and types it has a"
            " kernel. Names the first node that is refused. The runtime need not be installed.",
            "A model that the runtime refuses is otherwise noticed where it is deployed: a new"
            " exporter writes an opset that an older runtime does not take.",
            "`--runtime onnxruntime:1.24` and a model of opset 26; a Tan of float64, for which the"
            " CPU has no kernel.",
            "Export for an older opset, convert the types or replace the operator that the message"
            " names, or deploy a release that has a kernel.",
        ),
    )
}
"""Rules by id."""
