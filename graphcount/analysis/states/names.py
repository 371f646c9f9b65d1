"""Names of states: evidence beside the structure, where structure alone decides nothing.

Exporters name what enters a step and what leaves it alike but for one word: `past_key_values.0.key`
and `present.0.key`, `h0` and `hn`, `cached_conv_1` and `new_cached_conv_1`, `state` and `stateN`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple


def _table(text: str) -> frozenset[str]:
    return frozenset(text.split())


BEFORE = _table("past in input prev previous old init initial last pre")
"""Words of what enters a step."""

AFTER = _table("present out output next new updated update final cur current n")
"""Words of what leaves it."""

SURE = _table("past present")
"""Of these the words that are used for nothing but states."""

KEPT = _table("state states cache cached buffer memory mem carry")
"""Words that say that something is kept, and not what."""

HOLDS: Mapping[str, frozenset[str]] = {
    "convolution": _table("conv convolution"),
    "ssm": _table("ssm scan mamba mamba2 linear delta recurrent wkv"),
    "keys-values": _table("key value keys values k v kv attn attention"),
    "recurrent": _table("h c hidden cell rnn lstm gru"),
}
"""What is kept → words that say so; of several in a name the first in this order decides."""

CROSS = _table("cross encoder")
"""Words of what an encoder made."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_CACHE = re.compile(r"(past|present)_?key_?values?", re.IGNORECASE)
_FIRST = re.compile(r"(?<![A-Za-z])([hc])_?[0x](?![A-Za-z0-9])")
_LAST = re.compile(r"(?<![A-Za-z])([hc])_?[nN](?![A-Za-z0-9])")


class Words(NamedTuple):
    """A name, taken apart.

    Attributes:
        rest: Words without those of before and after.
        roles: These.
        holds: What it holds: `keys-values`, `convolution`, `ssm`, `recurrent`; empty where the name
            does not say.
        is_kept: It says that something is kept.
        is_cross: It says that an encoder made it.
    """

    rest: tuple[str, ...]
    roles: frozenset[str]
    holds: str
    is_kept: bool
    is_cross: bool


@lru_cache(maxsize=4096)
def words_of(name: str) -> Words:
    """Return what the words of a name say."""
    text, times = _CACHE.subn(r" \1 ", name[:500])
    text = _LAST.sub(r" \1 next ", _FIRST.sub(r" \1 init ", text))
    words = [word.lower() for word in _WORDS.findall(text)]
    roles = frozenset(words) & (BEFORE | AFTER)
    rest = tuple(word for word in words if word not in roles)
    holds = next((kind for kind, table in HOLDS.items() if not table.isdisjoint(rest)), "")
    if times and holds in ("", "recurrent"):
        holds = "keys-values"
    is_kept = bool(holds or roles & SURE or not KEPT.isdisjoint(rest))
    return Words(rest, roles, holds, is_kept, not CROSS.isdisjoint(rest))


def paired(before: str, after: str) -> bool:
    """Return whether two names differ by words of before and after alone, and are of a state."""
    one, two = words_of(before), words_of(after)
    if "past" in one.roles and "present" in two.roles:
        return one.rest == two.rest
    roles = (one.roles & BEFORE) | (two.roles & AFTER)
    return bool(one.rest and roles and one.is_kept) and one.rest == two.rest
