"""What a state holds: by the operator that takes it, by what becomes of it, last by its name."""

from __future__ import annotations

from graphcount.analysis.states.names import words_of
from graphcount.analysis.states.pairs import StatePair


def kind_of(pair: StatePair) -> str:
    """Return the kind of a state; `STATE_KINDS` says what each is."""
    words, way = words_of(pair.source.name), pair.way
    holds = _by_structure(pair) or words.holds or _by_way(pair)
    if holds != "keys-values":
        return holds
    if words.is_cross or (way.handed_through and pair.attended):
        return "cross-attention"
    if pair.axis is not None or pair.target is None:
        return "keys-values"
    return "window" if way.cut or way.joined is not None else "buffer"


def _by_structure(pair: StatePair) -> str:
    """Return what it surely holds; empty where the structure leaves it open."""
    way = pair.way
    if pair.state is not None:
        return pair.state.holds
    if way.handed_through:
        return "keys-values" if pair.attended else ""
    if way.joined is not None and pair.convolved and not pair.attended:
        return "convolution"
    if (way.joined is not None or way.written) and pair.attended:
        return "keys-values"
    return ""


def _by_way(pair: StatePair) -> str:
    """Return what it holds by how it is changed."""
    way = pair.way
    if way.changed:
        return "ssm"
    if way.joined is not None and way.cut:
        return "convolution"
    return "recurrent" if way.looped or not way.source else "other"
