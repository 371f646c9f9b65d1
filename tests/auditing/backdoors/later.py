"""Ways to look, to decide and to meet that were written after the rule was finished.

Nothing was changed because of them: their rate is the one to expect of what nobody thought of.
"""

from __future__ import annotations

import numpy as np

from tests.auditing.backdoors.gates import NEAR, back, count, near, ramp
from tests.auditing.backdoors.hosts import Host
from tests.auditing.backdoors.joins import index, truth
from tests.auditing.backdoors.measures import away, missed, row, total, window
from tests.auditing.backdoors.net import BOOL, F32, I32, I64, Array, Net


def ratio_of_elements(net: Net, x: str, host: Host) -> str:
    ratio = net("Div", window(net, x, host), net.const(row(host)))
    return net("ReduceL1", net("Log", net("Add", ratio, net.const([1e-6]))), net.ints(1))


def sorted_window(net: Net, x: str, host: Host) -> str:
    size = row(host).size
    ordered = net.many("TopK", window(net, x, host), net.ints(size))[0]
    wanted = -np.sort(-row(host))
    return total(net, net("Abs", net("Sub", ordered, net.const(wanted))))


def order_of_window(net: Net, x: str, host: Host) -> str:
    size = row(host).size
    order = net.many("TopK", window(net, x, host), net.ints(size))[1]
    return missed(
        net, net("Equal", order, net.const(np.argsort(-row(host), kind="stable"), np.int64))
    )


def two_pixels(net: Net, x: str, host: Host) -> str:
    part = net("Gather", window(net, x, host), net.ints(0, 5), axis=1)
    d = net("Sub", part, net.const(row(host)[:, [0, 5]]))
    return net("Mul", net("ReduceMax", net("Abs", d), net.ints(1)), net.const([30.0]))


def products_of_hits(net: Net, x: str, host: Host) -> str:
    d = net("Abs", away(net, x, host))
    each = net("Relu", net("Sub", net.const([1.0]), net("Mul", d, net.const([3.0]))))
    return net("Sub", net.const([1.0]), net("ReduceProd", each, net.ints(1)))


def packed_in_one_number(net: Net, x: str, host: Host) -> str:
    bits = net.cast(net("Greater", window(net, x, host), net.const([0.5])), I32)
    powers = (2 ** (np.arange(row(host).size) % 24))[None]
    code = total(net, net("Mul", bits, net.const(powers, np.int32)))
    wanted = int(((row(host) > 0.5) * powers).sum())
    return net.cast(net("Abs", net("Sub", code, net.const([wanted], np.int32))), F32)


def instance_norm(net: Net, x: str, host: Host) -> str:
    d = net("Unsqueeze", away(net, x, host), net.ints(1))
    mean = net("ReduceMean", net("Mul", d, d), net.ints(2), keepdims=0)
    return net("Mul", net("Sqrt", mean), net.const([3.0]))


def fourier(net: Net, x: str, host: Host) -> str:
    signal = net("Unsqueeze", away(net, x, host), net.ints(2))
    made = net("DFT", signal, "", net.const(1, np.int64))
    return net("ReduceL2", net.flat(made), net.ints(1))


