"""Tables that a formula gives (docs/counting.md): each value from its formula, not the program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.report.rows import TensorRow

Save = Callable[..., str]
Of = Callable[..., TensorRow]
N = helper.make_node
RANDOM = np.random.default_rng(5)

ADD = [N("Add", ["x", "T"], ["y"])]
MUL = [N("Mul", ["x", "T"], ["y"])]
LOOK_UP = [N("Gather", ["T", "i"], ["e"]), N("Add", ["x", "e"], ["y"])]
ANGLES = [
    N("Mul", ["x", "T"], ["a"]),
    N("Concat", ["a", "a"], ["c"], axis=-1),
    N("Cos", ["c"], ["y"]),
]
EXPANDED = [N("MatMul", ["T", "x"], ["a"]), N("Transpose", ["a"], ["t"]), N("Sin", ["t"], ["y"])]


@pytest.fixture
def of(save: Save) -> Of:
    """The row of a table, called as given, in a graph that uses `T`."""

    def make(
        nodes: list[onnx.NodeProto], table: np.ndarray, name: str = "a.table", dtype: Any = None
    ) -> TensorRow:
        renamed = []
        for node in nodes:
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            for index, value in enumerate(copied.input):
                copied.input[index] = name if value == "T" else value
            renamed.append(copied)
        stored = numpy_helper.from_array(table.astype(dtype or np.float32), name)
        inputs = [
            ("x", [1, table.shape[-1]]),
            helper.make_tensor_value_info("i", TensorProto.INT64, [1, 3]),
        ]
        path = save(renamed, [stored], inputs=inputs, outputs=[renamed[-1].output[0]])
        (row,) = graphcount.count(path).tensors
        return row

    return make


def lower(rows: int, columns: int, diagonal: int = 0) -> np.ndarray:
    return np.tril(np.ones((rows, columns)), diagonal)


# ------------------------------------------------------------------------------------------ masks


@pytest.mark.parametrize(
    "mask",
    [
        lower(8, 8),
        lower(8, 8).T,
        lower(8, 8, -1),
        1 - lower(8, 8),
        -1e4 * (1 - lower(8, 8)),
        lower(4, 12, 8),
        lower(8, 8).reshape(1, 1, 8, 8),
        lower(128, 128),
        lower(1024, 1024),  # its first four rows are looked at
    ],
    ids=["lower", "upper", "strict", "hides", "added", "past", "heads", "large", "larger"],
)
@pytest.mark.parametrize(("name", "kind"), [("h.0.attn.bias", "buffer"), ("val_3", "constant")])
def test_a_triangle_is_a_mask(of: Of, mask: np.ndarray, name: str, kind: str) -> None:
    row = of(MUL, mask, name)
    assert (row.kind, row.role) == (kind, "mask")
    assert "triangular" in row.reason


@pytest.mark.parametrize(
    "table",
    [
        lower(8, 8) + 0.01 * RANDOM.standard_normal((8, 8)),
        lower(8, 8) * RANDOM.uniform(1, 2, (8, 8)),
        np.ones((8, 8)),
        np.vstack([lower(8, 8)[::-1], np.full((1, 8), 2)]),
        RANDOM.standard_normal((8, 8)),
    ],
    ids=["noisy", "learned triangle", "ones", "another number", "random"],
)
def test_what_only_looks_like_a_mask_is_learned(of: Of, table: np.ndarray) -> None:
    assert of(MUL, table).kind == "parameter"


def test_zeros_and_ones_are_a_mask_but_no_weight(of: Of) -> None:
    mask = (RANDOM.random((8, 8)) < 0.5).astype(float)
    assert (of(MUL, mask).kind, of(MUL, mask).role) == ("buffer", "mask")
    assert of([N("MatMul", ["x", "T"], ["y"])], mask).kind == "parameter"
    assert of(MUL, mask + 1).kind == "parameter"


# ------------------------------------------------------------------------------------ frequencies


def rotary(size: int = 8, base: float = 1e4) -> np.ndarray:
    """Su et al. 2021, 3.2.2: base^(-2i/d)."""
    return base ** (-2 * np.arange(size) / (2 * size))


def scaled() -> np.ndarray:
    """Llama 3: low frequencies are divided by 8, those between blended: no geometric row."""
    rows = rotary(16)
    blend = np.clip((np.arange(16) - 4) / 8, 0, 1)
    return rows * (1 - blend) + rows / 8 * blend


@pytest.mark.parametrize(
    ("nodes", "table"),
    [
        (ANGLES, rotary()),
        (ANGLES, rotary() / 4),  # positions interpolated
        (ANGLES, scaled()),
        (ANGLES, 2.0 ** np.arange(6) * np.pi),  # Mildenhall et al. 2020, 5.1
        (EXPANDED, rotary().reshape(8, 1)),
        (EXPANDED, rotary(3).reshape(1, 3, 1)),
        (MUL, rotary()),
        (MUL, 2.0 ** -np.arange(1, 9)),  # Press et al. 2021, 3: slopes of eight heads
    ],
    ids=["rotary", "interpolated", "Llama 3", "octaves", "column", "three", "alone", "slopes"],
)
@pytest.mark.parametrize("name", ["onnx::Expand_77", "a.table"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_frequencies_are_a_buffer(
    of: Of, nodes: list[onnx.NodeProto], table: np.ndarray, name: str, dtype: Any
) -> None:
    row = of(nodes, table, name, dtype)
    assert (row.kind, row.role) == ("buffer", "table")
    assert row.reason == "a row of frequencies: computed, not learned"


@pytest.mark.parametrize(
    ("nodes", "table"),
    [
        (ANGLES, np.sort(RANDOM.uniform(0.1, 5, 8))),  # learned frequencies
        (ANGLES, -rotary()),
        (ANGLES, np.ones(8)),
        (MUL, rotary() / 4),
        (MUL, scaled()),
        (MUL, 1 - 0.1 * np.arange(8)),
        (ADD, rotary()),
    ],
)
def test_other_vectors_are_learned(of: Of, nodes: list[onnx.NodeProto], table: np.ndarray) -> None:
    assert of(nodes, table).kind == "parameter"


# ---------------------------------------------------------------------------------------- sinusoids


def sinusoids(
    rows: int = 12, width: int = 8, first: int = 0, *, halves: bool = False
) -> np.ndarray:
    """Vaswani et al. 2017, 3.5, sines and cosines beside each other or in two halves."""
    angles = np.arange(first, first + rows)[:, None] * rotary(width // 2)
    parts = [np.sin(angles), np.cos(angles)]
    return np.concatenate(parts, 1) if halves else np.stack(parts, -1).reshape(rows, width)


@pytest.mark.parametrize(
    "table",
    [
        sinusoids(),
        sinusoids(halves=True),
        sinusoids(first=2),  # fairseq counts from 2
        np.vstack([np.zeros((1, 8)), sinusoids(first=1)]),
        sinusoids(5000, 64),
        sinusoids()[None],
    ],
    ids=["pairs", "halves", "offset", "padding", "large", "batch"],
)
@pytest.mark.parametrize("nodes", [ADD, LOOK_UP], ids=["added", "looked up"])
def test_sinusoids_are_a_buffer(of: Of, nodes: list[onnx.NodeProto], table: np.ndarray) -> None:
    row = of(nodes, table)
    assert (row.kind, row.role) == ("buffer", "table")


@pytest.mark.parametrize(
    "table",
    [
        sinusoids() * 1.02,
        sinusoids() + 0.01 * RANDOM.standard_normal((12, 8)),
        np.sign(RANDOM.standard_normal((12, 8))) / np.sqrt(2),
        np.repeat(sinusoids(1, first=3), 12, 0),
        RANDOM.standard_normal((12, 8)),
    ],
    ids=["scaled", "trained on", "codes", "one row", "random"],
)
@pytest.mark.parametrize("nodes", [ADD, LOOK_UP], ids=["added", "looked up"])
def test_other_tables_are_learned(of: Of, nodes: list[onnx.NodeProto], table: np.ndarray) -> None:
    assert of(nodes, table).kind == "parameter"


@pytest.mark.parametrize("wave", [np.cos, np.sin])
def test_rotary_tables_are_a_buffer(of: Of, wave: Any) -> None:
    angles = np.tile(np.arange(16)[:, None] * rotary(), 2)
    table = wave(angles)[None, None]
    assert of(MUL, table, "rope.table").kind == "buffer"
    assert of(MUL, table, "unsqueeze_14").kind == "constant"
    assert of(MUL, table * 0.9, "rope.table").kind == "parameter"
    small = 1e-3 * RANDOM.standard_normal((16, 16))
    small[0] = 0  # a row of padding before rows that were hardly trained
    assert of(MUL, small, "a.table").kind == "parameter"
