"""Deployments: which sums are lower bounds, and the sizes that numbers are of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import graphcount
from graphcount.formats.deployment import render
from graphcount.formats.view import View
from tests.deploying import builders


def test_a_missing_file_makes_the_download_a_lower_bound(tmp_path: Path) -> None:
    folder = builders.vision_language(tmp_path)
    assert "download_nbytes" not in graphcount.deployment(str(folder)).totals.at_least
    (folder / "weights.data").rename(tmp_path.parent / f"{tmp_path.name}.data")
    made = graphcount.deployment(str(folder))
    assert "download_nbytes" in made.totals.at_least
    text = render("table", made, View(width=120))
    assert "to download at least" in text


def test_only_what_lacks_something_has_the_sign_of_a_lower_bound(tmp_path: Path) -> None:
    made = graphcount.deployment(str(builders.whisper_like(tmp_path)))
    bound = replace(made, totals=made.totals._replace(at_least=("peak_nbytes", "resident_nbytes")))
    text = render("table", bound, View(width=120))
    (line,) = (line for line in text.splitlines() if line.startswith(" together"))
    assert line.count("≥") == 1
    assert line.split()[-2].startswith("≥")


def test_the_sizes_of_a_pass_are_there(tmp_path: Path) -> None:
    folder = builders.whisper_like(tmp_path)
    made = graphcount.deployment(str(folder), dims={"batch": 3, "frames": 7})
    encoder, decoder = made.running
    assert encoder.dims == {"batch": 3, "frames": 7}
    assert decoder.dims["batch"] == 3
    assert "one pass at batch 3, frames 7," in render("table", made, View(width=200))


def test_the_peak_of_a_shorter_pass_makes_memory_a_lower_bound(tmp_path: Path) -> None:
    folder = str(builders.whisper_like(tmp_path))
    sizes = {"sequence_length": 1, "past_sequence_length": 99}
    exact = graphcount.deployment(folder, context=100, dims=sizes)
    assert exact.totals.at_least == ()
    longer = graphcount.deployment(folder, context=101, dims={"sequence_length": 1})
    assert longer.totals.at_least == ("resident_nbytes",)
    assert "resident at least" in render("table", longer, View(width=120))


def test_a_link_out_of_the_folder_has_no_size_to_download(tmp_path: Path) -> None:
    folder = builders.vision_language(tmp_path / "model")
    data = (folder / "weights.data").rename(tmp_path / "elsewhere")
    (folder / "weights.data").symlink_to(data)
    assert "download_nbytes" in graphcount.deployment(str(folder)).totals.at_least


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
