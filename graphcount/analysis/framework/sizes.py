"""Sizes of declared parameters, and the torch calls that prove them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from graphcount.analysis.framework import fx
from graphcount.analysis.framework.evidence import FX_NODE, RULE_NAME, Evidence
from graphcount.analysis.signature import Signature
from graphcount.graph import OperatorNode

PLAIN_RULES = frozenset(
    {
        *("FuseBatchNormIntoConv", "FuseBatchNormIntoConvTranspose", "FuseBatchNormIntoGemm"),
        *("RemoveOptionalBiasFromConv", "RemoveOptionalBiasFromConvTranspose"),
        *("RemoveOptionalBiasFromGemm", "TransposeTranspose", "ReshapeReshape"),
        *("MaterializeReshapeShape", "FuseMaxMinToClip", "UnsqueezeUnsqueeze", "CastCast"),
    }
)
"""Rewrites of onnxscript that leave each weight with the node of its own call."""


@dataclass
class Sizes:
    """What is known of each declared parameter.

    Attributes:
        proven: Name → elements, as the file states.
        inferred: Name → elements, most likely.
        ties: Name → the declared name it shares its tensor with, proven by a call.
        likely_ties: The same by name and size alone.
        doubts: Why no number can be exact.
    """

    proven: dict[str, int] = field(default_factory=dict)
    inferred: dict[str, int] = field(default_factory=dict)
    ties: dict[str, str] = field(default_factory=dict)
    likely_ties: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def missing(self, signature: Signature) -> list[str]:
        """Declared names without any size."""
        known = (self.proven, self.inferred, self.ties, self.likely_ties)
        return [name for name in signature.parameters if not any(name in part for part in known)]


@dataclass(frozen=True)
class Called:
    """A torch call, the ids of the ONNX nodes made of it, and the module it stands in."""

    call: fx.FxCall
    nodes: tuple[str, ...]
    scope: str
    owner: str
    text: str


def find_calls(evidence: Evidence) -> tuple[Called, ...]:
    """Torch calls that name a parameter, each with all of its ONNX nodes."""
    groups: dict[str, list[OperatorNode]] = defaultdict(list)
    for node in evidence.operators:
        text = node.record.metadata.get(FX_NODE, "")
        if "%p_" in text:
            groups[text].append(node)
    found = []
    for text, nodes in groups.items():
        call = fx.parse(text)
        if call is None:
            continue
        metadata = nodes[0].record.metadata
        scope = fx.scope(metadata.get("pkg.torch.onnx.name_scopes", ""))
        owner = fx.owner_class(metadata.get("pkg.torch.onnx.class_hierarchy", ""))
        found.append(Called(call, tuple(node.id for node in nodes), scope, owner, text))
    return tuple(found)


def is_plain(called: Called, evidence: Evidence) -> bool:
    """Whether only rewrites that keep the place of weights touched the nodes of a call.

    Other rewrites may join weights of several calls under the name of one of them.
    """
    for node in called.nodes:
        record = evidence.graph.nodes[node].record
        text = record.metadata.get(RULE_NAME, "") if record is not None else ""
        if any(rule.strip() not in PLAIN_RULES for rule in text.split(",") if rule.strip()):
            return False
    return True
