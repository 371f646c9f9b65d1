"""Results are written over no model, no external data and through no link, without --force."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from graphcount.cli.main import main

Complain = Callable[[str], str]

WRITING = (
    "count m/model.onnx -o {}",
    "count m/model.onnx --also json={}",
    "check m/model.onnx --max nodes=99 -o {}",
    "check m/model.onnx --max nodes=99 --write-baseline {}",
    "diff m/model.onnx m/model.onnx -o {}",
    "audit m/model.onnx -o {}",
    "bench m/model.onnx -o {}",
    "bench m/model.onnx --save-inputs {}",
    "bench m/model.onnx --history {}",
    "page m/model.onnx -o {}",
    "export m/model.onnx -o {}",
    "explain m/model.onnx product -o {}",
    "plan m/model.onnx -o {}",
    "deploy m -o {}",
    "audit m -o {}",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of a folder with external data in the folder below, and a link to that."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m" / "data").mkdir(parents=True)
    weight = TensorProto(name="w", data_type=1, dims=[4, 4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "data/w.bin"), ("length", "64")):
        weight.external_data.add(key=key, value=value)
    node = helper.make_node("MatMul", ["x", "w"], ["y"], "product")
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    graph = helper.make_graph([node], "main", infos[:1], infos[1:], [weight])
    onnx.save(helper.make_model(graph, ir_version=10), "m/model.onnx")
    Path("m/data/w.bin").write_bytes(np.arange(16, dtype=np.float32).tobytes())
    Path("link").symlink_to("m/data/w.bin")
    Path("hard").hardlink_to("m/model.onnx")
    Path("other.txt").write_text("precious")
    Path("other").symlink_to("other.txt")
    Path("nowhere").symlink_to("not-there-yet")
    return tmp_path


@pytest.fixture
def complain(capsys: pytest.CaptureFixture[str]) -> Complain:
    def run(line: str) -> str:
        before = contents()
        assert main(line.split()) == 2
        assert contents() == before
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        return err

    return run


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


DATA = "is external data of m/model.onnx, and would be overwritten"


@pytest.mark.parametrize("line", WRITING)
@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("m/data/w.bin", DATA),
        ("./m/../m/data/w.bin", DATA),
        ("link", "is a link to {here}/m/data/w.bin, which would be overwritten"),
        ("other", "is a link to {here}/other.txt, which would be overwritten"),
        ("nowhere", "is a link to {here}/not-there-yet, which would be overwritten"),
    ],
)
def test_what_is_there_stays(line: str, target: str, why: str, complain: Complain) -> None:
    words = why.format(here=os.path.realpath("."))
    expected = f"graphcount: {target}: {words}; write to another file, or give --force\n"
    assert complain(line.format(target)) == expected


@pytest.mark.parametrize("line", WRITING[:-2])
@pytest.mark.parametrize("target", ["m/model.onnx", "hard"])
@pytest.mark.parametrize("force", ["", " --force"])
def test_a_model_that_is_named_stays_whatever_is_given(
    line: str, target: str, force: str, complain: Complain
) -> None:
    words = "is read, and would be overwritten; write to another file"
    assert complain(line.format(target) + force) == f"graphcount: {target}: {words}\n"


@pytest.mark.parametrize(
    "line", ["scan {} -o {}", "check {} --max nodes=9 -o {}", "deploy {} -o {}"]
)
def test_models_of_a_folder_and_their_data_stay(line: str, complain: Complain) -> None:
    shutil.move("m/data/w.bin", "m/data/w.csv")
    model = onnx.load("m/model.onnx", load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "data/w.csv"
    model.graph.initializer[0].external_data[0].key = "location"
    onnx.save(model, "m/model.onnx")
    shutil.copy("m/model.onnx", "m/other.onnx")
    if not line.startswith("deploy"):
        assert DATA in complain(line.format("m", "m/data/w.csv"))
        assert DATA in complain(line.format("m/*.onnx", "m/data/w.csv"))
    if not line.startswith("scan"):
        assert "is one of the models" in complain(line.format("m", "m/other.onnx"))


def test_force_overwrites_data_and_through_links() -> None:
    assert main(["count", "m/model.onnx", "-o", "other", "--force"]) == 0
    assert Path("other").is_symlink()
    assert "MatMul" in Path("other.txt").read_text()
    assert main(["count", "m/model.onnx", "-o", "m/data/w.bin", "--force"]) == 0
    assert "MatMul" in Path("m/data/w.bin").read_text()
    assert Path("link").read_bytes() == Path("m/data/w.bin").read_bytes()


def test_the_other_name_of_a_hard_link_keeps_what_it_has() -> None:
    """A file is put in the place of a name: nothing is written into what the name stood for."""
    Path("second").hardlink_to("other.txt")
    Path("inputs.npz").hardlink_to("other.txt")
    assert main(["count", "m/model.onnx", "-o", "second"]) == 0
    assert (
        main(
            [
                "bench",
                "m/model.onnx",
                "--runs",
                "1",
                "--warmup",
                "0",
                "-q",
                "--save-inputs",
                "inputs.npz",
            ]
        )
        == 0
    )
    assert "MatMul" in Path("second").read_text()
    assert zipfile.is_zipfile("inputs.npz")
    assert Path("other.txt").read_text() == "precious"


def test_lists_archives_and_inputs_are_read_too(complain: Complain) -> None:
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.write("hard", "model.onnx")
    Path("list.csv").write_text("m/model.onnx\n")
    np.save("x.npy", np.ones((1, 4), np.float32))
    words = "is read, and would be overwritten"
    assert words in complain("count zip://model.onnx::a.zip -o a.zip")
    assert words in complain("scan @list.csv -o list.csv")
    assert words in complain("scan --from list.csv -o list.csv")
    assert words in complain("bench m/model.onnx --input x=x.npy -o x.npy")


def test_files_of_before_are_written_again() -> None:
    Path("m/data/report.json").write_text("{}")
    for _ in range(2):
        assert main(["count", "m/model.onnx", "-o", "m/data/report.json"]) == 0
        assert main(["scan", "m", "-o", "m/inventory.csv", "-q"]) == 0
    assert main(["count", "m/model.onnx", "-o", os.devnull]) == 0
