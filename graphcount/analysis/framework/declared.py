"""The count that torch.export's own signature gives: a size for every declared parameter.

The signature names all parameters of the exported module, also those that were tied, merged,
folded or never used. A size comes, in this order, from the initializer of that name, from the
torch call that names it as an argument, or from a tie that a call proves; the rest is inferred.
"""

from __future__ import annotations

from collections import defaultdict

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.calls import (
    Called,
    find_calls,
    is_plain,
    placeholders,
    size_by_operand,
    size_by_role,
)
from graphcount.analysis.framework.evidence import FX_NODE, Evidence, FrameworkCount, listed
from graphcount.analysis.framework.inferred import Sizes, infer
from graphcount.analysis.names import original_name
from graphcount.analysis.signature import Signature
from graphcount.analysis.verdict import LEARNED_ROLES
from graphcount.units import counted

PROVING = frozenset(
    {
        *("linear", "conv1d", "conv2d", "conv3d", "convolution", "embedding"),
        *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
        *("layer_norm", "native_layer_norm", "batch_norm", "_native_batch_norm_legit"),
        *("_native_batch_norm_legit_no_training", "_native_batch_norm_legit_functional"),
        *("lstm", "gru", "rnn_tanh", "rnn_relu"),
    }
)
"""Calls whose definition fixes the sizes of their parameters."""

TORCH_CALLS = {
    "torch.nn.modules.sparse.Embedding": "aten.embedding",
    "torch.nn.modules.linear.Linear": "aten.linear",
}
"""Modules whose forward uses their own weight, and the call it makes."""

COMPLEX = ("complex", "aten.fft", "aten.polar", "aten.view_as_real", "aten.angle")
"""Calls that appear where elements are complex: those are stored as pairs."""


def count_declared(evidence: Evidence, signature: Signature) -> FrameworkCount | None:
    """Return the sum of the sizes of what torch.export declared; None when none of them has any."""
    sizes = size_declared(evidence, signature)
    if not (sizes.proven or sizes.inferred):
        return None
    tied = _tied_by_value(evidence, sizes)
    if tied:
        sizes.doubts.append("A product may share the data of an embedding table.")
    low = max(0, sum(sizes.proven.values()) - tied)
    best = sum(sum(part.values()) for part in (sizes.proven, sizes.inferred, sizes.estimated))
    missing = sizes.missing(signature)
    settled = not (missing or sizes.inferred or sizes.estimated or sizes.likely_ties)
    exact = settled and not sizes.doubts
    declared = f"torch.export declared {counted(len(signature.parameters), 'tensor')} by name"
    whole = f"{declared}, and the file gives the size of each." if exact else f"{declared}."
    reasons = [whole, *_reasons(evidence, sizes, missing)]
    if not exact:
        reasons = [*reasons[1:], whole]
    return FrameworkCount(best, exact, low, low if exact else None, (*reasons, *sizes.doubts))


def _reasons(evidence: Evidence, sizes: Sizes, missing: list[str]) -> list[str]:
    """Say what makes the count differ from the file's, and how sizes were had."""
    reasons = []
    ties = [f"{name[:120]} shares the tensor of {other[:120]}" for name, other in sizes.all_ties]
    if ties:
        reasons.append(f"{listed(ties, 2, 260)}.")
    if sizes.estimated:
        elements = sum(sizes.estimated.values())
        reasons.append(
            f"{elements:,} elements are estimated, of"
            f" {counted(len(sizes.estimated), 'tensor')} not stored whole:"
            f" {listed([*sizes.estimated])}."
        )
    if missing:
        have = "has" if len(missing) == 1 else "have"
        reasons.append(
            f"{counted(len(missing), 'tensor')} that torch.export declared {have} no size in the"
            f" file, counted as none: {listed(missing)}."
        )
    gone = [name for name in sizes.proven if name not in evidence.by_name]
    if gone:
        elements = sum(sizes.proven[name] for name in gone)
        reasons.append(
            f"The exporter folded or merged {counted(len(gone), 'tensor')} ({elements:,} elements):"
            f" {listed(gone)}."
        )
    if sizes.inferred:
        elements = sum(sizes.inferred.values())
        reasons.append(
            f"The sizes of {counted(len(sizes.inferred), 'tensor')} ({elements:,} elements) follow"
            f" from neighbours: {listed([*sizes.inferred])}."
        )
    return reasons


