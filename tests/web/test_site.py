"""The site as a whole: how it is built, what its policy is, how it lives without a network."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphcount
from graphcount.formats.page import render
from tests.web.conftest import Tab, new_tab, served
from web import bridge, build

# --------------------------------------------------------------------------------- building


def test_two_builds_are_the_same(tarball: bytes, files: dict[str, bytes]) -> None:
    assert build.site(tarball) == files


def test_another_tarball_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pyodide.tgz"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="not the file that was expected"):
        build.pyodide_tarball(path)


def test_the_site_is_small_and_whole(files: dict[str, bytes]) -> None:
    assert sum(map(len, files.values())) < 30e6
    listed = json.loads(re.search(rb"MANIFEST = (\{.*?\});", files["sw.js"], re.DOTALL)[1])  # type: ignore[index]
    assert listed.keys() == files.keys() - {"sw.js"}
    assert all(listed[name] == build.digest(files[name]) for name in listed)
    with zipfile.ZipFile(io.BytesIO(files["graphcount.zip"])) as package:
        names = package.namelist()
    assert {"bridge.py", "graphcount/__init__.py", "graphcount/ops/schemas.txt"} <= set(names)
    assert not any(name.endswith(".pyc") for name in names)


def test_the_policy_admits_the_report_and_nothing_loose(
    files: dict[str, bytes], fixtures: Path
) -> None:
    """The frame inherits the policy of the site: what its own admits, the site's must."""
    index = files["index.html"].decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', index)
    assert policy is not None
    own = render(graphcount.count(str(fixtures / "mlp_3_5_2.onnx")))
    digests = re.findall(r"'sha256-[^']+'", own)
    assert len(digests) == 2
    assert all(digest in policy[1] for digest in digests)
    assert "default-src 'none'" in policy[1]
    assert "'unsafe-" not in policy[1].replace("'wasm-unsafe-eval'", "")
    assert "http" not in policy[1]


def test_nothing_of_the_site_is_elsewhere(files: dict[str, bytes]) -> None:
    ours = [name for name in files if "/" not in name and name.endswith((".html", ".js", ".css"))]
    assert {"index.html", "page.js", "worker.js", "sw.js", "site.css", "page.css"} == set(ours)
    for name in ours:
        addresses = re.findall(rb"https?://[^\"'\s)]+", files[name])
        assert set(addresses) <= {b"https://pyodide.org", b"http://www.w3.org/2000/svg"}


# ----------------------------------------------------------------------------------- bridge


def call(name: str, **given: Any) -> Any:
    """Call the bridge as the worker does."""
    answer = json.loads(bridge.run(name, json.dumps(given), lambda note: None))
    if "error" in answer:
        return answer
    return answer["result"]


def test_what_can_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for name in ("one/a.onnx", "two/a.onnx", "two/b.onnx", "two/b.onnx.data"):
        (tmp_path / name).touch()
    names = ["two/b.onnx.data", "two/b.onnx", "two/a.onnx", "one/a.onnx"]
    models = ["one/a.onnx", "two/a.onnx", "two/b.onnx"]
    assert call("listing", paths=names) == {"models": models, "folders": ["two"]}
    assert call("listing", paths=["x", "y.ort"]) == {"models": ["x", "y.ort"], "folders": []}


def test_errors_are_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("report", job={"model": "none.onnx"}) == {
        "error": "none.onnx: no such file",
        "bug": False,
    }
    for error, line, bug in (
        (MemoryError(), "out of memory", False),
        (
            ZeroDivisionError("x\ny"),
            "internal error, please report: ZeroDivisionError: x\\x0ay",
            True,
        ),
    ):

        def fail(error: BaseException = error, **given: Any) -> None:
            raise error

        monkeypatch.setitem(bridge.CALLS, "report", fail)
        answer = call("report", job={"model": "m"})
        assert answer["error"].startswith(line)
        assert answer["bug"] == bug


def test_what_is_done_is_noted(fixtures: Path) -> None:
    notes: list[str] = []
    job = {"model": str(fixtures / "mlp_3_5_2.onnx")}
    bridge.run("report", json.dumps({"job": job}), notes.append)
    assert any("opened" in note for note in notes)
    assert any("counted" in note for note in notes)


# ---------------------------------------------------------------------------------- its life

