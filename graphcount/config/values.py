"""From values of a configuration to ours, by the types of its keys (`keys.py`).

A type may say what its values become: a meaning takes a value and its place, returns what we use,
and raises ValueError or UsageError, or says what is wrong to the place. msgspec converts each value
by itself, as it stops at the first mistake of what it is given, and all are reported together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union, get_args, get_origin

from msgspec import NODEFAULT, Meta, Struct, ValidationError, convert
from msgspec.structs import FieldInfo, fields

from graphcount.config.positions import KeyPath
from graphcount.errors import UsageError

if TYPE_CHECKING:
    from graphcount.gates.budgets import Origin


class Mistake(NamedTuple):
    """What is wrong, and where."""

    line: int
    path: KeyPath
    message: str

    def __str__(self) -> str:
        """Return `checks[0].max.parameters: …`."""
        names = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path)
        return f"{names.removeprefix('.')}: {self.message}" if names else self.message


@dataclass(frozen=True)
class KeyPlace:
    """A value's place in a file, and where mistakes are collected.

    Attributes:
        lines: Line of every key.
        mistakes: Those so far; shared by all places of a file.
    """

    file: str
    lines: Mapping[KeyPath, int]
    path: KeyPath = ()
    mistakes: list[Mistake] = field(default_factory=list)

    def inside(self, *keys: str | int) -> KeyPlace:
        """Return the place of a key or an element."""
        return KeyPlace(self.file, self.lines, (*self.path, *keys), self.mistakes)

    @property
    def key(self) -> str:
        """The last key."""
        return str(self.path[-1])

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
    def origin(self) -> Origin:
        """The place as messages say it."""
        from graphcount.gates.budgets import Origin

        return Origin(self.file, self.line)

    @property
    def is_right(self) -> bool:
        """Whether no mistake is here or inside."""
        return all(row.path[: len(self.path)] != self.path for row in self.mistakes)

    def wrong(self, message: str) -> None:
        """Remember a mistake."""
        self.mistakes.append(Mistake(self.line, self.path, message))


Meaning = Callable[[Any, KeyPlace], Any]


def means(meaning: Meaning, **schema: Any) -> Meta:
    """Return what a type's values become, and what a schema says of them beside the type."""
    return Meta(extra={"meaning": meaning}, extra_json_schema=schema)


def choice(*names: str) -> Meta:
    """Return that a value is one of some words."""

    def chosen(value: Any, place: KeyPlace) -> Any:
        if value not in names:
            raise ValueError(f"{value!r} is none of {', '.join(names)}{nearest(str(value), names)}")
        return value

    return means(chosen, enum=list(names))


def read(kind: Any, value: Any, place: KeyPlace) -> Any:
    """Return what a value of some type means, or None after noting what is wrong."""
    try:
        made = _converted(kind, value, place)
        for meta in getattr(kind, "__metadata__", ()):
            if meta.extra and made is not None:
                made = meta.extra["meaning"](made, place)
        return made
    except (ValueError, UsageError) as error:
        place.wrong(str(error))
        return None


def _converted(kind: Any, value: Any, place: KeyPlace) -> Any:
    """Return a value as its type has it; of tables and lists, what is right in them."""
    for part in map(_bare, _parts(kind)):
        if isinstance(value, dict) and isinstance(part, type) and issubclass(part, Struct):
            return _table(part, value, place)
        if isinstance(value, dict) and get_origin(part) is dict:
            inner = get_args(part)[1]
            return _right({key: read(inner, row, place.inside(key)) for key, row in value.items()})
        if isinstance(value, list) and get_origin(part) is list:
            (inner,) = get_args(part)
            rows = (read(inner, row, place.inside(index)) for index, row in enumerate(value))
            return tuple(row for row in rows if row is not None)
    try:
        return convert(value, kind)
    except ValidationError:
        raise ValueError(f"must be {_words(kind)}, not {_kind(value)}") from None


def _table(kind: type[Struct], value: dict[str, Any], place: KeyPlace) -> dict[str, Any] | None:
    """Return the keys of a table that are right; None where one is missing that it needs."""
    known = _keys(kind)
    items = {}
    for key, item in value.items():
        if key in known:
            items[key] = read(known[key].type, item, place.inside(key))
        else:
            place.inside(key).wrong(f"unknown key{nearest(key, known)}")
    needed = [row.name for row in known.values() if row.default is NODEFAULT]
    for key in needed:
        if key not in value:
            place.wrong(f"needs {key}")
    right = _right(items)
    return right if right.keys() >= set(needed) else None


@cache
def _keys(kind: type[Struct]) -> dict[str, FieldInfo]:
    """Return the keys of a table."""
    return {row.name: row for row in fields(kind)}


def _right(items: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in items.items() if item is not None}


def _bare(kind: Any) -> Any:
    """Return a type without what is noted of it."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _parts(kind: Any) -> Iterable[Any]:
    """Return the types that a type is one of."""
    bare = _bare(kind)
    return get_args(bare) if get_origin(bare) in (Union, UnionType) else (kind,)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?`, or nothing."""
    near = get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


_NAMES = {
    str: "a text",
    bool: "a boolean",
    int: "a whole number",
    float: "a fraction",
    dict: "a table",
    list: "a list",
    Struct: "a table",
}


def _words(kind: Any) -> str:
    """Return a type in TOML's words: `a whole number or a text like '30M'`."""
    words = []
    for part in _parts(kind):
        bare = _bare(part)
        name = next(_NAMES[base] for base in (get_origin(bare) or bare).__mro__ if base in _NAMES)
        examples = [
            row for meta in getattr(part, "__metadata__", ()) for row in meta.examples or ()
        ]
        words.append(f"{name} like {examples[0]!r}" if examples else name)
    return " or ".join(words)


def _kind(value: Any) -> str:
    """Return the kind of a value in TOML's words, or a short value itself."""
    kinds = {bool: "a boolean", dict: "a table", list: "a list", float: "a fraction"}
    if isinstance(value, int | str) and not isinstance(value, bool):
        return repr(value)[:60]
    return kinds.get(type(value), "a date or time")
