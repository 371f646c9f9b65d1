"""Matrix products: every output is a sum of `inner` products.

Sources: ONNX Operators.md (MatMul, Gemm, Einsum, Det), numpy.matmul for broadcasting,
onnxruntime/docs/ContribOperators.md for the fused and block-quantized forms. MACs = output
elements x length of the sum, as in torch.utils.flop_counter (mm, addmm, bmm) divided by two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graphcount.ops.call import Call, size
from graphcount.ops.cost.einsum import EINSUM
from graphcount.ops.cost.spec import (
    MAX_RANK,
    Formula,
    Rule,
    Text,
    UnknownDimError,
    agree,
    attribute,
    checked,
    dim,
    factors,
    maybe,
    nothing,
    number,
    output,
    outputs,
    plural,
    shape,
    total,
)
from graphcount.ops.tables import each, table
from graphcount.symbolic import Dim, floordiv

Shape = tuple[Dim, ...]


class Product(NamedTuple):
    """A matrix product: the shape it makes and the length of each sum in it."""

    out: Shape
    inner: Dim


Find = Callable[[Call], Product]


def product(find: Find, words: str, extra: Formula = nothing, bias: int | None = None) -> Rule:
    """The rule of a matrix product; `bias` is the input that is added to every output."""

    def macs(call: Call) -> Dim:
        found = find(call)
        return size(found.out) * found.inner

    def added(call: Call) -> Dim:
        return size(find(call).out) if bias is not None and call.has(bias) else 0

    return Rule(words, macs, extra, added, _text(find, bias))


def _text(find: Find, bias: int | None) -> Text:
    def text(call: Call) -> str:
        out, inner = find(call)
        count = size(out)
        said = (
            f"{plural(inner, 'multiply-accumulate')} for each of {factors(*out)}"
            f" = {plural(count, 'output')}: {number(count * inner)} MACs"
        )
        if bias is not None and call.has(bias):
            said += f"; {number(count)} additions of the bias are not among them"
        return said

    return text


# --------------------------------------------------------------------------------- MatMul


def broadcast(a: Shape, b: Shape) -> Shape:
    """The batch dimensions two operands share (numpy); unequal symbols are not known."""
    long, short = (a, b) if len(a) >= len(b) else (b, a)
    start = len(long) - len(short)
    return (*long[:start], *(_wider(x, y) for x, y in zip(long[start:], short, strict=True)))


def _wider(a: Dim, b: Dim) -> Dim:
    if a == 1:
        return b
    if b == 1 or a == b:
        return a
    if isinstance(a, int) == isinstance(b, int):
        raise UnknownDimError
    return agree(a, b)


def _turned(found: Shape, letter: str, call: Call) -> Shape:
    """An operand as FusedMatMul uses it: transBatchX moves the first axis to the last but one."""
    if len(found) > 1 and attribute(call, f"transBatch{letter}", 0):
        found = (*found[1:-1], found[0], found[-1])
    if len(found) > 1 and attribute(call, f"trans{letter}", 0):
        found = (*found[:-2], found[-1], found[-2])
    return found


def _multiplied(a: Shape, b: Shape) -> Product:
    if not a or not b:
        raise UnknownDimError
    inner = agree(a[-1], b[0] if len(b) == 1 else b[-2])
    batch = broadcast(a[:-2], b[:-2])
    return Product((*batch, *a[-2:-1], *(b[-1:] if len(b) > 1 else ())), inner)


def matmul(a: int = 0, b: int = 1) -> Find:
    """MatMul of inputs `a` and `b` as numpy does it, one-dimensional operands included."""

    def find(call: Call) -> Product:
        if call.known(a) is not None and call.known(b) is not None:
            found = _maybe_product(shape(call, a), shape(call, b))
            if found is not None:
                return found
        right = call.input(b)
        left_inner = maybe(lambda: dim(call, a, -1))
        right_inner = maybe(lambda: dim(call, b, -1 if len(right or ()) == 1 else -2))
        return Product(output(call), agree(left_inner, right_inner))

    return find


def _maybe_product(a: Shape, b: Shape) -> Product | None:
    """The product of two known shapes; None when their batch dimensions are different symbols."""
    try:
        return _multiplied(a, b)
    except UnknownDimError:
        if all(isinstance(one, int) for one in (*a, *b)):
            raise
        return None


def _fused_matmul(call: Call) -> Product:
    return _multiplied(_turned(shape(call, 0), "A", call), _turned(shape(call, 1), "B", call))


# ----------------------------------------------------------------------------------- Gemm


def gemm(a: int = 0, b: int = 1) -> Find:
    """Gemm of inputs `a` [M, K] and `b` [K, N], either of them transposed by attribute."""

    def find(call: Call) -> Product:
        turn_a, turn_b = attribute(call, "transA", 0), attribute(call, "transB", 0)
        left = _turn(call.input(a), turn_a)
        right = _turn(call.input(b), turn_b)
        out = call.output() or (None, None)
        if len(out) != 2:
            raise UnknownDimError
        rows, columns = agree(left[0], out[0]), agree(right[1], out[1])
        return Product((rows, columns), agree(left[1], right[0]))

    return find


def _turn(found: tuple[Dim | None, ...] | None, turn: int) -> tuple[Dim | None, Dim | None]:
    first, last = found if found is not None and len(found) == 2 else (None, None)
    if found is not None and len(found) != 2:
        raise UnknownDimError
    for one in (first, last):
        checked(one or 0)
    return (last, first) if turn else (first, last)


def _gemm_text(call: Call) -> str:
    (rows, columns), inner = gemm()(call)
    biases = maybe(lambda: size(shape(call, 2))) if call.has(2) else 0
    said = f"{factors(inner, columns)} weights"
    stored = inner * columns
    if call.has(2) and biases is not None:
        said += f" + {plural(biases, 'bias', 'biases')}"
        stored = stored + biases
    return (
        f"{said} = {number(stored)}; {number(inner * columns)} MACs x {plural(rows, 'row')}"
        f" = {number(rows * columns * inner)} MACs"
    )


# ---------------------------------------------------------------------- packed weights


def _nbits(call: Call) -> Product:
    """A [..., K] times a packed K x N matrix whose sizes are attributes (MatMulNBits)."""
    inner, columns = attribute(call, "K"), attribute(call, "N")
    return Product((*_rows(call), columns), inner)


def _fpq4(call: Call) -> Product:
    """MatMulFpQ4 keeps the sizes of its packed matrix, K and N, in input 2."""
    sizes = call.value(2)
    if sizes is None or len(sizes) != 2:
        return Product(output(call), dim(call, 0, -1))
    return Product((*_rows(call), checked(sizes[1])), dim(call, 0, -1))


def _fpq4_weights(call: Call) -> Dim:
    out, inner = _fpq4(call)
    if not out:
        raise UnknownDimError
    return inner * out[-1]


def _rows(call: Call) -> Shape:
    found = call.input(0)
    if not found or len(found) > MAX_RANK:
        raise UnknownDimError
    return tuple(checked(one) for one in found[:-1])


def _packed_weights(call: Call) -> Dim:
    return attribute(call, "K") * attribute(call, "N")


def _packed_text(call: Call) -> str:
    out, inner = _nbits(call)
    bits = attribute(call, "bits", 4)
    return (
        f"{factors(inner, out[-1])} = {number(inner * out[-1])} weights of {bits} bits, each made"
        f" a number again (element-wise) and used for {plural(size(out[:-1]), 'row')}:"
        f" {number(size(out) * inner)} MACs"
    )


# ------------------------------------------------------------------------- the determinant


def _elimination(call: Call) -> Dim:
    found = shape(call, 0)
    if len(found) < 2:
        raise UnknownDimError
    return floordiv(size(found) * found[-1], 3)


_WORDS = "each output is a sum of products: outputs x length of the sum"
_GEMM = product(gemm(), "rows x (inner x columns) of A·B", bias=2)._replace(text=_gemm_text)
_PACKED = product(_nbits, "rows x K·N packed weights", _packed_weights, 5)._replace(
    text=_packed_text
)

TABLE = {
    **table(
        "",
        {
            "MatMul": product(matmul(), _WORDS),
            "Gemm": _GEMM,
            "Einsum": EINSUM,
            "MatMulInteger": product(matmul(), _WORDS),
            "Det": Rule("elimination updates about n·n·n/3 elements", elementwise=_elimination),
        },
    ),
    **table(
        "com.microsoft",
        {
            **each(
                "FusedMatMul TransposeMatMul SparseToDenseMatMul", product(_fused_matmul, _WORDS)
            ),
            "FusedMatMulActivation": product(_fused_matmul, _WORDS, outputs),
            "FusedGemm": _GEMM._replace(elementwise=outputs),
            "GemmFastGelu": product(matmul(), _WORDS, outputs, 2),
            "GemmFloat8": _GEMM,
            "MatMulNBits": _PACKED,
            "MatMulBnb4": product(_nbits, "rows x K·N packed weights", _packed_weights)._replace(
                text=_packed_text
            ),
            "MatMulFpQ4": product(_fpq4, "rows x K·N packed weights", _fpq4_weights),
            "Inverse": Rule(
                "elimination updates about n·n·n elements",
                elementwise=lambda call: size(shape(call, 0)) * dim(call, 0, -1),
            ),
            "MatMulInteger16": product(matmul(), _WORDS),
            "MatMulIntegerToFloat": product(matmul(), _WORDS, outputs, 6),
            "DynamicQuantizeMatMul": product(
                matmul(), _WORDS, total(lambda call: size(shape(call, 0)), outputs), 4
            ),
            "QGemm": product(gemm(0, 3), "rows x (inner x columns) of A·B", outputs, 6),
        },
    ),
}
"""FusedMatMul and FusedGemm take an activation as one operation an output element."""

__all__ = ["TABLE", "Product", "matmul", "product"]
