"""Which bytes of a side file belong to which tensor, and which to none."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import NamedTuple

from graphcount.auditing.context import External


class Used(NamedTuple):
    """Bytes begin..end of a side file, and the tensor they belong to."""

    begin: int
    end: int
    external: External


def used_range(external: External) -> Used:
    """The bytes a tensor asks for: by its dims and type, else by the stated length."""
    tensor, data = external.tensor, external.data
    nbytes = data.length or 0
    if tensor.dtype is not None and all(dim >= 0 for dim in tensor.dims):
        nbytes = tensor.dtype.nbytes(prod(tensor.dims))
    return Used(data.offset, data.offset + nbytes, external)


def unused(tensors: Iterable[External], size: int) -> list[tuple[int, int]]:
    """Gaps of a side file of `size` bytes that no tensor owns, in order."""
    gaps, position = [], 0
    for used in sorted(map(used_range, tensors), key=lambda used: used.begin):
        if used.begin > position:
            gaps.append((position, min(used.begin, size)))
        position = max(position, used.end)
    if position < size:
        gaps.append((position, size))
    return gaps
