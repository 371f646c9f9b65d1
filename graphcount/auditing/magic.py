"""What bytes are, when they are no numbers: programs, archives, pickles. Nothing is run.

A magic number of two or four bytes stands in many weights by chance, so each format is checked as
far as its header allows: lengths that fit, checksums that match, opcodes up to the last. Sources:
the specifications of ELF, PE/COFF, Mach-O, ZIP, 7z, xz, gzip (RFC 1952), WebAssembly, ustar
(POSIX.1-1988), PDF; the module `pickletools`.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from graphcount.loading.source import Readable

if TYPE_CHECKING:
    import pickletools

HEAD = 4096
"""Bytes looked at first."""

PICKLE_NBYTES = 1 << 20
"""Bytes of a pickle whose opcodes are followed."""

ENOUGH_OPCODES = 50
"""So many opcodes in a row are a pickle, also when its end lies beyond what is followed."""

MOST_OPCODES = 1000
"""After so many that fit each other the end need not be seen: a microsecond each adds up."""

FEWEST_OPCODES, SHORTEST = 3, 10
"""A pickle has at least so many opcodes, and bytes before the last: chance makes shorter ones."""


class FileKind(NamedTuple):
    """A format that does not belong into a model.

    Attributes:
        name: With its article: "an ELF program or library".
        matches: Decides from the first bytes, and by reading further.
    """

    name: str
    matches: Callable[[bytes, Readable], bool]


_MAGIC = re.compile(
    rb"\x7fELF|MZ|[\xcf\xce]\xfa\xed\xfe|\xfe\xed\xfa[\xcf\xce]|\xca\xfe\xba[\xbe\xbf]|\0asm"
    rb"|PK\x03\x04|7z\xbc\xaf"
    rb"|\x1f\x8b\x08|\xfd7zXZ|BZh|Rar!|\x80[\x02-\x05]|[(\])}]|c[\w.]+\n|#!|%PDF-"
)

_TAR = re.compile(rb"[ -~]{1,100}\0")
"""How a tar header begins: with a name."""


def likely(head: bytes) -> bool:
    """Return whether bytes begin with a magic number at all: a quick look before `identify`."""
    return _MAGIC.match(head) is not None or head[257:262] == b"ustar"


def identify(content: Readable) -> str | None:
    """Return what the bytes begin as, or None for nothing known."""
    head = content.read(0, HEAD)
    if len(head) < 8 or not likely(head):
        return None
    return next((kind.name for kind in KINDS if kind.matches(head, content)), None)


def _elf(head: bytes, content: Readable) -> bool:
    if head[:4] != b"\x7fELF" or len(head) < 24 or head[4] not in (1, 2) or head[5] not in (1, 2):
        return False
    kind, machine, version = struct.unpack("<HHI" if head[5] == 1 else ">HHI", head[16:24])
    return head[6] == 1 and 1 <= kind <= 4 and 0 < machine < 300 and version == 1


MACHINES = frozenset({0x14C, 0x1C0, 0x1C4, 0x200, 0x5032, 0x5064, 0x8664, 0xAA64})
"""IMAGE_FILE_MACHINE: i386, ARM, ARMv7, Itanium, RISC-V 32 and 64, x86-64, ARM64."""


def _pe(head: bytes, content: Readable) -> bool:
    if head[:2] != b"MZ" or len(head) < 0x40:
        return False
    start = int.from_bytes(head[0x3C:0x40], "little")
    if not 0x40 <= start <= content.nbytes - 24:
        return False
    header = content.read(start, 6)
    return header[:4] == b"PE\0\0" and int.from_bytes(header[4:6], "little") in MACHINES


CPUS = frozenset({7, 12, 18})
"""Mach-O, cputype without its flag of 64 bits: x86, ARM, PowerPC."""

FAT = {b"\xca\xfe\xba\xbe": ">5I", b"\xca\xfe\xba\xbf": ">IIQQII"}
"""Universal binaries, and an entry of their table: cputype, subtype, offset, size, alignment."""

MOST_ARCHITECTURES = 30
"""A Java class begins with the same four bytes and has its version there, 45 and more."""


def _fat(head: bytes, content: Readable) -> bool:
    """Return whether it is a universal Mach-O: architectures, each a range of what is behind."""
    entry = FAT.get(head[:4])
    count = int.from_bytes(head[4:8], "big")
    if entry is None or not 1 <= count <= MOST_ARCHITECTURES:
        return False
    behind = 8 + count * struct.calcsize(entry)
    if behind > len(head):
        return False
    for row in struct.iter_unpack(entry, head[8:behind]):
        cpu, _, offset, size, alignment = row[:5]
        inside = behind <= offset and size and offset + size <= content.nbytes
        if cpu & 0xFFFFFF not in CPUS or alignment > 31 or not inside or offset % (1 << alignment):
            return False
    return True


def _macho(head: bytes, content: Readable) -> bool:
    order = {b"\xcf\xfa\xed\xfe": "<", b"\xce\xfa\xed\xfe": "<", b"\xfe\xed\xfa\xcf": ">"}
    order[b"\xfe\xed\xfa\xce"] = ">"
    if head[:4] not in order or len(head) < 28:
        return False
    numbers: tuple[int, ...] = struct.unpack(f"{order[head[:4]]}5I", head[4:24])
    cpu, _, kind, commands, size = numbers
    fits = 0 < commands < 10_000 and 8 * commands <= size <= content.nbytes
    return cpu & 0xFFFFFF in CPUS and 1 <= kind <= 12 and fits


def _wasm(head: bytes, content: Readable) -> bool:
    return head[:8] == b"\0asm\x01\0\0\0" and (len(head) == 8 or head[8] <= 13)


def _zip(head: bytes, content: Readable) -> bool:
    """Return whether a local header comes first, and its data or a directory's end fit."""
    if head[:4] != b"PK\x03\x04" or len(head) < 30:
        return False
    fields: tuple[int, ...] = struct.unpack("<HHHHHIIIHH", head[4:30])
    version, method, name_nbytes = fields[0], fields[2], fields[8]
    name = head[30 : 30 + name_nbytes]
    if version & 0xFF > 63 or method > 99 or not name or name != bytes(b for b in name if b >= 32):
        return False
    return _zip_directory(content) or _zip_member(fields, content)


