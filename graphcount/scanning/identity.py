"""When two models of an inventory are the same: one place where that is decided."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from graphcount.report.records import Report


class Identity(NamedTuple):
    """Two texts that are equal for equal models.

    Attributes:
        architecture: Operators, shapes and element types, whatever the names and the weights are.
        weights: The tensor data too; None when it was not read.
    """

    architecture: str
    weights: str | None


def identify(report: Report) -> Identity:
    """Return the identity of a model, from its report.

    With `--hash` it is the fingerprint of its content, else a digest of operators, shapes and
    element types in order, and weights are not compared.
    """
    fingerprint = report.fingerprint
    if fingerprint is not None and fingerprint.architecture is not None:
        return Identity(fingerprint.architecture, fingerprint.content)
    digest = hashlib.sha256(b"without fingerprint\n")
    for node in report.nodes:
        line = f"{node.domain}\0{node.op_type}\0{node.output_shapes}\n"
        digest.update(line.encode("utf-8", "backslashreplace"))
    for tensor in report.tensors:
        digest.update(f"{tensor.dtype}\0{tensor.shape}\0{tensor.kind}\0{tensor.role}\n".encode())
    return Identity(digest.hexdigest()[:32], None)
