"""Records of a diff between two reports, in the words of its JSON contract (`diff.schema.json`).

Every field name is a JSON key. `delta` is new minus old; what is null on one side has no delta.
A diff of B and A is the mirror of the diff of A and B: old and new exchanged, deltas negated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from graphcount.report.finding_rows import Finding
from graphcount.report.printable import PrintableResult
from graphcount.report.rows import Dim, FingerprintRow
from graphcount.report.serial import plain
from graphcount.version import __version__

DIFF_SCHEMA = "graphcount.diff/1"

Status = Literal["added", "removed", "changed"]

TENSOR_CHANGES = {
    "renamed": "another name",
    "retyped": "another element type",
    "reshaped": "another shape",
    "moved": "used by another node",
    "kind": "another kind (parameter, buffer, ...)",
    "values": "other values",
}
"""What can change about a tensor that is in both models."""

NODE_CHANGES = {
    "renamed": "another name",
    "operator": "another operator",
    "attributes": "other attributes",
    "rewired": "other inputs",
    "reshaped": "other output shapes",
    "moved": "in another module",
    "cost": "other MACs",
}
"""What can change about a node that is in both models."""

RELATIONS = {
    "identical": "identical",
    "names": "identical but for names, storage or metadata",
    "weights": "same network, other weights",
    "places": "same network, the same weights in other places",
    "graph": "same weights, changed graph",
    "structure": "same network, as far as it was compared",
    "different": "the networks differ",
}
"""How two models relate, in words."""


class SideRow(NamedTuple):
    """One of the two models.

    Attributes:
        source: `model` when the file was read, `report` when a saved report was, `deployment` when
            a folder of models was.
        exact: Nothing is unknown in it.
        assumed: Sizes assumed for its dynamic dimensions, at which its MACs, bytes of activations
            and shapes are compared.
    """

    path: str
    source: str
    file_nbytes: int
    sha256: str | None
    fingerprint: FingerprintRow | None
    producer: str
    opset_imports: dict[str, int]
    dims: dict[str, int]
    node_count: int
    exact: bool
    assumed: dict[str, int]


class TotalRow(NamedTuple):
    """One measure of both models; where dimensions are dynamic at assumed sizes, and as formula."""

    name: str
    unit: str
    old: int | None
    new: int | None
    delta: int | None
    old_expression: str | None = None
    new_expression: str | None = None
    delta_expression: str | None = None


class FactRow(NamedTuple):
    """A property of the whole model that differs; None: only one side has it."""

    name: str
    old: str | None
    new: str | None


class Amounts(NamedTuple):
    """Sums of a group; MACs are None where they are not known."""

    nodes: int
    tensors: int
    parameters: int
    buffers: int
    elements: int
    nbytes: int
    macs: int | None


class GroupRow(NamedTuple):
    """A module, operator, dtype or kind whose sums differ; None: not on that side.

    A group has two names when most of its nodes have another name.
    """

    old_name: str | None
    new_name: str | None
    old: Amounts | None
    new: Amounts | None
    delta: Amounts


class TensorSide(NamedTuple):
    """A tensor in one of the models; `position` is its place in that report's list."""

    position: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    nbytes: int
    kind: str
    role: str
    owner: str | None
    module: str
    sha256: str | None


class NodeSide(NamedTuple):
    """A node in one of the models."""

    id: str
    op_type: str
    domain: str
    module: str
    parameters: int
    nbytes: int
    macs: int | None
    macs_expression: str | None
    output_shapes: tuple[tuple[Dim, ...] | None, ...]


class AttributeRow(NamedTuple):
    """An attribute that differs; None: it is not there."""

    name: str
    old: str | None
    new: str | None


class SizeDelta(NamedTuple):
    """What a tensor or a node adds to the totals: new minus old."""

    parameters: int
    elements: int
    nbytes: int
    macs: int | None


class TensorChange(NamedTuple):
    """A tensor that is not the same in both models.

    Attributes:
        changes: Keys of `TENSOR_CHANGES`; empty when it was added or removed.
        matched_by: `name`, `place` (the same input of matched nodes), `structure` (role, type and
            shape) or `values`; None when it has no partner.
    """

    status: Status
    changes: tuple[str, ...]
    old: TensorSide | None
    new: TensorSide | None
    delta: SizeDelta
    matched_by: str | None


class NodeChange(NamedTuple):
    """A node that is not the same in both models; `changes` are keys of `NODE_CHANGES`.

    Attributes:
        matched_by: `name`, `tensors` (it uses the same ones), `structure`, `neighbours` or `order`.
    """

    status: Status
    changes: tuple[str, ...]
    old: NodeSide | None
    new: NodeSide | None
    delta: SizeDelta
    matched_by: str | None
    attributes: tuple[AttributeRow, ...]


@dataclass(frozen=True, repr=False)
class Diff(PrintableResult):
    """What changed between two models.

    Attributes:
        relation: A key of `RELATIONS`.
        totals: Every measure, changed or not.
        facts: Properties of the whole model that differ.
        modules: Modules by full path, each without what is in modules below it.
        nodes: Nodes that are not the same, largest difference of bytes first.
        tensors: The same for tensors.
        same_nodes: Nodes with no difference.
        same_tensors: Tensors with no difference.
        values_compared: Whether values were compared.
        notes: What could not be compared, and why.
        findings: Limits on growth that were broken.
    """

    old: SideRow
    new: SideRow
    relation: str
    totals: tuple[TotalRow, ...]
    facts: tuple[FactRow, ...]
    modules: tuple[GroupRow, ...]
    op_types: tuple[GroupRow, ...]
    dtypes: tuple[GroupRow, ...]
    kinds: tuple[GroupRow, ...]
    nodes: tuple[NodeChange, ...]
    tensors: tuple[TensorChange, ...]
    same_nodes: int
    same_tensors: int
    values_compared: bool
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether all that was compared is equal; the paths may differ."""
        grown = any(row.delta or row.delta_expression not in (None, "0") for row in self.totals)
        rows = (self.facts, self.modules, self.op_types, self.dtypes, self.kinds)
        return not (grown or any(rows) or self.nodes or self.tensors)

    def total(self, name: str) -> TotalRow:
        """Return the measure of that name.

        Raises:
            KeyError: There is none.
        """
        for row in self.totals:
            if row.name == name:
                return row
        raise KeyError(name)


def diff_dict(diff: Diff) -> dict[str, Any]:
    """Return the diff as the JSON object of the contract."""
    data: dict[str, Any] = {"schema": DIFF_SCHEMA, "graphcount": __version__}
    data.update({item.name: plain(getattr(diff, item.name)) for item in fields(diff)})
    return data


def diff_schema() -> dict[str, Any]:
    """Return the JSON Schema of a diff, as shipped in the package."""
    from importlib import resources

    text = resources.files("graphcount.report").joinpath("diff.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
