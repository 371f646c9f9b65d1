"""Progress is for a person who looks: on a terminal only, and gone when it is over."""

from __future__ import annotations

import io
import sys

import pytest

from graphcount.errors import UsageError
from graphcount.formats.progress import StatusLine, progress
from graphcount.formats.view import is_terminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def look(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Someone looks at stderr from now on."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def fail(status: StatusLine) -> None:
    with status:
        status("session")
        status("run")
        raise UsageError("a model cannot be run")


def test_a_status_is_one_line_that_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = look(monkeypatch)
    with pytest.raises(UsageError):
        fail(StatusLine(quiet=False))
    assert screen.getvalue() == "\rsession\rrun    \r   \r"


def test_a_name_in_a_status_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = look(monkeypatch)
    StatusLine(quiet=False)("reading a\x1b[2Jb: 10 %")
    assert screen.getvalue() == "\rreading a\\x1b[2Jb: 10 %"


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_written_where_nobody_looks(
    quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = Terminal() if quiet else io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with StatusLine(quiet) as status, progress(quiet) as bar:
        status("session")
        assert list(bar.listing("ab")) == list(bar.working("ab", 2)) == ["a", "b"]
    assert pipe.getvalue() == ""


def test_a_bar_counts_what_goes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = look(monkeypatch)
    with progress(quiet=False) as bar:
        assert list(bar.working("abc", 3)) == ["a", "b", "c"]
    assert "3/3" in screen.getvalue()


def test_a_closed_stream_is_no_terminal() -> None:
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(closed)
