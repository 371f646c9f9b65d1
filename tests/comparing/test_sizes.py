"""Two models at the same sizes: what one fixes, what both assume, and what cannot be the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.cli.main import main
from graphcount.comparing.sizes import fixed_sizes
from graphcount.report.diff import diff_dict, diff_schema
from graphcount.report.serial import dumps, to_dict
from tests.comparing.mirror import mirror

Save = Callable[..., str]
Weights = Callable[..., TensorProto]
Linear = Callable[..., str]

ROWS, COLUMNS = 5, 7
"""Of the weight of every model here: MACs are 35 for each row of the input."""


@pytest.fixture
def linear(save: Save, weights: Weights) -> Linear:
    """A product with a weight, for an input of some dimensions before the last."""

    def make(*dims: Any, name: str = "x", metadata: dict[str, str] | None = None) -> str:
        path = save(
            [helper.make_node("MatMul", [name, "w"], ["y"], "product")],
            [weights("w", ROWS, COLUMNS)],
            inputs=[(name, [*dims, ROWS])],
            outputs=["y"],
        )
        if metadata:
            import onnx

            model = onnx.load(path)
            helper.set_model_props(model, metadata)
            onnx.save(model, path)
        return path

    return make


def macs(old: str, new: str, **options: Any) -> tuple[int | None, int | None, int | None]:
    found = graphcount.diff(old, new, **options).total("macs")
    return found.old, found.new, found.delta


def test_what_one_model_fixes_is_assumed_in_the_other(linear: Linear) -> None:
    fixed, dynamic = linear(4, 9), linear("batch", "sequence")
    assert macs(fixed, dynamic) == (4 * 9 * 35, 4 * 9 * 35, 0)
    found = graphcount.diff(fixed, dynamic)
    assert (found.old.assumed, found.new.assumed) == ({}, {"batch": 4, "sequence": 9})
    assert [row.changes for row in found.nodes] == []  # the same product at these sizes
    assert {row.name for row in found.facts} == {"input 0", "output 0"}
    row = found.total("macs")
    assert (row.old_expression, row.new_expression) == ("1260", "35*batch*sequence")
    assert mirror(found) == graphcount.diff(dynamic, fixed)


def test_inputs_are_paired_by_place_where_no_name_is_the_same(linear: Linear) -> None:
    assert macs(linear(4, 9, name="x"), linear(None, "s", name="z")) == (1260, 1260, 0)


def test_each_fixes_what_the_other_leaves_dynamic(linear: Linear) -> None:
    assert macs(linear("n", 9), linear(4, "s")) == (1260, 1260, 0)


def test_sizes_that_are_given_are_fixed(linear: Linear) -> None:
    old, new = linear("batch", 9), linear("n", 9)
    assert macs(old, new, old_dims={"batch": 6}) == (6 * 9 * 35, 6 * 9 * 35, 0)
    assert macs(old, new, shapes={"x": (3, 9, ROWS)}) == (3 * 9 * 35, 3 * 9 * 35, 0)


def test_a_name_that_both_have_is_the_same_size_in_both(linear: Linear) -> None:
    """A picture of 64 by one model's metadata; 224 where nothing says a size."""
    small = linear("n", "height", metadata={"imgsz": "64"})
    plain, other = linear("n", "height"), linear("n", "height", "extra")
    found = graphcount.diff(small, plain)
    assert found.old.assumed == found.new.assumed == {"n": 1, "height": 224}
    assert found.total("macs").delta == 0
    assert mirror(found) == graphcount.diff(plain, small)
    found = graphcount.diff(small, other)  # what one of them has alone keeps its own
    assert found.old.assumed["height"] == found.new.assumed["height"]
    assert set(found.new.assumed) == {"n", "height", "extra"}


def test_other_names_are_compared_in_numbers(linear: Linear) -> None:
    found = graphcount.diff(linear("batch", 9), linear("n", 9))
    assert found.total("macs").delta == 0
    assert not found.nodes
    assert not found.empty  # the name of the dimension is another


def test_the_same_names_are_compared_as_formulas(linear: Linear) -> None:
    """One sequence of 128 and a dimension called so are equal at the assumed size alone."""
    found = graphcount.diff(linear("batch", "sequence"), linear("sequence", "batch"))
    (node,) = found.nodes
    assert node.changes == ("reshaped",)
    assert node.new is not None
    assert node.new.output_shapes == (("sequence", "batch", COLUMNS),)
    assert node.new.macs == 128 * 35


