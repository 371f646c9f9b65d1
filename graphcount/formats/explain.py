"""One node in words: what goes in and out, what it owns, and how its numbers come about."""

from __future__ import annotations

import textwrap
from typing import Any

from graphcount.domains import operator_name
from graphcount.formats.sentences import sizes_words
from graphcount.formats.text import ascii_only, inert, safe, shape
from graphcount.formats.view import DEFAULT_VIEW, View
from graphcount.report.columns import types_words
from graphcount.report.explanation import Explained, Explanation
from graphcount.report.pass_rows import StateRow
from graphcount.report.records import Report
from graphcount.report.rows import NodeRow, TensorRow
from graphcount.report.serial import dumps, plain
from graphcount.units import counted, exact, nbytes

FORMATS = ("text", "json")
EXPLAIN_SCHEMA = "graphcount.explain/1"
DEFAULT_WIDTH = 100
LABEL_WIDTH = 14

NO_WORK = "moves or converts values: no MACs"
ELEMENTWISE = "works on values one by one: no MACs"
NO_FORMULA = "its MACs are not known: no formula for this operator, or a shape it needs is missing"
NOT_ASKED = "not worked out (--cost)"


def formula(node: NodeRow, report: Report) -> str:
    """Return the formula in words; without one, what the operator does to the cost."""
    if node.explain:
        return node.explain
    if report.totals.macs is None and report.totals.macs_expression is None:
        return NOT_ASKED
    if node.macs is None and node.macs_expression is None:
        return NO_FORMULA
    return NO_WORK if node.elementwise == 0 else ELEMENTWISE


# ----------------------------------------------------------------------------------------- text


def render(name: str, explained: Explained, view: View = DEFAULT_VIEW) -> str:
    """Render nodes as JSON, or else as text."""
    if name == "json":
        return to_json(explained)
    text = to_text(explained, view.width)
    return ascii_only(text) if view.ascii else text


def to_text(explained: Explained, width: int | None = None) -> str:
    """Return a block of lines for each node, harmless in a terminal."""
    width = width or DEFAULT_WIDTH
    report = explained.report
    pairs = zip(explained.in_numbers, explained.nodes, strict=True)
    blocks = [_block(report, sized, explanation.node, width) for sized, explanation in pairs]
    if not blocks:
        return "no node owns parameters or has MACs\n"
    if report.assumed is not None:
        blocks.insert(0, f"sizes {safe(sizes_words(report, width - len('sizes ')), None)}")
    if len(explained.nodes) > 1:
        blocks.append("\n".join(_line("together", _together(explained), width)).lstrip())
    return inert("\n\n".join(blocks) + "\n")


def _together(explained: Explained) -> str:
    """Return what the nodes own and do, in one line; a sum that lacks a node is at least that."""
    rows = [row.node for row in explained.in_numbers]
    parameters = counted(sum(row.parameters for row in rows), "parameter")
    macs = [row.macs for row in rows if row.macs is not None]
    least = "" if len(macs) == len(rows) else "at least "
    size = nbytes(sum(row.nbytes for row in rows))
    return f"{counted(len(rows), 'node')}, {parameters}, {size}, MACs {least}{exact(sum(macs))}"


def _block(report: Report, explanation: Explanation, formulas: NodeRow, width: int) -> str:
    """Return the lines of a node.

    Args:
        report: The report.
        explanation: The node, in numbers where sizes were given or assumed.
        formulas: The node with formulas in dynamic dimensions.
        width: Columns of a line.
    """
    node = explanation.node
    operator = operator_name(node.domain, node.op_type)
    lines = [safe(node.id), *_line("operator", safe(operator), width)]
    if node.name and node.name != node.id:
        lines += _line("name", safe(node.name), width)
    lines += _line("module", safe(node.module) or "(none)", width)
    for label, values in (("input", explanation.inputs), ("output", explanation.outputs)):
        for value in values:
            lines += _line(label, f"{safe(value.name)} {shape(value.shape) or '?'}", width)
    for tensor in explanation.tensors:
        lines += _line("owns", _tensor_text(tensor), width)
    if not explanation.tensors:
        lines += _line("owns", "nothing", width)
    for row in _states(report, node):
        lines += _line("state", _state_text(row), width)
    lines += _line("formula", safe(formula(node, report), 2000), width)
    lines += _line("MACs", _macs(node, formulas.macs_expression), width)
    lines += _line("element-wise", _elementwise(node, report), width)
    for label, text in _moves(node, formulas):
        lines += _line(label, text, width)
    return "\n".join(lines)


def _line(label: str, text: str, width: int) -> list[str]:
    """Return a label and its text, wrapped; a name longer than a line is broken."""
    start = f"  {label:<{LABEL_WIDTH}}"
    if text and len(start) + len(text) <= width and text.isprintable():
        return [(start + text).rstrip()]  # nearly all are: wrapping is slow
    indent = " " * len(start)
    lines = textwrap.wrap(
        text, max(40, width), initial_indent=start, subsequent_indent=indent, break_on_hyphens=False
    )
    return lines or [start.rstrip()]


