"""A model beside its run: each shape that graphcount derives, and its MACs.

    python -m tests.packages.beside MODEL.onnx images=1x3x320x320 sr:=16000 [--all]

`name=SHAPE` feeds random elements, `name:=VALUE` that value; what is not named is fed as declared.
"""

from __future__ import annotations

import collections
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import onnx

import graphcount
from tests.packages.macs import Shape
from tests.packages.truth import Feeds, Run, fed, fixed, run

Dims = tuple[Any, ...]


class Compared(NamedTuple):
    """Shapes of one model beside those of a run.

    Attributes:
        values: Values that the run showed and the graph has.
        equal: Those whose derived shape is the same.
        open: (operator, value, derived, shown): a dimension is not known, or a symbol.
        wrong: The same, where a derived number is another.
    """

    values: int
    equal: int
    open: list[tuple[str, str, Dims | None, Shape]]
    wrong: list[tuple[str, str, Dims | None, Shape]]


def derived(
    path: str,
    sizes: Mapping[str, Sequence[int]] | None = None,
    elements: Mapping[str, Sequence[float]] | None = None,
) -> dict[str, Any]:
    """Return the shape that graphcount derives for each value, by its name if that is unique."""
    from graphcount.analysis.counts import count
    from graphcount.analysis.shapes import Bindings, infer_shapes
    from graphcount.analysis.values import Values

    model = graphcount.load(path)
    reader = Values(path, 1 << 24)
    bound: dict[str, tuple[int | str | None, ...]] = {
        name: tuple(shape) for name, shape in (sizes or {}).items()
    }
    try:
        rows = count(model.file, model.model_graph, reader).rows
        given = {name: tuple(one) for name, one in (elements or {}).items()}
        bindings = Bindings(shapes=bound, values=given)
        result = infer_shapes(model.proto, model.model_graph, rows, reader, bindings)
    finally:
        reader.close()
    nodes = model.model_graph.nodes
    shapes = {
        name: shape
        for (node, name), shape in result.shapes.items()
        if node in nodes and not nodes[node].scope
    }
    inside: dict[str, list[Any]] = collections.defaultdict(list)
    for (node, name), shape in result.shapes.items():
        if node in nodes and nodes[node].scope:
            inside[name].append(shape)
    shapes |= {
        name: made[0] for name, made in inside.items() if len(made) == 1 and name not in shapes
    }
    for inner, outside in model.model_graph.aliases.items():  # what local functions return
        if inner in result.shapes:
            shapes |= {name: result.shapes[inner] for scope, name in outside if not scope}
    return shapes


def compare(shown: Run, found: Mapping[str, Any]) -> Compared:
    """Compare shapes of values that an operator makes."""
    result = Compared(0, 0, [], [])
    values = equal = 0
    for name, shape in shown.shapes.items():
        if name not in shown.makers:
            continue
        values += 1
        dims = found.get(name)
        row = (shown.makers[name], name, dims, shape)
        if dims is None:
            result.open.append(row)
        elif len(dims) != len(shape) or any(
            isinstance(dim, int) and dim != size for dim, size in zip(dims, shape, strict=False)
        ):
            result.wrong.append(row)
        elif all(isinstance(dim, int) for dim in dims):
            equal += 1
        else:
            result.open.append(row)
    return result._replace(values=values, equal=equal)


class Verdict(NamedTuple):
    """A model beside its run, by one road.

    Attributes:
        road: `formula`, evaluated at the sizes; `options`, sizes given; `fixed` in a copy.
        macs: By graphcount: a number, or the formula that is left.
        lower_bound: graphcount says "at least".
        unknown: What it says is unknown of the cost.
        shapes: Derived shapes beside those shown.
        error: Why there is nothing.
    """

    road: str
    macs: int | str | None
    lower_bound: bool
    unknown: list[str]
    shapes: Compared
    error: str = ""


