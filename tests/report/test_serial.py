"""The JSON contract: schema, round trip, strictness."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

import graphcount
from graphcount.errors import DamagedError
from graphcount.report.serial import dumps, error_dict, from_dict, loads, schema, to_dict

CONTRACT = {
    "model": "path format file_nbytes external_nbytes sha256 ir_version opset_imports producer"
    " graph_name inputs outputs metadata node_count function_count subgraph_count",
    "totals": "parameters parameters_as_used buffers quantization constants unused elements"
    " generated nbytes macs flops elementwise macs_expression lower_bound input_nbytes"
    " output_nbytes activation_nbytes peak_activation_nbytes",
    "dtypes": "dtype tensors elements nbytes",
    "op_types": "op_type domain nodes parameters nbytes macs",
    "modules": "name depth parameters buffers nbytes macs nodes",
    "nodes": "id name op_type domain scope module parameters buffers nbytes output_shapes macs"
    " elementwise explain",
    "tensors": "name dtype shape elements stored_elements nbytes kind role reason owner uses"
    " storage",
    "framework": "parameters exact low high evidence",
}
"""Keys promised to readers of reports; more may be there."""


@pytest.fixture(scope="module")
def report(fixtures: Path) -> graphcount.Report:
    return graphcount.count(str(fixtures / "cnn_batchnorm.onnx"))


def test_every_promised_key_is_there(report: graphcount.Report) -> None:
    data = to_dict(report)
    assert set(data) >= {"schema", "graphcount", "dims", "duplicates", "unknown", "findings"}
    for section, keys in CONTRACT.items():
        found = data[section]
        row = found[0] if isinstance(found, list) else found
        assert set(keys.split()) <= set(row), section


def test_every_fixture_obeys_the_schema(fixtures: Path) -> None:
    validator = jsonschema_rs.Draft202012Validator(schema())
    for path in sorted(fixtures.glob("*.onnx")):
        validator.validate(json.loads(dumps(to_dict(graphcount.count(str(path))))))


def test_ranges_and_assumed_sizes_obey_the_schema_and_survive(fixtures: Path) -> None:
    path = str(fixtures / "transformer_block.onnx")
    report = graphcount.count(path, ranges={"sequence": (1, 16)}, assume=True)
    data = json.loads(dumps(to_dict(report)))
    jsonschema_rs.validate(schema(), data)
    assert (data["ranges"]["lowest"], data["ranges"]["highest"]) == (
        {"sequence": 1},
        {"sequence": 16},
    )
    assert data["ranges"]["assumed"] == {"batch": 1}
    assert [row["measure"] for row in data["ranges"]["measures"]][:2] == ["macs", "elementwise"]
    assert loads(dumps(data)) == report
    data["ranges"]["measures"][0]["most"] = "many"
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(schema(), data)


def test_the_schema_refuses_what_is_not_a_report(report: graphcount.Report) -> None:
    data = to_dict(report)
    data["totals"]["parameters"] = -1
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(schema(), data)


def test_a_report_survives_json(report: graphcount.Report) -> None:
    assert loads(dumps(to_dict(report))) == report


def test_keys_of_a_later_release_are_dropped(report: graphcount.Report) -> None:
    data = to_dict(report)
    data["novelty"] = 1
    data["totals"]["novelty"] = 1
    assert from_dict(data) == report


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": "graphcount.report/9"}', '{"schema": "graphcount.report/2"}'],
)
def test_what_is_not_a_report_is_refused(text: str) -> None:
    with pytest.raises(DamagedError):
        loads(text)


def test_json_is_ascii_without_nan(report: graphcount.Report) -> None:
    assert dumps(to_dict(report)).isascii()
    with pytest.raises(ValueError):
        dumps({"x": float("nan")})


def test_an_error_keeps_slug_message_and_byte() -> None:
    error = graphcount.DamagedError("cut", "m.onnx", 17)
    assert error_dict(error) == {
        "schema": "graphcount.error/1",
        "model": {"path": "m.onnx"},
        "error": {"slug": "damaged", "rule": "FMT002", "message": "cut", "offset": 17},
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("totals", "parameters"), "many"),
        (("totals", "parameters"), 1.5),
        (("totals", "parameters"), True),
        (("totals", "parameters"), 10**2001),
        (("totals", "nbytes"), []),
        (("nodes", 0, "id"), None),
        (("nodes", 0, "output_shapes"), [[1, {}]]),
        (("tensors",), {}),
        (("tensors", 0, "uses"), {"node": "n", "input": 0}),
        (("tensors", 0, "shape"), [[1]]),
        (("tensors", 0, "name"), json.loads("[" * 600 + "]" * 600)),
        (("model", "inputs"), None),
        (("model", "metadata"), {"a": 1}),
        (("dims",), {"batch": "8"}),
    ],
)
def test_a_report_with_wrong_types_is_refused(
    report: graphcount.Report, path: tuple[str | int, ...], value: object
) -> None:
    data = json.loads(dumps(to_dict(report)))
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(DamagedError, match="not a complete"):
        from_dict(data)


def test_every_fixture_survives_json(fixtures: Path) -> None:
    for path in sorted(fixtures.glob("*.onnx")):
        report = graphcount.count(str(path), hash_file=True, sparsity=True)
        assert report.fingerprint is not None
        assert loads(dumps(to_dict(report))) == report


def test_a_list_of_one_report_is_one(report: graphcount.Report) -> None:
    assert loads(dumps([to_dict(report)])) == report
