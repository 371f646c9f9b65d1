"""One finding a cause: how many, which first, and how much dead bytes matter."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from graphcount.auditing.grouping import and_more, dead_nbytes, severity_of_share
from graphcount.units import counted


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1 tensor"), (2, "2 tensors"), (1234, "1,234 tensors")]
)
def test_counted(number: int, text: str) -> None:
    assert counted(number, "tensor") == text


def test_and_more() -> None:
    assert and_more(0, "tensor") == ""
    assert and_more(1, "tensor") == "; and 1 more tensor"
    assert and_more(11, "tensor") == "; and 11 more tensors"


def row(name: str, nbytes: int, *, live: bool = False, uses: int = 0, **where: bool) -> Any:
    stored = {"in_training": False, "in_function": False, **where, "nbytes": nbytes, "name": name}
    tensor = SimpleNamespace(live=live, uses=("use",) * uses)
    return SimpleNamespace(stored=SimpleNamespace(**stored), tensor=tensor)


def test_dead_bytes_are_those_of_tensors_that_nothing_alive_needs() -> None:
    rows = [
        row("live", 1, live=True, uses=1),
        row("small", 2, uses=1),
        row("large", 4, uses=2),
        row("unread", 8),
        row("training", 16, in_training=True),
        row("function", 32, in_function=True),
    ]
    nbytes, total, dead = dead_nbytes(rows, used=True)
    assert (nbytes, total) == (6, 63)
    assert [one.stored.name for one in dead] == ["large", "small"]
    assert dead_nbytes(rows, used=False)[0] == 8


@pytest.mark.parametrize(
    ("nbytes", "total", "severity"),
    [(1023, 1023, "low"), (1024, 10240, "medium"), (1024, 10241, "low"), (10**6, 10**6, "medium")],
)
def test_a_tenth_of_all_bytes_matters(nbytes: int, total: int, severity: str) -> None:
    assert severity_of_share(nbytes, total) == severity
