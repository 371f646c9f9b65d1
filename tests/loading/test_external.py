"""external: containment, sizes and numbers of side files, and that none is ever opened."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.external_data_helper import convert_model_to_external_data

import graphcount
from graphcount.analysis.stored import find_stored
from graphcount.errors import NotReadableError
from graphcount.loading import external, read_model
from graphcount.loading.external import ExternalData, locate, open_external_file
from graphcount.loading.model import Tensor

POSIX = pytest.mark.skipif(os.name != "posix", reason="links and FIFOs of POSIX")
SIZE = 64
"""Bytes of the side file and of the tensor (16 float32)."""


def tensor(*entries: tuple[str, str], dims: tuple[int, ...] = (16,), data_type: int = 1) -> Tensor:
    return Tensor("w", data_type, dims, (), entries, True, False, 0)


def look(folder: Path, *entries: tuple[str, str], **changes: Any) -> ExternalData:
    return locate(tensor(*entries, **changes), str(folder / "model.onnx"), {})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a model, a side file of 64 bytes, and a secret beside the folder."""
    (tmp_path / "secret").write_bytes(bytes(SIZE))
    folder = tmp_path / "home"
    (folder / "sub").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"")
    (folder / "w.bin").write_bytes(bytes(SIZE))
    (folder / "sub" / "w.bin").write_bytes(bytes(SIZE))
    return folder


# ------------------------------------------------------------------------------------- locations


@pytest.mark.parametrize(
    "location", ["w.bin", "./w.bin", "sub/w.bin", "sub//w.bin", "./sub/./w.bin", "größe.bin", "..."]
)
def test_file_in_the_folder_is_accepted(location: str, home: Path) -> None:
    (home / "größe.bin").write_bytes(bytes(SIZE))
    (home / "...").write_bytes(bytes(SIZE))
    found = look(home, ("location", location))
    assert (found.problem, found.note, found.nbytes) == ("", "", SIZE)
    assert found.path == os.path.realpath(home / location)


@pytest.mark.parametrize(
    ("location", "rules", "why"),
    [
        ("", "EXT009", "without a location"),
        ("/etc/passwd", "EXT001", "absolute"),
        ("//server/share", "EXT001", "absolute"),
        ("\\\\server\\share", "EXT001", "absolute"),
        ("\\windows", "EXT001", "absolute"),
        ("C:\\w.bin", "EXT001", "absolute"),
        ("C:/w.bin", "EXT001", "absolute"),
        ("c:w.bin", "EXT001", "absolute"),
        ("http://host/w.bin", "EXT009", "absolute: a URL"),
        ("HTTP://HOST/w.bin", "EXT009", "absolute: a URL"),
        ("file:///etc/passwd", "EXT009", "absolute: a URL"),
        ("s3+x.y-z://bucket/w", "EXT009", "absolute: a URL"),
        ("S3+X.Y-Z://BUCKET/W", "EXT009", "absolute: a URL"),
        ("../secret", "EXT002", "leaves"),
        ("..", "EXT002", "leaves"),
        ("sub/../../secret", "EXT002", "leaves"),
        ("sub/../w.bin", "EXT002", "leaves"),
        ("./../secret", "EXT002", "leaves"),
        ("sub/..", "EXT002", "leaves"),
        ("..\\secret", "EXT009 EXT002", "backslash"),
        ("sub\\w.bin", "EXT009", "backslash"),
        ("w.bin\0", "EXT009", "control"),
        ("w\n.bin", "EXT009", "control"),
        ("w\x1b[31m.bin", "EXT009", "control"),
        ("w\x1f.bin", "EXT009", "control"),
        ("w\x7f.bin", "EXT009", "control"),
        ("w\0/../x", "EXT009 EXT002", "control"),
        ("x" * 4097, "EXT009", "longer than"),
        ("a/" * 2049, "EXT009", "longer than"),
        ("a/" * 2048, "EXT006", "cannot be looked at"),
        ("*/_ORT_MEM_ADDR_/*", "EXT016", "in-memory"),
        ("sub/_ORT_MEM_ADDR_", "EXT016", "in-memory"),
        ("missing.bin", "EXT006", "missing.bin is missing"),
        ("w.bin/below", "EXT006", "w.bin/below cannot be looked at"),
        ("x" * 300, "EXT006", "cannot be looked at"),
        (".", "EXT005", "not a regular file"),
        ("sub", "EXT005", "sub is not a regular file"),
        ("w.bin/", "EXT005", "w.bin/ is not a regular file"),
        ("sub/w.bin/.", "EXT005", "sub/w.bin/. is not a regular file"),
    ],
)
def test_location_is_refused(location: str, rules: str, why: str, home: Path) -> None:
    found = look(home, ("location", location))
    assert (found.location, found.path, found.nbytes) == (location, None, None)
    assert found.notes == ()
    assert [problem.rule for problem in found.problems] == rules.split()
    assert {problem.what for problem in found.problems} == {"external data"}
    assert why in found.problem
    assert open_external_file(found) is None


