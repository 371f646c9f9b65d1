"""What a file may ask for: constants, and shares of its size; refusals say how to raise them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

import graphcount
from graphcount.cli.main import main
from graphcount.errors import LimitError
from graphcount.loading import limits as limits_module
from graphcount.loading import read_model
from graphcount.loading.limits import DEFAULT_LIMITS, WORK, FileBudget, Limits
from graphcount.loading.messages import MESSAGES
from tests.loading.conftest import Wire

NODES = Wire.len(1, Wire.len(4, b"Relu")) * 30
WORK_OF_NODES = WORK["GraphProto"] + 30 * WORK["NodeProto"] + WORK["OperatorSetIdProto"]


def nested(levels: int) -> bytes:
    graph = b""
    for _ in range(levels):
        graph = Wire.len(1, Wire.len(5, Wire.len(1, b"g") + Wire.len(6, graph)))
    return graph


def test_work_is_twice_as_much_for_a_file_four_times_as_large() -> None:
    least = limits_module.LEAST_WORK
    assert [DEFAULT_LIMITS.most_work(nbytes) for nbytes in (0, least)] == [least, least]
    assert [DEFAULT_LIMITS.most_work(times**2 * least) for times in (2, 9)] == [
        2 * least,
        9 * least,
    ]
    assert Limits(work=7).most_work(10**12) == 7


def test_a_larger_file_may_hold_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "LEAST_WORK", WORK_OF_NODES - 1)
    path = tmp_path / "model.onnx"
    path.write_bytes(Wire.model(NODES))
    with pytest.raises(LimitError, match="for 30 times NodeProto"):
        read_model(str(path))
    path.write_bytes(Wire.model(NODES + Wire.len(10, b"d" * 3000)))
    assert len(read_model(str(path)).proto.graph.nodes) == 30
    with pytest.raises(LimitError, match="more than 10 units of work"):
        read_model(str(path), Limits(work=10))


def test_a_refusal_names_what_took_most() -> None:
    budget = FileBudget(200)
    budget.spend("name", 3, 8)
    budget.spend("TensorProto", 4)
    with pytest.raises(LimitError) as refused:
        budget.spend("TensorProto", 5)
    assert refused.value.message.startswith(
        "more than 200 units of work, most of them for 2 times TensorProto; to allow it: "
    )
    assert refused.value.offset == 5
    assert {part for part in WORK if part[0].isupper()} <= MESSAGES.keys()


CASES: dict[str, tuple[str, bytes, Limits]] = {
    "work": ("model.onnx", Wire.model(NODES), Limits(work=99)),
    "work of a window": ("model.onnx", Wire.model(NODES), Limits(whole_file_nbytes=0, work=99)),
    "rank": ("model.onnx", Wire.tensor(Wire.int(1, 1) * 99), Limits()),
    "rank of a shape": (
        "model.onnx",
        Wire.model(
            Wire.len(11, Wire.len(2, Wire.len(1, Wire.len(2, Wire.len(1, Wire.int(1, 1)) * 99))))
        ),
        Limits(),
    ),
    "message_depth": ("model.onnx", Wire.model(nested(50)), Limits()),
    "text_form_nbytes": ("model.json", b'{"irVersion":"8","graph":{}}', Limits(text_form_nbytes=9)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_says_how_to_raise_the_limit(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Do what it says, until it is read: on the command line and in Python."""
    file, data, limits = CASES[name]
    path = tmp_path / file
    path.write_bytes(data)
    names = (field.name for field in fields(Limits))
    changed = (key for key in names if getattr(limits, key) != getattr(Limits(), key))
    asked = {key: getattr(limits, key) for key in changed}
    for _ in range(8):
        options = [f"--limit={key}={value}" for key, value in asked.items()]
        code = main([str(path), *options])
        error = capsys.readouterr().err
        if code == 0:
            break
        assert code == 2
        said = re.search(r"allow it: --limit (\w+)=(\d+), in Python limits=Limits\(\1=\2\)$", error)
        assert said is not None, error
        assert said[1] == name.split()[0]
        with pytest.raises(LimitError, match="allow it"):
            graphcount.count(str(path), limits=Limits(**asked))
        asked[said[1]] = int(said[2])
    assert code == 0
    assert graphcount.count(str(path), limits=Limits(**asked))


def test_what_cannot_be_followed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(Wire.model(nested(2000)))
    for whole in (0, 1 << 30):
        with pytest.raises(LimitError, match="deeper than can be followed"):
            read_model(str(path), Limits(message_depth=10**9, whole_file_nbytes=whole))


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("work", "'' is not a count"),
        ("knots=4", "names are message_depth, work, rank"),
        ("work=3x", "is not a count"),
        ("text_nbytes=3 lines", "is not a size"),
        ("work=-1", "is not a count"),
    ],
)
def test_a_wrong_limit_is_refused(
    option: str, why: str, fixtures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(fixtures / "cnn.onnx"), "--limit", option]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        *("", "audit", "check --max nodes=99", "diff FILE", "explain", "export", "init -o -"),
        *("page -o PAGE", "plan", "scan"),
    ],
)
def test_every_command_that_reads_models_takes_limits(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(Wire.model(NODES))
    words = command.replace("FILE", str(path)).replace("PAGE", str(tmp_path / "page.html")).split()
    run: Callable[[str], int] = lambda limit: main([*words, str(path), "--limit", limit])  # noqa: E731
    assert run(f"work={WORK_OF_NODES - 1}") == 2
    captured = capsys.readouterr()
    assert "for 30 times NodeProto" in captured.err + captured.out
    assert run(f"work={WORK_OF_NODES / 1000}k") in (0, 1)


def test_options_win_over_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, config = tmp_path / "model.onnx", tmp_path / "graphcount.toml"
    path.write_bytes(Wire.model(NODES))
    config.write_text("[limits]\nwork = 29\nrank = 3\n")
    configured = [str(path), "--config", str(config)]
    assert main(configured) == 2
    assert "more than 29 units of work" in capsys.readouterr().err
    assert main([*configured, "--limit", f"work={WORK_OF_NODES}"]) == 0
