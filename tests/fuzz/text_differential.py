"""Is there a text form that onnx reads in one way and graphcount, in silence, in another?

    python tests/fuzz/text_differential.py --seed 1 --count 20000

The models of `valid_models.py` as protobuf text, JSON and ONNX text, with characters, words and
lines left out, doubled or exchanged; the other readers are `text_format` and `json_format` of
protobuf and `onnx.parser`. Each text is also given the name of a binary model, under which
graphcount has to refuse it as protobuf does. A difference counts as in `differential.py`.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import onnx
from google.protobuf import json_format, text_format

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parents[2]))

from graphcount.errors import GraphcountError
from graphcount.loading import read_source
from graphcount.loading.source import BytesSource
from tests.fuzz.differential import high_rules
from tests.fuzz.readings import difference, onnx_reading, own_reading
from tests.fuzz.valid_models import MODELS, control, convolution, tensors

PARSED = (convolution, control, tensors)
"""Models that ONNX text can hold, as far as it holds them."""


def texts() -> list[tuple[str, str]]:
    """Return (suffix, text) of each model in each form."""
    made = [make() for make in MODELS]
    rows = [("textproto", text_format.MessageToString(model)) for model in made]
    rows += [("json", json_format.MessageToJson(model)) for model in made]
    printed = [onnx.printer.to_text(make()) for make in PARSED]
    return rows + [("onnxtxt", text) for text in printed if parsed("onnxtxt", text) is not None]


def parsed(form: str, text: str) -> onnx.ModelProto | None:
    """Return what the other reader makes of a text; None where it refuses."""
    model = onnx.ModelProto()
    try:
        if form == "textproto":
            text_format.Parse(text, model)
        elif form == "json":
            json_format.Parse(text, model)
        else:
            model = onnx.parser.parse_model(text)
    except Exception:  # each has its own, and some of Python's
        return None
    return model


def changed(rng: random.Random, text: str) -> str:
    """Return a text with a character, a word or a line left out, doubled or exchanged."""
    unit = rng.choice((r"[\s\S]", r"\w+|\W", r"[^\n]*\n"))
    parts = re.findall(unit, text)
    for _ in range(rng.choice((1, 1, 2))):
        at, other = rng.randrange(len(parts)), rng.randrange(len(parts))
        how = rng.randrange(4)
        if how == 0:
            parts[at] = ""
        elif how == 1:
            parts[at] += parts[at]
        elif how == 2:
            parts[at] = parts[other]
        else:
            parts[at], parts[other] = parts[other], parts[at]
    return "".join(parts)


def compare(form: str, text: str, folder: Path) -> tuple[str, str]:
    """Return the kind of outcome, and where both readers differ."""
    data = text.encode()
    try:
        read_source(BytesSource(data, "model.onnx"))
        return "silent", "text is read under the name of a binary model"
    except GraphcountError:
        pass
    try:
        proto = read_source(BytesSource(data, f"model.{form}")).proto
    except GraphcountError:
        return "refused", ""
    theirs = parsed(form, text)
    if theirs is None:
        return "silent", "the other reader refuses it"
    where = difference(onnx_reading(theirs), own_reading(proto, theirs.SerializeToString()))
    if where and high_rules(data, folder, f"model.{form}"):
        return "high", where
    return ("silent", where) if where else ("same", "")


def run(seed: int, count: int, folder: Path) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Change texts; return how many were of each kind, and the differences."""
    bases = texts()
    kinds: Counter[str] = Counter()
    silent = []
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        form, text = rng.choice(bases)
        kind, where = compare(form, changed(rng, text), folder)
        kinds[kind] += 1
        if kind == "silent":
            silent.append((number, where))
    return kinds, silent


def main() -> int:
    """Run and print what there was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20_000)
    options = parser.parse_args()
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        kinds, silent = run(options.seed, options.count, Path(folder))
    print(f"seed {options.seed}: {dict(kinds)}, {time.process_time() - started:.0f} s of processor")
    for number, where in silent[:40]:
        print(f"  silent {number}: {where}")
    return 1 if silent else 0


if __name__ == "__main__":
    raise SystemExit(main())
