"""Which models are checked: globs, folders, and never nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphcount.errors import UsageError
from graphcount.gates.checks import Check
from graphcount.gates.select import targets


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.onnx", "b.onnx", "old/c.onnx", "old/d.ONNX", "old/note.txt", "x[1].onnx"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(folder: Path, *paths: str, exclude: tuple[str, ...] = (), name: str = "c") -> Check:
    return Check(name, folder=str(folder), paths=paths, exclude=exclude)


def chosen(*arguments: object) -> list[tuple[str, list[str]]]:
    found = targets(*arguments)  # type: ignore[arg-type]
    return [(row.path.replace(os.sep, "/"), [c.name for c in row.checks]) for row in found]


def test_checks_choose_models(folder: Path) -> None:
    rows = [check(folder, "*.onnx", exclude=("b.*",)), check(folder, "a.onnx", "old", name="d")]
    assert chosen([], rows, None) == [
        ("a.onnx", ["c", "d"]),
        ("x[1].onnx", ["c"]),
        ("old/c.onnx", ["d"]),
        ("old/d.ONNX", ["d"]),
    ]


def test_named_models_meet_the_checks_that_match(folder: Path) -> None:
    rows = [check(folder, "a*"), check(folder, "**/*.onnx", name="d"), Check("everywhere")]
    assert chosen(["a.onnx", "old"], rows, None) == [
        ("a.onnx", ["c", "d", "everywhere"]),
        ("old/c.onnx", ["d", "everywhere"]),
        ("old/d.ONNX", ["everywhere"]),
    ]


def test_a_model_named_twice_is_read_once(folder: Path) -> None:
    names = ["a.onnx", str(folder / "a.onnx"), "."]
    paths = [path for path, _ in chosen(names, [], Check("o"))]
    assert [os.path.basename(path) for path in paths] == [
        "a.onnx",
        "b.onnx",
        "x[1].onnx",
        "c.onnx",
        "d.ONNX",
    ]


def test_options_count_for_what_checks_choose(folder: Path) -> None:
    assert chosen([], [check(folder, "a.onnx")], Check("o")) == [("a.onnx", ["c", "o"])]


@pytest.mark.parametrize(
    ("models", "paths", "said"),
    [
        ([], ["z*.onnx"], "matches no file"),
        ([], ["a.onnx", "z*.onnx"], "matches no file"),
        ([], [], "has no paths"),
        (["b.onnx"], ["a.onnx"], "no check applies"),
        (["empty"], ["a.onnx"], "no .onnx file in it"),
    ],
)
def test_nothing_is_no_check(folder: Path, models: list[str], paths: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        targets(models, [check(folder, *paths)], None)


def test_a_check_that_excludes_all_it_chose_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="excludes every file"):
        targets([], [check(folder, "a.onnx", exclude=("*",))], None)
