"""Small models, and whether the installed onnxruntime makes a session of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, parser

from graphcount.errors import UsageError
from graphcount.loading.limits import DEFAULT_LIMITS
from graphcount.report.loading import CAUSES, Answer
from graphcount.runtimes.process import Runtimes
from graphcount.runtimes.tables import target

RELEASE = onnxruntime.__version__

SESSIONS = """
import json, sys
import onnxruntime
onnxruntime.set_default_logger_severity(4)
for path in json.load(sys.stdin):
    try:
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        print(json.dumps(""))
    except Exception as error:
        print(json.dumps(str(error)))
"""

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
LOCAL = '<ir_version: 8, opset_import: ["" : 17, "local" : 1]>\n'
CALL = LOCAL + "g (float[2] x) => (float[2] z) { z = local.f(x) }\n"
RELU = "b = Relu(x)"
IF = (
    HEAD + "g (float[2] x, bool c) => (float[2] z) { z = If (c) <"
    "then_branch = t () => (float[2] a) { %s }, else_branch = e () => (float[2] b) { %s }> }"
)

TEXTS = {
    "plain": HEAD + "g (float[2] x) => (float[2] z) { z = Relu(x) }",
    "newer opset": '<ir_version: 8, opset_import: ["" : 99]>\ng (float[2] x) => (float[2] z)'
    "{ z = Relu(x) }",
    "newer IR": '<ir_version: 99, opset_import: ["" : 17]>\ng (float[2] x) => (float[2] z)'
    "{ z = Relu(x) }",
    "opset 0": '<ir_version: 8, opset_import: ["" : 0]>\ng (float[2] x) => (float[2] z)'
    "{ z = Relu(x) }",
    "own domain not imported": HEAD + "g (float[2] x) => (float[2] z){ z = com.microsoft.Gelu(x) }",
    "domain not imported": HEAD + "g (float[2] x) => (float[2] z) { z = foo.Bar(x) }",
    "domain not known": '<ir_version: 8, opset_import: ["" : 17, "foo" : 1]>\n'
    "g (float[2] x) => (float[2] z) { z = foo.Bar(x) }",
    "operator not known": HEAD + "g (float[2] x) => (float[2] z) { z = Nope(x) }",
    "operator of a later opset": HEAD + "g (float[2] x) => (float[2] z) { z = Gelu(x) }",
    "type not allowed": HEAD + "g (int8[2] x) => (int8[2] z) { z = Sin(x) }",
    "two types": HEAD + "g (float[2] x, double[2] y) => (float[2] z) { z = Add(x, y) }",
    "no kernel for a type": HEAD + "g (double[2] x) => (double[2] z) { z = Tan(x) }",
    "no kernel, and nobody reads it": HEAD + "g (double[2] x, float[2] a) => (float[2] z)"
    "{ y = Tan(x) z = Relu(a) }",
    "no kernel, but casts": HEAD + "g (float16[2] x) => (float16[2] z) { z = Tan(x) }",
    "no kernel for bfloat16": HEAD + "g (bfloat16[2] x) => (bfloat16[2] z) { z = Tanh(x) }",
    "kernel for bfloat16": HEAD + "g (bfloat16[2] x) => (bfloat16[2] z) { z = Identity(x) }",
    "no kernel for a version": '<ir_version: 8, opset_import: ["" : 6]>\n'
    "g (float[2] x, float[2] y) => (float[2] z) { z = Add(x, y) }",
    "taken out of the graph": '<ir_version: 8, opset_import: ["" : 6]>\n'
    "g (float[2] x) => (float[2] z) { y = Dropout(x) z = Relu(y) }",
    "function of an operator": '<ir_version: 8, opset_import: ["" : 18]>\n'
    "g (float[2] x, float[2] y) => (float[2] z) { z = CastLike(x, y) }",
    "function with an operator that has no kernel": '<ir_version: 10, opset_import: ["" : 22]>\n'
    "g (bfloat16[2] x) => (bfloat16[2] z) { z = HardSwish(x) }",
    "input missing": HEAD + 'g (float[2] x) => (float[2] z) { z = Add(x, "") }',
    "input too few": HEAD + "g (float[2] x) => (float[2] z) { z = Add(x) }",
    "input too many": HEAD + "g (float[2] x) => (float[2] z) { z = Relu(x, x) }",
    "attribute not known": HEAD + "g (float[2] x) => (float[2] z) { z = Relu <a = 1> (x) }",
    "attribute of any name": HEAD + "g (float[2] x, float[2] s) => (float[2] z)"
    "{ z = LayerNormalization <foo = 1> (x, s) }",
    "attribute of another type": HEAD + "g (float[2] x) => (float[2] z)"
    "{ z = LeakyRelu <alpha = 1> (x) }",
    "attribute missing": HEAD + "g (float[2] x) => (z) { z = Cast(x) }",
    "word not allowed": HEAD + "g (float[1,4,2,2] x) => (z)"
    '{ z = DepthToSpace <blocksize = 2, mode = "nope"> (x) }',
    "number not allowed": HEAD + "g (float[2] x, float[2] y) => (z) { z = Mod <fmod = 2> (x, y) }",
    "layout of a GRU": HEAD + "g (float[1,2,3] x, float[1,6,3] w, float[1,6,2] r) => (z)"
    "{ z = GRU <hidden_size = 2, layout = 1> (x, w, r) }",
    "shapes contradict": HEAD + "g (float[2] x, float[3] y) => (float[3] z) { z = Add(x, y) }",
    "computed shapes contradict": HEAD + "g (float[2] x, float[6] y) => (z)"
    "{ s = Shape(x) t = Add(s, s) r = Expand(x, s) u = ConstantOfShape(t) z = Add(u, y) }",
    "declared shape differs": HEAD + "g (float[2] x) => (float[3] z) { z = Relu(x) }",
    "declared type differs": HEAD + "g (float[2] x) => (double[2] z) { z = Relu(x) }",
    "in any order": HEAD + "g (float[2] x) => (float[2] z) { z = Relu(y) y = Relu(x) }",
    "value missing": HEAD + "g (float[2] x) => (float[2] z) { z = Relu(y) }",
    "output missing": HEAD + "g (float[2] x) => (float[2] w) { z = Relu(x) }",
    "circle": HEAD + "g (float[2] x) => (float[2] z) { z = Add(x, y) y = Relu(z) }",
    "value twice": HEAD + "g (float[2] x) => (float[2] z) { z = Relu(x) z = Relu(x) }",
    "input twice": HEAD + "g (float[2] x, float[2] x) => (float[2] z) { z = Relu(x) }",
    "constant twice": HEAD + "g (float[2] x) => (float[2] z)"
    "{ w = Constant <value_float = 1.0> () w = Constant <value_float = 1.0> () z = Add(x, w) }",
    "initializer of another shape": HEAD + "g (float[2] x, float[3] w) => (float[2] z)"
    "<float[2] w = {1, 2}> { z = Add(x, w) }",
    "branches": IF % ("a = Relu(x)", "b = Relu(x)"),
    "branch without a kernel": IF % ("q = Cast <to = 11> (x) r = Tan(q) a = Relu(x)", RELU),
    "branch in another order": IF % ("a = Relu(q) q = Relu(x)", "b = Relu(x)"),
    "branch defines a value again": IF % ("x = Relu(x) a = Relu(x)", "b = Relu(x)"),
    "branch returns what is around it": HEAD + "g (float[2] x, bool c) => (float[2] z)"
    "{ y = Relu(x) z = If (c) <then_branch = t () => (float[2] y) { },"
    " else_branch = e () => (float[2] b) { b = Relu(x) }> }",
    "branches of two types": HEAD + "g (float[2] x, bool c) => (z) { z = If (c) <"
    "then_branch = t () => (a) { a = Relu(x) }, else_branch = e () => (b)"
    "{ b = Cast <to = 11> (x) }> }",
    "loop": HEAD + "g (int64 n, bool c, float[2] x) => (float[2] z) { z = Loop (n, c, x) <"
    "body = b (int64 i, bool d, float[2] s) => (bool e, float[2] t)"
    "{ e = Identity(d) t = Relu(s) }> }",
    "loop of another state": HEAD + "g (int64 n, bool c, float[2] x) => (z) { z = Loop (n, c, x) <"
    "body = b (int64 i, bool d, s) => (bool e, t)"
    "{ e = Identity(d) t = Cast <to = 11> (s) }> }",
    "function": CALL + '<domain: "local", opset_import: ["" : 17]> f (a) => (b) { b = Relu(a) }',
    "function without imports": CALL + '<domain: "local"> f (a) => (b) { b = Relu(a) }',
    "function that calls itself": CALL + '<domain: "local", opset_import: ["" : 17, "local" : 1]>'
    " f (a) => (b) { b = local.f(a) }",
    "function with an unknown operator": CALL + '<domain: "local", opset_import: ["" : 17]>'
    " f (a) => (b) { b = Nope(a) }",
    "function that nobody calls": HEAD + "g (float[2] x) => (float[2] z) { z = Relu(x) }\n"
    '<domain: "local", opset_import: ["" : 17]> f (a) => (b) { b = Nope(a) }',
    "sequence": HEAD + "g (float[2] x) => (float[2] z)"
    "{ s = SequenceConstruct(x, x) i = Constant <value_int = 0> () z = SequenceAt(s, i) }",
    "sequence of two types": HEAD + "g (float[2] x, double[2] y) => (z)"
    "{ z = SequenceConstruct(x, y) }",
    "sparse input": HEAD + "g (sparse_tensor(float[2]) x) => (float[2] z) { z = Relu(x) }",
    "layout of another runtime": '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>\n'
    "g (float[1,4,4,3] x, float[2,3,3,3] w) => (z) { z = com.microsoft.NhwcConv(x, w) }",
    "integers of another domain": '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]>\n'
    "g (int32[2] x) => (z) { z = ai.onnx.ml.Scaler <offset = [0.0], scale = [1.0]> (x) }",
}

Change = Callable[[ModelProto], object]
WEIGHTED = HEAD + "g (float[2] x) => (float[2] z) <float[2] w = {1, 2}> { z = Add(x, w) }"


def raw(data: bytes) -> Change:
    def change(model: ModelProto) -> None:
        model.graph.initializer[0].ClearField("float_data")
        model.graph.initializer[0].raw_data = data

    return change


def external(location: str, length: int = 8) -> Change:
    def change(model: ModelProto) -> None:
        raw(b"")(model)
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)

    return change


def without_type(model: ModelProto) -> None:
    model.graph.input[0].ClearField("type")


def type_99(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 99


def dtype_99(model: ModelProto) -> None:
    model.graph.initializer[0].data_type = 99


def opsets_twice(model: ModelProto) -> None:
    model.opset_import[0].version = 13
    model.opset_import.append(helper.make_opsetid("", 17))


def without_opsets(model: ModelProto) -> None:
    del model.opset_import[:]


def one_name(model: ModelProto) -> None:
    for node in model.graph.node:
        node.name = "same"


TWO = HEAD + "g (float[2] x) => (float[2] z) { y = Relu(x) z = Relu(y) }"
CHANGED: dict[str, tuple[str, Change]] = {
    "data too short": (WEIGHTED, raw(b"1234")),
    "data too long": (WEIGHTED, raw(b"12345678" * 2)),
    "data missing": (WEIGHTED, raw(b"")),
    "data too short, and nobody reads it": (WEIGHTED.replace("Add(x, w)", "Relu(x)"), raw(b"1")),
    "external data": (WEIGHTED, external("weights.bin")),
    "external data missing": (WEIGHTED, external("nowhere.bin")),
    "external data too short": (WEIGHTED, external("short.bin")),
    "external data outside": (WEIGHTED, external("../outside.bin")),
    "external data by an absolute path": (WEIGHTED, external("/dev/zero")),
    "initializer without an element type": (WEIGHTED, dtype_99),
    "input without a type": (TWO, without_type),
    "input without an element type": (TWO, type_99),
    "opsets twice": (
        HEAD + "g (float[2] x) => (float[2] z) { z = LayerNormalization(x, x) }",
        opsets_twice,
    ),
    "no opsets": (TWO, without_opsets),
    "nodes of one name": (TWO, one_name),
}

NAMES = [*TEXTS, *CHANGED]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Answer]]:
    """Words of onnxruntime (empty: it loads) and the answer, of every model, by its name."""
    folder = tmp_path_factory.mktemp("models") / "inside"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(bytes(8))
    (folder / "short.bin").write_bytes(bytes(4))
    (folder.parent / "outside.bin").write_bytes(bytes(8))
    paths = []
    for name in NAMES:
        text, change = CHANGED.get(name, (TEXTS.get(name, ""), lambda model: None))
        model = parser.parse_model(text)
        change(model)
        paths.append(folder / f"{name}.onnx")
        paths[-1].write_bytes(model.SerializeToString())
    command = [sys.executable, "-c", SESSIONS]
    asked = json.dumps([str(path) for path in paths])
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    words = [json.loads(line) for line in done.stdout.splitlines()]
    with Runtimes(DEFAULT_LIMITS) as runtimes:
        answers = [runtimes.answer(f"onnxruntime:{RELEASE}", str(path)) for path in paths]
    return dict(zip(NAMES, zip(words, answers, strict=True), strict=True))


@pytest.fixture(autouse=True)
def table() -> None:
    try:
        target(f"onnxruntime:{RELEASE}")
    except UsageError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_what_onnxruntime_does(
    name: str, compared: dict[str, tuple[str, Answer]]
) -> None:
    words, answer = compared[name]
    assert answer.state == ("refused" if words else "loads"), (words, answer)
    assert answer.cause in (CAUSES if words else [""])


def test_some_load_and_some_do_not(compared: dict[str, tuple[str, Answer]]) -> None:
    refused = sum(bool(words) for words, _ in compared.values())
    assert 15 < refused < len(NAMES) - 15


def test_the_first_node_without_a_kernel_is_named(
    compared: dict[str, tuple[str, Answer]],
) -> None:
    _, answer = compared["no kernel for a type"]
    assert (answer.cause, answer.node) == ("kernel", "Tan_0")
    assert answer.why == "no kernel for Tan of opset 7 with tensor(double)"
    assert compared["branch without a kernel"][1].node == "If_0/then_branch/Tan_1"


def test_what_ends_the_child_is_not_known(tmp_path: Path) -> None:
    """onnx's inference of Split aborts on this in onnx 1.23; whatever it says is no pass."""
    node = helper.make_node("Split", ["x"], ["a", "b"], axis=-7, num_outputs=2)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [7])
    outputs = [helper.make_empty_tensor_value_info(name) for name in "ab"]
    graph = helper.make_graph([node], "g", [value], outputs)
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 18)])
    bad, good = tmp_path / "bad.onnx", tmp_path / "good.onnx"
    bad.write_bytes(model.SerializeToString())
    good.write_bytes(parser.parse_model(TEXTS["plain"]).SerializeToString())
    with Runtimes(DEFAULT_LIMITS) as runtimes:
        assert runtimes.answer("onnxruntime:1.32", str(bad)).state != "loads"
        assert runtimes.answer("onnxruntime:1.32", str(good)).state == "loads"


def test_a_folder_is_not_known(tmp_path: Path) -> None:
    with Runtimes(DEFAULT_LIMITS) as runtimes:
        answer = runtimes.answer("onnxruntime", str(tmp_path))
    assert (answer.state, answer.cause) == ("not known", "file")


def test_what_takes_too_long_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "plain.onnx"
    path.write_bytes(parser.parse_model(TEXTS["plain"]).SerializeToString())
    with Runtimes(DEFAULT_LIMITS, seconds=0.001) as runtimes:
        answer = runtimes.answer("onnxruntime", str(path))
    assert (answer.state, answer.cause) == ("not known", "limit")
    assert "0.001 s" in answer.why
