"""One mutant and its tests in a forked process: by a new import, or by exchanging code."""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STATE = ROOT / "build" / "mutation"
OPTIONS = [
    *("-q", "--no-header", "-p", "no:randomly", "-p", "no:xdist", "--hypothesis-seed=0"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
]
NO_TESTS = 5
"""What pytest ends with when there was nothing to run."""
UNFIT = 77
"""Exit code of a process that could not exchange the code."""
LIMIT_S = 120
"""Seconds after which a mutant counts as one that hangs."""


def save(name: str, data: object) -> None:
    """Keep what a run learned, as JSON in `STATE`."""
    STATE.mkdir(parents=True, exist_ok=True)
    (STATE / name).write_text(json.dumps(data, indent=1), "utf-8")


def load(name: str) -> Any:
    """Return what an earlier run kept."""
    return json.loads((STATE / name).read_text("utf-8"))


class Recorder:
    """A pytest plugin: the lines of the areas that each test runs, and how long it takes."""

    def __init__(self, files: Sequence[str]) -> None:
        self.files = {str(ROOT / file): file for file in files}
        self.now: set[tuple[str, int]] = set()
        self.lines: dict[str, set[tuple[str, int]]] = {}
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that fails without a mutant (for want of time, say) says nothing about one."""
        if report.failed:
            self.failed.add(report.nodeid)

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        """For sys.settrace: only functions count; module bodies run once, whoever comes first."""
        code: CodeType = frame.f_code
        if code.co_filename in self.files and code.co_flags & 1:  # CO_OPTIMIZED: a function
            return self.line
        return None

    def line(self, frame: FrameType, event: str, _: Any) -> Any:
        """A line of a function of ours."""
        self.now.add((frame.f_code.co_filename, frame.f_lineno))
        return self.line

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Around each test."""
        self.now = set()
        start = time.perf_counter()
        sys.settrace(self.trace)
        threading.settrace(self.trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type, unused-ignore]
            self.seconds[item.nodeid] = time.perf_counter() - start
            self.lines[item.nodeid] = {(self.files[file], line) for file, line in self.now}


# ---------------------------------------------------------------------------- by a new import


class Loader(importlib.machinery.SourceFileLoader):
    """Compiles the changed text instead of the file."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        """The code of the mutant."""
        return compile(self.source, self.path, "exec", dont_inherit=True)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the one changed module."""

    def __init__(self, file: str, source: str) -> None:
        parts = Path(file).with_suffix("").parts
        self.package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.package else parts)
        self.path, self.source = str(ROOT / file), source

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """The changed module, and nothing else."""
        if fullname != self.name:
            return None
        places = [os.path.dirname(self.path)] if self.package else None
        loader = Loader(fullname, self.path, self.source)
        return importlib.util.spec_from_file_location(
            fullname, self.path, loader=loader, submodule_search_locations=places
        )


class Chosen:
    """A pytest plugin: only these tests, in this order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.order = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Drop the others."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order),
            key=lambda item: self.order[item.nodeid],
        )


def run_tests(file: str, source: str, tests: Sequence[str], limit_s: int = LIMIT_S) -> str:
    """The tests in a forked process that imports a mutant."""

    def child() -> int:
        sys.meta_path.insert(0, Finder(file, source))
        paths = sorted({test.partition("::")[0] for test in tests})
        return int(pytest.main([*OPTIONS, "-x", "--tb=short", *paths], [Chosen(tests)]))

    return in_child(child, limit_s)


def in_child(work: Callable[[], int], limit_s: int = LIMIT_S) -> str:
    """`killed`, `survived`, `timeout`, or `unfit`: by the exit code of a forked process."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            os.setpgid(0, 0)
            target = os.open(STATE / "last.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(target, 1)
            os.dup2(target, 2)
            resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return {0: "survived", NO_TESTS: "survived", UNFIT: "unfit"}.get(code, "killed")
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


# ----------------------------------------------------------------- collected once, exchanged


class Hot:
    """A pytest plugin: tests are collected once, each mutant runs them in a forked copy.

    The code of functions is exchanged where they are. That is right for a function that has not
    been called when the tests begin; mutants elsewhere (tables, what fills them) are left to the
    slow road, which imports everything anew.

    Args:
        work: Each mutant with its tests.
        done: Called with a mutant, its tests and what became of it.
    """

    def __init__(
        self, files: Sequence[str], work: Sequence[tuple[Any, list[str]]], done: Callable[..., None]
    ) -> None:
        self.work, self.done = work, done
        self.ran: set[tuple[str, int]] = set()
        recorder = Recorder(files)
        sys.settrace(recorder.trace)
        for file in files:
            importlib.import_module(Finder(file, "").name)
        sys.settrace(None)
        self.ran = {(recorder.files[path], line) for path, line in recorder.now}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests."""
        items = {item.nodeid: item for item in session.items}
        every = [
            items[test] for test in dict.fromkeys(test for _, row in self.work for test in row)
        ]
        for file in {mutant.file for mutant, _ in self.work}:
            source = (ROOT / file).read_text("utf-8")
            if in_child(partial(_run_hot, file, source, every[::20])) != "survived":
                raise SystemExit(f"{file}: tests fail after an exchange that changes nothing")
        for mutant, tests in (row for row in self.work if row[1]):
            lines = {(mutant.file, line) for line in range(mutant.lines[0], mutant.lines[1] + 1)}
            if mutant.inside and not lines & self.ran:
                chosen = [items[test] for test in tests if test in items]
                if not chosen:
                    continue
                outcome = in_child(partial(_run_hot, mutant.file, mutant.source(), chosen))
                if outcome != "unfit":
                    self.done(mutant, tests, outcome)
        return True


class _Stop:
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            sys.stdout.write(report.longreprtext)
            sys.stdout.flush()
            os._exit(1)


def _run_hot(file: str, source: str, items: list[pytest.Item]) -> int:
    return run_items(items) if _exchange(str(ROOT / file), source) else UNFIT


def run_items(items: list[pytest.Item]) -> int:
    """Run collected tests; the process ends with 1 at the first that fails."""
    items[0].config.pluginmanager.register(_Stop())
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return 0


def _exchange(path: str, source: str) -> bool:
    """Give the functions of a file the code they have in another text of it."""
    old = list(_codes(compile(Path(path).read_text("utf-8"), path, "exec", dont_inherit=True)))
    new = list(_codes(compile(source, path, "exec", dont_inherit=True)))
    if [code.co_qualname for code in old] != [code.co_qualname for code in new]:
        return False
    fresh = {_place(before): after for before, after in zip(old, new, strict=True)}
    try:
        for function in gc.get_objects():
            if isinstance(function, FunctionType) and function.__code__.co_filename == path:
                function.__code__ = fresh[_place(function.__code__)]
    except (KeyError, ValueError):
        return False
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _place(code: CodeType) -> Any:
    return code.co_qualname, code.co_firstlineno, tuple(code.co_positions())
