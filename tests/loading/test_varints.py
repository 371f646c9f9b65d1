"""varints: sizes, damage, and lists decoded one by one and at once."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from graphcount.errors import DamagedError
from graphcount.loading import wire as wire_format
from graphcount.loading.wire import encode_varint, fixed_width, len_varint, signed, varint

NUMBERS = [0, 1, 127, 128, 300, 2**14 - 1, 2**14, 2**32, 2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_varint_is_what_protobuf_writes(number: int, wire: Any) -> None:
    coded = wire.varint(number)
    assert encode_varint(number) == coded
    assert varint(b"\xff" + coded, 1, 1 + len(coded)) == (number, 1 + len(coded))
    assert len_varint(number) == len(coded)
    assert len_varint(signed(number)) == len(coded)
    assert signed(number) == struct.unpack("<q", struct.pack("<Q", number))[0]


def test_an_overlong_varint_and_one_that_is_cut() -> None:
    assert varint(b"\xff" * 9 + b"\x01", 0, 10) == (2**64 - 1, 10)
    for data, why in ((b"\x80" * 10 + b"\x00", "longer"), (b"\x80\x80", "cut")):
        with pytest.raises(DamagedError, match=why):
            varint(data, 0, len(data))


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("block", [1, 4, 1000])
def test_lists_are_decoded_alike(
    width: int, at_once: bool, block: int, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_format, "SMALL_NBYTES", 0 if at_once else 1 << 16)
    data = b"".join(map(wire.varint, NUMBERS))
    blocks = [data[at : at + block] for at in range(0, len(data), block)]
    mask = (1 << 8 * width) - 1
    expected = b"".join((number & mask).to_bytes(width, "little") for number in NUMBERS)
    assert b"".join(fixed_width(blocks, width, len(NUMBERS))) == expected
    with pytest.raises(DamagedError, match="11 elements where dims and type ask for 12"):
        list(fixed_width(blocks, width, 12))