def size_declared(evidence: Evidence, signature: Signature) -> Sizes:
    """Find a size for every declared parameter."""
    sizes = Sizes()
    own_names(evidence, signature, sizes)
    if sizes.missing(signature):
        calls = find_calls(evidence)
        by_call(evidence, signature, calls, sizes)
        by_proven_tie(signature, calls, sizes)
        infer(evidence, signature, calls, sizes)
    doubt(evidence, signature, sizes)
    return sizes


def own_names(evidence: Evidence, signature: Signature, sizes: Sizes) -> None:
    """Size tensors under a declared name; a name changed by a quantizer is no proof."""
    unused: list[Row] = []
    for row in evidence.rows:
        stored = row.stored
        if stored.constant or stored.in_function or stored.in_training:
            continue
        name = stored.name
        if name in signature.parameters and name not in sizes.proven:
            if row.verdict.kind == "unused":
                unused.append(row)
            else:
                sizes.proven[name] = row.elements
        elif original_name(name) in signature.parameters and row.verdict.kind == "parameter":
            sizes.inferred.setdefault(original_name(name), row.elements)
    _unused_names(unused, evidence, sizes)


def _unused_names(unused: list[Row], evidence: Evidence, sizes: Sizes) -> None:
    """A stored tensor that no node reads is a parameter of its own, or the other name of one."""
    twins: dict[int, dict[bytes | None, str]] = defaultdict(dict)
    wanted = {row.elements for row in unused}
    for other in evidence.parameters:
        if other.elements in wanted and other.stored.name in sizes.proven:
            digest = evidence.values.digest(other.stored)
            twins[other.elements].setdefault(digest, other.stored.name)
    for row in unused:
        name, digests = row.stored.name, twins[row.elements]
        digest = evidence.values.digest(row.stored) if digests else b""
        if digest is None or None in digests:
            sizes.inferred[name] = row.elements
        elif digest in digests:
            sizes.likely_ties[name] = digests[digest]
        else:
            sizes.proven[name] = row.elements


def by_call(
    evidence: Evidence, signature: Signature, calls: tuple[Called, ...], sizes: Sizes
) -> None:
    """Take sizes from the arguments of torch calls; contradictions make a size inferred."""
    names = {placeholder: name for name, placeholder in signature.parameters.items()}
    elements_of: dict[str, set[int]] = defaultdict(set)
    weak: set[str] = set()
    for called in calls:
        given = size_by_role(called, evidence)
        proves = called.call.target.partition(".")[2] in PROVING and is_plain(called, evidence)
        if not given:
            given, proves = size_by_operand(called, evidence), False
        for placeholder, elements in given.items():
            name = names.get(placeholder)
            if name is not None and name not in sizes.proven:
                elements_of[name].add(elements)
                if not proves:
                    weak.add(name)
    for name, elements_seen in elements_of.items():
        if len(elements_seen) != 1:
            continue
        target = sizes.inferred if name in weak else sizes.proven
        sizes.inferred.pop(name, None)
        target[name] = next(iter(elements_seen))


def by_proven_tie(signature: Signature, calls: tuple[Called, ...], sizes: Sizes) -> None:
    """A module of torch's own class whose call names another module's weight shares it."""
    names = {placeholder: name for name, placeholder in signature.parameters.items()}
    by_scope: dict[str, list[Called]] = defaultdict(list)
    for called in calls:
        by_scope[called.scope].append(called)
    for name in sizes.missing(signature):
        module, _, attribute = name.rpartition(".")
        for called in by_scope.get(module, ()):
            if attribute != "weight" or TORCH_CALLS.get(called.owner) != called.call.target:
                continue
            position = 0 if called.call.target == "aten.embedding" else 1
            used = placeholders(called.call.args[position]) if len(called.call.args) > 1 else ()
            other = names.get(used[0]) if len(used) == 1 else None
            if other is not None and other != name and other in sizes.proven:
                sizes.ties[name] = other


