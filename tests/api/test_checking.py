"""`graphcount.check` does in Python what `graphcount check` does, with the same words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

import graphcount
from graphcount.config import load_config
from graphcount.report.serial import dumps, to_dict
from tests.api.conftest import Command

CONFIG = """
[[checks]]
name = "edge"
paths = ["*.onnx"]
max = { parameters = 26_926 }

[[checks]]
name = "sized"
paths = ["cnn.onnx"]
dims = { batch = 2 }
max = { macs = 747_711 }
severity = "low"
"""
"""The CNN has 26,926 parameters and 373,856 MACs a picture, as PyTorch counts (fixtures/README)."""


def plain(checked: graphcount.Checked) -> object:
    """What `--format json` prints of the same reports."""
    found = [json.loads(dumps(to_dict(report))) for report in checked.reports]
    return found[0] if len(found) == 1 else found


@pytest.mark.parametrize("limit", [26_926, "26_925", "26k"])
def test_budgets(folder: Path, command: Command, limit: int | str) -> None:
    checked = graphcount.check("cnn.onnx", max={"parameters": limit}, min={"nodes": 1})
    done = command("check", "cnn.onnx", "--max", f"parameters={limit}", "--min", "nodes=1")
    assert checked.exit_code == done.code == int(limit != 26_926)
    assert bool(checked.findings) == checked.failed == (limit != 26_926)
    assert all(finding.message in done.out for finding in checked.findings)


def test_a_folder_a_glob_and_names_are_the_same_models(folder: Path, command: Command) -> None:
    both = ["cnn.onnx", "mlp_3_5_2.onnx"]
    for models in (both, ["*.onnx"], [*both, "*.onnx"]):
        checked = graphcount.check(models, max={"nodes": 11})
        done = command("check", *models, "--max", "nodes=11", "--format", "json")
        assert [report.model.path for report in checked.reports] == both
        assert [row["model"]["path"] for row in json.loads(done.out)] == both
    with pytest.raises(graphcount.UsageError, match="matches no file"):
        graphcount.check("none*.onnx", max={"nodes": 1})
    (folder / "bad" / "cut.onnx").unlink()
    assert len(graphcount.check(".", max={"nodes": 11}).reports) == 2


def test_a_configuration(folder: Path, command: Command) -> None:
    (folder / "graphcount.toml").write_text(CONFIG)
    done = command("check", "--format", "json")
    for config in ("graphcount.toml", load_config()):
        checked = graphcount.check(config=config)
        assert checked.exit_code == done.code == 0  # what fails is of low severity
        assert plain(checked) == json.loads(done.out)
    assert [finding.where["check"] for finding in checked.findings] == ["sized"]
    strict = graphcount.check(config="graphcount.toml", fail_on="low")
    assert strict.exit_code == command("check", "--fail-on", "low").code == 1
    larger = graphcount.check(config="graphcount.toml", dims={"batch": 1}, fail_on="low")
    assert larger.exit_code == command("check", "--dim", "batch=1", "--fail-on", "low").code == 0
    with pytest.raises(graphcount.UsageError, match="nothing to check"):
        graphcount.check("cnn.onnx")  # in Python a configuration is named


def test_baselines(folder: Path, command: Command) -> None:
    written = graphcount.check("cnn.onnx", write_baseline="now.json", dims={"batch": 1})
    assert (written.exit_code, written.written) == (0, True)
    line = ("check", "cnn.onnx", "--dim", "batch=1")
    assert command(*line, "--write-baseline", "same.json").code == 0
    assert (folder / "now.json").read_text() == (folder / "same.json").read_text()

    rows = json.loads((folder / "now.json").read_text())
    assert rows["models"][0]["measures"]["parameters"] == 26_926
    rows["models"][0]["measures"]["parameters"] = 20_000  # 34.6 % fewer
    rows["graphcount"] = "0.0.1"
    (folder / "old.json").write_text(json.dumps(rows))
    for limit, code in (("34%", 1), ("35%", 0)):
        growth = {"parameters": limit}
        checked = graphcount.check(
            "cnn.onnx", max_increase=growth, baseline="old.json", dims={"batch": 1}
        )
        done = command(*line, "--max-increase", f"parameters={limit}", "--baseline", "old.json")
        assert checked.exit_code == done.code == code
        assert done.err == "".join(f"graphcount: {note}\n" for note in checked.notes)


def test_a_benchmark(folder: Path, command: Command) -> None:
    row = {"schema": "graphcount.bench/1", "model": {"path": "cnn.onnx"}}
    (folder / "bench.json").write_text(json.dumps({**row, "latency": {"p50": 0.012}}))
    for limit, code in (("12ms", 0), ("11ms", 1)):
        checked = graphcount.check("cnn.onnx", max={"latency_p50": limit}, bench="bench.json")
        line = ("--max", f"latency_p50={limit}", "--bench", "bench.json")
        assert checked.exit_code == command("check", "cnn.onnx", *line).code == code


def test_what_cannot_be_read_is_no_pass(folder: Path, command: Command) -> None:
    models = ["cnn.onnx", "bad/cut.onnx"]
    with pytest.raises(graphcount.DamagedError):
        graphcount.check(models, max={"nodes": 11})
    heard: list[graphcount.GraphcountError] = []
    checked = graphcount.check(
        models, max={"nodes": 11}, on_error=heard.append, write_baseline="new.json"
    )
    done = command("check", *models, "--max", "nodes=11", "--write-baseline", "new.json")
    assert checked.exit_code == done.code == 2
    assert checked.errors == tuple(heard)
    assert not checked.failed
    assert not checked.written
    assert not (folder / "new.json").exists()


def test_progress_goes_over_the_paths(folder: Path) -> None:
    seen: list[Sequence[str]] = []

    def watch(paths: Sequence[str]) -> Iterable[str]:
        seen.append(paths)
        return iter(paths)

    graphcount.check(["cnn.onnx", "mlp_3_5_2.onnx"], max={"nodes": 11}, progress=watch)
    assert [list(paths) for paths in seen] == [["cnn.onnx", "mlp_3_5_2.onnx"]]


def test_a_size_applies_where_one_of_several_models_has_the_dimension(
    fixtures: Path, folder: Path, command: Command
) -> None:
    """The transformer block has a sequence, the CNN has none; each has one check."""
    block = str(fixtures / "transformer_block.onnx")
    models, limit = ["cnn.onnx", block], {"macs": "1G"}
    checked = graphcount.check(models, max=limit, dims={"batch": 1, "sequence": 8})
    assert checked.exit_code == 0
    with pytest.raises(graphcount.UsageError, match="sequence"):
        graphcount.check("cnn.onnx", max=limit, dims={"batch": 1, "sequence": 8})
    with pytest.raises(graphcount.UsageError, match="width"):
        graphcount.check(models, max=limit, dims={"batch": 1, "width": 8})
