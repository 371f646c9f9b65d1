"""Records of the graph: four kinds of nodes, uses of values between them, bodies, problems.

What no node but an operator has is empty in the others, so that simple questions need not ask for
the kind first. `kind` tells the records apart, for type checkers too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from graphcount.errors import Unknown
from graphcount.loading.model import Graph, Node, SparseTensor, Tensor, ValueInfo
from graphcount.ops import Operator, Trait


class Held(NamedTuple):
    """A stored tensor that a node holds: its offset in the file, and the attribute it stands in."""

    key: int
    attribute: str


class OperatorNode(NamedTuple):
    """A node that computes.

    Attributes:
        id: Its name, or `op_type#index`, below its scope.
        op_type: What it computes.
        domain: Domain of the operator; empty for the default one.
        name: Name in the file; may be empty.
        scope: Path of the body or function it stands in; empty for the main graph.
        record: The stored node, its attributes bound where it stands in a function.
        operator: What is known of its operator; None when nothing is.
    """

    id: str
    op_type: str
    domain: str
    name: str
    scope: str
    record: Node
    operator: Operator | None
    kind: Literal["operator"] = "operator"

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the values it makes; empty for those it leaves out."""
        return self.record.outputs

    @property
    def held(self) -> Sequence[Held]:
        """Tensors and lists of values that its attributes hold."""
        if not self.record.attributes:
            return ()
        tensors = []
        for attribute in self.record.attributes:
            name = attribute.name
            tensors += [Held(tensor.offset, name) for tensor in attribute.tensors]
            tensors += [Held(sparse.offset, name) for sparse in attribute.sparse_tensors]
            if attribute.numbers is not None:
                tensors.append(Held(attribute.offset, name))
        return tensors


