"""Calls by hand: `call("Conv", [(1, 3, 8, 8), (16, 3, 3, 3)], [(1, 16, 6, 6)], group=1)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from graphcount.loading.model import Attribute, AttributeValues, Node
from graphcount.ops.call import Call, Shape, Value
from graphcount.ops.cost import Cost, cost


def _attribute(name: str, value: Any) -> Attribute:
    is_list = isinstance(value, list | tuple)
    values = list(value) if is_list else [value]
    kind = {int: "int", float: "float", str: "string"}[type(values[0]) if values else int]
    plain: Any = [one.encode() if isinstance(one, str) else one for one in values]
    return Attribute(name, 0, "", AttributeValues(kind, plain, 0, is_list), (), (), (), 0)


def make(
    op_type: str,
    inputs: Sequence[Shape | None],
    outputs: Sequence[Shape | None] = (),
    *,
    domain: str = "",
    values: Sequence[Value | None] = (),
    left_out: Sequence[int] = (),
    **attributes: Any,
) -> Call:
    """A call; every input is given unless it is `left_out`: its shape may be None all the same."""
    node = Node(
        op_type=op_type,
        domain=domain,
        name="n",
        inputs=tuple("" if i in left_out else f"i{i}" for i in range(len(inputs))),
        outputs=tuple(f"o{i}" for i in range(max(1, len(outputs)))),
        attributes=tuple(_attribute(name, value) for name, value in attributes.items()),
        overload="",
        metadata={},
        offset=0,
    )
    return Call(node, 23, tuple(inputs), tuple(values), (), tuple(outputs))


@pytest.fixture(scope="session")
def call() -> Callable[..., Call]:
    """Make a call of an operator."""
    return make


@pytest.fixture(scope="session")
def costs() -> Callable[..., Cost]:
    """The cost of a call made like `call` makes it."""

    def of(*args: Any, **keywords: Any) -> Cost:
        found = cost(make(*args, **keywords))
        assert found is not None
        return found

    return of
