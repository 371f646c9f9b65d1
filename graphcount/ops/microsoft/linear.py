"""Matrix products of onnxruntime: fused, transposed, block-quantized and in integers.

FusedMatMul and FusedGemm take an activation as one operation an output element. Integer products
count what they quantize or scale on their way, one an element.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.loading.model import Node
from graphcount.ops.call import MAX_RANK, Call, Dims, Shape, Shapes, complete, integers_of, size
from graphcount.ops.formulas import (
    CostRule,
    UnknownDimError,
    attribute,
    checked,
    dimension,
    factors,
    input_shape,
    number,
    output_shape,
    outputs,
    plural,
    total,
)
from graphcount.ops.inference import FLOAT, INT32, always, by_attribute, of_input, same
from graphcount.ops.linear import (
    GEMM,
    PRODUCT_WORDS,
    Product,
    columns,
    gemm,
    gemm_at,
    matmul,
    matmul_at,
    matmul_shape,
    matrix_product,
    multiplied,
)
from graphcount.ops.operator import SCALE, SCALED_WEIGHT, Operator, Role, each, family, traits
from graphcount.ops.packing import BNB4, N_BITS
from graphcount.symbolic import Dim

# ----------------------------------------------------------------------------------- fused


def _operands(call: Call) -> tuple[Shape | None, Shape | None]:
    """Return A and B as FusedMatMul uses them.

    transBatchX moves the first axis to the last but one, transX swaps the last two.
    """
    sides: list[Shape | None] = []
    for index, letter in enumerate("AB"):
        shape = call.input(index)
        if shape is not None and len(shape) > 1:
            if attribute(call, f"transBatch{letter}", 0):
                shape = (*shape[1:-1], shape[0], shape[-1])
            if attribute(call, f"trans{letter}", 0):
                shape = (*shape[:-2], shape[-1], shape[-2])
        sides.append(shape)
    return sides[0], sides[1]


def fused_matmul(call: Call) -> Shapes:
    """FusedMatMul: transA, transB; transBatchA, transBatchB move the batch behind the rows."""
    return [matmul_shape(*_operands(call))]


def _fused_product(call: Call) -> Product:
    input_shape(call, 0), input_shape(call, 1)
    a, b = (complete(shape) for shape in _operands(call))
    if a is None or b is None:
        raise UnknownDimError
    return multiplied(a, b)


# ---------------------------------------------------------------------- packed weights


def _nbits(call: Call) -> Product:
    """A [..., K] times a packed K x N matrix whose sizes are attributes (MatMulNBits)."""
    inner, columns = attribute(call, "K"), attribute(call, "N")
    return Product((*_rows(call), columns), inner)


def _fpq4(call: Call) -> Product:
    """MatMulFpQ4 keeps the sizes of its packed matrix, K and N, in input 2."""
    sizes = call.value(2)
    if sizes is None or len(sizes) != 2:
        return Product(output_shape(call), dimension(call, 0, -1))
    return Product((*_rows(call), checked(sizes[1])), dimension(call, 0, -1))


def _fpq4_weights(call: Call) -> Dim:
    out, inner = _fpq4(call)
    if not out:
        raise UnknownDimError
    return inner * out[-1]


def _rows(call: Call) -> Dims:
    shape = call.input(0)
    if not shape or len(shape) > MAX_RANK:
        raise UnknownDimError
    return tuple(checked(one) for one in shape[:-1])


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
    data = call.input(0)
    n = call.node.integer("N", 0)
    return [(*data[:-1], n or None) if data is not None else None]


def matmul_fp_q4(call: Call) -> Shapes:
    """MatMulFpQ4: the shape of B is input 2."""
    data, shape = call.input(0), integers_of(call, 2)
    return [(*data[:-1], shape[1]) if data is not None and shape else None]


def _stated(node: Node, weight: tuple[int, ...]) -> int | None:
    """Columns of a packed B: the attribute N."""
    return node.integer("N", 0) or None


_PACKED = matrix_product(_nbits, "rows x K·N packed weights", _packed_weights, 5)._replace(
    text=_packed_text
)

_SCALES: tuple[Role, ...] = ("quantization scale", "quantization scale")
_ZERO_POINTS: tuple[Role, ...] = ("zero point", "zero point")

TABLE = family(
    "linear",
    {
        **each(
            "FusedMatMul TransposeMatMul",
            Operator(
                roles=("weight", "weight"),
                shape=fused_matmul,
                cost=matrix_product(_fused_product, PRODUCT_WORDS),
                channels=columns,
                form_of="MatMul",
            ),
        ),
        "FusedMatMulActivation": Operator(
            roles=("weight", "weight"),
            shape=fused_matmul,
            cost=matrix_product(_fused_product, PRODUCT_WORDS, outputs),
            channels=columns,
            form_of="MatMul",
        ),
        "FusedGemm": Operator(
            roles=("weight", "weight", "bias"),
            shape=gemm_at(0, 1),
            cost=GEMM._replace(elementwise=outputs),
            channels=columns,
            form_of="MatMul",
        ),
        "GemmFastGelu": Operator(
            roles=("weight", "weight", "bias"),
            shape=matmul_at(0, 1),
            cost=matrix_product(matmul(), PRODUCT_WORDS, outputs, 2),
            channels=columns,
            form_of="MatMul",
        ),
        "GemmFloat8": Operator(
            roles=("weight", "weight", "bias", *_SCALES, "quantization scale"),
            shape=gemm_at(0, 1),
            dtypes=by_attribute("dtype", FLOAT),
            cost=GEMM,
            channels=columns,
            form_of="MatMul",
        ),
        "MatMulNBits": Operator(
            roles=("operand", *SCALED_WEIGHT, "index", "bias"),
            shape=matmul_n_bits,
            cost=_PACKED,
            channels=_stated,
            form_of="MatMul",
            packing=N_BITS,
        ),
        "MatMulBnb4": Operator(
            roles=("operand", "quantized weight", "quantization scale"),
            shape=matmul_n_bits,
            cost=matrix_product(_nbits, "rows x K·N packed weights", _packed_weights)._replace(
                text=_packed_text
            ),
            channels=_stated,
            form_of="MatMul",
            packing=BNB4,
        ),
        "MatMulFpQ4": Operator(
            roles=("operand", "quantized weight", "shape"),
            shape=matmul_fp_q4,
            cost=matrix_product(_fpq4, "rows x K·N packed weights", _fpq4_weights),
            form_of="MatMul",
        ),
        "DynamicQuantizeMatMul": Operator(
            roles=("operand", *SCALED_WEIGHT, "bias"),
            shape=matmul_at(0, 1),
            cost=matrix_product(
                matmul(), PRODUCT_WORDS, total(lambda call: size(input_shape(call, 0)), outputs), 4
            ),
            channels=columns,
            form_of="MatMul",
        ),
        "MatMulIntegerToFloat": Operator(
            roles=("quantized weight", "quantized weight", *_SCALES, *_ZERO_POINTS, "bias"),
            shape=matmul_at(0, 1),
            dtypes=of_input(2),
            cost=matrix_product(matmul(), PRODUCT_WORDS, outputs, 6),
            channels=columns,
            form_of="MatMul",
        ),
        "MatMulInteger16": Operator(
            roles=("quantized weight", "quantized weight"),
            shape=matmul_at(0, 1),
            dtypes=always(INT32),
            cost=matrix_product(matmul(), PRODUCT_WORDS),
            channels=columns,
            form_of="MatMul",
            traits=traits("unscaled"),
        ),
        "QGemm": Operator(
            roles=(*SCALED_WEIGHT, *SCALED_WEIGHT, "quantized bias", *SCALE),
            shape=gemm_at(0, 3),
            dtypes=lambda call: [call.dtype(8) if call.has(8) else FLOAT],
            cost=matrix_product(gemm(0, 3), "rows x (inner x columns) of A·B", outputs, 6),
            channels=columns,
            form_of="MatMul",
        ),
        "Inverse": Operator(
            rest="operand",
            shape=same(0),
            cost=CostRule(
                "elimination updates about n·n·n elements",
                elementwise=lambda call: size(input_shape(call, 0)) * dimension(call, 0, -1),
            ),
        ),
        "SparseToDenseMatMul": Operator(
            shape=fused_matmul,
            dtypes=of_input(1),
            cost=matrix_product(_fused_product, PRODUCT_WORDS),
            form_of="MatMul",
        ),
    },
)
