"""What other tools say of the same files: found of those that have something, alarms on clean ones.

    pip install onnx modelaudit modelscan graphcount && python tests/auditing/peers.py \\
        --hostile HOSTILE --bad twoviews=../shared/twoviews \\
        --bad backdoors=../shared/backdoors:fixtures/cnn.onnx --clean corpus=../shared/corpus

HOSTILE is a set that the maker in `../shared/hostile` wrote: its cases that ask for a rule have
something, those that ask for none are clean. `--bad NAME=FOLDER:CLEAN` is a folder of files that
were made of a clean one: only what a tool says beyond what it says of that counts. Every file is
looked at in a process of its own, with 30 seconds and 4 GB.

A tool finds a file where it refuses it, or says something of it at the severity with which it makes
a build fail or warns:

    graphcount    `audit`: findings of medium or worse; and, as a row of its own, those of high or
                  worse, with which it exits with 1 by default
    onnx.checker  `check_model(path, full_check=True)`: an exception
    modelaudit    issues of warning or worse, or a refusal; without cache and telemetry
    modelscan     any issue; it does not read ONNX, which it says (SCAN_NOT_SUPPORTED)

What ends a process (a signal, the time, the memory) finds nothing: it is counted as ended.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = 30
NBYTES = 4 * 2**30
SMALL = Path(__file__).resolve().parents[2] / "fixtures" / "cnn.onnx"

Says = Callable[[str], list[str]]
"""What a tool says of a file, in words that do not name the file."""


def _graphcount(levels: tuple[str, ...], path: str) -> list[str]:
    import graphcount

    try:
        report = graphcount.audit(path)
    except graphcount.GraphcountError as error:
        return [f"refused: {type(error).__name__}"]
    return [f"{row.rule} {row.message}" for row in report.findings if row.severity in levels]


def graphcount_medium(path: str) -> list[str]:
    """Return findings of medium or worse."""
    return _graphcount(("medium", "high", "critical"), path)


def graphcount_high(path: str) -> list[str]:
    """Return findings of high or worse."""
    return _graphcount(("high", "critical"), path)


def onnx_checker(path: str) -> list[str]:
    """Return the exception, if there is one."""
    import onnx

    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as error:
        return [f"{type(error).__name__} {str(error).replace(path, '')[:80]}"]
    return []


def modelaudit(path: str) -> list[str]:
    """Return issues of warning or worse."""
    from modelaudit.core import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
        scan_model_directory_or_file,
    )

    try:
        result = scan_model_directory_or_file(path, cache_enabled=False)
    except Exception as error:
        return [f"refused: {type(error).__name__}"]
    severe = (issue for issue in result.issues if issue.severity.value in ("warning", "critical"))
    return [issue.message.replace(path, "") for issue in severe]


def modelscan(path: str) -> list[str]:
    """Return issues; ONNX is not read."""
    from modelscan.modelscan import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
        ModelScan,
    )

    result = ModelScan().scan(path)
    return [str(issue.get("description")) for issue in result["issues"]]


TOOLS: dict[str, tuple[str, Says]] = {
    "graphcount, medium": ("graphcount", graphcount_medium),
    "graphcount, high": ("graphcount", graphcount_high),
    "onnx.checker": ("onnx", onnx_checker),
    "modelaudit": ("modelaudit", modelaudit),
    "modelscan": ("modelscan", modelscan),
}
"""Tools by the name in the table: the package that has the version, and how it is asked."""


def asked(says: Says, path: str) -> list[str] | None:
    """Ask in a process of its own; None where that was ended."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        resource.setrlimit(resource.RLIMIT_AS, (NBYTES, NBYTES))
        signal.alarm(SECONDS)  # whose default ends the process
        with suppress(BaseException):
            os.write(writer, json.dumps(says(path)[:20]).encode()[: 2**16 - 1])
            os._exit(0)
        os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read()
    os.waitpid(child, 0)
    try:
        return [str(word) for word in json.loads(text)]
    except ValueError:
        return None


class Case(NamedTuple):
    """A file, and the clean one that it was made of, if there is one."""

    path: str
    clean: str = ""


class Row(NamedTuple):
    """What a tool makes of a set."""

    spoken: int
    ended: int
    seconds: float


def row(says: Says, cases: Sequence[Case], known: dict[str, set[str]]) -> Row:
    """Count the cases of which a tool says something beyond what it says of the clean original."""
    spoken = ended = 0
    started = time.monotonic()
    for path, clean in cases:
        words = asked(says, path)
        if clean and clean not in known:
            known[clean] = set(asked(says, clean) or ())
        ended += words is None
        spoken += bool(set(words or ()) - known.get(clean, set()))
    return Row(spoken, ended, time.monotonic() - started)


def hostile(folder: Path) -> dict[str, list[Case]]:
    """Return the cases of a hostile set that ask for a rule, and those that are clean."""
    cases: list[dict[str, Any]] = json.loads((folder / "expected.json").read_text())["cases"]
    bad = [Case(str(folder / case["path"])) for case in cases if case["rules"]]
    only = [case for case in cases if not case["rules"] and case["accept"] == ["analysed"]]
    return {"hostile": bad, "hostile, clean": [Case(str(folder / case["path"])) for case in only]}


def made_of(text: str) -> tuple[str, list[Case]]:
    """Read `NAME=FOLDER`, or `NAME=FOLDER:CLEAN`."""
    name, _, rest = text.partition("=")
    folder, _, clean = rest.partition(":")
    paths = sorted(Path(folder).rglob("*.onnx"))
    wanted = (path for path in paths if path.resolve() != Path(clean or "/").resolve())
    return name, [Case(str(path), clean) for path in wanted if path.is_file()]


def table(sets: dict[str, list[Case]]) -> Iterator[str]:
    """Yield the lines of a table: a row a tool, a column a set."""
    head = [f"{name} ({len(cases)})" for name, cases in sets.items()]
    yield f"| | {' | '.join(head)} | ended | seconds a file |"
    yield "|---" * (len(head) + 3) + "|"
    for name, (package, says) in TOOLS.items():
        says(str(SMALL))  # what it imports is imported once, before the processes
        known: dict[str, set[str]] = {}
        rows = [row(says, cases, known) for cases in sets.values()]
        files = sum(map(len, sets.values()))
        cells = [str(one.spoken) for one in rows]
        seconds = sum(one.seconds for one in rows) / files
        ended = sum(one.ended for one in rows)
        line = (f"{name} {version(package)}", *cells, str(ended), f"{seconds:.2f}")
        yield f"| {' | '.join(line)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hostile", type=Path)
    parser.add_argument("--bad", action="append", default=[], metavar="NAME=FOLDER[:CLEAN]")
    parser.add_argument("--clean", action="append", default=[], metavar="NAME=FOLDER")
    options = parser.parse_args()
    os.environ.update(PROMPTFOO_DISABLE_TELEMETRY="1", NO_ANALYTICS="1")
    logging.disable(logging.CRITICAL)
    sets = hostile(options.hostile) if options.hostile else {}
    sets |= dict(made_of(text) for text in options.bad)
    sets |= {f"{name}, clean": cases for name, cases in map(made_of, options.clean)}
    for line in table(sets):
        print(line, flush=True)


if __name__ == "__main__":
    main()
