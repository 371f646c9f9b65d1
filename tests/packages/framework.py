"""How well the framework's count is recovered: a table by exporter, and one by cause.

The records beside the project know what each framework counted, and close the account between that
and the file: folded norms, copies, rows of tables that were cut, parameters never used. Print both
tables of docs/counting.md from the root of the project:

    python -m tests.packages.framework
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import graphcount
from graphcount.report.rows import FrameworkRow

TRUTH = Path(__file__).parents[2].parent / "shared" / "truth"

EXPORTERS = {
    "D": "torch, dynamo exporter",
    "L": "torch, legacy exporter",
    "K": "Keras, through torch",
    "T": "Keras, through tf2onnx",
    "Q": "scikit-learn, skl2onnx",
}
"""What wrote a file, by the first letter of its variant."""

CAUSES = {
    "missing_unused_in_forward": "parameters that forward does not use",
    "missing_rows_of_param": "a table of which folding kept some rows",
    "buffer_other": "buffers where weights stand",
    "duplicate_copy": "a tied table that is stored twice",
    "duplicate_or_merged_quantised": "a tied table that is stored twice, quantized",
    "missing_bn_folded": "norms folded into products",
    "missing_zero_bias_removed": "biases of zeros that were removed",
    "missing_value_dedup": "equal tensors that were merged",
}
"""Why file and framework differ, by the account's own words; of several the first here."""


class Measured(NamedTuple):
    """One record, and what came out.

    Attributes:
        exporter: What wrote the file, and whether another tool changed it.
        cause: Why file and framework differ.
        truth: What the framework counted.
        stored: What the file holds.
        row: What graphcount says of the framework.
    """

    exporter: str
    cause: str
    truth: int
    stored: int
    row: FrameworkRow

    @property
    def is_right(self) -> bool:
        """Whether the best number is the truth."""
        return self.row.parameters == self.truth


def records() -> Iterator[Measured]:
    """Measure every record that has a file."""
    with open(TRUTH / "truth.jsonl", encoding="utf-8") as lines:
        for line in lines:
            record: dict[str, Any] = json.loads(line)
            if record.get("file"):
                yield _measure(record)


def _measure(record: dict[str, Any]) -> Measured:
    report = graphcount.count(str(TRUTH / record["file"]))
    variant, _, tool = record["variant"].partition(".")
    exporter = EXPORTERS.get(variant[0], "others") + (", then another tool" if tool else "")
    truth, stored = record["truth"]["params_total"], report.totals.parameters
    kinds = {entry["kind"] for entry in record.get("export", {}).get("diffs", ())}
    cause = next((words for kind, words in CAUSES.items() if kind in kinds), "others")
    if stored == truth:
        cause = "none: the file holds what the framework counted"
    return Measured(exporter, cause, truth, stored, report.framework)


def table(title: str, measured: Iterable[Measured], key: Callable[[Measured], str]) -> list[str]:
    """Return a table of how many are right and proven in each group, the largest groups first."""
    groups: dict[str, list[Measured]] = {}
    for one in measured:
        groups.setdefault(key(one), []).append(one)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    every = [one for _, group in ordered for one in group]
    lines = [f"| {title} | files | file holds it | right | proven |", "|---|---:|---:|---:|---:|"]
    for name, group in (*ordered, ("all", every)):
        numbers = (
            len(group),
            sum(one.stored == one.truth for one in group),
            sum(one.is_right for one in group),
            sum(one.row.exact for one in group),
        )
        lines.append(f"| {name} | {' | '.join(str(number) for number in numbers)} |")
    return lines


def tables() -> str:
    """Return both tables as they stand in docs/counting.md."""
    measured = list(records())
    by_exporter = table("exporter", measured, lambda one: one.exporter)
    by_cause = table("what differs", measured, lambda one: one.cause)
    return "\n".join([*by_exporter, "", *by_cause])


if __name__ == "__main__":
    print(tables())
