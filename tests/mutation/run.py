"""Can the tests fail? Change the program in many places, one at a time, and see.

    python tests/mutation/run.py record              # once: which test runs which line
    python tests/mutation/run.py mutate costs --sample 150 --seed 1
    python tests/mutation/run.py again costs         # the survivors, after the tests were mended
    python tests/mutation/run.py table

See README.md beside this file. A mutant lives in memory only: it is compiled in a forked process in
place of the module it changes, and the tests that run its lines run there. No file is touched.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import sys
import traceback
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.mutation.mutants import compiles, mutants
from tests.mutation.trial import LIMIT_S, OPTIONS, ROOT, STATE, Hot, Recorder, load, run_tests, save

BUDGET_S = 3.0
"""Seconds of tests, as recorded, that one mutant is given: the nearest and fastest come first."""
FEW = 5
"""Tests that run a function, from which on it is not taken for one that fills a table."""

ANALYSIS = (
    "attribution kinds operands stored counts packing forward cost memory verdict names generated"
)
GATES = "allow baseline budgets checks contributors examine growth latency measures rules saved"
AREAS = {
    "attribution": [f"graphcount/analysis/{name}.py" for name in ANALYSIS.split()],
    "costs": sorted(
        path.relative_to(ROOT).as_posix() for path in (ROOT / "graphcount/ops").rglob("*.py")
    ),
    "gates": [f"graphcount/gates/{name}.py" for name in f"{GATES} select subject".split()],
    "external": ["graphcount/loading/external.py"],
}
TESTS = {
    "attribution": "tests/analysis/ tests/functional/test_textbook tests/functional/test_costs",
    "costs": "tests/ops/ tests/functional/test_costs.py",
    "gates": "tests/gates/ tests/config/ tests/cli/test_check",
    "external": "tests/loading/test_external.py tests/auditing/test_external_rules.py",
}
"""Where the tests of an area lie; others that run the same lines are tried by `again --far`."""
RECORDED = [
    *("tests/analysis", "tests/ops", "tests/gates", "tests/config", "tests/loading"),
    *("tests/report", "tests/auditing", "tests/invariants", "tests/cli/test_check.py"),
    *("tests/cli/test_explain.py", "tests/functional/test_cases.py"),
    *("tests/functional/test_costs.py", "tests/functional/test_hostile.py"),
    *("tests/functional/test_textbook.py",),
]


# ------------------------------------------------------------------- which test runs which line


def record(paths: Sequence[str]) -> None:
    """Run tests and remember which lines they run; other tests keep what is remembered of them."""
    recorder = Recorder([file for files in AREAS.values() for file in files])
    code = pytest.main([*OPTIONS, *(paths or RECORDED)], [recorder])
    if code not in (0, 1):
        raise SystemExit(f"pytest ended with {code}")
    for test in recorder.failed:
        print(f"left out, since it fails: {test}")
        recorder.lines.pop(test, None)
    known = load("lines.json") if paths and (STATE / "lines.json").exists() else {}
    known = {test: row for test, row in known.items() if not test.startswith(tuple(paths))}
    for test, lines in recorder.lines.items():
        files: dict[str, list[int]] = defaultdict(list)
        for file, line in sorted(lines):
            files[file].append(line)
        known[test] = {"seconds": round(recorder.seconds[test], 4), "files": files}
    save("lines.json", known)


def guards(known: dict[str, Any], area: str, mutant: Any, far: bool) -> list[str]:
    """The tests that may notice a mutant, nearest and fastest first, up to the budget.

    Of a function: those that run the changed statement. Of a table: those that run anything of its
    file, and before them those near it that run nothing at all but read tables; and so for a
    function that hardly any test runs, since it may have filled a table when it was imported.
    """
    near, (first, last) = tuple(TESTS[area].split()), mutant.lines

    def may(test: str, inside: bool) -> bool:
        row = known[test]
        lines = row["files"].get(mutant.file, ())
        if inside:
            return any(first <= line <= last for line in lines)
        return bool(lines) or (test.startswith(near) and not row["files"])

    direct = [test for test in known if may(test, mutant.inside)]
    found = list(direct)
    if mutant.inside and len(direct) < FEW:
        found += [test for test in known if test not in direct and may(test, False)]
    close = [test for test in found if test.startswith(near)]
    found = found if far else close or found
    first_of_all = {test for test in direct if test.startswith(near)}
    found.sort(
        key=lambda test: (
            test not in first_of_all,
            bool(known[test]["files"]),
            known[test]["seconds"],
        )
    )
    chosen: list[str] = []
    left = BUDGET_S * (5 if far else 1)
    for test in found:
        left -= known[test]["seconds"]
        if chosen and left < 0:
            break
        chosen.append(test)
    return chosen


def prepare() -> None:
    """Import once what every test imports, so that a fork starts with it; nothing of ours."""
    for name in ("numpy", "onnx", "networkx", "click", "rich", "hypothesis", "onnx.reference"):
        importlib.import_module(name)
    assert "graphcount" not in sys.modules


# --------------------------------------------------------------------------------- commands


def mutate(area: str, options: argparse.Namespace) -> None:
    """Try a random sample of an area's mutants, or those that survived the last time."""
    known = load("lines.json")
    everything = [mutant for file in AREAS[area] for mutant in mutants(ROOT, file)]
    if options.command == "again":
        results = load(f"{area}.json")
        rows = results["mutants"]
        keys = {key for key, row in rows.items() if row["outcome"] == "survived"}
        chosen = [mutant for mutant in everything if mutant.key in keys]
    else:
        sample = min(options.sample, len(everything))
        chosen = random.Random(options.seed).sample(everything, sample)
        results = {"mutants": {}, "of": len(everything), "seed": options.seed}
        save(f"{area}.json", results)
    work = [(mutant, guards(known, area, mutant, options.far)) for mutant in chosen]
    work = [(mutant, tests) for mutant, tests in work if compiles(mutant.source())]
    if work:
        prepare()
        control(work)
        if options.command != "again":
            hot(area, work)
    left = load(f"{area}.json")["mutants"] if options.command != "again" else {}
    for mutant, tests in work:
        if mutant.key not in left:
            outcome = run_tests(mutant.file, mutant.source(), tests) if tests else "survived"
            done(area, mutant, tests, outcome)
    table([area])


