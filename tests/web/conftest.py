"""The site, built once a session and served on localhost, and a tab of a browser with it."""

from __future__ import annotations

import functools
import html
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from web import build

KEPT = build.ROOT / ".pytest_cache" / f"pyodide-{build.PYODIDE}.tgz"
"""Pyodide's tarball, kept beside pytest's own cache and checked each time: it is fetched once."""

PATIENCE = 120_000  # milliseconds; Python is there in 2 seconds on a quiet machine


@pytest.fixture(scope="session")
def tarball() -> bytes:
    """Pyodide, from the npm registry; where that cannot be reached, tests are skipped."""
    try:
        return build.pyodide_tarball(KEPT)
    except OSError as error:
        pytest.skip(f"Pyodide cannot be fetched from the npm registry: {error}")


@pytest.fixture(scope="session")
def files(tarball: bytes) -> dict[str, bytes]:
    """Every file of the site."""
    return build.site(tarball)


class _Handler(SimpleHTTPRequestHandler):
    """A static host that sends the site's policy as a header, too, as docs/browser.md advises."""

    def guess_type(self, path: Any) -> str:
        types = {".mjs": "text/javascript", ".wasm": "application/wasm"}
        return types.get(Path(path).suffix) or super().guess_type(path)

    def end_headers(self) -> None:
        index = Path(self.directory, "index.html").read_text("utf-8")
        policy = re.search(r'Content-Security-Policy" content="([^"]+)"', index)
        assert policy is not None
        self.send_header("Content-Security-Policy", html.unescape(policy[1]))
        super().end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder; its address."""
    handler = functools.partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Tab:
    """The site in a tab, and what it did that it should not have done."""

    def __init__(self, context: Any, address: str) -> None:
        self.context = context
        self.address = address
        self.events: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda message: self.events.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.events.append(f"error: {error}"))
        self.page.on("popup", lambda popup: self.events.append("popup"))
        self.page.on("dialog", self._dialog)
        context.on("request", self._request)
        self.page.goto(address)

    def _dialog(self, dialog: Any) -> None:
        self.events.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.address, f"blob:{self.address}")):
            self.events.append(f"request: {request.url}")

    def ready(self) -> None:
        """Wait until Python is there."""
        self.page.wait_for_selector("#engine[data-state=ready]", state="attached")

    def after(self, act: Callable[[], object]) -> float:
        """Do something, and wait for the report or the line that comes of it; for so long."""
        before = self.page.evaluate("document.documentElement.dataset.report ?? ''")
        began = time.perf_counter()
        act()
        self.page.wait_for_function(
            """before => (document.documentElement.dataset.report ?? '') !== before
                || !document.getElementById('error').hidden""",
            arg=before,
        )
        return time.perf_counter() - began

    def take(self, *paths: Path | str, into: str = "#files") -> float:
        """Choose files, or one folder."""
        names = [str(path) for path in paths]
        return self.after(
            lambda: self.page.set_input_files(into, names[0] if into == "#folder" else names)
        )

    @property
    def report(self) -> Any:
        """The frame of the report, drawn."""
        frame = self.page.frames[-1]
        frame.wait_for_selector("html[data-ready=true]", state="attached")
        return frame

    @property
    def error(self) -> str:
        """The line that says what went wrong; empty when nothing did."""
        line = self.page.locator("#error")
        return str(line.inner_text()) if line.is_visible() else ""

    def downloaded(self, form: str) -> bytes:
        """Download the report in a form."""
        self.page.click("#downloads summary")
        with self.page.expect_download() as download:
            self.page.click(f"#downloads-list button[data-form={form}]")
        return Path(download.value.path()).read_bytes()

    @property
    def memory(self) -> int:
        """Bytes of Python's memory, which never shrinks."""
        return int(self.page.evaluate("document.documentElement.dataset.memory"))


def new_tab(chromium: Any, address: str, **options: Any) -> Tab:
    """Open the site in a profile of its own."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, **options)
    return Tab(context, address)


@pytest.fixture(scope="session")
def site(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site."""
    folder = tmp_path_factory.mktemp("site")
    build.write(files, folder)
    with served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def _tab(chromium: Any, site: str) -> Iterator[Tab]:
    tab = new_tab(chromium, site)
    tab.ready()
    assert tab.events == []
    yield tab
    tab.context.close()


@pytest.fixture
def tab(_tab: Tab) -> Iterator[Tab]:
    """The site with Python loaded; whatever a test does with it, nothing is said on the console."""
    if _tab.page.is_visible("#again"):
        _tab.page.click("#again")
    _tab.page.set_viewport_size({"width": 1280, "height": 900})
    _tab.events.clear()
    yield _tab
    assert _tab.events == []


def renderers() -> int:
    """Resident bytes of the largest renderer process that this process started."""
    parents, sizes = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "status").read_text()
                line = (entry / "cmdline").read_text()
            except OSError:
                continue
            fields = dict(row.split(":", 1) for row in status.splitlines() if ":" in row)
            parents[int(entry.name)] = int(fields["PPid"])
            if "--type=renderer" in line and "VmRSS" in fields:
                sizes[int(entry.name)] = 1024 * int(fields["VmRSS"].split()[0])

    def ours(process: int) -> bool:
        while process > 1:
            if process == os.getpid():
                return True
            process = parents.get(process, 0)
        return False

    return max((size for process, size in sizes.items() if ours(process)), default=0)
