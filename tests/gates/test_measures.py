"""Measures: every one reads a model, families take an argument, slips are named."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.errors import Unknown, UsageError
from graphcount.gates.measures import FAMILIES, MEASURES, find_measure, list_measures
from graphcount.gates.subject import Subject
from graphcount.report.rows import UNKNOWN_FRAMEWORK, NBytes, StorageRow, TensorRow
from graphcount.report.sparsity import SparsityRow

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


def test_the_compressed_size_is_of_level_6(save: Save) -> None:
    """Words in an order of their own: harder to pack at each level."""
    numbers = [(n * n) % 251 for n in range(4000)]
    words = b"".join(b"%d,%d;" % (n % 97, numbers[n]) for n in range(4000))
    held = helper.make_tensor("w", TensorProto.UINT8, [len(words)], words, raw=True)
    path = save([helper.make_node("Identity", ["w"], ["y"])], [held], outputs=["y"])
    data = Path(path).read_bytes()
    sizes = [len(zlib.compress(data, level)) for level in (5, 6, 7)]
    assert len(set(sizes)) == 3
    assert Subject(graphcount.count(path)).compressed_nbytes == sizes[1]


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


# ------------------------------------------------------------------------- each measure by itself

COUNTED: dict[str, Any] = {
    "parameters": 101,
    "parameters_as_used": 103,
    "buffers": 107,
    "quantization": 109,
    "constants": 113,
    "unused": 127,
    "elements": 131,
    "generated": 137,
    "operand_elements": 211,
    "macs": 139,
    "flops": 149,
    "elementwise": 151,
    "bit_operations": 269,
    "read_nbytes": 271,
    "written_nbytes": 277,
    "input_nbytes": 157,
    "output_nbytes": 163,
    "load_nbytes": 277,
    "activation_nbytes": 167,
    "peak_activation_nbytes": 173,
}
"""A number of its own for every total, so that none can be taken for another."""
STORED = NBytes(
    parameters=179,
    buffers=181,
    quantization=191,
    constants=193,
    unused=197,
    total=199,
    stored=269,
    overhead=211,
    absent=223,
)
MEANT = {
    **{name: ("count", number, "counts") for name, number in list(COUNTED.items())[:7]},
    "generated": ("count", 137, "generated"),
    "operand_elements": ("count", 211, "operands"),
    "macs": ("count", 139, "macs"),
    "flops": ("count", 149, "macs"),
    "elementwise": ("count", 151, "elementwise"),
    "bit_operations": ("count", 269, "macs"),
    "traffic_nbytes": ("bytes", 271 + 277, "traffic"),
    "input_nbytes": ("bytes", 157, "shapes"),
    "output_nbytes": ("bytes", 163, "shapes"),
    "load_nbytes": ("bytes", 277, "shapes"),
    "activation_nbytes": ("bytes", 167, "activation"),
    "peak_activation_nbytes": ("bytes", 173, "peak"),
    "nbytes": ("bytes", 199, "counts"),
    "parameter_nbytes": ("bytes", 179, "counts"),
    "buffer_nbytes": ("bytes", 181, "counts"),
    "quantization_nbytes": ("bytes", 191, "counts"),
    "constant_nbytes": ("bytes", 193, "counts"),
    "unused_nbytes": ("bytes", 197, "counts"),
    "file_nbytes": ("bytes", 227, "file"),
    "external_nbytes": ("bytes", 229, "file"),
    "disk_nbytes": ("bytes", 271, "file"),
    "nodes": ("count", 233, "counts"),
    "framework_parameters": ("count", 239, "counts"),
    "unknown": ("count", 2, "file"),
    "sparsity": ("share", 10**6 * 7 // COUNTED["parameters"], "counts"),
    "nonzero_macs": ("count", 269, "macs"),
    "latency_p50": ("time", 241, "file"),
    "latency_p90": ("time", 251, "file"),
    "latency_p95": ("time", 257, "file"),
    "latency_p99": ("time", 263, "file"),
    "latency_ratio": ("ratio", 283, "file"),
}
"""Unit, number and what spoils it, of every measure but the one that reads files."""
LATENCY = {"p50": 241, "p90": 251, "p95": 257, "p99": 263, "ratio_least": 277, "ratio_most": 283}


@pytest.fixture(scope="module")
def distinct(fixtures: Path) -> Subject:
    report = graphcount.count(str(fixtures / "mlp_4_5_3.onnx"))
    return Subject(
        replace(
            report,
            model=report.model._replace(
                file_nbytes=227, external_nbytes=229, disk_nbytes=271, node_count=233
            ),
            totals=report.totals._replace(nbytes=STORED, **COUNTED),
            framework=report.framework._replace(parameters=239, exact=True),
            sparsity=SparsityRow(271, 277, COUNTED["parameters"], 7, 269, 281, True, (), ()),
            unknown=(Unknown("a", "cost", "x", "cost"), Unknown("b", "cost", "y", "cost")),
        ),
        LATENCY,
    )


def test_every_measure_reads_its_own_number(distinct: Subject) -> None:
    read = {
        name: (row.unit, row.read(distinct), row.depends_on)
        for name, row in MEASURES.items()
        if name != "compressed_nbytes"
    }
    assert read == MEANT
    assert (MEASURES["compressed_nbytes"].unit, MEASURES["compressed_nbytes"].depends_on) == (
        "bytes",
        "counts",
    )
    assert [(row.name, row.unit) for row in MEASURES.values()] == [
        (name, unit) for name, unit, _ in list_measures()[: len(MEASURES)]
    ]


def test_without_a_benchmark_there_is_no_latency(subject: Subject) -> None:
    assert MEASURES["latency_p50"].read(Subject(subject.report)) is None


def test_what_is_proven_by_halves_is_not_the_frameworks_count(distinct: Subject) -> None:
    guessed = replace(distinct.report, framework=UNKNOWN_FRAMEWORK._replace(parameters=239))
    assert MEASURES["framework_parameters"].read(Subject(guessed)) is None


def row(name: str, kind: str, elements: int, dtype: str, location: str | None = None) -> TensorRow:
    """A tensor of that kind: twice as many bytes as elements, three times as many where it lies."""
    storage = StorageRow("initializer", location, 0)
    sizes = (elements, elements, 2 * elements, 3 * elements)
    return TensorRow(name, dtype, (elements,), *sizes, kind, "", "", None, "", (), storage)


KINDS = ("parameter", "buffer", "quantization", "constant", "unused")
TENSORS = [
    *(row(kind, kind, 2**place, "float16") for place, kind in enumerate(KINDS)),
    row("beside", "parameter", 32, "float32", "w.bin"),
]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("buffers", {"buffer": 2}),
        ("quantization", {"quantization": 4}),
        ("constants", {"constant": 8}),
        ("unused", {"unused": 16}),
        ("elements", {**{kind: 2**place for place, kind in enumerate(KINDS)}, "beside": 32}),
        ("nbytes", {**{kind: 2 * 2**place for place, kind in enumerate(KINDS)}, "beside": 64}),
        ("parameter_nbytes", {"parameter": 2, "beside": 64}),
        ("buffer_nbytes", {"buffer": 4}),
        ("quantization_nbytes", {"quantization": 8}),
        ("constant_nbytes", {"constant": 16}),
        ("unused_nbytes", {"unused": 32}),
        ("file_nbytes", {kind: 3 * 2**place for place, kind in enumerate(KINDS)}),
        ("external_nbytes", {"beside": 96}),
        (
            "disk_nbytes",
            {**{kind: 3 * 2**place for place, kind in enumerate(KINDS)}, "beside": 96},
        ),
        ("nbytes.float32", {"beside": 64}),
        ("elements.float32", {"beside": 32}),
        ("elements.float16", {kind: 2**place for place, kind in enumerate(KINDS)}),
        ("nbytes.int8", {}),
        ("parameters_as_used", {}),
        ("input_nbytes", {}),
        ("latency_p50", {}),
        ("unknown", {"a: cost": 1, "b: cost": 1}),
    ],
)
def test_where_a_measure_lies(distinct: Subject, name: str, parts: dict[str, int]) -> None:
    held = replace(distinct.report, tensors=tuple(TENSORS))
    assert find_measure(name).name == name
    found = dict(find_measure(name).parts(Subject(held)))
    assert {part: number for part, number in found.items() if number} == parts


def test_the_work_lies_in_modules(subject: Subject) -> None:
    """The CNN of fixtures/make.py: outputs of 28x28 and 10x10, kernels of 5x5 and 3x3."""
    macs = {
        "features.0": 5 * 28 * 28 * 3 * 5 * 5,
        "features.3": 12 * 10 * 10 * 5 * 3 * 3,
        "classifier.0": 192 * 128,
        "classifier.2": 128 * 10,
    }
    assert sum(macs.values()) == MEASURES["macs"].read(subject)
    work = MEASURES["elementwise"]
    assert sum(number for _, number in work.parts(subject)) == (work.read(subject) or 0) > 0
    assert all(isinstance(row.about, str) for row in MEASURES.values())
    for name, factor in (("macs", 1), ("flops", 2), ("bit_operations", 32 * 32)):
        found: Counter[str] = Counter()
        for part, number in MEASURES[name].parts(subject):
            found[part] += number
        assert +found == {part: factor * number for part, number in macs.items()}


def test_the_parts_of_a_family(subject: Subject) -> None:
    convolutions = [node.id for node in subject.report.nodes if node.op_type == "Conv"]
    assert list(find_measure("nodes.Conv").parts(subject)) == [(id, 1) for id in convolutions]
    inside = dict(find_measure("parameters.classifier").parts(subject))
    assert {part: number for part, number in inside.items() if number} == {
        "classifier.0": 24_704,
        "classifier.2": 1_290,
    }
    assert dict(MEASURES["nodes"].parts(subject))["Relu"] == 1


def test_what_a_family_says_of_itself() -> None:
    rows = {name: (unit, about) for name, unit, about in list_measures()[len(MEASURES) :]}
    assert {name: unit for name, (unit, _) in rows.items()} == {
        "nbytes.DTYPE": "bytes",
        "elements.DTYPE": "count",
        "nodes.OPERATOR": "count",
        "parameters.MODULE": "count",
    }
    for name, (_, about) in rows.items():
        assert f"{name.partition('.')[0]}." in about


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nbytes.flaot32", "'flaot32' is no dtype; did you mean float32?"),
        ("elements.int9", "'int9' is no dtype; did you mean int"),
        ("elements.zzzzzzzz", "'zzzzzzzz' is no dtype"),
        ("nodes.Covn", "'Covn' is no operator; did you mean Conv?"),
        ("paramters", "'paramters' is no measure; did you mean parameters?"),
        ("peak", "'peak' is no measure; did you mean peak_activation_nbytes?"),
        ("nbytes", None),
        ("nbytes.", "'nbytes.' is no measure; did you mean nbytes?"),
        ("zzz.float32", "'zzz.float32' is no measure; see graphcount check --list-measures"),
        ("", "'' is no measure; see graphcount check --list-measures"),
        ("nodes.com.acme::Conv", None),
        ("nodes.Frobnicate", None),  # like no operator: one's own
        ("nodes.Convo", "'Convo' is no operator; did you mean Conv?"),
        ("parameters.anything.0", None),
    ],
)
def test_what_a_slip_is_told(name: str, said: str | None) -> None:
    if said is None:
        assert find_measure(name).name == name
        return
    with pytest.raises(UsageError) as error:
        find_measure(name)
    assert str(error.value).startswith(said)


def test_what_a_model_has_of_each_family(subject: Subject, save: Save) -> None:
    """Baselines remember these; a graph output that is a tensor itself is no node."""
    present = {prefix: set(family.present(subject)) for prefix, family in FAMILIES.items()}
    assert present == {
        "nbytes": {"float32", "int64"},
        "elements": {"float32", "int64"},
        "nodes": {"AveragePool", "Conv", "Gemm", "MaxPool", "Relu", "Reshape"},
        "parameters": {"features", "classifier"},
    }
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2], [1, 2])
    path = save(
        [helper.make_node("Relu", ["x"], ["y"])], [weight], inputs=["x"], outputs=["y", "w"]
    )
    found = Subject(graphcount.count(path))
    assert set(FAMILIES["nodes"].present(found)) == {"Relu"}
    assert [FAMILIES[prefix].absent for prefix in FAMILIES] == [0, 0, 0, None]


@pytest.fixture
def half_pruned(save: Save) -> str:
    """A product of 12 weights, of which 6 are zero, for 5 rows."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [3, 4], [0.0, 1.0] * 6)
    rows = helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 3])
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    return save([product], [weight], inputs=[rows], outputs=["y"])


