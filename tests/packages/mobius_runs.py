"""Small graphs of mobius-onnx, given weights and run: shapes and MACs beside graphcount's.

    python -m tests.packages.mobius_models small FOLDER    # by a Python that has mobius-onnx
    python -m tests.packages.mobius_runs FOLDER [WORD ...]

Weights are random and tiny. Sizes follow from the names of dimensions: a batch of `BATCH`, a past
of `PAST`, a sequence of `SEQUENCE`; an expression in a name is worked out.
"""

from __future__ import annotations

import collections
import re
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import numpy as np
import onnx
from onnx import helper, numpy_helper

import graphcount
from tests.packages.beside import compare, derived, written
from tests.packages.truth import Array, NotRun, Run, drawn, fixed, run

BATCH, PAST = 1, 4
SEQUENCES = (3, 16, 1, 1600)
"""Words; patches, which are merged by fours; one step of a state; sound."""
LARGEST_ELEMENTS = 50_000_000
TIMEOUT_S = 30


def size(name: str, sequence: int) -> int:
    """Return the size of a dimension by its name, which may be a sum or a product of names."""
    text = re.sub(r"[A-Za-z_][A-Za-z0-9_.]*", lambda match: str(_named(match[0], sequence)), name)
    if re.fullmatch(r"[0-9+*/() -]+", text):
        return int(eval(text.replace("/", "//")))  # digits and signs only
    return sequence


def _named(name: str, sequence: int) -> int:
    if "batch" in name:
        return BATCH
    if "total" in name:
        return PAST + sequence
    return PAST if "past" in name else sequence


def with_weights(path: Path) -> onnx.ModelProto:
    """Return a model whose external tensors hold random elements.

    Raises:
        NotRun: They are too many.
    """
    model = onnx.load(path, load_external_data=False)
    random = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        if np.prod(tensor.dims, dtype=np.int64) > LARGEST_ELEMENTS:
            raise NotRun(f"{tensor.name} is too large")
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        array = (drawn(random, np.float32, tensor.dims) * 0.01).astype(dtype)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return model


def feeds_of(model: onnx.ModelProto, sequence: int) -> dict[str, Array]:
    """Return random feeds; masks are all 1, positions count up."""
    random = np.random.default_rng(0)
    stored = {one.name for one in model.graph.initializer}
    feeds = {}
    for info in model.graph.input:
        if info.name in stored:
            continue
        tensor = info.type.tensor_type
        dims = [
            size(dim.dim_param, sequence) if dim.dim_param else dim.dim_value
            for dim in tensor.shape.dim
        ]
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        array = drawn(random, dtype, dims)
        if "mask" in info.name:
            array = np.ones(dims, dtype)
        elif "position" in info.name and array.dtype.kind == "i":
            array = np.broadcast_to(np.arange(PAST, PAST + dims[-1]), dims).astype(dtype)
        feeds[info.name] = array
    return feeds


def _late(_signal: int, _frame: FrameType | None) -> None:
    raise NotRun(f"more than {TIMEOUT_S} s")


def main(arguments: Sequence[str]) -> None:
    """Print a line for each model that differs, then sums."""
    folder, words = Path(arguments[0]), arguments[1:]
    signal.signal(signal.SIGALRM, _late)
    sums: collections.Counter[str] = collections.Counter()
    for path in sorted(folder.rglob("*.onnx")):
        name = str(path.relative_to(folder).with_suffix(""))
        if words and not any(word in name for word in words):
            continue
        signal.alarm(TIMEOUT_S)
        try:
            sums += checked(path, name)
        except NotRun as error:
            sums["not run"] += 1
            print(f"not run {name}: {error}"[:230])
        finally:
            signal.alarm(0)
    print(dict(sums))


def runnable(model: onnx.ModelProto) -> tuple[dict[str, Array], Run]:
    """Return feeds with which a model runs, and what it shows.

    Raises:
        NotRun: It does at no size.
    """
    first: NotRun | None = None
    for sequence in SEQUENCES:
        feeds = feeds_of(model, sequence)
        try:
            return feeds, run(model, feeds)
        except NotRun as error:
            first = first or error
    assert first is not None
    raise first


def checked(path: Path, name: str) -> collections.Counter[str]:
    """Return the sums of one model."""
    model = with_weights(path)
    feeds, shown = runnable(model)
    with tempfile.TemporaryDirectory() as folder:
        copy = str(Path(folder) / "model.onnx")
        Path(copy).write_bytes(fixed(model, feeds).SerializeToString())
        report = graphcount.count(copy, cost=True)
        one = compare(shown, derived(copy))
    ours = report.totals.macs_expression or report.totals.macs
    equal = ours == shown.counter.total and not shown.counter.left
    if not equal:
        print(f"macs {name}: {ours}, shown {shown.counter.total} {dict(shown.counter.left)}"[:400])
    for title, rows in (("wrong", one.wrong), ("open", one.open)):
        for row in rows[:4]:
            print(f"{title} {name}: {row[0]} {row[1]} {written(row[2])} shown {row[3]}")
    return collections.Counter(
        models=1,
        values=one.values,
        equal=one.equal,
        open=len(one.open),
        wrong=len(one.wrong),
        macs_equal=int(equal),
        macs_differ=int(not equal),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
