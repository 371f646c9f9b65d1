"""From values of a configuration to ours: small parsers, and tables of them.

A parser takes a value and its place, returns what we use, and raises ValueError or UsageError; or
says what is wrong to its place, so that all mistakes of a file are reported together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from graphcount.config.positions import KeyPath
from graphcount.errors import UsageError
from graphcount.gates.budgets import Origin
from graphcount.report.rows import Dim
from graphcount.units import parse_shape, parse_size


@dataclass(frozen=True)
class KeyPlace:
    """A value's place in a file, and where mistakes are collected.

    Attributes:
        lines: Line of every key.
        problems: Line and sentence of every mistake so far; shared by all places of a file.
    """

    file: str
    lines: Mapping[KeyPath, int]
    path: KeyPath = ()
    problems: list[tuple[int, str]] = field(default_factory=list)

    def inside(self, key: str | int) -> KeyPlace:
        """Return the place of a key or an element."""
        return KeyPlace(self.file, self.lines, (*self.path, key), self.problems)

    @property
    def line(self) -> int:
        """Line of the key, or of the nearest one around it.

        `nodes.Conv` may be one quoted key, or two that were joined.
        """
        for end in range(len(self.path), -1, -1):
            path = self.path[:end]
            split = path[:-1] + tuple(str(path[-1]).split(".")) if path else path
            line = self.lines.get(path) or self.lines.get(split)
            if line:
                return line
        return 1

    @property
    def name(self) -> str:
        """`checks[0].max.parameters`."""
        text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path)
        return text.removeprefix(".")

    @property
    def origin(self) -> Origin:
        """The place as messages say it."""
        return Origin(self.file, self.line)

    def wrong(self, message: str) -> None:
        """Remember a mistake."""
        self.problems.append((self.line, f"{self.name}: {message}" if self.path else message))


Parse = Callable[[Any, KeyPlace], Any]


def parsed(parse: Parse, value: Any, place: KeyPlace) -> Any:
    """Return the parsed value, or None after noting what is wrong."""
    try:
        return parse(value, place)
    except (ValueError, UsageError) as error:
        place.wrong(str(error))
        return None


def table(keys: Mapping[str, Parse], required: Iterable[str] = ()) -> Parse:
    """Return a parser of a table with known keys; it keeps those that are right."""

    def parse(value: Any, place: KeyPlace) -> dict[str, Any]:
        items = {}
        for key, item in _table(value).items():
            if key in keys:
                items[key] = parsed(keys[key], item, place.inside(key))
            else:
                place.inside(key).wrong(f"unknown key{nearest(key, keys)}")
        for key in required:
            if key not in value:
                place.wrong(f"needs {key}")
        return {key: item for key, item in items.items() if item is not None}

    return parse


def mapping(parse: Parse) -> Parse:
    """Return a parser of a table whose keys are the user's names."""

    def read(value: Any, place: KeyPlace) -> dict[str, Any]:
        items = {k: parsed(parse, item, place.inside(k)) for k, item in _table(value).items()}
        return {key: item for key, item in items.items() if item is not None}

    return read


def array(parse: Parse) -> Parse:
    """Return a parser of a list of one kind."""

    def read(value: Any, place: KeyPlace) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError(f"must be a list, not {_kind(value)}")
        items = [parsed(parse, item, place.inside(i)) for i, item in enumerate(value)]
        return tuple(item for item in items if item is not None)

    return read


def text(value: Any, place: KeyPlace) -> str:
    """Parse a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be a text, not {_kind(value)}")
    return value


def whole(value: Any, place: KeyPlace) -> int:
    """Parse a whole number from 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"must be a whole number, not {_kind(value)}")
    return value


def size(value: Any, place: KeyPlace) -> int | tuple[int, int]:
    """Parse the size of a dimension, or a range of it: `8`, `"1:8"`."""
    if not isinstance(value, str):
        return whole(value, place)
    ends = [parse_size(end) for end in value.split(":")]
    low, high = ends if len(ends) == 2 else (None, None)
    if low is None or high is None or low > high:
        raise ValueError(f"{value!r} is no size and no range like '1:8'")
    return low, high


def quantity(value: Any, place: KeyPlace) -> str:
    """Parse a limit: `30M`, `5%`, or a whole number."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"must be a whole number or a text like '30M', not {_kind(value)}")
    return text(value, place)


def choice(*names: str) -> Parse:
    """Return a parser of one of some words."""

    def parse(value: Any, place: KeyPlace) -> str:
        if value not in names:
            listed = ", ".join(names)
            raise ValueError(f"{value!r} is none of {listed}{nearest(value, names)}")
        chosen: str = value
        return chosen

    return parse


def shape(value: Any, place: KeyPlace) -> tuple[Dim, ...]:
    """Parse a shape: `1x3x224x224`, `[1, 3, 224, 224]`; `?` is not known."""
    if isinstance(value, list):
        value = ",".join(map(str, value))
    dims = parse_shape(value) if isinstance(value, str) else None
    if dims is None:
        raise ValueError(f"{value!r}: write it as 1x3x224x224")
    return dims


def nearest(name: Any, known: Iterable[str]) -> str:
    """Return `; did you mean X?`, or nothing."""
    near = get_close_matches(str(name), list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"must be a table, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    """Return the kind of a value in TOML's words."""
    kinds = {bool: "a boolean", dict: "a table", list: "a list", float: "a fraction"}
    if isinstance(value, int | str) and not isinstance(value, bool):
        return repr(value)[:60]
    return kinds.get(type(value), "a date or time")
