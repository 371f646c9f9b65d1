"""A program, archive or pickle lies in the model.

What it does:
    Looks at the beginning of every string, of lists of values in attributes and of dimensions that
    are declared (as numbers of 8, 16, 32 and 64 bits), and, in a deep audit, of every tensor and
    external data file; at every place of unknown fields inside the graph and of lists of strings:
    ELF, PE, Mach-O, WebAssembly, zip, 7z, gzip, xz, bzip2, RAR, tar, pickle, script, PDF. A magic
    number is not enough; the header must be whole. Text that stands for one in base64, base32,
    base85, hexadecimal or decimal digits, in one string or in pieces over the strings of a kind, is
    medium.

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

import struct
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence

from graphcount.analysis.stored import UNNAMED, Stored
from graphcount.auditing.context import Context
from graphcount.auditing.encoded import Decoded, decoded, joined
from graphcount.auditing.grouping import about_tensors, and_more
from graphcount.auditing.magic import identify, likely
from graphcount.auditing.rule import Rule
from graphcount.auditing.signs import beginning, within
from graphcount.auditing.texts import SCANNED_NBYTES, StoredString
from graphcount.loading.model import Attribute
from graphcount.loading.packed_lists import PART
from graphcount.loading.source import BytesSource
from graphcount.loading.tensor_data import Part
from graphcount.report.finding_rows import Finding

RULE = Rule("HID001", "hidden-program", "high")


FEWEST_NUMBERS = 4
FORMS = {"float": ("<f", ">f"), "int": (*"BbHhIiq", ">H", ">h", ">I", ">i", ">q")}
"""Formats of `struct`, by the kind of a list: what its numbers can stand for."""


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a kind and place: strings, lists, unknown fields, tensors, files."""
    yield from _strings(context)
    yield from _lists(context)
    yield from _pieces(context)
    yield from _dimensions(context)
    for field in context.strings.unknown:
        if field.frame:
            content = context.files.field(field)
            kind = identify(content)
            seen = None if kind else within(content.read(0, SCANNED_NBYTES))
            if kind or seen:
                where = {"path": context.strings.frame_path(field.frame), "offset": field.offset}
                what = f"begins as {kind}" if seen is None else f"holds {seen.kind}"
                yield RULE.finding(
                    f"unknown field {field.number} {what}", where, nbytes=field.nbytes
                )
    if context.deep:
        yield from _tensors(context)
        yield from _external_files(context)


def _strings(context: Context) -> Iterator[Finding]:
    whole: dict[str, list[StoredString]] = {}
    encoded: dict[str, list[StoredString]] = {}
    every = "name", "doc", "value", "data"
    left = SEARCHED_NBYTES
    for place in context.texts.distinct(*every, that=lambda raw: len(raw) >= 48 or likely(raw)):
        kind = identify(BytesSource(place.raw, "")) if likely(place.raw) else None
        if kind:
            whole.setdefault(kind, []).append(place)
        elif len(place.raw) >= FEWEST and left > 0:
            left -= len(place.raw)
            if (meant := decoded(place.raw[:SCANNED_NBYTES])) is not None:
                encoded.setdefault(f"{meant.kind} ({meant.encoding})", []).append(place)
    for by_kind, how in ((whole, "begins as"), (encoded, "decodes to")):
        for kind, places in by_kind.items():
            yield RULE.finding(
                f"a string {how} {kind}, {len(places[0].raw):,} bytes"
                f"{and_more(len(places) - 1, 'string')}",
                context.texts.where(places[0]),
                severity="medium" if by_kind is encoded else None,
                nbytes=len(places[0].raw),
                looks_like=kind.partition(" (")[0],
            )


def _pieces(context: Context) -> Iterator[Finding]:
    """Yield what the strings of a field, one behind the other, stand for."""
    strings = context.strings
    fields: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    sizes: defaultdict[tuple[str, str], int] = defaultdict(int)
    for string in strings:
        field = strings.message(strings.frame(string.at)), string.field.name
        if sizes[field] < SEARCHED_NBYTES and string.field.name not in USUAL:
            sizes[field] += len(string.raw)
            fields[field].append(string.at)
    for (message, name), places in fields.items():
        if len(places) > 1 and sizes[message, name] >= FEWEST:
            kind = _joined([strings.raw(at) for at in places])
            if kind:
                yield RULE.finding(
                    f"{message}.{name}, {len(places):,} strings read as one: {kind.kind}"
                    f" ({kind.encoding})",
                    {"path": strings.path(places[0]), "offset": strings.offset(places[0])},
                    severity="medium",
                    strings=len(places),
                    looks_like=kind.kind,
                )


def _joined(texts: list[bytes]) -> Decoded | None:
    """Return what strings stand for together, that none of them is alone."""
    for text in joined(texts):
        kind = decoded(text)
        if kind is None and _in_pieces(texts) and (seen := within(text)) is not None:
            kind = Decoded(seen.kind, "as it is")
        if kind is not None:
            alone = any(within(one) or decoded(one) for one in texts if len(one) >= FEWEST)
            return None if alone else kind
    return None


def _in_pieces(texts: list[bytes]) -> bool:
    """Return whether something was cut into strings: most are of one size."""
    sizes = Counter(map(len, texts))
    size, times = sizes.most_common(1)[0]
    return size >= FEWEST_NUMBERS and 10 * times >= 9 * len(texts) - 10


USUAL = frozenset({"op_type", "domain", "doc_string"})
"""Fields whose strings are the same in many places, or that are looked at one by one."""

SEARCHED_NBYTES = 1 << 18
"""So much text of a kind is searched for what it may stand for."""

FEWEST = 48
"""Shorter texts stand for nothing."""


def _dimensions(context: Context) -> Iterator[Finding]:
    """Yield what declared dimensions stand for, one behind the other."""
    for graph in context.graphs:
        infos = (*graph.inputs, *graph.outputs, *graph.value_info)
        numbers = [dim for info in infos for dim in info.shape or () if isinstance(dim, int)]
        added = [
            dim for info in graph.value_info for dim in info.shape or () if isinstance(dim, int)
        ]
        for values in (numbers, added):
            kind = _meant("int", values) if len(values) >= FEWEST_NUMBERS else None
            if kind:
                yield RULE.finding(
                    f"{len(values):,} dimensions in a row are {kind}",
                    {"graph": graph.name},
                    looks_like=kind,
                )
                break


def _lists(context: Context) -> Iterator[Finding]:
    hits = []
    for place, attribute in _attributes(context):
        numbers = attribute.numbers
        if numbers is None or len(numbers.values) < FEWEST_NUMBERS:
            continue
        kind = _meant(numbers.kind, numbers.values)
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


def _meant(kind: str, values: Sequence[object]) -> str | None:
    """Return what a list of numbers begins as, written in one of the forms."""
    for code in FORMS.get(kind, ()):
        if len(values) * struct.calcsize(code) < SMALLEST_NBYTES:
            continue
        head = _packed(values[:64], code)
        if not head or not (likely(head) or head.isascii() or likely(head[256:])):
            continue
        data = _packed(values[:MOST_NUMBERS], code)
        seen = beginning(BytesSource(data, ""), prose=False) or identify(BytesSource(data, ""))
        if seen:
            return seen
    return None


MOST_NUMBERS = 1 << 18
"""So many values of a list are looked at."""


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
    order = code[0] if len(code) > 1 else "<"
    try:
        parts = (values[at : at + PART] for at in range(0, len(values), PART))
        return b"".join(struct.pack(f"{order}{len(part)}{code[-1]}", *part) for part in parts)
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
