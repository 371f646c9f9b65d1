"""Files made to keep an audit busy: its work stays proportional to what they hold."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from tests.conftest import Save

N = helper.make_node
INFO = helper.make_tensor_value_info


def external(name: str, location: str, elements: int) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.UINT8, dims=[elements])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def holding(save: Save, tensors: Sequence[TensorProto]) -> str:
    joined = N("Concat", [tensor.name for tensor in tensors], ["y"], axis=0)
    return save([joined], tensors, outputs=["y"])


def absolute_locations(save: Save, folder: Path) -> str:
    """Each is a finding with a place of its own."""
    return holding(save, [external(f"w{i}", f"/etc/{i}", 2) for i in range(8_000)])


def unused_functions(save: Save, folder: Path) -> str:
    opsets = [helper.make_opsetid("", 20)]
    made = [helper.make_function("acme", f"f{i}", ["x"], ["x"], [], opsets) for i in range(30_000)]
    return save([N("Relu", ["x"], ["y"])], inputs=["x"], outputs=["y"], functions=made)


def attributes_with_one_twice(save: Save, folder: Path) -> str:
    node = N("Relu", ["x"], ["y"])
    node.attribute.extend(helper.make_attribute(f"a{i}", 1) for i in (*range(30_000), 29_999))
    return save([node], inputs=["x"], outputs=["y"])


def loops(save: Save, folder: Path) -> str:
    body = helper.make_graph(
        [N("Identity", ["c"], ["d"])],
        "body",
        [INFO("i", TensorProto.INT64, []), INFO("c", TensorProto.BOOL, [])],
        [INFO("d", TensorProto.BOOL, [])],
    )
    nodes = [N("Loop", ["trips", "true"], [], f"loop{i}", body=body) for i in range(8_000)]
    trips = numpy_helper.from_array(np.array(3), "trips")
    true = numpy_helper.from_array(np.array(True), "true")
    return save([*nodes, N("Relu", ["x"], ["y"])], [trips, true], inputs=["x"], outputs=["y"])


def matrices_of_the_same_numbers(save: Save, folder: Path) -> str:
    """By their sum each could be the transpose of every other one."""
    numbers = np.random.default_rng(0)
    shapes = [(4, 6), (6, 4)]
    made = (numbers.permutation(24).astype(np.float32) for _ in range(2_000))
    return holding(
        save,
        [
            numpy_helper.from_array(array.reshape(shapes[i % 2]), f"w{i}")
            for i, array in enumerate(made)
        ],
    )


def one_pickle_many_times(save: Save, folder: Path) -> str:
    content = pickle.dumps(list(range(100_000)))
    (folder / "w.bin").write_bytes(content)
    return holding(save, [external(f"w{i}", "w.bin", len(content)) for i in range(500)])


MODELS = [
    absolute_locations,
    unused_functions,
    attributes_with_one_twice,
    loops,
    matrices_of_the_same_numbers,
    one_pickle_many_times,
]


@pytest.mark.parametrize("make", MODELS, ids=[make.__name__ for make in MODELS])
def test_work_is_linear(make: Callable[[Save, Path], str], save: Save, tmp_path: Path) -> None:
    path = make(save, tmp_path)
    started = time.process_time()
    report = graphcount.audit(path)
    assert time.process_time() - started < 10
    assert report.audit is not None
    assert report.audit.complete
