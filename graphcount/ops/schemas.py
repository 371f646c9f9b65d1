"""What the definitions of operators say of a node: how many inputs and outputs, which attributes.

`schemas.txt` holds them, one line an operator and version, made by `tests/ops/make_schemas.py` from
onnx 1.23 (`onnx.defs`) and onnxruntime 1.32 (`com.microsoft`). A table of our own answers in a
millisecond, where importing onnx takes a third of a second, and says the same whatever onnx is
installed; a test compares it with `onnx.defs`.

    ai.onnx Clip 13 1:roo 1:r -
    com.microsoft BiasGelu 1 2:rr 1:r -

The columns: domain, operator, version it came with (`13!` where it is withdrawn); fewest inputs and
one letter each (`r` required, `o` optional, `v` any number); the same for outputs; attributes with
the letter of their type (`i` int, `I` ints, ..., `*` where required).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

from graphcount.domains import canonical

ATTRIBUTE_TYPES = {
    "f": 1,
    "i": 2,
    "s": 3,
    "t": 4,
    "g": 5,
    "F": 6,
    "I": 7,
    "S": 8,
    "T": 9,
    "G": 10,
    "p": 11,
    "P": 12,
    "y": 13,
    "Y": 14,
}
"""AttributeProto.AttributeType code of each letter (onnx.proto)."""

DOMAINS = frozenset(
    {"", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "com.microsoft"}
    | {"com.microsoft.nchwc"}
)
"""Domains whose operators are all in the table."""

EXACTLY_ONE = {
    ("", "Constant"): frozenset(
        {"value", "sparse_value"}
        | {f"value_{kind}{s}" for kind in ("float", "int", "string") for s in ("", "s")}
    )
}
"""Attributes of which a node has exactly one; `onnx.defs` has it in words (Operators.md)."""


class Places(NamedTuple):
    """The inputs or the outputs of an operator.

    Attributes:
        fewest: How many have to be there.
        letters: `r`, `o` or `v` for each; a last `v` stands for any number.
    """

    fewest: int
    letters: str

    @property
    def most(self) -> int | None:
        """How many there may be; None for any number."""
        return None if self.letters.endswith("v") else len(self.letters)

    def required(self, index: int) -> bool:
        """Return whether the place may not be left out by an empty name."""
        return index < len(self.letters) and self.letters[index] == "r"


class Schema(NamedTuple):
    """One version of an operator's definition.

    Attributes:
        since: The opset version it came with.
        withdrawn: It says that the operator is no more.
        inputs: Its inputs.
        outputs: Its outputs.
        attributes: AttributeProto.AttributeType code by name.
        required: Names of attributes that have to be there.
    """

    since: int
    withdrawn: bool
    inputs: Places
    outputs: Places
    attributes: dict[str, int]
    required: frozenset[str]


@cache
def versions(domain: str, op_type: str) -> tuple[Schema, ...]:
    """Return every version of an operator, oldest first; empty when it is not known."""
    return tuple(_read(line) for line in _lines().get((domain, op_type), ()))


def is_reserved(domain: str, op_type: str) -> bool:
    """Return whether a runtime takes an operator of its own before a local function of that name.

    onnxruntime does for every operator it has; in ONNX's domains and in the one that its layouts
    are written in, any name may be one (it has some that no other list of operators knows).
    """
    own = domain == "" or domain.startswith(("ai.onnx", "com.ms.internal"))
    return own or bool(versions(domain, op_type))


@cache
def schema(domain: str, op_type: str, opset: int) -> Schema | None:
    """Return the definition that holds at an opset version; None when there is none (yet)."""
    released = [known for known in versions(domain, op_type) if known.since <= opset]
    return released[-1] if released else None


@cache
def _lines() -> dict[tuple[str, str], list[str]]:
    table: dict[tuple[str, str], list[str]] = {}
    text = files("graphcount.ops").joinpath("schemas.txt").read_text("ascii")
    for line in text.splitlines():
        domain, op_type, rest = line.split(" ", 2)
        key = (canonical(domain), op_type)
        table.setdefault(key, []).append(rest)
    return table


def _read(line: str) -> Schema:
    version, inputs, outputs, *named = line.split(" ")
    attributes, required = {}, set()
    for item in named if named != ["-"] else ():
        name, _, letter = item.rpartition(":")
        if letter.endswith("*"):
            required.add(name)
        attributes[name] = ATTRIBUTE_TYPES[letter[0]]
    return Schema(
        int(version.rstrip("!")),
        version.endswith("!"),
        _places(inputs),
        _places(outputs),
        attributes,
        frozenset(required),
    )


def _places(text: str) -> Places:
    fewest, _, letters = text.partition(":")
    return Places(int(fewest), letters)
