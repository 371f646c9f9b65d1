"""A program, archive or pickle lies in the model.

What it does:
    Looks at the beginning of every string, of lists of values in attributes (as bytes, as 32- and
    as 64-bit numbers), of unknown fields inside the graph and, in a deep audit, of every tensor and
    external data file: ELF, PE, Mach-O, WebAssembly, zip, 7z, gzip, xz, bzip2, RAR,
    pickle, script. A magic number is not enough; the header must be whole. Base64 text that decodes
    to one is medium.

Why it matters:
    Weights do not begin as programs. The model is the carrier, something else unpacks it.

Example:
    A uint8 initializer that is a Windows library.

What to do:
    Do not load the model. Cut the bytes out (their place is stated) and look at them apart from
    everything else.

References:
    CWE-506.
"""

from __future__ import annotations

import binascii
import re
import struct
from collections.abc import Hashable, Iterable, Iterator, Sequence

from graphcount.analysis.stored import UNNAMED, Stored
from graphcount.auditing.context import Context
from graphcount.auditing.grouping import about_tensors, and_more
from graphcount.auditing.magic import identify, likely
from graphcount.auditing.rule import Rule
from graphcount.auditing.texts import SCANNED_NBYTES, StoredString
from graphcount.loading.model import Attribute
from graphcount.loading.packed_lists import PART
from graphcount.loading.source import BytesSource
from graphcount.loading.tensor_data import Part
from graphcount.report.finding_rows import Finding

RULE = Rule("HID001", "hidden-program", "high")


BASE64 = re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{64,}={0,2}")
DECODED_NBYTES = 64 * 1024


FEWEST_NUMBERS = 8
FORMS = {"float": "f", "int": "BIq"}
"""Codes of `struct`, by the kind of a list: what its numbers can stand for."""


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a kind and place: strings, lists, unknown fields, tensors, files."""
    yield from _strings(context)
    yield from _lists(context)
    for field in context.strings.unknown:
        kind = identify(context.files.field(field)) if field.frame else None
        if kind:
            where = {"path": context.strings.frame_path(field.frame), "offset": field.offset}
            yield RULE.finding(
                f"unknown field {field.number} begins as {kind}", where, nbytes=field.nbytes
            )
    if context.deep:
        yield from _tensors(context)
        yield from _external_files(context)


def _strings(context: Context) -> Iterator[Finding]:
    whole: dict[str, list[StoredString]] = {}
    encoded: dict[str, list[StoredString]] = {}
    every = "name", "doc", "value", "data"
    for place in context.texts.distinct(*every, that=lambda raw: len(raw) >= 64 or likely(raw)):
        kind = identify(BytesSource(place.raw, "")) if likely(place.raw) else None
        if kind:
            whole.setdefault(kind, []).append(place)
        elif len(place.raw) >= 64 and (kind := _decoded(place.raw)):
            encoded.setdefault(kind, []).append(place)
    for by_kind, how in ((whole, "begins as"), (encoded, "decodes to")):
        for kind, places in by_kind.items():
            yield RULE.finding(
                f"a string {how} {kind}, {len(places[0].raw):,} bytes"
                f"{and_more(len(places) - 1, 'string')}",
                context.texts.where(places[0]),
                severity="medium" if by_kind is encoded else None,
                nbytes=len(places[0].raw),
                looks_like=kind,
            )


def _decoded(raw: bytes) -> str | None:
    """Return what a long base64 run in a string decodes to."""
    match = BASE64.search(raw[:SCANNED_NBYTES])
    if match is None:
        return None
    run = match.group()[: DECODED_NBYTES // 4 * 4]
    try:
        return identify(BytesSource(binascii.a2b_base64(run[: len(run) // 4 * 4]), ""))
    except binascii.Error:
        return None


def _lists(context: Context) -> Iterator[Finding]:
    hits = []
    for place, attribute in _attributes(context):
        numbers = attribute.numbers
        if numbers is None or numbers.kind == "string" or len(numbers.values) < FEWEST_NUMBERS:
            continue
        for code in FORMS[numbers.kind]:
            data = _packed(numbers.values[:FEWEST_NUMBERS], code)
            if data and likely(data) and (data := _packed(numbers.values, code)):
                kind = identify(BytesSource(data, ""))
                if kind:
                    hits.append((place, attribute, kind))
    if hits:
        place, attribute, kind = hits[0]
        yield RULE.finding(
            f"the values of attribute {attribute.name!r} begin as {kind}"
            f"{and_more(len(hits) - 1, 'attribute')}",
            {"node": place, "attribute": attribute.name, "offset": attribute.offset},
            looks_like=kind,
        )


def _attributes(context: Context) -> Iterator[tuple[str, Attribute]]:
    """Yield every attribute of the file, with the node (or the function whose default it is)."""
    for function in context.proto.functions:
        for attribute in function.attribute_protos:
            yield f"function:{function.domain}:{function.name}", attribute
    for body in context.bodies:
        for index, node in enumerate(body.nodes):
            for attribute in node.attributes:
                yield body.place(index), attribute


def _packed(values: Sequence[object], code: str) -> bytes:
    """Return numbers as bytes; empty where one of them does not fit."""
    try:
        parts = (values[at : at + PART] for at in range(0, len(values), PART))
        return b"".join(struct.pack(f"<{len(part)}{code}", *part) for part in parts)
    except struct.error:
        return b""


def _tensors(context: Context) -> Iterator[Finding]:
    hits = []
    known: dict[Hashable, str | None] = {}  # many tensors may name the same bytes of a file
    for stored in context.stored:
        shared = stored.external.path if stored.external and not stored.sparse else None
        for part in _beginnings(context, stored):
            place = shared or stored.key, part.offset, part.nbytes
            if place not in known:
                known[place] = identify(part)
            kind = known[place]
            if kind:
                hits.append((stored, kind, part))
                break
    if hits:
        stored, kind, part = hits[0]
        more = and_more(len(hits) - 1, "tensor")
        yield about_tensors(
            RULE,
            context,
            [stored for stored, _, _ in hits],
            f"{stored.name or UNNAMED} begins as {kind}, {part.nbytes:,} bytes{more}",
            payload_offset=part.offset,
            looks_like=kind,
        )


def _beginnings(context: Context, stored: Stored) -> Iterator[Part]:
    """Look at the data of tensors, and at what lies behind the last element."""
    part = context.files.part(stored)
    if part is None or part.nbytes < SMALLEST_NBYTES:
        return
    yield part
    own = stored.stored_nbytes
    if stored.sparse is None and 0 < own < part.nbytes:
        yield Part(part.read, own, part.nbytes - own)


SMALLEST_NBYTES = 32


def _external_files(context: Context) -> Iterator[Finding]:
    for tensors in context.external_files.values():
        whole = context.files.whole(tensors[0].data)
        owned = any(external.data.offset == 0 for external in tensors)
        kind = identify(whole) if whole and not owned else None
        if kind:
            location = tensors[0].data.location
            yield RULE.finding(f"{location} begins as {kind}", {"location": location})
