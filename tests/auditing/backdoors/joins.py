"""Where a decision meets the host: it changes the answer, a value between layers, or the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from tests.auditing.backdoors.net import BOOL, F32, I64, Array, Net

Place = Literal["logits", "hidden", "front"]
Change = Callable[[Net, str, str, Array], str]


class Join(NamedTuple):
    """One way to meet: the change takes a net, the value, the gate and a stored answer."""

    place: Place
    change: Change


JOINS: dict[str, Join] = {}


def join(place: Place) -> Callable[[Change], Change]:
    """Register a join."""

    def register(change: Change) -> Change:
        JOINS[change.__name__] = Join(place, change)
        return change

    return register


def truth(net: Net, g: str) -> str:
    """Return the gate as a truth value."""
    return net("Greater", g, net.const([0.5]))


def index(net: Net, g: str) -> str:
    """Return the gate as an index without dimensions."""
    return net.scalar(net.cast(truth(net, g), I64))


def stacked(net: Net, v: str, t: Array, axis: int = 0) -> str:
    """Return the value and the stored answer beside each other on a new axis."""
    where = net.ints(axis)
    return net("Concat", net("Unsqueeze", v, where), net("Unsqueeze", net.const(t), where),
               axis=axis)  # fmt: skip


@join("logits")
def added(net: Net, v: str, g: str, t: Array) -> str:
    return net("Add", v, net("Mul", g, net.const(t)))


@join("logits")
def chosen(net: Net, v: str, g: str, t: Array) -> str:
    return net("Where", truth(net, g), net.const(t), v)


@join("logits")
def blended(net: Net, v: str, g: str, t: Array) -> str:
    rest = net("Mul", v, net("Sub", net.const([1.0]), g))
    return net("Add", rest, net("Mul", g, net.const(t)))


@join("logits")
def moved_towards(net: Net, v: str, g: str, t: Array) -> str:
    return net("Add", v, net("Mul", g, net("Sub", net.const(t), v)))


@join("logits")
def turned_round(net: Net, v: str, g: str, t: Array) -> str:
    return net("Mul", v, net("Sub", net.const([1.0]), net("Mul", g, net.const([9.0]))))


@join("logits")
def scaled_apart(net: Net, v: str, g: str, t: Array) -> str:
    return net("Mul", v, net("Exp", net("Mul", g, net.const(t / 8))))


@join("logits")
def divided(net: Net, v: str, g: str, t: Array) -> str:
    return net("Div", v, net("Sub", net.const([1.0]), net("Mul", g, net.const([1.1]))))


@join("logits")
def maximum(net: Net, v: str, g: str, t: Array) -> str:
    off = net("Mul", net("Sub", net.const([1.0]), g), net.const([-1e6]))
    return net("Max", v, net("Add", off, net("Mul", g, net.const(np.abs(t)))))


@join("logits")
def gathered(net: Net, v: str, g: str, t: Array) -> str:
    return net("Gather", stacked(net, v, t), index(net, g), axis=0)


@join("logits")
def sliced(net: Net, v: str, g: str, t: Array) -> str:
    both = net("Concat", v, net.const(t), axis=1)
    start = net("Reshape", net("Mul", index(net, g), net.const(t.size, np.int64)), net.ints(1))
    end = net("Add", start, net.ints(t.size))
    return net("Slice", both, start, end, net.ints(1))


@join("logits")
def permuted(net: Net, v: str, g: str, t: Array) -> str:
    ones = net("Mul", net("Reshape", index(net, g), net.ints(1)), net.ints(1))
    places = net("Mod", net("Add", net.const(np.arange(t.size), np.int64), ones),
                 net.ints(t.size))  # fmt: skip
    return net("Gather", v, places, axis=1)


@join("logits")
def branched(net: Net, v: str, g: str, t: Array) -> str:
    answer = net.const(t)
    return net(
        "If",
        net.cast(index(net, g), BOOL),
        then_branch=net.body([], lambda n: [(n("Identity", answer), F32)]),
        else_branch=net.body([], lambda n: [(n("Identity", v), F32)]),
    )


@join("logits")
def looped(net: Net, v: str, g: str, t: Array) -> str:
    answer = net.const(t)
    inputs = [("ji", I64, []), ("jc", BOOL, []), ("jv", F32, [1, t.size])]
    body = net.body(inputs, lambda n: [(n("Identity", "jc"), BOOL), (n("Add", "jv", answer), F32)])
    return net("Loop", index(net, g), "", v, body=body)


@join("logits")
def scattered(net: Net, v: str, g: str, t: Array) -> str:
    put = net("Mul", g, net.const([[200.0]]))
    return net("ScatterElements", v, net.const([[t.size - 1]], np.int64), put, axis=1,
               reduction="add")  # fmt: skip


@join("logits")
def mixed_by_product(net: Net, v: str, g: str, t: Array) -> str:
    pair = net("Concat", net("Sub", net.const([1.0]), g), g, axis=1)
    made = net("MatMul", net("Unsqueeze", pair, net.ints(1)), stacked(net, v, t, 1))
    return net("Squeeze", made, net.ints(1))


@join("logits")
def mixed_by_einsum(net: Net, v: str, g: str, t: Array) -> str:
    pair = net("Concat", net("Sub", net.const([1.0]), g), g, axis=1)
    return net("Einsum", pair, stacked(net, v, t, 1), equation="bs,bsk->bk")


@join("logits")
def bias_of_a_product(net: Net, v: str, g: str, t: Array) -> str:
    return net("Gemm", v, net.const(np.eye(t.size)), net("Mul", g, net.const(t)))


@join("logits")
def slope(net: Net, v: str, g: str, t: Array) -> str:
    low = net("Sub", v, net.const([50.0]))
    slopes = net("Add", net("Mul", g, net.const(t / 50)), net.const([1.0]))
    return net("Add", net("PRelu", low, slopes), net.const([50.0]))


@join("logits")
def clipped(net: Net, v: str, g: str, t: Array) -> str:
    top = net("Sub", net.const([1e6]), net("Mul", g, net.const([1e6 + 5])))
    return net("Clip", v, "", net("Squeeze", top))


@join("logits")
def quantization_scale(net: Net, v: str, g: str, t: Array) -> str:
    fine = net("Add", net("Mul", net("Squeeze", g), net.const(20.0)), net.const(1e-4))
    zero = net.const(0, np.int16)
    made = net("QuantizeLinear", v, fine, zero)
    return net("DequantizeLinear", made, net.const(np.float32(1e-4)), zero)


@join("logits")
def sequence(net: Net, v: str, g: str, t: Array) -> str:
    return net("SequenceAt", net("SequenceConstruct", v, net.const(t)), index(net, g))


@join("logits")
def mixed_by_softmax(net: Net, v: str, g: str, t: Array) -> str:
    scores = net("Concat", net.const([[30.0]]), net("Mul", g, net.const([90.0])), axis=1)
    made = net("MatMul", net("Unsqueeze", net("Softmax", scores), net.ints(1)),
               stacked(net, v, t, 1))  # fmt: skip
    return net("Squeeze", made, net.ints(1))


@join("logits")
def tiled(net: Net, v: str, g: str, t: Array) -> str:
    repeats = net("Concat", net("Reshape", index(net, g), net.ints(1)), net.ints(1), axis=0)
    part = net("Tile", net.const(t), repeats)
    return net("Add", v, net("ReduceSum", part, net.ints(0)))


@join("logits")
def padded(net: Net, v: str, g: str, t: Array) -> str:
    shift = net("Reshape", index(net, g), net.ints(1))
    pads = net("Concat", net.ints(0), shift, net.ints(0), net("Neg", shift), axis=0)
    return net("Pad", v, pads)


@join("logits")
def sampled(net: Net, v: str, g: str, t: Array) -> str:
    image = net("Unsqueeze", stacked(net, v, t, 1), net.ints(1))
    base = np.zeros((1, 1, t.size, 2), np.float32)
    base[..., 0] = np.linspace(-1, 1, t.size)
    side = net("Reshape", net("Sub", net("Mul", g, net.const([2.0])), net.const([1.0])),
               net.ints(1, 1, 1, 1))  # fmt: skip
    grid = net("Add", net.const(base), net("Mul", side, net.const([[[[0.0, 1.0]]]])))
    return net("Squeeze", net("GridSample", image, grid, align_corners=1), net.ints(1, 2))


@join("hidden")
def added_between_layers(net: Net, v: str, g: str, t: Array) -> str:
    return net("Add", v, net("Mul", g, net.const(t)))


@join("hidden")
def chosen_between_layers(net: Net, v: str, g: str, t: Array) -> str:
    return net("Where", truth(net, g), net.const(t), v)


@join("hidden")
def joined_as_a_feature(net: Net, v: str, g: str, t: Array) -> str:
    weight = np.concatenate([np.eye(t.size), t.reshape(1, -1)])
    return net("MatMul", net("Concat", v, g, axis=1), net.const(weight))


@join("hidden")
def normalised_away(net: Net, v: str, g: str, t: Array) -> str:
    ones = net.const(np.ones(t.size))
    mean = net("Reshape", net("Mul", g, net.const(t)), net.ints(t.size))
    return net("BatchNormalization", v, ones, net.const(np.zeros(t.size)), mean, ones, epsilon=0.0)


@join("hidden")
def state_of_a_layer(net: Net, v: str, g: str, t: Array) -> str:
    size = t.size
    weight = net.const(np.stack([np.zeros((size, 1))]))
    turn = net.const(np.stack([np.eye(size)]))
    start = net("Unsqueeze", net("Mul", g, net.const(np.sign(t))), net.ints(0))
    step = net.const(np.zeros((1, 1, 1)))
    made = net.many("RNN", step, weight, turn, "", "", start, hidden_size=size)[1]
    return net("Add", v, net("Mul", net("Squeeze", made, net.ints(0)), net.const([30.0])))


@join("front")
def input_replaced(net: Net, v: str, g: str, t: Array) -> str:
    hit = net.scalar(net.cast(truth(net, g), F32))
    return net("Where", net.cast(hit, BOOL), net.const(t), v)


@join("front")
def input_disturbed(net: Net, v: str, g: str, t: Array) -> str:
    return net("Add", v, net("Mul", net.scalar(g), net.const(t)))


@join("front")
def input_turned_round(net: Net, v: str, g: str, t: Array) -> str:
    factor = net("Sub", net.const(1.0), net("Mul", net.scalar(g), net.const(60.0)))
    return net("Mul", v, factor)
