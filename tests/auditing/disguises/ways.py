"""Ways to write one matrix so that a counter by kind misses it, each a function of a small builder.

A way takes a builder, the name of x (n, 256) and the codes 0 to 15 of the matrix, and returns the
name of x times (codes - 8) / 8. `later.py` holds those that were written when the rule was done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from onnx import TensorProto, helper

from tests.auditing.backdoors.net import BOOL, F32, I64, Array, Net

Way = Callable[[Net, str, Array], str]

SIDE = 256


def product(net: Net, x: str, matrix: str) -> str:
    """Return x times a matrix."""
    return net("MatMul", x, matrix)


def decoded(net: Net, codes: str) -> str:
    """Return (codes - 8) / 8 of float codes of any shape, as a matrix."""
    weights = net("Mul", net("Sub", codes, net.const(8)), net.const(0.125))
    return net("Reshape", weights, net.ints(SIDE, SIDE))


def weights(codes: Array) -> Array:
    """Return the matrix that the codes stand for."""
    return ((codes - 8) / 8).astype(np.float32)


def honest(net: Net, x: str, codes: Array) -> str:
    """An initializer."""
    return product(net, x, net.const(weights(codes)))


def moved(net: Net, x: str, codes: Array) -> str:
    """Transposed, reshaped, sliced and joined."""
    turned = net("Transpose", net.const(weights(codes).T), perm=[1, 0])
    halves = net.many("Split", turned, axis=1, num_outputs=2)
    return product(net, x, net("Concat", *halves, axis=1))


def shifted_bytes(net: Net, x: str, codes: Array) -> str:
    """Two to a byte, unpacked by shifts."""
    pairs = codes.reshape(-1, 2)
    packed = net.const(pairs[:, 0] | pairs[:, 1] << 4, np.uint8)
    low = net("BitwiseAnd", packed, net.const(15, np.uint8))
    high = net("BitShift", packed, net.const(4, np.uint8), direction="RIGHT")
    both = [net("Unsqueeze", part, net.ints(1)) for part in (low, high)]
    return product(net, x, decoded(net, net.cast(net("Concat", *both, axis=1), F32)))


def shifted_words(net: Net, x: str, codes: Array) -> str:
    """Sixteen to a word of 64 bits, unpacked by one shift."""
    places = np.arange(16, dtype=np.uint64) * np.uint64(4)
    packed = (codes.reshape(-1, 16).astype(np.uint64) << places).sum(1, dtype=np.uint64)
    column = net.const(packed[:, None], np.uint64)
    apart = net("BitShift", column, net.const(places, np.uint64), direction="RIGHT")
    return product(net, x, decoded(net, net.cast(net("Mod", apart, net.const(16, np.uint64)), F32)))


def digits(net: Net, x: str, codes: Array) -> str:
    """Digits of floats, taken apart by divisions and Floor."""
    places = 16.0 ** np.arange(4)
    packed = net.const(codes.reshape(-1, 4) @ places[:, None])
    floors = net("Floor", net("Div", packed, net.const(places)))
    over = net("Floor", net("Div", packed, net.const(places * 16)))
    return product(net, x, decoded(net, net("Sub", floors, net("Mul", over, net.const(16)))))


def planes(net: Net, x: str, codes: Array) -> str:
    """Four planes of bits, chosen by Where and added."""
    parts = [
        net("Where", net.const(codes >> bit & 1, bool), net.const(2**bit / 8), net.const(0))
        for bit in range(4)
    ]
    total = net("Sum", *parts)
    return product(net, x, net("Sub", total, net.const(1)))


def codebook(net: Net, x: str, codes: Array) -> str:
    """Indices behind a Gather."""
    table = net.const((np.arange(16) - 8) / 8)
    return product(net, x, net("Gather", table, net.const(codes, np.int64)))


def codebook_of_elements(net: Net, x: str, codes: Array) -> str:
    """Indices behind a GatherElements."""
    table = net.const(np.tile((np.arange(16) - 8) / 8, (SIDE, 1)))
    return product(net, x, net("GatherElements", table, net.const(codes, np.int64), axis=1))


def one_hot(net: Net, x: str, codes: Array) -> str:
    """Indices behind a OneHot, times a table."""
    hot = net("OneHot", net.const(codes, np.int64), net.ints(16), net.const([0, 1]))
    table = net.const(((np.arange(16) - 8) / 8)[:, None])
    return product(net, x, net("Squeeze", net("MatMul", hot, table), net.ints(2)))


def cast_integers(net: Net, x: str, codes: Array) -> str:
    """Integers of 64 bits, cast."""
    return product(net, x, decoded(net, net.cast(net.const(codes, np.int64), F32)))


def cast_text(net: Net, x: str, codes: Array) -> str:
    """Text, cast."""
    return product(net, x, net.cast(net.const(weights(codes).astype(str), str), F32))


def split_text(net: Net, x: str, codes: Array) -> str:
    """One string, split at spaces and cast."""
    text = net.const([" ".join(map(str, weights(codes).flat))], str)
    parts = net.many("StringSplit", text, delimiter=" ")[0]
    return product(net, x, net("Reshape", net.cast(parts, F32), net.ints(SIDE, SIDE)))


def list_of_integers(net: Net, x: str, codes: Array) -> str:
    """The list of a Constant, cast."""
    listed = net("Constant", value_ints=[int(code) for code in codes.flat])
    return product(net, x, decoded(net, net.cast(listed, F32)))


def labels(net: Net, x: str, codes: Array) -> str:
    """Values of a LabelEncoder."""
    places = net(
        "Range", net.const(0, np.int64), net.const(codes.size, np.int64), net.const(1, np.int64)
    )
    values = net(
        "LabelEncoder", places, domain="ai.onnx.ml",
        keys_int64s=list(range(codes.size)), values_floats=weights(codes).ravel().tolist(),
    )  # fmt: skip
    return product(net, x, net("Reshape", values, net.ints(SIDE, SIDE)))


def terms(net: Net, x: str, codes: Array) -> str:
    """Weights of terms of a TfIdfVectorizer."""
    count = codes.size
    words = net.const(np.arange(count), np.int64)
    values = net(
        "TfIdfVectorizer", words, mode="TFIDF", min_gram_length=1, max_gram_length=1,
        max_skip_count=0, ngram_counts=[0], ngram_indexes=list(range(count)),
        pool_int64s=list(range(count)), weights=weights(codes).ravel().tolist(),
    )  # fmt: skip
    return product(net, x, net("Reshape", values, net.ints(SIDE, SIDE)))


def padding(net: Net, x: str, codes: Array) -> str:
    """Numbers of elements to pad with, cast."""
    pads = net.const(codes.ravel(), np.int64)
    first = net("Slice", pads, net.ints(0), net.ints(2))
    unused = net("Pad", net.const([1, 2]), first)
    read = decoded(net, net.cast(pads, F32))
    return net("Add", product(net, x, read), net("Mul", net("ReduceMax", unused), net.const(0)))


def zero_points(net: Net, x: str, codes: Array) -> str:
    """Zero points of a DequantizeLinear whose data are zeros."""
    count = codes.size
    data = net("Expand", net.const(8, np.uint8), net.ints(count))
    scale = net("Expand", net.const(-0.125), net.ints(count))
    values = net("DequantizeLinear", data, scale, net.const(codes.ravel(), np.uint8), axis=0)
    return product(net, x, net("Reshape", values, net.ints(SIDE, SIDE)))


def scales(net: Net, x: str, codes: Array) -> str:
    """Scales of a DequantizeLinear whose data are ones."""
    count = codes.size
    data = net("Expand", net.const(1, np.int8), net.ints(count))
    values = net("DequantizeLinear", data, net.const(weights(codes).ravel()), axis=0)
    return product(net, x, net("Reshape", values, net.ints(SIDE, SIDE)))


def means(net: Net, x: str, codes: Array) -> str:
    """Means of a BatchNormalization of zeros."""
    count = codes.size
    zeros = net("ConstantOfShape", net.ints(1, count))
    ones, nothing = (net("Expand", net.const(one), net.ints(count)) for one in (1, 0))
    mean = net.const(-weights(codes).ravel())
    values = net("BatchNormalization", zeros, ones, nothing, mean, ones, epsilon=0.0)
    return product(net, x, net("Reshape", values, net.ints(SIDE, SIDE)))


def scaler(net: Net, x: str, codes: Array) -> str:
    """Offsets of a Scaler of zeros."""
    zeros = net("ConstantOfShape", net.ints(1, codes.size))
    values = net(
        "Scaler", zeros, domain="ai.onnx.ml",
        offset=(-weights(codes)).ravel().tolist(), scale=[1.0] * codes.size,
    )  # fmt: skip
    return product(net, x, net("Reshape", values, net.ints(SIDE, SIDE)))


def random(net: Net, x: str, codes: Array) -> str:
    """What a seed draws: another matrix, and as large."""
    return product(net, x, net("RandomNormal", shape=[SIDE, SIDE], seed=4.0))


def bias(net: Net, x: str, codes: Array) -> str:
    """The bias of a Gemm of zeros."""
    column, row = net.const(np.zeros((SIDE, 1))), net.const(np.zeros((1, SIDE)))
    return product(net, x, net("Gemm", column, row, net.const(weights(codes))))


def written(net: Net, x: str, codes: Array) -> str:
    """Updates of a ScatterND into zeros."""
    zeros = net("ConstantOfShape", net.ints(codes.size))
    places = net.const(np.arange(codes.size)[:, None], np.int64)
    values = net("ScatterND", zeros, places, net.const(weights(codes).ravel()))
    return product(net, x, net("Reshape", values, net.ints(SIDE, SIDE)))


def compressed(net: Net, x: str, codes: Array) -> str:
    """Which of the numbers 0 to 15 are left of each row of a table."""
    table = net.const(np.tile((np.arange(16) - 8) / 8, codes.size))
    chosen = net.const((codes.reshape(-1, 1) == np.arange(16)).ravel(), bool)
    values = net("Compress", table, chosen, axis=0)
    return product(net, x, net("Reshape", values, net.ints(SIDE, SIDE)))


def rows(net: Net, x: str, codes: Array) -> str:
    """A vector for each column, multiplied with x and summed."""
    sums = [
        net("ReduceSum", net("Mul", x, net.const(column)), net.ints(1), keepdims=1)
        for column in weights(codes).T
    ]
    return net("Concat", *sums, axis=1)


def function(net: Net, x: str, codes: Array) -> str:
    """A Constant in a local function, cast."""

    def make(inner: Net, given: Sequence[str]) -> str:
        return product(
            inner, given[0], decoded(inner, inner.cast(inner.const(codes, np.int64), F32))
        )

    return net.function(make, x)


def branch(net: Net, x: str, codes: Array) -> str:
    """Integers in both branches of an If, cast."""
    held = codes

    def body(shift: int) -> object:
        def make(inner: Net) -> list[tuple[str, int]]:
            stored = inner.cast(inner.const(held + shift, np.int64), F32)
            return [(inner("Sub", stored, inner.const(shift)), F32)]

        return net.body([], make)

    chosen = net("If", net.const(True, bool), then_branch=body(0), else_branch=body(1))
    return product(net, x, decoded(net, chosen))


def loop(net: Net, x: str, codes: Array) -> str:
    """Rows of integers that a Loop looks up and collects."""
    table = net.const(codes, np.int64)
    i, go = net.name("i"), net.name("go")

    def make(inner: Net) -> list[tuple[str, int]]:
        return [(inner("Identity", go), BOOL), (inner("Gather", table, i), I64)]

    body = net.body([(i, I64, []), (go, BOOL, [])], make)
    collected = net("Loop", net.const(SIDE, np.int64), net.const(True, bool), body=body)
    return product(net, x, decoded(net, net.cast(collected, F32)))


def turned_round(net: Net, x: str, codes: Array) -> str:
    """How many of sixteen numbers a ReverseSequence turns round, of which the first is taken."""
    rows = net("Expand", net.const(np.arange(16)), net.ints(codes.size, 16))
    lengths = net.const(codes.ravel() + 1, np.int64)
    turned = net("ReverseSequence", rows, lengths, batch_axis=0, time_axis=1)
    return product(net, x, decoded(net, net("Gather", turned, net.const(0, np.int64), axis=1)))


def sparse(net: Net, x: str, codes: Array) -> str:
    """A sparse tensor that leaves nothing out."""
    values = helper.make_tensor("", TensorProto.FLOAT, [codes.size], weights(codes).ravel())
    places = helper.make_tensor("", TensorProto.INT64, [codes.size], np.arange(codes.size))
    held = helper.make_sparse_tensor(values, places, [SIDE, SIDE])
    return product(net, x, net("Constant", sparse_value=held))


WAYS: Mapping[str, Way] = {
    way.__name__: way
    for way in (
        *(honest, moved, shifted_bytes, shifted_words, digits, planes, codebook),
        *(codebook_of_elements, one_hot, cast_integers, cast_text, split_text, list_of_integers),
        *(labels, terms, padding, zero_points, scales, means, scaler, random, bias, written),
        *(compressed, rows, function, branch, loop, turned_round, sparse),
    )
}
"""Ways that were looked at in development; the first is no disguise."""
