"""Versions a model states: missing, impossible, or newer than this program was compared with.

And operators of ONNX's own domains that no version of them has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from graphcount.domains import STANDARD, canonical
from graphcount.errors import Problem
from graphcount.graph import ModelGraph
from graphcount.loading.model import ModelProto
from graphcount.ops import NEWEST_IR, NEWEST_OPSET, lookup
from graphcount.ops.operator import Key
from graphcount.units import counted

NEAR = 10
"""IR versions beyond the newest that some release may really have."""

OWN_DOMAINS = ("", "ai.onnx.ml")
"""Domains whose operators are all known."""

STILL_ACCEPTED = frozenset(
    {
        *("Affine", "ConstantFill", "Crop", "DynamicSlice", "GRUUnit", "GivenTensorFill"),
        *("ImageScaler", "ParametricSoftplus", "Scale", "ScaledTanh", "LoopIndexTensor"),
        *("MemcpyFromHost", "MemcpyToHost", "ATen"),
        *("EfficientNMS_TRT", "DisentangledAttention_TRT", "MultilevelCropAndResize_TRT"),
        *("PyramidROIAlign_TRT", "BatchedNMS_TRT", "BatchedNMSDynamic_TRT"),
    }
)
"""Policy: in the default domain runtimes accept experimental operators of 2018, and their own."""


def version_problems(proto: ModelProto) -> tuple[Problem, ...]:
    """Return what makes counts doubtful: versions missing, impossible or newer than known."""
    problems = []
    if proto.ir_version < 1:
        why = (
            f"IR version {proto.ir_version} does not exist" if proto.ir_version else "no IR version"
        )
        problems.append(Problem("VER001", "ir_version", why))
    if proto.ir_version > NEWEST_IR:
        why = f"IR version {proto.ir_version} is newer than {NEWEST_IR}; new fields are not read"
        near = proto.ir_version <= NEWEST_IR + NEAR
        evidence = {"found": proto.ir_version, "newest": NEWEST_IR, "near": near}
        problems.append(Problem("VER001", "ir_version", why, evidence))
    if not proto.opset_imports and proto.ir_version >= 3:
        problems.append(Problem("VER002", "opset", "no opset is imported: the file may be cut"))
    for domain, version in proto.opset_imports:
        if version < 1:
            why = f"opset {domain or STANDARD} {version} does not exist"
            problems.append(Problem("VER002", "opset", why, {"version": version}))
    for domain, newest in NEWEST_OPSET.items():
        imported = proto.opset(domain)
        if imported is not None and imported > newest:
            name = domain or STANDARD
            why = f"opset {name} {imported} is newer than {newest}; operators may have changed"
            evidence = {"found": imported, "newest": newest}
            problems.append(Problem("VER003", "opset", why, evidence))
    return tuple(problems)


def operator_problems(
    model: ModelProto, model_graph: ModelGraph, explained: Collection[Key] = ()
) -> tuple[Problem, ...]:
    """Return operators that ONNX does not have: nothing tells what they do with tensors.

    Args:
        model: The records.
        model_graph: Their graph.
        explained: Domain and op_type of operators that the user vouches for, by a formula.
    """
    missing = [
        (key, len(nodes))
        for key, nodes in sorted(model_graph.by_operator.items())
        if key[0] in OWN_DOMAINS and lookup(*key) is None and key not in explained
    ]
    return tuple(
        Problem(
            "OPS003",
            "operator",
            no_operator(domain, op_type, count),
        )
        for (domain, op_type), count in missing
        if op_type not in STILL_ACCEPTED
        and (model.opset(domain) or 0) <= NEWEST_OPSET.get(domain, 1 << 30)
    )


def no_operator(domain: str, op_type: str, count: int) -> str:
    """Return the sentence about nodes whose operator their domain does not have."""
    return f"{domain or STANDARD} has no operator {op_type!r} ({counted(count, 'node')})"


def version_notes(proto: ModelProto) -> tuple[Problem, ...]:
    """Return what is wrong with versions although the count does not depend on it."""
    notes = []
    imported = Counter(canonical(name) for name, _ in proto.opset_imports)
    for domain, times in imported.items():
        if times > 1:
            name = domain or STANDARD
            versions = sorted(v for d, v in proto.opset_imports if (d or STANDARD) == name)
            why = f"opset {name} is imported {times} times: {', '.join(map(str, versions))}"
            evidence = {"versions": versions}
            notes.append(Problem("VER004", "opset", why, evidence))
    return tuple(notes)