@POSIX
@pytest.mark.parametrize("location", ["w .bin", "w~.bin", "ww:.bin", "1://x.bin"])
def test_what_only_resembles_a_refused_location_is_looked_for(location: str, home: Path) -> None:
    """A space and `~` are no control characters; a colon after two letters is no drive."""
    (home / location).parent.mkdir(exist_ok=True)
    (home / location).write_bytes(bytes(SIZE))
    found = look(home, ("location", location))
    assert (found.problems, found.nbytes) == ((), SIZE)


@pytest.mark.parametrize(
    ("key", "value", "shown", "most"),
    [
        ("location", "/" + "x" * 300, "/", 200),
        ("location", "s3://" + "x" * 300, "s3://", 200),
        ("location", "a\\" + "x" * 300, "a\\", 200),
        ("location", "../" + "x" * 300, "../", 200),
        ("offset", "x" * 300, "'", 41),
        ("x" * 300, "1", "'", 81),
        ("checksum", "x" * 300, "'", 61),
    ],
)
def test_what_a_stranger_wrote_is_shown_cut(
    key: str, value: str, shown: str, most: int, home: Path
) -> None:
    entries = [(key, value)] if key == "location" else [("location", "w.bin"), (key, value)]
    found = look(home, *entries)
    (row,) = found.problems + found.notes
    text = shown + "x" * (most - len(shown))
    assert text in row.why
    assert text + "x" not in row.why


def test_what_was_not_looked_at_is_empty() -> None:
    refused = external.look("/w.bin", "model.onnx")
    assert refused == ExternalData("/w.bin", 0, None, None, None, refused.problems, (), None)
    assert (refused.problem, refused.note) == ("location /w.bin is absolute", "")
    assert ExternalData("w.bin").problems == ()


def test_no_location_at_all_is_refused(home: Path) -> None:
    assert "without a location" in look(home).problem


def test_location_of_a_model_from_standard_input_is_refused() -> None:
    found = locate(tensor(("location", "w.bin")), "-", {})
    assert "standard input" in found.problem
    assert [problem.rule for problem in found.problems] == ["EXT006"]
    assert found.path is None
    (refused,) = locate(tensor(("location", "/w.bin")), "-", {}).problems
    assert refused.rule == "EXT001"


def test_text_alone_decides_before_anything_is_looked_at(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stat", "lstat"):
        monkeypatch.setattr(os, name, lambda *_, **__: pytest.fail("looked at a file"))
    for location in ("/etc/passwd", "../secret", "C:\\x", "http://x", "", "a\0"):
        assert look(home, ("location", location)).problem


# ----------------------------------------------------------------------------------------- links


@POSIX
def test_link_inside_the_folder_is_accepted_with_a_note(home: Path) -> None:
    (home / "link").symlink_to("sub/w.bin")
    found = look(home, ("location", "link"))
    assert (found.problem, found.nbytes) == ("", SIZE)
    assert [(note.rule, note.why) for note in found.notes] == [
        ("EXT003", "link is reached through a link")
    ]
    assert found.note == "link is reached through a link"
    assert found.path == str((home / "sub" / "w.bin").resolve())


@POSIX
@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "sub/../../secret"])
def test_link_out_of_the_folder_is_refused(target: str, home: Path) -> None:
    (home / "link").symlink_to(target)
    found = look(home, ("location", "link"))
    assert [(problem.rule, problem.why) for problem in found.problems] == [
        ("EXT003", "link is a link that leaves the model's folder")
    ]
    assert (found.location, found.path, found.nbytes) == ("link", None, None)


