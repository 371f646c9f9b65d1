"""`graphcount.init` makes what `graphcount init` writes, and `check` passes it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import graphcount
from tests.api.conftest import Command

BOTH = ["cnn.onnx", "mlp_3_5_2.onnx"]


def test_the_text_is_that_of_the_command_line(folder: Path, command: Command) -> None:
    started = graphcount.init(BOTH, headroom="5%", dims={"batch": 1})
    done = command("init", *BOTH, "--headroom", "5%", "--dim", "batch=1", "-o", "-")
    assert (started.text, started.exit_code) == (done.out, done.code) == (done.out, 0)
    (folder / "graphcount.toml").write_text(started.text)
    assert graphcount.check(config="graphcount.toml").exit_code == 0
    checks = tomllib.loads(started.text)["checks"]
    assert [row["max"]["parameters"] for row in checks] == [28_273, 34]  # 1.05 x, rounded up

    done = command("init", *BOTH, "--format", "pyproject")
    assert graphcount.init(BOTH, format="pyproject").text == done.out
    assert "checks" in tomllib.loads(done.out)["tool"]["graphcount"]


def test_paths_are_relative_to_where_it_will_be(folder: Path) -> None:
    text = graphcount.init("cnn.onnx", output="ci/graphcount.toml").text
    assert tomllib.loads(text)["checks"][0]["paths"] == ["../cnn.onnx"]
    assert not (folder / "ci").exists()


def test_what_cannot_be_read_has_no_check(folder: Path, command: Command) -> None:
    heard: list[graphcount.GraphcountError] = []
    started = graphcount.init(".", on_error=heard.append)
    assert (started.exit_code, len(heard)) == (2, 1)
    assert len(tomllib.loads(started.text)["checks"]) == len(started.reports)
    done = command("init", ".", "-o", "-")
    assert (done.code, done.out) == (2, started.text)
    alone = graphcount.init(heard[0].path or "", on_error=heard.append)
    assert (alone.text, alone.exit_code) == ("", 2)
    with pytest.raises(graphcount.DamagedError):
        graphcount.init(".")


@pytest.mark.parametrize(
    ("path", "options", "why"),
    [
        ("-", {}, "needs a path"),
        ("cnn.onnx", {"format": "yaml"}, "'yaml' is none of toml, pyproject"),
        ("cnn.onnx", {"headroom": "lots"}, "--headroom: 'lots'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    path: str, options: dict[str, str], why: str, folder: Path
) -> None:
    with pytest.raises(graphcount.UsageError, match=why):
        graphcount.init(
            path, headroom=options.get("headroom", "10%"), format=options.get("format", "toml")
        )
