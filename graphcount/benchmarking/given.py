"""What a caller gives of inputs: sizes, shapes, values, files; checked, as bindings of a count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, prod
from typing import NamedTuple

from graphcount.analysis.shapes.declared import Bindings
from graphcount.analysis.shapes.sizes import GivenValues, no_such
from graphcount.benchmarking.files import Given, load
from graphcount.benchmarking.steering import MAX_ELEMENTS
from graphcount.dtypes import DTYPES, Family
from graphcount.errors import UsageError
from graphcount.loading.model import ValueInfo


class FedSizes(NamedTuple):
    """What the caller gives of the inputs; see `Bindings`, and `find` for the files."""

    dims: Mapping[str, int] = {}
    shapes: Mapping[str, Sequence[int | str | None]] = {}
    values: Mapping[str, GivenValues] = {}
    files: Sequence[str] = ()
    where_present: frozenset[str] = frozenset()


NOTHING_GIVEN = FedSizes()


def bindings_of(
    given: FedSizes, files: Mapping[str, Given], infos: Mapping[str, ValueInfo]
) -> Bindings:
    """Return the caller's sizes with those of files and of values.

    Raises:
        UsageError: Two of them disagree.
    """
    shapes: dict[str, tuple[int | str | None, ...]] = {k: tuple(v) for k, v in given.shapes.items()}
    values = dict(given.values)
    for name, held in files.items():
        if name in shapes and shapes[name] != held.shape:
            raise UsageError(f"input {name}: --shape and --input disagree", held.file.path)
        shapes[name] = held.shape
        elements = _elements(held, infos[name])
        if elements is not None:
            values[name] = elements
    for name, elements in given.values.items():
        declared = infos[name].shape if name in infos else ()
        if declared is None or (len(declared) == 1 and not isinstance(declared[0], int)):
            shapes.setdefault(name, (len(elements),))
    return Bindings(dict(given.dims), shapes, values, given.where_present)


def _elements(held: Given, info: ValueInfo) -> GivenValues | None:
    """Return the elements of a small file, which may steer."""
    if prod(held.shape) > MAX_ELEMENTS or info.type != "tensor" or _family(info) == "complex":
        return None
    numbers = load(held.file).reshape(-1).tolist()
    good = all(isinstance(number, int | float) and isfinite(number) for number in numbers)
    return tuple(map(_plain, numbers)) if good else None


def _plain(number: float) -> int | float:
    return int(number) if isinstance(number, bool) else number


def check_values(
    given: FedSizes, files: Mapping[str, Given], infos: Mapping[str, ValueInfo]
) -> None:
    """Refuse values that an input cannot hold.

    Raises:
        UsageError: The first.
    """
    for name, elements in given.values.items():
        info = infos.get(name)
        if info is None:
            if name in given.where_present:
                continue
            raise UsageError(no_such("input", name, sorted(infos)))
        if name in files:
            raise UsageError(f"input {name} is given by --value and by --input")
        family = _family(info)
        if info.type != "tensor" or family in ("", "string", "complex"):
            raise UsageError(f"input {name} takes no numbers")
        for number in elements:
            if not fits(number, info):
                raise UsageError(
                    f"input {name} takes {DTYPES[info.data_type].name}; {number} is none"
                )


def fits(number: float, info: ValueInfo) -> bool:
    """Return whether a number is one of the element type of an input."""
    row = DTYPES[info.data_type]
    if row.family == "float":
        return isfinite(number)
    if row.family == "bool":
        return number in (0, 1)
    unsigned = row.name.startswith("u")
    low, high = (0, 2**row.bits) if unsigned else (-(2 ** (row.bits - 1)), 2 ** (row.bits - 1))
    return isinstance(number, int) and low <= number < high


def _family(info: ValueInfo) -> Family | str:
    row = DTYPES.get(info.data_type)
    return row.family if row is not None else ""
