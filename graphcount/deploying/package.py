"""onnxruntime's model packages: `manifest.json`, components, variants, shared assets by digest.

What is accepted and refused follows onnxruntime's own reader (model_package/src/manifest_parser.cc,
path_resolver.cc, and core/session/model_package/model_package_context.cc of 1.32), with its
defaults: unknown keys are refused up to the schema's minor version that it knows, and no path of a
portable package leaves it. Of an installed one, which may, nothing outside the folder is looked at.
Beyond it, keys that stand twice are refused: readers differ in which they take.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import dirname, normpath
from typing import Any

from graphcount.deploying import genai
from graphcount.deploying.exports import onnx_files
from graphcount.deploying.records import DeployedPart, RecognisedFolder, SharedAsset
from graphcount.deploying.rules import finding
from graphcount.deploying.strict_json import read_object
from graphcount.errors import DamagedError, NotReadableError
from graphcount.loading.folder import Folder
from graphcount.loading.source import public_path
from graphcount.report.finding_rows import Finding

MANIFEST, COMPONENT = "manifest.json", "component.json"

KEYS = {
    "manifest": frozenset(
        (
            *("schema_version", "package_name", "package_version", "description", "layout"),
            *("components", "shared_assets", "additional_metadata"),
        )
    ),
    "component": frozenset({"component_name", "variants", "additional_metadata"}),
    "variant": frozenset(
        (
            *("variant_directory", "ep", "device", "compatibility_string", "executor_info"),
            "additional_metadata",
        )
    ),
}
"""Keys that schema 1.0 knows."""

MAJOR, MINOR = 1, 0
"""The schema: another major is refused, a later minor may have more keys."""

ASSET = re.compile(r"sha256:[0-9a-f]{64}")
ASSET_FOLDER = re.compile(r"shared_assets/sha256-([0-9a-f]{64})")

WEIGHTS = "session.model_external_initializers_file_folder_path"
"""The session option that names the folder of external data."""

PATHS = frozenset({WEIGHTS, "ep.context_file_path"})
"""Session options whose values are paths of the package."""

OUTPUTS = frozenset(
    (
        *("session.debug_layout_transformation", "session.collect_node_memory_stats_to_file"),
        *("session.enable_profiling", "session.optimized_model_filepath"),
    )
)
"""Session options that would write files: no package may set them."""

CPU = "CPUExecutionProvider"


def is_marked(folder: Folder) -> bool:
    """Return whether the folder is a package; other programs have manifests, too."""
    if MANIFEST not in folder.by_name:
        return False
    return bool({"schema_version", "components"} & read_object(folder, MANIFEST).keys())


def read(folder: Folder) -> RecognisedFolder:
    """Read a package.

    Raises:
        GraphcountError: onnxruntime would refuse it, too, or it has a key twice.
    """
    return _Package(folder).recognised()


class _Package:
    """One reading of a package."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.manifest = read_object(folder, MANIFEST)
        self.findings: list[Finding] = []
        self.configurations = [MANIFEST]
        self.joins: list[tuple[str, str]] = []
        self.strict = _minor(self) <= MINOR
        layout = self._text(self.manifest, "layout", "manifest", "portable")
        if layout not in ("portable", "installed"):
            raise self.refused("manifest: 'layout' must be 'portable' or 'installed'")
        self.portable = layout == "portable"
        self.assets: dict[str, SharedAsset] = {}

    def refused(self, why: str) -> DamagedError:
        """Return the error of a package that cannot be used."""
        return DamagedError(why, public_path(self.folder.path))

    def recognised(self) -> RecognisedFolder:
        """Return what the package says."""
        self._known(self.manifest, "manifest", "manifest")
        components = self._object(self.manifest, "components", "manifest")
        for key in ("package_name", "package_version", "description"):
            self._text(self.manifest, key, "manifest")
        self.assets = {asset.uri: asset for asset in self._assets()}
        parts: list[DeployedPart] = []
        for name, value in components.items():
            parts += self._component(name, value)
        return RecognisedFolder(
            "onnxruntime package",
            tuple(parts),
            name=self._text(self.manifest, "package_name", "manifest"),
            configurations=tuple(dict.fromkeys(self.configurations)),
            assets=tuple(self.assets.values()),
            usual=_usual(parts),
            joins=tuple(dict.fromkeys(self.joins)),
            findings=tuple(self.findings),
        )

    # ------------------------------------------------------------------- components, variants

    def _component(self, name: str, value: Any) -> Iterator[DeployedPart]:
        """Yield the variants of a component, which is an object or the path of one."""
        where = f"component {name!r}"
        base = ""
        if isinstance(value, str):
            path = self._resolve("", value, where, must_exist=True)
            if path is None:
                return
            if path in self.folder.folders or not path:
                path = f"{path}/{COMPONENT}".lstrip("/")
                if path not in self.folder.by_name:
                    raise self.refused(f"{where}: the folder has no {COMPONENT}")
            base = dirname(path)
            self.configurations.append(path)
            value = read_object(self.folder, path)
        if not isinstance(value, dict):
            raise self.refused(f"{where}: must be a path or an object")
        self._known(value, "component", where)
        self._text(value, "component_name", where)
        variants = self._object(value, "variants", where)
        if not variants:
            self.findings.append(finding("DEP005", f"{name}: has no variant", component=name))
        for variant, body in variants.items():
            yield from self._variant(name, variant, body, base)

    def _variant(self, component: str, name: str, body: Any, base: str) -> Iterator[DeployedPart]:
        where = f"variant {name!r}"
        if not isinstance(body, dict):
            raise self.refused(f"{where}: must be an object")
        self._known(body, "variant", where)
        ep, device = self._text(body, "ep", where), self._text(body, "device", where)
        self._text(body, "compatibility_string", where)
        directory = self._directory(name, body, base, where)
        slots = body.get("executor_info", {})
        if not isinstance(slots, dict):
            raise self.refused(f"{where}: executor_info must be an object")
        infos = {key: self._slot(key, slot, directory, where) for key, slot in slots.items()}
        part = DeployedPart(component, name, None, "", ep, device)
        yield from self._models(part, directory, infos.get("ort"), where)

    def _directory(self, name: str, body: dict[str, Any], base: str, where: str) -> str | None:
        """Return the folder of a variant: as stated, or named like it; None: it is not there."""
        stated = self._text(body, "variant_directory", where, name)
        declared = "variant_directory" in body
        path = self._resolve(base, stated, where, must_exist=declared)
        return path if path is not None and self._exists(path) else None

    def _slot(self, key: str, slot: Any, directory: str | None, where: str) -> Any:
        """Return what an executor is told: an object, or the JSON of a file."""
        if isinstance(slot, dict):
            return slot
        if not isinstance(slot, str):
            raise self.refused(f"{where}: executor_info[{key!r}] must be a path or an object")
        if directory is None:
            raise self.refused(f"{where}: executor_info[{key!r}]: the variant has no folder")
        path = self._resolve(directory, slot, where, must_exist=True)
        if path is None:
            return None
        self.configurations.append(path)
        return read_object(self.folder, path)

    def _models(
        self, part: DeployedPart, directory: str | None, info: Any, where: str
    ) -> Iterator[DeployedPart]:
        """Yield the models of a variant: the named, those of its genai_config.json, or its one."""
        weights = self._session(info, directory, where) if info is not None else None
        if info is not None and "model_file" in info:
            if not isinstance(info["model_file"], str):
                raise self.refused(f"{where}: model_file must be a string")
            path = self._reference(directory or "", info["model_file"], where)
            yield self._model(part, path, info["model_file"], weights)
            return
        if directory is None:
            self.findings.append(finding("DEP001", f"{part.label}: its folder is not there"))
            yield part
            return
        if f"{directory}/{genai.CONFIG}".lstrip("/") in self.folder.by_name:
            inner = genai.read(self.folder, directory)
            self.findings += inner.findings
            self.configurations += inner.configurations
            self.joins += inner.joins
            for stage in inner.parts:
                name = f"{part.component}.{stage.component}"
                yield stage._replace(
                    component=name, variant=part.variant, ep=part.ep, device=part.device
                )
            return
        models = onnx_files(self.folder, directory)
        if len(models) == 1:
            yield part._replace(model=models[0], why="the only model of its folder")
            return
        text = f"{part.label}: names no model, and its folder has {len(models)}"
        self.findings.append(finding("DEP005", text, component=part.label))
        yield part

    def _model(
        self, part: DeployedPart, path: str | None, name: str, weights: str | None
    ) -> DeployedPart:
        why = f"{MANIFEST} names it"
        if path is None or path not in self.folder.by_name:
            if path is not None:
                text = f"{part.label}: {name} is not there"
                self.findings.append(finding("DEP001", text, component=part.label, file=name))
            return part._replace(why=why)
        return part._replace(model=path, why=why, weights=weights)

    def _session(self, info: Any, directory: str | None, where: str) -> str | None:
        """Check what a session is told; return the folder of its external data, if named."""
        if not isinstance(info, dict):
            raise self.refused(f"{where}: executor_info['ort'] must be an object")
        for key in ("session_options", "provider_options"):
            options = info.get(key, {})
            if not isinstance(options, dict) or not all(
                isinstance(value, str) for value in options.values()
            ):
                raise self.refused(f"{where}: {key} must be an object of strings")
            if any("\0" in text for pair in options.items() for text in pair):
                raise self.refused(f"{where}: {key} has a NUL character")
        options = info.get("session_options", {})
        for key in sorted(OUTPUTS & options.keys()):
            raise self.refused(f"{where}: {key} cannot be set in a package")
        paths = {
            key: self._reference(directory or "", options[key], where)
            for key in sorted(PATHS & options.keys())
        }
        return paths.get(WEIGHTS)

    # ---------------------------------------------------------------------------------- assets

    def _assets(self) -> Iterator[SharedAsset]:
        """Yield shared assets: those that the manifest places, then those in their usual place."""
        stated = self.manifest.get("shared_assets", {})
        if not isinstance(stated, dict):
            raise self.refused("manifest: shared_assets must be an object")
        for uri, path in stated.items():
            if not ASSET.fullmatch(uri):
                raise self.refused(f"manifest: {uri[:80]!r} is no sha256: digest")
            if not isinstance(path, str):
                raise self.refused(f"manifest: shared_assets[{uri!r}] must be a path")
            resolved = self._resolve("", path, "manifest", must_exist=False)
            if self.portable and resolved is not None and resolved != normpath(path).strip("/."):
                self._no_link(normpath(path))
            yield SharedAsset(uri, resolved)
        for folder in sorted(self.folder.folders):
            match = ASSET_FOLDER.fullmatch(folder)
            if match and f"sha256:{match[1]}" not in stated:
                yield SharedAsset(f"sha256:{match[1]}", folder)
        outside = (file.name for file in self.folder.files if file.problem)
        for name in (*self.folder.links, *outside):
            if self.portable and ASSET_FOLDER.fullmatch(name):
                self._no_link(name)

    def _no_link(self, path: str) -> None:
        if self.folder.real(path) != path:
            raise self.refused(f"shared asset {path}: a link")

    # ----------------------------------------------------------------------------------- paths

    def _reference(self, base: str, text: str, where: str) -> str | None:
        """Return the file or folder that a text names: a path, or a place in a shared asset."""
        if not text.startswith("sha256:"):
            return self._resolve(base, text, where, must_exist=False)
        uri, _, below = text.partition("/")
        asset = self.assets.get(uri)
        if asset is None:
            raise self.refused(f"{where}: {text[:100]!r} is no asset of this package")
        if below.startswith("/") or ".." in below.split("/"):
            raise self.refused(f"{where}: {text[:100]!r} leaves its asset")
        return None if asset.path is None else f"{asset.path}/{below}".rstrip("/")

    def _resolve(self, base: str, text: str, where: str, *, must_exist: bool) -> str | None:
        """Return a path in the folder, links followed; None: it is outside, and may be.

        Raises:
            DamagedError: It is outside a portable package, or not there and must be.
        """
        if not text:
            raise self.refused(f"{where}: a path is empty")
        if text.startswith("/") or ".." in text.split("/"):
            if self.portable:
                raise self.refused(f"{where}: {text[:100]!r} is no path inside a portable package")
            if text.startswith("/"):
                self._outside(text, where)
                return None
        real = self.folder.real(f"{base}/{text}".lstrip("/"))
        if real is None:
            if self.portable:
                raise self.refused(f"{where}: {text[:100]!r} is a link that leaves the package")
            self._outside(text, where)
            return None
        if must_exist and not self._exists(real):
            raise NotReadableError(
                f"{where}: {text[:100]!r} does not exist", public_path(self.folder.path)
            )
        return real

    def _outside(self, text: str, where: str) -> None:
        message = f"{where}: {text[:100]} is outside the folder, and is not looked at"
        self.findings.append(finding("DEP002", message, file=text))

    def _exists(self, path: str) -> bool:
        return not path or path in self.folder.folders or path in self.folder.by_name

    # ------------------------------------------------------------------------------------ JSON

    def _known(self, value: dict[str, Any], kind: str, where: str) -> None:
        others: Iterable[str] = (key for key in value if key not in KEYS[kind])
        for key in others if self.strict else ():
            raise self.refused(f"{where}: unknown key {key[:80]!r}")

    def _object(self, value: dict[str, Any], key: str, where: str) -> dict[str, Any]:
        if key not in value:
            raise self.refused(f"{where}: {key!r} is missing")
        inner = value[key]
        if not isinstance(inner, dict):
            raise self.refused(f"{where}: {key!r} must be an object")
        return inner

    def _text(self, value: dict[str, Any], key: str, where: str, default: str = "") -> str:
        text = value.get(key, default)
        if not isinstance(text, str):
            raise self.refused(f"{where}: {key!r} must be a string")
        return text


def _usual(parts: Iterable[DeployedPart]) -> dict[str, str]:
    """Return the variant that onnxruntime takes on a CPU, the first that fits; else the first."""
    usual: dict[str, str] = {}
    fitting: dict[str, str] = {}
    for part in parts:
        usual.setdefault(part.component, part.variant)
        if part.ep == CPU and part.device in ("", "cpu"):
            fitting.setdefault(part.component, part.variant)
    return {**usual, **fitting}


def _minor(package: _Package) -> int:
    """Return the minor version of a package's schema.

    Raises:
        DamagedError: It states none, or another major.
    """
    stated = package.manifest.get("schema_version")
    if isinstance(stated, int) and not isinstance(stated, bool):
        stated = str(stated)
    text = stated if isinstance(stated, str) else ""
    match = re.fullmatch(r"([0-9]{1,18})(?:\.([0-9]{1,18}))?", text)
    if match is None:
        raise package.refused("manifest: 'schema_version' must be a text like \"1.0\"")
    if int(match[1]) != MAJOR:
        raise package.refused(f"manifest: schema {stated} is not supported, only {MAJOR}.x")
    return int(match[2] or 0)
