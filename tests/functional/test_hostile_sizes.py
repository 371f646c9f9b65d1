"""Sizes from strangers and from typing mistakes: one clear line or numbers, soon, in little memory.

Names of dimensions that are expressions without end, thousands of names, names that would write on
the screen, sizes near and beyond 2^63, contradictions, values of any kind.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphcount.cli.main import main

F, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
LARGEST = 2**63 - 1
SECONDS = 10.0
"""Processor time of all commands of one case; they take far less."""

COMMANDS = (
    ("count",),
    ("count", "--format", "json"),
    ("check", "--max", "macs=1G"),
)
info = helper.make_tensor_value_info
Dims = Sequence[int | str]


def saved(path: Path, nodes: Sequence[onnx.NodeProto], inputs: Sequence[Any], **more: Any) -> Path:
    """Save a graph; a matrix of 8 x 4 is stored as `w`."""
    weight = numpy_helper.from_array(np.ones((8, 4), np.float32), "w")
    graph = helper.make_graph(
        nodes, "g", inputs, [info(nodes[-1].output[0], F, None)], [weight], **more
    )
    opsets = [helper.make_opsetid("", 18)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )
    return path


def product(path: Path, *shapes: Dims, declared: Dims | None = None) -> Path:
    """Save x @ w; further shapes are of inputs that nothing reads."""
    inputs = [info(name, F, dims) for name, dims in zip("xz", shapes, strict=False)]
    claims = [] if declared is None else [info("y", F, declared)]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["r"])]
    return saved(path, nodes, inputs, value_info=claims)


def steered(path: Path, op_type: str, rank: int) -> Path:
    """Save an operator whose second operand is an input; of some the only one."""
    names = ["s"] if op_type == "ConstantOfShape" else ["x", "s"]
    inputs = [info("x", F, ["b", 8]), info("s", I64, [rank])]
    return saved(path, [helper.make_node(op_type, names, ["y"])], inputs[-len(names) :])


def looped(path: Path) -> Path:
    """Save a Loop whose trips are an input."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("MatMul", ["v", "w"], ["r"])],
        "b",
        [info("i", I64, []), info("c", BOOL, []), info("v", F, ["b", 8])],
        [info("d", BOOL, []), info("r", F, ["b", 4])],
    )
    node = helper.make_node("Loop", ["s", "", "x"], ["y"], body=body)
    return saved(path, [node], [info("x", F, ["b", 8]), info("s", I64, [])])


def nested(depth: int) -> str:
    return "floor(" * depth + "a" + "/2)" * depth


Case = tuple[Callable[[Path], Path], tuple[str, ...], str]

