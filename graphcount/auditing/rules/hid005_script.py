"""Text that reads like a script.

What it does:
    Looks in documentation, metadata and names for a shebang, calls of os.system, subprocess, eval
    and exec, downloads that are piped into a shell, encoded PowerShell, script tags and HTML pages.

Why it matters:
    Text does not run by itself; something else takes it from the model and runs it. A script tag
    runs when a careless page shows it.

Example:
    `curl http://example.org/x | sh` in metadata.

What to do:
    Ask what it is for. Do not paste it anywhere.

References:
    CWE-94.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.auditing.texts import Wanted
from graphcount.report.finding_rows import Finding

RULE = Rule("HID005", "script-in-text", "medium")


SCRIPT = re.compile(
    rb"(?:^|\s)#! ?/[\w/.-]{2,60}(?:sh|python|perl|ruby|node)\b"
    rb"|\bos\.(?:system|popen|exec[lv]p?e?)\s*\("
    rb"|\bsubprocess\.(?:Popen|run|call|check_output|check_call)\s*\("
    rb"|(?<![\w.])(?:eval|exec)\s*\(\s*(?:compile|__import__|base64|zlib|bytes|open|input|['\"])"
    rb"|\b__import__\s*\(\s*['\"]"
    rb"|\b(?:curl|wget)\b[^\n|\0]{1,300}+\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b"
    rb"|\bpowershell(?:\.exe)?\s[^\n\0]{0,80}-e(?:nc|ncodedcommand)?\s"
    rb"|\bInvoke-(?:Expression|WebRequest)\b"
    rb"|<script[\s>]|<!doctype\s+html|<html[\s>]",
    re.IGNORECASE | re.MULTILINE,
)
NEEDS = (
    *(b"#!", b"os.system", b"os.popen", b"os.exec", b"subprocess.", b"eval", b"exec"),
    *(b"__import__", b"curl", b"wget", b"powershell", b"invoke-", b"<script", b"<!doctype"),
    b"<html",
)


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all."""
    hits = list(context.texts.matching(Wanted(SCRIPT, NEEDS), "doc", "value", "name"))
    if hits:
        place, match = hits[0]
        yield RULE.finding(
            f"{match[:80].decode('utf-8', 'replace')!r}{and_more(len(hits) - 1, 'string')}",
            context.texts.where(place),
            strings=len(hits),
        )
