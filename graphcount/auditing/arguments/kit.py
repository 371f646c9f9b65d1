"""Words that the checks of arguments share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from graphcount.ops.call import Call

Check: TypeAlias = "Callable[[Call], str]"

SHOWN = 16


def whole(values: Iterable[object] | None) -> tuple[int, ...] | None:
    """Numbers when all of them are known and none is a symbol."""
    if values is None:
        return None
    found = tuple(values)
    numbers = tuple(value for value in found if isinstance(value, int))
    return numbers if len(numbers) == len(found) else None


def given(call: Call, index: int, *attributes: str) -> tuple[int, ...] | None:
    """Numbers of an input, or of the attribute that older opsets have in its place."""
    if call.has(index):
        return whole(call.value(index))
    found = (call.node.integers(name) for name in attributes)
    return next((numbers for numbers in found if numbers is not None), None)


def shown(numbers: Sequence[object]) -> str:
    """Numbers for a message."""
    more = ", …" if len(numbers) > SHOWN else ""
    return "[" + ", ".join(str(number) for number in numbers[:SHOWN]) + more + "]"


def beyond(axes: Iterable[int], rank: int) -> str:
    """The first axis outside of a rank; a scalar counts as one dimension."""
    rank_or_one = max(rank, 1)
    bad = next((axis for axis in axes if not -rank_or_one <= axis < rank_or_one), None)
    return "" if bad is None else f"axis {bad} of {rank} dimensions"


def repeated(axes: Sequence[int], rank: int) -> str:
    """Whether an axis is named twice."""
    different = {axis % max(rank, 1) for axis in axes}
    return f"axes {shown(axes)} name one twice" if len(different) < len(axes) else ""
