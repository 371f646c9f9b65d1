"""Baselines: numbers of models as they were, in a committed JSON file.

    {"schema": "graphcount.baseline/1", "graphcount": "1.0", "models": [
      {"path": "models/a.onnx", "sha256": "…", "dims": {}, "shapes": {}, "conventions": {},
       "measures": {"nbytes": 107720, "nodes.Conv": 2, "parameters": 26926}}]}

Paths are relative to the file, with `/`. Everything is sorted, so that a change is a small diff.
The SHA-256 says which file was measured; comparing never reads weights, so it is not looked at.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from graphcount.errors import DamagedError, UsageError
from graphcount.gates.doubts import doubt
from graphcount.gates.measure import Measure
from graphcount.gates.measures import FAMILIES, MEASURES, NOT_IN_BASELINES, find_measure
from graphcount.gates.subject import Subject
from graphcount.loading.source import open_regular
from graphcount.report.rows import Dim
from graphcount.version import __version__

BASELINE_SCHEMA = "graphcount.baseline/1"
MAX_NBYTES = 256 * 2**20

InputShapes = Mapping[str, Sequence[Dim]]

Conventions = Mapping[str, str | bool]
"""How was counted where that is not the usual way: `macs_convention`, `in_place`, `value sr`."""


class Entry(NamedTuple):
    """One model as it was, under the sizes and conventions it was measured with."""

    path: str
    sha256: str | None
    dims: dict[str, int]
    shapes: dict[str, list[Dim]]
    conventions: Conventions
    measures: dict[str, int]


class Baseline(NamedTuple):
    """A file of entries.

    Attributes:
        file: Its path.
        graphcount: Version that wrote it.
    """

    file: str
    graphcount: str
    entries: tuple[Entry, ...]

    @property
    def note(self) -> str:
        """A note about its age; empty when it is of this version."""
        if self.graphcount == __version__:
            return ""
        return (
            f"{self.file}: written by graphcount {self.graphcount}, this is {__version__}:"
            " counting may have changed; write it again to be sure"
        )


def entry(
    file: str,
    subject: Subject,
    dims: Mapping[str, int],
    shapes: InputShapes,
    asked: Iterable[str] = (),
    conventions: Conventions | None = None,
) -> Entry:
    """Return a baseline's entry of a model: the measures that are known exactly.

    Args:
        file: Path of the baseline.
        subject: The model; its SHA-256 if it is in the report.
        dims: Sizes of dynamic dimensions.
        shapes: Shapes of inputs.
        asked: Measures that are remembered although they cost more than counting.
        conventions: How was counted, where that is not the usual way.
    """
    names = [name for name in MEASURES if name not in NOT_IN_BASELINES]
    for family in FAMILIES.values():
        names += [f"{family.prefix}.{argument}" for argument in family.present(subject)]
    measured = {}
    for name in sorted({*names, *asked}):
        measure = _measure(name)
        value = measure.read(subject) if measure else None
        if measure and value is not None and not doubt(subject, measure, value):
            measured[name] = value
    model = subject.report.model
    plain = {name: list(shape) for name, shape in sorted(shapes.items())}
    sizes = dict(sorted(dims.items()))
    return Entry(
        relative(file, model.path), model.sha256, sizes, plain, conventions or {}, measured
    )


def write_text(entries: Iterable[Entry]) -> str:
    """Return the file's text."""
    rows = [row._asdict() for row in sorted(entries, key=_order)]
    data = {"schema": BASELINE_SCHEMA, "graphcount": __version__, "models": rows}
    return json.dumps(data, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def read_baseline(file: str) -> Baseline:
    """Read a baseline.

    Raises:
        NotReadableError: There is no such file.
        DamagedError: It is no baseline of this version.
    """
    data = read_json(file)
    if not isinstance(data, dict) or data.get("schema") != BASELINE_SCHEMA:
        schema = data.get("schema") if isinstance(data, dict) else None
        raise DamagedError(f"not a {BASELINE_SCHEMA}: schema is {schema!r}", file)
    try:
        entries = tuple(_entry(row) for row in data["models"])
        return Baseline(file, str(data["graphcount"]), entries)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"not a complete {BASELINE_SCHEMA}: {error}", file) from None


