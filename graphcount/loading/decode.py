"""Thin bytes → records. Each function reads one message of onnx.proto (onnx 1.23).

Tags are written as `number << 3 | wire type`, so one comparison checks both; what matches no known
tag is kept as an `UnknownField`, exactly as protobuf would keep it.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence

from graphcount.domains import canonical
from graphcount.errors import DamagedError, LimitError, Unknown
from graphcount.loading.decode_tensor import (
    FUNCTION_LEVEL,
    KEPT_NOTES,
    MODEL_LEVEL,
    TRAINING_LEVEL,
)
from graphcount.loading.decode_type import TypeDecoder
from graphcount.loading.limits import Limits
from graphcount.loading.messages import DATA_FIELDS
from graphcount.loading.model import (
    Attribute,
    Function,
    Graph,
    ModelProto,
    Node,
    Numbers,
    SparseTensor,
    Tensor,
    ValueInfo,
)
from graphcount.loading.varints import len_varint, signed
from graphcount.loading.wire import Thin, fields, too_deep

LIST_IN_TUPLE = 1024
"""Attribute lists longer than this are kept in an `array` (8 bytes a number instead of 40)."""

ONE_MESSAGE = (4, 5, 11)
"""AttributeProto.AttributeType of TENSOR, GRAPH and SPARSE_TENSOR: one message each."""

UNSTATED = {
    1: Numbers("float", (0.0,), 0, False),
    2: Numbers("int", (0,), 0, False),
    3: Numbers("string", (b"",), 0, False),
    6: Numbers("float", (), 0, True),
    7: Numbers("int", (), 0, True),
    8: Numbers("string", (), 0, True),
}
"""What an attribute holds that states its type only: proto3 writers leave out zeros, and an empty
list has no field at all."""

TEXT_FIELDS = {("ModelProto", 6), ("GraphProto", 10), ("NodeProto", 6), ("TensorProto", 12)}
"""doc_string fields: skipping a huge one loses nothing that is counted."""


def decode_model(thin: Thin, limits: Limits) -> ModelProto:
    """Decode a ModelProto.

    Raises:
        DamagedError: The wire format is broken.
        LimitError: Nested too deeply.
    """
    decoder = _Decoder(thin, limits)
    try:
        return decoder.model(0, len(thin.data))
    except (DamagedError, LimitError) as error:
        origin = thin.origin(error.offset) if error.offset is not None else None
        raise type(error)(error.message, offset=origin, rule=error.rule) from None


NAME_TAGS = frozenset({10, 18, 26})
"""NodeProto: input, output, name."""

NODE_TAGS = NAME_TAGS | {34, 42, 58}
"""And op_type, attribute, domain: the fields that nearly every node is made of."""


class _Decoder(TypeDecoder):
    """Reads attributes, nodes, graphs, functions and the model."""

    # --------------------------------------------------------------------------- attributes

    def attribute(self, a: int, b: int) -> Attribute:
        """An AttributeProto."""
        name, kind, reference = "", 0, ""
        integers: list[int] = []
        floats: list[bytes] = []
        strings: list[bytes] = []
        number: Numbers | None = None
        integer_nbytes = 0
        tensors: list[Tensor] = []
        sparse: list[SparseTensor] = []
        graphs: list[Graph] = []
        data = self.data
        for tag, x, y in fields(data, a, b):
            if tag == 10:
                name = self.word(x, y)
            elif tag == 160:
                kind = signed(x)
            elif tag == 24:
                number = Numbers("int", (signed(x),), len_varint(x), False)
            elif tag == 64 or tag == 66:
                self.integers(tag, x, y, integers)
                integer_nbytes += len_varint(x) if tag == 64 else y - x
            elif tag == 21:
                number = Numbers("float", struct.unpack("<f", data[x:y]), 4, False)
            elif tag == 61 or tag == 58:
                if (y - x) % 4:
                    raise DamagedError(f"packed floats take {y - x} bytes", offset=x)
                floats.append(data[x:y])
            elif tag == 34:
                number = Numbers("string", (data[x:y],), y - x, False)
            elif tag == 74:
                strings.append(data[x:y])
            elif tag == 42 or tag == 82:
                tensors.append(self.tensor(x, y))
            elif tag == 50 or tag == 90:
                graphs.append(self.graph(x, y))
            elif tag == 178 or tag == 186:
                sparse.append(self.sparse_tensor(x, y))
            elif tag == 170:
                reference = self.text(x, y)
            elif tag == 114 or tag == 122:  # tp, type_protos
                self.nested("TypeProto", x, y, self.level + 3)
            elif tag != 106:  # doc_string
                self.skip("AttributeProto", tag, x, y)
        messages = len(tensors) + len(graphs) + len(sparse)
        lists = bool(integers) + bool(floats) + bool(strings)
        held = lists + (number is not None) + (messages > 0)
        if held > 1 or (messages > 1 and kind in ONE_MESSAGE):
            why = "it holds more than one value; readers differ in which they take"
            self.note(Unknown(name[:120], "attribute", why))
        if integers:
            number = Numbers("int", _compact("q", integers), integer_nbytes, True)
        elif floats:
            packed = b"".join(floats)
            values: Sequence[float] = array("f", packed)
            if len(values) <= LIST_IN_TUPLE:
                values = tuple(values)
            number = Numbers("float", values, len(packed), True)
        elif strings:
            number = Numbers("string", tuple(strings), sum(map(len, strings)), True)
        elif number is None and not reference:
            number = UNSTATED.get(kind)
        return Attribute(
            name,
            kind,
            reference,
            number,
            tuple(tensors),
            tuple(sparse),
            tuple(graphs),
            self.thin.origin(a),
        )

    # ------------------------------------------------------------------------- nodes, graphs

    def node(self, a: int, b: int) -> Node:
        """A NodeProto; its fields outnumber all others of a model: short ones are read in place."""
        op_type = domain = name = overload = ""
        inputs: list[str] = []
        outputs: list[str] = []
        attributes: list[Attribute] = []
        metadata: dict[str, str] = {}
        data, position = self.data, a
        self.nodes += 1
        if self.nodes > self.limits.nodes:
            raise LimitError(f"more than {self.limits.nodes:,} nodes", offset=a)
        while position < b:
            tag, x = data[position], position + 2
            if tag in NODE_TAGS and x <= b and (size := data[x - 1]) < 0x80 and x + size <= b:
                position = x + size
            else:
                tag, x, position = next(fields(data, position, b))
            if tag in NAME_TAGS:
                try:
                    text = data[x:position].decode()
                except UnicodeDecodeError:
                    text = self.text(x, position)
                if tag == 10:
                    inputs.append(text)
                elif tag == 18:
                    outputs.append(text)
                else:
                    name = text
            elif tag == 34:
                op_type = self.word(x, position)
            elif tag == 42:
                attributes.append(self.attribute(x, position))
            elif tag == 58:
                domain = self.word(x, position)
            elif tag == 66:
                overload = self.word(x, position)
            elif tag == 74:
                key, value = self.pair(x, position)
                metadata[key] = value
            elif tag not in (50, 82):  # doc_string, device_configurations
                self.skip("NodeProto", tag, x, position)
        return Node(
            op_type,
            canonical(domain),
            name,
            tuple(inputs),
            tuple(outputs),
            tuple(attributes),
            overload,
            metadata,
            self.thin.origin(a),
        )

    def enter(self, a: int) -> None:
        """Go one graph deeper; what its attributes hold is three messages below it."""
        self.level += 3
        if self.level + 3 > self.limits.message_depth:
            raise LimitError(too_deep(self.limits), offset=a, rule="FMT003")

    def graph(self, a: int, b: int) -> Graph:
        """A GraphProto."""
        self.enter(a)
        name = ""
        nodes: list[Node] = []
        initializers: list[Tensor] = []
        sparse: list[SparseTensor] = []
        inputs: list[ValueInfo] = []
        outputs: list[ValueInfo] = []
        value_info: list[ValueInfo] = []
        metadata: dict[str, str] = {}
        for tag, x, y in fields(self.data, a, b):
            if tag == 10:
                nodes.append(self.node(x, y))
            elif tag == 42:
                initializers.append(self.tensor(x, y))
            elif tag == 106:
                value_info.append(self.value_info(x, y))
            elif tag == 90:
                inputs.append(self.value_info(x, y))
            elif tag == 98:
                outputs.append(self.value_info(x, y))
            elif tag == 122:
                sparse.append(self.sparse_tensor(x, y))
            elif tag == 18:
                name = self.text(x, y)
            elif tag == 130:
                key, value = self.pair(x, y)
                metadata[key] = value
            elif tag not in (82, 114):  # doc_string, quantization_annotation
                self.skip("GraphProto", tag, x, y)
        self.level -= 3
        return Graph(
            name=name,
            nodes=tuple(nodes),
            initializers=tuple(initializers),
            sparse_initializers=tuple(sparse),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            value_info=tuple(value_info),
            metadata=metadata,
        )

    # ------------------------------------------------------------------------ functions, model

    def function(self, a: int, b: int) -> Function:
        """A FunctionProto."""
        name = domain = overload = ""
        inputs: list[str] = []
        outputs: list[str] = []
        attributes: list[str] = []
        attribute_protos: list[Attribute] = []
        nodes: list[Node] = []
        value_info: list[ValueInfo] = []
        opsets: list[tuple[str, int]] = []
        metadata: dict[str, str] = {}
        self.level = FUNCTION_LEVEL
        for tag, x, y in fields(self.data, a, b):
            if tag == 10:
                name = self.word(x, y)
            elif tag == 34:
                inputs.append(self.text(x, y))
            elif tag == 42:
                outputs.append(self.text(x, y))
            elif tag == 50:
                attributes.append(self.text(x, y))
            elif tag == 58:
                nodes.append(self.node(x, y))
            elif tag == 74:
                opsets.append(self.opset(x, y))
            elif tag == 82:
                domain = self.word(x, y)
            elif tag == 90:
                attribute_protos.append(self.attribute(x, y))
            elif tag == 98:
                value_info.append(self.value_info(x, y))
            elif tag == 106:
                overload = self.word(x, y)
            elif tag == 114:
                key, value = self.pair(x, y)
                metadata[key] = value
            elif tag not in (16, 66):  # since_version of old files, doc_string
                self.skip("FunctionProto", tag, x, y)
        self.level = MODEL_LEVEL
        return Function(
            name,
            domain,
            overload,
            tuple(inputs),
            tuple(outputs),
            tuple(attributes),
            tuple(attribute_protos),
            tuple(nodes),
            tuple(value_info),
            tuple(opsets),
            metadata,
        )

    def opset(self, a: int, b: int) -> tuple[str, int]:
        """An OperatorSetIdProto."""
        domain, version = "", 0
        for tag, x, y in fields(self.data, a, b):
            if tag == 10:
                domain = self.word(x, y)
            elif tag == 16:
                version = signed(x)
            else:
                self.skip("OperatorSetIdProto", tag, x, y)
        return domain, version

    def training(self, a: int, b: int) -> list[Graph]:
        """A TrainingInfoProto: its graphs (initialization, algorithm)."""
        graphs = []
        self.level = TRAINING_LEVEL
        for tag, x, y in fields(self.data, a, b):
            if tag == 10 or tag == 18:
                graphs.append(self.graph(x, y))
            elif tag not in (26, 34):  # bindings
                self.skip("TrainingInfoProto", tag, x, y)
        self.level = MODEL_LEVEL
        return graphs

    def model(self, a: int, b: int) -> ModelProto:
        """A ModelProto; fields in any order, as protobuf allows."""
        graphs: list[Graph] = []
        numbers = {8: 0, 40: 0}
        texts = {18: "", 26: "", 34: ""}
        opsets: list[tuple[str, int]] = []
        functions: list[Function] = []
        training: list[Graph] = []
        metadata: dict[str, str] = {}
        for tag, x, y in fields(self.data, a, b):
            if tag == 58:
                if graphs:
                    self.again("ModelProto", "graph", x)
                graphs.append(self.graph(x, y))
            elif tag in numbers:
                numbers[tag] = signed(x)
            elif tag in texts:
                texts[tag] = self.text(x, y)
            elif tag == 66:
                opsets.append(self.opset(x, y))
            elif tag == 114:
                key, value = self.pair(x, y)
                metadata[key] = value
            elif tag == 162:
                training.extend(self.training(x, y))
            elif tag == 202:
                functions.append(self.function(x, y))
            elif tag not in (50, 210):  # doc_string, configuration
                self.skip("ModelProto", tag, x, y)
        if not graphs:
            raise DamagedError("no graph", offset=None, rule="FMT010")
        self.large_text()
        for what, count in (("issue", self.note_count), ("unknown field", self.unknown_count)):
            if count > KEPT_NOTES:
                why = f"{count - KEPT_NOTES:,} more of this kind are not listed"
                self.issues.append(Unknown("model", what, why))
        return ModelProto(
            graph=_merged(graphs),
            ir_version=numbers[8],
            opset_imports=tuple(opsets),
            producer_name=texts[18],
            producer_version=texts[26],
            domain=texts[34],
            model_version=numbers[40],
            functions=tuple(functions),
            training_graphs=tuple(training),
            metadata=metadata,
            issues=tuple(self.issues),
            unknown_fields=tuple(self.unknown_fields),
            repeated_fields=tuple(self.repeated_fields),
        )

    def large_text(self) -> None:
        """Say which fields other than payload and doc_string were too large to be read."""
        for cut in self.thin.cuts:
            if cut.message == "TensorProto" and cut.number in DATA_FIELDS:
                continue
            if (cut.message, cut.number) in TEXT_FIELDS:
                continue
            where = f"{cut.message} field {cut.number}"
            why = f"{cut.nbytes:,} bytes at byte {cut.offset} were not read"
            self.note(Unknown(where, "field", why))


def _compact(code: str, values: list[int]) -> Sequence[int]:
    return tuple(values) if len(values) <= LIST_IN_TUPLE else array(code, values)


def _merged(graphs: list[Graph]) -> Graph:
    """Several `graph` fields as protobuf merges them: lists joined, last name kept."""
    if len(graphs) == 1:
        return graphs[0]
    return Graph(
        name=next((graph.name for graph in reversed(graphs) if graph.name), ""),
        nodes=tuple(row for graph in graphs for row in graph.nodes),
        initializers=tuple(row for graph in graphs for row in graph.initializers),
        sparse_initializers=tuple(row for graph in graphs for row in graph.sparse_initializers),
        inputs=tuple(row for graph in graphs for row in graph.inputs),
        outputs=tuple(row for graph in graphs for row in graph.outputs),
        value_info=tuple(row for graph in graphs for row in graph.value_info),
        metadata={key: value for graph in graphs for key, value in graph.metadata.items()},
    )
