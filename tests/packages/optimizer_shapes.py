"""Shapes of models that onnxruntime's optimizer and quantizers write, beside those of a run.

    python -m tests.packages.optimizer_shapes [--only WORD] [FILE or FOLDER ...]

Every model that onnxruntime runs is written anew: optimized at three levels, by the optimizer for
transformers, quantized dynamically, and statically in both formats with random calibration data.
Each variant runs with everything as an output, and each shape is compared twice with the derived
one: from the file as written, and without what it declares. A table by operator ends the output.

Without arguments: ../shared/corpus, ../shared/cases, ../shared/field and the fixtures.
"""

from __future__ import annotations

import collections
import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import onnx
import onnxruntime

import graphcount
from tests.packages.beside import compare, derived, written
from tests.packages.truth import Feeds, NotRun, drawn, fed, fixed, run

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
FOLDERS = (SHARED / "corpus", SHARED / "cases", SHARED / "field", ROOT / "fixtures")

LARGEST_NBYTES = 40 * 2**20
SIZES = (2, 1, 4)
"""Tried in turn for what is dynamic, until onnxruntime runs the model."""

TIMEOUT_S = 20
"""For one variant of a model; no other variant of one whose source takes longer."""


# ------------------------------------------------------------------------------------- variants


def optimized(level: str) -> Callable[[Path, Path, Feeds], None]:
    """Return what writes a model as onnxruntime optimizes it."""

    def write(path: Path, to: Path, feeds: Feeds) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        options.optimized_model_filepath = str(to)
        options.log_severity_level = 4
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    return write


def dynamic(path: Path, to: Path, feeds: Feeds) -> None:
    """Write a dynamically quantized model."""
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(str(path), str(to))


def static(form: str, *, per_channel: bool = False) -> Callable[[Path, Path, Feeds], None]:
    """Return what writes a statically quantized model."""

    def write(path: Path, to: Path, feeds: Feeds) -> None:
        from onnxruntime.quantization import QuantFormat, quantize_static
        from onnxruntime.quantization.calibrate import CalibrationDataReader

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            """Two random feeds."""

            def __init__(self) -> None:
                random = np.random.default_rng(1)
                self.left = [
                    {name: drawn(random, one.dtype, one.shape) for name, one in feeds.items()},
                    dict(feeds),
                ]

            def get_next(self) -> Any:
                return self.left.pop() if self.left else None

        quantize_static(
            str(path), str(to), Reader(), getattr(QuantFormat, form), per_channel=per_channel
        )

    return write


def for_transformers(path: Path, to: Path, feeds: Feeds) -> None:
    """Write a model as onnxruntime's optimizer for transformers fuses it."""
    from onnxruntime.transformers import optimizer

    made = optimizer.optimize_model(str(path), model_type="bert", opt_level=0, num_heads=0)
    made.save_model_to_file(str(to))


VARIANTS: dict[str, Callable[[Path, Path, Feeds], None]] = {
    "basic": optimized("ORT_ENABLE_BASIC"),
    "extended": optimized("ORT_ENABLE_EXTENDED"),
    "all": optimized("ORT_ENABLE_ALL"),
    "transformers": for_transformers,
    "dynamic": dynamic,
    "qdq": static("QDQ"),
    "qdq_channels": static("QDQ", per_channel=True),
    "qoperator": static("QOperator"),
}


# ---------------------------------------------------------------------------------------- child


