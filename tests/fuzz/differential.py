"""Is there a file that onnx reads in one way and graphcount, in silence, in another?

    python tests/fuzz/differential.py --seed 1 --count 200000 [--keep FOLDER] [MODEL...]

Valid models are changed on the wire (`wire_mutations.py`), each change is read by `onnx.load`
without external data and by graphcount, and both readings are compared (`readings.py`). A
difference is silent where graphcount neither refuses the file nor has a finding of severity high
that the model had not before the change. What onnx refuses and graphcount reads is a difference as
well. Exit code 1: there is a silent one; `--keep` writes these files.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import onnx
from google.protobuf.message import DecodeError

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parents[2]))

import graphcount
from graphcount.errors import GraphcountError
from graphcount.loading import read_source
from graphcount.loading.model import ModelProto
from graphcount.loading.source import BytesSource
from tests.fuzz.readings import difference, onnx_reading, own_reading
from tests.fuzz.valid_models import MODELS
from tests.fuzz.wire_mutations import mutant


class Outcome(NamedTuple):
    """What became of one file.

    Attributes:
        kind: `same`, `refused` (by graphcount), `high` (differs, with a finding), or `silent`.
        where: The first difference.
    """

    kind: str
    where: str = ""


def high_rules(data: bytes, folder: Path, name: str = "model.onnx") -> frozenset[str]:
    """Return the rules with findings of severity high or critical in a model of some name."""
    path = folder / name
    path.write_bytes(data)
    report = graphcount.audit(str(path), deep=True)
    return frozenset(
        finding.rule for finding in report.findings if finding.severity in ("high", "critical")
    )


def read(data: bytes) -> ModelProto:
    """Return graphcount's records of a model."""
    return read_source(BytesSource(data, "model.onnx")).proto


def compare(data: bytes, before: frozenset[str], folder: Path) -> Outcome:
    """Read a file both ways.

    Args:
        data: The file.
        before: Rules that had a finding of severity high before the file was changed.
        folder: Where files are written for the audit.
    """
    try:
        proto = read(data)
    except GraphcountError:
        return Outcome("refused")
    try:
        theirs = onnx_reading(onnx.load(io.BytesIO(data), load_external_data=False))
        where = difference(theirs, own_reading(proto, data))
    except DecodeError:
        where = "onnx refuses it"
    if not where:
        return Outcome("same")
    try:
        flagged = high_rules(data, folder) - before
    except GraphcountError:
        return Outcome("refused")
    return Outcome("high" if flagged else "silent", where)


def run(
    seed: int, count: int, bases: list[bytes], folder: Path
) -> tuple[Counter[str], list[tuple[int, bytes, str]]]:
    """Change models `count` times; return how many were of each kind, and the silent ones."""
    known = [high_rules(base, folder) for base in bases]
    kinds: Counter[str] = Counter()
    silent = []
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        at = rng.randrange(len(bases))
        data = mutant(rng, bases[at])
        outcome = compare(data, known[at], folder)
        kinds[outcome.kind] += 1
        if outcome.kind == "silent":
            silent.append((number, data, outcome.where))
    return kinds, silent


def main() -> int:
    """Run and print what there was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("models", nargs="*", type=Path)
    options = parser.parse_args()
    bases = [make().SerializeToString() for make in MODELS]
    bases += [path.read_bytes() for path in options.models]
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        kinds, silent = run(options.seed, options.count, bases, Path(folder))
    print(f"seed {options.seed}: {dict(kinds)}, {time.process_time() - started:.0f} s of processor")
    for number, data, where in silent[:40]:
        print(f"  silent {number}: {where}")
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"{options.seed}_{number}.onnx").write_bytes(data)
    return 1 if silent else 0


if __name__ == "__main__":
    raise SystemExit(main())
