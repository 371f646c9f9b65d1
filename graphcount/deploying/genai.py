"""onnxruntime-genai: `genai_config.json` names the models, and their inputs and outputs.

Source: `src/config.h` of onnxruntime-genai. `model` has a section for each component (`decoder`,
`encoder`, `embedding`, `vision`, `speech`), with `filename`, `inputs` and `outputs`; a decoder may
be a `pipeline` of several models instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PureWindowsPath
from typing import Any

from graphcount.deploying.records import DeployedPart, RecognisedFolder
from graphcount.deploying.rules import finding
from graphcount.deploying.strict_json import read_object
from graphcount.errors import DamagedError
from graphcount.loading.folder import Folder
from graphcount.loading.source import public_path
from graphcount.report.finding_rows import Finding

CONFIG = "genai_config.json"

OTHER_FILES = ("config_filename", "adapter_filename")
"""Keys of a section that name files which are no models."""

CROSSES = {
    "cross_present_key_names": "cross_past_key_names",
    "cross_present_value_names": "cross_past_value_names",
}
"""Keys of outputs, with the key of the input that takes them; elsewhere both are the same."""


def is_marked(folder: Folder) -> bool:
    """Return whether the folder is of this layout."""
    return CONFIG in folder.by_name


def read(folder: Folder, below: str = "") -> RecognisedFolder:
    """Read the configuration of a folder, or of one in it (`below`).

    Raises:
        GraphcountError: It cannot be read, or a name is no text.
    """
    name = f"{below}/{CONFIG}".lstrip("/")
    model = read_object(folder, name).get("model")
    if not isinstance(model, dict):
        raise DamagedError("no object `model`", public_path(folder.path_of(name)))
    parts: list[DeployedPart] = []
    findings: list[Finding] = []
    for component, section in _sections(model):
        file = _named(folder, below, component, section["filename"], findings)
        others = tuple(
            path
            for key in OTHER_FILES
            if isinstance(section.get(key), str)
            and (path := _named(folder, below, component, section[key], findings))
        )
        parts.append(DeployedPart(component, model=file, why=f"{CONFIG} names it", others=others))
    if not parts:
        raise DamagedError("names no model", public_path(folder.path_of(name)))
    kind = model.get("type")
    return RecognisedFolder(
        "onnxruntime-genai",
        tuple(parts),
        name=kind if isinstance(kind, str) else "",
        configurations=(name,),
        joins=tuple(_joins(model)),
        findings=tuple(findings),
    )


def _sections(model: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield components and the objects that name their files."""
    for component, section in model.items():
        if not isinstance(section, dict):
            continue
        if isinstance(section.get("filename"), str) and section["filename"]:
            yield component, section
        stages = section.get("pipeline")
        for stage in stages if isinstance(stages, list) else ():
            for name, inner in stage.items() if isinstance(stage, dict) else ():
                if isinstance(inner, dict) and isinstance(inner.get("filename"), str):
                    yield f"{component}.{name}", inner


def _named(
    folder: Folder, below: str, component: str, name: str, findings: list[Finding]
) -> str | None:
    """Return the file that a name stands for; None, and a finding, where there is none."""
    windows = PureWindowsPath(name)
    outside = bool(windows.anchor) or (".." in windows.parts and "\\" in name)  # wherever it runs
    joined = name if outside else f"{below}/{name}".lstrip("/")
    real = folder.real(joined)
    where = {"component": component, "file": name}
    file = folder.by_name.get(joined) or (folder.by_name.get(real) if real else None)
    if outside or (file is None and real is None) or (file and file.problem):
        why = (file.problem if file else "") or "leads out of the folder"
        findings.append(finding("DEP002", f"{component}: {name} {why}", **where))
        return None
    if file is None:
        findings.append(finding("DEP001", f"{component}: {name} is not there", **where))
        return None
    return file.name


def _joins(model: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names of outputs with those of inputs that they feed, as the sections have them."""
    sections = [section for section in model.values() if isinstance(section, dict)]
    for producer in sections:
        for key, output in _names(producer, "outputs"):
            for consumer in sections:
                if consumer is producer:
                    continue
                for other, name in _names(consumer, "inputs"):
                    if other == CROSSES.get(key, key):
                        yield output, name


def _names(section: Mapping[str, Any], side: str) -> Iterator[tuple[str, str]]:
    named = section.get(side)
    for key, name in named.items() if isinstance(named, dict) else ():
        if isinstance(name, str):
            yield key, name
