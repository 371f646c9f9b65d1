"""Make large classical models, as LightGBM, scikit-learn and their converters write them.

    python tests/benchmarks/classical.py FOLDER [--models trees svm] [--scale 0.01]

Attributes are lists with a field for each element (onnx.proto does not pack them), so a tree node
takes nine fields, and a leaf thirteen: 200 MB are five million nodes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from models import (  # type: ignore[import-not-found]
    Pieces,
    flat,
    message,
    model,
    number,
    text,
    varint,
    write,
)

INT, STRING, FLOATS, INTS, STRINGS = 2, 3, 6, 7, 8
"""AttributeProto.AttributeType."""

LEAVES = 500
"""Leaves of a tree; its other 499 nodes are comparisons."""


# ------------------------------------------------------------------------------- attributes


def attribute(name: str, kind: int, content: bytes) -> bytes:
    """Make an AttributeProto (NodeProto field 5)."""
    return bytes(flat(message(5, [text(1, name), content, number(20, kind)])))


def ints(name: str, values: np.ndarray[Any, Any]) -> bytes:
    """Make a list of small integers, a field for each of them."""
    values = np.asarray(values, np.int64)
    shifts = np.arange(3) * 7  # below 2 ** 21
    lengths = 1 + (values >= 1 << 7).astype(int) + (values >= 1 << 14)
    digits = (values[:, None] >> shifts) & 0x7F
    digits |= np.where(np.arange(3) < lengths[:, None] - 1, 0x80, 0)
    rows = np.column_stack((np.full(len(values), 8 << 3), digits)).astype(np.uint8)
    keep = np.arange(4) <= lengths[:, None]
    return attribute(name, INTS, rows[keep].tobytes())


def floats(name: str, values: np.ndarray[Any, Any]) -> bytes:
    """Make a list of floats, a field for each of them."""
    rows = np.empty(len(values), [("tag", "u1"), ("value", "<f4")])
    rows["tag"], rows["value"] = 7 << 3 | 5, values
    return attribute(name, FLOATS, rows.tobytes())


def strings(name: str, values: Sequence[bytes]) -> bytes:
    """Make a list of strings, a field for each of them."""
    framed = {value: bytes([9 << 3 | 2]) + varint(len(value)) + value for value in set(values)}
    return attribute(name, STRINGS, b"".join(map(framed.__getitem__, values)))


def operator(
    op_type: str,
    attributes: Sequence[bytes],
    outputs: Sequence[str] = ("output",),
    domain: str = "ai.onnx.ml",
) -> bytes:
    """Make a node (GraphProto field 1); its last output is that of the model."""
    values = [text(1, "input"), *(text(2, output) for output in outputs)]
    pieces: Pieces = [*values, text(3, op_type), text(4, op_type)]
    return bytes(flat(message(1, [*pieces, *attributes, text(7, domain)])))


def save(path: Path, node: bytes, features: int, targets: int) -> None:
    """Write a model of one node."""
    ml = flat(message(8, [text(1, "ai.onnx.ml"), number(2, 3)]))
    write(path, [*model([node], [], (1, features), "output", (1, targets)), ml])


# ------------------------------------------------------------------------------------ models


def grown(seed: int, leaves: int = LEAVES) -> Iterator[tuple[int, int]]:
    """Yield the children of each node of a tree grown leaf by leaf; (0, 0) of a leaf."""
    random = np.random.default_rng(seed)
    children: list[tuple[int, int]] = [(0, 0)]
    open_leaves = [0]
    for _ in range(leaves - 1):
        at = open_leaves.pop(int(random.integers(len(open_leaves))))
        children[at] = (len(children), len(children) + 1)
        open_leaves += children[at]
        children += [(0, 0), (0, 0)]
    yield from children


def write_trees(path: Path, scale: float) -> None:
    """Make a TreeEnsembleRegressor of five million nodes, as onnxmltools writes LightGBM's."""
    count = max(1, round(5005 * scale))
    shapes = [np.array(list(grown(seed))) for seed in range(min(8, count))]
    children = np.concatenate([shapes[tree % len(shapes)] for tree in range(count)])
    size = 2 * LEAVES - 1
    trees, ids = np.divmod(np.arange(count * size), size)
    leaf = children[:, 0] == 0
    random = np.random.default_rng(0)
    modes = np.where(leaf, 0, 1).tolist()
    attributes = [
        attribute("n_targets", INT, number(3, 1)),
        ints("nodes_falsenodeids", children[:, 1]),
        ints("nodes_featureids", random.integers(0, 100, len(ids)) * ~leaf),
        floats("nodes_hitrates", np.ones(len(ids))),
        ints("nodes_missing_value_tracks_true", random.integers(0, 2, len(ids))),
        strings("nodes_modes", [(b"LEAF", b"BRANCH_LEQ")[mode] for mode in modes]),
        ints("nodes_nodeids", ids),
        ints("nodes_treeids", trees),
        ints("nodes_truenodeids", children[:, 0]),
        floats("nodes_values", random.normal(size=len(ids)) * ~leaf),
        attribute("post_transform", STRING, text(4, "NONE")),
        ints("target_ids", np.zeros(int(leaf.sum()))),
        ints("target_nodeids", ids[leaf]),
        ints("target_treeids", trees[leaf]),
        floats("target_weights", random.normal(size=int(leaf.sum()))),
    ]
    save(path, operator("TreeEnsembleRegressor", attributes), 100, 1)


