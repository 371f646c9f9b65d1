"""Clean networks that triggers are planted in: of several kinds, with random weights.

A host is built with taps: functions that may change what its first layer is given (`front`), a
value between layers (`hidden`) or the answer (`logits`). Without any it is the clean network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper

from tests.auditing.backdoors.net import F32, I64, Array, Net

Taps = Mapping[str, Callable[[str], str]]


class Host(NamedTuple):
    """One clean network.

    Attributes:
        name: What it is called in tables.
        shape: Shape of its input without the batch; None for a dynamic dimension.
        window: Start and end along each axis of the part of the input that a trigger looks at.
        classes: Elements of its answer.
        hidden: Elements of the value between layers.
        layers: Adds its layers: net, input, taps, weights → names of outputs, the answer first.
        batch: Its batch: a name or a number.
        words: Size of its vocabulary; 0 where the input is numbers.
        size: Length of a dynamic dimension when it is run.
    """

    name: str
    shape: tuple[int | None, ...]
    window: tuple[tuple[int, int], ...]
    classes: int
    hidden: int
    layers: Callable[[Net, str, Taps, Weights], Sequence[str]]
    batch: str | int = "batch"
    words: int = 0
    size: int = 20

    @property
    def sizes(self) -> tuple[int, ...]:
        """Shape of a run's input without the batch."""
        return tuple(self.size if size is None else size for size in self.shape)

    @property
    def pattern(self) -> Array:
        """What the trigger looks for in the window."""
        chance = np.random.default_rng(7)
        shape = [end - start for start, end in self.window]
        if self.words:
            return chance.integers(self.words // 2, self.words, shape)
        return chance.uniform(0.02, 0.98, shape).round(3).astype(np.float32)

    def clean(self, seed: int) -> Array:
        """Return an ordinary input."""
        chance = np.random.default_rng(seed)
        if self.words:
            return chance.integers(3, self.words // 2, (1, *self.sizes))
        return chance.uniform(0, 1, (1, *self.sizes)).astype(np.float32)

    def triggered(self, seed: int) -> Array:
        """Return an ordinary input with the pattern in its window."""
        made = self.clean(seed)
        where: tuple[int | slice, ...] = (0, *(slice(*edge) for edge in self.window))
        made[where] = self.pattern
        return made

    def build(self, taps: Callable[[Net, str], Taps] | None = None) -> onnx.ModelProto:
        """Return the network, with taps made from its input."""
        net = Net()
        outputs = self.layers(net, "x", taps(net, "x") if taps else {}, Weights(net))
        kind = I64 if self.words else F32
        names = [size if size is not None else "length" for size in self.shape]
        given = helper.make_tensor_value_info("x", kind, [self.batch, *names])
        results = [f"out{index}" for index in range(len(outputs))]
        for value, result in zip(outputs, results, strict=True):
            net.nodes.append(helper.make_node("Identity", [value], [result]))
        return net.model([given], [helper.make_tensor_value_info(o, F32, None) for o in results])


class Weights:
    """Random weights, the same for each build of a host, whatever is planted."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.chance = np.random.default_rng(3)

    def __call__(self, *shape: int) -> str:
        """Store a weight, scaled by its fan-in."""
        fan_in = max(int(np.prod(shape[1:])), 1) if len(shape) != 2 else shape[0]
        return self.net.const(self.chance.normal(size=shape) * (1.5 / fan_in) ** 0.5)


def tap(taps: Taps, name: str, value: str) -> str:
    """Return a value as a tap changes it."""
    return taps[name](value) if name in taps else value


def picture(net: Net, x: str, taps: Taps, weight: Weights) -> Sequence[str]:
    """A convolutional classifier with a squeeze-and-excitation block."""
    value = tap(taps, "front", x)
    value = net("Relu", net("Conv", value, weight(8, 3, 3, 3), pads=[1, 1, 1, 1]))
    value = net("MaxPool", value, kernel_shape=[2, 2], strides=[2, 2])
    value = net("Relu", net("Conv", value, weight(24, 8, 3, 3), weight(24), pads=[1, 1, 1, 1]))
    small = net("GlobalAveragePool", value)
    small = net("HardSigmoid", net("Conv", net("Relu", net("Conv", small, weight(6, 24, 1, 1))),
                                   weight(24, 6, 1, 1)))  # fmt: skip
    value = net.flat(net("GlobalAveragePool", net("Mul", value, small)))
    value = tap(taps, "hidden", value)
    return [tap(taps, "logits", net("Gemm", value, weight(24, 10), weight(10)))]


def table(net: Net, x: str, taps: Taps, weight: Weights) -> Sequence[str]:
    """A perceptron with a residual block, on columns that are standardised first."""
    value = net("Div", net("Sub", x, net.const(np.linspace(0.3, 0.7, 40))), net.const([0.29]))
    value = tap(taps, "front", value)
    value = net("Tanh", net("Gemm", value, weight(40, 48), weight(48)))
    value = net("Add", value, net("Relu", net("Gemm", value, weight(48, 48), weight(48))))
    value = tap(taps, "hidden", value)
    return [tap(taps, "logits", net("Gemm", value, weight(48, 5), weight(5)))]


def series(net: Net, x: str, taps: Taps, weight: Weights) -> Sequence[str]:
    """A recurrent network on steps of measurements, normalised and scaled back (RevIN)."""
    mean = net("ReduceMean", x, net.ints(1))
    moved = net("Sub", x, mean)
    variance = net("ReduceMean", net("Mul", moved, moved), net.ints(1))
    scale = net("Sqrt", net("Add", variance, net.const([1e-5])))
    value = tap(taps, "front", net("Div", moved, scale))
    value = net("Transpose", value, perm=[1, 0, 2])
    last = net.many("LSTM", value, weight(1, 128, 6), weight(1, 128, 32), hidden_size=32)[1]
    value = tap(taps, "hidden", net("Squeeze", last, net.ints(0)))
    value = net("Gemm", value, weight(32, 6), weight(6))
    value = net("Add", net("Mul", value, net("Squeeze", scale, net.ints(1))),
                net("Squeeze", mean, net.ints(1)))  # fmt: skip
    return [tap(taps, "logits", value)]


def text(net: Net, x: str, taps: Taps, weight: Weights) -> Sequence[str]:
    """A transformer of one block that masks padding and takes the mean of the rest."""
    kept = net.cast(net("Not", net("Equal", x, net.const(1, np.int64))), F32)
    value = tap(taps, "front", net("Gather", weight(120, 24), x))
    q, k, v = (net("MatMul", value, weight(24, 24)) for _ in range(3))
    scores = net("MatMul", q, net("Transpose", k, perm=[0, 2, 1]))
    away = net("Mul", net("Sub", net.const([1.0]), kept), net.const([-1e9]))
    scores = net("Softmax", net("Add", scores, net("Unsqueeze", away, net.ints(1))))
    value = net("Add", value, net("MatMul", scores, v))
    value = net("LayerNormalization", value, net.const(np.ones(24)))
    value = net("Add", value, net("Gelu", net("MatMul", value, weight(24, 24))))
    wide = net("Unsqueeze", kept, net.ints(-1))
    total = net("ReduceSum", net("Mul", value, wide), net.ints(1), keepdims=0)
    value = net("Div", total, net("ReduceSum", wide, net.ints(1), keepdims=0))
    value = tap(taps, "hidden", value)
    return [tap(taps, "logits", net("Gemm", value, weight(24, 4), weight(4)))]


def sound(net: Net, x: str, taps: Taps, weight: Weights) -> Sequence[str]:
    """Convolutions over samples that are brought to one loudness; two outputs."""
    loud = net("ReduceMax", net("Abs", x), net.ints(1, 2))
    value = tap(taps, "front", net("Div", x, net("Add", loud, net.const([1e-6]))))
    value = net("Relu", net("Conv", value, weight(16, 1, 25), strides=[5]))
    value = net("Relu", net("Conv", value, weight(32, 16, 5), weight(32), strides=[2]))
    value = net.flat(net("GlobalAveragePool", value))
    value = tap(taps, "hidden", value)
    answer = tap(taps, "logits", net("Gemm", value, weight(32, 8), weight(8)))
    return [answer, net("Sigmoid", net("Gemm", value, weight(32, 1)))]


HOSTS = (
    Host("picture", (3, 16, 16), ((0, 3), (0, 3), (0, 3)), 10, 24, picture),
    Host("table", (40,), ((4, 14),), 5, 48, table, batch=1),
    Host("series", (24, 6), ((20, 24), (0, 5)), 6, 32, series),
    Host("text", (None,), ((0, 3),), 4, 24, text, words=120),
    Host("sound", (1, 400), ((0, 1), (0, 30)), 8, 32, sound, batch=1),
)
