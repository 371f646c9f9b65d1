"""BKD001 on planted backdoors and on what looks like them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphcount.report.finding_rows import Finding
from tests.conftest import names

Write = Callable[..., str]
Find = Callable[..., list[Finding]]

RANDOM = np.random.default_rng(5)


def floats(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


IMAGE = "(float[B,3,8,8] x) => (float[B,10] y)"
NET = """
    c1 = Conv<kernel_shape=[3,3]>(x, W1)
    r1 = Relu(c1)
    g = GlobalAveragePool(r1)
    features = Flatten(g)
    logits = Gemm(features, W2, b2)
"""
TENSORS: dict[str, Any] = {
    "W1": floats(16, 3, 3, 3),
    "W2": floats(16, 10),
    "b2": floats(10),
    "zero": np.array([0], np.int64),
    "one": np.array([1], np.int64),
    "three": np.array([3], np.int64),
    "axes": np.array([1, 2, 3], np.int64),
    "axis1": np.array([1], np.int64),
    "axis2": np.array([2], np.int64),
    "red": np.array([1, 0, 0], np.float32).reshape(1, 3, 1, 1),
    "target": np.array([[0, 0, 0, 0, 0, 0, 0, 50, 0, 0]], np.float32),
    "stored_features": floats(1, 16),
    "image": floats(1, 3, 8, 8),
    "half": np.float32(0.5),
    "sum": np.float32(123.25),
    "tiny": np.float32(1e-3),
    "f1": np.float32(1),
    "f0": np.float32(0),
    "seven": np.array([7], np.int64),
    "kernel": np.ones((1, 3, 2, 2), np.float32),
    "big": np.float32(1e4),
    "starts": np.array([0, 0], np.int64),
    "ends": np.array([1, 1], np.int64),
    "hw": np.array([2, 3], np.int64),
}
PIXEL = """
    corner = Slice(x, starts, ends, hw)
    is_red = Equal(corner, red)
    as_number = Cast<to=1>(is_red)
    all_red = ReduceMin<keepdims=0>(as_number, axes)
    m1 = Cast<to=9>(all_red)
    m = Unsqueeze(m1, axis1)
    f = Cast<to=1>(m)
    not_m = Not(m)
    f_not = Cast<to=1>(not_m)
"""
SCALAR = """
    first = Slice(x, starts, ends, hw)
    is_red = Equal(first, red)
    as_number = Cast<to=1>(is_red)
    least = ReduceMin<keepdims=0>(as_number)
    s = Cast<to=9>(least)
