"""Lines of keys in TOML, against texts whose lines are counted by hand."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from graphcount.config.positions import KeyPath, positions

TEXT = '''\
# a comment with [brackets] = and "quotes
title = "a # is no comment"   # 2
[a.b]                        # 3
c = 1                        # 4
"d.e" = """
two [lines]
"""                          # 5 to 7
f.g = { h = 1, i = { j = 2 } } # 8
k = [                        # 9
  1,                         # 10
  { l = "x]" },              # 11
  ['y', "z"],                # 12
]
when = 1979-05-27T07:32:00.5Z # 14
[[rows]]                     # 15
n = 1.5                      # 16
[[rows]]                     # 17
n = 2                        # 18
  [rows.deep]                # 19
  m = 3                      # 20
[[rows.more]]                # 21
o = \'\'\'it's ''fine\'\'\' # 22
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("a", "b"), 3),
        (("a", "b", "c"), 4),
        (("a", "b", "d.e"), 5),
        (("a", "b", "f", "g"), 8),
        (("a", "b", "f", "g", "i", "j"), 8),
        (("a", "b", "k"), 9),
        (("a", "b", "k", 0), 10),
        (("a", "b", "k", 1, "l"), 11),
        (("a", "b", "k", 2, 1), 12),
        (("a", "b", "when"), 14),
        (("rows",), 15),
        (("rows", 0, "n"), 16),
        (("rows", 1), 17),
        (("rows", 1, "n"), 18),
        (("rows", 1, "deep", "m"), 20),
        (("rows", 1, "more", 0, "o"), 22),
    ],
)
def test_every_key_has_its_line(path: KeyPath, line: int) -> None:
    assert positions(TEXT)[path] == line


def paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    """Every path in parsed TOML."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items if isinstance(value, dict | list) else ():
        found += paths(item, (*path, key)) if isinstance(item, dict | list) else [(*path, key)]
    return found


def test_nothing_that_tomllib_finds_is_missing() -> None:
    lines = positions(TEXT)
    missing = [path for path in paths(tomllib.loads(TEXT)) if path not in lines]
    assert missing == [("a",)]  # it has no line of its own


def test_the_empty_text_has_no_keys() -> None:
    assert positions("\n# nothing\n") == {(): 1}
