"""Characters that show themselves as something else: classes for outputs and for the audit.

Sources: Unicode TR 36 and TR 39; the general categories Cc and Cf; "Trojan Source" (CVE-2021-42574)
for the bidirectional ones.
"""

from __future__ import annotations

CONTROL = "\x00-\x1f\x7f-\x9f"
"""C0, DEL and C1: they move the cursor, forge lines, ring the bell."""

BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Marks, embeddings, overrides and isolates: they reorder text on a screen."""

INVISIBLE = (
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200d\u2028\u2029\u2060-\u2065"
    "\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a"
)
"""Zero-width characters, fillers, variation selectors, line and paragraph separators."""

TAG = "\U000e0000-\U000e0fff"
"""Tag characters: ASCII that no one sees."""

SURROGATE = "\ud800-\udfff"
"""Halves of a character; no valid text has them."""

UNSAFE = CONTROL + BIDI + INVISIBLE + TAG + SURROGATE
"""Whatever must not reach a terminal or a page as it is."""