def test_a_saved_report_keeps_its_sizes_and_the_model_follows(
    linear: Linear, tmp_path: Path
) -> None:
    small, plain = linear("n", "height", metadata={"imgsz": "64"}), linear("n", "height")
    saved = tmp_path / "saved.json"
    saved.write_text(dumps(to_dict(graphcount.count(small, assume=True))))
    found = graphcount.diff(str(saved), plain)
    assert found.old.assumed == found.new.assumed == {"n": 1, "height": 64}
    assert found.total("macs").new == 64 * 35
    reports = [graphcount.count(path, assume=True) for path in (small, plain)]
    found = graphcount.diff(*reports)
    assert found.total("macs").old is None
    assert found.total("macs").delta_expression == "0"
    assert found.notes[-1] == (
        "the reports assume different sizes: height is 64 in one and 224 in the other;"
        " formulas are compared"
    )
    formulas = replace(reports[1], assumed=None)
    found = graphcount.diff(reports[0], formulas)
    assert found.notes[-1].endswith("its dimensions are dynamic: formulas are compared")
    assert found.old.assumed == found.new.assumed == {}


def test_sizes_that_weights_fix_differ(save: Save, weights: Weights) -> None:
    """Channels of a convolution: 3 in one model and 8 in the other, whatever the name is."""

    def conv(channels: int) -> str:
        return save(
            [helper.make_node("Conv", ["x", "w"], ["y"], "conv")],
            [weights("w", 2, channels, 1, 1)],
            inputs=[("x", ["n", "c", 10, 10])],
            outputs=["y"],
        )

    found = graphcount.diff(conv(3), conv(8))
    assert (found.old.assumed["c"], found.new.assumed["c"]) == (3, 8)
    assert found.total("macs").delta == 2 * 100 * (8 - 3)


def test_a_size_that_operators_need_comes_before_a_hint(
    save: Save, weights: Weights, linear: Linear
) -> None:
    """A product of one model wants 48 x 16 elements; the other takes any height."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    shape = ["n", 1, "height", 16]
    narrow = save(nodes, [weights("w", 768, 4)], inputs=[("x", shape)], outputs=["y"])
    found = graphcount.diff(narrow, linear("n", "height"))
    assert found.old.assumed == found.new.assumed == {"n": 1, "height": 48}


def test_no_limit_looks_at_assumed_sizes(linear: Linear) -> None:
    found = graphcount.diff(linear("n", 9), linear("n", 9), max_increase={"macs": "5%"})
    assert [row.rule for row in found.findings] == ["BUD002"]


def test_every_format_says_the_sizes(linear: Linear, capfd: pytest.CaptureFixture[str]) -> None:
    fixed, dynamic = linear(4, 9), linear("n", 9)
    for name in ("table", "markdown"):
        assert main(["diff", fixed, dynamic, "--format", name]) == 0
        text = capfd.readouterr().out.replace("\\", "")
        assert "sizes assumed: n 4; --dim n=N sets one\n" in text
    assert main(["diff", fixed, dynamic, "--format", "csv", "--by", "op_type"]) == 0
    assert capfd.readouterr().out.splitlines()[0].endswith("delta_macs,sizes_assumed")
    assert main(["diff", fixed, dynamic, "--format", "json"]) == 0
    data = json.loads(capfd.readouterr().out)
    assert (data["old"]["assumed"], data["new"]["assumed"]) == ({}, {"n": 4})
    jsonschema_rs.validate(diff_schema(), data)
    assert data == json.loads(json.dumps(diff_dict(graphcount.diff(fixed, dynamic))))


def test_formulas_stand_beside_numbers_where_they_are_in_the_same_dimensions(
    linear: Linear, save: Save, weights: Weights, capfd: pytest.CaptureFixture[str]
) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], "product")]
    wider = [weights("w", ROWS, 2 * COLUMNS)]
    other = save(nodes, wider, inputs=[("x", ["n", ROWS])], outputs=["y"])
    assert main(["diff", linear("n"), other]) == 0
    assert re.search(r"  MACs +35\*n -> 70\*n \(\+35\*n\)\n", capfd.readouterr().out)
    for old in (linear("batch"), linear(1)):
        assert main(["diff", old, other]) == 0
        out = capfd.readouterr().out
        assert "*" not in out
        assert re.search(r" MACs +35 +70 +\+35 ", out)


def test_fixed_sizes_need_the_same_rank() -> None:
    own = [("x", ("n", None, 3)), ("y", None), ("z", ("n",))]
    other = [("x", (2, 5, 7)), ("y", (1,)), ("z", (8,))]
    assert fixed_sizes(own, other) == {"n": 2, "x[0]": 2, "": 5, "x[1]": 5, "z[0]": 8}
    assert fixed_sizes([("x", ("n",))], [("x", (2, 2))]) == {}
    assert fixed_sizes([("x", ("n",))], [("x", (0,))]) == {}
