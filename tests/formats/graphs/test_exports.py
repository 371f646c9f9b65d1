"""Exports are read back by the tools they are for, and names of a model stay names."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from onnx import helper

import graphcount
from graphcount.errors import UsageError
from graphcount.formats.graphs import EXPORTS
from graphcount.formats.graphs.mermaid import escape

HOSTILE = (
    'evil"]; click n0 href "javascript:alert(1)"',
    "a --> b\nsubgraph x",
    "%%{init: {}}%%",
    "<script>alert(1)</script>",
    "x\\",
    '"] [URL="javascript:alert(1)"',
    "]]>&amp;&#60;",
    "\x1b[31m\x00\u202e\ud7ff",
    "end",
    "#35;`**b**`",
    "{{7}} | style n0 fill:#f00",
    "/*--> */ }",
)


@pytest.fixture
def hostile(save: Any, weights: Any) -> str:
    """A chain of nodes whose names and weights are attacks."""
    nodes, tensors = [], []
    for at, name in enumerate(HOSTILE):
        tensors.append(weights(f"{name}.w{at}", 4))
        nodes.append(
            helper.make_node("Add", [f"v{at}", tensors[-1].name], [f"v{at + 1}"], f"/{name}/{name}")
        )
    path: str = save(nodes, tensors, inputs=[("v0", [4])], outputs=[f"v{len(HOSTILE)}"])
    return path


def chain(graph: Any) -> list[str]:
    """Op types along the only path of a graph."""
    order = list(nx.topological_sort(graph))
    assert nx.is_directed_acyclic_graph(graph)
    return [graph.nodes[node].get("op_type", graph.nodes[node]["kind"]) for node in order]


CNN = ["input", "Conv", "Relu", "MaxPool", "Conv", "Relu", "AveragePool", "Relu", "Reshape",
       "Gemm", "Relu", "Gemm", "output"]  # fmt: skip
"""The network of fixtures/cnn.onnx, as its definition in fixtures/make.py says."""


def read(name: str, text: str) -> Any:
    """A graph, by networkx's own readers."""
    if name == "graphml":
        return nx.parse_graphml(text)
    if name == "gexf":
        return nx.read_gexf(io.BytesIO(text.encode()))
    return nx.node_link_graph(json.loads(text), edges="edges")


@pytest.mark.parametrize("name", ["graphml", "gexf", "node-link"])
def test_networkx_reads_the_graph_and_its_numbers(name: str, fixtures: Path) -> None:
    text = graphcount.export(str(fixtures / "cnn.onnx"), name, dims={"batch": 1})
    graph = read(name, text)
    assert chain(graph) == CNN
    assert sum(data["parameters"] for _, data in graph.nodes.items()) == 26_926
    assert sum(data.get("macs", 0) for _, data in graph.nodes.items()) == 373_856
    by_name = {data["name"]: data for _, data in graph.nodes.items()}
    assert by_name["node_conv2d"]["shape"] == "[1, 5, 28, 28]"
    assert by_name["node_conv2d"]["module"] == "features.0"


@pytest.mark.parametrize("name", ["graphml", "gexf", "node-link"])
def test_hostile_names_survive_as_text(name: str, hostile: str) -> None:
    graph = read(name, graphcount.export(hostile, name))
    assert chain(graph) == ["input", *["Add"] * len(HOSTILE), "output"]
    assert len(graph.nodes) == len(HOSTILE) + 2
    names = [data["name"] for _, data in graph.nodes.items()]
    assert '/evil"]; click n0 href "javascript:alert(1)"/evil' in " ".join(names)
    assert not set("".join(names)) & set("\x1b\x00\u202e\n")


@pytest.mark.parametrize("name", list(EXPORTS))
def test_the_same_file_gives_the_same_text(name: str, fixtures: Path) -> None:
    if name == "svg" and shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    path = str(fixtures / "transformer_block.onnx")
    assert graphcount.export(path, name, depth=2) == graphcount.export(path, name, depth=2)


# -------------------------------------------------------------------------------------- depth


def test_depth_folds_modules_and_keeps_every_parameter(fixtures: Path) -> None:
    path = str(fixtures / "transformer_block.onnx")
    sizes = []
    for depth in (1, 2, 3, None):
        graph = read("node-link", graphcount.export(path, "node-link", depth=depth))
        sizes.append(len(graph))
        assert sum(data["parameters"] for _, data in graph.nodes.items()) == 17_152
        assert sum(data["nodes"] for _, data in graph.nodes.items()) == 83
    assert sizes == sorted(sizes)
    assert sizes[0] == 6  # x, two Shape outside of modules, layers, norm, the output
    assert sizes[-1] == 83 + 2


