"""Thin bytes → records. Each message is read as the tables of `loading/messages.py` state it.

Messages that occur once or rarely are read by `_Decoder.message`, field by field into lists. Nodes,
attributes and tensors outnumber all others of a model: their usual fields are read in loops of
their own. What matches no field of the tables is kept as an `UnknownField`, as protobuf would.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from graphcount.domains import canonical
from graphcount.errors import DamagedError, LimitError, Unknown
from graphcount.loading.decode_leaves import (
    FUNCTION_LEVEL,
    KEPT_NOTES,
    MODEL_LEVEL,
    TRAINING_LEVEL,
    LeafDecoder,
    last,
)
from graphcount.loading.limits import Limits, beyond
from graphcount.loading.messages import DATA_FIELDS, LEN, MESSAGES, VARINT, Field, tag, tags
from graphcount.loading.model import (
    UNSTATED,
    Attribute,
    Function,
    Graph,
    ModelProto,
    Node,
    SparseTensor,
    Tensor,
    merged,
)
from graphcount.loading.packed_lists import (
    LONG_NBYTES,
    FieldValues,
    add_run,
    numbers_held,
    values_held,
)
from graphcount.loading.wire import Thin, fields, signed, too_deep


def decode_model(thin: Thin, limits: Limits, file_nbytes: int) -> ModelProto:
    """Decode a ModelProto from a file of some size.

    Raises:
        DamagedError: The wire format is broken.
        LimitError: Nested too deeply, or more nodes or tensors than a file of that size may have.
    """
    decoder = _Decoder(thin, limits, file_nbytes)
    try:
        return decoder.model(0, len(thin.data))
    except (DamagedError, LimitError) as error:
        origin = thin.origin(error.offset) if error.offset is not None else None
        raise type(error)(error.message, offset=origin, rule=error.rule) from None


_INPUT, _OUTPUT, _NAME, _OP_TYPE, _ATTRIBUTE, _DOMAIN = (
    tag("NodeProto", name) for name in ("input", "output", "name", "op_type", "attribute", "domain")
)
_NAME_TAGS = frozenset({_INPUT, _OUTPUT, _NAME})
_NODE_TAGS = _NAME_TAGS | {_OP_TYPE, _ATTRIBUTE, _DOMAIN}
"""The fields that nearly every node is made of."""

_ATTRIBUTE_NAME, _ATTRIBUTE_TYPE = tag("AttributeProto", "name"), tag("AttributeProto", "type")
ONE_MESSAGE = (4, 5, 11)
"""AttributeProto.AttributeType of TENSOR, GRAPH and SPARSE_TENSOR: one message each."""

_INTS = tag("AttributeProto", "ints")
_PACKED_INTS = _INTS | LEN


class _Decoder(LeafDecoder):
    """Reads attributes, nodes, graphs, functions and the model."""

    def message(self, name: str, a: int, b: int) -> FieldValues:
        """Return what the fields of the message at data[a:b] hold."""
        values: FieldValues = {}
        steps = _STEPS[name]
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
        step = _STEPS[message].get(tag_)
        if step is None:
            self.skip(message, tag_, x, y)
        elif step.read is not None:
            values.setdefault(step.slot, []).append(step.read(self, x, y))

    # --------------------------------------------------------------------------- attributes

    def attribute(self, a: int, b: int) -> Attribute:
        """Return an AttributeProto."""
        name, kind = "", 0
        integers: list[int] = []
        values: FieldValues = {}
        steps = _STEPS["AttributeProto"]
        offset = self.thin.origin(a)
        each = fields(self.data, a, b)
        if b - a > LONG_NBYTES or offset in self.thin.lists:
            from graphcount.loading.lists import long_fields

            add = partial(add_run, values, integers)
            each = long_fields(self.data, a, b, self.thin.lists.get(offset, ()), add)
        for tag_, x, y in each:
            if tag_ == _ATTRIBUTE_NAME:
                name = self.word(x, y)
            elif tag_ == _ATTRIBUTE_TYPE:
                kind = signed(x)
            elif tag_ == _INTS:
                integers.append(signed(x))
            elif tag_ == _PACKED_INTS:
                integers += self.integers(x, y)
            elif (step := steps.get(tag_)) is None:
                self.skip("AttributeProto", tag_, x, y)
            elif (read := step.read) is not None:
                slot = step.slot
                if slot in values:
                    values[slot].append(read(self, x, y))
                else:
                    values[slot] = [read(self, x, y)]
        reference, numbers = last(values, "ref_attr_name", ""), numbers_held(values, integers)
        if numbers is None and not reference:
            numbers = UNSTATED.get(kind)
        get = values.get
        tensors, sparse, graphs = get("tensors", ()), get("sparse", ()), get("graphs", ())
        messages = len(tensors) + len(sparse) + len(graphs)
        if (messages > 1 and kind in ONE_MESSAGE) or (values and values_held(values, integers) > 1):
            why = "it holds more than one value; readers differ in which they take"
            self.note(Unknown(name[:120], "attribute", why))
        return Attribute(
            name,
            kind,
            reference,
            numbers,
            tuple(tensors),
            tuple(sparse),
            tuple(graphs),
            offset,
        )

    def nested_type(self, x: int, y: int) -> None:
        """Check a TypeProto in an attribute: nobody reads it, but it must not be too deep."""
        self.nested("TypeProto", x, y, self.level + 3)

    # ------------------------------------------------------------------------- nodes, graphs

    def node(self, a: int, b: int) -> Node:
        """Return a NodeProto; its fields outnumber all others: short ones are read in place."""
        op_type = domain = name = ""
        inputs: list[str] = []
        outputs: list[str] = []
        attributes: list[Attribute] = []
        rest: FieldValues = {}
        data, position, interned = self.data, a, self.interned
        self.nodes += 1
        if self.nodes > self.most_nodes:
            raise beyond("nodes", f"more than {self.most_nodes:,} nodes", 2 * self.most_nodes, a)
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

    # ------------------------------------------------------------------------ functions, model

    def function(self, a: int, b: int) -> Function:
        """Return a FunctionProto."""
        self.level = FUNCTION_LEVEL
        values = self.message("FunctionProto", a, b)
        self.level = MODEL_LEVEL
        get = values.get
        return Function(
            name=last(values, "name", ""),
            domain=last(values, "domain", ""),
            overload=last(values, "overload", ""),
            inputs=tuple(get("input", ())),
            outputs=tuple(get("output", ())),
            attributes=tuple(get("attribute", ())),
            attribute_protos=tuple(get("attribute_proto", ())),
            nodes=tuple(get("node", ())),
            value_info=tuple(get("value_info", ())),
            opset_imports=tuple(get("opset_import", ())),
            metadata=dict(get("metadata_props", ())),
        )

    def sparse_tensor(self, a: int, b: int) -> SparseTensor:
        """Return a SparseTensorProto."""
        parts = self.message("SparseTensorProto", a, b)
        offset = self.thin.origin(a)
        empty = Tensor("", 0, (), (), (), False, False, offset)
        dims = [dim for piece in parts.get("dims", ()) for dim in piece]
        self.check_rank(dims, a)
        values, indices = last(parts, "values", empty), last(parts, "indices", empty)
        return SparseTensor(values, indices, tuple(dims), offset)

    def opset(self, a: int, b: int) -> tuple[str, int]:
        """Return an OperatorSetIdProto."""
        values = self.message("OperatorSetIdProto", a, b)
        return last(values, "domain", ""), last(values, "version", 0)

    def training(self, a: int, b: int) -> list[Graph]:
        """Return a TrainingInfoProto: its graphs (initialization, algorithm)."""
        self.level = TRAINING_LEVEL
        values = self.message("TrainingInfoProto", a, b)
        self.level = MODEL_LEVEL
        return values.get("graphs", [])

    def model(self, a: int, b: int) -> ModelProto:
        """Return a ModelProto; fields in any order, as protobuf allows."""
        values = self.message("ModelProto", a, b)
        get = values.get
        if "graph" not in values:
            raise DamagedError("no graph", offset=None, rule="FMT010")
        self.large_text()
        for what, count in (("issue", self.note_count), ("unknown field", self.unknown_count)):
            if count > KEPT_NOTES:
                why = f"{count - KEPT_NOTES:,} more of this kind are not listed"
                self.issues.append(Unknown("model", what, why))
        return ModelProto(
            graph=merged(values["graph"]),
            ir_version=last(values, "ir_version", 0),
            opset_imports=tuple(get("opset_import", ())),
            producer_name=last(values, "producer_name", ""),
            producer_version=last(values, "producer_version", ""),
            domain=last(values, "domain", ""),
            model_version=last(values, "model_version", 0),
            functions=tuple(get("functions", ())),
            training_graphs=tuple(graph for graphs in get("training_info", ()) for graph in graphs),
            metadata=dict(get("metadata_props", ())),
            issues=tuple(self.issues),
            unknown_fields=tuple(self.unknown_fields),
            repeated_fields=tuple(self.repeated_fields),
        )

    def large_text(self) -> None:
        """Say which fields other than data and doc_string were too large to be read."""
        for cut in self.thin.cuts:
            if cut.message == "TensorProto" and cut.number in DATA_FIELDS:
                continue
            row = MESSAGES[cut.message].get(cut.number)
            if row is not None and row.text == "doc":
                continue
            where = f"{cut.message} field {cut.number}"
            why = f"{cut.nbytes:,} bytes at byte {cut.offset} were not read"
            self.note(Unknown(where, "field", why))


class _FieldStep(NamedTuple):
    """What to do with a field.

    Attributes:
        slot: Where its values are collected: the name of the field, or of the first of several
            that belong together.
        read: Reads one value; None for what nobody needs.
        once: A second one is noted: readers differ in what they make of it.
    """

    slot: str
    read: Callable[[_Decoder, int, int], object] | None
    once: bool = False


_READERS: dict[str, Callable[[_Decoder, int, int], object]] = {
    "string": _Decoder.text,
    "int": _Decoder.integer,
    "AttributeProto": _Decoder.attribute,
    "FunctionProto": _Decoder.function,
    "GraphProto": _Decoder.graph,
    "NodeProto": _Decoder.node,
    "OperatorSetIdProto": _Decoder.opset,
    "StringStringEntryProto": _Decoder.pair,
    "TensorProto": _Decoder.tensor,
    "SparseTensorProto": _Decoder.sparse_tensor,
    "TrainingInfoProto": _Decoder.training,
    "ValueInfoProto": _Decoder.value_info,
}
"""What reads a field, by its type; nobody needs fields of other types."""

_OTHERS: dict[tuple[str, str], _FieldStep] = {
    ("AttributeProto", "i"): _FieldStep("single", _Decoder.int_),
    ("AttributeProto", "f"): _FieldStep("single", _Decoder.float_),
    ("AttributeProto", "s"): _FieldStep("single", _Decoder.string_),
    ("AttributeProto", "floats"): _FieldStep("floats", _Decoder.floats),
    ("AttributeProto", "strings"): _FieldStep("strings", _Decoder.raw),
    ("AttributeProto", "t"): _FieldStep("tensors", _Decoder.tensor),
    ("AttributeProto", "g"): _FieldStep("graphs", _Decoder.graph),
    ("AttributeProto", "sparse_tensor"): _FieldStep("sparse", _Decoder.sparse_tensor),
    ("AttributeProto", "sparse_tensors"): _FieldStep("sparse", _Decoder.sparse_tensor),
    ("AttributeProto", "tp"): _FieldStep("types", _Decoder.nested_type),
    ("AttributeProto", "type_protos"): _FieldStep("types", _Decoder.nested_type),
    ("TrainingInfoProto", "initialization"): _FieldStep("graphs", _Decoder.graph),
    ("TrainingInfoProto", "algorithm"): _FieldStep("graphs", _Decoder.graph),
}
"""Fields that are read in a way of their own, or together with others."""

_WORDS = frozenset({"op_type", "domain", "overload"})
"""Strings that repeat often."""


def _step(message: str, tag_: int, name: str, row: Field) -> _FieldStep:
    """Return what to do with one field."""
    other = _OTHERS.get((message, name))
    if other is not None:
        return other
    if row.type == "int" and row.many:
        return _FieldStep(name, _Decoder.one_integer if tag_ & 7 == VARINT else _Decoder.integers)
    if row.text == "doc":
        return _FieldStep(name, None)
    read = _Decoder.word if name in _WORDS else _READERS.get(row.type)
    return _FieldStep(name, read, row.type in MESSAGES and not row.many)


_STEPS: dict[str, dict[int, _FieldStep]] = {
    message: {
        tag_: _step(message, tag_, rows[tag_ >> 3].name, rows[tag_ >> 3]) for tag_ in tags(message)
    }
    for message, rows in MESSAGES.items()
}
"""What to do with each field, by its tag."""
