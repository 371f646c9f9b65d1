"""A double of GitHub's endpoints for comments (docs.github.com/en/rest/issues/comments)."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.action.runner import TOKEN

BOT = {"login": "github-actions[bot]", "type": "Bot"}
MAX_LENGTH = 65_536


class Comments:
    """What the server has, and what it was asked.

    Attributes:
        rows: The comments of pull request 7.
        requests: Method and path of each request.
        refuse: Statuses to answer writes with, in turn, before all goes well; None: always 403.
        login: Whose token it is; empty for the token of a job, which may not ask.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.refuse: list[int] | None = []
        self.login = ""
        self.url = ""

    def add(self, body: str, user: dict[str, str] | None = None) -> dict[str, Any]:
        number = 100 + len(self.rows)
        address = f"https://github.example/acme/models/pull/7#issuecomment-{number}"
        row = {"id": number, "body": body, "user": user or BOT, "html_url": address}
        self.rows.append(row)
        return row

    @property
    def writes(self) -> list[str]:
        return [row for row in self.requests if not row.startswith("GET")]

    def answer(self, method: str, address: str, data: Any) -> tuple[int, Any]:
        url = urlsplit(address)
        if method == "GET" and url.path == "/user":
            return (200, {"login": self.login}) if self.login else (403, {})
        if method == "GET" and url.path == "/repos/acme/models/issues/7/comments":
            query = {key: int(values[0]) for key, values in parse_qs(url.query).items()}
            size, page = query.get("per_page", 30), query.get("page", 1)
            assert size <= 100
            return 200, self.rows[(page - 1) * size : page * size]
        if self.refuse is None:
            return 403, {"message": "Resource not accessible by integration"}
        if self.refuse:
            return self.refuse.pop(0), {}
        if set(data) != {"body"} or not 0 < len(data["body"]) <= MAX_LENGTH:
            return 422, {}
        if method == "POST" and url.path == "/repos/acme/models/issues/7/comments":
            user = {"login": self.login, "type": "User"} if self.login else BOT
            return 201, self.add(data["body"], user)
        known = re.fullmatch(r"/repos/acme/models/issues/comments/(\d+)", url.path)
        if method == "PATCH" and known:
            row = next(row for row in self.rows if row["id"] == int(known[1]))
            row["body"] = data["body"]
            return 200, row
        return 404, {}


@contextmanager
def serving(comments: Comments) -> Iterator[None]:
    """Serve them on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            comments.requests.append(f"{self.command} {self.path}")
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status: int = 401
            answer: Any = {}
            if self.headers.get("Authorization") == f"Bearer {TOKEN}":
                status, answer = comments.answer(
                    self.command, self.path, json.loads(data) if data else None
                )
            self.send_response(status)
            if status >= 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_GET = do_POST = do_PATCH = handle_one

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    comments.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
