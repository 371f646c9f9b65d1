"""A forward pass in the report: shapes, MACs, element-wise work and activations.

Numbers where every dimension is known; where dimensions are dynamic, expressions in their names,
which `Report.macs(batch=8)` evaluates.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from graphcount.analysis.cost import ModelCost, model_cost
from graphcount.analysis.counts import REPLACEABLE, Row
from graphcount.analysis.gaps import gaps, mismatches, reported
from graphcount.analysis.memory import Memory, memory, peak_row, timeline_rows
from graphcount.analysis.node_costs import COUNTED, NodeCosts, costed, expression, node_rows, number
from graphcount.analysis.operand_elements import OperandElements
from graphcount.analysis.operand_elements import gaps as operand_gaps
from graphcount.analysis.precision import multiplied
from graphcount.analysis.shapes import Bindings, ShapeError, ValueShapes, infer_shapes
from graphcount.analysis.traffic import ModelTraffic, model_traffic
from graphcount.analysis.values import Values
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph
from graphcount.loading.model import ModelProto
from graphcount.ops.call import Shape
from graphcount.ops.cost import NO_RULES, CostRule
from graphcount.ops.operator import Key
from graphcount.report.pass_rows import (
    ArenaRow,
    AssumedNodeRow,
    AssumedRow,
    DimensionRow,
    StatesRow,
)
from graphcount.report.records import COSTS, Report, at_least
from graphcount.report.rows import Dim, ValueRow
from graphcount.symbolic import Dim as Size
from graphcount.symbolic import Expr

NO_RANGES: Mapping[str, tuple[int, int]] = {}

ROUNDS = 3
"""Forward passes at assumed sizes: at some of them, further sizes that the data decide turn up."""


class CostOptions(NamedTuple):
    """How a forward pass is measured.

    Attributes:
        bindings: Sizes of dynamic dimensions.
        with_bias: Count additions of biases as MACs too, as torchinfo does.
        in_place: Results take over the memory of inputs where they can; see `memory`.
        timeline: Report the bytes alive at each step, too.
        arena: Report a place for every activation in one block.
        operators: Rules for operators that the program does not know.
        ranges: Least and most size of dimensions; see `graphcount.analysis.ranges`.
        assume: Work it out at assumed sizes too, where dimensions are dynamic; sizes in it are
            taken before a model's own hints. None: do not.
    """

    bindings: Bindings = Bindings()
    with_bias: bool = False
    in_place: bool = False
    timeline: bool = False
    arena: bool = False
    operators: Mapping[Key, CostRule] = NO_RULES
    ranges: Mapping[str, tuple[int, int]] = NO_RANGES
    assume: Mapping[str, int] | None = None


def add_cost(
    report: Report,
    proto: ModelProto,
    model_graph: ModelGraph,
    operands: OperandElements,
    rows: tuple[Row, ...],
    values: Values,
    options: CostOptions,
) -> Report:
    """Return the report with the cost of a forward pass.

    Raises:
        ShapeError: A binding does not fit the model.
    """
    subject = _Subject(report, proto, model_graph, operands, rows, values)
    if options.ranges:
        bindings = options.bindings._replace(ranged=frozenset(options.ranges))
        options = options._replace(bindings=bindings)
    passed = _passed(subject, options)
    report = _measured(subject, passed, options)
    shapes = passed.shapes
    if not shapes.places and not options.ranges:
        return report
    called = {f"{row.value}[{row.axis}]": name for name, row in shapes.places.items()}
    options = options._replace(ranges=_ranges(options.ranges, called))
    dimensions = _dimensions(shapes)
    if options.assume is not None:
        from graphcount.analysis.assumed import assumed_sizes
        from graphcount.analysis.fitting import fitted

        wanted = options.assume, options.ranges
        dimensions = assumed_sizes(dimensions, proto, model_graph, shapes, *wanted)
        dimensions = fitted(
            dimensions, lambda sizes: _refusals(subject, sizes, options), options.ranges
        )
    report = replace(report, dimensions=dimensions)
    if options.ranges:
        report = _over_ranges(report, subject, passed, options)
    return report if options.assume is None else _at_assumed_sizes(subject, report, options)


def _ranges(
    ranges: Mapping[str, tuple[int, int]], called: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    """Return ranges by name of a dimension, which may be given by one of its axes.

    Raises:
        ShapeError: One has two.
    """
    named: dict[str, tuple[int, int]] = {}
    for given, ends in ranges.items():
        name = called.get(given, given)
        if named.setdefault(name, ends) != ends:
            both = " and ".join(f"{low}:{high}" for low, high in (named[name], ends))
            raise ShapeError(f"dimension {name} has two ranges: {both}")
    return named


def _dimensions(shapes: ValueShapes, known: Collection[str] = ()) -> tuple[DimensionRow, ...]:
    """Return the dynamic dimensions without a size, as far as they are not known yet."""
    return tuple(
        DimensionRow(name, place.words, None, "", _written(place.most))
        for name, place in shapes.places.items()
        if name not in known
    )


class _Subject(NamedTuple):
    """A counted model."""

    report: Report
    proto: ModelProto
    graph: ModelGraph
    operands: OperandElements
    rows: tuple[Row, ...]
    values: Values


class _Passed(NamedTuple):
    """A forward pass, worked out."""

    shapes: ValueShapes
    cost: ModelCost
    used: Memory


def _passed(subject: _Subject, options: CostOptions, *, refuse: bool = True) -> _Passed:
    """Return shapes, costs and memory at the sizes that are given."""
    _, proto, graph, _, rows, values = subject
    shapes = infer_shapes(proto, graph, rows, values, options.bindings, refuse=refuse)
    cost = model_cost(graph, shapes, options.operators, with_bias=options.with_bias)
    used = memory(graph, shapes, in_place=options.in_place, timeline=options.timeline)
    return _Passed(shapes, cost, used)


def _measured(subject: _Subject, passed: _Passed, options: CostOptions) -> Report:
    """Return the report with the cost of a forward pass."""
    report, graph = subject.report, subject.graph
    shapes, cost, used = passed
    made, stored = _settled(report.unknown, graph, shapes)
    operands, unsized = _operand_elements(subject.operands, shapes, stored)
    traffic = model_traffic(graph, shapes, cost)
    nodes = NodeCosts(cost, traffic, multiplied(graph, shapes))
    unknown = (*stored, *unsized, *gaps(shapes, cost, used, traffic))
    lacking = at_least(unknown, (*cost.lacking, *_lost(unknown, traffic, used)))
    bound, applied = options.bindings.dims, frozenset(shapes.applied)
    return replace(
        report,
        dims={n: size for n, size in bound.items() if n in applied} | shapes.by_shape,
        model=report.model._replace(
            inputs=_bound(report.model.inputs, graph, shapes),
            outputs=_bound(report.model.outputs, graph, shapes),
        ),
        totals=costed(report.totals, nodes)._replace(
            activation_expression=expression(used.activations),
            generated=report.totals.generated + made,
            operand_elements=operands,
            at_least=lacking,
            lower_bound=not {"parameters", "macs"}.isdisjoint(lacking),
            input_nbytes=number(used.inputs),
            output_nbytes=number(used.outputs),
            load_nbytes=number(used.load),
            activation_nbytes=number(used.activations),
            peak_activation_nbytes=used.peak.nbytes if used.peak else None,
        ),
        nodes=node_rows(report.nodes, shapes, nodes, options.operators),
        peak=peak_row(used),
        timeline=timeline_rows(used),
        arena=_arena(graph, shapes, options),
        states=_states(graph, shapes),
        mismatches=mismatches(shapes),
        unknown=unknown,
    )


def _operand_elements(
    operands: OperandElements, shapes: ValueShapes, unknown: Iterable[Unknown]
) -> tuple[int, Iterable[Unknown]]:
    """Return `operand_elements`, and why it is a lower bound where it is one."""
    if not operands.computes:
        return operands.before, operand_gaps((), unknown)
    from graphcount.analysis.folded import total

    elements, unsized = total(operands, shapes)
    return elements, operand_gaps(unsized, unknown)


def _lost(unknown: Iterable[Unknown], traffic: ModelTraffic, used: Memory) -> tuple[str, ...]:
    """Return the measures that lack something beside what costs lack."""
    if any(item.what == REPLACEABLE for item in unknown):
        return COSTS
    memory = ("activation", "peak") if used.lost else ()
    return ("traffic", *memory) if traffic.lost else memory


def _over_ranges(
    report: Report, subject: _Subject, passed: _Passed, options: CostOptions
) -> Report:
    """Return the report with the least and the most over ranges of sizes."""
    from graphcount.analysis.ranges import over_ranges
    from graphcount.analysis.ranging import Ranging

    def again(bindings: Bindings, refuse: bool) -> _Passed:
        return _passed(subject, options._replace(bindings=bindings), refuse=refuse)

    proto, graph = subject.proto, subject.graph
    ranging = Ranging(proto, graph, options.bindings, options.ranges, again, options.in_place)
    return replace(report, ranges=over_ranges(report.dimensions, ranging, passed))


def _refusals(subject: _Subject, sizes: Mapping[str, int], options: CostOptions) -> int:
    """Return how many operators cannot take assumed sizes, or lose a shape at them."""
    _, proto, graph, _, rows, values = subject
    bindings = _with(options.bindings, sizes)
    shapes = infer_shapes(proto, graph, rows, values, bindings, refuse=False)
    return len(shapes.refused) + (len(shapes.unresolved) if shapes.refused else 0)


def _with(bindings: Bindings, sizes: Mapping[str, int]) -> Bindings:
    """Return sizes that are given and others that are assumed."""
    dims = {**bindings.dims, **sizes}
    return bindings._replace(dims=dims, where_present=bindings.where_present | dims.keys())


def _at_assumed_sizes(subject: _Subject, report: Report, options: CostOptions) -> Report:
    """Return the report with the cost at sizes that the model's own hints give."""
    from graphcount.analysis.assumed import assumed_sizes

    wanted = options.assume or {}, options.ranges
    for _ in range(ROUNDS):
        sizes = {row.name: row.assumed for row in report.dimensions if row.assumed is not None}
        sized = options._replace(bindings=_with(options.bindings, sizes))
        passed = _passed(subject, sized, refuse=False)
        rows = _dimensions(passed.shapes, sizes)
        if not rows:
            break
        rows = assumed_sizes(
            rows, subject.proto, subject.graph, passed.shapes, *wanted, others=sizes
        )
        report = replace(report, dimensions=(*report.dimensions, *rows))
    made = _measured(subject, passed, sized)
    row = AssumedRow(
        dims=made.dims,
        inputs=made.model.inputs,
        outputs=made.model.outputs,
        totals=made.totals,
        nodes=tuple([AssumedNodeRow._make(node[COUNTED:]) for node in made.nodes]),
        peak=made.peak,
        timeline=made.timeline,
        arena=made.arena,
        states=made.states,
        unknown=made.unknown,
    )
    return replace(report, assumed=row)


