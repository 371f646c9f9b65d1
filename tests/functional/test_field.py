"""Situations that people report, each by its truth: `../shared/field/truth.json`.

What must come out was worked out by hand or by running the model, never by graphcount.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest

import graphcount
from graphcount.cli.main import main

FIELD = Path(__file__).resolve().parents[2].parent / "shared" / "field"
TRUTHS: dict[str, dict[str, Any]] = (
    json.loads((FIELD / "truth.json").read_text("utf-8")) if FIELD.is_dir() else {}
)

pytestmark = pytest.mark.skipif(not TRUTHS, reason="../shared/field is not there")

SIZED = sorted(name for name, row in TRUTHS.items() if {"macs", "macs_expression"} & row.keys())
"""Cases that say what a forward pass costs."""

RUN = sorted(name for name, row in TRUTHS.items() if row.get("feeds"))
"""Cases that onnxruntime runs."""

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return the exit code of a command and what it prints."""

    def call(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments))
        return code, capsys.readouterr().out

    return call


def path_of(name: str) -> str:
    return str(FIELD / "models" / TRUTHS[name]["file"])


def options_of(name: str) -> list[str]:
    return list(TRUTHS[name].get("args", ()))


def counted(name: str, run: Run) -> dict[str, Any]:
    """Return the JSON of a count with the options of a case."""
    report: dict[str, Any] = json.loads(
        run("count", path_of(name), *options_of(name), "--format", "json")[1]
    )
    return report


# ------------------------------------------------------------------------- sizes, MACs, shapes


@pytest.mark.parametrize("name", SIZED)
def test_macs_are_exact(name: str, run: Run) -> None:
    truth, totals = TRUTHS[name], counted(name, run)["totals"]
    for key in ("macs", "macs_expression"):
        if key in truth:
            assert totals[key] == truth[key]
    assert "macs" not in totals["at_least"]


@pytest.mark.parametrize("name", SIZED)
def test_nothing_is_at_least_where_all_data_are_there(name: str, run: Run, tmp_path: Path) -> None:
    path = complete(path_of(name), tmp_path)
    code, out = run("count", path, *options_of(name), "--format", "json")
    report = json.loads(out)
    assert code == 0
    assert report["totals"]["lower_bound"] is False
    assert {"parameters", "macs"}.isdisjoint(report["totals"]["at_least"])
    _, screen = run("count", path, *options_of(name))
    lines = re.findall(r"^ +(?:parameters|MACs) .*$", screen, re.M)
    assert len(lines) == 2
    assert not any("at least" in line for line in lines)


def complete(path: str, folder: Path) -> str:
    """Return the path of a model that has its external data: zeros where the set has none."""
    missing = [
        (entry["location"], int(entry.get("offset", 0)), tensor)
        for tensor in onnx.load(path, load_external_data=False).graph.initializer
        for entry in [{pair.key: pair.value for pair in tensor.external_data}]
        if "location" in entry and not (Path(path).parent / entry["location"]).exists()
    ]
    if not missing:
        return path
    for location, offset, tensor in missing:
        nbytes = 4
        for size in tensor.dims:
            nbytes *= size
        with (folder / location).open("ab") as stream:
            stream.truncate(max(stream.tell(), offset + nbytes))
    return str(shutil.copy(path, folder))