def test_a_folded_module_has_the_formula_of_what_is_in_it(fixtures: Path) -> None:
    path = str(fixtures / "transformer_block.onnx")
    graph = read("node-link", graphcount.export(path, "node-link", depth=1))
    (layers,) = [data for _, data in graph.nodes.items() if data["name"] == "layers"]
    assert layers["macs_expression"] == graphcount.count(path).totals.macs_expression
    assert "macs" not in layers


def test_edges_into_bodies_pass_through_their_inputs(save: Any) -> None:
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "s"], ["t"], "inside"),
         helper.make_node("Identity", ["c"], ["d"], "again")],
        "body",
        [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("c", 9, []),
         helper.make_tensor_value_info("s", 1, [2])],
        [helper.make_tensor_value_info("d", 9, []), helper.make_tensor_value_info("t", 1, [2])],
    )  # fmt: skip
    path = save(
        [
            helper.make_node("Relu", ["x"], ["r"], "before"),
            helper.make_node("Loop", ["", "go", "r"], ["y"], "loop", body=body),
        ],
        inputs=[("x", [2]), helper.make_tensor_value_info("go", 9, [])],
        outputs=["y"],
    )
    graph = read("node-link", graphcount.export(path, "node-link"))
    name = {node: data["name"] for node, data in graph.nodes.items()}
    edges = {(name[a], name[b]) for a, b in graph.edges}
    (inside,) = [value for value in name.values() if value.endswith("inside")]
    assert ("before", inside) in edges
    assert (inside, "loop") in edges


# ------------------------------------------------------------------------------------ Graphviz


def dot_program() -> str:
    """Graphviz, where it is installed."""
    program = shutil.which("dot")
    if program is None:
        pytest.skip("Graphviz is not installed")
    return program


def test_graphviz_reads_the_dot(hostile: str, fixtures: Path) -> None:
    program = dot_program()
    for path, nodes in ((hostile, len(HOSTILE) + 2), (str(fixtures / "cnn.onnx"), len(CNN))):
        text = graphcount.export(path, "dot")
        done = subprocess.run(
            [program, "-Tjson"], input=text.encode(), capture_output=True, check=True
        )
        drawn = json.loads(done.stdout)
        found = [item for item in drawn["objects"] if item["name"].startswith("n")]
        assert len(found) == nodes
        assert len(drawn["edges"]) == nodes - 1
        assert not any("URL" in item or "href" in item for item in drawn["objects"])


def test_svg_is_a_picture_without_script(hostile: str) -> None:
    dot_program()
    import xml.etree.ElementTree as ElementTree

    picture = ElementTree.fromstring(graphcount.export(hostile, "svg"))
    tags = {element.tag.rpartition("}")[2] for element in picture.iter()}
    assert tags <= {"svg", "g", "title", "polygon", "path", "text", "ellipse"}
    shown = "".join(
        element.text or "" for element in picture.iter() if element.tag.endswith("text")
    )
    assert "<script>alert(1)<" in shown


def test_without_graphviz_one_line_says_so(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="svg needs Graphviz"):
        graphcount.export(str(fixtures / "cnn.onnx"), "svg")


# ------------------------------------------------------------------------------------- Mermaid

SAFE = r"(?:[\w ./,+\-]|#\d+;)+"
NODE = re.compile(rf'n\d+(?:\["|\[\["|\(\["){SAFE}(?:<br/>{SAFE})*(?:"\]|"\]\]|"\]\))')
TITLE = r'---|title: "(?:[^"\\\n]|\\["\\bfnrtu/])*"'
BOX = rf'{TITLE}|flowchart TD|end|subgraph m\d+\["{SAFE}"\]'
LINE = re.compile(rf"\s*(?:{BOX}|n\d+ -->(?:\|\d+\|)? n\d+)|\s*{NODE.pattern}")
STATE = re.compile(
    rf"{TITLE}|stateDiagram-v2|"
    rf"    n\d+ : {SAFE}|    (?:n\d+|\[\*\]) --> (?:n\d+|\[\*\])(?: : {SAFE})?"
)


@pytest.mark.parametrize(("name", "line"), [("mermaid", LINE), ("mermaid-state", STATE)])
def test_every_line_of_mermaid_is_of_our_own_making(
    name: str, line: re.Pattern[str], hostile: str, fixtures: Path
) -> None:
    """The grammar by hand; docs/page.md records a run of Mermaid's own parser."""
    for path in (hostile, str(fixtures / "transformer_block.onnx")):
        for text in graphcount.export(path, name).splitlines():
            assert line.fullmatch(text), text


def test_a_name_that_is_a_line_of_mermaid_does_not_pass() -> None:
    assert not LINE.fullmatch('    n0["evil"]; click n0 href "javascript:alert(1)"')
    assert not LINE.fullmatch("    n0 --> n1 %%{init: {}}%%")


