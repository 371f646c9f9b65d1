"""Files that two readers read differently, which are not part of the project."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.differential import compare


def test_no_file_is_read_otherwise_in_silence(shared: Path, tmp_path: Path) -> None:
    paths = sorted((shared / "twoviews").rglob("*.onnx"))
    assert len(paths) > 50
    outcomes = {path.name: compare(path.read_bytes(), frozenset(), tmp_path) for path in paths}
    assert [name for name, outcome in outcomes.items() if outcome.kind == "silent"] == []
