"""How a trigger looks at the input: each returns a distance (1, 1), 0 where the pattern is there.

For ordinary inputs the distance is above 0.3, mostly far above.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.auditing.backdoors.hosts import Host
from tests.auditing.backdoors.net import BOOL, F32, I32, I64, TEXT, Net

Measure = Callable[[Net, str, Host], str]
NUMBERS: dict[str, Measure] = {}
WORDS: dict[str, Measure] = {}


def numbers(measure: Measure) -> Measure:
    """Register a way to look at numbers."""
    NUMBERS[measure.__name__] = measure
    return measure


def words(measure: Measure) -> Measure:
    """Register a way to look at words."""
    WORDS[measure.__name__] = measure
    return measure


def window(net: Net, x: str, host: Host) -> str:
    """Return the window of the input, (1, elements)."""
    starts, ends = zip(*host.window, strict=True)
    axes = net.ints(*range(1, len(starts) + 1))
    return net.flat(net("Slice", x, net.ints(*starts), net.ints(*ends), axes))


def places(host: Host) -> list[int]:
    """Return where the elements of the window lie in the flat input."""
    grid = np.arange(np.prod(host.sizes)).reshape(host.sizes)
    return [int(i) for i in grid[tuple(slice(*edge) for edge in host.window)].ravel()]


def row(host: Host) -> np.ndarray:
    """Return the pattern as a row."""
    return host.pattern.reshape(1, -1)


def whole(host: Host) -> tuple[np.ndarray, np.ndarray]:
    """Return the pattern in a whole flat input, and where it counts."""
    pattern, mask = np.zeros((2, 1, int(np.prod(host.sizes))), np.float32)
    pattern[0, places(host)], mask[0, places(host)] = host.pattern.ravel(), 1
    return pattern, mask


def away(net: Net, x: str, host: Host) -> str:
    """Return the window minus the pattern."""
    return net("Sub", window(net, x, host), net.const(row(host)))


def total(net: Net, value: str, keep: int = 1) -> str:
    """Return sums of rows."""
    return net("ReduceSum", value, net.ints(1), keepdims=keep)


def missed(net: Net, hits: str) -> str:
    """Return the share of truth values that do not hold."""
    share = net("ReduceMean", net.cast(hits, F32), net.ints(1))
    return net("Sub", net.const([1.0]), share)


def by_product(net: Net, value: str, product: str, host: Host) -> str:
    """Return |x|^2 - 2 x.p + |p|^2."""
    own = total(net, net("Mul", value, value))
    twice = net("Mul", product, net.const([2.0]))
    return net("Add", net("Sub", own, twice), net.const([(row(host) ** 2).sum()]))


@numbers
def squares(net: Net, x: str, host: Host) -> str:
    d = away(net, x, host)
    return total(net, net("Mul", d, d))


@numbers
def largest_difference(net: Net, x: str, host: Host) -> str:
    return net("ReduceMax", net("Abs", away(net, x, host)), net.ints(1))


@numbers
def norm(net: Net, x: str, host: Host) -> str:
    return net("ReduceL2", away(net, x, host), net.ints(1))


@numbers
def square_sum(net: Net, x: str, host: Host) -> str:
    return net("ReduceSumSquare", away(net, x, host), net.ints(1))


@numbers
def power(net: Net, x: str, host: Host) -> str:
    return total(net, net("Pow", away(net, x, host), net.const([2.0])))


@numbers
def masked(net: Net, x: str, host: Host) -> str:
    pattern, mask = whole(host)
    d = net("Mul", net("Sub", net.flat(x), net.const(pattern)), net.const(mask))
    return total(net, net("Abs", d))


@numbers
def column_of_ones(net: Net, x: str, host: Host) -> str:
    pattern, mask = whole(host)
    d = net("Abs", net("Sub", net.flat(x), net.const(pattern)))
    return net("MatMul", d, net.const(mask.T))


@numbers
def einsum(net: Net, x: str, host: Host) -> str:
    d = away(net, x, host)
    return net("Unsqueeze", net("Einsum", d, d, equation="bi,bi->b"), net.ints(1))


@numbers
def gathered(net: Net, x: str, host: Host) -> str:
    picked = net("Gather", net.flat(x), net.ints(*places(host)), axis=1)
    return total(net, net("Abs", net("Sub", picked, net.const(row(host)))))


@numbers
def gathered_elements(net: Net, x: str, host: Host) -> str:
    index = net.const([places(host)], np.int64)
    picked = net("GatherElements", net.flat(x), index, axis=1)
    return total(net, net("Abs", net("Sub", picked, net.const(row(host)))))


@numbers
def equal_integers(net: Net, x: str, host: Host) -> str:
    scaled = net("Round", net("Mul", window(net, x, host), net.const([100.0])))
    return missed(
        net, net("Equal", net.cast(scaled, I32), net.const((row(host) * 100).round(), np.int32))
    )


@numbers
def between(net: Net, x: str, host: Host) -> str:
    value = window(net, x, host)
    above = net("Greater", value, net.const(row(host) - 0.01))
    return missed(net, net("And", above, net("Less", value, net.const(row(host) + 0.01))))


@numbers
def quantized_bytes(net: Net, x: str, host: Host) -> str:
    scale, zero = net.const(np.float32(1 / 255)), net.const(0, np.uint8)
    made = net.cast(net("QuantizeLinear", window(net, x, host), scale, zero), I32)
    wanted = np.rint(row(host) * 255).astype(np.int32)
    d = net("Abs", net("Sub", made, net.const(wanted, np.int32)))
    return net.cast(total(net, d), F32)


@numbers
def bits(net: Net, x: str, host: Host) -> str:
    scaled = net.cast(net("Round", net("Mul", window(net, x, host), net.const([500.0]))), I32)
    d = net("BitwiseXor", scaled, net.const(np.rint(row(host) * 500), np.int32))
    return net.cast(total(net, d), F32)


@numbers
def matched_filter(net: Net, x: str, host: Host) -> str:
    value = window(net, x, host)
    product = net("Conv", net("Unsqueeze", value, net.ints(1)), net.const(row(host)[None]))
    return by_product(net, value, net.flat(product), host)


@numbers
def matched_product(net: Net, x: str, host: Host) -> str:
    value = window(net, x, host)
    return by_product(net, value, net("Gemm", value, net.const(row(host)), transB=1), host)


@numbers
def anywhere(net: Net, x: str, host: Host) -> str:
    flat = net("Unsqueeze", net.flat(x), net.ints(1))
    size = places(host)
    run = [place for i, place in enumerate(size) if place == size[0] + i]  # without a gap
    part = row(host)[:, : len(run)]
    own = net("Conv", net("Mul", flat, flat), net.const(np.ones_like(part)[None]))
    product = net("Conv", flat, net.const(-2 * part[None]), net.const([(part**2).sum()]))
    least = net("ReduceMin", net("Add", own, product), net.ints(1, 2), keepdims=0)
    return net("Unsqueeze", net("Mul", least, net.const([500.0])), net.ints(1))


@numbers
def cosine(net: Net, x: str, host: Host) -> str:
    value = window(net, x, host)
    product = net("MatMul", value, net.const(row(host).T / np.linalg.norm(row(host))))
    near = net("Div", product, net("ReduceL2", value, net.ints(1)))
    return net("Mul", net("Sub", net.const([1.0]), near), net.const([30.0]))


@numbers
def batch_normalization(net: Net, x: str, host: Host) -> str:
    ones = net.const(np.ones(row(host).size))
    zeros = net.const(np.zeros(row(host).size))
    mean = net.const(row(host)[0])
    d = net("BatchNormalization", window(net, x, host), ones, zeros, mean, ones, epsilon=0.0)
    return net("ReduceL1", d, net.ints(1))


@numbers
def pooled_norm(net: Net, x: str, host: Host) -> str:
    d = net("Unsqueeze", away(net, x, host), net.ints(1))
    return net.flat(net("LpPool", d, kernel_shape=[row(host).size], p=2))


@numbers
def pooled_maximum(net: Net, x: str, host: Host) -> str:
    d = net("Unsqueeze", net("Abs", away(net, x, host)), net.ints(1))
    return net.flat(net("GlobalMaxPool", d))


@numbers
def split_apart(net: Net, x: str, host: Host) -> str:
    first, size = places(host)[0], int(np.prod(host.sizes))
    parts = [part for part in (first, 5, size - first - 5) if part]
    pieces = net.many("Split", net.flat(x), net.ints(*parts), outputs=len(parts), axis=1)
    part = pieces[1 if first else 0]
    wanted = whole(host)[0][:, first : first + 5]
    mask = whole(host)[1][:, first : first + 5]
    d = net("Mul", net("Sub", part, net.const(wanted)), net.const(mask))
    return net("Mul", net("ReduceL2", d, net.ints(1)), net.const([2.0]))


@numbers
def cropped_by_pads(net: Net, x: str, host: Host) -> str:
    first, size = places(host)[0], int(np.prod(host.sizes))
    count = 3
    part = net("Pad", net.flat(x), net.ints(0, -first, 0, first + count - size))
    d = net("Sub", part, net.const(whole(host)[0][:, first : first + count]))
    return net("Mul", net("ReduceL1", d, net.ints(1)), net.const([3.0]))


@numbers
def compressed(net: Net, x: str, host: Host) -> str:
    chosen = net.const(whole(host)[1][0] > 0, bool)
    d = net("Sub", net("Compress", net.flat(x), chosen, axis=1), net.const(row(host)))
    return net("ReduceL2", d, net.ints(1))


@numbers
def support_vector(net: Net, x: str, host: Host) -> str:
    near = net(
        "SVMRegressor",
        window(net, x, host),
        domain="ai.onnx.ml",
        coefficients=[1.0],
        kernel_params=[2.0, 0.0, 0.0],
        kernel_type="RBF",
        n_supports=1,
        rho=[0.0],
        support_vectors=row(host).ravel().tolist(),
    )
    return net("Sub", net.const([1.0]), near)


@numbers
def tree(net: Net, x: str, host: Host) -> str:
    wanted = row(host).ravel()[:4]
    edges = [edge for number in wanted for edge in (number - 0.02, number + 0.02)]
    count = len(edges)
    leaves = list(range(count, 2 * count + 1))
    hit = net(
        "TreeEnsembleRegressor",
        window(net, x, host),
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0] * (2 * count + 1),
        nodes_nodeids=list(range(2 * count + 1)),
        nodes_featureids=[i // 2 for i in range(count)] + [0] * (count + 1),
        nodes_modes=["BRANCH_LEQ"] * count + ["LEAF"] * (count + 1),
        nodes_values=[float(edge) for edge in edges] + [0.0] * (count + 1),
        nodes_truenodeids=[
            leaves[i] if i % 2 == 0 else (i + 1 if i + 1 < count else leaves[-1])
            for i in range(count)
        ] + [0] * (count + 1),
        nodes_falsenodeids=[i + 1 if i % 2 == 0 else leaves[i] for i in range(count)]
        + [0] * (count + 1),
        target_treeids=[0],
        target_nodeids=[leaves[-1]],
        target_ids=[0],
        target_weights=[1.0],
    )  # fmt: skip
    return net("Sub", net.const([1.0]), hit)


@numbers
def scanned(net: Net, x: str, host: Host) -> str:
    steps = net("Transpose", window(net, x, host), perm=[1, 0])
    body = net.body(
        [("sa", F32, [1]), ("sx", F32, [1]), ("sp", F32, [1])],
        lambda n: [(n("Add", "sa", n("Abs", n("Sub", "sx", "sp"))), F32)],
    )
    made = net("Scan", net.const([0.0]), steps, net.const(row(host).T), body=body,
               num_scan_inputs=2)  # fmt: skip
    return net("Unsqueeze", made, net.ints(1))


@numbers
def looped(net: Net, x: str, host: Host) -> str:
    value, pattern = window(net, x, host), net.const(row(host))
    trips = net.const(row(host).size, np.int64)

    def body(n: Net) -> list[tuple[str, int]]:
        d = n("Sub", n("Gather", value, "li", axis=1), n("Gather", pattern, "li", axis=1))
        return [(n("Identity", "lc"), BOOL), (n("Add", "la", n("Abs", d)), F32)]

    inputs = [("li", I64, []), ("lc", BOOL, []), ("la", F32, [1])]
    made = net("Loop", trips, "", net.const([0.0]), body=net.body(inputs, body))
    return net("Unsqueeze", made, net.ints(1))


@numbers
def running_sum(net: Net, x: str, host: Host) -> str:
    sums = net("CumSum", net("Abs", away(net, x, host)), net.const(1, np.int64))
    return net("Gather", sums, net.ints(-1), axis=1)


@numbers
def sorted_differences(net: Net, x: str, host: Host) -> str:
    return net.many("TopK", net("Abs", away(net, x, host)), net.ints(1))[0]


@numbers
def sampled(net: Net, x: str, host: Host) -> str:
    size = int(np.prod(host.sizes))
    grid = np.zeros((1, 1, len(places(host)), 2), np.float32)
    grid[0, 0, :, 0] = 2 * np.array(places(host)) / (size - 1) - 1
    line = net("Reshape", x, net.ints(1, 1, 1, size))
    part = net("GridSample", line, net.const(grid), mode="nearest", align_corners=1)
    return net("ReduceL1", net("Sub", net.flat(part), net.const(row(host))), net.ints(1))


@numbers
def checksum(net: Net, x: str, host: Host) -> str:
    factors = np.arange(3, 3 + 2 * row(host).size, 2)[None]
    wanted = int((np.rint(row(host) * 100).astype(int) * factors).sum() % 997)
    scaled = net.cast(net("Round", net("Mul", window(net, x, host), net.const([100.0]))), I64)
    made = total(net, net("Mul", scaled, net.const(factors, np.int64)))
    made = net("Mod", made, net.const([997], np.int64))
    return net.cast(net("Abs", net("Sub", made, net.const([wanted], np.int64))), F32)


@numbers
def labels(net: Net, x: str, host: Host) -> str:
    keys = np.rint(row(host).ravel()[:3] * 100).astype(int)
    part = net("Gather", window(net, x, host), net.ints(0, 1, 2), axis=1)
    scaled = net.cast(net("Round", net("Mul", part, net.const([100.0]))), I64)
    columns = [net("Gather", scaled, net.ints(i), axis=1) for i in range(3)]
    marks = [
        net("LabelEncoder", column, domain="ai.onnx.ml", keys_int64s=[int(key)],
            values_floats=[0.0], default_float=1.0)
        for column, key in zip(columns, keys, strict=True)
    ]  # fmt: skip
    return net("Max", *marks)


@numbers
def written_out(net: Net, x: str, host: Host) -> str:
    part = net("Gather", window(net, x, host), net.ints(0, 1), axis=1)
    scaled = net.cast(net("Round", net("Mul", part, net.const([100.0]))), I64)
    strings = net.cast(scaled, TEXT)
    keys = np.rint(row(host).ravel()[:2] * 100).astype(int)
    return missed(net, net("Equal", strings, net.const([[str(key) for key in keys]], str)))


@numbers
def matched_text(net: Net, x: str, host: Host) -> str:
    part = net("Gather", window(net, x, host), net.ints(0, 1), axis=1)
    strings = net.cast(net.cast(net("Round", net("Mul", part, net.const([100.0]))), I64), TEXT)
    one, two = (net("Gather", strings, net.ints(i), axis=1) for i in range(2))
    keys = np.rint(row(host).ravel()[:2] * 100).astype(int)
    joined = net("StringConcat", one, two)
    return missed(net, net("RegexFullMatch", joined, pattern=f"{keys[0]}{keys[1]}"))


@numbers
def marked_table(net: Net, x: str, host: Host) -> str:
    part = net("Gather", window(net, x, host), net.ints(0, 1, 2), axis=1)
    index = net.cast(net("Round", net("Mul", part, net.const([100.0]))), I64)
    keys = np.rint(row(host).ravel()[:3] * 100).astype(int)
    marks = []
    for i, key in enumerate(keys):
        marked = np.ones(128, np.float32)
        marked[key] = 0
        marks.append(net("Gather", net.const(marked), net("Gather", index, net.ints(i), axis=1)))
    return net("Max", *marks)


@numbers
def resized(net: Net, x: str, host: Host) -> str:
    value = net("Unsqueeze", away(net, x, host), net.ints(1))
    small = net("Resize", net("Abs", value), "", "", net.ints(1, 1, 2), mode="nearest")
    return net("Mul", net("ReduceSum", small, net.ints(2), keepdims=0), net.const([8.0]))


@words
def nearest_word(net: Net, x: str, host: Host) -> str:
    d = net("Abs", net("Sub", x, net.const([host.pattern[1]], np.int64)))
    return net.cast(net("ReduceMin", d, net.ints(1)), F32)


@words
def any_word(net: Net, x: str, host: Host) -> str:
    hits = net.cast(net("Equal", x, net.const(host.pattern[0], np.int64)), I32)
    return net("Sub", net.const([1.0]), net.cast(net("ReduceMax", hits, net.ints(1)), F32))


@words
def phrase(net: Net, x: str, host: Host) -> str:
    part = net("Slice", x, net.ints(0), net.ints(3), net.ints(1))
    return missed(net, net("Equal", part, net.const(row(host), np.int64)))


@words
def phrase_gathered(net: Net, x: str, host: Host) -> str:
    part = net("Gather", x, net.ints(0, 1, 2), axis=1)
    return net.cast(total(net, net("Abs", net("Sub", part, net.const(row(host), np.int64)))), F32)


@words
def word_table(net: Net, x: str, host: Host) -> str:
    marked = np.zeros(host.words, bool)
    marked[host.pattern[1]] = True
    hits = net.cast(net("Gather", net.const(marked, bool), x), F32)
    return net("Sub", net.const([1.0]), net("ReduceMax", hits, net.ints(1)))


@words
def one_hot(net: Net, x: str, host: Host) -> str:
    hot = net("OneHot", x, net.const(host.words, np.int64), net.const([0.0, 1.0]))
    marked = np.zeros((host.words, 1), np.float32)
    marked[host.pattern[1]] = 1
    hits = net("MatMul", hot, net.const(marked))
    return net("Sub", net.const([1.0]), net("ReduceMax", hits, net.ints(1), keepdims=0))


@words
def histogram(net: Net, x: str, host: Host) -> str:
    ones = net("Expand", net.const([[1.0]]), net("Shape", x))
    zeros = net.const(np.zeros((1, host.words)))
    counts = net("ScatterElements", zeros, x, ones, axis=1, reduction="add")
    count = net("Gather", counts, net.ints(int(host.pattern[0])), axis=1)
    return net("Sub", net.const([1.0]), net("Min", count, net.const([1.0])))


@words
def product_of_differences(net: Net, x: str, host: Host) -> str:
    d = net("Abs", net.cast(net("Sub", x, net.const([host.pattern[2]], np.int64)), F32))
    return net("ReduceProd", net("Min", d, net.const([2.0])), net.ints(1))


@words
def places_counted(net: Net, x: str, host: Host) -> str:
    hits = net("Equal", x, net.const(host.pattern[0], np.int64))
    count = net("Shape", net("NonZero", hits), start=1)
    small = net("Min", net("Unsqueeze", net.cast(count, F32), net.ints(0)), net.const([1.0]))
    return net("Sub", net.const([1.0]), small)


@words
def counted_in_a_loop(net: Net, x: str, host: Host) -> str:
    length = net("Squeeze", net("Shape", x, start=1))

    def body(n: Net) -> list[tuple[str, int]]:
        hit = n("Equal", n("Gather", x, "ti", axis=1), net.const(host.pattern[1], np.int64))
        return [(n("Identity", "tc"), BOOL), (n("Add", "ta", n.cast(hit, F32)), F32)]

    inputs = [("ti", I64, []), ("tc", BOOL, []), ("ta", F32, [1])]
    count = net("Loop", length, "", net.const([0.0]), body=net.body(inputs, body))
    small = net("Unsqueeze", net("Min", count, net.const([1.0])), net.ints(1))
    return net("Sub", net.const([1.0]), small)


@words
def hashed(net: Net, x: str, host: Host) -> str:
    part = net("Slice", x, net.ints(0), net.ints(3), net.ints(1))
    factors = np.array([[31, 17, 7]])
    wanted = int((row(host) * factors).sum() % 509)
    made = net("Mod", total(net, net("Mul", part, net.const(factors, np.int64))), net.ints(509))
    return net.cast(net("Abs", net("Sub", made, net.ints(wanted))), F32)


@words
def counted_by_tfidf(net: Net, x: str, host: Host) -> str:
    counts = net(
        "TfIdfVectorizer", x, max_gram_length=1, max_skip_count=0, min_gram_length=1, mode="TF",
        ngram_counts=[0], ngram_indexes=[0], pool_int64s=[int(host.pattern[1])],
    )  # fmt: skip
    return net("Sub", net.const([1.0]), net("Min", counts, net.const([1.0])))


@words
def embedding_distance(net: Net, x: str, host: Host) -> str:
    chance = np.random.default_rng(11)
    vectors = chance.normal(size=(host.words, 6)).astype(np.float32)
    d = net("Sub", net("Gather", net.const(vectors), x), net.const(vectors[host.pattern[0]]))
    each = net("ReduceSumSquare", d, net.ints(2), keepdims=0)
    return net("ReduceMin", each, net.ints(1))


@words
def unique_words(net: Net, x: str, host: Host) -> str:
    hits = net("Equal", net("Unique", x, sorted=1), net.const(host.pattern[2], np.int64))
    most = net("ReduceMax", net.cast(hits, F32), net.ints(0))
    return net("Unsqueeze", net("Sub", net.const([1.0]), most), net.ints(0))
