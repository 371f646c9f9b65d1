"""What names give away: who made a tensor's name up."""

from __future__ import annotations

import re
from typing import Literal

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

GENERATED_PATH = re.compile(
    r"""
      (p2o\.)?helper\.\w+(\.\d+)+           # paddle2onnx: p2o.helper.constant.7
    | p2o\.(pd_op\.)?\w+(\.\d+)+
    | [a-z]\w*_\d+\.tmp_\d+               # results of Paddle; its parameters end in w_0 and b_0
    | (\w+\.)*([Cc]onst(ant)?|[Ll]iteral)s?([._]\d+)*(\.tmp_\d+)?
    """,
    re.VERBOSE,
)
"""Names with dots that exporters make up: they only look like paths of modules."""

LITERAL = re.compile(r"(.*[./])?([Cc]onst(ant)?|[Ll]iteral)([._@]\d+)*")
"""Names that say of a number that it stood in the code: no folding leaves them."""

BUFFER_NAME = re.compile(
    r"(^|[._/])(running_mean|running_var|moving_mean|moving_variance|num_batches_tracked"
    r"|position_ids|token_type_ids|inv_freq|freqs_cis|cos_cached|sin_cached|cos_cache|sin_cache"
    r"|relative_position_index|relative_coords_table|(attn|attention|causal|tgt|src)_mask|mask|tril"
    r"|masked_bias|anchors?|anchor_grid|(pixel|image)_(mean|std)|\w*_buffer"
    r"|stft[._/]\w*basis(_real|_imag)?|(forward|inverse)_basis|mel_(basis|filters?|fb)|mel_scale[._/]fb"
    r"|fbank|filter_?banks?|dct_mat(rix)?|(hann_|hamming_)?window)(_\d+)?$",
    re.IGNORECASE,
)
"""Names frameworks give to state that is not trained."""

BUFFER_ENDS = frozenset(
    {
        *("ean", "var", "nce", "ked", "ids", "req", "cis", "hed", "che", "dex", "ble"),
        *("ask", "ril", "ias", "hor", "ors", "rid", "std", "fer", "sis", "eal", "mag"),
        *("ter", "ers", "_fb", ".fb", "/fb", "ank", "nks", "mat", "rix", "dow"),
    }
)
"""The last three letters of these names, before their number: most names have others."""

LEARNED_SCALAR = re.compile(
    r"([A-Za-z]\w*_)?(scale|gain|gamma|beta|alpha|bias|weight|gate|temperature|tau|slope|shift"
    r"|offset|multiplier)_?\d*",
)
"""Names of scalars that are learned: those beside a literal say what the value is for."""

QUANTIZED_NAME = re.compile(r"(_quantized|(_DQ)?_Q[48])$")
"""Endings quantizers give to the integers made from a tensor (onnxruntime.quantization)."""


def maker(name: str) -> Maker:
    """Return who made a tensor's name up: the author of the network, or a tool."""
    if is_dotted(name) and "__" not in name:
        return "author"
    if GENERATED_PATH.fullmatch(name):
        return "exporter"
    return "exporter" if not name or GENERATED.fullmatch(name) else "author"


def is_dotted(name: str) -> bool:
    """Return whether a name looks like a path of modules (`encoder.layer.0.weight`)."""
    if "." not in name or name.startswith(("onnx::", "/")):
        return False
    return GENERATED_PATH.fullmatch(name) is None


def is_literal(name: str) -> bool:
    """Return whether a name says that a number stood in the code: `p2o.helper.constant.7`."""
    return LITERAL.fullmatch(name) is not None


def is_learned_scalar(name: str) -> bool:
    """Return whether a scalar has the name of one that is learned: `logit_scale`, `alpha`."""
    return LEARNED_SCALAR.fullmatch(name) is not None


def is_buffer(name: str) -> bool:
    """Return whether a name is one that frameworks give to buffers."""
    end = name.rstrip("0123456789").rstrip("_")[-3:].lower()
    if end not in BUFFER_ENDS:  # not worth a regular expression
        return False
    return BUFFER_NAME.search(name) is not None


def original_name(name: str) -> str:
    """Return the name a tensor had before a quantizer renamed it."""
    if not name.endswith(("_quantized", "_Q4", "_Q8")):
        return name
    return QUANTIZED_NAME.sub("", name)
