"""If, Loop and Scan: what enters their bodies and what comes out (Operators.md).

The state of a loop keeps the shape it starts with when the body returns that shape; a dimension
that changes is not known, and the pass is done again with that.
"""

from __future__ import annotations

from graphcount.analysis.shapes import sequences
from graphcount.analysis.shapes.state import NOTHING, Result, State, ValueKey
from graphcount.analysis.shapes.trips import ENDLESS, loop_trips
from graphcount.graph import Body, Input
from graphcount.loading.model import Node
from graphcount.ops.call import Shape
from graphcount.ops.inference import larger, times
from graphcount.symbolic import Dim, Expr

INT64, BOOL = 7, 9

# ------------------------------------------------------------------------------ into the body


def body_input(state: State, node: Input, body: Body) -> Result:
    """Return what an input of a body is known to be."""
    position = body.positions.get(node.name, 0)
    if body.node.domain == "" and body.node.op_type == "Loop":
        return _loop_input(state, node.id, body.node.id, position)
    if body.node.domain == "" and body.node.op_type == "Scan":
        return _scan_input(state, node.id, body, position)
    if body.node.operator is not None and body.node.operator.family == "sequence":
        return Result(*sequences.mapped_input(state, body, position))
    if body.node.operator is not None and body.node.operator.multiplies:
        return _scores(state, body)
    return NOTHING


def _scores(state: State, body: Body) -> Result:
    """Return what enters the bodies of FlexAttention: scores (B, heads, queries, keys)."""
    query, key = (state.shape(source) for source in state.sources(body.node.id, 2))
    state.trips[body.node.id] = 1
    if query is None or key is None or len(query) != 4 or len(key) != 4:
        return NOTHING
    return Result((*query[:3], key[2]))


def _loop_input(state: State, node_id: str, loop: str, position: int) -> Result:
    if position == 0:
        return Result((), INT64)
    if position == 1:
        return Result((), BOOL)
    source = state.source_of(node_id)
    shape = state.widened.get((loop, position), state.shape(source))
    return Result(shape, state.dtypes.get(source, 0) if source else 0)


def _scan_input(state: State, node_id: str, body: Body, position: int) -> Result:
    node = body.node.record
    source = state.source_of(node_id)
    shape = state.shape(source)
    dtype = state.dtypes.get(source, 0) if source else 0
    scanned = len(body.inputs) - node.integer("num_scan_inputs", 0)
    batched = body.batched
    if position < scanned:
        if shape is not None and batched:
            shape = shape[1:]
        return Result(state.widened.get((body.node.id, position), shape), dtype)
    if shape is None:
        return Result(None, dtype)
    if batched:
        return Result(shape[2:], dtype)
    axis = _axis(node.integers("scan_input_axes"), position - scanned, len(shape))
    return Result((*shape[:axis], *shape[axis + 1 :]) if axis is not None else None, dtype)


def _axis(axes: tuple[int, ...] | None, index: int, rank: int) -> int | None:
    axis = axes[index] if axes is not None and index < len(axes) else 0
    return axis + rank if -rank <= axis < 0 else (axis if 0 <= axis < rank else None)


# ---------------------------------------------------------------------------------- out of the body


def outputs(state: State, node_id: str, node: Node) -> list[Result]:
    """Return what is known of the outputs of If, Loop or Scan."""
    if node.op_type == "If":
        return _if_outputs(state, node_id, node)
    if node.op_type == "Loop":
        return _loop_outputs(state, node_id, node)
    return _scan_outputs(state, node_id, node)


def _result(state: State, key: ValueKey | None) -> Result:
    if key is None:
        return NOTHING
    return Result(state.shapes.get(key), state.dtypes.get(key, 0), state.known(key))


def _if_outputs(state: State, node_id: str, node: Node) -> list[Result]:
    condition = state.known(state.sources(node_id, 1)[0])
    branches = [state.results(node_id, name) for name in ("then_branch", "else_branch")]
    taken: int | None = None
    if condition is not None and len(condition) == 1 and isinstance(condition[0], int):
        taken = 0 if condition[0] else 1
        state.dead.append(f"{node_id}/{'else_branch' if taken == 0 else 'then_branch'}/")
    results = []
    for position in range(len(node.outputs)):
        yes, no = (_result(state, branch.get(position)) for branch in branches)
        results.append((yes, no)[taken] if taken is not None else _either(yes, no))
        if state.elements and node.outputs[position]:
            keys = [branch.get(position) for branch in branches]
            sequences.chosen(state, (node_id, node.outputs[position]), keys, taken)
    return results


def _either(a: Result, b: Result) -> Result:
    """Return what two branches have in common."""
    numbers = a.numbers if a.numbers == b.numbers else None
    dtype = a.dtype if a.dtype == b.dtype else 0
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return Result(None, dtype, None)
    dims = zip(a.shape, b.shape, strict=True)
    return Result(tuple(x if x == y else None for x, y in dims), dtype, numbers)