@POSIX
def test_link_in_a_parent_folder_is_refused(home: Path) -> None:
    (home / "up").symlink_to("..")
    assert "leaves" in look(home, ("location", "up/secret")).problem


@POSIX
def test_link_to_a_folder_with_the_same_beginning_is_refused(home: Path) -> None:
    evil = home.parent / "home-evil"
    evil.mkdir()
    (evil / "w").write_bytes(bytes(SIZE))
    (home / "link").symlink_to("../home-evil/w")
    assert "leaves" in look(home, ("location", "link")).problem


@POSIX
def test_dangling_and_looping_links_are_problems(home: Path) -> None:
    (home / "dangling").symlink_to("nothing")
    (home / "loop").symlink_to("loop")
    assert look(home, ("location", "dangling")).location == "dangling"
    (dangling,) = look(home, ("location", "dangling")).problems
    (loop,) = look(home, ("location", "loop")).problems
    assert (dangling.rule, dangling.why) == ("EXT006", "dangling is missing")
    assert (loop.rule, loop.why) == ("EXT003", "loop cannot be looked at")


@POSIX
def test_a_link_in_the_middle_is_followed_and_what_is_missing_behind_it_is_told(home: Path) -> None:
    (home / "inside").symlink_to("sub")
    (home / "outside").symlink_to("..")
    (home / "dangling").symlink_to("../nothing")
    (home / "loop").symlink_to("loop")
    path = home / "model.onnx"
    expected = {
        "inside/w.bin": ([], ["EXT003"]),
        "inside/nothing/w.bin": (["EXT006"], []),
        "outside/secret": (["EXT003"], []),
        "outside/nothing/w.bin": (["EXT003"], []),
        "dangling/w.bin": (["EXT003"], []),
        "loop/w.bin": (["EXT003"], []),
        "w.bin/x": (["EXT006"], []),
        "n" * 300 + "/w.bin": (["EXT006"], []),
        ".": (["EXT005"], []),
    }
    way = external.Way(str(path))
    for location, rules in 2 * [*expected.items()]:  # the second time from memory
        found = external.look(location, str(path), way=way)
        assert [p.rule for p in found.problems] == rules[0], location
        assert [p.rule for p in found.notes] == rules[1], location
    assert external.look("inside/w.bin", str(path), way=way).path == str(home / "sub" / "w.bin")


def test_each_step_to_side_files_is_looked_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    real = os.lstat

    def lstat(path: str) -> os.stat_result:
        looked.append(path)
        return real(path)

    monkeypatch.setattr(os, "lstat", lstat)
    way, cache = external.Way(str(home / "model.onnx")), dict[str, ExternalData]()
    assert way.folder == way.model.removesuffix(os.sep + "model.onnx")
    looked.clear()
    deep = "missing" + "/x" * 1000
    for index in range(50):
        for location in (f"sub/{index}", f"{deep}{index}"):
            found = locate(tensor(("location", location)), str(home / "model.onnx"), cache, way)
            assert [problem.rule for problem in found.problems] == ["EXT006"]
    assert sorted(looked) == sorted(
        [str(home / "sub"), str(home / "missing"), *(str(home / "sub" / str(i)) for i in range(50))]
    )


@POSIX
def test_hugging_face_cache_is_accepted(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "0123"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "a").write_bytes(b"")
    (blobs / "b").write_bytes(bytes(SIZE))
    (snapshot / "model.onnx").symlink_to("../../blobs/a")
    (snapshot / "model.onnx_data").symlink_to("../../blobs/b")
    found = look(snapshot, ("location", "model.onnx_data"))
    assert (found.problem, found.nbytes) == ("", SIZE)
    assert found.path == str((blobs / "b").resolve())
    file = open_external_file(found)
    assert file is not None
    with file:
        assert file.read() == bytes(SIZE)


