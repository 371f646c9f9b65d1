"""ONNX's text forms, parsed by onnx itself: the one place of this room that imports it."""

from __future__ import annotations

import re

from graphcount.errors import NotOnnxError, NotReadableError
from graphcount.loading.limits import FileBudget, Limits, beyond


def to_binary(text: bytes, form: str, limits: Limits) -> bytes:
    """Turn a text form of a model into a binary ModelProto.

    Args:
        text: The whole file, UTF-8.
        form: `json`, `onnxtxt` or `textproto` (see `graphcount.loading.sniff.text_form`).
        limits: Bounds the size, since onnx parses it as a whole.

    Raises:
        NotOnnxError: It is not that form of an ONNX model.
        NotReadableError: The package onnx is not installed.
        LimitError: Larger than `limits.text_form_nbytes`, or more parts than `limits.work` allows.
    """
    check_size(len(text), limits)
    marks = len(text) - len(text.translate(None, _MARKS))
    FileBudget(limits.most_work(len(text))).spend("text mark", count=marks)
    if form == "onnxtxt":
        _check_nesting(text, limits)
    try:
        import onnx
        from google.protobuf import json_format, text_format
    except ModuleNotFoundError as error:  # in a browser
        why = f"{NAMES[form]}, which the package {error.name} reads, and it is not installed"
        raise NotReadableError(why) from None

    model = onnx.ModelProto()
    try:
        if form == "json":
            json_format.Parse(text, model, max_recursion_depth=limits.message_depth)
        elif form == "textproto":
            text_format.Parse(text, model)
        else:
            model = onnx.parser.parse_model(text.decode())
        binary: bytes = model.SerializeToString()
    except (json_format.ParseError, text_format.ParseError, onnx.parser.ParseError) as error:
        message = " ".join(str(error).split()).partition(" Available Fields")[0]
        reason = message[:160].removesuffix(".")
        raise NotOnnxError(
            f"not an ONNX model: {NAMES[form]} that onnx refuses: {reason}"
        ) from None
    except Exception:  # three parsers of others: DecodeError, RecursionError, IndexError, …
        raise NotOnnxError(f"not an ONNX model: {NAMES[form]} that onnx cannot read") from None
    return binary


def check_size(nbytes: int, limits: Limits) -> None:
    """Refuse text that is too large: onnx parses it as a whole."""
    most = limits.text_form_nbytes
    if nbytes > most:
        reason = f"text forms of ONNX are read up to {most:,} bytes, and this one has {nbytes:,}"
        raise beyond("text_form_nbytes", reason, nbytes, rule="FMT004")


def _check_nesting(text: bytes, limits: Limits) -> None:
    """Refuse deep ONNX text: the parser of onnx recurses without a bound, until the stack is full.

    Strings and comments are skipped as onnx/defs/parser.h reads them.
    """
    depth = 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in b"({[":
            depth += 1
            if depth > limits.message_depth:
                reason = f"ONNX text is nested deeper than {limits.message_depth}"
                raise beyond("message_depth", reason, 2 * depth, match.start(), "FMT003")
        elif token in b")}]":
            depth -= 1


_TOKEN = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|#[^\n]*|[(){}\[\]]',
    re.DOTALL,
)
"""A string, a comment, a bracket; a string without an end is the rest, which is looked at once."""

_MARKS = b'{}[]()<>,:;="'
"""What stands between the parts of a text form, each of which costs its parser a microsecond or
two; tensor data that is one text has none of them."""

NAMES = {"json": "JSON", "onnxtxt": "ONNX text", "textproto": "protobuf text"}
