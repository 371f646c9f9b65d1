"""What a file is when it is not an ONNX protobuf: one row a format, looked at in this order."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Lookalike(NamedTuple):
    """One thing a file can be mistaken for.

    Attributes:
        looks_like: Finishes the sentence "not an ONNX model: it looks like …".
        matches: Decides from the first bytes of the file, and its size.
    """

    looks_like: str
    matches: Callable[[bytes, int], bool]


def _starts(*magics: bytes) -> Callable[[bytes, int], bool]:
    return lambda head, nbytes: head.startswith(magics)


def _flatbuffer(magic: bytes) -> Callable[[bytes, int], bool]:
    # a producer_name of ONNX can begin at byte 4 too: then the root table would be beyond the end,
    # but for a file that is both, and of which onnxruntime reads the flatbuffer
    return lambda head, nbytes: head[4:8] == magic and int.from_bytes(head[:4], "little") < nbytes


def _matches(pattern: bytes) -> Callable[[bytes, int], bool]:
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return lambda head, nbytes: compiled.match(head) is not None


def _tar(head: bytes, nbytes: int) -> bool:
    return head[257:262] == b"ustar" and set(head[100:107]) <= set(b"01234567 \x00")


def _safetensors(head: bytes, nbytes: int) -> bool:
    size = int.from_bytes(head[:8], "little")
    return len(head) > 9 and 2 <= size < 1 << 28 and head[8:9] == b"{" and head[9:10] in b'" \n}'


FORMATS: tuple[Lookalike, ...] = (
    Lookalike(
        'a Git LFS pointer, not the file itself; run "git lfs pull"',
        _starts(b"version https://git-lfs"),
    ),
    Lookalike("an ONNX Runtime model (ORT flatbuffer)", _flatbuffer(b"ORTM")),
    Lookalike("a TensorFlow Lite model (flatbuffer)", _flatbuffer(b"TFL3")),
    Lookalike("a GGUF file (llama.cpp)", _starts(b"GGUF")),
    Lookalike(
        "a PyTorch checkpoint or another zip archive; export it to ONNX first",
        _starts(b"PK\x03\x04", b"PK\x05\x06"),
    ),
    Lookalike("a gzip file; unpack it first", _starts(b"\x1f\x8b")),
    Lookalike("a Zstandard file; unpack it first", _starts(b"\x28\xb5\x2f\xfd")),
    Lookalike("an xz file; unpack it first", _starts(b"\xfd7zXZ\x00")),
    Lookalike("a bzip2 file; unpack it first", _starts(b"BZh")),
    Lookalike("a 7z archive; unpack it first", _starts(b"7z\xbc\xaf\x27\x1c")),
    Lookalike("a tar archive; unpack it first", _tar),
    Lookalike("an HDF5 file (old Keras, NetCDF)", _starts(b"\x89HDF\r\n\x1a\n")),
    Lookalike("a pickle (PyTorch, joblib); it was not unpickled", _matches(rb"\x80[\x02-\x05]")),
    Lookalike("a safetensors file: weights without a graph", _safetensors),
    Lookalike("a NumPy array", _starts(b"\x93NUMPY")),
    Lookalike("a picture", _starts(b"\x89PNG", b"\xff\xd8\xff", b"GIF8")),
    Lookalike("a PDF", _starts(b"%PDF")),
    Lookalike("an ELF program or library", _starts(b"\x7fELF")),
    Lookalike("a Windows program or library", _starts(b"MZ")),
    Lookalike(
        "an HTML page (a failed download?)", _matches(rb"\s*(<!doctype html|<html|<head|<body)")
    ),
    Lookalike("an XML document", _matches(rb"\s*<\?xml")),
    Lookalike(
        "a saved report of graphcount; diff reads it, and report --against",
        _matches(rb'\s*(\[\s*)?\{\s*"schema"\s*:\s*"graphcount\.report/'),
    ),
    Lookalike(
        "JSON that graphcount wrote (a baseline, a benchmark, a plan)",
        _matches(rb'\s*(\[\s*)?\{\s*"schema"\s*:\s*"graphcount\.'),
    ),
)


def identify(head: bytes, nbytes: int) -> str | None:
    """Return what a file looks like, or None.

    Args:
        head: Its first bytes; 512 are enough.
        nbytes: Its size.
    """
    if not head:
        return "an empty file"
    for row in FORMATS:
        if row.matches(head, nbytes):
            return row.looks_like
    return None


TEXT_SUFFIXES = (
    *(".json", ".onnxjson", ".onnxtext", ".onnxtxt"),
    *(".pbtxt", ".prototxt", ".textproto", ".txt"),
)
"""Suffixes under which a text form is read: those of `onnx.load`, and `.txt`."""


def is_text_name(path: str) -> bool:
    """Return whether a path has such a suffix: of a file, a member of an archive, a URL."""
    if path.startswith("zip://"):
        path = path.rpartition("::")[0]
    return re.split("[?#]", path)[0].lower().endswith(TEXT_SUFFIXES)


def text_form(head: bytes) -> str | None:
    """Return which of ONNX's text forms the file may be: `json`, `onnxtxt`, `textproto` or None.

    JSON is protobuf's JSON mapping of ModelProto, `onnxtxt` the language of `onnx.parser`,
    `textproto` protobuf's text format.
    """
    if b"\x00" in head or not _printable(head):
        return None
    stripped = head.lstrip()
    if stripped.startswith(b"{"):
        return "json"
    if stripped.startswith(b"<") and re.match(rb"<\s*(ir_version|opset_import)\s*:", stripped):
        return "onnxtxt"
    if re.match(rb"(#[^\n]*\n\s*)*[a-z_]+\s*(:\s*[\"'0-9]|\{|<)", stripped):
        return "textproto"
    return None


def _printable(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not a character cut at the end of the look
            return False
        text = head[: error.start].decode()
    return all(character.isprintable() or character in "\r\n\t" for character in text)
