"""Roles by the names that the definitions of onnx and onnxruntime give to their inputs.

What an input is called is the definition's word for what it is; `NAMES` says which role that word
means. Every input of every definition has to be understood, so none can lack a role.
"""

from __future__ import annotations

import re

from graphcount.ops import lookup
from tests.ops.records.definitions import Definition, definitions, newest

NAMES = """
# Quantization: scales and zero points are called so
LinearAttentionGate | decay_scale | scale
MatMulNBits(Mlp|Qkv) | norm_scale | scale
EngramGate | .*_norm_scale | scale
HyperConnection.* | norm_scale | scale
MatMulBlockQuantized.* | weight_scale_2 | quantization scale
MatMulNBits.* | .*_b|w|lora_[ab] | quantized weight
QOrderedMatMul | b | quantized weight
MatMulNBitsQLoRA | (lora_[ab]_)?scales | quantization scale
MatMulNBits.* | .*_bias | bias
QOrdered.* | scale_.* | quantization scale
QOrderedMatMul | c | operand
.* | .*_zero_points? | zero point
QEmbedLayerNormalization | .*_scale | quantization scale
.* | fc\\d_(act_block_|act_|global_)?scales? | quantization scale
.* | [a-z]+_scales?|scale[aby]|absmax | quantization scale
MatMulNBits|GatherBlockQuantized | scales | quantization scale
.* | zero_points | zero point
QGemm | c | quantized bias
QLinearConv | b | quantized bias
QEmbedLayerNormalization | .*_quant|segment_embedding | quantized weight
QLinearConv|ConvInteger|DynamicQuantizeLSTM | [wr] | quantized weight
MatMulInteger.*|Q(Linear)?(MatMul|Gemm|Add|Mul) | [ab] | quantized weight
MatMul(NBits|Bnb4|FpQ4|Packed|Block.*)|DynamicQuantizeMatMul | b | quantized weight
DequantizeLinear|QLinearWhere | [xy] | quantized weight
GatherBlockQuantized | data | quantized weight
Q(OrderedLongformer)?Attention | (global_)?weight | quantized weight
QMoE | fc\\d_experts_weights | quantized weight
QuantizeWithOrder|DequantizeWithOrder | scale_.* | quantization scale
DequantizeWithOrder | input | quantized weight
DequantizeBFP | x | quantized weight
DequantizeBFP | strides | shape
GatherPacked | data | quantized weight
MoEPacked | .*_experts_weights | quantized weight
MulInteger | [ab] | quantized weight
# Norms
RMSNormRotary | scale | scale
RMSNormRotary | cosine|sine | rotary table
RMSNormRotary | prefill_numerics | scalar
.*Norm(alization)? | gamma|scale | scale
.*Norm(alization)? | beta|b|bias | bias
BatchNormalization | (input_)?mean | running mean
BatchNormalization | (input_)?var | running variance
# What is learned and multiplied, and what is added to it
MoEGroupRouter | projection_weight | weight
MoEGroupRouter | expert_bias | bias
MoEGroupRouter | logits | operand
GatedAdd | gate_weight | weight
LinearAttentionGate | dt_bias | bias
ScaledSiLU | scale | scalar
MurmurHash3 | x | literal
MatMul|.*Gemm|GemmF.*|FusedMatMul.*|.*[est]eMatMul | [abw] | weight
RouterGateUpProj | w | weight
HyperConnectionLowRankMix | .*_weight | weight
GemmFastGelu | x | weight
Einsum | inputs | weight
.*Conv.* | w|weight | weight
.*Conv.* | b|bias | bias
LSTM|GRU|RNN|AttnLSTM | w|[qam]w | weight
AttnLSTM | v | weight
LSTM|GRU|RNN|AttnLSTM | r | recurrent weight
.*LSTM|GRU|RNN | b | bias
.*LSTM | p | peephole weight
.*LSTM|GRU|RNN | initial_[hc] | initial state
.*Attention | (global_)?weights? | weight
.*Attention | (global_)?bias | bias
.*Attention | head_sink | weight
.*Attention.* | ([qk]|query|key)_norm_weight | scale
.*Indexer | cos_cache|sin_cache | rotary table
.*Indexer | position_bias | bias
.*Indexer | gate|head_weights | operand
.*Indexer(Merge)? | .*_(counts|lengths?|status|count) | shape
.*Indexer | past_.* | state
.*Indexer | state_update_active|indexshare_mode | scalar
.*IndexerMerge | range_(starts|ends) | index
.*(Paged|Dynamic.*)Attention | (auxiliary_)?(key|value)(_cache)? | operand state
.*(Paged|Dynamic.*)Attention | cumulative.*|past_seqlens|.*_(counts|lengths?|metadata) | shape
(Sparse)?PagedAttention | block_table|slot_mapping | index
DecoderAttention | (key|value)_cache | state
DecoderAttention | static_kv|use_past|has_.* | scalar
DecoderAttention | (q|kv)_weight | weight
QOrderedAttention | [qkv]_weight | quantized weight
QOrderedAttention | [qkv]_bias | bias
GatedDeltaNet | initial_state | state
GatedDeltaNet | a_log | weight
GatedDeltaNet | dt_bias | bias
GatedDeltaNet | cu_seqlens|capture_count | shape
GatedDeltaNet | state_update_active | scalar
.*Replay | .*_backing | state
Mamba2Verify | .*_state | state
Mamba2Verify | (conv|dt)_bias | bias
Mamba2Verify | conv_weight|a_negative|d | weight
Mamba2Verify | norm_weight | scale
Mamba2Verify | projection | operand
Mamba2Verify | state_row | index
GatedRelativePositionBias | weight|eco_a | weight
.* | fc\\d_experts_weights | weight
.* | fc\\d_experts_bias|query_bias | bias
BiasSoftmax | bias | mask
.* | bias | bias
.*Gemm.* | c | bias
BiasGelu | b | bias
PRelu | slope | slope
# What is looked up, and where
Gather.* | data | embedding
TorchEmbedding | weight | embedding
WordConvEmbedding | c | embedding
.* | .*_embedding|bias_table | embedding
.* | .*indices|position_ids|segment_ids|cache_indirection|g_idx | index
Slice | starts|ends|steps | index
MaxUnpool | i | index
ArrayFeatureExtractor | y | index
WordConvEmbedding | sequence | index
.*EmbedLayerNormalization | input_ids | index
# Attention
.*RotaryEmbedding | cos_cache|sin_cache|emb|[qk](_rot)? | rotary table
.*Attention | (cos|sin)_cache | rotary table
.*Attention|.*CausalConvWithState | (past|initial)(_key|_value|_state)? | state
.*Replay | metadata | shape
.*CausalConvWithState | cumulative_sequence_length|capture_count | shape
.*CausalConvWithState | kernel_delta | operand
.*CausalConvWithState | previous_mask | mask
MaxpoolWithMask | m | mask
.*Attention | attention_bias|attn_mask|mask_index | mask
.*Attention | key_padding_mask|mask|global | mask
Packed.*Attention|GatedRelativePositionBias | token_offset|cumulative_sequence_length | mask
.*Attention | query_seqlens|beam_width|.*_kv_seqlen|seqlens_k|.*sequence_lengths? | shape
# Sizes, axes and numbers on the way
.* | axes|axis | axes
SequenceMap|Scan|Loop | .*_inputs|.*_initial|input_sequence|sequence_lens | state
.* | condition|mask | mask
.* | memory_seq_lens|sequence_lens | shape
ConstantOfShape | input | shape
AffineGrid | size | shape
SplitToSequence | split | operand
.* | .*shape|split|repeats|tiles|sizes|pads|crop_size | shape
Clip | min|max | literal
Resize|Upsample | roi|scales | literal
Pad|OneHot|CastLike|ImageDecoder | (constant_)?value|values|target_type|encoded_stream | literal
String.*|RegexFullMatch|TfIdfVectorizer|Tokenizer | x|y | literal
.*NGramHashMapping | input_ids|segment_ids | index
.*NGramHashMapping | multipliers|vocab_sizes|head_offsets | literal
.*NGramHashMapping | past_.* | state
.*NGramHashMapping | eos_token_id | scalar
.*NGramHashMapping | cumulative_sequence_length|capture_count | shape
RemovePadding | sequence_token_count | shape
RestorePadding | token_offset | index
SpeculativePrefixCommit|BifurcationDetector | .* | operand
Range | start|limit|delta | scalar
TopK|Trilu | k | scalar
Loop | m | scalar
STFT | window | window
.* | cond|size|depth|ratio|training_mode|padding_idx|scale_grad_by_freq | scalar
.* | .*_threshold|max_output_boxes.*|frame_(step|length)|(query|key|dft)_length | scalar
MelWeightMatrix | num_mel_bins|sample_rate|(lower|upper)_edge_hertz | scalar
# What flows
.* | x|input|m | data operand
.* | [abyz]|data(_0)?|inputs?(_data|_ids|_sequence)?|query|key|value | operand
.* | [qkv]|skip|residual|sum|gate|up | operand
HyperConnection.* | streams|p(re|ost)_mix|stream_mix|block_output|prev_.* | operand
.* | boxes|grid|rois|signal|theta|tensor|offset|scores|labels|target|weights? | operand
.* | decay|beta|position|past_cache|updates?|rel_pos|query_layer|router_(probs|weights) | operand
"""
"""Op_types, names of inputs (patterns both) and the role they mean; the first line that fits."""


