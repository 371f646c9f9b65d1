"""Ranges beside `onnxsim.shape_cost`: the most MACs and the most bytes of the peak.

    python -m tests.packages.onnxsim_bounds FOLDER [--every N]    # by a Python that has onnxsim

Both get the same ranges, those of `extents.py`: of every dimension of every input, so that onnxsim
needs no names. A line a model: what each of the two says of the most MACs (exact, a bound, nothing)
and of the peak, how many times as high onnxsim's most MACs are, seconds. Then sums. Memory is
limited to 8 GiB. For onnxsim local functions are inlined, and external data that is missing is
zeros.
"""

from __future__ import annotations

import argparse
import collections
import math
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.inliner import inline_local_functions

import graphcount
from graphcount.report.records import Report
from graphcount.symbolic.extremes import extremes
from graphcount.symbolic.text import formula
from tests.packages.extents import fitted, wide, word
from tests.packages.grids import models

MEMORY = 8 * 2**30

Ranges = dict[str, tuple[int, int]]


def input_shapes(report: Report, ranges: Ranges) -> dict[str, list[Any]]:
    """Return the least and the most of every dimension of every input, as onnxsim takes them."""
    return {
        value.name: [_ends(dim, ranges) for dim in value.shape]
        for value in report.model.inputs
        if value.shape is not None
    }


def _ends(dim: int | str | None, ranges: Ranges) -> Any:
    if not isinstance(dim, str):
        return dim
    size = formula(dim)
    if size is None:
        return None
    both = extremes(size, ranges)
    return both.least.value, both.most.value


def filled(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with functions inlined, and zeros in the place of external data."""
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            size = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize
            tensor.ClearField("external_data")
            tensor.data_location = onnx.TensorProto.DEFAULT
            tensor.raw_data = bytes(size * math.prod(tensor.dims))
    return inline_local_functions(model) if model.functions else model


def bounded(path: Path, shapes: dict[str, list[Any]]) -> tuple[int | None, int | None, bool, str]:
    """Return the most MACs and bytes of activations by onnxsim, whether it is whole, an error."""
    from onnxsim.shape_cost import bounds  # type: ignore[import-not-found]

    try:
        model = filled(onnx.load(str(path), load_external_data=False))
        made = bounds(model, input_shapes=shapes, plan_arena=False)
    except Exception as error:
        return None, None, False, type(error).__name__
    return made.macs.hi, made.peak_activation_bytes.hi, made.complete, ""


def main() -> None:
    """Print the lines and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    said: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    seconds: dict[str, list[float]] = {"graphcount": [], "onnxsim": []}
    for path in list(models([options.folder]))[:: options.every]:
        try:
            report = graphcount.count(str(path))
            if not report.dimensions or not report.totals.macs_expression:
                continue
            ranges = fitted(str(path), wide(report))
            begun = time.perf_counter()
            made = graphcount.count(str(path), ranges=ranges).ranges
            seconds["graphcount"].append(time.perf_counter() - begun)
        except graphcount.GraphcountError:
            continue
        assert made is not None
        rows = {row.measure: row for row in made.measures}
        macs, peak = rows["macs"], rows["peak_activation_nbytes"]
        begun = time.perf_counter()
        most, live, whole, error = bounded(path, input_shapes(report, ranges))
        seconds["onnxsim"].append(time.perf_counter() - begun)
        theirs = error or ("nothing" if most is None else "bound" if whole else "bound of a part")
        times = f"{most / macs.most:9.3f}" if most is not None and macs.most else "         "
        said["graphcount, MACs"][word(macs)] += 1
        said["graphcount, peak"][word(peak)] += 1
        said["onnxsim, MACs"][theirs] += 1
        said["onnxsim, peak"][error or ("nothing" if live is None else "bound")] += 1
        if most is not None and macs.most is not None and macs.most_exact:
            beside = "equal" if most == macs.most else "higher" if most > macs.most else "lower"
            said["onnxsim's most MACs where both know"][beside] += 1
        print(
            f"{str(path.relative_to(options.folder))[-60:]:60} {word(macs):9} {theirs:15} {times} "
            f"peak {word(peak):9} {'nothing' if live is None else 'bound':8} "
            f"{seconds['graphcount'][-1]:6.2f} s {seconds['onnxsim'][-1]:6.2f} s",
            flush=True,
        )
    for name, counted in said.items():
        print(f"{name}: {dict(counted)}")
    for name, taken in seconds.items():
        print(f"{name}: {statistics.median(taken):.2f} s median, {max(taken):.2f} s most")


if __name__ == "__main__":
    main()
