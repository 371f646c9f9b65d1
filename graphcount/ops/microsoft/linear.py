"""Matrix products of onnxruntime: fused, transposed and in integers.

FusedMatMul and FusedGemm take an activation as one operation an output element. Integer products
count what they quantize or scale on their way, one an element.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.ops.call import Call, Shape, Shapes, complete, size
from graphcount.ops.formulas import (
    CostRule,
    UnknownDimError,
    attribute,
    dimension,
    input_shape,
    outputs,
    total,
    when,
)
from graphcount.ops.inference import FLOAT, INT32, add, always, by_attribute, of_input, over, same
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
from graphcount.ops.operator import (
    FACTORS,
    LEFT,
    RIGHT,
    SCALE,
    SCALED_WEIGHT,
    TURNED_FACTORS,
    Operator,
    Role,
    each,
    family,
    traits,
)
from graphcount.symbolic import Dim, floordiv

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


def router_and_gate(call: Call) -> Shapes:
    """RouterGateUpProj: router logits, and one half of the other columns gated by the other."""
    data, weight = call.input(0), call.input(1)
    logits = call.node.integer("router_size", 0) or None
    if data is None:
        return [None, None]
    others = add(weight[1], -logits) if weight and logits is not None else None
    return [(*data[:-1], logits), (*data[:-1], over(others, 2))]


def _gated(call: Call) -> Dim:
    """Return activation and product of each element of the gated half: SwiGLU counts one."""
    data, (_, columns) = input_shape(call, 0), input_shape(call, 1, 2)
    return size(data[:-1]) * floordiv(columns - attribute(call, "router_size"), 2)


_SCALES: tuple[Role, ...] = ("quantization scale", "quantization scale")
_ZERO_POINTS: tuple[Role, ...] = ("zero point", "zero point")

_QUANTIZED_GEMM = (
    TURNED_FACTORS[0]._replace(zero=2),
    TURNED_FACTORS[1]._replace(input=3, zero=5),
)

TABLE = family(
    "linear",
    {
        **each(
            "FusedMatMul TransposeMatMul",
            Operator(
                roles=("weight", "weight"),
                shape=fused_matmul,
                cost=matrix_product(_fused_product, PRODUCT_WORDS),
                factors=TURNED_FACTORS,
                channels=columns,
                form_of="MatMul",
            ),
        ),
        "FusedMatMulActivation": Operator(
            roles=("weight", "weight"),
            shape=fused_matmul,
            cost=matrix_product(_fused_product, PRODUCT_WORDS, outputs),
            factors=TURNED_FACTORS,
            channels=columns,
            form_of="MatMul",
        ),
        "FusedGemm": Operator(
            roles=("weight", "weight", "bias"),
            shape=gemm_at(0, 1),
            cost=GEMM._replace(elementwise=outputs),
            factors=TURNED_FACTORS,
            channels=columns,
            form_of="MatMul",
        ),
        "GemmFastGelu": Operator(
            roles=("weight", "weight", "bias"),
            shape=matmul_at(0, 1),
            cost=matrix_product(matmul(), PRODUCT_WORDS, outputs, 2),
            factors=FACTORS,
            channels=columns,
            form_of="MatMul",
        ),
        "GemmFloat8": Operator(
            roles=("weight", "weight", "bias", *_SCALES, "quantization scale"),
            shape=gemm_at(0, 1),
            dtypes=by_attribute("dtype", FLOAT),
            cost=GEMM,
            factors=TURNED_FACTORS,
            channels=columns,
            form_of="MatMul",
        ),
        "DynamicQuantizeMatMul": Operator(
            roles=("operand", *SCALED_WEIGHT, "bias"),
            shape=matmul_at(0, 1),
            cost=matrix_product(
                matmul(), PRODUCT_WORDS, total(lambda call: size(input_shape(call, 0)), outputs), 4
            ),
            factors=(RIGHT._replace(zero=3),),
            channels=columns,
            form_of="MatMul",
            traits=traits("quantizes"),
        ),
        "MatMulIntegerToFloat": Operator(
            roles=("quantized weight", "quantized weight", *_SCALES, *_ZERO_POINTS, "bias"),
            shape=matmul_at(0, 1),
            dtypes=of_input(2),
            cost=matrix_product(matmul(), PRODUCT_WORDS, outputs, 6),
            factors=(LEFT._replace(zero=4), RIGHT._replace(zero=5)),
            channels=columns,
            form_of="MatMul",
        ),
        "MatMulInteger16": Operator(
            roles=("quantized weight", "quantized weight"),
            shape=matmul_at(0, 1),
            dtypes=always(INT32),
            cost=matrix_product(matmul(), PRODUCT_WORDS),
            factors=FACTORS,
            channels=columns,
            form_of="MatMul",
            traits=traits("unscaled"),
        ),
        "QGemm": Operator(
            roles=(*SCALED_WEIGHT, *SCALED_WEIGHT, "quantized bias", *SCALE),
            shape=gemm_at(0, 3),
            dtypes=lambda call: [call.dtype(8) if call.has(8) else FLOAT],
            cost=matrix_product(gemm(0, 3), "rows x (inner x columns) of A·B", outputs, 6),
            factors=_QUANTIZED_GEMM,
            channels=columns,
            form_of="MatMul",
        ),
        "QOrderedMatMul": Operator(
            roles=(
                *("operand", "quantization scale", "quantized weight", "quantization scale"),
                *("quantization scale", "bias", "operand", "quantization scale"),
            ),
            shape=matmul_at(0, 2),
            cost=matrix_product(matmul(0, 2), PRODUCT_WORDS, total(outputs, when(6, outputs)), 5),
            channels=columns,
            form_of="MatMul",
        ),
        "RouterGateUpProj": Operator(
            roles=("operand", "weight"),
            shape=router_and_gate,
            cost=matrix_product(matmul(), PRODUCT_WORDS, _gated),
            factors=(RIGHT,),
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
            roles=("weight", "weight"),
            shape=fused_matmul,
            dtypes=of_input(1),
            cost=matrix_product(_fused_product, PRODUCT_WORDS),
            factors=TURNED_FACTORS,
            channels=columns,
            form_of="MatMul",
        ),
    },
)