@POSIX
def test_cache_layout_does_not_open_other_folders(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    for folder in (blobs, snapshot, tmp_path / "other"):
        folder.mkdir()
    (blobs / "a").write_bytes(b"")
    (tmp_path / "other" / "b").write_bytes(bytes(SIZE))
    (snapshot / "model.onnx").symlink_to("../blobs/a")
    (snapshot / "model.onnx_data").symlink_to("../other/b")
    assert "leaves" in look(snapshot, ("location", "model.onnx_data")).problem


@POSIX
def test_folder_that_is_a_link_itself_is_no_reason_for_a_note(home: Path) -> None:
    (home.parent / "alias").symlink_to("home")
    found = look(home.parent / "alias", ("location", "w.bin"))
    assert (found.problem, found.note, found.nbytes) == ("", "", SIZE)


@POSIX
def test_hard_link_is_sized_noted_and_not_opened(home: Path) -> None:
    os.link(home.parent / "secret", home / "hard")
    found = look(home, ("location", "hard"))
    assert (found.problem, found.nbytes) == ("", SIZE)
    assert [(note.rule, note.why) for note in found.notes] == [
        ("EXT004", "hard has another hard link")
    ]
    assert open_external_file(found) is None


def test_the_model_as_its_own_side_file_is_noted(home: Path) -> None:
    (home / "model.onnx").write_bytes(bytes(SIZE))
    found = look(home, ("location", "model.onnx"))
    assert (found.problem, found.nbytes) == ("", SIZE)
    assert [(note.rule, note.why) for note in found.notes] == [
        ("EXT019", "model.onnx is the model file itself")
    ]


@POSIX
@pytest.mark.parametrize("kind", ["fifo", "folder", "link to /dev/zero", "link to fifo"])
def test_what_is_no_file_is_refused(kind: str, home: Path) -> None:
    if kind == "folder":
        (home / "x").mkdir()
    elif kind == "fifo":
        os.mkfifo(home / "x")
    elif kind == "link to fifo":
        os.mkfifo(home / "f")
        (home / "x").symlink_to("f")
    else:
        (home / "x").symlink_to("/dev/zero")
    found = look(home, ("location", "x"))
    rule, why = {"link to /dev/zero": ("EXT003", "x is a link that leaves the model's folder")}.get(
        kind, ("EXT005", "x is not a regular file")
    )
    assert [(problem.rule, problem.why) for problem in found.problems] == [(rule, why)]
    assert (found.path, found.nbytes) == (None, None)


@POSIX
def test_file_exchanged_for_a_link_or_fifo_after_the_look_is_not_opened(home: Path) -> None:
    for number, change in enumerate((lambda p: p.symlink_to("../secret"), os.mkfifo)):
        path = home / f"side{number}"
        path.write_bytes(bytes(SIZE))
        found = look(home, ("location", path.name))
        path.unlink()
        change(path)  # type: ignore[no-untyped-call]
        assert open_external_file(found) is None


@POSIX
def test_file_exchanged_between_look_and_open_is_not_read(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that was opened is compared with the one that was looked at, and closed."""
    found = look(home, ("location", "w.bin"))
    opened = []

    def another(path: str) -> Any:
        os.replace(home / "sub" / "w.bin", path)  # the attacker is quick
        opened.append(open(path, "rb"))  # noqa: SIM115
        return opened[0]

    monkeypatch.setattr(external, "open_regular", another)
    assert open_external_file(found) is None
    assert opened[0].closed


@POSIX
def test_file_that_is_gone_or_may_not_be_read_is_not_opened(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look(home, ("location", "w.bin"))
    file = open_external_file(found)
    assert file is not None
    with file:
        assert file.read() == bytes(SIZE)

    def refuse(path: str) -> Any:
        raise NotReadableError("no", path)

    with monkeypatch.context() as patch:
        patch.setattr(external, "open_regular", refuse)
        assert open_external_file(found) is None
    (home / "w.bin").unlink()
    assert open_external_file(found) is None


# ----------------------------------------------------------------------------------- in an archive


@pytest.fixture
def packed(tmp_path: Path) -> str:
    """Path of a model in an archive, beside a side file of 64 bytes."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for name, content in (("m/a.onnx", b""), ("m/sub/w.bin", bytes(SIZE)), ("w.bin", b"")):
            file.writestr(name, content)
    return f"zip://m/a.onnx::{tmp_path}/a.zip"


def test_side_file_in_an_archive_is_its_member(packed: str) -> None:
    path = packed.replace("a.onnx", "sub/w.bin")
    for location in ("sub/w.bin", "./sub//w.bin"):
        found = external.look(location, packed)
        assert found == ExternalData(location, path=path, nbytes=SIZE)
    file = open_external_file(found)
    assert file is not None
    with file:
        assert file.read() == bytes(SIZE)
    gone = found._replace(path=path.replace("w.bin", "v.bin"))
    assert open_external_file(gone) is None


def test_side_file_that_an_archive_lacks_is_missing(packed: str) -> None:
    (problem,) = external.look("w.bin", packed).problems
    assert (problem.rule, problem.why) == ("EXT006", "w.bin is missing")
    (problem,) = external.look("../w.bin", packed).problems
    assert problem.rule == "EXT002"


def test_side_files_elsewhere_are_looked_at_up_to_a_bound(packed: str) -> None:
    cache = {str(number): ExternalData(str(number)) for number in range(999)}
    assert locate(tensor(("location", "sub/w.bin")), packed, cache).nbytes == SIZE
    (problem,) = locate(tensor(("location", "./sub/w.bin")), packed, cache).problems
    assert (problem.rule, problem.why) == (
        "EXT006",
        "more than 1,000 external data files; ./sub/w.bin is not looked at",
    )


# --------------------------------------------------------------------------------------- relative


@pytest.mark.parametrize("path", ["model.onnx", "./model.onnx", "../home/model.onnx"])
def test_relative_model_path_has_a_folder(
    path: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    (home.parent / "w.bin").write_bytes(b"another")
    found = locate(tensor(("location", "w.bin")), path, {})
    assert (found.problem, found.path) == ("", str((home / "w.bin").resolve()))
    for location in ("/etc/passwd", "../secret"):
        assert locate(tensor(("location", location)), path, {}).path is None


@POSIX
def test_relative_model_path_contains_links(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    (home / "link").symlink_to("/etc/passwd")
    assert "leaves" in locate(tensor(("location", "link")), "model.onnx", {}).problem


# ---------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("offset", "length", "dims", "why"),
    [
        (None, None, (16,), ""),
        ("0", "64", (16,), ""),
        ("0", None, (16,), ""),
        (None, "64", (16,), ""),
        ("00", "064", (16,), ""),
        ("32", "32", (8,), ""),
        ("64", "0", (0,), ""),
        ("32", "64", (16,), "needs bytes 32 to 96 of a file of 64"),
        ("1", None, (16,), "needs bytes 1 to 65 of a file of 64"),
        ("64", None, (1,), "needs bytes"),
        ("65", "0", (0,), "needs bytes"),
        (None, None, (17,), "needs bytes"),
        ("9" * 19, None, (16,), "needs bytes"),
        (None, "63", (16,), "length 63 is not the 64"),
        (None, "65", (16,), "length 65 is not the 64"),
        (None, "1" + "0" * 15, (16,), "is not the 64"),
        (None, None, (2**62, 2**62), "needs bytes"),
        (None, None, (-16,), ""),
    ],
)
def test_range_is_checked_against_the_file(
    offset: str | None, length: str | None, dims: tuple[int, ...], why: str, home: Path
) -> None:
    entries = [("location", "w.bin")]
    entries += [("offset", offset)] if offset is not None else []
    entries += [("length", length)] if length is not None else []
    found = look(home, *entries, dims=dims)
    assert bool(found.problem) == bool(why)
    assert why in found.problem
    assert found.offset == int(offset or 0)
    assert found.length == (int(length or 0) or None)  # 0 is as if it were not there


@pytest.mark.parametrize(
    ("offset", "length", "dims", "data_type", "expected"),
    [
        (0, 63, (16,), 1, [("EXT014", {"expected": 64, "found": 63})]),
        (1, 64, (16,), 1, [("EXT007", {"end": 65, "size": 64})]),
        (
            0, 65, (16,), 1,
            [("EXT014", {"expected": 64, "found": 65}), ("EXT007", {"end": 65, "size": 64})],
        ),
        (8, 60, (16,), 1, [  # the tensor needs more than is stated
            ("EXT014", {"expected": 64, "found": 60}), ("EXT007", {"end": 72, "size": 64}),
        ]),
        (8, 57, (4,), 0, [("EXT007", {"end": 65, "size": 64})]),  # of no type: length decides
        (8, 56, (4,), 0, []),
        (8, 56, (4,), 8, []),  # strings: no fixed width
        (8, 57, (4,), 8, [("EXT007", {"end": 65, "size": 64})]),
        (8, 56, (-1, 4), 1, []),
        (8, 57, (4, -1), 1, [("EXT007", {"end": 65, "size": 64})]),
        (0, 0, (0, 4), 1, []),
        (0, 64, (4, 2, 2), 1, []),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_numbers(
    offset: int,
    length: int,
    dims: tuple[int, ...],
    data_type: int,
    expected: list[tuple[str, dict[str, int]]],
    home: Path,
) -> None:
    entries = (("location", "w.bin"), ("offset", str(offset)), ("length", str(length)))
    found = look(home, *entries, dims=dims, data_type=data_type)
    assert [(problem.rule, problem.evidence) for problem in found.problems] == expected


def test_every_entry_is_looked_at(home: Path) -> None:
    found = look(
        home,
        ("location", "w.bin"),
        ("length", "x"),
        ("size", "1"),
        ("base", "2"),
        ("checksum", "0" * 39),
        ("offset", "y"),
        ("size", "3"),
    )
    assert [(row.rule, row.why) for row in found.problems] == [
        ("EXT008", "offset 'y' is not a number"),
        ("EXT008", "length 'x' is not a number"),
        ("EXT013", "an external_data key is given twice"),
    ]
    assert [(row.rule, row.why) for row in found.notes] == [
        ("EXT013", "external_data has the unknown key 'base'"),
        ("EXT010", f"checksum {'0' * 39!r} is not a SHA-1"),
    ]
    assert {row.what for row in (*found.problems, *found.notes)} == {"external data"}
    assert found.checksum == "0" * 39


@pytest.mark.parametrize("checksum", ["0123456789abcdef" * 2 + "0" * 8, "ABCDEF0123" * 4])
def test_checksum_of_40_hexadecimal_digits_is_one(checksum: str, home: Path) -> None:
    found = look(home, ("location", "w.bin"), ("checksum", checksum))
    assert (found.problems, found.notes, found.checksum) == ((), (), checksum)
    for wrong in (checksum + "0", checksum + "\n", "g" + checksum[1:], checksum[1:]):
        found = look(home, ("location", "w.bin"), ("checksum", wrong))
        assert [note.rule for note in found.notes] == ["EXT010"]


@pytest.mark.parametrize("key", ["offset", "length"])
@pytest.mark.parametrize(
    "text",
    [
        *("", "0x10", "-1", "+1", " 1", "1 ", "1\n", "1_0", "1.0", "1e3", "one", "0\0"),
        *("\u0661\u0662", "\u00b2", "\uff11", "9" * 20, "9" * 5000),
    ],
)
def test_what_is_no_plain_number_is_refused(key: str, text: str, home: Path) -> None:
    found = look(home, ("location", "w.bin"), (key, text))
    assert f"{key} " in found.problem
    assert "is not a number" in found.problem
    assert len(found.problem) < 200
    assert (found.offset, found.length) == (0, None)
    assert open_external_file(found) is None


@pytest.mark.parametrize("key", ["location", "offset", "length", "checksum", "unknown"])
def test_key_given_twice_is_a_problem_and_the_first_counts(key: str, home: Path) -> None:
    entries = {"location": "w.bin", "offset": "0", "length": "64", "checksum": "a", "unknown": "b"}
    once = list(entries.items())
    assert look(home, *once).problem == ""
    found = look(home, *once, (key, "sub/w.bin" if key == "location" else "0"))
    assert "given twice" in found.problem
    assert found.location == "w.bin"
    assert found.length == 64


@pytest.mark.parametrize(
    ("data_type", "elements"),
    [(1, 16), (11, 8), (10, 32), (2, 64), (22, 128), (25, 256), (27, 85), (15, 4)],
)
def test_needed_bytes_follow_the_element_type(data_type: int, elements: int, home: Path) -> None:
    assert look(home, ("location", "w.bin"), dims=(elements,), data_type=data_type).problem == ""
    more = look(home, ("location", "w.bin"), dims=(elements + 1,), data_type=data_type)
    assert "needs bytes" in more.problem


def test_a_side_file_is_looked_at_once(home: Path) -> None:
    cache: dict[str, ExternalData] = {}
    model = str(home / "model.onnx")
    first = locate(tensor(("location", "w.bin"), ("offset", "0"), dims=(8,)), model, cache)
    (home / "w.bin").unlink()
    second = locate(tensor(("location", "w.bin"), ("offset", "32"), dims=(8,)), model, cache)
    broken = locate(tensor(("location", "w.bin"), ("offset", "x"), dims=(8,)), model, cache)
    third = locate(tensor(("location", "w.bin"), dims=(8,)), model, cache)
    assert (first.offset, second.offset, third.offset) == (0, 32, 0)
    assert (first.problem, second.problem, third.problem) == ("", "", "")
    assert "is not a number" in broken.problem


# ---------------------------------------------------------------------------------- never opened


@pytest.fixture
def saved(tmp_path: Path) -> str:
    """A model whose weights onnx itself put into a side file."""
    weights = onnx.numpy_helper.from_array(np.arange(4096, dtype=np.float32).reshape(64, 64), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64])],
        [weights],
    )
    model = helper.make_model(graph, ir_version=8)
    convert_model_to_external_data(model, location="side.bin", size_threshold=0)
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    return str(path)


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record what os.open, open and io.open are given from now on."""
    opened: list[str] = []
    for module, name in ((os, "open"), (io, "open")):
        real = getattr(module, name)

        def record(path: Any, *rest: Any, real: Callable[..., Any] = real, **more: Any) -> Any:
            if not isinstance(path, int):  # a descriptor was opened before
                opened.append(str(path))
            return real(path, *rest, **more)

        monkeypatch.setattr(module, name, record)
        if module is io:
            monkeypatch.setattr("builtins.open", record)
    return opened


def test_counting_does_not_open_the_side_file(saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graphcount.count(saved)  # imports what it needs
    opened = watch(monkeypatch)
    report = graphcount.count(saved, deep=False)
    assert saved in opened
    assert not [path for path in opened if "side.bin" in path]
    assert not [unknown for unknown in report.unknown if unknown.what == "external data"]


def test_reading_opens_the_model_and_nothing_else(
    saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = watch(monkeypatch)
    read_model(saved)
    assert opened == [saved]


def test_finding_tensors_opens_nothing_and_says_what_is_missing(
    saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proto = read_model(saved).proto
    opened = watch(monkeypatch)
    (found,) = find_stored(proto, saved)
    assert (found.nbytes, found.in_file_nbytes, found.unknowns) == (64 * 64 * 4, 0, ())
    os.unlink(os.path.join(os.path.dirname(saved), "side.bin"))
    (found,) = find_stored(proto, saved)
    assert [unknown.why for unknown in found.unknowns] == ["side.bin is missing"]
    assert opened == []