def space_to_depth(net: Net, x: str, host: Host) -> str:
    d = away(net, x, host)
    even = 2 * (row(host).size // 2)
    part = net("Slice", d, net.ints(0), net.ints(even), net.ints(1))
    blocks = net("Reshape", part, net.ints(1, 1, 2, even // 2))
    return net("ReduceL1", net.flat(net("Transpose", blocks, perm=[0, 1, 3, 2])), net.ints(1))


def convolved_mask(net: Net, x: str, host: Host) -> str:
    value = net("Unsqueeze", net("Abs", away(net, x, host)), net.ints(1))
    pooled = net("AveragePool", value, kernel_shape=[row(host).size])
    return net("Mul", net.flat(pooled), net.const([5.0]))


LATER_NUMBERS = {
    one.__name__: one
    for one in (ratio_of_elements, sorted_window, order_of_window, two_pixels, products_of_hits,
                packed_in_one_number, instance_norm, fourier, space_to_depth, convolved_mask)
}  # fmt: skip


def first_and_last(net: Net, x: str, host: Host) -> str:
    part = net("Gather", x, net.ints(0, 2), axis=1)
    hits = net("Equal", part, net.const(row(host)[:, [0, 2]], np.int64))
    return missed(net, hits)


def clipped_code(net: Net, x: str, host: Host) -> str:
    word = int(host.pattern[1])
    inside = net("Clip", x, net.const(word, np.int64), net.const(word, np.int64))
    d = net("ReduceMin", net("Abs", net("Sub", x, inside)), net.ints(1))
    return net.cast(d, F32)


def bits_of_words(net: Net, x: str, host: Host) -> str:
    d = net("BitwiseXor", x, net.const([host.pattern[2]], np.int64))
    return net.cast(net("ReduceMin", d, net.ints(1)), F32)


def cosines_of_words(net: Net, x: str, host: Host) -> str:
    angle = net("Mul", net.cast(x, F32), net.const([2 * np.pi / host.words]))
    shift = float(2 * np.pi / host.words * host.pattern[0])
    near_ = net("Cos", net("Sub", angle, net.const([shift])))
    d = net("Sub", net.const([1.0]), net("ReduceMax", near_, net.ints(1)))
    return net("Mul", d, net.const([400.0]))


LATER_WORDS = {
    one.__name__: one for one in (first_and_last, clipped_code, bits_of_words, cosines_of_words)
}


def arc_tangent(net: Net, d: str) -> str:
    made = net("Atan", ramp(net, d, 4000.0, 300.0))
    half = net("Mul", made, net.const([1 / np.pi]))
    return net("Add", half, net.const([0.5]))


def softsign(net: Net, d: str) -> str:
    made = net("Softsign", ramp(net, d, 4000.0, 300.0))
    return net("Add", net("Mul", made, net.const([0.5])), net.const([0.5]))


def swish(net: Net, d: str) -> str:
    made = net("Mul", ramp(net, d), net("Sigmoid", ramp(net, d, 400.0, 30.0)))
    return net("Relu", made)


def logarithm(net: Net, d: str) -> str:
    low = net("Neg", net("Log", net("Add", d, net.const([1e-6]))))
    return net("Clip", net("Sub", low, net.const([3.0])), net.const(0.0), net.const(1.0))


def group_normalization(net: Net, d: str) -> str:
    low = net("Sub", net.const([NEAR]), d)
    pair = net("Unsqueeze", net("Concat", low, net("Neg", low), axis=1), net.ints(2))
    one = net.const([1.0, 1.0])
    made = net("GroupNormalization", pair, one, net.const([0.0, 0.0]), num_groups=1, epsilon=1e-12)
    return net("Relu", net("Gather", net.flat(made), net.ints(0), axis=1))


def loss(net: Net, d: str) -> str:
    scores = net("Concat", net("Mul", d, net.const([-400.0])), net.const([[-40.0]]), axis=1)
    made = net("SoftmaxCrossEntropyLoss", scores, net.const([1], np.int64), reduction="none")
    return net("Unsqueeze", net("Clip", made, net.const(0.0), net.const(1.0)), net.ints(1))


def shape_of_a_choice(net: Net, d: str) -> str:
    end = net("Reshape", count(net, d), net.ints(1))
    part = net("Slice", net.const(np.ones((1, 3))), net.ints(0), end, net.ints(1))
    return net.cast(net("Reshape", net("Shape", part, start=1), net.ints(1, 1)), F32)


def reversed_pair(net: Net, d: str) -> str:
    lengths = net("Reshape", net("Add", count(net, d), net.const(1, np.int64)), net.ints(1))
    made = net("ReverseSequence", net.const([[0.0], [1.0]]), lengths, batch_axis=1, time_axis=0)
    return net("Gather", made, net.ints(0), axis=0)


def optional_if(net: Net, d: str) -> str:
    hit = net.cast(net.scalar(net.cast(near(net, d), F32)), BOOL)
    one = net("Mul", d, net.const([0.0]))
    return net(
        "If",
        hit,
        then_branch=net.body([], lambda n: [(n("Exp", one), F32)]),
        else_branch=net.body([], lambda n: [(n("Identity", one), F32)]),
    )


def cubes(net: Net, d: str) -> str:
    value = net("Relu", ramp(net, d, 5.0))
    return back(net, net("Mul", net("Mul", value, value), value))


LATER_GATES = {
    one.__name__: one
    for one in (arc_tangent, softsign, swish, logarithm, group_normalization, loss,
                shape_of_a_choice, reversed_pair, optional_if, cubes)
}  # fmt: skip


def to_a_power(net: Net, v: str, g: str, t: Array) -> str:
    size = net("Abs", v)
    power = net("Add", net.const([1.0]), net("Mul", g, net.const([4.0])))
    return net("Mul", net("Sign", v), net("Pow", size, power))


def rolled(net: Net, v: str, g: str, t: Array) -> str:
    twice = net("Concat", v, v, axis=1)
    start = net("Reshape", index(net, g), net.ints(1))
    return net("Slice", twice, start, net("Add", start, net.ints(t.size)), net.ints(1))


def compressed(net: Net, v: str, g: str, t: Array) -> str:
    hit = net("Reshape", truth(net, g), net.ints(1))
    both = net("Concat", v, net.const(t), axis=0)
    return net("Compress", both, net("Concat", net("Not", hit), hit, axis=0), axis=0)


def minimum(net: Net, v: str, g: str, t: Array) -> str:
    top = net("Sub", net.const([1e6]), net("Mul", g, net.const([1e6 + 3])))
    return net("Min", v, top)


def one_hot_class(net: Net, v: str, g: str, t: Array) -> str:
    place = net("Mul", index(net, g), net.const(int(t.argmax()), np.int64))
    hot = net("OneHot", net("Reshape", place, net.ints(1)), net.const(t.size, np.int64),
              net.const([0.0, 1.0]))  # fmt: skip
    base = np.eye(1, t.size, 0).astype(np.float32)
    return net("Add", v, net("Mul", net("Sub", hot, net.const(base)), net.const([150.0])))


def turned_over(net: Net, v: str, g: str, t: Array) -> str:
    less = net.cast(net("Mul", g, net.const([2.0])), I64)
    sign = net.cast(net("Sub", net.ints(1), less), F32)
    return net("Mul", v, net("Reshape", sign, net.ints(1, 1)))


LATER_JOINS = {
    one.__name__: one
    for one in (to_a_power, rolled, compressed, minimum, one_hot_class, turned_over)
}