CASES: dict[str, Case] = {
    "an expression without end": (lambda p: product(p, [nested(5000), 8]), (), ""),
    "brackets": (lambda p: product(p, [f"{'(' * 50_000}a{')' * 50_000}", 8]), (), ""),
    "a sum of names": (lambda p: product(p, ["+".join(f"a{i}" for i in range(20_000)), 8]), (), ""),
    "a product of sums": (
        lambda p: product(p, ["*".join(f"(a{i}+b{i})" for i in range(40)), 8]), (), ""),
    "a power": (lambda p: product(p, ["a**99999999", "9**9**9*a", "2**2**2**2**2**2", 8]), (), ""),
    "a long number": (lambda p: product(p, ["9" * 5000 + "*a", 8]), (), ""),
    "a division by nothing": (lambda p: product(p, ["Mod(a,0)", "a//0", 8]), (), ""),
    "a division by a given 0": (lambda p: product(p, ["a//b", 8]), ("--dim", "b=0"), ""),
    "a shape divided by a given 0": (
        lambda p: product(p, ["a//b", 8], ["b", 8]), ("--shape", "x=3x8", "--shape", "z=0x8"), ""),
    "a circle": (
        lambda p: product(p, ["a+1", 8], ["a", "a+1"]),
        ("--shape", "x=7x8", "--shape", "z=7x7"),
        "input x, axis 0 is 8 by its other sizes, not 7",
    ),
    "a name of itself": (
        lambda p: product(p, ["a*a", 8], ["a", 2]),
        ("--shape", "x=7x8", "--shape", "z=2x2"),
        "input x, axis 0 is 4 by its other sizes, not 7",
    ),
    "deep operations": (lambda p: product(p, ["Max(" * 300 + "a" + ",b)" * 300, 8]), (), ""),
    "wide operations": (
        lambda p: product(p, [f"Min({','.join(f'a{i}' for i in range(3000))})", 8]), (), ""),
    "floats": (lambda p: product(p, ["floor(1e308*a)", "floor(0.1*a)", "1e-400*a", 8]), (), ""),
    "names for the screen": (
        lambda p: product(p, ["b\x1b[31m\n\u202e[bold]*[", "*", "[0]", "x[0]", "a\0b", 8]), (), ""),
    "the rest beside a star": (lambda p: product(p, ["*", 8], ["x[0]"]), ("--dim", "*=3"), ""),
    "a long name": (lambda p: product(p, ["n" * 200_000, 8]), (), ""),
    "digits of others": (lambda p: product(p, ["²", "①", "𝒷", 8]), (), ""),
    "negative sizes": (lambda p: product(p, [-1, -5, 8]), (), ""),
    "no size": (lambda p: product(p, [0, 8]), (), ""),
    "size 0": (lambda p: product(p, ["b", 8]), ("--dim", "b=0"), ""),
    "2^62": (lambda p: product(p, [2**62, 2**62, 8]), (), ""),
    "2^63 - 1 in 60 dimensions": (lambda p: product(p, [LARGEST] * 60 + [8]), (), ""),
    "the largest size": (lambda p: product(p, ["b", 8]), ("--dim", f"b={LARGEST}"), ""),
    "a larger size": (
        lambda p: product(p, ["b", 8]), ("--dim", f"b={2**63}"), "beyond the largest size"),
    "a size of 5,000 digits": (
        lambda p: product(p, ["b", 8]), ("--dim", f"b={'9' * 5000}"), "beyond the largest size"),
    "a negative size": (
        lambda p: product(p, ["b", 8]), ("--dim", "b=-1"), "no size and no range"),
    "no number": (lambda p: product(p, ["b", 8]), ("--dim", "b=nan"), "no size and no range"),
    "a name that is not there": (
        lambda p: product(p, ["b", 8]), ("--dim", "\x1b[31m=3"), "no dimension"),
    "every size there is": (lambda p: product(p, ["b", 8]), ("--dim", f"b=0:{LARGEST}"), ""),
    "ranges of what goes up and down": (
        lambda p: product(p, ["a*b-c*d+Mod(a,7)*floor(c/3)", 8]),
        tuple(word for name in "abcd" for word in ("--dim", f"{name}=1:1000000")),
        "",
    ),
    "two sizes of one name": (
        lambda p: product(p, ["b", 8]), ("--dim", "b=3", "--shape", "x=4x8"),
        "dimension b is bound to 3 and to 4"),
    "another rank": (
        lambda p: product(p, ["b", 8]), ("--shape", "x=1x2x8"), "has 2 dimensions, not 3"),
    "a width that no matrix takes": (
        lambda p: product(p, ["b", 8]), ("--shape", "x=2x9"), "cannot take these sizes"),
    "64 dimensions": (
        lambda p: product(p, ["b", 8]), ("--shape", f"x={'x'.join('2' * 64)}"), "not 64"),
    "100,000 dimensions": (
        lambda p: product(p, ["b", 8]), ("--shape", f"x={'x'.join('2' * 100_000)}"), "not 100000"),
    "declarations of another rank": (
        lambda p: product(p, ["b", 8], declared=[1, 2, 3]), (), ""),
    "declarations of 70 dimensions": (
        lambda p: product(p, ["b", 8], declared=["q"] * 70), (), "more than 64 dimensions"),
    "a million values": (
        lambda p: product(p, ["b", 8]), ("--value", f"x={','.join('1' * 10**6)}"), "elements"),
    "NaN": (lambda p: product(p, ["b", 8]), ("--value", "x=nan"), "write it as input=value"),
    "infinity": (lambda p: product(p, ["b", 8]), ("--value", "x=1e999"), "write it as"),
    "a value of 400 digits": (
        lambda p: product(p, ["b", 8]), ("--value", f"x={'9' * 400}"), "--value: 'x=999"),
    "a shape beyond 64 bits": (
        lambda p: steered(p, "ConstantOfShape", 3), ("--value", f"s={LARGEST},{LARGEST},9"), ""),
    "a shape below 0": (
        lambda p: steered(p, "ConstantOfShape", 2), ("--value", "s=-1,3"), "sizes [-1, 3]"),
    "a tile beyond 64 bits": (
        lambda p: steered(p, "Tile", 2), ("--value", f"s={LARGEST},{LARGEST}"), ""),
    "a pad below 0": (
        lambda p: steered(p, "Pad", 4), ("--value", f"s=-99,{LARGEST},0,{LARGEST}"), ""),
    "more than there are": (lambda p: steered(p, "TopK", 1), ("--value", f"s={10**15}"), "of 8"),
    "trips without end": (looped, ("--value", f"s={LARGEST}"), ""),
    "trips below 0": (looped, ("--value", "s=-5"), ""),
}  # fmt: skip
"""What is asked → the model, the options, and a part of the error; empty where there is none."""


