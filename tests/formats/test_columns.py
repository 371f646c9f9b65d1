"""`--columns`, `explain` and the first screen: what nodes multiply, read and write."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import graphcount
from graphcount.cli.main import main
from graphcount.formats.explain import to_json, to_text

Save = Callable[..., str]
N = helper.make_node
ROWS, INNER, COLUMNS = 64, 32, 16
FIRST, SECOND = ROWS * INNER * COLUMNS, ROWS * COLUMNS * COLUMNS
READ = [(ROWS * INNER + INNER * COLUMNS) * 4, ROWS * COLUMNS * 4, ROWS * COLUMNS * 4 + COLUMNS**2]
WRITTEN = ROWS * COLUMNS * 4


def array(name: str, values: Any, dtype: Any = np.float32) -> Any:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


@pytest.fixture
def mixed(save: Save) -> str:
    """A product of floats, then one of integers: [64, 32] x [32, 16], and x [16, 16]."""
    nodes = [
        N("MatMul", ["x", "w"], ["a"], "floats"),
        N("DynamicQuantizeLinear", ["a"], ["q", "s", "z"], "quantize"),
        N("MatMulInteger", ["q", "v"], ["y"], "integers"),
    ]
    tensors = [
        array("w", np.ones((INNER, COLUMNS))),
        array("v", np.ones((COLUMNS, COLUMNS)), np.int8),
    ]
    output = helper.make_tensor_value_info("y", 6, [ROWS, COLUMNS])
    return save(nodes, tensors, inputs=[("x", [ROWS, INNER])], outputs=[output])


ALL = "types,macs,bit_operations,read_nbytes,written_nbytes,intensity"


def rows(text: str) -> dict[str, dict[str, str]]:
    return {row["label"]: row for row in csv.DictReader(io.StringIO(text))}


def test_csv_has_the_columns_asked_for(mixed: str, capsys: Any) -> None:
    assert main([mixed, "--by", "node", "--columns", f"nbytes,{ALL}", "--format", "csv"]) == 0
    by_node = rows(capsys.readouterr().out)
    read = READ[0]
    assert list(by_node["floats"]) == ["model", "label", "detail", "nbytes", *ALL.split(",")]
    assert by_node["floats"]["types"] == "float32 x float32"
    assert int(by_node["floats"]["read_nbytes"]) == read
    assert int(by_node["floats"]["written_nbytes"]) == WRITTEN
    assert int(by_node["floats"]["bit_operations"]) == FIRST * 1024
    assert float(by_node["floats"]["intensity"]) == 2 * FIRST / (read + WRITTEN)
    integers = by_node["integers"]
    assert (integers["types"], int(integers["bit_operations"])) == ("uint8 x int8", SECOND * 64)
    assert int(integers["read_nbytes"]) == ROWS * COLUMNS + COLUMNS**2
    assert by_node["quantize"]["types"] == ""


def test_sums_of_a_grouping(mixed: str, capsys: Any) -> None:
    main([mixed, "--by", "module", "--columns", "macs,bit_operations", "--format", "csv"])
    (row,) = rows(capsys.readouterr().out).values()
    assert int(row["macs"]) == FIRST + SECOND
    assert int(row["bit_operations"]) == FIRST * 1024 + SECOND * 64


def test_the_table_has_them_and_a_total(mixed: str, capsys: Any) -> None:
    main([mixed, "--by", "node", "--columns", "types,macs", "--all"])
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if "types" in line and "MACs" in line)
    assert head.split() == ["node", "types", "MACs"]
    assert any("uint8 x int8" in line and f"{SECOND:,}" in line for line in lines)
    assert any(
        line.split()[0] == "total" and f"{FIRST + SECOND:,}" in line for line in lines if line
    )


def test_what_is_folded_is_in_the_others(mixed: str, capsys: Any) -> None:
    arguments = ["--by", "node", "--columns", "macs", "--sort", "macs", "--top", "1"]
    main([mixed, *arguments, "--format", "csv"])
    by_label = rows(capsys.readouterr().out)
    assert int(by_label["floats"]["macs"]) == FIRST
    assert int(by_label["(2 others)"]["macs"]) == SECOND


def test_what_is_not_known_is_no_zero(save: Save, capsys: Any) -> None:
    nodes = [N("Relu", ["x"], ["a"], "known"), N("Nobody", ["a"], ["y"], "lost", domain="com.x")]
    opsets = [("", 20), ("com.x", 1)]
    path = save(nodes, [], inputs=[("x", [4])], outputs=[("y", None)], opsets=opsets)
    arguments = [path, "--by", "node", "--columns", "written_nbytes,intensity"]
    main([*arguments, "--format", "csv"])
    by_label = rows(capsys.readouterr().out)
    assert by_label["known"]["written_nbytes"] == "16"
    assert by_label["lost"]["written_nbytes"] == by_label["lost"]["intensity"] == ""
    main(arguments)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert next(line for line in lines if line[0] == "lost")[-2:] == ["?", "?"]
    total = next(line for line in lines if line[0] == "total")
    assert total[-3:] == ["\N{GREATER-THAN OR EQUAL TO}16", "B", "?"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--columns", "macs"],
        ["--by", "node", "--columns", "colour"],
        ["--by", "tensor", "--columns", "read_nbytes"],
        ["--by", "tensor", "--columns", "zeros"],
        ["--by", "node", "--columns", "macs", "--format", "json"],
    ],
)
def test_columns_that_no_table_has_are_refused(
    arguments: list[str], mixed: str, capsys: Any
) -> None:
    assert main([mixed, *arguments]) == 2
    assert "--columns" in capsys.readouterr().err


def test_the_first_screen_says_what_is_mixed(mixed: str, save: Save, capsys: Any) -> None:
    main([mixed])
    out = capsys.readouterr().out
    floats = 100 * FIRST / (FIRST + SECOND)
    (line,) = [line for line in out.splitlines() if line.startswith("  precision")]
    assert f"float32 x float32 {floats:.1f}%, uint8 x int8 {100 - floats:.1f}%" in line
    plain = save([N("MatMul", ["x", "x"], ["y"])], [], inputs=[("x", [2, 2])], outputs=["y"])
    main([plain])
    assert "precision" not in capsys.readouterr().out


def test_a_node_is_explained(mixed: str) -> None:
    explained = graphcount.explain(mixed, ["integers"])
    text = to_text(explained)
    read = ROWS * COLUMNS + COLUMNS**2
    assert "types         uint8 x int8" in text
    assert f"bit ops       {SECOND * 64:,}" in text
    assert f"reads         {read:,} B" in text
    ratio = 2 * SECOND / (read + WRITTEN)
    assert f"intensity     {ratio:.2f} FLOPs/byte" in text
    (node,) = json.loads(to_json(explained))["nodes"]
    assert node["operand_types"] == ["uint8", "int8"]
    assert (node["read_nbytes"], node["written_nbytes"]) == (read, WRITTEN)
    assert node["intensity"] == pytest.approx(ratio)


def test_zeros_are_a_column_where_they_were_counted(capsys: Any, fixtures: Path) -> None:
    path = str(fixtures / "cnn_int8.onnx")
    stored = onnx.load(path).graph.initializer
    zeros = {each.name: int((numpy_helper.to_array(each) == 0).sum()) for each in stored}
    asked = ["--sparsity", "--by", "tensor", "--columns", "zeros", "--format", "csv"]
    assert main([path, *asked]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["label"]: int(row["zeros"]) for row in rows} == zeros  # their zero points are 0
