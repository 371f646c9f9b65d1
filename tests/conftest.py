"""Shared by all tests: where things lie, and how to build a tiny model."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, settings
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
SHARED = ROOT.parent / "shared"

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")  # how fast a machine is says nothing about what is tested

Save = Callable[..., str]

BYTECODE = "PYTHONPYCACHEPREFIX"


def pytest_configure(config: pytest.Config) -> None:
    """Compile once what the many programs import that tests start, whatever the environment says.

    What is compiled is kept beside pytest's own cache: a run that is killed leaves nothing behind.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault(BYTECODE, str(ROOT / ".pytest_cache" / "bytecode"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker waits for another at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same width for everyone, whatever terminal or environment the tests run in."""
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GRAPHCOUNT_FORMAT", "GRAPHCOUNT_CONFIG"):
        monkeypatch.delenv(name, raising=False)


CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Names of a browser that is driven by playwright."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless browser; tests that need it are skipped where none is installed.

    It is closed with its module: while playwright is open, no other test can run a loop of asyncio.
    """
    asked = os.environ.get("GRAPHCOUNT_CHROMIUM")
    program = asked or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip(f"no browser is installed: none of {', '.join(CHROMIUM)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox"] if not hasattr(os, "geteuid") or os.geteuid() == 0 else [],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of shipped models."""
    return FIXTURES


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of third-party test models; users of a release do not have it."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: third-party models are not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def hostile(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated hostile set; workers of xdist make it once.

    FIFOs, links and sparse files cannot live in git.
    """
    if sys.platform == "win32":
        pytest.skip("the hostile set needs FIFOs and links")
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "hostile" / "open"
    try:
        folder.parent.mkdir()
    except FileExistsError:
        while not (folder.parent / "done").exists():
            time.sleep(0.05)
    else:
        maker = [sys.executable, str(shared / "hostile" / "make_hostile.py")]
        options = ["--out", str(folder), "--set", "open", "--seed", "3"]
        try:
            subprocess.run([*maker, *options], check=True, capture_output=True)
        finally:
            (folder.parent / "done").touch()
    return folder


@pytest.fixture
def weights() -> Callable[..., TensorProto]:
    """A float tensor with distinct numbers: `weights("W", 3, 4)`."""

    def make(name: str, *shape: int, dtype: Any = np.float32) -> TensorProto:
        count = int(np.prod(shape))
        numbers = np.linspace(-1, 1, count + 2)[1:-1].reshape(shape).astype(dtype)
        return numpy_helper.from_array(numbers, name)

    return make


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Save a model of nodes and initializers and return its path."""
    made = 0

    def make(
        nodes: Sequence[onnx.NodeProto],
        initializers: Sequence[TensorProto] = (),
        *,
        inputs: Sequence[Any] = (),
        outputs: Sequence[Any] = (),
        opsets: Sequence[tuple[str, int]] = (("", 20),),
        functions: Sequence[onnx.FunctionProto] = (),
        change: Callable[[onnx.ModelProto], None] | None = None,
        **graph: Any,
    ) -> str:
        nonlocal made
        made += 1
        model = helper.make_model(
            helper.make_graph(
                list(nodes),
                "test",
                [_value(value) for value in inputs],
                [_value(value) for value in outputs],
                list(initializers),
                **graph,
            ),
            opset_imports=[helper.make_opsetid(*opset) for opset in opsets],
            functions=list(functions),
            producer_name="graphcount tests",
            ir_version=10,
        )
        if change is not None:
            change(model)
        path = tmp_path / f"model{made}.onnx"
        path.write_bytes(model.SerializeToString())
        return str(path)

    return make


def _value(value: Any) -> onnx.ValueInfoProto:
    """A value info from `("x", [1, 3])`, a name (float, no shape), or as it is."""
    if isinstance(value, onnx.ValueInfoProto):
        return value
    if isinstance(value, str):
        return helper.make_tensor_value_info(value, TensorProto.FLOAT, None)
    name, shape = value
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def names(evidence: object) -> list[str]:
    """Return a list of names that a finding or a verdict carries."""
    assert isinstance(evidence, list | tuple)
    return [str(name) for name in evidence]
