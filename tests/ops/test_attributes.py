"""Checks of attributes against onnx's own defaults and choices, and by arithmetic."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

import onnx
import pytest
from onnx import defs, helper

from graphcount.loading.model import Node
from graphcount.ops import lookup, operators
from graphcount.ops.attributes import LARGEST_BLOCK, axis_within, permutes
from tests.ops.cost.conftest import make

CHECKED = {key for key, row in operators("").items() if row.attribute_check is not None}


def node(op_type: str, attributes: Mapping[str, Any]) -> Node:
    made: Node = make(op_type, [None], **attributes).node
    return made._replace(outputs=("y",))


@pytest.mark.parametrize("op_type", sorted(op_type for _, op_type in CHECKED))
def test_the_defaults_of_onnx_are_taken_in_every_version(op_type: str) -> None:
    record = lookup("", op_type)
    assert record is not None
    assert record.attribute_check is not None
    for schema in defs.get_all_schemas_with_history():
        if schema.name != op_type or schema.domain:
            continue
        defaults = {
            name: helper.get_attribute_value(attribute.default_value)
            for name, attribute in schema.attributes.items()
            if attribute.default_value.type != onnx.AttributeProto.UNDEFINED
        }
        plain = {k: v.decode() if isinstance(v, bytes) else v for k, v in defaults.items()}
        stated = {k: v for k, v in plain.items() if isinstance(v, int | float | str)}
        if (op_type, schema.since_version) == ("GRU", 1):
            assert stated.pop("direction") == "foward"  # corrected in version 3
        assert record.attribute_check(node(op_type, stated)) == "", schema.since_version


WORDS = [
    *(("Conv", "auto_pad"), ("MaxPool", "auto_pad"), ("LSTM", "direction"), ("Pad", "mode")),
    *(("DepthToSpace", "mode"), ("Resize", "mode"), ("ScatterElements", "reduction")),
    ("BitShift", "direction"),
]


@pytest.mark.parametrize(("op_type", "name"), WORDS)
def test_words_of_the_definition_are_taken_and_others_not(op_type: str, name: str) -> None:
    record = lookup("", op_type)
    assert record is not None
    check = record.attribute_check
    assert check is not None
    text = defs.get_schema(op_type).attributes[name].description
    named = set(re.findall(r"\w+", text))
    taken = {word for word in named if not check(node(op_type, {name: word}))}
    assert len(taken) > 1
    assert check(node(op_type, {name: "diagonal"})) == f"{name} is 'diagonal'"


def test_permutations_are_those_of_itertools() -> None:
    for perm in itertools.product(range(-1, 4), repeat=3):
        is_one = perm in set(itertools.permutations(range(3)))
        assert (permutes(node("Transpose", {"perm": list(perm)})) == "") == is_one


def test_the_largest_block_has_a_square_of_32_bits() -> None:
    assert LARGEST_BLOCK**2 < 2**31 <= (LARGEST_BLOCK + 1) ** 2


@pytest.mark.parametrize("beyond", [0, 1])
@pytest.mark.parametrize("rank", [0, 1, 3])
def test_an_axis_lies_within_the_rank(rank: int, beyond: int) -> None:
    check: Callable[[Any], str] = axis_within(beyond)
    for axis in range(-5, 6):
        within = -max(rank, 1) <= axis < max(rank + beyond, 1)
        call = make("Softmax", [(2,) * rank], axis=axis)
        assert (check(call) == "") == within, axis
    assert check(make("Softmax", [None], axis=9)) == ""
    assert check(make("Softmax", [(2,)])) == ""
