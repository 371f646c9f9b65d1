"""Read-ahead: the right bytes always, in few round trips where reading has a pattern."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

import graphcount.loading.readahead as module
from graphcount.loading.readahead import ReadAhead, predict

DATA = bytes(range(251)) * 20_000  # 5 MB in which no two near places look alike


class Fetcher:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.trips: list[list[tuple[int, int]]] = []

    def __call__(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        self.trips.append(list(ranges))
        return [self.data[start:end] for start, end in ranges]

    @property
    def nbytes(self) -> int:
        return sum(end - start for trip in self.trips for start, end in trip)


@given(
    st.lists(st.tuples(st.integers(0, len(DATA) + 10), st.integers(0, 200_000)), max_size=30),
    st.integers(0, 3000),
)
def test_any_order_of_reading_gives_the_bytes(reads: list[tuple[int, int]], head: int) -> None:
    fetch = Fetcher(DATA)
    ahead = ReadAhead(fetch, len(DATA), DATA[:head])
    for offset, nbytes in reads:
        assert ahead.read(offset, nbytes) == DATA[offset : offset + nbytes]
    for trip in fetch.trips:
        assert all(0 <= start < end <= len(DATA) for start, end in trip)


def test_reading_on_takes_a_logarithm_of_round_trips() -> None:
    fetch = Fetcher(DATA)
    ahead = ReadAhead(fetch, len(DATA))
    for offset in range(0, len(DATA), 1000):
        ahead.read(offset, 1000)
    assert len(fetch.trips) <= 8  # 64 kB doubled seven times is 8 MB
    assert fetch.nbytes == len(DATA)


def test_repeated_jumps_are_asked_for_ahead() -> None:
    size = 2**40
    places = [0]
    for layer in range(100):
        for gap in (2**20, 4 * 2**20, 2**21):
            places.append(places[-1] + gap + layer // 10)
    trips = []

    def fetch(ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        trips.append(ranges)
        return [bytes(end - start) for start, end in ranges]

    ahead = ReadAhead(fetch, size)
    for place in places:
        ahead.read(place, 300)
    assert len(trips) < 40  # of 301 places
    assert sum(end - start for trip in trips for start, end in trip) < 301 * 20_000


def test_jumps_without_a_pattern_cost_one_piece_each() -> None:
    fetch = Fetcher(bytes(2**26))
    ahead = ReadAhead(fetch, 2**26)
    for place in (0, 3, 7, 15, 24, 26, 41, 55):
        ahead.read(place * 2**20, 300)
    assert len(fetch.trips) == 8
    assert all(len(trip) == 1 for trip in fetch.trips)


def test_held_bytes_are_bounded() -> None:
    fetch = Fetcher(bytes(2**26))
    ahead = ReadAhead(fetch, 2**26)
    for offset in range(0, 2**26, 2**16):
        ahead.read(offset, 2**16)
    assert ahead._held <= module.CACHE_NBYTES
    assert ahead._held == sum(len(data) for _, data in ahead._pieces)


def test_predict() -> None:
    assert predict([0, 10**6], 4) == []
    assert predict([0, 10**6, 2 * 10**6], 2) == [3 * 10**6, 4 * 10**6]
    twice = [0, 10**6, 5 * 10**6, 6 * 10**6, 10**7]  # distances 1, 4, 1, 4 million
    assert predict(twice, 3) == [11 * 10**6, 15 * 10**6, 16 * 10**6]
    assert predict([0, 10**6, 3 * 10**6, 9 * 10**6], 2) == []
