"""Can a record of an operator lose something that no test misses?

    python tests/mutation/records.py                       # every entry of every record
    python tests/mutation/records.py --near --jobs 2       # with tests/ops only: ten minutes
    python tests/mutation/records.py --again               # what survived, with all tests
    python tests/mutation/records.py --sample 600 --seed 1
    python tests/mutation/records.py Conv MatMulNBits --fields roles cost

Each mutant is one entry taken out of one record: a role, a pass-through input, a rule, a trait, the
family, the whole row. The tests are collected once; a forked process takes the entry out of the
loaded table and runs those that noticed most of what the same field had lost so far, those that
name the operator, then the others, until one fails. Results lie in build/mutation/records.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from graphcount.ops import Key, Operator, lookup, operators, tables
from tests.mutation.trial import OPTIONS, STATE, in_child, load, run_items, save
from tests.ops.records.definitions import newest

NEAR = ("tests/ops",)
FAR = (
    *("tests/analysis", "tests/auditing", "tests/functional/test_costs.py"),
    *("tests/functional/test_textbook.py", "tests/functional/test_memory_onnxruntime.py"),
    *("tests/benchmarking", "tests/comparing"),
)
"""Where else an operator's record may be missed."""

SECONDS = 120
"""How long one mutant's tests may run."""


class Mutant(NamedTuple):
    """One entry of a record that is taken out.

    Attributes:
        key: Domain and op_type.
        field: The field of the record; "row" for all of it.
        entry: Which entry of the field; empty for the whole field.
        record: The record without it; None where the whole row goes.
    """

    key: Key
    field: str
    entry: str
    record: Operator | None

    @property
    def name(self) -> str:
        """Return what it is called in the results."""
        return f"{self.key[0] or 'ai.onnx'}::{self.key[1]} without {self.field}{self.entry}"


class Result(NamedTuple):
    """What became of a mutant: its outcome and the first test that failed."""

    outcome: str
    test: str


def mutants(key: Key, record: Operator) -> Iterator[Mutant]:
    """Return every way in which one record can lose one entry."""
    yield Mutant(key, "row", "", None)
    plain = Operator()
    for field in dataclasses.fields(Operator):
        value, default = getattr(record, field.name), getattr(plain, field.name)
        if value == default:
            continue
        for what, rest in _shortened(value, default):
            entry: dict[str, Any] = {field.name: rest}
            yield Mutant(key, field.name, what, dataclasses.replace(record, **entry))


def _shortened(value: object, default: object) -> Iterator[tuple[str, object]]:
    """Return a field's value without each of its entries; a function or a name goes as a whole."""
    if isinstance(value, tuple) and hasattr(value, "_field_defaults"):
        yield "", default
        for name in value._fields:  # type: ignore[attr-defined]
            without = value._field_defaults.get(name, "")
            if getattr(value, name) != without:
                yield f".{name}", value._replace(**{name: without})  # type: ignore[attr-defined]
    elif isinstance(value, tuple):
        for place, entry in enumerate(value):
            if entry is not None:
                gap = () if isinstance(entry, tuple) else (None,)
                yield f"[{place}]", (*value[:place], *gap, *value[place + 1 :])
    elif isinstance(value, frozenset):
        for entry in sorted(value, key=str):
            yield f" {entry}", value - {entry}
    elif isinstance(value, dict):
        for name in value:
            yield f"[{name}]", {key: entry for key, entry in value.items() if key != name}
    else:
        yield "", default


def take_out(mutant: Mutant) -> None:
    """Change the loaded table; only ever in a process of its own."""
    domain, op_type = mutant.key
    rows = next(rows for rows in tables(domain) if op_type in rows)
    lookup.cache_clear()
    if mutant.record is None:
        del rows[op_type]
    else:
        rows[op_type] = mutant.record


class Witness:
    """A pytest plugin of a forked process: writes down the first test that fails."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the name of a test that failed."""
        if report.failed:
            self.path.write_text(report.nodeid, "utf-8")


