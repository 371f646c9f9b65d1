"""Is there a file that onnxruntime reads in one way and graphcount, in silence, in another?

    python tests/fuzz/runtime_differential.py --seed 1 --count 5000

As `differential.py`, held against a session of onnxruntime: names, types and shapes of the inputs
and names of the outputs. What onnxruntime refuses is no difference: it knows operators, and it
checks more. A session is made in a child process, which is started again where a file ends it.
Exit code 1: there is a silent difference.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parents[2]))

from graphcount.dtypes import DTYPES
from graphcount.errors import GraphcountError
from graphcount.loading.model import ModelProto
from tests.fuzz.differential import high_rules, read
from tests.fuzz.valid_models import control, convolution, functions
from tests.fuzz.wire_mutations import mutant

BASES = [make().SerializeToString() for make in (convolution, control, functions)]

NAMES = {"float32": "float", "float64": "double"}
"""Element types that onnxruntime calls otherwise."""


def changed(seed: int, number: int) -> tuple[int, bytes]:
    """Return the model that is changed, and the change."""
    rng = random.Random(f"{seed}/{number}")
    at = rng.randrange(len(BASES))
    return at, mutant(rng, BASES[at])


def view(proto: ModelProto) -> list[Any]:
    """Return what graphcount sees, in the words of onnxruntime; a negative size is not known."""
    inputs = []
    for info in proto.graph.fed_inputs:
        dtype = DTYPES.get(info.data_type)
        name = NAMES.get(dtype.name, dtype.name) if dtype else ""
        shape = [None if isinstance(dim, int) and dim < 0 else dim for dim in info.shape or ()]
        inputs.append([info.name, f"{info.type}({name})", shape])
    return [inputs, [info.name for info in proto.graph.outputs]]


def child(seed: int, first: int, last: int) -> None:
    """Print what onnxruntime sees in each file, a line of JSON each; null where it refuses.

    A line begins with "=": onnxruntime prints others.
    """
    import onnxruntime as ort

    ort.set_default_logger_severity(4)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    for number in range(first, last):
        data = changed(seed, number)[1]
        try:
            session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception:  # of many kinds, and no business of ours
            print("\n=null", flush=True)
            continue
        inputs = [[row.name, row.type, row.shape] for row in session.get_inputs()]
        outputs = [row.name for row in session.get_outputs()]
        print("\n=" + json.dumps([inputs, outputs]), flush=True)


def views(seed: int, count: int) -> list[Any]:
    """Return what onnxruntime sees in each file; None where it refuses it or dies of it."""
    seen: list[Any] = []
    while len(seen) < count:
        command = [sys.executable, __file__, "--seed", str(seed), "--child"]
        command += [str(len(seen)), str(count)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        lines = (line for line in done.stdout.splitlines() if line.startswith("="))
        seen += [json.loads(line[1:]) for line in lines]
        if len(seen) < count:
            seen.append(None)  # it died of this one
    return seen


def run(seed: int, count: int, folder: Path) -> tuple[Counter[str], list[tuple[int, Any, Any]]]:
    """Compare; return how many were of each kind, and the silent ones with both views."""
    known = [high_rules(base, folder) for base in BASES]
    kinds: Counter[str] = Counter()
    silent = []
    for number, theirs in enumerate(views(seed, count)):
        at, data = changed(seed, number)
        if theirs is None:
            kinds["refused by onnxruntime"] += 1
            continue
        try:
            ours = json.loads(json.dumps(view(read(data))))
            if ours == theirs:
                kinds["same"] += 1
            elif high_rules(data, folder) - known[at]:
                kinds["high"] += 1
            else:
                kinds["silent"] += 1
                silent.append((number, theirs, ours))
        except GraphcountError:
            kinds["refused"] += 1
    return kinds, silent


def main() -> int:
    """Run and print what there was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--child", type=int, nargs=2)
    options = parser.parse_args()
    if options.child:
        child(options.seed, *options.child)
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        kinds, silent = run(options.seed, options.count, Path(folder))
    print(f"seed {options.seed}: {dict(kinds)}, {time.monotonic() - started:.0f} s")
    for number, theirs, ours in silent[:20]:
        print(f"  silent {number}: {theirs} != {ours}")
    return 1 if silent else 0


if __name__ == "__main__":
    raise SystemExit(main())
