"""One pass over the graph in topological order: shapes, element types, small integer values."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from graphcount.analysis.shapes.state import (
    FLOATS,
    MAX_FLOATS,
    MAX_UNKNOWNS,
    NOTHING,
    Calls,
    Conflict,
    Result,
    State,
    ValueKey,
    cleaned,
)
from graphcount.domains import operator_name
from graphcount.errors import Unknown
from graphcount.graph import GraphNode, Input, OperatorNode
from graphcount.loading.model import Node, ValueInfo
from graphcount.ops import Operator
from graphcount.ops.call import (
    LARGEST,
    MAX_NUMBERS,
    MAX_RANK,
    Facts,
    Numbers,
    Shape,
    ShapeRule,
    complete,
    is_known,
)
from graphcount.ops.inference import CANNOT, product, result_dtypes, unknown
from graphcount.symbolic import Expr, TooComplexError

MAX_WORK = 500_000
"""Numbers of small tensors read and computed in all; what comes after is not known."""

MISFIT = "its attributes and inputs do not fit"


class Applied(NamedTuple):
    """What a shape rule made of its facts.

    Attributes:
        results: Shape, element type and values of each output.
        why: Why a shape is not known; empty for what was not known before.
        beyond: Numbers in a result with a dimension that no tensor can have; 0 without one.
    """

    results: list[Result]
    why: str
    beyond: int


class Propagation:
    """The pass. What it finds is in `state`; `calls` shares what equal nodes have in common."""

    def __init__(self, state: State, calls: Calls) -> None:
        self.state = state
        self.calls = calls
        self.graph = state.graph
        self.aliases = state.graph.aliases
        self.applications: dict[Facts, Applied] = {}
        self.function_infos: dict[int, dict[str, ValueInfo]] = {
            node.offset: infos
            for function in state.declared.proto.functions
            if (infos := {info.name: info for info in function.value_info})
            for node in function.nodes
        }
        self.looped: list[str] = []
        for body in state.graph.bodies:
            state.declared.add_scope(body.scope, body.graph)
            if body.node.op_type != "If":
                self.looped += [body.scope]

    def run(self) -> None:
        """Visit every node after its producers; those in cycles keep what is declared."""
        nodes, order = self.graph.nodes, self.graph.order
        for node_id in order:
            node = nodes[node_id]
            if node.kind == "operator":
                self.operator(node)
            else:
                self.start(node)
        if len(order) == len(nodes):
            return
        for node_id in nodes.keys() - set(order):
            node = nodes[node_id]
            if node.kind == "operator":
                self.store(node, [])

    def start(self, node: GraphNode) -> None:
        """Define where values begin: an input or an initializer."""
        if node.kind == "input":
            self.input(node)
        elif node.kind == "initializer":
            key, dims = (node.id, node.name), node.tensor.dims
            if len(dims) <= MAX_RANK and all(dim >= 0 for dim in dims):
                self.state.shapes[key] = dims
            self.state.dtypes[key] = node.data_type

    # ----------------------------------------------------------------------------------- inputs

    def input(self, node: Input) -> None:
        """Define an input of the main graph, of a body, or of a function that is not expanded."""
        state, node_id, name, info = self.state, node.id, node.name, node.info
        body = self.graph.body_at.get(node.scope)
        if body is not None:
            from graphcount.analysis.shapes import control

            initial = control.body_input(state, node, body)
            declared = state.declared.shape(info)
            widened = (body.node.id, body.positions.get(name, 0)) in state.widened
            if widened and declared is not None:
                # a number that changes is no number, whatever the body declares
                declared = tuple(dim if isinstance(dim, Expr) else None for dim in declared)
            shape = self.settled((node_id, name), body.node, initial.shape, declared)
            self.keep((node_id, name), Result(shape, initial.dtype or info.data_type))
            return
        shape = state.declared.inputs.get(name) if node.scope == "" else None
        given = state.given.get(name) if node.scope == "" else None
        self.keep((node_id, name), Result(shape, info.data_type, given))
        if node.scope == "" and name in state.declared.resized and shape is not None:
            was = state.declared.resized[name]  # what is declared behind it is of another size
            state.stale[node_id, name] = Conflict(node_id, name, was, shape)
        if shape is None and node.scope == "" and info.type in ("tensor", ""):
            self.note(node_id, f"the model does not state a shape for its input {name}")

    # -------------------------------------------------------------------------------- operators

    def operator(self, node: OperatorNode) -> None:
        """Apply the rule of an operator."""
        record, operator = node.record, node.operator
        if operator is not None and operator.is_control_flow:
            from graphcount.analysis.shapes import control

            results = control.outputs(self.state, node.id, record)
            if is_lost(record, self.store(node, results)):
                self.lost_body(node)
            return
        rule = operator.shape if operator is not None else None
        if operator is None or rule is None:
            if is_lost(record, self.store(node, [])) and is_lost(record, self.named(node)):
                label = operator_name(record.domain, record.op_type)
                self.note(node.id, f"there is no shape rule for {label}")
            return
        facts = self.calls.facts(node.id, record)
        if operator.family == "sequence":
            self.sequence(node, operator, facts)
            return
        applied = self.applications.get(facts)
        if applied is None:
            applied = self.applications[facts] = self.applied(operator, rule, facts)
        results, why, beyond = applied
        if beyond:
            self.state.beyond[node.id] = beyond
        if why.startswith(MISFIT):  # what is declared of it cannot help
            self.state.misfits[node.id] = why
            self.note(node.id, why)
            for name, result in zip(record.outputs, results, strict=False):
                self.keep((node.id, name), Result(None, result.dtype))
            return
        shapes = self.store(node, results)
        if self.state.elements and "renames" in operator.traits:
            self.renamed(node)
        if is_lost(record, shapes) and rule is not unknown and self.is_complete(facts):
            shapes = self.lost(node, facts, shapes, why or self.wrong(operator, facts))
        self.calls.completed(node.id, facts, shapes)

    def lost(
        self, node: OperatorNode, facts: Facts, shapes: tuple[Shape | None, ...], why: str
    ) -> tuple[Shape | None, ...]:
        """Name the sizes of a node that knows what enters it, or say why they are lost."""
        shapes = shapes if why else self.named(node)
        if is_lost(node.record, shapes):
            from graphcount.analysis.shapes.claims import undecided

            self.note(node.id, why or undecided(facts))
        return shapes

    def sequence(self, node: OperatorNode, operator: Operator, facts: Facts) -> None:
        """Apply the rule of an operator on sequences or optional values."""
        from graphcount.analysis.shapes import sequences

        if operator.elements is None:
            sequences.mapped(self.state, node.id, node.record)
        made = sequences.made(self.state, node, operator, facts)
        shapes = self.store(node, [Result(*tensor) for tensor in made])
        self.calls.completed(node.id, facts, shapes)

    def renamed(self, node: OperatorNode) -> None:
        """Keep what a sequence holds that is passed on under another name."""
        from graphcount.analysis.shapes import sequences

        sequences.renamed(self.state, node)

    def is_complete(self, facts: Facts) -> bool:
        """Return whether the shapes of all inputs that are given are known."""
        given = zip(facts.node.inputs, facts.inputs, strict=True)
        return all(complete(shape) is not None for name, shape in given if name)

    def applied(self, operator: Operator, rule: ShapeRule, facts: Facts) -> Applied:
        """Return what a rule makes of the facts, and why not more."""
        why = ""
        shapes: list[Shape | None] = []
        try:
            shapes = rule(facts)
        except TooComplexError as error:
            why = f"its size is too long an expression: {error}"
        except CANNOT as error:
            why = f"{MISFIT}: {self.wrong(operator, facts, error)}"[:300]
        if not self.state.can_afford(shapes):
            shapes, why = [], "the file has too many sizes that are long expressions"
        if beyond := max(map(_beyond, shapes), default=0):
            why = "a dimension of its result is beyond 64 bits"
        return Applied(self.results(operator, facts, shapes), why, beyond)

    def wrong(self, operator: Operator, facts: Facts, error: Exception | None = None) -> str:
        """Return why an operator cannot take its inputs; words of our own before Python's."""
        if isinstance(error, ValueError):
            return str(error)
        return operator.check(facts) if operator.check is not None else str(error or "")

    def lost_body(self, node: OperatorNode) -> None:
        """Name the sizes that leave a body, or say why they are lost, unless they were inside."""
        inside = [
            self.state.shapes.get(key)
            for name in ("then_branch", "else_branch", "body")
            for key in self.state.results(node.id, name).values()
        ]
        if None not in map(complete, inside) and is_lost(node.record, self.named(node)):
            from graphcount.analysis.shapes import control

            branches = node.record.op_type == "If"
            why = control.undecided(self.state, node.id) if branches else "how often it runs"
            self.note(node.id, why if branches else f"{why} is not known")

    def results(self, operator: Operator, facts: Facts, shapes: list[Shape | None]) -> list[Result]:
        """Return shapes, element types and values of the outputs."""
        try:
            dtypes = result_dtypes(operator.dtypes, facts)
        except CANNOT:
            dtypes = []
        count = len(facts.node.outputs)
        clean = [cleaned(shape) for shape in shapes[:count]]
        if len(clean) < count or len(dtypes) < count:
            clean += [None] * (count - len(clean))
            dtypes += [0] * (count - len(dtypes))
        if operator.data is None or (clean and _is_data(dtypes[0], clean[0])):
            return [Result(shape, dtype) for shape, dtype in zip(clean, dtypes, strict=True)]
        numbers = self.computed(operator, facts, tuple(clean))
        return [Result(*row) for row in zip(clean, dtypes, numbers, strict=True)]

    def computed(
        self, operator: Operator, facts: Facts, shapes: tuple[Shape | None, ...]
    ) -> list[Numbers | None]:
        """Return the values of the outputs, where there is a rule and those of inputs are known."""
        count = len(facts.node.outputs)
        nothing: list[Numbers | None] = [None] * count
        rule, reads = operator.data, operator.reads
        if rule is None or not shapes or self.state.exhausted:
            return nothing
        if reads != "none" and (not facts.numbers or facts.numbers[0] is None):
            return nothing
        if reads == "all":
            self.worked(sum([len(row) for row in facts.numbers if row]))
            if self.state.exhausted:
                return nothing
        try:
            rows = rule(facts, shapes)[:count]
        except CANNOT:
            return nothing
        checked = [self.checked(row, shape) for row, shape in zip(rows, shapes, strict=False)]
        return checked + [None] * (count - len(checked))

    def checked(self, numbers: Numbers | None, shape: Shape | None) -> Numbers | None:
        """Return the values, where they fit their tensor and have not overflowed."""
        if numbers is None or shape is None or len(numbers) > MAX_NUMBERS:
            return None
        self.worked(len(numbers))
        if product(shape) != len(numbers):
            return None
        return tuple(number if is_known(number) else None for number in numbers)

    def worked(self, numbers: int) -> None:
        """Add elements to what was read and computed."""
        self.state.work += numbers
        if self.state.work > MAX_WORK and not self.state.exhausted:
            self.state.exhausted = True
            self.note("graph", "the file computes with too many small integer tensors")

    # ---------------------------------------------------------------------------------- outcome

    def store(self, node: OperatorNode, results: list[Result]) -> tuple[Shape | None, ...]:
        """Keep what is known of a node's outputs, declared or found; their shapes."""
        infos = self.state.declared.infos(node.scope)
        shapes: list[Shape | None] = []
        for position, name in enumerate(node.record.outputs):
            if not name:
                shapes.append(None)
                continue
            result = results[position] if position < len(results) else NOTHING
            info = infos.get(name)
            symbols = info is not None
            if info is None and self.function_infos:
                info = self.function_infos.get(node.record.offset, {}).get(name)
            if info is not None:
                # a function's symbols are its own, and it may be called with several shapes
                declared = self.state.declared.shape(info, symbols=symbols)
                shape = self.settled((node.id, name), node, result.shape, declared)
                result = result._replace(shape=shape, dtype=result.dtype or info.data_type)
            key = node.id, name
            if self.aliases and key in self.aliases:
                result = self.returned(node, name, result)
            if self.state.stale and (info is None or info.shape is None):
                self.pass_cause(key)
            self.keep(key, result)
            shapes.append(result.shape)
        return tuple(shapes)

    def pass_cause(self, key: ValueKey) -> None:
        """Let a value that nothing is declared of stand for the contradiction before it."""
        cause = self.state.cause(key[0])
        if cause is not None:
            self.state.stale[key] = cause

    def returned(self, node: OperatorNode, name: str, result: Result) -> Result:
        """Return what a function returns, with what its caller declares of that."""
        for scope, alias in self.aliases[node.id, name]:
            info = self.state.declared.infos(scope).get(alias)
            if info is not None:
                declared = self.state.declared.shape(info)
                shape = self.settled((node.id, name), node, result.shape, declared)
                result = result._replace(shape=shape, dtype=result.dtype or info.data_type)
        return result

    def keep(self, key: ValueKey, result: Result) -> None:
        """Remember what is known of a value."""
        if result.shape is not None:
            self.state.shapes[key] = result.shape
        if result.dtype:
            self.state.dtypes[key] = result.dtype
        if result.numbers is not None:
            self.state.numbers[key] = result.numbers

    def settled(
        self, key: ValueKey, maker: OperatorNode, derived: Shape | None, declared: Shape | None
    ) -> Shape | None:
        """Return a shape: what the operators make, and what is declared where they leave a gap."""
        if declared is None or derived == declared:
            return derived
        from graphcount.analysis.shapes.claims import settled

        return settled(self.state, self.calls, key, maker, derived, declared)

    def named(self, node: OperatorNode) -> tuple[Shape | None, ...]:
        """Name the sizes of results that the data decide; in a loop they change, so not there."""
        shapes = self.state.shapes
        if any(f"{node.scope}/".startswith(f"{scope}/") for scope in self.looped):
            return tuple([shapes.get((node.id, name)) for name in node.record.outputs])
        from graphcount.analysis.shapes.claims import named

        return named(self.state, self.calls, node)

    def note(self, node_id: str, why: str) -> None:
        """Remember why a shape is not known."""
        if len(self.state.unknowns) < MAX_UNKNOWNS:
            self.state.unknowns.append(Unknown(node_id, "shape", why, "cost"))


def is_lost(node: Node, shapes: tuple[Shape | None, ...]) -> bool:
    """Return whether a node's outputs, which have these shapes, are not all known."""
    for name, shape in zip(node.outputs, shapes, strict=True):
        if name and (shape is None or None in shape):
            return True
    return False


def _beyond(shape: Shape | None) -> int:
    """Return the elements of a shape with a dimension beyond `LARGEST`, if certain; else 0."""
    dims = [dim for dim in shape or () if isinstance(dim, int)]
    if shape is None or not dims or max(dims) < LARGEST or min(dims) < 0:
        return 0
    return prod(dims) if len(dims) == len(shape) else max(dims)


def _is_data(dtype: int, shape: Shape | None) -> bool:
    """Return whether a result is an ordinary tensor of floats: only a few of these become sizes."""
    if dtype not in FLOATS:
        return False
    elements = product(shape) if shape is not None else None
    return not isinstance(elements, int) or elements > MAX_FLOATS
