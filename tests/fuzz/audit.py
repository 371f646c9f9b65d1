"""Coverage-guided fuzzing of all that a stranger's bytes reach: reading, counting, auditing, text.

    pip install atheris && python tests/fuzz/audit.py CORPUS_FOLDER -max_total_time=1800

Seeds: any small models in CORPUS_FOLDER; a folder of `fixtures/*.onnx` and hostile files does well.
Only a `GraphcountError` may come out of graphcount, no rule may fail, every format must render, and
an input of up to 64 KiB may take 5 seconds of processor time.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import tempfile
import time

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

LIMIT_S = 5.0
FOLDER = tempfile.mkdtemp()
PATH = os.path.join(FOLDER, "model.onnx")
RULES = {rule.id: rule for rule in rules()}


def sized(size: int) -> None:
    """Count with one size for everything, which an operator may refuse."""
    try:
        graphcount.count(PATH, deep=False, dims={"*": size})
    except graphcount.UsageError:
        return


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
    view = View(width=80, rules=RULES)
    for name in FORMATS:
        render(name, [counted], view)
    for name in AUDIT_FORMATS:
        render(name, [audited], view, AUDIT_FORMATS)
    taken = time.process_time() - start
    assert taken < LIMIT_S, f"{taken:.1f} s for {len(data)} bytes"


if __name__ == "__main__":
    sys.setrecursionlimit(1000)
    atheris.Setup(sys.argv, examine)
    atheris.Fuzz()
