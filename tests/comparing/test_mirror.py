"""For every model: its diff with itself is empty, and diffs mirror."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import onnx
import pytest

import graphcount
from graphcount.report.diff import Diff

SAMPLE = 4
"""Every so many-th file of the corpus in the suite; all of them take a minute."""


def _mirror() -> Callable[[Diff], Diff]:
    path = Path(__file__).with_name("mirror.py")
    spec = importlib.util.spec_from_file_location("diff_mirror", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[Diff], Diff] = module.mirror
    return found


mirror = _mirror()


def check_itself(path: Path) -> None:
    found = graphcount.diff(str(path), str(path), values=True)
    assert found.empty, path
    assert found.relation in ("identical", "structure"), path


def check_mirror(old: graphcount.Model, new: graphcount.Model) -> None:
    found = graphcount.diff(old, new, values=True)
    back = graphcount.diff(new, old, values=True)
    assert sorted(back.notes) == sorted(found.notes)
    assert mirror(found) == replace(back, notes=found.notes), (old.path, new.path)


def models(paths: list[Path]) -> list[graphcount.Model]:
    found = []
    for path in paths:
        try:
            found.append(graphcount.load(str(path)))
        except graphcount.GraphcountError:
            continue
    return found


def test_fixtures(fixtures: Path) -> None:
    paths = sorted(fixtures.glob("*.onnx"))
    for path in paths:
        check_itself(path)
    loaded = models(paths)
    for old, new in pairwise(loaded):
        check_mirror(old, new)


@pytest.mark.parametrize("part", range(2))
def test_corpus(shared: Path, part: int) -> None:
    every = sorted((shared / "corpus").rglob("*.onnx"))
    loaded = models(every[part :: 2 * SAMPLE])
    assert len(loaded) > 10
    for model, following in zip(loaded, [*loaded[1:], loaded[0]], strict=True):
        check_itself(Path(model.path))
        check_mirror(model, following)


def test_variants_of_the_corpus(shared: Path, tmp_path: Path) -> None:
    """Each model against a copy with other node names, one operator replaced and one left out."""
    checked = 0
    for path in sorted((shared / "corpus").rglob("*.onnx"))[:: 3 * SAMPLE]:
        try:
            model = onnx.load(path, load_external_data=False)
            original = graphcount.load(str(path))
        except Exception:
            continue
        for number, node in enumerate(model.graph.node):
            node.name = f"other_{number}"
        if len(model.graph.node) > 2:
            model.graph.node[1].op_type = "Identity"
            del model.graph.node[2]
        copy = tmp_path / f"{checked}.onnx"
        copy.write_bytes(model.SerializeToString())
        check_mirror(original, graphcount.load(str(copy)))
        checked += 1
    assert checked > 8
