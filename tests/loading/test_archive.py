"""Members of zip archives: read as files of their own, and refused where they cannot be."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.errors import GraphcountError
from graphcount.loading.archive import _parsed, members
from graphcount.report.serial import to_dict


def archive(path: Path, contents: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> str:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in contents.items():
            file.writestr(name, data)
    return str(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_gives_the_same_report(tmp_path: Path, fixtures: Path, method: int) -> None:
    data = (fixtures / "tied_language_model.onnx").read_bytes()
    path = archive(tmp_path / "a.zip", {"x.txt": b"x", "m/net.onnx": data}, method)
    expected = to_dict(graphcount.count(str(fixtures / "tied_language_model.onnx"), hash_file=True))
    expected["model"]["path"] = f"zip://m/net.onnx::{path}"
    assert to_dict(graphcount.count(f"zip://m/net.onnx::{path}", hash_file=True)) == expected
    assert members(path) == ["x.txt", "m/net.onnx"]


def test_external_data_is_a_member_beside(tmp_path: Path, save: Callable[..., str]) -> None:
    weight = TensorProto(name="w", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="w.bin")
    model = save([helper.make_node("Relu", ["w"], ["y"])], [weight], outputs=[("y", [2])])
    data = Path(model).read_bytes()
    whole = archive(tmp_path / "a.zip", {"m/a.onnx": data, "m/w.bin": bytes(8), "w.bin": b""})
    assert graphcount.count(f"zip://m/a.onnx::{whole}").exact
    lacking = archive(tmp_path / "b.zip", {"m/a.onnx": data, "w.bin": bytes(8)})
    report = graphcount.count(f"zip://m/a.onnx::{lacking}")
    assert [unknown.why for unknown in report.unknown] == ["w.bin is missing"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("before", "comment"), [(b"", b""), (b"#!/bin/sh\n" * 9, b"PK\x06\x06")])
def test_other_forms_of_archives(
    tmp_path: Path,
    fixtures: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: int,
    wide: bool,
    before: bytes,
    comment: bytes,
) -> None:
    """Zip64, a program in front (a self-extracting archive), a comment behind."""
    if wide:
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    net = (fixtures / "cnn.onnx").read_bytes()
    path = archive(tmp_path / "a.zip", {"größe.onnx": net, "b.onnx": net}, method)
    with zipfile.ZipFile(path, "a") as file:
        file.comment = comment
    data = Path(path).read_bytes()
    assert (b"PK\x06\x07" in data) == wide
    Path(path).write_bytes(before + data)
    assert members(path) == ["größe.onnx", "b.onnx"]
    for name in members(path):
        assert graphcount.count(f"zip://{name}::{path}").totals.parameters == 26_926


def test_a_directory_is_parsed_once_for_all_members(tmp_path: Path, fixtures: Path) -> None:
    net = (fixtures / "mlp_4_5_3.onnx").read_bytes()
    path = archive(tmp_path / "a.zip", {f"{i}.onnx": net for i in range(20)})
    before = _parsed.cache_info().misses
    for name in members(path):
        assert graphcount.count(f"zip://{name}::{path}").totals.parameters == 43
    assert _parsed.cache_info().misses == before + 1
    archive(tmp_path / "a.zip", {"0.onnx": (fixtures / "cnn.onnx").read_bytes()})
    assert graphcount.count(f"zip://0.onnx::{path}").totals.parameters == 26_926


def test_both_headers_of_a_member_must_agree(tmp_path: Path, fixtures: Path) -> None:
    net = (fixtures / "cnn.onnx").read_bytes()
    data = Path(archive(tmp_path / "a.zip", {"a.onnx": net})).read_bytes()
    (tmp_path / "b.zip").write_bytes(data.replace(b"a.onnx", b"b.onnx", 1))
    assert "does not fit the directory" in line(f"zip://a.onnx::{tmp_path}/b.zip")
    at = data.rindex(b"PK\x01\x02") + 8
    for flag, why in ((0x01, "is encrypted"), (0x40, "is encrypted"), (0x20, "a patch")):
        (tmp_path / "c.zip").write_bytes(data[:at] + bytes([flag]) + data[at + 1 :])
        assert why in line(f"zip://a.onnx::{tmp_path}/c.zip")


def line(path: str) -> str:
    with pytest.raises(GraphcountError) as caught:
        graphcount.count(path)
    return caught.value.message


def test_what_cannot_be_read_has_its_line(tmp_path: Path, fixtures: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.onnx": (fixtures / "cnn.onnx").read_bytes()})
    lzma = archive(tmp_path / "l.zip", {"a.onnx": b"x"}, zipfile.ZIP_LZMA)
    (tmp_path / "no.zip").write_bytes(b"not an archive")
    assert line(f"zip://b.onnx::{path}") == "no such member in the archive"
    assert "unpack it" in line(f"zip://a.onnx::{lzma}")
    assert "damaged zip archive" in line(f"zip://a.onnx::{tmp_path}/no.zip")
    assert line(f"zip://a.onnx::{tmp_path}/none.zip") == "no such file"
    assert "write it as" in line("zip://a.onnx")
    assert "write it as" in line("zip://a.onnx::-")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs")
def test_a_fifo_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.zip")
    assert "FIFO" in line(f"zip://a.onnx::{tmp_path}/a.zip")


def test_an_inflated_member_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.zip", {"a.onnx": bytes(2**20)}, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr("graphcount.loading.source.STDIN_NBYTES", 2**19)
    assert "longer than 524,288 bytes" in line(f"zip://a.onnx::{path}")


def test_a_large_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.zip", {f"{i}.onnx": b"" for i in range(50)})
    monkeypatch.setattr("graphcount.loading.archive.DIRECTORY_NBYTES", 1000)
    assert "directory is larger" in line(f"zip://1.onnx::{path}")


def test_every_cut_and_changed_byte_is_one_line_or_a_report(tmp_path: Path, fixtures: Path) -> None:
    data = (fixtures / "mlp_8_16_16_8.onnx").read_bytes()[:600]
    whole = Path(archive(tmp_path / "a.zip", {"a.onnx": data}, zipfile.ZIP_DEFLATED)).read_bytes()
    broken = tmp_path / "b.zip"
    for at in range(0, len(whole), 3):
        for change in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            broken.write_bytes(change)
            assert line(f"zip://a.onnx::{broken}")


def test_an_archive_that_inflates_to_far_more_than_it_is_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "a.zip", {"a.onnx": bytes(100_000)}, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr("graphcount.loading.archive.INFLATED_NBYTES", 99_999)
    _parsed.cache_clear()
    for refused in (lambda: members(path), lambda: graphcount.count(f"zip://a.onnx::{path}")):
        with pytest.raises(GraphcountError, match=r"inflates from 1.. to 100,000 bytes, more than"):
            refused()
    monkeypatch.setattr("graphcount.loading.archive.INFLATED_NBYTES", 100_000)
    _parsed.cache_clear()
    assert members(path) == ["a.onnx"]


def test_members_that_lie_in_each_other_are_refused(tmp_path: Path) -> None:
    path = Path(archive(tmp_path / "a.zip", {"a.onnx": bytes(50), "b.onnx": bytes(50)}))
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    data[second + 42 : second + 46] = (10).to_bytes(4, "little")  # where its header is said to be
    path.write_bytes(data)
    with pytest.raises(GraphcountError, match="members lie in each other"):
        members(str(path))