def _written(dim: Size | None) -> Dim:
    return str(dim) if isinstance(dim, Expr) else dim


def _bound(
    values: tuple[ValueRow, ...], model_graph: ModelGraph, shapes: ValueShapes
) -> tuple[ValueRow, ...]:
    """Return inputs and outputs with what bindings and inference made of their shapes."""
    known: Mapping[tuple[str, str], Shape] = shapes.shapes
    producers = {
        node.name: use.producer
        for node in model_graph.outputs
        for use in model_graph.operands(node.id)
    }
    bound = []
    for value in values:
        producer = producers.get(value.name, f"input:{value.name}")
        shape = known.get((f"input:{value.name}", value.name)) or known.get((producer, value.name))
        declared = reported(shapes.resized.get(value.name))
        if shape is not None:
            value = value._replace(shape=reported(shape), declared=declared)
        bound.append(value)
    return tuple(bound)


def _settled(
    unknowns: tuple[Unknown, ...], graph: ModelGraph, shapes: ValueShapes
) -> tuple[int, tuple[Unknown, ...]]:
    """Return what shapes say of generated elements whose size was not known; see `settled`."""
    if not any(unknown.affects == "generated" for unknown in unknowns):
        return 0, unknowns
    from graphcount.analysis.generated import settled

    return settled(unknowns, graph, shapes)


def _states(graph: ModelGraph, shapes: ValueShapes) -> StatesRow | None:
    """Return the states; a step takes something new beside them, so one input is none."""
    if len(graph.inputs) < 2:
        return None
    from graphcount.analysis.states import find_states

    return find_states(graph, shapes)


def _arena(graph: ModelGraph, shapes: ValueShapes, options: CostOptions) -> ArenaRow | None:
    """Return places of activations, where they are asked for and sizes are known."""
    if not options.arena:
        return None
    from graphcount.analysis.placement import arena

    return arena(graph, shapes, in_place=options.in_place)
