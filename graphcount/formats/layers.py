"""Layers as the torchinfo package counts them, from the file alone.

Reproduced from torchinfo 1.8 (torchinfo/layer_info.py, torchinfo/model_statistics.py), which people
compare with:

* A *layer* is a module without modules inside that has parameters. Where names tell no modules
  apart, it is an operator that has some, with the additions of its bias.
* mult-adds of a layer: its parameters times batch and positions for convolutions, times steps and
  batch for recurrent layers, times the batch for all others. So biases and the parameters of
  BatchNorm count, products of two activations do not, and a Linear on a sequence counts once a
  batch; where that is less than what graphcount counts, a last line says so.
* Forward/backward pass: 2 x bytes of the outputs of layers. Input: bytes of the inputs. MB = 10^6.
* Buffers are no parameters, and every parameter is trainable.
* A parameter directly in a module with modules inside stands in that module's row; it is no
  layer.

Not reproduced: names of classes (operators stand in their place, a container has its own name); a
tensor that two modules share counts once (torchinfo counts it twice); the size of parameters is
that of all parameters (torchinfo leaves out those directly in containers). Calls of functions
outside of modules (`F.relu`) have no row, as in torchinfo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

from graphcount.errors import UsageError
from graphcount.formats.text import safe
from graphcount.ops import lookup
from graphcount.report.records import Report
from graphcount.report.rollup import has_modules
from graphcount.report.rows import OUTPUT, Dim, NodeRow, TensorRow
from graphcount.symbolic import Expr
from graphcount.symbolic.names import option
from graphcount.symbolic.text import parse

JOINED = frozenset(("Add", "Sub", "Mul", "Div", "Concat", "Where", OUTPUT))
"""Policy: operators that make no layer of their own: they finish one before them (bias, scale)."""

UNSHAPED = frozenset(("Shape", "Size", "Constant", OUTPUT))
"""Policy: operators whose result is not what a module returns."""

_ITEM_NBYTES = {"float16": 2, "bfloat16": 2, "float64": 8, "double": 8}


class Layer(NamedTuple):
    """Operators that torch would call one layer.

    Attributes:
        nodes: The operators of it that use parameters.
        parameters: Parameters it owns: 0 when another layer shows them.
        used: Parameters it multiplies with.
        shape: Shape of its output, or None when that is not known in numbers.
        item_nbytes: Bytes of one number of its output.
        mult_adds: As torchinfo counts them.
    """

    nodes: tuple[NodeRow, ...]
    parameters: int
    used: int
    shape: tuple[int, ...] | None
    item_nbytes: int
    mult_adds: int

    @property
    def nbytes(self) -> int:
        """Bytes of its output."""
        return prod(self.shape) * self.item_nbytes if self.shape is not None else 0


class LayerRow(NamedTuple):
    """A line of the table; `below` counts the parameters of everything in it."""

    label: str
    depth: int
    shape: tuple[Dim, ...] | None
    parameters: int
    below: int
    recursive: bool


class LayerSummary(NamedTuple):
    """What torchinfo says about a model: rows, layers, and the numbers below the table."""

    rows: tuple[LayerRow, ...]
    layers: tuple[Layer, ...]
    parameters: int
    mult_adds: int
    input_nbytes: int
    pass_nbytes: int
    parameter_nbytes: int


def summarize(report: Report) -> LayerSummary:
    """Work the summary out.

    Raises:
        UsageError: A dimension of an input is dynamic.
    """
    _check_inputs(report)
    users = _Users(report)
    pairs = list((_module_rows if has_modules(report) else _operator_rows)(report, users))
    layers = tuple(layer for _, layer in pairs if layer is not None)
    return LayerSummary(
        rows=tuple(row for row, _ in pairs),
        layers=layers,
        parameters=report.totals.parameters,
        mult_adds=sum(layer.mult_adds for layer in layers),
        input_nbytes=report.totals.input_nbytes or 0,
        pass_nbytes=2 * sum(layer.nbytes for layer in layers),
        parameter_nbytes=report.totals.nbytes.parameters,
    )


def _check_inputs(report: Report) -> None:
    """Refuse inputs without a shape of numbers: all sizes of this format are numbers."""
    dynamic: set[str] = set()
    for value in report.model.inputs:
        if value.shape is None or None in value.shape:
            hint = f"--shape {safe(value.name, 60)}=1x3x224x224"
            raise UsageError(
                f"the shape of input {value.name} is not known; give it, e.g. {hint}",
                report.model.path,
            )
        for dim in value.shape:
            if isinstance(dim, str):
                expression = parse(dim)
                dynamic |= expression.symbols() if isinstance(expression, Expr) else {dim}
    if dynamic:
        names = sorted(dynamic)
        hint = " ".join(option(name, 1) for name in names[:4])
        raise UsageError(
            f"torchinfo's sizes need numbers, and {', '.join(names[:4])}"
            f" {'are' if len(names) > 1 else 'is'} dynamic; try {hint}",
            report.model.path,
        )
    if report.totals.input_nbytes is None:
        raise UsageError("torchinfo's sizes need shapes: leave out --no-cost", report.model.path)


class _Users:
    """Parameters by the operators that use them; the owner is one of these."""

    def __init__(self, report: Report) -> None:
        self.op_types = {node.id: node.op_type for node in report.nodes}
        self._of: dict[str, dict[int, TensorRow]] = {}
        for index, tensor in enumerate(report.tensors):
            if tensor.kind == "parameter" and tensor.owner is not None:
                like = self.op_types.get(tensor.owner)
                users = [use.node for use in tensor.uses if self.op_types.get(use.node) == like]
                for node in (tensor.owner, *users):
                    self._of.setdefault(node, {})[index] = tensor

    def of(self, nodes: Sequence[NodeRow]) -> list[TensorRow]:
        """Return parameters that operators use, each once."""
        tensors: dict[int, TensorRow] = {}
        for node in nodes:
            tensors.update(self._of.get(node.id, {}))
        return list(tensors.values())


def _layer(nodes: Sequence[NodeRow], output: tuple[Dim, ...] | None, users: _Users) -> Layer:
    tensors = users.of(nodes)
    used = sum(tensor.elements for tensor in tensors)
    sizes = _numbers(output)
    item = next((_ITEM_NBYTES[t.dtype] for t in tensors if t.dtype in _ITEM_NBYTES), 4)
    return Layer(
        tuple(nodes),
        sum(node.parameters for node in nodes),
        used,
        sizes,
        item,
        used * _times(nodes, sizes, tensors),
    )


def _times(nodes: Sequence[NodeRow], sizes: tuple[int, ...] | None, used: list[TensorRow]) -> int:
    """Return how often torchinfo counts each parameter of a layer as multiplied."""
    first = nodes[0]
    operator = lookup(first.domain, first.op_type)
    if operator is not None and operator.is_recurrent:
        # ONNX: [steps, directions, batch, hidden], or batch first
        own = _numbers(first.output_shapes[0]) if first.output_shapes else None
        stacks = [tensor.shape[0] for tensor in used if len(tensor.shape) == 3]
        if own and own[-1] and stacks and stacks[0]:
            return prod(own) // (own[-1] * stacks[0])
    if not sizes:
        return 0 if sizes is None else 1
    if operator is not None and operator.is_convolution:
        return sizes[0] * prod(sizes[2:])
    return sizes[0]


def _numbers(dims: tuple[Dim, ...] | None) -> tuple[int, ...] | None:
    if dims is None:
        return None
    sizes = tuple(dim for dim in dims if isinstance(dim, int))
    return sizes if len(sizes) == len(dims) else None


def _output(nodes: Sequence[NodeRow]) -> tuple[Dim, ...] | None:
    """Return the shape of what the last of some operators makes."""
    for node in reversed(nodes):
        if node.output_shapes and node.op_type not in UNSHAPED:
            return node.output_shapes[0]
    return None


def _groups(nodes: Sequence[NodeRow], users: _Users) -> tuple[list[list[NodeRow]], list[NodeRow]]:
    """Return operators with parameters by the layer they make, and those that make none."""
    layers: list[list[NodeRow]] = []
    loose: list[NodeRow] = []
    for node in nodes:
        if not users.of([node]):
            continue
        last = layers[-1] if layers else None
        operator = lookup(node.domain, node.op_type)
        recurrent = operator is not None and operator.is_recurrent
        stacked = recurrent and last and last[0].op_type == node.op_type
        finishes = node.op_type in JOINED and last and _output(last) == _output([node])
        if last is not None and (stacked or finishes):
            last.append(node)
        elif node.op_type in JOINED:
            loose.append(node)
        else:
            layers.append([node])
    return layers, loose


RowAndLayer = tuple[LayerRow, Layer | None]


def _operator_rows(report: Report, users: _Users) -> Iterator[RowAndLayer]:
    """Yield a row for each operator with parameters or work, below one for the model."""
    operators = [node for node in report.nodes if node.op_type != OUTPUT]
    layers, loose = _groups(report.nodes, users)
    first = {group[0].id: group for group in layers}
    inside = {node.id for group in layers for node in group[1:]}
    yield _root(report, sum(node.parameters for node in loose)), None
    for node in operators:
        group = first.get(node.id)
        if group is not None:
            yield _layer_row(_layer(group, _output(group), users), 1)
        elif node.id not in inside and (node.macs != 0 or node.elementwise != 0):
            yield LayerRow(node.op_type, 1, _output([node]), 0, 0, False), None


def _module_rows(report: Report, users: _Users) -> Iterator[RowAndLayer]:
    """Yield a row for each module, parents first, and for layers beside modules."""
    direct: dict[str, list[NodeRow]] = {}
    for node in report.nodes:
        direct.setdefault(node.module, []).append(node)
    inside = _inside(direct)
    modules = report.modules
    for position, module in enumerate(modules):
        nodes = direct.get(module.name, [])
        layers, loose = _groups(nodes, users)
        after = modules[position + 1].depth if position + 1 < len(modules) else 0
        weighted = [node for group in layers for node in group] + loose
        if module.depth and after <= module.depth and len(layers) < 2:
            layer = _layer(weighted, _output(nodes), users) if weighted else None
            label = _types(weighted or nodes) or module.name.rpartition(".")[2]
            own = module.parameters
            recursive = layer is not None and not own and bool(layer.used)
            yield LayerRow(label, module.depth, _output(nodes), own, own, recursive), layer
            continue
        left = sum(node.parameters for node in loose)
        if module.depth:
            label = module.name.rpartition(".")[2]
            last = inside[module.name]
            yield LayerRow(label, module.depth, last, left, module.parameters, False), None
        else:
            yield _root(report, left), None
        for group in layers:
            yield _layer_row(_layer(group, _output(group), users), module.depth + 1)


def _inside(direct: dict[str, list[NodeRow]]) -> dict[str, tuple[Dim, ...] | None]:
    """Return what each module returns: the result of the last module in it, or its own."""
    outputs: dict[str, tuple[Dim, ...] | None] = {}
    for path, nodes in direct.items():
        output = _output(nodes)
        while path:
            if output is not None or path not in outputs:
                outputs[path] = output
            path = path.rpartition(".")[0]
    return outputs


def _root(report: Report, left: int) -> LayerRow:
    totals = report.totals
    left += sum(t.elements for t in report.tensors if t.kind == "parameter" and t.owner is None)
    outputs = report.model.outputs
    output = outputs[0].shape if outputs else None
    return LayerRow(report.model.graph_name or "model", 0, output, left, totals.parameters, False)


def _layer_row(layer: Layer, depth: int) -> RowAndLayer:
    own = layer.parameters
    return LayerRow(_types(layer.nodes), depth, layer.shape, own, own, not own), layer


def _types(nodes: Sequence[NodeRow]) -> str:
    """Return `Conv`, `MatMul + Add`; empty when more operators stand together."""
    names = list(dict.fromkeys(node.op_type for node in nodes))
    return " + ".join(names) if len(names) <= 2 else ""
