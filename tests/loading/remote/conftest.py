"""HTTP servers for tests: nginx where it is installed, and one that can misbehave."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest


@pytest.fixture(autouse=True)
def remote_extra() -> None:
    """Tests of remote reading need the packages of the extra."""
    for package in ("fsspec", "aiohttp"):
        why = f"{package} is not installed: pip install 'graphcount[remote]'"
        pytest.importorskip(package, reason=why)


class Asked(NamedTuple):
    """One request as the server saw it."""

    status: int
    nbytes: int
    path: str


class Server(NamedTuple):
    """A server of a folder: its URL, the folder, what was asked of it."""

    url: str
    folder: Path
    asked: Callable[[], list[Asked]]


class Handler(BaseHTTPRequestHandler):
    """Serves ranges; the first folder of a path says how it misbehaves."""

    protocol_version = "HTTP/1.1"
    folder: Path
    asked: list[Asked]
    headers_seen: list[dict[str, str]]
    redirects: dict[str, str]
    failures: dict[str, int]

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        mode, _, name = self.path.partition("?")[0].strip("/").partition("/")
        self.headers_seen.append(dict(self.headers.items()))
        if mode == "redirect":
            return self.answer(302, b"", Location=f"/plain/{name}")
        if name in self.redirects:
            return self.answer(302, b"", Location=self.redirects[name])
        if mode in ("401", "403", "404", "500"):
            return self.answer(int(mode), b"secret page")
        if mode == "flaky":
            self.failures[name] = self.failures.get(name, 0) + 1
            if self.failures[name] % 3:
                return self.answer(503, b"")
        if mode == "silent":
            time.sleep(1.5)
        path = self.folder / unquote(name)
        if not path.is_file():
            return self.answer(404, b"")
        self.serve(mode, path)
        return None

    def serve(self, mode: str, path: Path) -> None:
        size = path.stat().st_size
        tag = f'"{size}-{len(self.asked) if mode == "changing" else 0}"'
        wanted = self.headers.get("Range")
        if mode == "unranged" or wanted is None:
            self.headers_of(200, size, tag)
            self.stream(path, 0, size)
            return
        start, _, last = wanted.removeprefix("bytes=").partition("-")
        first, end = int(start), min(size, int(last) + 1)
        shift = 7 if mode == "lying" else 0
        place = f"bytes {first + shift}-{end - 1 + shift}/{size}"
        if mode == "endless":
            self.headers_of(206, 1 << 50, tag, place)
            self.stream(path, first, 1 << 50)
            return
        self.headers_of(206, end - first, tag, place)
        self.stream(path, first, end - first - (5 if mode == "short" and first else 0))
        self.close_connection |= mode == "short"

    def headers_of(self, status: int, nbytes: int, tag: str, place: str = "") -> None:
        self.asked.append(Asked(status, min(nbytes, 1 << 40), self.path))
        self.send_response(status)
        self.send_header("Content-Length", str(nbytes))
        self.send_header("ETag", tag)
        if place:
            self.send_header("Content-Range", place)
        self.end_headers()

    def stream(self, path: Path, start: int, nbytes: int) -> None:
        try:
            with path.open("rb") as file:
                file.seek(start)
                while nbytes > 0:
                    data = file.read(min(nbytes, 2**16)) or bytes(min(nbytes, 2**16))
                    self.wfile.write(data)
                    nbytes -= len(data)
        except OSError:
            self.close_connection = True  # the client had enough

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.asked.append(Asked(status, len(body), self.path))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Double(NamedTuple):
    """A server that can misbehave.

    Attributes:
        url: Its address.
        folder: What it serves.
        asked: What was asked of it.
        headers: Headers of each request.
        redirects: Where it redirects to, by name.
    """

    url: str
    folder: Path
    asked: Callable[[], list[Asked]]
    headers: list[dict[str, str]]
    redirects: dict[str, str]


@contextmanager
def serving(folder: Path) -> Iterator[Double]:
    """Serve a folder on a port of its own."""
    asked: list[Asked] = []
    headers: list[dict[str, str]] = []
    redirects: dict[str, str] = {}
    own = {"folder": folder, "asked": asked, "failures": {}}
    kind = type("Bound", (Handler,), {**own, "headers_seen": headers, "redirects": redirects})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    yield Double(address, folder, lambda: asked, headers, redirects)
    server.shutdown()
    server.server_close()


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    """A server of `tmp_path` that serves ranges, or misbehaves: `/short/model.onnx`."""
    import graphcount.loading.transfer as transfer

    monkeypatch.setattr(transfer, "PAUSES_S", (0.0, 0.0, 0.0))
    with serving(tmp_path) as server:
        yield server


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    """Another host: another port counts as one (RFC 6454)."""
    with serving(tmp_path_factory.mktemp("elsewhere")) as server:
        yield server


NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  log_format asked '$status $body_bytes_sent $request_uri'; access_log {folder}/log asked;
  server {{
    listen 127.0.0.1:{port};
    location /plain/ {{ alias {served}/; }}
    location /unranged/ {{ alias {served}/; max_ranges 0; }}
    location ~ ^/redirect/(.*)$ {{ return 302 http://127.0.0.1:{port}/plain/$1; }}
  }}
}}
"""


@pytest.fixture
def nginx(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real thing: nginx serves `tmp_path`."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    for place in {tmp_path, *tmp_path.parents, folder, *folder.parents}:
        if place.stat().st_uid == os.getuid() and place.name.startswith("pytest-"):
            place.chmod(0o755)  # a worker of nginx runs as another user when we are root
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = "user root;\n" if os.getuid() == 0 else ""
    config = NGINX.format(folder=folder, port=port, served=tmp_path)
    (folder / "nginx.conf").write_text(user + config)
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(command, stderr=errors)
    try:
        _wait(port, process, folder / "errors")

        def asked() -> list[Asked]:
            time.sleep(0.1)  # it writes its log when an answer is out
            lines = (line.split(" ", 2) for line in (folder / "log").read_text().splitlines())
            return [Asked(int(status), int(nbytes), path) for status, nbytes, path in lines]

        yield Server(f"http://127.0.0.1:{port}", tmp_path, asked)
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes], errors: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail(f"nginx ended: {errors.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    pytest.fail("nginx does not answer")


@pytest.fixture(params=["nginx", "double"])
def server(request: pytest.FixtureRequest) -> Server:
    """A well-behaved server: nginx, and the double where nginx is not installed."""
    found: Server = request.getfixturevalue(request.param)
    return found
