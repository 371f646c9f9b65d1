"""Configuration: `graphcount.toml`, or `[tool.graphcount]` in `pyproject.toml`.

The nearest one upwards from the current folder counts; never one beside a model, which may be a
stranger's.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from graphcount.errors import ConfigError, NotReadableError
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.verbose import note

if TYPE_CHECKING:
    from graphcount.config.meaning import AuditSettings
    from graphcount.gates.checks import Check, Uncovered

FILES = ("graphcount.toml", "pyproject.toml")
"""Names of configurations, the stronger first."""

MAX_NBYTES = 4 * 2**20

_MAY_SPEAK = re.compile(
    rb"tool[\"'\s]*\.[\"'\s]*graphcount|\[\s*[\"']?tool[\"']?\s*\]|^[ \t]*tool\b", re.M
)
"""Every way to write the table `tool.graphcount`; and other things."""


class Config(NamedTuple):
    """What a configuration says.

    Attributes:
        path: The file; None when there is none.
        checks: Checks in the order of the file.
        operators: Costs of operators we have no formula for: `{"com.acme::Foo": {"macs": "…"}}`.
        audit: Settings of the audit; None: not configured.
        limits: What a model may ask of us.
        dims: Sizes of dynamic dimensions, or ranges, for every model that has them.
        exclude: Globs of models that are neither checked nor scanned; see `excludes`.
        uncovered: What becomes of a named model that no check applies to; None: it fails.
    """

    path: str | None = None
    checks: tuple[Check, ...] = ()
    operators: dict[str, dict[str, str]] = {}  # noqa: RUF012 (never changed)
    audit: AuditSettings | None = None
    limits: Limits = DEFAULT_LIMITS
    dims: dict[str, int | tuple[int, int]] = {}  # noqa: RUF012
    exclude: tuple[str, ...] = ()
    uncovered: Uncovered | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes among `dims`, without ranges."""
        return {name: size for name, size in self.dims.items() if isinstance(size, int)}

    def excludes(self, path: str) -> bool:
        """Return whether a model is excluded: it, or a folder it is in, matches one of `exclude`.

        Globs are relative to the configuration's folder; `*` matches slashes too.
        """
        from graphcount.gates.select import excluding

        folder = os.path.dirname(os.path.abspath(self.path or "."))
        return bool(self.exclude) and excluding(self.exclude, folder)(path)


NO_CONFIG = Config()


def find_config(folder: str = ".") -> str | None:
    """Return the path of the nearest configuration upwards from a folder, or None."""
    here = os.path.abspath(folder)
    while True:
        for name in FILES:
            path = os.path.join(here, name)
            if os.path.isfile(path) and (name != "pyproject.toml" or _mentions_us(path)):
                return path
        parent = os.path.dirname(here)
        if parent == here:
            return None
        here = parent


def load_config(path: str | None = None) -> Config:
    """Read a configuration.

    Args:
        path: The file; None: the nearest one, if there is one.

    Raises:
        NotReadableError: The named file cannot be read.
        ConfigError: It is wrong; every mistake has its line.
    """
    named = path is not None
    path = path or find_config()
    if path is None:
        note("configuration: none: no %s here or above", " or ".join(FILES))
        return NO_CONFIG
    note("configuration: %s", path)
    data = _read(path)
    public = _display_path(path)
    document, lines = _parse(data, public)
    if os.path.basename(path) == "pyproject.toml":
        tool = document.get("tool", {})
        if not isinstance(tool, dict) or "graphcount" not in tool:
            if named:
                raise ConfigError(f"{public}: no [tool.graphcount] in it")
            return NO_CONFIG
        return _made(tool["graphcount"], path, public, lines, ("tool", "graphcount"))
    return _made(document, path, public, lines, ())


def read_config(text: str, file: str, table: str = "") -> Config:
    """Return the configuration of a text, as if it stood in `file`.

    Args:
        text: TOML.
        file: What messages name, and what paths are relative to.
        table: Where it stands in the text: `tool.graphcount.`, or at the top.

    Raises:
        ConfigError: It is wrong; every mistake has its line.
    """
    document, lines = _parse(text.encode("utf-8"), file)
    keys = tuple(table.split(".")[:-1])
    for key in keys:
        document = document.get(key, {})
    return _made(document, file, file, lines, keys)


def schema_text() -> str:
    """Return the JSON Schema of a configuration, as shipped in the package."""
    from importlib import resources

    return resources.files("graphcount.config").joinpath("schema.json").read_text("utf-8")


def _made(
    document: Any, path: str, public: str, lines: dict[Any, int], prefix: tuple[str, ...]
) -> Config:
    from graphcount.config.keys import ConfigKeys
    from graphcount.config.values import KeyPlace, read

    known = {
        key[len(prefix) :]: line for key, line in lines.items() if key[: len(prefix)] == prefix
    }
    place = KeyPlace(public, known)
    made = read(ConfigKeys, document, place)
    if place.mistakes:
        rows = sorted((row.line, str(row)) for row in place.mistakes)
        raise ConfigError("\n".join(f"{public}:{line}: {message}" for line, message in rows))
    return Config(path=path, **made)


def _parse(data: bytes, public: str) -> tuple[dict[str, Any], dict[Any, int]]:
    import tomllib

    from graphcount.config.positions import positions

    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")  # some editors begin with a mark
        return tomllib.loads(text), positions(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{public}: not TOML: not UTF-8 (at byte {error.start:,})") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{public}: not TOML: {error}") from None


def _read(path: str) -> bytes:
    from graphcount.loading.source import open_regular

    with open_regular(path) as file:
        data = file.read(MAX_NBYTES + 1)
    if len(data) > MAX_NBYTES:
        raise NotReadableError(f"longer than {MAX_NBYTES:,} bytes", path)
    return data


def _mentions_us(path: str) -> bool:
    try:
        data = _read(path)
    except NotReadableError:
        return False
    if not _MAY_SPEAK.search(data):
        return False  # most do not, and parsing one costs more than counting a small model
    try:
        tool = _parse(data, path)[0].get("tool", {})
    except ConfigError:
        return True  # whoever loads it will say what is wrong
    return isinstance(tool, dict) and "graphcount" in tool


def _display_path(path: str) -> str:
    """Return a relative path where that is shorter."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return path
    return min(path, relative, key=len)
