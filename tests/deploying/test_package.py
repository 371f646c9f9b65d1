"""Packages: what onnxruntime's own reader accepts and refuses, components, files and digests."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pytest

import graphcount
from graphcount.deploying.files import asset_uri
from graphcount.errors import GraphcountError
from graphcount.loading.folder import list_folder
from tests.deploying import builders

HEX = "a" * 64
URI = f"sha256:{HEX}"
VERSION = {"schema_version": "1.0"}


class Case(NamedTuple):
    """A package: its manifest, other files, links, and whether only we refuse it."""

    manifest: Mapping[str, Any] | str
    files: tuple[str, ...] = ("cpu/model.onnx",)
    links: tuple[tuple[str, str], ...] = ()
    stricter: bool = False


def one(variant: Mapping[str, Any] | None = None, name: str = "cpu", **manifest: Any) -> Case:
    """A package of one component with one variant."""
    components = {"a": {"variants": {name: variant or {}}}}
    return Case({**VERSION, "components": components, **manifest})


def ort(info: Any) -> Case:
    """A variant that tells onnxruntime something."""
    return one({"executor_info": {"ort": info}})


def raw(text: str, **others: Any) -> Case:
    """A manifest as it is written."""
    return Case(text, **others)


HEAD = '{"schema_version":"1.0","components":{"a":{"variants":{"cpu":{}}}}'

CASES: dict[str, Case] = {
    "least": one(),
    "no folder of the variant": Case(one().manifest, ()),
    "no components": Case({**VERSION, "components": {}}),
    "no variants": Case({**VERSION, "components": {"a": {"variants": {}}}}),
    "components missing": Case(VERSION),
    "components a list": Case({**VERSION, "components": []}),
    "a component a list": Case({**VERSION, "components": {"a": []}}),
    "variants missing": Case({**VERSION, "components": {"a": {}}}),
    "variants a list": Case({**VERSION, "components": {"a": {"variants": []}}}),
    "a variant a list": Case({**VERSION, "components": {"a": {"variants": {"cpu": []}}}}),
    "version missing": Case({"components": {"a": {"variants": {"cpu": {}}}}}),
    "version 2": one(schema_version="2.0"),
    "version 0": one(schema_version="0.9"),
    "version an integer": one(schema_version=1),
    "version of one part": one(schema_version="1"),
    "version of three parts": one(schema_version="1.5.5"),
    "version with a dot at the end": one(schema_version="1."),
    "version a float": one(schema_version=1.0),
    "version true": one(schema_version=True),
    "version null": one(schema_version=None),
    "version in other digits": one(schema_version="\u0661.0"),
    "version with a line end": one(schema_version="1.0\n"),
    "unknown key": one(zzz=1),
    "unknown key of a later schema": one(schema_version="1.9", zzz=1),
    "unknown key of a component": Case(
        {**VERSION, "components": {"a": {"variants": {"cpu": {}}, "foo": 1}}}
    ),
    "unknown key of a variant": one({"foo": 1}),
    "layout unknown": one(layout="x"),
    "layout a number": one(layout=1),
    "name a number": one(package_name=1),
    "name null": one(package_name=None),
    "description a list": one(description=[]),
    "component's name a number": Case(
        {**VERSION, "components": {"a": {"component_name": 3, "variants": {"cpu": {}}}}}
    ),
    "provider a number": one({"ep": 3}),
    "device of no kind": one({"device": "toaster"}),
    "a list": raw("[]"),
    "nothing": raw(""),
    "not a number": raw(HEAD + ',"additional_metadata":NaN}'),
    "infinite": raw(HEAD + ',"additional_metadata":1e999}'),
    "a large integer": raw(HEAD + ',"additional_metadata":1' + 30 * "0" + "}"),
    "a comment": raw(HEAD + "/* */}"),
    "text after it": raw(HEAD + "} x"),
    "a byte order mark": raw("\ufeff" + HEAD + "}"),
    "half a surrogate pair": raw(HEAD.replace('"a"', '"a\\ud800"') + "}"),
    "a control character": raw(HEAD.replace('"a"', '"a\n"') + "}"),
    "a component twice": raw(HEAD[:-1] + ',"a":{"variants":{"gpu":{}}}}}', stricter=True),
    "a version twice": raw('{"schema_version":"1.0",' + HEAD[1:] + "}", stricter=True),
    "folder absolute": one({"variant_directory": "/etc"}),
    "folder outside": one({"variant_directory": "../x"}),
    "folder outside and back": one({"variant_directory": "cpu/../cpu"}),
    "folder with a backslash": one({"variant_directory": "..\\x"}),
    "folder of an installed package": one({"variant_directory": "/etc"}, layout="installed"),
    "folder empty": one({"variant_directory": ""}),
    "folder here": one({"variant_directory": "."}),
    "folder missing": one({"variant_directory": "nope"}),
    "folder a file": one({"variant_directory": "cpu/model.onnx"}),
    "folder a number": one({"variant_directory": 1}),
    "variant named ..": one(name=".."),
    "variant without a name": one(name=""),
    "component without a name": Case({**VERSION, "components": {"": {"variants": {"cpu": {}}}}}),
    "link out": Case(one({"variant_directory": "link"}).manifest, links=(("link", "/etc"),)),
    "link inside": Case(one({"variant_directory": "link"}).manifest, links=(("link", "cpu"),)),
    "component in a folder without one": Case(
        {**VERSION, "components": {"a": "a"}}, ("a/other.json",)
    ),
    "component missing": Case({**VERSION, "components": {"a": "a"}}),
    "component is the manifest": Case({**VERSION, "components": {"a": "manifest.json"}}),
    "later component is the manifest": Case(
        {"schema_version": "1.9", "components": {"a": "manifest.json"}}
    ),
    "component of nothing": Case({**VERSION, "components": {"a": "a"}}, ("a/component.json",)),
    "asset without a digest": one(shared_assets={"sha256:zz": "x"}),
    "asset in capitals": one(shared_assets={f"sha256:{64 * 'A'}": "x"}),
    "assets a list": one(shared_assets=[]),
    "asset not there": one(shared_assets={URI: "x"}),
    "asset outside": one(shared_assets={URI: "../x"}),
    "asset a number": one(shared_assets={URI: 3}),
    "asset of another digest": Case(
        one().manifest, ("cpu/model.onnx", f"shared_assets/sha256-{HEX}/t.json")
    ),
    "asset a link": Case(one().manifest, links=((f"shared_assets/sha256-{HEX}", "/etc"),)),
    "asset a link inside": Case(one().manifest, links=((f"shared_assets/sha256-{HEX}", "../cpu"),)),
    "asset placed by a link": Case(
        one(shared_assets={URI: "link"}).manifest, links=(("link", "cpu"),)
    ),
    "model named": ort({"model_file": "model.onnx"}),
    "model missing": ort({"model_file": "nope.onnx"}),
    "model outside": ort({"model_file": "../../etc/passwd"}),
    "model absolute": ort({"model_file": "/etc/passwd"}),
    "model a number": ort({"model_file": 1}),
    "model in no asset": ort({"model_file": f"{URI}/model.onnx"}),
    "model in an asset": Case(
        ort({"model_file": f"{URI}/t.onnx"}).manifest,
        ("cpu/model.onnx", f"shared_assets/sha256-{HEX}/t.onnx"),
    ),
    "model beside an asset": Case(
        ort({"model_file": f"{URI}/../t.onnx"}).manifest,
        ("cpu/model.onnx", f"shared_assets/sha256-{HEX}/t.onnx"),
    ),
    "model empty": ort({"model_file": ""}),
    "another key": ort({"filename": "x"}),
    "told in a file": Case(ort("o.json").manifest, ("cpu/model.onnx", "cpu/o.json")),
    "told in a missing file": ort("o.json"),
    "told in a file outside": ort("../../o.json"),
    "told in a list": one({"executor_info": []}),
    "told a number": ort(3),
    "session a list": ort({"session_options": []}),
    "session with numbers": ort({"session_options": {"a": 1}}),
    "session writes a file": ort({"session_options": {"session.enable_profiling": "1"}}),
    "session with a folder": ort(
        {"session_options": {"session.model_external_initializers_file_folder_path": "w"}}
    ),
    "session with a folder outside": ort(
        {"session_options": {"session.model_external_initializers_file_folder_path": "../w"}}
    ),
    "provider with numbers": ort({"provider_options": {"a": 1}}),
}


@pytest.fixture
def build(tmp_path: Path) -> Callable[[Case], Path]:
    """Write a package, each of its models the same."""

    def make(case: Case) -> Path:
        root = tmp_path / "package"
        for name in case.files:
            if name.endswith(".onnx"):
                builders.vision(root / name)
            else:
                builders.text_file(root / name)
        root.mkdir(exist_ok=True)
        for name, target in case.links:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).symlink_to(target)
        text = case.manifest if isinstance(case.manifest, str) else json.dumps(case.manifest)
        (root / "manifest.json").write_text(text, "utf-8")
        return root

    return make


def accepted(root: Path) -> dict[str, list[str]] | None:
    """Components and variants that onnxruntime reads; None: it refuses the package."""
    try:
        onnxruntime.ModelPackage.open(str(root))
        context = onnxruntime.ModelPackageContext(str(root))
    except Exception:
        return None
    return {name: context.get_variant_names(name) for name in context.get_component_names()}


@pytest.mark.parametrize("name", CASES)
def test_what_onnxruntime_refuses_is_refused(name: str, build: Callable[[Case], Path]) -> None:
    case = CASES[name]
    root = build(case)
    expected = accepted(root)
    if expected is None or case.stricter:
        with pytest.raises(GraphcountError) as caught:
            graphcount.deployment(str(root))
        assert "\n" not in str(caught.value)
        assert str(root) in str(caught.value)
        return
    made = graphcount.deployment(str(root))
    variants: dict[str, list[str]] = {}
    for row in made.variants:
        variants.setdefault(row.component, []).append(row.name)
    assert variants == {name: rows for name, rows in expected.items() if rows}


def test_both_answers_occur(build: Callable[[Case], Path]) -> None:
    """A test of the cases: neither side refuses everything."""
    assert accepted(build(CASES["least"])) == {"a": ["cpu"]}


def authored(folder: Path) -> Path:
    """A package that onnxruntime's writer made: two components, two variants, a shared asset."""
    source = folder / "source"
    builders.text_file(source / "tokenizer.json", '{"version": "1.0"}')
    builders.text_file(source / "sub" / "merges.txt", "a b\n")
    package = onnxruntime.ModelPackage()
    package.set_metadata("whisper-like", "1.0", "an encoder and a decoder")
    uri = package.add_shared_asset(str(source))
    root = folder / "package"
    encoder = {"variants": {"cpu": {"ep": "CPUExecutionProvider", "device": "cpu"}}}
    package.set_component_inline("encoder", json.dumps(encoder))
    variants = {
        name: {
            "variant_directory": f"decoder-{name}",
            "ep": provider,
            "executor_info": {
                "ort": {"model_file": "model.onnx"},
                "genai": {"tokenizer": f"{uri}/tokenizer.json"},
            },
        }
        for name, provider in (("cuda", "CUDAExecutionProvider"), ("cpu", "CPUExecutionProvider"))
    }
    builders.encoder(root / "cpu" / "model.onnx")
    builders.decoder(root / "decoder-cpu" / "model.onnx")
    builders.decoder(root / "decoder-cuda" / "model.onnx", dtype=np.float16)
    staged = folder / "staged"
    root.rename(staged)
    package.commit(str(root))
    for name in os.listdir(staged):
        (staged / name).rename(root / name)
    package = onnxruntime.ModelPackage.open(str(root))
    package.set_component_inline("decoder", json.dumps({"variants": variants}))
    package.commit()
    package.close()
    return root


