"""Options that set a dimension are read by a shell, and by the program, as the name they are of."""

from __future__ import annotations

import shlex

import pytest

from graphcount.symbolic.names import option


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("batch", "--dim batch=N"),
        ("images:0[2]", "--dim images:0[2]=N"),
        ("past.0", "--dim past.0=N"),
        ("batch size", "--dim 'batch size=N'"),
        ("it's", "--dim 'it'\\''s=N'"),
        ("$(rm -r x)", "--dim '$(rm -r x)=N'"),
        ("a;b", "--dim 'a;b=N'"),
        ("*", "--dim '*=N'"),
    ],
)
def test_a_shell_reads_the_name(name: str, text: str) -> None:
    assert option(name) == text
    assert shlex.split(text) == ["--dim", f"{name}=N"]


def test_a_size_may_be_a_number_or_a_range() -> None:
    assert option("batch", 8) == "--dim batch=8"
    assert option("batch size", "1:N") == "--dim 'batch size=1:N'"
