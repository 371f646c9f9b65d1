"""What is being done and how far it is: on stderr while that is a terminal, nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from graphcount.formats.text import one_line
from graphcount.formats.view import is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import Task
    from rich.text import Text

T = TypeVar("T")


class StatusLine:
    """One line on the terminal about what takes long; it is gone when the `with` ends."""

    def __init__(self, quiet: bool) -> None:
        self.width = 0
        self.enabled = not quiet and is_terminal(sys.stderr)

    def __enter__(self) -> StatusLine:
        return self

    def __exit__(self, *reason: object) -> None:
        self.clear()

    def __call__(self, text: str) -> None:
        """Replace the line."""
        if self.enabled:
            line = one_line(text, 70)
            sys.stderr.write(f"\r{line:<{self.width}}")
            sys.stderr.flush()
            self.width = len(line)

    def clear(self) -> None:
        """Take the line away."""
        if self.width:
            sys.stderr.write(f"\r{'':<{self.width}}\r")
            sys.stderr.flush()
            self.width = 0


class Progress(Protocol):
    """Counts what goes by."""

    def listing(self, items: Iterable[T]) -> Iterator[T]:
        """Yield targets as they come."""
        ...

    def working(self, items: Iterable[T], total: int) -> Iterator[T]:
        """Yield results as they come."""
        ...


class Silent:
    """No progress."""

    def listing(self, items: Iterable[T]) -> Iterator[T]:
        """Yield targets as they come."""
        return iter(items)

    def working(self, items: Iterable[T], total: int) -> Iterator[T]:
        """Yield results as they come."""
        return iter(items)


class BarProgress:
    """A line that says what is done, how fast, and how long it will take."""

    def __init__(self, bar: RichProgress) -> None:
        self._bar = bar

    def listing(self, items: Iterable[T]) -> Iterator[T]:
        """Yield targets as they come."""
        task = self._bar.add_task("listing", total=None)
        for item in items:
            self._bar.advance(task)
            yield item
        self._bar.remove_task(task)

    def working(self, items: Iterable[T], total: int) -> Iterator[T]:
        """Yield results as they come."""
        task = self._bar.add_task("models", total=total)
        for item in items:
            self._bar.advance(task)
            yield item


@contextmanager
def progress(quiet: bool) -> Iterator[Progress]:
    """Yield the progress for the time of a scan or a check of many models."""
    if quiet or not is_terminal(sys.stderr):
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress
    from rich.text import Text

    class Rate(ProgressColumn):
        """Models a second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f}/s" if speed else "", style="dim")

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), Rate())
    console = Console(stderr=True)
    with RichProgress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        yield BarProgress(bar)