def test_a_package_that_onnxruntime_wrote(tmp_path: Path) -> None:
    root = authored(tmp_path)
    made = graphcount.deployment(str(root), deep=True)
    info = onnxruntime.ModelPackage.open(str(root)).get_info()
    theirs = {
        (part["name"], variant["name"]): variant
        for part in info["components"]
        for variant in part["variants"]
    }
    ours = {(row.component, row.name): row for row in made.variants}
    assert ours.keys() == theirs.keys()
    assert len(ours) == 3
    for key, row in ours.items():
        directory = Path(theirs[key]["variant_directory"])
        assert row.model is not None
        assert (root / row.model).parent == directory
        assert row.ep == theirs[key]["ep"]
        assert row.device == (theirs[key]["device"] or "")
    assert made.name == info["package_name"] == "whisper-like"
    assert [asset.uri for asset in made.assets] == [row["uri"] for row in info["shared_assets"]]
    assert all(asset.digest for asset in made.assets)
    files = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    assert {row.path: row.nbytes for row in made.files} == {
        name: path.stat().st_size for name, path in files.items()
    }
    assert made.totals.disk_nbytes == sum(path.stat().st_size for path in files.values())
    assert not [row for row in made.findings if row.severity != "info"]
    options = onnxruntime.ModelPackageOptions(cpu_session())
    context = onnxruntime.ModelPackageContext(str(root))
    for row in made.components:  # the usual variant is what onnxruntime takes on a CPU
        chosen = context.select_component(row.component, options)
        assert row.name == chosen.get_selected_variant_name()


