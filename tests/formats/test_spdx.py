"""SPDX 3.0.1, read back by the library of the specification; and what bills of materials state."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from spdx_python_model import load_data

from graphcount import api
from graphcount.cli.main import main
from graphcount.errors import UsageError
from graphcount.formats import render
from graphcount.formats.view import View
from graphcount.report.finding_rows import Finding
from graphcount.report.records import Report
from graphcount.report.rows import FileRow

HOSTILE = "a\x1b[31m\u202e\n::set-output::"


def read(text: str) -> Any:
    """Elements by type, after the library has read them, checked them and written them back.

    It checks types as it reads, and that nothing mandatory is missing as it writes.
    """
    document = json.loads(text)
    model, objects = load_data(document)
    assert objects.missing_ids == set()
    stream = io.BytesIO()
    model.JSONLDSerializer().write(objects, stream)
    written = json.loads(stream.getvalue().decode().replace('"_:CreationInfo0"', '"_:creation"'))
    assert by_id(written) == by_id(document)
    kinds: dict[str, list[Any]] = {}
    for item in objects.objects:
        kinds.setdefault(type(item).__name__, []).append(item)
    return kinds


def by_id(document: dict[str, Any]) -> dict[str, Any]:
    return {row.get("spdxId") or row["@id"]: row for row in document["@graph"]}


def facts(package: Any) -> dict[str, str]:
    (extension,) = package.extension
    return {
        row.extension_cdxPropName: row.extension_cdxPropValue
        for row in extension.extension_cdxProperty
    }


@pytest.fixture
def report(fixtures: Path) -> Report:
    counted = api.count(str(fixtures / "mlp_external.onnx"), hash_file=True)
    finding = Finding("EXT011", "info", f"no checksum {HOSTILE}", {"tensor": HOSTILE}, {})
    return replace(counted, findings=(finding,))


@pytest.fixture
def quantized(tmp_path: Path) -> Path:
    """A MatMulInteger of [3, 8] by an int8 weight [8, 5], and an author's words on its data."""
    weight = numpy_helper.from_array(np.arange(40, dtype=np.int8).reshape(8, 5), "W")
    zero = numpy_helper.from_array(np.array(3, np.uint8), "z")
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "W", "z"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [3, 8])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [3, 5])],
        [weight, zero],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    helper.set_model_props(model, {"Dataset": "coco2017", "license": "MIT"})
    path = tmp_path / "q.onnx"
    onnx.save(model, path)
    return path


def test_files_digests_and_relationships(report: Report, fixtures: Path) -> None:
    kinds = read(render("spdx", [report, report], View()))
    assert [len(kinds[kind]) for kind in ("SpdxDocument", "software_Sbom")] == [1, 1]
    assert len(kinds["ai_AIPackage"]) == 2
    files = {item.name: item for item in kinds["software_File"]}
    assert set(files) == {"mlp_external.onnx", "mlp_external.onnx.data"}
    for name, item in files.items():
        (digest,) = item.verifiedUsing
        assert digest.hashValue == hashlib.sha256((fixtures / name).read_bytes()).hexdigest()
        assert digest.algorithm.endswith("/sha256")
    for relationship in kinds["Relationship"]:
        assert relationship.relationshipType.endswith("/contains")
        assert relationship.from_ in kinds["ai_AIPackage"]
        assert len(relationship.to) == 2
        assert set(relationship.to) <= set(kinds["software_File"])
    (document,) = kinds["SpdxDocument"]
    (bill,) = kinds["software_Sbom"]
    assert list(document.rootElement) == [bill]
    assert set(bill.rootElement) == set(kinds["ai_AIPackage"])
    everything = {item for kind, rows in kinds.items() if kind != "CreationInfo" for item in rows}
    named = {item for item in everything if getattr(item, "spdxId", None)} - {document}
    assert set(document.element) == named


def test_the_library_refuses_what_is_not_whole(report: Report) -> None:
    document = json.loads(render("spdx", [report], View()))
    for key in ("creationInfo", "relationshipType", "from"):
        broken = json.loads(json.dumps(document))
        (row,) = [row for row in broken["@graph"] if row["type"] == "Relationship"]
        del row[key]
        with pytest.raises(ValueError, match=key.rstrip("_")):
            read(json.dumps(broken))


