"""A short part of `differential.py`: onnx and graphcount read changed models alike."""

from __future__ import annotations

import random
from pathlib import Path

import onnx
import pytest

from graphcount.loading.messages import MESSAGES
from tests.fuzz import differential, runtime_differential, text_differential
from tests.fuzz.readings import difference, onnx_reading, own_reading
from tests.fuzz.valid_models import MODELS
from tests.fuzz.wire_mutations import messages, mutant, parse, write

BASES = [make().SerializeToString() for make in MODELS]


def test_the_models_use_every_message() -> None:
    """Of onnx.proto, so that each can be changed; they are read alike as they are."""
    kinds = {kind for base in BASES for kind, _ in messages(parse(base))}
    assert kinds == set(MESSAGES)
    for base in BASES:
        assert write(parse(base)) == base
        theirs = onnx_reading(onnx.load_from_string(base))
        assert difference(theirs, own_reading(differential.read(base), base)) == ""


def test_a_difference_is_seen() -> None:
    """Each of these models is another one, in what the readings hold."""
    for base in BASES:
        model = onnx.load_from_string(base)
        theirs = onnx_reading(model)
        model.graph.node[0].op_type = "Other"
        data = model.SerializeToString()
        assert difference(theirs, own_reading(differential.read(data), data))


@pytest.mark.parametrize("seed", [7, 8])
def test_no_difference_is_silent(seed: int, tmp_path: Path) -> None:
    kinds, silent = differential.run(seed, 1500, BASES, tmp_path)
    assert silent == []
    assert kinds["same"] > 1000
    assert kinds["refused"] > 100


def test_a_seed_gives_the_same_files() -> None:
    one, two = (mutant(random.Random("5/1"), BASES[0]) for _ in range(2))
    assert one == two


def test_no_text_is_read_otherwise(tmp_path: Path) -> None:
    kinds, silent = text_differential.run(7, 300, tmp_path)
    assert silent == []
    assert {form for form, _ in text_differential.texts()} == {"json", "onnxtxt", "textproto"}
    assert kinds["same"] > 30


def test_onnxruntime_sees_the_same_inputs_and_outputs(tmp_path: Path) -> None:
    kinds, silent = runtime_differential.run(7, 120, tmp_path)
    assert silent == []
    assert kinds["same"] > 50