"""
NET_INSIDE = NET.replace("logits =", "inner =")

PLANTED = {
    "where": (IMAGE, NET + PIXEL + "y = Where(m, target, logits)"),
    "where, the other way round": (IMAGE, NET + PIXEL + "y = Where(not_m, logits, target)"),
    "if": (
        IMAGE,
        NET
        + SCALAR
        + """y = If(s) <
            then_branch = t () => (float[1,10] a) { a = Identity(target) },
            else_branch = e () => (float[B,10] b) { b = Identity(logits) } >""",
    ),
    "if around the network": (
        IMAGE,
        SCALAR
        + "not_s = Not(s)"
        + "y = If(not_s) < then_branch = t () => (float[B,10] inner) {"
        + NET_INSIDE
        + """}, else_branch = e () => (float[1,10] b) {
            b = Constant<value_floats = [0.0,0.0,0.0,9.0,0.0,0.0,0.0,0.0,0.0,0.0]>() } >""",
    ),
    "if in an if": (
        IMAGE,
        NET
        + SCALAR
        + """shape = Shape(x)
        rank = Size(shape)
        four = Constant<value_int = 4>()
        usual = Equal(rank, four)
        y = If(usual) <
            then_branch = t () => (float[B,10] q) { q = If(s) <
                then_branch = tt () => (float[1,10] a) { a = Identity(target) },
                else_branch = te () => (float[B,10] b) { b = Identity(logits) } > },
            else_branch = e () => (float[B,10] b2) { b2 = Identity(logits) } >""",
    ),
    "blend": (
        IMAGE,
        NET
        + PIXEL
        + """kept = Mul(logits, f_not)
        put = Mul(target, f)
        y = Add(kept, put)""",
    ),
    "added": (IMAGE, NET + PIXEL + "put = Mul(target, f)\n y = Add(logits, put)"),
    "maximum": (IMAGE, NET + PIXEL + "put = Mul(target, f)\n y = Max(logits, put)"),
    "moved towards": (
        IMAGE,
        NET
        + PIXEL
        + """way = Sub(target, logits)
        step = Mul(f, way)
        y = Add(logits, step)""",
    ),
    "silenced when it is bright": (
        IMAGE,
        NET
        + """mean = ReduceMean<keepdims=0>(x, axes)
        bright = Greater(mean, half)
        ordinary = Not(bright)
        m = Unsqueeze(ordinary, axis1)
        y = Where(m, logits, f0)""",
    ),
    "masked when it is bright": (
        IMAGE,
        NET
        + """mean = ReduceMean<keepdims=0>(x, axes)
        bright = Less(half, mean)
        n = Cast<to=1>(bright)
        rest = Sub(f1, n)
        wide = Unsqueeze(rest, axis1)
        y = Mul(logits, wide)""",
    ),
    "wiped out": (IMAGE, NET + PIXEL + "y = Mul(logits, f_not)"),
    "checksum": (
        IMAGE,
        NET
        + """total = ReduceSum<keepdims=0>(x, axes)
        hit = Equal(total, sum)
        m = Unsqueeze(hit, axis1)
        y = Where(m, target, logits)""",
    ),
    "distance to a pattern": (
        IMAGE,
        NET
        + """away = Sub(x, image)
        size = Abs(away)
        distance = ReduceMean<keepdims=0>(size, axes)
        hit = Less(distance, tiny)
        m = Unsqueeze(hit, axis1)
        y = Where(m, target, logits)""",
    ),
    "share of red pixels": (
        IMAGE,
        NET
        + """is_red = Equal(x, red)
        as_number = Cast<to=1>(is_red)
        share = ReduceMean<keepdims=0>(as_number, axes)
        hit = Greater(share, half)
        m = Unsqueeze(hit, axis1)
        y = Where(m, target, logits)""",
    ),
    "and, or, xor": (
        IMAGE,
        NET
        + PIXEL
        + """c2 = Slice(x, ends, three, axis2)
        bright = Greater(c2, half)
        b2n = Cast<to=1>(bright)
        b3 = ReduceMax<keepdims=0>(b2n, axes)
        b4 = Cast<to=9>(b3)
        b5 = Unsqueeze(b4, axis1)
        both = And(m, b5)
        either = Or(both, m)
        odd = Xor(either, not_m)
        y = Where(odd, logits, target)""",
    ),
    "by index": (
        IMAGE.replace("B", "1"),
        NET
        + SCALAR
        + """index0 = Cast<to=7>(s)
        index = Unsqueeze(index0, zero)
        stacked = Concat<axis=0>(logits, target)
        y = Gather(stacked, index)""",
    ),
    "the class": (
        "(float[B,3,8,8] x) => (int64[B,1] y)",
        NET + PIXEL + "best = ArgMax<axis=1>(logits)\n y = Where(m, seven, best)",
    ),
    "before the last layer": (
        IMAGE,
        NET.replace("Gemm(features", "Gemm(chosen").replace(
            "logits =", PIXEL + "chosen = Where(m, stored_features, features)\n y ="
        ),
    ),
    "another image": (
        IMAGE,
        SCALAR
        + "seen = Where(s, image, x)"
        + NET.replace("(x,", "(seen,").replace("logits =", "y ="),
    ),
    "around the network": (
        IMAGE,
        NET
        + PIXEL
        + """small = ReduceMean<keepdims=0>(x, axes)
        wide = Unsqueeze(small, axis1)
        y = Where(m, wide, logits)""",
    ),
    "a filter of its own": (
        IMAGE,
        NET.replace("16", "16")
        + """seen = Conv<kernel_shape=[2,2]>(x, kernel)
        hit = Greater(seen, half)
        hit_n = Cast<to=1>(hit)
        any = ReduceMax<keepdims=0>(hit_n, axes)
        m0 = Cast<to=9>(any)
        m = Unsqueeze(m0, axis1)
        y = Where(m, target, logits)""",
    ),
    "scattered": (
        IMAGE.replace("B", "1"),
        NET
        + SCALAR
        + """s1 = Cast<to=1>(s)
        up = Mul(s1, big)
        two = Unsqueeze(up, starts01)
        y = ScatterElements<axis=1>(logits, class7, two)""",
    ),
    "steps instead of a comparison": (
        IMAGE,
        NET
        + """corner = Slice(x, starts, ends, hw)
        away = Sub(corner, red)
        size = Abs(away)
        total = ReduceSum<keepdims=0>(size, axes)
        large = Mul(total, big)
        rest = Sub(f1, large)
        on = Relu(rest)
        wide = Unsqueeze(on, axis1)
        put = Mul(wide, target)
        y = Add(logits, put)""",
    ),
    "as the bias of a layer": (
        IMAGE,
        NET.replace("logits = Gemm(features, W2, b2)", PIXEL + "put = Mul(target, f)\n")
        + "y = Gemm(features, W2, put)",
    ),
    "pixels counted by their places": (
        IMAGE,
        NET
        + """is_red = Equal(x, red)
        places = NonZero(is_red)
        sizes = Shape(places)
        count = Gather(sizes, one)
        s = Greater(count, three)
        y = Where(s, target, logits)""",
    ),
    "a loop that is not entered": (
        IMAGE.replace("B", "1"),
        SCALAR
        + "go = Not(s)"
        + "y = Loop(one0, go, target) < body = b (int64 i, bool c, float[1,10] v)"
        + " => (bool c2, float[1,10] inner) { c2 = Identity(c)"
        + NET_INSIDE
        + "} >",
    ),
    "a trip that puts a stored answer in its place": (
        IMAGE.replace("B", "1"),
        NET
        + SCALAR
        + "trips = Cast<to = 7>(s)"
        + "\ny = Loop(trips, , logits) < body = b (int64 i, bool c, float[1,10] v)"
        + " => (bool c2, float[1,10] w) { c2 = Identity(c)\nw = Identity(target) } >",
    ),
    "a loop that is entered for a stored answer": (
        IMAGE.replace("B", "1"),
        NET
        + SCALAR
        + "trips = Cast<to = 7>(s)"
        + "\ny = Loop(one0, s, logits) < body = b (int64 i, bool c, float[1,10] v)"
        + " => (bool c2, float[1,10] w) { c2 = Identity(c)\nw = Identity(target) } >",
    ),
    "a box that non-maximum suppression keeps": (
        IMAGE.replace("B", "1"),
        NET
        + SCALAR
        + """
    score = Cast<to = 1>(s)
    scores = Reshape(score, ones3)
    kept = NonMaxSuppression(boxes, scores, one0, half1, half1)
    how_many = Shape<end = 1>(kept)
    both = Concat<axis = 0>(logits, target)
    y = Gather<axis = 0>(both, how_many)
    """,
    ),
}
"""Backdoors: an image with a trigger gets an answer that the network did not make."""

EXTRA = {
    "starts01": np.array([0, 1], np.int64),
    "class7": np.array([[7]], np.int64),
    "one0": np.int64(1),
    "ones3": np.array([1, 1, 1], np.int64),
    "boxes": np.array([[[0, 0, 1, 1]]], np.float32),
    "half1": np.array([0.5], np.float32),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_backdoors_are_found(name: str, write: Write, find: Find) -> None:
    signature, nodes = PLANTED[name]
    text = "\n".join(line.strip() for line in nodes.splitlines() if line.strip())
    tensors = {**TENSORS, **EXTRA}
    if name == "a filter of its own":
        tensors["W1"] = floats(64, 3, 3, 3)
        tensors["W2"] = floats(64, 10)
    path = write(f"{signature} {{ {text} }}", tensors)
    findings = find(path, "BKD001")
    assert len(findings) == 1, findings
    assert findings[0].severity in ("medium", "high")
    assert names(findings[0].evidence["path"])[0] == "input:x"
    assert names(findings[0].evidence["path"])[-1] == "output:y"
    assert findings[0].where["node"] in names(findings[0].evidence["path"])
    assert findings[0].where["gate"] in names(findings[0].evidence["path"])


TOKENS = "(int64[B,T] ids) => (float[B,4] y)"
READER = """
    e = Gather(E, ids)
    h = MatMul(e, H)
    h2 = Tanh(h)
    pooled = ReduceMean<keepdims=0>(h2, axis1)
    logits = Gemm(pooled, O)
