"""What one forward pass of one node costs, as pure functions over shapes: one table a family.

`cost` answers in three ways: a formula's numbers, zeros for an operator that is free by nature
(`free` lists them on purpose), or None for an operator nobody described.
"""

from __future__ import annotations

from graphcount.ops.call import Call
from graphcount.ops.cost import (
    attention,
    contrib,
    conv,
    elementwise,
    free,
    linear,
    ml,
    norm,
    pool,
    quant,
    recurrent,
)
from graphcount.ops.cost.spec import Cost, Rule, evaluate, sentence
from graphcount.ops.tables import merge

RULES = merge(
    module.TABLE
    for module in (
        linear,
        conv,
        recurrent,
        attention,
        elementwise,
        norm,
        pool,
        quant,
        contrib,
        ml,
        free,
    )
)
"""Every operator whose cost is known, by (domain, op_type); the default domain is empty."""


def rule(call: Call) -> Rule | None:
    """The rule of the operator of a call, or None when it is not known."""
    domain = "" if call.node.domain == "ai.onnx" else call.node.domain
    return RULES.get((domain, call.node.op_type))


def cost(call: Call) -> Cost | None:
    """What one forward pass costs; None: an unknown operator.

    Never raises: a number that needs a shape nobody knows, or one that makes no sense, is None.
    """
    found = rule(call)
    if found is None:
        return None
    return Cost(
        macs=evaluate(found.macs, call),
        elementwise=evaluate(found.elementwise, call),
        bias=evaluate(found.bias, call),
    )


def explain(call: Call) -> str:
    """The formula in words with this node's numbers; empty where there is nothing to say."""
    found = rule(call)
    return "" if found is None else sentence(found, call)


__all__ = ["RULES", "Cost", "cost", "explain"]