def write_svm(path: Path, scale: float) -> None:
    """Make an SVMClassifier of 400,000 support vectors of 99 features."""
    vectors = max(2, round(400_000 * scale))
    random = np.random.default_rng(0)
    attributes = [
        ints("classlabels_ints", np.array([0, 1])),
        floats("coefficients", random.normal(size=vectors)),
        floats("kernel_params", np.array([0.1, 0.0, 3.0])),
        attribute("kernel_type", STRING, text(4, "RBF")),
        floats("rho", np.array([0.5])),
        floats("support_vectors", random.normal(size=vectors * 99)),
        ints("vectors_per_class", np.array([vectors // 2, vectors - vectors // 2])),
    ]
    save(path, operator("SVMClassifier", attributes, ("label", "output")), 99, 2)


def write_linear(path: Path, scale: float) -> None:
    """Make a LinearClassifier of 400 classes and 100,000 features."""
    features = max(1, round(100_000 * scale))
    random = np.random.default_rng(0)
    attributes = [
        ints("classlabels_ints", np.arange(400)),
        floats("coefficients", random.normal(size=features * 400)),
        floats("intercepts", random.normal(size=400)),
    ]
    save(path, operator("LinearClassifier", attributes, ("label", "output")), features, 400)


def write_words(path: Path, scale: float) -> None:
    """Make a TfIdfVectorizer of seven million words of 10 to 13 letters, all different."""
    count = max(1, round(7_000_000 * scale))
    words = [b"word%07d%s" % (at, b"abc"[: at % 3]) for at in range(count)]
    attributes = [
        attribute("mode", STRING, text(4, "TFIDF")),
        ints("ngram_counts", np.array([0])),
        ints("ngram_indexes", np.arange(count) % (1 << 21)),
        strings("pool_strings", words),
        floats("weights", np.ones(count)),
    ]
    save(path, operator("TfIdfVectorizer", attributes, domain=""), 1, min(count, 1 << 21))


MODELS: dict[str, Callable[[Path, float], None]] = {
    "trees": write_trees,
    "svm": write_svm,
    "linear": write_linear,
    "words": write_words,
}
"""What writes each model, by its name."""


def main() -> None:
    """Write the models that were asked for."""
    parser = argparse.ArgumentParser(description="Make large classical models.")
    parser.add_argument("folder", type=Path, help="made if missing; needs 1 GB of disk")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--scale", type=float, default=1, help="a share of the size")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.models:
        path: Path = options.folder / f"{name}.onnx"
        MODELS[name](path, options.scale)
        print(f"{name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
