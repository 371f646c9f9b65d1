"""What names give away: who made a tensor's name up, and which module a node belongs to.

| trace | who leaves it |
|---|---|
| dotted name of a parameter the node owns (`features.0.weight`) | every torch exporter |
| metadata `pkg.torch.onnx.name_scopes` | torch.onnx with dynamo |
| node name `/encoder/layer.0/attention/MatMul` | torch.onnx, TorchScript |
| node name `model/dense/MatMul` | tf2onnx, Keras |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from graphcount.loading.model import Node

Maker = Literal["author", "exporter"]

GENERATED = re.compile(
    r"""
      \d+                                   # torch.jit value numbers, onnx-simplifier
    | (val|_val|t|tensor|const|constant|value|v|node|x|p|init|initializer)_?\d*
    | .*(^|[/_.:])(Constant|const|Const)(_\d+)?(_output_\d+|:\d+)?
    | .*_output_\d+(_\w+)?
    | onnx::\w+_\d+(_quantized)?
    | _v_\d+
    | ortshared_.*
    | .*_(fusion|fused|folded)_.*
    | (const_fold_opt|const_\w*|Const\w*)__\d+
    | .*__\d+
    | (new_|_inlfunc_)?(reshape|unsqueeze|squeeze|cast|clone|view|expand|to|mul|add|sub|div|slice
      |index|arange|full|zeros|ones|embedding|transpose|permute|cat|stack|rsqrt|pow|sqrt|cos|sin
      |where|select|scalar_tensor|lift_fresh_copy|detach_?|alias|_to_copy|bitwise_and|matmul|exp
      |neg|einsum|repeat|triu|tril|linspace|masked_fill|convert_element_type)
      (_(default|copy|out|as|like|dtype|real|complex|int|float|dims?|[Tt]ensor|[Ss]calar|self|mode
      |start|step|select|put|fill|scatter|backward|bag|interleave|along))*(_\d+)*
    | (linear|clamp(_min|_max)?|tmp|row_result|_?softmax|sigmoid|tanh|relu|gelu|silu|conv\dd|addmm
      |bmm|flip|roll|pad|square|_?log|abs|split|chunk|unbind|getitem|mean|sum|amax|amin|max|min
      |layer_norm|rms_norm|group_norm|reorder(_token)?)(_\d+)?
    """,
    re.VERBOSE,
)
"""Names exporters and optimisers make up for values that had none."""

BUFFER_NAME = re.compile(
    r"(^|[._/])(running_mean|running_var|moving_mean|moving_variance|num_batches_tracked"
    r"|position_ids|token_type_ids|inv_freq|freqs_cis|cos_cached|sin_cached|cos_cache|sin_cache"
    r"|relative_position_index|attn_mask|attention_mask|causal_mask|masked_bias|anchors?|anchor_grid"
    r"|pixel_mean|pixel_std)(_\d+)?$",
    re.IGNORECASE,
)
"""Names frameworks give to state that is not trained."""

LEARNED_SCALAR = re.compile(
    r"([A-Za-z]\w*_)?(scale|gain|gamma|beta|alpha|bias|weight|gate|temperature|tau|slope|shift"
    r"|offset|multiplier)_?\d*",
)
"""Names of scalars that are learned: those beside a literal say what the value is for."""

QUANTIZED_NAME = re.compile(r"(_quantized|(_DQ)?_Q[48])$")
"""Endings quantizers give to the integers made from a tensor (onnxruntime.quantization)."""


def maker(name: str) -> Maker:
    """Return who made a tensor's name up: the author of the network, or a tool."""
    if "." in name and not name.startswith(("onnx::", "/")) and "__" not in name:
        return "author"
    return "exporter" if not name or GENERATED.fullmatch(name) else "author"


def is_dotted(name: str) -> bool:
    """Return whether a name looks like a path of modules (`encoder.layer.0.weight`)."""
    return "." in name and not name.startswith(("onnx::", "/"))


