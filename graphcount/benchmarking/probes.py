"""The ceiling of this machine, measured where the model ran: same provider, same threads.

Williams, Waterman and Patterson, "Roofline", 2009: a kernel reaches at most the smaller of the peak
of arithmetic and its arithmetic intensity times the peak of memory. Runs in the child.
"""

from __future__ import annotations

import time

import numpy as np
import onnxruntime as ort
from onnx import NodeProto, TensorProto, helper, numpy_helper

from graphcount.benchmarking.fill import Array
from graphcount.benchmarking.messages import Job
from graphcount.benchmarking.session import session_options

SIDE = 512
STREAM_ELEMENTS = 2**24
SECONDS = 0.25


def ceiling(job: Job) -> tuple[float, float]:
    """Return FLOP/s of a float32 MatMul of 512 x 512, bytes/s of a Relu of 64 MiB: best runs."""
    rng = np.random.default_rng(0)
    square = rng.standard_normal((SIDE, SIDE), dtype=np.float32)
    weight = numpy_helper.from_array(square, "w")
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    matmul = _best(_model(product, [SIDE, SIDE], [weight]), square, job)
    stream = np.ones(STREAM_ELEMENTS, np.float32)
    relu = _best(_model(helper.make_node("Relu", ["x"], ["y"]), [STREAM_ELEMENTS], []), stream, job)
    return 2 * SIDE**3 / matmul, 2 * stream.nbytes / relu


def _model(node: NodeProto, shape: list[int], weights: list[TensorProto]) -> bytes:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    graph = helper.make_graph([node], "probe", value[:1], value[1:], weights)
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def _best(model: bytes, array: Array, job: Job) -> float:
    """Return seconds of the fastest run; inputs and outputs stay where they are computed."""
    options = session_options(job._replace(custom_ops=None))
    session = ort.InferenceSession(model, options, providers=[job.provider])
    device = job.device or "cpu"
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(array, device, 0))
    output = ort.OrtValue.ortvalue_from_shape_and_type(array.shape, np.float32, device, 0)
    binding.bind_ortvalue_output("y", output)
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        times.append(time.perf_counter() - start)
    return min(times)
