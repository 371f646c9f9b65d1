"""Names: who made them up."""

from __future__ import annotations

import pytest

from graphcount.analysis.names import is_buffer, is_dotted, is_literal, maker, original_name


@pytest.mark.parametrize(
    "name",
    [
        "val_12",
        "onnx::Add_7",
        "/x/Constant_output_0",
        "_v_3",
        "embedding_1",
        "linear_1",
        "clamp_min",
        "tmp",
        "reorder_token_2",
        "17",
        "",
    ],
)
def test_exporters_names(name: str) -> None:
    assert maker(name) == "exporter"


@pytest.mark.parametrize(
    "name", ["conv1.weight", "wpe", "A_log", "dense/kernel:0", "conv1_w_0", "logit_scale"]
)
def test_authors_names(name: str) -> None:
    assert maker(name) == "author"


@pytest.mark.parametrize("name", ["bn.running_mean", "a/moving_variance", "x.position_ids"])
def test_buffers(name: str) -> None:
    assert is_buffer(name)


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("a.weight_quantized", "a.weight"),
        ("val_1_Q4", "val_1"),
        ("val_1_DQ_Q4", "val_1"),
        ("a.weight", "a.weight"),
    ],
)
def test_quantizers_endings(name: str, original: str) -> None:
    assert original_name(name) == original


@pytest.mark.parametrize(
    "name",
    [
        *(
            "running_var",
            "bn/moving_mean",
            "num_batches_tracked",
            "token_type_ids_1",
            "rope.inv_freq",
        ),
        *("freqs_cis", "cos_cached", "sin_cache", "attn.relative_position_index", "causal_mask"),
        *("masked_bias", "anchor_grid", "anchors", "head.anchor", "Model.Running_Mean"),
        *("pixel_mean", "x" * 300 + ".pixel_std", "image_mean", "0.tril", "attn.mask"),
        *(
            "model.stft.forward_basis_buffer",
            "stft.cos_basis",
            "stft.basis_imag",
            "head_fbank_2",
            "istft.inverse_basis",
        ),
        *("mel_basis", "frontend.mel_scale.fb", "spectrogram.window", "window", "dct_mat"),
    ],
)
def test_frameworks_names_of_buffers(name: str) -> None:
    assert is_buffer(name)


@pytest.mark.parametrize(
    "name",
    [
        *("weight", "layer_1.weight", "running_mean_x", "xrunning_mean", "anchorage", "ids"),
        *("position_ids_a", "myanchors", "", "_", "inv_freq.weight", "buffer_proj", "fb"),
        *("window_attention.weight", "basis.weight", "mask_token", "filter.weight", "windows"),
    ],
)
def test_names_like_those_of_buffers(name: str) -> None:
    assert not is_buffer(name)


@pytest.mark.parametrize(
    ("name", "made_by", "dotted"),
    [
        ("a.b", "author", True),
        ("a.b__3", "exporter", True),  # tf2onnx numbers what it makes
        ("x.y__3:0", "author", True),
        ("const__3", "exporter", False),
        ("onnx::MatMul_1.5", "author", False),
        ("onnx::a.b_output_0", "exporter", False),
        ("/a/b.c/Constant_output_0", "exporter", False),
        ("onnx::MatMul_12", "exporter", False),
        ("onnx::MatMul_12_quantized", "exporter", False),
        ("gamma", "author", False),
        ("p2o.helper.constant.7", "exporter", False),
        ("helper.constant.7", "exporter", False),
        ("p2o.pd_op.reshape.50.0", "exporter", False),
        ("fill_constant_1.tmp_0", "exporter", False),
        ("block.3.constant", "exporter", False),
        ("layer_norm_43.w_0", "author", True),  # parameters of Paddle
        ("whswish_b_19.w_1", "author", True),
        ("helper.weight", "author", True),
        ("helper.constant_pad.weight", "author", True),
        ("", "exporter", False),
        (".", "author", True),
    ],
)
def test_a_path_of_modules_has_a_dot_and_no_root(name: str, made_by: str, dotted: bool) -> None:
    assert (maker(name), is_dotted(name)) == (made_by, dotted)


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("w_Q8", "w"),
        ("w_DQ_Q8", "w"),
        ("w_Q5", "w_Q5"),
        ("w_quantized_1", "w_quantized_1"),
        ("w_quantized_quantized", "w_quantized"),
        ("_quantized", ""),
    ],
)
def test_only_an_ending_of_a_quantizer_goes(name: str, original: str) -> None:
    assert original_name(name) == original


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ("p2o.helper.constant.7", True),
        ("helper.constant.0", True),
        ("Constant@12", True),
        ("/act/Constant_3", True),
        ("const_fold_opt__51", False),  # a bias that tf2onnx folded
        ("/fc/Constant_output_0", False),
        ("constant.weight", False),
        ("", False),
    ],
)
def test_names_of_literals(name: str, literal: bool) -> None:
    assert is_literal(name) == literal
