"""Posts a comment to a pull request, or updates the one that an earlier run posted.

It is found again by its first line, which is not shown, among those of the same author. What cannot
be posted is a notice or a warning in the log, never a failure: the check has its own exit code.
Endpoints: docs.github.com/en/rest/issues/comments.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ATTEMPTS = 4
LONGEST_WAIT = 20.0
TIMEOUT = 20.0
"""Seconds."""

PER_PAGE = 100
MOST_PAGES = 100
MAX_LENGTH = 65_536
"""Characters that GitHub takes."""


class Client:
    """GitHub's REST API, as far as it is needed.

    Args:
        api: GITHUB_API_URL.
        token: Sent as a header that does not follow redirects, and printed nowhere.
    """

    def __init__(self, api: str, token: str) -> None:
        self._api = api.rstrip("/")
        self._token = token

    def call(self, method: str, path: str, data: object = None) -> Any:
        """Return what an endpoint answers.

        Raises:
            HTTPError: It refuses, or fails.
            OSError: It cannot be reached.
        """
        body = None if data is None else json.dumps(data).encode()
        request = Request(f"{self._api}/{path}", body, method=method)
        request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        request.add_header("Accept", "application/vnd.github+json")
        request.add_header("X-GitHub-Api-Version", "2022-11-28")
        request.add_header("User-Agent", "graphcount")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        with urlopen(request, timeout=TIMEOUT) as answer:
            return json.load(answer)

    def login(self) -> str | None:
        """Return whose token it is; None for that of a job or an app, which may not ask."""
        try:
            return str(self.call("GET", "user")["login"])
        except HTTPError as error:
            if is_passing(error):
                raise
            return None

    def comments(self, issue: str) -> Iterator[dict[str, Any]]:
        """Yield the comments of a pull request, oldest first."""
        for page in range(1, MOST_PAGES + 1):
            rows = self.call("GET", f"{issue}/comments?per_page={PER_PAGE}&page={page}")
            yield from rows
            if len(rows) < PER_PAGE:
                return


def is_passing(error: HTTPError) -> bool:
    """Return whether it may go well soon: a limit on the rate, or a failure of the server's."""
    limited = error.headers.get("Retry-After") or error.headers.get("X-RateLimit-Remaining") == "0"
    return error.code == 429 or error.code >= 500 or (error.code == 403 and bool(limited))


def put(client: Client, repository: str, number: str, body: str) -> str:
    """Post the comment, or update it; return its address.

    Raises:
        HTTPError: The token does not allow it, or the server fails.
        OSError: The server cannot be reached.
    """
    issue = f"repos/{repository}/issues/{number}"
    marker = body.partition("\n")[0]
    login = client.login()
    for row in client.comments(issue):
        user = row.get("user") or {}
        ours = user.get("type") == "Bot" if login is None else user.get("login") == login
        if ours and (row.get("body") or "").partition("\n")[0].rstrip() == marker:
            path = f"repos/{repository}/issues/comments/{row['id']}"
            return str(client.call("PATCH", path, {"body": body})["html_url"])
    return str(client.call("POST", f"{issue}/comments", {"body": body})["html_url"])


def put_patiently(client: Client, repository: str, number: str, body: str) -> str:
    """Do that again after failures that may pass; each time from the start, so that none is twice.

    Raises:
        HTTPError: The token does not allow it, or the server keeps failing.
        OSError: The server cannot be reached.
    """
    for attempt in range(1, ATTEMPTS + 1):
        wait = 2.0 ** (attempt - 1)
        try:
            return put(client, repository, number, body)
        except HTTPError as error:
            if attempt == ATTEMPTS or not is_passing(error):
                raise
            after = error.headers.get("Retry-After") or ""
            wait = min(float(after), LONGEST_WAIT) if after.isdecimal() else wait
        except (OSError, HTTPException):
            if attempt == ATTEMPTS:
                raise
        time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def with_footer(body: str, env: dict[str, str]) -> str:
    """Return the comment with what it is about: the commit, the base and the run."""
    parts = [f"{env['COMMIT']}" if env["COMMIT"] else ""]
    parts.append(f"compared with {env['BASE']}" if env["BASE"] else "")
    changed = env["CHANGED_CONFIGURATION"]
    parts.append(f"which has another {changed}: look at its limits" if changed else "")
    run = f"{env.get('GITHUB_SERVER_URL', '')}/{env['GITHUB_REPOSITORY']}/actions/runs"
    parts.append(f"[log]({run}/{env.get('GITHUB_RUN_ID', '')})")
    return f"{body.rstrip()}\n\n<sub>{', '.join(filter(None, parts))}</sub>\n"


def main() -> int:
    """Post the comment in FILE to pull request NUMBER."""
    env = dict(os.environ)
    if not env["NUMBER"]:
        print("::notice title=graphcount::no comment: this is no pull request")
        return 0
    with open(env["FILE"], encoding="utf-8") as stream:
        body = with_footer(stream.read(), env)
    client = Client(env["GITHUB_API_URL"], env["TOKEN"])
    try:
        url = put_patiently(client, env["GITHUB_REPOSITORY"], env["NUMBER"], body[:MAX_LENGTH])
    except HTTPError as error:
        if error.code in (401, 403, 404) and not is_passing(error):
            print(
                "::notice title=graphcount::no comment: the token may not write it; that is so for"
                " pull requests from forks, and without `permissions: pull-requests: write`"
            )
        else:
            print(f"::warning title=graphcount::no comment: the server answers {error.code}")
    except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
        print(f"::warning title=graphcount::no comment: {type(error).__name__}")
    else:
        with open(env["GITHUB_OUTPUT"], "a", encoding="utf-8") as stream:
            stream.write(f"comment-url={url}\n")
        print(url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
