"""What must hold for every model, whatever is in it: sums, bytes, names, order."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import onnx
import pytest

import graphcount
from graphcount.dtypes import BY_NAME
from graphcount.report.outline import outline
from graphcount.report.records import Report
from graphcount.report.rollup import BY, groups, total
from graphcount.report.rows import OUTPUT, TensorRow
from graphcount.report.serial import dumps, loads, schema, to_dict

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SHARED = Path(__file__).resolve().parents[2].parent / "shared"

CONTRACT = jsonschema_rs.Draft202012Validator(schema())


def shared_models() -> list[Path]:
    """Every third-party model at hand."""
    return [
        path
        for folder in ("cases", "corpus", "truth/models")
        for path in sorted((SHARED / folder).rglob("*"))
        if path.suffix in (".onnx", ".textproto") and path.is_file()
    ]


def check_sums(report: Report) -> None:
    """Rows sum to totals, in every grouping."""
    totals = report.totals
    for key, kind in (
        ("parameters", "parameter"),
        ("buffers", "buffer"),
        ("quantization", "quantization"),
        ("constants", "constant"),
        ("unused", "unused"),
    ):
        of_kind = [tensor for tensor in report.tensors if tensor.kind == kind]
        assert getattr(totals, key) == sum(tensor.elements for tensor in of_kind)
        assert getattr(totals.nbytes, key) == sum(tensor.nbytes for tensor in of_kind)
    assert totals.elements == sum(tensor.elements for tensor in report.tensors)
    assert totals.elements == sum(row.elements for row in report.dtypes)
    assert totals.nbytes.total == sum(row.nbytes for row in report.dtypes)
    assert totals.parameters == sum(node.parameters for node in report.nodes)
    assert totals.parameters == sum(row.parameters for row in report.op_types)
    assert totals.buffers == sum(node.buffers for node in report.nodes)
    if totals.macs is not None:
        assert totals.macs == sum(node.macs or 0 for node in report.nodes)
        assert totals.flops == 2 * totals.macs
        assert totals.macs == sum(row.macs or 0 for row in report.op_types)
    if totals.elementwise is not None:
        assert totals.elementwise == sum(node.elementwise or 0 for node in report.nodes)
    root = report.modules[0]
    assert (root.name, root.depth) == ("", 0)
    assert (root.parameters, root.nbytes) == (totals.parameters, totals.nbytes.total)
    for by in BY:
        whole = total(groups(report, by), "")
        found = (whole.parameters, whole.buffers, whole.elements, whole.nbytes)
        assert found == (totals.parameters, totals.buffers, totals.elements, totals.nbytes.total)
        if by in ("module", "node", "op_type") and totals.macs is not None:
            assert whole.macs == totals.macs
    for room in (1, 5, 17, None):
        check_outline(report, room)


def check_outline(report: Report, room: int | None) -> None:
    """The outermost rows sum to the totals, and rows of a level to the row they are in."""
    rows = outline(report, room)
    levels = [row.level for row in rows]
    assert room is None or len(rows) <= room + 1
    outermost = [row for row in rows if row.level == 0]
    totals = report.totals
    operators = sum(row.op_type != OUTPUT for row in report.nodes)
    assert sum(row.parameters for row in outermost) == totals.parameters
    assert sum(row.nbytes for row in outermost) == totals.nbytes.total
    assert sum(row.nodes for row in outermost) == operators
    assert totals.macs is None or sum(row.macs or 0 for row in outermost) == totals.macs
    for place, row in enumerate(rows):
        end = next((i for i in range(place + 1, len(rows)) if levels[i] <= row.level), len(rows))
        inside = [other for other in rows[place + 1 : end] if other.level == row.level + 1]
        assert bool(inside) != bool(row.holds) or not row.nodes
        if inside:
            assert sum(other.parameters for other in inside) == row.parameters
            assert sum(other.nbytes for other in inside) == row.nbytes
            assert sum(other.nodes for other in inside) == row.nodes
            assert sum(other.macs or 0 for other in inside) == (row.macs or 0)


def check_moves(report: Report) -> None:
    """What nodes multiply, read and write adds up to the totals."""
    totals = report.totals
    nodes = [node for node in report.nodes if node.op_type != OUTPUT]
    for field in ("read_nbytes", "written_nbytes"):
        total, parts = getattr(totals, field), [getattr(node, field) for node in nodes]
        if total is not None:
            assert total == sum(part for part in parts if part is not None)
            assert None not in parts or "traffic" in totals.at_least
    for node in nodes if totals.macs is not None else ():
        assert (node.operand_types == ()) == (node.macs == 0)
        assert node.bit_operations is None or len(node.operand_types or ()) in (0, 2)
    if totals.macs is not None:
        assert sum(row.macs or 0 for row in totals.precision) == totals.macs
        known = [row.bit_operations for row in totals.precision if row.bit_operations is not None]
        whole = len(known) == len(totals.precision)
        assert totals.bit_operations == (sum(known) if whole else None)


def check_bytes(report: Report) -> None:
    """Stored data and the rest of the file are the file and what is used of external data."""
    nbytes, tensors = report.totals.nbytes, report.tensors
    assert nbytes.stored == sum(tensor.stored_nbytes for tensor in tensors)
    for tensor in tensors:
        bits = BY_NAME[tensor.dtype].bits if tensor.dtype in BY_NAME else 0
        if bits and tensor.storage.where not in ("sparse", "input"):
            assert tensor.nbytes == -(-tensor.stored_elements * bits // 8)
    if nbytes.overhead is None:
        assert report.model.format != "onnx"
        return
    model = report.model
    assert nbytes.stored + nbytes.overhead == model.file_nbytes + model.referenced_nbytes
    if not report.unknown:
        assert nbytes.absent == 0
        assert 0 <= nbytes.overhead <= report.model.file_nbytes


def check_references(report: Report) -> None:
    """Owners and uses name nodes that exist; ids are unique."""
    ids = [node.id for node in report.nodes]
    assert len(ids) == len(set(ids))
    known = set(ids)
    for tensor in report.tensors:
        assert tensor.owner is None or tensor.owner in known
        assert tensor.reason
        assert tensor.kind != "parameter" or tensor.owner is not None or tensor.elements == 0
        assert all(use.node in known or use.node.startswith("output:") for use in tensor.uses)
    at_least = report.totals.at_least
    assert report.totals.lower_bound == ("parameters" in at_least or "macs" in at_least)
    assert not at_least or any(row.affects in ("counts", "cost") for row in report.unknown)
    assert ("parameters" in at_least) == bool(report.doubts)


def check_framework(report: Report) -> None:
    """The framework's number lies between its bounds, and every claim has evidence."""
    framework = report.framework
    if framework.parameters is not None:
        assert framework.low is None or framework.low <= framework.parameters
        assert framework.high is None or framework.parameters <= framework.high
    if framework.exact:
        assert framework.low == framework.parameters == framework.high
        assert framework.evidence


