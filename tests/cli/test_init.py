"""`graphcount init`: what it writes is read back, passes, and fails when the model grows."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from graphcount.cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def project(tmp_path: Path, fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("cnn.onnx", "mlp_4_5_3.onnx", "transformer_block.onnx"):
        shutil.copy(fixtures / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_it_writes_passes(run: Run, project: Path) -> None:
    code, out, err = run("init", ".")
    assert (code, out) == (0, "")
    assert "3 checks" in err
    code, out, _ = run("check")
    assert code == 0
    assert "3 models" in out


def test_the_headroom_is_added_and_rounded_up(run: Run, project: Path) -> None:
    run("init", "cnn.onnx", "--dim", "batch=1", "--headroom", "10%", "--quiet")
    (check,) = tomllib.loads((project / "graphcount.toml").read_text())["checks"]
    assert check["paths"] == ["cnn.onnx"]
    assert check["dims"] == {"batch": 1}
    assert check["max"]["parameters"] == 29_619  # 26,926 x 1.1 = 29,618.6
    assert check["max"]["nbytes"] == 118_492  # 107,720 x 1.1
    assert check["max"]["macs"] == 411_242  # 373,856 x 1.1 = 411,241.6
    assert run("check")[0] == 0


@pytest.mark.parametrize("option", [("--in-place",), ("--macs-convention", "torchinfo")])
def test_numbers_that_a_check_would_not_measure_are_not_written(
    run: Run, project: Path, option: tuple[str, ...]
) -> None:
    """A configuration has no key for them: the check it is for measures otherwise."""
    code, out, err = run("init", "cnn.onnx", "--dim", "batch=1", "--headroom", "0%", *option)
    assert (code, out) == (2, "")
    assert err.startswith(f"graphcount: {option[0]}: no such option; ")
    assert not (project / "graphcount.toml").exists()


def test_without_headroom_the_limits_are_todays_numbers(run: Run, project: Path) -> None:
    run("init", "mlp_4_5_3.onnx", "--headroom", "0%")
    assert "parameters = 43 " in (project / "graphcount.toml").read_text()
    assert run("check")[0] == 0
    (project / "mlp_4_5_3.onnx").write_bytes((project / "cnn.onnx").read_bytes())
    assert run("check")[0] == 1


def test_dimensions_without_a_size_get_one_that_is_marked(run: Run, project: Path) -> None:
    run("init", "transformer_block.onnx", "--dim", "batch=2")
    text = (project / "graphcount.toml").read_text()
    dims = "dims = { batch = 2, sequence = 128 }  # sequence assumed: change to what you deploy\n"
    assert dims in text
    run("init", "transformer_block.onnx", "--force", "--dim", "batch=2", "--dim", "sequence=128")
    again = (project / "graphcount.toml").read_text()
    assert again == text.replace("  # sequence assumed: change to what you deploy", "")


def test_each_check_has_the_sizes_that_its_model_has(run: Run, project: Path) -> None:
    models = ("cnn.onnx", "transformer_block.onnx")
    assert run("init", *models, "--dim", "sequence=16")[0] == 0
    first, second = tomllib.loads((project / "graphcount.toml").read_text())["checks"]
    assert first["dims"] == {"batch": 1}  # assumed, as is the other's
    assert second["dims"] == {"sequence": 16, "batch": 1}
    code, _, err = run("init", *models, "--dim", "sequense=16", "--force")
    assert (code, err) == (
        2,
        "graphcount: no model has dimension or input sequense; there is sequence\n",
    )


def test_it_does_not_overwrite_unless_told(run: Run, project: Path) -> None:
    (project / "graphcount.toml").write_text("# mine\n")
    code, _, err = run("init", "cnn.onnx")
    assert code == 2
    assert "--force" in err
    assert (project / "graphcount.toml").read_text() == "# mine\n"
    assert run("init", "cnn.onnx", "--force")[0] == 0
    assert "parameters" in (project / "graphcount.toml").read_text()


def test_it_prints_tables_for_pyproject(run: Run, project: Path) -> None:
    code, out, _ = run("init", "cnn.onnx", "--format", "pyproject")
    assert code == 0
    assert tomllib.loads(out)["tool"]["graphcount"]["checks"][0]["name"] == "cnn"
    (project / "pyproject.toml").write_text(out)
    assert run("check")[0] == 0


@pytest.mark.parametrize("name", ["a [b]*.onnx", 'quo"te\\.onnx', "ünïcode 中文.onnx", "#.onnx"])
def test_odd_paths_are_written_so_that_they_are_found(run: Run, project: Path, name: str) -> None:
    try:
        (project / "cnn.onnx").rename(project / name)
    except OSError:
        pytest.skip("this file system has no such names")
    assert run("init", name)[0] == 0
    code, out, _ = run("check")
    assert code == 0
    assert "1 model" in out


@pytest.mark.parametrize(
    "arguments",
    [["none.onnx"], ["-"], ["cnn.onnx", "--headroom", "lots"], ["cnn.onnx", "--dim", "x=1"]],
)
def test_what_it_cannot_do_is_one_line(run: Run, project: Path, arguments: list[str]) -> None:
    code, out, err = run("init", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (project / "graphcount.toml").exists()
