"""Text that is safe to show: names in a model are written by whoever made it.

Control characters, bidirectional overrides, zero-width and tag characters become visible escapes,
so that a name cannot move the cursor, hide itself or forge a log line (Unicode TR 36, TR 39).
"""

from __future__ import annotations

import re

from graphcount.report.records import Dim

MAX_LENGTH = 120
"""Names are cut here in text formats; machine formats keep them whole."""

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def safe(text: str, limit: int | None = MAX_LENGTH) -> str:
    """Make a name visible and harmless, and cut it at `limit` characters."""
    shown = _UNSAFE.sub(_escape, text)
    if limit is not None and len(shown) > limit:
        return f"{shown[: limit - 3]}..."
    return shown


def shape(dims: tuple[Dim, ...] | None) -> str:
    """`[batch, 3, ?]`; empty when no shape is stated."""
    if dims is None:
        return ""
    return f"[{', '.join('?' if dim is None else safe(str(dim), 40) for dim in dims)}]"


_SECRETS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS access key id
    r"|\bgh[pousr]_[0-9A-Za-z]{36,255}\b|\bgithub_pat_[0-9A-Za-z_]{22,255}\b"  # GitHub
    r"|\bhf_[0-9A-Za-z]{30,64}\b"  # Hugging Face
    r"|\bsk-[0-9A-Za-z_-]{20,200}\b"  # OpenAI and kin
    r"|\bglpat-[0-9A-Za-z_-]{20,64}\b"  # GitLab
    r"|\bxox[abeoprs]-[0-9A-Za-z-]{10,200}\b"  # Slack
    r"|\bAIza[0-9A-Za-z_-]{35}\b"  # Google
    r"|\beyJ[0-9A-Za-z_-]{10,1000}\.[0-9A-Za-z_-]{10,2000}\.[0-9A-Za-z_-]{10,1000}\b"  # JWT
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:(?!-----END)[\s\S]){0,20000}"
)
"""Credentials by their published shapes; none of these patterns can backtrack far."""


def mask(text: str) -> str:
    """Replace credentials by their first four characters and their length."""
    return _SECRETS.sub(lambda match: f"{match.group()[:4]}***({len(match.group())})", text)


def one_line(text: str, limit: int = 300) -> str:
    """An error message on one line, harmless, at most `limit` characters."""
    return safe(mask(text), limit)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