def check_json(report: Report) -> None:
    """The report obeys its schema and survives JSON."""
    text = dumps(to_dict(report))
    CONTRACT.validate(json.loads(text))
    assert loads(text) == report


def check_all(report: Report) -> None:
    check_sums(report)
    check_moves(report)
    check_bytes(report)
    check_references(report)
    check_framework(report)
    check_json(report)


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.onnx")), ids=lambda path: path.stem)
def test_invariants_hold_for_the_fixtures(path: Path) -> None:
    check_all(graphcount.count(str(path)))


@pytest.mark.parametrize("part", range(8))
def test_invariants_hold_for_third_party_models(shared: Path, part: int) -> None:
    checked = 0
    for path in shared_models()[part::8]:
        try:
            report = graphcount.count(str(path))
        except graphcount.GraphcountError:
            continue
        try:
            check_all(report)
        except AssertionError as error:
            raise AssertionError(f"{path}: {error}") from error
        checked += 1
    assert checked > 60


# ------------------------------------------------------------------------------ transformations


def numbers(report: Report) -> tuple[object, ...]:
    """Everything that names have no part in.

    Of a constant with several uses, the role told is the first one's, which is a matter of order.
    """
    nbytes = report.totals.nbytes._replace(stored=0, overhead=0, absent=0)
    totals = report.totals._replace(nbytes=nbytes)
    kinds = sorted(
        (t.kind, t.kind != "constant" and t.role, t.dtype, t.shape, t.elements, t.nbytes)
        for t in report.tensors
    )
    operators = sorted((row.op_type, row.domain, row.nodes) for row in report.op_types)
    return totals, kinds, operators


def rename(model: onnx.ModelProto) -> None:
    """Give every value and node another name of the same making (dotted names stay dotted)."""
    for node in model.graph.node:
        node.name = f"renamed_{node.name}" if node.name else ""
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name:
                    names[index] = f"q.{name}" if "." in name else f"q{name}"
    for values in (model.graph.input, model.graph.output, model.graph.value_info):
        for value in values:
            value.name = f"q.{value.name}" if "." in value.name else f"q{value.name}"
    for tensor in model.graph.initializer:
        tensor.name = f"q.{tensor.name}" if "." in tensor.name else f"q{tensor.name}"


def shuffle(model: onnx.ModelProto) -> None:
    """Put nodes and initializers into another order."""
    order = random.Random(7)
    for rows in (model.graph.node, model.graph.initializer):
        copies = list(rows)
        order.shuffle(copies)
        del rows[:]
        rows.extend(copies)


def rename_activations(model: onnx.ModelProto) -> None:
    """Give every node and every computed value a name that says nothing.

    Stored tensors, inputs and outputs keep theirs: what a name made by the author gives away is
    evidence, and meant to be used.
    """
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    computed: dict[str, str] = {}
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        kept |= {tensor.name for tensor in graph.initializer}
        kept |= {tensor.values.name for tensor in graph.sparse_initializer}
        kept |= {value.name for value in (*graph.input, *graph.output)}
        for node in graph.node:
            node.name = ""
            for name in node.output:
                if node.op_type != "Constant" and name:
                    computed.setdefault(name, f"r{len(computed)}")
                elif name:
                    kept.add(name)
            for attribute in node.attribute:
                graphs.extend([attribute.g] if attribute.HasField("g") else [])
                graphs.extend(attribute.graphs)
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        del graph.value_info[:]
        for node in graph.node:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name in computed and name not in kept:
                        names[index] = computed[name]
            for attribute in node.attribute:
                graphs.extend([attribute.g] if attribute.HasField("g") else [])
                graphs.extend(attribute.graphs)


