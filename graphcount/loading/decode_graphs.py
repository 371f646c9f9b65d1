"""Thin bytes → records, second part: attributes, nodes and graphs.

Messages that occur once or rarely are read by `GraphDecoder.message`, field by field into lists.
Nodes, attributes and tensors outnumber all others of a model: their usual fields are read in loops
of their own.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from graphcount.domains import canonical
from graphcount.loading.decode_leaves import KEPT_NOTES, LeafDecoder, last
from graphcount.loading.messages import ENUMS, LEN, tag
from graphcount.loading.model import (
    UNSTATED,
    Attribute,
    Graph,
    Mistyped,
    Node,
    SparseTensor,
    Tensor,
)
from graphcount.loading.packed_lists import LONG_NBYTES, FieldValues, add_run, numbers_held
from graphcount.loading.wire import fields, in_bulk, int32, signed, too_deep

_INPUT, _OUTPUT, _NAME, _OP_TYPE, _ATTRIBUTE, _DOMAIN = (
    tag("NodeProto", name) for name in ("input", "output", "name", "op_type", "attribute", "domain")
)
_NAME_TAGS = frozenset({_INPUT, _OUTPUT, _NAME})
_NODE_TAGS = _NAME_TAGS | {_OP_TYPE, _ATTRIBUTE, _DOMAIN}
"""The fields that nearly every node is made of."""

_ATTRIBUTE_NAME, _ATTRIBUTE_TYPE = tag("AttributeProto", "name"), tag("AttributeProto", "type")
_TYPES = ENUMS["AttributeProto.AttributeType"]
_MEMBERS = ("", "f", "i", "s", "t", "g", "floats", "ints", "strings", "tensors", "graphs")
MEMBERS = (*_MEMBERS, "sparse_tensor", "sparse_tensors", "tp", "type_protos")
"""Field of AttributeProto that holds the value, by AttributeProto.AttributeType."""

_INTS = tag("AttributeProto", "ints")
_PACKED_INTS = _INTS | LEN


class FieldStep(NamedTuple):
    """What to do with a field.

    Attributes:
        slot: Where its values are collected: the name of the field.
        read: Reads one value; None for what nobody needs.
        once: A second one is noted: readers differ in what they make of it.
    """

    slot: str
    read: Callable[..., object] | None
    once: bool = False


class GraphDecoder(LeafDecoder):
    """Reads attributes, nodes and graphs.

    Attributes:
        steps: What to do with each field, by message and tag.
    """

    steps: Mapping[str, Mapping[int, FieldStep]] = MappingProxyType({})

    def message(self, name: str, a: int, b: int) -> FieldValues:
        """Return what the fields of the message at data[a:b] hold."""
        values: FieldValues = {}
        steps = self.steps[name]
        for tag_, x, y in fields(self.data, a, b):
            step = steps.get(tag_)
            if step is None:
                self.skip(name, tag_, x, y)
                continue
            slot, read, once = step
            if read is None:
                continue
            if slot not in values:
                values[slot] = []
            elif once:
                self.again(name, slot, x)
            values[slot].append(read(self, x, y))
        return values

    def field(self, message: str, tag_: int, x: int, y: int, values: FieldValues) -> None:
        """Add what one field holds, for messages whose usual fields are read in place."""
        step = self.steps[message].get(tag_)
        if step is None:
            self.skip(message, tag_, x, y)
        elif step.read is not None:
            values.setdefault(step.slot, []).append(step.read(self, x, y))

    # --------------------------------------------------------------------------- attributes

    def attribute(self, a: int, b: int) -> Attribute:
        """Return an AttributeProto."""
        name, kind = "", 0
        self.budget.spend("AttributeProto", a)
        integers: list[int] = []
        values: FieldValues = {}
        steps = self.steps["AttributeProto"]
        offset = self.thin.origin(a)
        each = fields(self.data, a, b)
        if in_bulk(b - a, LONG_NBYTES) or offset in self.thin.lists:
            from graphcount.loading.lists import long_fields

            add = partial(add_run, values, integers)
            each = long_fields(self.data, a, b, self.thin.lists.get(offset, ()), add)
        for tag_, x, y in each:
            if tag_ == _ATTRIBUTE_NAME:
                name = self.word(x, y)
            elif tag_ == _ATTRIBUTE_TYPE:
                if x < _TYPES or 0 <= int32(x) < _TYPES:
                    kind = int32(x)
                else:
                    self.skip("AttributeProto", tag_, x, y)
            elif tag_ == _INTS:
                integers.append(signed(x))
            elif tag_ == _PACKED_INTS:
                integers += self.integers(x, y)
            elif (step := steps.get(tag_)) is None:
                self.skip("AttributeProto", tag_, x, y)
            elif (read := step.read) is not None:
                slot = step.slot
                if slot in values:
                    if step.once:
                        self.again("AttributeProto", slot, x)
                    values[slot].append(read(self, x, y))
                else:
                    values[slot] = [read(self, x, y)]
        if "ints" in values:
            add_run(values, integers, "ints", array("b"))
        elif integers:
            values["ints"] = [integers]
        reference = values.pop("ref_attr_name", [""])[-1]
        slot = MEMBERS[kind]
        if len(values) > 1 or (values and slot not in values):
            slot = self.mistyped(Mistyped(name, kind, tuple(sorted(values)), offset))
        numbers = numbers_held(values, slot)
        if numbers is None and not reference:
            numbers = UNSTATED.get(kind)
        get = values.get
        return Attribute(
            name,
            kind,
            reference,
            numbers,
            (*get("t", ()), *get("tensors", ())),
            (*get("sparse_tensor", ()), *get("sparse_tensors", ())),
            (*get("g", ()), *get("graphs", ())),
            offset,
        )

    def mistyped(self, attribute: Mistyped) -> str:
        """Remember an attribute that holds what its type does not say; return what is read."""
        if len(self.mistyped_attributes) < KEPT_NOTES:
            self.mistyped_attributes.append(attribute)
        return MEMBERS[attribute.type] or attribute.members[-1]

    # ------------------------------------------------------------------------- nodes, graphs

    def node(self, a: int, b: int) -> Node:
        """Return a NodeProto; its fields outnumber all others: short ones are read in place."""
        op_type = domain = name = ""
        inputs: list[str] = []
        outputs: list[str] = []
        attributes: list[Attribute] = []
        rest: FieldValues = {}
        data, position, interned = self.data, a, self.interned
        spend = self.budget.spend
        spend("NodeProto", a)
        while position < b:
            tag_, x = data[position], position + 2
            if tag_ in _NODE_TAGS and x <= b and (size := data[x - 1]) < 0x80 and x + size <= b:
                position = x + size
            else:
                tag_, x, position = next(fields(data, position, b))
            if tag_ in _NAME_TAGS:
                try:
                    text = data[x:position].decode()
                except UnicodeDecodeError:
                    text = self.text(x, position)
                if tag_ == _INPUT:
                    inputs.append(text)
                elif tag_ == _OUTPUT:
                    outputs.append(text)
                else:
                    name = text
            elif tag_ == _OP_TYPE:
                op_type = interned.get(data[x:position]) or self.word(x, position)
            elif tag_ == _ATTRIBUTE:
                attributes.append(self.attribute(x, position))
            elif tag_ == _DOMAIN:
                domain = canonical(self.word(x, position))
            else:
                self.field("NodeProto", tag_, x, position, rest)
        spend("name", a, len(inputs) + len(outputs))
        return Node(
            op_type,
            domain,
            name,
            tuple(inputs),
            tuple(outputs),
            tuple(attributes),
            last(rest, "overload", "") if rest else "",
            dict(rest.get("metadata_props", ())) if rest else {},
            self.thin.origin(a),
        )

    def graph(self, a: int, b: int) -> Graph:
        """Return a GraphProto; what its attributes hold is three messages below it."""
        self.budget.spend("GraphProto", a)
        self.level += 3
        if self.level + 3 > self.limits.message_depth:
            raise too_deep(self.limits, a)
        get = self.message("GraphProto", a, b).get
        self.level -= 3
        return Graph(
            name=get("name", [""])[-1],
            nodes=tuple(get("node", ())),
            initializers=tuple(get("initializer", ())),
            sparse_initializers=tuple(get("sparse_initializer", ())),
            inputs=tuple(get("input", ())),
            outputs=tuple(get("output", ())),
            value_info=tuple(get("value_info", ())),
            metadata=dict(get("metadata_props", ())),
        )

    def sparse_tensor(self, a: int, b: int) -> SparseTensor:
        """Return a SparseTensorProto."""
        self.budget.spend("SparseTensorProto", a)
        parts = self.message("SparseTensorProto", a, b)
        offset = self.thin.origin(a)
        empty = Tensor("", 0, (), (), (), False, False, offset)
        dims = [dim for piece in parts.get("dims", ()) for dim in piece]
        self.check_rank(dims, a)
        values, indices = last(parts, "values", empty), last(parts, "indices", empty)
        return SparseTensor(values, indices, tuple(dims), offset)