def child(paths: Sequence[str], only: str) -> None:
    """Print a line of JSON for each variant of each model."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _late)
    logging.disable(logging.CRITICAL)
    output = os.fdopen(os.dup(1), "w")  # what libraries print goes elsewhere
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for path in paths:
        for record in records(Path(path), only):
            print(json.dumps(record), file=output, flush=True)
        print(json.dumps({"done": path}), file=output, flush=True)


def records(path: Path, only: str) -> Iterator[dict[str, Any]]:
    """Yield what each variant of a model shows."""
    name = str(path)
    try:
        if path.stat().st_size > LARGEST_NBYTES:
            raise NotRun("too large")
        signal.alarm(TIMEOUT_S)
        model, feeds = runnable(path)
    except Exception as error:
        yield {"model": name, "variant": "", "error": f"{type(error).__name__}: {error}"[:120]}
        return
    finally:
        signal.alarm(0)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.onnx"
        source.write_bytes(fixed(model, feeds, strip=False).SerializeToString())
        for variant, write in {"source": None, **VARIANTS}.items():
            if only and only not in ("source", variant):
                continue
            to = source if write is None else Path(folder) / f"{variant}.onnx"
            signal.alarm(TIMEOUT_S)
            try:
                if write is not None:
                    with contextlib.redirect_stdout(io.StringIO()):
                        write(source, to, feeds)
                yield {"model": name, "variant": variant, **compared(to, feeds)}
            except Exception as error:
                text = f"{type(error).__name__}: {error}".splitlines()[0][:120]
                yield {"model": name, "variant": variant, "error": text}
                if write is None:
                    return
            finally:
                signal.alarm(0)


def _late(_signal: int, _frame: FrameType | None) -> None:
    raise NotRun(f"more than {TIMEOUT_S} s")


def runnable(path: Path) -> tuple[onnx.ModelProto, Feeds]:
    """Return a model with feeds with which it runs.

    Raises:
        NotRun: None does.
    """
    model = onnx.load(path)
    last: Exception = NotRun("no size")
    for size in SIZES:
        try:
            feeds = fed(model, default=size)
            run(model, feeds)
            return model, feeds
        except NotRun as error:
            last = error
    raise last


def compared(path: Path, feeds: Feeds) -> dict[str, Any]:
    """Compare one file with its run, as written and without declarations."""
    model = onnx.load(path)
    given = {info.name for info in model.graph.input}
    feeds = {name: array for name, array in feeds.items() if name in given}
    shown = run(model, feeds)
    result: dict[str, Any] = {}
    for road, strip in (("written", False), ("stripped", True)):
        copy = path.with_suffix(f".{road}.onnx")
        copy.write_bytes(fixed(model, feeds, strip=strip).SerializeToString())
        one = compare(shown, derived(str(copy)))
        result[road] = {
            "values": one.values,
            "equal": one.equal,
            "open": [(row[0], row[1], written(row[2]), row[3]) for row in one.open],
            "wrong": [(row[0], row[1], written(row[2]), row[3]) for row in one.wrong],
        }
    report = graphcount.count(str(copy), cost=True)
    result["macs"] = [
        report.totals.macs_expression or report.totals.macs,
        shown.counter.total,
        dict(shown.counter.left),
        report.totals.lower_bound,
    ]
    result["operators"] = collections.Counter(
        shown.makers[name] for name in shown.shapes if name in shown.makers
    )
    return result


# --------------------------------------------------------------------------------------- parent


def measured(paths: Sequence[str], only: str) -> Iterator[dict[str, Any]]:
    """Yield the records of a child, and go on behind a model with which it dies."""
    left = list(paths)
    while left:
        command = [sys.executable, "-m", "tests.packages.optimizer_shapes", "--child", only, *left]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            for line in process.stdout:
                record = json.loads(line)
                if "done" in record:
                    left.remove(record["done"])
                else:
                    yield record
        if left:
            yield {"model": left[0], "variant": "", "error": "the process died"}
            left.pop(0)


def main(arguments: Sequence[str]) -> None:
    """Print what is wrong, then the table."""
    if arguments[:1] == ["--child"]:
        child(arguments[2:], arguments[1])
        return
    only = ""
    if arguments[:1] == ["--only"]:
        only, arguments = arguments[1], arguments[2:]
    folders = [Path(one) for one in arguments] or FOLDERS
    paths = sorted(
        {str(path) for one in folders for path in ([one] if one.is_file() else files(one))}
    )
    table: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    sums: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for record in measured(paths, only):
        kind = record["variant"] or "source"
        if "error" in record:
            sums[kind]["not run"] += 1
            print(f"not run {kind:12} {record['model'][-70:]}: {record['error']}")
            continue
        sums[kind]["models"] += 1
        for operator, times in record["operators"].items():
            table[operator]["values"] += times
        for road in ("written", "stripped"):
            add(record, road, sums[kind], table)
        ours, shown, left, lower_bound = record["macs"]
        sums[kind]["macs equal" if ours == shown else "macs differ"] += 1
        if ours != shown or left:
            bound = "at least " if lower_bound else ""
            print(f"macs {kind} {bound}{ours} shown {shown} {left} {record['model'][-70:]}")
    report(sums, table)


def add(
    record: dict[str, Any],
    road: str,
    sums: collections.Counter[str],
    table: dict[str, collections.Counter[str]],
) -> None:
    """Add one comparison to the sums, and print what is wrong in it."""
    one = record[road]
    sums[f"{road} values"] += one["values"]
    sums[f"{road} equal"] += one["equal"]
    for title in ("open", "wrong"):
        sums[f"{road} {title}"] += len(one[title])
        for operator, name, dims, shape in one[title]:
            table[operator][f"{road} {title}"] += 1
            model = record["model"][-60:]
            print(
                f"{title} {road} {record['variant']} {operator} {name[-40:]} {dims} {shape} {model}"
            )


def report(
    sums: dict[str, collections.Counter[str]], table: dict[str, collections.Counter[str]]
) -> None:
    """Print totals by variant, and operators with open or wrong shapes."""
    print()
    for kind, counts in sums.items():
        print(kind, dict(counts))
    total: collections.Counter[str] = sum(sums.values(), collections.Counter())
    print("total", dict(total))
    print()
    for operator, counts in sorted(table.items(), key=lambda item: -item[1]["values"]):
        if len(counts) > 1:
            print(operator, dict(counts))


def files(folder: Path) -> list[Path]:
    """Return the models below a folder."""
    return [path for path in folder.rglob("*.onnx") if path.is_file()]


if __name__ == "__main__":
    main(sys.argv[1:])