def _own_name(tensor: TensorRow) -> str:
    """A tensor's name; one in an attribute is called after its node."""
    return "" if tensor.storage.where in ("attribute", "function") else tensor.name


@pytest.mark.parametrize("part", range(4))
def test_names_of_nodes_and_activations_decide_nothing(
    shared: Path, tmp_path: Path, part: int
) -> None:
    wrong, checked = [], 0
    for path in shared_models()[part::4]:
        try:
            before = graphcount.count(str(path), cost=False, deep=False)
            model = onnx.load(path, load_external_data=False)
        except Exception:
            continue  # refused, or a text form: nothing to rename
        if before.model.external_nbytes or model.functions:
            continue
        rename_activations(model)
        target = tmp_path / "renamed.onnx"
        target.write_bytes(model.SerializeToString())
        after = graphcount.count(str(target), cost=False, deep=False)
        checked += 1
        found = [
            [(_own_name(t), t.kind, t.dtype, t.shape, t.elements, t.nbytes) for t in report.tensors]
            for report in (before, after)
        ]
        if found[0] != found[1] and sorted(found[0]) != sorted(found[1]):
            changed = [(a, b) for a, b in zip(*found, strict=True) if a != b]
            wrong.append((path.name, changed[:2]))
    assert wrong == []
    assert checked > 100


PLAIN = ["cnn", "cnn_batchnorm", "mlp_8_16_16_8", "cnn_int8", "behavior_cloning", "lstm_3_2"]


def rewritten(path: Path, folder: Path, change: object) -> Iterator[Report]:
    model = onnx.load(path)
    assert callable(change)
    change(model)
    target = folder / path.name
    target.write_bytes(model.SerializeToString())
    yield graphcount.count(str(target))


@pytest.mark.parametrize("name", PLAIN)
def test_renaming_changes_only_names(tmp_path: Path, name: str) -> None:
    path = FIXTURES / f"{name}.onnx"
    (changed,) = rewritten(path, tmp_path, rename)
    assert numbers(changed) == numbers(graphcount.count(str(path)))


@pytest.mark.parametrize("name", PLAIN)
def test_order_in_the_file_changes_nothing(tmp_path: Path, name: str) -> None:
    path = FIXTURES / f"{name}.onnx"
    (changed,) = rewritten(path, tmp_path, shuffle)
    assert numbers(changed) == numbers(graphcount.count(str(path)))


def test_one_more_initializer_adds_exactly_its_elements(tmp_path: Path) -> None:
    path = FIXTURES / "cnn.onnx"
    before = graphcount.count(str(path)).totals

    def add(model: onnx.ModelProto) -> None:
        extra = onnx.helper.make_tensor("extra", onnx.TensorProto.FLOAT, [3, 7], [0.5] * 21)
        model.graph.initializer.append(extra)

    (changed,) = rewritten(path, tmp_path, add)
    assert changed.totals.elements == before.elements + 21
    assert changed.totals.unused == before.unused + 21
    assert changed.totals.parameters == before.parameters


def test_external_weights_count_as_stored_ones(tmp_path: Path) -> None:
    inside = graphcount.count(str(FIXTURES / "mlp_8_16_16_8.onnx"))
    outside = graphcount.count(str(FIXTURES / "mlp_external.onnx"))
    assert outside.totals.parameters == inside.totals.parameters
    assert outside.totals.nbytes.total == inside.totals.nbytes.total
    assert outside.model.referenced_nbytes == 4 * (8 * 16 + 16 * 16 + 16 * 8)
    assert outside.model.external_nbytes == (FIXTURES / "mlp_external.onnx.data").stat().st_size


@pytest.mark.parametrize("form", ["json", "onnxtxt", "textproto"])
def test_text_forms_hold_the_same_model(tmp_path: Path, form: str) -> None:
    path = FIXTURES / "mlp_4_5_3.onnx"
    target = tmp_path / f"model.{form}"
    onnx.save_model(onnx.load(path), str(target), format=form)
    binary, text = graphcount.count(str(path)), graphcount.count(str(target))
    assert text.model.format == form
    assert text.totals.parameters == binary.totals.parameters == 43
    assert [node.op_type for node in text.nodes] == [node.op_type for node in binary.nodes]


def test_the_path_as_given_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FIXTURES)
    paths = ["mlp_external.onnx", "./mlp_external.onnx", str(FIXTURES / "mlp_external.onnx")]
    reports = [to_dict(graphcount.count(path)) for path in paths]
    for report in reports:
        del report["model"]["path"]
    assert reports[0] == reports[1] == reports[2]
    assert not reports[0]["unknown"]
