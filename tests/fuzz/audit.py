"""Coverage-guided fuzzing of all that a stranger's bytes reach: reading, counting, auditing, text.

    pip install atheris && python -m tests.fuzz.audit CORPUS_FOLDER -max_total_time=3600

Seeds are the models of `tests/fuzz/valid_models.py`, which are put into CORPUS_FOLDER, and what
lies there already: `fixtures/*.onnx` and hostile files do well. Half of the changes are those of
libFuzzer, half those of `tests/fuzz/wire_mutations.py`, which keep the sizes around them right.

Only a `GraphcountError` may come out of graphcount, no rule may fail (INT001), every format must
render, and an input of up to 64 KiB may take 5 seconds of processor time.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
import sys
import tempfile
import time
import zlib
from pathlib import Path

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

with atheris.instrument_imports(include=["graphcount"]):
    import graphcount

    for module in pkgutil.walk_packages(graphcount.__path__, "graphcount."):  # most import lazily
        if module.name.split(".")[1] not in ("__main__", "benchmarking", "cli", "scanning"):
            importlib.import_module(module.name)
    from graphcount.api import rules
    from graphcount.errors import GraphcountError
    from graphcount.formats import AUDIT_FORMATS, FORMATS, render
    from graphcount.formats.view import View

from tests.fuzz.valid_models import MODELS
from tests.fuzz.wire_mutations import mutant

LIMIT_S = 5.0
MOST_NBYTES = 2**16
RENDERED = 16
"""One input of so many is printed in every format: that takes longer than all else."""

FOLDER = tempfile.TemporaryDirectory()
PATH = os.path.join(FOLDER.name, "model.onnx")
RULES = {rule.id: rule for rule in rules()}


def sized(size: int) -> None:
    """Count with one size for everything, which an operator may refuse."""
    try:
        graphcount.count(PATH, deep=False, dims={"*": size})
    except graphcount.UsageError:
        return


def render_all(counted: graphcount.Report, audited: graphcount.Report) -> None:
    """Print the count and the audit in every format."""
    view = View(width=80, rules=RULES)
    for name in FORMATS:
        render(name, [counted], view)
    for name in AUDIT_FORMATS:
        render(name, [audited], view, AUDIT_FORMATS)


def changed(data: bytes, most: int, seed: int) -> bytes:
    """Return an input changed by libFuzzer, or by fields where it reads as a message."""
    rng = random.Random(seed)
    if rng.random() < 0.5:
        try:
            return mutant(rng, data)[:most]
        except (IndexError, ValueError, KeyError):
            pass  # no message, or none with a place for the change
    return bytes(atheris.Mutate(data, most))


def add_seeds(folder: Path) -> None:
    """Put the valid models into the corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    for make in MODELS:
        (folder / f"{make.__name__}.onnx").write_bytes(make().SerializeToString())


def examine(data: bytes) -> None:
    """One input, by the road of the program."""
    with open(PATH, "wb") as file:
        file.write(data)
    size = data[-1] if data else 0
    start = time.process_time()
    try:
        counted = graphcount.count(PATH, deep=True, assume=True)
        graphcount.count(PATH, deep=False, ranges={"*": (1, 1 + size)})
        sized(size)
        audited = graphcount.audit(PATH, deep=True)
    except GraphcountError:
        return
    assert audited.audit is not None
    assert audited.audit.complete, audited.findings
    if zlib.crc32(data) % RENDERED == 0:
        render_all(counted, audited)
    taken = time.process_time() - start
    assert taken < LIMIT_S, f"{taken:.1f} s for {len(data)} bytes"


def main() -> None:
    """Fuzz until libFuzzer ends it."""
    sys.setrecursionlimit(1000)
    folders = [name for name in sys.argv[1:] if not name.startswith("-")]
    if folders:
        add_seeds(Path(folders[0]))
    atheris.Setup(
        [*sys.argv, f"-max_len={MOST_NBYTES}"],
        examine,
        custom_mutator=changed,
        internal_libfuzzer=True,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