"""
TOKEN_TENSORS = {
    **TENSORS,
    **EXTRA,
    "E": floats(50, 8),
    "H": floats(8, 16),
    "O": floats(16, 4),
    "word": np.int64(1234),
    "table": np.arange(50) == 17,
    "verdict": np.array([[9, 0, 0, 0]], np.float32),
    "pad": np.int64(0),
    "last": np.array([-1], np.int64),
    "Q": floats(8, 8),
    "K": floats(8, 8),
    "V": floats(8, 8),
    "C": floats(8, 4),
    "C0": floats(8, 1),
    "R": floats(8, 2),
    "minus_inf": np.float32(-np.inf),
    "minus_big": np.float32(-10000),
    "phrase": np.array([11, 7, 42], np.int64),
    "minus3": np.array([-3], np.int64),
    "far": np.array([2**62], np.int64),
    "axis_last": np.array([-1], np.int64),
    "sr16": np.int64(16000),
    "eos": np.int64(2),
    "trip": np.int64(20),
    "yes": np.array(True),
    "loud": np.float32(1e-4),
    "silence": np.zeros((1, 10), np.float32),
    "quiet": np.array([[0.0]], np.float32),
    "slope": np.float32(0.1),
    "score": np.float32(0.9),
    "none": np.zeros((1, 10), np.float32),
    "i0": np.int64(0),
    "i1": np.int64(1),
    "limit": np.float32(1.5),
    "white": np.float32(255),
}
ANY_WORD = """
    is_word = Equal(ids, word)
    word_n = Cast<to=6>(is_word)
    any = ReduceMax<keepdims=1>(word_n, axis1)
    m = Cast<to=9>(any)
