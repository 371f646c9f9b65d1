"""What a path names: a local file, or with a scheme something else; and how it may be shown."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

PLAIN_PARAMETERS = frozenset({"download", "generation", "raw", "ref", "revision", "versionId"})
"""Parameters of a URL whose values are shown; all others may be signatures or tokens."""


def has_scheme(path: str) -> bool:
    """Whether a path names something else than a local file: `https://…`, `zip://…::…`."""
    return _SCHEME.match(path) is not None


def is_remote(path: str) -> bool:
    """Whether the bytes of a path come from another machine."""
    inner = path.rpartition("::")[2] if path.startswith("zip://") else path
    return has_scheme(inner)


def public_path(path: str) -> str:
    """A path as it may be shown: without passwords and signatures of URLs."""
    if not is_remote(path):
        return path
    head, separator, rest = path.partition("://")
    if head == "zip":
        member, colons, archive = rest.rpartition("::")
        return f"zip://{member}{colons}{public_path(archive)}"
    place, mark, query = rest.partition("?")
    authority, slash, name = place.partition("/")
    user, _, host = authority.rpartition("@")
    if head.lower() in ("http", "https") or ":" in user:
        authority = host
    shown = []
    for parameter in query.partition("#")[0].split("&") if mark else ():
        key, equals, _ = parameter.partition("=")
        hidden = equals and key not in PLAIN_PARAMETERS
        shown.append(f"{key}=***" if hidden else parameter if equals else "***")
    return f"{head}{separator}{authority}{slash}{name.partition('#')[0]}{mark}{'&'.join(shown)}"
