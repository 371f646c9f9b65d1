"""Folders as optimum writes and transformers.js reads them: components and variants by file names.

Sources: `optimum.onnxruntime` (`encoder_model.onnx`, `decoder_model.onnx`,
`decoder_with_past_model.onnx`, `decoder_model_merged.onnx`; diffusion pipelines with a folder for
each model), the dtypes of transformers.js, whose suffixes name a variant, and the optimised and
quantized models that sentence-transformers writes beside `onnx/model.onnx`.
"""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import basename, dirname

from graphcount.deploying.records import DeployedPart, RecognisedFolder
from graphcount.loading.folder import Folder

PROCESSORS = ("arm64", "avx2", "avx512", "avx512_vnni")
"""Processors that sentence-transformers quantizes for."""

SUFFIXES = (
    *("fp16", "q8f16", "quantized", "int8", "uint8", "q8", "q4f16", "q4", "bnb4"),
    *("q2f16", "q2", "q1f16", "q1", "optimized", "fp32"),
    *("O1", "O2", "O3", "O4"),
    *(f"{kind}_{cpu}" for kind in ("qint8", "quint8") for cpu in PROCESSORS),
)
"""Ends of file names, after `_`, that name a variant; none is full precision."""

STEMS = frozenset(
    (
        *("encoder_model", "decoder_model", "decoder_with_past_model", "decoder_model_merged"),
        *("vision_encoder", "audio_encoder", "embed_tokens", "text_encoder"),
    )
)
"""Names of components that mark a folder as one of these."""

MERGED, FIRST, LATER = "decoder_model_merged", "decoder_model", "decoder_with_past_model"

CONFIG, MODELS = "config.json", "onnx"
"""A folder `onnx` of models beside a configuration is what transformers.js reads."""

MODEL_NAMES = frozenset({"model"})
"""What the model of a folder is called: its component is named after the folder."""

OUTSIDE = ("", MODELS)
"""Folders that name no component."""


def onnx_files(folder: Folder, below: str = "") -> tuple[str, ...]:
    """Return the models of a folder, by name."""
    return tuple(f.name for f in folder.inside(below) if f.name.lower().endswith(".onnx"))


def is_marked(folder: Folder) -> bool:
    """Return whether the folder is of this layout."""
    parts = [_part(name) for name in onnx_files(folder)]
    if any(part.component.rpartition("/")[2] in STEMS for part in parts):
        return True
    if CONFIG in folder.by_name and any(dirname(part.model or "") == MODELS for part in parts):
        return True
    plain = {part.component for part in parts if not part.variant}
    return any(part.variant and part.component in plain for part in parts)


def read(folder: Folder) -> RecognisedFolder:
    """Read components and variants off the names of files."""
    parts = sorted((_part(name) for name in onnx_files(folder)), key=_order)
    components = {part.component for part in parts}
    replaces: dict[str, str] = {}
    prefill: dict[str, str] = {}
    for component in components:
        place, slash, name = component.rpartition("/")
        merged, later = f"{place}{slash}{MERGED}", f"{place}{slash}{LATER}"
        if name in (FIRST, LATER) and merged in components:
            replaces[component] = merged
        elif name == FIRST and later in components:
            prefill[later] = component
    return RecognisedFolder(
        "optimum / transformers.js",
        tuple(parts),
        configurations=tuple(sorted(_configurations(folder))),
        usual={component: _usual(component, parts) for component in components},
        replaces=replaces,
        prefill=prefill,
    )


def _part(name: str) -> DeployedPart:
    """Return the component and variant that a file name stands for."""
    stem, place = basename(name)[: -len(".onnx")], dirname(name)
    variant = next((end for end in SUFFIXES if stem.endswith(f"_{end}")), "")
    plain = stem.removesuffix(f"_{variant}") if variant else stem
    folder = "" if place in OUTSIDE else place.removeprefix(f"{MODELS}/")
    component = folder if folder and plain in MODEL_NAMES else f"{folder}/{plain}".lstrip("/")
    return DeployedPart(component, variant, name, "its name")


def _order(part: DeployedPart) -> tuple[str, int, str]:
    place = (*SUFFIXES,).index(part.variant) + 1 if part.variant else 0
    return (part.component, place, part.model or "")


def _usual(component: str, parts: Iterable[DeployedPart]) -> str:
    """Return the variant of full precision, or the first."""
    return next(part.variant for part in parts if part.component == component)


def _configurations(folder: Folder) -> Iterable[str]:
    names = {CONFIG, "model_index.json", "generation_config.json", "quantize_config.json"}
    return (file.name for file in folder.files if basename(file.name) in names)
