"""Arguments as callers in Python write them: taken as meant, or refused in words."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from graphcount.errors import UsageError

Name = TypeVar("Name", bound=str)


def path_text(path: object) -> str:
    """The path of a model.

    Raises:
        UsageError: It is something else: bytes, an open file, a model in memory.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        kind = type(path).__name__
        raise UsageError(f"a model is named by its path, not by {kind}; save it to a file first")
    return text


def several(names: Iterable[Name]) -> tuple[Name, ...]:
    """Names; a single text is one name, not its characters."""
    return (cast(Name, names),) if isinstance(names, str) else tuple(names)


def plain(size: Any) -> Any:
    """An integer of any library as Python's; what is none stays as it is, to be refused."""
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        return size
    return operator.index(size)


def refuse_others(options: Mapping[str, object], known: type) -> None:
    """Refuse options that a typed dictionary does not have.

    Raises:
        TypeError: With the first, as Python says it of keywords.
    """
    for name in options.keys() - known.__annotations__.keys():
        raise TypeError(f"there is no option {name!r}; see graphcount.api.{known.__name__}")
