"""Calls of torch.fx that the dynamo exporter keeps beside each ONNX node.

`pkg.torch.onnx.fx_node` holds one line such as
`%linear : [num_users=1] = call_function[target=torch.ops.aten.linear.default](args = (%x, %p_w,
%p_b), kwargs = {})`. The text is untrusted: it is scanned once from left to right.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_CHARACTERS = 100_000
TARGET = "call_function[target=torch.ops."
ARGS = "](args = ("
OPENING, CLOSING = "([{", ")]}"


class FxCall(NamedTuple):
    """One call: `aten.linear` and its positional arguments as text, outermost brackets removed."""

    target: str
    args: tuple[str, ...]


def parse(text: str) -> FxCall | None:
    """Parse the text of an fx node; None for anything that is no call of an operator."""
    if len(text) > MAX_CHARACTERS:
        return None
    _, found, rest = text.partition(TARGET)
    name, opened, rest = rest.partition(ARGS)
    if not found or not opened:
        return None
    parts = name.split(".")
    return FxCall(".".join(parts[:2]), _split(rest))


def _split(text: str) -> tuple[str, ...]:
    """Arguments up to the closing bracket, split at commas outside brackets."""
    depth = 0
    start = 0
    found: list[str] = []
    for position, character in enumerate(text):
        if character in OPENING:
            depth += 1
        elif character in CLOSING:
            if depth == 0:
                found.append(text[start:position].strip())
                break
            depth -= 1
        elif character == "," and depth == 0:
            found.append(text[start:position].strip())
            start = position + 1
    return tuple(found)


def names(argument: str) -> tuple[str, ...]:
    """Placeholders in an argument: `%p_w` gives `p_w`; a list gives all of its own."""
    inner = argument.strip("[]")
    parts = (part.strip() for part in inner.split(","))
    return tuple(part[1:] for part in parts if part.startswith("%"))


def sizes(argument: str) -> int | None:
    """Product of a list of plain numbers, `[32, 4]`, or None."""
    if not (argument.startswith("[") and argument.endswith("]")):
        return None
    product = 1
    for part in argument[1:-1].split(","):
        part = part.strip()
        if not part.isascii() or not part.isdigit() or len(part) > 12:
            return None
        product *= int(part)
    return product


def scope(text: str) -> str:
    """Module that made a node: the last but one of `pkg.torch.onnx.name_scopes`."""
    parts = _quoted(text)
    return parts[-2] if len(parts) >= 2 else ""


def owner_class(text: str) -> str:
    """Class of that module: the last but one of `pkg.torch.onnx.class_hierarchy`."""
    return scope(text)


def _quoted(text: str) -> list[str]:
    """Strings of a printed list of strings."""
    if len(text) > MAX_CHARACTERS:
        return []
    return text.split("'")[1::2]
