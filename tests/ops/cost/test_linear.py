"""Matrix products against numpy's own shapes and loops that count every multiplication."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod

import numpy as np
import pytest

from graphcount.ops.call import Call
from graphcount.ops.cost import Cost, explain
from graphcount.symbolic import maximum, symbol

Costs = Callable[..., Cost]
MS = "com.microsoft"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((4, 8), (8, 5)),
        ((8,), (8, 5)),
        ((4, 8), (8,)),
        ((8,), (8,)),
        ((2, 1, 4, 8), (3, 8, 5)),
        ((7, 4, 8), (8,)),
        ((8,), (7, 8, 5)),
        ((1, 4, 8), (6, 8, 5)),
        ((0, 8), (8, 5)),
        ((4, 0), (0, 5)),
    ],
)
def test_matmul_is_numpys_outputs_times_the_sum(
    costs: Costs, a: tuple[int, ...], b: tuple[int, ...]
) -> None:
    out = np.matmul(np.zeros(a), np.zeros(b)).shape
    expected = prod(out) * a[-1]
    assert costs("MatMul", [a, b], [out]) == (expected, 0, 0)
    assert costs("MatMul", [a, b]).macs == expected
    assert costs("MatMulInteger", [a, b, (), ()], [out]).macs == expected
    assert costs("FusedMatMul", [a, b], [out], domain=MS).macs == expected
    quantized = [a, (), (), b, (), (), (), ()]
    assert costs("QLinearMatMul", quantized, [out]) == (expected, prod(out), 0)


def test_matmul_knows_the_sum_from_either_side(costs: Costs) -> None:
    assert costs("MatMul", [None, (8, 5)], [(4, 5)]).macs == 4 * 8 * 5
    assert costs("MatMul", [(4, 8), None], [(4, 5)]).macs == 4 * 8 * 5
    assert costs("MatMul", [(None, 8), (None, 5)], [(4, 5)]).macs == 4 * 8 * 5
    assert costs("MatMul", [None, (8,)], [(4,)]).macs == 4 * 8


def test_matmul_with_unequal_sides_is_unknown(costs: Costs) -> None:
    assert costs("MatMul", [(4, 8), (7, 5)], [(4, 5)]).macs is None


def test_matmul_of_symbols(costs: Costs) -> None:
    batch, seq, other = symbol("batch"), symbol("seq"), symbol("other")
    assert costs("MatMul", [(batch, seq, 8), (8, 5)]).macs == 40 * batch * seq
    # the same, or one of them is 1 (Broadcasting.md): the larger one in both cases
    wanted = 40 * maximum(batch, other) * seq
    assert costs("MatMul", [(batch, seq, 8), (other, 8, 5)]).macs == wanted
    out = (batch, seq, 5)
    assert costs("MatMul", [(batch, seq, 8), (other, 8, 5)], [out]).macs == 40 * batch * seq
    assert costs("MatMul", [(batch, 2, 8), (6, 8, 5)]).macs == 6 * 2 * 8 * 5


@pytest.mark.parametrize(("turn_a", "turn_b", "with_bias"), list(product((0, 1), repeat=3)))
@pytest.mark.parametrize("op_type", ["Gemm", "FusedGemm", "GemmFloat8"])
def test_gemm(costs: Costs, op_type: str, turn_a: int, turn_b: int, with_bias: int) -> None:
    m, k, n = 3, 7, 11
    a = (k, m) if turn_a else (m, k)
    b = (n, k) if turn_b else (k, n)
    inputs = [a, b, (n,)][: 2 + with_bias]
    domain = "" if op_type == "Gemm" else MS
    for outputs in ([(m, n)], []):
        found = costs(op_type, inputs, outputs, domain=domain, transA=turn_a, transB=turn_b)
        assert (found.macs, found.bias) == (m * k * n, m * n * with_bias)


def test_qgemm(costs: Costs) -> None:
    inputs = [(3, 7), (), (), (11, 7), (), (), (11,), (), ()]
    found = costs("QGemm", inputs, [(3, 11)], domain=MS, transB=1)
    assert found == (3 * 7 * 11, 33, 33)


@pytest.mark.parametrize("turns", list(product((0, 1), repeat=4)))
def test_fused_matmul_turns_its_operands(costs: Costs, turns: tuple[int, ...]) -> None:
    turn_a, turn_b, batch_a, batch_b = turns
    rows, inner, columns = 3, 7, 11
    a = [5, 2, *((inner, rows) if turn_a else (rows, inner))]
    b = [5, 2, *((columns, inner) if turn_b else (inner, columns))]
    if batch_a:
        a = [a[2], a[0], a[1], a[3]]
    if batch_b:
        b = [b[2], b[0], b[1], b[3]]
    names = ("transA", "transB", "transBatchA", "transBatchB")
    found = costs(
        "FusedMatMul", [tuple(a), tuple(b)], domain=MS, **dict(zip(names, turns, strict=True))
    )
    assert found.macs == 5 * 2 * rows * inner * columns


def test_packed_weights(costs: Costs) -> None:
    inputs = [(2, 9, 64), (32, 2, 16), (64,), None, None, (32,)]
    found = costs("MatMulNBits", inputs, domain=MS, left_out=(3, 4), K=64, N=32, bits=4)
    assert found == (2 * 9 * 64 * 32, 64 * 32, 2 * 9 * 32)
    assert costs("MatMulNBits", inputs, domain=MS, N=32).macs is None
    assert costs("MatMulNBits", inputs, domain=MS, K=-64, N=32).macs is None
    bnb = costs("MatMulBnb4", [(9, 64), (1024,), (32,)], domain=MS, K=64, N=32)
    assert bnb.macs == 9 * 64 * 32
    fpq4 = [(9, 64), (999,), (2,)]
    for known in ({"values": (None, None, (64, 32))}, {"outputs": [(9, 32)]}):
        found = costs("MatMulFpQ4", fpq4, domain=MS, **known)
        assert (found.macs, found.elementwise) == (9 * 64 * 32, 64 * 32)


def test_dynamically_quantized_matmul(costs: Costs) -> None:
    inputs = [(9, 64), (64, 32), (), (), (32,)]
    assert costs("DynamicQuantizeMatMul", inputs, [(9, 32)], domain=MS) == (
        9 * 64 * 32,
        9 * 64 + 9 * 32,
        9 * 32,
    )


# ----------------------------------------------------------------------------------- Einsum


@pytest.mark.parametrize(
    ("equation", "shapes", "macs"),
    [
        ("ij,jk->ik", [(2, 3), (3, 5)], 2 * 3 * 5),
        ("ij,jk", [(2, 3), (3, 5)], 2 * 3 * 5),
        ("ij,ij->", [(2, 3), (2, 3)], 2 * 3),
        ("i,i", [(7,), (7,)], 7),
        ("bhid,bhjd->bhij", [(2, 3, 5, 7), (2, 3, 11, 7)], 2 * 3 * 5 * 11 * 7),
        (" b h i d , b h j d -> b h i j ", [(2, 3, 5, 7), (2, 3, 11, 7)], 2 * 3 * 5 * 11 * 7),
        ("...ij,...jk->...ik", [(2, 4, 3, 5), (4, 5, 7)], 2 * 4 * 3 * 5 * 7),
        ("...ij,...jk->...ik", [(2, 1, 3, 5), (4, 5, 7)], 2 * 4 * 3 * 5 * 7),
        ("...ij,jk", [(2, 3, 5), (5, 7)], 2 * 3 * 5 * 7),
        ("ij,kj->ki", [(2, 3), (5, 3)], 2 * 3 * 5),
        ("ij,ij->ij", [(2, 3), (2, 3)], 0),
        ("i,j->ij", [(2,), (3,)], 0),
        ("ij->ji", [(2, 3)], 0),
        ("ij->", [(2, 3)], 0),
        ("ii->i", [(3, 3)], 0),
        ("...->...", [(2, 3)], 0),
        (",->", [(), ()], 0),
        ("ij,jk->k", [(2, 3), (3, 5)], 3 * 5),  # i is summed before
        ("ij,jk,kl->il", [(2, 3), (3, 5), (5, 7)], 2 * 3 * 5 + 2 * 5 * 7),
        ("i,ij,j->", [(2,), (2, 3), (3,)], 2 * 3 + 3),
        ("bn,anm,bm->ba", [(2, 3), (5, 3, 4), (2, 4)], 2 * 3 * 5 * 4 + 2 * 5 * 4),
    ],
)
def test_einsum(costs: Costs, equation: str, shapes: list[tuple[int, ...]], macs: int) -> None:
    np.einsum(equation.replace(" ", ""), *(np.zeros(one) for one in shapes))  # a valid case
    assert costs("Einsum", shapes, equation=equation).macs == macs


@pytest.mark.parametrize(
    ("equation", "elementwise"),
    [("ij,ij->ij", 6), ("ij->ji", 0), ("ij->i", 6), ("ii->i", 0), ("ij,jk->k", 6)],
)
def test_einsum_counts_what_is_no_product_as_elements(
    costs: Costs, equation: str, elementwise: int
) -> None:
    first = (3, 3) if equation.startswith("ii") else (2, 3)
    second = [] if "," not in equation else [(3, 5) if "jk" in equation else (2, 3)]
    assert costs("Einsum", [first, *second], equation=equation).elementwise == elementwise


@pytest.mark.parametrize(
    "equation",
    [
        *("", "ij", "ij,jk,kl", "ij,jk->iz", "i.j,jk->ik", "i......j,jk", "ijk,jk->i", "1j,jk->k"),
        *("->", "ä,ö", "...,.", "ij,jk->" + "i" * 10**6, "," * 10**6, "i" * 10**6 + ",jk"),
    ],
)
def test_einsum_that_does_not_fit_is_unknown(costs: Costs, equation: str) -> None:
    assert costs("Einsum", [(2, 3), (3, 5)], equation=equation).macs is None


def test_einsum_with_unequal_sizes_is_unknown(costs: Costs) -> None:
    assert costs("Einsum", [(2, 3), (4, 5)], equation="ij,jk->ik").macs is None


def test_what_a_contraction_has_summed_is_not_summed_again(costs: Costs) -> None:
    """j is gone after the first product, so the second is no sum over it."""
    shapes = [(2, 3), (3, 5), (5, 7)]
    assert costs("Einsum", shapes, equation="ij,jk,kl->il") == (30 + 70, 0, 0)
    assert costs("Einsum", shapes, equation="ij,jk,kl->ijl") == (2 * 3 * 5 * 7, 2 * 3 * 5, 0)


def test_einsum_of_symbols(costs: Costs) -> None:
    batch = symbol("batch")
    assert costs("Einsum", [(batch, 3), (3, 5)], equation="ij,jk->ik").macs == 15 * batch


# -------------------------------------------------------------------------------- in words


def test_words(call: Callable[..., Call]) -> None:
    linear = call("Gemm", [(1, 512), (1000, 512), (1000,)], [(1, 1000)], transB=1)
    assert explain(linear) == (
        "512·1,000 weights + 1,000 biases = 513,000; 512,000 MACs x 1 row = 512,000 MACs"
    )
    assert explain(call("MatMul", [(symbol("n"), 8), (8, 5)])) == (
        "8 multiply-accumulates for each of n·5 = 5*n outputs: 40*n MACs"
    )
    unknown = call("MatMul", [None, None])
    assert explain(unknown).endswith("a shape it needs is not known")
    scores = call("Einsum", [(2, 3), (3, 5)], equation="ij,jk->ik")
    assert "i·j·k = 2·3·5: 30 MACs" in explain(scores)
    packed = call("MatMulNBits", [(9, 64), None], domain=MS, K=64, N=32, bits=4)
    assert "64·32 = 2,048 weights of 4 bits" in explain(packed)
    assert "each dequantized (element-wise) and used for 9 rows: 18,432 MACs" in explain(packed)
    one = call("MatMulNBits", [(64,), None], domain=MS, K=64, N=32)
    assert "weights of 4 bits" in explain(one)
    single = call("MatMulNBits", [(1, 64), None], domain=MS, K=64, N=32, bits=8)
    assert "64·32 = 2,048 weights of 8 bits" in explain(single)
    assert "used for 1 row: 2,048 MACs" in explain(single)
    bias = call("Gemm", [(3, 4), (4, 1), (1,)], [(3, 1)])
    assert explain(bias) == "4·1 weights + 1 bias = 5; 4 MACs x 3 rows = 12 MACs"
    plain = call("Gemm", [(3, 4), (4, 2)], [(3, 2)])
    assert explain(plain) == "4·2 weights = 8; 8 MACs x 3 rows = 24 MACs"
    added = call("GemmFastGelu", [(3, 4), (4, 2), (2,)], [(3, 2)], domain=MS)
    assert explain(added) == (
        "4 multiply-accumulates for each of 3·2 = 6 outputs: 24 MACs;"
        " 6 additions of the bias are not among them"
    )
    lonely = call("MatMul", [(1, 1), (1, 1)])
    assert explain(lonely) == "1 multiply-accumulate for each of 1·1 = 1 output: 1 MACs"
    none = call("Einsum", [(2, 3), (2, 3)], equation="ij,ij->ij")
    assert explain(none) == (
        "nothing is summed over two operands, so it is element-wise work: 0 MACs"
    )


@pytest.mark.parametrize("batch", [(), (5,), (5, 2, 2)])
@pytest.mark.parametrize(("turn_a", "turn_b"), list(product((0, 1), repeat=2)))
def test_operands_of_every_rank_are_turned(
    costs: Costs, batch: tuple[int, ...], turn_a: int, turn_b: int
) -> None:
    a = (*batch, 7, 3) if turn_a else (*batch, 3, 7)
    b = (*batch, 11, 7) if turn_b else (*batch, 7, 11)
    found = costs("FusedMatMul", [a, b], domain=MS, transA=turn_a, transB=turn_b)
    assert found.macs == prod(batch) * 3 * 7 * 11


def test_eliminations(costs: Costs) -> None:
    """An n x n elimination updates n·n·n/3 elements, an inverse three times as many."""
    assert costs("Det", [(2, 6, 6)], [(2,)]) == (0, 2 * 6**3 // 3, 0)
    assert costs("Det", [(5, 5)], [()]) == (0, 5**3 // 3, 0)
    assert costs("Det", [(5,)], [()]).elementwise is None
    assert costs("Inverse", [(2, 6, 6)], [(2, 6, 6)], domain=MS) == (0, 2 * 6**3, 0)


def test_products_that_end_in_an_activation(costs: Costs) -> None:
    a, b, out, bias = (3, 4), (4, 2), (3, 2), (2,)
    fused = costs("FusedMatMulActivation", [a, b], [out], domain=MS)
    assert fused == (24, 6, 0)
    assert costs("FusedGemm", [a, b, bias], [out], domain=MS) == (24, 6, 6)
    assert costs("GemmFastGelu", [a, b, bias], [out], domain=MS) == (24, 6, 6)
    assert costs("GemmFastGelu", [a, b], [out], domain=MS) == (24, 6, 0)
    floats = [a, b, (), (), (), (), bias]
    assert costs("MatMulIntegerToFloat", floats, [out], domain=MS) == (24, 6, 6)
    assert costs("MatMulIntegerToFloat", floats[:6], [out], domain=MS) == (24, 6, 0)
    assert costs("MatMulInteger16", [a, b], [out], domain=MS) == (24, 0, 0)
    assert costs("TransposeMatMul", [a, b], [out], domain=MS) == (24, 0, 0)