@pytest.mark.parametrize("name", RUN)
def test_shapes_are_those_of_a_run(name: str) -> None:
    """Every result that onnxruntime makes; a size that data decide is one in all of them."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")
    from tests.packages.beside import compare, derived
    from tests.packages.truth import fed
    from tests.packages.truth import run as run_model

    truth, path = TRUTHS[name], path_of(name)
    values = {key: listed(truth["feeds"][key]) for key in truth.get("feed_is_value", ())}
    wanted = [
        f"{key}:={','.join(map(str, values[key]))}" if key in values else f"{key}={times(sizes)}"
        for key, sizes in truth["feeds"].items()
    ]
    model = onnx.load(path)
    feeds = fed(model, wanted)
    shown = run_model(model, feeds)
    sizes = {key: array.shape for key, array in feeds.items()}
    compared = compare(shown, derived(path, sizes, values))
    assert compared.values >= len(model.graph.output)
    assert compared.wrong == []
    decided: dict[str, set[int]] = {}
    for _, value, dims, shape in compared.open:
        assert dims is not None, value
        for dim, size in zip(dims, shape, strict=True):
            if not isinstance(dim, int):
                decided.setdefault(str(dim), set()).add(size)
    assert all(len(each) == 1 for each in decided.values())
    report = graphcount.count(path, shapes=sizes, input_values=values)
    places = {row.name: row.place for row in report.dimensions}
    assert all(places[made].startswith("result ") for made in decided)


def listed(value: Any) -> list[float]:
    return [float(one) for one in (value if isinstance(value, list) else [value])]


def times(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


# --------------------------------------------------------------------------------- other truths

READ: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "parameters": lambda report: report["totals"]["parameters"],
    "quantization": lambda report: report["totals"]["quantization"],
    "buffers": lambda report: report["totals"]["buffers"],
    "parameters_as_used": lambda report: report["totals"]["parameters_as_used"],
    "nbytes": lambda report: report["totals"]["nbytes"]["total"],
    "disk_external": lambda report: report["model"]["external_nbytes"],
    "framework": lambda report: report["framework"]["parameters"],
    "framework_low_at_most": lambda report: report["framework"]["low"],
    "peak_at_most": lambda report: report["totals"]["peak_activation_nbytes"],
    "state_bytes": lambda report: (report["states"] or {}).get("nbytes"),
    "modules": lambda report: {row["name"]: row["parameters"] for row in report["modules"]},
}
"""Key of a truth → what of a report it is of."""


def holds(key: str, truth: Any, report: dict[str, Any]) -> bool:
    found = READ[key](report)
    if key.endswith("_at_most"):
        return bool(found <= truth)
    if isinstance(truth, dict):
        return bool(truth.items() <= found.items())
    return bool(found == truth)


OTHERS = sorted((name, key) for name, row in TRUTHS.items() for key in row if key in READ)


@pytest.mark.parametrize(("name", "key"), OTHERS)
def test_other_truths_hold(name: str, key: str, run: Run) -> None:
    truth = TRUTHS[name][key]
    if key == "state_bytes":
        ((sizes, truth),) = truth.items()
        dims = [word for size in sizes.split(",") for word in ("--dim", size)]
        report = json.loads(run("count", path_of(name), *dims, "--format", "json")[1])
    else:
        report = counted(name, run)
    assert holds(key, truth, report)


# ------------------------------------------------------------------------ stale and lying files

STALE: Mapping[str, str] = {
    "stale_value_info": "x=1x3x320x320",
    "stale_value_info_shape_option": "x=1x3x320x320",
    "lying_value_info": "x=1x3x320x320",
    "batch_made_free": "batch=8",
    "batch_made_free_clean": "batch=8",
    "baked_batch": "batch=8",
    "floor_fraction": "h=320, w=320",
}
"""Files whose declarations are of other sizes → the sizes that a message names."""


@pytest.mark.parametrize("name", STALE)
def test_a_gate_fails_with_the_true_number_and_names_the_sizes(name: str, run: Run) -> None:
    macs = TRUTHS[name]["macs"]
    limits = ["--max", f"macs={macs - 1}"]
    code, out = run("check", *limits, path_of(name), *options_of(name), "--format", "json")
    (message,) = messages(out, "BUD001")
    assert code == 1
    assert f"macs {macs:,} is 1 over the maximum {macs - 1:,}" in message
    assert STALE[name] in message
    assert run("check", "--max", f"macs={macs}", path_of(name), *options_of(name))[0] == 0


def messages(out: str, rule: str) -> list[str]:
    """Return the messages of a rule, each once: a verdict and the findings have the same."""
    made: dict[str, None] = {}
    waiting: list[Any] = [json.loads(out)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict) and one.get("rule") == rule and "message" in one:
            made[one["message"]] = None
        elif isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return list(made)


@pytest.mark.parametrize("name", ["batch_made_free_no_dim", "plan_base", "slice_to_end"])
def test_a_gate_without_sizes_asks_for_them(name: str, run: Run) -> None:
    code, out = run("check", "--max", f"macs={10**12}", path_of(name), "--format", "json")
    (message,) = messages(out, "BUD002")
    assert code == 1
    assert f"macs is {TRUTHS[name]['macs_expression']}; give sizes or ranges" in message


@pytest.mark.parametrize(
    ("name", "elements"), [("fake_quant_big", 512 * 512), ("fake_quant_float", 162)]
)
def test_an_audit_finds_weights_that_are_quantized_on_paper(
    name: str, elements: int, run: Run
) -> None:
    _, out = run("audit", path_of(name), "--format", "json")
    (finding,) = [row for row in json.loads(out)["findings"] if row["rule"] == "QNT005"]
    evidence = finding["evidence"]
    assert (evidence["nbytes"], evidence["quantized_nbytes"]) == (4 * elements, elements)


@pytest.mark.parametrize(
    ("name", "where"), [("stale_value_info", "n_c makes"), ("lying_value_info", "n_c makes")]
)
def test_an_audit_finds_a_wrong_declaration_once_a_cause(name: str, where: str, run: Run) -> None:
    _, out = run("audit", path_of(name), "--format", "json")
    (message,) = messages(out, "GRF014")
    assert where in message


@pytest.mark.parametrize("name", ["batch_made_free_clean", "floor_fraction", "question_dims"])
def test_an_audit_calls_no_other_declaration_wrong(name: str, run: Run) -> None:
    _, out = run("audit", path_of(name), "--format", "json")
    assert not messages(out, "GRF014")


@pytest.mark.parametrize("name", [name for name, row in TRUTHS.items() if "audit" in row])
def test_an_audit_finds_what_is_there_and_nothing_else(name: str, run: Run) -> None:
    _, out = run("audit", path_of(name), "--format", "json")
    rules = [row["rule"] for row in json.loads(out)["findings"]]
    assert sorted(rule for rule in rules if rule != "EXT011") == sorted(TRUTHS[name]["audit"])
