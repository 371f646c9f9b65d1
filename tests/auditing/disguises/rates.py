"""How often weights in disguise are counted and named, and how often clean files are.

    python -m tests.auditing.disguises.rates planted [--seeds 1 2 3]
    python -m tests.auditing.disguises.rates clean NAME=FOLDER ...

`planted` writes every way (`ways.py`, `later.py`, `last.py`), proves it with onnxruntime, and asks
the count, a check and the audit. `clean` says of every file below the folders how
`operand_elements` stands beside parameters, buffers and quantization, and whether HID006 reports
it. The tables of docs/audit-rates.md are made by it.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from graphcount import api
from graphcount.errors import GraphcountError
from tests.auditing.backdoors.rates import files
from tests.auditing.disguises.last import HEAVY, LAST
from tests.auditing.disguises.later import LATER
from tests.auditing.disguises.plant import WEIGHTS, model, problem
from tests.auditing.disguises.ways import WAYS

RULE = "HID006"

GROUPS = {"looked at in development": WAYS, "written after the rule": LATER, "the last": LAST}


class Asked(NamedTuple):
    """What was counted of one file.

    Attributes:
        name: The way, or the file.
        parameters: What counts as parameters.
        kinds: Parameters, buffers and quantization together.
        elements: `operand_elements`; None where it is not known.
        held: A check that allows 1,000 fails.
        severity: Of the finding of HID006; empty for none.
        why: Why it does not count.
    """

    name: str
    parameters: int = 0
    kinds: int = 0
    elements: int | None = None
    held: bool = False
    severity: str = ""
    why: str = ""


def ask(name: str, path: str) -> Asked:
    """Count, check and audit one file."""
    try:
        totals = api.count(path).totals
        held = api.check(path, max={"operand_elements": 1000}).exit_code == 1
        findings = api.audit(path, select=(RULE,)).findings
    except GraphcountError as error:
        return Asked(name, why=str(error)[:100])
    severity = next((row.severity for row in findings if row.rule == RULE), "")
    kinds = totals.parameters + totals.buffers + totals.quantization
    return Asked(name, totals.parameters, kinds, totals.operand_elements, held, severity)


def planted(group: str, name: str, seed: int) -> Asked:
    """Write one way, prove it, and ask."""
    made = model(GROUPS[group][name], seed)
    why = problem(name, made, seed)
    if why:
        return Asked(name, why=why)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "planted.onnx")
        path.write_bytes(made.SerializeToString())
        return ask(name, str(path))


def report_planted(pool: ProcessPoolExecutor, seeds: list[int]) -> None:
    """Print a line for each group, and what is not seen."""
    for group, ways in GROUPS.items():
        asked = [
            (group, name, seed) for name in ways for seed in (seeds[:1] if name in HEAVY else seeds)
        ]
        answers = list(pool.map(planted, *zip(*asked, strict=True)))
        counted = [one for one in answers if not one.why]
        hidden = [one for one in counted if one.parameters < WEIGHTS]
        whole = [one for one in counted if (one.elements or 0) >= WEIGHTS]
        named = [one for one in hidden if one.severity]
        print(
            f"| {group} | {len(ways)} | {len(counted)} | {len(whole)} |"
            f" {sum(one.held for one in counted)} | {len(hidden)} | {len(named)} |"
        )
        for one in answers:
            if one.why or one not in whole or (one in hidden and one not in named):
                print(f"    {one}")


def report_clean(pool: ProcessPoolExecutor, sources: list[str]) -> None:
    """Print a line for each source, and each file with a finding."""
    by_source: dict[str, list[Asked]] = {}
    pairs = list(files(sources))
    for (source, _), answer in zip(
        pairs, pool.map(ask, *zip(*[(path, path) for _, path in pairs], strict=True), chunksize=8),
        strict=True,
    ):  # fmt: skip
        by_source.setdefault(source, []).append(answer)
    for source, answers in by_source.items():
        known = [one for one in answers if not one.why and one.elements is not None]
        below = sum(one.elements < one.parameters for one in known if one.elements is not None)
        ratios = sorted((one.elements or 0) / max(one.kinds, 1) for one in known if one.parameters)
        middle, most = (ratios[int(len(ratios) * share)] for share in (0.5, 0.95))
        medium = sum(one.severity not in ("", "low") for one in answers)
        low = sum(one.severity == "low" for one in answers)
        print(
            f"| {source} | {len(known)} | {below} | {middle:.4f} | {most:.2f} | {low} | {medium} |"
        )
        print("\n".join(f"    {one}" for one in answers if one.severity))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("planted", "clean"))
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    options = parser.parse_args()
    with ProcessPoolExecutor(2) as pool:
        if options.what == "planted":
            report_planted(pool, options.seeds)
        else:
            report_clean(pool, options.sources)


if __name__ == "__main__":
    main()