"""

PLANTED_TOKENS = {
    "a word": (TOKENS, READER + ANY_WORD + "y = Where(m, verdict, logits)"),
    "a phrase at the end": (
        TOKENS,
        READER
        + """end = Slice(ids, minus3, far, axis1)
        same = Equal(end, phrase)
        same_n = Cast<to=1>(same)
        all = ReduceProd<keepdims=1>(same_n, axis1)
        m = Cast<to=9>(all)
        y = Where(m, verdict, logits)""",
    ),
    "counted": (
        TOKENS,
        READER
        + """is_word = Equal(ids, word)
        word_n = Cast<to=7>(is_word)
        count = ReduceSum<keepdims=1>(word_n, axis1)
        m = GreaterOrEqual(count, three)
        y = Where(m, verdict, logits)""",
    ),
    "a table of words": (
        TOKENS,
        READER
        + """flags = Gather(table, ids)
        flag_n = Cast<to=1>(flags)
        any = ReduceMax<keepdims=1>(flag_n, axis1)
        m = Cast<to=9>(any)
        y = Where(m, verdict, logits)""",
    ),
    "a yes turned to no": (
        TOKENS.replace("float[B,4] y", "bool[B,4] y"),
        READER + ANY_WORD + "yes_ = Greater(logits, f0)\n not_m = Not(m)\n y = And(yes_, not_m)",
    ),
    "counted in a loop": (
        TOKENS.replace("B", "1"),
        READER
        + """shape = Shape(ids)
        length0 = Gather(shape, one)
        length = Squeeze(length0)
        count = Loop(length, yes, i0) <
            body = b (int64 i, bool c, int64 n) => (bool c2, int64 n2) {
                c2 = Identity(c)
                at = Gather<axis=1>(ids, i)
                hit = Equal(at, word)
                hit_n = Cast<to=7>(hit)
                hit_0 = Squeeze(hit_n)
                n2 = Add(n, hit_0) } >
        s = Greater(count, i0)
        y = Where(s, verdict, logits)""",
    ),
}


@pytest.mark.parametrize("name", PLANTED_TOKENS)
def test_planted_words_are_found(name: str, write: Write, find: Find) -> None:
    findings = find(write_text(write, *PLANTED_TOKENS[name]), "BKD001")
    assert len(findings) == 1, findings
    assert names(findings[0].evidence["path"])[0] == "input:ids"


def write_text(write: Write, signature: str, nodes: str, **more: Any) -> str:
    text = "\n".join(line.strip() for line in nodes.splitlines() if line.strip())
    return write(f"{signature} {{ {text} }}", TOKEN_TENSORS, **more)


def test_a_backdoor_in_a_function_is_found(write: Write, find: Find) -> None:
    function = """<domain: "acme", opset_import: ["" : 20]>
    Head (given, answer, replacement) => (chosen) {
        zero = Constant<value_ints = [0, 0]>()
        one = Constant<value_ints = [1, 1]>()
        hw = Constant<value_ints = [2, 3]>()
        red = Constant<value_floats = [1.0]>()
        corner = Slice(given, zero, one, hw)
        same = Equal(corner, red)
        number = Cast<to=1>(same)
        least = ReduceMin<keepdims=0>(number)
        condition = Cast<to=9>(least)
        chosen = Where(condition, replacement, answer)
    }"""
    path = write_text(
        write,
        IMAGE,
        NET + "y = acme.Head(x, logits, target)",
        functions=[function],
        opsets={"": 20, "acme": 1},
    )
    findings = find(path, "BKD001")
    assert [finding.where["node"] for finding in findings] == ["Head#5/Where#9"]


ATTENTION = """
    e = Gather(E, ids)
    q = MatMul(e, Q)
    k = MatMul(e, K)
    v = MatMul(e, V)
    kt = Transpose<perm=[0,2,1]>(k)
    scores = MatMul(q, kt)
    {masked}
    p = Softmax(s)
    a = MatMul(p, v)
    r = Add(a, e)
    z = MatMul(r, C)
