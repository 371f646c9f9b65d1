"""What one forward pass of one node costs, as pure functions over shapes.

`cost` answers in three ways: a formula's numbers, zeros for an operator that is free by nature (its
rule is there on purpose), or None for an operator whose cost nobody described.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphcount.domains import canonical
from graphcount.ops import lookup
from graphcount.ops.call import Call
from graphcount.ops.formulas import Cost, CostRule, evaluate, sentence
from graphcount.ops.operator import Key

NO_RULES: Mapping[Key, CostRule] = {}


def rule(call: Call, more: Mapping[Key, CostRule] = NO_RULES) -> CostRule | None:
    """Return the rule of the operator of a call, or None when it is not known."""
    key = canonical(call.node.domain), call.node.op_type
    known = lookup(*key)
    return known.cost if known is not None and known.cost is not None else more.get(key)


def cost(call: Call, more: Mapping[Key, CostRule] = NO_RULES) -> Cost | None:
    """Return what one forward pass costs, by our rules and `more`; None: an unknown operator.

    Never raises: a number that needs a shape nobody knows, or one that makes no sense, is None.
    """
    formulas = rule(call, more)
    if formulas is None:
        return None
    return Cost(
        macs=evaluate(formulas.macs, call),
        elementwise=evaluate(formulas.elementwise, call),
        bias=evaluate(formulas.bias, call),
    )


def explain(call: Call, more: Mapping[Key, CostRule] = NO_RULES) -> str:
    """Return the formula in words with this node's numbers; empty where there is none to say."""
    formulas = rule(call, more)
    return "" if formulas is None else sentence(formulas, call)


def user_rules(operators: Mapping[str, Mapping[str, str]]) -> dict[Key, CostRule]:
    """Return rules from a user's formulas; see `graphcount.ops.user`.

    Raises:
        UsageError: A formula is for an operator the program knows, or is none.
    """
    from graphcount.ops.user import user_rules as read

    return read(operators, _has_cost)


def _has_cost(key: Key) -> bool:
    known = lookup(*key)
    return known is not None and known.cost is not None


__all__ = ["NO_RULES", "Cost", "CostRule", "cost", "explain", "user_rules"]
