"""What names stand for: every model once, in an order of its own, nothing opened."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from graphcount.errors import GraphcountError, NotReadableError, UsageError
from graphcount.scanning.targets import DEFAULT_GLOBS, Target, expand


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Some names; their contents do not matter here."""
    for name in ("b.onnx", "a/x.onnx", "a/deep/y.ONNX", "a/z.txt", "c.pb", "a.b/w.onnx"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(*targets: str, globs: tuple[str, ...] = DEFAULT_GLOBS) -> list[str]:
    return [target.path for target in expand(targets, globs)]


def test_a_folder_is_walked_in_order(tree: Path) -> None:
    assert paths(".") == ["a/deep/y.ONNX", "a/x.onnx", "a.b/w.onnx", "b.onnx"]
    assert paths("a/") == ["a/deep/y.ONNX", "a/x.onnx"]
    assert paths("a", globs=("*.txt", "deep/*")) == ["a/deep/y.ONNX", "a/z.txt"]


def test_a_file_is_taken_whatever_its_name(tree: Path) -> None:
    assert paths("c.pb", "none.onnx", "b.onnx") == ["c.pb", "none.onnx", "b.onnx"]


@pytest.mark.parametrize("name", ["a", "./a", "a/", "././a//", ".//a/.", "./b.onnx", "./a/*.onnx"])
def test_a_path_has_one_spelling(tree: Path, name: str) -> None:
    """A model that is named twice is looked at once, so both names have to be equal."""
    found = paths(name)
    assert found
    assert set(found) < set(paths("."))
    assert paths("./../a") == ["../a"]  # what leads up stays
    assert paths(f"{tree}//./a/") == [f"{tree}/a/deep/y.ONNX", f"{tree}/a/x.onnx"]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*.onnx", ["b.onnx"]),
        ("a/*.onnx", ["a/x.onnx"]),
        ("**/*.onnx", ["a/x.onnx", "a.b/w.onnx", "b.onnx"]),
        ("a*/*.onnx", ["a/x.onnx", "a.b/w.onnx"]),
        ("?.onnx", ["b.onnx"]),
        ("[!a]*.pb", ["c.pb"]),
        ("a/**", ["a/deep/y.ONNX", "a/x.onnx", "a/z.txt"]),
    ],
)
def test_globs(tree: Path, glob: str, found: list[str]) -> None:
    assert paths(glob) == found
    absolute = [f"{tree}/{name}" for name in found]
    assert paths(f"{tree}/{glob}") == absolute


def test_a_glob_without_a_match_is_said(tree: Path) -> None:
    with pytest.raises(NotReadableError, match="matches no file"):
        paths("*.nothing")


def test_lists(tree: Path) -> None:
    (tree / "list.txt").write_text("# two\nb.onnx\n\n  a/x.onnx  \r\nhttps://h/m.onnx?a=1\n")
    assert paths("@list.txt") == ["b.onnx", "a/x.onnx", "https://h/m.onnx?a=1"]
    for text in ("@list.txt\n", "a\0b\n", "x" * 70_000):
        (tree / "bad.txt").write_text(text)
        with pytest.raises(NotReadableError, match="list"):
            paths("@bad.txt")
    with pytest.raises(UsageError, match="standard input"):
        paths("-")


def test_members_of_archives(tree: Path) -> None:
    with zipfile.ZipFile(tree / "m.zip", "w") as file:
        for name in ("z.onnx", "folder/a.onnx", "readme.txt"):
            file.writestr(name, b"")
    (tree / "broken.zip").write_bytes(b"x")
    assert paths("m.zip") == ["zip://z.onnx::m.zip", "zip://folder/a.onnx::m.zip"]
    assert paths(".", globs=("*.zip", "z.onnx")) == ["broken.zip", "zip://z.onnx::m.zip"]
    (broken,) = expand(["broken.zip"])
    assert "damaged zip" in broken.problem


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs")
def test_traps_are_listed_and_not_opened(tree: Path) -> None:
    os.mkfifo(tree / "a" / "fifo.onnx")
    os.mkfifo(tree / "a" / "fifo.zip")
    os.mkfifo(tree / "list")
    (tree / "a" / "loop").symlink_to(tree)
    (tree / "a" / "gone.onnx").symlink_to(tree / "nowhere")
    assert paths("a") == ["a/deep/y.ONNX", "a/fifo.onnx", "a/gone.onnx", "a/x.onnx"]
    assert [target.problem for target in expand(["a/fifo.zip"])] == [
        "is a FIFO (named pipe), not a file"
    ]
    with pytest.raises(GraphcountError, match="FIFO"):
        paths("@list")


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_listed_is_a_row(tree: Path) -> None:
    (tree / "a").chmod(0)
    try:
        assert Target("./a", "the folder cannot be listed: permission denied") in expand(["."])
    finally:
        (tree / "a").chmod(0o755)


def test_folders_of_a_store() -> None:
    fsspec = pytest.importorskip("fsspec")
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    for name in ("/hub/b.onnx", "/hub/a/x.onnx", "/hub/a/y.txt"):
        fs.pipe(name, b"x")
    assert paths("memory://hub/") == ["memory://hub/a/x.onnx", "memory://hub/b.onnx"]
    assert paths("memory://hub/*/*.onnx") == ["memory://hub/a/x.onnx"]
    fs.store.clear()