FAULTY = """

def _faulty(job, real=CALLS["report"]):
    if job["model"] == "slow.onnx":
        while True:
            pass
    if job["model"] == "bug.onnx":
        raise ZeroDivisionError("a bug")
    return real(job)

CALLS["report"] = _faulty
"""


@pytest.fixture
def faulty(files: dict[str, bytes], tmp_path: Path, chromium: Any) -> Iterator[Tab]:
    """The site with a package that fails for one file and never ends for another."""
    with zipfile.ZipFile(io.BytesIO(files["graphcount.zip"])) as package:
        content = {name: package.read(name) for name in package.namelist()}
    content["bridge.py"] += FAULTY.encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for name, data in content.items():
            package.writestr(name, data)
    build.write({**files, "graphcount.zip": out.getvalue()}, tmp_path)
    with served(tmp_path) as address:
        tab = new_tab(chromium, address, service_workers="block")
        yield tab
        tab.context.close()


@pytest.mark.long
def test_a_bug_and_an_endless_file_harm_no_other(
    faulty: Tab, fixtures: Path, tmp_path: Path
) -> None:
    """The worker is replaced; what was asked meanwhile waits for the new one."""
    model = (fixtures / "mlp_3_5_2.onnx").read_bytes()
    for name in ("bug.onnx", "slow.onnx", "good.onnx"):
        (tmp_path / name).write_bytes(model)
    faulty.take(tmp_path / "bug.onnx")  # before Python is there
    line = "internal error, please report: ZeroDivisionError: a bug at bridge.py:"
    assert faulty.error.startswith(line)
    faulty.page.set_input_files("#files", str(tmp_path / "slow.onnx"))
    faulty.page.wait_for_selector("#cancel")
    faulty.ready()
    faulty.page.keyboard.press("Escape")
    assert not faulty.page.is_visible("#busy")
    faulty.take(tmp_path / "good.onnx")
    assert faulty.error == ""
    assert faulty.page.inner_text("#result-title") == "good.onnx"
    assert [event for event in faulty.events if "Service Worker" not in event] == []


def test_a_site_that_lacks_a_file_says_so(
    files: dict[str, bytes], tmp_path: Path, chromium: Any, fixtures: Path
) -> None:
    without = {name: data for name, data in files.items() if not name.endswith(".wasm")}
    build.write(without, tmp_path)
    with served(tmp_path) as address:
        tab = new_tab(chromium, address, service_workers="block")
        tab.page.wait_for_selector("#engine[data-state=stopped]")
        assert tab.page.inner_text("#engine").startswith("Python cannot be loaded")
        tab.take(fixtures / "cnn.onnx")
        assert tab.error.startswith("Python cannot be loaded")
        assert tab.error.endswith("reload the page to try again")
        tab.context.close()


WAITING = """async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    await registration.update().catch(() => 0);
    while (registration.installing) await new Promise((done) => setTimeout(done, 20));
    return registration.waiting !== null;
}"""
"""Looks for a new version of the site; whether there is one, whole."""


@pytest.mark.long
def test_without_a_network_and_into_the_next_version(
    files: dict[str, bytes], tmp_path: Path, chromium: Any, fixtures: Path
) -> None:
    folder = tmp_path / "site"
    build.write(files, folder)
    with served(folder) as address:
        tab = new_tab(chromium, address)
        tab.page.wait_for_selector("html[data-offline=ready]")
        tab.context.set_offline(True)
        tab.page.reload()
        tab.take(fixtures / "cnn.onnx")
        assert "26,926" in tab.report.inner_text("#stats")
        tab.context.set_offline(False)

        index = files["index.html"].replace(b"What is inside", b"What lies inside")
        old, new = (build.digest(data).encode() for data in (files["index.html"], index))
        (folder / "sw.js").write_bytes(files["sw.js"].replace(old, new))
        assert tab.page.evaluate(WAITING) is False  # it is there in part, so it is not taken
        (folder / "index.html").write_bytes(index)
        assert tab.page.evaluate(WAITING) is True
        tab.page.reload()
        assert tab.page.inner_text("h1") == "What is inside an ONNX model"
        tab.page.wait_for_selector("#update")
        with tab.page.expect_navigation():
            tab.page.click("#update")
        assert tab.page.inner_text("h1") == "What lies inside an ONNX model"
        assert tab.page.evaluate("caches.keys().then(names => names.length)") == 1
        assert tab.events == []
        tab.context.close()
