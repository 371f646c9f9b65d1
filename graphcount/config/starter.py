"""A first configuration: today's numbers of some models with headroom."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import PurePath

from graphcount.errors import UsageError
from graphcount.formats.text import safe
from graphcount.gates.doubts import doubt
from graphcount.gates.measures import FAMILIES, MEASURES
from graphcount.gates.subject import Subject
from graphcount.report.rows import Dim
from graphcount.report.serial import inert_json
from graphcount.symbolic.names import option
from graphcount.units import nbytes, spelled

BUDGETED = ("parameters", "nbytes", "disk_nbytes", "macs", "peak_activation_nbytes")
"""Measures that get a budget where they are known exactly."""

COLUMN = 40
"""Where comments begin."""


def starter(
    subjects: Iterable[Subject],
    file: str,
    headroom: Fraction,
    dims: Mapping[str, int],
    shapes: Mapping[str, Sequence[Dim]],
    table: str = "",
) -> str:
    """Return the text of a configuration with one check a model.

    Args:
        subjects: The models.
        file: Where it will be: paths are relative to its folder.
        headroom: Share of today's number that is added to it.
        dims: Sizes of dynamic dimensions; a check has those that its model has.
        shapes: Shapes of inputs; the same.
        table: What stands before every table: `tool.graphcount.` in pyproject.toml.

    Raises:
        UsageError: A path cannot be written in TOML.
    """
    percent = f"{float(headroom * 100):g}%"
    lines = [
        f"# Budgets with {percent} headroom over today's numbers, written by graphcount init.",
        "# What a budget can be set on: graphcount check --list-measures",
    ]
    names: set[str] = set()
    for subject in subjects:
        lines += ["", *_check(subject, file, headroom, dims, shapes, table, names)]
    return "\n".join(lines) + "\n"


def with_headroom(value: int, headroom: Fraction) -> int:
    """Return the number with its headroom, rounded up."""
    grown = value * (1 + headroom)
    return -(-grown.numerator // grown.denominator)


def _check(
    subject: Subject,
    file: str,
    headroom: Fraction,
    dims: Mapping[str, int],
    shapes: Mapping[str, Sequence[Dim]],
    table: str,
    names: set[str],
) -> list[str]:
    """Return one model's tables."""
    report = subject.report
    path = report.model.path
    lines = [f"[[{table}checks]]", f"name = {_text(_name(path, names))}"]
    lines.append(f"paths = [{_text(glob.escape(_relative(path, file)))}]")
    own = {name: size for name, size in dims.items() if name == "*" or name in report.dims}
    inputs = {value.name for value in report.model.inputs}
    given = {name: shape for name, shape in shapes.items() if name in inputs}
    if own:
        lines.append(f"dims = {_sizes(own)}")
    if given:
        rows = (f"{_key(k)} = {_text('x'.join(map(_dim, v)))}" for k, v in given.items())
        lines.append(f"shapes = {{ {', '.join(rows)} }}")
    lines += [*_wanted(subject, own), *_lists(subject), "", f"[{table}checks.max]"]
    for name in BUDGETED:
        lines.append(_budget(subject, name, headroom))
    return lines


def _wanted(subject: Subject, own: Mapping[str, int]) -> list[str]:
    """Return which dimensions have no size, and sizes for them as an example to switch on.

    The example has the sizes that are assumed for reading; no budget comes of them.
    """
    rows = subject.report.dimensions
    if not rows:
        return []
    names = ", ".join(safe(row.name) for row in rows[:MOST_NAMES])
    more = f", {len(rows) - MOST_NAMES:,} more" if len(rows) > MOST_NAMES else ""
    are, sizes = ("is", "a size or a range") if len(rows) == 1 else ("are", "sizes or ranges")
    example = dict(list({**own, **subject.report.assumed_sizes}.items())[:MOST_NAMES])
    options = " ".join(option(safe(name), size) for name, size in example.items())
    return [
        f"# {names}{more} {are} dynamic: budgets of MACs and memory want {sizes} ('1:8').",
        f"# graphcount init {options} writes them, with this line:",
        f"# dims = {_sizes(example)}",
    ]


MOST_NAMES = 12
"""Dimensions that a comment names."""


def _sizes(dims: Mapping[str, int]) -> str:
    return f"{{ {', '.join(f'{_key(name)} = {size}' for name, size in dims.items())} }}"


def _key(name: str) -> str:
    """Return a key of TOML: bare where it may be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _budget(subject: Subject, name: str, headroom: Fraction) -> str:
    """Return `parameters = 29_619  # today 26,926`, or why there is none."""
    measure = MEASURES[name]
    value = measure.read(subject)
    unsure = doubt(subject, measure, value)
    if value is None or unsure:
        return f"# {name}: {safe(unsure, 200)}"
    today = spelled(value, measure.unit)
    size = f" ({nbytes(value)})" if measure.unit == "bytes" and value >= 1000 else ""
    text = f"{name} = {with_headroom(value, headroom):_}"
    return f"{text:{COLUMN}}  # today {today}{size}"


def _lists(subject: Subject) -> list[str]:
    """Return lists of today's operators and types, to be switched on."""
    dtypes = sorted(FAMILIES["nbytes"].present(subject))
    operators = sorted(FAMILIES["nodes"].present(subject))
    lines = [f"# dtypes = [{', '.join(map(_text, dtypes))}]"] if dtypes else []
    if 0 < len(operators) <= 40:
        lines.append(f"# operators = [{', '.join(map(_text, operators))}]")
    opset = subject.report.model.opset_imports.get("")
    return [*lines, f"# opset = {opset}"] if opset else lines


def _name(path: str, names: set[str]) -> str:
    """Return the file's name without its suffix; a number makes it unique."""
    stem = PurePath(path).stem or "model"
    name, number = stem, 2
    while name in names:
        name, number = f"{stem} {number}", number + 1
    names.add(name)
    return name


def _relative(path: str, file: str) -> str:
    folder = os.path.dirname(os.path.abspath(file))
    try:
        result = os.path.relpath(os.path.abspath(path), folder)
    except ValueError:  # another drive
        result = os.path.abspath(path)
    return PurePath(result).as_posix()


def _dim(dim: Dim) -> str:
    return "?" if dim is None else str(dim)


def _text(text: str) -> str:
    """Return a basic string of TOML: JSON's escapes, but characters beyond 16 bits as they are."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"{text!r} is not UTF-8 and cannot be written in TOML") from None
    quoted = inert_json(json.dumps(text, ensure_ascii=False))
    return "".join(
        f"\\U{ord(letter):08x}" if safe(letter, None) != letter and letter != "\\" else letter
        for letter in quoted
    )