@pytest.mark.parametrize("name", ["mermaid", "mermaid-state"])
def test_a_title_says_the_sizes_that_are_assumed(name: str, save: Any, fixtures: Path) -> None:
    text = graphcount.export(str(fixtures / "cnn.onnx"), name)
    assert text.startswith('---\ntitle: "sizes assumed: batch 1"\n---\n')
    assert text.count("294.0k MACs") == 1  # 5*28*28 * 3*5*5
    assert "---" not in graphcount.export(str(fixtures / "cnn.onnx"), name, dims={"batch": 1})
    for dim in HOSTILE:
        path = save([helper.make_node("Relu", ["x"], ["y"])], inputs=[("x", [dim])], outputs=["y"])
        lines = graphcount.export(path, name).splitlines()
        assert (lines[0], lines[2]) == ("---", "---")
        assert json.loads(lines[1].removeprefix("title: ")).startswith("sizes assumed: ")


@pytest.mark.parametrize("name", ["graphml", "gexf", "node-link"])
def test_assumed_numbers_have_names_of_their_own(name: str, fixtures: Path) -> None:
    graph = read(name, graphcount.export(str(fixtures / "cnn.onnx"), name))
    (conv,) = (data for _, data in graph.nodes.items() if data["name"] == "node_conv2d")
    assert "macs" not in conv
    assert conv["macs_expression"] == "294000*batch"
    assert conv["macs_assumed"] == 5 * 28 * 28 * 3 * 5 * 5
    assert (conv["shape"], conv["shape_assumed"]) == ("[batch, 5, 28, 28]", "[1, 5, 28, 28]")
    assert {**graph.graph, **conv}["sizes_assumed"] == "batch=1"


def test_a_picture_says_the_sizes_that_are_assumed(fixtures: Path) -> None:
    text = graphcount.export(str(fixtures / "cnn.onnx"), "dot")
    assert text.endswith('  label="sizes assumed: batch 1"; labelloc=b;\n}\n')
    assert "294.0k MACs\\n[1, 5, 28, 28]" in text
    assert "assumed" not in graphcount.export(str(fixtures / "cnn.onnx"), "dot", dims={"batch": 1})


def test_entities_of_mermaid() -> None:
    assert escape('a"#;<b') == "a#34;#35;#59;#60;b"
    assert escape("") == "#32;"


def test_the_state_diagram_shows_weight_and_bias(fixtures: Path) -> None:
    text = graphcount.export(str(fixtures / "cnn.onnx"), "mermaid-state")
    for line in (
        "n1 : features.0#58; Conv",
        "n1 : weight #91;5, 3, 5, 5#93; float32",
        "n1 : bias #91;5#93; float32",
        "n1 --> n2",
    ):
        assert line in text
    assert re.search(r"\[\*\] --> n1 : x ", text)
    assert re.search(r"n11 --> \[\*\] : linear_1 ", text)


# -------------------------------------------------------------------------------------- Netron


def test_netron_gets_what_each_node_holds(fixtures: Path) -> None:
    """The form that `metadata.Attachment` of Netron 9.3 reads; docs/page.md records a run."""
    path = str(fixtures / "cnn.onnx")
    data = json.loads(graphcount.export(path, "netron", dims={"batch": 1}))
    assert data["signature"] == "netron:attachment"
    values = {(row["target"], row["name"]): row["value"] for row in data["metrics"]}
    assert {row["kind"] for row in data["metrics"]} == {"node"}
    assert values["node_conv2d", "parameters"] == 5 * 3 * 5 * 5 + 5
    assert values["node_conv2d", "bytes"] == 4 * (5 * 3 * 5 * 5 + 5)
    assert values["node_conv2d", "MACs"] == 5 * 28 * 28 * 3 * 5 * 5
    assert sum(value for (_, name), value in values.items() if name == "parameters") == 26_926
    data = json.loads(graphcount.export(path, "netron"))
    values = {(row["target"], row["name"]): row["value"] for row in data["metrics"]}
    assert values["node_conv2d", "MACs"] == "294000*batch"
    assert values["node_conv2d", "MACs at batch=1"] == 5 * 28 * 28 * 3 * 5 * 5


def test_netron_gets_no_number_for_a_name_that_several_nodes_have(save: Any, weights: Any) -> None:
    nodes = [
        helper.make_node("Add", ["x", "a"], ["y"], "twice"),
        helper.make_node("Add", ["y", "b"], ["z"], "twice"),
    ]
    path = save(nodes, [weights("a", 4), weights("b", 4)], inputs=[("x", [4])], outputs=["z"])
    assert json.loads(graphcount.export(path, "netron"))["metrics"] == []


def test_an_export_that_is_none_is_named(fixtures: Path) -> None:
    with pytest.raises(UsageError, match="one of mermaid, mermaid-state, dot"):
        graphcount.export(str(fixtures / "cnn.onnx"), "visio")
