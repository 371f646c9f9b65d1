"""A repository on a server, with a main branch and a pull request whose models grew."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

CONFIG = """[[checks]]
name = "all"
paths = ["my models/*.onnx"]
max = { nodes = 3 }
max_increase = { parameters = "10%" }
"""
MODEL = "my models/a.onnx"
NAMES = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
ENV = {
    **dict.fromkeys(NAMES, "test@example.org"),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **ENV}, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def write_model(path: Path, width: int) -> None:
    """A linear layer of 10 x width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "g",
        [value("x", 1, [1, 10])],
        [value("y", 1, [1, width])],
        [numpy_helper.from_array(np.ones((10, width), np.float32), "W")],
    )
    path.write_bytes(helper.make_model(graph).SerializeToString())


def commit(folder: Path, message: str) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


class Project:
    """A repository on a server: 100 parameters on its main branch, and a pull request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin = folder / "origin"
        self.origin.mkdir()
        git(self.origin, "init", "--quiet", "--initial-branch=main")
        git(self.origin, "config", "uploadpack.allowAnySHA1InWant", "true")
        write_model(self.origin / MODEL, 10)
        (self.origin / "graphcount.toml").write_text(CONFIG)
        self.base = commit(self.origin, "base")
        git(self.origin, "checkout", "--quiet", "-b", "change")

    def checkout(self) -> Path:
        """Check out the merge of the pull request alone, as actions/checkout does."""
        self.head = commit(self.origin, "head")
        git(self.origin, "checkout", "--quiet", "main")
        git(self.origin, "checkout", "--quiet", "--detach")
        git(self.origin, "merge", "--quiet", "--no-ff", "-m", "merge", "change")
        git(self.origin, "update-ref", "refs/pull/7/merge", "HEAD")
        git(self.origin, "checkout", "--quiet", "change")
        place = self.folder / "work space"
        git(self.folder, "init", "--quiet", str(place))
        git(place, "remote", "add", "origin", f"file://{self.origin}")
        git(place, "fetch", "--quiet", "--depth=1", "origin", "refs/pull/7/merge")
        git(place, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        return place

    @property
    def event(self) -> dict[str, Any]:
        sides = {"base": {"sha": self.base}, "head": {"sha": self.head}}
        return {"pull_request": {"number": 7, **sides}, "repository": {"default_branch": "main"}}
