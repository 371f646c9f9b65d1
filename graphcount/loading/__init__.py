"""A file becomes records: `read_model` is the whole road from a path to a `ModelFile`."""

from __future__ import annotations

import io
import os
import stat
import sys
from dataclasses import dataclass
from time import perf_counter
from typing import IO, cast

from graphcount.errors import (
    DamagedError,
    GraphcountError,
    LimitError,
    NotOnnxError,
    NotReadableError,
)
from graphcount.loading.decode import decode_model
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.model import ModelProto
from graphcount.loading.source import (
    BytesSource,
    FileSource,
    InMemory,
    Source,
    SourceFile,
    has_scheme,
    irregular,
    is_nameless,
    is_remote,
    open_regular,
    public_path,
    spool,
)
from graphcount.loading.wire import Thin, fields
from graphcount.verbose import note


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model that was read, and where from.

    Attributes:
        proto: The records.
        path: Path as given; `-` for standard input; an `InMemory` is one, too.
        format: `onnx`, `json`, `onnxtxt` or `textproto`.
        file_nbytes: Size of the model file.
        thin: The bytes that were decoded, when they were to be kept.
    """

    proto: ModelProto
    path: str
    format: str
    file_nbytes: int
    thin: Thin | None = None

    @property
    def is_at_hand(self) -> bool:
        """Whether tensor data can still be read: not of a pipe, nor of a large text form."""
        whole = self.thin is not None and not self.thin.starts
        return whole or (self.path != "-" and self.format == "onnx")


def read_model(path: str, limits: Limits = DEFAULT_LIMITS, *, keep_thin: bool = False) -> ModelFile:
    """Read a model without its tensor data.

    Args:
        path: A file, or `-` for standard input.
        limits: What the file may ask of us.
        keep_thin: Keep the bytes of the structure, for whoever looks at every string of a file.

    Raises:
        NotReadableError: Missing or not a regular file.
        NotOnnxError: Something else than ONNX; the message says what.
        DamagedError: Broken wire format, with the byte.
        LimitError: More than `limits` allows.
    """
    started = perf_counter()
    try:
        source = open_source(path)
        try:
            model = read_source(source, limits, keep_thin=keep_thin)
        finally:
            source.close()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise NotReadableError(reason, public_path(path)) from None
    except GraphcountError as error:
        raise error.at(public_path(path)) from None
    took = perf_counter() - started
    text = "%s: read as %s in %.3f s: %s bytes"
    note(text, public_path(path), model.format, took, f"{model.file_nbytes:,}")
    return model


def reopen(model: ModelFile, limits: Limits = DEFAULT_LIMITS) -> Source:
    """Open a model again for its tensor data: the bytes that offsets in its records refer to.

    Raises:
        NotReadableError: It cannot be read a second time (standard input).
        GraphcountError: It is gone, or no model any more.
    """
    if model.path == "-":
        raise NotReadableError("standard input cannot be hashed; name a file", model.path)
    source = open_source(model.path)
    if source.nbytes != model.file_nbytes:
        source.close()
        raise NotReadableError("the file changed while it was read", model.path)
    if model.format == "onnx":
        return source
    from graphcount.loading.text import to_binary

    try:
        return BytesSource(to_binary(source.read(0, source.nbytes), model.format, limits), "")
    finally:
        source.close()


def read_source(
    source: Source, limits: Limits = DEFAULT_LIMITS, *, keep_thin: bool = False
) -> ModelFile:
    """Read a model from an open source; see `read_model`.

    A binary model comes first, as for onnx and onnxruntime; a text form is read under a text suffix
    (or without a name: from standard input or memory).
    """
    head = source.read(0, 4096)
    form = None if _begins_as_written(head) else _text_form(head, source)
    try:
        proto, thin = _decode(source, head, limits, every_string=keep_thin)
    except (DamagedError, NotOnnxError, LimitError):
        form = form or _text_form(head, source)  # it may have a better word
        if form is None:
            raise
        return _read_text(source, form, limits, keep_thin=keep_thin)
    return ModelFile(proto, source.path, "onnx", source.nbytes, thin if keep_thin else None)


def _read_text(source: Source, form: str, limits: Limits, *, keep_thin: bool) -> ModelFile:
    """Read a text form, which is no binary model."""
    from graphcount.loading.sniff import TEXT_SUFFIXES, is_text_name
    from graphcount.loading.text import NAMES, check_size, to_binary

    if not is_nameless(source.path) and not is_text_name(source.path):
        suffixes = ", ".join(TEXT_SUFFIXES)
        why = f"it looks like {NAMES[form]}, which is read under a name that ends with {suffixes}"
        raise NotOnnxError(f"not an ONNX model: {why}")

    check_size(source.nbytes, limits)
    binary = to_binary(source.read(0, source.nbytes), form, limits)
    proto, thin = _decode(BytesSource(binary, source.path), b"", limits, every_string=keep_thin)
    return ModelFile(proto, source.path, form, source.nbytes, thin if keep_thin else None)


def _begins_as_written(head: bytes) -> bool:
    """Return whether a file begins as most models do: an IR version and a field after it."""
    if head[4:8] in (b"ORTM", b"TFL3"):  # of a flatbuffer, if the file is large enough
        return False
    return head[:1] == b"\x08" and b"\0" < head[1:2] < b"\x80" and _plausible(head[2:])


def _text_form(head: bytes, source: Source) -> str | None:
    """Return which text form of ONNX a file has, or None; raise NotOnnxError for other files."""
    from graphcount.loading.sniff import identify, text_form

    looks_like = identify(head, source.nbytes)
    if looks_like is not None:
        raise NotOnnxError(f"not an ONNX model: it looks like {looks_like}")
    return text_form(head)


def thin_source(source: Source, limits: Limits, *, every_string: bool = True) -> Thin:
    """Return the model without large data fields; a small file is taken whole.

    Args:
        source: The file.
        limits: What it may ask of us.
        every_string: See `window.thin`.
    """
    if is_remote(source.path):
        from graphcount.loading.remote import remote_limits

        limits = remote_limits(limits)
    if source.nbytes <= limits.whole_file_nbytes:
        return Thin(source.read(0, source.nbytes), [], [], [], [])
    from graphcount.loading.window import thin

    return thin(source, limits, every_string=every_string)


def _decode(
    source: Source, head: bytes, limits: Limits, *, every_string: bool
) -> tuple[ModelProto, Thin]:
    other = _other_message(head)
    if other:
        raise NotOnnxError(f"not an ONNX model: {other}")
    try:
        thin = thin_source(source, limits, every_string=every_string)
        return decode_model(thin, limits, source.nbytes), thin
    except RecursionError:  # `message_depth` was raised, and Python's own limit is reached
        raise LimitError("messages are nested deeper than can be followed", rule="FMT003") from None
    except DamagedError as error:
        if error.rule == "FMT010":
            reason = "not an ONNX model: a protobuf without a graph"
            raise NotOnnxError(reason, rule=error.rule) from None
        if error.offset is None or not _plausible(head):
            raise NotOnnxError("not an ONNX model, nor any format known here") from None
        raise DamagedError(
            f"damaged: {error.message} (at byte {error.offset})", None, error.offset
        ) from None


def _other_message(head: bytes) -> str:
    """Recognise a TensorProto saved on its own (`input_0.pb`).

    Its data_type (field 2) is a number, while field 2 of a ModelProto is text; int64_data stands
    where a model has its graph, so small numbers could even pass for one.
    """
    seen: dict[int, int] = {}
    try:
        for tag, a, _ in fields(head, 0, len(head)):
            if tag == 58 and 16 not in seen:
                return ""  # a graph
            seen.setdefault(tag, a)
    except DamagedError:
        pass  # the head ends inside the tensor data
    if 0 < seen.get(16, 0) < 64 and not seen.keys().isdisjoint((8, 10, 34, 42, 50, 58, 74, 82, 90)):
        return "it looks like a single TensorProto (test data, .pb)"
    return ""


def _plausible(head: bytes) -> bool:
    """Return whether the first field could open a ModelProto: then "damaged" is better."""
    try:
        for tag, _, _ in fields(head[:64] + bytes(64), 0, 1 << 62):
            return tag in (8, 18, 26, 34, 40, 50, 58, 66, 114, 162, 202)
    except (DamagedError, IndexError):
        return bool(head) and head[0] in (8, 18, 26, 34, 40, 50, 58, 66, 114)
    return False


# ----------------------------------------------------------------------------------------- opening


def open_source(path: str) -> Source:
    """Open a model: a path, `-` for standard input, a URL, a member of an archive.

    Raises:
        NotReadableError: Missing, not a regular file, or refused; FIFOs and devices are not opened.
    """
    if isinstance(path, InMemory):
        return BytesSource(path.data, path)
    if path == "-":
        return _stdin()
    if not has_scheme(path):
        return FileSource(open_regular(path), path)
    if path.startswith("zip://"):
        from graphcount.loading.archive import open_member

        return open_member(path)
    from graphcount.loading.remote import open_remote

    return open_remote(path)


def open_again(path: str) -> IO[bytes]:
    """Open what a path names for reading and seeking; the one way to the data of a model.

    Raises:
        NotReadableError: It cannot be opened, or not twice (standard input).
    """
    if path == "-":
        raise NotReadableError("standard input cannot be read twice; name a file", path)
    if isinstance(path, InMemory):
        return io.BytesIO(path.data)
    if not has_scheme(path):
        return open_regular(path)
    return cast("IO[bytes]", io.BufferedReader(SourceFile(open_source(path)), 8192))


def _stdin() -> FileSource:
    """Return standard input; what comes through a pipe is spooled."""
    if sys.stdin is None:  # started with a closed standard input
        raise NotReadableError("is closed", "-")
    stream = sys.stdin.buffer
    try:
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISREG(mode):
            return FileSource(os.fdopen(os.dup(stream.fileno()), "rb", buffering=0), "-")
    except (OSError, ValueError):
        mode = stat.S_IFIFO  # no descriptor behind it (a test double): read it as a stream
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):  # a terminal, or one that never ends
        raise NotReadableError(f"is {irregular(mode)}, not a file", "-")
    return spool(stream, "-", "standard input")