def done(area: str, mutant: Any, tests: Sequence[str], outcome: str) -> None:
    """Keep what became of a mutant, and tell it."""
    results = load(f"{area}.json")
    row = {"outcome": outcome, "tests": len(tests), "before": mutant.before, "after": mutant.after}
    results["mutants"][mutant.key] = row
    results["date"] = date.today().isoformat()
    save(f"{area}.json", results)
    print(f"{len(results['mutants'])} {outcome} {mutant.key}")
    if outcome == "survived":
        print(f"    {len(tests)} tests\n    - {mutant.before}\n    + {mutant.after}")
    sys.stdout.flush()


def control(work: Sequence[tuple[Any, list[str]]]) -> None:
    """Without a change the tests pass, in the order and in the process that a mutant gets."""
    tests = list(dict.fromkeys(test for _, row in work for test in row))
    file = work[0][0].file
    if run_tests(file, (ROOT / file).read_text("utf-8"), tests, 10 * LIMIT_S) != "survived":
        raise SystemExit(f"the tests fail without a change: {STATE / 'last.txt'}")


def hot(area: str, work: Sequence[tuple[Any, list[str]]]) -> None:
    """Those that need no new import, in one process that collects the tests once."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            plugin = Hot(AREAS[area], work, partial(done, area))
            paths = sorted({test.partition("::")[0] for _, tests in work for test in tests})
            code = int(pytest.main([*OPTIONS, "-s", "--tb=short", *paths], [plugin]))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemExit("the fast road failed; see above")


def table(areas: Sequence[str]) -> None:
    """The score of each area."""
    print("| area | mutants | tried | killed | timeouts | survived | score | seed | date |")
    for area in areas:
        results = load(f"{area}.json")
        rows = list(results["mutants"].values())
        count = {word: sum(row["outcome"] == word for row in rows) for word in OUTCOMES}
        score = 1 - count["survived"] / len(rows)
        print(
            f"| {area} | {results['of']} | {len(rows)} | {count['killed']} | {count['timeout']}"
            f" | {count['survived']} | {score:.1%} | {results['seed']} | {results['date']} |"
        )


OUTCOMES = ("killed", "timeout", "survived")


def _here() -> None:
    """The package of this checkout is the one that tests import, in their children too."""
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = str(ROOT)
    sys.path.insert(0, str(ROOT))


def main() -> None:
    """Parse the command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("command", choices=["record", "mutate", "again", "table"])
    parser.add_argument("names", nargs="*", help="areas, or paths of tests to record anew")
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--far", action="store_true", help="more tests, and from other folders")
    options = parser.parse_args()
    _here()
    if options.command == "record":
        record(options.names)
    elif options.command == "table":
        table(options.names or [area for area in AREAS if (STATE / f"{area}.json").exists()])
    else:
        for area in options.names or AREAS:
            mutate(area, options)


if __name__ == "__main__":
    main()
