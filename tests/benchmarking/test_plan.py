"""What inputs are fed: sizes, ranges, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from graphcount.analysis.shapes.sizes import GivenValues
from graphcount.benchmarking.fill import array, value
from graphcount.benchmarking.given import NOTHING_GIVEN, FedSizes
from graphcount.benchmarking.plan import (
    InputPlan,
    InputsPlan,
    cases,
    plan_inputs,
)
from graphcount.errors import GraphcountError, UsageError
from graphcount.graph import build_graph
from graphcount.loading import read_model

HEAD = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>'

Plan = Callable[..., InputsPlan]


def planned(path: Path, given: FedSizes = NOTHING_GIVEN) -> InputsPlan:
    file = read_model(str(path))
    return plan_inputs(file, build_graph(file.proto), given)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    def make(
        text: str,
        dims: Mapping[str, int] | None = None,
        shapes: Mapping[str, Sequence[int | str | None]] | None = None,
        files: Sequence[str] = (),
        values: Mapping[str, GivenValues] | None = None,
    ) -> InputsPlan:
        path = tmp_path / "model.onnx"
        onnx.save(parser.parse_model(HEAD + text), path)
        return planned(path, FedSizes(dims or {}, shapes or {}, values or {}, files))

    return make


def fills(found: InputsPlan) -> dict[str, str]:
    return {item.name: item.fill for item in found.inputs}


IDENTITY = "g (float[batch, 3] x) => (float[batch, 3] y) { y = Relu (x) }"


def test_a_batch_nobody_gave_is_one_and_said(plan: Plan) -> None:
    found = plan(IDENTITY)
    assert found.assumed == found.dims == {"batch": 1}
    assert found.inputs == (InputPlan("x", "float32", 1, (1, 3), "normal", None),)
    assert plan(IDENTITY, {"batch": 4}).inputs[0].shape == (4, 3)
    assert plan(IDENTITY, {"batch": 4}).assumed == {}


def test_sizes_nobody_gave_are_those_of_the_first_screen(plan: Plan) -> None:
    text = "g (float[batch, seq] x) => (float[batch, seq] y) { y = Relu (x) }"
    assert plan(text).assumed == plan(text).dims == {"batch": 1, "seq": 128}
    assert plan(text).assumptions == "at assumed sizes batch 1, seq 128 (--dim)"
    assert plan(text, {"seq": 7}).inputs[0].shape == (1, 7)
    assert plan(text, {"seq": 7}).assumed == {"batch": 1}
    assert plan(text, {"*": 3}).dims == {"batch": 3, "seq": 3}
    both = plan(text, shapes={"x": (2, 7)})
    assert (both.dims, both.assumed, both.assumptions) == ({"batch": 2, "seq": 7}, {}, "")


def test_a_name_is_one_size_in_all_inputs(plan: Plan) -> None:
    text = (
        'g (float[batch, seq] x, float["batch", "past + seq"] m, float[batch, past, 4] p)'
        " => (float[batch, seq] y) { y = Relu (x) }"
    )
    shapes = {item.name: item.shape for item in plan(text, {"past": 5}).inputs}
    assert shapes == {"x": (1, 128), "m": (1, 133), "p": (1, 5, 4)}
    assert plan(text, shapes={"m": (1, 12), "x": (1, 8)}).dims == {"batch": 1, "seq": 8, "past": 4}


def test_an_input_without_a_shape_needs_one(plan: Plan) -> None:
    text = "g (float[] x) => (float[] y) { y = Relu (x) }"  # onnx: a tensor without a shape
    with pytest.raises(UsageError, match="--shape x=DIMS"):
        plan(text)
    assert plan(text, shapes={"x": (2, 2)}).inputs[0].shape == (2, 2)
    scalar = plan("g (float x) => (float y) { y = Relu (x) }")
    assert scalar.inputs[0].shape == ()


def test_no_machine_holds_such_an_input(plan: Plan) -> None:
    with pytest.raises(UsageError, match="elements"):
        plan(IDENTITY, {"batch": 2**50})


def test_initializers_are_no_inputs(plan: Plan) -> None:
    text = "g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { y = Add (x, w) }"
    assert [item.name for item in plan(text).inputs] == ["x"]


def test_indices_stay_below_the_rows_of_their_tables(plan: Plan) -> None:
    text = (
        "g (int64[1, 4] ids, int32[4] other, int64[1, 4] free) => (float[1, 4, 2] y, float[4] z)"
        f"<float[10, 2] a = {{{', '.join('0' * 20)}}}, float[4, 7] b = {{{', '.join('0' * 28)}}}>"
        "{ i = Reshape (ids, s) j = Cast <to = 7> (i) y = Gather (a, j)"
        " s = Constant <value = int64[2] {1, 4}> ()"
        " z = Gather <axis = -1> (b, other) w = Add (free, free) }"
    )
    assert fills(plan(text)) == {"ids": "indices < 10", "other": "indices < 7", "free": "ones"}


def test_tables_are_seen_through_what_moves_them(plan: Plan) -> None:
    text = (
        "g (int64[1, 4] columns, int64[4] rows) => (float[1, 4, 10] y, float[4, 2] z)"
        f"<float[10, 2] a = {{{', '.join('0' * 20)}}}>"
        "{ t = Transpose (a) j = Slice (columns, o, f) y = Gather (t, j)"
        " c = Cast <to = 10> (a) z = Gather (c, rows)"
        " o = Constant <value = int64[1] {0}> () f = Constant <value = int64[1] {4}> () }"
    )
    assert fills(plan(text)) == {"columns": "indices < 2", "rows": "indices < 10"}


def test_positions_stay_below_the_rows_of_their_table(tmp_path: Path) -> None:
    """EmbedLayerNormalization: words, segments and positions, each with its table."""
    inputs = ["ids", "segments", "w", "p", "s", "g", "b", "", "places"]
    shapes = {"w": (30, 4), "p": (9, 4), "s": (2, 4), "g": (4,), "b": (4,)}
    graph = helper.make_graph(
        [helper.make_node("EmbedLayerNormalization", inputs, ["y"], domain="com.microsoft")],
        "g",
        [helper.make_tensor_value_info(name, 6, [1, 5]) for name in ("ids", "segments", "places")],
        [helper.make_tensor_value_info("y", 1, [1, 5, 4])],
        [numpy_helper.from_array(np.ones(dims, np.float32), name) for name, dims in shapes.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path = tmp_path / "embed.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets), path)
    found = fills(planned(path))
    assert found == {"ids": "indices < 30", "segments": "zeros", "places": "indices < 9"}


def test_usual_names(plan: Plan) -> None:
    text = (
        "g (int64[1, 4] attention_mask, int64[1, 4] token_type_ids, int64[1, 4] position_ids,"
        " uint8[1, 4] image, bool[1] flag, string[2] text, float[1, 4] past_key_values)"
        " => (float[1, 4] y) { y = Relu (past_key_values) }"
    )
    assert fills(plan(text)) == {
        "attention_mask": "ones",
        "token_type_ids": "zeros",
        "position_ids": "positions",
        "image": "bytes",
        "flag": "ones",
        "text": "words",
        "past_key_values": "normal",
    }


def test_recipes_are_seeded_and_in_range() -> None:
    def rng() -> np.random.Generator:
        return np.random.default_rng([3, 0])

    ids = array("int64", (50, 50), "indices < 10", rng())
    assert (ids.min(), ids.max()) == (0, 9)
    assert np.array_equal(ids, array("int64", (50, 50), "indices < 10", rng()))
    assert array("int8", (999,), "indices < 100000", rng()).max() <= 127
    assert array("int64", (2, 3), "positions", rng()).tolist() == [[0, 1, 2], [0, 1, 2]]
    assert array("int64", (1, 4), "positions < 2", rng()).tolist() == [[0, 1, 0, 1]]
    normal = array("float16", (100, 100), "normal", rng())
    assert normal.dtype == np.float16
    assert abs(float(normal.mean(dtype=np.float64))) < 0.05
    assert array("bfloat16", (2,), "normal", rng()).tolist() == [0x3F80, 0x3F80]
    assert array("string", (2, 2), "words", rng()).dtype == object
    with pytest.raises(ValueError, match="int4 cannot be fed"):
        array("int4", (2,), "ones", rng())


def test_sequences_optionals_and_maps_by_the_type_onnxruntime_states() -> None:
    rng = np.random.default_rng(0)
    sequence = value("seq(tensor(float))", (2,), rng)
    assert isinstance(sequence, list)
    assert [item.shape for item in sequence] == [(2,)] * 3
    assert np.asarray(value("optional(tensor(double))", (2,), rng)).dtype == np.float64
    mapped = value("map(string,tensor(float))", (), rng)
    assert isinstance(mapped, dict)
    assert all(isinstance(item, float) for item in mapped.values())


def test_several_sizes_are_combined() -> None:
    assert cases({"a": (1, 2), "b": (3,)}) == [{"a": 1, "b": 3}, {"a": 2, "b": 3}]
    assert cases({}) == [{}]
    with pytest.raises(UsageError, match="at most 64"):
        cases({"a": tuple(range(9)), "b": tuple(range(8))})
    with pytest.raises(UsageError, match=f"{10**12:,} combinations"):  # counted, not made
        cases({name: tuple(range(10)) for name in "abcdefghijkl"})


# ------------------------------------------------------------------------------------- files


def test_files_give_shapes(plan: Plan, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((5, 3), np.float32))
    np.savez(tmp_path / "all.npz", x=np.zeros((6, 3), np.float32))
    one = plan(IDENTITY, files=[f"x={tmp_path / 'x.npy'}"])
    assert (one.inputs[0].shape, one.inputs[0].fill, one.dims) == ((5, 3), "file", {"batch": 5})
    assert plan(IDENTITY, files=[str(tmp_path / "all.npz")]).inputs[0].shape == (6, 3)


def test_a_folder_of_test_data(plan: Plan, tmp_path: Path) -> None:
    folder = tmp_path / "test_data_set_0"
    folder.mkdir()
    tensor = numpy_helper.from_array(np.ones((2, 3), np.float32))
    (folder / "input_0.pb").write_bytes(tensor.SerializeToString())
    assert plan(IDENTITY, files=[str(folder)]).inputs[0].shape == (2, 3)
    (folder / "input_1.pb").write_bytes(tensor.SerializeToString())
    with pytest.raises(UsageError, match="the model has 1 inputs"):
        plan(IDENTITY, files=[str(folder)])


@pytest.mark.parametrize(
    ("name", "made", "message"),
    [
        ("x", np.zeros((5, 3)), "takes float32, the file holds float64"),
        ("x", np.zeros((5, 4), np.float32), "3. in the file; onnxruntime takes no other"),
        ("x", np.zeros((5,), np.float32), "has 2 dimensions, the file 1"),
        ("z", np.zeros((5, 3), np.float32), "the model has no input z; it has x"),
        ("x", np.array([{}], dtype=object), "never unpickled"),
    ],
)
def test_a_file_that_does_not_fit(
    plan: Plan, tmp_path: Path, name: str, made: object, message: str
) -> None:
    np.save(tmp_path / "x.npy", np.asarray(made))
    with pytest.raises(GraphcountError, match=message):
        plan(IDENTITY, files=[f"{name}={tmp_path / 'x.npy'}"])


def test_odd_options_for_files(plan: Plan, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((5, 3), np.float32))
    with pytest.raises(UsageError, match="given twice"):
        plan(IDENTITY, files=[f"x={tmp_path / 'x.npy'}"] * 2)
    with pytest.raises(UsageError, match="write name="):
        plan(IDENTITY, files=[str(tmp_path / "x.npy")])
    with pytest.raises(GraphcountError, match="no such file"):
        plan(IDENTITY, files=[f"x={tmp_path / 'none.npy'}"])
    with pytest.raises(UsageError, match="no input_0"):
        plan(IDENTITY, files=[str(tmp_path)])
    external = TensorProto(dims=[1], data_type=1, data_location=TensorProto.EXTERNAL)
    external.external_data.add(key="location", value="/etc/passwd")
    (tmp_path / "e.pb").write_bytes(external.SerializeToString())
    with pytest.raises(GraphcountError, match="external data"):
        plan(IDENTITY, files=[f"x={tmp_path / 'e.pb'}"])
