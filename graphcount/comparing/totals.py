"""Totals, groups and facts of two reports, side by side."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence

from graphcount.comparing.rows import ModulePairs
from graphcount.comparing.sizes import Sized
from graphcount.domains import operator_name
from graphcount.report.diff import Amounts, FactRow, GroupRow, TotalRow
from graphcount.report.numbers import NUMBERS
from graphcount.report.records import Report, sum_known
from graphcount.report.rows import OUTPUT, NodeRow, TensorRow
from graphcount.symbolic import TooComplexError
from graphcount.symbolic.text import formula

EXPRESSIONS: dict[str, Callable[[Report], str | None]] = {
    "macs": lambda r: r.totals.macs_expression,
    "elementwise": lambda r: r.totals.elementwise_expression,
    "activation_nbytes": lambda r: r.totals.activation_expression,
}
"""Totals that are formulas where dimensions are dynamic."""


def total_rows(at_sizes: Sized, old: Report, new: Report) -> tuple[TotalRow, ...]:
    """Return every total of both reports.

    Args:
        at_sizes: The reports at the sizes at which they are compared.
        old: The old one, with formulas where dimensions are dynamic.
        new: The new one.
    """
    rows = []
    for name, (unit, read) in NUMBERS.items():
        before, after = read(at_sizes.old), read(at_sizes.new)
        delta = None if before is None or after is None else after - before
        formula_of = EXPRESSIONS.get(name)
        formulas = (formula_of(old), formula_of(new)) if formula_of else (None, None)
        if formula_of is None or (delta is not None and formulas == (None, None)):
            rows.append(TotalRow(name, unit, before, after, delta))
            continue
        first, second = formulas[0] or _text(read(old)), formulas[1] or _text(read(new))
        difference = _minus(first, second)
        rows.append(TotalRow(name, unit, before, after, delta, first, second, difference))
    return tuple(rows)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _minus(old: str | None, new: str | None) -> str | None:
    """Return the formula of the difference; None when one is missing or it grows too long."""
    if old is None or new is None:
        return None
    before, after = formula(old), formula(new)
    if before is None or after is None:
        return None
    try:
        return str(after - before)
    except TooComplexError:
        return None


# ---------------------------------------------------------------------------------------- facts


def fact_rows(old: Report, new: Report) -> tuple[FactRow, ...]:
    """Return what the models state of themselves and differs."""
    before, after = _facts(old), _facts(new)
    return tuple(
        FactRow(name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def _facts(report: Report) -> dict[str, str]:
    model = report.model
    facts = {
        "format": model.format,
        "ir_version": str(model.ir_version),
        "producer": model.producer,
        "graph_name": model.graph_name,
        "dims": json.dumps(report.dims, sort_keys=True) if report.dims else "",
    }
    for domain, version in model.opset_imports.items():
        facts[f"opset {domain or 'ai.onnx'}"] = str(version)
    for label, values in (("input", model.inputs), ("output", model.outputs)):
        for position, value in enumerate(values):
            dims = ", ".join("?" if dim is None else str(dim) for dim in value.shape or ())
            shape = "" if value.shape is None else f" [{dims}]"
            facts[f"{label} {position}"] = f"{value.dtype}{shape}"
            facts[f"{label} {position} name"] = value.name
    for key, text in model.metadata.items():
        facts[f"metadata {key}"] = text
    return {name: text for name, text in facts.items() if text}


# --------------------------------------------------------------------------------------- groups


def _amounts(nodes: Sequence[NodeRow], tensors: Sequence[TensorRow]) -> Amounts:
    """Return the sums of a group."""
    return Amounts(
        nodes=sum(node.op_type != OUTPUT for node in nodes),
        tensors=len(tensors),
        parameters=sum(tensor.elements for tensor in tensors if tensor.kind == "parameter"),
        buffers=sum(tensor.elements for tensor in tensors if tensor.kind == "buffer"),
        elements=sum(tensor.elements for tensor in tensors),
        nbytes=sum(tensor.nbytes for tensor in tensors),
        macs=sum_known(node.macs for node in nodes),
    )


def operator_of(node: NodeRow) -> str:
    """Return `Conv`, or `com.microsoft::QGemm` outside the standard domain."""
    return operator_name(node.domain, node.op_type)


def module_rows(old: Report, new: Report, modules: ModulePairs) -> tuple[GroupRow, ...]:
    """Return modules whose own sums differ, or whose name does."""
    first, second = (_by_node(report, lambda node: node.module) for report in (old, new))
    return _paired(first, second, modules)


def op_type_rows(old: Report, new: Report) -> tuple[GroupRow, ...]:
    """Return operators whose sums differ."""
    return _paired(_by_node(old, operator_of), _by_node(new, operator_of), None)


def tensor_group_rows(
    old: Report, new: Report, label: Callable[[TensorRow], str]
) -> tuple[GroupRow, ...]:
    """Return groups of tensors whose sums differ."""
    first, second = (_by_tensor(report, label) for report in (old, new))
    return _paired(first, second, None)


def _by_tensor(report: Report, label: Callable[[TensorRow], str]) -> dict[str, Amounts]:
    groups: defaultdict[str, list[TensorRow]] = defaultdict(list)
    for tensor in report.tensors:
        groups[label(tensor)].append(tensor)
    return {name: _amounts((), tensors) for name, tensors in groups.items()}


def _by_node(report: Report, label: Callable[[NodeRow], str]) -> dict[str, Amounts]:
    """Return sums over nodes and their tensors; tensors without owner have the empty label."""
    groups: defaultdict[str, tuple[list[NodeRow], list[TensorRow]]]
    groups = defaultdict(lambda: ([], []))
    labels = {}
    for node in report.nodes:
        labels[node.id] = name = label(node)
        groups[name][0].append(node)
    for tensor in report.tensors:
        groups[labels.get(tensor.owner or "", "")][1].append(tensor)
    return {name: _amounts(*rows) for name, rows in groups.items()}


def _paired(
    old: dict[str, Amounts], new: dict[str, Amounts], modules: ModulePairs | None
) -> tuple[GroupRow, ...]:
    """Return rows of both sides, by name or as modules were paired; equal ones are left out."""
    partner = {name: name for name in old if name in new}
    if modules is not None:
        same_name = {name: name for name in partner if _unpaired(name, modules)}
        partner = {**same_name, **modules.to_new}
    taken = {partner[name] for name in old if name in partner}
    rows = []
    for name, sums in old.items():
        other = partner.get(name)
        after = new.get(other) if other is not None else None
        rows.append(_group(name, other if after else None, sums, after))
    rows += [_group(None, name, None, sums) for name, sums in new.items() if name not in taken]
    changed = (row for row in rows if row.old != row.new or row.old_name != row.new_name)
    return tuple(sorted(changed, key=_order))


def _unpaired(name: str, modules: ModulePairs) -> bool:
    return name not in modules.to_new and name not in modules.to_old


def _group(
    old_name: str | None, new_name: str | None, before: Amounts | None, after: Amounts | None
) -> GroupRow:
    nothing = Amounts(0, 0, 0, 0, 0, 0, 0)
    delta = Amounts(
        *(
            None if first is None or second is None else second - first
            for first, second in zip(before or nothing, after or nothing, strict=True)
        )  # type: ignore[arg-type]
    )
    return GroupRow(old_name, new_name, before, after, delta)


def _order(row: GroupRow) -> tuple[object, ...]:
    names = sorted(name for name in (row.old_name, row.new_name) if name is not None)
    return -abs(row.delta.nbytes), -abs(row.delta.nodes), names
