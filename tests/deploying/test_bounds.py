"""Deployments: which sums are lower bounds, and the sizes that numbers are of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
