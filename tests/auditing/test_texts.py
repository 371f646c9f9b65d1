"""Strings as rules look at them: each different one once, searched together, placed where it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest

from graphcount.auditing.texts import SCANNED_NBYTES, SEARCHED_NBYTES, StoredString, Texts, Wanted
from graphcount.loading import read_model
from graphcount.loading.limits import DEFAULT_LIMITS
from graphcount.loading.strings import walk

Plain = Callable[..., onnx.ModelProto]


@pytest.fixture
def texts(tmp_path: Path, plain: Plain) -> Callable[..., Texts]:
    def make(*docs: str) -> Texts:
        def change(model: onnx.ModelProto) -> None:
            for doc in docs:
                model.graph.node.add(op_type="Relu", doc_string=doc)

        path = tmp_path / "m.onnx"
        path.write_bytes(plain(change).SerializeToString())
        thin = read_model(str(path), keep_thin=True).thin
        assert thin is not None
        return Texts(walk(thin, DEFAULT_LIMITS))

    return make


def words(places: Iterator[StoredString]) -> list[str]:
    return [place.text for place in places]


def test_each_different_string_once_in_file_order(texts: Callable[..., Texts]) -> None:
    found = texts("one", "two", "one", "three")
    assert words(found.distinct("doc")) == ["one", "two", "three"]
    assert words(found.distinct("doc", that=lambda raw: len(raw) > 3)) == ["three"]
    assert "Relu" in words(found.distinct("name"))


def test_what_is_not_printable_is_unexpected(texts: Callable[..., Texts]) -> None:
    found = texts("plain ~", "tab\t", "é", "")
    assert words(found.unexpected("doc")) == ["tab\t", "é"]
    assert words(found.unexpected("doc")) == ["tab\t", "é"]  # kept


def test_a_match_belongs_to_the_string_it_begins_in(texts: Callable[..., Texts]) -> None:
    found = texts("key=1 key=2", "none", "a KEY=3", "ke", "y=4")
    wanted = Wanted(re.compile(rb"key=\d", re.IGNORECASE), (b"key=",))
    hits = [(place.text, match) for place, match in found.matching(wanted, "doc")]
    assert hits == [("key=1 key=2", b"key=1"), ("a KEY=3", b"KEY=3")]
    absent = Wanted(wanted.pattern, (b"other",))
    assert list(found.matching(absent, "doc")) == []


def test_a_place_is_that_of_the_first(texts: Callable[..., Texts]) -> None:
    found = texts("one", "two", "two")
    (two,) = found.distinct("doc", that=lambda raw: raw == b"two")
    assert found.where(two)["path"] == 'graph"main"/node[3]/doc_string'  # behind two others


def test_beyond_its_budget_text_is_not_searched_and_that_is_known(
    texts: Callable[..., Texts],
) -> None:
    size = SCANNED_NBYTES
    docs = [f"{number:03}" + "x" * (size - 3) for number in range(SEARCHED_NBYTES // size)]
    found = texts(*docs, "a needle")
    wanted = Wanted(re.compile(rb"needle"), (b"needle",))
    assert list(found.matching(wanted, "doc")) == []
    assert found.unsearched_nbytes("doc") == len("a needle")
    assert texts("a needle").unsearched_nbytes("doc") == 0
