"""Files that two readers read differently, which are not part of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.differential import compare

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "twoviews"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/twoviews is not there")
def test_no_file_is_read_otherwise_in_silence(tmp_path: Path) -> None:
    paths = sorted(FOLDER.rglob("*.onnx"))
    assert len(paths) > 50
    outcomes = {path.name: compare(path.read_bytes(), frozenset(), tmp_path) for path in paths}
    assert [name for name, outcome in outcomes.items() if outcome.kind == "silent"] == []
