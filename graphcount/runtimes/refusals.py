"""What kernels are registered for and refuse when they are made.

Each row is a sentence that onnxruntime itself says when a session is made, in the file named beside
it (onnxruntime/core/providers/cpu). Values of attributes that the specification does not allow, and
no row names, are not decided.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from graphcount.domains import canonical
from graphcount.ops import lookup
from graphcount.ops.operator import Key
from graphcount.runtimes.folding import call_of, record_of
from graphcount.runtimes.records import Refused, Undecided
from graphcount.runtimes.value_types import shape_of

if TYPE_CHECKING:
    from graphcount.loading.model import Node
    from graphcount.runtimes.scope import Placed

RECURRENT: tuple[Key, ...] = (("", "RNN"), ("", "GRU"), ("", "LSTM"))
"""Policy: those whose kernels share rnn_helpers.h."""

RESIZES: tuple[Key, ...] = (("", "Resize"), ("", "Upsample"))
"""Policy: those whose kernels share upsamplebase.h."""

TREES: tuple[Key, ...] = (
    ("ai.onnx.ml", "TreeEnsembleClassifier"),
    ("ai.onnx.ml", "TreeEnsembleRegressor"),
    ("ai.onnx.ml", "LinearClassifier"),
    ("ai.onnx.ml", "LinearRegressor"),
    ("ai.onnx.ml", "SVMClassifier"),
    ("ai.onnx.ml", "SVMRegressor"),
)
"""Policy: those whose kernels share ml_common.h."""

SLIDING: tuple[Key, ...] = (
    ("", "Conv"),
    ("", "ConvTranspose"),
    ("", "ConvInteger"),
    ("", "QLinearConv"),
    ("", "MaxPool"),
    ("", "AveragePool"),
    ("", "LpPool"),
)
"""Policy: those whose kernels read auto_pad by common.h."""

WORDS: tuple[tuple[tuple[Key, ...], str, str], ...] = (
    (SLIDING, "auto_pad", "NOTSET VALID SAME_UPPER SAME_LOWER "),  # common.h
    (RECURRENT, "direction", "forward reverse bidirectional"),  # rnn_helpers.h, rnn.h
    (RESIZES, "mode", "nearest linear cubic"),  # upsamplebase.h
    (
        RESIZES,
        "coordinate_transformation_mode",
        "asymmetric pytorch_half_pixel tf_half_pixel_for_nn align_corners tf_crop_and_resize"
        " half_pixel half_pixel_symmetric",
    ),
    (RESIZES, "nearest_mode", "round_prefer_floor round_prefer_ceil floor ceil simple "),
    (RESIZES, "keep_aspect_ratio_policy", "stretch not_larger not_smaller"),
    ((("", "Pad"),), "mode", "constant reflect edge wrap"),  # padbase.h
    ((("", "BitShift"),), "direction", "LEFT RIGHT"),  # element_wise_ops.cc
    ((("", "DepthToSpace"),), "mode", "DCR CRD"),  # space_depth_ops.h
    ((("", "GridSample"),), "mode", "linear nearest cubic bilinear bicubic"),  # grid_sample.h
    ((("", "GridSample"),), "padding_mode", "zeros border reflection"),
    ((("", "RoiAlign"),), "mode", "avg max"),  # roialign.h
    ((("", "RoiAlign"),), "coordinate_transformation_mode", "half_pixel output_half_pixel"),
    ((("", "TfIdfVectorizer"),), "mode", "TF IDF TFIDF"),  # tfidfvectorizer.cc
    ((("", "TensorScatter"),), "mode", "linear circular"),  # tensorscatter.cc
    ((("", "Cast"),), "round_mode", "up down nearest"),  # cast_op.cc
    (TREES, "post_transform", "NONE LOGISTIC SOFTMAX SOFTMAX_ZERO PROBIT"),  # ml_common.h
)
"""Policy: words that kernels take in a text attribute, by operators and attribute."""

NUMBERS: tuple[tuple[tuple[Key, ...], str, range], ...] = (
    (RECURRENT, "layout", range(1)),  # "Batchwise recurrent operations are not supported"
    ((("", "Mod"),), "fmod", range(2)),  # element_wise_ops.cc
    ((("", "CumSum"), ("", "CumProd")), "exclusive", range(2)),  # cumsum.cc
    ((("", "CumSum"), ("", "CumProd")), "reverse", range(2)),
    ((("", "ReverseSequence"),), "batch_axis", range(-(2**31), 2)),  # reverse_sequence.h
    ((("", "ReverseSequence"),), "time_axis", range(-(2**31), 2)),
    ((("", "LpNormalization"),), "p", range(1, 3)),  # lp_norm.h
    ((("", "NonMaxSuppression"),), "center_point_box", range(2)),  # non_max_suppression.h
    ((("", "MaxPool"),), "storage_order", range(2)),  # pool_attributes.h
    ((("", "Attention"),), "qk_matmul_output_mode", range(4)),  # attention.cc
)
"""Policy: integers that kernels take, by operators and attribute."""


def check_refusals(placed: Placed) -> None:
    """Hold the attributes of a node against what its kernel refuses.

    Raises:
        Stop: It refuses them, or whether it does depends on the machine, or is not known.
    """
    key = canonical(placed.node.domain), placed.node.op_type
    operator = lookup(*key)
    checked = operator is not None and (operator.attribute_check or operator.check)
    if not checked and key not in NAMED:
        return
    node = record_of(placed.node)
    stated = {row.name for row in node.attributes}
    for keys, name, words in WORDS:
        if key in keys and name in stated and node.text(name) not in words.split(" "):
            raise Refused("unsupported", f"{node.op_type} does not take {name} {node.text(name)!r}")
    for keys, name, numbers in NUMBERS:
        if key in keys and name in stated and node.integer(name, 0) not in numbers:
            value = node.integer(name, 0)
            raise Refused("unsupported", f"{node.op_type} does not take {name} {value}")
    for keys, rule in RULES:
        if key in keys:
            rule(placed, node)
    if operator is None:
        return
    why = operator.attribute_check(node) if operator.attribute_check else ""
    if not why and operator.check is not None and key[0]:
        why = operator.check(call_of(placed.node, key[0], placed.scope))
    if why:
        raise Undecided("unsupported", f"{node.op_type}: {why}")


def _hidden_size(placed: Placed, node: Node) -> None:
    """lstm_base.h, deep_cpu_gru.h, rnn.h."""
    least = 0 if node.op_type == "RNN" else 1
    if node.integer("hidden_size", -1) < least:
        raise Refused("unsupported", f"{node.op_type} states no hidden_size")


def _locale(placed: Placed, node: Node) -> None:
    """string_normalizer.cc: "Failed to construct locale with name"."""
    if node.text("case_change_action", "NONE") == "NONE" and node.integer("is_case_sensitive", 0):
        return
    locale = node.text("locale", "en_US")
    raise Undecided("unsupported", f"it needs the locale {locale} on the machine that runs it")


def _saturate(placed: Placed, node: Node) -> None:
    """cast_op.cc: "Attribute saturate is only used for cast to float 8 types"."""
    if not node.integer("saturate", 1) and "float8" not in placed.outputs[0]:
        raise Refused("unsupported", "Cast takes saturate for float8 only")


def _different_axes(placed: Placed, node: Node) -> None:
    """reverse_sequence.h: "time_axis and batch_axis must have different values"."""
    if node.integer("batch_axis", 1) == node.integer("time_axis", 0):
        raise Refused("unsupported", "ReverseSequence has one axis for time and batch")


def _odd(placed: Placed, node: Node) -> None:
    """lrn.h: size_ % 2 == 1."""
    if node.integer("size", 1) % 2 != 1:
        raise Refused("unsupported", "LRN of an even size")


def _padding(placed: Placed, node: Node) -> None:
    """pool_attributes.h: "Pad should be smaller than kernel"."""
    kernel, pads = node.integers("kernel_shape") or (), node.integers("pads") or ()
    if any(pad >= size for pad, size in zip(pads, (*kernel, *kernel), strict=False)):
        raise Refused("unsupported", f"{node.op_type} pads as much as its kernel is wide")


def _one_padding(placed: Placed, node: Node) -> None:
    """conv_attributes.h: "has both 'auto_pad' and 'pads' attributes"."""
    if node.integers("pads") and node.text("auto_pad", "NOTSET") not in ("NOTSET", ""):
        raise Refused("unsupported", f"{node.op_type} has both auto_pad and pads")


def _axis(placed: Placed, node: Node) -> None:
    """contrib_defs.cc: "Unexpected axis value ... rank of first input"."""
    kind = placed.scope.type(node.inputs[0])
    shape = None if kind is None else shape_of(kind)
    axis = node.integer("axis", -1)
    if shape is not None and not -len(shape) <= axis < len(shape):
        raise Refused("shape", f"axis {axis} of {len(shape)} dimensions")


def _pattern(placed: Placed, node: Node) -> None:
    """regex_full_match.cc: "No attribute with name:'pattern' is defined"."""
    if node.attribute("pattern") is None:
        raise Refused("unsupported", "RegexFullMatch has no pattern")


def _packed(placed: Placed, node: Node) -> None:
    """matmul_nbits.cc: "B initializer shape does not match attribute-derived shape"."""
    kind = placed.scope.type(node.inputs[1])
    shape = None if kind is None else shape_of(kind)
    columns, block = node.integer("K", 0), node.integer("block_size", 0)
    if shape is None or block < 1:
        return
    nbytes = block * node.integer("bits", 4) // 8
    if shape != (node.integer("N", 0), -(-columns // block), nbytes):
        raise Undecided("unsupported", f"MatMulNBits of a B of shape {list(shape)}")


RULES: tuple[tuple[tuple[Key, ...], Callable[[Placed, Node], None]], ...] = (
    (RECURRENT, _hidden_size),
    ((("", "StringNormalizer"),), _locale),
    ((("", "Cast"),), _saturate),
    ((("", "ReverseSequence"),), _different_axes),
    ((("", "LRN"),), _odd),
    ((("", "MaxPool"), ("", "AveragePool"), ("", "LpPool")), _padding),
    ((("", "Conv"), ("", "ConvTranspose")), _one_padding),
    ((("", "LayerNormalization"),), _axis),
    ((("", "RegexFullMatch"),), _pattern),
    ((("com.microsoft", "MatMulNBits"),), _packed),
)
"""Policy: the same where several attributes, or shapes, decide."""

NAMED = frozenset(
    key
    for keys in (
        *[row[0] for row in WORDS],
        *[row[0] for row in NUMBERS],
        *[row[0] for row in RULES],
    )
    for key in keys
)
"""Policy: operators of these tables."""
