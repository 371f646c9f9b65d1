"""Ranges of real models against counts at every point of a grid: no formula is used twice.

`python -m tests.packages.grids` does so with any models, over more points.
"""

from __future__ import annotations

from pathlib import Path

import graphcount
from tests.packages.grids import held, small

POINTS = 12


def test_ranges_are_those_of_all_points(fixtures: Path, shared: Path) -> None:
    models = exact = ends = 0
    for path in sorted((*fixtures.glob("*.onnx"), *(shared / "field").rglob("*.onnx"))):
        try:
            report = graphcount.count(str(path))
            if not report.dimensions:
                continue
            made = held(str(path), small(report, POINTS))
        except graphcount.GraphcountError:
            continue
        assert made.faults == (), path
        models += made.points > 0
        exact += made.exact
        ends += made.exact + made.bounds + made.unknown
    assert models >= 50
    assert exact >= 0.94 * ends
