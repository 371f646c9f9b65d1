"""Baselines: what is written is found again, and what is stale is said so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import helper

import graphcount
from graphcount.errors import DamagedError, GraphcountError, UsageError
from graphcount.gates.baseline import Baseline, Entry, entry, lookup, read_baseline, write_text
from graphcount.gates.subject import Subject


@pytest.fixture
def file(fixtures: Path, tmp_path: Path) -> Path:
    model = str(fixtures / "cnn.onnx")
    report = graphcount.count(model, dims={"batch": 1}, hash_file=True)
    path = tmp_path / "baseline.json"
    row = entry(str(path), Subject(report), {"batch": 1}, {}, ["compressed_nbytes"])
    path.write_text(write_text([row]))
    return path


def test_it_is_plain_sorted_json(file: Path, fixtures: Path) -> None:
    data = json.loads(file.read_text())
    assert data["schema"] == "graphcount.baseline/1"
    (row,) = data["models"]
    assert row["sha256"] == hashlib.sha256((fixtures / "cnn.onnx").read_bytes()).hexdigest()
    assert list(row["measures"]) == sorted(row["measures"])
    assert row["measures"]["parameters"] == 26_926
    assert row["measures"]["nodes.Conv"] == 2
    assert row["measures"]["nbytes.float32"] == 4 * 26_926
    assert row["measures"]["macs"] == 373_856
    assert row["measures"]["compressed_nbytes"] > 0
    assert not Path(row["path"]).is_absolute()


def test_values_are_found_again(file: Path, fixtures: Path) -> None:
    model = str(fixtures / "cnn.onnx")
    names = ["parameters", "nodes.Loop", "nbytes.int8"]
    found = lookup(read_baseline(str(file)), model, {"batch": 1}, {}, names)
    assert found == {"parameters": 26_926, "nodes.Loop": 0, "nbytes.int8": 0}


@pytest.mark.parametrize(
    ("model", "dims", "name", "said"),
    [
        ("mlp_4_5_3.onnx", {"batch": 1}, "parameters", "does not have"),
        ("cnn.onnx", {}, "parameters", "with batch=1, not with no sizes"),
        ("cnn.onnx", {"batch": 2}, "parameters", "not with batch=2"),
        ("cnn.onnx", {"batch": 1}, "latency_p50", "does not know latency_p50"),
        ("cnn.onnx", {"batch": 1}, "parameters.nowhere", "does not know parameters.nowhere"),
    ],
)
def test_what_is_stale_is_said(
    file: Path, fixtures: Path, model: str, dims: dict[str, int], name: str, said: str
) -> None:
    with pytest.raises(UsageError, match="stale") as error:
        lookup(read_baseline(str(file)), str(fixtures / model), dims, {}, [name])
    assert said in str(error.value)


def test_another_version_is_noted(file: Path) -> None:
    assert read_baseline(str(file)).note == ""
    file.write_text(file.read_text().replace(graphcount.__version__, "0.0.1"))
    assert "written by graphcount 0.0.1" in read_baseline(str(file)).note


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schema": "graphcount.baseline/2", "models": []}',
        b'{"schema": "graphcount.baseline/1", "graphcount": "1", "models": [{}]}',
        b'{"schema": "graphcount.baseline/1", "graphcount": "1", "models": NaN}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_baseline_is_one_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(data)
    with pytest.raises(GraphcountError):
        read_baseline(str(path))


@pytest.mark.parametrize("value", ["26926", 1.5, -1, True, None])
def test_numbers_are_whole(file: Path, value: Any) -> None:
    data = json.loads(file.read_text())
    data["models"][0]["measures"]["parameters"] = value
    file.write_text(json.dumps(data))
    with pytest.raises(GraphcountError, match="whole number"):
        read_baseline(str(file))


def test_what_is_not_exact_is_not_remembered(fixtures: Path, tmp_path: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))  # batch is free: macs is a formula
    row = entry(str(tmp_path / "b.json"), Subject(report), {}, {})
    assert "macs" not in row.measures
    assert "parameters" in row.measures


def test_the_file_is_what_its_documentation_shows(tmp_path: Path) -> None:
    """Rows by path and then by sizes, keys sorted where they are names, plain ASCII."""
    rows = [
        Entry("b.onnx", "ab", {"batch": 2}, {}, {}, {"nodes": 1}),
        Entry(
            "a/\u00e9.onnx",
            None,
            {},
            {"x": [1, "n"]},
            {"in_place": True},
            {"nodes": 3, "nbytes": 4},
        ),
        Entry("b.onnx", "ab", {"batch": 1}, {}, {}, {}),
    ]
    text = f"""{{
 "schema": "graphcount.baseline/1",
 "graphcount": "{graphcount.__version__}",
 "models": [
  {{
   "path": "a/\\u00e9.onnx",
   "sha256": null,
   "dims": {{}},
   "shapes": {{
    "x": [
     1,
     "n"
    ]
   }},
   "conventions": {{
    "in_place": true
   }},
   "measures": {{
    "nodes": 3,
    "nbytes": 4
   }}
  }},
  {{
   "path": "b.onnx",
   "sha256": "ab",
   "dims": {{
    "batch": 1
   }},
   "shapes": {{}},
   "conventions": {{}},
   "measures": {{}}
  }},
  {{
   "path": "b.onnx",
   "sha256": "ab",
   "dims": {{
    "batch": 2
   }},
   "shapes": {{}},
   "conventions": {{}},
   "measures": {{
    "nodes": 1
   }}
  }}
 ]
}}
"""
    assert write_text(rows) == text
    path = tmp_path / "b.json"
    path.write_text(text, "utf-8")
    assert read_baseline(str(path)).entries == (rows[1], rows[2], rows[0])


def test_an_entry_names_the_model_from_its_own_folder(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models" / "edge"
    folder.mkdir(parents=True)
    (folder / "m.onnx").write_bytes((fixtures / "mlp_4_5_3.onnx").read_bytes())
    monkeypatch.chdir(tmp_path / "models")
    latency = dict.fromkeys(("p50", "p90", "p95", "p99"), 7)  # of a machine, not of the file
    subject = Subject(graphcount.count("edge/m.onnx"), latency)
    for file, path in (
        ("b.json", "edge/m.onnx"),
        ("edge/b.json", "m.onnx"),
        (str(tmp_path / "b.json"), "models/edge/m.onnx"),
        (str(tmp_path / "elsewhere" / "b.json"), "../models/edge/m.onnx"),
    ):
        found = entry(file, subject, {"n": 1, "b": 2}, {"y": (1,), "x": ("n", 2)})
        assert found.path == path
        assert found.sha256 is None
        assert list(found.dims) == ["b", "n"]
        assert list(found.shapes.items()) == [("x", ["n", 2]), ("y", [1])]
        assert found.measures["parameters"] == 4 * 5 + 5 + 5 * 3 + 3
        assert not [name for name in found.measures if name.startswith(("compr", "latency"))]


def test_an_operator_nearly_named_like_another_is_left_out(
    save: Callable[..., str], tmp_path: Path
) -> None:
    """`nodes.Affine` could not be asked for: it would be taken for a slip."""
    nodes = [helper.make_node("Affine", ["x"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    subject = Subject(graphcount.count(save(nodes, inputs=["x"], outputs=["z"])))
    measures = entry(str(tmp_path / "b.json"), subject, {}, {}).measures
    assert measures["nodes.Relu"] == 1
    assert "nodes.Affine" not in measures


def test_a_model_with_several_sizes_is_found_by_them(tmp_path: Path) -> None:
    sizes: list[tuple[dict[str, int], dict[str, list[Any]]]] = [
        ({}, {}), ({"n": 1}, {}), ({"n": 1}, {"x": [2, "k"]}), ({}, {"x": [3]})
    ]  # fmt: skip
    rows = tuple(
        Entry("m.onnx", None, dims, shapes, {}, {"nodes": number})
        for number, (dims, shapes) in enumerate(sizes)
    )
    file = str(tmp_path / "b.json")
    baseline = Baseline(file, "1", rows)
    model = str(tmp_path / "m.onnx")
    for number, row in enumerate(rows):
        shapes = {name: tuple(shape) for name, shape in row.shapes.items()}
        assert lookup(baseline, model, row.dims, shapes, ["nodes"]) == {"nodes": number}
    with pytest.raises(UsageError) as error:
        lookup(baseline, model, {"n": 2}, {"x": (5,)}, ["nodes"])
    assert str(error.value) == (
        f"{file}: stale: has {model} with no sizes, not with n=2, x=5;"
        " write it again with --write-baseline"
    )
    with pytest.raises(UsageError, match="stale: does not know macs of"):
        lookup(baseline, model, {}, {}, ["nodes", "macs"])
    other = Baseline(file, "1", rows[2:])
    with pytest.raises(UsageError, match="with n=1, x=2xk, not with no sizes"):
        lookup(other, model, {}, {}, ["nodes"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "not a graphcount.baseline/1: schema is None"),
        ('{"schema": "graphcount.report/2"}', "schema is 'graphcount.report/2'"),
        ('{"schema": "graphcount.baseline/1"}', "not a complete graphcount.baseline/1: 'models'"),
        ('{"schema": "graphcount.baseline/1", "models": [], "x": Infinity}', "no number of JSON"),
        ("{", "not JSON: "),
    ],
)
def test_the_error_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(DamagedError) as error:
        read_baseline(str(path))
    assert said in str(error.value)
    assert error.value.path == str(path)


def test_a_huge_file_is_not_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.json"
    text = write_text([])
    path.write_text(text)
    monkeypatch.setattr("graphcount.gates.baseline.MAX_NBYTES", len(text))
    assert read_baseline(str(path)).entries == ()
    path.write_text(text + " ")
    with pytest.raises(DamagedError, match=f"longer than {len(text)} bytes"):
        read_baseline(str(path))


def test_the_note_says_both_versions() -> None:
    assert Baseline("b.json", "0.0.1", ()).note == (
        f"b.json: written by graphcount 0.0.1, this is {graphcount.__version__}:"
        " counting may have changed; write it again to be sure"
    )
