"""What every text format of a diff says: its headline, its rows, what they mean in words.

Nothing here is escaped; names are as the models have them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from graphcount.domains import operator_name
from graphcount.formats.diff.view import DiffView
from graphcount.formats.sentences import quantity
from graphcount.formats.text import middle
from graphcount.report.diff import (
    RELATIONS,
    Diff,
    GroupRow,
    NodeChange,
    NodeSide,
    TensorChange,
    TensorSide,
    TotalRow,
)
from graphcount.report.rollup import By
from graphcount.report.rows import Dim
from graphcount.symbolic.names import option
from graphcount.units import exact, nbytes

HEADLINE = {
    "parameters": "parameters",
    "framework_parameters": "framework's",
    "buffers": "buffers",
    "quantization": "quantization",
    "constants": "constants",
    "unused": "unused",
    "generated": "generated",
    "operand_elements": "operands",
    "macs": "MACs",
    "elementwise": "element-wise",
    "load_nbytes": "at load",
    "activation_nbytes": "activations",
    "peak_activation_nbytes": "peak",
    "nbytes": "weights",
    "external_nbytes": "external",
    "file_nbytes": "file",
    "nodes": "nodes",
    "tensors": "tensors",
    "functions": "functions",
    "subgraphs": "subgraphs",
    "unknown": "unknown",
}
"""Totals of the headline, in order, and what they are called."""

ALWAYS = frozenset({"parameters", "macs", "nbytes", "file_nbytes", "nodes", "tensors"})
"""Totals that stand in the table even when they did not change."""


class HeadLine(NamedTuple):
    """One total, as text; `change` and `share` are empty when it is the same."""

    label: str
    old: str
    new: str
    change: str
    share: str


def headline(
    diff: Diff, binary: bool = False, room: int = 100
) -> tuple[list[HeadLine], list[tuple[str, str]]]:
    """Return totals as lines of a table, and formulas as label and sentence.

    Args:
        diff: The diff.
        binary: Sizes in KiB, MiB.
        room: Characters in a line; longer formulas are left out where there are numbers, and so
            are those in other dimensions.
    """
    lines, sentences = [], []
    alike = diff.old.assumed.keys() == diff.new.assumed.keys()
    for name, label in HEADLINE.items():
        row = diff.total(name)
        if row.old_expression is not None or row.new_expression is not None:
            text = _formula(row)
            known = row.old is not None and row.new is not None
            telling = alike and row.old_expression != row.new_expression
            if not known or (telling and len(text) <= room):
                sentences.append((label, text))
            if not known:
                continue
        if row.old is None and row.new is None:
            continue
        if row.old == row.new and not (name in ALWAYS and row.old):
            continue
        change, share = "", ""
        if row.delta:
            change = signed(row.delta, row.unit, binary)
            share = percent_of(row.delta, row.old or 0)
        lines.append(HeadLine(label, *_sides(row.old, row.new, row.unit, binary), change, share))
    return lines, sentences


def sizes_sentence(diff: Diff) -> str:
    """Return `sizes assumed: batch 1, sequence 128; --dim batch=N sets one`; empty without any."""
    sizes = {**diff.old.assumed, **diff.new.assumed}
    if not sizes:
        return ""
    words = ", ".join(f"{middle(name, 24)} {size}" for name, size in list(sizes.items())[:8])
    more = f", {len(sizes) - 8:,} more" if len(sizes) > 8 else ""
    return f"sizes assumed: {words}{more}; {option(middle(next(iter(sizes)), 24))} sets one"


def _formula(row: TotalRow) -> str:
    """Return a total in dynamic dimensions."""
    unit = " bytes" if row.unit == "bytes" else ""
    old, new = row.old_expression or "not known", row.new_expression or "not known"
    if old == new:
        return f"{old}{unit}, the same"
    change = row.delta_expression or ""
    if change and not change.startswith("-"):
        change = f"+{change}"
    return f"{old} -> {new}{unit}" + (f" ({change})" if change else "")


def _sides(old: int | None, new: int | None, unit: str, binary: bool) -> tuple[str, str]:
    """Return both numbers, exact where rounding would make them look equal."""
    texts = [amount(number, unit, binary) for number in (old, new)]
    if texts[0] == texts[1] and old != new and old is not None and new is not None:
        texts = [f"{exact(number)}{' B' if unit == 'bytes' else ''}" for number in (old, new)]
    return texts[0], texts[1]


def amount(number: int | None, unit: str, binary: bool = False) -> str:
    """Return a count with all digits, or a size in human units."""
    if number is None:
        return "not known"
    return exact(number) if unit == "count" else nbytes(number, binary)


def signed(number: int | None, unit: str = "count", binary: bool = False) -> str:
    """Return a difference with its sign; empty for none."""
    if not number:
        return ""
    return f"{'+' if number > 0 else '-'}{amount(abs(number), unit, binary)}"


def percent_of(delta: int, old: int) -> str:
    """Return `+3.1%`; empty when there was nothing before. A small change is never 0.0%."""
    if old <= 0 or not delta:
        return ""
    tenths = (2000 * abs(delta) + old) // (2 * old)
    sign = "+" if delta > 0 else "-"
    return f"{sign}{tenths // 10}.{tenths % 10}%" if tenths else "<0.1%"


# -------------------------------------------------------------------------------- choice of rows


Row = TypeVar("Row")


def key_of(row: object, sort: str) -> int:
    """Return the difference that rows are sorted by; 0 when it is not known."""
    return getattr(row.delta, sort, 0) or 0  # type: ignore[attr-defined]


def chosen(rows: Sequence[Row], sort: str, top: int) -> tuple[list[Row], list[Row]]:
    """Return the rows with the largest differences, growers first, and the others.

    What was added or removed and is next to nothing beside the largest difference is left out
    while other rows are: a scale of 4 bytes beside a weight that lost a megabyte.
    """
    largest = max((abs(key_of(row, sort)) for row in rows), default=0)

    def order(row: Row) -> tuple[bool, int]:
        size = abs(key_of(row, sort))
        negligible = size * 1000 < largest and getattr(row, "status", "changed") != "changed"
        return negligible, -size

    ordered = sorted(rows, key=order)
    telling = sum(not order(row)[0] for row in ordered)
    kept = min(top, telling or top)
    if len(ordered) == kept + 1:
        kept += 1  # one row more takes no more room than saying that there is one
    top_rows = sorted(ordered[:kept], key=lambda row: _growers_first(key_of(row, sort)))
    return top_rows, ordered[kept:]


def _growers_first(delta: int) -> tuple[int, int]:
    return (0 if delta > 0 else 1 if delta < 0 else 2), -abs(delta)


def group_rows(diff: Diff, by: By) -> tuple[GroupRow, ...]:
    """Return rows of a grouping."""
    return {
        "module": diff.modules,
        "op_type": diff.op_types,
        "dtype": diff.dtypes,
        "kind": diff.kinds,
    }[by]


def telling_tensors(diff: Diff) -> list[TensorChange]:
    """Return tensors of which more changed than the name."""
    return [row for row in diff.tensors if row.changes != ("renamed",)]


def telling_nodes(diff: Diff) -> list[NodeChange]:
    """Return nodes whose operator or attributes changed."""
    return [row for row in diff.nodes if {"operator", "attributes"} & set(row.changes)]


def same_but_names(rows: Iterable[GroupRow]) -> tuple[list[GroupRow], int]:
    """Return groups whose sums differ, and how many differ in their name only."""
    pairs = list(rows)
    telling = [row for row in pairs if row.old != row.new]
    return telling, len(pairs) - len(telling)


# -------------------------------------------------------------------------------------- in words


def relation_sentence(diff: Diff) -> str:
    """Return how the models relate, and what was compared for it."""
    text = RELATIONS[diff.relation]
    if diff.relation == "structure" and not diff.values_compared:
        text = "same network; weights were not compared (--values does)"
        if any(side.source != "model" for side in (diff.old, diff.new)):
            text = "same network, as far as reports say"
        if diff.nodes or diff.tensors:
            text = text.replace("same network", "same network but for names", 1)
    return text


def summary(rows: Iterable[TensorChange | NodeChange], same: int) -> str:
    """Return `24 added, 8 renamed, 8 retyped, 1 the same`: what changed twice counts twice."""
    counted: Counter[str] = Counter()
    for row in rows:
        counted.update(row.changes or (row.status,))
    parts = [f"{exact(counted[what])} {word}" for what, word in WORDS.items() if counted[what]]
    if same:
        parts.append(f"{exact(same)} the same")
    return ", ".join(parts) or "none"


WORDS = {
    "added": "added",
    "removed": "removed",
    "reshaped": "reshaped",
    "retyped": "retyped",
    "operator": "with another operator",
    "attributes": "with other attributes",
    "rewired": "with other inputs",
    "values": "with other values",
    "kind": "of another kind",
    "moved": "moved",
    "cost": "with other MACs",
    "renamed": "renamed",
}
"""Every change as a predicate, in the order of a summary."""


def what(row: TensorChange | NodeChange) -> str:
    """Return the first word of a row: its status, or the most important change."""
    if not row.changes:
        return row.status
    order = ("reshaped", "retyped", "operator", "attributes", "values", "kind", "moved")
    return next((name for name in order if name in row.changes), row.changes[0])


def name_of(side: TensorSide | NodeSide) -> str:
    """Name of a tensor, id of a node."""
    return side.name if isinstance(side, TensorSide) else side.id


def tensor_details(row: TensorChange) -> str:
    """Describe what a tensor was and is."""
    old, new = row.old, row.new
    if old is None or new is None:
        side = old or new
        assert side is not None
        return f"{side.dtype} {dims(side.shape)} {side.kind}"
    parts = [
        _step(old.dtype, new.dtype, "retyped" in row.changes),
        _step(dims(old.shape), dims(new.shape), "reshaped" in row.changes),
    ]
    if "kind" in row.changes:
        parts.append(_step(f"{old.kind}: {old.role}", f"{new.kind}: {new.role}", True))
    if "values" in row.changes:
        parts.append("other values")
    if "moved" in row.changes:
        parts.append(f"used by {old.owner or 'nothing'} -> {new.owner or 'nothing'}")
    if "renamed" in row.changes and not new.name.startswith(old.name):  # `weight_quantized`
        parts.append(f"was {old.name}")
    return " ".join(parts[:2]) + "".join(f", {part}" for part in parts[2:])


def node_details(row: NodeChange) -> str:
    """Describe what a node was and is."""
    old, new = row.old, row.new
    if old is None or new is None:
        side = old or new
        assert side is not None
        return f"{operator(side)} {shapes(side)}".strip()
    parts = [_step(operator(old), operator(new), "operator" in row.changes)]
    for item in row.attributes:
        parts.append(f"{item.name} {item.old or '(none)'} -> {item.new or '(none)'}")
    if "reshaped" in row.changes:
        parts.append(_step(shapes(old) or "?", shapes(new) or "?", True))
    if "rewired" in row.changes:
        parts.append("other inputs")
    if "moved" in row.changes:
        parts.append(f"module {old.module or '(none)'} -> {new.module or '(none)'}")
    if "cost" in row.changes:
        parts.append(f"MACs {_macs(old)} -> {_macs(new)}")
    if "renamed" in row.changes:
        parts.append(f"was {old.id}")
    return ", ".join(parts)


def _macs(side: NodeSide) -> str:
    if side.macs is not None:
        return quantity(side.macs)
    return side.macs_expression or "not known"


def operator(side: NodeSide) -> str:
    """Return `Conv`, or `com.microsoft::QGemm`."""
    return operator_name(side.domain, side.op_type)


def shapes(side: NodeSide) -> str:
    """Return the shape of the first result."""
    first = side.output_shapes[0] if side.output_shapes else None
    return "" if first is None else dims(first)


def dims(shape: tuple[Dim, ...]) -> str:
    """Return `[batch, 3, ?]`."""
    return f"[{', '.join('?' if dim is None else str(dim) for dim in shape)}]"


def _step(old: str, new: str, changed: bool) -> str:
    return f"{old} -> {new}" if changed else new


def facts(diff: Diff) -> list[str]:
    """Return the differences of producer, versions, inputs, outputs and metadata."""
    return [f"{row.name}: {row.old or '(none)'} -> {row.new or '(none)'}" for row in diff.facts]


def hashes(diff: Diff) -> list[str]:
    """Return the comparison of fingerprints, when there are any."""
    old, new = diff.old.fingerprint, diff.new.fingerprint
    if old is None or new is None:
        return []
    lines = []
    for label in ("architecture", "weights"):
        first, second = getattr(old, label), getattr(new, label)
        if first is None or second is None:
            lines.append(f"{label}: not known, tensor data could not be read")
        elif first == second:
            lines.append(f"{label}: the same, {first[:16]}")
        else:
            lines.append(f"{label}: {first[:16]} -> {second[:16]}")
    return lines


def top_of(view: DiffView, default: int) -> int:
    """Return how many rows to list."""
    return view.top or default
