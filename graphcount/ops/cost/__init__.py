"""What one forward pass of one node costs, as pure functions over shapes: one table a family.

`cost` answers in three ways: a formula's numbers, zeros for an operator that is free by nature
(`free` lists them on purpose), or None for an operator nobody described.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphcount.domains import canonical
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
from graphcount.ops.tables import Key, merge

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


NO_RULES: Mapping[Key, Rule] = {}


def rule(call: Call, more: Mapping[Key, Rule] = NO_RULES) -> Rule | None:
    """The rule of the operator of a call, or None when it is not known."""
    domain = canonical(call.node.domain)
    key = domain, call.node.op_type
    return RULES.get(key) or more.get(key)


def cost(call: Call, more: Mapping[Key, Rule] = NO_RULES) -> Cost | None:
    """What one forward pass costs, by our rules and `more`; None: an unknown operator.

    Never raises: a number that needs a shape nobody knows, or one that makes no sense, is None.
    """
    found = rule(call, more)
    if found is None:
        return None
    return Cost(
        macs=evaluate(found.macs, call),
        elementwise=evaluate(found.elementwise, call),
        bias=evaluate(found.bias, call),
    )


def explain(call: Call, more: Mapping[Key, Rule] = NO_RULES) -> str:
    """The formula in words with this node's numbers; empty where there is nothing to say."""
    found = rule(call, more)
    return "" if found is None else sentence(found, call)


def user_rules(operators: Mapping[str, Mapping[str, str]]) -> dict[Key, Rule]:
    """Rules from a user's formulas; see `graphcount.ops.cost.user`.

    Raises:
        UsageError: A formula is for an operator the program knows, or is none.
    """
    from graphcount.ops.cost.user import user_rules as read

    return read(operators, RULES)


__all__ = ["NO_RULES", "RULES", "Cost", "Rule", "cost", "explain", "user_rules"]
