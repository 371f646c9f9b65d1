"""What a configuration asks of the audit of one model."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import NamedTuple

from graphcount.config import Config


class Asked(NamedTuple):
    """What an audit is asked for; see `graphcount.api.audit`.

    Attributes:
        fail_on: Mildest severity that fails; None: the program's default.
    """

    fail_on: str | None = None
    select: tuple[str, ...] = ()
    ignore: dict[str, str] = {}  # noqa: RUF012 (never changed)


def asked_of(config: Config, path: str) -> Asked:
    """Return the settings for a model: the common ones, then those of each pattern that matches it.

    Patterns are matched with the path relative to the configuration's folder; `*` matches any
    characters, slashes too. A later pattern is stronger.
    """
    common = config.audit
    if common is None:
        return Asked()
    folder = os.path.dirname(os.path.abspath(config.path or "."))
    name = _relative(path, folder)
    rows = [common, *(row for glob, row in common.models.items() if fnmatchcase(name, glob))]
    asked = Asked()
    for row in rows:
        ignore = {
            item.rule: item.reason
            for item in row.ignore
            if not item.models or any(fnmatchcase(name, glob) for glob in item.models)
        }
        asked = Asked(
            row.fail_on or asked.fail_on, row.select or asked.select, {**asked.ignore, **ignore}
        )
    return asked


def _relative(path: str, folder: str) -> str:
    try:
        return os.path.relpath(os.path.abspath(path), folder).replace(os.sep, "/")
    except ValueError:  # another drive
        return path
