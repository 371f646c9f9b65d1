"""Options of sizes: `--dim`, `--shape`, `--value`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from graphcount.units import parse_number, parse_range, parse_shape


def _parse_dims(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, int | tuple[int, int]]:
    """Read `batch=8`, `batch=1:8`, `*=1`."""
    dims: dict[str, int | tuple[int, int]] = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r}: write it as name=size, e.g. batch=8 or batch=1:8")
        try:
            size = parse_range(number)
        except ValueError as error:
            raise click.BadParameter(f"{name}: {error}") from None
        if dims.setdefault(name, size) != size:
            raise click.BadParameter(f"{name} is given two sizes: {dims[name]} and {size}")
    return dims


def _parse_shapes(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, tuple[int | str | None, ...]]:
    """Read `input=1x3x224x224`, `input=1,3,224,224`, `input=[1,3,224,224]`; `?` says nothing."""
    shapes: dict[str, tuple[int | str | None, ...]] = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        shape = parse_shape(sizes)
        if not equals or not name or shape is None:
            example = "input=1x3x224x224"
            raise click.BadParameter(f"{text!r}: write it as input=dims, e.g. {example}")
        if shapes.setdefault(name, shape) != shape:
            raise click.BadParameter(f"{name} is given two shapes")
    return shapes


def _parse_values(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, tuple[int | float, ...]]:
    """Read `sr=16000`, `use_cache=true`, `sizes=640,480`."""
    values: dict[str, tuple[int | float, ...]] = {}
    for text in texts:
        name, equals, numbers = text.rpartition("=")
        read = [parse_number(number) for number in numbers.strip("[]").split(",")]
        elements = tuple(number for number in read if number is not None)
        if not equals or not name or len(elements) != len(read):
            raise click.BadParameter(f"{text!r}: write it as input=value, e.g. sr=16000")
        if values.setdefault(name, elements) != elements:
            raise click.BadParameter(f"{name} is given two values")
    return values


dim_option = click.option(
    "--dim",
    "dims",
    multiple=True,
    metavar="NAME=N",
    callback=_parse_dims,
    help="Size of a dynamic dimension, e.g. batch=8, or for count and check a range, batch=1:8; *=1"
    " is every other one. An axis without a name is x[2]. May be repeated.",
)


def dim_of(side: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option of sizes of one of two models."""
    return click.option(
        f"--{side}-dim",
        f"{side}_dims",
        multiple=True,
        metavar="NAME=N",
        callback=_parse_dims,
        help=f"Size of a dynamic dimension of {side.upper()} alone. May be repeated.",
    )


shape_option = click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="INPUT=DIMS",
    callback=_parse_shapes,
    help="Shape of an input, e.g. input=1x3x224x224, also in the place of a fixed one. May be"
    " repeated.",
)
value_option = click.option(
    "--value",
    "input_values",
    multiple=True,
    metavar="INPUT=V[,V]",
    callback=_parse_values,
    help="Value of a small input that decides what is computed, e.g. sr=16000. May be repeated.",
)


def split_sizes(
    options: Mapping[str, Any], configured: Mapping[str, int | tuple[int, int]] | None = None
) -> dict[str, Any]:
    """Return options with ranges apart from sizes, and with the sizes of a configuration.

    Args:
        options: As given; `dims` may have sizes and ranges.
        configured: What the configuration says of dimensions; options win, and a model may lack
            these.
    """
    if "dims" not in options:
        return dict(options)
    for side in ("old_dims", "new_dims"):
        _refuse_ranges(options.get(side, {}))
    dims = {**(configured or {}), **options["dims"]}
    return {
        **options,
        "dims": {name: size for name, size in dims.items() if isinstance(size, int)},
        "ranges": {name: size for name, size in dims.items() if not isinstance(size, int)},
        "where_present": frozenset(dims) - frozenset(options["dims"]),
    }


def sizes_alone(**options: Any) -> dict[str, Any]:
    """Return options of a command that takes no range.

    Raises:
        UsageError: One is given.
    """
    _refuse_ranges(options.get("dims", {}))
    return options


def _refuse_ranges(dims: Mapping[str, int | tuple[int, int]]) -> None:
    for name, size in dims.items():
        if not isinstance(size, int):
            low, high = size
            raise click.UsageError(
                f"--dim {name}={low}:{high}: a range is for graphcount count and check;"
                f" give one size, e.g. {name}={high}"
            )
