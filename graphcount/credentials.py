"""Credentials by their published shapes: what is masked in every output, and what an audit reports.

Sources: the token formats of the vendors' documentation; GitHub secret scanning patterns. Any text
is searched in time proportional to its length: a pattern begins where a run of its characters
begins, or is short.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Credential(NamedTuple):
    """One kind of credential.

    Attributes:
        what: What it is.
        pattern: How it looks.
        starts: How it begins: without one of these in a text the pattern need not be tried.
        secret: Whoever has it can use it.
    """

    what: str
    pattern: str
    starts: tuple[str, ...]
    secret: bool = True


CREDENTIALS: tuple[Credential, ...] = (
    Credential("an AWS access key id", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", ("AKIA", "ASIA"), False),
    Credential(
        "a GitHub token",
        r"\bgh[pousr]_[0-9A-Za-z]{36,255}\b|\bgithub_pat_[0-9A-Za-z_]{22,255}\b",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    ),
    Credential("a Hugging Face token", r"\bhf_[0-9A-Za-z]{30,64}\b", ("hf_",)),
    Credential(
        "an API key (sk-)",
        r"\bsk-(?=[a-z0-9_-]{0,200}[A-Z])(?=[A-Za-z_-]{0,200}[0-9])[0-9A-Za-z_-]{20,200}\b",
        ("sk-",),
    ),
    Credential("a GitLab token", r"\bglpat-[0-9A-Za-z_-]{20,64}\b", ("glpat-",)),
    Credential("a Slack token", r"\bxox[abeoprs]-[0-9A-Za-z-]{10,200}\b", ("xox",)),
    Credential("a Google API key", r"\bAIza[0-9A-Za-z_-]{35}\b", ("AIza",)),
    Credential("an npm token", r"\bnpm_[0-9A-Za-z]{36}\b", ("npm_",)),
    Credential(
        "a Stripe key",
        r"\b[rs]k_live_[0-9A-Za-z]{16,250}\b",
        ("sk_live_", "rk_live_"),
    ),
    Credential(
        "an Azure key",
        r"\b(?:Account|SharedAccess)Key=[0-9A-Za-z+/]{40,88}={0,2}",
        ("AccountKey=", "SharedAccessKey="),
    ),
    Credential(
        "a password in a URL",
        r"://[\w.~!&()+,;=%-]{0,64}:[\w.~!&()+,;=%-]{3,128}@",
        ("://",),
        False,
    ),
    Credential(
        "a JSON web token",
        r"(?<![\w-])eyJ[0-9A-Za-z_-]{10,1000}+\.[0-9A-Za-z_-]{10,2000}+\.[0-9A-Za-z_-]{10,1000}\b",
        ("eyJ",),
    ),
    Credential(
        "a private key",
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:(?!-----END)[\s\S]){0,20000}",
        ("-----BEGIN ",),
    ),
)

_ANY = re.compile("|".join(credential.pattern for credential in CREDENTIALS))


def masked(credential: str) -> str:
    """Return the first four characters of a credential, and its length."""
    return f"{credential[:4]}***({len(credential)})"


_STARTS = tuple(start for credential in CREDENTIALS for start in credential.starts)


def may_hold(text: str) -> bool:
    """Return whether a text could hold a credential; much faster than `mask`."""
    return any(start in text for start in _STARTS)


def mask(text: str) -> str:
    """Replace credentials by their first four characters and their length."""
    return _ANY.sub(lambda match: masked(match.group()), text) if may_hold(text) else text


def mask_all(data: Any) -> Any:
    """Return JSON data with every string masked, keys too."""
    if isinstance(data, str):
        return mask(data)
    if isinstance(data, dict):
        return {mask(str(key)): mask_all(value) for key, value in data.items()}
    return [mask_all(item) for item in data] if isinstance(data, list | tuple) else data
