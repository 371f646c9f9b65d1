"""Hand-computed cases: one trap each, exact in every key of the contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphcount

COSTS = {"about", "macs", "macs_expression", "macs_torchinfo"}
"""Keys of the cost stage."""


def test_every_case_is_exact(shared: Path) -> None:
    truth: dict[str, dict[str, Any]] = json.loads((shared / "cases" / "truth.json").read_text())
    assert len(truth) > 40
    wrong = []
    for name, expected in truth.items():
        report = graphcount.count(str(shared / "cases" / f"{name}.onnx"))
        for key, value in expected.items():
            if key in COSTS:
                continue
            found = _total(report, key, name)
            if found != value:
                wrong.append((name, key, value, found))
    assert wrong == []


def _total(report: graphcount.Report, key: str, name: str) -> int:
    """The total a truth key means.

    `nbytes` is the bytes of all stored tensors in every case but `loop10`, where the truth leaves
    the 8 bytes of the trip count out: there it is the bytes of the parameters.
    """
    if key == "nbytes":
        nbytes = report.totals.nbytes
        if name == "loop10":
            assert nbytes.total == nbytes.parameters + 8
            return nbytes.parameters
        return nbytes.total
    found: int = getattr(report.totals, key)
    return found


@pytest.mark.parametrize("folder", ["", "elsewhere"])
def test_external_data_is_sized_with_and_without_its_file(
    shared: Path, tmp_path: Path, folder: str
) -> None:
    for name in ("external.onnx", "external.data"):
        if name.endswith(".onnx") or not folder:
            (tmp_path / name).write_bytes((shared / "cases" / name).read_bytes())
    report = graphcount.count(str(tmp_path / "external.onnx"))
    assert report.totals.parameters == 128
    model = report.model
    assert model.referenced_nbytes == 512
    assert model.external_nbytes == (0 if folder else 512)
    assert model.disk_nbytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    assert report.exact == (not folder)
