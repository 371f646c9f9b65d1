"""docs/design.md: its picture is what the code imports, and what it names exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import networkx as nx
import pytest

from tests.test_imports import FILES, OWNERS, PACKAGE, ROWS, imports, room

PAGE = PACKAGE.parent / "docs" / "design.md"


def page() -> str:
    return PAGE.read_text("utf-8")


@cache
def real() -> nx.DiGraph[str]:
    """Which room imports which."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(name for row in ROWS for name in row)
    for path in FILES:
        own = room(path)
        for name in imports(path):
            first, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if first == "graphcount" and own != "__init__" and other in graph and other != own:
                graph.add_edge(own, other)
    return graph


def first_line(name: str) -> str:
    """What a room says of itself: the first line of its docstring."""
    folder = PACKAGE / name
    path = folder / "__init__.py" if folder.is_dir() else PACKAGE / f"{name}.py"
    text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert text, f"{path} has no docstring"
    return text.splitlines()[0]


# ------------------------------------------------------------------------ the generated blocks


def picture() -> str:
    """The fewest arrows from which every import follows; `graph` alone is a word of Mermaid's."""
    arrows = nx.transitive_reduction(real())
    order = [name for row in ROWS for name in row]
    lines = [f"    _{name}[{name}]" for name in order]
    lines += [f"    _{a} --> _{b}" for a in order for b in order if arrows.has_edge(a, b)]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def rooms() -> str:
    lines = ["| row | room | what it is |", "|---:|---|---|"]
    for number, row in enumerate(ROWS, 1):
        for name in row:
            said = first_line(name).replace("|", "\\|")
            lines.append(f"| {number} | `{name}` | {said} |")
    return "\n".join(lines)


def packages() -> str:
    lines = ["| package | imported by |", "|---|---|"]
    for name in OWNERS:
        users = {room(p) for p in FILES if name in {i.split(".")[0] for i in imports(p)}}
        if users:
            lines.append(f"| {name} | {', '.join(f'`{user}`' for user in sorted(users))} |")
    return "\n".join(lines)


MAKERS = {"picture": picture, "rooms": rooms, "packages": packages}


def expected(text: str) -> str:
    """The page with every generated block made anew."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        return f"<!-- {name} -->\n{MAKERS[name]()}\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def test_the_blocks_are_current() -> None:
    """`python -m tests.test_design` writes them anew."""
    text = page()
    assert all(text.count(f"<!-- {name} -->\n") == 1 for name in MAKERS)
    assert expected(text) == text


# --------------------------------------------------------------------- the picture, read back


def drawn() -> nx.DiGraph[str]:
    arrows = re.findall(r"^ +_(\w+) --> _(\w+)$", page(), re.MULTILINE)
    assert arrows
    graph: nx.DiGraph[str] = nx.DiGraph(arrows)
    return graph


def test_every_arrow_is_an_import() -> None:
    for a, b in drawn().edges:
        assert any(
            f"graphcount.{b}" in {".".join(name.split(".")[:2]) for name in imports(path)}
            for path in FILES
            if room(path) == a
        ), f"nothing in {a} imports {b}"


def test_every_import_follows_from_the_arrows() -> None:
    picture = drawn()
    for a, b in real().edges:
        assert nx.has_path(picture, a, b), f"{a} imports {b}, which the picture does not show"


def test_everything_in_the_package_is_a_room_of_the_page() -> None:
    there = {
        path.stem
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    listed = re.findall(r"^\| (\d+) \| `(\w+)` \|", page(), re.MULTILINE)
    assert {name for _, name in listed} == there - {"__init__"}
    assert set(drawn()) == there - {"__init__"}


def test_arrows_of_the_picture_point_down() -> None:
    row = {name: int(n) for n, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", page(), re.MULTILINE)}
    assert all(row[a] < row[b] for a, b in drawn().edges)


# -------------------------------------------------------------------------- what the text names


def named() -> Iterator[tuple[str, str]]:
    """`ROOM/MODULE.py` and `ROOM/MODULE.py:name`, also from the root of the project."""
    yield from re.findall(r"`(\w[\w/]*\.py)(?::([\w.]+))?`", page())


@pytest.mark.parametrize(("path", "name"), sorted(set(named())))
def test_what_the_walks_name_exists(path: str, name: str) -> None:
    file = PACKAGE.parent / path if path.startswith(("graphcount/", "tests/")) else PACKAGE / path
    assert file.is_file()
    body = ast.parse(file.read_text("utf-8")).body
    for part in filter(None, name.split(".")):
        found = [node for node in body if part in _defines(node)]
        assert found, f"{path} has no {name}"
        body = getattr(found[0], "body", [])


def _defines(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_the_walks_name_enough() -> None:
    assert len(set(named())) > 30


if __name__ == "__main__":
    PAGE.write_text(expected(page()), "utf-8")
