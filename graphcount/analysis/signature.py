"""What torch.export declared about a model: the graph signature that the dynamo exporter keeps.

torch.onnx.export(dynamo=True) writes `str(ExportedProgram.graph_signature)` into the graph's
metadata_props under `pkg.torch.export.ExportedProgram.graph_signature`, one line an input:

    p_conv1_weight: PARAMETER target='conv1.weight'
    b_bn1_running_mean: BUFFER target='bn1.running_mean' persistent=True

It lists every parameter and buffer of the exported module, also those no node uses. Torch before
2.7 printed the records instead: `InputSpec(kind=<InputKind.PARAMETER: 2>,
arg=TensorArgument(name='p_conv1_weight'), target='conv1.weight', persistent=None)`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_CHARACTERS = 64_000_000
TARGET = " target='"
RECORD = re.compile(
    r"InputSpec\(kind=<InputKind\.([A-Z_]{1,40}): \d{1,3}>,"
    r" arg=[A-Za-z]{1,40}\(name='([^'\n]{0,2000})'\), target='([^'\n]{0,2000})'"
)


class Signature(NamedTuple):
    """Names of a signature.

    Attributes:
        parameters: Target name (`conv1.weight`) → placeholder (`p_conv1_weight`).
        buffers: The same for buffers and constant tensors.
        complete: Every line was understood and the outputs follow the inputs, so none is cut off.
    """

    parameters: dict[str, str]
    buffers: dict[str, str]
    complete: bool


def read_signature(text: str) -> Signature | None:
    """Read a signature; None when it declares nothing, or is too long. Never raises."""
    if len(text) > MAX_CHARACTERS:
        return None
    signature = _records(text) if "InputSpec(" in text[:1000] else _lines(text)
    return signature if signature.parameters or signature.complete else None


def _records(text: str) -> Signature:
    """Return the form of older versions."""
    parameters: dict[str, str] = {}
    buffers: dict[str, str] = {}
    twice = False
    for kind, name, target in RECORD.findall(text):
        if kind == "PARAMETER":
            twice = twice or target in parameters
            parameters[target] = name
        elif kind in ("BUFFER", "CONSTANT_TENSOR"):
            buffers[target] = name
    whole = text.count("InputKind.PARAMETER") == len(parameters) and "output_specs=[" in text
    return Signature(parameters, buffers, whole and not twice)


def _lines(text: str) -> Signature:
    """Return the form of torch 2.7 and later."""
    parameters: dict[str, str] = {}
    buffers: dict[str, str] = {}
    complete = False
    twice = False
    for line in text.splitlines():
        line = line.strip()
        if line == "# outputs":
            complete = True
            break
        name, colon, rest = line.partition(": ")
        if not colon:
            continue
        kind, _, _ = rest.partition(" ")
        target = _target(rest)
        if kind == "PARAMETER" and target:
            twice = twice or target in parameters
            parameters[target] = name
        elif kind in ("BUFFER", "CONSTANT_TENSOR") and target:
            buffers[target] = name
        elif kind == "PARAMETER":
            twice = True
    return Signature(parameters, buffers, complete and not twice)


def _target(rest: str) -> str:
    """Return the quoted name behind `target=`, or empty."""
    _, separator, tail = rest.partition(TARGET)
    name, quote, _ = tail.partition("'")
    return name if separator and quote else ""