def cpu_session() -> onnxruntime.SessionOptions:
    """Session options that name the CPU."""
    options = onnxruntime.SessionOptions()
    options.add_provider("CPUExecutionProvider", {})
    return options


def test_digests_are_those_of_onnxruntime(tmp_path: Path) -> None:
    """Names that sort differently as paths, as text and by case; an empty file and folder."""
    folder = tmp_path / "asset"
    for name in ("a.b", "a/b", "a-b", "B", "b", "\u00e9", "z/empty"):
        builders.text_file(folder / "x" / name, "" if name == "z/empty" else name)
    (folder / "x" / "nothing").mkdir()
    expected = onnxruntime.ModelPackage.compute_directory_hash(str(folder / "x"))
    assert asset_uri(list_folder(str(folder)), "x") == expected


def asset_folder(root: Path) -> Path:
    """The folder of the only shared asset."""
    (folder,) = (root / "shared_assets").iterdir()
    return folder


def edited(root: Path) -> None:
    """One byte is another."""
    (asset_folder(root) / "tokenizer.json").write_text('{"version": "1.1"}')


def renamed(root: Path) -> None:
    """A file has another name."""
    (asset_folder(root) / "tokenizer.json").rename(asset_folder(root) / "tokeniser.json")


def extended(root: Path) -> None:
    """A file more."""
    builders.text_file(asset_folder(root) / "more.json")


