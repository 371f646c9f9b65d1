"""Row of a signature, in the words of the JSON contract."""

from __future__ import annotations

from typing import NamedTuple


class SignatureRow(NamedTuple):
    """A signature of a model or of its folder.

    Attributes:
        path: Its file.
        method: `key`, `certificate` or `sigstore`; empty where nobody asked to verify it.
        verified: Whether it is; None where nobody asked.
        why: Why it is not; empty otherwise.
        files: What it covers, relative to what was signed; empty unless it is verified.
        uncovered: Files of the model that it does not cover, relative to the model.
    """

    path: str
    method: str
    verified: bool | None
    why: str
    files: tuple[str, ...]
    uncovered: tuple[str, ...]
