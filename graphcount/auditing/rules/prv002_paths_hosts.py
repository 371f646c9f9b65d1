"""Text names users, folders or machines.

What it does:
    Looks in names, documentation and metadata for home folders, Windows shares, private addresses
    and host names.

Why it matters:
    It tells who made the model, on which machine and from which project, to whoever gets it.

Example:
    `/home/alice/secret-project/train.py` in the stack trace an exporter keeps.

What to do:
    Clear doc_string and metadata before the model leaves the house; PyTorch keeps stack traces
    there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.auditing.texts import StoredString, Wanted
from graphcount.report.finding_rows import Finding

RULE = Rule("PRV002", "personal-paths", "low")


NOBODY = (
    rb"(?!(?i:runner|runneradmin|circleci|travis|jenkins|gitlab-runner|buildkite-agent|vsts|"
    rb"vssadministrator|containeradministrator|codespace|jovyan|public|default|shared)[\\/])"
)
"""Accounts of build machines, notebooks and systems: they name nobody."""

PATTERNS = (
    (
        "a home folder",
        rb"/(?:home|Users)/" + NOBODY + rb"[A-Za-z0-9._-]{1,64}(?=/)",
        (b"/home/", b"/Users/"),
    ),
    (
        "a home folder",
        rb"[A-Za-z]:[\\/]{1,2}Users[\\/]{1,2}" + NOBODY + rb"[A-Za-z0-9._ -]{1,64}(?=[\\/])",
        (rb"\Users", b"/Users"),
    ),
    (
        "a Windows share",
        rb"(?<![\\\w])\\\\[A-Za-z0-9._-]{2,64}\\[A-Za-z0-9._$-]{1,64}",
        (rb"\\",),
    ),
    (
        "a private address",
        rb"(?<![\w.])(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}(?![\w.])",
        (b"10.", b"192.168.", b"172."),
    ),
    (
        "a host name",
        rb"\b(?:on host|hostname|host)[ :=]{1,3}[a-z][a-z0-9.-]{2,62}\b",
        (b"host ", b"host:", b"host=", b"hostname"),
    ),
    (
        "a host name",
        rb"(?<![\w.-])(?:[a-z0-9-]{1,63}\.){1,5}(?:internal|corp|lan|intranet)(?![\w.-])",
        (b".internal", b".corp", b".lan", b".intranet"),
    ),
)


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for each kind of thing."""
    by_kind: dict[str, list[tuple[StoredString, bytes]]] = {}
    for what, pattern, needs in PATTERNS:
        wanted = Wanted(re.compile(pattern), needs)
        hits = context.texts.matching(wanted, "name", "doc", "value")
        by_kind.setdefault(what, []).extend(hits)
    for what, places in by_kind.items():
        if places:
            place, match = places[0]
            yield RULE.finding(
                f"{what}: {match.decode('utf-8', 'replace')}{and_more(len(places) - 1, 'string')}",
                context.texts.where(place),
                strings=len(places),
            )
