"""Matrix products: every output is a sum of `inner` products.

Sources: ONNX Operators.md (MatMul, Gemm, Det), numpy.matmul for broadcasting. MACs = output
elements x length of the sum, as in torch.utils.flop_counter (mm, addmm, bmm) divided by two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graphcount.loading.model import Node
from graphcount.ops.call import Call, Dims, Shape, ShapeRule, Shapes, size
from graphcount.ops.formulas import (
    CostRule,
    Formula,
    Text,
    UnknownDimError,
    agree,
    attribute,
    checked,
    dimension,
    factors,
    input_shape,
    maybe,
    nothing,
    number,
    output_shape,
    outputs,
    plural,
    when,
)
from graphcount.ops.inference import INT32, always, broadcast, of_input
from graphcount.ops.operator import (
    FACTORS,
    LEFT,
    RIGHT,
    SCALE,
    SCALED_WEIGHT,
    TURNED_FACTORS,
    Operator,
    Scaled,
    family,
    traits,
)
from graphcount.symbolic import Dim, floordiv


class Product(NamedTuple):
    """A matrix product: the shape it makes and the length of each sum in it."""

    out: Dims
    inner: Dim


FindProduct = Callable[[Call], Product]


def matrix_product(
    find: FindProduct, words: str, extra: Formula = nothing, bias: int | None = None
) -> CostRule:
    """Return the rule of a matrix product; `bias` is the input that is added to every output."""

    def macs(call: Call) -> Dim:
        product = find(call)
        return size(product.out) * product.inner

    added = nothing if bias is None else when(bias, lambda call: size(find(call).out))
    return CostRule(words, macs, extra, added, _text(find, bias))


def _text(find: FindProduct, bias: int | None) -> Text:
    def text(call: Call) -> str:
        out, inner = find(call)
        count = size(out)
        sentence = (
            f"{plural(inner, 'multiply-accumulate')} for each of {factors(*out)}"
            f" = {plural(count, 'output')}: {number(count * inner)} MACs"
        )
        if bias is not None and call.has(bias):
            sentence += f"; {number(count)} additions of the bias are not among them"
        return sentence

    return text


# --------------------------------------------------------------------------------- MatMul


def matmul_shape(a: Shape | None, b: Shape | None) -> Shape | None:
    """Return numpy.matmul's shape: batch dimensions broadcast, vectors lose the added one."""
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


def matmul_at(first: int, second: int) -> ShapeRule:
    """Return the shape rule of a product of two inputs."""

    def rule(call: Call) -> Shapes:
        return [matmul_shape(call.input(first), call.input(second))]

    return rule


def inner_at(first: int, second: int) -> Callable[[Call], str]:
    """Return the check of a product of two inputs: the dimension that is summed is one."""

    def check(call: Call) -> str:
        a, b = call.input(first), call.input(second)
        return _unequal(a[-1], b[0] if len(b) == 1 else b[-2]) if a and b else ""

    return check


def _unequal(left: Dim | None, right: Dim | None) -> str:
    if isinstance(left, int) and isinstance(right, int) and left != right:
        return f"sums over {left} elements of one matrix and {right} of the other"
    return ""


def multiplied(a: Dims, b: Dims) -> Product:
    """Return the product of two known shapes, one-dimensional operands included."""
    if not a or not b:
        raise UnknownDimError
    inner = agree(a[-1], b[0] if len(b) == 1 else b[-2])
    try:
        out = matmul_shape(a, b) or ()
    except ValueError as error:
        raise UnknownDimError(str(error)) from error
    return Product(tuple(checked(one) for one in out), inner)


def matmul(a: int = 0, b: int = 1) -> FindProduct:
    """MatMul of inputs `a` and `b` as numpy does it, one-dimensional operands included.

    Where their batch dimensions are different symbols, the output tells which one it is.
    """

    def find(call: Call) -> Product:
        if call.known(a) is not None and call.known(b) is not None:
            left, right = input_shape(call, a), input_shape(call, b)
            product = _maybe_product(left, right)
            is_sure = product is not None and {*left, *right}.issuperset(product.out)
            if product is not None and (is_sure or call.output() is None):
                return product
        is_vector = len(call.input(b) or ()) == 1
        left_inner = maybe(lambda: dimension(call, a, -1))
        right_inner = maybe(lambda: dimension(call, b, -1 if is_vector else -2))
        return Product(output_shape(call), agree(left_inner, right_inner))

    return find


def _maybe_product(a: Dims, b: Dims) -> Product | None:
    """Return the product of two known shapes; None when symbols may hide that it is none."""
    try:
        return multiplied(a, b)
    except UnknownDimError:
        if all(isinstance(one, int) for one in (*a, *b)):
            raise
        return None


# ----------------------------------------------------------------------------------- Gemm


