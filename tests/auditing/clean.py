"""How many findings an audit has of files that nobody made to attack.

    python -m tests.auditing.clean NAME=FOLDER ...

The fewer, the more each of them says. Every `.onnx` below the folders is audited as `graphcount
audit` does by default. What comes out is a table for docs/audit-rates.md, the rules that speak of
most files, and the files with more than two findings. Files that cannot be read are counted beside.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import graphcount

FEW = 2


class Answer(NamedTuple):
    """An audit: where the file is from, its path, rule and severity of each finding.

    Attributes:
        source: Name of the set.
        path: The file.
        findings: None where it could not be read.
    """

    source: str
    path: str
    findings: tuple[tuple[str, str], ...] | None


def answer(source: str, path: str) -> Answer:
    """Audit one file."""
    try:
        report = graphcount.audit(path)
    except graphcount.GraphcountError:
        return Answer(source, path, None)
    return Answer(source, path, tuple((row.rule, row.severity) for row in report.findings))


def line(name: str, answers: Sequence[Answer]) -> str:
    """Return a row of the table."""
    counts = sorted(len(one.findings) for one in answers if one.findings is not None)
    few = sum(count <= FEW for count in counts) / len(counts)
    last = quantiles(counts, n=100)[-1] if len(counts) > 1 else counts[0]
    middle = counts[len(counts) // 2]
    refused = len(answers) - len(counts)
    cells = (f"{len(counts):,}", str(refused), str(middle), f"{last:.0f}", f"{100 * few:.1f} %")
    return f"| {name} | {' | '.join(cells)} | {counts[-1]} |"


def table(answers: Sequence[Answer]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| source | files | refused | median | 99th percentile | at most 2 | most |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for source in dict.fromkeys(one.source for one in answers):
        yield line(source, [one for one in answers if one.source == source])
    yield line("all", answers)


def main() -> None:
    """Print the table, the rules that speak most, and the files of which most is said."""
    named = [text.partition("=")[::2] for text in sys.argv[1:]]
    pairs = [(name, str(p)) for name, folder in named for p in sorted(Path(folder).rglob("*.onnx"))]
    with ProcessPoolExecutor(2) as pool:
        answers = list(pool.map(answer, *zip(*pairs, strict=True), chunksize=8))
    print("\n".join(table(answers)))
    files = Counter(key for one in answers for key in set(one.findings or ()))
    for (rule, severity), count in files.most_common(20):
        print(f"{rule} {severity}: {count} files")
    for one in answers:
        if len(one.findings or ()) > FEW:
            print(one.path, " ".join(rule for rule, _ in one.findings or ()))


if __name__ == "__main__":
    main()