def linked(root: Path) -> None:
    """A file is a link to one with the same content."""
    file = asset_folder(root) / "tokenizer.json"
    file.rename(root / "elsewhere.json")
    file.symlink_to("../../elsewhere.json")


@pytest.mark.parametrize("tamper", [edited, renamed, extended, linked])
def test_an_asset_that_is_not_what_its_name_says(
    tamper: Callable[[Path], None], tmp_path: Path
) -> None:
    root = authored(tmp_path)
    tamper(root)
    folder = asset_folder(root)
    if tamper is linked:
        with pytest.raises(ValueError, match="symlink"):
            onnxruntime.ModelPackage.compute_directory_hash(str(folder))
    else:
        digest = onnxruntime.ModelPackage.compute_directory_hash(str(folder))
        assert digest.partition(":")[2] != folder.name.partition("-")[2]
    made = graphcount.deployment(str(root), deep=True)
    assert [row.digest for row in made.assets] == [False]
    assert [row.rule for row in made.findings if row.severity == "critical"] == ["DEP003"]
    unread = graphcount.deployment(str(root))
    assert [row.digest for row in unread.assets] == [None]  # no weights are read unasked


def test_a_manifest_of_another_program_is_none(tmp_path: Path) -> None:
    builders.vision(tmp_path / "model.onnx")
    builders.text_file(tmp_path / "manifest.json", '{"name": "a web page", "icons": []}')
    assert graphcount.deployment(str(tmp_path)).layout == "folder"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEAD + ',"additional_metadata":' + 100_000 * "[" + 100_000 * "]" + "}", "nested"),
        (HEAD + ',"additional_metadata":"' + 17 * 2**20 * "x" + '"}', "larger than"),
        ("\xff", "JSON"),
    ],
    ids=["deep", "large", "bytes"],
)
def test_a_manifest_that_would_cost_much_is_refused(text: str, why: str, tmp_path: Path) -> None:
    builders.vision(tmp_path / "model.onnx")
    (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(GraphcountError, match=why):
        graphcount.deployment(str(tmp_path))


def test_weights_in_a_shared_asset_count_once(tmp_path: Path) -> None:
    """Two variants of one component, and one file of weights that both are told of."""
    root = tmp_path / "package"
    builders.decoder(root / "one" / "model.onnx", data="weights.data")
    weights = root / "weights"
    weights.mkdir()
    (root / "one" / "weights.data").rename(weights / "weights.data")
    builders.decoder(root / "two" / "model.onnx", data="weights.data")
    (root / "two" / "weights.data").unlink()
    option = {"session.model_external_initializers_file_folder_path": "weights"}
    slot = {"ort": {"model_file": "model.onnx", "session_options": option}}
    components: dict[str, Any] = {}
    for name in ("one", "two"):
        info = {"executor_info": slot, "variant_directory": name}
        (root / name / "weights").symlink_to("../weights")
        components[name] = {"variants": {"cpu": info}}
    (root / "manifest.json").write_text(json.dumps({**VERSION, "components": components}))
    assert accepted(root) == {"one": ["cpu"], "two": ["cpu"]}
    made = graphcount.deployment(str(root))
    assert not [item for item in made.unknown if item.affects == "counts"]
    first, second = made.variants
    matrices = (weights / "weights.data").stat().st_size
    assert second.shared_nbytes == matrices
    assert first.parameters is not None
    assert made.totals.parameters == first.parameters == matrices // 4
    assert made.totals.disk_nbytes == sum(
        path.stat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink()
    )
    assert {row.path: row.components for row in made.files if row.kind == "data"} == {
        "weights/weights.data": ("one/cpu", "two/cpu")
    }
