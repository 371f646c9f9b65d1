"""The count that torch.export's own signature gives: a size for every declared parameter.

The signature names all parameters of the exported module, also those that were tied, merged,
folded or never used. A size comes, in this order, from the initializer of that name, from the
torch call that names it as an argument, from a tie that a call proves, from its sibling, or from
the only tensor of its module that nothing else explains. The last two are inferred.
"""

from __future__ import annotations

from collections import defaultdict

from graphcount.analysis.counts import Row
from graphcount.analysis.framework import fx
from graphcount.analysis.framework.doubts import doubt
from graphcount.analysis.framework.evidence import Evidence
from graphcount.analysis.framework.inferred import by_module, by_sibling, by_tied_name
from graphcount.analysis.framework.roles import size_by_operand, size_by_role
from graphcount.analysis.framework.sizes import Called, Sizes, find_calls, is_plain
from graphcount.analysis.names import original_name
from graphcount.analysis.signature import Signature

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


def size_declared(evidence: Evidence, signature: Signature) -> Sizes:
    """Find a size for every declared parameter."""
    sizes = Sizes()
    own_names(evidence, signature, sizes)
    if sizes.missing(signature):
        calls = find_calls(evidence)
        by_call(evidence, signature, calls, sizes)
        by_proven_tie(signature, calls, sizes)
        if sizes.missing(signature):
            by_sibling(evidence, signature, sizes)
            by_module(evidence, signature, calls, sizes)
            by_tied_name(signature, sizes)
    doubt(evidence, signature, sizes)
    return sizes


def own_names(evidence: Evidence, signature: Signature, sizes: Sizes) -> None:
    """Tensors stored under a declared name; a name changed by a quantizer is no proof."""
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
        name, found = row.stored.name, twins[row.elements]
        digest = evidence.values.digest(row.stored) if found else b""
        if digest is None or None in found:
            sizes.inferred[name] = row.elements
        elif digest in found:
            sizes.likely_ties[name] = found[digest]
        else:
            sizes.proven[name] = row.elements


def by_call(
    evidence: Evidence, signature: Signature, calls: tuple[Called, ...], sizes: Sizes
) -> None:
    """Sizes from the arguments of torch calls; contradictions make a size inferred."""
    names = {placeholder: name for name, placeholder in signature.parameters.items()}
    found: dict[str, set[int]] = defaultdict(set)
    weak: set[str] = set()
    for called in calls:
        given = size_by_role(called, evidence)
        proves = called.call.target.partition(".")[2] in PROVING and is_plain(called, evidence)
        if not given:
            given, proves = size_by_operand(called, evidence), False
        for placeholder, elements in given.items():
            name = names.get(placeholder)
            if name is not None and name not in sizes.proven:
                found[name].add(elements)
                if not proves:
                    weak.add(name)
    for name, elements_seen in found.items():
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
            used = fx.names(called.call.args[position]) if len(called.call.args) > 1 else ()
            other = names.get(used[0]) if len(used) == 1 else None
            if other is not None and other != name and other in sizes.proven:
                sizes.ties[name] = other
