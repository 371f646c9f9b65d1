"""Arguments as callers in Python write them: taken as meant, or refused in words."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from graphcount.errors import NotReadableError, UsageError
from graphcount.loading.source import STDIN_NBYTES, InMemory, is_nameless

if TYPE_CHECKING:
    from typing import IO, Protocol

    from graphcount.config import Config
    from graphcount.gates.budgets import Bound, Budget

    Demands = Mapping[str, int | str] | Sequence[Budget] | None
    """Limits as people write them: `{"parameters": "30M"}`; or budgets that were read already."""

    class Serializable(Protocol):
        """A protobuf message: an `onnx.ModelProto`."""

        def SerializeToString(self) -> bytes:
            """Return its bytes."""
            ...

    ModelLike = str | os.PathLike[str] | bytes | IO[bytes] | Serializable
    """A model as people hold it: a path, its bytes, an open file, or an `onnx.ModelProto`."""

Name = TypeVar("Name", bound=str)


def silent(text: str) -> None:
    """Say nothing of what is being done."""


def model_path(model: ModelLike) -> str:
    """Return the path of a model; of one in memory the name that holds its bytes.

    An open file is its path where it is a whole file of that name; of any other stream the rest is
    read. A model in memory has no folder, so external data that it names is missing.

    Raises:
        UsageError: It is no model, or too large for one protobuf message.
        NotReadableError: The stream cannot be read.
    """
    if isinstance(model, str | os.PathLike):
        path = os.fspath(model)
        if isinstance(path, str):
            return path
    elif isinstance(model, bytes | bytearray | memoryview):
        return InMemory("bytes", bytes(model))
    elif hasattr(model, "SerializeToString"):
        return InMemory(type(model).__name__, _serialized(model))
    elif hasattr(model, "read"):
        return _path_of_file(model) or InMemory(type(model).__name__, _rest(model))
    kind = type(model).__name__
    raise UsageError(f"a model is a path, bytes, an open file or an onnx.ModelProto, not {kind}")


def model_paths(models: ModelLike | Sequence[ModelLike]) -> list[str]:
    """Return the paths of one or several models; see `model_path`."""
    rows = models if isinstance(models, list | tuple) else (cast("ModelLike", models),)
    return [model_path(model) for model in rows]


def file_path(model: ModelLike, what: str) -> str:
    """Return the path of a model that has to be a file; `what` needs it.

    Raises:
        UsageError: It is none.
    """
    path = model_path(model)
    if is_nameless(path):
        held = "standard input" if path == "-" else path
        raise UsageError(f"{what} needs a path, not {held}; name a file")
    return path


def _serialized(model: Serializable) -> bytes:
    """Return the bytes of a message; protobuf refuses more than 2 GiB."""
    try:
        return model.SerializeToString()
    except Exception as error:
        why = f"{type(model).__name__} cannot be serialized ({error})"
        raise UsageError(f"{why}; save it with external data, and name the file") from None


def _path_of_file(file: IO[bytes]) -> str:
    """Return the path of an open file that nothing was read of; empty for any other stream."""
    try:
        name = file.name
        is_it = os.path.samestat(os.fstat(file.fileno()), os.stat(name)) and file.tell() == 0
    except (AttributeError, OSError, TypeError, ValueError):
        return ""
    return name if is_it and isinstance(name, str) else ""


def _rest(file: IO[bytes]) -> bytes:
    """Return what is left of a stream.

    Raises:
        NotReadableError: It cannot be read, or is longer than protobuf allows.
        UsageError: It is text.
    """
    try:
        data = file.read(STDIN_NBYTES + 1)
    except (OSError, ValueError) as error:
        raise NotReadableError(f"cannot be read: {error}", type(file).__name__) from None
    if not isinstance(data, bytes):
        raise UsageError("a model is read from a file that is opened in binary mode: 'rb'")
    if not data:
        raise UsageError(f"nothing is left to read of {type(file).__name__}; seek(0) goes back")
    if len(data) > STDIN_NBYTES:
        raise NotReadableError(f"longer than {STDIN_NBYTES:,} bytes", type(file).__name__)
    return data


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
