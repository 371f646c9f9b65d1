"""The sentence about the framework's count: one number, how sure it is, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import graphcount
from graphcount.formats.sentences import framework_sentence
from graphcount.report.rows import FrameworkRow

FIXTURE = Path(__file__).parents[2] / "fixtures" / "tied_language_model.onnx"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (FrameworkRow(3_184, True, 3_184, 3_184, ("Names say so.", "The head is tied.", "More.")),
         "counted exactly 3,184: Names say so; the head is tied."),
        (FrameworkRow(3_184, False, 3_184, None, ("The head is tied.", "Blind.")),
         "probably counted 3,184: the head is tied."),
        (FrameworkRow(3_184, False, 90, None, ("These may be buffers: a, b.",)),
         "probably counted 3,184, at least 90: these may be buffers: a, b."),
        (FrameworkRow(3_184, False, 3_184, None, ()), "probably counted 3,184"),
        (FrameworkRow(3_984, False, 90, None, ("Blind.",)), ""),
        (FrameworkRow(None, False, None, None, ()), ""),
    ],
)  # fmt: skip
def test_the_sentence(row: FrameworkRow, words: str) -> None:
    report = replace(graphcount.count(str(FIXTURE)), framework=row)
    holds = "the file holds 3,984 parameters; the framework "
    assert framework_sentence(report) == (holds + words if words else "")
