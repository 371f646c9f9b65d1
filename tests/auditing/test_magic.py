"""magic: real files of each kind are recognised, and what shares their first bytes is not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import pickletools
import random
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphcount.auditing.magic import identify, likely
from graphcount.loading.source import BytesSource


def look(data: bytes) -> str | None:
    return identify(BytesSource(data, ""))


def a_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.txt", "hello " * 5000)
    return out.getvalue()


def a_portable_executable() -> bytes:
    header = bytearray(512)
    header[:2], header[0x3C:0x40] = b"MZ", struct.pack("<I", 0x80)
    header[0x80:0x86] = b"PE\0\0\x64\x86"
    return bytes(header)


def a_seven_zip() -> bytes:
    start = struct.pack("<QQI", 10, 20, 30)
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<I", zlib.crc32(start)) + start + bytes(30)


def a_macho() -> bytes:
    return struct.pack("<7I", 0xFEEDFACF, 0x0100000C, 0, 2, 10, 1000, 0) + bytes(2000)


def a_fat_macho(magic: int = 0xCAFEBABE, entry: str = ">5I") -> bytes:
    """x86-64 and ARM64, 100 bytes each at 4,096 and 8,192."""
    more = (0,) if "Q" in entry else ()
    table = b"".join(
        struct.pack(entry, cpu, 0, offset, 100, 12, *more)
        for cpu, offset in ((0x01000007, 4096), (0x0100000C, 8192))
    )
    return struct.pack(">II", magic, 2) + table + bytes(9000)


FILES: dict[str, Callable[[], bytes]] = {
    "a Windows program or library": a_portable_executable,
    "a Mach-O program or library": a_macho,
    "a universal Mach-O program or library": a_fat_macho,
    "a WebAssembly program": lambda: b"\0asm\x01\0\0\0\x01\x04\x01\x60\x00\x00",
    "a zip archive": a_zip,
    "a 7z archive": a_seven_zip,
    "a gzip file": lambda: gzip.compress(b"hello" * 100),
    "an xz file": lambda: lzma.compress(b"hello" * 100),
    "a bzip2 file": lambda: bz2.compress(b"hello" * 100),
    "a script": lambda: b"#!/usr/bin/env python3\nprint(1)\n",
}


@pytest.mark.parametrize("kind", FILES)
def test_real_files_are_recognised(kind: str) -> None:
    assert look(FILES[kind]()) == kind


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the interpreter is an ELF here")
def test_this_program_is_recognised() -> None:
    assert look(Path(sys.executable).read_bytes()) == "an ELF program or library"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", [{"a": [1, 2.5, "x"]}, zipfile.ZipFile, [print, "hello"]])
def test_pickles_are_recognised_and_not_loaded(protocol: int, value: object) -> None:
    data = pickle.dumps(value, protocol)
    expected = protocol != 1 or value is zipfile.ZipFile
    assert (look(data) == "a pickle") is expected or value == [print, "hello"]


def test_a_pickle_that_is_longer_than_what_is_followed() -> None:
    assert look(pickle.dumps(b"0" * 2**21, 4) * 2) is None  # few opcodes, an end out of sight
    assert look(pickle.dumps(list(range(10**6)), 4)) == "a pickle"


def test_few_opcodes_of_a_long_pickle_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 MB of strings that begin as pickles would otherwise take half a minute."""
    followed = []
    genops = pickletools.genops

    def counted(data: bytes) -> Iterator[Any]:
        for found in genops(data):
            followed.append(found)
            yield found

    monkeypatch.setattr(pickletools, "genops", counted)
    assert look(pickle.dumps(list(range(10**5)), 2)) == "a pickle"
    assert len(followed) == 1000


@pytest.mark.parametrize(
    "head",
    [
        *(b"\xca\xfe\xba\xbe\0\0\0\x02", b"\xca\xfe\xba\xbf\0\0\0\x01"),
        *(b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\0asm", b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c"),
        *(b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"BZh9", b"Rar!", b"\x80\x04", b"\x80\x02", b"#!"),
        *(b"cos\nsystem\n", b"(cos\nsystem\n"),
    ],
)
def test_first_bytes_alone_are_not_enough(head: bytes) -> None:
    rng = random.Random(head)
    assert likely(head)
    for _ in range(300):
        assert look(head + rng.randbytes(300)) is None


def test_a_universal_binary_is_no_java_class() -> None:
    assert look(a_fat_macho(0xCAFEBABF, ">IIQQII")) == "a universal Mach-O program or library"
    whole = a_fat_macho()
    assert look(whole[:8200]) is None  # the second architecture is cut off
    java = b"\xca\xfe\xba\xbe" + struct.pack(">HHH", 0, 52, 30) + whole[10:]
    assert look(java) is None


def test_weights_are_not_taken_for_programs() -> None:
    rng = random.Random(7)
    for _ in range(20_000):
        assert look(struct.pack("<16f", *(rng.gauss(0, 1) for _ in range(16)))) is None


def test_short_and_empty_content() -> None:
    for data in (b"", b"M", b"MZ", b"PK\x03\x04", b"\x80\x04."):
        assert look(data) is None
