"""What a configuration asks of the audit of one model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from graphcount.config import Config

if TYPE_CHECKING:
    from graphcount.config.meaning import AuditSettings


class Asked(NamedTuple):
    """What an audit is asked for; see `graphcount.api.audit`.

    Attributes:
        fail_on: Mildest severity that fails; None: the program's default.
    """

    fail_on: str | None = None
    select: tuple[str, ...] = ()
    ignore: dict[str, str] = {}  # noqa: RUF012 (never changed)


@dataclass(frozen=True)
class AskedOf:
    """What is asked of the audit of a model, by its path.

    The common settings come first, then those of each pattern that matches it. Patterns are matched
    with the path relative to the configuration's folder; `*` matches any characters, slashes too. A
    later pattern is stronger.
    """

    settings: AuditSettings
    folder: str

    def __call__(self, path: str) -> Asked:
        """Return the settings for a model."""
        name = _relative(path, self.folder)
        own = [row for glob, row in self.settings.models.items() if fnmatchcase(name, glob)]
        asked = Asked()
        for row in (self.settings, *own):
            ignore = {
                item.rule: item.reason
                for item in row.ignore
                if not item.models or any(fnmatchcase(name, glob) for glob in item.models)
            }
            asked = Asked(
                row.fail_on or asked.fail_on, row.select or asked.select, {**asked.ignore, **ignore}
            )
        return asked


def asked_by(config: Config) -> AskedOf | None:
    """Return what a configuration asks of audits; None: nothing."""
    folder = os.path.dirname(os.path.abspath(config.path or "."))
    return None if config.audit is None else AskedOf(config.audit, folder)


def asked_of(config: Config, path: str) -> Asked:
    """Return the settings for a model."""
    asked = asked_by(config)
    return Asked() if asked is None else asked(path)


def _relative(path: str, folder: str) -> str:
    try:
        return os.path.relpath(os.path.abspath(path), folder).replace(os.sep, "/")
    except ValueError:  # another drive
        return path
