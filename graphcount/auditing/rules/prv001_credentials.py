"""The model carries a credential.

What it does:
    Looks in every string for credentials by their published shapes: keys and tokens of AWS, Azure,
    GitHub, GitLab, Google, Hugging Face, npm, OpenAI, Slack, Stripe; JSON web tokens, private keys,
    passwords in URLs. They appear as four characters and their length. A key or token is high; what
    is only half of one (the id of a key) or often an example (a password in a URL) is medium.

Why it matters:
    Whoever gets the model gets the key.

Example:
    The configuration of a training script in metadata, with its token.

What to do:
    Revoke the credential, then remove it and write the model again.

References:
    GitHub secret scanning patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.auditing.texts import Wanted
from graphcount.credentials import CREDENTIALS, masked
from graphcount.report.finding_rows import Finding

RULE = Rule("PRV001", "credentials", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for each kind of credential."""
    for what, pattern, starts, secret in CREDENTIALS:
        wanted = Wanted(re.compile(pattern.encode()), tuple(start.encode() for start in starts))
        hits = list(context.texts.matching(wanted, "name", "doc", "value", "data"))
        if hits:
            place, match = hits[0]
            credential = masked(match.decode("utf-8", "replace"))
            yield RULE.finding(
                f"{what}: {credential}{and_more(len(hits) - 1, 'string')}",
                context.texts.where(place),
                severity=None if secret else "medium",
                strings=len(hits),
            )
