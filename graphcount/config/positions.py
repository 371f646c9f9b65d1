"""Lines of keys in a TOML text that `tomllib` has accepted.

No kept library gives positions together with strict TOML 1.0 (tomllib and tomli drop them, tomlkit
keeps them private), so the tokens of a text that is known to be valid are walked once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

KeyPath = tuple[str | int, ...]

_TOKEN = re.compile(
    r"(?P<skip>[ \t\r]+|\#[^\n]*)"
    r"|(?P<newline>\n)"
    r'|(?P<string>"""(?:\\[\s\S]|[^\\])*?"{3,5}|\'\'\'[\s\S]*?\'{3,5}'
    r'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<mark>[\[\]{}=,.])"
    r"|(?P<bare>[^\s\[\]{}=,.#\"']+)"
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def positions(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) of every key, table and element of an array.

    Args:
        text: Valid TOML.
    """
    walk = _TokenWalk(list(_tokens(text)))
    walk.document()
    return walk.lines


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind != "skip":
            yield _Token(kind, match.group(), line)
        line += match.group().count("\n")


class _TokenWalk:
    """A walk over the tokens, one method a construct of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.lines: dict[KeyPath, int] = {(): 1}
        self.lengths: dict[KeyPath, int] = {}

    def peek(self) -> str:
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def take(self) -> _Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def skip_newlines(self) -> None:
        while self.peek() == "\n":
            self.at += 1

    def document(self) -> None:
        table: KeyPath = ()
        self.skip_newlines()
        while self.at < len(self.tokens):
            if self.peek() == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip_newlines()

    def header(self) -> KeyPath:
        line = self.take().line
        array = self.peek() == "["
        self.at += array
        path: KeyPath = ()
        keys = self.key()
        for key in keys:
            path = self.inside((*path, key))
        self.at += 1 + array
        if array:
            whole = path[:-1] if path and isinstance(path[-1], int) else path
            count = self.lengths.get(whole, 0)
            self.lengths[whole] = count + 1
            path = (*whole, count)
            self.lines.setdefault(whole, line)
        self.lines[path] = line
        return path

    def inside(self, path: KeyPath) -> KeyPath:
        """Return the last table of an array of tables, or the path itself."""
        count = self.lengths.get(path, 0)
        return (*path, count - 1) if count else path

    def key(self) -> list[str]:
        parts = [self.part()]
        while self.peek() == ".":
            self.at += 1
            parts.append(self.part())
        return parts

    def part(self) -> str:
        token = self.take()
        if token.kind != "string":
            return token.text
        name: str = tomllib.loads(f"key = {token.text}")["key"]
        return name

    def pair(self, table: KeyPath) -> None:
        line = self.tokens[self.at].line
        path = table
        for part in self.key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self.at += 1  # =
        self.value(path)

    def value(self, path: KeyPath) -> None:
        if self.peek() == "[":
            self.array(path)
        elif self.peek() == "{":
            self.inline(path)
        else:
            while self.peek() not in ("\n", ",", "]", "}", ""):
                self.at += 1

    def array(self, path: KeyPath) -> None:
        self.at += 1
        self.skip_newlines()
        index = 0
        while self.peek() != "]":
            self.lines[(*path, index)] = self.tokens[self.at].line
            self.value((*path, index))
            index += 1
            self.skip_newlines()
            self.at += self.peek() == ","
            self.skip_newlines()
        self.at += 1

    def inline(self, path: KeyPath) -> None:
        self.at += 1
        self.skip_newlines()
        while self.peek() != "}":
            self.pair(path)
            self.skip_newlines()
            self.at += self.peek() == ","
            self.skip_newlines()
        self.at += 1