def is_learned_scalar(name: str) -> bool:
    """Return whether a scalar has the name of one that is learned: `logit_scale`, `alpha`."""
    return LEARNED_SCALAR.fullmatch(name) is not None


def is_buffer(name: str) -> bool:
    """Return whether a name is one that frameworks give to buffers."""
    tail = name[-40:]
    if "_" not in tail and "nchor" not in tail:  # most names: not worth a regular expression
        return False
    return BUFFER_NAME.search(name) is not None


def original_name(name: str) -> str:
    """Return the name a tensor had before a quantizer renamed it."""
    if not name.endswith(("_quantized", "_Q4", "_Q8")):
        return name
    return QUANTIZED_NAME.sub("", name)


# ------------------------------------------------------------------------------------ modules

SCOPES = "pkg.torch.onnx.name_scopes"

MAX_DEPTH = 32
"""Deeper paths are cut: a name is untrusted and every prefix of it becomes a row."""

MAX_LENGTH = 1024
"""Longer names are no module paths."""

_NO_STACK = "_empty_nn_module_stack"
"""What torch.export writes for nodes that its own passes inserted."""

_QUOTED = re.compile(r"'([^']*)'")
_TF_WRAPPERS = ("StatefulPartitionedCall", "PartitionedCall", "functional", "model")


class Modules:
    """Finds the module of nodes; paths of parents are remembered, since neighbours share them."""

    def __init__(self) -> None:
        self._parents: dict[str, tuple[str, str]] = {}

    def of(self, node: Node, owned: Sequence[str] = ()) -> str:
        """Return the dotted path of the module a node belongs to; empty when nothing tells.

        Args:
            node: The node.
            owned: Names of the parameters and buffers it owns.
        """
        for name in owned:
            if is_dotted(name):
                return _cut(name.rpartition(".")[0])
        if node.metadata:
            scopes = node.metadata.get(SCOPES)
            if scopes is not None:
                path = [part for part in _QUOTED.findall(scopes) if not part.startswith(_NO_STACK)]
                return _cut(path[-2]) if len(path) > 1 else ""
        name = node.name
        if len(name) > 2 * MAX_LENGTH:
            return ""
        prefix = name.rpartition("/")[0]
        if not prefix:
            return ""
        return self._torchscript(prefix) if prefix[0] == "/" else _cut(_tensorflow(prefix))

    def _torchscript(self, prefix: str) -> str:
        """Return `features.0` of `/features/features.0`: Sequential repeats the path."""
        parent, _, last = prefix.rpartition("/")
        if not parent:
            return _cut(last)
        above = self._parents.get(parent)
        if above is None:
            above = self._parents[parent] = _torchscript(parent[1:])
        head, before = above
        return _cut(head + last if last.startswith(before) else head + before + last)


def _torchscript(prefix: str) -> tuple[str, str]:
    """Return the path of a parent up to its last part, and this part, which a child may repeat.

    Each ends in a dot, as what follows it needs.
    """
    parts: list[str] = []
    for part in prefix.split("/"):
        if parts and part.startswith(f"{parts[-1]}."):
            parts[-1] = part
        else:
            parts.append(part)
    return "".join([f"{part}." for part in parts[:-1]]), f"{parts[-1]}."


def _tensorflow(prefix: str) -> str:
    """Return `dense` of `model_1/dense`: the wrappers around a network are no modules of it."""
    parts = prefix.split("/")
    while parts and re.sub(r"_\d+$", "", parts[0]) in _TF_WRAPPERS:
        del parts[0]
    return ".".join(parts)


def _cut(path: str) -> str:
    """Return a path of bounded length and depth: names are untrusted."""
    if len(path) > MAX_LENGTH:
        return ""
    if path.count(".") < MAX_DEPTH:
        return path
    return ".".join(path.split(".", MAX_DEPTH)[:MAX_DEPTH])
