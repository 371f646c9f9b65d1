"""Modules from names: what each exporter leaves, and names that are meant to hurt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.analysis.modules import MAX_DEPTH, Modules
from graphcount.loading.model import Node

SCOPES = "pkg.torch.onnx.name_scopes"


Save = Callable[..., str]
Weights = Callable[..., TensorProto]


def node(name: str, scopes: str | None = None, output: str = "", op_type: str = "MatMul") -> Node:
    metadata = {} if scopes is None else {SCOPES: scopes}
    return Node(op_type, "", name, (), (output,), (), "", metadata, 0)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("/features/features.0/Conv", "features.0"),
        ("/layer1/layer1.0/conv1/Conv", "layer1.0.conv1"),
        ("/encoder/layer.0/attention/self/query/MatMul", "encoder.layer.0.attention.self.query"),
        ("/encoder/layer.0/attention/self/Add", "encoder.layer.0.attention.self"),
        ("/a/b/b.0/Relu", "a.b.0"),
        ("/Relu", ""),
        ("Relu_7", ""),
        ("", ""),
        ("StatefulPartitionedCall/model/dense/MatMul", "dense"),
        ("model_1/lstm/scan/MatMul", "lstm.scan"),
    ],
)
def test_names_of_nodes(name: str, module: str) -> None:
    assert Modules().of(node(name)) == module


def test_paths_that_are_remembered_stay_right() -> None:
    modules = Modules()
    names = ["/a/a.0/x/Op", "/a/a.0/Op", "/a/Op", "/a/a.0/x/y/Op", "/a/a.1/x/Op"]
    found = [modules.of(node(name)) for name in names]
    assert found == ["a.0.x", "a.0", "a", "a.0.x.y", "a.1.x"]
    assert found == [Modules().of(node(name)) for name in names]


def test_a_parameters_dotted_name_says_most() -> None:
    assert Modules().of(node("/x/Op"), ["val_3", "encoder.0.weight"]) == "encoder.0"


def test_scopes_of_torch_export() -> None:
    scopes = "['', 'layers', 'layers.0', 'layers.0.norm', 'layer_norm']"
    assert Modules().of(node("node_1", scopes)) == "layers.0.norm"
    assert Modules().of(node("node_1", "['']")) == ""
    assert Modules().of(node("node_1", "garbage [[[")) == ""


@pytest.mark.parametrize(
    "name", ["/a" * 20_000 + "/Op", "/" * 50_000, "a.b" * 30_000, "/" + "a." * 900]
)
def test_paths_are_bounded(name: str) -> None:
    for owned in ((), (name,)):
        path = Modules().of(node(name), owned)
        assert path.count(".") < MAX_DEPTH
        assert len(path) <= 1024


# ------------------------------------------------------------------------- names of other exporters


@pytest.mark.parametrize(
    ("owned", "module"),
    [
        ("dense/kernel:0", "dense"),
        ("model_1/conv2d_7/bias:0", "conv2d_7"),
        ("StatefulPartitionedCall/model/lstm/recurrent_kernel/ReadVariableOp:0", "lstm"),
        ("bert/encoder/layer_0/output/dense/kernel", "bert.encoder.layer_0.output.dense"),
        ("gpu_0/conv1_w_0", ""),  # a device, not a module
        ("boxes/of/anchors", ""),
        ("conv2d_12.w_0", "conv2d_12"),
        ("helper.constant.3", ""),
        ("p2o.helper.constant.3", ""),
        ("auto.cast.72", ""),
        ("p2o.pd_op.reshape.0.0", ""),
        ("Scales.17", "Scales"),
    ],
)
def test_a_parameters_path(owned: str, module: str) -> None:
    assert Modules().of(node("MatMul_3"), [owned]) == module


def test_parameters_named_after_their_layer() -> None:
    owned = [
        ["conv1_weights"], ["conv1_bn_scale", "conv1_bn_offset"], ["bn0_gamma", "bn0_beta"],
        ["logit_scale"], ["pos_bias"], ["fc_weight_quantized"], ["x_scale_weight_of"], ["_weight"],
        ["linear_weight_1"], ["a/b_weight"], ["val_3_weight"],
    ]  # fmt: skip
    modules = Modules(owned)
    found = {names[0]: modules.of(node("Conv@3"), names) for names in owned}
    assert {name: module for name, module in found.items() if module} == {
        "conv1_weights": "conv1",
        "conv1_bn_scale": "conv1_bn",
        "bn0_gamma": "bn0",
        "fc_weight_quantized": "fc",
        "val_3_weight": "val_3",
    }


@pytest.mark.parametrize(
    ("output", "module"),
    [
        ("StatefulPartitionedCall/model/dense/BiasAdd:0", "dense"),
        ("p_re_lu_4/add:0_pooling0", "p_re_lu_4"),
        ("/layer1/layer1.0/Add_output_0", "layer1.0"),
        ("conv2d_0.tmp_0", "conv2d_0"),
        ("relu_13.tmp_0", ""),  # no layer: it has no parameters
        ("p2o.Conv.0", ""),
        ("heads/boxes", ""),  # an output of the model
        ("StatefulPartitionedCall:0", ""),
        ("Relu__38:0", ""),
        ("gpu_0/conv1_w_0", ""),  # a device, not a module
        ("", ""),
    ],
)
def test_names_of_values(output: str, module: str) -> None:
    modules = Modules([["conv2d_0.w_0"]], {"heads/boxes"})
    assert modules.of(node("Conv_3", output=output)) == module


def test_names_that_were_joined() -> None:
    """TensorFlow Lite joins the names of all it fuses."""
    name = "model_1/re_lu_1/Relu;model_1/bn/FusedBatchNormV3;model_1/conv2d_1/Conv2D"
    assert Modules().of(node(name, op_type="Conv")) == "conv2d_1"
    assert Modules().of(node(name, op_type="Relu")) == "re_lu_1"
    assert Modules().of(node(name, op_type="Pad")) == "re_lu_1"


def modules_of(path: str) -> list[str]:
    return [row.module for row in graphcount.count(path, cost=False, deep=False).nodes]


def linear(
    save: Save, weights: Weights, weight: str, bias: str, *, also: bool = False
) -> list[str]:
    nodes = [
        helper.make_node("MatMul", ["x", weight], ["a"], "MatMul_0"),
        helper.make_node("Add", ["a", bias], ["b"], "Add_1"),
        helper.make_node("Relu", ["b"], ["y"], "Relu_2"),
    ]
    nodes += [helper.make_node("Relu", ["a"], ["z"], "Relu_3")] if also else []
    tensors = [weights(weight, 4, 4), weights(bias, 4)]
    path = save(nodes, tensors, inputs=[("x", [2, 4])], outputs=["y", *(["z"] if also else [])])
    return modules_of(path)


def test_a_product_and_the_bias_added_to_it_are_of_one_module(save: Save, weights: Weights) -> None:
    """TorchScript's exporter folds the transposition of a weight, and its name is lost."""
    query = ["layer.0.query", "layer.0.query", ""]
    assert linear(save, weights, "onnx::MatMul_9", "layer.0.query.bias") == query
    assert linear(save, weights, "layer.0.query.weight", "onnx::Add_9") == query
    assert linear(save, weights, "onnx::MatMul_9", "onnx::Add_9") == ["", "", ""]
    shared = linear(save, weights, "onnx::MatMul_9", "layer.0.query.bias", also=True)
    assert shared == ["", "layer.0.query", "", ""]


