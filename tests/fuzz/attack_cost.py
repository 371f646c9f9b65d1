"""What the worst files of 10 MB cost: every command on every flood, in a process of its own.

    python tests/fuzz/attack_cost.py                          # all of it: hours
    python tests/fuzz/attack_cost.py --commands count,audit --floods grid,functions

Each flood is tried at full size and, where that is refused, at the largest size that is read, since
that is what an attacker sends. Printed are processor seconds and the peak of memory of each run;
above 10 s, 1 GB, or with another exit code than 0, 1 and 2, a line begins with `!`.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from graphcount.errors import GraphcountError  # noqa: E402
from graphcount.formats.graphs import EXPORTS  # noqa: E402
from graphcount.loading import read_model  # noqa: E402
from graphcount.loading.limits import DEFAULT_LIMITS  # noqa: E402
from tests.fuzz.floods import Flood, field_floods  # noqa: E402
from tests.fuzz.shapes import shape_floods  # noqa: E402

FULL_NBYTES = 9_990_000
MOST_S, MOST_NBYTES = 10.0, 10**9
SAMPLE_NBYTES, STEPS = 100_000, 12
"""Size of a sample, from which the largest size that is read is guessed, and how many guesses."""

COMMANDS = {
    "count": "count {} --format json",
    "table": "count {}",
    "by": "count {} --by node --all --format csv",
    "audit": "audit {} --no-deep",
    "deep": "audit {} --deep --format sarif",
    "same": "diff {} {}",
    "diff": "diff {} {small}",
    "page": "page {} -o -",
    "plan": "plan {}",
    "explain": "explain {}",
    "check": "check {} --max parameters=1",
    "init": "init {} -o -",
    "scan": "scan {} --jobs 1",
    "deploy": "deploy {folder}",
    **{name: f"export {{}} --format {name}" for name in EXPORTS if name != "svg"},
}
"""Commands by a short word; `svg` runs another program."""


class Cost(NamedTuple):
    """What a run took."""

    code: int
    seconds: float
    nbytes: int
    line: str

    @property
    def breaks(self) -> bool:
        return self.seconds > MOST_S or self.nbytes > MOST_NBYTES or self.code not in (0, 1, 2)


def measured(arguments: Sequence[str]) -> Cost:
    """Run the program with a limit on time and memory."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))

    program = [sys.executable, "-m", "graphcount", *arguments]
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            program, stdout=subprocess.DEVNULL, stderr=errors, cwd=ROOT, preexec_fn=limited
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        line = errors.read(400).decode("utf-8", "replace").strip().split("\n")[-1]
    seconds = usage.ru_utime + usage.ru_stime
    return Cost(child.returncode, seconds, usage.ru_maxrss * 1024, line)


def work_of(path: Path) -> int | None:
    """Return the units of work that a file takes to read; None where it is refused."""
    try:
        left = read_model(str(path)).proto.work_left
    except GraphcountError:
        return None
    return DEFAULT_LIMITS.most_work(path.stat().st_size) - left


def sizes(flood: Flood, path: Path, full: int) -> Iterator[int]:
    """Yield the full size, and where it is refused about the largest that is not."""
    path.write_bytes(flood.make(SAMPLE_NBYTES))
    work = work_of(path)
    path.write_bytes(flood.make(full))
    yield full
    if not work or work_of(path) is not None:
        return
    nbytes = min(full, DEFAULT_LIMITS.most_work(0) * SAMPLE_NBYTES // work)
    for _ in range(STEPS):
        path.write_bytes(flood.make(nbytes))
        if work_of(path) is not None:
            yield nbytes
            return
        nbytes = nbytes * 9 // 10


def main() -> int:
    """Print the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--floods", default="", help="words that names begin with")
    parser.add_argument("--nbytes", type=int, default=FULL_NBYTES)
    parser.add_argument("--part", default="0/1", help="0/2: every second flood")
    options = parser.parse_args()
    floods = [*shape_floods(), *field_floods()]
    words = tuple(options.floods.split(","))
    first, parts = map(int, options.part.split("/"))
    broken = 0
    for flood in [flood for flood in floods if flood.name.startswith(words)][first::parts]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"model{flood.suffix}"
            for nbytes in sizes(flood, path, options.nbytes):
                refused = False
                for name in options.commands.split(","):
                    if refused:
                        break
                    small = str(ROOT / "fixtures" / "cnn.onnx")
                    asked = COMMANDS[name].split()
                    given = {"{}": str(path), "{small}": small, "{folder}": folder}
                    cost = measured([given.get(word, word) for word in asked])
                    refused = cost.code == 2 and name == options.commands.split(",")[0]
                    broken += cost.breaks
                    mark = "!" if cost.breaks else " "
                    row = f"{flood.name:60} {nbytes:>10,} {name:14} {cost.code:>3}"
                    numbers = f"{cost.seconds:6.1f} s {cost.nbytes / 1e6:6.0f} MB"
                    print(mark, row, numbers, cost.line[-200:] if cost.code else "", flush=True)
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
