"""Runs `graphcount check` with the inputs of the action, which are data to it, never code.

MODELS and ARGS are split as a shell splits words, with quotes; nothing in them is expanded. CONFIG,
BASELINE, BASE (a folder), COMMENT_FILE and MARKER are one argument each; empty ones are left out.
"""

from __future__ import annotations

import os
import shlex
import sys
import tomllib
from typing import Any

from graphcount.cli.main import main as graphcount
from graphcount.config import find_config
from graphcount.formats.comment import hidden_line


def arguments(env: dict[str, str], comment: str) -> list[str]:
    """Return the command line; the comment goes to a file of ours, whatever else is asked for.

    Raises:
        ValueError: A quote is not closed.
    """
    options = {
        "--marker": env["MARKER"],
        "--config": env["CONFIG"],
        "--base": env["BASELINE"] or env["BASE"],
    }
    line = ["check", "--format", "github", "--also", f"markdown={comment}"]
    if env["COMMENT_FILE"]:
        line += ["--also", f"markdown={env['COMMENT_FILE']}"]
    line += [part for name, value in options.items() if value for part in (name, value)]
    return [*line, *shlex.split(env["ARGS"]), "--", *shlex.split(env["MODELS"])]


def changed_configuration(env: dict[str, str]) -> str:
    """Return the configuration if the base had another one, so that no limit is raised unseen."""
    base = env["BASE"]
    now = env["CONFIG"] or find_config()
    before = os.path.join(base, env["CONFIG"]) if env["CONFIG"] else find_config(base)
    if not base or not now or not before:
        return ""
    try:
        same = os.path.relpath(now) == os.path.relpath(before, base)
        same = same and settings(now) == settings(before)
    except (OSError, ValueError, AttributeError):  # the check says what is wrong with it
        return ""
    return "" if same else os.path.relpath(now)


def settings(file: str) -> Any:
    """Return what a configuration says.

    Raises:
        OSError: There is no such file.
        ValueError: It is no TOML.
        AttributeError: It has something else in the place of a table.
    """
    with open(file, "rb") as stream:
        data = tomllib.load(stream)
    return data.get("tool", {}).get("graphcount", data)


def write_output(name: str, value: str) -> None:
    """Set an output of the step."""
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as stream:
        stream.write(f"{name}={value}\n")


def main() -> int:
    """Check, and see to it that there is a comment whatever came of it."""
    env = dict(os.environ)
    comment = os.path.join(env["RUNNER_TEMP"], "graphcount.md")
    with open(comment, "w", encoding="utf-8") as stream:  # an old one says nothing of this run
        stream.write(f"{hidden_line(env['MARKER'])}\n### graphcount: could not check\n\n")
        stream.write("The job's log says why.\n")
    write_output("comment-file", comment)
    changed = changed_configuration(env)
    if changed:
        print("::notice title=graphcount::the base has another configuration: look at its limits")
        write_output("changed-configuration", changed)
    try:
        line = arguments(env, comment)
    except ValueError as error:
        print(f"graphcount: models and args: {str(error).lower()}", file=sys.stderr)
        code = 2
    else:
        code = graphcount(line)
    write_output("exit-code", str(code))
    return code


if __name__ == "__main__":
    sys.exit(main())