def _loop_outputs(state: State, node_id: str, node: Node) -> list[Result]:
    body = state.graph.body_at.get(f"{node_id}/body")
    if body is None:
        return [NOTHING] * len(node.outputs)
    results = state.results(node_id, "body")
    states = max(len(node.inputs) - 2, 0)
    trip, most, surely = loop_trips(state, node_id, node, body, results)
    state.trips[node_id] = trip
    if trip is None and most is not None and not (isinstance(most, int) and most >= ENDLESS):
        state.limits[node_id] = most
    if trip is None and not surely:
        state.perhaps.add(node_id)
    outputs = []
    for position in range(len(node.outputs)):
        inside = _result(state, results.get(position + 1))
        if position < states:
            inside = inside._replace(shape=_stable(state, body, position + 2, inside.shape))
            outputs.append(inside._replace(numbers=None))
        else:
            shape = (trip, *inside.shape) if inside.shape is not None else None
            outputs.append(Result(shape, inside.dtype))
    return outputs


def undecided(state: State, node_id: str) -> str:
    """Return why the shape of an If is lost, with the sizes that decide between its branches."""
    why = "its branches return different shapes"
    key = state.sources(node_id, 1)[0]
    for _ in range(8):
        node = state.graph.nodes[key[0]] if key is not None else None
        if node is None or node.kind != "operator" or node.operator is None:
            break
        a, b = state.sources(node.id, 2)
        if "compares" in node.operator.traits:
            sizes = [known[0] for known in map(state.known, (a, b)) if known and len(known) == 1]
            if len(sizes) == 2 and all(isinstance(size, int | Expr) for size in sizes):
                return f"{why}; which runs depends on how {sizes[0]} compares with {sizes[1]}"
            break
        key = a if node.op_type == "Not" or 0 in node.operator.passes else None
    return why


def largest(state: State, node_id: str, node: Node) -> list[Shape | None]:
    """Return the largest shapes that leave an If or a Loop: of either branch, of all its trips."""
    count = range(len(node.outputs))
    if node.op_type == "If":
        branches = [state.results(node_id, name) for name in ("then_branch", "else_branch")]
        pairs = [[state.shape(branch.get(position)) for branch in branches] for position in count]
        return [_larger(yes, no) for yes, no in pairs]
    most = state.limits.get(node_id)
    if node.op_type != "Loop" or most is None:
        return []
    results, states = state.results(node_id, "body"), max(len(node.inputs) - 2, 0)
    inside = [state.shape(results.get(position + 1)) for position in count]
    return [
        (most, *shape) if position >= states and shape is not None else None
        for position, shape in enumerate(inside)
    ]


def _larger(a: Shape | None, b: Shape | None) -> Shape | None:
    if a is None or b is None or len(a) != len(b):
        return None
    pairs = zip(a, b, strict=True)
    return tuple(larger(x, y) if x is not None and y is not None else None for x, y in pairs)


def _stable(state: State, body: Body, position: int, after: Shape | None) -> Shape | None:
    """Return the shape of a state in every iteration; a smaller claim is kept for next time."""
    if position >= len(body.inputs):
        return None
    name = body.inputs[position]
    input_id = f"{body.scope}/input:{name}"
    before = state.shapes.get((input_id, name))
    if before is None or before == after:
        return before
    if after is None or len(after) != len(before):
        common: Shape | None = None
    else:
        pairs = zip(before, after, strict=True)
        common = tuple(x if x == y else None for x, y in pairs)
    if common != before:
        state.widened[body.node.id, position] = common
        state.unstable = True
    return common


def _scan_outputs(state: State, node_id: str, node: Node) -> list[Result]:
    body = state.graph.body_at.get(f"{node_id}/body")
    if body is None:
        return [NOTHING] * len(node.outputs)
    batched = body.batched
    scanned = node.integer("num_scan_inputs", 0)
    states = len(body.inputs) - scanned
    sources = state.sources(node_id, len(node.inputs))
    first = state.shape(sources[states + batched]) if 0 <= states + batched < len(sources) else None
    trip, batch = _scan_trips(node, first, batched)
    state.trips[node_id] = times(trip, batch) if batched else trip
    results = state.results(node_id, "body")
    outputs = []
    for position in range(len(node.outputs)):
        inside = _result(state, results.get(position))
        if position < states:
            shape = _stable(state, body, position, inside.shape)
            lead: Shape = (batch,) if batched else ()
            outputs.append(Result((*lead, *shape) if shape is not None else None, inside.dtype))
            continue
        shape = inside.shape
        if shape is not None and batched:
            shape = (batch, trip, *shape)
        elif shape is not None:
            axes = node.integers("scan_output_axes")
            axis = _axis(axes, position - states, len(shape) + 1)
            shape = (*shape[:axis], trip, *shape[axis:]) if axis is not None else None
        outputs.append(Result(shape, inside.dtype))
    return outputs


def _scan_trips(node: Node, first: Shape | None, batched: bool) -> tuple[Dim | None, Dim | None]:
    """Return the steps of a sequence and (Scan-8) the batch, from the first scanned tensor."""
    if first is None:
        return None, None
    if batched:
        return (first[1], first[0]) if len(first) > 1 else (None, None)
    axis = _axis(node.integers("scan_input_axes"), 0, len(first))
    return (first[axis] if axis is not None else None), None
