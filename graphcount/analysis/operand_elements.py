"""How many stored or generated numbers reach what a model computes, whatever their kind.

A budget of `parameters` alone can be evaded: weights that are bits, indices, labels, text, padding,
means, zero points or random numbers are no parameters, and products compute with them all the same.
`operand_elements` asks for no kind and names no way. It is the larger of two sums:

* **before folding**: numbers that the file holds or generates and whose value can change a number
  of an output. Each counts once, however often it is used;
* **after folding**: the numbers of this sort that are there when all is computed that depends on
  no input, as runtimes do when they load a model. That is where packed numbers come apart.

What only says how large or where something is (operands with the role of a shape or of axes) is
not followed, unless a Shape or Size makes numbers of it. One operator more on the way cannot lower
the sum before folding, for what it is made of stays on a way to an output; nor can it hide what is
there after folding. Both are proportional to the graph: no tensor data is read.

Of what is computed without inputs, as many numbers count as can differ: it has no more than
elements, copies of one number are one, and what is made element by element has no more than there
are combinations of its operands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from typing import TYPE_CHECKING, NamedTuple

from graphcount.analysis.counts import REPLACEABLE, Row
from graphcount.errors import Unknown
from graphcount.graph import (
    GraphNode,
    ModelGraph,
    OperatorNode,
    Use,
    is_constant,
    reached,
    traits_of,
)
from graphcount.loading.model import Attribute

if TYPE_CHECKING:
    from graphcount.analysis.generated import Generated

OPERANDS = "operands"
"""What an unknown affects that makes `operand_elements` a lower bound."""

STEERING = frozenset({"shape", "axes"})
"""Roles of operands that say how large or where, and are no numbers to compute with."""

SIZING = STEERING | {"scalar", "index", "literal"}
"""Roles of operands that the size of a result may depend on."""

LISTS_OF_INTEGERS = frozenset({"ml", "text"})
"""Families of operators whose lists of integers are values (keys, labels, n-grams); elsewhere they
say how large or where, and have no more items than a tensor has dimensions."""


MOST_SIZES = 128
"""Sizes that an operand may have: one before and one behind each of `MAX_RANK` dimensions. Those of
more elements (lengths of sequences) are numbers like any."""


class NumberSource(NamedTuple):
    """Numbers that a file holds or generates.

    Attributes:
        elements: How many.
        origins: Nodes that hold or generate them.
        row: The stored tensor; None for numbers in attributes and generated ones.
    """

    elements: int
    origins: tuple[str, ...]
    row: Row | None


class OperandElements(NamedTuple):
    """What reaches the outputs of a model through numbers, and not only through sizes.

    Attributes:
        graph: The graph.
        influential: Nodes of which a number can change a number of an output.
        constant: Those of them that depend on no input.
        sources: Stored and generated numbers of the influential nodes.
        open: Nodes that generate numbers, nobody knows yet how many.
    """

    graph: ModelGraph
    influential: set[str]
    constant: set[str]
    sources: tuple[NumberSource, ...]
    open: tuple[str, ...]

    @property
    def computes(self) -> bool:
        """Whether there is more to it than the sum before folding; see `folded`."""
        nodes = self.graph.nodes
        return bool(self.open) or not all(is_source(nodes[id]) for id in self.constant)

    @property
    def before(self) -> int:
        """The sum before folding, without what is open."""
        return sum(source.elements for source in self.sources)


def gaps(nodes: Sequence[str], unknown: Iterable[Unknown]) -> Iterator[Unknown]:
    """Yield why a sum is a lower bound: a node nobody knows the size of, what callers replace."""
    for node in nodes[:1]:
        yield Unknown(node, "operand elements", "how many numbers it makes is not known", OPERANDS)
    replaceable = [row for row in unknown if row.what == REPLACEABLE]
    for row in replaceable[:1]:
        yield row._replace(what="operand elements", affects=OPERANDS)


def operand_elements(
    graph: ModelGraph, rows: Iterable[Row], generated: Iterable[Generated]
) -> OperandElements:
    """Return what reaches the outputs of a model through numbers.

    Args:
        graph: The graph.
        rows: Its stored tensors.
        generated: Nodes that make numbers from constants.
    """
    rows, constant = tuple(rows), _constant(graph)
    reach = influential(graph, _many(graph, rows, constant))
    constant &= reach
    made = {row.node: row for row in generated if row.node in reach}
    sized = [id for id, row in made.items() if _draws(graph.operator(id)) and not row.unresolved]
    unsized = [
        node.id
        for nodes in graph.by_operator.values()
        if not traits_of(nodes[0]).isdisjoint(("generates", "random"))
        for node in nodes
        if node.id in reach and node.id not in sized
        if node.id in made or node.id in constant or _is_seeded(node)
    ]
    unsized = [id for id in unsized if _draws(graph.operator(id))]
    sources = [*_stored(graph, rows, reach)]
    sources += [NumberSource(made[id].elements, (id,), None) for id in sized]
    return OperandElements(graph, reach, constant, tuple(sources), tuple(unsized))


def _many(graph: ModelGraph, rows: tuple[Row, ...], constant: set[str]) -> set[str]:
    """Return the constants that are made of more stored numbers than there are sizes."""
    large = [
        origin
        for row in rows
        if row.stored.elements > MOST_SIZES
        for origin in row.tensor.origins
        if origin in constant
    ]
    return reached(
        lambda id: [use.node for use in graph.readers(id) if use.node in constant], large
    )


def influential(graph: ModelGraph, many: Set[str]) -> set[str]:
    """Return the nodes of which an element, not just the shape, can change one of an output.

    Args:
        graph: The graph.
        many: What has too many numbers to be sizes.
    """
    none, shapes = _without_influence(graph, many)
    elements = graph.nodes.keys() - none
    sizes: set[str] = set()
    stack = [(use.producer, True) for id in shapes - none for use in graph.operands(id)]
    while stack:
        id, by_size = stack.pop()
        seen = sizes if by_size else elements
        if id not in seen:
            seen.add(id)
            node = graph.nodes[id]
            stack += _size_depends(graph, node) if by_size else _depends(graph, node)
    return elements


def _without_influence(graph: ModelGraph, many: Set[str]) -> tuple[set[str], set[str]]:
    """Return what only sizes are taken of, as if none became a number; and what takes them so."""
    none, shapes = set(graph.dead), set[str]()
    ignored: list[Use] = []
    for nodes in graph.by_operator.values():
        if "shape only" in traits_of(nodes[0]):
            shapes.update(node.id for node in nodes)
            ignored += [use for node in nodes for use in graph.operands(node.id)]
        elif nodes[0].operator is not None and not STEERING.isdisjoint(nodes[0].operator.roles):
            ignored += [
                use for node in nodes for use in graph.operands(node.id) if steers(node, use)
            ]
    ignored = [use for use in ignored if use.node not in none and use.producer not in many]
    living: dict[str, int] = {}
    while ignored:
        use = ignored.pop()
        id = use.producer
        if id in none:
            continue
        if id not in living:
            living[id] = sum(reader.node not in graph.dead for reader in graph.readers(id))
        living[id] -= 1
        if living[id] == 0:
            none.add(id)
            node = graph.nodes[id]
            ignored += reads(graph, node) if "shape only" not in traits_of(node) else ()
    return none, shapes


def _constant(graph: ModelGraph) -> set[str]:
    """Return the nodes that depend on no input."""
    entering = graph.entering
    stack = [
        id
        for id, node in graph.nodes.items()
        if node.kind == "initializer"
        or (node.kind == "operator" and not node.record.inputs and not entering(id))
    ]
    constant = set(stack)
    waiting: dict[str, int] = {}
    while stack:
        for use in graph.readers(stack.pop()):
            id = use.node
            waiting[id] = left = waiting.get(id, len(entering(id))) - 1
            if left == 0:
                constant.add(id)
                stack.append(id)
    return constant


def reads(graph: ModelGraph, node: GraphNode) -> list[Use]:
    """Return what enters a node and is a number to compute with, not only a size or a place."""
    operator = node.operator
    if operator is None or STEERING.isdisjoint(operator.roles):
        return list(graph.entering(node.id))
    return [use for use in graph.entering(node.id) if not steers(node, use)]


def steers(node: GraphNode, use: Use) -> bool:
    """Return whether what enters a node only says how large or where."""
    operator, index = node.operator, use.index
    return operator is not None and index is not None and operator.role(index) in STEERING


def _depends(graph: ModelGraph, node: GraphNode) -> Iterator[tuple[str, bool]]:
    """Yield what the elements of a node depend on: elements of others, or their sizes alone."""
    by_size = "shape only" in traits_of(node)
    for use in reads(graph, node):
        yield use.producer, by_size


def _size_depends(graph: ModelGraph, node: GraphNode) -> Iterator[tuple[str, bool]]:
    """Yield what the shape of a node depends on."""
    operator = node.operator
    whole = node.kind == "operator" and (
        operator is None or not operator.traits.isdisjoint(("sized by data", "runs bodies"))
    )
    for use in graph.entering(node.id):
        role = operator.role(use.index) if operator is not None and use.index is not None else None
        yield use.producer, not (whole or role in SIZING)


def _draws(node: OperatorNode) -> bool:
    """Return whether numbers that a node generates differ, as those of a range, or random ones."""
    traits = traits_of(node)
    held = node.operator is not None and node.operator.attributes
    return "random" in traits or ("keeps values" not in traits and not held)


def _is_seeded(node: OperatorNode) -> bool:
    return node.record.attribute("seed") is not None


def is_source(node: GraphNode) -> bool:
    """Return whether its numbers are stored or generated, not computed."""
    return (
        node.kind == "initializer"
        or is_constant(node)
        or "random" in traits_of(node)
        or ("generates" in traits_of(node) and not copies(node))
    )


def copies(node: GraphNode) -> bool:
    """Return whether a node moves or converts numbers, and makes no others of them."""
    operator = node.operator
    if operator is None:
        return node.kind != "operator"
    return bool(operator.passes) or (
        "keeps values" in operator.traits and "picks" not in operator.traits
    )


# ---------------------------------------------------------------------------------- stored numbers


def _stored(graph: ModelGraph, rows: tuple[Row, ...], reach: set[str]) -> Iterator[NumberSource]:
    """Yield the stored numbers of influential nodes: tensors, then what attributes hold."""
    split = _split_strings(graph, reach)
    for row in rows:
        origins = row.tensor.origins
        if row.verdict.kind != "parameter" and reach.isdisjoint(origins):
            continue
        elements = max(row.elements, row.stored.elements)
        if row.stored.dtype == "string" and not split.isdisjoint(origins):
            elements = max(elements, row.stored.nbytes)
        yield NumberSource(elements, origins, row)
    seen = {row.stored.key for row in rows}
    for node in graph.operators:
        if not node.record.attributes or node.id not in reach:
            continue
        for attribute in node.record.attributes:
            if attribute.numbers is not None and attribute.offset not in seen:
                count = _values(node, attribute)
                if count:
                    seen.add(attribute.offset)
                    yield NumberSource(count, (node.id,), None)


def _values(node: OperatorNode, attribute: Attribute) -> int:
    """Return how many numbers of an attribute are computed with: those of a list, or a Constant."""
    numbers, operator = attribute.numbers, node.operator
    if numbers is None or not (numbers.is_list or is_constant(node)):
        return 0
    if numbers.kind == "int" and operator is not None and not is_constant(node):
        values = operator.family in LISTS_OF_INTEGERS and not operator.attributes
        return len(numbers.values) if values else 0
    return len(numbers.values)


def _split_strings(graph: ModelGraph, reach: set[str]) -> set[str]:
    """Return what reaches an operator that makes several strings of one."""
    return graph.ancestors(
        node.id
        for nodes in graph.by_operator.values()
        if (operator := nodes[0].operator) is not None
        and operator.family == "text"
        and "sized by data" in operator.traits
        for node in nodes
        if node.id in reach
    )