def _zip_directory(content: Readable) -> bool:
    """Return whether a directory's end lies inside the last bytes."""
    length = min(content.nbytes, 65_557)
    start = content.nbytes - length
    tail = content.read(start, length)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return False
    directory: tuple[int, int] = struct.unpack("<II", tail[at + 12 : at + 20])
    size, offset = directory
    return offset == 0xFFFFFFFF or offset + size <= start + at


STORED, DEFLATED = 0, 8
MEMBER_NBYTES = 1 << 20
"""So much of the first member of an archive is unpacked."""


def _zip_member(fields: tuple[int, ...], content: Readable) -> bool:
    """Return whether the first member is what its header says: for archives inside other bytes."""
    _, flags, method, _, date, crc, packed, size, name_nbytes, extra = fields
    if flags & 0xF000 or not 1 <= date >> 5 & 15 <= 12 or extra > 4096:
        return False
    data = content.read(30 + name_nbytes + extra, min(packed or HEAD, MEMBER_NBYTES))
    if method == STORED:
        return 0 < packed == size == len(data) and zlib.crc32(data) == crc
    if method != DEFLATED or not data:
        return False
    try:
        return bool(zlib.decompressobj(-15).decompress(data, HEAD))
    except zlib.error:
        return False


def _seven_zip(head: bytes, content: Readable) -> bool:
    if head[:6] != b"7z\xbc\xaf\x27\x1c" or len(head) < 32:
        return False
    return zlib.crc32(head[12:32]) == int.from_bytes(head[8:12], "little")


GZIP_NBYTES = 256
"""So many bytes that unpack without an error are no chance."""


