"""`graphcount init` of models with dynamic dimensions: budgets at assumed sizes, or over ranges."""

from __future__ import annotations

import math
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.conftest import Save

N: Any = helper.make_node
INT64, BOOL = TensorProto.INT64, TensorProto.BOOL


def info(name: str, shape: list[Any] | None, code: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, code, shape)


def weight(*shape: int) -> TensorProto:
    return numpy_helper.from_array(np.ones(shape, np.float32), "w")


def scalar(name: str, number: int) -> TensorProto:
    return numpy_helper.from_array(np.array(number), name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


def program(*arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "graphcount", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


# Each makes a model of a width.


def named(save: Save, width: int) -> str:
    product = N("MatMul", ["x", "w"], ["y"])
    return save([product], [weight(16, width)], inputs=[("x", ["batch", "seq", 16])], outputs=["y"])


def unnamed(save: Save, width: int) -> str:
    convolution = N("Conv", ["image", "w"], ["y"])
    return save(
        [convolution],
        [weight(width, 3, 3, 3)],
        inputs=[("image", [None, 3, None, None])],
        outputs=["y"],
    )


def looped(save: Save, width: int) -> str:
    """A Loop of 10 around an If that data decide: both branches cost as much."""
    branches = [
        helper.make_graph([N("MatMul", ["x", "w"], [name])], name, [], [info(name, [None, width])])
        for name in ("yes", "no")
    ]
    body = helper.make_graph(
        [N("If", ["c"], ["a"], then_branch=branches[0], else_branch=branches[1])],
        "body",
        [info("i", [], INT64), info("go", [], BOOL)],
        [info("go", [], BOOL), info("a", [None, width])],
    )
    return save(
        [N("Loop", ["ten", ""], ["y"], body=body)],
        [weight(16, width), scalar("ten", 10)],
        inputs=[("x", ["n", 16]), info("c", [1], BOOL)],
        outputs=[info("y", [10, "n", width])],
    )


def selected(save: Save, width: int) -> str:
    """Rows that data choose: their number is a dimension of its own."""
    nodes = [
        N("NonZero", ["flags"], ["at"]),
        N("Squeeze", ["at", "first"], ["rows"]),
        N("Gather", ["x", "rows"], ["kept"]),
        N("MatMul", ["kept", "w"], ["y"]),
    ]
    first = numpy_helper.from_array(np.array([0]), "first")
    inputs = [("x", ["n", 16]), ("flags", ["n"])]
    return save(nodes, [weight(16, width), first], inputs=inputs, outputs=["y"])


def decoder(save: Save, width: int) -> str:
    nodes = [N("Concat", ["past", "new"], ["all"], axis=1), N("MatMul", ["all", "w"], ["present"])]
    inputs = [("past", ["batch", "past_len", 16]), ("new", ["batch", "seq", 16])]
    return save(nodes, [weight(16, width)], inputs=inputs, outputs=["present"])


def unknown(save: Save, width: int) -> str:
    nodes = [N("Foo", ["x", "w"], ["y"], domain="com.acme")]
    opsets = [("", 20), ("com.acme", 1)]
    return save(nodes, [weight(16, width)], inputs=["x"], outputs=["y"], opsets=opsets)


def _convolution(batch: int, height: int, width: int) -> int:
    """Return MACs for one channel: 3 x 3 of 3 channels, without padding."""
    return batch * (height - 2) * (width - 2) * 27


Sizes = Mapping[str, int]

MODELS: Mapping[Callable[[Save, int], str], Callable[[Sizes, int], int] | None] = {
    named: lambda at, width: at["batch"] * at["seq"] * 16 * width,
    unnamed: lambda at, width: _convolution(*at.values()) * width,
    looped: lambda at, width: 10 * at["n"] * 16 * width,
    selected: lambda at, width: at["at[1]"] * 16 * width,
    decoder: lambda at, width: at["batch"] * (at["past_len"] + at["seq"]) * 16 * width,
    unknown: None,
}
"""MACs in closed form, at sizes and of a width."""


def test_budgets_at_assumed_sizes_are_kept_until_a_model_grows(save: Save, folder: Path) -> None:
    for make in MODELS:
        Path(make(save, 40)).rename(folder / f"{make.__name__}.onnx")
    code, out, err = program("init", "models")
    assert (code, out) == (0, "")
    assert err == "graphcount: graphcount.toml: 6 checks; graphcount check runs them\n"
    text = Path("graphcount.toml").read_text()
    checks = {check["name"]: check for check in tomllib.loads(text)["checks"]}
    for make, macs in MODELS.items():
        check = checks[make.__name__]
        assert (macs is None) == ("dims" not in check)
        assert {"parameters", "nbytes", "disk_nbytes"} <= check["max"].keys()
        if macs is not None:
            assert check["max"]["macs"] == math.ceil(macs(check["dims"], 40) * 11 / 10)
            assert check["max"]["peak_activation_nbytes"]
    marks = [line for line in text.splitlines() if line.startswith("dims = ")]
    assert all(line.endswith("}  # assumed: change to what you deploy") for line in marks)
    assert "# no budget of macs, which is at least 0, not exact: com.acme::Foo: " in text
    code, out, err = program("check")
    assert (code, err) == (0, "")
    assert out.endswith("6 models, 34 limits: all kept\n")
    code, out, _ = program("check", "models", "--hide-passed")
    assert (code, out) == (0, "6 models, 34 limits: all kept\n")  # and none is uncovered

    for make in MODELS:
        Path(make(save, 48)).replace(folder / f"{make.__name__}.onnx")
    code, out, err = program("check")
    assert (code, err, out.count("FAIL  models")) == (1, "", 6)
    for make, macs in MODELS.items():
        if macs is not None:
            number = f"{macs(checks[make.__name__]['dims'], 48):,}"
            assert f"    - macs {number} " in out


def test_ranges_are_written_with_budgets_of_the_most_over_them(save: Save, folder: Path) -> None:
    Path(named(save, 40)).rename(folder / "named.onnx")
    Path(unnamed(save, 40)).rename(folder / "unnamed.onnx")
    sizes = ["--dim", "batch=1:8", "--dim", "image[0]=1:4"]
    assert program("init", "models", *sizes, "--headroom", "0%")[0] == 0
    text = Path("graphcount.toml").read_text()
    assert 'dims = { batch = "1:8", seq = 128 }  # seq assumed: change to what you deploy' in text
    first, second = tomllib.loads(text)["checks"]
    assert first["max"]["macs"] == 8 * 128 * 16 * 40
    assert first["max"]["peak_activation_nbytes"] == 8 * 128 * 40 * 4
    assert second["dims"] == {"image[0]": "1:4", "image[2]": 224, "image[3]": 224}
    assert second["max"]["macs"] == _convolution(4, 224, 224) * 40
    assert program("check")[0] == 0
    Path("graphcount.toml").write_text(text.replace('"1:8"', '"1:9"'))
    code, out, _ = program("check")
    assert code == 1
    assert "is 81,920 over the maximum 655,360 at seq=128, batch=9\n" in out


def test_values_and_shapes_of_inputs_are_written(save: Save, folder: Path) -> None:
    """Of which data say how large it is, the value of an input decides."""
    nodes = [N("Expand", ["x", "size"], ["e"]), N("MatMul", ["e", "w"], ["y"])]
    inputs = [info("x", [1, None]), info("size", [2], INT64)]
    path = save(nodes, [weight(16, 4)], inputs=inputs, outputs=["y"])
    Path(path).rename(folder / "expand.onnx")
    given = ["--value", "size=5,16", "--shape", "x=1x16", "--headroom", "0%"]
    assert program("init", "models", *given)[0] == 0
    text = Path("graphcount.toml").read_text()
    (check,) = tomllib.loads(text)["checks"]
    assert check["values"] == {"size": [5, 16]}
    assert check["shapes"] == {"x": "1x16"}
    assert check["max"]["macs"] == 5 * 16 * 4
    assert program("check")[0] == 0
    Path("graphcount.toml").write_text(text.replace("[5, 16]", "[6, 16]"))
    code, out, _ = program("check")
    assert (code, "macs 384 is 64 over the maximum 320" in out) == (1, True)
    Path("graphcount.toml").write_text(text.replace("[5, 16]", '["5", 16]'))
    code, _, err = program("check")
    assert (code, err.count("\n")) == (2, 1)
    assert "checks[0].values.size" in err


def test_what_cannot_be_read_has_no_check_and_is_said(save: Save, folder: Path) -> None:
    Path(named(save, 4)).rename(folder / "named.onnx")
    (folder / "damaged.onnx").write_bytes(b"\x08")
    code, out, err = program("init", "models")
    assert (code, out) == (2, "")
    first, last = err.splitlines()
    assert first.startswith("graphcount: models/damaged.onnx: ")
    assert last == "graphcount: graphcount.toml: 1 check; graphcount check runs them"
    assert program("check")[0] == 0
    code, _, err = program("check", "models")  # it is not passed by accident
    assert (code, err) == (2, first + "\n")


def test_sizes_that_operators_cannot_take_are_not_written(save: Save, folder: Path) -> None:
    """Both readers want another size of n: none is right."""
    nodes = [
        N("MatMul", ["a", "w"], ["y"]),
        N("Reshape", ["x", "shape"], ["z"]),
        N("Reshape", ["x", "other"], ["u"]),
    ]
    shapes = [
        numpy_helper.from_array(np.array([7]), "shape"),
        numpy_helper.from_array(np.array([9]), "other"),
    ]
    path = save(
        nodes,
        [weight(16, 4), *shapes],
        inputs=[("x", ["n"]), ("a", ["n", 16])],
        outputs=["y", "z", "u"],
    )
    Path(path).rename(folder / "none.onnx")
    assert program("init", "models")[0] == 0
    text = Path("graphcount.toml").read_text()
    assert "\ndims" not in text
    assert "\n# no sizes are assumed: Reshape#1 cannot take these sizes: " in text
    assert program("check")[0] == 0