@pytest.mark.parametrize(
    ("bound", "demand", "kept"),
    [
        ("min", {"sparsity": "50%"}, True),
        ("min", {"sparsity": "50.0001%"}, False),
        ("max", {"sparsity": "49.9%"}, False),
        ("max", {"nonzero_macs": 30}, True),
        ("max", {"nonzero_macs": 29}, False),
    ],
)
def test_a_pruned_model_is_held_to_its_zeros(
    half_pruned: str, bound: str, demand: dict[str, int | str], kept: bool
) -> None:
    asked: Any = {bound: demand}
    assert graphcount.check(half_pruned, **asked).exit_code == (0 if kept else 1)


def test_a_share_of_zeros_that_is_not_known_breaks_a_limit(save: Save) -> None:
    lost = TensorProto(name="w", data_type=1, dims=[3, 4], data_location=TensorProto.EXTERNAL)
    lost.external_data.add(key="location", value="gone.bin")
    rows = helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 3])
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = save([product], [lost], inputs=[rows], outputs=["y"])
    assert graphcount.check(path, max={"sparsity": "100%"}).exit_code == 1
    assert graphcount.check(path, max={"nonzero_macs": 5 * 12}).exit_code == 0  # no more than all
    assert graphcount.check(path, max={"nonzero_macs": 5 * 12 - 1}).exit_code == 1
    assert graphcount.check(path, min={"nonzero_macs": 1}).exit_code == 1


def test_a_share_needs_its_sign(half_pruned: str) -> None:
    with pytest.raises(ValueError, match="a share like 50%"):
        graphcount.check(half_pruned, min={"sparsity": "50"})
