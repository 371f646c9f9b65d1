"""How often BKD001 sees a planted trigger, and how often it speaks of a clean file.

    python -m tests.auditing.backdoors.rates planted [--seeds 1 2 3]
    python -m tests.auditing.backdoors.rates later [--seeds 1 2 3]
    python -m tests.auditing.backdoors.rates clean NAME=FOLDER ...

`planted` composes mechanisms (`plant.py`), proves each with onnxruntime beside its clean host, and
asks the audit; families whose hash is odd were kept aside in development. `later` does so with
families that were written when the rule was finished.
`clean` audits every file below the folders. The tables of docs/audit-rates.md are made by it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from graphcount import api
from graphcount.errors import GraphcountError
from tests.auditing.backdoors.plant import Mechanism, kept_aside, later, mechanisms, problem

RULES = ("BKD",)
COUNTED = ("medium", "high", "critical")


class Answer(NamedTuple):
    """What the audit said of one file.

    Attributes:
        name: The mechanism, or the file.
        kinds: Families, or the source of the file.
        severity: Of the worst finding; empty for none.
        why: Why it does not count: no proof, or no model.
    """

    name: str
    kinds: tuple[str, ...]
    severity: str
    why: str = ""


def severity(path: str) -> str:
    """Return the severity of the worst BKD finding on a file, medium or worse; empty for none."""
    report = api.audit(path, select=RULES)
    found = [finding.severity for finding in report.findings if finding.rule.startswith(RULES)]
    return max((one for one in found if one in COUNTED), key=COUNTED.index, default="")


def planted(mechanism: Mechanism) -> Answer:
    """Plant one trigger, prove it, and ask."""
    kinds = (*mechanism.parts, f"host {mechanism.host.name}")
    model = mechanism.model()
    why = problem(mechanism, model, mechanism.host.build())
    if why:
        return Answer(mechanism.name, kinds, "", why)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "planted.onnx")
        path.write_bytes(model.SerializeToString())
        return Answer(mechanism.name, kinds, severity(str(path)))


def clean(source: str, path: str) -> Answer:
    """Ask about one clean file."""
    try:
        return Answer(path, (source,), severity(path))
    except GraphcountError as error:
        return Answer(path, (source,), "", str(error)[:100])


def files(sources: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the models below folders given as NAME=FOLDER."""
    for text in sources:
        name, _, folder = text.partition("=")
        for place, _, names in sorted(os.walk(folder)):
            yield from ((name, str(Path(place, one))) for one in sorted(names)
                        if one.endswith(".onnx"))  # fmt: skip


def table(answers: list[Answer]) -> Iterator[str]:
    """Yield a Markdown line for each kind, in order."""
    counts: dict[str, Counter[str]] = {}
    for answer in answers:
        for kind in answer.kinds:
            counts.setdefault(kind, Counter())[answer.severity or "none"] += 1
    for kind, count in sorted(counts.items()):
        said = sum(count.values()) - count["none"]
        yield f"| {kind} | {sum(count.values())} | {said} | {count['high']} |"


def rate(name: str, answers: list[Answer]) -> str:
    """Return one line: of how many, how many were spoken of, and how many as high."""
    said = [answer for answer in answers if answer.severity]
    high = sum(answer.severity == "high" for answer in said)
    share = 100 * len(said) / max(len(answers), 1)
    return f"{name}: {len(said)} of {len(answers)} ({share:.2f} %), high {high}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("planted", "later", "clean"))
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    options = parser.parse_args()
    with ProcessPoolExecutor(2) as pool:
        if options.what == "planted":
            made = [one for seed in options.seeds for one in mechanisms(seed, 1)]
            answers = list(pool.map(planted, dict.fromkeys(made)))
        elif options.what == "later":
            made = [one for seed in options.seeds for one in later(seed)]
            answers = [planted(one) for one in dict.fromkeys(made)]
        else:
            answers = list(pool.map(clean, *zip(*files(options.sources), strict=True), chunksize=8))
    counted = [answer for answer in answers if not answer.why]
    print(f"{len(answers) - len(counted)} do not count:")
    for why, times in Counter(answer.why[:60] for answer in answers if answer.why).most_common(8):
        print(f"  {times} {why}")
    if options.what == "planted":
        aside = [one for one in counted if any(map(kept_aside, one.kinds[:3]))]
        print(rate("developed with", [one for one in counted if one not in set(aside)]))
        print(rate("kept aside", aside))
    print(rate("all", counted))
    print("\n".join(table(counted)))
    unusual = [one for one in counted if bool(one.severity) == (options.what == "clean")]
    print("\n".join(f"{one.severity or 'MISSED'} {one.name}" for one in unusual))


if __name__ == "__main__":
    main()