class Trial:
    """A pytest plugin: instead of running the tests once, run them for every mutant.

    Args:
        work: The mutants.
        jobs: How many processes share them.
    """

    def __init__(self, work: list[Mutant], jobs: int) -> None:
        self.work, self.jobs = work, jobs
        self.kills: dict[str, Counter[str]] = {}
        self.results: dict[str, Result] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try each mutant in a forked process."""
        if in_child(partial(run_items, session.items[::20]), SECONDS) != "survived":
            raise SystemExit("tests fail without a mutant")
        workers: list[int] = []
        for job in range(self.jobs):
            child = os.fork()
            if child == 0:
                try:
                    self.share(session.items, job)
                finally:
                    os._exit(0)
            workers.append(child)
        for child in workers:
            os.waitpid(child, 0)
        for job in range(self.jobs):
            shared = load(f"records-{job}.json").items()
            self.results |= {name: Result(*row) for name, row in shared}
        return True

    def share(self, items: list[pytest.Item], job: int) -> None:
        """Try every so-and-so-manyth mutant."""
        note = STATE / f"records-{job}.txt"
        for mutant in self.work[job :: self.jobs]:
            note.unlink(missing_ok=True)
            outcome = in_child(partial(self.child, mutant, items, note), SECONDS)
            test = note.read_text("utf-8") if note.exists() else ""
            if outcome == "killed" and not test:
                outcome = "broken"  # it ended by itself: no test has said anything
            self.kills.setdefault(mutant.field, Counter())[test] += 1
            self.results[mutant.name] = Result(outcome, test)
            if outcome != "killed":
                print(f"{outcome}: {mutant.name}", flush=True)
            save(f"records-{job}.json", self.results)

    def child(self, mutant: Mutant, items: list[pytest.Item], note: Path) -> int:
        """Take the entry out and run the tests until one fails."""
        take_out(mutant)
        items[0].config.pluginmanager.register(Witness(note))
        return run_items(self.ordered(items, mutant))

    def ordered(self, items: list[pytest.Item], mutant: Mutant) -> list[pytest.Item]:
        """Return the few tests that noticed most, those that name the operator, and the others."""
        word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(mutant.key[1])}(?![A-Za-z0-9])")
        kills = self.kills.get(mutant.field, Counter())
        best = [test for test, _ in kills.most_common(5)]

        def place(item: pytest.Item) -> tuple[bool, bool, int]:
            return item.nodeid not in best, word.search(item.nodeid) is None, -kills[item.nodeid]

        return sorted([item for item in items if not _is_of(item, mutant.key)], key=place)


def _is_of(item: pytest.Item, key: Key) -> bool:
    """Whether a test is made of this row of the table: without it, it would not be collected."""
    call = getattr(item, "callspec", None)
    values = [] if call is None else call.params.values()
    return any(isinstance(value, tuple) and list(map(str, value)) == [*key] for value in values)


def earlier() -> dict[str, Result]:
    """Return what the last run found out."""
    return {name: Result(*row) for name, row in load("records.json").items()}


def summary(results: dict[str, Result]) -> Iterator[str]:
    """Return one line a field: mutants, those noticed, those that survived."""
    rows: dict[str, Counter[str]] = {}
    for name, result in results.items():
        field = re.split(r"[\[. ]", name.rpartition(" without ")[2])[0]
        rows.setdefault(field, Counter())[result.outcome] += 1
    rows["all"] = sum(rows.values(), Counter())
    yield "| field | mutants | killed | timeouts | survived |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for field, row in rows.items():
        numbers = [row.total(), row["killed"], row["timeout"], row["survived"]]
        yield f"| {field} | " + " | ".join(map(str, numbers)) + " |"


def chosen(options: argparse.Namespace) -> list[Mutant]:
    """Return the mutants that the command line asks for."""
    work = [
        mutant
        for key, record in operators().items()
        if not options.op_types or key[1] in options.op_types
        for mutant in mutants(key, record)
        if not options.fields or mutant.field in options.fields
    ]
    if options.again:
        known = earlier()
        work = [one for one in work if one.name in known and known[one.name].outcome != "killed"]
    if options.sample is not None and options.sample < len(work):
        work = random.Random(options.seed).sample(work, options.sample)
    return work


def main() -> None:
    """Read the command line and try the mutants it asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("op_types", nargs="*", help="only these operators")
    parser.add_argument("--fields", nargs="+", help='only these fields; "row" for whole rows')
    parser.add_argument("--sample", type=int, help="so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="those not killed by the last run")
    parser.add_argument("--near", action="store_true", help="with the tests of tests/ops only")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    STATE.mkdir(parents=True, exist_ok=True)
    trial = Trial(chosen(options), options.jobs)
    newest()  # read once, before forking
    quick = ("-s", "--assert=plain", "--tb=line")
    pytest.main([*OPTIONS, *quick, *NEAR, *(() if options.near else FAR)], [trial])
    results = {**(earlier() if options.again else {}), **trial.results}
    save("records.json", results)
    print("\n".join(summary(results)))


if __name__ == "__main__":
    main()