def _sides(call: Call, a: int, b: int) -> tuple[Shape, Shape]:
    """Return (rows, inner) and (inner, columns): two matrices, transposed as attributes say."""
    sides: list[Shape] = []
    for index, name in ((a, "transA"), (b, "transB")):
        turned, shape = attribute(call, name, 0), call.input(index)
        if shape is None:
            shape = (None, None)
        elif len(shape) != 2:
            raise UnknownDimError(f"input {index} has {len(shape)} dimensions, no matrix")
        sides.append(shape[::-1] if turned else shape)
    return sides[0], sides[1]


def gemm(a: int = 0, b: int = 1) -> FindProduct:
    """Gemm of inputs `a` [M, K] and `b` [K, N], either of them transposed by attribute."""

    def find(call: Call) -> Product:
        left, right = _sides(call, a, b)
        for one in (*left, *right):
            checked(one or 0)
        out = call.output() or (None, None)
        if len(out) != 2:
            raise UnknownDimError
        rows, columns = agree(left[0], out[0]), agree(right[1], out[1])
        return Product((rows, columns), agree(left[1], right[0]))

    return find


def gemm_at(first: int, second: int) -> ShapeRule:
    """Gemm of two matrices, optionally transposed; Gemm-1 flattened nothing either."""

    def rule(call: Call) -> Shapes:
        left, right = _sides(call, first, second)
        return [(left[0], right[1])]

    return rule


def check_gemm(call: Call) -> str:
    """A [M, K] and B [K, N], as transA and transB turn them."""
    if any(len(call.input(index) or ()) != 2 for index in (0, 1)):
        return ""
    left, right = _sides(call, 0, 1)
    return _unequal(left[1], right[0])


def _gemm_text(call: Call) -> str:
    (rows, columns), inner = gemm()(call)
    biases = maybe(lambda: size(input_shape(call, 2))) if call.has(2) else 0
    stated = f"{factors(inner, columns)} weights"
    stored = inner * columns
    if call.has(2) and biases is not None:
        stated += f" + {plural(biases, 'bias', 'biases')}"
        stored = stored + biases
    return (
        f"{stated} = {number(stored)}; {number(inner * columns)} MACs x {plural(rows, 'row')}"
        f" = {number(rows * columns * inner)} MACs"
    )


def columns(node: Node, weight: tuple[int, ...]) -> int | None:
    """Return the columns of B, which the attribute transB lays as rows."""
    if len(weight) < 2:
        return None
    return weight[-2] if node.integer("transB", 0) else weight[-1]


# ------------------------------------------------------------------------- the determinant


def _elimination(call: Call) -> Dim:
    data = input_shape(call, 0)
    if len(data) < 2:
        raise UnknownDimError
    return floordiv(size(data) * data[-1], 3)


def det(call: Call) -> Shapes:
    """Det: the last two dimensions go."""
    data = call.input(0)
    return [data[:-2] if data is not None else None]


PRODUCT_WORDS = "each output is a sum of products: outputs x length of the sum"
GEMM = matrix_product(gemm(), "rows x (inner x columns) of A·B", bias=2)._replace(text=_gemm_text)

TABLE = family(
    "linear",
    {
        "MatMul": Operator(
            roles=("weight", "weight"),
            shape=matmul_at(0, 1),
            cost=matrix_product(matmul(), PRODUCT_WORDS),
            check=inner_at(0, 1),
            factors=FACTORS,
            channels=columns,
        ),
        "Gemm": Operator(
            roles=("weight", "weight", "bias"),
            shape=gemm_at(0, 1),
            cost=GEMM,
            check=check_gemm,
            factors=TURNED_FACTORS,
            channels=columns,
            form_of="MatMul",
        ),
        "MatMulInteger": Operator(
            roles=("quantized weight", "quantized weight", "zero point", "zero point"),
            shape=matmul_at(0, 1),
            dtypes=always(INT32),
            cost=matrix_product(matmul(), PRODUCT_WORDS),
            check=inner_at(0, 1),
            factors=(LEFT._replace(zero=2), RIGHT._replace(zero=3)),
            channels=columns,
            form_of="MatMul",
            traits=traits("unscaled"),
        ),
        "QLinearMatMul": Operator(
            roles=(*SCALED_WEIGHT, *SCALED_WEIGHT, *SCALE),
            shape=matmul_at(0, 3),
            dtypes=of_input(7),
            cost=matrix_product(matmul(0, 3), "each output is a sum of integer products", outputs),
            check=inner_at(0, 3),
            factors=(LEFT._replace(zero=2), RIGHT._replace(input=3, zero=5)),
            channels=columns,
            form_of="MatMul",
            scaled=(Scaled(1, 2, 0, "rows"), Scaled(4, 5, 3, "rows"), Scaled(6, 7, None, "rows")),
        ),
        "Det": Operator(
            roles=("operand",),
            shape=det,
            cost=CostRule("elimination updates about n·n·n/3 elements", elementwise=_elimination),
        ),
    },
)
