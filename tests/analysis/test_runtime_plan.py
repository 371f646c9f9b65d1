"""What onnxruntime allocates, node by node, beside what it is said to do."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from graphcount.analysis.runtime_plan import _Block
from tests.packages.runtime_memory import compared

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MODELS = ("cnn_int8", "gpt2_like", "lstm_3_2", "tied_language_model", "transformer_block")


@pytest.mark.parametrize("name", MODELS)
def test_nodes_and_block_are_those_of_onnxruntime(name: str) -> None:
    """With the shapes of all values declared: of some it would not know them."""
    one = compared(FIXTURES / f"{name}.onnx", (), with_shapes=True)
    assert one.differ == []
    assert one.equal >= 5
    assert one.ours == one.theirs > 0


def smallest_gap(held: dict[object, tuple[int, int]], nbytes: int) -> int:
    """Where onnxruntime's MemPatternPlanner puts a buffer: it looks at every gap."""
    end, best = 0, None
    for offset, size in sorted(held.values()):
        room = offset - end
        if room >= nbytes and (best is None or room < best[0]):
            best = room, end
        end = offset + size
    return end if best is None else best[1]


@pytest.mark.parametrize("seed", range(50))
def test_a_block_is_filled_as_by_looking_at_every_gap(seed: int) -> None:
    rng = random.Random(seed)
    block, held, most = _Block(), dict[object, tuple[int, int]](), 0
    for number in range(200):
        buffer, nbytes = (str(number), "v"), rng.choice([256, 512, 768, 1024, 5120])
        held[buffer] = smallest_gap(held, nbytes), nbytes
        most = max(most, sum(held[buffer]))
        block.take(buffer, nbytes)
        for gone in rng.sample(sorted(block.held), min(len(held), rng.choice([0, 0, 1, 2, 3]))):
            del held[gone]
            block.give(gone)
        assert block.held == held
    assert block.most == most
