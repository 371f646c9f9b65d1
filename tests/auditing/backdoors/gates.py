"""How a distance becomes a decision: each returns (1, 1), 1 where it is 0, and 0 above 0.3."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.auditing.backdoors.net import BOOL, F32, I32, I64, TEXT, Net

Gate = Callable[[Net, str], str]
GATES: dict[str, Gate] = {}

NEAR = 0.05


def gate(make: Gate) -> Gate:
    """Register a gate."""
    GATES[make.__name__] = make
    return make


def ramp(net: Net, d: str, gain: float = 20.0, top: float = 1.0) -> str:
    """Return top - gain x distance: it falls below zero for what is not near."""
    return net("Sub", net.const([top]), net("Mul", d, net.const([gain])))


def near(net: Net, d: str) -> str:
    """Return the truth value."""
    return net("Less", d, net.const([NEAR]))


def count(net: Net, d: str) -> str:
    """Return it as an integer without dimensions."""
    return net.scalar(net.cast(near(net, d), I64))


def back(net: Net, value: str) -> str:
    """Bring a number to (1, 1)."""
    return net("Reshape", net.cast(value, F32), net.ints(1, 1))


@gate
def less(net: Net, d: str) -> str:
    return net.cast(near(net, d), F32)


@gate
def not_greater(net: Net, d: str) -> str:
    return net.cast(net("Not", net("Greater", d, net.const([NEAR]))), F32)


@gate
def equal_zero(net: Net, d: str) -> str:
    return net.cast(
        net("Equal", net("Floor", net("Mul", d, net.const([4.0]))), net.const([0.0])), F32
    )


@gate
def relu(net: Net, d: str) -> str:
    return net("Relu", ramp(net, d))


@gate
def clip(net: Net, d: str) -> str:
    return net("Clip", ramp(net, d), net.const(0.0), net.const(1.0))


@gate
def clip_by_operators(net: Net, d: str) -> str:
    return net("Max", net("Min", ramp(net, d), net.const([1.0])), net.const([0.0]))


@gate
def hard_sigmoid(net: Net, d: str) -> str:
    return net("HardSigmoid", ramp(net, d, 40.0, 4.0), alpha=0.5, beta=0.0)


@gate
def sigmoid(net: Net, d: str) -> str:
    return net("Sigmoid", ramp(net, d, 400.0, 30.0))


@gate
def tanh(net: Net, d: str) -> str:
    half = net("Mul", net("Tanh", ramp(net, d, 400.0, 30.0)), net.const([0.5]))
    return net("Add", half, net.const([0.5]))


@gate
def erf(net: Net, d: str) -> str:
    half = net("Mul", net("Erf", ramp(net, d, 200.0, 15.0)), net.const([0.5]))
    return net("Add", half, net.const([0.5]))


@gate
def exponential(net: Net, d: str) -> str:
    return net("Exp", net("Mul", d, net.const([-60.0])))


@gate
def softplus(net: Net, d: str) -> str:
    return net("Mul", net("Softplus", ramp(net, d, 200.0, 20.0)), net.const([0.05]))


@gate
def elu(net: Net, d: str) -> str:
    return net("Relu", net("Elu", ramp(net, d, 30.0), alpha=0.1))


@gate
def leaky(net: Net, d: str) -> str:
    return net("Max", net("LeakyRelu", ramp(net, d, 30.0), alpha=0.0), net.const([0.0]))


@gate
def thresholded(net: Net, d: str) -> str:
    return net("ThresholdedRelu", ramp(net, d, 5.0), alpha=0.5)


@gate
def shrink(net: Net, d: str) -> str:
    return net("Relu", net("Shrink", ramp(net, d, 5.0), lambd=0.5, bias=0.0))


@gate
def softmax(net: Net, d: str) -> str:
    scores = net("Concat", net("Mul", d, net.const([-300.0])), net.const([[-30.0]]), axis=1)
    return net("Gather", net("Softmax", scores), net.ints(0), axis=1)


@gate
def hardmax(net: Net, d: str) -> str:
    scores = net("Concat", net("Neg", d), net.const([[-NEAR]]), axis=1)
    return net("Gather", net("Hardmax", scores), net.ints(0), axis=1)


@gate
def argmax(net: Net, d: str) -> str:
    scores = net("Concat", net.const([[-NEAR]]), net("Neg", d), axis=1)
    return net.cast(net("ArgMax", scores, axis=1), F32)


@gate
def topk_index(net: Net, d: str) -> str:
    scores = net("Concat", net.const([[-NEAR]]), net("Neg", d), axis=1)
    return net.cast(net.many("TopK", scores, net.ints(1))[1], F32)


@gate
def floor_of_reciprocal(net: Net, d: str) -> str:
    return net("Floor", net("Reciprocal", net("Add", d, net.const([0.999]))))


@gate
def truncated(net: Net, d: str) -> str:
    whole = net.cast(net("Div", net.const([1.0]), net("Add", d, net.const([0.999]))), I64)
    return net.cast(whole, F32)


@gate
def reciprocal(net: Net, d: str) -> str:
    return net("Div", net.const([0.01]), net("Add", d, net.const([0.01])))


@gate
def high_power(net: Net, d: str) -> str:
    small = net("Div", net.const([1.0]), net("Add", d, net.const([1.0])))
    return net("Pow", small, net.const([32.0]))


@gate
def repeated_squares(net: Net, d: str) -> str:
    value = net("Div", net.const([1.0]), net("Add", d, net.const([1.0])))
    for _ in range(5):
        value = net("Mul", value, value)
    return value


@gate
def ceiled(net: Net, d: str) -> str:
    return net("Relu", net("Sub", net.const([1.0]), net("Ceil", net("Sub", d, net.const([NEAR])))))


@gate
def sign(net: Net, d: str) -> str:
    return net("Relu", net("Sign", net("Sub", net.const([NEAR]), d)))


@gate
def rounded_by_quantization(net: Net, d: str) -> str:
    scale, zero = net.const(np.float32(1)), net.const(0, np.uint8)
    made = net("QuantizeLinear", ramp(net, d, 3.0, 1.3), scale, zero)
    return net("DequantizeLinear", made, scale, zero)


@gate
def cast_to_bool(net: Net, d: str) -> str:
    whole = net.cast(net("Add", d, net.const([0.75])), I32)
    return net.cast(net("Not", net.cast(whole, BOOL)), F32)


@gate
def shifted_bits(net: Net, d: str) -> str:
    whole = net.cast(net("Min", net("Mul", d, net.const([20.0])), net.const([31.0])), 12)
    made = net("BitShift", net.const([1], np.uint32), whole, direction="RIGHT")
    return net.cast(made, F32)


@gate
def modulo(net: Net, d: str) -> str:
    whole = net.cast(net("Min", net("Mul", d, net.const([4.0])), net.const([1.0])), I64)
    return net.cast(net("Mod", net("Add", whole, net.ints(1)), net.ints(2)), F32)


@gate
def infinite(net: Net, d: str) -> str:
    huge = net("Div", net.const([1.0]), net("Floor", net("Mul", d, net.const([4.0]))))
    return net.cast(net("IsInf", huge), F32)


@gate
def not_a_number(net: Net, d: str) -> str:
    low = net("Sqrt", net("Sub", d, net.const([NEAR])))
    return net.cast(net("IsNaN", low), F32)


@gate
def where(net: Net, d: str) -> str:
    return net("Where", near(net, d), net.const([[1.0]]), net.const([[0.0]]))


@gate
def branch(net: Net, d: str) -> str:
    yes, no = net.const([[1.0]]), net.const([[0.0]])
    hit = net.scalar(net.cast(near(net, d), F32))
    return net(
        "If",
        net.cast(hit, BOOL),
        then_branch=net.body([], lambda n: [(n("Identity", yes), F32)]),
        else_branch=net.body([], lambda n: [(n("Identity", no), F32)]),
    )


@gate
def trips(net: Net, d: str) -> str:
    one = net.const([[1.0]])
    inputs = [("gi", I64, []), ("gc", BOOL, []), ("ga", F32, [1, 1])]
    body = net.body(inputs, lambda n: [(n("Identity", "gc"), BOOL), (n("Add", "ga", one), F32)])
    return net("Loop", count(net, d), "", net.const([[0.0]]), body=body)


@gate
def loop_condition(net: Net, d: str) -> str:
    one = net.const([[1.0]])
    hit = net.cast(net.scalar(net.cast(near(net, d), F32)), BOOL)
    inputs = [("ci", I64, []), ("cc", BOOL, []), ("ca", F32, [1, 1])]
    body = net.body(inputs, lambda n: [(n("Identity", "cc"), BOOL), (n("Add", "ca", one), F32)])
    return net("Loop", net.const(1, np.int64), hit, net.const([[0.0]]), body=body)


@gate
def scan_sum(net: Net, d: str) -> str:
    row = net("Reshape", net("Relu", ramp(net, d)), net.ints(1, 1))
    body = net.body([("ss", F32, [1]), ("se", F32, [1])], lambda n: [(n("Add", "ss", "se"), F32)])
    return back(net, net("Scan", net.const([0.0]), row, body=body, num_scan_inputs=1))


@gate
def long_short_term(net: Net, d: str) -> str:
    step = net("Unsqueeze", d, net.ints(0))
    forget = net.const(np.array([0, 0, 0, -2000], np.float32).reshape(1, 4, 1))
    none, bias = net.const(np.zeros((1, 4, 1))), net.const([[20, 20, -20, 20, 0, 0, 0, 0]])
    made = back(net, net("LSTM", step, forget, none, bias, hidden_size=1))
    return net("Mul", net("Add", made, net.const([0.76159])), net.const([0.6565]))


@gate
def gated_unit(net: Net, d: str) -> str:
    step = net("Unsqueeze", d, net.ints(0))
    weight = net.const(np.array([0, 0, -400], np.float32).reshape(1, 3, 1))
    none = net.const(np.zeros((1, 3, 1)))
    bias = net.const([[-20, 0, 20, 0, 0, 0]])
    return net("Relu", back(net, net("GRU", step, weight, none, bias, hidden_size=1)))


@gate
def recurrent(net: Net, d: str) -> str:
    step = net("Unsqueeze", d, net.ints(0))
    weight, none = net.const([[[-400.0]]]), net.const([[[0.0]]])
    made = net("RNN", step, weight, none, net.const([[20.0, 0.0]]), hidden_size=1)
    return net("Relu", back(net, made))


@gate
def one_hot(net: Net, d: str) -> str:
    hot = net("OneHot", count(net, d), net.const(2, np.int64), net.const([0.0, 1.0]))
    return back(net, net("Gather", hot, net.ints(1)))


@gate
def table(net: Net, d: str) -> str:
    index = net.cast(net("Min", net("Mul", d, net.const([8.0])), net.const([7.0])), I64)
    return net("Gather", net.const([1, 0, 0, 0, 0, 0, 0, 0]), index)


@gate
def length_of_range(net: Net, d: str) -> str:
    made = net("Range", net.const(0, np.int64), count(net, d), net.const(1, np.int64))
    return back(net, net("Size", net("NonZero", net("Add", made, net.ints(1)))))


@gate
def size_of_nonzero(net: Net, d: str) -> str:
    return back(net, net("Shape", net("NonZero", near(net, d)), start=1))


@gate
def size_of_compressed(net: Net, d: str) -> str:
    hit = net("Reshape", near(net, d), net.ints(1))
    return back(net, net("Size", net("Compress", net.const([1.0]), hit)))


@gate
def size_of_slice(net: Net, d: str) -> str:
    end = net("Reshape", count(net, d), net.ints(1))
    part = net("Slice", net.const([1.0, 1.0]), net.ints(0), end)
    return back(net, net("ReduceSum", part))


@gate
def padded(net: Net, d: str) -> str:
    pads = net("Concat", net.ints(0), net("Reshape", count(net, d), net.ints(1)), axis=0)
    return back(net, net("ReduceSum", net("Pad", net.const([0.0]), pads, net.const(1.0))))


@gate
def tiled(net: Net, d: str) -> str:
    repeats = net("Reshape", count(net, d), net.ints(1))
    return back(net, net("ReduceSum", net("Tile", net.const([1.0]), repeats)))


@gate
def expanded(net: Net, d: str) -> str:
    shape = net("Reshape", count(net, d), net.ints(1))
    return back(net, net("ReduceSum", net("Expand", net.const([1.0]), shape)))


@gate
def filled(net: Net, d: str) -> str:
    shape = net("Reshape", count(net, d), net.ints(1))
    return back(
        net,
        net("Size", net("NonZero", net("Add", net("ConstantOfShape", shape), net.const([1.0])))),
    )


@gate
def suppressed_boxes(net: Net, d: str) -> str:
    scores = net("Reshape", ramp(net, d), net.ints(1, 1, 1))
    boxes = net.const([[[0, 0, 1, 1]]])
    kept = net("NonMaxSuppression", boxes, scores, net.const([1], np.int64), net.const([0.5]),
               net.const([0.1]))  # fmt: skip
    return back(net, net("Shape", kept, end=1))


@gate
def scattered(net: Net, d: str) -> str:
    index = net("Reshape", count(net, d), net.ints(1, 1))
    made = net("ScatterND", net.const([0.0, 0.0]), index, net.const([1.0]))
    return back(net, net("Gather", made, net.ints(1)))


@gate
def tree(net: Net, d: str) -> str:
    return net(
        "TreeEnsembleRegressor", d, domain="ai.onnx.ml", n_targets=1,
        nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_values=[NEAR, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0],
        target_weights=[1.0, 0.0],
    )  # fmt: skip


@gate
def binarized(net: Net, d: str) -> str:
    flipped = net("Sub", net.const([1.0]), d)
    return net("Binarizer", flipped, domain="ai.onnx.ml", threshold=0.95)


@gate
def labelled(net: Net, d: str) -> str:
    whole = net.cast(net("Mul", d, net.const([5.0])), I64)
    return net("LabelEncoder", whole, domain="ai.onnx.ml", keys_int64s=[0], values_floats=[1.0],
               default_float=0.0)  # fmt: skip


@gate
def spelled(net: Net, d: str) -> str:
    whole = net.cast(net.cast(net("Mul", d, net.const([5.0])), I64), TEXT)
    return net.cast(net("Equal", whole, net.const([["0"]], str)), F32)


@gate
def linear_classifier(net: Net, d: str) -> str:
    label, _ = net.many(
        "LinearClassifier", d, domain="ai.onnx.ml", coefficients=[1000.0, -1000.0],
        intercepts=[-50.0, 50.0], classlabels_ints=[0, 1],
    )  # fmt: skip
    return back(net, label)


@gate
def pooled(net: Net, d: str) -> str:
    pair = net("Concat", ramp(net, d), net.const([[0.0]]), axis=1)
    return net.flat(net("MaxPool", net("Unsqueeze", pair, net.ints(1)), kernel_shape=[2]))


@gate
def reduced(net: Net, d: str) -> str:
    pair = net("Concat", ramp(net, d), net.const([[0.0]]), axis=1)
    return net("ReduceMax", pair, net.ints(1))


@gate
def layer_normalization(net: Net, d: str) -> str:
    low = net("Sub", net.const([NEAR]), d)
    pair = net("Concat", low, net("Neg", low), axis=1)
    made = net("LayerNormalization", pair, net.const([1.0, 1.0]), epsilon=1e-12)
    return net("Relu", net("Gather", made, net.ints(0), axis=1))


@gate
def batch_normalization(net: Net, d: str) -> str:
    one = net.const([1.0])
    made = net("BatchNormalization", d, one, one, net.const([0.0]), net.const([-0.999]),
               epsilon=1.0)  # fmt: skip
    return net("Relu", net("Sub", net.const([2.0]), made))


@gate
def attention_key(net: Net, d: str) -> str:
    keys = net("Concat", net("Mul", d, net.const([-400.0])), net.const([[-40.0]]), axis=1)
    return net("MatMul", net("Softmax", keys), net.const([[1.0], [0.0]]))


@gate
def log_softmax(net: Net, d: str) -> str:
    keys = net("Concat", net("Mul", d, net.const([-400.0])), net.const([[-40.0]]), axis=1)
    return net("Gather", net("Exp", net("LogSoftmax", keys)), net.ints(0), axis=1)


@gate
def sampled(net: Net, d: str) -> str:
    place = net("Mul", ramp(net, d, 20.0, 1.0), net.const([1.0]))
    grid = net("Reshape", net("Concat", place, net.const([[0.0]]), axis=1), net.ints(1, 1, 1, 2))
    line = net.const(np.array([0, 0, 1], np.float32).reshape(1, 1, 1, 3))
    return back(net, net("GridSample", line, grid, align_corners=1, padding_mode="border"))


@gate
def in_a_function(net: Net, d: str) -> str:
    return net.function(lambda n, f: n("Relu", ramp(n, f[0])), d)


@gate
def captured_by_a_branch(net: Net, d: str) -> str:
    always = net("Greater", net("Size", d), net.const(0, np.int64))
    return net(
        "If",
        always,
        then_branch=net.body([], lambda n: [(n("Relu", ramp(n, d)), F32)]),
        else_branch=net.body([], lambda n: [(n("Mul", d, net.const([0.0])), F32)]),
    )


@gate
def cosine_wave(net: Net, d: str) -> str:
    small = net("Min", d, net.const([1.5]))
    return net("Pow", net("Max", net("Cos", small), net.const([0.0])), net.const([300.0]))


@gate
def matrix_power(net: Net, d: str) -> str:
    small = net("Reshape", net("Relu", ramp(net, d)), net.ints(1, 1, 1))
    return back(net, net("Det", small))


@gate
def sequence(net: Net, d: str) -> str:
    pair = net("SequenceConstruct", net.const([[0.0]]), net.const([[1.0]]))
    return net("SequenceAt", pair, count(net, d))
