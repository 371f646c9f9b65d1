"""How the parts of a deployment are recognised: one table, asked from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from posixpath import basename
from typing import NamedTuple

from graphcount.deploying import exports, genai, package
from graphcount.deploying.records import DeployedPart, RecognisedFolder
from graphcount.errors import NotReadableError
from graphcount.loading.folder import Folder
from graphcount.loading.source import public_path


class DeploymentLayout(NamedTuple):
    """A way to lay out a deployment.

    Attributes:
        name: What it is called.
        mark: What marks a folder of it, in words.
        parts: How components and variants are read, in words.
        is_marked: Whether a folder is of it.
        read: Makes parts of a folder.
    """

    name: str
    mark: str
    parts: str
    is_marked: Callable[[Folder], bool]
    read: Callable[[Folder], RecognisedFolder]


def _any(folder: Folder) -> RecognisedFolder:
    """Return each model as a component named after its file."""
    names = exports.onnx_files(folder)
    why = "it is in the folder"
    parts = (DeployedPart(name[: -len(".onnx")], "", name, why) for name in names)
    return RecognisedFolder("folder", tuple(parts))


LAYOUTS = (
    DeploymentLayout(
        "onnxruntime package",
        "`manifest.json` with `schema_version`",
        "the manifest, as onnxruntime's ModelPackage reads it; a variant's model is"
        " `executor_info.ort.model_file`, the models of its `genai_config.json`, or its only .onnx"
        " file",
        package.is_marked,
        package.read,
    ),
    DeploymentLayout(
        "onnxruntime-genai",
        "`genai_config.json`",
        "a component for each section of `model` with a `filename`, and for each stage of a"
        " pipeline; inputs and outputs by the names it gives",
        genai.is_marked,
        genai.read,
    ),
    DeploymentLayout(
        "optimum / transformers.js",
        "a file named `encoder_model.onnx`, `decoder_model_merged.onnx` and the like, a folder"
        " `onnx` beside `config.json`, or files that differ in a suffix of precision",
        "a component for each file name, a variant for each suffix: `_fp16`, `_q4`, `_q4f16`,"
        " `_quantized`, `_int8`, `_uint8`, `_bnb4`, `_O1` to `_O4`, `_qint8_avx512` and the like; a"
        " merged decoder takes the place of the two others",
        exports.is_marked,
        exports.read,
    ),
    DeploymentLayout(
        "folder",
        "at least one .onnx file",
        "a component for each .onnx file",
        lambda folder: bool(exports.onnx_files(folder)),
        _any,
    ),
)
"""Layouts, the most telling first."""

SIDE_NAMES = frozenset(
    [
        "added_tokens.json",
        "audio_processor_config.json",
        "chat_template.jinja",
        "chat_template.json",
        "config.json",
        "feature_extractor_config.json",
        "generation_config.json",
        "merges.txt",
        "model.sig",
        "model_index.json",
        "normalizer.json",
        "ort_config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "quantize_config.json",
        "scheduler_config.json",
        "sentencepiece.bpe.model",
        "special_tokens_map.json",
        "spiece.model",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "video_preprocessor_config.json",
        "vision_processor.json",
        "vocab.json",
        "vocab.txt",
        "speech_processor.json",
        "audio_feature_extraction.json",
        "readme.md",
        "license",
        "license.txt",
        "license.md",
        "notice",
        "notice.txt",
        ".gitattributes",
        ".gitignore",
    ]
)
"""Files that usually lie beside models, in lower case: tokenizers, processors, licences."""


def recognise(folder: Folder) -> RecognisedFolder:
    """Return what the first layout that fits makes of a folder.

    Raises:
        NotReadableError: None fits: there is no model in it.
        GraphcountError: Its configuration cannot be read.
    """
    for layout in LAYOUTS:
        if layout.is_marked(folder):
            read = layout.read(folder)
            return read._replace(parts=tuple(_distinct(read.parts)))
    why = "no deployment: it has no .onnx file, no genai_config.json and no manifest.json"
    raise NotReadableError(why, public_path(folder.path))


def _distinct(parts: Iterable[DeployedPart]) -> Iterator[DeployedPart]:
    """Yield parts, each with a name of its own: those that come later also have that of a file."""
    names: set[tuple[str, str]] = set()
    for number, part in enumerate(parts):
        if (part.component, part.variant) in names:
            more = part.model if part.model is not None else str(number)
            part = part._replace(component=f"{part.component} ({more}, {number})")
        names.add((part.component, part.variant))
        yield part


def is_side(name: str) -> bool:
    """Return whether a file usually lies beside models."""
    return basename(name).lower() in SIDE_NAMES