def _gzip(head: bytes, content: Readable) -> bool:
    if head[:3] != b"\x1f\x8b\x08" or head[3] > 31 or len(head) < 10:
        return False
    if head[8] not in (0, 2, 4) or not (head[9] <= 13 or head[9] == 255):  # XFL, OS
        return False
    inside = zlib.decompressobj(31)
    try:  # what is inside proves the header: a whole file, or as much as chance does not make
        return len(inside.decompress(head, GZIP_NBYTES)) == GZIP_NBYTES or inside.eof
    except zlib.error:
        return False


def _xz(head: bytes, content: Readable) -> bool:
    if head[:6] != b"\xfd7zXZ\0" or len(head) < 12:
        return False
    return zlib.crc32(head[6:8]) == int.from_bytes(head[8:12], "little")


def _bzip2(head: bytes, content: Readable) -> bool:
    return re.match(rb"BZh[1-9]1AY&SY", head) is not None


def _rar(head: bytes, content: Readable) -> bool:
    return head.startswith((b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00"))


_PROTOCOL_0 = re.compile(rb"(?:\(|[\])}]q?)*c[\w.]{1,80}\n[\w.]{1,80}\n|\([dl]p\d+\n")


def _pickle(head: bytes, content: Readable) -> bool:
    """Return whether opcodes lead to STOP, by their names: `pickletools` builds no object."""
    binary = head[0] == 0x80 and 2 <= head[1] <= 5
    if not binary and not _PROTOCOL_0.match(head):
        return False
    import pickletools

    data = content.read(0, PICKLE_NBYTES)
    seen = 0
    marks: list[bool] = []  # what the stack holds: a mark or something else
    try:
        for opcode, _, position in pickletools.genops(data):
            seen += 1
            if not _fits_stack(opcode, marks):
                return False
            if seen >= MOST_OPCODES:
                return True
            if opcode.name == "STOP":
                return not marks and seen >= FEWEST_OPCODES and (position or 0) >= SHORTEST
    except Exception:  # a library on hostile bytes: ValueError, IndexError, UnicodeDecodeError…
        pass
    return content.nbytes > len(data) and seen >= ENOUGH_OPCODES


def _fits_stack(opcode: pickletools.OpcodeInfo, marks: list[bool]) -> bool:
    """Return whether the stack has what an opcode takes; leave what it puts there."""
    import pickletools

    takes = opcode.stack_before
    if pickletools.markobject in takes:
        while marks and not marks.pop():
            pass
        takes = takes[: takes.index(pickletools.markobject)]
    if len(takes) > len(marks):
        return False
    if takes:
        del marks[-len(takes) :]
    marks.extend(kind is pickletools.markobject for kind in opcode.stack_after)
    return True


def _script(head: bytes, content: Readable) -> bool:
    return re.match(rb"#! ?/(?:usr/)?(?:local/)?bin/[\w/. -]{2,60}\r?\n", head) is not None


def _tar(head: bytes, content: Readable) -> bool:
    """Return whether a header comes first whose checksum is that of its bytes."""
    if head[257:262] != b"ustar" or not _TAR.match(head):
        return False
    total = sum(head[:148]) + 8 * 32 + sum(head[156:512])
    return re.match(rb" *0*%o[\0 ]" % total, head[148:156]) is not None


def _pdf(head: bytes, content: Readable) -> bool:
    return re.match(rb"%PDF-[12]\.[0-9][\r\n %]", head) is not None


KINDS: tuple[FileKind, ...] = (
    FileKind("an ELF program or library", _elf),
    FileKind("a Windows program or library", _pe),
    FileKind("a Mach-O program or library", _macho),
    FileKind("a universal Mach-O program or library", _fat),
    FileKind("a WebAssembly program", _wasm),
    FileKind("a zip archive", _zip),
    FileKind("a 7z archive", _seven_zip),
    FileKind("a gzip file", _gzip),
    FileKind("an xz file", _xz),
    FileKind("a bzip2 file", _bzip2),
    FileKind("a RAR archive", _rar),
    FileKind("a pickle", _pickle),
    FileKind("a script", _script),
    FileKind("a tar archive", _tar),
    FileKind("a PDF document", _pdf),
)
"""Formats, looked at in this order."""
