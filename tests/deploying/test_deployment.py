"""Deployments: sums against files and closed forms, joins and states against onnxruntime."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import graphcount
from graphcount.deploying.layouts import LAYOUTS
from graphcount.report.deployment import Deployment, VariantRow
from tests.deploying import builders
from tests.deploying.builders import HEADS, LAYERS, VOCABULARY, WIDTH

ENCODER = 8 * WIDTH + 4 * WIDTH * WIDTH
DECODER = 2 * VOCABULARY * WIDTH + LAYERS * 6 * WIDTH * WIDTH
TOKEN_NBYTES = 2 * LAYERS * WIDTH * 4


def on_disk(folder: Path) -> int:
    """Bytes of the files of a folder, each once."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def by_component(made: Deployment) -> dict[str, VariantRow]:
    """Chosen variants by component."""
    return {row.component: row for row in made.components}


def test_whisper_like(tmp_path: Path) -> None:
    made = graphcount.deployment(str(builders.whisper_like(tmp_path)), context=100)
    rows = by_component(made)
    assert list(rows) == ["encoder_model", "decoder_model_merged"]  # as values flow
    assert rows["encoder_model"].parameters == ENCODER
    assert rows["decoder_model_merged"].parameters == DECODER
    assert made.totals.parameters == ENCODER + DECODER
    assert made.totals.disk_nbytes == made.totals.download_nbytes == on_disk(tmp_path)
    assert [(row.output, row.input, row.by) for row in made.joins] == [
        ("last_hidden_state", "encoder_hidden_states", "convention")
    ]
    assert {row.path: row.kind for row in made.files} == {
        "config.json": "configuration",
        "decoder_model_merged.onnx": "model",
        "encoder_model.onnx": "model",
        "tokenizer.json": "side",
    }
    assert made.findings == ()
    assert made.unknown == ()


def decoder_macs(new: int, past: int, encoder: int) -> int:
    """MACs of the tests' decoder, with cross attention, for `new` tokens after `past`."""
    own = new * 4 * WIDTH * WIDTH  # queries, keys, values; queries of cross attention
    cross = 2 * encoder * WIDTH * WIDTH
    attention = 2 * new * (past + new) * WIDTH + 2 * new * encoder * WIDTH
    return LAYERS * (own + cross + attention) + new * WIDTH * VOCABULARY


