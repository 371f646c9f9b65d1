"""Saved reports: told from models by their beginning, read back as they were, bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphcount
from graphcount.errors import DamagedError, LimitError, NotReadableError
from graphcount.gates import saved
from graphcount.gates.saved import read_report
from graphcount.report.serial import dumps, to_dict


@pytest.fixture
def text(fixtures: Path) -> str:
    return dumps(to_dict(graphcount.count(str(fixtures / "mlp_4_5_3.onnx"))))


def test_a_report_comes_back_as_it_was(text: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    for before in ("", " \n\t"):
        path.write_text(before + text, "utf-8")
        report = read_report(str(path))
        assert report is not None
        assert dumps(to_dict(report)) == text


def test_anything_else_is_no_report(text: str, fixtures: Path, tmp_path: Path) -> None:
    assert read_report("-") is None
    assert read_report(str(fixtures / "mlp_4_5_3.onnx")) is None
    path = tmp_path / "r.json"
    for other in ("", "{}", '{"schema": "graphcount.bench/1"}', "x" + text, " " * 4096 + text):
        path.write_text(other, "utf-8")
        assert read_report(str(path)) is None
    with pytest.raises(NotReadableError):
        read_report(str(tmp_path / "none.json"))


def test_what_begins_like_a_report_and_is_none_is_damaged(text: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    for broken in (text[:-20], f"[{text}, {text}]", f"[{text}"):
        path.write_text(broken, "utf-8")
        with pytest.raises(DamagedError) as error:
            read_report(str(path))
        assert error.value.path == str(path)
    path.write_bytes(text.encode() + b"\xff")
    with pytest.raises(DamagedError, match="a saved report that is not UTF-8") as error:
        read_report(str(path))
    assert error.value.path == str(path)


def test_the_size_is_bounded(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    padded = text + " " * (3 * 2**20 - len(text.encode()))
    path.write_text(padded, "utf-8")
    monkeypatch.setattr(saved, "REPORT_NBYTES", 3 * 2**20)
    assert read_report(str(path)) is not None
    path.write_text(padded + " ", "utf-8")
    with pytest.raises(LimitError) as error:
        read_report(str(path))
    assert str(error.value) == f"{path}: saved reports are read up to 3 MiB"