EITHER = ("data operand", "operand state")
"""Two roles that one name stands for."""


def lines() -> list[tuple[str, str, set[str]]]:
    rows = [line for line in NAMES.strip().splitlines() if not line.startswith("#")]
    split = [row.split(" | ") for row in rows]
    return [
        (op_types, names, set(role.split()) if role in EITHER else {role})
        for op_types, names, role in split
    ]


LINES = lines()


def wanted(op_type: str, name: str) -> int | None:
    """Return which line fits an input."""
    fits = (
        number
        for number, (op_types, names, _) in enumerate(LINES)
        if re.fullmatch(op_types, op_type) and re.fullmatch(names, name)
    )
    return next(fits, None)


OPEN = """
    com.microsoft::BeamSearch com.microsoft::EPContext
    com.microsoft::GreedySearch com.microsoft::Sampling com.microsoft::Snpe
    com.microsoft::WhisperBeamSearch
"""
"""Operators whose inputs have no roles."""


def known() -> list[Definition]:
    """Return definitions of the operators that have roles: all that are not open on purpose."""
    rows = [one for one in definitions() if lookup(*one.key) is not None]
    return [one for one in rows if f"{one.domain}::{one.name}" not in OPEN.split()]


def test_every_input_has_the_role_that_its_name_means() -> None:
    wrong, used = [], set()
    for one in known():
        row = lookup(*one.key)
        assert row is not None
        for index, parameter in enumerate(one.inputs):
            line = wanted(one.name, parameter.name)
            roles = LINES[line][2] if line is not None else set()
            used.add(line)
            if row.role(index) not in roles:
                wrong.append((*one.key, one.since, parameter.name, row.role(index), roles))
        if one.variadic and row.role(len(one.inputs) + 9) != row.role(len(one.inputs) - 1):
            wrong.append((*one.key, one.since, "variadic", row.rest, set()))
    assert not wrong, "\n".join(map(str, wrong))
    assert used == set(range(len(LINES))), [LINES[i] for i in set(range(len(LINES))) - used]


