"""One matrix in a disguise: written, and proved with onnxruntime."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
from onnx import helper

from tests.auditing.backdoors.net import F32, Array, Net
from tests.auditing.disguises.ways import SIDE, Way, weights

WEIGHTS = SIDE * SIDE

DRAWN = frozenset({"random", "random_like", "bernoulli"})
"""Ways that take what a seed draws in the place of the matrix."""


@cache
def codes(seed: int) -> Array:
    """Return codes 0 to 15 of a matrix."""
    return np.random.default_rng(seed).integers(0, 16, (SIDE, SIDE))


def model(way: Way, seed: int = 0) -> onnx.ModelProto:
    """Return x (n, 256) times the matrix, written in some way."""
    net = Net()
    y = way(net, "x", codes(seed))
    x = helper.make_tensor_value_info("x", F32, ["n", SIDE])
    return net.model([x], [helper.make_tensor_value_info(y, F32, None)])


def problem(name: str, made: onnx.ModelProto, seed: int = 0) -> str:
    """Return why a model is no proof; empty where onnxruntime gives the honest output.

    What a seed draws stands for any matrix: the output must be a product with what units give.
    """
    try:
        matrix = weights(codes(seed))
        if name in DRAWN:
            matrix = _run(made, np.eye(SIDE, dtype=np.float32))
        for again in range(2):
            x = np.random.default_rng(again).normal(size=(3, SIDE)).astype(np.float32)
            if not np.allclose(_run(made, x), x @ matrix, atol=2e-2):
                return "it gives another output"
    except Exception as error:
        return f"onnxruntime: {str(error)[:300]}"
    return ""


def _run(made: onnx.ModelProto, x: Array) -> Array:
    """Run a model once, in a session of its own: a seed starts it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    (y,) = session.run(None, {"x": x})
    return np.asarray(y)