@pytest.mark.parametrize("case", CASES)
def test_a_clear_line_or_numbers(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, options, error = CASES[case]
    path = str(make(tmp_path / "model.onnx"))
    start = time.process_time()
    for command, *rest in COMMANDS:
        code = main([command, path, *options, *rest])
        out, err = capsys.readouterr()
        assert not {"\x1b", "\u202e", "\0"} & {*out, *err}
        assert "Traceback" not in err
        if error:
            assert code == 2
            assert error in err
            assert (err.count("\n"), len(err) < 2000) == (1, True)
        else:
            assert code in ((0, 1) if command == "check" else (0,))
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize(
    ("size", "macs"), [(0, 0), (LARGEST, LARGEST * 32), (1, 32), (2**62, 2**62 * 32)]
)
def test_products_of_absurd_sizes_are_exact(
    size: int, macs: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(product(tmp_path / "model.onnx", ["b", 8]))
    assert main(["count", path, "--dim", f"b={size}", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["totals"]["macs"] == macs


def test_a_loop_of_no_trips_costs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(looped(tmp_path / "model.onnx"))
    for trips in (0, -5):
        assert main(["count", path, "--value", f"s={trips}", "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["totals"]["macs"] == 0


def test_thousands_of_names_take_time_in_proportion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def seconds(count: int) -> float:
        names = [f"x{number}" if number else "x" for number in range(count)]
        inputs = [info(name, F, [f"d{number}", 8]) for number, name in enumerate(names)]
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
        path = str(saved(tmp_path / f"{count}.onnx", [node], inputs))
        start = time.process_time()
        assert main(["count", path]) == 0
        taken = time.process_time() - start
        assert len(capsys.readouterr().out) < 10_000
        return taken

    seconds(10)
    few, many = seconds(2_000), seconds(16_000)
    assert many < 8 * 3 * few


def test_a_benchmark_refuses_them_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(product(tmp_path / "model.onnx", ["b", 8]))
    for options, error in (
        (("--dim", f"b={2**50}"), "would hold"),
        (("--shape", "x=1x2x8"), "has 2 dimensions, not 3"),
        (("--shape", "x=2x9"), "onnxruntime takes no other"),
        (("--value", f"x={','.join('1' * 10**6)}"), "elements"),
        (("--value", "y=1"), "the model has no input y"),
        (("--dim", "b=1:8"), "write it as name=size"),
    ):
        assert main(["bench", path, *options]) == 2
        err = capsys.readouterr().err
        assert error in err
        assert err.count("\n") == 1