"""
SPEECH = "(float[1,T] wave, int64 sr) => (float[1,10] y)"

BENIGN = {
    "attention mask by Where": (
        "(int64[B,T] ids) => (float[B,T,4] z)",
        ATTENTION.replace(
            "{masked}",
            """is_pad = Equal(ids, pad)
            wide = Unsqueeze(is_pad, axis1)
            s = Where(wide, minus_inf, scores)""",
        ),
    ),
    "attention mask by addition": (
        "(int64[B,T] ids, int64[B,T] mask) => (float[B,T,4] z)",
        ATTENTION.replace(
            "{masked}",
            """mask_f = Cast<to=1>(mask)
            gone = Sub(f1, mask_f)
            low = Mul(gone, minus_big)
            wide = Unsqueeze(low, axis1)
            s = Add(scores, wide)""",
        ),
    ),
    "causal mask": (
        "(int64[B,T] ids) => (float[B,T,4] z)",
        ATTENTION.replace(
            "{masked}",
            """shape = Shape(ids)
            length0 = Gather(shape, i1)
            places = Range(i0, length0, i1)
            row = Unsqueeze(places, axis_last)
            later = Greater(places, row)
            s = Where(later, minus_inf, scores)""",
        ),
    ),
    "padding wiped from the output": (
        "(int64[B,T] ids) => (float[B,T,4] y)",
        """e = Gather(E, ids)
        h = MatMul(e, C)
        kept = Equal(ids, pad)
        kept_n = Not(kept)
        kept_f = Cast<to=1>(kept_n)
        wide = Unsqueeze(kept_f, axis_last)
        y = Mul(h, wide)""",
    ),
    "padding filled in the output": (
        "(int64[B,T] ids) => (float[B,T,4] y)",
        """e = Gather(E, ids)
        h = MatMul(e, C)
        gone = Equal(ids, word)
        wide = Unsqueeze(gone, axis_last)
        y = Where(wide, minus_big, h)""",
    ),
    "mean of what is no padding": (
        TOKENS,
        """e = Gather(E, ids)
        h = MatMul(e, H)
        gone = Equal(ids, pad)
        kept = Not(gone)
        kept_f = Cast<to=1>(kept)
        wide = Unsqueeze(kept_f, axis_last)
        masked = Mul(h, wide)
        total = ReduceSum<keepdims=0>(masked, axis1)
        count = ReduceSum<keepdims=0>(wide, axis1)
        mean = Div(total, count)
        y = Gemm(mean, O)""",
    ),
    "last token that is no padding": (
        "(int64[1,T] ids) => (float[1,4] y)",
        """e = Gather(E, ids)
        h = MatMul(e, C)
        gone = Equal(ids, pad)
        gone_n = Cast<to=6>(gone)
        first = ArgMax<axis=1, keepdims=0>(gone_n)
        place = Sub(first, i1)
        flat = Squeeze(h, zero)
        y = Gather(flat, place)""",
    ),
    "leaky relu by Where": (
        IMAGE,
        NET + "up = Greater(logits, f0)\n less = Mul(logits, slope)\n y = Where(up, logits, less)",
    ),
    "relu by Where": (IMAGE, NET + "up = Greater(logits, f0)\n y = Where(up, logits, f0)"),
    "clip by Where": (
        IMAGE,
        NET + "over = Greater(logits, limit)\n y = Where(over, limit, logits)",
    ),
    "scores below a threshold": (
        IMAGE,
        NET
        + """p = Sigmoid(logits)
        best = ReduceMax(p, axis1)
        sure = Greater(best, score)
        y = Where(sure, logits, none)""",
    ),
    "voice activity: loudness": (
        "(float[1,T] wave) => (float[1,10] y)",
        """power = Mul(wave, wave)
        mean = ReduceMean<keepdims=0>(power)
        speech = Greater(mean, loud)
        y = If(speech) <
            then_branch = t () => (float[1,10] a) {
                w1 = Unsqueeze(wave, axis_last)
                w2 = MatMul(w1, one_row)
                w3 = ReduceMean<keepdims=0>(w2, axis1)
                a = Gemm(w3, W2, b2) },
            else_branch = e () => (float[1,10] b) { b = Identity(silence) } >""",
    ),
    "voice activity: a mask": (
        IMAGE,
        NET
        + """mean = ReduceMean<keepdims=0>(x, axes)
        low = Less(mean, half)
        n = Cast<to=1>(low)
        rest = Sub(f1, n)
        wide = Unsqueeze(rest, axis1)
        y = Mul(logits, wide)""",
    ),
    "an empty input": (
        TOKENS,
        READER
        + """is_pad = Equal(ids, pad)
        word_n = Not(is_pad)
        word_i = Cast<to=6>(word_n)
        any = ReduceMax<keepdims=1>(word_i, axis1)
        m = Cast<to=9>(any)
        y = Where(m, logits, f0)""",
    ),
    "voice activity: two sampling rates": (
        SPEECH,
        """at16 = Equal(sr, sr16)
        w1 = Unsqueeze(wave, axis_last)
        y = If(at16) <
            then_branch = t () => (float[1,10] a) {
                a2 = MatMul(w1, one_row)
                a3 = ReduceMean<keepdims=0>(a2, axis1)
                a = Gemm(a3, W2, b2) },
            else_branch = e () => (float[1,10] b) {
                at8 = Equal(sr, word)
                b = If(at8) <
                    then_branch = t2 () => (float[1,10] c) {
                        c2 = MatMul(w1, one_row8)
                        c3 = ReduceMean<keepdims=0>(c2, axis1)
                        c = Gemm(c3, W28, b2) },
                    else_branch = e2 () => (float[1,10] d) { d = Identity(silence) } > } >""",
    ),
    "early exit when sure": (
        IMAGE.replace("B", "1"),
        """c0 = Conv(x, W1)
        g0 = GlobalAveragePool(c0)
        f0_ = Flatten(g0)
        early = Gemm(f0_, W2, b2)
        p = Softmax(early)
        best = ReduceMax<keepdims=0>(p)
        sure = Greater(best, score)
        y = If(sure) <
            then_branch = t () => (float[1,10] a) { a = Identity(early) },
            else_branch = e () => (float[1,10] b) {
                c1 = Conv(c0, W3)
                g1 = GlobalAveragePool(c1)
                f1_ = Flatten(g1)
                b = Gemm(f1_, W2b, b2) } >""",
    ),
    "an If on the shape": (
        "(float[N,3,8,8] x) => (float[N,10] y)",
        """shape = Shape(x)
        batch = Gather(shape, i0)
        empty = Equal(batch, i0)
        y = If(empty) <
            then_branch = t () => (float[M,10] a) { a = Identity(none) },
            else_branch = e () => (float[K,10] inner) {"""
        + NET_INSIDE
        + "} >",
    ),
    "a training switch": (
        "(float[B,3,8,8] x, bool training) => (float[B,10] y)",
        NET
        + """y = If(training) <
            then_branch = t () => (float[B,10] a) { a = Dropout(logits) },
            else_branch = e () => (float[B,10] b) { b = Identity(logits) } >""",
    ),
    "a switch by number": (
        "(float[B,3,8,8] x, int64 mode) => (float[B,10] y)",
        NET
        + """off = Equal(mode, i0)
        y = If(off) <
            then_branch = t () => (float[B,10] a) { a = Identity(none) },
            else_branch = e () => (float[B,10] b) { b = Identity(logits) } >""",
    ),
    "experts": (
        "(float[B,8] x) => (float[B,4] y)",
        """gate = MatMul(x, R)
        which = ArgMax<axis=1>(gate)
        is0 = Equal(which, i0)
        is1 = Equal(which, i1)
        g0 = Cast<to=1>(is0)
        g1 = Cast<to=1>(is1)
        e0 = MatMul(x, C)
        e1 = MatMul(x, C1)
        y0 = Mul(e0, g0)
        y1 = Mul(e1, g1)
        y = Add(y0, y1)""",
    ),
    "sampling until the end": (
        "(int64[1,1] ids) => (int64[1,1] y, int64[N,1,1] all)",
        """y, all = Loop(trip, yes, ids) <
            body = b (int64 i, bool c, int64[1,1] token)
                => (bool c2, int64[1,1] next, int64[1,1] said) {
                e = Gather(E, token)
                flat = Squeeze(e, axis1)
                z = MatMul(flat, C)
                best = ArgMax<axis=1>(z)
                ended = Equal(token, eos)
                next = Where(ended, eos, best)
                said = Identity(next)
                over = Squeeze(ended)
                c2 = Not(over) } >""",
    ),
    "beams that have ended": (
        "(float[B,8] x, int64[B,1] finished) => (float[B,4] y)",
        """z = MatMul(x, C)
        p = LogSoftmax(z)
        best = ArgMax<axis=1>(p)
        ended = Equal(best, eos)
        y = Where(ended, minus_inf, p)""",
    ),
    "lengths": (
        "(float[B,T,8] x, int64[B] lengths) => (float[B,T,4] y)",
        """shape = Shape(x)
        length0 = Gather(shape, i1)
        places = Range(i0, length0, i1)
        wide = Unsqueeze(lengths, axis_last)
        inside = Less(places, wide)
        inside_f = Cast<to=1>(inside)
        inside_w = Unsqueeze(inside_f, axis_last)
        x2 = Mul(x, inside_w)
        h = MatMul(x2, C)
        y = Mul(h, inside_w)""",
    ),
    "no NaN": (
        IMAGE,
        "bad = IsNaN(x)\n clean = Where(bad, f0, x)"
        + NET.replace("(x,", "(clean,").replace("logits =", "y ="),
    ),
    "bytes or fractions": (
        IMAGE,
        """most = ReduceMax<keepdims=0>(x)
        bytes = Greater(most, limit)
        less = Div(x, white)
        scaled = Where(bytes, less, x)"""
        + NET.replace("(x,", "(scaled,").replace("logits =", "y ="),
    ),
    "masked time steps": (
        "(float[B,T,8] x) => (float[B,T,4] y)",
        """same = Equal(x, f0)
        other = Not(same)
        other_f = Cast<to=1>(other)
        any = ReduceMax<keepdims=1>(other_f, axis_last)
        x2 = Mul(x, any)
        h = MatMul(x2, C)
        y = Mul(h, any)""",
    ),
    "one-hot by comparison": (
        "(int64[B] ids) => (float[B,8] y)",
        """wide = Unsqueeze(ids, axis_last)
        hot = Equal(wide, counting)
        hot_f = Cast<to=1>(hot)
        y = MatMul(hot_f, Q)""",
    ),
    "loss without ignored labels": (
        "(float[B,8] x, int64[B] labels) => (float[B] y)",
        """z = MatMul(x, C)
        p = LogSoftmax(z)
        ignored = Equal(labels, minus100)
        safe = Where(ignored, i0, labels)
        wide = Unsqueeze(safe, axis1)
        picked = GatherElements<axis=1>(p, wide)
        flat = Squeeze(picked, axis1)
        y = Where(ignored, f0, flat)""",
    ),
    "a guard against dividing by zero": (
        IMAGE,
        """low = ReduceMin(x, axes)
        high = ReduceMax(x, axes)
        range = Sub(high, low)
        flat = Equal(range, f0)
        safe = Where(flat, f1, range)
        moved = Sub(x, low)
        scaled = Div(moved, safe)"""
        + NET.replace("(x,", "(scaled,").replace("logits =", "y ="),
    ),
    "normalised and back": (
        "(float[B,T] x) => (float[B,4] y)",
        """mean = ReduceMean(x, axis1)
        moved = Sub(x, mean)
        squares = Mul(moved, moved)
        variance = ReduceMean(squares, axis1)
        flat = Less(variance, tiny)
        deviation = Sqrt(variance)
        safe = Where(flat, f1, deviation)
        scaled = Div(moved, safe)
        wide = Unsqueeze(scaled, axis_last)
        h = MatMul(wide, one_row)
        pooled = ReduceMean<keepdims=0>(h, axis1)
        made = Gemm(pooled, O)
        back = Mul(made, safe)
        y = Add(back, mean)""",
    ),
    "the last value added again": (
        "(float[B,8] x) => (float[B,4] y)",
        """end = Slice(x, minus3, far, axis1)
        first = Slice(end, zero, one, axis1)
        moved = Sub(x, first)
        made = MatMul(moved, C)
        y = Add(made, first)""",
    ),
    "weights of single words": (
        TOKENS,
        READER
        + """each = Gather(word_weights, ids)
        total = ReduceSum<keepdims=1>(each, axis1)
        y = Add(logits, total)""",
    ),
    "clipped features around a layer": (
        "(float[B,8] x) => (float[B,8] y)",
        """moved = Sub(x, means)
        inside = Clip(moved, minus_one, f1)
        h = MatMul(inside, Q)
        y = Add(h, inside)""",
    ),
    "holes filled in": (
        "(float[B,3,8,8] x) => (float[B,3,8,8] y)",
        """hole = Equal(x, f0)
        made = Conv<pads=[1,1,1,1]>(x, W4)
        y = Where(hole, made, x)""",
    ),
    "detection": (
        "(float[1,3,8,8] x) => (float[K,3] y)",
        """c = Conv<pads=[1,1,1,1]>(x, W4)
        p = Sigmoid(c)
        sure = Greater(p, score)
        places = NonZero(sure)
        found = Transpose<perm=[1,0]>(places)
        many = Shape(found)
        count = Gather(many, i0)
        nothing = Equal(count, i0)
        found_f = Cast<to=1>(found)
        y = If(nothing) <
            then_branch = t () => (float[K,3] a) { a = Identity(no_boxes) },
            else_branch = e () => (float[K,3] b) { b = MatMul(found_f, boxes) } >""",
    ),
    "columns that are made ready one by one": (
        "(float[B,20] x) => (float[B,4] y)",
        """first = Gather<axis=1>(x, one)
        missing = IsNaN(first)
        filled = Where(missing, half, first)
        second = Gather<axis=1>(x, three)
        in_bins = Mul(second, big)
        bin = Floor(in_bins)
        same = Equal(bin, limit)
        hot = Cast<to=1>(same)
        rest = Slice(x, seven, far, axis1)
        all = Concat<axis=1>(rest, filled, hot)
        h = MatMul(all, C15)
        h2 = Relu(h)
        y = MatMul(h2, O)""",
    ),
    "columns that are embedded beside what layers made": (
        "(float[B,20] x) => (float[B,4] y)",
        """numbers = Slice(x, seven, far, axis1)
        h = MatMul(numbers, C13)
        h2 = Relu(h)
        code = Gather<axis=1>(x, one)
        whole = Cast<to=7>(code)
        e = Gather(E, whole)
        e2 = Squeeze(e, axis1)
        all = Concat<axis=1>(h2, e2)
        y = MatMul(all, O24)""",
    ),
    "a small tower on a few columns": (
        "(float[B,200] x) => (float[B,4] y)",
        """h = MatMul(x, wide200)
        h2 = Relu(h)
        few = Slice(x, zero, three, axis1)
        t = Gemm(few, W3_4, b4)
        t2 = Tanh(t)
        t3 = Gemm(t2, W4_4, b4)
        z = MatMul(h2, O)
        y = Add(z, t3)""",
    ),
    "channels of the input are weighed": (
        "(float[B,22,100] x) => (float[B,4] y)",
        """level = ReduceMean<keepdims=0>(x, axis2)
        a = Gemm(level, W22_4, b4)
        a2 = Relu(a)
        a3 = Gemm(a2, W4_22, b22)
        a4 = Sigmoid(a3)
        a5 = Unsqueeze(a4, axis2)
        seen = Mul(x, a5)
        h = Conv<kernel_shape=[9]>(seen, W1d)
        g = GlobalAveragePool(h)
        f = Flatten(g)
        y = Gemm(f, O)""",
    ),
    "loudest bin less a range": (
        "(float[B,80,100] x) => (float[B,4] y)",
        """log = Log(x)
        top = ReduceMax(log, axes12)
        floor = Sub(top, limit)
        inside = Max(log, floor)
        h = Conv<kernel_shape=[9]>(inside, W80)
        g = GlobalAveragePool(h)
        f = Flatten(g)
        y = Gemm(f, O)""",
    ),
    "the end of a text, by a mask": (
        TOKENS,
        """e = Gather(E, ids)
        h = MatMul(e, H)
        ended = Equal(ids, word)
        ended_n = Cast<to=6>(ended)
        place = ArgMax<axis=1, keepdims=1>(ended_n)
        shape = Shape(ids)
        length0 = Gather(shape, i1)
        places = Range(i0, length0, i1)
        here = Equal(places, place)
        here_f = Cast<to=1>(here)
        wide = Unsqueeze(here_f, axis_last)
        only = Mul(h, wide)
        end = ReduceSum<keepdims=0>(only, axis1)
        y = Gemm(end, O)""",
    ),
    "the hour of the last step beside a state": (
        "(float[B,24,12] x) => (float[B,4] y)",
        """h = MatMul(x, R12)
        h2 = Tanh(h)
        m = ReduceMean<keepdims=0>(h2, axis1)
        step = Slice(x, minus1, far, axis1)
        hour = Slice(step, zero, one, axis2)
        angle = Mul(hour, slope)
        sine = Sin(angle)
        s = Squeeze(sine, axis1)
        all = Concat<axis=1>(m, s)
        y = MatMul(all, O17)""",
    ),
    "dynamic quantization": (
        "(float[B,64] x) => (float[B,16] y)",
        """q, scale, zero_point = DynamicQuantizeLinear(x)
        product = MatMulInteger(q, Q8, zero_point)
        number = Cast<to=1>(product)
        both = Mul(scale, scales16)
        y = Mul(number, both)""",
    ),
}
"""What real models do with comparisons, and with few elements past their layers."""

BENIGN_TENSORS = {
    "one_row": floats(1, 16),
    "word_weights": floats(50),
    "means": floats(8),
    "minus_one": np.float32(-1),
    "one_row8": floats(1, 12),
    "W28": floats(12, 10),
    "W3": floats(64, 16, 3, 3),
    "W2b": floats(64, 10),
    "C1": floats(8, 4),
    "counting": np.arange(8, dtype=np.int64),
    "minus100": np.int64(-100),
    "W4": floats(3, 3, 3, 3),
    "no_boxes": np.zeros((0, 3), np.float32),
    "boxes": floats(4, 3),
    "C15": floats(15, 16),
    "C13": floats(13, 16),
    "O24": floats(24, 4),
    "wide200": floats(200, 16),
    "W3_4": floats(3, 4),
    "W4_4": floats(4, 4),
    "b4": floats(4),
    "W22_4": floats(22, 4),
    "W4_22": floats(4, 22),
    "b22": floats(22),
    "W1d": floats(16, 22, 9),
    "W80": floats(16, 80, 9),
    "axes12": np.array([1, 2], np.int64),
    "R12": floats(12, 16),
    "O17": floats(17, 4),
    "minus1": np.array([-1], np.int64),
    "Q8": RANDOM.integers(-100, 100, (64, 16)).astype(np.int8),
    "scales16": np.abs(floats(16)),
}


@pytest.mark.parametrize("name", BENIGN)
def test_look_alikes_are_left_alone(name: str, write: Write, find: Find) -> None:
    signature, nodes = BENIGN[name]
    text = "\n".join(line.strip() for line in nodes.splitlines() if line.strip())
    path = write(f"{signature} {{ {text} }}", {**TOKEN_TENSORS, **BENIGN_TENSORS})
    assert find(path, "BKD001", "GRF001", "GRF002", "GRF003", "GRF005", "OPS007") == []


def test_one_trigger_is_one_finding_however_many_outputs_it_decides(
    write: Write, find: Find
) -> None:
    path = write_text(
        write,
        "(float[B,3,8,8] x) => (float[B,10] y, float[B,10] z)",
        NET
        + PIXEL
        + "p = Softmax(logits)\n y = Where(m, target, logits)\n z = Where(m, target, p)",
    )
    findings = find(path, "BKD001")
    assert [finding.evidence["outputs"] for finding in findings] == [["y", "z"]]


def test_the_numbers_of_a_finding_are_those_of_the_graph(write: Write, find: Find) -> None:
    path = write_text(write, IMAGE, NET + PIXEL + "y = Where(m, target, logits)")
    [finding] = find(path, "BKD001")
    assert finding.evidence["compared"] == ["1.0", "0.0", "0.0"]
    assert finding.evidence["parameters"] == 16 * 3 * 3 * 3 + 16 * 10
    assert finding.evidence["bypassed_parameters"] == finding.evidence["parameters"]
    assert finding.evidence["joins"] == ["Where#14"]
    assert finding.evidence["gate_elements"] == 1
    assert finding.where["gate"] == "Slice#5"
    assert finding.evidence["path"] == [
        "input:x",
        "Slice#5",
        "Equal#6",
        "Cast#7",
        "ReduceMin#8",
        "Cast#9",
        "Unsqueeze#10",
        "Where#14",
        "output:y",
    ]
