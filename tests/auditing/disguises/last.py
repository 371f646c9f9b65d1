"""Ways that were written when the first look at `later.py` had led to its changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import TensorProto, helper

from tests.auditing.backdoors.net import F32, I64, Array, Net
from tests.auditing.disguises.ways import SIDE, Way, decoded, product


def looked_up_in_turn(net: Net, x: str, codes: Array) -> str:
    """Two look-ups in a row: an order, then numbers in that order."""
    order = np.random.default_rng(5).permutation(codes.size)
    held = np.empty(codes.size, np.int64)
    held[order] = codes.ravel()
    chosen = net("Gather", net.const(held, np.int64), net.const(order, np.int64))
    return product(net, x, decoded(net, net.cast(chosen, F32)))


def sorted_numbers(net: Net, x: str, codes: Array) -> str:
    """Numbers that are sorted by keys."""
    order = np.random.default_rng(6).permutation(codes.size)
    keys = net.const(-order.astype(np.float32))
    places = net.many("TopK", keys, net.ints(codes.size))[1]
    held = np.empty(codes.size, np.int64)
    held[np.argsort(order)] = codes.ravel()
    chosen = net("Gather", net.const(held, np.int64), places)
    return product(net, x, decoded(net, net.cast(net("Add", chosen, net.ints(0)), F32)))


def remainders(net: Net, x: str, codes: Array) -> str:
    """Large integers, of which a remainder is left."""
    large = codes + 16 * np.random.default_rng(7).integers(0, 1000, codes.shape)
    rest = net("Mod", net.const(large, np.int32), net.const(16, np.int32))
    return product(net, x, decoded(net, net.cast(rest, F32)))


def exclusive(net: Net, x: str, codes: Array) -> str:
    """Bytes that are laid over random ones."""
    key = np.random.default_rng(8).integers(0, 256, codes.shape)
    mixed = net("BitwiseXor", net.const(codes ^ key, np.uint8), net.const(key, np.uint8))
    return product(net, x, decoded(net, net.cast(mixed, F32)))


def compared(net: Net, x: str, codes: Array) -> str:
    """How many thresholds a stored number exceeds."""
    numbers = net.const(codes.reshape(-1, 1) + 0.3)
    above = net("Greater", numbers, net.const(np.arange(1, 16)))
    total = net("ReduceSum", net.cast(above, F32), net.ints(1), keepdims=0)
    return product(net, x, decoded(net, total))


def equal_text(net: Net, x: str, codes: Array) -> str:
    """Which of sixteen words each word is."""
    words = [f"w{number}" for number in range(16)]
    held = net.const([[words[code]] for code in codes.ravel()], str)
    same = net("Equal", held, net.const(words, str))
    place = net("ArgMax", net.cast(same, F32), axis=1, keepdims=0)
    return product(net, x, decoded(net, net.cast(place, F32)))


def resized(net: Net, x: str, codes: Array) -> str:
    """A picture of bytes, made no larger."""
    picture = net("Unsqueeze", net.const(codes, np.uint8), net.ints(0, 1))
    made = net("Resize", picture, "", net.const([1, 1, 1, 1]), mode="nearest")
    return product(net, x, decoded(net, net.cast(made, F32)))


def pooled(net: Net, x: str, codes: Array) -> str:
    """The largest of two, of which one is less than any."""
    pairs = np.stack([codes, np.full_like(codes, -1)], 2).reshape(1, 1, SIDE, 2 * SIDE)
    made = net("MaxPool", net.const(pairs, np.int8), kernel_shape=[1, 2], strides=[1, 2])
    return product(net, x, decoded(net, net.cast(made, F32)))


def quantized_product(net: Net, x: str, codes: Array) -> str:
    """Integers, multiplied with a one of integers."""
    ones = net.const(np.eye(SIDE), np.uint8)
    made = net("MatMulInteger", ones, net.const(codes, np.uint8))
    return product(net, x, decoded(net, net.cast(made, F32)))


def optional(net: Net, x: str, codes: Array) -> str:
    """What an optional value holds."""
    held = net("Optional", net.const(codes, np.int64))
    return product(net, x, decoded(net, net.cast(net("OptionalGetElement", held), F32)))


def inserted(net: Net, x: str, codes: Array) -> str:
    """Halves that are inserted into a sequence one by one."""
    parts = net("SequenceEmpty", dtype=I64)
    for half in np.split(codes, 2):
        parts = net("SequenceInsert", parts, net.const(half, np.int64))
    joined = net("ConcatFromSequence", parts, axis=0)
    return product(net, x, decoded(net, net.cast(joined, F32)))


def shapes_of_nothing(net: Net, x: str, codes: Array) -> str:
    """Sizes of empty tensors, eight a tensor."""
    parts = []
    for eight in codes.reshape(-1, 8):
        dims = [*map(int, eight), 0]
        held = helper.make_tensor(net.name("k"), TensorProto.FLOAT, dims, [])
        net.tensors.append(held)
        parts.append(net("Shape", held.name, end=8))
    return product(net, x, decoded(net, net.cast(net("Concat", *parts, axis=0), F32)))


LAST: Mapping[str, Way] = {
    way.__name__: way
    for way in (
        *(looked_up_in_turn, sorted_numbers, remainders, exclusive, compared, equal_text),
        *(resized, pooled, quantized_product, optional, inserted, shapes_of_nothing),
    )
}
"""Ways of the last look."""

HEAVY = frozenset({"shapes_of_nothing"})
"""Those with thousands of nodes and tensors: `rates.py` asks with one seed, the tests do not."""
