"""`graphcount bench` as people call it, without running anything."""

from __future__ import annotations

import click
import pytest

from graphcount.benchmarking.providers import PROVIDERS, provider
from graphcount.cli import bench
from graphcount.cli.main import main
from graphcount.errors import UsageError

NOTHING = (click.Context(bench.command), click.Option(["--dim"]))


def test_sizes_of_dimensions() -> None:
    read = bench._parse_sizes(*NOTHING, ("batch=1,8,8,32", "a=b=3"))
    assert read == {"batch": (1, 8, 32), "a=b": (3,)}
    for wrong in (("batch",), ("batch=",), ("batch=1,",), ("batch=-1",), ("b=1", "b=2"), ("b=²",)):
        with pytest.raises(click.BadParameter):
            bench._parse_sizes(*NOTHING, wrong)


def test_memory_limits() -> None:
    assert bench._parse_nbytes(*NOTHING, "1.5GB") == 1_500_000_000
    assert bench._parse_nbytes(*NOTHING, None) is None
    with pytest.raises(click.BadParameter):
        bench._parse_nbytes(*NOTHING, "1.5")


def test_help_names_the_extra(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--help"]) == 0
    out = capsys.readouterr().out
    assert "pip install 'graphcount[bench]'" in out
    assert "executed" in out


def test_every_provider_says_what_to_install() -> None:
    names = [row.ort_name for row in PROVIDERS.values()]
    assert len(set(names)) == len(names)
    assert all(name.endswith("ExecutionProvider") for name in names)
    assert all(row.package for row in PROVIDERS.values())
    assert provider("cuda").device == "cuda"
    with pytest.raises(UsageError, match="no provider 'gpu'; known: cpu, cuda"):
        provider("gpu")


def test_providers_are_those_onnxruntime_knows() -> None:
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")
    known = set(ort.get_all_providers())
    gone_or_elsewhere = {"ROCMExecutionProvider"}  # until onnxruntime 1.22
    assert {row.ort_name for row in PROVIDERS.values()} - known <= gone_or_elsewhere
