"""Rules on operators: domains, definitions, ranges, code from elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest
from onnx import helper

from graphcount.report.finding_rows import Finding

Write = Callable[..., str]
Find = Callable[..., list[Finding]]

PLAIN = "(float[3] x) => (float[3] y) { y = Relu(x) }"


def one(op: str) -> str:
    return f"(float[3] x) => (float[3] y) {{ y = {op} }}"


def test_custom_domain_with_its_operators(write: Write, find: Find) -> None:
    text = "(float[3] x) => (float[3] y) { a = acme.Foo(x)\n b = acme.Foo(a)\n y = acme.Bar(b) }"
    [finding] = find(write(text, opsets={"": 20, "acme": 1}), "OPS001")
    assert finding.severity == "medium"
    assert finding.evidence == {"operators": {"Bar": 1, "Foo": 2}, "nodes": 3}


def test_known_domains_and_local_functions_are_not_custom(write: Write, find: Find) -> None:
    gelu = write(one("com.microsoft.FastGelu(x)"), opsets={"": 20, "com.microsoft": 1})
    assert find(gelu, "OPS001", "OPS003", "OPS005") == []
    function = '<domain: "acme", opset_import: ["" : 20]>\nF (a) => (z) { z = Neg(a) }'
    local = write(one("acme.F(x)"), functions=[function], opsets={"": 20, "acme": 1})
    assert find(local, "OPS001", "OPS003") == []
    extension = write(one("ai.onnx.contrib.Foo(x)"), opsets={"": 20, "ai.onnx.contrib": 1})
    assert [finding.severity for finding in find(extension, "OPS001")] == ["low"]


@pytest.mark.parametrize(
    ("domain", "op_type"),
    [
        ("com.microsoft", "PythonOp"),
        ("ai.onnx.contrib", "PyCustomOpDef"),
        ("com.microsoft.extensions", "PyOp"),
        ("org.pytorch.aten", "ATen"),
        ("org.pytorch.anything", "Foo"),
    ],
)
def test_host_code(domain: str, op_type: str, write: Write, find: Find) -> None:
    path = write(one(f"{domain}.{op_type}(x)"), opsets={"": 20, domain: 1})
    [finding] = find(path, "OPS002")
    assert finding.severity == "high"
    assert finding.where["op_type"] == op_type


def test_a_local_function_is_not_host_code(write: Write, find: Find) -> None:
    function = '<domain: "org.pytorch.aten", opset_import: ["" : 20]>\nATen (a) => (z) {z = Neg(a)}'
    opsets = {"": 20, "org.pytorch.aten": 1}
    path = write(one("org.pytorch.aten.ATen(x)"), functions=[function], opsets=opsets)
    assert find(path, "OPS002") == []


@pytest.mark.parametrize(
    ("op", "opsets", "severity"),
    [
        ("Conw(x)", {"": 20}, "high"),
        ("Conw(x)", {"": 99}, "medium"),
        ("ImageScaler(x)", {"": 8}, "medium"),
        ("SimplifiedLayerNormalization<axis = -1>(x, x)", {"": 20}, "info"),
        ("SkipSimplifiedLayerNormalization(x, x, x)", {"": 20}, "high"),
        ("com.microsoft.Conw(x)", {"": 20, "com.microsoft": 1}, "medium"),
        ("ai.onnx.ml.Conw(x)", {"": 20, "ai.onnx.ml": 3}, "high"),
    ],
)
def test_unknown_operator(
    op: str, opsets: dict[str, int], severity: str, write: Write, find: Find
) -> None:
    findings = find(write(one(op), opsets=opsets), "OPS003", "OPS006", "OPS007")
    assert [(finding.rule, finding.severity) for finding in findings] == [("OPS003", severity)]


def test_opset_mismatch(write: Write, find: Find) -> None:
    [newer] = find(write(one("Gelu(x)"), opsets={"": 17}), "OPS003", "OPS006", "OPS007")
    assert (newer.rule, newer.severity) == ("OPS006", "medium")
    assert newer.evidence == {"imported": 17, "expected": 20, "nodes": 1}
    [withdrawn] = find(write(one("Upsample(x, x)"), opsets={"": 13}), "OPS006", "OPS007")
    assert "withdrawn in 10" in withdrawn.message
    assert find(write(one("Gelu(x)"), opsets={"": 20}), "OPS003", "OPS006", "OPS007") == []


def test_domain_not_imported(write: Write, find: Find) -> None:
    [finding] = find(write(one("com.microsoft.FastGelu(x)")), "OPS005")
    assert finding.severity == "medium"
    assert finding.where["domain"] == "com.microsoft"

    def no_imports(model: onnx.ModelProto) -> None:
        del model.opset_import[:]

    assert find(write(PLAIN, change=no_imports), "OPS005") == []  # that is VER002
    assert find(write(PLAIN, opsets={"ai.onnx": 20}), "OPS005", "OPS006") == []


@pytest.mark.parametrize(
    ("op", "why"),
    [
        ("Add(x)", "1 inputs where there are at least 2"),
        ("Relu(x, x)", "2 inputs where there are at most 1"),
        ("Add(, x)", "input 0 is required and left out"),
        ("Relu<alpha = 1.0>(x)", "attribute 'alpha' is not defined"),
        ("LeakyRelu<alpha = 1>(x)", "attribute 'alpha' is an int, not a float"),
        ("Cast(x)", "attribute 'to' is missing"),
        ("Cast<to = 99>(x)", "to is 99, no element type"),
        ("Softmax<axis = 1>(x)", "axis 1 of 1 dimensions"),
        ("Flatten<axis = 2>(x)", "axis 2 of 1 dimensions"),
        ("Transpose<perm = [0, 0]>(x)", "perm [0, 0] is no permutation"),
        ("MaxPool<kernel_shape = [0]>(x)", "kernel_shape holds 0"),
        ("MaxPool<kernel_shape = [2], strides = [0]>(x)", "strides holds 0"),
        ("Conv<group = 0>(x, x)", "group is 0"),
        ("DepthToSpace<blocksize = 4294967296>(x)", "blocksize is 4294967296"),
        ("DepthToSpace<blocksize = -1>(x)", "blocksize is -1"),
        ("Split<num_outputs = 1000000000>(x)", "num_outputs is 1000000000, not its outputs"),
        ("LSTM<hidden_size = 0>(x, x, x)", "hidden_size is 0"),
        ('LSTM<hidden_size = 1, direction = "up">(x, x, x)', "direction is 'up'"),
        ('MaxPool<kernel_shape = [2], auto_pad = "SAME">(x)', "auto_pad is 'SAME'"),
        ('DepthToSpace<blocksize = 2, mode = "RCD">(x)', "mode is 'RCD'"),
        ('Pad<mode = "mirror">(x, x)', "mode is 'mirror'"),
        ('Resize<mode = "area">(x, , x)', "mode is 'area'"),
        ('BitShift<direction = "UP">(x, x)', "direction is 'UP'"),
        ('ScatterND<reduction = "sub">(x, x, x)', "reduction is 'sub'"),
        ("Constant<value_int = 1, value_float = 2.0>()", "value_float and value_int where there"),
        ("Constant()", "no value where there is exactly one"),
        ("com.microsoft.MatMulNBits<K = 4, block_size = 16>(x, x, x)", "'N' is missing"),
        ("com.microsoft.FusedConv<group = 0>(x, x)", "group is 0"),
        ("com.microsoft.DequantizeLinear<block_size = -2>(x, x)", "block_size is -2"),
        ("com.microsoft.QuantizeLinear<block_size = -2>(x, x)", "block_size is -2"),
    ],
)
def test_node_definition(op: str, why: str, write: Write, find: Find) -> None:
    path = write(one(op), opsets={"": 20, "com.microsoft": 1})
    findings = find(path, "OPS007")
    assert [finding.severity for finding in findings] == ["medium"]
    assert why in findings[0].message


def test_a_negative_block(write: Write, find: Find) -> None:
    [finding] = find(
        write(one("DequantizeLinear<block_size = -1>(x, x)"), opsets={"": 21}), "OPS007"
    )
    assert "block_size is -1" in finding.message


@pytest.mark.parametrize(
    "op",
    [
        "Relu(x)",
        "Clip(x, , x)",
        "Clip(x, )",
        "Softmax<axis = -1>(x)",
        "Flatten<axis = 1>(x)",
        "Cast<to = 10>(x)",
        'DepthToSpace<blocksize = 2, mode = "CRD">(x)',
        'Pad<mode = "wrap">(x, x)',
        'ScatterND<reduction = "max">(x, x, x)',
        "DepthToSpace<blocksize = 2>(x)",
        "Concat<axis = 0>(x, x, x, x)",
        "Relu<__internal = 1>(x)",
        "Constant<value_ints = [1, 2]>()",
    ],
)
def test_nodes_that_fit(op: str, write: Write, find: Find) -> None:
    assert find(write(one(op)), "OPS007") == []


def test_one_finding_for_many_nodes_with_the_same_fault(write: Write, find: Find) -> None:
    nodes = "\n".join(f"y{number} = Relu<alpha = 1.0>(x)" for number in range(30))
    [finding] = find(write(f"(float[3] x) => (float[3] y0) {{ {nodes} }}"), "OPS007")
    assert finding.evidence == {"nodes": 30}


def test_attributes_of_a_function_may_be_references(write: Write, find: Find) -> None:
    function = """<domain: "acme", opset_import: ["" : 20]>
    F <alpha> (a) => (z) { z = LeakyRelu<alpha: float = @alpha>(a) }"""
    path = write(one("acme.F<alpha = 0.5>(x)"), functions=[function], opsets={"": 20, "acme": 1})
    assert find(path, "OPS", "FUN") == []


def test_attribute_twice(write: Write, find: Find) -> None:
    def twice(model: onnx.ModelProto) -> None:
        model.graph.node[0].attribute.append(helper.make_attribute("axis", -1))

    path = write("(float[3] x) => (float[3] y) { y = Softmax<axis = 0>(x) }", change=twice)
    [finding] = find(path, "OPS008")
    assert finding.severity == "high"
    assert finding.where == {"node": "Softmax#0", "attribute": "axis"}
    assert find(write(PLAIN), "OPS008") == []


@pytest.mark.parametrize(
    ("op", "severity"),
    [
        ('com.microsoft.EPContext<embed_mode = 0, ep_cache_context = "a.bin">(x)', "high"),
        ('com.microsoft.EPContext<embed_mode = 1, ep_cache_context = "blob">(x)', "medium"),
        ('trt.plugins.TRT_EngineOp<engine_path = "x.engine">(x)', "high"),
        ('acme.Load<file_name = "/etc/passwd">(x)', "high"),
        ('acme.Load<library = "..\\\\..\\\\evil.dll">(x)', "high"),
    ],
)
def test_engines_and_files(op: str, severity: str, write: Write, find: Find) -> None:
    domain = op.partition("<")[0].rpartition(".")[0]
    path = write(one(op), opsets={"": 20, domain: 1})
    assert [finding.severity for finding in find(path, "OPS009")] == [severity]


@pytest.mark.parametrize(
    "op", ['acme.Load<mode = "a/b.txt">(x)', 'acme.Load<file_name = "none">(x)', "Relu(x)"]
)
def test_texts_that_are_no_files(op: str, write: Write, find: Find) -> None:
    assert find(write(one(op), opsets={"": 20, "acme": 1}), "OPS009") == []


def test_unseeded_random(write: Write, find: Find) -> None:
    [finding] = find(write(one("RandomNormalLike(x)")), "OPS010")
    assert finding.severity == "info"
    assert find(write(one("RandomNormalLike<seed = 1.0>(x)")), "OPS010") == []


def test_operators_in_functions_stand_under_their_own_opset(write: Write, find: Find) -> None:
    function = '<domain: "acme", opset_import: ["" : 17]>\nF (a) => (z) { z = Gelu(a) }'
    path = write(one("acme.F(x)"), functions=[function], opsets={"": 20, "acme": 1})
    [finding] = find(path, "OPS006")
    assert finding.evidence["imported"] == 17


def test_what_onnx_itself_refuses_is_found(write: Write, find: Find) -> None:
    """onnx's checker, as an independent judge of a few of these."""
    for op in ("Add(x)", "Relu<alpha = 1.0>(x)", "LeakyRelu<alpha = 1>(x)", "Cast(x)"):
        path = write(one(op))
        with pytest.raises(onnx.checker.ValidationError):
            onnx.checker.check_model(path)
        assert len(find(path, "OPS007")) == 1