def test_steps_of_a_decoder(tmp_path: Path) -> None:
    folder = builders.whisper_like(tmp_path)
    dims = {"encoder_sequence_length": 50}
    made = graphcount.deployment(str(folder), context=100, dims=dims)
    prefill, generate = made.steps
    assert (prefill.name, prefill.tokens) == ("prefill", 100)
    assert prefill.macs == decoder_macs(100, 0, 50)
    assert prefill.macs_per_token == -(-decoder_macs(100, 0, 50) // 100)
    assert (generate.name, generate.tokens) == ("generate", 1)
    assert generate.macs == generate.macs_per_token == decoder_macs(1, 100, 50)
    weights = by_component(made)["decoder_model_merged"].nbytes
    assert weights is not None
    row = 4 * WIDTH  # of the table of embeddings; all rows are read where tokens are as many
    assert generate.weight_nbytes == weights - (VOCABULARY - 1) * row
    assert generate.nbytes_per_token == generate.weight_nbytes + 100 * TOKEN_NBYTES
    assert prefill.weight_nbytes == weights
    assert prefill.nbytes_per_token == -(-weights // 100)


def test_states_are_the_tensors_that_onnxruntime_returns(tmp_path: Path) -> None:
    folder = builders.whisper_like(tmp_path)
    session = onnxruntime.InferenceSession(str(folder / "decoder_model_merged.onnx"))
    for length in (7, 31):
        past = np.zeros((1, HEADS, length - 1, WIDTH // HEADS), np.float32)
        feed = {
            "input_ids": np.zeros((1, 1), np.int64),
            "encoder_hidden_states": np.zeros((1, 5, WIDTH), np.float32),
            **{
                f"past_key_values.{layer}.{word}": past
                for layer in range(LAYERS)
                for word in ("key", "value")
            },
        }
        presents = session.run(None, feed)[1:]
        (row,) = graphcount.deployment(str(folder), context=length).states
        assert row.nbytes == sum(array.nbytes for array in presents)
        assert set(row.inputs) == {name for name in feed if name.startswith("past")}


def test_states_of_every_kind(shared: Path, tmp_path: Path) -> None:
    """Keys and values that grow, and states of one size: 4·(16·past + 152) bytes are taken in."""
    name = "hybrid_states.onnx"
    (tmp_path / name).write_bytes((shared / "field" / "models" / name).read_bytes())
    made = graphcount.deployment(str(tmp_path), context=1000)
    assert {row.kind: (row.nbytes_per_token, row.nbytes) for row in made.states} == {
        "keys-values": (64, 64_000),
        "convolution": (0, 4 * 24),
        "ssm": (0, 4 * 128),
    }
    assert made.totals.state_nbytes == 4 * (16 * 1000 + 152)


def test_a_merged_decoder_takes_the_place_of_two(tmp_path: Path) -> None:
    folder = builders.merged(tmp_path)
    made = graphcount.deployment(str(folder))
    assert {row.component for row in made.running} == {"encoder_model", "decoder_model_merged"}
    assert {row.label for row in made.variants if not (row.chosen and row.used)} == {
        "decoder_model", "decoder_with_past_model", "decoder_model_merged/fp16"
    }  # fmt: skip
    assert made.totals.parameters == ENCODER + DECODER
    needed = ("encoder_model.onnx", "decoder_model_merged.onnx")
    sizes = sum((folder / "onnx" / name).stat().st_size for name in needed)
    assert made.totals.download_nbytes == sizes + (folder / "config.json").stat().st_size
    assert made.totals.disk_nbytes == on_disk(folder)
    half = graphcount.deployment(str(folder), variant="fp16")
    assert by_component(half)["decoder_model_merged"].name == "fp16"
    assert by_component(half)["encoder_model"].name == ""
    assert [row.rule for row in half.findings] == ["DEP004"]  # a float32 encoder feeds it
    assert half.states[0].nbytes_per_token == TOKEN_NBYTES // 2
    with pytest.raises(graphcount.UsageError, match="no variant 'q4'; there are fp16"):
        graphcount.deployment(str(folder), variant="q4")


def test_two_decoders_without_a_merged_one(tmp_path: Path) -> None:
    """The one without a past makes the first step."""
    folder = builders.merged(tmp_path)
    for name in ("decoder_model_merged.onnx", "decoder_model_merged_fp16.onnx"):
        (folder / "onnx" / name).unlink()
    made = graphcount.deployment(str(folder), context=64, dims={"encoder_sequence_length": 9})
    assert len(made.running) == 3
    prefill, generate = made.steps
    assert prefill.macs == decoder_macs(64, 0, 9)
    assert generate.macs == decoder_macs(1, 64, 9)


def test_two_models_that_share_a_data_file(tmp_path: Path) -> None:
    folder = builders.vision_language(tmp_path)
    made = graphcount.deployment(str(folder))
    rows = by_component(made)
    table = VOCABULARY * WIDTH
    assert made.layout == "onnxruntime-genai"
    assert made.name == "phi3v"
    assert list(rows) == ["vision", "embedding", "decoder"]
    assert rows["embedding"].parameters == table
    assert rows["decoder"].shared_parameters == table
    assert made.totals.summed_parameters - made.totals.parameters == table
    assert made.totals.disk_nbytes == on_disk(folder)  # the data file once
    data = (folder / "weights.data").stat().st_size
    for name in ("embedding", "decoder"):
        assert rows[name].model is not None
        assert rows[name].disk_nbytes == data + (folder / str(rows[name].model)).stat().st_size
    assert [row.components for row in made.files if row.kind == "data"] == [
        ("embedding", "decoder")
    ]


def test_what_feeds_what_runs(tmp_path: Path) -> None:
    """Values are handed on as the joins say, and as nothing else does: onnxruntime takes them."""
    folder = builders.vision_language(tmp_path)
    made = graphcount.deployment(str(folder))
    values: dict[tuple[str, str], np.ndarray] = {}
    past = np.zeros((1, HEADS, 0, WIDTH // HEADS), np.float32)
    given = {
        "pixel_values": np.ones((1, 3, 32, 32), np.float32),
        "input_ids": np.ones((1, 4), np.int64),
    }
    for row in made.running:
        session = onnxruntime.InferenceSession(str(folder / str(row.model)))
        fed = {
            join.input: values[join.producer, join.output]
            for join in made.joins
            if join.consumer == row.component
        }
        names = [value.name for value in session.get_inputs() if value.name not in fed]
        feed = {**fed, **{name: given.get(name, past) for name in names}}
        outputs = [value.name for value in session.get_outputs()]
        results = session.run(outputs, feed)
        values.update({(row.component, n): v for n, v in zip(outputs, results, strict=True)})
    assert values["decoder", "logits"].shape == (1, 16 + 4, VOCABULARY)


def test_an_encoder_of_another_width_does_not_fit(tmp_path: Path) -> None:
    folder = builders.whisper_like(tmp_path)
    builders.encoder(folder / "encoder_model.onnx", width=12)
    made = graphcount.deployment(str(folder))
    (row,) = [row for row in made.findings if row.severity != "info"]
    assert row.rule == "DEP004"
    assert "axis 2 is 12, but 16 is taken" in row.message


def test_the_same_weights_inside_two_files(tmp_path: Path) -> None:
    """By name they are likely to be one; by content they are; a name alone proves nothing."""
    builders.embedding(tmp_path / "embedding.onnx")
    builders.decoder(tmp_path / "decoder.onnx", cross=False)
    table = VOCABULARY * WIDTH
    unread = graphcount.deployment(str(tmp_path))
    assert unread.totals.parameters == unread.totals.summed_parameters
    assert unread.totals.parameters - unread.totals.likely_parameters == table
    read = graphcount.deployment(str(tmp_path), deep=True)
    assert read.totals.summed_parameters - read.totals.parameters == table
    assert read.totals.likely_parameters == read.totals.parameters
    model = onnx.load(str(tmp_path / "embedding.onnx"))
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    onnx.save(model, str(tmp_path / "embedding.onnx"))
    other = graphcount.deployment(str(tmp_path), deep=True)
    assert other.totals.parameters == other.totals.summed_parameters


def test_any_other_folder_is_joined_by_names_and_shapes(tmp_path: Path) -> None:
    builders.encoder(tmp_path / "one.onnx", output="features")
    builders.decoder(tmp_path / "two.onnx")
    builders.text_file(tmp_path / "notes.bin")
    made = graphcount.deployment(str(tmp_path))
    assert made.layout == "folder"
    assert made.joins == ()  # [batch, frames, 16] is not [batch, encoder_sequence_length, 16]
    assert [row.rule for row in made.findings] == ["DEP006"]
    builders.encoder(tmp_path / "one.onnx", output="encoder_hidden_states")
    (row,) = graphcount.deployment(str(tmp_path)).joins
    assert (row.producer, row.consumer, row.by, row.mismatch) == ("one", "two", "name", "")


def test_a_guess_by_shape_is_called_one(tmp_path: Path) -> None:
    builders.vision(tmp_path / "vision.onnx")
    graph = builders.Graph()
    graph.linear("head", "patches", WIDTH, 3)
    graph.save(
        tmp_path / "head.onnx",
        [builders.value("patches", ["batch", 16, WIDTH])],
        [builders.value("head", ["batch", 16, 3])],
    )
    (row,) = graphcount.deployment(str(tmp_path)).joins
    assert (row.producer, row.output, row.consumer, row.input, row.by) == (
        "vision", "image_features", "head", "patches", "shape"
    )  # fmt: skip


def test_components_that_could_feed_each_other_feed_none(tmp_path: Path) -> None:
    for name in ("one", "two"):
        graph = builders.Graph()
        graph.add("Relu", ["x"], "y")
        shape: list[int | str] = ["batch", 4, WIDTH]
        graph.save(
            tmp_path / f"{name}.onnx", [builders.value("x", shape)], [builders.value("y", shape)]
        )
    assert graphcount.deployment(str(tmp_path)).joins == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs on this system")
def test_what_is_no_file_is_never_opened(tmp_path: Path) -> None:
    folder = builders.whisper_like(tmp_path / "model")
    os.mkfifo(folder / "pipe.onnx")
    (folder / "loop.onnx").symlink_to("loop.onnx")
    (folder / "up").symlink_to("..")
    (folder / "here").symlink_to(".")
    made = graphcount.deployment(str(folder), deep=True)
    errors = {row.component: row.error for row in made.variants if row.error}
    assert errors == {"pipe": "is a FIFO (named pipe)", "loop": "is a link that leads nowhere"}
    assert {row.where["file"] for row in made.findings if row.rule == "DEP002"} == {
        "pipe.onnx", "loop.onnx", "up"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("../outside.onnx", "DEP002"),
        ("/etc/hostname", "DEP002"),
        ("nope.onnx", "DEP001"),
        ("link.onnx", "DEP002"),
        ("folder/../../outside.onnx", "DEP002"),
    ],
)
def test_a_configuration_that_names_what_is_not_inside(
    name: str, rule: str, tmp_path: Path
) -> None:
    folder = builders.vision_language(tmp_path / "inside")
    builders.vision(tmp_path / "outside.onnx")
    (folder / "link.onnx").symlink_to("../outside.onnx")
    (folder / "folder").mkdir()
    config = json.loads((folder / "genai_config.json").read_text())
    config["model"]["vision"]["filename"] = name
    (folder / "genai_config.json").write_text(json.dumps(config))
    made = graphcount.deployment(str(folder))
    assert by_component(made)["vision"].model is None
    assert by_component(made)["vision"].parameters is None
    assert rule in [row.rule for row in made.findings if row.where.get("component") == "vision"]
    assert "parameters" in made.totals.at_least


def test_nothing_outside_is_opened(tmp_path: Path) -> None:
    """Every file that is opened, by whatever way, lies in the folder: Python's own audit events."""
    folder = builders.vision_language(tmp_path / "inside")
    secret = tmp_path / "secret.onnx"
    builders.vision(secret)
    for number, name in enumerate(("a.onnx", "tokenizer.model", "weights.bin")):
        (folder / name).symlink_to(secret if number else "../secret.onnx")
    config = json.loads((folder / "genai_config.json").read_text())
    config["model"]["speech"] = {"filename": "../secret.onnx", "config_filename": str(secret)}
    config["model"]["encoder"] = {"filename": "a.onnx"}
    (folder / "genai_config.json").write_text(json.dumps(config))
    opened: list[str] = []
    active = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if active and event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(hook)  # for the rest of the process: it cannot be taken away
    try:
        graphcount.audit(str(folder))
        graphcount.deployment(str(folder), deep=True)
    finally:
        active = False
    assert [path for path in opened if path.endswith("text.onnx")]
    assert [path for path in opened if "secret" in path] == []
    links = {str(folder / name) for name in ("a.onnx", "tokenizer.model", "weights.bin")}
    assert links.isdisjoint(opened)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"model": 3}', '{"model": {"decoder": {"filename": 3}}}', "{" * 9000]
)
def test_a_configuration_that_is_none_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "genai_config.json").write_text(text)
    with pytest.raises(graphcount.GraphcountError) as caught:
        graphcount.deployment(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_model_that_cannot_be_read_is_a_row(tmp_path: Path) -> None:
    folder = builders.whisper_like(tmp_path)
    (folder / "encoder_model.onnx").write_bytes(b"no model at all")
    made = graphcount.deployment(str(folder))
    row = by_component(made)["encoder_model"]
    assert "not an ONNX model" in row.error
    assert row.parameters is None
    assert made.totals.parameters == DECODER
    assert "parameters" in made.totals.at_least
    assert [item.where for item in made.unknown] == ["encoder_model"]


@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_what_is_no_deployment_is_one_line(kind: str, tmp_path: Path) -> None:
    path = tmp_path / kind
    if kind == "file":
        path.write_text("")
    if kind == "empty":
        path.mkdir()
    with pytest.raises(graphcount.NotReadableError) as caught:
        graphcount.deployment(str(path))
    assert "\n" not in str(caught.value)


def test_a_snapshot_of_a_cache_is_read(tmp_path: Path) -> None:
    """Hugging Face caches keep files as links to blobs beside the snapshot."""
    plain = builders.whisper_like(tmp_path / "plain")
    cache = tmp_path / "models--acme--whisper"
    snapshot, blobs = cache / "snapshots" / "abc", cache / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, path in enumerate(sorted(plain.iterdir())):
        path.rename(blobs / str(number))
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    made = graphcount.deployment(str(snapshot))
    assert made.totals.parameters == ENCODER + DECODER
    assert made.totals.disk_nbytes == on_disk(blobs)
    (snapshot / "tokenizer.json").unlink()
    (snapshot / "tokenizer.json").symlink_to("../../../plain/tokenizer.json")
    (plain / "tokenizer.json").write_text("{}")
    out = graphcount.deployment(str(snapshot))
    assert [row.rule for row in out.findings] == ["DEP002"]
    assert not made.findings


def test_a_folder_in_a_store_is_the_same(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    folder = builders.merged(tmp_path)
    store = fsspec.filesystem("memory")
    for path in folder.rglob("*"):
        if path.is_file():
            store.pipe(f"/bucket/whisper/{path.relative_to(folder)}", path.read_bytes())
    try:
        there = graphcount.deployment("memory://bucket/whisper")
    finally:
        store.rm("/bucket", recursive=True)
    here = graphcount.deployment(str(folder))
    assert there.totals == here.totals
    assert there.variants == here.variants
    assert there.files == here.files


def test_every_layout_is_met(tmp_path: Path) -> None:
    makers: dict[str, Callable[[Path], object]] = {
        "whisper": builders.whisper_like,
        "vision": builders.vision_language,
        "plain": lambda folder: builders.vision(folder / "model.onnx"),
        "package": lambda folder: builders.package(folder, {"a": {"cpu": {}}}),
    }
    layouts = set()
    for name, make in makers.items():
        make(tmp_path / name)
        layouts.add(graphcount.deployment(str(tmp_path / name)).layout)
    assert layouts == {layout.name for layout in LAYOUTS}


@pytest.mark.parametrize(
    ("names", "components"),
    [
        (("onnx/model.onnx", "onnx/model_q4.onnx", "config.json"), {"model": ["", "q4"]}),
        (("model_fp16.onnx", "model.onnx"), {"model": ["", "fp16"]}),
        (
            ("unet/model.onnx", "vae_decoder/model.onnx", "text_encoder/model.onnx"),
            {"text_encoder": [""], "unet": [""], "vae_decoder": [""]},
        ),
        (
            ("onnx/embed_tokens_q4f16.onnx", "onnx/vision_encoder_int8.onnx", "config.json"),
            {"embed_tokens": ["q4f16"], "vision_encoder": ["int8"]},
        ),
        (("seq4.onnx", "model_best.onnx"), {"model_best": [""], "seq4": [""]}),
    ],
)
def test_components_and_variants_by_names(
    names: tuple[str, ...], components: dict[str, list[str]], tmp_path: Path
) -> None:
    for name in names:
        if name.endswith(".onnx"):
            builders.vision(tmp_path / name)
        else:
            builders.text_file(tmp_path / name)
    made = graphcount.deployment(str(tmp_path))
    variants: dict[str, list[str]] = {}
    for row in made.variants:
        variants.setdefault(row.component, []).append(row.name)
    assert variants == components
