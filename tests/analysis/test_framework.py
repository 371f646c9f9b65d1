"""Recovery of the framework's count, one small graph for each trace."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphcount.analysis.counts import SIGNATURE, count, signature_of
from graphcount.analysis.framework import FrameworkCount, recover
from graphcount.analysis.values import Values
from graphcount.graph import build_graph
from graphcount.loading import read_model
from graphcount.loading.model import Graph

FIXTURES = Path(__file__).parents[2] / "fixtures"
FX = "pkg.torch.onnx.fx_node"
SCOPES = "pkg.torch.onnx.name_scopes"
CLASSES = "pkg.torch.onnx.class_hierarchy"


def recovered(path: Path) -> FrameworkCount:
    model = read_model(str(path))
    graph = build_graph(model.proto)
    with closing(Values(str(path), 1 << 24)) as values:
        rows = count(model, graph, values).rows
        return recover(model, graph, rows, values)


class Builder:
    """A model in pieces: nodes, tensors, inputs."""

    def __init__(self, producer: str = "pytorch") -> None:
        self.producer = producer
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.metadata: dict[str, str] = {}
        self.random = np.random.default_rng(0)

    def tensor(self, name: str, *shape: int, values: np.ndarray | None = None) -> str:
        array = self.random.standard_normal(shape) if values is None else values
        self.tensors.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def input(self, name: str, *shape: int, kind: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def node(
        self,
        op_type: str,
        inputs: list[str],
        output: str,
        *,
        fx: str = "",
        scope: str = "",
        owner: str = "",
        domain: str = "",
        name: str = "",
        **attributes: Any,
    ) -> str:
        node = helper.make_node(
            op_type, inputs, [output], name=name or f"node_{output}", domain=domain, **attributes
        )
        for key, value in ((FX, fx), (SCOPES, scope), (CLASSES, owner)):
            if value:
                entry = node.metadata_props.add()
                entry.key, entry.value = key, value
        self.nodes.append(node)
        return output

    def save(self, path: Path, output: str) -> Path:
        outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "g", self.inputs, outputs, self.tensors)
        for key, value in self.metadata.items():
            entry = graph.metadata_props.add()
            entry.key, entry.value = key, value
        model = helper.make_model(graph, producer_name=self.producer)
        onnx.save(model, path)
        return path


def signature(*names: str) -> str:
    lines = [f"p_{name.replace('.', '_').lower()}: PARAMETER target='{name}'" for name in names]
    return "\n".join(["", "# inputs", *lines, "x: USER_INPUT", "", "# outputs", "y: USER_OUTPUT"])


def call(target: str, *args: str) -> str:
    return (
        f"%y : [num_users=1] = call_function[target=torch.ops.aten.{target}.default]"
        f"(args = ({', '.join(args)}), kwargs = {{}})"
    )


@pytest.mark.parametrize(
    ("name", "parameters", "exact"),
    [
        ("conv_batchnorm_folded", 532, True),
        ("cnn_batchnorm", 27_216, True),
        ("tied_language_model", 3_184, False),
        ("rnn_3_2", 14, False),
        ("cnn_int8", 26_926, False),
    ],
)
def test_fixtures(name: str, parameters: int, exact: bool) -> None:
    found = recovered(FIXTURES / f"{name}.onnx")
    assert (found.parameters, found.exact) == (parameters, exact)
    assert found.low is not None
    assert found.low <= parameters


def test_the_legacy_exporter_is_never_exact(tmp_path: Path) -> None:
    model = Builder()
    inputs = [model.input("x", 1, 3), model.tensor("fc.weight", 3, 4)]
    model.node("Gemm", inputs, "y", name="/fc/Gemm")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:4] == (12, False, 12, None)
    assert "leaves no trace of parameters that forward does not use" in found.evidence[-1]


def test_declared_names_are_exact(tmp_path: Path) -> None:
    model = Builder()
    model.metadata[SIGNATURE] = signature("fc.weight", "fc.bias")
    inputs = [model.input("x", 1, 3), model.tensor("fc.weight", 4, 3), model.tensor("fc.bias", 4)]
    fx = call("linear", "%x", "%p_fc_weight", "%p_fc_bias")
    model.node("Gemm", inputs, "y", fx=fx, transB=1)
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:4] == (16, True, 16, 16)


def test_a_removed_bias_is_sized_by_its_call(tmp_path: Path) -> None:
    model = Builder()
    model.metadata[SIGNATURE] = signature("fc.weight", "fc.bias")
    fx = call("linear", "%x", "%p_fc_weight", "%p_fc_bias")
    model.node("MatMul", [model.input("x", 2, 1, 3), model.tensor("val_0", 3, 4)], "y", fx=fx)
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:4] == (16, True, 16, 16)


def test_a_parameter_without_a_trace_counts_as_none(tmp_path: Path) -> None:
    model = Builder()
    model.metadata[SIGNATURE] = signature("fc.weight", "pooler.weight")
    fx = call("linear", "%x", "%p_fc_weight")
    model.node(
        "Gemm", [model.input("x", 1, 3), model.tensor("fc.weight", 4, 3)], "y", fx=fx, transB=1
    )
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:4] == (12, False, 12, None)
    assert any("pooler.weight" in sentence for sentence in found.evidence)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"producer": "onnx.quantize"}, "rewrote"),
        ({"cut": True}, "cut off"),
        ({"foreign": True}, "did not make"),
        ({"complex": True}, "omplex"),
    ],
)
def test_a_doubt_forbids_exactness(tmp_path: Path, change: dict[str, object], word: str) -> None:
    model = Builder(str(change.get("producer", "pytorch")))
    text = signature("fc.weight")
    model.metadata[SIGNATURE] = text.partition("# outputs")[0] if change.get("cut") else text
    fx = call("linear", "%view_as_complex" if change.get("complex") else "%x", "%p_fc_weight")
    model.node(
        "Gemm", [model.input("x", 1, 3), model.tensor("fc.weight", 3, 3)], "y", fx=fx, transB=1
    )
    output = "y"
    if change.get("foreign"):
        output = model.node("MatMul", ["y", model.tensor("extra.weight", 3, 5)], "z")
    found = recovered(model.save(tmp_path / "m.onnx", output))
    assert not found.exact
    assert any(word in sentence for sentence in found.evidence)


def tied(model: Builder, owner: str) -> None:
    model.metadata[SIGNATURE] = signature("wte.weight", "head.weight")
    table = model.random.standard_normal((9, 4))
    model.node(
        "Gather",
        [model.tensor("head.weight", values=table), model.input("i", 1, 2, kind=7)],
        "e",
        fx=call("embedding", "%p_head_weight", "%i"),
        scope="['', 'wte', 'embedding']",
        owner=f"['m.LM', '{owner}', 'aten.embedding.default']",
    )
    fx = call("linear", "%e", "%p_head_weight")
    model.node("MatMul", ["e", model.tensor("val_1", values=table.T)], "y", fx=fx)


def test_a_tie_proven_by_its_call(tmp_path: Path) -> None:
    model = Builder()
    tied(model, "torch.nn.modules.sparse.Embedding")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:4] == (36, True, 36, 36)


def test_a_module_of_another_class_proves_no_tie(tmp_path: Path) -> None:
    model = Builder()
    tied(model, "my.Functional")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert not found.exact


def test_a_transposed_copy_counts_once(tmp_path: Path) -> None:
    model = Builder()
    table = model.random.standard_normal((9, 4))
    model.node(
        "Gather",
        [model.tensor("wte.weight", values=table), model.input("i", 1, 2, kind=7)],
        "e",
        name="/wte/Gather",
    )
    model.node(
        "MatMul", ["e", model.tensor("onnx::MatMul_7", values=table.T)], "y", name="/head/MatMul"
    )
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert (found.parameters, found.exact, found.low) == (36, False, 36)


def test_constant_tensors_are_no_copies(tmp_path: Path) -> None:
    model = Builder()
    zeros = np.zeros((4, 4))
    model.node("MatMul", [model.input("x", 1, 4), model.tensor("a.weight", values=zeros)], "h")
    model.node("MatMul", ["h", model.tensor("onnx::MatMul_7", values=zeros)], "y")
    assert recovered(model.save(tmp_path / "m.onnx", "y")).parameters == 32


def test_merged_tensors_leave_an_identity(tmp_path: Path) -> None:
    model = Builder()
    bias = model.tensor("a.bias", values=np.zeros(4))
    model.node("Identity", [bias], "b.bias", name="Identity_0")
    model.node(
        "Gemm", [model.input("x", 1, 4), model.tensor("a.weight", 4, 4), bias], "h", name="/a/Gemm"
    )
    model.node("Gemm", ["h", model.tensor("b.weight", 4, 4), "b.bias"], "y", name="/b/Gemm")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert (found.parameters, found.exact) == (40, False)


def test_a_buffer_merged_into_a_parameter_adds_nothing(tmp_path: Path) -> None:
    model = Builder()
    ones = model.tensor("n.weight", values=np.ones(3))
    model.node("Identity", [ones], "n.running_var", name="Identity_0")
    rest = [model.tensor("n.bias", 3), model.tensor("n.running_mean", 3), "n.running_var"]
    model.node("BatchNormalization", [model.input("x", 1, 3, 2), ones, *rest], "y", name="/n/B")
    assert recovered(model.save(tmp_path / "m.onnx", "y")).parameters == 6


@pytest.mark.parametrize(
    ("weight", "bias", "output", "low"),
    [
        ("onnx::Conv_8", "onnx::Conv_9", "y", 6),
        ("ConvBnFusion_W_c.weight", "ConvBnFusion_BN_B_n.bias", "y", 12),
        ("_v_4", "_v_5", "y", 6),
        ("/n/B_output_0_weight", "/n/B_output_0_bias", "/n/B_output_0", 6),
    ],
)
def test_folded_norms_by_names(
    tmp_path: Path, weight: str, bias: str, output: str, low: int
) -> None:
    """6 weights, and most likely a scale and a shift of 3; the name of a shift says so for sure."""
    model = Builder()
    inputs = [model.input("x", 1, 2, 5, 5), model.tensor(weight, 3, 2, 1, 1), model.tensor(bias, 3)]
    model.node("Conv", inputs, output, name="/c/Conv")
    found = recovered(model.save(tmp_path / "m.onnx", output))
    assert (found.parameters, found.exact, found.low) == (12, False, low)
    assert any("folded 1 BatchNormalization" in sentence for sentence in found.evidence)


@pytest.mark.parametrize(("bias", "parameters"), [("c.bias", 15), ("c.weight_bias", 12)])
def test_a_folded_norm_of_the_dynamo_exporter(tmp_path: Path, bias: str, parameters: int) -> None:
    model = Builder()
    inputs = [
        model.input("x", 1, 2, 5, 5),
        model.tensor("c.weight", 3, 2, 1, 1),
        model.tensor(bias, 3),
    ]
    model.node("Conv", inputs, "getitem")
    assert recovered(model.save(tmp_path / "m.onnx", "getitem")).parameters == parameters


def test_inputs_in_the_place_of_weights(tmp_path: Path) -> None:
    model = Builder()
    inputs = [model.input("x", 1, 3), model.input("fc.weight", 4, 3), model.input("fc.bias", 4)]
    model.node("Gemm", inputs, "h", transB=1)
    model.node("MatMul", ["h", model.input("other", 4, 2)], "y")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert (found.parameters, found.exact, found.low) == (16, False, 16)


def test_zero_recurrent_bias_of_keras(tmp_path: Path) -> None:
    model = Builder("tf2onnx")
    bias = np.concatenate([model.random.standard_normal((1, 8)), np.zeros((1, 8))], axis=1)
    inputs = [
        model.input("x", 5, 1, 3),
        model.tensor("W", 1, 8, 3),
        model.tensor("R", 1, 8, 2),
        model.tensor("B", values=bias),
    ]
    model.node("LSTM", inputs, "y", hidden_size=2)
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found.parameters == 24 + 16 + 8


def test_binary_linear_model_of_scikit_learn(tmp_path: Path) -> None:
    model = Builder("skl2onnx")
    model.node(
        "LinearClassifier",
        [model.input("x", 1, 3)],
        "y",
        domain="ai.onnx.ml",
        coefficients=[-1.0, 2.0, -3.0, 1.0, -2.0, 3.0],
        intercepts=[-0.5, 0.5],
        classlabels_ints=[0, 1],
    )
    assert recovered(model.save(tmp_path / "m.onnx", "y")).parameters == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# inputs",
        "p: PARAMETER",
        "p: PARAMETER target='",
        "\n".join(["p: PARAMETER target='a'"] * 3),
        "ExportGraphSignature(input_specs=[InputSpec(kind=<InputKind.PARAMETER: 2>, arg=",
        "x" * 100_000,
        "'" * 100_000,
        "[(" * 100_000,
    ],
)
def test_garbage_never_raises(tmp_path: Path, text: str) -> None:
    model = Builder()
    model.metadata[SIGNATURE] = text
    model.node(
        "Gemm",
        [model.input("x", 1, 3), model.tensor("a", 3, 4)],
        "y",
        fx="%p_a " + text,
        scope=text,
        owner=text,
    )
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert not found.exact


def test_signature_of_older_versions() -> None:
    text = (
        "ExportGraphSignature(input_specs=[InputSpec(kind=<InputKind.PARAMETER: 2>,"
        " arg=TensorArgument(name='p_a_weight'), target='a.weight', persistent=None),"
        " InputSpec(kind=<InputKind.BUFFER: 3>, arg=TensorArgument(name='b_a_m'),"
        " target='a.m', persistent=True)], output_specs=[])"
    )
    found = signature_of(Graph(metadata={SIGNATURE: text}))
    assert found is not None
    assert found.parameters == {"a.weight": "p_a_weight"}
    assert found.buffers == {"a.m": "b_a_m"}
    assert found.complete