LEARNED = """
coefficients|support_vectors|prob_a | weight
intercepts|rho|prob_b | bias
nodes_values(_as_tensor)?|nodes_splits | threshold
nodes_hitrates(_as_tensor)?|base_values(_as_tensor)? | statistic
(class|target|leaf)_weights(_as_tensor)? | leaf value
offset|scale|imputed_value_(floats|int64s) | statistic
kernel_params|(keys|values|default)_.*|membership_values |
"""
"""Attributes of ai.onnx.ml that hold numbers and what they are; nothing for what is not learned."""


def test_learned_attributes_have_the_roles_that_their_names_mean() -> None:
    """Lists of floats and tensors, and integers that stand for missing values."""
    seen = set()
    for key, one in newest().items():
        row = lookup(*key)
        if row is None or key[0] != "ai.onnx.ml":
            continue
        wanted: dict[str, str] = {}
        for name, kind in one.attributes.items():
            if (kind in ("FLOATS", "TENSOR") and name != "nodes_modes") or "imputed" in name:
                fits = [line for line in LEARNED.strip().splitlines() if _fits(line, name)]
                assert len(fits) == 1, name
                seen.add(fits[0])
                if fits[0].partition(" |")[2]:
                    wanted[name] = fits[0].partition(" | ")[2]
        assert dict(row.attributes) == wanted, key
    assert seen == set(LEARNED.strip().splitlines())


def _fits(line: str, name: str) -> bool:
    return re.fullmatch(line.partition(" |")[0], name) is not None


def test_a_constant_of_a_shape_is_a_literal() -> None:
    """Its `value` is the one element that fills the tensor (Operators.md)."""
    row = lookup("", "ConstantOfShape")
    assert row is not None
    assert row.attributes == {"value": "literal"}


LOOKED_UP = {
    "indices": "data|weight",
    "input_ids": "word_embedding.*",
    "segment_ids": "segment_embedding",
    "position_ids": "position_embedding.*",
    "sequence": "c",
}
"""Names of indices and of the tables whose rows they choose."""


def test_indices_choose_rows_of_the_table_that_goes_with_their_name() -> None:
    """GatherND looks up no rows but elements, by several axes at once."""
    for key, one in newest().items():
        row = lookup(*key)
        if row is None or one.name == "GatherND":
            continue
        names = [parameter.name for parameter in one.inputs]
        pairs = {
            (at, table)
            for at, index in enumerate(names)
            for table, name in enumerate(names)
            if re.fullmatch(LOOKED_UP.get(index, "-"), name)
            and row.role(table) in ("embedding", "quantized weight")
        }
        assert set(row.lookups) == pairs, key
