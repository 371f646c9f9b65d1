"""Which models are checked: globs, folders, and never nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphcount.errors import NotReadableError, UsageError
from graphcount.gates.budgets import Origin
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
    return [(row.path.replace(os.sep, "/"), [c.name for c in row.checks]) for row in found.models]


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
        (["empty"], ["a.onnx"], "no .onnx file in it"),
    ],
)
def test_nothing_is_no_check(folder: Path, models: list[str], paths: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        targets(models, [check(folder, *paths)], None)


def test_a_check_that_excludes_all_it_chose_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="excludes every file"):
        targets([], [check(folder, "a.onnx", exclude=("*",))], None)


def test_an_option_alone_checks_nothing_without_a_model(folder: Path) -> None:
    with pytest.raises(UsageError, match="nothing to check"):
        targets([], [], Check("o"))


def test_every_mistake_names_the_check_and_its_place(folder: Path) -> None:
    origin = Origin("graphcount.toml", 3)
    for paths, exclude, said in (
        ((), (), "graphcount.toml:3: check edge has no paths: name a MODEL"),
        (("z*",), (), "graphcount.toml:3: check edge: 'z*' matches no file"),
        (("a.onnx",), ("a.*",), "graphcount.toml:3: check edge excludes every file"),
    ):
        wrong = Check("edge", origin, str(folder), paths, exclude)
        with pytest.raises(UsageError) as error:
            targets([], [wrong], None)
        assert str(error.value) == said
        with pytest.raises(UsageError, match=r"toml:3: check 1\b"):  # as it is called without one
            targets([], [wrong._replace(name="check 1")], None)


def test_what_one_check_excludes_another_may_choose(folder: Path) -> None:
    rows = [check(folder, "*.onnx", exclude=("old", "b.onnx")), check(folder, "b.onnx", name="d")]
    assert chosen([], rows, None) == [("a.onnx", ["c"]), ("x[1].onnx", ["c"]), ("b.onnx", ["d"])]
    assert chosen(["b.onnx", "a.onnx"], rows, None) == [("b.onnx", ["d"]), ("a.onnx", ["c"])]
    assert targets(["b.onnx"], rows[:1], None).ignored == ("b.onnx",)


def test_a_model_chosen_twice_by_a_check_is_held_once(folder: Path) -> None:
    assert chosen([], [check(folder, "a.onnx", "a*")], None) == [("a.onnx", ["c"])]


def test_patterns_of_a_check_are_relative_to_its_own_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies outside of the current folder is shown by its whole path."""
    monkeypatch.chdir(folder / "old")
    row = check(folder, "a.onnx", "old")
    found = chosen([], [row], None)
    whole = os.path.join(os.path.abspath(".."), "a.onnx").replace(os.sep, "/")
    assert found == [(whole, ["c"]), ("c.onnx", ["c"]), ("d.ONNX", ["c"])]
    assert chosen(["c.onnx"], [row], None) == [("c.onnx", ["c"])]


def test_folders_are_walked_in_order(folder: Path) -> None:
    for name in ("sub/z.onnx", "sub/b/q.onnx", "sub/a/p.onnx", "sub/a.onnx"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    expected = ["sub/a.onnx", "sub/z.onnx", "sub/a/p.onnx", "sub/b/q.onnx"]
    assert [path for path, _ in chosen(["sub"], [], Check("o"))] == expected


def test_a_folder_that_cannot_be_read_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("old"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(NotReadableError) as error:
        targets(["."], [], Check("o"))
    assert (error.value.message, error.value.path) == ("permission denied", "./old")


def test_standard_input_is_no_folder(folder: Path) -> None:
    (folder / "-").mkdir()
    assert chosen(["-"], [], Check("o")) == [("-", ["o"])]
