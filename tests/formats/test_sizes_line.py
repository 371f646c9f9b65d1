"""The line that says which sizes were assumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import graphcount
from graphcount.formats.sentences import sizes_words
from graphcount.report.pass_rows import DimensionRow
from graphcount.report.records import Report


@pytest.fixture
def of(fixtures: Path) -> Callable[[str, str], Report]:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    return lambda name, place: replace(
        report, dimensions=(DimensionRow(name, place, 1, "a batch", None),)
    )


@pytest.mark.parametrize(
    ("name", "place", "wanted"),
    [
        ("unk__12", "input x, axis 0", "x[0] 1"),
        ("p2o.DynamicDimension.1", "input a b, axis 3", "a b[3] 1"),
        ("batch", "input x, axis 0", "batch 1"),
        ("x[2]", "input x, axis 2", "x[2] 1"),
        ("unk__3", "result y of NonZero, axis 1", "unk__3 1"),
    ],
)
def test_names_that_say_nothing_are_explained(
    of: Callable[[str, str], Report], name: str, place: str, wanted: str
) -> None:
    assert sizes_words(of(name, place)).startswith(f"assumed: {wanted};")
