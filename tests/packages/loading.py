"""Whether onnxruntime loads a model, beside what graphcount says of it.

    python -m tests.packages.loading FOLDER ... [--release 1.32] [--wheel DIR] [--mutants N]

Every file below the folders that may be a model, and the models of the onnx package: its backend
data and the cases of its node tests. A session is made of each in a child process; a crash, or more
than 60 s, is a refusal. A table: what the session did, what `graphcount check --runtime` says, and
why. `--mutants N` changes one thing in N of the models that load (`mutants.py`) and prints a second
table. `--wheel DIR` is a folder of `pip install --no-deps --target DIR onnxruntime==...`, for other
releases than the installed one. `--list` prints each model that differs.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx

from graphcount.loading.limits import DEFAULT_LIMITS
from graphcount.report.loading import Answer
from graphcount.runtimes.process import Runtimes
from tests.packages.mutants import mutants

SECONDS = 60.0
SEED = 22

CHILD = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import onnxruntime
onnxruntime.set_default_logger_severity(4)
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
options.intra_op_num_threads = 1
for line in sys.stdin:
    try:
        onnxruntime.InferenceSession(line[:-1], options, providers=["CPUExecutionProvider"])
        words = ""
    except BaseException as error:
        words = str(error) or "refused"
    print(chr(1) + json.dumps(words), flush=True)
"""


class Sessions:
    """Makes sessions in a child process, and a new child where one dies."""

    def __init__(self, wheel: str) -> None:
        self.environment = {**os.environ, "PYTHONPATH": wheel}
        self.child: subprocess.Popen[str] | None = None

    def refusal(self, path: Path) -> str:
        """Why a model is refused; empty when it loads."""
        if not path.is_file():
            return "not a regular file"
        child = self.child = self.child or self.started()
        assert child.stdin is not None
        assert child.stdout is not None
        timer = threading.Timer(SECONDS, child.kill)
        timer.start()
        child.stdin.write(f"{path}\n")
        child.stdin.flush()
        for line in child.stdout:
            if line.startswith("\1"):
                timer.cancel()
                return str(json.loads(line[1:]))
        timer.cancel()
        self.child = None
        return f"the process ended with code {child.wait()}"

    def started(self) -> subprocess.Popen[str]:
        """A child process."""
        return subprocess.Popen(
            [sys.executable, "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment,
            text=True,
        )


def models(folders: Iterable[str]) -> list[Path]:
    """Files below folders that may be models."""
    backend = Path(onnx.__file__).parent / "backend" / "test" / "data"
    places = [*map(Path, folders), backend]
    names = [path for place in places for path in place.rglob("*.onnx*")]
    return sorted({path.absolute() for path in names if not path.is_dir() and not path.is_fifo()})


def node_cases(folder: Path) -> Iterator[Path]:
    """The models of onnx's node tests, written below a folder."""
    from onnx.backend.test.case.node import collect_testcases

    for case in collect_testcases(None):
        if case.model is not None:
            path = folder / f"{case.name}.onnx"
            onnx.save(case.model, path)
            yield path


def said(answer: Answer) -> str:
    """What `check` makes of a model: one that it cannot read is refused, with exit code 2."""
    return "refused" if (answer.state, answer.cause) == ("not known", "file") else answer.state


def compared(
    named: Iterable[tuple[str, Path]], release: str, wheel: str, *, each: bool
) -> list[Path]:
    """Print a table of all models, and return those that load."""
    table: collections.Counter[tuple[str, str, str]] = collections.Counter()
    sessions, loaded = Sessions(wheel), []
    with Runtimes(DEFAULT_LIMITS, SECONDS) as runtimes:
        for name, path in named:
            refusal = sessions.refusal(path)
            answer = runtimes.answer(f"onnxruntime:{release}", str(path))
            truth = "refused" if refusal else "loads"
            table[truth, said(answer), answer.cause] += 1
            if each and truth != said(answer):
                print(f"{name}: {truth}, {answer}: {' '.join(refusal.split())[:300]}")
            if not refusal:
                loaded.append(path)
    print("| session | graphcount | cause | models |\n|---|---|---|---:|")
    for (truth, state, cause), count in sorted(table.items()):
        print(f"| {truth} | {state} | {cause} | {count:,} |")
    total = table.total()
    right = sum(count for (truth, state, _), count in table.items() if truth == state)
    print(f"\n{right:,} of {total:,} right: {right / max(total, 1):.2%}\n")
    return loaded


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--release", default="1.32")
    parser.add_argument("--wheel", default="")
    parser.add_argument("--mutants", type=int, default=0)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--list", action="store_true", help="print each that differs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [*models(given.folders), *node_cases(Path(folder))]
        pairs = ((path.name, path) for path in found)
        loaded = compared(pairs, given.release, given.wheel, each=given.list)
        changed = []
        for index, (name, data) in enumerate(mutants(loaded, given.mutants, given.seed)):
            path = Path(folder) / f"{name}_{index}.onnx"
            path.write_bytes(data)
            changed.append((path.name, path))
        if changed:
            compared(changed, given.release, given.wheel, each=given.list)


if __name__ == "__main__":
    main()
