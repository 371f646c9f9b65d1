"""A first configuration: today's numbers of some models with headroom."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import PurePath
from typing import NamedTuple, TypeAlias

from graphcount.errors import UsageError
from graphcount.formats.text import safe
from graphcount.gates.doubts import doubt, is_bound, measured
from graphcount.gates.measures import FAMILIES, MEASURES
from graphcount.gates.subject import Subject
from graphcount.report.rows import Dim
from graphcount.report.serial import inert_json
from graphcount.units import nbytes, spelled

BUDGETED = (
    *("parameters", "operand_elements", "nbytes", "disk_nbytes"),
    *("macs", "peak_activation_nbytes"),
)
"""Measures that get a budget where they are known exactly."""

COLUMN = 40
"""Where comments begin."""

SizeOrRange: TypeAlias = "int | tuple[int, int]"
"""The size of a dimension, or the least and the most of its range."""


class SizedModel(NamedTuple):
    """A model at the sizes that its check has.

    Attributes:
        subject: The model, counted at them.
        dims: Sizes and ranges of dynamic dimensions.
        shapes: Shapes of inputs.
        values: Elements of inputs.
        assumed: Those of `dims` that nobody gave.
        why: Why nothing is assumed of dimensions that have no size; empty otherwise.
    """

    subject: Subject
    dims: Mapping[str, SizeOrRange] = {}
    shapes: Mapping[str, Sequence[Dim]] = {}
    values: Mapping[str, Sequence[int | float]] = {}
    assumed: frozenset[str] = frozenset()
    why: str = ""


def starter(models: Iterable[SizedModel], file: str, headroom: Fraction, table: str = "") -> str:
    """Return the text of a configuration with one check a model.

    Args:
        models: The models.
        file: Where it will be: paths are relative to its folder.
        headroom: Share of today's number that is added to it.
        table: What stands before every table: `tool.graphcount.` in pyproject.toml.

    Raises:
        UsageError: A path or a shape cannot be written.
    """
    percent = f"{float(headroom * 100):g}%"
    lines = [
        f"# Budgets with {percent} headroom over today's numbers, written by graphcount init.",
        "# What a budget can be set on: graphcount check --list-measures",
    ]
    names: set[str] = set()
    for model in models:
        path = model.subject.report.model.path
        lines += ["", f"[[{table}checks]]", f"name = {_text(_name(path, names))}"]
        lines.append(f"paths = [{_text(glob.escape(_relative(path, file)))}]")
        lines += [*_sizes(model), *_lists(model.subject), "", f"[{table}checks.max]"]
        lines += [_budget(model.subject, name, headroom) for name in _budgeted(model.subject)]
    return "\n".join(lines) + "\n"


def with_headroom(value: int, headroom: Fraction) -> int:
    """Return the number with its headroom, rounded up."""
    grown = value * (1 + headroom)
    return -(-grown.numerator // grown.denominator)


def _sizes(model: SizedModel) -> list[str]:
    """Return the keys of sizes, and which of these are assumed."""
    dims = {name: _size(size) for name, size in model.dims.items()}
    shapes = {name: _text("x".join(map(_dim, dims))) for name, dims in model.shapes.items()}
    values = {name: str(list(elements)) for name, elements in model.values.items()}
    rows = [("dims", dims), ("shapes", shapes), ("values", values)]
    lines = [f"{key} = {_inline(items)}" for key, items in rows if items]
    if model.assumed:
        lines[0] += f"  # {_which(model)}assumed: change to what you deploy"
    if model.why:
        lines.append(f"# no sizes are assumed: {safe(model.why, 200)}")
    return lines


def _which(model: SizedModel) -> str:
    """Return which sizes are assumed, where some are given."""
    if len(model.assumed) == len(model.dims):
        return ""
    names = [safe(name) for name in model.dims if name in model.assumed]
    more = ", ..." if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more} "


MOST_NAMES = 12
"""Dimensions that a comment names."""


def _size(size: SizeOrRange) -> str:
    return str(size) if isinstance(size, int) else f'"{size[0]}:{size[1]}"'


def _inline(items: Mapping[str, str]) -> str:
    return f"{{ {', '.join(f'{_key(name)} = {text}' for name, text in items.items())} }}"


def _key(name: str) -> str:
    """Return a key of TOML: bare where it may be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _budgeted(subject: Subject) -> list[str]:
    """Return what gets a budget: of files that are not all there, the model file alone."""
    there = MEASURES["disk_nbytes"].read(subject) is not None
    return [name if there or name != "disk_nbytes" else "file_nbytes" for name in BUDGETED]


def _budget(subject: Subject, name: str, headroom: Fraction) -> str:
    """Return `parameters = 29_619  # today 26,926`, or why there is none."""
    measure = MEASURES[name]
    value = measured(subject, measure)
    unsure = doubt(subject, measure, value)
    if value is None or unsure:
        return f"# no budget of {name}, which {safe(unsure, 200)}"
    today = f"{'at most ' if is_bound(subject, measure) else ''}{spelled(value, measure.unit)}"
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
    if isinstance(dim, str):
        raise UsageError(f"a configuration has numbers in shapes, not {dim!r}; give its size")
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
