"""A few elements, made of the input past the weights, decide what comes out.

What it does:
    Looks for values of a few elements a sample that depend on a much wider input, on no layer that
    the model uses otherwise, and on stored numbers, a stored pattern or a fixed part of the input;
    and that meet what the layers made, or what they are given: in a sum, a product, a choice, an
    index, a size, a number of trips, a state. Prints the way from the input through the narrowest
    value and the meeting to the output. High where it is also seen what is put in place; medium
    where only the narrow way is.

Why it matters:
    That is how a backdoor in a graph works: a pattern in the input switches the answer. It needs no
    weights, survives fine-tuning and conversion, and no test without the pattern shows it.

Example:
    `Slice(image) -> Sub(patch) -> ReduceSumSquare -> Exp -> Mul([0, 0, 100]) -> Add(logits)`

What to do:
    Look at the way. A rule of the application (an age limit, an empty input) looks the same; the
    author has to say what it is for.

References:
    HiddenLayer, "ShadowLogic" (2024); arXiv 2511.00664. A heuristic, with its rates in
    docs/audit-rates.md: statistics that normalise an input, masks of positions, parameters that are
    inputs, and gates computed by the layers are left out by their structure. A trigger inside the
    weights is invisible, and so is a detector with a good share of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import shortened
from graphcount.auditing.rule import Rule
from graphcount.auditing.trigger import Trigger, find_triggers
from graphcount.report.finding_rows import Finding

RULE = Rule("BKD001", "input-trigger", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a trigger."""
    for trigger in find_triggers(context):
        path = shortened(trigger.path)
        yield RULE.finding(
            f"{_gate(trigger)} of input {trigger.input!r}{_compared(trigger)} decide at"
            f" {trigger.node} on output {trigger.outputs[0]!r}, {_past(trigger)}: {path}",
            {"node": trigger.node, "value": trigger.outputs[0], "gate": trigger.cut},
            severity="high" if trigger.target else "medium",
            outputs=list(trigger.outputs[:50]),
            path=list(trigger.path[:200]),
            joins=list(trigger.joins[:20]),
            gate_elements=trigger.width,
            compared=[repr(number) for number in trigger.compared],
            bypassed_parameters=trigger.bypassed,
            parameters=trigger.total,
        )


def _gate(trigger: Trigger) -> str:
    return f"{trigger.width} element(s) made"


def _compared(trigger: Trigger) -> str:
    compared = ", ".join(f"{number:g}" for number in trigger.compared[:4])
    return f" and stored numbers ({compared})" if compared else ""


def _past(trigger: Trigger) -> str:
    if not trigger.bypassed:
        return "before the weights"
    return f"past {trigger.bypassed:,} of {trigger.total:,} weights"
