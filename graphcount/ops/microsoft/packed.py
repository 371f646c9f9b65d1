"""Products with packed weights: elements of few bits, in blocks with a scale each.

MACs are those of the elements that the bytes stand for; what is dequantized on the way counts one
an element. A norm, a sum, an activation or a product with a gate that is fused with it counts one
an element each.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable

from graphcount.loading.model import Node
from graphcount.ops.call import MAX_RANK, Call, Dims, Shape, Shapes, integers_of, size
from graphcount.ops.formulas import (
    CostRule,
    Formula,
    UnknownDimError,
    attribute,
    checked,
    dimension,
    factors,
    input_shape,
    nothing,
    number,
    output_shape,
    outputs,
    plural,
    total,
)
from graphcount.ops.linear import Product, matrix_product
from graphcount.ops.operator import SCALED_WEIGHT, Operator, Role, family
from graphcount.ops.packing import (
    BNB4,
    N_BITS,
    N_BITS_ADAPTED,
    N_BITS_MLP,
    N_BITS_QKV,
    blob,
    in_halves,
    rows_of,
)
from graphcount.symbolic import Dim


def rows(call: Call) -> Dims:
    """Return the dimensions of the first input before its last one, all of them known."""
    shape = call.input(0)
    if not shape or len(shape) > MAX_RANK:
        raise UnknownDimError
    return tuple(checked(one) for one in shape[:-1])


def _nbits(call: Call) -> Product:
    """A [..., K] times a packed K x N matrix whose sizes are attributes (MatMulNBits)."""
    inner, columns = attribute(call, "K"), attribute(call, "N")
    return Product((*rows(call), columns), inner)


def _fpq4(call: Call) -> Product:
    """MatMulFpQ4 keeps the sizes of its packed matrix, K and N, in input 2."""
    sizes = call.value(2)
    if sizes is None or len(sizes) != 2:
        return Product(output_shape(call), dimension(call, 0, -1))
    return Product((*rows(call), checked(sizes[1])), dimension(call, 0, -1))


def _fpq4_weights(call: Call) -> Dim:
    out, inner = _fpq4(call)
    if not out:
        raise UnknownDimError
    return inner * out[-1]


def _packed_weights(call: Call) -> Dim:
    return attribute(call, "K") * attribute(call, "N")


def _packed_text(call: Call) -> str:
    out, inner = _nbits(call)
    bits = attribute(call, "bits", 4)
    return (
        f"{factors(inner, out[-1])} = {number(inner * out[-1])} weights of {bits} bits, each"
        f" dequantized (element-wise) and used for {plural(size(out[:-1]), 'row')}:"
        f" {number(size(out) * inner)} MACs"
    )


def matmul_n_bits(call: Call) -> Shapes:
    """MatMulNBits, MatMulBnb4: (…, K) times a packed (N, K): N is an attribute."""
    return [_with_columns(call, call.node.integer("N", 0) or None)]


def matmul_fp_q4(call: Call) -> Shapes:
    """MatMulFpQ4: the shape of B is input 2."""
    data, shape = call.input(0), integers_of(call, 2)
    return [(*data[:-1], shape[1]) if data is not None and shape else None]


def _with_columns(call: Call, columns: Dim | None) -> Shape | None:
    data = call.input(0)
    return (*data[:-1], columns) if data is not None else None


def _stated(node: Node, weight: tuple[int, ...]) -> int | None:
    """Columns of a packed B: the attribute N."""
    return node.integer("N", 0) or None


# -------------------------------------------------------------- several products of one input


def fused_products(columns: tuple[str, ...], gate: int) -> CostRule:
    """Return the rule of products of one input that may be summed and normalised before.

    Inputs are A, skip and norm_scale, then weight, scales and bias of each product.

    Args:
        columns: Attribute with the columns of each product.
        gate: Operations for each element of one product that join the results.
    """

    def stored(call: Call) -> Dim:
        width: Dim = 0
        for name in columns:
            width = width + attribute(call, name)
        return attribute(call, "K") * width

    def macs(call: Call) -> Dim:
        return size(rows(call)) * stored(call)

    def work(call: Call) -> Dim:
        data = size(rows(call)) * attribute(call, "K")
        before = data * (int(call.has(1)) + int(call.has(2)))
        return stored(call) + before + size(rows(call)) * attribute(call, columns[0]) * gate

    def biases(call: Call) -> Dim:
        added: Dim = 0
        for index, name in enumerate(columns):
            added = added + (attribute(call, name) if call.has(5 + 3 * index) else 0)
        return size(rows(call)) * added

    def text(call: Call) -> str:
        each = " + ".join(number(attribute(call, name)) for name in columns)
        return (
            f"{number(attribute(call, 'K'))}·({each}) = {number(stored(call))} weights of"
            f" {attribute(call, 'bits', 4)} bits, each dequantized (element-wise) and used for"
            f" {plural(size(rows(call)), 'row')}: {number(macs(call))} MACs"
        )

    words = "rows x K·N packed weights of each product"
    return CostRule(words, macs, work, biases, text)


def gated_products(call: Call) -> Shapes:
    """MatMulNBitsMlp: (…, N), and the sum that was normalised."""
    return [_with_columns(call, call.node.integer("N", 0) or None), call.input(0)]


def joint_products(call: Call) -> Shapes:
    """MatMulNBitsQkv: (…, Nq), twice (…, Nkv), and the sum that was normalised."""
    query, key = (call.node.integer(name, 0) or None for name in ("Nq", "Nkv"))
    widths = (query, key, key)
    return [*(_with_columns(call, width) for width in widths), call.input(0)]


# ------------------------------------------------------------------------------- adapters


def _rank(call: Call) -> Dim:
    """Return the rank of adapters; 0 without the second one, which makes the first one vain."""
    if not size(input_shape(call, 5, 1, 2, 3)):
        return 0
    return input_shape(call, 4, 2)[0] if len(call.input(4) or ()) == 2 else dimension(call, 3, 0)


def _down(call: Call) -> Dim:
    """Return rank of the first adapter that is there: an empty one makes zeros."""
    return dimension(call, 3, 0) if _rank(call) != 0 else 0


def _adapted_weights(call: Call) -> Dim:
    k, n = attribute(call, "K"), attribute(call, "N")
    return k * n + k * _down(call) + n * _rank(call)


def _adapted_macs(call: Call) -> Dim:
    return size(rows(call)) * _adapted_weights(call)


def _adapted_work(call: Call) -> Dim:
    joined = size(rows(call)) * attribute(call, "N") if _rank(call) != 0 else 0
    return _adapted_weights(call) + joined


# -------------------------------------------------------------------------- four and eight bits


def _transposed_weight(halves: int) -> Callable[[Call], Product]:
    """Return the product with a weight [N, K], of which a byte holds so many elements."""

    def find(call: Call) -> Product:
        columns, stored = input_shape(call, 1, 2)
        return Product((*rows(call), columns), stored * halves)

    return find


def by_rows_of_weight(call: Call) -> Shapes:
    """MatMulBlockQuantizedFp4Weight, …Fp8Weight: (…, N) with a weight (N, …)."""
    weight = call.input(1)
    return [_with_columns(call, weight[0] if weight else None)]


def _first(node: Node, weight: tuple[int, ...]) -> int | None:
    return weight[0] if weight else None


def _scaled_data(call: Call) -> Dim:
    return size(input_shape(call, 0)) if call.has(3) else 0


def _is_activated(call: Call) -> Dim:
    return 0 if call.node.text("activation_type", "none") in ("none", "") else outputs(call)


def _fp_product(halves: int, bias: int, extra: Formula = nothing) -> CostRule:
    find = _transposed_weight(halves)
    weights = total(lambda call: halves * size(input_shape(call, 1, 2)), extra)
    return matrix_product(find, "rows x weights, each dequantized", weights, bias)


_PACKED = matrix_product(_nbits, "rows x K·N packed weights", _packed_weights, 5)._replace(
    text=_packed_text
)
_PLAIN = _PACKED._replace(bias=nothing)
_PROJECTION: tuple[Role, ...] = ("quantized weight", "quantization scale", "bias")
_ADAPTER: tuple[Role, ...] = ("quantized weight", "quantization scale")

TABLE = family(
    "linear",
    {
        "MatMulNBits": Operator(
            roles=("operand", *SCALED_WEIGHT, "index", "bias"),
            shape=matmul_n_bits,
            cost=_PACKED,
            channels=_stated,
            form_of="MatMul",
            packing=N_BITS,
        ),
        "MatMulNBitsMlp": Operator(
            roles=("operand", "operand", "scale", *2 * _PROJECTION),
            shape=gated_products,
            cost=fused_products(("N", "N"), 2),
            channels=_stated,
            packing=N_BITS_MLP,
        ),
        "MatMulNBitsQkv": Operator(
            roles=("operand", "operand", "scale", *3 * _PROJECTION),
            shape=joint_products,
            cost=fused_products(("Nq", "Nkv", "Nkv"), 0),
            packing=N_BITS_QKV,
        ),
        "MatMulNBitsQLoRA": Operator(
            roles=("operand", *3 * _ADAPTER),
            shape=matmul_n_bits,
            cost=CostRule(
                "rows x packed weights of the base and of both adapters",
                _adapted_macs,
                _adapted_work,
            ),
            channels=_stated,
            form_of="MatMul",
            packing=N_BITS_ADAPTED,
        ),
        "MatMulBnb4": Operator(
            roles=("operand", "quantized weight", "quantization scale"),
            shape=matmul_n_bits,
            cost=_PLAIN,
            channels=_stated,
            form_of="MatMul",
            packing=BNB4,
        ),
        "MatMulFpQ4": Operator(
            roles=("operand", "quantized weight", "shape"),
            shape=matmul_fp_q4,
            cost=matrix_product(_fpq4, "rows x K·N packed weights", _fpq4_weights),
            form_of="MatMul",
            packing=blob(1),
        ),
        "MatMulPacked": Operator(
            roles=("operand", "quantized weight", "quantization scale"),
            shape=matmul_n_bits,
            cost=_PLAIN._replace(elementwise=total(_packed_weights, _is_activated)),
            channels=_stated,
            form_of="MatMul",
            packing=rows_of(1),
        ),
        "MatMulBlockQuantizedFp4Weight": Operator(
            roles=("operand", "quantized weight", *3 * ("quantization scale",), "bias"),
            shape=by_rows_of_weight,
            cost=_fp_product(2, 5),
            channels=_first,
            form_of="MatMul",
            packing=in_halves(1),
        ),
        "MatMulBlockQuantizedFp8Weight": Operator(
            roles=("operand", "quantized weight", *2 * ("quantization scale",), "bias"),
            shape=by_rows_of_weight,
            cost=_fp_product(1, 4, _scaled_data),
            channels=_first,
            form_of="MatMul",
        ),
    },
)
