"""Arguments as callers in Python write them: taken as meant, or refused in words."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from graphcount.errors import UsageError

if TYPE_CHECKING:
    from graphcount.config import Config
    from graphcount.gates.budgets import Bound, Budget

    Demands = Mapping[str, int | str] | Sequence[Budget] | None
    """Limits as people write them: `{"parameters": "30M"}`; or budgets that were read already."""

Name = TypeVar("Name", bound=str)


def silent(text: str) -> None:
    """Say nothing of what is being done."""


def path_text(path: object) -> str:
    """Return the path of a model.

    Raises:
        UsageError: It is something else: bytes, an open file, a model in memory.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        kind = type(path).__name__
        raise UsageError(f"a model is named by its path, not by {kind}; save it to a file first")
    return text


def path_texts(paths: object) -> list[str]:
    """Return the paths of one or several models.

    Raises:
        UsageError: One is something else.
    """
    return [path_text(path) for path in (paths if isinstance(paths, list | tuple) else (paths,))]


def several(names: Iterable[Name]) -> tuple[Name, ...]:
    """Return names; a single text is one name, not its characters."""
    return (cast(Name, names),) if isinstance(names, str) else tuple(names)


def plain(size: Any) -> Any:
    """Return an integer of any library as Python's; what is none stays, to be refused."""
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        return size
    return operator.index(size)


def elements(given: float | Sequence[float]) -> tuple[int | float, ...]:
    """Return elements of an input; one number is a scalar."""
    return tuple(map(plain, given)) if isinstance(given, Sequence) else (plain(given),)


def refuse_others(options: Mapping[str, object], known: type) -> None:
    """Refuse options that a typed dictionary does not have.

    Raises:
        TypeError: With the first, as Python says it of keywords.
    """
    for name in options.keys() - known.__annotations__.keys():
        raise TypeError(f"there is no option {name!r}; see graphcount.api.{known.__name__}")


def budgets(bound: Bound, demands: Demands) -> tuple[Budget, ...]:
    """Return the budgets of one bound.

    Raises:
        UsageError: There is no such measure.
        ValueError: A limit is no quantity.
    """
    from graphcount.gates.budgets import Origin, make_budget

    if not isinstance(demands, Mapping):
        return tuple(demands or ())
    origin = Origin(option=bound)
    return tuple(make_budget(name, str(limit), bound, origin) for name, limit in demands.items())


def configured(config: Config | str | os.PathLike[str] | None) -> Config:
    """Return a configuration: as given, read from its file, or an empty one.

    Raises:
        NotReadableError: The file cannot be read.
        ConfigError: It is wrong.
    """
    from graphcount.config import NO_CONFIG, load_config

    if isinstance(config, str | os.PathLike):
        return load_config(os.fspath(config))
    return NO_CONFIG if config is None else config
