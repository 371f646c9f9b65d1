"""Real measurements: complete, consistent, and of the model as it is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema_rs
import numpy as np
import onnx
import pytest
from onnx import parser

import graphcount
from graphcount.benchmarking.measure import BenchOptions
from graphcount.benchmarking.messages import FedInput, read_job
from graphcount.cli.main import main
from graphcount.formats.bench import render, seconds
from graphcount.formats.view import View
from graphcount.report.bench import BenchResult, schema, to_dict
from tests.benchmarking.jobs import JOB

ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")

FIXTURES = Path(__file__).resolve().parent.parent.parent / "fixtures"
Run = Callable[..., tuple[int, str, str]]

CONTROL = """<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
g (float[N, 4] x, bool c) => (float[N, 4] y) {
  a = local.f (x)
  b = Relu (a)
  i = If (c) <then_branch = t () => (float[N, 4] p) { q = Exp (b) p = Tanh (q) },
              else_branch = e () => (float[N, 4] r) { q = Exp (b) r = Sin (q) }>
  n = Constant <value = int64 {3}> ()
  k = Constant <value = bool {1}> ()
  y = Loop (n, k, i) <body = l (int64 it, bool ci, float[N, 4] s) => (bool co, float[N, 4] so)
      { co = Identity (ci) w = Sin (s) so = Cos (w) }>
}
<opset_import: ["" : 17], domain: "local"> f (x) => (y) { z = Sin (x) y = Cos (z) }
"""

DIMS: dict[str, dict[str, int]] = {
    "cnn": {"batch": 2},
    "transformer_block": {"batch": 1, "sequence": 16},
}
QUICK = BenchOptions(threads=1, warmup=1, runs=20)


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> BenchResult:
    path = tmp_path_factory.mktemp("models") / "control.onnx"
    onnx.save(parser.parse_model(CONTROL), path)
    return graphcount.bench(str(path), QUICK, dims={"N": 2}, trust=True)


@pytest.fixture(scope="module", params=["cnn", "transformer_block", "control"])
def result(request: pytest.FixtureRequest, control: BenchResult) -> BenchResult:
    if request.param == "control":
        return control
    path = str(FIXTURES / f"{request.param}.onnx")
    return graphcount.bench(path, QUICK, dims=DIMS[request.param])


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        quick = ("--runs", "8", "--warmup", "0", "--threads", "1")
        code = main(["bench", *(str(argument) for argument in arguments), *quick])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_the_json_keeps_its_contract(result: BenchResult) -> None:
    data = json.loads(json.dumps(to_dict(result), allow_nan=False))
    contract = schema()
    jsonschema_rs.meta.validate(contract)
    jsonschema_rs.validate(contract, data)
    assert set(contract["required"]) == set(contract["properties"]) == set(data)
    assert data["schema"] == "graphcount.bench/1"
    assert list(data["latency"])[:5] == ["min", "p50", "p90", "p95", "p99"]


def test_what_was_asked_for_was_done(result: BenchResult) -> None:
    assert result.runs == 20
    assert result.options.threads == 1
    assert result.provider.active == ("CPUExecutionProvider",)
    assert sum(bar.runs for bar in result.histogram) == 20
    assert result.throughput == pytest.approx(20 / result.wall_s)
    assert result.peak_rss_nbytes is not None
    assert result.base_rss_nbytes is not None
    assert result.peak_rss_nbytes >= result.base_rss_nbytes > 10**6


def test_every_profiled_operator_stands_for_nodes_of_the_file(result: BenchResult) -> None:
    known = {row.id for row in graphcount.count(result.path, dims=result.dims).nodes}
    assert result.nodes
    for node in result.nodes:
        assert node.sources, node
        assert set(node.sources) <= known
        assert node.attribution in ("node", "fused", "part", "inserted")
        assert (len(node.sources) == 1) if node.attribution == "node" else True


def test_times_of_operators_are_within_the_run_and_shares_are_whole(result: BenchResult) -> None:
    profile = result.profile
    assert profile is not None
    assert sum(node.time_s for node in result.nodes) == pytest.approx(profile.operators_s)
    assert sum(node.elapsed_s for node in result.nodes) == pytest.approx(profile.elapsed_s)
    assert 0 < profile.operators_s <= profile.elapsed_s <= profile.graph_s <= profile.run_s
    assert profile.run_s == pytest.approx(profile.operators_s + profile.overhead_s)
    assert sum(node.share for node in result.nodes) == pytest.approx(1)


def test_costs_of_operators_sum_to_those_of_the_model(result: BenchResult) -> None:
    totals = graphcount.count(result.path, dims=result.dims).totals
    assert sum(node.macs or 0 for node in result.nodes) == totals.macs
    assert sum(node.parameters for node in result.nodes) == totals.parameters


def test_rates_follow_from_times(result: BenchResult) -> None:
    assert result.profile is not None
    ceiling = result.profile.ceiling
    assert ceiling is not None
    for node in result.nodes:
        if node.flops_per_s is not None and node.macs and node.roofline is not None:
            assert node.flops_per_s * node.time_s == pytest.approx(2 * node.macs)
            intensity = 2 * node.macs / node.nbytes
            roof = min(ceiling.flops_per_s, intensity * ceiling.bytes_per_s)
            assert node.roofline == pytest.approx(node.flops_per_s / roof)


def test_a_loop_counts_its_calls(control: BenchResult) -> None:
    rows = {node.sources: node for node in control.nodes}
    assert rows["Loop#5/body/Sin#1",].calls == 3
    assert rows["If#2/then_branch/Tanh#1",].calls == 1
    assert rows["f#0/Sin#0",].attribution == rows["f#0/Cos#1",].attribution == "node"
    assert ("If#2/else_branch/Sin#1",) not in rows


def test_outputs_are_those_of_a_plain_session(tmp_path: Path) -> None:
    """What is timed is `session.run` on the inputs that are written out."""
    from graphcount.benchmarking import session as ours

    path = str(FIXTURES / "cnn.onnx")
    fed: FedInput = {
        "name": "x",
        "dtype": "float32",
        "code": 1,
        "shape": (2, 3, 32, 32),
        "fill": "normal",
        "elements": None,
        "file": None,
    }
    made = ours.create(path, JOB, ours.session_options(JOB))
    feeds = ours.feeds_of(made, [fed], seed=7)
    call, bound = ours.bind(made, feeds, [fed], None)
    plain = ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feeds)
    assert not bound
    made_by_call = call()
    assert isinstance(made_by_call, list)
    assert np.array_equal(made_by_call[0], plain[0])
    assert np.asarray(feeds["x"]).std() == pytest.approx(1, abs=0.05)


def test_a_job_comes_through_the_pipe_as_it_was() -> None:
    assert read_job(json.dumps(JOB)) == JOB._replace(models=[])


def test_inputs_can_be_kept_and_given_again(run: Run, tmp_path: Path) -> None:
    path, kept = FIXTURES / "mlp_3_5_2.onnx", tmp_path / "in.npz"
    assert run(path, "--no-profile", "--save-inputs", kept, "--dim", "batch=3")[0] == 0
    with np.load(kept) as archive:
        (name,) = archive.files
        assert archive[name].shape == (3, 3)
    code, out, _ = run(path, "--no-profile", "--input", kept, "--format", "json")
    data = json.loads(out)
    assert (code, data["dims"], data["assumed"]) == (0, {"batch": 3}, {})
    assert data["inputs"][0]["fill"] == f"file {kept}"


def test_two_models_take_turns(run: Run) -> None:
    path = FIXTURES / "mlp_3_5_2.onnx"
    code, out, _ = run(path, "--vs", path, "--no-profile", "--format", "json")
    other = json.loads(out)["versus"]
    assert (code, other["verdict"], other["max_ratio"], other["interval"]) == (0, None, None, None)
    assert other["ratio"] == other["blocks"][0] > 0
    assert json.loads(out)["runs"] == 8


def test_several_sizes_and_callers(run: Run) -> None:
    path = FIXTURES / "mlp_3_5_2.onnx"
    arguments = (path, "--dim", "batch=1,4", "--concurrency", "2", "--sessions", "2")
    code, out, _ = run(*arguments, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [(row["dims"], row["runs"]) for row in rows] == [("batch=1", "8"), ("batch=4", "8")]
    assert all(float(row["p50"]) <= float(row["p99"]) for row in rows)


def test_the_measurement_in_the_report(run: Run) -> None:
    from graphcount.report.serial import schema as report_schema

    code, out, _ = run(FIXTURES / "mlp_3_5_2.onnx", "--no-profile", "--format", "report")
    data = json.loads(out)
    jsonschema_rs.validate(report_schema(), data)
    assert (code, data["bench"]["schema"]) == (0, "graphcount.bench/1")
    assert data["totals"]["macs"] == 3 * 5 + 5 * 2


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_screen(result: BenchResult, width: int) -> None:
    text = render("table", [result], View(width=width))
    lines = text.splitlines()
    assert all(len(line) <= width for line in lines)
    assert next(line for line in lines if line.startswith("  p50")).split()[1:3] == (
        seconds(result.latency.p50).split()
    )
    heads = next(line.split() for line in lines if line.startswith(" operator"))
    assert heads == ["operator", "ran", "as", "time", "share", *HEADS[width]]
    slowest = lines[next(at for at, line in enumerate(lines) if line[1:9] == "operator") + 2]
    assert seconds(result.nodes[0].time_s) in slowest


HEADS = {
    60: ["GFLOP/s"],
    80: ["GFLOP/s", "GB/s", "roof"],
    120: ["MACs", "GFLOP/s", "GB/s", "roof"],
}


@pytest.mark.parametrize("name", ["table", "csv", "json"])
@pytest.mark.parametrize("view", [View(width=100), View(width=100, by="node")])
def test_a_name_cannot_write_on_the_screen(result: BenchResult, name: str, view: View) -> None:
    evil = "=1+1\x1b[31m\u202e"
    node = result.nodes[0]._replace(sources=(evil,), name=evil, op_type=evil)
    changed = replace(
        result, path=evil, nodes=(node,), notes=(evil,), assumed={evil: 1}, dims={evil: 1}
    )
    for results in ([changed], [changed, changed]):
        text = render(name, results, view)
        assert "\x1b" not in text
        assert "\u202e" not in text
        if name == "csv":
            cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
            assert not any(cell.startswith("=") for cell in cells)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (231e-6, "231 µs"),
        (1.234e-3, "1.23 ms"),
        (0.99951, "1.00 s"),
        (4.5, "4.50 s"),
        (999.9e-6, "1.00 ms"),
        (1e-9, "0.00 µs"),
        (12.34, "12.3 s"),
    ],
)
def test_times_have_three_digits(value: float, text: str) -> None:
    assert seconds(value) == text