def test_types_and_quantization_are_facts(quantized: Path) -> None:
    text = render("spdx", [api.count(str(quantized))], View())
    kinds = read(text)
    (package,) = kinds["ai_AIPackage"]
    stated = facts(package)
    # 8 x 5 numbers of one byte and a zero point of one byte; 3 x 5 sums of 8 products
    assert stated["graphcount:dtype:int8:elements"] == "40"
    assert stated["graphcount:dtype:int8:nbytes"] == "40"
    assert stated["graphcount:dtype:uint8:tensors"] == "1"
    assert stated["graphcount:multiplies:uint8xint8:nodes"] == "1"
    assert stated["graphcount:multiplies:uint8xint8:macs"] == "120"
    assert stated["graphcount:macs"] == "120"
    assert stated["graphcount:bit_operations"] == str(120 * 8 * 8)
    assert stated["graphcount:metadata:license"] == "MIT"
    entries = {row.key: row.value for row in package.ai_hyperparameter}
    assert entries["graphcount:dtype:int8:nbytes"] == "40"
    assert "graphcount:metadata:license" not in entries
    bill = json.loads(render("cyclonedx", [api.count(str(quantized))], View()))
    (model,) = bill["components"]
    assert {row["name"]: row["value"] for row in model["properties"]} == stated


def test_a_dataset_that_the_author_names(quantized: Path) -> None:
    report = api.count(str(quantized))
    kinds = read(render("spdx", [report], View()))
    (dataset,) = kinds["dataset_DatasetPackage"]
    assert dataset.name == "coco2017"
    (trained,) = [
        row for row in kinds["Relationship"] if row.relationshipType.endswith("trainedOn")
    ]
    assert list(trained.to) == [dataset]
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = render("cyclonedx", [report], View())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    card = json.loads(text)["components"][0]["modelCard"]["modelParameters"]
    assert card["datasets"] == [{"type": "dataset", "name": "coco2017"}]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("cnn.onnx", "convolutional neural network"), ("mlp_external.onnx", "ONNX graph")],
)
def test_types_of_models(fixtures: Path, name: str, kind: str) -> None:
    (package,) = read(render("spdx", [api.count(str(fixtures / name))], View()))["ai_AIPackage"]
    assert list(package.ai_typeOfModel)[-1] == kind


def test_the_same_report_gives_the_same_document(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    text = render("spdx", [report], View())
    assert text == render("spdx", [report], View())
    assert '"created": "1970-01-01T00:00:00Z"' in text
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    later = render("spdx", [report], View())
    assert '"created": "2023-11-14T22:13:20Z"' in later
    ids = {json.loads(one)["@graph"][1]["spdxId"] for one in (text, later)}
    assert len(ids) == 2
    for wrong in ("soon", "-5", "9" * 40, "9" * 5000):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", wrong)
        with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
            render("spdx", [report], View())


def test_findings_and_names_are_inert(report: Report) -> None:
    rows = (FileRow("", None, None), FileRow(HOSTILE, None, None))
    odd = replace(report, model=report.model._replace(side_files=rows, metadata={HOSTILE: HOSTILE}))
    text = render("spdx", [odd], View())
    kinds = read(text)
    (note,) = kinds["Annotation"]
    assert note.statement.startswith("info EXT011: no checksum")
    strings = [note.statement, *facts(kinds["ai_AIPackage"][0]).values()]
    strings += [item.name for item in kinds["software_File"]]
    for string in strings:
        assert string.isprintable()


def test_the_command_line_states_digests(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("count", "audit"):
        out = tmp_path / f"{command}.spdx.json"
        assert main([command, str(fixtures / "mlp_external.onnx"), "-o", str(out)]) == 0
        kinds = read(out.read_text())
        assert all(item.verifiedUsing for item in kinds["software_File"])
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    assert main(["count", str(fixtures / "cnn.onnx"), "--format", "spdx"]) == 2
