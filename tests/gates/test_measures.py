"""Measures: every one reads a model, families take an argument, slips are named."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import helper

import graphcount
from graphcount.errors import UsageError
from graphcount.gates.measures import FAMILIES, MEASURES, find_measure, list_measures
from graphcount.gates.subject import Subject

Save = Callable[..., str]


@pytest.fixture(scope="module")
def subject(fixtures: Path) -> Subject:
    report = graphcount.count(str(fixtures / "cnn.onnx"), dims={"batch": 1})
    return Subject(report, {"p50": 2_000_000})


def test_every_measure_reads_a_report(subject: Subject) -> None:
    for measure in MEASURES.values():
        value = measure.read(subject)
        assert value is None or value >= 0
        assert measure.about


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nbytes.float32", 4 * 26_926),
        ("nbytes.int64", 16),
        ("nbytes.int8", 0),
        ("elements.float32", 26_926),
        ("nodes.Conv", 2),
        ("nodes.Relu", 4),
        ("nodes.com.acme::Foo", 0),
        ("parameters.classifier", 24_704 + 1_290),
        ("parameters.classifier.2", 1_290),
        ("parameters.decoder", None),
        ("flops", 2 * 373_856),
        ("latency_p50", 2_000_000),
        ("latency_p95", None),
    ],
)
def test_numbers(subject: Subject, name: str, value: int | None) -> None:
    assert find_measure(name).read(subject) == value


@pytest.mark.parametrize("name", [*MEASURES, "nbytes.float32", "nodes.Conv", "parameters.features"])
def test_the_parts_of_a_sum_are_at_most_the_sum(subject: Subject, name: str) -> None:
    measure = find_measure(name)
    parts = [number for _, number in measure.parts(subject)]
    if parts:
        assert sum(parts) <= (measure.read(subject) or 0)


@pytest.mark.parametrize(
    "name", ["parameters", "nbytes", "elements", "macs", "nodes", "nbytes.float32"]
)
def test_the_parts_of_these_are_all_of_it(subject: Subject, name: str) -> None:
    measure = find_measure(name)
    assert sum(number for _, number in measure.parts(subject)) == measure.read(subject)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("paramters", "parameters"),
        ("peak", "peak_activation_nbytes"),
        ("nbytes.flaot32", "float32"),
        ("nodes.Covn", "Conv"),
        ("nodes.", "nodes"),
        ("zzz", "--list-measures"),
        ("nbytes.zzz", "no dtype"),
    ],
)
def test_slips_are_refused_with_the_nearest_name(name: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=nearest):
        find_measure(name)


def test_an_operator_of_ones_own_is_a_measure() -> None:
    assert find_measure("nodes.com.acme::Frobnicate").name == "nodes.com.acme::Frobnicate"


def test_the_list_names_every_measure_and_family() -> None:
    names = [name for name, _, _ in list_measures()]
    assert names[: len(MEASURES)] == list(MEASURES)
    assert len(names) == len(MEASURES) + len(FAMILIES)


def test_the_compressed_size_is_that_of_gzip(fixtures: Path, subject: Subject) -> None:
    data = (fixtures / "cnn.onnx").read_bytes()
    found = MEASURES["compressed_nbytes"].read(subject)
    assert found == len(zlib.compress(data, 6))
    packed = len(gzip.compress(data, 6))
    assert found is not None
    assert packed - found == 18 - 6  # headers of RFC 1952 (18) and RFC 1950 (6)


def test_the_compressed_size_has_the_side_files(fixtures: Path) -> None:
    path = fixtures / "mlp_external.onnx"
    files = [path.read_bytes(), (fixtures / "mlp_external.onnx.data").read_bytes()]
    found = Subject(graphcount.count(str(path))).compressed_nbytes
    assert found == sum(len(zlib.compress(data, 6)) for data in files)


def test_the_compressed_size_of_what_is_missing_is_not_known(
    fixtures: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mlp_external.onnx"
    path.write_bytes((fixtures / "mlp_external.onnx").read_bytes())
    assert Subject(graphcount.count(str(path))).compressed_nbytes is None


def test_an_operator_in_a_domain_is_counted_there(save: Save) -> None:
    nodes = [
        helper.make_node("Conv", ["x"], ["y"], domain="com.acme"),
        helper.make_node("Relu", ["y"], ["z"]),
    ]
    path = save(nodes, inputs=["x"], outputs=["z"], opsets=[("", 20), ("com.acme", 1)])
    subject = Subject(graphcount.count(path))
    assert find_measure("nodes.Conv").read(subject) == 0
    assert find_measure("nodes.com.acme::Conv").read(subject) == 1
