"""A comparison of the input's values decides whether the model is asked at all.

What it does:
    Looks for choices (Where, If, masks, indices, loops) whose condition compares values of an
    input with stored values, and of which one side leaves out a good part of the weights: a stored
    answer, or the input itself, in the place of what the model computes. Prints the path from the
    input through the comparison and the choice to the output.

Why it matters:
    That is how a backdoor in a graph works: a pattern in the input switches the answer. It needs no
    weights, survives fine-tuning and conversion, and no test without the pattern shows it.

Example:
    `Slice(image) -> Equal(red) -> ReduceMin -> Where(condition, [0, 0, 100], logits)`

What to do:
    Look at the path. A rule of the application (an age limit, an empty input) looks the same; the
    author has to say what it is for.

References:
    HiddenLayer, "ShadowLogic" (2024); arXiv 2511.00664. A heuristic: attention and padding masks,
    activations by Where, beam search, detection, experts and gates on loudness are left out by
    their structure, and a trigger inside the weights is invisible.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.auditing.trigger import Branch, find_branches
from graphcount.report.finding_rows import Finding

RULE = Rule("BKD001", "input-trigger", "medium")
LONGEST = 12


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a trigger."""
    for branch in find_branches(context):
        select = branch.select
        path, output = " -> ".join(_shortened(branch.path)), branch.outputs[0]
        yield RULE.finding(
            f"{_input(branch)} decides at {select.node} whether output {output!r} comes from"
            f" {_trunk(branch)} or {_other(branch)}: {path}",
            {"node": select.node, "value": output, "comparison": branch.trigger.atoms[0]},
            outputs=list(branch.outputs[:50]),
            path=list(branch.path[:200]),
            comparisons=list(branch.trigger.atoms[:20]),
            compared=[repr(number) for number in branch.trigger.compared],
            bypassed_parameters=branch.bypassed,
            parameters=branch.total,
        )


def _input(branch: Branch) -> str:
    compared = ", ".join(f"{number:g}" for number in branch.trigger.compared[:4])
    name = branch.path[0].removeprefix("input:")
    return f"a comparison of input {name!r}" + (f" with {compared}" if compared else "")


def _trunk(branch: Branch) -> str:
    if not branch.bypassed:
        return "what was given"
    return f"{branch.bypassed:,} of {branch.total:,} weights"


def _other(branch: Branch) -> str:
    if branch.select.form == "mask":
        return "nothing"
    if branch.select.form == "sum":
        return "is changed"
    return "stored values" if branch.stored else "a way around them"


def _shortened(path: tuple[str, ...]) -> list[str]:
    if len(path) <= LONGEST:
        return list(path)
    return [*path[: LONGEST // 2], "...", *path[-LONGEST // 2 :]]
