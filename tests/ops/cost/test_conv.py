"""Convolutions: closed formulas over a matrix of cases, and a loop that counts its products."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod

import pytest

from graphcount.ops.call import Call
from graphcount.ops.cost import Cost, explain
from graphcount.symbolic import symbol

Costs = Callable[..., Cost]
MS = "com.microsoft"

CASES = list(product((1, 2, 3), (1, 2, 6), (1, 2), (1, 2), (0, 1)))
"""Spatial axes, groups, stride, dilation, padding."""


def length(size: int, kernel: int, stride: int, dilation: int, pad: int) -> int:
    return (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1


@pytest.mark.parametrize(("axes", "groups", "stride", "dilation", "pad"), CASES)
def test_conv(costs: Costs, axes: int, groups: int, stride: int, dilation: int, pad: int) -> None:
    batch, channels, filters, kernel = 2, 6, 12, (3, 2, 3)[:axes]
    spatial = (9, 8, 7)[:axes]
    out = [length(s, k, stride, dilation, pad) for s, k in zip(spatial, kernel, strict=True)]
    macs = batch * filters * prod(out) * (channels // groups) * prod(kernel)
    inputs = [(batch, channels, *spatial), (filters, channels // groups, *kernel), (filters,)]
    found = costs("Conv", inputs, [(batch, filters, *out)], group=groups)
    assert found == (macs, 0, batch * filters * prod(out))
    assert costs("Conv", inputs[:2], [(batch, filters, *out)], group=groups) == (macs, 0, 0)
    shapeless = [inputs[0], None]
    stated = {"kernel_shape": list(kernel), "group": groups}
    assert costs("Conv", shapeless, [(batch, filters, *out)], **stated).macs == macs


@pytest.mark.parametrize(("axes", "groups", "stride", "dilation", "pad"), CASES)
def test_transposed(
    costs: Costs, axes: int, groups: int, stride: int, dilation: int, pad: int
) -> None:
    batch, channels, filters, kernel = 2, 6, 12, (3, 2, 3)[:axes]
    spatial = (9, 8, 7)[:axes]
    out = [
        (s - 1) * stride - 2 * pad + dilation * (k - 1) + 1
        for s, k in zip(spatial, kernel, strict=True)
    ]
    macs = batch * channels * prod(spatial) * (filters // groups) * prod(kernel)
    inputs = [(batch, channels, *spatial), (channels, filters // groups, *kernel), (filters,)]
    outputs = [(batch, filters, *out)]
    assert costs("ConvTranspose", inputs, outputs, group=groups) == (macs, 0, prod(outputs[0]))
    dynamic = [*inputs[:2], (4,), inputs[2]]
    found = costs("ConvTransposeWithDynamicPads", dynamic, outputs, domain=MS, group=groups)
    assert (found.macs, found.bias) == (macs, prod(outputs[0]))


def test_a_loop_that_multiplies_agrees(costs: Costs) -> None:
    done = 0
    for _ in product(range(2), range(4), range(6), range(5)):  # batch, filters, rows, columns
        for _ in product(range(3), range(3), range(2)):  # channels of the group, kernel
            done += 1
    found = costs("Conv", [(2, 6, 8, 6), (4, 3, 3, 2)], [(2, 4, 6, 5)], group=2)
    assert found.macs == done


def test_forms_of_conv(costs: Costs) -> None:
    shapes = [(1, 3, 8, 8), (16, 3, 3, 3)]
    out = (1, 16, 8, 8)
    macs, outputs = 27648, 16 * 64
    assert costs("ConvInteger", [*shapes, (), ()], [out]) == (macs, 0, 0)
    quantized = [shapes[0], (), (), shapes[1], (), (), (), (), (16,)]
    assert costs("QLinearConv", quantized, [out]) == (macs, outputs, outputs)
    assert costs("QLinearConv", quantized, [out], domain=MS).macs == macs
    fused = costs("FusedConv", [*shapes, (16,), out], [out], domain=MS, activation="Relu")
    assert fused == (macs, 2 * outputs, outputs)
    assert costs("FusedConv", [*shapes, (16,)], [out], domain=MS).elementwise == 0
    assert costs("Conv", shapes, [out], domain="com.microsoft.nchwc").macs == macs
    last = [(1, 8, 8, 3), (16, 3, 3, 3)]
    assert costs("NhwcConv", last, [(1, 8, 8, 16)], domain=MS).macs == macs


def test_deform_conv_counts_the_values_it_interpolates(costs: Costs) -> None:
    inputs = [(2, 6, 8, 8), (4, 3, 3, 3), (2, 18, 6, 6), (4,)]
    found = costs("DeformConv", inputs, [(2, 4, 6, 6)], group=2)
    assert found == (2 * 4 * 36 * 27, 2 * 6 * 9 * 36, 2 * 4 * 36)


def test_causal_conv_with_state(costs: Costs) -> None:
    inputs = [(2, 6, 9), (6, 1, 4), (6,), (2, 6, 3)]
    outputs = [(2, 6, 9), (2, 6, 3)]
    assert costs("CausalConvWithState", inputs, outputs) == (2 * 6 * 9 * 4, 0, 108)
    silu = costs("CausalConvWithState", inputs, outputs, activation="silu")
    assert silu.elementwise == 108


def test_symbols(costs: Costs) -> None:
    n, h = symbol("n"), symbol("h")
    found = costs("Conv", [(n, 3, h, h), (16, 3, 3, 3)], [(n, 16, h - 2, h - 2)])
    assert found.macs == n * 16 * 27 * (h - 2) * (h - 2)


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([(1, 3, 8, 8), (16, 3, 3)], [(1, 16, 6, 6)]),
        ([(1, 3), (16, 3)], [(1, 16)]),
        ([(1, 3, 8, 8), None], [(1, 16, 6, 6)]),
        ([(1, 3, 8, 8), (16, 3, 3, 3)], [(1, 16, None, 6)]),
        ([(1, 3, 8, 8), (16, 3, 3, -3)], [(1, 16, 6, 6)]),
        ([], []),
    ],
)
def test_what_does_not_fit_is_unknown(
    costs: Costs, inputs: list[object], outputs: list[object]
) -> None:
    for group in (0, 1, -1):
        assert costs("Conv", inputs, outputs, group=group).macs is None


def test_words(call: Callable[..., Call]) -> None:
    one = call("Conv", [(1, 3, 32, 32), (64, 3, 3, 3), (64,)], [(1, 64, 30, 30)])
    assert explain(one) == (
        "3·3·3 weights x 64 filters + 64 biases = 1,792;"
        " 1,728 MACs x 30·30 positions = 1,555,200 MACs"
    )
    depthwise = call("Conv", [(8, 32, 9, 9), (32, 1, 3, 3)], [(8, 32, 7, 7)], group=32)
    assert "one of 32 groups" in explain(depthwise)
    assert "8·7·7 positions" in explain(depthwise)
    last = call("NhwcConv", [None, (64, 3, 3, 3)], [(1, 30, 30, 64)], domain=MS)
    assert "x 30·30 positions" in explain(last)
    up = call("ConvTranspose", [(1, 64, 16, 16), (64, 32, 2, 2)], [(1, 32, 32, 32)])
    assert explain(up) == (
        "64·32·2·2 weights = 8,192; transposed, so each of the 16·16 input positions meets every"
        " weight: 2,097,152 MACs"
    )
    biased = call("ConvTranspose", [(2, 64, 16, 16), (64, 32, 2, 2), (32,)], [(2, 32, 32, 32)])
    assert explain(biased) == (
        "64·32·2·2 weights + 32 biases = 8,224; transposed, so each of the 2·16·16 input positions"
        " meets every weight: 4,194,304 MACs"
    )
    single = call("ConvTranspose", [(1, 2, 5), (2, 1, 3), (1,)], [(1, 1, 7)])
    assert explain(single) == (
        "2·1·3 weights + 1 bias = 7; transposed, so each of the 5 input positions"
        " meets every weight: 30 MACs"
    )
    one_filter = call("Conv", [(1, 2, 5), (1, 2, 3), (1,)], [(1, 1, 3)])
    assert explain(one_filter) == (
        "2·3 weights x 1 filter + 1 bias = 7; 6 MACs x 3 positions = 18 MACs"
    )


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_transposed_needs_an_axis_to_lie_on(costs: Costs, rank: int) -> None:
    shapes = [(2,) * rank, (2,) * rank]
    assert costs("ConvTranspose", shapes, [(2,) * rank]).macs is None
