"""Matrix products (Operators.md: MatMul, Gemm, Einsum; numpy.matmul)."""

from __future__ import annotations

from graphcount.ops.call import Call, Shape
from graphcount.ops.shape.kit import MAX_RANK, Rule, Shapes, broadcast, joined
from graphcount.ops.tables import Key, each, table
from graphcount.symbolic import Dim


def matmul_shape(a: Shape | None, b: Shape | None) -> Shape | None:
    """Shape of numpy.matmul: batch dimensions broadcast, vectors lose their added dimension."""
    if a is None or b is None:
        return None
    if not a or not b:
        raise ValueError("a scalar cannot be multiplied as a matrix")
    batch = broadcast([a[:-2], b[:-2]])
    if batch is None:
        return None
    rows = a[-2:-1]
    columns = b[-1:] if len(b) > 1 else ()
    return (*batch, *rows, *columns)


def matmul_at(first: int, second: int) -> Rule:
    """Product of two inputs."""

    def rule(call: Call) -> Shapes:
        return [matmul_shape(call.input(first), call.input(second))]

    return rule


def gemm_at(first: int, second: int) -> Rule:
    """Gemm of two matrices, optionally transposed; Gemm-1 flattened nothing either."""

    def rule(call: Call) -> Shapes:
        a, b = call.input(first), call.input(second)
        rows, columns = None, None
        if a is not None:
            rows = a[1] if call.node.integer("transA", 0) else a[0]
        if b is not None:
            columns = b[0] if call.node.integer("transB", 0) else b[1]
        return [(rows, columns)]

    return rule


def det(call: Call) -> Shapes:
    """Det: the last two dimensions go."""
    data = call.input(0)
    return [data[:-2] if data is not None else None]


def einsum(call: Call) -> Shapes:
    """Einsum: one size a letter; an ellipsis stands for dimensions that broadcast."""
    equation = call.node.text("equation").replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(call.inputs) or len(equation) > 10_000:
        raise ValueError("the equation does not fit")
    sizes: dict[str, Dim | None] = {}
    batches: list[Shape] = []
    for term, shape in zip(terms, call.inputs, strict=True):
        if shape is None:
            return [None]
        before, dots, after = term.partition("...")
        middle = len(shape) - len(before) - len(after)
        if middle < 0 or (middle and not dots):
            raise ValueError("a term does not fit its operand")
        if dots:
            batches.append(shape[len(before) : len(before) + middle])
        named = (*shape[: len(before)], *shape[len(before) + middle :])
        for letter, size in zip(before + after, named, strict=True):
            sizes[letter] = joined(sizes[letter], size) if letter in sizes else size
    batch = broadcast(batches) if batches else ()
    if batch is None:
        return [None]
    if not arrow:  # implicit form: letters that occur once, in alphabetical order
        once = "".join(sorted(letter for letter in sizes if left.count(letter) == 1))
        right = f"...{once}" if batches else once
    before, dots, after = right.partition("...")
    head = tuple(sizes[letter] for letter in before)
    tail = tuple(sizes[letter] for letter in after)
    result = (*head, *(batch if dots else ()), *tail)
    return [result if len(result) <= MAX_RANK else None]


TABLE: dict[Key, Rule] = table(
    "",
    each("MatMul MatMulInteger", matmul_at(0, 1)),
    {
        "QLinearMatMul": matmul_at(0, 3),
        "Gemm": gemm_at(0, 1),
        "Einsum": einsum,
        "Det": det,
    },
)
