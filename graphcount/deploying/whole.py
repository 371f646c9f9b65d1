"""One report of a whole deployment, so that pages, budgets and diffs take it as they take a model.

Components are its outermost modules. What is of a pass is the sum of one pass of each component, at
given and assumed sizes; the peak is the largest of one component. A tensor that components surely
share stands in the first of them only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from graphcount.deploying.sharing import SharedTensors
from graphcount.deploying.steps import summed
from graphcount.deploying.totals import largest
from graphcount.errors import Unknown
from graphcount.report.deployment import DeployedFile, Deployment
from graphcount.report.pass_rows import PeakRow, StateRow, StatesRow
from graphcount.report.records import MEASURES, Report, sum_known
from graphcount.report.rows import (
    Dim,
    FileRow,
    ModelInfo,
    NBytes,
    NodeRow,
    PrecisionRow,
    TensorRow,
    Totals,
    UseRow,
    ValueRow,
)

NUMBERS = {
    "macs": "macs",
    "elementwise": "elementwise",
    "traffic": "read_nbytes",
    "activation": "activation_nbytes",
}
"""Measures of a pass, with the total that a component lacks where it is not known."""


class WholePart(NamedTuple):
    """A component that runs.

    Attributes:
        component: Its name.
        report: Its report, in numbers.
        shared: Tensors that a component before it holds, too.
    """

    component: str
    report: Report
    shared: SharedTensors


def whole(deployment: Deployment, parts: Sequence[WholePart]) -> Report:
    """Return the report of a deployment.

    Args:
        deployment: The deployment.
        parts: Its components that run and could be read.
    """
    nodes: list[NodeRow] = []
    tensors: list[TensorRow] = []
    for part in parts:
        nodes += _nodes(part)
        tensors += _tensors(part)
    peaks = [(part.component, part.report.peak) for part in parts]
    return Report(
        model=_model(deployment, parts),
        totals=_totals(deployment, parts, tensors),
        dims=_dims(parts),
        nodes=tuple(nodes),
        tensors=tuple(tensors),
        peak=_peak(peaks),
        states=_states(parts),
        mismatches=tuple(
            row._replace(node=f"{part.component}/{row.node}", value=f"{part.component}/{row.value}")
            for part in parts
            for row in part.report.mismatches
        ),
        unknown=(*deployment.unknown, *_missing(deployment)),
        findings=deployment.findings,
    )


def _missing(deployment: Deployment) -> Iterable[Unknown]:
    """Yield components whose model nobody names; what cannot be read is unknown already."""
    for row in deployment.running:
        if row.model is None:
            yield Unknown(row.label, "model", "nothing says which model it is")


def _tensors(part: WholePart) -> Iterable[TensorRow]:
    prefix = f"{part.component}/"
    for place, row in enumerate(part.report.tensors):
        if place not in part.shared.surely:
            yield row._replace(
                name=f"{prefix}{row.name}",
                owner=None if row.owner is None else f"{prefix}{row.owner}",
                module=_module(part.component, row.module),
                uses=tuple(UseRow(f"{prefix}{use.node}", use.input) for use in row.uses),
            )


def _nodes(part: WholePart) -> Iterable[NodeRow]:
    """Yield nodes, without the tensors that a component before holds."""
    lost: dict[str | None, Counter[str]] = {}
    for place in part.shared.surely:
        tensor = part.report.tensors[place]
        own = lost.setdefault(tensor.owner, Counter())
        own[tensor.kind] += tensor.elements
        own["nbytes"] += tensor.nbytes
    for row in part.report.nodes:
        less = lost.get(row.id, Counter())
        yield row._replace(
            id=f"{part.component}/{row.id}",
            module=_module(part.component, row.module),
            parameters=row.parameters - less["parameter"],
            buffers=row.buffers - less["buffer"],
            nbytes=row.nbytes - less["nbytes"],
        )


def _module(component: str, module: str) -> str:
    return f"{component}.{module}" if module else component


def _peak(peaks: Iterable[tuple[str, PeakRow | None]]) -> PeakRow | None:
    known = [(peak.nbytes, component, peak) for component, peak in peaks if peak is not None]
    if not known:
        return None
    _, component, peak = max(known, key=lambda row: row[0])
    return peak._replace(node=f"{component}/{peak.node}")


def _states(parts: Iterable[WholePart]) -> StatesRow | None:
    """Return the states of all components; a sum with a formula in it is no number, so None."""
    held = [(part.component, part.report.states) for part in parts if part.report.states]
    if not held:
        return None

    def sum_of(column: Iterable[Dim]) -> int | None:
        return summed(number if isinstance(number, int) else None for number in column)

    return StatesRow(
        tuple(_state(component, row) for component, states in held for row in states.rows),
        nbytes=sum_of(states.nbytes for _, states in held),
        nbytes_in=sum_of(states.nbytes_in for _, states in held),
        nbytes_per_sequence=sum_of(states.nbytes_per_sequence for _, states in held),
        nbytes_per_token=sum_of(states.nbytes_per_token for _, states in held),
    )


def _state(component: str, row: StateRow) -> StateRow:
    return row._replace(
        input=f"{component}/{row.input}",
        output=None if row.output is None else f"{component}/{row.output}",
        node=f"{component}/{row.node}" if row.node else "",
    )


def _dims(parts: Iterable[WholePart]) -> dict[str, int]:
    """Return sizes by name; a name with several sizes has that of its component before it."""
    sizes: dict[str, dict[str, int]] = {}
    for part in parts:
        for name, size in part.report.dims.items():
            sizes.setdefault(name, {})[part.component] = size
    dims: dict[str, int] = {}
    for name, rows in sizes.items():
        if len(set(rows.values())) == 1:
            dims[name] = next(iter(rows.values()))
        else:
            dims.update({f"{component}/{name}": size for component, size in rows.items()})
    return dims


def _totals(
    deployment: Deployment, parts: Sequence[WholePart], tensors: Sequence[TensorRow]
) -> Totals:
    """Return the sums; what is of stored tensors is of each of them once.

    It has no formulas: its sums are numbers. Of what `at_least` has no measure for, a sum is known
    where all of it is.
    """
    rows = [part.report.totals for part in parts]
    elements = Counter[str]()
    for tensor in tensors:
        elements[tensor.kind] += tensor.elements
    at_least = _at_least(deployment, rows)
    return Totals(
        parameters=elements["parameter"],
        parameters_as_used=sum(row.parameters_as_used for row in rows),
        buffers=elements["buffer"],
        quantization=elements["quantization"],
        constants=elements["constant"],
        unused=elements["unused"],
        elements=elements.total(),
        stored_elements=sum(tensor.stored_elements for tensor in tensors),
        generated=sum(row.generated for row in rows),
        operand_elements=summed(row.operand_elements for row in rows),
        nbytes=_nbytes(rows, tensors),
        macs=sum_known(row.macs for row in rows),
        flops=sum_known(row.flops for row in rows),
        elementwise=sum_known(row.elementwise for row in rows),
        macs_expression=None,
        elementwise_expression=None,
        activation_expression=None,
        macs_at_most=None,
        elementwise_at_most=None,
        at_least=at_least,
        lower_bound=bool({"parameters", "macs"}.intersection(at_least)),
        input_nbytes=summed(row.input_nbytes for row in rows),
        output_nbytes=summed(row.output_nbytes for row in rows),
        load_nbytes=summed(row.load_nbytes for row in rows),
        activation_nbytes=sum_known(row.activation_nbytes for row in rows),
        peak_activation_nbytes=largest(row.peak_activation_nbytes for row in rows),
        precision=_precision(rows),
        bit_operations=summed(row.bit_operations for row in rows if row.macs),
        read_nbytes=sum_known(row.read_nbytes for row in rows),
        written_nbytes=sum_known(row.written_nbytes for row in rows),
    )


def _nbytes(rows: Sequence[Totals], tensors: Iterable[TensorRow]) -> NBytes:
    """Return bytes of stored tensors, each once."""
    nbytes, stored = Counter[str](), 0
    for tensor in tensors:
        nbytes[tensor.kind] += tensor.nbytes
        stored += tensor.stored_nbytes
    return NBytes(
        parameters=nbytes["parameter"],
        buffers=nbytes["buffer"],
        quantization=nbytes["quantization"],
        constants=nbytes["constant"],
        unused=nbytes["unused"],
        total=nbytes.total(),
        stored=stored,
        overhead=summed(row.nbytes.overhead for row in rows),
        absent=sum(row.nbytes.absent for row in rows),
    )


def _at_least(deployment: Deployment, rows: Sequence[Totals]) -> tuple[str, ...]:
    """Return the measures whose sums lack something."""
    if "parameters" in deployment.totals.at_least:
        return MEASURES
    lacking = {measure for row in rows for measure in row.at_least}
    for measure, name in NUMBERS.items():
        known = [getattr(row, name) is not None for row in rows]
        lacking |= {measure} if any(known) and not all(known) else set()
    return tuple(measure for measure in MEASURES if measure in lacking)


def _precision(rows: Iterable[Totals]) -> tuple[PrecisionRow, ...]:
    """Return MACs by the types that are multiplied, most first."""
    sums: dict[object, PrecisionRow] = {}
    for row in (row for totals in rows for row in totals.precision):
        key = row.operand_types, row.bits
        before = sums.get(key)
        sums[key] = (
            row
            if before is None
            else before._replace(
                nodes=before.nodes + row.nodes,
                macs=sum_known((before.macs, row.macs)),
                macs_expression=None,
                bit_operations=sum_known((before.bit_operations, row.bit_operations)),
            )
        )
    return tuple(sorted(sums.values(), key=lambda row: -(row.macs or 0)))


def _model(deployment: Deployment, parts: Sequence[WholePart]) -> ModelInfo:
    """Return what files it is: models and external data of the components that run, each once."""
    labels = {row.label for row in deployment.running}
    used = [file for file in deployment.files if labels.intersection(file.components)]
    models = _size(file for file in used if file.kind == "model")
    data = [file for file in used if file.kind == "data"]
    infos = [part.report.model for part in parts]
    inputs, outputs = _values(deployment, parts)
    return ModelInfo(
        path=deployment.path,
        format="deployment",
        file_nbytes=models,
        external_nbytes=_size(data),
        referenced_nbytes=sum(info.referenced_nbytes for info in infos),
        disk_nbytes=models + _size(data),
        sha256=None,
        ir_version=max((info.ir_version for info in infos), default=0),
        opset_imports=_opsets(infos),
        producer=", ".join(dict.fromkeys(info.producer for info in infos if info.producer)),
        graph_name=deployment.name,
        inputs=inputs,
        outputs=outputs,
        metadata={},
        node_count=sum(info.node_count for info in infos),
        function_count=sum(info.function_count for info in infos),
        subgraph_count=sum(info.subgraph_count for info in infos),
        side_files=tuple(FileRow(file.path, file.nbytes, None) for file in data),
    )


def _opsets(infos: Iterable[ModelInfo]) -> dict[str, int]:
    """Return the latest opset of each domain."""
    opsets: dict[str, int] = {}
    for info in infos:
        for domain, version in info.opset_imports.items():
            opsets[domain] = max(version, opsets.get(domain, 0))
    return opsets


def _values(
    deployment: Deployment, parts: Iterable[WholePart]
) -> tuple[tuple[ValueRow, ...], tuple[ValueRow, ...]]:
    """Return inputs that no component feeds, and outputs that feed none."""
    fed = {(row.consumer, row.input) for row in deployment.joins}
    feeding = {(row.producer, row.output) for row in deployment.joins}
    inputs: list[ValueRow] = []
    outputs: list[ValueRow] = []
    for name, model in ((part.component, part.report.model) for part in parts):
        inputs += (_value(name, row) for row in model.inputs if (name, row.name) not in fed)
        outputs += (_value(name, row) for row in model.outputs if (name, row.name) not in feeding)
    return tuple(inputs), tuple(outputs)


def _value(component: str, value: ValueRow) -> ValueRow:
    return value._replace(name=f"{component}/{value.name}")


def _size(files: Iterable[DeployedFile]) -> int:
    return sum(file.nbytes or 0 for file in files)
