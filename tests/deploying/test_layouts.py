"""Deployments: names of files as people and exporters write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import graphcount
from tests.deploying import builders


@pytest.mark.parametrize(
    "name", ["..\\..\\text.onnx", "C:\\text.onnx", "C:text.onnx", "\\\\host\\a\\b"]
)
def test_paths_of_windows_lead_out_of_the_folder_on_any_system(tmp_path: Path, name: str) -> None:
    folder = builders.vision_language(tmp_path)
    config = json.loads((folder / "genai_config.json").read_text())
    config["model"]["decoder"]["filename"] = name
    (folder / "genai_config.json").write_text(json.dumps(config))
    made = graphcount.deployment(str(folder))
    assert [row.model for row in made.running if row.component == "decoder"] == [None]
    assert [row.rule for row in made.findings if row.severity != "info"] == ["DEP002"]


def test_forms_that_sentence_transformers_writes_are_variants(tmp_path: Path) -> None:
    ends = ("", "_O1", "_O4", "_qint8_arm64", "_qint8_avx512", "_qint8_avx512_vnni", "_quint8_avx2")
    for end in ends:
        builders.encoder(tmp_path / "onnx" / f"model{end}.onnx")
    builders.text_file(tmp_path / "config.json")
    made = graphcount.deployment(str(tmp_path))
    assert {(row.component, row.name) for row in made.variants} == {
        ("model", end.removeprefix("_")) for end in ends
    }
    assert [row.model for row in made.running] == ["onnx/model.onnx"]
    chosen = graphcount.deployment(str(tmp_path), variant="qint8_avx512_vnni")
    assert [row.model for row in chosen.running] == ["onnx/model_qint8_avx512_vnni.onnx"]


def test_a_configuration_in_a_package_says_what_feeds_what(tmp_path: Path) -> None:
    variant = tmp_path / "cpu"
    builders.encoder(variant / "encoder.onnx", output="heard")
    builders.decoder(variant / "decoder.onnx")
    encoder = {"filename": "encoder.onnx", "outputs": {"states": "heard"}}
    decoder = {"filename": "decoder.onnx", "inputs": {"states": "encoder_hidden_states"}}
    config = {"model": {"encoder": encoder, "decoder": decoder}}
    builders.text_file(variant / "genai_config.json", json.dumps(config))
    variants: dict[str, object] = {"cpu": {}}
    manifest = {"schema_version": "1.0", "components": {"speech": {"variants": variants}}}
    builders.text_file(tmp_path / "manifest.json", json.dumps(manifest))
    (row,) = graphcount.deployment(str(tmp_path)).joins
    assert (row.producer, row.output, row.by) == ("speech.encoder", "heard", "configuration")
    assert (row.consumer, row.input) == ("speech.decoder", "encoder_hidden_states")


def test_a_message_names_some_of_many_variants(tmp_path: Path) -> None:
    variants: dict[str, object] = {f"v{number:03}": {} for number in range(120)}
    manifest = {"schema_version": "1.0", "components": {"vision": {"variants": variants}}}
    builders.text_file(tmp_path / "manifest.json", json.dumps(manifest))
    with pytest.raises(graphcount.UsageError, match=r"v000, .* v019 and 100 more$"):
        graphcount.deployment(str(tmp_path), variant="other")