def judged(path: str, road: str, shown: Run, feeds: Feeds, values: Sequence[str] = ()) -> Verdict:
    """Count one file, and compare its shapes with a run."""
    sizes: dict[str, Shape] = {}
    elements: dict[str, list[float]] = {}
    if road == "options":
        sizes = {name: array.shape for name, array in feeds.items() if name not in values}
        elements = {name: feeds[name].reshape(-1).tolist() for name in values}
    try:
        report = graphcount.count(
            path, cost=True, shapes=sizes or None, input_values=elements or None
        )
        result = compare(shown, derived(path, sizes, elements))
    except graphcount.GraphcountError as error:
        return Verdict(road, None, True, [], Compared(0, 0, [], []), error.message)
    totals = report.totals
    unknown = [f"{one.where}: {one.why}" for one in report.unknown if one.affects == "cost"]
    macs = totals.macs_expression or totals.macs
    return Verdict(road, macs, totals.lower_bound, unknown, result)


def by_formula(path: str, feeds: Feeds, values: Sequence[str] = ()) -> Verdict:
    """Count one file without sizes, and evaluate the formula at those that are fed."""
    elements = {name: feeds[name].reshape(-1).tolist() for name in values}
    nothing = Compared(0, 0, [], [])
    try:
        report = graphcount.count(path, cost=True, input_values=elements or None)
        sizes: dict[str, int] = {}
        for row in report.model.inputs:
            for dim, size in zip(row.shape or (), feeds[row.name].shape, strict=False):
                if isinstance(dim, str):
                    sizes.setdefault(dim, size)
        macs = report.macs(**sizes)
    except graphcount.GraphcountError as error:
        return Verdict("formula", None, True, [], nothing, error.message)
    unknown = [one.why for one in report.unknown if one.what == "macs"]
    return Verdict("formula", macs, bool(unknown), unknown, nothing)


def verdicts(path: str, wanted: Sequence[str] = ()) -> tuple[Run, list[Verdict]]:
    """Return what a run shows of a file, and how graphcount does by each road.

    Raises:
        NotRun: onnxruntime does not run it.
    """
    model = onnx.load(path)
    feeds = fed(model, wanted)
    shown = run(model, feeds)
    values = [text.partition(":=")[0] for text in wanted if ":=" in text]
    found = [
        by_formula(path, feeds, values),
        judged(path, "options", shown, feeds, values),
    ]
    with tempfile.TemporaryDirectory() as folder:
        copy = str(Path(folder) / "fixed.onnx")
        Path(copy).write_bytes(fixed(model, feeds, values=values).SerializeToString())
        found.append(judged(copy, "fixed", shown, feeds))
    return shown, found


def main(arguments: Sequence[str]) -> None:
    """Compare one file."""
    few = None if "--all" in arguments else 8
    path, *wanted = [one for one in arguments if one != "--all"]
    shown, found = verdicts(path, wanted)
    counter = shown.counter
    print(f"MACs by onnxruntime  {counter.total:,} {dict(counter.by_op)}")
    if counter.left:
        print(f"no formula for       {dict(counter.left)}")
    for one in found:
        print(f"-- {one.road}: {one.error}")
        print(f"MACs by graphcount   {one.macs} {'at least' if one.lower_bound else ''}")
        print(f"shapes               {one.shapes.equal} of {one.shapes.values} equal")
        for text in one.unknown[:few]:
            print("    unknown", text)
        for title, rows in (("open", one.shapes.open), ("wrong", one.shapes.wrong)):
            print(f"{title:20} {len(rows)}", dict(collections.Counter(row[0] for row in rows)))
            for row in rows[:few]:
                print("    ", row[0], row[1], written(row[2]), "shown", row[3])


def written(dims: Dims | None) -> str:
    """Return a derived shape as text."""
    return "not derived" if dims is None else "[" + ", ".join(str(dim) for dim in dims) + "]"


if __name__ == "__main__":
    main(sys.argv[1:])