def _tensor_text(tensor: TensorRow) -> str:
    dims = shape(tensor.shape) if tensor.shape else "scalar"
    kind = safe(tensor.kind, 40)
    role = safe(tensor.role, 60)
    return (
        f"{safe(tensor.name)} {safe(tensor.dtype, 40)} {dims}, {exact(tensor.elements)}:"
        f" {kind}, {role} ({safe(tensor.reason, 300)})"
    )


def _states(report: Report, node: NodeRow) -> list[StateRow]:
    """Return the states that a node takes from the step before, or changes."""
    states = report.in_numbers.states
    return [] if states is None else [row for row in states.rows if row.node == node.id]


def _state_text(row: StateRow) -> str:
    """Return where a state comes from, where it goes, and why it is one."""
    output = safe(row.output) if row.output is not None else "nothing that is returned"
    grows = f", {row.step or '?'} a step along axis {row.axis}" if row.axis is not None else ""
    before, after = shape(row.shape), shape(row.output_shape or row.shape)
    where = f"{row.kind} from {safe(row.input)} {before} to {output} {after}"
    return f"{where}{grows}: {safe(row.why, 300)}"


def _macs(node: NodeRow, expression: str | None) -> str:
    formula = safe(node.macs_expression or expression or "", 400)
    if node.macs is not None:
        return f"{exact(node.macs)} at these sizes; {formula}" if formula else exact(node.macs)
    return formula or "not known"


def _moves(node: NodeRow, formulas: NodeRow) -> list[tuple[str, str]]:
    """Return what a node multiplies, and what it reads and writes; nothing without a cost."""
    lines = []
    if node.operand_types != () and (node.macs or node.macs_expression):
        lines.append(("types", types_words(node.operand_types)))
        if node.bit_operations is not None:
            lines.append(("bit ops", exact(node.bit_operations)))
    for label, number, expression in (
        ("reads", node.read_nbytes, node.read_expression or formulas.read_expression),
        ("writes", node.written_nbytes, node.written_expression or formulas.written_expression),
    ):
        formula = safe(f"{expression} bytes" if expression else "", 400)
        if number is not None:
            words = nbytes(number) if number < 1000 else f"{exact(number)} B ({nbytes(number)})"
            lines.append((label, f"{words} at these sizes; {formula}" if formula else words))
        elif formula:
            lines.append((label, formula))
    ratio = node.intensity
    if ratio is not None and node.macs:
        lines.append(("intensity", f"{ratio:,.2f} FLOPs/byte: 2 x MACs / (read + written)"))
    return lines


def _elementwise(node: NodeRow, report: Report) -> str:
    if node.elementwise is not None:
        return exact(node.elementwise)
    if report.totals.elementwise_expression:
        return "no number while dimensions are dynamic (--dim NAME=N)"
    return "not known"


# ----------------------------------------------------------------------------------------- JSON


def to_json(explained: Explained) -> str:
    """Return the explanations as one JSON object, ASCII only."""
    report = explained.report
    whole = {
        "schema": EXPLAIN_SCHEMA,
        "model": report.model.path,
        "dims": report.dims,
        "assumed": report.assumed_sizes,
        "nodes": [
            {
                **_node_dict(report, explanation),
                "assumed": None if report.assumed is None else _costs_dict(sized),
            }
            for sized, explanation in zip(explained.in_numbers, explained.nodes, strict=True)
        ],
    }
    return dumps(whole) + "\n"


def _costs_dict(explanation: Explanation) -> dict[str, Any]:
    """Return what depends on sizes: inputs and outputs, and what a node does, reads and writes."""
    node = explanation.node
    return {
        "inputs": [value._asdict() for value in explanation.inputs],
        "outputs": [value._asdict() for value in explanation.outputs],
        "macs": node.macs,
        "macs_expression": node.macs_expression,
        "elementwise": node.elementwise,
        "operand_types": node.operand_types,
        "bit_operations": node.bit_operations,
        "read_nbytes": node.read_nbytes,
        "read_expression": node.read_expression,
        "written_nbytes": node.written_nbytes,
        "written_expression": node.written_expression,
        "intensity": node.intensity,
    }


def _node_dict(report: Report, explanation: Explanation) -> dict[str, Any]:
    node = explanation.node
    return {
        "id": node.id,
        "name": node.name,
        "op_type": node.op_type,
        "domain": node.domain,
        "module": node.module,
        "parameters": node.parameters,
        "buffers": node.buffers,
        "tensors": [_tensor_dict(tensor) for tensor in explanation.tensors],
        "states": [plain(row) for row in _states(report, node)],
        "explain": formula(node, report),
        **_costs_dict(explanation),
    }


def _tensor_dict(tensor: TensorRow) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": tensor.shape,
        "elements": tensor.elements,
        "kind": tensor.kind,
        "role": tensor.role,
        "reason": tensor.reason,
    }
