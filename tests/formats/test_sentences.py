"""Sentences: what the framework counted, how sure that is, and why; what a model takes on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import graphcount
from graphcount.formats.sentences import file_words, framework_sentence
from graphcount.report.rows import FileRow, FrameworkRow

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


@pytest.mark.parametrize(
    ("external", "referenced", "files", "words"),
    [
        (0, 0, [], "1.00 kB"),
        (2000, 2000, [2000], "1.00 kB + 2.00 kB external data"),
        (2000, 500, [2000], "1.00 kB + 2.00 kB external data, 500 B of it used"),
        (2000, 4000, [2000], "1.00 kB + 2.00 kB external data"),
        (2000, 2500, [2000, None], "1.00 kB + at least 2.00 kB external data"),
        (0, 500, [None], "1.00 kB + 500 B out of reach"),
    ],
)
def test_bytes_of_the_file_and_beside_it(
    external: int, referenced: int, files: list[int | None], words: str, fixtures: Path
) -> None:
    report = graphcount.count(str(fixtures / "mlp_4_5_3.onnx"))
    rows = tuple(FileRow(f"{number}.bin", size, None) for number, size in enumerate(files))
    sizes = {"file_nbytes": 1000, "external_nbytes": external, "referenced_nbytes": referenced}
    model = report.model._replace(side_files=rows, **sizes)  # type: ignore[arg-type]
    assert file_words(replace(report, model=model)) == words
