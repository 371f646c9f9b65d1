"""Results are written whole or not at all, and through no link that lies in wait."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from graphcount.errors import NotReadableError
from graphcount.loading.writing import replacing, write_file


def test_the_temporary_name_cannot_be_foreseen(tmp_path: Path) -> None:
    names = set()
    for _ in range(3):
        with replacing(str(tmp_path / "report.json")) as name:
            assert os.path.dirname(name) == str(tmp_path)
            names.add(name)
    assert len(names) == 3


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    monkeypatch.setattr(os, "urandom", bytes)
    (tmp_path / f".{bytes(12).hex()}.tmp").symlink_to(precious)
    with pytest.raises(NotReadableError):
        write_file("forged", str(tmp_path / "report.json"))
    assert precious.read_text() == "kept"


def test_nothing_is_left_behind_and_modes_are_those_of_any_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    write_file("one", str(tmp_path / "report.json"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain", "report.json"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1
    with pytest.raises(RuntimeError), replacing(str(tmp_path / "report.json")):
        raise RuntimeError
    assert (tmp_path / "report.json").read_text() == "one"
    assert len(list(tmp_path.iterdir())) == 2
