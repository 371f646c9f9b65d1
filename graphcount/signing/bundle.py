"""What a signature says that it covers, read before it is verified.

A signature is a Sigstore bundle with a DSSE envelope around an in-toto statement, whose predicate
lists files with digests (github.com/ossf/model-signing-spec). What is read here says only which
folder was signed; what it covers is what the reference implementation has verified.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from graphcount.deploying.strict_json import MOST_NBYTES, parse_object
from graphcount.errors import GraphcountError

PREDICATE = "https://model_signing/signature/v1.0"


class Bundle(NamedTuple):
    """A signature that was read and not verified.

    Attributes:
        data: Its bytes.
        digests: What it covers, with digests in hexadecimal: files, relative to what was signed
            (`.` where that is one file), or parts of files (`NAME:FIRST:END`).
        serialization: How digests are made of files: `method`, `hash_type`, `shard_size`.
        problem: Why it is none; empty where it can be verified.
    """

    data: bytes
    digests: Mapping[str, str] = MappingProxyType({})
    serialization: Mapping[str, Any] = MappingProxyType({})
    problem: str = ""

    @property
    def names(self) -> frozenset[str]:
        """The files that it covers."""
        if self.serialization.get("method") == "shards":
            return frozenset(part.rsplit(":", 2)[0] for part in self.digests)
        return frozenset(self.digests)


def read_bundle(path: str) -> Bundle:
    """Read a signature; one that cannot be read has a problem."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(MOST_NBYTES + 1)
    except OSError as error:
        return Bundle(b"", problem=(error.strerror or "cannot be read").lower())
    if len(data) > MOST_NBYTES:
        return Bundle(b"", problem=f"it is larger than {MOST_NBYTES:,} bytes")
    try:
        predicate = _predicate(data)
        serialization = predicate["serialization"]
        rows = predicate["resources"]
        digests = {str(row["name"]): str(row["digest"]) for row in rows}
        serialization.get("method")
        return Bundle(data, digests, serialization)
    except GraphcountError as error:
        return Bundle(b"", problem=error.message)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Bundle(b"", problem="it is no signature of a model (OpenSSF Model Signing 1.0)")


def _predicate(data: bytes) -> dict[str, Any]:
    """Return the predicate of the statement in a bundle.

    Raises:
        GraphcountError: It is no JSON object, or a key stands twice.
        ValueError: It is of another kind.
        KeyError: A part is missing.
    """
    payload = parse_object(data)["dsseEnvelope"]["payload"]
    statement = parse_object(base64.b64decode(payload, validate=True))
    if statement["predicateType"] != PREDICATE:
        raise ValueError("another predicate")
    predicate: dict[str, Any] = statement["predicate"]
    return predicate


def root_of(path: str, names: frozenset[str]) -> str | None:
    """Return the file or folder that was signed: the nearest one that has the model at its name.

    Args:
        path: The model, or a folder.
        names: Files that a signature covers.

    Returns:
        An absolute path; None where no name is the model's.
    """
    whole = os.path.abspath(path)
    if os.path.isdir(whole):
        return None if names == {"."} else whole
    if names == {"."}:
        return whole
    folder, name = os.path.split(whole)
    while name not in names:
        above, last = os.path.split(folder)
        if above == folder:
            return None
        folder, name = above, f"{last}/{name}"
    return folder