class Input(NamedTuple):
    """An input of the graph, of a body, or of a function that is not expanded."""

    id: str
    name: str
    scope: str
    info: ValueInfo
    kind: Literal["input"] = "input"
    op_type: Literal[""] = ""
    domain: Literal[""] = ""
    record: None = None
    operator: None = None
    held: tuple[Held, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Name of its value."""
        return (self.name,)


class Output(NamedTuple):
    """An output of the main graph."""

    id: str
    name: str
    scope: str
    info: ValueInfo
    kind: Literal["output"] = "output"
    op_type: Literal[""] = ""
    domain: Literal[""] = ""
    record: None = None
    operator: None = None
    held: tuple[Held, ...] = ()
    outputs: tuple[str, ...] = ()


class Initializer(NamedTuple):
    """A stored tensor of the graph or of a body."""

    id: str
    name: str
    scope: str
    tensor: Tensor | SparseTensor
    kind: Literal["initializer"] = "initializer"
    op_type: Literal[""] = ""
    domain: Literal[""] = ""
    record: None = None
    operator: None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """Name of its value."""
        return (self.name,)

    @property
    def held(self) -> Sequence[Held]:
        """The tensor."""
        return (Held(self.tensor.offset, ""),)

    @property
    def data_type(self) -> int:
        """TensorProto.DataType code of its elements."""
        tensor = self.tensor
        return tensor.values.data_type if isinstance(tensor, SparseTensor) else tensor.data_type


GraphNode: TypeAlias = OperatorNode | Input | Output | Initializer


def traits_of(node: GraphNode) -> frozenset[Trait]:
    """Return the traits of what a node computes; none where nothing is known of it."""
    return node.operator.traits if node.operator is not None else frozenset()


def computes(node: GraphNode) -> str:
    """Return the operator of ONNX of which a node's is a form: `Add` of a QLinearAdd.

    Empty for what is no operator, or none that is known.
    """
    return (node.operator.form_of or node.op_type) if node.operator is not None else ""


def is_constant(node: GraphNode) -> bool:
    """Return whether a node is a Constant: a stored tensor in the form of an operator."""
    return node.op_type == "Constant" and node.domain == ""


class Use(NamedTuple):
    """One use of a value: an edge of the graph.

    Attributes:
        value: Name of the value, as its producer calls it.
        producer: Id of the node that makes it.
        node: Id of the node that takes it.
        index: Which input of that node; None for a value that leaves one of its bodies.
        body: Name of that body.
        result: Position among the outputs of that body.
    """

    value: str
    producer: str
    node: str
    index: int | None  # type: ignore[assignment]  # hides the method of tuples
    body: str = ""
    result: int = 0


class Body(NamedTuple):
    """A body of a control-flow node (or of an operator that is not known).

    Attributes:
        scope: Path of what stands in it.
        node: The operator.
        name: Its name below that operator (`Node.subgraphs`).
        graph: The stored graph.
        inputs: Names of its inputs that take a value, in order.
        positions: Place of each of them.
        batched: It is the body of a Scan of opset 8.
    """

    scope: str
    node: OperatorNode
    name: str
    graph: Graph
    inputs: tuple[str, ...]
    positions: dict[str, int]
    batched: bool


def body_of(node: OperatorNode, name: str, graph: Graph) -> Body:
    """Return the record of a body.

    A Scan of opset 8, whose values have a batch axis before the others, alone takes an input that
    its body does not: `sequence_lens`, named or left out, comes first (Changelog.md, Scan-8).
    Loop's body takes the iteration number in the place of the trip count.
    """
    inputs = tuple([info.name for info in graph.fed_inputs])
    positions = {name: place for place, name in enumerate(inputs)}
    is_scan = node.op_type == "Scan" and node.domain == ""
    batched = is_scan and len(node.record.inputs) == len(inputs) + 1
    return Body(f"{node.id}/{name}", node, name, graph, inputs, positions, batched)


# ---------------------------------------------------------------------------------------- problems

Code = Literal[
    "empty",
    "cycle",
    "value undefined",
    "value twice",
    "function twice",
    "function shadows",
    "function recursive",
    "function deep",
    "function large",
    "function callee",
    "functions large",
]

_TEXTS: dict[Code, tuple[str, str]] = {
    "empty": ("graph", "the graph has no nodes, no outputs and no tensors: the file may be cut"),
    "cycle": ("order", "the graph has a cycle"),
    "value undefined": ("value", "input {name} is never defined"),
    "value twice": (
        "value",
        "the value is defined twice; readers differ in which one they use",
    ),
    "function twice": (
        "function",
        "the function is defined twice; the first definition is used",
    ),
    "function shadows": (
        "function",
        "has the name of an operator, which onnxruntime takes in its place; both are counted",
    ),
    "function recursive": ("function", "not expanded: it calls itself"),
    "function deep": (
        "function",
        "not expanded: functions call each other deeper than {limit:,}",
    ),
    "function large": (
        "function",
        "not expanded: expanding it makes {size:,} nodes and calls, more than {limit:,}",
    ),
    "function callee": ("function", "not expanded: a function it calls is not expanded"),
    "functions large": (
        "function",
        "not expanded: expanding all makes {size:,} nodes and calls, more than {limit:,}",
    ),
}
"""What is not known, and why, by code."""


class GraphProblem(NamedTuple):
    """One thing that a valid model cannot have, or that asks for more than the limits allow.

    Attributes:
        code: What it is.
        where: Node id, path of a value, or label of a function.
        name: The value's or function's name.
        kinds: Of a value defined twice: what defines it, first to last: `operator`, `input`,
            `initializer`, or `argument` (of a function, or what its call returns). Of
            one not defined: `result` where a body returns it.
        size: Nodes and calls of functions that expansion goes through, or depth of calls.
        limit: What `size` may be.
    """

    code: Code
    where: str
    name: str = ""
    kinds: tuple[str, ...] = ()
    size: int = 0
    limit: int = 0

    @property
    def unknown(self) -> Unknown:
        """What the report says of it."""
        what, text = _TEXTS[self.code]
        why = text.format(name=self.name[:120], size=self.size, limit=self.limit)
        return Unknown(self.where, what, why)