def lookup(
    baseline: Baseline,
    path: str,
    dims: Mapping[str, int],
    shapes: InputShapes,
    names: Iterable[str],
    conventions: Conventions | None = None,
    others: Iterable[str] = (),
) -> dict[str, int]:
    """Return the values that a baseline has of a model's measures.

    Args:
        baseline: The file.
        path: The model's.
        dims: Sizes of dynamic dimensions.
        shapes: Shapes of inputs.
        names: Measures that it must know.
        conventions: How is counted, where that is not the usual way.
        others: Measures that it may know.

    Raises:
        UsageError: The baseline is stale: it does not have the model, has it with other sizes of
            dimensions or counted in another way, or does not have a measure.
    """
    again = "; write it again with --write-baseline"
    rows = _entries(baseline, path)
    if not rows:
        raise UsageError(f"{baseline.file}: stale: does not have {path}{again}")
    plain = {name: list(shape) for name, shape in shapes.items()}
    wanted = dims, plain, conventions or {}
    row = next((row for row in rows if (row.dims, row.shapes, row.conventions) == wanted), None)
    if row is None:
        had = _conditions(rows[0].dims, rows[0].shapes, rows[0].conventions)
        now = _conditions(*wanted)
        raise UsageError(f"{baseline.file}: stale: has {path} with {had}, not with {now}{again}")
    values = {name: _value(row, name) for name in (*names, *others)}
    for name in names:
        if values[name] is None:
            raise UsageError(f"{baseline.file}: stale: does not know {name} of {path}{again}")
    return {name: value for name, value in values.items() if value is not None}


def has_model(baseline: Baseline, path: str) -> bool:
    """Return whether a baseline has a model, under whatever sizes."""
    return bool(_entries(baseline, path))


def _entries(baseline: Baseline, path: str) -> list[Entry]:
    key = relative(baseline.file, path)
    return [row for row in baseline.entries if row.path == key]


def _value(row: Entry, name: str) -> int | None:
    family = FAMILIES.get(name.partition(".")[0]) if "." in name else None
    return row.measures.get(name, family.absent if family else None)


def valued(values: Mapping[str, Sequence[int | float]]) -> Conventions:
    """Return elements of inputs as conventions: what they decide is counted so."""
    return {f"value {name}": ",".join(map(str, row)) for name, row in sorted(values.items())}


def read_json(file: str) -> object:
    """Read a JSON file someone else wrote: bounded, strict.

    Raises:
        NotReadableError: No such file, or no regular one.
        DamagedError: Not JSON.
    """
    with open_regular(file) as stream:
        data = stream.read(MAX_NBYTES + 1)
    if len(data) > MAX_NBYTES:
        raise DamagedError(f"longer than {MAX_NBYTES:,} bytes", file)
    try:
        return json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"not JSON: {error}", file) from None


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _measure(name: str) -> Measure | None:
    try:
        return find_measure(name)
    except UsageError:  # an operator whose name is nearly a known one
        return None


def _entry(row: dict[str, Any]) -> Entry:
    measures = dict(row["measures"])
    if not all(
        isinstance(value, int) and not isinstance(value, bool) and value >= 0
        for value in measures.values()
    ):
        raise ValueError("a measure is no whole number from 0")
    sizes = dict(row["dims"]), dict(row["shapes"])
    return Entry(
        str(row["path"]), row["sha256"], *sizes, dict(row.get("conventions", {})), measures
    )


def _conditions(dims: Mapping[str, int], shapes: InputShapes, conventions: Conventions) -> str:
    """Return the sizes and conventions of a measurement, in the words of the options."""
    parts = [f"{name}={size}" for name, size in dims.items()]
    parts += [f"{name}={'x'.join(map(str, shape))}" for name, shape in shapes.items()]
    parts += [f"{name}={value}".lower() for name, value in conventions.items()]
    return ", ".join(parts) or "no sizes"


def _order(row: Entry) -> tuple[str, str]:
    return row.path, json.dumps([row.dims, row.shapes, row.conventions])


def relative(file: str, path: str) -> str:
    """Return the path of a model as a file beside it spells it: from its own folder, with `/`."""
    folder = os.path.dirname(os.path.abspath(file))
    absolute = os.path.abspath(path)
    try:
        absolute = os.path.relpath(absolute, folder)
    except ValueError:  # another drive
        pass
    return PurePath(absolute).as_posix()