def test_scores_are_not_of_the_module_whose_bias_they_get(save: Save, weights: Weights) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "x"], ["a"], "MatMul_0"),
        helper.make_node("Add", ["a", "relative.bias"], ["y"], "Add_1"),
    ]
    path = save(nodes, [weights("relative.bias", 4)], inputs=[("x", [4, 4])], outputs=["y"])
    assert modules_of(path) == ["", "relative"]


def test_constants_belong_to_the_only_module_that_reads_them(save: Save, weights: Weights) -> None:
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [2, 2])

    def constant(name: str, output: str) -> onnx.NodeProto:
        return helper.make_node("Constant", [], [output], name, value=shape)

    nodes = [
        constant("Constant_0", "one"),
        constant("Constant_1", "two"),
        constant("/Constant_2", "told"),
        helper.make_node("Identity", ["one"], ["same"], "Identity_3"),
        helper.make_node("Reshape", ["x", "same"], ["a"], "/a/Reshape"),
        helper.make_node("Reshape", ["a", "two"], ["b"], "/a/Reshape_1"),
        helper.make_node("Reshape", ["b", "two"], ["c"], "/b/Reshape"),
        helper.make_node("Reshape", ["c", "told"], ["d"], "/b/Reshape_1"),
        helper.make_node("Relu", ["d"], ["y"], "Relu"),
    ]
    path = save(nodes, inputs=[("x", [4])], outputs=["y"])
    assert modules_of(path) == ["a", "", "", "a", "a", "a", "b", "b", ""]


def test_a_body_belongs_to_the_module_of_its_operator(save: Save) -> None:
    bodies = [
        helper.make_graph(
            [helper.make_node(kind, ["x"], [kind], f"{kind}_1")],
            kind,
            [],
            [helper.make_tensor_value_info(kind, TensorProto.FLOAT, [2])],
        )
        for kind in ("Relu", "Abs")
    ]
    for name, module in (("/decoder/If", "decoder"), ("If_3", "")):
        branch = helper.make_node(
            "If", ["c"], ["y"], name, then_branch=bodies[0], else_branch=bodies[1]
        )
        other = helper.make_node("Relu", ["y"], ["z"], "/a/Relu")
        inputs = [helper.make_tensor_value_info("c", TensorProto.BOOL, []), ("x", [2])]
        path = save([branch, other], inputs=inputs, outputs=["z"])
        assert set(modules_of(path)) == {module, "a"}


def test_what_follows_without_names_is_what_names_say(shared: Path, tmp_path: Path) -> None:
    """The legacy exporter names nodes by paths; without these, no other module may follow."""
    path, same = tmp_path / "nameless.onnx", 0
    for original in sorted((shared / "truth/models").glob("*__L.onnx"))[::4]:
        model = onnx.load(original, load_external_data=False)
        for one in model.graph.node:
            one.ClearField("name")
        path.write_bytes(model.SerializeToString())
        named = graphcount.count(str(original), cost=False, deep=False).nodes
        nameless = graphcount.count(str(path), cost=False, deep=False).nodes
        for before, after in zip(named, nameless, strict=True):
            if after.module and before.module and not after.scope:
                assert before.module == after.module, f"{original}: {before.id}"
                same += 1
    assert same > 1000
