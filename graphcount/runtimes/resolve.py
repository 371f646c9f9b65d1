"""Graph → nodes with their types, as onnxruntime resolves a graph before it looks for kernels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from graphcount.domains import canonical, operator_name
from graphcount.runtimes.constants import constant_of, small
from graphcount.runtimes.control import BODIES
from graphcount.runtimes.folding import dtypes_of, fold
from graphcount.runtimes.forms import check_form
from graphcount.runtimes.functions import call
from graphcount.runtimes.inference import InferredTypes, inferred, outputs_of
from graphcount.runtimes.nodes import bound_types, check_arguments, check_attribute
from graphcount.runtimes.order import ordered
from graphcount.runtimes.records import Refused, Stop, Undecided
from graphcount.runtimes.scope import NameScope, Placed
from graphcount.runtimes.value_types import merged, shape_of, type_text, with_shape

if TYPE_CHECKING:
    from onnx import FunctionProto, GraphProto, NodeProto, TypeProto, ValueInfoProto

    from graphcount.runtimes.tables import Definition, RuntimeTable

MAX_STEPS = 50_000
"""Nodes of functions and subgraphs that are looked at, once for each call."""

MAX_DEPTH = 40
"""Subgraphs and functions within each other that are looked at."""


class Resolver:
    """Walks through the graphs of a model.

    Attributes:
        table: What the runtime knows.
        functions: Local functions by domain, name and overload.
        ir_version: Of the model.
        known: What inference made of nodes, by what it looks at.
        placed: Nodes that need a kernel, in the order in which they run.
    """

    def __init__(
        self,
        table: RuntimeTable,
        functions: Iterable[FunctionProto] = (),
        ir_version: int = 4,
        known: InferredTypes | None = None,
    ) -> None:
        self.table = table
        self.ir_version = ir_version
        self.functions = {(canonical(f.domain), f.name, f.overload): f for f in functions}
        self.placed: list[Placed] = []
        self.known: InferredTypes = {} if known is None else known
        self.nodes = 0
        self.steps = 0
        self.depth = 0

    def graph(
        self, graph: GraphProto, scope: NameScope, given: Sequence[TypeProto] | None = None
    ) -> list[TypeProto]:
        """Walk through a graph and return the types of its outputs.

        Args:
            graph: The main graph, or the body of a node.
            scope: Its own scope, still empty.
            given: Types of the inputs of a body.

        Raises:
            Stop: It is refused, or not known.
        """
        if scope.parent is not None:
            check_form(graph, scope.parent, self.ir_version)
        self.nodes += len(graph.node) if scope.parent is None else 0
        _enter_inputs(graph, scope, given)
        scope.declared = _declared([*graph.value_info, *graph.output])
        self.body(graph.node, scope)
        return [_output(value.name, scope) for value in graph.output]

    def body(self, nodes: Sequence[NodeProto], scope: NameScope) -> None:
        """Walk through the nodes of a graph or a function.

        Raises:
            Stop: One of them is refused, or not known.
        """
        _check_names(nodes, scope)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Undecided("limit", f"graphs within graphs, more than {MAX_DEPTH} deep")
        for number, node in enumerate(ordered(nodes)):
            self.steps += 1
            if self.steps > MAX_STEPS + self.nodes:
                raise Undecided("limit", f"functions expand to more than {MAX_STEPS} nodes")
            name = scope.path + (node.name or f"{node.op_type}_{number}")
            try:
                self._node(name, node, scope)
            except Stop as stop:
                stop.node = stop.node or name
                raise
        self.depth -= 1

    def _node(self, name: str, node: NodeProto, scope: NameScope) -> None:
        if not node.input and not node.output:
            return  # onnxruntime passes over it
        constant = constant_of(node)
        if constant is not None:
            output, tensor = constant
            value = with_shape(_tensor(tensor.data_type), tuple(tensor.dims))
            scope.types[output] = value
            if small(tensor):
                scope.constants[output] = tensor
            return
        for attribute in node.attribute:
            check_attribute(attribute)
        domain = canonical(node.domain)
        opset = scope.opsets.get(domain)
        if opset is None:
            raise Refused("domain", f"domain {domain} is not imported")
        for value in filter(None, node.input):
            if scope.type(value) is None:
                raise Refused("graph", f"nothing makes its input {value}")
        definition = self.table.definition(domain, node.op_type, opset)
        if definition is None:
            self._call(name, node, scope)
            return
        check_arguments(node, definition)
        self._typed(name, node, domain, definition, scope)

    def _typed(
        self, name: str, node: NodeProto, domain: str, definition: Definition, scope: NameScope
    ) -> None:
        inputs = tuple(_text(value, scope) for value in node.input)
        bound = bound_types(node, inputs, definition)
        rule = BODIES.get((domain, node.op_type))
        if rule is not None:
            known = rule(self, name, node, scope)
        elif any(attribute.type in (5, 10) for attribute in node.attribute):
            raise Undecided("limit", f"{node.op_type} has subgraphs of its own kind")
        else:
            known = inferred(node, domain, definition, scope, self.known)
        codes = dtypes_of(node, domain, scope)
        outputs_of(node, definition, bound, known, codes, scope)
        fold(node, domain, scope)
        outputs = tuple(_text(value, scope) for value in node.output)
        self.placed.append(Placed(name, node, definition, inputs, outputs, scope))

    def _call(self, name: str, node: NodeProto, scope: NameScope) -> None:
        """Walk through the local function that a node calls.

        Raises:
            Refused: There is no such operator or function.
        """
        key = canonical(node.domain), node.op_type, node.overload
        function = self.functions.get(key)
        if function is None:
            label = operator_name(*key[:2])
            version = scope.opsets[key[0]]
            raise Refused("operator", f"{label} is not known at opset {version}")
        call(self, function, name, node, scope)


def _tensor(code: int) -> TypeProto:
    """Return the type of tensors of an element type."""
    from onnx import TypeProto

    value = TypeProto()
    value.tensor_type.elem_type = code
    return value


def _text(name: str, scope: NameScope) -> str:
    value = scope.type(name) if name else None
    return type_text(value) if value is not None else ""


def _declared(values: Iterable[ValueInfoProto]) -> dict[str, TypeProto]:
    return {value.name: value.type for value in values if value.type.WhichOneof("value")}


def _enter_inputs(graph: GraphProto, scope: NameScope, given: Sequence[TypeProto] | None) -> None:
    """Put inputs and initializers into the scope of a graph.

    Raises:
        Refused: One has no type, or another one than it is given.
    """
    inputs = [value.name for value in graph.input]
    twice = next((name for name in inputs if inputs.count(name) > 1), None)
    if twice is not None:
        raise Refused("graph", f"two inputs are named {twice}")
    for tensor in (*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)):
        dims = tuple(tensor.dims)
        scope.types[tensor.name] = with_shape(_tensor(tensor.data_type), dims)
        if small(tensor):
            scope.constants[tensor.name] = tensor
    for sparse in graph.sparse_initializer:
        name = sparse.values.name
        scope.constants.pop(name, None)
        scope.types[name] = with_shape(scope.types[name], tuple(sparse.dims))
    fed = [value for value in graph.input if value.name not in scope.types or given is not None]
    if given is not None and len(given) != len(fed):
        raise Refused("type", f"a body has {len(fed)} inputs and gets {len(given)}")
    for index, value in enumerate(graph.input):
        stated = type_text(value.type)
        if value.name in scope.types and given is None:
            own = type_text(scope.types[value.name])
            if stated and own != stated:
                why = f"initializer {value.name} is {own}, and an input {stated}"
                raise Refused("type", why)
            _same_shape(value, scope.types[value.name])
            continue
        if given is None:
            if not stated:
                raise Refused("graph", f"input {value.name} has no type")
            scope.types[value.name] = value.type
            continue
        text = type_text(given[index])
        if stated and text and stated != text:
            raise Refused("type", f"input {value.name} of a body is {stated} and gets {text}")
        scope.types[value.name] = merged(given[index], value.type) if stated else given[index]


def _same_shape(value: ValueInfoProto, own: TypeProto) -> None:
    """Refuse an initializer whose shape is not that of the input of its name."""
    stated, dims = shape_of(value.type), shape_of(own)
    if stated is None or dims is None:
        return
    pairs = zip(stated, dims, strict=False)
    if len(stated) != len(dims) or any(isinstance(a, int) and a != b for a, b in pairs):
        raise Refused("shape", f"initializer {value.name} is {dims}, and an input {stated}")


def _check_names(nodes: Sequence[NodeProto], scope: NameScope) -> None:
    """Refuse names that occur twice."""
    scope.names.update(scope.types)
    names = set()
    for node in nodes:
        constant = constant_of(node) is not None
        for output in filter(None, node.output):
            if output in scope.names and not constant:
                raise Refused("graph", f"{output} is defined twice")
            scope.names.add(output)
        if node.name and node.name in names and not constant:
            raise Refused("graph", f"two nodes are named {node.name}")
        if not constant:
            names.add(node.name)


def _output(name: str, scope: NameScope) -> TypeProto:
    value = scope.type(name)
    if value is None:
        raise Refused("graph", f"nothing makes the output {name}")
    return value
