"""What can go wrong (exceptions) and what could not be known (`Unknown`).

An exception means the answer could not be given at all (exit code 2). An `Unknown` is part of the
answer: the number it belongs to becomes a lower bound and the report says why.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple


class GraphcountError(Exception):
    """Base of everything graphcount raises on purpose.

    Attributes:
        message: What is wrong, without the path.
        path: The file it is about, or None.
        offset: Byte offset in the file, or None.
        rule: Id of the audit rule whose documentation explains it; empty when there is none.
    """

    slug = "error"
    rule = ""

    def __init__(
        self,
        message: str,
        path: str | None = None,
        offset: int | None = None,
        rule: str | None = None,
    ) -> None:
        super().__init__(message, path, offset, rule)
        self.message = message
        self.path = path
        self.offset = offset
        self.rule = type(self).rule if rule is None else rule

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.path, self.offset, self.rule)

    def at(self, path: str) -> GraphcountError:
        """Return the same error with the file it happened in."""
        return type(self)(self.message, path, self.offset, self.rule)


class UsageError(GraphcountError):
    """The caller asked for something that makes no sense (an unknown measure, a bad budget)."""

    slug = "usage"


class ConfigError(UsageError):
    """A configuration is wrong; every line of the message is a mistake with its file and line."""

    slug = "config"


class NotReadableError(GraphcountError):
    """The path is missing, not a regular file, or refused by the operating system."""

    slug = "not-readable"
    rule = "FMT011"


def not_writable(path: str, error: OSError) -> NotReadableError:
    """Return the error of a file that cannot be written; names the folder that is missing."""
    folder = os.path.dirname(path)
    if isinstance(error, FileNotFoundError) and folder and not os.path.isdir(folder):
        return NotReadableError(f"cannot be written: there is no folder {folder}", path)
    reason = (error.strerror or "the system refuses").lower()
    return NotReadableError(f"cannot be written: {reason}", path)


class NotOnnxError(GraphcountError):
    """The bytes are something else than an ONNX model; the message says what they look like."""

    slug = "not-onnx"
    rule = "FMT001"


class DamagedError(GraphcountError):
    """The protobuf wire format is broken: cut, overlong, or impossible."""

    slug = "damaged"
    rule = "FMT002"


class LimitError(GraphcountError):
    """The file asks for more work than `graphcount.loading.limits.Limits` allows."""

    slug = "limit"
    rule = "RES001"


def bug_line(error: Exception) -> str:
    """Return the line for an error that nobody raised on purpose: a bug of ours, and its place."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None:
        where = f" at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
    return f"internal error, please report: {type(error).__name__}: {error}{where}"


class Unknown(NamedTuple):
    """One thing that could not be known, and so makes a total a lower bound.

    Attributes:
        where: The node, tensor or part of the file it is about.
        what: What is not known: `tensor size`, `tensor data`, `operator`, `function`, `value`, …
        why: One sentence.
        affects: `counts`: what is stored, and with it everything; `cost`: only MACs, element-wise
            work, shapes and activations; `generated`: only how many elements the graph makes;
            `operands`: only `operand_elements`.
    """

    where: str
    what: str
    why: str
    affects: str = "counts"


class Problem(NamedTuple):
    """Something wrong with one part of a file, decided once: counts and audit both tell it.

    Attributes:
        rule: Id of the audit rule that documents it: `TEN003`.
        what: What is not known then; see `Unknown.what`.
        why: One sentence.
        evidence: Expected and actual values, for the audit.
    """

    rule: str
    what: str
    why: str
    evidence: Mapping[str, object] = {}

    def unknown(self, where: str) -> Unknown:
        """Return the unknown that this error makes of a part of the file."""
        return Unknown(where, self.what, self.why)
