"""How often hidden payloads are seen, and how often clean files are spoken of.

    python -m tests.auditing.hidden.rates hidden [--later] [--proved]
    python -m tests.auditing.hidden.rates clean NAME=FOLDER ...

`hidden` puts every payload into a model in every way, and asks the audit, deep where tensor data
must be read. With `--proved` onnx.checker and onnxruntime prove each way first. `clean` audits all
models below the folders, deep. The tables of docs/audit-rates.md are made by it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from graphcount import api
from graphcount.errors import GraphcountError
from tests.auditing.hidden.host import problem
from tests.auditing.hidden.payloads import BINARY, PAYLOADS
from tests.auditing.hidden.ways import WAYS, Way

COUNTED = ("medium", "high", "critical")


class Answer(NamedTuple):
    """What the audit says of one file.

    Attributes:
        way: The way, or the source of the file.
        payload: The payload, or the file.
        rules: Rules with a finding of medium or worse.
        why: Why it does not count: no proof, or no model.
    """

    way: str
    payload: str
    rules: tuple[str, ...]
    why: str = ""


def rules(path: str, *, deep: bool) -> tuple[str, ...]:
    """Return the rules that speak of hidden bytes in a file, medium or worse."""
    report = api.audit(path, select=SELECTED, deep=deep)
    return tuple(sorted({one.rule for one in report.findings if one.severity in COUNTED}))


SELECTED = ("HID", "EXT015", "FMT006", "INT", "PRV001")


def goes(way: Way, payload: str) -> bool:
    """Return whether a payload can go some way."""
    return not way.text or payload not in BINARY


def ask(way: Way, payload: str) -> Answer:
    """Hide one payload and ask."""
    with tempfile.TemporaryDirectory() as folder:
        path = way.make(PAYLOADS[payload]()).save(Path(folder))
        return Answer(way.name, payload, rules(path, deep=way.deep))


def ask_all(names: Iterable[str], number: int, later: bool) -> list[Answer]:
    """Hide each payload in one way."""
    way = ways(later)[number]
    return [ask(way, name) for name in names if goes(way, name)]


def prove(number: int, later: bool) -> str:
    """Return why a way is no proof."""
    way = ways(later)[number]
    name = "script" if way.text else "elf"
    why = problem(way.make(PAYLOADS[name]()), way.dtype, way.tolerance + 1e-6)
    return f"{way.name}: {why or 'proved'}"


def ways(later: bool) -> tuple[Way, ...]:
    """Return one of the two lists."""
    if not later:
        return WAYS
    from tests.auditing.hidden.later import LATER

    return LATER


def clean(source: str, path: str) -> Answer:
    """Ask about one clean file."""
    try:
        return Answer(source, path, rules(path, deep=True))
    except GraphcountError as error:
        return Answer(source, path, (), str(error)[:100])


def files(sources: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the models below folders given as NAME=FOLDER."""
    for text in sources:
        name, _, folder = text.partition("=")
        for place, _, names in sorted(os.walk(folder)):
            for one in sorted(names):
                if one.endswith((".onnx", ".ort")) and Path(place, one).is_file():
                    yield name, str(Path(place, one))


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("hidden", "clean"))
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--later", action="store_true")
    parser.add_argument("--proved", action="store_true")
    options = parser.parse_args()
    begin = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        if options.what == "clean":
            answers = list(pool.map(clean, *zip(*files(options.sources), strict=True), chunksize=4))
        else:
            numbers = range(len(ways(options.later)))
            if options.proved:
                print("\n".join(pool.map(partial(prove, later=options.later), numbers)))
            one = partial(ask_all, list(PAYLOADS), later=options.later)
            answers = [answer for part in pool.map(one, numbers) for answer in part]
    for why, times in Counter(one.why[:60] for one in answers if one.why).most_common(8):
        print(f"does not count: {times} {why}")
    counted = [one for one in answers if not one.why]
    seen = [one for one in counted if one.rules]
    for name in dict.fromkeys(one.way for one in counted):
        of = [one for one in counted if one.way == name]
        said = [one for one in of if one.rules]
        odd = said if options.what == "clean" else [one for one in of if not one.rules]
        rest = ", ".join(f"{one.payload} {' '.join(one.rules)}".strip() for one in odd[:12])
        print(f"| {name} | {len(of)} | {len(said)} | {rest}")
    share = 100 * len(seen) / max(len(counted), 1)
    seconds = time.perf_counter() - begin
    print(f"{len(seen)} of {len(counted)} ({share:.1f} %), {seconds:.0f} s")


if __name__ == "__main__":
    main()
