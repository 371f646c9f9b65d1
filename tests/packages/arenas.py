"""Arenas beside those of onnxsim's memory planner, which places activations in one block, too.

    python -m tests.packages.arenas FOLDER ...    # by a Python that has graphcount and onnxsim

onnxsim's `plan_activation_memory` plans inputs, results and outputs of the main graph, some in the
memory of others. Its values are placed anew by graphcount: with onnxsim's sizes and lifetimes, and
together those that it gave the same memory while both live. Then a line says what `--arena
--in-place` gives for the activations of the file. Copies of models have inputs of size 4 where
dimensions are dynamic, and functions inlined. Models with bodies are left out, which onnxsim plans
by themselves, and those of which it does not know a size.
"""

from __future__ import annotations

import collections
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

import graphcount
from graphcount.analysis.placement import Lifetime, placed
from tests.packages.runtime_memory import prepared
from tests.packages.truth import NotRun, bodies

Places = Mapping[str, tuple[int, int]]


def lifetimes(model: onnx.ModelProto, places: Places) -> list[Lifetime]:
    """Return the memory that onnxsim gave, with its lifetimes: of each piece, not of each value."""
    end = len(model.graph.node)
    first = {info.name: 0 for info in model.graph.input}
    last: dict[str, int] = {}
    for step, node in enumerate(model.graph.node, 1):
        last |= dict.fromkeys(node.input, step)
        first |= {name: step for name in node.output if name not in first}
    last |= {info.name: end + 1 for info in model.graph.output}
    at: dict[int, list[Lifetime]] = collections.defaultdict(list)
    for name, (offset, nbytes) in places.items():
        begins = first.get(name, 0)
        at[offset].append(Lifetime(nbytes, begins, max(begins, last.get(name, begins))))
    pieces = []
    for rows in at.values():
        rows.sort(key=lambda one: one.first)
        piece = rows[0]
        for one in rows[1:]:
            if one.first <= piece.last:
                nbytes = max(one.nbytes, piece.nbytes)
                piece = Lifetime(nbytes, piece.first, max(one.last, piece.last))
            else:
                pieces.append(piece)
                piece = one
        pieces.append(piece)
    return pieces


def main(places: Sequence[str]) -> None:
    """Print the lines and the sums."""
    from onnxsim.memory_planning import plan_activation_memory  # type: ignore[import-not-found]

    sums: collections.Counter[str] = collections.Counter()
    for path in sorted(path for place in places for path in Path(place).rglob("*.onnx")):
        with tempfile.TemporaryDirectory() as folder:
            try:
                copy, _ = prepared(path, (), Path(folder))
                model = onnx.load(copy)
                if any(bodies(node) for node in model.graph.node):
                    raise NotRun("has bodies")
                theirs = plan_activation_memory(model)
                mine = graphcount.count(copy, arena=True, in_place=True, cost=True).arena
            except Exception as error:
                sums[f"left out: {type(error).__name__}"] += 1
                continue
        if theirs.unplanned:
            sums["left out: onnxsim lacks a size"] += 1
            continue
        if not theirs.arena_bytes or mine is None:
            sums["left out: nothing to place"] += 1
            continue
        pieces = lifetimes(model, theirs.tensor_offsets)
        tops = zip(placed(pieces), pieces, strict=True)
        again = max(offset + piece.nbytes for offset, piece in tops)
        sums["models"] += 1
        sums["at most onnxsim's, the same values"] += again <= theirs.arena_bytes
        sums["smaller"] += again < theirs.arena_bytes
        sums["at most onnxsim's, --arena --in-place"] += mine.nbytes <= theirs.arena_bytes
        sums["--arena at its lower bound, to 8 bytes"] += mine.nbytes - mine.lower_bound < 64
        word = "ok" if again <= theirs.arena_bytes else "MORE"
        print(
            f"{word:4} {path.name[:48]:48} onnxsim {theirs.arena_bytes:>12,} again {again:>12,}"
            f" --arena {mine.nbytes:>12,} bound {mine.lower_bound:>12,}",
            flush=True,
        )
    for name, number in sums.items():
        print(f"{name}: {number}")


if __name__ == "__main__":
    main(sys.argv[1:])
