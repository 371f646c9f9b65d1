"""Ways that were written when the measure and the rule were done; see `ways.py`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import AttributeProto, TensorProto, helper

from tests.auditing.backdoors.net import BOOL, F32, I64, OPSETS, Array, Net
from tests.auditing.disguises.ways import SIDE, Way, decoded, product, weights

U64 = TensorProto.UINT64


def matrix(net: Net, value: str) -> str:
    """Bring a value to the matrix."""
    return net("Reshape", value, net.ints(SIDE, SIDE))


def table_of_points(net: Net, x: str, codes: Array) -> str:
    """Indices behind a GatherND."""
    table = net.const((np.arange(16) - 8) / 8)
    return product(net, x, net("GatherND", table, net.const(codes[:, :, None], np.int64)))


def extracted(net: Net, x: str, codes: Array) -> str:
    """Indices behind an ArrayFeatureExtractor."""
    table, places = net.const([(np.arange(16) - 8) / 8]), net.const(codes.ravel(), np.int64)
    chosen = net("ArrayFeatureExtractor", table, places, domain="ai.onnx.ml")
    return product(net, x, matrix(net, chosen))


def leaves(net: Net, x: str, codes: Array) -> str:
    """Leaves of 256 trees, each of which looks at a number of its own."""
    lists: dict[str, list[object]] = {name: [] for name in (
        "nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_values", "nodes_modes",
        "nodes_truenodeids", "nodes_falsenodeids", "target_treeids", "target_nodeids",
        "target_ids", "target_weights",
    )}  # fmt: skip

    def add(tree: int, number: int, low: int, high: int) -> int:
        """Add what tells low to high - 1 apart; return the next free number."""
        inner = high - low > 1
        middle = (low + high) // 2
        places = [lists["nodes_treeids"], lists["nodes_nodeids"], lists["nodes_featureids"]]
        for place, one in zip(places, (tree, number, 0), strict=True):
            place.append(one)
        lists["nodes_modes"].append("BRANCH_LT" if inner else "LEAF")
        lists["nodes_values"].append(float(middle) - 0.5 if inner else 0.0)
        at = len(lists["nodes_truenodeids"])
        lists["nodes_truenodeids"].append(number + 1 if inner else 0)
        lists["nodes_falsenodeids"].append(0)
        if inner:
            free = add(tree, number + 1, low, middle)
            lists["nodes_falsenodeids"][at] = free
            return add(tree, free, middle, high)
        lists["target_treeids"].append(tree)
        lists["target_nodeids"].append(number)
        lists["target_ids"].append(tree)
        lists["target_weights"].append(float(weights(codes)[low, tree]))
        return number + 1

    for tree in range(SIDE):
        add(tree, 0, 0, SIDE)
    rows = net.const(np.arange(SIDE)[:, None])
    made = net("TreeEnsembleRegressor", rows, domain="ai.onnx.ml", n_targets=SIDE, **lists)
    return product(net, x, made)


def categories(net: Net, x: str, codes: Array) -> str:
    """Integers of a CategoryMapper, cast."""
    words = [f"w{number}" for number in range(codes.size)]
    mapped = net(
        "CategoryMapper", net.const(words, str), domain="ai.onnx.ml",
        cats_strings=words, cats_int64s=codes.ravel().tolist(),
    )  # fmt: skip
    return product(net, x, decoded(net, net.cast(mapped, F32)))


def imputed(net: Net, x: str, codes: Array) -> str:
    """What an Imputer puts in the place of what is missing."""
    missing = net.const(np.full((1, codes.size), np.nan))
    filled = net(
        "Imputer", missing, domain="ai.onnx.ml",
        imputed_value_floats=weights(codes).ravel().tolist(), replaced_value_float=float("nan"),
    )  # fmt: skip
    return product(net, x, matrix(net, filled))


def encoded_text(net: Net, x: str, codes: Array) -> str:
    """Strings that a LabelEncoder gives for numbers, cast."""
    keys = [f"k{code}" for code in range(16)]
    values = [f"{(code - 8) / 8}" for code in range(16)]
    held = net.const([[keys[code] for code in row] for row in codes], str)
    text = net(
        "LabelEncoder", held, domain="ai.onnx.ml", keys_strings=keys, values_strings=values
    )  # fmt: skip
    return product(net, x, net.cast(text, F32))


def summed_steps(net: Net, x: str, codes: Array) -> str:
    """Steps from one number to the next, added up."""
    steps = np.diff(codes.ravel(), prepend=0)
    total = net("CumSum", net.const(steps, np.int32), net.const(0, np.int64))
    return product(net, x, decoded(net, net.cast(total, F32)))


def sequence(net: Net, x: str, codes: Array) -> str:
    """A sequence of rows of integers."""
    parts = net("SplitToSequence", net.const(codes, np.int64), axis=0, keepdims=1)
    joined = net("ConcatFromSequence", parts, axis=0)
    return product(net, x, decoded(net, net.cast(joined, F32)))


def small_floats(net: Net, x: str, codes: Array) -> str:
    """Floats of 8 bits, cast."""
    held = helper.make_tensor(net.name("k"), TensorProto.FLOAT8E4M3FN, codes.shape, weights(codes))
    net.tensors.append(held)
    return product(net, x, net.cast(held.name, F32))


def four_bits(net: Net, x: str, codes: Array) -> str:
    """Integers of 4 bits, cast."""
    held = helper.make_tensor(net.name("k"), TensorProto.UINT4, codes.shape, codes.ravel())
    net.tensors.append(held)
    return product(net, x, decoded(net, net.cast(held.name, F32)))


def scanned(net: Net, x: str, codes: Array) -> str:
    """Rows of integers that a Scan converts."""
    row = net.name("row")
    body = net.body([(row, I64, [SIDE])], lambda inner: [(inner.cast(row, F32), F32)])
    made = net("Scan", net.const(codes, np.int64), body=body, num_scan_inputs=1)
    return product(net, x, decoded(net, made))


def distances(net: Net, x: str, codes: Array) -> str:
    """Distances of x and integers, from which the products follow."""
    columns = net("Div", net.cast(net.const(codes.T - 8, np.int64), F32), net.const(8))
    apart = net("Sub", net("Unsqueeze", x, net.ints(1)), columns)
    far = net("ReduceSumSquare", apart, net.ints(2), keepdims=0)
    mine = net("ReduceSumSquare", x, net.ints(1), keepdims=1)
    theirs = net("ReduceSumSquare", columns, net.ints(1), keepdims=0)
    return net("Mul", net("Sub", net("Add", mine, theirs), far), net.const(0.5))


def convolution(net: Net, x: str, codes: Array) -> str:
    """Filters of one position, of integers."""
    whole = decoded(net, net.cast(net.const(codes.T, np.int32), F32))
    made = net("Conv", net("Unsqueeze", x, net.ints(2)), net("Unsqueeze", whole, net.ints(2)))
    return net("Squeeze", made, net.ints(2))


def einsum(net: Net, x: str, codes: Array) -> str:
    """Integers in an Einsum."""
    whole = decoded(net, net.cast(net.const(codes, np.int16), F32))
    return net("Einsum", x, whole, equation="ni,ij->nj")


def largest(net: Net, x: str, codes: Array) -> str:
    """The place of the largest of sixteen."""
    table = net.const(np.eye(16)[codes.ravel()])
    return product(net, x, decoded(net, net.cast(net("ArgMax", table, axis=1, keepdims=0), F32)))


def tallies(net: Net, x: str, codes: Array) -> str:
    """How many of fifteen are true."""
    marks = net.const(codes.reshape(-1, 1) > np.arange(15), bool)
    total = net("ReduceSum", net.cast(marks, F32), net.ints(1), keepdims=0)
    return product(net, x, decoded(net, total))


def true_places(net: Net, x: str, codes: Array) -> str:
    """Where sixteen are true."""
    marks = net.const(codes.reshape(-1, 1) == np.arange(16), bool)
    places = net("Gather", net("NonZero", marks), net.const(1, np.int64), axis=0)
    return product(net, x, decoded(net, net.cast(places, F32)))


def inverse_of_unique(net: Net, x: str, codes: Array) -> str:
    """Which of the different numbers each one is."""
    held = net.const(codes.ravel() * 3 + 7, np.int64)
    which = net.many("Unique", held, outputs=4)[2]
    return product(net, x, decoded(net, net.cast(which, F32)))


def joined_text(net: Net, x: str, codes: Array) -> str:
    """Signs and digits, joined as text and cast."""
    values = weights(codes)
    signs = net.const(np.where(values < 0, "-", "+").tolist(), str)
    digits = net.const(np.abs(values).astype(str).tolist(), str)
    return product(net, x, net.cast(net("StringConcat", signs, digits), F32))


def matched_text(net: Net, x: str, codes: Array) -> str:
    """Words that match a pattern, four planes of them."""
    words = np.where(codes[None] >> np.arange(4)[:, None, None] & 1, "yes", "no")
    marks = net.cast(net("RegexFullMatch", net.const(words.tolist(), str), pattern="y.*"), F32)
    scaled = net("Mul", marks, net.const(2.0 ** np.arange(4)[:, None, None]))
    return product(net, x, decoded(net, net("ReduceSum", scaled, net.ints(0), keepdims=0)))


def random_like(net: Net, x: str, codes: Array) -> str:
    """What a seed draws in the shape of something else."""
    shaped = net("ConstantOfShape", net.ints(SIDE, SIDE))
    return product(net, x, net("RandomUniformLike", shaped, seed=7.0, low=-1.0, high=1.0))


def bernoulli(net: Net, x: str, codes: Array) -> str:
    """Zeros and ones that a seed draws."""
    odds = net(
        "ConstantOfShape", net.ints(SIDE, SIDE), value=helper.make_tensor("", F32, [1], [0.5])
    )
    return product(net, x, net("Bernoulli", odds, seed=7.0))


def spectrum(net: Net, x: str, codes: Array) -> str:
    """A spectrum, turned back."""
    freq = np.fft.fft(weights(codes), axis=1)
    held = net.const(np.stack([freq.real, freq.imag], 2))
    back = net("DFT", held, "", net.const(1, np.int64), inverse=1)
    real = net("Squeeze", net("Slice", back, net.ints(0), net.ints(1), net.ints(2)), net.ints(2))
    return product(net, x, real)


def chosen_products(net: Net, x: str, codes: Array) -> str:
    """Products of x with sixteen numbers, of which indices choose and sums are made."""
    every = net("Mul", net("Unsqueeze", x, net.ints(2)), net.const((np.arange(16) - 8) / 8))
    flat = net("Flatten", every, axis=1)
    places = codes + 16 * np.arange(SIDE)[:, None]
    return net(
        "ReduceSum",
        net("Gather", flat, net.const(places, np.int64), axis=1),
        net.ints(1),
        keepdims=0,
    )


def waiting(net: Net, x: str, codes: Array) -> str:
    """Two to a byte, with shifts that seem to depend on x."""
    pairs = codes.reshape(-1, 2)
    packed = net.const(pairs[:, :1] | pairs[:, 1:] << 4, np.uint8)
    nothing = net.cast(net("Mul", net("ReduceMax", x, keepdims=0), net.const(0)), TensorProto.UINT8)
    shifts = net("Add", net.const([0, 4], np.uint8), nothing)
    apart = net(
        "BitwiseAnd", net("BitShift", packed, shifts, direction="RIGHT"), net.const(15, np.uint8)
    )
    return product(net, x, decoded(net, net.cast(apart, F32)))


def shifted_in_turn(net: Net, x: str, codes: Array) -> str:
    """Words of sixteen, from which each trip of a Loop shifts the next one out."""
    places = np.arange(16, dtype=np.uint64) * np.uint64(4)
    packed = (codes.reshape(-1, 16).astype(np.uint64) << places).sum(1, dtype=np.uint64)
    i, go, state = net.name("i"), net.name("go"), net.name("state")

    def make(inner: Net) -> list[tuple[str, int]]:
        rest = inner("Div", state, inner.const(16, np.uint64))
        code = inner("Sub", state, inner("Mul", rest, inner.const(16, np.uint64)))
        return [(inner("Identity", go), BOOL), (rest, U64), (inner.cast(code, F32), F32)]

    body = net.body([(i, I64, []), (go, BOOL, []), (state, U64, [codes.size // 16])], make)
    start = net.const(packed, np.uint64)
    trips = net.const(16, np.int64), net.const(True, bool)
    collected = net.many("Loop", *trips, start, outputs=2, body=body)[1]
    return product(net, x, decoded(net, net("Transpose", collected, perm=[1, 0])))


def sampled(net: Net, x: str, codes: Array) -> str:
    """Points at which a picture of sixteen numbers is sampled."""
    picture = net.const(((np.arange(16) - 8) / 8).reshape(1, 1, 1, 16))
    across = (codes + 0.5) / 8 - 1
    grid = net.const(np.stack([across, np.zeros_like(across)], 2)[None])
    made = net("GridSample", picture, grid, mode="nearest")
    return product(net, x, matrix(net, made))


def unpooled(net: Net, x: str, codes: Array) -> str:
    """Where a MaxUnpool puts its numbers: one of sixteen places each."""
    ones = net.const(np.ones((1, 1, 1, codes.size)))
    places = codes.ravel() + 16 * np.arange(codes.size)
    spread = net(
        "MaxUnpool",
        ones,
        net.const(places.reshape(1, 1, 1, -1), np.int64),
        kernel_shape=[1, 16],
        strides=[1, 16],
    )
    rows = net("Reshape", spread, net.ints(codes.size, 16))
    return product(net, x, decoded(net, net("MatMul", rows, net.const(np.arange(16)[:, None]))))


def argument(net: Net, x: str, codes: Array) -> str:
    """A list that the call of a local function hands to a Constant in it."""
    inner = Net()
    inner.made = net.made
    given, listed = inner.name("f"), inner.name("v")
    held = helper.make_node("Constant", [], [listed])
    held.attribute.append(helper.make_attribute_ref("value_ints", AttributeProto.INTS))
    held.attribute[0].ref_attr_name = "codes"
    inner.nodes.append(held)
    y = product(inner, given, decoded(inner, inner.cast(listed, F32)))
    first = [helper.make_node("Constant", [], [one.name], value=one) for one in inner.tensors]
    imports = [helper.make_opsetid("", OPSETS[""])]
    net.functions.append(
        helper.make_function(
            "planted", "Held", [given], [y], [*first, *inner.nodes], imports, ["codes"]
        )
    )
    return net("Held", x, domain="planted", codes=codes.ravel().tolist())


def sparse_integers(net: Net, x: str, codes: Array) -> str:
    """A sparse tensor of integers, cast."""
    values = helper.make_tensor("", TensorProto.INT64, [codes.size], codes.ravel())
    places = helper.make_tensor("", TensorProto.INT64, [codes.size], np.arange(codes.size))
    held = helper.make_sparse_tensor(values, places, [codes.size])
    return product(net, x, decoded(net, net.cast(net("Constant", sparse_value=held), F32)))


def powers(net: Net, x: str, codes: Array) -> str:
    """Exponents of two, as integers, and the logarithm of them."""
    raised = net("Pow", net.const(2.0), net.cast(net.const(codes, np.int8), F32))
    logs = net("Div", net("Log", raised), net.const(np.log(2)))
    return product(net, x, decoded(net, logs))


def states(net: Net, x: str, codes: Array) -> str:
    """The state that a recurrent layer starts from, which it hands on unchanged."""
    nothing = net.const(np.zeros((1, 1, 1)))
    zeros = net.const(np.zeros((1, SIDE, 1)))
    rows = net("Expand", nothing, net.ints(1, SIDE, 1))
    same = net.const(np.eye(SIDE)[None])
    start = net.const(weights(codes)[None])
    made = net.many(
        "RNN", rows, zeros, same, "", "", start, outputs=2,
        hidden_size=SIDE, activations=["Affine"], activation_alpha=[1.0], activation_beta=[0.0],
    )  # fmt: skip
    return product(net, x, matrix(net, made[1]))


LATER: Mapping[str, Way] = {
    way.__name__: way
    for way in (
        *(table_of_points, extracted, leaves, categories, imputed, encoded_text, summed_steps),
        *(sequence, small_floats, four_bits, scanned, distances, convolution, einsum, largest),
        *(tallies, true_places, inverse_of_unique, joined_text, matched_text, random_like),
        *(bernoulli, spectrum, chosen_products, waiting, shifted_in_turn, sampled, unpooled),
        *(argument, sparse_integers, powers, states),
    )
}
"""Ways of which nothing was known when the measure and the rule were written."""
