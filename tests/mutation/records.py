"""Can a record of an operator lose something that no test misses?

    python tests/mutation/records.py                  # every entry of every record: an hour
    python tests/mutation/records.py --sample 200 --seed 1
    python tests/mutation/records.py Conv MatMulNBits

Each mutant is one entry taken out of one record: a role, a pass-through input, a rule, a trait,
the whole row. The tests are collected once; a forked process takes the entry out of the loaded
table and runs those that name the operator first, then the others. Results lie in
build/mutation/records.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from graphcount.ops import Key, Operator, lookup, operators, tables
from tests.mutation.trial import OPTIONS, STATE, in_child, run_items, save

TESTS = (
    *("tests/ops", "tests/analysis", "tests/auditing", "tests/functional/test_costs.py"),
    *("tests/functional/test_textbook.py", "tests/benchmarking", "tests/comparing"),
)
"""Where an operator's record may be missed, nearest first."""

SECONDS = 120
"""How long one mutant's tests may run."""


class Mutant(NamedTuple):
    """One entry of a record that is taken out.

    Attributes:
        key: Domain and op_type.
        what: The entry, in words.
        record: The record without it; None where the whole row goes.
    """

    key: Key
    what: str
    record: Operator | None

    @property
    def name(self) -> str:
        """Return what it is called in the results."""
        return f"{self.key[0] or 'ai.onnx'}::{self.key[1]} without {self.what}"


def mutants(key: Key, record: Operator) -> Iterator[Mutant]:
    """Return every way in which one record can lose one entry."""
    yield Mutant(key, "its row", None)
    plain = Operator()
    for field in dataclasses.fields(Operator):
        value = getattr(record, field.name)
        if value == getattr(plain, field.name):
            continue
        for what, rest in _shortened(value):
            entry: dict[str, Any] = {field.name: rest}
            changed = dataclasses.replace(record, **entry)
            yield Mutant(key, f"{field.name}{what}", changed)


def _shortened(value: object) -> Iterator[tuple[str, object]]:
    """Return a field's value without each of its entries; a rule or a name goes as a whole."""
    if isinstance(value, tuple):
        for place, entry in enumerate(value):
            if entry is not None:
                yield f"[{place}]", (*value[:place], None, *value[place + 1 :])
    elif isinstance(value, frozenset):
        for entry in sorted(value, key=str):
            yield f" {entry}", value - {entry}
    elif isinstance(value, dict):
        for name in value:
            yield f"[{name}]", {key: entry for key, entry in value.items() if key != name}
    else:
        yield "", "" if isinstance(value, str) else None


def take_out(mutant: Mutant) -> None:
    """Change the loaded table; only ever in a process of its own."""
    domain, op_type = mutant.key
    rows = next(rows for rows in tables(domain) if op_type in rows)
    lookup.cache_clear()
    if mutant.record is None:
        del rows[op_type]
    else:
        rows[op_type] = mutant.record


def ordered(items: list[pytest.Item], op_type: str) -> list[pytest.Item]:
    """Return tests that name the operator before the others, otherwise in the order of `TESTS`."""
    word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(op_type)}(?![A-Za-z0-9])")
    return sorted(items, key=lambda item: word.search(item.nodeid) is None)


class Trial:
    """A pytest plugin: instead of running the tests once, run them for every mutant."""

    def __init__(self, work: list[Mutant]) -> None:
        self.work = work
        self.outcomes: dict[str, str] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try each mutant in a forked process."""
        if in_child(partial(run_items, session.items[::20]), SECONDS) != "survived":
            raise SystemExit("tests fail without a mutant")
        for number, mutant in enumerate(self.work, 1):
            items = ordered(session.items, mutant.key[1])
            outcome = in_child(partial(self.child, mutant, items), SECONDS)
            self.outcomes[mutant.name] = outcome
            if outcome != "killed":
                print(f"{number} of {len(self.work)}: {outcome}: {mutant.name}", flush=True)
        return True

    def child(self, mutant: Mutant, items: list[pytest.Item]) -> int:
        """Take the entry out and run the tests until one fails."""
        take_out(mutant)
        return run_items(items)


def main() -> None:
    """Read the command line and try the mutants it asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("op_types", nargs="*", help="only these operators")
    parser.add_argument("--sample", type=int, help="so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    work = [
        mutant
        for key, record in operators().items()
        if not options.op_types or key[1] in options.op_types
        for mutant in mutants(key, record)
    ]
    if options.sample is not None and options.sample < len(work):
        work = random.Random(options.seed).sample(work, options.sample)
    STATE.mkdir(parents=True, exist_ok=True)
    trial = Trial(work)
    pytest.main([*OPTIONS, *TESTS], [trial])
    save("records.json", trial.outcomes)
    killed = sum(outcome != "survived" for outcome in trial.outcomes.values())
    print(f"{killed} of {len(trial.outcomes)} noticed")


if __name__ == "__main__":
    main()