# ------------------------------------------------------------------------------------ doubts


def doubt(evidence: Evidence, signature: Signature, sizes: Sizes) -> None:
    """Note everything that keeps a sum of proven sizes from being exact."""
    if not signature.complete:
        sizes.doubts.append("The signature is cut off, or names a parameter twice.")
    if evidence.producer != "pytorch":
        sizes.doubts.append(f"{evidence.producer[:80] or 'Another tool'} rewrote the file.")
    if any(row.stored.dtype[:3] in ("int", "uin") for row in evidence.parameters):
        sizes.doubts.append("The weights are quantized, so their sizes are no longer torch's.")
    if any(row.stored.problems for row in evidence.rows):
        sizes.doubts.append("Some tensors contradict what the file says about them.")
    if evidence.model_graph.unknowns:
        sizes.doubts.append("Parts of the graph are undefined.")
    if _is_complex(evidence):
        sizes.doubts.append("Complex numbers are stored as pairs, so sizes may be doubled.")
    if _foreign(evidence, signature):
        sizes.doubts.append("Some weights belong to nodes that torch.export did not make.")
    for name in _pairs(evidence, signature):
        sizes.doubts.append(f"{name[:120]} may hold complex numbers as pairs.")
        break


def _is_complex(evidence: Evidence) -> bool:
    return any(
        word in text
        for node in evidence.operators
        if (text := node.record.metadata.get(FX_NODE, ""))
        for word in COMPLEX
    )


def _foreign(evidence: Evidence, signature: Signature) -> bool:
    """Return whether undeclared parameters are used only by nodes without torch's metadata."""
    for row in evidence.parameters:
        if row.stored.name in signature.parameters or row.stored.constant:
            continue
        nodes = [evidence.graph.nodes[use.node].record for use in row.tensor.uses]
        if not any(node is not None and FX_NODE in node.metadata for node in nodes):
            return True
    return False


def _tied_by_value(evidence: Evidence, sizes: Sizes) -> int:
    """Return elements of products that equal a table of their size, or cannot be compared with it.

    torch.export names one parameter for all uses of a tied one; older versions may not have.
    """
    tied = set(sizes.ties.values())
    weights = [row for row in evidence.parameters if row.verdict.role == "weight"]
    shapes = {tuple(sorted(row.stored.shape)) for row in weights}
    tables: dict[tuple[int, ...], set[bytes | None]] = defaultdict(set)
    for row in evidence.parameters:
        stored, shape = row.stored, tuple(sorted(row.stored.shape))
        is_table = row.verdict.role == "embedding" and len(shape) == 2 and shape in shapes
        if is_table and stored.name not in tied:
            tables[shape].add(evidence.values.digest(stored))
    return sum(
        row.elements
        for row in weights
        if (shape := tuple(sorted(row.stored.shape))) in tables
        and _is_one_of(row, tables[shape], evidence)
    )


def _is_one_of(row: Row, tables: set[bytes | None], evidence: Evidence) -> bool:
    """Return whether a matrix is equal to a table, transposed or not; True when unknown."""
    straight = evidence.values.digest(row.stored)
    turned = evidence.values.digest(row.stored, transposed=True)
    return None in tables or straight is None or straight in tables or turned in tables


def _pairs(evidence: Evidence, signature: Signature) -> list[str]:
    """Return declared tensors with a last dimension of two in no place that tells their shape."""
    return [
        row.stored.name
        for row in evidence.rows
        if row.stored.name in signature.parameters
        and row.stored.shape[-1:] == (2,)
        and not any(use.role in LEARNED_ROLES for use in row.tensor.uses)
    ]
